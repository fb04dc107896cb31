//! The account of every record a handler was given.

use std::{
    fmt,
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

use super::{Outlet, loan::Loan};
use crate::{
    Error, Record,
    fork::{Common, Heirloom},
};

/// Counts what became of each record a handler accepted. Shared: read it from anywhere, at any time.
///
/// At every moment `accepted = written + filtered + dropped + failed + queued`.
pub struct Ledger {
    name: Common<String>,
    counts: Counts,
    /// Held while records move from `queued` to where they end, so that a reading never sees one twice or not at all.
    settling: Heirloom<()>,
    outlet: Outlet,
    /// Who knows of records that are not on the ledger yet.
    books: OnceLock<Weak<dyn Books>>,
    /// Whose records these are, where they are on another account already: that of a queue before this handler.
    outer: OnceLock<Arc<Ledger>>,
    /// Records that wait here are on another account, too: that of a handler which this is the fallback of.
    loan: OnceLock<Arc<Loan>>,
}

/// Where records end.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Written,
    Filtered,
    Dropped,
    Failed,
}

/// Keeps the number of queued records where it costs less, and brings the ledger up to date when it is read: each record
/// is told with [`Ledger::queue`] before it is settled.
pub(crate) trait Books: Send + Sync {
    fn bring_up_to_date(&self);
}

/// On lines of their own: handlers of different threads do not slow each other down.
#[derive(Default)]
#[repr(align(64))]
struct Counts {
    written: AtomicU64,
    filtered: AtomicU64,
    dropped: AtomicU64,
    failed: AtomicU64,
    queued: AtomicU64,
    marked: AtomicU64,
    troubles: AtomicU64,
    rescued: AtomicU64,
}

/// A reading of a [`Ledger`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Handed to their place: the operating system took all bytes, or the handler said so.
    pub written: u64,
    /// Refused by the handler's own level or filters.
    pub filtered: u64,
    /// Given up on purpose: an overflow policy, or a record born inside this very handler.
    pub dropped: u64,
    /// Lost to an error or a panic; each was told to the trap.
    pub failed: u64,
    /// Held back: in a buffer or a queue, not yet written.
    pub queued: u64,
    /// Records (counted elsewhere, too) with at least one value that was cut, panicked or failed to print.
    pub marked: u64,
    /// Failures told to the trap that belong to no record in hand: of a flush, a rotation, a compression.
    pub troubles: u64,
    /// Of those written: taken by a [fallback](crate::Handler::or_else), which has a ledger of its own.
    pub rescued: u64,
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
        let Self { written, filtered, dropped, failed, queued, marked, troubles, rescued } = self;
        let accepted = self.accepted();
        write!(
            f,
            "{accepted} accepted: {written} written, {filtered} filtered, {dropped} dropped, {failed} failed, {queued} queued"
        )?;
        if *marked > 0 {
            write!(f, " ({marked} with marked values)")?;
        }
        if *rescued > 0 {
            write!(f, " ({rescued} by a fallback)")?;
        }
        if *troubles > 0 { write!(f, " ({troubles} troubles)") } else { Ok(()) }
    }
}

static ALL: Common<Vec<Weak<Ledger>>> = Common::first(Vec::new());

/// The name and the reading of every handler that hangs somewhere now, in the order in which they were made.
///
/// ```
/// use tracing_strata::{prelude::*, output::Stream, trap};
///
/// let layer = Stream::stderr().into_layer().named("console");
/// assert!(trap::stats().iter().any(|(name, stats)| name == "console" && stats.accepted() == 0));
/// ```
pub fn stats() -> Vec<(String, Stats)> {
    ledgers().iter().map(|ledger| (ledger.name(), ledger.stats())).collect()
}

/// Those of all handlers that hang somewhere now.
pub(crate) fn ledgers() -> Vec<Arc<Ledger>> {
    ALL.read().iter().filter_map(Weak::upgrade).collect()
}

