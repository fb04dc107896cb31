//! How a queue is made.

use std::{sync::Arc, time::Duration};

use super::{
    Overflow, Queue, WorkerGuard,
    core::{Core, Records},
};
use crate::{
    Error, HandlerExt as _, Severity,
    handler::{
        Handler,
        worker::{Limits, Worker},
    },
};

/// What a queue holds and does. Made by [`Queue::builder`].
///
/// | option | default |
/// |---|---|
/// | [`capacity`](Self::capacity) | 8,192 records |
/// | [`max_bytes`](Self::max_bytes) | 32 MiB |
/// | [`overflow`](Self::overflow) | [`Overflow::BLOCK`]: callers wait, nothing is lost |
/// | [`priority_level`](Self::priority_level) | ERROR and above |
/// | [`flush_timeout`](Self::flush_timeout) | 5 s |
/// | [`report_every`](Self::report_every) | never |
/// | [`name`](Self::name) | the handler's default name |
#[derive(Clone, Debug)]
#[must_use]
pub struct QueueBuilder {
    limits: Limits,
    priority_level: Severity,
    flush_timeout: Duration,
    report_every: Option<Duration>,
    name: Option<String>,
}

impl Default for QueueBuilder {
    fn default() -> Self {
        let limits = Limits { capacity: 8_192, max_bytes: 32 << 20, overflow: Overflow::BLOCK };
        let flush_timeout = Duration::from_secs(5);
        Self { limits, priority_level: Severity::ERROR, flush_timeout, report_every: None, name: None }
    }
}

impl QueueBuilder {
    /// How many records may wait.
    pub fn capacity(mut self, records: usize) -> Self {
        self.limits.capacity = records;
        self
    }

    /// How much memory the waiting records may take, in bytes. A record that takes more by itself is lost.
    ///
    /// Each record counts with all the spans it happened in, of which several records have the same: what is really
    /// taken is less. [Globals](crate::HandlerLayer::globals) are not counted.
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.limits.max_bytes = bytes;
        self
    }

    /// What happens to a record that finds no room.
    pub fn overflow(mut self, overflow: Overflow) -> Self {
        self.limits.overflow = overflow;
        self
    }

    /// From which severity on records are not given up while there are others.
    pub fn priority_level(mut self, min_level: impl Into<Severity>) -> Self {
        self.priority_level = min_level.into();
        self
    }

    /// How long dropping the guard (or the queue that [owns](Self::build) its listener) and a plain
    /// [`flush`](Handler::flush) wait at most.
    pub fn flush_timeout(mut self, deadline: Duration) -> Self {
        self.flush_timeout = deadline;
        self
    }

    /// Logs how the queue is doing, at INFO and in the handler's own format: "queue health" with the fields of
    /// [`QueueStats`](super::QueueStats): `queue`, `depth`, `high_water`, `bytes`, `bytes_high_water`, `oldest_ms` (where something
    /// waits), `lost` and `lost.<severity>` (of those of which some were lost), `waits`, `busy`. The records are on the
    /// handler's account. The time runs from when one is written to when the next one is due.
    ///
    /// The listener makes them, between batches: while the handler hangs there are none, nor while the queue is shut down. Then
    /// [`Queue::stats`](super::Queue::stats) and [`WorkerGuard::stats`](super::WorkerGuard::stats) tell, from outside.
    pub fn report_every(mut self, interval: Duration) -> Self {
        self.report_every = Some(interval);
        self
    }

    /// What the queue's thread, its errors and its notices call it (default: the thread has the handler's default name, the
    /// others that of the place where the queue hangs), and the handler where nobody gives it a name.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Starts the listener. Several handlers, each with its own level and format, come as a [`Tee`](crate::Tee).
    ///
    /// # Errors
    /// A limit or the interval of the reports is zero, or the system gives no thread.
    pub fn build_with_guard(self, handler: impl Handler) -> Result<(Queue, WorkerGuard), Error> {
        let core = self.start(handler.boxed())?;
        Ok((Queue { core: Arc::clone(&core), is_owner: false }, WorkerGuard::new(core)))
    }

    /// Starts the listener of a queue that needs no guard: dropping the queue shuts it down.
    ///
    /// # Errors
    /// As for [`build_with_guard`](Self::build_with_guard).
    pub fn build(self, handler: impl Handler) -> Result<Queue, Error> {
        Ok(Queue { core: self.start(handler.boxed())?, is_owner: true })
    }

    fn start(self, handler: Box<dyn Handler>) -> Result<Arc<Core>, Error> {
        let Self { limits, priority_level, flush_timeout, report_every, name } = self;
        let is_named = name.is_some();
        let name = name.unwrap_or_else(|| handler.describe().name);
        for (limit, value) in [("capacity", limits.capacity), ("max_bytes", limits.max_bytes)] {
            if value == 0 {
                return Err(Error::config(format_args!("queue {name:?}: {limit}: expected 1 or more, got 0")));
            }
        }
        if report_every.is_some_and(|interval| interval.is_zero()) {
            return Err(Error::config(format_args!("queue {name:?}: report_every: expected some time, got 0")));
        }
        let thread_name = format!("strata-{name}");
        let records = Records::new(name, is_named, priority_level, report_every, handler.into());
        let core = Worker::new(records, &thread_name, limits, flush_timeout);
        core.start().map_err(|error| core.no_thread(error))?;
        super::ALL.add(Arc::downgrade(&core));
        Ok(core)
    }
}
