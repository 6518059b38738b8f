//! Sets compared in constant memory: two sets are equal when the sums over hashes of their members are.
//!
//! Members are hashed to 128 bits and added; a sum does not depend on order, so threads need not
//! agree on one. That two different sets have the same sum and count by accident has a chance of
//! about 2^-128 a comparison.
//!
//! The integrity check compares indexes with records in this way, and defragmentation the content of the
//! new file with that of the old one ([`Content`]).

mod content;

use std::sync::atomic::{AtomicU64, Ordering};

use xxhash_rust::xxh3::{xxh3_64, xxh3_128, xxh3_128_with_seed};

pub use content::Content;

/// A sum over hashes, and how many members it has. Wraps around.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sum {
    /// Sum of the lower halves.
    pub low: u64,
    /// Sum of the upper halves.
    pub high: u64,
    /// Members.
    pub count: u64,
}

impl Sum {
    /// Adds a member with a weight.
    #[inline]
    pub const fn add(&mut self, hash: u128, weight: u64) {
        // Two sums of 64 bits instead of one of 128: they can be kept in atomics.
        self.low = self.low.wrapping_add((hash as u64).wrapping_mul(weight));
        self.high = self
            .high
            .wrapping_add(((hash >> 64) as u64).wrapping_mul(weight));
        self.count = self.count.wrapping_add(weight);
    }
}

/// A sum that several threads add to.
#[derive(Debug, Default)]
pub struct Tally {
    low: AtomicU64,
    high: AtomicU64,
    count: AtomicU64,
}

impl Tally {
    /// Adds a number with a weight.
    pub fn add(&self, number: u64, weight: u64) {
        let mut sum = Sum::default();
        sum.add(hash_number(number), weight);
        self.merge(&sum);
    }

    /// Adds what one leaf summed up.
    pub fn merge(&self, sum: &Sum) {
        if sum.count == 0 && sum.low == 0 && sum.high == 0 {
            return;
        }
        self.low.fetch_add(sum.low, Ordering::Relaxed);
        self.high.fetch_add(sum.high, Ordering::Relaxed);
        self.count.fetch_add(sum.count, Ordering::Relaxed);
    }

    /// The sum so far.
    #[must_use]
    pub fn sum(&self) -> Sum {
        Sum {
            low: self.low.load(Ordering::Relaxed),
            high: self.high.load(Ordering::Relaxed),
            count: self.count.load(Ordering::Relaxed),
        }
    }
}

/// Hash of a long value id.
#[inline]
#[must_use]
pub fn hash_number(number: u64) -> u128 {
    xxh3_128(&number.to_le_bytes())
}

/// Hash of an index entry: its key, seeded with the hash of the bookmark it points to.
#[inline]
#[must_use]
pub fn hash_entry(key: &[u8], bookmark: u64) -> u128 {
    xxh3_128_with_seed(key, bookmark)
}

/// Hash of a bookmark, made once a record for all its entries.
#[inline]
#[must_use]
pub fn hash_bookmark(bookmark: &[u8]) -> u64 {
    xxh3_64(bookmark)
}
