//! Paths as text: how near two folders are, and how a path is written on a command line.

/// Steps up and down from one folder to the other.
pub(super) fn distance(a: &str, b: &str) -> usize {
    let parts = |path| str::split(path, '/').filter(|part: &&str| !part.is_empty() && *part != ".");
    let common = parts(a).zip(parts(b)).take_while(|(a, b)| a == b).count();
    parts(a).count() + parts(b).count() - 2 * common
}

/// The last part of a path as a server writes it, with either kind of slash.
pub(super) fn last_part(path: &str) -> &str {
    path.rsplit(['\\', '/']).next().unwrap_or(path)
}

/// `.` for the folder that has no name.
pub(super) fn folder_or_dot(folder: &str) -> &str {
    if folder.is_empty() { "." } else { folder }
}

/// A word for a POSIX shell: as it is where that is safe, else in single quotes.
#[must_use]
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "_-./:=,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::{distance, last_part, quoted};

    #[test]
    fn folders_are_as_far_as_one_must_walk() {
        assert_eq!(distance("a/b", "a/b"), 0);
        assert_eq!(distance("a/b", "a"), 1);
        assert_eq!(distance("a/b/c", "a/d"), 3);
        assert_eq!(distance("", "./a"), 1);
        assert_eq!(distance("/a", "/b"), 2);
    }

    #[test]
    fn names_on_a_command_line() {
        assert_eq!(quoted("a/b-c.edb"), "a/b-c.edb");
        assert_eq!(quoted("First Storage Group/x"), "'First Storage Group/x'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
        assert_eq!(quoted("$(x)"), "'$(x)'");
        assert_eq!(last_part(r"E:\db\test.edb"), "test.edb");
    }
}
