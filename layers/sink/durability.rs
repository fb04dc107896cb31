//! When records are synced to the disk itself, not only handed to the operating system.

use std::{
    io,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use crate::Severity;

/// When a file is synced to the disk, so that its records survive a crash of the machine.
///
/// ```
/// use std::time::Duration;
/// use tracing_strata::{Severity, output::LogFile, sink::Durability};
///
/// # let path = std::env::temp_dir().join(format!("strata-durable-{}.log", std::process::id()));
/// let audit = LogFile::builder(&path)
///     .durability(Durability::system().sync_on(Severity::ERROR).sync_interval(Duration::from_secs(1)))
///     .build()?;
/// # drop(audit);
/// # std::fs::remove_file(path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// | level | a crash of the process loses | a crash of the machine loses | cost |
/// |---|---|---|---|
/// | [`system`](Self::system) without a buffer (default) | nothing | what the system had not written yet (up to 30 s on Linux) | a write(2) a record |
/// | with a buffer | what was buffered since the last flush | the same, and the above | a write(2) a buffer |
/// | with a buffer and `flush_on` a severity | what came after the last such record | as `system` | a write(2) each such record |
/// | [`sync_on`](Self::sync_on) a severity | as `flush_on` | what came after the last such record | an fsync(2) each such record |
/// | [`sync_every`](Self::sync_every) n records | fewer than n, with a buffer; without, nothing | fewer than n | an fsync(2) each n records |
/// | [`sync_interval`](Self::sync_interval) | as without | what came in the last interval | an fsync(2) an interval, on a background thread |
///
/// `flush_on(Severity::ALL)` flushes each record, and `sync_every(1)` syncs each. The levels combine; a sync of one
/// kind serves the others. A sync first writes what is buffered, then calls fdatasync(2) once. A new file is also
/// synced into its directory. A flush, a rotation, a reopening and the drop of the last clone of the sink sync, too, if
/// a record is not synced yet.
///
/// # When it blocks
/// A logging thread waits for its own syncs of `sync_on` and `sync_every` (milliseconds). Other threads do not.
///
/// # Failures
/// If a sync fails, the error handler gets the error, which counts in
/// [`other_errors`](crate::ledger::Stats::other_errors). The records stay counted as written: the system has them.
/// Without a handler, the next `flush` of the `io::Write` returns it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Durability {
    pub(crate) on: Option<Severity>,
    every: Option<u64>,
    interval: Option<Duration>,
}

impl Durability {
    /// Hands records to the operating system, which writes them to the disk when it likes.
    pub fn system() -> Self {
        Self::default()
    }

    /// Syncs after each record at or above a severity.
    pub fn sync_on(mut self, min_level: impl Into<Severity>) -> Self {
        self.on = Some(min_level.into());
        self
    }

    /// Syncs after every nth record; 0 counts as 1.
    pub fn sync_every(mut self, records: u64) -> Self {
        self.every = Some(records.max(1));
        self
    }

    /// Syncs at this interval if a record has come since the last sync. Less than a millisecond counts as one.
    pub fn sync_interval(mut self, interval: Duration) -> Self {
        self.interval = Some(interval.max(Duration::from_millis(1)));
        self
    }

    #[inline]
    fn is_any(&self) -> bool {
        *self != Self::system()
    }
}

/// Counts the records that are not synced yet.
#[derive(Debug, Default)]
pub(super) struct SyncPolicy {
    durability: Durability,
    records: AtomicU64,
}

impl SyncPolicy {
    pub(super) fn new(durability: Durability) -> Self {
        Self { durability, ..Self::default() }
    }

    #[inline]
    pub(super) fn is_active(&self) -> bool {
        self.durability.is_any()
    }

    pub(super) fn interval(&self) -> Option<Duration> {
        self.durability.interval
    }

    /// Counts a record. Returns whether a sync is due.
    #[inline]
    pub(super) fn count_record(&self) -> bool {
        self.is_active() && {
            let records = self.records.fetch_add(1, Ordering::Relaxed) + 1;
            self.durability.every.is_some_and(|every| records >= every)
        }
    }

    /// Syncs if a record has come since the last time.
    pub(super) fn sync_pending(&self, sync: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        if self.records.load(Ordering::Acquire) == 0 { Ok(()) } else { self.sync(sync) }
    }

    /// Syncs. Records that come meanwhile count for the next time.
    pub(super) fn sync(&self, sync: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let records = self.records.swap(0, Ordering::AcqRel);
        let result = sync();
        if result.is_err() {
            // It is not known what is on the disk; the next sync tries again.
            self.records.fetch_add(records, Ordering::AcqRel);
        }
        result
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// The numbers of the records after which a sync was due.
    fn times(durability: Durability, records: u64) -> Vec<u64> {
        let sync_policy = SyncPolicy::new(durability);
        (1..=records).filter(|_| sync_policy.count_record() && sync_policy.sync_pending(|| Ok(())).is_ok()).collect()
    }

    #[test]
    fn every_nth_record_is_time_for_a_sync() {
        assert_eq!(times(Durability::system(), 10), [0; 0]);
        assert_eq!(times(Durability::system().sync_every(4), 10), [4, 8]);
        assert_eq!(times(Durability::system().sync_every(1), 3), [1, 2, 3]);
        assert_eq!(times(Durability::system().sync_every(0), 3), [1, 2, 3]);
        assert_eq!(times(Durability::system().sync_on(Severity::ERROR), 10), [0; 0]);
    }

    #[test]
    fn nothing_is_synced_twice_and_a_failed_sync_is_tried_again() {
        let sync_policy = SyncPolicy::new(Durability::system().sync_every(3));
        let mut syncs = 0;
        let mut sync = |result: io::Result<()>| {
            let result = sync_policy.sync_pending(|| {
                syncs += 1;
                result
            });
            (result.is_ok(), syncs)
        };
        assert_eq!(sync(Ok(())), (true, 0));
        assert!(!sync_policy.count_record());
        assert_eq!(sync(Err(io::ErrorKind::Other.into())), (false, 1));
        assert_eq!(sync(Ok(())), (true, 2));
        assert_eq!(sync(Ok(())), (true, 2));
    }
}
