//! The columns of a directory: those that the profile names, and those of attributes. `[directory rules 0]`

use crate::db::catalog::{Column, Table};
use crate::format::schema::Coltyp;
use crate::store::bound::{Bound, StoreTable};
use crate::store::columns::ColumnPlace;
use crate::store::profile::Form;

/// The table of a role: what the catalog says, and where the profile's columns are.
#[derive(Clone, Copy)]
pub(super) struct RoleTable<'b> {
    pub store: &'b StoreTable,
    pub table: &'b Table,
}

impl<'b> RoleTable<'b> {
    pub fn of(bound: &'b Bound, role: &str) -> Option<Self> {
        let store = bound.tables(role).first()?;
        let table = bound.table(store.objid)?;
        Some(Self { store, table })
    }

    /// Numbers of directories are never bytes: such a column is of a wrong type, and what it holds cannot be read.
    pub fn column(&self, role: &str) -> Option<&'b ColumnPlace> {
        let column = self.store.columns.get(role)?;
        is_of_form(column.coltyp, column.form).then_some(column)
    }

    /// Columns in the order of roles.
    pub fn columns<const N: usize>(&self, roles: [&str; N]) -> [Option<&'b ColumnPlace>; N] {
        roles.map(|role| self.column(role))
    }
}

/// A column of an attribute, `ATT<letter><id>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Attribute {
    /// `'a'` and the number of the syntax.
    pub letter: u8,
    /// The id, or the internal one.
    pub id: i32,
}

impl Attribute {
    /// `None` for a column of another kind; the inner `None` for one that should be of this kind and is not.
    pub fn of_name(name: &str) -> Option<Option<Self>> {
        let rest = name.strip_prefix("ATT")?;
        let letter = rest
            .bytes()
            .next()
            .filter(|letter| (b'a'..=b'r').contains(letter));
        Some(letter.and_then(|letter| {
            let digits = &rest[1..];
            let plain = digits.strip_prefix('-').unwrap_or(digits);
            let all = !plain.is_empty() && plain.bytes().all(|byte| byte.is_ascii_digit());
            let id = digits.parse().ok().filter(|_| all)?;
            Some(Self { letter, id })
        }))
    }
}

/// The columns of attributes that are not deleted.
pub(super) fn attributes(table: &Table) -> impl Iterator<Item = (&Column, Option<Attribute>)> {
    let columns = table.columns.iter();
    columns
        .filter(|column| column.coltyp != Coltyp::Deleted)
        .filter_map(|column| Some((column, Attribute::of_name(&column.name)?)))
}

/// Where the columns with one of these letters are.
pub(super) fn of_letters(
    table: &Table,
    letters: &[u8],
    form: Form,
) -> Vec<(Attribute, ColumnPlace)> {
    attributes(table)
        .filter_map(|(column, attribute)| {
            let attribute = attribute.filter(|found| letters.contains(&found.letter))?;
            Some((attribute, place(column, form)?))
        })
        .collect()
}

/// Names of the columns with one of these letters whose values cannot be read.
pub(super) fn unbound(table: &Table, letters: &[u8], form: Form) -> Vec<String> {
    attributes(table)
        .filter(|(_, attribute)| attribute.is_some_and(|found| letters.contains(&found.letter)))
        .filter(|(column, _)| place(column, form).is_none())
        .map(|(column, _)| column.name.clone())
        .collect()
}

fn place(column: &Column, form: Form) -> Option<ColumnPlace> {
    let place = ColumnPlace::new(column, false, form)?;
    is_of_form(place.coltyp, form).then_some(place)
}

const fn is_of_form(coltyp: Coltyp, form: Form) -> bool {
    !matches!(form, Form::Int) || !matches!(coltyp, Coltyp::Binary | Coltyp::LongBinary)
}
