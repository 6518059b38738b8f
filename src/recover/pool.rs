//! The pages that a replay works on. Databases are only read; what changes stays here, in memory or, beyond the
//! bound, in a scratch file that vanishes by itself. [`Pool::changed`] hands everything over in page order at the end.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::format::checksum::{self, Verdict};
use crate::format::ids::{DbTime, Objid, PageSize, Pgno};
use crate::format::page::{CheckScratch, Page, PageFlags, PageMut};
use crate::jet::JetError;
use crate::storage::Storage;

/// A database of this replay, by its place in the list of databases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot(pub u8);

/// A page in the pool. Stays valid until [`Pool::trim`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameId(u32);

/// What is known of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageState {
    /// It can be used.
    Sound,
    /// The file ends before it (-4001).
    Beyond,
    /// All zero (-1019).
    Uninitialized,
    /// It cannot be used; the number says why.
    Bad(JetError),
}

impl PageState {
    /// The number for a page that should have been usable.
    #[must_use]
    pub const fn jet(self) -> JetError {
        match self {
            Self::Sound => JetError::SUCCESS,
            Self::Beyond => JetError::FILE_IO_BEYOND_EOF,
            Self::Uninitialized => JetError::PAGE_NOT_INITIALIZED,
            Self::Bad(jet) => jet,
        }
    }
}

/// Where the pages of one database come from.
pub struct PageFile {
    /// What errors call it.
    path: PathBuf,
    /// The file; `None` for a database that the replay creates.
    storage: Option<Box<dyn Storage>>,
    /// Pages of the file, header pages not counted, as the replay sees it.
    pages: u32,
    /// Pages that the storage really holds.
    stored: u32,
    style: PageStyle,
    /// Pages that were read with a wrong checksum.
    bad: u32,
}

/// What pages of a database look like, depending on its format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageStyle {
    /// They say how many tags are reserved.
    pub counts_reserved: bool,
    /// New ones get the newer checksum.
    pub new_checksum: bool,
}

struct Frame {
    key: Key,
    bytes: Box<[u8]>,
    state: PageState,
    dirty: bool,
    used: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Key(u64);

impl Key {
    const fn new(slot: Slot, pgno: Pgno) -> Self {
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
struct KeyHasher(u64);

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
    pub fn add(&mut self, path: &Path, storage: Option<Box<dyn Storage>>) -> Result<Slot> {
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
            PageState::Sound
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

    fn read(&mut self, key: Key, bytes: &mut [u8]) -> PageState {
        let (pgno, file) = (key.pgno(), &self.files[usize::from(key.slot().0)]);
        if pgno.is_null() || pgno.get() > file.pages {
            return PageState::Beyond;
        }
        let Some(storage) = file.storage.as_ref().filter(|_| pgno.get() <= file.stored) else {
            return PageState::Uninitialized;
        };
        self.counts.read += 1;
        if storage
            .read_exact_at(pgno.offset(self.size), bytes)
            .is_err()
        {
            return PageState::Bad(JetError::DISK_IO);
        }
        match checksum::verify(bytes, self.size, pgno) {
            Verdict::Good => {}
            Verdict::Correctable { .. } => {
                checksum::correct(bytes, self.size, pgno);
            }
            Verdict::Uninitialized => return PageState::Uninitialized,
            Verdict::Bad { .. } => {
                self.files[usize::from(key.slot().0)].bad += 1;
                return PageState::Bad(JetError::READ_VERIFY_FAILURE);
            }
        }
        judge(bytes, self.size, &mut self.check)
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
        }
        checksum::seal(bytes, self.size, pgno);
        Ok(())
    }
}

/// Whether bytes with a good checksum are a page that can be worked on.
fn judge(bytes: &[u8], size: PageSize, scratch: &mut CheckScratch) -> PageState {
    let Some(page) = Page::new(bytes, size) else {
        return PageState::Bad(JetError::DATABASE_CORRUPTED);
    };
    if page.flags().any(PageFlags::PRE_INIT) {
        return PageState::Sound;
    }
    match page.check_frame(scratch) {
        Ok(()) => PageState::Sound,
        Err(_) => PageState::Bad(JetError::DATABASE_CORRUPTED),
    }
}
