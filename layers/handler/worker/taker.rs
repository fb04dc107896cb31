//! The listener's side of the hand-over: what comes next.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use super::{
    budget::{Phase, Wanted},
    hand::Hand,
    lane::{Lane, Load, RUN, Room, Run},
};

/// How long the listener pauses before it looks again.
const DOZE: Duration = Duration::from_millis(1);
/// How often it does so in vain before it sleeps.
const DOZES: u32 = 16;

/// What the listener is to do next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// There is something to [`pop`](Taker::pop).
    Handle,
    /// Nothing waits: what was held back for the sake of one write can be written.
    Rest,
    /// The time has come that [`timer`](Taker::timer) says.
    Timer,
    /// Flush, and say so.
    Flush(Wanted),
    End,
}

pub(crate) struct Taker<T> {
    lanes: Vec<Arc<Lane<T>>>,
    /// What was taken from each of them.
    runs: Vec<Run<T>>,
    version: usize,
    flush: Option<Flush<T>>,
    has_rested: bool,
    dozes: u32,
    most_dozes: u32,
    /// Nothing was handled since the timer went off.
    has_timed: bool,
    pub(crate) timer: Option<Instant>,
    /// The most that was found waiting.
    pub(crate) high_water: Room,
}

/// A flush is due when everything that was put before it is handled.
struct Flush<T> {
    ticket: u64,
    before: Vec<(Arc<Lane<T>>, u64)>,
}

impl<T: Load> Taker<T> {
    pub(crate) fn new() -> Self {
        Self::with_dozes(DOZES)
    }

    /// The model chooses how often the listener looks by itself.
    pub(crate) fn with_dozes(most_dozes: u32) -> Self {
        Self {
            lanes: Vec::new(),
            runs: Vec::new(),
            version: 0,
            flush: None,
            has_rested: false,
            dozes: 0,
            most_dozes,
            has_timed: false,
            timer: None,
            high_water: Room::default(),
        }
    }

    /// Waits for something to do. Everything taken before was handled.
    pub(crate) fn next(&mut self, hand: &Hand<T>, most: usize) -> Task {
        loop {
            let (phase, flush_wanted) = hand.wishes();
            self.refresh(hand);
            if let Some(wanted) = flush_wanted
                && self.flush_is_due(wanted.ticket)
            {
                self.flush = None;
                return Task::Flush(wanted);
            }
            if phase == Phase::Abandoned {
                return Task::End;
            }
            let is_due = phase == Phase::Open && self.timer.is_some_and(|at| at <= Instant::now());
            if is_due && !self.has_timed {
                self.has_timed = true;
                return Task::Timer;
            }
            if self.take(most) {
                // However often it goes off, what waits comes between.
                self.has_timed = false;
                self.has_rested = false;
                self.dozes = self.most_dozes;
                return Task::Handle;
            }
            self.has_timed = false;
            if !self.has_rested {
                self.has_rested = true;
                return Task::Rest;
            }
            if phase != Phase::Open {
                // The lanes were closed before they were found empty.
                return Task::End;
            }
            if flush_wanted.is_some() {
                // It is due at the next look: nothing waits.
                continue;
            }
            self.pause(hand);
        }
    }

    fn pause(&mut self, hand: &Hand<T>) {
        if self.dozes > 0 {
            self.dozes -= 1;
            return hand.bell().doze(DOZE);
        }
        let lanes = &mut self.lanes;
        let most = self.timer.map(|at| at.saturating_duration_since(Instant::now()));
        hand.bell().sleep(most, || {
            hand.lanes(lanes);
            lanes.iter().any(|lane| lane.lock().len() > 0)
        });
        self.version = usize::MAX;
    }

    fn refresh(&mut self, hand: &Hand<T>) {
        let version = hand.version();
        if version != self.version {
            self.version = version;
            hand.lanes(&mut self.lanes);
            self.runs.resize_with(self.lanes.len().max(self.runs.len()), || Run::with_capacity(RUN));
        }
    }

    fn flush_is_due(&mut self, ticket: u64) -> bool {
        if self.flush.as_ref().is_none_or(|flush| flush.ticket != ticket) {
            let before = self.lanes.iter().map(|lane| (Arc::clone(lane), lane.lock().next_number())).collect();
            self.flush = Some(Flush { ticket, before });
        }
        let Some(flush) = &mut self.flush else { return false };
        flush.before.retain(|(lane, number)| lane.lock().first_number() < *number);
        flush.before.is_empty()
    }

    /// The first ones of each lane.
    fn take(&mut self, most: usize) -> bool {
        let mut found = Room::default();
        for (lane, run) in self.lanes.iter().zip(&mut self.runs) {
            let mut lane = lane.lock();
            if lane.len() > 0 {
                found.add(Room { records: lane.len(), bytes: lane.bytes() });
                lane.take(most, run);
            }
        }
        self.high_water.records = self.high_water.records.max(found.records);
        self.high_water.bytes = self.high_water.bytes.max(found.bytes);
        found.records > 0
    }

    /// How many were taken.
    pub(crate) fn len(&self) -> usize {
        self.runs.iter().map(Run::len).sum()
    }

    pub(crate) fn oldest(&self) -> Option<SystemTime> {
        self.runs.iter().filter_map(Run::front).map(|(_, load)| load.time()).min()
    }

    /// The next one: in order for each thread, by time between threads.
    pub(crate) fn pop(&mut self) -> Option<T> {
        let mut waiting = self.runs.iter_mut().filter(|run| !run.is_empty());
        let first = waiting.next()?;
        let Some(second) = waiting.next() else { return Self::pop_of(first) };
        let time = |run: &Run<T>| run.front().map(|(_, load)| load.time());
        let mut best = first;
        for run in std::iter::once(second).chain(waiting) {
            if time(run) < time(best) {
                best = run;
            }
        }
        Self::pop_of(best)
    }

    fn pop_of(run: &mut Run<T>) -> Option<T> {
        run.pop_front().map(|(_, load)| load)
    }
}
