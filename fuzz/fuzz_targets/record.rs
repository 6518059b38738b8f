//! Records, long value keys, compressed values; the first byte chooses the layout.
#![no_main]

use exutil::format::compress::{decompress, uncompressed_len};
use exutil::format::lv::{LvKey, LvRoot};
use exutil::format::record::{CatalogLimits, Instance, Record};
use exutil::format::schema::{Coltyp, Fid};
use exutil::format::value::{CodePage, Value};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((choice, rest)) = data.split_first() else {
        return;
    };
    let _ = LvKey::parse(rest);
    let _ = LvRoot::parse(rest);
    let _ = uncompressed_len(rest);
    let mut plain = Vec::new();
    let _ = decompress(rest, None, &mut plain);
    assert!(plain.len() <= 1 << 20);
    for number in 0..20 {
        if let Some(coltyp) = Coltyp::from_catalog(number) {
            let page = if choice & 4 == 0 {
                CodePage::Ansi
            } else {
                CodePage::Unicode
            };
            let _ = Value::decode(rest, coltyp, page).map(|value| value.to_string());
        }
    }
    let Ok(record) = Record::parse(rest, choice & 1 != 0, choice & 2 != 0) else {
        return;
    };
    let sound = record.check(CatalogLimits::ANY).is_ok();
    for (_, field) in record.variables() {
        let _ = field;
    }
    let mut values = 0usize;
    for tagged in record.tagged().flatten() {
        for instance in tagged.values() {
            values += 1;
            if let Instance::Intrinsic { bytes, .. } = instance {
                assert!(bytes.len() <= rest.len());
            }
        }
    }
    assert!(values <= rest.len() * 2 + 2);
    if sound {
        let _ = record.separated().count();
    }
    let _ = record.fixed(Fid::new(1), 4, 4);
    let _ = record.find_tagged(Fid::new(256), false);
});
