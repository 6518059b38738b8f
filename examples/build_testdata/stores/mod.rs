//! Whole small stores: like those of Exchange 2003, private and public, and of Exchange 2013. No byte comes from a real one. Each
//! can be had with one of the [`defects`].

pub mod classic;
pub mod counts;
pub mod defects;
pub mod hostile;
pub mod modern;
pub mod private;
pub mod public;
pub mod rows;

use exutil::build::BuildError;

use rows::Store;

/// Which store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StoreKind {
    /// Exchange 2003, mailboxes.
    Private,
    /// Exchange 2003, public folders.
    Public,
    /// Exchange 2013.
    Modern,
}

impl StoreKind {
    pub const ALL: [Self; 3] = [Self::Private, Self::Public, Self::Modern];

    /// Name of the sample in `testdata`.
    pub const fn file_name(self) -> &'static str {
        match self {
            Self::Private => "store-2003-priv.edb",
            Self::Public => "store-2003-pub.edb",
            Self::Modern => "store-2013.edb",
        }
    }

    /// The sound store.
    pub fn store(self) -> Store {
        match self {
            Self::Private => private::store(),
            Self::Public => public::store(),
            Self::Modern => modern::store(),
        }
    }
}

/// The sample files: name and content.
pub fn all() -> Result<Vec<(&'static str, Vec<u8>)>, BuildError> {
    let built = StoreKind::ALL.map(|kind| Ok((kind.file_name(), kind.store().build()?)));
    built.into_iter().collect()
}
