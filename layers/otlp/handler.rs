//! The end of the way for records.

use std::{fmt, sync::Arc};

use super::pipe::Pipe;
use crate::{Error, Handler, Outcome, Record, record::Kept, trap::Ledger};

/// Hands records to the thread that sends them. Part of an [`OtlpLayer`](super::OtlpLayer).
pub struct OtlpLogs {
    pipe: Pipe<Kept>,
    drain: std::time::Duration,
}

impl OtlpLogs {
    pub(super) fn new(pipe: Pipe<Kept>, drain: std::time::Duration) -> Self {
        Self { pipe, drain }
    }
}

impl Handler for OtlpLogs {
    #[inline]
    fn handle(&self, record: &Record) -> Result<Outcome, Error> {
        let bytes = record.held_bytes();
        Ok(if self.pipe.put(record.keep(), bytes) { Outcome::Queued } else { Outcome::Dropped })
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

impl fmt::Debug for OtlpLogs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OtlpLogs")
    }
}
