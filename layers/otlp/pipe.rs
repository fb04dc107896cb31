//! What waits to be sent, and the thread that sends it: bounded, in batches, again where it failed, and accounted for.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, MutexGuard, OnceLock, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

use super::{
    retry::Backoff,
    settings::{Limits, Settings},
    wire::{Answer, Request, Wire},
};
use crate::{
    Error,
    caught::catch,
    fork::{self, Heirloom},
    record,
    trap::Ledger,
};

/// Makes a request of a batch, and of how many were lost before it.
pub(super) type Encode<T> = Box<dyn Fn(&[T], u64) -> Request + Send + Sync>;

/// Items of one signal on their way to a collector. Clones are the same way.
pub(super) struct Pipe<T> {
    shared: Arc<Shared<T>>,
}

impl<T> Clone for Pipe<T> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

struct Shared<T> {
    what: &'static str,
    limits: Limits,
    settings: Settings,
    encode: Encode<T>,
    state: Heirloom<State<T>>,
    ledger: OnceLock<Arc<Ledger>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Open,
    /// What waits is still sent; nothing new comes in.
    Closing,
    Ended,
}

struct State<T> {
    phase: Phase,
    /// Whether the thread was started, in this process.
    has_thread: bool,
    thread: Option<thread::ThreadId>,
    /// For the thread: there is something to do.
    work: Arc<Condvar>,
    /// For those who flush or shut down.
    done: Arc<Condvar>,
    waiting: VecDeque<(T, usize)>,
    bytes: usize,
    in_hand: usize,
    /// How many were ever put, and how many of those are settled.
    put: u64,
    settled: u64,
    /// What was put before this is to be sent without delay.
    flush_to: u64,
    /// After this nothing is tried any more.
    give_up_at: Option<Instant>,
    /// Nothing waits, and the thread sleeps without a timer.
    is_idle: bool,
    /// Lost, and not told in-band yet.
    lost: u64,
    /// Dropped because the deadline of the shutdown came.
    given_up: u64,
    last_failure: Option<String>,
}

/// A request is kept below what receivers take by default (gRPC: 4 MiB); estimated before it is encoded.
const BATCH_BYTES: usize = 3 << 20;

impl<T: Send + 'static> Pipe<T> {
    /// Starts the thread.
    pub(super) fn spawn(what: &'static str, settings: Settings, encode: Encode<T>) -> Result<Self, Error> {
        fork::watch();
        let limits = settings.limits;
        let state = Heirloom::new(State::new());
        let shared = Arc::new(Shared { what, limits, settings, encode, state, ledger: OnceLock::new() });
        shared.state().has_thread = true;
        let is_ready = shared.start()?;
        is_ready.recv().map_err(|_| Error::new("otlp: the thread that sends ended at once"))??;
        Ok(Self { shared })
    }

    pub(super) fn attach(&self, ledger: &Arc<Ledger>) {
        // The first place it hangs in.
        self.shared.ledger.set(Arc::clone(ledger)).unwrap_or_default();
    }

    pub(super) fn ledger(&self) -> Option<&Arc<Ledger>> {
        self.shared.ledger.get()
    }

    /// False if there is no room, or nothing is taken any more; then it is the caller's to count.
    #[inline]
    pub(super) fn put(&self, item: T, bytes: usize) -> bool {
        let shared = &*self.shared;
        let mut state = shared.state();
        if !state.has_thread {
            drop(state);
            self.shared.restart();
            state = shared.state();
        }
        let fits = state.waiting.len() + state.in_hand < shared.limits.capacity
            && state.bytes + bytes <= shared.limits.max_bytes;
        if !fits || state.phase != Phase::Open {
            state.lost += u64::from(state.phase == Phase::Open);
            drop(state);
            return false;
        }
        // Before the thread can settle it.
        shared.ledger().queue(1);
        state.waiting.push_back((item, bytes));
        state.bytes += bytes;
        state.put += 1;
        let wake = std::mem::take(&mut state.is_idle) || state.waiting.len() == shared.limits.max_batch;
        if wake {
            let work = Arc::clone(&state.work);
            drop(state);
            work.notify_one();
        }
        true
    }

    /// Waits until all that was put before is settled.
    pub(super) fn flush(&self, deadline: Duration) -> Result<(), Error> {
        self.begin_flush().wait(deadline)
    }

    /// Has all that was put before sent without delay.
    pub(super) fn begin_flush(&self) -> Due<'_, T> {
        fork::check();
        let mut state = self.shared.state();
        let target = state.put;
        state.flush_to = target;
        state.wake();
        Due { shared: &self.shared, target, doing: "flush", began: Instant::now() }
    }

    /// Takes nothing any more, and has what waits sent; what is left at the deadline is dropped.
    pub(super) fn begin_shut_down(&self, deadline: Duration) -> Due<'_, T> {
        fork::check();
        let shared = &*self.shared;
        let mut state = shared.state();
        if state.phase == Phase::Open {
            // In a child of a fork to which nothing came, there is no thread.
            state.phase = if state.has_thread { Phase::Closing } else { Phase::Ended };
        }
        let give_up_at = Instant::now().checked_add(deadline);
        state.give_up_at = [state.give_up_at, give_up_at].into_iter().flatten().min();
        let target = state.put;
        state.flush_to = target;
        state.wake();
        Due { shared, target, doing: "shutdown", began: Instant::now() }
    }
}

