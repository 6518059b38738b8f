//! The new checksum of one block: 32 bits of XOR, 32 bits of error-correcting code.
//!
//! Number the block's bits k = 8 * byte + bit. The low half of the code is the XOR of the numbers of
//! all set bits, the high half the XOR of their complements within the block. Format notes 2.3.2,
//! verified there and by the corpus.
//!
//! Bit j of the low half is the parity of all bits whose number has bit j set, so it can be had from
//! XORs of whole words instead of single bits. The block is read once, 256 bytes (eight rows of 32)
//! at a time: six bits come from XORs among the rows of such a stripe, the bits above from the parity
//! of the whole stripe, and the lowest eight from the XOR of all rows at the end. That leaves about
//! two XORs per word, which the compiler turns into vector code without any `unsafe`.

/// Rows of a stripe.
const ROWS: usize = 8;
/// 64-bit words of a row.
const LANES: usize = 4;
/// Bytes of a stripe.
const STRIPE: usize = ROWS * LANES * 8;

type Row = [u64; LANES];

/// XOR and ECC of one block, without the page number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockSum {
    /// XOR of all 32-bit words.
    pub xor: u32,
    /// The code, high half complement, low half numbers.
    pub ecc: u32,
}

impl BlockSum {
    /// The 64-bit checksum as it is stored: the XOR half is seeded with the page number (for log
    /// segments with the segment number), the code is not.
    #[must_use]
    pub fn seeded(self, number: u32) -> u64 {
        u64::from(self.ecc) << 32 | u64::from(self.xor ^ number)
    }
}

/// The sums of a block of 2048, 4096 or 8192 bytes. `first` is true for the block that holds the
/// checksum itself: its first 8 bytes count as zero.
#[must_use]
pub fn block_sum(block: &[u8], first: bool) -> BlockSum {
    let (stripes, _) = block.as_chunks::<STRIPE>();
    let mut all = Row::default();
    let mut by_row = [Row::default(); 3];
    let mut stripe_bits = 0u32;
    for (number, stripe) in stripes.iter().enumerate() {
        let mut rows = load(stripe);
        if first && number == 0 {
            rows[0][0] = 0;
        }
        let total = fold_stripe(&rows, &mut by_row);
        stripe_bits ^= (number as u32) & (parity(&total) as u32).wrapping_neg();
        xor_into(&mut all, &total);
    }
    combine(&all, &by_row, stripe_bits, block.len())
}

#[inline(always)]
fn load(stripe: &[u8; STRIPE]) -> [Row; ROWS] {
    let mut rows = [Row::default(); ROWS];
    let (words, _) = stripe.as_chunks::<8>();
    for (at, word) in words.iter().enumerate() {
        rows[at / LANES][at % LANES] = u64::from_le_bytes(*word);
    }
    rows
}

#[inline(always)]
fn xor_into(into: &mut Row, row: &Row) {
    for (a, b) in into.iter_mut().zip(row) {
        *a ^= b;
    }
}

#[inline(always)]
fn xor(a: &Row, b: &Row) -> Row {
    std::array::from_fn(|lane| a[lane] ^ b[lane])
}

/// Adds the stripe's rows to the sums of rows with an odd number, with bit 1, with bit 2 set, and
/// returns the XOR of all eight.
#[inline(always)]
fn fold_stripe(rows: &[Row; ROWS], by_row: &mut [Row; 3]) -> Row {
    let pairs: [Row; 4] = std::array::from_fn(|at| xor(&rows[2 * at], &rows[2 * at + 1]));
    let odd = xor(&xor(&rows[1], &rows[3]), &xor(&rows[5], &rows[7]));
    let high = xor(&pairs[2], &pairs[3]);
    xor_into(&mut by_row[0], &odd);
    xor_into(&mut by_row[1], &xor(&pairs[1], &pairs[3]));
    xor_into(&mut by_row[2], &high);
    xor(&xor(&pairs[0], &pairs[1]), &high)
}

#[inline(always)]
fn parity(row: &Row) -> u8 {
    let word = row[0] ^ row[1] ^ row[2] ^ row[3];
    (word.count_ones() & 1) as u8
}

fn combine(all: &Row, by_row: &[Row; 3], stripe_bits: u32, len: usize) -> BlockSum {
    let word = all[0] ^ all[1] ^ all[2] ^ all[3];
    // Bits 0 to 5 number the bit inside a 64-bit word, 6 and 7 the word inside a row, 8 to 10 the
    // row, 11 and up the stripe.
    let mut numbers = stripe_bits << 11;
    const IN_WORD: [u64; 6] = [
        0xAAAA_AAAA_AAAA_AAAA,
        0xCCCC_CCCC_CCCC_CCCC,
        0xF0F0_F0F0_F0F0_F0F0,
        0xFF00_FF00_FF00_FF00,
        0xFFFF_0000_FFFF_0000,
        0xFFFF_FFFF_0000_0000,
    ];
    for (bit, mask) in IN_WORD.into_iter().enumerate() {
        numbers |= ((word & mask).count_ones() & 1) << bit;
    }
    numbers |= ((all[1] ^ all[3]).count_ones() & 1) << 6;
    numbers |= ((all[2] ^ all[3]).count_ones() & 1) << 7;
    for (bit, row) in by_row.iter().enumerate() {
        numbers |= u32::from(parity(row)) << (8 + bit);
    }
    let odd = word.count_ones() & 1;
    let complement = if odd == 1 {
        numbers ^ (8 * len as u32 - 1)
    } else {
        numbers
    };
    BlockSum {
        xor: (word as u32) ^ ((word >> 32) as u32),
        ecc: complement << 16 | numbers,
    }
}
