//! A receipt ends one record, once.

use std::{fmt, sync::Arc};

use super::{
    completion::Completion,
    counters::{Counters, End, Total},
};
use crate::{Error, Record, fork};

/// The duty to say what became of one record, held by whoever took it from its handler. Each method consumes the receipt.
/// A receipt that is dropped ends its record as dropped, and [`flush_all`](crate::flush_all) reports the loss.
///
/// | it ends | what happens |
/// |---|---|
/// | on any thread, at any time, even in a destructor as a thread ends | the handler that took the record counts it |
/// | after that handler is gone | the same, as long as somebody holds its [`Ledger`](super::Ledger). An error goes to the handler's error handler, or to stderr once the ledger is gone as well |
/// | in the child of a fork, but it was taken before | nothing: the parent ends its own copy, and the record counts as dropped in the child |
///
/// Made by [`Delivery::take`](crate::Delivery::take), which shows an example.
#[must_use = "dropping a receipt counts its record as dropped"]
pub struct Receipt {
    pub(super) counters: Option<&'static Counters>,
    /// Those of the handler around it, if both always end alike.
    pub(super) outer: Option<&'static Counters>,
    /// What else waits for this end.
    pub(super) completion: Option<Arc<Completion>>,
    /// The fork generation it was taken in.
    pub(super) generation: u32,
    /// The number of records: more than one only in [`Receipts`](super::Receipts).
    pub(super) count: u32,
}

/// How a record ended.
#[derive(Debug)]
pub(crate) struct Resolution {
    pub(crate) end: End,
    pub(crate) error: Option<Error>,
    /// The record was lost, and that is not counted yet.
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
    /// Its receipt was dropped.
    pub(crate) const UNFINISHED: Self = Self { end: End::Dropped, error: None, is_loss: true };
}

impl Receipt {
    /// The record is written.
    pub fn written(self) {
        self.end_as(End::Written);
    }

    /// A level or filter refused the record.
    pub fn filtered(self) {
        self.end_as(End::Filtered);
    }

    /// The record was dropped on purpose.
    pub fn dropped(self) {
        self.end_as(End::Dropped);
    }

    /// The record was lost to an error. The handler's [`ErrorHandler`](super::ErrorHandler) gets the error.
    pub fn failed(mut self, error: Error) {
        fork::check();
        self.end(Resolution::from(error), None);
    }

    fn end_as(mut self, end: End) {
        // This may be a child process, and the first to notice.
        fork::check();
        self.end(Resolution::from(end), None);
    }

    /// For a record at one handler, or at none.
    #[inline]
    pub(crate) fn on(counters: Option<&'static Counters>) -> Self {
        let generation = counters.map_or_else(fork::generation, Counters::count_taken) as u32;
        Self { counters, outer: None, completion: None, generation, count: 1 }
    }

    /// One share of a completion.
    pub(crate) fn of(completion: Arc<Completion>) -> Self {
        let mut share = Self::on(None);
        share.completion = Some(completion);
        share
    }

    /// Counts at an inner handler as well.
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

    /// Whether a fallback takes the record if it fails.
    pub(crate) fn has_fallback(&self) -> bool {
        self.completion.as_ref().is_some_and(|completion| completion.has_fallback)
    }

    /// It was taken in this process, not by the parent of a fork.
    pub(super) fn is_valid(&self) -> bool {
        self.generation == fork::generation() as u32
    }

    /// Counts the end at both handlers, reports a loss, and passes it on to the completion.
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
