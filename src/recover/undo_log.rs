//! What rolling back did, as log records. They are made at once: a long transaction may take back millions of changes.
//! [log notes 10.4]

use super::session::Change;
use super::undo::Undone;
use crate::error::{Result, Trouble};
use crate::format::logrec::{NodeHead, OperKind, PageHead, Record, RecordKind, Undo, UndoInfo};
use crate::format::logwrite::encode;
use crate::jet::JetError;

fn head(undone: &Undone, kind: RecordKind) -> NodeHead {
    let version = &undone.version;
    NodeHead {
        page: PageHead {
            kind,
            procid: undone.procid,
            dbid: version.dbid,
            pgno: undone.pgno,
            after: undone.after,
            before: undone.before,
            trx: undone.trx,
            level: version.level,
            line: undone.line,
            // The engine's records of rolling back say only this of the change. [verified: crash-flush-4k]
            flags: version.flags & PageHead::FLAG_UNIQUE,
        },
        rceid: version.rceid,
        pgno_fdp: version.pgno_fdp,
        objid: version.objid,
    }
}

pub(super) fn undo_record(undone: &Undone) -> Result<Box<[u8]>> {
    let version = &undone.version;
    let undo = Undo {
        oper: version.change.oper(),
        level: version.level,
        key: &version.key,
        bookmark_data: &version.bookmark_data,
    };
    let record = Record::Undo(head(undone, RecordKind::UNDO), undo);
    encode(&record)
        .map(Vec::into_boxed_slice)
        .map_err(|fault| Trouble::new(JetError::LOG_WRITE_FAIL, fault.to_string()).into())
}

/// What the page held before, where the log does not hold it yet: the engine writes it before the page may be written.
pub(super) fn undo_info(undone: &Undone) -> Result<Option<Box<[u8]>>> {
    let version = &undone.version;
    if !version.needs_info {
        return Ok(None);
    }
    let (oper, before): (_, &[u8]) = match &version.change {
        Change::Replace(before) => (OperKind::Replace, before),
        Change::FlagDelete => (OperKind::FlagDelete, &[]),
        Change::Insert | Change::Delta { .. } => return Ok(None),
    };
    let mut head = head(undone, RecordKind::UNDO_INFO);
    head.page.after = crate::format::ids::DbTime::new(u64::MAX);
    head.page.before = head.page.after;
    // The page where the change was made. [verified: crash-none-16k]
    head.page.pgno = version.pgno;
    let info = UndoInfo {
        oper,
        max_size: version.max_size,
        delta: 0,
        key: &version.key,
        bookmark_data: &version.bookmark_data,
        before,
    };
    encode(&Record::UndoInfo(head, info))
        .map(|record| Some(record.into_boxed_slice()))
        .map_err(|fault| Trouble::new(JetError::LOG_WRITE_FAIL, fault.to_string()).into())
}
