//! Transactions: their levels, what rolling back must undo, and the room on pages that is kept for that.

use std::collections::BTreeSet;

use super::nodes::apply_sum;
use super::{Content, DBID, Live, LiveError};
use crate::format::ids::{DbTime, Pgno};
use crate::format::logrec::{
    Begin, Commit, NodeHead, OperKind, PageHead, ProcId, RceId, Record, RecordKind, TrxId, Undo,
    UndoInfo,
};
use crate::format::page::{NodeFlags, PageFlags};

/// Transactions nest this deep.
const LEVELS: u8 = 7;

/// A session.
#[derive(Debug, Default)]
pub(super) struct Session {
    pub level: u8,
    pub trx: TrxId,
    /// Oldest first.
    pub versions: Vec<Version>,
    span: usize,
}

/// The records between which an outermost transaction lies.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    pub begin: usize,
    pub end: Option<usize>,
}

/// A change of a node that is not committed.
#[derive(Debug, Clone)]
pub(super) struct Version {
    pub rceid: RceId,
    pub level: u8,
    pub tree: usize,
    pub key: Vec<u8>,
    pub change: Change,
    /// What was there before is not in the log.
    pub needs_info: bool,
    /// Pages that must not reach the disk before the log has what was there before.
    pub pages: BTreeSet<Pgno>,
    pub effect: Option<Effect>,
}

/// What was done.
#[derive(Debug, Clone)]
pub(super) enum Change {
    Insert,
    Replace(Vec<u8>),
    FlagDelete,
    Sum { by: i64, offset: u16, wide: bool },
}

impl Change {
    const fn oper(&self) -> OperKind {
        match self {
            Self::Insert => OperKind::Insert,
            Self::Replace(_) => OperKind::Replace,
            Self::FlagDelete => OperKind::FlagDelete,
            Self::Sum { wide: false, .. } => OperKind::Delta,
            Self::Sum { wide: true, .. } => OperKind::Delta64,
        }
    }
}

/// What a committed change does to the content.
#[derive(Debug, Clone)]
pub(super) enum Effect {
    Put(usize, Vec<u8>, Vec<u8>),
    Remove(usize, Vec<u8>),
    Sum(usize, Vec<u8>, i64, u16, bool),
}

impl Effect {
    pub fn apply(&self, content: &mut [Content]) {
        match self {
            Self::Put(tree, key, data) => {
                if let Some(table) = content.get_mut(*tree) {
                    table.insert(key.clone(), data.clone());
                }
            }
            Self::Remove(tree, key) => {
                if let Some(table) = content.get_mut(*tree) {
                    table.remove(key);
                }
            }
            Self::Sum(tree, key, by, offset, wide) => {
                if let Some(data) = content.get_mut(*tree).and_then(|table| table.get_mut(key)) {
                    apply_sum(data, *by, *offset, *wide);
                }
            }
        }
    }
}

impl Live {
    /// Begins a transaction, or one inside another. False when there are too many.
    ///
    /// # Errors
    /// [`LiveError::Log`].
    pub fn begin(&mut self, procid: ProcId) -> Result<bool, LiveError> {
        let session = self.sessions.entry(procid).or_default();
        let from = session.level;
        if from == LEVELS {
            return Ok(false);
        }
        session.level += 1;
        if from == 0 {
            session.trx = TrxId(self.next_trx);
            session.span = self.spans.len();
            self.next_trx += 2;
        }
        let trx = (from == 0).then_some(session.trx);
        let begin = self.append(&Record::Begin(Begin {
            procid,
            from,
            levels: 1,
            trx,
            distributed: false,
        }))?;
        if from == 0 {
            self.spans.push(Span { begin, end: None });
        }
        Ok(true)
    }

    /// The session's transaction level.
    #[must_use]
    pub fn level(&self, procid: ProcId) -> u8 {
        self.sessions
            .get(&procid)
            .map_or(0, |session| session.level)
    }

    /// Commits the innermost transaction; nothing happens outside of one.
    ///
    /// # Errors
    /// [`LiveError::Log`].
    pub fn commit(&mut self, procid: ProcId) -> Result<(), LiveError> {
        let Some(to) = self.level(procid).checked_sub(1) else {
            return Ok(());
        };
        let trx = (to == 0).then_some(TrxId(self.next_trx));
        self.next_trx += 2;
        let number = self.append(&Record::Commit(Commit { procid, to, trx }))?;
        let session = self.sessions.entry(procid).or_default();
        session.level = to;
        for version in &mut session.versions {
            version.level = version.level.min(to);
        }
        if to == 0 {
            let versions = std::mem::take(&mut session.versions);
            // Without what was there before in the log, such a page may not be on disk before the commit is. [engine]
            for version in versions.iter().filter(|version| version.needs_info) {
                for pgno in &version.pages {
                    self.pages.wait_for(*pgno, number);
                }
            }
            let effects = versions.into_iter().filter_map(|version| version.effect);
            self.history.push((number, effects.collect()));
            self.end_span(procid, number);
        }
        Ok(())
    }

