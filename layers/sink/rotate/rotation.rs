//! Replaces the open file with a new one.

use std::{
    fs::{self, File, Metadata},
    io,
    path::PathBuf,
    sync::atomic::Ordering,
    time::SystemTime,
};

use super::{
    super::{archive::RenameGuard, file_spec::FileSpec, opener::Swap, registry::FileId},
    crash::crash_point,
    lock::LOCK_TIMEOUT,
    names::is_file,
    numbered::NumberedBackups,
    rename::rename_no_replace,
    rotator::{MAX_ATTEMPTS, RotationState, Rotator},
    schedule::Period,
    unix_time::unix_seconds,
};
use crate::Error;

/// A record about to be written: its length, and its time in seconds since 1970.
pub(super) type PendingWrite = (u64, i64);

/// What asks for a rotation: a record, or none for `rollover`.
pub(super) struct Trigger {
    pub(super) pending_write: Option<PendingWrite>,
    pub(super) now: i64,
}

/// What to do with the record now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The state has changed: check again whether it fits.
    Retry,
    /// No rotation is due or possible: write to the open file.
    Proceed,
}

/// What happened to the file in use.
pub(super) enum MoveOutcome {
    /// It was renamed, and a new one is open.
    Moved(PathBuf),
    NotNeeded(Step),
    /// The target name exists.
    NameExists,
    Failed(Error),
}

/// Where the file in use goes. User code may make the name, so it is made before any lock.
pub(super) enum Target {
    Numbered(NumberedBackups),
    Dated(PathBuf),
}

pub(super) enum RotationOutcome {
    /// User code must first make the target for the file of this generation.
    NeedsTarget(u64, Option<Period>),
    Done(Step),
}

/// The work after a rotation, when no lock is held any more.
pub(super) struct PostRotation {
    /// The clock's time before the rotation.
    pub(super) now: SystemTime,
    pub(super) errors: Vec<Error>,
    /// The user's rotator must move the pending file here.
    pub(super) hand_to_rotator: Option<PathBuf>,
    /// The rotated file under its final name.
    pub(super) new_backup: Option<PathBuf>,
}

impl PostRotation {
    pub(super) fn new(now: SystemTime) -> Self {
        Self { now, errors: Vec::new(), hand_to_rotator: None, new_backup: None }
    }
}

impl Rotator {
    /// Rotates if it is due for the record; without a record, in any case.
    pub(super) fn rotate(&self, pending_write: Option<PendingWrite>) -> Step {
        let mut post = PostRotation::new(self.clock());
        let mut target = None;
        let step = loop {
            let mut state = self.state();
            let locked = match state.lock_processes(LOCK_TIMEOUT) {
                Ok(locked) => locked,
                Err(error) => {
                    self.rotation_failed(&mut state, Error::io_at(&self.names.lock(), "lock", error), &mut post);
                    break Step::Proceed;
                }
            };
            match self.rotate_if_due(&mut state, pending_write, target.take(), &mut post) {
                RotationOutcome::Done(step) => break step,
                RotationOutcome::NeedsTarget(generation, period) => {
                    drop((locked, state));
                    target = self.make_target(generation, period, &mut post);
                    if target.is_none() {
                        break Step::Proceed;
                    }
                }
            }
        };
        self.finish_rotation(post);
        step
    }

    /// Runs user code. If that fails, the rotation has failed.
    pub(super) fn make_target(
        &self,
        generation: u64,
        period: Option<Period>,
        post: &mut PostRotation,
    ) -> Option<(u64, Target)> {
        match self.target(period) {
            Ok(target) => Some((generation, target)),
            Err(error) => {
                self.rotation_failed(&mut self.state(), error, post);
                None
            }
        }
    }

    pub(super) fn target(&self, period: Option<Period>) -> Result<Target, Error> {
        match (&self.settings.schedule, period) {
            (Some(schedule), Some(period)) => Ok(Target::Dated(self.names.next_dated(&schedule.date(period.start))?)),
            _ => Ok(Target::Numbered(NumberedBackups::new(&self.names, self.max_number)?)),
        }
    }

