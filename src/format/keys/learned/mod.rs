//! Sort keys learned from the entries of an index that survived: there are no weight tables here, but every entry whose record
//! is there too shows the sort key of its text.
//!
//! Two things are learned. A text that was seen has the key that it was seen with. And from texts whose keys are plain, one
//! primary weight of two bytes a character, come the weights of each character; keys of other texts
//! are put together from them. That is done only where nothing speaks against it: a character counts that two texts or more agree
//! about and none contradicts, and that takes no part in what the tables of Windows treat together with its neighbours. Any
//! doubt makes the key unknown, never wrong.
//!
//! A sort key is: primary weights, 01, diacritic weights, 01, case weights, 01, extra weights, 01, special weights, 00;
//! one byte a character in the second and third, less what is 2 at their ends. No weight is 00 or 01. [MS-UCODEREF;
//! verified: the Unicode indexes of real databases from Windows Server 2008, 2012 R2 and 2016]

mod cut;
mod levels;

use std::collections::{HashMap, HashSet};

use xxhash_rust::xxh3::xxh3_64;

use super::{IndexRules, RowValues, SortKeys};
use levels::{Weights, push_key, read_key};

/// What the maps take beside the texts and keys themselves, a text; in bytes.
const OVERHEAD: usize = 96;
/// Pairs of neighbours that are kept, where they are needed; 16 bytes each.
const PAIRS_MOST: usize = 1 << 20;

/// Flags of `LCMapStringEx` under which one character's weights do not depend on another's: a sort key (0x400), without case (1),
/// nonspacing marks (2), symbols (4), punctuation as symbols (0x1000), kana type (0x10000) and width (0x20000) told apart.
const PLAIN_FLAGS: u32 = 0x400 | 0x1 | 0x2 | 0x4 | 0x1000 | 0x1_0000 | 0x2_0000;
/// The one that asks for a sort key.
const SORT_KEY: u32 = 0x400;

/// What decides the order of an index's texts. Two indexes may share what was learned when these and the version of
/// the order are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SortOrder<'o> {
    /// Language id of old databases; 0 when there is a name.
    pub lcid: u32,
    /// Locale name of newer ones; the empty one is invariant.
    pub locale: Option<&'o str>,
    /// Flags of `LCMapStringEx`.
    pub map_flags: u32,
}

impl SortOrder<'_> {
    /// True when weights may be put together at all.
    const fn composes(&self) -> bool {
        self.map_flags & SORT_KEY != 0 && self.map_flags & !PLAIN_FLAGS == 0
    }

    /// True for orders that are known not to treat two letters as one: the default table, English, German, Russian.
    /// An alternative order (phone book, strokes) is not meant.
    fn is_simple(&self) -> bool {
        match self.locale {
            Some(name) => ["", "en", "de", "ru"].iter().any(|known| {
                let rest = name.strip_prefix(known);
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
                    && !name.contains('_')
            }),
            // The low ten bits are the language; those above sixteen an alternative order.
            None => {
                self.lcid >> 16 == 0 && matches!(self.lcid & 0x3FF, 0 | 0x7F | 0x09 | 0x07 | 0x19)
            }
        }
    }
}

/// What is known about a character.
#[derive(Debug, Clone, Copy)]
struct Character {
    weights: Weights,
    /// Hash of the first text that said so.
    first: u64,
    /// Another one did, too.
    confirmed: bool,
    /// Something spoke against it.
    refuted: bool,
}

/// Sort keys that were learned. Nothing is put together before [`LearnedSortKeys::settle`].
///
/// Memory: what the caller grants for texts, some 24 bytes for each of at most 65,536 characters, and 16 MiB at most for pairs.
#[derive(Debug)]
pub struct LearnedSortKeys {
    memory: usize,
    taken: usize,
    composes: bool,
    /// Neighbours that were seen side by side, as one number; `None` where any may stand so.
    pairs: Option<HashSet<u32>>,
    characters: HashMap<u16, Character>,
    /// Keys of texts; empty where two were seen.
    texts: HashMap<Box<[u16]>, Box<[u8]>>,
    /// Texts that must not be put together from their characters without being asked about first.
    odd: Vec<Box<[u16]>>,
    settled: bool,
}

impl LearnedSortKeys {
    /// Nothing is known yet. `memory_bytes` is how much the texts that were seen may take.
    #[must_use]
    pub fn new(order: SortOrder<'_>, memory_bytes: usize) -> Self {
        Self {
            memory: memory_bytes,
            taken: 0,
            composes: order.composes(),
            pairs: (!order.is_simple()).then(HashSet::new),
            characters: HashMap::new(),
            texts: HashMap::new(),
            odd: Vec::new(),
            settled: false,
        }
    }

    /// Takes the whole sort key of a text, the final zero included, as [`SortKeys::sort_key`] would give it. What cannot be a sort key is
    /// left out.
    pub fn learn(&mut self, text: &[u16], key: &[u8]) {
        let ends = matches!(key.split_last(), Some((0, before)) if !before.contains(&0));
        if text.is_empty() || !ends {
            return;
        }
        match self.texts.get_mut(text) {
            Some(known) if **known == *key => return,
            Some(known) => *known = Box::default(),
            None => {}
        }
        self.settled = false;
        let mut plain = Vec::new();
        let is_plain = self.composes && read_key(text, key, &mut plain);
        let kept = self.keep(text, key, is_plain);
        if !self.composes {
            return;
        }
        if is_plain {
            let hash = hash(text);
            for (unit, weights) in text.iter().zip(&plain) {
                self.note(*unit, *weights, hash);
            }
            self.note_pairs(text);
        } else if !kept {
            self.rule_out(text);
        }
    }

