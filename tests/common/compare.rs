//! A database that exutil left against the one that the engine left.

#![allow(dead_code, reason = "no test binary uses all of it")]

use exutil::format::dbheader::{DbHeader, HeaderCopies};
use exutil::format::ids::{PageSize, Pgno};
use exutil::format::page::{NodeFlags, Page, PageFlags};
use exutil::format::stamp::Signature;

/// Where the engine marks which kind of its builds wrote the header last.
const BUILD_MARK: usize = 3;

/// How the bytes of two databases differ: headers, length, pages.
pub fn databases(have: &[u8], want: &[u8], positions: bool) -> Vec<String> {
    let header = |bytes| HeaderCopies::read(bytes, None)?.header().cloned();
    let (Some(mine), Some(theirs)) = (header(have), header(want)) else {
        return vec!["no header".to_owned()];
    };
    let mut wrong: Vec<String> = header_difference(positions, &mine, &theirs)
        .into_iter()
        .map(|what| format!("header: {what}"))
        .collect();
    let size = mine.page_size().unwrap();
    let (primary, shadow) = have[..2 * size.bytes()].split_at(size.bytes());
    if primary != shadow {
        wrong.push("the two headers differ".to_owned());
    }
    if have.len() != want.len() {
        wrong.push(format!("{} bytes for {}", have.len(), want.len()));
    }
    let pages = have.chunks(size.bytes()).zip(want.chunks(size.bytes()));
    for (number, (a, b)) in pages.enumerate().skip(2) {
        if let Some(what) = page_difference(a, b, size) {
            wrong.push(format!("page {}: {what}", number - 1));
        }
    }
    wrong
}

/// How two headers differ. Aside: checksum, the times at which a run did something, the signatures that tie a flush
/// map to a database, which are new in every run; and, unless `positions`, those of the end.
fn header_difference(positions: bool, mine: &DbHeader, theirs: &DbHeader) -> Vec<String> {
    let aside = |header: &DbHeader| {
        let mut header = header.clone();
        if !positions {
            header.last_consistent = Default::default();
            header.last_detach = Default::default();
            header.last_resize = Default::default();
        }
        header.checksum = 0;
        header.last_consistent_time = Default::default();
        header.last_attach_time = Default::default();
        header.last_detach_time = Default::default();
        header.last_reattach_time = Default::default();
        header.extend.last = Default::default();
        header.shrink.last = Default::default();
        header.bad_checksum.last = Default::default();
        header.sign_header_flush = Signature::default();
        header.sign_flush_map = Signature::default();
        header.flags[BUILD_MARK] = 0;
        header
    };
    let lines = |header: &DbHeader| -> Vec<String> {
        let fields = serde_json::to_value(aside(header)).unwrap();
        let fields = fields.as_object().unwrap();
        fields
            .iter()
            .map(|(name, value)| format!("{name}: {value}"))
            .collect()
    };
    let (mine, theirs) = (lines(mine), lines(theirs));
    mine.iter()
        .zip(&theirs)
        .filter(|(a, b)| a != b)
        .map(|(a, b)| format!("{a} for {b}"))
        .collect()
}

/// How two pages differ in what they say. Aside: checksum, bytes that nothing uses, where lines lie, the count of
/// free bytes that open transactions still hold, the flags of versions, the type of the last flush.
fn page_difference(mine: &[u8], theirs: &[u8], size: PageSize) -> Option<String> {
    if mine == theirs {
        return None;
    }
    let blank = |bytes: &[u8]| bytes.iter().all(|byte| *byte == 0);
    if blank(mine) || blank(theirs) {
        return Some(format!("blank: {} for {}", blank(mine), blank(theirs)));
    }
    let (a, b) = (Page::new(mine, size)?, Page::new(theirs, size)?);
    let head = |page: Page<'_>| {
        (
            (page.dbtime(), page.prev(), page.next(), page.objid()),
            (page.free(), page.tag_state()),
            page.flags().bits() & !PageFlags::FLUSH_TYPE,
            page.own_pgno() as Option<Pgno>,
        )
    };
    if head(a) != head(b) {
        return Some(format!("{:?} for {:?}", head(a), head(b)));
    }
    for itag in 0..a.reserved_tags() {
        if a.line(itag) != b.line(itag) {
            return Some(format!("tag {itag}"));
        }
    }
    for line in 0..a.node_count() {
        let (Ok(x), Ok(y)) = (a.node(line), b.node(line)) else {
            return Some(format!("node {line} cannot be read"));
        };
        let flags = |flags: NodeFlags| flags.bits() & !NodeFlags::VERSION;
        if (x.prefix, x.suffix, x.data, flags(x.flags))
            != (y.prefix, y.suffix, y.data, flags(y.flags))
        {
            return Some(format!("node {line}"));
        }
    }
    None
}
