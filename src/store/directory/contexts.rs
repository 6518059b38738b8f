//! Naming contexts: what rows say they are in, what heads say of themselves, and who knows whom. `[directory rules 3, 13]`

use std::collections::{BTreeMap, BTreeSet};

use super::findings::{Findings, Pending};
use super::judge::{set, text};
use super::objects::{Head, NONE, NOT_AN_OBJECT, Object, Objects, ROOT, Standing};
use crate::store::columns::ColumnPlace;
use crate::store::finding::FindingSeverity;
use crate::store::profile::DirectoryRule;

/// One head's missing `subRefs` are put right together, as long as it is no more values than this in all findings.
const VALUES_MOST: usize = 1 << 20;

/// What the rows below a head say.
#[derive(Default)]
struct Tally {
    /// Rows whose nearest ancestor that is a head it is.
    below: u64,
    /// Those of them that say so.
    say: u64,
}

/// A row that is no head by its flags, and that rows below name as theirs.
#[derive(Default)]
struct Unflagged {
    /// Rows that name it.
    say: u64,
    /// Rows below it that name the head above it.
    deny: u64,
}

/// What is doubted of heads' flags, and the rows that are explained by it.
#[derive(Default)]
struct Doubts {
    /// Rows that should be heads, and how many say so.
    unflagged: BTreeMap<u32, u64>,
    /// Heads that nobody below takes for one, and how many do not.
    flagged: BTreeMap<u32, u64>,
    explained: BTreeSet<u32>,
}

pub(super) struct Contexts<'c> {
    pub objects: &'c Objects,
    /// Where contexts are named, and where heads name those below.
    pub nc: Option<&'c ColumnPlace>,
    pub sub_refs_column: Option<&'c ColumnPlace>,
    /// Rows whose parent may be what is wrong.
    pub suspects: &'c BTreeSet<u32>,
    /// `subRefs`: the row that has the value, and the value, in their order.
    pub sub_refs: &'c [(i32, i32)],
    /// Every value of it could be read.
    pub is_complete: bool,
}

