//! `isinteg` as it is typed: spellings, layouts, statuses, the log, `-dump` and `-patch`.

mod common;
#[path = "../examples/build_testdata/stores/mod.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod stores;

use std::path::Path;

use common::{folder_with, line, sample, snapshot};
use stores::{StoreKind, defects};

const PRIVATE: &str = "store-2003-priv.edb";
const PUBLIC: &str = "store-2003-pub.edb";
const MODERN: &str = "store-2013.edb";

/// A store with one defect.
fn defective(name: &str) -> tempfile::TempDir {
    let store = defects::named(StoreKind::Private, name).expect("a defect of this name");
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("priv.edb"), store.build().unwrap()).unwrap();
    dir
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn sound_stores_in_every_layout() {
    let dir = folder_with(&[PRIVATE, PUBLIC, MODERN]);
    for name in [PRIVATE, PUBLIC, MODERN] {
        let run = line(dir.path(), &format!("isinteg {name} -test alltests"));
        assert_eq!(run.status, 0, "{run:?}");
        snapshot(&format!("isinteg-{}", name.trim_end_matches(".edb")), &run);
    }
    let table = line(
        dir.path(),
        &format!("isinteg {MODERN} -test folder --format table"),
    );
    assert!(
        table.status == 0 && table.stdout.contains("Test Folder result"),
        "{table:?}"
    );
    let json = line(
        dir.path(),
        &format!("isinteg {MODERN} -test folder --format json"),
    )
    .one_json();
    let test = &json["result"]["tests"][0];
    assert_eq!(
        (&test["name"], &test["errors"]),
        (&"folder".into(), &0.into())
    );
    assert_eq!(json["result"]["profile"]["name"], "exchange-2013");
}

#[test]
fn every_spelling() {
    let dir = folder_with(&[PRIVATE, PUBLIC]);
    for words in [
        "isinteg -pri -test folder,message store-2003-priv.edb",
        "isinteg -s EXCH1 -test folder, message store-2003-priv.edb",
        "/isinteg /test folder /test message store-2003-priv.edb",
        "isinteg store-2003-priv.edb --test=folder --test=message -verbose -detailed",
        "isinteg -pri -t . -test FOLDER,Message store-2003-priv.edb",
    ] {
        let run = line(dir.path(), words);
        assert_eq!(run.status, 0, "{run:?}");
        let results = run.stdout.lines().filter(|line| line.starts_with("Test "));
        let titles: Vec<_> = results
            .map(|line| line.split(' ').nth(1).unwrap())
            .collect();
        assert_eq!(titles, ["Folder", "Message"], "{run:?}");
    }
    let server = line(
        dir.path(),
        "isinteg -s EXCH1 -test folder store-2003-priv.edb",
    );
    assert!(server.stderr.contains("-s names a server"), "{server:?}");
    assert_eq!(names(dir.path()).len(), 2, "nothing is written");
}

#[cfg(unix)]
#[test]
fn by_a_link_of_its_name() {
    let dir = folder_with(&[PRIVATE]);
    let link = dir.path().join("isinteg");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_exutil"), &link).unwrap();
    let run = common::run(
        &link,
        dir.path(),
        &["-pri", "-test", "allfoldertests", PRIVATE],
    );
    assert_eq!(run.status, 0, "{run:?}");
    for title in ["Folder", "Search Folder Links", "Subfolder Counts"] {
        assert!(
            run.stdout
                .contains(&format!("Test {title} result: 0 error(s)")),
            "{run:?}"
        );
    }
}

