//! The channel, as seen by the callers that put items in: a shard for each thread, and limits over all of them.
//!
//! Lock order: first the state, then a shard. As long as a caller's shard has credit, it locks nothing but that shard.

use std::{sync::Arc, time::Duration};

use super::{
    Overflow,
    notifier::Notifier,
    shard::{Capacity, Eviction, LossCounter, Shard, Weighed},
    state::{Evicted, Phase, State},
    sync::{AtomicUsize, Condvar, Mutex, MutexGuard, Ordering, Until, lock},
};

/// More threads than this share shards.
const SHARDS: usize = 64;

pub(crate) struct Channel<T> {
    pub(super) limits: Capacity,
    overflow: Overflow,
    /// How much capacity a shard gets at a time.
    credit: Capacity,
    state: Mutex<State<T>>,
    /// For blocked senders: there may be capacity, or there will be none.
    pub(super) capacity: Condvar,
    /// For those who flush or shut down.
    done: Condvar,
    pub(super) notifier: Notifier,
    /// Changes with the list of shards.
    pub(super) version: AtomicUsize,
}

/// The result of a put. Without `Accepted`, the item is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PutResult {
    Accepted,
    Full,
    /// It waited for capacity when the channel was shut down.
    Interrupted,
    /// It came after the shutdown.
    Closed,
}

impl<T: Weighed> Channel<T> {
    pub(crate) fn new(limits: Capacity, overflow: Overflow) -> Self {
        // Small queues give no credit: what is reserved for one thread may be missing for another.
        let credit = match limits.records / 256 {
            0 | 1 => Capacity { records: 1, bytes: 0 },
            records => Capacity { records: records.min(32), bytes: limits.bytes / 256 },
        };
        Self::with_credit(limits, credit, overflow)
    }

