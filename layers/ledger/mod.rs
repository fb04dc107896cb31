//! What became of each record, and where a handler's errors go.
//!
//! Python: `Handler.handleError` and `logging.raiseExceptions`. No error ever reaches the application. A full disk, a closed
//! pipe or a panic in a handler is counted in the [`Ledger`], and the [`ErrorHandler`] gets the error.

mod completion;
mod counters;
mod error_handler;
mod receipt;
mod receipts;
mod reporter;
mod stats;
mod thread_slot;
#[cfg(feature = "metrics")]
mod trouble;

use std::{fmt, sync::Arc};

#[cfg(feature = "metrics")]
pub(crate) use self::trouble::Trouble;
pub(crate) use self::{
    completion::{Completion, FallbackPath, FallbackRecord},
    counters::{Counters, ENDS, End, Total},
    receipt::Resolution,
    receipts::Receipts,
};
pub use self::{
    error_handler::{ErrorHandler, Failure},
    receipt::Receipt,
    stats::Stats,
};
use crate::{Error, fork, weak_list::WeakList};

/// Counts what became of each record that a handler accepted. Any thread may read it at any time, even after the handler
/// is gone. Every layer and named handler has one: [`HandlerLayer::ledger`](crate::HandlerLayer::ledger),
/// [`NamedHandler::ledger`](crate::NamedHandler::ledger).
///
/// At every moment `accepted = written + filtered + dropped + failed + queued`.
pub struct Ledger {
    counters: &'static Counters,
}

static ALL: WeakList<Ledger> = WeakList::new();

/// The name and stats of each handler in use, in the order they were made.
///
/// ```
/// use tracing_strata::{prelude::*, output::Stream, ledger};
///
/// let layer = Stream::stderr().into_layer().named("console");
/// assert!(ledger::stats().iter().any(|(name, stats)| name == "console" && stats.accepted() == 0));
/// ```
pub fn stats() -> Vec<(String, Stats)> {
    ledgers().iter().map(|ledger| (ledger.name(), ledger.stats())).collect()
}

/// The ledgers of all handlers in use.
pub(crate) fn ledgers() -> Vec<Arc<Ledger>> {
    ALL.all()
}

impl Ledger {
    /// A ledger that [`stats`] does not list.
    pub(crate) fn unlisted(name: &str) -> Arc<Self> {
        let ledger = Arc::new(Self { counters: Counters::acquire(name) });
        ledger.counters.set_owner(&ledger);
        ledger
    }

    /// A ledger that [`stats`] lists as long as it is in use.
    pub(crate) fn registered(name: &str) -> Arc<Self> {
        let ledger = Self::unlisted(name);
        ALL.add(Arc::downgrade(&ledger));
        ledger
    }

    #[inline]
    pub(crate) fn counters(&self) -> &'static Counters {
        self.counters
    }

    pub(crate) fn rename(&self, name: &str) {
        self.counters.rename(name);
    }

    pub(crate) fn set_error_handler(&self, error_handler: ErrorHandler) {
        self.counters.reporter().set_error_handler(error_handler);
    }

    /// The handler's name.
    pub fn name(&self) -> String {
        self.counters.name()
    }

    /// Reads all counters.
    pub fn stats(&self) -> Stats {
        fork::check();
        self.counters.stats()
    }

    /// Its errors since a record was written, and one more.
    #[cfg(feature = "metrics")]
    pub(crate) fn trouble(&self) -> Option<Trouble> {
        self.counters.trouble()
    }

    /// Passes an error that no call can return to the error handler, such as one on a thread of the handler, and counts
    /// it in [`Stats::other_errors`]. If a record was lost, end its [`Receipt`] with [`failed`](Receipt::failed) instead.
    ///
    /// Hold no lock: error handlers are user code. A panic in one is ignored.
    pub fn report_error(&self, error: &Error) {
        self.counters.report(error, None, true);
    }

    /// The same for a final report: the default error handler prints it whatever its interval.
    #[cold]
    pub(crate) fn report_unthrottled(&self, error: &Error) {
        self.counters.report_unthrottled(error);
    }

    /// Reports how many errors the default error handler has suppressed, if any.
    pub(crate) fn report_suppressed(&self) {
        self.counters.reporter().report_suppressed(&self.name());
    }

    /// Counts written records as failed: they turned out to be lost (a datagram that nobody received). Returns how many
    /// it moved, at most as many as were written.
    pub(crate) fn reclassify_failed(&self, count: u64) -> u64 {
        self.counters.reclassify_failed(count)
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        self.counters.release();
    }
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.name(), self.stats())
    }
}
