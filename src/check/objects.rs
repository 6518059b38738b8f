//! The objects that own space, parents before children. [format notes 5.7]

use crate::db::catalog::{CATALOG_ROOT, SHADOW_ROOT, Schema};
use crate::format::ids::{Objid, Pgno};

/// One object: a tree with a space header.
#[derive(Debug, Clone)]
pub(super) struct Object {
    /// Object id.
    pub objid: Objid,
    /// Root of its tree.
    pub root: Pgno,
    /// The object that its space comes from.
    pub parent: Objid,
    /// Root of the parent.
    pub parent_root: Pgno,
    /// Table it belongs to.
    pub table: String,
    /// Index, or the long values, or empty for the table's data.
    pub part: String,
}

/// Root page of the database's own space.
const SYSTEM_ROOT: Pgno = Pgno::new(1);

/// All objects that the catalog names: tables, then what belongs to them. The catalog's own trees
/// come first even when the catalog has no row for them.
pub(super) fn of(schema: &Schema) -> Vec<Object> {
    let mut objects = Vec::new();
    for (objid, root, name) in [
        (Objid::CATALOG, CATALOG_ROOT, "MSysObjects"),
        (Objid::CATALOG_SHADOW, SHADOW_ROOT, "MSysObjectsShadow"),
    ] {
        objects.push(table(objid, root, name));
    }
    let defined = schema.tables.values().filter(|table| table.is_defined());
    for t in defined.clone() {
        if !matches!(t.objid, Objid::CATALOG | Objid::CATALOG_SHADOW) {
            objects.push(table(t.objid, t.root, &t.name));
        }
    }
    for t in defined {
        let child = |objid, root, part: &str| Object {
            objid,
            root,
            parent: t.objid,
            parent_root: t.root,
            table: t.name.clone(),
            part: part.to_owned(),
        };
        objects.extend(
            t.secondary_indexes()
                .map(|i| child(i.objid, i.root, &i.name)),
        );
        objects.extend(
            t.long_values
                .map(|lv| child(lv.objid, lv.root, "[Long Values]")),
        );
    }
    objects
}

/// The database itself, whose space comes from nobody.
pub(super) fn system() -> Object {
    Object {
        objid: Objid::SYSTEM_ROOT,
        root: SYSTEM_ROOT,
        parent: Objid::default(),
        parent_root: Pgno::NULL,
        table: "SystemRoot".into(),
        part: String::new(),
    }
}

fn table(objid: Objid, root: Pgno, name: &str) -> Object {
    Object {
        objid,
        root,
        parent: Objid::SYSTEM_ROOT,
        parent_root: SYSTEM_ROOT,
        table: name.to_owned(),
        part: String::new(),
    }
}
