//! The pages that a replay works on. Databases are only read; what changes stays here, in memory or, beyond the
//! bound, in a scratch file that vanishes by itself. [`Pool::changed`] hands everything over in page order at the end.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::path::Path;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::format::checksum;
use crate::format::ids::{DbTime, Objid, PageSize, Pgno};
use crate::format::page::{CheckScratch, Page, PageFlags, PageMut};
use crate::jet::JetError;
use crate::storage::Storage;

use super::page_file::{PageFile, PageSource, PageState, PageStyle, ReadPage, judge, read_page};

/// A database of this replay, by its place in the list of databases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot(pub u8);

/// A page in the pool. Stays valid until [`Pool::trim`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameId(u32);

struct Frame {
    key: Key,
    bytes: Box<[u8]>,
    state: PageState,
    dirty: bool,
    used: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Key(u64);

impl Key {
    pub(super) const fn new(slot: Slot, pgno: Pgno) -> Self {
        Self((slot.0 as u64) << 32 | pgno.get() as u64)
    }

    const fn slot(self) -> Slot {
        Slot((self.0 >> 32) as u8)
    }

    const fn pgno(self) -> Pgno {
        Pgno::new(self.0 as u32)
    }
}

/// Keys are small numbers: one multiplication spreads them well enough.
#[derive(Default)]
pub(super) struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, value: u64) {
        let mixed = (self.0 ^ value).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 = mixed ^ mixed >> 32;
    }
}

/// Bytes of pages that are read ahead of one log, at most.
const AHEAD_BYTES: usize = 64 << 20;

/// Nodes that [`Pool::warm`] looks at together: more than a processor can wait for at once.
pub const WARM_AT_ONCE: usize = 32;

type KeyMap<V> = HashMap<Key, V, BuildHasherDefault<KeyHasher>>;

/// What [`Pool`] did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct PoolCounts {
    /// Pages read from the databases.
    pub read: u64,
    /// Changed pages that had to leave memory for the scratch file.
    pub spilled: u64,
}

/// A page as it was, see [`Pool::keep`].
#[derive(Debug)]
pub struct Kept {
    id: FrameId,
    bytes: Box<[u8]>,
    state: PageState,
    dirty: bool,
}

/// The pages of all databases of a replay.
pub struct Pool {
    size: PageSize,
    files: Vec<PageFile>,
    frames: Vec<Frame>,
    map: KeyMap<u32>,
    /// Where changed pages that left memory lie in the scratch file.
    spilled: KeyMap<u64>,
    free_slots: Vec<u64>,
    scratch: Option<Box<dyn Storage>>,
    make_scratch: Box<dyn Fn() -> Result<Box<dyn Storage>> + Send>,
    scratch_end: u64,
    bound: usize,
    hand: usize,
    check: CheckScratch,
    counts: PoolCounts,
    last: (Key, u32),
    /// Pages that were read ahead.
    offered: KeyMap<ReadPage>,
}

impl Pool {
    /// A pool for pages of `size` that keeps at most `bound` bytes of pages in memory; what does not fit goes to the
    /// storage that `make_scratch` makes when it is first needed.
    #[must_use]
    pub fn new(
        size: PageSize,
        bound: usize,
        make_scratch: Box<dyn Fn() -> Result<Box<dyn Storage>> + Send>,
    ) -> Self {
        Self {
            size,
            files: Vec::new(),
            frames: Vec::new(),
            map: KeyMap::default(),
            spilled: KeyMap::default(),
            free_slots: Vec::new(),
            scratch: None,
            make_scratch,
            scratch_end: 0,
            // Fewer would not hold the pages of one split.
            bound: (bound / size.bytes()).max(64),
            hand: 0,
            check: CheckScratch::default(),
            counts: PoolCounts::default(),
            last: (Key(u64::MAX), 0),
            offered: KeyMap::default(),
        }
    }

