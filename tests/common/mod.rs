//! What the tests of the command share: running the built binary with a deadline, files to run it
//! on, and the form in which a run is kept as a snapshot.

#![allow(dead_code, reason = "no test binary uses all of it")]

#[cfg(unix)]
pub mod console;
pub mod content;
pub mod defragging;
pub mod logs;
pub mod make;
pub mod needs;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// No run on a file of a few megabytes may take longer.
const DEADLINE: Duration = Duration::from_secs(30);

/// How a run of the command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
    line: String,
}

impl Run {
    /// Everything about the run in one text: command line, status, both streams.
    pub fn text(&self) -> String {
        let mut text = format!("$ {}\n[status {}]\n", self.line, self.status);
        for (name, stream) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            if !stream.is_empty() {
                text.push_str(&format!("--- {name}\n{stream}"));
            }
        }
        text
    }

    /// The JSON documents, one a line.
    pub fn json(&self) -> Vec<serde_json::Value> {
        let parse = |line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        self.stdout.lines().map(parse).collect()
    }

    /// The only document.
    pub fn one_json(&self) -> serde_json::Value {
        let mut documents = self.json();
        assert_eq!(documents.len(), 1, "{self:?}");
        documents.remove(0)
    }

    /// Both streams.
    pub fn output(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }
}

/// The sample databases.
pub fn testdata() -> PathBuf {
    root().join("testdata")
}

/// The project's root.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Runs the command in `dir`.
pub fn exutil<S: AsRef<OsStr>>(dir: &Path, args: &[S]) -> Run {
    run(Path::new(env!("CARGO_BIN_EXE_exutil")), dir, args)
}

/// Runs the command, whose arguments are the words of `line`, in `dir`.
pub fn line(dir: &Path, line: &str) -> Run {
    exutil(dir, &line.split(' ').collect::<Vec<_>>())
}

/// Runs `program`, which may be a link to the command, and waits for it. It must end by itself, in
/// time, without a panic.
pub fn run<S: AsRef<OsStr>>(program: &Path, dir: &Path, args: &[S]) -> Run {
    let scratch = tempfile::tempdir().unwrap();
    let stream = |name| std::fs::File::create(scratch.path().join(name)).unwrap();
    let words: Vec<_> = args.iter().map(|a| a.as_ref().to_string_lossy()).collect();
    let line = format!("exutil {}", words.join(" "));
    let mut child = Command::new(program)
        .args(args)
        .current_dir(dir)
        .env_remove("COLUMNS")
        .stdin(Stdio::null())
        .stdout(stream("out"))
        .stderr(stream("err"))
        .spawn()
        .unwrap();
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if started.elapsed() > DEADLINE {
            child.kill().unwrap();
            panic!("{line}: still running after {DEADLINE:?}");
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let read = |name| {
        let bytes = std::fs::read(scratch.path().join(name)).unwrap();
        String::from_utf8(bytes).unwrap_or_else(|e| panic!("{line}: output is not UTF-8: {e}"))
    };
    let (stdout, stderr) = (read("out"), read("err"));
    let status = status
        .code()
        .unwrap_or_else(|| panic!("{line}: ended by a signal\n{stderr}"));
    assert!(
        status != 101 && !stderr.contains("panicked"),
        "{line}\n{stderr}"
    );
    Run {
        status,
        stdout,
        stderr,
        line,
    }
}

/// Compares a run with its snapshot; what differs from run to run is taken out here and nowhere else.
pub fn snapshot(name: &str, run: &Run) {
    let filters = [
        (r"exutil \d+\.\d+\.\d+:", "exutil [VERSION]:"),
        (r"(in|after) \d+\.\d+ seconds\.", "$1 [TIME] seconds."),
        (r"\d+h:\d+m:\d+s", "[TIME]"),
        (r"TEMPCHKSUM\d+\.EDB", "TEMPCHKSUM[PID].EDB"),
        (r"(?m)^\d+ reads performed$", "[N] reads performed"),
        (r"(?m)^\d+ seconds taken$", "[N] seconds taken"),
        (r"(?m)^\d+ MB/second$", "[N] MB/second"),
        (r"(?m)^\d+ milliseconds", "[N] milliseconds"),
        (
            r"(?m)^(│ )\d+ (reads performed|seconds taken|MB/second|milliseconds)",
            "$1[N] $2",
        ),
    ];
    let mut filters = filters.to_vec();
    if run.stdout.contains("┆") && run.stdout.contains("milliseconds") {
        // The width of this table follows the longest of the times.
        filters.extend([(r"─{2,}", "─"), (r" {2,}(┆|│)", " $1")]);
    }
    insta::with_settings!({ filters => filters, omit_expression => true, prepend_module_to_snapshot => false,
        snapshot_path => "../snapshots" }, {
        insta::assert_snapshot!(name, run.text());
    });
}

/// A temporary folder with copies of samples.
pub fn folder_with(samples: &[&str]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for name in samples {
        std::fs::copy(testdata().join(name), dir.path().join(name)).unwrap();
    }
    dir
}

/// The bytes of a sample.
pub fn sample(name: &str) -> Vec<u8> {
    std::fs::read(testdata().join(name)).unwrap()
}

/// The same numbers for the same seed, everywhere and for ever (Knuth's MMIX constants).
pub struct Random(pub u64);

impl Random {
    /// A number below `limit`.
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit.max(1)
    }

    /// That many bytes.
    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.below(256) as u8).collect()
    }
}
