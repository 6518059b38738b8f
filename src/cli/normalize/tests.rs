use super::{UsageError, normalize};

fn translate(line: &str) -> Result<String, UsageError> {
    let args: Vec<_> = line.split(' ').map(Into::into).collect();
    let exists = |path: &std::ffi::OsStr| {
        ["/data", "/data/p.edb", "/logs", "/tmp", "/p9", "/s"]
            .iter()
            .any(|p| path == *p)
    };
    let normal = normalize(&args, &exists)?;
    let words: Vec<_> = normal
        .args
        .iter()
        .map(|arg| arg.to_string_lossy().into_owned())
        .collect();
    Ok(words.join(" "))
}

#[test]
fn every_spelling_of_a_mode_means_the_same() {
    for line in [
        "exutil mh F",
        "exutil /mh F",
        "exutil -mh F",
        "exutil /MH F",
        "exutil /m /h F",
        "exutil /m F",
        "exutil -m F -h",
        "eseutil /m F",
        "esentutl /m /H F",
        "exutil MH F",
    ] {
        assert_eq!(translate(line).unwrap(), "exutil mh -- F", "{line}");
    }
    assert_eq!(translate("exutil /m F /l").unwrap(), "exutil ml -- F");
    assert_eq!(translate("exutil /ksum F").unwrap(), "exutil k -- F");
    assert_eq!(translate("exutil /x F"), Err(UsageError::InvalidMode));
    assert_eq!(translate("exutil priv1.edb"), Err(UsageError::InvalidMode));
    assert_eq!(translate("exutil /?").unwrap(), "exutil --help");
}

#[test]
fn a_page_number_makes_a_page_dump() {
    for line in [
        "exutil /m F /p34",
        "exutil m F /p34",
        "exutil -m F -P34",
        "exutil /mh F /p34",
        "exutil m F --page 34",
        "exutil m --page=34 F",
        "exutil /m /p34 F",
        "exutil m F /p:34",
    ] {
        assert_eq!(
            translate(line).unwrap(),
            "exutil m --page=34 -- F",
            "{line}"
        );
    }
    let same = [
        ("exutil /m F /p-1", "exutil m --page=-1 -- F"),
        (
            "exutil /m F /n34:2 /v",
            "exutil m --node=34:2 --verbose -- F",
        ),
        ("exutil /m F /n[1:34:2]", "exutil m --node=[1:34:2] -- F"),
        (
            "exutil m F /i34:0 /8",
            "exutil m --tag=34:0 --page-size=8 -- F",
        ),
        ("exutil /m F /p", "exutil mp -- F"),
        ("exutil m F", "exutil mh -- F"),
        ("exutil m F /h", "exutil mh -- F"),
        ("exutil k F --page 3", "exutil k --page=3 -- F"),
    ];
    for (line, expected) in same {
        assert_eq!(translate(line).unwrap(), expected, "{line}");
    }
}

#[test]
fn values_are_glued_or_apart() {
    for line in [
        "exutil mh F /l/logs",
        "exutil mh F /l:/logs",
        "exutil mh /l /logs F",
        "exutil mh F -L /logs",
        "exutil mh --log-path /logs F",
        "exutil mh --log-path=/logs F",
    ] {
        assert_eq!(
            translate(line).unwrap(),
            "exutil mh --log-path=/logs -- F",
            "{line}"
        );
    }
    assert_eq!(
        translate("exutil mh F /l /v"),
        Err(UsageError::Missing("logfile path"))
    );
    for line in [
        "exutil export F --table",
        "exutil export --table -- F",
        "exutil export F --threads",
    ] {
        let missing = matches!(translate(line), Err(UsageError::Missing(_)));
        assert!(missing, "{line}");
    }
    assert_eq!(
        translate("exutil mh F /q"),
        Err(UsageError::InvalidOption("/q".into()))
    );
    assert_eq!(
        translate("exutil mh F /vx"),
        Err(UsageError::InvalidOption("/vx".into()))
    );
}

