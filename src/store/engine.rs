//! Runs checks: one pass over each table that some check looks at, then the sorted entries.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use super::bound::{Bound, StoreTable};
use super::columns::ColumnPlace;
use super::directory;
use super::entries::{Entries, Entry, Origin};
use super::finding::{Found, RowRef};
use super::plan::{Emitter, Plan, RolePlan, plan};
use super::profile::Rule;
use super::relations::{Groups, Tell};
use super::rows::{Unread, View};
use super::trees::{Tree, TreeEmitter};
use super::{catalog_rules, lists, property_list};
use crate::progress::{Progress, Task};
use crate::repair::Scratch;
use crate::sorting::Sorter;

/// What a run may use.
#[derive(Clone)]
pub struct Resources {
    /// Bytes of memory for sorting.
    pub memory: usize,
    /// Where sorting spills to.
    pub scratch: Scratch,
}

/// What a run looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Looked {
    /// Rows by role.
    pub rows: BTreeMap<String, u64>,
    /// Tables of which something could not be read.
    pub unread: Vec<(String, Unread)>,
    /// What the rows of a directory are, if there is one.
    pub directory: Option<directory::Summary>,
}

/// Runs the checks with these numbers. `tell` is told of every violation.
///
/// # Errors
/// What `tell` and scratch storage say. Damage is no error: what cannot be read is counted.
pub fn run(
    view: &View<'_>,
    bound: &Bound,
    checks: &[usize],
    resources: &Resources,
    progress: &dyn Progress,
    tell: &mut Tell<'_>,
) -> io::Result<Looked> {
    let mut looked = Looked::default();
    catalog_rules::run(bound, checks, tell)?;
    let mut plan = plan(bound, checks);
    let mut trees: BTreeMap<String, Vec<TreeEmitter>> = BTreeMap::new();
    for check in checks {
        if let Some((role, emitter)) = TreeEmitter::new(&mut plan, bound, *check) {
            trees.entry(role).or_default().push(emitter);
        }
    }
    let scratch = resources.scratch.clone();
    let sorter = Sorter::new(resources.memory, Box::new(move || scratch()));
    let mut entries = Entries::new(sorter);
    catalog_rules::tables(bound, checks, &mut entries)?;
    let tables = plan.keys().map(|role| bound.tables(role).len() as u64);
    progress.start(Task::things("testing", tables.sum(), "tables"));
    let pass = Pass { view, bound };
    for (role, of_role) in &mut plan {
        let of_trees = trees.entry(role.clone()).or_default();
        let mut rows = 0;
        for table in bound.tables(role) {
            let unread = pass.table(table, of_role, of_trees, &mut entries, &mut rows, tell)?;
            note(&mut looked, bound, table, unread);
            progress.advance(1);
        }
        for emitter in &mut of_role.emitters {
            emitter.flush(&mut entries)?;
        }
        *looked.rows.entry(role.clone()).or_default() += rows;
        row_counts(bound, checks, role, rows, tell)?;
    }
    progress.finish();
    let trees: BTreeMap<usize, Tree> = trees
        .into_values()
        .flatten()
        .filter_map(|emitter| Some((emitter.check, Tree::new(bound, emitter)?)))
        .collect();
    relations(&pass, &plan, entries, trees, tell)?;
    property_list::run(view, bound, checks, tell)?;
    if let Some((rows, unread, summary)) = directory::run(view, bound, checks, tell)? {
        looked.rows.extend(rows);
        looked.unread.extend(unread);
        looked.directory = Some(summary);
    }
    Ok(looked)
}

fn note(looked: &mut Looked, bound: &Bound, table: &StoreTable, unread: Unread) {
    if unread.is_some() {
        let name = bound.table(table.objid).map(|table| table.name.clone());
        looked.unread.push((name.unwrap_or_default(), unread));
    }
}

/// Rules about the number of rows.
fn row_counts(
    bound: &Bound,
    checks: &[usize],
    role: &str,
    rows: u64,
    tell: &mut Tell<'_>,
) -> io::Result<()> {
    for number in checks {
        if let Some(check) = bound.profile.checks.get(*number)
            && let Rule::Rows { table, exactly } = &check.rule
            && table == role
            && rows != *exactly
        {
            let first = bound.tables(role).first();
            let name = first.and_then(|table| bound.table(table.objid));
            let subject = format!("table {}", name.map_or(role, |table| &table.name));
            let detail = format!("{rows} rows instead of {exactly}");
            tell(*number, Found::about(subject, detail))?;
        }
    }
    Ok(())
}

