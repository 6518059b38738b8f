//! The trailer ("patch") page that an online backup appends to a database file.
//!
//! Shaped like a page header with everything zero but the checksum (header method), then the
//! fields. The generations from 120 on are zero in older files. [format notes 11.1; verified on
//! `backup-*` and a Windows dhcp.mdb]

use std::io::Cursor;

use binrw::{BinWrite as _, binrw};
use serde::Serialize;

use super::bytes::{Truncated, u32_at};
use super::checksum::{header_is_good, seal_header};
use super::dbheader::DbHeader;
use super::ids::Generation;
use super::stamp::{BackupInfo, LogTime, Signature};

/// Bytes with a meaning.
const FIELDS_END: usize = 148;

/// The fields of a trailer page.
#[binrw]
#[brw(little)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Trailer {
    /// 0: header checksum.
    pub checksum: u32,
    /// 4 to 39: zero.
    #[serde(skip)]
    pub reserved: [u8; 36],
    /// 40: the backup.
    pub backup: BackupInfo,
    /// 64: must be the database's.
    pub sign_db: Signature,
    /// 92: must be the database's.
    pub sign_log: Signature,
    /// 120: generations that recovery of this copy needs; they override the header's.
    pub required_low: Generation,
    /// 124.
    pub required_high: Generation,
    /// 128.
    pub committed_high: Generation,
    /// 132.
    pub required_high_time: LogTime,
    /// 140.
    pub committed_high_time: LogTime,
}

impl Trailer {
    /// True when the last page of a file looks like a trailer page (as Eseutil's `/k` tells it: no
    /// page number, no dbtime, no object id). It may still have a wrong checksum.
    #[must_use]
    pub fn looks_like(page: &[u8]) -> bool {
        [4, 8, 12, 24]
            .into_iter()
            .all(|at| u32_at(page, at) == Some(0))
    }

    /// Reads a trailer page whose checksum is right; `None` for any other page.
    #[must_use]
    pub fn read(page: &[u8]) -> Option<Self> {
        (Self::looks_like(page) && header_is_good(page)).then(|| Self::parse(page).ok())?
    }

    /// Reads the fields without judging them.
    ///
    /// # Errors
    /// [`Truncated`] when the page is shorter than the fields.
    pub fn parse(page: &[u8]) -> Result<Self, Truncated> {
        <Self as binrw::BinRead>::read(&mut Cursor::new(page)).map_err(|_| Truncated {
            what: "trailer page",
            offset: 0,
            need: FIELDS_END,
            have: page.len(),
        })
    }

    /// True when it was written by the backup that copied the database with this header. \[engine source\]
    #[must_use]
    pub fn is_of(&self, header: &DbHeader) -> bool {
        self.sign_db == header.sign_db
            && self.sign_log == header.sign_log
            && self.backup.mark == header.backup_full_cur.mark
    }

    /// True when any of the fields from 120 on is set.
    #[must_use]
    pub fn has_generations(&self) -> bool {
        [self.required_low, self.required_high, self.committed_high]
            .iter()
            .any(|g| g.get() != 0)
            || self.required_high_time.is_set()
            || self.committed_high_time.is_set()
    }

    /// Fills a whole page with the fields and seals it.
    pub fn write_to(&self, page: &mut [u8]) {
        let mut fields = Cursor::new(Vec::with_capacity(FIELDS_END));
        self.write(&mut fields).expect("a Vec takes every byte");
        page.fill(0);
        page[..FIELDS_END].copy_from_slice(fields.get_ref());
        seal_header(page);
    }
}

#[cfg(test)]
mod tests {
    use super::Trailer;

    #[test]
    fn what_is_written_is_read_back() {
        let mut trailer = Trailer::parse(&[0; 200]).unwrap();
        trailer.required_high = super::Generation::new(6);
        trailer.sign_db.random = 99;
        let mut page = vec![0xFF; 4096];
        trailer.write_to(&mut page);
        let again = Trailer::read(&page).unwrap();
        assert_eq!((again.required_high.get(), again.sign_db.random), (6, 99));
        assert!(again.has_generations());
        page[500] ^= 1;
        assert_eq!(Trailer::read(&page), None);
        assert!(Trailer::parse(&[0; 100]).is_err());
    }
}