#[test]
fn paths_are_told_from_switches() {
    assert_eq!(
        translate("exutil mh /data/p.edb").unwrap(),
        "exutil mh -- /data/p.edb"
    );
    // Missing files stay files, also where their first letters are a switch (/t, /v, /2).
    for path in [
        "/data/gone.edb",
        "/tmp/gone.edb",
        "/var/gone.edb",
        "/2003/gone.edb",
        "/x/y",
    ] {
        assert_eq!(
            translate(&format!("exutil k {path}")).unwrap(),
            format!("exutil k -- {path}")
        );
    }
    assert_eq!(
        translate("exutil mh /logs/missing.edb").unwrap(),
        "exutil mh -- /logs/missing.edb"
    );
    assert_eq!(
        translate("exutil mh bk\\new\\p.edb").unwrap(),
        "exutil mh -- bk/new/p.edb"
    );
    assert_eq!(
        translate("exutil /r E00 /n new/p.edb:E:\\db\\p.edb").unwrap(),
        "exutil r --moved=new/p.edb:E:\\db\\p.edb -- E00"
    );
    assert_eq!(translate("exutil mh -- -odd").unwrap(), "exutil mh -- -odd");
    assert_eq!(
        translate("exutil k /o /8 a b").unwrap(),
        "exutil k --no-logo --page-size=8 -- a b"
    );
    assert_eq!(
        translate("exutil mh ntds.dit /!10240 /16 /o").unwrap(),
        "exutil mh --page-size=16 --no-logo -- ntds.dit"
    );
    assert_eq!(
        translate("exutil export F --table A --format csv --table=B --output=/x").unwrap(),
        "exutil export --table=A --format=csv --table=B --output=/x -- F"
    );
    assert_eq!(
        translate("exutil k --page -1-5 F").unwrap(),
        "exutil k --page=-1-5 -- F"
    );
}

#[test]
fn behind_two_dashes_everything_is_a_file() {
    for (line, expected) in [
        ("exutil mh -- /p34", "exutil mh -- /p34"),
        ("exutil m F -- /p34", "exutil mh -- F /p34"),
        ("exutil /m -- /l", "exutil mh -- /l"),
        ("exutil /m -- -?", "exutil mh -- -?"),
        ("exutil /m F /l -- /k", "exutil ml -- F /k"),
    ] {
        assert_eq!(translate(line).unwrap(), expected, "{line}");
    }
    assert_eq!(
        translate("exutil /c -- /c"),
        Err(UsageError::InvalidMode),
        "a file does not say which restore"
    );
}

#[test]
fn a_value_or_a_path_says_nothing_of_the_mode() {
    for (line, expected) in [
        (
            "exutil mh F --log-path /n4",
            "exutil mh --log-path=/n4 -- F",
        ),
        ("exutil /m --log-path /l F", "exutil mh --log-path=/l -- F"),
        // Paths that are there.
        ("exutil mh /p9", "exutil mh -- /p9"),
        ("exutil /m /s", "exutil mh -- /s"),
    ] {
        assert_eq!(translate(line).unwrap(), expected, "{line}");
    }
}

#[cfg(unix)]
#[test]
fn what_is_no_text_comes_through_as_it_is() {
    use std::ffi::{OsStr, OsString};
    use std::os::unix::ffi::OsStrExt as _;

    let os = |bytes: &[u8]| OsStr::from_bytes(bytes).to_owned();
    let translate = |words: &[&[u8]]| {
        let args: Vec<OsString> = words.iter().map(|word| os(word)).collect();
        normalize(&args, &|_| false).unwrap().args
    };
    type Words<'w> = &'w [&'w [u8]];
    let cases: [(Words<'_>, Words<'_>); 6] = [
        (
            &[b"exutil", b"mh", b"/l/logs/\xE4", b"\xFF.edb"],
            &[
                b"exutil",
                b"mh",
                b"--log-path=/logs/\xE4",
                b"--",
                b"\xFF.edb",
            ],
        ),
        (
            &[b"exutil", b"mh", b"/L:\xE4", b"F"],
            &[b"exutil", b"mh", b"--log-path=\xE4", b"--", b"F"],
        ),
        (
            &[b"exutil", b"mh", b"-l", b"\xE4", b"F"],
            &[b"exutil", b"mh", b"--log-path=\xE4", b"--", b"F"],
        ),
        (
            &[b"exutil", b"m", b"F", b"--page", b"34\xE4"],
            &[b"exutil", b"m", b"--page=34\xE4", b"--", b"F"],
        ),
        // A path that leads nowhere.
        (
            &[b"exutil", b"k", b"/x/\xE4.edb"],
            &[b"exutil", b"k", b"--", b"/x/\xE4.edb"],
        ),
        (
            &[b"exutil", b"mh", b"bk\\\xE4.edb"],
            &[b"exutil", b"mh", b"--", b"bk/\xE4.edb"],
        ),
    ];
    for (words, expected) in cases {
        let expected: Vec<OsString> = expected.iter().map(|word| os(word)).collect();
        assert_eq!(translate(words), expected);
    }
}
