//! Paths in an undo file: the system's bytes, absolute, and from the folder of the undo file on.

use std::path::{Component, Path, PathBuf};

/// The bytes of a path; `None` for one that cannot be kept (Windows: no valid UTF-16).
#[cfg(unix)]
pub fn to_bytes(path: &Path) -> Option<Vec<u8>> {
    use std::os::unix::ffi::OsStrExt as _;
    Some(path.as_os_str().as_bytes().to_vec())
}

/// The bytes of a path; `None` for one that cannot be kept (Windows: no valid UTF-16).
#[cfg(not(unix))]
pub fn to_bytes(path: &Path) -> Option<Vec<u8>> {
    path.to_str().map(|text| text.as_bytes().to_vec())
}

#[cfg(unix)]
fn from_bytes(bytes: &[u8]) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStrExt as _;
    Some(std::ffi::OsStr::from_bytes(bytes).into())
}

#[cfg(not(unix))]
fn from_bytes(bytes: &[u8]) -> Option<PathBuf> {
    std::str::from_utf8(bytes).ok().map(PathBuf::from)
}

/// A path that starts at a root and names a file; `None` for any other.
pub fn absolute(bytes: &[u8]) -> Option<PathBuf> {
    let path = from_bytes(bytes)?;
    let dots = path.components().any(|part| part == Component::ParentDir);
    (path.has_root() && path.file_name().is_some() && !dots).then_some(path)
}

/// A path of names alone: it cannot lead out of the folder that it starts from.
pub fn relative(bytes: &[u8]) -> Option<PathBuf> {
    let path = from_bytes(bytes)?;
    let names = |part| matches!(part, Component::Normal(_));
    path.components().all(names).then_some(path)
}

/// A single name; `None` for any other path.
pub fn name(bytes: &[u8]) -> Option<PathBuf> {
    let path = relative(bytes)?;
    (path.file_name() == Some(path.as_os_str())).then_some(path)
}

#[cfg(all(test, unix))]
mod tests {
    use super::{absolute, name, relative, to_bytes};
    use std::path::Path;

    #[test]
    fn paths_that_lead_elsewhere_are_refused() {
        assert_eq!(
            absolute(b"/a/b.edb").as_deref(),
            Some(Path::new("/a/b.edb"))
        );
        assert_eq!(absolute(b"a/b.edb"), None);
        assert_eq!(absolute(b"/a/../b.edb"), None);
        assert_eq!(absolute(b"/"), None);
        assert_eq!(relative(b"a/b.edb").as_deref(), Some(Path::new("a/b.edb")));
        assert_eq!(relative(b"../b.edb"), None);
        assert_eq!(relative(b"/b.edb"), None);
        assert_eq!(name(b"b.edb").as_deref(), Some(Path::new("b.edb")));
        for bad in [&b""[..], b".", b"..", b"/", b"a/b", b"a/", b"./a", b"/a"] {
            assert_eq!(name(bad), None, "{bad:?}");
        }
        let odd = absolute(b"/a/\xFF").unwrap();
        assert_eq!(to_bytes(&odd).unwrap(), b"/a/\xFF");
    }
}
