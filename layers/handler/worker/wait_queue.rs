//! Who waits for room, in the order they came: a large record gets its turn among many small ones.

use std::collections::VecDeque;

use super::shard::Capacity;

/// Room is set aside for the first ones, so that all that fit go on after one wake, whoever wakes first.
pub(crate) struct WaitQueue {
    /// Their numbers, and the bytes they want.
    waiting: VecDeque<(u64, usize)>,
    /// For so many of the first, room is set aside.
    granted: usize,
    next: u64,
}

impl WaitQueue {
    pub(crate) fn new() -> Self {
        Self { waiting: VecDeque::with_capacity(16), granted: 0, next: 0 }
    }

    /// Behind all others.
    pub(crate) fn join(&mut self, bytes: usize) -> u64 {
        let number = self.next;
        self.next += 1;
        self.waiting.push_back((number, bytes));
        number
    }

    /// Whether somebody waits for whom no room is set aside yet.
    pub(crate) fn has_ungranted(&self) -> bool {
        self.ungranted() > 0
    }

    pub(crate) fn ungranted(&self) -> usize {
        self.waiting.len() - self.granted
    }

    /// Sets room aside for the next ones, as far as it goes. Says whether it went for anybody.
    pub(crate) fn grant(&mut self, free: &mut Capacity) -> bool {
        let before = self.granted;
        while let Some((_, bytes)) = self.waiting.get(self.granted).filter(|(_, bytes)| free.fits(*bytes)) {
            free.remove(Capacity::one(*bytes));
            self.granted += 1;
        }
        self.granted > before
    }

    pub(crate) fn is_granted(&self, number: u64) -> bool {
        self.waiting.iter().take(self.granted).any(|(other, _)| *other == number)
    }

    /// It waits no more. The room that was set aside for it, if any, is the caller's.
    pub(crate) fn leave(&mut self, number: u64) {
        let Some(index) = self.waiting.iter().position(|(other, _)| *other == number) else { return };
        self.waiting.remove(index);
        self.granted -= usize::from(index < self.granted);
    }

    /// What is set aside.
    pub(crate) fn reserved(&self) -> Capacity {
        let mut room = Capacity::default();
        self.waiting.iter().take(self.granted).for_each(|(_, bytes)| room.add(Capacity::one(*bytes)));
        room
    }

    /// Nobody waits any more; what was set aside comes back.
    pub(crate) fn clear(&mut self) -> Capacity {
        let room = self.reserved();
        self.waiting.clear();
        self.granted = 0;
        room
    }
}
