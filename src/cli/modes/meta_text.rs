//! A metadata dump in Eseutil's layout. [engine, verified on the reference's outputs]

use crate::cli::layout::Layout;
use crate::format::ids::{Objid, Pgno};
use crate::format::schema::{Coltyp, FidKind, KeySegment, column_flags, index_flags, table_flags};
use crate::format::stamp::LogTime;
use crate::ops::meta_dump::{
    CallbackMeta, ColumnMeta, IndexMeta, KeyValue, MetaDump, SpaceHints, TableMeta, guid,
};

const TITLE: &str =
    "******************************* META-DATA DUMP *******************************";
const END: &str = "******************************************************************************";

/// The whole dump.
pub(super) fn layout(dump: &MetaDump, verbose: bool) -> Layout {
    let mut out = Layout::new();
    let stopped = dump.stopped;
    let whole = stopped.map_or(Some(dump.tables.len()), |stopped| stopped.tables);
    if let Some(whole) = whole {
        if verbose {
            locales(&mut out, &dump.locales);
            out.spacing(TITLE);
        } else {
            headings(&mut out, dump);
        }
        for table in &dump.tables[..whole] {
            show(
                &mut out,
                table,
                verbose,
                table.columns.len(),
                table.indexes.len(),
            );
        }
        // The table at which the engine ended: its own rows, and what came before the error.
        let part = stopped.and_then(|stopped| Some((stopped.indexes?, stopped.columns)));
        if let Some(((indexes, columns), table)) = part.zip(dump.tables.get(whole)) {
            show(&mut out, table, verbose, columns, indexes);
        }
        if stopped.is_none() {
            out.spacing(END);
        }
    }
    grid(&mut out, dump);
    out
}

fn headings(out: &mut Layout, dump: &MetaDump) {
    const WIDTH: usize = 109;
    out.spacing(TITLE);
    out.spacing(format!(
        "{:<51}Type    ObjidFDP    PgnoFDP             PgnoFDPLastSetTime",
        "Name"
    ));
    out.spacing("=".repeat(WIDTH));
    let name = dump.path.file_name().unwrap_or_default().to_string_lossy();
    // Five characters of the name: the original's slip, which scripts know. [engine]
    out.spacing(format!(
        "{name:<51.5} Db   {}",
        ids(Objid::SYSTEM_ROOT, Pgno::new(1))
    ));
    out.blank();
}

fn ids(objid: Objid, root: Pgno) -> String {
    format!("{} {}", number(objid.get(), 10), number(root.get(), 10))
}

/// A signed number; `#` where it does not fit.
fn number(value: u32, width: usize) -> String {
    let text = (value as i32).to_string();
    if text.len() > width {
        "#".repeat(width)
    } else {
        format!("{text:>width$}")
    }
}

fn show(out: &mut Layout, table: &TableMeta, verbose: bool, columns: usize, indexes: usize) {
    if verbose {
        details(out, table, columns, indexes);
    } else {
        brief(out, table, indexes);
    }
}

fn brief(out: &mut Layout, table: &TableMeta, indexes: usize) {
    out.spacing(format!(
        "{:<51.51} Tbl  {}    {}",
        table.name,
        ids(table.objid, table.root),
        table.root_set_time
    ));
    if let Some(tree) = &table.long_values {
        out.spacing(format!(
            "  {:<49.49} LV   {}    {}",
            "<Long Values>",
            ids(tree.objid, tree.root),
            tree.root_set_time
        ));
    }
    for meta in table.indexes.iter().take(indexes) {
        let index = &meta.index;
        let kind = if index.flags & index_flags::PRIMARY != 0 {
            "Pri"
        } else {
            "Idx"
        };
        out.spacing(format!(
            "  {:<49.49} {kind}  {}",
            index.name,
            ids(index.objid, index.root)
        ));
    }
}

fn locales(out: &mut Layout, entries: &[KeyValue]) {
    out.spacing("******************************* MSysLocales **********************************");
    for (at, entry) in entries.iter().enumerate() {
        let value = entry.value.unwrap_or_default();
        out.spacing(format!(
            "KVP Elem[{at}] key = {}, type = {}, value = {value}",
            entry.key, entry.kind
        ));
    }
    out.spacing(END);
}

