//! `BASE.1`, `BASE.2` …: the newest has the lowest number, and each rotation moves all up by one.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use super::{
    super::archive::{BackupFile, RenameGuard},
    crash::crash_point,
    names::{BackupNames, backup_file, exists, is_file, number, variants, without_suffix},
};
use crate::Error;

/// The numbered names. User code makes its names in advance.
pub(super) struct NumberedBackups {
    names: BackupNames,
    /// The names that a namer made, from 1 on.
    named: Option<Vec<PathBuf>>,
    /// None for no limit.
    max_number: Option<u64>,
}

/// A namer makes at most this many names. Files beyond stay where they are.
const MAX_NAMED: u64 = 10_000;

impl NumberedBackups {
    /// Calls the namer, which is user code.
    pub(super) fn new(names: &BackupNames, max_number: Option<u64>) -> Result<Self, Error> {
        let mut backups = Self { names: names.clone(), named: None, max_number };
        if names.namer.is_none() {
            return Ok(backups);
        }
        let mut named = Vec::new();
        for number in 1..=max_number.unwrap_or(MAX_NAMED).min(MAX_NAMED) {
            let name = names.numbered(number)?;
            if named.last() == Some(&name) {
                return Err(Error::config(format_args!(
                    "the namer makes {} of two names: expected different ones",
                    name.display()
                )));
            }
            let is_last =
                max_number.is_none_or(|max_number| max_number > 100) && variants(&name).all(|path| !exists(&path));
            named.push(name);
            if is_last {
                break;
            }
        }
        backups.named = Some(named);
        Ok(backups)
    }

    /// The name of the newest file.
    pub(super) fn first(&self) -> io::Result<PathBuf> {
        self.name(1).ok_or_else(|| io::Error::other("there is no name for it"))
    }

    fn name(&self, number: u64) -> Option<PathBuf> {
        if self.max_number.is_some_and(|max_number| number > max_number) {
            return None;
        }
        match &self.named {
            Some(named) => named.get(usize::try_from(number).ok()?.checked_sub(1)?).cloned(),
            None => self.names.numbered(number).ok(),
        }
    }

    /// The numbers that have a file, in ascending order.
    fn used_numbers(&self) -> io::Result<Vec<u64>> {
        let probed = match &self.named {
            Some(named) => named.len() as u64,
            None => self.max_number.unwrap_or(u64::MAX),
        };
        if self.named.is_some() || probed <= 16 {
            let has_file =
                |number: &u64| self.name(*number).is_some_and(|name| variants(&name).any(|path| is_file(&path)));
            return Ok((1..=probed).filter(has_file).collect());
        }
        let (Some(dir), Some(base)) = (self.names.base.parent(), self.names.base.file_name()) else {
            return Ok(Vec::new());
        };
        let mut used_numbers = Vec::new();
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            let name = entry.file_name();
            let parsed = || {
                let rest = name.as_encoded_bytes().strip_prefix(base.as_encoded_bytes())?.strip_prefix(b".")?;
                number(without_suffix(rest))
            };
            if let Some(number) = parsed() {
                if number <= probed && entry.file_type().is_ok_and(|kind| kind.is_file()) {
                    used_numbers.push(number);
                }
            }
        }
        used_numbers.sort_unstable();
        used_numbers.dedup();
        Ok(used_numbers)
    }

    /// All files, for retention and compression.
    pub(super) fn list(&self) -> Result<Vec<BackupFile>, Error> {
        let used_numbers =
            self.used_numbers().map_err(|error| Error::io_at(&self.names.base, "list what was rotated of", error))?;
        let mut list = Vec::new();
        for number in used_numbers {
            let name = self.name(number).unwrap_or_default();
            list.extend(variants(&name).filter_map(|path| backup_file(path, UNIX_EPOCH, u64::MAX - number)));
        }
        Ok(list)
    }

    /// Fails if something that is not a file has one of the names.
    pub(super) fn check(&self) -> io::Result<()> {
        let beyond = self.used_numbers()?.into_iter().filter_map(|number| self.name(number + 1));
        for name in self.name(1).into_iter().chain(beyond) {
            if let Some(path) = variants(&name).find(|path| is_not_a_file(path)) {
                return Err(blocked_by(&path));
            }
        }
        Ok(())
    }

    /// Frees the first name as Python does: each file moves up by one number, gaps stay, and the last file is deleted
    /// if another takes its name. When `resuming` an interrupted shift, only the files before the first gap move: the
    /// others did.
    pub(super) fn shift(&self, guard: &RenameGuard, resuming: bool) -> io::Result<()> {
        let mut used_numbers = self.used_numbers()?;
        if resuming {
            let run = used_numbers.iter().zip(1..).take_while(|(number, expected)| **number == *expected).count();
            used_numbers.truncate(run);
        }
        for number in used_numbers.into_iter().rev() {
            let from = self.name(number).unwrap_or_default();
            match self.name(number + 1) {
                Some(to) => {
                    remove(guard, &to)?;
                    for (from, to) in variants(&from).zip(variants(&to)).filter(|(from, _)| is_file(from)) {
                        match guard.rename(&from, &to) {
                            // Deleted by hand meanwhile.
                            Err(error) if error.kind() == io::ErrorKind::NotFound && !exists(&from) => {}
                            result => result?,
                        }
                        crash_point("shifting");
                    }
                }
                // The last file: deleted when its name is needed.
                None if number == 1 => remove(guard, &from)?,
                None => {}
            }
        }
        Ok(())
    }
}

