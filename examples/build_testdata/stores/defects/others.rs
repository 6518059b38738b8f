//! Everything else of Exchange 2003: messages, attachments, mailboxes, small tables.

use exutil::format::store::tags::{self, PropTag};

use super::super::classic::{attachment, fid, guid, id, inid};
use super::super::private::{NOBODY, NOBODY_ELSE, OTHER_ROOT, ROOT};
use super::super::rows::{Record, Store};
use super::{Defect, defect, error, warning};

const MESSAGE: &[&str] = &["message"];
const ATTACH: &[&str] = &["attach"];
const MAILBOX: &[&str] = &["mailbox"];
const GLOBAL: &[&str] = &["global"];
const PER_USER: &[&str] = &["peruser"];
const NAMES: &[&str] = &["namedprop"];

fn message(store: &mut Store, number: u64) -> &mut Record {
    store.row("Msg", "Q674d", &inid(number))
}

fn mailbox(store: &mut Store, root: u64) -> &mut Record {
    store.row("Mailbox", "Q6748", &fid(root))
}

/// One more message, with this id.
fn another_message(store: &mut Store, own: Option<[u8; 8]>) {
    let mut row = message(store, 1).clone();
    row.set("Q67a4", id(1, 0x9999));
    match own {
        Some(own) => row.set("Q674d", own),
        None => row.clear("Q674d"),
    }
    store.sheet("Msg").rows.push(row);
}

/// One more attachment, with this id.
fn another_attachment(store: &mut Store, own: Option<[u8; 8]>) {
    let mut row = store.row("Attach", "Q674d", &attachment(1)).clone();
    row.add("Le20", 1);
    match own {
        Some(own) => row.set("Q674d", own),
        None => row.clear("Q674d"),
    }
    store.sheet("Attach").rows.push(row);
}

fn named_prop(store: &mut Store, number: i32) -> &mut Record {
    store.row("NamedProps", "PropNumber", &(0x8000 + number).to_le_bytes())
}

