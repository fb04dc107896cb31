//! Hands records to a thread of its own.
//!
//! Python: `logging.handlers.QueueHandler` and `QueueListener`.
//!
//! # What happens where
//!
//! | on the caller's thread | on the listener's |
//! |---|---|
//! | the event is captured, typed, with its spans; `Debug` and `Display` run | formats, filters and rewrites of the handlers behind the queue |
//! | room is taken from the queue's limits | writing; for files and other sinks that [support batching](crate::sink::SinkProperties::supports_batching), 64 KiB at once |
//!
//! A record keeps its time, thread, and spans as they were. Each thread's order is kept (but for what more than 64 threads at
//! a time log while they end, from the destructors of thread-locals); between threads, records come by
//! the time of their capture within what the listener takes at once.
//!
//! Each thread has a lane of its own in the queue and shares nothing with others but, now and then, the count of what is
//! free. While records come, the listener looks by itself every millisecond; callers wake it only after a pause, when the
//! queue is half full, and for records of ERROR and above.
//!
//! # The account
//! Records are `queued` on the ledger of the place where the queue hangs, until the handler behind it has written, filtered,
//! dropped or failed them. What the handler holds back itself (a buffered file) stays queued. "N records lost" and "queue
//! health" are records of the handler, too, and on its account. Their `queue` is the name of that place (`.named("app")` of
//! the layer), unless the queue was given [one](QueueBuilder::name).
//!
//! # When it blocks
//! Under [`Overflow::Block`] (the default) a caller waits while the queue is full: within an async runtime, that holds up a
//! worker. Callers get room in the order they came, so that a large record gets its turn among many small ones, and are woken
//! when a quarter of the queue is free (where the handler takes long for a record: with each). [`WorkerGuard::flush`], [`WorkerGuard::shutdown`] and the drop of the guard wait for their deadline at most. The
//! policies that drop never wait.
//!
//! # Failures
//! An error or panic of the handler is counted, told to the [error_handler](crate::ledger::ErrorHandler) of the place where the queue hangs,
//! and gone on from. Records that find no room are counted by severity ([`QueueStats::lost`]), and told in-band: a record
//! "N records lost" with the fields `lost`, `lost.<severity>`, `from`, `to` and `queue`, at WARN or the highest severity
//! lost, about where they would have been, at most once a second while there are always more. What could not be told so (the
//! handler hangs, or refuses the notice) is told to the trap when the queue ends, and counted in what is said at exit
//! ([`exit`](crate::shutdown)). So is what comes after the shutdown; the first of these is told to the trap at once.
//! Should the listener's thread itself end by a panic, the trap is told at once, what waits is counted as lost, as is all
//! that comes, and every flush and shutdown is an error.
//! A flush or shutdown on the listener's own thread (within a handler) is an error: it cannot wait for itself. What the process has not
//! written when it is killed is lost; nothing here may be called in a signal handler.
//!
//! What handlers on the listener's thread log with `tracing` themselves is dropped, and counted by each handler of this crate
//! that would have taken it.
//!
//! # Differences from Python
//! - The queue is bounded, in records and bytes, and callers wait where it is full; Python's default is a queue without
//!   bounds, and a full one loses the record and prints to stderr.
//! - The listener starts with the queue; there is no `start()` and `stop()`, but a guard.
//! - Records are not formatted before they are queued (`prepare()`): they stay typed, and nothing they hold changes later.
//! - Handlers behind the queue keep their own levels (`respect_handler_level=True`).
//! - `enqueue()`, `dequeue()` and `prepare()` are not there to be overridden: what a record is to be before it is queued, a
//!   [`transform`](crate::HandlerExt::transform) of the queue makes of it, and what takes records instead is a
//!   [`Handler`] of its own.

mod books;
mod builder;
mod core;
mod death;
mod guard;
mod health;
mod listener;
mod lost;
mod meter;

use std::{
    fmt,
    sync::{Arc, Weak},
    thread::ThreadId,
    time::{Duration, Instant},
};

use self::core::Core;
pub use self::{builder::QueueBuilder, guard::WorkerGuard, health::QueueStats, lost::LossCounts};
pub use super::worker::Overflow;
use super::{Delivery, Flush, Handler, Outcome, panicked, worker::Wish};
use crate::{Description, Error, Severity, fork::ForkRwLock, ledger::Ledger, unwind::catch};

/// A handler, or several, behind a bounded queue: the caller captures the record and goes on; formatting and writing
/// happen on a listener thread.
///
/// The simplest has no guard: its end is that of the queue, or the process's exit.
///
/// ```
/// use tracing_strata::{Queue, prelude::*, output::Stream};
/// use tracing_subscriber::prelude::*;
///
/// let queue = Queue::builder().build(Stream::stderr())?;
/// tracing_subscriber::registry().with(queue.into_layer().named("console")).init();
/// # Ok::<(), tracing_strata::Error>(())
/// ```
///
/// With a guard one chooses when it ends. **The guard is to be kept**: `let (file, _) = …` drops it at once, and with it the
/// queue is shut down and takes nothing (the trap is told with the first record).
///
/// ```
/// use std::time::Duration;
/// use tracing_strata::{Queue, prelude::*, format::Json, handler::queue::Overflow, output::LogFile};
/// use tracing_subscriber::prelude::*;
///
/// # let path = std::env::temp_dir().join(format!("strata-queue-{}.jsonl", std::process::id()));
/// let file = LogFile::builder(&path).format(Json::new()).build()?;
/// let (file, guard) = Queue::builder().capacity(8_192).overflow(Overflow::DropOldest).build_with_guard(file)?;
/// let subscriber = tracing_subscriber::registry().with(file.into_layer());
/// tracing::subscriber::with_default(subscriber, || tracing::info!(user = 7, "paid"));
/// guard.shutdown(Duration::from_secs(5))?;
/// assert!(std::fs::read_to_string(&path)?.contains("paid"));
/// # std::fs::remove_file(path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Queue {
    core: Arc<Core>,
    /// Without a guard, the queue itself waits for its records.
    is_owner: bool,
}

