//! `export`.

use std::io;
use std::path::{Path, PathBuf};

use clap::ArgMatches;

use super::export_files::{Out, Target};
use super::{access_failed, files, page_size};
use crate::cli::escape::escape;
use crate::cli::exit::ExitStatus;
use crate::cli::live::Live;
use crate::db::Database;
use crate::db::catalog::{Schema, Table};
use crate::db::space::ObjectSpace;
use crate::error::Error;
use crate::format::dbheader::DbState;
use crate::ops::export::content::{Content, dump_table};
use crate::ops::export::csv::Csv;
use crate::ops::export::json::JsonLines;
use crate::ops::export::{Exporter, LongMode, Loss, RowSink, Summary, read_schema, select};
use crate::progress::{Progress as _, Task};

/// Losses that are printed one by one; the summary counts all.
const LINES_AT_MOST: u64 = 10_000;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    JsonLines,
    Csv,
    Content,
}

struct Request {
    form: Form,
    tables: Vec<String>,
    mode: LongMode,
    deleted: bool,
    system: bool,
    output: Option<PathBuf>,
}

/// Why an export could not be done.
enum Failure {
    Open(Error),
    Usage(String),
    Write(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Write(error)
    }
}

pub fn run(matches: &ArgMatches) -> ExitStatus {
    let request = Request {
        form: match matches.get_one::<String>("format").map(String::as_str) {
            Some("csv") => Form::Csv,
            Some("content") => Form::Content,
            _ => Form::JsonLines,
        },
        tables: matches
            .get_many::<String>("table")
            .into_iter()
            .flatten()
            .cloned()
            .collect(),
        mode: match matches.get_one::<String>("lv").map(String::as_str) {
            Some("hash") => LongMode::Hash,
            _ => LongMode::Whole,
        },
        deleted: matches.get_flag("deleted"),
        system: matches.get_flag("system"),
        output: matches.get_one::<String>("output").map(PathBuf::from),
    };
    let mut status = ExitStatus::Clean;
    for path in files(matches) {
        status = status.max(match export(path, matches, &request) {
            Ok(summary) => {
                print_summary(path, &summary);
                match summary.left_out {
                    0 => ExitStatus::Clean,
                    _ => ExitStatus::ProblemsLeft,
                }
            }
            Err(failure) => failure_status(path, &failure),
        });
    }
    status
}

fn print_summary(path: &Path, summary: &Summary) {
    let Summary {
        tables,
        rows,
        deleted,
        left_out,
    } = summary;
    let mut line = format!("{tables} tables, {rows} rows");
    if *deleted > 0 {
        line += &format!(", {deleted} deleted rows");
    }
    match left_out {
        0 => line += ", nothing left out",
        1 => line += ", 1 loss: see above",
        _ => line += &format!(", {left_out} losses: see above"),
    }
    eprintln!("{}: {line}", escape(&path.to_string_lossy()));
}

