//! Patch files (`.pat`) as they come with a set: judged whole before anything is restored.

use std::collections::BTreeMap;
use std::path::Path;

use crate::error::{Error, Result, Trouble};
use crate::format::checksum::verify;
use crate::format::dbheader::{DbHeader, HeaderCopies};
use crate::format::ids::{HEADER_PAGES, PageSize};
use crate::format::patchfile;
use crate::format::stamp::BackupInfo;
use crate::jet::JetError;
use crate::recover::restored::PatchPages;
use crate::storage::{FileStorage, Storage};

/// A patch file.
#[derive(Debug, Clone)]
pub struct PatchFile {
    /// Its header, which is that of the database when the backup ended.
    pub header: DbHeader,
    /// The backup that it belongs to.
    pub backup: BackupInfo,
    /// Its pages.
    pub pages: PatchPages,
}

/// Reads a patch file; `None` for an empty one, as newer engines leave beside every backup.
///
/// # Errors
/// -535 when a header or a page in it is damaged, or the file is cut off; [`Error::Io`].
pub fn read(path: &Path, size: PageSize) -> Result<Option<PatchFile>> {
    let io = |error| Error::io(path, "read", error);
    let file = FileStorage::open(path)?;
    let len = file.len().map_err(io)?;
    if len == 0 {
        return Ok(None);
    }
    let start = file.read_start(HeaderCopies::PROBE_BYTES).map_err(io)?;
    let header = HeaderCopies::read(&start, Some(size))
        .and_then(|copies| copies.header().cloned())
        .ok_or_else(|| damaged(path, "has no sound header"))?;
    let step = size.bytes() as u64;
    if !len.is_multiple_of(step) || len < HEADER_PAGES * step {
        return Err(damaged(path, "is cut off").into());
    }
    let mut offsets = BTreeMap::new();
    let mut page = vec![0; size.bytes()];
    for offset in (HEADER_PAGES * step..len).step_by(size.bytes()) {
        file.read_exact_at(offset, &mut page).map_err(io)?;
        let pgno = patchfile::number(&page);
        if pgno.is_null() || !verify(&page, size, pgno).is_usable() {
            let what = format!("holds a page with a wrong checksum at offset {offset:#x}");
            return Err(damaged(path, &what).into());
        }
        // The later of two is the newer.
        offsets.insert(pgno, offset);
    }
    Ok(Some(PatchFile {
        backup: header.backup_full_cur,
        header,
        pages: PatchPages {
            path: path.to_owned(),
            offsets,
        },
    }))
}

fn damaged(path: &Path, what: &str) -> Trouble {
    Trouble::new(
        JetError::BAD_PATCH_PAGE,
        format!("the patch file '{}' {what}", path.display()),
    )
    .advise("restore the patch file from the backup again")
}
