//! Where bytes are: one small trait, and its twins for files, memory, overlays and failing disks.
//!
//! Everything is read with positioned reads, never through a memory map: a bad sector under a map
//! ends the process with a signal, and on files in the page cache a map was no faster (see
//! `benches/README.md` for the figures).

mod buffer;
mod crash;
mod discard;
mod disk;
mod faulty;
mod file;
mod memory;
mod memory_disk;
mod overlay;
mod pages;
mod path_text;
mod relocated;
mod shifted;

use std::io;
use std::time::SystemTime;

pub use buffer::ReadBuffer;
pub use crash::Crash;
pub use discard::Discard;
pub use disk::Disk;
pub use faulty::{Fault, Faulty};
pub use file::{
    FileStorage, RealDisk, disk_turns, files_in, free_space, make_dir, memory_of_machine,
    open_lines,
};
pub use memory::Memory;
pub use memory_disk::MemoryDisk;
pub use overlay::Overlay;
pub use pages::{PageFault, Pages};
pub use path_text::{PathText, keyed_path_text, path_text};
pub use relocated::{Moved, Relocated};
pub use shifted::Shifted;

/// A sequence of bytes with positioned access, shared between threads.
pub trait Storage: Send + Sync {
    /// Its length in bytes.
    ///
    /// # Errors
    /// What the system says.
    fn len(&self) -> io::Result<u64>;

    /// Reads at `offset` until `buffer` is full or the end is reached; returns the bytes read.
    ///
    /// # Errors
    /// What the system says; the buffer's content is then undefined.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;

    /// Writes all of `bytes` at `offset`; a gap before it becomes zero.
    ///
    /// # Errors
    /// What the system says; part of the bytes may then be written.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Cuts or extends to `len` bytes.
    ///
    /// # Errors
    /// What the system says.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Returns when everything written so far is durable.
    ///
    /// # Errors
    /// What the system says.
    fn sync(&self) -> io::Result<()>;

    /// Takes the storage for this handle alone until it is dropped; false when another handle, of whatever process, has
    /// done so. Where there are no such locks (in memory, on some network file systems) it is always true.
    fn try_lock(&self) -> bool {
        true
    }

    /// When its content was last changed, where that is known: in memory it is not.
    ///
    /// # Errors
    /// What the system says.
    fn modified(&self) -> io::Result<Option<SystemTime>> {
        Ok(None)
    }

    /// True when the storage holds no byte.
    ///
    /// # Errors
    /// What the system says.
    fn is_empty(&self) -> io::Result<bool> {
        self.len().map(|len| len == 0)
    }

    /// Reads exactly `buffer.len()` bytes.
    ///
    /// # Errors
    /// `UnexpectedEof` when the storage ends before; else what the system says.
    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        if self.read_at(offset, buffer)? == buffer.len() {
            Ok(())
        } else {
            Err(io::ErrorKind::UnexpectedEof.into())
        }
    }

    /// Up to `len` bytes from the start, fewer when the storage is shorter.
    ///
    /// # Errors
    /// What the system says.
    fn read_start(&self, len: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; len];
        let have = self.read_at(0, &mut bytes)?;
        bytes.truncate(have);
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests;
