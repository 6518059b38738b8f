//! Pass 5, the second look: a table whose sums differ is read again to say where.
//!
//! Memory is bounded by looking at one part of the members at a time, parted by their hashes.

use std::collections::HashMap;

use super::context::{Context, Subject};
use super::index_plan::{Comparable, FetchLongValue, Plan, PlannedIndex, RowView};
use super::records::expected_entries;
use crate::db::PageBytes;
use crate::db::catalog::Table;
use crate::digest::{hash_bookmark, hash_entry};
use crate::format::ids::Pgno;
use crate::format::lv::{LvKey, LvPart, LvRoot};
use crate::format::record::{CatalogLimits, Record, RecordLayout};
use crate::problem::{Finding, Problem};
use crate::tree::walk::{for_each_node, seek};

/// Members of one part; about 200 MiB with what the map needs.
const PART: u64 = 2_000_000;
/// Findings of one index or table; more of the same help nobody.
const NAMED: usize = 100;

/// Which long values and references do not fit.
pub(super) fn long_values(
    context: &Context<'_>,
    subject: Subject<'_>,
    table: &Table,
    limits: &CatalogLimits,
) {
    let Some(lv) = table.long_values else { return };
    let mut total = 0u64;
    let mut damaged = false;
    for_each_node(
        context.db,
        lv.root,
        |_, _, node| total += u64::from(node.key_len() <= 8),
        |_, _| damaged = true,
    );
    let parts = total.div_ceil(PART).max(1);
    let mut named = 0;
    for part in 0..parts {
        let mut counts: HashMap<u64, (u64, Option<LvRoot>, Pgno)> = HashMap::new();
        for_each_node(
            context.db,
            table.root,
            |pgno, page, node| {
                let record = Record::with_layout(node.data, RecordLayout::of_page(page));
                let sound = record.and_then(|record| record.check(*limits).map(|()| record));
                for separated in sound.iter().flat_map(Record::separated) {
                    let lid = separated.lid.get();
                    if lid % parts == part {
                        let entry = counts.entry(lid).or_insert((0, None, pgno));
                        entry.0 += 1;
                    }
                }
            },
            |_, _| damaged = true,
        );
        for_each_node(
            context.db,
            lv.root,
            |pgno, _, node| {
                let Ok(LvKey {
                    lid,
                    part: LvPart::Root,
                }) = LvKey::of_node(&node)
                else {
                    return;
                };
                if lid.get() % parts == part
                    && let Ok(root) = LvRoot::parse(node.data)
                {
                    counts.entry(lid.get()).or_insert((0, None, pgno)).1 = Some(root);
                }
            },
            |_, _| {},
        );
        let mut odd: Vec<_> = counts
            .into_iter()
            .filter_map(|(lid, (seen, root, pgno))| {
                judge_count(lid, seen, root, damaged)
                    .map(|(problem, text)| (lid, problem, text, pgno))
            })
            .collect();
        odd.sort_by_key(|(lid, ..)| *lid);
        for (_, problem, text, pgno) in odd.into_iter().take(NAMED - named.min(NAMED)) {
            named += 1;
            context.report(Finding::new(problem, subject.page(pgno)).with_detail(text));
        }
    }
}

/// The engine's four verdicts on a reference count. Where pages are missing, references or roots may
/// be on them: then only what is certain is said.
fn judge_count(
    lid: u64,
    seen: u64,
    root: Option<LvRoot>,
    damaged: bool,
) -> Option<(Problem, String)> {
    match root {
        _ if damaged => None,
        None => {
            let text = format!("record references non-existant LV (lid {lid:#x}, refcount {seen})");
            Some((Problem::LvMissing, text))
        }
        Some(root) if root.references == u32::MAX => None,
        Some(root) if seen == 0 => {
            let text = format!("orphaned LV (lid {lid:#x}, refcount {})", root.references);
            Some((Problem::LvOrphan, text))
        }
        Some(root) => {
            let count = u64::from(root.references);
            let text = |word: &str| {
                format!(
                    "LV refcount too {word} (lid {lid:#x}, refcount {count}, correct refcount {seen})"
                )
            };
            match count.cmp(&seen) {
                std::cmp::Ordering::Less => Some((Problem::LvRefcountLow, text("low"))),
                std::cmp::Ordering::Greater => Some((Problem::LvRefcountHigh, text("high"))),
                std::cmp::Ordering::Equal => None,
            }
        }
    }
}

