//! Sends records to a syslog daemon, local or remote (RFC 5424, RFC 3164).

use std::{fmt, path::PathBuf, time::Duration};

use super::{
    Formatted,
    queued::{QueuedOutput, RECONNECT_TIMEOUT, queued_output_builder},
};
use crate::{
    Delivery, Description, Error, Handler, Outcome, format,
    handler::Flush,
    sink::net::{Address, ConnectionBuilder, Framing, NetSink},
};

/// Sends records to a syslog daemon, local or remote (RFC 5424, RFC 3164).
///
/// Python: `logging.handlers.SysLogHandler`.
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
/// // Dropped with the subscriber, it has sent what was queued.
///
/// let mut message = [0; 2048];
/// let length = daemon.recv(&mut message)?;
/// let message = std::str::from_utf8(&message[..length])?;
/// assert!(message.starts_with("<12>1 "), "{message}");
/// assert!(message.ends_with(r#" shop::pay [shop@32473 amount="12.5"] card refused"#), "{message}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// The daemon of this machine, and a remote one over TLS (RFC 5425; feature `tls`):
///
/// ```no_run
/// # #[cfg(feature = "tls")] {
/// use tracing_strata::{format::{self, Facility}, output::Syslog, sink::net::{Address, Connection, Tls}};
///
/// let local = Syslog::local().build()?;
/// let remote = Syslog::builder(Connection::builder(Address::tls("logs.example.com", 6514)).tls(Tls::new().ca_file("ca.pem")))
///     .format(format::SyslogFormat::rfc5424().facility(Facility::Local3).app("shop"))
///     .build()?;
/// # }
/// # Ok::<(), tracing_strata::Error>(())
/// ```
///
/// # What is sent
///
/// [`format::SyslogFormat`] has the mapping. The form, the framing and the longest message depend on the address, unless
/// they are set:
///
/// | address | form | framing | at most |
/// |---|---|---|---|
/// | [`Udp`](Address::Udp) | 5424 | a datagram each | 1,400 bytes (3164: 1,024), to avoid fragmentation |
/// | [`Tcp`](Address::Tcp), [`Tls`](Address::Tls) | 5424 | [`OctetCounting`](Framing::OctetCounting) (RFC 6587, RFC 5425) | 64 KiB |
/// | [`Unix`](Address::Unix), [`UnixDatagram`](Address::UnixDatagram) | local | a datagram each | 64 KiB |
/// | [`UnixStream`](Address::UnixStream) | local | [`Nul`](Framing::Nul) | 64 KiB |
///
/// [`Lines`](Framing::Lines) are for receivers that do not count octets. Python's form ends its messages itself, and has
/// no limit here.
///
/// # When it blocks
///
/// Never: the thread of its [`Queue`](crate::Queue) sends. The handler that [`build_sync`](SyslogBuilder::build_sync)
/// makes blocks, for datagrams, only while the socket's buffer is full, up to the
/// [write timeout](ConnectionBuilder::write_timeout), and where a unix socket is away up to the
/// [reconnect timeout](ConnectionBuilder::reconnect_timeout); for streams as [`Connection`](crate::sink::net::Connection)
/// describes. Nothing is opened before the first record.
///
/// # Failures
///
/// Behind its queue and without a fallback, a record to a stream or a unix socket waits up to 5 s for a daemon that is away, as
/// while it restarts, and the ones after it wait in the queue. A record that could not be sent counts as failed and goes to the error handler; with
/// [`Backoff::python`](crate::sink::net::Backoff::python) it counts as dropped, silently. "Written" means, over a unix
/// socket, that it was sent; over a stream, that the system took all of it:
/// [what a stream promises](crate::sink::net#what-a-stream-promises). Over UDP it means that it was sent, too; that nobody
/// listens is known one message later at the earliest, as for a [`Datagram`](super::Datagram#failures).
///
/// # Differences from Python
///
/// - The default is RFC 5424 (the daemon of this machine: RFC 3164), with the fields; [`format::SyslogFormat::python`] is what
///   Python sends.
/// - Messages over TCP are framed.
/// - The daemon need not be there when the handler is built, and connecting, writing and looking up names have timeouts.
pub struct Syslog {
    inner: Formatted<format::SyslogFormat, NetSink>,
}

/// Where the daemon of this machine listens: Linux, macOS, the BSDs.
const LOCAL_SOCKETS: [&str; 3] = ["/dev/log", "/var/run/syslog", "/var/run/log"];

const UDP_5424: usize = 1_400;
/// RFC 3164, 4.1.
const UDP_3164: usize = 1_024;
const LONG: usize = 64 << 10;

impl Syslog {
    /// The daemon of this machine: [`build`](SyslogBuilder::build) takes the first of `/dev/log`, `/var/run/syslog` and
    /// `/var/run/log` that exists, and fails if none does.
    pub fn local() -> SyslogBuilder {
        Self::first_of(&LOCAL_SOCKETS)
    }

