//! What is judged when all rows have been seen: the tree, chains, counts. `[directory rules 1, 2, 6, 7]`

use std::collections::{BTreeMap, BTreeSet};

use super::columns::RoleTable;
use super::findings::{Findings, Pending, times};
use super::objects::{NOT_AN_OBJECT, NULL, Object, Objects, ROOT, Standing, longer};
use crate::format::record::ColumnChange;
use crate::store::columns::ColumnPlace;
use crate::store::finding::{Change, FindingSeverity};
use crate::store::profile::DirectoryRule;

/// Rows whose parent may be what is wrong are looked at up to this many.
const SUSPECTS_MOST: usize = 1000;

/// Rows that are looked at for it in all.
const STEPS_MOST: usize = 10_000_000;
/// Numbers of a chain that are shown.
const SHOWN_MOST: usize = 16;
/// A longer chain is not written: no directory is so deep.
const CHAIN_MOST: u32 = 4_000;
/// Bytes of chains that one round writes; the next one goes on.
const CHAINS_MOST: usize = 64 << 20;

/// References that were not counted, since they name nobody or could not be read.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Lost {
    pub count: u64,
    /// Nobody knows how many could not be read.
    pub unread: bool,
    /// An attribute that refers to rows has no column: there may have been one.
    pub doubtful: bool,
}

impl Lost {
    /// Why a count may be so much too high.
    pub fn explains(&self, surplus: i64) -> Option<&'static str> {
        if self.unread {
            return Some("not all references could be read");
        }
        let explained = surplus > 0 && surplus.unsigned_abs() <= self.count;
        explained.then_some("explained by references that are wrong")
    }

    /// Every reference was counted.
    pub const fn is_nothing(&self) -> bool {
        self.count == 0 && !self.unread
    }
}

/// How much too high and too low counts are. Where one is as much too high as another is too low, a reference may name the wrong
/// one of both, and the counts may be right.
#[derive(Default)]
pub(super) struct Balance {
    high: BTreeSet<i64>,
    low: BTreeSet<i64>,
}

impl Balance {
    pub fn add(&mut self, surplus: i64) {
        match surplus {
            0 => {}
            1.. => {
                self.high.insert(surplus);
            }
            _ => {
                self.low.insert(surplus.saturating_neg());
            }
        }
    }

    /// Another count is wrong by as much the other way.
    pub fn is_even(&self, surplus: i64) -> bool {
        let other = if surplus > 0 { &self.low } else { &self.high };
        other.contains(&surplus.saturating_abs())
    }
}

/// Gives a column these values; `None` where it cannot hold them.
pub(super) fn set(column: &ColumnPlace, numbers: &[i32]) -> Option<Change> {
    let values = numbers
        .iter()
        .map(|number| column.encode_int(i64::from(*number)));
    Some(Change::Set(vec![ColumnChange {
        fid: column.fid,
        derived: column.derived,
        values: values.collect::<Option<Vec<_>>>()?,
    }]))
}

/// Parents. Returns how many rows have a parent that cannot be, each of which is missing from some count.
pub(super) fn parents(objects: &Objects, findings: &mut Findings) -> u64 {
    let mut add = |object: &Object, detail: String| {
        findings.add(Pending::new(DirectoryRule::Dnt, object.ordinal, detail));
    };
    let mut bad = 0;
    // Rows are in order, so the first that is met is the lowest.
    let mut missing: BTreeMap<i32, (&Object, u64)> = BTreeMap::new();
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
                    pdnt => {
                        missing.entry(pdnt).or_insert((object, 0)).1 += 1;
                        continue;
                    }
                };
                add(object, what);
            }
            _ => {}
        }
    }
    for (pdnt, (object, rows)) in missing {
        let detail = format!("PDNT_col {pdnt} is not there");
        add(object, times(detail, rows, "rows have it"));
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

pub(super) fn text(number: i32) -> String {
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
    if suspects.is_empty() {
        return;
    }
    let chains = objects.chains();
    let mut steps = STEPS_MOST;
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
        // The chain must be that of the other parent throughout; that may be one of those that have been put right.
        let own = chains[right as usize].map(|(hash, _)| hash);
        let is_chain = [own, before.ancestors]
            .into_iter()
            .flatten()
            .any(|hash| object.ancestors == Some(longer(hash, object.dnt)));
        let stands = before.standing == Standing::UnderRoot || before.dnt == ROOT;
        if surplus < 1
            || lack < 1
            || !is_chain
            || !stands
            || !is_apart(objects, right, at, &mut steps)
        {
            continue;
        }
        let detail = format!(
            "PDNT_col is {}, but its ancestors and the counts of both say {}",
            object.pdnt, object.chain_parent
        );
        findings.add(Pending::new(DirectoryRule::Dnt, object.ordinal, detail));
        let old = &mut objects.all[object.parent as usize].low;
        *old = old.saturating_sub(1);
        let new = &mut objects.all[right as usize].low;
        *new = new.saturating_add(1);
        objects.all[at as usize].parent = right;
        objects.all[at as usize].pdnt = object.chain_parent;
    }
}

