//! The page size of a file without a header, told by its pages: each carries a checksum over its own length and
//! number. It also tells when the file does not begin where it should.

use std::collections::BTreeMap;
use std::io;

use serde::Serialize;

use crate::format::checksum::{self, Verdict};
use crate::format::dbheader::DbHeader;
use crate::format::ids::{HEADER_PAGES, Objid, PageSize, Pgno};
use crate::format::page::Page;
use crate::storage::{Pages, Storage};

use super::remains;

/// Pages looked at for each page size; smaller files are looked at as a whole.
const SAMPLE: u64 = 384;
/// Of these, the first of the file, where pages in use are most likely.
const FROM_START: u64 = 96;

/// Pages that may be missing in front: so many, and so many for each page that is there.
const MISSING_AT_MOST: u64 = 4096;
const MISSING_FACTOR: u64 = 4;

/// How well one page size explains a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct PageSizeGuess {
    /// The page size.
    pub size: PageSize,
    /// Pages missing in front of the file: 0 when page 1 lies behind two header pages; negative when the file begins
    /// with pages too many. Present it with [`crate::storage::Shifted`].
    pub missing: i64,
    /// Pages looked at, the two header pages left out.
    pub tried: u64,
    /// Pages in use whose checksum is right.
    pub good: u64,
    /// Pages with a single wrong bit.
    pub correctable: u64,
    /// Pages of zeros, and pages without an object.
    pub uninitialized: u64,
    /// Right content at a place that `missing` does not explain.
    pub elsewhere: u64,
    /// Wrong, or not to be read.
    pub bad: u64,
    /// Damaged header copies that name this page size (0 to 2).
    pub headers: u64,
}

impl PageSizeGuess {
    /// True when something speaks for it. Without, the file tells nothing.
    #[must_use]
    pub const fn is_supported(&self) -> bool {
        self.proofs() > 0 || self.headers > 0
    }

    const fn proofs(&self) -> u64 {
        self.good + self.correctable
    }

    /// Larger is better: pages in use that it explains in millionths, header copies, no shift, how many pages that is, a
    /// larger page. Some pages look right in other sizes too, but not many at places that agree: the first block of a
    /// large page is like a smaller page, and an odd number of pages with the old checksum sums up as one does.
    fn rank(&self) -> (u64, u64, bool, u64, usize) {
        // One more, so that one of one is less than ten of ten.
        let used = self.proofs() + self.elsewhere + self.bad + 1;
        let share = self.proofs() * 1_000_000 / used;
        (
            share,
            self.headers,
            self.missing == 0,
            self.proofs(),
            self.size.bytes(),
        )
    }
}

/// What a sampled page is, before a shift is known.
enum Seen {
    /// In use; this many pages lie in front of it too few (0: it is where it should be).
    Proved(i64),
    Correctable,
    Blank,
    Bad,
}

/// Judges every page size on a sample of the file's pages; the likeliest comes first. Five samples of at most 384 pages
/// are read, 24 MiB in all, and those that are wrong twice where the file is shifted. Pages that cannot be read count as bad.
///
/// # Errors
/// When the length of the storage cannot be had.
pub fn guess_page_size(storage: &dyn Storage) -> io::Result<Vec<PageSizeGuess>> {
    let mut guesses = Vec::with_capacity(PageSize::ALL.len());
    for size in PageSize::ALL {
        guesses.push(guess(storage, size)?);
    }
    guesses.sort_by_key(|guess| std::cmp::Reverse(guess.rank()));
    Ok(guesses)
}

