//! What the rules of directories cannot do without.

use crate::store::profile::DirectoryRule;

/// The table and the column of it, by their roles, without which a rule cannot run: what is not there must not pass for empty.
pub(crate) const fn needs(rule: DirectoryRule) -> &'static [(&'static str, &'static str)] {
    match rule {
        DirectoryRule::Dnt => &[("datatable", "dnt"), ("datatable", "pdnt")],
        DirectoryRule::Ancestors => &[
            ("datatable", "dnt"),
            ("datatable", "pdnt"),
            ("datatable", "obj"),
            ("datatable", "ancestors"),
        ],
        DirectoryRule::Nc => &[
            ("datatable", "dnt"),
            ("datatable", "pdnt"),
            ("datatable", "obj"),
            ("datatable", "nc"),
            ("datatable", "instance_type"),
            ("datatable", "deleted"),
        ],
        DirectoryRule::OwnName => &[
            ("datatable", "dnt"),
            ("datatable", "obj"),
            ("datatable", "own_name"),
        ],
        DirectoryRule::Rdn => &[
            ("datatable", "dnt"),
            ("datatable", "obj"),
            ("datatable", "rdn_type"),
            ("datatable", "name"),
        ],
        DirectoryRule::Refcount => &[
            ("datatable", "dnt"),
            ("datatable", "pdnt"),
            ("datatable", "obj"),
            ("datatable", "cnt"),
            ("datatable", "own_name"),
            ("link_table", "backlink_dnt"),
            ("link_table", "link_deltime"),
        ],
        DirectoryRule::Phantom => &[
            ("datatable", "dnt"),
            ("datatable", "pdnt"),
            ("datatable", "obj"),
            ("datatable", "object_class"),
            ("datatable", "guid"),
            ("link_table", "backlink_dnt"),
        ],
        DirectoryRule::SdRef | DirectoryRule::SdUnused => &[
            ("datatable", "dnt"),
            ("datatable", "sd"),
            ("sd_table", "sd_id"),
            ("sd_table", "sd_refcount"),
        ],
        DirectoryRule::SdHash => &[
            ("sd_table", "sd_id"),
            ("sd_table", "sd_hash"),
            ("sd_table", "sd_value"),
        ],
        DirectoryRule::SdValid => &[("sd_table", "sd_id"), ("sd_table", "sd_value")],
        DirectoryRule::Sid => &[("datatable", "dnt"), ("datatable", "sid")],
        DirectoryRule::Links => &[
            ("datatable", "dnt"),
            ("datatable", "obj"),
            ("datatable", "object_class"),
            ("datatable", "link_id"),
            ("link_table", "link_dnt"),
            ("link_table", "backlink_dnt"),
            ("link_table", "link_base"),
        ],
        DirectoryRule::LinksOdd => &[
            ("datatable", "dnt"),
            ("datatable", "instance_type"),
            ("link_table", "link_dnt"),
            ("link_table", "link_deltime"),
        ],
        DirectoryRule::Subrefs | DirectoryRule::SubrefsOdd => &[
            ("datatable", "dnt"),
            ("datatable", "pdnt"),
            ("datatable", "obj"),
            ("datatable", "nc"),
            ("datatable", "instance_type"),
            ("datatable", "sub_refs"),
        ],
        DirectoryRule::Dangling => &[("datatable", "dnt"), ("datatable", "obj")],
        DirectoryRule::Schema => &[
            ("datatable", "obj"),
            ("datatable", "object_class"),
            ("datatable", "attribute_id"),
            ("datatable", "attribute_syntax"),
            ("datatable", "governs_id"),
        ],
        DirectoryRule::SchemaOdd => &[
            ("datatable", "obj"),
            ("datatable", "object_class"),
            ("datatable", "attribute_id"),
            ("datatable", "link_id"),
            ("datatable", "system_flags"),
        ],
        DirectoryRule::Usn => &[
            ("datatable", "dnt"),
            ("datatable", "usn_created"),
            ("datatable", "usn_changed"),
            ("hiddentable", "usn"),
        ],
        DirectoryRule::UsnMetadata => &[
            ("datatable", "dnt"),
            ("datatable", "usn_changed"),
            ("datatable", "metadata"),
        ],
    }
}
