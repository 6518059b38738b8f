//! The rules of profiles one by one, on small tables: what holds, what does not, and odd values.

mod common;

use std::io::Cursor;
use std::path::PathBuf;

use exutil::build::{Column, DatabaseBuilder, Index, Options, Row, Table, format_of};
use exutil::format::ids::PageSize;
use exutil::format::schema::Coltyp;
use exutil::format::stamp::LogTime;
use exutil::ops::isinteg::{FixOptions, IsintegOptions, IsintegReport, isinteg};
use exutil::progress::Silent;
use exutil::storage::RealDisk;
use exutil::store::profile::{Profile, parse};

/// Rows of the table `boxes`: id, parent, a count in 4 binary bytes, a count, a hash, a text.
type Made = (i32, Option<i32>, u32, i64, Option<Vec<u8>>, &'static [u8]);

struct Scene {
    dir: tempfile::TempDir,
}

impl Scene {
    /// `boxes`, and `items` with the box that each is in.
    fn new(boxes: &[Made], items: &[i32]) -> Self {
        let options = Options::new(PageSize::K4, format_of(20).unwrap(), 7);
        let mut builder = DatabaseBuilder::new(Cursor::new(Vec::new()), options).unwrap();
        let mut table = Table::new("boxes");
        let id = table.add(Column::fixed("id", Coltyp::Long));
        let parent = table.add(Column::fixed("parent", Coltyp::Long));
        let wide = table.add(Column::fixed("wide", Coltyp::Binary).max(4));
        let count = table.add(Column::fixed("count", Coltyp::Currency));
        let hash = table.add(Column::variable("hash", Coltyp::Binary));
        let body = table.add(Column::tagged("body", Coltyp::LongBinary));
        table.primary(Index::new("pk").ascending(id));
        let rows = boxes.iter().map(|made| {
            let mut row = Row::new()
                .set(id, made.0.to_le_bytes())
                .set(wide, made.2.to_be_bytes())
                .set(count, made.3.to_le_bytes())
                .set(body, made.5);
            if let Some(number) = made.1 {
                row = row.set(parent, number.to_le_bytes());
            }
            match &made.4 {
                Some(bytes) => row.set(hash, bytes.clone()),
                None => row,
            }
        });
        builder.add_table(table, rows).unwrap();
        let mut table = Table::new("items");
        let number = table.add(Column::fixed("number", Coltyp::Long));
        let of = table.add(Column::fixed("box", Coltyp::Long));
        table.primary(Index::new("pk").ascending(number));
        let rows = (0..).zip(items).map(|(n, item): (i32, &i32)| {
            Row::new()
                .set(number, n.to_le_bytes())
                .set(of, item.to_le_bytes())
        });
        builder.add_table(table, rows).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let bytes = builder.finish().unwrap().0.into_inner();
        std::fs::write(dir.path().join("x.edb"), bytes).unwrap();
        Self { dir }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("x.edb")
    }

    fn run(&self, check: &str, fix: bool) -> IsintegReport {
        let mut options = IsintegOptions::new(self.path());
        options.tests = vec!["t".to_owned()];
        options.profile = Some(profile(check).unwrap());
        options.fix = fix.then(|| FixOptions {
            trust_profile: false,
            dry_run: false,
            undo_file: None,
            keep_undo: false,
            now: LogTime::default(),
        });
        isinteg(&options, &RealDisk, &Silent).unwrap()
    }

    /// Details of what is found.
    fn found(&self, check: &str) -> Vec<String> {
        details(&self.run(check, false))
    }
}

fn details(report: &IsintegReport) -> Vec<String> {
    let findings = report.tests.iter().flat_map(|test| &test.findings);
    findings.map(|found| found.detail.clone()).collect()
}

fn profile(check: &str) -> Result<Profile, String> {
    let column = |role: &str, form: &str| {
        format!(
            "[[table.column]]\nrole = \"{role}\"\nnames = [\"{role}\"]\nform = \"{form}\"\nsource = \"s\"\nconfidence = \"high\"\n"
        )
    };
    let table = |role: &str| {
        format!(
            "[[table]]\nrole = \"{role}\"\ntitle = \"{role}\"\nnames = [\"{role}\"]\nsource = \"s\"\nconfidence = \"high\"\n"
        )
    };
    let boxes: String = [
        ("id", "int"),
        ("parent", "int"),
        ("wide", "int"),
        ("count", "int"),
        ("hash", "bytes"),
        ("body", "bytes"),
    ]
    .iter()
    .map(|(role, form)| column(role, form))
    .collect();
    // The hash as a number.
    let tag = column("tag", "int").replace("[\"tag\"]", "[\"hash\"]");
    let text = format!(
        "name = \"p\"\ntitle = \"P\"\nabout = \"a\"\n{}{boxes}{tag}{}{}{}\n[[test]]\nname = \"t\"\ntitle = \"T\"\nabout = \"a\"\n\
         [[check]]\nid = \"c\"\ntests = [\"t\"]\nsays = \"wrong\"\nsource = \"s\"\nconfidence = \"high\"\n{check}\n",
        table("boxes"),
        table("items"),
        column("number", "int"),
        column("box", "int"),
    );
    parse(&text).map_err(|error| error.to_string())
}

fn made(id: i32, parent: Option<i32>) -> Made {
    (id, parent, 0, 0, None, b"")
}

#[test]
fn counts_have_zero_for_a_key_and_keep_their_width() {
    let check = |column: &str| {
        format!(
            "fix = \"write\"\nkind = \"counts\"\nof = {{ table = \"boxes\", key = [\"id\"] }}\n[[check.counter]]\ncolumn = \"{column}\"\nfrom = {{ table = \"items\", key = [\"box\"] }}"
        )
    };
    let boxes = [
        (0, None, 2, 2, None, &b""[..]),
        (5, None, 1, 1, None, b""),
        (6, None, 0, 0, None, b""),
    ];
    let scene = Scene::new(&boxes, &[0, 0, 5]);
    assert_eq!(scene.found(&check("count")), [""; 0]);
    assert_eq!(scene.found(&check("wide")), [""; 0]);
    let scene = Scene::new(&boxes, &[0, 5, 5, 6]);
    for column in ["count", "wide"] {
        let fixed = scene.run(&check(column), true);
        let wanted = [(2, 1), (1, 2), (0, 1)];
        let wanted = wanted.map(|(is, should)| format!("{column} is {is}, should be {should}"));
        assert_eq!(details(&fixed), wanted);
        assert_eq!((fixed.totals.fixes, fixed.left.errors), (3, 0));
        assert_eq!(scene.found(&check(column)), [""; 0]);
    }
}

#[test]
fn what_cannot_be_read_withholds_the_fix() {
    // Boxes count boxes by their hash, which in one of them is no number: it may be one that counts.
    let check = "fix = \"write\"\nkind = \"counts\"\nof = { table = \"boxes\", key = [\"id\"] }\n[[check.counter]]\ncolumn = \"count\"\nfrom = { table = \"boxes\", key = [\"tag\"] }";
    let boxes = |hash: &[u8]| {
        [
            (1, None, 0, 7, None, &b""[..]),
            (2, None, 0, 0, Some(hash.to_vec()), b""),
        ]
    };
    let fixed = Scene::new(&boxes(&[1]), &[]).run(check, true);
    assert_eq!((fixed.totals.errors, fixed.totals.fixes), (1, 1));
    let withheld = Scene::new(&boxes(&[1; 9]), &[]).run(check, true);
    assert_eq!((withheld.totals.errors, withheld.totals.fixes), (1, 0));
    assert!(withheld.amended.is_none());
}

#[test]
fn trees_with_every_kind_of_knot() {
    let check = "kind = \"tree\"\ntable = \"boxes\"\nkey = [\"id\"]\nparent = [\"parent\"]\nroots_exactly = 1";
    let sound = [made(1, None), made(2, Some(1)), made(3, Some(2))];
    assert_eq!(Scene::new(&sound, &[]).found(check), [""; 0]);
    let knots = [
        made(1, None),
        made(2, Some(0)),
        made(3, Some(77)),
        made(4, Some(4)),
        made(5, Some(6)),
        made(6, Some(7)),
        made(7, Some(5)),
        made(8, Some(7)),
    ];
    assert_eq!(
        Scene::new(&knots, &[]).found(check),
        [
            "its parent 77 is not there",
            "it is its own parent",
            "it is one of 3 that are each other's parents",
            "2 rows without parent instead of 1",
        ]
    );
}

#[test]
fn references_there_and_back() {
    let boxes = [made(0, None), made(1, None), made(2, None)];
    let scene = Scene::new(&boxes, &[0, 1, 9]);
    let refers = |more: &str| {
        format!(
            "kind = \"refers\"\nfrom = {{ table = \"items\", key = [\"box\"] }}\nto = {{ table = \"boxes\", key = [\"id\"], where = [{{ column = \"id\", not = 0 }}] }}\n{more}"
        )
    };
    assert_eq!(scene.found(&refers("")), ["0", "9"]);
    assert_eq!(scene.found(&refers("zero_is_none = true")), ["9"]);
    let referenced = "kind = \"referenced\"\nof = { table = \"boxes\", key = [\"id\"] }\nby = [{ table = \"items\", key = [\"box\"] }]";
    assert_eq!(scene.found(referenced), ["2"]);
    let mirror = "kind = \"mirror\"\none = { table = \"boxes\", key = [\"id\"] }\nother = { table = \"items\", key = [\"box\"] }";
    assert_eq!(
        scene.found(mirror),
        ["2 is not said back", "9 is not said back"]
    );
    let unique = "kind = \"unique\"\nof = { table = \"items\", key = [\"box\"] }";
    assert_eq!(scene.found(unique), [""; 0]);
    assert_eq!(
        Scene::new(&boxes, &[4, 5, 4]).found(unique),
        ["4, as row 1"]
    );
    // Rows that refer to nobody are deleted, and nothing else.
    let fixed = scene.run(&refers("zero_is_none = true\nfix = \"drop_row\""), true);
    assert_eq!(fixed.amended.unwrap().rows_removed, 1);
    assert_eq!(scene.found(&refers("")), ["0"]);
}

#[test]
fn one_row_alone() {
    let body = b"what is hashed";
    let md5 = [
        0xbf, 0x8b, 0xb2, 0x03, 0x5f, 0x14, 0x69, 0x49, 0x22, 0x10, 0xc3, 0x5f, 0x6f, 0xfa, 0x12,
        0xe8,
    ];
    let boxes = [
        (1, None, 3, 5, Some(md5.to_vec()), &body[..]),
        (2, None, 9, 5, Some(vec![1; 16]), body),
        (3, None, 5, -1, None, body),
    ];
    let scene = Scene::new(&boxes, &[]);
    let hashes = scene.found(
        "kind = \"hash\"\ntable = \"boxes\"\ncolumn = \"hash\"\nof = \"body\"\nalgorithm = \"md5\"",
    );
    assert_eq!(hashes.len(), 1, "{hashes:?}");
    assert!(hashes[0].starts_with("01010101"), "{hashes:?}");
    let compare = |op: &str| {
        format!(
            "kind = \"compare\"\ntable = \"boxes\"\nleft = \"wide\"\nop = \"{op}\"\nright = \"count\""
        )
    };
    assert_eq!(scene.found(&compare("<=")), ["9 against 5", "5 against -1"]);
    assert_eq!(scene.found(&compare("==")).len(), 3);
    let one_of = "kind = \"one_of\"\ntable = \"boxes\"\ncolumn = \"wide\"\nvalues = [3, 5]";
    assert_eq!(scene.found(one_of), ["it is 9"]);
    let form = "kind = \"form\"\ntable = \"boxes\"\ncolumn = \"hash\"\nrequired = true";
    assert_eq!(scene.found(form), ["no value"]);
    let rows = "kind = \"rows\"\ntable = \"boxes\"\nexactly = 3";
    assert_eq!(scene.found(rows), [""; 0]);
    let index =
        |column: &str| format!("kind = \"index\"\ntable = \"boxes\"\ncolumns = [\"{column}\"]");
    assert_eq!(scene.found(&index("id")), [""; 0]);
    assert_eq!(scene.found(&index("count")), ["no index over count"]);
}

#[test]
fn a_rule_that_could_never_find_anything_is_refused() {
    let refused = [
        (
            "kind = \"unique\"\nof = { table = \"boxes\", key = [] }",
            "a key needs a column",
        ),
        (
            "kind = \"unique\"\nof = { table = \"boxes\", key = [\"@table\"] }",
            "@table says nothing",
        ),
        (
            "kind = \"unique\"\nof = { table = \"boxes\", key = [\"id.guid\"] }",
            "has no part",
        ),
        (
            "kind = \"unique\"\nof = { table = \"nosuch\", key = [\"id\"] }",
            "nosuch",
        ),
        (
            "kind = \"unique\"\nof = { table = \"boxes\", key = [\"id\"], where = [{ column = \"id\" }] }",
            "asks nothing",
        ),
        (
            "kind = \"compare\"\ntable = \"boxes\"\nleft = \"body\"\nop = \"<\"\nvalue = 1",
            "only numbers",
        ),
        (
            "kind = \"compare\"\ntable = \"boxes\"\nleft = \"id\"\nop = \"<\"",
            "'right' or 'value'",
        ),
        (
            "kind = \"rows\"\ntable = \"boxes\"\nexactly = 1\nfix = \"write\"",
            "no such fix",
        ),
        (
            "kind = \"rows\"\ntable = \"boxes\"\nexactly = 1\nmore = 2",
            "more",
        ),
        (
            "kind = \"tables\"\nrows = { table = \"boxes\", key = [\"id\"] }\ntables = \"items\"",
            "{id}",
        ),
    ];
    for (check, text) in refused {
        let error = profile(check).unwrap_err();
        assert!(error.contains(text), "{check}: {error}");
    }
}

#[test]
fn the_embedded_profiles_are_sound() {
    let profiles = exutil::store::profile::embedded().unwrap();
    assert_eq!(profiles.len(), 4);
    // A rule is no surer than its columns: the file calls this one medium.
    let older = profiles
        .iter()
        .find(|profile| profile.name == "exchange-2000-2007");
    let checks = &older.unwrap().checks;
    let counts = checks.iter().find(|check| check.id == "rowcounts").unwrap();
    assert_eq!(counts.confidence.word(), "inferred");
    assert!(
        profiles
            .iter()
            .all(|profile| !profile.about.trim().is_empty())
    );
}
