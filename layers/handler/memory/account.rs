//! Records that are held back, and the ledger they are on.

use std::{
    collections::VecDeque,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::{Outcome, Record, Severity, record::Kept, trap::Ledger};

/// The ledger of a handler that settles records later. One and the same handler that hangs in two places (an `Arc`) has
/// two; whose a record is cannot be told then, so they count as written when they are taken.
#[derive(Debug, Default)]
pub(super) struct Account {
    ledger: OnceLock<Arc<Ledger>>,
    several: AtomicBool,
}

impl Account {
    pub(super) fn attach(&self, ledger: &Arc<Ledger>) {
        if !Arc::ptr_eq(self.ledger.get_or_init(|| Arc::clone(ledger)), ledger) {
            self.several.store(true, Ordering::Relaxed);
        }
    }

    /// One more is held back.
    #[inline]
    pub(super) fn queue(&self) -> Outcome {
        match self.ledger.get() {
            Some(ledger) if !self.several.load(Ordering::Relaxed) => {
                ledger.queue(1);
                Outcome::Queued
            }
            _ => Outcome::Written,
        }
    }

    /// A ledger settles no more than it has queued: what was taken for written is not counted twice.
    pub(super) fn settle(&self, count: usize, how: fn(&Ledger, u64)) {
        if count > 0
            && let Some(ledger) = self.ledger.get()
        {
            how(ledger, count as u64);
        }
    }
}

impl Account {
    /// After a fork, whatever is held back is the parent's.
    pub(super) fn leave_to_the_parent(&self) {
        self.settle(usize::MAX, Ledger::settle_dropped);
    }
}

/// Records in order, with what they weigh.
#[derive(Debug, Default)]
pub(super) struct Held {
    records: VecDeque<Kept>,
    weight: usize,
}

impl Held {
    /// Empty, in memory of an earlier one.
    pub(super) fn reuse(records: VecDeque<Kept>) -> Self {
        Self { records, weight: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    pub(super) fn weight(&self) -> usize {
        self.weight
    }

    #[inline]
    pub(super) fn push(&mut self, record: Kept) {
        self.weight += record.weight();
        self.records.push_back(record);
    }

    /// Removes the oldest.
    #[inline]
    pub(super) fn shift(&mut self) -> Option<Kept> {
        let record = self.records.pop_front()?;
        self.weight -= record.weight();
        Some(record)
    }

    /// Hands on what it has, after telling how many were lost before. Gives its memory back.
    pub(super) fn hand_on(mut self, lost: u64, mut to: impl FnMut(&Record)) -> VecDeque<Kept> {
        if lost > 0
            && let Some(first) = self.records.front()
        {
            to(&lost_before(first, lost));
        }
        while let Some(record) = self.records.pop_front() {
            to(&record);
        }
        self.records
    }

    /// Gives up what it has. Gives its memory back.
    pub(super) fn give_up(mut self) -> VecDeque<Kept> {
        self.records.clear();
        self.records
    }
}

/// The target of records of our own.
const TARGET: &str = "tracing_strata::memory";

/// The in-band notice of a loss: of the same time, thread and spans as the first record that was not lost.
#[cold]
fn lost_before(first: &Record, lost: u64) -> Record {
    let records = if lost == 1 { "record" } else { "records" };
    let mut note = first.note(Severity::WARN, TARGET, &format!("{lost} {records} lost before this one: no room"));
    note.set("lost", lost);
    note
}
