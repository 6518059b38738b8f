//! Keys of rows, by which rules compare them, and conditions on rows.

use std::ops::ControlFlow;

use super::columns::{Values, as_int};
use super::profile::load::TABLE_PART;
use super::profile::{Condition, Form, Is};

/// Columns of a role that some rule reads; each has a number, its slot.
#[derive(Debug, Default)]
pub(super) struct Slots {
    pub names: Vec<String>,
}

impl Slots {
    /// The slot of a column.
    pub fn of(&mut self, column: &str) -> usize {
        match self.names.iter().position(|name| name == column) {
            Some(slot) => slot,
            None => {
                self.names.push(column.to_owned());
                self.names.len() - 1
            }
        }
    }
}

/// A part of an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Whole,
    Replid,
    Counter,
    Guid,
}

/// A column, or a part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece {
    slot: usize,
    part: Part,
    form: Form,
}

/// One component of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Component {
    Table,
    Piece(Piece),
}

/// How a key is made of a row.
#[derive(Debug, Default)]
pub(super) struct KeyOf {
    components: Vec<Component>,
}

impl Piece {
    /// `column` or `column.part`, with the form of the column.
    pub fn new(text: &str, slots: &mut Slots, form: impl Fn(&str) -> Form) -> Self {
        let (column, part) = match text.split_once('.') {
            None => (text, Part::Whole),
            Some((column, "replid")) => (column, Part::Replid),
            Some((column, "guid")) => (column, Part::Guid),
            Some((column, _)) => (column, Part::Counter),
        };
        Self {
            slot: slots.of(column),
            part,
            form: form(column),
        }
    }

    /// The slot of its column.
    pub const fn slot(&self) -> usize {
        self.slot
    }

    /// The piece of a value; `number` gets a number that is made of it.
    fn cut<'v>(&self, value: &'v [u8], number: &'v mut [u8; 8]) -> Option<&'v [u8]> {
        let (range, little) = match (self.form, self.part) {
            (_, Part::Whole) => return Some(value),
            (Form::LongId, Part::Guid) => return value.get(..16),
            (Form::LongId, Part::Counter) => (16..22, false),
            (Form::LongId, Part::Replid) => (24..26, true),
            (_, Part::Replid) => (0..2, false),
            (_, _) => (2..8, false),
        };
        let bytes = value.get(range)?;
        *number = [0; 8];
        number[8 - bytes.len()..].copy_from_slice(bytes);
        if little {
            number[8 - bytes.len()..].reverse();
        }
        Some(number)
    }

    /// The piece of a row's first value, as a number.
    pub fn int(&self, values: &Values) -> Option<i64> {
        let mut number = [0; 8];
        as_int(self.cut(values.first(self.slot)?, &mut number)?)
    }
}

impl KeyOf {
    pub fn new(key: &[String], slots: &mut Slots, form: impl Fn(&str) -> Form) -> Self {
        let components = key.iter().map(|component| match &**component {
            TABLE_PART => Component::Table,
            column => Component::Piece(Piece::new(column, slots, &form)),
        });
        Self {
            components: components.collect(),
        }
    }

    /// The slots of its columns.
    pub fn slots(&self) -> impl Iterator<Item = usize> {
        self.components
            .iter()
            .filter_map(|component| match component {
                Component::Table => None,
                Component::Piece(piece) => Some(piece.slot),
            })
    }

    /// Shows every key of a row: one for each value of the column that has several. A row with an absent column has none.
    /// The flag says that all of it but the table's part is zero.
    pub fn each(
        &self,
        part: Option<&[u8; 8]>,
        values: &Values,
        key: &mut Vec<u8>,
        show: &mut dyn FnMut(&[u8], bool) -> ControlFlow<()>,
    ) {
        let counts = self.components.iter().map(|component| match component {
            Component::Table => usize::from(part.is_some()),
            Component::Piece(piece) => values.count(piece.slot),
        });
        let (mut least, mut most) = (usize::MAX, 0);
        for count in counts {
            least = least.min(count);
            most = most.max(count);
        }
        if least == 0 || least == usize::MAX {
            return;
        }
        for number in 0..most {
            key.clear();
            let mut is_zero = true;
            for component in &self.components {
                let mut made = [0; 8];
                let bytes = match component {
                    Component::Table => part.map(|part| &part[..]),
                    Component::Piece(piece) => {
                        let last = values.count(piece.slot) - 1;
                        let value = values.all(piece.slot).nth(number.min(last));
                        value.and_then(|value| piece.cut(value, &mut made))
                    }
                };
                let Some(bytes) = bytes else { return };
                is_zero &= *component == Component::Table || bytes.iter().all(|byte| *byte == 0);
                // Lengths keep components apart.
                key.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
                key.extend_from_slice(bytes);
            }
            if show(key, is_zero).is_break() {
                return;
            }
        }
    }
}

/// A key in words, for a finding: numbers and ids as they are usually written.
pub(super) fn key_text(key: &[u8], forms: &[Form]) -> String {
    let mut rest = key;
    let mut texts = Vec::new();
    let mut forms = forms.iter();
    while let Some((len, after)) = rest.split_first_chunk::<4>() {
        let Some((bytes, after)) = after.split_at_checked(u32::from_be_bytes(*len) as usize) else {
            break;
        };
        let form = forms.next().copied().unwrap_or(Form::Bytes);
        texts.push(super::label::value_text(bytes, form));
        rest = after;
    }
    texts.join(", ")
}

/// Conditions on a row, by slots.
#[derive(Debug, Clone)]
pub(super) struct Where(Vec<(usize, Condition)>);

impl Where {
    pub fn new(conditions: &[Condition], slots: &mut Slots) -> Self {
        let compiled = conditions
            .iter()
            .map(|condition| (slots.of(&condition.column), condition.clone()));
        Self(compiled.collect())
    }

    /// The slots of its columns.
    pub fn slots(&self) -> impl Iterator<Item = usize> {
        self.0.iter().map(|(slot, _)| *slot)
    }

    pub fn holds(&self, values: &Values) -> bool {
        self.0.iter().all(|(slot, condition)| {
            // What cannot be read, nobody can tell: the row is not looked at.
            if values.fault(*slot).is_some() {
                return false;
            }
            let present = values.is_present(*slot);
            // A value that is no number is not zero.
            let number = match values.first(*slot) {
                None => i64::from(present),
                Some(bytes) => as_int(bytes)
                    .filter(|_| bytes.len() == 8)
                    .unwrap_or_else(|| i64::from(bytes.iter().any(|byte| *byte != 0))),
            };
            let number = number & condition.mask.unwrap_or(-1);
            let is = condition.is.is_none_or(|is| match is {
                Is::Absent => !present,
                Is::Present => present,
                Is::Zero => number == 0,
                Is::Nonzero => number != 0,
            });
            is && condition.equals.is_none_or(|wanted| number == wanted)
                && condition.not.is_none_or(|unwanted| number != unwanted)
        })
    }
}
