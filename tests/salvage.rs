//! Salvage of trees and catalogs: on databases from the builder with damage of every kind, and on what the engine's own
//! repair had to do with.

#[path = "../examples/build_testdata/samples.rs"]
#[allow(dead_code, reason = "the example uses the rest")]
mod samples;
#[path = "common/salvage.rs"]
mod tools;

use std::collections::{BTreeMap, BTreeSet};

use exutil::damage::{Damage, damage};
use exutil::db::catalog::{CATALOG_ROOT, SHADOW_ROOT, Schema};
use exutil::db::space::ObjectSpace;
use exutil::format::checksum::seal;
use exutil::format::ids::{Objid, PageSize, Pgno};
use exutil::format::page::PageFlags;
use exutil::salvage::{
    Inventory, LossCause, PageVerdict, Refill, SalvageOptions, SalvagedCatalog, TakenHow, TreeKind,
};

use tools::{Nodes, Tree, Work, is_rising, page_bytes, page_of, plain, trees, walk};

/// Databases with trees of several levels in several page sizes and formats.
fn databases() -> Vec<Vec<u8>> {
    let wide = |size, major, rows| samples::wide(samples::options(size, major, 5).unwrap(), rows);
    vec![
        wide(PageSize::K2, 9, 900).unwrap(),
        wide(PageSize::K4, 20, 1500).unwrap(),
        wide(PageSize::K32, 290, 1500).unwrap(),
    ]
}

#[test]
fn undamaged_trees_are_those_of_the_ordinary_walk() {
    let mut levels = BTreeSet::new();
    for bytes in databases() {
        let work = Work::new(bytes);
        for tree in trees(&work.db) {
            let expected = walk(&work.db, tree);
            let (nodes, report) = work.read(tree, Some(tree.root), &plain());
            assert!(nodes == expected, "{tree:?}");
            assert!(report.is_whole() && !report.has_lost_nodes(), "{report:?}");
            assert_eq!(report.left_aside, 0);
            assert_eq!(report.nodes, nodes.len() as u64);
            levels.insert(report.leaves > 100);
        }
        assert_eq!(work.inventory.count(PageVerdict::Bad), 0);
        assert_eq!(work.inventory.bad_pages().count(), 0);
        assert!(work.inventory.highest_objid() >= Objid::new(6));
        assert!(work.inventory.highest_dbtime() <= work.db.header().dbtime);
    }
    assert_eq!(levels.len(), 2, "small and large trees");
}

/// Internal pages of a tree and its root, if that is no leaf.
fn internal_pages(work: &Work, tree: Tree) -> Vec<Pgno> {
    let all = work.inventory.pages_of(tree.objid).iter();
    let internal = |pgno: &Pgno| {
        let state = work.inventory.state(*pgno).unwrap();
        !state.is_leaf() && state.content() == tree.kind.content()
    };
    all.map(|pgno| Pgno::new(*pgno)).filter(internal).collect()
}

#[test]
fn any_lost_internal_page_costs_no_node() {
    let (mut lost, mut roots) = (0, 0);
    for bytes in databases() {
        let sound = Work::new(bytes.clone());
        for tree in trees(&sound.db) {
            let expected = walk(&sound.db, tree);
            let pages = internal_pages(&sound, tree);
            // Every one in small trees, every so many in large ones; the root is the first.
            for pgno in pages.iter().step_by(pages.len().div_ceil(6).max(1)) {
                for zero in [false, true] {
                    let mut bytes = bytes.clone();
                    page_bytes(&mut bytes, sound.db.page_size(), *pgno)[300..364]
                        .copy_from_slice(&samples::Noise::new(1).bytes(64));
                    if zero {
                        page_bytes(&mut bytes, sound.db.page_size(), *pgno).fill(0);
                    }
                    let work = Work::new(bytes);
                    let (nodes, report) = work.read(tree, Some(tree.root), &plain());
                    assert!(nodes == expected, "{tree:?} page {pgno}: {report:?}");
                    assert!(!report.is_whole());
                    assert_eq!(report.losses.len(), 1);
                    let loss = &report.losses[0];
                    assert_eq!((loss.page, loss.cause), (*pgno, LossCause::PageLost));
                    // A root right above the leaves leaves nothing that leads to them.
                    let partly = *pgno == tree.root && pages.len() == 1;
                    let refill = if partly {
                        Refill::Partly
                    } else {
                        Refill::Whole
                    };
                    assert_eq!(loss.refill, refill, "{tree:?} page {pgno}");
                    roots += u32::from(*pgno == tree.root && !partly);
                    lost += 1;
                }
            }
        }
    }
    assert!(lost > 60 && roots > 2, "{lost} {roots}");
}

