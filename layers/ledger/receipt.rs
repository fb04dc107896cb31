//! Receipts: each ends one record, once.

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
    counters::{Counters, End, Total},
};
use crate::{
    Error, Record,
    fork::{self, ForkMutex},
    record::OwnedRecord,
};

/// The duty to end one record at the handler that took it. Each of its methods consumes it. A receipt that is dropped ends
/// its record as dropped, and [`flush_all`](crate::flush_all) reports the loss.
///
/// | where it ends | what happens |
/// |---|---|
/// | on any thread, at any time, also in a destructor at a thread's end | the handler that took the record counts it |
/// | after that handler is gone | the same: its [`Ledger`] counts it, if somebody has that, and an error goes to the handler's error handler, or to stderr once the ledger is gone, too |
/// | in the child of a fork, taken by the parent | nothing: the record is the parent's, and counts as dropped in the child |
///
/// Made by [`Delivery::take`](crate::Delivery::take), which shows an example.
#[must_use = "dropping a receipt counts its record as dropped"]
pub struct Receipt {
    counters: Option<&'static Counters>,
    /// Of the handler around it, where both always end alike.
    outer: Option<&'static Counters>,
    /// What else the end completes.
    completion: Option<Arc<Completion>>,
    generation: u32,
    /// The number of records: more than one only in [`Receipts`].
    count: u32,
}

/// How a record ended.
#[derive(Debug)]
pub(crate) struct Resolution {
    pub(crate) end: End,
    pub(crate) error: Option<Error>,
    /// It is a loss that is not counted yet.
    pub(crate) is_loss: bool,
}

impl From<End> for Resolution {
    fn from(end: End) -> Self {
        Self { end, error: None, is_loss: false }
    }
}

impl From<Error> for Resolution {
    fn from(error: Error) -> Self {
        Self { end: End::Failed, is_loss: !error.is_counted(), error: Some(error) }
    }
}

impl Resolution {
    /// Nobody ended it.
    pub(crate) const UNFINISHED: Self = Self { end: End::Dropped, error: None, is_loss: true };
}

impl Receipt {
    /// The record is written.
    pub fn written(self) {
        self.end_as(End::Written);
    }

    /// A level or filter refused it.
    pub fn filtered(self) {
        self.end_as(End::Filtered);
    }

    /// It was dropped on purpose.
    pub fn dropped(self) {
        self.end_as(End::Dropped);
    }

    /// An error lost it. The handler's [`ErrorHandler`](super::ErrorHandler) gets the error.
    pub fn failed(mut self, error: Error) {
        fork::check();
        self.end(Resolution::from(error), None);
    }

    fn end_as(mut self, end: End) {
        // This may be a child process, and the first to notice.
        fork::check();
        self.end(Resolution::from(end), None);
    }

    // --- within the crate

    /// For one handler, or for none.
    #[inline]
    pub(crate) fn on(counters: Option<&'static Counters>) -> Self {
        let generation = counters.map_or_else(fork::generation, Counters::count_taken) as u32;
        Self { counters, outer: None, completion: None, generation, count: 1 }
    }

    /// For one share of a completion.
    pub(crate) fn of(completion: Arc<Completion>) -> Self {
        Self {
            counters: None,
            outer: None,
            completion: Some(completion),
            generation: fork::generation() as u32,
            count: 1,
        }
    }

    /// For a handler further in, too.
    pub(crate) fn nested_in(mut self, counters: &'static Counters) -> Self {
        counters.count_taken();
        if self.outer.is_some() {
            let mut nested_in = Self::of(Completion::new(self, None));
            nested_in.counters = Some(counters);
            return nested_in;
        }
        self.outer = self.counters.replace(counters);
        self
    }

