//! What a file is, by its content: what [`identify`] tells, and of damaged files what is left of them. Where the content
//! tells nothing the name says what the file should be.

use std::path::Path;

use super::record::{Kind, Role};
use crate::format::bytes::u32_at;
use crate::format::checkpoint::CHECKPOINT_BYTES;
use crate::format::checksum::{self, Verdict};
use crate::format::dbheader::{FILETYPE_OFFSET, FileType, HeaderCopies};
use crate::format::ids::{HEADER_PAGES, Objid, PageSize, Pgno};
use crate::format::loghdr::LogHeader;
use crate::format::page::Page;
use crate::log::names::LogName;
use crate::log::{legacy, segments};
use crate::ops::identify::{FileKind, identify};
use crate::salvage::guess_page_size;
use crate::storage::Storage;

/// What a file turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Class {
    /// What it is.
    pub kind: Kind,
    /// The page size that the pages of a database without a header speak for.
    pub page_size: Option<PageSize>,
}

impl Class {
    const fn of(kind: Kind) -> Self {
        Self {
            kind,
            page_size: None,
        }
    }
}

/// Bytes that are read at a place where pages of a database without a header are looked for.
const LOOKED_BYTES: usize = 64 * 1024;
/// Places at which a file is looked at that could be a database: quarters of it.
const QUARTERS: [u64; 3] = [1, 2, 3];

/// Judges a file by `start`, its first 64 KiB (fewer if it is shorter), and where that tells nothing by what lies behind:
/// the next 64 KiB, where the first pages of 32 KiB begin; and where the start was wiped, or the name is that of a
/// database, at three places more. Of all other files no more is read, for most files on a disk are others.
#[must_use]
pub(super) fn classify(storage: &dyn Storage, start: &[u8], path: &Path) -> Class {
    match identify(start) {
        FileKind::Database { page_size } => Class::of(database(storage, start, page_size)),
        FileKind::Streaming { .. } => Class::of(Kind::StreamingFile),
        FileKind::DamagedDatabase => headless(storage).unwrap_or(Class::of(Kind::HeadlessDatabase)),
        FileKind::Log { .. } => Class::of(Kind::Log),
        FileKind::Checkpoint => Class::of(Kind::Checkpoint),
        FileKind::FlushMap => Class::of(Kind::FlushMap),
        FileKind::Undo => Class::of(Kind::UndoFile),
        FileKind::Empty => Class::of(Kind::Empty),
        FileKind::Zeroed => remains(storage, start, true).unwrap_or(Class::of(Kind::Zeroed)),
        FileKind::Unknown => {
            if legacy::is_fill_pattern(start, 0) {
                return Class::of(Kind::ReserveLog);
            }
            let suspect = role(path) == Some(Role::Database);
            remains(storage, start, suspect).unwrap_or(Class::of(Kind::Other))
        }
    }
}

/// A good database header heads databases, sorting databases, and patch files.
fn database(storage: &dyn Storage, start: &[u8], size: PageSize) -> Kind {
    let header = HeaderCopies::read(start, None);
    let header = header.as_ref().and_then(HeaderCopies::header);
    if header.is_some_and(|header| header.file_type() == FileType::TempDatabase) {
        return Kind::TemporaryDatabase;
    }
    // What closes a backup has the last generation of its range, which no copy of a database has before it is restored;
    // then pages follow in the order in which they were written, not in their own.
    let closed = header.is_some_and(|header| {
        let range = header.backup_full_cur;
        range.low.get() != 0 && range.high.get() != 0
    });
    let mut page = vec![0; size.bytes()];
    let first = storage.read_exact_at(Pgno::new(1).offset(size), &mut page);
    let is_page_1 = checksum::verify(&page, size, Pgno::new(1)).is_usable();
    let ends = storage
        .len()
        .is_ok_and(|len| len <= Pgno::new(1).offset(size));
    match first {
        Err(_) if closed && ends => Kind::PatchFile,
        Ok(()) if closed && !is_page_1 && !checksum::is_new_format(&page) => Kind::PatchFile,
        _ => Kind::Database,
    }
}

