//! The checksums of headers, pages and log segments, and the correction of single wrong bits.
//!
//! Two formats live side by side in one file: the old one (a XOR over the page, the page number
//! beside it) and the new one (XOR and an error-correcting code per block). A page says which it
//! uses by its flag 0x2000. Source: format notes 2.3, verified on every corpus page.

mod ecc;

use super::bytes::{all_zero, u32_at, u64_at};
use super::ids::{PageSize, Pgno};

pub use ecc::{BlockSum, block_sum};

/// Seed of every header checksum, and the magic of database headers.
pub const SEED: u32 = 0x89AB_CDEF;
/// Offset of the page flags (`fFlags`), in pages, log segments and flush map pages alike.
const FLAGS_OFFSET: usize = 36;
/// The flag that says "new checksum format".
pub const NEW_FORMAT_FLAG: u32 = 0x2000;
/// The one bit that must not be corrected: losing it would change the format. 8 * 36 + 13.
const FORMAT_FLAG_BIT: u32 = 301;
/// Where large pages keep the checksums of blocks 1 to 3.
const BLOCK_SUM_OFFSETS: [usize; 3] = [40, 48, 56];

/// XOR of all little-endian `u32` of `data`; a tail shorter than 4 bytes is ignored.
#[must_use]
pub fn xor32(data: &[u8]) -> u32 {
    let (lines, tail) = data.as_chunks::<64>();
    let mut lanes = [0u64; 8];
    for line in lines {
        let (words, _) = line.as_chunks::<8>();
        for (lane, word) in lanes.iter_mut().zip(words) {
            *lane ^= u64::from_le_bytes(*word);
        }
    }
    let wide = lanes.iter().fold(0, |all, lane| all ^ lane);
    let (words, _) = tail.as_chunks::<4>();
    words
        .iter()
        .fold((wide as u32) ^ ((wide >> 32) as u32), |all, word| {
            all ^ u32::from_le_bytes(*word)
        })
}

/// The checksum of a header: database, log, checkpoint, trailer page. Compare with the `u32` at 0.
#[must_use]
pub fn header_sum(header: &[u8]) -> u32 {
    SEED ^ xor32(header.get(4..).unwrap_or_default())
}

/// True when the `u32` at 0 is the header checksum of all the bytes.
#[must_use]
pub fn header_is_good(header: &[u8]) -> bool {
    u32_at(header, 0) == Some(header_sum(header))
}

/// What a page's checksum says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// All bytes zero: allocated, never written. (-1019 where a tree refers to it)
    Uninitialized,
    /// Stored and computed checksums agree.
    Good,
    /// One bit (at most one per block) is wrong and known; `bit` is the first, counted from the
    /// start of the page.
    Correctable {
        /// Page-relative number of the first wrong bit, bit 0 of byte 0 being 0.
        bit: u32,
    },
    /// Wrong beyond correction (-1018).
    Bad {
        /// The page that the content belongs to, when only the page number disagrees.
        belongs_to: Option<Pgno>,
    },
}

impl Verdict {
    /// True for [`Verdict::Good`] and [`Verdict::Correctable`]: the content can be trusted.
    #[must_use]
    pub const fn is_usable(self) -> bool {
        matches!(self, Self::Good | Self::Correctable { .. })
    }
}

/// Stored and computed checksums of a page, as 64-bit values; small pages and the old format use
/// only the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PageSums {
    /// From the page.
    pub stored: [u64; 4],
    /// From its content.
    pub computed: [u64; 4],
}

/// Judges a page of `size.bytes()` bytes that should be page `pgno`.
///
/// A slice of another length is judged [`Verdict::Bad`].
#[must_use]
pub fn verify(page: &[u8], size: PageSize, pgno: Pgno) -> Verdict {
    if page.len() != size.bytes() {
        return Verdict::Bad { belongs_to: None };
    }
    if u64_at(page, 0) == Some(0) && all_zero(page) {
        return Verdict::Uninitialized;
    }
    if is_new_format(page) {
        verify_new(page, size, pgno)
    } else {
        verify_old(page, pgno)
    }
}

