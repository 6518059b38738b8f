//! Every document that the command writes with `--format json` is one that `docs/schema/exutil-1.schema.json` describes:
//! of every mode, of sound and damaged files, done, planned and refused. Where `EXUTIL_CORPUS` names the folder of real
//! databases theirs too, and then nothing is described that does not occur.

mod common;
#[path = "common/copying.rs"]
mod copying;
#[path = "json_schema/corpus.rs"]
mod corpus;
#[path = "common/engine.rs"]
mod engine;
#[path = "common/kinds.rs"]
mod kinds;
#[path = "json_schema/made.rs"]
mod made;
#[path = "common/recovery.rs"]
mod recovery;
#[path = "../examples/build_testdata/samples.rs"]
#[allow(dead_code, reason = "the example uses the rest")]
mod samples;
#[path = "common/schema.rs"]
mod schema;
#[path = "../examples/build_testdata/stores/mod.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod stores;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use exutil::cli::spec::MODES;
use serde_json::{Value, json};

use common::{Run, exutil, needs, root};
use schema::Schema;

/// Of a wrong document so much is shown.
const SHOWN: usize = 400;

/// Everything is run once; the tests look at what came of it.
static JUDGE: LazyLock<Judge> = LazyLock::new(|| {
    let judge = Judge::new();
    made::run_all(&judge);
    if let Some(corpus) = needs::corpus() {
        corpus::run_all(&judge, &corpus);
    }
    judge
});

/// What was seen of one mode.
#[derive(Debug, Default)]
struct Seen {
    results: u64,
    findings: u64,
    failures: u64,
}

/// Judges documents, and keeps what the tests ask about.
pub struct Judge {
    schema: Schema,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    modes: BTreeMap<String, Seen>,
    /// Definitions that some document needed.
    used: BTreeSet<String>,
    /// What is wrong with documents.
    wrong: Vec<String>,
    /// One document of each definition of a result, or of a record of a log.
    shapes: BTreeMap<String, Value>,
}

