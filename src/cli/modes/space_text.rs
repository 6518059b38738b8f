//! A space dump in Eseutil's layout. [engine, verified on the reference's outputs]

use super::space_cells::rounded;
use super::space_fields::{Cell, Columns};
use crate::cli::layout::Layout;
use crate::format::ids::Objid;
use crate::format::value::DateTime;
use crate::ops::space_dump::{
    ObjectKind, RecordField, RecordValue, SpaceDump, SpaceObject, Totals, WorkTable,
};

/// Objects with a smaller part of the database are left out unless asked for.
const SMALL: f64 = 0.005;
/// A database of at least this size...
const LARGE_BYTES: u64 = 100 * 1024 * 1024;
/// ... that is emptier than this is worth a defragmentation.
const EMPTY_PERCENT: f64 = 20.0;

/// What is shown.
pub(super) struct Shown {
    /// Columns.
    pub columns: Columns,
    /// Objects below the threshold too.
    pub small: bool,
    /// Space trees.
    pub space_trees: bool,
    /// Pages lost.
    pub leaks: bool,
    /// What stands between columns.
    pub separator: char,
}

/// The whole dump.
pub(super) fn layout(dump: &SpaceDump, shown: &Shown) -> Layout {
    let mut out = Layout::new();
    for table in &dump.work {
        work(&mut out, table);
    }
    if dump
        .shown()
        .first()
        .is_some_and(|object| object.space.is_some())
    {
        rows(&mut out, dump, shown);
        if dump.stopped.is_none() {
            end(&mut out, dump, shown);
        }
    }
    grid(&mut out, dump);
    out
}

/// Eseutil's block about the file; the cluster size and the number of extents, which it asks of
/// NTFS, are not known elsewhere.
pub(super) fn file_information(name: &str, logical: u64, on_disk: Option<u64>) -> String {
    let on_disk = on_disk.map_or(logical, |bytes| bytes.min(logical));
    let saved = logical - on_disk;
    let percent = (saved * 100).checked_div(logical).unwrap_or(0);
    format!(
        "File Information:\n  File Name: {name}\n  \
         Logical Size: 0x{logical:08x} bytes ({} kB)\n  \
         On-disk Size: 0x{on_disk:08x} bytes ({} kB)\n   \
         Space Saved: 0x{saved:08x} bytes ({} kB) ({percent:2} %)\n\n",
        logical / 1024,
        on_disk / 1024,
        saved / 1024,
    )
}

fn work(out: &mut Layout, table: &WorkTable) {
    // One width of stars on the left where the names are right-aligned, another where not. [engine]
    let (label, left, right) = match table.name {
        "MSysDatabaseMaintenance" => (0, 29, 32),
        _ => (20, 32, 35),
    };
    let (left, right) = ("*".repeat(left), "*".repeat(right));
    out.spacing(format!("{left} {} DUMP {right}", table.name));
    for record in &table.records {
        for field in record {
            out.field(label, field.name, work_value(field));
        }
        out.blank();
    }
}

fn work_value(field: &RecordField) -> String {
    let Some(value) = field.value else {
        return "NULL".to_owned();
    };
    match field.kind {
        RecordValue::Number | RecordValue::LongNumber => value.to_string(),
        RecordValue::Bits => format!("0x{value:X}"),
        RecordValue::Time => time(value),
        RecordValue::Activity => {
            let words = match value {
                0 => "null",
                1 => "table",
                2 => "LV",
                3 => "space",
                _ => "unknown",
            };
            format!("{value} ({words})")
        }
    }
}

/// The number, and right behind it its date and time as Windows writes them for Americans.
/// [verified: clean-ddl2]
fn time(time: i64) -> String {
    let stamp = DateTime::from_raw(time as u64).filetime_log_time();
    if time <= 0 || !stamp.is_set() {
        return time.to_string();
    }
    let [_, minute, hour, day, month, ..] = stamp.0;
    let half = if hour < 12 { "AM" } else { "PM" };
    let hour = match hour % 12 {
        0 => 12,
        hour => hour,
    };
    format!(
        "{time}{month}/{day}/{} {hour}:{minute:02} {half} (0x{time:x})",
        stamp.year()
    )
}

