//! Speed of judging pages that are already in memory: checksums of both formats, node decoding.

use divan::{Bencher, counter::BytesCount};
use exutil::format::checksum::verify;
use exutil::format::ids::{Objid, PageSize, Pgno};
use exutil::format::page::{Page, PageBuf, PageFlags};

fn main() {
    divan::main();
}

fn page(size: PageSize, flags: u32) -> Vec<u8> {
    let mut page = PageBuf::new(size, Pgno::new(7), Objid::new(9), PageFlags::new(flags));
    let mut number = 0u32;
    while page
        .push_node(0, &number.to_be_bytes(), &[number as u8; 80], 0)
        .is_ok()
    {
        number += 1;
    }
    page.seal()
}

#[divan::bench(args = [2, 4, 8, 16, 32])]
fn xor_checksum(bencher: Bencher, kib: u32) {
    let size = PageSize::from_header(kib * 1024).unwrap();
    let page = page(size, 0x802);
    bencher
        .counter(BytesCount::new(page.len()))
        .bench(|| verify(divan::black_box(&page), size, Pgno::new(7)));
}

#[divan::bench(args = [2, 4, 8, 16, 32])]
fn ecc_checksum(bencher: Bencher, kib: u32) {
    let size = PageSize::from_header(kib * 1024).unwrap();
    let page = page(size, 0x2802);
    bencher
        .counter(BytesCount::new(page.len()))
        .bench(|| verify(divan::black_box(&page), size, Pgno::new(7)));
}

#[divan::bench(args = [4, 32])]
fn all_nodes(bencher: Bencher, kib: u32) {
    let size = PageSize::from_header(kib * 1024).unwrap();
    let bytes = page(size, 0x2802);
    bencher.counter(BytesCount::new(bytes.len())).bench(|| {
        let page = Page::new(divan::black_box(&bytes), size).unwrap();
        page.nodes()
            .map(|node| node.map_or(0, |node| node.data.len()))
            .sum::<usize>()
    });
}
