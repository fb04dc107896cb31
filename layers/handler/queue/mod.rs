//! Hands records to a worker thread.
//!
//! Python: `logging.handlers.QueueHandler` and `QueueListener`.
//!
//! # What happens where
//!
//! | on the caller's thread | on the worker thread |
//! |---|---|
//! | captures the event, typed, with its spans; runs `Debug` and `Display` | runs formats, filters and transforms of the handlers behind the queue |
//! | reserves capacity | writes; to files and other sinks that support batching, 64 KiB at once |
//!
//! A record keeps its time, thread and spans. Each thread's records stay in order, except for records that more than 64
//! threads at once emit in the destructors of thread-locals. Between threads, the order is by time within what the
//! worker takes at once.
//!
//! Each thread has a shard of its own in the queue. It shares nothing with other threads except, now and then, the free
//! capacity. While records come, the worker looks into the shards every millisecond. Callers wake it only after a
//! pause, when the queue is half full, and for records of ERROR and above.
//!
//! # Ledger
//! Records are `queued` on the ledger of the handler or layer that contains the queue, until the handler behind the
//! queue has written, filtered, dropped or failed them. What that handler buffers itself (a file) stays queued. "N
//! records lost" and "queue health" are records of the handler, too, on the same ledger. Their `queue` is the name of
//! that ledger (`.named("app")` of the layer), unless the queue has [its own](QueueBuilder::name).
//!
//! # When it blocks
//! Under [`Overflow::Block`] (the default) a caller waits while the queue is full: in an async runtime, that blocks a
//! worker of the runtime. Callers get capacity in the order they came, so that a large record gets its turn among many
//! small ones. They are woken when a quarter of the queue is free (with each record where the handler is slow). The
//! policies that drop never wait. [`WorkerGuard::flush`], [`WorkerGuard::shutdown`] and the drop of the guard wait for
//! their timeout at most.
//!
//! # Failures
//! An error or panic of the handler is counted, the [error handler](crate::ledger::ErrorHandler) of the ledger gets it,
//! and the queue continues. Records that do not fit are counted by severity ([`QueueStats::lost`]) and reported
//! in-band: a record "N records lost" with the fields `lost`, `lost.<severity>`, `from`, `to` and `queue`, at WARN or
//! the highest severity lost, about where the lost records would have been, at most once a second. Where that is
//! impossible (the handler hangs, or refuses the notice), the error handler gets the number when the queue ends, and it
//! counts among the losses reported at [exit](crate::shutdown). So do records after the shutdown; the error handler
//! gets the first of these at once. If the worker thread itself panics, the error handler gets that at once, waiting
//! and later records count as lost, and each flush and shutdown is an error. A flush or shutdown on the worker thread
//! (inside a handler) is an error: it cannot wait for itself. What is not written when the process is killed is lost.
//! No function here may be called in a signal handler.
//!
//! What handlers log with `tracing` on the worker thread is dropped, and counted by each handler of this crate that
//! would have taken it.
//!
//! # Differences from Python
//! - The queue is bounded, in records and bytes, and callers wait where it is full. Python's default queue has no
//!   bounds; a full one loses the record and prints to stderr.
//! - The worker starts with the queue. There is a guard instead of `start()` and `stop()`.
//! - Records are not formatted before they are queued (`prepare()`): they stay typed, and do not change later.
//! - Handlers behind the queue keep their own levels (`respect_handler_level=True`).
//! - `enqueue()`, `dequeue()` and `prepare()` cannot be overridden. A [`transform`](crate::HandlerExt::transform) of
//!   the queue changes records before they are queued; a custom [`Handler`] can take records instead of the queue.

mod builder;
mod consumer;
mod core;
mod counters;
mod guard;
mod item;
mod loss_counts;
mod stats;

mod utilization;

use std::{
    fmt,
    sync::Arc,
    thread::ThreadId,
    time::{Duration, Instant},
};

use self::core::Core;
pub use self::{builder::QueueBuilder, guard::WorkerGuard, loss_counts::LossCounts, stats::QueueStats};
pub use super::worker::Overflow;
use super::{Delivery, Flush, Handler, Outcome, worker::Command};
use crate::{
    Description, Error, Severity,
    ledger::Ledger,
    unwind::{catch, panicked},
    weak_list::WeakList,
};

/// One or more handlers behind a bounded queue: the caller captures the record and goes on; a worker thread formats and
/// writes it.
///
/// The simplest form has no guard: it ends when the queue is dropped or the process exits.
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
/// A guard chooses when it ends. **Keep the guard**: `let (file, _) = …` drops it at once, which shuts the queue down,
/// and it takes no records (the error handler gets that with the first one).
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
    /// Without a guard, the drop of the queue shuts it down.
    is_owner: bool,
}

