//! What one thread has put and nobody has taken yet.
//!
//! Each thread that logs has a lane of its own, so that the lock of a lane is all but always free: only the listener comes
//! by, once for many records.

use std::{collections::VecDeque, time::SystemTime};

use super::sync::{Mutex, MutexGuard, lock};

/// Something that waits in a lane.
pub(crate) trait Weighed {
    /// What it takes in memory.
    fn bytes(&self) -> usize;
    /// Whether it is given up last.
    fn is_protected(&self) -> bool;
    fn time(&self) -> SystemTime;
    /// It is lost. Called under no lock: this may be code of users.
    fn discard(self);
}

/// Counts what finds no room. Called under locks of the hand-over: no code of users.
pub(crate) trait LossCounter<T> {
    /// One was lost: it made room, time is up, or it never came in.
    fn count_loss(&self, item: &T);
}

/// How much may be held.
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

    pub(crate) fn one(bytes: usize) -> Self {
        Self { records: 1, bytes }
    }
}

/// In order, with numbers that say which came first.
pub(crate) type Run<T> = VecDeque<(u64, T)>;

/// What a run has room for at first.
pub(crate) const RUN: usize = 64;

/// Threads on other cores look at other lanes: a lane shares no cache line (nor its neighbour, which is fetched with it).
#[repr(align(128))]
pub(crate) struct Shard<T> {
    /// The number of the thread it was made for.
    owner: u64,
    state: Mutex<ShardState<T>>,
}

pub(crate) struct ShardState<T> {
    /// Nothing comes in any more.
    pub(crate) is_closed: bool,
    /// Room that was set aside for this lane, so that not every record has to ask for it.
    pub(crate) credit: Capacity,
    plain: Run<T>,
    /// Those that are given up last.
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

    pub(crate) fn owner(&self) -> u64 {
        self.owner
    }

    #[inline]
    pub(crate) fn lock(&self) -> MutexGuard<'_, ShardState<T>> {
        lock(&self.state)
    }
}

impl<T: Weighed> ShardState<T> {
    /// Within the lease.
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

    /// What can be given up for others.
    pub(crate) fn evictable_bytes(&self, with_protected: bool) -> usize {
        self.bytes - if with_protected { 0 } else { self.protected_bytes }
    }

    /// What the next one will be called.
    pub(crate) fn next_number(&self) -> u64 {
        self.next
    }

    /// The first that waits; the next to come where none does.
    pub(crate) fn first_number(&self) -> u64 {
        let first = |waiting: &Run<T>| waiting.front().map_or(self.next, |(number, _)| *number);
        first(&self.plain).min(first(&self.protected))
    }

    pub(crate) fn oldest(&self) -> Option<SystemTime> {
        let front = |waiting: &Run<T>| waiting.front().map(|(_, item)| item.time());
        front(&self.plain).into_iter().chain(front(&self.protected)).min()
    }

    /// Moves the first ones out.
    pub(crate) fn take(&mut self, most: usize, out: &mut Run<T>) {
        if out.is_empty() && self.protected.is_empty() && self.plain.len() <= most {
            // All but always so: the caller is not kept waiting.
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
            self.forget(&item, !is_plain);
            out.push_back((number, item));
        }
    }

    /// When the one came that would be given up.
    pub(crate) fn eviction_time(&self, which: Eviction) -> Option<SystemTime> {
        let waiting = if which.is_protected { &self.protected } else { &self.plain };
        let (_, item) = if which.is_newest { waiting.back() } else { waiting.front() }?;
        Some(item.time())
    }

    /// Takes out one that makes room.
    pub(crate) fn discard(&mut self, which: Eviction, losses: &impl LossCounter<T>) -> Option<T> {
        let waiting = if which.is_protected { &mut self.protected } else { &mut self.plain };
        let (_, item) = if which.is_newest { waiting.pop_back() } else { waiting.pop_front() }?;
        self.forget(&item, which.is_protected);
        losses.count_loss(&item);
        Some(item)
    }

    /// It was taken out.
    fn forget(&mut self, item: &T, is_protected: bool) {
        self.bytes -= item.bytes();
        self.protected_bytes -= if is_protected { item.bytes() } else { 0 };
    }
}

/// Which record is given up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Eviction {
    pub(crate) is_newest: bool,
    pub(crate) is_protected: bool,
}
