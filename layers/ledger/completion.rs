//! One end of a record that went to several handlers, or that a fallback may take.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering},
};

use super::{
    Receipt,
    counters::{Counters, End, Total},
    receipt::Resolution,
};
use crate::{Error, fork::ForkMutex, record::OwnedRecord};

/// Ends a receipt once all shares have ended, as the worst of them; or lets a fallback take the record.
pub(crate) struct Completion {
    shares: AtomicU32,
    worst: AtomicU8,
    /// A share lost the record, and that is not counted yet.
    is_loss: AtomicBool,
    pub(super) has_fallback: bool,
    counts_fallback_written: bool,
    on_end: ForkMutex<Option<OnEnd>>,
    /// Those of the receipt.
    pub(super) counters: Option<&'static Counters>,
}

struct OnEnd {
    receipt: Receipt,
    fallback: Option<FallbackRecord>,
    error: Option<Error>,
}

/// The record, kept for a fallback.
pub(crate) struct FallbackRecord {
    pub(crate) record: OwnedRecord,
    pub(crate) path: Arc<dyn FallbackPath>,
}

/// Decides what to do with a record that has ended at the first handler. Called with no lock held.
pub(crate) trait FallbackPath: Send + Sync {
    fn ended(&self, resolution: Resolution, record: OwnedRecord, receipt: Receipt);
}

impl Completion {
    /// Starts with one share.
    pub(crate) fn new(receipt: Receipt, fallback: Option<FallbackRecord>) -> Arc<Self> {
        Self::make(receipt, fallback, false)
    }

    /// For the fallback's attempt: a record that ends as written is also counted as written by the fallback.
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

    /// Adds a share.
    pub(crate) fn share(self: &Arc<Self>) -> Receipt {
        self.shares.fetch_add(1, Ordering::Relaxed);
        Receipt::of(Arc::clone(self))
    }

    /// Ends one share.
    pub(super) fn end(&self, resolution: Resolution) {
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

    /// Drops a share from before a fork: the parent ends it.
    pub(super) fn void(&self) {
        if self.shares.fetch_sub(1, Ordering::AcqRel) == 1 {
            // Dropped with no lock held.
            let on_end = self.on_end.get().take();
            drop(on_end);
        }
    }
}
