//! A file to append records to.

use std::{
    fmt,
    fs::File,
    io::{self, Write},
    path::Path,
    sync::{Arc, Weak},
};

use tracing_subscriber::fmt::MakeWriter;

#[cfg(feature = "config")]
use super::probe;
use super::{
    FlushTo, Lines, Sink, SinkProperties,
    buffered::BufferedFile,
    deferred_errors::DeferredErrors,
    direct::DirectFile,
    file_spec::{FIND_DIRECTORY, FileSpec, OpenError, sync},
    lines::write_line,
    opener::{FileOpener as _, Swap},
    sync_timer::{SyncTarget, sync_at_intervals},
};
use crate::{Error, barrier};

/// A file to append records to. Made by [`LogFile::builder`](crate::output::LogFile::builder).
///
/// Cheap to clone. Clones write to the same open file, so you can keep one to [`reopen`](Self::reopen) it while a
/// handler has another. It is a [`Sink`], and an [`io::Write`] and a [`MakeWriter`] for use elsewhere:
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
/// With a buffer, a handler's records are queued in its ledger until they are written. No ledger counts what comes
/// through `io::Write`: call [`flush`](io::Write::flush) to learn of failures. Failures that cost no record go to the
/// error handler of the handler whose records came first, as long as it lives.
#[derive(Clone)]
pub struct FileSink {
    mode: Arc<WriteMode>,
}

#[derive(Debug)]
enum WriteMode {
    Direct(DirectFile<FileSpec>),
    Buffered(BufferedFile<FileSpec>),
}

/// The first record reserves the memory, so a larger buffer is a mistake.
const MAX_BUFFER: usize = 1 << 30;

impl FileSink {
    /// Nothing is opened yet: the first record does that, or [`open`](Self::open).
    pub(crate) fn new(spec: FileSpec, buffer: Option<usize>) -> Result<Self, Error> {
        if let Some(bytes) = buffer.filter(|bytes| *bytes > MAX_BUFFER) {
            return Err(Error::config(format_args!(
                "cannot use {}: buffer {bytes}: expected at most {MAX_BUFFER} bytes (1 GiB)",
                spec.path.display()
            )));
        }
        let mode = match buffer {
            Some(bytes) => WriteMode::Buffered(BufferedFile::new(spec, bytes)),
            None => WriteMode::Direct(DirectFile::new(spec)),
        };
        Ok(Self { mode: Arc::new(mode) })
    }

    /// Opens the file now, unless it is open.
    pub(crate) fn open(&self) -> Result<(), Error> {
        let opened =
            self.swap(true, |spec, file, _| match file.map_or_else(|| spec.open_file().map(Some), |_| Ok(None)) {
                Ok(Some(opened)) => (Swap::Open(opened), Ok(())),
                Ok(None) => (Swap::Keep, Ok(())),
                Err(error) => (Swap::Keep, Err(error)),
            });
        opened.map_err(|error| self.open_error(error))
    }

    /// Checks whether [`open`](Self::open) would succeed, as far as that shows beforehand.
    #[cfg(feature = "config")]
    pub(crate) fn check(&self) -> Result<(), Error> {
        let FileSpec { path, create_dirs, .. } = self.mode.spec();
        probe::can_append(path, *create_dirs).map_err(|error| self.open_error(error))
    }

    fn open_error(&self, OpenError { action, error }: OpenError) -> Error {
        let spec = self.mode.spec();
        let error = match action == FIND_DIRECTORY && !spec.create_dirs {
            true => io::Error::new(error.kind(), format!("{error}; create_dirs creates it")),
            false => error,
        };
        Error::io_at(&spec.path, action, error)
    }

    /// Begins to sync it at intervals, if it is to be.
    pub(crate) fn start(&self) -> Result<(), Error> {
        let Some(interval) = self.mode.spec().sync_policy.interval() else { return Ok(()) };
        let target: Weak<WriteMode> = Arc::downgrade(&self.mode);
        sync_at_intervals(target, interval)
    }

    /// The absolute path.
    pub fn path(&self) -> &Path {
        &self.mode.spec().path
    }

    /// Writes what is buffered and syncs the file to the disk (fdatasync(2)), whatever the
    /// [`Durability`](super::Durability).
    ///
    /// # Errors
    /// Writing or syncing failed.
    pub fn sync(&self) -> Result<(), Error> {
        Sink::flush(self, FlushTo::Disk).map_err(|error| Error::io_at(self.path(), "sync", error))
    }

