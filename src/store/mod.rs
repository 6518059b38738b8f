//! What stands on top of a database: stores of Exchange, directories. A profile says what tables and columns mean and what
//! must hold between them; this room lays it over a catalog (`bound`) and runs its checks (`engine`).
//!
//! | file | what it does |
//! |---|---|
//! | `profile`, `profiles/` | what is known, as TOML |
//! | `bound` | which of it is in a database |
//! | `columns`, `rows`, `keys` | values of rows in one form, and keys made of them |
//! | `plan`, `engine` | what is done with each row; one pass over each table |
//! | `row_rules`, `catalog_rules`, `property_list` | rules that need no other row |
//! | `entries`, `relations`, `lists`, `trees` | rules that compare rows: sorted, in bounded memory |
//! | `directory/` | the rules of directories |
//! | `test_list`, `suite` | Isinteg's tests and groups, and which of them can run |
//! | `dump` | folders and mailboxes in text |
//! | `label`, `finding` | what was found, and how rows are named |

mod blobs;
pub mod bound;
mod catalog_rules;
pub mod columns;
pub mod directory;
pub mod dump;
pub mod engine;
mod entries;
pub mod finding;
mod keys;
mod label;
mod lists;
mod plan;
pub mod profile;
mod property_list;
mod relations;
mod row_rules;
pub mod rows;
pub mod suite;
pub mod test_list;
mod trees;

pub(crate) use label::row_label;
