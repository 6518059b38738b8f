//! Documents whose `console` blocks are run as they stand: the commands in them, what each prints, and
//! whether that is what the document shows.
//!
//! A line that begins with `$ ` is a command, the lines behind it are what it prints, both streams together.
//! `...` on a line of its own stands for lines left out, within a line for words left out; everything else
//! must be printed, line for line, but for blank lines and what a clock says. A command that does
//! not end with status 0 is followed by `$ echo $?`, so that the document tells.

use std::path::Path;

/// One command of a document.
#[derive(Debug)]
pub struct Command {
    /// What is typed.
    pub line: String,
    /// What the document shows behind it.
    pub shown: Vec<String>,
    /// The line of the document.
    pub at: usize,
}

/// What a command printed, and how it ended.
#[derive(Debug)]
pub struct Printed {
    pub text: String,
    pub status: i32,
}

/// The command that shows the status of the one before.
const STATUS: &str = "echo $?";

/// The `console` blocks of a document, each with its commands.
pub fn blocks(text: &str) -> Vec<Vec<Command>> {
    let mut blocks: Vec<Vec<Command>> = Vec::new();
    let mut inside = false;
    for (number, line) in text.lines().enumerate() {
        let at = number + 1;
        match line {
            "```console" => {
                blocks.push(Vec::new());
                inside = true;
            }
            "```" => inside = false,
            _ if !inside => {}
            _ => {
                let block = blocks.last_mut().unwrap();
                match (line.strip_prefix("$ "), block.last_mut()) {
                    (Some(typed), _) => block.push(Command {
                        line: typed.to_owned(),
                        shown: Vec::new(),
                        at,
                    }),
                    (None, Some(command)) => command.shown.push(line.to_owned()),
                    (None, None) => panic!("line {at}: output before the first command: {line}"),
                }
            }
        }
    }
    assert!(!inside, "the last block has no end");
    blocks
}

/// Runs the commands of a block in one shell in `dir`, with the command on its path and these variables.
pub fn run(dir: &Path, variables: &[String], block: &[Command]) -> Vec<Printed> {
    // Behind each command its status between two record separators; `(exit N)` hands it on to `echo $?`.
    let mut script = "exec 2>&1\n".to_owned();
    for command in block {
        script.push_str(&command.line);
        script.push_str("\nstatus=$?; printf '\\036%d\\036' \"$status\"; (exit \"$status\")\n");
    }
    script.push_str("exit 0\n");
    let bin = Path::new(env!("CARGO_BIN_EXE_exutil")).parent().unwrap();
    let path = std::env::var("PATH").unwrap();
    let mut words = vec![
        "LC_ALL=C".to_owned(),
        format!("PATH={}:{path}", bin.display()),
    ];
    words.extend_from_slice(variables);
    words.extend(["sh", "-c", &script].map(str::to_owned));
    let run = super::run(Path::new("env"), dir, &words);
    let mut pieces = run.stdout.split('\u{1e}');
    let printed: Vec<_> = block
        .iter()
        .map_while(|_| {
            let (text, status) = (pieces.next()?, pieces.next()?);
            Some(Printed {
                text: text.to_owned(),
                status: status.parse().unwrap(),
            })
        })
        .collect();
    assert_eq!(printed.len(), block.len(), "{}", run.text());
    printed
}

