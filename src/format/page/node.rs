//! Nodes: key prefix, key suffix, data. [format notes chapter 3, verified]

use std::cmp::Ordering;

use super::Page;
use crate::format::bytes::u16_at;

/// Length bits of the prefix and suffix counts; on large pages the bits above are the node flags.
const COUNT_MASK: u16 = 0x1FFF;

/// The three flags of a node.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct NodeFlags(u8);

impl NodeFlags {
    /// Has or had versions; means nothing in a clean database.
    pub const VERSION: u8 = 1;
    /// Logically gone; keeps its place in the order.
    pub const DELETED: u8 = 2;
    /// Takes the start of its key from the page's prefix.
    pub const COMPRESSED: u8 = 4;

    /// Wraps the three bits.
    #[must_use]
    pub const fn new(bits: u8) -> Self {
        Self(bits & 7)
    }

    /// The three bits.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// True when the node is logically gone.
    #[must_use]
    pub const fn is_deleted(self) -> bool {
        self.0 & Self::DELETED != 0
    }

    /// True when the node has or had versions.
    #[must_use]
    pub const fn is_versioned(self) -> bool {
        self.0 & Self::VERSION != 0
    }

    /// True when the key starts with part of the page's prefix.
    #[must_use]
    pub const fn is_compressed(self) -> bool {
        self.0 & Self::COMPRESSED != 0
    }
}

/// Why a node cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NodeFault {
    /// The page has fewer nodes.
    #[error("no such node")]
    NoSuchNode,
    /// Tag or line leave the page.
    #[error("line outside the page")]
    LineOutside,
    /// The line is too short for its counts.
    #[error("line too short for its key")]
    LineTooShort,
    /// The prefix count is larger than the page's prefix.
    #[error("key prefix longer than the page's")]
    PrefixTooLong,
}

/// One node, borrowed from its page. The key is `prefix` followed by `suffix`.
#[derive(Clone, Copy, Debug)]
pub struct Node<'a> {
    /// Part of the key taken from the page's external header; empty unless compressed.
    pub prefix: &'a [u8],
    /// Part of the key stored in the node.
    pub suffix: &'a [u8],
    /// What the node holds: record, bookmark, child page, extent, long value.
    pub data: &'a [u8],
    /// Its flags.
    pub flags: NodeFlags,
}

impl<'a> Node<'a> {
    /// Reads a line; `tag_flags` are the flags of a small page's tag.
    #[inline]
    pub(super) fn parse(line: &'a [u8], tag_flags: u8, page: Page<'a>) -> Result<Self, NodeFault> {
        let first = u16_at(line, 0).ok_or(NodeFault::LineTooShort)?;
        let bits = if page.size().is_large() {
            (first >> 13) as u8
        } else {
            tag_flags
        };
        let flags = NodeFlags::new(bits);
        let mut at = 2;
        let mut suffix_len = usize::from(first & COUNT_MASK);
        let mut prefix: &[u8] = &[];
        if flags.is_compressed() {
            prefix = page
                .external_header()
                .get(..suffix_len)
                .ok_or(NodeFault::PrefixTooLong)?;
            suffix_len = usize::from(u16_at(line, 2).ok_or(NodeFault::LineTooShort)? & COUNT_MASK);
            at = 4;
        }
        let suffix = line
            .get(at..at + suffix_len)
            .ok_or(NodeFault::LineTooShort)?;
        Ok(Self {
            prefix,
            suffix,
            data: &line[at + suffix_len..],
            flags,
        })
    }

    /// Length of the whole key.
    #[must_use]
    pub const fn key_len(&self) -> usize {
        self.prefix.len() + self.suffix.len()
    }

    /// The key's bytes in order.
    pub fn key_bytes(&self) -> impl Iterator<Item = u8> + 'a {
        self.prefix.iter().chain(self.suffix).copied()
    }

    /// Compares the keys of two nodes.
    #[must_use]
    #[inline]
    pub fn cmp_key(&self, other: &Node<'_>) -> Ordering {
        cmp_parts((self.prefix, self.suffix), (other.prefix, other.suffix))
    }

    /// Compares the key with a byte string.
    #[must_use]
    pub fn cmp_key_to(&self, key: &[u8]) -> Ordering {
        cmp_parts((self.prefix, self.suffix), (key, &[]))
    }

    /// Replaces the content of `into` by the key.
    pub fn key_into(&self, into: &mut Vec<u8>) {
        into.clear();
        into.extend_from_slice(self.prefix);
        into.extend_from_slice(self.suffix);
    }

    /// The key, copied.
    #[must_use]
    pub fn key(&self) -> Vec<u8> {
        [self.prefix, self.suffix].concat()
    }
}

/// Compares two byte strings that are each given in two parts, without putting them together.
#[inline]
fn cmp_parts(a: (&[u8], &[u8]), b: (&[u8], &[u8])) -> Ordering {
    if a.0.len() > b.0.len() {
        return cmp_parts(b, a).reverse();
    }
    let (b_start, b_middle) = b.0.split_at(a.0.len());
    // The first parts of nodes of one page are the same bytes.
    let start = if std::ptr::eq(a.0.as_ptr(), b_start.as_ptr()) {
        Ordering::Equal
    } else {
        a.0.cmp(b_start)
    };
    start.then_with(|| {
        let shared = a.1.len().min(b_middle.len());
        a.1[..shared].cmp(&b_middle[..shared]).then_with(|| {
            if a.1.len() < b_middle.len() {
                Ordering::Less
            } else {
                a.1[shared..].cmp(b.1)
            }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::cmp_parts;

    #[test]
    fn parts_compare_as_the_whole() {
        let words: [&[u8]; 8] = [b"", b"a", b"ab", b"abc", b"abd", b"b", b"ba", b"abcabc"];
        for a in words {
            for b in words {
                for i in 0..=a.len() {
                    for j in 0..=b.len() {
                        assert_eq!(cmp_parts(a.split_at(i), b.split_at(j)), a.cmp(b));
                    }
                }
            }
        }
    }
}
