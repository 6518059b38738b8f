//! What is judged when all rows have been seen: the tree, chains, naming contexts, counts. `[directory rules 1, 2, 3, 6, 7, 13]`

use std::collections::BTreeSet;

use super::columns::RoleTable;
use super::findings::{Findings, Pending};
use super::objects::{NOT_AN_OBJECT, NULL, Object, Objects, ROOT, Standing};
use crate::format::record::ColumnChange;
use crate::store::columns::ColumnPlace;
use crate::store::finding::{Change, FindingSeverity};
use crate::store::profile::DirectoryRule;
use xxhash_rust::xxh3::xxh3_64;

/// Rows whose parent may be what is wrong are looked at up to this many.
const SUSPECTS_MOST: usize = 1000;

/// A column's value of four bytes.
fn set(column: &ColumnPlace, dnt: i32) -> Change {
    Change::Set(vec![ColumnChange {
        fid: column.fid,
        derived: column.derived,
        values: vec![dnt.to_le_bytes().to_vec()],
    }])
}

/// Parents. Returns how many rows have a parent that cannot be, each of which is missing from some count.
pub(super) fn parents(objects: &Objects, findings: &mut Findings) -> u64 {
    let mut add = |object: &Object, detail: String| {
        findings.add(Pending::new(DirectoryRule::Dnt, object.ordinal, detail));
    };
    let mut bad = 0;
    for object in &objects.all {
        match object.standing {
            Standing::Special if object.dnt == ROOT && object.pdnt != 0 => {
                add(
                    object,
                    format!("PDNT_col is {}, should be 0", text(object.pdnt)),
                );
            }
            Standing::Special if object.dnt == NOT_AN_OBJECT && object.pdnt != NULL => {
                add(
                    object,
                    format!("PDNT_col is {}, should be null", object.pdnt),
                );
            }
            Standing::BadParent => {
                bad += 1;
                let what = match object.pdnt {
                    NULL => "PDNT_col is null".to_owned(),
                    pdnt if pdnt == object.dnt => "it is its own parent".to_owned(),
                    NOT_AN_OBJECT => "PDNT_col is 1, which is no object".to_owned(),
                    pdnt => format!("PDNT_col {pdnt} is not there"),
                };
                add(object, what);
            }
            _ => {}
        }
    }
    for (lowest, members) in loops(objects) {
        bad += members;
        let object = &objects.all[lowest as usize];
        add(
            object,
            format!("it is one of {members} that are each other's parents"),
        );
    }
    bad
}

fn text(number: i32) -> String {
    match number {
        NULL => "null".to_owned(),
        number => number.to_string(),
    }
}

/// The lowest row of each loop, and how many it has.
fn loops(objects: &Objects) -> Vec<(u32, u64)> {
    let mut done = BTreeSet::new();
    let mut found = Vec::new();
    for start in 0..objects.all.len() as u32 {
        if objects.all[start as usize].standing != Standing::Looped || done.contains(&start) {
            continue;
        }
        let (mut at, mut members) = (start, 0);
        // Rows are in order, so the first that is met is the lowest.
        while done.insert(at) {
            members += 1;
            at = objects.all[at as usize].parent;
        }
        found.push((start, members));
    }
    found
}

/// A row whose parent exists and is the wrong one is seen by four: its stored chain, its naming context, and the counts of both
/// parents. It is told of once, and for all else the right parent is taken.
pub(super) fn wrong_parents(objects: &mut Objects, findings: &mut Findings) {
    let suspects: Vec<u32> = (0..objects.all.len() as u32)
        .filter(|at| {
            let object = &objects.all[*at as usize];
            object.standing == Standing::UnderRoot
                && object.chain_parent != NULL
                && object.chain_parent != object.pdnt
        })
        .take(SUSPECTS_MOST)
        .collect();
    for at in suspects {
        let object = objects.all[at as usize];
        let Some(right) = objects.find(object.chain_parent) else {
            continue;
        };
        let (before, after) = (
            &objects.all[right as usize],
            &objects.all[object.parent as usize],
        );
        let surplus = before.count - i64::from(before.low) - i64::from(before.high);
        let lack = i64::from(after.low) - after.count;
        // The chain must be that of the other parent throughout.
        let mut chain = objects.chain(right);
        chain.extend_from_slice(&object.dnt.to_le_bytes());
        let is_chain = object.ancestors == Some(xxh3_64(&chain));
        let not_below = !chain_has(objects, right, at);
        if surplus < 1 || lack < 1 || !is_chain || !not_below {
            continue;
        }
        let detail = format!(
            "PDNT_col is {}, but its ancestors and the counts of both say {}",
            object.pdnt, object.chain_parent
        );
        findings.add(Pending::new(DirectoryRule::Dnt, object.ordinal, detail));
        objects.all[object.parent as usize].low -= 1;
        objects.all[right as usize].low += 1;
        objects.all[at as usize].parent = right;
        objects.all[at as usize].pdnt = object.chain_parent;
    }
}

/// Whether `wanted` is on the way from `at` to the root.
fn chain_has(objects: &Objects, at: u32, wanted: u32) -> bool {
    let mut at = at;
    for _ in 0..objects.all.len() {
        if at == wanted {
            return true;
        }
        match objects.all.get(at as usize) {
            Some(object) if object.dnt != ROOT => at = object.parent,
            _ => return false,
        }
    }
    true
}

