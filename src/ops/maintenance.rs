//! Records that the engine keeps of its own work: online defragmentation, and versions of sort
//! orders. [format notes 6.9]

use std::ops::ControlFlow;

use serde::Serialize;

use crate::db::catalog::CatalogRow;
use crate::format::bytes::{u16_at, u32_at, u64_at};
use crate::format::ids::Pgno;
use crate::format::record::{Record, RecordLayout};
use crate::format::schema::{CatalogType, Fid};
use crate::format::value::{CodePage, Text};

use super::catalog_read::Catalog;
use super::engine_read::{Reader, Step};

/// The table of sort order versions.
const LOCALES_TABLE: &str = "MSysLocales";

/// How a column of such a record is stored and shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordValue {
    /// Two bytes: what defragmentation is at.
    Activity,
    /// Four bytes.
    Number,
    /// Eight bytes.
    LongNumber,
    /// Eight bytes, a FILETIME.
    Time,
    /// Eight bytes, shown in hexadecimal.
    Bits,
}

/// A column of such a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct RecordField {
    /// Name, as Eseutil has it.
    pub name: &'static str,
    /// How it is stored.
    pub kind: RecordValue,
    /// What it says.
    pub value: Option<i64>,
}

/// The records of one table of the engine's own work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WorkTable {
    /// The name that Eseutil gives the table.
    pub name: &'static str,
    /// Its records.
    pub records: Vec<Vec<RecordField>>,
}

/// A table: its name in the catalog, what Eseutil calls it, its fixed columns from 1 on.
struct WorkSpec {
    table: &'static str,
    shown: &'static str,
    columns: &'static [(&'static str, RecordValue)],
}

/// In the order of the dump. [engine]
const WORK: [WorkSpec; 3] = [
    WorkSpec {
        table: "MSysOLD2",
        shown: "MSysOLD2",
        columns: &[
            ("ObjidTable", RecordValue::Number),
            ("ObjidFDP", RecordValue::Number),
            ("StartDateTime", RecordValue::Time),
            ("PagesVisited", RecordValue::Number),
            ("PagesFreed", RecordValue::Number),
            ("PartialMerges", RecordValue::Number),
            ("PageMoves", RecordValue::Number),
            ("UpdateTime", RecordValue::Time),
        ],
    },
    WorkSpec {
        table: "MSysDefrag2",
        shown: "MSysDefrag",
        columns: &[
            ("ObjidFDP", RecordValue::Number),
            ("OLDStatus", RecordValue::Activity),
            ("PassStartDateTime", RecordValue::Time),
            ("PassElapsedSeconds", RecordValue::LongNumber),
            ("PassInvocations", RecordValue::LongNumber),
            ("PassPagesVisited", RecordValue::LongNumber),
            ("PassPagesFreed", RecordValue::LongNumber),
            ("PassPartialMerges", RecordValue::LongNumber),
            ("TotalPasses", RecordValue::LongNumber),
            ("TotalElapsedSeconds", RecordValue::LongNumber),
            ("TotalInvocations", RecordValue::LongNumber),
            ("TotalDefragDays", RecordValue::LongNumber),
            ("TotalPagesVisited", RecordValue::LongNumber),
            ("TotalPagesFreed", RecordValue::LongNumber),
            ("TotalPartialMerges", RecordValue::LongNumber),
        ],
    },
    WorkSpec {
        table: "MSysDatabaseMaintenance",
        shown: "MSysDatabaseMaintenance",
        columns: &[
            ("LastUpdateTime", RecordValue::Bits),
            ("PassStartTime", RecordValue::Bits),
            ("PassPagesRead", RecordValue::Number),
            ("PrevPassStartTime", RecordValue::Bits),
            ("PrevPassEndTime", RecordValue::Bits),
            ("PrevPassPagesRead", RecordValue::Number),
            ("ElapsedSeconds", RecordValue::Number),
            ("PassInvocations", RecordValue::Number),
            ("PassBadChecksum", RecordValue::Number),
            ("TotalInvocations", RecordValue::Number),
            ("TotalBadChecksums", RecordValue::Number),
            ("TotalLVPages", RecordValue::Number),
            ("TotalRecPages", RecordValue::Number),
            ("FreeBytesLVPages", RecordValue::Bits),
            ("FreeBytesRecPages", RecordValue::Bits),
        ],
    },
];

