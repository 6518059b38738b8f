//! The rules of Active Directory and AD LDS: `docs/directory-rules.md`, whose sections the comments name.
//!
//! Three passes: over `datatable` for the tree and the schema, over the tables that it refers to, and over `datatable` again for
//! what rows refer to. Memory: 64 bytes a row, some 100 a descriptor, attribute and class.

mod columns;
mod descriptors;
mod findings;
mod judge;
mod links;
mod objects;
mod read;
mod rows;
mod schema;

use std::collections::BTreeMap;
use std::io;

use columns::RoleTable;
use descriptors::Descriptors;
use findings::{Findings, Pending};
use links::Links;
use objects::{NOT_AN_OBJECT, ROOT, Standing};
use rows::SecondPass;

use super::bound::Bound;
use super::profile::{DirectoryRule, Rule};
use super::relations::Tell;
use super::rows::{Unread, View};

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
    let mut findings = Findings::new(wanted);
    let mut first = read::first_pass(view, data)?;
    for (ordinal, what) in std::mem::take(&mut first.nameless) {
        findings.add(Pending::new(DirectoryRule::Dnt, ordinal, what));
    }
    for (ordinal, dnt) in first.objects.settle() {
        let detail = format!("DNT_col {dnt} is that of another row");
        findings.add(Pending::new(DirectoryRule::Dnt, ordinal, detail));
    }
    for dnt in [NOT_AN_OBJECT, ROOT] {
        if first.objects.find(dnt).is_none() {
            let subject = format!("Row with DNT_col {dnt}");
            findings.about(DirectoryRule::Dnt, subject, "it is not there".to_owned());
        }
    }
    let mut lost = judge::parents(&first.objects, &mut findings);
    first.schema.judge(data.table, &mut findings);
    let hidden = hidden(view, bound)?;
    let mut unread = vec![(data.table.name.clone(), first.unread.clone())];
    let mut counted = BTreeMap::from([("datatable".to_owned(), first.summary.records)]);

    let mut links = Links::default();
    if let Some(table) = RoleTable::of(bound, "link_table") {
        let ids = first.schema.link_ids();
        let to = (&mut first.objects, &ids);
        links = links::read(view, table, to, hidden.usn, &mut findings)?;
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
        usn: hidden.usn,
        separate_descriptors: !hidden.conversion_pending,
    };
    let references = second.run(&mut first.objects, &mut descriptors, &mut findings)?;
    if let (Some(descriptors), Some(table)) = (&descriptors, table)
        && !hidden.conversion_pending
    {
        descriptors.counts(table, &mut findings);
    }
    lost += references.lost + links.lost;
    let objects = &mut first.objects;
    judge::wrong_parents(objects, &mut findings);
    judge::ancestors(objects, data, &mut findings);
    judge::contexts(objects, data, &references.sub_refs, &mut findings);
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

/// What the server keeps of itself.
#[derive(Default)]
struct Hidden {
    /// The highest USN that it has given out.
    usn: Option<i64>,
    /// Descriptors are still to be moved into a table of their own. `[directory rules 8]`
    conversion_pending: bool,
}

fn hidden(view: &View<'_>, bound: &Bound) -> io::Result<Hidden> {
    let mut hidden = Hidden::default();
    let Some(table) = RoleTable::of(bound, "hiddentable") else {
        return Ok(hidden);
    };
    let columns = table.columns(["usn", "flags"]);
    // That it is one row is a rule of its own, and so is that it can be read.
    let _ = view.rows(table.table, &columns, &mut |row| {
        hidden.usn = row.values.int(0).max(hidden.usn);
        hidden.conversion_pending |=
            row.values.first(1).and_then(|flags| flags.get(1)) == Some(&b'1');
        Ok(())
    })?;
    Ok(hidden)
}
