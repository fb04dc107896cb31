//! A file that records are appended to.

use std::{
    fmt,
    fs::File,
    io::{self, Write},
    path::Path,
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicBool, Ordering},
    },
};

use tracing_subscriber::fmt::MakeWriter;

use super::{
    Sink, Written,
    append::{Append, Swap},
    buffer::Buffered,
    durable::{Tick, tick},
    place::{FilePlace, NO_DIRECTORY, Refusal, sync},
};
use crate::{Error, trap::Ledger};

/// A file that records are appended to. Made by [`LogFile::builder`](crate::output::LogFile::builder).
///
/// Cheap to clone; clones write to the same open file, so one can be kept to [`reopen`](Self::reopen) it while another
/// hangs in a handler. It is a [`Sink`], and an [`io::Write`] and a [`MakeWriter`] for use elsewhere:
///
/// ```
/// use tracing_strata::output::LogFile;
///
/// let dir = std::env::temp_dir().join(format!("strata-doc-{}", std::process::id()));
/// let file = LogFile::builder(dir.join("app.log")).create_dirs(true).build_sink()?;
/// let subscriber = tracing_subscriber::fmt().with_writer(file.clone()).finish();
/// tracing::subscriber::with_default(subscriber, || tracing::info!("hello"));
/// file.reopen()?;
/// assert!(std::fs::read_to_string(file.path())?.contains("hello"));
/// # std::fs::remove_dir_all(dir)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Accounts
/// With a buffer, records of a handler are queued in the handler's ledger until they are written. What comes through
/// `io::Write` is on nobody's account: call [`flush`](io::Write::flush) to learn of failures. A clone belongs to the
/// handler it hangs in; should one and the same clone hang in two handlers (an `Arc` of a handler), its records count as
/// written once they are in the buffer.
pub struct FileSink {
    way: Arc<Way>,
    ledger: OnceLock<Arc<Ledger>>,
    /// A second ledger came: whose a record is cannot be told.
    several: AtomicBool,
}

#[derive(Debug)]
enum Way {
    Direct(Append<FilePlace>),
    Buffered(Buffered<FilePlace>),
}

/// More than this is a mistake: the memory is reserved with the first record.
const MOST_BUFFERED: usize = 1 << 30;

impl FileSink {
    pub(crate) fn new(place: FilePlace, delay: bool, buffer: Option<usize>) -> Result<Self, Error> {
        if let Some(bytes) = buffer.filter(|bytes| *bytes > MOST_BUFFERED) {
            return Err(Error::config(format_args!(
                "cannot use {}: buffer {bytes}: expected at most {MOST_BUFFERED} bytes (1 GiB)",
                place.path.display()
            )));
        }
        let opened = if delay {
            None
        } else {
            match place.open_file() {
                Ok(opened) => Some(opened),
                Err(Refusal { doing, error }) => {
                    let error = match doing == NO_DIRECTORY && !place.create_dirs {
                        true => io::Error::new(error.kind(), format!("{error}; create_dirs creates it")),
                        false => error,
                    };
                    return Err(Error::io_at(&place.path, doing, error));
                }
            }
        };
        let way = match buffer {
            Some(bytes) => Way::Buffered(Buffered::new(place, bytes, opened)),
            None => Way::Direct(Append::new(place, opened)),
        };
        let way = Arc::new(way);
        if let Some(interval) = way.place().unsynced.interval() {
            let target: Weak<Way> = Arc::downgrade(&way);
            tick(target, interval)?;
        }
        Ok(Self::from_way(way))
    }

    fn from_way(way: Arc<Way>) -> Self {
        Self { way, ledger: OnceLock::new(), several: AtomicBool::new(false) }
    }

    /// The absolute path.
    pub fn path(&self) -> &Path {
        &self.way.place().path
    }

    /// Writes what is buffered and brings the file to the disk (fdatasync(2)), whatever the
    /// [`Durability`](super::Durability).
    ///
    /// # Errors
    /// It could not be written, or the disk refuses.
    pub fn sync(&self) -> Result<(), Error> {
        self.way.sync().map_err(|error| Error::io_at(self.path(), "sync", error))
    }

    /// Opens the path again, for use after the file was moved away (`logrotate` and a signal). What is buffered goes to
    /// the old file, as far as that takes it. The new file is never truncated.
    ///
    /// # Errors
    /// The path cannot be opened; then the old file stays in use.
    pub fn reopen(&self) -> Result<(), Error> {
        let result = self.open_again();
        self.way.tell();
        result
    }