impl Ledger {
    fn new(name: &str) -> Self {
        Self {
            name: Common::new(name.to_owned()),
            counts: Counts::default(),
            settling: Heirloom::default(),
            outlet: Outlet::default(),
            books: OnceLock::new(),
            outer: OnceLock::new(),
            loan: OnceLock::new(),
        }
    }

    /// One that is in no list.
    pub(crate) fn apart(name: &str) -> Arc<Self> {
        Arc::new(Self::new(name))
    }

    /// For that of a handler behind a queue, once the queue hangs somewhere: its records are on the queue's account
    /// already, and what it settles is settled there. The first one counts.
    pub(crate) fn stand_behind(&self, outer: &Arc<Ledger>) {
        self.outer.get_or_init(|| Arc::clone(outer));
    }

    pub(super) fn registered(name: &str) -> Arc<Self> {
        let ledger = Arc::new(Self::new(name));
        let mut all = ALL.write();
        all.retain(|other| other.strong_count() > 0);
        all.push(Arc::downgrade(&ledger));
        ledger
    }

    pub(super) fn rename(&self, name: &str) {
        self.name.set(name.to_owned());
    }

    /// The handler's name.
    pub fn name(&self) -> String {
        match self.outer.get() {
            Some(outer) => outer.name(),
            None => self.name.get(),
        }
    }

    /// A reading.
    pub fn stats(&self) -> Stats {
        let Counts { written, filtered, dropped, failed, queued, marked, troubles, rescued } = &self.counts;
        if let Some(books) = self.books.get().and_then(Weak::upgrade) {
            books.bring_up_to_date();
        }
        let read = |count: &AtomicU64| count.load(Ordering::Acquire);
        let _settled = self.settling.get();
        Stats {
            written: read(written),
            filtered: read(filtered),
            dropped: read(dropped),
            failed: read(failed),
            queued: read(queued),
            marked: read(marked),
            troubles: read(troubles),
            rescued: read(rescued),
        }
    }

    // --- for handlers that settle records later than they take them

    /// `count` records were taken and are held back. Before they can be settled, and before
    /// [`Outcome::Queued`](crate::Outcome::Queued) is returned for them.
    pub fn queue(&self, count: u64) {
        self.counts.queued.fetch_add(count, Ordering::AcqRel);
    }

    /// `count` queued records were written. More than are queued are not counted.
    pub fn settle_written(&self, count: u64) {
        self.unqueue(count, End::Written);
    }

    /// `count` queued records were refused by a level or filter behind a queue.
    pub fn settle_filtered(&self, count: u64) {
        self.unqueue(count, End::Filtered);
    }

    /// `count` queued records were given up on purpose.
    pub fn settle_dropped(&self, count: u64) {
        self.unqueue(count, End::Dropped);
    }

    /// `count` queued records were lost to an error.
    pub fn settle_failed(&self, count: u64) {
        self.unqueue(count, End::Failed);
    }

    /// Tells the handler's trap of a failure that is found later than the call it belongs to, on a thread of the
    /// handler's own perhaps, and counts it as a [trouble](Stats::troubles). Records that were lost are settled apart
    /// from it. Not to be called under a lock: traps are user code. One that panics is ignored.
    pub fn tell(&self, error: &Error) {
        self.tell_of(error, None);
    }

    /// The same for the last that is heard of something: the default trap does not hold it back.
    #[cold]
    pub(crate) fn tell_last(&self, error: &Error) {
        if let Some(outer) = self.outer.get() {
            return outer.tell_last(error);
        }
        self.count_trouble();
        self.outlet.tell_unless_often(&self.name(), error, None, false);
    }

    /// That of the place where all of it hangs.
    pub(crate) fn outermost(self: &Arc<Self>) -> Arc<Self> {
        self.outer.get().map_or_else(|| Arc::clone(self), Self::outermost)
    }

