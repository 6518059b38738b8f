//! Format versions: what the numbers in a header mean.

/// `ulVersion` of every database that this library reads. [format notes, verified]
pub const DB_VERSION: u32 = 0x620;

/// The newest format that the public engine knows; Eseutil prints it as "Engine ulVersion".
/// A newer file is read all the same, its fields lie where they always did.
pub const NEWEST: DbFormat = DbFormat {
    major: 290,
    minor: 600,
    engine: 9600,
};

/// The newest log format of the public engine: major, minor, update major, update minor.
pub const NEWEST_LOG: (u32, u32, u32, u32) = (8, 4000, 130, 280);

/// One step of the database format's history after 0x620,20.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DbFormat {
    /// `ulDaeUpdateMajor`.
    pub major: u32,
    /// `ulDaeUpdateMinor`.
    pub minor: u32,
    /// Engine format version.
    pub engine: u32,
}

/// Who wrote a database of this update major, in words an administrator knows.
/// [format notes 12.1; products of 9, 12, 17, 20 verified on real files]
#[must_use]
pub const fn product(update_major: u32) -> &'static str {
    match update_major {
        0..=2 => "Exchange 5.5",
        3..=8 => "Exchange 2000 beta, Windows 2000",
        9 | 10 => "Exchange 2000/2003, Windows XP/2003",
        11 => "Exchange 2003 SP1, Vista beta",
        12..=16 => "Exchange 2007, Windows Vista/2008",
        17..=19 => "Exchange 2010, Windows 7/2008 R2",
        20 => "Exchange 2013/2016, Windows 8 to 10",
        _ => "Exchange 2016 and later, Windows 10 and later",
    }
}
