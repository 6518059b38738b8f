//! What a command has changed is taken back from its undo file: what `undo` does.
//!
//! ```sh
//! cargo run --example undo -- FILE.undo
//! ```

use std::error::Error;
use std::path::Path;

use exutil::ops::undo::{UndoAction, UndoOptions, undo_file};

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args_os().nth(1).ok_or("usage: undo FILE")?;
    let mut options = UndoOptions {
        action: UndoAction::DryRun,
        force: false,
    };
    let plan = undo_file(Path::new(&path), options)?;
    println!("'{}': {:?}", plan.operation, plan.outcome);
    for file in &plan.files {
        match &file.changed_since {
            Some(change) => println!("{}: changed since: {}", file.path, change.what),
            None => println!("{}: {} bytes before", file.path, file.before_bytes),
        }
    }
    options.action = UndoAction::Restore;
    println!("{:?}", undo_file(Path::new(&path), options)?.outcome);
    Ok(())
}
