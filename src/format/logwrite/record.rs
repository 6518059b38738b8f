//! A record as bytes: the way back of [`Record::parse`].

use crate::format::logrec::{
    AttachDb, Begin, Close, CloseKind, Commit, CreateDb, Delta, DetachDb, MacroStep, Merge,
    NodeHead, PageHead, PageImage, PageMove, Record, RecordKind, Replace, ResizeKind, SpaceTrees,
    Split, Undo, UndoInfo,
};

use super::{Put, TooLong, control};

/// Why a record cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EncodeFault {
    /// A part is longer than its length field can say.
    #[error(transparent)]
    TooLong(#[from] TooLong),
    /// A type that nobody needs to write, or whose parts are not all in the value.
    #[error("log records of this type are not written")]
    NotWritten,
}

type Encoded = Result<Vec<u8>, EncodeFault>;

/// The flag of a path in UTF-16 in CreateDB and AttachDB.
const PATH_UTF16: u8 = 8;
/// The same in DetachDB.
const DETACH_UTF16: u8 = 0x10;
/// Flag of CreateDB: a version stands before the path.
const VERSION_GIVEN: u8 = 4;
/// The length field of a replacement has 15 bits; the highest says which form a difference has.
const REPLACE_LEN: usize = 0x7FFF;
const WIDE_DIFF: u16 = 0x8000;

/// The bytes of a record. Where two types hold the same, the value decides between them: a time or
/// not, a difference or not; splits, merges and new trees go by the type in their head.
///
/// # Errors
/// [`EncodeFault`].
pub fn encode(record: &Record<'_>) -> Encoded {
    Ok(match record {
        Record::Init(init) => match init.time {
            Some(time) => Put::new(RecordKind::INIT2)
                .bytes(init.environment)
                .part(&time)
                .done(),
            None => Put::new(RecordKind::INIT).bytes(init.environment).done(),
        },
        Record::Close(close) => close_record(close),
        Record::Begin(begin) => begin_record(begin),
        Record::Commit(Commit { procid, to, trx }) => match trx {
            Some(trx) => control::commit0(*procid, *trx),
            None => control::commit(*procid, *to),
        },
        Record::Rollback(procid, levels) => control::rollback(*procid, *levels),
        Record::Refresh(procid, trx) => Put::new(RecordKind::REFRESH)
            .u16(procid.0)
            .u32(trx.0)
            .done(),
        Record::Macro(procid, dbtime, step) => match step {
            MacroStep::Begin => control::macro_begin(*procid, *dbtime),
            MacroStep::Commit => control::macro_commit(*procid, *dbtime),
            MacroStep::Abort => control::macro_abort(*procid, *dbtime),
        },
        Record::CreateDb(create) => create_db(create)?,
        Record::CreateDbFinish(procid, dbid) => Put::new(RecordKind::CREATE_DB_FINISH)
            .u16(procid.0)
            .u8(dbid.0)
            .done(),
        Record::AttachDb(attach) => attach_db(attach)?,
        Record::SignalAttachDb(dbid) => Put::new(RecordKind::SIGNAL_ATTACH_DB).u8(dbid.0).done(),
        Record::DetachDb(detach) => detach_db(detach)?,
        Record::SetDbVersion(version) => Put::new(RecordKind::SET_DB_VERSION)
            .u8(version.dbid.0)
            .u32(version.major)
            .u32(version.update_major)
            .u32(version.update_minor)
            .done(),
        Record::RecoveryUndo(Some(time)) => control::recovery_undo2(*time),
        Record::RecoveryUndo(None) => Put::new(RecordKind::RECOVERY_UNDO).done(),
        Record::ShutdownMark => control::shut_down_mark(),
        Record::CreateFdp(head, trees) => create_fdp(head, trees),
        Record::ConvertFdp(head, trees) => convert_fdp(head, trees),
        Record::Split(head, split) => split_record(head, split)?,
        Record::Merge(head, merge) => merge_record(head, merge)?,
        Record::PageMove(head, page_move) => page_move_record(head, page_move)?,
        Record::RootPageMove(root) => Put::new(RecordKind::ROOT_PAGE_MOVE)
            .dbtime(root.dbtime)
            .u8(root.dbid.0)
            .objid(root.objid)
            .u16(root.procid.0)
            .done(),
        Record::NewPage(page) => Put::new(RecordKind::NEW_PAGE)
            .u16(page.procid.0)
            .u8(page.dbid.0)
            .pgno(page.pgno)
            .objid(page.objid)
            .dbtime(page.after)
            .done(),
        Record::Resize(dbid, pgno, kind) => {
            let put = |of: RecordKind, pages: u32| {
                let put = Put::new(of).u8(dbid.0).pgno(*pgno);
                put.u32(pages)
            };
            match kind {
                ResizeKind::Extend => Put::new(RecordKind::EXTEND_DB)
                    .u32(5)
                    .u8(dbid.0)
                    .pgno(*pgno)
                    .done(),
                ResizeKind::Shrink { pages, after } => match after {
                    Some(after) => put(RecordKind::SHRINK_DB3, *pages).dbtime(*after).done(),
                    None => put(RecordKind::SHRINK_DB2, *pages).done(),
                },
                ResizeKind::Trim { pages } => put(RecordKind::TRIM_DB, *pages).done(),
            }
        }
        Record::ExtentFreed(freed) => {
            let kind = match freed.after {
                Some(_) => RecordKind::EXTENT_FREED2,
                None => RecordKind::EXTENT_FREED,
            };
            let put = Put::new(kind)
                .u8(freed.dbid.0)
                .pgno(freed.first)
                .u32(freed.pages)
                .u8(freed.flags);
            match freed.after {
                Some(after) => put.dbtime(after).done(),
                None => put.done(),
            }
        }
        Record::Backup(step) => {
            let text: Vec<u8> = step
                .text
                .encode_utf16()
                .flat_map(u16::to_le_bytes)
                .collect();
            Put::new(RecordKind::BACKUP2)
                .u8(step.phase)
                .u32(step.kind)
                .u8(step.scope)
                .u8(step.dbid.0)
                .part(&step.info)
                .u8(0)
                .len16(&text, "remark")?
                .bytes(&text)
                .done()
        }
        Record::Other(kind, content) if kind.is_ignored_shape() => Put::new(*kind)
            .len32(content, "content")?
            .bytes(content)
            .done(),
        other => return node_record(other),
    })
}

