//! Where a handler's errors go.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::{Error, Record};

/// Gets the errors of a handler, on the thread where they happen. Cheap to clone; clones are the same error handler.
///
/// Default: [`stderr`](Self::stderr).
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
pub struct ErrorHandler(pub(super) Kind);

#[derive(Clone)]
pub(super) enum Kind {
    Stderr { at_most_every: Duration },
    Silent,
    Custom(Arc<dyn Fn(&Failure<'_>) + Send + Sync>),
}

/// The default interval of [`ErrorHandler::stderr`].
const INTERVAL: Duration = Duration::from_secs(10);

impl ErrorHandler {
    /// Calls `report` for every failure. Records that `report` emits are counted as dropped; a panic in it is ignored.
    pub fn new(report: impl Fn(&Failure<'_>) + Send + Sync + 'static) -> Self {
        Self(Kind::Custom(Arc::new(report)))
    }

    /// Prints a line on stderr, at most one in ten seconds for each handler, with the number of failures in between. If
    /// stderr fails, the failures are only counted.
    pub fn stderr() -> Self {
        Self::stderr_every(INTERVAL)
    }

    /// Like [`stderr`](Self::stderr), with another interval. Zero prints every failure.
    pub fn stderr_every(interval: Duration) -> Self {
        Self(Kind::Stderr { at_most_every: interval })
    }

    /// Does nothing: failures are only counted in the ledger.
    pub fn silent() -> Self {
        Self(Kind::Silent)
    }

    /// An error handler that only counts failures, and its counter: for tests.
    pub fn counting() -> (Self, Arc<AtomicU64>) {
        let count = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&count);
        let add = move |_: &Failure<'_>| {
            counter.fetch_add(1, Ordering::Relaxed);
        };
        (Self::new(add), count)
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
            Kind::Stderr { .. } => "ErrorHandler::stderr",
            Kind::Silent => "ErrorHandler::silent",
            Kind::Custom(_) => "ErrorHandler::new",
        })
    }
}

/// One failure of a handler, passed to its [`ErrorHandler`].
#[derive(Debug)]
pub struct Failure<'a> {
    pub(super) handler: &'a str,
    pub(super) error: &'a Error,
    pub(super) record: Option<&'a Record>,
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

    /// The record that was not written; `None` if the failure concerns no single record, such as one of a flush.
    pub fn record(&self) -> Option<&'a Record> {
        self.record
    }
}
