//! The state of a rotating file, and when it rotates.

use std::{
    fmt,
    fs::{self, File, Metadata},
    io,
    path::Path,
    sync::{
        Arc, MutexGuard, OnceLock,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use super::{
    super::{
        archive,
        archive::Retention,
        creations,
        file::FileSink,
        file_spec::{CREATE_DIRECTORY, FileSpec},
    },
    lock::{self, FileLockGuard, FileLocking, LockFairness},
    names::BackupNames,
    rotation::{PostRotation, RotationOutcome, Step},
    schedule::Period,
    settings::Settings,
    unix_time::unix_seconds,
};
use crate::{
    Error,
    fork::{self, ForkMutex},
};

/// A file that is replaced by a new one when a rotation is due.
pub(crate) struct Rotator {
    pub(super) settings: Settings,
    pub(super) names: BackupNames,
    pub(super) base: FileSink,
    /// The highest number of a numbered backup; none for no limit.
    pub(super) max_number: Option<u64>,
    /// Whether rotated files are kept at all.
    pub(super) keeps_backups: bool,
    /// `u64::MAX` for no limit.
    pub(super) max_bytes: u64,
    /// The size of the file and of what is buffered for it; [`SIZE_UNKNOWN`] or more if it has to be determined.
    pub(super) size: AtomicU64,
    /// The time in which no rotation is due, in seconds since 1970.
    pub(super) valid_from: AtomicI64,
    pub(super) valid_until: AtomicI64,
    /// It is not a regular file, so it is never rotated.
    pub(super) is_excluded: AtomicBool,
    pub(super) state: ForkMutex<RotationState>,
    /// The lock of [`FileLocking::Exclusive`].
    lock: OnceLock<File>,
    creates_dirs: bool,
    /// Held while it is opened.
    is_open: ForkMutex<bool>,
}

/// What a rotation changes. Locked during renames, never during user code.
#[derive(Debug, Default)]
pub(super) struct RotationState {
    pub(super) period: Option<Period>,
    /// The user's rotator has the pending file.
    pub(super) rotator_has_pending: bool,
    /// Counts the opened files.
    pub(super) generation: u64,
    pub(super) retry: Option<RetryDelay>,
    /// The lock of [`FileLocking::Shared`].
    pub(super) lock: Option<Arc<File>>,
    pub(super) fairness: Option<LockFairness>,
}

impl RotationState {
    /// Takes the lock between processes, if there is one.
    pub(super) fn lock_processes(&self, timeout: Duration) -> io::Result<Option<FileLockGuard<Arc<File>>>> {
        self.lock.clone().map(|lock| FileLockGuard::acquire(lock, timeout)).transpose()
    }
}

/// When a failed rotation is tried again.
#[derive(Clone, Copy, Debug)]
pub(super) struct RetryDelay {
    pub(super) since: i64,
    /// Seconds.
    pub(super) delay: i64,
}

pub(super) const SIZE_UNKNOWN: u64 = 1 << 62;
/// How long a failed rotation waits before the next attempt, in seconds.
pub(super) const MIN_RETRY_DELAY: i64 = 1;
pub(super) const MAX_RETRY_DELAY: i64 = 60;
/// How often other threads may come first.
pub(super) const MAX_ATTEMPTS: usize = 16;

impl Rotator {
    /// Nothing is opened or made yet: see [`open`](Self::open).
    pub(crate) fn new(mut spec: FileSpec, settings: Settings) -> Result<Self, Error> {
        let names = BackupNames {
            base: spec.path.clone(),
            dated: settings.schedule.as_ref().map(|schedule| schedule.when),
            namer: settings.namer.clone(),
        };
        let unlimited = settings.backups == 0;
        let keeps_backups = names.dated.is_some() || !unlimited || settings.retention != Retention::default();
        let max_bytes =
            if settings.max_bytes > 0 && (keeps_backups || settings.fills_up) { settings.max_bytes } else { u64::MAX };
        if (settings.max_bytes > 0 && !settings.fills_up) || settings.schedule.is_some() {
            // A file that will be rotated is not truncated at the start (Python forces the mode, too).
            spec.truncate = false;
        }
        if settings.namer.is_some() {
            // An unusable namer fails now.
            names.numbered(1)?;
        }
        Ok(Self {
            names,
            creates_dirs: spec.create_dirs,
            base: FileSink::new(spec, settings.buffer)?,
            max_number: (!unlimited).then_some(settings.backups as u64),
            keeps_backups,
            max_bytes,
            size: AtomicU64::new(SIZE_UNKNOWN),
            valid_from: AtomicI64::new(i64::MIN),
            valid_until: AtomicI64::new(i64::MAX),
            is_excluded: AtomicBool::new(false),
            state: ForkMutex::default(),
            lock: OnceLock::new(),
            is_open: ForkMutex::default(),
            settings,
        })
    }

    /// Takes the locks and opens the file, unless that is left to the first record. Does nothing if another handler of the
    /// file has done it.
    pub(crate) fn open(&self) -> Result<(), Error> {
        let mut is_open = self.is_open.get();
        if *is_open {
            return Ok(());
        }
        let path = self.path();
        if let Some(parent) = path.parent().filter(|_| self.creates_dirs) {
            creations::create_dir_all(parent).map_err(|error| Error::io_at(path, CREATE_DIRECTORY, error))?;
        }
        let lock_path = self.names.lock();
        match self.settings.locking {
            FileLocking::Unguarded => {}
            FileLocking::Exclusive => drop(self.lock.set(lock::lock_exclusively(&lock_path, path)?)),
            FileLocking::Shared => {
                let lock = lock::open(&lock_path).map_err(|error| Error::io_at(&lock_path, "open", error))?;
                self.state.get().lock = Some(Arc::new(lock));
            }
        }
        let before = fs::metadata(path).ok();
        if !self.settings.open_lazily {
            self.base.open()?;
        }
        self.size.store(before.as_ref().map_or(0, Metadata::len), Ordering::Relaxed);
        self.begin_file(&mut self.state(), before.as_ref(), unix_seconds(self.clock()));
        if before.is_some_and(|metadata| !metadata.is_file()) {
            self.exclude_from_rotation();
        }
        *is_open = true;
        Ok(())
    }

    /// Checks whether [`open`](Self::open) would succeed, as far as that shows beforehand.
    #[cfg(feature = "config")]
    pub(super) fn check(&self) -> Result<(), Error> {
        if !self.settings.open_lazily {
            self.base.check()?;
        }
        if self.settings.locking != FileLocking::Unguarded {
            FileSink::new(FileSpec { create_dirs: self.creates_dirs, ..FileSpec::new(self.names.lock()) }, None)?
                .check()?;
        }
        Ok(())
    }

    /// Finishes what an earlier run has left, and begins to sync the file at intervals, if it is to be.
    pub(crate) fn start(&self) -> Result<(), Error> {
        self.recover();
        self.base.start()
    }

    pub(super) fn is_shared(&self) -> bool {
        self.settings.locking == FileLocking::Shared
    }

    pub(super) fn is_by_time(&self) -> bool {
        self.settings.schedule.is_some()
    }

    pub(super) fn base(&self) -> &FileSink {
        &self.base
    }

    pub(crate) fn path(&self) -> &Path {
        &self.names.base
    }

    pub(super) fn clock(&self) -> SystemTime {
        self.settings.clock.as_ref().map_or_else(SystemTime::now, |clock| clock.now())
    }

    pub(crate) fn rollover(&self) {
        self.rotate(None);
    }

    pub(crate) fn reopen(&self) -> Result<(), Error> {
        let now = unix_seconds(self.clock());
        let mut state = self.state();
        self.base.reopen_inner()?;
        let metadata = fs::metadata(&self.names.base).ok();
        self.size.store(SIZE_UNKNOWN, Ordering::Relaxed);
        self.begin_file(&mut state, metadata.as_ref(), now);
        Ok(())
    }

    pub(crate) fn close(&self) -> Result<(), Error> {
        self.flush().map_err(|error| Error::io_at(self.path(), "write what is buffered for", error))?;
        self.base.close_inner()?;
        self.size.store(SIZE_UNKNOWN, Ordering::Relaxed);
        Ok(())
    }

    pub(crate) fn flush(&self) -> io::Result<()> {
        if self.is_shared() { self.flush_shared() } else { self.base.flush_inner() }
    }

    /// Waits until rotated files are compressed and passed to `on_rotation`.
    pub(crate) fn wait_for_archiving(&self, timeout: Duration) -> bool {
        archive::wait_until_done(&self.names.base, timeout)
    }

    /// A file is opened: its period is that of its last modification, or of now if it is new.
    pub(super) fn begin_file(&self, state: &mut RotationState, metadata: Option<&Metadata>, now: i64) {
        let written = metadata.filter(|metadata| metadata.is_file()).and_then(|metadata| metadata.modified().ok());
        self.set_period(state, written.map_or(now, unix_seconds));
    }

    pub(super) fn set_period(&self, state: &mut RotationState, since: i64) {
        state.generation += 1;
        let Some(schedule) = &self.settings.schedule else { return };
        let period = schedule.period(since);
        state.period = Some(period);
        self.valid_from.store(schedule.valid_from(period), Ordering::Relaxed);
        self.valid_until.store(period.end, Ordering::Relaxed);
    }

    pub(super) fn exclude_from_rotation(&self) {
        self.valid_from.store(i64::MIN, Ordering::Relaxed);
        self.valid_until.store(i64::MAX, Ordering::Relaxed);
        self.is_excluded.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_delaying_retry(&self, state: &RotationState, now: i64) -> bool {
        state.retry.is_some_and(|RetryDelay { since, delay }| (now - since).abs() < delay)
    }

    pub(super) fn rename_failed(
        &self,
        state: &mut RotationState,
        error: io::Error,
        post: &mut PostRotation,
    ) -> RotationOutcome {
        self.rotation_failed(state, Error::io_at(&self.names.base, "rotate", error), post)
    }

    /// Keeps writing to the old file, reports the first error and schedules a retry.
    pub(super) fn rotation_failed(
        &self,
        state: &mut RotationState,
        error: Error,
        post: &mut PostRotation,
    ) -> RotationOutcome {
        let delay = match state.retry {
            Some(RetryDelay { delay, .. }) => (delay * 2).min(MAX_RETRY_DELAY),
            None => {
                post.errors.push(error);
                MIN_RETRY_DELAY
            }
        };
        state.retry = Some(RetryDelay { since: unix_seconds(post.now), delay });
        RotationOutcome::Done(Step::Proceed)
    }

    pub(super) fn state(&self) -> MutexGuard<'_, RotationState> {
        if self.is_shared() {
            // Before the lock between processes: a child of a fork needs its own.
            fork::check();
        }
        self.state.lock(
            |state| {
                state.rotator_has_pending = false;
                self.reopen_lock(state);
            },
            || {
                let mut state = RotationState::default();
                self.reopen_lock(&mut state);
                self.size.store(SIZE_UNKNOWN, Ordering::Relaxed);
                self.begin_file(&mut state, fs::metadata(&self.names.base).ok().as_ref(), unix_seconds(self.clock()));
                state
            },
        )
    }

    /// In a child of a fork: it shares the inherited lock with the parent, which locks neither of them out.
    fn reopen_lock(&self, state: &mut RotationState) {
        if self.is_shared() {
            if let Ok(lock) = lock::open(&self.names.lock()) {
                state.lock = Some(Arc::new(lock));
            }
        }
    }
}

/// Flushes under the locks, so that the buffer is not written to a file that another process has rotated.
impl Drop for Rotator {
    fn drop(&mut self) {
        // What cannot be written counts as failed once the sink is dropped.
        self.flush().unwrap_or_default();
    }
}

impl fmt::Debug for Rotator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rotator").field("names", &self.names).field("settings", &self.settings).finish_non_exhaustive()
    }
}