/// Operations on the nodes of one page.
fn node_record(record: &Record<'_>) -> Encoded {
    Ok(match record {
        Record::Insert(head, prefix, suffix, data) => Put::node(RecordKind::INSERT, head)
            .len16(suffix, "key suffix")?
            .len16(prefix, "key prefix")?
            .len16(data, "data")?
            .bytes(prefix)
            .bytes(suffix)
            .bytes(data)
            .done(),
        Record::FlagInsert(head, key, data) => Put::node(RecordKind::FLAG_INSERT, head)
            .len16(key, "key")?
            .len16(data, "data")?
            .bytes(key)
            .bytes(data)
            .done(),
        Record::FlagInsertAndReplaceData(head, key, data, rceid) => {
            Put::node(RecordKind::FLAG_INSERT_AND_REPLACE_DATA, head)
                .len16(key, "key")?
                .len16(data, "data")?
                .u32(rceid.0)
                .bytes(key)
                .bytes(data)
                .done()
        }
        Record::FlagDelete(head) => Put::node(RecordKind::FLAG_DELETE, head).done(),
        Record::Replace(head, replace) => replace_record(head, replace)?,
        Record::Delete(head) => Put::node(RecordKind::DELETE, head).done(),
        Record::UndoInfo(head, info) => undo_info(head, info)?,
        Record::Delta(head, delta) => delta_record(head, delta)?,
        Record::SetExternalHeader(head, data) => Put::node(RecordKind::SET_EXTERNAL_HEADER, head)
            .len16(data, "external header")?
            .bytes(data)
            .done(),
        Record::Undo(head, undo) => undo_record(head, undo)?,
        Record::EmptyTree(head, list) => Put::node(RecordKind::EMPTY_TREE, head)
            .len16(list, "page list")?
            .bytes(list)
            .done(),
        Record::Scrub(head, scrub) => Put::node(RecordKind::SCRUB, head)
            .u32(scrub.flags)
            .u32(scrub.count)
            .len16(scrub.opers, "scrub list")?
            .bytes(scrub.opers)
            .done(),
        _ => return Err(EncodeFault::NotWritten),
    })
}

