//! One page in all detail, sound or damaged: header, tags, nodes by what they are.

mod logged;
mod node;
mod record;
mod tags;

use serde::Serialize;

use crate::db::space::{ExtentKind, SpaceHeader, split_buffer};
use crate::db::{Database, PageError};
use crate::format::checksum::{self, PageSums, Verdict};
use crate::format::ids::{DbTime, HEADER_PAGES, Objid, Pgno};
use crate::format::page::{Page, PageFlags};
use crate::problem::{Finding, Place, Problem};
use crate::storage::Pages;

pub use node::{LineDump, LineKind, Meaning, NodeDump, dump_node, dump_tag, line_count};
pub use record::{ColumnDump, RecordDump, ValueDump};
pub use tags::{Sizes, Statistics, TagDump, TagWhat};

/// Everything about one page.
#[derive(Debug, Clone, Serialize)]
pub struct PageDump {
    /// Its number.
    pub page: Pgno,
    /// Checksums, stored and computed.
    pub checksum: Checksums,
    /// Its fields.
    pub header: HeaderFields,
    /// What it is, in words.
    pub kinds: Vec<&'static str>,
    /// The space header, when it is the root of a tree of an object.
    pub space: Option<SpaceDump>,
    /// The split buffers, when it is the root of a space tree.
    pub split_buffers: Option<SplitBuffers>,
    /// Its tags.
    pub tags: Vec<TagDump>,
    /// Sizes of keys and data over all nodes.
    pub statistics: Statistics,
    /// What is wrong with the page.
    #[serde(skip)]
    pub findings: Vec<Finding>,
    /// Its bytes.
    #[serde(skip)]
    pub bytes: Vec<u8>,
}

/// The checksums of a page.
#[derive(Debug, Clone, Serialize)]
pub struct Checksums {
    /// The new format.
    pub new_format: bool,
    /// As stored: one, or four on large pages.
    pub stored: [u64; 4],
    /// As they should be.
    pub computed: [u64; 4],
    /// The verdict.
    pub verdict: &'static str,
    /// The one wrong bit.
    pub wrong_bit: Option<u32>,
    /// The page whose content it is.
    pub belongs_to: Option<Pgno>,
    /// A hash of what the log knows of: equal for the same page before and after recovery.
    pub logged_data: u64,
}

/// The fields of the page header.
#[derive(Debug, Clone, Serialize)]
pub struct HeaderFields {
    /// Time of the last change.
    pub dbtime: DbTime,
    /// Left sibling.
    pub prev: Pgno,
    /// Right sibling.
    pub next: Pgno,
    /// The tree.
    pub objid: Objid,
    /// Free bytes.
    pub free: usize,
    /// Free bytes that transactions may claim back.
    pub uncommitted_free: usize,
    /// End of the highest line.
    pub mic_free: usize,
    /// The tag state as stored.
    pub tag_state: u16,
    /// Tags that hold no node.
    pub reserved_tags: usize,
    /// Tags.
    pub tag_count: usize,
    /// Flags as stored.
    pub flags: u32,
    /// The page's own number, where it carries it.
    pub own_number: Option<Pgno>,
    /// 1 to 3, 0 when it is not known.
    pub flush_type: u8,
}

/// The space header of a root.
#[derive(Debug, Clone, Serialize)]
pub struct SpaceDump {
    /// The header can be read.
    pub sound: bool,
    /// It is of the longer kind, with a byte of flags.
    pub flagged: bool,
    /// The root of the tree that the space came from.
    pub parent: Pgno,
    /// Root of the owned extents, when there are several.
    pub owned_root: Option<Pgno>,
    /// Size of the only extent otherwise.
    pub pages: u32,
    /// The free pages in it.
    pub free_bitmap: Option<u32>,
    /// Highest auto-increment value.
    pub auto_increment: Option<u64>,
}

/// The split buffers of a space tree's root: last page and number of pages of each.
#[derive(Debug, Clone, Serialize)]
pub struct SplitBuffers {
    /// They can be read.
    pub sound: bool,
    /// The two runs; empty runs have no page.
    pub runs: [(Pgno, u32); 2],
}

/// Reads a page as it is, without correcting anything.
///
/// # Errors
/// [`PageError`] when the file does not have it or the storage cannot give it.
pub fn read_raw(db: &Database, pgno: Pgno) -> Result<Vec<u8>, PageError> {
    if pgno.is_null() || pgno > db.last_page() {
        return Err(PageError::Beyond);
    }
    let mut bytes = vec![0; db.page_size().bytes()];
    Pages::new(db.storage(), db.page_size()).read(pgno, &mut bytes)?;
    Ok(bytes)
}

/// The bytes of a header page: -1 is the header, 0 its shadow.
///
/// # Errors
/// What the storage says.
pub fn read_header_page(db: &Database, number: i64) -> std::io::Result<Vec<u8>> {
    let size = db.page_size().bytes();
    let mut bytes = vec![0; size];
    let position = u64::try_from(number + 1)
        .unwrap_or_default()
        .min(HEADER_PAGES - 1);
    db.storage()
        .read_exact_at(position * size as u64, &mut bytes)?;
    Ok(bytes)
}

