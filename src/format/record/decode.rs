//! The record view: header, fixed and variable columns.
//!
//! ```text
//!  0       1      2        4                    end                      var                 tagged
//!  +-------+------+--------+-------+------------+------------------------+-------------------+------
//!  | last  | last | end of | fixed | null       | u16 end of each        | variable          | tagged
//!  | fixed | var  | fixed  | ...   | bitmap     | variable column        | columns           | ...
//!  +-------+------+--------+-------+------------+------------------------+-------------------+------
//! ```
//! [format notes 7.1, verified]

use super::fault::RecordFault;
use super::tagged::{Instance, Tagged, TaggedColumns};
use crate::format::bytes::u16_at;
use crate::format::ids::PageSize;
use crate::format::lv::Lid;
use crate::format::page::{Page, PageFlags};
use crate::format::schema::{Fid, FidKind};

/// Bytes of the record header.
const HEADER: usize = 4;
/// Last fixed column id that can be.
const FIXED_MOST: u8 = 127;
/// `fidVarLast` of a record without variable columns: one below the first id.
const VARIABLE_NONE: u8 = 127;
/// Null bit of a variable column's end offset.
const VARIABLE_NULL: u16 = 0x8000;

/// Which of the three tagged layouts a record has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordLayout {
    /// Exchange 5.5: no array, values follow one another. [format notes 7.4]
    Old,
    /// An array; flags for null and header byte in the offsets. Pages up to 8 KiB. [7.5]
    Small,
    /// An array; every value has a header byte. 16 and 32 KiB pages. [7.5]
    Large,
}

impl RecordLayout {
    /// The layout of the records on `page`.
    #[must_use]
    pub fn of_page(page: Page<'_>) -> Self {
        Self::new(
            page.size().is_large(),
            page.flags().any(PageFlags::NEW_RECORD_FORMAT),
        )
    }

    /// From the page size and the page flag.
    #[must_use]
    pub const fn new(large_pages: bool, new_format: bool) -> Self {
        match (new_format, large_pages) {
            (false, _) => Self::Old,
            (true, false) => Self::Small,
            (true, true) => Self::Large,
        }
    }
}

/// What a record says about one of its fixed or variable columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field<'a> {
    /// The record ends before this column: its value is the default, or null without one.
    Absent,
    /// Null.
    Null,
    /// The bytes; a variable column may have none and yet not be null.
    Value(&'a [u8]),
}

impl<'a> Field<'a> {
    /// The bytes, when there are any.
    #[must_use]
    pub const fn value(self) -> Option<&'a [u8]> {
        match self {
            Self::Value(bytes) => Some(bytes),
            Self::Absent | Self::Null => None,
        }
    }
}

/// The last column of each kind that the catalog knows of a table: the template's too for fixed and
/// variable columns, the table's own for tagged ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CatalogLimits {
    /// Last fixed column; 0 when there is none.
    pub fixed: Fid,
    /// Last variable column; 127 when there is none.
    pub variable: Fid,
    /// Last tagged column; 255 when there is none.
    pub tagged: Fid,
}

impl CatalogLimits {
    /// When the catalog is not at hand: every id will do.
    pub const ANY: Self = Self {
        fixed: Fid::new(127),
        variable: Fid::new(255),
        tagged: Fid::new(u16::MAX),
    };
}

/// A record's reference to a separated long value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Separated {
    /// The column.
    pub fid: Fid,
    /// It belongs to the template table.
    pub derived: bool,
    /// Which of the column's values, from 1 on.
    pub itag: u16,
    /// The long value.
    pub lid: Lid,
}

/// A record's bytes with their meaning. The header is checked when it is made; columns are checked
/// one by one as they are read, or all together by [`Record::check`].
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    data: &'a [u8],
    layout: RecordLayout,
    fixed_last: u8,
    variable_last: u8,
    /// End of the fixed data and start of the variable offsets.
    fixed_end: usize,
    tagged_start: usize,
}

impl<'a> Record<'a> {
    /// Reads the header of a record on a page of 16 or 32 KiB (`large_pages`) or less, with or
    /// without the page flag of the new record format.
    ///
    /// # Errors
    /// [`RecordFault`] when header, null bitmap, variable offsets or variable data leave the record.
    pub fn parse(data: &'a [u8], large_pages: bool, new_format: bool) -> Result<Self, RecordFault> {
        Self::with_layout(data, RecordLayout::new(large_pages, new_format))
    }

