//! What a profile file may say, as it is written: TOML. `docs/profiles.md` explains every key.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How sure a fact is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize, Default,
)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// Concluded, not seen: at most a warning, and fixed only when the user trusts the profile.
    #[default]
    Inferred,
    /// One good public source.
    Medium,
    /// Two independent sources, or seen in a real file.
    High,
}

impl Confidence {
    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Inferred => "inferred",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// A whole profile.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Short name, as in `exchange-2013`.
    pub name: String,
    /// What it is for.
    pub title: String,
    /// What is known about it and what is not.
    pub about: String,
    /// Another embedded profile whose tables and checks are taken over.
    #[serde(default)]
    pub extends: Option<String>,
    /// Abbreviations of the sources.
    #[serde(default)]
    pub sources: BTreeMap<String, String>,
    /// How to tell that a database is of this kind.
    #[serde(default)]
    pub recognise: Recognise,
    /// Tables.
    #[serde(default, rename = "table")]
    pub tables: Vec<TableFact>,
    /// Tests that Isinteg does not have.
    #[serde(default, rename = "test")]
    pub tests: Vec<TestFact>,
    /// Checks.
    #[serde(default, rename = "check")]
    pub checks: Vec<CheckFact>,
}

/// What must be there for a profile to fit.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recognise {
    /// Roles of tables that must be there, with the columns that must be in them.
    #[serde(default)]
    pub tables: BTreeMap<String, Vec<String>>,
    /// Least and highest update major of the format.
    #[serde(default)]
    pub update_major: Option<(u32, u32)>,
    /// Without this table (a role) the store is a public one.
    #[serde(default)]
    pub private_sign: Option<String>,
    /// Isinteg was made for such stores: all its tests are listed.
    #[serde(default)]
    pub isinteg: bool,
}

/// A table, or many of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableFact {
    /// How checks name it.
    pub role: String,
    /// How findings name a row of it.
    pub title: String,
    /// Its names; `*` stands for a decimal number, `{id}` for the id of a folder as in `1-5AB2`.
    pub names: Vec<String>,
    /// Values shown of a row in a finding: label and column.
    #[serde(default)]
    pub shown: Vec<(String, String)>,
    /// The column with the name of a row.
    #[serde(default)]
    pub display: Option<String>,
    /// Where the fact is from.
    pub source: String,
    /// How sure it is.
    pub confidence: Confidence,
    /// Columns.
    #[serde(default, rename = "column")]
    pub columns: Vec<ColumnFact>,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnFact {
    /// How checks name it.
    pub role: String,
    /// A property id: the name is one or two capital letters and this id in lower-case hexadecimal digits.
    #[serde(default)]
    pub prop: Option<u32>,
    /// Its names, where there is no such rule.
    #[serde(default)]
    pub names: Vec<String>,
    /// How its values are read.
    pub form: Form,
    /// Where the fact is from.
    pub source: String,
    /// How sure it is.
    pub confidence: Confidence,
}

/// How the values of a column are read, whatever type the catalog gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// A whole number; 4 or 8 binary bytes are one with the highest byte first.
    Int,
    /// Zero or not; absent is zero.
    Bool,
    /// A FILETIME; 8 binary bytes are one with the highest byte first.
    Time,
    /// Text.
    Text,
    /// 16 bytes.
    Guid,
    /// Any bytes.
    Bytes,
    /// An id of Exchange 5.5 to 2007: replid and counter in 8 bytes.
    Id,
    /// Several such ids one after the other.
    Ids,
    /// An id of Exchange 2013 and later in 26 bytes.
    LongId,
    /// A property blob of Exchange 2013 and later.
    PropBlob,
    /// The list of a message's attachments, Exchange 2013 and later; as values, their numbers.
    Subobjects,
    /// A list of property tags; as values, the tags.
    Tags,
    /// Whatever it is; for checks that only ask whether there is a value.
    #[serde(skip)]
    Any,
}

/// A test that Isinteg does not have.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TestFact {
    /// Name on the command line.
    pub name: String,
    /// Name in results.
    pub title: String,
    /// What it checks.
    pub about: String,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct CheckFact {
    /// Its name.
    pub id: String,
    /// The test that it belongs to; several may share it.
    pub tests: Vec<String>,
    /// What is wrong where it does not hold.
    pub says: String,
    /// Where the rule is from.
    pub source: String,
    /// How sure it is.
    pub confidence: Confidence,
    /// Never more than a warning, however sure.
    #[serde(default)]
    pub warning: bool,
    /// What a fix does.
    #[serde(default)]
    pub fix: FixKind,
    /// It is fixed only when the user trusts the profile, however sure the rule.
    #[serde(default)]
    pub careful: bool,
    /// The rule itself.
    #[serde(flatten)]
    pub rule: Rule,
}

