//! One log record as a line of text, as Eseutil's `/ml /v` prints it. [engine: layout of its dump; equal on every
//! corpus dump]
//!
//! ```text
//! >00000001,0002,0082 Replace   4a,49,c:1(5,[1:3:0],U:NV:SP:USR:NCI,    4,    4,    4,rceid:0,objid:[1:1])17 00 00 00
//!  generation, sector, byte     time after, before, transaction:level(session,[database:page:line],flags,...)data
//! ```

mod names;
mod node;
mod rest;
mod tree;

use std::fmt::Write as _;

use crate::format::logrec::{PageHead, Record, RecordKind};
use crate::format::stamp::Lgpos;

pub use names::short_name;

/// Bytes of data that a line shows.
const SHOWN: usize = 16;

/// How records are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// The first bytes of data; else only that there are some.
    pub data: bool,
    /// The log's CommitCtx records have flags.
    pub commit_flags: bool,
}

/// Appends the line of a record, without its position and without an end of line. `bytes` are the record's; empty ones
/// are no record and append nothing. Records such as Init take several lines.
pub fn write_record(out: &mut String, bytes: &[u8], record: &Record<'_>, style: Style) {
    let Some(kind) = bytes.first().copied().map(RecordKind::new) else {
        return;
    };
    out.push(' ');
    out.push_str(short_name(kind));
    let mut line = Line { out, style };
    if !line.node(kind, record) && !line.tree(kind, record) {
        line.rest(kind, bytes.len(), record);
    }
}

/// Appends the position as the dump shows it.
pub fn write_position(out: &mut String, at: Lgpos) {
    put(
        out,
        format_args!(">{:08X},{:04X},{:04X}", at.generation.get(), at.isec, at.ib),
    );
}

/// A String takes everything.
fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    let _ = out.write_fmt(text);
}

/// A line that grows.
struct Line<'a> {
    out: &'a mut String,
    style: Style,
}

impl Line<'_> {
    fn put(&mut self, text: std::fmt::Arguments<'_>) {
        put(self.out, text);
    }

    /// ` after,before,transaction:level(session,`
    fn start(&mut self, head: &PageHead) {
        self.put(format_args!(
            " {:x},{:x},{:x}:{}({:x},",
            head.after.get(),
            head.before.get(),
            head.trx.0,
            head.level,
            head.procid.0
        ));
    }

    /// Hexadecimal digits of the first bytes, which may lie in several parts.
    fn data(&mut self, parts: &[&[u8]]) {
        const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
        if !self.style.data {
            self.out.push_str("<Data>");
            return;
        }
        for byte in parts.iter().copied().flatten().take(SHOWN) {
            self.out.push(char::from(DIGITS[usize::from(byte >> 4)]));
            self.out.push(char::from(DIGITS[usize::from(byte & 15)]));
            self.out.push(' ');
        }
    }
}

/// The words for the flags of a page change.
struct Words(u8);

impl Words {
    const fn pick(&self, flag: u8, words: [&'static str; 2]) -> &'static str {
        words[(self.0 & flag != 0) as usize]
    }

    const fn unique(&self) -> &'static str {
        self.pick(PageHead::FLAG_UNIQUE, ["NU", "U"])
    }

    const fn versioned(&self) -> &'static str {
        self.pick(PageHead::FLAG_VERSIONED, ["NV", "V"])
    }

    const fn deleted(&self) -> &'static str {
        self.pick(PageHead::FLAG_DELETED, ["ND", "D"])
    }

    const fn space(&self) -> &'static str {
        self.pick(PageHead::FLAG_SPACE, ["NSP", "SP"])
    }

    const fn system(&self) -> &'static str {
        self.pick(PageHead::FLAG_SYSTEM_TASK, ["USR", "SYS"])
    }

    const fn concurrent(&self) -> &'static str {
        self.pick(PageHead::FLAG_CONCURRENT_INDEX, ["NCI", "CI"])
    }
}