/// Something that was asked for, and can be waited for.
pub(super) struct Due<'a, T> {
    shared: &'a Shared<T>,
    target: u64,
    doing: &'static str,
    began: Instant,
}

impl<T> Due<'_, T> {
    /// Until it is done, or the deadline, counted from when it was asked for.
    pub(super) fn wait(&self, deadline: Duration) -> Result<(), Error> {
        let unsent = self.shared.wait(self.target, self.began.checked_add(deadline));
        if self.doing == "shutdown" && unsent > 0 {
            self.shared.drop_waiting();
        }
        let state = self.shared.state();
        let unsent = if self.doing == "shutdown" { unsent.max(state.given_up) } else { unsent };
        if unsent == 0 {
            return Ok(());
        }
        let (what, doing, in_hand) = (self.shared.what, self.doing, state.in_hand);
        let why = state.last_failure.as_deref().map(|why| format!(" ({why})")).unwrap_or_default();
        Err(Error::new(format_args!(
            "otlp: {doing}: {unsent} {what} not sent within {deadline:?}, {in_hand} of them on their way{why}"
        )))
    }
}

impl<T: Send + 'static> Shared<T> {
    /// Starts the thread, which tells whether it can send.
    fn start(self: &Arc<Self>) -> Result<mpsc::Receiver<Result<(), Error>>, Error> {
        let (ready, is_ready) = mpsc::sync_channel(1);
        let worker = Arc::clone(self);
        let thread = move || {
            record::silence_this_thread();
            worker.state().thread = Some(thread::current().id());
            // Here, because a runtime of tokio must not be dropped on a thread of another one.
            match Wire::new(&worker.settings) {
                Ok(mut wire) => {
                    ready.send(Ok(())).unwrap_or_default();
                    worker.run(&mut wire);
                }
                Err(error) => ready.send(Err(error)).unwrap_or_default(),
            }
            worker.end();
        };
        let builder = thread::Builder::new().name(self.settings.signal.thread_name().into());
        let failed = |error| Error::with_source("otlp: cannot start the thread that sends", error);
        builder.spawn(thread).map(|_| is_ready).map_err(failed)
    }

    /// In a child of a fork, which has no thread: begins anew. What waited is the parent's to send.
    #[cold]
    fn restart(self: &Arc<Self>) {
        let mut state = self.state();
        if state.has_thread || state.phase != Phase::Open {
            return;
        }
        state.has_thread = true;
        // Before anything new is queued.
        self.ledger().settle_dropped(u64::MAX);
        drop(state);
        // That it can send was seen in the parent; should that have changed, what comes is dropped and counted.
        if let Err(error) = self.start() {
            self.end();
            self.ledger().tell(&error);
        }
    }
}

