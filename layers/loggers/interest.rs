//! Makes `tracing` ask again which call sites are enabled, after the loggers have changed.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst};

use tracing_core::{Dispatch, callsite, dispatcher, subscriber::NoSubscriber};

/// The number of the latest state of any loggers.
static NEWEST: AtomicU64 = AtomicU64::new(0);
/// Rebuilds in progress.
static RUNNING: AtomicUsize = AtomicUsize::new(0);
/// A rebuild may have cached a stale answer.
static IS_STALE: AtomicBool = AtomicBool::new(false);

/// A number that no state of any loggers had before, from 1.
pub(super) fn next_generation() -> u64 {
    NEWEST.fetch_add(1, SeqCst) + 1
}

/// Rebuilds the interest of every call site. Call it with no lock held.
///
/// `tracing` lets several threads rebuild at once. One that began before another's change may then be the last to cache its
/// answers, which are stale. So a thread that sees a change meanwhile sets a flag, and the last one to finish starts over.
pub(super) fn rebuild() {
    loop {
        RUNNING.fetch_add(1, SeqCst);
        let before = NEWEST.load(SeqCst);
        include_all_subscribers();
        callsite::rebuild_interest_cache();
        if NEWEST.load(SeqCst) != before {
            IS_STALE.store(true, SeqCst);
        }
        let last = RUNNING.fetch_sub(1, SeqCst) == 1;
        if !(last && IS_STALE.swap(false, SeqCst)) {
            return;
        }
    }
}

/// If there is a single subscriber, `tracing` asks only that of this thread. If this thread has none (another thread uses
/// `with_default`), that would disable all call sites. A second subscriber, however short-lived, makes `tracing` ask all.
fn include_all_subscribers() {
    if dispatcher::get_default(Dispatch::is::<NoSubscriber>) {
        drop(Dispatch::new(NoSubscriber::new()));
    }
}
