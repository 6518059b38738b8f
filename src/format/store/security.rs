//! Self-relative security descriptors and SIDs, as the `sd_table` and `objectSid` of a directory
//! hold them. [directory rules 10, 11; measured on three databases]
//!
//! ```text
//! descriptor  0 revision 1, 2 control (u16), 4 owner, 8 group, 12 SACL, 16 DACL (u32 offsets, 0: none)
//! ACL         0 revision 2 or 4, 2 size (u16), 4 number of ACEs (u16), 8 ACEs
//! ACE         0 type, 2 size (u16), 4 mask; then by type
//! SID         0 revision 1, 1 number k of subauthorities, 2 authority (6), 8 k times u32
//! ```
//!
//! Bytes that nothing points to, behind the parts or between them, are allowed.

use super::super::bytes::{u16_at, u32_at};

const HEADER: usize = 20;
/// Four bytes that stand before the descriptor of a directory's root. [directory rules 10]
const ROOT_PREFIX: [u8; 4] = [0x0F, 0, 0, 0];
const SELF_RELATIVE: u16 = 0x8000;
const ACL_HEADER: usize = 8;
const ACE_HEADER: usize = 4;
/// Where the SID or the flags of an ACE begin.
const ACE_BODY: usize = 8;
const SID_HEADER: usize = 8;
const SUBAUTHORITIES_MOST: u8 = 15;

/// What is wrong with a SID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SidFault {
    /// The revision is not 1.
    #[error("its revision is {0}")]
    Revision(u8),
    /// More than 15 subauthorities.
    #[error("it has {0} subauthorities, 15 are the most")]
    Subauthorities(u8),
    /// Fewer bytes than it needs, or, for a SID that stands alone, more.
    #[error("{need} bytes are needed, {have} are there")]
    Length {
        /// Bytes that it should have.
        need: usize,
        /// Bytes at hand.
        have: usize,
    },
}

/// A part of a descriptor that its header points to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// The owner's SID.
    Owner,
    /// The group's SID.
    Group,
    /// What is audited.
    Sacl,
    /// Who may do what.
    Dacl,
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Owner => "owner",
            Self::Group => "group",
            Self::Sacl => "SACL",
            Self::Dacl => "DACL",
        })
    }
}

/// What is wrong with a security descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DescriptorFault {
    /// Fewer bytes than a header.
    #[error("a descriptor has at least 20 bytes, not {0}")]
    Length(usize),
    /// The revision is not 1.
    #[error("its revision is {0}")]
    Revision(u8),
    /// The control flags do not say that it is self-relative.
    #[error("it is not self-relative, its control flags are {0:#06x}")]
    NotSelfRelative(u16),
    /// A part within the header, or outside of the descriptor.
    #[error("its {part} is at offset {offset}, which is not inside")]
    Offset {
        /// Which part.
        part: Part,
        /// The stored offset, in bytes.
        offset: u32,
    },
    /// A bad owner or group.
    #[error("its {part} is no SID: {fault}")]
    Sid {
        /// Which part.
        part: Part,
        /// Why.
        fault: SidFault,
    },
    /// An ACL is there, but the control flags deny it.
    #[error("it has a {part}, its control flags {control:#06x} say that it has none")]
    NotPresent {
        /// Which ACL.
        part: Part,
        /// The control flags.
        control: u16,
    },
    /// The revision of an ACL is neither 2 nor 4.
    #[error("the revision of its {part} is {revision}")]
    AclRevision {
        /// Which ACL.
        part: Part,
        /// The stored revision.
        revision: u8,
    },
    /// An ACL that is smaller than its header or goes on behind the end.
    #[error("the size of its {part} is {size}, there is room for {room}")]
    AclSize {
        /// Which ACL.
        part: Part,
        /// The stored size in bytes.
        size: u16,
        /// Bytes from its beginning to the end of the descriptor.
        room: usize,
    },
    /// An ACE that begins behind the end of its ACL, has an odd size, or goes on behind the end.
    #[error("the size of entry {index} of its {part} is {size}, there is room for {room}")]
    AceSize {
        /// Which ACL.
        part: Part,
        /// The entry, from 0.
        index: u16,
        /// The stored size in bytes; 0 when it has none.
        size: u16,
        /// Bytes from its beginning to the end of the ACL.
        room: usize,
    },
    /// An ACE that ends before its SID, or holds a bad one.
    #[error("entry {index} of its {part} has no SID: {fault}")]
    AceSid {
        /// Which ACL.
        part: Part,
        /// The entry, from 0.
        index: u16,
        /// Why.
        fault: SidFault,
    },
}

