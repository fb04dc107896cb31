//! Handlers behind a level, a filter or a transform.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicI32, Ordering},
};

use super::{Delivery, Flush, Handler, Outcome, OwnedDelivery};
use crate::{
    Description, Error, Record, Severity,
    filter::{Filter, Transform},
    ledger::Ledger,
};

macro_rules! pass_on {
    () => {
        fn flush(&self, how: &Flush) -> Result<(), Error> {
            self.handler.flush(how)
        }

        pass_on!(but flush);
    };
    (but flush) => {
        fn describe(&self) -> Description {
            self.handler.describe()
        }
    };
}

/// A handler with a level of its own. Made by [`HandlerExt::min_level`](crate::HandlerExt::min_level).
#[derive(Debug)]
pub struct WithLevel<H> {
    handler: H,
    min_level: AtomicI32,
}

impl<H> WithLevel<H> {
    pub(super) fn new(handler: H, min_level: Severity) -> Self {
        Self { handler, min_level: AtomicI32::new(min_level.number()) }
    }

    /// Changes the level for later records.
    pub fn set_level(&self, min_level: impl Into<Severity>) {
        self.min_level.store(min_level.into().number(), Ordering::Relaxed);
    }
}

impl<H: Handler> Handler for WithLevel<H> {
    #[inline]
    fn handle(&self, delivery: Delivery<'_>) -> Result<Outcome, Error> {
        if delivery.severity().number() < self.min_level.load(Ordering::Relaxed) {
            return Ok(Outcome::Filtered);
        }
        self.handler.handle(delivery)
    }

    pass_on!();
}

/// A handler behind a filter. Made by [`HandlerExt::filter`](crate::HandlerExt::filter).
#[derive(Debug)]
pub struct WithFilter<H, F> {
    handler: H,
    filter: F,
    ledger: OnceLock<Arc<Ledger>>,
}

impl<H, F> WithFilter<H, F> {
    pub(super) fn new(handler: H, filter: F) -> Self {
        Self { handler, filter, ledger: OnceLock::new() }
    }
}

impl<H: Handler, F: Filter> Handler for WithFilter<H, F> {
    #[inline]
    fn handle(&self, delivery: Delivery<'_>) -> Result<Outcome, Error> {
        let passes = self.filter.passes(&delivery);
        self.filter.drain_summaries(false, &mut |summary| delivery.internal(summary.clone()).pass_on(&self.handler));
        if passes {
            return self.handler.handle(delivery);
        }
        // At a flush, the filter's summaries go to the same ledger.
        if self.ledger.get().is_none() {
            if let Some(ledger) = delivery.ledger() {
                self.ledger.get_or_init(|| ledger);
            }
        }
        Ok(Outcome::Filtered)
    }

    /// Emits the summaries of the filter first.
    fn flush(&self, how: &Flush) -> Result<(), Error> {
        if !how.is_barrier() {
            let report =
                |summary: &Record| OwnedDelivery::internal(summary.clone(), self.ledger.get()).pass_on(&self.handler);
            self.filter.drain_summaries(true, &mut { report });
        }
        self.handler.flush(how)
    }

    pass_on!(but flush);
}

/// A handler that gets changed copies. Made by [`HandlerExt::transform`](crate::HandlerExt::transform).
#[derive(Debug)]
pub struct Transformed<H, R> {
    handler: H,
    transform: R,
}

impl<H, R> Transformed<H, R> {
    pub(super) fn new(handler: H, transform: R) -> Self {
        Self { handler, transform }
    }
}

impl<H: Handler, R: Transform> Handler for Transformed<H, R> {
    fn handle(&self, delivery: Delivery<'_>) -> Result<Outcome, Error> {
        if !self.transform.applies(&delivery) {
            return self.handler.handle(delivery);
        }
        let mut copy = crate::record::Pooled::create();
        copy.clone_from(&delivery);
        self.transform.transform(&mut copy);
        delivery.with_owned(copy.into_owned(), |copy| self.handler.handle(copy))
    }

    pass_on!();
}
