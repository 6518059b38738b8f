//! The second pass over `datatable`: what rows refer to, and what one row says alone. `[directory rules 4 to 8, 11, 14, 16]`

use std::collections::BTreeMap;
use std::io;

use super::columns::{Attribute, RoleTable, of_letters};
use super::descriptors::Descriptors;
use super::findings::{Findings, Pending, times};
use super::judge::set;
use super::objects::{NOT_AN_OBJECT, Object, Objects, ROOT};
use super::read::i32_of;
use super::usns::Usns;
use crate::format::store::replica;
use crate::format::store::security::check_sid;
use crate::store::columns::{ColumnPlace, Values, as_int};
use crate::store::finding::FindingSeverity;
use crate::store::profile::{DirectoryRule, Form};
use crate::store::rows::View;

/// The columns that the profile names, in this order; those of attributes follow.
const ROLES: [&str; 14] = [
    "dnt",
    "own_name",
    "rdn_type",
    "name",
    "sd",
    "sid",
    "usn_created",
    "usn_changed",
    "metadata",
    "object_class",
    "guid",
    "sub_refs",
    "obj",
    "instance_type",
];

/// Of the root, the value that refers to nobody in every file that was seen. `[directory rules 14]`
const ROOT_DMD_LOCATION: (i32, i64) = (131_108, 3);
/// Different values that refer to nobody are kept up to this.
const DANGLING_MOST: usize = 1_000_000;
/// `distinguishedName`.
const OWN_NAME: i32 = 49;
/// The id of `nTSecurityDescriptor`.
const DESCRIPTOR: i32 = 131_353;

/// What rows say of others.
#[derive(Default)]
pub(super) struct References {
    /// Values of attributes that refer to nobody.
    pub lost: u64,
    /// `subRefs`: the row that has the value, and the value.
    pub sub_refs: Vec<(i32, i32)>,
    /// Some row has a value of an attribute that refers to rows, or to descriptors, that cannot be read.
    pub faults: bool,
    pub descriptor_faults: bool,
    /// Values that refer to nobody: by the slot and the value the first row that has it, and how many do.
    dangling: BTreeMap<(usize, i64), (u32, u64)>,
    /// More of them.
    not_kept: u64,
}

impl References {
    fn dangling(&mut self, slot: usize, value: i64, ordinal: u32) {
        if self.dangling.len() < DANGLING_MOST || self.dangling.contains_key(&(slot, value)) {
            self.dangling.entry((slot, value)).or_insert((ordinal, 0)).1 += 1;
        } else {
            self.not_kept += 1;
        }
    }
}

/// What the pass works with.
pub(super) struct SecondPass<'p> {
    pub view: &'p View<'p>,
    pub data: RoleTable<'p>,
    pub rdn_types: &'p [i64],
    /// Descriptors lie in their own table.
    pub separate_descriptors: bool,
}

