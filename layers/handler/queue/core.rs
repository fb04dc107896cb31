//! What callers and the listener share: the records that wait, the limits, and who waits for what.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError},
    thread::{self, ThreadId},
    time::{Duration, Instant, SystemTime},
};

use super::{Health, Lost, Overflow};
use crate::{Error, Outcome, Record, Severity, handler::Handler, record::Kept, trap::Ledger};

/// What a queue may hold and what it does when it is full.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) capacity: usize,
    pub(super) max_bytes: usize,
    pub(super) overflow: Overflow,
    pub(super) protect: Severity,
}

pub(super) struct Core {
    pub(super) name: String,
    pub(super) limits: Limits,
    /// How long a drop and a plain flush wait.
    pub(super) drain: Duration,
    handler: Arc<dyn Handler>,
    state: Mutex<State>,
    /// For the listener: there is something to do.
    work: Condvar,
    /// For callers: there may be room, or no hope of it.
    room: Condvar,
    /// For those who flush or shut down.
    done: Condvar,
    /// Of the place the queue hangs in.
    ledger: OnceLock<Arc<Ledger>>,
    /// Of the handler, which settles there what it holds back; behind that of the place.
    own_ledger: Arc<Ledger>,
    listener: OnceLock<ThreadId>,
}

/// A record that waits.
pub(super) struct Item {
    pub(super) record: Kept,
    bytes: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Open,
    /// What waits is still handled; nothing new comes in.
    Closing,
    /// The deadline has passed: the listener stops after the record in its hands.
    Abandoned,
    Ended,
}

struct State {
    phase: Phase,
    /// In order of arrival; the number says which came first.
    plain: VecDeque<(u64, Item)>,
    /// Those that are given up last.
    protected: VecDeque<(u64, Item)>,
    next: u64,
    /// Waiting and in the listener's hands.
    depth: usize,
    bytes: usize,
    /// How many of them the listener has.
    in_hand: usize,
    oldest_in_hand: Option<SystemTime>,
    is_asleep: bool,
    callers_waiting: usize,
    flush_asked: u64,
    /// A flush is due when everything before this number is handled.
    flush_at: u64,
    flush_done: u64,
    flush_error: Option<String>,
    untold: Untold,
    // health
    high_water: usize,
    bytes_high_water: usize,
    lost: Lost,
    waits: u64,
    started: Instant,
    worked: Duration,
    at_work_since: Option<Instant>,
}

/// Losses that were not told in-band yet.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Untold {
    pub(super) lost: Lost,
    pub(super) span: Option<(SystemTime, SystemTime)>,
}

/// What the listener is to do next.
pub(super) enum Task {
    /// The batch was filled.
    Handle,
    /// Nothing waits: write what is held for the sake of one write, then ask again.
    Rest,
    /// Flush, and say so with this number.
    Flush(u64),
    End,
}

impl Core {
    pub(super) fn new(name: String, limits: Limits, drain: Duration, handler: Arc<dyn Handler>) -> Self {
        let own_ledger = Ledger::apart(&name);
        handler.attach(&own_ledger);
        Self {
            name,
            limits,
            drain,
            handler,
            state: Mutex::new(State::new()),
            work: Condvar::new(),
            room: Condvar::new(),
            done: Condvar::new(),
            ledger: OnceLock::new(),
            own_ledger,
            listener: OnceLock::new(),
        }
    }

    pub(super) fn handler(&self) -> &Arc<dyn Handler> {
        &self.handler
    }

    pub(super) fn attach(&self, ledger: &Arc<Ledger>) {
        if self.ledger.set(Arc::clone(ledger)).is_ok() {
            self.own_ledger.stand_behind(ledger);
        }
    }

