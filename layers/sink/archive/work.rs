//! Making files smaller: the thread that does it, and how it stays out of the way of a rotation.

use std::{
    any::Any,
    collections::VecDeque,
    fmt,
    fs::{self, File, FileTimes, Metadata},
    io::{self, Read},
    mem,
    path::{Path, PathBuf},
    sync::{Arc, MutexGuard},
    thread,
    time::{Duration, SystemTime},
};

use tracing_core::dispatcher::{self, Dispatch};

use super::{
    Compression,
    names::{create_part, with_suffix},
};
use crate::{
    Error,
    fork::{self, ForkMutex},
    ledger::Ledger,
    sink::registry::{self, FileId},
    unwind::{catch, panicked},
};

/// A file to be compressed, or handed on, or both.
pub(crate) struct Job {
    /// The path of the file in use, which is what a [`Hold`] is of.
    pub(crate) base: PathBuf,
    /// The rotated file.
    pub(crate) path: PathBuf,
    pub(crate) compression: Option<Compression>,
    /// Gets the file, once it is compressed or that has failed; if it is gone by then, nothing. User code.
    pub(crate) then: Option<Then>,
    /// Who is told of failures.
    pub(crate) ledger: Option<Arc<Ledger>>,
    /// Where other processes rename the files, too.
    pub(crate) outside: Option<Arc<dyn ProcessLock>>,
}

/// Gets the path and, as a rotation may rename that at any time, the file opened for reading.
pub(crate) type Then = Box<dyn FnOnce(&Path, File) + Send>;

/// A lock between processes, taken before anything is renamed. Whoever takes both takes it before [`hold`].
pub(crate) trait ProcessLock: Send + Sync {
    /// Locks until what it gives is dropped.
    fn lock(&self) -> io::Result<Box<dyn Any>>;
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job").field("path", &self.path).field("compression", &self.compression).finish_non_exhaustive()
    }
}

/// More wait for the next rotation, which asks again for all files that are still plain.
const MOST: usize = 256;
/// How long a rotation waits for a rename and a deletion by the thread.
const HOLD_PATIENCE: Duration = Duration::from_secs(2);
/// How long the thread waits for the end of a rotation.
const FINISH_PATIENCE: Duration = Duration::from_secs(60);
/// How often it begins anew with a file that somebody has changed meanwhile.
const TRIES: usize = 3;

static WORK: ForkMutex<Work> = ForkMutex::first(Work::NONE);

struct Work {
    waiting: VecDeque<Job>,
    current: Option<Current>,
    /// There is a thread.
    runs: bool,
    /// The bases whose files are being rotated.
    holds: Vec<PathBuf>,
}

impl Work {
    const NONE: Self = Self { waiting: VecDeque::new(), current: None, runs: false, holds: Vec::new() };
}

/// What the thread is at.
struct Current {
    base: PathBuf,
    /// Where the file is by now; none if it was deleted.
    path: Option<PathBuf>,
    /// The thread is renaming.
    finishing: bool,
    then: Option<Then>,
}

fn work() -> MutexGuard<'static, Work> {
    // Perhaps nothing else of this process looks for forks.
    fork::check();
    WORK.lock(
        |work| {
            // The parent's, which has the thread for it. Some of it is user code, whose end is the parent's, too.
            mem::forget(mem::replace(work, Work::NONE));
        },
        || Work::NONE,
    )
}

