//! Counts, sizes and times that folders of Exchange 2003 keep of their messages.

use super::super::classic::{fid, minutes};
use super::super::private::{BARE, DRAFTS, INBOX, PROJECTS, SEARCH};
use super::super::public::NEWS;
use super::super::rows::{Record, Store};
use super::{Defect, defect, error, warning};

const ROWS: &[&str] = &["rowcounts"];
const DUMPSTER: &[&str] = &["dumpsterref"];
const FOLDER: &[&str] = &["folder"];

fn folder(store: &mut Store, number: u64) -> &mut Record {
    store.row("Folders", "Q6748", &fid(number))
}

pub const DEFECTS: &[Defect] = &[
    defect!(
        Private,
        "count",
        "a folder counts a message too many",
        [warning("rowcounts", ROWS).trust()],
        |store| {
            folder(store, INBOX).add("L3602", 1);
        }
    ),
    defect!(
        Private,
        "unread",
        "a folder counts an unread message too few",
        [warning("rowcounts", ROWS).trust()],
        |store| {
            folder(store, INBOX).add("L3603", -1);
        }
    ),
    defect!(
        Private,
        "hidden",
        "an empty folder counts hidden messages",
        [warning("rowcounts", ROWS).trust()],
        |store| {
            folder(store, DRAFTS).add("L3617", 3);
        }
    ),
    defect!(
        Public,
        "public-count",
        "a folder counts a message too few",
        [warning("rowcounts", ROWS).trust()],
        |store| {
            folder(store, NEWS).add("L3602", -1);
        }
    ),
    defect!(
        Private,
        "wrapped",
        "an unread count went below zero",
        [
            warning("rowcounts", ROWS).trust(),
            error("rowcounts.wrap.unread", ROWS)
        ],
        |store| {
            folder(store, INBOX).set("L3603", (-2i32).to_le_bytes());
        }
    ),
    defect!(
        Private,
        "wrapped-count",
        "the count of a search folder went below zero",
        [error("rowcounts.wrap.count", ROWS)],
        |store| {
            folder(store, BARE).set("L3602", (-1i32).to_le_bytes());
        }
    ),
    defect!(
        Private,
        "wrapped-unread",
        "the unread count of a search folder went below zero",
        [error("rowcounts.wrap.unread", ROWS)],
        |store| {
            folder(store, SEARCH).set("L3603", (-2i32).to_le_bytes());
        }
    ),
    defect!(
        Private,
        "wrapped-hidden",
        "the hidden count of a search folder went below zero",
        [warning("rowcounts.wrap.hidden", ROWS)],
        |store| {
            folder(store, SEARCH).set("L3617", i32::MIN.to_le_bytes());
        }
    ),
    defect!(
        Private,
        "more-unread",
        "a search folder counts more unread messages than messages",
        [error("rowcounts.unread", ROWS)],
        |store| {
            folder(store, SEARCH).add("L3603", 1);
        }
    ),
    defect!(
        Private,
        "deleted-count",
        "a folder counts a deleted message too few",
        [warning("dumpsterref", DUMPSTER).trust()],
        |store| {
            folder(store, INBOX).add("L6640", -1);
        }
    ),
    defect!(
        Private,
        "deleted-hidden",
        "a folder counts a deleted hidden message too many",
        [warning("dumpsterref", DUMPSTER).trust()],
        |store| {
            folder(store, PROJECTS).add("L6643", 1);
        }
    ),
    defect!(
        Private,
        "deleted-size",
        "the size of deleted messages is wrong",
        [warning("dumpsterref", DUMPSTER).trust()],
        |store| {
            folder(store, INBOX).add("Q669b", 77);
        }
    ),
    defect!(
        Private,
        "deleted-normal-size",
        "the size of deleted normal messages is wrong",
        [warning("dumpsterref", DUMPSTER).trust()],
        |store| {
            folder(store, INBOX).add("Q669c", -77);
        }
    ),
    defect!(
        Private,
        "deleted-hidden-size",
        "the size of deleted hidden messages is wrong",
        [warning("dumpsterref", DUMPSTER).trust()],
        |store| {
            folder(store, INBOX).add("Q669d", 1 << 40);
        }
    ),
    defect!(
        Private,
        "oldest-deleted",
        "the time of the oldest deleted message is too late",
        [warning("dumpsterref.oldest", DUMPSTER).trust()],
        |store| {
            folder(store, INBOX).set("T6642", minutes(9000));
        }
    ),
    defect!(
        Private,
        "no-deleted-column",
        "a column for deleted messages is missing",
        [warning("dumpsterprops", &["dumpsterprops"])],
        |store| {
            store.sheet("Folders").rename("L6643", "L9999");
        }
    ),
    defect!(
        Private,
        "size",
        "the size of a folder is wrong",
        [warning("sizes", FOLDER).trust()],
        |store| {
            folder(store, PROJECTS).add("Q66b3", -1);
        }
    ),
    defect!(
        Private,
        "hidden-size",
        "the size of a folder's hidden messages is wrong",
        [warning("sizes", FOLDER).trust()],
        |store| {
            folder(store, PROJECTS).add("Q66b4", 5000);
        }
    ),
    defect!(
        Private,
        "committed",
        "a message was committed later than its folder says",
        [warning("committime", FOLDER).trust()],
        |store| {
            folder(store, PROJECTS).set("T670a", minutes(1));
        }
    ),
];
