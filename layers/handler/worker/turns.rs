//! Who waits for room, in the order they came: a large record gets its turn among many small ones.

use std::collections::VecDeque;

use super::lane::Room;

/// Room is set aside for the first ones, so that all that fit go on after one wake, whoever wakes first.
pub(crate) struct Turns {
    /// Their numbers, and the bytes they want.
    waiting: VecDeque<(u64, usize)>,
    /// For so many of the first, room is set aside.
    served: usize,
    next: u64,
}

impl Turns {
    pub(crate) fn new() -> Self {
        Self { waiting: VecDeque::with_capacity(16), served: 0, next: 0 }
    }

    /// Behind all others.
    pub(crate) fn join(&mut self, bytes: usize) -> u64 {
        let number = self.next;
        self.next += 1;
        self.waiting.push_back((number, bytes));
        number
    }

    /// Whether somebody waits for whom no room is set aside yet.
    pub(crate) fn is_any_unserved(&self) -> bool {
        self.unserved() > 0
    }

    pub(crate) fn unserved(&self) -> usize {
        self.waiting.len() - self.served
    }

    /// Sets room aside for the next ones, as far as it goes. Says whether it went for anybody.
    pub(crate) fn serve(&mut self, free: &mut Room) -> bool {
        let before = self.served;
        while let Some((_, bytes)) = self.waiting.get(self.served).filter(|(_, bytes)| free.holds(*bytes)) {
            free.remove(Room::one(*bytes));
            self.served += 1;
        }
        self.served > before
    }

    pub(crate) fn is_served(&self, number: u64) -> bool {
        self.waiting.iter().take(self.served).any(|(other, _)| *other == number)
    }

    /// It waits no more. The room that was set aside for it, if any, is the caller's.
    pub(crate) fn leave(&mut self, number: u64) {
        let Some(index) = self.waiting.iter().position(|(other, _)| *other == number) else { return };
        self.waiting.remove(index);
        self.served -= usize::from(index < self.served);
    }

    /// What is set aside.
    pub(crate) fn set_aside(&self) -> Room {
        let mut room = Room::default();
        self.waiting.iter().take(self.served).for_each(|(_, bytes)| room.add(Room::one(*bytes)));
        room
    }

    /// Nobody waits any more; what was set aside comes back.
    pub(crate) fn dismiss(&mut self) -> Room {
        let room = self.set_aside();
        self.waiting.clear();
        self.served = 0;
        room
    }
}
