//! `m`: one page, one node, or one tag.

use std::path::Path;

use clap::ArgMatches;
use serde::Serialize;

use super::page_text::Text;
use super::{access_failed, files, node_text, page_size, page_text};
use crate::cli::exit::ExitStatus;
use crate::cli::layout::Layout;
use crate::cli::session::{Format, Session};
use crate::db::catalog::Schema;
use crate::db::{Database, PageError};
use crate::format::ids::{PageSize, Pgno};
use crate::format::page::Page;
use crate::jet::JetError;
use crate::ops::export::read_schema;
use crate::ops::page_dump::{
    LineDump, LineKind, NodeDump, PageDump, TagWhat, dump_node, dump_page, dump_tag, line_count,
    read_header_page, read_raw,
};

/// What is asked for.
#[derive(Clone, Copy)]
enum Wanted {
    Page(i64),
    Node(Pgno, Option<usize>),
    Tag(Pgno, Option<usize>),
}

/// Nodes or lines of one page.
#[derive(Serialize)]
struct Lines<T> {
    page: Pgno,
    lines: Vec<Numbered<T>>,
}

#[derive(Serialize)]
struct Numbered<T> {
    line: usize,
    #[serde(flatten)]
    dump: T,
}

pub fn run(matches: &ArgMatches) -> ExitStatus {
    let wanted = match wanted(matches) {
        Ok(wanted) => wanted,
        Err(text) => {
            eprintln!("Usage Error: {text}");
            return ExitStatus::Usage;
        }
    };
    let raw = matches.get_flag("verbose");
    let mut session = Session::new("m", matches);
    session.head("FILE DUMP");
    for path in files(matches) {
        session.eseutil(&format!("      Database: {}\n", path.display()));
        if let Wanted::Page(number) = wanted {
            session.eseutil(&format!("          Page: {number}\n"));
        }
        session.eseutil("\n");
        let db = match Database::open(path, page_size(matches)) {
            Ok(db) => db,
            Err(error) => {
                session.failure(path, &error, &access_failed(path, &error));
                continue;
            }
        };
        let done = match wanted {
            Wanted::Page(number @ ..=0) => header_page(&mut session, path, &db, number),
            Wanted::Page(number) => page(&mut session, path, &db, number, raw),
            Wanted::Node(pgno, line) => nodes(&mut session, path, &db, pgno, line),
            Wanted::Tag(pgno, itag) => tags(&mut session, path, &db, pgno, itag),
        };
        if let Err(error) = done {
            failed(&mut session, path, &error);
        }
    }
    session.close()
}

fn wanted(matches: &ArgMatches) -> Result<Wanted, String> {
    let get = |name| matches.get_one::<String>(name).map(String::as_str);
    let invalid = |text: &str| format!("Invalid page or node specification '{text}'.");
    match (get("page"), get("node"), get("tag")) {
        (Some(text), None, None) => {
            let page = number(text).filter(|page| (-1..=i64::from(Pgno::MAX.get())).contains(page));
            page.map(Wanted::Page).ok_or_else(|| invalid(text))
        }
        (None, Some(text), None) => {
            let (pgno, line) = place(text).ok_or_else(|| invalid(text))?;
            Ok(Wanted::Node(pgno, line))
        }
        (None, None, Some(text)) => {
            let (pgno, itag) = place(text).ok_or_else(|| invalid(text))?;
            Ok(Wanted::Tag(pgno, itag))
        }
        _ => Err("One of --page, --node, --tag is needed.".into()),
    }
}