fn close_record(close: &Close) -> Vec<u8> {
    let kind = match (close.kind, close.time) {
        (CloseKind::Term, None) => RecordKind::TERM,
        (CloseKind::Term, Some(_)) => RecordKind::TERM2,
        (CloseKind::RecoveryQuit, None) => RecordKind::RECOVERY_QUIT,
        (CloseKind::RecoveryQuit, Some(_)) => RecordKind::RECOVERY_QUIT2,
        (CloseKind::KeepAttachments, _) => RecordKind::RECOVERY_QUIT_KEEP_ATTACHMENTS,
    };
    let put = Put::new(kind)
        .part(&close.of)
        .part(&close.redo_from)
        .u8(u8::from(close.hard));
    match close.time {
        Some(time) => put.part(&time).done(),
        None => put.done(),
    }
}

fn begin_record(begin: &Begin) -> Vec<u8> {
    let levels = (begin.from & 0x0F) | (begin.levels << 4);
    let kind = match (begin.trx, begin.distributed) {
        (None, _) => RecordKind::BEGIN,
        (Some(_), false) => RecordKind::BEGIN0,
        (Some(_), true) => RecordKind::BEGIN_DT,
    };
    let put = Put::new(kind).u16(begin.procid.0).u8(levels);
    match begin.trx {
        Some(trx) => put.u32(trx.0).done(),
        None => put.done(),
    }
}

/// A path as records hold it, with its terminator.
fn path_bytes(path: &str, utf16: bool) -> Vec<u8> {
    if utf16 {
        let units = path.encode_utf16().chain([0]);
        return units.flat_map(u16::to_le_bytes).collect();
    }
    path.bytes().chain([0]).collect()
}

fn create_db(create: &CreateDb) -> Result<Vec<u8>, TooLong> {
    let path = path_bytes(&create.path, create.flags & PATH_UTF16 != 0);
    let version = match create.version {
        Some(_) => VERSION_GIVEN,
        None => 0,
    };
    let mut put = Put::new(RecordKind::CREATE_DB)
        .u16(create.procid.0)
        .u8(create.dbid.0)
        .u32(create.grbit)
        .u32(create.max_pages)
        .part(&create.sign_db)
        .len16(&path, "path")?
        .u8(create.flags & !VERSION_GIVEN | version);
    if let Some((version, update)) = create.version {
        put = put.u16(version).u16(update);
    }
    Ok(put.bytes(&path).done())
}

fn attach_db(attach: &AttachDb) -> Result<Vec<u8>, TooLong> {
    let path = path_bytes(&attach.path, attach.flags & PATH_UTF16 != 0);
    let put = Put::new(RecordKind::ATTACH_DB)
        .u16(attach.procid.0)
        .u8(attach.dbid.0)
        .u32(attach.max_pages)
        .part(&attach.consistent)
        .part(&attach.sign_db)
        .part(&attach.sign_log)
        .len16(&path, "path")?
        .u8(attach.flags);
    Ok(put.bytes(&path).done())
}

fn detach_db(detach: &DetachDb) -> Result<Vec<u8>, TooLong> {
    let path = path_bytes(&detach.path, detach.flags & DETACH_UTF16 != 0);
    let put = Put::new(RecordKind::DETACH_DB)
        .u16(detach.procid.0)
        .u8(detach.dbid.0)
        .len16(&path, "path")?
        .u8(detach.flags);
    Ok(put.bytes(&path).done())
}

