//! Sends records to a file.
//!
//! Python: `logging.FileHandler`.

use std::{
    io,
    path::{self, Path, PathBuf},
};

use super::Formatted;
use crate::{
    Error, Format, Severity,
    format::Text,
    sink::{Durability, FileSink, FileSpec, ReopenPolicy, claim},
};

/// Makes handlers that append to a file.
///
/// ```
/// use tracing_strata::{prelude::*, Severity, format::Json, output::LogFile};
/// use tracing_subscriber::prelude::*;
///
/// # let logs = std::env::temp_dir().join(format!("strata-log-file-{}", std::process::id()));
/// let file = LogFile::builder(logs.join("shop.jsonl"))
///     .create_dirs(true)
///     .permissions(0o640)
///     .buffer(64 << 10)
///     .flush_on(Severity::ERROR)
///     .format(Json::new())
///     .build()?;
/// let handle = file.sink().clone();                     // for `handle.reopen()` after a rotation from outside
/// let subscriber = tracing_subscriber::registry().with(file.into_layer());
/// tracing::subscriber::with_default(subscriber, || tracing::error!("no paper"));
/// assert!(std::fs::read_to_string(handle.path())?.contains("no paper"));
/// # std::fs::remove_dir_all(logs)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # What is written
/// Each record as the format makes it, with a line end, in one write(2) to a file opened for appending: several threads,
/// handlers and processes can write to one file, whole records each. What a short write leaves follows at once. A
/// record of which only a part could be written is followed by a line break before the next one, also when that part was
/// left by an earlier run: a file that does not end in a line break when it is opened gets one before the first record.
///
/// # Durability
/// | | the process crashes | the machine crashes |
/// |---|---|---|
/// | without a buffer (default) | nothing is lost | lost: what the system had not brought to the disk (seconds) |
/// | with a [buffer](LogFileBuilder::buffer) | lost: what was held since the last flush | the same, and the above |
///
/// The buffer is written when the next record finds no room in it, at a flush, after a record of
/// [`flush_on`](LogFileBuilder::flush_on) or above, and when the last clone of the sink is dropped; never by a clock.
/// **A global subscriber is never dropped:** keep a clone of the sink, or the handler as [`NamedHandler`](crate::NamedHandler), and
/// flush it at the end of `main` and before `std::process::exit`, or call [`flush_all`](crate::flush_all). Nothing calls
/// fsync unless a [`Durability`] is asked for, which has the whole table.
///
/// # When it blocks
/// As long as write(2) does. No lock is held over it without a buffer; with one, threads wait while it is written. On
/// pipes, terminals and devices threads take turns, as one write is not whole there. Opening a named pipe waits for its
/// reader.
///
/// # Failures
/// [`build`](LogFileBuilder::build) says what could not be done, and with which path. Later failures go to the trap and
/// the ledger, record by record; every record tries again. With a buffer, what could not be written is kept and tried
/// again while there is room; after that new records fail. What is still held when the sink is dropped counts as failed.
///
/// A file that is moved away or deleted is written to as before, as in Python; [`WatchedFile`](super::WatchedFile) notices.
///
/// # Differences from Python
/// - `mode='w'` is [`truncate(true)`](LogFileBuilder::truncate): only the first opening truncates, and after
///   [`close`](FileSink::close) the next record is appended, where Python drops it.
/// - A delayed opening that fails is a failure of the handler; Python raises it in the application.
/// - The encoding is always UTF-8.
#[derive(Debug)]
pub enum LogFile {}

impl LogFile {
    /// A file to append to, with [`Text`] as the format at first.
    ///
    /// | option | default |
    /// |---|---|
    /// | [`truncate`](LogFileBuilder::truncate) | false: append |
    /// | [`open_lazily`](LogFileBuilder::open_lazily) | false: open in `build` |
    /// | [`permissions`](LogFileBuilder::permissions) | 0o666 without the umask |
    /// | [`create_dirs`](LogFileBuilder::create_dirs) | false |
    /// | [`buffer`](LogFileBuilder::buffer) | none |
    /// | [`flush_on`](LogFileBuilder::flush_on) | never |
    /// | [`durability`](LogFileBuilder::durability) | [`Durability::system`] |
    /// | [`watch`](LogFileBuilder::watch) | not |
    pub fn builder(path: impl Into<PathBuf>) -> LogFileBuilder {
        LogFileBuilder {
            place: FileSpec::new(path.into()),
            delay: false,
            buffer: None,
            flush_on: None,
            sync_on: None,
            format: Text::new(),
        }
    }

