//! What folders and mailboxes say of their rows, counted from these.

use super::classic::table_of;
use super::rows::{Record, Store};

fn sums<'r>(rows: impl Iterator<Item = &'r Record>, column: &str) -> i64 {
    rows.map(|row| row.number(column)).sum()
}

/// Makes the counts of a store's folders true. Search folders keep theirs.
pub fn classic(store: &mut Store) {
    let folders = store.sheet("Folders").rows.clone();
    let counted = folders
        .iter()
        .map(|folder| classic_folder(store, &folders, folder));
    let counted: Vec<Record> = counted.collect();
    store.sheet("Folders").rows = counted;
}

fn classic_folder(store: &Store, folders: &[Record], folder: &Record) -> Record {
    let mut folder = folder.clone();
    let Some(fid) = folder.get("Q6748").map(<[u8]>::to_vec) else {
        return folder;
    };
    let children = || {
        folders
            .iter()
            .filter(|child| child.get("Q6749") == Some(&fid))
    };
    let gone = |row: &&Record| row.get("T668f").is_some();
    let live = children().filter(|child| !gone(child)).count();
    folder.set("L6638", (live as i32).to_le_bytes());
    folder.set("L6641", ((children().count() - live) as i32).to_le_bytes());
    if folder.number("L3601") == 2 {
        return folder;
    }
    let number = fid
        .first_chunk()
        .map_or(0, |bytes| u64::from_be_bytes(*bytes))
        & 0xFFFF_FFFF_FFFF;
    let Some(sheet) = store
        .sheets
        .iter()
        .find(|sheet| sheet.name == table_of(number))
    else {
        return folder;
    };
    let rows = || sheet.rows.iter().filter(|row| row.number("B6708") == 0);
    let hidden = |row: &&Record| row.number("B67aa") != 0;
    let normal = || rows().filter(|row| !gone(row) && !hidden(row));
    let hidden_live = || rows().filter(|row| !gone(row) && hidden(row));
    let deleted = || rows().filter(|row| gone(row) && !hidden(row));
    let hidden_deleted = || rows().filter(|row| gone(row) && hidden(row));
    let unread = normal().filter(|row| row.number("Le07") & 1 == 0).count();
    for (column, count) in [
        ("L3602", normal().count()),
        ("L3603", unread),
        ("L3617", hidden_live().count()),
        ("L6640", deleted().count()),
        ("L6643", hidden_deleted().count()),
    ] {
        folder.set(column, (count as i32).to_le_bytes());
    }
    let (normal_gone, hidden_gone) = (sums(deleted(), "Le08"), sums(hidden_deleted(), "Le08"));
    for (column, size) in [
        ("Q66b3", sums(normal(), "Le08")),
        ("Q66b4", sums(hidden_live(), "Le08")),
        ("Q669b", normal_gone + hidden_gone),
        ("Q669c", normal_gone),
        ("Q669d", hidden_gone),
    ] {
        folder.set(column, size.to_le_bytes());
    }
    if let Some(oldest) = rows().filter(gone).map(|row| row.number("T668f")).min() {
        folder.set("T6642", oldest.to_le_bytes());
    }
    if let Some(latest) = rows().map(|row| row.number("T6709")).max() {
        // It stays when the message goes.
        let latest = latest.max(folder.number("T670a"));
        folder.set("T670a", latest.to_le_bytes());
    }
    folder
}

/// The same for a store of Exchange 2013; also for its mailboxes.
pub fn modern(store: &mut Store) {
    for number in [100, 101] {
        let name = |table: &str| format!("{table}_{number}");
        if !store
            .sheets
            .iter()
            .any(|sheet| sheet.name == name("Message"))
        {
            continue;
        }
        let messages = store.sheet(&name("Message")).rows.clone();
        let folders = store.sheet(&name("Folder")).rows.clone();
        let counted = folders
            .iter()
            .map(|folder| modern_folder(&messages, &folders, folder));
        let counted: Vec<Record> = counted.collect();
        store.sheet(&name("Folder")).rows = counted;
        let mailboxes = store.sheet("Mailbox");
        let mailbox = mailboxes.row("MailboxNumber", &i32::to_le_bytes(number));
        let (normal, hidden, size) =
            modern_sums(&messages, |message| message.get("FolderId").is_some());
        mailbox.set("MessageCount", (normal as i32).to_le_bytes());
        mailbox.set("HiddenMessageCount", (hidden as i32).to_le_bytes());
        mailbox.set("MessageSize", size.0.to_le_bytes());
    }
}

fn modern_sums(messages: &[Record], of: impl Fn(&Record) -> bool) -> (usize, usize, (i64, i64)) {
    let hidden = |message: &&Record| message.number("IsHidden") != 0;
    let normal = || messages.iter().filter(|m| of(m) && !hidden(m));
    let others = || messages.iter().filter(|m| of(m) && hidden(m));
    let sizes = (sums(normal(), "Size"), sums(others(), "Size"));
    (normal().count(), others().count(), sizes)
}

fn modern_folder(messages: &[Record], folders: &[Record], folder: &Record) -> Record {
    let mut folder = folder.clone();
    let Some(fid) = folder.get("FolderId").map(<[u8]>::to_vec) else {
        return folder;
    };
    let children = folders
        .iter()
        .filter(|child| child.get("ParentFolderId") == Some(&fid));
    folder.set("FolderCount", (children.count() as i32).to_le_bytes());
    if folder.get("QueryCriteria").is_some() {
        return folder;
    }
    let own = |message: &Record| message.get("FolderId") == Some(&fid);
    let (normal, hidden, sizes) = modern_sums(messages, own);
    let unread = |m: &&Record| own(m) && m.number("IsHidden") == 0 && m.number("IsRead") == 0;
    let unread = messages.iter().filter(unread).count();
    folder.set("MessageCount", (normal as i32).to_le_bytes());
    folder.set("UnreadMessageCount", (unread as i32).to_le_bytes());
    folder.set("HiddenItemCount", (hidden as i32).to_le_bytes());
    folder.set("MessageSize", sizes.0.to_le_bytes());
    folder.set("HiddenItemSize", sizes.1.to_le_bytes());
    folder
}
