//! Writing what a recovery has worked out, in an order that never lets a half-done run look finished: before-images
//! first; then pages; then the headers that call them clean; then logs; the checkpoint that calls it all done last.
//! Every step is durable before the next begins.

use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::closing::Closing;
use super::image::Image;
use crate::error::Result;
use crate::ops::committing::commit;
use crate::progress::{Progress, Task};
use crate::recover::driver::Outcome;
use crate::storage::Disk;
use crate::undo::{Applier, UndoWriter};

/// What is to be written.
pub struct Commit<'a> {
    disk: &'a dyn Disk,
    closing: &'a Closing,
    images: Vec<Image<'a>>,
}

impl<'a> Commit<'a> {
    /// Takes what the replay left and how the stream is closed.
    pub fn new(disk: &'a dyn Disk, outcome: &'a Outcome, closing: &'a Closing) -> Self {
        let images = outcome
            .databases
            .iter()
            .map(|database| Image::new(outcome, closing, database))
            .collect();
        Self {
            disk,
            closing,
            images,
        }
    }

    /// Saves, writes, and makes durable. Gives the undo file back, if it is kept.
    pub fn run(
        &self,
        mut writer: UndoWriter<'a>,
        keep_undo: bool,
        progress: &dyn Progress,
    ) -> Result<Option<PathBuf>> {
        let bytes = self.images.iter().map(Image::changed_bytes).sum();
        let task = |doing| Task::bytes(doing, bytes).unseen();
        progress.start(task("saving what will change"));
        // Dropped after an error, the undo file removes itself.
        self.save(&mut writer, progress)?;
        progress.finish();
        commit(writer, keep_undo, progress, |applier| {
            progress.start(task("writing"));
            self.write(applier, progress)?;
            progress.finish();
            Ok(())
        })
    }

    fn save(&self, writer: &mut UndoWriter<'_>, progress: &dyn Progress) -> Result<()> {
        for image in &self.images {
            let path = image.path();
            if image.is_new() {
                let mut hash = Xxh3::new();
                hash.update(&image.headers(None)?);
                image.each_page(|_, bytes| {
                    hash.update(bytes);
                    progress.advance(bytes.len() as u64);
                    Ok(())
                })?;
                self.replace_or_create(writer, path, image.len(), hash.digest())?;
                continue;
            }
            let headers = image.headers(Some(&*self.disk.open(path)?))?;
            writer.save_range(path, 0, &headers)?;
            image.each_page(|offset, bytes| {
                progress.advance(bytes.len() as u64);
                writer.save_range(path, offset, bytes)
            })?;
            writer.save_len(path, image.len())?;
        }
        for (path, bytes) in self.closing.each_file() {
            match bytes {
                Some(bytes) => {
                    let len = bytes.len() as u64;
                    self.replace_or_create(writer, path, len, xxh3_64(bytes))?;
                }
                None if self.disk.exists(path)? => writer.will_remove(path)?,
                None => {}
            }
        }
        Ok(())
    }

    fn replace_or_create(
        &self,
        writer: &mut UndoWriter<'_>,
        path: &Path,
        len: u64,
        hash: u64,
    ) -> Result<()> {
        if self.disk.exists(path)? {
            writer.will_replace(path, len, hash)
        } else {
            writer.will_create(path, len, hash)
        }
    }

    fn write(&self, applier: &mut Applier<'_>, progress: &dyn Progress) -> Result<()> {
        let mut headers = Vec::new();
        for image in &self.images {
            headers.push(if image.is_new() {
                image.headers(None)?
            } else {
                let storage = self.disk.open(image.path())?;
                let headers = image.headers(Some(&*storage))?;
                if let Some((at, sector)) = image.mark_of_writing(&*storage)? {
                    for start in [0, image.header_bytes()] {
                        applier.write_range(image.path(), (start + at) as u64, &sector)?;
                    }
                }
                headers
            });
        }
        applier.sync_all()?;
        for image in &self.images {
            let path = image.path();
            if image.is_new() {
                // The headers are zero until all pages are there.
                self.put(applier, path, Some(&[]))?;
            }
            image.each_page(|offset, bytes| {
                progress.advance(bytes.len() as u64);
                applier.write_range(path, offset, bytes)
            })?;
            applier.set_len(path, image.len())?;
        }
        applier.sync_all()?;
        for (image, headers) in self.images.iter().zip(&headers) {
            applier.write_range(image.path(), 0, headers)?;
        }
        applier.sync_all()?;
        for part in [
            &self.closing.logs,
            &self.closing.checkpoint,
            // Logs that nothing needs any more: the checkpoint before may still name them.
            &self.closing.truncated,
        ] {
            for (path, bytes) in part {
                self.put(applier, path, bytes.as_deref())?;
            }
            applier.sync_all()?;
        }
        Ok(())
    }

    fn put(&self, applier: &mut Applier<'_>, path: &Path, bytes: Option<&[u8]>) -> Result<()> {
        match bytes {
            Some(bytes) if self.disk.exists(path)? => applier.replace_file(path, bytes),
            Some(bytes) => applier.create_file(path, bytes),
            None if self.disk.exists(path)? => applier.remove(path),
            None => Ok(()),
        }
    }
}
