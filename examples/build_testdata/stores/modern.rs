//! A store like that of Exchange 2013: tables of each mailbox, ids of 26 bytes, blobs.

use exutil::build::{Options, format_of};
use exutil::format::ids::PageSize;
use exutil::format::store::prop_writer::PropBlobWriter;
use exutil::format::store::subobjects;

use super::classic::guid;
use super::counts;
use super::rows::{Kind, Record, Sheet, Store};

/// The GUID of the replica of this database, replid 1 of every mailbox.
const DATABASE: u8 = 0xDB;
/// Folders of mailbox 100 that defects are made in.
pub const ROOT: u64 = 1;
pub const INBOX: u64 = 3;
pub const SENT: u64 = 5;
/// Without messages, without child folders.
pub const DRAFTS: u64 = 7;
/// Likewise, below the inbox.
pub const EMPTY: u64 = 8;
/// Nothing has this number.
pub const NOBODY: u64 = 0x9999;

/// An id of 26 bytes.
pub fn long_id(replica: u8, counter: u64, replid: u16) -> Vec<u8> {
    let mut bytes = guid(replica).to_vec();
    bytes.extend_from_slice(&counter.to_be_bytes()[2..]);
    bytes.extend_from_slice(&[0, 0]);
    bytes.extend_from_slice(&replid.to_le_bytes());
    bytes
}

/// The id of a folder of a mailbox.
pub fn fid(mailbox: i32, number: u64) -> Vec<u8> {
    long_id(DATABASE, mailbox as u64 * 0x1000 + number, 1)
}

pub fn folders(name: &str) -> Sheet {
    let columns = [
        ("SpecialFolderNumber", Kind::Long),
        ("MessageCount", Kind::Long),
        ("UnreadMessageCount", Kind::Long),
        ("FolderCount", Kind::Long),
        ("HiddenItemCount", Kind::Long),
        ("MessageSize", Kind::Wide),
        ("HiddenItemSize", Kind::Wide),
        ("FolderId", Kind::Bytes),
        ("ParentFolderId", Kind::Bytes),
        ("DisplayName", Kind::Unicode),
        ("QueryCriteria", Kind::Blob),
        ("PropertyBlob", Kind::Blob),
    ];
    Sheet::new(name, &columns).primary("+ParentFolderId+FolderId")
}

pub fn messages(name: &str) -> Sheet {
    let columns = [
        ("MessageDocumentId", Kind::Long),
        ("IsRead", Kind::Bit),
        ("IsHidden", Kind::Bit),
        ("HasAttachments", Kind::Bit),
        ("Size", Kind::Wide),
        ("DateReceived", Kind::Wide),
        ("FolderId", Kind::Bytes),
        ("MessageClass", Kind::Unicode),
        ("SubobjectsBlob", Kind::Blob),
        ("PropertyBlob", Kind::Blob),
    ];
    Sheet::new(name, &columns).primary("+FolderId+MessageDocumentId")
}

pub fn attachments(name: &str) -> Sheet {
    let columns = [
        ("Inid", Kind::Wide),
        ("Size", Kind::Wide),
        ("IsEmbeddedMessage", Kind::Bit),
        ("AttachmentMethod", Kind::Long),
        ("Name", Kind::Unicode),
        ("Content", Kind::Blob),
        ("PropertyBlob", Kind::Blob),
    ];
    Sheet::new(name, &columns).primary("+Inid+Size")
}

pub fn named_props(name: &str) -> Sheet {
    let columns = [
        ("PropNumber", Kind::Long),
        ("PropDispId", Kind::Long),
        ("PropGuid", Kind::Guid),
        ("PropName", Kind::Unicode),
    ];
    let mut sheet = Sheet::new(name, &columns).primary("+PropNumber+PropGuid");
    for number in 0..4i32 {
        let row = Record::new().with("PropNumber", (0x8000 + number).to_le_bytes());
        let row = row.with("PropGuid", guid(60));
        sheet.rows.push(match number {
            0..2 => row.with("PropDispId", (33_290 + number).to_le_bytes()),
            _ => row.text("PropName", &format!("x-header-{number}")),
        });
    }
    sheet
}

