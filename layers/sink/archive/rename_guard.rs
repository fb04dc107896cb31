//! Keeps renames by a rotation and by the archive thread apart.

use std::{
    collections::VecDeque,
    fs, io, mem,
    path::{Path, PathBuf},
    sync::MutexGuard,
    time::Duration,
};

use super::queue::{ArchiveQueue, Job, QUEUE, queue};
use crate::sink::registry;

/// How long a rotation waits for a rename and a deletion by the archive thread.
const GUARD_TIMEOUT: Duration = Duration::from_secs(2);
/// How long the archive thread waits for a rotation to end.
const ROTATION_TIMEOUT: Duration = Duration::from_secs(60);

/// While it lives, the files of one base are renamed and deleted only through it.
#[derive(Debug)]
pub(crate) struct RenameGuard {
    base: PathBuf,
}

impl RenameGuard {
    /// Guards the files of a base, for a rotation. Several guards of one base may live at once. Usually waits no longer
    /// than a rename takes.
    ///
    /// # Errors
    /// The archive thread has been renaming for two seconds: the disk hangs.
    pub(crate) fn acquire(base: &Path) -> io::Result<Self> {
        let is_finishing = |queue: &mut ArchiveQueue| {
            queue.current.as_ref().is_some_and(|current| current.is_finishing && current.base == base)
        };
        let (mut queue, timed_out) = QUEUE.wait_while(queue(), GUARD_TIMEOUT, is_finishing);
        if timed_out {
            return Err(io::ErrorKind::TimedOut.into());
        }
        queue.guarded.push(base.to_owned());
        Ok(Self { base: base.to_owned() })
    }

    /// Renames a file. A queued or running compression follows it.
    pub(crate) fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)?;
        track_rename(to, None);
        track_rename(from, Some(to));
        Ok(())
    }

    /// Deletes a file, unless a handler of this process has it open. Returns whether it was deleted.
    pub(crate) fn remove(&self, path: &Path) -> io::Result<bool> {
        if registry::is_open(path) {
            return Ok(false);
        }
        fs::remove_file(path)?;
        track_rename(path, None);
        Ok(true)
    }
}

impl Drop for RenameGuard {
    fn drop(&mut self) {
        let mut queue = queue();
        if let Some(index) = queue.guarded.iter().position(|base| *base == self.base) {
            queue.guarded.swap_remove(index);
        }
        drop(queue);
        QUEUE.notify_all();
    }
}

/// A file has another path, or was deleted.
fn track_rename(from: &Path, to: Option<&Path>) {
    let mut queue = queue();
    if let Some(current) = queue.current.as_mut().filter(|current| current.path.as_deref() == Some(from)) {
        current.path = to.map(Path::to_owned);
    }
    match to {
        Some(to) => queue.jobs.iter_mut().filter(|job| job.path == from).for_each(|job| to.clone_into(&mut job.path)),
        None => {
            let (jobs, discarded) = mem::take(&mut queue.jobs).into_iter().partition(|job| job.path != from);
            queue.jobs = jobs;
            drop(queue);
            // They contain user code.
            drop::<VecDeque<_>>(discarded);
        }
    }
}

/// Waits for the end of a rotation.
pub(super) fn wait_for_guards(job: &Job) -> io::Result<MutexGuard<'static, ArchiveQueue>> {
    let is_guarded = |queue: &mut ArchiveQueue| queue.guarded.contains(&job.base);
    let (queue, timed_out) = QUEUE.wait_while(queue(), ROTATION_TIMEOUT, is_guarded);
    if timed_out { Err(io::ErrorKind::TimedOut.into()) } else { Ok(queue) }
}
