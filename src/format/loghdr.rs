//! The header of a log file, the same in the old (7.3704) and new (8.4000) physical format, with
//! the parts it shares with the checkpoint: environment and attachment list.
//!
//! Source: log notes chapter 2, verified on 106 logs.

use std::io::Cursor;

use binrw::{BinRead as _, BinWrite as _, binrw};
use serde::Serialize;

use super::bytes::{Truncated, slice, u16_at, u32_at, u64_at};
use super::checksum::seal_header;
use super::ids::{DbTime, Generation, Objid};
use super::stamp::{Lgpos, LogTime, Signature};
use super::version::NEWEST_LOG;

/// Bytes of a log header.
pub const LOG_HEADER_BYTES: usize = 4096;
/// Bytes of an attachment list.
pub const ATTACH_BYTES: usize = 2048;
/// Offset of the attachment list in a log header.
const ATTACH_OFFSET: usize = 671;
/// Fixed part of one attachment.
const ATTACH_FIXED: usize = 64;

/// The environment that wrote a log or checkpoint, 567 bytes; informational.
#[binrw]
#[brw(little)]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// 0: directory of the checkpoint, ASCII with a zero, lossy.
    pub system_path: PathField,
    /// 261: directory of the logs.
    pub log_path: PathField,
    /// 522: bit 0 circular logging.
    pub flags: u8,
    /// 523.
    pub sessions: u32,
    /// 527.
    pub open_tables: u32,
    /// 531.
    pub version_pages: u32,
    /// 535.
    pub cursors: u32,
    /// 539.
    pub log_buffers: u32,
    /// 543: sectors of a log file.
    pub log_sectors: u32,
    /// 547.
    pub cache_pages: u32,
    /// 551.
    pub reserved: [u8; 16],
}

impl Environment {
    /// The settings of a small program that keeps its files in the current folder.
    #[must_use]
    pub const fn small(log_sectors: u32) -> Self {
        Self {
            system_path: PathField([0; 261]),
            log_path: PathField([0; 261]),
            flags: 0,
            sessions: 16,
            open_tables: 300,
            version_pages: 64,
            cursors: 1024,
            log_buffers: 126,
            log_sectors,
            cache_pages: 512,
            reserved: [0; 16],
        }
    }
}

/// A path of 261 bytes with its terminator.
#[binrw]
#[derive(Clone, PartialEq, Eq)]
pub struct PathField(pub [u8; 261]);

impl PathField {
    /// The text up to the first zero byte; bytes above 127 are shown as replacement characters.
    #[must_use]
    pub fn text(&self) -> String {
        let end = self
            .0
            .iter()
            .position(|byte| *byte == 0)
            .unwrap_or(self.0.len());
        String::from_utf8_lossy(&self.0[..end]).into_owned()
    }
}

impl std::fmt::Debug for PathField {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.text().fmt(f)
    }
}

impl Environment {
    /// Reads the 567 bytes.
    ///
    /// # Errors
    /// [`Truncated`] when there are fewer.
    pub fn parse(bytes: &[u8]) -> Result<Self, Truncated> {
        Self::read(&mut Cursor::new(bytes)).map_err(|_| Truncated {
            what: "environment",
            offset: 0,
            need: 567,
            have: bytes.len(),
        })
    }

    /// True when circular logging was on.
    #[must_use]
    pub const fn circular_logging(&self) -> bool {
        self.flags & 1 != 0
    }
}

impl Serialize for Environment {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct as _;
        let mut out = serializer.serialize_struct("Environment", 10)?;
        out.serialize_field("system_path", &self.system_path.text())?;
        out.serialize_field("log_path", &self.log_path.text())?;
        out.serialize_field("circular_logging", &self.circular_logging())?;
        out.serialize_field("sessions", &self.sessions)?;
        out.serialize_field("open_tables", &self.open_tables)?;
        out.serialize_field("version_pages", &self.version_pages)?;
        out.serialize_field("cursors", &self.cursors)?;
        out.serialize_field("log_buffers", &self.log_buffers)?;
        out.serialize_field("log_sectors", &self.log_sectors)?;
        out.serialize_field("cache_pages", &self.cache_pages)?;
        out.end()
    }
}