/// Headings and rows.
fn rows(out: &mut Layout, dump: &SpaceDump, shown: &Shown) {
    let width = headings(out, dump, shown);
    let database = dump.shown().first().map_or(0, SpaceObject::owned);
    let mut left_out = false;
    let (mut table, mut table_nodes) = (0, 0);
    let mut leaks = Leaks::default();
    for object in dump.shown() {
        if object.kind == ObjectKind::Table {
            table = object.owned();
            let data = object.shape.as_ref().and_then(|shape| shape.data.as_ref());
            table_nodes = data.map_or(0, |data| data.nodes.total);
        }
        if shown.leaks {
            leaks.before(out, object);
        }
        if object.kind.is_space_tree() && !shown.space_trees {
            continue;
        }
        let small = (object.owned() as f64 / database as f64) < SMALL;
        if small && !shown.small && !object.deleted {
            left_out = true;
            continue;
        }
        let cell = Cell {
            object,
            database,
            table,
            table_nodes,
            page: u64::from(dump.page_size.header_value()),
        };
        let cells: Vec<_> = shown
            .columns
            .fields
            .iter()
            .map(|field| field.cell(&cell, shown.separator))
            .collect();
        out.spacing(cells.join(&shown.separator.to_string()));
        if object.kind == ObjectKind::Database {
            out.blank();
        }
    }
    if shown.leaks && dump.stopped.is_none() {
        leaks.end(out, dump);
    }
    if dump.stopped.is_none() {
        if left_out {
            out.spacing(format!(
                "Note: Some small tables/indices were not printed (use /v option to see those \
                 smaller than {:.1}% of the database).",
                SMALL * 100.0
            ));
        }
        out.spacing("-".repeat(width));
    }
}

/// The title and the names of the columns; the width of the table.
fn headings(out: &mut Layout, dump: &SpaceDump, shown: &Shown) -> usize {
    const TITLE: &str = "******************************** SPACE DUMP *******";
    let fields = &shown.columns.fields;
    out.field(16, "PageSize", dump.page_size.header_value());
    out.blank();
    let width: usize = fields.iter().map(|field| field.width + 1).sum();
    out.spacing(format!("{TITLE:*<width$}"));
    let separator = shown.separator.to_string();
    let names: Vec<_> = fields
        .iter()
        .map(|field| {
            let (name, width) = (field.name, field.width);
            let parts = field.parts.matches(',').count();
            if field.is_name() {
                format!("{name:<width$}")
            } else if shown.separator == ',' && parts > 0 {
                // As many separators as the column has parts.
                let width = width - name.len() - parts;
                format!("{:width$}{}{name}", "", ",".repeat(parts))
            } else {
                format!("{name:>width$}")
            }
        })
        .collect();
    out.spacing(names.join(&separator));
    if fields.iter().any(|field| !field.parts.is_empty()) {
        let parts = fields.iter().map(|field| {
            let width = field.width;
            format!("{:<width$}", field.parts)
        });
        out.spacing(parts.collect::<Vec<_>>().join(&separator));
    }
    let rule = width.max(TITLE.len().min(width));
    out.spacing("=".repeat(rule));
    width
}

/// Pages lost of the table and of the tree under it that came last; the engine tells of them when
/// the next one comes.
#[derive(Default)]
struct Leaks {
    table: Option<(Objid, i64)>,
    tree: Option<(&'static str, Objid, i64)>,
}

impl Leaks {
    fn before(&mut self, out: &mut Layout, object: &SpaceObject) {
        match object.kind {
            ObjectKind::Table => {
                self.flush(out);
                self.table = object.leaked.map(|pages| (object.objid, pages));
            }
            ObjectKind::LongValues | ObjectKind::Index => {
                self.flush_tree(out);
                let what = if object.kind == ObjectKind::Index {
                    "Index"
                } else {
                    "LV"
                };
                self.tree = object.leaked.map(|pages| (what, object.objid, pages));
            }
            _ => {}
        }
    }

    fn flush(&mut self, out: &mut Layout) {
        if let Some((objid, pages)) = self.table.take() {
            tell(out, "Table", objid, pages);
        }
        self.flush_tree(out);
    }

    fn flush_tree(&mut self, out: &mut Layout) {
        if let Some((what, objid, pages)) = self.tree.take() {
            tell(out, what, objid, pages);
        }
    }

