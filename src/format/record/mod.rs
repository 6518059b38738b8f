//! Records: the data of a table's leaf nodes, read and written. [format notes chapter 7]

pub mod convert;
mod decode;
pub mod edit;
pub mod encode;
mod fault;
pub mod prune;
pub mod set;
mod tagged;
mod tagged_new;
mod tagged_old;

#[cfg(test)]
mod tests;

pub use decode::{CatalogLimits, Field, Record, RecordLayout, Separated};
pub use fault::RecordFault;
pub use set::{ColumnChange, ColumnShape, RecordShape, SetError, with_columns};
pub use tagged::{
    Instance, Instances, MultiValue, Tagged, TaggedColumns, TaggedHeader, TaggedValue,
};
pub use tagged_old::OldRun;
