//! What the reading of a tree met with.

use serde::Serialize;

use super::TreeKind;
use crate::format::ids::{Objid, Pgno};

/// Entries of one kind that a report keeps; more are only counted.
const KEPT: usize = 10_000;

/// A page in which a wrong bit was corrected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Corrected {
    /// The page.
    pub page: Pgno,
    /// The first wrong bit, counted from the start of the page.
    pub bit: u32,
}

/// Why part of a tree is not where it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LossCause {
    /// The page's bytes cannot be had or believed: checksum, zero, another page's content, lost write, disk.
    PageLost,
    /// The page is sound, but its structure is not that of an internal page.
    BrokenInternal,
    /// What points to the page is wrong: the page is of another tree or kind, or holds other keys.
    WrongPointer,
    /// An internal page ends before its parent says that it does.
    MissingPointer,
    /// More damaged pages overlap than can be held at once; the rest of this one was left out.
    TooManyOverlap,
}

/// What came of a part of the tree that no sound page leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Refill {
    /// The links of its leaves are whole from end to end: no node is lost.
    Whole,
    /// Leaves were found, but whether they are all is not known.
    Partly,
    /// Nothing was found: its nodes are lost.
    Nothing,
}

/// Part of a tree that the walk from the root did not reach.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Loss {
    /// The page; null where it is not known.
    pub page: Pgno,
    /// Why.
    pub cause: LossCause,
    /// The keys that it may have held begin here; empty at the left edge of the tree.
    #[serde(serialize_with = "hex")]
    pub lower: Vec<u8>,
    /// They end before this; empty at the right edge.
    #[serde(serialize_with = "hex")]
    pub upper: Vec<u8>,
    /// What came of it.
    pub refill: Refill,
}

/// How a leaf that the walk did not reach was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TakenHow {
    /// An internal page leads to it, but part of its keys are not those of its place.
    OutOfPlace,
    /// It names another object, but its parent, its neighbours and its keys say that it is of this tree.
    WrongObject,
    /// Nothing leads to it, but it is newer than the page that has its keys, or a leaf of the tree is linked to it.
    Newer,
    /// The tree's leaf links lead to it, there and back.
    Linked,
    /// It and another such leaf link to each other.
    Chained,
    /// Only its object says that it belongs to the tree.
    Alone,
}

/// A leaf whose nodes were taken though the walk did not reach it, or though its checksum is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Taken {
    /// The page.
    pub page: Pgno,
    /// How.
    pub how: TakenHow,
    /// Its checksum is wrong: its nodes were proved one by one.
    pub damaged: bool,
    /// Nodes that were taken from it.
    pub nodes: u32,
}

/// Why nodes of a page that was read were left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DropReason {
    /// Broken structure.
    Broken,
    /// A later node of the same page has the same key.
    Double,
    /// A node of a page with a wrong checksum that nothing proves.
    Unproved,
}

/// Nodes of a page that were left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Dropped {
    /// The page.
    pub page: Pgno,
    /// How many.
    pub nodes: u32,
    /// Why.
    pub why: DropReason,
}

/// What the reading of one tree met with. Lists hold 10,000 entries at the most; `not_listed` counts the rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TreeReport {
    /// The object.
    pub objid: Objid,
    /// What kind of tree.
    pub kind: TreeKind,
    /// The root that was used; `None` when none could be.
    pub root: Option<Pgno>,
    /// Nodes given.
    pub nodes: u64,
    /// Nodes flagged deleted, left out unless they were asked for.
    pub deleted: u64,
    /// Leaves that the walk from the root reached.
    pub leaves: u64,
    /// Leaves of the object that were not needed: copies, freed pages.
    pub left_aside: u64,
    /// Nodes that were left out because a page that counts more has the same key, or covers it.
    pub superseded: u64,
    /// Pages whose nodes did not lie in order and were sorted.
    pub sorted: u64,
    /// Corrected pages.
    pub corrected: Vec<Corrected>,
    /// Parts that the walk did not reach.
    pub losses: Vec<Loss>,
    /// Leaves that were taken though the walk did not reach them, or though they are damaged.
    pub taken: Vec<Taken>,
    /// Nodes that were left out of pages that were read.
    pub dropped: Vec<Dropped>,
    /// Entries of the lists above that are not kept.
    pub not_listed: u64,
}

impl TreeReport {
    pub(super) const fn new(objid: Objid, kind: TreeKind) -> Self {
        Self {
            objid,
            kind,
            root: None,
            nodes: 0,
            deleted: 0,
            leaves: 0,
            left_aside: 0,
            superseded: 0,
            sorted: 0,
            corrected: Vec::new(),
            losses: Vec::new(),
            taken: Vec::new(),
            dropped: Vec::new(),
            not_listed: 0,
        }
    }

    /// True when nothing was wrong: the nodes are those of an ordinary walk.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.losses.is_empty()
            && self.taken.is_empty()
            && self.dropped.is_empty()
            && self.sorted == 0
            && self.superseded == 0
    }

    /// True when nodes are, or may be, lost.
    #[must_use]
    pub fn has_lost_nodes(&self) -> bool {
        !self.dropped.is_empty() || self.losses.iter().any(|loss| loss.refill != Refill::Whole)
    }

    pub(super) fn correct(&mut self, page: Pgno, bit: u32) {
        keep(
            &mut self.corrected,
            &mut self.not_listed,
            Corrected { page, bit },
        );
    }

    pub(super) fn lose(&mut self, loss: Loss) {
        keep(&mut self.losses, &mut self.not_listed, loss);
    }

    pub(super) fn take(&mut self, taken: Taken) {
        keep(&mut self.taken, &mut self.not_listed, taken);
    }

    pub(super) fn drop_nodes(&mut self, page: Pgno, nodes: u32, why: DropReason) {
        if nodes > 0 {
            keep(
                &mut self.dropped,
                &mut self.not_listed,
                Dropped { page, nodes, why },
            );
        }
    }
}

fn keep<T>(list: &mut Vec<T>, not_listed: &mut u64, entry: T) {
    if list.len() < KEPT {
        list.push(entry);
    } else {
        *not_listed += 1;
    }
}

/// Keys are shown in hexadecimal digits.
fn hex<S: serde::Serializer>(key: &[u8], to: S) -> Result<S::Ok, S::Error> {
    let digits: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    to.serialize_str(&digits)
}
