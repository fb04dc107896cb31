//! The duty to say what became of a record.

use std::{
    collections::VecDeque,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering},
    },
};

use super::{
    Ledger,
    account::{Account, End},
};
use crate::{
    Error, Record,
    fork::{self, ForkMutex},
    record::OwnedRecord,
};

/// The duty to say what became of one record at the handler that took it. It is consumed by saying so; one that is
/// dropped unfinished says that the record was dropped, and [`flush_all`](crate::flush_all) tells of the loss.
///
/// | where it ends | what it says |
/// |---|---|
/// | on any thread, at any time, also from a destructor in a thread's last moments | counts at the handler that took the record |
/// | after that handler is gone | the same; whoever kept the [`Ledger`] reads it there, and an error goes to the handler's trap, or to stderr once the ledger is gone, too |
/// | in a child of a fork, taken by the parent | nothing: the record is the parent's, and counts as dropped in the child |
///
/// Made by [`Delivery::take`](crate::Delivery::take), which shows an example.
#[must_use = "a receipt that is dropped says that the record was dropped"]
pub struct Receipt {
    account: Option<&'static Account>,
    /// That of the handler around it, where both always end alike.
    outer: Option<&'static Account>,
    /// What else waits for the end.
    node: Option<Arc<Node>>,
    generation: u32,
    /// How many records: more than one only among [`Receipts`].
    count: u32,
}

/// How a record ended.
#[derive(Debug)]
pub(crate) struct Fate {
    pub(crate) end: End,
    pub(crate) error: Option<Error>,
    /// It is a loss that nobody has counted yet.
    pub(crate) is_loss: bool,
}

impl From<End> for Fate {
    fn from(end: End) -> Self {
        Self { end, error: None, is_loss: false }
    }
}

impl From<Error> for Fate {
    fn from(error: Error) -> Self {
        Self { end: End::Failed, is_loss: !error.is_counted(), error: Some(error) }
    }
}

impl Fate {
    /// Nobody said anything.
    pub(crate) const FORGOTTEN: Self = Self { end: End::Dropped, error: None, is_loss: true };
}

impl Receipt {
    /// The record is at its place.
    pub fn written(self) {
        self.end_as(End::Written);
    }

    /// It was refused by a level or filter.
    pub fn filtered(self) {
        self.end_as(End::Filtered);
    }

    /// It was given up on purpose.
    pub fn dropped(self) {
        self.end_as(End::Dropped);
    }

    /// It is lost to an error, which is told to the handler's [`ErrorHandler`](super::ErrorHandler).
    pub fn failed(mut self, error: Error) {
        fork::check();
        self.end(Fate::from(error), None);
    }

    fn end_as(mut self, end: End) {
        // It may be a child's, and nothing else has looked.
        fork::check();
        self.end(Fate::from(end), None);
    }

    // --- within the crate

    /// On one account, or on none.
    #[inline]
    pub(crate) fn on(account: Option<&'static Account>) -> Self {
        let generation = account.map_or_else(fork::generation, Account::keep) as u32;
        Self { account, outer: None, node: None, generation, count: 1 }
    }

    /// A share of what waits in a node.
    pub(crate) fn of(node: Arc<Node>) -> Self {
        Self { account: None, outer: None, node: Some(node), generation: fork::generation() as u32, count: 1 }
    }

    /// The same duty for a handler within.
    pub(crate) fn within(mut self, account: &'static Account) -> Self {
        account.keep();
        if self.outer.is_some() {
            let mut within = Self::of(Node::new(self, None));
            within.account = Some(account);
            return within;
        }
        self.outer = self.account.replace(account);
        self
    }