    /// The page size.
    #[must_use]
    pub const fn size(&self) -> PageSize {
        self.size
    }

    /// What was done so far.
    #[must_use]
    pub const fn counts(&self) -> PoolCounts {
        self.counts
    }

    /// Adds a database; `None` for one that does not exist yet.
    ///
    /// # Errors
    /// [`Error::Io`] when its length cannot be had.
    pub fn add(&mut self, path: &Path, storage: Option<Arc<dyn Storage>>) -> Result<Slot> {
        let pages = match &storage {
            Some(storage) => {
                let len = storage
                    .len()
                    .map_err(|error| Error::io(path, "read", error))?;
                let pages = (len / self.size.bytes() as u64).saturating_sub(2);
                u32::try_from(pages).unwrap_or(u32::MAX)
            }
            None => 0,
        };
        self.files.push(PageFile {
            path: path.to_owned(),
            storage,
            pages,
            stored: pages,
            style: PageStyle {
                counts_reserved: false,
                new_checksum: true,
            },
            bad: 0,
        });
        Ok(Slot((self.files.len() - 1) as u8))
    }

    /// Number of the last page of a database as the replay sees it.
    #[must_use]
    pub fn last_page(&self, slot: Slot) -> Pgno {
        Pgno::new(self.files[usize::from(slot.0)].pages)
    }

    /// What the pages of a database look like from here on.
    pub fn set_style(&mut self, slot: Slot, style: PageStyle) {
        self.files[usize::from(slot.0)].style = style;
    }

    /// Pages of a database that were read with a wrong checksum.
    #[must_use]
    pub fn bad_pages(&self, slot: Slot) -> u32 {
        self.files[usize::from(slot.0)].bad
    }

    /// What errors call a database.
    #[must_use]
    pub fn path(&self, slot: Slot) -> &Path {
        &self.files[usize::from(slot.0)].path
    }

    /// Cuts or extends a database. Pages that are cut off are forgotten.
    pub fn set_last_page(&mut self, slot: Slot, last: Pgno) {
        let file = &mut self.files[usize::from(slot.0)];
        let shrinks = last.get() < file.pages;
        file.pages = last.get();
        if !shrinks {
            return;
        }
        // What lay behind must not come back when the file grows again.
        file.stored = file.stored.min(last.get());
        for frame in &mut self.frames {
            if frame.key.slot() == slot && frame.key.pgno() > last {
                frame.state = PageState::Beyond;
                frame.dirty = false;
            }
        }
        let (slots, free) = (&mut self.spilled, &mut self.free_slots);
        slots.retain(|key, place| {
            let keep = key.slot() != slot || key.pgno() <= last;
            if !keep {
                free.push(*place);
            }
            keep
        });
    }

    /// Brings a page into memory and tells what is known of it.
    ///
    /// # Errors
    /// [`Error::Io`] when the scratch file fails; trouble with the database is the page's state.
    #[inline]
    pub fn load(&mut self, slot: Slot, pgno: Pgno) -> Result<(FrameId, PageState)> {
        let key = Key::new(slot, pgno);
        let place = if self.last.0 == key {
            Some(self.last.1)
        } else {
            self.map.get(&key).copied()
        };
        if let Some(place) = place {
            self.last = (key, place);
            let file_pages = self.files[usize::from(slot.0)].pages;
            let frame = &mut self.frames[place as usize];
            frame.used = true;
            if frame.state == PageState::Beyond && pgno.get() <= file_pages {
                frame.state = PageState::Uninitialized;
            }
            return Ok((FrameId(place), frame.state));
        }
        self.bring(key)
    }

