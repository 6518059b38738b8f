//! Pages that lie in the place of another: a write went to the wrong place, or part of the file is missing and the rest
//! has moved up. Where a page's own place holds nothing of use, the page is looked for elsewhere.

use std::collections::BTreeMap;

use super::inventory::{Inventory, PageVerdict};
use crate::db::{Database, PageBytes, PageError};
use crate::format::ids::{DbTime, Pgno};
use crate::storage::Moved;

/// Runs of pages that can be read elsewhere than in their place.
#[must_use]
pub fn misplaced(db: &Database, inventory: &Inventory) -> Vec<Moved> {
    let mut found: BTreeMap<Pgno, (DbTime, Pgno)> = BTreeMap::new();
    let mut bytes = PageBytes::new(db.page_size());
    let wrong = inventory
        .bad_pages()
        .filter(|(_, verdict)| *verdict == PageVerdict::Misplaced);
    for (pgno, _) in wrong {
        let real = match db.read(pgno, &mut bytes).map(|_| ()) {
            Err(PageError::Checksum {
                belongs_to: Some(real),
            }) => real,
            Err(PageError::WrongNumber(real)) => real,
            _ => continue,
        };
        let own = inventory.state(real);
        if real.is_null() || own.is_some_and(|state| state.verdict().is_usable()) {
            continue;
        }
        let dbtime = bytes.page().dbtime();
        let best = found.entry(real).or_insert((dbtime, pgno));
        if dbtime > best.0 {
            *best = (dbtime, pgno);
        }
    }
    let mut runs: Vec<Moved> = Vec::new();
    for (real, (_, lies_at)) in found {
        let (place, lies_at) = (real.physical(), lies_at.physical());
        match runs.last_mut() {
            Some(run) if run.place + run.pages == place && run.lies_at + run.pages == lies_at => {
                run.pages += 1;
            }
            _ => runs.push(Moved {
                place,
                lies_at,
                pages: 1,
            }),
        }
    }
    // What moved up leaves its last pages with numbers that the file does not have any more.
    if let Some(shift) = runs.last().map(|run| run.place.saturating_sub(run.lies_at))
        && shift > 0
    {
        let last = inventory.last_page();
        for (pgno, _) in inventory.bad_pages() {
            let real = Pgno::new(pgno.get().saturating_add(shift as u32));
            let mut is_moved = || match db.read(pgno, &mut bytes).map(|_| ()) {
                Err(PageError::Checksum { belongs_to }) => belongs_to == Some(real),
                Err(PageError::WrongNumber(number)) => number == real,
                _ => false,
            };
            if real > last && is_moved() {
                runs.push(Moved {
                    place: real.physical(),
                    lies_at: pgno.physical(),
                    pages: 1,
                });
            }
        }
    }
    runs
}
