//! Lists of the properties of a row against its columns. Isinteg rewrote such lists, and so destroyed appointments; here they
//! are only looked at. `[store notes 2]`

use std::collections::BTreeMap;
use std::io;

use super::bound::{Bound, StoreTable};
use super::columns::{ColumnPlace, as_int};
use super::finding::{Found, RowRef};
use super::profile::{Form, Rule};
use super::relations::Tell;
use super::rows::View;

/// Tags of one row that are named.
const NAMED_MOST: usize = 8;

/// Runs the rules of this kind.
pub(super) fn run(
    view: &View<'_>,
    bound: &Bound,
    checks: &[usize],
    tell: &mut Tell<'_>,
) -> io::Result<()> {
    for number in checks {
        let Some(Rule::PropertyList { table, column }) =
            bound.profile.checks.get(*number).map(|check| &check.rule)
        else {
            continue;
        };
        for store in bound.tables(table) {
            if let Some(list) = store.columns.get(column) {
                of_table(view, bound, (*number, store, list), tell)?;
            }
        }
    }
    Ok(())
}

fn of_table(
    view: &View<'_>,
    bound: &Bound,
    (number, store, list): (usize, &StoreTable, &ColumnPlace),
    tell: &mut Tell<'_>,
) -> io::Result<()> {
    let Some(table) = bound.table(store.objid) else {
        return Ok(());
    };
    let template = bound.schema.template_of(table);
    let inherited = template.into_iter().flat_map(|template| &template.columns);
    let all = table.columns.iter().map(|column| (column, false));
    let places: Vec<ColumnPlace> = all
        .chain(inherited.map(|column| (column, true)))
        .filter(|(column, _)| column.fid != list.fid)
        .filter_map(|(column, derived)| ColumnPlace::new(column, derived, Form::Any))
        .collect();
    let mut slots = BTreeMap::new();
    for (slot, place) in (1..).zip(&places) {
        if let Some(id) = property(&place.name) {
            slots.insert(id, slot);
        }
    }
    let columns: Vec<_> = [list].into_iter().chain(&places).map(Some).collect();
    let unread = view.rows(table, &columns, &mut |row| {
        let is_missing = |tag: &i64| {
            let slot = slots.get(&(tag >> 16));
            slot.is_none_or(|slot| row.values.count(*slot) == 0)
        };
        let tags = row.values.all(0).filter_map(as_int).filter(is_missing);
        let missing: Vec<String> = tags.map(|tag| format!("{tag:08X}")).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let named = &missing[..missing.len().min(NAMED_MOST)];
        let more = if named.len() < missing.len() {
            ", ..."
        } else {
            ""
        };
        let at = RowRef {
            table: store.objid,
            ordinal: row.ordinal,
            key: row.key.to_vec(),
        };
        let detail = format!("{}{more}", named.join(", "));
        tell(number, Found::row(at, detail))
    })?;
    // What cannot be read has been counted by the pass over the table.
    drop(unread);
    Ok(())
}

/// The property id that a column's name ends in. `[store notes 1.2]`
fn property(name: &str) -> Option<i64> {
    let digits = name.trim_start_matches(|c: char| c.is_ascii_uppercase());
    let letters = name.len() - digits.len();
    let is_hex = digits
        .bytes()
        .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    // Without zeros in front: 0x0037 is `S37`.
    let is_short = (1..=4).contains(&digits.len()) && !digits.starts_with('0');
    if !(1..=2).contains(&letters) || !is_short || !is_hex {
        return None;
    }
    i64::from_str_radix(digits, 16).ok()
}
