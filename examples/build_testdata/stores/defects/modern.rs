//! Exchange 2013.

use super::super::classic::guid;
use super::super::counts::modern as recount;
use super::super::modern::{
    DRAFTS, EMPTY, INBOX, NOBODY, ROOT, SENT, attachment, attachments, blob, fid, folder, folders,
    long_id, messages, named_props, replid_row,
};
use super::super::rows::{Record, Store};
use super::{Defect, defect, error, warning};
use exutil::format::store::prop_writer::PropBlobWriter;

const TABLES: &[&str] = &["tables"];
const IDENTITY: &[&str] = &["identity"];
const FOLDER: &[&str] = &["folder"];
const COUNTS: &[&str] = &["rowcounts", "AggregateCounts"];
const MAILBOX: &[&str] = &["mailbox"];
const MESSAGE: &[&str] = &["message"];
const ATTACH: &[&str] = &["attach"];
const BLOBS: &[&str] = &["blobs"];
const NAMES: &[&str] = &["namedprop"];
const REPLID: &[&str] = &["replid"];

fn own(store: &mut Store, number: u64) -> &mut Record {
    store.row("Folder_100", "FolderId", &fid(100, number))
}

fn message(store: &mut Store, number: i32) -> &mut Record {
    store.row("Message_100", "MessageDocumentId", &number.to_le_bytes())
}

fn mailbox(store: &mut Store, number: i32) -> &mut Record {
    store.row("Mailbox", "MailboxNumber", &number.to_le_bytes())
}

fn named_prop(store: &mut Store, number: i32) -> &mut Record {
    let number = (0x8000 + number).to_le_bytes();
    store.row("ExtendedPropertyNameMapping_100", "PropNumber", &number)
}

/// Cuts a blob off.
fn cut(row: &mut Record) {
    let bytes = row.get("PropertyBlob").unwrap_or_default().to_vec();
    row.set("PropertyBlob", &bytes[..bytes.len() - 3]);
}

