//! The tests of Isinteg: names, titles, versions and groups. `[cli facts 7.2, store notes 2]`

use serde::Serialize;

/// Which stores a test is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum StoreSide {
    /// Private stores: mailboxes.
    Private,
    /// Public stores: public folders.
    Public,
}

impl StoreSide {
    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::Public => "public",
        }
    }
}

/// A test of Isinteg.
#[derive(Debug, Clone, Copy)]
pub struct IsintegTest {
    /// Its name on the command line.
    pub name: &'static str,
    /// Another name of it.
    pub alias: Option<&'static str>,
    /// How results name it.
    pub title: &'static str,
    /// Only for such stores.
    pub side: Option<StoreSide>,
    /// Which versions of Isinteg have it.
    pub versions: &'static str,
    /// It compares reference counts.
    pub counts: bool,
    /// Only with `-detailed`, unless it is named.
    pub detailed: bool,
    /// What it checks there.
    pub about: &'static str,
}

/// In the order in which they run: structure first, counts last. `[store notes 6]`
pub const TESTS: &[IsintegTest] = &[
    test(
        "global",
        "Global",
        ALL,
        "the table with one row for the whole store",
    ),
    test(
        "folder",
        "Folder",
        ALL,
        "folders: ids, parents, properties; the messages in each folder's own table",
    ),
    test(
        "message",
        "Message",
        ALL,
        "messages, and their property lists against their columns",
    ),
    test("attach", "Attachment", ALL, "attachments"),
    side(
        test(
            "mailbox",
            "Mailbox",
            ALL,
            "mailboxes: root and special folders, sizes, numbers of items",
        ),
        PRI,
    ),
    test(
        "aclitem",
        "ACL Items",
        ALL,
        "members of access control lists",
    ),
    test(
        "acllist",
        "ACL List",
        ALL,
        "access control lists of folders",
    ),
    test(
        "delfld",
        "Deleted Folders",
        ALL,
        "deleted folders: properties, references",
    ),
    side(
        test(
            "rcvfld",
            "Receive Folders",
            ALL,
            "receive folders against mailboxes",
        ),
        PRI,
    ),
    test("timedev", "Timed Events", ALL, "timed events"),
    detailed(test(
        "morefld",
        "Categorization and Restriction Tables",
        ALL,
        "cached tables of search links; with -fix Isinteg drops them",
    )),
    test(
        "search",
        "Search Folder Links",
        ALL,
        "search folders and their back links",
    ),
    test("searchq", "Search Queue", ALL, "the search queue"),
    test(
        "dlvrto",
        "Delivered To",
        ALL,
        "the table that finds duplicates of delivered messages",
    ),
    alias(
        side(
            test(
                "oofhist",
                "Out of Office History",
                ALL,
                "the history of out-of-office answers",
            ),
            PRI,
        ),
        "ooflist",
    ),
    test(
        "peruser",
        "Per User Read",
        ALL,
        "what users have read of public folders",
    ),
    test(
        "namedprop",
        "Named Properties",
        ALL,
        "named properties of folders, messages and attachments",
    ),
    side(
        test("artidx", "Article Index", ALL, "the index of news articles"),
        PUB,
    ),
    side(test("newsfeed", "Newsfeed", ALL, "news feeds"), PUB),
    side(
        test(
            "fldprops",
            "Folder Properties",
            "5.5 (after SP3)",
            "empty or invalid properties of folders",
        ),
        PUB,
    ),
    side(
        test(
            "replstate",
            "Replication State",
            "2003 (KB925253), 2007",
            "the replication state of folders",
        ),
        PUB,
    ),
    test(
        "dumpsterprops",
        "Dumpster Properties",
        "2000 to 2007",
        "what dumpsterref compares, and required columns of the folder table",
    ),
    detailed(test(
        "deleteextracolumns",
        "Extra Columns",
        "2000 to 2007",
        "cached indexes and columns that Isinteg drops with -fix",
    )),
    counts(test(
        "msgref",
        "Message References",
        ALL,
        "each message is in a folder, in as many as it says",
    )),
    counts(test(
        "msgsoftref",
        "Soft-Deleted Message References",
        ALL,
        "the same for recoverable messages",
    )),
    counts(test(
        "attachref",
        "Attachment References",
        ALL,
        "each attachment belongs to as many messages as it says",
    )),
    counts(test(
        "acllistref",
        "ACL List References",
        ALL,
        "references to access control lists",
    )),
    counts(test(
        "aclitemref",
        "ACL Item References",
        ALL,
        "references to members of access control lists",
    )),
    counts(side(
        test(
            "newsfeedref",
            "Newsfeed References",
            ALL,
            "references to news feeds",
        ),
        PUB,
    )),
    counts(side(
        test(
            "fldrcv",
            "Receive Folder Counts",
            ALL,
            "counts of the special system folders",
        ),
        PRI,
    )),
    counts(test(
        "fldsub",
        "Subfolder Counts",
        ALL,
        "each folder has as many child folders as it says, live and recoverable",
    )),
    counts(test(
        "rowcounts",
        "Row Counts",
        ALL,
        "each folder has as many messages, unread and hidden ones, as it says",
    )),
    counts(test(
        "dumpsterref",
        "Dumpster Counts",
        ALL,
        "each folder has as many recoverable items, of that size, as it says",
    )),
];

const ALL: &str = "5.5 to 2007";
const PRI: StoreSide = StoreSide::Private;
const PUB: StoreSide = StoreSide::Public;

/// Groups of Isinteg, without `alltests`. `[cli facts 7.2]`
pub const GROUPS: &[(&str, &[&str])] = &[
    ("allfoldertests", &["folder", "fldsub", "search"]),
    ("allacltests", &["acllist", "acllistref", "aclitemref"]),
];

/// The group of all tests.
pub const ALL_TESTS: &str = "alltests";

/// The test of the database itself, which Isinteg does not have: the integrity check.
pub const STRUCTURE: &str = "structure";

const fn test(
    name: &'static str,
    title: &'static str,
    versions: &'static str,
    about: &'static str,
) -> IsintegTest {
    IsintegTest {
        name,
        alias: None,
        title,
        side: None,
        versions,
        counts: false,
        detailed: false,
        about,
    }
}

const fn side(mut test: IsintegTest, side: StoreSide) -> IsintegTest {
    test.side = Some(side);
    test
}

const fn counts(mut test: IsintegTest) -> IsintegTest {
    test.counts = true;
    test
}

const fn detailed(mut test: IsintegTest) -> IsintegTest {
    test.detailed = true;
    test
}

const fn alias(mut test: IsintegTest, alias: &'static str) -> IsintegTest {
    test.alias = Some(alias);
    test
}
