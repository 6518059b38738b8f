//! The catalog as it is to be written: the rows that both copies have together, without those that make no sense.

use std::collections::{BTreeMap, BTreeSet};

use super::report::CatalogChange;
use super::witnesses::{Witnesses, new_catalog};
use crate::check::CheckReport;
use crate::db::catalog::make::NewRow;
use crate::db::catalog::{CATALOG_ROOT, CatalogRow, Index, SHADOW_ROOT, Schema, Table};
use crate::db::{Database, PageBytes};
use crate::format::ids::{Objid, PageSize};
use crate::format::page::PageFlags;
use crate::format::record::RecordLayout;
use crate::format::record::convert::to_new;
use crate::format::schema::{CatalogType, Coltyp, Fid, KeySegment, column_flags, index_flags};
use crate::problem::{Problem, Severity};
use crate::salvage::{
    CatalogEntry, CatalogReport, Inventory, OrphanTree, SalvageOptions, SalvagedCatalog, TreeKind,
};

/// First revision whose records have the new format: what is assumed where no page tells. [format notes 7.5, 12.1]
const NEW_RECORDS_SINCE: u32 = 3;

/// The rows, and what they say.
#[derive(Clone)]
pub(super) struct Repaired {
    /// How the rows are laid out.
    pub layout: RecordLayout,
    old_segments: bool,
    pub rows: Vec<CatalogEntry>,
    pub schema: Schema,
    pub report: CatalogReport,
    pub changes: Vec<CatalogChange>,
    /// Trees that no row names, where the catalog has lost nothing.
    pub unnamed: Vec<OrphanTree>,
    /// Tables that stand in the catalog that was checked as they stand here.
    unchanged: BTreeSet<Objid>,
}

/// A row of a known meaning.
pub(super) struct Parsed {
    pub entry: CatalogEntry,
    pub row: CatalogRow,
}

impl Repaired {
    pub fn read(db: &Database, inventory: &Inventory) -> Self {
        let salvage = SalvageOptions {
            // That a row can be decoded proves nothing, and there are two copies.
            trust_damaged_pages: false,
            torn: true,
            ..SalvageOptions::default()
        };
        let salvaged = SalvagedCatalog::read(db, inventory, &salvage);
        let mut changes = Vec::new();
        let layout = layout(db.page_size(), flags(db, inventory));
        let mut rows: Vec<Parsed> = Vec::new();
        for mut entry in salvaged.rows {
            let Ok(row) = CatalogRow::with_layout(&entry.data, entry.layout) else {
                continue;
            };
            // Pages of the older format are written in the newer one.
            let mut converted = Vec::new();
            if entry.layout == RecordLayout::Old
                && layout != RecordLayout::Old
                && to_new(&entry.data, db.page_size(), &mut converted).is_ok()
            {
                entry.data = converted;
                entry.layout = layout;
            }
            let why = if entry.layout != layout {
                "its page is of another format"
            } else if entry.key != row.key() {
                "its key is another row's"
            } else {
                ""
            };
            if why.is_empty() {
                rows.push(Parsed { entry, row });
            } else {
                let what = format!("row {} left out: {why}", named(&row));
                changes.push(CatalogChange {
                    table: row.table,
                    what,
                });
            }
        }
        let report = salvaged.report;
        let mut unnamed = salvaged.orphans;
        let is_user = |parsed: &Parsed| {
            let own = [Objid::CATALOG, Objid::CATALOG_SHADOW].contains(&parsed.row.table);
            parsed.row.kind == CatalogType::Table && !own
        };
        let mut guessed = BTreeSet::new();
        let both_lost = report.main.has_lost_nodes() && report.shadow.has_lost_nodes();
        if both_lost || !rows.iter().any(is_user) {
            let witnesses = Witnesses {
                db,
                inventory,
                options: salvage,
                layout,
                orphans: &unnamed,
            };
            guessed = witnesses.add_rows(&mut rows, &mut changes);
            unnamed.clear();
        }
        leave_out_strangers(db, &report, &mut rows, &mut changes);
        leave_out_namesakes(&mut rows, &mut changes);
        leave_out_tables(&mut rows, &mut changes);
        leave_out_doubles(inventory, &mut rows, &mut changes);
        take_back_escrow(&mut rows, &mut changes);
        let rows: Vec<CatalogEntry> = rows.into_iter().map(|parsed| parsed.entry).collect();
        // Before revision 7 index columns have another form. [format notes 6.6]
        let old_segments = db.header().update_major < 7;
        let mut repaired = Self {
            layout,
            old_segments,
            schema: schema(old_segments, &rows),
            rows,
            report,
            changes,
            unnamed,
            unchanged: BTreeSet::new(),
        };
        repaired.leave_out_indexes(&guessed);
        repaired.compare(db);
        repaired
    }

