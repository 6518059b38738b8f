//! What rolling back did, as log records. [log notes 10.4]

use crate::error::{Error, Result, Trouble};
use crate::jet::JetError;
use crate::log::closing::Closing as LogClosing;
use crate::log::writer::WriteFault;
use crate::recover::UndoStep;

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
        UndoStep::Undo { info, undo } => {
            if let Some(info) = info {
                closing.undo(info).map_err(cannot_log)?;
            }
            closing.undo(undo).map_err(cannot_log)?;
        }
    }
    Ok(())
}