fn guess(storage: &dyn Storage, size: PageSize) -> io::Result<PageSizeGuess> {
    let pages = Pages::new(storage, size);
    let (count, _) = pages.count()?;
    let mut buffer = vec![0; size.bytes()];
    let mut seen = BTreeMap::new();
    let mut votes: BTreeMap<i64, u64> = BTreeMap::new();
    for at in sample(count) {
        let found = match pages.read_physical(at, &mut buffer) {
            Ok(()) => look(&buffer, size, at),
            Err(_) => Seen::Bad,
        };
        match found {
            Seen::Proved(missing) => *votes.entry(missing).or_default() += 1,
            // A wrong bit can be told from another number only where the number is known.
            Seen::Correctable => *votes.entry(0).or_default() += 1,
            Seen::Blank | Seen::Bad => {}
        }
        seen.insert(at, found);
    }
    // Of equal numbers the smaller shift. What was cut off is in some proportion to what is left, so that a single number
    // that is wrong cannot make a file of terabytes.
    let most = MISSING_AT_MOST.saturating_add(MISSING_FACTOR.saturating_mul(count));
    let missing = votes
        .iter()
        .filter(|(missing, _)| missing.unsigned_abs() <= most)
        .max_by_key(|(missing, votes)| (**votes, std::cmp::Reverse(missing.unsigned_abs())))
        .map_or(0, |(missing, _)| *missing);
    let mut guess = PageSizeGuess {
        size,
        missing,
        tried: 0,
        good: 0,
        correctable: 0,
        uninitialized: 0,
        elsewhere: 0,
        bad: 0,
        headers: remains::copies(storage, size, missing)
            .iter()
            .filter(|copy: &&DbHeader| copy.page_size() == Some(size))
            .count() as u64,
    };
    for (at, found) in seen {
        let place = at as i64 + missing;
        if place < HEADER_PAGES as i64 {
            continue;
        }
        guess.tried += 1;
        match found {
            Seen::Proved(there) if there == missing => guess.good += 1,
            Seen::Proved(_) => guess.elsewhere += 1,
            Seen::Correctable if missing == 0 => guess.correctable += 1,
            Seen::Blank => guess.uninitialized += 1,
            Seen::Bad if missing == 0 => guess.bad += 1,
            // At its true number the page may have a single wrong bit.
            Seen::Bad | Seen::Correctable => {
                let judged = pages
                    .read_physical(at, &mut buffer)
                    .map(|()| checksum::verify(&buffer, size, number(place)));
                match judged {
                    Ok(verdict) if verdict.is_usable() => guess.correctable += 1,
                    _ => guess.bad += 1,
                }
            }
        }
    }
    Ok(guess)
}

/// The pages to look at: all of a small file, else the first ones and others spread evenly.
fn sample(count: u64) -> impl Iterator<Item = u64> {
    let first = if count <= SAMPLE { count } else { FROM_START };
    let rest = if count <= SAMPLE {
        0
    } else {
        SAMPLE - FROM_START
    };
    let span = count - first;
    (0..first).chain((0..rest).map(move |step| {
        let at = u128::from(step) * u128::from(span) / u128::from(rest.max(1));
        first + at as u64
    }))
}

/// The page that belongs to a place counted from the start of the file.
fn number(place: i64) -> Pgno {
    let number = place + 1 - HEADER_PAGES as i64;
    Pgno::new(u32::try_from(number).unwrap_or(0))
}

fn look(bytes: &[u8], size: PageSize, at: u64) -> Seen {
    let expected = number(at as i64);
    let verdict = checksum::verify(bytes, size, expected);
    // Logs and flush maps have pages with the same checksum, but without an object.
    let used = Page::new(bytes, size).is_some_and(|page| page.objid() != Objid::default());
    match verdict {
        Verdict::Uninitialized => Seen::Blank,
        Verdict::Good if !used => Seen::Blank,
        Verdict::Good if expected.is_null() => Seen::Bad,
        Verdict::Good => Seen::Proved(0),
        Verdict::Correctable { .. } if used && !expected.is_null() => Seen::Correctable,
        Verdict::Bad {
            belongs_to: Some(own),
        } if used && !own.is_null() && own <= Pgno::MAX => {
            Seen::Proved(own.physical() as i64 - at as i64)
        }
        Verdict::Correctable { .. } | Verdict::Bad { .. } => Seen::Bad,
    }
}

#[cfg(test)]
mod tests {
    use super::{SAMPLE, guess_page_size, sample};
    use crate::format::checksum::seal;
    use crate::format::ids::{PageSize, Pgno};
    use crate::format::page::PageFlags;
    use crate::storage::Memory;

