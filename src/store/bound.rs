//! A profile laid over the catalog of one database: which tables and columns of it are there.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use super::columns::ColumnPlace;
use super::profile::load::TABLE_PART;
use super::profile::{ColumnFact, Confidence, Profile, TableFact};
use crate::db::catalog::{Column, Schema, Table};
use crate::format::ids::Objid;
use crate::format::schema::Coltyp;
use crate::format::store::ids::TableName;

/// Columns by role.
pub type ColumnMap = BTreeMap<String, ColumnPlace>;

/// A table of the database that plays a role.
#[derive(Debug, Clone)]
pub struct StoreTable {
    /// Its object id.
    pub objid: Objid,
    /// What stands for `*` or `{id}` in its name: 8 bytes, highest first.
    pub part: Option<[u8; 8]>,
    /// Its columns; many tables share one map.
    pub columns: Arc<ColumnMap>,
}

/// All tables of a role.
#[derive(Debug, Clone)]
pub struct Role {
    /// The fact.
    pub fact: TableFact,
    /// The tables, in the order of their object ids.
    pub tables: Vec<StoreTable>,
}

impl Role {
    /// One of its tables.
    #[must_use]
    pub fn table(&self, objid: Objid) -> Option<&StoreTable> {
        let at = self
            .tables
            .binary_search_by_key(&objid, |table| table.objid);
        at.ok().map(|at| &self.tables[at])
    }
}

/// A profile and a database.
#[derive(Debug, Clone)]
pub struct Bound {
    /// The profile.
    pub profile: Profile,
    /// The catalog.
    pub schema: Arc<Schema>,
    /// Tables by role.
    pub roles: BTreeMap<String, Role>,
    /// The store is a public one, if the profile can tell.
    pub public: Option<bool>,
}

/// What a column of a role is in the database.
#[derive(Debug, Clone, Serialize)]
pub struct ColumnState {
    /// The role of the column.
    pub role: String,
    /// Its name in the database, if it is there.
    pub name: Option<String>,
    /// In how many of the role's tables.
    pub tables: usize,
    /// How sure the fact is.
    pub confidence: Confidence,
    /// Where it is from.
    pub source: String,
}

/// What a role is in the database.
#[derive(Debug, Clone, Serialize)]
pub struct RoleState {
    /// The role.
    pub role: String,
    /// Names of tables: the first one.
    pub name: Option<String>,
    /// How many tables.
    pub tables: usize,
    /// How sure the fact is.
    pub confidence: Confidence,
    /// Where it is from.
    pub source: String,
    /// Columns.
    pub columns: Vec<ColumnState>,
}

impl Bound {
    /// Lays `profile` over a catalog; `None` when the profile does not fit.
    #[must_use]
    pub fn new(profile: &Profile, schema: &Arc<Schema>, update_major: u32) -> Option<Self> {
        let range = profile.recognise.update_major;
        if range.is_some_and(|(low, high)| !(low..=high).contains(&update_major)) {
            return None;
        }
        let bound = Self::forced(profile, schema);
        let fits = profile.recognise.tables.iter().all(|(role, columns)| {
            bound.tables(role).iter().any(|table| {
                columns
                    .iter()
                    .all(|column| table.columns.contains_key(column))
            })
        });
        (fits && !profile.recognise.tables.is_empty()).then_some(bound)
    }

    /// Lays `profile` over a catalog whether or not it fits.
    #[must_use]
    pub fn forced(profile: &Profile, schema: &Arc<Schema>) -> Self {
        let mut roles = BTreeMap::new();
        for fact in &profile.tables {
            let tables = find(fact, schema);
            let fact = fact.clone();
            roles.insert(fact.role.clone(), Role { fact, tables });
        }
        let sign = profile.recognise.private_sign.as_ref();
        let public = sign.map(|role| {
            roles
                .get(role)
                .is_none_or(|role: &Role| role.tables.is_empty())
        });
        Self {
            profile: profile.clone(),
            schema: schema.clone(),
            roles,
            public,
        }
    }

    /// The tables of a role; none when it is not recognised.
    #[must_use]
    pub fn tables(&self, role: &str) -> &[StoreTable] {
        self.roles.get(role).map_or(&[], |role| &role.tables)
    }

    /// A table of a role.
    #[must_use]
    pub fn role_table(&self, role: &str, objid: Objid) -> Option<&StoreTable> {
        self.roles.get(role)?.table(objid)
    }

    /// A table of the catalog.
    #[must_use]
    pub fn table(&self, objid: Objid) -> Option<&Table> {
        self.schema.tables.get(&objid)
    }

    /// Why a column, or with `None` the table itself, is not there.
    #[must_use]
    pub fn missing(&self, role: &str, column: Option<&str>) -> Option<String> {
        let tables = self.tables(role);
        let fact = self.roles.get(role).map(|role| &role.fact);
        let names = fact.map_or_else(|| role.to_owned(), |fact| fact.names.join(" or "));
        if tables.is_empty() {
            return Some(format!("no table {names}"));
        }
        let column = column?.split('.').next().unwrap_or_default();
        if column == TABLE_PART
            || tables
                .iter()
                .any(|table| table.columns.contains_key(column))
        {
            return None;
        }
        let fact = fact.and_then(|fact| fact.columns.iter().find(|fact| fact.role == column));
        let named = fact.map_or_else(|| column.to_owned(), described);
        Some(format!("no column {named} in table {names}"))
    }

