//! Tables that a seed makes: every type, kind and flag of columns, keys of several kinds, indexes of every sort that is not
//! over Unicode text, values in the record and apart.

use exutil::build::{Column, Index, Row, Table};
use exutil::format::keys::TupleLimits;
use exutil::format::schema::{Coltyp, Fid, FidKind, column_flags, index_flags};

use super::samples::{Noise, one_value};

/// Every type but the newest, which is for new formats.
const TYPES: [Coltyp; 16] = [
    Coltyp::Bit,
    Coltyp::UnsignedByte,
    Coltyp::Short,
    Coltyp::Long,
    Coltyp::Currency,
    Coltyp::Single,
    Coltyp::Double,
    Coltyp::DateTime,
    Coltyp::Binary,
    Coltyp::Text,
    Coltyp::LongBinary,
    Coltyp::LongText,
    Coltyp::UnsignedLong,
    Coltyp::LongLong,
    Coltyp::Guid,
    Coltyp::UnsignedShort,
];
/// Names of tables; some are alike but for their ends.
const NAMES: [&str; 5] = ["Folders", "folders2", "a", "Msg-0x1F (of a mailbox)", "z"];
/// Longest value of a fixed column of a type without a size.
const FIXED_MOST: u32 = 20;

/// How rows are told apart.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Key {
    /// A number, rising or falling.
    Number { falling: bool },
    /// A text of one length.
    Name,
    /// None: the engine counts.
    Counted,
}

/// Up to five tables with their rows.
pub fn tables(noise: &mut Noise) -> Vec<(Table, Vec<Row>)> {
    let many = noise.below(NAMES.len() as u64) as usize + 1;
    let named = NAMES.iter().take(many);
    named.map(|name| table(name, noise)).collect()
}

fn table(name: &str, noise: &mut Noise) -> (Table, Vec<Row>) {
    let mut table = Table::new(name);
    let serial = table.add(Column::fixed("serial", Coltyp::Long).not_null());
    let called = table.add(Column::variable("called", Coltyp::Text).not_null());
    let mut fids = Vec::new();
    for number in 0..noise.below(14) {
        let column = column(&format!("c{number}"), noise);
        let (kind, coltyp) = (column.kind, column.coltyp);
        fids.push((table.add(column), kind, coltyp));
    }
    if noise.below(3) == 0 {
        table.add(Column::tagged("uni", Coltyp::LongText).unicode());
    }
    let key = match noise.below(5) {
        0 => Key::Counted,
        1 => Key::Name,
        other => Key::Number {
            falling: other == 2,
        },
    };
    let primary = Index::new("pk");
    match key {
        Key::Number { falling: false } => table.primary(primary.ascending(serial)),
        Key::Number { falling: true } => table.primary(primary.descending(serial)),
        Key::Name => table.primary(primary.ascending(called).ascending(serial)),
        Key::Counted => {}
    }
    for number in 0..noise.below(5) {
        let index = index(&format!("i{number}"), &table, (serial, &fids), noise);
        table.index(index);
    }
    table.density = [100, 80, 60][noise.below(3) as usize];
    table.pages = [1, 1, 3, 20, 40][noise.below(5) as usize];
    table.intrinsic_most = [1023, 1023, 300, 40][noise.below(4) as usize];
    let most = [3, 40, 40, 200, 400, 1500][noise.below(6) as usize];
    let rows = (0..noise.below(most) as i32)
        .map(|number| {
            let row = Row::new()
                .set(called, format!("row {number:06}"))
                .set(serial, number_of(key, number).to_le_bytes());
            values(row, &table, &fids, noise)
        })
        .collect();
    (table, rows)
}

/// So that rows come in the order of their keys.
const fn number_of(key: Key, number: i32) -> i32 {
    match key {
        Key::Number { falling: true } => 100 - number,
        _ => number - 100,
    }
}

