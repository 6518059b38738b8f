//! Bytes to values and back, without any I/O: the one place that knows where a field lies.

pub mod bytes;
pub mod checkpoint;
pub mod checksum;
pub mod compress;
pub mod dbheader;
pub mod filekind;
pub mod flushmap;
pub mod ids;
pub mod keys;
pub mod loghdr;
pub mod logrec;
pub mod logwrite;
pub mod lv;
pub mod page;
pub mod patchfile;
pub mod record;
pub mod restore_env;
pub mod schema;
pub mod stamp;
pub mod store;
#[cfg(test)]
pub(crate) mod testing;
pub mod trailer;
pub mod undofile;
pub mod value;
pub mod version;