fn details(out: &mut Layout, table: &TableMeta, columns: usize, indexes: usize) {
    out.spacing("Table Name        PgnoFDP  ObjidFDP    PgnoLV   ObjidLV     Pages  Density");
    out.spacing("=".repeat(74));
    out.spacing(table.name.clone());
    let (lv_root, lv_objid, lv_time) = match &table.long_values {
        Some(tree) => (tree.root.get(), tree.objid.get(), tree.root_set_time),
        None => (0, 0, LogTime::default()),
    };
    out.spacing(format!(
        "{:17}{}  {}  {}  {}  {}  {}%",
        "",
        number(table.root.get(), 8),
        number(table.objid.get(), 8),
        number(lv_root, 8),
        number(lv_objid, 8),
        number(table.initial_pages, 8),
        number(table.density, 6)
    ));
    out.spacing(format!("    PgnoFDPLastSetTime={}", table.root_set_time));
    out.spacing(format!("    PgnoFDPLVLastSetTime={lv_time}"));
    out.spacing(format!("    LV ChunkSize={}", table.long_value_chunk));
    for (flag, words) in [
        (table_flags::SYSTEM, "System Table"),
        (table_flags::FIXED_DDL, "FixedDDL"),
        (table_flags::TEMPLATE, "Template"),
    ] {
        if table.flags & flag != 0 {
            out.spacing(format!("    {words}=yes"));
        }
    }
    if let Some(template) = &table.template {
        out.spacing(format!("    Derived From: {template:>5}"));
    }
    hints(out, "    ", "Table", &table.hints);
    if let Some(deferred) = &table.deferred_long_value_hints {
        hints(out, "    ", "Deferred LV", deferred);
    }
    out.spacing("    Column Name     Column Id  Column Type      Length  Default");
    out.spacing(format!("    {}", "-".repeat(59)));
    for column in table.columns.iter().take(columns) {
        column_details(out, column);
    }
    out.spacing("    Index Name        PgnoFDP  ObjidFDP  Density");
    out.spacing(format!("    {}", "-".repeat(44)));
    for index in table.indexes.iter().take(indexes) {
        index_details(out, index);
    }
    out.spacing("    Callback Type        Callback");
    out.spacing(format!("    {}", "-".repeat(44)));
    for callback in &table.callbacks {
        callback_details(out, callback);
    }
}

fn hints(out: &mut Layout, indent: &str, what: &str, hints: &SpaceHints) {
    out.spacing(format!(
        "{indent}{what} Space Hints:       cbStruct: 32, grbit={:#x}",
        hints.flags
    ));
    out.spacing(format!(
        "{indent}    Densities:     Initial={}%,  Maintenance={}%",
        hints.initial_density, hints.maintenance_density
    ));
    out.spacing(format!(
        "{indent}    Growth Hints:  cbInitial={}, ulGrowth={}%,  cbMinExtent={}, cbMaxExtent={}",
        hints.initial_bytes, hints.growth, hints.min_extent, hints.max_extent
    ));
}

fn column_details(out: &mut Layout, meta: &ColumnMeta) {
    const MIB: u32 = 1024 * 1024;
    let column = &meta.column;
    let stored = match column.fid.kind() {
        FidKind::Fixed => "(F)",
        FidKind::Variable => "(V)",
        FidKind::Tagged => "(T)",
    };
    // Seven characters: longer lengths in megabytes. [engine]
    let length = match column.max_len {
        0..=9_999_999 => number(column.max_len, 7),
        bytes => format!("{}MB", number(bytes / MIB, 5)),
    };
    out.spacing(format!(
        "    {:<15.15} {}  {:<12.12}{stored} {length}{}",
        column.name,
        number(column.fid.get().into(), 9),
        type_name(column.coltyp),
        if meta.default_len > 0 { "  Yes" } else { "" }
    ));
    if column.fid.kind() == FidKind::Fixed {
        let offset = meta.stored_offset;
        out.spacing(format!("        Offset={offset} ({offset:#x})"));
    }
    if column.coltyp.is_text() {
        let page = column.code_page;
        out.spacing(format!("        Code Page={page} ({page:#x})"));
    }
    column_flag_lines(out, meta);
    out.spacing(format!("        Flags={:#x}", column.flags));
}

