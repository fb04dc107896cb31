//! The counters behind a [`Ledger`](super::Ledger).
//!
//! Accounts are never freed, so that a receipt is a plain reference: a record costs no reference count that two threads
//! would share. An account is used again for another handler once its ledger is gone and all its receipts have ended.

use std::sync::{
    Arc, Weak,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use super::{Ledger, Stats, ThrottledReporter, thread_slot};
use crate::{
    Error, Record,
    fork::{self, Common, Heirloom},
};

/// What became of a record. The greater is the worse: what decides where a record was split.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum End {
    Written,
    Filtered,
    Dropped,
    Failed,
}

pub(crate) const ENDS: usize = 4;

pub(crate) struct Counters {
    name: Common<String>,
    reporter: ThrottledReporter,
    /// The ledger that shows this account, while it is there.
    owner: Common<Weak<Ledger>>,
    threads: [ThreadCounters; thread_slot::SLOTS + 1],
    /// Changes with each fork: receipts of the process before are void.
    generation: AtomicU64,
    /// Records that were counted as written and turned out to be lost.
    reclassified: AtomicU64,
    marked: AtomicU64,
    other_errors: AtomicU64,
    fallback_written: AtomicU64,
    lost: AtomicU64,
    reported: AtomicU64,
    /// Of those lost: receipts that were dropped, of which nobody was told.
    unfinished: AtomicU64,
    /// The handler is gone: nobody will flush it any more.
    is_gone: AtomicBool,
}

/// What one thread has counted: it alone writes here, so that no store has to be atomic with a load. (The last part is
/// for all threads without one of their own, and is.)
#[derive(Default)]
#[repr(align(128))]
struct ThreadCounters {
    /// Records that ended in the call that brought them.
    immediate: [AtomicU64; ENDS],
    /// Records whose receipt was taken.
    taken: AtomicU64,
    /// Those of them that have ended.
    deferred: [AtomicU64; ENDS],
}

/// Those that no ledger has.
static UNUSED: Heirloom<Vec<&'static Counters>> = Heirloom::first(Vec::new());
/// Held while the receipts of an earlier process are given up.
static VOIDING: Heirloom<()> = Heirloom::first(());

impl Counters {
    fn new() -> Self {
        fork::check();
        Self {
            name: Common::default(),
            reporter: ThrottledReporter::default(),
            owner: Common::default(),
            threads: Default::default(),
            generation: AtomicU64::new(fork::generation()),
            reclassified: AtomicU64::new(0),
            marked: AtomicU64::new(0),
            other_errors: AtomicU64::new(0),
            fallback_written: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            reported: AtomicU64::new(0),
            unfinished: AtomicU64::new(0),
            is_gone: AtomicBool::new(false),
        }
    }

    /// An account for a new ledger.
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

    /// Its ledger is gone.
    pub(super) fn release(&'static self) {
        self.reporter.clear();
        UNUSED.get().push(self);
    }

    /// Nobody has a receipt of it any more.
    fn is_idle(&self) -> bool {
        self.void_after_fork();
        let deferred: u64 = self.deferred().iter().sum();
        self.taken() == deferred
    }

