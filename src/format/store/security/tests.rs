use super::super::testing::batter;
use super::{DescriptorFault, Part, SidFault, check_descriptor, check_sid};

/// S-1-5-32-544.
const ADMINS: [u8; 16] = [1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x20, 2, 0, 0];
/// S-1-5-18.
const SYSTEM: [u8; 12] = [1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0];

fn ace(kind: u8, body: &[&[u8]]) -> Vec<u8> {
    let body = body.concat();
    let size = u16::try_from(4 + body.len()).expect("short").to_le_bytes();
    [&[kind, 0, size[0], size[1]], &body[..]].concat()
}

fn acl(revision: u8, aces: &[Vec<u8>]) -> Vec<u8> {
    let body = aces.concat();
    let size = u16::try_from(8 + body.len()).expect("short").to_le_bytes();
    let count = u8::try_from(aces.len()).expect("few");
    let header = [revision, 0, size[0], size[1], count, 0, 0, 0];
    [&header, &body[..]].concat()
}

const OWNER: usize = 20;
const GROUP: usize = OWNER + ADMINS.len();
const SACL: usize = GROUP + SYSTEM.len();
/// An ACL of one audit entry for `SYSTEM`.
const DACL: usize = SACL + 8 + 8 + SYSTEM.len();
/// Its second entry, which has two GUIDs.
const SECOND: usize = DACL + 8 + 8 + ADMINS.len();

/// A descriptor with everything in it, and a byte behind it.
fn sample() -> Vec<u8> {
    let mask = [0xFF, 1, 0xF, 0];
    let sacl = acl(2, &[ace(2, &[&mask, &SYSTEM])]);
    let dacl = acl(
        4,
        &[
            ace(0, &[&mask, &ADMINS]),
            ace(5, &[&mask, &[3, 0, 0, 0], &[7; 32], &SYSTEM]),
            ace(6, &[&mask, &[2, 0, 0, 0], &[7; 16], &SYSTEM]),
            ace(9, &[]),
        ],
    );
    let mut bytes = vec![1, 0, 0x14, 0x80];
    for offset in [OWNER, GROUP, SACL, DACL] {
        bytes.extend_from_slice(&u32::try_from(offset).expect("short").to_le_bytes());
    }
    for part in [&ADMINS[..], &SYSTEM[..], &sacl, &dacl, &[0xEE]] {
        bytes.extend_from_slice(part);
    }
    bytes
}

#[test]
fn sound_descriptors() {
    let bytes = sample();
    assert_eq!(check_descriptor(&bytes), Ok(()));
    let root = [&[0x0F, 0, 0, 0], &bytes[..]].concat();
    assert_eq!(check_descriptor(&root), Ok(()), "the root's");
    let mut empty = [0; 20];
    empty[0] = 1;
    empty[3] = 0x80;
    assert_eq!(check_descriptor(&empty), Ok(()), "no parts");
    let root = [&[0x0F, 0, 0, 0], &empty[..]].concat();
    assert_eq!(check_descriptor(&root), Ok(()));
    // The control flags may announce an ACL that is not there.
    empty[2] = 0x14;
    assert_eq!(check_descriptor(&empty), Ok(()));
}

#[test]
fn each_fault_of_a_descriptor() {
    let sample = sample();
    let end = sample.len();
    let fault = |at: usize, byte: u8| {
        let mut bytes = sample.clone();
        bytes[at] = byte;
        check_descriptor(&bytes).expect_err("a fault")
    };
    assert_eq!(
        check_descriptor(&sample[..19]),
        Err(DescriptorFault::Length(19))
    );
    assert_eq!(fault(0, 2), DescriptorFault::Revision(2));
    assert_eq!(fault(0, 0x0F), DescriptorFault::Revision(0x0F));
    assert_eq!(fault(3, 0), DescriptorFault::NotSelfRelative(0x0014));
    for (at, part) in [
        (4, Part::Owner),
        (8, Part::Group),
        (12, Part::Sacl),
        (16, Part::Dacl),
    ] {
        let offset = 19;
        assert_eq!(fault(at, 19), DescriptorFault::Offset { part, offset });
        let mut bytes = sample.clone();
        bytes[at + 3] = 0xFF;
        let result = check_descriptor(&bytes).expect_err("far outside");
        assert!(matches!(result, DescriptorFault::Offset { part: found, .. } if found == part));
        let last = u8::try_from(end).expect("short");
        assert!(matches!(fault(at, last), DescriptorFault::Offset { .. }));
    }
    let (part, control) = (Part::Sacl, 0x8004);
    assert_eq!(fault(2, 4), DescriptorFault::NotPresent { part, control });
    let (part, control) = (Part::Dacl, 0x8010);
    assert_eq!(
        fault(2, 0x10),
        DescriptorFault::NotPresent { part, control }
    );
    for (at, part) in [(OWNER, Part::Owner), (GROUP, Part::Group)] {
        let sid = |fault| DescriptorFault::Sid { part, fault };
        assert_eq!(fault(at, 3), sid(SidFault::Revision(3)));
        assert_eq!(fault(at + 1, 16), sid(SidFault::Subauthorities(16)));
    }
    let short = check_descriptor(&sample[..GROUP - 1]).expect_err("a cut owner");
    let (need, have) = (16, 15);
    assert_eq!(
        short,
        DescriptorFault::Sid {
            part: Part::Owner,
            fault: SidFault::Length { need, have }
        }
    );
}

