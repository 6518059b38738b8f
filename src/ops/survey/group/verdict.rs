//! One verdict a database and a group, with its reasons.

use super::cluster::Cluster;
use super::stream::Stream;
use super::{Group, GroupKind, JudgedDatabase, Verdict, needed};
use crate::format::ids::Generation;
use crate::ops::survey::record::{DatabaseFacts, Depth, FileRecord, Kind, State};

/// Missing logs that a sentence names.
const NAMED_IN_A_SENTENCE: usize = 8;

/// Judges a group; what other groups have to do with it comes later.
pub(super) fn judge(cluster: &Cluster, records: &[FileRecord]) -> Group {
    let stream = Stream::of(cluster, records);
    let databases: Vec<JudgedDatabase> = cluster
        .databases
        .iter()
        .map(|at| database(*at, cluster, records, stream.as_ref()))
        .collect();
    let backup = cluster.databases.iter().any(|at| {
        let facts = records[*at].database();
        facts.is_some_and(|facts| facts.state == State::BackupCopy)
    });
    let kind = match (databases.is_empty(), backup) {
        (true, _) => GroupKind::LogsOnly,
        (false, true) => GroupKind::BackupSet,
        (false, false) => GroupKind::StorageGroup,
    };
    let needed = needed(&databases);
    let mut group = Group {
        group: 0,
        kind,
        verdict: databases
            .iter()
            .map(|database| database.verdict)
            .max()
            .unwrap_or(Verdict::NoDatabase),
        reasons: Vec::new(),
        next: Vec::new(),
        sign_log: cluster.sign_log,
        logs: stream.as_ref().map(|stream| stream.range(needed)),
        databases,
        checkpoint: checkpoint(cluster, records),
        recovery: None,
        elsewhere: Vec::new(),
        play_forward: None,
        backups: Vec::new(),
        files: cluster
            .members()
            .into_iter()
            .map(|at| records[at].path.clone())
            .collect(),
    };
    group.reasons = reasons(&group, cluster, records, stream.as_ref());
    group
}

/// A whole one is better than a damaged one.
fn checkpoint(cluster: &Cluster, records: &[FileRecord]) -> Option<String> {
    let whole = |at: &&usize| records[**at].kind == Kind::Checkpoint;
    let best = cluster
        .checkpoints
        .iter()
        .find(whole)
        .or(cluster.checkpoints.first())?;
    Some(records[*best].path.clone())
}

fn reasons(
    group: &Group,
    cluster: &Cluster,
    records: &[FileRecord],
    stream: Option<&Stream<'_>>,
) -> Vec<String> {
    let mut reasons = Vec::new();
    if group.kind == GroupKind::LogsOnly {
        let mut names: Vec<&str> = stream
            .into_iter()
            .flat_map(Stream::attached)
            .map(|attached| attached.path.as_str())
            .collect();
        names.dedup();
        reasons.push(if names.is_empty() {
            "no database of this log stream is among the files".to_owned()
        } else {
            format!(
                "no database of this log stream is among the files; the newest log names {}",
                names.join(", ")
            )
        });
    }
    for at in &cluster.others {
        let record = &records[*at];
        if record.kind == Kind::Checkpoint {
            let name = record.folder_and_name().1;
            reasons.push(format!(
                "checkpoint {name} is of another log stream: recovery does not use it"
            ));
        }
    }
    for at in &cluster.checkpoints {
        let record = &records[*at];
        if record.kind != Kind::Checkpoint {
            let name = record.folder_and_name().1;
            reasons.push(format!(
                "checkpoint {name} is {}: recovery does without it and reads all logs",
                record.kind.words()
            ));
        }
    }
    reasons
}

fn database(
    at: usize,
    cluster: &Cluster,
    records: &[FileRecord],
    stream: Option<&Stream<'_>>,
) -> JudgedDatabase {
    let record = &records[at];
    let beside = |pairs: &[(usize, usize)]| {
        let pair = pairs.iter().find(|(_, database)| *database == at)?;
        Some(records[pair.0].path.clone())
    };
    let mut judged = JudgedDatabase {
        path: record.path.clone(),
        verdict: Verdict::Clean,
        reasons: Vec::new(),
        needs: None,
        streaming_file: beside(&cluster.streaming),
        flush_map: beside(&cluster.flush_maps),
    };
    let Some(facts) = record.database() else {
        without_header(record, &mut judged);
        return judged;
    };
    let reason = match facts.state {
        State::Clean => (
            Verdict::Clean,
            "in Clean Shutdown: complete without logs".to_owned(),
        ),
        State::Unusable => (
            Verdict::NeedsRepair,
            format!(
                "its state is '{}': no log brings it to an end",
                facts.state_words
            ),
        ),
        State::JustCreated | State::Dirty | State::BackupCopy => {
            let (low, high, committed) = needs(facts, stream);
            judged.needs = Some([low, high, committed]);
            logs(facts, (low, high, committed), stream)
        }
    };
    judged.verdict = reason.0;
    judged.reasons.push(reason.1);
    pages(record, facts, &mut judged);
    if facts.has_streaming_file && judged.streaming_file.is_none() {
        judged.reasons.push(
            "its streaming file (.stm) is not among the files: what was sent over the Internet lies there".to_owned(),
        );
    }
    if facts.one_header_damaged {
        judged
            .reasons
            .push("one of its two header copies is damaged, the other is used".to_owned());
    }
    judged
}