#[test]
fn a_root_that_is_not_known_is_found() {
    let work = Work::new(databases().remove(1));
    for tree in trees(&work.db) {
        let (nodes, report) = work.read(tree, None, &plain());
        assert_eq!(report.root, Some(tree.root));
        assert!(nodes == walk(&work.db, tree));
        // A root that is another tree's is not believed.
        let wrong = Pgno::new(if tree.root == CATALOG_ROOT { 24 } else { 4 });
        let (nodes, report) = work.read(tree, Some(wrong), &plain());
        assert_eq!(report.root, Some(tree.root));
        assert!(nodes == walk(&work.db, tree));
    }
}

#[test]
fn all_internal_pages_lost_at_once() {
    for bytes in databases() {
        let sound = Work::new(bytes.clone());
        for tree in trees(&sound.db) {
            let mut bytes = bytes.clone();
            for pgno in internal_pages(&sound, tree) {
                page_bytes(&mut bytes, sound.db.page_size(), pgno).fill(0);
            }
            let work = Work::new(bytes);
            let (nodes, report) = work.read(tree, Some(tree.root), &plain());
            assert!(nodes == walk(&sound.db, tree), "{tree:?} {report:?}");
        }
    }
}

/// Leaves of a tree that are not its root.
fn leaves(work: &Work, tree: Tree) -> Vec<Pgno> {
    let all = work.inventory.leaves(tree.objid, tree.kind);
    all.filter(|pgno| *pgno != tree.root).collect()
}

#[test]
fn a_lost_leaf_costs_its_own_nodes() {
    let mut lost = 0;
    for bytes in databases() {
        let sound = Work::new(bytes.clone());
        for tree in trees(&sound.db) {
            let all = walk(&sound.db, tree);
            let leaves = leaves(&sound, tree);
            for pgno in leaves.iter().step_by(leaves.len().div_ceil(5).max(1)) {
                let own: BTreeSet<_> = sound.nodes_of(*pgno).into_iter().collect();
                let mut bytes = bytes.clone();
                page_bytes(&mut bytes, sound.db.page_size(), *pgno)[200..264]
                    .copy_from_slice(&samples::Noise::new(2).bytes(64));
                let work = Work::new(bytes);
                let (nodes, report) = work.read(tree, Some(tree.root), &plain());
                let expected = all.iter().filter(|node| !own.contains(*node));
                assert!(nodes.iter().eq(expected), "{tree:?} page {pgno}");
                assert_eq!(report.losses.len(), 1, "{report:?}");
                let loss = &report.losses[0];
                assert_eq!((loss.page, loss.refill), (*pgno, Refill::Nothing));
                // The keys that were lost lie between the bounds that are named.
                for (key, data) in &own {
                    let whole = if tree.kind.is_non_unique() {
                        [&key[..], data].concat()
                    } else {
                        key.clone()
                    };
                    assert!(whole >= loss.lower);
                    assert!(loss.upper.is_empty() || whole < loss.upper);
                }
                lost += 1;
            }
        }
    }
    assert!(lost > 40, "{lost}");
}

/// The offset of the data of a node within its page.
fn data_offset(work: &Work, pgno: Pgno, line: usize) -> (usize, usize) {
    let page = page_of(work, pgno);
    let page = page.page();
    let data = page.node(line).unwrap().data;
    (
        data.as_ptr() as usize - page.bytes().as_ptr() as usize,
        data.len(),
    )
}

