//! Which file records are appended to, and how it is opened.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use super::{
    Durability, ReopenPolicy,
    append::{Opened, Place, RawFile},
    durable::{Troubles, Unsynced},
    registry::{Claim, FileId},
    watch::{Watching, leads_elsewhere},
};
use crate::Error;

pub(super) const NO_DIRECTORY: &str = "find the directory of";

impl RawFile for File {
    #[inline]
    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        Write::write(&mut &*self, bytes)
    }
}

/// Which file, and how it is opened.
#[derive(Debug, Default)]
pub(crate) struct FilePlace {
    /// Absolute.
    pub(crate) path: PathBuf,
    pub(crate) truncate: bool,
    pub(crate) create_dirs: bool,
    /// Of a file that is created, on unix; the process's umask is taken off.
    pub(crate) mode: Option<u32>,
    /// Only the first opening truncates.
    pub(crate) opened: AtomicBool,
    /// Who else in this process may have it.
    pub(crate) claim: Option<Claim>,
    pub(super) watching: Option<Watching>,
    pub(super) unsynced: Unsynced,
    pub(super) troubles: Troubles,
}

/// What could not be done, as in "cannot … the file".
#[derive(Debug)]
pub(super) struct Refusal {
    pub(crate) doing: &'static str,
    pub(crate) error: io::Error,
}

impl From<Refusal> for io::Error {
    fn from(Refusal { doing, error }: Refusal) -> Self {
        Self::new(error.kind(), format!("cannot {doing} it: {error}"))
    }
}

impl Place for FilePlace {
    type File = File;

    fn open(&self) -> io::Result<Opened<File>> {
        Ok(self.open_file()?)
    }

    #[inline]
    fn is_due(&self) -> bool {
        self.watching.as_ref().is_some_and(Watching::is_due)
    }

    fn is_elsewhere(&self, file: Option<FileId>) -> bool {
        leads_elsewhere(&self.path, file)
    }

    #[cfg(unix)]
    fn is_lost(&self, file: &File) -> bool {
        use std::os::unix::fs::MetadataExt as _;
        file.metadata().is_ok_and(|about| about.nlink() == 0)
    }

    fn leave(&self, file: &File) {
        if self.unsynced.is_kept()
            && let Err(error) = self.unsynced.sync_rest(|| sync(file))
        {
            self.note("sync", error);
        }
        if let Some(claim) = &self.claim {
            claim.left(file);
        }
    }

    fn note(&self, doing: &'static str, error: io::Error) {
        self.troubles.note(Error::io_at(&self.path, doing, error));
    }
}

impl FilePlace {
    pub(crate) fn at(path: PathBuf) -> Self {
        Self { path, ..Self::default() }
    }

    /// Looks whether the path leads elsewhere.
    pub(crate) fn watch(&mut self, watch: ReopenPolicy) {
        self.watching = Some(Watching::new(watch));
    }

    pub(crate) fn durability(&mut self, durability: Durability) {
        self.unsynced = Unsynced::new(durability);
    }

    pub(super) fn open_file(&self) -> Result<Opened<File>, Refusal> {
        let while_doing = |doing| move |error| Refusal { doing, error };
        let parent = self.path.parent().unwrap_or(&self.path);
        if self.create_dirs {
            fs::create_dir_all(parent).map_err(while_doing("create the directory of"))?;
        }
        let truncate = self.truncate && !self.opened.load(Ordering::Acquire);
        let file = self.open_to_append(truncate).map_err(|error| {
            let astray = error.kind() == io::ErrorKind::NotFound && !parent.is_dir();
            Refusal { doing: if astray { NO_DIRECTORY } else { "open" }, error }
        })?;
        // What cannot say what it is, is no regular file.
        let about = file.metadata().ok();
        let (regular, len) = about.as_ref().map_or((false, 0), |about| (about.is_file(), about.len()));
        let unended = regular && len > 0 && ends_in_part_of_a_line(&self.path, &file);
        self.opened.store(true, Ordering::Release);
        if let Some(claim) = &self.claim {
            claim.opened(&file);
        }
        if self.unsynced.is_kept() && len == 0 {
            // Where directories cannot be synced, the system sees to the name of a new file later.
            File::open(parent).and_then(|directory| directory.sync_all()).unwrap_or_default();
        }
        Ok(Opened { file, takes_turns: !regular, unended, id: about.as_ref().and_then(FileId::of) })
    }