    fn end_span(&mut self, procid: ProcId, number: usize) {
        let span = self.sessions.get(&procid).map_or(0, |session| session.span);
        if let Some(span) = self.spans.get_mut(span) {
            span.end = Some(number);
        }
    }

    /// Rolls the innermost transaction back; nothing happens outside of one.
    ///
    /// # Errors
    /// [`LiveError`].
    pub fn rollback(&mut self, procid: ProcId) -> Result<(), LiveError> {
        let level = self.level(procid);
        if level == 0 {
            return Ok(());
        }
        while let Some(version) = self.newest(procid, level) {
            self.undo(procid, &version)?;
            // Only now: until then its room is kept.
            let session = self.sessions.entry(procid).or_default();
            session.versions.pop();
        }
        let number = self.append(&Record::Rollback(procid, 1))?;
        self.sessions.entry(procid).or_default().level = level - 1;
        if level == 1 {
            self.end_span(procid, number);
        }
        Ok(())
    }

    fn newest(&self, procid: ProcId, level: u8) -> Option<Version> {
        let version = self.sessions.get(&procid)?.versions.last()?;
        (version.level >= level).then(|| version.clone())
    }

    fn undo(&mut self, procid: ProcId, version: &Version) -> Result<(), LiveError> {
        let path = self.descend(version.tree, &version.key)?;
        let Some(node) = path.found else {
            return Err(LiveError::Contradiction("a node to be undone is gone"));
        };
        // The engine logs what was there before at the latest now. [engine]
        self.log_undo_info_of(procid, version.rceid, path.leaf)?;
        let after = self.next_dbtime();
        let place = (path.leaf, path.line);
        let mut head = self.node_head(RecordKind::UNDO, procid, version.tree, place, after)?;
        head.rceid = version.rceid;
        head.page.level = version.level;
        let number = self.append(&Record::Undo(
            head,
            Undo {
                oper: version.change.oper(),
                level: version.level,
                key: &version.key,
                bookmark_data: &[],
            },
        ))?;
        let mut page = self.pages.edit(path.leaf)?;
        match &version.change {
            Change::Insert => page.set_node_flags(path.line, node.flags | NodeFlags::DELETED),
            Change::FlagDelete => page.set_node_flags(path.line, node.flags & !NodeFlags::DELETED),
            Change::Replace(before) => page.replace_data(path.line, before)?,
            Change::Sum { by, offset, wide } => {
                if let Some(data) = page.node_data_mut(path.line) {
                    apply_sum(data, by.wrapping_neg(), *offset, *wide);
                }
            }
        }
        self.stamp(path.leaf, after, number, number)
    }

    /// The head of a record about a node of a tree, versioned and unique, at `(page, line)`.
    pub(super) fn node_head(
        &self,
        kind: RecordKind,
        procid: ProcId,
        tree: usize,
        (pgno, line): (Pgno, usize),
        after: DbTime,
    ) -> Result<NodeHead, LiveError> {
        let owner = self.tree(tree)?;
        let mut page = self.page_head(kind, procid, pgno, after)?;
        page.line = line as u16;
        page.flags = PageHead::FLAG_UNIQUE | PageHead::FLAG_VERSIONED;
        Ok(NodeHead {
            page,
            rceid: RceId(0),
            pgno_fdp: owner.root,
            objid: owner.objid,
        })
    }

    /// The head of a record about a page as it is now.
    pub(super) fn page_head(
        &self,
        kind: RecordKind,
        procid: ProcId,
        pgno: Pgno,
        after: DbTime,
    ) -> Result<PageHead, LiveError> {
        let session = self.sessions.get(&procid);
        let span = session.and_then(|session| self.spans.get(session.span));
        self.acting.set(span.map_or(usize::MAX, |span| span.begin));
        Ok(PageHead {
            kind,
            procid,
            dbid: DBID,
            pgno,
            after,
            before: self.pages.view(pgno)?.dbtime(),
            trx: session.map_or(TrxId(0), |session| session.trx),
            level: session.map_or(0, |session| session.level),
            line: 0,
            flags: PageHead::FLAG_UNIQUE,
        })
    }

    /// Records `first` to `last` changed a page, which gets their time.
    pub(super) fn stamp(
        &mut self,
        pgno: Pgno,
        after: DbTime,
        first: usize,
        last: usize,
    ) -> Result<(), LiveError> {
        let mut page = self.pages.edit(pgno)?;
        page.set_dbtime(after);
        let flags = page.view().flags().bits() & !PageFlags::SCRUBBED;
        page.set_flags(PageFlags::new(flags));
        // Recovery must see the transaction begin, or it takes the change for done.
        let first = first.min(self.acting.get());
        self.pages.changed(pgno, first, last);
        Ok(())
    }

    /// True when the session may not change the node now. Sums of several sessions go together.
    pub(super) fn is_locked(&self, procid: ProcId, tree: usize, key: &[u8], sum: bool) -> bool {
        let others = self.sessions.iter().filter(|(other, _)| **other != procid);
        others.into_iter().any(|(_, session)| {
            session.versions.iter().any(|version| {
                let goes_together = sum && matches!(version.change, Change::Sum { .. });
                version.tree == tree && version.key == key && !goes_together
            })
        })
    }

