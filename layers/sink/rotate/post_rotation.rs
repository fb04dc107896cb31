//! The work after a rotation, and what an earlier run has left: retention, compression, hooks.

use std::{
    fs::File,
    io, mem,
    path::Path,
    sync::{Arc, atomic::Ordering},
    time::UNIX_EPOCH,
};

use super::{
    super::archive::{self, BackupFile, Job, ProcessLock, RenameGuard, Retention},
    RotatedFile,
    lock::{LOCK_TIMEOUT, LockByPath},
    names::{exists, is_file, is_plain},
    numbered::NumberedBackups,
    rename::{rename_no_replace, update_symlink},
    rotation::PostRotation,
    rotator::{Rotator, SIZE_UNKNOWN},
    settings::Settings,
    unix_time::unix_seconds,
};
use crate::{Error, unwind::catch, unwind::panicked};

impl Rotator {
    /// Does the work that must not run under a lock: calls the user's rotator, deletes surplus files if that runs user
    /// code, and reports errors.
    pub(super) fn finish_rotation(&self, mut post: PostRotation) {
        if let Some(to) = post.hand_to_rotator.take() {
            self.run_rotator(&to, &mut post);
            post.new_backup = Some(to);
            if self.names.dated.is_none() {
                match NumberedBackups::new(&self.names, self.max_number) {
                    Ok(backups) => {
                        let _state = self.state();
                        self.clean_up(backups.list(), &mut post);
                    }
                    Err(error) => post.errors.push(error),
                }
            }
        }
        if post.new_backup.is_some() {
            if self.names.dated.is_some() && self.needs_clean_up() {
                self.clean_up(self.names.list_dated(), &mut post);
            }
            self.update_latest_link(&mut post);
        }
        for error in mem::take(&mut post.errors) {
            self.base.deferred_errors().report_or_defer(error);
        }
    }

    pub(super) fn run_rotator(&self, to: &Path, post: &mut PostRotation) {
        let pending = self.names.pending();
        let Some(rotator) = &self.settings.rotator else { return };
        let result = catch(|| rotator(&pending, to));
        let result = match result {
            Ok(result) => result.map_err(|error| Error::io_at(&pending, "rotate", error)),
            Err(panic) => Err(panicked("the rotator", &panic)),
        };
        let mut state = self.state();
        state.rotator_has_pending = false;
        post.errors.extend(result.err());
        if exists(&pending) {
            if let Err(error) = rename_no_replace(&pending, to) {
                self.rename_failed(&mut state, error, post);
            }
        }
    }

    /// Whether rotated files are deleted, compressed or passed to `on_rotation`.
    pub(super) fn needs_clean_up(&self) -> bool {
        let Settings { backups, retention, compression, on_rotation, .. } = &self.settings;
        let deletes = *retention != Retention::default() || (self.names.dated.is_some() && *backups > 0);
        deletes || compression.is_some() || on_rotation.is_some()
    }

    /// Deletes surplus files and queues the rest for compression.
    pub(super) fn clean_up(&self, list: Result<Vec<BackupFile>, Error>, post: &mut PostRotation) {
        match list {
            Ok(list) => {
                post.errors.extend(self.delete_surplus(&list, post).err());
                self.queue_for_archiving(&list, post);
            }
            Err(error) => post.errors.push(error),
        }
    }

    pub(super) fn delete_surplus(&self, list: &[BackupFile], post: &PostRotation) -> Result<(), Error> {
        let mut retention = self.settings.retention.clone();
        // `backups` applies only after a rotation, as in Python; at the start, only an explicit retention does.
        if self.names.dated.is_some() && self.settings.backups > 0 && post.new_backup.is_some() {
            retention = retention.files(self.settings.backups);
        }
        let active = self.size.load(Ordering::Relaxed);
        let surplus = retention.surplus(list, if active >= SIZE_UNKNOWN { 0 } else { active }, post.now);
        if surplus.is_empty() {
            return Ok(());
        }
        let guard =
            RenameGuard::acquire(&self.names.base).map_err(|error| Error::io_at(&self.names.base, "prune", error))?;
        for file in surplus {
            match guard.remove(&file.path) {
                Ok(_) => {}
                // Another process was first.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(Error::io_at(&file.path, "delete", error)),
            }
        }
        Ok(())
    }

