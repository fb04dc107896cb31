//! Whether a file could be opened, without a trace.

use std::{cell::Cell, fs, io, path::Path};

use super::{
    creations::{MAX_LINKS, missing_target},
    file_spec::{CREATE_DIRECTORY, FIND_DIRECTORY, OpenError},
};

thread_local! {
    static IS_REHEARSAL: Cell<bool> = const { Cell::new(false) };
}

/// While `work` runs, all files count as such that could be opened, and as free: for a test of a configuration, which is
/// that of another machine.
#[cfg(feature = "testing")]
pub(crate) fn rehearsed<R>(work: impl FnOnce() -> R) -> R {
    struct Reset;
    impl Drop for Reset {
        fn drop(&mut self) {
            IS_REHEARSAL.set(false);
        }
    }
    IS_REHEARSAL.set(true);
    let _reset = Reset;
    super::allow_takeover(work)
}

/// What opening to append would fail with, as far as that shows beforehand.
pub(super) fn can_append(path: &Path, mut create_dirs: bool) -> Result<(), OpenError> {
    if IS_REHEARSAL.get() {
        return Ok(());
    }
    let failed_to = |action| move |error: io::Error| OpenError { action, error };
    let mut path = path.to_owned();
    let mut no_directory = FIND_DIRECTORY;
    for _ in 0..MAX_LINKS {
        match fs::metadata(&path) {
            Ok(metadata) if metadata.is_dir() => return Err(failed_to("open")(is_a_directory())),
            Ok(_) => return access(&path, false).map_err(failed_to("open")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed_to("open")(error)),
        }
        match missing_target(&path) {
            // The directory of what a link leads to is never made.
            Some(target) => (path, create_dirs, no_directory) = (target, false, "open"),
            None => break,
        }
    }
    let mut directory = path.parent().unwrap_or(&path);
    let mut action = "open";
    let is_missing =
        |directory: &&Path| fs::metadata(directory).is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
    if create_dirs && is_missing(&directory) {
        action = CREATE_DIRECTORY;
        directory = directory.ancestors().find(|above| !is_missing(above)).unwrap_or(directory);
    }
    match fs::metadata(directory) {
        Ok(metadata) if metadata.is_dir() => access(directory, true).map_err(failed_to(action)),
        Ok(_) => Err(failed_to(action)(not_a_directory())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(failed_to(no_directory)(error)),
        Err(error) => Err(failed_to(action)(error)),
    }
}

/// Whether this process may write to a file, or make entries in a directory.
#[cfg(unix)]
fn access(path: &Path, is_directory: bool) -> io::Result<()> {
    use rustix::fs::{Access, AtFlags, CWD, accessat};
    let mode = if is_directory { Access::WRITE_OK | Access::EXEC_OK } else { Access::WRITE_OK };
    Ok(accessat(CWD, path, mode, AtFlags::EACCESS)?)
}

#[cfg(not(unix))]
fn access(path: &Path, is_directory: bool) -> io::Result<()> {
    let is_refused = !is_directory && fs::metadata(path)?.permissions().readonly();
    if is_refused { Err(io::ErrorKind::PermissionDenied.into()) } else { Ok(()) }
}

fn is_a_directory() -> io::Error {
    #[cfg(unix)]
    return rustix::io::Errno::ISDIR.into();
    #[cfg(not(unix))]
    return io::ErrorKind::IsADirectory.into();
}

fn not_a_directory() -> io::Error {
    #[cfg(unix)]
    return rustix::io::Errno::NOTDIR.into();
    #[cfg(not(unix))]
    return io::ErrorKind::NotADirectory.into();
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{
        output::LogFile,
        sink::{FileSink, file_spec::FileSpec, scratch::Dir},
    };

    /// What the probe says beforehand is what opening says.
    #[test]
    fn the_probe_foretells_what_opening_does() {
        let dir = Dir::new();
        fs::create_dir(dir.path("dir")).unwrap();
        fs::write(dir.path("file"), "").unwrap();
        #[cfg(unix)]
        for (link, target) in [("link", "made"), ("nowhere", "no/such"), ("loop", "loop")] {
            std::os::unix::fs::symlink(target, dir.path(link)).unwrap();
        }
        let long = "x".repeat(300);
        for name in
            ["dir", "file", "file/below", "new", "no/dir/new", "link", "nowhere", "loop", &long, &format!("{long}/new")]
        {
            for create_dirs in [false, true] {
                let path = dir.path(name);
                let mut spec = FileSpec::new(path.clone());
                spec.create_dirs = create_dirs;
                let foretold = FileSink::new(spec, None).unwrap().check().map_err(|error| error.to_string());
                let opened = LogFile::builder(&path).create_dirs(create_dirs).build();
                let opened = opened.map(drop).map_err(|error| error.to_string());
                assert_eq!(foretold.is_ok(), opened.is_ok(), "{name} {create_dirs}: {foretold:?} {opened:?}");
                // Which of two causes is told may differ.
                assert!(create_dirs || foretold == opened, "{name}: {foretold:?} {opened:?}");
                for made in ["new", "made", "no"] {
                    let path = dir.path(made);
                    drop(if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) });
                }
            }
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn devices_are_fine() {
        can_append(Path::new("/dev/full"), false).unwrap();
    }
}
