//! Parts of a sweep put together: the records of all of them in order, and the groups that they form.

use std::collections::BTreeMap;
use std::io::BufRead as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::order::by_path;
use super::{Counts, Shard, SweepReport};
use crate::error::{Error, Result};
use crate::ops::survey::group::groups;
use crate::ops::survey::record::FileRecord;
use crate::storage::open_lines;

/// Parts of a sweep put together.
#[derive(Debug)]
pub struct Merged {
    /// Every file of every part, in order.
    pub records: Vec<FileRecord>,
    /// The groups and sums.
    pub report: SweepReport,
    /// What is not as it should be with the parts: one that is missing, cut off, there twice, of another depth.
    pub troubles: Vec<String>,
}

/// A line of a sweep, as its output has it.
enum Line {
    File(Box<FileRecord>),
    End {
        shard: Option<Shard>,
        counts: Counts,
    },
    Other,
}

/// Reads the JSON Lines that parts of a sweep printed and judges them as one.
///
/// # Errors
/// [`Error::Io`] when a file cannot be read, or is no output of a sweep.
pub fn merge(files: &[PathBuf]) -> Result<Merged> {
    let mut records = Vec::new();
    let mut troubles = Vec::new();
    let mut counts = Counts::default();
    let mut parts: BTreeMap<u32, u64> = BTreeMap::new();
    let mut of = None;
    for file in files {
        let mut ended = false;
        for line in open_lines(file)?.lines() {
            let line = line.map_err(|error| Error::io(file, "read", error))?;
            if line.is_empty() {
                continue;
            }
            // A run that was killed leaves half a line.
            let Ok(value) = serde_json::from_str::<Value>(&line) else {
                troubles.push(format!("'{}' has a line that is cut off", file.display()));
                continue;
            };
            match read(value, file)? {
                Line::File(record) => records.push(*record),
                Line::End {
                    shard,
                    counts: more,
                } => {
                    ended = true;
                    counts.add_all(&more);
                    let shard = shard.unwrap_or(Shard { index: 1, of: 1 });
                    *parts.entry(shard.index).or_default() += 1;
                    if of.is_some_and(|of| of != shard.of) {
                        troubles.push(format!(
                            "'{}' is part {shard}, others are of another number",
                            file.display()
                        ));
                    }
                    of = of.max(Some(shard.of));
                }
                Line::Other => {}
            }
        }
        if !ended {
            troubles.push(format!(
                "'{}' is not a whole part: its run did not end",
                file.display()
            ));
        }
    }
    for index in 1..=of.unwrap_or(1) {
        match parts.get(&index).copied().unwrap_or(0) {
            1 => {}
            0 => troubles.push(format!("part {index} of {} is missing", of.unwrap_or(1))),
            more => troubles.push(format!("part {index} is there {more} times")),
        }
    }
    records.sort_by(|a: &FileRecord, b| by_path(&a.path, &b.path));
    let all = records.len();
    records.dedup();
    if records.len() < all {
        troubles.push(format!(
            "{} files are there more than once",
            all - records.len()
        ));
    }
    if records
        .windows(2)
        .any(|pair| pair[0].depth != pair[1].depth)
    {
        troubles.push("the parts were not looked into equally deep".to_owned());
    }
    let listed: Vec<FileRecord> = records
        .iter()
        .filter(|record| record.is_listed())
        .cloned()
        .collect();
    Ok(Merged {
        report: SweepReport {
            groups: groups(&listed),
            counts,
            shard: None,
        },
        records,
        troubles,
    })
}

/// Takes the envelope of a line off.
fn read(mut value: Value, file: &Path) -> Result<Line> {
    let wrong = |what: String| {
        let error = std::io::Error::new(std::io::ErrorKind::InvalidData, what);
        Error::io(file, "merge", error)
    };
    if value["mode"] != "sweep" {
        return Err(wrong("it holds lines that no sweep has printed".to_owned()));
    }
    let unfit = |error: serde_json::Error| wrong(format!("a line is of another version: {error}"));
    let mut result = value["result"].take();
    let kind = result["record"].as_str().unwrap_or_default().to_owned();
    match kind.as_str() {
        "file" => {
            result["path"] = value["file"].take();
            result["jet"] = value["jet"]["code"].take();
            result["findings"] = value["findings"].take();
            let record = serde_json::from_value(result).map_err(unfit)?;
            Ok(Line::File(Box::new(record)))
        }
        "summary" | "shard" => Ok(Line::End {
            shard: serde_json::from_value(result["shard"].take()).map_err(unfit)?,
            counts: serde_json::from_value(result["counts"].take()).map_err(unfit)?,
        }),
        _ => Ok(Line::Other),
    }
}
