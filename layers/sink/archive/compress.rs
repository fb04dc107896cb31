//! Compresses one file, which may be renamed, deleted or written to meanwhile.

use std::{
    fs::{self, File, FileTimes, Metadata},
    io::{self, Read},
    path::{Path, PathBuf},
    time::SystemTime,
};

use super::{
    compression::Compression,
    names::{create_part, with_suffix},
    queue::{Job, QUEUE, queue},
    rename_guard::wait_for_guards,
};
use crate::{Error, sink::registry::FileId};

/// How often compression restarts if the file changes meanwhile.
pub(super) const MAX_ATTEMPTS: usize = 3;

/// Compresses the file of a job.
pub(super) fn compress(job: &Job) -> Result<(), Error> {
    let Some(compression) = job.compression else { return Ok(()) };
    let failed = |error| Error::io_at(&current_path().unwrap_or_else(|| job.path.clone()), "compress", error);
    for _ in 0..MAX_ATTEMPTS {
        if attempt(job, compression).map_err(failed)? {
            return Ok(());
        }
    }
    Err(failed(io::Error::other("it is being written to, or moved, by another process")))
}

/// The current path of the job's file.
fn current_path() -> Option<PathBuf> {
    queue().current.as_ref().and_then(|current| current.path.clone())
}

/// False: the file has changed meanwhile.
fn attempt(job: &Job, compression: Compression) -> io::Result<bool> {
    let Some(path) = current_path() else { return Ok(true) };
    let plain = match File::open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // It was deleted, or a rotation is moving it right now.
            let current = wait_for_guards(job)?.current.as_ref().and_then(|current| current.path.clone());
            return Ok(current.is_none_or(|current| current == path));
        }
        plain => plain?,
    };
    let metadata = plain.metadata()?;
    if !metadata.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let existing = ExistingArchive::at(&with_suffix(&path, compression.suffix()))?;
    if let Some(existing) = &existing {
        if existing.is_archive_of(&path, &metadata, compression)? {
            // An earlier run was stopped before it deleted the plain file.
            return finish(job, compression, &metadata, Some(existing), None);
        }
    }
    let (part, file) = create_part(&job.base, &path, compression.suffix())?;
    let part = PartFile(part);
    if let Some(existing) = &existing {
        io::copy(&mut File::open(&existing.path)?, &mut &file)?;
    }
    let len = match compression.encode(&mut SourceReader(&plain), &file) {
        Err(_) if current_path().is_none() => return Ok(true),
        len => len?,
    };
    copy_metadata(&file, &metadata)?;
    file.sync_all()?;
    if len != plain.metadata()?.len() {
        return Ok(false);
    }
    finish(job, compression, &metadata, existing.as_ref(), Some(&part))
}

/// Renames the compressed part file and deletes the plain file; without a part file, only deletes the plain file.
fn finish(
    job: &Job,
    compression: Compression,
    metadata: &Metadata,
    existing: Option<&ExistingArchive>,
    part: Option<&PartFile>,
) -> io::Result<bool> {
    let _process_lock = job.process_lock.as_ref().map(|lock| lock.lock()).transpose()?;
    let mut queue = wait_for_guards(job)?;
    let Some(current) = &mut queue.current else { return Ok(true) };
    let Some(path) = current.path.clone() else { return Ok(true) };
    current.is_finishing = true;
    let finishing = FinishingGuard;
    drop(queue);

    let now = match fs::metadata(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        now => now?,
    };
    let target = with_suffix(&path, compression.suffix());
    let is_same = FileId::of(&now) == FileId::of(metadata) && now.len() == metadata.len();
    if !is_same
        || ExistingArchive::at(&target)?.as_ref().map(ExistingArchive::key) != existing.map(ExistingArchive::key)
    {
        return Ok(false);
    }
    if let Some(part) = part {
        if part.0.parent() != target.parent() {
            return Ok(false);
        }
        fs::rename(&part.0, &target)?;
    }
    // Journaling file systems write this to the disk after the rename, never before.
    fs::remove_file(&path)?;
    if let Some(current) = &mut self::queue().current {
        current.path = Some(target);
    }
    drop(finishing);
    sync_directory(&path);
    Ok(true)
}

