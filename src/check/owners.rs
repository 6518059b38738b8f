//! Who owns each page, whether it is available, and whether a tree uses it.
//!
//! Memory: two bytes a page for the owner (four in a database with more than 65535 objects) and two
//! bits: for a database of a billion rows of 200 bytes on 4 KiB pages (50 million pages) 112 MiB.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use super::context::{Context, Subject};
use super::objects::Object;
use crate::db::space::Extent;
use crate::format::ids::{Objid, Pgno};
use crate::problem::{Finding, Place, Problem};

/// Object ids by small numbers; 0 is "nobody".
enum Numbers {
    Narrow(Vec<u16>),
    Wide(Vec<u32>),
}

/// The state of every page.
pub(super) struct Owners {
    numbers: Numbers,
    objids: Vec<Objid>,
    by_objid: HashMap<Objid, u32>,
    available: Vec<u64>,
    used: Vec<AtomicU64>,
    last: Pgno,
    /// Pages in the space trees' split buffers and in the space trees themselves count as used.
    complete: bool,
}

impl Owners {
    /// Nobody owns anything.
    pub fn new(last: Pgno, objects: &[Object]) -> Self {
        let pages = last.get() as usize + 1;
        let mut objids = vec![Objid::default(), Objid::SYSTEM_ROOT];
        objids.extend(objects.iter().map(|object| object.objid));
        let by_objid = objids.iter().copied().zip(0u32..).skip(1).collect();
        let numbers = if objids.len() <= usize::from(u16::MAX) {
            Numbers::Narrow(vec![0; pages])
        } else {
            Numbers::Wide(vec![0; pages])
        };
        Self {
            numbers,
            objids,
            by_objid,
            available: vec![0; pages.div_ceil(64)],
            used: (0..pages.div_ceil(64)).map(|_| AtomicU64::new(0)).collect(),
            last,
            complete: true,
        }
    }

    /// True when the page is one of the file's.
    pub fn has(&self, pgno: Pgno) -> bool {
        !pgno.is_null() && pgno <= self.last
    }

    /// The owner; object 0 when nobody owns the page.
    pub fn owner(&self, pgno: Pgno) -> Objid {
        let at = pgno.get() as usize;
        let number = match &self.numbers {
            Numbers::Narrow(numbers) => numbers.get(at).copied().unwrap_or(0).into(),
            Numbers::Wide(numbers) => numbers.get(at).copied().unwrap_or(0),
        };
        self.objids[number as usize]
    }

    /// Sets the owner.
    pub fn set_owner(&mut self, pgno: Pgno, objid: Objid) {
        let number = self.by_objid.get(&objid).copied().unwrap_or(0);
        let at = pgno.get() as usize;
        match &mut self.numbers {
            Numbers::Narrow(numbers) => numbers[at] = number as u16,
            Numbers::Wide(numbers) => numbers[at] = number,
        }
    }

    /// True when a space tree offers the page.
    pub fn is_available(&self, pgno: Pgno) -> bool {
        let at = pgno.get() as usize;
        self.available
            .get(at / 64)
            .is_some_and(|word| word >> (at % 64) & 1 == 1)
    }

    /// Marks the page as offered.
    pub fn set_available(&mut self, pgno: Pgno) {
        let at = pgno.get() as usize;
        self.available[at / 64] |= 1 << (at % 64);
    }

    /// Marks the page as used; false when it was already.
    pub fn visit(&self, pgno: Pgno) -> bool {
        let at = pgno.get() as usize;
        let bit = 1u64 << (at % 64);
        self.used
            .get(at / 64)
            .is_some_and(|word| word.fetch_or(bit, Ordering::Relaxed) & bit == 0)
    }

    fn is_used(&self, pgno: Pgno) -> bool {
        let at = pgno.get() as usize;
        self.used[at / 64].load(Ordering::Relaxed) >> (at % 64) & 1 == 1
    }

    /// Some space tree could not be read: pages without an owner prove nothing then.
    pub fn set_incomplete(&mut self) {
        self.complete = false;
    }

    /// True when all space trees could be read.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// Pages that are owned, not available, and in no tree: crashes and repairs leave them behind.
    pub fn report_leaks(&self, context: &Context<'_>, objects: &[Object]) {
        if !self.complete {
            return;
        }
        let names: HashMap<Objid, &Object> = objects
            .iter()
            .map(|object| (object.objid, object))
            .collect();
        let mut run: Option<(Objid, Extent)> = None;
        let mut leaked = HashMap::<Objid, (u64, Extent)>::new();
        for pgno in (1..=self.last.get()).map(Pgno::new) {
            let owner = self.owner(pgno);
            let leak = owner != Objid::default() && !self.is_available(pgno) && !self.is_used(pgno);
            match &mut run {
                Some((of, extent)) if leak && *of == owner => {
                    *extent = Extent {
                        last: pgno,
                        count: extent.count + 1,
                    };
                }
                _ => {
                    note(&mut leaked, run.take());
                    run = leak.then(|| (owner, Extent::starting(pgno, 1)));
                }
            }
        }
        note(&mut leaked, run);
        for (objid, (pages, first)) in leaked {
            let object = names.get(&objid);
            let subject = Subject {
                table: object.map(|object| object.table.as_str()),
                index: object
                    .map(|object| object.part.as_str())
                    .filter(|part| !part.is_empty()),
                objid,
            };
            let detail = format!("{pages} pages, the first is {}", first.first());
            let place = Place {
                page: None,
                ..subject.page(first.first())
            };
            context.report(Finding::new(Problem::SpaceLeaked, place).with_detail(detail));
        }
    }
}

fn note(leaked: &mut HashMap<Objid, (u64, Extent)>, run: Option<(Objid, Extent)>) {
    if let Some((objid, extent)) = run {
        leaked.entry(objid).or_insert((0, extent)).0 += u64::from(extent.count);
    }
}
