//! `d`.

use super::{ModeSpec, OptionSpec, PAGE_SIZE, Value};

/// `d`.
pub(super) const DEFRAG: ModeSpec = ModeSpec {
    name: "d",
    about: "Defragment: write a clean database anew, compactly",
    description: "Copies every table in the order of its primary key into a new file: leaves filled to the density that the \
        catalog names, space and catalog new, object ids numbered anew; deleted records, long values without reference, and what \
        is left of deleted columns stay behind. Records, ids of columns and of long values, version columns, and the \
        entries of indexes are kept as they are; an index that is damaged is made anew from the records. The new file is made \
        durable, checked as g does, and what each of its tables holds compared with what was read; only then it is renamed over the \
        old one, so that there is a whole database under the name at every moment. The old file is gone then, unless /b or \
        /p is given. A run that is killed leaves a temporary file, which the next one removes. The database must be in \
        Clean Shutdown (r comes first), and gets a new signature: older logs and backups do not belong to it any more. A \
        streaming file (.stm) stays as it is, and still belongs to it.",
    files: "FILE",
    example: "exutil d priv1.edb /t/fast/temp.edb\n    The new file grows on another disk. --dry-run tells how large it will be.",
    options: &[
        OptionSpec {
            long: "temp",
            letters: &["t"],
            value: Value::Required("PATH"),
            help: "The new file while it grows, or a folder for it (default: TEMPDFRG*.EDB in the current folder, * being the \
                number of the process)",
        },
        OptionSpec {
            long: "preserve-temp",
            letters: &["p"],
            value: Value::None,
            help: "Leave the original as it is, and the new file where it is",
        },
        OptionSpec {
            long: "backup",
            letters: &["b"],
            value: Value::Required("FILE"),
            help: "Keep the original under this name",
        },
        OptionSpec {
            long: "no-verify",
            letters: &[],
            value: Value::None,
            help: "Do not check the new file before it takes the original's place",
        },
        OptionSpec {
            long: "dry-run",
            letters: &[],
            value: Value::None,
            help: "Work everything out, tell how large the new file would be, change nothing",
        },
        OptionSpec {
            long: "ignore-room",
            letters: &[],
            value: Value::None,
            help: "Begin even if there seems to be too little free room",
        },
        OptionSpec {
            long: "keep-streaming-file",
            letters: &["i"],
            value: Value::None,
            help: "Accepted for Eseutil's sake: a streaming file is never touched",
        },
        PAGE_SIZE,
    ],
};
