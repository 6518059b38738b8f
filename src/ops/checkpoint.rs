//! `mk`: the checkpoint of a log stream.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::identify::{self, FileKind};
use crate::error::{Error, Result};
use crate::format::checkpoint::{CHECKPOINT_BYTES, Checkpoint};
use crate::format::checksum::header_is_good;
use crate::format::loghdr::Attachment;
use crate::format::stamp::Lgpos;
use crate::problem::{Finding, Place, Problem};

/// A checkpoint file.
#[derive(Debug, Clone, Serialize)]
pub struct CheckpointReport {
    /// The file.
    #[serde(skip)]
    pub path: PathBuf,
    /// Which of the two copies are good.
    pub copies_good: [bool; 2],
    /// The fields of the first good copy.
    #[serde(flatten)]
    pub checkpoint: Checkpoint,
    /// Databases attached at the checkpoint.
    pub attachments: Vec<Attachment>,
    /// What is wrong.
    #[serde(skip)]
    pub findings: Vec<Finding>,
}

impl CheckpointReport {
    /// The position that the databases are consistent with; stored as zero when it is the
    /// checkpoint itself.
    #[must_use]
    pub fn db_consistency(&self) -> Lgpos {
        let own = self.checkpoint.db_consistency;
        if own.is_none() {
            self.checkpoint.checkpoint
        } else {
            own
        }
    }
}

/// Reads the checkpoint at `path`: the first copy, or the second when the first is bad.
///
/// # Errors
/// [`Error::Io`]; [`Error::CheckpointCorrupt`] when both copies are bad;
/// [`Error::WrongFileType`] for another kind of file; [`Error::Malformed`] for a broken attachment
/// list.
pub fn read_checkpoint(path: &Path) -> Result<CheckpointReport> {
    let (_, start, kind) = identify::open(path)?;
    if let Some(mode) = kind.dump_mode().filter(|_| kind != FileKind::Checkpoint) {
        return Err(Error::WrongFileType {
            path: path.to_owned(),
            found: kind.words(),
            mode,
        });
    }
    let copies: [Option<&[u8]>; 2] = [0, 1].map(|at| {
        start
            .get(at * CHECKPOINT_BYTES..(at + 1) * CHECKPOINT_BYTES)
            .filter(|page| header_is_good(page))
    });
    let page = copies[0]
        .or(copies[1])
        .ok_or_else(|| Error::CheckpointCorrupt {
            path: path.to_owned(),
        })?;
    let malformed = |source| Error::Malformed {
        path: path.to_owned(),
        source,
    };
    let copies_good = copies.map(|copy| copy.is_some());
    let bad_copy = |at: usize| {
        Finding::new(Problem::CheckpointBadCopy, Place::default()).with_detail(if at == 0 {
            "first copy"
        } else {
            "second copy"
        })
    };
    Ok(CheckpointReport {
        path: path.to_owned(),
        copies_good,
        checkpoint: Checkpoint::parse(page).map_err(malformed)?,
        attachments: Checkpoint::attachments(page).map_err(malformed)?,
        findings: (0..2)
            .filter(|at| !copies_good[*at])
            .map(bad_copy)
            .collect(),
    })
}