    fn end(&mut self, out: &mut Layout, dump: &SpaceDump) {
        self.flush(out);
        let database = dump.objects.first().and_then(|object| object.leaked);
        match database {
            Some(pages @ 1..) => {
                out.spacing(format!("\t\tDatabase root leaked {pages} pages."));
            }
            Some(pages) if pages < 0 => {
                out.spacing(format!(
                    "\n\t\tERROR: database has {} pages overbooked.\n",
                    -pages
                ));
            }
            _ => {}
        }
    }
}

fn tell(out: &mut Layout, what: &str, objid: Objid, pages: i64) {
    match pages {
        1.. => {
            out.spacing(format!("\t\t{what} Objid({objid}) leaked {pages} pages."));
        }
        ..0 => {
            out.blank();
            out.spacing(format!(
                "\t\tERROR: objid({objid}) has {} pages overbooked.",
                -pages
            ));
            out.blank();
        }
        0 => {}
    }
}

fn end(out: &mut Layout, dump: &SpaceDump, shown: &Shown) {
    let totals = &dump.totals;
    out.blank();
    out.spacing(format!(
        "    Enumerated {} Tables ( {} Internal Trees, {} Long Value Trees, {} Secondary Indices )",
        totals.tables, totals.internal_trees, totals.long_value_trees, totals.indexes
    ));
    out.blank();
    out.spacing(pages_line(totals, shown.leaks && !dump.one_table));
    if totals.data.is_some() {
        out.blank();
    }
    out.blank();
    let ends = &totals.end_unused;
    out.spacing(format!(
        "    Pgno Ranges (User min-max: {} - {}; Last: {}; DB End Contiguous Unused: {} - {}; \
         Shelved min-max: {} - {}; Total: {})",
        totals.first_used,
        totals.last_used,
        totals.pages,
        ends.first,
        ends.last,
        totals.first_shelved,
        totals.last_shelved,
        totals.pages
    ));
    let bytes = totals.pages * u64::from(dump.page_size.header_value());
    if bytes > LARGE_BYTES && percent(totals.available, totals) > EMPTY_PERCENT {
        out.blank();
        out.spacing(
            "    Note: This database is over 20% empty, an offline defragmentation can be used to \
             shrink the file.",
        );
    }
    out.blank();
}

fn percent(pages: u64, totals: &Totals) -> f64 {
    pages as f64 / totals.pages as f64 * 100.0
}

fn pages_line(totals: &Totals, leaks: bool) -> String {
    let part = |pages: u64, what: &str| {
        let percent = rounded(percent(pages, totals), 1);
        format!("{pages} {what} ({percent}%)")
    };
    let available = part(totals.available, "Available");
    let Some((data, overhead)) = totals.data.zip(totals.overhead) else {
        let used = part(totals.pages.saturating_sub(totals.available), "Used");
        return format!(
            "    Pages {} ( {used}, {available} ) + {} Shelved",
            totals.pages, totals.shelved
        );
    };
    // Eseutil leaves the root page of the database out, counts the leaves of space trees as data and
    // as overhead, and their internal pages twice as overhead. [engine]
    let (leaves, above) = totals.space_trees;
    let (data, overhead) = (data.saturating_sub(1) + leaves, overhead + above);
    let leaked = match totals.leaked {
        Some(pages) if leaks => format!(" {},", part(pages.unsigned_abs(), "Leaked")),
        _ => String::new(),
    };
    format!(
        "    Pages {} ( {}, {},{leaked} {available} ) + {} Shelved",
        totals.pages,
        part(data, "Data"),
        part(overhead, "Overhead"),
        totals.shelved
    )
}

/// Every object and the sums, for the table format.
fn grid(out: &mut Layout, dump: &SpaceDump) {
    let totals = &dump.totals;
    if let Some(stopped) = &dump.stopped {
        out.note("First error", stopped.stop);
    }
    out.note("Pages", totals.pages);
    out.note("Available", totals.available);
    out.note("Shelved", totals.shelved);
    if let Some(leaked) = totals.leaked {
        out.note("Leaked", leaked);
    }
    let number = |value: Option<u64>| value.map(|value| value.to_string()).unwrap_or_default();
    let rows = dump.objects.iter().map(|object| {
        let space = object.space.as_ref();
        let indent = "  ".repeat(object.level.into());
        let name = format!("{indent}{}", object.name);
        vec![
            name,
            object.objid.to_string(),
            object.root.to_string(),
            number(space.map(|space| space.owned)),
            number(space.map(|space| space.available + space.split_buffers)),
            number(object.pages.map(|pages| pages.internal + pages.data)),
            object
                .leaked
                .map(|pages| pages.to_string())
                .unwrap_or_default(),
            object
                .error
                .map(|stop| stop.to_string())
                .unwrap_or_default(),
        ]
    });
    out.grid(
        &[
            "Name",
            "Object",
            "Root",
            "Owned",
            "Available",
            "Used",
            "Leaked",
            "Error",
        ],
        rows.collect(),
    );
}
