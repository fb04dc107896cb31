//! Appends records to a file.

use std::{
    io,
    path::{self, Path, PathBuf},
};

use super::Formatted;
use crate::{
    Error, Format, Severity,
    format::{Encoding, Text},
    sink::{Durability, FileSink, FileSpec, ReopenPolicy, claim},
};

/// Appends records to a file.
///
/// Python: `logging.FileHandler`, `logging.handlers.WatchedFileHandler`.
///
/// # Examples
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
/// let handle = file.as_sink().clone();                  // for `handle.reopen()` after another program moved the file
/// let subscriber = tracing_subscriber::registry().with(file.into_layer());
/// tracing::subscriber::with_default(subscriber, || tracing::error!("no paper"));
/// assert!(std::fs::read_to_string(handle.path())?.contains("no paper"));
/// # std::fs::remove_dir_all(logs)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// [`LogFile::builder`] does no I/O; [`build`](LogFileBuilder::build) opens the file.
///
/// # What is sent
/// Each record as the format makes it, with a line end, in one write(2) to a file opened for appending: threads,
/// handlers and processes can share a file without mixing records. A short write is completed at once. A record that was
/// written only in part is followed by a line break before the next one, even across restarts: a file that does not end
/// in a line break when it is opened gets one before the first record.
///
/// # Durability
/// | | the process crashes | the machine crashes |
/// |---|---|---|
/// | without a buffer (default) | nothing is lost | lost: what the system had not yet written to the disk (seconds) |
/// | with a [buffer](LogFileBuilder::buffer) | lost: what was buffered since the last flush | the same, and the above |
///
/// The buffer is written when the next record does not fit, at a flush, after a record of
/// [`flush_on`](LogFileBuilder::flush_on) or above, and when the last clone of the sink is dropped; never by a timer.
/// **A global subscriber is never dropped:** keep a clone of the sink, or the handler as
/// [`NamedHandler`](crate::NamedHandler), and flush it at the end of `main` and before `std::process::exit`, or call
/// [`flush_all`](crate::flush_all). There is no fsync unless a [`Durability`] asks for it.
///
/// # When another program rotates the file
/// By default a file that is moved or deleted is still written to, as in Python. With [`watch`](LogFileBuilder::watch) the
/// handler checks before it writes whether the path still leads to the open file, and reopens it if not:
///
/// ```
/// use std::fs;
/// use tracing_strata::{prelude::*, output::LogFile, sink::ReopenPolicy};
/// use tracing_subscriber::prelude::*;
///
/// # let logs = std::env::temp_dir().join(format!("strata-watched-{}", std::process::id()));
/// # fs::create_dir(&logs)?;
/// let file = LogFile::builder(logs.join("shop.log")).watch(ReopenPolicy::each_record()).build()?;
/// let subscriber = tracing_subscriber::registry().with(file.into_layer());
/// tracing::subscriber::with_default(subscriber, || {
///     tracing::info!("before");
///     fs::rename(logs.join("shop.log"), logs.join("shop.log.1")).unwrap();    // logrotate
///     tracing::info!("after");
/// });
/// assert!(fs::read_to_string(logs.join("shop.log.1"))?.contains("before"));
/// assert!(fs::read_to_string(logs.join("shop.log"))?.contains("after"));
/// # fs::remove_dir_all(logs)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// | another program | the next record |
/// |---|---|
/// | renames the file, with or without a new one (`create`, `nocreate` of logrotate) | goes to the file at the path, created if missing |
/// | deletes it | the same |
/// | copies and truncates it (`copytruncate`) | goes to its new end: it is the same file, opened for appending |
/// | deletes its directory | recreates that with [`create_dirs`](LogFileBuilder::create_dirs); without, it fails, and the next record tries again |
///
/// Files are told apart by device and inode; on systems other than unix only a missing file is noticed. The check costs a
/// stat(2) before each write(2), which can be more than the write itself (`benches/files.rs`);
/// [`ReopenPolicy::at_most_every`] checks less often, and says when that is safe. With a buffer the check comes before the
/// buffer is written, so buffered records go to the new file. `truncate` never applies to a reopened file.
///
/// Where the path cannot be reopened (it is a directory now, no permission), the old file stays in use, and the error
/// handler is called for each record. Once the old file has no name either, records fail, as nobody could read them.
/// (Python closes the file and loses the record.) An application that gets a signal from logrotate calls
/// [`reopen`](FileSink::reopen) instead.
///
/// # When it blocks
/// As long as write(2) does. Without a buffer no lock is held meanwhile; with one, threads wait while it is written. On
/// pipes, terminals and devices threads take turns, as a write is not atomic there. Opening a named pipe waits for its
/// reader.
///
/// # Failures
/// [`build`](LogFileBuilder::build) names the path and what failed. Later failures go to the error handler and the ledger,
/// record by record; every record tries again. With a buffer, bytes that could not be written stay in it and are tried
/// again; once it is full, new records fail. What is still buffered when the sink is dropped counts as failed.
///
/// # Differences from Python
/// - `mode='w'` is [`truncate(true)`](LogFileBuilder::truncate). Only the first opening truncates, and after
///   [`close`](FileSink::close) the next record is appended, where Python drops it.
/// - A delayed opening that fails is a failure of the handler; Python raises it in the application.
pub type LogFile<F = Text> = Formatted<F, FileSink>;

