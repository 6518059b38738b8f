//! Where a recovery begins: at the checkpoint, if that can be used; else at the first log. [log notes 5, 11.1]

use std::path::Path;

use super::RecoverOptions;
use super::beside::databases_in;
use crate::error::{Result, Trouble};
use crate::format::checkpoint::Checkpoint;
use crate::format::dbheader::{DbHeader, DbState};
use crate::format::ids::Generation;
use crate::format::loghdr::Attachment;
use crate::format::stamp::Lgpos;
use crate::jet::JetError;
use crate::log::generation::LoadedLog;
use crate::log::names::find_any_case;
use crate::ops::checkpoint::read_checkpoint;
use crate::problem::{Finding, Place, Problem};
use crate::recover::attach::{Places, header_of};
use crate::recover::driver::{Start, checkpoint_has_attachments};
use crate::recover::stream::{self, LogStream};

/// The first log of a recovery.
pub struct Begin {
    pub log: LoadedLog,
    pub is_current: bool,
    pub start: Start,
    /// Logs from there to the end.
    pub logs: u64,
}

struct Usable {
    fields: Checkpoint,
    attachments: Vec<Attachment>,
}

/// Finds the start; `None` when the stream ended in order and the checkpoint says that all of it is in the databases.
pub fn find(
    options: &RecoverOptions,
    stream: &LogStream,
    findings: &mut Vec<Finding>,
) -> Result<Option<Begin>> {
    let load = |path: &Path| {
        LoadedLog::load(path)
            .map_err(|fault| crate::error::Error::from(stream::unusable(path, &fault)))
    };
    let current = match stream.current() {
        Some(path) => Some(load(&path)?),
        None => None,
    };
    let newest = match (&current, stream.range()) {
        (Some(log), _) => log.head.header.sign_log,
        (None, Some((_, high))) => load(&archived(stream, high)?)?.head.header.sign_log,
        (None, None) => Default::default(),
    };
    let checkpoint = read(options, stream, findings).filter(|usable| {
        let same = usable.fields.sign_log == newest;
        if !same {
            let detail = "it belongs to another log stream".to_owned();
            findings.push(checkpoint_finding(options, stream, detail));
        }
        same
    });
    if let (Some(current), Some(checkpoint)) = (&current, &checkpoint)
        && ended_in_order(stream, current) == Some(checkpoint.fields.checkpoint)
    {
        return Ok(None);
    }
    let lowest = stream
        .range()
        .map(|(low, _)| low)
        .or_else(|| current.as_ref().map(LoadedLog::generation))
        .unwrap_or_default();
    let highest = current
        .as_ref()
        .map(LoadedLog::generation)
        .max(stream.range().map(|(_, high)| high));
    let checkpoint = checkpoint.filter(|usable| {
        let known = Some(usable.fields.checkpoint.generation) <= highest;
        if !known {
            let detail = "it points behind the last log".to_owned();
            findings.push(checkpoint_finding(options, stream, detail));
        }
        known
    });
    let mut generation = checkpoint
        .as_ref()
        .map_or(lowest, |usable| usable.fields.checkpoint.generation);
    let needed = needed_by_databases(options, &newest);
    let too_late = needed.is_some_and(|needed| needed < generation && needed >= lowest);
    if let (true, Some(needed)) = (too_late, needed) {
        let detail = format!(
            "a database needs the logs from generation {:#X} on, the checkpoint only those from {:#X} on; the former \
             counts",
            needed.get(),
            generation.get()
        );
        findings.push(checkpoint_finding(options, stream, detail));
        generation = needed;
    }
    let (log, is_current) = match current {
        Some(log) if log.generation() == generation => (log, true),
        _ => (load(&archived(stream, generation)?)?, false),
    };
    let start = match checkpoint.filter(|usable| {
        !too_late && usable.fields.flags & 1 != 0 && checkpoint_has_attachments(&log.head.header)
    }) {
        Some(usable) => Start {
            at: usable.fields.checkpoint,
            attachments: Some(usable.attachments),
        },
        None => Start {
            at: log.position(log.extent.start),
            attachments: None,
        },
    };
    let logs = stream.from(generation).len() as u64;
    Ok(Some(Begin {
        log,
        is_current,
        start,
        logs,
    }))
}

fn archived(stream: &LogStream, generation: Generation) -> Result<std::path::PathBuf> {
    stream.archived(generation).ok_or_else(|| {
        Trouble::new(
            JetError::MISSING_LOG_FILE,
            format!(
                "the log file {} is not there, where the recovery would begin",
                stream.name(generation)
            ),
        )
        .advise("bring the missing log file; 'exutil mh --logs' lists all that a database needs")
        .into()
    })
}

/// Position of the last record of the stream if it ended in order. A current log without records was prepared and not
/// used: then the one before counts.
pub(super) fn ended_in_order(stream: &LogStream, current: &LoadedLog) -> Option<Lgpos> {
    if current.scan.damage.is_some() {
        return None;
    }
    if !stream::is_blank(current) {
        return stream::ends_in_order(current);
    }
    let before = Generation::new(current.generation().get().checked_sub(1)?);
    let log = LoadedLog::load(&stream.archived(before)?).ok()?;
    stream::ends_in_order(&log)
}

fn read(
    options: &RecoverOptions,
    stream: &LogStream,
    findings: &mut Vec<Finding>,
) -> Option<Usable> {
    if options.ignore_checkpoint {
        return None;
    }
    let path = find_any_case(&options.system_dir, &checkpoint_name(stream))?;
    match read_checkpoint(&path) {
        Ok(report) => {
            findings.extend(report.findings);
            Some(Usable {
                fields: report.checkpoint,
                attachments: report.attachments,
            })
        }
        Err(error) => {
            findings.push(checkpoint_finding(options, stream, error.to_string()));
            None
        }
    }
}

/// `E00.chk`, or `E00.jcp` beside `.jtx` logs.
pub fn checkpoint_name(stream: &LogStream) -> String {
    let extension = if stream.extension == "jtx" {
        "jcp"
    } else {
        "chk"
    };
    format!("{}.{extension}", stream.base)
}

fn checkpoint_finding(options: &RecoverOptions, stream: &LogStream, detail: String) -> Finding {
    let path = options.system_dir.join(checkpoint_name(stream));
    Finding::new(
        Problem::CheckpointUnused,
        Place::file(path.to_string_lossy()),
    )
    .with_detail(detail)
}

/// The databases that can be found without the log's help: in the folder that was given, or beside the logs.
pub(super) fn databases(options: &RecoverOptions) -> Vec<(std::path::PathBuf, DbHeader)> {
    let dir = match &options.places {
        Places::In(path) if path.is_file() => {
            return header_of(path)
                .map(|header| (path.clone(), header))
                .into_iter()
                .collect();
        }
        Places::In(path) => path,
        Places::Logged | Places::Moved(..) => &options.log_dir,
    };
    databases_in(dir)
}

/// The first generation that a dirty database of this stream needs.
fn needed_by_databases(
    options: &RecoverOptions,
    sign_log: &crate::format::stamp::Signature,
) -> Option<Generation> {
    databases(options)
        .into_iter()
        .filter(|(_, header)| {
            header.sign_log == *sign_log
                && header.db_state() == DbState::DirtyShutdown
                && header.required_low.get() != 0
        })
        .map(|(_, header)| header.required_low)
        .min()
}
