//! Log streams: the names of log files, the blocks that they are made of, and their sequence; and how
//! streams are written.

pub mod changes;
pub mod closing;
pub mod generation;
pub mod legacy;
pub mod names;
pub mod records;
pub mod segments;
pub mod verify;
pub mod writer;
