//! A public store: no mailboxes, two trees below one root.

use super::classic::{EntryKind, FolderKind, Maker, fid};
use super::counts;
use super::rows::Store;

/// A folder with messages.
pub const NEWS: u64 = 0x14;
/// A folder below it.
pub const ARCHIVE: u64 = 0x15;

/// The store, sound.
pub fn store() -> Store {
    let mut maker = Maker::new(0x2004);
    maker.folder(0x10, None, "", FolderKind::Root);
    for (number, parent, name) in [
        (0x11, 0x10, "IPM_SUBTREE"),
        (0x12, 0x10, "NON_IPM_SUBTREE"),
        (0x13, 0x11, "Projects"),
        (NEWS, 0x11, "News"),
        (ARCHIVE, NEWS, "Archive"),
        (0x16, 0x12, "SCHEDULE+ FREE BUSY"),
        (0x17, 0x12, "OFFLINE ADDRESS BOOK"),
    ] {
        maker.folder(number, Some(fid(parent)), name, FolderKind::Plain);
    }
    maker.folder(0x18, Some(fid(0x13)), "Search", FolderKind::Search);
    maker.folder(0x19, Some(fid(0x13)), "Gone", FolderKind::Plain);
    maker.delete_folder(0x19);
    maker.attachment(1, "minutes.doc", None);
    for number in 1..=12 {
        let attached: &[u64] = if number == 5 { &[1] } else { &[] };
        maker.message(number, &format!("Posting {number}"), attached);
    }
    for (folder, message, kind) in [
        (0x13, 1, EntryKind::Read),
        (NEWS, 2, EntryKind::Unread),
        (NEWS, 3, EntryKind::Read),
        (NEWS, 4, EntryKind::Hidden),
        (NEWS, 5, EntryKind::Read),
        (NEWS, 6, EntryKind::Deleted),
        (ARCHIVE, 3, EntryKind::Read),
        (ARCHIVE, 7, EntryKind::Read),
        (0x16, 8, EntryKind::Read),
        (0x16, 9, EntryKind::Hidden),
        (0x17, 10, EntryKind::Unread),
        (0x19, 11, EntryKind::Deleted),
        (0x13, 12, EntryKind::Deleted),
    ] {
        maker.entry(folder, message, kind);
    }
    maker.entry_from(0x18, NEWS, 2, EntryKind::Unread);
    let mut store = maker.store;
    counts::classic(&mut store);
    store
}
