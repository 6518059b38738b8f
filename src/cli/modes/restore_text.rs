//! The dump of a restore environment, as Eseutil's `/cm` and `/cc` print it.

use crate::cli::escape::escape;
use crate::cli::layout::Layout;
use crate::format::restore_env::{
    EnvDatabase, EnvSource, RecoverStatus, RestoreEnvironment, ctime,
};

/// Columns that `/cm` right-aligns its labels to. [engine]
pub const DUMP_WIDTH: usize = 30;
/// Columns of the lines that `/cc` prints around the dump. [engine]
pub const COMPLETE_WIDTH: usize = 20;
/// Columns of the dump in `/cc`: ten more than around it. [engine]
pub const COMPLETE_DUMP_WIDTH: usize = COMPLETE_WIDTH + 10;
/// How much further lines about a database are to the right. [engine]
const DATABASE_INDENT: usize = 8;

/// One line as Eseutil prints them all: the label, colon included, right-aligned to `width` columns, a blank, the
/// value. An empty line is `field("", width, "")`: it has blanks.
pub fn field(label: &str, width: usize, value: &str) -> String {
    format!("{label:>width$} {}\n", escape(value))
}

/// What stands before the dump; it is printed before the file is read, and so also when that fails. `width` is
/// [`DUMP_WIDTH`] for `/cm`, [`COMPLETE_WIDTH`] for `/cc`.
pub fn restore_log_file(folder: &str, width: usize) -> String {
    field("Restore log file:", width, folder) + &field("", width, "")
}

/// The dump, its labels right-aligned to `width` columns: [`DUMP_WIDTH`] or [`COMPLETE_DUMP_WIDTH`], which are the
/// same number. What is not known is empty. Eseutil knows no other source than a binary file, so
/// where the values are from is a line of our own, and so are the strings at the end.
pub fn layout(environment: &RestoreEnvironment, width: usize) -> Layout {
    let mut out = Layout::new();
    if environment.source != EnvSource::Text {
        out.text(format!("    ({})", environment.source.words()));
    }
    let unknown = String::new();
    let text = |value: &Option<String>| value.as_ref().unwrap_or(&unknown).clone();
    let line = |out: &mut Layout, label: &str, value: String| {
        out.field(width - 1, label, value);
    };
    line(&mut out, "Restore Path", environment.restore_path.clone());
    line(&mut out, "Annotation", text(&environment.annotation));
    line(&mut out, "Server", text(&environment.server));
    line(
        &mut out,
        "Backup Instance",
        text(&environment.backup_instance),
    );
    line(
        &mut out,
        "Target Instance",
        text(&environment.target_instance),
    );
    line(
        &mut out,
        "Restore Instance System Path",
        text(&environment.system_path),
    );
    line(
        &mut out,
        "Restore Instance Log Path",
        text(&environment.log_path),
    );
    empty(&mut out, width);
    let count = format!("{} database(s)", environment.databases.len());
    line(&mut out, "Databases", count);
    for each in &environment.databases {
        database(&mut out, each, width + DATABASE_INDENT);
    }
    empty(&mut out, width);
    empty(&mut out, width);

    line(&mut out, "Log files range", log_range(environment));
    line(
        &mut out,
        "Last Restore Time",
        time(environment.last_restore),
    );
    after_time(&mut out, environment.last_restore);
    let status = environment.status.map(RecoverStatus::words);
    line(
        &mut out,
        "Recover Status",
        status.unwrap_or_default().into(),
    );
    let error = environment.error.map(|error| format!("0x{error:08X}"));
    line(&mut out, "Recover Error", text(&error));
    line(&mut out, "Recover Time", time(environment.recover_time));
    after_time(&mut out, environment.recover_time);
    others(&mut out, environment);
    out
}

/// Eseutil's empty line is one with an empty label and an empty value.
fn empty(out: &mut Layout, width: usize) {
    out.spacing(" ".repeat(width + 1));
}

fn database(out: &mut Layout, database: &EnvDatabase, width: usize) {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    out.field(width - 1, "Database Name", text(&database.name));
    // The original prints the third group's bytes again in place of the fifth, without a hyphen between: a
    // GUID that no other tool knows. Here it is right.
    out.field(width - 1, "GUID", text(&database.guid));
    let blanks = " ".repeat(width + 1);
    // Every path has a blank behind it. Nothing ends the line of the destinations but the empty line that
    // follows.
    files(out, "Source Files:", width, &database.sources, "");
    files(
        out,
        "Destination Files:",
        width,
        &database.destinations,
        &blanks,
    );
    out.spacing(blanks);
}

fn files(out: &mut Layout, label: &str, width: usize, paths: &[String], end: &str) {
    let escaped: String = paths.iter().map(|path| escape(path) + " ").collect();
    out.spacing(format!("{label:>width$} {escaped}{end}"));
    out.note(label.trim_end_matches(':'), paths.join(" "));
}

/// The first and the last log. None restored is said only where that is known: not where the reader of the file
/// may have missed them.
fn log_range(environment: &RestoreEnvironment) -> String {
    let known = matches!(environment.source, EnvSource::Text | EnvSource::Files);
    match (&environment.log_base, environment.log_range) {
        (base, Some((low, high))) => {
            let (digits, extension) = (environment.log_digits, &environment.log_extension);
            let base = base.as_deref().unwrap_or_default();
            let (low, high) = (low.get(), high.get());
            format!("{base}{low:0digits$X}.{extension} - {base}{high:0digits$X}.{extension}")
        }
        (None, None) if known => "no log files restored".to_owned(),
        (_, None) => String::new(),
    }
}

