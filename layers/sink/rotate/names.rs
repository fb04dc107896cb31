//! The names of rotated files, and which files are rotated files.

use std::{
    ffi::{OsStr, OsString},
    fmt::{self, Write as _},
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use super::{
    super::archive::{BackupFile, SUFFIXES},
    when::When,
};
use crate::{
    Error,
    unwind::{catch, panicked},
};

/// Makes a name from the default one.
pub(super) type NameFn = Arc<dyn Fn(&Path) -> PathBuf + Send + Sync>;

/// Makes and parses the names of rotated files.
#[derive(Clone)]
pub(super) struct BackupNames {
    /// The file in use.
    pub(super) base: PathBuf,
    /// None for numbered names, of which 1 is the newest.
    pub(super) dated: Option<When>,
    pub(super) namer: Option<NameFn>,
}

impl fmt::Debug for BackupNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { base, dated, namer } = self;
        f.debug_struct("BackupNames")
            .field("base", base)
            .field("dated", dated)
            .field("namer", &namer.is_some())
            .finish()
    }
}

impl BackupNames {
    /// A rotated file that does not have its final name yet.
    pub(super) fn pending(&self) -> PathBuf {
        with(&self.base, ".rotating")
    }

    /// The lock file between processes.
    pub(super) fn lock(&self) -> PathBuf {
        with(&self.base, ".lock")
    }

    /// `BASE.3`
    pub(super) fn numbered(&self, number: u64) -> Result<PathBuf, Error> {
        self.named(with(&self.base, &format!(".{number}")))
    }

    /// `BASE.2024-03-05`, and for further files of the same time `BASE.2024-03-05.1`, …
    fn dated(&self, date: &str, sequence: u64) -> Result<PathBuf, Error> {
        let mut suffix = format!(".{date}");
        if sequence > 0 {
            // Writing to a string cannot fail.
            write!(suffix, ".{sequence}").unwrap_or_default();
        }
        self.named(with(&self.base, &suffix))
    }

    /// Calls the namer, which is user code.
    fn named(&self, default: PathBuf) -> Result<PathBuf, Error> {
        let Some(namer) = &self.namer else { return Ok(default) };
        let name = catch(|| namer(&default)).map_err(|panic| panicked("the namer", &panic))?;
        if name == self.base || name == self.pending() || name.file_name().is_none() {
            return Err(Error::config(format_args!(
                "the namer makes {} of {}: expected a name that is not in use",
                name.display(),
                default.display()
            )));
        }
        Ok(name)
    }

    /// Whether a rotation would rename a file of this name. `max_number` is the highest number. Dated files are not
    /// renamed, and open files are not deleted. Names of a namer are not checked: it is user code, and this runs under
    /// a lock.
    pub(super) fn has(&self, name: &OsStr, max_number: Option<u64>) -> bool {
        let rest = |base: &OsStr| {
            let rest = name.as_encoded_bytes().strip_prefix(base.as_encoded_bytes())?;
            rest.strip_prefix(b".").map(<[u8]>::to_owned)
        };
        let Some(rest) = self.base.file_name().and_then(rest) else { return false };
        match self.dated {
            _ if rest == b"rotating" => true,
            Some(_) => false,
            None if self.namer.is_some() => false,
            None => number(without_suffix(&rest))
                .is_some_and(|number| max_number.is_none_or(|max_number| number <= max_number)),
        }
    }

    /// The next unused name of a date.
    pub(super) fn next_dated(&self, date: &str) -> Result<PathBuf, Error> {
        let mut sequence = 0;
        if self.namer.is_none() {
            let last = self.list_of_date(Some(date))?.into_iter().map(|file| file.sequence).max();
            sequence = last.map_or(0, |last| last + 1);
        }
        let mut last = None;
        loop {
            let name = self.dated(date, sequence)?;
            if variants(&name).all(|path| !exists(&path)) {
                return Ok(name);
            }
            if last.as_ref() == Some(&name) {
                return Err(Error::config(format_args!(
                    "the namer makes {} of two names: expected different ones",
                    name.display()
                )));
            }
            last = Some(name);
            sequence += 1;
        }
    }