    /// Leaves out indexes that cannot be kept. A table keeps its records in the order of their keys also without
    /// its primary index.
    fn leave_out_indexes(&mut self, guessed: &BTreeSet<(Objid, Fid)>) {
        let mut gone = BTreeSet::new();
        for table in self.schema.tables.values() {
            for index in &table.indexes {
                if let Some(why) = self.contradiction(table, index, guessed) {
                    gone.insert((table.objid, index.objid));
                    self.changes.push(CatalogChange {
                        table: table.objid,
                        what: format!(
                            "index {} of table {} left out: {why}",
                            index.name, table.name
                        ),
                    });
                }
            }
        }
        if gone.is_empty() {
            return;
        }
        self.rows.retain(|entry| {
            CatalogRow::with_layout(&entry.data, entry.layout).is_ok_and(|row| {
                row.kind != CatalogType::Index || !gone.contains(&(row.table, Objid::new(row.id)))
            })
        });
        self.schema = schema(self.old_segments, &self.rows);
    }

    /// Why an index cannot be kept: over a column that is not there, or whose type is only guessed, nobody could tell
    /// whether its entries are right; and the primary index, and no other, is the table itself.
    fn contradiction(
        &self,
        table: &Table,
        index: &Index,
        guessed: &BTreeSet<(Objid, Fid)>,
    ) -> Option<&'static str> {
        let template = self.schema.template_of(table).map(|table| table.objid);
        let mut columns = index.segments.iter().chain(&index.conditions);
        let is_known = |segment: &KeySegment| {
            let owner = if segment.template {
                template
            } else {
                Some(table.objid)
            };
            let column = self.schema.column(table, segment.fid, segment.template);
            let guess = |owner| guessed.contains(&(owner, segment.fid));
            column.is_some_and(|column| column.coltyp != Coltyp::Deleted)
                && !owner.is_some_and(guess)
                && !guess(table.objid)
        };
        if !columns.all(is_known) {
            return Some("the row of one of its columns is lost");
        }
        let is_primary = index.flags & index_flags::PRIMARY != 0;
        (is_primary != (index.objid == table.objid))
            .then_some("its row contradicts itself on whether it is the primary one")
    }

    /// Adds rows that were made.
    pub fn add(&mut self, made: &[NewRow]) {
        let entries = made.iter().filter_map(|row| entry(row, self.layout));
        self.rows.extend(entries);
        self.rows.sort_by(|a, b| a.key.cmp(&b.key));
        self.schema = schema(self.old_segments, &self.rows);
    }

    /// Which tables the check has looked at as they are here. It goes by the longer of the two copies.
    fn compare(&mut self, db: &Database) {
        let (main, shadow) = (Schema::read(db), Schema::read_shadow(db));
        let guide = if main.tables.len() >= shadow.tables.len() {
            main
        } else {
            shadow
        };
        let same = |table: &&Table| {
            let other = guide.tables.get(&table.objid);
            other.is_some_and(|other| description(other) == description(table))
        };
        let tables = self
            .schema
            .tables
            .values()
            .filter(|table| table.is_defined());
        self.unchanged = tables.filter(same).map(|table| table.objid).collect();
    }

    /// Tables in which nothing was found and that can be copied as they are.
    /// `derived` is a table that follows from the catalog, and so is not what it was when rows of that have changed.
    pub fn sound_tables(
        &self,
        check: &CheckReport,
        damaged: &BTreeSet<Objid>,
        derived: &str,
    ) -> BTreeSet<Objid> {
        if check.findings_not_kept > 0 {
            return BTreeSet::new();
        }
        let mut objects: BTreeSet<Objid> = BTreeSet::new();
        let mut names: BTreeSet<&str> = BTreeSet::new();
        for finding in &check.findings {
            // A wrong bit is corrected as the page is read.
            let harmless = finding.problem == Problem::PageCorrectable;
            if !harmless && finding.problem.info().severity > Severity::Note {
                objects.extend(finding.place.objid);
                names.extend(finding.place.table.as_deref());
            }
        }
        let checked = check.tables.iter().map(|table| Objid::new(table.objid));
        checked
            .filter(|objid| self.unchanged.contains(objid) && !damaged.contains(objid))
            .filter(|objid| {
                let Some(table) = self.schema.tables.get(objid) else {
                    return false;
                };
                let mut trees = table.secondary_indexes().map(|index| index.objid);
                (self.changes.is_empty() || table.name != derived)
                    && !names.contains(table.name.as_str())
                    && !objects.contains(objid)
                    && !trees.any(|tree| objects.contains(&tree))
                    && !table
                        .long_values
                        .is_some_and(|lv| objects.contains(&lv.objid))
            })
            .collect()
    }
}

