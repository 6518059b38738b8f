//! A page of any size; the first byte chooses the size.
#![no_main]

use exutil::format::checksum::{Verdict, correct, seal, verify};
use exutil::format::ids::{PageSize, Pgno};
use exutil::format::page::{CheckScratch, Page};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((choice, rest)) = data.split_first() else {
        return;
    };
    let size = PageSize::ALL[usize::from(*choice) % 5];
    let mut bytes = vec![0; size.bytes()];
    // Half of the input fills the page from the front, half from the back, where the tags are.
    let (front, back) = rest.split_at(rest.len() / 2);
    let front = &front[..front.len().min(bytes.len())];
    bytes[..front.len()].copy_from_slice(front);
    let back = &back[..back.len().min(bytes.len())];
    let at = bytes.len() - back.len();
    bytes[at..].copy_from_slice(back);
    let pgno = Pgno::new(5);
    let _ = verify(&bytes, size, pgno);
    let _ = correct(&mut bytes.clone(), size, pgno);
    let page = Page::new(&bytes, size).unwrap();
    for itag in 0..=page.tag_count() {
        let _ = (page.tag(itag), page.line(itag));
    }
    let mut scratch = CheckScratch::default();
    let sound = page.check_structure(false, &mut scratch).is_ok();
    assert!(
        !sound
            || page.nodes().all(|node| node.is_ok())
            || page.flags().is_space_tree()
            || page.flags().is_empty()
    );
    let mut key = Vec::new();
    for node in page.nodes().flatten() {
        node.key_into(&mut key);
        assert_eq!(key.len(), node.key_len());
    }
    if bytes.iter().any(|byte| *byte != 0) {
        seal(&mut bytes, size, pgno);
        assert_eq!(verify(&bytes, size, pgno), Verdict::Good);
        if bytes[37] & 0x20 != 0 {
            bytes[100] ^= 4;
            assert_eq!(
                verify(&bytes, size, pgno),
                Verdict::Correctable { bit: 802 }
            );
        }
    }
});
