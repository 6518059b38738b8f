//! The filter: what becomes of each node on its way to the new file.

use std::collections::BTreeMap;

use super::Compact;
use super::references::References;
use crate::digest::{Content, Sum};
use crate::format::ids::Objid;
use crate::format::lv::{Lid, LvKey, LvPart, LvRoot};
use crate::format::page::PageFlags;
use crate::format::record::prune::without_columns;
use crate::format::record::{Instance, Record, RecordFault, RecordLayout};
use crate::rebuild::{Source as _, TreeInfo, TreeKind, Verdict};

/// What was kept and left behind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept {
    /// What each tree must hold now, by its new object id.
    pub sums: BTreeMap<Objid, Sum>,
    /// Long values that no record refers to, left behind.
    pub orphans: u64,
    /// Reference counts of long values that were wrong.
    pub counts_corrected: u64,
    /// Records that still had something of deleted columns.
    pub records_pruned: u64,
    /// The first record that cannot be read, of a table with long values: what it refers to is not known.
    pub fault: Option<(String, RecordFault)>,
}

/// Decides about every node.
pub struct Keeper<'c, 'd> {
    compact: &'c Compact<'d>,
    kept: Kept,
    tree: Current,
    table: OfTable,
}

/// The tree that nodes come from.
#[derive(Default)]
struct Current {
    objid: Option<Objid>,
    sum: Sum,
}

/// What is known of its table.
struct OfTable {
    /// The table; null before the first.
    objid: Objid,
    content: Content,
    layout: RecordLayout,
    has_long_values: bool,
    references: References,
    /// The long value that nodes belong to, and how many references it has.
    long_value: (Option<Lid>, u32),
}

impl OfTable {
    /// Counts what a record refers to.
    fn refer(&mut self, data: &[u8]) -> Result<(), RecordFault> {
        for tagged in Record::with_layout(data, self.layout)?.tagged() {
            for value in tagged?.values() {
                if let Instance::Separated(lid) = value {
                    self.references.add(lid);
                }
            }
        }
        Ok(())
    }
}

impl<'c, 'd> Keeper<'c, 'd> {
    /// Has seen nothing yet.
    #[must_use]
    pub fn new(compact: &'c Compact<'d>) -> Self {
        Self {
            compact,
            kept: Kept::default(),
            tree: Current::default(),
            table: OfTable {
                objid: Objid::default(),
                content: Content::default(),
                layout: RecordLayout::Small,
                has_long_values: false,
                references: References::default(),
                long_value: (None, 0),
            },
        }
    }

    /// What came of it.
    #[must_use]
    pub fn finish(mut self) -> Kept {
        self.close();
        self.kept
    }

    /// Judges a node; see [`crate::rebuild::Filter`].
    pub fn judge(
        &mut self,
        tree: &TreeInfo,
        key: &[u8],
        data: &[u8],
        changed: &mut Vec<u8>,
    ) -> Verdict {
        if self.tree.objid != Some(tree.objid) {
            self.close();
            self.open(tree);
        }
        match tree.kind {
            TreeKind::Data => self.record(tree, key, data, changed),
            // Without its table nobody knows what is referred to.
            TreeKind::LongValues if tree.table == self.table.objid => {
                self.long_value(key, data, changed)
            }
            TreeKind::LongValues => {
                self.tree.sum.add(Content::long_value(key, data), 1);
                Verdict::Keep
            }
            TreeKind::Index => {
                self.tree.sum.add(Content::entry(key, data), 1);
                Verdict::Keep
            }
            // The check of the new file does not read them.
            TreeKind::SlvAvail | TreeKind::SlvSpaceMap => {
                self.tree.objid = None;
                Verdict::Keep
            }
        }
    }

    fn close(&mut self) {
        if let Some(objid) = self.tree.objid.take() {
            self.kept.sums.insert(objid, self.tree.sum);
        }
    }

    fn open(&mut self, tree: &TreeInfo) {
        self.tree = Current {
            objid: Some(tree.objid),
            sum: Sum::default(),
        };
        if tree.kind != TreeKind::Data {
            return;
        }
        let size = self.compact.page_size();
        let of = &mut self.table;
        of.objid = tree.table;
        of.references.clear();
        of.long_value = (None, 0);
        let new_format = self.compact.head(tree);
        let new_format = new_format.is_ok_and(|head| head.flags.any(PageFlags::NEW_RECORD_FORMAT));
        of.layout = RecordLayout::new(size.is_large(), new_format);
        let table = self.compact.table(tree.table);
        of.has_long_values = table.is_some_and(|table| table.long_values.is_some());
        let schema = &self.compact.schema;
        of.content = table.map_or_else(Content::default, |table| Content::new(schema, table));
    }

    fn record(
        &mut self,
        tree: &TreeInfo,
        key: &[u8],
        data: &[u8],
        changed: &mut Vec<u8>,
    ) -> Verdict {
        let of = &mut self.table;
        self.tree
            .sum
            .add(of.content.record(key, data, of.layout), 1);
        let deleted = of.content.deleted();
        let pruned = !deleted.is_empty()
            && without_columns(data, of.layout, deleted, changed).unwrap_or(false);
        let data = if pruned { &changed[..] } else { data };
        if of.has_long_values
            && let Err(fault) = of.refer(data)
        {
            let fault = (tree.to_string(), fault);
            self.kept.fault.get_or_insert(fault);
        }
        if pruned {
            self.kept.records_pruned += 1;
            return Verdict::Replace;
        }
        Verdict::Keep
    }

    fn long_value(&mut self, key: &[u8], data: &[u8], changed: &mut Vec<u8>) -> Verdict {
        // What is no node of a long value is for the check of the new file to find.
        let Ok(part) = LvKey::parse(key) else {
            return Verdict::Keep;
        };
        let of = &mut self.table;
        if of.long_value.0 != Some(part.lid) {
            of.long_value = (Some(part.lid), of.references.count(part.lid));
        }
        let count = of.long_value.1;
        if count == 0 {
            self.kept.orphans += u64::from(part.part == LvPart::Root);
            return Verdict::Drop;
        }
        self.tree.sum.add(Content::long_value(key, data), 1);
        match (part.part, LvRoot::parse(data)) {
            (LvPart::Root, Ok(root)) if root.references != count => {
                changed.extend_from_slice(data);
                LvRoot::set_references(changed, count);
                self.kept.counts_corrected += 1;
                Verdict::Replace
            }
            _ => Verdict::Keep,
        }
    }
}
