//! The writers of `tracing-appender`, with an account of what they lose (feature `appender`).
//!
//! # Coming from `tracing-appender`
//!
//! | there | here | what differs |
//! |---|---|---|
//! | `non_blocking(writer)` | [`Queue`](crate::Queue) over a handler | formats on the worker's thread, 64 KiB a write, a ledger; a lost record is told in the log itself |
//! | `NonBlockingBuilder::buffered_lines_limit`, `lossy` | [`capacity`](crate::handler::queue::QueueBuilder::capacity), [`overflow`](crate::handler::queue::QueueBuilder::overflow) | bounded in bytes, too |
//! | `WorkerGuard` | none needed: flushed at [exit](crate::shutdown), at a panic, at a signal; or [`build_with_guard`](crate::handler::queue::QueueBuilder::build_with_guard) | a second is not the end: the deadline is yours, and what it missed is an error |
//! | `error_counter().dropped_lines()` | [`Stats::dropped`](crate::ledger::Stats::dropped) of the handler | |
//! | `rolling::hourly(dir, "app.log")` | [`RotatingFile::builder(…).when(When::Hour)`](crate::output::RotatingFile) | local time or any zone, by size as well, compressed; the file in use keeps its name |
//! | `max_log_files(n)` | [`backups(n)`](crate::output::RotatingFileBuilder::backups) | deletes only what its own names fit |
//! | an error of the disk | the handler's [`ErrorHandler`](crate::ledger::ErrorHandler), [`Stats::failed`](crate::ledger::Stats::failed) | there, the worker drops the line and says nothing |
//!
//! # Keeping them
//! Its `RollingFileAppender` is a `MakeWriter`: [`Stream::make_writer`](crate::output::Stream::make_writer) takes it, and an
//! error of a write fails the record. (That it cannot open the next file it only prints.) Its `NonBlocking` says that a line
//! is written when it has dropped it: give it to a [`NonBlockingSink`].

use std::{fmt, io, sync::MutexGuard};

use tracing_appender::non_blocking::{ErrorCounter, NonBlocking};

use super::{FlushTo, Lines, Sink};
use crate::fork::ForkMutex;

/// `tracing-appender`'s `NonBlocking`: a line that it drops counts as dropped, and the handler's error handler is told.
///
/// ```
/// use tracing_strata::{Loggers, output::Stream, prelude::*, sink::appender::NonBlockingSink};
/// use tracing_subscriber::prelude::*;
///
/// let (non_blocking, _guard) = tracing_appender::non_blocking(std::io::sink());
/// let file = Stream::sink(NonBlockingSink::new(non_blocking)).name("app.log");
/// let subscriber = tracing_subscriber::registry().with(file.into_layer());
/// # drop(subscriber);
/// ```
///
/// # What "written" means
/// The line is in its buffer. Nobody can wait for the rest: a flush does nothing, its worker drops what the disk refuses
/// without a word, and after its guard is dropped every line is dropped (and counted).
///
/// # When it blocks
/// With `lossy(false)`, while its buffer is full. One line is handed over at a time, so that each loss is counted for the
/// right record; other clones of the same `NonBlocking` that lose lines meanwhile disturb that: give it to one handler.
pub struct NonBlockingSink {
    /// None in a child of a fork that happened during a write.
    writer: ForkMutex<Option<NonBlocking>>,
    losses: ErrorCounter,
}

impl NonBlockingSink {
    /// Takes the writer; its guard stays yours.
    pub fn new(writer: NonBlocking) -> Self {
        Self { losses: writer.error_counter(), writer: ForkMutex::new(Some(writer)) }
    }

    fn writer(&self) -> MutexGuard<'_, Option<NonBlocking>> {
        self.writer.lock(|_| {}, || None)
    }
}

impl Sink for NonBlockingSink {
    fn write(&self, lines: &mut Lines<'_>) -> io::Result<()> {
        use io::Write as _;

        let mut dropped = 0;
        let mut writer = self.writer();
        let Some(writer) = &mut *writer else {
            return Err(io::Error::other("a thread of the parent was writing when the process was forked"));
        };
        while let Some((line, _)) = lines.first() {
            let before = self.losses.dropped_lines();
            writer.write_all(line)?;
            if self.losses.dropped_lines() > before {
                lines.dropped(1);
                dropped += 1;
            } else {
                lines.written(1);
            }
        }
        match dropped {
            0 => Ok(()),
            _ => Err(io::Error::other(format!(
                "tracing-appender dropped {dropped} lines: its buffer is full, or its guard is gone"
            ))),
        }
    }

    fn flush(&self, _: FlushTo) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for NonBlockingSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NonBlockingSink").finish_non_exhaustive()
    }
}