    fn first_of(sockets: &[&str]) -> SyslogBuilder {
        SyslogBuilder::new(Daemon::FirstOf(sockets.iter().copied().map(Into::into).collect()))
    }

    /// The daemon at an address, or at a [`Connection::builder`](crate::sink::net::Connection::builder), which has more
    /// options. No I/O.
    pub fn builder(to: impl Into<ConnectionBuilder>) -> SyslogBuilder {
        SyslogBuilder::new(Daemon::At(Box::new(to.into())))
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
        f.debug_tuple("Syslog").field(self.inner.as_sink()).finish()
    }
}

/// How records get to a syslog daemon. Made by [`Syslog::builder`] and [`Syslog::local`].
#[derive(Debug)]
#[must_use]
pub struct SyslogBuilder {
    daemon: Daemon,
    format: Option<format::SyslogFormat>,
    reconnect_timeout: Option<Duration>,
    queued: QueuedOutput,
}

#[derive(Debug)]
enum Daemon {
    At(Box<ConnectionBuilder>),
    /// The first of these sockets that exists.
    FirstOf(Vec<PathBuf>),
}

impl Daemon {
    fn find(self) -> Result<ConnectionBuilder, Error> {
        match self {
            Self::At(to) => Ok(*to),
            Self::FirstOf(paths) => match paths.iter().find(|path| path.exists()) {
                Some(path) => Ok(Address::unix(path).into()),
                None => {
                    let paths: Vec<_> = paths.iter().map(|path| path.to_string_lossy()).collect();
                    Err(Error::config(format_args!(
                        "no syslog daemon on this machine: expected a socket at {}",
                        paths.join(", ")
                    )))
                }
            },
        }
    }
}

impl SyslogBuilder {
    fn new(daemon: Daemon) -> Self {
        Self { daemon, format: None, reconnect_timeout: None, queued: QueuedOutput::default() }
    }

    /// The format (default: by the address, see [what is sent](Syslog#what-is-sent)).
    pub fn format(mut self, format: format::SyslogFormat) -> Self {
        self.format = Some(format);
        self
    }

    queued_output_builder!(
        Syslog,
        "syslog",
        "A record then does not wait for a peer that is away, unless \
         [`reconnect_timeout`](ConnectionBuilder::reconnect_timeout) is set. For a peer that hangs, the first record waits \
         for the timeouts, and later ones now and then for a part of them: see \
         [`Connection`](crate::sink::net::Connection)."
    );

    fn queue_defaults(mut self) -> Self {
        self.reconnect_timeout = self.queued.fallback.is_none().then_some(RECONNECT_TIMEOUT);
        self
    }

    fn connect(self) -> Result<Syslog, Error> {
        let Self { daemon, format, reconnect_timeout, queued: _ } = self;
        let mut to = daemon.find()?;
        if let Some(timeout) = reconnect_timeout {
            to = to.default_reconnect_timeout(timeout);
        }
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
            // Only connecting shows whether such a socket is a stream.
            Address::Unix(_) if ends_at_a_byte => format.only_lines(),
            _ if !address.is_datagram() && ends_at_a_byte => format.only_lines(),
            _ => format,
        };
        let inner = Formatted::new(format, to.build_net_sink()?).terminator("").name(address.to_string());
        Ok(Syslog { inner })
    }
}

#[cfg(all(test, unix))]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::os::unix::net::{UnixDatagram, UnixListener};

    use super::*;
    use crate::{HandlerExt as _, Record, Severity};

    /// `/dev/log` is a socket or a link to one, of either kind.
    #[test]
    fn local_takes_the_first_socket_that_is_there() {
        let dir = std::env::temp_dir().join(format!("strata-syslog-local-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let path = |name: &str| dir.join(name).to_str().unwrap().to_owned();
        let (absent, log, run) = (path("absent"), path("log"), path("run"));

        let error = Syslog::first_of(&[&absent, &log]).build().unwrap_err();
        assert!(
            error.is_config() && error.to_string().contains(&absent) && error.to_string().contains(&log),
            "{error}"
        );

        let daemon = UnixDatagram::bind(&run).unwrap();
        std::os::unix::fs::symlink(&run, &log).unwrap();
        let later = UnixDatagram::bind(path("later")).unwrap();
        let handler = Syslog::first_of(&[&absent, &log, &path("later")]).build().unwrap().named("local");
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
        let handler = Syslog::first_of(&[&log]).build().unwrap().named("local");
        handler.emit(&Record::new(Severity::INFO, "app", "over a stream"));
        drop(handler);
        let mut text = String::new();
        std::io::Read::read_to_string(&mut stream.accept().unwrap().0, &mut text).unwrap();
        assert!(text.starts_with("<14>") && text.ends_with("]: app: over a stream\0"), "{text:?}");
        std::fs::remove_dir_all(dir).unwrap();
    }
}
