//! Records about the stream itself: start and end of the engine and of recovery, transactions, macros,
//! filler.

use crate::format::ids::{DbTime, Pgno};
use crate::format::loghdr::Environment;
use crate::format::logrec::{ProcId, RecordKind, TrxId};
use crate::format::stamp::{Lgpos, LogTime};

use super::{Put, TooLong};

/// Fixed bytes of a [`nop2`].
pub const NOP2_FIXED: usize = 5;

/// Filler of `len` bytes in all, its content zero.
///
/// # Errors
/// [`TooLong`] for fewer than [`NOP2_FIXED`] bytes and for more than 32 bits.
pub fn nop2(len: usize) -> Result<Vec<u8>, TooLong> {
    let what = "NOP2";
    let content = len
        .checked_sub(NOP2_FIXED)
        .and_then(|content| u32::try_from(content).ok())
        .ok_or(TooLong { what, len })?;
    let mut record = Put::new(RecordKind::NOP2).u32(content).done();
    record.resize(len, 0);
    Ok(record)
}

/// The engine starts with these settings.
#[must_use]
pub fn init2(environment: &Environment, now: LogTime) -> Vec<u8> {
    Put::new(RecordKind::INIT2)
        .part(environment)
        .part(&now)
        .done()
}

fn end(kind: RecordKind, at: Lgpos, redo_from: Lgpos, hard: bool, now: LogTime) -> Vec<u8> {
    Put::new(kind)
        .part(&at)
        .part(&redo_from)
        .u8(u8::from(hard))
        .part(&now)
        .done()
}

/// The engine ends; `init` is the position of its Init2.
#[must_use]
pub fn term2(init: Lgpos, now: LogTime) -> Vec<u8> {
    end(RecordKind::TERM2, init, Lgpos::default(), false, now)
}

/// Recovery is done; `undo` is the position of its RecoveryUndo2, `redo_from` that of the first record
/// that it looked at, `hard` is set when a backup was restored.
#[must_use]
pub fn recovery_quit2(undo: Lgpos, redo_from: Lgpos, hard: bool, now: LogTime) -> Vec<u8> {
    end(RecordKind::RECOVERY_QUIT2, undo, redo_from, hard, now)
}

/// Recovery has redone all and begins to undo.
#[must_use]
pub fn recovery_undo2(now: LogTime) -> Vec<u8> {
    Put::new(RecordKind::RECOVERY_UNDO2).part(&now).done()
}

/// All pages are on disk; databases that end here are consistent as of this position.
#[must_use]
pub fn shut_down_mark() -> Vec<u8> {
    Put::new(RecordKind::SHUTDOWN_MARK).done()
}

fn macro_record(kind: RecordKind, procid: ProcId, dbtime: DbTime) -> Vec<u8> {
    Put::new(kind).u16(procid.0).dbtime(dbtime).done()
}

/// A macro of session and time begins.
#[must_use]
pub fn macro_begin(procid: ProcId, dbtime: DbTime) -> Vec<u8> {
    macro_record(RecordKind::MACRO_BEGIN, procid, dbtime)
}

/// It takes effect.
#[must_use]
pub fn macro_commit(procid: ProcId, dbtime: DbTime) -> Vec<u8> {
    macro_record(RecordKind::MACRO_COMMIT, procid, dbtime)
}

/// It is dropped.
#[must_use]
pub fn macro_abort(procid: ProcId, dbtime: DbTime) -> Vec<u8> {
    macro_record(RecordKind::MACRO_ABORT, procid, dbtime)
}

/// The pages that a macro changed.
///
/// # Errors
/// [`TooLong`] for more than 32 bits of bytes.
pub fn macro_info(pages: &[Pgno]) -> Result<Vec<u8>, TooLong> {
    let content: Vec<u8> = pages
        .iter()
        .flat_map(|page| page.get().to_le_bytes())
        .collect();
    let record = Put::new(RecordKind::MACRO_INFO).len32(&content, "page list")?;
    Ok(record.bytes(&content).done())
}

/// `levels` begun at level `from`; both are 4 bits.
const fn levels_of(from: u8, levels: u8) -> u8 {
    (from & 0x0F) | (levels << 4)
}

/// Inner transactions begin.
#[must_use]
pub fn begin(procid: ProcId, from: u8, levels: u8) -> Vec<u8> {
    Put::new(RecordKind::BEGIN)
        .u16(procid.0)
        .u8(levels_of(from, levels))
        .done()
}

/// An outermost transaction `trx` begins, with `levels` at once.
#[must_use]
pub fn begin0(procid: ProcId, levels: u8, trx: TrxId) -> Vec<u8> {
    Put::new(RecordKind::BEGIN0)
        .u16(procid.0)
        .u8(levels_of(0, levels))
        .u32(trx.0)
        .done()
}

/// Commit to level `to`.
#[must_use]
pub fn commit(procid: ProcId, to: u8) -> Vec<u8> {
    Put::new(RecordKind::COMMIT).u16(procid.0).u8(to).done()
}

/// Commit of the outermost transaction, `trx` being the id of the commit.
#[must_use]
pub fn commit0(procid: ProcId, trx: TrxId) -> Vec<u8> {
    Put::new(RecordKind::COMMIT0)
        .u16(procid.0)
        .u8(0)
        .u32(trx.0)
        .done()
}

/// `levels` levels are given up; what they did has been undone by records of its own.
#[must_use]
pub fn rollback(procid: ProcId, levels: u8) -> Vec<u8> {
    Put::new(RecordKind::ROLLBACK)
        .u16(procid.0)
        .u8(levels)
        .done()
}

#[cfg(test)]
mod tests {
    use super::{begin0, macro_info, nop2, recovery_quit2, recovery_undo2, rollback, term2};
    use crate::format::ids::{Generation, Pgno};
    use crate::format::logrec::{ProcId, TrxId};
    use crate::format::stamp::{Lgpos, LogTime};

    #[test]
    fn records_have_their_real_length() {
        let now = LogTime::utc((2026, 11, 20), (9, 14, 54), 169);
        let at = Lgpos::new(Generation::new(0x10), 6, 0);
        assert_eq!(recovery_undo2(now).len(), 9);
        assert_eq!(recovery_quit2(at, at, false, now).len(), 26);
        assert_eq!(
            term2(at, now)[..17],
            [50, 0, 0, 6, 0, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        );
        assert_eq!(rollback(ProcId(0x0B), 1), [7, 0x0B, 0, 1]);
        assert_eq!(begin0(ProcId(5), 1, TrxId(7)), [8, 5, 0, 0x10, 7, 0, 0, 0]);
        assert_eq!(
            macro_info(&[Pgno::new(2)]).unwrap(),
            [67, 4, 0, 0, 0, 2, 0, 0, 0]
        );
        assert_eq!(nop2(7).unwrap(), [71, 2, 0, 0, 0, 0, 0]);
        assert!(nop2(4).is_err());
    }
}
