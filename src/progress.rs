//! How an operation tells how far it is, and what is left if it ends at this moment; the library never prints.

use std::path::Path;

/// What a job counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Bytes.
    Bytes,
    /// Pages of so many bytes.
    Pages(u32),
    /// Other things, in the plural: "logs", "files".
    Things(&'static str),
}

/// One job, or one stage of a longer one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Task {
    /// What is done: "checking".
    pub doing: &'static str,
    /// So many are to be done; 0 where nobody knows.
    pub total: u64,
    /// What is counted.
    pub unit: Unit,
    /// The original shows nothing of this stage.
    pub unseen: bool,
}

impl Task {
    /// A job over bytes.
    #[must_use]
    pub const fn bytes(doing: &'static str, total: u64) -> Self {
        Self::new(doing, total, Unit::Bytes)
    }

    /// A job over pages of `size` bytes.
    #[must_use]
    pub const fn pages(doing: &'static str, total: u64, size: usize) -> Self {
        // No page has more than 32 KiB.
        Self::new(doing, total, Unit::Pages(size as u32))
    }

    /// A job over other things, whose name is in the plural.
    #[must_use]
    pub const fn things(doing: &'static str, total: u64, name: &'static str) -> Self {
        Self::new(doing, total, Unit::Things(name))
    }

    /// The same, where the original shows no bar.
    #[must_use]
    pub const fn unseen(self) -> Self {
        Self {
            unseen: true,
            ..self
        }
    }

    const fn new(doing: &'static str, total: u64, unit: Unit) -> Self {
        Self {
            doing,
            total,
            unit,
            unseen: false,
        }
    }
}

/// What is left of a job that ends at this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left<'a> {
    /// Every file of the user's is as it was. So it is until something else is said.
    Unchanged,
    /// An unfinished file that a later run of the same kind does not want.
    Unfinished {
        /// Its name.
        file: &'a Path,
    },
    /// An unfinished file that a later run goes on with.
    Kept {
        /// Its name.
        file: &'a Path,
        /// What of it is done, and durable.
        done: u64,
        /// How long it will be.
        total: u64,
    },
    /// Files are in between; the next run of the same kind takes that back, or makes it whole.
    Changing {
        /// The undo file that gives back what was there, where there is one.
        undo: Option<&'a Path>,
    },
    /// All changes are made.
    Changed {
        /// The undo file that takes them back, where there is one.
        undo: Option<&'a Path>,
    },
}

/// Receives the progress of one job. Calls may come from several threads.
pub trait Progress: Sync {
    /// A job begins, or the next stage of it.
    fn start(&self, task: Task);
    /// `amount` more of it is done.
    fn advance(&self, amount: u64);
    /// The job, or the stage, is over.
    fn finish(&self);
    /// From now on something else is left if the job ends. Said before it is so, if the new state is worse than the old
    /// one, and behind it otherwise. Who hears it can end the process in this call.
    fn leaves(&self, left: Left<'_>);
}

/// Says nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn start(&self, _task: Task) {}
    fn advance(&self, _amount: u64) {}
    fn finish(&self) {}
    fn leaves(&self, _left: Left<'_>) {}
}

impl<P: Progress + ?Sized> Progress for &P {
    fn start(&self, task: Task) {
        (**self).start(task);
    }

    fn advance(&self, amount: u64) {
        (**self).advance(amount);
    }

    fn finish(&self) {
        (**self).finish();
    }

    fn leaves(&self, left: Left<'_>) {
        (**self).leaves(left);
    }
}

/// Nobody need be there.
impl<P: Progress> Progress for Option<P> {
    fn start(&self, task: Task) {
        self.iter().for_each(|progress| progress.start(task));
    }

    fn advance(&self, amount: u64) {
        self.iter().for_each(|progress| progress.advance(amount));
    }

    fn finish(&self) {
        self.iter().for_each(Progress::finish);
    }

    fn leaves(&self, left: Left<'_>) {
        self.iter().for_each(|progress| progress.leaves(left));
    }
}
