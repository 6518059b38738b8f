//! One node: key, data, and what the data mean on a page of this kind.

use serde::{Serialize, Serializer};

use super::record::{RecordDump, record_of};
use crate::db::catalog::Schema;
use crate::db::space::{Pool, SpaceEntry};
use crate::format::compress::Scheme;
use crate::format::ids::{PageSize, Pgno};
use crate::format::lv::{ChunkSize, Lid, LvKey, LvPart, LvRoot};
use crate::format::page::{Node, NodeFault, Page, PageFlags};
use crate::format::value::Hex;
use crate::tree::walk::child_of;

/// A node.
#[derive(Debug, Clone, Serialize)]
pub struct NodeDump {
    /// Its flags.
    pub flags: u8,
    /// The part of its key that comes from the page's prefix.
    #[serde(serialize_with = "hex")]
    pub prefix: Vec<u8>,
    /// The part of its key that it holds.
    #[serde(serialize_with = "hex")]
    pub suffix: Vec<u8>,
    /// Its data.
    #[serde(serialize_with = "hex")]
    pub data: Vec<u8>,
    /// What it is.
    pub meaning: Meaning,
}

/// What a node is.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Meaning {
    /// A pointer to a page of the next level.
    Child {
        /// The page.
        page: Pgno,
    },
    /// An entry of a space tree.
    Extent {
        /// First page.
        first: Pgno,
        /// Last page.
        last: Pgno,
        /// How many.
        count: u32,
        /// What for.
        pool: Pool,
    },
    /// The root of a long value.
    LvRoot {
        /// Its id.
        lid: Lid,
        /// References from records.
        references: u32,
        /// Uncompressed length.
        size: u32,
        /// Its chunks are encrypted.
        encrypted: bool,
    },
    /// Part of a long value.
    LvChunk {
        /// The value's id.
        lid: Lid,
        /// Where it starts in the value.
        offset: u32,
        /// How it would be compressed, if it is: only the length of the value tells.
        scheme: Option<String>,
    },
    /// A row.
    Record(RecordDump),
    /// An entry of a secondary index.
    Bookmark {
        /// The key of the row.
        #[serde(serialize_with = "hex")]
        bookmark: Vec<u8>,
    },
    /// Something that this page should not hold.
    Unknown {
        /// Why.
        fault: String,
    },
}

/// A line by its tag.
#[derive(Debug, Clone, Serialize)]
pub struct LineDump {
    /// The tag.
    pub itag: usize,
    /// What it is.
    #[serde(flatten)]
    pub kind: LineKind,
}

/// What a line is.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum LineKind {
    /// Tag 0.
    External {
        /// Its bytes.
        #[serde(serialize_with = "hex")]
        bytes: Vec<u8>,
    },
    /// A further tag that holds no node.
    Reserved {
        /// Its bytes.
        #[serde(serialize_with = "hex")]
        bytes: Vec<u8>,
    },
    /// A node.
    Node(NodeDump),
}

fn hex<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    Hex(bytes).serialize(serializer)
}

/// Dumps a node of a page; `schema` tells the columns of records.
///
/// # Errors
/// [`NodeFault`] when there is no such node, or its line leaves the page.
pub fn dump_node(page: Page<'_>, line: usize, schema: &Schema) -> Result<NodeDump, NodeFault> {
    let node = page.node(line)?;
    Ok(NodeDump {
        flags: node.flags.bits(),
        prefix: node.prefix.to_vec(),
        suffix: node.suffix.to_vec(),
        data: node.data.to_vec(),
        meaning: meaning(page, &node, schema),
    })
}

/// Dumps the line of a tag.
///
/// # Errors
/// As [`dump_node`].
pub fn dump_tag(page: Page<'_>, itag: usize, schema: &Schema) -> Result<LineDump, NodeFault> {
    if itag >= page.tag_count() {
        return Err(NodeFault::NoSuchNode);
    }
    let bytes = || page.line(itag).map(<[u8]>::to_vec);
    let kind = match itag.checked_sub(page.reserved_tags()) {
        Some(line) => LineKind::Node(dump_node(page, line, schema)?),
        None if itag == 0 => LineKind::External {
            bytes: bytes().ok_or(NodeFault::LineOutside)?,
        },
        None => LineKind::Reserved {
            bytes: bytes().ok_or(NodeFault::LineOutside)?,
        },
    };
    Ok(LineDump { itag, kind })
}

/// How many nodes the page can have: what it says, but no more than fit.
#[must_use]
pub fn line_count(page: Page<'_>) -> usize {
    page.node_count()
        .min(PageSize::MAX_BYTES / size_of::<u32>())
}

fn meaning(page: Page<'_>, node: &Node<'_>, schema: &Schema) -> Meaning {
    let flags = page.flags();
    if !flags.is_leaf() {
        return match child_of(node) {
            Some(page) => Meaning::Child { page },
            None => unknown("no page number"),
        };
    }
    if flags.is_space_tree() {
        return match SpaceEntry::parse(node) {
            Ok(entry) => Meaning::Extent {
                first: entry.extent.first(),
                last: entry.extent.last,
                count: entry.extent.count,
                pool: entry.pool(),
            },
            Err(fault) => unknown(fault),
        };
    }
    if flags.any(PageFlags::INDEX) {
        return Meaning::Bookmark {
            bookmark: node.data.to_vec(),
        };
    }
    if flags.any(PageFlags::LONG_VALUE) {
        return long_value(page, node);
    }
    match record_of(page, node, schema) {
        Ok(record) => Meaning::Record(record),
        Err(fault) => unknown(fault),
    }
}

fn long_value(page: Page<'_>, node: &Node<'_>) -> Meaning {
    let key = match LvKey::of_node(node) {
        Ok(key) => key,
        Err(fault) => return unknown(fault),
    };
    let lid = key.lid;
    match (key.part, LvRoot::parse(node.data)) {
        (LvPart::Root, Ok(root)) => Meaning::LvRoot {
            lid,
            references: root.references,
            size: root.size,
            encrypted: root.encrypted,
        },
        (LvPart::Root, Err(fault)) => unknown(fault),
        (LvPart::Chunk(offset), _) => {
            // A chunk as long as can be is surely not compressed.
            let whole = ChunkSize::new(page.size(), None).get() as usize;
            let first = node.data.first().filter(|_| node.data.len() < whole);
            let scheme = first.and_then(|first| Scheme::from_header(*first));
            Meaning::LvChunk {
                lid,
                offset,
                scheme: scheme.map(|scheme| scheme.to_string()),
            }
        }
    }
}

fn unknown(fault: impl ToString) -> Meaning {
    Meaning::Unknown {
        fault: fault.to_string(),
    }
}

/// What a node is, in a few words, as far as the page alone tells.
pub(super) fn meaning_on_page(page: Page<'_>, node: &Node<'_>) -> Option<String> {
    let flags = page.flags();
    if !flags.is_leaf() || flags.is_space_tree() || !flags.any(PageFlags::LONG_VALUE) {
        return None;
    }
    Some(match long_value(page, node) {
        Meaning::LvRoot {
            lid,
            references,
            size,
            ..
        } => format!("long value {lid}: {size} bytes, {references} references"),
        Meaning::LvChunk { lid, offset, .. } => format!("long value {lid}: chunk at {offset}"),
        Meaning::Unknown { fault } => fault,
        _ => return None,
    })
}