impl Queue {
    /// A queue, with its limits to be chosen.
    pub fn builder() -> QueueBuilder {
        QueueBuilder::default()
    }

    /// How the queue is doing.
    pub fn health(&self) -> QueueStats {
        self.core.health()
    }
}

impl Handler for Queue {
    #[inline]
    fn handle(&self, delivery: Delivery<'_>) -> Result<Outcome, Error> {
        Ok(self.core.take(delivery))
    }

    /// Waits for the queue's [`drain`](QueueBuilder::flush_timeout) deadline at most.
    fn flush(&self, how: &Flush) -> Result<(), Error> {
        if !how.waits {
            return Ok(());
        }
        let wish = match () {
            () if how.is_last() => Wish::Last,
            () if how.is_barrier() => Wish::Barrier,
            () => Wish::Flush,
        };
        let began = Instant::now();
        let result = self.core.flush(wish, self.core.drain, self.core.drain);
        if *how == Flush::END {
            self.core.has_waited(began.elapsed());
        }
        result
    }

    fn describe(&self) -> Description {
        Description::new(self.core.job.first_name.clone())
            .min_level(self.core.handler().map_or(Severity::ALL, |handler| handler.describe().min_level))
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        if self.is_owner {
            // The trap was told.
            self.core.end_in_time().unwrap_or_default();
        }
        if self.core.is_shut() {
            self.core.tell_the_rest();
        }
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").field("name", &self.core.name()).finish_non_exhaustive()
    }
}

static ALL: ForkRwLock<Vec<Weak<Core>>> = ForkRwLock::first(Vec::new());

fn register(core: &Arc<Core>) {
    let mut all = ALL.write();
    all.retain(|other| other.strong_count() > 0);
    all.push(Arc::downgrade(core));
}

fn all() -> Vec<Arc<Core>> {
    ALL.read().iter().filter_map(Weak::upgrade).collect()
}

/// A queue that did not get done, for what its handler holds back.
pub(super) struct Stuck(Arc<Core>);

impl Stuck {
    /// Flushes the handler behind the queue, on this thread.
    pub(super) fn finish_behind(&self) -> Result<(), Error> {
        let core = &self.0;
        let finish = || core.handler().map_or(Ok(()), |handler| handler.flush(&Flush::LAST.without_waiting()));
        let result = catch(finish).unwrap_or_else(|panic| Err(panicked("finish", &panic)));
        if let Err(error) = &result {
            core.ledger().report_error(error);
        }
        result
    }
}

/// Brings what waits in all queues to its place, in all of them at once, each within its own `drain` deadline and all
/// within `cap`: for the end of a process that nobody shuts down. `caller` waits for it: a queue whose listener that is
/// will not get done. Gives those that did not, and why the first did not.
pub(super) fn drain_all(cap: Duration, caller: ThreadId) -> (Vec<Stuck>, Result<(), Error>) {
    let began = Instant::now();
    // A queue may hand on to one that was made before it.
    let asked: Vec<_> = all().into_iter().rev().map(|core| (core.ask(Wish::Last, caller), core)).collect();
    let (mut stuck, mut first) = (Vec::new(), Ok(()));
    for (asked, core) in asked {
        let most = core.drain.min(cap);
        let result = core.wait_for(asked.as_ref(), most.saturating_sub(began.elapsed()), most);
        match result {
            Ok(Ok(())) => {}
            Ok(failed) => first = first.and(failed),
            Err(error) => {
                first = first.and(Err(error));
                stuck.push(Stuck(core));
            }
        }
    }
    (stuck, first)
}

/// How many records were lost of which no log tells, and in whose account.
pub(super) fn owed() -> Vec<(Arc<Ledger>, u64)> {
    all().iter().map(|core| (Arc::clone(core.ledger()), core.books().owed())).collect()
}

/// How many more are so in one account since this was asked last.
pub(super) fn report_owed(ledger: &Arc<Ledger>) -> u64 {
    let is_it = |core: &&Arc<Core>| Arc::ptr_eq(core.ledger(), ledger);
    all().iter().filter(is_it).map(|core| core.books().report()).sum()
}

/// Whether there is any queue.
pub(super) fn is_any() -> bool {
    !all().is_empty()
}

/// In a child of a fork: every queue begins anew, with a listener of its own. What waited is the parent's to write.
pub(crate) fn after_fork() {
    all().iter().for_each(Core::restart);
}
