//! The checkpoint file: two copies of 4096 bytes. [log notes chapter 5, verified on 110 files]

use std::io::Cursor;

use binrw::{BinRead as _, BinWrite as _, binrw};
use serde::Serialize;

use super::bytes::{Truncated, slice};
use super::checksum::seal_header;
use super::loghdr::{ATTACH_BYTES, Attachment, Environment, parse_attachments, write_attachments};
use super::stamp::{Lgpos, LogTime, Signature};

/// Bytes of one copy.
pub const CHECKPOINT_BYTES: usize = 4096;
/// Offset of the attachment list.
const ATTACH_OFFSET: usize = 679;

/// Every field of a checkpoint before its attachment list.
#[binrw]
#[brw(little)]
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Checkpoint {
    /// 0: header checksum.
    pub checksum: u32,
    /// 4.
    pub last_full_backup_checkpoint: Lgpos,
    /// 12: where recovery starts.
    pub checkpoint: Lgpos,
    /// 20: identity of the log stream.
    pub sign_log: Signature,
    /// 48.
    pub environment: Environment,
    /// 615.
    pub full_backup: Lgpos,
    /// 623.
    pub full_backup_time: LogTime,
    /// 631.
    pub incremental_backup: Lgpos,
    /// 639.
    pub incremental_backup_time: LogTime,
    /// 647: bit 0: an attachment list is present.
    pub flags: u8,
    /// 648: zero means the same as the checkpoint.
    pub db_consistency: Lgpos,
    /// 656.
    #[serde(skip)]
    pub reserved: [u8; 11],
    /// 667: 4; 0 accepted.
    pub filetype: u32,
    /// 671.
    #[serde(skip)]
    pub reserved2: [u8; 8],
}

impl Checkpoint {
    /// Reads the fields without judging them.
    ///
    /// # Errors
    /// [`Truncated`] when fewer than 679 bytes are given.
    pub fn parse(page: &[u8]) -> Result<Self, Truncated> {
        Self::read(&mut Cursor::new(page)).map_err(|_| Truncated {
            what: "checkpoint",
            offset: 0,
            need: ATTACH_OFFSET,
            have: page.len(),
        })
    }

    /// The databases attached when the checkpoint was written; empty before 8.4000.4.3.
    ///
    /// # Errors
    /// [`Truncated`] when an entry does not fit.
    pub fn attachments(page: &[u8]) -> Result<Vec<Attachment>, Truncated> {
        parse_attachments(slice(
            page,
            ATTACH_OFFSET,
            CHECKPOINT_BYTES
                .min(page.len())
                .saturating_sub(ATTACH_OFFSET)
                .min(ATTACH_BYTES),
            "attachment list",
        )?)
    }

    /// Writes one copy: fields, attachments, checksum.
    pub fn write_to(&self, attachments: &[Attachment], page: &mut [u8]) {
        let mut fields = Cursor::new(Vec::with_capacity(ATTACH_OFFSET));
        self.write(&mut fields).expect("a Vec takes every byte");
        page.fill(0);
        page[..ATTACH_OFFSET].copy_from_slice(fields.get_ref());
        write_attachments(attachments, &mut page[ATTACH_OFFSET..][..ATTACH_BYTES]);
        seal_header(page);
    }
}

#[cfg(test)]
mod tests {
    use super::{CHECKPOINT_BYTES, Checkpoint};

    #[test]
    fn fields_round_trip() {
        let bytes: Vec<u8> = (0..4096u32).map(|at| (at * 17 % 247) as u8).collect();
        let checkpoint = Checkpoint::parse(&bytes).unwrap();
        assert_eq!(checkpoint.flags, bytes[647]);
        assert_eq!(
            checkpoint.filetype,
            u32::from_le_bytes(bytes[667..671].try_into().unwrap())
        );
        let mut page = vec![0; CHECKPOINT_BYTES];
        checkpoint.write_to(&[], &mut page);
        assert_eq!(page[4..679], bytes[4..679]);
        assert!(Checkpoint::attachments(&page).unwrap().is_empty());
        assert!(Checkpoint::parse(&bytes[..100]).is_err());
    }
}
