//! The channel, as seen by the worker: what to do next.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use super::{
    channel::Channel,
    notifier::Notifier,
    shard::{Capacity, RUN, Run, Shard, Weighed},
    state::{Command, FlushRequest, Phase, State},
    sync::Ordering,
};

/// How long the worker pauses before it looks again.
const PARK: Duration = Duration::from_millis(1);
/// How often it does so in vain before it sleeps.
const PARKED: u32 = 16;

/// What the worker does next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// There are items to [`pop`](Receiver::pop).
    Handle,
    /// Nothing waits: deferred writes are due.
    Idle,
    /// The [`timer`](Receiver::timer) is due.
    Timer,
    /// Flush, and call [`flushed`](Channel::flushed).
    Flush(FlushRequest),
    End,
}

pub(crate) struct Receiver<T> {
    shards: Vec<Arc<Shard<T>>>,
    /// What was taken from each shard.
    runs: Vec<Run<T>>,
    version: usize,
    flush: Option<Flush<T>>,
    was_idle: bool,
    parks: u32,
    max_parks: u32,
    /// Nothing was handled since the timer fired.
    timer_fired: bool,
    pub(crate) timer: Option<Instant>,
    /// The most that was found waiting.
    pub(crate) high_water: Capacity,
}

/// A flush is due when all earlier items are handled.
struct Flush<T> {
    ticket: u64,
    /// The shards with items before the flush, and the number at which those end in each.
    before: Vec<(Arc<Shard<T>>, u64)>,
}

impl<T: Weighed> Receiver<T> {
    pub(crate) fn new() -> Self {
        Self::with_parks(PARKED)
    }

    /// The loom model chooses how often the worker looks by itself.
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

    /// Waits for something to do. All items taken before are handled.
    pub(crate) fn next(&mut self, channel: &Channel<T>, max: usize) -> Task {
        loop {
            let (phase, flush_request) = channel.commands();
            self.refresh(channel);
            if let Some(request) = flush_request {
                if self.flush_is_due(request.ticket) {
                    self.flush = None;
                    return Task::Flush(request);
                }
            }
            if phase == Phase::Abandoned {
                return Task::End;
            }
            let is_due = phase == Phase::Open && self.timer.is_some_and(|at| at <= Instant::now());
            if is_due && !self.timer_fired {
                self.timer_fired = true;
                return Task::Timer;
            }
            if self.take(max) {
                // However often the timer fires, waiting items come in between.
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
                // The shards were closed before they were found empty.
                return Task::End;
            }
            if flush_request.is_some() {
                // Nothing waits, so it is due now.
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
        let max = self.timer.map(|at| at.saturating_duration_since(Instant::now()));
        channel.notifier().sleep(max, || {
            channel.shards(shards);
            shards.iter().any(|shard| shard.lock().len() > 0)
        });
        self.version = usize::MAX;
    }

    fn refresh(&mut self, channel: &Channel<T>) {
        let version = channel.version.load(Ordering::Acquire);
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

    /// Takes up to `max` items from each shard. False if there were none.
    fn take(&mut self, max: usize) -> bool {
        let mut found = Capacity::default();
        for (shard, run) in self.shards.iter().zip(&mut self.runs) {
            let mut shard = shard.lock();
            if shard.len() > 0 {
                found.add(Capacity { records: shard.len(), bytes: shard.bytes() });
                shard.take(max, run);
            }
        }
        self.high_water.raise_to(found);
        found.records > 0
    }

    /// How many items are taken and not popped.
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

impl<T: Weighed> Channel<T> {
    pub(crate) fn notifier(&self) -> &Notifier {
        &self.notifier
    }

    /// Copies the list of shards, without those whose threads have gone and left nothing. `seen` is the worker's last
    /// copy.
    fn shards(&self, seen: &mut Vec<Arc<Shard<T>>>) {
        seen.clear();
        let mut state = self.state();
        let State { shards, free, .. } = &mut *state;
        shards.retain(|shard| {
            if Arc::strong_count(shard) > 1 {
                return true;
            }
            let mut queue = shard.lock();
            let is_empty = queue.len() == 0;
            if is_empty {
                free.add(std::mem::take(&mut queue.credit));
            }
            !is_empty
        });
        seen.extend(shards.iter().map(Arc::clone));
    }

    /// The deadline of a shutdown, if there is one.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.state().deadline
    }

    /// The phase, and the last flush that was requested and is not done.
    pub(crate) fn commands(&self) -> (Phase, Option<FlushRequest>) {
        let state = self.state();
        let request = FlushRequest { ticket: state.flush_requested, command: state.command };
        (state.phase, (state.flush_done < state.flush_requested).then_some(request))
    }

    pub(crate) fn flushed(&self, ticket: u64, error: Option<String>) {
        let mut state = self.state();
        state.flush_done = ticket;
        if ticket == state.flush_requested {
            state.command = Command::Barrier;
        }
        state.flush_error = error;
        drop(state);
        self.notify_done();
    }

    /// Gives the capacity of handled items back. Returns whether to continue.
    ///
    /// Blocked senders are woken when there is capacity for many, as each wake-up costs more than many records; where
    /// the handler `is_slow`, for each.
    pub(crate) fn release(&self, handled: Capacity, is_slow: bool) -> bool {
        let mut state = self.state();
        state.free.add(handled);
        let (free, limits) = (state.free, self.limits);
        let is_plenty = free.records >= limits.records / 4 && free.bytes >= limits.bytes / 4;
        let State { waiters, free, .. } = &mut *state;
        let has_granted = (is_plenty || is_slow) && waiters.grant(free);
        // No credit while a sender waits: it may be what that sender lacks.
        state.is_scarce &= !is_plenty || state.waiters.has_ungranted();
        let goes_on = state.phase != Phase::Abandoned;
        drop(state);
        if has_granted {
            self.capacity.notify_all();
        }
        goes_on
    }
}
