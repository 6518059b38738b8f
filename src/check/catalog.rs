//! Pass 3, the catalog: rows plausible, objects where they should be, shadow equal to the original.
//! (format notes 13.8)

use std::collections::BTreeMap;
use std::collections::HashMap;

use super::context::{Context, Subject};
use super::owners::Owners;
use crate::db::PageBytes;
use crate::db::catalog::{CATALOG_ROOT, CatalogRow, SHADOW_ROOT, Schema, Table};
use crate::format::ids::{Objid, Pgno};
use crate::format::page::Page;
use crate::format::schema::{Coltyp, column_flags, index_flags};
use crate::problem::{Finding, Place, Problem};
use crate::tree::walk::for_each_node;

/// Checks both catalogs and compares them.
/// `guide` names the trees that are walked later.
pub(super) fn check(
    context: &Context<'_>,
    (schema, shadow, guide): (&Schema, &Schema, &Schema),
    owners: &Owners,
) {
    for (schema, name, objid) in [
        (schema, "MSysObjects", Objid::CATALOG),
        (shadow, "MSysObjectsShadow", Objid::CATALOG_SHADOW),
    ] {
        let pass = Pass {
            context,
            schema,
            owners,
            is_walked: guide
                .tables
                .get(&objid)
                .is_some_and(|table| table.is_defined()),
            subject: Subject {
                table: Some(name),
                index: None,
                objid,
            },
        };
        pass.run();
    }
    compare(context, schema, shadow);
}

struct Pass<'a, 'c> {
    context: &'a Context<'c>,
    schema: &'a Schema,
    owners: &'a Owners,
    /// The walk over all trees comes to this copy too.
    is_walked: bool,
    subject: Subject<'a>,
}

impl Pass<'_, '_> {
    fn report(&self, page: Pgno, detail: String) {
        let place = Place {
            table: self.subject.table.map(str::to_owned),
            ..self.subject.page(page)
        };
        self.context
            .report(Finding::new(Problem::CatalogObject, place).with_detail(detail));
    }

    fn run(&self) {
        // Pages that cannot be read are reported by the walk over the catalog's tree, unless no row leads there.
        let lost = self.schema.faults.iter().any(|fault| fault.page_lost);
        let unheard = |page_lost: bool| !page_lost || !self.is_walked;
        for fault in self
            .schema
            .faults
            .iter()
            .filter(|fault| unheard(fault.page_lost))
        {
            let finding = Finding::new(Problem::CatalogRow, self.subject.page(fault.page));
            self.context.report(finding.with_detail(fault.what.clone()));
        }
        if !self.is_walked {
            self.report(Pgno::NULL, "no row of the catalog describes it".to_owned());
        }
        let mut roots = HashMap::new();
        let mut objids = HashMap::new();
        for table in self.schema.tables.values() {
            if !table.is_defined() && lost {
                continue;
            }
            if !table.is_defined() {
                // Columns or indexes of a table without a row of its own: its row is lost.
                let detail = format!(
                    "object {} has catalog rows but no table row",
                    self.objid_of(table)
                );
                self.report(Pgno::NULL, detail);
                continue;
            }
            self.table(table);
            for (objid, root, name) in objects(table) {
                self.object(objid, root, &name);
                if let Some(other) = roots.insert(root, name.clone()) {
                    self.report(
                        root,
                        format!("Duplicated pgnoFDP ({root}) in objects {other} and {name}"),
                    );
                }
                if let Some(other) = objids.insert(objid, name.clone()) {
                    self.report(
                        root,
                        format!("Duplicated objid ({objid}) in objects {other} and {name}"),
                    );
                }
            }
        }
        self.names();
    }

    fn objid_of(&self, wanted: &Table) -> Objid {
        let found = self
            .schema
            .tables
            .iter()
            .find(|(_, table)| std::ptr::eq(*table, wanted));
        found.map_or(Objid::default(), |(objid, _)| *objid)
    }

    fn names(&self) {
        let mut seen = BTreeMap::new();
        for table in self
            .schema
            .tables
            .values()
            .filter(|table| table.is_defined())
        {
            if seen
                .insert(table.name.to_ascii_uppercase(), table.objid)
                .is_some()
            {
                self.report(
                    table.root,
                    format!("Two object have the same name ({})", table.name),
                );
            }
        }
    }

