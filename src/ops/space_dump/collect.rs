//! Walks the objects of a database: once as the engine does, until the first error, and then past
//! it as far as anything can be read.

use super::read::{SpaceNumbers, SpaceTree, TreePages};
use super::shape::{ShapeOf, TreeShape};
use super::{CountPages, ObjectKind, SpaceObject, SpaceOptions, Stop, Stopped, WorkTable};
use crate::db::Database;
use crate::db::catalog::CatalogRow;
use crate::format::ids::{Objid, Pgno};
use crate::format::lv::ChunkSize;
use crate::format::schema::{CatalogType, index_flags};
use crate::jet::JetError;
use crate::ops::catalog_read::{Catalog, LooseCatalog};
use crate::ops::engine_read::{Reader, Step};
use crate::ops::maintenance;
use crate::ops::space_hints::SpaceHints;
use crate::progress::Progress;

/// Names that Eseutil gives to trees without one.
const LONG_VALUES: &str = "[Long Values]";
const OWNED_EXTENTS: &str = "[Owned Extents]";
const AVAILABLE_EXTENTS: &str = "[Avail Extents]";

/// What was found.
pub(super) struct Collected {
    pub objects: Vec<SpaceObject>,
    pub stopped: Option<Stopped>,
    pub work: Vec<WorkTable>,
}

impl Collected {
    /// Every error met.
    pub fn errors(&self) -> impl Iterator<Item = Stop> {
        let first = self.stopped.iter().map(|stopped| stopped.stop);
        first.chain(self.objects.iter().filter_map(|object| object.error))
    }
}

/// Collects the space of all objects, or of one table.
pub(super) fn collect(db: &Database, options: &SpaceOptions, progress: &dyn Progress) -> Collected {
    let reader = Reader::new(db);
    let mut walk = Walk {
        reader: &reader,
        options,
        progress,
        objects: Vec::new(),
        whole: 0,
        loose: false,
        work: Vec::new(),
    };
    let stop = walk.strictly().err();
    let mut stopped = None;
    if let Some(stop) = stop {
        stopped = Some(Stopped {
            stop,
            shown: walk.objects.clone(),
        });
        walk.objects.truncate(walk.whole);
        walk.loosely();
    }
    let Walk {
        mut objects, work, ..
    } = walk;
    account(&mut objects);
    if let Some(stopped) = &mut stopped {
        account(&mut stopped.shown);
    }
    if options.table.is_some() {
        // Of the database not all children were looked at.
        objects
            .iter_mut()
            .take(1)
            .for_each(|database| database.leaked = None);
    }
    Collected {
        objects,
        stopped,
        work,
    }
}

struct Walk<'r> {
    reader: &'r Reader<'r>,
    options: &'r SpaceOptions,
    progress: &'r dyn Progress,
    objects: Vec<SpaceObject>,
    /// How many of the objects belong to the database root and to tables read to their end.
    whole: usize,
    /// An error costs its object only.
    loose: bool,
    work: Vec<WorkTable>,
}

/// What an object is called, before its space is read.
struct Named<'n> {
    kind: ObjectKind,
    name: &'n str,
    table: Option<&'n str>,
    objid: Objid,
    root: Pgno,
    level: u8,
    hints: Option<SpaceHints>,
    /// For a tree of long values, the size of their chunks.
    chunk: Option<ChunkSize>,
}