impl Formatted<Text, FileSink> {
    /// A file to append to, with [`Text`] as the format until another is set. No I/O.
    ///
    /// | option | default |
    /// |---|---|
    /// | [`truncate`](LogFileBuilder::truncate) | false: append |
    /// | [`open_lazily`](LogFileBuilder::open_lazily) | false: open in `build` |
    /// | [`encoding`](LogFileBuilder::encoding) | UTF-8 |
    /// | [`permissions`](LogFileBuilder::permissions) | 0o666 minus the umask |
    /// | [`create_dirs`](LogFileBuilder::create_dirs) | false |
    /// | [`buffer`](LogFileBuilder::buffer) | none |
    /// | [`flush_on`](LogFileBuilder::flush_on) | never |
    /// | [`durability`](LogFileBuilder::durability) | [`Durability::system`] |
    /// | [`watch`](LogFileBuilder::watch) | off |
    pub fn builder(path: impl Into<PathBuf>) -> LogFileBuilder {
        LogFileBuilder {
            file: FileSpec::new(path.into()),
            open_lazily: false,
            buffer: None,
            flush_on: None,
            sync_on: None,
            encoding: Encoding::UTF_8,
            format: Text::new(),
        }
    }
}

/// How a log file is opened and written. Made by [`LogFile::builder`].
#[derive(Debug)]
#[must_use]
pub struct LogFileBuilder<F = Text> {
    file: FileSpec,
    open_lazily: bool,
    buffer: Option<usize>,
    flush_on: Option<Severity>,
    sync_on: Option<Severity>,
    encoding: Encoding,
    format: F,
}

impl<F: Format> LogFileBuilder<F> {
    /// Truncates the file when it is first opened.
    pub fn truncate(mut self, truncate: bool) -> Self {
        self.file.truncate = truncate;
        self
    }

    /// Opens the file with the first record. If that fails, the record fails, and the next one tries again.
    pub fn open_lazily(mut self, open_lazily: bool) -> Self {
        self.open_lazily = open_lazily;
        self
    }

    /// The permissions of a file that is created, before the umask (unix; no effect elsewhere).
    pub fn permissions(mut self, mode: u32) -> Self {
        self.file.permissions = Some(mode);
        self
    }

    /// The encoding (default: [UTF-8](Encoding::UTF_8)).
    pub fn encoding(mut self, encoding: Encoding) -> Self {
        self.encoding = encoding;
        self
    }

