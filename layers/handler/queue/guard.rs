//! The end of a queue.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use super::{QueueStats, core::Core};
use crate::{Error, handler::worker::Command};

/// Shuts a queue down when it is dropped: what waits is handled, within the queue's
/// [`flush_timeout`](super::QueueBuilder::flush_timeout) deadline. Made by [`QueueBuilder::build_with_guard`](super::QueueBuilder::build_with_guard).
///
/// Keep it until the end of `main`, under a name: `let (queue, _) = …` drops it at once, and every record that comes later
/// is lost (the trap is told with the first). [`own`](super::QueueBuilder::build) needs no guard. A global subscriber is never dropped. It may be dropped on any thread, also one of an
/// async runtime, which it blocks for no longer than the deadline.
#[must_use = "dropping the guard shuts the queue down, and what is logged later is lost: keep it until the end of `main`, \
              as `_guard` and not as `_`"]
pub struct WorkerGuard {
    core: Arc<Core>,
    /// How many records failed, and were lost, that whoever flushed or shut down was told of.
    reported: [AtomicU64; 2],
}

impl WorkerGuard {
    pub(super) fn new(core: Arc<Core>) -> Self {
        Self { core, reported: Default::default() }
    }

    /// Waits until everything logged before is handled and the handler was flushed.
    ///
    /// `Ok` says that it was, and that no record has failed or was lost without a word in the handler's own log since a call
    /// of this or of [`shutdown`](Self::shutdown) told of it. What an overflow policy gave up and the log tells of is no
    /// error.
    ///
    /// # Errors
    /// The deadline has passed: the message says how many records were not written. They stay queued. Or the handler's
    /// own flush failed, which its trap was told (after a shutdown: its last one). Or records failed or were lost: the
    /// message says how many; each is told once. Or this is the queue's own thread, which cannot wait for itself. Or that
    /// has ended by a panic, which the trap was told.
    pub fn flush(&self, deadline: Duration) -> Result<(), Error> {
        self.core.flush(Command::Flush, deadline)?;
        self.counters("flush")
    }

    /// Takes no more records, handles what waits, finishes the handler, ends the listener and drops the handler: its file or
    /// connection is closed, unless others have the handler, too. Records that come later count as dropped. `Ok` says the
    /// same as that of [`flush`](Self::flush). A second call is fine.
    ///
    /// # Errors
    /// The deadline has passed: the message says how many records were not written. They count as dropped, and the trap
    /// is told. A record that the handler is working on stays queued until it is done. Or the handler could not finish,
    /// which every call says. Or it [took](crate::Delivery::take) records and has not said what became of them. Or records failed or were lost, as for [`flush`](Self::flush). Or this is the queue's own
    /// thread: then the queue takes no more records, but is not waited for. Or that has ended by a panic.
    pub fn shutdown(&self, deadline: Duration) -> Result<(), Error> {
        let began = Instant::now();
        let result = self.core.end(deadline, deadline);
        if result.is_err() {
            // It says how many are lost.
            self.reported[1].store(self.core.counters().unreportable(true), Ordering::Relaxed);
            return result;
        }
        self.counters("shutdown")?;
        // The handler is gone; what it has taken may be with a thread of its own.
        let held = || self.core.ledger().stats().queued;
        while self.core.job.handler_holds.load(Ordering::Relaxed) && held() > 0 {
            if began.elapsed() > deadline.max(GRACE) {
                let (held, name) = (held(), self.core.name());
                return Err(Error::new(format_args!(
                    "queue {name:?}: shutdown: the handler still holds {held} {}",
                    records(held)
                )));
            }
            thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// What `Ok` would keep quiet about.
    fn counters(&self, doing: &str) -> Result<(), Error> {
        let (is_over, error) = self.core.channel().ending();
        if let Some(error) = error {
            return Err(Error::new(error));
        }
        let said = match self.news(is_over) {
            [0, 0] => return Ok(()),
            [failed, 0] => format!("{failed} {} failed", records(failed)),
            [0, lost] => format!("{lost} {} lost", records(lost)),
            [failed, lost] => format!("{failed} {} failed and {lost} were lost", records(failed)),
        };
        Err(Error::new(format_args!("queue {:?}: {doing}: {said}", self.core.name())))
    }

    /// How many records failed, and were lost, that nobody was told of; now somebody is.
    fn news(&self, is_over: bool) -> [u64; 2] {
        let now = [self.core.ledger().stats().failed, self.core.counters().unreportable(is_over)];
        std::array::from_fn(|index| now[index].saturating_sub(self.reported[index].swap(now[index], Ordering::Relaxed)))
    }

    /// How the queue is doing.
    pub fn stats(&self) -> QueueStats {
        self.core.stats()
    }
}

impl Drop for WorkerGuard {
    fn drop(&mut self) {
        // The trap was told.
        self.core.end_in_time().unwrap_or_default();
    }
}

impl fmt::Debug for WorkerGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WorkerGuard").field(&self.core.name()).finish()
    }
}

/// What a caller needs that has been on its way into the queue.
const GRACE: Duration = Duration::from_millis(100);

fn records(count: u64) -> &'static str {
    if count == 1 { "record" } else { "records" }
}
