//! Two checks of what the records of a stream say together; no sound log fails them. [log notes 13: 298,034 and
//! 1,084 cases without one exception]
//!
//! Every change of a page names the time that the page had before: it must be the one that the last change before it
//! left. And a group of page changes that takes effect must hold some. Memory: 24 bytes a page that the logs change, for
//! at most four million pages; pages beyond are not checked.

use std::collections::{BTreeMap, HashMap};

use crate::format::ids::{DbTime, Pgno};
use crate::format::logrec::{DbId, EmptyTreeEntry, MacroStep, PageHead, ProcId, Record};
use crate::format::stamp::Lgpos;
use crate::problem::{Finding, Place, Problem};

/// Pages whose times are kept.
const PAGES: usize = 4 << 20;
/// Pages of a group whose times before are kept; a real group changes less than a hundred.
const GROUP_PAGES: usize = 10_000;
/// Findings that are kept; more say nothing new.
const FINDINGS: usize = 1000;

/// A group that has not taken effect.
#[derive(Debug, Default)]
struct Group {
    /// Its records.
    members: u32,
    /// Pages that it changes, with their times before: a crash may drop it.
    before: Vec<((DbId, Pgno), Option<DbTime>)>,
}

/// The state of the checks; records come in the order of the stream.
#[derive(Debug, Default)]
pub struct StreamCheck {
    times: HashMap<(DbId, Pgno), DbTime>,
    /// The open group of each session.
    groups: BTreeMap<ProcId, Group>,
    findings: Vec<Finding>,
    at: Lgpos,
}

impl StreamCheck {
    /// The logs have a gap: nothing is known of any page.
    pub fn gap(&mut self) {
        self.times.clear();
        self.groups.clear();
    }

    /// What was found since the last call.
    pub fn take_findings(&mut self) -> Vec<Finding> {
        std::mem::take(&mut self.findings)
    }

    /// The next record.
    pub fn record(&mut self, at: Lgpos, record: &Record<'_>) {
        self.at = at;
        match record {
            Record::Macro(procid, _, step) => self.group(*procid, *step),
            Record::CreateDb(create) => self.times.retain(|(dbid, _), _| *dbid != create.dbid),
            // What the crash before left open never took effect.
            Record::Init(_) | Record::RecoveryUndo(_) => self.drop_all(),
            Record::Split(head, split) => {
                self.member(head.procid);
                self.change(head);
                self.start(head, split.new);
                self.other(head, split.right, split.right_before);
                self.other(head, split.parent, split.parent_before);
            }
            Record::Merge(head, merge) => {
                self.member(head.procid);
                self.change(head);
                self.other(head, merge.right, merge.right_before);
                self.other(head, merge.left, merge.left_before);
                self.other(head, merge.parent, merge.parent_before);
            }
            Record::PageMove(head, moved) => {
                self.member(head.procid);
                self.change(head);
                self.start(head, moved.dest);
                self.other(head, moved.right, moved.right_before);
                self.other(head, moved.left, moved.left_before);
                self.other(head, moved.parent, moved.parent_before);
            }
            Record::CreateFdp(head, trees) => {
                self.member(head.procid);
                self.start(head, head.pgno);
                self.start(head, trees.oe);
                self.start(head, trees.ae);
            }
            Record::ConvertFdp(head, trees) => {
                self.member(head.procid);
                self.change(head);
                self.start(head, trees.oe);
                self.start(head, trees.ae);
            }
            Record::EmptyTree(head, list) => {
                let head = &head.page;
                self.member(head.procid);
                self.change(head);
                for entry in EmptyTreeEntry::all(list) {
                    self.other(head, entry.pgno, entry.before);
                }
            }
            Record::NewPage(new) => {
                self.member(new.procid);
                self.know(new.procid, new.dbid, new.pgno, new.after);
            }
            Record::Insert(head, ..)
            | Record::FlagInsert(head, ..)
            | Record::FlagInsertAndReplaceData(head, ..)
            | Record::FlagDelete(head)
            | Record::Replace(head, _)
            | Record::Delete(head)
            | Record::Delta(head, _)
            | Record::SetExternalHeader(head, _)
            | Record::Undo(head, _)
            | Record::Scrub(head, _) => {
                self.member(head.page.procid);
                self.change(&head.page);
            }
            _ => {}
        }
    }

