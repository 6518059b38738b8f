//! Values inside columns of the stores that live in ESE databases: Exchange information stores and
//! Active Directory. The engine sees only bytes here; their layouts are the stores' own.
//!
//! Sources: `[store notes n]` is section n of store-schema.md, `[directory rules n]` section n of
//! docs/directory-rules.md.

pub mod compact;
pub mod ids;
pub mod prop_blob;
pub mod prop_writer;
pub mod replica;
pub mod security;
pub mod subobjects;
pub mod tags;
#[cfg(test)]
pub(super) mod testing;
