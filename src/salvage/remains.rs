//! What survives in header copies whose checksum is wrong: fields that are plausible by themselves.

use serde::Serialize;

use crate::format::dbheader::{DbHeader, HEADER_BYTES, MAGIC};
use crate::format::ids::{DbTime, Objid, PageSize};
use crate::format::stamp::{LogTime, Signature};
use crate::format::version::DB_VERSION;
use crate::storage::Storage;

/// `filetype` of a database. [format notes 1.5]
pub(super) const FILETYPE_DATABASE: u32 = 1;
/// Of magic, version, page size and file type so many must be right for a copy to be looked at.
const MARKS: usize = 3;
/// Updates up to here are numbered one by one, later ones in tens. [format notes 12.1]
const COUNTED_SINGLY: u32 = 20;
/// No update of the format has a number as high; the newest known one is 300.
const UPDATES_BELOW: u32 = 1000;
/// No minor update, and no engine version, has a number as high.
const MINORS_BELOW: u32 = 100_000;
/// Nobody repairs a database more often.
const REPAIRS_BELOW: u32 = 100_000;
/// How far object ids and times may be ahead of what any page shows: what they were given for is gone.
const OBJIDS_AHEAD: u32 = 1 << 20;
const TIMES_AHEAD: u64 = 1 << 36;
/// Years that a clock can have shown.
const YEARS: std::ops::RangeInclusive<u16> = 1993..=2100;

/// A field of the header that was taken over from a damaged copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeptField {
    /// `update_major`.
    UpdateMajor,
    /// `update_minor` and the version of the engine that attached it last, with it.
    UpdateMinor,
    /// `create_version` and `create_update`.
    Creation,
    /// `dbtime`, when it is ahead of every page.
    DbTime,
    /// `objid_last`, when it is ahead of every page.
    ObjidLast,
    /// `sign_db`.
    SignDb,
    /// `sign_log`.
    SignLog,
    /// `sign_flush_map`: a flush map beside the database can then be told to belong to it.
    SignFlushMap,
    /// `os_version`.
    OsVersion,
    /// The flags: no shadow catalog, streaming file.
    Flags,
    /// Count and time of repairs.
    Repairs,
    /// Version of the Unicode sort order.
    SortVersion,
}

/// The header copies of a storage that still look like ones, the primary before the shadow. `missing` pages are not in
/// front of the file.
pub(super) fn copies(storage: &dyn Storage, size: PageSize, missing: i64) -> Vec<DbHeader> {
    let mut copies = Vec::new();
    for place in 0..2 {
        let Ok(at) = u64::try_from(place - missing) else {
            continue;
        };
        let mut bytes = [0; HEADER_BYTES];
        let offset = at.saturating_mul(size.bytes() as u64);
        if storage.read_exact_at(offset, &mut bytes).is_err() {
            continue;
        }
        let Ok(header) = DbHeader::parse(&bytes) else {
            continue;
        };
        let marks = [
            header.magic == MAGIC,
            header.version == DB_VERSION,
            header.page_size == size.header_value(),
            header.filetype == FILETYPE_DATABASE,
        ];
        if marks.into_iter().filter(|right| *right).count() >= MARKS {
            copies.push(header);
        }
    }
    copies
}

/// Fields of damaged copies, taken one by one.
pub(super) struct Remains<'r> {
    pub copies: &'r [DbHeader],
    pub kept: Vec<KeptField>,
}