    pub(crate) fn account(&self) -> Option<&'static Account> {
        self.account.or_else(|| self.node.as_ref()?.account())
    }

    /// Whether somebody else takes the record where it fails.
    pub(crate) fn is_covered(&self) -> bool {
        self.node.as_ref().is_some_and(|node| node.is_covered)
    }

    fn is_valid(&self) -> bool {
        self.generation == fork::generation() as u32
    }

    /// Says how it ended, to whom it concerns.
    #[inline]
    pub(crate) fn end(&mut self, mut fate: Fate, record: Option<&Record>) {
        let count = u64::from(std::mem::take(&mut self.count));
        if count == 0 || !self.is_valid() {
            return self.node.take().into_iter().for_each(Node::void);
        }
        if fate.error.is_some() || fate.is_loss {
            self.lose(&mut fate, count, record);
        }
        if let Some(account) = self.account {
            account.end_later(fate.end, count);
        }
        if let Some(outer) = self.outer {
            outer.end_later(fate.end, count);
        }
        if let Some(node) = self.node.take() {
            node.end(fate);
        }
    }

    #[cold]
    fn lose(&mut self, fate: &mut Fate, count: u64, record: Option<&Record>) {
        let Some(account) = self.account else { return };
        if fate.is_loss && !self.is_covered() {
            if fate.error.is_some() {
                account.count_lost(count)
            } else {
                account.count_forgotten(count)
            }
            fate.is_loss = false;
        }
        if let Some(error) = &mut fate.error
            && !error.is_reported()
        {
            account.tell(error, record, record.is_none());
            error.set_reported();
        }
    }
}

impl Drop for Receipt {
    #[inline]
    fn drop(&mut self) {
        if self.count > 0 {
            self.end(Fate::FORGOTTEN, None);
        }
    }
}

impl fmt::Debug for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let handler = self.account().map(Account::name);
        f.debug_struct("Receipt").field("handler", &handler).field("records", &self.count).finish_non_exhaustive()
    }
}

// --- many

/// Receipts in the order of their records. Those that end alike are one.
#[derive(Debug, Default)]
pub(crate) struct Receipts {
    runs: VecDeque<Receipt>,
    /// Behind those; mostly alone, and then no memory is needed.
    last: Option<Receipt>,
    len: usize,
}

impl Receipts {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(crate) fn push(&mut self, mut receipt: Receipt) {
        self.len += receipt.count as usize;
        match &mut self.last {
            Some(last) if last.joins(&receipt) => last.count += std::mem::take(&mut receipt.count),
            last => self.runs.extend(last.replace(receipt)),
        }
    }

    /// One more of a handler that has no other around it.
    #[inline]
    pub(crate) fn push_on(&mut self, account: &'static Account) {
        let generation = account.keep() as u32;
        match &mut self.last {
            Some(last) if last.is_alone_on(account, generation) => {
                last.count += 1;
                self.len += 1;
            }
            _ => self.push(Receipt { account: Some(account), outer: None, node: None, generation, count: 1 }),
        }
    }

    /// Takes out so many of the first, or fewer that end alike.
    fn take(&mut self, most: usize) -> Option<Receipt> {
        if most == 0 {
            return None;
        }
        let first = self.runs.front_mut().or(self.last.as_mut())?;
        let taken = match u32::try_from(most) {
            Ok(most) if most < first.count => {
                first.count -= most;
                let Receipt { account, outer, generation, .. } = *first;
                Receipt { account, outer, node: None, generation, count: most }
            }
            _ => self.runs.pop_front().or_else(|| self.last.take())?,
        };
        self.len -= taken.count as usize;
        Some(taken)
    }

    /// Takes the first one out.
    pub(crate) fn pop(&mut self) -> Option<Receipt> {
        self.take(1)
    }

    /// Takes the first ones out.
    pub(crate) fn split(&mut self, count: usize) -> Self {
        let mut first = Self::default();
        while let Some(run) = self.take(count - first.len) {
            first.push(run);
        }
        first
    }

    /// That of the first one.
    pub(crate) fn ledger(&self) -> Option<Arc<Ledger>> {
        self.runs.front().or(self.last.as_ref())?.account()?.ledger()
    }

    /// The first `count` have ended like this.
    pub(crate) fn end(&mut self, count: usize, end: End) {
        self.end_with(count, || Fate::from(end));
    }

    /// The first `count` are lost, and the error is told once.
    pub(crate) fn fail(&mut self, count: usize, error: Error) {
        let message = error.to_string();
        let mut error = Some(error);
        self.end_with(count, || {
            let again = || {
                let mut again = Error::new(&message);
                again.set_reported();
                again
            };
            Fate::from(error.take().unwrap_or_else(again))
        });
    }

    fn end_with(&mut self, mut count: usize, mut fate: impl FnMut() -> Fate) {
        while let Some(mut run) = self.take(count) {
            count -= run.count as usize;
            run.end(fate(), None);
        }
    }
}

impl Receipt {
    #[inline]
    fn is_alone_on(&self, account: &Account, generation: u32) -> bool {
        self.account.is_some_and(|own| std::ptr::eq(own, account))
            && self.outer.is_none()
            && self.node.is_none()
            && self.generation == generation
            && self.count < u32::MAX
    }

