//! The catalogs: where the engine has them, their two indexes made from the rows.

use super::plan::{Plan, Row, Rows};
use super::source::{TreeHead, TreeInfo, TreeKind};
use super::{Job, RebuildError};
use crate::format::ids::{Objid, Pgno};
use crate::format::keys::{KeyLimits, NoSortKeys, SegmentType, build_key};
use crate::format::page::{NodeFlags, PageFlags};
use crate::format::schema::{CatalogType, Coltyp};
use crate::tree::space::{
    CATALOG, CATALOG_NAMES, CATALOG_TABLES, Run, SPACE_HEADER, SpacePlan, shadow_extent,
};
use crate::tree::stores::{ChildStore, TableStore};
use crate::tree::{FinishedTree, TreeError, TreeSpec, TreeStore, TreeWriter};

/// The catalog's indexes: name, object id where the catalog does not say it, first extent. [format notes 6.1]
const INDEXES: [(&str, Objid, Run); 2] = [
    ("Name", Objid::new(4), CATALOG_NAMES),
    ("RootObjects", Objid::new(5), CATALOG_TABLES),
];
/// `RootFlag` of a table's row: true. [format notes 6.2]
const ROOT_FLAG: &[u8] = &[0xFF];

/// A tree of the catalogs, and where it begins.
struct Place<'p> {
    tree: &'p TreeInfo,
    flags: PageFlags,
}

impl Job<'_, '_> {
    /// Writes catalog, its indexes, and shadow, their rows naming the new roots.
    pub fn catalogs(&mut self, mut plan: Plan) -> Result<(), RebuildError> {
        let shadow = shadow_extent(self.form.major, self.form.page_size);
        let main_tree = plan.own_tree(Objid::CATALOG, "MSysObjects", TreeKind::Data);
        let shadow_tree = plan.own_tree(Objid::CATALOG_SHADOW, "MSysObjectsShadow", TreeKind::Data);
        let indexes = INDEXES.map(|(name, objid, run)| {
            let mut tree = plan.own_tree(Objid::CATALOG, name, TreeKind::Index);
            if tree.objid == Objid::CATALOG {
                tree.objid = objid;
            }
            (tree, run)
        });
        let roots = &mut self.written.roots;
        roots.insert(Objid::CATALOG, Pgno::new(CATALOG.first));
        roots.insert(Objid::CATALOG_SHADOW, Pgno::new(shadow.first));
        for (tree, run) in &indexes {
            roots.insert(tree.objid, Pgno::new(run.first));
        }
        plan.rows.set_roots(roots);

        let rows = &plan.rows;
        let flags = plan.head.flags.bits() & TreeHead::KEPT;
        let flags = self.form.flags(flags);
        let place = Place {
            tree: &main_tree,
            flags,
        };
        let mut space = SpacePlan::multiple(CATALOG, Pgno::new(1));
        let mut spaces = Vec::new();
        for (_, run) in &indexes {
            // The first pages behind the space trees, as they come.
            let taken = space.take_run(run.count);
            debug_assert_eq!(taken, Some(*run));
            spaces.push(SpacePlan::multiple(*run, space.fdp()));
        }
        let main = self.rows(&place, &mut space, rows)?;
        for (number, ((tree, _), mut own)) in indexes.iter().zip(spaces).enumerate() {
            let flags = PageFlags::new(flags.bits() | PageFlags::INDEX);
            let place = Place { tree, flags };
            self.index(&place, &mut own, &mut space, (rows, number))?;
        }
        self.trim(&mut space);
        self.close(main.0, &space, None, main.1)?;

        let place = Place {
            tree: &shadow_tree,
            flags,
        };
        let mut space = SpacePlan::multiple(shadow, Pgno::new(1));
        let copy = self.rows(&place, &mut space, rows)?;
        self.trim(&mut space);
        self.close(copy.0, &space, None, copy.1)?;
        Ok(())
    }

