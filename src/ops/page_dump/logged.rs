//! The hash of what the log knows of a page. [engine: `LoggedDataChecksum`]
//!
//! Recovery and scrubbing change bytes that no log record speaks of: checksum, free space, version
//! flags, deleted nodes' data. Two pages with the same hash are the same but for these.

use crate::format::page::{NodeFlags, Page, PageFlags};

/// Header bytes that do not count: the checksum, the free counts and the end of the lines.
const IGNORED: [std::ops::Range<usize>; 2] = [0..8, 28..34];
/// Block checksums and reserved bytes of large pages.
const IGNORED_LARGE: [std::ops::Range<usize>; 2] = [40..64, 68..80];
const TAG_STATE: usize = 34;
const FLAGS: usize = 36;
const RESERVED_SHIFT: u32 = 12;

/// The hash.
pub(super) fn logged_data(page: Page<'_>) -> u64 {
    let mut header = page.bytes()[..page.size().page_header()].to_vec();
    let large = if page.size().is_large() {
        &IGNORED_LARGE[..]
    } else {
        &[]
    };
    for range in IGNORED.iter().chain(large) {
        header[range.clone()].fill(0);
    }
    // A count of one reserved tag is written as 0 before revision 0x10E, and as 1 since.
    let reserved = match page.reserved_tags() {
        0 | 1 => 0,
        more => more as u16,
    };
    let state = reserved << RESERVED_SHIFT | page.tag_count() as u16;
    header[TAG_STATE..TAG_STATE + 2].copy_from_slice(&state.to_le_bytes());
    let changing = PageFlags::FLUSH_TYPE | PageFlags::NEW_CHECKSUM | PageFlags::FDP_DELETE;
    let flags = page.flags().bits() & !changing;
    header[FLAGS..FLAGS + 4].copy_from_slice(&flags.to_le_bytes());
    let mut hash = update(0, &header);
    for itag in 0..page.tag_count() {
        let Some(tag) = page.tag(itag) else {
            continue;
        };
        let line = page.line(itag).filter(|line| line.len() >= 2);
        if line.is_none() && tag.cb >= 2 {
            continue;
        }
        let flags = page.tag_flags(itag);
        if let (Some(line), false) = (line, flags.is_deleted()) {
            hash = update(hash, &tag.cb.to_le_bytes());
            hash = update(hash, &line[2..]);
        }
        hash = step(hash, flags.bits() & !NodeFlags::VERSION);
    }
    hash
}

fn update(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |hash, byte| step(hash, *byte))
}

const fn step(hash: u64, byte: u8) -> u64 {
    hash.rotate_left(6).wrapping_add(byte as u64)
}
