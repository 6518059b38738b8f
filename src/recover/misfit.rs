//! A database that does not fit its log, in words.

use crate::error::Trouble;
use crate::format::ids::{DbTime, Pgno};
use crate::jet::JetError;

use super::replay::Replay;

impl Replay {
    #[cold]
    pub(super) fn bad_page(&self, place: usize, pgno: Pgno, jet: JetError) -> Trouble {
        Trouble::new(jet, format!("page {pgno} is damaged, and a log record changes it"))
            .of(&self.databases[place].path)
            .at(self.at)
            .advise("recover a better copy of the database, or repair it: the logs cannot be brought to an end on it")
    }

    #[cold]
    pub(super) fn too_new(
        &self,
        place: usize,
        pgno: Pgno,
        dbtime: DbTime,
        after: DbTime,
    ) -> Trouble {
        let what = format!(
            "page {pgno} has the time {:#x}, but a log record that the database cannot have seen takes it to {:#x}",
            dbtime.get(),
            after.get()
        );
        Trouble::new(JetError::DB_TIME_BEYOND_MAX_REQUIRED, what)
            .of(&self.databases[place].path)
            .at(self.at)
            .advise("the database and these logs went different ways; find the logs that belong to this copy")
    }

    #[cold]
    pub(super) fn diverged(
        &self,
        place: usize,
        pgno: Pgno,
        dbtime: DbTime,
        before: DbTime,
        after: DbTime,
    ) -> Trouble {
        let what = format!(
            "page {pgno} has the time {:#x}, but the log takes it from {:#x} to {:#x}",
            dbtime.get(),
            before.get(),
            after.get()
        );
        Trouble::new(JetError::DB_TIME_TOO_NEW, what)
            .of(&self.databases[place].path)
            .at(self.at)
            .advise("the database and these logs went different ways; find the logs that belong to this copy")
    }

    #[cold]
    pub(super) fn too_old(
        &self,
        place: usize,
        pgno: Pgno,
        dbtime: DbTime,
        before: DbTime,
    ) -> Trouble {
        let what = format!(
            "page {pgno} has the time {:#x}, but should have {:#x} by now: a write was lost, or logs are missing",
            dbtime.get(),
            before.get()
        );
        Trouble::new(JetError::DB_TIME_TOO_OLD, what)
            .of(&self.databases[place].path)
            .at(self.at)
            .advise("find the logs in between or a better copy of the database; else repair it")
    }

    /// Trouble with the content of a page.
    #[cold]
    pub(super) fn misfit(&self, place: usize, pgno: Pgno, jet: JetError, what: &str) -> Trouble {
        Trouble::new(jet, format!("page {pgno}: {what}"))
            .of(&self.databases[place].path)
            .at(self.at)
            .advise("page and log contradict each other; recover a better copy of the database, or repair it")
    }
}