fn mailboxes() -> Sheet {
    let columns = [
        ("MailboxNumber", Kind::Long),
        ("MessageCount", Kind::Long),
        ("HiddenMessageCount", Kind::Long),
        ("MessageSize", Kind::Wide),
        ("LastLogonTime", Kind::Wide),
        ("DeletedOn", Kind::Wide),
        ("MailboxGuid", Kind::Guid),
        ("MappingSignatureGuid", Kind::Guid),
        ("DisplayName", Kind::Unicode),
    ];
    let mut sheet = Sheet::new("Mailbox", &columns).primary("+MailboxNumber");
    let names = [
        (100i32, "Alice Miller"),
        (101, "Jürgen Stein"),
        (102, "Nobody yet"),
    ];
    for (number, name) in names {
        let row = Record::new().with("MailboxNumber", number.to_le_bytes());
        let row = row.with("MailboxGuid", guid(number as u8));
        let row = row.with("MappingSignatureGuid", guid(number as u8 + 50));
        let row = row.with("MessageCount", [0; 4]).text("DisplayName", name);
        sheet.rows.push(row);
    }
    sheet
}

fn identities() -> Sheet {
    let columns = [("MailboxNumber", Kind::Long), ("LocalIdGuid", Kind::Bytes)];
    let mut sheet = Sheet::new("MailboxIdentity", &columns).primary("+MailboxNumber");
    for number in 100..103i32 {
        let row = Record::new().with("MailboxNumber", number.to_le_bytes());
        sheet
            .rows
            .push(row.with("LocalIdGuid", guid(number as u8 + 70)));
    }
    sheet
}

/// Replids of three mailboxes, and of one that is gone (104).
fn replids() -> Sheet {
    let columns = [
        ("MailboxNumber", Kind::Long),
        ("Replid", Kind::Long),
        ("Guid", Kind::Guid),
    ];
    let mut sheet = Sheet::new("ReplidGuidMap", &columns).primary("+MailboxNumber+Replid+Guid");
    for mailbox in [100, 101, 102, 104] {
        for replid in 1..=5 {
            let replica = match replid {
                1 => DATABASE,
                5 => mailbox as u8 + 50,
                _ => replid as u8,
            };
            sheet.rows.push(replid_row(mailbox, replid, replica));
        }
    }
    sheet
}

/// That a replid stands for a replica.
pub fn replid_row(mailbox: i32, replid: i32, replica: u8) -> Record {
    let row = Record::new().with("MailboxNumber", mailbox.to_le_bytes());
    row.with("Replid", replid.to_le_bytes())
        .with("Guid", guid(replica))
}

/// The property blob of a row.
pub fn blob(number: i32, name: &str) -> Vec<u8> {
    let mut writer = PropBlobWriter::new();
    writer
        .text(0x1035, name)
        .i32(0x3FFD, 1252)
        .bool(0x6708, number % 2 == 0);
    writer
        .i64(0x674A, 1 << 40 | i64::from(number))
        .binary(0x8001, &[7; 40]);
    writer.finish().expect("a short blob")
}

/// A row of a table of folders.
pub fn folder(mailbox: i32, number: u64, parent: u64, name: &str) -> Record {
    let parent = if parent == 0 {
        vec![0; 26]
    } else {
        fid(mailbox, parent)
    };
    let row = Record::new()
        .with("FolderId", fid(mailbox, number))
        .with("ParentFolderId", parent);
    let row = row.with("SpecialFolderNumber", (number as i32).to_le_bytes());
    let row = row.text("DisplayName", name);
    row.with("PropertyBlob", blob(number as i32, name))
}

