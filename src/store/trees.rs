//! Rows with parents: every parent is there, and leads to a root without a loop.
//!
//! Rows get numbers in the order in which they are read. Memory: 4 bytes a row for its parent, 1 for what is known of it, and a
//! row reference for each row without parent.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::ControlFlow;

use super::bound::{Bound, StoreTable};
use super::columns::Values;
use super::entries::{DEFINITION, Entries, Entry, Origin, REFERENCE};
use super::finding::{FindingSeverity, Found, RowRef};
use super::keys::{KeyOf, key_text};
use super::plan::{Plan, form_of};
use super::profile::{Form, Rule};
use super::relations::Tell;
use crate::format::ids::Objid;

/// Kind of an entry that names a root.
pub(super) const NAMED_ROOT: u8 = REFERENCE;
/// Kind of an entry of a child.
const CHILD: u8 = REFERENCE + 1;

/// Makes the entries of one tree.
pub(super) struct TreeEmitter {
    pub check: usize,
    id: KeyOf,
    parent: KeyOf,
    /// Rows so far.
    pub count: u32,
    /// Rows without a parent, by table; a table without rows is not in it.
    pub roots: BTreeMap<Objid, u64>,
    buffer: Vec<u8>,
}

impl TreeEmitter {
    /// The emitter of a check, whose columns get slots in the plan of its table's role.
    pub fn new(plan: &mut Plan, bound: &Bound, check: usize) -> Option<(String, Self)> {
        let Rule::Tree {
            table, key, parent, ..
        } = &bound.profile.checks.get(check)?.rule
        else {
            return None;
        };
        let role = plan.entry(table.clone()).or_default();
        Some((
            table.clone(),
            Self {
                check,
                id: KeyOf::new(key, &mut role.slots, form_of(bound, table)),
                parent: KeyOf::new(parent, &mut role.slots, form_of(bound, table)),
                count: 0,
                roots: BTreeMap::new(),
                buffer: Vec::new(),
            },
        ))
    }

    /// A row.
    pub fn row(
        &mut self,
        table: &StoreTable,
        origin: &Origin<'_>,
        values: &Values,
        entries: &mut Entries,
    ) -> io::Result<()> {
        let Some(next) = self.count.checked_add(1) else {
            return Err(io::Error::other("more than 4,294,967,295 rows"));
        };
        let number = [Some(i64::from(self.count))];
        self.count = next;
        let rule = self.check as u16;
        let part = table.part.as_ref();
        let mut failed = Ok(());
        let mut has_parent = false;
        let mut buffer = std::mem::take(&mut self.buffer);
        self.id.each(part, values, &mut buffer, &mut |key, _| {
            failed = entries.push((rule, DEFINITION), key, origin, &number);
            ControlFlow::Break(())
        });
        failed?;
        let mut failed = Ok(());
        self.parent
            .each(part, values, &mut buffer, &mut |key, is_zero| {
                if !is_zero {
                    has_parent = true;
                    failed = entries.push((rule, CHILD), key, origin, &number);
                }
                ControlFlow::Break(())
            });
        self.buffer = buffer;
        *self.roots.entry(table.objid).or_default() += u64::from(!has_parent);
        failed
    }
}

/// Finds rows by their numbers.
pub(super) type Locate<'l> = dyn FnMut(&BTreeSet<u32>) -> io::Result<BTreeMap<u32, RowRef>> + 'l;

/// No parent.
const ROOT: u32 = u32::MAX;
/// The parent is not there.
const LOST: u32 = u32::MAX - 1;

/// A tree as its entries tell it.
pub(super) struct Tree {
    check: usize,
    parents: Vec<u32>,
    roots: BTreeMap<Objid, u64>,
    roots_exactly: Option<u64>,
    own_parent_may_be_root: bool,
    role: String,
    /// Rows that some other table names as roots.
    named: BTreeSet<u32>,
    /// Rows whose parent is not there.
    orphans: Vec<(u32, RowRef, String)>,
    /// The row that has the key at hand.
    here: Option<(Vec<u8>, u32)>,
}

/// How much is known of a row.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    Not,
    OnPath,
    Done,
}

impl Tree {
    pub fn new(bound: &Bound, emitter: TreeEmitter) -> Option<Self> {
        let Rule::Tree {
            table,
            roots_exactly,
            own_parent_may_be_root,
            ..
        } = &bound.profile.checks.get(emitter.check)?.rule
        else {
            return None;
        };
        Some(Self {
            check: emitter.check,
            parents: vec![ROOT; emitter.count as usize],
            roots: emitter.roots,
            roots_exactly: *roots_exactly,
            own_parent_may_be_root: *own_parent_may_be_root,
            role: table.clone(),
            named: BTreeSet::new(),
            orphans: Vec::new(),
            here: None,
        })
    }

