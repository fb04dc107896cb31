//! The guard of a queue.

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

/// Shuts a queue down when it is dropped: waiting records are handled, within the queue's
/// [`flush_timeout`](super::QueueBuilder::flush_timeout). Made by
/// [`QueueBuilder::build_with_guard`](super::QueueBuilder::build_with_guard).
///
/// Keep it until the end of `main`, under a name: `let (queue, _) = …` drops it at once, and every later record is lost
/// (the error handler gets that with the first one). [`build`](super::QueueBuilder::build) needs no guard. A global
/// subscriber is never dropped. The guard may be dropped on any thread, also of an async runtime, which it blocks for
/// the timeout at most.
#[must_use = "dropping the guard shuts the queue down, and what is logged later is lost: keep it until the end of `main`, \
              as `_guard` and not as `_`"]
pub struct WorkerGuard {
    core: Arc<Core>,
    /// How many failures and losses a flush or shutdown has reported.
    reported: [AtomicU64; 2],
}

impl WorkerGuard {
    pub(super) fn new(core: Arc<Core>) -> Self {
        Self { core, reported: Default::default() }
    }

    /// Waits until all earlier records are handled and the handler is flushed.
    ///
    /// `Ok` means that they are, and that no record has failed or was lost without mention in the handler's own log
    /// since the last call of this or of [`shutdown`](Self::shutdown). Records that an overflow policy dropped and the
    /// log mentions are no error.
    ///
    /// # Errors
    /// - The time is up: the message says how many records are not written. They stay queued.
    /// - The handler's own flush failed (after a shutdown: its last one). Its error handler got the error.
    /// - Records failed or were lost: the message says how many, once.
    /// - This is the queue's own thread, which cannot wait for itself, or that has panicked.
    pub fn flush(&self, deadline: Duration) -> Result<(), Error> {
        self.core.flush(Command::Flush, deadline)?;
        self.check_losses("flush")
    }

    /// Accepts no more records, handles those that wait, flushes the handler for the last time, ends the worker and
    /// drops the handler: its file or connection is closed, unless it is used elsewhere, too. Later records count as
    /// dropped. `Ok` means the same as for [`flush`](Self::flush). A second call is fine.
    ///
    /// # Errors
    /// - The time is up: the message says how many records are not written. They count as dropped, and the error
    ///   handler gets the error. A record that the handler is working on stays queued until it is done.
    /// - The last flush of the handler failed. Every call returns that.
    /// - The handler [took](crate::Delivery::take) records and has not ended them.
    /// - Records failed or were lost, as for [`flush`](Self::flush).
    /// - This is the queue's own thread: the queue accepts no more records, but is not waited for. Or that has
    ///   panicked.
    pub fn shutdown(&self, deadline: Duration) -> Result<(), Error> {
        let began = Instant::now();
        let result = self.core.end(deadline, deadline);
        if result.is_err() {
            // The error says how many are lost.
            self.reported[1].store(self.core.counters().unreportable(true), Ordering::Relaxed);
            return result;
        }
        self.check_losses("shutdown")?;
        // The handler is dropped; a thread of its own may still have records.
        let queued = || self.core.ledger().stats().queued;
        while self.core.job.handler_holds.load(Ordering::Relaxed) && queued() > 0 {
            if began.elapsed() > deadline.max(GRACE) {
                let (held, name) = (queued(), self.core.name());
                return Err(Error::new(format_args!(
                    "queue {name:?}: shutdown: the handler still holds {held} {}",
                    records(held)
                )));
            }
            thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// Failures and losses that `Ok` would hide, as an error.
    fn check_losses(&self, doing: &str) -> Result<(), Error> {
        let (is_over, error) = self.core.channel().ending();
        if let Some(error) = error {
            return Err(Error::new(error));
        }
        let said = match self.take_new(is_over) {
            [0, 0] => return Ok(()),
            [failed, 0] => format!("{failed} {} failed", records(failed)),
            [0, lost] => format!("{lost} {} lost", records(lost)),
            [failed, lost] => format!("{failed} {} failed and {lost} were lost", records(failed)),
        };
        Err(Error::new(format_args!("queue {:?}: {doing}: {said}", self.core.name())))
    }

    /// How many failures and losses are new. They are reported now.
    fn take_new(&self, is_over: bool) -> [u64; 2] {
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
        // The error handler got the error.
        self.core.end_in_time().unwrap_or_default();
    }
}

impl fmt::Debug for WorkerGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WorkerGuard").field(&self.core.name()).finish()
    }
}

/// How long a shutdown waits at least for a caller that was about to put a record in.
const GRACE: Duration = Duration::from_millis(100);

fn records(count: u64) -> &'static str {
    if count == 1 { "record" } else { "records" }
}