pub const DEFECTS: &[Defect] = &[
    defect!(
        Modern,
        "folders-of-nobody",
        "a table of folders without a mailbox",
        [error("tables.folder", TABLES)],
        |store| {
            let mut sheet = folders("Folder_104");
            sheet.rows.push(folder(104, ROOT, 0, ""));
            sheet.rows[0].set("FolderCount", [0; 4]);
            store.sheets.push(sheet);
        }
    ),
    defect!(
        Modern,
        "messages-of-nobody",
        "a table of messages without a mailbox",
        [error("tables.message", TABLES)],
        |store| store.sheets.push(messages("Message_999"))
    ),
    defect!(
        Modern,
        "attachments-of-nobody",
        "a table of attachments without a mailbox",
        [error("tables.attachment", TABLES)],
        |store| {
            store.sheets.push(attachments("Attachment_999"));
        }
    ),
    defect!(
        Modern,
        "no-attachment-table",
        "a mailbox without a table of attachments",
        [error("tables.attachment", TABLES)],
        |store| store.remove("Attachment_101")
    ),
    defect!(
        Modern,
        "names-of-nobody",
        "a table of named properties without a mailbox",
        [error("tables.named_prop", TABLES)],
        |store| {
            store
                .sheets
                .push(named_props("ExtendedPropertyNameMapping_999"));
        }
    ),
    defect!(
        Modern,
        "no-names",
        "a mailbox without a table of named properties",
        [error("tables.named_prop", TABLES)],
        |store| {
            store.remove("ExtendedPropertyNameMapping_101");
        }
    ),
    defect!(
        Modern,
        "no-mailbox-guid",
        "a mailbox has no GUID",
        [error("identity.form", IDENTITY)],
        |store| {
            mailbox(store, 101).clear("MailboxGuid");
        }
    ),
    defect!(
        Modern,
        "same-mailbox-guid",
        "two mailboxes have the same GUID",
        [error("identity.unique", IDENTITY)],
        |store| {
            mailbox(store, 101).set("MailboxGuid", guid(100));
        }
    ),
    defect!(
        Modern,
        "no-identity",
        "a mailbox has no row in MailboxIdentity",
        [error("identity.row", IDENTITY)],
        |store| {
            store.sheet("MailboxIdentity").rows.pop();
        }
    ),
    defect!(
        Modern,
        "no-fid",
        "a folder has no id",
        [error("folder.ids.form", FOLDER)],
        |store| {
            own(store, EMPTY).clear("FolderId");
        }
    ),
    defect!(
        Modern,
        "short-fid",
        "a folder's id has 25 bytes",
        [error("folder.ids.form", FOLDER)],
        |store| {
            own(store, EMPTY).set("FolderId", &fid(100, EMPTY)[..25]);
        }
    ),
    defect!(
        Modern,
        "same-fid",
        "two folders have the same id",
        [error("folder.ids.unique", FOLDER)],
        |store| {
            own(store, EMPTY).set("FolderId", fid(100, DRAFTS));
        }
    ),
    defect!(
        Modern,
        "no-parent",
        "a folder's parent does not exist",
        [error("folder.parent", FOLDER)],
        |store| {
            own(store, EMPTY).set("ParentFolderId", fid(100, NOBODY));
            recount(store);
        }
    ),
    defect!(
        Modern,
        "own-parent",
        "a folder is its own parent",
        [error("folder.parent", FOLDER)],
        |store| {
            own(store, EMPTY).set("ParentFolderId", fid(100, EMPTY));
            recount(store);
        }
    ),
    defect!(
        Modern,
        "two-roots",
        "a mailbox has two roots",
        [error("folder.parent", FOLDER)],
        |store| {
            own(store, EMPTY).set("ParentFolderId", [0; 26]);
            recount(store);
        }
    ),
    defect!(
        Modern,
        "children",
        "a folder counts a child folder too many",
        [error("folder.children", &["fldsub"]).plain()],
        |store| {
            own(store, INBOX).add("FolderCount", 1);
        }
    ),
    defect!(
        Modern,
        "count",
        "a folder counts a message too few",
        [error("AggregateCounts", COUNTS).trust()],
        |store| {
            own(store, INBOX).add("MessageCount", -1);
        }
    ),
    defect!(
        Modern,
        "unread",
        "a folder counts an unread message too many",
        [error("AggregateCounts", COUNTS).trust()],
        |store| {
            own(store, INBOX).add("UnreadMessageCount", 1);
        }
    ),
    defect!(
        Modern,
        "hidden",
        "a folder counts no hidden messages",
        [error("AggregateCounts", COUNTS).trust()],
        |store| {
            own(store, INBOX).clear("HiddenItemCount");
        }
    ),
    defect!(
        Modern,
        "size",
        "the size of a folder is wrong",
        [error("AggregateCounts", COUNTS).trust()],
        |store| {
            own(store, SENT).add("MessageSize", 1 << 33);
        }
    ),
    defect!(
        Modern,
        "hidden-size",
        "the size of hidden messages is wrong",
        [error("AggregateCounts", COUNTS).trust()],
        |store| {
            own(store, DRAFTS).add("HiddenItemSize", 10);
        }
    ),
    defect!(
        Modern,
        "mailbox-count",
        "a mailbox counts a message too many",
        [error("mailbox.counts", MAILBOX).trust()],
        |store| {
            mailbox(store, 100).add("MessageCount", 1);
        }
    ),
    defect!(
        Modern,
        "mailbox-hidden",
        "a mailbox counts a hidden message too few",
        [error("mailbox.counts", MAILBOX).trust()],
        |store| {
            mailbox(store, 101).add("HiddenMessageCount", -1);
        }
    ),
    defect!(
        Modern,
        "mailbox-size",
        "the size of a mailbox is wrong",
        [error("mailbox.counts", MAILBOX).trust()],
        |store| {
            mailbox(store, 100).add("MessageSize", -5);
        }
    ),
    defect!(
        Modern,
        "message-without-folder",
        "the folder of a message does not exist",
        [error("message.folder", MESSAGE)],
        |store| {
            message(store, 9).set("FolderId", fid(100, NOBODY));
            recount(store);
        }
    ),
    defect!(
        Modern,
        "same-document",
        "two messages have the same document id",
        [error("message.document", MESSAGE)],
        |store| {
            message(store, 9).set("MessageDocumentId", 1i32.to_le_bytes());
        }
    ),
    defect!(
        Modern,
        "no-list",
        "a message says that it has attachments, but has no list",
        [error("message.attach", ATTACH)],
        |store| {
            message(store, 9).set("HasAttachments", [0xFF]);
        }
    ),
    defect!(
        Modern,
        "list-unsaid",
        "a message has a list of attachments, but does not say so",
        [warning("message.attach.flag", ATTACH)],
        |store| {
            message(store, 2).set("HasAttachments", [0]);
        }
    ),
    defect!(
        Modern,
        "no-attachment",
        "an attachment of a message does not exist",
        [error("attach.missing", ATTACH)],
        |store| {
            let list = exutil::format::store::subobjects::write(&[(0, 1), (1, 999)]);
            message(store, 2).set("SubobjectsBlob", list);
        }
    ),
    defect!(
        Modern,
        "same-attachment-id",
        "two attachments have the same number",
        [error("attach.ids.unique", ATTACH)],
        |store| {
            let mut row = attachment(2);
            row.add("Size", 1);
            store.sheet("Attachment_100").rows.push(row);
        }
    ),
    defect!(
        Modern,
        "unreferenced-attachment",
        "no message has the attachment",
        [warning("attachref", &["attachref"])],
        |store| {
            store.sheet("Attachment_100").rows.push(attachment(4));
        }
    ),
    defect!(
        Modern,
        "folder-blob",
        "the property blob of a folder is cut off",
        [error("blobs.folder", BLOBS)],
        |store| cut(own(store, INBOX))
    ),
    defect!(
        Modern,
        "message-blob",
        "the property blob of a message has another magic",
        [error("blobs.message", BLOBS)],
        |store| {
            let mut bytes = blob(9, "message");
            bytes[0] = b'p';
            message(store, 9).set("PropertyBlob", bytes);
        }
    ),
    defect!(
        Modern,
        "long-blob",
        "something follows a property blob",
        [error("blobs.message", BLOBS)],
        |store| {
            let mut bytes = blob(9, "message");
            bytes.push(0);
            message(store, 9).set("PropertyBlob", bytes);
        }
    ),
    defect!(
        Modern,
        "unordered-blob",
        "the properties of a blob are in no order",
        [warning("blobs.order", BLOBS)],
        |store| {
            let mut writer = PropBlobWriter::new();
            writer.i32(0x3FFD, 1252).i32(0x1035, 1);
            let bytes = writer.finish().expect("a short blob");
            message(store, 9).set("PropertyBlob", bytes);
        }
    ),
    defect!(
        Modern,
        "attachment-blob",
        "the property blob of an attachment is cut off",
        [error("blobs.attachment", BLOBS)],
        |store| {
            cut(store.row("Attachment_100", "Inid", &1i64.to_le_bytes()));
        }
    ),
    defect!(
        Modern,
        "cut-list",
        "a list of attachments is cut off",
        [error("blobs.subobjects", BLOBS)],
        |store| {
            message(store, 9).set("SubobjectsBlob", [0x18]);
        }
    ),
    defect!(
        Modern,
        "low-number",
        "a named property has the number 5",
        [error("namedprop.range", NAMES)],
        |store| {
            named_prop(store, 3).set("PropNumber", 5i32.to_le_bytes());
        }
    ),
    defect!(
        Modern,
        "same-number",
        "two named properties have the same number",
        [error("namedprop.number", NAMES)],
        |store| {
            let row = named_prop(store, 3);
            row.set("PropNumber", 0x8002i32.to_le_bytes());
            row.set("PropGuid", guid(61));
        }
    ),
    defect!(
        Modern,
        "same-property-name",
        "two named properties have the same name",
        [error("namedprop.name", NAMES)],
        |store| {
            let name = named_prop(store, 2)
                .get("PropName")
                .unwrap_or_default()
                .to_vec();
            named_prop(store, 3).set("PropName", name);
        }
    ),
    defect!(
        Modern,
        "same-dispid",
        "two named properties have the same dispatch id",
        [error("namedprop.dispid", NAMES)],
        |store| {
            named_prop(store, 1).set("PropDispId", 33_290i32.to_le_bytes());
        }
    ),
    defect!(
        Modern,
        "replid-twice",
        "a replid stands for two GUIDs",
        [warning("replid.replid", REPLID)],
        |store| {
            store
                .sheet("ReplidGuidMap")
                .rows
                .push(replid_row(100, 4, 99));
        }
    ),
    defect!(
        Modern,
        "replica-twice",
        "a GUID has two replids",
        [warning("replid.guid", REPLID)],
        |store| {
            store
                .sheet("ReplidGuidMap")
                .rows
                .push(replid_row(100, 9, 4));
        }
    ),
    defect!(
        Modern,
        "foreign-replid",
        "the replid in a folder's id is another's",
        [warning("replid.folder", REPLID)],
        |store| {
            own(store, EMPTY).set("FolderId", long_id(0xDB, 0x64_008, 2));
        }
    ),
    defect!(
        Modern,
        "unknown-replid",
        "the replid in the id of a message's folder stands for nothing",
        [
            error("message.folder", MESSAGE),
            warning("replid.message", REPLID)
        ],
        |store| {
            message(store, 9).set("FolderId", long_id(0xDB, 0x64_005, 77));
            recount(store);
        }
    ),
];