/// In the form of C's `ctime`, which has no text for times that it cannot hold.
fn time(seconds: Option<i64>) -> String {
    match seconds {
        None | Some(0) => "<none>".to_owned(),
        Some(seconds) => ctime(seconds).unwrap_or_default(),
    }
}

/// What `ctime` gives ends a line itself.
fn after_time(out: &mut Layout, seconds: Option<i64>) {
    if seconds.is_some_and(|seconds| seconds != 0 && ctime(seconds).is_some()) {
        out.blank();
    }
}

fn others(out: &mut Layout, environment: &RestoreEnvironment) {
    if environment.other.is_empty() {
        return;
    }
    out.blank();
    out.text("    Strings of the file that have no place above:");
    for found in &environment.other {
        let (offset, encoding) = (found.offset, found.encoding.words());
        let text = escape(&found.text);
        out.text(format!("    0x{offset:08X} {encoding:<8} {text}"));
    }
}

#[cfg(test)]
mod tests {
    use super::{COMPLETE_DUMP_WIDTH, COMPLETE_WIDTH, DUMP_WIDTH, field, layout, restore_log_file};
    use crate::format::ids::Generation;
    use crate::format::restore_env::{
        EnvDatabase, EnvSource, FoundString, LOG_DIGITS_OLD, RecoverStatus, RestoreEnvironment,
        StringEncoding,
    };

    /// The dump that the notes have from an Exchange 2003 server, as far as it is quoted there.
    fn sample() -> RestoreEnvironment {
        let files = |name: &str| {
            ["edb", "stm"]
                .map(|end| format!("D:\\Exchsrvr\\EnglandStorage\\{name}.{end}"))
                .to_vec()
        };
        let database = |name: &str, guid: &str| EnvDatabase {
            name: Some(name.into()),
            guid: Some(guid.into()),
            sources: files(name),
            destinations: files(name),
        };
        RestoreEnvironment {
            restore_path: "e:\\restore".into(),
            annotation: Some("Microsoft Information Store".into()),
            backup_instance: Some("EnglandStorage".into()),
            databases: vec![
                database("York1", "A2CFF078-782F-4BFE-8B1D-0123456789AB"),
                database("York2", "6ACF4E55-C7D6-433E-9F00-BA9876543210"),
            ],
            log_base: Some("E00".into()),
            log_range: Some((Generation::new(1), Generation::new(3))),
            log_digits: LOG_DIGITS_OLD,
            last_restore: Some(1_104_516_000),
            status: Some(RecoverStatus::NotStarted),
            error: Some(0),
            ..RestoreEnvironment::new(EnvSource::Text)
        }
    }

    /// Blanks at the ends of lines, which a snapshot would hide, become dots.
    fn shown(environment: &RestoreEnvironment) -> String {
        let text = restore_log_file(&environment.restore_path, DUMP_WIDTH)
            + &layout(environment, DUMP_WIDTH).eseutil();
        let line = |line: &str| {
            let kept = line.trim_end_matches(' ');
            format!("{kept}{}\n", "\u{b7}".repeat(line.len() - kept.len()))
        };
        text.lines().map(line).collect()
    }

    #[test]
    fn the_dump_of_a_real_set() {
        insta::assert_snapshot!(shown(&sample()));
    }

    #[test]
    fn what_files_alone_say() {
        let mut environment = RestoreEnvironment::new(EnvSource::Files);
        environment.restore_path = "/restore".into();
        environment.databases = vec![EnvDatabase {
            sources: vec!["C:\\priv1.edb".into()],
            ..EnvDatabase::default()
        }];
        insta::assert_snapshot!(shown(&environment));
    }

    #[test]
    fn what_is_inferred_says_so() {
        let mut environment = sample();
        environment.source = EnvSource::Inferred;
        environment.databases.truncate(1);
        environment.databases[0].name = None;
        environment.databases[0].guid = None;
        environment.log_range = None;
        environment.log_base = None;
        environment.last_restore = None;
        environment.status = None;
        environment.error = None;
        environment.backup_instance = None;
        let found = |offset, text: &str, encoding| FoundString {
            offset,
            text: text.into(),
            encoding,
        };
        environment.other = vec![
            found(0x1A4, "EnglandStorage", StringEncoding::Utf16Le),
            found(0x1F0, "York1\u{1b}[0m", StringEncoding::Ascii),
        ];
        insta::assert_snapshot!(shown(&environment));
    }

    #[test]
    fn lines_of_completion_are_narrower() {
        assert_eq!(DUMP_WIDTH, COMPLETE_DUMP_WIDTH);
        let lines = restore_log_file("x", COMPLETE_WIDTH);
        assert_eq!(lines, format!("   Restore log file: x\n{:21}\n", ""));
        assert_eq!(
            field("Target Instance:", COMPLETE_WIDTH, "SG"),
            "    Target Instance: SG\n"
        );
        let wide = "Using restore environment";
        assert_eq!(field(wide, COMPLETE_WIDTH, ""), format!("{wide} \n"));
    }

    #[test]
    fn odd_values_do_no_harm() {
        let mut environment = sample();
        environment.last_restore = Some(i64::MIN);
        environment.recover_time = Some(0);
        environment.log_digits = 8;
        environment.databases[0].sources[0] = "a\nb".into();
        environment.log_base = None;
        let text = layout(&environment, DUMP_WIDTH).eseutil();
        assert!(text.contains("Last Restore Time: \n               Recover Status"));
        assert!(text.contains("Recover Time: <none>\n"));
        assert!(text.contains("a\\u{a}b"));
        assert!(text.contains(": 00000001.log - 00000003.log"));
    }

    #[test]
    fn a_table_has_the_files_too() {
        let table = layout(&sample(), DUMP_WIDTH).table();
        assert!(table.contains("Source Files"));
        assert!(table.contains("York2.stm"));
    }
}
