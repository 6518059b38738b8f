//! exutil: offline tools for ESE databases (Exchange, Active Directory, Windows).
//!
//! The rooms, each using only those before it: [`format`](mod@format) (bytes and values), [`storage`]
//! (files and pages), [`tree`] and [`db`] (B+ trees, space, catalog), [`log`] (log streams), [`ops`] (what a user asks for);
//! beside them [`error`], [`jet`], [`problem`], [`progress`]. [`build`] writes databases from nothing, [`rebuild`] from
//! the trees of another.
//! The command line ([`cli`], a feature) only translates.
//!
//! # The operations
//!
//! Each is a module of [`ops`]: options in, a report out, and nothing is printed. A report says what was found; an
//! [`error::Error`] means that there was nothing to look at, or that nothing was changed. Both have the engine's number
//! ([`jet::JetError`]). Reports can be serialized with `serde`; `docs/schema` describes the form. Each has an example.
//!
//! | what it does | module | example |
//! |---|---|---|
//! | tell what a file is | [`ops::identify`] | `examples/identify.rs` |
//! | the header of a database | [`ops::headers`] | `examples/headers.rs` |
//! | the logs that it needs | [`ops::required_logs`] | `examples/required_logs.rs` |
//! | checksums of all pages | [`ops::checksum`] | `examples/checksum.rs` |
//! | the integrity check | [`ops::integrity`] | `examples/integrity.rs` |
//! | tables, columns, indexes | [`ops::meta_dump`] | `examples/meta_dump.rs` |
//! | space of tables and indexes | [`ops::space_dump`] | `examples/space_dump.rs` |
//! | one page and its nodes | [`ops::page_dump`] | `examples/page_dump.rs` |
//! | rows with typed values | [`ops::export`] | `examples/export.rs` |
//! | checkpoints | [`ops::checkpoint`] | `examples/checkpoint.rs` |
//! | flush maps | [`ops::flushmap`] | `examples/flushmap.rs` |
//! | logs, one or a stream | [`ops::logs`] | `examples/logs.rs` |
//! | records of logs | [`ops::log_records`] | `examples/log_records.rs` |
//! | what records say together | [`ops::log_checks`] | `examples/log_checks.rs` |
//! | soft recovery | [`ops::recover`] | `examples/recover.rs` |
//! | restore of a backup | [`ops::restore`] | `examples/restore.rs` |
//! | repair | [`ops::repair`] | `examples/repair.rs` |
//! | defragmentation | [`ops::defrag`] | `examples/defrag.rs` |
//! | tests of stores and directories | [`ops::isinteg`] | `examples/isinteg.rs` |
//! | changes of rows | [`ops::amend`] | `examples/amend.rs` |
//! | copies off bad disks | [`ops::copy_file`] | `examples/copy_file.rs` |
//! | the way back | [`ops::undo`] | `examples/undo.rs` |
//! | one file of many | [`ops::survey`] | `examples/survey.rs` |
//! | all files of a disk | [`ops::sweep`] | `examples/sweep.rs` |
//! | what to do | [`ops::advise`] | `examples/advise.rs` |
//!
//! ```
//! use std::path::Path;
//! use exutil::ops::checksum::{ChecksumOptions, check_file};
//! use exutil::progress::Silent;
//!
//! let report = check_file(Path::new("testdata/priv1.edb"), &ChecksumOptions::default(), &Silent)?;
//! assert_eq!(report.counts.bad, 0);
//! # Ok::<(), exutil::error::Error>(())
//! ```

#![forbid(unsafe_code)]

pub mod build;
pub mod check;
pub mod compact;
pub mod damage;
pub mod db;
pub mod digest;
pub mod error;
pub mod format;
pub mod jet;
pub mod log;
pub mod ops;
pub mod problem;
pub mod progress;
pub mod rebuild;
pub mod recover;
pub mod repair;
pub mod salvage;
pub mod sorting;
pub mod storage;
pub mod store;
pub mod tree;
pub mod undo;

#[cfg(feature = "cli")]
pub mod cli;
