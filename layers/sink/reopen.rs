//! Notices that a path leads to another file than the open one.

use std::{
    fmt, fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, UNIX_EPOCH},
};

use super::registry::FileId;
use crate::clock::{Clock, SystemClock};

/// How often a [`LogFile`](crate::output::LogFile) checks whether its path still leads to its file.
///
/// With a buffer, it checks before it writes the buffer, not for each record.
#[derive(Clone, Default)]
pub struct ReopenPolicy {
    interval: Duration,
    clock: Option<Arc<dyn Clock>>,
}

impl ReopenPolicy {
    /// Before each write: one stat(2) per record, as in Python. No record that comes after the file was moved goes to
    /// the old file.
    pub fn each_record() -> Self {
        Self::default()
    }

    /// Before a write, if the last check is at least this long ago. For this long after a move, records may go to the
    /// moved file. That is safe if the moved file is left alone for longer (`delaycompress` of logrotate; without it,
    /// logrotate compresses and deletes a moved file at once).
    pub fn at_most_every(interval: Duration) -> Self {
        Self { interval, clock: None }
    }

    /// The clock that measures the interval (default: the system's). If it goes back, the path is checked.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Some(Arc::new(clock));
        self
    }
}

impl fmt::Debug for ReopenPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReopenPolicy").field("interval", &self.interval).finish_non_exhaustive()
    }
}

/// A [`ReopenPolicy`] in use.
#[derive(Debug)]
pub(super) struct PathWatch {
    policy: ReopenPolicy,
    /// Nanoseconds since the epoch.
    last_check: AtomicU64,
}

impl PathWatch {
    pub(super) fn new(policy: ReopenPolicy) -> Self {
        Self { policy, last_check: AtomicU64::new(0) }
    }

    /// Whether it is time to check the path.
    #[inline]
    pub(super) fn is_check_due(&self) -> bool {
        if self.policy.interval.is_zero() {
            return true;
        }
        let now = match &self.policy.clock {
            Some(clock) => clock.now(),
            None => SystemClock.now(),
        };
        let now = nanos(now.duration_since(UNIX_EPOCH).unwrap_or_default());
        let last = self.last_check.load(Ordering::Relaxed);
        let due = now.checked_sub(last).is_none_or(|past| past >= nanos(self.policy.interval));
        // One thread checks; the others write.
        due && self.last_check.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Whether the path leads to another file or nowhere. A path that cannot be checked counts as unchanged.
pub(super) fn path_changed(path: &Path, open: Option<FileId>) -> bool {
    match fs::metadata(path) {
        Ok(metadata) => FileId::of(&metadata) != open,
        Err(error) => matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory),
    }
}
