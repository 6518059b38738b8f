use super::tests::{EDB, STM, TO_EDB, ascii};
use super::{EnvDatabase, EnvFault, EnvSource, RecoverStatus, RestoreEnvironment, guid, read};
use crate::format::ids::Generation;
use crate::format::testing::Lcg;

fn random_text(random: &mut Lcg) -> String {
    const PARTS: [&str; 16] = [
        "D:\\",
        "\\",
        "'",
        "'''",
        "\"",
        "\"\"\"",
        "\n",
        "\r\n",
        "\t",
        "\u{1b}",
        "\0",
        "é",
        "データ",
        "😀",
        "# ",
        "a = 1",
    ];
    (0..random.below(8))
        .map(|_| PARTS[random.below(PARTS.len())])
        .collect()
}

#[test]
fn text_form_keeps_everything() {
    let mut random = Lcg::new(22);
    for _ in 0..1000 {
        let maybe = |random: &mut Lcg| (random.below(2) == 0).then(|| random_text(random));
        let mut environment = RestoreEnvironment {
            restore_path: maybe(&mut random).unwrap_or_default(),
            annotation: maybe(&mut random),
            server: maybe(&mut random),
            backup_instance: maybe(&mut random),
            target_instance: maybe(&mut random),
            system_path: maybe(&mut random),
            log_path: maybe(&mut random),
            ..RestoreEnvironment::new(EnvSource::Text)
        };
        let base = ["E00", "edb", "R01", "a_b-c"];
        environment.log_base = base.get(random.below(6)).map(|base| (*base).to_owned());
        if random.below(2) == 0 {
            let low = random.next().max(1);
            let high = low.saturating_add(random.next() >> random.below(32));
            environment.log_range = Some((Generation::new(low), Generation::new(high)));
        }
        environment.log_digits = [5, 8][random.below(2)];
        environment.log_extension = ["log", "jtx"][random.below(2)].into();
        environment.status = RecoverStatus::ALL.get(random.below(5)).copied();
        environment.error = (random.below(2) == 0).then(|| random.next());
        environment.last_restore = (random.below(2) == 0).then(|| i64::from(random.next()));
        environment.recover_time = (random.below(2) == 0).then(|| i64::from(random.next()));
        for _ in 0..random.below(4) {
            let paths = |random: &mut Lcg| {
                (0..random.below(3))
                    .map(|_| random_text(random))
                    .collect::<Vec<_>>()
            };
            environment.databases.push(EnvDatabase {
                name: maybe(&mut random),
                guid: (random.below(2) == 0)
                    .then(|| format!("{:08X}-0123-4567-89AB-CDEF01234567", random.next())),
                sources: paths(&mut random),
                destinations: paths(&mut random),
            });
        }
        let text = environment.to_text();
        assert_eq!(read(text.as_bytes()).as_ref(), Ok(&environment), "{text}");
        let lines = text.replace('\n', "\r\n");
        assert!(read(lines.as_bytes()).is_ok(), "{lines}");
        // As an editor might save it.
        let wide: Vec<u8> = format!("\u{feff}{text}")
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        assert_eq!(read(&wide), Ok(environment));
    }
}

#[test]
fn text_form_is_as_documented() {
    let environment = RestoreEnvironment {
        restore_path: "E:\\restore".into(),
        server: Some("EX1".into()),
        databases: vec![EnvDatabase {
            name: Some("York1".into()),
            guid: guid("{a2cff078-782f-4bfe-8b1d-0123456789ab}"),
            sources: vec![EDB.into(), STM.into()],
            destinations: vec![TO_EDB.into()],
        }],
        log_base: Some("E00".into()),
        log_range: Some((Generation::new(1), Generation::new(0x1F))),
        last_restore: Some(1_104_516_000),
        status: Some(RecoverStatus::Ended),
        error: Some(0xFFFF_FDEF),
        recover_time: Some(-1),
        other: read(&ascii(&["C:\\a.edb", "EnglandStorage"]))
            .unwrap()
            .other,
        ..RestoreEnvironment::new(EnvSource::Inferred)
    };
    insta::assert_snapshot!(environment.to_text());
}

