//! What an export had to leave out, and why.

use crate::db::long_values::LongFault;
use crate::format::compress::CompressFault;
use crate::format::ids::{Objid, Pgno};
use crate::format::page::NodeFault;
use crate::format::record::RecordFault;
use crate::format::schema::Fid;
use crate::format::value::{Hex, ValueFault};
use crate::problem::{Finding, Place, Problem};

/// Why something is left out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// A page of the tree cannot be used; in words, as the walk of the tree has it.
    #[error("{0}")]
    Page(String),
    /// A node of a leaf is broken.
    #[error("{0}")]
    Node(#[from] NodeFault),
    /// The record as a whole.
    #[error("{0}")]
    Record(RecordFault),
    /// The tagged columns from some column on; those before it are there.
    #[error("the tagged columns cannot be read to their end: {0}")]
    Tagged(RecordFault),
    /// One column.
    #[error("{0}")]
    Column(#[from] RecordFault),
    /// The bytes do not fit the type.
    #[error("{0}")]
    Value(#[from] ValueFault),
    /// A long value.
    #[error("{0}")]
    Long(#[from] LongFault),
    /// A value compressed inside the record.
    #[error("{0}")]
    Compressed(CompressFault),
    /// A value encrypted inside the record; only the application has the key.
    #[error("the value is encrypted")]
    Encrypted,
    /// The column has no value, and a function of the application would compute its default.
    #[error("the default is computed by callback '{0}'")]
    CallbackDefault(String),
    /// The catalog is damaged at this point; in words.
    #[error("{0}")]
    Catalog(String),
    /// The catalog is damaged at this point, but its shadow is whole.
    #[error("{0}; the shadow catalog is used")]
    CatalogFromShadow(String),
    /// The template that the table inherits from is not in the catalog.
    #[error("template table '{0}' is not in the catalog, its columns are unknown")]
    Template(String),
    /// Part of the catalog says that there is such a table, but not where.
    #[error("object {0} has columns or indexes in the catalog, but no table")]
    NoTable(Objid),
    /// Leaves that the tree does not lead to any more, but whose rows are exported: the number.
    #[error("{0} leaves were found beside the tree, their rows are exported out of order")]
    Beside(usize),
}

/// Something that is left out, and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// The table; empty when it is the catalog.
    pub table: String,
    /// The page; null when it is not known.
    pub page: Pgno,
    /// The key of the row, when it is about one.
    pub key: Option<Vec<u8>>,
    /// The column, when it is about one value.
    pub column: Option<(Fid, String)>,
    /// The row is deleted anyway; nobody misses it.
    pub deleted: bool,
    /// Why.
    pub reason: Reason,
}

impl Loss {
    /// A loss that concerns a table or part of its tree.
    #[must_use]
    pub const fn of_table(table: String, page: Pgno, reason: Reason) -> Self {
        Self {
            table,
            page,
            key: None,
            column: None,
            deleted: false,
            reason,
        }
    }

    /// False for losses of deleted rows and for damage that costs nothing.
    #[must_use]
    pub const fn is_left_out(&self) -> bool {
        let harmless = matches!(
            self.reason,
            Reason::Beside(_) | Reason::CatalogFromShadow(_)
        );
        !self.deleted && !harmless
    }

    /// As a finding of the table of problems.
    #[must_use]
    pub fn finding(&self) -> Finding {
        let place = if self.page.is_null() {
            Place::default()
        } else {
            Place::page(self.page)
        };
        Finding::new(self.reason.problem(), place).with_detail(self.to_string())
    }
}

impl std::fmt::Display for Loss {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.table.is_empty() {
            f.write_str("catalog")?;
        } else {
            write!(f, "table {}", self.table)?;
        }
        if !self.page.is_null() {
            write!(f, ", page {}", self.page)?;
        }
        if let Some(key) = &self.key {
            write!(f, ", key {}", Hex(key))?;
        }
        if let Some((_, name)) = &self.column {
            write!(f, ", column {name}")?;
        }
        write!(f, ": {}", self.reason)
    }
}

impl Reason {
    /// The row of the table of problems.
    #[must_use]
    pub const fn problem(&self) -> Problem {
        match self {
            Self::Page(_) => Problem::ExportPageLost,
            Self::Node(_) | Self::Record(_) => Problem::ExportRowLost,
            Self::Long(LongFault::Encrypted(_))
            | Self::Encrypted
            | Self::CallbackDefault(_)
            | Self::Compressed(CompressFault::Unsupported { .. })
            | Self::Long(LongFault::Chunk {
                fault: CompressFault::Unsupported { .. },
                ..
            }) => Problem::ExportNotDecoded,
            Self::Long(_) => Problem::ExportLongValueLost,
            Self::Tagged(_) | Self::Column(_) | Self::Value(_) | Self::Compressed(_) => {
                Problem::ExportValueLost
            }
            Self::Catalog(_)
            | Self::CatalogFromShadow(_)
            | Self::Template(_)
            | Self::NoTable(_) => Problem::ExportCatalogDamaged,
            Self::Beside(_) => Problem::ExportLinkBroken,
        }
    }
}