/// Every field of a log header before its attachment list. Offsets stand beside the fields.
#[binrw]
#[brw(little)]
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogHeader {
    /// 0: header checksum over 4096 bytes.
    pub checksum: u32,
    /// 4.
    pub generation: Generation,
    /// 8: 512 or 4096 in the old format, 4096 in the new.
    pub sector_size: u16,
    /// 10: sectors of the header.
    pub header_sectors: u16,
    /// 12: sectors of the whole file; the last is never used for records.
    pub file_sectors: u16,
    /// 14: database page size, 0 = 4096.
    pub page_size: u16,
    /// 16.
    pub created: LogTime,
    /// 24: creation of the generation before; zero in generation 1.
    pub prev_created: LogTime,
    /// 32: 7 old, 8 new.
    pub major: u32,
    /// 36: 3704 or 4000.
    pub minor: u32,
    /// 40.
    pub update_major: u32,
    /// 44: identity of the log stream.
    pub sign_log: Signature,
    /// 72.
    pub environment: Environment,
    /// 639: 1 reserve log, 2 circular logging now, 4 circular logging before.
    pub flags: u8,
    /// 640: the checkpoint when the log was made.
    pub checkpoint: Lgpos,
    /// 648.
    pub update_minor: u32,
    /// 652: what the disk's real sector size was.
    pub disk_sector_note: u8,
    /// 653: accumulated segment checksum of the generation before; 0 when unused.
    pub prev_segments_checksum: u64,
    /// 661: engine format version of the writer.
    pub written_by: u32,
    /// 665.
    #[serde(skip)]
    pub reserved: u16,
    /// 667: 3; 0 in very old logs.
    pub filetype: u32,
}

impl LogHeader {
    /// Reads the fields without judging them.
    ///
    /// # Errors
    /// [`Truncated`] when fewer than 671 bytes are given.
    pub fn parse(page: &[u8]) -> Result<Self, Truncated> {
        Self::read(&mut Cursor::new(page)).map_err(|_| Truncated {
            what: "log header",
            offset: 0,
            need: ATTACH_OFFSET,
            have: page.len(),
        })
    }

    /// True for the file types that a log may have: 3, or 0 before the field existed.
    #[must_use]
    pub const fn is_log(&self) -> bool {
        matches!(self.filetype, 0 | 3) && (self.is_old_format() || self.is_new_format())
    }

    /// 7.3704: a byte stream in ranges with an LRCHECKSUM each.
    #[must_use]
    pub const fn is_old_format(&self) -> bool {
        self.major == 7 && self.minor == 3704
    }

    /// 8.4000: segments of 4096 bytes with an ECC checksum each.
    #[must_use]
    pub const fn is_new_format(&self) -> bool {
        self.major == 8 && self.minor == 4000
    }

    /// True when the format is one that the public engine knows (else -514). The update minor is
    /// informational and never refused. [log notes 2.2]
    #[must_use]
    pub const fn version_is_known(&self) -> bool {
        self.is_old_format() || (self.is_new_format() && self.update_major <= NEWEST_LOG.2)
    }

    /// The size that the file must have, in bytes.
    #[must_use]
    pub const fn file_bytes(&self) -> u64 {
        self.sector_size as u64 * self.file_sectors as u64
    }

    /// Writes the fields and the attachments over a 4096-byte page and seals it.
    ///
    /// Attachments beyond the room of the list are left out.
    pub fn write_to(&self, attachments: &[Attachment], page: &mut [u8]) {
        let mut fields = Cursor::new(Vec::with_capacity(ATTACH_OFFSET));
        self.write(&mut fields).expect("a Vec takes every byte");
        page.fill(0);
        page[..ATTACH_OFFSET].copy_from_slice(fields.get_ref());
        write_attachments(attachments, &mut page[ATTACH_OFFSET..][..ATTACH_BYTES]);
        seal_header(page);
    }

    /// The attachment list that follows the fields.
    ///
    /// # Errors
    /// [`Truncated`] when an entry does not fit.
    pub fn attachments(page: &[u8]) -> Result<Vec<Attachment>, Truncated> {
        parse_attachments(slice(page, ATTACH_OFFSET, ATTACH_BYTES, "attachment list")?)
    }
}

/// A database that the log stream knows of. [log notes 2.1, verified]
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Attachment {
    /// Id in log records, 1 to 6.
    pub dbid: u8,
    /// 0x20 names are UTF-16, 0x40 sparse file.
    pub flags: u8,
    /// Database time when the header was written.
    pub dbtime: DbTime,
    /// Highest object id.
    pub objid_last: Objid,
    /// Limit of the database's size in pages; 0 for none.
    pub max_pages: u32,
    /// Where the database was attached.
    pub attached: Lgpos,
    /// Where it was last consistent.
    pub consistent: Lgpos,
    /// Its identity.
    pub sign_db: Signature,
    /// Its path on the server; of several names (database and streaming file) the first.
    pub path: String,
}

/// Flag of an attachment: its names are UTF-16LE.
const NAMES_UTF16: u8 = 0x20;
/// Flag of an attachment: the database is a sparse file.
const SPARSE: u8 = 0x40;

impl Attachment {
    /// True when the database was a sparse file.
    #[must_use]
    pub const fn is_sparse(&self) -> bool {
        self.flags & SPARSE != 0
    }
}