    /// A file of zeroed headers and pages with an object and some content.
    fn file(size: PageSize, pages: u32, flags: u32) -> Vec<u8> {
        let mut bytes = vec![0; size.bytes() * 2];
        for pgno in 1..=pages {
            let mut page = vec![0; size.bytes()];
            page[24] = 2;
            page[36..40].copy_from_slice(&flags.to_le_bytes());
            let end = page.len() - 40;
            page[end] = pgno as u8;
            if size.is_large() {
                page[64..68].copy_from_slice(&pgno.to_le_bytes());
            }
            seal(&mut page, size, Pgno::new(pgno));
            bytes.extend(page);
        }
        bytes
    }

    #[test]
    fn every_size_and_shift_is_told() {
        for size in PageSize::ALL {
            for flags in [0x802, 0x802 | PageFlags::NEW_CHECKSUM] {
                for missing in [0, 1, 2, 3, 7] {
                    let bytes = file(size, 12, flags)[missing * size.bytes()..].to_vec();
                    let best = guess_page_size(&Memory::new(bytes)).unwrap()[0];
                    assert_eq!((best.size, best.missing), (size, missing as i64));
                    assert_eq!(best.good, 12 - (missing as u64).saturating_sub(2));
                    assert_eq!((best.bad, best.elsewhere), (0, 0));
                    assert!(best.is_supported());
                }
                let mut bytes = vec![1; 3 * size.bytes()];
                bytes.extend(file(size, 12, flags));
                let best = guess_page_size(&Memory::new(bytes)).unwrap()[0];
                assert_eq!((best.size, best.missing, best.good), (size, -3, 12));
            }
        }
    }

    #[test]
    fn a_wrong_bit_is_seen_behind_a_shift() {
        let size = PageSize::K4;
        let mut bytes = file(size, 5, 0x802 | PageFlags::NEW_CHECKSUM);
        bytes[4096 * 4 + 100] ^= 4;
        bytes[4096 * 5 + 100] ^= 6;
        for missing in [0, 1] {
            let bytes = bytes[missing * 4096..].to_vec();
            let best = guess_page_size(&Memory::new(bytes)).unwrap()[0];
            assert_eq!((best.good, best.correctable, best.bad), (3, 1, 1));
        }
    }

    /// An odd number of pages with the old checksum has a right checksum as one large page.
    #[test]
    fn sums_of_old_pages_are_no_larger_pages() {
        for pages in 1..=15 {
            for missing in [0, 2, 3] {
                let mut bytes = file(PageSize::K4, pages, 0x802);
                bytes.drain(..missing * 4096);
                bytes.resize(2 * 32768, 0);
                let best = guess_page_size(&Memory::new(bytes)).unwrap()[0];
                if best.good > 1 || missing == 0 {
                    assert_eq!((best.size, best.missing), (PageSize::K4, missing as i64));
                } else {
                    assert!(pages < 5, "{pages} {missing} {best:?}");
                }
            }
        }
    }

    #[test]
    fn a_number_far_away_makes_no_giant() {
        let size = PageSize::K4;
        let mut bytes = vec![0; 4096 * 3];
        let page = &mut bytes[8192..];
        page[24] = 2;
        page[36..40].copy_from_slice(&0x2802u32.to_le_bytes());
        seal(page, size, Pgno::new(0x7000_0000));
        let guesses = guess_page_size(&Memory::new(bytes)).unwrap();
        let guess = guesses.iter().find(|guess| guess.size == size).unwrap();
        assert_eq!((guess.missing, guess.elsewhere), (0, 1));
        assert!(!guess.is_supported());
    }

    #[test]
    fn files_that_tell_nothing() {
        let noise: Vec<u8> = (0..200_000u32)
            .map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8)
            .collect();
        for bytes in [
            vec![],
            vec![0],
            vec![0; 100_000],
            vec![0xFF; 100_000],
            noise,
        ] {
            let guesses = guess_page_size(&Memory::new(bytes)).unwrap();
            assert_eq!(guesses.len(), 5);
            assert!(guesses.iter().all(|guess| !guess.is_supported()));
        }
    }

    #[test]
    fn samples_are_bounded_and_in_range() {
        for count in [0, 1, SAMPLE, SAMPLE + 1, 1 << 40] {
            let taken: Vec<u64> = sample(count).collect();
            assert_eq!(taken.len() as u64, count.min(SAMPLE));
            assert!(taken.iter().all(|at| *at < count));
            assert!(taken.is_sorted_by(|a, b| a < b));
        }
    }
}