/// An entry of a table of keys and values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyValue {
    /// The key.
    pub key: String,
    /// 1 schema, 2 number, 3 bytes, 4 long number.
    pub kind: u8,
    /// Its number, for the first two kinds.
    pub value: Option<i32>,
}

/// Reads the records of the engine's own work that the database has, into `tables`.
pub(super) fn read_work(
    reader: &Reader<'_>,
    catalog: &Catalog<'_>,
    tables: &mut Vec<WorkTable>,
) -> Step<()> {
    for spec in &WORK {
        let Some((row, offsets)) = find(catalog, spec.table)? else {
            continue;
        };
        let mut records = Vec::new();
        each_record(reader, &row, &mut |record| {
            let fields = (1..)
                .zip(spec.columns)
                .map(|(fid, (name, kind))| RecordField {
                    name,
                    kind: *kind,
                    value: value(record, &offsets, fid, *kind),
                });
            records.push(fields.collect());
            ControlFlow::Continue(())
        })?;
        tables.push(WorkTable {
            name: spec.shown,
            records,
        });
    }
    Ok(())
}

fn value(record: &Record<'_>, offsets: &[(u32, u16)], fid: u16, kind: RecordValue) -> Option<i64> {
    let bytes = |size| fixed(record, offsets, fid, size);
    match kind {
        RecordValue::Activity => bytes(2).and_then(|bytes| u16_at(bytes, 0)).map(i64::from),
        RecordValue::Number => bytes(4)
            .and_then(|bytes| u32_at(bytes, 0))
            .map(|number| i64::from(number as i32)),
        RecordValue::LongNumber | RecordValue::Time | RecordValue::Bits => bytes(8)
            .and_then(|bytes| u64_at(bytes, 0))
            .map(|number| number as i64),
    }
}

/// Reads the table of sort order versions; empty when there is none.
pub(super) fn read_locales(reader: &Reader<'_>, catalog: &Catalog<'_>) -> Step<Vec<KeyValue>> {
    const KEY: Fid = Fid::new(128);
    let Some((row, offsets)) = find(catalog, LOCALES_TABLE)? else {
        return Ok(Vec::new());
    };
    let mut entries = Vec::new();
    each_record(reader, &row, &mut |record| {
        let key = record.variable(KEY).ok().and_then(|field| field.value());
        let text = Text::new(key.unwrap_or_default(), CodePage::Unicode).to_string();
        entries.push(KeyValue {
            key: text.trim_end_matches('\0').to_owned(),
            kind: fixed(record, &offsets, 1, 1).map_or(0, |bytes| bytes[0]),
            value: fixed(record, &offsets, 2, 4)
                .and_then(|bytes| u32_at(bytes, 0))
                .map(|value| value as i32),
        });
        ControlFlow::Continue(())
    })?;
    Ok(entries)
}

/// Offsets of fixed columns by column id.
type Offsets = Vec<(u32, u16)>;

/// A table's row and the offsets of its fixed columns, by column id.
fn find(catalog: &Catalog<'_>, name: &str) -> Step<Option<(CatalogRow, Offsets)>> {
    let Some(row) = catalog.table(name)? else {
        return Ok(None);
    };
    let mut offsets = Vec::new();
    catalog.objects(row.table, CatalogType::Column, &mut |column| {
        offsets.push((column.id, column.record_offset));
        Ok(())
    })?;
    Ok(Some((row, offsets)))
}

fn fixed<'a>(
    record: &Record<'a>,
    offsets: &[(u32, u16)],
    fid: u16,
    size: usize,
) -> Option<&'a [u8]> {
    let (_, offset) = offsets.iter().find(|(id, _)| *id == u32::from(fid))?;
    record
        .fixed(Fid::new(fid), (*offset).into(), size)
        .ok()?
        .value()
}

fn each_record(
    reader: &Reader<'_>,
    row: &CatalogRow,
    show: &mut dyn FnMut(&Record<'_>) -> ControlFlow<()>,
) -> Step<()> {
    reader.walk(Pgno::new(row.coltyp_or_root), &[], &mut |_, page, node| {
        if node.flags.is_deleted() {
            return Ok(ControlFlow::Continue(()));
        }
        let record = Record::with_layout(node.data, RecordLayout::of_page(page));
        Ok(record.map_or(ControlFlow::Continue(()), |record| show(&record)))
    })?;
    Ok(())
}
