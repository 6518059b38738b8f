//! Lines of the modes that write a database anew: `p` and `d`.

use crate::cli::layout::Layout;
use crate::ops::repair::Space;

/// What Eseutil says at the end; `after` is what was done.
pub(super) fn backup_note(out: &mut Layout, after: &str) {
    for line in [
        "",
        "Note:",
        "  It is recommended that you immediately perform a full backup",
        "  of this database. If you restore a backup made before the",
        &format!("  {after}, the database will be rolled back to the state"),
        "  it was in at the time of that backup.",
    ] {
        out.spacing(line);
    }
}

/// The room that is needed in each folder.
pub(super) fn rooms(out: &mut Layout, spaces: &[Space], needed: impl Fn(&Space) -> u64) {
    for space in spaces {
        let free = space
            .free
            .map_or_else(|| "?".to_owned(), |free| free.to_string());
        out.text(format!(
            "Room in {}: {} bytes needed, {free} free",
            space.folder.display(),
            needed(space)
        ));
    }
}
