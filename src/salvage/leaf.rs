//! The nodes of one leaf that can be believed, in order, whatever state the page is in.

use crate::format::lv::{LvKey, LvPart, LvRoot};
use crate::format::page::{CheckScratch, Node, Page, TAG_BYTES};
use crate::format::record::{Record, RecordLayout};

use super::keys::{Range, cmp_nodes};
use super::{SalvageOptions, TreeKind};

/// Longest key that is believed: twice the longest that an engine makes. [format notes 13.5, B12]
const KEY_MOST: usize = 2 * 2000;

/// Reads leaves, one after the other.
#[derive(Default)]
pub(super) struct LeafReader {
    scratch: CheckScratch,
    spans: Vec<Span>,
    keep: Vec<usize>,
    tails: Vec<usize>,
    before: Vec<usize>,
}

/// The nodes of a leaf.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Lines {
    /// Numbers of the nodes that are believed, in the order of the tree; deleted ones among them.
    pub order: Vec<u16>,
    /// Nodes left out because their structure is broken.
    pub broken: u32,
    /// Nodes left out because another of the page has the same key.
    pub doubles: u32,
    /// Nodes of a damaged page left out because nothing proves them.
    pub unproved: u32,
    /// The nodes did not lie in order.
    pub sorted: bool,
}

/// The bytes of a line.
struct Span {
    start: usize,
    end: usize,
    /// `None` is the page's key prefix.
    line: Option<usize>,
}

impl LeafReader {
    /// The nodes of a page whose checksum is right.
    pub fn sound(&mut self, page: Page<'_>, kind: TreeKind, options: &SalvageOptions<'_>) -> Lines {
        let non_unique = kind.is_non_unique();
        let count = page.node_count();
        if page.check_structure(non_unique, &mut self.scratch).is_ok() {
            return Lines {
                order: (0..count as u16).collect(),
                ..Lines::default()
            };
        }
        // A right checksum over a wrong structure is a fault of who wrote the page: what is broken is left out, the
        // rest was written on purpose. Nodes that lie on one another cannot both be right: those stay that are alone in
        // having content.
        self.readable(page, |node| proves(page, node, kind, options), false);
        let mut lines = Lines {
            broken: (count - self.keep.len()) as u32,
            ..Lines::default()
        };
        self.keep_sorted(page, non_unique, &mut lines);
        lines
    }

    /// The nodes of a page whose checksum is wrong that are proved one by one: the line lies within the page and on no
    /// other, the content is a record (or part of a long value), and the key fits between those of its neighbours and
    /// into `range`, where the tree tells it.
    pub fn damaged(
        &mut self,
        page: Page<'_>,
        kind: TreeKind,
        range: Option<&Range>,
        options: &SalvageOptions<'_>,
    ) -> Lines {
        let non_unique = kind.is_non_unique();
        let count = page.node_count();
        self.readable(page, |node| proves(page, node, kind, options), true);
        if let Some(range) = range {
            let inside = |line: &usize| {
                page.node(*line)
                    .is_ok_and(|node| range.holds_node(&node, non_unique))
            };
            self.keep.retain(inside);
        }
        self.rising(page, non_unique);
        Lines {
            order: self.keep.iter().map(|line| *line as u16).collect(),
            unproved: (count - self.keep.len()) as u32,
            ..Lines::default()
        }
    }