    /// Everything that the profile names, and what of it is there.
    #[must_use]
    pub fn state(&self) -> Vec<RoleState> {
        let facts = self.profile.tables.iter();
        facts
            .filter_map(|fact| self.roles.get(&fact.role))
            .map(|role| self.role_state(role))
            .collect()
    }

    fn role_state(&self, role: &Role) -> RoleState {
        let first = role.tables.first();
        let columns = role.fact.columns.iter().map(|fact| {
            let having = role.tables.iter();
            let mut having = having.filter_map(|table| table.columns.get(&fact.role));
            let place = having.next();
            ColumnState {
                role: fact.role.clone(),
                name: place.map(|place| place.name.clone()),
                tables: usize::from(place.is_some()) + having.count(),
                confidence: fact.confidence,
                source: fact.source.clone(),
            }
        });
        RoleState {
            role: role.fact.role.clone(),
            name: first
                .and_then(|table| self.table(table.objid))
                .map(|table| table.name.clone()),
            tables: role.tables.len(),
            confidence: role.fact.confidence,
            source: role.fact.source.clone(),
            columns: columns.collect(),
        }
    }
}

/// A column as the profile describes it.
fn described(fact: &ColumnFact) -> String {
    match fact.prop {
        Some(prop) => format!("?{prop:x} ({})", fact.role),
        None => fact.names.join(" or "),
    }
}

fn find(fact: &TableFact, schema: &Schema) -> Vec<StoreTable> {
    let mut found = Vec::new();
    let mut last: Option<Arc<ColumnMap>> = None;
    for name in &fact.names {
        let Some(pattern) = Pattern::new(name) else {
            // Of the plain names the first that is there counts.
            if found.is_empty() {
                let table = schema.table(name);
                found.extend(table.map(|table| bind(fact, schema, table, None, &mut last)));
            }
            continue;
        };
        let tables = schema.tables.values();
        found.extend(tables.filter_map(|table| {
            let part = pattern.part(&table.name)?;
            Some(bind(fact, schema, table, Some(part), &mut last))
        }));
    }
    found.retain(|table| {
        schema
            .tables
            .get(&table.objid)
            .is_some_and(|table| table.is_defined() && !table.is_system())
    });
    found.sort_by_key(|table| table.objid);
    found.dedup_by_key(|table| table.objid);
    found
}

/// A name with a part that differs from table to table.
struct Pattern<'n> {
    before: &'n str,
    after: &'n str,
    is_id: bool,
}

impl<'n> Pattern<'n> {
    fn new(name: &'n str) -> Option<Self> {
        let (is_id, (before, after)) = match name.split_once("{id}") {
            Some(parts) => (true, parts),
            None => (false, name.split_once('*')?),
        };
        Some(Self {
            before,
            after,
            is_id,
        })
    }

    fn part(&self, name: &str) -> Option<[u8; 8]> {
        let part = name.strip_prefix(self.before)?.strip_suffix(self.after)?;
        if self.is_id {
            return part.parse().ok().map(|TableName(id)| id.to_be_bytes());
        }
        let digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        let number: i64 = part.parse().ok().filter(|_| digits)?;
        Some(number.to_be_bytes())
    }
}

fn bind(
    fact: &TableFact,
    schema: &Schema,
    table: &Table,
    part: Option<[u8; 8]>,
    last: &mut Option<Arc<ColumnMap>>,
) -> StoreTable {
    let template = schema.template_of(table);
    let own = table.columns.iter().map(|column| (column, false));
    let inherited = template.into_iter().flat_map(|template| &template.columns);
    let all: Vec<(&Column, bool)> = own
        .chain(inherited.map(|column| (column, true)))
        .filter(|(column, _)| column.coltyp != Coltyp::Deleted)
        .collect();
    let mut columns = ColumnMap::new();
    for wanted in &fact.columns {
        let fitting = all.iter().filter(|(column, _)| is_it(wanted, &column.name));
        let place = fitting
            .filter_map(|(column, derived)| ColumnPlace::new(column, *derived, wanted.form))
            .next();
        if let Some(place) = place {
            columns.insert(wanted.role.clone(), place);
        }
    }
    let columns = match last {
        Some(known) if **known == columns => known.clone(),
        _ => last.insert(Arc::new(columns)).clone(),
    };
    StoreTable {
        objid: table.objid,
        part,
        columns,
    }
}

/// One or two capital letters and the id. `[store notes 1.2]`
fn is_it(fact: &ColumnFact, name: &str) -> bool {
    let by_rule = fact.prop.is_some_and(|prop| {
        let letters = name.trim_start_matches(|c: char| c.is_ascii_uppercase());
        (1..=2).contains(&(name.len() - letters.len())) && *letters == format!("{prop:x}")
    });
    by_rule || fact.names.iter().any(|known| known == name)
}
