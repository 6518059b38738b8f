//! Reads the catalog twice where it must: as the engine does, until the first error, then without
//! its indexes and with the shadow's help.

use super::{
    CallbackMeta, ColumnMeta, IndexMeta, KeyValue, LongValueMeta, MetaOptions, Stop, Stopped,
    TableMeta,
};
use crate::db::Database;
use crate::db::catalog::CatalogRow;
use crate::format::ids::{Objid, PageSize, Pgno};
use crate::format::lv::ChunkSize;
use crate::format::schema::{CatalogType, index_flags};
use crate::format::stamp::LogTime;
use crate::format::value::DateTime;
use crate::jet::JetError;
use crate::ops::catalog_read::{Catalog, LooseCatalog};
use crate::ops::engine_read::{Reader, Step};
use crate::ops::maintenance;
use crate::ops::space_hints::SpaceHints;

/// What was found.
pub(super) struct Collected {
    pub tables: Vec<TableMeta>,
    pub locales: Vec<KeyValue>,
    pub stopped: Option<Stopped>,
}

/// What all rows have in common for reading them.
#[derive(Clone, Copy)]
struct Format {
    size: PageSize,
    old_segments: bool,
}

/// Collects the metadata of all tables, or of one.
pub(super) fn collect(db: &Database, options: &MetaOptions) -> Collected {
    let reader = Reader::new(db);
    let format = Format {
        size: db.page_size(),
        old_segments: db.header().update_major < 7,
    };
    let mut walk = Walk {
        reader: &reader,
        options,
        format,
        begun: false,
        tables: Vec::new(),
        locales: Vec::new(),
        part: None,
    };
    let Err(stop) = walk.strictly() else {
        return Collected {
            tables: walk.tables,
            locales: walk.locales,
            stopped: None,
        };
    };
    let stopped = Stopped {
        stop,
        tables: walk.begun.then_some(walk.tables.len()),
        indexes: walk.part.as_ref().map(|part| part.indexes.len()),
        columns: walk.part.as_ref().map_or(0, |part| part.columns.len()),
    };
    // Whole tables stay as the engine has them; all others follow in the order of their names.
    let known = walk.tables.len();
    for table in loosely(&reader, options, format) {
        if walk.tables[..known]
            .iter()
            .all(|done| done.objid != table.objid)
        {
            walk.tables.push(table);
        }
    }
    Collected {
        tables: walk.tables,
        locales: walk.locales,
        stopped: Some(stopped),
    }
}

struct Walk<'r> {
    reader: &'r Reader<'r>,
    options: &'r MetaOptions,
    format: Format,
    /// The dump has begun: the database could be attached.
    begun: bool,
    tables: Vec<TableMeta>,
    locales: Vec<KeyValue>,
    /// The table being read, as soon as its own row was shown.
    part: Option<TableMeta>,
}

impl Walk<'_> {
    fn strictly(&mut self) -> Step<()> {
        let catalog = Catalog::new(self.reader);
        self.reader.attach()?;
        catalog.table("MSysObjids")?;
        self.begun = true;
        if self.options.details {
            // The engine goes on when this table cannot be read. [engine]
            self.locales = maintenance::read_locales(self.reader, &catalog).unwrap_or_default();
        }
        match &self.options.table {
            Some(name) => {
                let row = catalog.table(name)?;
                self.table(&catalog, &row.ok_or(Stop::new(JetError::OBJECT_NOT_FOUND))?)
            }
            None => catalog.tables(&mut |row| self.table(&catalog, row)),
        }
    }

    fn table(&mut self, catalog: &Catalog<'_>, row: &CatalogRow) -> Step<()> {
        let format = self.format;
        let template = match &row.template {
            Some(name) => catalog.table(name)?,
            None => None,
        };
        let long_values = catalog.first(row.table, CatalogType::LongValue)?;
        let meta = table_meta(row, template.as_ref(), long_values.as_ref(), format);
        let part = self.part.insert(meta);
        let mut objects = |kind, add: &mut dyn FnMut(&mut TableMeta, &CatalogRow) -> Step<()>| {
            catalog.objects(row.table, kind, &mut |object| add(&mut *part, object))
        };
        let columns = objects(CatalogType::Column, &mut |part, column| {
            part.columns.extend(column_meta(column));
            Ok(())
        });
        // Without details the engine does not read the columns. [engine]
        if self.options.details {
            columns?;
        }
        objects(CatalogType::Index, &mut |part, index| {
            let definition = index.index(format.old_segments);
            let key = catalog.segment_names(row, &definition.segments, false)?;
            let conditions = catalog.segment_names(row, &definition.conditions, true)?;
            let from = match &template {
                Some(template) if is_derived_secondary(index) => {
                    find_index(catalog, template, &index.name)?
                }
                _ => None,
            };
            let hints = SpaceHints::of_index(index, from.as_ref(), format.size);
            part.indexes
                .push(index_meta(index, format, key, conditions, hints));
            Ok(())
        })?;
        let callbacks = objects(CatalogType::Callback, &mut |part, callback| {
            part.callbacks.push(callback_meta(callback));
            Ok(())
        });
        if self.options.details {
            callbacks?;
        }
        self.tables.extend(self.part.take());
        Ok(())
    }
}