/// Runs a whole document in `dir`, block after block, and compares everything. Tells how many commands there were.
pub fn walk(name: &str, text: &str, dir: &Path, variables: &[String]) -> usize {
    let mut commands = 0;
    let mut wrong = Vec::new();
    for block in blocks(text) {
        let printed = run(dir, variables, &block);
        for (index, (command, printed)) in block.iter().zip(&printed).enumerate() {
            commands += 1;
            let place = format!("{name}:{}: $ {}", command.at, command.line);
            assert!(
                !printed.text.contains("panicked"),
                "{place}\n{}",
                printed.text
            );
            let told = block.get(index + 1).is_some_and(|next| next.line == STATUS);
            if printed.status != 0 && !told {
                let status = printed.status;
                wrong.push(format!(
                    "{place}\nstatus {status}, which is not shown\n{}",
                    printed.text
                ));
            }
            // What shows nothing but that there is something proves nothing.
            let bare = command.shown.iter().all(|line| is_gap(line));
            if !shows(&command.shown, &printed.text) || (bare && !command.shown.is_empty()) {
                let shown = command.shown.join("\n");
                wrong.push(format!(
                    "{place}\n--- shown\n{shown}\n--- printed\n{}",
                    printed.text
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    commands
}

fn is_gap(line: &str) -> bool {
    line.trim() == "..."
}

/// Whether these lines of a document stand for what was printed.
pub fn shows(shown: &[String], printed: &str) -> bool {
    let printed: Vec<&str> = full(printed.lines());
    let shown = full(shown.iter().map(String::as_str));
    let parts: Vec<&[&str]> = shown.split(|line| is_gap(line)).collect();
    let [first, between @ .., last] = parts.as_slice() else {
        // No gap: all of it.
        return same_lines(&shown, &printed);
    };
    let long_enough = first.len() + last.len() <= printed.len();
    if !long_enough || !same_lines(first, &printed[..first.len()]) {
        return false;
    }
    let end = printed.len() - last.len();
    if !same_lines(last, &printed[end..]) {
        return false;
    }
    // The first place that fits leaves the most for what follows.
    let mut rest = &printed[first.len()..end];
    for part in between.iter().filter(|part| !part.is_empty()) {
        let place = rest
            .windows(part.len())
            .position(|lines| same_lines(part, lines));
        let Some(place) = place else {
            return false;
        };
        rest = &rest[place + part.len()..];
    }
    true
}

fn full<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    lines.filter(|line| !line.trim().is_empty()).collect()
}

fn same_lines(shown: &[&str], printed: &[&str]) -> bool {
    let same = |(shown, printed): (&&str, &&str)| same_line(shown, printed);
    shown.len() == printed.len() && shown.iter().zip(printed).all(same)
}

fn same_line(shown: &str, printed: &str) -> bool {
    if timeless(shown) == timeless(printed) {
        return true;
    }
    // A row of dots is a bar of progress, and not a gap.
    if !shown.contains("...") || shown.contains("....") {
        return false;
    }
    let pieces: Vec<&str> = shown.trim_end().split("...").collect();
    let [first, between @ .., last] = pieces.as_slice() else {
        return false;
    };
    let Some(mut rest) = printed.trim_end().strip_prefix(first) else {
        return false;
    };
    for piece in between {
        match rest.find(piece) {
            Some(place) => rest = &rest[place + piece.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// A line without what the clock says, the number of threads, or the number of the process.
fn timeless(line: &str) -> String {
    let line = line.trim_end();
    let counters = [
        "seconds taken",
        "milliseconds",
        "reads performed",
        "MB/second",
    ];
    if counters.iter().any(|word| line.contains(word)) {
        return line
            .trim_start_matches(|c: char| c.is_ascii_digit())
            .to_owned();
    }
    // "... in 0.1 seconds.", "...; time: 0h:0m:1s"
    if let Some(start) = line.strip_suffix(" seconds.") {
        let words = start.rsplit_once(' ').map_or(start, |(words, _)| words);
        return format!("{words} T seconds.");
    }
    if let Some((words, last)) = line.rsplit_once(' ')
        && last.contains("h:")
        && last.ends_with('s')
    {
        return format!("{words} T");
    }
    // Temporary files are called TEMPCHKSUM1231.EDB and the like.
    match line.split_once("TEMP") {
        Some((before, name)) => {
            let name: String = name.chars().filter(|c| !c.is_ascii_digit()).collect();
            format!("{before}TEMP{name}")
        }
        None => line.to_owned(),
    }
}
