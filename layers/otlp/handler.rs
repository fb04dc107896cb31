//! The end of the way for records.

use std::{fmt, sync::Arc};

use super::pipe::Pipe;
use crate::{Error, Handler, Outcome, Record, record::Kept, trap::Ledger};

/// Hands records to the thread that sends them. Part of an [`OtlpLayer`](super::OtlpLayer).
pub struct OtlpLogs {
    pipe: Pipe<Kept>,
    drain: std::time::Duration,
    /// There is no guard: its own end is that of the pipe.
    is_owner: bool,
}

impl OtlpLogs {
    pub(super) fn new(pipe: Pipe<Kept>, drain: std::time::Duration) -> Self {
        Self { pipe, drain, is_owner: false }
    }

    #[cfg(feature = "config")]
    pub(super) fn owning(mut self) -> Self {
        self.is_owner = true;
        self
    }
}

impl Handler for OtlpLogs {
    #[inline]
    fn handle(&self, record: &Record) -> Result<Outcome, Error> {
        let bytes = record.held_bytes();
        Ok(if self.pipe.put(record.keep(), bytes) { Outcome::Queued } else { Outcome::Dropped })
    }

    #[inline]
    fn take_over(&self, record: Kept) -> Result<Outcome, Kept> {
        let bytes = record.held_bytes();
        Ok(if self.pipe.put(record, bytes) { Outcome::Queued } else { Outcome::Dropped })
    }

    /// Waits for the deadline of [`Otlp::drain`](super::Otlp::drain) at most.
    fn flush(&self) -> Result<(), Error> {
        self.pipe.flush(self.drain)
    }

    fn attach(&self, ledger: &Arc<Ledger>) {
        self.pipe.attach(ledger);
    }

    #[inline]
    fn keeps(&self) -> bool {
        true
    }

    fn default_name(&self) -> String {
        "otlp logs".into()
    }
}

impl Drop for OtlpLogs {
    fn drop(&mut self) {
        if self.is_owner
            && let Err(error) = self.pipe.begin_shut_down(self.drain).wait(self.drain)
            && let Some(ledger) = self.pipe.ledger()
        {
            // There is nobody to return it to.
            ledger.tell(&error);
        }
    }
}

impl fmt::Debug for OtlpLogs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OtlpLogs")
    }
}
