//! The order of a sweep: folders and files by name, a folder's content where the folder stands. It is the same for any
//! number of workers, shards and runs, and can be told from two paths alone.

use std::cmp::Ordering;

/// Compares two paths part by part.
#[must_use]
pub fn by_path(a: &str, b: &str) -> Ordering {
    let parts = |path| str::split(path, '/');
    parts(a).cmp(parts(b))
}

#[cfg(test)]
mod tests {
    use super::by_path;

    #[test]
    fn what_is_in_a_folder_comes_where_the_folder_stands() {
        let mut paths = ["a.txt", "a/z", "b", "a/b/c", "a-b/x", "a/b.txt"];
        paths.sort_by(|a, b| by_path(a, b));
        assert_eq!(paths, ["a/b/c", "a/b.txt", "a/z", "a-b/x", "a.txt", "b"]);
    }
}