    /// As [`reopen`](Self::reopen), telling nobody.
    pub(super) fn open_again(&self) -> Result<(), Error> {
        let result = match &*self.way {
            Way::Direct(append) => append.reopen(),
            Way::Buffered(buffered) => buffered.reopen(),
        };
        result.map_err(|error| Error::io_at(self.path(), "reopen", error))
    }

    /// Writes what is buffered and closes the file. The next record opens it again and is appended.
    ///
    /// # Errors
    /// The buffer could not be written; then the file stays open.
    pub fn close(&self) -> Result<(), Error> {
        match &*self.way {
            Way::Direct(append) => append.close(),
            Way::Buffered(buffered) => {
                buffered.close().map_err(|error| Error::io_at(self.path(), "write what is buffered for", error))?;
            }
        }
        self.way.tell();
        Ok(())
    }

    #[inline]
    fn put(&self, record: &[u8], ledger: Option<&Arc<Ledger>>) -> io::Result<Written> {
        let result = match &*self.way {
            Way::Direct(append) => append.write(record).map(|()| Written::Through),
            Way::Buffered(buffered) => buffered.write(record, ledger),
        };
        self.after(result.is_ok());
        result
    }

    /// After a record: it is synced where that is due, and what went wrong is told. Not under a lock.
    #[inline]
    pub(super) fn after(&self, taken: bool) {
        if taken && self.way.place().unsynced.add() {
            self.way.sync_noting();
        }
        self.way.tell();
    }

    /// After so many records that were written at once: one sync serves them all.
    pub(super) fn after_many(&self, written: usize) {
        if (0..written).filter(|_| self.way.place().unsynced.add()).count() > 0 {
            self.way.sync_noting();
        }
        self.way.tell();
    }

    pub(super) fn bring(&self) -> io::Result<()> {
        match &*self.way {
            _ if self.way.place().unsynced.is_kept() => self.way.sync_rest(),
            Way::Direct(_) => Ok(()),
            Way::Buffered(buffered) => buffered.flush(),
        }
    }

    /// What has failed before and cost no record, where there is no handler to be told.
    pub(super) fn untold(&self) -> io::Result<()> {
        self.way.tell();
        match self.way.place().troubles.take() {
            Some((doing, error)) => Err(Refusal { doing, error }.into()),
            None => Ok(()),
        }
    }

    /// Tells what has failed and cost no record. Not under a lock.
    pub(super) fn tell(&self) {
        self.way.tell();
    }

    pub(super) fn belong_to(&self, ledger: &Arc<Ledger>) {
        self.way.place().troubles.belong_to(ledger);
    }

    /// Syncs, whatever was asked for.
    pub(super) fn sync_now(&self) -> io::Result<()> {
        self.way.sync()
    }
}

impl Way {
    #[inline]
    fn place(&self) -> &FilePlace {
        match self {
            Self::Direct(append) => &append.place,
            Self::Buffered(buffered) => &buffered.place,
        }
    }

    #[inline]
    fn tell(&self) {
        let place = self.place();
        place.troubles.tell(&place.path);
    }

    /// Syncs what has come since the last time.
    fn sync_rest(&self) -> io::Result<()> {
        self.place().unsynced.sync_rest(|| self.sync_file())
    }

    fn sync(&self) -> io::Result<()> {
        self.place().unsynced.sync(|| self.sync_file())
    }

    fn sync_noting(&self) {
        if let Err(error) = self.sync_rest() {
            self.place().troubles.note("sync", error);
        }
    }

    fn sync_file(&self) -> io::Result<()> {
        match self {
            Self::Direct(append) => append.file().map_or(Ok(()), |opened| sync(&opened.file)),
            // Others may go on while the disk works.
            Self::Buffered(buffered) => buffered.flush_and(File::try_clone)?.map_or(Ok(()), |file| sync(&file)),
        }
    }
}

/// For those that exchange the file beneath.
impl FileSink {
    /// Takes a record if `admit` says so (the caller sees to what comes [`after`](Self::after)), which is asked while the file cannot be [exchanged](Self::swap); none if not.
    #[inline]
    pub(super) fn put_if(
        &self,
        record: &[u8],
        ledger: Option<&Arc<Ledger>>,
        admit: impl Fn() -> bool,
    ) -> io::Result<Option<Written>> {
        match &*self.way {
            Way::Direct(append) => append.write_if(record, &admit).map(|taken| taken.then_some(Written::Through)),
            Way::Buffered(buffered) => buffered.write_if(record, ledger, &admit),
        }
    }

