//! The one table of modes and options. The argument translator, clap's parser, `--help`, the man
//! pages and the shell completions are all made from it.

mod changing;
mod defrag;
mod isinteg;
mod repair;
mod restore;
mod sweep;

/// What follows an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value {
    /// Nothing.
    None,
    /// Always a value; its name in the help.
    Required(&'static str),
    /// Perhaps a value: its name in the help, and what stands for none.
    Optional(&'static str, &'static str),
    /// Perhaps a value, and then without a space before it; its name in the help, and what stands for none.
    Glued(&'static str, &'static str),
    /// Always a value, and the option may be given several times.
    Several(&'static str),
    /// One of these words.
    OneOf(&'static str, &'static [&'static str]),
}

impl Value {
    /// True when a value may be an argument of its own behind the option's long name.
    #[must_use]
    pub const fn is_apart(self) -> bool {
        !matches!(self, Self::None | Self::Optional(..) | Self::Glued(..))
    }
}

/// One option.
#[derive(Debug, Clone, Copy)]
pub struct OptionSpec {
    /// Its long name.
    pub long: &'static str,
    /// What Eseutil calls it, behind the slash; empty where it has no such option.
    pub letters: &'static [&'static str],
    /// What follows.
    pub value: Value,
    /// A line of help.
    pub help: &'static str,
}

/// One mode.
#[derive(Debug, Clone, Copy)]
pub struct ModeSpec {
    /// Its name, as Eseutil spells it without the slash.
    pub name: &'static str,
    /// One line.
    pub about: &'static str,
    /// What it does, what it changes.
    pub description: &'static str,
    /// What it is given: the name in the help.
    pub files: &'static str,
    /// An example with a word on what comes out.
    pub example: &'static str,
    /// Its own options; the common ones come with every mode.
    pub options: &'static [OptionSpec],
}

/// Options of every mode.
pub const COMMON: &[OptionSpec] = &[
    OptionSpec {
        long: "format",
        letters: &[],
        value: Value::OneOf("FORMAT", &["eseutil", "table", "json"]),
        help: "Layout of the output: Eseutil's, label for label (default); tables; JSON Lines, one document a file",
    },
    OptionSpec {
        long: "no-logo",
        letters: &["o"],
        value: Value::None,
        help: "Leave out the banner",
    },
    OptionSpec {
        long: "threads",
        letters: &[],
        value: Value::Required("N"),
        help: "Number of worker threads (default: one a processor); the result is the same for any number",
    },
];

pub(super) const PAGE_SIZE: OptionSpec = OptionSpec {
    long: "page-size",
    letters: &[], // /2 /4 /8 /16 /32: the digits are the switch, see normalize
    value: Value::OneOf("KIB", &["2", "4", "8", "16", "32"]),
    help: "Take this page size in KiB instead of reading it from the header (Eseutil: /4, /8, ...)",
};

const ONE_TABLE: OptionSpec = OptionSpec {
    long: "table",
    letters: &["t"],
    value: Value::Required("TABLE"),
    help: "Only this table",
};

/// Every mode, in the order of the help.
pub const MODES: &[ModeSpec] = &[
    ModeSpec {
        name: "mh",
        about: "Dump the header of a database or streaming file",
        description: "Prints every field of the header: format, state, the log range that recovery \
            needs, signatures, positions, backups, error counters. Of the two copies the one is \
            shown that the engine would use; warnings tell when a copy is damaged or when they \
            differ. A database restored from an online backup shows its trailer page too. For a \
            dirty database the names of the log files needed are listed, and which of them lie \
            beside the file (on a terminal, in tables and JSON, or with --logs). Changes nothing.",
        files: "FILE",
        example: "exutil mh priv1.edb\n    The header; 'State:' says whether recovery is needed.",
        options: &[
            OptionSpec {
                long: "verbose",
                letters: &["v"],
                value: Value::None,
                help: "Show both header copies, good or bad",
            },
            OptionSpec {
                long: "logs",
                letters: &[],
                value: Value::None,
                help: "List the log files that recovery needs, also where Eseutil's layout has no such lines",
            },
            OptionSpec {
                long: "log-path",
                letters: &["l"],
                value: Value::Required("DIR"),
                help: "Look for the log files here instead of beside the database",
            },
            OptionSpec {
                long: "streaming-file",
                letters: &["s"],
                value: Value::Required("FILE"),
                help: "Tell whether this streaming file (.stm) belongs to the database",
            },
            PAGE_SIZE,
        ],
    },
    ModeSpec {
        name: "mk",
        about: "Dump a checkpoint",
        description: "Prints where recovery of a log stream starts, its signature and environment, \
            and the databases attached. The first good one of its two copies is shown. Changes \
            nothing.",
        files: "FILE",
        example: "exutil mk E00.chk\n    'Checkpoint:' names the first log that recovery reads.",
        options: &[],
    },
    ModeSpec {
        name: "ml",
        about: "Dump a log file's header, or check a whole log stream",
        description: "With a log file: its header, attached databases, the position of its end, \
            and whether its blocks are sound. With a base name (E00, optionally behind a \
            directory): all logs of the stream in order, each checked by itself and against the \
            one before: missing generations, creation times, signatures, checksums, and whether its \
            records can be read. With --verbose every record is printed, and how many there are of \
            each type. The first error is what the run ends with. Changes nothing.",
        files: "LOG|BASE",
        example: "exutil ml /mnt/dump/E00\n    One line a log, '- OK' or what is wrong; /v2 shows every record.",
        options: &[
            OptionSpec {
                long: "verbose",
                letters: &["v", "v2"],
                value: Value::None,
                help: "Print every record with the first bytes of its data, and a count of the types",
            },
            OptionSpec {
                long: "structure",
                letters: &["v1"],
                value: Value::None,
                help: "Print every record without its data",
            },
            OptionSpec {
                long: "generations",
                letters: &["r"],
                value: Value::Required("LOW[-HIGH]"),
                help: "Only these logs of a stream, by hexadecimal number; with HIGH the current log is left out",
            },
            OptionSpec {
                long: "summary",
                letters: &["s"],
                value: Value::None,
                help: "Of a single log: what a replay would have to read and write",
            },
            OptionSpec {
                long: "csv",
                letters: &["c"],
                value: Value::Required("FILE"),
                help: "Write every record, and every page that it changes, to this new file: comma separated, UTF-16",
            },
            OptionSpec {
                long: "deep",
                letters: &[],
                value: Value::None,
                help: "Check too that each page's times form a chain, and that no group of changes is empty; \
                    takes 24 bytes a page that the logs change, at most 200 MiB",
            },
        ],
    },
    ModeSpec {
        name: "mm",
        about: "Dump the catalog: tables, indexes, columns",
        description: "Lists every table with its long value tree and indexes, their object ids and \
            root pages; with --verbose every column, index segment, space hint and callback too. \
            JSON always holds the whole schema. Like Eseutil it ends with the first page that \
            cannot be read, and with -550 for a database that needs recovery; tables and JSON \
            then go on with what the catalog and its shadow still tell. Changes nothing.",
        files: "FILE",
        example: "exutil mm priv1.edb /tMsg /v\n    All columns and indexes of the table Msg.",
        options: &[
            OptionSpec {
                long: "verbose",
                letters: &["v", "v1", "v2"],
                value: Value::None,
                help: "Columns, index segments, space hints, sort order versions",
            },
            ONE_TABLE,
            PAGE_SIZE,
        ],
    },
    ModeSpec {
        name: "mp",
        about: "Dump a flush map (.jfm)",
        description: "Prints the header of a flush map and checks its pages. Changes nothing.",
        files: "FILE",
        example: "exutil mp priv1.jfm\n    The header, with the signature that ties it to its database.",
        options: &[],
    },
    ModeSpec {
        name: "m",
        about: "Dump a page, a node, or a tag of a database",
        description: "With --page: the header of a page, its checksums, stored and computed, its \
            tags, sizes of keys and data. With --node: the nodes of a page with key and data, and \
            what they are: pointer to a child page, extent of a space tree, long value, columns of \
            a record by the names of the catalog, entry of an index. With --tag: the same by tag \
            number, tag 0 and reserved tags included. Shows any page as it is, sound or damaged. \
            Without one of the three this is mh. Changes nothing.",
        files: "FILE",
        example: "exutil m priv1.edb /p34\n    Page 34; /n34:0 is its first node, /i34:0 its tag 0.",
        options: &[
            OptionSpec {
                long: "page",
                letters: &["p"],
                value: Value::Required("PAGE"),
                help: "Dump this page; -1 and 0 are the header and its shadow",
            },
            OptionSpec {
                long: "node",
                letters: &["n"],
                value: Value::Required("PAGE:LINE"),
                help: "Dump this node; line -1 is every node",
            },
            OptionSpec {
                long: "tag",
                letters: &["i"],
                value: Value::Required("PAGE:TAG"),
                help: "Dump this tag; tag -1 is every tag",
            },
            OptionSpec {
                long: "verbose",
                letters: &["v"],
                value: Value::None,
                help: "Show the bytes of the page too",
            },
            PAGE_SIZE,
        ],
    },
    ModeSpec {
        name: "ms",
        about: "Dump the space that tables and indexes take",
        description: "Shows for each table, long value tree and index how much space it owns and \
            how much of that is free, in megabytes and percent, and the sums. Objects below half a \
            percent of the database are left out unless --verbose. JSON and tables show every \
            object in pages, and pages that belong to nothing. Like Eseutil it ends with the first \
            page that cannot be read, and with -550 for a database that needs recovery; tables and \
            JSON then go on with what can be read. Changes nothing.",
        files: "FILE",
        example: "exutil ms priv1.edb /v\n    One line an object; 'Avail' is what new data can use.",
        options: &[
            OptionSpec {
                long: "verbose",
                letters: &["v"],
                value: Value::None,
                help: "Small tables and indexes too",
            },
            OptionSpec {
                long: "fields",
                letters: &["f"],
                value: Value::Required("FIELDS"),
                help: "Columns, by name, separated by commas, or a set: #default, #legacy, \
                    #spacehints, #leaked, #lvs, #all. The page count cache and \
                    the disk model of long values (*(Cache), LV:*Seeks*, LV:*Bytes*) are accepted but stay empty",
            },
            OptionSpec {
                long: "csv",
                letters: &["csv", "c"],
                value: Value::None,
                help: "Commas between the columns",
            },
            OptionSpec {
                long: "leaks",
                letters: &["l"],
                value: Value::None,
                help: "Tell of pages that belong to nothing; they make the run end with an error",
            },
            OptionSpec {
                long: "space-trees",
                letters: &["d", "d1"],
                value: Value::None,
                help: "Show the trees that keep the space itself",
            },
            ONE_TABLE,
            PAGE_SIZE,
        ],
    },
    changing::RECOVER,
    restore::RESTORE,
    restore::DESCRIBE,
    ModeSpec {
        name: "k",
        about: "Verify the checksum of every page",
        description: "Reads a database once, in parallel, and checks every page's checksum and \
            page number. Single wrong bits that the error-correcting code can mend are told apart \
            from damage. Pages that the disk cannot read are counted and the scan goes on. Of a \
            streaming file only the headers carry checksums of their own. A log file, a log base \
            name, a checkpoint or a flush map is verified too. Bad pages are named on standard \
            error, the counts follow on standard output. Changes nothing.",
        files: "FILE|BASE",
        example: "exutil k priv1.edb\n    Counts of bad, correctable, uninitialised pages; status 4 if any is bad.",
        options: &[
            OptionSpec {
                long: "page",
                letters: &[],
                value: Value::Required("A-B"),
                help: "Only these pages (or one page); -1 and 0 are the header and its shadow",
            },
            OptionSpec {
                long: "list",
                letters: &[],
                value: Value::None,
                help: "Print the bad pages only, one a line: number, kind, detail, separated by tabs",
            },
            OptionSpec {
                long: "temp-database",
                letters: &["t"],
                value: Value::Required("FILE"),
                help: "Accepted and ignored: no temporary database is needed",
            },
            OptionSpec {
                long: "ignore-streaming",
                letters: &["i"],
                value: Value::None,
                help: "Accepted and ignored: a streaming file is read only when it is named",
            },
            PAGE_SIZE,
        ],
    },
    ModeSpec {
        name: "g",
        about: "Check the integrity of a database",
        description: "Checks everything that can be known of a database: header, space, catalog, every \
            tree's pages, order and links, records, long values and their reference counts, and every \
            secondary index against the records. Keys over Unicode text are not recomputed, because \
            the sort order of the server's Windows version is not known here; that such entries point \
            to live records, in order and in the right number, is checked all the same. A flush map \
            (.jfm) beside the database is used if it belongs to it. A dirty database is checked as it \
            is, with a warning. Never writes to the database.",
        files: "FILE",
        example: "exutil g priv1.edb\n    'Integrity check successful.', or what is wrong, page by page.",
        options: &[
            OptionSpec {
                long: "table",
                letters: &[],
                value: Value::Required("NAME"),
                help: "Only this table (may be given again)",
            },
            OptionSpec {
                long: "stage",
                letters: &[],
                value: Value::OneOf(
                    "STAGE",
                    &["header", "space", "catalog", "trees", "cross-references"],
                ),
                help: "Only this pass (may be given again)",
            },
            OptionSpec {
                long: "skip-indexes",
                letters: &["b"],
                value: Value::None,
                help: "Do not compare indexes with records",
            },
            OptionSpec {
                long: "report",
                letters: &["f"],
                value: Value::Required("PREFIX"),
                help: "Write the detailed report to PREFIX.INTEG.RAW",
            },
            OptionSpec {
                long: "temp-database",
                letters: &["t"],
                value: Value::Required("FILE"),
                help: "Accepted for Eseutil's sake; no temporary database is needed",
            },
            PAGE_SIZE,
        ],
    },
    ModeSpec {
        name: "export",
        about: "Write out the rows of tables",
        description: "Writes every row with typed values: columns inherited from a template, \
            defaults, several values of a column, long values. JSON Lines has one object a row; \
            CSV one file a table, or the one table on standard output; content is a form to \
            compare databases by. Tables of the engine's own are written only when they are named \
            or with --system. What is damaged is left out, told of on standard error, and counted \
            in the summary there. Reads the database as it is: a dirty one may lack what is only \
            in its logs. Changes nothing, and never overwrites a file.",
        files: "DB",
        example: "exutil export ntds.dit --table datatable > datatable.jsonl\n    One JSON object a row; status 4 if something was left out.",
        options: &[
            OptionSpec {
                long: "format",
                letters: &[],
                value: Value::OneOf("FORMAT", &["jsonl", "csv", "content"]),
                help: "JSON Lines (default), CSV, or a content dump with hashes, to compare databases by",
            },
            OptionSpec {
                long: "table",
                letters: &[],
                value: Value::Several("TABLE"),
                help: "Only this table; may be given several times",
            },
            OptionSpec {
                long: "lv",
                letters: &[],
                value: Value::OneOf("HOW", &["whole", "hash"]),
                help: "Values of the long value tree with all their bytes (default), or by length and hash (FNV-1a)",
            },
            OptionSpec {
                long: "deleted",
                letters: &[],
                value: Value::None,
                help: "Also rows that are deleted, but still present on their pages",
            },
            OptionSpec {
                long: "system",
                letters: &[],
                value: Value::None,
                help: "Also the engine's own tables",
            },
            OptionSpec {
                long: "output",
                letters: &[],
                value: Value::Required("PATH"),
                help: "Write to this file, or into this directory one file a table",
            },
            PAGE_SIZE,
        ],
    },
    repair::REPAIR,
    defrag::DEFRAG,
    isinteg::ISINTEG,
    changing::COPY,
    changing::UNDO,
    sweep::SWEEP,
    sweep::ADVISE,
];

/// The mode of this name.
#[must_use]
pub fn mode(name: &str) -> Option<&'static ModeSpec> {
    MODES
        .iter()
        .find(|mode| mode.name.eq_ignore_ascii_case(name))
}

impl ModeSpec {
    /// Own and common options; an own option takes the place of a common one of the same name.
    pub fn all_options(&self) -> impl Iterator<Item = &'static OptionSpec> {
        let own = self.options;
        let is_free = move |common: &&OptionSpec| own.iter().all(|it| it.long != common.long);
        own.iter().chain(COMMON.iter().filter(is_free))
    }
}

#[cfg(test)]
mod tests {
    use super::{COMMON, MODES};

    #[test]
    fn names_and_letters_are_unique_within_a_mode() {
        for mode in MODES {
            let mut longs: Vec<_> = mode.all_options().map(|option| option.long).collect();
            // A mode may give a common letter another meaning: /o of p is more than no banner.
            let own = |letters: &str| mode.options.iter().any(|o| o.letters.contains(&letters));
            let common = COMMON.iter().flat_map(|option| option.letters);
            let mut letters: Vec<_> = mode
                .options
                .iter()
                .flat_map(|option| option.letters)
                .chain(common.filter(|letters| !own(letters)))
                .collect();
            let (a, b) = (longs.len(), letters.len());
            longs.sort_unstable();
            longs.dedup();
            letters.sort_unstable();
            letters.dedup();
            assert_eq!((a, b), (longs.len(), letters.len()), "{}", mode.name);
            assert!(mode.example.contains(&format!("exutil {}", mode.name)));
        }
    }
}
