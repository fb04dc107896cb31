//! Numbers for states of loggers.

use std::sync::atomic::{AtomicU64, Ordering};

static NEWEST: AtomicU64 = AtomicU64::new(0);

/// A number that no state of any loggers had before. From 1.
pub(super) fn next() -> u64 {
    NEWEST.fetch_add(1, Ordering::SeqCst) + 1
}

/// The number that was given last.
pub(super) fn newest() -> u64 {
    NEWEST.load(Ordering::SeqCst)
}