impl Queue {
    /// Builds a queue.
    pub fn builder() -> QueueBuilder {
        QueueBuilder::default()
    }

    /// How the queue is doing.
    pub fn stats(&self) -> QueueStats {
        self.core.stats()
    }

    /// Starts the worker. Once.
    pub(crate) fn start(&self) -> Result<(), Error> {
        self.core.start().map_err(|error| self.core.no_thread(error))?;
        ALL.add(Arc::downgrade(&self.core));
        Ok(())
    }
}

impl Handler for Queue {
    #[inline]
    fn handle(&self, delivery: Delivery<'_>) -> Result<Outcome, Error> {
        Ok(self.core.take(delivery))
    }

    /// Waits for the queue's [`flush_timeout`](QueueBuilder::flush_timeout) at most.
    fn flush(&self, how: &Flush) -> Result<(), Error> {
        if !how.waits {
            return Ok(());
        }
        let command = match () {
            () if how.is_last() => Command::Last,
            () if how.is_barrier() => Command::Barrier,
            () => Command::Flush,
        };
        let began = Instant::now();
        let result = self.core.flush(command, self.core.flush_timeout);
        if *how == Flush::END {
            self.core.has_waited(began.elapsed());
        }
        result
    }

    fn describe(&self) -> Description {
        Description::new(self.core.job.default_name.clone())
            .min_level(self.core.handler().map_or(Severity::ALL, |handler| handler.describe().min_level))
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        if self.is_owner {
            // The error handler got the error.
            self.core.end_in_time().unwrap_or_default();
        }
        if self.core.is_shut() {
            self.core.report_remaining();
        }
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").field("name", &self.core.name()).finish_non_exhaustive()
    }
}

static ALL: WeakList<Core> = WeakList::new();

/// A queue that was not drained in time.
pub(super) struct Undrained(Arc<Core>);

impl Undrained {
    /// Flushes the handler behind the queue, on this thread.
    pub(super) fn flush_handler(&self) -> Result<(), Error> {
        let core = &self.0;
        let flush = || core.handler().map_or(Ok(()), |handler| handler.flush(&Flush::LAST.without_waiting()));
        let result = catch(flush).unwrap_or_else(|panic| Err(panicked("finish", &panic)));
        result.inspect_err(|error| core.ledger().report_error(error))
    }
}

/// Drains all queues at once, each within its own `flush_timeout` and all within `cap`: for the end of a process.
/// `caller` is the thread that waits: if it is a queue's own, that queue cannot be drained. Returns those that are not
/// drained, and the first error.
pub(super) fn drain_all(cap: Duration, caller: ThreadId) -> (Vec<Undrained>, Result<(), Error>) {
    // A queue may pass records on to one that was made before it.
    let begin = |core: Arc<Core>| (core.begin_flush(Command::Last, caller), core);
    let pending: Vec<_> = ALL.all().into_iter().rev().map(begin).collect();
    let (mut undrained, mut first) = (Vec::new(), Ok(()));
    for (pending, core) in pending {
        match core.wait_for(pending.as_ref(), core.flush_timeout.min(cap)) {
            Ok(result) => first = first.and(result),
            Err(error) => {
                first = first.and(Err(error));
                undrained.push(Undrained(core));
            }
        }
    }
    (undrained, first)
}

/// How many lost records no log mentions, by ledger.
pub(super) fn unreported_losses() -> Vec<(Arc<Ledger>, u64)> {
    ALL.all().iter().map(|core| (Arc::clone(core.ledger()), core.counters().unreported())).collect()
}

/// How many more there are on one ledger since the last call.
pub(super) fn take_unreported_losses(ledger: &Arc<Ledger>) -> u64 {
    let is_on_it = |core: &&Arc<Core>| Arc::ptr_eq(core.ledger(), ledger);
    ALL.all().iter().filter(is_on_it).map(|core| core.counters().tell_flush_all()).sum()
}

pub(super) fn is_any() -> bool {
    !ALL.all().is_empty()
}

/// The name and stats of each queue in use, in the order they were made.
#[cfg(feature = "metrics")]
pub(crate) fn stats_of_all() -> Vec<(String, QueueStats)> {
    ALL.all().iter().map(|core| (core.name().to_string(), core.stats())).collect()
}

/// In the child of a fork: restarts every queue. Records in them are the parent's.
pub(crate) fn after_fork() {
    ALL.all().iter().for_each(Core::restart);
}
