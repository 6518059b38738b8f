//! B+ trees as a whole, above single pages: the bottom-up writer.

mod writer;

pub use writer::{FinishedTree, TreeError, TreeSpec, TreeStore, TreeSummary, TreeWriter};
