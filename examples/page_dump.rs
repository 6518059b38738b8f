//! One page: what it is, and each of its nodes. What `m --page` does.
//!
//! ```sh
//! cargo run --example page_dump -- testdata/priv1.edb 4
//! ```

use std::error::Error;
use std::path::Path;

use exutil::db::Database;
use exutil::format::ids::Pgno;
use exutil::ops::page_dump::dump_page;

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let (Some(path), Some(page)) = (words.next(), words.next()) else {
        return Err("usage: page_dump FILE PAGE".into());
    };
    let db = Database::open(Path::new(&path), None)?;
    let dump = dump_page(&db, Pgno::new(page.parse()?))?;
    println!(
        "page {} of object {}: {}",
        dump.page,
        dump.header.objid,
        dump.kinds.join(", ")
    );
    println!("its checksum is {}", dump.checksum.verdict);
    for tag in &dump.tags {
        println!(
            "    {}: {} bytes at {:#x}, {:?}",
            tag.itag, tag.cb, tag.offset, tag.what
        );
    }
    Ok(())
}
