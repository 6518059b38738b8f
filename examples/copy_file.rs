//! A copy that gets along with a bad disk: what `y` does.
//!
//! ```sh
//! cargo run --example copy_file -- testdata/priv1.edb copy.edb
//! ```

use std::error::Error;

use exutil::ops::copy_file::{CopyOptions, copy_file};
use exutil::progress::Silent;

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args_os().skip(1);
    let (Some(source), Some(dest)) = (words.next(), words.next()) else {
        return Err("usage: copy_file SOURCE DEST".into());
    };
    let options = CopyOptions {
        source: source.into(),
        dest: dest.into(),
        ignore_errors: true,
        verify: true,
        ..CopyOptions::default()
    };
    let report = copy_file(&options, &Silent)?;
    println!("{:?}, {} bytes", report.outcome, report.bytes);
    for range in &report.unread {
        println!(
            "{} bytes at {} are zero: unreadable",
            range.bytes, range.offset
        );
    }
    if let Some(verified) = &report.verified {
        println!("{} bad pages", verified.counts.bad);
    }
    Ok(())
}
