//! The logs that a dirty database needs, looked for in a folder: a part of `mh`.
//!
//! ```sh
//! cargo run --example required_logs -- testdata/dirty.edb testdata
//! ```

use std::error::Error;
use std::path::Path;

use exutil::db::Database;
use exutil::ops::required_logs::find;

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args_os().skip(1);
    let (Some(path), Some(folder)) = (words.next(), words.next()) else {
        return Err("usage: required_logs FILE FOLDER".into());
    };
    let db = Database::open(Path::new(&path), None)?;
    let Some(needed) = find(db.header(), None, Some(Path::new(&folder))) else {
        println!("needs no logs");
        return Ok(());
    };
    println!("needs generations {} to {}", needed.low, needed.high);
    for log in &needed.logs {
        println!("{}: {:?}", log.name, log.state);
    }
    Ok(())
}
