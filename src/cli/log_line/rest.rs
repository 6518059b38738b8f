//! Transactions, databases, backups, marks.

use super::Line;
use crate::cli::escape::escape;
use crate::format::loghdr::Environment;
use crate::format::logrec::{
    AttachDb, BackupStep, Close, CloseKind, CommitContext, CreateDb, FreeFdp, Init, Note, Record,
    RecordKind, ScanCheck,
};
use crate::format::stamp::{Lgpos, LogTime, Signature};

/// Text up to its first zero, in one byte a character.
fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0);
    String::from_utf8_lossy(&bytes[..end.unwrap_or(bytes.len())]).into_owned()
}

/// The same in UTF-16.
fn wide_text(bytes: &[u8]) -> String {
    let units = bytes.as_chunks::<2>().0.iter();
    let units = units.map(|unit| u16::from_le_bytes(*unit));
    char::decode_utf16(units.take_while(|unit| *unit != 0))
        .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
}

/// A path as Eseutil prints it in records: characters beyond the western ones are lost. JSON has them.
fn shown_path(path: &str) -> String {
    let fits = |c: char| u32::from(c) < 0x100;
    if path.chars().all(fits) {
        return escape(path).into_owned();
    }
    let lossy: String = path
        .chars()
        .map(|c| if fits(c) { c } else { '?' })
        .collect();
    format!("{} - LOST UNICODE CHARACTERS UNPRINTED", escape(&lossy))
}

