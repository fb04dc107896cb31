//! The account of every record a handler was given.

use std::{
    fmt,
    sync::{Arc, Weak},
};

use super::{Account, ErrorHandler};
use crate::{
    Error,
    fork::{self, ForkRwLock},
};

/// Counts what became of each record a handler accepted. Shared: read it from anywhere, at any time.
///
/// At every moment `accepted = written + filtered + dropped + failed + queued`.
pub struct Ledger {
    account: &'static Account,
}

/// A reading of a [`Ledger`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Handed to their place: the operating system took all bytes, or the handler said so.
    pub written: u64,
    /// Refused by the handler's own level or filters.
    pub filtered: u64,
    /// Given up: by an overflow policy, as a record born inside this very handler, or as one of which nobody said what became
    /// of it (a [receipt](super::Receipt) that was dropped).
    pub dropped: u64,
    /// Lost to an error or a panic; each was told to the trap.
    pub failed: u64,
    /// Held back: in a buffer or a queue, not yet written.
    pub queued: u64,
    /// Records (counted elsewhere, too) with at least one value that was cut, panicked or failed to print.
    pub marked: u64,
    /// Failures told to the trap that belong to no record in hand: of a flush, a rotation, a compression.
    pub other_errors: u64,
    /// Of those written: taken by a [fallback](crate::HandlerExt::fallback), which has a ledger of its own.
    pub fallback_written: u64,
}

impl Stats {
    /// All records the handler was given.
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
        if *other_errors > 0 { write!(f, " ({other_errors} troubles)") } else { Ok(()) }
    }
}

static ALL: ForkRwLock<Vec<Weak<Ledger>>> = ForkRwLock::first(Vec::new());

/// The name and the reading of every handler that hangs somewhere now, in the order in which they were made.
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

/// Those of all handlers that hang somewhere now.
pub(crate) fn ledgers() -> Vec<Arc<Ledger>> {
    ALL.read().iter().filter_map(Weak::upgrade).collect()
}

impl Ledger {
    /// One that is in no list.
    pub(crate) fn apart(name: &str) -> Arc<Self> {
        let ledger = Arc::new(Self { account: Account::claim(name) });
        ledger.account.set_owner(&ledger);
        ledger
    }

    pub(crate) fn registered(name: &str) -> Arc<Self> {
        let ledger = Self::apart(name);
        let mut all = ALL.write();
        all.retain(|other| other.strong_count() > 0);
        all.push(Arc::downgrade(&ledger));
        ledger
    }

    #[inline]
    pub(crate) fn account(&self) -> &'static Account {
        self.account
    }

    pub(crate) fn rename(&self, name: &str) {
        self.account.rename(name);
    }

    pub(crate) fn set_error_handler(&self, error_handler: ErrorHandler) {
        self.account.outlet().set_error_handler(error_handler);
    }

    /// The handler's name.
    pub fn name(&self) -> String {
        self.account.name()
    }

    /// A reading.
    pub fn stats(&self) -> Stats {
        fork::check();
        self.account.stats()
    }

    /// Tells the handler's trap of a failure that is found later than the call it belongs to, on a thread of the
    /// handler's own perhaps, and counts it as a [trouble](Stats::other_errors). Records that were lost end with their
    /// [`Receipt`](super::Receipt). Not to be called under a lock: traps are user code. One that panics is ignored.
    pub fn report_error(&self, error: &Error) {
        self.account.tell(error, None, true);
    }

    /// The same for the last that is heard of something: the default trap does not hold it back.
    #[cold]
    pub(crate) fn tell_last(&self, error: &Error) {
        self.account.tell_last(error);
    }

    /// Tells how many failures the default trap has held back, if any.
    pub(crate) fn tell_the_rest(&self) {
        self.account.outlet().tell_the_rest(&self.name());
    }

    /// `count` records that were counted as written turned out to be lost on their way (a datagram that nobody took): they
    /// count as failed. Gives how many there were: no more than were written so far.
    pub(crate) fn unwrite(&self, count: u64) -> u64 {
        self.account.unwrite(count)
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        self.account.release();
    }
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.name(), self.stats())
    }
}
