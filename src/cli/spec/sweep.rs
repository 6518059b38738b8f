//! The modes that look at many files at once.

use super::{ModeSpec, OptionSpec, Value};

const DEPTH: OptionSpec = OptionSpec {
    long: "depth",
    letters: &[],
    value: Value::OneOf("DEPTH", &["headers", "checksum", "integrity"]),
    help: "How far to look: headers, 64 KiB a file (default); the checksum of every page and log block; the integrity \
        check of databases and every record of logs too",
};

/// `sweep`.
pub(super) const SWEEP: ModeSpec = ModeSpec {
    name: "sweep",
    about: "Find every database and log below some folders, and judge each storage group",
    description: "Looks at every file below the folders, tells by its content and never by its name what it is, and \
        puts together what belongs together: databases, logs and checkpoint by the signature of the log stream, streaming \
        files and flush maps by that of their database, backup sets apart. Each group gets one verdict (clean, \
        recoverable, recoverable with loss, needs repair, unreadable; 'no database' for logs alone), the reasons, and the commands \
        to run next. A bad file is a line of the result and never the end of the run. Reads only, never writes below the folders, \
        so that it works on read-only media. With --state a run that was stopped goes on where it was. With --shard several \
        processes or machines share one tree; --merge puts their JSON Lines together. Lines come in the order of the \
        paths, the same for any number of workers. The exit status is the worst of all files and groups: 4 where \
        a group is not clean.",
    files: "PATH",
    example: "exutil sweep /mnt/disk --depth checksum --state night.state --format json\n    One line a file as it is done, \
        then one a group, then the sums.",
    options: &[
        DEPTH,
        OptionSpec {
            long: "jobs",
            letters: &[],
            value: Value::Required("N"),
            help: "Files looked at at the same time (default: one a processor, but one at a time on a disk that turns)",
        },
        OptionSpec {
            long: "state",
            letters: &[],
            value: Value::Required("FILE"),
            help: "Keep what is found out in this file, and take from it what an earlier run has found out of files that \
                have not changed; must not lie below a PATH",
        },
        OptionSpec {
            long: "shard",
            letters: &[],
            value: Value::Required("I/N"),
            help: "Look only at part I of N of the files, to be merged; no groups",
        },
        OptionSpec {
            long: "merge",
            letters: &[],
            value: Value::None,
            help: "PATHs are what sweeps with --format json have printed: put the parts together and judge them as one",
        },
        OptionSpec {
            long: "all",
            letters: &[],
            value: Value::None,
            help: "Tell of files of no concern too",
        },
    ],
};

/// `advise`.
pub(super) const ADVISE: ModeSpec = ModeSpec {
    name: "advise",
    about: "Say what to do with a folder of databases and logs, and why",
    description: "Looks at every file below one folder and follows the decision path of the disaster recovery guides: what each file \
        is, in which state the databases are, what is missing, by name, whether soft recovery ('r'), a restore ('cc') or a \
        repair ('p', then 'd', then 'isinteg') is right and why, what would be lost, how much room each step needs and \
        how much there is, and what to do if it fails. With --prove the step that is advised is run in memory first. A file \
        stands for the folder that it lies in. Changes nothing. The exit status is 0 where nothing is to be done, else 4.",
    files: "FOLDER",
    example: "exutil advise /mnt/dump/mdbdata --prove\n    What to do, step by step, and what a dry run of the first step came to.",
    options: &[
        DEPTH,
        OptionSpec {
            long: "prove",
            letters: &[],
            value: Value::None,
            help: "Run what is advised as a dry run, in memory, and tell how it ended",
        },
    ],
};
