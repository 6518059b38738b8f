//! `p`.

use super::changing::DISCARD_UNDO;
use super::{ModeSpec, OptionSpec, PAGE_SIZE, Value};

/// `p`.
pub(super) const REPAIR: ModeSpec = ModeSpec {
    name: "p",
    about: "Repair a database that neither logs nor a backup can bring back",
    description: "Checks the database as g does. Where nothing is wrong it stays as it is; single wrong bits and one bad \
        copy of the header are mended in place. Else everything that can be kept is written into a new file: tables that \
        are sound as they are, of the others every record of every page that can be read, whether or not the tree still \
        leads to it, with long values, reference counts and indexes that agree with them. The catalog is taken from \
        both its copies. The new file is made durable and checked, and only then takes the name of the old one, \
        which stays beside it under FILE.before-repair: 'exutil undo FILE.undo' gives it back. Killed at any moment, nothing is lost; \
        the next run clears up. As repair may lose what only the logs hold, recovery (r, cc) comes first. It asks on a terminal; \
        without one it refuses unless /o or --yes is given. Afterwards d compacts what repair has left, and the old logs \
        do not belong to the database any more. The database of an Active Directory is repaired only into another file (--to).",
    files: "FILE",
    example: "exutil p priv1.edb --dry-run\n    What is damaged, what a repair would do, and what would be lost; nothing is changed.",
    options: &[
        OptionSpec {
            long: "temp",
            letters: &["t"],
            value: Value::Required("PATH"),
            help: "The new file while it grows, or a folder for it (default: beside the database)",
        },
        OptionSpec {
            long: "report",
            letters: &["f"],
            value: Value::Required("PREFIX"),
            help: "Write a detailed report to PREFIX.INTEG.RAW",
        },
        OptionSpec {
            long: "check-first",
            letters: &["g"],
            value: Value::None,
            help: "Ask only when the check has found damage",
        },
        OptionSpec {
            long: "unattended",
            letters: &["o"],
            value: Value::None,
            help: "Ask nothing, and leave out the banner",
        },
        OptionSpec {
            long: "yes",
            letters: &[],
            value: Value::None,
            help: "Ask nothing",
        },
        OptionSpec {
            long: "dry-run",
            letters: &[],
            value: Value::None,
            help: "Work everything out, tell what would be done and lost, change nothing",
        },
        OptionSpec {
            long: "to",
            letters: &[],
            value: Value::Required("FILE"),
            help: "Write the repaired database here and leave the original as it is",
        },
        OptionSpec {
            long: "trust-damaged-pages",
            letters: &[],
            value: Value::None,
            help: "Take records from pages with a wrong checksum too, each by itself, where it can be proved sound",
        },
        OptionSpec {
            long: "drop-incomplete",
            letters: &[],
            value: Value::None,
            help: "Drop records that refer to a long value that is lost, as Eseutil does; else the column becomes null",
        },
        OptionSpec {
            long: "keep-orphans",
            letters: &[],
            value: Value::None,
            help: "Keep long values that no record refers to, in tables of their own",
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
