//! The tables of a database with their columns and indexes: what `mm` does.
//!
//! ```sh
//! cargo run --example meta_dump -- testdata/priv1.edb
//! ```

use std::error::Error;
use std::path::Path;

use exutil::ops::meta_dump::{MetaOptions, dump_meta};

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args_os().nth(1).ok_or("usage: meta_dump FILE")?;
    let dump = dump_meta(Path::new(&path), &MetaOptions::default())?;
    for table in &dump.tables {
        println!("{}", table.name);
        for column in &table.columns {
            println!("    {}: {:?}", column.column.name, column.column.coltyp);
        }
        for index in &table.indexes {
            println!(
                "    index {} over {}",
                index.index.name,
                index.key.join(", ")
            );
        }
    }
    Ok(())
}