/// What is left of a file whose start is damaged.
fn remains(storage: &dyn Storage, start: &[u8], suspect: bool) -> Option<Class> {
    let copies = [0, CHECKPOINT_BYTES].map(|at| start.get(at..).unwrap_or_default());
    let filetype = |copy: &[u8]| {
        u32_at(copy, FILETYPE_OFFSET).map_or(FileType::Unknown, FileType::from_header)
    };
    let version = LogHeader::parse(start).is_ok_and(|log| log.is_log());
    if version || segments::looks_like(start) {
        return Some(Class::of(Kind::DamagedLog));
    }
    // A number alone says little: a checkpoint has a length of its own, a flush map a version.
    let len = storage.len().unwrap_or_default();
    if len <= 2 * CHECKPOINT_BYTES as u64
        && copies
            .iter()
            .any(|copy| filetype(copy) == FileType::Checkpoint)
    {
        return Some(Class::of(Kind::DamagedCheckpoint));
    }
    if filetype(start) == FileType::FlushMap && u32_at(start, 4) == Some(3) {
        return Some(Class::of(Kind::DamagedFlushMap));
    }
    let behind = start.len() as u64;
    let quarters = QUARTERS.iter().filter(|_| suspect);
    let aligned = |at: u64| at / PageSize::MAX_BYTES as u64 * PageSize::MAX_BYTES as u64;
    let mut places = std::iter::once(behind)
        .filter(|at| *at == aligned(*at) && *at < len)
        .chain(quarters.map(|quarter| aligned(len / 4 * quarter)));
    if holds_pages(start, 0) || places.any(|at| holds_pages_at(storage, at)) {
        return headless(storage);
    }
    None
}

fn holds_pages_at(storage: &dyn Storage, at: u64) -> bool {
    let mut bytes = vec![0; LOOKED_BYTES];
    let have = storage.read_at(at, &mut bytes).unwrap_or_default();
    holds_pages(&bytes[..have], at)
}

/// True when a page of any size that lies in `bytes`, which begin at `offset`, proves itself to be one that is in use.
fn holds_pages(bytes: &[u8], offset: u64) -> bool {
    PageSize::ALL.into_iter().any(|size| {
        let first = offset / size.bytes() as u64;
        bytes
            .chunks_exact(size.bytes())
            .zip(first..)
            .any(|(page, at)| {
                let number =
                    Pgno::new(u32::try_from((at + 1).saturating_sub(HEADER_PAGES)).unwrap_or(0));
                let used =
                    Page::new(page, size).is_some_and(|page| page.objid() != Objid::default());
                used && match checksum::verify(page, size, number) {
                    Verdict::Good | Verdict::Correctable { .. } => !number.is_null(),
                    // Pages are missing in front.
                    Verdict::Bad { belongs_to } => belongs_to.is_some_and(|own| !own.is_null()),
                    Verdict::Uninitialized => false,
                }
            })
    })
}

/// Asks a sample of the whole file for its page size.
fn headless(storage: &dyn Storage) -> Option<Class> {
    let guess = guess_page_size(storage).ok()?.into_iter().next()?;
    guess.is_supported().then_some(Class {
        kind: Kind::HeadlessDatabase,
        page_size: Some(guess.size),
    })
}

/// What the name of a file says that it should be.
#[must_use]
pub(super) fn role(path: &Path) -> Option<Role> {
    let name = path.file_name()?.to_str()?;
    let (stem, extension) = name.rsplit_once('.')?;
    let stem = stem.to_ascii_lowercase();
    Some(match extension.to_ascii_lowercase().as_str() {
        "edb" | "dit" | "sdb" | "ide" => Role::Database,
        "stm" => Role::StreamingFile,
        "chk" | "jcp" => Role::Checkpoint,
        "jfm" => Role::FlushMap,
        "pat" => Role::PatchFile,
        "jrs" => Role::ReserveLog,
        "log" | "jtx" if matches!(stem.as_str(), "res1" | "res2") || is_prepared(&stem) => {
            Role::ReserveLog
        }
        "log" | "jtx" if is_log_name(name) => Role::Log,
        _ => return None,
    })
}

/// `edbtmp`: base name and `tmp`.
fn is_prepared(stem: &str) -> bool {
    stem.len() == crate::log::names::BASE_LEN + 3 && stem.ends_with("tmp")
}

/// `E00.log` and `E0000012.log`; of names without a number only those that a server gives, for any three letters before
/// `.log` are the name of something else on most disks.
fn is_log_name(name: &str) -> bool {
    let Some(parsed) = LogName::parse(name) else {
        return false;
    };
    let base = parsed.base.to_ascii_lowercase();
    let digits = |rest: &str| rest.bytes().all(|byte| byte.is_ascii_hexdigit());
    parsed.digits().is_some()
        || base == "edb"
        || (base.starts_with(['e', 'r', 'v']) && digits(&base[1..]))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::record::Role;
    use super::role;

    #[test]
    fn names_say_what_a_file_should_be() {
        let of = |name: &str| role(Path::new(name));
        assert_eq!(of("a/priv1.EDB"), Some(Role::Database));
        assert_eq!(of("E00.log"), Some(Role::Log));
        assert_eq!(of("E0000A12.LOG"), Some(Role::Log));
        assert_eq!(of("edbtmp.log"), Some(Role::ReserveLog));
        assert_eq!(of("res1.log"), Some(Role::ReserveLog));
        assert_eq!(of("E00res00001.jrs"), Some(Role::ReserveLog));
        assert_eq!(of("E00.chk"), Some(Role::Checkpoint));
        for other in ["app.log", "notes.txt", "edb", "x.log", ".log", ""] {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
