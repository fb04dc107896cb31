//! The account of a queue: its records, and those that were lost.

use std::{
    sync::{Arc, MutexGuard, OnceLock},
    time::SystemTime,
};

use super::{
    Lost,
    lane::{Account, Load},
};
use crate::{Record, Severity, fork::Heirloom, record::Kept, trap::Ledger};

/// A record that waits.
pub(super) struct Item {
    pub(super) record: Kept,
    bytes: usize,
    is_protected: bool,
}

impl Item {
    #[inline]
    pub(super) fn new(record: Kept, protect: Severity) -> Self {
        Self { bytes: record.weight(), is_protected: record.severity() >= protect, record }
    }
}

impl Load for Item {
    #[inline]
    fn bytes(&self) -> usize {
        self.bytes
    }

    #[inline]
    fn is_protected(&self) -> bool {
        self.is_protected
    }

    fn time(&self) -> SystemTime {
        self.record.time()
    }
}

/// The ledger, and the losses.
pub(super) struct Accounts {
    /// Of the place the queue hangs in.
    pub(super) ledger: OnceLock<Arc<Ledger>>,
    /// Of the handler, which settles there what it holds back; behind that of the place.
    pub(super) own_ledger: Arc<Ledger>,
    losses: Heirloom<Losses>,
}

#[derive(Default)]
struct Losses {
    lost: Lost,
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

impl Losses {
    /// How many the handler's own log does not tell of.
    fn owed(&self) -> u64 {
        self.untold.lost.total() + self.in_hand + self.refused
    }
}

/// Losses that were not told in-band yet.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Untold {
    pub(super) lost: Lost,
    pub(super) span: Option<(SystemTime, SystemTime)>,
}

impl Accounts {
    pub(super) fn new(own_ledger: Arc<Ledger>) -> Self {
        Self { ledger: OnceLock::new(), own_ledger, losses: Heirloom::default() }
    }

    #[inline]
    pub(super) fn ledger(&self) -> &Arc<Ledger> {
        self.ledger.get().unwrap_or(&self.own_ledger)
    }

    fn losses(&self) -> MutexGuard<'_, Losses> {
        // Those of before a fork are the parent's to tell.
        self.losses.lock(|losses| *losses = Losses::default(), Losses::default)
    }

    fn lose(&self, record: &Record) {
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
    pub(super) fn lost(&self) -> Lost {
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

impl Account<Item> for Accounts {
    fn queued(&self, count: u64) {
        self.ledger().queue(count);
    }

    fn gave_up(&self, item: &Item) {
        self.ledger().settle_dropped(1);
        self.lose(&item.record);
    }

    fn refused(&self, item: &Item) {
        self.lose(&item.record);
    }
}
