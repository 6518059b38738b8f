//! One row taken out of a sound database, with its entries in all indexes: what `isinteg -fix` rests on. The key is the
//! one that `export` prints.
//!
//! ```sh
//! cargo run --example amend -- FILE TABLE KEY
//! ```

use std::error::Error;
use std::path::Path;
use std::time::UNIX_EPOCH;

use exutil::db::Database;
use exutil::format::stamp::LogTime;
use exutil::ops::amend::{AmendOptions, amend};
use exutil::ops::export::read_schema;
use exutil::progress::Silent;
use exutil::repair::Amendments;
use exutil::storage::RealDisk;

/// The bytes of hexadecimal digits.
fn bytes(digits: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    let pairs = digits.as_bytes().chunks(2);
    pairs
        .map(|pair| Ok(u8::from_str_radix(std::str::from_utf8(pair)?, 16)?))
        .collect()
}

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [path, table, key] = &words[..] else {
        return Err("usage: amend FILE TABLE KEY".into());
    };
    let (schema, _) = read_schema(&Database::open(Path::new(path), None)?);
    let table = schema.table(table).ok_or("there is no such table")?;
    let mut amendments = Amendments::default();
    amendments.drop_row(table.objid, &bytes(key)?);
    let options = AmendOptions::new(path, "amend", LogTime::from_unix(UNIX_EPOCH.elapsed()?));
    // The new database can be looked at before it takes the place of the old one.
    let mut verify = |db: &Database| {
        println!("the new database has {} pages", db.last_page());
        Ok(())
    };
    let report = amend(&options, &amendments, &mut verify, &RealDisk, &Silent)?;
    println!("{} rows removed", report.rows_removed);
    Ok(())
}
