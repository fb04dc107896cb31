//! A memory that is emptied when it is full or when a record is severe enough.

use std::{
    collections::VecDeque,
    fmt,
    sync::MutexGuard,
    thread::{self, ThreadId},
    time::Duration,
};

use super::{
    super::{end::is_ending, flush::Kind},
    account::{Held, Victims},
};
use crate::{
    Delivery, Description, Error, Flush, Handler, NamedHandler, Outcome, OwnedDelivery, Severity,
    fork::{self, ForkMutex, ForkRwLock},
};

/// Remembers records and hands them to a target when it is full, when a record is severe enough, or when it is flushed.
///
/// Python: `logging.handlers.MemoryHandler(capacity, flushLevel, target, flushOnClose)`.
///
/// ```
/// use std::sync::Arc;
/// use tracing_strata::{MemoryBuffer, Severity, output::Stream, prelude::*};
/// use tracing_subscriber::prelude::*;
///
/// let memory = Arc::new(MemoryBuffer::new(100).flush_at(Severity::ERROR).target(Stream::stdout()));
/// let subscriber = tracing_subscriber::registry().with(memory.clone().into_layer());
/// tracing::subscriber::with_default(subscriber, || {
///     tracing::info!("remembered");
///     assert_eq!(memory.len(), 1);
///     tracing::error!("both are written now");
///     assert_eq!(memory.len(), 0);
/// });
/// ```
///
/// # What makes it hand on
///
/// | | Python | here |
/// |---|---|---|
/// | it holds `capacity` records (0 and 1: each record) | yes | yes |
/// | a record of [`flush_at`](Self::flush_at) or above (ERROR) | yes | yes; that record is the last of them |
/// | it holds [`max_bytes`](Self::max_bytes) | | yes |
/// | `flush()` | yes | yes, and the target is flushed |
/// | it ends, or [`flush_all`](crate::flush_all) is called | with `flushOnClose` | with [`flush_on_close`](Self::flush_on_close) |
///
/// Records keep the time at which they happened. The target's own level ([`HandlerExt::min_level`](crate::HandlerExt::min_level), filters) counts; the level
/// that a [`NamedHandler`] target was [set](NamedHandler::set_level) to does not, as in Python.
///
/// # Differences from Python
/// - Without a target it keeps what it has, past its capacity, but never more than `max_bytes`: then the oldest are
///   dropped, and the target that comes is told how many.
/// - It goes on working after it was closed with the rest at the end of `main`.
/// - What it still holds when it is dropped, and may not or cannot hand on, is counted as dropped.
pub struct MemoryBuffer {
    capacity: usize,
    flush_at: Severity,
    flush_on_close: bool,
    max_bytes: usize,
    patience: Duration,
    /// Those who wait are told when nobody hands on any more.
    state: ForkMutex<State>,
    /// As in the state, for a child that has not got that.
    target: ForkRwLock<Option<NamedHandler>>,
}

#[derive(Default)]
struct State {
    held: Held,
    /// Memory for the next ones.
    spare: VecDeque<OwnedDelivery>,
    target: Option<NamedHandler>,
    /// Who is handing on.
    worker: Option<ThreadId>,
    /// It became due again meanwhile.
    is_due: bool,
    /// How many had no room since the last time.
    lost: u64,
}

const MAX_BYTES: usize = 4 << 20;
const PATIENCE: Duration = Duration::from_secs(5);

impl MemoryBuffer {
    /// A memory for so many records, without a target yet.
    pub fn new(capacity: usize) -> Self {
        fork::watch();
        Self {
            capacity,
            flush_at: Severity::ERROR,
            flush_on_close: true,
            max_bytes: MAX_BYTES,
            patience: PATIENCE,
            state: ForkMutex::default(),
            target: ForkRwLock::default(),
        }
    }

    /// From which severity on a record makes it hand on everything (default: ERROR). `Severity::OFF`: none does.
    pub fn flush_at(mut self, least: impl Into<Severity>) -> Self {
        self.flush_at = least.into();
        self
    }

    /// Whether it hands on what it holds when it ends and when [`flush_all`](crate::flush_all) is called (default: true).
    pub fn flush_on_close(mut self, flush: bool) -> Self {
        self.flush_on_close = flush;
        self
    }

    /// How many bytes the records it holds may take, about (default: 4 MiB), with the spans they happened in: those that
    /// a record shares with the one before it are counted once, others again.
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// How long a record waits at most for room while another thread hands on, and a flush for that thread's end
    /// (default: 5 s). After that the oldest records are dropped.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Where the records go. A [`NamedHandler`] keeps its name, ledger and trap; another handler gets its own.
    pub fn target(self, target: impl Handler) -> Self {
        self.set_target(target);
        self
    }

    /// Changes the target; what is held goes to the new one.
    pub fn set_target(&self, target: impl Handler) {
        drop(self.replace_target(Some(NamedHandler::around(target))));
    }

    /// Takes the target away: from now on records are kept until there is one again.
    pub fn clear_target(&self) {
        drop(self.replace_target(None));
    }