/// Which entries of an index have no record, and which records no entry.
pub(super) fn index(
    context: &Context<'_>,
    subject: Subject<'_>,
    table: &Table,
    plan: &Plan,
    planned: &PlannedIndex,
    fetch: &impl FetchLongValue,
) {
    let root = table.indexes[planned.number].root;
    let mut total = 0u64;
    let mut damaged = false;
    for_each_node(
        context.db,
        root,
        |_, _, _| total += 1,
        |_, _| damaged = true,
    );
    for_each_node(context.db, table.root, |_, _, _| {}, |_, _| damaged = true);
    if damaged {
        // A page of either tree is gone, which is reported where it is; entries cannot be compared.
        return;
    }
    let parts = total.div_ceil(PART).max(1) as u128;
    let mut named = 0;
    for part in 0..parts {
        let mut balance: HashMap<u128, (i64, Pgno, bool)> = HashMap::new();
        add_records(context, table, plan, planned, fetch, &mut |hash, pgno| {
            if hash % parts == part {
                balance.entry(hash).or_insert((0, pgno, true)).0 += 1;
            }
        });
        for_each_node(
            context.db,
            root,
            |pgno, _, node| {
                let bookmark = hash_bookmark(node.data);
                let hash = match planned.comparable {
                    Comparable::Bookmarks => hash_entry(&[], bookmark),
                    _ => hash_entry(&node.key(), bookmark),
                };
                if hash % parts == part {
                    balance.entry(hash).or_insert((0, pgno, false)).0 -= 1;
                }
            },
            |_, _| {},
        );
        let mut odd: Vec<_> = balance
            .into_values()
            .filter(|(count, ..)| *count != 0)
            .collect();
        odd.sort_by_key(|(count, pgno, _)| (*pgno, *count));
        for (count, pgno, _) in odd.into_iter().take(NAMED - named.min(NAMED)) {
            named += 1;
            let (problem, text) = if count > 0 {
                (
                    Problem::IndexEntryMissing,
                    format!("record on page {pgno} has no entry"),
                )
            } else {
                (
                    Problem::IndexEntryExtra,
                    format!("entry on page {pgno} fits no record"),
                )
            };
            context.report(Finding::new(problem, subject.page(pgno)).with_detail(text));
        }
    }
    if named == 0 {
        context.report(Finding::new(Problem::IndexMismatch, subject.page(root)));
    }
}

fn add_records(
    context: &Context<'_>,
    table: &Table,
    plan: &Plan,
    planned: &PlannedIndex,
    fetch: &impl FetchLongValue,
    enter: &mut dyn FnMut(u128, Pgno),
) {
    let (mut key, mut seen) = (Vec::new(), Vec::new());
    for_each_node(
        context.db,
        table.root,
        |pgno, page, node| {
            let Ok(record) = Record::with_layout(node.data, RecordLayout::of_page(page)) else {
                return;
            };
            let mut view = RowView::new(plan);
            if view.load(&record, fetch).unwrap_or(false) {
                let bookmark = hash_bookmark(&node.key());
                expected_entries(planned, &view, bookmark, (&mut key, &mut seen), |hash| {
                    enter(hash, pgno);
                });
            }
        },
        |_, _| {},
    );
}

/// Whether each bookmark leads to a live record: for indexes whose keys nobody can recompute.
pub(super) fn bookmarks(
    context: &Context<'_>,
    subject: Subject<'_>,
    table: &Table,
    bookmarks: &[(Pgno, usize, Vec<u8>)],
) {
    let mut bytes = PageBytes::new(context.db.page_size());
    let mut named = 0;
    for (pgno, line, bookmark) in bookmarks {
        let Ok((_, page)) = seek(context.db, table.root, bookmark, &mut bytes) else {
            continue;
        };
        let found = page
            .node(page.lower_bound(bookmark))
            .is_ok_and(|node| node.cmp_key_to(bookmark).is_eq() && !node.flags.is_deleted());
        if !found && named < NAMED {
            named += 1;
            let finding = Finding::new(Problem::IndexEntryExtra, subject.node(*pgno, *line));
            context.report(finding.with_detail("entry points to no record"));
        }
    }
}
