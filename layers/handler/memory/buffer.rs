//! A buffer that is flushed when it is full or a record is severe enough.

use std::{
    collections::VecDeque,
    fmt,
    sync::MutexGuard,
    thread::{self, ThreadId},
    time::Duration,
};

use super::{
    super::{exit::is_exiting, flush::Kind},
    buffered::Buffered,
};
use crate::{
    Delivery, Description, Error, Flush, Handler, NamedHandler, Outcome, OwnedDelivery, Severity,
    fork::{self, ForkMutex, ForkRwLock},
};

/// Buffers records and passes them to a target when it is full, when a record is severe enough, or when it is flushed.
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
/// # When it passes records on
///
/// | | Python | here |
/// |---|---|---|
/// | it holds `capacity` records (0 and 1: each record) | yes | yes |
/// | a record of [`flush_at`](Self::flush_at) or above (ERROR) | yes | yes; that record is the last of them |
/// | it holds [`max_bytes`](Self::max_bytes) | | yes |
/// | `flush()` | yes | yes, and the target is flushed |
/// | it ends, or [`flush_all`](crate::flush_all) is called | with `flushOnClose` | with [`flush_on_close`](Self::flush_on_close) |
///
/// Records keep the time at which they happened. The target's own level ([`min_level`](crate::HandlerExt::min_level))
/// and filters apply; a level [set](NamedHandler::set_level) on a [`NamedHandler`] target does not, as in Python.
///
/// # Differences from Python
/// - Without a target it keeps what it has, past its capacity, but never more than `max_bytes`: then the oldest are
///   dropped, and the next target gets a notice with their number.
/// - It still works after [`flush_all`](crate::flush_all) at the end of `main`.
/// - Records it still has when it is dropped, and may not or cannot pass on, count as dropped.
pub struct MemoryBuffer {
    capacity: usize,
    flush_at: Severity,
    flush_on_close: bool,
    max_bytes: usize,
    timeout: Duration,
    /// Notified when no thread passes records on any more.
    state: ForkMutex<State>,
    /// A copy, for the child of a fork that cannot get at the state.
    target: ForkRwLock<Option<NamedHandler>>,
}

#[derive(Default)]
struct State {
    buffered: Buffered,
    /// Memory for the next records.
    spare: VecDeque<OwnedDelivery>,
    target: Option<NamedHandler>,
    /// The thread that passes records on.
    worker: Option<ThreadId>,
    /// There are more to pass on.
    is_due: bool,
    /// How many were evicted since the last time.
    lost: u64,
}

const MAX_BYTES: usize = 4 << 20;
const TIMEOUT: Duration = Duration::from_secs(5);

impl MemoryBuffer {
    /// A buffer for `capacity` records, without a target.
    pub fn new(capacity: usize) -> Self {
        fork::watch();
        Self {
            capacity,
            flush_at: Severity::ERROR,
            flush_on_close: true,
            max_bytes: MAX_BYTES,
            timeout: TIMEOUT,
            state: ForkMutex::default(),
            target: ForkRwLock::default(),
        }
    }

    /// A record of this severity or above makes it pass everything on (default: ERROR). `Severity::OFF`: none does.
    pub fn flush_at(mut self, severity: impl Into<Severity>) -> Self {
        self.flush_at = severity.into();
        self
    }

    /// Whether it passes its records on when it is dropped and when [`flush_all`](crate::flush_all) is called (default:
    /// true).
    pub fn flush_on_close(mut self, flush: bool) -> Self {
        self.flush_on_close = flush;
        self
    }

    /// The most bytes its records may take, approximately (default: 4 MiB), with their spans. A span that a record
    /// shares with the one before it counts once.
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// How long a record waits for space while another thread passes records on, and a flush for the end of that
    /// (default: 5 s). After that the oldest records are dropped.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The target. A [`NamedHandler`] keeps its name, ledger and error handler; another handler gets new ones.
    pub fn target(self, target: impl Handler) -> Self {
        self.set_target(target);
        self
    }

    /// Changes the target; buffered records go to the new one.
    pub fn set_target(&self, target: impl Handler) {
        drop(self.replace_target(Some(NamedHandler::named_or_wrapped(target))));
    }

    /// Removes the target: records stay until there is one again.
    pub fn clear_target(&self) {
        drop(self.replace_target(None));
    }

    /// Returns the old target. Its drop may flush, so drop it under no lock.
    pub(crate) fn replace_target(&self, target: Option<NamedHandler>) -> Option<NamedHandler> {
        let mut state = self.state();
        let copy = self.target.set(target.clone());
        let before = std::mem::replace(&mut state.target, target);
        drop(state);
        drop(copy);
        before
    }

