//! Locks between processes, on a file beside the log.

use std::{
    any::Any,
    borrow::Borrow,
    fs::{File, OpenOptions},
    io,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use super::super::{
    archive::ProcessLock,
    creations,
    file_lock::{try_lock, unlock},
};
use crate::Error;

/// Whether several processes may write to one rotating path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FileLocking {
    /// No lock (the default, as in Python). Before a rotation the path is compared with the open file, so that a file
    /// that another process has rotated is not rotated again. But two processes that rotate at the same moment may
    /// collide.
    #[default]
    Unguarded,
    /// In a second process, `build` fails. The lock is on `BASE.lock` and ends with the process, however that ends.
    Exclusive,
    /// Any number of processes, all with the same settings. Each record is written under a lock on `BASE.lock`, and a
    /// file that another process has rotated is opened again first: every record is written once, complete, into one
    /// file. It costs some system calls per record, or per batch with a
    /// [buffer](crate::output::RotatingFileBuilder::buffer).
    Shared,
}

/// How long a process waits for another that writes or rotates. That takes microseconds, but the other may be stopped.
pub(super) const LOCK_TIMEOUT: Duration = Duration::from_secs(2);
/// A process that writes without a pause yields to others after this time …
const MAX_BURST: Duration = Duration::from_millis(10);
/// … for this time, which is longer than they wait between two attempts.
const YIELD_TIME: Duration = Duration::from_micros(300);
/// A gap of this length is a pause.
const IDLE_GAP: Duration = Duration::from_millis(1);

/// Takes the lock for the life of the process.
pub(super) fn lock_exclusively(path: &Path, base: &Path) -> Result<File, Error> {
    let file = open(path).map_err(|error| Error::io_at(path, "open", error))?;
    match try_lock(&file) {
        Ok(true) => Ok(file),
        Ok(false) => Err(Error::config(format_args!(
            "cannot use {}: another process rotates it and holds the lock on {}; use another path, or FileLocking::Shared in \
             all of them",
            base.display(),
            path.display()
        ))),
        Err(error) => Err(Error::io_at(path, "lock", error)),
    }
}

pub(super) fn open(path: &Path) -> io::Result<File> {
    creations::open(OpenOptions::new().create(true).append(true), path)
}

/// A lock on a file, released on drop.
pub(super) struct FileLockGuard<F: Borrow<File>>(F);

impl<F: Borrow<File>> FileLockGuard<F> {
    pub(super) fn acquire(file: F, timeout: Duration) -> io::Result<Self> {
        let mut tries = 0_u32;
        let mut began = None;
        loop {
            match try_lock(file.borrow()) {
                Ok(true) => return Ok(Self(file)),
                Ok(false) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            if began.get_or_insert_with(Instant::now).elapsed() >= timeout {
                return Err(io::ErrorKind::TimedOut.into());
            }
            tries += 1;
            match tries {
                ..20 => thread::yield_now(),
                _ => thread::sleep(Duration::from_micros(u64::from(tries.min(100)))),
            }
        }
    }
}

impl<F: Borrow<File>> Drop for FileLockGuard<F> {
    fn drop(&mut self) {
        // Closing the file unlocks it at the latest.
        unlock(self.0.borrow()).unwrap_or_default();
    }
}

/// How long a process has taken the lock again and again. File locks are not fair: whoever unlocks and locks again at
/// once is always first.
#[derive(Debug)]
pub(super) struct LockFairness {
    since: Instant,
    last: Instant,
}

impl LockFairness {
    /// Called after each unlock.
    pub(super) fn yield_if_long(fairness: &mut Option<Self>) {
        let now = Instant::now();
        let current = fairness.get_or_insert(Self { since: now, last: now });
        if now - current.last > IDLE_GAP {
            current.since = now;
        }
        if now - current.since > MAX_BURST {
            thread::sleep(YIELD_TIME);
            current.since = Instant::now();
        }
        current.last = Instant::now();
    }
}

/// For the archive thread: it locks through a handle of its own, because a handle locks only once.
pub(super) struct LockByPath(pub(super) PathBuf);

impl ProcessLock for LockByPath {
    fn lock(&self) -> io::Result<Box<dyn Any>> {
        Ok(Box::new(FileLockGuard::acquire(open(&self.0)?, LOCK_TIMEOUT)?))
    }
}
