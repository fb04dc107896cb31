//! What one thread has put and nobody has taken yet.
//!
//! Each thread that logs has a lane of its own, so that the lock of a lane is all but always free: only the listener comes
//! by, once for many records.

use std::{collections::VecDeque, time::SystemTime};

use super::sync::{Mutex, MutexGuard, lock};

/// Something that waits in a lane.
pub(super) trait Load {
    /// What it takes in memory.
    fn bytes(&self) -> usize;
    /// Whether it is given up last.
    fn is_protected(&self) -> bool;
    fn time(&self) -> SystemTime;
}

/// Who keeps the books. Called under locks of the hand-over: no code of users.
pub(super) trait Account<T> {
    /// So many more wait.
    fn queued(&self, count: u64);
    /// One that waited does no more: it made room, or time is up.
    fn gave_up(&self, load: &T);
    /// One never came in.
    fn refused(&self, load: &T);
}

/// How much may be held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Room {
    pub(super) records: usize,
    pub(super) bytes: usize,
}

impl Room {
    pub(super) fn holds(self, bytes: usize) -> bool {
        self.records > 0 && self.bytes >= bytes
    }

    pub(super) fn add(&mut self, other: Self) {
        self.records += other.records;
        self.bytes += other.bytes;
    }

    pub(super) fn remove(&mut self, other: Self) {
        self.records -= other.records;
        self.bytes -= other.bytes;
    }

    pub(super) fn one(bytes: usize) -> Self {
        Self { records: 1, bytes }
    }
}

/// In order, with numbers that say which came first.
pub(super) type Run<T> = VecDeque<(u64, T)>;

/// What a run has room for at first.
pub(super) const RUN: usize = 64;

/// Threads on other cores look at other lanes: a lane shares no cache line (nor its neighbour, which is fetched with it).
#[repr(align(128))]
pub(super) struct Lane<T> {
    /// The number of the thread it was made for.
    owner: u64,
    state: Mutex<State<T>>,
}

pub(super) struct State<T> {
    /// Nothing comes in any more.
    pub(super) is_closed: bool,
    /// Room that was set aside for this lane, so that not every record has to ask for it.
    pub(super) lease: Room,
    plain: Run<T>,
    /// Those that are given up last.
    protected: Run<T>,
    next: u64,
    bytes: usize,
    protected_bytes: usize,
    /// How many the account has not been told of.
    untold: u64,
}

impl<T: Load> Lane<T> {
    pub(super) fn new(owner: u64, is_closed: bool) -> Self {
        let state = State {
            is_closed,
            lease: Room::default(),
            plain: Run::with_capacity(RUN),
            protected: Run::new(),
            next: 0,
            bytes: 0,
            protected_bytes: 0,
            untold: 0,
        };
        Self { owner, state: Mutex::new(state) }
    }

    pub(super) fn owner(&self) -> u64 {
        self.owner
    }

    #[inline]
    pub(super) fn lock(&self) -> MutexGuard<'_, State<T>> {
        lock(&self.state)
    }
}

impl<T: Load> State<T> {
    /// Within the lease.
    #[inline]
    pub(super) fn push(&mut self, load: T) {
        let bytes = load.bytes();
        self.lease.remove(Room::one(bytes));
        self.bytes += bytes;
        self.untold += 1;
        let number = self.next;
        self.next += 1;
        if load.is_protected() {
            self.protected_bytes += bytes;
            self.protected.push_back((number, load));
        } else {
            self.plain.push_back((number, load));
        }
    }

    pub(super) fn len(&self) -> usize {
        self.plain.len() + self.protected.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// What can be given up for others.
    pub(super) fn bytes_to_give_up(&self, with_protected: bool) -> usize {
        self.bytes - if with_protected { 0 } else { self.protected_bytes }
    }

    /// What the next one will be called.
    pub(super) fn next_number(&self) -> u64 {
        self.next
    }

    /// The first that waits; the next to come where none does.
    pub(super) fn first_number(&self) -> u64 {
        let first = |waiting: &Run<T>| waiting.front().map_or(self.next, |(number, _)| *number);
        first(&self.plain).min(first(&self.protected))
    }

    pub(super) fn oldest(&self) -> Option<SystemTime> {
        let front = |waiting: &Run<T>| waiting.front().map(|(_, load)| load.time());
        front(&self.plain).into_iter().chain(front(&self.protected)).min()
    }

    /// Before anything of it is settled, and before the books are read.
    pub(super) fn tell(&mut self, account: &impl Account<T>) {
        if self.untold > 0 {
            account.queued(std::mem::take(&mut self.untold));
        }
    }

    /// Moves the first ones out.
    pub(super) fn take(&mut self, most: usize, out: &mut Run<T>) {
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
            let Some((number, load)) = waiting.pop_front() else { break };
            self.forget(&load, !is_plain);
            out.push_back((number, load));
        }
    }

    /// When the one came that would be given up.
    pub(super) fn victim_time(&self, which: Victim) -> Option<SystemTime> {
        let waiting = if which.is_protected { &self.protected } else { &self.plain };
        let (_, load) = if which.is_newest { waiting.back() } else { waiting.front() }?;
        Some(load.time())
    }

    /// Takes out one that makes room.
    pub(super) fn give_up(&mut self, which: Victim, account: &impl Account<T>) -> Option<T> {
        let waiting = if which.is_protected { &mut self.protected } else { &mut self.plain };
        let (_, load) = if which.is_newest { waiting.pop_back() } else { waiting.pop_front() }?;
        self.forget(&load, which.is_protected);
        self.tell(account);
        account.gave_up(&load);
        Some(load)
    }

    /// It was taken out.
    fn forget(&mut self, load: &T, is_protected: bool) {
        self.bytes -= load.bytes();
        self.protected_bytes -= if is_protected { load.bytes() } else { 0 };
    }
}

/// Which record is given up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Victim {
    pub(super) is_newest: bool,
    pub(super) is_protected: bool,
}
