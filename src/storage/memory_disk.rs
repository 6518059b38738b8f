//! A file system in memory that can lose power: what was not synced may then be there or not, sector by sector.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Disk, Storage};
use crate::error::{Error, Result};

/// What a disk writes whole or not at all.
const SECTOR: usize = 512;

/// Files by name. Clones are the same disk.
#[derive(Debug, Clone, Default)]
pub struct MemoryDisk {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    files: Vec<File>,
    /// Names and the numbers of their files: as programs see them, and as they are durable.
    names: BTreeMap<PathBuf, usize>,
    durable_names: BTreeMap<PathBuf, usize>,
    /// Changes of names that are not durable yet, in order.
    pending: Vec<Naming>,
    /// A file has one name and no second.
    one_name: bool,
}

/// Names that come (with a file) or go, all of them or none: a name that is given to another file, or two that change
/// when a file is renamed.
type Naming = Vec<(PathBuf, Option<usize>)>;

/// A file's content: as programs see it, as it is durable, and what lies between.
#[derive(Debug, Default)]
struct File {
    bytes: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<Change>,
}

impl File {
    fn durable(bytes: Vec<u8>) -> Self {
        Self {
            durable: bytes.clone(),
            bytes,
            pending: Vec::new(),
        }
    }
}

#[derive(Debug, Clone)]
enum Change {
    Write(usize, Vec<u8>),
    Len(usize),
}

impl Change {
    fn apply(&self, to: &mut Vec<u8>) {
        match self {
            Self::Write(offset, bytes) => {
                let end = offset + bytes.len();
                if to.len() < end {
                    to.resize(end, 0);
                }
                to[*offset..end].copy_from_slice(bytes);
            }
            Self::Len(len) => to.resize(*len, 0),
        }
    }

    /// The parts that reach the disk or not each by itself.
    fn parts(&self) -> Vec<Self> {
        let Self::Write(offset, bytes) = self else {
            return vec![self.clone()];
        };
        let mut parts = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            let count = (SECTOR - (offset + at) % SECTOR).min(bytes.len() - at);
            parts.push(Self::Write(offset + at, bytes[at..at + count].to_vec()));
            at += count;
        }
        parts
    }
}