    /// As [`Record::parse`], with the layout already known.
    ///
    /// # Errors
    /// As [`Record::parse`].
    pub fn with_layout(data: &'a [u8], layout: RecordLayout) -> Result<Self, RecordFault> {
        let (Some([fixed_last, variable_last, low, high]), true) = (
            data.first_chunk::<HEADER>().copied(),
            data.len() <= PageSize::MAX_BYTES,
        ) else {
            return Err(RecordFault::Size);
        };
        if fixed_last > FIXED_MOST {
            return Err(RecordFault::FixedNotInCatalog {
                fid: Fid::new(fixed_last.into()),
                last: Fid::new(FIXED_MOST.into()),
            });
        }
        let fixed_end = usize::from(u16::from_le_bytes([low, high]));
        if fixed_end > data.len() || fixed_end < HEADER + bitmap_len(fixed_last) {
            return Err(RecordFault::NullBitmap);
        }
        // A last variable id below "none" would mean a table of negative length.
        let variables = variable_last
            .checked_sub(VARIABLE_NONE)
            .ok_or(RecordFault::VariableTable)?;
        let data_start = fixed_end + 2 * usize::from(variables);
        if data_start > data.len() {
            return Err(RecordFault::VariableTable);
        }
        let data_len = match variables {
            0 => 0,
            _ => u16_at(data, data_start - 2).unwrap_or_default() & !VARIABLE_NULL,
        };
        let tagged_start = data_start + usize::from(data_len);
        if tagged_start > data.len() {
            return Err(RecordFault::TaggedStart);
        }
        Ok(Self {
            data,
            layout,
            fixed_last,
            variable_last,
            fixed_end,
            tagged_start,
        })
    }