/// Reads an attachment list: entries until a zero id or the end of the list.
///
/// # Errors
/// [`Truncated`] when an entry's names reach beyond the list.
pub fn parse_attachments(list: &[u8]) -> Result<Vec<Attachment>, Truncated> {
    let mut found = Vec::new();
    let mut at = 0;
    while list.get(at).is_some_and(|dbid| *dbid != 0) {
        let fixed = slice(list, at, ATTACH_FIXED, "attachment")?;
        let names_len = usize::from(u16_at(fixed, 2).unwrap_or_default());
        let names = slice(list, at + ATTACH_FIXED, names_len, "attachment names")?;
        let lgpos = |offset: usize| {
            let raw = u64_at(fixed, offset).unwrap_or_default();
            let generation = Generation::new((raw >> 32) as u32);
            Lgpos::new(generation, (raw >> 16) as u16, raw as u16)
        };
        found.push(Attachment {
            dbid: fixed[0],
            flags: fixed[1],
            dbtime: DbTime::new(u64_at(fixed, 4).unwrap_or_default()),
            objid_last: Objid::new(u32_at(fixed, 12).unwrap_or_default()),
            max_pages: u32_at(fixed, 16).unwrap_or_default(),
            attached: lgpos(20),
            consistent: lgpos(28),
            sign_db: Signature::read_le(&mut Cursor::new(&fixed[36..])).unwrap_or_default(),
            path: first_name(names, fixed[1] & NAMES_UTF16 != 0),
        });
        at += ATTACH_FIXED + names_len;
    }
    Ok(found)
}

fn first_name(names: &[u8], utf16: bool) -> String {
    if utf16 {
        let (units, _) = names.as_chunks::<2>();
        let units = units
            .iter()
            .map(|unit| u16::from_le_bytes(*unit))
            .take_while(|unit| *unit != 0);
        return char::decode_utf16(units)
            .map(|c| c.unwrap_or('\u{FFFD}'))
            .collect();
    }
    let end = names
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(names.len());
    String::from_utf8_lossy(&names[..end]).into_owned()
}

/// Writes attachments into a zeroed list; one that does not fit ends the list.
pub fn write_attachments(attachments: &[Attachment], list: &mut [u8]) {
    let mut at = 0;
    for attachment in attachments {
        let names: Vec<u8> = if attachment.flags & NAMES_UTF16 != 0 {
            attachment
                .path
                .encode_utf16()
                .chain([0])
                .flat_map(u16::to_le_bytes)
                .collect()
        } else {
            attachment.path.bytes().chain([0]).collect()
        };
        let Some(entry) = list.get_mut(at..at + ATTACH_FIXED + names.len()) else {
            return;
        };
        entry[0] = attachment.dbid;
        entry[1] = attachment.flags;
        entry[2..4].copy_from_slice(&(names.len() as u16).to_le_bytes());
        let mut fixed = Cursor::new(Vec::with_capacity(60));
        (
            (
                attachment.dbtime,
                attachment.objid_last,
                attachment.max_pages,
            ),
            (
                attachment.attached,
                attachment.consistent,
                attachment.sign_db,
            ),
        )
            .write_le(&mut fixed)
            .expect("a Vec takes every byte");
        entry[4..ATTACH_FIXED].copy_from_slice(fixed.get_ref());
        entry[ATTACH_FIXED..].copy_from_slice(&names);
        at += ATTACH_FIXED + names.len();
    }
}

#[cfg(test)]
mod tests {
    use super::{
        Attachment, DbTime, Generation, LOG_HEADER_BYTES, Lgpos, LogHeader, Objid, Signature,
    };

    fn attachment(path: &str, flags: u8) -> Attachment {
        Attachment {
            dbid: 1,
            flags,
            dbtime: DbTime::new(77),
            objid_last: Objid::new(9),
            max_pages: 0,
            attached: Lgpos::new(Generation::new(3), 2, 1),
            consistent: Lgpos::default(),
            sign_db: Signature {
                random: 5,
                ..Signature::default()
            },
            path: path.into(),
        }
    }

    #[test]
    fn header_and_attachments_round_trip() {
        let bytes: Vec<u8> = (0..4096u32).map(|at| (at * 11 % 249) as u8).collect();
        let header = LogHeader::parse(&bytes).unwrap();
        assert_eq!(
            header.filetype,
            u32::from_le_bytes(bytes[667..671].try_into().unwrap())
        );
        assert_eq!(header.flags, bytes[639]);
        let list = [
            attachment("E:\\db\\priv1.edb", 0x20),
            attachment("D:\\x.edb", 0),
        ];
        let mut page = vec![0; LOG_HEADER_BYTES];
        header.write_to(&list, &mut page);
        assert_eq!(page[4..671], bytes[4..671]);
        assert_eq!(LogHeader::attachments(&page).unwrap(), list);
    }

    #[test]
    fn hostile_lists_end_in_an_error() {
        let mut page = vec![0; LOG_HEADER_BYTES];
        page[671] = 1;
        page[673..675].copy_from_slice(&u16::MAX.to_le_bytes());
        assert!(LogHeader::attachments(&page).is_err());
        assert!(LogHeader::parse(&page[..600]).is_err());
        page[671..671 + 2048].fill(1);
        assert!(LogHeader::attachments(&page).is_err());
    }
}
