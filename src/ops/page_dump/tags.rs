//! The tags of a page, and sizes over its nodes.

use serde::Serialize;

use super::node::meaning_on_page;
use crate::db::space::{Pool, SpaceEntry};
use crate::format::ids::Pgno;
use crate::format::page::{NodeFault, NodeFlags, Page, TAG_BYTES};
use crate::tree::walk::child_of;

/// One tag.
#[derive(Debug, Clone, Serialize)]
pub struct TagDump {
    /// Its number.
    pub itag: usize,
    /// Length of its line.
    pub cb: u16,
    /// Start of its line behind the page header.
    pub ib: u16,
    /// Start of its line in the page.
    pub offset: usize,
    /// Its flags.
    pub flags: u8,
    /// What the line is.
    #[serde(flatten)]
    pub what: TagWhat,
}

/// What the line of a tag is.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum TagWhat {
    /// Tag 0 and further reserved ones.
    Reserved,
    /// A node.
    Node {
        /// Bytes of the key taken from the page's prefix.
        prefix: usize,
        /// Bytes of the key in the node.
        suffix: usize,
        /// Bytes of data.
        data: usize,
        /// The page that an internal node points to.
        child: Option<Pgno>,
        /// What it is in other pages, in words.
        #[serde(skip_serializing_if = "Option::is_none")]
        meaning: Option<String>,
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
    /// A line that is no node.
    Broken {
        /// Why.
        fault: String,
    },
}

/// All tags.
pub(super) fn tags(page: Page<'_>) -> Vec<TagDump> {
    let tags = (0..page.tag_count()).filter_map(|itag| page.tag(itag).map(|tag| (itag, tag)));
    tags.map(|(itag, tag)| TagDump {
        itag,
        cb: tag.cb,
        ib: tag.ib,
        offset: page.size().page_header() + usize::from(tag.ib),
        flags: page.tag_flags(itag).bits(),
        what: what(page, itag),
    })
    .collect()
}

fn what(page: Page<'_>, itag: usize) -> TagWhat {
    let Some(line) = itag.checked_sub(page.reserved_tags()) else {
        return TagWhat::Reserved;
    };
    let broken = |fault: NodeFault| TagWhat::Broken {
        fault: fault.to_string(),
    };
    let node = match page.node(line) {
        Ok(node) => node,
        Err(fault) => return broken(fault),
    };
    let flags = page.flags();
    if flags.is_leaf()
        && flags.is_space_tree()
        && let Ok(entry) = SpaceEntry::parse(&node)
    {
        return TagWhat::Extent {
            first: entry.extent.first(),
            last: entry.extent.last,
            count: entry.extent.count,
            pool: entry.pool(),
        };
    }
    TagWhat::Node {
        prefix: node.prefix.len(),
        suffix: node.suffix.len(),
        data: node.data.len(),
        child: child_of(&node).filter(|_| !flags.is_leaf()),
        meaning: meaning_on_page(page, &node),
    }
}

/// Least, greatest, sum and number of some sizes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Sizes {
    /// Least.
    pub min: usize,
    /// Greatest.
    pub max: usize,
    /// Sum.
    pub total: usize,
    /// Number.
    pub count: usize,
}

impl Sizes {
    fn add(&mut self, size: usize) {
        self.min = if self.count == 0 {
            size
        } else {
            self.min.min(size)
        };
        self.max = self.max.max(size);
        self.total += size;
        self.count += 1;
    }

    /// The mean, 0 of nothing.
    #[must_use]
    pub fn average(&self) -> f64 {
        match self.count {
            0 => 0.0,
            count => self.total as f64 / count as f64,
        }
    }
}

/// Sizes over the nodes of a page.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Statistics {
    /// Whole keys.
    pub keys: Sizes,
    /// Parts of keys that compressed nodes take from the prefix.
    pub key_prefixes: Sizes,
    /// Data.
    pub data: Sizes,
    /// Deleted nodes with all that belongs to them.
    pub deleted: Sizes,
}

/// The statistics of the nodes that can be read.
pub(super) fn statistics(page: Page<'_>) -> Statistics {
    /// The tag. [engine: `cbInsertionOverhead`]
    const OVERHEAD: usize = TAG_BYTES;
    let mut all = Statistics::default();
    for node in page.nodes().flatten() {
        all.keys.add(node.key_len());
        all.data.add(node.data.len());
        if node.flags.bits() & NodeFlags::COMPRESSED != 0 {
            all.key_prefixes.add(node.prefix.len());
        }
        if node.flags.is_deleted() {
            all.deleted.add(OVERHEAD + node.key_len() + node.data.len());
        }
    }
    all
}