    /// Opens the path again, for use after the file was moved away (`logrotate` and a signal). What is buffered or
    /// waits in a [`Queue`](crate::Queue) goes to the old file as far as it can be written there. The new file is never
    /// truncated.
    ///
    /// # Errors
    /// The path cannot be opened. Then the old file stays in use.
    pub fn reopen(&self) -> Result<(), Error> {
        barrier::wait();
        let result = self.reopen_inner();
        self.mode.report_errors();
        result
    }

    /// [`reopen`](Self::reopen) without the wait and without error reports.
    pub(super) fn reopen_inner(&self) -> Result<(), Error> {
        let result = match &*self.mode {
            WriteMode::Direct(direct) => direct.reopen(),
            WriteMode::Buffered(buffered) => buffered.reopen(),
        };
        result.map_err(|error| Error::io_at(self.path(), "reopen", error))
    }

    /// Writes what is buffered or waits in a [`Queue`](crate::Queue), and closes the file. The next record opens it
    /// again and is appended.
    ///
    /// # Errors
    /// The buffer could not be written. Then the file stays open.
    pub fn close(&self) -> Result<(), Error> {
        barrier::wait();
        self.close_inner()
    }

    /// [`close`](Self::close) without the wait.
    pub(super) fn close_inner(&self) -> Result<(), Error> {
        let result = match &*self.mode {
            WriteMode::Direct(direct) => {
                direct.close();
                Ok(())
            }
            WriteMode::Buffered(buffered) => buffered.close(),
        };
        self.mode.report_errors();
        result.map_err(|error| Error::io_at(self.path(), "write what is buffered for", error))
    }

    /// Called after `written` records, not under a lock: syncs once if it is due, ends receipts and reports errors.
    #[inline]
    pub(super) fn after_write(&self, written: usize) {
        if (0..written).filter(|_| self.mode.spec().sync_policy.count_record()).count() > 0 {
            self.mode.sync_or_defer();
        }
        self.mode.report_errors();
    }

    #[inline]
    pub(super) fn link_ledger(&self, lines: &Lines<'_>) {
        self.deferred_errors().ledger_link.set(|| lines.ledger());
    }

    pub(super) fn flush_inner(&self) -> io::Result<()> {
        match &*self.mode {
            _ if self.mode.spec().sync_policy.is_active() => self.mode.sync_pending(),
            WriteMode::Direct(_) => Ok(()),
            WriteMode::Buffered(buffered) => buffered.flush(),
        }
    }

    /// Reports the deferred error, or returns it if there is no handler.
    pub(super) fn take_error(&self) -> io::Result<()> {
        self.mode.report_errors();
        match self.deferred_errors().take() {
            Some(error) => Err(io::Error::new(error.io_kind().unwrap_or(io::ErrorKind::Other), error)),
            None => Ok(()),
        }
    }

    /// Ends receipts and reports the deferred error. Not under a lock.
    pub(super) fn report_errors(&self) {
        self.mode.report_errors();
    }

    pub(super) fn deferred_errors(&self) -> &DeferredErrors {
        &self.mode.spec().deferred_errors
    }
}

impl WriteMode {
    #[inline]
    fn spec(&self) -> &FileSpec {
        match self {
            Self::Direct(direct) => &direct.opener,
            Self::Buffered(buffered) => &buffered.opener,
        }
    }

    #[inline]
    fn report_errors(&self) {
        if let Self::Buffered(buffered) = self {
            buffered.complete_written();
        }
        self.spec().deferred_errors.report();
    }

    /// Syncs if a record has come since the last time.
    fn sync_pending(&self) -> io::Result<()> {
        self.spec().sync_policy.sync_pending(|| self.sync_file())
    }

    fn sync(&self) -> io::Result<()> {
        self.spec().sync_policy.sync(|| self.sync_file())
    }

    fn sync_or_defer(&self) {
        if let Err(error) = self.sync_pending() {
            self.spec().defer_error("sync", error);
        }
    }

    fn sync_file(&self) -> io::Result<()> {
        match self {
            Self::Direct(direct) => direct.file().map_or(Ok(()), |opened| sync(&opened.file)),
            // Other threads may write while the disk works.
            Self::Buffered(buffered) => buffered.flush_and(File::try_clone)?.map_or(Ok(()), |file| sync(&file)),
        }
    }
}

/// For rotation.
impl FileSink {
    /// Writes the first line if `admit` returns true, else returns false. The file is not [swapped](Self::swap) in
    /// between. The caller calls [`after_write`](Self::after_write).
    #[inline]
    pub(super) fn write_if(&self, lines: &mut Lines<'_>, admit: impl Fn() -> bool) -> io::Result<bool> {
        match &*self.mode {
            WriteMode::Direct(direct) => {
                let Some((record, _)) = lines.first() else { return Ok(true) };
                let is_written = direct.write_if(record, &admit)?;
                lines.written(usize::from(is_written));
                Ok(is_written)
            }
            WriteMode::Buffered(buffered) => buffered.write_if(lines, &admit),
        }
    }

