//! Noticing that a path leads to another file than the one that is open.

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
/// With a buffer it looks before the buffer is written, not for each record.
#[derive(Clone, Default)]
pub struct ReopenPolicy {
    every: Duration,
    clock: Option<Arc<dyn Clock>>,
}

impl ReopenPolicy {
    /// Before each write: a stat(2) a record, as in Python. No record that comes after the file was moved goes to the old one.
    pub fn each_record() -> Self {
        Self::default()
    }

    /// Before a write that comes so long after the last look. Records may go to a file for so long after it was moved:
    /// safe where whoever moves it leaves it alone for longer than that (`delaycompress` of logrotate; without it, logrotate
    /// compresses and deletes at once what it has moved).
    pub fn at_most_every(interval: Duration) -> Self {
        Self { every: interval, clock: None }
    }

    /// Which clock the interval is measured by (default: the system's). One that goes back makes it look.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Some(Arc::new(clock));
        self
    }
}

impl fmt::Debug for ReopenPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReopenPolicy").field("every", &self.every).finish_non_exhaustive()
    }
}

/// A watch that has begun.
#[derive(Debug)]
pub(super) struct Watching {
    watch: ReopenPolicy,
    /// Nanoseconds since the epoch.
    last: AtomicU64,
}

impl Watching {
    pub(super) fn new(watch: ReopenPolicy) -> Self {
        Self { watch, last: AtomicU64::new(0) }
    }

    /// Whether it is time for a look.
    #[inline]
    pub(super) fn is_due(&self) -> bool {
        if self.watch.every.is_zero() {
            return true;
        }
        let now = match &self.watch.clock {
            Some(clock) => clock.now(),
            None => SystemClock.now(),
        };
        let now = nanos(now.duration_since(UNIX_EPOCH).unwrap_or_default());
        let last = self.last.load(Ordering::Relaxed);
        let due = now.checked_sub(last).is_none_or(|past| past >= nanos(self.watch.every));
        // One thread looks; the others go on.
        due && self.last.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Whether the path leads elsewhere, or nowhere. A path that cannot be looked at leads where it did.
pub(super) fn leads_elsewhere(path: &Path, open: Option<FileId>) -> bool {
    match fs::metadata(path) {
        Ok(about) => FileId::of(&about) != open,
        Err(error) => matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory),
    }
}
