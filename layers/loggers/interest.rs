//! Telling call sites that the loggers changed.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use tracing_core::{Dispatch, callsite, dispatcher, subscriber::NoSubscriber};

use super::generation;

/// Rebuilds that are going on.
static RUNNING: AtomicUsize = AtomicUsize::new(0);
/// Whether one of them may have told call sites what was no longer so.
static DOUBTFUL: AtomicBool = AtomicBool::new(false);

/// Has `tracing` ask about every call site again. No lock may be held.
///
/// `tracing` lets several threads do that at once, and then the one that began before the other's change may write its
/// out-of-date answers last. So whoever sees a change happen meanwhile says so, and the last one to finish does it again.
pub(super) fn rebuild() {
    loop {
        RUNNING.fetch_add(1, SeqCst);
        let before = generation::newest();
        reach_all_subscribers();
        callsite::rebuild_interest_cache();
        if generation::newest() != before {
            DOUBTFUL.store(true, SeqCst);
        }
        let last = RUNNING.fetch_sub(1, SeqCst) == 1;
        if !(last && DOUBTFUL.swap(false, SeqCst)) {
            return;
        }
    }
}

/// With a single subscriber, `tracing` asks the one of this thread. Where this thread has none (it is some other
/// thread's `with_default`), all call sites would be switched off; a second subscriber, however short-lived, makes
/// `tracing` look at its list.
fn reach_all_subscribers() {
    if dispatcher::get_default(Dispatch::is::<NoSubscriber>) {
        drop(Dispatch::new(NoSubscriber::new()));
    }
}
