//! A validator of JSON Schema, as much of draft 2020-12 as `docs/schema` uses. It is strict with the schema itself: a
//! keyword that it does not know and a reference that leads nowhere are refused, so that nothing in it is without effect.
//! (The crates that know all of the drafts bring more code along than the rest of the tests together.)

#![allow(dead_code, reason = "no test binary uses all of it")]

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;
use serde_json::{Map, Value};

/// Of a document that is all wrong nobody reads more.
const MOST_ERRORS: usize = 20;

/// A schema that was read.
pub struct Schema {
    root: Value,
    patterns: BTreeMap<String, Regex>,
}

/// What one document came to.
#[derive(Debug, Default)]
pub struct Verdict {
    /// What is wrong with it, and where.
    pub errors: Vec<String>,
    /// Definitions that it, or a part of it, fits.
    pub used: BTreeSet<String>,
}

impl Schema {
    /// Reads a schema.
    pub fn parse(text: &str) -> Self {
        let root: Value = serde_json::from_str(text).expect("the schema is JSON");
        let mut schema = Self {
            root: root.clone(),
            patterns: BTreeMap::new(),
        };
        schema.learn(&root, "#");
        schema
    }

    /// Names of the definitions.
    pub fn definitions(&self) -> impl Iterator<Item = &str> {
        let all = self.root["$defs"].as_object().expect("definitions");
        all.keys().map(String::as_str)
    }

    /// The definition of this name.
    pub fn definition(&self, name: &str) -> &Value {
        &self.root["$defs"][name]
    }

    /// Judges a document.
    pub fn check(&self, document: &Value) -> Verdict {
        let mut verdict = Verdict::default();
        self.judge(&self.root, document, "", &mut verdict);
        verdict
    }

    /// Goes through a schema once, before anything is judged by it.
    fn learn(&mut self, schema: &Value, at: &str) {
        let Some(words) = schema.as_object() else {
            assert!(schema.is_boolean(), "{at} is no schema");
            return;
        };
        for (word, value) in words {
            let at = format!("{at}/{word}");
            match word.as_str() {
                "$schema" | "$id" | "title" | "description" => assert!(value.is_string(), "{at}"),
                "type" | "const" => {}
                "enum" | "required" => assert!(!value.as_array().expect(&at).is_empty(), "{at}"),
                "minItems" | "maxItems" | "minimum" | "maximum" => {
                    assert!(value.is_number(), "{at}");
                }
                "dependentRequired" => assert!(value.is_object(), "{at}"),
                "pattern" => {
                    let pattern = value.as_str().expect(&at);
                    let known = Regex::new(pattern).unwrap_or_else(|error| panic!("{at}: {error}"));
                    self.patterns.insert(pattern.to_owned(), known);
                }
                "$ref" => {
                    let name = reference(value);
                    assert!(!self.definition(name).is_null(), "{at}: no {name}");
                }
                "$defs" | "properties" => {
                    for (name, inner) in value.as_object().expect(&at) {
                        self.learn(inner, &format!("{at}/{name}"));
                    }
                }
                "allOf" | "anyOf" | "oneOf" | "prefixItems" => {
                    for inner in value.as_array().expect(&at) {
                        self.learn(inner, &at);
                    }
                }
                "additionalProperties"
                | "propertyNames"
                | "items"
                | "not"
                | "if"
                | "then"
                | "else" => self.learn(value, &at),
                _ => panic!("{at}: not a keyword that this validator knows"),
            }
        }
        if words.contains_key("then") || words.contains_key("else") {
            assert!(words.contains_key("if"), "{at}: then what?");
        }
        if words.get("additionalProperties") == Some(&Value::Bool(false)) {
            let named = words["properties"].as_object().expect(at);
            let dependent = words.get("dependentRequired").and_then(Value::as_object);
            let lists = dependent.into_iter().flat_map(Map::values);
            for name in lists.chain(words.get("required")).flat_map(texts) {
                assert!(named.contains_key(name), "{at}: {name} can never be there");
            }
        }
    }

    fn judge(&self, schema: &Value, value: &Value, at: &str, verdict: &mut Verdict) {
        let Some(words) = schema.as_object() else {
            if schema == &Value::Bool(false) {
                verdict.errors.push(format!("{at}: is not described"));
            }
            return;
        };
        for (word, rule) in words {
            if verdict.errors.len() >= MOST_ERRORS {
                return;
            }
            let mut wrong = |what: String| verdict.errors.push(format!("{at}: {what}"));
            match word.as_str() {
                "$ref" => {
                    let name = reference(rule);
                    let before = verdict.errors.len();
                    self.judge(self.definition(name), value, at, verdict);
                    if verdict.errors.len() == before {
                        verdict.used.insert(name.to_owned());
                    }
                }
                "type" if !types(rule).any(|name| is_of(name, value)) => {
                    wrong(format!("{value} is not of type {rule}"));
                }
                "const" if rule != value => wrong(format!("{value} is not {rule}")),
                "enum" if !rule.as_array().is_some_and(|all| all.contains(value)) => {
                    wrong(format!("{value} is none of {rule}"));
                }
                "minimum" if value.as_f64() < rule.as_f64() && value.is_number() => {
                    wrong(format!("{value} is below {rule}"));
                }
                "maximum" if value.as_f64() > rule.as_f64() => {
                    wrong(format!("{value} is above {rule}"));
                }
                "pattern" => {
                    let pattern = rule.as_str().unwrap_or_default();
                    if value
                        .as_str()
                        .is_some_and(|text| !self.patterns[pattern].is_match(text))
                    {
                        wrong(format!("{value} does not match {pattern}"));
                    }
                }
                "allOf" => {
                    for inner in rule.as_array().into_iter().flatten() {
                        self.judge(inner, value, at, verdict);
                    }
                }
                "anyOf" | "oneOf" => self.choose(word, rule, value, at, verdict),
                "not" if self.fits(rule, value) => wrong("must not be so".to_owned()),
                "if" => {
                    let branch = if self.fits(rule, value) {
                        "then"
                    } else {
                        "else"
                    };
                    if let Some(inner) = words.get(branch) {
                        self.judge(inner, value, at, verdict);
                    }
                }
                _ => match value {
                    Value::Object(fields) => self.fields(word, words, fields, at, verdict),
                    Value::Array(items) => self.items(word, words, items, at, verdict),
                    _ => {}
                },
            }
        }
    }

