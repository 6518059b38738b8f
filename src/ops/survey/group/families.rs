//! What one group can do for another: backup sets of the same databases, and logs that fill a gap.

use std::collections::HashMap;

use super::cluster::Cluster;
use super::paths::distance;
use super::stream::Stream;
use super::{Elsewhere, Group, GroupKind, Verdict, needed};
use crate::format::ids::Generation;
use crate::format::stamp::Signature;
use crate::ops::survey::record::{FileRecord, Kind};

/// Names the backup sets that hold a database of a group and can be restored.
pub(super) fn backups(clusters: &[Cluster], records: &[FileRecord], groups: &mut [Group]) {
    let identities = |cluster: &Cluster| -> Vec<Signature> {
        let databases = cluster.databases.iter();
        databases
            .filter_map(|at| records[*at].database()?.sign_db)
            .collect()
    };
    let mut sets: HashMap<Signature, Vec<String>> = HashMap::new();
    for (cluster, group) in clusters.iter().zip(groups.iter()) {
        if group.kind != GroupKind::BackupSet || group.verdict != Verdict::Recoverable {
            continue;
        }
        let Some(first) = cluster.databases.first() else {
            continue;
        };
        let folder = records[*first].folder_and_name().0;
        for identity in identities(cluster) {
            sets.entry(identity).or_default().push(folder.to_owned());
        }
    }
    for (cluster, group) in clusters.iter().zip(groups) {
        if group.kind == GroupKind::BackupSet {
            continue;
        }
        let found = identities(cluster)
            .into_iter()
            .filter_map(|identity| sets.get(&identity));
        let mut found: Vec<String> = found.flatten().cloned().collect();
        found.sort();
        found.dedup();
        group.backups = found;
    }
}

/// Names for each backup set the nearest folder with logs of its stream that go on where the set ends.
pub(super) fn play_forward(clusters: &[Cluster], records: &[FileRecord], groups: &mut [Group]) {
    for (number, cluster) in clusters.iter().enumerate() {
        let group = &groups[number];
        let end = needed(&group.databases).map(|(_, last)| last);
        let (GroupKind::BackupSet, Some(end), Some(set)) = (group.kind, end, &group.logs) else {
            continue;
        };
        let last = Stream::of(cluster, records).and_then(|stream| stream.usable(end).cloned());
        let mut best: Option<(usize, String)> = None;
        for (other, candidate) in clusters.iter().enumerate() {
            if other == number
                || candidate.sign_log != cluster.sign_log
                || candidate.sign_log.is_none()
            {
                continue;
            }
            let Some(stream) = Stream::of(candidate, records) else {
                continue;
            };
            let follows = stream.usable(end.next()).is_some_and(|next| {
                last.as_ref()
                    .is_some_and(|last| next.previous_created == last.created)
            });
            let far = distance(&set.folder, &stream.folder);
            if follows && best.as_ref().is_none_or(|(least, _)| far < *least) {
                best = Some((far, stream.folder));
            }
        }
        groups[number].play_forward = best.map(|(_, folder)| folder);
    }
}

/// Looks among all files for sound copies of the logs that a group lacks.
pub(super) fn elsewhere(clusters: &[Cluster], records: &[FileRecord], groups: &mut [Group]) {
    let mut sound: HashMap<(Signature, Generation), Vec<usize>> = HashMap::new();
    for (at, record) in records.iter().enumerate() {
        if let (Kind::Log, Some(log)) = (record.kind, record.log())
            && let (Some(sign_log), 0) = (log.sign_log, log.damage)
        {
            sound
                .entry((sign_log, log.generation))
                .or_default()
                .push(at);
        }
    }
    for (cluster, group) in clusters.iter().zip(groups) {
        let (Some(sign_log), Some((low, last))) = (cluster.sign_log, needed(&group.databases))
        else {
            continue;
        };
        let stream = Stream::of(cluster, records);
        let wanted: Vec<Generation> = match &stream {
            Some(stream) => {
                let mut wanted = stream.missing(low, last, super::NAMES_AT_MOST);
                let broken = stream.first_break(low);
                if broken <= last && !wanted.contains(&broken) {
                    wanted.push(broken);
                }
                wanted
            }
            None => (low.get()..=last.get())
                .take(super::NAMES_AT_MOST)
                .map(Generation::new)
                .collect(),
        };
        let own = cluster.members();
        let mut found = Vec::new();
        for generation in wanted {
            let copies = sound.get(&(sign_log, generation)).into_iter().flatten();
            let mut copies = copies.filter(|at| !own.contains(at));
            if let Some(at) = copies.next() {
                found.push(Elsewhere {
                    generation,
                    path: records[*at].path.clone(),
                });
            }
        }
        if found.is_empty() {
            continue;
        }
        let first = &found[0];
        group.reasons.push(format!(
            "{} of the logs that it lacks lie elsewhere among the files, generation {} at {}: with all of them \
             beside the others it may be recovered",
            found.len(),
            first.generation,
            first.path
        ));
        group.elsewhere = found;
    }
}
