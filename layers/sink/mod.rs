//! Sinks write finished lines to files, streams and sockets.
//!
//! A [`Sink`] gets complete records as bytes. It knows nothing of records, formats or handlers: an output such as
//! [`Formatted`](crate::output::Formatted) connects them.
//!
//! | sink | writes to | lock during the write | a record counts as written when |
//! |---|---|---|---|
//! | [`StdStream`] | stdout, stderr | std's own | the system accepted it |
//! | [`FileSink`] | a file, record by record | none | the system accepted it |
//! | [`FileSink`] with a buffer | a file, many records at once | the buffer's | the buffer was written |
//! | [`RotatingFileSink`] | a file that is replaced by new ones | as for a file | as for a file |
//! | [`WriterSink`] | any [`io::Write`] | one around the writer | the writer accepted it and was flushed |
//! | `appender::NonBlockingSink` (feature `appender`) | the queue of `tracing-appender` | one around it | it is in the queue |
//! | [`net::Connection`] | a peer: TCP, TLS, a unix socket | none, but one thread sends at a time | the system accepted it |
//! | [`MakeWriterSink`] | any `MakeWriter` | the writer's own, if any | the writer accepted it and was flushed |
//!
//! # Complete lines
//! A record is one `write`. After a short write, the rest follows at once. If that fails, a partial record stays, and
//! the next record begins with a line break, so that no two records share a line.

#[cfg(feature = "appender")]
pub mod appender;
mod archive;
mod buffered;
mod creations;
#[cfg(any(feature = "forward", feature = "http"))]
mod credential;
mod deferred_errors;
mod direct;
mod durability;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod faults;
mod file;
mod file_lock;
mod file_spec;
#[cfg(feature = "http")]
pub mod http;
mod lines;
pub mod net;
mod opener;
#[cfg(feature = "config")]
mod probe;
mod registry;
mod reopen;
mod rotate;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod scratch;
mod std_stream;
mod sync_timer;
mod writer;

use std::{io, num::NonZeroU16, sync::Arc};

#[cfg(any(feature = "forward", feature = "http"))]
pub use self::credential::Credential;
#[cfg(all(feature = "config", feature = "testing"))]
pub(crate) use self::probe::rehearsed;
pub use self::{
    archive::{Compression, Retention},
    durability::Durability,
    file::FileSink,
    lines::{Lines, write_line},
    reopen::ReopenPolicy,
    rotate::{Alignment, FileLocking, RotatedFile, RotatingFileSink, TimeOfDay, Weekday, When},
    std_stream::StdStream,
    writer::{MakeWriterSink, WriterSink},
};
#[cfg(feature = "config")]
pub(crate) use self::{creations::Creations, registry::allow_takeover};
pub(crate) use self::{
    deferred_errors::LedgerLink,
    file_lock::{try_lock, unlock},
    file_spec::FileSpec,
    lines::LineOwner,
    registry::claim,
    rotate::{Schedule, Settings},
    std_stream::has_written_to_stderr,
};

/// Takes finished lines. Object-safe; called from many threads at once.
///
/// [`Stream::writer`](crate::output::Stream::writer) and [`Stream::make_writer`](crate::output::Stream::make_writer)
/// make a sink of any [`io::Write`] and any `MakeWriter`.
///
/// ```
/// use std::{io, sync::atomic::{AtomicU64, Ordering}};
/// use tracing_strata::{output::Stream, prelude::*, sink::Lines};
///
/// /// Counts bytes and writes nothing.
/// struct ByteCounter(AtomicU64);
///
/// impl Sink for ByteCounter {
///     fn write(&self, lines: &mut Lines<'_>) -> io::Result<()> {
///         lines.write_each(|line| {
///             self.0.fetch_add(line.len() as u64, Ordering::Relaxed);
///             Ok(())
///         })
///     }
/// }
///
/// let layer = Stream::sink(ByteCounter(AtomicU64::new(0))).into_layer().named("bytes");
/// # drop(layer);
/// ```
pub trait Sink: Send + Sync + 'static {
    /// Writes lines: usually one, more behind a [`Queue`](crate::Queue) if the sink
    /// [supports batching](SinkProperties::supports_batching). It marks each line, in order, as
    /// [written](Lines::written) or [dropped](Lines::dropped).
    ///
    /// # Errors
    /// The first line that is not marked failed: it was written in part or not at all. The output counts it as failed
    /// and calls again with the lines after it.
    fn write(&self, lines: &mut Lines<'_>) -> io::Result<()>;

    /// Writes out what the sink buffers. By default it does nothing, for sinks that buffer nothing.
    ///
    /// # Errors
    /// Some of it is still in the buffer, or, with [`FlushTo::Disk`], may not be on the disk.
    fn flush(&self, to: FlushTo) -> io::Result<()> {
        let _ = to;
        Ok(())
    }

    /// What an output must know about the sink. It asks when it is built. By default: no terminal, no batching.
    fn properties(&self) -> SinkProperties {
        SinkProperties::default()
    }
}

/// How far [`Sink::flush`] brings the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlushTo {
    /// To the operating system, the writer or the peer.
    System,
    /// To the disk itself, if there is one (fdatasync(2)). For
    /// [`Formatted::sync_on`](crate::output::Formatted::sync_on).
    Disk,
}

/// What an output must know about a sink.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SinkProperties {
    /// A person probably reads it right away: formats use colour only then.
    pub is_terminal: bool,
    /// How many characters a line of that terminal has, if it is known: [`Text::pretty`](crate::format::Text::pretty)
    /// breaks lines there. Of a terminal, an output asks again once a second.
    pub columns: Option<NonZeroU16>,
    /// One [`write`](Sink::write) of many lines costs less than many of one. Then a handler behind a
    /// [`Queue`](crate::Queue) collects lines until it has 64 KiB or the queue is empty.
    pub supports_batching: bool,
}

macro_rules! forward {
    ($($pointer:ty),*) => {$(
        impl<S: Sink + ?Sized> Sink for $pointer {
            #[inline]
            fn write(&self, lines: &mut Lines<'_>) -> io::Result<()> { (**self).write(lines) }
            fn flush(&self, to: FlushTo) -> io::Result<()> { (**self).flush(to) }
            fn properties(&self) -> SinkProperties { (**self).properties() }
        }
    )*};
}

forward!(Box<S>, Arc<S>);
