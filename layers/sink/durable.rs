//! When records are on the disk, and not only with the system.

use std::{
    io,
    sync::{
        Arc, MutexGuard, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use tracing_core::dispatcher::{self, Dispatch};

use crate::{
    Error, Severity,
    fork::{self, ForkMutex},
    sink::Teller,
    unwind::catch,
};

/// When a file is synced: its records brought to the disk itself, where a crash of the machine cannot take them.
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
/// | level | a crash of the process takes | a crash of the machine takes | the price |
/// |---|---|---|---|
/// | [`system`](Self::system) without a buffer (default) | nothing | what the system had not written yet (up to 30 s on Linux) | a write(2) a record |
/// | with a buffer | what was held since the last flush | the same, and the above | a write(2) a buffer |
/// | with a buffer and `flush_on` a severity | what came after the last such record | as `system` | a write(2) each such record |
/// | [`sync_on`](Self::sync_on) a severity | as `flush_on` | what came after the last such record | an fsync(2) each such record |
/// | [`sync_every`](Self::sync_every) n records | fewer than n, with a buffer; without, nothing | fewer than n | an fsync(2) each n records |
/// | [`sync_interval`](Self::sync_interval) | as without | what came in the last interval | an fsync(2) an interval, on a thread of the crate's own |
///
/// `flush_on(Severity::ALL)` is a flush for each record, and `sync_every(1)` a sync. They may be combined; a sync of one
/// kind serves the others. A sync writes what a buffer holds first, and is one fdatasync(2); a file that is made is synced
/// into its directory. Where there are records to be synced, so do a flush, a rotation, a reopening, and the end of the
/// last clone of the sink.
///
/// # When it blocks
/// A logging thread waits for the syncs of `sync_on` and `sync_every` (milliseconds), other threads do not.
///
/// # Failures
/// A sync that fails is told to the trap and counted as a [trouble](crate::ledger::Stats::other_errors); its records stay counted
/// as written: the system has them. Without a handler, the next `flush` of the `io::Write` returns it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Durability {
    pub(crate) on: Option<Severity>,
    every: Option<u64>,
    interval: Option<Duration>,
}

impl Durability {
    /// Handed to the operating system; when that writes to the disk is its own affair.
    pub fn system() -> Self {
        Self::default()
    }

    /// Syncs after each record at or above a severity.
    pub fn sync_on(mut self, least: impl Into<Severity>) -> Self {
        self.on = Some(least.into());
        self
    }

    /// Syncs with each nth record; 0 counts as 1.
    pub fn sync_every(mut self, records: u64) -> Self {
        self.every = Some(records.max(1));
        self
    }

    /// Syncs so often, where something has come since the last time. Less than a millisecond counts as one.
    pub fn sync_interval(mut self, interval: Duration) -> Self {
        self.interval = Some(interval.max(Duration::from_millis(1)));
        self
    }

    #[inline]
    fn is_any(&self) -> bool {
        *self != Self::system()
    }
}

/// The account of what is not synced yet.
#[derive(Debug, Default)]
pub(super) struct Unsynced {
    durability: Durability,
    records: AtomicU64,
}

impl Unsynced {
    pub(super) fn new(durability: Durability) -> Self {
        Self { durability, ..Self::default() }
    }

    #[inline]
    pub(super) fn is_kept(&self) -> bool {
        self.durability.is_any()
    }

    pub(super) fn interval(&self) -> Option<Duration> {
        self.durability.interval
    }

    /// A record came; whether it is time for a sync.
    #[inline]
    pub(super) fn add(&self) -> bool {
        self.is_kept() && {
            let records = self.records.fetch_add(1, Ordering::Relaxed) + 1;
            self.durability.every.is_some_and(|every| records >= every)
        }
    }

    /// Syncs, if a record has come since the last time.
    pub(super) fn sync_rest(&self, sync: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        if self.records.load(Ordering::Acquire) == 0 { Ok(()) } else { self.sync(sync) }
    }

    /// Syncs. Records that come meanwhile count for the next time.
    pub(super) fn sync(&self, sync: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let records = self.records.swap(0, Ordering::AcqRel);
        let result = sync();
        if result.is_err() {
            // Nobody knows what is on the disk; the next one tries.
            self.records.fetch_add(records, Ordering::AcqRel);
        }
        result
    }
}

/// What failed and cost no record, until it can be told: it comes up under locks, and traps are user code.
#[derive(Debug, Default)]
pub(super) struct Troubles {
    any: AtomicBool,
    last: ForkMutex<Option<Error>>,
    pub(super) teller: Teller,
}

impl Troubles {
    /// Remembers the last one.
    #[cold]
    pub(super) fn note(&self, error: Error) {
        *self.last.get() = Some(error);
        self.any.store(true, Ordering::Release);
    }

    /// Tells what there is; without a handler, it is kept. Not under a lock.
    #[inline]
    pub(super) fn tell(&self) {
        if self.any.load(Ordering::Relaxed)
            && let Some(ledger) = self.teller.ledger()
            && let Some(error) = self.take()
        {
            ledger.report_error(&error);
        }
    }

    /// Tells one, or keeps it until there is a handler. Not under a lock.
    pub(super) fn tell_of(&self, error: Error) {
        match self.teller.ledger() {
            Some(ledger) => ledger.report_error(&error),
            None => self.note(error),
        }
    }

    pub(super) fn take(&self) -> Option<Error> {
        self.any.store(false, Ordering::Relaxed);
        self.last.get().take()
    }
}

// --- by the clock

/// Something that is done again and again.
pub(super) trait Tick: Send + Sync {
    fn tick(&self);
}

struct Entry {
    due: Instant,
    every: Duration,
    target: Weak<dyn Tick>,
}

#[derive(Default)]
struct Ticks {
    entries: Vec<Entry>,
    /// There is a thread.
    runs: bool,
}

static TICKS: ForkMutex<Ticks> = ForkMutex::first(Ticks { entries: Vec::new(), runs: false });

fn ticks() -> MutexGuard<'static, Ticks> {
    // A child of a fork has no thread yet.
    TICKS.lock(|ticks| ticks.runs = false, Ticks::default)
}