/// True when the page says that it has the new checksum format.
#[must_use]
pub fn is_new_format(page: &[u8]) -> bool {
    u32_at(page, FLAGS_OFFSET).is_some_and(|flags| flags & NEW_FORMAT_FLAG != 0)
}

/// The stored and computed checksums of a page.
#[must_use]
pub fn page_sums(page: &[u8], size: PageSize, pgno: Pgno) -> PageSums {
    let mut sums = PageSums::default();
    sums.stored[0] = u64_at(page, 0).unwrap_or_default();
    if !is_new_format(page) {
        sums.computed[0] = u64::from(header_sum(page)) | u64::from(pgno.get()) << 32;
        return sums;
    }
    if size.is_large() {
        for (sum, offset) in sums.stored[1..].iter_mut().zip(BLOCK_SUM_OFFSETS) {
            *sum = u64_at(page, offset).unwrap_or_default();
        }
    }
    for (number, block) in page.chunks_exact(size.checksum_block()).take(4).enumerate() {
        sums.computed[number] = block_sum(block, number == 0).seeded(pgno.get());
    }
    sums
}

/// The bit of the stored checksum that is wrong, where nothing else is: a wrong bit of the data would change several bits of
/// a checksum of the new format, so that the data are what they were when it was computed. The engine gives such a page
/// up. [verified: c-bit1-checksum] The old format cannot tell the two apart.
#[must_use]
pub fn wrong_bit_of_sum(page: &[u8], size: PageSize, pgno: Pgno) -> Option<u32> {
    if page.len() != size.bytes() || !is_new_format(page) {
        return None;
    }
    let sums = page_sums(page, size, pgno);
    let wrong = sums.stored[0] ^ sums.computed[0];
    (wrong.is_power_of_two() && sums.stored[1..] == sums.computed[1..])
        .then(|| wrong.trailing_zeros())
}

fn verify_old(page: &[u8], pgno: Pgno) -> Verdict {
    if u32_at(page, 0) != Some(header_sum(page)) {
        return Verdict::Bad { belongs_to: None };
    }
    match u32_at(page, 4) {
        Some(number) if number == pgno.get() => Verdict::Good,
        number => Verdict::Bad {
            belongs_to: number.map(Pgno::new),
        },
    }
}

fn verify_new(page: &[u8], size: PageSize, pgno: Pgno) -> Verdict {
    let mut sums = page_sums(page, size, pgno);
    if sums.stored == sums.computed {
        return Verdict::Good;
    }
    judge_blocks(&mut sums, size, pgno).0
}

/// The verdict, and the wrong bit of each block, block-relative.
fn judge_blocks(sums: &mut PageSums, size: PageSize, pgno: Pgno) -> (Verdict, [Option<u32>; 4]) {
    let block_bits = 8 * size.checksum_block() as u32;
    let blocks = if size.is_large() { 4 } else { 1 };
    let mut wrong = [None; 4];
    let mut first = None;
    for (block, wrong) in wrong.iter_mut().enumerate().take(blocks) {
        let (stored, computed) = (sums.stored[block], sums.computed[block]);
        if stored == computed {
            continue;
        }
        let forbidden = (block == 0).then_some(FORMAT_FLAG_BIT);
        let Some(bit) =
            wrong_bit(stored, computed, block_bits).filter(|bit| Some(*bit) != forbidden)
        else {
            let belongs_to = misplaced(sums, blocks, pgno);
            return (Verdict::Bad { belongs_to }, [None; 4]);
        };
        *wrong = Some(bit);
        first = first.or(Some(block as u32 * block_bits + bit));
        if block == 0 && size.is_large() {
            flip_in_stored_sum(sums, bit);
        }
    }
    (
        first.map_or(Verdict::Good, |bit| Verdict::Correctable { bit }),
        wrong,
    )
}

