//! The modes of hard recovery.

use super::changing::DISCARD_UNDO;
use super::{ModeSpec, OptionSpec, PAGE_SIZE, Value};

const DATABASE: OptionSpec = OptionSpec {
    long: "database",
    letters: &[],
    value: Value::Several("FILE"),
    help: "A database of the set; may be repeated (default: every database in the folder, and those that a Restore.env \
        says were restored elsewhere)",
};

const LOG_BASE: OptionSpec = OptionSpec {
    long: "log-base",
    letters: &[],
    value: Value::Required("BASE"),
    help: "First three letters of the logs' names, where the folder holds logs of several streams",
};

const ENVIRONMENT: OptionSpec = OptionSpec {
    long: "environment",
    letters: &[],
    value: Value::Required("FILE"),
    help: "The Restore.env, or what 'cm --write' wrote (default: the one in the folder, if there is one)",
};

const IGNORE_TRAILER: OptionSpec = OptionSpec {
    long: "ignore-trailer",
    letters: &[],
    value: Value::None,
    help: "Where a database's trailer page is damaged, take the logs in the folder for all that the backup needs",
};

/// `cc`.
pub(super) const RESTORE: ModeSpec = ModeSpec {
    name: "cc",
    about: "Hard recovery: bring back an online backup",
    description: "An online backup is database files that were read while they changed, and the logs from then. This mode \
        brings them together as the engine does: checks that the folder holds one whole set (every log from the first \
        to the last that the backup needs, databases of this stream, trailer pages or patch files), redoes the logs, \
        plays forward those of another folder that go on from there (/f), rolls back what never committed, and leaves \
        every database in Clean Shutdown. A Restore.env is used where it can be decoded, but never needed: all that \
        recovery must know stands in the files. A database is recovered where it lies, unless --to or a Restore.env \
        names another place; it is copied there if it is not there yet, and then the set stays as it is. Else, when all \
        has gone well, logs, patch files and Restore.env are removed, unless /k is given. Nothing is changed before the whole replay has gone well; then an undo file is written first, \
        removed files included, so that 'exutil undo' gives every byte back, and a run that is killed is taken \
        back by the next. A second run changes nothing.",
    files: "[DIR]",
    example: "exutil cc restored /f E00logs /k\n    Restore, play the server's later logs forward, keep the set; with --dry-run \
        only tell.",
    options: &[
        OptionSpec {
            long: "target-instance",
            letters: &["t"],
            value: Value::Glued("INSTANCE", ""),
            help: "Without a name: replay no logs but those of the set. A running instance cannot be named here: give \
                the folder of its logs with /f",
        },
        OptionSpec {
            long: "play-forward",
            letters: &["f"],
            value: Value::Required("DIR"),
            help: "Then replay the logs in this folder that go on from the set; the stream goes on, and is closed, there",
        },
        OptionSpec {
            long: "keep",
            letters: &["k"],
            value: Value::None,
            help: "Keep logs, patch files and Restore.env, and close the stream of the set with a log of its own",
        },
        DATABASE,
        LOG_BASE,
        ENVIRONMENT,
        OptionSpec {
            long: "to",
            letters: &[],
            value: Value::Required("DIR"),
            help: "Copy the databases into this new folder and recover them there; the set stays as it is",
        },
        IGNORE_TRAILER,
        OptionSpec {
            long: "dry-run",
            letters: &[],
            value: Value::None,
            help: "Check the set, replay and roll back in memory, tell what would be done, change nothing",
        },
        OptionSpec {
            long: "undo-file",
            letters: &[],
            value: Value::Required("FILE"),
            help: "Where the undo file goes (default: restore.undo in the folder of the set)",
        },
        DISCARD_UNDO,
        OptionSpec {
            long: "cache",
            letters: &[],
            value: Value::Required("MIB"),
            help: "Memory for database pages in MiB (default: a quarter of the machine's)",
        },
        PAGE_SIZE,
    ],
};

/// `cm`.
pub(super) const DESCRIBE: ModeSpec = ModeSpec {
    name: "cm",
    about: "Tell what is known of a backup set",
    description: "Prints where a backup came from and what it holds, as Eseutil prints a Restore.env: paths, databases, the \
        range of logs, whether it was recovered. The layout of Restore.env was never published. Where one is there, what \
        speaks for itself in it is shown (paths of databases, the range of logs) and marked as decoded by inference; \
        strings that fit nowhere are listed, and no meaning is given to them. Where there is none, all is taken \
        from the files: database headers, trailer pages, logs. With --write it is saved in a text form that can be \
        edited, and that cc takes. Changes nothing in the set.",
    files: "[DIR]",
    example: "exutil cm restored --write restored/restore-environment.toml\n    What the set is; the file is used by 'exutil cc restored'.",
    options: &[
        OptionSpec {
            long: "write",
            letters: &[],
            value: Value::Required("FILE"),
            help: "Save it in the text form, in a new file",
        },
        DATABASE,
        LOG_BASE,
        ENVIRONMENT,
        IGNORE_TRAILER,
        PAGE_SIZE,
    ],
};
