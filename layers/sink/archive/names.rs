//! The names of part files: compressed files that are not complete yet.

use std::{
    ffi::OsStr,
    fs::{self, File, OpenOptions},
    io,
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU64, Ordering},
};

use super::{super::file_lock::try_lock, compression::SUFFIXES};

/// `app.log.1` → `app.log.1.gz`.
pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    name.into()
}

/// Creates a part file beside `path`: `app.log.4711-1.gz.part`. It stays locked as long as it is open, so that
/// [`remove_stale_parts`] knows whether it is in use.
pub(super) fn create_part(base: &Path, path: &Path, suffix: &str) -> io::Result<(PathBuf, File)> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let name = base.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    loop {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let mut part = name.to_owned();
        part.push(format!(".{}-{number}.{suffix}.part", process::id()));
        let part = path.with_file_name(part);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            // Nobody else may read it before it has the permissions of the plain file.
            options.mode(0o600);
        }
        match options.open(&part) {
            Ok(file) => {
                // Without file locks, stale part files are not deleted.
                match try_lock(&file) {
                    Ok(true) | Err(_) => return Ok((part, file)),
                    // Another process took it for stale and is deleting it.
                    Ok(false) => {}
                }
            }
            // Left by an earlier process with this id.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}

/// Deletes the part files of `base` that a crash has left in `dir`, and nothing else. What cannot be deleted stays for
/// the next time.
pub(crate) fn remove_stale_parts(base: &Path, dir: &Path) {
    let (Some(name), Ok(entries)) = (base.file_name(), fs::read_dir(dir)) else { return };
    for entry in entries.flatten() {
        if is_part(name, &entry.file_name()) && entry.file_type().is_ok_and(|kind| kind.is_file()) {
            let path = entry.path();
            // Open until it is deleted, so that nobody uses it in between.
            if let Ok(file) = File::open(&path) {
                if try_lock(&file).is_ok_and(|locked| locked) {
                    fs::remove_file(&path).unwrap_or_default();
                }
            }
        }
    }
}

/// Whether the whole name is `BASE.DIGITS-DIGITS.gz.part`.
fn is_part(base: &OsStr, name: &OsStr) -> bool {
    let between = || -> Option<(&str, &str)> {
        let rest = name.as_encoded_bytes().strip_prefix(base.as_encoded_bytes())?;
        let rest = std::str::from_utf8(rest).ok()?.strip_prefix('.')?.strip_suffix(".part")?;
        let (numbers, suffix) = rest.split_once('.')?;
        SUFFIXES.contains(&suffix).then(|| numbers.split_once('-'))?
    };
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    between().is_some_and(|(process, number)| is_number(process) && is_number(number))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::sink::scratch::Dir;

    #[test]
    fn t30_only_names_that_parse_fully_are_swept() {
        let dir = Dir::new();
        let base = dir.path("app.log");
        let others = [
            "app.log",
            "app.log.1",
            "app.log.1.gz",
            "app.log.1-2.gz",
            "app.log.1-2.gz.part.old",
            "app.log.1-2.xz.part",
            "app.log.-2.gz.part",
            "app.log.1-.gz.part",
            "app.log.1-2-3.gz.part",
            "app.log.a-2.gz.part",
            "other.log.1-2.gz.part",
            "app.log2.1-2.gz.part",
            "app.log.1-2.gz.gz.part",
        ];
        for name in others.into_iter().chain(["app.log.1-2.gz.part", "app.log.004-5.zst.part"]) {
            fs::write(dir.path(name), "x").unwrap();
        }
        fs::create_dir(dir.path("app.log.7-7.gz.part")).unwrap();
        // This one is in use.
        let (busy, file) = create_part(&base, &dir.path("app.log.1"), "gz").unwrap();
        remove_stale_parts(&base, &dir.path(""));
        let mut left: Vec<String> = others.map(Into::into).into();
        left.extend(["app.log.7-7.gz.part".into(), busy.file_name().unwrap().to_str().unwrap().into()]);
        left.sort();
        assert_eq!(dir.names(), left);
        drop(file);
        remove_stale_parts(&base, &dir.path(""));
        assert!(!busy.exists());
    }

    #[cfg(unix)]
    #[test]
    fn t43_names_that_are_no_text() {
        use std::os::unix::ffi::OsStrExt as _;
        let dir = Dir::new();
        let base = dir.path(OsStr::from_bytes(b"caf\xe9.log"));
        let part = dir.path(OsStr::from_bytes(b"caf\xe9.log.1-2.gz.part"));
        let other = dir.path(OsStr::from_bytes(b"caf\xe8.log.1-2.gz.part"));
        for path in [&part, &other] {
            fs::write(path, "x").unwrap();
        }
        remove_stale_parts(&base, &dir.path(""));
        assert!(!part.exists() && other.exists());
        assert!(with_suffix(&base, "gz").as_os_str().as_bytes().ends_with(b"/caf\xe9.log.gz"));
    }
}