impl Remains<'_> {
    /// The value of the first copy that has a plausible one.
    fn field<T: PartialEq>(
        &self,
        get: impl Fn(&DbHeader) -> T,
        plausible: impl Fn(&T) -> bool,
    ) -> Option<T> {
        self.copies.iter().map(get).find(|value| plausible(value))
    }

    fn keep<T: PartialEq>(
        &mut self,
        into: &mut T,
        field: KeptField,
        get: impl Fn(&DbHeader) -> T,
        plausible: impl Fn(&T) -> bool,
    ) {
        if let Some(value) = self.field(get, plausible) {
            *into = value;
            self.kept.push(field);
        }
    }

    /// Takes over what can be believed. `least` is the lowest update that the pages allow; `header` holds what the pages
    /// tell.
    pub fn take(&mut self, header: &mut DbHeader, least: u32) {
        let own_time = header.dbtime.get();
        let own_objid = header.objid_last.get();
        let update = |major: u32| {
            (1..=COUNTED_SINGLY).contains(&major)
                || (COUNTED_SINGLY..UPDATES_BELOW).contains(&major) && major.is_multiple_of(10)
        };
        let majors = |copy: &DbHeader| copy.update_major;
        if let Some(major) = self.field(majors, |major| *major >= least && update(*major)) {
            header.update_major = major;
            self.kept.push(KeptField::UpdateMajor);
            let minors = |copy: &DbHeader| (copy.update_major, copy.update_minor, copy.attached_by);
            let of_major = |(copy, minor, engine): &(u32, u32, u32)| {
                *copy == major && *minor < MINORS_BELOW && *engine < MINORS_BELOW
            };
            // They belong to that number and to no other.
            (header.update_minor, header.attached_by) = (0, 0);
            if let Some((_, minor, engine)) = self.field(minors, of_major) {
                (header.update_minor, header.attached_by) = (minor, engine);
                self.kept.push(KeptField::UpdateMinor);
            }
            header.create_update = header.create_update.min(major);
        }
        let major = header.update_major;
        let creation = |copy: &DbHeader| (copy.create_version, copy.create_update);
        let created = |(version, number): &(u32, u32)| {
            *version == DB_VERSION && *number <= major && update(*number)
        };
        if let Some((version, number)) = self.field(creation, created) {
            (header.create_version, header.create_update) = (version, number);
            self.kept.push(KeptField::Creation);
        }
        self.keep(
            &mut header.dbtime,
            KeptField::DbTime,
            |copy| copy.dbtime,
            |time: &DbTime| time.get() > own_time && time.get() - own_time < TIMES_AHEAD,
        );
        self.keep(
            &mut header.objid_last,
            KeptField::ObjidLast,
            |copy| copy.objid_last,
            |objid: &Objid| objid.get() > own_objid && objid.get() - own_objid < OBJIDS_AHEAD,
        );
        self.keep(
            &mut header.sign_db,
            KeptField::SignDb,
            |copy| copy.sign_db,
            is_signature,
        );
        self.keep(
            &mut header.sign_log,
            KeptField::SignLog,
            |copy| copy.sign_log,
            is_signature,
        );
        self.keep(
            &mut header.sign_flush_map,
            KeptField::SignFlushMap,
            |copy| copy.sign_flush_map,
            is_signature,
        );
        self.keep(
            &mut header.os_version,
            KeptField::OsVersion,
            |copy| copy.os_version,
            |version| matches!(version, [4..=20, 0..=9, 1000..=99_999, 0..=999]),
        );
        self.keep(
            &mut header.flags,
            KeptField::Flags,
            |copy| copy.flags,
            // The known bits and no other. [format notes 1.3]
            |flags| *flags != [0; 4] && flags[0] & !7 == 0 && flags[1..3] == [0; 2],
        );
        let repairs =
            |copy: &DbHeader| (copy.repair_count, copy.repair_time, copy.repair_count_old);
        let repaired = |(count, time, old): &(u32, LogTime, u32)| {
            *count < REPAIRS_BELOW
                && *old < REPAIRS_BELOW
                && is_time(*time, *count == 0)
                && (*count, *old) != (0, 0)
        };
        if let Some((count, time, old)) = self.field(repairs, repaired) {
            (header.repair_count, header.repair_time) = (count, time);
            header.repair_count_old = old;
            self.kept.push(KeptField::Repairs);
        }
        self.keep(
            &mut header.sort_version,
            KeptField::SortVersion,
            |copy| copy.sort_version,
            // Six bytes at most are used. [format notes 1.3]
            |version| *version != 0 && *version >> 48 == 0,
        );
    }
}

/// A time that a clock can have shown; or none, where that is allowed.
fn is_time(time: LogTime, may_be_unset: bool) -> bool {
    let [seconds, minutes, hours, day, month, ..] = time.0;
    if !time.is_set() {
        return may_be_unset;
    }
    seconds < 60
        && minutes < 60
        && hours < 24
        && (1..=31).contains(&day)
        && (1..=12).contains(&month)
        && YEARS.contains(&time.year())
}

