//! Every reason for which recovery refuses: the engine's number, what is wrong, what can be done, and not a byte
//! changed. The files are not part of the project: `EXUTIL_CORPUS` names the directory.

mod common;
#[path = "common/recovery.rs"]
mod recovery;

use std::path::Path;

use rayon::prelude::{IntoParallelIterator, ParallelIterator};

use common::needs;
use exutil::error::Error;
use exutil::format::checksum;
use exutil::format::ids::{DbTime, Generation, Pgno};
use exutil::format::page::{Page, PageMut};
use exutil::format::stamp::Lgpos;
use exutil::ops::recover::{RecoverOptions, RecoverReport};
use recovery::{
    Files, before, change_header, comparable, differences, folder_of, options, page_size,
    read_files, recovered, reset, run,
};

/// What a run says, paths and file names as they are for every user.
fn text(result: &Result<RecoverReport, Error>, dir: &Path) -> String {
    let said = match result {
        Err(error) => {
            let advice = error.advice().unwrap_or("(nothing)");
            format!("{}\n{error}\nWhat to do: {advice}.\n", error.jet())
        }
        Ok(report) => {
            let mut said = format!("{}\n", report.jet);
            for path in &report.removed_logs {
                said += &format!("given up: {}\n", path.display());
            }
            for finding in &report.findings {
                let place = finding.place.file.as_deref().unwrap_or_default();
                let words = finding.problem.info().text;
                said += format!("{place}: {words}: {}", finding.detail).trim_end_matches(": ");
                said += "\n";
            }
            said
        }
    };
    said.replace(dir.to_str().unwrap(), "DIR")
}

fn snapshot(name: &str, text: &str) {
    insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!(name, text);
    });
}

/// Runs over `files`, compares what is said with the snapshot `name`; a run that fails must not change anything.
fn says(name: &str, code: i32, files: &Files, change: impl FnOnce(&mut RecoverOptions)) {
    let dir = folder_of(files);
    let mut options = options(dir.path());
    change(&mut options);
    let result = run(&options);
    let got = result
        .as_ref()
        .map_or_else(|error| error.jet(), |report| report.jet);
    assert_eq!(got.code(), code, "{name}: {result:?}");
    if let Err(error) = &result {
        assert!(error.advice().is_some(), "{name}: {error}");
        let found = differences(&read_files(dir.path()), files);
        assert!(found.is_empty(), "{name}: {found:?}");
    }
    snapshot(&format!("r_{name}"), &text(&result, dir.path()));
}

fn lossy(options: &mut RecoverOptions) {
    options.lossy = true;
}

fn as_is(_: &mut RecoverOptions) {}

#[test]
fn logs_that_are_not_there() {
    let Some(corpus) = needs::corpus() else {
        return;
    };
    let of = |case| before(&corpus, case);
    says("gap", -515, &of("r-nomid"), as_is);
    says("gap_lossy", -515, &of("r-nomid"), lossy);
    says("missing_first", -528, &of("r-nofirst"), as_is);
    says("missing_last", -543, &of("r-nolast"), as_is);
    says("missing_last_lossy", -543, &of("r-nolast"), lossy);
    says("missing_last_two", -543, &of("r-nolast2"), as_is);
    says("no_logs", -528, &of("r-nologs"), as_is);
    says("missing_committed", -582, &of("r-lossy-nolast"), as_is);
    says("missing_committed_lossy", 585, &of("r-lossy-nolast"), lossy);
}

#[test]
fn logs_that_are_damaged() {
    let Some(corpus) = needs::corpus() else {
        return;
    };
    let of = |case| before(&corpus, case);
    says("damaged_middle", -501, &of("r-badmid"), as_is);
    says("damaged_middle_header", -501, &of("r-badmidhdr"), as_is);
    says("damaged_last", -501, &of("r-badlast"), as_is);
    says("damaged_last_lossy", -501, &of("r-badlast"), lossy);
    says("damaged_last_header", -501, &of("r-badlasthdr"), as_is);
    says("truncated_middle", -541, &of("r-truncmid"), as_is);
    says("truncated_last", -541, &of("r-trunclast"), as_is);
    says("torn_tail", -344, &of("r-torn-tail-req"), as_is);
    says("damaged_committed", -586, &of("r-lossy-badlast"), as_is);
    says(
        "damaged_committed_lossy",
        587,
        &of("r-lossy-badlast"),
        lossy,
    );
}

