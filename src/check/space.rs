//! Pass 2, space: who owns what, parents before children. (format notes 13.1, 13.4)

use super::context::{Context, Subject};
use super::objects::{self, Object};
use super::owners::Owners;
use crate::db::PageBytes;
use crate::db::space::{Extent, ExtentKind, Pool, SpaceEntry, SpaceHeader, split_buffer};
use crate::format::ids::{Objid, Pgno};
use crate::problem::{Finding, Problem};
use crate::tree::walk::{Descent, Visit};

/// Findings about single pages of one extent; a wrecked space tree would name every page.
const PAGES_NAMED: u32 = 3;

/// Fills the owners. With `judge` what does not fit is reported; without, only gathered.
pub(super) fn register(context: &Context<'_>, objects: &[Object], judge: bool) -> Owners {
    let owners = Owners::new(context.db.last_page(), objects);
    let mut pass = Pass {
        context,
        owners,
        judge,
        shelved: Vec::new(),
    };
    pass.root();
    for object in objects {
        pass.object(object);
    }
    pass.owners
}

/// How findings name an object.
pub(super) fn subject(object: &Object) -> Subject<'_> {
    Subject {
        table: Some(object.table.as_str()),
        index: Some(object.part.as_str()).filter(|part| !part.is_empty()),
        objid: object.objid,
    }
}

struct Pass<'a, 'c> {
    context: &'a Context<'c>,
    owners: Owners,
    judge: bool,
    shelved: Vec<Extent>,
}

/// Which list an extent was found in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum List {
    Owned,
    Available,
    SplitBuffer,
}

impl Pass<'_, '_> {
    fn report(&self, problem: Problem, subject: &Subject<'_>, page: Pgno, detail: String) {
        if self.judge {
            self.context
                .report(Finding::new(problem, subject.page(page)).with_detail(detail));
        }
    }

    fn root(&mut self) {
        let system = objects::system();
        self.object(&system);
        let (last, owned) = (self.context.db.last_page(), self.highest_owned());
        let subject = subject(&system);
        // More pages than the space tree says are normal after a crash; missing ones were reported
        // when their extent was registered.
        if owned < last && self.owners.is_complete() {
            let detail =
                format!("Database file is too big (expected {owned} pages, file is {last} pages)");
            self.report(Problem::SpaceFileSize, &subject, Pgno::NULL, detail);
        }
    }

    fn highest_owned(&self) -> Pgno {
        let mut page = self.context.db.last_page();
        while !page.is_null() && self.owners.owner(page) == Objid::default() {
            page = Pgno::new(page.get() - 1);
        }
        page
    }

    /// Header and extents of one object. What cannot be read is reported when its trees are walked.
    fn object(&mut self, object: &Object) {
        let subject = subject(object);
        let mut bytes = PageBytes::new(self.context.db.page_size());
        let Ok(page) = self.context.db.read(object.root, &mut bytes) else {
            self.owners.set_incomplete();
            return;
        };
        let external = page.external_header().len();
        let Some(header) = SpaceHeader::parse(page.external_header()) else {
            let root = object.root;
            let detail = format!(
                "page {root}: external header is unexpected size. got {external} bytes, expected 16"
            );
            self.owners.set_incomplete();
            return self.report(Problem::SpaceHeader, &subject, root, detail);
        };
        if header.parent != object.parent_root {
            let detail = format!(
                "page {} (objid {}): space corruption. pgno parent is {}, expected {}",
                object.root, object.objid, header.parent, object.parent_root
            );
            self.report(Problem::SpaceHeader, &subject, object.root, detail);
        }
        match header.kind() {
            ExtentKind::Single { free } => self.single(object, &subject, header.pages, free),
            ExtentKind::Multiple { owned, available } => {
                if owned.is_null() || owned == object.root || available == object.root {
                    let detail = format!("page {}: pgnoOE and pgnoFDP are the same", object.root);
                    self.report(Problem::SpaceHeader, &subject, object.root, detail);
                    self.owners.set_incomplete();
                    return;
                }
                self.tree(object, &subject, owned, List::Owned);
                self.tree(object, &subject, available, List::Available);
                for root in [owned, available] {
                    self.split_buffers(object, &subject, root);
                }
            }
        }
    }

    fn single(&mut self, object: &Object, subject: &Subject<'_>, pages: u32, free: u32) {
        let owned = Extent::starting(object.root, pages.max(1));
        self.extent(object, subject, owned, List::Owned);
        // A damaged header may claim any number; pages that the file lacks were reported just now.
        let last = self.context.db.last_page().get();
        let pages = pages.min(last.saturating_sub(object.root.get()).saturating_add(1));
        for page in 1..pages {
            if page > 32 || free >> (page - 1) & 1 == 1 {
                let extent = Extent::starting(Pgno::new(object.root.get() + page), 1);
                self.extent(object, subject, extent, List::Available);
            }
        }
    }

