//! Running the command on copies of the sample databases.

use std::path::PathBuf;
use std::process::Command;

/// A sample database.
pub fn testdata(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("testdata")
        .join(name)
}

/// The exit status and what the command prints, in the folder of the sample databases. What differs
/// from run to run is left out.
pub fn run(args: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_exutil"))
        .args(args)
        .current_dir(testdata(""))
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text.lines().filter(|line| {
        let line = line.trim_start();
        !line.starts_with("On-disk Size:") && !line.starts_with("Space Saved:")
    });
    let lines = lines.map(|line| match line.split_once(" seconds.") {
        Some((start, "")) => {
            let words = start.rsplit_once(' ').map_or(start, |(words, _)| words);
            format!("{words} T seconds.")
        }
        _ => line.trim_end().to_owned(),
    });
    let errors = String::from_utf8(output.stderr).unwrap();
    format!(
        "status {}\n{}{errors}",
        output.status.code().unwrap(),
        lines.map(|line| line + "\n").collect::<String>()
    )
}

/// A changed copy of a sample database.
pub fn damaged(name: &str, change: impl FnOnce(&mut Vec<u8>)) -> tempfile::NamedTempFile {
    let mut bytes = std::fs::read(testdata(name)).unwrap();
    change(&mut bytes);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    file
}

/// Wrecks the page at this offset.
pub fn spoil(bytes: &mut [u8], page: u64) {
    let start = page as usize + 300;
    for (number, byte) in bytes[start..start + 64].iter_mut().enumerate() {
        *byte ^= (number * 37 + 11) as u8;
    }
}
