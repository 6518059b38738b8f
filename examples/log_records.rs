//! Every record of a log with its place, and how many there are of each type: what `ml --verbose` does.
//!
//! ```sh
//! cargo run --example log_records -- E00.log
//! ```

use std::error::Error;
use std::path::Path;

use exutil::format::logrec::Record;
use exutil::ops::log_records::{RecordPlace, RecordSink, Tally, walk};
use exutil::ops::logs::{LogVisit, LogVisitor, read_log};

/// Prints what it sees.
struct Printer;

impl RecordSink for Printer {
    fn record(&mut self, place: RecordPlace, bytes: &[u8], record: &Record<'_>) {
        // Records that change a page say which.
        let page = record.page_head().map(|head| head.pgno);
        println!("{} {} bytes, page {page:?}", place.at, bytes.len());
    }
}

impl LogVisitor for Printer {
    fn log(&mut self, visit: &LogVisit<'_>) -> Tally {
        let log = visit.readable();
        log.map_or_else(Tally::default, |log| walk(log, Some(self)))
    }

    fn wants_summary(&self) -> bool {
        true
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args_os()
        .nth(1)
        .ok_or("usage: log_records FILE")?;
    let report = read_log(Path::new(&path), &mut Printer)?;
    for (kind, count) in report.records.iter().flat_map(|all| all.histogram.kinds()) {
        println!("{kind}: {} records, {} bytes", count.records, count.bytes);
    }
    Ok(())
}
