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

#[cfg(test)]
mod tests {
    use super::{PackedFrom, SpaceHints};
    use crate::format::ids::PageSize;

    #[test]
    fn packed_numbers_start_where_the_kind_of_row_says() {
        let mut packed = vec![1];
        packed.extend(7_u32.to_le_bytes());
        packed.extend(9_u32.to_le_bytes());
        let table = SpaceHints::unpack(90, &packed, PackedFrom::Flags);
        assert_eq!((table.initial_density, table.initial_bytes), (90, 0));
        assert_eq!((table.flags, table.maintenance_density), (7, 9));
        let index = SpaceHints::unpack(90, &packed, PackedFrom::Initial);
        assert_eq!((index.initial_bytes, index.flags), (7, 9));
        let deferred = SpaceHints::unpack(90, &packed, PackedFrom::Density);
        assert_eq!((deferred.initial_density, deferred.initial_bytes), (7, 9));
        // Another version, or a number cut short, says nothing.
        assert_eq!(
            SpaceHints::unpack(90, &[2, 7, 0, 0, 0], PackedFrom::Flags).flags,
            0
        );
        assert_eq!(
            SpaceHints::unpack(90, &[1, 7, 0, 0], PackedFrom::Flags).flags,
            0
        );
    }

    #[test]
    fn zero_stands_for_the_default() {
        let mut hints = SpaceHints::default();
        hints.fill(2, true, PageSize::K8);
        assert_eq!((hints.initial_bytes, hints.growth), (16384, 100));
        assert_eq!((hints.min_extent, hints.max_extent), (32768, 131_072));
        let mut by_page = SpaceHints {
            flags: 1,
            ..SpaceHints::default()
        };
        by_page.fill(1, false, PageSize::K8);
        assert_eq!((by_page.min_extent, by_page.max_extent), (8192, 8192));
    }
}