impl Judge {
    fn new() -> Self {
        let path = root().join("docs/schema/exutil-1.schema.json");
        Self {
            schema: Schema::parse(&std::fs::read_to_string(path).unwrap()),
            kept: Mutex::default(),
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs the command, whose arguments are the words of `line`, in `dir`, and judges all that it prints.
    pub fn line(&self, dir: &Path, line: &str) -> Run {
        let words: Vec<&str> = line.split(' ').collect();
        self.words(dir, &words)
    }

    /// As [`Judge::line`], of words.
    pub fn words(&self, dir: &Path, words: &[&str]) -> Run {
        let words: Vec<&str> = words.iter().chain(&["--format", "json"]).copied().collect();
        let run = exutil(dir, &words);
        let what = words.join(" ");
        for document in run.json() {
            self.document(&what, document);
        }
        run
    }

    /// Judges one document.
    pub fn document(&self, what: &str, document: Value) {
        let verdict = self.schema.check(&document);
        let mut kept = self.kept();
        for error in verdict.errors {
            let mut text = document.to_string();
            if let Some((end, _)) = text.char_indices().nth(SHOWN) {
                text.truncate(end);
            }
            kept.wrong.push(format!("{what}: {error}\n    {text}"));
        }
        let mode = document["mode"].as_str().unwrap_or_default().to_owned();
        let seen = kept.modes.entry(mode).or_default();
        seen.failures += u64::from(document.get("error").is_some());
        seen.results += u64::from(document["result"].is_object());
        let findings = document["findings"].as_array();
        seen.findings += u64::from(findings.is_some_and(|list| !list.is_empty()));
        for name in &verdict.used {
            if is_shape(name) && !kept.shapes.contains_key(name) {
                kept.shapes.insert(name.clone(), document.clone());
            }
        }
        kept.used.extend(verdict.used);
    }
}

/// Definitions of whole results and records.
fn is_shape(name: &str) -> bool {
    let of_several = ["ml_", "m_", "isinteg_", "sweep_", "log_record_"];
    name.ends_with("_result") || of_several.iter().any(|start| name.starts_with(start))
}

#[test]
fn every_document_is_as_described() {
    let kept = JUDGE.kept();
    let first: Vec<_> = kept.wrong.iter().take(30).map(String::as_str).collect();
    assert!(first.is_empty(), "{}", first.join("\n"));
}

#[test]
fn every_mode_was_seen_with_all_that_can_come_of_it() {
    let kept = JUDGE.kept();
    let mut wrong = Vec::new();
    // Rows have formats of their own.
    for mode in MODES.iter().filter(|mode| mode.name != "export") {
        let name = mode.name;
        // What these find is in their result.
        let none_in_envelope = matches!(name, "isinteg" | "undo" | "advise");
        match kept.modes.get(name) {
            None => wrong.push(format!("{name} was not run")),
            Some(seen) => {
                if seen.results == 0
                    || seen.failures == 0
                    || (seen.findings == 0) != none_in_envelope
                {
                    wrong.push(format!("{name}: {seen:?}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let known: BTreeSet<_> = MODES.iter().map(|mode| mode.name).collect();
    let foreign = kept.modes.keys().find(|name| !known.contains(&name[..]));
    assert_eq!(foreign, None);
}

/// Definitions that no run can be made to show, and why.
const NEVER_SEEN: [(&str, &str); 2] = [
    (
        "not_amended",
        "a repair is not asked to change rows, and what is asked is not reported by table",
    ),
    (
        "catalog_callback",
        "no database at hand has a table with a callback",
    ),
];

#[test]
fn nothing_is_described_that_does_not_occur() {
    if needs::corpus().is_none() {
        return;
    }
    let kept = JUDGE.kept();
    let all = JUDGE.schema.definitions();
    let excused = |name: &str| NEVER_SEEN.iter().any(|(never, _)| *never == name);
    let unseen: Vec<_> = all
        .filter(|name| kept.used.contains(*name) == excused(name))
        .collect();
    assert!(unseen.is_empty(), "{unseen:?}");
}

/// Places of a document: of lists the first item only.
fn places(value: &Value, at: String, found: &mut Vec<String>) {
    found.push(at.clone());
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                let name = name.replace('~', "~0").replace('/', "~1");
                places(field, format!("{at}/{name}"), found);
            }
        }
        Value::Array(items) => {
            if let Some(first) = items.first() {
                places(first, format!("{at}/0"), found);
            }
        }
        _ => {}
    }
}

/// An object gets a field, everything else another type: nowhere may that go unnoticed.
#[test]
fn no_document_may_differ_anywhere() {
    let shapes = JUDGE.kept().shapes.clone();
    assert!(shapes.len() > 40, "{}", shapes.len());
    for (shape, document) in shapes {
        let mut all = Vec::new();
        places(&document, String::new(), &mut all);
        for place in all {
            let mut changed = document.clone();
            let value = changed.pointer_mut(&place).unwrap();
            match value {
                Value::Object(fields) => {
                    fields.insert("surprise".to_owned(), json!(1));
                }
                Value::Array(_) => *value = json!("no list"),
                _ => *value = json!([{}]),
            }
            let verdict = JUDGE.schema.check(&changed);
            assert!(!verdict.errors.is_empty(), "{shape}: {place}");
        }
    }
}

#[test]
fn no_document_may_lack_what_all_have() {
    let shapes = JUDGE.kept().shapes.clone();
    let of_all = ["schema", "mode"];
    let of_files = ["file", "jet", "status", "findings", "result"];
    let of_records = ["generation", "sector", "byte", "type", "bytes"];
    for (shape, document) in shapes {
        let is_record = document.get("file").is_none();
        let others = if is_record { of_records } else { of_files };
        for name in of_all.iter().chain(&others) {
            let mut changed = document.clone();
            let fields = changed.as_object_mut().unwrap();
            assert!(fields.remove(*name).is_some(), "{shape}: {name}");
            let verdict = JUDGE.schema.check(&changed);
            assert!(!verdict.errors.is_empty(), "{shape}: without {name}");
        }
    }
}

/// The validator itself: each keyword makes the difference that it should.
#[test]
fn the_validator_does_what_the_draft_says() {
    let cases = [
        (json!({"type": "integer"}), json!(1), json!(1.5)),
        (json!({"type": ["string", "null"]}), json!(null), json!(0)),
        (json!({"const": 1}), json!(1), json!(2)),
        (json!({"enum": ["a", 1]}), json!(1), json!("b")),
        (json!({"minimum": 2, "maximum": 3}), json!(2), json!(4)),
        (json!({"minimum": 2}), json!("text"), json!(1)),
        (json!({"pattern": "^a+$"}), json!("aa"), json!("ab")),
        (json!({"required": ["a"]}), json!({"a": 1}), json!({"b": 1})),
        (
            json!({"properties": {"a": {"type": "null"}}, "additionalProperties": false}),
            json!({"a": null}),
            json!({"a": null, "b": 1}),
        ),
        (
            json!({"additionalProperties": {"type": "null"}}),
            json!({"a": null}),
            json!({"a": 1}),
        ),
        (
            json!({"dependentRequired": {"a": ["b"]}}),
            json!({"b": 1}),
            json!({"a": 1}),
        ),
        (
            json!({"propertyNames": {"enum": ["a"]}}),
            json!({"a": 1}),
            json!({"b": 1}),
        ),
        (
            json!({"prefixItems": [{"const": 1}], "items": {"const": 2}}),
            json!([1, 2, 2]),
            json!([1, 2, 1]),
        ),
        (
            json!({"prefixItems": [{"const": 1}], "minItems": 1, "maxItems": 2}),
            json!([1, 5]),
            json!([]),
        ),
        (json!({"maxItems": 2}), json!([1, 5]), json!([1, 2, 3])),
        (
            json!({"allOf": [{"type": "integer"}, {"minimum": 3}]}),
            json!(3),
            json!(2),
        ),
        (
            json!({"anyOf": [{"type": "integer"}, {"minimum": 3}]}),
            json!(3),
            json!(2.5),
        ),
        (
            json!({"oneOf": [{"type": "integer"}, {"minimum": 3}]}),
            json!(2),
            json!(3),
        ),
        (json!({"not": {"const": 1}}), json!(2), json!(1)),
        (
            json!({"if": {"minimum": 5}, "then": {"maximum": 7}, "else": {"const": 1}}),
            json!(6),
            json!(8),
        ),
        (
            json!({"if": {"minimum": 5}, "then": {"maximum": 7}, "else": {"const": 1}}),
            json!(1),
            json!(2),
        ),
        (
            json!({"$defs": {"a": {"const": 1}}, "$ref": "#/$defs/a", "minimum": 1}),
            json!(1),
            json!(2),
        ),
        (
            json!({"properties": {"a": false}}),
            json!({}),
            json!({"a": 1}),
        ),
    ];
    for (rules, good, bad) in cases {
        let schema = Schema::parse(&rules.to_string());
        let fits = |document| schema.check(document).errors.is_empty();
        assert!(fits(&good) && !fits(&bad), "{rules}");
    }
    for rules in [
        json!({"unevaluatedProperties": false}),
        json!({"$ref": "#/$defs/none"}),
        json!({"then": {}}),
        json!({"properties": {}, "required": ["a"], "additionalProperties": false}),
    ] {
        let text = rules.to_string();
        assert!(
            std::panic::catch_unwind(|| Schema::parse(&text)).is_err(),
            "{rules}"
        );
    }
}