    /// Like [`write_if`](Self::write_if) for the first lines, as many as `admit` returns. Not for a file with a buffer.
    pub(super) fn write_batch_if(&self, lines: &mut Lines<'_>, admit: impl Fn() -> usize) -> io::Result<()> {
        let WriteMode::Direct(direct) = &*self.mode else { return Err(io::ErrorKind::Unsupported.into()) };
        let (bytes, from, ends) = lines.rest();
        let (written, result) = direct.write_batch_if(bytes, from, ends, &admit);
        lines.written(written);
        result
    }

    /// Whether a record of this length would only be buffered.
    pub(super) fn would_buffer(&self, len: u64) -> bool {
        matches!(&*self.mode, WriteMode::Buffered(buffered) if buffered.would_buffer(len))
    }

    /// How many bytes are buffered.
    pub(super) fn buffered(&self) -> usize {
        match &*self.mode {
            WriteMode::Direct(_) => 0,
            WriteMode::Buffered(buffered) => buffered.buffered(),
        }
    }

    /// Swaps the file while no record is being written. The buffer is written to the old file first, unless
    /// `keep_buffered`. `work` gets the number of bytes that remain, which go to the new file.
    pub(super) fn swap<R>(
        &self,
        keep_buffered: bool,
        work: impl FnOnce(&FileSpec, Option<&File>, u64) -> (Swap<File>, R),
    ) -> R {
        match &*self.mode {
            WriteMode::Direct(direct) => direct.swap(|spec, file| work(spec, file, 0)),
            WriteMode::Buffered(buffered) if keep_buffered => buffered.swap_keeping_buffer(work),
            WriteMode::Buffered(buffered) => buffered.swap(work),
        }
    }
}

impl SyncTarget for WriteMode {
    fn sync_now(&self) {
        self.sync_or_defer();
        self.report_errors();
    }
}

impl Drop for WriteMode {
    fn drop(&mut self) {
        match self {
            Self::Direct(direct) => direct.close(),
            Self::Buffered(buffered) => {
                if let Err((error, mut unwritten)) = buffered.finish() {
                    buffered.complete_written();
                    let mut error = Error::io_at(&buffered.opener.path, "write what is buffered for", error);
                    // The handler's last flush has reported it.
                    error.set_reported();
                    unwritten.fail(unwritten.len(), error);
                }
            }
        }
        self.report_errors();
    }
}

impl Sink for FileSink {
    #[inline]
    fn write(&self, lines: &mut Lines<'_>) -> io::Result<()> {
        self.link_ledger(lines);
        let before = lines.len();
        let result = match &*self.mode {
            WriteMode::Direct(direct) => match lines.rest() {
                (bytes, from, [end]) => direct.write(&bytes[from..*end]).map(|()| lines.written(1)),
                (bytes, from, ends) => {
                    let (written, result) = direct.write_batch(bytes, from, ends);
                    lines.written(written);
                    result
                }
            },
            WriteMode::Buffered(buffered) => loop {
                match buffered.write(lines) {
                    Ok(()) if !lines.is_empty() => {}
                    result => break result,
                }
            },
        };
        self.after_write(before - lines.len());
        result
    }

    fn flush(&self, to: FlushTo) -> io::Result<()> {
        let result = match to {
            FlushTo::System => self.flush_inner(),
            FlushTo::Disk => self.mode.sync(),
        };
        self.mode.report_errors();
        result
    }

    /// It batches unless it has a buffer of its own.
    fn properties(&self) -> SinkProperties {
        SinkProperties { supports_batching: matches!(*self.mode, WriteMode::Direct(_)), ..SinkProperties::default() }
    }
}

/// Each `write` writes one complete record or fails. A partial record is completed or marked by the next one.
impl Write for &FileSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        write_line(*self, bytes).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.flush_inner().and_then(|()| self.take_error())
    }
}

/// As for `&FileSink`.
impl Write for FileSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Write::write(&mut &*self, bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.flush_inner().and_then(|()| self.take_error())
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
        let error = FileSink::new(FileSpec::new(dir.path("app.log")), Some(usize::MAX)).unwrap_err();
        assert!(error.is_config() && error.to_string().contains("expected at most 1073741824 bytes"), "{error}");
        assert_eq!(dir.names(), [""; 0]);
    }
}
