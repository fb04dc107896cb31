//! What a queue counts beside its ledger: losses by severity, and which of them are reported.

use std::{
    mem,
    sync::{Arc, MutexGuard, OnceLock},
    time::SystemTime,
};

use super::LossCounts;
use crate::{
    Delivery, Record, Severity,
    fork::ForkMutex,
    ledger::{ENDS, End, Ledger},
};

pub(super) struct QueueCounters {
    /// The ledger of the handler around the queue, once a record has come from there.
    known_ledger: OnceLock<Arc<Ledger>>,
    /// The ledger until then.
    own_ledger: Arc<Ledger>,
    /// Ends of the queue's own records until then.
    early_ends: ForkMutex<[u64; ENDS]>,
    losses: ForkMutex<Losses>,
}

#[derive(Default)]
struct Losses {
    total: LossCounts,
    unreported: UnreportedLosses,
    /// Losses in the notice that the handler is taking.
    in_notice: u64,
    /// Losses in notices that it refused or failed at.
    refused: u64,
    /// How many of the unreported losses the error handler knows of.
    known_to_error_handler: u64,
    /// How many of them `flush_all` has reported.
    known_to_flush_all: u64,
}

/// Losses without an in-band notice yet.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct UnreportedLosses {
    pub(super) lost: LossCounts,
    pub(super) span: Option<(SystemTime, SystemTime)>,
}

impl Losses {
    /// How many the handler's own log does not mention.
    fn unreported(&self) -> u64 {
        self.unreported.lost.total() + self.in_notice + self.refused
    }
}

impl QueueCounters {
    pub(super) fn new(name: &str) -> Self {
        Self {
            known_ledger: OnceLock::new(),
            own_ledger: Ledger::unlisted(name),
            early_ends: ForkMutex::default(),
            losses: ForkMutex::default(),
        }
    }

    #[inline]
    pub(super) fn ledger(&self) -> &Arc<Ledger> {
        self.known_ledger.get().unwrap_or(&self.own_ledger)
    }

    pub(super) fn known_ledger(&self) -> Option<&Arc<Ledger>> {
        self.known_ledger.get()
    }

    /// Learns the ledger of the first handler with a name that a record comes from.
    #[inline]
    pub(super) fn learn_ledger(&self, delivery: &Delivery<'_>) {
        if self.known_ledger.get().is_none() {
            if let Some(ledger) = delivery.ledger() {
                self.known_ledger.get_or_init(|| ledger);
                self.count_early(None);
            }
        }
    }

    /// Counts the end of a record of the queue's own while no ledger is known. These ends move to the ledger once it is
    /// known.
    #[cold]
    pub(super) fn count_early(&self, end: Option<End>) {
        let mut early_ends = self.early_ends.get();
        end.into_iter().for_each(|end| early_ends[end as usize] += 1);
        if let Some(ledger) = self.known_ledger.get() {
            ledger.counters().add_ends(mem::take(&mut early_ends));
        }
    }

    fn losses(&self) -> MutexGuard<'_, Losses> {
        // Those from before a fork are the parent's to report.
        self.losses.lock(|losses| *losses = Losses::default(), Losses::default)
    }

    /// A fallback takes it: it is lost to this queue only.
    pub(super) fn count_handed_over(&self, severity: Severity) {
        self.losses().total.add(severity);
    }

    pub(super) fn count_loss(&self, record: &Record) {
        let mut losses = self.losses();
        losses.total.add(record.severity());
        losses.unreported.lost.add(record.severity());
        let time = record.time();
        let (from, to) = losses.unreported.span.unwrap_or((time, time));
        losses.unreported.span = Some((from.min(time), to.max(time)));
    }

    /// The time of the first loss without a notice.
    pub(super) fn unreported_since(&self) -> Option<SystemTime> {
        self.losses().unreported.span.map(|(from, _)| from)
    }

    /// The losses for a notice, if there are any.
    pub(super) fn take_for_notice(&self) -> Option<UnreportedLosses> {
        let mut losses = self.losses();
        let total = losses.unreported.lost.total();
        losses.in_notice += total;
        (total > 0).then(|| mem::take(&mut losses.unreported))
    }

    pub(super) fn notice_ended(&self, is_accepted: bool) {
        let mut losses = self.losses();
        let count = mem::take(&mut losses.in_notice);
        losses.refused += if is_accepted { 0 } else { count };
        losses.known_to_error_handler = losses.known_to_error_handler.min(losses.unreported());
    }

    /// How many no notice will report: while the queue runs, those whose notice was refused.
    pub(super) fn unreportable(&self, has_ended: bool) -> u64 {
        let losses = self.losses();
        if has_ended { losses.unreported() } else { losses.refused }
    }

    /// How many the handler's own log does not mention.
    pub(super) fn unreported(&self) -> u64 {
        self.losses().unreported()
    }

    pub(super) fn lost(&self) -> LossCounts {
        self.losses().total
    }

    /// How many unreported losses are new to the error handler, and how many there are. It knows all of them now.
    pub(super) fn tell_error_handler(&self) -> (u64, u64) {
        let mut losses = self.losses();
        let unreported = losses.unreported();
        (unreported.saturating_sub(mem::replace(&mut losses.known_to_error_handler, unreported)), unreported)
    }

    /// How many unreported losses are new to `flush_all`. It knows all of them now.
    pub(super) fn tell_flush_all(&self) -> u64 {
        let mut losses = self.losses();
        let unreported = losses.unreported();
        unreported.saturating_sub(mem::replace(&mut losses.known_to_flush_all, unreported))
    }
}
