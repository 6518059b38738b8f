//! What pages tell of the format of their database: each clue is something that no database before a certain update of
//! the format has.

use std::collections::BTreeSet;

use serde::Serialize;

use super::inventory::{Inventory, PageContent};
use crate::db::catalog::CatalogRow;
use crate::db::space::SpaceHeader;
use crate::db::{Database, PageBytes};
use crate::format::ids::{Objid, Pgno};
use crate::format::keys::DEFAULT_KEY_MOST;
use crate::format::lv::LvKey;
use crate::format::page::{Page, PageFlags};
use crate::format::schema::CatalogType;

/// Roots looked at, at most; those of the first objects.
const ROOTS: usize = 8192;
/// Further pages looked at, spread over all objects.
const PAGES: usize = 1024;
/// Bytes of the key of an available extent that names its pool. [format notes 5.4]
const POOLED_KEY: usize = 5;

/// Something that only databases from an update of the format on have. [format notes 12.1, 12.2; where the notes name no
/// update for a catalog column, the oldest database of the corpus that has it]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Clue {
    /// 2: a page in use.
    Page,
    /// 7: four bytes for each column of an index.
    WideSegments,
    /// 9: records with the newer layout of tagged columns.
    NewRecords,
    /// 0xB: checksums that correct a bit.
    NewChecksum,
    /// 0xC: the catalog knows the length of keys.
    KeyMost,
    /// 0xC: an index with keys above 255 bytes.
    LongKeys,
    /// 0xD: the catalog knows space hints.
    SpaceHints,
    /// 0xD: a space header of version 2.
    SpaceHeader2,
    /// 0xE: available pages in pools.
    Pools,
    /// 0x11: large pages with the newer checksum.
    LargePages,
    /// 0x12: the catalog knows the names of locales.
    LocaleNames,
    /// 0x14: tables of object ids or of locales.
    SystemTables,
    /// 30: a root that keeps more than its space.
    FlaggedHeader,
    /// 70: long value ids of 8 bytes.
    WideLids,
    /// 270: reserved tags.
    ReservedTags,
}

impl Clue {
    /// The first update that has it.
    #[must_use]
    pub const fn since(self) -> u32 {
        match self {
            Self::Page => 2,
            Self::WideSegments => 7,
            Self::NewRecords => 9,
            Self::NewChecksum => 0xB,
            Self::KeyMost | Self::LongKeys => 0xC,
            Self::SpaceHints | Self::SpaceHeader2 => 0xD,
            Self::Pools => 0xE,
            Self::LargePages => 0x11,
            Self::LocaleNames => 0x12,
            Self::SystemTables => 0x14,
            Self::FlaggedHeader => 30,
            Self::WideLids => 70,
            Self::ReservedTags => 270,
        }
    }
}

/// All clues of a database.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Clues {
    /// What was seen.
    pub seen: BTreeSet<Clue>,
    /// Pages looked at.
    pub pages: u64,
    /// Of these, pages with the old checksum.
    pub old_checksums: u64,
    /// True when the rows that describe the catalog itself were among them, so that a column that is not in `seen` is
    /// not there.
    pub catalog_described: bool,
}

impl Clues {
    /// Looks at the roots of trees, at the leaves of both catalogs, and at a sample of all other pages in use.
    pub(super) fn collect(db: &Database, inventory: &Inventory) -> Self {
        let mut clues = Self::default();
        let mut numbers = BTreeSet::new();
        let contents = [
            PageContent::Data,
            PageContent::LongValues,
            PageContent::Index,
            PageContent::Space,
        ];
        let roots = inventory.objects().flat_map(|objid| {
            let of = move |content| inventory.roots(objid, content);
            contents.into_iter().flat_map(of)
        });
        numbers.extend(roots.take(ROOTS));
        let last = u64::from(inventory.last_page().get());
        numbers.extend((0..PAGES as u64).map(|step| {
            // Page numbers have 32 bits, so that the product has room.
            Pgno::new((1 + step * last / PAGES as u64) as u32)
        }));
        for objid in [Objid::CATALOG, Objid::CATALOG_SHADOW] {
            let pages = inventory.pages_of(objid).iter();
            numbers.extend(pages.map(|pgno| Pgno::new(*pgno)));
        }
        let mut bytes = PageBytes::new(db.page_size());
        for pgno in numbers {
            if let Ok(page) = db.read(pgno, &mut bytes) {
                clues.page(page);
            }
        }
        clues
    }

