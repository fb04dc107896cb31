//! The counters behind a [`Ledger`](super::Ledger).
//!
//! They are never freed, so a receipt holds a plain reference: threads do not contend for a reference count. Once the
//! ledger is gone and all receipts have ended, another handler reuses them.

use std::sync::{
    Arc, Weak,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use super::{Ledger, Stats, reporter::ThrottledReporter, thread_slot};
#[cfg(feature = "metrics")]
use super::{Trouble, trouble::LatestTrouble};
use crate::{
    Error, Record,
    fork::{self, ForkMutex, ForkRwLock},
};

/// How a record ended. The greatest is the worst: it counts if the record went to several handlers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum End {
    Written,
    Filtered,
    Dropped,
    Failed,
}

pub(crate) const ENDS: usize = 4;

#[derive(Default)]
pub(crate) struct Counters {
    name: ForkRwLock<String>,
    reporter: ThrottledReporter,
    #[cfg(feature = "metrics")]
    trouble: LatestTrouble,
    owner: ForkRwLock<Weak<Ledger>>,
    threads: [ThreadCounters; thread_slot::SLOTS + 1],
    totals: [AtomicU64; Total::COUNT],
    /// The fork generation whose receipts are valid.
    generation: AtomicU64,
    /// The handler is gone: nobody flushes it any more.
    is_gone: AtomicBool,
}

/// Rare events: all threads share one counter for each.
#[derive(Clone, Copy)]
pub(crate) enum Total {
    /// Records counted as written that turned out to be lost.
    Reclassified,
    Marked,
    OtherErrors,
    FallbackWritten,
    /// All losses that `flush_all` reports.
    Lost,
    /// Losses that `flush_all` has reported.
    Reported,
    /// Receipts dropped since the last report of them.
    Unfinished,
}

impl Total {
    const COUNT: usize = 7;
}

/// The counters of one thread. Only that thread writes them, so a plain store is enough. Threads without a slot share the
/// last ones and need atomic additions.
#[derive(Default)]
#[repr(align(128))]
struct ThreadCounters {
    /// Records that ended within the call.
    immediate: [AtomicU64; ENDS],
    /// Records whose receipts were taken.
    taken: AtomicU64,
    /// Of the taken ones, those that have ended.
    deferred: [AtomicU64; ENDS],
}

static UNUSED: ForkMutex<Vec<&'static Counters>> = ForkMutex::for_static(Vec::new());
/// Held while receipts from before a fork are voided.
static VOIDING: ForkMutex<()> = ForkMutex::for_static(());

impl Counters {
    fn new() -> Self {
        fork::check();
        Self { generation: AtomicU64::new(fork::generation()), ..Self::default() }
    }

