//! Why a database cannot be built.

use std::io;

use crate::format::record::encode::EncodeError;
use crate::format::schema::Fid;
use crate::tree::TreeError;

/// Why a database cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The output failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The database would have more pages than a page number can count.
    #[error("too many pages")]
    TooManyPages,
    /// An object has more extents than one page of a space tree holds.
    #[error("object {0} is too fragmented")]
    Fragmented(u32),
    /// A row does not make a record.
    #[error(transparent)]
    Record(#[from] EncodeError),
    /// A row is too long even with its long values apart.
    #[error("record of {bytes} bytes, at most {most} fit")]
    RecordTooLong {
        /// Its length.
        bytes: usize,
        /// The limit.
        most: usize,
    },
    /// A row has a value for a column that the table does not have.
    #[error("no column {0}")]
    NoColumn(Fid),
    /// A null where the primary index or a not-null index segment allows none.
    #[error("column {0} may not be null here")]
    Null(Fid),
    /// The key of a Unicode text column is not known.
    #[error("index {0:?} needs the sort keys of Unicode text")]
    Unicode(String),
    /// A key had to be cut although the index forbids it.
    #[error("a key of index {0:?} is too long")]
    KeyTruncated(String),
    /// Two rows have the same key in a unique index.
    #[error("index {0:?} has a duplicate key")]
    Duplicate(String),
    /// A node does not follow its predecessor: the rows are not in primary key order.
    #[error("{tree}: node {node} is out of order")]
    Order {
        /// The tree.
        tree: String,
        /// The node, from 0.
        node: u64,
    },
    /// A node does not suit a tree.
    #[error("{tree}: {problem}")]
    Tree {
        /// The tree.
        tree: String,
        /// What is wrong.
        problem: String,
    },
    /// A format that does not exist.
    #[error("no such format: {0}")]
    Format(&'static str),
}

impl BuildError {
    /// Names the tree.
    pub(super) fn in_tree(tree: &str, error: TreeError<Self>) -> Self {
        match error {
            TreeError::Store(error) => error,
            TreeError::OutOfOrder { node } => Self::Order {
                tree: tree.to_owned(),
                node,
            },
            other => Self::Tree {
                tree: tree.to_owned(),
                problem: other.to_string(),
            },
        }
    }
}