/// Stored chains of ancestors.
pub(super) fn ancestors(objects: &Objects, data: RoleTable<'_>, findings: &mut Findings) {
    let column = data.column("ancestors");
    for (at, object) in (0..).zip(&objects.all) {
        let under_root = object.standing == Standing::UnderRoot || object.dnt == ROOT;
        if !under_root || object.dnt == NOT_AN_OBJECT {
            continue;
        }
        let chain = objects.chain(at);
        if object.ancestors == Some(xxh3_64(&chain)) {
            continue;
        }
        let (numbers, _) = chain.as_chunks::<4>();
        let shown: Vec<String> = numbers
            .iter()
            .map(|bytes| i32::from_le_bytes(*bytes).to_string())
            .collect();
        let detail = format!("Ancestors_col should be {}", shown.join(", "));
        let mut found = Pending::new(DirectoryRule::Ancestors, object.ordinal, detail);
        if !object.is_object {
            found = found.only(FindingSeverity::Warning);
        } else if let Some(column) = column {
            let change = ColumnChange {
                fid: column.fid,
                derived: column.derived,
                values: vec![chain],
            };
            found = found.fixed_by("Fixed Ancestors_col".to_owned(), Change::Set(vec![change]));
        }
        findings.add(found);
    }
}

/// Naming contexts, and the references between their heads.
pub(super) fn contexts(
    objects: &Objects,
    data: RoleTable<'_>,
    sub_refs: &[(i32, i32)],
    findings: &mut Findings,
) {
    let column = data.column("nc");
    let known: BTreeSet<(i32, i32)> = sub_refs.iter().copied().collect();
    for (at, object) in (0..).zip(&objects.all) {
        if matches!(object.dnt, NOT_AN_OBJECT | ROOT) {
            continue;
        }
        if object.standing != Standing::UnderRoot || !object.is_object {
            continue;
        }
        let Some((head, over_phantom)) = objects.head_above(at) else {
            continue;
        };
        let head = &objects.all[head as usize];
        if object.ncdnt != head.dnt {
            let detail = format!(
                "NCDNT_col is {}, should be {}",
                text(object.ncdnt),
                head.dnt
            );
            let mut found = Pending::new(DirectoryRule::Nc, object.ordinal, detail);
            if object.is_deleted || over_phantom {
                found = found.only(FindingSeverity::Warning);
            } else if let Some(column) = column {
                let what = format!("Fixed NCDNT_col to {}", head.dnt);
                found = found.fixed_by(what, set(column, head.dnt));
            }
            findings.add(found);
        }
        let is_below = object.instance_type & 1 != 0 && object.instance_type & 8 != 0;
        if is_below && !known.contains(&(head.dnt, object.dnt)) {
            missing_sub_ref(head, object, data, sub_refs, findings);
        }
    }
    for (owner, value) in known {
        let (Some(owner), Some(at)) = (objects.get(owner), objects.find(value)) else {
            continue;
        };
        let target = &objects.all[at as usize];
        let is_below = target.instance_type & 1 != 0 && target.instance_type & 8 != 0;
        let head = objects
            .head_above(at)
            .map(|(head, _)| objects.all[head as usize].dnt);
        if !is_below || head != Some(owner.dnt) {
            let detail = format!("subRefs has {value}, which is no naming context below it");
            findings.add(Pending::new(
                DirectoryRule::SubrefsOdd,
                owner.ordinal,
                detail,
            ));
        }
    }
}

fn missing_sub_ref(
    head: &Object,
    object: &Object,
    data: RoleTable<'_>,
    sub_refs: &[(i32, i32)],
    findings: &mut Findings,
) {
    let detail = format!("subRefs lacks {}", object.dnt);
    let mut found = Pending::new(DirectoryRule::Subrefs, head.ordinal, detail);
    if let Some(column) = data.column("sub_refs") {
        let own = sub_refs.iter().filter(|(owner, _)| *owner == head.dnt);
        let mut values: BTreeSet<i32> = own.map(|(_, value)| *value).collect();
        values.insert(object.dnt);
        let change = ColumnChange {
            fid: column.fid,
            derived: column.derived,
            values: values
                .iter()
                .map(|value| value.to_le_bytes().to_vec())
                .collect(),
        };
        let what = format!("Added {} to subRefs", object.dnt);
        found = found.fixed_by(what, Change::Set(vec![change]));
    }
    findings.add(found);
}

/// Reference counts. `lost` are references to rows that are not there: one of them may have been to a row whose count is too
/// high.
pub(super) fn counts(objects: &Objects, data: RoleTable<'_>, lost: u64, findings: &mut Findings) {
    let column = data.column("cnt");
    for object in &objects.all {
        if object.dnt == NOT_AN_OBJECT {
            continue;
        }
        let (low, high) = (i64::from(object.low), i64::from(object.high));
        if !object.is_object && low + high == 0 {
            let detail = "a phantom that nobody refers to".to_owned();
            findings.add(Pending::new(DirectoryRule::Phantom, object.ordinal, detail));
        }
        if (low..=low + high).contains(&object.count) {
            continue;
        }
        let should = match high {
            0 => low.to_string(),
            high => format!("{low} to {}", low + high),
        };
        let detail = format!("cnt_col is {}, should be {should}", object.count);
        let surplus = object.count - low - high;
        if surplus > 0 && surplus.unsigned_abs() <= lost {
            let detail = format!("{detail}: explained by references to rows that are not there");
            let found = Pending::new(DirectoryRule::Refcount, object.ordinal, detail);
            findings.add(found.only(FindingSeverity::Note));
            continue;
        }
        let mut found = Pending::new(DirectoryRule::Refcount, object.ordinal, detail);
        let number = i32::try_from(low).ok().filter(|_| high == 0 && lost == 0);
        if let (Some(column), Some(number)) = (column, number) {
            found = found.fixed_by(format!("Fixed cnt_col to {number}"), set(column, number));
        }
        findings.add(found);
    }
}
