//! A database that the replay works on.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::format::dbheader::{DbHeader, DbState};
use crate::format::ids::{DbTime, Generation, Objid, Pgno};
use crate::format::logrec::DbId;
use crate::format::stamp::Lgpos;
use crate::jet::JetError;

use super::pool::{FrameId, Slot};

/// What a change finds of the page that it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    /// The page is as it was before the change.
    Apply(FrameId),
    /// The page has the change already.
    Done(FrameId),
    /// The page is gone; a later record must explain why.
    Gone,
}

impl Sight {
    /// The frame to be changed.
    #[must_use]
    pub const fn to_apply(self) -> Option<FrameId> {
        match self {
            Self::Apply(id) => Some(id),
            Self::Done(_) | Self::Gone => None,
        }
    }
}

/// A page that did not fit a change. Within the required range that may be because it was cut off or freed later;
/// a record to that effect must come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unsettled {
    /// What it is if no such record comes.
    pub jet: JetError,
    /// The change.
    pub at: Lgpos,
    /// The page was not there at all (else only too old).
    pub missing: bool,
}

/// A database attached to the replay.
#[derive(Debug, Clone)]
pub struct Attached {
    /// Its number in the log.
    pub dbid: DbId,
    /// Its pages.
    pub slot: Slot,
    /// The file.
    pub path: PathBuf,
    /// What the log calls it.
    pub logged_path: String,
    /// Its header as it will be written.
    pub header: DbHeader,
    /// Highest time seen.
    pub dbtime: DbTime,
    /// Highest object id seen.
    pub objid_last: Objid,
    /// The replay has not passed the required range: pages may be newer than the log record at hand.
    pub ahead: bool,
    /// Pages that wait for an explanation.
    pub unsettled: BTreeMap<Pgno, Unsettled>,
    /// The replay made the file.
    pub created: bool,
    /// It comes from a backup.
    pub restored: bool,
    /// Between CreateDB and CreateDBFinish.
    pub creating: bool,
    /// Something was changed at all.
    pub touched: bool,
    /// Its state before the replay.
    pub state_before: DbState,
    /// The last page of its file before the replay.
    pub pages_before: Pgno,
    /// Generations that it needed before the replay, as its header said: low, high, committed.
    pub needed: (Generation, Generation, Generation),
}

impl Attached {
    /// Sees a time and an object id go by.
    #[inline]
    pub fn count(&mut self, dbtime: DbTime, objid: Objid) {
        // All ones means that the record gives none.
        if dbtime > self.dbtime && dbtime.get() != u64::MAX && !dbtime.is_special() {
            self.dbtime = dbtime;
        }
        if objid > self.objid_last && objid.get() != u32::MAX {
            self.objid_last = objid;
        }
    }

    /// True for a record that is for this attachment, not for an earlier one.
    #[must_use]
    #[inline]
    pub fn concerns(&self, at: Lgpos) -> bool {
        at > self.header.last_attach
    }

    /// The next time for a change.
    pub fn next_dbtime(&mut self) -> DbTime {
        self.dbtime = DbTime::new(self.dbtime.get().saturating_add(1));
        self.dbtime
    }
}
