//! Where a handler's failures go, and the account of every record.
//!
//! Python: `Handler.handleError` and `logging.raiseExceptions`. Nothing here ever reaches the application: a full disk,
//! a closed pipe or a panic in a handler is counted in the [`Ledger`] and told to the [`ErrorHandler`].

mod account;
mod receipt;
mod slot;
mod stats;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

pub(crate) use self::{
    account::{Account, ENDS, End},
    receipt::{Fate, Node, Receipts, Rescue, Rescuer},
    stats::ledgers,
};
pub use self::{
    receipt::Receipt,
    stats::{Ledger, Stats, stats},
};
use crate::{
    Error, Record,
    fork::{self, ForkRwLock},
    record::silenced,
    unwind::catch,
};

/// Takes the failures of handlers. Cheap to clone; clones are the same trap.
///
/// ```
/// use std::sync::{Arc, atomic::{AtomicUsize, Ordering}};
/// use tracing_strata::{prelude::*, output::Stream, ledger::ErrorHandler};
///
/// let failures = Arc::new(AtomicUsize::new(0));
/// let count = failures.clone();
/// let layer = Stream::stdout().into_layer().error_handler(ErrorHandler::new(move |failure| {
///     assert_eq!(failure.handler(), "stdout");
///     count.fetch_add(1, Ordering::Relaxed);
/// }));
/// # drop(layer);
/// ```
#[derive(Clone)]
pub struct ErrorHandler(Kind);

#[derive(Clone)]
enum Kind {
    Stderr { at_most_every: Duration },
    Silent,
    Custom(Arc<dyn Fn(&Failure<'_>) + Send + Sync>),
}

/// The default interval of [`ErrorHandler::stderr`].
const INTERVAL: Duration = Duration::from_secs(10);

impl ErrorHandler {
    /// Calls `report` for every failure, on the thread that logged. It may not log: events born in it are counted as
    /// dropped. Should it panic, nothing happens.
    pub fn new(report: impl Fn(&Failure<'_>) + Send + Sync + 'static) -> Self {
        Self(Kind::Custom(Arc::new(report)))
    }

    /// One line on stderr, at most once in ten seconds for each handler, with the number of failures in between (the
    /// default). If stderr itself fails, nothing happens.
    pub fn stderr() -> Self {
        Self::stderr_every(INTERVAL)
    }

    /// As [`ErrorHandler::stderr`], with another interval; zero tells every failure.
    pub fn stderr_every(interval: Duration) -> Self {
        Self(Kind::Stderr { at_most_every: interval })
    }

    /// Nothing: failures are only counted.
    pub fn silent() -> Self {
        Self(Kind::Silent)
    }

    /// A trap that counts failures, and the counter.
    pub fn counting() -> (Self, Arc<AtomicU64>) {
        let count = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&count);
        (
            Self::new(move |_| {
                counter.fetch_add(1, Ordering::Relaxed);
            }),
            count,
        )
    }
}

impl Default for ErrorHandler {
    fn default() -> Self {
        Self::stderr()
    }
}

impl fmt::Debug for ErrorHandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Kind::Stderr { .. } => "Trap::stderr",
            Kind::Silent => "Trap::silent",
            Kind::Custom(_) => "Trap::new",
        })
    }
}

/// One failure of a handler.
#[derive(Debug)]
pub struct Failure<'a> {
    handler: &'a str,
    error: &'a Error,
    record: Option<&'a Record>,
}

impl<'a> Failure<'a> {
    /// The name of the handler that failed.
    pub fn handler(&self) -> &'a str {
        self.handler
    }

    /// What happened.
    pub fn error(&self) -> &'a Error {
        self.error
    }

    /// The record that was not written; `None` if the failure concerns no single one (a flush).
    pub fn record(&self) -> Option<&'a Record> {
        self.record
    }
}

/// The trap of a handler. Part of its ledger, so that whoever settles records can tell failures, too.
#[derive(Debug, Default)]
struct Outlet {
    error_handler: ForkRwLock<ErrorHandler>,
    told: Limiter,
}

