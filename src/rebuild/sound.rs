//! The trees of a sound database: any page that cannot be used is an error.

use std::ops::ControlFlow;

use super::source::{Node, Source, SourceError, TreeHead, TreeInfo};
use crate::db::catalog::{CATALOG_ROOT, SHADOW_ROOT};
use crate::db::space::SpaceHeader;
use crate::db::{Database, PageBytes};
use crate::format::ids::{Objid, PageSize, Pgno};
use crate::format::page::{Page, PageFlags};
use crate::jet::JetError;
use crate::tree::ahead;
use crate::tree::walk::{Failure, for_each_node};

/// Words for the catalog.
const CATALOG: &str = "MSysObjects";

/// A sound database as a source.
#[derive(Debug, Clone, Copy)]
pub struct Sound<'d> {
    db: &'d Database,
}

impl<'d> Sound<'d> {
    /// Takes a database.
    #[must_use]
    pub const fn new(db: &'d Database) -> Self {
        Self { db }
    }

    fn head_of(&self, root: Pgno, name: &str) -> Result<TreeHead, SourceError> {
        let mut bytes = PageBytes::new(self.db.page_size());
        let page = self
            .db
            .read(root, &mut bytes)
            .map_err(|error| failed(name, root, &Failure::Page(error)))?;
        let header = SpaceHeader::parse(page.external_header())
            .filter(|_| page.flags().is_root())
            .ok_or_else(|| corrupt(name, root, "no root of a tree".to_owned()))?;
        // The engine's repair makes indexes whose pages do not say that keys may repeat; the space header always does.
        // [verified: c-bad-internal]
        let repeats = if header.is_non_unique() {
            PageFlags::NON_UNIQUE
        } else {
            0
        };
        Ok(TreeHead {
            flags: PageFlags::new(page.flags().bits() | repeats),
            auto_increment: header.auto_increment,
        })
    }

    /// Shows the rows of the shadow of the catalog, as far as its pages can be read.
    pub fn shadow(&self, show: &mut dyn FnMut(Node<'_>)) {
        let mut key = Vec::new();
        let each = |_, page: Page<'_>, node: crate::format::page::Node<'_>| {
            if page.objid() == Objid::CATALOG_SHADOW {
                node.key_into(&mut key);
                let data = node.data;
                show(Node { key: &key, data });
            }
        };
        for_each_node(self.db, SHADOW_ROOT, each, |_, _| {});
    }

    /// Shows the live nodes of a tree.
    fn live(
        &self,
        (root, objid, name): (Pgno, Objid, &str),
        show: &mut dyn FnMut(Node<'_>) -> ControlFlow<()>,
    ) -> Result<(), SourceError> {
        let format = |page: Page<'_>| page.flags().any(PageFlags::NEW_RECORD_FORMAT);
        let root_head = self.head_of(root, name)?;
        let new_format = format_flag(root_head);
        let (mut key, mut error) = (Vec::new(), None);
        let mut leaf = |pgno: Pgno, page: Page<'_>| {
            if format(page) != new_format {
                let what = "records of two formats in one tree".to_owned();
                error = Some(corrupt(name, pgno, what));
                return ControlFlow::Break(());
            }
            for node in page.nodes() {
                match node {
                    Ok(node) if node.flags.is_deleted() => {}
                    Ok(node) => {
                        node.key_into(&mut key);
                        let data = node.data;
                        show(Node { key: &key, data })?;
                    }
                    Err(fault) => {
                        error = Some(corrupt(name, pgno, fault.to_string()));
                        return ControlFlow::Break(());
                    }
                }
            }
            ControlFlow::Continue(())
        };
        let walked = if root_head.flags.is_leaf() {
            let mut bytes = PageBytes::new(self.db.page_size());
            match self.db.read(root, &mut bytes) {
                Ok(page) if page.objid() != objid => Err((root, Failure::WrongTree(page.objid()))),
                Ok(page) => {
                    let _ = leaf(root, page);
                    Ok(())
                }
                Err(failure) => Err((root, Failure::Page(failure))),
            }
        } else {
            ahead::leaves(self.db, root, objid, &mut leaf)
        };
        if let Some(error) = error {
            return Err(error);
        }
        walked.map_err(|(pgno, failure)| failed(name, pgno, &failure))
    }
}

impl Source for Sound<'_> {
    fn page_size(&self) -> PageSize {
        self.db.page_size()
    }

    fn update_major(&self) -> u32 {
        self.db.header().update_major
    }

    fn pages(&self) -> u64 {
        self.db.last_page().get().into()
    }

    fn catalog_head(&self) -> Result<TreeHead, SourceError> {
        self.head_of(CATALOG_ROOT, CATALOG)
    }

    fn catalog(&self, show: &mut dyn FnMut(Node<'_>)) -> Result<(), SourceError> {
        let tree = (CATALOG_ROOT, Objid::CATALOG, CATALOG);
        self.live(tree, &mut |node| {
            show(node);
            ControlFlow::Continue(())
        })
    }

    fn head(&self, tree: &TreeInfo) -> Result<TreeHead, SourceError> {
        self.head_of(tree.root, &tree.to_string())
    }

    fn nodes(
        &self,
        tree: &TreeInfo,
        show: &mut dyn FnMut(Node<'_>) -> ControlFlow<()>,
    ) -> Result<(), SourceError> {
        self.live((tree.root, tree.objid, &tree.to_string()), show)
    }
}

fn format_flag(head: TreeHead) -> bool {
    head.flags.any(PageFlags::NEW_RECORD_FORMAT)
}

fn failed(tree: &str, page: Pgno, failure: &Failure) -> SourceError {
    let jet = match failure {
        Failure::Page(error) => error.jet(),
        Failure::WrongTree(_) => JetError::BAD_PARENT_PAGE_LINK,
        Failure::Links(_) => JetError::BAD_PAGE_LINK,
        _ => JetError::DATABASE_CORRUPTED,
    };
    SourceError {
        tree: tree.to_owned(),
        page,
        jet,
        what: failure.to_string(),
    }
}

fn corrupt(tree: &str, page: Pgno, what: String) -> SourceError {
    SourceError {
        tree: tree.to_owned(),
        page,
        jet: JetError::DATABASE_CORRUPTED,
        what,
    }
}