    /// `count` records that were counted as written turned out to be lost on their way (a datagram that nobody took): they
    /// count as failed. Gives how many there were: no more than were written so far.
    pub fn lose(&self, count: u64) -> u64 {
        if let Some(outer) = self.outer.get() {
            return outer.lose(count);
        }
        let _settling = self.settling.get();
        let count = count.min(self.counts.written.load(Ordering::Acquire));
        self.counts.written.fetch_sub(count, Ordering::AcqRel);
        self.counts.failed.fetch_add(count, Ordering::AcqRel);
        count
    }

    /// The same for a record in hand that failed, which is counted already.
    #[cold]
    pub(crate) fn tell_of(&self, error: &Error, record: Option<&Record>) {
        if let Some(outer) = self.outer.get() {
            return outer.tell_of(error, record);
        }
        if record.is_none() || error.record_is_held() {
            self.count_trouble();
        }
        self.outlet.tell(&self.name(), error, record);
    }

    /// A record comes that was born behind a queue: it is on the queue's account as the others are.
    pub(crate) fn expect_more(&self) {
        if let Some(outer) = self.outer.get() {
            outer.queue(1);
            outer.expect_more();
        }
    }

    /// The ledger of a fallback: what it settles is settled where it came from.
    pub(crate) fn lent_by(&self, loan: &Arc<Loan>) {
        self.loan.get_or_init(|| Arc::clone(loan));
    }

    /// A record that was queued is on another count already.
    pub(crate) fn take_back_queued(&self) {
        let _settling = self.settling.get();
        let less = |queued: u64| queued.checked_sub(1);
        // After a fork there may be none.
        self.counts.queued.fetch_update(Ordering::AcqRel, Ordering::Acquire, less).unwrap_or_default();
    }

    pub(super) fn unqueue(&self, count: u64, to: End) {
        let settled = self.settle(count, to);
        if let Some(outer) = self.outer.get() {
            outer.unqueue(settled, to);
        }
        if let Some(loan) = self.loan.get() {
            loan.settled(settled, to);
        }
    }

    fn settle(&self, count: u64, to: End) -> u64 {
        let Counts { written, filtered, dropped, failed, .. } = &self.counts;
        let to = match to {
            End::Written => written,
            End::Filtered => filtered,
            End::Dropped => dropped,
            End::Failed => failed,
        };
        let _settling = self.settling.get();
        // A handler that settles more than it queued would otherwise make readings absurd.
        let count = count.min(self.counts.queued.load(Ordering::Acquire));
        self.counts.queued.fetch_sub(count, Ordering::AcqRel);
        to.fetch_add(count, Ordering::AcqRel);
        count
    }

    #[inline]
    pub(crate) fn count_written(&self) {
        self.counts.written.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_filtered(&self) {
        self.counts.filtered.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_dropped(&self) {
        self.counts.dropped.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_failed(&self) {
        self.counts.failed.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_trouble(&self) {
        self.counts.troubles.fetch_add(1, Ordering::Relaxed);
    }

    /// Who is asked before each reading. The first one stays.
    pub(crate) fn read_with(&self, books: &Arc<dyn Books>) {
        // Who comes later has a ledger of its own to fill: nothing hangs in two places.
        self.books.set(Arc::downgrade(books)).unwrap_or_default();
    }

    pub(super) fn outlet(&self) -> &Outlet {
        &self.outlet
    }

    #[cold]
    pub(crate) fn count_rescued(&self, count: u64) {
        if let Some(outer) = self.outer.get() {
            return outer.count_rescued(count);
        }
        self.counts.rescued.fetch_add(count, Ordering::Relaxed);
    }

    #[cold]
    pub(crate) fn count_marked(&self) {
        if let Some(outer) = self.outer.get() {
            return outer.count_marked();
        }
        self.counts.marked.fetch_add(1, Ordering::Relaxed);
    }
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.name(), self.stats())
    }
}
