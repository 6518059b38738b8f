//! `isinteg`.

use super::changing::DISCARD_UNDO;
use super::{ModeSpec, OptionSpec, PAGE_SIZE, Value};

/// `isinteg`.
pub(super) const ISINTEG: ModeSpec = ModeSpec {
    name: "isinteg",
    about: "Test a store: folders, messages, mailboxes; a directory: names, references, links",
    description: "Proves what g does not look at: that the tables of a store agree with one another. What it knows of \
        stores is in profiles (Exchange 5.5, 2000 to 2007, 2013 and later, Active Directory and AD LDS), each fact with its \
        source and how sure it is; --show-profile tells what of it is in a database. A test that cannot run says 'not available in \
        this database' and has not passed; what is only inferred is at most a warning. Without -fix nothing is \
        changed. With -fix that is put right for which a fix is known to be safe: counts, references, rows that point to nothing; \
        message property lists and named properties never are, because the original lost data so. The fixes are tried out first, then \
        written into a new file, which is checked and tested before it takes the name of the old one; that stays beside it under \
        FILE.before-isinteg, and 'exutil undo FILE.undo' gives it back. A database that was not shut down cleanly is not changed: \
        run r first. No real Exchange store was at hand: STORES AND TESTS tells, test by test, what is known.",
    files: "DB",
    example: "exutil isinteg ntds.dit -test alltests\n    One line a test, and a summary; status 4 if there are errors.",
    options: &[
        OptionSpec {
            long: "test",
            letters: &["test"],
            value: Value::Several("NAME,..."),
            help: "The tests to run: names or groups, separated by commas (--list-tests names them; default: alltests)",
        },
        OptionSpec {
            long: "fix",
            letters: &["fix"],
            value: Value::None,
            help: "Put right what can be; asks first",
        },
        OptionSpec {
            long: "pri",
            letters: &["pri"],
            value: Value::None,
            help: "It is a private store; refused when it is not",
        },
        OptionSpec {
            long: "pub",
            letters: &["pub"],
            value: Value::None,
            help: "It is a public store; refused when it is not",
        },
        OptionSpec {
            long: "detailed",
            letters: &["detailed"],
            value: Value::None,
            help: "Run the tests too that alltests leaves out",
        },
        OptionSpec {
            long: "verbose",
            letters: &["verbose", "v"],
            value: Value::None,
            help: "Tell of each check that cannot run, and show notes",
        },
        OptionSpec {
            long: "log",
            letters: &["l"],
            value: Value::Required("FILE"),
            help: "Write a log in the layout of Exchange 5.5 to this file (default: none is written)",
        },
        OptionSpec {
            long: "temp",
            letters: &["t"],
            value: Value::Required("DIR"),
            help: "Folder for scratch files, the role of Refer.mdb (default: the system's), and with -fix for the new file",
        },
        OptionSpec {
            long: "dump",
            letters: &["dump"],
            value: Value::None,
            help: "Print folders and mailboxes instead of testing",
        },
        OptionSpec {
            long: "patch",
            letters: &["patch"],
            value: Value::None,
            help: "Of an Exchange 5.5 store: give it a new base GUID, as after an offline restore; tells what that is, and asks",
        },
        OptionSpec {
            long: "server",
            letters: &["s"],
            value: Value::Required("SERVER"),
            help: "Accepted for scripts: a file is tested, not a server",
        },
        OptionSpec {
            long: "profile",
            letters: &[],
            value: Value::Required("FILE"),
            help: "Take this profile instead of those that are built in",
        },
        OptionSpec {
            long: "show-profile",
            letters: &[],
            value: Value::None,
            help: "Tell what is recognised in the database, and what is not",
        },
        OptionSpec {
            long: "trust-profile",
            letters: &[],
            value: Value::None,
            help: "With -fix: fix what rests on inferred facts too",
        },
        OptionSpec {
            long: "dry-run",
            letters: &[],
            value: Value::None,
            help: "With -fix: tell what would be done, change nothing",
        },
        OptionSpec {
            long: "yes",
            letters: &[],
            value: Value::None,
            help: "Ask nothing",
        },
        OptionSpec {
            long: "list-tests",
            letters: &[],
            value: Value::None,
            help: "Name every test and group that this database has, with what can run",
        },
        OptionSpec {
            long: "undo-file",
            letters: &[],
            value: Value::Required("FILE"),
            help: "Where the undo file goes (default: FILE.undo beside the database)",
        },
        DISCARD_UNDO,
        PAGE_SIZE,
    ],
};