    pub(super) fn rotate_if_due(
        &self,
        state: &mut RotationState,
        pending_write: Option<PendingWrite>,
        mut target: Option<(u64, Target)>,
        post: &mut PostRotation,
    ) -> RotationOutcome {
        for _ in 0..MAX_ATTEMPTS {
            if state.rotator_has_pending
                || (pending_write.is_some() && self.is_delaying_retry(state, unix_seconds(post.now)))
            {
                return RotationOutcome::Done(Step::Proceed);
            }
            let target = match target.take() {
                Some((generation, target)) if generation == state.generation => target,
                _ if self.names.namer.is_some() => return RotationOutcome::NeedsTarget(state.generation, state.period),
                _ => match self.target(state.period) {
                    Ok(target) => target,
                    Err(error) => return self.rotation_failed(state, error, post),
                },
            };
            if let Target::Numbered(backups) = &target {
                if self.keeps_backups {
                    if let Err(error) = backups.check() {
                        // Before anything is moved. But perhaps no rotation is needed.
                        if pending_write.is_some_and(|pending_write| self.would_fit(pending_write)) {
                            return RotationOutcome::Done(Step::Retry);
                        }
                        return self.rename_failed(state, error, post);
                    }
                }
            }
            let outcome = self.base.swap(self.is_shared(), |spec, file, buffered| {
                self.move_file(
                    spec,
                    file,
                    buffered,
                    state,
                    Trigger { pending_write, now: unix_seconds(post.now) },
                    &target,
                )
            });
            match outcome {
                MoveOutcome::NotNeeded(step) => return RotationOutcome::Done(step),
                MoveOutcome::Failed(error) => return self.rotation_failed(state, error, post),
                MoveOutcome::NameExists => {
                    state.generation += 1;
                    let pending = self.names.pending();
                    if is_file(&pending) {
                        if let Err(error) = self.finish_pending_rename(&target, true) {
                            return self.rename_failed(state, error, post);
                        }
                    }
                }
                MoveOutcome::Moved(path) => {
                    state.generation += 1;
                    state.retry = None;
                    crash_point("moved");
                    self.name_backup(state, path, &target, post);
                    return RotationOutcome::Done(Step::Retry);
                }
            }
        }
        RotationOutcome::Done(Step::Proceed)
    }

