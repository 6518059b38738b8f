//! Which files belong together.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::paths::{distance, last_part};
use crate::format::stamp::Signature;
use crate::log::names::LogName;
use crate::ops::survey::record::{FileRecord, Kind, Role};

/// Files that belong together, as places in the list of records, each list in its order.
#[derive(Debug, Default, Clone)]
pub(super) struct Cluster {
    /// The stream.
    pub sign_log: Option<Signature>,
    /// Databases, whole or damaged.
    pub databases: Vec<usize>,
    /// Logs by the names that logs have, whole or damaged.
    pub logs: Vec<usize>,
    /// Checkpoints, whole or damaged.
    pub checkpoints: Vec<usize>,
    /// Streaming files, each with the database that it belongs to.
    pub streaming: Vec<(usize, usize)>,
    /// Flush maps, each with the database that it belongs to.
    pub flush_maps: Vec<(usize, usize)>,
    /// Reserve logs, patch files, undo files, logs under other names, flush maps without a database.
    pub others: Vec<usize>,
}

impl Cluster {
    fn files(&self) -> impl Iterator<Item = usize> {
        let pairs = self.streaming.iter().chain(&self.flush_maps);
        let lists = [&self.databases, &self.logs, &self.checkpoints, &self.others];
        let lists = lists.into_iter().flatten().copied();
        lists.chain(pairs.map(|(file, _)| *file))
    }

    /// Every file of it.
    pub fn members(&self) -> BTreeSet<usize> {
        self.files().collect()
    }

    /// The first of them.
    fn first(&self) -> Option<usize> {
        self.files().min()
    }
}

/// The file of the log, if its name is one that the engine reads.
pub(super) fn log_name(record: &FileRecord) -> Option<LogName> {
    LogName::parse(record.folder_and_name().1)
}

struct Finder<'a> {
    records: &'a [FileRecord],
    clusters: Vec<Cluster>,
    /// The clusters in each folder.
    in_folder: HashMap<&'a str, Vec<usize>>,
    /// Folders with an undo file.
    undone: HashSet<&'a str>,
}

/// Puts every listed file that has a place into one cluster; logs may be in several, when several copies of a database
/// can use them.
pub(super) fn find(records: &[FileRecord]) -> Vec<Cluster> {
    let mut finder = Finder {
        records,
        clusters: Vec::new(),
        in_folder: HashMap::new(),
        undone: records
            .iter()
            .filter(|record| record.kind == Kind::UndoFile)
            .map(|record| record.folder_and_name().0)
            .collect(),
    };
    finder.by_signature();
    finder.damaged_logs();
    finder.damaged_databases();
    finder.join_folders();
    finder.by_database();
    finder.rest();
    finder.clusters.retain(|cluster| cluster.first().is_some());
    finder.clusters
}

