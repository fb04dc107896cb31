//! Sends records over a stream: TCP, TLS, a unix socket.
//!
//! Python: `logging.handlers.SocketHandler`.

use std::{fmt, sync::Arc};

use super::{
    Formatted,
    behind::{Behind, PATIENCE},
};
use crate::{
    Error, Format, Handler, Outcome, Queue, Record,
    format::Json,
    handler::queue::{QueueBuilder, QueueGuard},
    sink::net::{Address, Connection, ConnectionBuilder},
    trap::Ledger,
};

/// Sends records over a stream: TCP, TLS, a unix socket.
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
///     .or_else(LogFile::builder(&path).delay(true).build()?)
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
/// Each record as the format makes it, framed so that the peer can tell one from the next:
///
/// | for | format | [framing](crate::sink::net::Framing) |
/// |---|---|---|
/// | most collectors (default) | [`Json`] | `Lines` |
/// | receivers that read a length first | [`Json`] | `Length` |
/// | Graylog, over TCP | `Gelf` | `Nul` |
/// | a receiver of Python's `SocketHandler` | `Pickle`, which writes the length itself | `None` |
///
/// A record cannot become two, whatever is in it: see [`Framing`](crate::sink::net::Framing).
///
/// # When it blocks
///
/// Not at all: it sits behind a [`Queue`], whose thread connects and sends. A record waits there for up to 5 s for a peer that
/// is away (see [`patience`](ConnectionBuilder::patience)), and the ones behind it with it, unless there is a fallback; what
/// finds the queue full is dropped, errors last. The handler that [`build_direct`](SocketBuilder::build_direct) makes blocks
/// as [`Connection`] says.
///
/// # Failures
///
/// A record that could not be sent is told to the trap and counted as failed, or goes to the
/// [fallback](SocketBuilder::or_else). With [`Retry::python`](crate::sink::net::Retry::python) it counts as dropped, without a
/// word. "Written" means that the system took all of it: [what a stream promises](crate::sink::net#what-a-stream-promises).
///
/// # Differences from Python
///
/// - JSON lines by default. Python's receivers get `Pickle`, which is plain data: nothing is executed to read it.
/// - A record is never sent in part, and a connection that the peer has closed is noticed before a record is lost to it.
/// - Connecting, the TLS handshake and writing have deadlines of their own; the peer's address may be looked up anew with
///   each connection.
pub struct Socket<F = Json> {
    inner: Formatted<F, Connection>,
}

impl Socket {
    /// The peer at an address; a [`Connection::builder`] has more to say about how it is reached.
    ///
    /// | option | default |
    /// |---|---|
    /// | [`format`](SocketBuilder::format) | [`Json`] |
    /// | [`queue`](SocketBuilder::queue) | [`Queue::builder`]'s limits, [`Overflow::DropNewest`](crate::handler::queue::Overflow::DropNewest) |
    /// | [`or_else`](SocketBuilder::or_else) | no fallback |
    pub fn builder(to: impl Into<ConnectionBuilder>) -> SocketBuilder {
        SocketBuilder { to: to.into(), format: Json::new(), behind: Behind::default() }
    }
}

impl<F: Format> Socket<F> {
    /// The connection.
    pub fn connection(&self) -> &Connection {
        self.inner.sink()
    }

    /// Where the peer is.
    pub fn address(&self) -> &Address {
        self.connection().address()
    }
}

impl<F: Format> Handler for Socket<F> {
    fn handle(&self, record: &Record) -> Result<Outcome, Error> {
        self.inner.handle(record)
    }

    fn flush(&self) -> Result<(), Error> {
        self.inner.flush()
    }

    fn attach(&self, ledger: &Arc<Ledger>) {
        self.inner.attach(ledger);
    }

    fn default_name(&self) -> String {
        self.inner.default_name()
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
    behind: Behind,
}

impl<F: Format> SocketBuilder<F> {
    /// The format.
    pub fn format<G: Format>(self, format: G) -> SocketBuilder<G> {
        let Self { to, behind, .. } = self;
        SocketBuilder { to, format, behind }
    }

    /// How much may wait for the thread that sends, and what happens to more. Without a meaning for
    /// [`build_direct`](Self::build_direct).
    pub fn queue(mut self, queue: QueueBuilder) -> Self {
        self.behind.queue = queue;
        self
    }

    /// Who takes the records while the peer is away, on the queue's thread: see [`OrElse`](crate::handler::OrElse). A record
    /// then does not wait for the peer, unless [`patience`](ConnectionBuilder::patience) says so.
    pub fn or_else(mut self, fallback: impl Handler) -> Self {
        self.behind.fallback = Some(Arc::new(fallback));
        self
    }

    /// The handler behind a queue of its own: a thread formats, connects and sends. Dropping it sends what waits.
    ///
    /// # Errors
    /// As for [`ConnectionBuilder::build`]; the queue cannot start its thread.
    pub fn build(self) -> Result<Queue, Error> {
        let (handler, behind) = self.parts()?;
        behind.own(handler)
    }

    /// The same with a guard, which sends what waits when it is dropped, at the end of `main`.
    ///
    /// # Errors
    /// As for [`build`](Self::build).
    pub fn spawn(self) -> Result<(Queue, QueueGuard), Error> {
        let (handler, behind) = self.parts()?;
        behind.spawn(handler)
    }

    /// The handler without a queue, which sends on the thread that logs; or to be put behind a queue with others.
    ///
    /// # Errors
    /// As for [`ConnectionBuilder::build`]; there is an [`or_else`](Self::or_else), which belongs to a queue.
    pub fn build_direct(self) -> Result<Socket<F>, Error> {
        self.behind.refuse_fallback("socket")?;
        self.connect()
    }

    fn parts(mut self) -> Result<(Socket<F>, Behind), Error> {
        if self.behind.fallback.is_none() {
            self.to = self.to.default_patience(PATIENCE);
        }
        let behind = self.behind.clone();
        Ok((self.connect()?, behind))
    }

    fn connect(self) -> Result<Socket<F>, Error> {
        let place = self.to.address().to_string();
        let inner = Formatted::new(self.format, self.to.build()?).terminator("").place(place);
        Ok(Socket { inner })
    }
}