impl<T> Shared<T> {
    /// In a child of a fork, without what was in it.
    #[inline]
    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock(State::start_over, State::new)
    }

    fn ledger(&self) -> &Arc<Ledger> {
        // As long as it hangs nowhere.
        self.ledger.get_or_init(|| Ledger::apart(self.what))
    }

    /// How many of those up to `target` are not settled at the deadline.
    fn wait(&self, target: u64, until: Option<Instant>) -> u64 {
        let mut state = self.state();
        if state.thread == Some(thread::current().id()) {
            // It would wait for itself.
            return 0;
        }
        let done = Arc::clone(&state.done);
        while state.settled < target && state.phase != Phase::Ended {
            let left =
                until.map_or(Duration::from_secs(3_600), |until| until.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return target - state.settled;
            }
            state = done.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        0
    }

    #[cold]
    fn drop_waiting(&self) {
        let mut state = self.state();
        let dropped = std::mem::take(&mut state.waiting);
        state.bytes = 0;
        state.settled += dropped.len() as u64;
        state.given_up += dropped.len() as u64;
        self.ledger().settle_dropped(dropped.len() as u64);
        state.done.notify_all();
        drop(state);
        // Their memory goes back outside the lock.
        drop(dropped);
    }

    fn end(&self) {
        self.drop_waiting();
        let mut state = self.state();
        state.phase = Phase::Ended;
        state.done.notify_all();
    }

    // --- on the thread

    fn run(&self, wire: &mut Wire) {
        while let Some((batch, bytes, lost)) = self.next_batch() {
            let count = batch.len() as u64;
            let sent = catch(|| {
                let request = (self.encode)(&batch, lost);
                drop(batch);
                self.send(wire, &request, count)
            });
            if let Err(panic) = sent {
                self.ledger().settle_failed(count);
                self.ledger().tell(&crate::handler::panicked("export", &panic));
            }
            let mut state = self.state();
            state.in_hand = 0;
            state.bytes = state.bytes.saturating_sub(bytes);
            state.settled += count;
            state.done.notify_all();
        }
    }

    /// Waits for a full batch, for the time it may be late, or for somebody who flushes. `None` at the end.
    fn next_batch(&self) -> Option<(Vec<T>, usize, u64)> {
        let mut state = self.state();
        let work = Arc::clone(&state.work);
        let mut due: Option<Instant> = None;
        loop {
            if state.is_given_up() || state.phase == Phase::Closing && state.waiting.is_empty() {
                return None;
            }
            if state.waiting.is_empty() {
                due = None;
                state.is_idle = true;
                state = work.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let is_asked = state.phase == Phase::Closing || state.settled < state.flush_to;
            let now = Instant::now();
            let at = *due.get_or_insert_with(|| now + self.limits.delay);
            if is_asked || state.waiting.len() >= self.limits.max_batch || now >= at {
                return Some(state.take_batch(self.limits.max_batch));
            }
            state = work.wait_timeout(state, at - now).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Sends one batch, again and again if it must be, and settles it.
    fn send(&self, wire: &mut Wire, request: &Request, count: u64) {
        let began = Instant::now();
        let mut backoff = Backoff::new();
        loop {
            let left = self.state().give_up_at.map(|at| at.saturating_duration_since(Instant::now()));
            let error = match wire.send(request, left) {
                Answer::Taken { rejected, message } => return self.taken(count, rejected.min(count), &message),
                Answer::Refused(error) => {
                    self.ledger().settle_failed(count);
                    return self.failed(&error);
                }
                Answer::Later { after, error } => {
                    let wait = after.unwrap_or_else(|| backoff.next());
                    let is_over = began.elapsed() + wait > self.limits.retry_for;
                    if !is_over {
                        if !backoff.is_told() {
                            self.failed(&error);
                        }
                        match self.pause(wait) {
                            true => continue,
                            // Given up on purpose, by the deadline of a shutdown.
                            false => {
                                self.state().given_up += count;
                                return self.ledger().settle_dropped(count);
                            }
                        }
                    }
                    error
                }
            };
            self.ledger().settle_failed(count);
            let spent = began.elapsed();
            let what = self.what;
            return self
                .failed(&Error::with_source(format_args!("otlp: {count} {what} given up after {spent:.1?}"), error));
        }
    }

    fn taken(&self, count: u64, rejected: u64, message: &str) {
        self.ledger().settle_written(count - rejected);
        self.state().last_failure = None;
        if rejected > 0 || !message.is_empty() {
            self.ledger().settle_failed(rejected);
            let what = self.what;
            self.failed(&Error::new(format_args!(
                "otlp: the collector rejected {rejected} of {count} {what}: {message:?}"
            )));
        }
    }

    /// Tells the trap, which is user code: not under the lock.
    fn failed(&self, error: &Error) {
        self.state().last_failure = Some(error.to_string());
        self.ledger().tell(error);
    }

    /// False if the deadline of a shutdown comes first.
    fn pause(&self, wait: Duration) -> bool {
        let until = Instant::now() + wait;
        let mut state = self.state();
        let work = Arc::clone(&state.work);
        loop {
            if state.is_given_up() {
                return false;
            }
            let now = Instant::now();
            if now >= until {
                return true;
            }
            let at = state.give_up_at.map_or(until, |at| at.min(until));
            let left = at.saturating_duration_since(now);
            state = work.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl<T> State<T> {
    fn new() -> Self {
        Self {
            phase: Phase::Open,
            has_thread: false,
            thread: None,
            work: Arc::default(),
            done: Arc::default(),
            waiting: VecDeque::new(),
            bytes: 0,
            in_hand: 0,
            put: 0,
            settled: 0,
            flush_to: 0,
            give_up_at: None,
            is_idle: false,
            lost: 0,
            given_up: 0,
            last_failure: None,
        }
    }

    /// In a child of a fork: without what waits, and without the thread. What was shut down stays so.
    fn start_over(&mut self) {
        let phase = if self.phase == Phase::Open { Phase::Open } else { Phase::Ended };
        *self = Self { phase, ..Self::new() };
    }

    fn wake(&mut self) {
        self.is_idle = false;
        self.work.notify_one();
    }

    fn is_given_up(&self) -> bool {
        self.give_up_at.is_some_and(|at| Instant::now() >= at)
    }

    fn take_batch(&mut self, most: usize) -> (Vec<T>, usize, u64) {
        let mut bytes = 0;
        let mut batch = Vec::with_capacity(most.min(self.waiting.len()));
        while let Some((_, next)) = self.waiting.front()
            && batch.len() < most
            && (batch.is_empty() || bytes + next <= BATCH_BYTES)
        {
            bytes += next;
            batch.extend(self.waiting.pop_front().map(|(item, _)| item));
        }
        self.in_hand = batch.len();
        (batch, bytes, std::mem::take(&mut self.lost))
    }
}
