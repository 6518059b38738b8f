//! Recovery where the disk is full, or nothing may be written: the number says so, and the originals are as they
//! were. The files are not part of the project: `EXUTIL_CORPUS` names the directory.

mod common;
#[path = "common/recovery.rs"]
mod recovery;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use rayon::prelude::{IntoParallelIterator, ParallelIterator};

use common::needs;
use exutil::error::{Error, Result};
use exutil::jet::JetError;
use exutil::storage::{Crash, Disk, RealDisk, Storage};
use recovery::{
    Files, assert_same, before, comparable, folder_of, options, read_files, recovered, run, run_on,
};

/// A disk on which files can only grow by so many bytes in all.
struct Full {
    free: Arc<AtomicI64>,
}

struct FullFile {
    inner: Box<dyn Storage>,
    free: Arc<AtomicI64>,
}

impl Full {
    fn with(bytes: i64) -> Self {
        Self {
            free: Arc::new(AtomicI64::new(bytes)),
        }
    }

    fn file(&self, inner: Box<dyn Storage>) -> Box<dyn Storage> {
        Box::new(FullFile {
            inner,
            free: Arc::clone(&self.free),
        })
    }
}

impl FullFile {
    fn grow(&self, to: u64) -> io::Result<()> {
        let growth = to as i64 - self.inner.len()? as i64;
        if growth > self.free.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.free.fetch_sub(growth, Ordering::SeqCst);
        Ok(())
    }
}

impl Storage for FullFile {
    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.read_at(offset, buffer)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let end = offset + bytes.len() as u64;
        if end > self.inner.len()? {
            self.grow(end)?;
        }
        self.inner.write_at(offset, bytes)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.grow(len)?;
        self.inner.set_len(len)
    }

    fn sync(&self) -> io::Result<()> {
        self.inner.sync()
    }
}

impl Disk for Full {
    fn open(&self, path: &Path) -> Result<Box<dyn Storage>> {
        RealDisk.open(path)
    }

    fn open_rw(&self, path: &Path) -> Result<Box<dyn Storage>> {
        Ok(self.file(RealDisk.open_rw(path)?))
    }

    fn create(&self, path: &Path) -> Result<Box<dyn Storage>> {
        Ok(self.file(RealDisk.create(path)?))
    }

    fn remove(&self, path: &Path) -> Result<()> {
        let len = RealDisk.open(path)?.len().unwrap() as i64;
        RealDisk.remove(path)?;
        self.free.fetch_add(len, Ordering::SeqCst);
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        RealDisk.rename(from, to)
    }

    fn exists(&self, path: &Path) -> Result<bool> {
        RealDisk.exists(path)
    }

    fn canonical(&self, path: &Path) -> Result<PathBuf> {
        RealDisk.canonical(path)
    }

    fn sync_dir(&self, dir: &Path) -> Result<()> {
        RealDisk.sync_dir(dir)
    }
}

#[test]
fn a_full_disk_leaves_the_originals() {
    let Some(corpus) = needs::corpus() else {
        return;
    };
    for name in ["crash-2dbs", "r-nodb"] {
        let files = before(&corpus, name);
        let whole = recovered(&files);
        let want = comparable(&whole);
        let size = |files: &Files| files.values().map(Vec::len).sum::<usize>() as i64;
        let enough = size(&whole) + whole["edb.undo"].len() as i64;
        let full: usize = (0..60)
            .into_par_iter()
            .map(|part| {
                let free = enough * part / 60;
                let what = format!("{name}: {free} bytes free");
                let dir = folder_of(&files);
                match run_on(&options(dir.path()), &Full::with(free)) {
                    Ok(_) => {
                        assert_same(&comparable(&read_files(dir.path())), &want, &what);
                        0
                    }
                    Err(error) => {
                        assert_eq!(error.jet().code(), -1808, "{what}: {error}");
                        assert_same(&read_files(dir.path()), &files, &what);
                        1
                    }
                }
            })
            .sum();
        assert!((5..60).contains(&full), "{name}: {full}");
    }
}

/// Full at any step, and so full that nothing can be taken back: the next run does it.
#[test]
fn full_at_every_step() {
    let Some(corpus) = needs::corpus() else {
        return;
    };
    let files = before(&corpus, "crash-created");
    let want = comparable(&recovered(&files));
    let dir = folder_of(&files);
    let disk = Crash::after(RealDisk, u64::MAX);
    run_on(&options(dir.path()), &disk).unwrap();
    (0..disk.steps()).into_par_iter().for_each(|stop| {
        let what = format!("full at {stop}");
        let dir = folder_of(&files);
        let disk = Crash::failing(RealDisk, stop, io::ErrorKind::StorageFull);
        let error = run_on(&options(dir.path()), &disk).unwrap_err();
        assert_eq!(error.jet().code(), -1808, "{what}: {error}");
        run(&options(dir.path())).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_same(&comparable(&read_files(dir.path())), &want, &what);
    });
}

/// A disk on which nothing may be changed.
struct ReadOnly;

impl ReadOnly {
    fn refuse(path: &Path, action: &'static str) -> Error {
        Error::io(path, action, io::ErrorKind::PermissionDenied.into())
    }
}

impl Disk for ReadOnly {
    fn open(&self, path: &Path) -> Result<Box<dyn Storage>> {
        RealDisk.open(path)
    }

    fn open_rw(&self, path: &Path) -> Result<Box<dyn Storage>> {
        Err(Self::refuse(path, "open for writing"))
    }

    fn create(&self, path: &Path) -> Result<Box<dyn Storage>> {
        Err(Self::refuse(path, "create"))
    }

    fn remove(&self, path: &Path) -> Result<()> {
        Err(Self::refuse(path, "remove"))
    }

    fn rename(&self, from: &Path, _to: &Path) -> Result<()> {
        Err(Self::refuse(from, "rename"))
    }

    fn exists(&self, path: &Path) -> Result<bool> {
        RealDisk.exists(path)
    }

    fn canonical(&self, path: &Path) -> Result<PathBuf> {
        RealDisk.canonical(path)
    }

    fn sync_dir(&self, dir: &Path) -> Result<()> {
        Err(Self::refuse(dir, "sync"))
    }
}

#[test]
fn a_folder_that_may_not_be_written_is_named() {
    let Some(corpus) = needs::corpus() else {
        return;
    };
    let files = before(&corpus, "crash-created");
    let dir = folder_of(&files);
    let error = run_on(&options(dir.path()), &ReadOnly).unwrap_err();
    assert_eq!(error.jet(), JetError::FILE_ACCESS_DENIED, "{error}");
    assert!(error.to_string().contains("edb.undo"), "{error}");
    assert_same(&read_files(dir.path()), &files, "read-only");
    // What would be done can be told all the same.
    let mut dry = options(dir.path());
    dry.dry_run = true;
    dry.cache = Some(0);
    assert!(run_on(&dry, &ReadOnly).unwrap().replayed);
    assert_same(&read_files(dir.path()), &files, "dry run");
}
