use super::strings::{Found, find};
use super::{
    BYTES_MOST, EnvDatabase, EnvFault, EnvSource, LOG_DIGITS, LOG_DIGITS_OLD, RestoreEnvironment,
    StringEncoding, ctime, guid, read,
};
use crate::format::ids::Generation;
use crate::format::testing::Lcg;

const STORE: &str = "Microsoft Information Store";
pub(super) const EDB: &str = "D:\\Exchsrvr\\EnglandStorage\\York1.edb";
pub(super) const STM: &str = "D:\\Exchsrvr\\EnglandStorage\\York1.stm";
pub(super) const TO_EDB: &str = "E:\\Restored\\York1.edb";
pub(super) const TO_STM: &str = "E:\\Restored\\York1.stm";

/// A way in which a program might write a string.
#[derive(Debug, Clone, Copy)]
struct Way {
    encoding: StringEncoding,
    /// Bytes of the length, or 0.
    width: usize,
    /// The length counts characters.
    characters: bool,
    /// There is a NUL.
    nul: bool,
    /// The length counts it.
    counted: bool,
    /// Strings begin at multiples of this.
    align: usize,
}

impl Way {
    fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for encoding in [StringEncoding::Utf16Le, StringEncoding::Ascii] {
            for align in [1, 4, 8] {
                let plain = Self {
                    encoding,
                    width: 0,
                    characters: false,
                    nul: true,
                    counted: false,
                    align,
                };
                all.push(plain);
                for width in [2, 4] {
                    for characters in [false, true] {
                        for (nul, counted) in [(false, false), (true, false), (true, true)] {
                            all.push(Self {
                                width,
                                characters,
                                nul,
                                counted,
                                ..plain
                            });
                        }
                    }
                }
            }
        }
        all
    }

    fn encoded(self, text: &str) -> Vec<u8> {
        match self.encoding {
            StringEncoding::Ascii => text.bytes().collect(),
            _ => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        }
    }

    fn put(self, out: &mut Vec<u8>, text: &str) {
        while !out.len().is_multiple_of(self.align) {
            out.push(0);
        }
        let unit = super::strings::unit(self.encoding);
        let mut bytes = self.encoded(text);
        let counted = bytes.len() + if self.counted { unit } else { 0 };
        let length = if self.characters {
            counted / unit
        } else {
            counted
        };
        out.extend(&(length as u32).to_le_bytes()[..self.width]);
        bytes.resize(bytes.len() + if self.nul { unit } else { 0 }, 0);
        out.extend(bytes);
    }
}

/// A file such as a program might write: numbers, strings, GUIDs.
fn synthetic(way: Way) -> Vec<u8> {
    let mut out = vec![1, 0, 0, 0, 2, 0, 0, 0];
    way.put(&mut out, "E:\\Restore\\First Storage Group");
    way.put(&mut out, STORE);
    way.put(&mut out, "EnglandStorage");
    out.extend(1_u32.to_le_bytes());
    way.put(&mut out, "York1");
    out.extend([0xF0, 0x78, 0xCF, 0xA2, 0x2F, 0x78, 0xFE, 0x4B]);
    out.extend([0x8B, 0x1D, 0x01, 0x83, 0x95, 0x67, 0x89, 0xAB]);
    way.put(&mut out, EDB);
    way.put(&mut out, STM);
    out.extend([0; 2]);
    way.put(&mut out, TO_EDB);
    way.put(&mut out, TO_STM);
    out.extend([0; 2]);
    way.put(&mut out, "E00");
    while !out.len().is_multiple_of(4) {
        out.push(0);
    }
    out.extend(0x41_u32.to_le_bytes());
    out.extend(0x1_0043_u32.to_le_bytes());
    out.extend(1_104_516_000_u32.to_le_bytes());
    out.extend([0; 12]);
    out
}

fn texts(found: &[Found]) -> Vec<&str> {
    found.iter().map(|found| found.text.as_str()).collect()
}

