//! What rolling back did, as log records. [log notes 10.4]

use crate::error::{Error, Result, Trouble};
use crate::format::logrec::{NodeHead, OperKind, PageHead, Record, RecordKind, Undo, UndoInfo};
use crate::format::logwrite::encode;
use crate::jet::JetError;
use crate::log::closing::Closing as LogClosing;
use crate::log::writer::WriteFault;
use crate::recover::{Change, UndoStep, Undone};

/// A stream that cannot be written on.
pub fn cannot_log(fault: WriteFault) -> Error {
    let jet = match fault {
        WriteFault::SequenceEnd => JetError::LOG_SEQUENCE_END,
        _ => JetError::LOG_WRITE_FAIL,
    };
    Trouble::new(jet, fault.to_string()).into()
}

/// Appends what one step did.
pub fn log_step(closing: &mut LogClosing, step: &UndoStep) -> Result<()> {
    match step {
        UndoStep::Abort(procid, dbtime) => {
            closing.abort_macro(*procid, *dbtime).map_err(cannot_log)?;
        }
        UndoStep::Rollback(procid, levels) => {
            for _ in 0..*levels {
                closing.roll_back(*procid).map_err(cannot_log)?;
            }
        }
        UndoStep::Undo(undone) => {
            if undone.version.needs_info
                && let Some(info) = undo_info(undone)?
            {
                closing.undo(&info).map_err(cannot_log)?;
            }
            closing.undo(&undo_record(undone)?).map_err(cannot_log)?;
        }
    }
    Ok(())
}

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

fn undo_record(undone: &Undone) -> Result<Vec<u8>> {
    let version = &undone.version;
    let undo = Undo {
        oper: version.change.oper(),
        level: version.level,
        key: &version.key,
        bookmark_data: &version.bookmark_data,
    };
    let record = Record::Undo(head(undone, RecordKind::UNDO), undo);
    encode(&record)
        .map_err(|fault| Trouble::new(JetError::LOG_WRITE_FAIL, fault.to_string()).into())
}

/// What the page held before, for the log: the engine writes it before the page may be written.
fn undo_info(undone: &Undone) -> Result<Option<Vec<u8>>> {
    let version = &undone.version;
    let (oper, before): (_, &[u8]) = match &version.change {
        Change::Replace(before) => (OperKind::Replace, before),
        Change::FlagDelete => (OperKind::FlagDelete, &[]),
        Change::Insert | Change::Delta { .. } => return Ok(None),
    };
    let mut head = head(undone, RecordKind::UNDO_INFO);
    head.page.after = crate::format::ids::DbTime::new(u64::MAX);
    head.page.before = head.page.after;
    let info = UndoInfo {
        oper,
        max_size: version.max_size,
        delta: 0,
        key: &version.key,
        bookmark_data: &version.bookmark_data,
        before,
    };
    encode(&Record::UndoInfo(head, info))
        .map(Some)
        .map_err(|fault| Trouble::new(JetError::LOG_WRITE_FAIL, fault.to_string()).into())
}
