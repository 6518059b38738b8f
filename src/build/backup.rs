//! Makes a copy of a dirty database what an online backup would have made of it.

use super::BuildError;
use crate::format::dbheader::HeaderCopies;
use crate::format::stamp::BackupInfo;
use crate::format::trailer::Trailer;

/// Makes a dirty database the copy of an online backup: both headers name the backup as the current one, without its last
/// generation, and a trailer page with that is appended. Where the trailer is to say which logs are needed (`range`;
/// before, those fields were zero), it says from the first that the header needs, or the backup has, to the backup's last.
///
/// `backup` must have its last generation; a database that is such a copy already gets no second trailer page: the old
/// one goes. [log notes 12.1, 12.2]
///
/// # Errors
/// [`BuildError::Format`] when these are no bytes of a dirty database, or the backup has no generations.
pub fn stamp_backup(
    database: &mut Vec<u8>,
    backup: BackupInfo,
    range: bool,
) -> Result<(), BuildError> {
    let start = &database[..database.len().min(HeaderCopies::PROBE_BYTES)];
    let copies = HeaderCopies::read(start, None);
    let found =
        copies.and_then(|copies| Some((copies.page_size.bytes(), copies.header()?.clone())));
    let Some((size, mut header)) = found else {
        return Err(BuildError::Format("no database header"));
    };
    if header.state != super::DIRTY {
        return Err(BuildError::Format("the copy of an online backup is dirty"));
    }
    if backup.low.get() == 0 || backup.high < backup.low {
        return Err(BuildError::Format("a backup without logs"));
    }
    database.truncate(database.len() - database.len() % size);
    let mut page = vec![0; size];
    if header.is_backup_copy()
        && let Some(before) = database.len().checked_sub(size)
        && Trailer::read(&database[before..]).is_some()
    {
        database.truncate(before);
    }
    header.backup_full_cur = BackupInfo {
        high: Default::default(),
        ..backup
    };
    for copy in database.chunks_exact_mut(size).take(2) {
        // What lies behind the known fields stays.
        header.write_to(copy);
    }
    let mut trailer = Trailer {
        checksum: 0,
        reserved: [0; 36],
        backup,
        sign_db: header.sign_db,
        sign_log: header.sign_log,
        required_low: Default::default(),
        required_high: Default::default(),
        committed_high: Default::default(),
        required_high_time: Default::default(),
        committed_high_time: Default::default(),
    };
    if range {
        let low = header.required_low;
        trailer.required_low = if low.get() == 0 { backup.low } else { low };
        trailer.required_high = backup.high.max(header.required_high);
        trailer.committed_high = trailer.required_high.max(header.committed_high);
        trailer.required_high_time = header.required_high_time;
        trailer.committed_high_time = header.committed_high_time;
    }
    trailer.write_to(&mut page);
    database.extend_from_slice(&page);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::stamp_backup;
    use crate::build::{DIRTY, DatabaseBuilder, Options, format_of};
    use crate::format::dbheader::{DbHeader, HeaderCopies};
    use crate::format::ids::{Generation, PageSize};
    use crate::format::stamp::{BackupInfo, Lgpos, LogTime};
    use crate::format::trailer::Trailer;

    fn info(low: u32, high: u32) -> BackupInfo {
        BackupInfo {
            mark: Lgpos::new(Generation::new(high), 7, 9),
            time: LogTime::utc((2026, 3, 4), (5, 6, 7), 8),
            low: Generation::new(low),
            high: Generation::new(high),
        }
    }

    fn dirty(size: PageSize) -> Vec<u8> {
        let options = Options::new(size, format_of(20).unwrap(), 1);
        let out = std::io::Cursor::new(Vec::new());
        let builder = DatabaseBuilder::new(out, options).unwrap();
        let mut file = builder.finish().unwrap().0.into_inner();
        let mut header = DbHeader::parse(&file).unwrap();
        header.state = DIRTY;
        header.required_low = Generation::new(3);
        header.required_high = Generation::new(4);
        for copy in file.chunks_exact_mut(size.bytes()).take(2) {
            header.write_to(copy);
        }
        file
    }

    #[test]
    fn a_stamped_database_is_a_backup_copy() {
        for size in [PageSize::K2, PageSize::K8, PageSize::K32] {
            let before = dirty(size);
            let mut file = before.clone();
            stamp_backup(&mut file, info(2, 6), true).unwrap();
            assert_eq!(file.len(), before.len() + size.bytes());
            let copies = HeaderCopies::read(&file, None).unwrap();
            assert!(copies.identical && copies.header().unwrap().is_backup_copy());
            let trailer = Trailer::read(&file[before.len()..]).unwrap();
            assert_eq!(trailer.backup, info(2, 6));
            let range = [
                trailer.required_low,
                trailer.required_high,
                trailer.committed_high,
            ];
            assert_eq!(range.map(Generation::get), [3, 6, 6]);
            // Once more, in the older way: the first trailer page is not kept.
            stamp_backup(&mut file, info(1, 9), false).unwrap();
            assert_eq!(file.len(), before.len() + size.bytes());
            let trailer = Trailer::read(&file[before.len()..]).unwrap();
            assert!(!trailer.has_generations() && trailer.backup == info(1, 9));
        }
    }

    #[test]
    fn nothing_else_is_stamped() {
        let mut clean = dirty(PageSize::K4);
        assert!(stamp_backup(&mut clean.clone(), info(5, 4), true).is_err());
        assert!(stamp_backup(&mut clean.clone(), info(0, 4), true).is_err());
        let mut header = DbHeader::parse(&clean).unwrap();
        header.state = 3;
        for copy in clean.chunks_exact_mut(4096).take(2) {
            header.write_to(copy);
        }
        assert!(stamp_backup(&mut clean, info(1, 4), true).is_err());
        assert!(stamp_backup(&mut vec![0; 20_000], info(1, 4), true).is_err());
        assert!(stamp_backup(&mut Vec::new(), info(1, 4), true).is_err());
    }
}
