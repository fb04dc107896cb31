//! The hand-over: lanes, the limits over all of them, and who waits for what.
//!
//! Locks are taken in this order: the budget, then a lane. Callers lock their own lane and nothing else, as long as it has
//! a lease.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use super::{
    Overflow,
    notifier::Notifier,
    shard::{Capacity, Eviction, LossCounter, Shard, Weighed},
    state::{Command, Evicted, FlushRequest, Phase, State},
    sync::{AtomicUsize, Condvar, Mutex, MutexGuard, Ordering, Until, lock},
};

/// More threads than this share lanes.
const SHARDS: usize = 64;

pub(crate) struct Channel<T> {
    limits: Capacity,
    overflow: Overflow,
    /// What a lane gets at once.
    credit: Capacity,
    state: Mutex<State<T>>,
    /// For callers: there may be room, or no hope of it.
    room: Condvar,
    /// For those who flush or shut down.
    done: Condvar,
    notifier: Notifier,
    /// Changes with the list of lanes.
    version: AtomicUsize,
}

/// What became of something that was put. It is lost unless it is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PutResult {
    Accepted,
    Full,
    /// It waited for room when the queue was shut down.
    Interrupted,
    /// It came after the shutdown.
    Closed,
}

/// What became of a wait.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum WaitResult {
    Done,
    /// The handler's own flush failed, and why.
    Failed(String),
    /// So many were left when time was up.
    Left(usize),
}

impl<T: Weighed> Channel<T> {
    pub(crate) fn new(limits: Capacity, overflow: Overflow) -> Self {
        // Small queues lease nothing: what one thread has set aside, another may want.
        let credit = match limits.records / 256 {
            0 | 1 => Capacity { records: 1, bytes: 0 },
            records => Capacity { records: records.min(32), bytes: limits.bytes / 256 },
        };
        Self::with_credit(limits, credit, overflow)
    }

    /// The model chooses what a lane gets at once.
    pub(crate) fn with_credit(limits: Capacity, credit: Capacity, overflow: Overflow) -> Self {
        Self {
            limits,
            overflow,
            credit,
            state: Mutex::new(State::new(limits)),
            room: Condvar::new(),
            done: Condvar::new(),
            notifier: Notifier::new(),
            version: AtomicUsize::new(0),
        }
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        lock(&self.state)
    }

    // --- callers

    /// A lane for a thread, to be kept. `owner` is the thread's number.
    pub(crate) fn new_shard(&self, owner: u64) -> Arc<Shard<T>> {
        Self::add_shard(&mut self.state(), &self.version, owner)
    }

    /// A lane for a thread that cannot keep one (any more): the one it had, so that its order is kept. What was in that is
    /// handled where it is gone.
    pub(crate) fn shard_of(&self, owner: u64) -> Arc<Shard<T>> {
        let mut state = self.state();
        let own = state.shards.iter().find(|shard| shard.owner() == owner).map(Arc::clone);
        own.unwrap_or_else(|| Self::add_shard(&mut state, &self.version, owner))
    }

    fn add_shard(state: &mut State<T>, version: &AtomicUsize, owner: u64) -> Arc<Shard<T>> {
        if state.shards.len() < SHARDS {
            let shard = Arc::new(Shard::new(owner, state.phase != Phase::Open));
            state.shards.push(Arc::clone(&shard));
            version.fetch_add(1, Ordering::Release);
            return shard;
        }
        state.shared_next += 1;
        Arc::clone(&state.shards[state.shared_next % SHARDS])
    }

    /// Puts something in, if there is or can be made room.
    #[inline]
    pub(crate) fn put(&self, shard: &Shard<T>, item: T, losses: &impl LossCounter<T>) -> PutResult {
        let is_urgent = item.is_protected();
        let mut state = shard.lock();
        if !state.is_closed && state.credit.fits(item.bytes()) {
            state.push(item);
            drop(state);
        } else {
            drop(state);
            let put = self.put_slowly(shard, item, losses);
            if put != PutResult::Accepted {
                return put;
            }
        }
        self.notifier.notify_lazy(is_urgent);
        PutResult::Accepted
    }