    /// All dated files.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub(super) fn list_dated(&self) -> Result<Vec<BackupFile>, Error> {
        self.list_of_date(None)
    }

    /// The dated files of one date, or all.
    fn list_of_date(&self, only: Option<&str>) -> Result<Vec<BackupFile>, Error> {
        let Some(when) = self.dated else { return Ok(Vec::new()) };
        // A namer may choose another directory; as in Python, only that of the file in use is searched.
        let dir = self.base.parent().unwrap_or(&self.base);
        let entries = match fs::read_dir(dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(Error::io_at(dir, "list", error)),
        };
        let mut list = Vec::new();
        for entry in entries.flatten() {
            if let Some((date, sequence)) = self.parse_dated(&entry.file_name(), when)? {
                if only.is_none_or(|only| only == date) {
                    list.extend(backup_file(entry.path(), since(&date), sequence));
                }
            }
        }
        Ok(list)
    }

    /// The date and sequence number, if the whole name is that of a dated file.
    fn parse_dated(&self, name: &OsStr, when: When) -> Result<Option<(String, u64)>, Error> {
        let name = name.as_encoded_bytes();
        let Some(base) = self.base.file_name() else { return Ok(None) };
        if self.namer.is_some() {
            return self.parse_named(name, when);
        }
        let parsed = || {
            let rest = name.strip_prefix(base.as_encoded_bytes())?.strip_prefix(b".")?;
            let (date, rest) = rest.split_at(when.date_in_name(rest)?);
            let sequence = match without_suffix(rest) {
                b"" => 0,
                rest => number(rest.strip_prefix(b".")?)?,
            };
            Some((String::from_utf8_lossy(date).into_owned(), sequence))
        };
        Ok(parsed())
    }

    /// Finds a date anywhere in the name from which the namer makes exactly this name.
    fn parse_named(&self, name: &[u8], when: When) -> Result<Option<(String, u64)>, Error> {
        let is_digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_digit);
        for from in 0..name.len() {
            let Some(len) = when.date_in_name(&name[from..]) else { continue };
            if from.checked_sub(1).is_some_and(|before| is_digit(name.get(before))) || is_digit(name.get(from + len)) {
                continue;
            }
            let date = String::from_utf8_lossy(&name[from..from + len]).into_owned();
            let digits = name[from + len..].strip_prefix(b".").map(|rest| {
                let end = rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
                &rest[..end]
            });
            for sequence in [Some(0), digits.and_then(number)].into_iter().flatten() {
                let named = self.dated(&date, sequence)?;
                let named = named.file_name().unwrap_or_default().as_encoded_bytes();
                if named == name || named == without_suffix(name) {
                    return Ok(Some((date, sequence)));
                }
            }
        }
        Ok(None)
    }
}

/// The name itself and its compressed variants.
pub(super) fn variants(name: &Path) -> impl Iterator<Item = PathBuf> {
    std::iter::once(name.to_owned()).chain(SUFFIXES.iter().map(|suffix| with(name, &format!(".{suffix}"))))
}

/// Whether the name is not that of a compressed file.
pub(super) fn is_plain(path: &Path) -> bool {
    let name = path.as_os_str().as_encoded_bytes();
    without_suffix(name).len() == name.len()
}

/// Whether anything of this name exists, even a dangling link.
pub(super) fn exists(path: &Path) -> bool {
    !path.symlink_metadata().is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

/// Whether a regular file of this name exists.
pub(super) fn is_file(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|about| about.is_file())
}

/// A regular file as a backup file.
pub(super) fn backup_file(path: PathBuf, since: SystemTime, sequence: u64) -> Option<BackupFile> {
    let about = path.symlink_metadata().ok().filter(fs::Metadata::is_file)?;
    let modified = about.modified().unwrap_or(UNIX_EPOCH);
    Some(BackupFile { path, since, sequence, modified, len: about.len() })
}