fn create_fdp(head: &PageHead, trees: &SpaceTrees) -> Vec<u8> {
    let small = head.kind == RecordKind::CREATE_SINGLE_EXTENT_FDP;
    let kind = if small {
        RecordKind::CREATE_SINGLE_EXTENT_FDP
    } else {
        RecordKind::CREATE_MULTIPLE_EXTENT_FDP
    };
    let mut put = Put::page(kind, head).objid(trees.objid);
    if !small {
        put = put.pgno(trees.oe).pgno(trees.ae);
    }
    put.pgno(trees.parent)
        .i32(trees.primary_pages)
        .u32(trees.page_flags.unwrap_or_default())
        .done()
}

fn convert_fdp(head: &PageHead, trees: &SpaceTrees) -> Vec<u8> {
    let kind = match trees.free_bits {
        Some(_) => RecordKind::CONVERT_FDP,
        None => RecordKind::CONVERT_FDP_OLD,
    };
    let put = Put::page(kind, head)
        .objid(trees.objid)
        .pgno(trees.oe)
        .pgno(trees.ae)
        .pgno(trees.parent)
        .pgno(trees.secondary_first)
        .i32(trees.primary_pages)
        .i32(trees.secondary_pages);
    match trees.free_bits {
        Some(bits) => {
            let flags = trees.page_flags.unwrap_or_default();
            put.u32(bits).u32(flags).done()
        }
        None => put.done(),
    }
}

/// The fields of an image, and its bytes.
fn image_fields<'a>(put: Put, image: Option<PageImage<'a>>) -> Result<(Put, &'a [u8]), TooLong> {
    let flags =
        |image: PageImage<'_>| u32::from(image.dehydrated) | u32::from(image.compressed) << 1;
    let bytes = image.map_or(&[][..], |image| image.bytes);
    let put = put.u32(image.map_or(0, flags)).len32(bytes, "page image")?;
    Ok((put, bytes))
}

fn split_record(head: &PageHead, split: &Split<'_>) -> Result<Vec<u8>, TooLong> {
    let old = head.kind == RecordKind::SPLIT_OLD;
    let kind = if old {
        RecordKind::SPLIT_OLD
    } else {
        RecordKind::SPLIT
    };
    let mut put = Put::page(kind, head)
        .pgno(split.new)
        .pgno(split.right)
        .dbtime(split.right_before)
        .pgno(split.parent)
        .dbtime(split.parent_before)
        .pgno(split.pgno_fdp)
        .objid(split.objid)
        .u8(split.kind_number)
        .u8(split.oper_number)
        .u16(split.line_oper)
        .u16(split.line_split)
        .u16(split.lines)
        .u32(split.new_flags)
        .u32(split.split_flags)
        .u16(split.uncommitted_split)
        .u16(split.uncommitted_new)
        .i32(split.prefix_line_split)
        .i32(split.prefix_line_new)
        .len16(split.prefix_old, "prefix")?
        .len16(split.prefix_new, "prefix")?
        .len16(split.parent_key, "key")?;
    let mut image = &[][..];
    if !old {
        (put, image) = image_fields(put, split.image)?;
    }
    Ok(put
        .bytes(split.parent_key)
        .bytes(split.prefix_old)
        .bytes(split.prefix_new)
        .bytes(image)
        .done())
}

