//! The end: everything sent, or said what was not.

use std::{fmt, sync::Arc, time::Duration};

use super::export::{LogsExport, SpansExport};
use crate::{
    Error,
    handler::worker::batching::BatchWorker,
    ledger::{Ledger, Stats},
};

/// Flushes and shuts down what [`Otlp::build_with_guard`](super::Otlp::build_with_guard) has started. Dropping it shuts down, within
/// [`Otlp::flush_timeout`](super::Otlp::flush_timeout).
///
/// Works from everywhere: no runtime is asked for, and none is needed. On a thread of a runtime, the call blocks that
/// thread until the deadline at most.
#[must_use = "dropping the guard shuts the export down"]
pub struct OtlpGuard {
    pub(super) logs: Option<(BatchWorker<LogsExport>, Arc<Ledger>)>,
    pub(super) spans: Option<(BatchWorker<SpansExport>, Arc<Ledger>)>,
    pub(super) drain: Duration,
    pub(super) is_shut: bool,
}

impl OtlpGuard {
    /// Sends what waits now, and waits until it is sent, refused or given up.
    ///
    /// # Errors
    /// How many were not sent within the deadline; they are still tried.
    pub fn flush(&self, deadline: Duration) -> Result<(), Error> {
        let logs = self.logs.as_ref().map(|(pipe, _)| pipe.begin_flush());
        let spans = self.spans.as_ref().map(|(pipe, _)| pipe.begin_flush());
        both(logs.map_or(Ok(()), |due| due.wait(deadline)), spans.map_or(Ok(()), |due| due.wait(deadline)))
    }

    /// As [`flush`](Self::flush), and takes nothing any more: what comes later is counted as dropped. What is left at the
    /// deadline is dropped; a request that is under way is not waited for, and settled when its answer comes.
    ///
    /// # Errors
    /// How many were not sent within the deadline.
    pub fn shutdown(mut self, deadline: Duration) -> Result<(), Error> {
        self.is_shut = true;
        self.shut_down(deadline)
    }

    /// Log records: written are those that the collector has taken, failed those it has refused or that were given up
    /// after [`Otlp::retry_for`](super::Otlp::retry_for), dropped those for which there was no room or no time.
    pub fn logs(&self) -> Stats {
        self.logs.as_ref().map(|(_, ledger)| ledger.stats()).unwrap_or_default()
    }

    /// The same for spans; filtered are those that were not sampled.
    pub fn spans(&self) -> Stats {
        self.spans.as_ref().map(|(_, ledger)| ledger.stats()).unwrap_or_default()
    }

    /// Both at once, within one deadline.
    fn shut_down(&self, deadline: Duration) -> Result<(), Error> {
        let logs = self.logs.as_ref().map(|(pipe, _)| pipe.begin_shut_down(deadline));
        let spans = self.spans.as_ref().map(|(pipe, _)| pipe.begin_shut_down(deadline));
        both(logs.map_or(Ok(()), |due| due.wait(deadline)), spans.map_or(Ok(()), |due| due.wait(deadline)))
    }
}

fn both(logs: Result<(), Error>, spans: Result<(), Error>) -> Result<(), Error> {
    match (logs, spans) {
        (Err(logs), Err(spans)) => Err(Error::new(format_args!("{logs}; {spans}"))),
        (logs, spans) => logs.and(spans),
    }
}

impl Drop for OtlpGuard {
    fn drop(&mut self) {
        if !self.is_shut
            && let Err(error) = self.shut_down(self.drain)
            && let Some(ledger) =
                self.logs.as_ref().map(|(_, ledger)| ledger).or(self.spans.as_ref().map(|(_, ledger)| ledger))
        {
            // There is nobody to return it to.
            ledger.report_error(&error);
        }
    }
}

impl fmt::Debug for OtlpGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OtlpGuard").field("logs", &self.logs()).field("spans", &self.spans()).finish()
    }
}
