//! What is free, and what is asked of the listener: behind one lock.

use std::{sync::Arc, time::Instant};

use super::{
    lane::{Lane, Load, Losses, Room, State, Victim},
    turns::Turns,
};

/// What was given up, mostly one: its memory goes back outside of all locks, and a list would be more of it.
pub(crate) type Victims<T> = (Option<T>, Vec<T>);

pub(crate) struct Budget<T> {
    pub(crate) phase: Phase,
    pub(crate) free: Room,
    /// The most that was held while it was known to the record.
    pub(crate) high_water: Room,
    /// There was no room a short while ago: nothing is leased, so that all of it can be used. Always so while somebody waits.
    pub(crate) is_tight: bool,
    pub(crate) lanes: Vec<Arc<Lane<T>>>,
    /// Which lane the next thread shares, when there are enough.
    pub(crate) shared_next: usize,
    /// Callers that wait for room.
    pub(crate) turns: Turns,
    pub(crate) waits: u64,
    /// The deadline of a shutdown.
    pub(crate) give_up_at: Option<Instant>,
    pub(crate) flush_asked: u64,
    /// The most that somebody asks for who flushes.
    pub(crate) wish: Wish,
    pub(crate) flush_done: u64,
    pub(crate) flush_error: Option<String>,
    /// Why the flush failed after which the listener ended.
    pub(crate) ending_error: Option<String>,
}

/// A flush that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) ticket: u64,
    pub(crate) wish: Wish,
}

/// What is to be done once what was put before is handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wish {
    /// Nothing.
    Barrier,
    /// The handler is flushed.
    Flush,
    /// The same, and it may be the end.
    Last,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Open,
    /// What waits is still handled; nothing new comes in.
    Closing,
    /// Time is up: the listener stops after the record in its hands.
    Abandoned,
    Ended,
}

impl<T: Load> Budget<T> {
    pub(crate) fn new(limits: Room) -> Self {
        Self {
            phase: Phase::Open,
            free: limits,
            high_water: Room::default(),
            is_tight: false,
            lanes: Vec::new(),
            shared_next: 0,
            turns: Turns::new(),
            waits: 0,
            give_up_at: None,
            flush_asked: 0,
            wish: Wish::Barrier,
            flush_done: 0,
            flush_error: None,
            ending_error: None,
        }
    }

    /// Leases come back, and no more are given.
    pub(crate) fn tighten(&mut self) {
        if !self.is_tight {
            self.is_tight = true;
            self.lanes.iter().for_each(|lane| self.free.add(std::mem::take(&mut lane.lock().lease)));
        }
    }

    /// Nothing comes in any more, also of what waits for room.
    pub(crate) fn shut(&mut self, phase: Phase) {
        self.phase = phase;
        self.lanes.iter().for_each(|lane| lane.lock().is_closed = true);
        self.free.add(self.turns.dismiss());
    }

    /// Whether there would be room if all that may be was given up. (What the listener takes meanwhile cannot be.)
    pub(crate) fn could_hold(&self, bytes: usize, takes_protected: bool) -> bool {
        // Where only a place is missing, any one will do.
        self.free.bytes >= bytes || {
            let of_lane = |lane: &Arc<Lane<T>>| lane.lock().bytes_to_give_up(takes_protected);
            self.free.bytes + self.lanes.iter().map(of_lane).sum::<usize>() >= bytes
        }
    }

    /// Takes out the oldest or the newest of all lanes.
    pub(crate) fn give_up(&mut self, which: Victim, losses: &impl Losses<T>) -> Option<T> {
        // The listener may be quicker; then there is room, or another one.
        for _ in 0..=self.lanes.len() {
            let timed = self.lanes.iter().filter_map(|lane| Some((lane.lock().victim_time(which)?, lane)));
            let lane = match which.is_newest {
                true => timed.max_by_key(|(time, _)| *time)?.1,
                false => timed.min_by_key(|(time, _)| *time)?.1,
            };
            let victim = State::give_up(&mut lane.lock(), which, losses);
            if victim.is_some() {
                return victim;
            }
        }
        None
    }
}