fn column(name: &str, noise: &mut Noise) -> Column {
    let coltyp = TYPES[noise.below(TYPES.len() as u64) as usize];
    let kind = match noise.below(3) {
        0 if !coltyp.is_long() => FidKind::Fixed,
        1 if !coltyp.is_long() => FidKind::Variable,
        _ => FidKind::Tagged,
    };
    let mut column = Column::new(name, kind, coltyp);
    if kind == FidKind::Fixed && coltyp.fixed_size().is_none() {
        column = column.max(FIXED_MOST);
    }
    if kind == FidKind::Tagged && noise.below(3) == 0 {
        return column.multi_valued();
    }
    if noise.below(6) == 0 && !coltyp.is_long() {
        let value = one_value(coltyp, kind, noise);
        if !value.is_empty() {
            column = column.default_value(&value);
        }
    }
    column
}

fn index(
    name: &str,
    table: &Table,
    (serial, fids): (Fid, &[(Fid, FidKind, Coltyp)]),
    noise: &mut Noise,
) -> Index {
    let some = |noise: &mut Noise| match fids.len() as u64 {
        0 => serial,
        len => fids[noise.below(len) as usize].0,
    };
    let mut index = Index::new(name);
    let text = fids
        .iter()
        .find(|(_, kind, coltyp)| *coltyp == Coltyp::LongText && *kind == FidKind::Tagged);
    if let Some((text, ..)) = text
        && noise.below(3) == 0
    {
        let limits = TupleLimits {
            least: 3,
            most: 8,
            count: 12,
            step: 1 + noise.below(2) as usize,
            start: 0,
        };
        return index.ascending(*text).tuples(limits);
    }
    if noise.below(4) == 0 {
        index = index.ascending(serial).unique();
    }
    let mut taken = vec![serial];
    for _ in 0..=noise.below(3) {
        let fid = some(noise);
        if taken.contains(&fid) {
            continue;
        }
        taken.push(fid);
        index = match noise.below(2) {
            0 => index.ascending(fid),
            _ => index.descending(fid),
        };
    }
    if index.segments.is_empty() {
        index = index.descending(serial);
    }
    let is_multi = |fid| {
        let column = table.column(fid);
        column.is_some_and(|column| column.flags & column_flags::MULTI_VALUED != 0)
    };
    if index.segments.iter().any(|segment| is_multi(segment.fid)) && noise.below(4) != 0 {
        index = index.with_flags(index_flags::MULTI_VALUED, 0);
    }
    match noise.below(6) {
        0 => index = index.with_flags(0, index_flags::ALLOW_SOME_NULLS),
        1 => index = index.with_flags(0, index_flags::ALLOW_ALL_NULLS),
        2 => index = index.only_if(some(noise), noise.below(2) == 0),
        3 => index = index.limits(60, 20),
        4 => index = index.with_flags(index_flags::SORT_NULLS_HIGH, 0),
        _ => {}
    }
    index.density = [100, 80][noise.below(2) as usize];
    index
}

fn values(row: Row, table: &Table, fids: &[(Fid, FidKind, Coltyp)], noise: &mut Noise) -> Row {
    let mut row = row;
    for (fid, kind, coltyp) in fids {
        let flags = table.column(*fid).map_or(0, |column| column.flags);
        match noise.below(8) {
            0 => continue,
            1 => {
                row = row.null(*fid);
                continue;
            }
            _ => {}
        }
        let is_multi = flags & column_flags::MULTI_VALUED != 0;
        let count = if is_multi { 1 + noise.below(4) } else { 1 };
        for _ in 0..count {
            row = row.set(*fid, value(*coltyp, *kind, noise));
        }
    }
    row
}

/// Now and then one of many chunks.
fn value(coltyp: Coltyp, kind: FidKind, noise: &mut Noise) -> Vec<u8> {
    if coltyp == Coltyp::LongBinary && noise.below(60) == 0 {
        let len = noise.below(60_000) as usize;
        return noise.bytes(len + 1);
    }
    one_value(coltyp, kind, noise)
}
