//! Senders that wait for capacity, in order: a large record gets its turn among many small ones.

use std::collections::VecDeque;

use super::shard::Capacity;

/// The first ones are granted capacity, so that all that fit continue after one wake-up, in any order.
pub(crate) struct WaitQueue {
    /// Their tickets, and the bytes they need.
    waiting: VecDeque<(u64, usize)>,
    /// How many of the first ones have a grant.
    granted: usize,
    next: u64,
}

impl WaitQueue {
    pub(crate) fn new() -> Self {
        Self { waiting: VecDeque::with_capacity(16), granted: 0, next: 0 }
    }

    /// Joins at the end. Returns a ticket.
    pub(crate) fn join(&mut self, bytes: usize) -> u64 {
        let ticket = self.next;
        self.next += 1;
        self.waiting.push_back((ticket, bytes));
        ticket
    }

    pub(crate) fn has_ungranted(&self) -> bool {
        self.ungranted() > 0
    }

    pub(crate) fn ungranted(&self) -> usize {
        self.waiting.len() - self.granted
    }

    /// Grants capacity to the next ones, as far as it goes. Returns whether anybody got some.
    pub(crate) fn grant(&mut self, free: &mut Capacity) -> bool {
        let before = self.granted;
        while let Some((_, bytes)) = self.waiting.get(self.granted).filter(|(_, bytes)| free.fits(*bytes)) {
            free.remove(Capacity::one(*bytes));
            self.granted += 1;
        }
        self.granted > before
    }

    pub(crate) fn is_granted(&self, ticket: u64) -> bool {
        self.waiting.iter().take(self.granted).any(|(other, _)| *other == ticket)
    }

    /// Leaves the queue. Granted capacity, if any, now belongs to the caller.
    pub(crate) fn leave(&mut self, ticket: u64) {
        let Some(index) = self.waiting.iter().position(|(other, _)| *other == ticket) else { return };
        self.waiting.remove(index);
        self.granted -= usize::from(index < self.granted);
    }

    /// All granted capacity.
    pub(crate) fn reserved(&self) -> Capacity {
        let mut capacity = Capacity::default();
        self.waiting.iter().take(self.granted).for_each(|(_, bytes)| capacity.add(Capacity::one(*bytes)));
        capacity
    }

    /// Removes everybody. Returns the granted capacity.
    pub(crate) fn clear(&mut self) -> Capacity {
        let capacity = self.reserved();
        self.waiting.clear();
        self.granted = 0;
        capacity
    }
}