fn column_flag_lines(out: &mut Layout, meta: &ColumnMeta) {
    let column = &meta.column;
    let has = |flag: u32| column.flags & flag != 0;
    for (flag, words) in [
        (column_flags::VERSION, "Version"),
        (column_flags::NOT_NULL, "Disallow Null"),
        (column_flags::MULTI_VALUED, "Multi-value"),
        (column_flags::AUTO_INCREMENT, "Auto-increment"),
        (column_flags::ESCROW, "EscrowUpdate"),
        (column_flags::FINALIZE, "Finalize"),
        (column_flags::DELETE_ON_ZERO, "DeleteOnZero"),
    ] {
        if has(flag) {
            out.spacing(format!("        {words}=yes"));
        }
    }
    if has(column_flags::DEFAULT) {
        out.spacing("        DefaultValue=yes");
        out.spacing(format!("                Length={} bytes", meta.default_len));
    }
    if has(column_flags::USER_DEFINED_DEFAULT) {
        out.spacing("        User-defined Default=yes");
        let callback = column.callback.as_deref().unwrap_or_default();
        out.spacing(format!("                Callback={callback}"));
        out.spacing(format!(
            "                CallbackData={} bytes",
            meta.callback_data_len
        ));
    }
    for (flag, words) in [
        (column_flags::TEMPLATE_OLD, "TemplateColumnESE98"),
        (column_flags::PRIMARY_PLACEHOLDER, "PrimaryIndexPlaceholder"),
        (column_flags::COMPRESSED, "Compressed"),
        (column_flags::ENCRYPTED, "Encrypted"),
    ] {
        if has(flag) {
            out.spacing(format!("        {words}=yes"));
        }
    }
}

/// The names of the metadata dump, which differ from the others in two obsolete types.
const fn type_name(coltyp: Coltyp) -> &'static str {
    match coltyp {
        Coltyp::Deleted => "Deleted",
        Coltyp::Slv => "???(13)",
        other => other.name(),
    }
}

fn index_details(out: &mut Layout, meta: &IndexMeta) {
    let index = &meta.index;
    out.spacing(format!(
        "    {:<15.15}  {}  {}  {}%",
        index.name,
        number(index.root.get(), 8),
        number(index.objid.get(), 8),
        number(index.density, 6)
    ));
    let extended = index.flags & index_flags::EXTENDED_COLUMN_IDS != 0;
    index_flag_lines(out, meta);
    if extended {
        out.spacing("        Extended Columns=yes");
    }
    out.spacing(format!("        Flags=0x{:08x}", index.flags));
    for (words, most) in [
        ("Key Segment", meta.own_segment_most),
        ("Key", meta.own_key_most),
    ] {
        if let Some(most) = most.filter(|most| *most != 0) {
            out.spacing(format!("        Index {words} Length Specified=yes"));
            out.spacing(format!("            Maximum {words} Length=0x{most:08x}"));
        }
    }
    hints(out, "        ", "Index", &meta.hints);
    let format = if extended { "" } else { " - ESE97 format" };
    let rule = if extended { 17 } else { 32 };
    out.spacing(format!("        Key Segments ({}{format})", meta.key.len()));
    out.spacing(format!("        {}", "-".repeat(rule)));
    for (name, segment) in meta.key.iter().zip(&index.segments) {
        out.spacing(format!(
            "            {name:<15.15} (0x{:08x})",
            column_id(segment)
        ));
    }
    if !meta.condition_columns.is_empty() {
        conditions(out, meta, format);
    }
    out.spacing(format!(
        "        IndexPgnoFDPLastSetTime={}",
        meta.root_set_time
    ));
}

fn conditions(out: &mut Layout, meta: &IndexMeta, format: &str) {
    let rule = if format.is_empty() { 24 } else { 39 };
    out.spacing(format!(
        "        Conditional Columns ({}{format})",
        meta.condition_columns.len()
    ));
    out.spacing(format!("        {}", "-".repeat(rule)));
    for (name, segment) in meta.condition_columns.iter().zip(&meta.index.conditions) {
        let null = if segment.must_be_null {
            "JET_bitIndexColumnMustBeNull"
        } else {
            "JET_bitIndexColumnMustBeNonNull"
        };
        out.spacing(format!(
            "            {name:<15.15} (0x{:08x},{null})",
            column_id(segment)
        ));
    }
}

/// The column id as programs see it: the top bit marks a column of the template.
fn column_id(segment: &KeySegment) -> u32 {
    u32::from(segment.fid.get()) | if segment.template { 0x8000_0000 } else { 0 }
}

