//! A handler in front of which something decides or changes.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicI32, Ordering},
};

use super::{Handler, Outcome, place::deliver_more};
use crate::{
    Error, Record, Severity,
    filter::{Filter, Rewrite},
    record::Kept,
    trap::Ledger,
};

macro_rules! pass_on {
    () => {
        fn least(&self) -> Severity {
            self.handler.least()
        }

        pass_on!(but least);
    };
    (but least) => {
        fn flush(&self) -> Result<(), Error> {
            self.handler.flush()
        }

        fn finish(&self) -> Result<(), Error> {
            self.handler.finish()
        }

        fn attach(&self, ledger: &Arc<Ledger>) {
            self.handler.attach(ledger);
        }

        fn default_name(&self) -> String {
            self.handler.default_name()
        }
    };
}

/// A handler with a level of its own. Made by [`Handler::level`].
#[derive(Debug)]
pub struct Leveled<H> {
    handler: H,
    least: AtomicI32,
}

impl<H> Leveled<H> {
    pub(super) fn new(handler: H, least: Severity) -> Self {
        Self { handler, least: AtomicI32::new(least.number()) }
    }

    /// Changes the level; records from now on are judged by it.
    pub fn set_level(&self, least: impl Into<Severity>) {
        self.least.store(least.into().number(), Ordering::Relaxed);
    }
}

impl<H: Handler> Handler for Leveled<H> {
    #[inline]
    fn handle(&self, record: &Record) -> Result<Outcome, Error> {
        if record.severity().number() < self.least.load(Ordering::Relaxed) {
            return Ok(Outcome::Filtered);
        }
        self.handler.handle(record)
    }

    #[inline]
    fn keeps(&self) -> bool {
        self.handler.keeps()
    }

    #[inline]
    fn take_over(&self, record: Kept) -> Result<Outcome, Kept> {
        if record.severity().number() < self.least.load(Ordering::Relaxed) {
            return Ok(Outcome::Filtered);
        }
        self.handler.take_over(record)
    }

    pass_on!();
}

/// A handler behind a filter. Made by [`Handler::filter`].
#[derive(Debug)]
pub struct Filtered<H, F> {
    handler: H,
    filter: F,
    ledger: OnceLock<Arc<Ledger>>,
}

impl<H, F> Filtered<H, F> {
    pub(super) fn new(handler: H, filter: F) -> Self {
        Self { handler, filter, ledger: OnceLock::new() }
    }
}

impl<H: Handler, F: Filter> Filtered<H, F> {
    #[inline]
    fn report(&self, all: bool) {
        self.filter.report(all, &mut |summary| deliver_more(&self.handler, self.ledger.get(), summary));
    }
}

impl<H: Handler, F: Filter> Handler for Filtered<H, F> {
    #[inline]
    fn handle(&self, record: &Record) -> Result<Outcome, Error> {
        let passes = self.filter.passes(record);
        self.report(false);
        if passes { self.handler.handle(record) } else { Ok(Outcome::Filtered) }
    }

    /// What the filter has to tell of records it refused comes first.
    fn flush(&self) -> Result<(), Error> {
        self.report(true);
        self.handler.flush()
    }

    fn finish(&self) -> Result<(), Error> {
        self.report(true);
        self.handler.finish()
    }

    fn attach(&self, ledger: &Arc<Ledger>) {
        self.ledger.get_or_init(|| Arc::clone(ledger));
        self.handler.attach(ledger);
    }

    #[inline]
    fn keeps(&self) -> bool {
        self.handler.keeps()
    }

    fn least(&self) -> Severity {
        self.handler.least()
    }

    fn default_name(&self) -> String {
        self.handler.default_name()
    }
}

/// A handler that gets changed copies. Made by [`Handler::rewrite`].
#[derive(Debug)]
pub struct Rewritten<H, R> {
    handler: H,
    rewrite: R,
}

impl<H, R> Rewritten<H, R> {
    pub(super) fn new(handler: H, rewrite: R) -> Self {
        Self { handler, rewrite }
    }
}

/// It does not keep the records it gets, as [`Handler::keeps`] asks: only their copies may be kept.
impl<H: Handler, R: Rewrite> Handler for Rewritten<H, R> {
    fn handle(&self, record: &Record) -> Result<Outcome, Error> {
        let mut copy = crate::record::Pooled::create();
        copy.clone_from(record);
        self.rewrite.rewrite(&mut copy);
        copy.show(self.handler.keeps(), |copy| self.handler.handle(copy))
    }

    pass_on!();
}
