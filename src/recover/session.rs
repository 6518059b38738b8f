//! The sessions of the engine that wrote the log, as far as a replay needs them: transaction levels, groups of
//! changes that are still open, and what must be undone if a transaction never commits. [log notes 8 and 10.1]

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};

use crate::format::ids::{DbTime, Objid, Pgno};
use crate::format::logrec::{DbId, OperKind, ProcId, RceId, TrxId};
use crate::format::stamp::Lgpos;

/// Transactions nest this deep.
pub const LEVELS: u8 = 7;

/// The change of a node that rolling back undoes.
#[derive(Debug, Clone)]
pub struct Version {
    /// Its id.
    pub rceid: RceId,
    /// Level of the transaction.
    pub level: u8,
    /// The database.
    pub dbid: DbId,
    /// Root of the tree.
    pub pgno_fdp: Pgno,
    /// The tree.
    pub objid: Objid,
    /// Its keys are unique.
    pub unique: bool,
    /// Key of the node.
    pub key: Box<[u8]>,
    /// Data that belong to the bookmark in trees of non-unique keys.
    pub bookmark_data: Box<[u8]>,
    /// What was done.
    pub change: Change,
    /// Flags of the record.
    pub flags: u8,
    /// The largest size that the node's data had in the transaction, as an UndoInfo says it.
    pub max_size: i16,
    /// What was there before is not in the log yet: it came from the page.
    pub needs_info: bool,
    /// The page that the record names; the node may have moved since.
    pub pgno: Pgno,
    /// Where the record stands.
    pub at: Lgpos,
}

/// What was done to a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It came, or came back.
    Insert,
    /// Its data were others before.
    Replace(Box<[u8]>),
    /// It was flagged deleted.
    FlagDelete,
    /// A number at this offset was raised.
    Delta {
        /// By this.
        by: i64,
        /// Offset in the data.
        offset: u16,
        /// It has 64 bits.
        wide: bool,
    },
}

impl Change {
    /// The number that records call it by.
    #[must_use]
    pub const fn oper(&self) -> OperKind {
        match self {
            Self::Insert => OperKind::Insert,
            Self::Replace(_) => OperKind::Replace,
            Self::FlagDelete => OperKind::FlagDelete,
            Self::Delta { wide: false, .. } => OperKind::Delta,
            Self::Delta { wide: true, .. } => OperKind::Delta64,
        }
    }
}

/// A group of changes that is done whole or not at all.
#[derive(Debug, Default)]
pub struct Group {
    /// The bytes of its records, one behind the other.
    bytes: Vec<u8>,
    /// Position and end of each.
    ends: Vec<(Lgpos, usize)>,
}

impl Group {
    /// Keeps a record.
    pub fn push(&mut self, at: Lgpos, record: &[u8]) {
        self.bytes.extend_from_slice(record);
        self.ends.push((at, self.bytes.len()));
    }

    /// The records in order.
    pub fn records(&self) -> impl Iterator<Item = (Lgpos, &[u8])> {
        let starts = std::iter::once(0).chain(self.ends.iter().map(|(_, end)| *end));
        starts
            .zip(&self.ends)
            .map(|(start, (at, end))| (*at, &self.bytes[start..*end]))
    }
}

/// One session.
#[derive(Debug, Default)]
pub struct Session {
    /// Its transaction level.
    pub level: u8,
    /// Its transaction.
    pub trx: TrxId,
    /// An outermost transaction was seen to begin: what came before is in the databases.
    pub seen_begin: bool,
    /// Open groups by their time.
    pub groups: BTreeMap<DbTime, Group>,
    /// What must be undone, in the order of levels, then ids.
    pub versions: Vec<Version>,
    /// Changes that were in the page already and whose former content an UndoInfo must bring: database and page.
    pub deferred: HashMap<RceId, (DbId, Pgno)>,
    /// Its transaction is prepared for a distributed commit.
    pub prepared: bool,
    /// How many of the versions have a former content that is not in the log.
    unlogged: usize,
}

impl Session {
    /// True when pages must not be written as they are: should the transaction be rolled back by a later run, that one
    /// would not know what there was before.
    #[must_use]
    pub const fn is_unlogged(&self) -> bool {
        self.unlogged > 0
    }

    /// Nothing is to be undone any more.
    pub fn forget(&mut self) {
        self.versions.clear();
        self.deferred.clear();
        self.unlogged = 0;
    }