/// What all passes share.
struct Pass<'p> {
    view: &'p View<'p>,
    bound: &'p Bound,
}

impl Pass<'_> {
    /// One table.
    fn table(
        &self,
        store: &StoreTable,
        plan: &mut RolePlan,
        trees: &mut [TreeEmitter],
        entries: &mut Entries,
        rows: &mut u64,
        tell: &mut Tell<'_>,
    ) -> io::Result<Unread> {
        let Some(table) = self.bound.table(store.objid) else {
            return Ok(Unread::default());
        };
        let columns = columns(plan, store);
        self.view.rows(table, &columns, &mut |row| {
            *rows += 1;
            let origin = Origin {
                table: store.objid,
                ordinal: row.ordinal,
                bookmark: row.key,
            };
            for (check, rule) in &plan.rules {
                if columns.get(rule.column()).is_none_or(Option::is_none) {
                    continue;
                }
                if let Some(detail) = rule.violated(row.values) {
                    let at = RowRef {
                        table: store.objid,
                        ordinal: row.ordinal,
                        key: row.key.to_vec(),
                    };
                    tell(*check, Found::row(at, detail))?;
                }
            }
            for emitter in &mut plan.emitters {
                emitter.row(store, &origin, row.values, entries)?;
            }
            trees
                .iter_mut()
                .try_for_each(|tree| tree.row(store, &origin, row.values, entries))
        })
    }

    /// Rows of a role by their numbers, counted through all its tables as a tree's emitter counts them.
    fn locate(&self, role: &str, wanted: &BTreeSet<u32>) -> io::Result<BTreeMap<u32, RowRef>> {
        let mut found = BTreeMap::new();
        if wanted.is_empty() {
            return Ok(found);
        }
        let mut number = 0u32;
        for store in self.bound.tables(role) {
            let Some(table) = self.bound.table(store.objid) else {
                continue;
            };
            self.view.rows(table, &[], &mut |row| {
                if wanted.contains(&number) {
                    let at = RowRef {
                        table: store.objid,
                        ordinal: row.ordinal,
                        key: row.key.to_vec(),
                    };
                    found.insert(number, at);
                }
                number = number.saturating_add(1);
                Ok(())
            })?;
        }
        Ok(found)
    }
}

/// The columns of a role's slots in one of its tables.
fn columns<'t>(plan: &RolePlan, store: &'t StoreTable) -> Vec<Option<&'t ColumnPlace>> {
    let names = plan.slots.names.iter();
    names.map(|name| store.columns.get(name)).collect()
}

fn relations(
    pass: &Pass<'_>,
    plan: &Plan,
    entries: Entries,
    mut trees: BTreeMap<usize, Tree>,
    tell: &mut Tell<'_>,
) -> io::Result<()> {
    let bound = pass.bound;
    let mut sorted = entries.finish()?;
    let emitters = plan.values().flat_map(|role| &role.emitters);
    let uncertain = emitters.filter_map(Emitter::uncertain_rule).collect();
    let mut groups = Groups::new(bound, uncertain);
    while let Some((key, data)) = sorted.next()? {
        let entry = Entry::parse(key, data).ok_or(io::ErrorKind::InvalidData)?;
        match trees.get_mut(&usize::from(entry.rule)) {
            Some(tree) => tree.entry(bound, &entry),
            None => groups.entry(&entry, tell)?,
        }
    }
    groups.finish(tell)?;
    let dangling = std::mem::take(&mut groups.dangling);
    for (check, found) in lists::findings(pass.view, bound, dangling) {
        tell(check, found)?;
    }
    for (check, tree) in trees {
        let role = match bound.profile.checks.get(check).map(|check| &check.rule) {
            Some(Rule::Tree { table, .. }) => table.as_str(),
            _ => continue,
        };
        tree.finish(bound, &mut |wanted| pass.locate(role, wanted), tell)?;
    }
    Ok(())
}