    fn open_to_append(&self, truncate: bool) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.create(true);
        #[cfg(unix)]
        if let Some(mode) = self.mode {
            use std::os::unix::fs::OpenOptionsExt as _;
            options.mode(mode);
        }
        #[cfg(not(unix))]
        if truncate {
            // A handle for appending may not truncate there.
            options.clone().write(true).truncate(true).open(&self.path)?;
        }
        let file = options.append(true).open(&self.path)?;
        #[cfg(unix)]
        if truncate && file.metadata()?.is_file() {
            file.set_len(0)?;
        }
        Ok(file)
    }
}

/// Whether a file that has something in it was left in the middle of a line, by a crash or a full disk. One that may not
/// be read is taken for whole.
///
/// Another process may be within a write(2) right now: a write that crosses a page shows in parts, and one that is whole a
/// moment later must not get a line break of ours. So one look that finds a part does not count: only where a second one,
/// after writes that were under way, finds the same end at the same place, nobody is at work on it. Where the file has grown
/// each time, whoever writes sees to its own ends.
fn ends_in_part_of_a_line(path: &Path, append: &File) -> bool {
    const LOOKS: usize = 4;
    let look = || -> io::Result<(u64, u8)> {
        let mut file = File::open(path)?;
        let place = file.seek(SeekFrom::End(-1))?;
        let mut last = [0];
        file.read_exact(&mut last)?;
        Ok((place, last[0]))
    };
    let mut before = None;
    for _ in 0..LOOKS {
        match look() {
            Ok((place, last)) if last != b'\n' => {
                if before == Some(place) {
                    return true;
                }
                before = Some(place);
            }
            Ok(_) | Err(_) => return false,
        }
        // Writes nothing, and most systems let it wait for the writes before it. The pause is for the others.
        append.write(&[]).map(drop).unwrap_or_default();
        thread::sleep(SECOND_LOOK);
    }
    false
}

/// After which a file that seems to end in a part of a line is looked at again.
const SECOND_LOOK: Duration = Duration::from_millis(1);

/// Pipes and devices cannot be synced, and need not be.
pub(super) fn sync(file: &File) -> io::Result<()> {
    match file.sync_data() {
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
        result => result,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::sink::scratch::Dir;

    /// As many pages as it takes for a write to be seen in parts.
    #[test]
    fn t41_a_write_under_way_is_no_torn_end() {
        let dir = Dir::new();
        let place = FilePlace::at(dir.path("app.log"));
        let ended = AtomicBool::new(false);
        let torn = thread::scope(|scope| {
            scope.spawn(|| {
                let (file, lines) = (place.open_file().unwrap().file, "a line\n".repeat(5_000));
                while !ended.load(Ordering::Relaxed) {
                    Write::write_all(&mut &file, lines.as_bytes()).unwrap();
                    if file.metadata().unwrap().len() > 8 << 20 {
                        file.set_len(0).unwrap();
                    }
                }
            });
            // Not before there is something to look at.
            while fs::metadata(&place.path).map_or(0, |about| about.len()) == 0 {
                thread::yield_now();
            }
            let torn = (0..300).filter(|_| place.open_file().unwrap().unended).count();
            ended.store(true, Ordering::Relaxed);
            torn
        });
        assert_eq!(torn, 0);
        fs::write(dir.path("app.log"), "a line\na li").unwrap();
        assert!(place.open_file().unwrap().unended);
    }
}
