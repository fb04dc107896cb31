//! Writes records to standard output, standard error, or any writer.

use std::{io, time::Duration};

use tracing_subscriber::fmt::MakeWriter;

use super::Formatted;
use crate::{
    Format, Sink,
    format::Text,
    sink::{MakeWriterSink, StdStream, WriterSink},
};

/// Writes records to standard output, standard error, or any writer.
///
/// Python: `logging.StreamHandler`.
///
/// # Examples
/// ```
/// use tracing_strata::{prelude::*, Severity, format::Json, output::Stream};
/// use tracing_subscriber::prelude::*;
///
/// let subscriber = tracing_subscriber::registry()
///     .with(Stream::stderr().min_level(Severity::WARN).into_layer())
///     .with(Stream::stdout().format(Json::new()).into_layer());
/// # drop(subscriber);
/// ```
///
/// The constructors [`stdout`](Stream::stdout), [`stderr`](Stream::stderr), [`writer`](Stream::writer),
/// [`make_writer`](Stream::make_writer) and [`sink`](Stream::sink) do no I/O. The format is [`Text`] until another is
/// [set](Formatted::format).
///
/// # What is sent
/// Each record as the format makes it, with a line end, in one write. A short write is completed at once. After a record
/// that was written only in part, the next one begins with a line break. Writers other than stdout and stderr are flushed
/// after each record, so that "written" means what it says; for less I/O see [`LogFile`](super::LogFile)'s buffer.
///
/// # When it blocks
/// As long as the stream does: a stopped terminal or a pipe that nobody reads blocks the writer. Where stdout or stderr
/// is non-blocking and full, a record waits up to [`timeout`](Formatted::timeout), then fails. Further records fail
/// without waiting until the stream takes bytes again. A write takes std's lock of the stream: a thread that keeps
/// `io::stdout().lock()` blocks the others.
///
/// # Failures
/// A closed pipe, a full disk or a closed stream fails the record, goes to the error handler, and never panics. Rust
/// ignores SIGPIPE by default; a program that restores it is killed by it here as elsewhere.
///
/// # Under systemd
/// A service's stdout and stderr go to the journal, which takes plain lines: severity and fields are lost. On Linux
/// `or_journal` detects this (`JOURNAL_STREAM`) and switches to `Journald`.
///
/// # Differences from Python
/// - stdout and stderr are those at the time of the record, not of the construction.
/// - A short write is completed, and a torn record never shares a line with the next one.
/// - Output bypasses `print!`, so the test harness cannot capture it; in tests pass a
///   `tracing_subscriber::fmt::TestWriter` to [`make_writer`](Stream::make_writer).
pub type Stream<F = Text, S = StdStream> = Formatted<F, S>;

impl Formatted<Text, StdStream> {
    /// Standard output.
    pub fn stdout() -> Self {
        Self::std(StdStream::stdout())
    }

    /// Standard error.
    pub fn stderr() -> Self {
        Self::std(StdStream::stderr())
    }

    fn std(stream: StdStream) -> Self {
        Self::sink(stream).name(stream.name())
    }
}

impl<W: io::Write + Send + 'static> Formatted<Text, WriterSink<W>> {
    /// Any writer, behind a lock.
    ///
    /// ```
    /// use tracing_strata::{prelude::*, output::Stream};
    ///
    /// let connection = std::net::TcpListener::bind("127.0.0.1:0")
    ///     .and_then(|listener| std::net::TcpStream::connect(listener.local_addr()?))?;
    /// let layer = Stream::writer(connection).name("log host").into_layer();
    /// # drop(layer);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn writer(writer: W) -> Self {
        Self::sink(WriterSink::new(writer)).name("writer")
    }
}

impl<M> Formatted<Text, MakeWriterSink<M>>
where
    M: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    /// Anything that `tracing_subscriber::fmt().with_writer(…)` takes: `tracing_appender`'s writers, a `Mutex`, a closure.
    /// It makes a writer for each record.
    pub fn make_writer(maker: M) -> Self {
        Self::sink(MakeWriterSink::new(maker)).name("writer")
    }
}

impl<S: Sink> Formatted<Text, S> {
    /// Your own sink, with [`Text`]; [`Formatted::new`] takes the format as well.
    pub fn sink(sink: S) -> Self {
        Self::new(Text::new(), sink)
    }
}

impl<F: Format> Formatted<F, StdStream> {
    /// How long one record may wait for a full, non-blocking stream (default: 1 s); see [`StdStream::timeout`].
    pub fn timeout(self, timeout: Duration) -> Self {
        self.map_sink(|stream| stream.timeout(timeout))
    }
}
