//! Calls a handler's error handler; the default one at most once per interval.

use std::{
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use super::{ErrorHandler, Failure, error_handler::Kind};
use crate::{
    Error, Record,
    fork::{self, ForkRwLock},
    record::silenced,
    text::escaped,
    unwind::catch,
};

/// The error handler of one handler. It belongs to the ledger so that receipts can report as well.
#[derive(Debug, Default)]
pub(super) struct ThrottledReporter {
    error_handler: ForkRwLock<ErrorHandler>,
    limiter: Limiter,
}

impl ThrottledReporter {
    pub(super) fn clear(&self) {
        self.set_error_handler(ErrorHandler::default());
        self.limiter.clear();
    }

    pub(super) fn set_error_handler(&self, error_handler: ErrorHandler) {
        // Dropping the old one may run user code: no lock is held.
        drop(self.error_handler.set(error_handler));
    }

    /// A copy: user code never runs under a lock.
    fn error_handler(&self) -> ErrorHandler {
        self.error_handler.get()
    }

    /// If `is_throttled`, the default error handler only counts errors that come too soon.
    pub(super) fn report(&self, name: &str, error: &Error, record: Option<&Record>, is_throttled: bool) {
        match self.error_handler().0 {
            Kind::Silent => {}
            Kind::Custom(report) => {
                // What it logs would fail as well, without end.
                silenced(|| catch(|| report(&Failure { handler: name, error, record })).unwrap_or_default());
            }
            Kind::Stderr { at_most_every } => {
                if let Some(suppressed) = self.limiter.pass(if is_throttled { at_most_every } else { Duration::ZERO }) {
                    // The error's own text may panic.
                    catch(|| report_on_stderr(name, error, suppressed)).unwrap_or_default();
                }
            }
        }
    }

    pub(super) fn report_suppressed(&self, name: &str) {
        let Kind::Stderr { .. } = self.error_handler().0 else { return };
        let suppressed = self.limiter.take_suppressed();
        if suppressed > 0 {
            let failures = if suppressed == 1 { "failure" } else { "failures" };
            crate::stdio::stderr_line(&format!(
                "tracing-strata: handler {name:?}: {suppressed} more {failures} since the last report"
            ));
        }
    }
}

fn report_on_stderr(name: &str, error: &Error, suppressed: u64) {
    let more = if suppressed > 0 { format!(" ({suppressed} more since the last report)") } else { String::new() };
    let plain = escaped(&format!("tracing-strata: handler {name:?}: {error}{more}"));
    crate::stdio::stderr_line(&plain);
}

/// Passes one report per interval and counts the others. The clock is monotonic.
#[derive(Debug, Default)]
struct Limiter {
    /// Milliseconds since `EPOCH`, plus one; 0 is "never".
    last: AtomicU64,
    suppressed: AtomicU64,
    /// The fork generation they were suppressed in: the parent reports its own.
    generation: AtomicU64,
}

static EPOCH: LazyLock<Instant> = LazyLock::new(Instant::now);

impl Limiter {
    /// `Some` if this report may pass, with the number suppressed since the last one.
    fn pass(&self, interval: Duration) -> Option<u64> {
        self.discard_inherited();
        let now = u64::try_from(EPOCH.elapsed().as_millis()).unwrap_or(u64::MAX - 1) + 1;
        let last = self.last.load(Ordering::Relaxed);
        let due = last == 0 || now - last.min(now) >= u64::try_from(interval.as_millis()).unwrap_or(u64::MAX);
        if due && self.last.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            return Some(self.suppressed.swap(0, Ordering::Relaxed));
        }
        self.suppressed.fetch_add(1, Ordering::Relaxed);
        None
    }

    fn clear(&self) {
        self.last.store(0, Ordering::Relaxed);
        self.suppressed.store(0, Ordering::Relaxed);
    }

    /// The number suppressed since the last report; resets it.
    fn take_suppressed(&self) -> u64 {
        self.discard_inherited();
        self.suppressed.swap(0, Ordering::Relaxed)
    }

    fn discard_inherited(&self) {
        // Perhaps nothing else in this process checks for forks.
        fork::check();
        let generation = fork::generation();
        if self.generation.swap(generation, Ordering::Relaxed) != generation {
            self.suppressed.store(0, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_passes_and_the_rest_is_counted() {
        let limiter = Limiter::default();
        assert_eq!(limiter.pass(Duration::MAX), Some(0));
        assert_eq!(limiter.pass(Duration::MAX), None);
        assert_eq!(limiter.pass(Duration::MAX), None);
        assert_eq!(limiter.pass(Duration::ZERO), Some(2));
    }
}