    /// The bytes.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.data
    }

    /// The layout of its tagged columns.
    #[must_use]
    pub const fn layout(&self) -> RecordLayout {
        self.layout
    }

    /// Last fixed column present; 0 when there is none.
    #[must_use]
    pub const fn fixed_last(&self) -> Fid {
        Fid::new(self.fixed_last as u16)
    }

    /// Last variable column present; 127 when there is none.
    #[must_use]
    pub const fn variable_last(&self) -> Fid {
        Fid::new(self.variable_last as u16)
    }

    /// Where the variable offset table starts (`ibEndOfFixedData`).
    #[must_use]
    pub const fn end_of_fixed(&self) -> usize {
        self.fixed_end
    }

    /// Where the null bitmap of the fixed columns starts.
    #[must_use]
    pub const fn null_bits_at(&self) -> usize {
        self.fixed_end - bitmap_len(self.fixed_last)
    }

    /// The fixed columns without their null bitmap.
    #[must_use]
    pub fn fixed_bytes(&self) -> &'a [u8] {
        self.data
            .get(HEADER..self.null_bits_at())
            .unwrap_or_default()
    }

    /// Everything after the variable columns.
    #[must_use]
    pub fn tagged_bytes(&self) -> &'a [u8] {
        self.data.get(self.tagged_start..).unwrap_or_default()
    }

    /// Fixed column `fid`, which the catalog places at `offset` from the record's start.
    ///
    /// # Errors
    /// [`RecordFault::FixedOutside`] when the record says it has the column, but no room for it
    /// there; also when `fid` is no fixed column.
    pub fn fixed(&self, fid: Fid, offset: usize, size: usize) -> Result<Field<'a>, RecordFault> {
        let outside = RecordFault::FixedOutside { fid };
        if fid.kind() != FidKind::Fixed {
            return Err(outside);
        }
        let index = usize::from(fid.get()).checked_sub(1).ok_or(outside)?;
        if fid.get() > u16::from(self.fixed_last) {
            return Ok(Field::Absent);
        }
        let bitmap = self.null_bits_at();
        if self.data[bitmap + index / 8] >> (index % 8) & 1 != 0 {
            return Ok(Field::Null);
        }
        match offset.checked_add(size) {
            Some(end) if offset >= HEADER && end <= bitmap => {
                Ok(Field::Value(&self.data[offset..end]))
            }
            _ => Err(outside),
        }
    }

    /// Variable column `fid`.
    ///
    /// # Errors
    /// [`RecordFault`] when its offsets contradict each other or leave the record; a `fid` that is
    /// no variable column is absent.
    pub fn variable(&self, fid: Fid) -> Result<Field<'a>, RecordFault> {
        if fid.kind() != FidKind::Variable || fid.get() > u16::from(self.variable_last) {
            return Ok(Field::Absent);
        }
        let index = usize::from(fid.get() - Fid::FIRST_VARIABLE.get());
        let at = self.fixed_end + 2 * index;
        let word = u16_at(self.data, at).unwrap_or_default();
        let end = word & !VARIABLE_NULL;
        let start = match index {
            0 => 0,
            _ => u16_at(self.data, at - 2).unwrap_or_default() & !VARIABLE_NULL,
        };
        let len = end
            .checked_sub(start)
            .ok_or(RecordFault::VariableOrder { fid, start, end })?;
        if word & VARIABLE_NULL != 0 {
            return match len {
                0 => Ok(Field::Null),
                _ => Err(RecordFault::VariableNullNotEmpty { fid, len }),
            };
        }
        let variables = usize::from(self.variable_last - VARIABLE_NONE);
        let area = &self.data[self.fixed_end + 2 * variables..];
        let tail = area
            .get(start.into()..)
            .ok_or(RecordFault::VariableOutside { fid, len })?;
        tail.get(..len.into())
            .map(Field::Value)
            .ok_or(RecordFault::VariableTooLong { fid, len })
    }

    /// All variable columns present, in order.
    pub fn variables(&self) -> impl Iterator<Item = (Fid, Result<Field<'a>, RecordFault>)> {
        let record = *self;
        (Fid::FIRST_VARIABLE.get()..=u16::from(self.variable_last))
            .map(Fid::new)
            .map(move |fid| (fid, record.variable(fid)))
    }

    /// All tagged columns in their order. Ends after the first fault.
    #[must_use]
    pub fn tagged(&self) -> TaggedColumns<'a> {
        TaggedColumns::new(self.tagged_bytes(), self.layout)
    }

    /// One tagged column; `None` when the record has no value of its own for it.
    ///
    /// # Errors
    /// The first [`RecordFault`] on the way to it.
    pub fn find_tagged(&self, fid: Fid, derived: bool) -> Result<Option<Tagged<'a>>, RecordFault> {
        for tagged in self.tagged() {
            let tagged = tagged?;
            if tagged.fid == fid && tagged.derived == derived {
                return Ok(Some(tagged));
            }
        }
        Ok(None)
    }

    /// All references to separated values, in the order of columns and values, up to the first
    /// fault of the tagged columns (which [`Record::check`] reports).
    pub fn separated(&self) -> impl Iterator<Item = Separated> {
        self.tagged().map_while(Result::ok).flat_map(|tagged| {
            (1..)
                .zip(tagged.values())
                .filter_map(move |(itag, value)| match value {
                    Instance::Separated(lid) => Some(Separated {
                        fid: tagged.fid,
                        derived: tagged.derived,
                        itag,
                        lid,
                    }),
                    Instance::Intrinsic { .. } => None,
                })
        })
    }

    /// Everything that can be checked without the table's trees, in the engine's order.
    ///
    /// # Errors
    /// The first [`RecordFault`].
    pub fn check(&self, catalog: CatalogLimits) -> Result<(), RecordFault> {
        if self.fixed_last() > catalog.fixed {
            return Err(RecordFault::FixedNotInCatalog {
                fid: self.fixed_last(),
                last: catalog.fixed,
            });
        }
        for (_, field) in self.variables() {
            field?;
        }
        if self.variable_last() > catalog.variable {
            return Err(RecordFault::VariableNotInCatalog {
                fid: self.variable_last(),
                last: catalog.variable,
            });
        }
        let mut own_last = Fid::new(Fid::FIRST_TAGGED.get() - 1);
        for tagged in self.tagged() {
            let tagged = tagged?;
            if !tagged.derived {
                own_last = own_last.max(tagged.fid);
            }
        }
        if own_last > catalog.tagged {
            return Err(RecordFault::TaggedNotInCatalog {
                fid: own_last,
                last: catalog.tagged,
            });
        }
        Ok(())
    }

    /// For a table without a long value tree: no value may be separated.
    ///
    /// # Errors
    /// [`RecordFault::SeparatedUnexpected`].
    pub fn check_nothing_separated(&self) -> Result<(), RecordFault> {
        match self.separated().next() {
            None => Ok(()),
            Some(Separated { fid, itag, lid, .. }) => {
                Err(RecordFault::SeparatedUnexpected { fid, itag, lid })
            }
        }
    }

    /// Longest record that the engine's check lets pass on a page size: what fits into a node with
    /// the smallest key. [format notes 7.2 with a key of 4 bytes]
    #[must_use]
    pub const fn len_most(size: PageSize) -> usize {
        if size.is_large() {
            size.bytes() - 80 - 8 - 4 - 4
        } else {
            size.bytes() - 40 - 8 - 2 - 255
        }
    }
}

const fn bitmap_len(fixed_last: u8) -> usize {
    (fixed_last as usize).div_ceil(8)
}
