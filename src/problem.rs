//! The one table of problems that a check can find, and the findings themselves.
//!
//! Checkers report a [`Problem`] with its place; this table alone knows its code, severity, JET
//! number, text, what a repair would do, and what is lost. Codes are never reused: the letter is the
//! stage (C checkpoint, E exported content, F file, H header, K catalog, L log, P page, R record,
//! S space, T tree, V long value, X index, Y recovery), the number counts.

use serde::Serialize;

use crate::format::ids::{Objid, Pgno};
use crate::format::stamp::Lgpos;
use crate::jet::JetError;

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing; nothing is wrong.
    Note,
    /// Wrong, but nothing is lost: a copy is good, a bit can be mended.
    Warning,
    /// Damage.
    Error,
}

/// One row of the table of problems.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProblemInfo {
    /// Stable code.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// The number that the engine gives, or success for notes.
    pub jet: JetError,
    /// What it is.
    pub text: &'static str,
    /// What a repair would do.
    pub repair: &'static str,
    /// What a repair would lose.
    pub lost: &'static str,
}

macro_rules! problems {
    ($($name:ident $code:literal $severity:ident $jet:literal $text:literal, $repair:literal, $lost:literal;)*) => {
        /// Everything that can be found.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Problem {
            $(#[doc = $text] $name,)*
        }

        impl Problem {
            /// Every problem, in table order.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The row of this problem.
            #[must_use]
            pub const fn info(self) -> ProblemInfo {
                match self {
                    $(Self::$name => ProblemInfo {
                        code: $code,
                        severity: Severity::$severity,
                        jet: JetError::new($jet),
                        text: $text,
                        repair: $repair,
                        lost: $lost,
                    },)*
                }
            }
        }
    };
}

