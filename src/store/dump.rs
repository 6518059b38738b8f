//! Folders and mailboxes as `isinteg -dump` prints them. `[cli facts 7.1: Q231967]`

use std::io;

use serde::Serialize;

use super::bound::Bound;
use super::columns::ColumnPlace;
use super::label::value_text;
use super::rows::{Unread, View};

/// What is printed of a row, in this order: label, and role of the column.
type Fields = &'static [(&'static str, &'static str)];

/// The fields of a folder. Those whose column is not known are printed without a value, as the original does with what is not set.
const FOLDER: Fields = &[
    ("Folder FID", "fid"),
    ("Parent FID", "parent"),
    ("Root FID", "root"),
    ("ACL ID", "acl"),
    ("Folder Type", "type"),
    ("Msg Count", "count"),
    ("Msgs Unread", "unread"),
    ("Msgs Submitted", "submitted"),
    ("Rcv Count", "receive_count"),
    ("Subfolders", "children"),
    ("Name", "name"),
    ("Comment", "comment"),
    ("Restriction", "restriction"),
    ("Search FIDs", "search_fids"),
    ("Recursive FIDs", "recursive_fids"),
    ("Search Backlinks", "search_backlinks"),
    ("Categ FIDs", "categorization_fids"),
];

/// The fields of a mailbox.
const MAILBOX: Fields = &[
    ("RootFID", "fid"),
    ("Owner DN", "owner"),
    ("GUID", "guid"),
    ("Display Name", "name"),
    ("Comment", "comment"),
    ("Sentmail FID", "sentmail_fid"),
    ("Subtree", "subtree"),
    ("Inbox", "inbox"),
    ("Outbox", "outbox"),
    ("Sentmail", "sentmail"),
    ("Finder", "finder"),
    ("DAF", "daf"),
    ("Spooler Q", "spooler_queue"),
    ("Size", "size"),
    ("Localized", "localized"),
    ("Locale", "locale"),
];

/// The kinds of rows that are dumped: role and fields.
const KINDS: [(&str, Fields); 2] = [("folder", FOLDER), ("mailbox", MAILBOX)];

/// One row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DumpedRow {
    /// `folder` or `mailbox`.
    pub kind: &'static str,
    /// The table.
    pub table: String,
    /// Its number in the table, from 1 on.
    pub number: u64,
    /// Labels and values; several values of one field are separated by commas.
    pub fields: Vec<(&'static str, String)>,
}

/// Shows every folder, then every mailbox. Returns what could not be read, by table.
///
/// # Errors
/// What `show` returns.
pub fn dump(
    view: &View<'_>,
    bound: &Bound,
    show: &mut dyn FnMut(DumpedRow) -> io::Result<()>,
) -> io::Result<Vec<(String, Unread)>> {
    let mut unread = Vec::new();
    for (kind, fields) in KINDS {
        for store in bound.tables(kind) {
            let Some(table) = bound.table(store.objid) else {
                continue;
            };
            let columns: Vec<Option<&ColumnPlace>> = fields
                .iter()
                .map(|(_, role)| store.columns.get(*role))
                .collect();
            let left = view.rows(table, &columns, &mut |row| {
                let texts = fields.iter().enumerate().map(|(slot, (label, _))| {
                    let form = columns[slot].map(|place| place.form);
                    let values = row.values.all(slot);
                    let texts = form.map(|form| values.map(move |value| value_text(value, form)));
                    (
                        *label,
                        texts.into_iter().flatten().collect::<Vec<_>>().join(", "),
                    )
                });
                show(DumpedRow {
                    kind,
                    table: table.name.clone(),
                    number: row.ordinal,
                    fields: texts.collect(),
                })
            })?;
            if left.is_some() {
                unread.push((table.name.clone(), left));
            }
        }
    }
    Ok(unread)
}
