//! Records as JSON documents, one a line.

use std::fmt;
use std::io::{BufWriter, Stdout, Write as _};

use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::cli::session::SCHEMA;
use crate::format::loghdr::Environment;
use crate::format::logrec::{
    Close, CloseKind, CommitContext, EmptyTreeEntry, FreeFdp, Merge, PageHead, PageImage, PageMove,
    Record, RecordKind, ResizeKind, SpaceTrees, Split,
};
use crate::ops::log_checks::StreamCheck;
use crate::ops::log_records::{RecordPlace, RecordSink, Tally, walk};
use crate::ops::logs::{LogVisit, LogVisitor};
use crate::problem::Finding;

/// Prints a document a record while the logs are read, and counts.
pub struct JsonPrinter {
    out: BufWriter<Stdout>,
    commit_flags: bool,
    check: Option<StreamCheck>,
}

impl JsonPrinter {
    pub fn new(deep: bool) -> Self {
        Self {
            out: BufWriter::with_capacity(1 << 16, std::io::stdout()),
            commit_flags: true,
            check: deep.then(StreamCheck::default),
        }
    }

    /// Everything must be out before anyone else prints.
    pub fn flush(&mut self) {
        let _ = self.out.flush();
    }
}

impl LogVisitor for JsonPrinter {
    fn missing(&mut self, _first: &str, _last: &str) {
        if let Some(check) = &mut self.check {
            check.gap();
        }
    }

    fn log(&mut self, visit: &LogVisit<'_>) -> Tally {
        let Some(log) = visit.readable() else {
            self.missing("", "");
            return Tally::default();
        };
        self.commit_flags = super::log_print::has_commit_flags(&log.head.header);
        let tally = walk(log, Some(self));
        if visit.is_broken() {
            self.missing("", "");
        }
        tally
    }

    fn wants_summary(&self) -> bool {
        true
    }

    fn findings(&mut self) -> Vec<Finding> {
        let found = self.check.as_mut().map(StreamCheck::take_findings);
        found.unwrap_or_default()
    }
}

impl RecordSink for JsonPrinter {
    fn record(&mut self, place: RecordPlace, bytes: &[u8], record: &Record<'_>) {
        if let Some(check) = &mut self.check {
            check.record(place.at, record);
        }
        let document = Document {
            place,
            bytes,
            record,
            commit_flags: self.commit_flags,
        };
        // A reader that closes the pipe early is no error of ours.
        if serde_json::to_writer(&mut self.out, &document).is_ok() {
            let _ = self.out.write_all(b"\n");
        }
    }
}

/// One record.
struct Document<'a> {
    place: RecordPlace,
    bytes: &'a [u8],
    record: &'a Record<'a>,
    commit_flags: bool,
}

/// Bytes as hexadecimal digits.
struct Hex<'a>(&'a [u8]);

impl Serialize for Hex<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Text in a record, up to its first zero.
struct Text<'a>(&'a [u8]);

impl Serialize for Text<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let end = self.0.iter().position(|byte| *byte == 0);
        serializer.serialize_str(&String::from_utf8_lossy(
            &self.0[..end.unwrap_or(self.0.len())],
        ))
    }
}

/// Several values in a row.
struct Each<I>(I);

impl<I: Iterator<Item: Serialize> + Clone> Serialize for Each<I> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.clone())
    }
}

/// `put!(map, "name" => value, ...)`
macro_rules! put {
    ($map:expr, $($name:literal => $value:expr),* $(,)?) => {{
        $($map.serialize_entry($name, &$value)?;)*
        Ok(())
    }};
}

impl Serialize for Document<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let kind = RecordKind::new(self.bytes.first().copied().unwrap_or_default());
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("schema", SCHEMA)?;
        map.serialize_entry("mode", "ml")?;
        map.serialize_entry("generation", &self.place.at.generation)?;
        map.serialize_entry("sector", &self.place.at.isec)?;
        map.serialize_entry("byte", &self.place.at.ib)?;
        map.serialize_entry("type", &kind)?;
        map.serialize_entry("bytes", &self.bytes.len())?;
        match self.record.node_head() {
            Some(head) => {
                page(&mut map, &head.page)?;
                put!(map, "rceid" => head.rceid.0, "pgno_fdp" => head.pgno_fdp, "objid" => head.objid)
            }
            None => Ok(()),
        }?;
        tree(&mut map, self.record)?;
        marks(&mut map, self.record, self.commit_flags)?;
        map.end()
    }
}

