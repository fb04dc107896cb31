//! The names of rotated files, and which files are ours.

use std::{
    ffi::{OsStr, OsString},
    fmt::{self, Write as _},
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use super::{
    super::archive::{Rotated, SUFFIXES},
    when::When,
};
use crate::{
    Error,
    unwind::{catch, panicked},
};

/// Default name → name.
pub(super) type Namer = Arc<dyn Fn(&Path) -> PathBuf + Send + Sync>;

/// How rotated files are called.
#[derive(Clone)]
pub(super) struct Names {
    /// Of the file in use.
    pub(super) base: PathBuf,
    /// None: by number, 1 is the newest.
    pub(super) dated: Option<When>,
    pub(super) namer: Option<Namer>,
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { base, dated, namer } = self;
        f.debug_struct("Names").field("base", base).field("dated", dated).field("namer", &namer.is_some()).finish()
    }
}

impl Names {
    /// What has been moved out of the way and has not got its name yet.
    pub(super) fn pending(&self) -> PathBuf {
        with(&self.base, ".rotating")
    }

    /// What processes lock.
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
            // Texts take everything.
            write!(suffix, ".{sequence}").unwrap_or_default();
        }
        self.named(with(&self.base, &suffix))
    }

    /// Runs user code.
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

    /// Whether a file of this name would be moved by a rotation; `most` numbered ones there are. Files by date stay where they
    /// are, and one that is open is not deleted. What a namer makes is not asked for: it is user code, and this is called
    /// under a lock.
    pub(super) fn has(&self, name: &OsStr, most: Option<u64>) -> bool {
        let rest = |base: &OsStr| {
            let rest = name.as_encoded_bytes().strip_prefix(base.as_encoded_bytes())?;
            rest.strip_prefix(b".").map(<[u8]>::to_owned)
        };
        let Some(rest) = self.base.file_name().and_then(rest) else { return false };
        match self.dated {
            _ if rest == b"rotating" => true,
            Some(_) => false,
            None if self.namer.is_some() => false,
            None => number(without_suffix(&rest)).is_some_and(|number| most.is_none_or(|most| number <= most)),
        }
    }

    /// The next free name of a date.
    pub(super) fn next_dated(&self, date: &str) -> Result<PathBuf, Error> {
        let mut sequence = 0;
        if self.namer.is_none() {
            let last = self.list_dated(Some(date))?.into_iter().map(|file| file.sequence).max();
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

    /// Files by date.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub(super) fn found_dated(&self) -> Result<Vec<Rotated>, Error> {
        self.list_dated(None)
    }

    /// Those of one date, or all.
    fn list_dated(&self, only: Option<&str>) -> Result<Vec<Rotated>, Error> {
        let Some(when) = self.dated else { return Ok(Vec::new()) };
        // Namers may choose another directory; as in Python, the one of the file in use is looked through.
        let dir = self.base.parent().unwrap_or(&self.base);
        let entries = match fs::read_dir(dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(Error::io_at(dir, "list", error)),
        };
        let mut found = Vec::new();
        for entry in entries.flatten() {
            if let Some((date, sequence)) = self.parse_dated(&entry.file_name(), when)?
                && only.is_none_or(|only| only == date)
            {
                found.extend(rotated(entry.path(), since(&date), sequence));
            }
        }
        Ok(found)
    }

    /// Whether a name is one of ours in full, and of when.
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

    /// A date anywhere in it, of which the namer makes this very name.
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

/// The name itself, and those of its compressed forms.
pub(super) fn variants(name: &Path) -> impl Iterator<Item = PathBuf> {
    std::iter::once(name.to_owned()).chain(SUFFIXES.iter().map(|suffix| with(name, &format!(".{suffix}"))))
}

/// Whether a file of this name is not compressed.
pub(super) fn is_plain(path: &Path) -> bool {
    let name = path.as_os_str().as_encoded_bytes();
    without_suffix(name).len() == name.len()
}

/// Whether there is anything of this name, also a link that leads nowhere.
pub(super) fn exists(path: &Path) -> bool {
    !path.symlink_metadata().is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

/// Whether there is a file, and nothing else, of this name.
pub(super) fn is_file(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|about| about.is_file())
}

pub(super) fn rotated(path: PathBuf, since: SystemTime, sequence: u64) -> Option<Rotated> {
    let about = path.symlink_metadata().ok().filter(fs::Metadata::is_file)?;
    let modified = about.modified().unwrap_or(UNIX_EPOCH);
    Some(Rotated { path, since, sequence, modified, len: about.len() })
}

/// Dates in order, as times.
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

/// As we write it: no sign, no leading zero.
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

    fn names(dated: &str) -> Names {
        Names { base: "/logs/app.log".into(), dated: Some(dated.parse().unwrap()), namer: None }
    }

    fn parse(names: &Names, name: &str) -> Option<(String, u64)> {
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
        let named = Names { namer: Some(Arc::new(namer)), ..names("midnight") };
        assert_eq!(parse(&named, "app-2024-03-05.txt"), Some(("2024-03-05".into(), 0)));
        assert_eq!(parse(&named, "app-2024-03-05.2.txt.gz"), Some(("2024-03-05".into(), 2)));
        for name in ["app-2024-03-05", "app-12024-03-05.txt", "xapp-2024-03-05.txt", "app.log.2024-03-05", "app-.txt"] {
            assert_eq!(parse(&named, name), None, "{name}");
        }
    }

    #[test]
    fn namers_that_panic_or_name_the_file_in_use() {
        let with = |namer: fn(&Path) -> PathBuf| Names { namer: Some(Arc::new(namer)), ..names("H") };
        assert!(with(|_| panic!("scripted")).numbered(1).unwrap_err().is_panic());
        assert!(with(|_| "/logs/app.log".into()).numbered(1).unwrap_err().is_config());
    }

    #[test]
    fn dates_are_in_order() {
        assert!(since("2024-03-05") < since("2024-03-06") && since("2024-12-31") < since("2025-01-01"));
    }
}