    /// As [`put_if`](Self::put_if) for many records, of which `admit` says how many are taken: as [`Sink::write_many`]. Not
    /// for a file with a buffer.
    pub(super) fn put_many_if(
        &self,
        bytes: &[u8],
        from: usize,
        ends: &[usize],
        admit: impl Fn() -> usize,
    ) -> (usize, io::Result<()>) {
        match &*self.way {
            Way::Direct(append) => append.write_many_if(bytes, from, ends, &admit),
            Way::Buffered(_) => (0, Err(io::ErrorKind::Unsupported.into())),
        }
    }

    /// Whether a record of so many bytes would only be held.
    pub(super) fn would_hold(&self, len: usize) -> bool {
        matches!(&*self.way, Way::Buffered(buffered) if buffered.would_hold(len))
    }

    /// How many bytes are held.
    pub(super) fn held(&self) -> usize {
        match &*self.way {
            Way::Direct(_) => 0,
            Way::Buffered(buffered) => buffered.held(),
        }
    }

    /// Exchanges the file while no record is being written. What is held is brought to the old one first, unless `holding`;
    /// `work` is told how many bytes remain, which the new one gets.
    pub(super) fn swap<R>(
        &self,
        holding: bool,
        work: impl FnOnce(&FilePlace, Option<&File>, u64) -> (Swap<File>, R),
    ) -> R {
        match &*self.way {
            Way::Direct(append) => append.swap(|place, file| work(place, file, 0)),
            Way::Buffered(buffered) if holding => buffered.swap_holding(work),
            Way::Buffered(buffered) => buffered.swap(work),
        }
    }
}

impl Tick for Way {
    fn tick(&self) {
        self.sync_noting();
        self.tell();
    }
}

impl Drop for Way {
    fn drop(&mut self) {
        match self {
            Self::Direct(append) => append.close(),
            Self::Buffered(buffered) => buffered.end(),
        }
        self.tell();
    }
}

/// Writes to the same file, on no handler's account until it hangs in one.
impl Clone for FileSink {
    fn clone(&self) -> Self {
        Self::from_way(Arc::clone(&self.way))
    }
}

impl Sink for FileSink {
    #[inline]
    fn write(&self, bytes: &[u8]) -> io::Result<Written> {
        let ledger = self.ledger.get().filter(|_| !self.several.load(Ordering::Relaxed));
        self.put(bytes, ledger)
    }

    /// Unless it has a buffer of its own.
    fn gathers(&self) -> bool {
        matches!(*self.way, Way::Direct(_))
    }

    fn write_many(&self, bytes: &[u8], from: usize, ends: &[usize]) -> (usize, io::Result<()>) {
        match &*self.way {
            Way::Direct(append) => {
                let (written, result) = append.write_many(bytes, from, ends);
                self.after_many(written);
                (written, result)
            }
            Way::Buffered(_) => (0, Err(io::ErrorKind::Unsupported.into())),
        }
    }

    fn flush(&self) -> io::Result<()> {
        let result = self.bring();
        self.way.tell();
        result
    }

    fn sync(&self) -> io::Result<()> {
        self.way.sync()
    }

    fn attach(&self, ledger: &Arc<Ledger>) {
        self.belong_to(ledger);
        if !Arc::ptr_eq(self.ledger.get_or_init(|| Arc::clone(ledger)), ledger) {
            self.several.store(true, Ordering::Relaxed);
        }
    }
}

/// Each `write` takes one record, whole, or fails; an unfinished one is marked as everywhere.
impl Write for &FileSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // No record has looked on the way here.
        crate::fork::look(Some(std::time::SystemTime::now()));
        self.put(bytes, None).map(|_| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.bring().and_then(|()| self.untold())
    }
}

/// As for `&FileSink`.
impl Write for FileSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Write::write(&mut &*self, bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.bring().and_then(|()| self.untold())
    }
}

impl<'a> MakeWriter<'a> for FileSink {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

impl fmt::Debug for FileSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileSink").field("path", &self.path()).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::sink::scratch::Dir;

    #[test]
    fn a_buffer_without_measure_is_refused() {
        let dir = Dir::new();
        let error = FileSink::new(FilePlace::at(dir.path("app.log")), false, Some(usize::MAX)).unwrap_err();
        assert!(error.is_config() && error.to_string().contains("expected at most 1073741824 bytes"), "{error}");
        assert_eq!(dir.names(), [""; 0]);
    }
}