/// Queues a file and returns at once. One that is queued already is not queued again.
///
/// # Errors
/// The thread cannot be started, or so many files wait that this one is not handed on; to be told by the caller, once it
/// has let go of its locks.
pub(crate) fn compress(mut job: Job) -> Result<(), Error> {
    let mut work = work();
    if let Some(current) = work.current.as_mut().filter(|current| current.path.as_ref() == Some(&job.path)) {
        current.then = current.then.take().or_else(|| job.then.take());
        drop(work);
        return Ok(());
    }
    if let Some(other) = work.waiting.iter_mut().find(|other| other.path == job.path) {
        other.then = other.then.take().or_else(|| job.then.take());
        drop(work);
        return Ok(());
    }
    if work.waiting.len() >= MOST {
        drop(work);
        return match job.then {
            Some(_) => Err(Error::new(format_args!(
                "{} is not handed on: {MOST} rotated files are waiting for that",
                job.path.display()
            ))),
            // It stays plain until the next rotation.
            None => Ok(()),
        };
    }
    work.waiting.push_back(job);
    if work.runs {
        return Ok(());
    }
    work.runs = true;
    drop(work);
    thread::Builder::new().name("strata-archive".into()).spawn(run).map(drop).map_err(|error| {
        let mut work = self::work();
        work.runs = false;
        let waiting = mem::take(&mut work.waiting);
        drop(work);
        WORK.notify_all();
        // They stay plain until the next rotation. What they were to be given to is user code: dropped without the lock.
        drop(waiting);
        Error::with_source("cannot start the thread that compresses rotated files", error)
    })
}

/// Waits until no file of a base is queued or being compressed; whether that came true in time.
pub(crate) fn wait(base: &Path, deadline: Duration) -> bool {
    let busy = |work: &mut Work| {
        work.waiting.iter().any(|job| job.base == base)
            || work.current.as_ref().is_some_and(|current| current.base == base)
    };
    !WORK.wait_while(work(), deadline, busy).1
}

// --- beside a rotation

/// While it lives, no file of a base is renamed or deleted but through it.
#[derive(Debug)]
pub(crate) struct Hold {
    base: PathBuf,
}

/// Holds the files of a base, for a rotation; several may. Waits for no longer than a rename takes, as a rule.
///
/// # Errors
/// The thread has been renaming for two seconds: the disk hangs.
pub(crate) fn hold(base: &Path) -> io::Result<Hold> {
    let finishing =
        |work: &mut Work| work.current.as_ref().is_some_and(|current| current.finishing && current.base == base);
    let (mut work, is_late) = WORK.wait_while(work(), HOLD_PATIENCE, finishing);
    if is_late {
        return Err(io::ErrorKind::TimedOut.into());
    }
    work.holds.push(base.to_owned());
    Ok(Hold { base: base.to_owned() })
}

impl Hold {
    /// Renames a file; compression goes on with it.
    pub(crate) fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)?;
        moved(to, None);
        moved(from, Some(to));
        Ok(())
    }

    /// Deletes a file, unless a handler of this process has it open; whether it did.
    pub(crate) fn remove(&self, path: &Path) -> io::Result<bool> {
        if registry::is_open(path) {
            return Ok(false);
        }
        fs::remove_file(path)?;
        moved(path, None);
        Ok(true)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut work = work();
        if let Some(index) = work.holds.iter().position(|base| *base == self.base) {
            work.holds.swap_remove(index);
        }
        drop(work);
        WORK.notify_all();
    }
}

fn moved(from: &Path, to: Option<&Path>) {
    let mut work = work();
    if let Some(current) = work.current.as_mut().filter(|current| current.path.as_deref() == Some(from)) {
        current.path = to.map(Path::to_owned);
    }
    match to {
        Some(to) => work.waiting.iter_mut().filter(|job| job.path == from).for_each(|job| to.clone_into(&mut job.path)),
        None => {
            let (waiting, given_up) = mem::take(&mut work.waiting).into_iter().partition(|job| job.path != from);
            work.waiting = waiting;
            drop(work);
            // They have user code in them.
            drop::<VecDeque<_>>(given_up);
        }
    }
}

// --- the thread

/// Until nothing is left to do.
fn run() {
    loop {
        let mut work = self::work();
        let Some(mut job) = work.waiting.pop_front() else {
            work.runs = false;
            return;
        };
        let (base, path, then) = (job.base.clone(), Some(job.path.clone()), job.then.take());
        work.current = Some(Current { base, path, finishing: false, then });
        drop(work);
        let result = catch(|| process(&job));
        tell(&job, result.unwrap_or_else(|panic| Err(panicked("compress", &panic))));
        while let Some((then, path, file)) = next_call(&job) {
            let call = || dispatcher::with_default(&Dispatch::none(), || then(&path, file));
            tell(&job, catch(call).map_err(|panic| panicked("on_rotation", &panic)));
        }
        WORK.notify_all();
    }
}

