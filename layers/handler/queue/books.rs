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
    fork::ForkMutex,
    handler::worker::{self, Load, Seat},
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
    pub(super) fn new(delivery: OwnedDelivery, protect: Severity) -> Self {
        let bytes = u32::try_from(delivery.weight()).unwrap_or(u32::MAX);
        Self { bytes, is_protected: delivery.severity() >= protect, delivery }
    }
}

impl Load for Item {
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

    fn give_up(self) {
        self.delivery.dropped();
    }
}

thread_local! {
    static SEATS: RefCell<Vec<Seat<Item>>> = const { RefCell::new(Vec::new()) };
}

impl worker::Item for Item {
    const SEATS: &'static LocalKey<RefCell<Vec<Seat<Self>>>> = &SEATS;
}

/// Where the queue hangs, and its losses.
pub(super) struct Books {
    /// Of the place the queue hangs in, as far as a record has come from there.
    home: OnceLock<Arc<Ledger>>,
    /// Until then.
    own: Arc<Ledger>,
    /// What was told until then, by its ends.
    early: ForkMutex<[u64; ENDS]>,
    losses: ForkMutex<Counts>,
}

#[derive(Default)]
struct Counts {
    lost: LossCounts,
    untold: Untold,
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
    fn owed(&self) -> u64 {
        self.untold.lost.total() + self.in_hand + self.refused
    }
}

/// Losses that were not told in-band yet.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Untold {
    pub(super) lost: LossCounts,
    pub(super) span: Option<(SystemTime, SystemTime)>,
}

impl Books {
    pub(super) fn new(name: &str) -> Self {
        Self {
            home: OnceLock::new(),
            own: Ledger::apart(name),
            early: ForkMutex::default(),
            losses: ForkMutex::default(),
        }
    }

    #[inline]
    pub(super) fn ledger(&self) -> &Arc<Ledger> {
        self.home.get().unwrap_or(&self.own)
    }

    pub(super) fn home(&self) -> Option<&Arc<Ledger>> {
        self.home.get()
    }

    /// The first place that a record comes from counts.
    #[inline]
    pub(super) fn belong_to(&self, delivery: &Delivery<'_>) {
        if self.home.get().is_none()
            && let Some(ledger) = delivery.ledger()
        {
            self.settle_in(ledger);
        }
    }

    /// What the queue has told before is on that account as all else is.
    #[cold]
    fn settle_in(&self, ledger: Arc<Ledger>) {
        let mut early = self.early.get();
        let home = self.home.get_or_init(|| ledger);
        home.account().add_ends(std::mem::take(&mut early));
    }

    /// A record of the queue's own has ended, and was on no account.
    pub(super) fn note_early(&self, end: End) {
        let mut early = self.early.get();
        early[end as usize] += 1;
        if let Some(home) = self.home.get() {
            home.account().add_ends(std::mem::take(&mut early));
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

    pub(super) fn lose(&self, record: &Record) {
        let mut losses = self.losses();
        losses.lost.add(record.severity());
        losses.untold.lost.add(record.severity());
        let time = record.time();
        let (from, to) = losses.untold.span.unwrap_or((time, time));
        losses.untold.span = Some((from.min(time), to.max(time)));
    }

    /// When the first record was lost that was not told yet.
    pub(super) fn untold_since(&self) -> Option<SystemTime> {
        self.losses().untold.span.map(|(from, _)| from)
    }

    /// Losses to be told, if there are any.
    pub(super) fn take_untold(&self) -> Option<Untold> {
        let mut losses = self.losses();
        let total = losses.untold.lost.total();
        losses.in_hand += total;
        (total > 0).then(|| std::mem::take(&mut losses.untold))
    }

    /// What became of the notice.
    pub(super) fn was_told(&self, is_told: bool) {
        let mut losses = self.losses();
        let count = std::mem::take(&mut losses.in_hand);
        losses.refused += if is_told { 0 } else { count };
        losses.trapped = losses.trapped.min(losses.owed());
    }

    /// How many of those the handler's own log will not tell of: while it goes on, those whose notice was refused.
    pub(super) fn untellable(&self, is_over: bool) -> u64 {
        let losses = self.losses();
        if is_over { losses.owed() } else { losses.refused }
    }

    /// How many were lost of which the handler's own log does not tell.
    pub(super) fn owed(&self) -> u64 {
        self.losses().owed()
    }

    /// All that were lost so far.
    pub(super) fn lost(&self) -> LossCounts {
        self.losses().lost
    }

    /// How many of those are owed that the trap does not know of: it does now.
    pub(super) fn admit(&self) -> u64 {
        let mut losses = self.losses();
        let owed = losses.owed();
        owed.saturating_sub(std::mem::replace(&mut losses.trapped, owed))
    }

    /// How many of those are owed of which nobody was told who flushed everything: somebody is now.
    pub(super) fn report(&self) -> u64 {
        let mut losses = self.losses();
        let owed = losses.owed();
        owed.saturating_sub(std::mem::replace(&mut losses.reported, owed))
    }

    /// How many are owed. The trap knows of all of them now.
    pub(super) fn admit_all(&self) -> u64 {
        let mut losses = self.losses();
        losses.trapped = losses.owed();
        losses.trapped
    }
}