#[test]
fn logs_of_another_stream_or_name() {
    let Some(corpus) = needs::corpus() else {
        return;
    };
    let good = before(&corpus, "crash-noflush-4k");
    let fifth = "edb00000005.log".to_owned();
    let mut files = good.clone();
    files.insert(
        fifth.clone(),
        before(&corpus, "crash-flush-4k")["edb00000005.log"].clone(),
    );
    says("other_stream", -530, &files, as_is);
    let mut files = good.clone();
    files.insert(fifth.clone(), good["edb00000004.log"].clone());
    says("wrong_name", -513, &files, as_is);
    // A log of the same stream and number, of another time: written after the database had been set back.
    let mut files = good;
    let mut other = files[&fifth].clone();
    other[24] ^= 1;
    files.insert(fifth, other);
    says("damaged_header_byte", -501, &files, as_is);
}

#[test]
fn databases_that_do_not_fit() {
    let Some(corpus) = needs::corpus() else {
        return;
    };
    let mut files = before(&corpus, "crash-noflush-4k");
    let other = before(&corpus, "crash-noflush-8k")["test.edb"].clone();
    files.insert("test.edb".to_owned(), other);
    says("page_size", -1213, &files, as_is);
    let mut files = before(&corpus, "crash-noflush-4k");
    let other = before(&corpus, "crash-flush-4k")["test.edb"].clone();
    files.insert("test.edb".to_owned(), other);
    says("other_database", -1216, &files, as_is);
    says(
        "diverged",
        -551,
        &before(&corpus, "diverged-registar"),
        as_is,
    );
    let mut files = before(&corpus, "fuzz-001");
    files.remove("test.edb");
    says("missing_database", -1216, &files, as_is);
    says("left_out", 0, &files, |options| {
        options.ignore_missing = true;
    });
}

/// What stands where the database should be while the logs hold its creation: what has no sound header is made anew,
/// as the engine does; what is in the middle of something else is refused.
#[test]
fn a_database_whose_creation_is_in_the_logs() {
    let Some(corpus) = needs::corpus() else {
        return;
    };
    let good = before(&corpus, "crash-noflush-4k");
    let want = recovered(&before(&corpus, "r-nodb"));
    let with = |database: Vec<u8>| {
        let mut files = good.clone();
        files.insert("test.edb".to_owned(), database);
        files
    };
    let state = |state: u32| {
        let mut bytes = good["test.edb"].clone();
        change_header(&mut bytes, |header| header.state = state);
        bytes
    };
    let mut no_header = good["test.edb"].clone();
    no_header[..8192].fill(0x55);
    let new = [b"no database".repeat(1000), no_header, state(1), state(77)];
    for (number, database) in new.into_iter().enumerate() {
        let have = recovered(&with(database));
        let found = differences(&comparable(&have), &comparable(&want));
        // The flush map is still there.
        assert_eq!(found, ["test.jfm should not be there"], "{number}");
    }
    says("incremental_reseed", -1226, &with(state(6)), as_is);
    says("revert", -1935, &with(state(8)), as_is);
}

/// The checkpoint says that all is done, and one database is not: the engine reports success and says nothing.
#[test]
fn a_database_behind_its_checkpoint_is_told() {
    let Some(corpus) = needs::corpus() else {
        return;
    };
    let files = before(&corpus, "futurechk-registar");
    says("future_checkpoint", 0, &files, as_is);
    let dir = folder_of(&files);
    let run = common::line(dir.path(), "r edb /d");
    assert_eq!(run.status, 0);
    for words in ["Note", "storage.ide", "--no-checkpoint"] {
        assert!(run.stdout.contains(words), "{words}: {}", run.text());
    }
    let found = differences(&read_files(dir.path()), &files);
    assert!(found.is_empty(), "{found:?}");
    let run = common::line(dir.path(), "r edb /d --no-checkpoint");
    assert_eq!(run.status, 0, "{}", run.text());
    assert!(run.stdout.contains("Clean Shutdown"), "{}", run.text());
}