#[test]
fn a_damaged_leaf_costs_the_damaged_node() {
    let mut done = 0;
    for bytes in databases() {
        let sound = Work::new(bytes.clone());
        let schema = Schema::read(&sound.db);
        for tree in trees(&sound.db) {
            if tree.kind != TreeKind::Data || tree.objid <= Objid::new(5) {
                continue;
            }
            let all = walk(&sound.db, tree);
            let limits = schema.limits(&schema.tables[&tree.objid]);
            let leaves = leaves(&sound, tree);
            for pgno in leaves.iter().step_by(leaves.len().div_ceil(5).max(1)) {
                let own = sound.nodes_of(*pgno);
                let line = own.len() / 2;
                if own.len() < 3 {
                    continue;
                }
                // What a record begins with: its last fixed and variable columns, and where they are.
                let (at, _) = data_offset(&sound, *pgno, line);
                let mut bytes = bytes.clone();
                page_bytes(&mut bytes, sound.db.page_size(), *pgno)[at..at + 4].fill(0xFF);
                let work = Work::new(bytes);
                let without = work.read(tree, Some(tree.root), &plain()).0;
                assert_eq!(without.len(), all.len() - own.len());
                let options = SalvageOptions {
                    trust_damaged_pages: true,
                    limits,
                    ..plain()
                };
                let (nodes, report) = work.read(tree, Some(tree.root), &options);
                let expected = all.iter().filter(|node| **node != own[line]);
                assert!(nodes.iter().eq(expected), "{tree:?} page {pgno} {report:?}");
                assert!(report.has_lost_nodes());
                let taken = report
                    .taken
                    .iter()
                    .find(|taken| taken.page == *pgno)
                    .unwrap();
                assert!(taken.damaged);
                assert_eq!(taken.nodes as usize, own.len() - 1);
                assert_eq!(report.dropped[0].nodes, 1);
                done += 1;
            }
        }
    }
    assert!(done > 10, "{done}");
}

#[test]
fn a_damaged_tag_costs_its_node() {
    let bytes = databases().remove(1);
    let sound = Work::new(bytes.clone());
    let tree = trees(&sound.db)
        .into_iter()
        .find(|tree| {
            let leaves = leaves(&sound, *tree);
            tree.kind == TreeKind::Data
                && tree.objid > Objid::new(5)
                && leaves
                    .get(1)
                    .is_some_and(|leaf| sound.nodes_of(*leaf).len() > 2)
        })
        .unwrap();
    let all = walk(&sound.db, tree);
    let pgno = leaves(&sound, tree)[1];
    let own = sound.nodes_of(pgno);
    let size = sound.db.page_size();
    for mend in [false, true] {
        let mut bytes = bytes.clone();
        let page = page_bytes(&mut bytes, size, pgno);
        // Tag 2 points beyond the page.
        let at = size.bytes() - 12;
        page[at + 2..at + 4].copy_from_slice(&0x1FF0u16.to_le_bytes());
        if mend {
            seal(page, size, pgno);
        }
        let work = Work::new(bytes);
        let options = SalvageOptions {
            trust_damaged_pages: !mend,
            ..plain()
        };
        let (nodes, report) = work.read(tree, Some(tree.root), &options);
        let expected = all.iter().filter(|node| **node != own[1]);
        assert!(nodes.iter().eq(expected), "mend {mend} {report:?}");
        assert_eq!(report.dropped.len(), 1);
    }
}

#[test]
fn swapped_tags_are_sorted() {
    let bytes = databases().remove(1);
    let sound = Work::new(bytes.clone());
    for seed in 0..20 {
        let mut bytes = bytes.clone();
        damage(&mut bytes, Damage::UnsortedKeys, seed).unwrap();
        let work = Work::new(bytes);
        for tree in trees(&sound.db) {
            let (nodes, report) = work.read(tree, Some(tree.root), &plain());
            assert!(nodes == walk(&sound.db, tree), "{tree:?} {report:?}");
        }
    }
}

/// Puts an older state of a leaf, with one more node that was deleted since and another with older data, into a free
/// page at the end of the file.
fn with_stale_copy(bytes: &[u8], size: PageSize, leaf: Pgno, at: Pgno) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let needed = at.next().offset(size) as usize;
    if bytes.len() < needed {
        bytes.resize(needed, 0);
    }
    let copy = page_bytes(&mut bytes, size, leaf).to_vec();
    let mut stale = exutil::format::page::PageBuf::from_bytes(copy, size, at).unwrap();
    let view = stale.view();
    let dbtime = view.dbtime().get();
    let mut key = view.node(0).unwrap().key();
    // A key right behind the first one.
    key.push(0);
    let second = view.node(1).unwrap().key();
    stale.remove_node(1);
    stale.insert_node(1, 0, &key, &[7; 4], 0).unwrap();
    // Where it does not fit beside the other the page is old all the same.
    let _ = stale.insert_node(2, 0, &second, &[8; 4], 0);
    stale.set_dbtime(exutil::format::ids::DbTime::new(dbtime - 1));
    let sealed = stale.seal();
    let page = page_bytes(&mut bytes, size, at);
    page.copy_from_slice(&sealed);
    if size.is_large() {
        page[64..68].copy_from_slice(&at.get().to_le_bytes());
        seal(page, size, at);
    }
    bytes
}

