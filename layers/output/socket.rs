//! Sends records over a stream: TCP, TLS, a unix socket.

use std::fmt;

use super::{
    Formatted,
    queued::{QueuedOutput, RECONNECT_TIMEOUT, queued_output_builder},
};
use crate::{
    Delivery, Description, Error, Format, Handler, Outcome,
    format::Json,
    handler::Flush,
    sink::net::{Address, Connection, ConnectionBuilder},
};

/// Sends records over a stream: TCP, TLS, a unix socket.
///
/// Python: `logging.handlers.SocketHandler`.
///
/// # Examples
///
/// JSON lines to a collector, and to a file while that is away:
///
/// ```
/// use std::{io::{BufRead as _, BufReader}, net::TcpListener};
/// use tracing_strata::{output::{LogFile, Socket}, prelude::*, sink::net::Address};
/// use tracing_subscriber::prelude::*;
///
/// # let path = std::env::temp_dir().join(format!("strata-socket-{}.log", std::process::id()));
/// let collector = TcpListener::bind("127.0.0.1:0")?;
/// let socket = Socket::builder(Address::tcp("127.0.0.1", collector.local_addr()?.port()))
///     .fallback(LogFile::builder(&path).open_lazily(true).build()?)
///     .build()?;
/// tracing::subscriber::with_default(tracing_subscriber::registry().with(socket.into_layer()), || {
///     tracing::info!(target: "shop", order = 7, "paid");
/// });
///
/// let mut line = String::new();
/// BufReader::new(collector.accept()?.0).read_line(&mut line)?;
/// assert!(line.contains(r#""message":"paid","order":7"#) && line.ends_with('\n'));
/// assert!(!path.exists());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # What is sent
///
/// Each record as the format makes it, framed so that the peer can tell records apart:
///
/// | for | format | [framing](crate::sink::net::Framing) |
/// |---|---|---|
/// | most collectors (default) | [`Json`] | `Lines` |
/// | receivers that read a length first | [`Json`] | `Length`, to be [chosen](ConnectionBuilder::framing) |
/// | Graylog, over TCP | [`Gelf`](crate::format::Gelf) | `Nul` |
/// | a receiver of Python's `SocketHandler` | [`Pickle`](crate::format::Pickle), which writes the length itself | `None` |
///
/// The framing is the [format's](Format::framing) unless you choose another; one that would change bytes of a pickle is
/// an error. Whatever a record contains, it cannot become two: see [`Framing`](crate::sink::net::Framing).
///
/// # When it blocks
///
/// Never: the thread of its [`Queue`](crate::Queue) connects and sends. While the peer is away and there is no fallback,
/// a record waits there for up to 5 s (see [`reconnect_timeout`](ConnectionBuilder::reconnect_timeout)), and the ones
/// behind it wait with it; what finds the queue full is dropped, errors last. The handler that
/// [`build_sync`](SocketBuilder::build_sync) makes blocks as [`Connection`] describes.
///
/// # Failures
///
/// A record that could not be sent counts as failed and goes to the error handler, or to the
/// [fallback](SocketBuilder::fallback). With [`Backoff::python`](crate::sink::net::Backoff::python) it counts as dropped,
/// silently. "Written" means that the system took all of it: [what a stream promises](crate::sink::net#what-a-stream-promises).
///
/// # Differences from Python
///
/// - JSON lines by default. Python's receivers get `Pickle`, which is plain data: reading it executes nothing.
/// - A record is never taken for part of another, and nothing is written to a connection whose end is known. (A peer
///   that closes it at the same moment may cost the record being sent, which counts as written.)
/// - Connecting, the TLS handshake and writing have timeouts of their own; the peer's address may be looked up again for
///   each connection.
pub struct Socket<F = Json> {
    inner: Formatted<F, Connection>,
}

impl Socket {
    /// The peer at an address, or at a [`Connection::builder`], which has more options. No I/O.
    ///
    /// | option | default |
    /// |---|---|
    /// | [`format`](SocketBuilder::format) | [`Json`] |
    /// | [`queue`](SocketBuilder::queue) | [`Queue::builder`](crate::Queue::builder)'s limits, [`Overflow::DropNewest`](crate::handler::queue::Overflow::DropNewest) |
    /// | [`fallback`](SocketBuilder::fallback) | no fallback |
    pub fn builder(to: impl Into<ConnectionBuilder>) -> SocketBuilder {
        SocketBuilder { to: to.into(), format: Json::new(), queued: QueuedOutput::default() }
    }
}

impl<F: Format> Socket<F> {
    /// The connection.
    pub fn connection(&self) -> &Connection {
        self.inner.as_sink()
    }

    /// The peer's address.
    pub fn address(&self) -> &Address {
        self.connection().address()
    }
}

impl<F: Format> Handler for Socket<F> {
    fn handle(&self, delivery: Delivery<'_>) -> Result<Outcome, Error> {
        self.inner.handle(delivery)
    }

    fn flush(&self, how: &Flush) -> Result<(), Error> {
        self.inner.flush(how)
    }

    fn describe(&self) -> Description {
        self.inner.describe()
    }
}

impl<F: Format> fmt::Debug for Socket<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Socket").field(self.connection()).finish()
    }
}

/// How records get to a peer. Made by [`Socket::builder`].
#[derive(Debug)]
#[must_use]
pub struct SocketBuilder<F = Json> {
    to: ConnectionBuilder,
    format: F,
    queued: QueuedOutput,
}

impl<F: Format> SocketBuilder<F> {
    /// The format.
    pub fn format<G: Format>(self, format: G) -> SocketBuilder<G> {
        let Self { to, queued, .. } = self;
        SocketBuilder { to, format, queued }
    }

    queued_output_builder!(
        Socket<F>,
        "socket",
        "A record then does not wait for a peer that is away, unless \
         [`reconnect_timeout`](ConnectionBuilder::reconnect_timeout) is set. For a peer that hangs, the first record waits \
         for the timeouts, and later ones now and then for a part of them: see \
         [`Connection`](crate::sink::net::Connection)."
    );

    fn queue_defaults(mut self) -> Self {
        if self.queued.fallback.is_none() {
            self.to = self.to.default_reconnect_timeout(RECONNECT_TIMEOUT);
        }
        self
    }

    fn connect(self) -> Result<Socket<F>, Error> {
        let address = self.to.address().to_string();
        let to = self.to.framing_of(self.format.framing())?;
        let inner = Formatted::new(self.format, to.build()?).terminator("").name(address);
        Ok(Socket { inner })
    }
}
