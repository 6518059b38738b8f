//! What the records of a stream say together: each change must find the page as the one before has left it. What
//! `ml --deep` does.
//!
//! ```sh
//! cargo run --example log_checks -- logs E00
//! ```

use std::error::Error;
use std::path::Path;

use exutil::format::logrec::Record;
use exutil::ops::log_checks::StreamCheck;
use exutil::ops::log_records::{RecordPlace, RecordSink, Tally, walk};
use exutil::ops::logs::{GenerationRange, LogVisit, LogVisitor, read_stream};
use exutil::problem::Finding;

/// Hands every record to the check.
#[derive(Default)]
struct Deep(StreamCheck);

impl RecordSink for Deep {
    fn record(&mut self, place: RecordPlace, _bytes: &[u8], record: &Record<'_>) {
        self.0.record(place.at, record);
    }
}

impl LogVisitor for Deep {
    fn missing(&mut self, _first: &str, _last: &str) {
        self.0.gap();
    }

    fn log(&mut self, visit: &LogVisit<'_>) -> Tally {
        let log = visit.readable();
        log.map_or_else(Tally::default, |log| walk(log, Some(self)))
    }

    fn findings(&mut self) -> Vec<Finding> {
        self.0.take_findings()
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let (Some(folder), Some(base)) = (words.next(), words.next()) else {
        return Err("usage: log_checks FOLDER BASE".into());
    };
    let all = GenerationRange::default();
    let report = read_stream(Path::new(&folder), &base, all, &mut Deep::default())?;
    for finding in &report.findings {
        println!("{}: {}", finding.problem.info().text, finding.detail);
    }
    println!("{} findings", report.findings.len());
    Ok(())
}