fn merge_record(head: &PageHead, merge: &Merge<'_>) -> Result<Vec<u8>, TooLong> {
    let old = head.kind == RecordKind::MERGE_OLD;
    let kind = if old {
        RecordKind::MERGE_OLD
    } else {
        RecordKind::MERGE
    };
    let mut put = Put::page(kind, head)
        .pgno(merge.right)
        .dbtime(merge.right_before)
        .pgno(merge.left)
        .dbtime(merge.left_before)
        .pgno(merge.parent)
        .dbtime(merge.parent_before)
        .pgno(merge.pgno_fdp)
        .objid(merge.objid)
        .u16(merge.size_total)
        .u16(merge.size_max_total)
        .u16(merge.uncommitted_dest)
        .u16(merge.line_merge)
        .u8(merge.flags)
        .u8(merge.kind_number)
        .len16(merge.separator, "key")?;
    let mut image = &[][..];
    if !old {
        (put, image) = image_fields(put, merge.image)?;
    }
    Ok(put.bytes(merge.separator).bytes(image).done())
}

fn page_move_record(head: &PageHead, page_move: &PageMove<'_>) -> Result<Vec<u8>, TooLong> {
    let put = Put::page(RecordKind::PAGE_MOVE, head)
        .pgno(page_move.dest)
        .pgno(page_move.left)
        .pgno(page_move.right)
        .pgno(page_move.parent)
        .dbtime(page_move.left_before)
        .dbtime(page_move.right_before)
        .dbtime(page_move.parent_before)
        .pgno(page_move.pgno_fdp)
        .objid(page_move.objid)
        .i32(page_move.parent_line)
        .u32(page_move.flags)
        .len32(page_move.header, "page image")?
        .len32(page_move.trailer, "page image")?;
    Ok(put.bytes(page_move.header).bytes(page_move.trailer).done())
}

fn replace_record(head: &NodeHead, replace: &Replace<'_>) -> Result<Vec<u8>, TooLong> {
    let len = replace.data.len();
    if len > REPLACE_LEN {
        let what = "replacement";
        return Err(TooLong { what, len });
    }
    let (kind, form) = match replace.diff {
        None => (RecordKind::REPLACE, 0),
        Some(false) => (RecordKind::REPLACE_D, 0),
        Some(true) => (RecordKind::REPLACE_D, WIDE_DIFF),
    };
    Ok(Put::node(kind, head)
        .u16(len as u16 | form)
        .u16(replace.old_len)
        .u16(replace.new_len)
        .bytes(replace.data)
        .done())
}

fn undo_info(head: &NodeHead, info: &UndoInfo<'_>) -> Result<Vec<u8>, TooLong> {
    Ok(Put::node(RecordKind::UNDO_INFO, head)
        .len16(info.key, "bookmark key")?
        .len16(info.bookmark_data, "bookmark data")?
        .u16(info.oper.get())
        .bytes(&info.max_size.to_le_bytes())
        .bytes(&info.delta.to_le_bytes())
        .len16(info.before, "before image")?
        .bytes(info.key)
        .bytes(info.bookmark_data)
        .bytes(info.before)
        .done())
}

fn undo_record(head: &NodeHead, undo: &Undo<'_>) -> Result<Vec<u8>, TooLong> {
    Ok(Put::node(RecordKind::UNDO, head)
        .len16(undo.key, "bookmark key")?
        .len16(undo.bookmark_data, "bookmark data")?
        .u16(undo.oper.get())
        .u8(undo.level)
        .bytes(undo.key)
        .bytes(undo.bookmark_data)
        .done())
}

/// A sum of 32 bits that is none is written as one of 64.
fn delta_record(head: &NodeHead, delta: &Delta<'_>) -> Result<Vec<u8>, TooLong> {
    let narrow = i32::try_from(delta.delta).ok().filter(|_| !delta.wide);
    let kind = match narrow {
        Some(_) => RecordKind::DELTA,
        None => RecordKind::DELTA64,
    };
    let put = Put::node(kind, head)
        .len16(delta.key, "bookmark key")?
        .len16(delta.bookmark_data, "bookmark data")?;
    let put = match narrow {
        Some(narrow) => put.i32(narrow),
        None => put.bytes(&delta.delta.to_le_bytes()),
    };
    Ok(put
        .u16(delta.offset)
        .bytes(delta.key)
        .bytes(delta.bookmark_data)
        .done())
}

#[cfg(test)]
mod tests;
