//! A file whose first pages are missing, shown as if they were there.

use std::io;

use super::Storage;
use crate::format::ids::PageSize;

/// A read-only view of `base` whose bytes lie some pages further behind; what is missing in front is zero.
#[derive(Debug)]
pub struct Shifted<S> {
    base: S,
    /// Bytes missing in front; negative when there are too many.
    missing: i64,
}

impl<S> Shifted<S> {
    /// A view with `pages` pages of zeros in front, or, when negative, without the first pages of `base`. The number is
    /// cut to what a file can have.
    pub const fn new(base: S, pages: i64, size: PageSize) -> Self {
        Self {
            base,
            missing: pages.saturating_mul(size.bytes() as i64),
        }
    }
}

impl Storage for Shifted<Box<dyn Storage>> {
    fn len(&self) -> io::Result<u64> {
        let len = self.base.len()?;
        Ok(len.saturating_add_signed(self.missing))
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let Ok(missing) = u64::try_from(self.missing) else {
            let further = self.missing.unsigned_abs();
            return self.base.read_at(offset.saturating_add(further), buffer);
        };
        // Beyond the end there are no zeros either, not even when nothing of the file is left.
        let room = self.len()?.saturating_sub(offset);
        let zeros = missing
            .saturating_sub(offset)
            .min(buffer.len() as u64)
            .min(room) as usize;
        let (front, rest) = buffer.split_at_mut(zeros);
        front.fill(0);
        if rest.is_empty() {
            return Ok(zeros);
        }
        let at = offset.saturating_add(zeros as u64).saturating_sub(missing);
        Ok(zeros + self.base.read_at(at, rest)?)
    }

    fn write_at(&self, _offset: u64, _bytes: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn set_len(&self, _len: u64) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn try_lock(&self) -> bool {
        self.base.try_lock()
    }

    fn modified(&self) -> io::Result<Option<std::time::SystemTime>> {
        self.base.modified()
    }
}

#[cfg(test)]
mod tests {
    use super::Shifted;
    use crate::format::ids::PageSize;
    use crate::storage::{Memory, Storage};

    fn shifted(bytes: Vec<u8>, pages: i64) -> Shifted<Box<dyn Storage>> {
        Shifted::new(Box::new(Memory::new(bytes)), pages, PageSize::K2)
    }

    #[test]
    fn zeros_stand_in_front() {
        let view = shifted((1..=200).collect(), 2);
        assert_eq!(view.len().unwrap(), 4096 + 200);
        let all = view.read_start(10_000).unwrap();
        assert_eq!(all.len(), 4296);
        assert!(all[..4096].iter().all(|byte| *byte == 0));
        assert_eq!(all[4096..], (1..=200).collect::<Vec<u8>>());
        let mut across = [9; 4];
        view.read_exact_at(4094, &mut across).unwrap();
        assert_eq!(across, [0, 0, 1, 2]);
        view.read_exact_at(4100, &mut across).unwrap();
        assert_eq!(across, [5, 6, 7, 8]);
        assert_eq!(view.read_at(4296, &mut across).unwrap(), 0);
        assert!(view.write_at(0, &[1]).is_err());
    }

    #[test]
    fn pages_too_many_are_left_out() {
        let mut bytes = vec![7; 2048];
        bytes.extend([1, 2, 3]);
        let view = shifted(bytes, -1);
        assert_eq!(view.read_start(100).unwrap(), [1, 2, 3]);
        assert_eq!(shifted(vec![1], -1).len().unwrap(), 0);
        assert!(shifted(vec![], -1).read_start(9).unwrap().is_empty());
    }
}
