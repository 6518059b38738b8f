//! Databases created, attached, detached and upgraded. [log notes 6.4, verified]

use crate::format::stamp::{Lgpos, Signature};

use super::{Encoded, Put, kind, path_bytes};

/// Flag of CreateDB: a version stands before the path.
const VERSION_GIVEN: u8 = 4;
/// Flag of CreateDB and AttachDB: the path is UTF-16.
const UTF16: u8 = 8;
/// The same in DetachDB.
const DETACH_UTF16: u8 = 0x10;
/// Flag of CreateDB and AttachDB: the file is sparse.
const SPARSE: u8 = 0x10;

/// What records say of a path and its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DatabasePath<'a> {
    /// The path on the server.
    pub path: &'a str,
    /// Names are UTF-16 from 7.3704.9 on.
    pub utf16: bool,
    /// The file is sparse.
    pub sparse: bool,
}

impl DatabasePath<'_> {
    fn flags(&self) -> u8 {
        (if self.utf16 { UTF16 } else { 0 }) | if self.sparse { SPARSE } else { 0 }
    }

    fn bytes(&self) -> Vec<u8> {
        path_bytes(self.path, self.utf16)
    }
}

/// A database is created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CreateDb<'a> {
    /// Session.
    pub procid: u16,
    /// Database.
    pub dbid: u8,
    /// Options of the call.
    pub grbit: u32,
    /// Largest size in pages, 0 for none.
    pub max_pages: u32,
    /// Its identity.
    pub sign_db: Signature,
    /// Version of the creation: (2, 0) fully logged, (1, 0) the engine makes the first pages itself.
    pub version: Option<(u16, u16)>,
    /// Where.
    pub path: DatabasePath<'a>,
}

impl CreateDb<'_> {
    /// The record.
    ///
    /// # Errors
    /// [`super::TooLong`] for a path of more than 65535 bytes.
    pub fn encode(&self) -> Encoded {
        let path = self.path.bytes();
        let version = if self.version.is_some() {
            VERSION_GIVEN
        } else {
            0
        };
        let mut put = Put::new(kind::CREATE_DB)
            .u16(self.procid)
            .u8(self.dbid)
            .u32(self.grbit)
            .u32(self.max_pages)
            .part(&self.sign_db)
            .len16(&path, "path")?
            .u8(self.path.flags() | version);
        if let Some((version, update)) = self.version {
            put = put.u16(version).u16(update);
        }
        Ok(put.bytes(&path).done())
    }
}

/// A created database is complete.
#[must_use]
pub fn create_db_finish(procid: u16, dbid: u8) -> Vec<u8> {
    Put::new(kind::CREATE_DB_FINISH).u16(procid).u8(dbid).done()
}

/// A database is attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttachDb<'a> {
    /// Session.
    pub procid: u16,
    /// Database.
    pub dbid: u8,
    /// Largest size in pages, 0 for none.
    pub max_pages: u32,
    /// Where it was consistent before.
    pub consistent: Lgpos,
    /// Its identity.
    pub sign_db: Signature,
    /// The stream that it belonged to before.
    pub sign_log: Signature,
    /// Where.
    pub path: DatabasePath<'a>,
}

impl AttachDb<'_> {
    /// The record.
    ///
    /// # Errors
    /// [`super::TooLong`] for a path of more than 65535 bytes.
    pub fn encode(&self) -> Encoded {
        let path = self.path.bytes();
        let put = Put::new(kind::ATTACH_DB)
            .u16(self.procid)
            .u8(self.dbid)
            .u32(self.max_pages)
            .part(&self.consistent)
            .part(&self.sign_db)
            .part(&self.sign_log)
            .len16(&path, "path")?
            .u8(self.path.flags());
        Ok(put.bytes(&path).done())
    }
}

/// A database is detached.
///
/// # Errors
/// [`super::TooLong`] for a path of more than 65535 bytes.
pub fn detach_db(procid: u16, dbid: u8, path: &str, utf16: bool) -> Encoded {
    let path = path_bytes(path, utf16);
    let put = Put::new(kind::DETACH_DB)
        .u16(procid)
        .u8(dbid)
        .len16(&path, "path")?
        .u8(if utf16 { DETACH_UTF16 } else { 0 });
    Ok(put.bytes(&path).done())
}

/// A database gets a newer version: major, update major, update minor.
#[must_use]
pub fn set_db_version(dbid: u8, version: (u32, u32, u32)) -> Vec<u8> {
    Put::new(kind::SET_DB_VERSION)
        .u8(dbid)
        .u32(version.0)
        .u32(version.1)
        .u32(version.2)
        .done()
}
