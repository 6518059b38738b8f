//! Random damage to a whole database in memory.

use std::collections::BTreeSet;

use exutil::damage::{Damage, damage};
use exutil::format::ids::Pgno;

use super::repairing::open;

/// A small generator of numbers: the same seed, the same numbers.
pub struct Seeded(u64);

impl Seeded {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end.max(1)
    }
}

/// Does harm to one or several places; gives the pages that are no longer what they were.
pub fn harm(bytes: &mut Vec<u8>, seed: u64) -> (BTreeSet<Pgno>, String) {
    let before = bytes.clone();
    let size = open(before.clone()).page_size().bytes();
    let mut numbers = Seeded::new(seed);
    let mut told = Vec::new();
    for round in 0..numbers.below(5) + 1 {
        let pages = (bytes.len() / size) as u64;
        let page = (2 + numbers.below(pages - 2)) as usize;
        let at = page * size;
        let what = numbers.below(20);
        told.push(format!("{what}@{}", page - 1));
        match what {
            0 => bytes[at..at + size].fill(0),
            1 => bytes[at..at + size].fill_with(|| numbers.below(256) as u8),
            // A torn write: half of the page.
            2 => bytes[at + size / 2..at + size].fill(0xAA),
            // Anything at all, the catalog and the roots among it.
            3 => {
                let run = (numbers.below(3) as usize + 1).min(pages as usize - page);
                bytes[at..at + run * size].fill(0xFF);
            }
            4 if round == 0 && numbers.below(4) == 0 => {
                let least = 40.min(pages);
                let keep = least + numbers.below(pages - least + 1);
                bytes.truncate(keep as usize * size + numbers.below(size as u64) as usize);
            }
            5 => {
                let from = (2 + numbers.below(pages - 2)) as usize * size;
                bytes.copy_within(from..from + size, at);
            }
            kind => {
                let kinds = Damage::ALL;
                let kind = kinds[kind as usize % kinds.len()];
                if kind != Damage::PrimaryHeader {
                    let _ = damage(bytes, kind, numbers.below(u64::MAX));
                }
            }
        }
    }
    let changed = (2..before.len() / size)
        .filter(|page| {
            let range = page * size..(page + 1) * size;
            bytes.get(range.clone()) != before.get(range)
        })
        .map(|page| Pgno::new(page as u32 - 1));
    (changed.collect(), told.join(" "))
}