    /// Moves the file and opens a new one if a rotation is due. No thread writes meanwhile.
    pub(super) fn move_file(
        &self,
        spec: &FileSpec,
        file: Option<&File>,
        buffered: u64,
        state: &mut RotationState,
        trigger: Trigger,
        target: &Target,
    ) -> (Swap<File>, MoveOutcome) {
        let Trigger { pending_write, now } = trigger;
        let metadata = match self.stat_path(file) {
            // Another process has moved it away, or it was not open.
            found @ (None | Some((_, false))) if pending_write.is_some() || found.is_none() => {
                let swap = self.open_new_file(spec, found.map(|(metadata, _)| metadata), buffered, state, now);
                let step = if swap.is_some() { Step::Retry } else { Step::Proceed };
                return (swap.unwrap_or(Swap::Keep), MoveOutcome::NotNeeded(step));
            }
            Some((metadata, _)) => metadata,
            None => return (Swap::Keep, MoveOutcome::NotNeeded(Step::Proceed)),
        };
        if !metadata.is_file() {
            self.exclude_from_rotation();
            return (Swap::Keep, MoveOutcome::NotNeeded(Step::Proceed));
        }
        self.size.store(metadata.len() + buffered, Ordering::Relaxed);
        if let Some((len, at)) = pending_write {
            if now < self.valid_from.load(Ordering::Relaxed) {
                // The clock was set back: the planned rotation is too far away.
                self.set_period(state, now);
            }
            let is_time =
                at >= self.valid_until.load(Ordering::Relaxed) && now >= self.valid_until.load(Ordering::Relaxed);
            let is_full = metadata.len() > 0 && !self.fits(metadata.len() + buffered, len);
            if !is_time && !is_full {
                let step = if self.would_fit((len, at)) { Step::Retry } else { Step::Proceed };
                return (Swap::Keep, MoveOutcome::NotNeeded(step));
            }
        }
        let to = match target {
            _ if !self.keeps_backups => {
                let is_emptied =
                    self.settings.fills_up && File::options().write(true).truncate(true).open(&self.names.base).is_ok();
                let swap = self.open_new_file(spec, Some(metadata).filter(|_| !is_emptied), buffered, state, now);
                return (swap.unwrap_or(Swap::Keep), MoveOutcome::NotNeeded(Step::Proceed));
            }
            Target::Dated(path) if self.settings.rotator.is_none() => path.clone(),
            Target::Dated(_) | Target::Numbered(_) => self.names.pending(),
        };
        crash_point("before");
        match rename_no_replace(&self.names.base, &to) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return (Swap::Keep, MoveOutcome::NameExists),
            Err(error) => return (Swap::Keep, MoveOutcome::Failed(Error::io_at(&self.names.base, "rotate", error))),
        }
        crash_point("renamed");
        let swap = match pending_write {
            None if self.settings.open_lazily && buffered == 0 => Swap::Close,
            _ => match spec.open_file() {
                Ok(opened) => Swap::Open(opened),
                Err(open_error) => {
                    // Undo the rename; if that fails as well, the next record opens the path.
                    rename_no_replace(&to, &self.names.base).unwrap_or_default();
                    let error = Error::io_at(&self.names.base, "open a new file at", open_error.into());
                    return (Swap::Keep, MoveOutcome::Failed(error));
                }
            },
        };
        self.size.store(buffered, Ordering::Relaxed);
        self.set_period(state, now);
        (swap, MoveOutcome::Moved(to))
    }

    /// The metadata of the path, and whether it is the open file.
    pub(super) fn stat_path(&self, file: Option<&File>) -> Option<(Metadata, bool)> {
        let metadata = fs::metadata(&self.names.base).ok()?;
        let open = file.and_then(|file| file.metadata().ok());
        let is_same = open.is_some_and(|open| FileId::of(&open) == FileId::of(&metadata));
        Some((metadata, is_same))
    }

    /// Opens the path. On failure returns none, and the old file stays in use.
    pub(super) fn open_new_file(
        &self,
        spec: &FileSpec,
        metadata: Option<Metadata>,
        buffered: u64,
        state: &mut RotationState,
        now: i64,
    ) -> Option<Swap<File>> {
        let opened = spec.open_file().ok()?;
        self.size.store(metadata.as_ref().map_or(0, Metadata::len) + buffered, Ordering::Relaxed);
        self.begin_file(state, metadata.as_ref(), now);
        Some(Swap::Open(opened))
    }

    /// Gives the moved file its final name.
    pub(super) fn name_backup(
        &self,
        state: &mut RotationState,
        path: PathBuf,
        target: &Target,
        post: &mut PostRotation,
    ) {
        let renamed = match (target, &self.settings.rotator) {
            (Target::Dated(_), None) => Ok(path),
            (_, None) => self.finish_pending_rename(target, false),
            (Target::Dated(path), Some(_)) => self.hand_to_rotator(state, path.clone(), post),
            (Target::Numbered(backups), Some(_)) => RenameGuard::acquire(&self.names.base)
                .and_then(|guard| backups.shift(&guard, false))
                .and_then(|()| self.hand_to_rotator(state, backups.first()?, post)),
        };
        match renamed {
            Ok(path) => {
                if post.hand_to_rotator.is_none() {
                    post.new_backup = Some(path);
                    if let Target::Numbered(backups) = target {
                        if self.needs_clean_up() {
                            self.clean_up(backups.list(), post);
                        }
                    }
                }
            }
            Err(error) => {
                self.rename_failed(state, error, post);
            }
        }
    }

    pub(super) fn hand_to_rotator(
        &self,
        state: &mut RotationState,
        to: PathBuf,
        post: &mut PostRotation,
    ) -> io::Result<PathBuf> {
        state.rotator_has_pending = true;
        post.hand_to_rotator = Some(to.clone());
        Ok(to)
    }

    /// Renames the pending file to its final name.
    pub(super) fn finish_pending_rename(&self, target: &Target, resuming: bool) -> io::Result<PathBuf> {
        let guard = RenameGuard::acquire(&self.names.base)?;
        let to = match target {
            Target::Dated(path) => path.clone(),
            Target::Numbered(backups) => {
                backups.shift(&guard, resuming)?;
                backups.first()?
            }
        };
        crash_point("shifted");
        rename_no_replace(&self.names.pending(), &to)?;
        crash_point("filed");
        Ok(to)
    }
}
