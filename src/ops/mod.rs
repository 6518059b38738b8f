//! What a user asks for, one file per operation: options in, report out. Nothing here prints.

mod catalog_read;
pub mod checkpoint;
pub mod checksum;
pub mod copy_file;
mod engine_read;
mod engine_sort;
pub mod export;
pub mod flushmap;
pub mod headers;
pub mod identify;
pub mod integrity;
pub mod log_checks;
pub mod log_records;
pub mod logs;
mod maintenance;
pub mod meta_dump;
pub mod page_dump;
pub mod recover;
pub mod repair;
pub mod replay_io;
pub mod required_logs;
pub mod restore;
pub mod space_dump;
mod space_hints;
pub mod undo;
