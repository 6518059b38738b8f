//! An undo file of any bytes, as they are, and with the checksums of its headers and entries mended: it is opened,
//! compared with the files that it may name, and restored.
#![no_main]

use std::path::Path;

use exutil::format::undofile::{
    ENTRIES_AT, HEAD_BYTES, SLOT_BYTES, SLOTS, Slot, UndoHeader, UndoStatus, body_len,
};
use exutil::storage::MemoryDisk;
use exutil::undo::{UndoFile, settle};
use libfuzzer_sys::fuzz_target;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

const PATH: &str = "/d/a.undo";
/// Files of a length that the memory has room for.
const LEN_MOST: u64 = 1 << 20;
const SUM_BYTES: usize = 8;

fn run(bytes: &[u8]) {
    let files = [
        (PATH, bytes),
        ("/d/a", &[7; 3000]),
        ("/d/b", &b"short"[..]),
        ("/d/a.aside", &[1; 600]),
    ];
    let disk = MemoryDisk::new(files.map(|(path, bytes)| (path.into(), bytes.to_vec())));
    let path = Path::new(PATH);
    let _ = UndoFile::glance(&disk, path);
    let Ok(mut undo) = UndoFile::open(&disk, path) else {
        assert!(settle(&disk, path).is_err());
        assert_eq!(disk.files()[path], bytes, "it was changed");
        return;
    };
    let _ = (undo.created(), undo.operation().len());
    if undo.files().iter().any(|file| file.before_len > LEN_MOST) {
        let _ = undo.check();
        return;
    }
    let _ = undo.check();
    let before = disk.files();
    for force in [false, true] {
        if undo.restore(force).is_ok() {
            return;
        }
        if !force {
            assert_eq!(
                disk.files(),
                before,
                "it was refused, but something changed"
            );
        }
    }
}

/// Seals the headers, and the entries as far as they can be told from one another.
fn mend(bytes: &mut [u8]) {
    let mut identity = 0;
    for slot in SLOTS {
        let Some(slot) = bytes.get_mut(slot as usize..slot as usize + SLOT_BYTES) else {
            return;
        };
        let (fields, sum) = slot.split_at_mut(SLOT_BYTES - SUM_BYTES);
        sum.copy_from_slice(&xxh3_64(fields).to_le_bytes());
        if let Slot::Good(header) = UndoHeader::parse(slot) {
            identity = header.identity;
        }
    }
    mend_entries(bytes, identity);
}

fn mend_entries(bytes: &mut [u8], identity: u64) {
    let mut at = ENTRIES_AT as usize;
    while let Some(entry) = bytes.get_mut(at..) {
        let Some(head) = entry.first_chunk::<HEAD_BYTES>() else {
            return;
        };
        let Some(len) = body_len(head).filter(|len| HEAD_BYTES + len <= entry.len()) else {
            return;
        };
        let sum_at = HEAD_BYTES - SUM_BYTES;
        let mut hasher = Xxh3::with_seed(identity.wrapping_add(at as u64));
        hasher.update(&entry[..sum_at]);
        hasher.update(&entry[HEAD_BYTES..HEAD_BYTES + len]);
        entry[sum_at..HEAD_BYTES].copy_from_slice(&hasher.digest().to_le_bytes());
        at += HEAD_BYTES + len;
    }
}

fuzz_target!(|data: &[u8]| {
    run(data);
    let mut mended = data.to_vec();
    mend(&mut mended);
    run(&mended);
    // Short inputs are entries behind a header of ours, too.
    let header = UndoHeader {
        sequence: 1,
        status: UndoStatus::Sealed,
        identity: 7,
        created: 0,
        end: 0,
        operation: "p a".to_owned(),
    };
    let mut whole = vec![0; ENTRIES_AT as usize];
    whole[SLOTS[1] as usize..][..SLOT_BYTES].copy_from_slice(&header.bytes());
    whole.extend(data);
    mend_entries(&mut whole, header.identity);
    run(&whole);
});
