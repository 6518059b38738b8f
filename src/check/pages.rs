//! Pass 4 for trees whose leaves are judged elsewhere: space trees, and the database's own root.

use super::context::{Context, Subject};
use super::objects;
use super::owners::Owners;
use super::tree::{self, Leaves, TreeSpec};
use super::{CheckOptions, space};
use crate::db::PageBytes;
use crate::db::space::{ExtentKind, SpaceHeader};
use crate::format::ids::Pgno;
use crate::format::page::{Page, PageFlags};

/// Leaves of which nothing more is asked than that they are sound pages.
pub(super) struct PagesOnly;

impl Leaves for PagesOnly {
    type Edge = ();

    fn leaf(&self, _pgno: Pgno, _page: Page<'_>) {}

    fn join(&self, (): (), (): ()) {}
}

/// The system root: page 1 and the space trees of the database itself.
pub(super) fn system_trees(context: &Context<'_>, owners: &Owners, options: &CheckOptions) {
    if !options.tables.is_empty() {
        return;
    }
    let system = objects::system();
    let subject = space::subject(&system);
    let spec = TreeSpec {
        subject,
        root: system.root,
        kind: 0,
        non_unique: false,
    };
    tree::check(context, owners, &spec, &PagesOnly);
    space_trees(context, owners, subject, system.root, 0);
}

/// The OE and AE trees of an object with several extents.
pub(super) fn space_trees(
    context: &Context<'_>,
    owners: &Owners,
    subject: Subject<'_>,
    root: Pgno,
    kind: u32,
) {
    let mut bytes = PageBytes::new(context.db.page_size());
    let header = context.db.read(root, &mut bytes).ok();
    let Some(header) = header.and_then(|page| SpaceHeader::parse(page.external_header())) else {
        return;
    };
    if let ExtentKind::Multiple { owned, available } = header.kind() {
        for root in [owned, available] {
            let spec = TreeSpec {
                subject,
                root,
                kind: kind | PageFlags::SPACE_TREE,
                non_unique: false,
            };
            tree::check(context, owners, &spec, &PagesOnly);
        }
    }
}