#[test]
fn strings_are_found_in_every_plausible_form() {
    for way in Way::all() {
        let file = synthetic(way);
        let environment = read(&file).unwrap_or_else(|fault| panic!("{way:?}: {fault}"));
        assert_eq!(environment.source, EnvSource::Inferred);
        let expected = EnvDatabase {
            sources: vec![EDB.into(), STM.into()],
            destinations: vec![TO_EDB.into(), TO_STM.into()],
            ..EnvDatabase::default()
        };
        assert_eq!(environment.databases, [expected], "{way:?}");
        assert_eq!(environment.annotation.as_deref(), Some(STORE), "{way:?}");
        assert_eq!(environment.log_digits, LOG_DIGITS_OLD);
        assert_eq!(environment.log_base.as_deref(), Some("E00"), "{way:?}");
        let range = (Generation::new(0x41), Generation::new(0x1_0043));
        assert_eq!(environment.log_range, Some(range), "{way:?}");
        // What is a name of what is not told.
        let none = [&environment.server, &environment.backup_instance];
        assert!(none.iter().all(|name| name.is_none()));
        for name in ["EnglandStorage", "York1"] {
            let found: Vec<_> = environment
                .other
                .iter()
                .filter(|found| found.text == name)
                .collect();
            assert_eq!(found.len(), 1, "{way:?}: {name} in {:?}", environment.other);
            let (at, bytes) = (found[0].offset as usize, way.encoded(name));
            assert_eq!(file[at..at + bytes.len()], bytes, "{way:?}");
            assert_eq!(found[0].encoding, way.encoding);
        }
    }
}

#[test]
fn no_byte_counts_twice() {
    for way in Way::all() {
        let found = find(&synthetic(way)).unwrap();
        for pair in found.windows(2) {
            assert!(pair[0].end <= pair[1].from, "{way:?}: {pair:?}");
        }
        assert!(found.iter().all(|found| found.from <= found.at));
    }
}

#[test]
fn numbers_next_to_texts_are_no_part_of_them() {
    let wide = |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_le_bytes).collect() };
    // ASCII behind a small number that looks like a UTF-16 character.
    let file = [&[0x41, 0][..], b"D:\\x.edb\0"].concat();
    assert_eq!(texts(&find(&file).unwrap()), ["D:\\x.edb"]);
    // UTF-16 behind printable bytes.
    let file = [b"xy".to_vec(), wide("D:\\x.edb"), vec![0, 0]].concat();
    assert_eq!(texts(&find(&file).unwrap()), ["D:\\x.edb"]);
    // A length that is a printable byte behind printable bytes.
    let path = format!("D:\\{}.edb", "x".repeat(0x52 - 7));
    let file = [b"ab\x52\0\0\0", path.as_bytes(), b"\xFF"].concat();
    assert_eq!(texts(&find(&file).unwrap()), [path.as_str()]);
    // A path is not cut though its first letter could be the length of the rest.
    for length in 60..80 {
        let path = format!("D:\\{}.edb", "y".repeat(length - 7));
        let file = [wide(&path), vec![0; 4]].concat();
        assert_eq!(texts(&find(&file).unwrap()), [path.as_str()]);
        let file = [path.as_bytes(), &[0; 4]].concat();
        assert_eq!(texts(&find(&file).unwrap()), [path.as_str()]);
    }
    // No end, no string.
    assert!(find(b"D:\\x.edb\xFF").unwrap().is_empty());
    assert_eq!(texts(&find(b"D:\\x.edb").unwrap()), ["D:\\x.edb"]);
}

