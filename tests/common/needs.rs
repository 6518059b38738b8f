//! What some tests need beyond the project. Without it they skip, and say so on the real standard
//! error, which the test harness does not swallow; with `EXUTIL_REQUIRE_ALL` set, as the CI has it,
//! they fail instead.

use std::io::Write as _;
use std::path::PathBuf;

/// The unpacked corpus of real databases, named by `EXUTIL_CORPUS`.
pub fn corpus() -> Option<PathBuf> {
    found(
        "set EXUTIL_CORPUS to the folder of unpacked real databases",
        std::env::var_os("EXUTIL_CORPUS").map(PathBuf::from),
    )
}

/// A program of this name on the path.
pub fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let there = std::env::split_paths(&path)
        .map(|dir| dir.join(name))
        .find(|file| file.is_file());
    found(&format!("install {name} (libesedb-utils)"), there)
}

/// A Python that has dissect.esedb, named by `EXUTIL_PYTHON`.
pub fn dissect() -> Option<PathBuf> {
    found(
        "set EXUTIL_PYTHON to a Python that has dissect.esedb",
        std::env::var_os("EXUTIL_PYTHON").map(PathBuf::from),
    )
}

fn found(how: &str, path: Option<PathBuf>) -> Option<PathBuf> {
    if let Some(path) = &path {
        assert!(path.exists(), "{} does not exist: {how}", path.display());
        return Some(path.clone());
    }
    assert!(
        std::env::var_os("EXUTIL_REQUIRE_ALL").is_none(),
        "EXUTIL_REQUIRE_ALL is set, but: {how}"
    );
    let test = std::thread::current();
    let name = test.name().unwrap_or("a test");
    let _ = writeln!(std::io::stderr(), "SKIPPED {name}: {how}");
    None
}