/// Checks the SID at the front of `bytes`; what follows it is let be. Its length in bytes.
fn sid_at_front(bytes: &[u8]) -> Result<usize, SidFault> {
    let have = bytes.len();
    let (Some([revision, count]), true) = (bytes.first_chunk(), have >= SID_HEADER) else {
        let need = SID_HEADER;
        return Err(SidFault::Length { need, have });
    };
    if *revision != 1 {
        return Err(SidFault::Revision(*revision));
    }
    if *count > SUBAUTHORITIES_MOST {
        return Err(SidFault::Subauthorities(*count));
    }
    let need = SID_HEADER + 4 * usize::from(*count);
    if have < need {
        return Err(SidFault::Length { need, have });
    }
    Ok(need)
}

/// Checks a SID that fills `bytes`. The order of its last subauthority's bytes, which a directory
/// turns around, does not matter here. [directory rules 11]
///
/// # Errors
/// [`SidFault`].
pub fn check_sid(bytes: &[u8]) -> Result<(), SidFault> {
    let (need, have) = (sid_at_front(bytes)?, bytes.len());
    if have != need {
        return Err(SidFault::Length { need, have });
    }
    Ok(())
}

/// Checks a security descriptor, with or without the 4 bytes that stand before that of the root.
///
/// # Errors
/// The first [`DescriptorFault`], in the order owner, group, SACL, DACL.
pub fn check_descriptor(bytes: &[u8]) -> Result<(), DescriptorFault> {
    let bytes = match bytes.strip_prefix(&ROOT_PREFIX) {
        Some(rest) if rest.len() >= HEADER && rest.first() == Some(&1) => rest,
        _ => bytes,
    };
    let length = DescriptorFault::Length(bytes.len());
    let header: &[u8; HEADER] = bytes.first_chunk().ok_or(length)?;
    if header[0] != 1 {
        return Err(DescriptorFault::Revision(header[0]));
    }
    let control = u16_at(header, 2).ok_or(length)?;
    if control & SELF_RELATIVE == 0 {
        return Err(DescriptorFault::NotSelfRelative(control));
    }
    for (part, at, present) in [
        (Part::Owner, 4, None),
        (Part::Group, 8, None),
        (Part::Sacl, 12, Some(0x10)),
        (Part::Dacl, 16, Some(0x04)),
    ] {
        let offset = u32_at(header, at).ok_or(length)?;
        if offset == 0 {
            continue;
        }
        if present.is_some_and(|bit| control & bit == 0) {
            return Err(DescriptorFault::NotPresent { part, control });
        }
        let outside = DescriptorFault::Offset { part, offset };
        let rest = usize::try_from(offset)
            .ok()
            .filter(|start| *start >= HEADER)
            .and_then(|start| bytes.get(start..))
            .filter(|rest| !rest.is_empty())
            .ok_or(outside)?;
        if present.is_some() {
            check_acl(part, rest, outside)?;
        } else {
            sid_at_front(rest).map_err(|fault| DescriptorFault::Sid { part, fault })?;
        }
    }
    Ok(())
}

/// Checks the ACL at the front of `bytes`, which go on to the end of the descriptor. `outside` is
/// the fault of one without room for its header.
fn check_acl(part: Part, bytes: &[u8], outside: DescriptorFault) -> Result<(), DescriptorFault> {
    let header: &[u8; ACL_HEADER] = bytes.first_chunk().ok_or(outside)?;
    let revision = header[0];
    if !matches!(revision, 2 | 4) {
        return Err(DescriptorFault::AclRevision { part, revision });
    }
    let [size, count] = [2, 4].map(|at| u16::from_le_bytes([header[at], header[at + 1]]));
    let mut rest = bytes
        .get(..usize::from(size))
        .and_then(|acl| acl.get(ACL_HEADER..))
        .ok_or(DescriptorFault::AclSize {
            part,
            size,
            room: bytes.len(),
        })?;
    for index in 0..count {
        let size = u16_at(rest, 2).unwrap_or(0);
        let (ace, behind) = rest
            .split_at_checked(usize::from(size))
            .filter(|_| usize::from(size) >= ACE_HEADER && size.is_multiple_of(4))
            .ok_or(DescriptorFault::AceSize {
                part,
                index,
                size,
                room: rest.len(),
            })?;
        check_ace(ace).map_err(|fault| DescriptorFault::AceSid { part, index, fault })?;
        rest = behind;
    }
    Ok(())
}

/// Checks the SID of an ACE. Types 0 to 3 have it behind the mask; 5 to 8 have flags there and a
/// GUID for each of the flags 1 and 2 before it; nothing is asked of others. [directory rules 10]
fn check_ace(ace: &[u8]) -> Result<(), SidFault> {
    let have = ace.len();
    let at = match ace.first() {
        Some(0..=3) => ACE_BODY,
        Some(5..=8) => {
            let need = ACE_BODY + 4;
            let flags = u32_at(ace, ACE_BODY).ok_or(SidFault::Length { need, have })?;
            need + 16 * (flags & 3).count_ones() as usize
        }
        _ => return Ok(()),
    };
    let need = at + SID_HEADER;
    let sid = ace.get(at..).ok_or(SidFault::Length { need, have })?;
    sid_at_front(sid).map(|_| ())
}

#[cfg(test)]
mod tests;
