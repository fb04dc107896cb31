//! The counters behind a [`Ledger`](super::Ledger).
//!
//! Accounts are never freed, so that a receipt is a plain reference: a record costs no reference count that two threads
//! would share. An account is used again for another handler once its ledger is gone and all its receipts have ended.

use std::sync::{
    Arc, Weak,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use super::{Ledger, Outlet, Stats, slot};
use crate::{
    Error, Record,
    fork::{self, ForkMutex, ForkRwLock},
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

pub(crate) struct Account {
    name: ForkRwLock<String>,
    outlet: Outlet,
    /// The ledger that shows this account, while it is there.
    owner: ForkRwLock<Weak<Ledger>>,
    parts: [Part; slot::SLOTS + 1],
    /// Changes with each fork: receipts of the process before are void.
    generation: AtomicU64,
    /// Records that were counted as written and turned out to be lost.
    unwritten: AtomicU64,
    marked: AtomicU64,
    troubles: AtomicU64,
    rescued: AtomicU64,
    lost: AtomicU64,
    reported: AtomicU64,
    /// Of those lost: receipts that were dropped, of which nobody was told.
    forgotten: AtomicU64,
    /// The handler is gone: nobody will flush it any more.
    is_gone: AtomicBool,
}

/// What one thread has counted: it alone writes here, so that no store has to be atomic with a load. (The last part is
/// for all threads without one of their own, and is.)
#[derive(Default)]
#[repr(align(128))]
struct Part {
    /// Records that ended in the call that brought them.
    at_once: [AtomicU64; ENDS],
    /// Records whose receipt was taken.
    kept: AtomicU64,
    /// Those of them that have ended.
    later: [AtomicU64; ENDS],
}

/// Those that no ledger has.
static FREE: ForkMutex<Vec<&'static Account>> = ForkMutex::first(Vec::new());
/// Held while the receipts of an earlier process are given up.
static VOIDING: ForkMutex<()> = ForkMutex::first(());

impl Account {
    fn new() -> Self {
        fork::check();
        Self {
            name: ForkRwLock::default(),
            outlet: Outlet::default(),
            owner: ForkRwLock::default(),
            parts: Default::default(),
            generation: AtomicU64::new(fork::generation()),
            unwritten: AtomicU64::new(0),
            marked: AtomicU64::new(0),
            troubles: AtomicU64::new(0),
            rescued: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            reported: AtomicU64::new(0),
            forgotten: AtomicU64::new(0),
            is_gone: AtomicBool::new(false),
        }
    }

    /// An account for a new ledger.
    pub(super) fn claim(name: &str) -> &'static Self {
        let used = {
            let mut free = FREE.get();
            let is_idle = |account: &&'static Self| account.is_idle();
            free.iter().position(is_idle).map(|index| free.swap_remove(index))
        };
        let account = used.unwrap_or_else(|| Box::leak(Box::new(Self::new())));
        account.clear();
        account.name.set(name.to_owned());
        account
    }

    /// Its ledger is gone.
    pub(super) fn release(&'static self) {
        self.outlet.clear();
        FREE.get().push(self);
    }

    /// Nobody has a receipt of it any more.
    fn is_idle(&self) -> bool {
        self.current();
        let later: u64 = self.later().iter().sum();
        self.kept() == later
    }

    fn clear(&self) {
        for part in &self.parts {
            let counters = part.at_once.iter().chain(&part.later).chain([&part.kept]);
            counters.for_each(|counter| counter.store(0, Ordering::Relaxed));
        }
        let others = [&self.unwritten, &self.marked, &self.troubles, &self.rescued, &self.lost, &self.reported];
        others.into_iter().chain([&self.forgotten]).for_each(|counter| counter.store(0, Ordering::Relaxed));
        self.is_gone.store(false, Ordering::Relaxed);
        self.outlet.clear();
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

    pub(super) fn outlet(&self) -> &Outlet {
        &self.outlet
    }

    // --- counting

    #[inline]
    fn add(&self, counter: impl FnOnce(&Part) -> &AtomicU64, count: u64) {
        let slot = slot::own();
        let counter = counter(&self.parts[slot]);
        if slot < slot::SLOTS {
            counter.store(counter.load(Ordering::Relaxed) + count, Ordering::Release);
        } else {
            counter.fetch_add(count, Ordering::AcqRel);
        }
    }

    /// A record ended in the call that brought it.
    #[inline]
    pub(crate) fn end_at_once(&self, end: End) {
        self.add(|part| &part.at_once[end as usize], 1);
    }

    /// So many ended, each in the call that brought it, before it was known that they belong here.
    pub(crate) fn add_ends(&self, ends: [u64; ENDS]) {
        ends.into_iter().enumerate().for_each(|(end, count)| self.add(|part| &part.at_once[end], count));
    }

    /// A receipt is taken. Gives the process it is valid in.
    #[inline]
    pub(super) fn keep(&self) -> u64 {
        fork::ensure_watched();
        let generation = self.current();
        self.add(|part| &part.kept, 1);
        generation
    }

    /// So many records of a receipt have ended.
    #[inline]
    pub(super) fn end_later(&self, end: End, count: u64) {
        self.add(|part| &part.later[end as usize], count);
    }

    /// The process that receipts are valid in, after what an earlier one left was given up.
    #[inline]
    fn current(&self) -> u64 {
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
            let later: u64 = self.later().iter().sum();
            let left = self.kept().saturating_sub(later);
            self.parts[slot::SLOTS].later[End::Dropped as usize].fetch_add(left, Ordering::AcqRel);
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
    pub(super) fn count_forgotten(&self, count: u64) {
        self.count_lost(count);
        self.forgotten.fetch_add(count, Ordering::AcqRel);
        if self.is_gone.load(Ordering::Acquire) {
            self.tell_forgotten();
        }
    }

    /// Nobody asks for losses any more.
    pub(crate) fn handler_is_gone(&self) {
        self.is_gone.store(true, Ordering::Release);
        self.tell_forgotten();
    }

    fn tell_forgotten(&self) {
        let count = self.forgotten.swap(0, Ordering::AcqRel);
        if count > 0 {
            let records = if count == 1 { "record was" } else { "records were" };
            let text = format_args!("{count} {records} lost: nobody said what became of them").to_string();
            self.tell(&Error::new(text), None, true);
        }
    }

    /// How many were lost since this was asked last.
    pub(crate) fn take_lost(&self) -> u64 {
        self.current();
        self.forgotten.store(0, Ordering::Relaxed);
        let lost = self.lost.load(Ordering::Relaxed);
        lost.saturating_sub(self.reported.swap(lost, Ordering::Relaxed))
    }

    pub(crate) fn count_marked(&self) {
        self.marked.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_rescued(&self) {
        self.rescued.fetch_add(1, Ordering::Relaxed);
    }

    /// `count` records that were counted as written were lost on their way. Gives how many there were: no more than were
    /// written so far.
    pub(super) fn unwrite(&self, count: u64) -> u64 {
        let written = self.written();
        let less = |unwritten: u64| Some(unwritten + count.min(written.saturating_sub(unwritten)));
        let before = self.unwritten.fetch_update(Ordering::AcqRel, Ordering::Acquire, less);
        let taken = before.map_or(0, |before| count.min(written.saturating_sub(before)));
        self.count_lost(taken);
        taken
    }

    // --- reading

    fn sum(&self, counter: impl Fn(&Part) -> &AtomicU64) -> u64 {
        self.parts.iter().map(|part| counter(part).load(Ordering::Acquire)).sum()
    }

    fn later(&self) -> [u64; ENDS] {
        std::array::from_fn(|end| self.sum(|part| &part.later[end]))
    }

    fn kept(&self) -> u64 {
        self.sum(|part| &part.kept)
    }

    fn written(&self) -> u64 {
        self.sum(|part| &part.at_once[End::Written as usize]) + self.sum(|part| &part.later[End::Written as usize])
    }

    pub(super) fn stats(&self) -> Stats {
        self.current();
        let unwritten = self.unwritten.load(Ordering::Acquire);
        // In this order: what has ended was kept before.
        let later = self.later();
        let kept = self.kept();
        let [written, filtered, dropped, failed] =
            std::array::from_fn(|end| later[end] + self.sum(|part| &part.at_once[end]));
        Stats {
            written: written.saturating_sub(unwritten),
            filtered,
            dropped,
            failed: failed + unwritten,
            queued: kept.saturating_sub(later.iter().sum()),
            marked: self.marked.load(Ordering::Relaxed),
            other_errors: self.troubles.load(Ordering::Relaxed),
            fallback_written: self.rescued.load(Ordering::Relaxed),
        }
    }

    // --- telling

    /// Tells a failure. One that lost no record is a trouble.
    #[cold]
    pub(crate) fn tell(&self, error: &Error, record: Option<&Record>, is_trouble: bool) {
        if is_trouble {
            self.troubles.fetch_add(1, Ordering::Relaxed);
        }
        self.outlet.tell(&self.name(), error, record);
    }

    /// The same for the last that is heard of something: the default error handler does not hold it back.
    pub(super) fn tell_last(&self, error: &Error) {
        self.troubles.fetch_add(1, Ordering::Relaxed);
        self.outlet.tell_unless_often(&self.name(), error, None, false);
    }
}
