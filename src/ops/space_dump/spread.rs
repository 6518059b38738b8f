//! Figures of many numbers, kept without keeping the numbers.

use serde::Serialize;

/// Count, least, most, sum and spread of a set of numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Spread {
    /// How many.
    pub count: u64,
    /// The least; 0 when there is none.
    pub min: u64,
    /// The most.
    pub max: u64,
    /// Their sum.
    pub total: u64,
    /// Mean so far and sum of squared distances from it, after Welford: exact enough where the
    /// difference of two large squares is not.
    #[serde(skip)]
    mean: f64,
    #[serde(skip)]
    distances: f64,
}

impl Spread {
    /// Of nothing.
    pub(super) const fn none() -> Self {
        Self {
            count: 0,
            min: 0,
            max: 0,
            total: 0,
            mean: 0.0,
            distances: 0.0,
        }
    }

    /// Takes a number in.
    pub fn add(&mut self, number: u64) {
        self.min = if self.count == 0 {
            number
        } else {
            self.min.min(number)
        };
        self.max = self.max.max(number);
        self.total = self.total.saturating_add(number);
        self.count += 1;
        let before = number as f64 - self.mean;
        self.mean += before / self.count as f64;
        self.distances += before * (number as f64 - self.mean);
    }

    /// The average; 0 of nothing.
    #[must_use]
    pub fn average(&self) -> f64 {
        match self.count {
            0 => 0.0,
            count => self.total as f64 / count as f64,
        }
    }

    /// The standard deviation of the whole set; 0 of nothing.
    #[must_use]
    pub fn deviation(&self) -> f64 {
        match self.count {
            0 => 0.0,
            count => (self.distances / count as f64).sqrt(),
        }
    }
}

impl FromIterator<u64> for Spread {
    fn from_iter<I: IntoIterator<Item = u64>>(numbers: I) -> Self {
        let mut spread = Self::default();
        numbers.into_iter().for_each(|number| spread.add(number));
        spread
    }
}

/// How many numbers lie up to each of `N` bounds and above the bound before; what is above the last
/// bound is not counted.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram<const N: usize> {
    bounds: [u64; N],
    hits: [u64; N],
}

impl<const N: usize> Histogram<N> {
    /// An empty one; the bounds ascend.
    pub(super) const fn new(bounds: [u64; N]) -> Self {
        Self {
            bounds,
            hits: [0; N],
        }
    }

    /// Takes a number in.
    pub fn add(&mut self, number: u64) {
        let slot = self.bounds.partition_point(|bound| *bound < number);
        if let Some(hits) = self.hits.get_mut(slot) {
            *hits += 1;
        }
    }

    /// The numbers up to each bound.
    #[must_use]
    pub const fn hits(&self) -> &[u64; N] {
        &self.hits
    }
}

#[cfg(test)]
mod tests {
    use super::{Histogram, Spread};

    #[test]
    fn the_deviation_of_large_numbers_close_together_is_right() {
        let far: Spread = [1u64 << 40, (1 << 40) + 2].into_iter().collect();
        assert!((far.deviation() - 1.0).abs() < 1e-6);
        assert_eq!((far.count, far.min), (2, 1 << 40));
        assert_eq!(Spread::default().deviation().to_bits(), 0);
    }

    #[test]
    fn bounds_belong_to_what_is_below_them() {
        let mut histogram = Histogram::new([1, 4, 8]);
        [0, 1, 2, 4, 5, 9]
            .into_iter()
            .for_each(|n| histogram.add(n));
        assert_eq!(histogram.hits(), &[2, 2, 1]);
    }
}
