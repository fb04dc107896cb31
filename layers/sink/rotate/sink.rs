//! The sink over a rotating file.

use std::{
    ffi::OsStr,
    fmt,
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use tracing_subscriber::fmt::MakeWriter;

use super::{
    super::{FileSpec, FlushTo, Lines, Retention, Sink, SinkProperties, lines::write_line, registry},
    names::BackupNames,
    rotator::Rotator,
    settings::Settings,
};
use crate::{Error, barrier};

/// A file that rotates by size, time or both. Made by
/// [`RotatingFile::builder`](crate::output::RotatingFile::builder).
///
/// Cheap to clone. Clones write to the same open file, so you can keep one for [`rollover`](Self::rollover) while a
/// handler has another. It is a [`Sink`], and an [`io::Write`] and a [`MakeWriter`] for use elsewhere. Ledgers count
/// its records as those of a [`FileSink`](crate::sink::FileSink#accounts).
#[derive(Clone)]
pub struct RotatingFileSink {
    rotator: Arc<Rotator>,
}

impl RotatingFileSink {
    /// A sink of its own, or shared with a handler that has the file with the same settings. Nothing is opened yet.
    pub(crate) fn new(mut spec: FileSpec, settings: Settings) -> Result<Self, Error> {
        let path = spec.path.clone();
        let wanted = settings.clone();
        let create = |claim| {
            spec.claim = Some(claim);
            Rotator::new(spec, settings)
        };
        let names = BackupNames {
            base: path.clone(),
            dated: wanted.schedule.as_ref().map(|schedule| schedule.when),
            namer: wanted.namer.clone(),
        };
        let max_number = match wanted.backups as u64 {
            0 if wanted.retention != Retention::default() => None,
            max_number => Some(max_number),
        };
        let backups = Arc::new(move |name: &OsStr| names.has(name, max_number));
        let fits = |rotator: &Rotator| rotator.settings.fits(&wanted, rotator.path());
        let rotator = registry::share(&path, backups, create, fits)?;
        Ok(Self { rotator })
    }

    /// Takes the locks and opens the file, unless that is left to the first record.
    pub(crate) fn open(&self) -> Result<(), Error> {
        self.rotator.open()
    }

    /// Checks whether [`open`](Self::open) would succeed, as far as that shows beforehand.
    #[cfg(feature = "config")]
    pub(crate) fn check(&self) -> Result<(), Error> {
        self.rotator.check()
    }

    /// Does what comes after all was opened.
    pub(crate) fn start(&self) -> Result<(), Error> {
        self.rotator.start()
    }

    /// A record of this time comes, and nothing of it: a new file begins if it is time, as for any other. If that fails, the
    /// next record's failure tells.
    pub(crate) fn pass_over(&self, time: SystemTime) {
        if self.rotator.is_by_time() {
            self.rotator.write_all(&mut Lines::new(&[], &[0], &[time])).unwrap_or_default();
        }
    }

    /// The absolute path of the file in use.
    pub fn path(&self) -> &Path {
        self.rotator.path()
    }

    /// Starts a new file now, whatever the size and the time (Python: `doRollover`). Records logged before go to the
    /// old file, also those that wait in a [`Queue`](crate::Queue). With
    /// [`open_lazily`](crate::output::RotatingFileBuilder::open_lazily), the next record creates the new file. If it
    /// fails, the error handler gets the error, and the next due rotation tries again.
    pub fn rollover(&self) {
        barrier::wait();
        self.rotator.rollover();
        self.rotator.base().report_errors();
    }

    /// Opens the path again, for use after something else has moved the file away. What is buffered or waits in a
    /// [`Queue`](crate::Queue) goes to the old file as far as it can be written there.
    ///
    /// # Errors
    /// The path cannot be opened. Then the old file stays in use.
    pub fn reopen(&self) -> Result<(), Error> {
        barrier::wait();
        let result = self.rotator.reopen();
        self.rotator.base().report_errors();
        result
    }

    /// Writes what is buffered or waits in a [`Queue`](crate::Queue), and closes the file. The next record opens it
    /// again and is appended.
    ///
    /// # Errors
    /// The buffer could not be written. Then the file stays open.
    pub fn close(&self) -> Result<(), Error> {
        barrier::wait();
        let result = self.rotator.close();
        self.rotator.base().report_errors();
        result
    }

    /// Waits until the files rotated so far are compressed and passed to
    /// [`on_rotation`](crate::output::RotatingFileBuilder::on_rotation). Returns false on timeout. Call it at the end
    /// of `main` if that matters; what is left is compressed at the next start.
    pub fn wait_for_archiving(&self, timeout: Duration) -> bool {
        self.rotator.wait_for_archiving(timeout)
    }

    /// Writes what is buffered and syncs the file in use to the disk (fdatasync(2)), whatever the
    /// [`Durability`](crate::sink::Durability).
    ///
    /// # Errors
    /// Writing or syncing failed.
    pub fn sync(&self) -> Result<(), Error> {
        Sink::flush(self, FlushTo::Disk).map_err(|error| Error::io_at(self.path(), "sync", error))
    }
}

impl Sink for RotatingFileSink {
    #[inline]
    fn write(&self, lines: &mut Lines<'_>) -> io::Result<()> {
        self.rotator.base().link_ledger(lines);
        self.rotator.write_all(lines)
    }

    fn flush(&self, to: FlushTo) -> io::Result<()> {
        // What is buffered gets into the right file only this way.
        if to == FlushTo::System || self.rotator.is_shared() {
            let result = self.rotator.flush();
            self.rotator.base().report_errors();
            result?;
        }
        if to == FlushTo::Disk { self.rotator.base().flush(to) } else { Ok(()) }
    }

    /// It batches unless it has a buffer of its own or other processes write to the file.
    fn properties(&self) -> SinkProperties {
        SinkProperties { supports_batching: self.rotator.supports_batching(), ..SinkProperties::default() }
    }
}

/// Each `write` writes one complete record or fails.
impl Write for &RotatingFileSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        write_line(*self, bytes).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.rotator.flush().and_then(|()| self.rotator.base().take_error())
    }
}

/// As for `&RotatingFileSink`.
impl Write for RotatingFileSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Write::write(&mut &*self, bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.rotator.flush().and_then(|()| self.rotator.base().take_error())
    }
}

impl<'a> MakeWriter<'a> for RotatingFileSink {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

impl fmt::Debug for RotatingFileSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RotatingFileSink").field("path", &self.path()).finish_non_exhaustive()
    }
}

/// A rotated file, for [`on_rotation`](crate::output::RotatingFileBuilder::on_rotation).
#[derive(Debug)]
pub struct RotatedFile {
    pub(super) base: PathBuf,
    pub(super) path: PathBuf,
    pub(super) file: File,
}

impl RotatedFile {
    /// The path of the file in use.
    pub fn base(&self) -> &Path {
        &self.base
    }

    /// The file's current path; with compression, that of the compressed file. The next rotation renames a numbered
    /// file; [`file`](Self::file) stays the same.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file, open for reading.
    pub fn file(&self) -> &File {
        &self.file
    }
}