    /// The number of buffered records.
    pub fn len(&self) -> usize {
        self.state().buffered.len()
    }

    /// Whether no record is buffered.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The size of the buffered records, approximately, with their spans ([`max_bytes`](Self::max_bytes)).
    pub fn bytes(&self) -> usize {
        self.state().buffered.weight()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        let reset = |state: &mut State| {
            // Records from before a fork are the parent's.
            drop(std::mem::take(&mut state.buffered));
            (state.worker, state.is_due, state.lost) = (None, false, 0);
        };
        let fresh = || State { target: self.target.get(), ..State::default() };
        self.state.lock(reset, fresh)
    }

    /// Waits while another thread passes records on and `while_so` holds, up to the timeout.
    fn wait<'a>(&'a self, state: MutexGuard<'a, State>, while_so: impl Fn(&State) -> bool) -> MutexGuard<'a, State> {
        let busy = |state: &mut State| state.worker.is_some() && while_so(state);
        self.state.wait_while(state, self.timeout, busy).0
    }

    /// Passes records on until none are due. No lock is held while a handler runs.
    fn pass_on<'a>(&'a self, mut state: MutexGuard<'a, State>) {
        state.worker = Some(thread::current().id());
        loop {
            let Some(target) = state.target.clone().filter(|_| !state.buffered.is_empty()) else { break };
            state.is_due = false;
            let lost = std::mem::take(&mut state.lost);
            let spare = std::mem::take(&mut state.spare);
            let buffered = std::mem::replace(&mut state.buffered, Buffered::reuse(spare));
            drop(state);

            let spare = buffered.pass_on(lost, |record| record.pass_on(target.ignoring_level()));
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

    fn discard(&self) {
        let buffered = std::mem::take(&mut self.state().buffered);
        buffered.discard();
    }

    /// Passes all records on; first waits for another thread that does so. False if that takes too long.
    fn pass_on_all(&self) -> bool {
        let mut state = self.state();
        if state.worker == Some(thread::current().id()) {
            // The target flushes it.
            return true;
        }
        if state.worker.is_some() {
            state.is_due = true;
            state = self.wait(state, |_| true);
        }
        if state.worker.is_some() {
            return false;
        }
        self.pass_on(state);
        true
    }
}

impl Handler for MemoryBuffer {
    fn handle(&self, delivery: Delivery<'_>) -> Result<Outcome, Error> {
        let weight = delivery.weight();
        let mut state = self.state();
        if state.worker.is_some_and(|worker| worker == thread::current().id()) {
            // The record would come back for ever.
            return Err(Error::new("memory: its target leads back to it"));
        }
        if state.worker.is_some() && state.buffered.weight() + weight > self.max_bytes {
            state = self.wait(state, |state| state.buffered.weight() + weight > self.max_bytes);
        }
        let severity = delivery.severity();
        state.buffered.push(delivery.take());
        let is_full = state.buffered.len() >= self.capacity || state.buffered.weight() >= self.max_bytes;
        let is_due = is_full || severity >= self.flush_at;
        if is_due && state.target.is_some() && state.worker.is_none() {
            self.pass_on(state);
            return Ok(Outcome::Queued);
        }
        state.is_due |= is_due;
        let (evicted, count) = state.buffered.evict_while(|buffered| buffered.weight() > self.max_bytes);
        state.lost += count as u64;
        drop(state);
        // Not under the lock: a fallback is user code.
        evicted.for_each(OwnedDelivery::dropped);
        Ok(Outcome::Queued)
    }

    fn flush(&self, how: &Flush) -> Result<(), Error> {
        let target = || self.state().target.clone();
        if how.is_barrier() {
            return target().map_or(Ok(()), |target| Handler::flush(&target, how));
        }
        if how.is_last() && !self.flush_on_close {
            if is_exiting() {
                self.discard();
            }
            return Ok(());
        }
        if !self.pass_on_all() {
            return Err(Error::new(format_args!(
                "memory: another thread is still handing on after {:?}",
                self.timeout
            )));
        }
        // Not for the last time: the target may be used elsewhere, too.
        target().map_or(Ok(()), |target| Handler::flush(&target, &Flush { kind: Kind::Plain, ..*how }))
    }

    fn describe(&self) -> Description {
        Description::new("memory")
    }
}

impl Drop for MemoryBuffer {
    fn drop(&mut self) {
        if self.flush_on_close {
            self.pass_on_all();
        }
        self.discard();
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
