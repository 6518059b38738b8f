//! The patch file (`.pat`) of an online backup, up to Exchange 2000 SP1: pages that were written after the backup had
//! copied them, and without which its copy of the database cannot be recovered.
//!
//! Two header pages, then pages in the order of their writing; a patch file without any is two pages long. The header is
//! a database header that shows the range of logs as "Current Full Backup". [Microsoft KB Q200941, Q158526] No sample
//! with pages is known, and the public engine knows no file type or attribute for it, so that the header here is that of
//! the database copy with the last generation filled in.
//!
//! A page is found by the number in its own header, which only the old checksum has: the new one keeps nothing but its
//! sums there. Patch files are older than the new checksum, so pages of later formats take the old form here.

use super::bytes::u32_at;
use super::checksum::{self, NEW_FORMAT_FLAG};
use super::dbheader::DbHeader;
use super::ids::{PageSize, Pgno};

/// Header pages before the first page.
const HEADER_PAGES: usize = 2;
/// Offset of a page's number, behind the old checksum.
const PGNO_OFFSET: usize = 4;
/// Offset of a page's flags.
const FLAGS_OFFSET: usize = 36;

/// The bytes of a patch file: `header` twice, then `pages`, which are sealed already (see [`seal`]).
#[must_use]
pub fn write(header: &DbHeader, size: PageSize, pages: &[u8]) -> Vec<u8> {
    let mut file = vec![0; HEADER_PAGES * size.bytes()];
    for copy in file.chunks_exact_mut(size.bytes()) {
        header.write_to(copy);
    }
    file.extend_from_slice(pages);
    file
}

/// Seals a page for a patch file: with the old checksum, which is the only one that goes with a page number.
///
/// `page` must be `size.bytes()` long.
pub fn seal(page: &mut [u8], size: PageSize, pgno: Pgno) {
    let flags = u32_at(page, FLAGS_OFFSET).unwrap_or_default() & !NEW_FORMAT_FLAG;
    page[FLAGS_OFFSET..][..size_of::<u32>()].copy_from_slice(&flags.to_le_bytes());
    checksum::seal(page, size, pgno);
}

/// The number of a page of a patch file, by its own header; 0 where the page is too short for one.
#[must_use]
pub fn number(page: &[u8]) -> Pgno {
    Pgno::new(u32_at(page, PGNO_OFFSET).unwrap_or_default())
}

/// The pages of a patch file in their order, each with the number in its header; of several with one number the last is
/// the newest. What is left behind the last whole page does not count; checksums are not judged.
pub fn pages(file: &[u8], size: PageSize) -> impl Iterator<Item = (Pgno, &[u8])> {
    let pages = file.chunks_exact(size.bytes()).skip(HEADER_PAGES);
    pages.map(|page| (number(page), page))
}

#[cfg(test)]
mod tests {
    use super::{pages, seal, write};
    use crate::format::checksum::{Verdict, verify};
    use crate::format::dbheader::DbHeader;
    use crate::format::ids::{PageSize, Pgno};

    #[test]
    fn pages_come_back_with_their_numbers() {
        let size = PageSize::K4;
        let mut all = Vec::new();
        for number in [7, 300, 7] {
            let mut page = vec![number as u8; size.bytes()];
            // As of the new checksum before.
            page[37] |= 0x20;
            seal(&mut page, size, Pgno::new(number));
            all.extend(page);
        }
        let file = write(&DbHeader::empty(), size, &all);
        let found: Vec<_> = pages(&file, size).collect();
        let numbers: Vec<u32> = found.iter().map(|(pgno, _)| pgno.get()).collect();
        assert_eq!(numbers, [7, 300, 7]);
        for (pgno, page) in found {
            assert_eq!(verify(page, size, pgno), Verdict::Good);
        }
        assert!(DbHeader::parse(&file[size.bytes()..]).is_ok());
        let empty = write(&DbHeader::empty(), size, &[]);
        assert_eq!((empty.len(), pages(&empty, size).count()), (8192, 0));
        assert_eq!(pages(&file[..100], size).count(), 0);
    }
}