#[test]
fn what_is_asked_wrongly() {
    let dir = folder_with(&[PRIVATE, PUBLIC, "mini-4k.edb"]);
    for (words, status, text) in [
        (
            "isinteg store-2003-priv.edb -test nonsense",
            16,
            "there is no test 'nonsense'",
        ),
        (
            "isinteg store-2003-priv.edb -pub -test folder",
            16,
            "this is a private store",
        ),
        (
            "isinteg store-2003-priv.edb -pri -pub -test folder",
            16,
            "exclude each other",
        ),
        ("isinteg store-2003-priv.edb -test", 16, "Missing"),
        (
            "isinteg store-2003-priv.edb --profile gone.toml -test folder",
            8,
            "gone.toml",
        ),
        (
            "isinteg store-2003-priv.edb -test folder -fix",
            32,
            "give --yes",
        ),
        ("isinteg mini-4k.edb -dump", 16, "no table of folders"),
    ] {
        let run = line(dir.path(), words);
        assert_eq!(run.status, status, "{run:?}");
        assert!(run.output().contains(text), "{run:?}");
    }
    // Of the other kind of store, and of what nothing is known about: neither passed nor failed.
    let run = line(
        dir.path(),
        "isinteg store-2003-pub.edb -test mailbox,acllist",
    );
    assert_eq!(run.status, 0, "{run:?}");
    for text in [
        "Test Mailbox result: not available in this database: it is for private stores",
        "Test ACL List result: not available in this database: nothing is known",
        "Total number of tests           : 0",
        "Tests that are not available    : 2",
    ] {
        assert!(run.stdout.contains(text), "{text}: {run:?}");
    }
    let run = line(dir.path(), "isinteg mini-4k.edb -test alltests");
    assert_eq!(run.status, 0, "{run:?}");
    assert!(
        run.stdout.contains("only its structure can be tested"),
        "{run:?}"
    );
    assert!(
        run.stdout.contains("Test Structure result: 0 error(s)"),
        "{run:?}"
    );
}

#[test]
fn a_fix_its_log_and_its_undo() {
    let dir = tempfile::tempdir().unwrap();
    let store = defects::named(StoreKind::Modern, "children").expect("a defect of this name");
    std::fs::write(dir.path().join("mbx.edb"), store.build().unwrap()).unwrap();
    let before = std::fs::read(dir.path().join("mbx.edb")).unwrap();
    let found = line(dir.path(), "isinteg mbx.edb -test fldsub");
    assert_eq!(found.status, 4, "{found:?}");
    snapshot("isinteg-found", &found);
    let dry = line(
        dir.path(),
        "isinteg mbx.edb -test fldsub -fix -dry-run --yes",
    );
    assert_eq!(dry.status, 4, "nothing is corrected: {dry:?}");
    assert!(dry.stdout.contains("Fix: Folder") && dry.stdout.contains("Nothing was changed"));
    assert_eq!(std::fs::read(dir.path().join("mbx.edb")).unwrap(), before);
    let fixed = line(
        dir.path(),
        "isinteg mbx.edb -test fldsub -fix --yes -l fix.log",
    );
    assert_eq!(fixed.status, 1, "{fixed:?}");
    for text in [
        "Error: Folder",
        "Fix: Folder",
        "1 error(s); 0 warning(s); 1 fix(es)",
        "exutil undo",
    ] {
        assert!(fixed.stdout.contains(text), "{text}: {fixed:?}");
    }
    let log = std::fs::read_to_string(dir.path().join("fix.log")).unwrap();
    for text in [
        "Store path: ",
        "Check mode: check and fix",
        "Starting test 1 of 1, 'Subfolder Counts'",
        "Fix: Folder",
        "number of errors = 1, number of fixes = 1",
        ". . . . . SUMMARY . . . . .",
        "Total number of fixes: 1",
    ] {
        assert!(log.contains(text), "{text}: {log}");
    }
    assert_eq!(line(dir.path(), "isinteg mbx.edb -test alltests").status, 0);
    assert_eq!(line(dir.path(), "g mbx.edb").status, 0);
    let undone = line(dir.path(), "undo mbx.edb.undo");
    assert_eq!(undone.status, 0, "{undone:?}");
    assert_eq!(std::fs::read(dir.path().join("mbx.edb")).unwrap(), before);
}

