//! What a user asks for, one file per operation: options in, report out. Nothing here prints.

pub mod checkpoint;
pub mod checksum;
pub mod export;
pub mod flushmap;
pub mod headers;
pub mod identify;
pub mod logs;
pub mod page_dump;
pub mod required_logs;