    /// One of several schemas: what it comes closest to has something to say.
    fn choose(&self, word: &str, all: &Value, value: &Value, at: &str, verdict: &mut Verdict) {
        let (mut fitting, mut closest) = (0, None::<Verdict>);
        for inner in all.as_array().into_iter().flatten() {
            let mut one = Verdict::default();
            self.judge(inner, value, at, &mut one);
            if one.errors.is_empty() {
                fitting += 1;
                verdict.used.extend(one.used);
            } else if closest
                .as_ref()
                .is_none_or(|best| one.errors.len() < best.errors.len())
            {
                closest = Some(one);
            }
        }
        match (fitting, closest) {
            (0, Some(closest)) => verdict.errors.extend(closest.errors),
            (2.., _) if word == "oneOf" => {
                verdict.errors.push(format!("{at}: fits {fitting} of one"));
            }
            _ => {}
        }
    }

    fn fits(&self, schema: &Value, value: &Value) -> bool {
        let mut verdict = Verdict::default();
        self.judge(schema, value, "", &mut verdict);
        verdict.errors.is_empty()
    }

    fn fields(
        &self,
        word: &str,
        words: &Map<String, Value>,
        fields: &Map<String, Value>,
        at: &str,
        verdict: &mut Verdict,
    ) {
        let rule = &words[word];
        let mut missing = |name: &str| verdict.errors.push(format!("{at}: {name} is missing"));
        match word {
            "required" => texts(rule)
                .filter(|name| !fields.contains_key(*name))
                .for_each(missing),
            "dependentRequired" => {
                for (name, others) in rule.as_object().into_iter().flatten() {
                    if fields.contains_key(name) {
                        texts(others)
                            .filter(|name| !fields.contains_key(*name))
                            .for_each(&mut missing);
                    }
                }
            }
            "properties" => {
                for (name, field) in fields {
                    if let Some(inner) = rule.get(name) {
                        self.judge(inner, field, &format!("{at}/{name}"), verdict);
                    }
                }
            }
            "additionalProperties" => {
                let named = words.get("properties");
                for (name, field) in fields {
                    if named.is_none_or(|named| named.get(name).is_none()) {
                        self.judge(rule, field, &format!("{at}/{name}"), verdict);
                    }
                }
            }
            "propertyNames" => {
                for name in fields.keys() {
                    let name = Value::String(name.clone());
                    self.judge(rule, &name, at, verdict);
                }
            }
            _ => {}
        }
    }

    fn items(
        &self,
        word: &str,
        words: &Map<String, Value>,
        items: &[Value],
        at: &str,
        verdict: &mut Verdict,
    ) {
        let rule = &words[word];
        let limit = rule.as_u64().and_then(|limit| usize::try_from(limit).ok());
        let prefix = words.get("prefixItems").and_then(Value::as_array);
        let prefix = prefix.map_or(&[][..], Vec::as_slice);
        match word {
            "minItems" if Some(items.len()) < limit => {
                verdict.errors.push(format!("{at}: fewer than {rule}"));
            }
            "maxItems" if Some(items.len()) > limit => {
                verdict.errors.push(format!("{at}: more than {rule}"));
            }
            "prefixItems" => {
                for (number, (inner, item)) in prefix.iter().zip(items).enumerate() {
                    self.judge(inner, item, &format!("{at}/{number}"), verdict);
                }
            }
            "items" => {
                for (number, item) in items.iter().enumerate().skip(prefix.len()) {
                    self.judge(rule, item, &format!("{at}/{number}"), verdict);
                }
            }
            _ => {}
        }
    }
}

/// The name in a reference, all of which lead to a definition.
fn reference(value: &Value) -> &str {
    let name = value
        .as_str()
        .and_then(|text| text.strip_prefix("#/$defs/"));
    name.unwrap_or_else(|| panic!("{value} is no reference to a definition"))
}

/// The texts of a list.
fn texts(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
}

/// One name, or several.
fn types(rule: &Value) -> impl Iterator<Item = &str> {
    rule.as_str().into_iter().chain(texts(rule))
}

fn is_of(name: &str, value: &Value) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => panic!("{name} is no type"),
    }
}
