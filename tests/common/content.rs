//! What is in a database, as text.

#![allow(dead_code, reason = "no test binary uses all of it")]

use std::path::Path;

use exutil::db::Database;
use exutil::ops::export::content::{Content, dump_table};
use exutil::ops::export::{Exporter, Loss, read_schema, select};

/// Every row of every table but the engine's own, with its values.
pub fn content_of(path: &Path) -> String {
    let db = Database::open(path, None).unwrap();
    let (schema, _) = read_schema(&db);
    let tables = select(&schema, &[], false).unwrap();
    let mut exporter = Exporter::new(&db, false);
    let mut out = Vec::new();
    let mut content = Content::new(&mut out, |_: &Loss| {});
    for table in tables {
        dump_table(&mut exporter, &schema, table, &mut content).unwrap();
    }
    drop(content);
    String::from_utf8_lossy(&out).into_owned()
}
