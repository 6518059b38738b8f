//! Exit status after fsck(8). JET numbers do not fit: a shell sees only 8 bits, and the low byte
//! of -512 would read as success. The number itself is in the closing line and in JSON.

use crate::jet::JetError;

/// What the process ends with. Ordered: of several files the worst counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ExitStatus {
    /// 0: nothing wrong.
    Clean,
    /// 1: problems found and corrected.
    Corrected,
    /// 4: problems left.
    ProblemsLeft,
    /// 8: the operation could not be done: missing file, missing log, I/O error.
    Operational,
    /// 16: the command line is wrong.
    Usage,
    /// 32: cancelled by the user.
    Cancelled,
}

/// Errors that say "the file is there and can be read, but it is damaged or does not fit".
const DAMAGE: &[i32] = &[
    -255, -327, -338, -341, -343, -344, -354, -358, -501, -513, -514, -515, -530, -532, -533, -540,
    -541, -550, -551, -552, -566, -567, -582, -586, -590, -625, -1017, -1018, -1019, -1118, -1119,
    -1123, -1206, -1216, -1220, -1224, -1413, -1414, -1526, -1620, -1852, -4001,
];

impl ExitStatus {
    /// Every status and what it means; help, man pages and README say it in these words.
    pub const ALL: [(Self, &'static str); 6] = [
        (Self::Clean, "nothing wrong"),
        (Self::Corrected, "problems found and corrected"),
        (Self::ProblemsLeft, "problems left"),
        (
            Self::Operational,
            "operational error: missing file or log, I/O error",
        ),
        (Self::Usage, "usage error"),
        (Self::Cancelled, "cancelled by the user"),
    ];

    /// The number.
    #[must_use]
    pub const fn code(self) -> i32 {
        match self {
            Self::Clean => 0,
            Self::Corrected => 1,
            Self::ProblemsLeft => 4,
            Self::Operational => 8,
            Self::Usage => 16,
            Self::Cancelled => 32,
        }
    }

    /// The status of an operation that ends with this JET number.
    #[must_use]
    pub fn of(jet: JetError) -> Self {
        match jet.code() {
            0 => Self::Clean,
            code if code > 0 => Self::Corrected,
            -1003 => Self::Usage,
            code if DAMAGE.contains(&code) => Self::ProblemsLeft,
            _ => Self::Operational,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{DAMAGE, ExitStatus};
    use crate::jet::JetError;

    #[test]
    fn no_jet_error_ends_as_success() {
        for jet in JetError::all().filter(|jet| jet.is_error()) {
            assert_ne!(ExitStatus::of(jet).code() & 0xFF, 0, "{jet:?}");
        }
        assert_eq!(ExitStatus::of(JetError::SUCCESS).code(), 0);
    }

    #[test]
    fn damage_is_told_from_failure() {
        assert!(DAMAGE.windows(2).all(|pair| pair[0] > pair[1]));
        for code in DAMAGE {
            assert_ne!(JetError::new(*code).name(), "JET_errUnknown", "{code}");
        }
        assert_eq!(
            ExitStatus::of(JetError::DATABASE_CORRUPTED),
            ExitStatus::ProblemsLeft
        );
        // A log that ends within its header is there, and damaged.
        assert_eq!(
            ExitStatus::of(JetError::FILE_IO_BEYOND_EOF),
            ExitStatus::ProblemsLeft
        );
        assert_eq!(
            ExitStatus::of(JetError::FILE_NOT_FOUND),
            ExitStatus::Operational
        );
        assert_eq!(
            ExitStatus::of(JetError::MISSING_LOG_FILE),
            ExitStatus::Operational
        );
    }
}
