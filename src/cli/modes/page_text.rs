//! `m /p`, `m /n`, `m /i` as Eseutil lays them out.

use std::fmt::{Display, Write as _};

use crate::cli::escape::escape;
use crate::db::space::Pool;
use crate::format::ids::PageSize;
use crate::format::page::{NodeFlags, PageFlags};
use crate::ops::page_dump::{Checksums, PageDump, Sizes, SpaceDump, TagDump, TagWhat};

/// Bytes in a line of a hexadecimal dump.
const WIDTH: usize = 16;
/// Bytes in a group.
const GROUP: usize = 4;

/// Text that is put together; memory takes every line.
#[derive(Default)]
pub struct Text(String);

impl Text {
    /// A line.
    pub fn line(&mut self, text: impl Display) -> &mut Self {
        let written = writeln!(self.0, "{text}");
        debug_assert!(written.is_ok());
        self
    }

    /// What was put together.
    pub fn into_string(self) -> String {
        self.0
    }

    /// Offset, bytes in groups, characters.
    pub fn hex(&mut self, bytes: &[u8]) -> &mut Self {
        for (number, row) in bytes.chunks(WIDTH).enumerate() {
            let groups: Vec<String> = row
                .chunks(GROUP)
                .map(|group| group.iter().map(|byte| format!("{byte:02x}")).collect())
                .collect();
            let characters: String = row.iter().copied().map(printable).collect();
            let width = 2 * WIDTH + WIDTH / GROUP;
            let groups = groups.join(" ");
            self.line(format_args!(
                "{:08x}    {groups:width$}\\ {characters}",
                number * WIDTH
            ));
        }
        self
    }
}

fn printable(byte: u8) -> char {
    match byte {
        b' '..=b'~' => byte.into(),
        _ => '.',
    }
}

/// The whole page; with `raw` its bytes too.
pub fn page(dump: &PageDump, size: PageSize, raw: bool) -> String {
    let mut out = Text::default();
    checksums(&mut out, &dump.checksum, dump, size);
    out.line("");
    fields(&mut out, dump, size);
    kinds(&mut out, dump);
    out.line("").line("");
    for tag in &dump.tags {
        tag_line(&mut out, tag);
    }
    if dump.tags.is_empty() {
        out.line("[No tags found]");
    } else {
        out.line("");
        statistics(&mut out, dump);
    }
    out.line("").line("");
    if raw {
        let bytes = dump.bytes.len();
        out.line(format_args!("Raw dump ({bytes} bytes):"));
        out.hex(&dump.bytes).line("");
    }
    out.into_string()
}

fn checksums(out: &mut Text, sums: &Checksums, dump: &PageDump, size: PageSize) {
    let bad = sums.stored != sums.computed;
    if size.is_large() && sums.new_format {
        let four = |sums: &[u64; 4]| sums.map(|sum| format!("0x{sum:016X}")).join(":");
        out.line(format_args!("HEADER checksum     = {}", four(&sums.stored)));
        if bad {
            out.line("****** checksum mismatch ******");
            out.line(format_args!(
                "COMPUTED checksum   = {}",
                four(&sums.computed)
            ));
            correction(out, sums, "");
        }
    } else {
        let (stored, computed) = (sums.stored[0], sums.computed[0]);
        out.line(format_args!("\theader checksum       = 0x{stored:016x}"));
        if bad {
            out.line("\t****** checksum mismatch ******");
            out.line(format_args!("\tcomputed checksum     = 0x{computed:016x}"));
        }
        if sums.new_format {
            out.line("\t\tnew checksum format");
            let halves = [("ECC", "ECC checksum", 32), ("XOR", "XOR checksum", 0)];
            for (kind, label, shift) in halves {
                let pad = if kind == "XOR" { "  " } else { "" };
                let half = |sum: u64| (sum >> shift) as u32;
                out.line(format_args!(
                    "\t\t\theader {label}{pad} = 0x{:08x}",
                    half(stored)
                ));
                if bad {
                    out.line(format_args!(
                        "\t\t\tcomputed {label} = 0x{:08x}",
                        half(computed)
                    ));
                }
            }
            if bad {
                correction(out, sums, "\t");
            }
        } else {
            out.line("\t\told checksum format");
            out.line(format_args!("\t\t\tpgno = {}", stored >> 32));
        }
    }
    let logged = dump.checksum.logged_data;
    out.line(format_args!(
        "                       logged data checksum = {logged:16x}"
    ));
}

fn correction(out: &mut Text, sums: &Checksums, indent: &str) {
    match (sums.wrong_bit, sums.belongs_to) {
        (Some(bit), _) => out.line(format_args!(
            "{indent}checksum error is correctable: bit {bit} is corrupted"
        )),
        (None, Some(page)) => out.line(format_args!(
            "{indent}checksum error is NOT correctable: perhaps this is actually page {page}?"
        )),
        (None, None) => out.line(format_args!("{indent}checksum error is NOT correctable")),
    };
}

