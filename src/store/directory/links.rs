//! `link_table`. `[directory rules 12]`

use std::collections::BTreeSet;
use std::io;

use super::columns::RoleTable;
use super::findings::Findings;
use super::objects::Objects;
use super::read::i32_of;
use super::usns::Usns;
use crate::store::finding::{Change, Found, RowRef};
use crate::store::profile::DirectoryRule;
use crate::store::rows::{Unread, View};

/// What the links leave.
#[derive(Default)]
pub(super) struct Links {
    pub rows: u64,
    pub unread: Unread,
    /// Links to rows that are not there.
    pub lost: u64,
    /// Some link has a value that cannot be read.
    pub faults: bool,
}

const ROLES: [&str; 6] = [
    "link_dnt",
    "backlink_dnt",
    "link_base",
    "link_deltime",
    "link_ncdnt",
    "link_usn",
];

/// Reads the table, judges each link and counts its reference.
pub(super) fn read(
    view: &View<'_>,
    table: RoleTable<'_>,
    (objects, link_ids): (&mut Objects, &BTreeSet<i64>),
    usns: &mut Usns,
    findings: &mut Findings,
) -> io::Result<Links> {
    let mut links = Links::default();
    let columns = table.columns(ROLES);
    let mut last: Option<Vec<u8>> = None;
    links.unread = view.rows(table.table, &columns, &mut |row| {
        links.rows += 1;
        let values = row.values;
        let here = || RowRef {
            table: table.store.objid,
            ordinal: row.ordinal,
            key: row.key.to_vec(),
        };
        let (from, to) = (i32_of(values, 0), i32_of(values, 1));
        if objects.find(from).is_none() {
            let found = Found::row(here(), "link_DNT is not there".to_owned());
            let found = found.fixed_by("Deleting this row", Change::Drop);
            findings.found(DirectoryRule::Links, found);
        }
        let is_deleted = values.count(3) > 0;
        links.faults |= values.fault(1).is_some() || values.fault(3).is_some();
        match objects.find(to) {
            None => {
                links.lost += 1;
                let found = Found::row(here(), "backlink_DNT is not there".to_owned());
                findings.found(DirectoryRule::Links, found);
            }
            Some(at) => {
                let target = &mut objects.all[at as usize];
                let count = if is_deleted {
                    &mut target.high
                } else {
                    &mut target.low
                };
                *count = count.saturating_add(1);
            }
        }
        // An id of 32 bits, of which the lowest tells the direction.
        let base = values.int(2).unwrap_or_default();
        let id = i64::from((base.wrapping_mul(2)) as i32);
        if !link_ids.contains(&id) {
            let detail = format!("link_base {base}: no attribute has the linkID {id}");
            findings.found(DirectoryRule::Links, Found::row(here(), detail));
        }
        if !is_deleted && last.as_deref() == Some(row.key) {
            let found = Found::row(here(), "the same link is there twice".to_owned());
            findings.found(DirectoryRule::LinksOdd, found);
        }
        if !is_deleted {
            last = Some(row.key.to_vec());
        }
        if let Some(context) = values.int(4) {
            let head = i32::try_from(context).ok().and_then(|dnt| objects.get(dnt));
            if head.is_none_or(|head| head.instance_type & 1 == 0) {
                let detail = format!("link_ncdnt {context} is no naming context");
                findings.found(DirectoryRule::LinksOdd, Found::row(here(), detail));
            }
        }
        if let Some(own) = values.int(5) {
            usns.of_link(own, here);
        }
        Ok(())
    })?;
    Ok(links)
}
