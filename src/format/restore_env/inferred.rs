//! A binary restore environment, whose layout is not public: what its strings say by themselves.

use std::collections::HashMap;

use super::strings::{Found, find, has_extension, is_file, unit};
use super::{
    EnvDatabase, EnvFault, EnvSource, FoundString, LOG_DIGITS, LOG_DIGITS_OLD, RestoreEnvironment,
};
use crate::format::bytes::u32_at;
use crate::format::ids::Generation;

/// The annotation of the Exchange store's backups. [sample of a dump]
const ANNOTATION: &str = "Microsoft Information Store";
/// Generations end far below: a name had five digits.
const GENERATION_END: u32 = 1 << 24;

/// Reads what can be told.
///
/// # Errors
/// [`EnvFault::NotDecodable`] without the path of a database; [`EnvFault::TooManyStrings`].
pub(super) fn read(bytes: &[u8]) -> Result<RestoreEnvironment, EnvFault> {
    let strings = find(bytes)?;
    let mut environment = RestoreEnvironment::new(EnvSource::Inferred);
    let mut used = vec![false; strings.len()];

    environment.databases = databases(&strings, &mut used);
    if environment.databases.is_empty() {
        return Err(EnvFault::NotDecodable);
    }
    // Streaming files were there in Exchange 2000 and 2003 only, whose logs have short names.
    let mut sources = environment.databases.iter().flat_map(|db| &db.sources);
    let streaming = sources.any(|path| has_extension(path, ".stm"));
    environment.log_digits = if streaming {
        LOG_DIGITS_OLD
    } else {
        LOG_DIGITS
    };

    if let Some((at, low, high)) = logs(bytes, &strings) {
        used[at] = true;
        environment.log_base = Some(strings[at].text.clone());
        environment.log_range = Some((Generation::new(low), Generation::new(high)));
    }
    let known = |string: &Found| string.text.eq_ignore_ascii_case(ANNOTATION);
    if let Some(at) = strings.iter().position(known) {
        used[at] = true;
        environment.annotation = Some(strings[at].text.clone());
    }
    let rest = strings.into_iter().zip(used).filter(|(_, used)| !used);
    environment.other = rest
        .map(|(string, _)| FoundString {
            offset: string.at as u64,
            text: string.text,
            encoding: string.encoding,
        })
        .collect();
    Ok(environment)
}

/// File name, in lower case.
fn file_name(path: &str) -> String {
    path.rsplit('\\').next().unwrap_or_default().to_lowercase()
}

/// A path without its extension of four characters, in lower case.
fn stem(path: &str) -> String {
    let end = path.len().saturating_sub(4);
    path.get(..end).unwrap_or_default().to_lowercase()
}

/// A database path opens a list; streaming files behind it in the same list, or with the same path but for the
/// extension, belong to it. The first list with some file names is where they were, the second where they are
/// restored to; what comes after that is not told.
fn databases(strings: &[Found], used: &mut [bool]) -> Vec<EnvDatabase> {
    let mut databases: Vec<EnvDatabase> = Vec::new();
    let mut by_names: HashMap<Vec<String>, usize> = HashMap::new();
    let mut at = 0;
    while let Some(string) = strings.get(at) {
        let first = at;
        at += 1;
        if !is_file(&string.text, ".edb") {
            continue;
        }
        while let Some(next) = strings.get(at) {
            let belongs = next.follows || stem(&next.text) == stem(&string.text);
            if !is_file(&next.text, ".stm") || !belongs {
                break;
            }
            at += 1;
        }
        let paths = || strings[first..at].iter().map(|string| string.text.clone());
        let names = paths().map(|path| file_name(&path)).collect();
        match by_names.get(&names) {
            None => {
                by_names.insert(names, databases.len());
                databases.push(EnvDatabase {
                    sources: paths().collect(),
                    ..EnvDatabase::default()
                });
            }
            Some(known) if databases[*known].destinations.is_empty() => {
                databases[*known].destinations = paths().collect();
            }
            Some(_) => continue,
        }
        used[first..at].fill(true);
    }
    databases
}

/// The base name of the logs, as number of its string, with the generations behind it. Nothing when more than
/// one answer is possible.
fn logs(bytes: &[u8], strings: &[Found]) -> Option<(usize, u32, u32)> {
    let mut answers = Vec::new();
    for (number, string) in strings.iter().enumerate() {
        if !is_base(&string.text) {
            continue;
        }
        // Behind the text and its NUL, or from the next multiple of four on.
        let end = string.end;
        let mut places = vec![end];
        if !end.is_multiple_of(4) {
            places.push(end.next_multiple_of(4));
        }
        if string.from < string.at && string.text_end < end {
            // The length may not have counted what looks like a NUL: then it is a number's first bytes.
            places.push(end - unit(string.encoding));
        }
        let ranges: Vec<_> = places
            .iter()
            .filter_map(|at| range(bytes, strings, *at))
            .collect();
        // Read from a byte or two before them, small numbers are round ones.
        let round = |(low, high): &(u32, u32)| low.is_multiple_of(256) && high.is_multiple_of(256);
        let all_round = ranges.iter().all(round);
        let kept = ranges.iter().filter(|range| all_round || !round(range));
        answers.extend(kept.map(|(low, high)| (number, *low, *high)));
    }
    let (number, low, high) = *answers.first()?;
    let same = |answer: &(usize, u32, u32)| {
        strings[answer.0].text == strings[number].text && (answer.1, answer.2) == (low, high)
    };
    answers.iter().all(same).then_some((number, low, high))
}

/// `E00`, `R00`, `edb`: a letter and two hexadecimal digits.
fn is_base(text: &str) -> bool {
    match text.as_bytes() {
        [first, rest @ ..] if rest.len() == 2 => {
            first.is_ascii_alphabetic() && rest.iter().all(u8::is_ascii_hexdigit)
        }
        _ => false,
    }
}

/// Two numbers at `at` that may be the first and the last generation, and are no part of a string.
fn range(bytes: &[u8], strings: &[Found], at: usize) -> Option<(u32, u32)> {
    let (low, high) = (u32_at(bytes, at)?, u32_at(bytes, at + 4)?);
    let next = strings.partition_point(|string| string.from < at);
    let free = strings.get(next).is_none_or(|string| string.from >= at + 8);
    (free && low >= 1 && low <= high && high < GENERATION_END).then_some((low, high))
}