/// What a table is, but for the time at which its root was set, which differs between the copies.
/// [verified: ops-shrink-16k after recovery]
fn description(table: &Table) -> String {
    let mut table = table.clone();
    table.root_set_time = 0;
    for index in &mut table.indexes {
        index.root_set_time = 0;
    }
    if let Some(long_values) = &mut table.long_values {
        long_values.root_set_time = 0;
    }
    format!("{table:?}")
}

/// A row that was made, as the catalog holds it.
pub(super) fn entry(row: &NewRow, layout: RecordLayout) -> Option<CatalogEntry> {
    let (mut key, mut data) = (Vec::new(), Vec::new());
    row.key(&mut key);
    row.encode(&mut data).ok()?;
    Some(CatalogEntry {
        key,
        data,
        layout,
        in_both: false,
    })
}

fn schema(old_segments: bool, rows: &[CatalogEntry]) -> Schema {
    Schema::from_rows(
        rows.iter().map(|row| (&row.data[..], row.layout)),
        old_segments,
    )
}

fn layout(size: PageSize, flags: PageFlags) -> RecordLayout {
    RecordLayout::new(size.is_large(), flags.any(PageFlags::NEW_RECORD_FORMAT))
}

fn named(row: &CatalogRow) -> String {
    format!("{:?} {} of object {}", row.kind, row.name, row.table)
}

/// Where the copies differ, rows about the catalog itself that no new database has.
fn leave_out_strangers(
    db: &Database,
    report: &CatalogReport,
    rows: &mut Vec<Parsed>,
    changes: &mut Vec<CatalogChange>,
) {
    let differ = report.only_main + report.only_shadow + report.differ_main + report.differ_shadow;
    let new = if differ > 0 {
        new_catalog(db).unwrap_or_default()
    } else {
        Vec::new()
    };
    if new.is_empty() {
        return;
    }
    let known: BTreeSet<&[u8]> = new.iter().map(|entry| &entry.key[..]).collect();
    rows.retain(|parsed| {
        let own = [Objid::CATALOG, Objid::CATALOG_SHADOW].contains(&parsed.row.table);
        let stays = !own || parsed.entry.in_both || known.contains(&parsed.entry.key[..]);
        if !stays {
            changes.push(CatalogChange {
                table: parsed.row.table,
                what: format!("row {} left out: no catalog has it", named(&parsed.row)),
            });
        }
        stays
    });
}

/// Of two rows of one table, kind and name the one that both copies have, else the first.
fn leave_out_namesakes(rows: &mut Vec<Parsed>, changes: &mut Vec<CatalogChange>) {
    let name = |parsed: &Parsed| {
        let row = &parsed.row;
        // Tables must not share a name at all.
        let table = (row.kind != CatalogType::Table).then_some(row.table);
        (table, row.kind as u8, row.name.to_ascii_uppercase())
    };
    let mut best: BTreeMap<_, usize> = BTreeMap::new();
    for (at, parsed) in rows.iter().enumerate() {
        let chosen = best.entry(name(parsed)).or_insert(at);
        if parsed.entry.in_both && !rows[*chosen].entry.in_both {
            *chosen = at;
        }
    }
    let kept: BTreeSet<usize> = best.into_values().collect();
    let mut at = 0;
    rows.retain(|parsed| {
        let stays = kept.contains(&at) || parsed.row.name.is_empty() || parsed.entry.in_both;
        at += 1;
        if !stays {
            changes.push(CatalogChange {
                table: parsed.row.table,
                what: format!("row {} left out: another has its name", named(&parsed.row)),
            });
        }
        stays
    });
}