impl Outlet {
    fn clear(&self) {
        self.set_error_handler(ErrorHandler::default());
        self.told.clear();
    }

    fn set_error_handler(&self, error_handler: ErrorHandler) {
        // The end of the one before may be user code.
        drop(self.error_handler.set(error_handler));
    }

    /// A copy: traps are user code, which never runs under a lock.
    fn error_handler(&self) -> ErrorHandler {
        self.error_handler.get()
    }

    fn tell(&self, name: &str, error: &Error, record: Option<&Record>) {
        self.tell_unless_often(name, error, record, true);
    }

    /// `may_wait`: the default trap may hold it back until its interval is over.
    fn tell_unless_often(&self, name: &str, error: &Error, record: Option<&Record>, may_wait: bool) {
        match self.error_handler().0 {
            Kind::Silent => {}
            // If it panics there is nobody left to tell.
            Kind::Custom(report) => {
                // Whatever thread it is: what it logs would fail as well, and so on for ever.
                silenced(|| catch(|| report(&Failure { handler: name, error, record })).unwrap_or_default());
            }
            Kind::Stderr { at_most_every } => {
                if let Some(missed) = self.told.pass(if may_wait { at_most_every } else { Duration::ZERO }) {
                    // So may the error's own text.
                    catch(|| tell_on_stderr(name, error, missed)).unwrap_or_default();
                }
            }
        }
    }

    fn tell_the_rest(&self, name: &str) {
        let Kind::Stderr { .. } = self.error_handler().0 else { return };
        let missed = self.told.take_missed();
        if missed > 0 {
            let failures = if missed == 1 { "failure" } else { "failures" };
            crate::sink::stderr_line(&format!(
                "tracing-strata: handler {name:?}: {missed} more {failures} since the last report"
            ));
        }
    }
}

fn tell_on_stderr(name: &str, error: &Error, missed: u64) {
    let more = if missed > 0 { format!(" ({missed} more since the last report)") } else { String::new() };
    let plain = crate::text::escaped(&format!("tracing-strata: handler {name:?}: {error}{more}"));
    // Where stderr fails there is nobody left to tell; the ledger has the number.
    crate::sink::stderr_line(&plain);
}

/// Lets one through per interval and counts the others. Monotonic: the wall clock may jump.
#[derive(Debug, Default)]
struct Limiter {
    /// Milliseconds since `EPOCH`, plus one; 0 is "never".
    last: AtomicU64,
    missed: AtomicU64,
    /// The process that missed them: a child of a fork does not tell what its parent will.
    generation: AtomicU64,
}

static EPOCH: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);

impl Limiter {
    /// How many were held back since the last one that passed, if this one may pass.
    fn pass(&self, interval: Duration) -> Option<u64> {
        self.leave_to_the_parent();
        let now = u64::try_from(EPOCH.elapsed().as_millis()).unwrap_or(u64::MAX - 1) + 1;
        let last = self.last.load(Ordering::Relaxed);
        let due = last == 0 || now - last.min(now) >= u64::try_from(interval.as_millis()).unwrap_or(u64::MAX);
        if due && self.last.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            return Some(self.missed.swap(0, Ordering::Relaxed));
        }
        self.missed.fetch_add(1, Ordering::Relaxed);
        None
    }

    fn clear(&self) {
        self.last.store(0, Ordering::Relaxed);
        self.missed.store(0, Ordering::Relaxed);
    }

    /// How many were held back since one passed, which are told now.
    fn take_missed(&self) -> u64 {
        self.leave_to_the_parent();
        self.missed.swap(0, Ordering::Relaxed)
    }

    fn leave_to_the_parent(&self) {
        // Perhaps nothing else of this process looks for forks.
        fork::check();
        let generation = fork::generation();
        if self.generation.swap(generation, Ordering::Relaxed) != generation {
            self.missed.store(0, Ordering::Relaxed);
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
