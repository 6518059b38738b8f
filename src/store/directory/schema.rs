//! The schema of a directory: classes and attributes, which are rows of it, against its columns. `[directory rules 15]`

use std::collections::{BTreeMap, BTreeSet};

use super::columns::attributes;
use super::findings::{Findings, Pending, times};
use crate::db::catalog::Table;
use crate::store::columns::{Values, as_int};
use crate::store::profile::DirectoryRule;

/// `objectClass` of attributes and of classes.
const ATTRIBUTE_SCHEMA: i64 = 196_622;
const CLASS_SCHEMA: i64 = 196_621;
/// Stored syntaxes are this and the number of the syntax.
const SYNTAX: i64 = 0x80000;
/// Syntaxes 2.5.5.1 to 2.5.5.17.
const SYNTAXES: std::ops::RangeInclusive<i64> = 1..=17;

/// What the rows say about the schema. Memory: some 100 bytes an attribute or class.
#[derive(Default)]
pub(super) struct SchemaRows {
    attributes: Vec<AttributeRow>,
    classes: BTreeSet<i64>,
    /// Every value of `objectClass` that rows have, with the first row that has it, and how many do.
    used: BTreeMap<i64, (u32, u64)>,
}

struct AttributeRow {
    ordinal: u32,
    id: Option<i64>,
    internal: Option<i64>,
    syntax: Option<i64>,
    link: Option<i64>,
    flags: i64,
    defunct: bool,
}

impl SchemaRows {
    /// Takes a row of the first pass; slots are in its order.
    pub fn row(&mut self, values: &Values, is_live: bool, ordinal: u32) {
        let (mut attribute, mut class) = (false, false);
        for value in values.all(8).filter_map(as_int) {
            attribute |= value == ATTRIBUTE_SCHEMA;
            class |= value == CLASS_SCHEMA;
            self.used.entry(value).or_insert((ordinal, 0)).1 += 1;
        }
        if is_live && attribute {
            self.attributes.push(AttributeRow {
                ordinal,
                id: values.int(9),
                syntax: values.int(10),
                internal: values.int(11),
                defunct: values.int(12).is_some_and(|flag| flag != 0),
                link: values.int(14),
                flags: values.int(15).unwrap_or_default(),
            });
        }
        if is_live && class {
            self.classes.extend(values.int(13));
        }
    }

    /// Ids of links, by half of which links are named.
    pub fn link_ids(&self) -> BTreeSet<i64> {
        self.attributes.iter().filter_map(|row| row.link).collect()
    }

    pub fn judge(&self, table: &Table, findings: &mut Findings) {
        self.rows(findings);
        self.columns(table, findings);
        self.used(findings);
        self.without_column(table, findings);
    }

    fn rows(&self, findings: &mut Findings) {
        let mut ids = BTreeSet::new();
        for row in &self.attributes {
            let wrong = match (row.id, row.syntax) {
                (None, _) => Some("it has no attributeID".to_owned()),
                (_, None) => Some("it has no attributeSyntax".to_owned()),
                (_, Some(syntax)) if !SYNTAXES.contains(&(syntax - SYNTAX)) => {
                    Some(format!("attributeSyntax is {syntax}"))
                }
                (Some(id), _) if !row.defunct && !ids.insert(id) => {
                    Some(format!("attributeID {id} is that of another attribute"))
                }
                _ => None,
            };
            if let Some(detail) = wrong {
                findings.add(Pending::new(DirectoryRule::Schema, row.ordinal, detail));
            }
        }
    }

    /// Attributes by the ids that columns may be named by.
    fn by_id(&self) -> BTreeMap<i32, &AttributeRow> {
        let mut found = BTreeMap::new();
        for row in &self.attributes {
            for id in [row.id, row.internal].into_iter().flatten() {
                // Ids are 32 bits, which columns' names show with a sign.
                let id = id as i32;
                if !row.defunct || !found.contains_key(&id) {
                    found.insert(id, row);
                }
            }
        }
        found
    }

    fn columns(&self, table: &Table, findings: &mut Findings) {
        let by_id = self.by_id();
        for (column, attribute) in attributes(table) {
            let subject = || format!("Column {}", column.name);
            let Some(attribute) = attribute else {
                findings.about(
                    DirectoryRule::Schema,
                    subject(),
                    "its name is of no attribute".to_owned(),
                );
                continue;
            };
            let Some(row) = by_id.get(&attribute.id) else {
                let detail = format!("no attributeSchema row has the id {}", attribute.id);
                findings.about(DirectoryRule::Schema, subject(), detail);
                continue;
            };
            // A row with a syntax that cannot be has been told of.
            let Some(number) = row.syntax.map(|syntax| syntax - SYNTAX) else {
                continue;
            };
            let letter = i64::from(attribute.letter - b'a');
            if SYNTAXES.contains(&number) && number != letter {
                let detail = format!(
                    "attributeSyntax 2.5.5.{number} against column {}",
                    column.name
                );
                findings.add(Pending::new(DirectoryRule::Schema, row.ordinal, detail));
            }
        }
    }

    fn used(&self, findings: &mut Findings) {
        let missing = self
            .used
            .iter()
            .filter(|(class, _)| !self.classes.contains(class));
        for (class, (first, rows)) in missing {
            let detail = format!("objectClass {class} is no class of the schema");
            let detail = times(detail, *rows, "rows have it");
            findings.add(Pending::new(DirectoryRule::Schema, *first, detail));
        }
    }

    /// `[directory rules 15.4]`
    fn without_column(&self, table: &Table, findings: &mut Findings) {
        for row in self.columnless(table) {
            let detail = "no column of its own".to_owned();
            findings.add(Pending::new(DirectoryRule::SchemaOdd, row.ordinal, detail));
        }
    }

    /// Attributes without a column that should have one.
    fn columnless(&self, table: &Table) -> impl Iterator<Item = &AttributeRow> {
        const CONSTRUCTED: i64 = 4;
        let ids: BTreeSet<i32> = attributes(table)
            .filter_map(|(_, attribute)| attribute.map(|attribute| attribute.id))
            .collect();
        self.attributes.iter().filter(move |row| {
            let named = [row.id, row.internal].into_iter().flatten();
            let has_column = named.map(|id| id as i32).any(|id| ids.contains(&id));
            !has_column && row.link.is_none() && row.flags & CONSTRUCTED == 0 && !row.defunct
        })
    }

    /// True when an attribute with one of these letters has no column: it may have been lost, with what was in it.
    pub fn lacks_column(&self, table: &Table, letters: &[u8]) -> bool {
        let is_of = |letter: &u8| SYNTAX + i64::from(*letter - b'a');
        let syntaxes: BTreeSet<i64> = letters.iter().map(is_of).collect();
        self.columnless(table)
            .any(|row| row.syntax.is_some_and(|syntax| syntaxes.contains(&syntax)))
    }
}
