//! Reload when the file changes.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    sync::mpsc::{self, RecvTimeoutError},
    thread::{self, JoinHandle},
    time::Duration,
};

use notify::Watcher as _;

use super::{Changes, Config, Logging};
use crate::{Error, record::silence_this_thread, unwind::catch};

/// How long a file has to be left alone before it is read: editors write in several steps.
const QUIET: Duration = Duration::from_millis(100);

impl Logging {
    /// [Reloads](Self::reload) whenever the file changes, on a thread of its own: what a text editor, `mv` or a new link
    /// (Kubernetes) does. The file is read as [`Logging::from_path`] reads it. A file that cannot be applied changes
    /// nothing, and is told on stderr; the next change is tried again. Dropping the watch ends it.
    ///
    /// # Errors
    /// The directory of the file cannot be watched, or the file's name ends as no configuration's does
    /// ([`Config::from_path`]).
    pub fn watch(&self, path: impl AsRef<Path>) -> Result<FileWatcher, Error> {
        let shown = path.as_ref().display().to_string();
        self.watch_with(path, move |result| {
            if let Err(error) = result {
                let mut line = String::new();
                for c in format!("tracing-strata: {shown} is not applied: {error}").chars() {
                    match crate::text::is_control(c) && c != '\n' {
                        true => line.extend(c.escape_default()),
                        false => line.push(c),
                    }
                }
                crate::sink::stderr_line(&line);
            }
        })
    }

    /// As [`watch`](Self::watch), with one's own report of each reload.
    ///
    /// # Errors
    /// As [`watch`](Self::watch).
    pub fn watch_with(
        &self,
        path: impl AsRef<Path>,
        told: impl Fn(Result<Changes, Error>) + Send + 'static,
    ) -> Result<FileWatcher, Error> {
        let path = std::path::absolute(path.as_ref()).map_err(|error| Error::io_at(path.as_ref(), "find", error))?;
        Config::check_name(&path)?;
        // The directory, because editors put another file in the place of the old one.
        let directory = path.parent().unwrap_or(&path);
        fs::metadata(directory).map_err(|error| Error::io_at(directory, "watch", error))?;
        let failed = |error| Error::with_source(format_args!("cannot watch {}", path.display()), error);
        let (changed, changes) = mpsc::channel();
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // Our own reading is no change. Whoever has hung up is not told any more.
            if !event.is_ok_and(|event| event.kind.is_access()) {
                changed.send(()).unwrap_or_default();
            }
        })
        .map_err(failed)?;
        watcher.watch(directory, notify::RecursiveMode::NonRecursive).map_err(failed)?;
        let (logging, file) = (self.clone(), path.clone());
        let mut known = fs::read(&file).ok();
        let thread = thread::Builder::new().name("strata-watch".into()).spawn(move || {
            silence_this_thread();
            while changes.recv().is_ok() {
                while changes.recv_timeout(QUIET) != Err(RecvTimeoutError::Timeout) {
                    if matches!(changes.try_recv(), Err(mpsc::TryRecvError::Disconnected)) {
                        return;
                    }
                }
                let now = fs::read(&file).ok();
                if now == known || now.is_none() {
                    continue;
                }
                known = now;
                let result = read(&file).and_then(|config| logging.reload(&config));
                // Somebody else's code.
                catch(|| told(result)).unwrap_or_default();
            }
        });
        let thread = thread.map_err(|error| Error::with_source("cannot start the thread of a watch", error))?;
        Ok(FileWatcher { path, watcher: Some(watcher), thread: Some(thread) })
    }
}

fn read(path: &Path) -> Result<Config, Error> {
    Config::from_path(path)?.expand_env()?.override_from_env()
}

/// Reloads until it is dropped. Made by [`Logging::watch`].
#[must_use = "dropping it ends the watch"]
pub struct FileWatcher {
    path: PathBuf,
    watcher: Option<notify::RecommendedWatcher>,
    thread: Option<JoinHandle<()>>,
}

impl FileWatcher {
    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for FileWatcher {
    fn drop(&mut self) {
        // With the watcher the sender of changes goes, and the thread ends.
        drop(self.watcher.take());
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != thread::current().id()
        {
            // A panic in it was told when it happened.
            thread.join().unwrap_or_default();
        }
    }
}

impl fmt::Debug for FileWatcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FileWatcher").field(&self.path).finish()
    }
}
