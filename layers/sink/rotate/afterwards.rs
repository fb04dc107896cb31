//! What follows a rotation, and what an earlier run has left: prunes, compression, hooks.

use std::{
    fs::File,
    io, mem,
    path::Path,
    sync::{Arc, atomic::Ordering},
    time::UNIX_EPOCH,
};

use super::{
    super::archive::{self, Job, ProcessLock, Retention, Rotated},
    RotatedFile,
    engine::{Engine, UNSURE},
    exchange::After,
    lock::{FileLocking, LockPath, Locked, PATIENCE},
    moves::{link_to, rename_new, seconds},
    names::{exists, is_file, is_plain},
    settings::Settings,
    slots::Slots,
};
use crate::{
    Error,
    unwind::{catch, panicked},
};

impl Engine {
    /// Without a lock: the rotator, prunes that run user code, and telling.
    pub(super) fn finish(&self, mut after: After) {
        if let Some(to) = after.hand_to.take() {
            self.rotator_has_it(&to, &mut after);
            after.filed = Some(to);
            if self.names.dated.is_none() {
                match Slots::new(&self.names, self.most) {
                    Ok(slots) => {
                        let _turn = self.turn();
                        self.tidy(slots.found(), &mut after);
                    }
                    Err(error) => after.troubles.push(error),
                }
            }
        }
        if after.filed.is_some() {
            if self.names.dated.is_some() && self.is_tidy_needed() {
                self.tidy(self.names.found_dated(), &mut after);
            }
            self.link(&mut after);
        }
        for error in mem::take(&mut after.troubles) {
            self.base.troubles().tell_of(error);
        }
    }

    pub(super) fn rotator_has_it(&self, to: &Path, after: &mut After) {
        let pending = self.names.pending();
        let Some(rotator) = &self.settings.rotator else { return };
        let result = catch(|| rotator(&pending, to));
        let result = match result {
            Ok(result) => result.map_err(|error| Error::io_at(&pending, "rotate", error)),
            Err(panic) => Err(panicked("the rotator", &panic)),
        };
        let mut turn = self.turn();
        turn.in_hands = false;
        after.troubles.extend(result.err());
        if exists(&pending)
            && let Err(error) = rename_new(&pending, to)
        {
            self.refused(&mut turn, error, after);
        }
    }

    /// Whether anything is to be done with files that were rotated.
    pub(super) fn is_tidy_needed(&self) -> bool {
        let Settings { backups, retention, compression, told, .. } = &self.settings;
        let deletes = *retention != Retention::default() || (self.names.dated.is_some() && *backups > 0);
        deletes || compression.is_some() || told.is_some()
    }

    /// Deletes what is too much, and has the rest compressed.
    pub(super) fn tidy(&self, found: Result<Vec<Rotated>, Error>, after: &mut After) {
        match found {
            Ok(found) => {
                after.troubles.extend(self.prune(&found, after).err());
                self.submit(&found, after);
            }
            Err(error) => after.troubles.push(error),
        }
    }

    pub(super) fn prune(&self, found: &[Rotated], after: &After) -> Result<(), Error> {
        let mut retention = self.settings.retention.clone();
        // At the start, files are only counted where that was asked for by name; Python counts after a rollover.
        if self.names.dated.is_some() && self.settings.backups > 0 && after.filed.is_some() {
            retention = retention.files(self.settings.backups);
        }
        let active = self.size.load(Ordering::Relaxed);
        let surplus = retention.surplus(found, if active >= UNSURE { 0 } else { active }, after.now);
        if surplus.is_empty() {
            return Ok(());
        }
        let hold = archive::hold(&self.names.base).map_err(|error| Error::io_at(&self.names.base, "prune", error))?;
        for file in surplus {
            match hold.remove(&file.path) {
                Ok(_) => {}
                // Another process was first.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(Error::io_at(&file.path, "delete", error)),
            }
        }
        Ok(())
    }

    /// All that is still plain is compressed, whoever left it so; the new one is told of.
    pub(super) fn submit(&self, found: &[Rotated], after: &mut After) {
        let Settings { compression, told, sharing, .. } = &self.settings;
        let filed = after.filed.as_ref().filter(|_| told.is_some());
        let plain = found.iter().map(|file| &file.path).filter(|path| compression.is_some() && is_plain(path));
        let mut paths: Vec<_> = plain.filter(|path| Some(*path) != filed && exists(path)).collect();
        paths.extend(filed);
        for path in paths {
            let then = told.clone().filter(|_| Some(path) == filed).map(|told| {
                let base = self.names.base.clone();
                Box::new(move |path: &Path, file: File| told(&RotatedFile { base, path: path.to_owned(), file })) as _
            });
            let outside: Option<Arc<dyn ProcessLock>> = match sharing {
                FileLocking::Shared => Some(Arc::new(LockPath(self.names.lock()))),
                FileLocking::Unguarded | FileLocking::Exclusive => None,
            };
            let job = Job {
                base: self.names.base.clone(),
                path: path.clone(),
                compression: *compression,
                ledger: self.base.troubles().teller.ledger(),
                outside,
                then,
            };
            after.troubles.extend(archive::compress(job).err());
        }
    }

    /// The optional link to the file in use.
    pub(super) fn link(&self, after: &mut After) {
        let Some(link) = &self.settings.latest else { return };
        if let Err(error) = link_to(link, &self.names.base) {
            after.troubles.push(Error::io_at(link, "link to the file in use as", error));
        }
    }

    /// What an earlier run has not finished. Nobody has the engine yet.
    pub(super) fn recover(&self) {
        let mut after = self.visit();
        if self.keeps {
            after.troubles.extend(self.finish_pending().err());
        }
        if self.settings.compression.is_some() {
            archive::sweep(&self.names.base, self.names.base.parent().unwrap_or(&self.names.base));
        }
        if self.settings.compression.is_some() || self.settings.retention != Retention::default() {
            let tidied = match self.names.dated {
                Some(_) => self.names.found_dated().map(|found| self.tidy(Ok(found), &mut after)),
                None => Slots::new(&self.names, self.most).and_then(|slots| {
                    let turn = self.turn();
                    let locked = turn.lock.as_deref().map(|lock| Locked::wait(lock, PATIENCE)).transpose();
                    let _locked = locked.map_err(|error| Error::io_at(&self.names.lock(), "lock", error))?;
                    self.tidy(slots.found(), &mut after);
                    Ok(())
                }),
            };
            after.troubles.extend(tidied.err());
        }
        self.link(&mut after);
        self.finish(after);
    }

    pub(super) fn finish_pending(&self) -> Result<(), Error> {
        let pending = self.names.pending();
        let Ok(about) = pending.symlink_metadata() else { return Ok(()) };
        let written = about.modified().unwrap_or(UNIX_EPOCH);
        let period = self.settings.schedule.as_ref().map(|schedule| schedule.period(seconds(written)));
        let target = self.target(period)?;
        let refused = |error| Error::io_at(&pending, "finish the rotation of", error);
        let turn = self.turn();
        let _locked = turn.lock.as_deref().map(|lock| Locked::wait(lock, PATIENCE)).transpose().map_err(refused)?;
        // With the lock in hand: perhaps another process was at work on it.
        if is_file(&pending) {
            self.file_pending(&target, true).map_err(refused)?;
        }
        Ok(())
    }
}