    fn tree(&mut self, object: &Object, subject: &Subject<'_>, root: Pgno, list: List) {
        let mut extents = Vec::new();
        let mut faults = Vec::new();
        let mut failed = false;
        let mut before = [Pgno::NULL; 9];
        Descent::new(self.context.db, root).walk(&mut |visit| match visit {
            Visit::Internal(..) => {}
            Visit::Failed(..) => failed = true,
            Visit::Leaf(pgno, page) => {
                if page.objid() != object.objid || !page.flags().is_space_tree() {
                    failed = true;
                    return;
                }
                for (line, node) in page.nodes().enumerate() {
                    let Ok(node) = node else {
                        failed = true;
                        continue;
                    };
                    if node.flags.is_versioned() {
                        faults.push((pgno, line, "versioned node in space tree".to_owned()));
                    }
                    if node.flags.is_deleted() {
                        continue;
                    }
                    match SpaceEntry::parse(&node) {
                        Ok(entry) => {
                            if let Some(fault) = order_fault(&entry, &mut before) {
                                faults.push((pgno, line, fault));
                            }
                            extents.push(entry);
                        }
                        Err(fault) => faults.push((
                            pgno,
                            line,
                            format!("space tree key node is corrrupted: {fault}"),
                        )),
                    }
                }
            }
        });
        if failed {
            self.owners.set_incomplete();
        }
        for (pgno, line, fault) in faults {
            if self.judge {
                let finding = Finding::new(Problem::SpaceNode, subject.node(pgno, line));
                self.context
                    .report(finding.with_detail(format!("node [{pgno}:{line}]: {fault}")));
            }
        }
        for entry in extents {
            match entry.pool() {
                Pool::Shelved if object.objid == Objid::SYSTEM_ROOT => {
                    self.shelved.push(entry.extent)
                }
                Pool::Shelved => {
                    let detail = format!(
                        "shelved pages ({} - {}) are unexpected outside of the database root, but were found under objid {}",
                        entry.extent.first(),
                        entry.extent.last,
                        object.objid
                    );
                    self.report(Problem::SpaceAvailable, subject, entry.extent.last, detail);
                }
                _ => self.extent(object, subject, entry.extent, list),
            }
        }
    }

    fn split_buffers(&mut self, object: &Object, subject: &Subject<'_>, root: Pgno) {
        let mut bytes = PageBytes::new(self.context.db.page_size());
        let Ok(page) = self.context.db.read(root, &mut bytes) else {
            return;
        };
        match split_buffer(page) {
            Some(buffers) => {
                for extent in buffers.into_iter().filter(|extent| extent.count > 0) {
                    self.extent(object, subject, extent, List::SplitBuffer);
                }
            }
            None => {
                let got = page.external_header().len();
                let detail = format!(
                    "page {root}: split buffer is unexpected size. got {got} bytes, expected 16"
                );
                self.report(Problem::SpaceHeader, subject, root, detail);
            }
        }
    }

    /// Registers every page of an extent. The rules are those of format notes 13.1.
    fn extent(&mut self, object: &Object, subject: &Subject<'_>, extent: Extent, list: List) {
        let mut named = 0;
        let first = extent.first();
        if extent.count > 0 && (first.is_null() || extent.last > Pgno::MAX) {
            let detail = format!(
                "extent of {} pages up to {} is impossible",
                extent.count, extent.last
            );
            return self.report(Problem::SpaceNode, subject, extent.last, detail);
        }
        for pgno in (first.get()..=extent.last.get()).map(Pgno::new) {
            if extent.count == 0 || named >= PAGES_NAMED {
                return;
            }
            let fault = if self.owners.has(pgno) {
                self.page(object, pgno, list)
            } else {
                self.beyond(pgno, list)
                    .map(|detail| (Problem::SpaceBeyond, detail))
            };
            if let Some((problem, detail)) = fault {
                named += 1;
                self.report(problem, subject, pgno, detail);
            }
        }
    }

    fn beyond(&self, pgno: Pgno, list: List) -> Option<String> {
        let shelved = self
            .shelved
            .iter()
            .any(|extent| extent.first() <= pgno && pgno <= extent.last);
        let name = list.name();
        (!shelved).then(|| {
            format!(
                "space allocation error ({name}): page {pgno} is beyond the end of the database"
            )
        })
    }

    fn page(&mut self, object: &Object, pgno: Pgno, list: List) -> Option<(Problem, String)> {
        let (owner, available) = (self.owners.owner(pgno), self.owners.is_available(pgno));
        let (objid, parent) = (object.objid, object.parent);
        let fits = match list {
            // The database's own extents come from nobody.
            List::Owned => owner == parent,
            List::Available => owner == objid,
            List::SplitBuffer => owner == parent || owner == objid,
        };
        let name = list.name();
        let fault = if !fits && self.owners.is_complete() {
            let detail = match list {
                List::Available => format!(
                    "space allocation error (AE): page {pgno} is owned by objid {owner}, (expected objid {objid})"
                ),
                _ => format!(
                    "space allocation error ({name}): page {pgno} is already owned by objid {owner}, (expected parent objid {parent} for objid {objid})"
                ),
            };
            Some((Problem::SpaceOwned, detail))
        } else if available {
            let detail = format!(
                "space allocation error ({name}): page {pgno} is available to objid {owner}"
            );
            Some((Problem::SpaceAvailable, detail))
        } else {
            None
        };
        if list != List::Available {
            self.owners.set_owner(pgno, objid);
        }
        if list != List::Owned {
            self.owners.set_available(pgno);
        }
        fault
    }
}

impl List {
    const fn name(self) -> &'static str {
        match self {
            Self::Owned => "OE",
            Self::Available => "AE",
            Self::SplitBuffer => "OE SPLITBUF",
        }
    }
}

/// Extents of a pool must rise and must not overlap; `before` holds the last page of each pool.
fn order_fault(entry: &SpaceEntry, before: &mut [Pgno; 9]) -> Option<String> {
    let pool = match entry.pool() {
        Pool::General => 0,
        Pool::Continuous => 1,
        Pool::Shelved => 2,
        Pool::Unknown(number) => usize::from(number & 7),
    };
    let extent = entry.extent;
    let last = std::mem::replace(&mut before[pool], extent.last);
    if !last.is_null() && extent.last <= last {
        return Some(format!(
            "space tree corruption (previous pgno {last}, current pgno {})",
            extent.last
        ));
    }
    (extent.count > 0 && !last.is_null() && extent.first() <= last).then(|| {
        format!(
            "space tree overlap (previous extent ends at {last}, current extent is {}:{})",
            extent.last, extent.count
        )
    })
}
