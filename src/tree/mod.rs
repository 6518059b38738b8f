//! B+ trees as a whole, above single pages: reading in order, seeking, and the bottom-up writer.

pub mod ahead;
pub mod space;
pub mod stores;
pub mod walk;
mod writer;

pub use writer::{FinishedTree, TreeError, TreeSpec, TreeStore, TreeSummary, TreeWriter};
