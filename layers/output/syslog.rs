//! Sends records to a syslog daemon, of this machine or another one (RFC 5424, RFC 3164).
//!
//! Python: `logging.handlers.SysLogHandler`.

use std::{fmt, path::Path, sync::Arc};

use super::{
    Formatted,
    behind::{Behind, PATIENCE},
};
use crate::{
    Error, Handler, Outcome, Queue, Record, format,
    handler::queue::{QueueBuilder, QueueGuard},
    sink::net::{Address, ConnectionBuilder, Framing, Wire},
    trap::Ledger,
};

/// Sends records to a syslog daemon, of this machine or another one.
///
/// # Examples
///
/// ```
/// use std::net::UdpSocket;
/// use tracing_strata::{format, output::Syslog, prelude::*, sink::net::Address};
/// use tracing_subscriber::prelude::*;
///
/// let daemon = UdpSocket::bind("127.0.0.1:0")?;
/// let syslog = Syslog::builder(Address::udp("127.0.0.1", daemon.local_addr()?.port()))
///     .format(format::Syslog::rfc5424().app("shop").sd_id("shop@32473"))
///     .build()?;
/// tracing::subscriber::with_default(tracing_subscriber::registry().with(syslog.into_layer()), || {
///     tracing::warn!(target: "shop::pay", amount = 12.5, "card refused");
/// });
/// // Dropped with the subscriber, it has sent what it held.
///
/// let mut message = [0; 2048];
/// let length = daemon.recv(&mut message)?;
/// let message = std::str::from_utf8(&message[..length])?;
/// assert!(message.starts_with("<12>1 "), "{message}");
/// assert!(message.ends_with(r#" shop::pay [shop@32473 amount="12.5"] card refused"#), "{message}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// The daemon of this machine, and one far away, with TLS (RFC 5425; feature `tls`):
///
/// ```no_run
/// # #[cfg(feature = "tls")] {
/// use tracing_strata::{format::{self, Facility}, output::Syslog, sink::net::{Address, Connection, Tls}};
///
/// let local = Syslog::local()?;
/// let far = Syslog::builder(Connection::builder(Address::tls("logs.example.com", 6514)).tls(Tls::new().ca_file("ca.pem")))
///     .format(format::Syslog::rfc5424().facility(Facility::Local3).app("shop"))
///     .build()?;
/// # }
/// # Ok::<(), tracing_strata::Error>(())
/// ```
///
/// # What is sent
///
/// [`format::Syslog`] says what of a record stands where. Which form it has, how messages are told apart, and how long
/// they may be, depends on the address, unless it is said:
///
/// | address | form | framing | at most |
/// |---|---|---|---|
/// | [`Udp`](Address::Udp) | 5424 | a datagram each | 1,400 bytes (3164: 1,024), so that they are not cut up on their way |
/// | [`Tcp`](Address::Tcp), [`Tls`](Address::Tls) | 5424 | [`OctetCounting`](Framing::OctetCounting) (RFC 6587, RFC 5425) | 64 KiB |
/// | [`Unix`](Address::Unix), [`UnixDatagram`](Address::UnixDatagram) | local | a datagram each | 64 KiB |
/// | [`UnixStream`](Address::UnixStream) | local | [`Nul`](Framing::Nul) | 64 KiB |
///
/// [`Lines`](Framing::Lines) are for receivers that count no octets. Python's form ends its messages itself, and has no
/// limit of ours.
///
/// # When it blocks
///
/// Not at all: it sits behind a [`Queue`], unless it was made by [`build_direct`](SyslogBuilder::build_direct). That one blocks, with a
/// datagram, only while the socket's queue is full, up to the
/// [write deadline](ConnectionBuilder::write_deadline); a stream as [`Connection`](crate::sink::net::Connection) says.
/// Nothing is opened before the first record.
///
/// # Failures
///
/// A record that could not be sent is told to the trap and counted as failed; with
/// [`Retry::python`](crate::sink::net::Retry::python) it counts as dropped, without a word. Over UDP and a unix socket "written" means that it was sent, over a
/// stream that the system took all of it: [what a stream promises](crate::sink::net#what-a-stream-promises).
///
/// # Differences from Python
///
/// - The default is RFC 5424 (the daemon of this machine: RFC 3164), with the fields; [`format::Syslog::python`] is what
///   Python sends.
/// - A TCP address gets messages that can be told apart.
/// - Nothing has to listen when it is built, and connecting, writing and looking up names have deadlines.
pub struct Syslog {
    inner: Formatted<format::Syslog, Wire>,
}

