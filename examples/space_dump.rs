//! The pages that each table and index owns, and has to spare: what `ms` does.
//!
//! ```sh
//! cargo run --example space_dump -- testdata/priv1.edb
//! ```

use std::error::Error;
use std::path::Path;

use exutil::ops::space_dump::{SpaceOptions, dump_space};

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args_os().nth(1).ok_or("usage: space_dump FILE")?;
    let dump = dump_space(Path::new(&path), &SpaceOptions::default())?;
    for object in &dump.objects {
        let name = format!(
            "{:indent$}{}",
            "",
            object.name,
            indent = 4 * usize::from(object.level)
        );
        match &object.space {
            Some(space) => println!("{name}: owns {}, {} free", space.owned, space.available),
            None => println!("{name}: its space cannot be read"),
        }
    }
    println!(
        "{} of {} pages are free",
        dump.totals.available, dump.totals.pages
    );
    Ok(())
}
