//! The first pass over `datatable`: what the tree is made of, and the schema.

use std::collections::BTreeSet;
use std::io;

use super::columns::RoleTable;
use super::objects::{NULL, Object, Objects, Standing, hash_of_chain};
use super::schema::SchemaRows;
use crate::store::columns::Values;
use crate::store::rows::{Unread, View};

/// The columns that are read, in this order.
const ROLES: [&str; 17] = [
    "dnt",
    "pdnt",
    "obj",
    "nc",
    "cnt",
    "ancestors",
    "instance_type",
    "deleted",
    "object_class",
    "attribute_id",
    "attribute_syntax",
    "int_id",
    "defunct",
    "governs_id",
    "link_id",
    "system_flags",
    "rdn_type",
];

/// A directory has a handful.
const RDN_TYPES_MOST: usize = 1000;

/// What the first pass leaves.
#[derive(Default)]
pub(super) struct FirstPass {
    pub objects: Objects,
    pub schema: SchemaRows,
    /// Attributes that relative names are of.
    pub rdn_types: BTreeSet<i64>,
    /// Rows without a DNT that can be one: ordinals and what is there.
    pub nameless: Vec<(u32, String)>,
    pub unread: Unread,
    pub summary: Summary,
}

/// What the rows of a directory are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Summary {
    /// Rows.
    pub records: u64,
    /// Objects that are not deleted.
    pub objects: u64,
    /// Deleted objects.
    pub deleted: u64,
    /// Phantoms.
    pub phantoms: u64,
    /// Security descriptors.
    pub descriptors: u64,
    /// Rows that lie under no root.
    pub not_under_root: u64,
}

/// A column of 32 bits.
pub(super) fn i32_of(values: &Values, slot: usize) -> i32 {
    let number = values
        .int(slot)
        .and_then(|number| i32::try_from(number).ok());
    number.unwrap_or(NULL)
}

pub(super) fn first_pass(view: &View<'_>, data: RoleTable<'_>) -> io::Result<FirstPass> {
    let mut pass = FirstPass::default();
    let columns = data.columns(ROLES);
    let mut objects = Vec::new();
    pass.unread = view.rows(data.table, &columns, &mut |row| {
        let values = row.values;
        let ordinal = u32::try_from(row.ordinal).unwrap_or(u32::MAX);
        let dnt = i32_of(values, 0);
        let is_object = values.int(2) == Some(1);
        let is_deleted = values.int(7).is_some_and(|flag| flag != 0);
        let summary = &mut pass.summary;
        summary.records += 1;
        match (is_object, is_deleted) {
            (true, false) => summary.objects += 1,
            (true, true) => summary.deleted += 1,
            (false, _) => summary.phantoms += 1,
        }
        // One that says it is no object, and has a class, is told of as that.
        pass.schema.row(values, !is_deleted, ordinal);
        if pass.rdn_types.len() < RDN_TYPES_MOST {
            pass.rdn_types.extend(values.int(16));
        }
        if dnt <= 0 {
            let found = match values.int(0) {
                Some(dnt) => format!("DNT_col is {dnt}"),
                None => "DNT_col is null".to_owned(),
            };
            pass.nameless.push((ordinal, found));
            return Ok(());
        }
        let chain = values.first(5);
        objects.push(Object {
            dnt,
            pdnt: i32_of(values, 1),
            ncdnt: i32_of(values, 3),
            count: values.int(4).unwrap_or_default(),
            ancestors: chain.and_then(hash_of_chain),
            chain_parent: chain.map_or(NULL, |chain| parent_in(chain, dnt)),
            instance_type: values
                .int(6)
                .and_then(|n| i32::try_from(n).ok())
                .unwrap_or(0),
            ordinal,
            is_object,
            is_deleted,
            names_itself: false,
            doubted: false,
            parent: super::objects::NONE,
            standing: Standing::Unknown,
            low: 0,
            high: 0,
        });
        Ok(())
    })?;
    pass.objects.all = objects;
    Ok(pass)
}

/// The parent that a stored chain names, if it ends in `dnt`.
fn parent_in(chain: &[u8], dnt: i32) -> i32 {
    let (numbers, rest) = chain.as_chunks::<4>();
    match numbers {
        [.., parent, own] if rest.is_empty() && i32::from_le_bytes(*own) == dnt => {
            i32::from_le_bytes(*parent)
        }
        _ => NULL,
    }
}