impl SecondPass<'_> {
    pub fn run(
        &self,
        objects: &mut Objects,
        descriptors: &mut Option<Descriptors>,
        usns: &mut Usns,
        findings: &mut Findings,
    ) -> io::Result<References> {
        let table = self.data.table;
        let mut references = References::default();
        let names = of_letters(table, b"b", Form::Int);
        let mixed = of_letters(table, b"ho", Form::Bytes);
        let secure = of_letters(table, b"p", Form::Bytes);
        let texts: Vec<(Attribute, ColumnPlace)> = of_letters(table, b"m", Form::Text)
            .into_iter()
            .filter(|(attribute, _)| self.rdn_types.contains(&i64::from(attribute.id)))
            .collect();
        let known = of_letters(table, b"abcdefghijklmnopqr", Form::Any);
        let mut columns: Vec<Option<&ColumnPlace>> = self.data.columns(ROLES).to_vec();
        let start = columns.len();
        let dynamic = [&names, &mixed, &secure, &texts];
        let places = dynamic.iter().flat_map(|group| group.iter());
        columns.extend(places.map(|(_, place)| Some(place)));
        let slots: Vec<usize> = dynamic
            .iter()
            .scan(start, |at, group| {
                let first = *at;
                *at += group.len();
                Some(first)
            })
            .collect();
        let by_rdn: BTreeMap<i64, Rdn> = self
            .rdn_types
            .iter()
            .map(|id| (*id, rdn(*id, &known, &texts, slots[3])))
            .collect();
        // What cannot be read was counted in the first pass.
        let _ = self.view.rows(table, &columns, &mut |row| {
            let values = row.values;
            let dnt = i32_of(values, 0);
            let Some(object) = objects.get(dnt).copied() else {
                return Ok(());
            };
            let above = usns.of_row(values.int(6), values.int(7), object.ordinal);
            let of_row = OfRow {
                object: &object,
                values,
                findings,
            };
            let doubted = of_row.alone(self, &by_rdn, above);
            if doubted && let Some(at) = objects.find(dnt) {
                objects.all[at as usize].doubted = true;
            }
            if object.is_object && dnt != NOT_AN_OBJECT {
                add(objects, dnt, false);
            }
            references.faults |= (slots[0]..slots[2]).any(|slot| values.fault(slot).is_some());
            references.descriptor_faults |=
                (slots[2]..slots[3]).any(|slot| values.fault(slot).is_some());
            for (slot, (attribute, _)) in (slots[0]..).zip(&names) {
                // Of objects the own name is counted as what it should be.
                if attribute.id == OWN_NAME && object.is_object {
                    continue;
                }
                for value in values.all(slot).filter_map(as_int) {
                    if (attribute.id, value) == ROOT_DMD_LOCATION && dnt == ROOT {
                        continue;
                    }
                    if attribute.id == OWN_NAME
                        && value == i64::from(dnt)
                        && let Some(at) = objects.find(dnt)
                    {
                        objects.all[at as usize].names_itself = true;
                    }
                    if !i32::try_from(value).is_ok_and(|to| add(objects, to, false)) {
                        references.lost += 1;
                        references.dangling(slot, value, object.ordinal);
                    }
                }
            }
            for (slot, _) in (slots[1]..).zip(&mixed) {
                for value in values.all(slot) {
                    let number = value
                        .first_chunk::<4>()
                        .map(|bytes| i32::from_le_bytes(*bytes));
                    if !number.is_some_and(|to| add(objects, to, true)) {
                        references.dangling(slot, 0, object.ordinal);
                    }
                }
            }
            if let Some(descriptors) = descriptors.as_mut().filter(|_| self.separate_descriptors) {
                for (slot, (attribute, _)) in (slots[2]..).zip(&secure) {
                    for value in values.all(slot) {
                        if attribute.id != DESCRIPTOR && value.len() == 8 {
                            continue;
                        }
                        if let Some((rule, detail)) = descriptors.refer(value) {
                            findings.add(Pending::new(rule, object.ordinal, detail));
                        }
                    }
                }
            }
            for value in values.all(11).filter_map(as_int) {
                if let Ok(value) = i32::try_from(value) {
                    references.sub_refs.push((dnt, value));
                }
            }
            Ok(())
        })?;
        for at in 0..objects.all.len() {
            let object = objects.all[at];
            let counts = !matches!(object.dnt, NOT_AN_OBJECT | ROOT)
                && object.standing != super::objects::Standing::BadParent
                && object.standing != super::objects::Standing::Looped;
            if counts {
                add(objects, object.pdnt, false);
            }
        }
        let place = |slot: usize| columns.get(slot).copied().flatten();
        references.tell(slots[1], &place, findings);
        Ok(references)
    }
}

impl References {
    /// Tells of values that refer to nobody; in slots from `mixed` on they are perhaps no numbers of rows.
    fn tell<'c>(
        &mut self,
        mixed: usize,
        place: &dyn Fn(usize) -> Option<&'c ColumnPlace>,
        findings: &mut Findings,
    ) {
        for ((slot, value), (first, count)) in std::mem::take(&mut self.dangling) {
            let name = place(slot).map_or("", |place| &place.name);
            let is_number = slot < mixed;
            let detail = match is_number {
                true => format!("{name}: {value} is not there"),
                false => format!("{name}: the first 4 bytes name no row"),
            };
            let detail = times(detail, count, "values");
            let found = Pending::new(DirectoryRule::Dangling, first, detail);
            findings.add(match is_number {
                true => found,
                false => found.only(FindingSeverity::Warning),
            });
        }
        if self.not_kept > 0 {
            let detail = format!("{} more values that name no row", self.not_kept);
            findings.about(DirectoryRule::Dangling, "Attributes".to_owned(), detail);
        }
    }
}

/// Counts a reference; false when there is no such row.
fn add(objects: &mut Objects, dnt: i32, perhaps: bool) -> bool {
    let Some(at) = objects.find(dnt) else {
        return false;
    };
    let object = &mut objects.all[at as usize];
    let count = if perhaps {
        &mut object.high
    } else {
        &mut object.low
    };
    *count = count.saturating_add(1);
    true
}

/// Where the relative name of a row is.
enum Rdn {
    /// In this slot.
    Text(usize),
    /// In a column that is not of text: not tested.
    Other,
    /// Nowhere.
    Missing,
}

fn rdn(
    id: i64,
    known: &[(Attribute, ColumnPlace)],
    texts: &[(Attribute, ColumnPlace)],
    start: usize,
) -> Rdn {
    let is_it = |(attribute, _): &(Attribute, ColumnPlace)| i64::from(attribute.id) == id;
    match texts.iter().position(is_it) {
        Some(at) => Rdn::Text(start + at),
        None if known.iter().any(is_it) => Rdn::Other,
        None => Rdn::Missing,
    }
}

/// One row, looked at alone.
struct OfRow<'r> {
    object: &'r Object,
    values: &'r Values,
    findings: &'r mut Findings,
}

