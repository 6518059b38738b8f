//! `-dump`: folders and mailboxes.

use std::io;

use super::report::UnreadTable;
use super::{IsintegOptions, Job, open};
use crate::error::{Error, Result, Trouble};
use crate::jet::JetError;
use crate::progress::Silent;
use crate::storage::Disk;
use crate::store::dump::{DumpedRow, dump};
use crate::store::rows::View;

/// Shows every folder and mailbox of a store, one after the other. Returns the tables that could not be read to their end.
///
/// # Errors
/// -1003 for a database that has neither; [`Error::Io`] when `show` cannot go on.
pub fn dump_store(
    options: &IsintegOptions,
    disk: &dyn Disk,
    show: &mut dyn FnMut(DumpedRow) -> io::Result<()>,
) -> Result<Vec<UnreadTable>> {
    let db = open(options, disk)?;
    let job = Job::new(options, &db, &Silent)?;
    let stores = |role: &str| {
        job.bound
            .as_ref()
            .is_some_and(|bound| !bound.tables(role).is_empty())
    };
    let bound = job
        .bound
        .as_ref()
        .filter(|_| stores("folder") || stores("mailbox"));
    let Some(bound) = bound else {
        let what = "it has no table of folders and none of mailboxes that is known here";
        return Err(Trouble::new(JetError::INVALID_PARAMETER, what)
            .of(&options.path)
            .advise("'exutil export' writes out the rows of any table")
            .into());
    };
    let view = View {
        db: &db,
        schema: &job.schema,
        amendments: None,
    };
    let unread = dump(&view, bound, show);
    let unread = unread.map_err(|error| Error::io(&options.path, "print", error))?;
    Ok(unread.into_iter().map(UnreadTable::of).collect())
}
