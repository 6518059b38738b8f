//! `sd_table`: security descriptors, shared by the rows that have them. `[directory rules 8, 9, 10]`

use std::collections::BTreeMap;
use std::io;

use md5::{Digest as _, Md5};

use super::columns::RoleTable;
use super::findings::Findings;
use super::judge::{Balance, Lost};
use crate::format::record::ColumnChange;
use crate::format::store::security::check_descriptor;
use crate::format::value::Hex;
use crate::store::finding::{Change, FindingSeverity, Found, RowRef};
use crate::store::profile::DirectoryRule;
use crate::store::rows::{Unread, View};

/// A hash that differs from the right one in no more bits than this is itself damaged; if the value were, about
/// half of the 128 would differ. `[directory rules 9]`
const BITS_MOST: u32 = 24;

/// A descriptor. Memory: some 100 bytes each.
pub(super) struct Descriptor {
    row: RowRef,
    stored: i64,
    /// Rows that have it.
    pub used: i64,
}

/// All descriptors.
#[derive(Default)]
pub(super) struct Descriptors {
    pub by_id: BTreeMap<i64, Descriptor>,
    /// Values of rows that are no known id.
    pub missing: u64,
    pub rows: u64,
    pub unread: Unread,
}

impl Descriptors {
    /// Reads the table and judges what concerns it alone.
    pub fn read(
        view: &View<'_>,
        table: RoleTable<'_>,
        findings: &mut Findings,
    ) -> io::Result<Self> {
        let mut all = Self::default();
        let columns = table.columns(["sd_id", "sd_hash", "sd_refcount", "sd_value"]);
        let mut values_seen: BTreeMap<[u8; 16], i64> = BTreeMap::new();
        let unread = view.rows(table.table, &columns, &mut |row| {
            all.rows += 1;
            let values = row.values;
            let here = RowRef {
                table: table.store.objid,
                ordinal: row.ordinal,
                key: row.key.to_vec(),
            };
            let Some(id) = values.int(0) else {
                findings.found(
                    DirectoryRule::SdRef,
                    Found::row(here, "sd_id is null".to_owned()),
                );
                return Ok(());
            };
            match values.first(3) {
                None => {
                    let detail = values.fault(3).unwrap_or("it has no value").to_owned();
                    findings.found(DirectoryRule::SdValid, Found::row(here.clone(), detail));
                }
                Some(value) => match check_descriptor(value) {
                    Err(fault) => {
                        let found = Found::row(here.clone(), fault.to_string());
                        findings.found(DirectoryRule::SdValid, found);
                    }
                    Ok(()) => {
                        let md5: [u8; 16] = Md5::digest(value).into();
                        let hash = hash(&here, values.first(1), md5, table);
                        if let Some(found) = hash {
                            findings.found(DirectoryRule::SdHash, found);
                        }
                        if let Some(other) = values_seen.insert(md5, id) {
                            let detail = format!("it is the same as that of sd_id {other}");
                            findings.found(DirectoryRule::SdHash, Found::row(here.clone(), detail));
                        }
                    }
                },
            }
            let descriptor = Descriptor {
                row: here.clone(),
                stored: values.int(2).unwrap_or_default(),
                used: 0,
            };
            if all.by_id.insert(id, descriptor).is_some() {
                let detail = format!("sd_id {id} is that of another row");
                findings.found(DirectoryRule::SdRef, Found::row(here, detail));
            }
            Ok(())
        })?;
        all.unread = unread;
        Ok(all)
    }

    /// Counts a value of a row; what is wrong with it.
    pub fn refer(&mut self, value: &[u8]) -> Option<(DirectoryRule, String)> {
        let Ok(id) = <[u8; 8]>::try_from(value) else {
            // A descriptor in the row itself.
            return check_descriptor(value)
                .err()
                .map(|fault| (DirectoryRule::SdValid, fault.to_string()));
        };
        let id = i64::from_le_bytes(id);
        match self.by_id.get_mut(&id) {
            Some(descriptor) => {
                descriptor.used += 1;
                None
            }
            None => {
                self.missing += 1;
                Some((DirectoryRule::SdRef, format!("sd_id {id} is not there")))
            }
        }
    }

    /// Compares counts, when all rows have been seen.
    ///
    /// `lost.count` does not matter: values that are no known id were counted here.
    pub fn counts(
        &self,
        view: &View<'_>,
        table: RoleTable<'_>,
        lost: Lost,
        findings: &mut Findings,
    ) {
        let lost = Lost {
            count: self.missing,
            ..lost
        };
        let mut balance = Balance::default();
        for descriptor in self.by_id.values() {
            balance.add(descriptor.stored.saturating_sub(descriptor.used));
        }
        for descriptor in self.by_id.values() {
            let (stored, used) = (descriptor.stored, descriptor.used);
            let row = descriptor.row.clone();
            if stored == used {
                if used == 0 && !lost.unread {
                    let mut found = Found::row(row, "nobody uses it".to_owned());
                    // If it is this run that has made the count zero, that must be looked at first.
                    let is_as_stored = view
                        .amendments
                        .and_then(|all| all.get(descriptor.row.table, &descriptor.row.key))
                        .is_none();
                    if is_as_stored {
                        found = found.fixed_by("Deleting this row", Change::Drop);
                    }
                    findings.found(DirectoryRule::SdUnused, found.careful());
                }
                continue;
            }
            let surplus = stored.saturating_sub(used);
            let detail = format!("sd_refcount is {stored}, should be {used}");
            // Of references that name nobody some may have been to this one.
            if let Some(why) = lost.explains(surplus).filter(|_| surplus > 0) {
                let found = Found::row(row, format!("{detail}: {why}"));
                findings.found(DirectoryRule::SdRef, found.only(FindingSeverity::Note));
                continue;
            }
            let mut found = Found::row(row, detail);
            let column = table.column("sd_refcount");
            let bytes = column.and_then(|column| column.encode_int(used));
            if let (Some(column), Some(bytes), true) = (column, bytes, lost.is_nothing()) {
                let change = ColumnChange {
                    fid: column.fid,
                    derived: column.derived,
                    values: vec![bytes],
                };
                found = found.fixed_by(
                    format!("Fixed sd_refcount to {used}"),
                    Change::Set(vec![change]),
                );
            }
            if lost.doubtful || balance.is_even(surplus) {
                found = found.careful();
            }
            findings.found(DirectoryRule::SdRef, found);
        }
    }
}

fn hash(
    row: &RowRef,
    stored: Option<&[u8]>,
    right: [u8; 16],
    table: RoleTable<'_>,
) -> Option<Found> {
    let differing = match stored {
        None => 0,
        Some(stored) if stored == right => return None,
        Some(stored) if stored.len() != right.len() => BITS_MOST + 1,
        Some(stored) => {
            let pairs = stored.iter().zip(&right);
            pairs.map(|(one, other)| (one ^ other).count_ones()).sum()
        }
    };
    let shown = stored.map_or_else(|| "null".to_owned(), |stored| Hex(stored).to_string());
    let detail = format!("sd_hash is {shown}, MD5 is {}", Hex(&right));
    let found = Found::row(row.clone(), detail);
    let column = table.column("sd_hash").filter(|_| differing <= BITS_MOST);
    let Some(column) = column else {
        // The value may be what is damaged: its hash must not bless it.
        return Some(found);
    };
    let change = ColumnChange {
        fid: column.fid,
        derived: column.derived,
        values: vec![right.to_vec()],
    };
    Some(found.fixed_by("Fixed sd_hash", Change::Set(vec![change])))
}