    /// Queues all files that are still plain for compression, and the new one for `on_rotation`.
    pub(super) fn queue_for_archiving(&self, list: &[BackupFile], post: &mut PostRotation) {
        let Settings { compression, on_rotation, .. } = &self.settings;
        let new_backup = post.new_backup.as_ref().filter(|_| on_rotation.is_some());
        let plain = list.iter().map(|file| &file.path).filter(|path| compression.is_some() && is_plain(path));
        let mut paths: Vec<_> = plain.filter(|path| Some(*path) != new_backup && exists(path)).collect();
        paths.extend(new_backup);
        for path in paths {
            let on_archived = on_rotation.clone().filter(|_| Some(path) == new_backup).map(|on_rotation| {
                let base = self.names.base.clone();
                Box::new(move |path: &Path, file: File| on_rotation(&RotatedFile { base, path: path.to_owned(), file }))
                    as _
            });
            let process_lock: Option<Arc<dyn ProcessLock>> = match self.is_shared() {
                true => Some(Arc::new(LockByPath(self.names.lock()))),
                false => None,
            };
            let job = Job {
                base: self.names.base.clone(),
                path: path.clone(),
                compression: *compression,
                ledger: self.base.deferred_errors().ledger_link.ledger(),
                process_lock,
                on_archived,
            };
            post.errors.extend(archive::enqueue(job).err());
        }
    }

    /// Updates the optional link to the file in use.
    pub(super) fn update_latest_link(&self, post: &mut PostRotation) {
        let Some(link) = &self.settings.latest else { return };
        if let Err(error) = update_symlink(link, &self.names.base) {
            post.errors.push(Error::io_at(link, "link to the file in use as", error));
        }
    }

    /// Finishes what an earlier run has left. Called before any other use.
    pub(super) fn recover(&self) {
        let mut post = PostRotation::new(self.clock());
        if self.keeps_backups {
            post.errors.extend(self.recover_pending().err());
        }
        if self.settings.compression.is_some() {
            archive::remove_stale_parts(&self.names.base, self.names.base.parent().unwrap_or(&self.names.base));
        }
        if self.settings.compression.is_some() || self.settings.retention != Retention::default() {
            let cleaned_up = match self.names.dated {
                Some(_) => self.names.list_dated().map(|list| self.clean_up(Ok(list), &mut post)),
                None => NumberedBackups::new(&self.names, self.max_number).and_then(|backups| {
                    let state = self.state();
                    let _locked = state
                        .lock_processes(LOCK_TIMEOUT)
                        .map_err(|error| Error::io_at(&self.names.lock(), "lock", error))?;
                    self.clean_up(backups.list(), &mut post);
                    Ok(())
                }),
            };
            post.errors.extend(cleaned_up.err());
        }
        self.update_latest_link(&mut post);
        self.finish_rotation(post);
    }

    pub(super) fn recover_pending(&self) -> Result<(), Error> {
        let pending = self.names.pending();
        let Ok(metadata) = pending.symlink_metadata() else { return Ok(()) };
        let written = metadata.modified().unwrap_or(UNIX_EPOCH);
        let period = self.settings.schedule.as_ref().map(|schedule| schedule.period(unix_seconds(written)));
        let target = self.target(period)?;
        let failed = |error| Error::io_at(&pending, "finish the rotation of", error);
        let state = self.state();
        let _locked = state.lock_processes(LOCK_TIMEOUT).map_err(failed)?;
        // Checked under the lock: perhaps another process has renamed it.
        if is_file(&pending) {
            self.finish_pending_rename(&target, true).map_err(failed)?;
        }
        Ok(())
    }
}