    /// The transaction is merged into the one at level `to`; at level 0 it is committed.
    pub fn commit(&mut self, to: u8) {
        self.level = to;
        if to == 0 {
            self.forget();
            self.prepared = false;
            return;
        }
        // Those of deeper levels stand last: the others need not be looked at, however many they are.
        for version in self.versions.iter_mut().rev() {
            if version.level <= to {
                break;
            }
            version.level = to;
        }
    }

    /// `levels` levels were rolled back; their changes were undone by records of their own.
    pub fn rollback(&mut self, levels: u8) {
        self.level = self.level.saturating_sub(levels);
        let level = self.level;
        let kept = self
            .versions
            .partition_point(|version| version.level <= level);
        let gone = self.versions.drain(kept..);
        self.unlogged -= gone.filter(|version| version.needs_info).count();
        if level == 0 {
            self.deferred.clear();
            self.prepared = false;
        }
    }

    /// Takes out the version that an Undo names.
    pub fn take_version(&mut self, rceid: RceId) -> Option<Version> {
        let place = self.place_of(rceid)?;
        let version = self.versions.remove(place);
        self.unlogged -= usize::from(version.needs_info);
        Some(version)
    }

    /// Adds a version unless it is known already. They are kept in the order of levels and ids, which is that of the
    /// changes: an UndoInfo may come long after its change. \[engine\]
    pub fn add_version(&mut self, version: Version) {
        let comes_after = |before: &Version| {
            (before.level, order(before.rceid, version.rceid)) < (version.level, Ordering::Equal)
        };
        if self.versions.last().is_none_or(comes_after) {
            self.unlogged += usize::from(version.needs_info);
            self.versions.push(version);
            return;
        }
        let known = self.place_of(version.rceid);
        if let Some(place) = known
            && self.versions[place].level >= version.level
        {
            // What comes from an UndoInfo is in the log.
            let known = &mut self.versions[place];
            if known.needs_info && !version.needs_info {
                known.needs_info = false;
                self.unlogged -= 1;
            }
            return;
        }
        self.unlogged += usize::from(version.needs_info);
        let place = self.versions.partition_point(comes_after);
        self.versions.insert(place, version);
    }

    /// The page has a change already; an UndoInfo must tell what was there before, should the change be undone.
    pub fn defer(&mut self, rceid: RceId, dbid: DbId, pgno: Pgno) {
        if self.place_of(rceid).is_none() {
            self.deferred.insert(rceid, (dbid, pgno));
        }
    }

    /// Takes out the places of changes whose former content is not known, oldest first.
    pub fn take_deferred(&mut self) -> Vec<(DbId, Pgno)> {
        let mut all: Vec<_> = std::mem::take(&mut self.deferred).into_iter().collect();
        // In the order of `order` as far as the ids of one run go; of any others, an order all the same.
        let base = all.first().map_or(0, |(rceid, _)| rceid.0);
        let middle = 1 << 31;
        all.sort_unstable_by_key(|(rceid, _)| rceid.0.wrapping_sub(base).wrapping_add(middle));
        all.into_iter().map(|(_, place)| place).collect()
    }

    /// Finds a version, on the deepest level that has one with this id. In each level they are in order.
    fn place_of(&self, rceid: RceId) -> Option<usize> {
        let mut end = self.versions.len();
        while let Some(last) = end.checked_sub(1) {
            let level = self.versions[last].level;
            let start = self.versions[..end].partition_point(|version| version.level < level);
            let place = start
                + self.versions[start..end]
                    .partition_point(|version| order(version.rceid, rceid).is_lt());
            if self.versions[..end]
                .get(place)
                .is_some_and(|version| version.rceid == rceid)
            {
                return Some(place);
            }
            end = start;
        }
        None
    }
}

/// Ids begin near the highest number and go on from zero.
fn order(a: RceId, b: RceId) -> Ordering {
    a.0.wrapping_sub(b.0).cast_signed().cmp(&0)
}

/// All sessions, in the order in which they are rolled back.
pub type Sessions = BTreeMap<ProcId, Session>;

#[cfg(test)]
mod tests {
    use super::{Change, Session, Version};
    use crate::format::ids::{Objid, Pgno};
    use crate::format::logrec::{DbId, RceId};
    use crate::format::stamp::Lgpos;