    #[cold]
    fn bring(&mut self, key: Key) -> Result<(FrameId, PageState)> {
        let place = self.frames.len() as u32;
        let mut bytes = vec![0; self.size.bytes()].into_boxed_slice();
        let mut dirty = false;
        let state = if let Some(at) = self.spilled.remove(&key) {
            if let Some(scratch) = &self.scratch {
                scratch
                    .read_exact_at(at, &mut bytes)
                    .map_err(|error| Error::io("scratch file".as_ref(), "read", error))?;
            }
            self.free_slots.push(at);
            dirty = true;
            // Only what was made and what was zeroed is kept there.
            if bytes.iter().all(|byte| *byte == 0) {
                PageState::Uninitialized
            } else {
                PageState::Sound
            }
        } else {
            self.read(key, &mut bytes)
        };
        self.frames.push(Frame {
            key,
            bytes,
            state,
            dirty,
            used: true,
        });
        self.map.insert(key, place);
        self.last = (key, place);
        Ok((FrameId(place), state))
    }

    /// A page of a database: from those that were read ahead, or now.
    fn read(&mut self, key: Key, bytes: &mut Box<[u8]>) -> PageState {
        let (pgno, file) = (key.pgno(), &mut self.files[usize::from(key.slot().0)]);
        if pgno.is_null() || pgno.get() > file.pages {
            return PageState::Beyond;
        }
        let Some(storage) = file.storage.as_ref().filter(|_| pgno.get() <= file.stored) else {
            return PageState::Uninitialized;
        };
        self.counts.read += 1;
        let state = match self.offered.remove(&key) {
            Some(ready) => {
                *bytes = ready.bytes;
                ready.state
            }
            None => read_page(&**storage, self.size, pgno, bytes, &mut self.check),
        };
        if state == PageState::Bad(JetError::READ_VERIFY_FAILURE) {
            file.bad += 1;
        }
        state
    }

    /// Where pages can be read ahead from.
    #[must_use]
    pub fn source(&self, slot: Slot) -> Option<PageSource> {
        let file = &self.files[usize::from(slot.0)];
        file.storage.as_ref().map(|storage| PageSource {
            slot,
            storage: Arc::clone(storage),
            stored: file.stored,
            size: self.size,
        })
    }

    /// Pages that may be read ahead of one log: a part of what fits into memory.
    #[must_use]
    pub const fn ahead_most(&self) -> usize {
        let most = AHEAD_BYTES / self.size.bytes();
        let part = self.bound / 8;
        if part < most { part } else { most }
    }

    /// Pages that fit into memory.
    #[must_use]
    pub const fn bound(&self) -> usize {
        self.bound
    }

    /// Takes pages as the databases hold them, for when they are needed; those offered before are forgotten.
    pub fn offer(&mut self, pages: Vec<ReadPage>) {
        self.offered.clear();
        for page in pages {
            self.offered.insert(Key::new(page.slot, page.pgno), page);
        }
    }

    /// Reads what the changes of these nodes will need of the pages in memory. Nothing changes by it; but the processor
    /// waits for the memory of all of them at once, and not of one after the other: replaying random pages is little
    /// else than waiting for memory. Takes the first `WARM_AT_ONCE`.
    pub fn warm(&self, nodes: impl Iterator<Item = (Slot, Pgno, u16)>) {
        let mut found = [(0, 0); WARM_AT_ONCE];
        let mut count = 0;
        for (place, (slot, pgno, line)) in found.iter_mut().zip(nodes) {
            let frame = self.map.get(&Key::new(slot, pgno));
            *place = (frame.copied().unwrap_or(u32::MAX), line);
            count += 1;
        }
        let pages = || {
            found[..count].iter().filter_map(|(place, line)| {
                let frame = self.frames.get(*place as usize)?;
                Page::new(&frame.bytes, self.size).map(|page| (page, usize::from(*line)))
            })
        };
        // Each of these needs what the one before brought.
        let heads: u64 = pages()
            .map(|(page, _)| page.dbtime().get())
            .fold(0, u64::wrapping_add);
        let tags: usize = pages()
            .filter_map(|(page, line)| page.tag(line + page.reserved_tags()))
            .map(|tag| tag.end())
            .sum();
        let lines: u64 = pages().map(|(page, line)| page.touch_line(line)).sum();
        std::hint::black_box((heads, tags, lines));
    }