    pub(crate) fn counters(&self) -> Option<&'static Counters> {
        self.counters.or_else(|| self.completion.as_ref()?.counters)
    }

    /// Whether a fallback takes the record where it fails.
    pub(crate) fn has_fallback(&self) -> bool {
        self.completion.as_ref().is_some_and(|completion| completion.has_fallback)
    }

    fn is_valid(&self) -> bool {
        self.generation == fork::generation() as u32
    }

    /// Counts the end everywhere.
    #[inline]
    pub(crate) fn end(&mut self, mut resolution: Resolution, record: Option<&Record>) {
        let count = u64::from(std::mem::take(&mut self.count));
        if count == 0 || !self.is_valid() {
            return self.completion.take().into_iter().for_each(|completion| completion.void());
        }
        if resolution.error.is_some() || resolution.is_loss {
            self.report_loss(&mut resolution, count, record);
        }
        if let Some(counters) = self.counters {
            counters.count_deferred_end(resolution.end, count);
        }
        if let Some(outer) = self.outer {
            outer.count_deferred_end(resolution.end, count);
        }
        if let Some(completion) = self.completion.take() {
            completion.end(resolution);
        }
    }

    #[cold]
    fn report_loss(&mut self, resolution: &mut Resolution, count: u64, record: Option<&Record>) {
        let Some(counters) = self.counters else { return };
        if resolution.is_loss && !self.has_fallback() {
            if resolution.error.is_some() {
                counters.count(Total::Lost, count)
            } else {
                counters.count_unfinished(count)
            }
            resolution.is_loss = false;
        }
        if let Some(error) = &mut resolution.error {
            if !error.is_reported() {
                counters.report(error, record, record.is_none());
                error.set_reported();
            }
        }
    }
}

impl Drop for Receipt {
    #[inline]
    fn drop(&mut self) {
        if self.count > 0 {
            self.end(Resolution::UNFINISHED, None);
        }
    }
}

impl fmt::Debug for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let handler = self.counters().map(Counters::name);
        f.debug_struct("Receipt").field("handler", &handler).field("records", &self.count).finish_non_exhaustive()
    }
}

// --- many

/// Receipts in the order of their records. Neighbours of the same handlers are one run.
#[derive(Debug, Default)]
pub(crate) struct Receipts {
    runs: VecDeque<Receipt>,
    /// The last run, maxly the only one: then nothing is allocated.
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

    /// One more of a handler with no other around it.
    #[inline]
    pub(crate) fn push_on(&mut self, counters: &'static Counters) {
        let generation = counters.count_taken() as u32;
        match &mut self.last {
            Some(last) if last.is_alone_on(counters, generation) => {
                last.count += 1;
                self.len += 1;
            }
            _ => self.push(Receipt { counters: Some(counters), outer: None, completion: None, generation, count: 1 }),
        }
    }

    /// Takes out `max` of the first run at max.
    fn take(&mut self, max: usize) -> Option<Receipt> {
        if max == 0 {
            return None;
        }
        let first = self.runs.front_mut().or(self.last.as_mut())?;
        let taken = match u32::try_from(max) {
            Ok(max) if max < first.count => {
                first.count -= max;
                let Receipt { counters, outer, generation, .. } = *first;
                Receipt { counters, outer, completion: None, generation, count: max }
            }
            _ => self.runs.pop_front().or_else(|| self.last.take())?,
        };
        self.len -= taken.count as usize;
        Some(taken)
    }

    /// Takes out the first one.
    pub(crate) fn pop(&mut self) -> Option<Receipt> {
        self.take(1)
    }

    /// Takes out the first ones.
    pub(crate) fn split(&mut self, count: usize) -> Self {
        let mut first = Self::default();
        while let Some(run) = self.take(count - first.len) {
            first.push(run);
        }
        first
    }

    /// Adds those of later records.
    pub(crate) fn append(&mut self, mut later: Self) {
        while let Some(run) = later.take(usize::MAX) {
            self.push(run);
        }
    }

    /// Of the first one.
    pub(crate) fn ledger(&self) -> Option<Arc<Ledger>> {
        self.runs.front().or(self.last.as_ref())?.counters()?.ledger()
    }

    /// Ends the first `count`.
    pub(crate) fn end(&mut self, count: usize, end: End) {
        self.end_with(count, || Resolution::from(end));
    }

    /// Fails the first `count`. The error is reported once.
    pub(crate) fn fail(&mut self, count: usize, error: Error) {
        let message = error.to_string();
        let mut error = Some(error);
        self.end_with(count, || {
            let again = || {
                let mut again = Error::new(&message);
                again.set_reported();
                again
            };
            Resolution::from(error.take().unwrap_or_else(again))
        });
    }

    fn end_with(&mut self, mut count: usize, mut resolution: impl FnMut() -> Resolution) {
        while let Some(mut run) = self.take(count) {
            count -= run.count as usize;
            run.end(resolution(), None);
        }
    }
}

impl Receipt {
    #[inline]
    fn is_alone_on(&self, counters: &Counters, generation: u32) -> bool {
        self.counters.is_some_and(|own| std::ptr::eq(own, counters))
            && self.outer.is_none()
            && self.completion.is_none()
            && self.generation == generation
            && self.count < u32::MAX
    }