impl MemoryDisk {
    /// A disk with these files, all durable.
    #[must_use]
    pub fn new(files: impl IntoIterator<Item = (PathBuf, Vec<u8>)>) -> Self {
        let mut state = State::default();
        for (path, bytes) in files {
            state.names.insert(path, state.files.len());
            state.files.push(File::durable(bytes));
        }
        state.durable_names = state.names.clone();
        Self {
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// Every file with its content, as programs see it.
    #[must_use]
    pub fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let state = self.lock();
        let content = |number: &usize| state.files[*number].bytes.clone();
        let names = state.names.iter();
        names.map(|(path, n)| (path.clone(), content(n))).collect()
    }

    /// The disk after the power went: everything durable, and of the rest whatever `keep` says yes to: each
    /// sector of a write, each change of a length or a name.
    #[must_use]
    pub fn power_lost(&self, mut keep: impl FnMut() -> bool) -> Self {
        let state = self.lock();
        let files = state
            .files
            .iter()
            .map(|file| {
                let mut bytes = file.durable.clone();
                let parts = file.pending.iter().flat_map(Change::parts);
                parts
                    .filter(|_| keep())
                    .for_each(|part| part.apply(&mut bytes));
                File::durable(bytes)
            })
            .collect();
        let mut names = state.durable_names.clone();
        for naming in state.pending.iter().filter(|_| keep()) {
            take_effect(naming, &mut names);
        }
        // By number: two names of one file are that afterwards too.
        let state = State {
            files,
            names: names.clone(),
            durable_names: names,
            pending: Vec::new(),
            one_name: state.one_name,
        };
        Self {
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// The disk with a file system that has no hard links.
    #[must_use]
    pub fn without_links(self) -> Self {
        self.lock().one_name = true;
        self
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn handle(&self, path: &Path, action: &'static str) -> Result<Box<dyn Storage>> {
        let number = self.lock().names.get(path).copied();
        let missing = || Error::io(path, action, io::ErrorKind::NotFound.into());
        Ok(Box::new(Handle {
            disk: self.clone(),
            number: number.ok_or_else(missing)?,
        }))
    }
}

impl Disk for MemoryDisk {
    fn open(&self, path: &Path) -> Result<Box<dyn Storage>> {
        self.handle(path, "open")
    }

    fn open_rw(&self, path: &Path) -> Result<Box<dyn Storage>> {
        self.handle(path, "open for writing")
    }

    fn create(&self, path: &Path) -> Result<Box<dyn Storage>> {
        {
            let mut state = self.lock();
            if state.names.contains_key(path) {
                let error = io::ErrorKind::AlreadyExists.into();
                return Err(Error::io(path, "create", error));
            }
            let number = state.files.len();
            state.files.push(File::default());
            state.names.insert(path.to_owned(), number);
            state.pending.push(vec![(path.to_owned(), Some(number))]);
        }
        self.handle(path, "create")
    }

    fn remove(&self, path: &Path) -> Result<()> {
        let mut state = self.lock();
        if state.names.remove(path).is_none() {
            return Err(Error::io(path, "remove", io::ErrorKind::NotFound.into()));
        }
        state.pending.push(vec![(path.to_owned(), None)]);
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        let mut state = self.lock();
        let Some(number) = state.names.get(from).copied() else {
            return Err(Error::io(from, "rename", io::ErrorKind::NotFound.into()));
        };
        if state.names.get(to) == Some(&number) {
            // Two names of one file: POSIX leaves both.
            return Ok(());
        }
        state.names.remove(from);
        state.names.insert(to.to_owned(), number);
        let naming = vec![(from.to_owned(), None), (to.to_owned(), Some(number))];
        state.pending.push(naming);
        Ok(())
    }

    fn hard_link(&self, path: &Path, link: &Path) -> Result<()> {
        let mut state = self.lock();
        let number = state.names.get(path).copied();
        let refused = match number {
            None => Some(io::ErrorKind::NotFound),
            Some(_) if state.one_name => Some(io::ErrorKind::Unsupported),
            Some(_) if state.names.contains_key(link) => Some(io::ErrorKind::AlreadyExists),
            Some(_) => None,
        };
        if let Some(kind) = refused {
            return Err(Error::io(path, "link", kind.into()));
        }
        state.names.extend(number.map(|n| (link.to_owned(), n)));
        state.pending.push(vec![(link.to_owned(), number)]);
        Ok(())
    }

    fn exists(&self, path: &Path) -> Result<bool> {
        Ok(self.lock().names.contains_key(path))
    }

    fn canonical(&self, path: &Path) -> Result<PathBuf> {
        Ok(Path::new("/").join(path))
    }

    fn sync_dir(&self, dir: &Path) -> Result<()> {
        let mut state = self.lock();
        let in_dir = |naming: &Naming| naming.iter().any(|(path, _)| path.parent() == Some(dir));
        let (now, later): (Vec<Naming>, _) = std::mem::take(&mut state.pending)
            .into_iter()
            .partition(in_dir);
        state.pending = later;
        for naming in now {
            take_effect(&naming, &mut state.durable_names);
        }
        Ok(())
    }
}

fn take_effect(naming: &Naming, names: &mut BTreeMap<PathBuf, usize>) {
    for (path, number) in naming {
        match number {
            Some(number) => names.insert(path.clone(), *number),
            None => names.remove(path),
        };
    }
}

struct Handle {
    disk: MemoryDisk,
    number: usize,
}

impl Handle {
    fn change(&self, change: Change) {
        let mut state = self.disk.lock();
        let file = &mut state.files[self.number];
        change.apply(&mut file.bytes);
        file.pending.push(change);
    }
}

fn position(at: u64) -> io::Result<usize> {
    usize::try_from(at).map_err(|_| io::ErrorKind::FileTooLarge.into())
}

impl Storage for Handle {
    fn len(&self) -> io::Result<u64> {
        Ok(self.disk.lock().files[self.number].bytes.len() as u64)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let state = self.disk.lock();
        let bytes = &state.files[self.number].bytes;
        let start = position(offset)?.min(bytes.len());
        let count = buffer.len().min(bytes.len() - start);
        buffer[..count].copy_from_slice(&bytes[start..start + count]);
        Ok(count)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.change(Change::Write(position(offset)?, bytes.to_vec()));
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.change(Change::Len(position(len)?));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.disk.lock();
        let file = &mut state.files[self.number];
        file.durable.clone_from(&file.bytes);
        file.pending.clear();
        Ok(())
    }
}
