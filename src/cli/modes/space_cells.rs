//! How the cells of a space dump are written, to the digit as Eseutil does. [engine]

use super::space_fields::Cell;
use crate::ops::space_dump::{
    LeafRuns, LongValues, ObjectKind, PageShape, PooledExtent, SpaceHints, SpaceNumbers, SpacePool,
    Spread, TreePages,
};

pub(super) fn space<'a>(cell: &Cell<'a>) -> Option<&'a SpaceNumbers> {
    cell.object.space.as_ref()
}

pub(super) fn pages(cell: &Cell<'_>) -> Option<TreePages> {
    cell.object.pages
}

pub(super) fn internal<'a>(cell: &Cell<'a>) -> Option<&'a PageShape> {
    Some(&cell.object.shape.as_ref()?.internal)
}

pub(super) fn runs<'a>(cell: &Cell<'a>) -> Option<&'a LeafRuns> {
    Some(&cell.object.shape.as_ref()?.leaf_runs)
}

pub(super) fn data<'a>(cell: &Cell<'a>) -> Option<&'a PageShape> {
    cell.object.shape.as_ref()?.data.as_ref()
}

pub(super) fn long_values<'a>(cell: &Cell<'a>) -> Option<&'a LongValues> {
    cell.object.shape.as_ref()?.long_values.as_ref()
}

pub(super) fn name(cell: &Cell<'_>, width: usize) -> String {
    let indent = usize::from(cell.object.level) * 2;
    let width = width.saturating_sub(indent);
    let mut name = cell.object.name.clone();
    if cell.object.deleted {
        name.push_str("[Deleted]");
    }
    format!("{:indent$}{name:<width$.width$}", "")
}

/// Four characters, the first a blank, as Eseutil has them.
pub(super) const fn kind(kind: ObjectKind) -> &'static str {
    match kind {
        ObjectKind::Database => " Db ",
        ObjectKind::Table => " Pri",
        ObjectKind::LongValues => " LV ",
        ObjectKind::Index => " Idx",
        ObjectKind::OwnedExtents => " OE ",
        ObjectKind::AvailableExtents => " AE ",
    }
}

/// Megabytes with three digits that are thousandths, cut off and then rounded up whenever anything
/// is left: the engine's own arithmetic. [engine, verified]
pub(super) fn megabytes(cell: &Cell<'_>, pages: u64, width: usize) -> String {
    let kib = pages.saturating_mul(cell.page) / 1024;
    let rest = kib % 1024;
    let thousandths = rest * 1000 / 1024 + u64::from(rest * 10_000 / 1024 >= 5);
    let width = width - 4;
    format!("{:width$}.{thousandths:03}", kib / 1024)
}

pub(super) fn percent(part: u64, whole: u64, width: usize) -> String {
    let width = width - 1;
    let percent = rounded(part as f64 / whole as f64 * 100.0, 2);
    format!("{percent:>width$}%")
}

/// A number with so many decimals, halves rounded up: the C library of Windows rounds the decimal
/// digits, Rust and others round halves to even. [verified: 3.125 is 3.13]
pub(super) fn rounded(value: f64, decimals: usize) -> String {
    /// Enough to write any percentage out in full.
    const ALL: usize = 60;
    let plain = format!("{value:.decimals$}");
    let full = format!("{value:.ALL$}");
    let Some((_, fraction)) = full.split_once('.') else {
        return plain;
    };
    let rest = &fraction[decimals..];
    let half = rest.starts_with('5') && rest[1..].bytes().all(|digit| digit == b'0');
    if half && value > 0.0 {
        // The next number that is larger rounds up.
        format!("{:.decimals$}", value.next_up())
    } else {
        plain
    }
}

pub(super) fn of_table(cell: &Cell<'_>, part: u64, width: usize) -> Option<String> {
    let shown = cell.object.kind != ObjectKind::Database && cell.table > 0;
    shown.then(|| percent(part, cell.table, width))
}

pub(super) fn hint(cell: &Cell<'_>, width: usize, get: fn(&SpaceHints) -> u32) -> Option<String> {
    let hints = cell.object.hints?;
    Some(format!("{:width$}", get(&hints)))
}

pub(super) fn hint_percent(
    cell: &Cell<'_>,
    width: usize,
    get: fn(&SpaceHints) -> u32,
) -> Option<String> {
    Some(hint(cell, width - 1, get)? + "%")
}

pub(super) fn available<'a>(
    space: &'a SpaceNumbers,
    pool: &'a dyn Fn(SpacePool) -> bool,
) -> impl Iterator<Item = u64> + 'a {
    let counted = move |run: &&PooledExtent| pool(run.pool) && run.extent.count > 0;
    let runs = space.available_extents.iter().filter(counted);
    runs.map(|run| run.extent.count.into())
}

/// Count, least, average, standard deviation, most, total.
pub(super) fn figures(of: &Spread) -> String {
    if of.count == 0 {
        return "       0,     ,     ,       ,     ,            ".to_owned();
    }
    format!(
        "{:8},{:5},{:5.0},{:7.0},{:5},{:12}",
        of.count,
        of.min,
        of.average(),
        of.deviation(),
        of.max,
        of.total
    )
}

pub(super) fn average(of: &Spread, width: usize) -> String {
    format!("{:>width$}", rounded(of.average(), 2))
}

/// The hits of a histogram.
pub(super) fn counts(hits: &[u64]) -> String {
    let hits = hits.iter().map(|hits| format!("{hits:10}"));
    hits.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::{Spread, figures, rounded};

    #[test]
    fn halves_are_rounded_up() {
        assert_eq!(rounded(3.125, 2), "3.13");
        assert_eq!(rounded(81.25, 1), "81.3");
        assert_eq!(rounded(18.75, 1), "18.8");
        assert_eq!(rounded(2.675, 2), "2.67");
        assert_eq!(rounded(100.0, 2), "100.00");
        assert_eq!(rounded(0.0, 2), "0.00");
        assert_eq!(rounded(f64::NAN, 2), "NaN");
    }

    #[test]
    fn figures_of_nothing_are_blanks() {
        assert_eq!(
            figures(&Spread::default()).len(),
            figures(&[1].into_iter().collect()).len()
        );
        assert_eq!(
            figures(&[2, 4].into_iter().collect()),
            "       2,    2,    3,      1,    4,           6"
        );
    }
}
