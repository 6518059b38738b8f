//! A node with its key, its data, and what they mean.

use super::page_text::{Text, pool_name};
use crate::cli::escape::escape;
use crate::db::space::Pool;
use crate::format::page::NodeFlags;
use crate::format::schema::Coltyp;
use crate::ops::page_dump::{ColumnDump, LineDump, LineKind, Meaning, NodeDump, RecordDump};

const RULE: &str = "===========";
const RECORD_RULE: &str = "=================";
/// Bytes of a value that are shown; of a compressed one the stored bytes.
const SHOWN: usize = 512;
const SHOWN_COMPRESSED: usize = 64;

/// Key and data.
pub fn node(out: &mut Text, node: &NodeDump) {
    out.line(format_args!("     Flags:  0x{:04x}", node.flags));
    out.line(RULE);
    let flags = NodeFlags::new(node.flags);
    for (set, word) in [
        (flags.is_versioned(), "Versioned"),
        (flags.is_deleted(), "Deleted"),
        (flags.is_compressed(), "Compressed"),
    ] {
        if set {
            out.line(format_args!("            {word}"));
        }
    }
    out.line("");
    bytes(out, "Key Prefix", &node.prefix);
    bytes(out, "Key Suffix", &node.suffix);
    bytes(out, "Data", &node.data);
}

fn bytes(out: &mut Text, label: &str, bytes: &[u8]) {
    out.line(format_args!("{label:>10}:  {:4} bytes", bytes.len()));
    out.line(RULE).hex(bytes).line("");
}

/// What a node is.
pub fn meaning(out: &mut Text, meaning: &Meaning) {
    match meaning {
        Meaning::Child { page } => {
            out.line(format_args!("pgnoChild = {page} (0x{:x})", page.get()))
        }
        Meaning::Extent {
            last, count, pool, ..
        } => out.line(format_args!(
            "{count} (0x{count:x}) pages ending at {last} (0x{:x}) in pool {} ({})",
            last.get(),
            pool_number(*pool),
            pool_name(*pool)
        )),
        Meaning::LvRoot {
            lid,
            references,
            size,
            encrypted,
        } => out.line(format_args!(
            "Long value {lid}: {size} bytes, {references} references{}",
            if *encrypted { ", encrypted" } else { "" }
        )),
        Meaning::LvChunk {
            lid,
            offset,
            scheme,
        } => out.line(format_args!(
            "Long value {lid}: chunk at offset {offset}{}",
            match scheme {
                Some(scheme) => format!(" ({scheme}, if it is compressed)"),
                None => String::new(),
            }
        )),
        Meaning::Bookmark { .. } => out.line("Index entry; the data are the key of the row."),
        Meaning::Unknown { fault } => out.line(format_args!("****** {} ******", escape(fault))),
        Meaning::Record(found) => record(out, found),
    };
}

const fn pool_number(pool: Pool) -> u8 {
    match pool {
        Pool::General => 0,
        Pool::Continuous => 1,
        Pool::Shelved => 2,
        Pool::Unknown(number) => number,
    }
}

/// A line by its tag.
pub fn line(out: &mut Text, dump: &LineDump) {
    match &dump.kind {
        LineKind::External { bytes: content } | LineKind::Reserved { bytes: content } => {
            bytes(out, "Data", content);
        }
        LineKind::Node(found) => node(out, found),
    }
}

fn record<'t>(out: &'t mut Text, record: &RecordDump) -> &'t mut Text {
    if let Some(table) = &record.table {
        out.line(format_args!("          Table:  {}", escape(table)));
    }
    out.line(format_args!("   Fixed Columns:  {}", record.fixed.len()));
    out.line(RECORD_RULE);
    record.fixed.iter().for_each(|it| fixed(out, it));
    out.line("");
    out.line(format_args!("Variable Columns:  {}", record.variable.len()));
    out.line(RECORD_RULE);
    record.variable.iter().for_each(|it| variable(out, it));
    out.line("");
    out.line("  Tagged Columns:").line(RECORD_RULE);
    if let Some(fault) = &record.fault {
        out.line(format_args!(
            "Tagged column corruption detected. {}",
            escape(fault)
        ));
    }
    let offset = record.tagged_offset;
    out.line(format_args!(
        "TAGFIELDS array begins at offset 0x{offset:x} from start of record."
    ));
    out.line("");
    record.tagged.iter().for_each(|it| tagged(out, it));
    out.line("")
}

fn head(column: &ColumnDump) -> String {
    /// Bit of a column id that says "of the template".
    const TEMPLATE: u32 = 0x8000_0000;
    let id = u32::from(column.fid.get()) | if column.template { TEMPLATE } else { 0 };
    let name = column.name.as_deref().unwrap_or("UnknownColName ");
    let coltyp = column.coltyp.map_or("UnknownColType", Coltyp::name);
    format!("{id} (0x{id:x}):  [{coltyp:<16}] {}", escape(name))
}

fn fixed(out: &mut Text, column: &ColumnDump) {
    match (column.values.first(), &column.fault) {
        (Some(value), _) => {
            out.line(head(column)).hex(&value.stored);
        }
        (None, Some(fault)) => {
            out.line(head(column));
            out.line(format_args!("<ERR: {}>", escape(fault)));
        }
        (None, None) => {
            out.line(format_args!("{}  -  <NULL>", head(column)));
        }
    }
}

fn variable(out: &mut Text, column: &ColumnDump) {
    match (column.values.first(), &column.fault) {
        (Some(value), _) => {
            let count = value.stored.len();
            out.line(format_args!("{}  -  {count} bytes", head(column)));
            out.hex(&value.stored).line("");
        }
        (None, Some(fault)) => {
            out.line(format_args!(
                "{}  -  <ERR: {}>",
                head(column),
                escape(fault)
            ));
        }
        (None, None) => {
            out.line(format_args!("{}  -  <NULL>", head(column)));
        }
    }
}

fn tagged(out: &mut Text, column: &ColumnDump) {
    let null = if column.values.is_empty() {
        "  -  <NULL>"
    } else {
        ""
    };
    out.line(format_args!("{}{null}", head(column)));
    for (itag, value) in (1..).zip(&column.values) {
        let mut words = String::new();
        if value.long.is_some() {
            words += "separated";
        }
        if value.compressed {
            words += " compressed";
        }
        if value.encrypted {
            words += " encrypted";
        }
        let count = value.stored.len();
        out.line(format_args!(">> itag {itag}: {count} bytes: {words}"));
        let most = match &value.plain {
            Some(_) => SHOWN_COMPRESSED,
            None => SHOWN,
        };
        shown(out, &value.stored, most);
        if let Some(plain) = &value.plain {
            out.line(format_args!(">> {} bytes uncompressed:", plain.len()));
            shown(out, plain, SHOWN);
        }
    }
}

fn shown(out: &mut Text, bytes: &[u8], most: usize) {
    out.hex(&bytes[..bytes.len().min(most)]);
    if bytes.len() > most {
        out.line("...");
    }
    out.line("");
}