#[test]
fn stale_copies_of_leaves_do_not_come_back() {
    let mut done = 0;
    for bytes in databases() {
        let sound = Work::new(bytes.clone());
        let size = sound.db.page_size();
        let at = sound.db.last_page().next();
        for tree in trees(&sound.db) {
            let all = walk(&sound.db, tree);
            let leaves = leaves(&sound, tree);
            let Some(leaf) = leaves.get(leaves.len() / 2).copied() else {
                continue;
            };
            if sound.nodes_of(leaf).len() < 4 {
                continue;
            }
            let own: BTreeSet<_> = sound.nodes_of(leaf).into_iter().collect();
            let stale = with_stale_copy(&bytes, size, leaf, at);
            // Undamaged.
            let work = Work::new(stale.clone());
            let (nodes, report) = work.read(tree, Some(tree.root), &plain());
            assert!(nodes == all);
            assert!(report.is_whole());
            assert_eq!(report.left_aside, 1, "{tree:?} leaf {leaf} {report:?}");
            // With any internal page lost.
            for pgno in internal_pages(&sound, tree) {
                let mut bytes = stale.clone();
                page_bytes(&mut bytes, size, pgno).fill(0);
                let work = Work::new(bytes);
                let (nodes, report) = work.read(tree, Some(tree.root), &plain());
                assert!(
                    nodes == all,
                    "{tree:?} leaf {leaf} internal {pgno} {report:?}"
                );
                assert_eq!(
                    report.left_aside, 1,
                    "{tree:?} leaf {leaf} {pgno} {report:?}"
                );
            }
            // With the leaf itself lost, and then with its parents too.
            let mut bytes = stale.clone();
            page_bytes(&mut bytes, size, leaf).fill(0);
            let without: Nodes = all
                .iter()
                .filter(|node| !own.contains(*node))
                .cloned()
                .collect();
            for lose_internal in [false, true] {
                if lose_internal {
                    for pgno in internal_pages(&sound, tree) {
                        page_bytes(&mut bytes, size, pgno).fill(0);
                    }
                }
                let work = Work::new(bytes.clone());
                let (nodes, report) = work.read(tree, Some(tree.root), &plain());
                // At an edge of the tree nothing tells how far the lost leaf reached.
                let page = page_of(&sound, leaf);
                let first = page.page().prev().is_null() || page.page().next().is_null();
                assert!(
                    nodes == without || first,
                    "{tree:?} leaf {leaf} {lose_internal} {report:?}"
                );
            }
            done += 1;
        }
    }
    assert!(done > 10, "{done}");
}

/// Of a tree without internal pages and links, with a copy of a leaf at `at` that is newer than the leaf: the nodes.
fn with_newer_copy(work: &Work, bytes: &[u8], tree: Tree, at: Pgno, empty: bool) -> Nodes {
    let size = work.db.page_size();
    let all = leaves(work, tree);
    let leaf = all[all.len() / 2];
    let mut bytes = with_stale_copy(bytes, size, leaf, at);
    for pgno in internal_pages(work, tree) {
        page_bytes(&mut bytes, size, pgno).fill(0);
    }
    for leaf in all.iter().copied().filter(|leaf| *leaf != at).chain([at]) {
        let page = page_bytes(&mut bytes, size, leaf);
        page[16..24].fill(0);
        if leaf == at {
            page[8..16].copy_from_slice(&0x7000_0000u64.to_le_bytes());
            page[36] |= if empty { 8 } else { 0 };
        }
        seal(page, size, leaf);
    }
    let work = Work::new(bytes);
    work.read(tree, Some(tree.root), &plain()).0
}