/// Whom the current file is to be given to; where there is nobody left, it is the current one no more.
fn next_call(job: &Job) -> Option<(Then, PathBuf, File)> {
    // Where a rotation does not end, the path may be wrong by the time it is looked at; better than never.
    let mut work = unheld(job).unwrap_or_else(|_| self::work());
    let current = work.current.as_mut()?;
    let then = current.then.take();
    // Opened before a rotation can move it.
    let file = then.as_ref().and(current.path.clone()).and_then(|path| File::open(&path).ok().map(|file| (path, file)));
    if file.is_none() {
        work.current = None;
    }
    // User code, should it be dropped.
    drop(work);
    then.zip(file).map(|(then, (path, file))| (then, path, file))
}

fn tell(job: &Job, result: Result<(), Error>) {
    if let (Err(error), Some(ledger)) = (result, &job.ledger) {
        // A trap may log; nothing that is born here goes anywhere.
        dispatcher::with_default(&Dispatch::none(), || ledger.report_error(&error));
    }
}

fn process(job: &Job) -> Result<(), Error> {
    let Some(compression) = job.compression else { return Ok(()) };
    let failed = |error| Error::io_at(&current_path().unwrap_or_else(|| job.path.clone()), "compress", error);
    for _ in 0..TRIES {
        if attempt(job, compression).map_err(failed)? {
            return Ok(());
        }
    }
    Err(failed(io::Error::other("it is being written to, or moved, by somebody else")))
}

/// Where the file of the current job is.
fn current_path() -> Option<PathBuf> {
    work().current.as_ref().and_then(|current| current.path.clone())
}

/// False: what it is about has changed meanwhile.
fn attempt(job: &Job, compression: Compression) -> io::Result<bool> {
    let Some(path) = current_path() else { return Ok(true) };
    let plain = match File::open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // Somebody has deleted it, or a rotation is moving it this very moment.
            let now = unheld(job)?.current.as_ref().and_then(|current| current.path.clone());
            return Ok(now.is_none_or(|now| now == path));
        }
        plain => plain?,
    };
    let about = plain.metadata()?;
    if !about.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let there = Known::at(&with_suffix(&path, compression.suffix()))?;
    if let Some(there) = &there
        && there.holds(&path, &about, compression)?
    {
        // An earlier run was stopped before it had deleted the plain file.
        return finish(job, compression, &about, Some(there), None);
    }
    let (part, file) = create_part(&job.base, &path, compression.suffix())?;
    let part = Part(part);
    if let Some(there) = &there {
        io::copy(&mut File::open(&there.path)?, &mut &file)?;
    }
    let len = match compression.encode(&mut Input(&plain), &file) {
        Err(_) if current_path().is_none() => return Ok(true),
        len => len?,
    };
    make_alike(&file, &about)?;
    file.sync_all()?;
    if len != plain.metadata()?.len() {
        return Ok(false);
    }
    finish(job, compression, &about, there.as_ref(), Some(&part))
}

/// Waits for the end of a rotation.
fn unheld(job: &Job) -> io::Result<MutexGuard<'static, Work>> {
    let held = |work: &mut Work| work.holds.contains(&job.base);
    let (work, is_late) = WORK.wait_while(work(), FINISH_PATIENCE, held);
    if is_late { Err(io::ErrorKind::TimedOut.into()) } else { Ok(work) }
}

