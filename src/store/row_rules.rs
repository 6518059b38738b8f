//! Rules that look at one row alone.

use md5::{Digest as _, Md5};

use super::columns::Values;
use super::keys::{Piece, Slots, Where};
use super::label::value_text;
use super::profile::{Form, HashKind, Op, Rule};
use crate::format::value::Hex;

/// A rule, by slots.
pub(super) enum RowRule {
    Form {
        column: usize,
        required: bool,
        conditions: Where,
    },
    Compare {
        left: Piece,
        op: Op,
        right: Right,
        conditions: Where,
    },
    OneOf {
        column: usize,
        values: Vec<i64>,
    },
    Hash {
        column: usize,
        of: usize,
    },
}

/// What a number is compared with.
pub(super) enum Right {
    Piece(Piece),
    Value(i64),
}

impl RowRule {
    /// `None` for a rule that is not one of these.
    pub fn new(rule: &Rule, slots: &mut Slots, form: &impl Fn(&str) -> Form) -> Option<Self> {
        Some(match rule {
            Rule::Form {
                column,
                required,
                conditions,
                ..
            } => Self::Form {
                column: slots.of(column),
                required: *required,
                conditions: Where::new(conditions, slots),
            },
            Rule::Compare {
                left,
                op,
                right,
                value,
                conditions,
                ..
            } => Self::Compare {
                left: Piece::new(left, slots, form),
                op: *op,
                right: match right {
                    Some(right) => Right::Piece(Piece::new(right, slots, form)),
                    None => Right::Value(value.unwrap_or_default()),
                },
                conditions: Where::new(conditions, slots),
            },
            Rule::OneOf { column, values, .. } => Self::OneOf {
                column: slots.of(column),
                values: values.clone(),
            },
            Rule::Hash {
                column,
                of,
                algorithm: HashKind::Md5,
                ..
            } => Self::Hash {
                column: slots.of(column),
                of: slots.of(of),
            },
            _ => return None,
        })
    }

    /// The column that must be in a table for the rule to look at it.
    pub const fn column(&self) -> usize {
        match self {
            Self::Form { column, .. } | Self::OneOf { column, .. } | Self::Hash { column, .. } => {
                *column
            }
            Self::Compare { left, .. } => left.slot(),
        }
    }

    /// What is wrong with a row, in words.
    pub fn violated(&self, values: &Values) -> Option<String> {
        match self {
            Self::Form {
                column,
                required,
                conditions,
            } => {
                if !conditions.holds(values) {
                    return None;
                }
                if let Some(fault) = values.fault(*column) {
                    return Some(fault.to_owned());
                }
                (*required && values.count(*column) == 0).then(|| "no value".to_owned())
            }
            Self::Compare {
                left,
                op,
                right,
                conditions,
            } => {
                if !conditions.holds(values) {
                    return None;
                }
                let one = left.int(values)?;
                let other = match right {
                    Right::Piece(piece) => piece.int(values)?,
                    Right::Value(value) => *value,
                };
                let holds = match op {
                    Op::Equal => one == other,
                    Op::NotEqual => one != other,
                    Op::Less => one < other,
                    Op::AtMost => one <= other,
                    Op::AtLeast => one >= other,
                };
                (!holds).then(|| format!("{one} against {other}"))
            }
            Self::OneOf {
                column,
                values: allowed,
            } => {
                let number = values.int(*column)?;
                (!allowed.contains(&number)).then(|| format!("it is {number}"))
            }
            Self::Hash { column, of } => {
                let (stored, value) = (values.first(*column)?, values.first(*of)?);
                let right = Md5::digest(value);
                (stored != &right[..]).then(|| {
                    format!(
                        "{} instead of {}",
                        value_text(stored, Form::Bytes),
                        Hex(&right)
                    )
                })
            }
        }
    }
}
