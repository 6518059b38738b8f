//! Lists of ids from which some are taken out.

use std::collections::{BTreeMap, BTreeSet};

use super::bound::Bound;
use super::columns::ColumnPlace;
use super::entries::Entry;
use super::finding::{Change, Found, RowRef};
use super::profile::{Form, Rule};
use super::rows::View;
use crate::format::record::ColumnChange;
use crate::format::schema::FidKind;

/// A value of a list that refers to nobody, or is there twice.
pub(super) struct Dangling {
    check: usize,
    row: RowRef,
    value: Vec<u8>,
    detail: String,
    /// One of it stays.
    once: bool,
}

impl Dangling {
    /// The value that an entry's key ends in.
    pub fn new(entry: &Entry<'_>, detail: String, once: bool) -> Self {
        Self {
            check: usize::from(entry.rule),
            row: entry.row(),
            value: last_component(entry.key).unwrap_or_default().to_vec(),
            detail,
            once,
        }
    }
}

/// The findings, each with the list as it is without all values of the row that refer to nobody.
pub(super) fn findings(
    view: &View<'_>,
    bound: &Bound,
    dangling: Vec<Dangling>,
) -> Vec<(usize, Found)> {
    let mut by_row: BTreeMap<(usize, RowRef), Vec<Dangling>> = BTreeMap::new();
    for one in dangling {
        let place = (one.check, one.row.clone());
        by_row.entry(place).or_default().push(one);
    }
    let mut found = Vec::new();
    for ((check, row), of_row) in by_row {
        let gone: BTreeSet<&[u8]> = of_row.iter().map(|one| one.value.as_slice()).collect();
        let once = of_row.iter().any(|one| one.once);
        let change = without(view, bound, (check, &row), (&gone, once));
        for one in &of_row {
            let mut finding = Found::row(row.clone(), one.detail.clone());
            if let Some(change) = &change {
                let change = Change::Set(vec![change.clone()]);
                finding = finding.fixed_by("Removing this id from the list", change);
            }
            found.push((check, finding));
        }
    }
    found
}

fn without(
    view: &View<'_>,
    bound: &Bound,
    (check, row): (usize, &RowRef),
    (gone, once): (&BTreeSet<&[u8]>, bool),
) -> Option<ColumnChange> {
    let (Rule::Refers { from, .. } | Rule::Unique { of: from }) =
        &bound.profile.checks.get(check)?.rule
    else {
        return None;
    };
    let store = bound.role_table(&from.table, row.table)?;
    let place: &ColumnPlace = store.columns.get(from.key.last()?)?;
    let table = bound.table(row.table)?;
    let values = view.row(table, &row.key, &[Some(place)])?;
    if values.fault(0).is_some() {
        return None;
    }
    let mut seen = BTreeSet::new();
    let kept = values
        .all(0)
        .filter(|value| !gone.contains(value) || once && seen.insert(value.to_vec()));
    let values = match place.form {
        // One value with all ids in it.
        Form::Ids => {
            let list = kept.collect::<Vec<_>>().concat();
            if list.is_empty() {
                Vec::new()
            } else {
                vec![list]
            }
        }
        Form::Bytes | Form::Guid | Form::LongId if place.fid.kind() == FidKind::Tagged => {
            kept.map(<[u8]>::to_vec).collect()
        }
        _ => return None,
    };
    Some(ColumnChange {
        fid: place.fid,
        derived: place.derived,
        values,
    })
}

/// The value that a key ends in.
fn last_component(mut key: &[u8]) -> Option<&[u8]> {
    let mut last = None;
    while let Some((len, rest)) = key.split_first_chunk::<4>() {
        let (value, rest) = rest.split_at_checked(u32::from_be_bytes(*len) as usize)?;
        last = Some(value);
        key = rest;
    }
    last
}
