//! Syncs at intervals, all on one thread.

use std::{
    sync::{Arc, MutexGuard, Weak},
    thread,
    time::{Duration, Instant},
};

use tracing_core::dispatcher::{self, Dispatch};

use crate::{
    Error,
    fork::{self, ForkMutex},
    unwind::catch,
};

/// A sink that is synced at intervals.
pub(super) trait SyncTarget: Send + Sync {
    fn sync_now(&self);
}

struct Entry {
    due: Instant,
    interval: Duration,
    target: Weak<dyn SyncTarget>,
}

#[derive(Default)]
struct Timer {
    entries: Vec<Entry>,
    /// The thread runs.
    is_running: bool,
}

static TIMER: ForkMutex<Timer> = ForkMutex::for_static(Timer { entries: Vec::new(), is_running: false });

fn timer() -> MutexGuard<'static, Timer> {
    // A child of a fork has no thread yet.
    TIMER.lock(|timer| timer.is_running = false, Timer::default)
}

/// Syncs the target at intervals as long as it lives. The thread ends with the last target.
pub(super) fn sync_at_intervals(target: Weak<dyn SyncTarget>, interval: Duration) -> Result<(), Error> {
    fork::watch();
    fork::on_restart(restart_in_child);
    let mut timer = timer();
    timer.entries.push(Entry { due: Instant::now() + interval, interval, target });
    start(timer)
}

/// Starts the thread again in a child of a fork.
fn restart_in_child() {
    let timer = timer();
    if !timer.entries.is_empty() {
        if let Err(error) = start(timer) {
            crate::stdio::stderr_line(&crate::text::escaped(&format!("tracing-strata: after a fork: {error}")));
        }
    }
}

fn start(mut timer: MutexGuard<'_, Timer>) -> Result<(), Error> {
    let is_running = std::mem::replace(&mut timer.is_running, true);
    drop(timer);
    TIMER.notify_all();
    if !is_running {
        if let Err(error) = thread::Builder::new().name("strata-sync".into()).spawn(run) {
            let mut timer = self::timer();
            timer.is_running = false;
            timer.entries.clear();
            return Err(Error::with_source("cannot start the thread that syncs files", error));
        }
    }
    Ok(())
}

/// How long it takes at most to notice that a target was dropped.
const MAX_SLEEP: Duration = Duration::from_secs(5);

fn run() {
    loop {
        let mut timer = timer();
        timer.entries.retain(|entry| entry.target.strong_count() > 0);
        let Some(next) = timer.entries.iter_mut().min_by_key(|entry| entry.due) else {
            timer.is_running = false;
            return;
        };
        let now = Instant::now();
        if next.due > now {
            let wait = (next.due - now).min(MAX_SLEEP);
            let mut has_waited = false;
            drop(TIMER.wait_while(timer, wait, |_| !std::mem::replace(&mut has_waited, true)));
            continue;
        }
        // Missed syncs are not made up for.
        next.due = now + next.interval;
        let target = next.target.upgrade();
        drop(timer);
        if let Some(target) = target {
            // It may call an error handler, and be the last to drop a sink: user code, which may log.
            dispatcher::with_default(&Dispatch::none(), || sync_one(target));
        }
    }
}

/// A target that panics is synced again next time.
fn sync_one(target: Arc<dyn SyncTarget>) {
    catch(move || target.sync_now()).unwrap_or_default();
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::{
        atomic::{AtomicBool, Ordering},
        mpsc,
    };

    use super::*;

    struct Recorder(mpsc::Sender<bool>, AtomicBool);

    impl SyncTarget for Recorder {
        fn sync_now(&self) {
            if self.0.send(tracing::enabled!(tracing::Level::ERROR)).is_ok() && !self.1.swap(true, Ordering::Relaxed) {
                panic!("scripted");
            }
        }
    }

    #[test]
    fn syncs_continue_after_a_panic_and_end_with_their_target() {
        let (sender, syncs) = mpsc::channel();
        let target: Arc<dyn SyncTarget> = Arc::new(Recorder(sender, AtomicBool::new(false)));
        sync_at_intervals(Arc::downgrade(&target), Duration::from_millis(1)).unwrap();
        for _ in 0..3 {
            assert!(!syncs.recv_timeout(Duration::from_secs(60)).unwrap());
        }
        drop(target);
        // Its end of the channel goes with it.
        while syncs.recv_timeout(Duration::from_secs(60)).is_ok() {}
        assert_eq!(syncs.try_recv(), Err(mpsc::TryRecvError::Disconnected));
    }
}
