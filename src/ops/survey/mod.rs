//! What lies on a disk: each file told by its content ([`examine()`]), the files that belong together found by their
//! signatures, and for each such group one verdict and the command to run next ([`group`]).
//!
//! The judgement reads no file: it takes records, which may come from this run, an earlier one, or other machines.

mod classify;
mod examine;
pub mod group;
pub mod record;

pub use examine::{examine, unreadable};
