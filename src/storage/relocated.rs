//! A file some of whose pages lie elsewhere, shown as if each were in its place.

use std::io;

use super::Storage;
use crate::format::ids::PageSize;

/// A run of pages that lie elsewhere; numbers are those of the file, the header pages included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moved {
    /// The place of the first.
    pub place: u64,
    /// Where it lies.
    pub lies_at: u64,
    /// How many.
    pub pages: u64,
}

/// A read-only view of `base`.
pub struct Relocated {
    base: Box<dyn Storage>,
    size: u64,
    /// In the order of their places, which do not overlap.
    moved: Vec<Moved>,
}

impl Relocated {
    /// A view with these runs in their places.
    #[must_use]
    pub fn new(base: Box<dyn Storage>, size: PageSize, mut moved: Vec<Moved>) -> Self {
        moved.sort_unstable();
        Self {
            base,
            size: size.bytes() as u64,
            moved,
        }
    }

    /// Where the byte at `offset` lies, and how many behind it lie together.
    fn find(&self, offset: u64) -> (u64, u64) {
        let (page, within) = (offset / self.size, offset % self.size);
        let next = self.moved.partition_point(|moved| moved.place <= page);
        let run = next.checked_sub(1).map(|at| self.moved[at]);
        if let Some(run) = run.filter(|run| page - run.place < run.pages) {
            let at = (run.lies_at + (page - run.place)) * self.size + within;
            return (at, (run.place + run.pages - page) * self.size - within);
        }
        let end = self
            .moved
            .get(next)
            .map_or(u64::MAX, |run| run.place * self.size);
        (offset, end - offset)
    }
}

impl Storage for Relocated {
    fn len(&self) -> io::Result<u64> {
        let last = self.moved.last();
        let end = last.map_or(0, |run| (run.place + run.pages) * self.size);
        Ok(self.base.len()?.max(end))
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut done = 0;
        while done < buffer.len() {
            let (at, together) = self.find(offset + done as u64);
            let left = buffer.len() - done;
            let part = usize::try_from(together).map_or(left, |together| left.min(together));
            let have = self.base.read_at(at, &mut buffer[done..done + part])?;
            done += have;
            if have < part {
                break;
            }
        }
        Ok(done)
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
    use super::{Moved, Relocated};
    use crate::format::ids::PageSize;
    use crate::storage::{Memory, Storage as _};

    #[test]
    fn pages_are_read_from_where_they_lie() {
        let size = PageSize::K2;
        let bytes: Vec<u8> = (0..8u8).flat_map(|page| vec![page; size.bytes()]).collect();
        let moved = |place, lies_at, pages| Moved {
            place,
            lies_at,
            pages,
        };
        let runs = vec![moved(7, 6, 2), moved(3, 2, 2)];
        let view = Relocated::new(Box::new(Memory::new(bytes)), size, runs);
        assert_eq!(view.len().unwrap(), 9 * size.bytes() as u64);
        let mut all = vec![0xFF; 9 * size.bytes()];
        view.read_exact_at(0, &mut all).unwrap();
        let firsts: Vec<u8> = all.chunks(size.bytes()).map(|page| page[5]).collect();
        assert_eq!(firsts, [0, 1, 2, 2, 3, 5, 6, 6, 7]);
        assert!(
            all.chunks(size.bytes())
                .all(|page| page.iter().all(|byte| *byte == page[5]))
        );
    }
}
