//! Failures that cost no record.

use std::sync::{
    Arc, Weak,
    atomic::{AtomicBool, Ordering},
};

use crate::{
    Error,
    fork::{ForkMutex, ForkRwLock},
    ledger::Ledger,
};

/// Keeps the last failure that cost no record until it can be reported: it happens under locks, and error handlers are
/// user code.
#[derive(Debug, Default)]
pub(super) struct DeferredErrors {
    any: AtomicBool,
    last: ForkMutex<Option<Error>>,
    pub(super) ledger_link: LedgerLink,
}

impl DeferredErrors {
    #[cold]
    pub(super) fn defer(&self, error: Error) {
        *self.last.get() = Some(error);
        self.any.store(true, Ordering::Release);
    }

    /// Reports the deferred error. Without a handler, it stays deferred. Not under a lock.
    #[inline]
    pub(super) fn report(&self) {
        if self.any.load(Ordering::Relaxed) {
            if let Some(ledger) = self.ledger_link.ledger() {
                if let Some(error) = self.take() {
                    ledger.report_error(&error);
                }
            }
        }
    }

    /// Reports an error, or defers it until there is a handler. Not under a lock.
    pub(super) fn report_or_defer(&self, error: Error) {
        match self.ledger_link.ledger() {
            Some(ledger) => ledger.report_error(&error),
            None => self.defer(error),
        }
    }

    pub(super) fn take(&self) -> Option<Error> {
        self.any.store(false, Ordering::Relaxed);
        self.last.get().take()
    }
}

/// The ledger to which a sink reports failures that cost no record: that of the handler whose lines came first, as long
/// as it lives.
#[derive(Debug, Default)]
pub(crate) struct LedgerLink {
    is_set: AtomicBool,
    ledger: ForkRwLock<Weak<Ledger>>,
}

impl LedgerLink {
    /// Links the ledger of the handler whose lines come, unless one is linked already.
    #[inline]
    pub(crate) fn set(&self, ledger: impl FnOnce() -> Option<Arc<Ledger>>) {
        if !self.is_set.load(Ordering::Relaxed) {
            if let Some(ledger) = ledger() {
                self.ledger.set(Arc::downgrade(&ledger));
                self.is_set.store(true, Ordering::Release);
            }
        }
    }

    pub(crate) fn ledger(&self) -> Option<Arc<Ledger>> {
        let ledger = self.ledger.get().upgrade();
        if ledger.is_none() {
            self.is_set.store(false, Ordering::Relaxed);
        }
        ledger
    }
}
