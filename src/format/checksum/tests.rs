//! Checksums against published vectors, a naive twin, and every single-bit error.

use super::{
    Verdict, block_sum, correct, header_is_good, page_sums, seal, seal_header, verify, xor32,
};
use crate::format::ids::{PageSize, Pgno};

/// Bytes without a pattern, from a fixed seed.
fn noise(len: usize, mut seed: u64) -> Vec<u8> {
    (0..len)
        .map(|_| {
            seed = seed
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            (seed >> 33) as u8
        })
        .collect()
}

fn new_format_page(size: PageSize, pgno: Pgno, seed: u64) -> Vec<u8> {
    let mut page = noise(size.bytes(), seed);
    page[36..40].copy_from_slice(&0x2802u32.to_le_bytes());
    seal(&mut page, size, pgno);
    page
}

/// The code as the format notes define it, bit by bit.
fn naive(block: &[u8], first: bool) -> (u32, u32) {
    let (mut x, mut odd, mut xor) = (0u32, false, 0u32);
    for (at, byte) in block.iter().enumerate().skip(if first { 8 } else { 0 }) {
        xor ^= u32::from(*byte) << (8 * (at % 4));
        for bit in (0..8).filter(|bit| byte >> bit & 1 == 1) {
            x ^= 8 * at as u32 + bit;
            odd = !odd;
        }
    }
    let y = if odd {
        x ^ (8 * block.len() as u32 - 1)
    } else {
        x
    };
    (xor, y << 16 | x)
}

#[test]
fn block_sum_equals_its_definition() {
    for len in [2048, 4096, 8192] {
        for seed in 0..8 {
            let block = noise(len, seed);
            for first in [false, true] {
                let sum = block_sum(&block, first);
                assert_eq!(
                    (sum.xor, sum.ecc),
                    naive(&block, first),
                    "{len} {seed} {first}"
                );
            }
        }
    }
}

#[test]
fn xor32_takes_any_length() {
    let data = noise(203, 3);
    let (words, _) = data.as_chunks::<4>();
    let expected = words
        .iter()
        .fold(0, |all, word| all ^ u32::from_le_bytes(*word));
    assert_eq!(xor32(&data), expected);
}

#[test]
fn zero_block_has_its_page_number_as_checksum() {
    assert_eq!(block_sum(&[0; 4096], false).seeded(0x513), 0x513);
}

#[test]
fn every_single_bit_is_found_and_mended() {
    for (size, step) in [
        (PageSize::K2, 1),
        (PageSize::K4, 7),
        (PageSize::K8, 31),
        (PageSize::K16, 61),
        (PageSize::K32, 127),
    ] {
        let pgno = Pgno::new(77);
        let good = new_format_page(size, pgno, 5);
        assert_eq!(verify(&good, size, pgno), Verdict::Good);
        for bit in (64..8 * size.bytes() as u32).step_by(step) {
            let mut page = good.clone();
            page[bit as usize / 8] ^= 1 << (bit % 8);
            let verdict = verify(&page, size, pgno);
            if bit == 301 {
                continue; // the format flag itself: the page now claims the old format
            }
            assert_eq!(verdict, Verdict::Correctable { bit }, "{size} bit {bit}");
            // A wrong bit in a stored block sum of a large page is mended in block 0.
            let bits = correct(&mut page, size, pgno).unwrap();
            assert!(bits.contains(&bit));
            assert_eq!(page, good);
        }
    }
}

#[test]
fn one_wrong_bit_in_each_block_is_mended_two_in_one_are_not() {
    let (size, pgno) = (PageSize::K32, Pgno::new(9));
    let good = new_format_page(size, pgno, 11);
    let mut page = good.clone();
    for block in 0..4 {
        page[block * 8192 + 1000 + block] ^= 4;
    }
    assert_eq!(
        verify(&page, size, pgno),
        Verdict::Correctable { bit: 8002 }
    );
    assert_eq!(correct(&mut page, size, pgno).unwrap().len(), 4);
    assert_eq!(page, good);
    page[5000] ^= 1;
    page[6000] ^= 1;
    assert_eq!(verify(&page, size, pgno), Verdict::Bad { belongs_to: None });
    assert_eq!(correct(&mut page, size, pgno), None);
}

#[test]
fn a_page_in_the_wrong_place_names_its_own() {
    for size in PageSize::ALL {
        let page = new_format_page(size, Pgno::new(97), 2);
        let verdict = verify(&page, size, Pgno::new(12));
        assert_eq!(
            verdict,
            Verdict::Bad {
                belongs_to: Some(Pgno::new(97))
            }
        );
    }
    let mut old = noise(4096, 1);
    old[36..40].copy_from_slice(&0x802u32.to_le_bytes());
    seal(&mut old, PageSize::K4, Pgno::new(5));
    assert_eq!(verify(&old, PageSize::K4, Pgno::new(5)), Verdict::Good);
    let elsewhere = verify(&old, PageSize::K4, Pgno::new(6));
    assert_eq!(
        elsewhere,
        Verdict::Bad {
            belongs_to: Some(Pgno::new(5))
        }
    );
    old[900] ^= 1;
    assert_eq!(
        verify(&old, PageSize::K4, Pgno::new(5)),
        Verdict::Bad { belongs_to: None }
    );
}

#[test]
fn odd_inputs_are_judged_not_trusted() {
    assert_eq!(
        verify(&[], PageSize::K4, Pgno::new(1)),
        Verdict::Bad { belongs_to: None }
    );
    assert_eq!(
        verify(&[0; 4096], PageSize::K4, Pgno::new(1)),
        Verdict::Uninitialized
    );
    assert!(!header_is_good(&[]));
    assert!(!header_is_good(&[0; 4096]));
    let mut header = noise(4096, 4);
    seal_header(&mut header);
    assert!(header_is_good(&header));
    assert_eq!(page_sums(&[], PageSize::K4, Pgno::new(1)).stored, [0; 4]);
}