/// What scripts look for in Eseutil's text, to the byte.
#[test]
fn the_way_out_is_told_as_eseutil_tells_it() {
    let Some(corpus) = needs::corpus() else {
        return;
    };
    let cases = [
        ("r-lossy-nolast", "there is a lossy recovery option"),
        ("r-nofirst", "there might be a lossy recovery option"),
    ];
    for (name, words) in cases {
        let dir = folder_of(&before(&corpus, name));
        let run = common::line(dir.path(), "r edb /d");
        let line = format!(
            "\n\n\tRecovery has indicated that {words}.  Run recovery with the /a argument.\n"
        );
        assert!(run.stdout.contains(&line), "{name}: {}", run.text());
    }
}

/// Sets the time of a page.
fn with_time(page: &mut [u8], number: usize, time: impl Fn(u64) -> u64, files: &Files) -> bool {
    let size = page_size(&files["test.edb"]);
    let is_page = page.iter().any(|byte| *byte != 0);
    let Some(mut edit) = PageMut::new(page, size).filter(|_| is_page) else {
        return false;
    };
    let before = edit.view().dbtime().get();
    edit.set_dbtime(DbTime::new(time(before)));
    checksum::seal(page, size, Pgno::new(number as u32 - 1));
    true
}

/// Changes one page after the other, until a dry run over the result ends with `code`; those files.
fn first_with(
    files: &Files,
    code: i32,
    change: impl Fn(&mut [u8], usize) -> bool + Sync,
) -> (usize, Files) {
    let size = page_size(&files["test.edb"]).bytes();
    let pages = files["test.edb"].len() / size;
    let found = (2..pages).into_par_iter().find_map_first(|number| {
        let mut files = files.clone();
        let database = files.get_mut("test.edb").unwrap();
        if !change(&mut database[number * size..][..size], number) {
            return None;
        }
        let dir = folder_of(&files);
        let mut dry = options(dir.path());
        dry.dry_run = true;
        let jet = run(&dry).err().map(|error| error.jet().code());
        (jet == Some(code)).then_some((number, files))
    });
    found.unwrap_or_else(|| panic!("no page gives {code}"))
}

#[test]
fn pages_that_do_not_fit_the_log() {
    let Some(corpus) = needs::corpus() else {
        return;
    };
    let good = before(&corpus, "crash-flush-4k");
    let size = page_size(&good["test.edb"]);
    // A lost write: the page is as it was long before the checkpoint.
    let dir = folder_of(&good);
    let mut early = options(dir.path());
    std::fs::remove_file(dir.path().join("test.edb")).unwrap();
    early.ignore_checkpoint = true;
    early.stop_after = Some(Lgpos::new(Generation::new(2), u16::MAX, u16::MAX));
    run(&early).unwrap();
    let old = read_files(dir.path())["test.edb"].clone();
    reset(dir.path(), &good);
    let (_, files) = first_with(&good, -566, |page, number| {
        let Some(image) = old.get(number * size.bytes()..(number + 1) * size.bytes()) else {
            return false;
        };
        let time = |bytes| Page::new(bytes, size).unwrap().dbtime();
        let older = image.iter().any(|byte| *byte != 0) && time(image) < time(page);
        if older {
            page.copy_from_slice(image);
        }
        older
    });
    says("page_too_old", -566, &files, as_is);
    // A page between two changes that the log has next to each other.
    let (_, files) = first_with(&good, -567, |page, number| {
        with_time(page, number, |time| time + 1, &good)
    });
    says("page_too_new", -567, &files, as_is);
}
