//! Reloads when the file changes.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    sync::mpsc::{self, RecvTimeoutError},
    thread::{self, JoinHandle},
    time::Duration,
};

use notify::Watcher as _;

use super::{changes::Changes, logging::Logging, stderr};
use crate::{Error, config::document::Config, record::silence_this_thread, unwind::catch};

/// How long a file must be unchanged before it is read: editors write in several steps.
const QUIET: Duration = Duration::from_millis(100);

impl Logging {
    /// [Reloads](Self::reload) on a thread of its own whenever the file changes, be it by a text editor, `mv` or a new
    /// link (Kubernetes). It reads the file as [`Logging::from_path`] does; a change in a file that it includes counts if
    /// that is in the same directory. A file that cannot be applied is reported on stderr and changes nothing; the next
    /// change is tried again. Handlers and levels that were set by hand, and that the first reload will replace, are
    /// named on stderr at once. Dropping the watcher stops it.
    ///
    /// # Errors
    /// The directory of the file cannot be watched, or the file's name has no known extension ([`Config::from_path`]).
    pub fn watch(&self, path: impl AsRef<Path>) -> Result<FileWatcher, Error> {
        let shown = path.as_ref().display().to_string();
        let file = shown.clone();
        let watcher = self.watch_with(path, move |result| {
            if let Err(error) = result {
                stderr::report(format_args!("{file} is not applied: {error}"));
            }
        })?;
        if !watcher.will_override.is_empty() {
            let by_hand = watcher.will_override.join(", ");
            stderr::report(format_args!("{shown} will replace, when it changes, what was set by hand: {by_hand}"));
        }
        Ok(watcher)
    }

    /// As [`watch`](Self::watch); calls `on_reload` after each reload.
    ///
    /// # Errors
    /// As [`watch`](Self::watch).
    pub fn watch_with(
        &self,
        path: impl AsRef<Path>,
        on_reload: impl Fn(Result<Changes, Error>) + Send + 'static,
    ) -> Result<FileWatcher, Error> {
        let path = std::path::absolute(path.as_ref()).map_err(|error| Error::io_at(path.as_ref(), "find", error))?;
        Config::check_name(&path)?;
        // The directory, because editors replace the file.
        let directory = path.parent().unwrap_or(&path);
        fs::metadata(directory).map_err(|error| Error::io_at(directory, "watch", error))?;
        let failed = |error| Error::with_source(format_args!("cannot watch {}", path.display()), error);
        let (changed, changes) = mpsc::channel();
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // Reading the file, as we do, is not a change. Sending fails once the thread has ended.
            if !event.is_ok_and(|event| event.kind.is_access()) {
                changed.send(()).unwrap_or_default();
            }
        })
        .map_err(failed)?;
        watcher.watch(directory, notify::RecursiveMode::NonRecursive).map_err(failed)?;
        let will_override = self.set_by_hand(&self.state(), &self.loggers().snapshot());
        let (logging, file) = (self.clone(), path.clone());
        // Equality of configurations leaves out what only Python's defaults take.
        let seen = |loaded: &Result<Config, Error>| {
            loaded.as_ref().map(|config| (config.clone(), config.strict_errors.clone())).map_err(Error::to_string)
        };
        let mut known = seen(&Config::load(&file));
        let thread = thread::Builder::new().name("strata-watch".into()).spawn(move || {
            silence_this_thread();
            while changes.recv().is_ok() {
                while changes.recv_timeout(QUIET) != Err(RecvTimeoutError::Timeout) {
                    if matches!(changes.try_recv(), Err(mpsc::TryRecvError::Disconnected)) {
                        return;
                    }
                }
                let loaded = Config::load(&file);
                let now = seen(&loaded);
                if now == known || !file.exists() {
                    continue;
                }
                known = now;
                let result = loaded.and_then(|config| logging.reload(&config));
                // Foreign code may panic.
                catch(|| on_reload(result)).unwrap_or_default();
            }
        });
        let thread = thread.map_err(|error| Error::with_source("cannot start the thread of a watch", error))?;
        Ok(FileWatcher { path, will_override, watcher: Some(watcher), thread: Some(thread) })
    }
}

/// Reloads until it is dropped. Made by [`Logging::watch`].
#[must_use = "dropping it stops the watcher"]
pub struct FileWatcher {
    path: PathBuf,
    will_override: Vec<String>,
    watcher: Option<notify::RecommendedWatcher>,
    thread: Option<JoinHandle<()>>,
}

impl FileWatcher {
    /// The watched file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Handlers and levels that were set by hand when the watcher was made: the first reload replaces them
    /// ([`Changes::overridden`]).
    pub fn will_override(&self) -> &[String] {
        &self.will_override
    }
}

impl Drop for FileWatcher {
    fn drop(&mut self) {
        // This drops the sender, which ends the thread.
        drop(self.watcher.take());
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != thread::current().id()
        {
            // The panic hook has reported a panic in it.
            thread.join().unwrap_or_default();
        }
    }
}

impl fmt::Debug for FileWatcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FileWatcher").field(&self.path).finish()
    }
}
