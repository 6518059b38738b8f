//! The tests of a store: what is wrong with what its rows mean, and with `fix` the repair of it. What `isinteg` does.
//!
//! ```sh
//! cargo run --example isinteg -- testdata/store-2013.edb
//! ```

use std::error::Error;
use std::time::UNIX_EPOCH;

use exutil::format::stamp::LogTime;
use exutil::ops::isinteg::{FixOptions, IsintegOptions, isinteg};
use exutil::progress::Silent;
use exutil::storage::RealDisk;

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let path = words.next().ok_or("usage: isinteg FILE [fix]")?;
    let mut options = IsintegOptions::new(path);
    if words.next().as_deref() == Some("fix") {
        options.fix = Some(FixOptions::new(LogTime::from_unix(UNIX_EPOCH.elapsed()?)));
    }
    let report = isinteg(&options, &RealDisk, &Silent)?;
    let profile = report.profile.as_ref();
    println!(
        "{}",
        profile.map_or("no store that is known", |profile| profile.title.as_str())
    );
    for test in report.tests.iter().filter(|test| test.available) {
        println!("{}: {} rows, {} errors", test.title, test.rows, test.errors);
        for finding in &test.findings {
            println!(
                "    {}: {} {}",
                finding.subject, finding.says, finding.detail
            );
        }
    }
    let (warnings, errors, fixes) = report.sums();
    println!("{errors} errors, {warnings} warnings, {fixes} fixes");
    Ok(())
}
