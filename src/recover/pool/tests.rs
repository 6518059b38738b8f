//! Pages read ahead, and pages brought near the processor.

use std::sync::Arc;

use super::{Pool, Slot, WARM_AT_ONCE};
use crate::format::ids::{Objid, PageSize, Pgno};
use crate::format::page::{CheckScratch, PageBuf, PageFlags};
use crate::jet::JetError;
use crate::recover::page_file::PageState;
use crate::storage::Memory;

const SIZE: PageSize = PageSize::K4;

/// Pages 1 to 3: a page, one with a wrong checksum, an empty one.
fn pool() -> (Pool, Slot) {
    let mut bytes = vec![0; 2 * SIZE.bytes()];
    for number in 1..3 {
        let flags = PageFlags::new(PageFlags::LEAF | PageFlags::NEW_CHECKSUM);
        bytes.extend(PageBuf::new(SIZE, Pgno::new(number), Objid::new(9), flags).seal());
    }
    let wrong = bytes.len() - 9;
    (bytes[wrong], bytes[wrong - 40]) = (0x13, 0x57);
    bytes.resize(5 * SIZE.bytes(), 0);
    let scratch = || Ok(Box::new(Memory::new(Vec::new())) as Box<dyn crate::storage::Storage>);
    let mut pool = Pool::new(SIZE, 0, Box::new(scratch));
    let storage = Arc::new(Memory::new(bytes));
    let slot = pool.add("x.edb".as_ref(), Some(storage)).unwrap();
    (pool, slot)
}

/// A page that was read ahead is what it would be if it had been read when it was needed.
#[test]
fn reading_ahead_changes_nothing() {
    let (mut now, slot) = pool();
    let (mut ahead, _) = pool();
    let source = ahead.source(slot).unwrap();
    let mut scratch = CheckScratch::default();
    let pages = (1..=3).map(|number| source.read(Pgno::new(number), &mut scratch));
    ahead.offer(pages.collect());
    assert!(!source.has(Pgno::new(0)) && !source.has(Pgno::new(4)));
    let expected = [
        PageState::Sound,
        PageState::Bad(JetError::READ_VERIFY_FAILURE),
        PageState::Uninitialized,
        PageState::Beyond,
    ];
    for (number, expected) in (1..).zip(expected) {
        let pgno = Pgno::new(number);
        let (a, state) = now.load(slot, pgno).unwrap();
        let (b, offered) = ahead.load(slot, pgno).unwrap();
        assert_eq!((state, offered), (expected, expected), "page {number}");
        assert_eq!(
            now.frames[a.0 as usize].bytes,
            ahead.frames[b.0 as usize].bytes
        );
    }
    assert_eq!(now.counts(), ahead.counts());
    assert_eq!((now.bad_pages(slot), ahead.bad_pages(slot)), (1, 1));
    assert!(ahead.offered.is_empty());
}

/// Any page and node may be asked for: what is not there is passed over.
#[test]
fn what_is_not_there_cannot_be_warmed() {
    let (mut pool, slot) = pool();
    pool.load(slot, Pgno::new(1)).unwrap();
    pool.load(slot, Pgno::new(2)).unwrap();
    let lines = [0, 1, 1000, u16::MAX];
    let nodes = lines.iter().cycle().zip(0..2 * WARM_AT_ONCE as u32);
    pool.warm(nodes.map(|(line, number)| (slot, Pgno::new(number % 5), *line)));
    assert_eq!(pool.frames.len(), 2);
}
