//! Databases that are behind their logs although the checkpoint takes everything for done: the engine would leave them as
//! they are and say nothing.

use super::RecoverOptions;
use super::begin::{databases, ended_in_order};
use crate::format::dbheader::{DbHeader, DbState};
use crate::format::logrec::Record;
use crate::log::generation::LoadedLog;
use crate::problem::{Finding, Place, Problem};
use crate::recover::stream::LogStream;

/// Says which databases they are.
pub fn note_left_behind(options: &RecoverOptions, stream: &LogStream, findings: &mut Vec<Finding>) {
    let Some(path) = stream.current() else { return };
    let Ok(current) = LoadedLog::load(&path) else {
        return;
    };
    let Some(end) = ended_in_order(stream, &current) else {
        return;
    };
    for (path, header) in databases(options) {
        if header.sign_log != current.head.header.sign_log
            || !(header.db_state() == DbState::DirtyShutdown || is_behind(&header, stream))
        {
            continue;
        }
        let detail = format!(
            "it is consistent at {}, the logs go to {end}; with --no-checkpoint they are replayed from the first",
            header.last_consistent
        );
        let place = Place::file(path.to_string_lossy());
        findings.push(Finding::new(Problem::DatabaseBehind, place).with_detail(detail));
    }
}

/// True when a log that is there changes the database after the place at which it is consistent. What closes a stream,
/// or begins a new run of the engine, is no change.
fn is_behind(header: &DbHeader, stream: &LogStream) -> bool {
    let from = header.last_consistent.generation;
    for path in stream.from(from) {
        let Ok(log) = LoadedLog::load(&path) else {
            return false;
        };
        let mut attachments = log.head.attachments.iter();
        let attached = attachments.find(|known| known.sign_db == header.sign_db);
        // What was closed in this log is in its list.
        let mut dbid = attached
            .filter(|_| log.generation() > from)
            .map(|known| known.dbid);
        let mut records = log.records();
        while let Ok(Some(placed)) = records.next() {
            if placed.at <= header.last_consistent {
                continue;
            }
            match Record::parse(placed.bytes) {
                Ok(Record::AttachDb(attach)) if attach.sign_db == header.sign_db => {
                    dbid = Some(attach.dbid.0);
                }
                Ok(Record::DetachDb(detach)) if dbid == Some(detach.dbid.0) => dbid = None,
                Ok(record) => {
                    let changed = record.page_head().map(|head| head.dbid.0);
                    if changed.is_some() && changed == dbid {
                        return true;
                    }
                }
                Err(_) => return false,
            }
        }
    }
    false
}
