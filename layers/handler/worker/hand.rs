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
    bell::Bell,
    budget::{Budget, Phase, Victims, Wanted, Wish},
    lane::{Lane, Load, Losses, Room, Victim},
    sync::{AtomicUsize, Condvar, Mutex, MutexGuard, Ordering, Until, lock},
};

/// More threads than this share lanes.
const LANES: usize = 64;

pub(crate) struct Hand<T> {
    limits: Room,
    overflow: Overflow,
    /// What a lane gets at once.
    lease: Room,
    budget: Mutex<Budget<T>>,
    /// For callers: there may be room, or no hope of it.
    room: Condvar,
    /// For those who flush or shut down.
    done: Condvar,
    bell: Bell,
    /// Changes with the list of lanes.
    version: AtomicUsize,
}

/// What became of something that was put. It is lost unless it is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Put {
    In,
    NoRoom,
    /// It waited for room when the queue was shut down.
    Overtaken,
    /// It came after the shutdown.
    Late,
}

/// What became of a wait.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Waited {
    Done,
    /// The handler's own flush failed, and why.
    Failed(String),
    /// So many were left when time was up.
    Left(usize),
}

impl<T: Load> Hand<T> {
    pub(crate) fn new(limits: Room, overflow: Overflow) -> Self {
        // Small queues lease nothing: what one thread has set aside, another may want.
        let lease = match limits.records / 256 {
            0 | 1 => Room { records: 1, bytes: 0 },
            records => Room { records: records.min(32), bytes: limits.bytes / 256 },
        };
        Self::with_lease(limits, lease, overflow)
    }

    /// The model chooses what a lane gets at once.
    pub(crate) fn with_lease(limits: Room, lease: Room, overflow: Overflow) -> Self {
        Self {
            limits,
            overflow,
            lease,
            budget: Mutex::new(Budget::new(limits)),
            room: Condvar::new(),
            done: Condvar::new(),
            bell: Bell::new(),
            version: AtomicUsize::new(0),
        }
    }

