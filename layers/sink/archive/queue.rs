//! The queue of rotated files, and the thread that compresses them and calls `on_rotation`.

use std::{
    any::Any,
    collections::VecDeque,
    fmt,
    fs::File,
    io, mem,
    path::{Path, PathBuf},
    sync::{Arc, MutexGuard},
    thread,
    time::Duration,
};

use tracing_core::dispatcher::{self, Dispatch};

use super::{compress::compress, compression::Compression, rename_guard::wait_for_guards};
use crate::{
    Error,
    fork::{self, ForkMutex},
    ledger::Ledger,
    unwind::catch,
    unwind::panicked,
};

/// A file to compress, to pass to `on_rotation`, or both.
pub(crate) struct Job {
    /// The path of the file in use, which a [`RenameGuard`](super::RenameGuard) guards.
    pub(crate) base: PathBuf,
    /// The rotated file.
    pub(crate) path: PathBuf,
    pub(crate) compression: Option<Compression>,
    /// Called once the file is compressed or compression has failed; not called if the file is gone by then. User code.
    pub(crate) on_archived: Option<OnArchived>,
    /// Gets the failures.
    pub(crate) ledger: Option<Arc<Ledger>>,
    /// Set if other processes rename the files, too.
    pub(crate) process_lock: Option<Arc<dyn ProcessLock>>,
}

/// Gets the path and the file opened for reading, because a rotation may rename the path at any time.
pub(crate) type OnArchived = Box<dyn FnOnce(&Path, File) + Send>;

/// A lock between processes, taken before any rename, and before a [`RenameGuard`](super::RenameGuard).
pub(crate) trait ProcessLock: Send + Sync {
    /// Locks until the returned value is dropped.
    fn lock(&self) -> io::Result<Box<dyn Any>>;
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job").field("path", &self.path).field("compression", &self.compression).finish_non_exhaustive()
    }
}

/// Further files wait for the next rotation, which queues all files that are still plain.
const CAPACITY: usize = 256;

pub(super) static QUEUE: ForkMutex<ArchiveQueue> = ForkMutex::for_static(ArchiveQueue::EMPTY);

pub(super) struct ArchiveQueue {
    pub(super) jobs: VecDeque<Job>,
    pub(super) current: Option<Current>,
    /// The thread runs.
    is_running: bool,
    /// The bases whose files are being rotated.
    pub(super) guarded: Vec<PathBuf>,
}

impl ArchiveQueue {
    const EMPTY: Self = Self { jobs: VecDeque::new(), current: None, is_running: false, guarded: Vec::new() };
}

/// The job that the thread works on.
pub(super) struct Current {
    pub(super) base: PathBuf,
    /// The file's current path; none if it was deleted.
    pub(super) path: Option<PathBuf>,
    /// The thread is renaming.
    pub(super) is_finishing: bool,
    on_archived: Option<OnArchived>,
}

pub(super) fn queue() -> MutexGuard<'static, ArchiveQueue> {
    // Nothing else in this process may check for forks.
    fork::check();
    QUEUE.lock(
        |queue| {
            // The parent and its thread do this work. Jobs contain user code, which the parent drops, too.
            mem::forget(mem::replace(queue, ArchiveQueue::EMPTY));
        },
        || ArchiveQueue::EMPTY,
    )
}

/// Queues a file and returns at once. A file that is queued already is not queued again.
///
/// # Errors
/// The thread cannot be started, or the queue is full and this file's callback will not be called. The caller reports
/// this once it has released its locks.
pub(crate) fn enqueue(mut job: Job) -> Result<(), Error> {
    let mut queue = queue();
    if let Some(current) = queue.current.as_mut().filter(|current| current.path.as_ref() == Some(&job.path)) {
        current.on_archived = current.on_archived.take().or_else(|| job.on_archived.take());
        drop(queue);
        return Ok(());
    }
    if let Some(other) = queue.jobs.iter_mut().find(|other| other.path == job.path) {
        other.on_archived = other.on_archived.take().or_else(|| job.on_archived.take());
        drop(queue);
        return Ok(());
    }
    if queue.jobs.len() >= CAPACITY {
        drop(queue);
        return match job.on_archived {
            Some(_) => Err(Error::new(format_args!(
                "{} is not handed on: {CAPACITY} rotated files are waiting for that",
                job.path.display()
            ))),
            // It stays plain until the next rotation.
            None => Ok(()),
        };
    }
    queue.jobs.push_back(job);
    if queue.is_running {
        return Ok(());
    }
    queue.is_running = true;
    drop(queue);
    thread::Builder::new().name("strata-archive".into()).spawn(run).map(drop).map_err(|error| {
        let mut queue = self::queue();
        queue.is_running = false;
        let jobs = mem::take(&mut queue.jobs);
        drop(queue);
        QUEUE.notify_all();
        // They stay plain until the next rotation. Jobs contain user code: dropped without the lock.
        drop(jobs);
        Error::with_source("cannot start the thread that compresses rotated files", error)
    })
}

/// Waits until no file of a base is queued or being compressed. Returns false on timeout.
pub(crate) fn wait_until_done(base: &Path, timeout: Duration) -> bool {
    let is_busy = |queue: &mut ArchiveQueue| {
        queue.jobs.iter().any(|job| job.base == base)
            || queue.current.as_ref().is_some_and(|current| current.base == base)
    };
    !QUEUE.wait_while(queue(), timeout, is_busy).1
}

/// The thread. It ends when the queue is empty.
fn run() {
    loop {
        let mut queue = self::queue();
        let Some(mut job) = queue.jobs.pop_front() else {
            queue.is_running = false;
            return;
        };
        let (base, path, on_archived) = (job.base.clone(), Some(job.path.clone()), job.on_archived.take());
        queue.current = Some(Current { base, path, is_finishing: false, on_archived });
        drop(queue);
        let result = catch(|| compress(&job));
        report(&job, result.unwrap_or_else(|panic| Err(panicked("compress", &panic))));
        while let Some((on_archived, path, file)) = next_callback(&job) {
            let call = || dispatcher::with_default(&Dispatch::none(), || on_archived(&path, file));
            report(&job, catch(call).map_err(|panic| panicked("on_rotation", &panic)));
        }
        QUEUE.notify_all();
    }
}

/// The next callback for the current file. Without one, the file is no longer the current one.
fn next_callback(job: &Job) -> Option<(OnArchived, PathBuf, File)> {
    // If a rotation does not end, the path may be wrong by the time it is opened; better than no call.
    let mut queue = wait_for_guards(job).unwrap_or_else(|_| self::queue());
    let current = queue.current.as_mut()?;
    let on_archived = current.on_archived.take();
    // Opened before a rotation can move it.
    let file =
        on_archived.as_ref().and(current.path.clone()).and_then(|path| File::open(&path).ok().map(|file| (path, file)));
    if file.is_none() {
        queue.current = None;
    }
    // Before the callback is dropped: it is user code.
    drop(queue);
    on_archived.zip(file).map(|(on_archived, (path, file))| (on_archived, path, file))
}

fn report(job: &Job, result: Result<(), Error>) {
    if let (Err(error), Some(ledger)) = (result, &job.ledger) {
        // An error handler may log; nothing it logs here goes anywhere.
        dispatcher::with_default(&Dispatch::none(), || ledger.report_error(&error));
    }
}