/// Ticks on a thread of the crate's own as long as the target lives. One thread does for all; it ends with the last of them.
pub(super) fn tick(target: Weak<dyn Tick>, every: Duration) -> Result<(), Error> {
    fork::watch();
    fork::on_restart(sync_after_fork);
    let mut ticks = ticks();
    ticks.entries.push(Entry { due: Instant::now() + every, every, target });
    start(ticks)
}

/// In a child of a fork: the thread for what is synced by the clock.
fn sync_after_fork() {
    let ticks = ticks();
    if !ticks.entries.is_empty()
        && let Err(error) = start(ticks)
    {
        super::stderr_line(&crate::text::escaped(&format!("tracing-strata: after a fork: {error}")));
    }
}

fn start(mut ticks: MutexGuard<'_, Ticks>) -> Result<(), Error> {
    let runs = std::mem::replace(&mut ticks.runs, true);
    drop(ticks);
    TICKS.notify_all();
    if !runs && let Err(error) = thread::Builder::new().name("strata-sync".into()).spawn(run) {
        let mut ticks = self::ticks();
        ticks.runs = false;
        ticks.entries.clear();
        return Err(Error::with_source("cannot start the thread that syncs files", error));
    }
    Ok(())
}

/// A sink that is dropped is noticed so soon.
const LOOK: Duration = Duration::from_secs(5);

fn run() {
    loop {
        let mut ticks = ticks();
        ticks.entries.retain(|entry| entry.target.strong_count() > 0);
        let Some(next) = ticks.entries.iter_mut().min_by_key(|entry| entry.due) else {
            ticks.runs = false;
            return;
        };
        let now = Instant::now();
        if next.due > now {
            let wait = (next.due - now).min(LOOK);
            let mut has_waited = false;
            drop(TICKS.wait_while(ticks, wait, |_| !std::mem::replace(&mut has_waited, true)));
            continue;
        }
        // What was missed is not made up for.
        next.due = now + next.every;
        let target = next.target.upgrade();
        drop(ticks);
        if let Some(target) = target {
            // It may tell a trap, and be the last to drop a sink: user code, which may log.
            dispatcher::with_default(&Dispatch::none(), || target_tick(target));
        }
    }
}

fn target_tick(target: Arc<dyn Tick>) {
    // One that panics is tried again next time.
    catch(move || target.tick()).unwrap_or_default();
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// The numbers of the records with which it was time.
    fn times(durability: Durability, records: u64) -> Vec<u64> {
        let unsynced = Unsynced::new(durability);
        (1..=records).filter(|_| unsynced.add() && unsynced.sync_rest(|| Ok(())).is_ok()).collect()
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
        let unsynced = Unsynced::new(Durability::system().sync_every(3));
        let mut syncs = 0;
        let mut sync = |result: io::Result<()>| {
            let result = unsynced.sync_rest(|| {
                syncs += 1;
                result
            });
            (result.is_ok(), syncs)
        };
        assert_eq!(sync(Ok(())), (true, 0));
        assert!(!unsynced.add());
        assert_eq!(sync(Err(io::ErrorKind::Other.into())), (false, 1));
        assert_eq!(sync(Ok(())), (true, 2));
        assert_eq!(sync(Ok(())), (true, 2));
    }

    struct Bell(mpsc::Sender<bool>, AtomicBool);

    impl Tick for Bell {
        fn tick(&self) {
            if self.0.send(tracing::enabled!(tracing::Level::ERROR)).is_ok() && !self.1.swap(true, Ordering::Relaxed) {
                panic!("scripted");
            }
        }
    }

    #[test]
    fn ticks_go_on_after_a_panic_and_end_with_their_target() {
        let (ring, rings) = mpsc::channel();
        let bell: Arc<dyn Tick> = Arc::new(Bell(ring, AtomicBool::new(false)));
        tick(Arc::downgrade(&bell), Duration::from_millis(1)).unwrap();
        for _ in 0..3 {
            assert!(!rings.recv_timeout(Duration::from_secs(60)).unwrap());
        }
        drop(bell);
        // Its end of the channel goes with it.
        while rings.recv_timeout(Duration::from_secs(60)).is_ok() {}
        assert_eq!(rings.try_recv(), Err(mpsc::TryRecvError::Disconnected));
    }
}