/// Maps dates to times in the same order.
fn since(date: &str) -> SystemTime {
    let digits = date
        .bytes()
        .filter(u8::is_ascii_digit)
        .fold(0_u64, |number, digit| number.saturating_mul(10).saturating_add(u64::from(digit - b'0')));
    UNIX_EPOCH.checked_add(Duration::from_secs(digits)).unwrap_or(UNIX_EPOCH)
}

pub(super) fn without_suffix(name: &[u8]) -> &[u8] {
    let stripped = |suffix: &&str| name.strip_suffix(suffix.as_bytes())?.strip_suffix(b".");
    SUFFIXES.iter().find_map(stripped).unwrap_or(name)
}

/// Parses a number without sign and leading zero.
pub(super) fn number(digits: &[u8]) -> Option<u64> {
    let number: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    (number > 0 && digits[0].is_ascii_digit() && digits[0] != b'0').then_some(number)
}

fn with(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn names(dated: &str) -> BackupNames {
        BackupNames { base: "/logs/app.log".into(), dated: Some(dated.parse().unwrap()), namer: None }
    }

    fn parse(names: &BackupNames, name: &str) -> Option<(String, u64)> {
        names.parse_dated(OsStr::new(name), names.dated.unwrap()).unwrap()
    }

    #[test]
    fn t30_only_a_name_that_parses_fully_is_ours() {
        let daily = names("midnight");
        for (name, sequence) in [
            ("app.log.2024-03-05", 0),
            ("app.log.2024-03-05.gz", 0),
            ("app.log.2024-03-05.zst", 0),
            ("app.log.2024-03-05.1", 1),
            ("app.log.2024-03-05.17.gz", 17),
        ] {
            assert_eq!(parse(&daily, name), Some(("2024-03-05".into(), sequence)), "{name}");
        }
        for name in [
            "app.log",
            "app.log.1",
            "app.log.notes",
            "app.log.2024-03-05x",
            "app.log.2024-03-05.",
            "app.log.2024-03-05.0",
            "app.log.2024-03-05.01",
            "app.log.2024-03-05.+1",
            "app.log.2024-03-05.1.2",
            "app.log.2024-03-05.txt",
            "app.log.2024-03-05.gz.gz",
            "app.log.2024-03-05.bz2",
            "app.log.2024-03-05_12",
            "app.log.2024-3-5",
            "app.log.2024-02-30",
            "app-log.2024-03-05",
            "xapp.log.2024-03-05",
            "app.log2024-03-05",
            "app.log..2024-03-05",
            "app.log.2024-03-05.99999999999999999999999",
        ] {
            assert_eq!(parse(&daily, name), None, "{name}");
        }
    }

    #[test]
    fn rule_16_13_the_namers_files_are_ours() {
        let namer = |name: &Path| {
            let name = name.file_name().unwrap().to_str().unwrap().replace("app.log.", "app-");
            Path::new("/logs").join(name + ".txt")
        };
        let named = BackupNames { namer: Some(Arc::new(namer)), ..names("midnight") };
        assert_eq!(parse(&named, "app-2024-03-05.txt"), Some(("2024-03-05".into(), 0)));
        assert_eq!(parse(&named, "app-2024-03-05.2.txt.gz"), Some(("2024-03-05".into(), 2)));
        for name in ["app-2024-03-05", "app-12024-03-05.txt", "xapp-2024-03-05.txt", "app.log.2024-03-05", "app-.txt"] {
            assert_eq!(parse(&named, name), None, "{name}");
        }
    }

    #[test]
    fn namers_that_panic_or_name_the_file_in_use() {
        let with = |namer: fn(&Path) -> PathBuf| BackupNames { namer: Some(Arc::new(namer)), ..names("H") };
        assert!(with(|_| panic!("scripted")).numbered(1).unwrap_err().is_panic());
        assert!(with(|_| "/logs/app.log".into()).numbered(1).unwrap_err().is_config());
    }

    #[test]
    fn dates_are_in_order() {
        assert!(since("2024-03-05") < since("2024-03-06") && since("2024-12-31") < since("2025-01-01"));
    }
}