/// No length of a path makes its last or first characters a length of something.
#[test]
fn paths_of_every_length() {
    for way in Way::all() {
        for length in 20..140 {
            let path = |end: &str| format!("D:\\{}.{end}", "z".repeat(length - 7));
            let paths = [path("edb"), path("stm")];
            let mut file = vec![2, 0, 0, 0];
            paths.iter().for_each(|path| way.put(&mut file, path));
            way.put(&mut file, "E00");
            file.extend([0; 4]);
            let found = find(&file).unwrap();
            let expected = [&paths[0], &paths[1], "E00"];
            assert_eq!(texts(&found), expected, "{way:?} {length}");
        }
    }
}

#[test]
fn names_in_any_script() {
    let path = "D:\\データ\\Почта é.edb";
    for way in Way::all()
        .into_iter()
        .filter(|way| way.encoding != StringEncoding::Ascii)
    {
        let mut file = vec![7, 0, 0, 0];
        way.put(&mut file, path);
        way.put(&mut file, "D:\\x.edb");
        let databases = read(&file).unwrap().databases;
        assert_eq!(databases[0].sources, [path], "{way:?}");
    }
    let mut file = Vec::new();
    let way = Way {
        encoding: StringEncoding::Utf16Le,
        width: 4,
        characters: true,
        nul: false,
        counted: false,
        align: 4,
    };
    way.put(&mut file, "Почта");
    assert_eq!(texts(&find(&file).unwrap()), ["Почта"]);
}

/// Texts with a NUL each.
pub(super) fn ascii(texts: &[&str]) -> Vec<u8> {
    texts
        .iter()
        .flat_map(|text| [text.as_bytes(), b"\0"].concat())
        .collect()
}

#[test]
fn databases_are_grouped_by_what_paths_say() {
    // Two databases, sources first, then destinations, then once more.
    let twice = ["C:\\a\\one.EDB", "C:\\a\\one.STM", "C:\\a\\two.edb"];
    let to = ["F:\\one.edb", "F:\\one.stm", "F:\\two.edb"];
    let file = ascii(&[twice, to, twice].concat());
    let environment = read(&file).unwrap();
    let databases = &environment.databases;
    assert_eq!(databases.len(), 2);
    assert_eq!(databases[0].sources, twice[..2]);
    assert_eq!(databases[0].destinations, to[..2]);
    assert_eq!(databases[1].sources, twice[2..]);
    assert_eq!(databases[1].destinations, to[2..]);
    let rest: Vec<_> = environment
        .other
        .iter()
        .map(|found| found.text.as_str())
        .collect();
    assert_eq!(rest, twice);
    assert_eq!(environment.log_digits, LOG_DIGITS_OLD);

    // A streaming file of another name behind the database in the same list; one apart from all.
    let file = [
        ascii(&["C:\\a.edb", "C:\\b.stm"]),
        vec![0; 3],
        ascii(&["C:\\c.stm"]),
    ]
    .concat();
    let environment = read(&file).unwrap();
    assert_eq!(environment.databases[0].sources, ["C:\\a.edb", "C:\\b.stm"]);
    assert_eq!(environment.other[0].text, "C:\\c.stm");

    // Without streaming files the server may be a later one.
    assert_eq!(
        read(&ascii(&["\\\\server\\d$\\a.edb"])).unwrap().log_digits,
        LOG_DIGITS
    );
    for no_path in [
        "a.edb",
        "\\a.edb",
        "C:a.edb",
        "C:\\a.edb.bak",
        "C:\\a|b.edb",
        "\\\\\\a.edb",
    ] {
        assert_eq!(
            read(&ascii(&[no_path])),
            Err(EnvFault::NotDecodable),
            "{no_path}"
        );
    }
}

