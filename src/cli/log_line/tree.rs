//! Changes of the shape of trees, and of the space of the file.

use super::{Line, Words};
use crate::format::ids::{DbTime, Pgno};
use crate::format::logrec::{
    DbId, Merge, NodeHead, PageHead, PageImage, PageMove, Record, RecordKind, ResizeKind,
    SpaceTrees, Split,
};

/// Pages of an extent that a line names, the first not counted.
const NAMED: u32 = 32;

/// A time that means something only when there is a page.
fn time_of(pgno: Pgno, time: DbTime) -> u64 {
    if pgno.is_null() { 0 } else { time.get() }
}

/// Length of an image, then how it was shortened.
fn image(image: Option<&PageImage<'_>>) -> (usize, &'static str, &'static str) {
    image.map_or((0, "", ""), |image| {
        (
            image.bytes.len(),
            if image.dehydrated { "D" } else { "" },
            if image.compressed { "X" } else { "" },
        )
    })
}

impl Line<'_> {
    /// A change of trees or space; false for other records.
    pub(super) fn tree(&mut self, kind: RecordKind, record: &Record<'_>) -> bool {
        match record {
            Record::Split(head, split) => self.split(head, split),
            Record::Merge(head, merge) => self.merge(head, merge),
            Record::CreateFdp(head, trees) => self.create(kind, head, trees),
            Record::ConvertFdp(head, trees) => self.convert(head, trees),
            Record::PageMove(head, moved) => self.page_move(head, moved),
            Record::RootPageMove(moved) => self.put(format_args!(
                " {:x},({:x},objid:[{}:{}])",
                moved.dbtime.get(),
                moved.procid.0,
                moved.dbid.0,
                moved.objid
            )),
            Record::EmptyTree(head, list) => self.empty_tree(head, list),
            Record::NewPage(new) => self.put(format_args!(
                " {:x},({:x},page:[{}:{}],objid:[{}:{}])",
                new.after.get(),
                new.procid.0,
                new.dbid.0,
                new.pgno,
                new.dbid.0,
                new.objid
            )),
            Record::Resize(dbid, pgno, what) => self.resize(*dbid, *pgno, *what),
            Record::ExtentFreed(freed) => {
                self.put(format_args!(
                    " {:x} [{}:{}+{}],[{}{}] (",
                    freed.after.map_or(u64::MAX, DbTime::get),
                    freed.dbid.0,
                    freed.first,
                    freed.pages.cast_signed(),
                    if freed.flags & 1 != 0 { "R" } else { "" },
                    if freed.flags & 2 != 0 { "E" } else { "" }
                ));
                self.extent(freed.dbid, freed.first, freed.pages);
            }
            _ => return false,
        }
        true
    }

    fn split(&mut self, head: &PageHead, split: &Split<'_>) {
        let dbid = head.dbid.0;
        if split.new.is_null() {
            self.out.push_str(" ParentOfSplitPage");
            self.start(head);
            self.put(format_args!(
                "parent:{:x},[{dbid}:{}])",
                split.parent_before.get(),
                head.pgno
            ));
            return;
        }
        let hotpoint = split.oper_number == 1
            && split.line_split == split.line_oper
            && u32::from(split.line_split) + 1 == u32::from(split.lines);
        self.out.push_str(match split.kind_number {
            0 => " SplitVertical",
            1 if hotpoint => " SplitHotpoint",
            1 => " SplitRight",
            2 => " Append",
            _ => " *Unknown*",
        });
        let oper = match split.oper_number {
            0 => "None",
            1 => "Insert",
            2 => "Replace",
            3 => "FlagInsertAndReplaceData",
            _ => "*Unknown*",
        };
        let words = Words(head.flags);
        let (bytes, dehydrated, compressed) = image(split.image.as_ref());
        self.start(head);
        self.put(format_args!(
            "split:[{dbid}:{}:{}],oper/last:[{}/{}],new:[{dbid}:{}],parent:{:x},[{dbid}:{}],right:{:x},[{dbid}:{}], \
             objid:[{dbid}:{}], {}:{}:{}:{}, splitoper:{oper}, beforeImage:{bytes}[{dehydrated}{compressed}])",
            head.pgno,
            split.line_split,
            split.line_oper,
            i32::from(split.lines) - 1,
            split.new,
            time_of(split.parent, split.parent_before),
            split.parent,
            time_of(split.right, split.right_before),
            split.right,
            split.objid,
            words.unique(),
            words.space(),
            words.system(),
            words.concurrent(),
        ));
    }

    fn merge(&mut self, head: &PageHead, merge: &Merge<'_>) {
        let dbid = head.dbid.0;
        let words = Words(head.flags);
        let pick = |flag: u8, words: [&'static str; 2]| words[usize::from(merge.flags & flag != 0)];
        let kind = match merge.kind_number {
            0 => "None",
            1 => "EmptyPage",
            2 => "FullRight",
            3 => "PartialRight",
            4 => "EmptyTree",
            5 => "FullLeft",
            6 => "PartialLeft",
            7 => "PageMove",
            _ => "*Unknown*",
        };
        let (bytes, dehydrated, compressed) = image(merge.image.as_ref());
        self.start(head);
        self.put(format_args!(
            "merge:[{dbid}:{}:{}],right:{:x},[{dbid}:{}],left:{:x},[{dbid}:{}],parent:{:x},[{dbid}:{}],",
            head.pgno,
            merge.line_merge,
            time_of(merge.right, merge.right_before),
            merge.right,
            time_of(merge.left, merge.left_before),
            merge.left,
            time_of(merge.parent, merge.parent_before),
            merge.parent,
        ));
        self.put(format_args!(
            "{}:{}:{}:{}:{}:{}:{kind},size:{},maxsize:{},uncfree:{},beforeImage:{bytes}[{dehydrated}{compressed}])",
            words.unique(),
            words.space(),
            words.system(),
            pick(Merge::KEY_CHANGE, ["NKC", "KC"]),
            pick(Merge::EMPTY_PAGE, ["NEP", "EP"]),
            pick(Merge::DELETE_NODE, ["ND", "D"]),
            merge.size_total.cast_signed(),
            merge.size_max_total.cast_signed(),
            merge.uncommitted_dest.cast_signed(),
        ));
        self.data(&[merge.separator]);
    }

    fn create(&mut self, kind: RecordKind, head: &PageHead, trees: &SpaceTrees) {
        let dbid = head.dbid.0;
        let words = Words(head.flags);
        self.put(format_args!(
            " {:x},{:x}:{}({:x},",
            head.after.get(),
            head.trx.0,
            head.level,
            head.procid.0
        ));
        let flags = trees.page_flags.unwrap_or_default();
        if kind == RecordKind::CREATE_SINGLE_EXTENT_FDP {
            self.put(format_args!(
                "[{dbid}:{}],[{dbid}:{}],[{}],PageFlags:[0x{flags:x}]{}",
                head.pgno, trees.parent, trees.objid, trees.primary_pages
            ));
        } else {
            self.put(format_args!(
                "FDP:[{dbid}:{}],OE:[{dbid}:{}],AE:[{dbid}:{}],FDPParent:[{dbid}:{}],objid:[{dbid}:{}],\
                 PageFlags:[0x{flags:x}],{}",
                head.pgno, trees.oe, trees.ae, trees.parent, trees.objid, trees.primary_pages
            ));
        }
        self.put(format_args!(",{}:{})", words.unique(), words.system()));
    }

    fn convert(&mut self, head: &PageHead, trees: &SpaceTrees) {
        let dbid = head.dbid.0;
        let words = Words(head.flags);
        self.start(head);
        self.put(format_args!(
            "[{dbid}:{}],[{dbid}:{}],[{}],+{},[{dbid}:{}],+{},{}:{})",
            head.pgno,
            trees.parent,
            trees.objid,
            trees.primary_pages,
            trees.secondary_first,
            trees.secondary_pages,
            words.unique(),
            words.system()
        ));
    }

    fn page_move(&mut self, head: &PageHead, moved: &PageMove<'_>) {
        let dbid = head.dbid.0;
        self.start(head);
        self.put(format_args!(
            "source:[{dbid}:{}],destination:[{dbid}:{}],right:{:x},[{dbid}:{}],left:{:x},[{dbid}:{}],\
             parent:{:x},[{dbid}:{}:{}],header:{},trailer:{},objid:[{dbid}:{}],flags:{:x}, {})",
            head.pgno,
            moved.dest,
            time_of(moved.right, moved.right_before),
            moved.right,
            time_of(moved.left, moved.left_before),
            moved.left,
            moved.parent_before.get(),
            moved.parent,
            moved.parent_line.cast_unsigned(),
            moved.header.len(),
            moved.trailer.len(),
            moved.objid,
            moved.flags,
            Words(head.flags).system()
        ));
    }

    fn empty_tree(&mut self, head: &NodeHead, list: &[u8]) {
        let page = &head.page;
        let words = Words(page.flags);
        self.start(page);
        self.put(format_args!(
            "[{}:{}],objid:[{}:{}],{}:{}:{},{})",
            page.dbid.0,
            page.pgno,
            page.dbid.0,
            head.objid,
            words.unique(),
            words.space(),
            words.system(),
            list.len()
        ));
        self.data(&[list]);
    }

    fn resize(&mut self, dbid: DbId, pgno: Pgno, what: ResizeKind) {
        match what {
            ResizeKind::Extend => self.put(format_args!(" [{}:{pgno}]", dbid.0)),
            ResizeKind::Shrink { pages, after } => {
                self.out.push(' ');
                if let Some(after) = after {
                    self.put(format_args!("{:x}", after.get()));
                }
                self.put(format_args!("[{}:{pgno}:{}]", dbid.0, pages.cast_signed()));
            }
            ResizeKind::Trim { pages } => {
                self.put(format_args!(
                    " [{}:{pgno}+{}] (",
                    dbid.0,
                    pages.cast_signed()
                ));
                self.extent(dbid, pgno, pages);
            }
        }
    }

    /// The second and further pages of an extent, and the closing bracket.
    fn extent(&mut self, dbid: DbId, first: Pgno, pages: u32) {
        let count = u32::try_from(pages.cast_signed()).unwrap_or_default();
        for page in 1..count.min(NAMED) {
            let pgno = first.get().wrapping_add(page);
            self.put(format_args!("[{}:{pgno}] ", dbid.0));
        }
        self.out.push(')');
    }
}