/// What a fix does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FixKind {
    /// Nothing: it is reported only.
    #[default]
    None,
    /// The right value is written.
    Write,
    /// The row is deleted.
    DropRow,
    /// The value is taken out of a list.
    DropValue,
}

/// Rows that meet all of these.
pub type Conditions = Vec<Condition>;

/// What a row must meet. A check with a condition on a column that is not recognised is not available.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// Of this column. Of tables of one role those that lack it: as if no row had a value.
    pub column: String,
    /// The column need not be there: then no row has a value.
    #[serde(default)]
    pub optional: bool,
    /// Only these bits of a number.
    #[serde(default)]
    pub mask: Option<i64>,
    /// What.
    #[serde(default)]
    pub is: Option<Is>,
    /// The number itself.
    #[serde(default)]
    pub equals: Option<i64>,
    /// Any but this number; absent is zero.
    #[serde(default)]
    pub not: Option<i64>,
}

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Is {
    /// There is none.
    Absent,
    /// There is one.
    Present,
    /// None, or zero.
    Zero,
    /// One that is not zero.
    Nonzero,
}

/// Rows as one side of a rule, and the key that they have there.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Side {
    /// Role of the table.
    pub table: String,
    /// Columns; `@table` is what stands for `*` or `{id}` in the table's name; `column.part` is a part of an id:
    /// `replid`, `counter`, `guid`. At most one of them may have several values.
    pub key: Vec<String>,
    /// Only such rows.
    #[serde(default, rename = "where")]
    pub conditions: Conditions,
}

/// A rule.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Rule {
    /// A rule of directories, which is in the code: `docs/directory-rules.md`.
    Directory {
        /// Which.
        rule: DirectoryRule,
    },
    /// Tables, and in them columns, that must be there.
    Present {
        /// Role of the table.
        table: String,
        /// Roles of its columns.
        #[serde(default)]
        columns: Vec<String>,
    },
    /// An index with these columns as the first of its key.
    Index {
        /// Role of the table.
        table: String,
        /// Roles of the columns.
        columns: Vec<String>,
    },
    /// The number of rows of a table.
    Rows {
        /// Role of the table.
        table: String,
        /// So many.
        exactly: u64,
    },
    /// The values of a column are there, if `required`, and well-formed.
    Form {
        /// Role of the table.
        table: String,
        /// Role of the column.
        column: String,
        /// A row without a value is wrong.
        #[serde(default)]
        required: bool,
        /// Only such rows.
        #[serde(default, rename = "where")]
        conditions: Conditions,
    },
    /// A number compared with another of the row, or with a constant.
    Compare {
        /// Role of the table.
        table: String,
        /// The column, or a part of it.
        left: String,
        /// How.
        op: Op,
        /// Another column; or:
        #[serde(default)]
        right: Option<String>,
        /// A constant.
        #[serde(default)]
        value: Option<i64>,
        /// Only such rows.
        #[serde(default, rename = "where")]
        conditions: Conditions,
    },
    /// A number is one of these.
    OneOf {
        /// Role of the table.
        table: String,
        /// Role of the column.
        column: String,
        /// The numbers.
        values: Vec<i64>,
    },
    /// A hash equals that of another column's value.
    Hash {
        /// Role of the table.
        table: String,
        /// The hash.
        column: String,
        /// Of what.
        of: String,
        /// Which.
        algorithm: HashKind,
    },
    /// A list of property tags names what the row has columns for.
    PropertyList {
        /// Role of the table.
        table: String,
        /// The list.
        column: String,
    },
    /// No two rows have the same key.
    Unique {
        /// The rows.
        of: Side,
    },
    /// Each key of one side is one of the other.
    Refers {
        /// Who refers.
        from: Side,
        /// To whom.
        to: Side,
        /// A key of zeros refers to nobody.
        #[serde(default)]
        zero_is_none: bool,
    },
    /// Each row is referred to by somebody.
    Referenced {
        /// The rows.
        of: Side,
        /// Who may refer.
        by: Vec<Side>,
    },
    /// What one side says of the other, the other says of the one.
    Mirror {
        /// Pairs.
        one: Side,
        /// The same pairs.
        other: Side,
    },
    /// Parents are there, and lead to a root without a loop.
    Tree {
        /// Role of the table.
        table: String,
        /// The id of a row. Not called `id`, which is the name of the check.
        key: Vec<String>,
        /// That of its parent: the same number of columns.
        parent: Vec<String>,
        /// Who else names roots. A parent that is absent or zero makes one by itself.
        #[serde(default)]
        roots: Vec<Side>,
        /// A row that is its own parent may be a root: that is a warning.
        #[serde(default)]
        own_parent_may_be_root: bool,
        /// How many rows have no parent, in each table.
        #[serde(default)]
        roots_exactly: Option<u64>,
    },
    /// Each row has a table of its own, and each such table a row.
    Tables {
        /// The rows; the key is one column, as `@table` of the tables.
        rows: Side,
        /// Role of the tables.
        tables: String,
    },
    /// Counters of a row.
    Counts {
        /// The rows with the counters.
        of: Side,
        /// The counters.
        #[serde(rename = "counter")]
        counters: Vec<Counter>,
    },
}

