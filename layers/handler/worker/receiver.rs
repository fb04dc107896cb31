//! The listener's side of the hand-over: what comes next.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use super::{
    channel::Channel,
    shard::{Capacity, RUN, Run, Shard, Weighed},
    state::{FlushRequest, Phase},
};

/// How long the listener pauses before it looks again.
const PARK: Duration = Duration::from_millis(1);
/// How often it does so in vain before it sleeps.
const PARKED: u32 = 16;

/// What the listener is to do next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// There is something to [`pop`](Receiver::pop).
    Handle,
    /// Nothing waits: what was held back for the sake of one write can be written.
    Idle,
    /// The time has come that [`timer`](Receiver::timer) says.
    Timer,
    /// Flush, and say so.
    Flush(FlushRequest),
    End,
}

pub(crate) struct Receiver<T> {
    shards: Vec<Arc<Shard<T>>>,
    /// What was taken from each of them.
    runs: Vec<Run<T>>,
    version: usize,
    flush: Option<Flush<T>>,
    was_idle: bool,
    parks: u32,
    max_parks: u32,
    /// Nothing was handled since the timer went off.
    timer_fired: bool,
    pub(crate) timer: Option<Instant>,
    /// The most that was found waiting.
    pub(crate) high_water: Capacity,
}

/// A flush is due when everything that was put before it is handled.
struct Flush<T> {
    ticket: u64,
    before: Vec<(Arc<Shard<T>>, u64)>,
}

impl<T: Weighed> Receiver<T> {
    pub(crate) fn new() -> Self {
        Self::with_parks(PARKED)
    }

    /// The model chooses how often the listener looks by itself.
    pub(crate) fn with_parks(max_parks: u32) -> Self {
        Self {
            shards: Vec::new(),
            runs: Vec::new(),
            version: 0,
            flush: None,
            was_idle: false,
            parks: 0,
            max_parks,
            timer_fired: false,
            timer: None,
            high_water: Capacity::default(),
        }
    }

    /// Waits for something to do. Everything taken before was handled.
    pub(crate) fn next(&mut self, channel: &Channel<T>, most: usize) -> Task {
        loop {
            let (phase, flush_request) = channel.commands();
            self.refresh(channel);
            if let Some(request) = flush_request
                && self.flush_is_due(request.ticket)
            {
                self.flush = None;
                return Task::Flush(request);
            }
            if phase == Phase::Abandoned {
                return Task::End;
            }
            let is_due = phase == Phase::Open && self.timer.is_some_and(|at| at <= Instant::now());
            if is_due && !self.timer_fired {
                self.timer_fired = true;
                return Task::Timer;
            }
            if self.take(most) {
                // However often it goes off, what waits comes between.
                self.timer_fired = false;
                self.was_idle = false;
                self.parks = self.max_parks;
                return Task::Handle;
            }
            self.timer_fired = false;
            if !self.was_idle {
                self.was_idle = true;
                return Task::Idle;
            }
            if phase != Phase::Open {
                // The lanes were closed before they were found empty.
                return Task::End;
            }
            if flush_request.is_some() {
                // It is due at the next look: nothing waits.
                continue;
            }
            self.pause(channel);
        }
    }

    fn pause(&mut self, channel: &Channel<T>) {
        if self.parks > 0 {
            self.parks -= 1;
            return channel.notifier().park(PARK);
        }
        let shards = &mut self.shards;
        let most = self.timer.map(|at| at.saturating_duration_since(Instant::now()));
        channel.notifier().sleep(most, || {
            channel.shards(shards);
            shards.iter().any(|shard| shard.lock().len() > 0)
        });
        self.version = usize::MAX;
    }

    fn refresh(&mut self, channel: &Channel<T>) {
        let version = channel.version();
        if version != self.version {
            self.version = version;
            channel.shards(&mut self.shards);
            self.runs.resize_with(self.shards.len().max(self.runs.len()), || Run::with_capacity(RUN));
        }
    }

    fn flush_is_due(&mut self, ticket: u64) -> bool {
        if self.flush.as_ref().is_none_or(|flush| flush.ticket != ticket) {
            let before = self.shards.iter().map(|shard| (Arc::clone(shard), shard.lock().next_number())).collect();
            self.flush = Some(Flush { ticket, before });
        }
        let Some(flush) = &mut self.flush else { return false };
        flush.before.retain(|(shard, number)| shard.lock().first_number() < *number);
        flush.before.is_empty()
    }

    /// The first ones of each lane.
    fn take(&mut self, most: usize) -> bool {
        let mut found = Capacity::default();
        for (shard, run) in self.shards.iter().zip(&mut self.runs) {
            let mut shard = shard.lock();
            if shard.len() > 0 {
                found.add(Capacity { records: shard.len(), bytes: shard.bytes() });
                shard.take(most, run);
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
        self.runs.iter().filter_map(Run::front).map(|(_, item)| item.time()).min()
    }

    /// The next one: in order for each thread, by time between threads.
    pub(crate) fn pop(&mut self) -> Option<T> {
        let mut waiting = self.runs.iter_mut().filter(|run| !run.is_empty());
        let first = waiting.next()?;
        let Some(second) = waiting.next() else { return Self::pop_of(first) };
        let time = |run: &Run<T>| run.front().map(|(_, item)| item.time());
        let mut best = first;
        for run in std::iter::once(second).chain(waiting) {
            if time(run) < time(best) {
                best = run;
            }
        }
        Self::pop_of(best)
    }

    fn pop_of(run: &mut Run<T>) -> Option<T> {
        run.pop_front().map(|(_, item)| item)
    }
}
