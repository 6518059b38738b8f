//! What is in a database, as text.

#![allow(dead_code, reason = "no test binary uses all of it")]

use std::path::Path;

use exutil::db::Database;
use exutil::ops::export::content::{Content, dump_table};
use exutil::ops::export::{Exporter, Loss, read_schema, select};

/// Every row of every table but the engine's own, with its values.
pub fn content_of(path: &Path) -> String {
    let tables = tables_of(&Database::open(path, None).unwrap());
    tables.into_iter().map(|(_, text)| text).collect()
}

/// The same table by table, with their names.
pub fn tables_of(db: &Database) -> Vec<(String, String)> {
    let (schema, _) = read_schema(db);
    let tables = select(&schema, &[], false).unwrap();
    let mut exporter = Exporter::new(db, false);
    let mut dump = |table| {
        let mut out = Vec::new();
        let mut content = Content::new(&mut out, |_: &Loss| {});
        dump_table(&mut exporter, &schema, table, &mut content).unwrap();
        drop(content);
        String::from_utf8_lossy(&out).into_owned()
    };
    let named = tables
        .into_iter()
        .map(|table| (table.name.clone(), dump(table)));
    named.collect()
}
