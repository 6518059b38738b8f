//! The modes that change or make files, and the one that takes changes back.

use super::{ModeSpec, OptionSpec, PAGE_SIZE, Value};

pub(super) const DISCARD_UNDO: OptionSpec = OptionSpec {
    long: "discard-undo",
    letters: &[],
    value: Value::None,
    help: "Remove the undo file when all has gone well",
};

/// `r`.
pub(super) const RECOVER: ModeSpec = ModeSpec {
    name: "r",
    about: "Soft recovery: replay the logs of a stream into its databases",
    description: "Brings every database of a log stream to Clean Shutdown as the engine does: redoes what the logs \
        hold beyond the databases, rolls back what never committed, closes the stream. The logs are named by the \
        first three letters of their names (E00, edb); all databases of the stream are recovered at once. Give \
        with /d where they lie now: the logs know them by the paths of the server. A checkpoint is used when it is there and \
        sound, but never needed. Nothing is changed before the whole replay has gone well; then an undo file is \
        written first, so that 'exutil undo' gives every byte back, and a run that is killed is taken back by \
        the next. A second run changes nothing.",
    files: "BASE",
    example: "exutil r E00 /l logs /s logs /d databases\n    Recover; with --dry-run only tell what would be done.",
    options: &[
        OptionSpec {
            long: "log-path",
            letters: &["l"],
            value: Value::Required("DIR"),
            help: "Folder of the log files (default: the current one)",
        },
        OptionSpec {
            long: "system-path",
            letters: &["s"],
            value: Value::Required("DIR"),
            help: "Folder of the checkpoint (default: that of the logs)",
        },
        OptionSpec {
            long: "databases",
            letters: &["d"],
            value: Value::Optional("DIR", "."),
            help: "Folder that holds the databases now, or the one database itself; without a value the current \
                folder (default: where the logs say)",
        },
        OptionSpec {
            long: "moved",
            letters: &["n"],
            value: Value::Several("NEW[:OLD]"),
            help: "Where one database is now, and where the logs say it was; others are left out, unless '*' is \
                given too. May be repeated",
        },
        OptionSpec {
            long: "ignore-missing",
            letters: &["i"],
            value: Value::None,
            help: "Leave out databases that are not there or do not fit, instead of refusing",
        },
        OptionSpec {
            long: "lossy",
            letters: &["a"],
            value: Value::None,
            help: "Give up committed transactions in logs that are missing or damaged, where the databases become \
                sound without them",
        },
        OptionSpec {
            long: "stop-after",
            letters: &["u"],
            value: Value::Optional("GENERATION[.SECTOR[.BYTE]]", "end"),
            help: "Stop behind this log (decimal), or at the end, and do not roll back: the database stays dirty \
                and can be rolled on",
        },
        OptionSpec {
            long: "truncate-logs",
            letters: &["t"],
            value: Value::None,
            help: "Remove the logs that are not needed any more (the undo file holds them)",
        },
        OptionSpec {
            long: "dry-run",
            letters: &[],
            value: Value::None,
            help: "Replay and roll back in memory, tell what would be done, change nothing",
        },
        OptionSpec {
            long: "to",
            letters: &[],
            value: Value::Required("DIR"),
            help: "Copy databases, logs and checkpoint into this folder and recover the copies",
        },
        OptionSpec {
            long: "undo-file",
            letters: &[],
            value: Value::Required("FILE"),
            help: "Where the undo file goes (default: BASE.undo beside the logs)",
        },
        DISCARD_UNDO,
        OptionSpec {
            long: "no-checkpoint",
            letters: &[],
            value: Value::None,
            help: "Do as if there were no checkpoint: replay from the first log",
        },
        OptionSpec {
            long: "cache",
            letters: &[],
            value: Value::Required("MIB"),
            help: "Memory for database pages in MiB (default: a quarter of the machine's); more goes to a scratch \
                file beside the logs",
        },
    ],
};

/// `y`.
pub(super) const COPY: ModeSpec = ModeSpec {
    name: "y",
    about: "Copy a database or log, also off a bad disk",
    description: "Copies a file with large reads. Where a read fails it is tried again in smaller pieces, down to 512 \
        bytes. What cannot be read then ends the copy and is named; with /i it becomes zero, the copy is finished, the \
        pages are listed, and the exit status is 4: the copy is not whole, though 512 bytes (4096 where the system reads no less) are lost where \
        Eseutil loses a megabyte. The copy grows as DEST.part and gets its name when it is whole and durable, so \
        a file called DEST is never half a copy; a run that is killed leaves DEST.part. With --resume a map of what was read lies beside it (DEST.map): \
        everything that can be read is read before the run ends, and the next run with --resume goes on, also \
        after a kill, trying again what could not be read. Zeroes take no space where the file system \
        can do without. A destination that exists is refused, a source that changes meanwhile is an error. Never \
        writes to the source.",
    files: "FILE",
    example: "exutil y /mnt/bad/priv1.edb /d priv1.edb /i --verify\n    Copy, zeroes for what cannot be read, which is \
        listed; bad pages are told too.",
    options: &[
        OptionSpec {
            long: "destination",
            letters: &["d"],
            value: Value::Required("PATH"),
            help: "The file to make, or a folder to make it in (default: the same name in the current folder)",
        },
        OptionSpec {
            long: "ignore-errors",
            letters: &["i"],
            value: Value::None,
            help: "Make zeroes of what cannot be read, and finish the copy",
        },
        OptionSpec {
            long: "resume",
            letters: &[],
            value: Value::None,
            help: "Keep DEST.part and DEST.map when the copy does not become whole, and go on where an earlier run ended",
        },
        OptionSpec {
            long: "verify",
            letters: &[],
            value: Value::None,
            help: "Check the checksum of every page, or of the blocks of a log, on the way",
        },
        OptionSpec {
            long: "force",
            letters: &[],
            value: Value::None,
            help: "Replace a destination that exists, once the copy is whole; without --resume, also what an earlier run left",
        },
        PAGE_SIZE,
    ],
};

/// `undo`.
pub(super) const UNDO: ModeSpec = ModeSpec {
    name: "undo",
    about: "Take back what a command has changed",
    description: "A command that changes files first saves what it will change in an undo file. This \
        mode brings every file back to what it was before, byte for byte: of a command that has \
        finished, and of one that was interrupted. A file that was put aside under another name gets its own back. Files that were changed since are told and \
        nothing is written, unless --force is given. The undo file stays, marked as restored. Can \
        be interrupted itself and run again. Files are looked for below the folder of the undo file, \
        if they were there, so that a folder may be moved as a whole. Use only undo files that you trust: \
        they name the files that are written. For a database or folder in the place of an undo file its undo files are \
        listed, the newest first, which is to be taken back first; nothing is changed then, and without --list or --dry-run that \
        is an error.",
    files: "FILE",
    example: "exutil undo E00.undo --dry-run\n    What would be restored, and whether it can be; nothing is changed.",
    options: &[
        OptionSpec {
            long: "list",
            letters: &[],
            value: Value::None,
            help: "Show what is in the undo file; change nothing",
        },
        OptionSpec {
            long: "dry-run",
            letters: &[],
            value: Value::None,
            help: "Compare the files with the undo file, tell whether they can be restored; change nothing",
        },
        OptionSpec {
            long: "force",
            letters: &[],
            value: Value::None,
            help: "Restore files too that were changed since; with --discard, also the undo file of an interrupted command",
        },
        OptionSpec {
            long: "discard",
            letters: &[],
            value: Value::None,
            help: "Remove the undo file, and the originals that were put aside, and keep the changes; refused for an interrupted command",
        },
    ],
};