    /// Bytes that rolling back may need for a node whose data have `len` bytes.
    pub(super) fn reserve(&self, tree: usize, key: &[u8], len: usize) -> usize {
        let versions = self.sessions.values().flat_map(|session| &session.versions);
        let befores = versions.filter_map(|version| match &version.change {
            Change::Replace(before) if version.tree == tree && version.key == key => {
                Some(before.len())
            }
            _ => None,
        });
        befores.max().unwrap_or(0).saturating_sub(len)
    }

    /// Bytes that rolling back may need on a page.
    pub(super) fn reserve_of_page(&self, tree: usize, pgno: Pgno) -> Result<usize, LiveError> {
        let keys: BTreeSet<&[u8]> = self
            .sessions
            .values()
            .flat_map(|session| &session.versions)
            .filter(|version| version.tree == tree && matches!(version.change, Change::Replace(_)))
            .map(|version| &version.key[..])
            .collect();
        let mut bytes = 0;
        for node in self.pages.view(pgno)?.nodes().flatten() {
            let key = node.key();
            if keys.contains(&key[..]) {
                bytes += self.reserve(tree, &key, node.data.len());
            }
        }
        Ok(bytes)
    }

    /// Logs what changes on a page that are not committed replaced, so that the page may reach the disk. Gives back
    /// the last record.
    pub(super) fn log_undo_info(&mut self, pgno: Pgno) -> Result<Option<usize>, LiveError> {
        let mut wanted = Vec::new();
        for (procid, session) in &mut self.sessions {
            for version in &mut session.versions {
                if version.needs_info && version.pages.contains(&pgno) {
                    version.needs_info = false;
                    wanted.push((*procid, version.clone()));
                }
            }
        }
        let mut last = None;
        for (procid, version) in wanted {
            last = Some(self.append_undo_info(procid, &version, pgno)?);
        }
        Ok(last)
    }

    /// Logs what one change replaced, if it is not in the log.
    fn log_undo_info_of(
        &mut self,
        procid: ProcId,
        rceid: RceId,
        pgno: Pgno,
    ) -> Result<(), LiveError> {
        let session = self.sessions.entry(procid).or_default();
        let pending = |version: &&mut Version| version.rceid == rceid && version.needs_info;
        let Some(version) = session.versions.iter_mut().find(pending) else {
            return Ok(());
        };
        version.needs_info = false;
        let version = version.clone();
        self.append_undo_info(procid, &version, pgno)?;
        Ok(())
    }

    fn append_undo_info(
        &mut self,
        procid: ProcId,
        version: &Version,
        pgno: Pgno,
    ) -> Result<usize, LiveError> {
        let none = DbTime::new(u64::MAX);
        let place = (pgno, 0);
        let kind = RecordKind::UNDO_INFO;
        let mut head = self.node_head(kind, procid, version.tree, place, none)?;
        head.page.before = none;
        head.page.level = version.level;
        head.rceid = version.rceid;
        let before = match &version.change {
            Change::Replace(before) => &before[..],
            _ => &[],
        };
        self.append(&Record::UndoInfo(
            head,
            UndoInfo {
                oper: version.change.oper(),
                max_size: before.len() as i16,
                delta: 0,
                key: &version.key,
                bookmark_data: &[],
                before,
            },
        ))
    }

    /// Nodes of a tree are on `to` now.
    pub(super) fn versions_moved(&mut self, tree: usize, to: Pgno) -> Result<(), LiveError> {
        let page = self.pages.view(to)?;
        let keys: BTreeSet<Vec<u8>> = page.nodes().flatten().map(|node| node.key()).collect();
        for session in self.sessions.values_mut() {
            for version in &mut session.versions {
                if version.tree == tree && keys.contains(&version.key) {
                    version.pages.insert(to);
                }
            }
        }
        Ok(())
    }

    /// True when some transaction has changed the node and is not committed.
    pub(super) fn has_versions(&self, tree: usize, key: &[u8]) -> bool {
        let mut versions = self.sessions.values().flat_map(|session| &session.versions);
        versions.any(|version| version.tree == tree && version.key == key)
    }

    pub(super) const fn next_rceid(&mut self) -> RceId {
        let rceid = RceId(self.next_rceid);
        self.next_rceid = self.next_rceid.wrapping_add(2);
        rceid
    }

    pub(super) fn add_version(
        &mut self,
        procid: ProcId,
        (rceid, tree, key): (RceId, usize, &[u8]),
        change: Change,
        pages: &[Pgno],
        effect: Option<Effect>,
    ) {
        let session = self.sessions.entry(procid).or_default();
        session.versions.push(Version {
            rceid,
            level: session.level,
            tree,
            key: key.to_vec(),
            needs_info: matches!(change, Change::Replace(_) | Change::FlagDelete),
            change,
            pages: pages.iter().copied().collect(),
            effect,
        });
    }
}
