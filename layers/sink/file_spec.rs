//! Which file to append to, and how to open it.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use super::{
    Durability, ReopenPolicy, creations,
    deferred_errors::DeferredErrors,
    durability::SyncPolicy,
    opener::{FileOpener, OpenedFile, RawFile},
    registry::{Claim, FileId},
    reopen::{PathWatch, path_changed},
};
use crate::Error;

pub(super) const FIND_DIRECTORY: &str = "find the directory of";
pub(super) const CREATE_DIRECTORY: &str = "create the directory of";

impl RawFile for File {
    #[inline]
    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        Write::write(&mut &*self, bytes)
    }
}

/// Which file to append to, and how to open it.
#[derive(Debug, Default)]
pub(crate) struct FileSpec {
    /// Absolute.
    pub(crate) path: PathBuf,
    pub(crate) truncate: bool,
    pub(crate) create_dirs: bool,
    /// Of a newly created file, on unix; subject to the process's umask.
    pub(crate) permissions: Option<u32>,
    /// What an empty file gets when it is opened: a byte order mark.
    pub(crate) file_start: &'static [u8],
    /// The line break, where it is not one byte.
    pub(crate) wide_line_end: Option<[u8; 2]>,
    /// Only the first open truncates.
    pub(crate) was_opened: AtomicBool,
    /// Keeps other handlers of this process off the path.
    pub(crate) claim: Option<Claim>,
    pub(super) path_watch: Option<PathWatch>,
    pub(super) sync_policy: SyncPolicy,
    pub(super) deferred_errors: DeferredErrors,
}

/// Opening failed at an action, as in "cannot ACTION the file".
#[derive(Debug)]
pub(super) struct OpenError {
    pub(crate) action: &'static str,
    pub(crate) error: io::Error,
}

impl From<OpenError> for io::Error {
    fn from(OpenError { action, error }: OpenError) -> Self {
        Self::new(error.kind(), format!("cannot {action} it: {error}"))
    }
}

impl FileOpener for FileSpec {
    type File = File;

    fn open(&self) -> io::Result<OpenedFile<File>> {
        Ok(self.open_file()?)
    }

    #[inline]
    fn is_check_due(&self) -> bool {
        self.path_watch.as_ref().is_some_and(PathWatch::is_check_due)
    }

    fn path_changed(&self, file: Option<FileId>) -> bool {
        path_changed(&self.path, file)
    }

    #[cfg(unix)]
    fn is_unlinked(&self, file: &File) -> bool {
        use std::os::unix::fs::MetadataExt as _;
        file.metadata().is_ok_and(|metadata| metadata.nlink() == 0)
    }

    fn release(&self, file: &File) {
        if self.sync_policy.is_active() {
            if let Err(error) = self.sync_policy.sync_pending(|| sync(file)) {
                self.defer_error("sync", error);
            }
        }
        if let Some(claim) = &self.claim {
            claim.closed(file);
        }
    }

    fn defer_error(&self, action: &'static str, error: io::Error) {
        self.deferred_errors.defer(Error::io_at(&self.path, action, error));
    }
}

impl FileSpec {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, ..Self::default() }
    }

    pub(crate) fn set_reopen_policy(&mut self, policy: ReopenPolicy) {
        self.path_watch = Some(PathWatch::new(policy));
    }

    pub(crate) fn set_durability(&mut self, durability: Durability) {
        self.sync_policy = SyncPolicy::new(durability);
    }

    pub(super) fn open_file(&self) -> Result<OpenedFile<File>, OpenError> {
        let failed_to = |action| move |error| OpenError { action, error };
        let parent = self.path.parent().unwrap_or(&self.path);
        if self.create_dirs {
            creations::create_dir_all(parent).map_err(failed_to(CREATE_DIRECTORY))?;
        }
        let truncate = self.truncate && !self.was_opened.load(Ordering::Acquire);
        let file = self.open_for_append(truncate).map_err(|error| {
            let no_directory = error.kind() == io::ErrorKind::NotFound && !parent.is_dir();
            OpenError { action: if no_directory { FIND_DIRECTORY } else { "open" }, error }
        })?;
        // Without metadata it does not count as a regular file.
        let metadata = file.metadata().ok();
        let (is_regular, len) = metadata.as_ref().map_or((false, 0), |metadata| (metadata.is_file(), metadata.len()));
        let ends_mid_line = is_regular && len > 0 && ends_mid_line(&self.path, &file, self.wide_line_end);
        if is_regular && len == 0 && !self.file_start.is_empty() {
            (&file).write_all(self.file_start).map_err(failed_to("write to"))?;
        }
        self.was_opened.store(true, Ordering::Release);
        if let Some(claim) = &self.claim {
            claim.opened(&file);
        }
        if self.sync_policy.is_active() && len == 0 {
            // Where directories cannot be synced, the system writes the name of a new file later.
            File::open(parent).and_then(|directory| directory.sync_all()).unwrap_or_default();
        }
        Ok(OpenedFile { file, needs_lock: !is_regular, ends_mid_line, id: metadata.as_ref().and_then(FileId::of) })
    }

    fn open_for_append(&self, truncate: bool) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.create(true);
        #[cfg(unix)]
        if let Some(permissions) = self.permissions {
            use std::os::unix::fs::OpenOptionsExt as _;
            options.mode(permissions);
        }
        #[cfg(not(unix))]
        if truncate {
            // An append handle may not truncate here.
            options.clone().write(true).truncate(true).open(&self.path)?;
        }
        let file = creations::open(options.append(true), &self.path)?;
        #[cfg(unix)]
        if truncate && file.metadata()?.is_file() {
            file.set_len(0)?;
        }
        Ok(file)
    }
}