#[test]
fn pages_that_are_free_are_not_taken() {
    let (mut by_flag, mut by_space) = (0, 0);
    for bytes in databases() {
        let sound = Work::new(bytes.clone());
        for tree in trees(&sound.db) {
            let leaves = leaves(&sound, tree);
            let middle = leaves.get(leaves.len() / 2);
            if leaves.len() < 3 || middle.is_none_or(|leaf| sound.nodes_of(*leaf).len() < 4) {
                continue;
            }
            let all = walk(&sound.db, tree);
            let behind = sound.db.last_page().next();
            assert!(
                with_newer_copy(&sound, &bytes, tree, behind, true) == all,
                "{tree:?}"
            );
            // So that the test can fail: a page that nothing calls free is taken.
            assert!(
                with_newer_copy(&sound, &bytes, tree, behind, false) != all,
                "{tree:?}"
            );
            by_flag += 1;
            let space = ObjectSpace::read(&sound.db, tree.root);
            let free = space.available.iter().map(|extent| extent.last);
            let free = free.filter(|pgno| *pgno <= sound.db.last_page()).max();
            if let Some(free) = free.filter(|_| space.multiple) {
                assert!(
                    with_newer_copy(&sound, &bytes, tree, free, false) == all,
                    "{tree:?}"
                );
                by_space += 1;
            }
        }
    }
    assert!(by_flag > 10 && by_space > 0, "{by_flag} {by_space}");
}

#[test]
fn wrong_pointers_and_links_cost_nothing() {
    let bytes = databases().remove(1);
    let sound = Work::new(bytes.clone());
    let all: BTreeMap<Tree, Nodes> = trees(&sound.db)
        .into_iter()
        .map(|tree| (tree, walk(&sound.db, tree)))
        .collect();
    for kind in [
        Damage::SiblingCycle,
        Damage::WrongChild,
        Damage::ChildCycle,
        Damage::FutureDbtime,
    ] {
        for seed in 0..20 {
            let mut bytes = bytes.clone();
            let done = damage(&mut bytes, kind, seed).unwrap();
            let work = Work::new(bytes);
            for (tree, expected) in &all {
                let (nodes, report) = work.read(*tree, Some(tree.root), &plain());
                assert!(nodes == *expected, "{kind:?} {done:?} {tree:?} {report:?}");
            }
        }
    }
}

#[test]
fn a_leaf_that_names_another_object_is_taken_where_all_else_agrees() {
    let bytes = databases().remove(1);
    let sound = Work::new(bytes.clone());
    let mut taken = 0;
    for seed in 0..30 {
        let mut bytes = bytes.clone();
        let done = damage(&mut bytes, Damage::WrongObject, seed).unwrap();
        let work = Work::new(bytes);
        for tree in trees(&sound.db) {
            let (nodes, report) = work.read(tree, Some(tree.root), &plain());
            let of_root = tree.root == done.page;
            assert!(
                nodes == walk(&sound.db, tree) || of_root,
                "{tree:?} {report:?}"
            );
            let foreign = report
                .taken
                .iter()
                .filter(|taken| taken.how == TakenHow::WrongObject);
            taken += foreign.filter(|taken| taken.page == done.page).count();
        }
    }
    assert!(taken > 5, "{taken}");
}

#[test]
fn more_copies_than_can_be_held_cost_nothing() {
    let bytes = databases().remove(0);
    let sound = Work::new(bytes.clone());
    let size = sound.db.page_size();
    let many = |tree: &Tree| {
        let leaves = leaves(&sound, *tree);
        leaves.len() > 8 && sound.nodes_of(leaves[4]).len() > 4
    };
    let tree = trees(&sound.db).into_iter().find(many).unwrap();
    let leaf = leaves(&sound, tree)[4];
    let mut at = sound.db.last_page();
    let mut bytes = bytes;
    for _ in 0..1100 {
        at = at.next();
        bytes = with_stale_copy(&bytes, size, leaf, at);
    }
    page_bytes(&mut bytes, size, tree.root).fill(0);
    for pgno in internal_pages(&sound, tree) {
        page_bytes(&mut bytes, size, pgno).fill(0);
    }
    let work = Work::new(bytes);
    let (nodes, report) = work.read(tree, Some(tree.root), &plain());
    assert!(nodes == walk(&sound.db, tree), "{:?}", report.taken);
    let most = report
        .losses
        .iter()
        .filter(|loss| loss.cause == LossCause::TooManyOverlap);
    assert!(most.count() > 50);
}