    /// Leaves in `keep` the lines that can be read and do not lie on another. With `all`, each must be proved; without,
    /// only those that lie on another.
    fn readable(&mut self, page: Page<'_>, proved: impl Fn(&Node<'_>) -> bool, all: bool) {
        self.spans.clear();
        self.keep.clear();
        let available = page.room().saturating_sub(page.tag_count() * TAG_BYTES);
        let add = |itag: usize, line: Option<usize>, spans: &mut Vec<Span>| {
            let Some(tag) = page.tag(itag) else {
                return false;
            };
            let inside = tag.end() <= available;
            if inside && tag.cb > 0 {
                spans.push(Span {
                    start: tag.ib.into(),
                    end: tag.end(),
                    line,
                });
            }
            inside
        };
        let prefix_inside = add(0, None, &mut self.spans);
        for line in 0..page.node_count() {
            let Ok(node) = page.node(line) else { continue };
            let shaped = (1..=KEY_MOST).contains(&node.key_len()) && !node.data.is_empty();
            if !shaped || all && !proved(&node) {
                continue;
            }
            if add(line + page.reserved_tags(), Some(line), &mut self.spans) {
                self.keep.push(line);
            }
        }
        let mut suspect = self.overlapping();
        if !all && suspect.iter().any(Option::is_some) {
            // The page's prefix says nothing that could be proved: it stays with those that overlap it.
            let holds = |line: &Option<usize>| {
                line.is_none_or(|line| page.node(line).is_ok_and(|node| proved(&node)))
            };
            let (proved, not): (Vec<_>, Vec<_>) = suspect.into_iter().partition(|line| holds(line));
            self.drop_lines(&not);
            suspect = self.overlapping();
            suspect.retain(|line| proved.contains(line));
        }
        self.drop_lines(&suspect);
        // Keys that are made with a prefix that something else lies on are not to be believed.
        if !prefix_inside || suspect.contains(&None) {
            self.keep
                .retain(|line| page.node(*line).is_ok_and(|node| node.prefix.is_empty()));
        }
    }

    /// Lines that share bytes with another.
    fn overlapping(&mut self) -> Vec<Option<usize>> {
        self.spans
            .sort_unstable_by_key(|span| (span.start, span.end, span.line));
        let mut suspect = Vec::new();
        let mut widest: Option<(usize, Option<usize>)> = None;
        for span in &self.spans {
            if let Some((end, line)) = widest
                && span.start < end
            {
                suspect.extend([line, span.line]);
            }
            if widest.is_none_or(|(end, _)| span.end > end) {
                widest = Some((span.end, span.line));
            }
        }
        suspect.sort_unstable();
        suspect.dedup();
        suspect
    }

    fn drop_lines(&mut self, lines: &[Option<usize>]) {
        let dropped = |line: Option<usize>| lines.binary_search(&line).is_ok();
        self.spans.retain(|span| !dropped(span.line));
        self.keep.retain(|line| !dropped(Some(*line)));
    }

    /// Puts the lines of `keep` in order; of equal ones the later counts.
    fn keep_sorted(&mut self, page: Page<'_>, non_unique: bool, lines: &mut Lines) {
        let mut nodes: Vec<(Node<'_>, usize)> = self
            .keep
            .iter()
            .filter_map(|line| Some((page.node(*line).ok()?, *line)))
            .collect();
        lines.sorted = !nodes.is_sorted_by(|a, b| cmp_nodes(&a.0, &b.0, non_unique).is_lt());
        nodes.sort_by(|a, b| cmp_nodes(&a.0, &b.0, non_unique).then(b.1.cmp(&a.1)));
        let all = nodes.len();
        nodes.dedup_by(|a, b| cmp_nodes(&a.0, &b.0, non_unique).is_eq());
        lines.doubles = (all - nodes.len()) as u32;
        lines.order = nodes.iter().map(|(_, line)| *line as u16).collect();
    }

    /// Leaves in `keep` the longest run of lines whose keys rise: a key that does not fit between its neighbours is the
    /// damaged one, not they.
    fn rising(&mut self, page: Page<'_>, non_unique: bool) {
        let nodes: Vec<Node<'_>> = self
            .keep
            .iter()
            .filter_map(|line| page.node(*line).ok())
            .collect();
        // `tails[n]` is where the lowest end of a rising run of n + 1 nodes is.
        self.tails.clear();
        self.before.clear();
        for (at, node) in nodes.iter().enumerate() {
            let len = self
                .tails
                .partition_point(|tail| cmp_nodes(&nodes[*tail], node, non_unique).is_lt());
            self.before.push(if len == 0 {
                usize::MAX
            } else {
                self.tails[len - 1]
            });
            if len == self.tails.len() {
                self.tails.push(at);
            } else {
                self.tails[len] = at;
            }
        }
        let mut run = Vec::with_capacity(self.tails.len());
        let mut at = self.tails.last().copied().unwrap_or(usize::MAX);
        while at != usize::MAX {
            run.push(self.keep[at]);
            at = self.before[at];
        }
        run.reverse();
        self.keep = run;
    }
}