/// From here on the names survive a crash of the machine. Where directories cannot be synced, the system writes them
/// later.
fn sync_directory(path: &Path) {
    #[cfg(unix)]
    if let Some(Ok(directory)) = path.parent().map(File::open) {
        directory.sync_all().unwrap_or_default();
    }
    #[cfg(not(unix))]
    let _ = path;
}

struct FinishingGuard;

impl Drop for FinishingGuard {
    fn drop(&mut self) {
        if let Some(current) = &mut queue().current {
            current.is_finishing = false;
        }
        QUEUE.notify_all();
    }
}

/// An unfinished file; deleted on drop unless it was renamed.
struct PartFile(PathBuf);

impl Drop for PartFile {
    fn drop(&mut self) {
        // If that fails, the next start deletes it.
        fs::remove_file(&self.0).unwrap_or_default();
    }
}

/// Reads the plain file; fails once that was deleted.
struct SourceReader<'a>(&'a File);

impl Read for SourceReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if current_path().is_none() {
            return Err(io::ErrorKind::NotFound.into());
        }
        self.0.read(buffer)
    }
}

/// Copies time, permissions and owner.
fn copy_metadata(file: &File, metadata: &Metadata) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let mine = file.metadata()?;
        if (mine.uid(), mine.gid()) != (metadata.uid(), metadata.gid()) {
            std::os::unix::fs::fchown(file, Some(metadata.uid()), Some(metadata.gid()))?;
        }
    }
    file.set_permissions(metadata.permissions())?;
    file.set_times(FileTimes::new().set_modified(metadata.modified()?))
}

/// A compressed file that exists already.
struct ExistingArchive {
    path: PathBuf,
    id: Option<FileId>,
    len: u64,
    modified: SystemTime,
}

impl ExistingArchive {
    fn at(path: &Path) -> io::Result<Option<Self>> {
        match fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            metadata => {
                let metadata = metadata?;
                let (id, len, modified) = (FileId::of(&metadata), metadata.len(), metadata.modified()?);
                Ok(Some(Self { path: path.to_owned(), id, len, modified }))
            }
        }
    }

    fn key(&self) -> (Option<FileId>, u64, SystemTime) {
        (self.id, self.len, self.modified)
    }

    /// Whether an earlier run made it of this plain file: it has the same time and ends in the same content.
    fn is_archive_of(&self, plain: &Path, metadata: &Metadata, compression: Compression) -> io::Result<bool> {
        let incomplete =
            |error| io::Error::other(format!("{} is there already and is not whole: {error}", self.path.display()));
        let decode = || compression.decode(File::open(&self.path)?);
        // Also if the times differ: only a complete file is appended to.
        let len = io::copy(&mut decode().map_err(incomplete)?, &mut io::sink()).map_err(incomplete)?;
        let Some(before) = len.checked_sub(metadata.len()) else { return Ok(false) };
        if self.modified != metadata.modified()? {
            return Ok(false);
        }
        let mut end = decode()?;
        io::copy(&mut end.by_ref().take(before), &mut io::sink())?;
        same_content(&mut end, &mut File::open(plain)?)
    }
}

fn same_content(one: &mut impl Read, two: &mut impl Read) -> io::Result<bool> {
    let (mut a, mut b) = (vec![0; 64 << 10], vec![0; 64 << 10]);
    loop {
        let count = one.read(&mut a)?;
        if count == 0 {
            return Ok(two.read(&mut b[..1])? == 0);
        }
        match two.read_exact(&mut b[..count]) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
            result => result?,
        }
        if a[..count] != b[..count] {
            return Ok(false);
        }
    }
}