impl Line<'_> {
    /// Every record that is not about pages.
    pub(super) fn rest(&mut self, kind: RecordKind, len: usize, record: &Record<'_>) {
        match record {
            Record::Begin(begin) => {
                self.put(format_args!(
                    " ({:x},from:{},to:{})",
                    begin.procid.0,
                    begin.from,
                    begin.from + begin.levels
                ));
                if let Some(trx) = begin.trx {
                    self.put(format_args!(" {:x}", trx.0));
                }
            }
            Record::Commit(commit) => {
                self.put(format_args!(" ({:x},to:{})", commit.procid.0, commit.to));
                if let Some(trx) = commit.trx {
                    self.put(format_args!(" {:x}", trx.0));
                }
            }
            Record::Rollback(procid, levels) => {
                self.put(format_args!(" ({:x},{levels})", procid.0));
            }
            Record::Refresh(procid, trx) => {
                self.put(format_args!(" ({:x},{:x})", procid.0, trx.0));
            }
            Record::Macro(procid, time, _) => {
                self.put(format_args!(" ({:x}) {:x}", procid.0, time.get()));
            }
            Record::Init(init) => self.init(init),
            Record::Close(close) => self.close(close),
            Record::RecoveryUndo(Some(time)) => self.moment(*time),
            Record::CreateDb(create) => self.create_db(create),
            Record::CreateDbFinish(procid, dbid) => {
                self.put(format_args!(" ({:x},{})", procid.0, dbid.0));
            }
            Record::AttachDb(attach) => self.attach_db(attach),
            Record::SignalAttachDb(dbid) => self.put(format_args!(" (dbid:{})", dbid.0)),
            Record::DetachDb(detach) => self.put(format_args!(
                " ({:x},{},{})",
                detach.procid.0,
                shown_path(&detach.path),
                detach.dbid.0
            )),
            Record::ReAttach(attach) => {
                self.put(format_args!(" [{}:],", attach.dbid.0));
                self.place_of(" consistent:", attach.consistent);
                self.place_of(" attach:", attach.attached);
                self.out.push_str(" SigDb: ");
                self.signature(&attach.sign_db);
            }
            Record::SetDbVersion(version) => self.put(format_args!(
                " (dbid:{}, DB ver:{}.{}.{})",
                version.dbid.0, version.major, version.update_major, version.update_minor
            )),
            Record::Backup(step) => self.backup(step),
            Record::Note(note) => self.note(note),
            Record::ScanCheck(scan) => self.scan(scan),
            Record::MacroPages(pages) => {
                self.out.push(' ');
                for pgno in pages.pages() {
                    self.put(format_args!("[{}:{pgno}],", pages.dbid.0));
                }
            }
            Record::CommitContext(context) => self.commit_context(context),
            Record::FreeFdp(freed) => self.put(format_args!(
                " {:x}:([{}:{}] ({}))",
                freed.trx.0,
                freed.dbid.0,
                freed.pgno,
                if freed.kind == FreeFdp::TABLE {
                    'T'
                } else {
                    'I'
                }
            )),
            Record::PagePatch(patch) => self.put(format_args!(
                " {:x},[{}:{}]",
                patch.dbtime.get(),
                patch.dbid.0,
                patch.pgno.get().cast_signed()
            )),
            Record::RangeCheck(range) => {
                self.put(format_args!(
                    " (0x{:X},0x{:X},0x{:X} checksum [0x{:X}",
                    range.backwards, range.forwards, range.next, range.checksum
                ));
                if let Some(short) = range.short {
                    self.put(format_args!(",0x{short:X}"));
                }
                self.out.push_str("])");
            }
            Record::ForceWriteLog(procid) => self.put(format_args!(" ({:x})", procid.0)),
            Record::Other(..) | Record::Padding if kind.is_ignored_shape() => {
                let fixed = kind.fixed_len().unwrap_or_default();
                self.put(format_args!(
                    " (lrtyp = {}, {} bytes)",
                    kind.get(),
                    len.saturating_sub(fixed)
                ));
            }
            _ => {}
        }
    }

    fn moment(&mut self, time: LogTime) {
        let [seconds, minutes, hours, day, month, ..] = time.0;
        self.put(format_args!(
            " ({month}/{day}/{} {hours}:{minutes:02}:{seconds:02}.{:03})",
            time.year(),
            time.millis()
        ));
    }

    fn place_of(&mut self, label: &str, at: Lgpos) {
        self.put(format_args!(
            "{label}({:X},{:X},{:X})",
            at.generation.get(),
            at.isec,
            at.ib
        ));
    }

    /// As in headers, but a missing computer is called `<None>`.
    fn signature(&mut self, signature: &Signature) {
        let name = signature.computer_name();
        let none = if name.is_empty() { "<None>" } else { "" };
        self.put(format_args!("{}{none}", escape(&signature.to_string())));
    }

    fn init(&mut self, init: &Init<'_>) {
        if let Some(time) = init.time {
            self.moment(time);
        }
        let Ok(env) = Environment::parse(init.environment) else {
            return;
        };
        self.put(format_args!(
            "\n      Env SystemPath:{}\n      Env LogFilePath:{}\n",
            escape(&env.system_path.text()),
            escape(&env.log_path.text())
        ));
        let mut lines = crate::cli::layout::Layout::new();
        crate::cli::modes::log_environment(&mut lines, &env);
        self.out.push_str(&lines.eseutil());
    }

    fn close(&mut self, close: &Close) {
        if let Some(time) = close.time {
            self.moment(time);
        }
        if close.kind == CloseKind::Term {
            return;
        }
        let how = if close.hard { "Hard" } else { "Soft" };
        self.put(format_args!("\n      Quit on {how} Restore."));
        self.place_of("\n      RedoFrom:", close.redo_from);
        self.place_of("\n      UndoRecordFrom:", close.of);
        self.out.push('\n');
    }

    fn create_db(&mut self, create: &CreateDb) {
        let (major, minor) = create.version.unwrap_or_default();
        self.put(format_args!(
            " ({:x},{},{}) Version: 0x{major:x},0x{minor:x} cpgMax: {} Sig: ",
            create.procid.0,
            shown_path(&create.path),
            create.dbid.0,
            create.max_pages
        ));
        self.signature(&create.sign_db);
        self.put(format_args!(" sparse: {}", u8::from(create.is_sparse())));
    }

    fn attach_db(&mut self, attach: &AttachDb) {
        self.put(format_args!(
            " ({:x},{},{}) cpgMax: {}",
            attach.procid.0,
            shown_path(&attach.path),
            attach.dbid.0,
            attach.max_pages
        ));
        self.place_of(" consistent:", attach.consistent);
        self.out.push_str("   SigDb: ");
        self.signature(&attach.sign_db);
        self.out.push_str("   SigLog: ");
        self.signature(&attach.sign_log);
        self.put(format_args!(" sparse: {}", u8::from(attach.is_sparse())));
    }

    fn backup(&mut self, step: &BackupStep) {
        let phase = match step.phase {
            1 => "Begin",
            2 => "PrepLogs",
            3 => "Truncate",
            4 => "Update",
            5 => "Torpedos Away!",
            6 => "Stop",
            _ => "*Unknown*",
        };
        let kind = match step.kind {
            0 => "External",
            1 => "OSSnapshot",
            3 => "Surrogate",
            _ => "*Unknown*",
        };
        let scope = match step.scope {
            1 => "Full",
            2 => "Incremental",
            5 => "Copy",
            6 => "Differential",
            _ => "*Unknown*",
        };
        self.put(format_args!(
            " {phase}( {kind}:{scope}, dbid={}, phaseDetails[",
            step.dbid.0
        ));
        self.place_of("", step.info.mark);
        self.out.push(',');
        let before = self.out.len();
        self.moment(step.info.time);
        // Here without the blank before the bracket.
        self.out.remove(before);
        self.put(format_args!(
            ",({},{})] )",
            step.info.low.get(),
            step.info.high.get()
        ));
        if !step.text.is_empty() {
            self.put(format_args!(" {}", escape(&step.text)));
        }
    }

    fn note(&mut self, note: &Note<'_>) {
        match note.kind {
            RecordKind::TRACE | RecordKind::FORCE_LOG_ROLLOVER => self.put(format_args!(
                " ({:x}) {}",
                note.procid.map_or(0, |procid| procid.0),
                escape(&text(note.text))
            )),
            RecordKind::EXT_RESTORE2 => {
                let first = wide_text(note.text);
                let behind = (first.encode_utf16().count() + 1) * 2;
                let second = wide_text(note.text.get(behind..).unwrap_or_default());
                self.put(format_args!(" ({},{})", escape(&first), escape(&second)));
            }
            RecordKind::EXT_RESTORE => {
                let first = text(note.text);
                let end = note.text.iter().position(|byte| *byte == 0);
                let second = end.map_or(&[][..], |end| &note.text[end + 1..]);
                self.put(format_args!(
                    " ({},{})",
                    escape(&first),
                    escape(&text(second))
                ));
            }
            RecordKind::BACKUP => {
                let what = match note.detail {
                    0 => " FullBackup",
                    1 => " IncrementalBackup",
                    2 => " StartSnapshot",
                    3 => " StopSnapshot",
                    4 => " TruncateLogs",
                    5 => " OSSnapshot",
                    6 => " OSIncrementalSnapshot",
                    _ => "",
                };
                self.out.push_str(what);
                if !note.text.is_empty() {
                    self.put(format_args!(" {}", escape(&text(note.text))));
                }
            }
            _ => self.put(format_args!("{}", escape(&text(note.text)))),
        }
    }

    fn scan(&mut self, scan: &ScanCheck) {
        self.put(format_args!(
            " {:x},{:x}[{}:{}]",
            scan.current_dbtime.get(),
            scan.page_dbtime.get(),
            scan.dbid.0,
            scan.pgno
        ));
        if let Some(source) = scan.source {
            self.put(format_args!(
                ",source:{},{},{}",
                source & 3,
                ["VO", "IVO"][usize::from(source & 0x80 != 0)],
                ["NEP", "EP"][usize::from(source & 0x40 != 0)]
            ));
        }
    }

    fn commit_context(&mut self, context: &CommitContext<'_>) {
        let (flags, bytes) = context.flags_and_bytes(self.style.commit_flags);
        self.put(format_args!(" ({:x}) ", context.procid.0));
        let word = |flag: u8, word: &'static str| if flags & flag != 0 { word } else { "" };
        let mut shown = self.style;
        if self.style.commit_flags {
            self.put(format_args!(
                "[{}{}{}]",
                word(CommitContext::CALLBACK, "C"),
                word(CommitContext::PRE_COMMIT, "R"),
                word(CommitContext::CUSTOMER_DATA, "P")
            ));
            // What is not a customer's is always shown.
            shown.data |= flags & CommitContext::CUSTOMER_DATA == 0;
        }
        let style = std::mem::replace(&mut self.style, shown);
        self.data(&[bytes]);
        self.style = style;
    }
}
