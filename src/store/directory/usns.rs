//! USNs above what the server has given out. `[directory rules 16]`

use super::findings::{Findings, Pending};
use crate::store::finding::{Found, RowRef};
use crate::store::profile::DirectoryRule;

/// More rows than this are not all wrong: the server's own number is.
const ROWS_MOST: usize = 16;

/// What is above.
#[derive(Default)]
pub(super) struct Usns {
    /// The highest USN that the server has given out.
    given_out: Option<i64>,
    /// How many are above, and the highest of them.
    above: u64,
    highest: i64,
    /// The first ones.
    rows: Vec<Pending>,
    links: Vec<Found>,
}

impl Usns {
    pub fn new(given_out: Option<i64>) -> Self {
        Self {
            given_out,
            ..Self::default()
        }
    }

    /// Notes a USN; what is wrong with it, if it is to be told of.
    fn above(&mut self, name: &str, usn: i64) -> Option<String> {
        let given_out = self.given_out.filter(|given_out| usn > *given_out)?;
        self.above += 1;
        self.highest = self.highest.max(usn);
        let few = self.rows.len() + self.links.len() < ROWS_MOST;
        few.then(|| format!("{name} {usn} is above usn_col {given_out}"))
    }

    /// Of a row, whose two numbers are one cause. True when one is above.
    pub fn of_row(&mut self, created: Option<i64>, changed: Option<i64>, ordinal: u32) -> bool {
        let higher = [("uSNCreated", created), ("uSNChanged", changed)];
        let higher = higher
            .into_iter()
            .filter_map(|(name, usn)| Some((name, usn?)));
        // Of equal ones the first.
        let Some((name, usn)) = higher.rev().max_by_key(|(_, usn)| *usn) else {
            return false;
        };
        if let Some(detail) = self.above(name, usn) {
            self.rows
                .push(Pending::new(DirectoryRule::Usn, ordinal, detail));
        }
        self.given_out.is_some_and(|given_out| usn > given_out)
    }

    /// Of a link.
    pub fn of_link(&mut self, usn: i64, row: impl Fn() -> RowRef) {
        if let Some(detail) = self.above("link_usnchanged", usn) {
            self.links.push(Found::row(row(), detail));
        }
    }

    pub fn tell(self, findings: &mut Findings) {
        let Some(given_out) = self.given_out else {
            return;
        };
        if self.above > ROWS_MOST as u64 {
            let detail = format!(
                "usn_col is {given_out}, but {} rows have higher USNs, up to {}",
                self.above, self.highest
            );
            return findings.about(DirectoryRule::Usn, "Server".to_owned(), detail);
        }
        self.rows.into_iter().for_each(|found| findings.add(found));
        for found in self.links {
            findings.found(DirectoryRule::Usn, found);
        }
    }
}
