//! Log streams: the names of log files, the blocks that they are made of, and their sequence.

pub mod generation;
pub mod legacy;
pub mod names;
pub mod records;
pub mod segments;
pub mod verify;
