//! Files that are exchanged for new ones in time: a [`FileSink`](super::FileSink) and the engine around it.
//!
//! # How a record is written
//! The size and the time are compared with two numbers that were worked out beforehand; neither the clock nor the file is
//! asked. Threads write at once, under a lock that only a rotation takes for itself: nobody writes to a file that has been
//! rotated.
//!
//! # How a file is rotated
//! By date: it is renamed to its name, which nobody has, and a new one is opened. By number: it is renamed to
//! `BASE.rotating`, a new one is opened, and while others write to that already, `BASE.1` … move up and `BASE.rotating`
//! becomes `BASE.1`. A process that dies in between leaves `BASE.rotating`; the next one finishes what was begun. No rename
//! ever replaces a file.

mod afterwards;
mod batch;
mod crash;
mod engine;
mod exchange;
mod lock;
mod moves;
mod names;
mod settings;
mod shared;
mod slots;
mod when;

use std::{
    ffi::OsStr,
    fmt,
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tracing_subscriber::fmt::MakeWriter;

use self::{engine::Engine, names::Names};
pub use self::{
    lock::FileLocking,
    when::{Alignment, TimeOfDay, Weekday, When},
};
pub(crate) use self::{settings::Settings, when::Schedule};
use super::{FilePlace, Lines, Sink, Written, lines::write_one, registry};
use crate::{Error, barrier};

/// A file that is exchanged for a new one by size, time or both. Made by
/// [`RotatingFile::builder`](crate::output::RotatingFile::builder).
///
/// Cheap to clone; clones write to the same open file, so one can be kept for [`rollover`](Self::rollover) while another hangs
/// in a handler. It is a [`Sink`], and an [`io::Write`] and a [`MakeWriter`] for use elsewhere. The accounts are as for
/// [`FileSink`](super::FileSink#accounts).
#[derive(Clone)]
pub struct RotatingFileSink {
    engine: Arc<Engine>,
}

impl RotatingFileSink {
    /// A handler that has this very file shares it, if its settings are the same.
    pub(crate) fn open(mut place: FilePlace, settings: Settings) -> Result<Self, Error> {
        let path = place.path.clone();
        let wanted = settings.clone();
        let make = |claim| {
            place.claim = Some(claim);
            Engine::new(place, settings)
        };
        let names = Names {
            base: path.clone(),
            dated: wanted.schedule.as_ref().map(|schedule| schedule.when),
            namer: wanted.namer.clone(),
        };
        let most = match wanted.backups as u64 {
            0 if wanted.retention != super::Retention::default() => None,
            most => Some(most),
        };
        let family = Arc::new(move |name: &OsStr| names.has(name, most));
        let engine =
            registry::share(&path, family, make, |engine: &Engine| engine.settings.fits(&wanted, engine.path()))?;
        Ok(Self { engine })
    }

    /// The absolute path of the file in use.
    pub fn path(&self) -> &Path {
        self.engine.path()
    }

    /// Begins a new file now, whatever the size and the time (Python: `doRollover`). What was logged before, and waits in a
    /// [`Queue`](crate::Queue), goes to the old one. With
    /// [`delay`](crate::output::RotatingFileBuilder::open_lazily) the new one is made by the next record. What goes wrong is told to
    /// the trap, and tried again when a rotation is due.
    pub fn rollover(&self) {
        barrier::wait();
        self.engine.rollover();
        self.engine.base().tell();
    }

    /// Opens the path again, for use after something else has moved the file away. What is buffered goes to the old file,
    /// as far as that takes it, and so does what waits in a [`Queue`](crate::Queue).
    ///
    /// # Errors
    /// The path cannot be opened; then the old file stays in use.
    pub fn reopen(&self) -> Result<(), Error> {
        barrier::wait();
        let result = self.engine.reopen();
        self.engine.base().tell();
        result
    }

    /// Writes what is buffered, or waits in a [`Queue`](crate::Queue), and closes the file. The next record opens it again
    /// and is appended.
    ///
    /// # Errors
    /// The buffer could not be written; then the file stays open.
    pub fn close(&self) -> Result<(), Error> {
        barrier::wait();
        let result = self.engine.close();
        self.engine.base().tell();
        result
    }

    /// Waits until the files that were rotated so far are compressed and told to
    /// [`on_rotation`](crate::output::RotatingFileBuilder::on_rotation); whether that came true in time. To be called at the end of `main`
    /// where that matters; what is left undone is compressed at the next start.
    pub fn wait_for_archiving(&self, deadline: Duration) -> bool {
        self.engine.wait_for_archiving(deadline)
    }

    /// Writes what is buffered and brings the file in use to the disk (fdatasync(2)), whatever the
    /// [`Durability`](crate::sink::Durability).
    ///
    /// # Errors
    /// It could not be written, or the disk refuses.
    pub fn sync(&self) -> Result<(), Error> {
        Sink::sync(self).map_err(|error| Error::io_at(self.path(), "sync", error))
    }
}

impl Sink for RotatingFileSink {
    fn write(&self, bytes: &[u8]) -> io::Result<Written> {
        write_one(bytes, |lines| self.write_lines(lines))
    }

    #[inline]
    fn write_lines(&self, lines: &mut Lines<'_>) -> io::Result<()> {
        self.engine.base().notice(lines);
        self.engine.put_all(lines)
    }

    /// Unless it has a buffer of its own, or other processes write to it.
    fn gathers(&self) -> bool {
        self.engine.gathers()
    }

    fn flush(&self) -> io::Result<()> {
        let result = self.engine.flush();
        self.engine.base().tell();
        result
    }

    fn sync(&self) -> io::Result<()> {
        if self.engine.is_shared() {
            // What is held goes to the right file only by this way.
            Sink::flush(self)?;
        }
        Sink::sync(self.engine.base())
    }
}

/// Each `write` takes one record, whole, or fails.
impl Write for &RotatingFileSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Sink::write(*self, bytes).map(|_| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.engine.flush().and_then(|()| self.engine.base().untold())
    }
}

/// As for `&RotatingFileSink`.
impl Write for RotatingFileSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Write::write(&mut &*self, bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.engine.flush().and_then(|()| self.engine.base().untold())
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

/// A file that was rotated, for [`on_rotation`](crate::output::RotatingFileBuilder::on_rotation).
#[derive(Debug)]
pub struct RotatedFile {
    base: PathBuf,
    path: PathBuf,
    file: File,
}

impl RotatedFile {
    /// The path of the file in use.
    pub fn base(&self) -> &Path {
        &self.base
    }

    /// What the file is called now, compressed where that was asked for. A numbered file has another name after the next
    /// rotation; [`file`](Self::file) stays this one.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file, open for reading.
    pub fn file(&self) -> &File {
        &self.file
    }
}