/// True when the node's content is what nodes of this kind of tree hold, in full.
fn proves(page: Page<'_>, node: &Node<'_>, kind: TreeKind, options: &SalvageOptions<'_>) -> bool {
    let layout = RecordLayout::of_page(page);
    let shaped = match kind {
        TreeKind::Data => Record::with_layout(node.data, layout)
            .is_ok_and(|record| record.check(options.limits).is_ok()),
        TreeKind::LongValues => LvKey::of_node(node).is_ok_and(|key| match key.part {
            LvPart::Root => LvRoot::parse(node.data).is_ok(),
            LvPart::Chunk(offset) => options.chunk.is_none_or(|chunk| {
                offset.is_multiple_of(chunk.get()) && node.data.len() <= chunk.get() as usize
            }),
        }),
        // What an entry refers to is not known here.
        TreeKind::Index { .. } => true,
    };
    shaped
        && options
            .proof
            .is_none_or(|proof| proof(&node.key(), node.data, layout))
}

#[cfg(test)]
mod tests {
    use super::{LeafReader, Lines};
    use crate::format::ids::{Objid, PageSize, Pgno};
    use crate::format::page::{Page, PageBuf, PageFlags};
    use crate::salvage::keys::Range;
    use crate::salvage::{SalvageOptions, TreeKind};

    const INDEX: TreeKind = TreeKind::Index { non_unique: false };

    fn page(keys: &[&[u8]]) -> Vec<u8> {
        let flags = PageFlags::new(PageFlags::LEAF | PageFlags::INDEX | PageFlags::NEW_CHECKSUM);
        let mut page = PageBuf::new(PageSize::K4, Pgno::new(9), Objid::new(7), flags);
        for (line, key) in keys.iter().enumerate() {
            page.insert_node(line, 0, key, b"data", 0).unwrap();
        }
        page.seal()
    }

    fn sound(bytes: &[u8]) -> Lines {
        let page = Page::new(bytes, PageSize::K4).unwrap();
        LeafReader::default().sound(page, INDEX, &SalvageOptions::default())
    }

    fn damaged(bytes: &[u8], range: Option<&Range>) -> Vec<u16> {
        let page = Page::new(bytes, PageSize::K4).unwrap();
        let mut reader = LeafReader::default();
        let lines = reader.damaged(page, INDEX, range, &SalvageOptions::default());
        lines.order
    }

    #[test]
    fn whole_pages_give_all_nodes() {
        let lines = sound(&page(&[b"a", b"b", b"c"]));
        assert_eq!((lines.order, lines.sorted), (vec![0, 1, 2], false));
        assert_eq!(sound(&page(&[])), Lines::default());
    }

    #[test]
    fn disorder_is_sorted_and_of_equal_keys_the_later_counts() {
        let lines = sound(&page(&[b"b", b"a", b"c", b"b"]));
        assert_eq!(lines.order, [1, 3, 2]);
        assert_eq!((lines.doubles, lines.broken, lines.sorted), (1, 0, true));
    }

    #[test]
    fn a_key_that_does_not_rise_is_the_damaged_one() {
        assert_eq!(
            damaged(&page(&[b"a", b"b", b"z", b"c", b"d"]), None),
            [0, 1, 3, 4]
        );
        assert_eq!(damaged(&page(&[b"m", b"b", b"c", b"d"]), None), [1, 2, 3]);
        let range = Range {
            lower: b"b".to_vec(),
            upper: b"d".to_vec(),
        };
        assert_eq!(
            damaged(&page(&[b"a", b"b", b"c", b"d"]), Some(&range)),
            [1, 2]
        );
    }

    #[test]
    fn nodes_that_lie_on_one_another_are_left_out() {
        let mut bytes = page(&[b"a", b"b", b"c", b"d"]);
        // Tag 3 gets the place of tag 2.
        let end = bytes.len();
        bytes.copy_within(end - 12..end - 8, end - 16);
        let lines = sound(&bytes);
        assert_eq!((lines.order, lines.broken), (vec![0, 3], 2));
        assert_eq!(damaged(&bytes, None), [0, 3]);
    }

    #[test]
    fn noise_is_no_node() {
        let mut bytes = page(&[b"a", b"b"]);
        let mut state = 7u64;
        for byte in &mut bytes[34..] {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            *byte = (state >> 56) as u8;
        }
        let lines = damaged(&bytes, None);
        assert!(lines.len() < 20, "{lines:?}");
        let _ = sound(&bytes);
    }
}
