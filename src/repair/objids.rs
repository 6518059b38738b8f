//! `MSysObjids`, which tells the table of every tree. What it holds follows from the catalog, so that it is made from
//! there where it is damaged, or where rows of the catalog came or went. [format notes 6.9, 15.3]

use std::collections::BTreeMap;

use super::Shared;
use super::table::Show;
use crate::db::catalog::{CatalogRow, Table};
use crate::format::ids::Objid;
use crate::format::keys::{KeyLimits, NoSortKeys, SegmentType, build_key};
use crate::format::record::encode::{FixedSlot, Instance, PlainValue, TaggedValue, encode};
use crate::format::schema::{CatalogType, Coltyp, FidKind};
use crate::rebuild::Node;

/// Its name.
pub(super) const NAME: &str = "MSysObjids";
/// Object ids of the catalog's indexes. [format notes 5.9]
const CATALOG_INDEXES: [Objid; 2] = [Objid::new(4), Objid::new(5)];

/// Shows the rows of the table and tells how many; `None` when its columns are not those that are known: then nothing was
/// shown.
pub(super) fn nodes(shared: &Shared<'_>, table: &Table, show: &mut Show<'_>) -> Option<u64> {
    let named = |name: &str| table.columns.iter().find(|column| column.name == name);
    let columns = (named("objid"), named("objidTable"), named("type"));
    let (Some(objid), Some(of), Some(kind)) = columns else {
        return None;
    };
    let mut ordered = [objid, of, kind];
    ordered.sort_by_key(|column| column.fid);
    let slots: Vec<FixedSlot> = ordered
        .iter()
        .filter(|column| column.fid.kind() == FidKind::Fixed)
        .map(|column| FixedSlot {
            fid: column.fid,
            offset: column.record_offset,
            size: column.coltyp.fixed_size().unwrap_or_default() as u16,
            pad: 0,
        })
        .collect();
    let (mut key, mut data, mut shown) = (Vec::new(), Vec::new(), 0);
    for (id, (own, of_kind)) in trees(shared) {
        let id = id.get().to_le_bytes();
        let own = own.get().to_le_bytes();
        let of_kind = (of_kind as i16 + 1).to_le_bytes();
        let value = |fid| {
            if fid == objid.fid {
                &id[..]
            } else if fid == of.fid {
                &own[..]
            } else {
                &of_kind[..]
            }
        };
        let of_sort = |sort: FidKind| ordered.iter().filter(move |c| c.fid.kind() == sort);
        let plain = |sort| -> Vec<PlainValue<'_>> {
            let values = of_sort(sort).map(|column| PlainValue {
                fid: column.fid,
                bytes: Some(value(column.fid)),
            });
            values.collect()
        };
        let tagged: Vec<TaggedValue<'_>> = of_sort(FidKind::Tagged)
            .map(|column| TaggedValue {
                fid: column.fid,
                derived: false,
                long: false,
                instances: vec![Instance::Intrinsic(value(column.fid))],
            })
            .collect();
        data.clear();
        let (fixed, variable) = (plain(FidKind::Fixed), plain(FidKind::Variable));
        let size = shared.db.page_size();
        if encode(&slots, &fixed, &variable, &tagged, size, &mut data).is_err() {
            return None;
        }
        let segment = SegmentType {
            fixed: objid.fid.kind() == FidKind::Fixed,
            ..SegmentType::ascending(Coltyp::Long)
        };
        build_key(
            [(segment, Some(&id[..]))],
            KeyLimits::default(),
            &NoSortKeys,
            &mut key,
        );
        let node = Node {
            key: &key,
            data: &data,
        };
        shown += 1;
        if show(node).is_break() {
            break;
        }
    }
    Some(shown)
}

/// Every tree with its table and its kind.
fn trees(shared: &Shared<'_>) -> BTreeMap<Objid, (Objid, CatalogType)> {
    let catalog = CATALOG_INDEXES.map(|index| (index, (Objid::CATALOG, CatalogType::Index)));
    let mut trees = BTreeMap::from(catalog);
    for entry in shared.rows {
        let Ok(row) = CatalogRow::with_layout(&entry.data, entry.layout) else {
            continue;
        };
        let has_tree = match row.kind {
            CatalogType::Table | CatalogType::LongValue => true,
            CatalogType::Index => row.id != row.table.get(),
            _ => false,
        };
        if has_tree {
            trees.insert(Objid::new(row.id), (row.table, row.kind));
        }
    }
    trees
}