pub const DEFECTS: &[Defect] = &[
    defect!(
        Private,
        "two-globals",
        "the global table has two rows",
        [error("global.rows", GLOBAL)],
        |store| {
            let row = store.sheet("Global").rows[0].clone();
            store.sheet("Global").rows.push(row);
        }
    ),
    defect!(
        Public,
        "public-no-global-row",
        "the global table has no row",
        [error("global.rows", GLOBAL)],
        |store| {
            store.sheet("Global").rows.clear();
        }
    ),
    defect!(
        Private,
        "global-guid",
        "the GUID of the store has 15 bytes",
        [error("global.guid", GLOBAL)],
        |store| {
            store.sheet("Global").rows[0].set("N6762", &guid(1)[1..]);
        }
    ),
    defect!(
        Private,
        "global-guid2",
        "the second GUID of the store has 17 bytes",
        [error("global.guid2", GLOBAL)],
        |store| {
            store.sheet("Global").rows[0].set("N676a", [0; 17]);
        }
    ),
    defect!(
        Private,
        "no-inid",
        "a message has no id",
        [warning("message.ids.form", MESSAGE)],
        |store| another_message(store, None)
    ),
    defect!(
        Private,
        "same-inid",
        "two messages have the same id",
        [warning("message.ids.unique", MESSAGE)],
        |store| another_message(store, Some(inid(1)))
    ),
    defect!(
        Private,
        "unreferenced",
        "no folder has the message",
        [warning("msgref", &["msgref"])],
        |store| another_message(store, Some(inid(NOBODY)))
    ),
    defect!(
        Private,
        "cut-list",
        "a list of properties is cut off",
        [warning("message.props.form", MESSAGE)],
        |store| {
            let list = message(store, 9).get("N67b2").unwrap_or_default().to_vec();
            message(store, 9).set("N67b2", &list[..list.len() - 2]);
        }
    ),
    defect!(
        Private,
        "list-without-column",
        "a list of properties names one without a column",
        [warning("message.props", MESSAGE)],
        |store| {
            let mut list = message(store, 9).get("N67b2").unwrap_or_default().to_vec();
            list.extend(tags::write(&[PropTag(0x806A_0040)]));
            message(store, 9).set("N67b2", list);
        }
    ),
    defect!(
        Public,
        "public-list-without-value",
        "a list of properties names one without a value",
        [warning("message.props", MESSAGE)],
        |store| {
            message(store, 3).clear("N300b");
        }
    ),
    defect!(
        Private,
        "no-attachment-id",
        "an attachment has no id",
        [warning("attach.ids.form", ATTACH)],
        |store| another_attachment(store, None)
    ),
    defect!(
        Private,
        "same-attachment-id",
        "two attachments have the same id",
        [warning("attach.ids.unique", ATTACH)],
        |store| another_attachment(store, Some(attachment(1)))
    ),
    defect!(
        Private,
        "unreferenced-attachment",
        "no message has the attachment",
        [warning("attachref", &["attachref"])],
        |store| another_attachment(store, Some(attachment(NOBODY)))
    ),
    defect!(
        Private,
        "no-attachment",
        "an attachment of a message does not exist",
        [warning("attach.missing", ATTACH)],
        |store| {
            message(store, 4).set(
                "AttachmentIDs",
                [attachment(NOBODY), attachment(1)].concat(),
            );
        }
    ),
    defect!(
        Private,
        "no-embedded",
        "an attached message does not exist",
        [warning("attach.embedded", ATTACH)],
        |store| {
            store
                .row("Attach", "Q674d", &attachment(1))
                .set("EmbeddedInid", inid(NOBODY));
        }
    ),
    defect!(
        Private,
        "mailbox-guid",
        "the GUID of a mailbox has 15 bytes",
        [error("mailbox.guid", MAILBOX)],
        |store| {
            mailbox(store, ROOT).set("N676a", &guid(9)[1..]);
        }
    ),
    defect!(
        Private,
        "no-root",
        "the root of a mailbox does not exist",
        [warning("mailbox.root", MAILBOX)],
        |store| {
            mailbox(store, ROOT).set("Q6748", fid(NOBODY));
        }
    ),
    defect!(
        Private,
        "same-root",
        "two mailboxes have the same root",
        [warning("mailbox.root.unique", MAILBOX)],
        |store| {
            mailbox(store, OTHER_ROOT).set("Q6748", fid(ROOT));
        }
    ),
    defect!(
        Private,
        "no-subtree",
        "a mailbox has no IPM subtree",
        [warning("mailbox.subtree.missing", MAILBOX)],
        |store| {
            mailbox(store, ROOT).clear("Q35e0");
        }
    ),
    defect!(
        Private,
        "lost-subtree",
        "the IPM subtree does not exist",
        [warning("mailbox.subtree", MAILBOX)],
        |store| {
            mailbox(store, ROOT).set("Q35e0", fid(NOBODY));
        }
    ),
    defect!(
        Private,
        "lost-outbox",
        "the outbox does not exist",
        [warning("mailbox.outbox", MAILBOX)],
        |store| {
            mailbox(store, ROOT).set("Q35e2", fid(NOBODY));
        }
    ),
    defect!(
        Private,
        "lost-wastebasket",
        "the wastebasket does not exist",
        [warning("mailbox.wastebasket", MAILBOX)],
        |store| {
            mailbox(store, ROOT).set("Q35e3", fid(NOBODY));
        }
    ),
    defect!(
        Private,
        "lost-sentmail",
        "the folder for sent mail does not exist",
        [warning("mailbox.sentmail", MAILBOX)],
        |store| {
            mailbox(store, ROOT).set("Q35e4", fid(NOBODY));
        }
    ),
    defect!(
        Private,
        "lost-views",
        "the folder for views does not exist",
        [warning("mailbox.views", MAILBOX)],
        |store| {
            mailbox(store, ROOT).set("Q35e5", fid(NOBODY));
        }
    ),
    defect!(
        Private,
        "lost-common-views",
        "the folder for common views does not exist",
        [warning("mailbox.common_views", MAILBOX)],
        |store| {
            mailbox(store, ROOT).set("Q35e6", fid(NOBODY_ELSE));
        }
    ),
    defect!(
        Private,
        "lost-finder",
        "the finder does not exist",
        [warning("mailbox.finder", MAILBOX)],
        |store| {
            mailbox(store, ROOT).set("Q35e7", fid(NOBODY_ELSE));
        }
    ),
    defect!(
        Private,
        "user-guid",
        "the GUID of a user has 15 bytes",
        [error("peruser.user", PER_USER)],
        |store| {
            store.sheet("PerUserRead").rows[2].set("N676c", [5; 15]);
        }
    ),
    defect!(
        Private,
        "replica-guid",
        "the GUID of a replica is empty",
        [error("peruser.replica", PER_USER)],
        |store| {
            store.sheet("PerUserRead").rows[3].set("N67d0", [5; 1]);
        }
    ),
    defect!(
        Private,
        "low-number",
        "a named property has the number 0x7FFF",
        [warning("namedprop.range", NAMES)],
        |store| {
            named_prop(store, 5).set("PropNumber", 0x7FFFi32.to_le_bytes());
        }
    ),
    defect!(
        Private,
        "same-number",
        "two named properties have the same number",
        [warning("namedprop.number", NAMES)],
        |store| {
            named_prop(store, 4).set("PropNumber", 0x8003i32.to_le_bytes());
        }
    ),
    defect!(
        Private,
        "same-property-name",
        "two named properties have the same name",
        [warning("namedprop.name", NAMES)],
        |store| {
            let name = named_prop(store, 3)
                .get("PropName")
                .unwrap_or_default()
                .to_vec();
            named_prop(store, 5).set("PropName", name);
        }
    ),
    defect!(
        Private,
        "same-dispid",
        "two named properties have the same dispatch id",
        [warning("namedprop.dispid", NAMES)],
        |store| {
            named_prop(store, 2).set("PropDispId", 33_290i32.to_le_bytes());
        }
    ),
];