    fn budget(&self) -> MutexGuard<'_, Budget<T>> {
        lock(&self.budget)
    }

    // --- callers

    /// A lane for a thread, to be kept. `owner` is the thread's number.
    pub(crate) fn lane(&self, owner: u64) -> Arc<Lane<T>> {
        Self::new_lane(&mut self.budget(), &self.version, owner)
    }

    /// A lane for a thread that cannot keep one (any more): the one it had, so that its order is kept. What was in that is
    /// handled where it is gone.
    pub(crate) fn lane_of(&self, owner: u64) -> Arc<Lane<T>> {
        let mut budget = self.budget();
        let own = budget.lanes.iter().find(|lane| lane.owner() == owner).map(Arc::clone);
        own.unwrap_or_else(|| Self::new_lane(&mut budget, &self.version, owner))
    }

    fn new_lane(budget: &mut Budget<T>, version: &AtomicUsize, owner: u64) -> Arc<Lane<T>> {
        if budget.lanes.len() < LANES {
            let lane = Arc::new(Lane::new(owner, budget.phase != Phase::Open));
            budget.lanes.push(Arc::clone(&lane));
            version.fetch_add(1, Ordering::Release);
            return lane;
        }
        budget.shared_next += 1;
        Arc::clone(&budget.lanes[budget.shared_next % LANES])
    }

    /// Puts something in, if there is or can be made room.
    #[inline]
    pub(crate) fn put(&self, lane: &Lane<T>, load: T, losses: &impl Losses<T>) -> Put {
        let is_urgent = load.is_protected();
        let mut state = lane.lock();
        if !state.is_closed && state.lease.holds(load.bytes()) {
            state.push(load);
            drop(state);
        } else {
            drop(state);
            let put = self.put_slowly(lane, load, losses);
            if put != Put::In {
                return put;
            }
        }
        self.bell.nudge(is_urgent);
        Put::In
    }

    #[cold]
    fn put_slowly(&self, lane: &Lane<T>, load: T, losses: &impl Losses<T>) -> Put {
        let bytes = load.bytes();
        let mut budget = self.budget();
        let may_come_in = bytes <= self.limits.bytes;
        let mut granted = None;
        let mut victims = (None, Vec::new());
        let is_late = budget.phase != Phase::Open;
        if may_come_in && !is_late {
            granted = self.grant(&mut budget, bytes);
            if granted.is_none() {
                match self.overflow {
                    Overflow::Block { deadline } => {
                        (budget, granted, victims) = self.wait_for_room(budget, &load, deadline, losses);
                    }
                    Overflow::DropNewest => (granted, victims) = self.make_room(&mut budget, &load, true, losses),
                    Overflow::DropOldest => (granted, victims) = self.make_room(&mut budget, &load, false, losses),
                }
            }
        }
        let Some(room) = granted else {
            let is_over = budget.phase != Phase::Open;
            drop(budget);
            losses.lose(&load);
            load.give_up();
            return match (is_late, is_over) {
                (true, _) => Put::Late,
                (false, true) => Put::Overtaken,
                (false, false) => Put::NoRoom,
            };
        };
        // While the budget is locked, nobody closes the lane.
        self.push(lane, room, load);
        let is_half_full = budget.free.records <= self.limits.records / 2 || budget.free.bytes <= self.limits.bytes / 2;
        drop(budget);
        // Outside of all locks.
        let (first, more) = victims;
        first.into_iter().chain(more).for_each(T::give_up);
        if is_half_full {
            self.bell.nudge(true);
        }
        Put::In
    }

    fn push(&self, lane: &Lane<T>, room: Room, load: T) {
        let mut state = lane.lock();
        state.lease.add(room);
        state.push(load);
    }

    /// Room for one, and more where there is plenty. Nobody gets any before those who wait for it.
    fn grant(&self, budget: &mut Budget<T>, bytes: usize) -> Option<Room> {
        if budget.turns.is_any_unserved() {
            return None;
        }
        if !budget.free.holds(bytes) {
            budget.tighten();
        }
        budget.free.holds(bytes).then(|| self.take_room(budget, bytes))
    }

    /// Of what is free.
    fn take_room(&self, budget: &mut Budget<T>, bytes: usize) -> Room {
        budget.free.remove(Room::one(bytes));
        self.add_lease(budget, bytes)
    }

    /// Room for one was taken: that, and more where there is plenty.
    fn add_lease(&self, budget: &mut Budget<T>, bytes: usize) -> Room {
        let mut room = Room::one(bytes);
        if !budget.is_tight {
            let more = Room {
                records: (self.lease.records - 1).min(budget.free.records),
                bytes: self.lease.bytes.saturating_sub(bytes).min(budget.free.bytes),
            };
            budget.free.remove(more);
            room.add(more);
        }
        if budget.is_tight || self.lease.records == 1 {
            // Nothing is leased: all that is not free is held. Else the listener sees how much it finds.
            let high_water = &mut budget.high_water;
            high_water.records = high_water.records.max(self.limits.records - budget.free.records);
            high_water.bytes = high_water.bytes.max(self.limits.bytes - budget.free.bytes);
        }
        room
    }

    /// Gives up others, as far as that is allowed and helps.
    fn make_room(
        &self,
        budget: &mut Budget<T>,
        load: &T,
        is_newest: bool,
        losses: &impl Losses<T>,
    ) -> (Option<Room>, Victims<T>) {
        let bytes = load.bytes();
        let mut victims = (None, Vec::new());
        // One that comes makes way for those that were there, but a protected one does not for plain ones.
        let takes_plain = !is_newest || load.is_protected();
        let takes_protected = !is_newest && load.is_protected();
        if takes_plain && budget.could_hold(bytes, takes_protected) {
            while !budget.free.holds(bytes) {
                let plain = budget.give_up(Victim { is_newest, is_protected: false }, losses);
                let victim = match plain {
                    None if takes_protected => budget.give_up(Victim { is_newest, is_protected: true }, losses),
                    victim => victim,
                };
                let Some(victim) = victim else { break };
                budget.free.add(Room::one(victim.bytes()));
                match &mut victims {
                    (first @ None, _) => *first = Some(victim),
                    (_, more) => more.push(victim),
                }
            }
        }
        (budget.free.holds(bytes).then(|| self.take_room(budget, bytes)), victims)
    }

    fn wait_for_room<'a>(
        &'a self,
        mut budget: MutexGuard<'a, Budget<T>>,
        load: &T,
        deadline: Option<Duration>,
        losses: &impl Losses<T>,
    ) -> (MutexGuard<'a, Budget<T>>, Option<Room>, Victims<T>) {
        let bytes = load.bytes();
        let mut until = deadline.map_or(Until::NEVER, Until::after);
        budget.waits += 1;
        let turn = budget.turns.join(bytes);
        self.bell.nudge(true);
        loop {
            let is_over;
            (budget, is_over) = match until.wait(&self.budget, &self.room, budget) {
                Ok(budget) => (budget, false),
                Err(budget) => (budget, true),
            };
            if budget.phase != Phase::Open {
                return (budget, None, (None, Vec::new()));
            }
            if budget.turns.is_served(turn) {
                budget.turns.leave(turn);
                let room = self.add_lease(&mut budget, bytes);
                return (budget, Some(room), (None, Vec::new()));
            }
            if is_over {
                budget.turns.leave(turn);
                // At the end of its patience, a protected one takes the place of a plain one.
                let (granted, victims) = self.make_room(&mut budget, load, true, losses);
                let Budget { turns, free, .. } = &mut *budget;
                if turns.serve(free) {
                    // It stood before them.
                    self.room.notify_all();
                }
                return (budget, granted, victims);
            }
        }
    }

    // --- those who flush and shut down

    /// Waits until everything that was put before is handled and the handler was flushed.
    #[cfg_attr(not(strata_loom), allow(dead_code))]
    pub(crate) fn flush(&self, wish: Wish, deadline: Duration) -> Waited {
        let ticket = self.ask(wish);
        self.wait_for_flush(ticket, deadline)
    }

    /// Asks for a flush, and gives its number.
    pub(crate) fn ask(&self, wish: Wish) -> u64 {
        let mut budget = self.budget();
        budget.flush_asked += 1;
        budget.wish = budget.wish.max(wish);
        let ticket = budget.flush_asked;
        self.bell.ring();
        ticket
    }

    /// Waits for a flush that was asked for.
    pub(crate) fn wait_for_flush(&self, ticket: u64, deadline: Duration) -> Waited {
        let mut until = Until::after(deadline);
        let mut budget = self.budget();
        while budget.flush_done < ticket {
            match budget.phase {
                Phase::Ended => return Waited::Done,
                Phase::Abandoned => return Waited::Left(self.held(&budget).records),
                Phase::Open | Phase::Closing => {}
            }
            match until.wait(&self.budget, &self.done, budget) {
                Ok(again) => budget = again,
                Err(budget) => return Waited::Left(self.held(&budget).records),
            }
        }
        budget.flush_error.clone().map_or(Waited::Done, Waited::Failed)
    }

    /// Takes nothing any more, and waits until what waits is handled. What is left when time is up is given up.
    pub(crate) fn shut_down(&self, deadline: Duration, losses: &impl Losses<T>) -> Waited {
        let mut until = Until::after(deadline);
        self.close(None);
        let mut budget = self.budget();
        while budget.phase != Phase::Ended {
            match until.wait(&self.budget, &self.done, budget) {
                Ok(again) => budget = again,
                Err(budget) => return self.abandon(budget, losses),
            }
        }
        Waited::Done
    }

    /// Takes nothing any more. At the deadline the worker gives up by itself what it has.
    pub(crate) fn close(&self, deadline: Option<Duration>) {
        let mut budget = self.budget();
        let at = deadline.and_then(|deadline| Instant::now().checked_add(deadline));
        budget.give_up_at = [budget.give_up_at, at].into_iter().flatten().min();
        if budget.phase == Phase::Open {
            budget.shut(Phase::Closing);
        }
        drop(budget);
        self.bell.ring();
        self.room.notify_all();
    }

    fn abandon(&self, mut budget: MutexGuard<'_, Budget<T>>, losses: &impl Losses<T>) -> Waited {
        if budget.phase == Phase::Ended {
            return Waited::Done;
        }
        budget.phase = Phase::Abandoned;
        self.bell.ring();
        let left = self.held(&budget).records;
        let given_up = self.give_up_all(&mut budget, losses);
        drop(budget);
        given_up.into_iter().for_each(T::give_up);
        Waited::Left(left)
    }

    fn give_up_all(&self, budget: &mut Budget<T>, losses: &impl Losses<T>) -> Vec<T> {
        let mut all = Vec::new();
        for lane in &budget.lanes {
            let mut lane = lane.lock();
            for is_protected in [false, true] {
                let victim = Victim { is_newest: false, is_protected };
                all.extend(std::iter::from_fn(|| lane.give_up(victim, losses)));
            }
        }
        all.iter().for_each(|load| budget.free.add(Room::one(load.bytes())));
        all
    }

    // --- those who look on

    /// What waits or is in the listener's hands.
    fn held(&self, budget: &Budget<T>) -> Room {
        let mut held = self.limits;
        held.remove(budget.free);
        held.remove(budget.turns.set_aside());
        budget.lanes.iter().for_each(|lane| held.remove(lane.lock().lease));
        held
    }

    pub(crate) fn look(&self) -> Look {
        let budget = self.budget();
        let oldest = budget.lanes.iter().filter_map(|lane| lane.lock().oldest()).min();
        Look { held: self.held(&budget), high_water: budget.high_water, oldest, waits: budget.waits }
    }

    /// How many wait for whom there is no room yet.
    #[cfg(test)]
    pub(crate) fn unserved(&self) -> usize {
        self.budget().turns.unserved()
    }

    /// Whether the listener is gone, and why the handler's last flush failed.
    pub(crate) fn ending(&self) -> (bool, Option<String>) {
        let budget = self.budget();
        (budget.phase == Phase::Ended, budget.ending_error.clone())
    }

    /// Whether it has, as far as that can be seen without waiting: after a fork, a thread that is not there may have had the
    /// lock of the parent's.
    pub(crate) fn has_ended(&self) -> bool {
        self.budget.try_lock().is_ok_and(|budget| budget.phase == Phase::Ended)
    }

    // --- the listener

    pub(crate) fn bell(&self) -> &Bell {
        &self.bell
    }

    pub(crate) fn version(&self) -> usize {
        self.version.load(Ordering::Acquire)
    }

    /// The lanes as they are now, without those whose threads have gone and left nothing. `seen` is what the listener had
    /// of this list.
    pub(crate) fn lanes(&self, seen: &mut Vec<Arc<Lane<T>>>) {
        seen.clear();
        let mut budget = self.budget();
        let Budget { lanes, free, .. } = &mut *budget;
        lanes.retain(|lane| {
            if Arc::strong_count(lane) > 1 {
                return true;
            }
            let mut state = lane.lock();
            let is_empty = state.len() == 0;
            if is_empty {
                free.add(std::mem::take(&mut state.lease));
            }
            !is_empty
        });
        seen.extend(lanes.iter().map(Arc::clone));
    }

    /// When nothing is tried any more, if a shutdown was asked for.
    #[cfg(feature = "otlp")]
    pub(crate) fn give_up_at(&self) -> Option<Instant> {
        self.budget().give_up_at
    }

    /// Whether to go on, and the flush that was asked for last, if it is not done.
    pub(crate) fn wishes(&self) -> (Phase, Option<Wanted>) {
        let budget = self.budget();
        let wanted = Wanted { ticket: budget.flush_asked, wish: budget.wish };
        (budget.phase, (budget.flush_done < budget.flush_asked).then_some(wanted))
    }

    pub(crate) fn flushed(&self, ticket: u64, error: Option<String>) {
        let mut budget = self.budget();
        budget.flush_done = ticket;
        if ticket == budget.flush_asked {
            budget.wish = Wish::Barrier;
        }
        budget.flush_error = error;
        drop(budget);
        self.done.notify_all();
    }

    /// What was handled makes room. Says whether to go on.
    ///
    /// Callers that wait are woken when there is room for many, as each wake costs more than many records do; where the
    /// handler `is_slow`, for each.
    pub(crate) fn release(&self, room: Room, is_slow: bool) -> bool {
        let mut budget = self.budget();
        budget.free.add(room);
        let (free, limits) = (budget.free, self.limits);
        let is_roomy = free.records >= limits.records / 4 && free.bytes >= limits.bytes / 4;
        let Budget { turns, free, .. } = &mut *budget;
        let has_served = (is_roomy || is_slow) && turns.serve(free);
        // While somebody waits, nothing is leased: it may be what is missing.
        budget.is_tight &= !is_roomy || budget.turns.is_any_unserved();
        let goes_on = budget.phase != Phase::Abandoned;
        drop(budget);
        if has_served {
            self.room.notify_all();
        }
        goes_on
    }

    /// Nobody waits for a listener that is gone. The handler's last flush may have failed.
    pub(crate) fn end(&self, error: Option<String>, losses: &impl Losses<T>) {
        let mut budget = self.budget();
        budget.shut(Phase::Ended);
        budget.ending_error = error;
        let given_up = self.give_up_all(&mut budget, losses);
        drop(budget);
        given_up.into_iter().for_each(T::give_up);
        self.done.notify_all();
        self.room.notify_all();
    }
}

/// A reading.
pub(crate) struct Look {
    pub(crate) held: Room,
    pub(crate) high_water: Room,
    pub(crate) oldest: Option<SystemTime>,
    pub(crate) waits: u64,
}
