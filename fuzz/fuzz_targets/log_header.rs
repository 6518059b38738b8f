//! A log file with a mended header: attachments, segments, ranges.
#![no_main]

use exutil::format::checksum::seal_header;
use exutil::format::loghdr::{LOG_HEADER_BYTES, LogHeader};
use exutil::log::verify::check_storage;
use exutil::storage::Memory;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let _ = LogHeader::attachments(data);
    let _ = check_storage(&Memory::new(data.to_vec()));
    let Some((choice, rest)) = data.split_first() else {
        return;
    };
    let mut file = rest.to_vec();
    if file.len() < LOG_HEADER_BYTES {
        file.resize(LOG_HEADER_BYTES, 0);
    }
    let (sector, version) = match choice % 3 {
        0 => (512u16, (7u32, 3704u32)),
        1 => (4096, (7, 3704)),
        _ => (4096, (8, 4000)),
    };
    let sectors = file.len().div_ceil(sector.into()).min(64);
    file.resize(sectors * usize::from(sector), 0);
    file.resize(file.len().max(LOG_HEADER_BYTES), 0);
    file[8..10].copy_from_slice(&sector.to_le_bytes());
    file[10..12].copy_from_slice(&(4096 / sector).to_le_bytes());
    let sectors = (file.len() / usize::from(sector)) as u16;
    file[12..14].copy_from_slice(&sectors.to_le_bytes());
    file[32..36].copy_from_slice(&version.0.to_le_bytes());
    file[36..40].copy_from_slice(&version.1.to_le_bytes());
    file[40..44].copy_from_slice(&5u32.to_le_bytes());
    file[667..671].copy_from_slice(&3u32.to_le_bytes());
    file[671] = 0;
    seal_header(&mut file[..LOG_HEADER_BYTES]);
    let (_, scan) = check_storage(&Memory::new(file)).unwrap();
    assert!(scan.damage.is_none_or(|damage| damage.at == scan.end));
});
