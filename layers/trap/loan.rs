//! Records that wait on two accounts.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use super::{Ledger, ledger::End};
use crate::fork::Common;

/// Records that a fallback holds back for another handler: they are queued on both accounts, and settled on both at once.
#[derive(Default)]
pub(crate) struct Loan {
    /// Of the handler whose fallback it is.
    lender: Common<Option<Arc<Ledger>>>,
    lent: AtomicU64,
    /// Those of the fallback that nobody lent: what it is told about the handler.
    own: AtomicU64,
}

impl Loan {
    pub(crate) fn set_lender(&self, ledger: &Arc<Ledger>) {
        // The last is the one: a queue is attached after what is behind it.
        self.lender.set(Some(Arc::clone(ledger)));
    }

    pub(crate) fn lender(&self) -> Option<Arc<Ledger>> {
        self.lender.get()
    }

    /// A record is about to be handed to the fallback, which may settle it at any moment from now on.
    pub(crate) fn lend(&self) {
        if let Some(lender) = self.lender() {
            lender.queue(1);
        }
        self.lent.fetch_add(1, Ordering::AcqRel);
    }

    /// The fallback does not hold it back. False if it was settled already.
    pub(crate) fn take_back(&self) -> bool {
        take(&self.lent, 1) == 1
    }

    /// The same for a record of its own.
    pub(crate) fn lend_own(&self) {
        self.own.fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn take_back_own(&self) {
        take(&self.own, 1);
    }

    /// The fallback has settled records. Its own come first: what was lent is not said to be there before it is.
    pub(super) fn settled(&self, count: u64, to: End) {
        let lent = take(&self.lent, count - take(&self.own, count));
        if lent > 0
            && let Some(lender) = self.lender()
        {
            lender.unqueue(lent, to);
            if to == End::Written {
                lender.count_rescued(lent);
            }
        }
    }
}

/// As many as there are.
fn take(from: &AtomicU64, most: u64) -> u64 {
    let less = |there: u64| Some(there.saturating_sub(most));
    from.fetch_update(Ordering::AcqRel, Ordering::Acquire, less).map_or(0, |there| there.min(most))
}