    #[cold]
    fn put_slowly(&self, shard: &Shard<T>, item: T, losses: &impl LossCounter<T>) -> PutResult {
        let bytes = item.bytes();
        let mut state = self.state();
        let may_come_in = bytes <= self.limits.bytes;
        let mut granted = None;
        let mut evicted = (None, Vec::new());
        let is_late = state.phase != Phase::Open;
        if may_come_in && !is_late {
            granted = self.try_acquire(&mut state, bytes);
            if granted.is_none() {
                match self.overflow {
                    Overflow::Block { deadline } => {
                        (state, granted, evicted) = self.wait_for_capacity(state, &item, deadline, losses);
                    }
                    Overflow::DropNewest => (granted, evicted) = self.evict_for(&mut state, &item, true, losses),
                    Overflow::DropOldest => (granted, evicted) = self.evict_for(&mut state, &item, false, losses),
                }
            }
        }
        let Some(room) = granted else {
            let is_over = state.phase != Phase::Open;
            drop(state);
            losses.count_loss(&item);
            item.discard();
            return match (is_late, is_over) {
                (true, _) => PutResult::Closed,
                (false, true) => PutResult::Interrupted,
                (false, false) => PutResult::Full,
            };
        };
        // While the budget is locked, nobody closes the lane.
        self.push(shard, room, item);
        let is_half_full = state.free.records <= self.limits.records / 2 || state.free.bytes <= self.limits.bytes / 2;
        drop(state);
        // Outside of all locks.
        let (first, more) = evicted;
        first.into_iter().chain(more).for_each(T::discard);
        if is_half_full {
            self.notifier.notify_lazy(true);
        }
        PutResult::Accepted
    }

    fn push(&self, shard: &Shard<T>, room: Capacity, item: T) {
        let mut state = shard.lock();
        state.credit.add(room);
        state.push(item);
    }

    /// Room for one, and more where there is plenty. Nobody gets any before those who wait for it.
    fn try_acquire(&self, state: &mut State<T>, bytes: usize) -> Option<Capacity> {
        if state.waiters.has_ungranted() {
            return None;
        }
        if !state.free.fits(bytes) {
            state.revoke_credit();
        }
        state.free.fits(bytes).then(|| self.acquire(state, bytes))
    }

    /// Of what is free.
    fn acquire(&self, state: &mut State<T>, bytes: usize) -> Capacity {
        state.free.remove(Capacity::one(bytes));
        self.add_credit(state, bytes)
    }

    /// Room for one was taken: that, and more where there is plenty.
    fn add_credit(&self, state: &mut State<T>, bytes: usize) -> Capacity {
        let mut room = Capacity::one(bytes);
        if !state.is_scarce {
            let more = Capacity {
                records: (self.credit.records - 1).min(state.free.records),
                bytes: self.credit.bytes.saturating_sub(bytes).min(state.free.bytes),
            };
            state.free.remove(more);
            room.add(more);
        }
        if state.is_scarce || self.credit.records == 1 {
            // Nothing is leased: all that is not free is held. Else the listener sees how much it finds.
            let high_water = &mut state.high_water;
            high_water.records = high_water.records.max(self.limits.records - state.free.records);
            high_water.bytes = high_water.bytes.max(self.limits.bytes - state.free.bytes);
        }
        room
    }

    /// Gives up others, as far as that is allowed and helps.
    fn evict_for(
        &self,
        state: &mut State<T>,
        item: &T,
        is_newest: bool,
        losses: &impl LossCounter<T>,
    ) -> (Option<Capacity>, Evicted<T>) {
        let bytes = item.bytes();
        let mut evicted = (None, Vec::new());
        // One that comes makes way for those that were there, but a protected one does not for plain ones.
        let takes_plain = !is_newest || item.is_protected();
        let takes_protected = !is_newest && item.is_protected();
        if takes_plain && state.could_fit(bytes, takes_protected) {
            while !state.free.fits(bytes) {
                let plain = state.discard(Eviction { is_newest, is_protected: false }, losses);
                let victim = match plain {
                    None if takes_protected => state.discard(Eviction { is_newest, is_protected: true }, losses),
                    victim => victim,
                };
                let Some(victim) = victim else { break };
                state.free.add(Capacity::one(victim.bytes()));
                match &mut evicted {
                    (first @ None, _) => *first = Some(victim),
                    (_, more) => more.push(victim),
                }
            }
        }
        (state.free.fits(bytes).then(|| self.acquire(state, bytes)), evicted)
    }

