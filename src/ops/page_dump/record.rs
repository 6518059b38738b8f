//! A record's columns as they are stored, with the names and types of the catalog where it knows
//! them.

use serde::{Serialize, Serializer};

use crate::db::catalog::Schema;
use crate::format::compress;
use crate::format::lv::Lid;
use crate::format::page::{Node, Page};
use crate::format::record::{Field, Instance, Record, RecordFault, RecordLayout, Tagged};
use crate::format::schema::Fid;
use crate::format::value::{Hex, Value};
use crate::ops::export::{ExportColumn, ExportTable};

/// A record.
#[derive(Debug, Clone, Serialize)]
pub struct RecordDump {
    /// The table, when the catalog knows it.
    pub table: Option<String>,
    /// Fixed columns.
    pub fixed: Vec<ColumnDump>,
    /// Variable columns.
    pub variable: Vec<ColumnDump>,
    /// Tagged columns.
    pub tagged: Vec<ColumnDump>,
    /// Where the tagged columns begin in the record.
    pub tagged_offset: usize,
    /// What is wrong with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
}

/// A column of a record.
#[derive(Debug, Clone, Serialize)]
pub struct ColumnDump {
    /// Its id.
    pub fid: Fid,
    /// It belongs to the template.
    pub template: bool,
    /// Its name.
    pub name: Option<String>,
    /// Its type.
    pub coltyp: Option<crate::format::schema::Coltyp>,
    /// Its values; none when it is null.
    pub values: Vec<ValueDump>,
    /// Why its values cannot be shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
}

/// A value.
#[derive(Debug, Clone, Serialize)]
pub struct ValueDump {
    /// As it is stored.
    #[serde(serialize_with = "hex")]
    pub stored: Vec<u8>,
    /// Decompressed, when it is stored compressed and can be.
    #[serde(skip)]
    pub plain: Option<Vec<u8>>,
    /// With its type, as text.
    pub value: Option<String>,
    /// The long value that it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub long: Option<Lid>,
    /// It is compressed.
    pub compressed: bool,
    /// It is encrypted.
    pub encrypted: bool,
}

fn hex<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    Hex(bytes).serialize(serializer)
}

/// Reads the record of a leaf's node.
pub(super) fn record_of(
    page: Page<'_>,
    node: &Node<'_>,
    schema: &Schema,
) -> Result<RecordDump, RecordFault> {
    let record = Record::with_layout(node.data, RecordLayout::of_page(page))?;
    let table = schema.tables.get(&page.objid());
    let table = table.map(|table| ExportTable::new(schema, table).0);
    let columns = table.as_ref().map_or(&[][..], |table| &table.columns);
    let mut fault = None;
    let mut tagged = Vec::new();
    for column in record.tagged() {
        match column {
            Ok(column) => tagged.push(tagged_column(columns, &column)),
            Err(found) => fault = Some(found.to_string()),
        }
    }
    Ok(RecordDump {
        table: table.as_ref().map(|table| table.name().to_owned()),
        fixed: fixed_columns(columns, &record),
        variable: variable_columns(columns, &record),
        tagged,
        tagged_offset: node.data.len() - record.tagged_bytes().len(),
        fault,
    })
}

fn describe(column: Option<&ExportColumn>, fid: Fid) -> ColumnDump {
    ColumnDump {
        fid,
        template: column.is_some_and(|column| column.template),
        name: column.map(|column| column.name.clone()),
        coltyp: column.map(|column| column.coltyp),
        values: Vec::new(),
        fault: None,
    }
}

fn fixed_columns(columns: &[ExportColumn], record: &Record<'_>) -> Vec<ColumnDump> {
    let of = |number| {
        let fid = Fid::new(number);
        let column = columns.iter().find(|column| column.fid == fid);
        let mut dump = describe(column, fid);
        match column {
            Some(column) => fill(
                &mut dump,
                Some(column),
                record.fixed(fid, column.offset(), column.size()),
            ),
            None => dump.fault = Some("the catalog does not say where it is".to_owned()),
        }
        dump
    };
    (1..=record.fixed_last().get()).map(of).collect()
}

fn variable_columns(columns: &[ExportColumn], record: &Record<'_>) -> Vec<ColumnDump> {
    let of = |(fid, field)| {
        let column = columns.iter().find(|column| column.fid == fid);
        let mut dump = describe(column, fid);
        fill(&mut dump, column, field);
        dump
    };
    record.variables().map(of).collect()
}

fn fill(
    dump: &mut ColumnDump,
    column: Option<&ExportColumn>,
    field: Result<Field<'_>, RecordFault>,
) {
    match field {
        Ok(Field::Value(bytes)) => dump.values.push(plain(column, bytes)),
        Ok(Field::Absent | Field::Null) => {}
        Err(fault) => dump.fault = Some(fault.to_string()),
    }
}

fn plain(column: Option<&ExportColumn>, bytes: &[u8]) -> ValueDump {
    ValueDump {
        stored: bytes.to_vec(),
        plain: None,
        value: typed(column, bytes),
        long: None,
        compressed: false,
        encrypted: false,
    }
}

fn typed(column: Option<&ExportColumn>, bytes: &[u8]) -> Option<String> {
    let column = column?;
    let value = Value::decode(bytes, column.coltyp, column.code_page).ok()?;
    Some(value.to_string())
}

fn tagged_column(columns: &[ExportColumn], tagged: &Tagged<'_>) -> ColumnDump {
    let is_it = |column: &&ExportColumn| column.fid == tagged.fid;
    // A derived table has columns of its own and of its template with the same ids.
    let exact = |column: &&ExportColumn| is_it(column) && column.is_derived() == tagged.derived;
    let column = columns.iter().find(exact).or(columns.iter().find(is_it));
    let mut dump = describe(column, tagged.fid);
    for instance in tagged.values() {
        dump.values.push(match instance {
            Instance::Separated(lid) => ValueDump {
                stored: lid.get().to_le_bytes()[..lid.record_len()].to_vec(),
                value: None,
                long: Some(lid),
                ..plain(None, &[])
            },
            Instance::Intrinsic {
                bytes,
                compressed,
                encrypted,
            } => {
                let mut buffer = Vec::new();
                let unpacked = compressed && !encrypted;
                let unpacked = unpacked && compress::decompress(bytes, None, &mut buffer).is_ok();
                let readable = !compressed && !encrypted;
                ValueDump {
                    value: match (unpacked, readable) {
                        (true, _) => typed(column, &buffer),
                        (_, true) => typed(column, bytes),
                        _ => None,
                    },
                    plain: unpacked.then_some(buffer),
                    compressed,
                    encrypted,
                    ..plain(None, bytes)
                }
            }
        });
    }
    dump
}