fn index_flag_lines(out: &mut Layout, meta: &IndexMeta) {
    let index = &meta.index;
    for (flag, words) in [
        (index_flags::UNIQUE, "Unique"),
        (index_flags::PRIMARY, "Primary"),
        (index_flags::TEMPLATE, "Template"),
        (index_flags::DERIVED, "Derived"),
        (index_flags::NO_NULL_SEGMENT, "Disallow Null"),
        (index_flags::ALLOW_ALL_NULLS, "Allow All Nulls"),
        (index_flags::ALLOW_FIRST_NULL, "Allow First Null"),
        (index_flags::ALLOW_SOME_NULLS, "Allow Some Nulls"),
        (index_flags::SORT_NULLS_HIGH, "Sort Nulls High"),
        (index_flags::MULTI_VALUED, "Multivalued"),
    ] {
        if index.flags & flag != 0 {
            out.spacing(format!("        {words}=yes"));
        }
    }
    if let Some(tuple) = index.tuple {
        out.spacing("        Tuples=yes");
        for (words, number) in [
            ("LengthMin", tuple.min),
            ("LengthMax", tuple.max),
            ("ToIndexMax", tuple.to_index),
            ("CchIncrement", tuple.increment),
            ("IchStart", tuple.start),
        ] {
            out.spacing(format!("            {words}={number}"));
        }
    }
    if index.flags & index_flags::LOCALIZED_TEXT != 0 {
        localized(out, meta);
    }
}

/// Where Eseutil names the version of the running Windows, nothing is known.
fn localized(out: &mut Layout, meta: &IndexMeta) {
    let index = &meta.index;
    let (nls, defined) = index.sort_version.unwrap_or_default();
    out.spacing("        Localized Text=yes");
    out.spacing(format!("            Locale Id={}", index.lcid));
    let locale = index.locale.as_deref().unwrap_or_default();
    out.spacing(format!("            Locale Name={locale}"));
    out.spacing(format!(
        "            LCMap flags=0x{:08x}",
        meta.own_map_flags.unwrap_or_default()
    ));
    let sort_id = guid(&meta.sort_id.unwrap_or_default());
    for (words, value) in [
        ("NLSVersion", nls.to_string()),
        ("DefinedVersion", defined.to_string()),
        ("SortID", sort_id),
    ] {
        out.spacing(format!(
            "            {words}={value} (current OS: <unknown>)"
        ));
    }
}

fn callback_details(out: &mut Layout, callback: &CallbackMeta) {
    const WHEN: [&str; 7] = [
        "Finalize",
        "BeforeInsert",
        "AfterInsert",
        "BeforeReplace",
        "AfterReplace",
        "BeforeDelete",
        "AfterDelete",
    ];
    let names = WHEN
        .iter()
        .enumerate()
        .filter(|(bit, _)| callback.when >> bit & 1 != 0)
        .map(|(_, name)| *name);
    let names = names.collect::<Vec<_>>().join("|");
    out.spacing(format!(
        "    {:02} ({names})   {}",
        callback.when, callback.callback
    ));
}

/// Every object, for the table format.
fn grid(out: &mut Layout, dump: &MetaDump) {
    out.note("Page size", dump.page_size.header_value());
    out.note("Tables", dump.tables.len());
    if let Some(stopped) = &dump.stopped {
        out.note("First error", stopped.stop);
    }
    let mut rows = Vec::new();
    for table in &dump.tables {
        rows.push(vec![
            table.name.clone(),
            "table".to_owned(),
            table.objid.to_string(),
            table.root.to_string(),
            format!("{} columns", table.columns.len()),
        ]);
        if let Some(tree) = &table.long_values {
            rows.push(vec![
                "  long values".to_owned(),
                "long values".to_owned(),
                tree.objid.to_string(),
                tree.root.to_string(),
                String::new(),
            ]);
        }
        for meta in &table.indexes {
            let primary = meta.index.flags & index_flags::PRIMARY != 0;
            rows.push(vec![
                format!("  {}", meta.index.name),
                if primary { "primary index" } else { "index" }.to_owned(),
                meta.index.objid.to_string(),
                meta.index.root.to_string(),
                meta.key.join(" "),
            ]);
        }
    }
    out.grid(&["Name", "Kind", "Object", "Root", "Columns"], rows);
}