    fn table(&self, table: &Table) {
        if table.template.is_some() && self.schema.template_of(table).is_none() {
            let name = table.template.as_deref().unwrap_or_default();
            self.report(
                table.root,
                format!("Template table ({name}) does not exist"),
            );
        }
        for column in &table.columns {
            let escrow = column.flags & column_flags::ESCROW != 0;
            if escrow && column.coltyp != Coltyp::Deleted && column.default.is_none() {
                let detail = format!(
                    "Escrow column in a table ({}) does not have a default value",
                    table.objid
                );
                self.report(table.root, detail);
            }
        }
        for index in &table.indexes {
            for segment in index.segments.iter().chain(&index.conditions) {
                let detail = match self.schema.column(table, segment.fid, segment.template) {
                    Some(column) if column.coltyp == Coltyp::Deleted => "has been deleted from",
                    Some(_) => continue,
                    None => "does not exist in",
                };
                let (fid, objid) = (segment.fid, table.objid);
                self.report(
                    index.root,
                    format!(
                        "Column {fid} from index {} ({}) {detail} the table ({objid})",
                        index.name, index.objid
                    ),
                );
            }
            let primary = index.flags & index_flags::PRIMARY != 0;
            if primary != (index.objid == table.objid) {
                let is = if primary { "is not" } else { "is" };
                let detail = format!(
                    "objidFDP ({}) in index {} {is} the same as tableid",
                    index.objid, index.name
                );
                self.report(index.root, detail);
            }
        }
    }

    /// The root page of an object is readable, is its own, and is not on offer.
    fn object(&self, objid: Objid, root: Pgno, name: &str) {
        if self.owners.has(root) && self.owners.is_available(root) {
            let owner = self.owners.owner(root);
            self.report(
                root,
                format!("page {root} (pgnoFDP in the catalog) is available to objid {owner}"),
            );
        }
        let mut bytes = PageBytes::new(self.context.db.page_size());
        match self.context.db.read(root, &mut bytes) {
            Ok(page) if page.objid() != objid => {
                let found = page.objid();
                let detail = format!(
                    "Catalog entry corruption: page {root} belongs to {found} (expected {objid}), {name}"
                );
                self.report(root, detail);
            }
            Ok(_) => {}
            Err(error) => {
                let jet = error.jet().code();
                self.report(root, format!("error {jet} trying to read page {root}"));
            }
        }
    }
}

/// Object id, root and name of everything that belongs to a table.
fn objects(table: &Table) -> Vec<(Objid, Pgno, String)> {
    let mut all = vec![(table.objid, table.root, table.name.clone())];
    all.extend(
        table
            .secondary_indexes()
            .map(|i| (i.objid, i.root, format!("{}.{}", table.name, i.name))),
    );
    all.extend(
        table
            .long_values
            .map(|lv| (lv.objid, lv.root, format!("{}.[Long Values]", table.name))),
    );
    all
}

/// Both catalogs must hold the same rows. One that cannot be read was reported where it is damaged.
fn compare(context: &Context<'_>, schema: &Schema, shadow: &Schema) {
    if !schema.faults.is_empty() || !shadow.faults.is_empty() {
        return;
    }
    let (main, copy) = (rows(context, CATALOG_ROOT), rows(context, SHADOW_ROOT));
    for (rows, others, missing_in, present_in) in [
        (&main, &copy, "MSysObjectsShadow", "MSysObjects"),
        (&copy, &main, "MSysObjects", "MSysObjectsShadow"),
    ] {
        for (key, (page, line, hash)) in rows {
            let problem = match others.get(key) {
                None => format!("{missing_in} is missing information present in {present_in}"),
                Some((_, _, other)) if other != hash && present_in == "MSysObjects" => {
                    "Detected a mismatch between catalog and shadow catalog".to_owned()
                }
                Some(_) => continue,
            };
            let subject = Subject {
                table: Some(present_in),
                index: None,
                objid: Objid::CATALOG,
            };
            let finding = Finding::new(Problem::CatalogMismatch, subject.node(*page, *line));
            context.report(finding.with_detail(problem));
        }
    }
}

/// Key, place and content hash of every row of a catalog. Catalogs are small: even a mailbox store
/// has only some hundred thousand rows.
fn rows(context: &Context<'_>, root: Pgno) -> BTreeMap<Vec<u8>, (Pgno, usize, u64)> {
    let mut rows = BTreeMap::new();
    let mut at = (Pgno::NULL, 0);
    for_each_node(
        context.db,
        root,
        |pgno, page, node| {
            at = if at.0 == pgno {
                (pgno, at.1 + 1)
            } else {
                (pgno, 0)
            };
            let hash = content_hash(node.data, page);
            rows.insert(node.key(), (pgno, at.1, hash));
        },
        |_, _| {},
    );
    rows
}

/// Hash of what a row says. The time at which a root was last set is written to one catalog only.
/// [verified: ops-shrink-16k after recovery]
fn content_hash(data: &[u8], page: Page<'_>) -> u64 {
    let text = match CatalogRow::parse(data, page) {
        Ok(mut row) => {
            row.root_set_time = 0;
            format!("{row:?}")
        }
        Err(_) => return xxhash_rust::xxh3::xxh3_64(data),
    };
    xxhash_rust::xxh3::xxh3_64(text.as_bytes())
}