/// Rows about a table that no row defines, as the engine's repair does. [format notes 14.1 item 4]
fn leave_out_tables(rows: &mut Vec<Parsed>, changes: &mut Vec<CatalogChange>) {
    let tables = rows
        .iter()
        .filter(|parsed| parsed.row.kind == CatalogType::Table);
    let defined: BTreeSet<Objid> = tables.map(|parsed| parsed.row.table).collect();
    let mut without: BTreeMap<Objid, u64> = BTreeMap::new();
    rows.retain(|parsed| {
        let kept = defined.contains(&parsed.row.table);
        if !kept {
            *without.entry(parsed.row.table).or_default() += 1;
        }
        kept
    });
    changes.extend(without.into_iter().map(|(table, count)| CatalogChange {
        table,
        what: format!("{count} rows of object {table} left out: no row says what table it is"),
    }));
}

/// Of two trees with one object id, and of two long value trees of one table, the one that the file has.
fn leave_out_doubles(
    inventory: &Inventory,
    rows: &mut Vec<Parsed>,
    changes: &mut Vec<CatalogChange>,
) {
    let mut trees: BTreeSet<u32> = BTreeSet::new();
    let mut long_values: BTreeMap<Objid, u32> = BTreeMap::new();
    for parsed in rows.iter() {
        if parsed.row.kind == CatalogType::LongValue {
            let leaves = |id: u32| {
                inventory
                    .leaves(Objid::new(id), TreeKind::LongValues)
                    .count()
            };
            let chosen = long_values.entry(parsed.row.table).or_insert(parsed.row.id);
            if leaves(parsed.row.id) > leaves(*chosen) {
                *chosen = parsed.row.id;
            }
        }
    }
    rows.retain(|parsed| {
        let row = &parsed.row;
        let is_primary = row.kind == CatalogType::Index && row.id == row.table.get();
        let double = match row.kind {
            CatalogType::Column | CatalogType::Callback => false,
            CatalogType::LongValue if long_values.get(&row.table) != Some(&row.id) => true,
            CatalogType::Index if is_primary => false,
            _ => !trees.insert(row.id),
        };
        if double {
            changes.push(CatalogChange {
                table: row.table,
                what: format!("row {} left out: another says the same", named(row)),
            });
        }
        !double
    });
}

/// A column without a default value cannot be one that many may change at once: the engine would not know what to add to.
fn take_back_escrow(rows: &mut [Parsed], changes: &mut Vec<CatalogChange>) {
    for Parsed { entry, row } in rows {
        let column = Some(&*row).filter(|row| row.kind == CatalogType::Column);
        let Some(column) = column.and_then(CatalogRow::column) else {
            continue;
        };
        let is_escrow = column.flags & column_flags::ESCROW != 0;
        if !is_escrow || column.default.is_some() || column.coltyp == Coltyp::Deleted {
            continue;
        }
        let flags = row.flags & !column_flags::ESCROW;
        if CatalogRow::set_flags(&mut entry.data, flags) {
            row.flags = flags;
            changes.push(CatalogChange {
                table: row.table,
                what: format!(
                    "row {} is no longer an escrow column: it has no default",
                    named(row)
                ),
            });
        }
    }
}

/// The flags of the catalog's pages: of its root, else of any page of it or of its shadow.
pub(super) fn flags(db: &Database, inventory: &Inventory) -> PageFlags {
    let mut bytes = PageBytes::new(db.page_size());
    let copies = [
        (Objid::CATALOG, CATALOG_ROOT),
        (Objid::CATALOG_SHADOW, SHADOW_ROOT),
    ];
    let leaves = |objid| inventory.leaves(objid, TreeKind::Data);
    let candidates = copies.into_iter().chain(
        copies
            .into_iter()
            .flat_map(|(objid, _)| leaves(objid).map(move |at| (objid, at))),
    );
    for (objid, pgno) in candidates {
        if let Ok(page) = db.read(pgno, &mut bytes)
            && page.objid() == objid
            && TreeKind::Data.fits(page.flags())
        {
            return page.flags();
        }
    }
    let new = db.header().update_major >= NEW_RECORDS_SINCE;
    PageFlags::new(if new { PageFlags::NEW_RECORD_FORMAT } else { 0 })
}
