//! What a file is, by its content and never by its name.
//!
//! ```sh
//! cargo run --example identify -- testdata/priv1.edb
//! ```

use std::error::Error;
use std::path::Path;

use exutil::ops::identify;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args_os().nth(1).ok_or("usage: identify FILE")?;
    let (_file, start, kind) = identify::open(Path::new(&path))?;
    println!("{} ({} bytes looked at)", kind.words(), start.len());
    Ok(())
}