    #[inline]
    fn joins(&self, other: &Self) -> bool {
        let is_same = |one: Option<&Counters>, other: Option<&Counters>| match (one, other) {
            (Some(one), Some(other)) => std::ptr::eq(one, other),
            (one, other) => one.is_none() && other.is_none(),
        };
        self.completion.is_none()
            && other.completion.is_none()
            && self.generation == other.generation
            && is_same(self.counters, other.counters)
            && is_same(self.outer, other.outer)
            && self.count.checked_add(other.count).is_some()
    }
}

// --- several ends of one record

/// Waits until all shares of a record have ended. The worst end counts. Then a fallback may take the record.
pub(crate) struct Completion {
    shares: AtomicU32,
    worst: AtomicU8,
    /// One of the shares is a loss that is not counted yet.
    is_loss: AtomicBool,
    has_fallback: bool,
    counts_fallback_written: bool,
    on_end: ForkMutex<Option<OnEnd>>,
    /// Of the receipt.
    counters: Option<&'static Counters>,
}

struct OnEnd {
    receipt: Receipt,
    fallback: Option<FallbackRecord>,
    error: Option<Error>,
}

/// The record, as a fallback would take it.
pub(crate) struct FallbackRecord {
    pub(crate) record: OwnedRecord,
    pub(crate) path: Arc<dyn FallbackPath>,
}

/// A fallback that may take a record once that has ended elsewhere, with the receipt to end it. Called under no lock.
pub(crate) trait FallbackPath: Send + Sync {
    fn ended(&self, resolution: Resolution, record: OwnedRecord, receipt: Receipt);
}

impl Completion {
    /// With one share.
    pub(crate) fn new(receipt: Receipt, fallback: Option<FallbackRecord>) -> Arc<Self> {
        Self::make(receipt, fallback, false)
    }

    /// A record that ends as written is one that the fallback has written.
    pub(crate) fn of_fallback(receipt: Receipt) -> Arc<Self> {
        Self::make(receipt, None, true)
    }

    fn make(receipt: Receipt, fallback: Option<FallbackRecord>, counts_fallback_written: bool) -> Arc<Self> {
        Arc::new(Self {
            shares: AtomicU32::new(1),
            worst: AtomicU8::new(End::Written as u8),
            is_loss: AtomicBool::new(false),
            has_fallback: fallback.is_some() || receipt.has_fallback(),
            counts_fallback_written,
            counters: receipt.counters(),
            on_end: ForkMutex::new(Some(OnEnd { receipt, fallback, error: None })),
        })
    }

    /// One more share.
    pub(crate) fn share(self: &Arc<Self>) -> Receipt {
        self.shares.fetch_add(1, Ordering::Relaxed);
        Receipt::of(Arc::clone(self))
    }

    /// One share has ended.
    fn end(&self, resolution: Resolution) {
        self.worst.fetch_max(resolution.end as u8, Ordering::AcqRel);
        if resolution.is_loss {
            self.is_loss.store(true, Ordering::Relaxed);
        }
        if let Some(error) = resolution.error {
            if let Some(on_end) = &mut *self.on_end.get() {
                on_end.error.get_or_insert(error);
            }
        }
        if self.shares.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.end_all();
        }
    }

    fn end_all(&self) {
        // Not under the lock: a fallback is user code.
        let Some(OnEnd { mut receipt, fallback, error }) = self.on_end.get().take() else { return };
        let end = match self.worst.load(Ordering::Acquire) {
            0 => End::Written,
            1 => End::Filtered,
            2 => End::Dropped,
            _ => End::Failed,
        };
        let resolution = Resolution { end, error, is_loss: self.is_loss.load(Ordering::Relaxed) };
        if self.counts_fallback_written && end == End::Written {
            if let Some(counters) = self.counters {
                counters.count(Total::FallbackWritten, 1);
            }
        }
        match fallback {
            Some(FallbackRecord { record, path }) if receipt.is_valid() => path.ended(resolution, record, receipt),
            _ => receipt.end(resolution, None),
        }
    }

    /// A share of before a fork, which is the parent's to end.
    fn void(&self) {
        if self.shares.fetch_sub(1, Ordering::AcqRel) == 1 {
            let on_end = self.on_end.get().take();
            drop(on_end);
        }
    }
}