    fn version(rceid: u32, level: u8) -> Version {
        Version {
            rceid: RceId(rceid),
            level,
            dbid: DbId(1),
            pgno_fdp: Pgno::new(1),
            objid: Objid::new(1),
            unique: true,
            key: Box::default(),
            bookmark_data: Box::default(),
            change: Change::Insert,
            flags: 0,
            max_size: 0,
            needs_info: false,
            pgno: Pgno::new(1),
            at: Lgpos::default(),
        }
    }

    fn ids(session: &Session) -> Vec<u32> {
        session
            .versions
            .iter()
            .map(|version| version.rceid.0)
            .collect()
    }

    #[test]
    fn versions_stand_in_the_order_of_the_changes() {
        let mut session = Session {
            level: 2,
            ..Session::default()
        };
        for (rceid, level) in [
            (0xFFFF_FFFD, 1),
            (3, 1),
            (0xFFFF_FFFF, 1),
            (5, 2),
            (1, 1),
            (3, 1),
        ] {
            session.add_version(version(rceid, level));
        }
        assert_eq!(ids(&session), [0xFFFF_FFFD, 0xFFFF_FFFF, 1, 3, 5]);
        session.rollback(1);
        assert_eq!(ids(&session), [0xFFFF_FFFD, 0xFFFF_FFFF, 1, 3]);
        assert!(session.take_version(RceId(1)).is_some());
        session.commit(0);
        assert!(ids(&session).is_empty());
    }

    /// A long transaction is searched by halves: every place must be found, on every level.
    #[test]
    fn versions_are_found_wherever_they_stand() {
        let mut session = Session {
            level: 3,
            ..Session::default()
        };
        for (rceid, level) in [(1, 1), (5, 1), (9, 1), (11, 2), (13, 2), (15, 3), (21, 3)] {
            session.add_version(version(rceid, level));
        }
        for known in [1, 5, 9, 11, 13, 15, 21] {
            session.defer(RceId(known), DbId(1), Pgno::new(1));
        }
        assert!(session.deferred.is_empty());
        for unknown in [0xFFFF_FFF0, 3, 10, 12, 14, 30] {
            session.defer(RceId(unknown), DbId(1), Pgno::new(unknown & 0xFF));
        }
        let pages = session.take_deferred().into_iter();
        let pages: Vec<u32> = pages.map(|(_, pgno)| pgno.get()).collect();
        assert_eq!(pages, [0xF0, 3, 10, 12, 14, 30]);
        assert_eq!(
            session.take_version(RceId(5)).map(|it| it.rceid),
            Some(RceId(5))
        );
        assert!(session.take_version(RceId(12)).is_none());
        session.commit(2);
        let levels: Vec<u8> = session.versions.iter().map(|it| it.level).collect();
        assert_eq!(levels, [1, 1, 2, 2, 2, 2]);
        session.rollback(1);
        assert_eq!(ids(&session), [1, 9]);
    }

    /// Ids all around the circle have no order of their own; sorting them must not mind.
    #[test]
    fn ids_of_any_kind_are_taken_out() {
        let mut session = Session::default();
        for number in 0..64u32 {
            let rceid = number.wrapping_mul(0x4567_89AB);
            session.defer(RceId(rceid), DbId(1), Pgno::new(number));
        }
        assert_eq!(session.take_deferred().len(), 64);
    }

    #[test]
    fn a_nested_commit_hands_its_changes_up() {
        let mut session = Session {
            level: 2,
            ..Session::default()
        };
        session.add_version(version(1, 1));
        session.add_version(version(3, 2));
        session.commit(1);
        session.rollback(1);
        assert!(ids(&session).is_empty() && session.level == 0);
    }

    #[test]
    fn a_former_content_that_is_not_in_the_log_is_known() {
        let unlogged = |rceid, level| Version {
            needs_info: true,
            ..version(rceid, level)
        };
        let mut session = Session {
            level: 2,
            ..Session::default()
        };
        session.add_version(version(1, 1));
        assert!(!session.is_unlogged());
        session.add_version(unlogged(3, 1));
        session.add_version(unlogged(3, 1));
        session.add_version(unlogged(5, 2));
        session.rollback(1);
        assert!(session.is_unlogged());
        // An UndoInfo brings it.
        session.add_version(version(3, 1));
        assert!(!session.is_unlogged());
        session.add_version(unlogged(7, 1));
        assert!(session.take_version(RceId(7)).is_some());
        assert!(!session.is_unlogged());
        session.add_version(unlogged(9, 1));
        session.commit(0);
        assert!(!session.is_unlogged());
    }
}