impl Walk<'_> {
    fn strictly(&mut self) -> Step<()> {
        let catalog = Catalog::new(self.reader);
        self.reader.attach()?;
        catalog.table("MSysObjids")?;
        maintenance::read_work(self.reader, &catalog, &mut self.work)?;
        self.database()?;
        self.whole = self.objects.len();
        match &self.options.table {
            Some(name) => {
                let row = catalog.table(name)?;
                let row = row.ok_or(Stop::new(JetError::OBJECT_NOT_FOUND))?;
                self.table_strictly(&catalog, &row)
            }
            None => catalog.tables(&mut |row| self.table_strictly(&catalog, row)),
        }
    }

    fn table_strictly(&mut self, catalog: &Catalog<'_>, row: &CatalogRow) -> Step<()> {
        let size = self.reader.db.page_size();
        let long_values = catalog.first(row.table, CatalogType::LongValue)?;
        let template = match &row.template {
            Some(name) => catalog.table(name)?,
            None => None,
        };
        let hints = SpaceHints::of_table(row, template.as_ref(), size);
        let deleted = self.table(row, hints)?;
        if !deleted {
            if let Some(long_values) = &long_values {
                self.long_values(row, long_values)?;
            }
            catalog.objects(row.table, CatalogType::Index, &mut |index| {
                let definition = index.index(self.reader.db.header().update_major < 7);
                catalog.segment_names(row, &definition.segments, false)?;
                catalog.segment_names(row, &definition.conditions, true)?;
                self.index(row, index)
            })?;
        }
        self.done(self.whole);
        self.whole = self.objects.len();
        Ok(())
    }

    /// The table whose objects begin at `first` is done. It owns the pages of all its trees.
    fn done(&self, first: usize) {
        let owned = self.objects.get(first).map_or(0, SpaceObject::owned);
        self.progress.advance(owned);
    }

    /// What the strict walk did not come to.
    fn loosely(&mut self) {
        self.loose = true;
        if self.objects.is_empty()
            && let Err(stop) = self.database()
        {
            self.failed(&database_name(self.reader.db), stop);
        }
        let catalog = LooseCatalog::read(self.reader);
        let size = self.reader.db.page_size();
        let done: std::collections::BTreeSet<_> = self
            .objects
            .iter()
            .filter(|object| object.kind == ObjectKind::Table)
            .map(|object| object.objid)
            .collect();
        let wanted = |row: &&CatalogRow| match &self.options.table {
            Some(name) => row.name.eq_ignore_ascii_case(name),
            None => !done.contains(&row.table),
        };
        for row in catalog.tables().into_iter().filter(wanted) {
            let template = row.template.as_deref().and_then(|name| catalog.table(name));
            let hints = SpaceHints::of_table(row, template, size);
            let table = named_table(row, hints);
            let first = self.objects.len();
            if let Err(stop) = self.table(row, hints) {
                self.failed(&table, stop);
            }
            for long_values in catalog.objects(row.table, CatalogType::LongValue).take(1) {
                if let Err(stop) = self.long_values(row, long_values) {
                    self.failed(&named_long_values(row, long_values, None), stop);
                }
            }
            for index in catalog.objects(row.table, CatalogType::Index) {
                if let Err(stop) = self.index(row, index) {
                    self.failed(&named_index(row, index, None), stop);
                }
            }
            self.done(first);
        }
    }

    /// An object of which nothing but the error is known.
    fn failed(&mut self, named: &Named<'_>, stop: Stop) {
        self.objects.push(SpaceObject {
            error: Some(stop),
            ..object(named, None)
        });
    }

    fn database(&mut self) -> Step<()> {
        let named = database_name(self.reader.db);
        let space = SpaceNumbers::read(self.reader, named.root)?;
        let mut database = object(&named, space);
        // The root page of the database holds no tree; it counts as one page of data. [engine]
        database.pages = (self.options.pages != CountPages::No).then_some(TreePages {
            data: 1,
            depth: 1,
            empty: true,
            internal: 0,
        });
        database.shape = TreeShape::read(self.reader, named.root, self.options.shape, None)?;
        self.objects.push(database);
        self.space_trees()
    }

    /// True when the table is to be deleted.
    fn table(&mut self, row: &CatalogRow, hints: SpaceHints) -> Step<bool> {
        self.tree(&named_table(row, hints))
    }

    fn long_values(&mut self, table: &CatalogRow, row: &CatalogRow) -> Step<()> {
        let size = self.reader.db.page_size();
        let hints = SpaceHints::of_long_values(row, size);
        self.tree(&Named {
            chunk: Some(ChunkSize::new(size, table.lv_chunk_max)),
            ..named_long_values(table, row, Some(hints))
        })?;
        Ok(())
    }

    fn index(&mut self, table: &CatalogRow, row: &CatalogRow) -> Step<()> {
        // The primary index is the table's own tree.
        if row.flags & index_flags::PRIMARY == 0 {
            let hints = SpaceHints::of_index(row, None, self.reader.db.page_size());
            self.tree(&named_index(table, row, Some(hints)))?;
        }
        Ok(())
    }

    fn tree(&mut self, named: &Named<'_>) -> Step<bool> {
        let space = SpaceNumbers::read(self.reader, named.root)?;
        let deleted = space.is_none();
        let mut found = object(named, space);
        found.deleted = deleted;
        if !deleted
            && (self.options.pages, self.options.shape) != (CountPages::No, ShapeOf::Nothing)
        {
            let shape =
                || TreeShape::read(self.reader, named.root, self.options.shape, named.chunk);
            match TreePages::count(self.reader, named.root).and_then(|pages| Ok((pages, shape()?)))
            {
                Ok((pages, shape)) => (found.pages, found.shape) = (Some(pages), shape),
                Err(stop) if self.options.pages == CountPages::Strictly && !self.loose => {
                    return Err(stop);
                }
                Err(stop) => found.error = Some(stop),
            }
        }
        self.objects.push(found);
        self.space_trees()?;
        Ok(deleted)
    }

    /// The two space trees of the object that came last, if it has any.
    fn space_trees(&mut self) -> Step<()> {
        let Some(owner) = self.objects.last() else {
            return Ok(());
        };
        let Some(space) = owner.space.as_ref().filter(|space| space.multiple) else {
            return Ok(());
        };
        let roots = [space.owned_root, space.available_root];
        let [owned, available] = space.tree_pages;
        let kinds = [
            (ObjectKind::OwnedExtents, OWNED_EXTENTS, owned, roots[0]),
            (
                ObjectKind::AvailableExtents,
                AVAILABLE_EXTENTS,
                available,
                roots[1],
            ),
        ];
        let owner = owner.clone();
        for (kind, name, pages, root) in kinds {
            let of = owner
                .shape
                .as_ref()
                .map_or(ShapeOf::Nothing, |_| self.options.shape);
            let shape = match TreeShape::read(self.reader, root, of, None) {
                Err(stop) if !self.loose => return Err(stop),
                shape => shape.ok().flatten(),
            };
            self.objects.push(SpaceObject {
                kind,
                name: name.to_owned(),
                root,
                level: owner.level + 1,
                space: Some(space_of_tree(pages, roots)),
                pages: owner.pages.map(|_| pages_of_tree(pages)),
                shape,
                leaked: None,
                hints: None,
                error: None,
                ..owner.clone()
            });
        }
        Ok(())
    }
}

