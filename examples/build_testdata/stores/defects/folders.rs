//! Folders of Exchange 2003: schema, ids, parents, tables.

use super::super::classic::{BY_NAME, entries, fid, inid, table_of};
use super::super::counts::classic as recount;
use super::super::private::{
    BARE, DRAFTS, FINDER, INBOX, NOBODY, OTHER_BARE, PROJECTS, ROOT, SEARCH, SHARED,
};
use super::super::public::{ARCHIVE, NEWS};
use super::super::rows::{Record, Store};
use super::{Defect, defect, error, warning};

const FOLDER: &[&str] = &["folder"];
const SCHEMA: &[&str] = &["schema"];
const SEARCHES: &[&str] = &["search"];

fn folder(store: &mut Store, number: u64) -> &mut Record {
    store.row("Folders", "Q6748", &fid(number))
}

/// The row of a message in the table of a folder.
fn entry(store: &mut Store, number: u64, message: u64) -> &mut Record {
    store.row(&table_of(number), "Q674d", &inid(message))
}

/// Lays a folder below another; the counts stay true.
fn moved(store: &mut Store, number: u64, parent: u64) {
    folder(store, number).set("Q6749", fid(parent));
    recount_children(store);
}

/// Counts child folders, and keeps everything else as it is.
fn recount_children(store: &mut Store) {
    let mut counted = store.clone();
    recount(&mut counted);
    let counted = &counted.sheet("Folders").rows;
    for (row, counted) in store.sheet("Folders").rows.iter_mut().zip(counted) {
        if let Some(count) = counted.get("L6638") {
            row.set("L6638", count);
        }
    }
}

/// Puts something at the end of a list.
fn extend(row: &mut Record, column: &'static str, more: [u8; 8]) {
    let mut list = row.get(column).unwrap_or_default().to_vec();
    list.extend(more);
    row.set(column, list);
}