fn is_signature(sign: &Signature) -> bool {
    sign.random != 0
        && is_time(sign.created, false)
        && sign
            .computer
            .iter()
            .all(|byte| *byte == 0 || (b' '..=b'~').contains(byte))
}

#[cfg(test)]
mod tests {
    use super::{KeptField, Remains, copies, is_signature};
    use crate::format::dbheader::DbHeader;
    use crate::format::ids::{DbTime, Objid, PageSize};
    use crate::format::stamp::{LogTime, Signature};
    use crate::storage::Memory;

    fn header() -> DbHeader {
        let mut header = DbHeader::empty();
        header.page_size = 8192;
        header.filetype = 1;
        header.update_major = 290;
        header.update_minor = 600;
        header.create_version = 0x620;
        header.create_update = 20;
        header.dbtime = DbTime::new(5000);
        header.objid_last = Objid::new(30);
        header.sign_db = Signature {
            random: 7,
            created: LogTime::utc((2020, 2, 3), (4, 5, 6), 7),
            computer: [0; 16],
        };
        header
    }

    fn taken(copies: &[DbHeader], least: u32) -> (DbHeader, Vec<KeptField>) {
        let mut made = DbHeader::empty();
        made.update_major = least;
        made.dbtime = DbTime::new(4000);
        made.objid_last = Objid::new(29);
        let mut remains = Remains {
            copies,
            kept: Vec::new(),
        };
        remains.take(&mut made, least);
        (made, remains.kept)
    }

    #[test]
    fn whole_fields_are_taken_over() {
        let (made, kept) = taken(&[header()], 20);
        assert_eq!((made.update_major, made.update_minor), (290, 600));
        assert_eq!(made.sign_db, header().sign_db);
        assert_eq!(made.dbtime.get(), 5000);
        assert_eq!(made.objid_last.get(), 30);
        assert_eq!(
            kept,
            [
                KeptField::UpdateMajor,
                KeptField::UpdateMinor,
                KeptField::Creation,
                KeptField::DbTime,
                KeptField::ObjidLast,
                KeptField::SignDb,
            ]
        );
    }

    #[test]
    fn what_cannot_be_is_left() {
        let mut bad = header();
        bad.update_major = 291;
        bad.create_version = 0x621;
        bad.dbtime = DbTime::new(u64::MAX);
        bad.objid_last = Objid::new(28);
        bad.sign_db.created.0[4] = 13;
        bad.repair_count = u32::MAX;
        let (made, kept) = taken(&[bad.clone()], 20);
        assert_eq!((made.update_major, kept), (20, vec![]));
        // The other copy still has them.
        let (made, kept) = taken(&[bad, header()], 20);
        assert_eq!((made.update_major, kept.len()), (290, 6));
        // An update that the pages contradict.
        let mut old = header();
        old.update_major = 9;
        assert_eq!(taken(&[old], 20).0.update_major, 20);
    }

    #[test]
    fn copies_need_their_marks() {
        let size = PageSize::K8;
        let mut page = vec![0; size.bytes()];
        header().write_to(&mut page);
        page[700] = 9;
        let file = [page.clone(), page.clone()].concat();
        let found = |bytes: &[u8], missing| {
            copies(&Memory::new(bytes.to_vec()), PageSize::K8, missing).len()
        };
        assert_eq!(found(&file, 0), 2);
        assert_eq!(found(&file[size.bytes()..], 1), 1);
        assert_eq!(found(&file, 2), 0);
        assert_eq!(found(&file[..600], 0), 0);
        let mut marred = file;
        marred[4] = 0;
        assert_eq!(found(&marred, 0), 2);
        marred[8] = 0;
        assert_eq!(found(&marred, 0), 1);
        assert_eq!(found(&vec![0; 100_000], 0), 0);
    }

    #[test]
    fn signatures_have_a_time_and_a_name() {
        let mut sign = header().sign_db;
        assert!(is_signature(&sign));
        sign.computer[0] = 1;
        assert!(!is_signature(&sign));
        assert!(!is_signature(&Signature::default()));
    }
}
