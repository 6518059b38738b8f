//! What is to be written, tree by tree: sound tables as they are, damaged ones as they were salvaged.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::thread::Scope;

use super::ahead::{Ahead, TableTrees};
use super::report::TableRepair;
use super::table::Show;
use super::{Known, Shared, damaged};
use crate::db::catalog::Table;
use crate::format::ids::{Objid, PageSize};
use crate::format::page::PageFlags;
use crate::rebuild::{Node, Sound, Source, SourceError, TreeHead, TreeInfo, TreeKind};

/// The database as it is to be written.
pub(super) struct Salvaged<'s, 'env> {
    shared: &'env Shared<'env>,
    sound: Sound<'env>,
    scope: &'s Scope<'s, 'env>,
    /// Damaged tables at work, and which they are, once they are known.
    ahead: RefCell<Option<(Ahead<'env>, BTreeSet<Objid>)>>,
    done: RefCell<Done>,
}

/// What comes of it.
#[derive(Default)]
pub(super) struct Done {
    pub tables: Vec<TableRepair>,
    /// What a further round must know.
    pub learned: Known,
}

impl Done {
    fn add(&mut self, table: TableRepair, learned: Known) {
        self.tables.push(table);
        self.learned.merge(learned);
    }
}

impl<'s, 'env> Salvaged<'s, 'env> {
    /// Threads that work at damaged tables will belong to `scope`.
    pub fn new(shared: &'env Shared<'env>, scope: &'s Scope<'s, 'env>) -> Self {
        Self {
            shared,
            sound: Sound::new(shared.db),
            scope,
            ahead: RefCell::new(None),
            done: RefCell::default(),
        }
    }

    /// All trees were written, or no more will be.
    pub fn finish(self) -> Done {
        let mut done = self.done.into_inner();
        if let Some((mut ahead, _)) = self.ahead.into_inner() {
            ahead.end(&mut |table, learned| done.add(table, learned));
        }
        done
    }

    fn is_sound(&self, table: Objid) -> bool {
        self.shared.sound.contains(&table)
    }

    /// A table that threads work at: it is neither copied as it is nor made for orphans.
    fn damaged_table(&self, objid: Objid) -> Option<&'env Table> {
        let made = self.shared.orphan_tables.contains_key(&objid);
        let table = self.shared.schema.tables.get(&objid);
        table.filter(|_| !made && !self.is_sound(objid))
    }

    /// What a sound tree says; one that is not so after all is taken for damaged in the next round.
    fn as_it_is<T>(&self, tree: &TreeInfo, read: Result<T, SourceError>) -> Result<T, SourceError> {
        if read.is_err() {
            let learned = &mut self.done.borrow_mut().learned;
            learned.damaged.insert(tree.table);
        }
        read
    }
}

impl Source for Salvaged<'_, '_> {
    fn page_size(&self) -> PageSize {
        self.shared.db.page_size()
    }

    fn update_major(&self) -> u32 {
        self.shared.db.header().update_major
    }

    fn pages(&self) -> u64 {
        self.shared.db.last_page().get().into()
    }

    fn catalog_head(&self) -> Result<TreeHead, SourceError> {
        Ok(TreeHead {
            flags: super::catalog::flags(self.shared.db, self.shared.inventory),
            auto_increment: None,
        })
    }

    fn catalog(&self, show: &mut dyn FnMut(Node<'_>)) -> Result<(), SourceError> {
        for row in self.shared.rows {
            show(Node {
                key: &row.key,
                data: &row.data,
            });
        }
        Ok(())
    }

    fn announce(&self, tables: &mut dyn Iterator<Item = (&TreeInfo, &[TreeInfo])>) {
        let trees = |(data, others): (&TreeInfo, &[TreeInfo])| {
            Some(TableTrees {
                table: self.damaged_table(data.table)?,
                data: data.clone(),
                others: others.to_vec(),
            })
        };
        let damaged: Vec<TableTrees<'_>> = tables.filter_map(trees).collect();
        let objids = damaged.iter().map(|trees| trees.data.table).collect();
        let ahead = Ahead::start(self.shared, damaged, self.scope);
        self.ahead.replace(Some((ahead, objids)));
    }

    fn head(&self, tree: &TreeInfo) -> Result<TreeHead, SourceError> {
        if self.is_sound(tree.table) {
            return self.as_it_is(tree, self.sound.head(tree));
        }
        if self.shared.orphan_tables.contains_key(&tree.table) {
            let long_values = tree.kind == TreeKind::LongValues;
            let mark = if long_values {
                PageFlags::LONG_VALUE
            } else {
                0
            };
            return Ok(TreeHead {
                flags: PageFlags::new(PageFlags::NEW_RECORD_FORMAT | mark),
                auto_increment: None,
            });
        }
        Ok(damaged::head(self.shared, tree))
    }

    fn nodes(
        &self,
        tree: &TreeInfo,
        show: &mut dyn FnMut(Node<'_>) -> ControlFlow<()>,
    ) -> Result<(), SourceError> {
        if self.is_sound(tree.table) {
            return self.as_it_is(tree, self.sound.nodes(tree, show));
        }
        if let Some(from) = self.shared.orphan_tables.get(&tree.table) {
            super::orphans::nodes(self.shared, *from, tree.kind, show);
            return Ok(());
        }
        self.damaged(tree, show)
    }
}

impl Salvaged<'_, '_> {
    fn damaged(&self, tree: &TreeInfo, show: &mut Show<'_>) -> Result<(), SourceError> {
        match self.ahead.borrow_mut().as_mut() {
            Some((ahead, tables)) if tables.contains(&tree.table) => {
                let mut done = self.done.borrow_mut();
                ahead.nodes(tree, &mut |table, learned| done.add(table, learned), show)
            }
            // Nobody knows how its records look.
            _ => Ok(()),
        }
    }
}

/// Records that lose against others, by table.
pub(super) type Losers = BTreeMap<Objid, BTreeSet<Vec<u8>>>;