#[test]
fn generations_are_taken_only_where_they_are_plain() {
    let logs = |behind: &[&[u8]]| {
        let file = [ascii(&["C:\\a.edb"]), behind.concat()].concat();
        let environment = read(&file).unwrap();
        let range = environment
            .log_range
            .map(|(low, high)| (low.get(), high.get()));
        assert_eq!(range.is_some(), environment.log_base.is_some());
        range
    };
    let number = |number: u32| number.to_le_bytes();
    let pad = &[0_u8; 3][..];
    let base = &b"E00\0"[..];
    assert_eq!(logs(&[pad, base, &number(5), &number(9)]), Some((5, 9)));
    assert_eq!(logs(&[pad, base, &number(9), &number(5)]), None);
    assert_eq!(logs(&[pad, base, &number(0), &number(5)]), None);
    assert_eq!(logs(&[pad, base, &number(5), &number(1 << 24)]), None);
    assert_eq!(logs(&[pad, b"EXC\0", &number(5), &number(9)]), None);
    assert_eq!(logs(&[pad, base, &number(5)]), None);
    // What follows is a string, not numbers.
    assert_eq!(logs(&[pad, base, &number(5), b"abcdefgh\0"]), None);
    assert_eq!(logs(&[pad, base, &number(8), b"abcdefgh"]), None);
    // Twice the same is one answer, two are none.
    let one = [pad, base, &number(5), &number(9)].concat();
    let two = [base, &number(5), &number(10)].concat();
    assert_eq!(logs(&[&one, &one[3..]]), Some((5, 9)));
    assert_eq!(logs(&[&one, &two]), None);
}

#[test]
fn what_is_no_restore_environment() {
    assert_eq!(read(&[]), Err(EnvFault::NotDecodable));
    assert_eq!(read(b"Dear reader"), Err(EnvFault::NotDecodable));
    let large = vec![0; BYTES_MOST + 1];
    let bytes = BYTES_MOST + 1;
    assert_eq!(read(&large), Err(EnvFault::TooLarge { bytes }));
    assert_eq!(read(&large[..BYTES_MOST]), Err(EnvFault::NotDecodable));
    assert_eq!(
        read(&b"abc\0".repeat(20_000)),
        Err(EnvFault::TooManyStrings)
    );
    let tags = "<EDB_FILENAME_ORIGINAL>a.edb<X>y".to_owned() + &"<X>y".repeat(20_000);
    assert_eq!(read(tags.as_bytes()), Err(EnvFault::TooManyStrings));
}

#[test]
fn random_bytes_do_no_harm() {
    let mut random = Lcg::new(20);
    for round in 0..4000 {
        let length = random.below(300);
        let mut file = random.bytes(length);
        if round % 2 == 0 {
            // Few values, so that lengths, NULs and characters come together.
            let few = [0, 0, 0, 1, 3, 8, b'E', b'0', b':', b'\\', b'.', 0xFF];
            file.iter_mut()
                .for_each(|byte| *byte = few[usize::from(*byte) % few.len()]);
        }
        let _ = read(&file);
        file.splice(0..0, ascii(&["C:\\a.edb"]));
        let environment = read(&file).unwrap();
        assert_eq!(environment.databases[0].sources, ["C:\\a.edb"]);
        assert_eq!(
            read(environment.to_text().as_bytes()),
            Ok(as_text(&environment))
        );
        let found = find(&file).unwrap();
        assert!(found.windows(2).all(|pair| pair[0].end <= pair[1].from));
    }
}

#[test]
fn every_cut_and_change_of_a_file_is_bearable() {
    let mut random = Lcg::new(21);
    for way in Way::all() {
        let file = synthetic(way);
        let _ = read(&file[..random.below(file.len())]);
        for _ in 0..30 {
            let mut changed = file.clone();
            for _ in 0..4 {
                let at = random.below(changed.len());
                changed[at] = random.next() as u8;
            }
            let _ = read(&changed);
        }
    }
}

#[test]
fn hostile_files_take_linear_time() {
    let megabytes = |pattern: &[u8]| pattern.repeat((8 << 20) / pattern.len());
    let started = std::time::Instant::now();
    for pattern in [
        &b"A"[..],
        b"A\0",
        b"A\0B\0\xFF",
        b"\x41\0\0\0",
        b"\x10\x10\0\0",
        b"\x03\x04",
        b"<",
        b"<>",
        b"\x06\x01\x06\x01",
        b"AB\x03",
        b"\x41\0\0\x10",
    ] {
        let _ = read(&megabytes(pattern));
        let _ = read(&[b"\x01".to_vec(), megabytes(pattern), b"\x01".to_vec()].concat());
    }
    assert!(started.elapsed().as_secs() < 60, "{:?}", started.elapsed());
}