#[test]
fn what_is_inferred_is_fixed_only_for_who_trusts_it() {
    let dir = defective("children");
    let found = line(dir.path(), "isinteg priv.edb -test fldsub -fix --yes");
    assert_eq!(found.status, 0, "a warning: {found:?}");
    assert!(
        found.stdout.contains("Warning: Folder") && !found.stdout.contains("Fix: "),
        "{found:?}"
    );
    let hint = "is fixed with --trust-profile only";
    assert!(found.stdout.contains(hint), "{found:?}");
    let fixed = line(
        dir.path(),
        "isinteg priv.edb -test fldsub -fix --yes --trust-profile",
    );
    assert_eq!(fixed.status, 1, "{fixed:?}");
    assert!(!fixed.stdout.contains(hint), "{fixed:?}");
    let again = line(
        dir.path(),
        "isinteg priv.edb -test alltests -fix --yes --trust-profile",
    );
    assert!(
        again.status == 0 && again.stdout.contains("Total number of warnings        : 0"),
        "{again:?}"
    );
}

#[test]
fn a_log_is_written_over_nothing_else() {
    let dir = folder_with(&[PRIVATE, MODERN]);
    let run = line(
        dir.path(),
        &format!("isinteg {PRIVATE} -test folder -l {PRIVATE}"),
    );
    assert_eq!(run.status, 8, "{run:?}");
    assert!(std::fs::read(dir.path().join(PRIVATE)).unwrap() == sample(PRIVATE));
    let both = format!("isinteg {PRIVATE} {MODERN} -test folder -l both.log");
    for _ in 0..2 {
        assert_eq!(line(dir.path(), &both).status, 0);
        let log = std::fs::read_to_string(dir.path().join("both.log")).unwrap();
        assert_eq!(log.matches("Store path: ").count(), 2, "{log}");
    }
}

#[test]
fn one_fix_brings_about_another() {
    // The row of a message that is gone is deleted; the folder's counts, which nobody asked for, follow.
    let dir = defective("no-message");
    let fixed = line(
        dir.path(),
        "isinteg priv.edb -test folder -fix --yes --trust-profile",
    );
    assert_eq!(fixed.status, 1, "{fixed:?}");
    let again = line(dir.path(), "isinteg priv.edb -test alltests");
    assert!(
        again.stdout.contains("Total number of warnings        : 0"),
        "{fixed:?} {again:?}"
    );
}

#[test]
fn a_dirty_database_is_tested_but_not_changed() {
    let dir = folder_with(&["dirty.edb"]);
    let tested = line(dir.path(), "isinteg dirty.edb -test structure");
    assert!(
        tested.stdout.contains("was not shut down cleanly"),
        "{tested:?}"
    );
    let fixed = line(dir.path(), "isinteg dirty.edb -test structure -fix --yes");
    assert_eq!(fixed.status, 4, "{fixed:?}");
    assert!(fixed.stdout.contains("-550"), "{fixed:?}");
    assert!(std::fs::read(dir.path().join("dirty.edb")).unwrap() == sample("dirty.edb"));
    assert_eq!(names(dir.path()), ["dirty.edb"]);
}

#[test]
fn dumps() {
    let dir = folder_with(&[PRIVATE, MODERN]);
    let run = line(dir.path(), "isinteg store-2003-priv.edb -dump --no-logo");
    assert_eq!(run.status, 0, "{run:?}");
    for text in [
        "[1] Folder FID=0001-000000000010\n    Parent FID=\n",
        "    Name=Mailbox - Alice Miller\n",
        "] RootFID=0001-",
        "    Display Name=",
    ] {
        assert!(run.stdout.contains(text), "{text}: {run:?}");
    }
    let json = line(dir.path(), "isinteg store-2013.edb -dump --format json").one_json();
    let rows = json["result"]["rows"].as_array().unwrap();
    assert!(rows.iter().any(|row| row["kind"] == "mailbox"));
    assert!(rows.iter().any(|row| row["table"] == "Folder_101"));
}

