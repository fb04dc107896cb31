//! Sends records to a syslog daemon, of this machine or another one (RFC 5424, RFC 3164).
//!
//! Python: `logging.handlers.SysLogHandler`.

use std::{fmt, path::Path};

use super::{
    Formatted,
    behind::{PATIENCE, QueuedOutput, behind_a_queue},
};
use crate::{
    Delivery, Description, Error, Handler, Outcome, Queue, format,
    handler::Flush,
    sink::net::{Address, ConnectionBuilder, Framing, NetSink},
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
///     .format(format::SyslogFormat::rfc5424().app("shop").sd_id("shop@32473"))
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
///     .format(format::SyslogFormat::rfc5424().facility(Facility::Local3).app("shop"))
///     .build()?;
/// # }
/// # Ok::<(), tracing_strata::Error>(())
/// ```
///
/// # What is sent
///
/// [`format::SyslogFormat`] says what of a record stands where. Which form it has, how messages are told apart, and how long
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
/// Not at all: it sits behind a [`Queue`], unless it was made by [`build_sync`](SyslogBuilder::build_sync). That one blocks, with a
/// datagram, only while the socket's queue is full, up to the
/// [write deadline](ConnectionBuilder::write_timeout); a stream as [`Connection`](crate::sink::net::Connection) says.
/// Nothing is opened before the first record.
///
/// # Failures
///
/// A record that could not be sent is told to the trap and counted as failed; with
/// [`Backoff::python`](crate::sink::net::Backoff::python) it counts as dropped, without a word. Over a unix socket "written" means
/// that it was sent, over a stream that the system took all of it:
/// [what a stream promises](crate::sink::net#what-a-stream-promises). Over UDP it means that it was sent, too; that nobody
/// listens is known one message later at the earliest, as of a [`Datagram`](super::Datagram#failures).
///
/// # Differences from Python
///
/// - The default is RFC 5424 (the daemon of this machine: RFC 3164), with the fields; [`format::SyslogFormat::python`] is what
///   Python sends.
/// - A TCP address gets messages that can be told apart.
/// - Nothing has to listen when it is built, and connecting, writing and looking up names have deadlines.
pub struct Syslog {
    inner: Formatted<format::SyslogFormat, NetSink>,
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
        Self::at_first_of(&SOCKETS)
    }

    fn at_first_of(paths: &[&str]) -> Result<Queue, Error> {
        let path = paths.iter().find(|path| Path::new(path).exists()).ok_or_else(|| {
            Error::config(format_args!("no syslog daemon on this machine: expected a socket at {}", paths.join(", ")))
        })?;
        Self::builder(Address::unix(path)).build()
    }

    /// The daemon at an address; a [`Connection::builder`](crate::sink::net::Connection::builder) has more to say about
    /// how it is reached.
    pub fn builder(to: impl Into<ConnectionBuilder>) -> SyslogBuilder {
        SyslogBuilder { to: to.into(), format: None, behind: QueuedOutput::default() }
    }
}

impl Handler for Syslog {
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
    format: Option<format::SyslogFormat>,
    behind: QueuedOutput,
}

impl SyslogBuilder {
    /// What is sent (default: by the address, see [what is sent](Syslog#what-is-sent)).
    pub fn format(mut self, format: format::SyslogFormat) -> Self {
        self.format = Some(format);
        self
    }

    behind_a_queue!(
        Syslog,
        "syslog",
        "A record then does not wait for a peer that is away, unless [`reconnect_timeout`](ConnectionBuilder::reconnect_timeout) says so. For \
         one that hangs, the first waits for the deadlines, and later ones for a part of them now and then, as \
         [`Connection`](crate::sink::net::Connection) says."
    );

    fn queued(mut self) -> Self {
        if self.behind.fallback.is_none() {
            self.to = self.to.default_reconnect_timeout(PATIENCE);
        }
        self
    }

    fn connect(self) -> Result<Syslog, Error> {
        let Self { to, format, behind: _ } = self;
        let address = to.address().clone();
        let is_local = matches!(address, Address::Unix(_) | Address::UnixDatagram(_) | Address::UnixStream(_));
        let format =
            format.unwrap_or_else(if is_local { format::SyslogFormat::local } else { format::SyslogFormat::rfc5424 });
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
        let inner = Formatted::new(format, to.build_net_sink()?).terminator("").place(address.to_string());
        Ok(Syslog { inner })
    }
}

#[cfg(all(test, unix))]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::os::unix::net::{UnixDatagram, UnixListener};

    use super::*;
    use crate::{HandlerExt as _, Record, Severity};

    /// As `/dev/log` is: a socket, or a link to one, of either kind.
    #[test]
    fn local_takes_the_first_socket_that_is_there() {
        let dir = std::env::temp_dir().join(format!("strata-syslog-local-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let path = |name: &str| dir.join(name).to_str().unwrap().to_owned();
        let (absent, log, run) = (path("absent"), path("log"), path("run"));

        let error = Syslog::at_first_of(&[&absent, &log]).unwrap_err();
        assert!(
            error.is_config() && error.to_string().contains(&absent) && error.to_string().contains(&log),
            "{error}"
        );

        let daemon = UnixDatagram::bind(&run).unwrap();
        std::os::unix::fs::symlink(&run, &log).unwrap();
        let later = UnixDatagram::bind(path("later")).unwrap();
        let handler = Syslog::at_first_of(&[&absent, &log, &path("later")]).unwrap().named("local");
        handler.emit(&Record::new(Severity::ERROR, "app", "one\ntwo"));
        handler.flush().unwrap();
        assert_eq!((handler.stats().written, handler.stats().accepted()), (1, 1));
        let mut bytes = [0; 512];
        let length = daemon.recv(&mut bytes).unwrap();
        let text = std::str::from_utf8(&bytes[..length]).unwrap();
        assert!(text.starts_with("<11>") && text.ends_with("]: app: one\\ntwo"), "{text}");
        later.set_nonblocking(true).unwrap();
        assert!(later.recv(&mut bytes).is_err());

        std::fs::remove_file(&log).unwrap();
        let stream = UnixListener::bind(&log).unwrap();
        let handler = Syslog::at_first_of(&[&log]).unwrap().named("local");
        handler.emit(&Record::new(Severity::INFO, "app", "over a stream"));
        drop(handler);
        let mut text = String::new();
        std::io::Read::read_to_string(&mut stream.accept().unwrap().0, &mut text).unwrap();
        assert!(text.starts_with("<14>") && text.ends_with("]: app: over a stream\0"), "{text:?}");
        std::fs::remove_dir_all(dir).unwrap();
    }
}