/// A wrong bit of block 0 that lies in a stored checksum of blocks 1 to 3 is mended there before
/// that block is judged. [engine source]
fn flip_in_stored_sum(sums: &mut PageSums, bit: u32) {
    let start = 8 * BLOCK_SUM_OFFSETS[0] as u32;
    if let Some(inside) = bit.checked_sub(start).filter(|inside| *inside < 3 * 64) {
        sums.stored[1 + (inside / 64) as usize] ^= 1 << (inside % 64);
    }
}

/// The wrong bit of a block, if exactly one is: the two halves of the ECC difference are exact
/// complements and the XOR difference has one bit.
fn wrong_bit(stored: u64, computed: u64, block_bits: u32) -> Option<u32> {
    let difference = stored ^ computed;
    let ecc = (difference >> 32) as u32;
    let mask = block_bits - 1;
    let bit = ecc & 0xFFFF;
    let single = (ecc >> 16 ^ bit) & mask == mask
        && (difference as u32).is_power_of_two()
        && bit < block_bits;
    single.then_some(bit)
}

/// ECC right and XOR wrong by the same value in every block: right content, wrong page number.
fn misplaced(sums: &PageSums, blocks: usize, pgno: Pgno) -> Option<Pgno> {
    let difference = sums.stored[0] ^ sums.computed[0];
    let same = (0..blocks).all(|block| sums.stored[block] ^ sums.computed[block] == difference);
    (same && difference != 0 && difference >> 32 == 0)
        .then(|| Pgno::new(pgno.get() ^ difference as u32))
}

/// Mends the wrong bits of a page that [`verify`] calls correctable.
///
/// Returns the page-relative numbers of the flipped bits, or `None` (page untouched) when the page
/// is not correctable or would still not verify.
pub fn correct(page: &mut [u8], size: PageSize, pgno: Pgno) -> Option<Vec<u32>> {
    if page.len() != size.bytes() || !is_new_format(page) {
        return None;
    }
    let mut sums = page_sums(page, size, pgno);
    let (Verdict::Correctable { .. }, wrong) = judge_blocks(&mut sums, size, pgno) else {
        return None;
    };
    let block_bits = 8 * size.checksum_block() as u32;
    let bits: Vec<u32> = (0u32..)
        .zip(wrong)
        .filter_map(|(block, bit)| bit.map(|bit| block * block_bits + bit))
        .collect();
    bits.iter().for_each(|bit| flip(page, *bit));
    let sums = page_sums(page, size, pgno);
    if sums.stored != sums.computed {
        bits.iter().for_each(|bit| flip(page, *bit));
        return None;
    }
    Some(bits)
}

fn flip(page: &mut [u8], bit: u32) {
    if let Some(byte) = page.get_mut(bit as usize / 8) {
        *byte ^= 1 << (bit % 8);
    }
}

/// Writes the checksum that belongs to the page's content, in the format that its flags ask for.
///
/// `page` must be `size.bytes()` long; on a large page of the new format the sums of blocks 1 to 3
/// are stored first, because block 0 contains them.
pub fn seal(page: &mut [u8], size: PageSize, pgno: Pgno) {
    debug_assert_eq!(page.len(), size.bytes());
    if !is_new_format(page) {
        page[4..8].copy_from_slice(&pgno.get().to_le_bytes());
        let sum = header_sum(page);
        page[0..4].copy_from_slice(&sum.to_le_bytes());
        return;
    }
    if size.is_large() {
        for (number, offset) in BLOCK_SUM_OFFSETS.into_iter().enumerate() {
            let block = size.checksum_block();
            let sum = block_sum(&page[(number + 1) * block..][..block], false).seeded(pgno.get());
            page[offset..offset + 8].copy_from_slice(&sum.to_le_bytes());
        }
    }
    let sum = block_sum(&page[..size.checksum_block()], true).seeded(pgno.get());
    page[0..8].copy_from_slice(&sum.to_le_bytes());
}

/// Writes the checksum of a header (database, log, checkpoint, trailer page).
pub fn seal_header(header: &mut [u8]) {
    let sum = header_sum(header);
    header[0..4].copy_from_slice(&sum.to_le_bytes());
}

#[cfg(test)]
mod tests;