impl Rule {
    /// The role of the table whose rows the rule judges.
    #[must_use]
    pub fn table(&self) -> Option<&str> {
        Some(match self {
            Self::Present { .. } | Self::Index { .. } => return None,
            Self::Directory { rule } => rule.table(),
            Self::Rows { table, .. }
            | Self::Form { table, .. }
            | Self::Compare { table, .. }
            | Self::OneOf { table, .. }
            | Self::Hash { table, .. }
            | Self::PropertyList { table, .. }
            | Self::Tree { table, .. } => table,
            Self::Unique { of } | Self::Referenced { of, .. } | Self::Counts { of, .. } => {
                &of.table
            }
            Self::Refers { from: side, .. }
            | Self::Mirror { one: side, .. }
            | Self::Tables { rows: side, .. } => &side.table,
        })
    }
}

impl DirectoryRule {
    const fn table(self) -> &'static str {
        match self {
            Self::SdUnused | Self::SdHash | Self::SdValid => "sd_table",
            Self::Links | Self::LinksOdd => "link_table",
            _ => "datatable",
        }
    }
}

/// The rules of directories. `[directory rules]`
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DirectoryRule {
    /// Ids of rows, and their parents.
    Dnt,
    /// The chain of parents, as stored.
    Ancestors,
    /// Naming contexts.
    Nc,
    /// Distinguished names.
    OwnName,
    /// Relative names.
    Rdn,
    /// Reference counts.
    Refcount,
    /// Phantoms.
    Phantom,
    /// References to security descriptors, and their counts.
    SdRef,
    /// Descriptors that nobody uses.
    SdUnused,
    /// Hashes of descriptors.
    SdHash,
    /// Descriptors themselves.
    SdValid,
    /// SIDs.
    Sid,
    /// Links.
    Links,
    /// The less certain rules of links.
    LinksOdd,
    /// References to subordinate naming contexts that are missing.
    Subrefs,
    /// Such references that should not be there.
    SubrefsOdd,
    /// References to rows that are not there.
    Dangling,
    /// Columns against the schema.
    Schema,
    /// Attributes without a column.
    SchemaOdd,
    /// Update sequence numbers.
    Usn,
    /// Those of the replication metadata.
    UsnMetadata,
}

/// A counter, and what it counts.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counter {
    /// Where it stands.
    pub column: String,
    /// The rows that count, with the key of the row that counts them.
    pub from: Side,
    /// The column whose values are added up; without one each row counts as one.
    #[serde(default)]
    pub add: Option<String>,
    /// What is made of them.
    #[serde(default)]
    pub take: Take,
    /// How the counter must compare with it.
    #[serde(default)]
    pub compare: CounterOp,
    /// Without a value the counter is not tested; else it is zero.
    #[serde(default)]
    pub absent_is_untested: bool,
}

/// What is made of the values that count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Take {
    /// Their sum.
    #[default]
    Sum,
    /// The highest.
    Max,
    /// The lowest.
    Min,
}

/// How a counter must compare with what was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CounterOp {
    /// The same.
    #[default]
    Equal,
    /// Not less.
    AtLeast,
    /// Not more.
    AtMost,
}

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Op {
    /// Equal.
    #[serde(rename = "==")]
    Equal,
    /// Not equal.
    #[serde(rename = "!=")]
    NotEqual,
    /// Less.
    #[serde(rename = "<")]
    Less,
    /// Less or equal.
    #[serde(rename = "<=")]
    AtMost,
    /// Greater or equal.
    #[serde(rename = ">=")]
    AtLeast,
}

/// A hash function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HashKind {
    /// MD5.
    Md5,
}
