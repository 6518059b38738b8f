//! Damaged input for parsers that must survive all of it.

use crate::format::testing::Lcg;

/// Gives `parse` every truncation of `sample` and every change of one of its bytes, then 10,000
/// random inputs, half of them beginning as the sample does. `parse` must not panic.
pub(in crate::format::store) fn batter(sample: &[u8], parse: impl Fn(&[u8])) {
    for len in 0..=sample.len() {
        parse(&sample[..len]);
    }
    let mut changed = sample.to_vec();
    for at in 0..sample.len() {
        for _ in 0..=255 {
            changed[at] = changed[at].wrapping_add(1);
            parse(&changed);
        }
    }
    let mut random = Lcg::new(7);
    for round in 0..10_000 {
        let len = random.below(160);
        let mut bytes = random.bytes(len);
        let kept = random.below(sample.len().min(24) + 1);
        if round % 2 == 0 {
            bytes.splice(..kept.min(len), sample[..kept].iter().copied());
        }
        parse(&bytes);
    }
}
