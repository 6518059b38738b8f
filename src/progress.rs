//! How an operation tells how far it is; the library never prints.

/// Receives the progress of one job. Calls may come from several threads.
pub trait Progress: Sync {
    /// The job has `total` bytes or pages to do.
    fn start(&self, total: u64);
    /// `amount` more of them are done.
    fn advance(&self, amount: u64);
    /// The job is over.
    fn finish(&self);
}

/// Says nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn start(&self, _total: u64) {}
    fn advance(&self, _amount: u64) {}
    fn finish(&self) {}
}
