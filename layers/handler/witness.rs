//! Which handlers the records of a test went to.

use std::{
    cell::RefCell,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use crate::ledger::{Ledger, Stats};

/// The handlers that got records while it observed, each with its stats before the first.
#[derive(Default)]
pub(crate) struct Witness(Mutex<Vec<(Arc<Ledger>, Stats)>>);

/// How many observe now, on all threads: as long as nobody does, a record costs one load.
static OBSERVERS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static OBSERVING: RefCell<Vec<Arc<Witness>>> = const { RefCell::new(Vec::new()) };
}

impl Witness {
    /// Observes what this thread does in a call.
    pub(crate) fn observe<R>(self: &Arc<Self>, work: impl FnOnce() -> R) -> R {
        struct Pop;
        impl Drop for Pop {
            fn drop(&mut self) {
                drop(with(Vec::pop));
                OBSERVERS.fetch_sub(1, Ordering::Relaxed);
            }
        }
        OBSERVERS.fetch_add(1, Ordering::Relaxed);
        with(|observing| observing.push(Arc::clone(self)));
        let _pop = Pop;
        work()
    }

    pub(crate) fn seen(&self) -> Vec<(Arc<Ledger>, Stats)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Nothing for a thread that is ending.
fn with<R>(access: impl FnOnce(&mut Vec<Arc<Witness>>) -> R) -> Option<R> {
    OBSERVING.try_with(|observing| access(&mut observing.borrow_mut())).ok()
}

/// A handler gets a record.
#[inline]
pub(super) fn note(ledger: &Arc<Ledger>) {
    if OBSERVERS.load(Ordering::Relaxed) > 0 {
        note_observed(ledger);
    }
}

#[cold]
fn note_observed(ledger: &Arc<Ledger>) {
    with(|observing| {
        for Witness(seen) in observing.iter().map(|witness| &**witness) {
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            if !seen.iter().any(|(known, _)| Arc::ptr_eq(known, ledger)) {
                seen.push((Arc::clone(ledger), ledger.stats()));
            }
        }
    });
}
