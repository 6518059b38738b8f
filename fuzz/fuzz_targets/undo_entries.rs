//! The entries of an undo file, sound each by itself and odd together: plans, lengths, ranges, names. What can be opened is
//! restored, and then every file is there or not, and is as the entries say that it was.
#![no_main]

#[path = "shared/input.rs"]
mod input;

use std::path::{Path, PathBuf};

use exutil::format::undofile::{
    AsideEntry, ENTRIES_AT, FileEntry, RangeEntry, SLOT_BYTES, SLOTS, UndoEntry, UndoHeader,
    UndoPlan, UndoStatus, sectors, start_hash, write_entry,
};
use exutil::storage::MemoryDisk;
use exutil::undo::UndoFile;
use input::Input;
use libfuzzer_sys::fuzz_target;

const PATH: &str = "/d/a.undo";
/// Files of a length that the memory has room for.
const LEN_MOST: u64 = 1 << 20;
const NAMES: [&[u8]; 8] = [
    b"a", b"b", b"c/d", b"a.aside", b"a.new", b"a.undo", b"../b", b"",
];
const PLANS: [UndoPlan; 5] = [
    UndoPlan::Change,
    UndoPlan::Create,
    UndoPlan::Replace,
    UndoPlan::Remove,
    UndoPlan::Aside,
];
const STATUSES: [UndoStatus; 4] = [
    UndoStatus::Sealed,
    UndoStatus::Complete,
    UndoStatus::Restored,
    UndoStatus::Unsealed,
];

impl Input<'_> {
    /// Small ones, those near the end of the numbers, and lengths of files that are there.
    fn number(&mut self) -> u64 {
        let low = u64::from(self.byte());
        match low % 8 {
            0 => 3000,
            1 => 600,
            2 => u64::MAX - u64::from(self.byte()),
            3 => u64::from(self.byte()) << (self.byte() % 64),
            4 => u64::from(self.byte()),
            _ => low + (u64::from(self.byte()) << 8),
        }
    }

    fn name(&mut self) -> Vec<u8> {
        let byte = usize::from(self.byte());
        match NAMES.get(byte % 16) {
            Some(name) => name.to_vec(),
            None => (0..byte / 16).map(|_| self.byte()).collect(),
        }
    }

    fn entry(&mut self) -> UndoEntry {
        match self.byte() % 8 {
            0..3 => {
                let plan = PLANS[usize::from(self.byte()) % PLANS.len()];
                let relative = self.name();
                UndoEntry::File(FileEntry {
                    plan,
                    before_len: self.number(),
                    after_len: self.number(),
                    after_hash: if self.byte() % 2 == 0 {
                        start_hash(&[7; 3000])
                    } else {
                        self.number()
                    },
                    absolute: [b"/d/", &relative[..]].concat(),
                    relative: if self.byte() % 2 == 0 {
                        relative
                    } else {
                        Vec::new()
                    },
                    aside: (plan == UndoPlan::Aside).then(|| AsideEntry {
                        aside: self.name(),
                        new_file: self.name(),
                        before_hash: start_hash(&[1; 600]),
                        modified: self.number(),
                    }),
                })
            }
            3..7 => {
                let file = u32::from(self.byte() % 8);
                let offset = self.number();
                let len = u32::from(self.byte()) * 16;
                let kinds = self.byte();
                let fill = self.byte();
                let hashes = sectors(offset, len as usize).count();
                UndoEntry::Range(RangeEntry {
                    file,
                    offset,
                    len,
                    after: (kinds & 1 != 0).then(|| vec![u32::from(fill); hashes]),
                    before: (kinds & 2 != 0).then(|| vec![fill; len as usize]),
                })
            }
            _ => UndoEntry::Length {
                file: u32::from(self.byte() % 8),
                len: self.number(),
            },
        }
    }
}

fn undo_file(header: &UndoHeader, entries: &[UndoEntry]) -> Vec<u8> {
    let mut bytes = vec![0; ENTRIES_AT as usize];
    let slot = SLOTS[header.sequence as usize % SLOTS.len()];
    bytes[slot as usize..][..SLOT_BYTES].copy_from_slice(&header.bytes());
    let last = UndoEntry::End {
        entries: entries.len() as u64,
    };
    for entry in entries.iter().chain([&last]) {
        let position = bytes.len() as u64;
        write_entry(&mut bytes, header.identity, position, entry);
    }
    bytes
}

/// Every file is as it was before: there or not, of that length, with these bytes.
fn as_before(undo: &UndoFile<'_>, entries: &[UndoEntry], disk: &MemoryDisk) {
    let files = disk.files();
    assert!(files.contains_key(Path::new(PATH)), "it undid itself");
    for file in undo.files() {
        let content = files.get(&file.path);
        match file.plan {
            UndoPlan::Create => assert!(content.is_none(), "{file:?}"),
            _ => {
                let len = content.map(|bytes| bytes.len() as u64);
                // Forced, an original that was put aside may be another.
                if file.plan != UndoPlan::Aside {
                    assert_eq!(len, Some(file.before_len), "{file:?}");
                }
            }
        }
    }
    for entry in entries {
        let UndoEntry::Range(range) = entry else {
            continue;
        };
        let Some(before) = &range.before else {
            continue;
        };
        let content = &files[&undo.files()[range.file as usize].path];
        assert!(content[range.offset as usize..].starts_with(before));
    }
}

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let header = UndoHeader {
        sequence: 1,
        status: STATUSES[usize::from(input.byte()) % STATUSES.len()],
        identity: 7,
        created: 0,
        end: 0,
        operation: "p a".to_owned(),
    };
    let mut entries = Vec::new();
    while !input.0.is_empty() && entries.len() < 64 {
        entries.push(input.entry());
    }
    let bytes = undo_file(&header, &entries);
    let files = [
        (PATH, bytes),
        ("/d/a", vec![7; 3000]),
        ("/d/b", b"short".to_vec()),
        ("/d/a.aside", vec![1; 600]),
    ];
    let disk = MemoryDisk::new(files.map(|(path, bytes)| (PathBuf::from(path), bytes)));
    let Ok(mut undo) = UndoFile::open(&disk, Path::new(PATH)) else {
        return;
    };
    let _ = undo.check();
    if undo.files().iter().any(|file| file.before_len > LEN_MOST) {
        return;
    }
    let before = disk.files();
    for force in [false, true] {
        match undo.restore(force) {
            Ok(report) if report.files.is_empty() => return,
            Ok(_) => {
                as_before(&undo, &entries, &disk);
                assert_eq!(undo.status(), UndoStatus::Restored);
                let again = UndoFile::open(&disk, Path::new(PATH)).unwrap();
                assert_eq!(again.files(), undo.files());
                return;
            }
            Err(_) if !force => {
                assert_eq!(
                    disk.files(),
                    before,
                    "it was refused, but something changed"
                );
            }
            Err(_) => {}
        }
    }
});