/// Decimal, or hexadecimal behind `0x`, as the original's `wcstol`.
fn number(text: &str) -> Option<i64> {
    match text.strip_prefix("0x").or(text.strip_prefix("0X")) {
        Some(digits) => i64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

/// `pgno:line`, also `dbid:pgno:line`, also in brackets; -1 is every line.
fn place(text: &str) -> Option<(Pgno, Option<usize>)> {
    let inner = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    let parts: Vec<&str> = inner.unwrap_or(text).split(':').collect();
    let (page, line) = match parts[..] {
        [page, line] | [_, page, line] => (page, line),
        _ => return None,
    };
    let pgno = Pgno::new(u32::try_from(number(page)?).ok()?);
    match number(line)? {
        -1 => Some((pgno, None)),
        line => Some((pgno, Some(usize::try_from(line).ok()?))),
    }
}

fn failed(session: &mut Session, path: &Path, error: &PageError) {
    let error = crate::error::Error::Page {
        path: path.to_owned(),
        jet: error.jet(),
        what: error.to_string(),
    };
    session.failure(path, &error, &format!("{error}\n"));
}

fn header_page(
    session: &mut Session,
    path: &Path,
    db: &Database,
    number: i64,
) -> Result<(), PageError> {
    let bytes = read_header_page(db, number).map_err(|_| PageError::Beyond)?;
    let mut text = Text::default();
    text.line("A header page: 'mh' shows its fields.").line("");
    text.hex(&bytes);
    show(session, path, text, &HeaderPage { page: number });
    Ok(())
}

#[derive(Serialize)]
struct HeaderPage {
    page: i64,
}

fn page(
    session: &mut Session,
    path: &Path,
    db: &Database,
    number: i64,
    raw: bool,
) -> Result<(), PageError> {
    let pgno = Pgno::new(u32::try_from(number).unwrap_or(u32::MAX));
    let dump = dump_page(db, pgno)?;
    if session.format == Format::Eseutil {
        session.opened();
        // Names are escaped already, and the layout has tabs.
        crate::cli::session::write_out(&page_text::page(&dump, db.page_size(), raw));
        return Ok(());
    }
    session.report(path, JetError::SUCCESS, &dump.findings, &dump, || {
        page_layout(&dump)
    });
    Ok(())
}

/// A dump whose text is the same in Eseutil's layout and as a table.
fn show<T: Serialize>(session: &mut Session, path: &Path, text: Text, result: &T) {
    let text = text.into_string();
    session.opened();
    if session.format == Format::Json {
        session.report(path, JetError::SUCCESS, &[], result, Layout::new);
    } else {
        crate::cli::session::write_out(&text);
    }
}

fn nodes(
    session: &mut Session,
    path: &Path,
    db: &Database,
    pgno: Pgno,
    line: Option<usize>,
) -> Result<(), PageError> {
    let bytes = read_raw(db, pgno)?;
    let page = page_of(&bytes, db.page_size());
    let schema = catalog_for(db, page);
    let lines = line.map_or(0..line_count(page), |line| line..line + 1);
    let (mut text, mut found) = (Text::default(), Vec::new());
    for line in lines {
        match dump_node(page, line, &schema) {
            Ok(node) => {
                text.line(format_args!("          Node: {pgno}:{line}"))
                    .line("");
                node_text::node(&mut text, &node);
                text.line("").line("");
                node_text::meaning(&mut text, &node.meaning);
                found.push(Numbered::<NodeDump> { line, dump: node });
            }
            Err(fault) => bad_line(session, &mut text, "iline", line, &fault),
        }
    }
    let lines = found;
    show(session, path, text, &Lines { page: pgno, lines });
    Ok(())
}

fn tags(
    session: &mut Session,
    path: &Path,
    db: &Database,
    pgno: Pgno,
    itag: Option<usize>,
) -> Result<(), PageError> {
    let bytes = read_raw(db, pgno)?;
    let page = page_of(&bytes, db.page_size());
    let schema = catalog_for(db, page);
    let all = line_count(page) + page.reserved_tags().min(page.tag_count());
    let (mut text, mut found) = (Text::default(), Vec::new());
    for itag in itag.map_or(0..all, |itag| itag..itag + 1) {
        match dump_tag(page, itag, &schema) {
            Ok(line) => {
                let kind = match line.kind {
                    LineKind::External { .. } => "External Header",
                    LineKind::Reserved { .. } => "Reserved Tag",
                    LineKind::Node(_) => "Node",
                };
                text.line(format_args!("          Tag: {pgno}:{itag}"));
                text.line(format_args!("         Type: {kind}")).line("");
                node_text::line(&mut text, &line);
                text.line("").line("");
                found.push(Numbered::<LineDump> {
                    line: itag,
                    dump: line,
                });
            }
            Err(fault) => bad_line(session, &mut text, "itag", itag, &fault),
        }
    }
    let lines = found;
    show(session, path, text, &Lines { page: pgno, lines });
    Ok(())
}

fn bad_line(
    session: &mut Session,
    text: &mut Text,
    kind: &str,
    line: usize,
    fault: &crate::format::page::NodeFault,
) {
    session.note(JetError::INVALID_PARAMETER);
    text.line(format_args!("Invalid {kind}: {line} ({fault})"))
        .line("");
}

fn page_of(bytes: &[u8], size: PageSize) -> Page<'_> {
    Page::new(bytes, size).expect("read with this page size")
}

/// The catalog, where the nodes of the page are rows.
fn catalog_for(db: &Database, page: Page<'_>) -> Schema {
    if page.flags().is_leaf() {
        read_schema(db).0
    } else {
        Schema::default()
    }
}

fn page_layout(dump: &PageDump) -> Layout {
    let mut out = Layout::new();
    let header = &dump.header;
    out.field(0, "Checksum", dump.checksum.verdict);
    out.field(0, "Object", header.objid)
        .field(0, "Kinds", dump.kinds.join(", "));
    out.field(0, "Dbtime", header.dbtime.get());
    out.field(0, "Previous", header.prev)
        .field(0, "Next", header.next);
    out.field(0, "Free", header.free);
    out.field(0, "Tags", header.tag_count);
    for tag in &dump.tags {
        let what = match &tag.what {
            TagWhat::Reserved => "reserved".to_owned(),
            TagWhat::Extent {
                first,
                last,
                count,
                pool,
            } => format!(
                "{count} pages {first}-{last}, {}",
                page_text::pool_name(*pool)
            ),
            TagWhat::Node {
                prefix,
                suffix,
                data,
                child,
                meaning,
            } => match (child, meaning) {
                (Some(child), _) => format!("key {prefix}+{suffix}, page {child}"),
                (None, Some(meaning)) => format!("key {prefix}+{suffix}, {meaning}"),
                (None, None) => format!("key {prefix}+{suffix}, data {data}"),
            },
            TagWhat::Broken { fault } => format!("broken: {fault}"),
        };
        let (itag, flags) = (tag.itag, page_text::flag_letters(tag.flags));
        let place = format!("{:#06x}, {} bytes {flags} {what}", tag.offset, tag.cb);
        out.field(0, &format!("Tag {itag}"), place);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{number, place};
    use crate::format::ids::Pgno;

    #[test]
    fn places_in_every_spelling() {
        let expected = Some((Pgno::new(34), Some(2)));
        for text in ["34:2", "1:34:2", "[34:2]", "[1:34:2]", "0x22:2"] {
            assert_eq!(place(text), expected, "{text}");
        }
        assert_eq!(place("34:-1"), Some((Pgno::new(34), None)));
        for text in ["34", "x:2", "34:-2", "-1:2", "1:2:3:4", "[34:2"] {
            assert_eq!(place(text), None, "{text}");
        }
        assert_eq!((number("-1"), number("0x1F")), (Some(-1), Some(31)));
    }
}
