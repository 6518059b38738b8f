//! Schema profiles: what is known of a kind of store, read from TOML. `docs/profiles.md`

pub(crate) mod load;
mod model;
mod validate;

pub use load::{ProfileError, embedded, parse};
pub use model::{
    CheckFact, ColumnFact, Condition, Conditions, Confidence, Counter, CounterOp, DirectoryRule,
    FixKind, Form, HashKind, Is, Op, Profile, Recognise, Rule, Side, TableFact, Take, TestFact,
};
