//! The end of the way for records.

use std::fmt;

use super::export::LogsExport;
use crate::{Delivery, Description, Error, Flush, Handler, Outcome, handler::worker::batching::BatchWorker};

/// Hands records to the thread that sends them. Part of an [`OtlpLayer`](super::OtlpLayer).
pub struct OtlpLogs {
    pipe: BatchWorker<LogsExport>,
    /// There is no guard: its own end is that of the pipe.
    is_owner: bool,
}

impl OtlpLogs {
    pub(super) fn new(pipe: BatchWorker<LogsExport>) -> Self {
        Self { pipe, is_owner: false }
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
        self.pipe.learn_ledger(|| delivery.ledger());
        let bytes = delivery.held_bytes();
        let (record, receipt) = delivery.take().split();
        self.pipe.put(record, bytes, receipt);
        Ok(Outcome::Queued)
    }

    /// Waits for the deadline of [`Otlp::flush_timeout`](super::Otlp::flush_timeout) at most.
    fn flush(&self, how: &Flush) -> Result<(), Error> {
        if how.is_barrier() { Ok(()) } else { self.pipe.flush() }
    }

    fn describe(&self) -> Description {
        Description::new("otlp logs")
    }
}

impl Drop for OtlpLogs {
    fn drop(&mut self) {
        if self.is_owner {
            self.pipe.end();
        }
    }
}

impl fmt::Debug for OtlpLogs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OtlpLogs")
    }
}
