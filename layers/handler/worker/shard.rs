//! The items of one thread that the worker has not taken yet.
//!
//! Each thread has a shard of its own, so its lock is nearly always free: only the worker takes it, once for many
//! records.

use std::{collections::VecDeque, time::SystemTime};

use super::sync::{Mutex, MutexGuard, lock};

/// An item that counts against the capacity.
pub(crate) trait Weighed {
    /// Its size in memory.
    fn bytes(&self) -> usize;
    /// Whether it is evicted last.
    fn is_protected(&self) -> bool;
    fn time(&self) -> SystemTime;
    /// Ends it as dropped. Called under no lock: this may be user code.
    fn discard(self);
}

/// Counts lost items. Called under locks of the channel: no user code.
pub(crate) trait LossCounter<T> {
    /// It was evicted, left at the deadline, or not accepted.
    fn count_loss(&self, item: &T);
}

/// A number of records and of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Capacity {
    pub(crate) records: usize,
    pub(crate) bytes: usize,
}

impl Capacity {
    pub(crate) fn fits(self, bytes: usize) -> bool {
        self.records > 0 && self.bytes >= bytes
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.records += other.records;
        self.bytes += other.bytes;
    }

    pub(crate) fn remove(&mut self, other: Self) {
        self.records -= other.records;
        self.bytes -= other.bytes;
    }

    pub(crate) fn raise_to(&mut self, other: Self) {
        self.records = self.records.max(other.records);
        self.bytes = self.bytes.max(other.bytes);
    }

    pub(crate) fn one(bytes: usize) -> Self {
        Self { records: 1, bytes }
    }
}

/// Items in order, with numbers that say which came first.
pub(crate) type Run<T> = VecDeque<(u64, T)>;

/// The initial capacity of a run.
pub(crate) const RUN: usize = 64;

/// Shares no cache line with other shards, nor the adjacent line that the CPU fetches with it.
#[repr(align(128))]
pub(crate) struct Shard<T> {
    /// The number of the thread it was made for.
    pub(super) owner: u64,
    state: Mutex<ShardState<T>>,
}

pub(crate) struct ShardState<T> {
    pub(crate) is_closed: bool,
    /// Capacity that is reserved for this shard, so that most records need not ask for any.
    pub(crate) credit: Capacity,
    plain: Run<T>,
    protected: Run<T>,
    next: u64,
    bytes: usize,
    protected_bytes: usize,
}

impl<T: Weighed> Shard<T> {
    pub(crate) fn new(owner: u64, is_closed: bool) -> Self {
        let state = ShardState {
            is_closed,
            credit: Capacity::default(),
            plain: Run::with_capacity(RUN),
            protected: Run::new(),
            next: 0,
            bytes: 0,
            protected_bytes: 0,
        };
        Self { owner, state: Mutex::new(state) }
    }

    #[inline]
    pub(crate) fn lock(&self) -> MutexGuard<'_, ShardState<T>> {
        lock(&self.state)
    }
}

impl<T: Weighed> ShardState<T> {
    /// Adds an item, which must fit into the credit.
    #[inline]
    pub(crate) fn push(&mut self, item: T) {
        let bytes = item.bytes();
        self.credit.remove(Capacity::one(bytes));
        self.bytes += bytes;
        let number = self.next;
        self.next += 1;
        if item.is_protected() {
            self.protected_bytes += bytes;
            self.protected.push_back((number, item));
        } else {
            self.plain.push_back((number, item));
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.plain.len() + self.protected.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// How much can be evicted.
    pub(crate) fn evictable_bytes(&self, with_protected: bool) -> usize {
        self.bytes - if with_protected { 0 } else { self.protected_bytes }
    }

    /// The number of the next item.
    pub(crate) fn next_number(&self) -> u64 {
        self.next
    }

    /// The number of the first item; that of the next one where there is none.
    pub(crate) fn first_number(&self) -> u64 {
        let first = |waiting: &Run<T>| waiting.front().map_or(self.next, |(number, _)| *number);
        first(&self.plain).min(first(&self.protected))
    }

    pub(crate) fn oldest(&self) -> Option<SystemTime> {
        let front = |waiting: &Run<T>| waiting.front().map(|(_, item)| item.time());
        front(&self.plain).into_iter().chain(front(&self.protected)).min()
    }

    /// Moves up to `most` of the first items to `out`.
    pub(crate) fn take(&mut self, most: usize, out: &mut Run<T>) {
        if out.is_empty() && self.protected.is_empty() && self.plain.len() <= most {
            // The usual case, and the shortest for a caller that waits for the lock.
            std::mem::swap(&mut self.plain, out);
            self.bytes = 0;
            return;
        }
        let before = out.len();
        while out.len() - before < most {
            let first = |waiting: &Run<T>| waiting.front().map_or(u64::MAX, |(number, _)| *number);
            let is_plain = self.protected.is_empty() || first(&self.plain) < first(&self.protected);
            let waiting = if is_plain { &mut self.plain } else { &mut self.protected };
            let Some((number, item)) = waiting.pop_front() else { break };
            self.subtract(&item, !is_plain);
            out.push_back((number, item));
        }
    }

    /// The time of the item that would be evicted.
    pub(crate) fn eviction_time(&self, which: Eviction) -> Option<SystemTime> {
        let waiting = if which.is_protected { &self.protected } else { &self.plain };
        let (_, item) = if which.is_newest { waiting.back() } else { waiting.front() }?;
        Some(item.time())
    }

    /// Takes out one to make space.
    pub(crate) fn evict(&mut self, which: Eviction, losses: &impl LossCounter<T>) -> Option<T> {
        let waiting = if which.is_protected { &mut self.protected } else { &mut self.plain };
        let (_, item) = if which.is_newest { waiting.pop_back() } else { waiting.pop_front() }?;
        self.subtract(&item, which.is_protected);
        losses.count_loss(&item);
        Some(item)
    }

    /// Subtracts the size of an item that was taken out.
    fn subtract(&mut self, item: &T, is_protected: bool) {
        self.bytes -= item.bytes();
        self.protected_bytes -= if is_protected { item.bytes() } else { 0 };
    }
}

/// Which item is evicted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Eviction {
    pub(crate) is_newest: bool,
    pub(crate) is_protected: bool,
}
