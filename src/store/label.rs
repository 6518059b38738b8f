//! How rows and values are written in findings.

use super::bound::{Bound, Role};
use super::finding::RowRef;
use super::profile::Form;
use super::rows::View;
use crate::format::store::ids::{StoreId, WideId};
use crate::format::value::{DateTime, Guid, Hex};

/// Characters of a row's name that are shown.
const NAME_MOST: usize = 80;
/// Bytes of a value that are shown.
const BYTES_MOST: usize = 40;

/// A value of a form, as [`super::columns::Values`] has it.
pub(super) fn value_text(bytes: &[u8], form: Form) -> String {
    let number = || bytes.try_into().map(i64::from_be_bytes).ok();
    match form {
        Form::Int | Form::Bool | Form::Subobjects => {
            number().map_or_else(|| hex(bytes), |number| number.to_string())
        }
        Form::Tags => number().map_or_else(|| hex(bytes), |tag| format!("{tag:08X}")),
        Form::Time => {
            let time = number().map(|number| DateTime::from_raw(number.cast_unsigned()));
            let iso = time.and_then(DateTime::filetime_iso);
            iso.unwrap_or_else(|| hex(bytes))
        }
        Form::Id | Form::Ids => match bytes.try_into() {
            Ok(id) => StoreId::from_be_bytes(id).to_string(),
            Err(_) => hex(bytes),
        },
        Form::LongId => match WideId::parse(bytes) {
            Ok(Some(id)) => id.to_string(),
            _ => hex(bytes),
        },
        Form::Guid => match bytes.try_into() {
            Ok(guid) => Guid(guid).to_string(),
            Err(_) => hex(bytes),
        },
        Form::Text => shortened(&String::from_utf8_lossy(bytes)),
        Form::Bytes | Form::PropBlob | Form::Any => hex(bytes),
    }
}

fn hex(bytes: &[u8]) -> String {
    let shown = &bytes[..bytes.len().min(BYTES_MOST)];
    let more = if shown.len() < bytes.len() { "..." } else { "" };
    format!("{}{more}", Hex(shown))
}

/// One line, not too long: control characters are shown as what they are not.
fn shortened(text: &str) -> String {
    // Some names end in a NUL, which is no part of them. `[directory rules 0]`
    let text = text.trim_end_matches('\0');
    let shown: String = text
        .chars()
        .take(NAME_MOST)
        .map(|c| if c.is_control() { '\u{FFFD}' } else { c })
        .collect();
    let more = if text.chars().nth(NAME_MOST).is_some() {
        "..."
    } else {
        ""
    };
    format!("{shown}{more}")
}

/// A row as findings name it: `Folder 3 (Fid=0001-000000000144) "Inbox"`. `[cli facts 7.1]`
pub(crate) fn row_label(view: &View<'_>, bound: &Bound, row: &RowRef) -> String {
    let of = |role: &&Role| role.table(row.table).is_some();
    let Some(role) = bound.roles.values().find(of) else {
        return format!("row {}", row.ordinal);
    };
    let fact = &role.fact;
    let head = format!("{} {}", fact.title, row.ordinal);
    let bound_table = role.table(row.table);
    let (Some(store), Some(table)) = (bound_table, bound.table(row.table)) else {
        return head;
    };
    let mut columns: Vec<_> = fact
        .shown
        .iter()
        .map(|(_, column)| store.columns.get(column))
        .collect();
    let display = fact.display.as_ref();
    columns.push(display.and_then(|column| store.columns.get(column)));
    let Some(values) = view.row(table, &row.key, &columns) else {
        return head;
    };
    let mut shown = Vec::new();
    for (slot, (label, _)) in fact.shown.iter().enumerate() {
        if let (Some(value), Some(place)) = (values.first(slot), columns[slot]) {
            shown.push(format!("{label}={}", value_text(value, place.form)));
        }
    }
    let mut text = head;
    // Of tables that there are many of, it is said which.
    if store.part.is_some() && shown.is_empty() {
        shown.push(table.name.clone());
    }
    if !shown.is_empty() {
        text = format!("{text} ({})", shown.join(", "));
    }
    if let Some(name) = values.first(fact.shown.len()) {
        text = format!("{text} \"{}\"", shortened(&String::from_utf8_lossy(name)));
    }
    text
}
