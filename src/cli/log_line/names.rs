//! What Eseutil calls the types of records.

use crate::format::logrec::RecordKind;

/// The name, nine characters wide; types that no current engine knows go by their own names.
#[must_use]
pub const fn short_name(kind: RecordKind) -> &'static str {
    match kind.get() {
        0 => "NOP      ",
        1 | 49 => "Init     ",
        2 | 50 => "Term     ",
        3 => "MS       ",
        4 => "End      ",
        5 => "Begin    ",
        6 => "Commit   ",
        7 => "Rollback ",
        8 => "Begin0   ",
        9 => "Commit0  ",
        10 => "Refresh  ",
        11 => "McroBegin",
        12 => "McroComit",
        13 => "McroAbort",
        14 => "CreateDB ",
        15 => "AttachDB ",
        16 => "DetachDB ",
        17 | 51 => "RcvUndo  ",
        18 | 52 => "RcvQuit  ",
        19 => "FullBkUp ",
        20 => "IncBkUp  ",
        21 => "JetOp    ",
        22 => "Trace    ",
        23 => "ShutDown ",
        24 => "Create M ",
        25 => "Create S ",
        26 | 58 => "Convert  ",
        27 => "Split    ",
        28 => "Merge    ",
        29 => "Insert   ",
        30 => "FInsert  ",
        31 => "FInsertRD",
        32 => "FDelete  ",
        33 => "Replace  ",
        34 => "ReplaceD ",
        35 => "Delete   ",
        36 => "UndoInfo ",
        37 => "Delta    ",
        38 => "SetExtHdr",
        39 => "Undo     ",
        40 => "SLVPgAppd",
        41 => "SLVSpace ",
        42 => "Checksum ",
        43 => "SLVPgMove",
        44 => "FDetachDB",
        45 => "ExtRest  ",
        46 => "Backup   ",
        47 => "UpgradeDB",
        48 => "EmptyTree",
        53 => "BeginDT  ",
        54 => "PreCommit",
        55 => "PreRollbk",
        56 => "DbList   ",
        57 => "FWriteLog",
        59 => "ExtRest2 ",
        60 => "Backup2  ",
        61 => "FRollLog ",
        62 => "Split2   ",
        63 => "Merge2   ",
        64 => "Scrub    ",
        65 => "PageMove ",
        66 => "PagePatch",
        67 => "McroInfo ",
        68 => "ExtendDB ",
        69 => "CommitCtx",
        70 => "ScanCheck",
        71 => "NOP2     ",
        72 => "ReAttach ",
        73 => "McroInfo2",
        74 => "FreeFDP  ",
        75 | 82..=91 => "Ignored  ",
        76 => "FragBegin",
        77 => "FragContd",
        78 => "ShrinkDB ",
        79 => "CrDBFinsh",
        80 => "RcvQKA   ",
        81 => "TrimDB   ",
        92 => "SetDbVer ",
        93 => "Delta64  ",
        94 => "ShrinkDB2",
        95 => "NewPage  ",
        96 => "PageMoveR",
        97 => "SAttachDB",
        98 => "ScanChk2 ",
        99 => "ShrinkDB3",
        100 => "ExtFreed ",
        101 => "ExtFreed2",
        _ => "*UNKNOWN*",
    }
}

#[cfg(test)]
mod tests {
    use super::short_name;
    use crate::format::logrec::RecordKind;

    #[test]
    fn every_type_has_a_name_of_one_width() {
        for number in 0..=u8::MAX {
            let kind = RecordKind::new(number);
            let name = short_name(kind);
            assert_eq!(name.len(), 9, "{name}");
            assert_eq!(name == "*UNKNOWN*", kind.name().is_none(), "{number}");
        }
    }
}
