//! The rules of Active Directory and AD LDS: `docs/directory-rules.md`, whose sections the comments name.
//!
//! Three passes: over `datatable` for the tree and the schema, over the tables that it refers to, and over `datatable` again for
//! what rows refer to. Memory: 72 bytes a row, up to 40 more while they are judged, some 100 a descriptor, attribute and class.

mod columns;
mod contexts;
mod descriptors;
mod findings;
mod judge;
mod links;
pub(crate) mod needs;
mod objects;
mod read;
mod rows;
mod schema;
mod usns;

use std::collections::BTreeMap;
use std::io;

use columns::{RoleTable, unbound};
use contexts::Contexts;
use descriptors::Descriptors;
use findings::{Findings, Pending};
use judge::Lost;
use links::Links;
use objects::{NOT_AN_OBJECT, ROOT, Standing};
use rows::SecondPass;
use usns::Usns;

use super::bound::Bound;
use super::finding::{FindingSeverity, Found, RowRef};
use super::profile::{DirectoryRule, Form, Rule};
use super::relations::Tell;
use super::rows::{Unread, View};

use needs::needs;

pub use read::Summary;

/// Rows by role, what could not be read by table, and what the rows are.
pub(super) type Outcome = (BTreeMap<String, u64>, Vec<(String, Unread)>, Summary);

/// Runs those of the checks that are rules of directories; `None` when there are none.
pub(super) fn run(
    view: &View<'_>,
    bound: &Bound,
    checks: &[usize],
    tell: &mut Tell<'_>,
) -> io::Result<Option<Outcome>> {
    let numbers = checks.iter().filter_map(|number| {
        let check = bound.profile.checks.get(*number)?;
        match check.rule {
            Rule::Directory { rule } => Some((rule, *number)),
            _ => None,
        }
    });
    let wanted: BTreeMap<DirectoryRule, usize> = numbers.collect();
    let Some(data) = RoleTable::of(bound, "datatable").filter(|_| !wanted.is_empty()) else {
        return Ok(None);
    };
    let mut findings = runnable(bound, wanted);
    let mut first = read::first_pass(view, data)?;
    // Of rows without a number nobody reads what they refer to.
    let nameless = !first.nameless.is_empty();
    for (ordinal, what) in std::mem::take(&mut first.nameless) {
        findings.add(Pending::new(DirectoryRule::Dnt, ordinal, what));
    }
    let twice = first.objects.settle();
    // Only one of them is counted as a child.
    let children_lost = twice.len() as u64;
    for (ordinal, dnt) in twice {
        let detail = format!("DNT_col {dnt} is that of another row");
        findings.add(Pending::new(DirectoryRule::Dnt, ordinal, detail));
    }
    for dnt in [NOT_AN_OBJECT, ROOT] {
        if first.objects.find(dnt).is_none() {
            let subject = format!("Row with DNT_col {dnt}");
            findings.about(DirectoryRule::Dnt, subject, "it is not there".to_owned());
        }
    }
    let bad_parents = judge::parents(&first.objects, &mut findings);
    first.schema.judge(data.table, &mut findings);
    let names = unbound(data.table, b"b", Form::Int);
    let mixed = unbound(data.table, b"ho", Form::Bytes);
    let secure = unbound(data.table, b"p", Form::Bytes);
    for name in names.iter().chain(&mixed).chain(&secure) {
        let what = "its type cannot hold values of this syntax".to_owned();
        findings.about(DirectoryRule::Schema, format!("Column {name}"), what);
    }
    let hidden = hidden(view, bound, &mut findings)?;
    let mut usns = Usns::new(hidden.usn);
    let mut unread = vec![(data.table.name.clone(), first.unread.clone())];
    let mut counted = BTreeMap::from([("datatable".to_owned(), first.summary.records)]);

    let mut links = Links::default();
    if let Some(table) = RoleTable::of(bound, "link_table") {
        let ids = first.schema.link_ids();
        let to = (&mut first.objects, &ids);
        links = links::read(view, table, to, &mut usns, &mut findings)?;
        unread.push((table.table.name.clone(), links.unread.clone()));
        counted.insert("link_table".to_owned(), links.rows);
    }
    let mut descriptors = None;
    let table = RoleTable::of(bound, "sd_table");
    if let Some(table) = table {
        let read = Descriptors::read(view, table, &mut findings)?;
        unread.push((table.table.name.clone(), read.unread.clone()));
        counted.insert("sd_table".to_owned(), read.rows);
        first.summary.descriptors = read.rows;
        descriptors = Some(read);
    }
    let rdn_types: Vec<i64> = first.rdn_types.iter().copied().collect();
    let second = SecondPass {
        view,
        data,
        rdn_types: &rdn_types,
        separate_descriptors: !hidden.conversion_pending,
    };
    let objects = &mut first.objects;
    let references = second.run(objects, &mut descriptors, &mut usns, &mut findings)?;
    usns.tell(&mut findings);
    let rows_unread = first.unread.is_some() || nameless;
    if let (Some(descriptors), Some(table)) = (&descriptors, table)
        && !hidden.conversion_pending
    {
        let lost = Lost {
            count: 0,
            unread: rows_unread
                || !secure.is_empty()
                || references.descriptor_faults
                || data.column("sd").is_none(),
            doubtful: first.schema.lacks_column(data.table, b"p"),
        };
        descriptors.counts(view, table, lost, &mut findings);
    }
    let lost = Lost {
        count: bad_parents + children_lost + references.lost + links.lost,
        unread: rows_unread
            || !names.is_empty()
            || !mixed.is_empty()
            || references.faults
            || links.unread.is_some()
            || links.faults,
        doubtful: first.schema.lacks_column(data.table, b"bho"),
    };
    judge::wrong_parents(objects, &mut findings);
    let suspects = judge::ancestors(objects, data, &mut findings);
    let contexts = Contexts {
        objects,
        nc: data.column("nc"),
        sub_refs_column: data.column("sub_refs"),
        suspects: &suspects,
        sub_refs: &references.sub_refs,
        is_complete: !lost.unread,
    };
    contexts.judge(&mut findings);
    judge::counts(objects, data, lost, &mut findings);
    let astray = objects.all.iter().filter(|object| {
        matches!(
            object.standing,
            Standing::Below | Standing::BadParent | Standing::Looped
        )
    });
    first.summary.not_under_root = astray.count() as u64;
    findings.tell(view, data.table, tell)?;
    unread.retain(|(_, unread)| unread.is_some());
    Ok(Some((counted, unread, first.summary)))
}