/// A row of a table of messages: read or not, hidden or not, attachments.
pub fn message(
    mailbox: i32,
    number: i32,
    of: u64,
    state: (bool, bool),
    attached: &[i64],
) -> Record {
    let bit = |on: bool| [if on { 0xFF } else { 0 }];
    let row = Record::new().with("MessageDocumentId", number.to_le_bytes());
    let row = row
        .with("IsRead", bit(state.0))
        .with("IsHidden", bit(state.1));
    let row = row.with("HasAttachments", bit(!attached.is_empty()));
    let row = row.with("Size", (2000 + i64::from(number) * 17).to_le_bytes());
    let row = row.with(
        "DateReceived",
        (130_000_000_000_000_000 + i64::from(number)).to_le_bytes(),
    );
    let row = row
        .with("FolderId", fid(mailbox, of))
        .text("MessageClass", "IPM.Note");
    let row = row.with("PropertyBlob", blob(number, "message"));
    if attached.is_empty() {
        return row;
    }
    let pairs: Vec<(i32, i64)> = (0..).zip(attached.iter().copied()).collect();
    row.with("SubobjectsBlob", subobjects::write(&pairs))
}

/// A row of a table of attachments.
pub fn attachment(number: i64) -> Record {
    let len = 200 + number as usize * 900;
    let row = Record::new().with("Inid", number.to_le_bytes());
    let row = row
        .with("Size", (len as i64).to_le_bytes())
        .with("AttachmentMethod", [1, 0, 0, 0]);
    let row = row.text("Name", &format!("file{number}.docx"));
    let row = row.with("Content", vec![number as u8; len]);
    row.with("PropertyBlob", blob(number as i32, "attachment"))
}

fn mailbox_tables(mailbox: i32, store: &mut Store) {
    let name = |table: &str| format!("{table}_{mailbox}");
    let (mut all, mut rows) = (folders(&name("Folder")), messages(&name("Message")));
    let mut files = attachments(&name("Attachment"));
    for (number, parent, title) in [
        (ROOT, 0, ""),
        (2, ROOT, "Top of Information Store"),
        (INBOX, 2, "Inbox"),
        (4, 2, "Outbox"),
        (SENT, 2, "Sent Items"),
        (6, 2, "Deleted Items"),
        (DRAFTS, 2, "Entwürfe"),
        (EMPTY, INBOX, "Later"),
        (9, ROOT, "Recoverable Items"),
        (10, ROOT, "Finder"),
    ] {
        all.rows.push(folder(mailbox, number, parent, title));
    }
    let search = folder(mailbox, 11, 10, "Unread").with("QueryCriteria", [1, 2, 3]);
    let search = search.with("MessageCount", 2i32.to_le_bytes());
    all.rows
        .push(search.with("UnreadMessageCount", 2i32.to_le_bytes()));
    let with_files = mailbox == 100;
    for number in 1..=14 {
        let of = match number {
            1..=7 => INBOX,
            8..=10 => SENT,
            11 | 12 => 6,
            _ => 9,
        };
        let attached: &[i64] = match number {
            2 if with_files => &[1],
            3 if with_files => &[1, 2],
            8 if with_files => &[3],
            _ => &[],
        };
        let state = (number % 3 != 0, number == 7);
        rows.rows
            .push(message(mailbox, number, of, state, attached));
    }
    // Not in a folder: no message of the user's.
    let mut conversation = message(mailbox, 15, 0, (true, false), &[]);
    conversation.clear("FolderId");
    rows.rows.push(conversation);
    if with_files {
        rows.add_index("+FolderId-DateReceived");
        files.rows.extend((1..=3).map(attachment));
    }
    store.sheets.extend([all, rows, files]);
    store
        .sheets
        .push(named_props(&name("ExtendedPropertyNameMapping")));
}

/// The store, sound.
pub fn store() -> Store {
    let format = format_of(20).expect("a known format");
    let options = Options::new(PageSize::K32, format, 0x2013);
    let mut store = Store {
        options,
        sheets: vec![mailboxes(), identities(), replids()],
    };
    // Templates of the tables of mailboxes, without rows.
    store.sheets.extend([
        folders("Folder"),
        messages("Message"),
        attachments("Attachment"),
    ]);
    mailbox_tables(100, &mut store);
    mailbox_tables(101, &mut store);
    counts::modern(&mut store);
    store
}
