//! Ends of arguments as they were given: a path need not be text.

use std::ffi::{OsStr, OsString};

/// What lies behind the first `count` characters of an argument, which are ASCII.
#[cfg(unix)]
pub(super) fn behind(arg: &OsStr, count: usize) -> OsString {
    use std::os::unix::ffi::OsStrExt as _;
    let bytes = arg.as_bytes();
    OsStr::from_bytes(bytes.get(count..).unwrap_or_default()).to_owned()
}

/// What lies behind the first `count` characters of an argument, which are ASCII.
#[cfg(windows)]
pub(super) fn behind(arg: &OsStr, count: usize) -> OsString {
    use std::os::windows::ffi::{OsStrExt as _, OsStringExt as _};
    let units: Vec<u16> = arg.encode_wide().skip(count).collect();
    OsString::from_wide(&units)
}

/// What lies behind the first `count` characters of an argument, which are ASCII.
#[cfg(not(any(unix, windows)))]
pub(super) fn behind(arg: &OsStr, count: usize) -> OsString {
    let text = arg.to_string_lossy();
    text.get(count..).unwrap_or_default().into()
}

/// The argument with a slash for each backslash; `None` where it has none.
#[cfg(unix)]
pub(super) fn with_slashes(arg: &OsStr) -> Option<OsString> {
    use std::os::unix::ffi::OsStringExt as _;
    let mut bytes = arg.to_owned().into_vec();
    let backslashes = bytes.iter_mut().filter(|byte| **byte == b'\\');
    let count = backslashes.map(|byte| *byte = b'/').count();
    (count > 0).then(|| OsString::from_vec(bytes))
}

/// The argument with a slash for each backslash; `None` where it has none, or is no text.
#[cfg(not(unix))]
pub(super) fn with_slashes(arg: &OsStr) -> Option<OsString> {
    let text = arg.to_str().filter(|text| text.contains('\\'))?;
    Some(text.replace('\\', "/").into())
}