/// Where the daemon of this machine listens: Linux, macOS, the BSDs.
const SOCKETS: [&str; 3] = ["/dev/log", "/var/run/syslog", "/var/run/log"];

const UDP_5424: usize = 1_400;
/// RFC 3164, 4.1.
const UDP_3164: usize = 1_024;
const LONG: usize = 64 << 10;

impl Syslog {
    /// The daemon of this machine, at the first of `/dev/log`, `/var/run/syslog` and `/var/run/log` that is there.
    ///
    /// # Errors
    /// None of them is there.
    pub fn local() -> Result<Queue, Error> {
        let path = SOCKETS.into_iter().find(|path| Path::new(path).exists()).ok_or_else(|| {
            Error::config(format_args!("no syslog daemon on this machine: expected a socket at {}", SOCKETS.join(", ")))
        })?;
        Self::builder(Address::unix(path)).build()
    }

    /// The daemon at an address; a [`Connection::builder`](crate::sink::net::Connection::builder) has more to say about
    /// how it is reached.
    pub fn builder(to: impl Into<ConnectionBuilder>) -> SyslogBuilder {
        SyslogBuilder { to: to.into(), format: None, behind: Behind::default() }
    }
}

impl Handler for Syslog {
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

impl fmt::Debug for Syslog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Syslog").field(self.inner.sink()).finish()
    }
}

/// How records get to a syslog daemon. Made by [`Syslog::builder`].
#[derive(Debug)]
#[must_use]
pub struct SyslogBuilder {
    to: ConnectionBuilder,
    format: Option<format::Syslog>,
    behind: Behind,
}

impl SyslogBuilder {
    /// What is sent (default: by the address, see [what is sent](Syslog#what-is-sent)).
    pub fn format(mut self, format: format::Syslog) -> Self {
        self.format = Some(format);
        self
    }

    /// How much may wait for the thread that sends, and what happens to more (default: [`Queue::builder`]'s limits, and
    /// [`Overflow::DropNewest`](crate::handler::queue::Overflow::DropNewest)). Without a meaning for [`build_direct`](Self::build_direct).
    pub fn queue(mut self, queue: QueueBuilder) -> Self {
        self.behind.queue = queue;
        self
    }

    /// Who takes the records while the daemon is away, on the queue's thread: see [`OrElse`](crate::handler::OrElse). A
    /// record then does not wait for the daemon, unless [`patience`](ConnectionBuilder::patience) says so.
    pub fn or_else(mut self, fallback: impl Handler) -> Self {
        self.behind.fallback = Some(Arc::new(fallback));
        self
    }

    /// The handler behind a queue of its own, so that nobody waits for the daemon: a thread formats and sends. Dropping it
    /// sends what waits.
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
    pub fn build_direct(self) -> Result<Syslog, Error> {
        self.behind.refuse_fallback("syslog")?;
        self.connect()
    }

    fn parts(mut self) -> Result<(Syslog, Behind), Error> {
        if self.behind.fallback.is_none() {
            self.to = self.to.default_patience(PATIENCE);
        }
        let behind = self.behind.clone();
        Ok((self.connect()?, behind))
    }

    fn connect(self) -> Result<Syslog, Error> {
        let Self { to, format, behind: _ } = self;
        let address = to.address().clone();
        let is_local = matches!(address, Address::Unix(_) | Address::UnixDatagram(_) | Address::UnixStream(_));
        let format = format.unwrap_or_else(if is_local { format::Syslog::local } else { format::Syslog::rfc5424 });
        let to = to.default_framing(match address {
            _ if format.is_python() => Framing::None,
            Address::Tcp { .. } | Address::Tls { .. } => Framing::OctetCounting,
            _ => Framing::Nul,
        });
        let format = match address {
            Address::Udp { .. } => format.default_max_bytes(UDP_5424, UDP_3164),
            _ => format.default_max_bytes(LONG, LONG),
        };
        let ends_at_a_byte = matches!(to.chosen_framing(), Framing::Lines | Framing::Nul);
        let format = match address {
            // Of these only connecting tells whether they are streams.
            Address::Unix(_) if ends_at_a_byte => format.only_lines(),
            _ if !address.is_datagram() && ends_at_a_byte => format.only_lines(),
            _ => format,
        };
        let inner = Formatted::new(format, to.build_wire()?).terminator("").place(address.to_string());
        Ok(Syslog { inner })
    }
}
