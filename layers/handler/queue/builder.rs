//! The builder of a queue.

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

/// The options of a queue. Made by [`Queue::builder`].
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
    /// The most records that may wait.
    pub fn capacity(mut self, records: usize) -> Self {
        self.limits.capacity = records;
        self
    }

    /// The most memory that waiting records may take, in bytes. A single record larger than this is lost.
    ///
    /// Each record counts with all its spans, which several records share: the real use is lower.
    /// [Globals](crate::HandlerLayer::globals) do not count.
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.limits.max_bytes = bytes;
        self
    }

    /// What a full queue does with one more record.
    pub fn overflow(mut self, overflow: Overflow) -> Self {
        self.limits.overflow = overflow;
        self
    }

    /// Records of this severity and above are not dropped while there are lower ones.
    pub fn priority_level(mut self, min_level: impl Into<Severity>) -> Self {
        self.priority_level = min_level.into();
        self
    }

    /// How long the drop of the guard (or of the queue, [without a guard](Self::build)) and a plain
    /// [`flush`](Handler::flush) wait at most.
    pub fn flush_timeout(mut self, deadline: Duration) -> Self {
        self.flush_timeout = deadline;
        self
    }

    /// Logs the state of the queue, at INFO and in the handler's own format: "queue health" with the fields of
    /// [`QueueStats`](super::QueueStats): `queue`, `depth`, `high_water`, `bytes`, `bytes_high_water`, `oldest_ms` (if
    /// records wait), `lost` and `lost.<severity>` (if not zero), `waits`, `busy`. These records are on the handler's
    /// ledger. The interval begins when the previous one is written.
    ///
    /// The worker makes them between batches, so there are none while the handler hangs or after the shutdown. Use
    /// [`Queue::stats`](super::Queue::stats) and [`WorkerGuard::stats`](super::WorkerGuard::stats) then.
    pub fn report_every(mut self, interval: Duration) -> Self {
        self.report_every = Some(interval);
        self
    }

    /// The name in the thread name, in errors and notices, and the handler's if nobody names that (default: the
    /// handler's default name for the thread, and the name of the ledger for the rest).
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Starts the worker. Combine several handlers, each with its own level and format, in a [`Tee`](crate::Tee).
    ///
    /// # Errors
    /// A limit or the interval of the reports is zero, or the thread does not start.
    pub fn build_with_guard(self, handler: impl Handler) -> Result<(Queue, WorkerGuard), Error> {
        let (queue, guard) = self.build_stopped_with_guard(handler)?;
        queue.start()?;
        Ok((queue, guard))
    }

    /// [`Queue::start`] starts the worker.
    pub(crate) fn build_stopped_with_guard(self, handler: impl Handler) -> Result<(Queue, WorkerGuard), Error> {
        let core = self.core(handler.boxed())?;
        Ok((Queue { core: Arc::clone(&core), is_owner: false }, WorkerGuard::new(core)))
    }

    /// Starts the worker of a queue without a guard: the drop of the queue shuts it down.
    ///
    /// # Errors
    /// As for [`build_with_guard`](Self::build_with_guard).
    pub fn build(self, handler: impl Handler) -> Result<Queue, Error> {
        let queue = self.build_stopped(handler)?;
        queue.start()?;
        Ok(queue)
    }

    /// [`Queue::start`] starts the worker.
    pub(crate) fn build_stopped(self, handler: impl Handler) -> Result<Queue, Error> {
        Ok(Queue { core: self.core(handler.boxed())?, is_owner: true })
    }

    fn core(self, handler: Box<dyn Handler>) -> Result<Arc<Core>, Error> {
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
        Ok(Worker::new(records, &thread_name, limits, flush_timeout))
    }
}