problems! {
    CatalogRow "K001" Error -1220 "catalog row cannot be read or is not plausible",
        "the row is taken from the other catalog, or its table goes", "what the row describes";
    CatalogMismatch "K002" Error -1220 "catalog and shadow catalog differ",
        "the fuller one is copied over the other", "what only the lost rows described";
    CatalogObject "K003" Error -1220 "catalog describes an object that is not so",
        "the table is dropped", "the table";
    CheckpointBadCopy "C001" Warning -533 "one copy of the checkpoint is bad",
        "the good copy is used", "nothing";
    ExportPageLost "E001" Error -1018 "a page of a table cannot be used",
        "the page is left out", "the rows that are on it";
    ExportRowLost "E002" Error -1206 "a row is broken",
        "the row is left out", "the row";
    ExportValueLost "E003" Error -1206 "a value cannot be read",
        "the value becomes null", "the value";
    ExportLongValueLost "E004" Error -1526 "a long value is missing or broken",
        "the value becomes null", "the value";
    ExportCatalogDamaged "E005" Error -1206 "the catalog is damaged",
        "rebuilt from its shadow", "tables and columns that the shadow does not name either";
    ExportNotDecoded "E006" Warning -1620 "a value is encrypted or of a compression that cannot be undone here",
        "none: nothing is wrong with it", "nothing";
    ExportLinkBroken "E007" Warning -338 "pages of a table were found beside its tree",
        "they are linked into the tree", "nothing";
    FileUneven "F001" Note 0 "the file's size is not a multiple of its page size",
        "the bytes after the last whole page are left out", "nothing that a page holds";
    FileStreamingMismatch "F002" Error -540 "database and streaming file do not belong together",
        "none: find the right streaming file", "all streamed content";
    CopyFilled "F003" Error -1022 "could not be read from the source, and is zero in the copy",
        "none: copy it from another disk or a backup", "what was there";
    CopyUnread "F004" Error -1022 "could not be read from the source; the copy is not made",
        "none: try again with --resume, or have zeroes instead with /i", "nothing yet";
    HeaderPrimaryBad "H001" Warning -1206 "primary header is bad, the shadow is used",
        "the shadow is copied over it", "nothing";
    HeaderShadowBad "H002" Warning -1206 "shadow header is bad, the primary is used",
        "the primary is copied over it", "nothing";
    HeaderCopiesDiffer "H003" Warning 0 "primary and shadow header are not identical",
        "the primary is copied over the shadow", "nothing";
    HeaderBothBad "H004" Error -1206 "both headers are bad",
        "rebuilt from what the pages tell", "signatures, backup and repair history";
    HeaderDirty "H005" Note 0 "database was not shut down cleanly",
        "none: run recovery with the logs named", "what only the logs hold, if they are lost";
    HeaderLegacyPageSize "H006" Note 0 "2 KiB pages, which current engines no longer open",
        "none", "nothing";
    HeaderObjid "H007" Error -1206 "header's highest object id is not set",
        "it is set from the highest object id of the pages", "nothing";
    IndexEntryMissing "X001" Error -1414 "a record has no entry in a secondary index",
        "the index is rebuilt", "nothing";
    IndexEntryExtra "X002" Error -1414 "an index entry has no record that it fits",
        "the index is rebuilt", "nothing";
    IndexMismatch "X003" Error -1414 "index and records do not agree",
        "the index is rebuilt", "nothing";
    IndexNotRecomputed "X004" Note 0 "sort key not recomputed",
        "none needed", "nothing";
    LogHeaderUnreadable "L001" Error -501 "log file header cannot be read",
        "none: a good copy of the log is needed", "every change from this log on";
    LogSizeMismatch "L002" Error -541 "log file has another size than its header says",
        "none: a good copy of the log is needed", "every change from this log on";
    LogDamaged "L003" Error -501 "log file is damaged",
        "replay ends before the damage", "every change after the damage";
    LogMissing "L004" Error -528 "log files are missing",
        "replay ends before the gap", "every change from the gap on";
    LogGenerationMismatch "L005" Error -513 "log's generation does not match its name",
        "none: rename or replace the file", "nothing yet";
    LogTimeChain "L006" Error -515 "log does not follow its predecessor: creation times differ",
        "none: find the right log", "every change from this log on";
    LogSegmentChain "L007" Error -590 "log does not follow its predecessor: accumulated checksums differ",
        "none: find the right log", "every change from this log on";
    LogSignature "L008" Error -530 "log belongs to another stream",
        "none: find the right log", "every change from this log on";
    LogVersion "L009" Error -514 "log format is not known",
        "none", "every change from this log on";
    LogTorn "L010" Note 0 "log ends in a torn write, which recovery mends",
        "the torn end is cut off", "nothing that was committed";
    CheckpointUnused "C010" Note 0 "checkpoint is not used",
        "recovery begins at the first log that a database needs", "nothing";
    RecoverySkipped "Y001" Warning 0 "database was left out of the recovery",
        "none: bring the right file, and recover again", "nothing";
    RecoveryNothing "Y002" Note 0 "the logs concern no database that is here",
        "none", "nothing";
    DatabaseBehind "Y003" Warning 0 "database is behind its logs, but the checkpoint says that all is done",
        "recover it with --no-checkpoint", "what the logs hold beyond it, until then";
    LogRecord "L011" Error -501 "log holds something that is no record",
        "replay ends before it", "every change behind it";
    LogUnread "L012" Note 0 "log holds a record whose layout is not public; what follows was not read",
        "none", "nothing";
    LogPageTimes "L013" Warning 0 "page's time before a change is not the time that the change before left",
        "none", "nothing";
    LogEmptyMacro "L014" Warning 0 "group of page changes is committed, but holds none",
        "none", "nothing";
    ChangeNotUndone "Y004" Warning 0 "page keeps a change of a transaction that never committed",
        "none: what was there before is neither in the page nor in the log", "what the change overwrote";
    LogsLost "Y005" Warning 0 "logs with committed transactions were not there or damaged, and were given up (/a)",
        "none: bring a good copy of them before recovering", "the transactions in them";
    LogsKept "Y006" Note 0 "logs are kept, because a database was left out",
        "none: recover that database, then remove the logs", "nothing";
    RestoreMissing "Y007" Warning 0 "database of the storage group is not in the backup set",
        "none: it is not restored", "nothing, if it was backed up elsewhere";
    RestoreClean "Y008" Note 0 "database in the backup set is in Clean Shutdown: it needs no restore",
        "none", "nothing";
    RestoreNotForward "Y009" Note 0 "only the logs of the set are replayed (/f names the folder of later ones)",
        "none", "what was done after the backup";
    RestoreEndUnknown "Y010" Warning -535 "trailer page is damaged; the logs of the set are taken for all that the backup needs",
        "none: restore the file from the backup again", "consistency, if logs of the backup are missing at the end";
    RestoreEnvInferred "Y011" Note 0 "Restore.env was decoded by inference",
        "none", "nothing";
    RestoreEnvUnread "Y012" Note 0 "Restore.env cannot be decoded; the files of the set tell all that is needed",
        "none", "nothing";
    RestoreNoLaterLogs "Y013" Warning 0 "folder holds no logs that go on from the backup: nothing was played forward",
        "none: name the folder of the later logs", "what was done after the backup";
    LvCorrupted "V001" Error -1526 "long value is damaged",
        "the long value is dropped, records that need it with it", "the long value";
    LvMissing "V002" Error -1526 "a record refers to a long value that is not there",
        "the record is deleted", "the record";
    LvOrphan "V003" Warning 0 "long value without a reference",
        "it is dropped", "nothing that a record holds";
    LvRefcountLow "V004" Error -1526 "long value's reference count is too low",
        "the count is corrected", "nothing";
    LvRefcountHigh "V005" Warning 0 "long value's reference count is too high",
        "the count is corrected", "nothing";
    LvRefcounts "V006" Error -1526 "references and reference counts of a table's long values differ",
        "the counts are corrected", "nothing";
    LvScrubbed "V007" Warning 0 "scrubbed data in a long value without reference",
        "it is dropped", "nothing that a record holds";
    PageBadChecksum "P001" Error -1018 "page checksum failed",
        "the page is left out", "what the page holds";
    PageCorrectable "P002" Warning -1018 "one bit of the page is wrong and can be corrected",
        "the bit is flipped back", "nothing";
    PageMisplaced "P003" Error -1018 "page holds the content of another page",
        "the page is left out", "what the page should hold";
    PageReadError "P004" Error -1022 "page cannot be read from the disk",
        "the page is left out", "what the page holds";
    PageCutOff "P005" Error -1021 "file ends before the page does",
        "the page is left out", "what the page holds";
    HeaderPageChecksum "P006" Error -1206 "header page checksum failed",
        "rebuilt from the other copy", "nothing if the other copy is good";
    TrailerBad "P007" Error -1018 "trailer page of a backup copy is damaged",
        "none", "the log range that the copy needs";
    PageUninitialized "P008" Error -1019 "page of a tree is not initialised",
        "the page is left out", "what the page held";
    PageBeyond "P009" Error -4001 "tree refers to a page beyond the end of the file",
        "the reference is dropped", "what the page held";
    PageStructure "P010" Error -1206 "page is logically corrupt though its checksum is right",
        "the nodes that are sound are kept", "nodes that are not";
    PageNumber "P011" Error -1118 "page carries the number of another page",
        "the page is left out", "what the page should hold";
    PageLostFlush "P012" Error -1119 "an earlier write of the page was lost",
        "the page is left out", "the lost changes";
    RecordCorrupt "R001" Error -1206 "record is damaged",
        "the record is deleted", "the record";
    RecordKey "R002" Error -1413 "primary key of the record is not the key of its node",
        "the record is deleted", "the record";
    SpaceOwned "S001" Error -343 "page is owned by another object than expected",
        "the space trees are rebuilt", "nothing";
    SpaceAvailable "S002" Error -341 "page is in use or owned, and available at the same time",
        "the space trees are rebuilt", "nothing";
    SpaceBeyond "S003" Error -343 "space tree names pages beyond the end of the file",
        "the space trees are rebuilt", "nothing that the file holds";
    SpaceHeader "S004" Error -1206 "space header of a tree is damaged",
        "the tree is rebuilt", "nothing";
    SpaceNode "S005" Error -1206 "node of a space tree is damaged",
        "the space trees are rebuilt", "nothing";
    SpaceLeaked "S006" Note 0 "pages that no tree uses and no space tree offers",
        "defragmentation gives them back", "nothing";
    SpaceFileSize "S007" Note 0 "file has more pages than its space tree says",
        "none needed", "nothing";
    SpaceFileShort "S008" Error -1206 "file has fewer pages than its space tree says",
        "the space trees are rebuilt", "what the missing pages held";
    TreeWrongObject "T001" Error -1206 "page belongs to a different tree",
        "the reference is dropped", "nothing that its own tree lacks";
    TreeFlags "T002" Error -1206 "page flags do not fit the tree",
        "the tree is rebuilt", "nothing";
    TreeDbtime "T003" Error -344 "page's dbtime is larger than the database's",
        "the header's dbtime is raised", "nothing";
    TreeShape "T004" Error -1206 "levels of the tree do not fit",
        "the tree is rebuilt from its leaves", "nothing";
    TreeOrder "T005" Error -1206 "keys do not lie within the bounds of their parent",
        "the tree is rebuilt from its leaves", "nothing";
    TreeLinks "T006" Error -327 "sibling links of leaves are wrong",
        "the tree is rebuilt from its leaves", "nothing";
    TreeNode "T007" Error -1206 "node of an internal page is damaged",
        "the tree is rebuilt from its leaves", "nothing";
    TreeVisitedTwice "T008" Error -1206 "page is referred to more than once",
        "the tree is rebuilt from its leaves", "nothing";
    TreeEmptyPage "T009" Error -1206 "empty page in a tree",
        "the reference is dropped", "nothing";
}

