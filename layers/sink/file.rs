//! A file that records are appended to.

use std::{
    fmt,
    fs::File,
    io::{self, Write},
    path::Path,
    sync::{Arc, Weak},
};

use tracing_subscriber::fmt::MakeWriter;

use super::{
    Lines, Sink, Written,
    append::{Append, Place as _, Swap},
    buffer::Buffered,
    durable::{Tick, Troubles, tick},
    lines::write_one,
    place::{FilePlace, NO_DIRECTORY, Refusal, sync},
};
use crate::{Error, barrier};

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
/// `io::Write` is on nobody's account: call [`flush`](io::Write::flush) to learn of failures. What fails and costs no record
/// is told to the handler whose records came first, as long as that is there.
#[derive(Clone)]
pub struct FileSink {
    way: Arc<Way>,
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
        Ok(Self { way })
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
        Sink::sync(self).map_err(|error| Error::io_at(self.path(), "sync", error))
    }

    /// Opens the path again, for use after the file was moved away (`logrotate` and a signal). What is buffered goes to
    /// the old file, as far as that takes it, and so does what waits in a [`Queue`](crate::Queue). The new file is never
    /// truncated.
    ///
    /// # Errors
    /// The path cannot be opened; then the old file stays in use.
    pub fn reopen(&self) -> Result<(), Error> {
        barrier::wait();
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

    /// Writes what is buffered, or waits in a [`Queue`](crate::Queue), and closes the file. The next record opens it again
    /// and is appended.
    ///
    /// # Errors
    /// The buffer could not be written; then the file stays open.
    pub fn close(&self) -> Result<(), Error> {
        barrier::wait();
        self.shut()
    }

    /// As [`close`](Self::close), for those that have waited.
    pub(super) fn shut(&self) -> Result<(), Error> {
        let result = match &*self.way {
            Way::Direct(append) => {
                append.close();
                Ok(())
            }
            Way::Buffered(buffered) => buffered.close(),
        };
        self.way.tell();
        result.map_err(|error| Error::io_at(self.path(), "write what is buffered for", error))
    }

    /// After so many records that were written at once: one sync serves them all. Receipts are ended, and what went wrong is
    /// told. Not under a lock.
    #[inline]
    pub(super) fn after(&self, written: usize) {
        if (0..written).filter(|_| self.way.place().unsynced.add()).count() > 0 {
            self.way.sync_noting();
        }
        self.way.tell();
    }

    /// Notices whom to tell.
    #[inline]
    pub(super) fn notice(&self, lines: &Lines<'_>) {
        self.troubles().teller.notice(|| lines.ledger());
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
        match self.troubles().take() {
            Some(error) => Err(io::Error::new(error.io_kind().unwrap_or(io::ErrorKind::Other), error)),
            None => Ok(()),
        }
    }

    /// Ends receipts, and tells what has failed and cost no record. Not under a lock.
    pub(super) fn tell(&self) {
        self.way.tell();
    }

    pub(super) fn troubles(&self) -> &Troubles {
        &self.way.place().troubles
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
        if let Self::Buffered(buffered) = self {
            buffered.end_written();
        }
        self.place().troubles.tell();
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
            self.place().note("sync", error);
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
    /// Takes the first line if `admit` says so (the caller sees to what comes [`after`](Self::after)), which is asked while the
    /// file cannot be [exchanged](Self::swap); false if not.
    #[inline]
    pub(super) fn put_if(&self, lines: &mut Lines<'_>, admit: impl Fn() -> bool) -> io::Result<bool> {
        match &*self.way {
            Way::Direct(append) => {
                let Some((record, _)) = lines.first() else { return Ok(true) };
                let taken = append.write_if(record, &admit)?;
                lines.written(usize::from(taken));
                Ok(taken)
            }
            Way::Buffered(buffered) => buffered.write_if(lines, &admit),
        }
    }

    /// As [`put_if`](Self::put_if) for many lines, of which `admit` says how many are taken. Not for a file with a buffer.
    pub(super) fn put_many_if(&self, lines: &mut Lines<'_>, admit: impl Fn() -> usize) -> io::Result<()> {
        let Way::Direct(append) = &*self.way else { return Err(io::ErrorKind::Unsupported.into()) };
        let (bytes, from, ends) = lines.rest();
        let (written, result) = append.write_many_if(bytes, from, ends, &admit);
        lines.written(written);
        result
    }

    /// Whether a record of so many bytes would only be held.
    pub(super) fn would_hold(&self, len: u64) -> bool {
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
            Self::Buffered(buffered) => {
                if let Err((error, mut left)) = buffered.end() {
                    buffered.end_written();
                    let mut error = Error::io_at(&buffered.place.path, "write what is buffered for", error);
                    // By the handler's last flush.
                    error.set_reported();
                    left.fail(left.len(), error);
                }
            }
        }
        self.tell();
    }
}

impl Sink for FileSink {
    fn write(&self, bytes: &[u8]) -> io::Result<Written> {
        write_one(bytes, |lines| self.write_lines(lines))
    }

    #[inline]
    fn write_lines(&self, lines: &mut Lines<'_>) -> io::Result<()> {
        self.notice(lines);
        let before = lines.len();
        let result = match &*self.way {
            Way::Direct(append) => match lines.rest() {
                (bytes, from, [end]) => append.write(&bytes[from..*end]).map(|()| lines.written(1)),
                (bytes, from, ends) => {
                    let (written, result) = append.write_many(bytes, from, ends);
                    lines.written(written);
                    result
                }
            },
            Way::Buffered(buffered) => loop {
                match buffered.write(lines) {
                    Ok(()) if !lines.is_empty() => {}
                    result => break result,
                }
            },
        };
        self.after(before - lines.len());
        result
    }

    /// Unless it has a buffer of its own.
    fn gathers(&self) -> bool {
        matches!(*self.way, Way::Direct(_))
    }

    fn flush(&self) -> io::Result<()> {
        let result = self.bring();
        self.way.tell();
        result
    }

    fn sync(&self) -> io::Result<()> {
        let result = self.way.sync();
        self.way.tell();
        result
    }
}

/// Each `write` takes one record, whole, or fails; an unfinished one is marked as everywhere.
impl Write for &FileSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Sink::write(*self, bytes).map(|_| bytes.len())
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
