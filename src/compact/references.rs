//! How often records refer to the long values of their table.

use std::collections::HashMap;

use roaring::RoaringTreemap;

use crate::format::lv::Lid;

/// References of one table's records. Most long values have one, which costs bits.
#[derive(Debug, Default)]
pub(super) struct References {
    /// Long values with a reference.
    any: RoaringTreemap,
    /// Those with several: how many.
    several: HashMap<u64, u32>,
}

impl References {
    /// Forgets everything.
    pub fn clear(&mut self) {
        self.any.clear();
        self.several.clear();
    }

    /// Counts one more.
    pub fn add(&mut self, lid: Lid) {
        if !self.any.insert(lid.get()) {
            let count = self.several.entry(lid.get()).or_insert(1);
            *count = count.saturating_add(1);
        }
    }

    /// How many there are.
    pub fn count(&self, lid: Lid) -> u32 {
        match self.several.get(&lid.get()) {
            Some(count) => *count,
            None => self.any.contains(lid.get()).into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::References;
    use crate::format::lv::Lid;

    #[test]
    fn references_are_counted() {
        let id = |number| Lid::new(number).unwrap();
        let mut references = References::default();
        for lid in [7, 9, 7, 7, 0x8000_0000_8000_0001] {
            references.add(id(lid));
        }
        let counts = [7, 8, 9, 0x8000_0000_8000_0001].map(|lid| references.count(id(lid)));
        assert_eq!(counts, [3, 0, 1, 1]);
        references.clear();
        assert_eq!(references.count(id(7)), 0);
    }
}
