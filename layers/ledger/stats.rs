//! What became of each record of a handler.

use std::{fmt, sync::Arc};

use super::{Counters, ErrorHandler};
use crate::{Error, fork, weak_list::WeakList};

/// Counts the outcome of each record that a handler accepted. Read it from anywhere, at any time.
///
/// At every moment `accepted = written + filtered + dropped + failed + queued`.
pub struct Ledger {
    counters: &'static Counters,
}

/// A reading of a [`Ledger`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Written: the operating system took all bytes, or the handler says so.
    pub written: u64,
    /// Refused by the handler's own level or filters.
    pub filtered: u64,
    /// Dropped: by an overflow policy, as emitted inside this very handler, or by the drop of a [receipt](super::Receipt).
    pub dropped: u64,
    /// Lost to an error or a panic; the error handler got each.
    pub failed: u64,
    /// In a buffer or a queue, not yet written.
    pub queued: u64,
    /// Records (counted elsewhere, too) with at least one value that was cut, panicked or failed to print.
    pub marked: u64,
    /// Errors without a record, which the error handler got: of a flush, a rotation, a compression.
    pub other_errors: u64,
    /// Of those written, the ones a [fallback](crate::HandlerExt::fallback) has written. It has a ledger of its own.
    pub fallback_written: u64,
}

impl Stats {
    /// All records that the handler got.
    pub fn accepted(&self) -> u64 {
        self.written + self.filtered + self.dropped + self.failed + self.queued
    }
}

/// `12 accepted: 10 written, 1 filtered, 0 dropped, 1 failed, 0 queued`
impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { written, filtered, dropped, failed, queued, marked, other_errors, fallback_written } = self;
        let accepted = self.accepted();
        write!(
            f,
            "{accepted} accepted: {written} written, {filtered} filtered, {dropped} dropped, {failed} failed, {queued} queued"
        )?;
        if *marked > 0 {
            write!(f, " ({marked} with marked values)")?;
        }
        if *fallback_written > 0 {
            write!(f, " ({fallback_written} by a fallback)")?;
        }
        if *other_errors > 0 { write!(f, " ({other_errors} other errors)") } else { Ok(()) }
    }
}

static ALL: WeakList<Ledger> = WeakList::new();

/// The names and stats of all handlers in use, in the order in which they were made.
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

/// Of all handlers in use.
pub(crate) fn ledgers() -> Vec<Arc<Ledger>> {
    ALL.all()
}

impl Ledger {
    /// One that is in no list.
    pub(crate) fn unlisted(name: &str) -> Arc<Self> {
        let ledger = Arc::new(Self { counters: Counters::acquire(name) });
        ledger.counters.set_owner(&ledger);
        ledger
    }

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

    /// A reading.
    pub fn stats(&self) -> Stats {
        fork::check();
        self.counters.stats()
    }

    /// Calls the error handler with an error that comes later than its call, perhaps on a thread of the handler, and counts it
    /// among the [other errors](Stats::other_errors). For a lost record, end its [`Receipt`](super::Receipt) instead. Do not call
    /// it under a lock: error handlers are user code. A panic there is ignored.
    pub fn report_error(&self, error: &Error) {
        self.counters.report(error, None, true);
    }

    /// The same for the last report of something: the default error handler prints it in any case.
    #[cold]
    pub(crate) fn report_unthrottled(&self, error: &Error) {
        self.counters.report_unthrottled(error);
    }

    /// Reports how many errors the default error handler has suppressed, if any.
    pub(crate) fn report_suppressed(&self) {
        self.counters.reporter().report_suppressed(&self.name());
    }

    /// `count` written records turned out to be lost (a datagram that nobody received): they count as failed. Returns how many
    /// there were: no more than are written so far.
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
