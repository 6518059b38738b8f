//! A private store: two users, a connector, messages in two folders, attachments, search folders, deleted items.

use super::classic::{EntryKind, FolderKind, Maker, fid, guid, mailboxes};
use super::counts;
use super::rows::{Record, Store};

/// Alice's folders.
pub const ROOT: u64 = 0x10;
pub const FINDER: u64 = 0x12;
pub const INBOX: u64 = 0x15;
pub const DELETED: u64 = 0x18;
/// A folder without messages and without child folders.
pub const DRAFTS: u64 = 0x19;
pub const PROJECTS: u64 = 0x1A;
/// A search folder with a table and with links.
pub const SEARCH: u64 = 0x1C;
/// A search folder that nothing but its parent knows of.
pub const BARE: u64 = 0x1D;
/// Bob's root, and another such search folder.
pub const OTHER_ROOT: u64 = 0x40;
pub const OTHER_BARE: u64 = 0x4D;
/// A message in two folders; it has an attachment that another has too.
pub const SHARED: u64 = 3;
/// Nothing has these numbers.
pub const NOBODY: u64 = 0x9999;
pub const NOBODY_ELSE: u64 = 0x999A;

/// The store, sound.
pub fn store() -> Store {
    let mut maker = Maker::new(0x2003);
    maker.store.sheets.insert(0, mailboxes());
    user(&mut maker, ROOT, "Alice Miller", None);
    user(&mut maker, OTHER_ROOT, "Bob Stone", Some([0; 8]));
    // The mailbox of a connector has a root and nothing else; its parent is none of the folders.
    maker.folder(0x70, Some(fid(1)), "SMTP (EXCH1)", FolderKind::Root);
    mailbox(&mut maker, 0x70, "SMTP (EXCH1)", false);
    more_folders(&mut maker);
    messages(&mut maker);
    let mut store = maker.store;
    for folder in [INBOX, PROJECTS] {
        store
            .row("Folders", "Q6748", &fid(folder))
            .set("SearchFIDs", fid(SEARCH));
    }
    let search = store.row("Folders", "Q6748", &fid(SEARCH));
    search.set("SearchBacklinks", [fid(INBOX), fid(PROJECTS)].concat());
    search.set("L3602", 2i32.to_le_bytes());
    search.set("L3603", 2i32.to_le_bytes());
    counts::classic(&mut store);
    // The time of the last commit in a folder stays when the message goes.
    store
        .row("Folders", "Q6748", &fid(INBOX))
        .add("T670a", 600_000_000);
    store
}

fn user(maker: &mut Maker, root: u64, name: &str, parent: Option<[u8; 8]>) {
    maker.folder(root, parent, &format!("Mailbox - {name}"), FolderKind::Root);
    for (number, name) in [
        (1, "Top of Information Store"),
        (2, "Finder"),
        (3, "Views"),
        (4, "Common Views"),
    ] {
        maker.folder(root + number, Some(fid(root)), name, FolderKind::Plain);
    }
    for (number, name) in [
        (5, "Inbox"),
        (6, "Outbox"),
        (7, "Sent Items"),
        (8, "Deleted Items"),
    ] {
        maker.folder(root + number, Some(fid(root + 1)), name, FolderKind::Plain);
    }
    mailbox(maker, root, name, true);
}

fn mailbox(maker: &mut Maker, root: u64, name: &str, special: bool) {
    let number = root as u8;
    let row = Record::new()
        .with("N676a", guid(number))
        .with("N676c", guid(number + 1));
    let mut row = row.with("Q6748", fid(root)).with("S3001", name);
    // N66a0, a SID, is null as Ne58 of folders is: esedbexport 20181229 ends at any SID.
    if special {
        for (column, folder) in [
            ("Q35e0", 1),
            ("Q35e2", 6),
            ("Q35e3", 8),
            ("Q35e4", 7),
            ("Q35e5", 3),
            ("Q35e6", 4),
            ("Q35e7", 2),
        ] {
            row = row.with(column, fid(root + folder));
        }
    }
    maker.store.sheet("Mailbox").rows.push(row);
}

fn more_folders(maker: &mut Maker) {
    let top = fid(ROOT + 1);
    maker.folder(DRAFTS, Some(top), "Drafts", FolderKind::Plain);
    maker.folder(PROJECTS, Some(fid(INBOX)), "Projects", FolderKind::Plain);
    maker.folder(0x1B, Some(fid(PROJECTS)), "2003", FolderKind::Plain);
    maker.folder(SEARCH, Some(fid(FINDER)), "Unread Mail", FolderKind::Search);
    maker.folder(BARE, Some(fid(FINDER)), "Large Mail", FolderKind::Bare);
    maker.folder(
        OTHER_BARE,
        Some(fid(OTHER_ROOT + 2)),
        "Old Mail",
        FolderKind::Bare,
    );
    maker.folder(0x1E, Some(fid(DELETED)), "Old Projects", FolderKind::Plain);
    maker.delete_folder(0x1E);
}

fn messages(maker: &mut Maker) {
    maker.attachment(1, "budget.xls", None);
    maker.attachment(2, "plan.doc", None);
    maker.attachment(3, "Fwd: lunch", Some(20));
    for number in 1..=19 {
        let attached: &[u64] = match number {
            2 => &[3],
            3 => &[1, 2],
            4 => &[1],
            _ => &[],
        };
        maker.message(number, &format!("Status {number} – Überblick"), attached);
    }
    // Only an attachment refers to this one.
    maker.message(20, "lunch", &[]);
    for (folder, message, kind) in [
        (INBOX, 1, EntryKind::Read),
        (INBOX, 2, EntryKind::Unread),
        (INBOX, 3, EntryKind::Read),
        (INBOX, 4, EntryKind::Unread),
        (INBOX, 5, EntryKind::Hidden),
        (INBOX, 6, EntryKind::Deleted),
        (INBOX, 7, EntryKind::Deleted),
        (INBOX, 8, EntryKind::DeletedHidden),
        (PROJECTS, SHARED, EntryKind::Read),
        (PROJECTS, 9, EntryKind::Read),
        (PROJECTS, 10, EntryKind::Read),
        (0x1B, 11, EntryKind::Unread),
        (0x1B, 12, EntryKind::Read),
        (0x17, 13, EntryKind::Read),
        (DELETED, 14, EntryKind::Read),
        (0x1E, 15, EntryKind::Deleted),
        (0x45, 13, EntryKind::Unread),
        (0x45, 16, EntryKind::Read),
        (0x45, 17, EntryKind::Hidden),
        (0x47, 18, EntryKind::Read),
        (0x48, 19, EntryKind::Deleted),
    ] {
        maker.entry(folder, message, kind);
    }
    maker.entry_from(SEARCH, INBOX, 2, EntryKind::Unread);
    maker.entry_from(SEARCH, INBOX, 4, EntryKind::Unread);
}