    /// Learns from a whole index entry: the sort keys of its Unicode segments are cut out of `key`, and the rest of it is compared with what
    /// the row asks for. False when that cannot be done without doubt, and nothing was learned: the entry does not fit the
    /// row, was cut to its limit, or may come from several of the row's values; or it is a piece of a value (a tuple index).
    pub fn learn_from_entry(
        &mut self,
        rules: &IndexRules,
        row: &impl RowValues,
        key: &[u8],
    ) -> bool {
        let Some(found) = cut::sort_keys_in(rules, row, key) else {
            return false;
        };
        for (text, key) in &found {
            self.learn(text, key);
        }
        !found.is_empty()
    }

    /// Weighs what was learned; from then on keys are put together. To learn more afterwards needs another call.
    pub fn settle(&mut self) {
        let mut doubtful = Vec::new();
        let mut made = Vec::new();
        for text in &self.odd {
            made.clear();
            let seen = self.texts.get(text);
            let same = |made: &[u8]| seen.is_some_and(|key| **key == *made);
            // Neighbours do not count: were the pair known, this is what would be made of it.
            if self.compose(text, None, &mut made) && !same(&made) {
                doubtful.extend_from_slice(text);
            }
        }
        for unit in doubtful {
            self.refute(unit);
        }
        self.settled = true;
    }

    /// How many characters keys can be put together from.
    #[must_use]
    pub fn characters(&self) -> usize {
        let usable = |unit: &&u16| self.usable(**unit).is_some();
        self.characters.keys().filter(usable).count()
    }

    /// How many texts are known as a whole.
    #[must_use]
    pub fn texts(&self) -> usize {
        self.texts.values().filter(|key| !key.is_empty()).count()
    }

    /// Keeps a text with its key while there is memory; plain ones, which can be put together again, may take half of it.
    fn keep(&mut self, text: &[u16], key: &[u8], plain: bool) -> bool {
        if self.texts.contains_key(text) {
            return true;
        }
        let size = text.len() * if plain { 2 } else { 4 } + key.len() + OVERHEAD;
        let most = if plain { self.memory / 2 } else { self.memory };
        if self.taken + size > most {
            return false;
        }
        self.taken += size;
        self.texts.insert(text.into(), key.into());
        if !plain && self.composes {
            self.odd.push(text.into());
        }
        true
    }

    /// One text says that a character has these weights.
    fn note(&mut self, unit: u16, weights: Weights, text: u64) {
        if !levels::stands_alone(unit) {
            return;
        }
        let known = self.characters.entry(unit).or_insert(Character {
            weights,
            first: text,
            confirmed: false,
            refuted: false,
        });
        known.refuted |= known.weights != weights;
        known.confirmed |= known.first != text;
    }

    fn note_pairs(&mut self, text: &[u16]) {
        if let Some(pairs) = &mut self.pairs {
            for pair in text.windows(2) {
                if pairs.len() < PAIRS_MOST {
                    pairs.insert(pair_number(pair));
                }
            }
        }
    }

    fn refute(&mut self, unit: u16) {
        self.characters
            .entry(unit)
            .or_insert(Character {
                weights: Weights::Ignored,
                first: 0,
                confirmed: false,
                refuted: true,
            })
            .refuted = true;
    }

    /// A text that is not plain and that there is no memory for. It cannot be asked about later, so it must never be one that could
    /// be put together: a character of it that nothing is known about is given up, or all of them.
    fn rule_out(&mut self, text: &[u16]) {
        if text.iter().any(|unit| !levels::stands_alone(*unit)) {
            return;
        }
        let unknown: Vec<u16> = text
            .iter()
            .copied()
            .filter(|unit| {
                self.characters
                    .get(unit)
                    .is_none_or(|known| known.refuted || !known.confirmed)
            })
            .collect();
        let given_up = if unknown.is_empty() { text } else { &unknown };
        for unit in given_up {
            self.refute(*unit);
        }
    }

    fn usable(&self, unit: u16) -> Option<Weights> {
        let known = self.characters.get(&unit)?;
        (known.confirmed && !known.refuted).then_some(known.weights)
    }

    /// Puts the key of a text together, with nothing but neighbours that were seen where `pairs` are given.
    fn compose(&self, text: &[u16], pairs: Option<&HashSet<u32>>, into: &mut Vec<u8>) -> bool {
        if let Some(pairs) = pairs
            && !text
                .windows(2)
                .all(|pair| pairs.contains(&pair_number(pair)))
        {
            return false;
        }
        push_key(text, |unit| self.usable(unit), into)
    }
}

impl SortKeys for LearnedSortKeys {
    fn sort_key(&self, text: &[u16], into: &mut Vec<u8>) -> bool {
        if let Some(key) = self.texts.get(text) {
            into.extend_from_slice(key);
            return !key.is_empty();
        }
        self.settled && self.compose(text, self.pairs.as_ref(), into)
    }
}

const fn pair_number(pair: &[u16]) -> u32 {
    match pair {
        [first, second, ..] => (*first as u32) << 16 | *second as u32,
        _ => 0,
    }
}

fn hash(text: &[u16]) -> u64 {
    let bytes: Vec<u8> = text.iter().flat_map(|unit| unit.to_le_bytes()).collect();
    xxh3_64(&bytes)
}

#[cfg(test)]
mod tests;
