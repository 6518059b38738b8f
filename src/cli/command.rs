//! From the table of modes to clap's commands.

use clap::{Arg, ArgAction, Command, builder::PossibleValuesParser, value_parser};

use super::exit::ExitStatus;
use super::spec::{MODES, ModeSpec, OptionSpec, Value};
use crate::format::ids::PageSize;
use crate::format::version::{DB_VERSION, NEWEST, NEWEST_LOG};

fn exit_status() -> String {
    let lines = ExitStatus::ALL.map(|(status, text)| format!("  {:<2} {text}\n", status.code()));
    let lines = lines.concat();
    format!("EXIT STATUS:\n{lines}The JET error number is in the closing line and in JSON.")
}

/// What `--version` prints behind the name: the version, and the formats that this version reads. The numbers are those
/// that the code goes by; the oldest revision is the oldest of which real files were tried (README, Formats).
fn version_and_formats() -> String {
    let sizes = PageSize::ALL.map(|size| (size.bytes() / 1024).to_string());
    let [small @ .., largest] = &sizes;
    let newest = NEWEST.major;
    let (major, minor, update_major, update_minor) = NEWEST_LOG;
    let log = format!("{major}.{minor}");
    let formats = [
        (
            "databases",
            format!("0x{DB_VERSION:X}, revisions 9 (Exchange 2000) to {newest} (Windows 11);"),
        ),
        ("", "newer revisions by the rules of the newest".into()),
        (
            "page sizes",
            format!("{} and {largest} KiB, in every revision", small.join(", ")),
        ),
        (
            "checksums",
            "XOR; XOR with ECC, which corrects single bits".into(),
        ),
        (
            "logs",
            "7.3704 (Exchange 2000 to 2010, Windows 2000 to 7);".into(),
        ),
        (
            "",
            format!(
                "{log} up to {log}.{update_major}.{update_minor} (Exchange 2013, Windows 8 and later)"
            ),
        ),
        (
            "others",
            "checkpoints (.chk), flush maps (.jfm), patch files (.pat);".into(),
        ),
        (
            "",
            "Restore.env (as inferred), streaming files (.stm; headers only)".into(),
        ),
    ];
    let lines: Vec<_> = formats
        .iter()
        .map(|(what, text)| format!("  {what:<12}{text}"))
        .collect();
    format!(
        "{}\n\nFormats supported:\n{}",
        env!("CARGO_PKG_VERSION"),
        lines.join("\n")
    )
}

/// The whole command.
pub fn command() -> Command {
    let mut command = Command::new("exutil")
        .version(env!("CARGO_PKG_VERSION"))
        .long_version(version_and_formats())
        .about("Offline tools for Exchange, Active Directory and Windows (ESE) databases")
        .long_about(
            "Offline tools for Exchange, Active Directory and Windows (ESE) databases.\n\n\
             Every spelling of Eseutil works: exutil /mh FILE, exutil -mh FILE, exutil mh FILE, \
             exutil /m /h FILE. An argument that starts with a slash is a file when it \
             exists, or its first folder does. Under the name eseutil or esentutl (a link) the \
             command behaves the same.",
        )
        .after_help(exit_status())
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true);
    for mode in MODES {
        command = command.subcommand(mode_command(mode));
    }
    command.subcommand(completions_command())
}

/// The command of one mode.
pub fn mode_command(mode: &'static ModeSpec) -> Command {
    Command::new(mode.name)
        .about(mode.about)
        .long_about(mode.description)
        .after_help(format!("EXAMPLE:\n  {}\n\n{}", mode.example, exit_status()))
        .args(mode.all_options().map(argument))
        .arg(
            Arg::new("files")
                .value_name(mode.files)
                .value_parser(value_parser!(std::path::PathBuf))
                .num_args(1..)
                .required(!mode.files.starts_with('['))
                .help("What to read; several may be named"),
        )
}

fn completions_command() -> Command {
    Command::new("completions")
        .about("Print a completion script for a shell")
        .arg(
            Arg::new("shell")
                .required(true)
                .value_parser(PossibleValuesParser::new([
                    "bash",
                    "zsh",
                    "fish",
                    "powershell",
                    "elvish",
                ])),
        )
}

fn argument(option: &'static OptionSpec) -> Arg {
    let help = match option.letters {
        [] => option.help.to_owned(),
        letters => format!("{} (Eseutil: /{})", option.help, letters.join(", /")),
    };
    let mut arg = Arg::new(option.long).long(option.long).help(help);
    if matches!(option.long, "table" | "stage") {
        arg = arg.action(ArgAction::Append);
    }
    match option.value {
        Value::None => arg.action(ArgAction::SetTrue),
        Value::Required(name) if option.long == "threads" => arg
            .value_name(name)
            .value_parser(value_parser!(u16).range(1..=1024)),
        Value::Several(name) => arg
            .value_name(name)
            .allow_hyphen_values(true)
            .action(ArgAction::Append),
        Value::Required(name) => arg.value_name(name).allow_hyphen_values(true),
        Value::Optional(name, none) | Value::Glued(name, none) => arg
            .value_name(name)
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value(none),
        Value::OneOf(name, words) => arg
            .value_name(name)
            .value_parser(PossibleValuesParser::new(words.iter().copied())),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn clap_finds_no_fault() {
        super::command().debug_assert();
    }
}