/// Deletes the file of a name, plain or compressed.
fn remove(guard: &RenameGuard, name: &Path) -> io::Result<()> {
    for path in variants(name).filter(|path| exists(path)) {
        if is_not_a_file(&path) {
            return Err(blocked_by(&path));
        }
        match guard.remove(&path) {
            Ok(true) => {}
            Ok(false) => {
                return Err(io::Error::new(
                    io::ErrorKind::ResourceBusy,
                    format!("{} is in use by another handler", path.display()),
                ));
            }
            // Another process was first.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Whether something of this name exists that is not a file. One system call: between two, compression or retention may
/// delete the file.
fn is_not_a_file(path: &Path) -> bool {
    match path.symlink_metadata() {
        Ok(about) => !about.is_file(),
        Err(error) => error.kind() != io::ErrorKind::NotFound,
    }
}

fn blocked_by(path: &Path) -> io::Error {
    io::Error::new(io::ErrorKind::AlreadyExists, format!("{} is in the way: expected a file", path.display()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::sink::scratch::Dir;

    fn backups(dir: &Dir, max_number: u64) -> NumberedBackups {
        let names = BackupNames { base: dir.path("app.log"), dated: None, namer: None };
        NumberedBackups::new(&names, Some(max_number)).unwrap()
    }

    /// As during compression, which deletes the plain file at any moment.
    #[test]
    fn t30_a_file_that_vanishes_is_not_in_the_way() {
        let dir = Dir::new();
        let (few, many) = (backups(&dir, 3), backups(&dir, 100_000));
        let ended = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !ended.load(Ordering::Relaxed) {
                    for name in ["app.log.1", "app.log.2", "app.log.2.gz"] {
                        fs::write(dir.path(name), "").unwrap();
                        fs::remove_file(dir.path(name)).unwrap();
                    }
                }
            });
            let checked: io::Result<()> = (0..2_000).try_for_each(|_| few.check().and_then(|()| many.check()));
            ended.store(true, Ordering::Relaxed);
            checked.unwrap();
        });
        fs::create_dir(dir.path("app.log.1.gz")).unwrap();
        assert!(few.check().unwrap_err().to_string().ends_with("app.log.1.gz is in the way: expected a file"));
    }
}