impl OfRow<'_> {
    fn found(&mut self, rule: DirectoryRule, detail: String) {
        self.findings
            .add(Pending::new(rule, self.object.ordinal, detail));
    }

    /// `above`: one of its USNs is one that was never given out. True when it is told of that it is no object.
    fn alone(mut self, pass: &SecondPass<'_>, by_rdn: &BTreeMap<i64, Rdn>, above: bool) -> bool {
        let dnt = self.object.dnt;
        if self.object.is_object && dnt != NOT_AN_OBJECT {
            self.own_name(pass.data.column("own_name"));
        }
        if self.object.is_object && !matches!(dnt, NOT_AN_OBJECT | ROOT) {
            self.rdn(by_rdn);
            if self.values.count(9) == 0 || self.values.count(10) == 0 {
                let what = "an object without objectClass or objectGUID".to_owned();
                self.found(DirectoryRule::Phantom, what);
            }
        }
        if let Some(sid) = self.values.first(5)
            && let Err(fault) = check_sid(sid)
        {
            self.found(DirectoryRule::Sid, fault.to_string());
        }
        self.usn(above);
        self.phantom()
    }

    /// `[directory rules 7]`
    fn phantom(&mut self) -> bool {
        let columns = [
            (9, "objectClass"),
            (13, "instanceType"),
            (4, "nTSecurityDescriptor"),
        ];
        let detail = match self.values.int(12) {
            Some(1) => return false,
            Some(0) => {
                let has = columns.iter();
                let has = has.filter(|(slot, _)| self.values.is_present(*slot));
                let has: Vec<&str> = has.map(|(_, name)| *name).collect();
                if has.is_empty() {
                    return false;
                }
                format!("OBJ_col is 0, but it has {}", has.join(", "))
            }
            Some(other) => format!("OBJ_col is {other}"),
            None => "OBJ_col is null".to_owned(),
        };
        self.found(DirectoryRule::Phantom, detail);
        true
    }

    /// `[directory rules 4]`
    fn own_name(&mut self, column: Option<&ColumnPlace>) {
        let dnt = i64::from(self.object.dnt);
        let mut values = self.values.all(1).filter_map(as_int);
        if values.next() == Some(dnt) && values.next().is_none() {
            return;
        }
        let stored: Vec<String> = self
            .values
            .all(1)
            .filter_map(as_int)
            .map(|value| value.to_string())
            .collect();
        let stored = if stored.is_empty() {
            "null".to_owned()
        } else {
            stored.join(", ")
        };
        let detail = format!("ATTb49 is {stored}, should be {dnt}");
        let mut found = Pending::new(DirectoryRule::OwnName, self.object.ordinal, detail);
        if let Some(change) = column.and_then(|column| set(column, &[self.object.dnt])) {
            found = found.fixed_by(format!("Fixed ATTb49 to {dnt}"), change);
        }
        self.findings.add(found);
    }

    /// `[directory rules 5]`
    fn rdn(&mut self, by_rdn: &BTreeMap<i64, Rdn>) {
        let wrong = match self.values.int(2) {
            None => Some("RDNtyp_col is null".to_owned()),
            Some(id) => match by_rdn.get(&id) {
                Some(Rdn::Text(slot)) => {
                    let name = self.values.first(3);
                    let same = name.is_some_and(|name| self.values.all(*slot).any(|v| v == name));
                    (!same).then(|| format!("its name is no value of ATTm{id}"))
                }
                Some(Rdn::Other) => None,
                Some(Rdn::Missing) | None => Some(format!("there is no column of attribute {id}")),
            },
        };
        if let Some(detail) = wrong {
            let mut found = Pending::new(DirectoryRule::Rdn, self.object.ordinal, detail);
            if self.object.is_deleted {
                found = found.only(FindingSeverity::Warning);
            }
            self.findings.add(found);
        }
    }

    /// `[directory rules 16]`
    fn usn(&mut self, above: bool) {
        let (created, changed) = (self.values.int(6), self.values.int(7));
        if let (Some(created), Some(changed)) = (created, changed)
            && created > changed
        {
            let detail = format!("uSNCreated {created} is above uSNChanged {changed}");
            self.found(DirectoryRule::Usn, detail);
        }
        // One cause, one finding.
        let Some(metadata) = self.values.first(8).filter(|_| !above) else {
            return;
        };
        let wrong = match replica::parse(metadata) {
            Err(fault) => Some(fault.to_string()),
            Ok(vector) if !vector.ascending => Some("its attributes are out of order".to_owned()),
            Ok(vector) if vector.highest_usn.is_some() && vector.highest_usn != changed => {
                Some("its highest USN is not uSNChanged".to_owned())
            }
            Ok(_) => None,
        };
        if let Some(detail) = wrong {
            self.found(
                DirectoryRule::UsnMetadata,
                format!("replPropertyMetaData: {detail}"),
            );
        }
    }
}
