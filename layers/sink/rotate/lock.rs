//! Locks between processes, on a file beside the log.

use std::{
    any::Any,
    fs::{File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use super::super::archive::ProcessLock;
use crate::Error;

/// Whether several processes may write to one rotating path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FileLocking {
    /// Nobody looks (the default, as in Python). Before a rotation the path is compared with the open file, so that a file
    /// that another process has rotated is not rotated again; but two that rotate in the same moment are not kept apart.
    #[default]
    Unguarded,
    /// A second process is refused: `build` fails. The lock is on `BASE.lock`, and ends with the process, however that ends.
    Exclusive,
    /// Any number of processes, all with the same settings. Each record is written under a lock on `BASE.lock`, and a file
    /// that another process has rotated is opened anew first: every record once, in one file, whole. It costs some system
    /// calls a record, or a batch with a [buffer](crate::output::RotatingFileBuilder::buffer).
    Shared,
}

/// How long a process waits for another that is writing or rotating. That takes microseconds, but it may have been stopped.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);
/// A process that writes without a pause lets others have their turn after so long …
const BURST: Duration = Duration::from_millis(10);
/// … for so long, which is longer than they wait between two tries.
const PAUSE: Duration = Duration::from_micros(300);
/// What is a pause by itself.
const GAP: Duration = Duration::from_millis(1);

/// The lock of a whole process life.
pub(super) fn exclusively(path: &Path, base: &Path) -> Result<File, Error> {
    let file = open(path).map_err(|error| Error::io_at(path, "open", error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::config(format_args!(
            "cannot use {}: another process rotates it and holds the lock on {}; use another path, or Sharing::Shared in \
             all of them",
            base.display(),
            path.display()
        ))),
        Err(TryLockError::Error(error)) => Err(Error::io_at(path, "lock", error)),
    }
}

pub(super) fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

/// Locks, until it is dropped.
pub(super) struct Locked<'a>(&'a File);

impl<'a> Locked<'a> {
    pub(super) fn wait(file: &'a File, patience: Duration) -> io::Result<Self> {
        let mut tries = 0_u32;
        let mut began = None;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self(file)),
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(TryLockError::Error(error)) => return Err(error),
            }
            if began.get_or_insert_with(Instant::now).elapsed() >= patience {
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

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        // It ends with the file at the latest.
        self.0.unlock().unwrap_or_default();
    }
}

/// Since when, and until when, a process has had the lock again and again. Locks are not fair: who lets go and locks again at
/// once is always the first.
#[derive(Debug)]
pub(super) struct Burst {
    since: Instant,
    last: Instant,
}

impl Burst {
    /// After the lock was let go.
    pub(super) fn pause_if_long(burst: &mut Option<Self>) {
        let now = Instant::now();
        let current = burst.get_or_insert(Self { since: now, last: now });
        if now - current.last > GAP {
            current.since = now;
        }
        if now - current.since > BURST {
            thread::sleep(PAUSE);
            current.since = Instant::now();
        }
        current.last = Instant::now();
    }
}

/// For the thread that compresses: a lock on a handle of its own, as one handle locks only once.
pub(super) struct LockPath(pub(super) PathBuf);

struct Owned(File);

impl Drop for Owned {
    fn drop(&mut self) {
        self.0.unlock().unwrap_or_default();
    }
}

impl ProcessLock for LockPath {
    fn lock(&self) -> io::Result<Box<dyn Any>> {
        let file = open(&self.0)?;
        std::mem::forget(Locked::wait(&file, PATIENCE)?);
        Ok(Box::new(Owned(file)))
    }
}
