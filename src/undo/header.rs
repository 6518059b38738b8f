//! The two header slots of an undo file.

use std::path::Path;

use crate::error::{Error, Result};
use crate::format::bytes::all_zero;
use crate::format::dbheader::HeaderCopies;
use crate::format::filekind::identify;
use crate::format::undofile::{
    ENTRIES_AT, SLOT_BYTES, SLOTS, Slot, UndoHeader, UndoStatus, has_header,
};
use crate::storage::Storage;

/// What the headers tell.
#[derive(Debug, Clone)]
pub struct State {
    /// The newer sound slot.
    pub header: UndoHeader,
    /// The other slot is damaged: it may have been the newer.
    pub damaged: bool,
}

/// Reads the slots.
///
/// # Errors
/// [`Error::Io`]; [`Error::WrongFileType`] for a file of the engine; [`Error::UndoUnusable`] when no slot is
/// sound.
pub fn read(file: &dyn Storage, path: &Path) -> Result<State> {
    let io = |error| Error::io(path, "read", error);
    let start = file.read_start(HeaderCopies::PROBE_BYTES).map_err(io)?;
    let slots = SLOTS.map(|at| {
        let rest = start.get(at as usize..).unwrap_or_default();
        UndoHeader::parse(&rest[..rest.len().min(SLOT_BYTES)])
    });
    let unusable = |what: String| Error::UndoUnusable {
        path: path.to_owned(),
        what,
    };
    let mut newest: Option<UndoHeader> = None;
    let mut damaged = false;
    for slot in slots {
        match slot {
            Slot::Good(header) => {
                if newest
                    .as_ref()
                    .is_none_or(|best| best.sequence < header.sequence)
                {
                    newest = Some(header);
                }
            }
            Slot::Version(version) => {
                return Err(unusable(format!("its version {version} is not known")));
            }
            Slot::Bad => damaged = true,
            Slot::Empty => {}
        }
    }
    if let Some(mut header) = newest {
        if damaged && header.status == UndoStatus::Unsealed {
            // What is lost is the sealed header, or the power went while it was written: what
            // it told, the entries tell too, and to restore what was never changed does no harm.
            header.status = UndoStatus::Sealed;
        }
        return Ok(State { header, damaged });
    }
    // Killed before even the header was durable: then there is nothing behind it.
    let len = file.len().map_err(io)?;
    if len <= ENTRIES_AT && all_zero(&start) {
        let header = UndoHeader {
            sequence: 0,
            status: UndoStatus::Unsealed,
            identity: 0,
            created: 0,
            end: 0,
            operation: String::new(),
        };
        return Ok(State {
            header,
            damaged: false,
        });
    }
    if has_header(&start) {
        return Err(unusable("its header is damaged".into()));
    }
    let kind = identify(&start);
    match kind.dump_mode() {
        Some(mode) => Err(Error::WrongFileType {
            path: path.to_owned(),
            found: kind.words(),
            mode,
        }),
        None => Err(unusable("it is not an undo file".into())),
    }
}

/// Writes the header with this status into the older slot and makes it durable.
///
/// # Errors
/// [`Error::Io`].
pub fn advance(
    file: &dyn Storage,
    path: &Path,
    header: &mut UndoHeader,
    status: UndoStatus,
) -> Result<()> {
    header.sequence = header.sequence.wrapping_add(1);
    header.status = status;
    write(file, path, header)
}

/// Writes the header into its slot and makes it durable.
///
/// # Errors
/// [`Error::Io`].
pub fn write(file: &dyn Storage, path: &Path, header: &UndoHeader) -> Result<()> {
    let slot = SLOTS[header.sequence as usize % SLOTS.len()];
    file.write_at(slot, &header.bytes())
        .map_err(|error| Error::io(path, "write", error))?;
    file.sync().map_err(|error| Error::io(path, "sync", error))
}
