//! The input as a tape.

/// The input, byte for byte; behind its end all is zero.
pub struct Input<'i>(pub &'i [u8]);

impl Input<'_> {
    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }
}
