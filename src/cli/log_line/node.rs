//! Changes of nodes.

use super::{Line, Words};
use crate::format::logrec::{
    Delta, DiffChange, NodeHead, Record, RecordKind, Replace, diff_pieces,
};

impl Line<'_> {
    /// A change of a node; false for other records.
    pub(super) fn node(&mut self, kind: RecordKind, record: &Record<'_>) -> bool {
        match record {
            Record::Insert(head, prefix, suffix, data) => {
                self.place(head);
                self.put(format_args!(
                    ",{},{},{}",
                    prefix.len(),
                    suffix.len(),
                    data.len()
                ));
                self.owner(head);
                self.data(&[prefix, suffix, data]);
            }
            Record::FlagInsert(head, ..) => {
                self.place(head);
                self.owner(head);
            }
            Record::FlagInsertAndReplaceData(head, key, data, rceid) => {
                self.short_place(head);
                self.put(format_args!(
                    ",{:5},rceidInsert:{},rceidReplace:{},objid:[{}:{}])",
                    key.len() + data.len(),
                    head.rceid.0,
                    rceid.0,
                    head.page.dbid.0,
                    head.objid
                ));
                self.data(&[key, data]);
            }
            Record::FlagDelete(head) => {
                self.short_place(head);
                self.put(format_args!(
                    "),rceid:{},objid:[{}:{}]",
                    head.rceid.0, head.page.dbid.0, head.objid
                ));
            }
            Record::Replace(head, replace) => self.replace(kind, head, replace),
            Record::Delete(head) => {
                let words = self.line_of(head);
                self.put(format_args!(
                    "{}:{}:{},objid:[{}:{}])",
                    words.unique(),
                    words.space(),
                    words.system(),
                    head.page.dbid.0,
                    head.objid
                ));
            }
            Record::UndoInfo(head, undo) => {
                let page = &head.page;
                let words = Words(page.flags);
                self.put(format_args!(
                    " {:x}:{}({:x},[{}:{}],{}:{},{},{},{}",
                    page.trx.0,
                    page.level,
                    page.procid.0,
                    page.dbid.0,
                    page.pgno,
                    words.unique(),
                    words.system(),
                    undo.key.len(),
                    undo.bookmark_data.len(),
                    undo.before.len()
                ));
                self.owner(head);
                self.data(&[undo.key, undo.bookmark_data, undo.before]);
            }
            Record::Delta(head, delta) => self.delta(head, delta),
            Record::SetExternalHeader(head, data) => {
                self.page_of(head);
                self.put(format_args!(",{:5})", data.len()));
                self.data(&[data]);
            }
            Record::Undo(head, undo) => {
                let words = self.line_of(head);
                self.put(format_args!(
                    "{}:{},{},{},rceid:{})",
                    words.unique(),
                    words.system(),
                    head.page.level,
                    undo.oper.get(),
                    head.rceid.0
                ));
            }
            Record::Scrub(head, scrub) => {
                self.page_of(head);
                let used = ["used page", "unused page"][usize::from(scrub.flags & 1 != 0)];
                self.put(format_args!(
                    ",{used},{},{:5})",
                    scrub.count,
                    scrub.opers.len()
                ));
                self.data(&[scrub.opers]);
            }
            _ => return false,
        }
        true
    }

    /// Up to the line's closing bracket and the comma behind it.
    fn line_of(&mut self, head: &NodeHead) -> Words {
        let page = &head.page;
        self.start(page);
        self.put(format_args!(
            "[{}:{}:{}],",
            page.dbid.0, page.pgno, page.line
        ));
        Words(page.flags)
    }

    /// The page without a line, and three flags.
    fn page_of(&mut self, head: &NodeHead) {
        let page = &head.page;
        let words = Words(page.flags);
        self.start(page);
        self.put(format_args!(
            "[{}:{}],{}:{}:{}",
            page.dbid.0,
            page.pgno,
            words.unique(),
            words.space(),
            words.system()
        ));
    }

    /// All six flags.
    fn place(&mut self, head: &NodeHead) {
        let words = self.line_of(head);
        self.put(format_args!(
            "{}:{}:{}:{}:{}:{}",
            words.unique(),
            words.versioned(),
            words.deleted(),
            words.space(),
            words.system(),
            words.concurrent()
        ));
    }

    /// Without the flag for deleted nodes.
    fn short_place(&mut self, head: &NodeHead) {
        let words = self.line_of(head);
        self.put(format_args!(
            "{}:{}:{}:{}:{}",
            words.unique(),
            words.versioned(),
            words.space(),
            words.system(),
            words.concurrent()
        ));
    }

    fn owner(&mut self, head: &NodeHead) {
        self.put(format_args!(
            ",rceid:{},objid:[{}:{}])",
            head.rceid.0, head.page.dbid.0, head.objid
        ));
    }

    fn delta(&mut self, head: &NodeHead, delta: &Delta<'_>) {
        let words = self.line_of(head);
        self.put(format_args!(
            "{}:{}:{}:{},{},offset:{}",
            words.unique(),
            words.versioned(),
            words.system(),
            words.concurrent(),
            delta.delta,
            delta.offset
        ));
        self.owner(head);
    }

    fn replace(&mut self, kind: RecordKind, head: &NodeHead, replace: &Replace<'_>) {
        self.short_place(head);
        self.put(format_args!(
            ",{:5},{:5},{:5}",
            replace.data.len(),
            replace.new_len,
            replace.old_len
        ));
        self.owner(head);
        match replace.diff {
            None => self.data(&[replace.data]),
            Some(wide) => self.pieces(kind, head, replace.data, wide),
        }
    }

    /// A line for each step of a difference.
    fn pieces(&mut self, kind: RecordKind, head: &NodeHead, diff: &[u8], wide: bool) {
        debug_assert_eq!(kind, RecordKind::REPLACE_D);
        for piece in diff_pieces(diff, wide) {
            self.put(format_args!("\n{:20}ReplDiff ", ""));
            self.start(&head.page);
            let page = &head.page;
            self.put(format_args!(
                "[{}:{}:{}],objid:[{}:{}],",
                page.dbid.0, page.pgno, page.line, page.dbid.0, head.objid
            ));
            let Ok(piece) = piece else {
                self.out.push_str("[ damaged ])");
                return;
            };
            let width = if piece.long { "2B" } else { "1B" };
            let count = piece.new.len();
            self.put(format_args!("[ Offs:{} {width} ", piece.offset));
            match piece.change {
                DiffChange::Insert => self.put(format_args!("InsertWithValue ({count}): ")),
                DiffChange::SameLength => {
                    self.put(format_args!("ReplaceWithSameLength ({count}): "));
                }
                DiffChange::Replace(old) => {
                    self.put(format_args!("ReplaceWithNewValue ({old}=>{count}): "));
                }
            }
            self.data(&[piece.new]);
            self.out.push_str("])");
        }
    }
}
