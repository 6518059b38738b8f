//! Where recovery begins, and of which databases: what `mk` does.
//!
//! ```sh
//! cargo run --example checkpoint -- E00.chk
//! ```

use std::error::Error;
use std::path::Path;

use exutil::ops::checkpoint::read_checkpoint;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args_os().nth(1).ok_or("usage: checkpoint FILE")?;
    let report = read_checkpoint(Path::new(&path))?;
    println!("checkpoint {}", report.checkpoint.checkpoint);
    println!("logs in {}", report.checkpoint.environment.log_path.text());
    for attachment in &report.attachments {
        println!("database {} is {}", attachment.dbid, attachment.path);
    }
    Ok(())
}