fn page<M: SerializeMap>(map: &mut M, head: &PageHead) -> Result<(), M::Error> {
    put!(map,
        "procid" => head.procid, "dbid" => head.dbid, "pgno" => head.pgno, "dbtime" => head.after,
        "dbtime_before" => (head.before.get() != u64::MAX).then_some(head.before), "trx" => head.trx,
        "level" => head.level, "line" => head.line, "flags" => head.flags)
}

/// What changes of nodes and trees hold beside their heads.
fn tree<M: SerializeMap>(map: &mut M, record: &Record<'_>) -> Result<(), M::Error> {
    match record {
        Record::Insert(_, prefix, suffix, data) => {
            put!(map, "prefix" => Hex(prefix), "suffix" => Hex(suffix), "data" => Hex(data))
        }
        Record::FlagInsert(_, key, data) => put!(map, "key" => Hex(key), "data" => Hex(data)),
        Record::FlagInsertAndReplaceData(_, key, data, rceid) => {
            put!(map, "key" => Hex(key), "data" => Hex(data), "rceid_replace" => rceid.0)
        }
        Record::Replace(_, replace) => put!(map,
            "old_len" => replace.old_len, "new_len" => replace.new_len,
            "difference" => replace.diff.is_some(), "wide" => replace.diff.unwrap_or_default(),
            "data" => Hex(replace.data)),
        Record::UndoInfo(_, undo) => put!(map,
            "oper" => undo.oper.get(), "max_size" => undo.max_size, "delta" => undo.delta,
            "key" => Hex(undo.key), "bookmark_data" => Hex(undo.bookmark_data),
            "before" => Hex(undo.before)),
        Record::Undo(_, undo) => put!(map,
            "oper" => undo.oper.get(), "undo_level" => undo.level, "key" => Hex(undo.key),
            "bookmark_data" => Hex(undo.bookmark_data)),
        Record::Delta(_, delta) => put!(map,
            "delta" => delta.delta, "offset" => delta.offset, "key" => Hex(delta.key),
            "bookmark_data" => Hex(delta.bookmark_data)),
        Record::SetExternalHeader(_, data) => put!(map, "data" => Hex(data)),
        Record::EmptyTree(_, list) => {
            let pages = EmptyTreeEntry::all(list);
            let pages = pages.map(|entry| (entry.pgno, entry.before, entry.page_flags));
            put!(map, "pages" => Each(pages))
        }
        Record::Scrub(_, scrub) => put!(map,
            "unused" => scrub.flags & 1 != 0, "count" => scrub.count, "opers" => Hex(scrub.opers)),
        Record::CreateFdp(head, trees) | Record::ConvertFdp(head, trees) => {
            page(map, head)?;
            space_trees(map, trees)
        }
        Record::Split(head, split) => {
            page(map, head)?;
            split_fields(map, split)
        }
        Record::Merge(head, merge) => {
            page(map, head)?;
            merge_fields(map, merge)
        }
        Record::PageMove(head, moved) => {
            page(map, head)?;
            move_fields(map, moved)
        }
        _ => Ok(()),
    }
}

fn space_trees<M: SerializeMap>(map: &mut M, trees: &SpaceTrees) -> Result<(), M::Error> {
    put!(map,
        "objid" => trees.objid, "oe" => trees.oe, "ae" => trees.ae, "parent" => trees.parent,
        "primary_pages" => trees.primary_pages, "secondary_first" => trees.secondary_first,
        "secondary_pages" => trees.secondary_pages, "page_flags" => trees.page_flags)
}

fn image<M: SerializeMap>(map: &mut M, image: Option<&PageImage<'_>>) -> Result<(), M::Error> {
    put!(map,
        "image_bytes" => image.map_or(0, |image| image.bytes.len()),
        "image_dehydrated" => image.is_some_and(|image| image.dehydrated),
        "image_compressed" => image.is_some_and(|image| image.compressed))
}

