//! exutil: offline tools for ESE databases (Exchange, Active Directory, Windows).
//!
//! The rooms, each using only those before it: [`format`](mod@format) (bytes and values), [`storage`]
//! (files and pages), [`tree`] and [`db`] (B+ trees, space, catalog), [`log`] (log streams), [`ops`] (what a user asks for);
//! beside them [`error`], [`jet`], [`problem`], [`progress`]. [`build`] writes databases from nothing, [`rebuild`] from
//! the trees of another.
//! The command line ([`cli`], a feature) only translates.

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