    /// The next entry in order.
    pub fn entry(&mut self, bound: &Bound, entry: &Entry<'_>) {
        let number = entry.value(0).and_then(|number| u32::try_from(number).ok());
        match (entry.kind, number) {
            // Of two rows with one id the first is taken; that there are two is another rule's finding.
            (DEFINITION, Some(_))
                if self.here.as_ref().is_some_and(|(key, _)| key == entry.key) => {}
            (DEFINITION, Some(number)) => self.here = Some((entry.key.to_vec(), number)),
            (NAMED_ROOT, _) => {
                if let Some((_, number)) = self.here.as_ref().filter(|(key, _)| key == entry.key) {
                    self.named.insert(*number);
                }
            }
            (_, Some(number)) => {
                let here = self.here.as_ref().filter(|(key, _)| key == entry.key);
                let Some(slot) = self.parents.get_mut(number as usize) else {
                    return;
                };
                match here {
                    Some((_, parent)) => *slot = *parent,
                    None => {
                        *slot = LOST;
                        let text = parent_text(bound, &self.role, self.check, entry.key);
                        self.orphans.push((number, entry.row(), text));
                    }
                }
            }
            _ => {}
        }
    }

    /// All entries were seen. `locate` finds rows by their numbers.
    pub fn finish(
        mut self,
        bound: &Bound,
        locate: &mut Locate<'_>,
        tell: &mut Tell<'_>,
    ) -> io::Result<()> {
        for number in &self.named {
            if let Some(slot) = self.parents.get_mut(*number as usize) {
                *slot = ROOT;
            }
        }
        for (number, row, parent) in std::mem::take(&mut self.orphans) {
            if !self.named.contains(&number) {
                let detail = format!("its parent {parent} is not there");
                tell(self.check, Found::row(row, detail))?;
            }
        }
        let loops = self.loops();
        let found = locate(&loops.keys().copied().collect())?;
        for (number, rows) in loops {
            let Some(row) = found.get(&number) else {
                continue;
            };
            let detail = match rows {
                1 => "it is its own parent".to_owned(),
                rows => format!("it is one of {rows} that are each other's parents"),
            };
            let mut found = Found::row(row.clone(), detail);
            if rows == 1 && self.own_parent_may_be_root {
                found = found.only(FindingSeverity::Warning);
            }
            tell(self.check, found)?;
        }
        let Some(wanted) = self.roots_exactly else {
            return Ok(());
        };
        for table in bound.tables(&self.role) {
            // An empty table has no root, and needs none.
            let Some(roots) = self.roots.get(&table.objid).copied() else {
                continue;
            };
            if roots != wanted {
                let name = bound.table(table.objid).map_or("", |table| &table.name);
                let detail = format!("{roots} rows without parent instead of {wanted}");
                tell(self.check, Found::about(format!("table {name}"), detail))?;
            }
        }
        Ok(())
    }

    /// Loops: the lowest number of each, and how many rows it has.
    fn loops(&self) -> BTreeMap<u32, u64> {
        let mut seen = vec![Seen::Not; self.parents.len()];
        let mut loops = BTreeMap::new();
        let mut path = Vec::new();
        for start in 0..self.parents.len() as u32 {
            path.clear();
            let mut at = start;
            let end = loop {
                match seen.get(at as usize) {
                    // A root, or a row whose parent is lost.
                    None => break None,
                    Some(Seen::Done) => break None,
                    Some(Seen::OnPath) => break Some(at),
                    Some(Seen::Not) => {
                        seen[at as usize] = Seen::OnPath;
                        path.push(at);
                        at = self.parents[at as usize];
                    }
                }
            };
            if let Some(first) = end {
                let from = path.iter().position(|number| *number == first);
                let members = &path[from.unwrap_or_default()..];
                if let Some(lowest) = members.iter().min() {
                    loops.insert(*lowest, members.len() as u64);
                }
            }
            for number in &path {
                seen[*number as usize] = Seen::Done;
            }
        }
        loops
    }
}

fn parent_text(bound: &Bound, role: &str, check: usize, key: &[u8]) -> String {
    let form = form_of(bound, role);
    let parent = match bound.profile.checks.get(check).map(|check| &check.rule) {
        Some(Rule::Tree { parent, .. }) => parent.as_slice(),
        _ => &[],
    };
    let forms: Vec<Form> = parent
        .iter()
        .map(|column| match column.starts_with('@') {
            true => Form::Int,
            false => form(column),
        })
        .collect();
    key_text(key, &forms)
}
