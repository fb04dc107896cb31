//! Flush and shutdown of the export.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use super::export::{LogsExport, SpansExport};
use crate::{
    Error,
    handler::worker::batching::{BatchWorker, Export, PendingSend},
    ledger::{Ledger, Stats},
};

/// Flushes and shuts down what [`Otlp::build_with_guard`](super::Otlp::build_with_guard) started. Dropping it shuts down,
/// within [`Otlp::flush_timeout`](super::Otlp::flush_timeout).
///
/// Needs no runtime. On a runtime's thread, a call blocks that thread until the timeout at most.
#[must_use = "dropping the guard shuts the export down"]
pub struct OtlpGuard {
    pub(super) logs: Option<(BatchWorker<LogsExport>, Arc<Ledger>)>,
    pub(super) spans: Option<(BatchWorker<SpansExport>, Arc<Ledger>)>,
    pub(super) flush_timeout: Duration,
    pub(super) is_shut_down: AtomicBool,
}

impl OtlpGuard {
    /// Sends what is queued now, and waits until it is sent, refused or failed.
    ///
    /// # Errors
    /// How many were not sent within the timeout; the threads still try to send them.
    pub fn flush(&self, timeout: Duration) -> Result<(), Error> {
        let logs = self.logs.as_ref().map(|(worker, _)| worker.begin_flush());
        let spans = self.spans.as_ref().map(|(worker, _)| worker.begin_flush());
        both(wait(logs, timeout), wait(spans, timeout))
    }

    /// As [`flush`](Self::flush), and stops the export: later records and spans count as dropped. What is left at the
    /// timeout is dropped. A request that is being sent then is not waited for, and counted when its answer comes. A second
    /// call is fine.
    ///
    /// # Errors
    /// How many were not sent within the timeout.
    pub fn shutdown(&self, timeout: Duration) -> Result<(), Error> {
        self.is_shut_down.store(true, Ordering::Relaxed);
        // Both begin before either is waited for, so that they share the timeout.
        let logs = self.logs.as_ref().map(|(worker, _)| worker.begin_shut_down(timeout));
        let spans = self.spans.as_ref().map(|(worker, _)| worker.begin_shut_down(timeout));
        both(wait(logs, timeout), wait(spans, timeout))
    }

    /// Log records: written if the collector accepted them, failed if it refused them or [`Otlp::retry_for`](super::Otlp::retry_for)
    /// passed, dropped if there was no room or no time.
    pub fn logs(&self) -> Stats {
        self.logs.as_ref().map(|(_, ledger)| ledger.stats()).unwrap_or_default()
    }

    /// The same for spans; those that were not sampled count as filtered.
    pub fn spans(&self) -> Stats {
        self.spans.as_ref().map(|(_, ledger)| ledger.stats()).unwrap_or_default()
    }
}

fn wait<E: Export>(pending: Option<PendingSend<'_, E>>, timeout: Duration) -> Result<(), Error> {
    pending.map_or(Ok(()), |pending| pending.wait(timeout))
}

fn both(logs: Result<(), Error>, spans: Result<(), Error>) -> Result<(), Error> {
    match (logs, spans) {
        (Err(logs), Err(spans)) => Err(Error::new(format_args!("{logs}; {spans}"))),
        (logs, spans) => logs.and(spans),
    }
}

impl Drop for OtlpGuard {
    fn drop(&mut self) {
        if !self.is_shut_down.load(Ordering::Relaxed)
            && let Err(error) = self.shutdown(self.flush_timeout)
            && let Some(ledger) =
                self.logs.as_ref().map(|(_, ledger)| ledger).or(self.spans.as_ref().map(|(_, ledger)| ledger))
        {
            ledger.report_error(&error);
        }
    }
}

impl fmt::Debug for OtlpGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OtlpGuard").field("logs", &self.logs()).field("spans", &self.spans()).finish()
    }
}