/// Dumps a page.
///
/// # Errors
/// As [`read_raw`]. A damaged page is no error.
pub fn dump_page(db: &Database, pgno: Pgno) -> Result<PageDump, PageError> {
    let bytes = read_raw(db, pgno)?;
    let size = db.page_size();
    let page = Page::new(&bytes, size).expect("read with this page size");
    let verdict = checksum::verify(&bytes, size, pgno);
    let sums = checksum::page_sums(&bytes, size, pgno);
    Ok(PageDump {
        page: pgno,
        checksum: checksums(page, &sums, verdict),
        header: header_fields(page),
        kinds: kinds(page.flags()),
        space: space_of(page),
        split_buffers: split_buffers_of(page),
        tags: tags::tags(page),
        statistics: tags::statistics(page),
        findings: findings(pgno, verdict),
        bytes,
    })
}

fn checksums(page: Page<'_>, sums: &PageSums, verdict: Verdict) -> Checksums {
    let (word, wrong_bit, belongs_to) = match verdict {
        Verdict::Good => ("good", None, None),
        Verdict::Correctable { bit } => ("correctable", Some(bit), None),
        Verdict::Uninitialized => ("uninitialized", None, None),
        Verdict::Bad { belongs_to } => ("bad", None, belongs_to),
    };
    Checksums {
        new_format: page.flags().has_new_checksum(),
        stored: sums.stored,
        computed: sums.computed,
        verdict: word,
        wrong_bit,
        belongs_to,
        logged_data: logged::logged_data(page),
    }
}

fn findings(pgno: Pgno, verdict: Verdict) -> Vec<Finding> {
    let mut place = Place::page(pgno);
    let problem = match verdict {
        Verdict::Good | Verdict::Uninitialized => return Vec::new(),
        Verdict::Correctable { bit } => {
            place.bit = Some(bit);
            Problem::PageCorrectable
        }
        Verdict::Bad { belongs_to: None } => Problem::PageBadChecksum,
        Verdict::Bad { belongs_to } => {
            place.other_page = belongs_to;
            Problem::PageMisplaced
        }
    };
    vec![Finding::new(problem, place)]
}

fn header_fields(page: Page<'_>) -> HeaderFields {
    HeaderFields {
        dbtime: page.dbtime(),
        prev: page.prev(),
        next: page.next(),
        objid: page.objid(),
        free: page.free(),
        uncommitted_free: page.uncommitted_free(),
        mic_free: page.mic_free(),
        tag_state: page.tag_state(),
        reserved_tags: page.reserved_tags(),
        tag_count: page.tag_count(),
        flags: page.flags().bits(),
        own_number: page.own_pgno(),
        flush_type: page.flags().flush_type(),
    }
}

fn kinds(flags: PageFlags) -> Vec<&'static str> {
    const NAMES: [(u32, &str); 13] = [
        (PageFlags::LEAF, "leaf"),
        (PageFlags::PARENT_OF_LEAF, "parent of leaf"),
        (PageFlags::ROOT, "root"),
        (PageFlags::EMPTY, "empty"),
        (PageFlags::PRE_INIT, "pre-init"),
        (PageFlags::SPACE_TREE, "space tree"),
        (PageFlags::REPAIR, "repaired"),
        (PageFlags::INDEX, "index"),
        (PageFlags::NON_UNIQUE, "non-unique"),
        (PageFlags::LONG_VALUE, "long value"),
        (PageFlags::NEW_RECORD_FORMAT, "new record format"),
        (PageFlags::SCRUBBED, "scrubbed"),
        (PageFlags::FDP_DELETE, "tree being deleted"),
    ];
    let set = NAMES.into_iter().filter(|(flag, _)| flags.any(*flag));
    let mut names: Vec<_> = set.map(|(_, name)| name).collect();
    if !flags.is_leaf() {
        names.insert(0, "internal");
    }
    names
}

/// True for the root of an object's tree, which carries its space header; roots of space trees carry
/// split buffers instead.
fn is_object_root(page: Page<'_>) -> bool {
    page.flags().is_root() && !page.flags().is_space_tree()
}

fn space_of(page: Page<'_>) -> Option<SpaceDump> {
    if !is_object_root(page) {
        return None;
    }
    /// Longer than a plain space header: the form that begins with a byte of flags.
    const PLAIN: usize = 16;
    let external = page.external_header();
    let header = SpaceHeader::parse(external);
    let (owned_root, free_bitmap) = match header.map(|header| header.kind()) {
        Some(ExtentKind::Multiple { owned, .. }) => (Some(owned), None),
        Some(ExtentKind::Single { free }) => (None, Some(free)),
        None => (None, None),
    };
    Some(SpaceDump {
        sound: header.is_some(),
        flagged: external.len() > PLAIN,
        parent: header.map(|header| header.parent).unwrap_or_default(),
        owned_root,
        pages: header.map(|header| header.pages).unwrap_or_default(),
        free_bitmap,
        auto_increment: header.and_then(|header| header.auto_increment),
    })
}

fn split_buffers_of(page: Page<'_>) -> Option<SplitBuffers> {
    if !page.flags().is_root() || !page.flags().is_space_tree() {
        return None;
    }
    let buffers = split_buffer(page);
    Some(SplitBuffers {
        sound: buffers.is_some(),
        runs: buffers
            .map(|runs| runs.map(|run| (run.last, run.count)))
            .unwrap_or_default(),
    })
}