    /// For a new ledger: new counters, or idle ones that are used again.
    pub(super) fn acquire(name: &str) -> &'static Self {
        let used = {
            let mut free = UNUSED.get();
            let is_idle = |counters: &&'static Self| counters.is_idle();
            free.iter().position(is_idle).map(|index| free.swap_remove(index))
        };
        let counters = used.unwrap_or_else(|| Box::leak(Box::new(Self::new())));
        counters.clear();
        counters.name.set(name.to_owned());
        counters
    }

    /// The ledger is gone: another one may use them.
    pub(super) fn release(&'static self) {
        self.reporter.clear();
        UNUSED.get().push(self);
    }

    /// No receipt is left.
    fn is_idle(&self) -> bool {
        self.void_after_fork();
        let deferred: u64 = self.deferred().iter().sum();
        self.taken() == deferred
    }

    fn clear(&self) {
        let of_threads = self
            .threads
            .iter()
            .flat_map(|thread| thread.immediate.iter().chain(&thread.deferred).chain([&thread.taken]));
        of_threads.chain(&self.totals).for_each(|counter| counter.store(0, Ordering::Relaxed));
        self.is_gone.store(false, Ordering::Relaxed);
        self.reporter.clear();
        #[cfg(feature = "metrics")]
        self.trouble.clear();
    }

    pub(super) fn set_owner(&self, ledger: &Arc<Ledger>) {
        self.owner.set(Arc::downgrade(ledger));
    }

    pub(crate) fn ledger(&self) -> Option<Arc<Ledger>> {
        self.owner.read().upgrade()
    }

    pub(crate) fn name(&self) -> String {
        self.name.get()
    }

    pub(super) fn rename(&self, name: &str) {
        self.name.set(name.to_owned());
    }

    pub(super) fn reporter(&self) -> &ThrottledReporter {
        &self.reporter
    }

    // --- counting

    #[inline]
    fn add(&self, counter: impl FnOnce(&ThreadCounters) -> &AtomicU64, count: u64) {
        let slot = thread_slot::own();
        let counter = counter(&self.threads[slot]);
        if slot < thread_slot::SLOTS {
            counter.store(counter.load(Ordering::Relaxed) + count, Ordering::Release);
        } else {
            counter.fetch_add(count, Ordering::AcqRel);
        }
    }

    /// A record ended within the call.
    #[inline]
    pub(crate) fn count_end(&self, end: End) {
        self.add(|thread| &thread.immediate[end as usize], 1);
    }

    /// Adds records that ended within their call before the ledger was known.
    pub(crate) fn add_ends(&self, ends: [u64; ENDS]) {
        ends.into_iter().enumerate().for_each(|(end, count)| self.add(|thread| &thread.immediate[end], count));
    }

    /// A receipt was taken. Returns the fork generation it is valid in.
    #[inline]
    pub(super) fn count_taken(&self) -> u64 {
        fork::ensure_watched();
        let generation = self.void_after_fork();
        self.add(|thread| &thread.taken, 1);
        generation
    }

    /// `count` records of taken receipts have ended.
    #[inline]
    pub(super) fn count_deferred_end(&self, end: End, count: u64) {
        self.add(|thread| &thread.deferred[end as usize], count);
    }

    /// Voids receipts from before a fork. Returns the current fork generation.
    #[inline]
    fn void_after_fork(&self) -> u64 {
        let generation = fork::generation();
        if self.generation.load(Ordering::Acquire) != generation {
            self.void(generation);
        }
        generation
    }

    /// The parent ends the receipts from before the fork: in the child their records count as dropped.
    #[cold]
    fn void(&self, generation: u64) {
        let _voiding = VOIDING.get();
        if self.generation.load(Ordering::Acquire) != generation {
            let deferred: u64 = self.deferred().iter().sum();
            let left = self.taken().saturating_sub(deferred);
            self.threads[thread_slot::SLOTS].deferred[End::Dropped as usize].fetch_add(left, Ordering::AcqRel);
            self.total(Total::Reported).store(self.read(Total::Lost), Ordering::Relaxed);
            self.generation.store(generation, Ordering::Release);
        }
    }

    fn total(&self, total: Total) -> &AtomicU64 {
        &self.totals[total as usize]
    }

    #[cold]
    pub(crate) fn count(&self, total: Total, count: u64) {
        self.total(total).fetch_add(count, Ordering::AcqRel);
    }

    fn read(&self, total: Total) -> u64 {
        self.total(total).load(Ordering::Acquire)
    }

    /// Receipts were dropped. The next flush reports that; if the handler is gone, the error handler gets it now.
    #[cold]
    pub(super) fn count_unfinished(&self, count: u64) {
        self.count(Total::Lost, count);
        self.count(Total::Unfinished, count);
        if self.is_gone.load(Ordering::Acquire) {
            self.report_unfinished();
        }
    }

    /// From now on no flush reports losses: the error handler gets them.
    pub(crate) fn handler_is_gone(&self) {
        self.is_gone.store(true, Ordering::Release);
        self.report_unfinished();
    }

    fn report_unfinished(&self) {
        let count = self.total(Total::Unfinished).swap(0, Ordering::AcqRel);
        if count > 0 {
            let records = if count == 1 { "record was" } else { "records were" };
            let text = format_args!("{count} {records} lost: nobody said what became of them").to_string();
            self.report(&Error::new(text), None, true);
        }
    }

    /// How many were lost since the last call.
    pub(crate) fn take_unreported_losses(&self) -> u64 {
        self.void_after_fork();
        self.total(Total::Unfinished).store(0, Ordering::Relaxed);
        let lost = self.read(Total::Lost);
        lost.saturating_sub(self.total(Total::Reported).swap(lost, Ordering::Relaxed))
    }

    /// Moves up to `count` records from written to failed. Returns how many: at most as many as were written.
    pub(super) fn reclassify_failed(&self, count: u64) -> u64 {
        let written = self.written();
        let more = |reclassified: u64| Some(reclassified + count.min(written.saturating_sub(reclassified)));
        let before = self.total(Total::Reclassified).fetch_update(Ordering::AcqRel, Ordering::Acquire, more);
        let taken = before.map_or(0, |before| count.min(written.saturating_sub(before)));
        self.count(Total::Lost, taken);
        taken
    }

    // --- reading

    fn sum(&self, counter: impl Fn(&ThreadCounters) -> &AtomicU64) -> u64 {
        self.threads.iter().map(|thread| counter(thread).load(Ordering::Acquire)).sum()
    }

    fn deferred(&self) -> [u64; ENDS] {
        std::array::from_fn(|end| self.sum(|thread| &thread.deferred[end]))
    }

    fn taken(&self) -> u64 {
        self.sum(|thread| &thread.taken)
    }

    fn written(&self) -> u64 {
        self.sum(|thread| &thread.immediate[End::Written as usize])
            + self.sum(|thread| &thread.deferred[End::Written as usize])
    }

    pub(super) fn stats(&self) -> Stats {
        self.void_after_fork();
        let reclassified = self.read(Total::Reclassified);
        // Ended before taken: a record that ends in between then counts as queued, never as less than zero.
        let deferred = self.deferred();
        let taken = self.taken();
        let [written, filtered, dropped, failed] =
            std::array::from_fn(|end| deferred[end] + self.sum(|thread| &thread.immediate[end]));
        Stats {
            written: written.saturating_sub(reclassified),
            filtered,
            dropped,
            failed: failed + reclassified,
            queued: taken.saturating_sub(deferred.iter().sum()),
            marked: self.read(Total::Marked),
            other_errors: self.read(Total::OtherErrors),
            fallback_written: self.read(Total::FallbackWritten),
        }
    }

    // --- reporting

    /// Calls the error handler. An error without a record also counts in `other_errors`.
    #[cold]
    pub(crate) fn report(&self, error: &Error, record: Option<&Record>, is_other_error: bool) {
        self.count(Total::OtherErrors, u64::from(is_other_error));
        self.note_trouble(error);
        self.reporter.report(&self.name(), error, record, true);
    }

    /// For a final report: the default error handler prints it whatever its interval.
    pub(super) fn report_unthrottled(&self, error: &Error) {
        self.count(Total::OtherErrors, 1);
        self.note_trouble(error);
        self.reporter.report(&self.name(), error, None, false);
    }

    #[cfg(not(feature = "metrics"))]
    fn note_trouble(&self, _: &Error) {}

    #[cfg(feature = "metrics")]
    fn note_trouble(&self, error: &Error) {
        self.trouble.note(error, self.stats().written, std::time::SystemTime::now());
    }

    #[cfg(feature = "metrics")]
    pub(super) fn trouble(&self) -> Option<Trouble> {
        self.trouble.get()
    }
}