fn split_fields<M: SerializeMap>(map: &mut M, split: &Split<'_>) -> Result<(), M::Error> {
    put!(map,
        "new" => split.new, "parent" => split.parent, "parent_before" => split.parent_before,
        "right" => split.right, "right_before" => split.right_before)
    .and_then(|()| {
        if split.new.is_null() {
            return Ok(());
        }
        put!(map,
            "pgno_fdp" => split.pgno_fdp, "objid" => split.objid, "kind" => split.kind_number,
            "oper" => split.oper_number, "line_oper" => split.line_oper,
            "line_split" => split.line_split, "lines" => split.lines,
            "new_flags" => split.new_flags, "split_flags" => split.split_flags,
            "prefix_line_split" => split.prefix_line_split, "prefix_line_new" => split.prefix_line_new,
            "parent_key" => Hex(split.parent_key), "prefix_old" => Hex(split.prefix_old),
            "prefix_new" => Hex(split.prefix_new))?;
        image(map, split.image.as_ref())
    })
}

fn merge_fields<M: SerializeMap>(map: &mut M, merge: &Merge<'_>) -> Result<(), M::Error> {
    map.serialize_entry("right", &merge.right)?;
    put!(map,
        "right_before" => merge.right_before, "left" => merge.left, "left_before" => merge.left_before,
        "parent" => merge.parent, "parent_before" => merge.parent_before,
        "pgno_fdp" => merge.pgno_fdp, "objid" => merge.objid, "kind" => merge.kind_number,
        "merge_flags" => merge.flags, "line_merge" => merge.line_merge,
        "size_total" => merge.size_total, "size_max_total" => merge.size_max_total,
        "uncommitted_dest" => merge.uncommitted_dest, "separator" => Hex(merge.separator))
    .and_then(|()| image(map, merge.image.as_ref()))
}

fn move_fields<M: SerializeMap>(map: &mut M, moved: &PageMove<'_>) -> Result<(), M::Error> {
    put!(map,
        "dest" => moved.dest, "left" => moved.left, "left_before" => moved.left_before,
        "right" => moved.right, "right_before" => moved.right_before, "parent" => moved.parent,
        "parent_before" => moved.parent_before, "parent_line" => moved.parent_line,
        "pgno_fdp" => moved.pgno_fdp, "objid" => moved.objid, "move_flags" => moved.flags,
        "header" => Hex(moved.header), "trailer" => Hex(moved.trailer))
}

fn close_fields<M: SerializeMap>(map: &mut M, close: &Close) -> Result<(), M::Error> {
    map.serialize_entry("time", &close.time)?;
    if close.kind == CloseKind::Term {
        return Ok(());
    }
    put!(map, "of" => close.of, "redo_from" => close.redo_from, "hard" => close.hard)
}

