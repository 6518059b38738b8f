//! `MSysObjids`, which tells the table of every tree. What it holds follows from the catalog, so that it is made from
//! there where it is damaged, or where rows of the catalog came or went. [format notes 6.9, 15.3]

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use super::source::Node;
use crate::db::catalog::{CatalogRow, Column, Table};
use crate::format::ids::{Objid, PageSize};
use crate::format::keys::{KeyLimits, NoSortKeys, SegmentType, build_key};
use crate::format::record::encode::{FixedSlot, Instance, PlainValue, TaggedValue, encode};
use crate::format::schema::{CatalogType, Coltyp, FidKind};

/// Its name.
pub const NAME: &str = "MSysObjids";
/// Object ids of the catalog's indexes. [format notes 5.9]
const CATALOG_INDEXES: [Objid; 2] = [Objid::new(4), Objid::new(5)];

/// Every tree with its table and its kind.
pub type Trees = BTreeMap<Objid, (Objid, CatalogType)>;

/// Shows the rows of the table and tells how many; `None` when its columns are not those that are known, or a record cannot
/// be made of them: then nothing more is shown.
pub fn nodes(
    trees: &Trees,
    table: &Table,
    size: PageSize,
    show: &mut dyn FnMut(Node<'_>) -> ControlFlow<()>,
) -> Option<u64> {
    let [objid, of, kind] = columns(table)?;
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
    for (id, (own, of_kind)) in trees {
        let id = id.get().to_le_bytes();
        let own = own.get().to_le_bytes();
        let of_kind = (*of_kind as i16 + 1).to_le_bytes();
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

/// The columns that are known: the tree, its table, its kind.
fn columns(table: &Table) -> Option<[&Column; 3]> {
    let named = |name: &str| table.columns.iter().find(|column| column.name == name);
    Some([named("objid")?, named("objidTable")?, named("type")?])
}

/// True when rows of the table can be made.
#[must_use]
pub fn can_be_made(table: &Table) -> bool {
    columns(table).is_some()
}

/// The trees that rows of the catalog name, and the catalog's own indexes.
pub fn trees<'r>(rows: impl IntoIterator<Item = &'r CatalogRow>) -> Trees {
    let catalog = CATALOG_INDEXES.map(|index| (index, (Objid::CATALOG, CatalogType::Index)));
    let mut trees = BTreeMap::from(catalog);
    for row in rows {
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
