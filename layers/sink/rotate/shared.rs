//! Several processes on one path: each write takes a lock and goes to the file that is in use then.

use std::{io, sync::atomic::Ordering, time::Duration};

use super::{
    super::{Lines, opener::Swap},
    lock::{LOCK_TIMEOUT, LockFairness},
    rotation::{PendingWrite, PostRotation, RotationOutcome},
    rotator::{RotationState, Rotator},
    unix_time::unix_seconds,
};
use crate::Error;

impl Rotator {
    #[cold]
    pub(super) fn write_shared(&self, lines: &mut Lines<'_>, len: u64, now: i64) -> io::Result<()> {
        let is_only_buffered = || self.base.would_buffer(len) && now < self.valid_until.load(Ordering::Relaxed);
        let write = || self.base.write_if(lines, || true);
        self.with_process_lock((len, now), is_only_buffered, write).map(drop).map_err(|error| self.size_unknown(error))
    }

    pub(super) fn flush_shared(&self) -> io::Result<()> {
        let now = unix_seconds(self.clock());
        self.with_process_lock((0, now), || self.base.buffered() == 0, || self.base.flush_inner())
    }

    /// Writes under the locks, after a rotation if it is due; without either if `needs_no_lock`.
    fn with_process_lock<R>(
        &self,
        pending_write: PendingWrite,
        needs_no_lock: impl Fn() -> bool,
        write: impl FnOnce() -> R,
    ) -> R {
        let mut post = PostRotation::new(self.clock());
        let mut target = None;
        let result = loop {
            let mut state = self.state();
            if needs_no_lock() {
                break write();
            }
            // After a timeout a moment ago, it does not wait again.
            let timeout =
                if self.is_delaying_retry(&state, unix_seconds(post.now)) { Duration::ZERO } else { LOCK_TIMEOUT };
            match state.lock_processes(timeout) {
                Ok(locked) => {
                    self.follow_path(&mut state, unix_seconds(post.now));
                    if !self.would_fit(pending_write) {
                        if let RotationOutcome::NeedsTarget(generation, period) =
                            self.rotate_if_due(&mut state, Some(pending_write), target.take(), &mut post)
                        {
                            drop((locked, state));
                            target = self.make_target(generation, period, &mut post);
                            continue;
                        }
                    }
                    let result = write();
                    drop(locked);
                    // Still with the state locked: the other threads of this process wait, too.
                    LockFairness::yield_if_long(&mut state.fairness);
                    break result;
                }
                Err(error) => {
                    post.now = post.now.checked_add(timeout).unwrap_or(post.now);
                    // The process that holds it is stopped. Records are complete without it, too; but nothing is
                    // renamed.
                    self.rotation_failed(&mut state, Error::io_at(&self.names.lock(), "lock", error), &mut post);
                    self.follow_path(&mut state, unix_seconds(post.now));
                    break write();
                }
            }
        };
        self.finish_rotation(post);
        result
    }

    /// Opens the path again if another process has rotated the file. The whole buffer goes to the new one.
    fn follow_path(&self, state: &mut RotationState, now: i64) {
        self.base.swap(true, |spec, file, buffered| match self.stat_path(file) {
            Some((metadata, true)) => {
                self.size.store(metadata.len() + buffered, Ordering::Relaxed);
                (Swap::Keep, ())
            }
            found => {
                let metadata = found.map(|(metadata, _)| metadata);
                (self.open_new_file(spec, metadata, buffered, state, now).unwrap_or(Swap::Keep), ())
            }
        });
    }

    pub(super) fn would_fit(&self, (len, now): PendingWrite) -> bool {
        (self.valid_from.load(Ordering::Relaxed)..self.valid_until.load(Ordering::Relaxed)).contains(&now)
            && (self.max_bytes == u64::MAX || self.fits(self.size.load(Ordering::Relaxed), len))
    }
}