impl Contexts<'_> {
    pub fn judge(&self, findings: &mut Findings) {
        let heads = self.objects.heads();
        let mut tallies: BTreeMap<u32, Tally> = BTreeMap::new();
        let mut wrong = Vec::new();
        for (at, object, head) in self.rows(&heads) {
            let tally = tallies.entry(head.at).or_default();
            tally.below += 1;
            if object.ncdnt == self.object(head.at).dnt {
                tally.say += 1;
            } else {
                wrong.push(at);
            }
        }
        let doubts = match wrong.is_empty() {
            true => Doubts::default(),
            false => self.doubts(&heads, &wrong, &tallies),
        };
        self.tell_doubts(&doubts, findings);
        for at in wrong {
            if !doubts.explained.contains(&at)
                && let Some(head) = self.head_of(&heads, at)
            {
                let alone = tallies.get(&head.at).is_none_or(|tally| tally.say == 0);
                self.tell_row(at, head, alone, findings);
            }
        }
        self.sub_refs(&heads, &tallies, &doubts, findings);
    }

    fn object(&self, at: u32) -> &Object {
        &self.objects.all[at as usize]
    }

    fn head_of(&self, heads: &[Option<Head>], at: u32) -> Option<Head> {
        let parent = self.objects.all.get(at as usize)?.parent;
        heads.get(parent as usize).copied().flatten()
    }

    /// The rows that must say what context they are in, and its head.
    fn rows(&self, heads: &[Option<Head>]) -> impl Iterator<Item = (u32, &Object, Head)> {
        (0..).zip(&self.objects.all).filter_map(|(at, object)| {
            let special = matches!(object.dnt, NOT_AN_OBJECT | ROOT);
            if special || object.standing != Standing::UnderRoot || !object.is_object {
                return None;
            }
            Some((at, object, self.head_of(heads, at)?))
        })
    }

    /// One wrong flag in a head makes all rows below it look wrong: what they agree on is believed.
    fn doubts(
        &self,
        heads: &[Option<Head>],
        wrong: &[u32],
        tallies: &BTreeMap<u32, Tally>,
    ) -> Doubts {
        let (unflagged, explained) = self.unflagged(heads, wrong);
        let mut doubts = Doubts {
            unflagged,
            flagged: BTreeMap::new(),
            explained,
        };
        // What is left to be said by the rows below each head.
        let mut left: BTreeMap<u32, u64> = BTreeMap::new();
        for at in wrong.iter().filter(|at| !doubts.explained.contains(at)) {
            if let Some(head) = self.above(heads, *at) {
                *left.entry(head).or_default() += 1;
            }
        }
        for (head, rows) in left {
            let nobody = tallies.get(&head).is_some_and(|tally| tally.say == 0);
            // One row alone may as well be wrong itself, and the root is always a head.
            if nobody && rows > 1 && self.object(head).dnt != ROOT {
                doubts.flagged.insert(head, rows);
            }
        }
        let flagged = &doubts.flagged;
        let below = |at: &&u32| {
            let head = self.head_of(heads, **at);
            head.is_some_and(|head| flagged.contains_key(&head.at))
        };
        let explained: Vec<u32> = wrong.iter().filter(below).copied().collect();
        doubts.explained.extend(explained);
        doubts
    }

    /// The row that a row names as its head.
    fn named(&self, at: u32) -> Option<u32> {
        self.objects.find(self.object(at).ncdnt)
    }

    fn above(&self, heads: &[Option<Head>], at: u32) -> Option<u32> {
        self.head_of(heads, at).map(|head| head.at)
    }

    /// Rows that are no heads and that more rows below take for one than for none, with how many do; and those rows.
    fn unflagged(
        &self,
        heads: &[Option<Head>],
        wrong: &[u32],
    ) -> (BTreeMap<u32, u64>, BTreeSet<u32>) {
        let tour = self.objects.tour();
        let mut saying = Vec::new();
        let mut found: BTreeMap<u32, Unflagged> = BTreeMap::new();
        for at in wrong {
            if let Some(named) = self.named(*at)
                && tour.is_below(*at, named)
                && !self.object(named).is_head()
                && self.above(heads, named) == self.above(heads, *at)
            {
                found.entry(named).or_default().say += 1;
                saying.push((*at, named));
            }
        }
        if found.is_empty() {
            return (BTreeMap::new(), BTreeSet::new());
        }
        // The nearest of them above each row, in the same context.
        let nearest = self.objects.go_down(NONE, |above, at, object| {
            match (object.is_head(), found.contains_key(&at)) {
                (true, _) => NONE,
                (false, true) => at,
                (false, false) => above,
            }
        });
        let nearest_above = |at: u32| {
            let parent = self.object(at).parent as usize;
            nearest
                .get(parent)
                .copied()
                .flatten()
                .filter(|at| *at != NONE)
        };
        for (at, object, head) in self.rows(heads) {
            if object.ncdnt == self.object(head.at).dnt
                && let Some(row) = nearest_above(at).and_then(|above| found.get_mut(&above))
            {
                row.deny += 1;
            }
        }
        // What is below a row is below those above it: the lowest first.
        let mut order: Vec<u32> = found.keys().copied().collect();
        order.sort_by_key(|at| std::cmp::Reverse(tour.place(*at)));
        for at in order {
            let deny = found.get(&at).map_or(0, |row| row.deny);
            if let Some(row) = nearest_above(at).and_then(|above| found.get_mut(&above)) {
                row.deny += deny;
            }
        }
        let believed = found.into_iter().filter(|(_, row)| row.say > row.deny);
        let believed: BTreeMap<u32, u64> = believed.map(|(at, row)| (at, row.say)).collect();
        saying.retain(|(_, named)| believed.contains_key(named));
        let saying = saying.into_iter().map(|(at, _)| at).collect();
        (believed, saying)
    }

    fn tell_doubts(&self, doubts: &Doubts, findings: &mut Findings) {
        for (at, say) in &doubts.unflagged {
            let object = self.object(*at);
            let detail = format!(
                "its instanceType (or OBJ_col) says that it is no naming context, but {say} rows below it say it is"
            );
            let found = Pending::new(DirectoryRule::Nc, object.ordinal, detail);
            // What phantoms above a context are to rows below it, no file has shown.
            let inferred = !object.is_object && object.instance_type & 1 == 0;
            findings.add(match inferred {
                true => found.only(FindingSeverity::Warning),
                false => found,
            });
        }
        for (at, rows) in &doubts.flagged {
            let detail = format!(
                "its instanceType says that it is a naming context, but none of the {rows} rows below it says so"
            );
            let ordinal = self.object(*at).ordinal;
            findings.add(Pending::new(DirectoryRule::Nc, ordinal, detail));
        }
    }

    /// A row that is in another context than it says. `alone`: nobody else says what its head is.
    fn tell_row(&self, at: u32, head: Head, alone: bool, findings: &mut Findings) {
        let object = self.object(at);
        let right = self.object(head.at).dnt;
        let detail = format!("NCDNT_col is {}, should be {right}", text(object.ncdnt));
        let mut found = Pending::new(DirectoryRule::Nc, object.ordinal, detail);
        if object.is_deleted || head.over_phantom {
            found = found.only(FindingSeverity::Warning);
        } else if let Some(change) = self.nc.and_then(|nc| set(nc, &[right])) {
            found = found
                .fixed_by(format!("Fixed NCDNT_col to {right}"), change)
                .careful(alone || self.suspects.contains(&at));
        }
        findings.add(found);
    }

    fn sub_refs(
        &self,
        heads: &[Option<Head>],
        tallies: &BTreeMap<u32, Tally>,
        doubts: &Doubts,
        findings: &mut Findings,
    ) {
        let known: BTreeSet<(i32, i32)> = self.sub_refs.iter().copied().collect();
        let mut missing: BTreeMap<u32, Vec<(i32, bool)>> = BTreeMap::new();
        for (at, object, head) in self.rows(heads) {
            let pair = (self.object(head.at).dnt, object.dnt);
            let explained = doubts.flagged.contains_key(&at) || doubts.explained.contains(&at);
            if object.is_known_above() && !known.contains(&pair) && !explained {
                // That it is a head, its flags alone do not prove.
                let proven = tallies.get(&at).is_some_and(|tally| tally.say > 0);
                missing
                    .entry(head.at)
                    .or_default()
                    .push((object.dnt, proven));
            }
        }
        self.missing_sub_refs(&missing, findings);
        let told = |at: u32| {
            let doubted = doubts.unflagged.contains_key(&at) || doubts.explained.contains(&at);
            doubted && findings.wants(DirectoryRule::Nc)
        };
        let mut odd = Vec::new();
        for (owner, value) in known {
            let (Some(owner), Some(at)) = (self.objects.get(owner), self.objects.find(value))
            else {
                continue;
            };
            // Rows that lead to no root have been told of.
            let astray = |row: &Object| {
                let standing = [Standing::UnderRoot, Standing::Special];
                !standing.contains(&row.standing)
            };
            if astray(owner) || astray(self.object(at)) {
                continue;
            }
            let head = self.above(heads, at).map(|head| self.object(head).dnt);
            let is_below = self.object(at).is_known_above() && head == Some(owner.dnt);
            if !is_below && !told(at) {
                let detail = format!("subRefs has {value}, which is no naming context below it");
                odd.push(Pending::new(
                    DirectoryRule::SubrefsOdd,
                    owner.ordinal,
                    detail,
                ));
            }
        }
        odd.into_iter().for_each(|found| findings.add(found));
    }

    fn missing_sub_refs(&self, missing: &BTreeMap<u32, Vec<(i32, bool)>>, findings: &mut Findings) {
        if missing.is_empty() {
            return;
        }
        let mut there: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
        for (owner, value) in self.sub_refs {
            there.entry(*owner).or_default().push(*value);
        }
        for (head, lacking) in missing {
            let head = self.object(*head);
            let mut values = there.remove(&head.dnt).unwrap_or_default();
            let proven = lacking.iter().filter(|(_, proven)| *proven);
            values.extend(proven.map(|(dnt, _)| *dnt));
            let few = values.len().saturating_mul(lacking.len()) <= VALUES_MOST;
            let column = self.sub_refs_column.filter(|_| few && self.is_complete);
            for (dnt, proven) in lacking {
                let detail = format!("subRefs lacks {dnt}");
                let mut found = Pending::new(DirectoryRule::Subrefs, head.ordinal, detail);
                if let Some(change) = column.filter(|_| *proven).and_then(|c| set(c, &values)) {
                    found = found.fixed_by(format!("Added {dnt} to subRefs"), change);
                }
                findings.add(found);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::{Contexts, Doubts, Tally};
    use crate::store::directory::objects::{Objects, tests::object};

    /// Number, parent, context, flags.
    type Row = (i32, i32, i32, i32);

    /// What is doubted, by the numbers of rows: heads that should be, heads that should not be, rows explained.
    type Doubted = (Vec<(i32, u64)>, Vec<(i32, u64)>, usize);

    fn doubts(rows: &[Row]) -> Doubted {
        let all = rows
            .iter()
            .map(|(dnt, pdnt, ncdnt, flags)| {
                let mut one = object(*dnt, *pdnt);
                (one.ncdnt, one.instance_type) = (*ncdnt, *flags);
                one
            })
            .collect();
        let mut objects = Objects { all };
        assert!(objects.settle().is_empty());
        let contexts = Contexts {
            objects: &objects,
            nc: None,
            sub_refs_column: None,
            suspects: &BTreeSet::new(),
            sub_refs: &[],
            is_complete: true,
        };
        let heads = objects.heads();
        let mut tallies: BTreeMap<u32, Tally> = BTreeMap::new();
        let mut wrong = Vec::new();
        for (at, object, head) in contexts.rows(&heads) {
            let tally = tallies.entry(head.at).or_default();
            tally.below += 1;
            match object.ncdnt == contexts.object(head.at).dnt {
                true => tally.say += 1,
                false => wrong.push(at),
            }
        }
        let Doubts {
            unflagged,
            flagged,
            explained,
        } = contexts.doubts(&heads, &wrong, &tallies);
        let named = |rows: BTreeMap<u32, u64>| {
            let named = rows.into_iter();
            named
                .map(|(at, rows)| (contexts.object(at).dnt, rows))
                .collect()
        };
        (named(unflagged), named(flagged), explained.len())
    }

    #[test]
    fn what_rows_agree_on_is_believed() {
        let tree = |flags_of_4: i32, flags_of_6: i32| -> Vec<Row> {
            vec![
                (1, 0, 0, 4),
                (2, 0, 0, 3),
                (4, 2, 2, flags_of_4),
                (6, 4, 4, flags_of_6),
                (7, 6, 4, 4),
                (8, 6, 4, 4),
                (9, 7, 4, 4),
            ]
        };
        assert_eq!(doubts(&tree(5, 4)), (vec![], vec![], 0));
        // A head that says it is none, and one that says it is.
        assert_eq!(doubts(&tree(4, 4)), (vec![(4, 4)], vec![], 4));
        assert_eq!(doubts(&tree(5, 5)), (vec![], vec![(6, 3)], 3));
        // One row that names a row above it is wrong itself.
        let mut one = tree(5, 4);
        one[6].2 = 7;
        assert_eq!(doubts(&one), (vec![(7, 1)], vec![], 1));
        one.push((10, 7, 4, 4));
        assert_eq!(doubts(&one), (vec![], vec![], 0));
        // What is denied far below counts above: 6 is named by one, and not by three.
        let mut one = tree(5, 4);
        one[4].2 = 6;
        one[6].2 = 7;
        one.push((10, 9, 4, 4));
        one.push((11, 9, 4, 4));
        assert_eq!(doubts(&one), (vec![], vec![], 0));
    }
}