/// A file as the volume shadow copy writers are described to make it.
const VSS: &str = "<DATABASE_RESTORE_ENVIRONMENT>\r\n\
    <VERSION_STAMP>1</VERSION_STAMP>\r\n\
    <DATABASE_GUID_ORIGINAL>{a2cff078-782f-4bfe-8b1d-0123456789ab}</DATABASE_GUID_ORIGINAL>\r\n\
    <EDB_LOCATION_ORIGINAL> D:\\R&amp;D\\ </EDB_LOCATION_ORIGINAL>\r\n\
    <edb_filename_original>priv1.edb</edb_filename_original>\r\n\
    <EDB_LOCATION_TARGET>E:\\Müller</EDB_LOCATION_TARGET>\r\n\
    <EDB_FILENAME_TARGET>priv1.edb</EDB_FILENAME_TARGET>\r\n\
    <LOG_BASE_NAME>E01</LOG_BASE_NAME>\r\n\
    <LOG_PATH_ORIGINAL>D:\\logs</LOG_PATH_ORIGINAL>\r\n\
    <LOG_PATH_TARGET>E:\\logs</LOG_PATH_TARGET>\r\n\
    </DATABASE_RESTORE_ENVIRONMENT>\r\n\
    <DATABASE_RESTORE_ENVIRONMENT>\r\n\
    <EDB_FILENAME_ORIGINAL>pub1.edb</EDB_FILENAME_ORIGINAL>\r\n\
    <EDB_LOCATION_TARGET>F:\\</EDB_LOCATION_TARGET>\r\n\
    <LOG_BASE_NAME>..\\x</LOG_BASE_NAME>\r\n\
    </DATABASE_RESTORE_ENVIRONMENT>\r\n";

#[test]
fn tagged_files_in_every_encoding() {
    let units: Vec<u16> = VSS.encode_utf16().collect();
    let little: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
    let big: Vec<u8> = units.iter().flat_map(|unit| unit.to_be_bytes()).collect();
    let (utf8, le, be) = (
        StringEncoding::Utf8,
        StringEncoding::Utf16Le,
        StringEncoding::Utf16Be,
    );
    for (file, encoding, bytes, mark) in [
        (VSS.as_bytes().to_vec(), utf8, 1, 0),
        ([b"\xEF\xBB\xBF", VSS.as_bytes()].concat(), utf8, 1, 3),
        (little.clone(), le, 2, 0),
        (
            [b"\xFF\xFE".to_vec(), little, vec![0, 0]].concat(),
            le,
            2,
            2,
        ),
        (big.clone(), be, 2, 0),
        ([b"\xFE\xFF".to_vec(), big].concat(), be, 2, 2),
    ] {
        let environment = read(&file).unwrap();
        assert_eq!(environment.source, EnvSource::Vss);
        let first = EnvDatabase {
            name: None,
            guid: Some("A2CFF078-782F-4BFE-8B1D-0123456789AB".into()),
            sources: vec!["D:\\R&D\\priv1.edb".into()],
            destinations: vec!["E:\\Müller\\priv1.edb".into()],
        };
        let second = EnvDatabase {
            sources: vec!["pub1.edb".into()],
            ..EnvDatabase::default()
        };
        assert_eq!(environment.databases, [first, second]);
        assert_eq!(environment.log_base.as_deref(), Some("E01"));
        assert_eq!(environment.log_path.as_deref(), Some("E:\\logs"));
        let rest: Vec<_> = environment
            .other
            .iter()
            .map(|found| found.text.as_str())
            .collect();
        let expected = [
            "VERSION_STAMP: 1",
            "LOG_PATH_ORIGINAL: D:\\logs",
            "EDB_LOCATION_TARGET: F:\\",
            "LOG_BASE_NAME: ..\\x",
        ];
        assert_eq!(rest, expected);
        let at = VSS.find("<VERSION_STAMP").unwrap();
        assert_eq!(environment.other[0].offset, (at * bytes + mark) as u64);
        // One character before it has two bytes in UTF-8.
        let at = VSS.find("<LOG_PATH_ORIGINAL").unwrap();
        let at = if bytes == 1 { at } else { (at - 1) * 2 };
        assert_eq!(environment.other[1].offset, (at + mark) as u64);
        assert!(
            environment
                .other
                .iter()
                .all(|found| found.encoding == encoding)
        );
        assert_eq!(
            read(environment.to_text().as_bytes()),
            Ok(as_text(&environment))
        );
    }
}