    fn clear(&self) {
        for thread in &self.threads {
            let counters = thread.immediate.iter().chain(&thread.deferred).chain([&thread.taken]);
            counters.for_each(|counter| counter.store(0, Ordering::Relaxed));
        }
        let others =
            [&self.reclassified, &self.marked, &self.other_errors, &self.fallback_written, &self.lost, &self.reported];
        others.into_iter().chain([&self.unfinished]).for_each(|counter| counter.store(0, Ordering::Relaxed));
        self.is_gone.store(false, Ordering::Relaxed);
        self.reporter.clear();
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

    /// A record ended in the call that brought it.
    #[inline]
    pub(crate) fn count_end(&self, end: End) {
        self.add(|thread| &thread.immediate[end as usize], 1);
    }

    /// So many ended, each in the call that brought it, before it was known that they belong here.
    pub(crate) fn add_ends(&self, ends: [u64; ENDS]) {
        ends.into_iter().enumerate().for_each(|(end, count)| self.add(|thread| &thread.immediate[end], count));
    }

    /// A receipt is taken. Gives the process it is valid in.
    #[inline]
    pub(super) fn count_taken(&self) -> u64 {
        fork::watch_now();
        let generation = self.void_after_fork();
        self.add(|thread| &thread.taken, 1);
        generation
    }

    /// So many records of a receipt have ended.
    #[inline]
    pub(super) fn count_deferred_end(&self, end: End, count: u64) {
        self.add(|thread| &thread.deferred[end as usize], count);
    }

    /// The process that receipts are valid in, after what an earlier one left was given up.
    #[inline]
    fn void_after_fork(&self) -> u64 {
        let generation = fork::generation();
        if self.generation.load(Ordering::Acquire) != generation {
            self.void(generation);
        }
        generation
    }

    /// What was kept before a fork is the parent's: here it counts as dropped.
    #[cold]
    fn void(&self, generation: u64) {
        let _voiding = VOIDING.get();
        if self.generation.load(Ordering::Acquire) != generation {
            let deferred: u64 = self.deferred().iter().sum();
            let left = self.taken().saturating_sub(deferred);
            self.threads[thread_slot::SLOTS].deferred[End::Dropped as usize].fetch_add(left, Ordering::AcqRel);
            self.reported.store(self.lost.load(Ordering::Relaxed), Ordering::Relaxed);
            self.generation.store(generation, Ordering::Release);
        }
    }

    /// So many records are lost: whoever flushes everything is to know.
    #[cold]
    pub(crate) fn count_lost(&self, count: u64) {
        self.lost.fetch_add(count, Ordering::Relaxed);
    }

    /// The same of receipts that were dropped. Once the handler is gone, its trap is told.
    #[cold]
    pub(super) fn count_unfinished(&self, count: u64) {
        self.count_lost(count);
        self.unfinished.fetch_add(count, Ordering::AcqRel);
        if self.is_gone.load(Ordering::Acquire) {
            self.report_unfinished();
        }
    }

    /// Nobody asks for losses any more.
    pub(crate) fn handler_is_gone(&self) {
        self.is_gone.store(true, Ordering::Release);
        self.report_unfinished();
    }

    fn report_unfinished(&self) {
        let count = self.unfinished.swap(0, Ordering::AcqRel);
        if count > 0 {
            let records = if count == 1 { "record was" } else { "records were" };
            let text = format_args!("{count} {records} lost: nobody said what became of them").to_string();
            self.report(&Error::new(text), None, true);
        }
    }

    /// How many were lost since this was asked last.
    pub(crate) fn take_unreported_losses(&self) -> u64 {
        self.void_after_fork();
        self.unfinished.store(0, Ordering::Relaxed);
        let lost = self.lost.load(Ordering::Relaxed);
        lost.saturating_sub(self.reported.swap(lost, Ordering::Relaxed))
    }

    pub(crate) fn count_marked(&self) {
        self.marked.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_fallback_written(&self) {
        self.fallback_written.fetch_add(1, Ordering::Relaxed);
    }

    /// `count` records that were counted as written were lost on their way. Gives how many there were: no more than were
    /// written so far.
    pub(super) fn reclassify_failed(&self, count: u64) -> u64 {
        let written = self.written();
        let less = |reclassified: u64| Some(reclassified + count.min(written.saturating_sub(reclassified)));
        let before = self.reclassified.fetch_update(Ordering::AcqRel, Ordering::Acquire, less);
        let taken = before.map_or(0, |before| count.min(written.saturating_sub(before)));
        self.count_lost(taken);
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
        let reclassified = self.reclassified.load(Ordering::Acquire);
        // In this order: what has ended was kept before.
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
            marked: self.marked.load(Ordering::Relaxed),
            other_errors: self.other_errors.load(Ordering::Relaxed),
            fallback_written: self.fallback_written.load(Ordering::Relaxed),
        }
    }

    // --- telling

    /// Tells a failure. One that lost no record is a trouble.
    #[cold]
    pub(crate) fn report(&self, error: &Error, record: Option<&Record>, is_other_error: bool) {
        if is_other_error {
            self.other_errors.fetch_add(1, Ordering::Relaxed);
        }
        self.reporter.report(&self.name(), error, record);
    }

    /// The same for the last that is heard of something: the default error handler does not hold it back.
    pub(super) fn report_unthrottled(&self, error: &Error) {
        self.other_errors.fetch_add(1, Ordering::Relaxed);
        self.reporter.report_throttled(&self.name(), error, None, false);
    }
}