    #[inline]
    pub(super) fn ledger(&self) -> &Arc<Ledger> {
        self.ledger.get().unwrap_or(&self.own_ledger)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // --- callers

    /// Takes a record, if there is or can be made room.
    pub(super) fn put(&self, record: &Record) -> Outcome {
        let item = Item { bytes: record.held_bytes(), record: record.keep() };
        let mut state = self.state();
        if !state.fits(&item, &self.limits) {
            match self.make_room(state, &item) {
                Some(made) => state = made,
                None => return Outcome::Dropped,
            }
        } else if state.phase != Phase::Open {
            state.lose(&item.record);
            return Outcome::Dropped;
        }
        // Before the listener can settle it.
        self.ledger().queue(1);
        state.push(item, &self.limits);
        if state.is_asleep {
            state.is_asleep = false;
            drop(state);
            self.work.notify_one();
        }
        Outcome::Queued
    }

    #[cold]
    fn make_room<'a>(&'a self, mut state: MutexGuard<'a, State>, item: &Item) -> Option<MutexGuard<'a, State>> {
        let is_protected = item.record.severity() >= self.limits.protect;
        if item.bytes > self.limits.max_bytes || state.phase != Phase::Open {
            state.lose(&item.record);
            return None;
        }
        let (oldest, protected_too) = match self.limits.overflow {
            Overflow::Block { deadline } => return self.wait_for_room(state, item, deadline),
            Overflow::DropNewest => (is_protected, false),
            Overflow::DropOldest => (true, is_protected),
        };
        while oldest && !state.fits(item, &self.limits) {
            let Some(victim) = state.give_up(protected_too) else { break };
            self.ledger().settle_dropped(1);
            // Its memory goes back outside the lock.
            drop(state);
            drop(victim);
            state = self.state();
        }
        if state.fits(item, &self.limits) && state.phase == Phase::Open {
            return Some(state);
        }
        state.lose(&item.record);
        None
    }

    fn wait_for_room<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        item: &Item,
        deadline: Option<Duration>,
    ) -> Option<MutexGuard<'a, State>> {
        let until = deadline.and_then(|deadline| Instant::now().checked_add(deadline));
        state.waits += 1;
        state.callers_waiting += 1;
        if std::mem::take(&mut state.is_asleep) {
            self.work.notify_one();
        }
        while state.phase == Phase::Open && !state.fits(item, &self.limits) {
            state = match until {
                None => self.room.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(until) => {
                    let left = until.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        break;
                    }
                    self.room.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        state.callers_waiting -= 1;
        if state.phase == Phase::Open && state.fits(item, &self.limits) {
            return Some(state);
        }
        state.lose(&item.record);
        None
    }

    /// Waits until everything that was put before is handled and the handler was flushed.
    pub(super) fn flush(&self, deadline: Duration) -> Result<(), Error> {
        if self.listener.get() == Some(&thread::current().id()) {
            // A handler that flushes what it hangs behind would wait for itself.
            return Ok(());
        }
        let until = Instant::now().checked_add(deadline);
        let mut state = self.state();
        state.flush_asked += 1;
        let ticket = state.flush_asked;
        state.flush_at = state.next;
        state.is_asleep = false;
        self.work.notify_one();
        while state.flush_done < ticket {
            if state.phase == Phase::Ended {
                return Ok(());
            }
            if state.phase == Phase::Abandoned {
                let left = state.depth;
                return Err(self.not_done("flush", left, Duration::ZERO));
            }
            let Some(again) = self.wait_done(state, until) else {
                let left = self.state().depth;
                return Err(self.not_done("flush", left, deadline));
            };
            state = again;
        }
        match &state.flush_error {
            Some(error) => Err(Error::new(error)),
            None => Ok(()),
        }
    }

    /// Takes nothing any more, and waits until what waits is handled. What is left at the deadline is lost.
    pub(super) fn shut_down(&self, deadline: Duration) -> Result<(), Error> {
        if self.listener.get() == Some(&thread::current().id()) {
            drop(self.close());
            return Ok(());
        }
        let until = Instant::now().checked_add(deadline);
        let mut state = self.close();
        while state.phase != Phase::Ended {
            match self.wait_done(state, until) {
                Some(again) => state = again,
                None => return Err(self.abandon(deadline)),
            }
        }
        Ok(())
    }

    fn close(&self) -> MutexGuard<'_, State> {
        let mut state = self.state();
        if state.phase == Phase::Open {
            state.phase = Phase::Closing;
        }
        state.is_asleep = false;
        self.work.notify_one();
        self.room.notify_all();
        state
    }

