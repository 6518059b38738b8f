//! Who reads what when: workers take files in order, but a disk that turns is read by one of them at a time.

use std::collections::{HashMap, VecDeque};
use std::sync::{Condvar, Mutex, PoisonError};

use super::walk::{Found, Walk};

/// Files that wait for a busy disk while those of other disks go on.
const WAITING_AT_MOST: usize = 4096;
/// How far the fastest worker may be ahead of the slowest file, whose line must come first.
const AHEAD_AT_MOST: u64 = 65_536;

/// The next file, with its place in the order.
pub(super) struct Task {
    /// Its place.
    pub number: u64,
    /// The file.
    pub found: Found,
}

struct State<F> {
    walk: F,
    ended: bool,
    next_number: u64,
    waiting: VecDeque<Task>,
    /// Workers on each device.
    busy: HashMap<u64, usize>,
    /// How many each device takes.
    limits: HashMap<u64, usize>,
    /// Every file below this number is done.
    done_below: u64,
}

/// Gives out files.
pub(super) struct Lanes<F = Walk> {
    state: Mutex<State<F>>,
    changed: Condvar,
    workers: usize,
    turns: fn(u64) -> bool,
}

impl<F: Iterator<Item = Found>> Lanes<F> {
    /// `turns` tells whether a device is a disk that turns.
    pub fn new(walk: F, workers: usize, turns: fn(u64) -> bool) -> Self {
        Self {
            state: Mutex::new(State {
                walk,
                ended: false,
                next_number: 0,
                waiting: VecDeque::new(),
                busy: HashMap::new(),
                limits: HashMap::new(),
                done_below: 0,
            }),
            changed: Condvar::new(),
            workers,
            turns,
        }
    }

    /// The next file that may be read now; waits where all must wait. `None` when there is no more.
    pub fn take(&self) -> Option<Task> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(task) = self.free(&mut state) {
                return Some(task);
            }
            if state.ended && state.waiting.is_empty() {
                return None;
            }
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The first file whose disk is free, among those that wait and then those of the walk.
    fn free(&self, state: &mut State<F>) -> Option<Task> {
        let horizon = state.done_below + AHEAD_AT_MOST;
        for at in 0..state.waiting.len() {
            let task = &state.waiting[at];
            if task.number < horizon && self.has_room(state, task.found.device) {
                let task = state.waiting.remove(at)?;
                *state.busy.entry(task.found.device).or_default() += 1;
                return Some(task);
            }
        }
        while !state.ended && state.waiting.len() < WAITING_AT_MOST && state.next_number < horizon {
            let Some(found) = state.walk.next() else {
                state.ended = true;
                // Whoever waits for a file may stop.
                self.changed.notify_all();
                break;
            };
            let device = found.device;
            // The system is asked once a device, not once a file.
            state.limits.entry(device).or_insert_with(|| {
                if (self.turns)(device) {
                    1
                } else {
                    self.workers
                }
            });
            let task = Task {
                number: state.next_number,
                found,
            };
            state.next_number += 1;
            if self.has_room(state, device) {
                *state.busy.entry(device).or_default() += 1;
                return Some(task);
            }
            state.waiting.push_back(task);
        }
        None
    }

    fn has_room(&self, state: &State<F>, device: u64) -> bool {
        let limit = state.limits.get(&device).copied().unwrap_or(self.workers);
        state.busy.get(&device).copied().unwrap_or_default() < limit
    }

    /// A worker is done with a file of this device; every file below `done_below` has its line.
    pub fn done(&self, device: u64, done_below: u64) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(busy) = state.busy.get_mut(&device) {
            *busy = busy.saturating_sub(1);
        }
        state.done_below = state.done_below.max(done_below);
        self.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::Lanes;
    use crate::ops::sweep::walk::Found;

    fn found(device: u64) -> Found {
        Found {
            path: "x".into(),
            name: "x".into(),
            stamp: None,
            device,
            error: None,
        }
    }

    #[test]
    fn a_disk_that_turns_is_read_by_one() {
        let walk = [7, 7, 8, 8, 7].map(found).into_iter();
        let lanes = Lanes::new(walk, 2, |device| device == 7);
        let take = || lanes.take().map(|task| (task.number, task.found.device));
        assert_eq!(take(), Some((0, 7)));
        assert_eq!(take(), Some((2, 8)), "the second of 7 waits");
        assert_eq!(take(), Some((3, 8)));
        lanes.done(7, 1);
        assert_eq!(take(), Some((1, 7)));
        lanes.done(7, 2);
        assert_eq!(take(), Some((4, 7)));
        assert_eq!(take(), None);
    }

    #[test]
    fn nobody_runs_away_from_the_slowest() {
        let walk = (0..super::AHEAD_AT_MOST + 2).map(|_| found(1));
        let lanes = Lanes::new(walk, 1_000_000, |_| false);
        for _ in 0..super::AHEAD_AT_MOST {
            assert!(lanes.take().is_some());
        }
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| lanes.take().map(|task| task.number));
            lanes.done(1, 1);
            assert_eq!(waiting.join().unwrap(), Some(super::AHEAD_AT_MOST));
        });
    }
}