    #[inline]
    fn joins(&self, other: &Self) -> bool {
        let is_same = |one: Option<&Account>, other: Option<&Account>| match (one, other) {
            (Some(one), Some(other)) => std::ptr::eq(one, other),
            (one, other) => one.is_none() && other.is_none(),
        };
        self.node.is_none()
            && other.node.is_none()
            && self.generation == other.generation
            && is_same(self.account, other.account)
            && is_same(self.outer, other.outer)
            && self.count.checked_add(other.count).is_some()
    }
}

// --- several ends of one record

/// What waits until all who share a record have ended it: the worst end counts.
pub(crate) struct Node {
    shares: AtomicU32,
    worst: AtomicU8,
    /// A loss that nobody has counted is among them.
    is_loss: AtomicBool,
    is_covered: bool,
    counts_rescued: bool,
    duty: ForkMutex<Option<Duty>>,
    /// As in the duty.
    account: Option<&'static Account>,
}

struct Duty {
    receipt: Receipt,
    rescue: Option<Rescue>,
    error: Option<Error>,
}

/// Somebody who takes a record that failed.
pub(crate) struct Rescue {
    pub(crate) record: OwnedRecord,
    pub(crate) rescuer: Arc<dyn Rescuer>,
}

/// Hears how a record ended that it may take in its turn, with the duty to end it. Called under no lock.
pub(crate) trait Rescuer: Send + Sync {
    fn ended(&self, fate: Fate, record: OwnedRecord, receipt: Receipt);
}

impl Node {
    /// With one share.
    pub(crate) fn new(receipt: Receipt, rescue: Option<Rescue>) -> Arc<Self> {
        Self::make(receipt, rescue, false)
    }

    /// Where it ends as written, a fallback has taken it.
    pub(crate) fn of_a_fallback(receipt: Receipt) -> Arc<Self> {
        Self::make(receipt, None, true)
    }

    fn make(receipt: Receipt, rescue: Option<Rescue>, counts_rescued: bool) -> Arc<Self> {
        let is_covered = rescue.is_some() || receipt.is_covered();
        let account = receipt.account();
        let duty = ForkMutex::new(Some(Duty { receipt, rescue, error: None }));
        let (worst, is_loss) = (AtomicU8::new(End::Written as u8), AtomicBool::new(false));
        Arc::new(Self { shares: AtomicU32::new(1), worst, is_loss, is_covered, counts_rescued, duty, account })
    }

    /// One more share.
    pub(crate) fn share(self: &Arc<Self>) -> Receipt {
        self.shares.fetch_add(1, Ordering::Relaxed);
        Receipt::of(Arc::clone(self))
    }

    fn account(&self) -> Option<&'static Account> {
        self.account
    }

    /// One share has ended.
    #[allow(clippy::needless_pass_by_value)]
    pub(crate) fn end(self: Arc<Self>, fate: Fate) {
        self.worst.fetch_max(fate.end as u8, Ordering::AcqRel);
        if fate.is_loss {
            self.is_loss.store(true, Ordering::Relaxed);
        }
        if let Some(error) = fate.error
            && let Some(duty) = &mut *self.duty.get()
            && duty.error.is_none()
        {
            duty.error = Some(error);
        }
        if self.shares.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.end_all();
        }
    }

    fn end_all(&self) {
        // Not under the lock: a fallback is user code.
        let Some(Duty { mut receipt, rescue, error }) = self.duty.get().take() else { return };
        let end = match self.worst.load(Ordering::Acquire) {
            0 => End::Written,
            1 => End::Filtered,
            2 => End::Dropped,
            _ => End::Failed,
        };
        let fate = Fate { end, error, is_loss: self.is_loss.load(Ordering::Relaxed) };
        if self.counts_rescued
            && end == End::Written
            && let Some(account) = receipt.account()
        {
            account.count_rescued();
        }
        match rescue {
            Some(Rescue { record, rescuer }) if receipt.is_valid() => rescuer.ended(fate, record, receipt),
            _ => receipt.end(fate, None),
        }
    }

    /// It is the parent's, before a fork.
    #[allow(clippy::needless_pass_by_value)]
    fn void(self: Arc<Self>) {
        if self.shares.fetch_sub(1, Ordering::AcqRel) == 1 {
            let duty = self.duty.get().take();
            drop(duty);
        }
    }
}
