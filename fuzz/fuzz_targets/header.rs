//! The first bytes of any file.
#![no_main]

use exutil::format::checksum::seal_header;
use exutil::format::dbheader::{DbHeader, HeaderCopies};
use exutil::format::flushmap::{self, FlushMapHeader};
use exutil::format::ids::PageSize;
use exutil::format::trailer::Trailer;
use exutil::ops::identify::identify;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let _ = identify(data);
    let mut sealed = data.to_vec();
    for size in PageSize::ALL {
        let _ = HeaderCopies::read(data, Some(size));
        if let Some(page) = sealed.get_mut(..size.bytes()) {
            seal_header(page);
            let copies = HeaderCopies::read(&sealed, None);
            if let Some(header) = copies.as_ref().and_then(HeaderCopies::header) {
                let mut page = vec![0; size.bytes()];
                header.write_to(&mut page);
                assert_eq!(DbHeader::parse(&page).unwrap().sign_db, header.sign_db);
            }
            let _ = identify(&sealed);
        }
    }
    let _ = Trailer::parse(data).map(|trailer| trailer.has_generations());
    if data.len() >= 8192 {
        let _ = flushmap::header_sums(&data[..8192]);
        let _ = flushmap::verify_data_page(&data[..8192], 3);
    }
    let _ = FlushMapHeader::parse(data).map(|header| header.is_clean());
});