/// Whether `other` is not on the way from `at` to the root. Where it is too far, nobody knows.
fn is_apart(objects: &Objects, at: u32, other: u32, steps: &mut usize) -> bool {
    let mut at = at;
    while at != other && *steps > 0 {
        *steps -= 1;
        match objects.all.get(at as usize) {
            Some(object) if object.dnt != ROOT => at = object.parent,
            Some(_) => return true,
            None => return false,
        }
    }
    false
}

/// Stored chains of ancestors. Returns the rows whose chain is that of another parent: it may be the parent that is wrong.
pub(super) fn ancestors(
    objects: &Objects,
    data: RoleTable<'_>,
    findings: &mut Findings,
) -> BTreeSet<u32> {
    let column = data.column("ancestors");
    let mut suspects = BTreeSet::new();
    let mut bytes_left = CHAINS_MOST;
    for ((at, object), chain) in (0..).zip(&objects.all).zip(objects.chains()) {
        let Some((hash, length)) = chain.filter(|(hash, _)| object.ancestors != Some(*hash)) else {
            continue;
        };
        let named = objects.get(object.chain_parent);
        let of_another = named
            .and_then(|parent| parent.ancestors)
            .is_some_and(|of_parent| object.ancestors == Some(longer(of_parent, object.dnt)));
        debug_assert!(object.ancestors != Some(hash));
        if of_another {
            suspects.insert(at);
        }
        if !findings.wants(DirectoryRule::Ancestors) {
            continue;
        }
        let detail = format!("Ancestors_col should be {}", shown(objects, at, length));
        let mut found = Pending::new(DirectoryRule::Ancestors, object.ordinal, detail);
        let size = length as usize * 4;
        if !object.is_object {
            found = found.only(FindingSeverity::Warning);
        } else if let Some(column) = column.filter(|_| length <= CHAIN_MOST && size <= bytes_left) {
            bytes_left -= size;
            let change = ColumnChange {
                fid: column.fid,
                derived: column.derived,
                values: vec![objects.chain(at)],
            };
            found = found
                .fixed_by("Fixed Ancestors_col".to_owned(), Change::Set(vec![change]))
                .careful(of_another);
        }
        findings.add(found);
    }
    suspects
}

/// A chain, with what is between left out of a long one.
fn shown(objects: &Objects, at: u32, length: u32) -> String {
    let (first, most) = match length as usize > SHOWN_MOST {
        true => (format!("{ROOT}, ..., "), SHOWN_MOST - 1),
        false => (String::new(), SHOWN_MOST),
    };
    let last = objects.last_of_chain(at, most);
    let last: Vec<String> = last.iter().rev().map(ToString::to_string).collect();
    format!("{first}{}", last.join(", "))
}

/// Reference counts. `lost` are references that were not counted: one of them may have been to a row whose count is too high.
pub(super) fn counts(objects: &Objects, data: RoleTable<'_>, lost: Lost, findings: &mut Findings) {
    let column = data.column("cnt");
    let counted = || {
        objects
            .all
            .iter()
            .filter(|object| object.dnt != NOT_AN_OBJECT)
    };
    let mut balance = Balance::default();
    for object in counted() {
        balance.add(surplus(object));
    }
    for object in counted() {
        let (low, high) = (i64::from(object.low), i64::from(object.high));
        let garbage = low + high == i64::from(object.names_itself) && !object.doubted;
        if !object.is_object && garbage {
            let detail = "a phantom that nobody refers to".to_owned();
            let found = Pending::new(DirectoryRule::Phantom, object.ordinal, detail);
            findings.add(match lost.unread {
                true => found.only(FindingSeverity::Note),
                false => found,
            });
        }
        let surplus = surplus(object);
        if surplus == 0 {
            continue;
        }
        let should = match high {
            0 => low.to_string(),
            high => format!("{low} to {}", low + high),
        };
        let detail = format!("cnt_col is {}, should be {should}", object.count);
        if let Some(why) = lost.explains(surplus).filter(|_| surplus > 0) {
            let detail = format!("{detail}: {why}");
            let found = Pending::new(DirectoryRule::Refcount, object.ordinal, detail);
            findings.add(found.only(FindingSeverity::Note));
            continue;
        }
        let mut found = Pending::new(DirectoryRule::Refcount, object.ordinal, detail);
        let number = i32::try_from(low).ok();
        let number = number.filter(|_| high == 0 && lost.is_nothing());
        let change = column.zip(number);
        let change = change.and_then(|(column, number)| set(column, &[number]));
        if let Some(change) = change {
            found = found
                .fixed_by(format!("Fixed cnt_col to {low}"), change)
                .careful(lost.doubtful || balance.is_even(surplus));
        }
        findings.add(found);
    }
}

/// How much a count is above or below what it may be.
fn surplus(object: &Object) -> i64 {
    let (low, high) = (i64::from(object.low), i64::from(object.high));
    match object.count {
        count if count < low => count.saturating_sub(low),
        count if count > low + high => count.saturating_sub(low + high),
        _ => 0,
    }
}
