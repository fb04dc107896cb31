//! The handler of log records.

use std::fmt;

use super::export::LogsExport;
use crate::{Delivery, Description, Error, Flush, Handler, Outcome, handler::worker::batching::BatchWorker};

/// Queues records for the thread that sends them. Part of an [`OtlpLayer`](super::OtlpLayer).
pub struct OtlpLogs {
    worker: BatchWorker<LogsExport>,
    /// There is no guard: dropping this shuts the worker down.
    is_owner: bool,
}

impl OtlpLogs {
    pub(super) fn new(worker: BatchWorker<LogsExport>) -> Self {
        Self { worker, is_owner: false }
    }

    /// Starts the thread that sends.
    #[cfg(feature = "config")]
    pub(crate) fn start(&self) -> Result<(), Error> {
        self.worker.start()
    }

    #[cfg(feature = "config")]
    pub(super) fn owning(mut self) -> Self {
        self.is_owner = true;
        self
    }
}

impl Handler for OtlpLogs {
    #[inline]
    fn handle(&self, delivery: Delivery<'_>) -> Result<Outcome, Error> {
        Ok(self.worker.queue(delivery))
    }

    /// Waits at most for [`Otlp::flush_timeout`](super::Otlp::flush_timeout).
    fn flush(&self, how: &Flush) -> Result<(), Error> {
        if how.is_barrier() { Ok(()) } else { self.worker.flush() }
    }

    fn describe(&self) -> Description {
        Description::new("otlp logs")
    }
}

impl Drop for OtlpLogs {
    fn drop(&mut self) {
        if self.is_owner {
            self.worker.end();
        }
    }
}

impl fmt::Debug for OtlpLogs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OtlpLogs")
    }
}