fn is_derived_secondary(row: &CatalogRow) -> bool {
    row.flags & index_flags::DERIVED != 0 && row.flags & index_flags::PRIMARY == 0
}

fn find_index(
    catalog: &Catalog<'_>,
    template: &CatalogRow,
    name: &str,
) -> Step<Option<CatalogRow>> {
    let mut found = None;
    catalog.objects(template.table, CatalogType::Index, &mut |row| {
        if row.name.eq_ignore_ascii_case(name) {
            found = Some(row.clone());
        }
        Ok(())
    })?;
    Ok(found)
}

/// All tables that the catalog or its shadow still tell of.
fn loosely(reader: &Reader<'_>, options: &MetaOptions, format: Format) -> Vec<TableMeta> {
    let catalog = LooseCatalog::read(reader);
    let wanted = |row: &&CatalogRow| {
        options
            .table
            .as_ref()
            .is_none_or(|name| row.name.eq_ignore_ascii_case(name))
    };
    let tables = catalog.tables().into_iter().filter(wanted);
    tables
        .map(|row| loose_table(&catalog, row, format))
        .collect()
}

fn loose_table(catalog: &LooseCatalog, row: &CatalogRow, format: Format) -> TableMeta {
    let template = row.template.as_deref().and_then(|name| catalog.table(name));
    let long_values = catalog.objects(row.table, CatalogType::LongValue).next();
    let mut meta = table_meta(row, template, long_values, format);
    let columns = catalog.objects(row.table, CatalogType::Column);
    meta.columns = columns.filter_map(column_meta).collect();
    for index in catalog.objects(row.table, CatalogType::Index) {
        let definition = index.index(format.old_segments);
        let key = catalog.segment_names(row, &definition.segments, false);
        let conditions = catalog.segment_names(row, &definition.conditions, true);
        let from = template
            .filter(|_| is_derived_secondary(index))
            .and_then(|template| {
                catalog
                    .objects(template.table, CatalogType::Index)
                    .find(|row| row.name.eq_ignore_ascii_case(&index.name))
            });
        let hints = SpaceHints::of_index(index, from, format.size);
        meta.indexes
            .push(index_meta(index, format, key, conditions, hints));
    }
    let callbacks = catalog.objects(row.table, CatalogType::Callback);
    meta.callbacks = callbacks.map(callback_meta).collect();
    meta
}

fn time(raw: u64) -> LogTime {
    DateTime::from_raw(raw).filetime_log_time()
}

fn table_meta(
    row: &CatalogRow,
    template: Option<&CatalogRow>,
    long_values: Option<&CatalogRow>,
    format: Format,
) -> TableMeta {
    TableMeta {
        name: row.name.clone(),
        objid: row.table,
        root: Pgno::new(row.coltyp_or_root),
        root_set_time: time(row.root_set_time),
        flags: row.flags,
        initial_pages: row.pages_or_locale,
        density: row.space_usage,
        template: row.template.clone(),
        long_value_chunk: ChunkSize::new(format.size, row.lv_chunk_max).get(),
        long_values: long_values.map(|row| LongValueMeta {
            objid: Objid::new(row.id),
            root: Pgno::new(row.coltyp_or_root),
            root_set_time: time(row.root_set_time),
        }),
        hints: SpaceHints::of_table(row, template, format.size),
        deferred_long_value_hints: SpaceHints::deferred(row),
        columns: Vec::new(),
        indexes: Vec::new(),
        callbacks: Vec::new(),
    }
}

fn column_meta(row: &CatalogRow) -> Option<ColumnMeta> {
    Some(ColumnMeta {
        column: row.column()?,
        stored_offset: row.record_offset,
        default_len: row.default.as_ref().map_or(0, Vec::len),
        callback_data_len: row.callback_data_len,
    })
}

fn index_meta(
    row: &CatalogRow,
    format: Format,
    key: Vec<String>,
    condition_columns: Vec<String>,
    hints: SpaceHints,
) -> IndexMeta {
    IndexMeta {
        index: row.index(format.old_segments),
        key,
        condition_columns,
        own_key_most: row.key_most,
        own_segment_most: row.var_seg_mac,
        own_map_flags: row.map_flags,
        sort_id: row.sort_id.first_chunk().copied(),
        root_set_time: time(row.root_set_time),
        hints,
    }
}

fn callback_meta(row: &CatalogRow) -> CallbackMeta {
    CallbackMeta {
        when: row.flags,
        callback: row.template.clone().unwrap_or_default(),
    }
}
