//! Stores with one thing wrong, and who must find it.

mod counts;
mod folders;
mod modern;
mod others;

use exutil::build::BuildError;

use super::StoreKind;
use super::rows::Store;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Warning,
    Error,
}

/// Whether a finding can be mended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fix {
    None,
    /// Yes.
    Plain,
    /// If the user trusts the profile.
    Trust,
}

/// A finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// The check.
    pub check: &'static str,
    /// Its tests.
    pub tests: &'static [&'static str],
    pub severity: Severity,
    pub fix: Fix,
}

const fn error(check: &'static str, tests: &'static [&'static str]) -> Found {
    Found {
        check,
        tests,
        severity: Severity::Error,
        fix: Fix::None,
    }
}

const fn warning(check: &'static str, tests: &'static [&'static str]) -> Found {
    Found {
        severity: Severity::Warning,
        ..error(check, tests)
    }
}

impl Found {
    const fn plain(self) -> Self {
        Self {
            fix: Fix::Plain,
            ..self
        }
    }

    const fn trust(self) -> Self {
        Self {
            fix: Fix::Trust,
            ..self
        }
    }
}

/// A store with one thing wrong.
pub struct Defect {
    pub store: StoreKind,
    /// Unique in its store.
    pub name: &'static str,
    /// What is wrong.
    pub what: &'static str,
    /// Who must find it; nobody else may.
    pub found: &'static [Found],
    apply: fn(&mut Store),
}

impl Defect {
    /// Makes the defect in a store of its kind.
    pub fn apply_to(&self, store: &mut Store) {
        (self.apply)(store);
    }

    /// The store with the defect.
    pub fn store(&self) -> Store {
        let mut store = self.store.store();
        (self.apply)(&mut store);
        store
    }

    /// The file.
    pub fn build(&self) -> Result<Vec<u8>, BuildError> {
        self.store().build()
    }
}

/// Every defect.
pub fn all() -> impl Iterator<Item = &'static Defect> {
    [
        folders::DEFECTS,
        counts::DEFECTS,
        others::DEFECTS,
        modern::DEFECTS,
    ]
    .into_iter()
    .flatten()
}

/// The store with a defect of that name.
pub fn named(kind: StoreKind, name: &str) -> Option<Store> {
    let mut all = all();
    let found = all.find(|defect| defect.store == kind && defect.name == name)?;
    Some(found.store())
}

/// A store, a name, what is wrong, who finds it, and how it is made.
macro_rules! defect {
    ($store:ident, $name:literal, $what:literal, [$($found:expr),+], $apply:expr) => {
        super::Defect {
            store: super::StoreKind::$store,
            name: $name,
            what: $what,
            found: &[$($found),+],
            apply: $apply,
        }
    };
}
use defect;