/// A field of the header: label, offset in the page, size, value.
fn field(out: &mut Text, label: &str, offset: usize, size: usize, value: impl Display, hex: u64) {
    out.line(format_args!(
        "\t{label:>24} <0x{offset:016X},{size:3}>:  {value} (0x{hex:X})"
    ));
}

fn unsigned(out: &mut Text, label: &str, (offset, size): (usize, usize), value: u64) {
    field(out, label, offset, size, value, value);
}

fn fields(out: &mut Text, dump: &PageDump, size: PageSize) {
    let header = &dump.header;
    let sum = dump.checksum.stored[0];
    field(out, "checksum", 0, 8, sum.cast_signed(), sum);
    let rows = [
        ("dbtimeDirtied", (8, 8), header.dbtime.get()),
        ("pgnoPrev", (16, 4), header.prev.get().into()),
        ("pgnoNext", (20, 4), header.next.get().into()),
        ("objidFDP", (24, 4), header.objid.get().into()),
        ("cbFree", (28, 2), header.free as u64),
        ("cbUncommittedFree", (30, 2), header.uncommitted_free as u64),
        ("ibMicFree", (32, 2), header.mic_free as u64),
        ("itagState", (34, 2), header.tag_state.into()),
    ];
    for (label, place, value) in rows {
        unsigned(out, label, place, value);
    }
    let (reserved, tags) = (header.reserved_tags, header.tag_count);
    out.line(format_args!("\t{:>49}:  {reserved}", "ctagReserved"));
    out.line(format_args!("\t{:>49}:  {tags}", "itagMicFree"));
    unsigned(out, "fFlags", (36, 4), header.flags.into());
    if size.is_large() {
        for (number, sum) in dump.checksum.stored[1..].iter().enumerate() {
            let label = format!("rgChecksum[{number}]");
            field(out, &label, 40 + 8 * number, 8, sum.cast_signed(), *sum);
        }
        let own = header.own_number.unwrap_or_default().get();
        unsigned(out, "pgno", (64, 4), own.into());
    }
}

fn kinds(out: &mut Text, dump: &PageDump) {
    let flags = PageFlags::new(dump.header.flags);
    let mut when = |set: bool, text: &str| {
        if set {
            out.line(format_args!("\t\t{text}"));
        }
    };
    when(flags.is_leaf(), "Leaf page");
    when(flags.any(PageFlags::PARENT_OF_LEAF), "Parent of leaf");
    when(!flags.is_leaf(), "Internal page");
    when(flags.is_root(), "Root page");
    if let Some(space) = &dump.space {
        when(true, "FDP page");
        space_lines(out, space);
    }
    let mut when = |set: bool, text: &str| {
        if set {
            out.line(format_args!("\t\t{text}"));
        }
    };
    when(flags.is_empty(), "Empty page");
    when(flags.any(PageFlags::PRE_INIT), "Pre-init page");
    when(flags.is_space_tree(), &space_tree(dump));
    when(flags.any(PageFlags::REPAIR), "Repaired page");
    let index = flags.any(PageFlags::INDEX);
    when(!index, "Primary page");
    let unique = !flags.any(PageFlags::NON_UNIQUE);
    when(index && !unique, "Index page (non-unique keys)");
    when(index && unique, "Index page (unique keys)");
    when(flags.any(PageFlags::LONG_VALUE), "Long Value page");
    when(flags.any(PageFlags::NEW_RECORD_FORMAT), "New record format");
    when(flags.has_new_checksum(), "New checksum format");
    when(flags.any(PageFlags::SCRUBBED), "Scrubbed");
    let deleted = flags.any(PageFlags::FDP_DELETE);
    when(deleted && flags.is_root(), "FDP Root Delete Page");
    when(deleted && !flags.is_root(), "FDP Delete Page");
    when(true, &format!("PageFlushType = {}", flags.flush_type()));
}

fn space_lines(out: &mut Text, space: &SpaceDump) {
    if !space.sound {
        out.line("\t\tCorrupted External Header");
        return;
    }
    if space.flagged {
        out.line("\t\tNew external header format");
        out.line("\t\t\tSpace header flag presents");
        if space.auto_increment.is_some() {
            out.line("\t\t\tAutoInc flag presents");
        }
    }
    let parent = space.parent;
    match (space.owned_root, space.free_bitmap) {
        (Some(owned), _) => out.line(format_args!(
            "\t\t\tMultiple Extent Space (ParentFDP: {parent}, pgnoOE: {owned})"
        )),
        (None, bitmap) => out.line(format_args!(
            "\t\t\tSingle Extent Space (ParentFDP: {parent}, CpgPri: {}, AvailBitmap: 0x{:08X})",
            space.pages,
            bitmap.unwrap_or_default()
        )),
    };
    if let Some(value) = space.auto_increment {
        out.line(format_args!("\t\t\tAuto increment maximum: {value}"));
    }
}

