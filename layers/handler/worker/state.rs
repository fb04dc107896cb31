//! What is free, and what is asked of the listener: behind one lock.

use std::{sync::Arc, time::Instant};

use super::{
    shard::{Capacity, Eviction, LossCounter, Shard, ShardState, Weighed},
    wait_queue::WaitQueue,
};

/// What was given up, mostly one: its memory goes back outside of all locks, and a list would be more of it.
pub(crate) type Evicted<T> = (Option<T>, Vec<T>);

pub(crate) struct State<T> {
    pub(crate) phase: Phase,
    pub(crate) free: Capacity,
    /// The most that was held while it was known to the record.
    pub(crate) high_water: Capacity,
    /// There was no room a short while ago: nothing is leased, so that all of it can be used. Always so while somebody waits.
    pub(crate) is_scarce: bool,
    pub(crate) shards: Vec<Arc<Shard<T>>>,
    /// Which lane the next thread shares, when there are enough.
    pub(crate) shared_next: usize,
    /// Callers that wait for room.
    pub(crate) waiters: WaitQueue,
    pub(crate) waits: u64,
    /// The deadline of a shutdown.
    pub(crate) deadline: Option<Instant>,
    pub(crate) flush_asked: u64,
    /// The most that somebody asks for who flushes.
    pub(crate) command: Command,
    pub(crate) flush_done: u64,
    pub(crate) flush_error: Option<String>,
    /// Why the flush failed after which the listener ended.
    pub(crate) ending_error: Option<String>,
}

/// A flush that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FlushRequest {
    pub(crate) ticket: u64,
    pub(crate) command: Command,
}

/// What is to be done once what was put before is handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Command {
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

impl<T: Weighed> State<T> {
    pub(crate) fn new(limits: Capacity) -> Self {
        Self {
            phase: Phase::Open,
            free: limits,
            high_water: Capacity::default(),
            is_scarce: false,
            shards: Vec::new(),
            shared_next: 0,
            waiters: WaitQueue::new(),
            waits: 0,
            deadline: None,
            flush_asked: 0,
            command: Command::Barrier,
            flush_done: 0,
            flush_error: None,
            ending_error: None,
        }
    }

    /// Leases come back, and no more are given.
    pub(crate) fn revoke_credit(&mut self) {
        if !self.is_scarce {
            self.is_scarce = true;
            self.shards.iter().for_each(|shard| self.free.add(std::mem::take(&mut shard.lock().credit)));
        }
    }

    /// Nothing comes in any more, also of what waits for room.
    pub(crate) fn shut(&mut self, phase: Phase) {
        self.phase = phase;
        self.shards.iter().for_each(|shard| shard.lock().is_closed = true);
        self.free.add(self.waiters.clear());
    }

    /// Whether there would be room if all that may be was given up. (What the listener takes meanwhile cannot be.)
    pub(crate) fn could_fit(&self, bytes: usize, takes_protected: bool) -> bool {
        // Where only a place is missing, any one will do.
        self.free.bytes >= bytes || {
            let of_lane = |shard: &Arc<Shard<T>>| shard.lock().evictable_bytes(takes_protected);
            self.free.bytes + self.shards.iter().map(of_lane).sum::<usize>() >= bytes
        }
    }

    /// Takes out the oldest or the newest of all lanes.
    pub(crate) fn discard(&mut self, which: Eviction, losses: &impl LossCounter<T>) -> Option<T> {
        // The listener may be quicker; then there is room, or another one.
        for _ in 0..=self.shards.len() {
            let timed = self.shards.iter().filter_map(|shard| Some((shard.lock().eviction_time(which)?, shard)));
            let shard = match which.is_newest {
                true => timed.max_by_key(|(time, _)| *time)?.1,
                false => timed.min_by_key(|(time, _)| *time)?.1,
            };
            let victim = ShardState::discard(&mut shard.lock(), which, losses);
            if victim.is_some() {
                return victim;
            }
        }
        None
    }
}
