//! What a queue holds, where it hangs, and what it has lost.

use std::{
    cell::RefCell,
    sync::{Arc, MutexGuard, OnceLock},
    thread::LocalKey,
    time::SystemTime,
};

use super::LossCounts;
use crate::{
    Delivery, OwnedDelivery, Record, Severity,
    fork::Heirloom,
    handler::worker::{self, ShardHandle, Weighed},
    ledger::{ENDS, End, Ledger},
};

/// A record that waits.
pub(super) struct Item {
    pub(super) delivery: OwnedDelivery,
    /// No record takes 4 GiB.
    bytes: u32,
    is_protected: bool,
}

impl Item {
    #[inline]
    pub(super) fn new(delivery: OwnedDelivery, priority_level: Severity) -> Self {
        let bytes = u32::try_from(delivery.weight()).unwrap_or(u32::MAX);
        Self { bytes, is_protected: delivery.severity() >= priority_level, delivery }
    }
}

impl Weighed for Item {
    #[inline]
    fn bytes(&self) -> usize {
        self.bytes as usize
    }

    #[inline]
    fn is_protected(&self) -> bool {
        self.is_protected
    }

    fn time(&self) -> SystemTime {
        self.delivery.time()
    }

    fn discard(self) {
        self.delivery.dropped();
    }
}

thread_local! {
    static HANDLES: RefCell<Vec<ShardHandle<Item>>> = const { RefCell::new(Vec::new()) };
}

impl worker::Item for Item {
    const HANDLES: &'static LocalKey<RefCell<Vec<ShardHandle<Self>>>> = &HANDLES;
}

/// Where the queue hangs, and its losses.
pub(super) struct QueueCounters {
    /// Of the place the queue hangs in, as far as a record has come from there.
    known_ledger: OnceLock<Arc<Ledger>>,
    /// Until then.
    own: Arc<Ledger>,
    /// What was told until then, by its ends.
    early_ends: Heirloom<[u64; ENDS]>,
    losses: Heirloom<Counts>,
}

#[derive(Default)]
struct Counts {
    lost: LossCounts,
    unreported: UnreportedLosses,
    /// Those of the notice that the handler is taking.
    in_hand: u64,
    /// Those of notices that it refused or failed.
    refused: u64,
    /// Of all these, those the trap knows of.
    trapped: u64,
    /// And those that somebody who flushed everything was told of.
    reported: u64,
}

impl Counts {
    /// How many the handler's own log does not tell of.
    fn unreported_losses(&self) -> u64 {
        self.unreported.lost.total() + self.in_hand + self.refused
    }
}

/// Losses that were not told in-band yet.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct UnreportedLosses {
    pub(super) lost: LossCounts,
    pub(super) span: Option<(SystemTime, SystemTime)>,
}

impl QueueCounters {
    pub(super) fn new(name: &str) -> Self {
        Self {
            known_ledger: OnceLock::new(),
            own: Ledger::unlisted(name),
            early_ends: Heirloom::default(),
            losses: Heirloom::default(),
        }
    }

    #[inline]
    pub(super) fn ledger(&self) -> &Arc<Ledger> {
        self.known_ledger.get().unwrap_or(&self.own)
    }

    pub(super) fn known_ledger(&self) -> Option<&Arc<Ledger>> {
        self.known_ledger.get()
    }

    /// The first place that a record comes from counts.
    #[inline]
    pub(super) fn learn_ledger(&self, delivery: &Delivery<'_>) {
        if self.known_ledger.get().is_none()
            && let Some(ledger) = delivery.ledger()
        {
            self.bind(ledger);
        }
    }

    /// What the queue has told before is on that account as all else is.
    #[cold]
    fn bind(&self, ledger: Arc<Ledger>) {
        let mut early_ends = self.early_ends.get();
        let known_ledger = self.known_ledger.get_or_init(|| ledger);
        known_ledger.counters().add_ends(std::mem::take(&mut early_ends));
    }

    /// A record of the queue's own has ended, and was on no account.
    pub(super) fn count_early(&self, end: End) {
        let mut early_ends = self.early_ends.get();
        early_ends[end as usize] += 1;
        if let Some(known_ledger) = self.known_ledger.get() {
            known_ledger.counters().add_ends(std::mem::take(&mut early_ends));
        }
    }

    fn losses(&self) -> MutexGuard<'_, Counts> {
        // Those of before a fork are the parent's to tell.
        self.losses.lock(|losses| *losses = Counts::default(), Counts::default)
    }

    /// One that somebody else takes: it is lost to this queue only.
    pub(super) fn count_lost(&self, severity: Severity) {
        self.losses().lost.add(severity);
    }

    pub(super) fn count_loss(&self, record: &Record) {
        let mut losses = self.losses();
        losses.lost.add(record.severity());
        losses.unreported.lost.add(record.severity());
        let time = record.time();
        let (from, to) = losses.unreported.span.unwrap_or((time, time));
        losses.unreported.span = Some((from.min(time), to.max(time)));
    }

    /// When the first record was lost that was not told yet.
    pub(super) fn unreported_since(&self) -> Option<SystemTime> {
        self.losses().unreported.span.map(|(from, _)| from)
    }

    /// Losses to be told, if there are any.
    pub(super) fn take_unreported(&self) -> Option<UnreportedLosses> {
        let mut losses = self.losses();
        let total = losses.unreported.lost.total();
        losses.in_hand += total;
        (total > 0).then(|| std::mem::take(&mut losses.unreported))
    }

    /// What became of the notice.
    pub(super) fn notice_handled(&self, is_told: bool) {
        let mut losses = self.losses();
        let count = std::mem::take(&mut losses.in_hand);
        losses.refused += if is_told { 0 } else { count };
        losses.trapped = losses.trapped.min(losses.unreported_losses());
    }

    /// How many of those the handler's own log will not tell of: while it goes on, those whose notice was refused.
    pub(super) fn untellable(&self, is_over: bool) -> u64 {
        let losses = self.losses();
        if is_over { losses.unreported_losses() } else { losses.refused }
    }

    /// How many were lost of which the handler's own log does not tell.
    pub(super) fn unreported_losses(&self) -> u64 {
        self.losses().unreported_losses()
    }

    /// All that were lost so far.
    pub(super) fn lost(&self) -> LossCounts {
        self.losses().lost
    }

    /// How many of those are owed that the trap does not know of: it does now.
    pub(super) fn take_unknown_to_error_handler(&self) -> u64 {
        let mut losses = self.losses();
        let unreported_losses = losses.unreported_losses();
        unreported_losses.saturating_sub(std::mem::replace(&mut losses.trapped, unreported_losses))
    }

    /// How many of those are owed of which nobody was told who flushed everything: somebody is now.
    pub(super) fn report(&self) -> u64 {
        let mut losses = self.losses();
        let unreported_losses = losses.unreported_losses();
        unreported_losses.saturating_sub(std::mem::replace(&mut losses.reported, unreported_losses))
    }

    /// How many are owed. The trap knows of all of them now.
    pub(super) fn admit_all(&self) -> u64 {
        let mut losses = self.losses();
        losses.trapped = losses.unreported_losses();
        losses.trapped
    }
}