fn failure_status(path: &Path, failure: &Failure) -> ExitStatus {
    match failure {
        Failure::Open(error) => {
            eprint!("{}", access_failed(path, error));
            ExitStatus::of(error.jet())
        }
        Failure::Usage(text) => {
            eprintln!("Usage Error: {}", escape(text));
            ExitStatus::Usage
        }
        // A reader that has seen enough closes the pipe; that is no error of ours.
        Failure::Write(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitStatus::Clean,
        Failure::Write(error) => {
            eprintln!("exutil: cannot write the export: {error}");
            ExitStatus::Operational
        }
    }
}

fn export(path: &Path, matches: &ArgMatches, request: &Request) -> Result<Summary, Failure> {
    let db = Database::open(path, page_size(matches)).map_err(Failure::Open)?;
    if db.header().db_state() != DbState::CleanShutdown {
        let name = path.to_string_lossy();
        eprintln!(
            "{}: not shut down cleanly; what only the logs hold is missing",
            escape(&name)
        );
    }
    let (schema, losses) = read_schema(&db);
    let tables = select(&schema, &request.tables, request.system)
        .map_err(|name| Failure::Usage(format!("no table '{name}' in the database")))?;
    if request.form == Form::Csv && request.output.is_none() && tables.len() > 1 {
        let text = "CSV of several tables needs --output DIR, or one --table";
        return Err(Failure::Usage(text.into()));
    }
    let extension = match request.form {
        Form::JsonLines => "jsonl",
        Form::Csv => "csv",
        Form::Content => "txt",
    };
    let several_files = request.form == Form::Csv && tables.len() != 1;
    let target = Target::new(request.output.as_deref(), extension, several_files)?;
    let live = match request.output {
        None => Live::while_printing("export", path),
        Some(_) => Live::new("export", path),
    };
    live.start(Task::pages(
        "reading",
        pages_of(&db, &tables),
        db.page_size().bytes(),
    ));
    let mut run = Run {
        exporter: Exporter::new(&db, request.deleted).watched(&live),
        schema: &schema,
        tables: &tables,
        losses: &losses,
        target,
    };
    let mut lines = 0;
    let on_loss = |loss: &Loss| live.aside(|| tell(&mut lines, loss));
    let out = Out::None;
    match request.form {
        Form::JsonLines => run.rows(JsonLines::new(out, request.mode, on_loss), |sink, out| {
            sink.replace(out)
        })?,
        Form::Csv => run.rows(
            Csv::new(out, request.mode, request.deleted, on_loss),
            |sink, out| sink.replace(out),
        )?,
        Form::Content => run.content(Content::new(out, on_loss))?,
    }
    Ok(run.exporter.summary())
}

/// Pages that the records of these tables take, at most: what the tables own, less long values, indexes, and what is
/// free.
fn pages_of(db: &Database, tables: &[&Table]) -> u64 {
    let of_tree = |root| {
        let space = ObjectSpace::read(db, root);
        (space.owned_pages(), space.available_pages())
    };
    let of_table = |table: &&Table| {
        let (owned, free) = of_tree(table.root);
        let long_values = table.long_values.map(|lv| lv.root);
        let others = table.secondary_indexes().map(|index| index.root);
        let others: u64 = others.chain(long_values).map(|root| of_tree(root).0).sum();
        owned.saturating_sub(free + others)
    };
    tables.iter().map(of_table).sum()
}

fn tell(lines: &mut u64, loss: &Loss) {
    *lines += 1;
    let code = loss.reason.problem().info().code;
    if *lines <= LINES_AT_MOST {
        eprintln!("{code} {}", escape(&loss.to_string()));
    } else if *lines == LINES_AT_MOST + 1 {
        eprintln!("and more; the summary counts them");
    }
}

struct Run<'r, 'd> {
    exporter: Exporter<'d>,
    schema: &'r Schema,
    tables: &'r [&'r Table],
    losses: &'r [Loss],
    target: Target,
}

impl Run<'_, '_> {
    fn rows<S: RowSink>(
        &mut self,
        mut sink: S,
        replace: impl Fn(&mut S, Out) -> Out,
    ) -> io::Result<()> {
        self.exporter.tell(self.losses, &mut sink)?;
        for table in self.tables {
            let out = replace(&mut sink, Out::None);
            let out = self.target.next(out, &table.name)?;
            replace(&mut sink, out);
            self.exporter.table(self.schema, table, &mut sink)?;
        }
        replace(&mut sink, Out::None).finish()
    }

    fn content<L: FnMut(&Loss)>(&mut self, mut sink: Content<Out, L>) -> io::Result<()> {
        self.exporter.tell(self.losses, &mut sink)?;
        for table in self.tables {
            let out = sink.replace(Out::None);
            let out = self.target.next(out, &table.name)?;
            sink.replace(out);
            dump_table(&mut self.exporter, self.schema, table, &mut sink)?;
        }
        sink.replace(Out::None).finish()
    }
}