    /// A file to append to, with all defaults.
    ///
    /// # Errors
    /// As for [`build`](LogFileBuilder::build).
    pub fn append(path: impl Into<PathBuf>) -> Result<Formatted<Text, FileSink>, Error> {
        Self::builder(path).build()
    }
}

/// How a log file is opened and written. Made by [`LogFile::builder`].
#[derive(Debug)]
#[must_use]
pub struct LogFileBuilder<F = Text> {
    place: FileSpec,
    delay: bool,
    buffer: Option<usize>,
    flush_on: Option<Severity>,
    sync_on: Option<Severity>,
    format: F,
}

impl<F: Format> LogFileBuilder<F> {
    /// Whether what is in the file is thrown away when it is first opened.
    pub fn truncate(mut self, truncate: bool) -> Self {
        self.place.truncate = truncate;
        self
    }

    /// Whether the file is opened with the first record only. If that fails, the record does, and the next one tries
    /// again.
    pub fn open_lazily(mut self, delay: bool) -> Self {
        self.delay = delay;
        self
    }

    /// The permissions of a file that is created (unix; without effect elsewhere). The umask is taken off.
    pub fn permissions(mut self, mode: u32) -> Self {
        self.place.permissions = Some(mode);
        self
    }

    /// Whether missing directories are created.
    pub fn create_dirs(mut self, create: bool) -> Self {
        self.place.create_dirs = create;
        self
    }

    /// Holds records back until so many bytes (at most 1 GiB) are full; 64 KiB serves well. See [Durability](LogFile#durability). The
    /// memory is taken with the first record. A record that is longer than the buffer is written by itself.
    pub fn buffer(mut self, bytes: usize) -> Self {
        self.buffer = Some(bytes);
        self
    }

    /// Writes the buffer after each record at or above a severity.
    pub fn flush_on(mut self, least: impl Into<Severity>) -> Self {
        self.flush_on = Some(least.into());
        self
    }

    /// When the file is synced to the disk (default: never).
    pub fn durability(mut self, durability: Durability) -> Self {
        self.place.set_durability(durability);
        self.sync_on = durability.on;
        self
    }

    /// Looks before writing whether the path still leads to the file, and opens it again if not: see
    /// [`WatchedFile`](super::WatchedFile).
    pub fn watch(mut self, watch: ReopenPolicy) -> Self {
        self.place.set_reopen_policy(watch);
        self
    }

    /// The format.
    pub fn format<G: Format>(self, format: G) -> LogFileBuilder<G> {
        let Self { place, delay, buffer, flush_on, sync_on, .. } = self;
        LogFileBuilder { place, delay, buffer, flush_on, sync_on, format }
    }

    /// The handler.
    ///
    /// # Errors
    /// The path is empty, or a handler of this process rotates that file, or, without [`open_lazily`](Self::open_lazily), the file
    /// cannot be opened: its directory is missing, it is a directory, it may not be written, the disk is full. The message
    /// names the path and what was tried.
    pub fn build(self) -> Result<Formatted<F, FileSink>, Error> {
        let Self { place, delay, buffer, flush_on, sync_on, format } = self;
        let sink = open(place, delay, buffer)?;
        let name = sink.path().display().to_string();
        let mut formatted = Formatted::new(format, sink).place(name);
        if let Some(least) = flush_on {
            formatted = formatted.flush_on(least);
        }
        if let Some(least) = sync_on {
            formatted = formatted.sync_on(least);
        }
        Ok(formatted)
    }

    /// The sink alone, for use as an [`io::Write`] or a `MakeWriter`; the format, `flush_on` and `sync_on` are of no use
    /// there.
    ///
    /// # Errors
    /// As for [`build`](Self::build).
    pub fn build_sink(self) -> Result<FileSink, Error> {
        open(self.place, self.delay, self.buffer)
    }
}

fn open(mut place: FileSpec, delay: bool, buffer: Option<usize>) -> Result<FileSink, Error> {
    place.path = absolute(&place.path)?;
    place.claim = Some(claim(&place.path)?);
    FileSink::new(place, delay, buffer)
}

/// The path as it is from the root on: the process may change its directory later.
pub(super) fn absolute(path: &Path) -> Result<PathBuf, Error> {
    path::absolute(path).map_err(|error| match error.kind() {
        io::ErrorKind::InvalidInput => Error::config("the path of a log file is empty"),
        _ => Error::io_at(path, "find the directory of", error),
    })
}