#[test]
fn each_fault_of_a_list() {
    let sample = sample();
    let room = sample.len() - DACL;
    let fault = |at: usize, byte: u8| {
        let mut bytes = sample.clone();
        bytes[at] = byte;
        check_descriptor(&bytes).expect_err("a fault")
    };
    let (part, revision) = (Part::Sacl, 3);
    assert_eq!(
        fault(SACL, 3),
        DescriptorFault::AclRevision { part, revision }
    );
    let part = Part::Dacl;
    let size = u16::try_from(room + 1).expect("short");
    assert_eq!(
        fault(DACL + 2, size as u8),
        DescriptorFault::AclSize { part, size, room }
    );
    let size = 7;
    assert_eq!(
        fault(DACL + 2, 7),
        DescriptorFault::AclSize { part, size, room }
    );
    // One entry more than there are.
    let (index, size) = (4, 0);
    assert_eq!(
        fault(DACL + 4, 5),
        DescriptorFault::AceSize {
            part,
            index,
            size,
            room: 0
        }
    );
    for byte in [0, 3, 25, 0xFC] {
        let result = fault(DACL + 8 + 2, byte);
        let size = u16::from(byte);
        assert!(
            matches!(result, DescriptorFault::AceSize { index: 0, size: found, .. } if found == size),
            "{result}"
        );
    }
    let sid = |index, fault| DescriptorFault::AceSid { part, index, fault };
    assert_eq!(fault(DACL + 8 + 8, 2), sid(0, SidFault::Revision(2)));
    assert_eq!(
        fault(DACL + 8 + 9, 3),
        sid(0, SidFault::Length { need: 20, have: 16 })
    );
    // One GUID less than there are: its bytes are no SID.
    assert_eq!(fault(SECOND + 8, 1), sid(1, SidFault::Revision(7)));
    assert_eq!(
        sid(1, SidFault::Revision(7)).to_string(),
        "entry 1 of its DACL has no SID: its revision is 7"
    );
    // The entry without a body would have flags if it were of type 5, and a SID if of type 0.
    let last = sample.len() - 1 - 4;
    let have = 4;
    let short = |need| sid(3, SidFault::Length { need, have });
    assert_eq!(fault(last, 5), short(12));
    assert_eq!(fault(last, 0), short(16));
}

#[test]
fn sids() {
    assert_eq!(check_sid(&ADMINS), Ok(()));
    assert_eq!(check_sid(&[1, 0, 0, 0, 0, 0, 0, 5]), Ok(()));
    let length = |need, have| Err(SidFault::Length { need, have });
    assert_eq!(check_sid(&[]), length(8, 0));
    assert_eq!(check_sid(&ADMINS[..7]), length(8, 7));
    assert_eq!(check_sid(&ADMINS[..15]), length(16, 15));
    assert_eq!(check_sid(&[&ADMINS[..], &[0]].concat()), length(16, 17));
    let mut bytes = ADMINS;
    bytes[0] = 0;
    assert_eq!(check_sid(&bytes), Err(SidFault::Revision(0)));
    bytes[..2].copy_from_slice(&[1, 16]);
    assert_eq!(check_sid(&bytes), Err(SidFault::Subauthorities(16)));
}

#[test]
fn nothing_panics() {
    let sample = sample();
    batter(&sample, |bytes| {
        let _ = check_descriptor(bytes);
    });
    let root = [&[0x0F, 0, 0, 0], &sample[..]].concat();
    batter(&root, |bytes| {
        let _ = check_descriptor(bytes);
    });
    batter(&ADMINS, |bytes| {
        let _ = check_sid(bytes);
    });
}