    /// Gives the one before, whose end may be a flush: let it come when nothing is locked.
    pub(crate) fn replace_target(&self, target: Option<NamedHandler>) -> Option<NamedHandler> {
        let mut state = self.state();
        let copy = self.target.set(target.clone());
        let before = std::mem::replace(&mut state.target, target);
        drop(state);
        drop(copy);
        before
    }

    /// How many records it holds.
    pub fn len(&self) -> usize {
        self.state().held.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many bytes the records it holds take, about, with their spans ([`max_bytes`](Self::max_bytes)).
    pub fn bytes(&self) -> usize {
        self.state().held.weight()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        let start_over = |state: &mut State| {
            // What was held before a fork is the parent's to hand on; nobody here does.
            drop(std::mem::take(&mut state.held));
            (state.worker, state.is_due, state.lost) = (None, false, 0);
        };
        let fresh = || State { target: self.target.get(), ..State::default() };
        self.state.lock(start_over, fresh)
    }

    /// Waits until another thread has handed on, if `while_so`.
    fn wait<'a>(&'a self, state: MutexGuard<'a, State>, while_so: impl Fn(&State) -> bool) -> MutexGuard<'a, State> {
        let busy = |state: &mut State| state.worker.is_some() && while_so(state);
        self.state.wait_while(state, self.patience, busy).0
    }

    /// Hands on until nothing is due. The lock is free while a handler is at work.
    fn hand_on<'a>(&'a self, mut state: MutexGuard<'a, State>) {
        state.worker = Some(thread::current().id());
        loop {
            let Some(target) = state.target.clone().filter(|_| !state.held.is_empty()) else { break };
            state.is_due = false;
            let lost = std::mem::take(&mut state.lost);
            let spare = std::mem::take(&mut state.spare);
            let held = std::mem::replace(&mut state.held, Held::reuse(spare));
            drop(state);

            let spare = held.hand_on(lost, |record| record.pass_on(target.past_level()));
            drop(target);

            state = self.state();
            state.spare = spare;
            if !state.is_due {
                break;
            }
        }
        state.worker = None;
        drop(state);
        self.state.notify_all();
    }

    fn give_up(&self) {
        let held = std::mem::take(&mut self.state().held);
        held.give_up();
    }

    /// Hands on what is there now, after what another thread is handing on. False if that takes too long.
    fn hand_on_all(&self) -> bool {
        let mut state = self.state();
        if state.worker == Some(thread::current().id()) {
            // Asked for by the target.
            return true;
        }
        if state.worker.is_some() {
            state.is_due = true;
            state = self.wait(state, |_| true);
        }
        if state.worker.is_some() {
            return false;
        }
        self.hand_on(state);
        true
    }
}

impl Handler for MemoryBuffer {
    fn handle(&self, delivery: Delivery<'_>) -> Result<Outcome, Error> {
        let weight = delivery.weight();
        let mut state = self.state();
        if state.worker.is_some_and(|worker| worker == thread::current().id()) {
            // It would be handed on and come back for ever.
            return Err(Error::new("memory: its target leads back to it"));
        }
        if state.worker.is_some() && state.held.weight() + weight > self.max_bytes {
            state = self.wait(state, |state| state.held.weight() + weight > self.max_bytes);
        }
        let severity = delivery.severity();
        state.held.push(delivery.take());
        let is_full = state.held.len() >= self.capacity || state.held.weight() >= self.max_bytes;
        let is_due = is_full || severity >= self.flush_at;
        if is_due && state.target.is_some() && state.worker.is_none() {
            self.hand_on(state);
            return Ok(Outcome::Queued);
        }
        state.is_due |= is_due;
        let mut victims = Victims::default();
        while state.held.weight() > self.max_bytes
            && let Some(oldest) = state.held.shift()
        {
            victims.push(oldest);
        }
        state.lost += victims.len() as u64;
        drop(state);
        victims.give_up();
        Ok(Outcome::Queued)
    }

    fn flush(&self, how: &Flush) -> Result<(), Error> {
        let target = || self.state().target.clone();
        if how.is_barrier() {
            return target().map_or(Ok(()), |target| Handler::flush(&target, how));
        }
        if how.is_last() && !self.flush_on_close {
            if is_ending() {
                self.give_up();
            }
            return Ok(());
        }
        if !self.hand_on_all() {
            return Err(Error::new(format_args!(
                "memory: another thread is still handing on after {:?}",
                self.patience
            )));
        }
        // As before: the target is flushed, not finished; it may have other ends.
        target().map_or(Ok(()), |target| Handler::flush(&target, &Flush { kind: Kind::Plain, ..*how }))
    }

    fn describe(&self) -> Description {
        Description::new("memory")
    }
}

impl Drop for MemoryBuffer {
    fn drop(&mut self) {
        if self.flush_on_close {
            self.hand_on_all();
        }
        self.give_up();
    }
}

impl fmt::Debug for MemoryBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryBuffer")
            .field("capacity", &self.capacity)
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}