    /// The lowest update that all clues allow; 0 without any.
    #[must_use]
    pub fn least(&self) -> u32 {
        self.seen.iter().map(|clue| clue.since()).max().unwrap_or(0)
    }

    fn saw(&mut self, clue: Clue, seen: bool) {
        if seen {
            self.seen.insert(clue);
        }
    }

    fn page(&mut self, page: Page<'_>) {
        let flags = page.flags();
        if page.objid() == Objid::default() {
            return;
        }
        self.pages += 1;
        self.saw(Clue::Page, true);
        let new = flags.has_new_checksum();
        self.saw(Clue::NewChecksum, new);
        self.saw(Clue::LargePages, new && page.size().is_large());
        if !new {
            self.old_checksums += 1;
        }
        self.saw(Clue::NewRecords, flags.any(PageFlags::NEW_RECORD_FORMAT));
        if flags.any(PageFlags::EMPTY | PageFlags::PRE_INIT | PageFlags::FDP_DELETE) {
            return;
        }
        self.saw(Clue::ReservedTags, page.tag_state() >> 12 & 7 != 0);
        if flags.is_space_tree() {
            let pooled = flags.is_leaf()
                && page
                    .nodes()
                    .flatten()
                    .any(|node| node.key_len() == POOLED_KEY);
            self.saw(Clue::Pools, pooled);
            return;
        }
        if flags.is_root() {
            self.root(page);
        }
        if !flags.is_leaf() {
            return;
        }
        if flags.any(PageFlags::LONG_VALUE) {
            let first = page.nodes().flatten().next();
            let wide = first.is_some_and(|node| {
                LvKey::of_node(&node).is_ok_and(|key| key.lid.record_len() == size_of::<u64>())
            });
            self.saw(Clue::WideLids, wide);
        }
        if [Objid::CATALOG, Objid::CATALOG_SHADOW].contains(&page.objid()) {
            for node in page.nodes().flatten() {
                if let Ok(row) = CatalogRow::parse(node.data, page)
                    && !node.flags.is_deleted()
                {
                    self.row(&row);
                }
            }
        }
    }

    fn root(&mut self, page: Page<'_>) {
        let external = page.external_header();
        let Some(space) = SpaceHeader::parse(external) else {
            return;
        };
        self.saw(Clue::SpaceHeader2, space.is_version_2());
        self.saw(Clue::FlaggedHeader, SpaceHeader::is_flagged(external));
    }

    fn row(&mut self, row: &CatalogRow) {
        match row.kind {
            CatalogType::Column if row.table == Objid::CATALOG => {
                self.catalog_described = true;
                let clue = match row.name.as_str() {
                    "KeyMost" => Clue::KeyMost,
                    "SpaceHints" => Clue::SpaceHints,
                    "LocaleName" => Clue::LocaleNames,
                    _ => return,
                };
                self.saw(clue, true);
            }
            CatalogType::Table => {
                let newer = ["MSysObjids", "MSysLocales"].contains(&row.name.as_str());
                self.saw(Clue::SystemTables, newer);
            }
            CatalogType::Index => {
                self.saw(Clue::WideSegments, row.has_wide_segments() == Some(true));
                let long = row
                    .key_most
                    .is_some_and(|most| usize::from(most) > DEFAULT_KEY_MOST);
                self.saw(Clue::LongKeys, long);
            }
            _ => {}
        }
    }
}