    /// `None` at the deadline.
    fn wait_done<'a>(&'a self, state: MutexGuard<'a, State>, until: Option<Instant>) -> Option<MutexGuard<'a, State>> {
        let Some(until) = until else {
            return Some(self.done.wait(state).unwrap_or_else(PoisonError::into_inner));
        };
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return None;
        }
        Some(self.done.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0)
    }

    #[cold]
    fn abandon(&self, deadline: Duration) -> Error {
        let mut state = self.state();
        if state.phase != Phase::Ended {
            state.phase = Phase::Abandoned;
        }
        let left = state.depth;
        let given_up = state.give_up_all();
        self.ledger().settle_dropped(given_up.len() as u64);
        drop(state);
        drop(given_up);
        let error = self.not_done("shutdown", left, deadline);
        self.ledger().tell(&error);
        error
    }

    fn not_done(&self, doing: &str, left: usize, deadline: Duration) -> Error {
        let records = if left == 1 { "record" } else { "records" };
        Error::new(format_args!("queue {:?}: {doing}: {left} {records} not written within {deadline:?}", self.name))
    }

    pub(super) fn health(&self) -> Health {
        let now = SystemTime::now();
        let state = self.state();
        let fronts =
            [&state.plain, &state.protected].map(|waiting| waiting.front().map(|(_, item)| item.record.time()));
        let oldest = fronts.into_iter().chain([state.oldest_in_hand]).flatten().min();
        let worked = state.worked + state.at_work_since.map_or(Duration::ZERO, |since| since.elapsed());
        Health {
            depth: state.depth,
            high_water: state.high_water,
            bytes: state.bytes,
            bytes_high_water: state.bytes_high_water,
            oldest_age: oldest.map(|oldest| now.duration_since(oldest).unwrap_or_default()),
            lost: state.lost,
            waits: state.waits,
            busy: (worked.as_secs_f64() / state.started.elapsed().as_secs_f64().max(1e-9)).min(1.0),
        }
    }

    // --- the listener

    pub(super) fn begin(&self) {
        // Set once: a queue has one listener.
        self.listener.set(thread::current().id()).unwrap_or_default();
        self.state().at_work_since = Some(Instant::now());
    }

    /// Waits for something to do. `has_rested`: nothing was handled since the last rest.
    pub(super) fn next(&self, batch: &mut Vec<Item>, most: usize, has_rested: bool) -> Task {
        let mut state = self.state();
        loop {
            if state.flush_done < state.flush_asked && state.is_handled_up_to(state.flush_at) {
                return Task::Flush(state.flush_asked);
            }
            if state.phase == Phase::Abandoned {
                return Task::End;
            }
            if state.take(batch, most) {
                return Task::Handle;
            }
            if !has_rested {
                return Task::Rest;
            }
            if state.phase != Phase::Open {
                return Task::End;
            }
            state.is_asleep = true;
            state.pause();
            while state.is_asleep {
                state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            state.at_work_since = Some(Instant::now());
        }
    }

    /// Room is made for what was handled. Says whether to go on.
    pub(super) fn handled(&self, count: usize, bytes: usize) -> bool {
        let mut state = self.state();
        state.depth -= count;
        state.in_hand -= count;
        state.bytes -= bytes;
        if state.in_hand == 0 {
            state.oldest_in_hand = None;
        }
        if state.callers_waiting > 0 {
            self.room.notify_all();
        }
        state.phase != Phase::Abandoned
    }

    /// Gives up what is left of a batch.
    pub(super) fn leave(&self, batch: impl Iterator<Item = Item>) {
        for item in batch {
            self.ledger().settle_dropped(1);
            self.state().lose(&item.record);
            self.handled(1, item.bytes);
        }
    }

    pub(super) fn flushed(&self, ticket: u64, result: Result<(), Error>) {
        let mut state = self.state();
        state.flush_done = ticket;
        state.flush_error = result.err().map(|error| error.to_string());
        drop(state);
        self.done.notify_all();
    }

    /// Losses to be told, if there are any.
    pub(super) fn take_untold(&self) -> Option<Untold> {
        let mut state = self.state();
        (state.untold.lost.total() > 0).then(|| std::mem::take(&mut state.untold))
    }

    pub(super) fn end(&self) {
        let mut state = self.state();
        state.phase = Phase::Ended;
        state.pause();
        drop(state);
        self.done.notify_all();
    }
}

