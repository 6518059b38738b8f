//! Writes the man pages: `cargo run --example man_pages -- man`.

use std::path::PathBuf;

fn main() -> std::io::Result<()> {
    let Some(dir) = std::env::args_os().nth(1).map(PathBuf::from) else {
        return Err(std::io::Error::other("man_pages DIR"));
    };
    std::fs::create_dir_all(&dir)?;
    exutil::cli::docs::write_man_pages(&dir)
}
