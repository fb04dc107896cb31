//! Bytes → a place.
//!
//! A [`Sink`] takes whole records as bytes. It knows nothing of records, formats or handlers: an output such as
//! [`Formatted`](crate::output::Formatted) brings them together.
//!
//! | sink | place | lock over the write | a record counts as written when |
//! |---|---|---|---|
//! | [`StdStream`] | stdout, stderr | std's own | the system took it |
//! | [`FileSink`] | a file, record by record | none | the system took it |
//! | [`FileSink`] with a buffer | a file, many records at once | the buffer's | the buffer was emptied |
//! | [`RotatingFileSink`] | a file that is exchanged for new ones | as for a file | as for a file |
//! | [`WriterSink`] | any [`io::Write`] | one around the writer | the writer took it and was flushed |
//! | [`net::Connection`] | a peer: TCP, TLS, a unix socket | none; threads take turns | the system took it |
//! | [`MakeWriterSink`] | any `MakeWriter` | the writer's own, if any | the writer took it and was flushed |
//!
//! # Whole lines
//! A record is one `write`. Where the place takes less, the rest follows at once; where that fails, the place is left
//! with a part of a record. The next record then begins with a line break, so that no two records share a line.

mod append;
mod archive;
mod buffer;
mod durable;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod faults;
mod file;
mod line;
mod lines;
pub mod net;
mod place;
mod registry;
mod rotate;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod scratch;
mod std_stream;
mod watch;
mod writer;

use std::{io, sync::Arc};

#[cfg(feature = "config")]
pub(crate) use self::registry::succeeding;
pub use self::{
    archive::{Compression, Retention},
    durable::Durability,
    file::FileSink,
    lines::Lines,
    rotate::{Alignment, FileLocking, RotatedFile, RotatingFileSink, TimeOfDay, Weekday, When},
    std_stream::StdStream,
    watch::ReopenPolicy,
    writer::{MakeWriterSink, WriterSink},
};
pub(crate) use self::{
    lines::{Owner, Teller},
    place::FilePlace,
    registry::claim,
    rotate::{Schedule, Settings},
};

/// Takes finished lines. Object-safe; called from many threads at once.
///
/// Anything that is [`io::Write`] or a `MakeWriter` is made one by [`Stream::writer`](crate::output::Stream::writer) and
/// [`Stream::make_writer`](crate::output::Stream::make_writer).
///
/// ```
/// use std::{io, sync::atomic::{AtomicU64, Ordering}};
/// use tracing_strata::{output::Stream, prelude::*, sink::Written};
///
/// /// Measures, and keeps nothing.
/// struct Scale(AtomicU64);
///
/// impl Sink for Scale {
///     fn write(&self, bytes: &[u8]) -> io::Result<Written> {
///         self.0.fetch_add(bytes.len() as u64, Ordering::Relaxed);
///         Ok(Written::Through)
///     }
/// }
///
/// let layer = Stream::sink(Scale(AtomicU64::new(0))).into_layer().named("scale");
/// # drop(layer);
/// ```
pub trait Sink: Send + Sync + 'static {
    /// Writes one record, whole, or fails.
    ///
    /// # Errors
    /// The record is not at its place, or only a part of it is; it counts as failed.
    fn write(&self, bytes: &[u8]) -> io::Result<Written>;

    /// Writes several records, and [says](Lines::written) of each what became of it, in order; outputs call this. An error is
    /// that of the first line of which nothing was said; what comes behind it is tried again.
    ///
    /// Provided: record by record. For sinks that take many at once, and for those that go by time, as lines know when they
    /// were made.
    ///
    /// # Errors
    /// As for [`write`](Self::write).
    #[inline]
    fn write_lines(&self, lines: &mut Lines<'_>) -> io::Result<()> {
        lines.write_each(|line| self.write(line))
    }

    /// Whether [`write_lines`](Self::write_lines) of many costs less than as many [`write`](Self::write)s. Then a handler
    /// behind a [`Queue`](crate::Queue) holds records until 64 KiB are full or no more wait. Provided: no.
    fn gathers(&self) -> bool {
        false
    }

    /// Brings what is held back to its place.
    ///
    /// # Errors
    /// Some of it is still held back.
    fn flush(&self) -> io::Result<()> {
        Ok(())
    }

    /// Brings what it has to the disk itself, where there is one: for
    /// [`Formatted::sync_on`](crate::output::Formatted::sync_on).
    ///
    /// # Errors
    /// Some of it may not be there.
    fn sync(&self) -> io::Result<()> {
        self.flush()
    }

    /// Whether a person is likely to read it right away (colour is for terminals only).
    fn is_terminal(&self) -> bool {
        false
    }
}

/// What became of the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// They are at their place.
    Through,
    /// They were given up on purpose.
    Dropped,
}

macro_rules! forward {
    ($($pointer:ty),*) => {$(
        impl<S: Sink + ?Sized> Sink for $pointer {
            fn write(&self, bytes: &[u8]) -> io::Result<Written> { (**self).write(bytes) }
            #[inline]
            fn write_lines(&self, lines: &mut Lines<'_>) -> io::Result<()> { (**self).write_lines(lines) }
            fn gathers(&self) -> bool { (**self).gathers() }
            fn flush(&self) -> io::Result<()> { (**self).flush() }
            fn sync(&self) -> io::Result<()> { (**self).sync() }
            fn is_terminal(&self) -> bool { (**self).is_terminal() }
        }
    )*};
}

forward!(Box<S>, Arc<S>);

/// Writes a line to stderr, whatever becomes of it: the last resort for reports, which must never fail, wait or recurse.
pub(crate) fn stderr_line(line: &str) {
    let line = [line.as_bytes(), b"\n"].concat();
    // Where stderr fails there is nobody left to tell.
    StdStream::stderr().timeout(std::time::Duration::ZERO).put(&line).unwrap_or_default();
}