    /// The loom model chooses the credit.
    pub(crate) fn with_credit(limits: Capacity, credit: Capacity, overflow: Overflow) -> Self {
        Self {
            limits,
            overflow,
            credit,
            state: Mutex::new(State::new(limits)),
            capacity: Condvar::new(),
            done: Condvar::new(),
            notifier: Notifier::new(),
            version: AtomicUsize::new(0),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State<T>> {
        lock(&self.state)
    }

    /// Waits, unless time is up; then the state is an error.
    pub(super) fn wait_done<'a>(
        &'a self,
        until: &mut Until,
        state: MutexGuard<'a, State<T>>,
    ) -> Result<MutexGuard<'a, State<T>>, MutexGuard<'a, State<T>>> {
        until.wait(&self.state, &self.done, state)
    }

    pub(super) fn notify_done(&self) {
        self.done.notify_all();
    }

    /// Whether the channel has ended, if that can be seen without waiting: after a fork, the lock may be held by a
    /// thread of the parent.
    pub(crate) fn has_ended(&self) -> bool {
        self.state.try_lock().is_ok_and(|state| state.phase == Phase::Ended)
    }

    /// A shard for a thread to keep. `owner` is the thread's number.
    pub(crate) fn new_shard(&self, owner: u64) -> Arc<Shard<T>> {
        self.add_shard(&mut self.state(), owner)
    }

    /// A shard for a thread that can keep none (any more): the one it had, as long as that holds something, so that its
    /// order is kept.
    pub(crate) fn shard_of(&self, owner: u64) -> Arc<Shard<T>> {
        let mut state = self.state();
        let own = state.shards.iter().find(|shard| shard.owner == owner).map(Arc::clone);
        own.unwrap_or_else(|| self.add_shard(&mut state, owner))
    }

    fn add_shard(&self, state: &mut State<T>, owner: u64) -> Arc<Shard<T>> {
        if state.shards.len() < SHARDS {
            let shard = Arc::new(Shard::new(owner, state.phase != Phase::Open));
            state.shards.push(Arc::clone(&shard));
            self.version.fetch_add(1, Ordering::Release);
            return shard;
        }
        state.shared_next += 1;
        Arc::clone(&state.shards[state.shared_next % SHARDS])
    }

    /// Puts an item in, if it fits or can be made to fit.
    #[inline]
    pub(crate) fn put(&self, shard: &Shard<T>, item: T, losses: &impl LossCounter<T>) -> PutResult {
        let is_urgent = item.is_protected();
        let mut queue = shard.lock();
        if !queue.is_closed && queue.credit.fits(item.bytes()) {
            queue.push(item);
            drop(queue);
        } else {
            drop(queue);
            let result = self.put_slowly(shard, item, losses);
            if result != PutResult::Accepted {
                return result;
            }
        }
        self.notifier.notify_lazy(is_urgent);
        PutResult::Accepted
    }

    #[cold]
    fn put_slowly(&self, shard: &Shard<T>, item: T, losses: &impl LossCounter<T>) -> PutResult {
        let bytes = item.bytes();
        let mut state = self.state();
        let mut acquired = None;
        let mut evicted = Evicted::default();
        let was_closed = state.phase != Phase::Open;
        if bytes <= self.limits.bytes && !was_closed {
            acquired = self.try_acquire(&mut state, bytes);
            if acquired.is_none() {
                match self.overflow {
                    Overflow::Block { deadline } => {
                        (state, acquired) = self.wait_for_capacity(state, &item, deadline, losses, &mut evicted);
                    }
                    Overflow::DropNewest => acquired = self.evict_for(&mut state, &item, true, losses, &mut evicted),
                    Overflow::DropOldest => acquired = self.evict_for(&mut state, &item, false, losses, &mut evicted),
                }
            }
        }
        let Some(acquired) = acquired else {
            let is_closed = state.phase != Phase::Open;
            drop(state);
            losses.count_loss(&item);
            item.discard();
            return match (was_closed, is_closed) {
                (true, _) => PutResult::Closed,
                (false, true) => PutResult::Interrupted,
                (false, false) => PutResult::Full,
            };
        };
        // While the state is locked, nobody closes the shard.
        let mut queue = shard.lock();
        queue.credit.add(acquired);
        queue.push(item);
        drop(queue);
        let is_half_full = state.free.records <= self.limits.records / 2 || state.free.bytes <= self.limits.bytes / 2;
        drop(state);
        evicted.for_each(T::discard);
        if is_half_full {
            self.notifier.notify_lazy(true);
        }
        PutResult::Accepted
    }

    /// Capacity for one item, and credit where there is plenty. Nobody gets any before the waiting senders.
    fn try_acquire(&self, state: &mut State<T>, bytes: usize) -> Option<Capacity> {
        if state.waiters.has_ungranted() {
            return None;
        }
        if !state.free.fits(bytes) {
            state.revoke_credit();
        }
        self.acquire_free(state, bytes)
    }

    fn acquire_free(&self, state: &mut State<T>, bytes: usize) -> Option<Capacity> {
        state.free.fits(bytes).then(|| {
            state.free.remove(Capacity::one(bytes));
            self.with_more_credit(state, bytes)
        })
    }

    /// Capacity for one item, which was acquired, and credit where there is plenty.
    fn with_more_credit(&self, state: &mut State<T>, bytes: usize) -> Capacity {
        let mut acquired = Capacity::one(bytes);
        if !state.is_scarce {
            let more = Capacity {
                records: (self.credit.records - 1).min(state.free.records),
                bytes: self.credit.bytes.saturating_sub(bytes).min(state.free.bytes),
            };
            state.free.remove(more);
            acquired.add(more);
        }
        if state.is_scarce || self.credit.records == 1 {
            // Without credit, all that is not free is held. With credit, the receiver sees how much it finds.
            let mut held = self.limits;
            held.remove(state.free);
            state.high_water.raise_to(held);
        }
        acquired
    }

    /// Evicts other items, where that is allowed and helps.
    fn evict_for(
        &self,
        state: &mut State<T>,
        item: &T,
        is_newest: bool,
        losses: &impl LossCounter<T>,
        evicted: &mut Evicted<T>,
    ) -> Option<Capacity> {
        let bytes = item.bytes();
        // A new item makes way for older ones, but a protected one does not for plain ones.
        let takes_plain = !is_newest || item.is_protected();
        let takes_protected = !is_newest && item.is_protected();
        if takes_plain && state.could_fit(bytes, takes_protected) {
            while !state.free.fits(bytes) {
                let mut evict = |is_protected| state.evict(Eviction { is_newest, is_protected }, losses);
                let Some(victim) = evict(false).or_else(|| takes_protected.then(|| evict(true))?) else { break };
                state.free.add(Capacity::one(victim.bytes()));
                evicted.push(victim);
            }
        }
        self.acquire_free(state, bytes)
    }

    fn wait_for_capacity<'a>(
        &'a self,
        mut state: MutexGuard<'a, State<T>>,
        item: &T,
        timeout: Option<Duration>,
        losses: &impl LossCounter<T>,
        evicted: &mut Evicted<T>,
    ) -> (MutexGuard<'a, State<T>>, Option<Capacity>) {
        let bytes = item.bytes();
        let mut until = timeout.map_or(Until::NEVER, Until::after);
        state.blocked_sends += 1;
        let ticket = state.waiters.join(bytes);
        self.notifier.notify_lazy(true);
        loop {
            let is_timeout;
            (state, is_timeout) = match until.wait(&self.state, &self.capacity, state) {
                Ok(state) => (state, false),
                Err(state) => (state, true),
            };
            if state.phase != Phase::Open {
                return (state, None);
            }
            if state.waiters.is_granted(ticket) {
                state.waiters.leave(ticket);
                let acquired = self.with_more_credit(&mut state, bytes);
                return (state, Some(acquired));
            }
            if is_timeout {
                state.waiters.leave(ticket);
                // After the timeout, a protected item takes the place of a plain one.
                let acquired = self.evict_for(&mut state, item, true, losses, evicted);
                let State { waiters, free, .. } = &mut *state;
                if waiters.grant(free) {
                    // It stood in front of them in the queue.
                    self.capacity.notify_all();
                }
                return (state, acquired);
            }
        }
    }
}