#[test]
fn a_patch_is_for_the_oldest_store_alone() {
    let dir = folder_with(&[PRIVATE]);
    let newer = line(
        dir.path(),
        "isinteg store-2003-priv.edb -patch --yes --trust-profile",
    );
    assert_eq!(newer.status, 0, "{newer:?}");
    assert!(
        newer
            .stdout
            .contains("since Exchange 2000 the store gives itself a new one")
    );
    assert_eq!(names(dir.path()).len(), 1);

    // No sample of that age can be made here, so the profile is named.
    let profile = common::root().join("src/store/profiles/exchange-5.5.toml");
    std::fs::copy(profile, dir.path().join("old.toml")).unwrap();
    let path = dir.path().join(PRIVATE);
    let before = sample(PRIVATE);
    let old = |words: &str| {
        line(
            dir.path(),
            &format!("isinteg {PRIVATE} --profile old.toml {words}"),
        )
    };
    let tested = old("-test alltests");
    assert_eq!(tested.status, 0, "{tested:?}");
    assert!(
        tested.stdout.contains("Store: Exchange 4.0 to 5.5"),
        "{tested:?}"
    );
    let told = old("-patch --yes");
    assert_eq!(told.status, 0, "{told:?}");
    assert!(
        told.stdout.contains("only inferred: --trust-profile"),
        "{told:?}"
    );
    assert_eq!(std::fs::read(&path).unwrap(), before);
    let nobody = old("-patch --trust-profile");
    assert_eq!(nobody.status, 32, "{nobody:?}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
    let done = old("-patch --trust-profile --yes --format=json");
    assert_eq!(done.status, 1, "{done:?}");
    let column = &done.one_json()["result"]["column"];
    assert_ne!(column["before"], column["after"]);
    assert_eq!(old("-test alltests").status, 0);
    assert_eq!(line(dir.path(), &format!("g {PRIVATE}")).status, 0);
    assert_eq!(line(dir.path(), &format!("undo {PRIVATE}.undo")).status, 0);
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn a_profile_of_ones_own() {
    let dir = folder_with(&["priv1.edb"]);
    let profile = |says: &str| {
        format!(
            r#"
name = "mine"
title = "My store"
about = "A test."
[[table]]
role = "mail"
title = "Mail"
names = ["Msg"]
source = "me"
confidence = "high"
[[table]]
role = "box"
title = "Box"
names = ["Mailbox"]
source = "me"
confidence = "high"
[[test]]
name = "boxes"
title = "Boxes"
about = "how many there are"
[[check]]
id = "boxes.rows"
tests = ["boxes"]
says = "wrong"
source = "me"
confidence = "high"
kind = "rows"
table = "box"
{says}
"#
        )
    };
    let write = |text: String| std::fs::write(dir.path().join("mine.toml"), text).unwrap();
    write(profile("exactly = 5"));
    let held = line(
        dir.path(),
        "isinteg priv1.edb --profile mine.toml -test boxes",
    );
    assert_eq!(held.status, 0, "{held:?}");
    assert!(
        held.stdout
            .contains("Test Boxes result: 0 error(s); 0 warning(s); 0 fix(es); 5 row(s)")
    );
    write(profile("exactly = 6"));
    let wrong = line(
        dir.path(),
        "isinteg priv1.edb --profile mine.toml -test boxes",
    );
    assert_eq!(wrong.status, 4, "{wrong:?}");
    assert!(
        wrong
            .stdout
            .contains("Error: table Mailbox: wrong: 5 rows instead of 6."),
        "{wrong:?}"
    );
    for bad in [
        "exactly = -1",
        "more = 1",
        "exactly = 5\ntable = \"other\"",
        "[",
    ] {
        write(profile(bad));
        let run = line(
            dir.path(),
            "isinteg priv1.edb --profile mine.toml -test boxes",
        );
        assert_eq!(run.status, 16, "{run:?}");
        assert!(run.stderr.contains("is no profile"), "{run:?}");
    }
}
