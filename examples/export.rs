//! Every row of one table as JSON: what `export` does.
//!
//! ```sh
//! cargo run --example export -- testdata/priv1.edb Folders
//! ```

use std::error::Error;
use std::io::{BufWriter, Write as _, stdout};
use std::path::Path;

use exutil::db::Database;
use exutil::ops::export::json::JsonLines;
use exutil::ops::export::{Exporter, LongMode, Loss, read_schema, select};

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let (Some(path), Some(table)) = (words.next(), words.next()) else {
        return Err("usage: export FILE TABLE".into());
    };
    let db = Database::open(Path::new(&path), None)?;
    let (schema, damage) = read_schema(&db);
    let mut out = BufWriter::new(stdout().lock());
    // A row that cannot be read is told of, and the export goes on.
    let mut rows = JsonLines::new(&mut out, LongMode::Whole, |loss: &Loss| eprintln!("{loss}"));
    let mut exporter = Exporter::new(&db, false);
    exporter.tell(&damage, &mut rows)?;
    let missing = |name| format!("there is no table {name}");
    for table in select(&schema, &[table], false).map_err(missing)? {
        exporter.table(&schema, table, &mut rows)?;
    }
    let summary = exporter.summary();
    out.flush()?;
    eprintln!("{} rows, {} losses", summary.rows, summary.left_out);
    Ok(())
}