/// A space tree as an object: it owns its pages and has nothing free. [engine]
fn space_of_tree(pages: SpaceTree, roots: [Pgno; 2]) -> SpaceNumbers {
    SpaceNumbers {
        owned: pages.internal + pages.leaves,
        primary: 1,
        multiple: pages.internal > 0,
        owned_root: roots[0],
        available_root: roots[1],
        ..SpaceNumbers::default()
    }
}

fn pages_of_tree(pages: SpaceTree) -> TreePages {
    TreePages {
        internal: pages.internal,
        data: pages.leaves,
        depth: pages.depth,
        empty: pages.empty,
    }
}

fn object(named: &Named<'_>, space: Option<SpaceNumbers>) -> SpaceObject {
    SpaceObject {
        kind: named.kind,
        name: named.name.to_owned(),
        table: named.table.map(str::to_owned),
        objid: named.objid,
        root: named.root,
        level: named.level,
        deleted: false,
        space,
        pages: None,
        shape: None,
        leaked: None,
        hints: named.hints,
        error: None,
    }
}

fn database_name(db: &Database) -> Named<'_> {
    let name = db.path().file_name().and_then(std::ffi::OsStr::to_str);
    Named {
        kind: ObjectKind::Database,
        name: name.unwrap_or_default(),
        table: None,
        objid: Objid::SYSTEM_ROOT,
        root: Pgno::new(1),
        level: 0,
        hints: None,
        chunk: None,
    }
}

fn named_table(row: &CatalogRow, hints: SpaceHints) -> Named<'_> {
    Named {
        kind: ObjectKind::Table,
        name: &row.name,
        table: Some(&row.name),
        objid: row.table,
        root: Pgno::new(row.coltyp_or_root),
        level: 1,
        hints: Some(hints),
        chunk: None,
    }
}

fn named_long_values<'n>(
    table: &'n CatalogRow,
    row: &CatalogRow,
    hints: Option<SpaceHints>,
) -> Named<'n> {
    Named {
        kind: ObjectKind::LongValues,
        name: LONG_VALUES,
        table: Some(&table.name),
        objid: Objid::new(row.id),
        root: Pgno::new(row.coltyp_or_root),
        level: 2,
        hints,
        chunk: None,
    }
}

fn named_index<'n>(
    table: &'n CatalogRow,
    row: &'n CatalogRow,
    hints: Option<SpaceHints>,
) -> Named<'n> {
    Named {
        kind: ObjectKind::Index,
        name: &row.name,
        ..named_long_values(table, row, hints)
    }
}

/// Pages that an object owns, less what is free, what its tree holds, and what its children own.
/// [format notes 5.7]
fn account(objects: &mut [SpaceObject]) {
    for at in 0..objects.len() {
        let (object, after) = (&objects[at], &objects[at + 1..]);
        if object.kind.is_space_tree() {
            continue;
        }
        let (Some(space), Some(pages)) = (&object.space, object.pages) else {
            continue;
        };
        let inside = after.iter().take_while(|child| child.level > object.level);
        let direct = inside.filter(|child| child.level == object.level + 1);
        // A child whose space is not known leaves the sum unknown.
        let Some(children) = direct
            .map(|child| child.space.as_ref().map(|space| space.owned))
            .sum::<Option<u64>>()
        else {
            continue;
        };
        let used = object.free() + pages.internal + pages.data + children;
        let leaked = (space.owned + space.shelved) as i64 - used as i64;
        objects[at].leaked = Some(leaked);
    }
}