    /// Creates missing directories.
    pub fn create_dirs(mut self, create: bool) -> Self {
        self.file.create_dirs = create;
        self
    }

    /// Buffers up to so many bytes (at most 1 GiB); 64 KiB works well. See [Durability](LogFile#durability). The memory is
    /// allocated with the first record. A record that is longer than the buffer is written alone.
    pub fn buffer(mut self, bytes: usize) -> Self {
        self.buffer = Some(bytes);
        self
    }

    /// Writes the buffer after each record at or above a severity.
    pub fn flush_on(mut self, min_level: impl Into<Severity>) -> Self {
        self.flush_on = Some(min_level.into());
        self
    }

    /// When the file is synced to the disk (default: never).
    pub fn durability(mut self, durability: Durability) -> Self {
        self.file.set_durability(durability);
        self.sync_on = durability.on;
        self
    }

    /// Checks before it writes whether the path still leads to the file, and reopens it if not: see
    /// [above](LogFile#when-another-program-rotates-the-file).
    pub fn watch(mut self, policy: ReopenPolicy) -> Self {
        self.file.set_reopen_policy(policy);
        self
    }

    /// The format.
    pub fn format<G: Format>(self, format: G) -> LogFileBuilder<G> {
        let Self { file, open_lazily, buffer, flush_on, sync_on, encoding, .. } = self;
        LogFileBuilder { file, open_lazily, buffer, flush_on, sync_on, encoding, format }
    }

    /// Opens the file.
    ///
    /// # Errors
    /// The path is empty, or a handler of this process rotates that file, or, without [`open_lazily`](Self::open_lazily),
    /// the file cannot be opened: its directory is missing, it is a directory, it is not writable, the disk is full. The
    /// message names the path and what was tried.
    pub fn build(self) -> Result<LogFile<F>, Error> {
        let open_lazily = self.open_lazily;
        let file = self.build_closed()?;
        open(file.as_sink(), open_lazily)?;
        Ok(file)
    }

    /// Nothing is opened yet.
    pub(crate) fn build_closed(self) -> Result<LogFile<F>, Error> {
        let Self { mut file, open_lazily: _, buffer, flush_on, sync_on, encoding, format } = self;
        set_encoding(&mut file, encoding);
        let sink = closed(file, buffer)?;
        let name = sink.path().display().to_string();
        Ok(Formatted::new(format, sink).name(name).flush_and_sync_on(flush_on, sync_on).encoding(encoding))
    }

    /// Opens the file as a sink only, for use as an [`io::Write`] or a `MakeWriter`. Ignores the format, the encoding, `flush_on` and
    /// the durability's severity.
    ///
    /// # Errors
    /// As for [`build`](Self::build).
    pub fn build_sink(self) -> Result<FileSink, Error> {
        let sink = closed(self.file, self.buffer)?;
        open(&sink, self.open_lazily)?;
        Ok(sink)
    }
}

pub(super) fn set_encoding(file: &mut FileSpec, encoding: Encoding) {
    file.file_start = encoding.mark();
    // `None` for a line break of one byte.
    file.wide_line_end = encoding.line_end().try_into().ok();
}

fn closed(mut file: FileSpec, buffer: Option<usize>) -> Result<FileSink, Error> {
    file.path = absolute(&file.path)?;
    file.claim = Some(claim(&file.path)?);
    FileSink::new(file, buffer)
}

fn open(sink: &FileSink, open_lazily: bool) -> Result<(), Error> {
    if !open_lazily {
        sink.open()?;
    }
    sink.start()
}

/// An absolute path: the process may change its directory later.
pub(super) fn absolute(path: &Path) -> Result<PathBuf, Error> {
    path::absolute(path).map_err(|error| match error.kind() {
        io::ErrorKind::InvalidInput => Error::config("the path of a log file is empty"),
        _ => Error::io_at(path, "find the directory of", error),
    })
}