    fn wait_for_capacity<'a>(
        &'a self,
        mut state: MutexGuard<'a, State<T>>,
        item: &T,
        deadline: Option<Duration>,
        losses: &impl LossCounter<T>,
    ) -> (MutexGuard<'a, State<T>>, Option<Capacity>, Evicted<T>) {
        let bytes = item.bytes();
        let mut until = deadline.map_or(Until::NEVER, Until::after);
        state.waits += 1;
        let turn = state.waiters.join(bytes);
        self.notifier.notify_lazy(true);
        loop {
            let is_over;
            (state, is_over) = match until.wait(&self.state, &self.room, state) {
                Ok(state) => (state, false),
                Err(state) => (state, true),
            };
            if state.phase != Phase::Open {
                return (state, None, (None, Vec::new()));
            }
            if state.waiters.is_granted(turn) {
                state.waiters.leave(turn);
                let room = self.add_credit(&mut state, bytes);
                return (state, Some(room), (None, Vec::new()));
            }
            if is_over {
                state.waiters.leave(turn);
                // At the end of its patience, a protected one takes the place of a plain one.
                let (granted, evicted) = self.evict_for(&mut state, item, true, losses);
                let State { waiters, free, .. } = &mut *state;
                if waiters.grant(free) {
                    // It stood before them.
                    self.room.notify_all();
                }
                return (state, granted, evicted);
            }
        }
    }

    // --- those who flush and shut down

    /// Waits until everything that was put before is handled and the handler was flushed.
    #[cfg_attr(not(strata_loom), allow(dead_code))]
    pub(crate) fn flush(&self, command: Command, deadline: Duration) -> WaitResult {
        let ticket = self.ask(command);
        self.wait_for_flush(ticket, deadline)
    }

    /// Asks for a flush, and gives its number.
    pub(crate) fn ask(&self, command: Command) -> u64 {
        let mut state = self.state();
        state.flush_asked += 1;
        state.command = state.command.max(command);
        let ticket = state.flush_asked;
        self.notifier.notify();
        ticket
    }

    /// Waits for a flush that was asked for.
    pub(crate) fn wait_for_flush(&self, ticket: u64, deadline: Duration) -> WaitResult {
        let mut until = Until::after(deadline);
        let mut state = self.state();
        while state.flush_done < ticket {
            match state.phase {
                Phase::Ended => return WaitResult::Done,
                Phase::Abandoned => return WaitResult::Left(self.held(&state).records),
                Phase::Open | Phase::Closing => {}
            }
            match until.wait(&self.state, &self.done, state) {
                Ok(again) => state = again,
                Err(state) => return WaitResult::Left(self.held(&state).records),
            }
        }
        state.flush_error.clone().map_or(WaitResult::Done, WaitResult::Failed)
    }

    /// Takes nothing any more, and waits until what waits is handled. What is left when time is up is given up.
    pub(crate) fn shut_down(&self, deadline: Duration, losses: &impl LossCounter<T>) -> WaitResult {
        let mut until = Until::after(deadline);
        self.close(None);
        let mut state = self.state();
        while state.phase != Phase::Ended {
            match until.wait(&self.state, &self.done, state) {
                Ok(again) => state = again,
                Err(state) => return self.abandon(state, losses),
            }
        }
        WaitResult::Done
    }

    /// Takes nothing any more. At the deadline the worker gives up by itself what it has.
    pub(crate) fn close(&self, deadline: Option<Duration>) {
        let mut state = self.state();
        let at = deadline.and_then(|deadline| Instant::now().checked_add(deadline));
        state.deadline = [state.deadline, at].into_iter().flatten().min();
        if state.phase == Phase::Open {
            state.shut(Phase::Closing);
        }
        drop(state);
        self.notifier.notify();
        self.room.notify_all();
    }

    fn abandon(&self, mut state: MutexGuard<'_, State<T>>, losses: &impl LossCounter<T>) -> WaitResult {
        if state.phase == Phase::Ended {
            return WaitResult::Done;
        }
        state.phase = Phase::Abandoned;
        self.notifier.notify();
        let left = self.held(&state).records;
        let discarded = self.discard_all(&mut state, losses);
        drop(state);
        discarded.into_iter().for_each(T::discard);
        WaitResult::Left(left)
    }

    fn discard_all(&self, state: &mut State<T>, losses: &impl LossCounter<T>) -> Vec<T> {
        let mut all = Vec::new();
        for shard in &state.shards {
            let mut shard = shard.lock();
            for is_protected in [false, true] {
                let victim = Eviction { is_newest: false, is_protected };
                all.extend(std::iter::from_fn(|| shard.discard(victim, losses)));
            }
        }
        all.iter().for_each(|item| state.free.add(Capacity::one(item.bytes())));
        all
    }

    // --- those who look on

    /// What waits or is in the listener's hands.
    fn held(&self, state: &State<T>) -> Capacity {
        let mut held = self.limits;
        held.remove(state.free);
        held.remove(state.waiters.reserved());
        state.shards.iter().for_each(|shard| held.remove(shard.lock().credit));
        held
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        let state = self.state();
        let oldest = state.shards.iter().filter_map(|shard| shard.lock().oldest()).min();
        Snapshot { held: self.held(&state), high_water: state.high_water, oldest, waits: state.waits }
    }

    /// How many wait for whom there is no room yet.
    #[cfg(test)]
    pub(crate) fn ungranted(&self) -> usize {
        self.state().waiters.ungranted()
    }

    /// Whether the listener is gone, and why the handler's last flush failed.
    pub(crate) fn ending(&self) -> (bool, Option<String>) {
        let state = self.state();
        (state.phase == Phase::Ended, state.ending_error.clone())
    }

    /// Whether it has, as far as that can be seen without waiting: after a fork, a thread that is not there may have had the
    /// lock of the parent's.
    pub(crate) fn has_ended(&self) -> bool {
        self.state.try_lock().is_ok_and(|state| state.phase == Phase::Ended)
    }

    // --- the listener

    pub(crate) fn notifier(&self) -> &Notifier {
        &self.notifier
    }

    pub(crate) fn version(&self) -> usize {
        self.version.load(Ordering::Acquire)
    }

    /// The lanes as they are now, without those whose threads have gone and left nothing. `seen` is what the listener had
    /// of this list.
    pub(crate) fn shards(&self, seen: &mut Vec<Arc<Shard<T>>>) {
        seen.clear();
        let mut state = self.state();
        let State { shards, free, .. } = &mut *state;
        shards.retain(|shard| {
            if Arc::strong_count(shard) > 1 {
                return true;
            }
            let mut state = shard.lock();
            let is_empty = state.len() == 0;
            if is_empty {
                free.add(std::mem::take(&mut state.credit));
            }
            !is_empty
        });
        seen.extend(shards.iter().map(Arc::clone));
    }

    /// When nothing is tried any more, if a shutdown was asked for.
    #[cfg(feature = "otlp")]
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.state().deadline
    }

    /// Whether to go on, and the flush that was asked for last, if it is not done.
    pub(crate) fn commands(&self) -> (Phase, Option<FlushRequest>) {
        let state = self.state();
        let request = FlushRequest { ticket: state.flush_asked, command: state.command };
        (state.phase, (state.flush_done < state.flush_asked).then_some(request))
    }

    pub(crate) fn flushed(&self, ticket: u64, error: Option<String>) {
        let mut state = self.state();
        state.flush_done = ticket;
        if ticket == state.flush_asked {
            state.command = Command::Barrier;
        }
        state.flush_error = error;
        drop(state);
        self.done.notify_all();
    }

    /// What was handled makes room. Says whether to go on.
    ///
    /// Callers that wait are woken when there is room for many, as each wake costs more than many records do; where the
    /// handler `is_slow`, for each.
    pub(crate) fn release(&self, room: Capacity, is_slow: bool) -> bool {
        let mut state = self.state();
        state.free.add(room);
        let (free, limits) = (state.free, self.limits);
        let is_roomy = free.records >= limits.records / 4 && free.bytes >= limits.bytes / 4;
        let State { waiters, free, .. } = &mut *state;
        let has_served = (is_roomy || is_slow) && waiters.grant(free);
        // While somebody waits, nothing is leased: it may be what is missing.
        state.is_scarce &= !is_roomy || state.waiters.has_ungranted();
        let goes_on = state.phase != Phase::Abandoned;
        drop(state);
        if has_served {
            self.room.notify_all();
        }
        goes_on
    }

    /// Nobody waits for a listener that is gone. The handler's last flush may have failed.
    pub(crate) fn end(&self, error: Option<String>, losses: &impl LossCounter<T>) {
        let mut state = self.state();
        state.shut(Phase::Ended);
        state.ending_error = error;
        let discarded = self.discard_all(&mut state, losses);
        drop(state);
        discarded.into_iter().for_each(T::discard);
        self.done.notify_all();
        self.room.notify_all();
    }
}

/// A reading.
pub(crate) struct Snapshot {
    pub(crate) held: Capacity,
    pub(crate) high_water: Capacity,
    pub(crate) oldest: Option<SystemTime>,
    pub(crate) waits: u64,
}