fn without_header(record: &FileRecord, judged: &mut JudgedDatabase) {
    let (verdict, reason) = match record.kind {
        Kind::HeadlessDatabase if record.facts.is_some() => (
            Verdict::NeedsRepair,
            "both header copies are damaged; its pages can be read".to_owned(),
        ),
        Kind::HeadlessDatabase => (
            Verdict::Unreadable,
            "both header copies are damaged, and no page of it can be recognised".to_owned(),
        ),
        Kind::Unreadable => (
            Verdict::Unreadable,
            record
                .error
                .clone()
                .unwrap_or_else(|| "it cannot be read".to_owned()),
        ),
        kind => (
            Verdict::Unreadable,
            match kind {
                Kind::Empty => "the file is empty".to_owned(),
                Kind::Zeroed => "the file holds nothing but zero bytes".to_owned(),
                _ => "nothing of a database can be recognised in it".to_owned(),
            },
        ),
    };
    judged.verdict = verdict;
    judged.reasons.push(reason);
}

/// First and last log that a database needs, and the last with commits.
fn needs(
    facts: &DatabaseFacts,
    stream: Option<&Stream<'_>>,
) -> (Generation, Generation, Generation) {
    if facts.required_low != Generation::default() {
        let committed = facts.committed_high.max(facts.required_high);
        return (facts.required_low, facts.required_high, committed);
    }
    // Formats without a required range, and databases that were just made: from where it was attached, to the last log.
    let low = facts.attached.max(Generation::new(1));
    let last = stream.and_then(Stream::last).unwrap_or(low).max(low);
    (low, low, last)
}

/// What the logs that are there can do for a database that needs some.
fn logs(
    facts: &DatabaseFacts,
    (low, high, committed): (Generation, Generation, Generation),
    stream: Option<&Stream<'_>>,
) -> (Verdict, String) {
    let how = match facts.state {
        State::BackupCopy => "a backup copy, to be restored",
        State::JustCreated => "just created when the server stopped",
        _ => "in Dirty Shutdown",
    };
    let range = if low == high {
        format!("log {low}")
    } else {
        format!("logs {low} to {high}")
    };
    let Some(stream) = stream else {
        let reason = format!("{how}: {range} of its stream needed, and no log is among the files");
        return (Verdict::NeedsRepair, reason);
    };
    let broken = stream.first_break(low);
    if broken <= high {
        let mut missing: Vec<String> = stream
            .missing(low, high, NAMED_IN_A_SENTENCE + 1)
            .into_iter()
            .map(|generation| stream.name(generation))
            .collect();
        let what = if missing.len() > 1 {
            let more = missing.len() > NAMED_IN_A_SENTENCE;
            missing.truncate(NAMED_IN_A_SENTENCE);
            let more = if more { " and more" } else { "" };
            format!("logs {}{more} are missing", missing.join(", "))
        } else {
            stream.what_is_wrong(broken)
        };
        return (
            Verdict::NeedsRepair,
            format!("{how}: {range} needed, and {what}"),
        );
    }
    let last = stream.usable(high);
    if let (Some(expected), Some(log)) = (facts.required_high_created, last)
        && expected != log.created
    {
        let reason = format!(
            "{how}: its log {} was made at {expected}, the one that is there at {}: the streams went apart",
            stream.name(high),
            log.created
        );
        return (Verdict::NeedsRepair, reason);
    }
    let known = committed.max(stream.last().unwrap_or(committed));
    if broken <= known {
        let reason = format!(
            "{how}: {range} needed and there, but {}: what it and later logs held is lost",
            stream.what_is_wrong(broken)
        );
        return (Verdict::RecoverableWithLoss, reason);
    }
    let reason = format!("{how}: {range} needed and there; logs up to {known} will be replayed");
    (Verdict::Recoverable, reason)
}

/// What the checks of pages add.
fn pages(record: &FileRecord, facts: &DatabaseFacts, judged: &mut JudgedDatabase) {
    let counts = facts.checksums;
    let bad = counts.map_or(0, |counts| counts.bad + counts.unreadable);
    let errors = facts.integrity.map_or(0, |integrity| integrity.errors);
    let clean = facts.state == State::Clean;
    if let Some(counts) = counts.filter(|_| bad > 0) {
        let then = if clean {
            ""
        } else {
            "; recovery may write some of them anew"
        };
        judged.reasons.push(format!(
            "{} damaged and {} unreadable pages of {}{then}",
            counts.bad, counts.unreadable, counts.seen
        ));
    } else if clean && errors > 0 {
        judged
            .reasons
            .push(format!("the integrity check found {errors} errors"));
    }
    if clean && (bad > 0 || errors > 0) {
        judged.verdict = judged.verdict.max(Verdict::NeedsRepair);
    }
    if let Some(counts) = counts.filter(|counts| counts.correctable > 0) {
        judged.reasons.push(format!(
            "{} pages have a single wrong bit, which is corrected when they are read",
            counts.correctable
        ));
    }
    if let Some(error) = &record.error {
        judged.reasons.push(error.clone());
        if clean {
            judged.verdict = judged.verdict.max(Verdict::NeedsRepair);
        }
    }
    if clean && judged.verdict == Verdict::Clean && record.depth == Depth::Headers {
        judged.reasons.push("pages were not looked at".to_owned());
    }
}