#[test]
fn mistakes_in_the_text_form_have_a_line() {
    let head = "# exutil restore environment: test\nformat = \"exutil restore environment 1\"\n";
    assert!(read(head.as_bytes()).is_ok());
    for (line, what, rest) in [
        (3, "unknown field", "server_name = 'x'\n"),
        (4, "unknown field", "\n[logs2]\n"),
        (4, "unknown field", "[logs]\nlowest = '0x1'\n"),
        (5, "unknown field", "\n[[database]]\nfiles = []\n"),
        (3, "hexadecimal", "error = '12'\n"),
        (3, "hexadecimal", "error = '0x+12'\n"),
        (3, "hexadecimal", "error = '0x'\n"),
        (3, "hexadecimal", "error = '0x100000000'\n"),
        (3, "status", "status = 'done'\n"),
        (3, "UTC", "last_restore = 2004-12-31\n"),
        (3, "UTC", "last_restore = 2004-12-31T18:00:00\n"),
        (3, "UTC", "last_restore = 2004-12-31T18:00:00+02:00\n"),
        (3, "UTC", "recover_time = 1969-12-31T18:00:00Z\n"),
        (3, "UTC", "recover_time = 2156-01-01T00:00:00Z\n"),
        (3, "together", "[logs]\nlow = '0x1'\n"),
        (3, "low must", "[logs]\nlow = '0x2'\nhigh = '0x1'\n"),
        (3, "low must", "[logs]\nlow = '0x0'\nhigh = '0x1'\n"),
        (4, "hexadecimal", "[logs]\nlow = 'E0000001'\nhigh = '0x1'\n"),
        (4, "5 or 8", "[logs]\ndigits = 6\n"),
        (4, "letters", "[logs]\nbase = '..\\x'\n"),
        (4, "letters", "[logs]\nextension = ''\n"),
        (5, "8-4-4-4-12", "[[database]]\nname = 'x'\nguid = '12'\n"),
        (3, "", "server = \n"),
        (2, "", "format = 'twice'\n"),
    ] {
        match read(format!("{head}{rest}").as_bytes()) {
            Err(EnvFault::Text {
                line: at,
                what: found,
            }) => {
                let line = if what.is_empty() { at } else { line };
                assert_eq!(at, line, "{rest}: {found}");
                assert!(found.contains(what), "{rest}: {found}");
            }
            other => panic!("{rest}: {other:?}"),
        }
    }
    let newer = "format = \"exutil restore environment 2\"";
    let fault = read(newer.as_bytes()).unwrap_err();
    assert!(
        fault.to_string().starts_with("line 1: format must be"),
        "{fault}"
    );
    let none = read(b"# exutil restore environment\nserver = 'x'\n").unwrap_err();
    assert!(
        none.to_string().contains("missing field `format`"),
        "{none}"
    );
}

#[test]
fn hostile_text_forms_are_refused() {
    let head = "# exutil restore environment\nformat = \"exutil restore environment 1\"\n";
    for part in [
        ".a",
        ".'a'",
        "[",
        "[[",
        "={a",
        "=[",
        "a.a=1\n",
        "\na=[",
        "\n[[database]]\n[database.x",
    ] {
        let text = format!("{head}a{}", part.repeat(100_000));
        assert!(read(text.as_bytes()).is_err(), "{part}");
        let text = format!("{head}[a{}] = 1", part.repeat(100_000));
        assert!(read(text.as_bytes()).is_err(), "{part}");
    }
    let long = format!("{head}#{}", " ".repeat(1 << 20));
    let bytes = long.len();
    assert_eq!(read(long.as_bytes()), Err(EnvFault::TooLarge { bytes }));
}