/// Puts a compressed file in the place of the plain one; without one, deletes the plain one.
fn finish(
    job: &Job,
    compression: Compression,
    about: &Metadata,
    there: Option<&Known>,
    part: Option<&Part>,
) -> io::Result<bool> {
    let _outside = job.outside.as_ref().map(|outside| outside.lock()).transpose()?;
    let mut work = unheld(job)?;
    let Some(current) = &mut work.current else { return Ok(true) };
    let Some(path) = current.path.clone() else { return Ok(true) };
    current.finishing = true;
    let finishing = Finishing;
    drop(work);

    let now = match fs::metadata(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        now => now?,
    };
    let target = with_suffix(&path, compression.suffix());
    let is_same = FileId::of(&now) == FileId::of(about) && now.len() == about.len();
    if !is_same || Known::at(&target)?.as_ref().map(Known::key) != there.map(Known::key) {
        return Ok(false);
    }
    if let Some(part) = part {
        if part.0.parent() != target.parent() {
            return Ok(false);
        }
        fs::rename(&part.0, &target)?;
    }
    // File systems that keep a journal bring this to the disk after the renaming, never before.
    fs::remove_file(&path)?;
    if let Some(current) = &mut self::work().current {
        current.path = Some(target);
    }
    drop(finishing);
    sync_directory(&path);
    Ok(true)
}

/// The names survive a crash of the machine from here on; where directories cannot be synced, the system sees to it later.
fn sync_directory(path: &Path) {
    #[cfg(unix)]
    if let Some(Ok(directory)) = path.parent().map(File::open) {
        directory.sync_all().unwrap_or_default();
    }
    #[cfg(not(unix))]
    let _ = path;
}

struct Finishing;

impl Drop for Finishing {
    fn drop(&mut self) {
        if let Some(current) = &mut work().current {
            current.finishing = false;
        }
        WORK.notify_all();
    }
}

/// A file that is not whole yet; deleted when dropped, unless it was renamed.
struct Part(PathBuf);

impl Drop for Part {
    fn drop(&mut self) {
        // What stays is swept at the next start.
        fs::remove_file(&self.0).unwrap_or_default();
    }
}

/// The plain file, which ends in an error when it was deleted.
struct Input<'a>(&'a File);

impl Read for Input<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if current_path().is_none() {
            return Err(io::ErrorKind::NotFound.into());
        }
        self.0.read(buffer)
    }
}

/// Time, permissions and owner as those of the plain file.
fn make_alike(file: &File, about: &Metadata) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let mine = file.metadata()?;
        if (mine.uid(), mine.gid()) != (about.uid(), about.gid()) {
            std::os::unix::fs::fchown(file, Some(about.uid()), Some(about.gid()))?;
        }
    }
    file.set_permissions(about.permissions())?;
    file.set_times(FileTimes::new().set_modified(about.modified()?))
}

/// A compressed file that is there already.
struct Known {
    path: PathBuf,
    id: Option<FileId>,
    len: u64,
    modified: SystemTime,
}

impl Known {
    fn at(path: &Path) -> io::Result<Option<Self>> {
        match fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            about => {
                let about = about?;
                let (id, len, modified) = (FileId::of(&about), about.len(), about.modified()?);
                Ok(Some(Self { path: path.to_owned(), id, len, modified }))
            }
        }
    }

    fn key(&self) -> (Option<FileId>, u64, SystemTime) {
        (self.id, self.len, self.modified)
    }

    /// Whether it is of this very plain file, made by an earlier run: of the same time, and with the same end.
    fn holds(&self, plain: &Path, about: &Metadata, compression: Compression) -> io::Result<bool> {
        let not_whole =
            |error| io::Error::other(format!("{} is there already and is not whole: {error}", self.path.display()));
        let decode = || compression.decode(File::open(&self.path)?);
        // Also where the times differ: only to a whole file more is appended.
        let len = io::copy(&mut decode().map_err(not_whole)?, &mut io::sink()).map_err(not_whole)?;
        let Some(before) = len.checked_sub(about.len()) else { return Ok(false) };
        if self.modified != about.modified()? {
            return Ok(false);
        }
        let mut end = decode()?;
        io::copy(&mut end.by_ref().take(before), &mut io::sink())?;
        are_same(&mut end, &mut File::open(plain)?)
    }
}

fn are_same(one: &mut impl Read, two: &mut impl Read) -> io::Result<bool> {
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

#[cfg(all(test, feature = "gzip", feature = "zstd"))]
#[allow(clippy::unwrap_used)]
mod tests;