#[test]
fn tags_without_an_end_and_in_a_row() {
    let file = "<EDB_FILENAME_ORIGINAL>C:\\a.edb <EDB_FILENAME_ORIGINAL>C:\\b.edb <EDB_LOCATION_TARGET>D:\\c.edb<";
    let databases = read(file.as_bytes()).unwrap().databases;
    assert_eq!(databases.len(), 2);
    assert_eq!(databases[1].sources, ["C:\\b.edb"]);
    assert_eq!(databases[1].destinations, ["D:\\c.edb"]);
    let empty = "<DATABASE_RESTORE_ENVIRONMENT></DATABASE_RESTORE_ENVIRONMENT>";
    assert_eq!(read(empty.as_bytes()), Err(EnvFault::NotDecodable));
}

/// What reading the text form of a value gives.
pub(super) fn as_text(environment: &RestoreEnvironment) -> RestoreEnvironment {
    RestoreEnvironment {
        source: EnvSource::Text,
        other: Vec::new(),
        ..environment.clone()
    }
}

#[test]
fn dates() {
    assert_eq!(
        ctime(1_104_516_000).as_deref(),
        Some("Fri Dec 31 18:00:00 2004")
    );
    assert_eq!(ctime(0).as_deref(), Some("Thu Jan 01 00:00:00 1970"));
    assert_eq!(
        ctime(951_782_400).as_deref(),
        Some("Tue Feb 29 00:00:00 2000")
    );
    assert_eq!(ctime(-1), None);
    assert_eq!(ctime(i64::MAX), None);
    let end = 5_869_584_000;
    assert_eq!(ctime(end - 1).as_deref(), Some("Wed Dec 31 23:59:59 2155"));
    assert_eq!(ctime(end), None);
    let mut random = Lcg::new(23);
    for _ in 0..2000 {
        let seconds = (i64::from(random.next()) << 1) % end;
        let (year, rest) = super::times::parts(seconds).unwrap();
        assert_eq!(super::times::seconds(year, rest), Some(seconds));
    }
    assert_eq!(super::times::seconds(2001, [2, 29, 0, 0, 0]), None);
    assert_eq!(super::times::seconds(2001, [0, 0, 0, 0, 0]), None);
    assert_eq!(super::times::seconds(2001, [13, 1, 0, 0, 0]), None);
    assert_eq!(super::times::seconds(2001, [1, 1, 24, 0, 0]), None);
}

#[test]
fn guids_have_one_spelling() {
    let right = "A2CFF078-782F-4BFE-8B1D-0123456789AB";
    assert_eq!(guid(right).as_deref(), Some(right));
    assert_eq!(
        guid(&format!("{{{}}}", right.to_lowercase())).as_deref(),
        Some(right)
    );
    for wrong in [
        "",
        "{}",
        &right[1..],
        &format!("{{{right}"),
        &right.replace('8', "G"),
    ] {
        assert_eq!(guid(wrong), None, "{wrong}");
    }
}