/// Everything that is not about nodes and trees.
fn marks<M: SerializeMap>(
    map: &mut M,
    record: &Record<'_>,
    commit_flags: bool,
) -> Result<(), M::Error> {
    match record {
        Record::Init(init) => {
            let environment = Environment::parse(init.environment).ok();
            put!(map, "time" => init.time, "environment" => environment)
        }
        Record::Close(close) => close_fields(map, close),
        Record::RecoveryUndo(time) => put!(map, "time" => time),
        Record::Begin(begin) => put!(map,
            "procid" => begin.procid, "from" => begin.from, "levels" => begin.levels, "trx" => begin.trx),
        Record::Commit(commit) => {
            put!(map, "procid" => commit.procid, "to" => commit.to, "trx" => commit.trx)
        }
        Record::Rollback(procid, levels) => put!(map, "procid" => procid, "levels" => levels),
        Record::Refresh(procid, trx) => put!(map, "procid" => procid, "trx" => trx),
        Record::Macro(procid, dbtime, _) => put!(map, "procid" => procid, "dbtime" => dbtime),
        Record::CreateDb(create) => put!(map,
            "procid" => create.procid, "dbid" => create.dbid, "path" => create.path,
            "max_pages" => create.max_pages, "sign_db" => create.sign_db, "version" => create.version,
            "sparse" => create.is_sparse()),
        Record::CreateDbFinish(procid, dbid) => put!(map, "procid" => procid, "dbid" => dbid),
        Record::AttachDb(attach) => put!(map,
            "procid" => attach.procid, "dbid" => attach.dbid, "path" => attach.path,
            "max_pages" => attach.max_pages, "consistent" => attach.consistent,
            "sign_db" => attach.sign_db, "sign_log" => attach.sign_log, "sparse" => attach.is_sparse()),
        Record::SignalAttachDb(dbid) => put!(map, "dbid" => dbid),
        Record::DetachDb(detach) => {
            put!(map, "procid" => detach.procid, "dbid" => detach.dbid, "path" => detach.path)
        }
        Record::ReAttach(attach) => put!(map,
            "dbid" => attach.dbid, "attached" => attach.attached, "consistent" => attach.consistent,
            "sign_db" => attach.sign_db),
        Record::SetDbVersion(version) => put!(map,
            "dbid" => version.dbid, "major" => version.major, "update_major" => version.update_major,
            "update_minor" => version.update_minor),
        Record::RootPageMove(moved) => put!(map,
            "procid" => moved.procid, "dbid" => moved.dbid, "objid" => moved.objid, "dbtime" => moved.dbtime),
        Record::NewPage(new) => put!(map,
            "procid" => new.procid, "dbid" => new.dbid, "pgno" => new.pgno, "objid" => new.objid,
            "dbtime" => new.after),
        Record::Resize(dbid, pgno, what) => {
            map.serialize_entry("dbid", dbid)?;
            map.serialize_entry("pgno", pgno)?;
            match what {
                ResizeKind::Extend => Ok(()),
                ResizeKind::Shrink { pages, after } => {
                    put!(map, "pages" => pages, "dbtime" => after)
                }
                ResizeKind::Trim { pages } => put!(map, "pages" => pages),
            }
        }
        Record::ExtentFreed(freed) => put!(map,
            "dbid" => freed.dbid, "pgno" => freed.first, "pages" => freed.pages, "flags" => freed.flags,
            "dbtime" => freed.after),
        Record::ScanCheck(scan) => put!(map,
            "dbid" => scan.dbid, "pgno" => scan.pgno, "source" => scan.source,
            "dbtime_page" => scan.page_dbtime, "dbtime_current" => scan.current_dbtime,
            "checksum" => scan.checksum),
        Record::Backup(step) => put!(map,
            "phase" => step.phase, "kind" => step.kind, "scope" => step.scope, "dbid" => step.dbid,
            "info" => step.info, "text" => step.text),
        Record::Note(note) if note.kind == RecordKind::EXT_RESTORE2 => {
            put!(map, "procid" => note.procid, "data" => Hex(note.text))
        }
        Record::Note(note) => put!(map,
            "procid" => note.procid, "detail" => note.detail, "text" => Text(note.text)),
        Record::MacroPages(pages) => {
            put!(map, "dbid" => pages.dbid, "pages" => Each(pages.pages()))
        }
        Record::CommitContext(context) => commit_context(map, context, commit_flags),
        Record::FreeFdp(freed) => put!(map,
            "dbid" => freed.dbid, "pgno" => freed.pgno, "trx" => freed.trx,
            "table" => freed.kind == FreeFdp::TABLE),
        Record::PagePatch(patch) => {
            put!(map, "dbid" => patch.dbid, "pgno" => patch.pgno, "dbtime" => patch.dbtime)
        }
        Record::ForceWriteLog(procid) => put!(map, "procid" => procid),
        Record::RangeCheck(range) => put!(map,
            "backwards" => range.backwards, "forwards" => range.forwards, "next" => range.next,
            "checksum" => range.checksum, "short_checksum" => range.short),
        Record::Other(_, rest) => put!(map, "data" => Hex(rest)),
        _ => Ok(()),
    }
}

fn commit_context<M: SerializeMap>(
    map: &mut M,
    context: &CommitContext<'_>,
    with_flags: bool,
) -> Result<(), M::Error> {
    let (flags, bytes) = context.flags_and_bytes(with_flags);
    put!(map, "procid" => context.procid, "flags" => flags, "data" => Hex(bytes))
}
