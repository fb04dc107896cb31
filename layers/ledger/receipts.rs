//! The receipts of a batch.

use std::{collections::VecDeque, sync::Arc};

use super::{
    Ledger, Receipt,
    counters::{Counters, End},
    receipt::Resolution,
};
use crate::Error;

/// Receipts in the order of their records. Neighbours at the same handlers are one run: one receipt with a count.
#[derive(Debug, Default)]
pub(crate) struct Receipts {
    runs: VecDeque<Receipt>,
    /// The last run. It is usually the only one, so nothing is allocated.
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

    /// Adds one at a handler with no other around it.
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

    /// Takes out at most `max` receipts of the first run.
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

    /// Takes out the first `count`.
    pub(crate) fn split(&mut self, count: usize) -> Self {
        let mut first = Self::default();
        while let Some(run) = self.take(count - first.len) {
            first.push(run);
        }
        first
    }

    /// Adds the receipts of later records.
    pub(crate) fn append(&mut self, mut later: Self) {
        while let Some(run) = later.take(usize::MAX) {
            self.push(run);
        }
    }

    /// The ledger of the first one.
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