#[test]
fn links_broken_around_a_lost_internal_page() {
    let bytes = databases().remove(1);
    let sound = Work::new(bytes.clone());
    let size = sound.db.page_size();
    let mut alone = 0;
    for tree in trees(&sound.db) {
        let internal = internal_pages(&sound, tree);
        let leaves = leaves(&sound, tree);
        if leaves.len() < 8 {
            continue;
        }
        for pgno in &internal {
            let mut bytes = bytes.clone();
            page_bytes(&mut bytes, size, *pgno).fill(0);
            // Every third leaf points nowhere.
            for leaf in leaves.iter().step_by(3) {
                let page = page_bytes(&mut bytes, size, *leaf);
                page[16..24].fill(0);
                seal(page, size, *leaf);
            }
            let work = Work::new(bytes);
            let (nodes, report) = work.read(tree, Some(tree.root), &plain());
            assert!(nodes == walk(&sound.db, tree), "{tree:?} {pgno} {report:?}");
            alone += report
                .taken
                .iter()
                .filter(|taken| taken.how == TakenHow::Alone)
                .count();
        }
    }
    assert!(alone > 0);
}

/// Keys and records, whichever copy they came from.
fn rows(catalog: &SalvagedCatalog) -> Vec<(&[u8], &[u8])> {
    let rows = catalog.rows.iter();
    rows.map(|row| (&row.key[..], &row.data[..])).collect()
}

#[test]
fn a_lost_catalog_page_costs_nothing() {
    for bytes in databases() {
        let sound = Work::new(bytes.clone());
        let expected = SalvagedCatalog::read(&sound.db, &sound.inventory, &plain());
        assert_eq!(expected.report.same, expected.rows.len() as u64);
        assert!(expected.orphans.is_empty(), "{:?}", expected.orphans);
        let schema = Schema::read(&sound.db);
        assert_eq!(
            format!("{:?}", expected.schema(&sound.db)),
            format!("{schema:?}")
        );
        for objid in [Objid::CATALOG, Objid::CATALOG_SHADOW] {
            for pgno in sound.inventory.pages_of(objid) {
                let mut bytes = bytes.clone();
                page_bytes(&mut bytes, sound.db.page_size(), Pgno::new(*pgno)).fill(0);
                let work = Work::new(bytes);
                let catalog = SalvagedCatalog::read(&work.db, &work.inventory, &plain());
                assert!(
                    rows(&catalog) == rows(&expected),
                    "page {pgno}: {:?}",
                    catalog.report
                );
                assert!(catalog.orphans.is_empty());
            }
        }
    }
}

#[test]
fn tables_without_catalog_rows_are_listed() {
    for bytes in databases() {
        let sound = Work::new(bytes.clone());
        let schema = Schema::read(&sound.db);
        // Every row of both catalogs is lost.
        let mut bytes = bytes.clone();
        for objid in [Objid::CATALOG, Objid::CATALOG_SHADOW] {
            for leaf in sound.inventory.leaves(objid, TreeKind::Data) {
                page_bytes(&mut bytes, sound.db.page_size(), leaf).fill(0);
            }
        }
        let named = Work::new(bytes.clone());
        for pgno in sound.inventory.pages_of(Objid::new(4)) {
            page_bytes(&mut bytes, sound.db.page_size(), Pgno::new(*pgno)).fill(0);
        }
        let nameless = Work::new(bytes);
        for (work, with_names) in [(named, true), (nameless, false)] {
            let catalog = SalvagedCatalog::read(&work.db, &work.inventory, &plain());
            assert!(catalog.rows.is_empty());
            for table in schema
                .tables
                .values()
                .filter(|table| table.objid > Objid::new(5))
            {
                let orphan = catalog
                    .orphans
                    .iter()
                    .find(|tree| tree.objid == table.objid)
                    .unwrap();
                assert_eq!(orphan.root, Some(table.root));
                let name = if with_names {
                    table.name.to_uppercase()
                } else {
                    format!("recovered-{}", table.objid)
                };
                assert_eq!(orphan.name, Some(name));
                assert!(orphan.leaves > 0 && orphan.pages >= orphan.leaves);
                for index in table.secondary_indexes() {
                    let tree = catalog
                        .orphans
                        .iter()
                        .find(|tree| tree.objid == index.objid)
                        .unwrap();
                    assert_eq!(tree.parent, Some(table.root));
                    assert_eq!(tree.name, None);
                }
            }
        }
        assert!(schema.tables.len() > 4);
    }
}

