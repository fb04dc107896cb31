//! Free capacity, and the commands to the worker: behind one lock.

use std::{sync::Arc, time::Instant};

use super::{
    shard::{Capacity, Eviction, LossCounter, Shard, Weighed},
    wait_queue::WaitQueue,
};

/// Evicted items, mostly one: then no list is allocated under a lock.
pub(crate) struct Evicted<T>(Option<T>, Vec<T>);

impl<T> Default for Evicted<T> {
    fn default() -> Self {
        Self(None, Vec::new())
    }
}

impl<T> Evicted<T> {
    pub(crate) fn push(&mut self, item: T) {
        match &mut self.0 {
            first @ None => *first = Some(item),
            Some(_) => self.1.push(item),
        }
    }

    /// Passes each to `discard`. Not under a lock.
    pub(crate) fn for_each(self, discard: impl FnMut(T)) {
        self.0.into_iter().chain(self.1).for_each(discard);
    }
}

pub(crate) struct State<T> {
    pub(crate) phase: Phase,
    pub(crate) free: Capacity,
    /// The most that was held while that was known exactly.
    pub(crate) high_water: Capacity,
    /// Capacity ran out a short while ago: shards get no credit, so that all of it can be used. Always true while a
    /// sender waits.
    pub(crate) is_scarce: bool,
    pub(crate) shards: Vec<Arc<Shard<T>>>,
    /// The next shard to be shared, once there are [`SHARDS`](super::channel).
    pub(crate) shared_next: usize,
    /// Senders that wait for capacity.
    pub(crate) waiters: WaitQueue,
    pub(crate) blocked_sends: u64,
    /// The deadline of a shutdown.
    pub(crate) deadline: Option<Instant>,
    pub(crate) flush_requested: u64,
    /// The strongest that was requested.
    pub(crate) command: Command,
    pub(crate) flush_done: u64,
    pub(crate) flush_error: Option<String>,
    /// The error of the last flush before the end.
    pub(crate) final_error: Option<String>,
}

/// A flush to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FlushRequest {
    pub(crate) ticket: u64,
    pub(crate) command: Command,
}

/// What to do once all earlier items are handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Command {
    /// Nothing.
    Barrier,
    /// Flush the handler.
    Flush,
    /// Flush it, perhaps for the last time.
    Last,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Open,
    /// Waiting items are still handled; no new ones are accepted.
    Closing,
    /// The deadline has passed: the worker stops after the record at hand.
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
            blocked_sends: 0,
            deadline: None,
            flush_requested: 0,
            command: Command::Barrier,
            flush_done: 0,
            flush_error: None,
            final_error: None,
        }
    }

    /// Takes all credit back, and gives no more.
    pub(crate) fn revoke_credit(&mut self) {
        if !self.is_scarce {
            self.is_scarce = true;
            self.shards.iter().for_each(|shard| self.free.add(std::mem::take(&mut shard.lock().credit)));
        }
    }

    /// Accepts no more items, not even those of waiting senders.
    pub(crate) fn close(&mut self, phase: Phase) {
        self.phase = phase;
        self.shards.iter().for_each(|shard| shard.lock().is_closed = true);
        self.free.add(self.waiters.clear());
    }

    /// Whether an item would fit if all that may be evicted was. (What the worker takes meanwhile cannot be.)
    pub(crate) fn could_fit(&self, bytes: usize, takes_protected: bool) -> bool {
        // Where only the number of records is missing, any one will do.
        self.free.bytes >= bytes || {
            let evictable = |shard: &Arc<Shard<T>>| shard.lock().evictable_bytes(takes_protected);
            self.free.bytes + self.shards.iter().map(evictable).sum::<usize>() >= bytes
        }
    }

    /// Takes out the oldest or the newest of all shards.
    pub(crate) fn evict(&mut self, which: Eviction, losses: &impl LossCounter<T>) -> Option<T> {
        // The worker may be faster; then there is capacity, or another one.
        for _ in 0..=self.shards.len() {
            let timed = self.shards.iter().filter_map(|shard| Some((shard.lock().eviction_time(which)?, shard)));
            let (_, shard) = match which.is_newest {
                true => timed.max_by_key(|(time, _)| *time)?,
                false => timed.min_by_key(|(time, _)| *time)?,
            };
            let victim = shard.lock().evict(which, losses);
            if victim.is_some() {
                return victim;
            }
        }
        None
    }
}
