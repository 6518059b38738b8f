//! Space hints: how a tree is to be filled and how it is to grow. [format notes 6.8]

use serde::Serialize;

use crate::db::catalog::CatalogRow;
use crate::format::bytes::u32_at;
use crate::format::ids::PageSize;

/// Version byte of the packed form.
const PACKED_VERSION: u8 = 1;
/// Pages by which a small tree grows. [engine]
const SMALL_GROWTH: u32 = 4;
/// Pages of a secondary extent. [engine]
const DEFAULT_EXTENT: u32 = 16;
/// Fill factor when nothing is said. [engine]
const DEFAULT_DENSITY: u32 = 80;
/// An index takes its space from its table, page by page.
const UTILIZE_PARENT_SPACE: u32 = 0x1;

/// Space hints with the defaults filled in, as the dump shows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct SpaceHints {
    /// Fill factor of the first load, in percent.
    pub initial_density: u32,
    /// Size at creation, in bytes.
    pub initial_bytes: u32,
    /// Flags.
    pub flags: u32,
    /// Fill factor below which defragmentation merges, in percent.
    pub maintenance_density: u32,
    /// Growth in percent of the last extent.
    pub growth: u32,
    /// Smallest extent, in bytes.
    pub min_extent: u32,
    /// Largest extent, in bytes.
    pub max_extent: u32,
}

/// Where the packed numbers start in the public structure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PackedFrom {
    Density,
    Initial,
    Flags,
}

impl SpaceHints {
    /// Hints of a table; `template` is the template of a derived one.
    #[must_use]
    pub fn of_table(row: &CatalogRow, template: Option<&CatalogRow>, size: PageSize) -> Self {
        let mut hints = match template.filter(|_| row.space_hints.is_empty()) {
            // A derived table without hints has its template's, the size at creation too where that
            // is more than the least. [verified: clean-4k mm /v]
            Some(template) => Self {
                initial_bytes: match template.pages_or_locale {
                    0 | 1 => 0,
                    pages => pages.saturating_mul(size.header_value()),
                },
                ..Self::unpack(
                    template.space_usage,
                    &template.space_hints,
                    PackedFrom::Flags,
                )
            },
            None => Self::unpack(row.space_usage, &row.space_hints, PackedFrom::Flags),
        };
        hints.fill(row.pages_or_locale, true, size);
        hints
    }

    /// Hints of an index; a derived secondary index has those of its template's index.
    #[must_use]
    pub fn of_index(row: &CatalogRow, template: Option<&CatalogRow>, size: PageSize) -> Self {
        let from = template.unwrap_or(row);
        let mut hints = Self::unpack(from.space_usage, &from.space_hints, PackedFrom::Initial);
        hints.fill(1, false, size);
        hints
    }

    /// Hints of a long value tree.
    #[must_use]
    pub fn of_long_values(row: &CatalogRow, size: PageSize) -> Self {
        let mut hints = Self::unpack(row.space_usage, &row.space_hints, PackedFrom::Initial);
        hints.fill(0, false, size);
        hints
    }

    /// Hints that a table keeps for its long value tree, where it has any.
    #[must_use]
    pub fn deferred(row: &CatalogRow) -> Option<Self> {
        (!row.deferred_lv_hints.is_empty())
            .then(|| Self::unpack(row.space_usage, &row.deferred_lv_hints, PackedFrom::Density))
    }

    fn unpack(density: u32, packed: &[u8], from: PackedFrom) -> Self {
        let mut fields = [density, 0, 0, 0, 0, 0, 0];
        if let Some((&PACKED_VERSION, numbers)) = packed.split_first() {
            let start = match from {
                PackedFrom::Density => 0,
                PackedFrom::Initial => 1,
                PackedFrom::Flags => 2,
            };
            for (index, field) in fields[start..].iter_mut().enumerate() {
                *field = u32_at(numbers, 4 * index).unwrap_or(*field);
            }
        }
        let [
            initial_density,
            initial_bytes,
            flags,
            maintenance_density,
            growth,
            min_extent,
            max_extent,
        ] = fields;
        Self {
            initial_density,
            initial_bytes,
            flags,
            maintenance_density,
            growth,
            min_extent,
            max_extent,
        }
    }

    /// Puts the defaults where zero stands for them. [engine]
    fn fill(&mut self, initial_pages: u32, table: bool, size: PageSize) {
        let page = size.header_value();
        let by_page = !table && self.flags & UTILIZE_PARENT_SPACE != 0;
        let default = |field: &mut u32, value: u32| {
            if *field == 0 {
                *field = value;
            }
        };
        default(&mut self.initial_bytes, initial_pages.saturating_mul(page));
        default(&mut self.maintenance_density, DEFAULT_DENSITY);
        default(&mut self.growth, 100);
        let (least, most) = if by_page {
            (1, 1)
        } else {
            (SMALL_GROWTH, DEFAULT_EXTENT)
        };
        default(&mut self.min_extent, least * page);
        default(&mut self.max_extent, most * page);
    }
}