fn space_tree(dump: &PageDump) -> String {
    let mut text = "Space tree page".to_owned();
    match &dump.split_buffers {
        None => {}
        Some(buffers) if !buffers.sound => text += "\tCorrupted Split Buffer!",
        Some(buffers) if buffers.runs.iter().all(|run| run.1 == 0) => text += " (spbuf: none)",
        Some(buffers) => {
            text += " (spbuf:";
            for (number, (last, count)) in (1..).zip(buffers.runs) {
                if count > 0 {
                    let first = (last.get() + 1).saturating_sub(count);
                    text += &format!(" buf{number}: {first}-{last} ({count})");
                }
            }
            text += ") ";
        }
    }
    text
}

/// The three flags of a node.
pub fn flag_letters(flags: u8) -> String {
    let letter = |bit: u8, letter: char| if flags & bit != 0 { letter } else { ' ' };
    let all = [
        letter(NodeFlags::VERSION, 'v'),
        letter(NodeFlags::DELETED, 'd'),
        letter(NodeFlags::COMPRESSED, 'c'),
    ];
    format!("({})", all.iter().collect::<String>())
}

/// The engine's name of a pool.
pub const fn pool_name(pool: Pool) -> &'static str {
    match pool {
        Pool::General => "Gen",
        Pool::Continuous => "Cont",
        Pool::Shelved => "Shvd",
        Pool::Unknown(_) => "Unkn",
    }
}

fn tag_line(out: &mut Text, tag: &TagDump) {
    let (itag, cb, ib, start) = (tag.itag, tag.cb, tag.ib, tag.offset);
    let end = start + usize::from(cb);
    let flags = format!("0x{:04x} {}", tag.flags, flag_letters(tag.flags));
    let head = format!("TAG {itag:3}: cb:0x{cb:04x},ib:0x{ib:04x}");
    let place = format!("offset:0x{start:04x}-0x{end:04x} flags:{flags}");
    match &tag.what {
        TagWhat::Reserved => out.line(format_args!("{head}{:50}{place}", "")),
        TagWhat::Extent {
            first,
            last,
            count,
            pool,
        } => out.line(format_args!(
            "TAG {itag:3}: cb=0x{cb:04x},ib=0x{ib:04x} SP: {}: {count},{first}-{last} flags={flags}",
            pool_name(*pool)
        )),
        TagWhat::Node {
            prefix,
            suffix,
            data,
            child,
            ..
        } => {
            let child = child.map(|child| format!("    pgno: {child} (0x{:x})", child.get()));
            out.line(format_args!(
                "{head} prefix:cb=0x{prefix:04x} suffix:cb=0x{suffix:04x} data:cb=0x{data:04x} {place}{}",
                child.unwrap_or_default()
            ))
        }
        TagWhat::Broken { fault } => {
            out.line(format_args!("{head} {place} ****** {} ******", escape(fault)))
        }
    };
}

/// One digit behind the point as C prints it: exact halves, which only quarters are, go up.
fn one_digit(value: f64) -> String {
    let is_half = (4.0 * value) % 2.0 == 1.0;
    format!("{:.1}", if is_half { value + 0.01 } else { value })
}

fn statistics(out: &mut Text, dump: &PageDump) {
    let stats = &dump.statistics;
    let count = dump
        .header
        .tag_count
        .saturating_sub(dump.header.reserved_tags);
    out.line(format_args!("Nodes: {count}"));
    out.line("                      min,    ave,   max, total");
    let mut row = |label: &str, sizes: &Sizes, counted: bool| {
        // The engine's least size of nothing.
        let min = if sizes.count == 0 {
            "-1".to_owned()
        } else {
            sizes.min.to_string()
        };
        let nodes = match counted {
            true => format!(" (nodes={})", sizes.count),
            false => String::new(),
        };
        let average = one_digit(sizes.average());
        out.line(format_args!(
            "{label:>18}: {min:>5}, {average:>6}, {:5}, {:5}{nodes}",
            sizes.max, sizes.total
        ));
    };
    row("Logical Key Sizes", &stats.keys, false);
    if stats.key_prefixes.count > 0 {
        row("Key Compression", &stats.key_prefixes, true);
    }
    row("Node Data Sizes", &stats.data, false);
    if stats.deleted.count > 0 {
        row("Unreclaimed Space", &stats.deleted, true);
    }
}

#[cfg(test)]
mod tests {
    use super::one_digit;

    #[test]
    fn halves_go_up() {
        let cases = [
            (3.25, "3.3"),
            (0.75, "0.8"),
            (4.05, "4.0"),
            (2.0, "2.0"),
            (0.5, "0.5"),
        ];
        for (value, text) in cases {
            assert_eq!(one_digit(value), text);
        }
    }
}