/// The rules that can run. That a column is not there was found before; here it may be of a type that its values are not of.
fn runnable(bound: &Bound, mut wanted: BTreeMap<DirectoryRule, usize>) -> Findings {
    let lacking = |rule: DirectoryRule| {
        needs(rule).iter().find(|(role, column)| {
            RoleTable::of(bound, role).is_none_or(|table| table.column(column).is_none())
        })
    };
    let mut not_run = Vec::new();
    wanted.retain(|rule, check| match lacking(*rule) {
        None => true,
        Some((role, column)) => {
            let found = Found::about(
                format!("table {role}"),
                format!(
                    "not tested: there is no column {column}, or its type is not that of its values"
                ),
            );
            not_run.push((*check, found.only(FindingSeverity::Warning)));
            false
        }
    });
    Findings::new(wanted, not_run)
}

/// What the server keeps of itself.
#[derive(Default)]
struct Hidden {
    /// The highest USN that it has given out.
    usn: Option<i64>,
    /// Descriptors are still to be moved into a table of their own. `[directory rules 8]`
    conversion_pending: bool,
}

fn hidden(view: &View<'_>, bound: &Bound, findings: &mut Findings) -> io::Result<Hidden> {
    let mut hidden = Hidden::default();
    let Some(table) = RoleTable::of(bound, "hiddentable") else {
        return Ok(hidden);
    };
    let columns = table.columns(["usn", "flags"]);
    // That it is one row is a rule of its own, and so is that it can be read.
    let _ = view.rows(table.table, &columns, &mut |row| {
        hidden.usn = row.values.int(0).max(hidden.usn);
        if row.values.first(1).and_then(|flags| flags.get(1)) == Some(&b'1') {
            hidden.conversion_pending = true;
            let here = RowRef {
                table: table.store.objid,
                ordinal: row.ordinal,
                key: row.key.to_vec(),
            };
            let what = "descriptors are still to be moved into their table: not tested".to_owned();
            let found = Found::row(here, what).only(FindingSeverity::Warning);
            findings.found(DirectoryRule::SdRef, found);
        }
        Ok(())
    })?;
    Ok(hidden)
}
