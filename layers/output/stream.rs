//! Sends records to standard output, standard error, or any writer.
//!
//! Python: `logging.StreamHandler`.

use std::{io, time::Duration};

use tracing_subscriber::fmt::MakeWriter;

use super::Formatted;
use crate::{
    Format, Sink,
    format::Text,
    sink::{MakeWriterSink, StdStream, WriterSink},
};

/// Makes handlers that write to streams, with [`Text`] as the format at first.
///
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
/// # What is written
/// Each record as the format makes it, with a line end, in one write. What a short write leaves follows at once. A record
/// of which only a part could be written is followed by a line break before the next one. Writers that are not stdout or
/// stderr are flushed after each record, so that "written" means what it says; for less I/O see
/// [`LogFile`](super::LogFile)'s buffer.
///
/// # When it blocks
/// As long as the stream does: a terminal that was stopped or a pipe that nobody reads blocks whoever writes to it. Where
/// stdout or stderr is non-blocking and full, a record waits up to [`timeout`](Formatted::timeout), then fails, and so
/// do further records, without waiting, until the stream has taken something. Writing takes std's lock of the stream: a
/// thread that keeps `io::stdout().lock()` holds up the others.
///
/// # Under systemd
/// A service's stdout and stderr are the journal, which takes lines: severity and fields are lost there. On Linux
/// `or_journal` notices it (`JOURNAL_STREAM`) and hands over to `Journald`.
///
/// # Failures
/// A closed pipe, a full disk or a closed stream is an error of the handler (told to the trap, counted in the ledger),
/// never a panic. Rust ignores SIGPIPE by default; a program that does not, dies of it here as elsewhere.
///
/// # Differences from Python
/// - stdout and stderr are what they are at the time of the record, not of the construction.
/// - A short write is completed, and a torn record never shares a line with the next one.
/// - The test harness cannot capture what goes to stdout and stderr here, as it is written past `print!`; in tests give
///   [`make_writer`](Self::make_writer) a `tracing_subscriber::fmt::TestWriter`.
#[derive(Debug)]
pub enum Stream {}

impl Stream {
    /// Standard output.
    pub fn stdout() -> Formatted<Text, StdStream> {
        Self::std(StdStream::stdout())
    }

    /// Standard error.
    pub fn stderr() -> Formatted<Text, StdStream> {
        Self::std(StdStream::stderr())
    }

    fn std(stream: StdStream) -> Formatted<Text, StdStream> {
        Self::sink(stream).place(stream.name())
    }

    /// Any writer, behind a lock.
    ///
    /// ```
    /// use tracing_strata::{prelude::*, output::Stream};
    ///
    /// let connection = std::net::TcpListener::bind("127.0.0.1:0")
    ///     .and_then(|listener| std::net::TcpStream::connect(listener.local_addr()?))?;
    /// let layer = Stream::writer(connection).place("log host").into_layer();
    /// # drop(layer);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn writer<W: io::Write + Send + 'static>(writer: W) -> Formatted<Text, WriterSink<W>> {
        Self::sink(WriterSink::new(writer)).place("writer")
    }

    /// Whatever `tracing_subscriber::fmt().with_writer(…)` takes: `tracing_appender`'s writers, a `Mutex`, a closure.
    /// It is asked for a writer for each record.
    pub fn make_writer<M>(maker: M) -> Formatted<Text, MakeWriterSink<M>>
    where
        M: for<'a> MakeWriter<'a> + Send + Sync + 'static,
    {
        Self::sink(MakeWriterSink::new(maker)).place("writer")
    }

    /// One's own sink.
    pub fn sink<S: Sink>(sink: S) -> Formatted<Text, S> {
        Formatted::new(Text::new(), sink)
    }
}

impl<F: Format> Formatted<F, StdStream> {
    /// How long one record may wait for a full, non-blocking stream (default: 1 s); see [`StdStream::timeout`].
    pub fn timeout(self, deadline: Duration) -> Self {
        self.map_sink(|stream| stream.timeout(deadline))
    }
}