#[test]
fn rows_that_differ_are_decided() {
    let bytes = databases().remove(1);
    let sound = Work::new(bytes.clone());
    let expected = SalvagedCatalog::read(&sound.db, &sound.inventory, &plain());
    let size = sound.db.page_size();
    // A row of the main catalog is broken, under a right checksum.
    let leaf = sound
        .inventory
        .leaves(Objid::CATALOG, TreeKind::Data)
        .next()
        .unwrap();
    let (at, _) = data_offset(&sound, leaf, 2);
    let mut broken = bytes.clone();
    let page = page_bytes(&mut broken, size, leaf);
    page[at..at + 4].fill(0xFF);
    seal(page, size, leaf);
    let work = Work::new(broken);
    let catalog = SalvagedCatalog::read(&work.db, &work.inventory, &plain());
    assert!(rows(&catalog) == rows(&expected));
    assert_eq!(catalog.report.differ_shadow, 1);
    // A row differs on a newer page.
    let mut newer = bytes;
    let page = page_bytes(&mut newer, size, leaf);
    page[8..16].copy_from_slice(&0x7000_0000u64.to_le_bytes());
    // The flags of the row. [format notes 6.2, column 6]
    page[at + 22] ^= 0x40;
    seal(page, size, leaf);
    let work = Work::new(newer);
    let catalog = SalvagedCatalog::read(&work.db, &work.inventory, &plain());
    assert_eq!(catalog.report.differ_main, 1);
    assert_eq!(catalog.rows.len(), expected.rows.len());
    assert!(catalog.rows != expected.rows);
    assert_eq!((CATALOG_ROOT, SHADOW_ROOT), (Pgno::new(4), Pgno::new(24)));
}

#[test]
fn random_damage_gives_nothing_that_was_not_there() {
    for (number, bytes) in databases().into_iter().enumerate() {
        let sound = Work::new(bytes.clone());
        let size = sound.db.page_size();
        let all: BTreeMap<Tree, BTreeSet<_>> = trees(&sound.db)
            .into_iter()
            .map(|tree| (tree, walk(&sound.db, tree).into_iter().collect()))
            .collect();
        for seed in 0..12 {
            let mut bytes = bytes.clone();
            let mut noise = samples::Noise::new(seed + 100 * number as u64);
            let pages = u64::from(sound.db.last_page().get());
            // Once a page: two changes can cancel each other out in the old checksum.
            let harmed: BTreeSet<u64> = (0..1 + noise.below(pages / 3))
                .map(|_| 1 + noise.below(pages))
                .collect();
            for pgno in harmed {
                let pgno = Pgno::new(pgno as u32);
                let page = page_bytes(&mut bytes, size, pgno);
                let at = noise.below(size.bytes() as u64 - 64) as usize;
                match noise.below(4) {
                    0 => page.fill(0),
                    1 => page[at..at + 64].copy_from_slice(&noise.bytes(64)),
                    2 => page[at] ^= 1 << noise.below(8),
                    _ => {
                        // Another page's content, here.
                        let from = Pgno::new(1 + noise.below(pages) as u32);
                        let other = page_bytes(&mut bytes, size, from).to_vec();
                        page_bytes(&mut bytes, size, pgno).copy_from_slice(&other);
                    }
                }
            }
            let work = Work::new(bytes);
            for (tree, expected) in &all {
                let (nodes, report) = work.read(*tree, Some(tree.root), &plain());
                assert!(is_rising(&nodes, *tree));
                for node in &nodes {
                    assert!(expected.contains(node), "{tree:?} {report:?}");
                }
                assert!(report.has_lost_nodes() || nodes.len() == expected.len());
                let trusting = SalvageOptions {
                    trust_damaged_pages: true,
                    ..plain()
                };
                let (more, _) = work.read(*tree, Some(tree.root), &trusting);
                assert!(is_rising(&more, *tree));
                assert!(more.len() >= nodes.len());
            }
            let _ = SalvagedCatalog::read(&work.db, &work.inventory, &plain());
        }
        assert!(!all.is_empty());
    }
}

