//! The hash by which values are told apart without showing them.

/// FNV-1a with 64 bits, over bytes as they come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fnv(u64);

impl Fnv {
    /// The offset basis of the engine's content dumps, which is not the usual one; with it hashes
    /// can be compared with theirs.
    const BASIS: u64 = 1_469_598_103_934_665_603;
    const PRIME: u64 = 0x100_0000_01B3;

    /// The hash of nothing.
    pub const START: Self = Self(Self::BASIS);

    /// The hash of some bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let mut hash = Self::START;
        hash.update(bytes);
        hash
    }

    /// Takes more bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(Self::PRIME);
        }
    }
}

impl std::fmt::Display for Fnv {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}