impl Item {
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

impl State {
    fn new() -> Self {
        Self {
            phase: Phase::Open,
            plain: VecDeque::new(),
            protected: VecDeque::new(),
            next: 0,
            depth: 0,
            bytes: 0,
            in_hand: 0,
            oldest_in_hand: None,
            is_asleep: false,
            callers_waiting: 0,
            flush_asked: 0,
            flush_at: 0,
            flush_done: 0,
            flush_error: None,
            untold: Untold::default(),
            high_water: 0,
            bytes_high_water: 0,
            lost: Lost::default(),
            waits: 0,
            started: Instant::now(),
            worked: Duration::ZERO,
            at_work_since: None,
        }
    }

    fn fits(&self, item: &Item, limits: &Limits) -> bool {
        self.depth < limits.capacity && self.bytes + item.bytes <= limits.max_bytes
    }

    fn push(&mut self, item: Item, limits: &Limits) {
        self.depth += 1;
        self.bytes += item.bytes;
        self.high_water = self.high_water.max(self.depth);
        self.bytes_high_water = self.bytes_high_water.max(self.bytes);
        let is_protected = item.record.severity() >= limits.protect;
        let waiting = if is_protected { &mut self.protected } else { &mut self.plain };
        waiting.push_back((self.next, item));
        self.next += 1;
    }

    /// The oldest that may be given up.
    fn give_up(&mut self, protected_too: bool) -> Option<Item> {
        let victim = match self.plain.pop_front() {
            None if protected_too => self.protected.pop_front(),
            victim => victim,
        };
        let (_, item) = victim?;
        self.depth -= 1;
        self.bytes -= item.bytes;
        self.lose(&item.record);
        Some(item)
    }

    fn give_up_all(&mut self) -> Vec<Item> {
        std::iter::from_fn(|| self.give_up(true)).collect()
    }

    fn lose(&mut self, record: &Record) {
        self.lost.add(record.severity());
        self.untold.lost.add(record.severity());
        let time = record.time();
        let (from, to) = self.untold.span.unwrap_or((time, time));
        self.untold.span = Some((from.min(time), to.max(time)));
    }

    /// Whether no record waits that came before a number, nor is in hand.
    fn is_handled_up_to(&self, number: u64) -> bool {
        let is_later = |waiting: &VecDeque<(u64, Item)>| waiting.front().is_none_or(|(first, _)| *first >= number);
        self.in_hand == 0 && is_later(&self.plain) && is_later(&self.protected)
    }

    /// Moves the first records into the batch.
    fn take(&mut self, batch: &mut Vec<Item>, most: usize) -> bool {
        while batch.len() < most {
            let first = |waiting: &VecDeque<(u64, Item)>| waiting.front().map_or(u64::MAX, |(number, _)| *number);
            let from_plain = first(&self.plain) < first(&self.protected);
            let waiting = if from_plain { &mut self.plain } else { &mut self.protected };
            let Some((_, item)) = waiting.pop_front() else { break };
            batch.push(item);
        }
        self.in_hand = batch.len();
        self.oldest_in_hand = batch.first().map(|item| item.record.time());
        !batch.is_empty()
    }

    fn pause(&mut self) {
        if let Some(since) = self.at_work_since.take() {
            self.worked += since.elapsed();
        }
    }
}