/// Where a problem is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page: Option<Pgno>,
    /// Page-relative number of a wrong bit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bit: Option<u32>,
    /// Byte offset in the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// Position in the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lgpos: Option<Lgpos>,
    /// The file, when it is not the one that the operation was asked about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Another page that is involved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other_page: Option<Pgno>,
    /// The object whose tree it is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub objid: Option<Objid>,
    /// The table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// The index.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<String>,
    /// The node on the page, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
}

impl Place {
    /// A page.
    #[must_use]
    pub fn page(page: Pgno) -> Self {
        Self {
            page: Some(page),
            ..Self::default()
        }
    }

    /// A file.
    #[must_use]
    pub fn file(name: impl Into<String>) -> Self {
        Self {
            file: Some(name.into()),
            ..Self::default()
        }
    }
}

/// A problem at a place, perhaps with a detail that the table's text cannot hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What.
    pub problem: Problem,
    /// Where.
    pub place: Place,
    /// More about it, or empty.
    pub detail: String,
}

impl Finding {
    /// A finding without detail.
    #[must_use]
    pub const fn new(problem: Problem, place: Place) -> Self {
        Self {
            problem,
            place,
            detail: String::new(),
        }
    }

    /// Adds a detail.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }
}

impl Serialize for Finding {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct as _;
        let info = self.problem.info();
        let mut out = serializer.serialize_struct("Finding", 8)?;
        out.serialize_field("code", info.code)?;
        out.serialize_field("severity", &info.severity)?;
        out.serialize_field("jet", &info.jet.code())?;
        out.serialize_field("text", info.text)?;
        out.serialize_field("detail", &self.detail)?;
        out.serialize_field("place", &self.place)?;
        out.serialize_field("repair", info.repair)?;
        out.serialize_field("lost", info.lost)?;
        out.end()
    }
}

/// The worst severity of a list, if it has any finding.
#[must_use]
pub fn worst(findings: &[Finding]) -> Option<Severity> {
    findings
        .iter()
        .map(|finding| finding.problem.info().severity)
        .max()
}

#[cfg(test)]
mod tests {
    use super::{Problem, Severity};

    #[test]
    fn codes_are_sorted_within_their_stage_and_unique() {
        let mut codes: Vec<_> = Problem::ALL
            .iter()
            .map(|problem| problem.info().code)
            .collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), Problem::ALL.len());
        assert!(Problem::ALL.windows(2).all(|pair| {
            let [a, b] = [pair[0].info().code, pair[1].info().code];
            a.as_bytes()[0] != b.as_bytes()[0] || a < b
        }));
    }

    #[test]
    fn every_error_has_a_known_number_and_every_note_none() {
        for problem in Problem::ALL {
            let info = problem.info();
            match info.severity {
                Severity::Error => assert!(info.jet.is_error(), "{}", info.code),
                Severity::Note => assert!(!info.jet.is_error(), "{}", info.code),
                Severity::Warning => {}
            }
            assert_ne!(info.jet.name(), "JET_errUnknown", "{}", info.code);
        }
    }
}
