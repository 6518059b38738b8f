//! Copy on write: reads come from a base that is never written, writes stay in memory.

use std::collections::BTreeMap;
use std::io;
use std::sync::{PoisonError, RwLock};

use super::Storage;

/// Changed bytes are kept in blocks of this size.
const BLOCK: usize = 4096;

/// A view of `base` in which everything can be changed and nothing is.
#[derive(Debug)]
pub struct Overlay<S> {
    base: S,
    state: RwLock<State>,
}

#[derive(Debug)]
struct State {
    blocks: BTreeMap<u64, Box<[u8; BLOCK]>>,
    len: u64,
    /// Bytes of the base that still show through; cutting the overlay hides what lay behind.
    visible: u64,
}

impl<S: Storage> Overlay<S> {
    /// Lays an empty overlay over `base`.
    ///
    /// # Errors
    /// When the base's length cannot be had.
    pub fn new(base: S) -> io::Result<Self> {
        let len = base.len()?;
        let state = State {
            blocks: BTreeMap::new(),
            len,
            visible: len,
        };
        Ok(Self {
            base,
            state: RwLock::new(state),
        })
    }

    /// What lies under it.
    pub const fn base(&self) -> &S {
        &self.base
    }

    /// The changed blocks in order of their offset: (offset, bytes).
    pub fn changes(&self) -> Vec<(u64, Vec<u8>)> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        state
            .blocks
            .iter()
            .map(|(number, block)| (number * BLOCK as u64, block.to_vec()))
            .collect()
    }

    fn base_block(&self, number: u64, visible: u64) -> io::Result<Box<[u8; BLOCK]>> {
        let mut block = Box::new([0; BLOCK]);
        let start = number * BLOCK as u64;
        let shown = visible.saturating_sub(start).min(BLOCK as u64) as usize;
        let have = self.base.read_at(start, &mut block[..shown])?;
        block[have..].fill(0);
        Ok(block)
    }
}

impl<S: Storage> Storage for Overlay<S> {
    fn len(&self) -> io::Result<u64> {
        Ok(self
            .state
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .len)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let count = state.len.saturating_sub(offset).min(buffer.len() as u64) as usize;
        let shown = state.visible.saturating_sub(offset).min(count as u64) as usize;
        if shown > 0 {
            self.base.read_exact_at(offset, &mut buffer[..shown])?;
        }
        buffer[shown..count].fill(0);
        let (first, last) = (
            offset / BLOCK as u64,
            (offset + count as u64).div_ceil(BLOCK as u64),
        );
        for (number, block) in state.blocks.range(first..last.max(first)) {
            let start = number * BLOCK as u64;
            let from = offset.max(start);
            let to = (offset + count as u64).min(start + BLOCK as u64);
            buffer[(from - offset) as usize..(to - offset) as usize]
                .copy_from_slice(&block[(from - start) as usize..(to - start) as usize]);
        }
        Ok(count)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let mut done = 0;
        while done < bytes.len() {
            let at = offset + done as u64;
            let (number, inside) = (at / BLOCK as u64, (at % BLOCK as u64) as usize);
            let count = (BLOCK - inside).min(bytes.len() - done);
            let visible = state.visible;
            let block = match state.blocks.entry(number) {
                std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
                std::collections::btree_map::Entry::Vacant(entry) => {
                    entry.insert(self.base_block(number, visible)?)
                }
            };
            block[inside..inside + count].copy_from_slice(&bytes[done..done + count]);
            done += count;
        }
        state.len = state.len.max(offset + bytes.len() as u64);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if len < state.len {
            let keep = len.div_ceil(BLOCK as u64);
            drop(state.blocks.split_off(&keep));
            if let Some(block) = state.blocks.get_mut(&(len / BLOCK as u64)) {
                block[(len % BLOCK as u64) as usize..].fill(0);
            }
            state.visible = state.visible.min(len);
        }
        state.len = len;
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}
