//! Whether a file holds what an earlier run copied. Length and time of a source say little: files are made of one length,
//! and unpacking gives them the time they had. So some of what the map calls finished is read again, from both.

use std::ops::Range;

use super::ranges::Ranges;
use super::target::Target;
use crate::error::Result;
use crate::storage::Storage;

/// Bytes of a sample.
const PIECE: u64 = 64 << 10;
/// Samples: the first piece, the last, and 16 between.
const PIECES: u64 = 18;

/// What the samples say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sampled {
    /// All of them are equal.
    Same,
    /// Those that the source gives are equal; it does not give all, or there is nothing to compare.
    Unknown,
    /// At this byte, and maybe at others, something else was copied.
    Differs(u64),
}

/// Compares samples of what is finished.
///
/// # Errors
/// [`crate::error::Error::Io`] when the copy cannot be read.
pub fn compare(source: &dyn Storage, copy: &Target, finished: &Ranges) -> Result<Sampled> {
    let mut buffers = [vec![0; PIECE as usize], vec![0; PIECE as usize]];
    let mut result = Sampled::Same;
    if finished.is_empty() && copy.bytes()? > 0 {
        result = Sampled::Unknown;
    }
    for piece in pieces(finished) {
        let len = (piece.end - piece.start) as usize;
        let [of_source, of_copy] = buffers.each_mut().map(|buffer| &mut buffer[..len]);
        copy.read(piece.start, of_copy)?;
        // What could be read then need not be readable now.
        if source.read_exact_at(piece.start, of_source).is_err() {
            result = Sampled::Unknown;
            continue;
        }
        let mut both = of_source.iter().zip(of_copy.iter());
        if let Some(at) = both.position(|(a, b)| a != b) {
            return Ok(Sampled::Differs(piece.start + at as u64));
        }
    }
    Ok(result)
}

/// Evenly spaced among what is finished, whatever lies between; a piece with a gap in it is several.
fn pieces(finished: &Ranges) -> Vec<Range<u64>> {
    let all = finished.bytes();
    let last = u128::from(all.saturating_sub(PIECE));
    let steps = u128::from(PIECES - 1);
    let mut starts: Vec<u64> = (0..=steps)
        .map(|step| (last * step / steps) as u64)
        .collect();
    starts.dedup();
    starts
        .iter()
        .flat_map(|start| finished.counted(&(*start..all.min(start + PIECE))))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{PIECE, PIECES, Sampled, compare, pieces};
    use crate::ops::copy_file::ranges::Ranges;
    use crate::ops::copy_file::target::Target;
    use crate::storage::{Fault, Faulty, Memory};

    fn target(bytes: Vec<u8>) -> Target {
        Target::new(Box::new(Memory::new(bytes)), "x".into(), false)
    }

    #[test]
    fn the_ends_and_what_lies_evenly_between_are_compared() {
        let mut finished = Ranges::default();
        finished.insert(1000..2000);
        finished.insert(3000..100 * PIECE);
        finished.insert(200 * PIECE..1000 * PIECE + 7);
        let pieces = pieces(&finished);
        // The gap in the first makes two of it.
        assert_eq!(pieces.len() as u64, PIECES + 1);
        assert_eq!(pieces[..2], [1000..2000, 3000..2000 + PIECE]);
        assert_eq!(*pieces.last().unwrap(), 999 * PIECE + 7..1000 * PIECE + 7);
        assert!(
            pieces
                .iter()
                .all(|piece| finished.missing(piece).is_empty())
        );
    }

    #[test]
    fn of_a_short_file_every_byte_is_compared() {
        for len in [1, 100, PIECE, PIECE + 1, PIECES * PIECE] {
            let mut finished = Ranges::default();
            finished.insert(0..len);
            let mut seen = Ranges::default();
            pieces(&finished)
                .into_iter()
                .for_each(|piece| seen.insert(piece));
            assert_eq!(seen, finished, "{len}");
        }
        assert!(pieces(&Ranges::default()).is_empty());
    }

    #[test]
    fn what_is_not_finished_or_cannot_be_read_is_not_compared() {
        let bytes: Vec<u8> = (0..300_000u32).map(|at| (at / 5) as u8).collect();
        let mut copied = bytes.clone();
        copied[1000..2000].fill(0);
        let mut finished = Ranges::default();
        finished.insert(0..1000);
        finished.insert(2000..300_000);
        let source = Memory::new(bytes.clone());
        let copy = target(copied.clone());
        assert_eq!(compare(&source, &copy, &finished).unwrap(), Sampled::Same);
        let bad = vec![Fault::BadRange {
            offset: 200_000,
            len: 1,
        }];
        let source = Faulty::new(Memory::new(bytes.clone()), bad);
        assert_eq!(
            compare(&source, &copy, &finished).unwrap(),
            Sampled::Unknown
        );
        copied[100_000] ^= 1;
        let copy = target(copied);
        assert_eq!(
            compare(&source, &copy, &finished).unwrap(),
            Sampled::Differs(100_000)
        );
        let nothing = Ranges::default();
        assert_eq!(compare(&source, &copy, &nothing).unwrap(), Sampled::Unknown);
        let copy = target(Vec::new());
        assert_eq!(compare(&source, &copy, &nothing).unwrap(), Sampled::Same);
    }
}