impl<'a> Finder<'a> {
    fn folder(&self, at: usize) -> &'a str {
        self.records[at].folder_and_name().0
    }

    fn name(&self, at: usize) -> &'a str {
        self.records[at].folder_and_name().1
    }

    fn here(&self, at: usize) -> &[usize] {
        self.in_folder
            .get(self.folder(at))
            .map_or(&[], Vec::as_slice)
    }

    fn add(&mut self, folder: &'a str, cluster: Cluster) -> usize {
        let number = self.clusters.len();
        self.clusters.push(cluster);
        self.in_folder.entry(folder).or_default().push(number);
        number
    }

    /// What carries the signature of a stream: one cluster a folder and signature. A database without one, after a
    /// repair, is a cluster of its own.
    fn by_signature(&mut self) {
        let mut known: HashMap<(&str, Option<Signature>), usize> = HashMap::new();
        for (at, record) in self.records.iter().enumerate() {
            let log = record.kind == Kind::Log && log_name(record).is_some();
            if !log && !matches!(record.kind, Kind::Database | Kind::Checkpoint) {
                continue;
            }
            if record.kind == Kind::Database && self.aside_of(at).is_some() {
                continue;
            }
            let folder = self.folder(at);
            let sign_log = record.sign_log();
            if sign_log.is_none() && record.kind != Kind::Database {
                continue;
            }
            let there = sign_log.and_then(|_| known.get(&(folder, sign_log)).copied());
            let cluster = there.unwrap_or_else(|| {
                let cluster = Cluster {
                    sign_log,
                    ..Cluster::default()
                };
                self.add(folder, cluster)
            });
            known.insert((folder, sign_log), cluster);
            let cluster = &mut self.clusters[cluster];
            match record.kind {
                Kind::Database => cluster.databases.push(at),
                Kind::Log => cluster.logs.push(at),
                _ => cluster.checkpoints.push(at),
            }
        }
    }

    /// The name of the database that a file is the original of: what repair and tests put aside under another name, with
    /// an undo file beside it that gives it back.
    fn aside_of(&self, at: usize) -> Option<&'a str> {
        let (database, _) = self.name(at).split_once(".before-")?;
        self.undone.contains(self.folder(at)).then_some(database)
    }

    /// The cluster in the folder of a file whose logs have this base name; without logs the one with a checkpoint of it.
    fn of_base(&self, at: usize, base: &str) -> Option<usize> {
        let of = |list: &[usize]| {
            list.iter().any(|member| {
                let name = self.name(*member).get(..base.len());
                name.is_some_and(|name| name.eq_ignore_ascii_case(base))
            })
        };
        let logs = self.here(at).iter().find(|c| of(&self.clusters[**c].logs));
        let or = || {
            self.here(at)
                .iter()
                .find(|c| of(&self.clusters[**c].checkpoints))
        };
        logs.or_else(or).copied()
    }

    /// Damaged logs, and empty files with the name of one, belong to the stream with their base name; where there is
    /// none, they are one of their own.
    fn damaged_logs(&mut self) {
        for (at, record) in self.records.iter().enumerate() {
            let named = record.named == Some(Role::Log) && record.kind != Kind::Log;
            if record.kind != Kind::DamagedLog && !named {
                continue;
            }
            let Some(name) = log_name(record) else {
                continue;
            };
            let cluster = match self.of_base(at, &name.base) {
                Some(cluster) => cluster,
                // A name alone makes no stream.
                None if named && !record.kind.is_ours() && record.kind != Kind::Unreadable => {
                    continue;
                }
                None => {
                    let folder = self.folder(at);
                    // A database alone in the folder is the one.
                    let alone = match self.here(at) {
                        [one] if self.clusters[*one].logs.is_empty() => Some(*one),
                        _ => None,
                    };
                    alone.unwrap_or_else(|| self.add(folder, Cluster::default()))
                }
            };
            self.clusters[cluster].logs.push(at);
        }
        for cluster in &mut self.clusters {
            cluster.logs.sort_unstable();
        }
    }

    /// A database without a header belongs to the stream whose logs know it by its name.
    fn damaged_databases(&mut self) {
        for (at, record) in self.records.iter().enumerate() {
            let named = record.named == Some(Role::Database) && !record.kind.is_ours();
            if (record.kind != Kind::HeadlessDatabase && !named) || self.aside_of(at).is_some() {
                continue;
            }
            let name = self.name(at);
            let knows = |member: &usize| {
                let record = &self.records[*member];
                let attached = match (record.log(), record.checkpoint()) {
                    (Some(log), _) => log.attached.as_slice(),
                    (_, Some(checkpoint)) => checkpoint.attached.as_slice(),
                    (None, None) => &[],
                };
                attached
                    .iter()
                    .any(|one| last_part(&one.path).eq_ignore_ascii_case(name))
            };
            let known = self.here(at).iter().copied().find(|cluster| {
                let cluster = &self.clusters[*cluster];
                cluster.logs.iter().chain(&cluster.checkpoints).any(knows)
            });
            let cluster = known.unwrap_or_else(|| self.add(self.folder(at), Cluster::default()));
            self.clusters[cluster].databases.push(at);
        }
        for cluster in &mut self.clusters {
            cluster.databases.sort_unstable();
        }
    }

    /// Databases without logs take those of the nearest folder that has logs of their stream and no databases; a
    /// checkpoint alone goes to the nearest logs without one. Of two that are equally near none is taken.
    fn join_folders(&mut self) {
        let mut of_stream: HashMap<Signature, Vec<usize>> = HashMap::new();
        for (number, cluster) in self.clusters.iter().enumerate() {
            if let Some(sign_log) = cluster.sign_log {
                of_stream.entry(sign_log).or_default().push(number);
            }
        }
        for number in 0..self.clusters.len() {
            let one = &self.clusters[number];
            let Some(family) = one.sign_log.and_then(|sign_log| of_stream.get(&sign_log)) else {
                continue;
            };
            let wants_logs = !one.databases.is_empty() && one.logs.is_empty();
            let lonely = one.databases.is_empty() && one.logs.is_empty();
            let fits = |other: &&usize| {
                let other = &self.clusters[**other];
                let free = other.databases.is_empty() || lonely;
                !other.logs.is_empty() && free && (!lonely || other.checkpoints.is_empty())
            };
            if !wants_logs && !lonely {
                continue;
            }
            let fitting = family.iter().filter(fits).copied();
            if let Some(target) = self.nearest(number, fitting) {
                self.join(number, target, lonely);
            }
        }
        // Logs that were lent to databases are no group of their own.
        let lent: BTreeSet<usize> = self
            .clusters
            .iter()
            .filter(|cluster| !cluster.databases.is_empty())
            .flat_map(|cluster| cluster.logs.iter().copied())
            .collect();
        for cluster in &mut self.clusters {
            if cluster.databases.is_empty() && cluster.logs.iter().any(|log| lent.contains(log)) {
                *cluster = Cluster::default();
            }
        }
    }

    fn nearest(&self, from: usize, others: impl Iterator<Item = usize>) -> Option<usize> {
        let folder = |cluster: usize| {
            let first = self.clusters[cluster].first();
            first.map_or("", |at| self.folder(at))
        };
        let here = folder(from);
        // Nearest, of equally near ones the one with more logs.
        let rank = |other: usize| {
            let logs = self.clusters[other].logs.len();
            (distance(here, folder(other)), std::cmp::Reverse(logs))
        };
        let mut best: Option<usize> = None;
        let mut tied = false;
        for other in others.filter(|other| *other != from) {
            let order = best.map_or(std::cmp::Ordering::Less, |best| {
                rank(other).cmp(&rank(best))
            });
            match order {
                std::cmp::Ordering::Less => (best, tied) = (Some(other), false),
                std::cmp::Ordering::Equal => tied = true,
                std::cmp::Ordering::Greater => {}
            }
        }
        best.filter(|_| !tied)
    }

    /// The databases keep their place and borrow the logs, so that several copies of one database do not get in each
    /// other's way; different databases of one stream come together.
    fn join(&mut self, number: usize, target: usize, lonely: bool) {
        if lonely {
            let moved = std::mem::take(&mut self.clusters[number].checkpoints);
            self.clusters[target].checkpoints.extend(moved);
            self.clusters[number] = Cluster::default();
            return;
        }
        let logs = self.clusters[target].logs.clone();
        let identity = |at: &usize| self.records[*at].database().and_then(|facts| facts.sign_db);
        let sibling = (0..self.clusters.len()).find(|other| {
            let other_cluster = &self.clusters[*other];
            *other != number
                && !other_cluster.databases.is_empty()
                && other_cluster.logs == logs
                && !other_cluster.databases.iter().any(|at| {
                    let own = identity(at);
                    self.clusters[number]
                        .databases
                        .iter()
                        .any(|mine| identity(mine) == own)
                })
        });
        let checkpoints = self.clusters[target].checkpoints.clone();
        match sibling {
            Some(sibling) => {
                let moved = std::mem::take(&mut self.clusters[number]);
                let to = &mut self.clusters[sibling];
                to.databases.extend(moved.databases);
                to.databases.sort_unstable();
                to.checkpoints.extend(moved.checkpoints);
            }
            None => {
                let one = &mut self.clusters[number];
                one.logs = logs;
                if one.checkpoints.is_empty() {
                    one.checkpoints = checkpoints;
                }
            }
        }
    }

    /// Streaming files and flush maps: by signature, in the folder of the database first; a flush map of another time by
    /// its name.
    fn by_database(&mut self) {
        let mut in_folder: HashMap<&str, Vec<(usize, usize)>> = HashMap::new();
        let mut by_signature: HashMap<Signature, Vec<(usize, usize)>> = HashMap::new();
        for (number, cluster) in self.clusters.iter().enumerate() {
            for database in &cluster.databases {
                let entry = (number, *database);
                in_folder
                    .entry(self.folder(*database))
                    .or_default()
                    .push(entry);
                let Some(facts) = self.records[*database].database() else {
                    continue;
                };
                for key in [facts.sign_streaming, facts.sign_db].into_iter().flatten() {
                    by_signature.entry(key).or_default().push(entry);
                }
            }
        }
        for (at, record) in self.records.iter().enumerate() {
            let streaming =
                record.kind == Kind::StreamingFile || record.named == Some(Role::StreamingFile);
            let flush_map = matches!(record.kind, Kind::FlushMap | Kind::DamagedFlushMap)
                || (record.named == Some(Role::FlushMap) && !record.kind.is_ours());
            if !streaming && !flush_map {
                continue;
            }
            let beside = in_folder.get(self.folder(at)).into_iter().flatten();
            // A flush map never lies anywhere but beside its database.
            let keys = record.database().filter(|_| streaming);
            let keys = keys.map(|facts| [facts.sign_streaming, facts.sign_db]);
            let signed = keys.into_iter().flatten().flatten();
            let signed = signed.filter_map(|key| by_signature.get(&key)).flatten();
            let mut best: Option<(bool, usize, usize, usize)> = None;
            for (cluster, database) in beside.chain(signed) {
                let signed = belongs(record, &self.records[*database]);
                let far = distance(self.folder(at), self.folder(*database));
                let named = far == 0 && stem(self.name(at)) == stem(self.name(*database));
                if !signed && !named {
                    continue;
                }
                let rank = (!signed, far, *cluster, *database);
                if best.is_none_or(|best| rank < best) {
                    best = Some(rank);
                }
            }
            let Some((_, _, cluster, database)) = best else {
                continue;
            };
            let cluster = &mut self.clusters[cluster];
            if streaming {
                cluster.streaming.push((at, database));
            } else {
                cluster.flush_maps.push((at, database));
            }
        }
    }

    /// A checkpoint that no log belongs to lies beside those of another stream with the same base name.
    fn stale_checkpoints(&mut self) {
        for number in 0..self.clusters.len() {
            let one = &self.clusters[number];
            let (true, true, [at, ..]) = (
                one.databases.is_empty(),
                one.logs.is_empty(),
                &one.checkpoints[..],
            ) else {
                continue;
            };
            let at = *at;
            let base = self.name(at).get(..crate::log::names::BASE_LEN);
            let target = base
                .and_then(|base| self.of_base(at, base))
                .filter(|target| *target != number);
            if let Some(target) = target {
                let stale = std::mem::take(&mut self.clusters[number]);
                self.clusters[target].others.extend(stale.checkpoints);
            }
        }
    }

    /// What only lies beside: reserve logs, patch files, undo files, damaged checkpoints, logs under other names. It goes
    /// to the group in its folder whose logs or databases have the beginning of its name, or that is the only one.
    fn rest(&mut self) {
        self.in_folder.clear();
        for (number, cluster) in self.clusters.iter().enumerate() {
            for member in cluster.members() {
                let here = self
                    .in_folder
                    .entry(self.records[member].folder_and_name().0);
                let here = here.or_default();
                if here.last() != Some(&number) {
                    here.push(number);
                }
            }
        }
        self.stale_checkpoints();
        for (at, record) in self.records.iter().enumerate() {
            let kinds = [
                Kind::ReserveLog,
                Kind::PatchFile,
                Kind::UndoFile,
                Kind::DamagedCheckpoint,
            ];
            let roles = [Role::ReserveLog, Role::PatchFile, Role::Checkpoint];
            let stray_log = record.kind.is_log() && log_name(record).is_none();
            let empty =
                !record.kind.is_ours() && record.named.is_some_and(|role| roles.contains(&role));
            let database = matches!(record.kind, Kind::Database | Kind::HeadlessDatabase);
            let aside = database.then(|| self.aside_of(at)).flatten();
            if !(kinds.contains(&record.kind) || stray_log || empty || aside.is_some()) {
                continue;
            }
            let name = self.name(at);
            let of_base = name
                .get(..crate::log::names::BASE_LEN)
                .and_then(|base| self.of_base(at, base));
            let of_stem = || {
                self.here(at).iter().copied().find(|cluster| {
                    let mut databases = self.clusters[*cluster].databases.iter();
                    databases.any(|database| {
                        let database = self.name(*database);
                        aside
                            .map_or_else(|| stem(database) == stem(name), |aside| database == aside)
                    })
                })
            };
            let only = || match self.here(at) {
                [one] => Some(*one),
                _ => None,
            };
            let Some(cluster) = of_base.or_else(of_stem).or_else(only) else {
                continue;
            };
            let checkpoint =
                record.kind == Kind::DamagedCheckpoint || record.named == Some(Role::Checkpoint);
            let cluster = &mut self.clusters[cluster];
            if checkpoint {
                cluster.checkpoints.push(at);
            } else {
                cluster.others.push(at);
            }
        }
    }
}

/// True when a streaming file or flush map carries the signature of a database. [format notes 11.2, 11.3]
fn belongs(record: &FileRecord, database: &FileRecord) -> bool {
    let Some(facts) = database.database() else {
        return false;
    };
    if let Some(map) = record.flush_map() {
        return map.sign_flush_map.is_some() && map.sign_flush_map == facts.sign_flush_map;
    }
    record.database().is_some_and(|streaming| {
        if facts.sign_streaming.is_some() || streaming.sign_streaming.is_some() {
            facts.sign_streaming == streaming.sign_streaming
        } else {
            facts.sign_db.is_some() && facts.sign_db == streaming.sign_db
        }
    })
}

/// A name without its extension, for comparing.
fn stem(name: &str) -> String {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    stem.to_ascii_lowercase()
}