pub const DEFECTS: &[Defect] = &[
    defect!(
        Private,
        "no-name-column",
        "the folders have no names",
        [error("schema.folder", SCHEMA)],
        |store| {
            store.sheet("Folders").rename("S3001", "S9999");
        }
    ),
    defect!(
        Private,
        "no-messages",
        "the table of messages is gone",
        [error("schema.message", SCHEMA)],
        |store| {
            store.sheet("Msg").name = "Messages".to_owned();
        }
    ),
    defect!(
        Private,
        "no-global",
        "the global table is gone",
        [error("schema.global", SCHEMA)],
        |store| {
            store.remove("Global");
        }
    ),
    defect!(
        Private,
        "no-index",
        "the index by name is gone",
        [error("schema.index", SCHEMA)],
        |store| {
            store.sheet("Folders").drop_index(BY_NAME);
        }
    ),
    defect!(
        Private,
        "no-fid",
        "a folder has no id",
        [error("folder.ids.form", FOLDER)],
        |store| {
            folder(store, BARE).clear("Q6748");
        }
    ),
    defect!(
        Private,
        "short-fid",
        "a folder's id has 7 bytes",
        [error("folder.ids.form", FOLDER)],
        |store| {
            folder(store, BARE).set("Q6748", &fid(BARE)[1..]);
        }
    ),
    defect!(
        Private,
        "same-fid",
        "two folders have the same id",
        [error("folder.ids.unique", FOLDER)],
        |store| {
            folder(store, OTHER_BARE).set("Q6748", fid(BARE));
        }
    ),
    defect!(
        Private,
        "no-replid",
        "a folder's id has the replid 0",
        [error("folder.ids.replid", FOLDER)],
        |store| {
            folder(store, BARE).set("Q6748", super::super::classic::id(0, BARE));
        }
    ),
    defect!(
        Private,
        "no-parent",
        "a folder's parent does not exist",
        [error("folder.parent", FOLDER)],
        |store| {
            moved(store, BARE, NOBODY);
        }
    ),
    defect!(
        Private,
        "own-parent",
        "a folder is its own parent",
        [warning("folder.parent", FOLDER)],
        |store| {
            moved(store, BARE, BARE);
        }
    ),
    defect!(
        Private,
        "parents-in-a-ring",
        "two folders are each the other's parent",
        [error("folder.parent", FOLDER)],
        |store| {
            moved(store, BARE, OTHER_BARE);
            moved(store, OTHER_BARE, BARE);
        }
    ),
    defect!(
        Public,
        "public-no-parent",
        "a folder's parent does not exist",
        [error("folder.parent", FOLDER)],
        |store| {
            moved(store, 0x18, NOBODY);
            store
                .sheet(&table_of(0x13))
                .rows
                .retain(|row| row.get("Qe5f") != Some(&fid(0x18)));
        }
    ),
    defect!(
        Private,
        "same-name",
        "two folders below the same parent have the same name",
        [warning("folder.name", FOLDER)],
        |store| {
            folder(store, DRAFTS).set("S3001", *b"Inbox");
        }
    ),
    defect!(
        Private,
        "odd-type",
        "a folder has the type 7",
        [error("folder.type", FOLDER)],
        |store| {
            folder(store, INBOX).set("L3601", 7i32.to_le_bytes());
        }
    ),
    defect!(
        Private,
        "no-table",
        "a folder has no table",
        [warning("folder.table", FOLDER)],
        |store| {
            store.remove(&table_of(DRAFTS));
        }
    ),
    defect!(
        Private,
        "table-of-nobody",
        "a table belongs to no folder",
        [warning("folder.table", FOLDER)],
        |store| {
            store.sheets.push(entries(NOBODY));
        }
    ),
    defect!(
        Private,
        "no-message",
        "the message of a folder's row does not exist",
        [warning("msgfolder.inid", FOLDER).trust()],
        |store| {
            entry(store, PROJECTS, SHARED).set("Q674d", inid(NOBODY));
        }
    ),
    defect!(
        Public,
        "public-no-message",
        "the message of a folder's row does not exist",
        [warning("msgfolder.inid", FOLDER).trust()],
        |store| {
            entry(store, ARCHIVE, 3).set("Q674d", inid(NOBODY));
        }
    ),
    defect!(
        Private,
        "no-child",
        "a folder's row for a child folder has none",
        [warning("msgfolder.subfolder", FOLDER)],
        |store| {
            store
                .row(&table_of(INBOX), "Qe5f", &fid(PROJECTS))
                .set("Qe5f", fid(NOBODY));
        }
    ),
    defect!(
        Private,
        "foreign-row",
        "a row is in the table of another folder",
        [warning("msgfolder.fid", FOLDER)],
        |store| {
            entry(store, PROJECTS, 9).set("Q6748", fid(INBOX));
        }
    ),
    defect!(
        Private,
        "no-source",
        "the folder that a row is from does not exist",
        [warning("msgfolder.source", FOLDER)],
        |store| {
            entry(store, SEARCH, 2).set("Qe5f", fid(NOBODY));
        }
    ),
    defect!(
        Private,
        "search-link-to-nobody",
        "a search link leads nowhere",
        [
            warning("search.fids", SEARCHES).trust(),
            warning("search.mirror", SEARCHES)
        ],
        |store| {
            extend(folder(store, INBOX), "SearchFIDs", fid(NOBODY));
        }
    ),
    defect!(
        Private,
        "back-link-to-nobody",
        "a search back link leads nowhere",
        [
            warning("search.backlinks", SEARCHES).trust(),
            warning("search.mirror", SEARCHES)
        ],
        |store| {
            extend(folder(store, SEARCH), "SearchBacklinks", fid(NOBODY));
        }
    ),
    defect!(
        Private,
        "search-link-twice",
        "a search link stands there twice",
        [warning("search.fids.once", SEARCHES).trust()],
        |store| {
            extend(folder(store, INBOX), "SearchFIDs", fid(SEARCH));
        }
    ),
    defect!(
        Private,
        "back-link-twice",
        "a search back link stands there twice",
        [warning("search.backlinks.once", SEARCHES).trust()],
        |store| {
            extend(folder(store, SEARCH), "SearchBacklinks", fid(INBOX));
        }
    ),
    defect!(
        Private,
        "no-back-link",
        "a search link has no back link",
        [warning("search.mirror", SEARCHES)],
        |store| {
            folder(store, SEARCH).set("SearchBacklinks", fid(INBOX));
        }
    ),
    defect!(
        Private,
        "children",
        "a folder counts a child folder too many",
        [warning("fldsub", &["fldsub"]).trust()],
        |store| {
            folder(store, FINDER).add("L6638", 1);
        }
    ),
    defect!(
        Private,
        "no-children",
        "a folder says nothing of its child folders",
        [warning("fldsub", &["fldsub"]).trust()],
        |store| {
            folder(store, ROOT).clear("L6638");
        }
    ),
    defect!(
        Private,
        "deleted-children",
        "a folder counts a deleted child folder too many",
        [warning("fldsub", &["fldsub"]).trust()],
        |store| {
            folder(store, FINDER).add("L6641", 1);
        }
    ),
    defect!(
        Public,
        "public-children",
        "a folder counts a child folder too few",
        [warning("fldsub", &["fldsub"]).trust()],
        |store| {
            folder(store, NEWS).add("L6638", -1);
        }
    ),
];
