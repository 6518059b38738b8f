//! The leaves of a table: by its tree, and where that is broken, by looking at every page.

use std::collections::{HashMap, HashSet};
use std::io;
use std::ops::ControlFlow;

use crate::db::{Database, PageBytes};
use crate::format::ids::{Objid, Pgno};
use crate::format::page::{Page, PageFlags};
use crate::tree::walk::{Descent, Failure, Visit};

/// A leaf, or a page that is left out.
pub enum Leaf<'a> {
    /// A leaf.
    Page(Pgno, Page<'a>),
    /// A page that is left out; its parent when the page itself has no number.
    Lost(Pgno, &'a Failure),
    /// So many leaves follow that the tree does not lead to.
    Beside(usize),
}

type Show<'s> = &'s mut dyn FnMut(Leaf<'_>) -> io::Result<()>;

/// Leaf pages of records by object, made when the first broken tree asks for it.
#[derive(Default)]
pub struct Salvage {
    leaves: Option<HashMap<Objid, Vec<Pgno>>>,
}

/// Shows the leaves of the tree in key order; after a broken part of it come those leaves that no
/// part of the tree leads to.
///
/// # Errors
/// What `show` returns; damage is no error.
pub fn for_each_leaf(
    db: &Database,
    (root, objid): (Pgno, Objid),
    salvage: &mut Salvage,
    show: Show<'_>,
) -> io::Result<()> {
    let mut outcome = Ok(());
    let mut broken = false;
    let ended = descend(db, root, objid, &mut |leaf| {
        broken |= matches!(leaf, Leaf::Lost(..));
        outcome = show(leaf);
        match outcome {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    });
    if ended.is_break() || !broken {
        return outcome;
    }
    let beside = salvage.beside(db, root, objid);
    if beside.is_empty() {
        return Ok(());
    }
    show(Leaf::Beside(beside.len()))?;
    let mut bytes = PageBytes::new(db.page_size());
    for pgno in beside {
        if let Ok(page) = db.read(pgno, &mut bytes) {
            show(Leaf::Page(pgno, page))?;
        }
    }
    Ok(())
}

fn descend(
    db: &Database,
    root: Pgno,
    objid: Objid,
    show: &mut dyn FnMut(Leaf<'_>) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let walk = Descent::new(db, root).of_object(objid);
    walk.walk_until(&mut |visit| match visit {
        Visit::Internal(..) => ControlFlow::Continue(()),
        Visit::Leaf(pgno, page) => show(Leaf::Page(pgno, page)),
        Visit::Failed(pgno, parent, failure) => {
            let place = if pgno.is_null() { parent } else { pgno };
            show(Leaf::Lost(place, failure))
        }
    })
}

impl Salvage {
    /// The leaves of an object that its tree does not lead to, in the order of their first keys.
    fn beside(&mut self, db: &Database, root: Pgno, objid: Objid) -> Vec<Pgno> {
        let mut seen = HashSet::new();
        let walked = descend(db, root, objid, &mut |leaf| {
            if let Leaf::Page(pgno, _) = leaf {
                seen.insert(pgno);
            }
            ControlFlow::Continue(())
        });
        debug_assert!(walked.is_continue());
        let leaves = self.leaves.get_or_insert_with(|| record_leaves(db));
        let mut bytes = PageBytes::new(db.page_size());
        let mut beside = Vec::new();
        for pgno in leaves.get(&objid).into_iter().flatten() {
            if seen.contains(pgno) || !is_linked(db, *pgno) {
                continue;
            }
            if let Ok(page) = db.read(*pgno, &mut bytes) {
                let first = page.node(0).map(|node| node.key()).unwrap_or_default();
                beside.push((first, *pgno));
            }
        }
        beside.sort();
        beside.into_iter().map(|(_, pgno)| pgno).collect()
    }
}

/// Every leaf of records in the file.
fn record_leaves(db: &Database) -> HashMap<Objid, Vec<Pgno>> {
    let mut leaves: HashMap<Objid, Vec<Pgno>> = HashMap::new();
    scan(db, |pgno, page| {
        if !page.flags().any(NOT_A_RECORD | PageFlags::LONG_VALUE) {
            leaves.entry(page.objid()).or_default().push(pgno);
        }
    });
    leaves
}

/// Every leaf of a long value tree, in the order of their first keys.
pub fn long_value_leaves(db: &Database, objid: Objid) -> Vec<(Vec<u8>, Pgno)> {
    let mut leaves = Vec::new();
    scan(db, |pgno, page| {
        let flags = page.flags();
        let is_it = page.objid() == objid && flags.any(PageFlags::LONG_VALUE);
        if is_it
            && !flags.any(NOT_A_RECORD)
            && let Ok(first) = page.node(0)
        {
            leaves.push((first.key(), pgno));
        }
    });
    leaves.retain(|(_, pgno)| is_linked(db, *pgno));
    leaves.sort();
    leaves
}

const NOT_A_RECORD: u32 = PageFlags::EMPTY
    | PageFlags::SPACE_TREE
    | PageFlags::INDEX
    | PageFlags::SLV
    | PageFlags::PRE_INIT;

fn scan(db: &Database, mut show: impl FnMut(Pgno, Page<'_>)) {
    let mut bytes = PageBytes::new(db.page_size());
    for number in 1..=db.last_page().get() {
        let pgno = Pgno::new(number);
        if let Ok(page) = db.read(pgno, &mut bytes)
            && page.flags().is_leaf()
        {
            show(pgno, page);
        }
    }
}

/// A page that was given back to the free space keeps its content, but its former neighbours no
/// longer point to it. A neighbour that cannot be read proves nothing, and so does having none.
fn is_linked(db: &Database, pgno: Pgno) -> bool {
    let mut bytes = PageBytes::new(db.page_size());
    let Ok(page) = db.read(pgno, &mut bytes) else {
        return false;
    };
    let (objid, prev, next) = (page.objid(), page.prev(), page.next());
    let mut contradicted = false;
    for (neighbour, is_next) in [(prev, false), (next, true)] {
        if neighbour.is_null() {
            continue;
        }
        let Ok(page) = db.read(neighbour, &mut bytes) else {
            continue;
        };
        let back = if is_next { page.prev() } else { page.next() };
        if page.objid() == objid && back == pgno {
            return true;
        }
        contradicted = true;
    }
    !contradicted
}
