//! Sends records to a file that others may move away, truncate or delete.
//!
//! Python: `logging.handlers.WatchedFileHandler`.

use std::path::PathBuf;

use super::{LogFile, LogFileBuilder};
use crate::sink::ReopenPolicy;

/// Makes handlers that append to a file which others rotate, as `logrotate` does: before a record is written, they look
/// whether the path still leads to the file that is open, and open it again if not.
///
/// ```
/// use std::fs;
/// use tracing_strata::{prelude::*, output::WatchedFile};
/// use tracing_subscriber::prelude::*;
///
/// # let logs = std::env::temp_dir().join(format!("strata-watched-{}", std::process::id()));
/// # fs::create_dir(&logs)?;
/// let file = WatchedFile::builder(logs.join("shop.log")).build()?;
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
/// # What it notices
/// | what others do | the next record |
/// |---|---|
/// | rename the file, with or without making a new one (`create`, `nocreate` of logrotate) | goes to the file of the path, which is made if need be |
/// | delete it | the same |
/// | copy and truncate it (`copytruncate`) | goes to its new end: it is the same file, opened for appending |
/// | delete its directory | with [`create_dirs`](LogFileBuilder::create_dirs) that is made again; without, the record fails, and the next one tries |
///
/// What tells files apart is the device and the inode. Elsewhere than on unix, only that a file is gone is noticed.
///
/// # What it costs
/// A stat(2) before each write(2), which can cost more than the write itself (`benches/files.rs`). [`ReopenPolicy::at_most_every`] looks less often, and says
/// when that is safe. With a [buffer](LogFileBuilder::buffer) it looks before the buffer is written: what is held goes to the
/// new file.
///
/// # Failures
/// As for [`LogFile`]. Where the file was moved and the path cannot be opened (a directory in its place, no permission), the
/// old file stays in use, which is told to the trap with each record; when that has no name any more either, records fail
/// instead, as nobody could ever read them.
///
/// # Differences from Python
/// - The file is never truncated when it is opened again, also with `truncate`.
/// - Where the path cannot be opened again, Python closes the file and loses the record.
/// - The way out for applications that get a signal from logrotate: [`reopen`](crate::sink::FileSink::reopen) of any file.
#[derive(Debug)]
pub enum WatchedFile {}

impl WatchedFile {
    /// A file to append to, watched before [each record](ReopenPolicy::each_record); the rest is as for [`LogFile::builder`].
    pub fn builder(path: impl Into<PathBuf>) -> LogFileBuilder {
        LogFile::builder(path).watch(ReopenPolicy::each_record())
    }
}
