//! What defragmentation keeps of a sound database: a source and a filter for [`crate::rebuild`].
//!
//! * Object ids are given anew, from the first that the catalog leaves free, in the order in which the tables are
//!   written: a table, its indexes, its long values. So a database that has run out of them gets them back. Where a
//!   table of the engine's own holds object ids that are not known here, they stay as they are.
//! * Tables that the engine only uses to remember what it is doing are left behind, as the engine leaves them behind,
//!   and so are tables whose deletion was under way. \[format notes 14.3\]
//! * Records lose what is left of deleted columns ([`crate::format::record::prune`]); otherwise they stay byte for byte, and
//!   so do ids of columns and of long values, and the entries of indexes.
//! * Long values that no record refers to are left behind, and the counts of references put right.
//!
//! What is kept is summed up on the way ([`crate::digest`]), from the old file's bytes: the new file must hold the same.
//!
//! Memory: the catalog once or twice, and the ids of one table's long values as a compressed bitmap.

mod catalog;
mod keeper;
mod references;

use std::ops::ControlFlow;

use crate::db::Database;
use crate::db::catalog::{Schema, Table};
use crate::format::ids::{Objid, PageSize};
use crate::jet::JetError;
use crate::rebuild::{
    Node, RebuildError, Sound, Source, SourceError, TreeHead, TreeInfo, TreeKind, objids,
};

use catalog::NewCatalog;

pub use keeper::{Keeper, Kept};

/// A sound database as a source, with another catalog.
pub struct Compact<'d> {
    db: &'d Database,
    sound: Sound<'d>,
    schema: Schema,
    catalog: NewCatalog,
}

impl<'d> Compact<'d> {
    /// Reads the catalog and decides what becomes of it.
    ///
    /// # Errors
    /// [`RebuildError`] when a page or a row of the catalog cannot be used.
    pub fn new(db: &'d Database) -> Result<Self, RebuildError> {
        let sound = Sound::new(db);
        let schema = Schema::read(db);
        let catalog = NewCatalog::new(&sound, &schema)?;
        Ok(Self {
            db,
            sound,
            schema,
            catalog,
        })
    }

    /// Tables that are left behind.
    #[must_use]
    pub fn left_behind(&self) -> &[String] {
        &self.catalog.dropped
    }

    /// True when trees get new object ids.
    #[must_use]
    pub const fn renumbers(&self) -> bool {
        self.catalog.renumbered
    }

    /// The table with this new object id, as the old catalog describes it.
    fn table(&self, new: Objid) -> Option<&Table> {
        self.schema.tables.get(&self.catalog.old(new))
    }

    /// The tree as the old catalog describes it.
    fn old_tree(&self, tree: &TreeInfo) -> TreeInfo {
        TreeInfo {
            table: self.catalog.old(tree.table),
            objid: self.catalog.old(tree.objid),
            ..tree.clone()
        }
    }

    /// True for the table that follows from the catalog.
    fn is_made(&self, tree: &TreeInfo) -> bool {
        tree.kind == TreeKind::Data && Some(tree.objid) == self.catalog.objids_table
    }
}

impl Source for Compact<'_> {
    fn page_size(&self) -> PageSize {
        self.sound.page_size()
    }

    fn update_major(&self) -> u32 {
        self.sound.update_major()
    }

    fn pages(&self) -> u64 {
        self.sound.pages()
    }

    fn catalog_head(&self) -> Result<TreeHead, SourceError> {
        self.sound.catalog_head()
    }

    fn catalog(&self, show: &mut dyn FnMut(Node<'_>)) -> Result<(), SourceError> {
        for row in &self.catalog.rows {
            show(Node {
                key: &row.key,
                data: &row.data,
            });
        }
        Ok(())
    }

    fn head(&self, tree: &TreeInfo) -> Result<TreeHead, SourceError> {
        self.sound.head(&self.old_tree(tree))
    }

    fn nodes(
        &self,
        tree: &TreeInfo,
        show: &mut dyn FnMut(Node<'_>) -> ControlFlow<()>,
    ) -> Result<(), SourceError> {
        if self.is_made(tree)
            && let Some(table) = self.table(tree.table)
        {
            let size = self.db.page_size();
            let made = objids::nodes(&self.catalog.trees, table, size, show);
            return made.map(drop).ok_or_else(|| SourceError {
                tree: tree.to_string(),
                page: tree.root,
                jet: JetError::CATALOG_CORRUPTED,
                what: "its rows cannot be made as its columns say".to_owned(),
            });
        }
        self.sound.nodes(&self.old_tree(tree), show)
    }
}
