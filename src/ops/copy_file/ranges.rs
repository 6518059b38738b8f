//! Sets of bytes as ranges.

use std::ops::Range;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Half-open ranges in order that neither meet nor overlap; none is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ranges(Vec<Range<u64>>);

impl Ranges {
    /// True when no byte is in the set.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many ranges.
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// The ranges, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Range<u64>> {
        self.0.iter()
    }

    /// How many bytes are in the set.
    pub fn bytes(&self) -> u64 {
        self.0.iter().map(|range| range.end - range.start).sum()
    }

    /// Behind the last byte.
    pub fn end(&self) -> u64 {
        self.0.last().map_or(0, |range| range.end)
    }

    /// Adds the bytes of a range.
    pub fn insert(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        let first = self.0.partition_point(|other| other.end < range.start);
        let behind = self.0.partition_point(|other| other.start <= range.end);
        let mut joined = range;
        for other in &self.0[first..behind] {
            joined = joined.start.min(other.start)..joined.end.max(other.end);
        }
        self.0.splice(first..behind, [joined]);
    }

    /// Takes the bytes of a range out.
    pub fn remove(&mut self, range: &Range<u64>) {
        if range.is_empty() {
            return;
        }
        let (first, behind) = self.touching(range);
        let left: Vec<_> = self.0[first..behind]
            .iter()
            .flat_map(|other| [other.start..range.start, range.end..other.end])
            .filter(|part| !part.is_empty())
            .collect();
        self.0.splice(first..behind, left);
    }

    /// The parts of `range` that are in the set.
    pub fn inside(&self, range: &Range<u64>) -> Vec<Range<u64>> {
        let (first, behind) = self.touching(range);
        self.0[first..behind]
            .iter()
            .map(|other| other.start.max(range.start)..other.end.min(range.end))
            .collect()
    }

    /// The parts of `range` that are not in the set.
    pub fn missing(&self, range: &Range<u64>) -> Vec<Range<u64>> {
        let mut at = range.start;
        let mut found = Vec::new();
        for part in self.inside(range) {
            found.push(at..part.start);
            at = part.end;
        }
        found.push(at..range.end);
        found.retain(|part| !part.is_empty());
        found
    }

    /// The bytes of the set that have these numbers, where its first has number 0.
    pub fn counted(&self, numbers: &Range<u64>) -> Vec<Range<u64>> {
        let mut before = 0;
        let mut found = Vec::new();
        for range in &self.0 {
            let at = |number: u64| {
                let number = number.clamp(before, before + (range.end - range.start));
                range.start + (number - before)
            };
            found.push(at(numbers.start)..at(numbers.end));
            before += range.end - range.start;
        }
        found.retain(|part| !part.is_empty());
        found
    }

    /// True when some byte of `range` is in the set.
    pub fn touches(&self, range: &Range<u64>) -> bool {
        let (first, behind) = self.touching(range);
        first < behind
    }

    /// The ranges that share a byte with `range`: the first, and the one behind the last.
    fn touching(&self, range: &Range<u64>) -> (usize, usize) {
        let first = self.0.partition_point(|other| other.end <= range.start);
        let behind = self.0.partition_point(|other| other.start < range.end);
        (first, behind.max(first))
    }
}

/// A list of `[offset, length]`.
impl Serialize for Ranges {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(
            self.0
                .iter()
                .map(|range| (range.start, range.end - range.start)),
        )
    }
}

impl<'de> Deserialize<'de> for Ranges {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut ranges: Vec<Range<u64>> = Vec::new();
        for (offset, len) in Vec::<(u64, u64)>::deserialize(deserializer)? {
            let end = offset.checked_add(len).filter(|end| *end > offset);
            let end = end.ok_or_else(|| D::Error::custom("a range is empty or too long"))?;
            if ranges.last().is_some_and(|last| last.end >= offset) {
                return Err(D::Error::custom("ranges are not in order"));
            }
            ranges.push(offset..end);
        }
        Ok(Self(ranges))
    }
}

#[cfg(test)]
mod tests {
    use super::Ranges;

    /// Against a plain list of what is in and what is not.
    #[test]
    fn ranges_are_sets() {
        let mut seed = 7u64;
        let mut random = |below: u64| {
            seed = seed
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            (seed >> 33) % below
        };
        let (mut ranges, mut plain) = (Ranges::default(), [false; 100]);
        for _ in 0..3000 {
            let start = random(100);
            let range = start..(start + random(20)).min(100);
            let add = random(2) == 0;
            if add {
                ranges.insert(range.clone());
            } else {
                ranges.remove(&range);
            }
            plain[range.start as usize..range.end as usize].fill(add);
            let here = |at: u64| ranges.touches(&(at..at + 1));
            assert!(
                (0..100).all(|at| here(at) == plain[at as usize]),
                "{ranges:?}"
            );
            assert!(ranges.0.windows(2).all(|pair| pair[0].end < pair[1].start));
            assert_eq!(
                ranges.bytes(),
                plain.iter().filter(|is| **is).count() as u64
            );
            let part = random(50)..50 + random(50);
            let sum = |parts: Vec<std::ops::Range<u64>>| {
                parts.iter().map(|it| it.end - it.start).sum::<u64>()
            };
            let inside = plain[part.start as usize..part.end as usize].iter();
            let count = inside.filter(|is| **is).count() as u64;
            assert_eq!(sum(ranges.inside(&part)), count);
            assert_eq!(sum(ranges.missing(&part)), part.end - part.start - count);
            let in_set = (0..100).filter(|at| plain[*at as usize]);
            let wanted = (part.start..part.end).map(|number| number as usize);
            let all: Vec<u64> = in_set.collect();
            let wanted: Vec<u64> = wanted
                .filter_map(|number| all.get(number).copied())
                .collect();
            let counted = ranges.counted(&part).into_iter().flatten();
            assert_eq!(counted.collect::<Vec<_>>(), wanted);
            let text = serde_json::to_string(&ranges).unwrap();
            assert_eq!(serde_json::from_str::<Ranges>(&text).unwrap(), ranges);
        }
    }

    #[test]
    fn ranges_from_a_file_are_not_trusted() {
        for text in [
            "[[5,0]]",
            "[[5,5],[10,1]]",
            "[[5,5],[1,1]]",
            "[[1,18446744073709551615]]",
            "[[-1,2]]",
        ] {
            assert!(serde_json::from_str::<Ranges>(text).is_err(), "{text}");
        }
        assert!(serde_json::from_str::<Ranges>("[[5,5],[11,1]]").is_ok());
    }
}
