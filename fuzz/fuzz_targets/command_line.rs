//! A command line: arguments of any bytes, a zero byte between each two. What is there on the disk depends on the
//! first byte of the input. The translation and the parser behind it never panic, no name and no value comes out other than it
//! was given, and what is translated once stays as it is.
#![no_main]

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::sync::{LazyLock, Mutex};

use clap::Command;
use exutil::cli::command::command;
use exutil::cli::normalize::normalize;
use exutil::cli::spec::{MODES, Value};
use libfuzzer_sys::fuzz_target;

const NAMES: [&str; 4] = ["exutil", "/usr/bin/eseutil", "esentutl.exe", "isinteg"];

/// Made once: there are many modes.
static COMMAND: LazyLock<Mutex<Command>> = LazyLock::new(|| Mutex::new(command()));

/// Values that are put in where none is given.
static WITHOUT: LazyLock<Vec<&str>> = LazyLock::new(|| {
    let options = MODES.iter().flat_map(|mode| mode.all_options());
    let none = |value| match value {
        Value::Optional(_, none) | Value::Glued(_, none) => Some(none),
        _ => None,
    };
    let sizes = ["2", "4", "8", "16", "32"];
    options
        .filter_map(|option| none(option.value))
        .chain(sizes)
        .collect()
});

fn slashes(bytes: &[u8]) -> Vec<u8> {
    let slash = |byte: &u8| if *byte == b'\\' { b'/' } else { *byte };
    bytes.iter().map(slash).collect()
}

/// The name or value is one that was given, or its end, or stands for none.
fn is_given(value: &OsStr, whole: bool, given: &[OsString]) -> bool {
    let value = slashes(value.as_bytes());
    let fits = |arg: &OsString| {
        let arg = slashes(arg.as_bytes());
        if whole {
            arg == value
        } else {
            arg.ends_with(&value)
        }
    };
    given.iter().any(fits) || !whole && WITHOUT.iter().any(|none| none.as_bytes() == value)
}

fuzz_target!(|data: &[u8]| {
    let Some((first, rest)) = data.split_first() else {
        return;
    };
    let exists = |path: &OsStr| {
        let sum = path
            .as_bytes()
            .iter()
            .fold(*first, |sum, byte| sum.wrapping_mul(31).wrapping_add(*byte));
        sum % 3 == 0
    };
    let name = OsString::from(NAMES[usize::from(*first) % NAMES.len()]);
    let mut args = vec![name];
    let words = rest.split(|byte| *byte == 0);
    args.extend(words.map(|word| OsStr::from_bytes(word).to_owned()));
    let Ok(normal) = normalize(&args, &exists) else {
        return;
    };
    let mut options = normal.args.iter().skip(2);
    // Lists of tests are put together from several arguments.
    let is_list = |arg: &OsStr| arg.as_bytes().starts_with(b"--test=");
    for arg in options.by_ref().take_while(|arg| *arg != "--") {
        let value = arg.as_bytes().iter().position(|byte| *byte == b'=');
        let value = value.map(|at| OsStr::from_bytes(&arg.as_bytes()[at + 1..]));
        if let Some(value) = value.filter(|_| !is_list(arg)) {
            assert!(is_given(value, false, &args), "{arg:?} of {args:?}");
        }
    }
    for file in options {
        assert!(is_given(file, true, &args), "{file:?} of {args:?}");
    }
    let again = normalize(&normal.args, &exists).expect("it has been understood once");
    assert_eq!(again, normal, "{args:?}");
    let mut command = COMMAND.lock().unwrap();
    let _ = command.try_get_matches_from_mut(normal.args);
});