    fn group(&mut self, procid: ProcId, step: MacroStep) {
        let group = self.groups.remove(&procid);
        match (step, group) {
            (MacroStep::Begin, _) => {
                self.groups.insert(procid, Group::default());
            }
            (MacroStep::Commit, Some(Group { members: 0, .. })) => {
                self.find(Problem::LogEmptyMacro, None, "");
            }
            (MacroStep::Abort, Some(group)) => self.drop_group(group),
            (MacroStep::Commit | MacroStep::Abort, _) => {}
        }
    }

    fn drop_group(&mut self, group: Group) {
        for (page, before) in group.before.into_iter().rev() {
            match before {
                Some(before) => self.times.insert(page, before),
                None => self.times.remove(&page),
            };
        }
    }

    fn drop_all(&mut self) {
        for group in std::mem::take(&mut self.groups).into_values() {
            self.drop_group(group);
        }
    }

    fn member(&mut self, procid: ProcId) {
        if let Some(group) = self.groups.get_mut(&procid) {
            group.members = group.members.saturating_add(1);
        }
    }

    /// The page that the record's head names.
    fn change(&mut self, head: &PageHead) {
        self.other(head, head.pgno, head.before);
    }

    /// A page that the record makes.
    fn start(&mut self, head: &PageHead, pgno: Pgno) {
        self.know(head.procid, head.dbid, pgno, head.after);
    }

    /// A page that the record changes, with its time before.
    fn other(&mut self, head: &PageHead, pgno: Pgno, before: DbTime) {
        // All ones: the record does not say; a Split or Merge of the same group does.
        if pgno.is_null() || before.get() == u64::MAX || head.after.get() == u64::MAX {
            return;
        }
        let known = self.times.get(&(head.dbid, pgno)).copied();
        // Several records of a group may name one page, each with the time that it had before the group.
        if let Some(known) = known.filter(|known| *known != before && *known != head.after) {
            let detail = format!(
                "it was {:#x}, the record says {:#x}",
                known.get(),
                before.get()
            );
            self.find(Problem::LogPageTimes, Some(pgno), &detail);
        }
        self.know(head.procid, head.dbid, pgno, head.after);
    }

    fn know(&mut self, procid: ProcId, dbid: DbId, pgno: Pgno, after: DbTime) {
        let page = (dbid, pgno);
        if pgno.is_null() || (self.times.len() >= PAGES && !self.times.contains_key(&page)) {
            return;
        }
        let before = self.times.insert(page, after);
        if let Some(group) = self.groups.get_mut(&procid)
            && group.before.len() < GROUP_PAGES
        {
            group.before.push((page, before));
        }
    }

    fn find(&mut self, problem: Problem, page: Option<Pgno>, detail: &str) {
        if self.findings.len() < FINDINGS {
            let place = Place {
                lgpos: Some(self.at),
                page,
                ..Place::default()
            };
            self.findings
                .push(Finding::new(problem, place).with_detail(detail));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::StreamCheck;
    use crate::format::logrec::Record;
    use crate::format::stamp::Lgpos;

    fn delete(before: u64, after: u64) -> Vec<u8> {
        let mut bytes = vec![0; 44];
        bytes[0] = 35;
        (bytes[3], bytes[4]) = (1, 9);
        bytes[8..16].copy_from_slice(&after.to_le_bytes());
        bytes[16..24].copy_from_slice(&before.to_le_bytes());
        bytes
    }

    fn codes(records: &[Vec<u8>]) -> Vec<&'static str> {
        let mut check = StreamCheck::default();
        for bytes in records {
            check.record(Lgpos::default(), &Record::parse(bytes).unwrap());
        }
        let found = check.take_findings();
        found.iter().map(|it| it.problem.info().code).collect()
    }

    #[test]
    fn times_form_a_chain() {
        assert!(codes(&[delete(5, 6), delete(6, 8), delete(8, 9)]).is_empty());
        assert!(codes(&[delete(5, 6), delete(u64::MAX, u64::MAX), delete(6, 9)]).is_empty());
        assert_eq!(codes(&[delete(5, 6), delete(7, 8)]), ["L013"]);
    }

    #[test]
    fn a_group_holds_something() {
        let macro_record = |kind| {
            let mut bytes = vec![0; 11];
            bytes[0] = kind;
            bytes
        };
        let (begin, commit) = (macro_record(11), macro_record(12));
        assert!(codes(&[begin.clone(), delete(5, 6), commit.clone()]).is_empty());
        // Its beginning lies in a log that is not there.
        assert!(codes(std::slice::from_ref(&commit)).is_empty());
        assert_eq!(codes(&[begin, commit]), ["L014"]);
    }
}
