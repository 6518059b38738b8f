//! Rules about the catalog: tables, columns and indexes that must be there, tables that rows must have.

use std::io;

use super::bound::Bound;
use super::entries::{Entries, Origin, REFERENCE};
use super::finding::Found;
use super::profile::Rule;
use super::relations::Tell;
use crate::db::catalog::Table;
use crate::format::schema::Fid;

/// Rules that need no row.
pub(super) fn run(bound: &Bound, checks: &[usize], tell: &mut Tell<'_>) -> io::Result<()> {
    for number in checks {
        match bound.profile.checks.get(*number).map(|check| &check.rule) {
            Some(Rule::Present { table, columns }) => {
                let column = columns.iter().map(|column| Some(column.as_str()));
                for column in [None].into_iter().chain(column) {
                    let Some(missing) = bound.missing(table, column) else {
                        continue;
                    };
                    tell(*number, Found::about("The catalog", missing))?;
                    if column.is_none() {
                        break;
                    }
                }
            }
            Some(Rule::Index { table, columns }) => index(bound, *number, (table, columns), tell)?,
            _ => {}
        }
    }
    Ok(())
}

fn index(
    bound: &Bound,
    number: usize,
    (role, columns): (&str, &[String]),
    tell: &mut Tell<'_>,
) -> io::Result<()> {
    for store in bound.tables(role) {
        let Some(table) = bound.table(store.objid) else {
            continue;
        };
        let places = columns.iter().map(|column| store.columns.get(column));
        let Some(wanted) = places
            .map(|place| place.map(|place| place.fid))
            .collect::<Option<Vec<_>>>()
        else {
            continue;
        };
        let template = bound.schema.template_of(table);
        if !has_index(table, &wanted) && !template.is_some_and(|t| has_index(t, &wanted)) {
            let names = columns
                .iter()
                .filter_map(|column| store.columns.get(column));
            let names: Vec<_> = names.map(|place| place.name.as_str()).collect();
            let detail = format!("no index over {}", names.join(", "));
            tell(
                number,
                Found::about(format!("table {}", table.name), detail),
            )?;
        }
    }
    Ok(())
}

fn has_index(table: &Table, columns: &[Fid]) -> bool {
    table.indexes.iter().any(|index| {
        let segments = index.segments.iter().map(|segment| segment.fid);
        segments.take(columns.len()).eq(columns.iter().copied())
    })
}

/// Entries of the tables that rows must have.
pub(super) fn tables(bound: &Bound, checks: &[usize], entries: &mut Entries) -> io::Result<()> {
    let mut key = Vec::new();
    for number in checks {
        let Some(Rule::Tables { tables, .. }) =
            bound.profile.checks.get(*number).map(|check| &check.rule)
        else {
            continue;
        };
        for store in bound.tables(tables) {
            let Some(part) = store.part else { continue };
            key.clear();
            key.extend_from_slice(&(part.len() as u32).to_be_bytes());
            key.extend_from_slice(&part);
            let origin = Origin {
                table: store.objid,
                ordinal: 0,
                bookmark: &[],
            };
            entries.push((*number as u16, REFERENCE), &key, &origin, &[])?;
        }
    }
    Ok(())
}
