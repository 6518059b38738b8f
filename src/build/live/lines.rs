//! The nodes of a page as values, and what they cost there.

use super::LiveError;
use crate::format::ids::Pgno;
use crate::format::page::{Node, NodeFlags, Page, PageMut, TAG_BYTES};

/// Bytes of a count before a key or a prefix.
const COUNT: usize = 2;
/// Shorter common prefixes are not worth their count. [log notes 7.6]
const PREFIX_OVERHEAD: usize = 2;

/// A node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub key: Vec<u8>,
    pub data: Vec<u8>,
    /// Version and deleted flags.
    pub flags: u8,
}

impl Line {
    pub fn of(node: &Node<'_>) -> Self {
        Self {
            key: node.key(),
            data: node.data.to_vec(),
            flags: node.flags.bits() & !NodeFlags::COMPRESSED,
        }
    }

    /// A pointer to a child page.
    pub fn pointer(key: &[u8], child: Pgno) -> Self {
        Self {
            key: key.to_vec(),
            data: child.get().to_le_bytes().to_vec(),
            flags: 0,
        }
    }

    pub const fn is_deleted(&self) -> bool {
        self.flags & NodeFlags::DELETED != 0
    }
}

/// All nodes of a page.
pub(super) fn read(page: Page<'_>) -> Vec<Line> {
    page.nodes().flatten().map(|node| Line::of(&node)).collect()
}

/// Bytes of `key` that a page with this prefix holds already.
pub(super) fn shared(prefix: &[u8], key: &[u8]) -> usize {
    let same = prefix.iter().zip(key).take_while(|(a, b)| a == b).count();
    if same > PREFIX_OVERHEAD { same } else { 0 }
}

/// Bytes of a node with its tag in a page with this prefix.
pub(super) fn cost(prefix: &[u8], key: &[u8], data_len: usize) -> usize {
    let shared = shared(prefix, key);
    let counts = if shared > 0 { 2 * COUNT } else { COUNT };
    TAG_BYTES + counts + key.len() - shared + data_len
}

/// Bytes of a whole page, its prefix included.
pub(super) fn total(prefix: &[u8], lines: &[Line]) -> usize {
    let nodes = lines
        .iter()
        .map(|line| cost(prefix, &line.key, line.data.len()));
    prefix.len() + nodes.sum::<usize>()
}

/// The line whose key is the best prefix among a few candidates, and the bytes of the page then.
pub(super) fn best_prefix(lines: &[Line], also: usize) -> (Option<usize>, usize) {
    let mut best = (None, total(&[], lines));
    if lines.is_empty() {
        return best;
    }
    for at in [0, lines.len() / 2, lines.len() - 1, also % lines.len()] {
        let bytes = total(&lines[at].key, lines);
        if bytes < best.1 {
            best = (Some(at), bytes);
        }
    }
    best
}

/// The shortest key above `left` that is not above `right`.
pub(super) fn separator(left: &[u8], right: &[u8]) -> Vec<u8> {
    let same = left.iter().zip(right).take_while(|(a, b)| a == b).count();
    right[..(same + 1).min(right.len())].to_vec()
}

/// Takes all nodes out of a page.
pub(super) fn clear(page: &mut PageMut<'_>) {
    for line in (0..page.view().node_count()).rev() {
        page.delete_node(line);
    }
}

/// Writes nodes behind those of a page, whose external header is their prefix unless it is a root.
pub(super) fn append(page: &mut PageMut<'_>, lines: &[Line]) -> Result<(), LiveError> {
    let prefix = prefix_of(page.view());
    for line in lines {
        let shared = shared(&prefix, &line.key);
        let at = page.view().node_count();
        page.insert_node(at, shared, &line.key[shared..], &line.data, line.flags)?;
    }
    Ok(())
}

/// The prefix of a page's keys; a root has none.
pub(super) fn prefix_of(page: Page<'_>) -> Vec<u8> {
    if page.flags().is_root() {
        Vec::new()
    } else {
        page.external_header().to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::{cost, separator, shared};

    #[test]
    fn separators_are_short_and_in_between() {
        for (left, right) in [
            ("abc", "abd"),
            ("ab", "abc"),
            ("a", "zebra"),
            ("abcx", "abd"),
        ] {
            let (left, right) = (left.as_bytes(), right.as_bytes());
            let between = separator(left, right);
            assert!(left < &between[..] && &between[..] <= right);
        }
        assert_eq!(separator(b"a", b"zebra"), b"z");
    }

    #[test]
    fn short_prefixes_do_not_count() {
        assert_eq!([shared(b"ab", b"abc"), shared(b"abc", b"abcd")], [0, 3]);
        assert_eq!([cost(b"", b"key", 5), cost(b"key", b"key", 5)], [14, 13]);
    }
}
