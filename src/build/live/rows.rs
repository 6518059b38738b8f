//! A table for the live writer, and its rows as keys and records.

use super::LiveError;
use crate::build::index;
use crate::build::schema::{Column, Index, Row, Table};
use crate::build::values::{self, Parts};
use crate::format::ids::PageSize;
use crate::format::keys::IndexRules;
use crate::format::record::encode::FixedSlot;
use crate::format::schema::{Coltyp, Fid};

/// Makes rows of one table: a name, which is the key, two numbers that may be changed by sums, and a body.
pub struct LiveRows {
    table: Table,
    rules: IndexRules,
    slots: Vec<FixedSlot>,
    columns: [Fid; 4],
    page_size: PageSize,
}

impl LiveRows {
    /// Offset of the number of 32 bits in a record.
    pub const COUNT_OFFSET: u16 = 4;
    /// Offset of the number of 64 bits in a record.
    pub const SUM_OFFSET: u16 = 8;

    /// A table with a first extent of `pages` pages: up to 32, and its root alone knows which are free; more, and it has
    /// trees for that.
    #[must_use]
    pub fn new(name: &str, pages: u32, page_size: PageSize) -> Self {
        let mut table = Table::new(name);
        let count = table.add(Column::fixed("count", Coltyp::Long));
        let sum = table.add(Column::fixed("sum", Coltyp::Currency));
        let key = table.add(Column::variable("name", Coltyp::Binary));
        let body = table.add(Column::tagged("body", Coltyp::LongBinary));
        table.primary(Index::new("pk").ascending(key));
        table.pages = pages;
        table.intrinsic_most = page_size.bytes();
        let rules = table
            .primary
            .as_ref()
            .map(|index| index::rules(&table, index));
        let rules = rules.unwrap_or_else(|| index::rules(&table, &Index::new("pk").ascending(key)));
        Self {
            slots: values::slots(&table),
            rules,
            table,
            columns: [count, sum, key, body],
            page_size,
        }
    }

    /// The table, for the builder.
    #[must_use]
    pub fn table(&self) -> Table {
        self.table.clone()
    }

    /// A row, for the builder.
    #[must_use]
    pub fn row(&self, name: &[u8], count: i32, sum: i64, body: &[u8]) -> Row {
        let [count_fid, sum_fid, key, body_fid] = self.columns;
        Row::new()
            .set(count_fid, count.to_le_bytes())
            .set(sum_fid, sum.to_le_bytes())
            .set(key, name)
            .set(body_fid, body)
    }

    /// A row as it lies in the tree: key and record.
    ///
    /// # Errors
    /// [`LiveError::Build`] when a value is too long.
    pub fn node(
        &self,
        name: &[u8],
        count: i32,
        sum: i64,
        body: &[u8],
    ) -> Result<(Vec<u8>, Vec<u8>), LiveError> {
        let row = self.row(name, count, sum, body);
        let (mut key, mut record) = (Vec::new(), Vec::new());
        if let Some(primary) = &self.table.primary {
            index::primary_key(&self.table, (primary, &self.rules), &row, &mut key)?;
        }
        Parts::new(&self.table, &row).encode(&self.slots, self.page_size, &mut record)?;
        Ok((key, record))
    }
}