    /// Gives back what the last extent has too much, when it lies at the end of the file.
    fn trim(&mut self, space: &mut SpacePlan) {
        if let Some(tail) = space.trim()
            && !self.file.give_back(tail)
        {
            space.reclaim(tail);
        }
    }

    fn spec(&mut self, place: &Place<'_>, root: Pgno) -> TreeSpec {
        TreeSpec {
            page_size: self.form.page_size,
            root,
            objid: place.tree.objid,
            flags: place.flags,
            dbtime: self.clock.next(),
            root_header: SPACE_HEADER,
            density: place.tree.density,
        }
    }

    fn rows(
        &mut self,
        place: &Place<'_>,
        space: &mut SpacePlan,
        rows: &Rows,
    ) -> Result<(TreeSpec, FinishedTree), RebuildError> {
        let spec = self.spec(place, space.fdp());
        let mut store = TableStore {
            file: &mut self.file,
            space,
        };
        let nodes = rows.all().iter().map(|row| (rows.key(row), rows.data(row)));
        let finished = fill(spec, &mut store, nodes)
            .map_err(|error| RebuildError::in_tree(&place.tree.name, error))?;
        Ok((spec, finished))
    }

    fn index(
        &mut self,
        place: &Place<'_>,
        own: &mut SpacePlan,
        table: &mut SpacePlan,
        (rows, number): (&Rows, usize),
    ) -> Result<(), RebuildError> {
        let spec = self.spec(place, own.fdp());
        let mut entries: Vec<(Vec<u8>, &[u8])> = rows
            .all()
            .iter()
            .filter_map(|row| Some((index_key(rows, row, number)?, rows.key(row))))
            .collect();
        entries.sort_unstable();
        let mut store = ChildStore {
            table: TableStore {
                file: &mut self.file,
                space: table,
            },
            space: own,
        };
        let nodes = entries.iter().map(|(key, bookmark)| (&key[..], *bookmark));
        let finished = fill(spec, &mut store, nodes)
            .map_err(|error| RebuildError::in_tree(&place.tree.to_string(), error))?;
        if let Some(tail) = own.trim() {
            table.release(tail);
        }
        self.close(spec, own, None, finished)?;
        Ok(())
    }
}

fn fill<'n, S: TreeStore>(
    spec: TreeSpec,
    store: &mut S,
    nodes: impl Iterator<Item = (&'n [u8], &'n [u8])>,
) -> Result<FinishedTree, TreeError<S::Error>> {
    let mut writer = TreeWriter::new(spec);
    for (key, data) in nodes {
        writer.push(store, key, data, NodeFlags::default())?;
    }
    writer.finish(store)
}

/// The key of a row in index number `number`: object, type and name; or, for tables only, root flag and name.
/// [format notes 6.1]
fn index_key(rows: &Rows, row: &Row, number: usize) -> Option<Vec<u8>> {
    let (table, kind) = (
        (row.table.get()).to_le_bytes(),
        (row.kind as i16 + 1).to_le_bytes(),
    );
    let fixed = |coltyp| SegmentType {
        fixed: true,
        ..SegmentType::ascending(coltyp)
    };
    let name = (
        SegmentType::ascending(Coltyp::Text),
        Some(rows.name(row)).filter(|name| !name.is_empty()),
    );
    let mut key = Vec::new();
    let limits = KeyLimits::default();
    if number == 0 {
        let segments = [
            (fixed(Coltyp::Long), Some(&table[..])),
            (fixed(Coltyp::Short), Some(&kind[..])),
            name,
        ];
        build_key(segments, limits, &NoSortKeys, &mut key);
    } else if row.kind == CatalogType::Table {
        let segments = [(fixed(Coltyp::Bit), Some(ROOT_FLAG)), name];
        build_key(segments, limits, &NoSortKeys, &mut key);
    } else {
        return None;
    }
    Some(key)
}