#[test]
fn damage_under_a_right_checksum_never_stops_it() {
    let bytes = databases().remove(0);
    let sound = Work::new(bytes.clone());
    let size = sound.db.page_size();
    let all = trees(&sound.db);
    for seed in 0..60 {
        let mut bytes = bytes.clone();
        let mut noise = samples::Noise::new(seed);
        let pages = u64::from(sound.db.last_page().get());
        for _ in 0..1 + noise.below(40) {
            let pgno = Pgno::new(1 + noise.below(pages) as u32);
            let page = page_bytes(&mut bytes, size, pgno);
            let at = match noise.below(3) {
                0 => noise.below(40),
                1 => size.bytes() as u64 - 1 - noise.below(200),
                _ => noise.below(size.bytes() as u64),
            };
            page[at as usize] = noise.next() as u8;
            seal(page, size, pgno);
        }
        let work = Work::new(bytes);
        for tree in &all {
            for trust_damaged_pages in [false, true] {
                let options = SalvageOptions {
                    trust_damaged_pages,
                    ..plain()
                };
                let (nodes, _) = work.read(*tree, Some(tree.root), &options);
                assert!(is_rising(&nodes, *tree), "{tree:?}");
            }
        }
        let _ = SalvagedCatalog::read(&work.db, &work.inventory, &plain());
    }
}

#[test]
fn the_inventory_knows_every_page() {
    // Only the new checksum corrects bits.
    let bytes = databases().remove(2);
    let sound = Work::new(bytes.clone());
    let size = sound.db.page_size();
    let of_many = |tree: &Tree| leaves(&sound, *tree).len() > 8;
    let tree = trees(&sound.db).into_iter().find(of_many).unwrap();
    let leaf = leaves(&sound, tree)[0];
    let other = Pgno::new(leaf.get() + 1);
    let flipped = Pgno::new(leaf.get() + 2);
    let noisy = Pgno::new(leaf.get() + 3);
    let mut bytes = bytes;
    let from = page_bytes(&mut bytes, size, leaf).to_vec();
    page_bytes(&mut bytes, size, other).copy_from_slice(&from);
    page_bytes(&mut bytes, size, flipped)[1000] ^= 4;
    page_bytes(&mut bytes, size, noisy)[1000..1064]
        .copy_from_slice(&samples::Noise::new(3).bytes(64));
    let last = sound.db.last_page();
    page_bytes(&mut bytes, size, last).fill(0);
    let work = Work::new(bytes);
    let verdict = |pgno| work.inventory.state(pgno).unwrap().verdict();
    assert_eq!(verdict(leaf), PageVerdict::Sound);
    assert_eq!(verdict(other), PageVerdict::Misplaced);
    assert_eq!(verdict(flipped), PageVerdict::Corrected);
    assert_eq!(verdict(noisy), PageVerdict::Bad);
    assert_eq!(verdict(last), PageVerdict::Zero);
    assert_eq!(work.inventory.state(last.next()), None);
    assert_eq!(work.inventory.state(Pgno::NULL), None);
    let bad: Vec<_> = work.inventory.bad_pages().collect();
    assert_eq!(
        bad,
        [(other, PageVerdict::Misplaced), (noisy, PageVerdict::Bad)]
    );
    assert_eq!(
        work.inventory.corrected_pages().collect::<Vec<_>>(),
        [flipped]
    );
    for objid in work.inventory.objects() {
        for pgno in work.inventory.pages_of(objid) {
            let state = work.inventory.state(Pgno::new(*pgno)).unwrap();
            if !state.verdict().is_usable() {
                continue;
            }
            let page = page_of(&work, Pgno::new(*pgno));
            assert_eq!(page.page().objid(), objid);
            assert_eq!(state.is_leaf(), page.page().flags().any(PageFlags::LEAF));
        }
    }
    // No flush map: nothing is stale.
    let again = Inventory::scan(&work.db, None, &exutil::progress::Silent);
    assert_eq!(again.count(PageVerdict::Stale), 0);
}