    /// The page, whatever its state.
    #[must_use]
    #[inline]
    pub fn page(&self, id: FrameId) -> Page<'_> {
        Page::new(&self.frames[id.0 as usize].bytes, self.size)
            .expect("frames have the pool's page size")
    }

    /// The page to be changed.
    #[inline]
    pub fn edit(&mut self, id: FrameId) -> PageMut<'_> {
        let frame = &mut self.frames[id.0 as usize];
        frame.dirty = true;
        let style = self.files[usize::from(frame.key.slot().0)].style;
        PageMut::new(&mut frame.bytes, self.size)
            .expect("frames have the pool's page size")
            .counting_reserved(style.counts_reserved)
    }

    /// Number of the page.
    #[must_use]
    pub fn pgno(&self, id: FrameId) -> Pgno {
        self.frames[id.0 as usize].key.pgno()
    }

    /// Makes a page new, whatever was there; the file grows where needed.
    ///
    /// # Errors
    /// [`Error::Io`] when the scratch file fails.
    pub fn create(
        &mut self,
        slot: Slot,
        pgno: Pgno,
        objid: Objid,
        flags: PageFlags,
        dbtime: DbTime,
    ) -> Result<FrameId> {
        let (id, before) = self.load(slot, pgno)?;
        // The bits compared with the flush map stay what they are: the page is written by nobody in between.
        let kept = if before == PageState::Sound {
            self.page(id).flags().bits() & PageFlags::FLUSH_TYPE
        } else {
            0
        };
        let checksum = if self.files[usize::from(slot.0)].style.new_checksum {
            PageFlags::NEW_CHECKSUM
        } else {
            0
        };
        let bits =
            flags.bits() & !PageFlags::FLUSH_TYPE | PageFlags::NEW_RECORD_FORMAT | kept | checksum;
        self.edit(id)
            .init(pgno, objid, PageFlags::new(bits), dbtime);
        self.settle_new(slot, pgno, id);
        Ok(id)
    }

    /// Marks a page that has been filled as usable; the file grows where needed.
    pub fn settle_new(&mut self, slot: Slot, pgno: Pgno, id: FrameId) {
        self.frames[id.0 as usize].state = PageState::Sound;
        let file = &mut self.files[usize::from(slot.0)];
        file.pages = file.pages.max(pgno.get());
    }

    /// Makes a page all zero again.
    ///
    /// # Errors
    /// [`Error::Io`] when the scratch file fails.
    pub fn zero(&mut self, slot: Slot, pgno: Pgno) -> Result<()> {
        let (id, state) = self.load(slot, pgno)?;
        if matches!(state, PageState::Beyond | PageState::Uninitialized) {
            return Ok(());
        }
        let frame = &mut self.frames[id.0 as usize];
        frame.bytes.fill(0);
        frame.dirty = true;
        frame.state = PageState::Uninitialized;
        Ok(())
    }

    /// What a page is now, for [`Pool::put_back`].
    #[must_use]
    pub fn keep(&self, id: FrameId) -> Kept {
        let frame = &self.frames[id.0 as usize];
        Kept {
            id,
            bytes: frame.bytes.clone(),
            state: frame.state,
            dirty: frame.dirty,
        }
    }

    /// Makes a page again what it was; no page may have left memory since.
    pub fn put_back(&mut self, kept: Kept) {
        let frame = &mut self.frames[kept.id.0 as usize];
        frame.bytes = kept.bytes;
        frame.state = kept.state;
        frame.dirty = kept.dirty;
    }

    /// Replaces a page by an image and checks that the image is a page.
    pub fn restore(&mut self, id: FrameId, image: &[u8]) -> PageState {
        let pgno = self.pgno(id);
        self.edit(id).copy_from(image, pgno);
        let frame = &mut self.frames[id.0 as usize];
        frame.state = judge(&frame.bytes, self.size, &mut self.check);
        frame.state
    }

    /// Lets pages leave memory until the bound holds. No [`FrameId`] is valid afterwards.
    ///
    /// # Errors
    /// [`Error::Io`] when the scratch file cannot be written (disk full).
    pub fn trim(&mut self) -> Result<()> {
        if self.frames.len() <= self.bound {
            return Ok(());
        }
        // An eighth at once, so that this is rare; clean pages first that were not used since the last time.
        let target = self.bound - self.bound / 8;
        let mut rounds = 0;
        while self.frames.len() > target {
            if self.hand >= self.frames.len() {
                self.hand = 0;
                rounds += 1;
            }
            let frame = &mut self.frames[self.hand];
            if (frame.used || (frame.dirty && rounds < 2)) && rounds < 3 {
                frame.used = false;
                self.hand += 1;
                continue;
            }
            if frame.dirty {
                self.spill(self.hand)?;
            }
            self.drop_frame(self.hand);
        }
        self.last = (Key(u64::MAX), 0);
        Ok(())
    }

    fn drop_frame(&mut self, place: usize) {
        self.map.remove(&self.frames[place].key);
        self.frames.swap_remove(place);
        if let Some(moved) = self.frames.get(place) {
            self.map.insert(moved.key, place as u32);
        }
    }

    fn spill(&mut self, place: usize) -> Result<()> {
        let frame = &self.frames[place];
        let scratch = match &mut self.scratch {
            Some(scratch) => scratch,
            none => none.insert((self.make_scratch)()?),
        };
        let at = self.free_slots.pop().unwrap_or_else(|| {
            self.scratch_end += self.size.bytes() as u64;
            self.scratch_end - self.size.bytes() as u64
        });
        scratch
            .write_at(at, &frame.bytes)
            .map_err(|error| Error::io("scratch file".as_ref(), "write", error))?;
        self.spilled.insert(frame.key, at);
        self.counts.spilled += 1;
        Ok(())
    }

    /// The changed pages of a database in order.
    #[must_use]
    pub fn changed(&self, slot: Slot) -> Vec<Pgno> {
        let in_memory = self
            .frames
            .iter()
            .filter(|frame| frame.dirty)
            .map(|frame| frame.key);
        let mut all: Vec<_> = in_memory
            .chain(self.spilled.keys().copied())
            .filter(|key| key.slot() == slot)
            .map(Key::pgno)
            .collect();
        all.sort_unstable();
        all
    }

    /// Puts a changed page as it is to be written, checksum and all, into `bytes`.
    ///
    /// # Errors
    /// [`Error::Io`] when the scratch file cannot be read.
    pub fn sealed(&self, slot: Slot, pgno: Pgno, bytes: &mut [u8]) -> Result<()> {
        let key = Key::new(slot, pgno);
        if let Some(place) = self.map.get(&key) {
            let frame = &self.frames[*place as usize];
            bytes.copy_from_slice(&frame.bytes);
            if frame.state == PageState::Uninitialized {
                return Ok(());
            }
        } else if let (Some(at), Some(scratch)) = (self.spilled.get(&key), &self.scratch) {
            scratch
                .read_exact_at(*at, bytes)
                .map_err(|error| Error::io("scratch file".as_ref(), "read", error))?;
            if bytes.iter().all(|byte| *byte == 0) {
                return Ok(());
            }
        }
        // Images in the log are of pages in memory: those that had never been written lack the flag, which the engine
        // sets with each write.
        if self.files[usize::from(slot.0)].style.new_checksum
            && let Some(mut page) = PageMut::new(bytes, self.size)
        {
            let bits = page.view().flags().bits() | PageFlags::NEW_CHECKSUM;
            page.set_flags(PageFlags::new(bits));
        }
        checksum::seal(bytes, self.size, pgno);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
