//! A database whose pages lie in another order, as a server leaves them after years of splits: the same trees, each page of
//! which may lie where any other of its tree lay.

use std::path::Path;

use exutil::db::Database;
use exutil::db::catalog::Schema;
use exutil::format::checksum::seal;
use exutil::format::ids::{PageSize, Pgno};
use exutil::format::page::{Page, PageMut};
use exutil::storage::Memory;
use exutil::tree::walk::{Descent, Visit, child_of};

use crate::samples::Noise;

/// Moves the pages of every tree of every table but the catalog's.
pub fn scatter(bytes: Vec<u8>, seed: u64) -> exutil::error::Result<Vec<u8>> {
    let db = Database::from_storage(Box::new(Memory::new(bytes.clone())), Path::new("big"), None)?;
    let mut new = bytes;
    let mut noise = Noise::new(seed);
    let schema = Schema::read(&db);
    for table in schema.tables.values().filter(|table| !table.is_system()) {
        let roots = [table.root]
            .into_iter()
            .chain(table.long_values.map(|lv| lv.root))
            .chain(table.secondary_indexes().map(|index| index.root));
        for root in roots {
            tree(&db, root, &mut noise, &mut new);
        }
    }
    Ok(new)
}

fn tree(db: &Database, root: Pgno, noise: &mut Noise, new: &mut [u8]) {
    let size = db.page_size();
    let mut pages = Vec::new();
    Descent::new(db, root).walk(&mut |visit| {
        if let Visit::Internal(pgno, page) | Visit::Leaf(pgno, page) = visit {
            pages.push((pgno, page.bytes().to_vec()));
        }
    });
    // The root stays: the catalog and the space trees know it.
    let mut places: Vec<Pgno> = pages.iter().skip(1).map(|(pgno, _)| *pgno).collect();
    for last in (1..places.len()).rev() {
        places.swap(last, noise.below(last as u64 + 1) as usize);
    }
    let moved: std::collections::HashMap<Pgno, Pgno> = pages
        .iter()
        .skip(1)
        .map(|(pgno, _)| *pgno)
        .zip(places)
        .collect();
    let to = |pgno: Pgno| moved.get(&pgno).copied().unwrap_or(pgno);
    for (pgno, mut page) in pages {
        let place = to(pgno);
        rewrite(&mut page, size, place, &to);
        let at = place.offset(size) as usize;
        new[at..at + size.bytes()].copy_from_slice(&page);
    }
}

/// The page with its new number, links and children.
fn rewrite(bytes: &mut [u8], size: PageSize, place: Pgno, to: &dyn Fn(Pgno) -> Pgno) {
    let before = bytes.to_vec();
    let (Some(old), Some(mut page)) = (Page::new(&before, size), PageMut::new(bytes, size)) else {
        return;
    };
    // Sets the number that large pages carry.
    page.copy_from(&before, place);
    page.set_prev(to(old.prev()));
    page.set_next(to(old.next()));
    if !old.flags().is_leaf() {
        for (line, node) in old.nodes().flatten().enumerate() {
            if let (Some(child), Some(data)) = (child_of(&node), page.node_data_mut(line)) {
                data.copy_from_slice(&to(child).get().to_le_bytes());
            }
        }
    }
    seal(bytes, size, place);
}