/// Whether a crash or a full disk has left a non-empty file in the middle of a line. A file that cannot be read counts
/// as complete.
///
/// Another process may be in a write(2) right now. A write that crosses a page becomes visible in parts, and a line
/// that is complete a moment later must not get a line break from us. So one check that finds a partial line does not
/// count; a second one, after writes under way have ended, must find the same end at the same offset. If the file has
/// grown each time, another process is writing and completes its lines itself.
fn ends_mid_line(path: &Path, append: &File, wide_line_end: Option<[u8; 2]>) -> bool {
    const MAX_CHECKS: usize = 4;
    let line_end: &[u8] = wide_line_end.as_ref().map_or(b"\n", |wide| wide);
    let last_bytes = || -> io::Result<(u64, bool)> {
        let mut file = File::open(path)?;
        let mut last = [0; 2];
        let last = &mut last[..line_end.len()];
        let offset = file.seek(SeekFrom::End(-(line_end.len() as i64)))?;
        file.read_exact(last)?;
        Ok((offset, last == line_end))
    };
    let mut before = None;
    for _ in 0..MAX_CHECKS {
        match last_bytes() {
            Ok((offset, false)) => {
                if before == Some(offset) {
                    return true;
                }
                before = Some(offset);
            }
            Ok(_) | Err(_) => return false,
        }
        // An empty write; most systems let it wait for the writes before it. The pause is for the others.
        append.write(&[]).map(drop).unwrap_or_default();
        thread::sleep(RECHECK_DELAY);
    }
    false
}

/// How long to wait before a file that seems to end mid-line is checked again.
const RECHECK_DELAY: Duration = Duration::from_millis(1);

/// Syncs a file. Pipes and devices cannot be synced, which is no error.
pub(super) fn sync(file: &File) -> io::Result<()> {
    match file.sync_data() {
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
        result => result,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;

    use super::*;
    use crate::sink::scratch::Dir;

    /// Enough pages for a write to become visible in parts.
    #[test]
    fn t41_a_write_under_way_is_no_torn_end() {
        let dir = Dir::new();
        let spec = FileSpec::new(dir.path("app.log"));
        let ended = AtomicBool::new(false);
        let ends_mid_line = thread::scope(|scope| {
            scope.spawn(|| {
                let (file, lines) = (spec.open_file().unwrap().file, "a line\n".repeat(5_000));
                while !ended.load(Ordering::Relaxed) {
                    Write::write_all(&mut &file, lines.as_bytes()).unwrap();
                    if file.metadata().unwrap().len() > 8 << 20 {
                        file.set_len(0).unwrap();
                    }
                }
            });
            // Not before there is something to check.
            while fs::metadata(&spec.path).map_or(0, |metadata| metadata.len()) == 0 {
                thread::yield_now();
            }
            let ends_mid_line = (0..300).filter(|_| spec.open_file().unwrap().ends_mid_line).count();
            ended.store(true, Ordering::Relaxed);
            ends_mid_line
        });
        assert_eq!(ends_mid_line, 0);
        fs::write(dir.path("app.log"), "a line\na li").unwrap();
        assert!(spec.open_file().unwrap().ends_mid_line);
    }
}
