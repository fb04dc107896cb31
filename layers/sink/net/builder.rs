//! The builder of a connection.

#[cfg(unix)]
use std::path::Path;
use std::{fmt, time::Duration};

#[cfg(feature = "tls")]
use super::tls::Tls;
use super::{
    address::Address,
    backoff::Backoff,
    connection::{Connection, Options},
    datagrams::{Datagrams, Peer},
    net_sink::NetSink,
    stream::Endpoint,
};
use crate::{Error, clock::Clock, framing::Framing};

/// How to reach a peer. Made by [`Connection::builder`], or from an [`Address`] with all defaults. Outputs take it,
/// also for datagrams, for which only the write timeout matters, how long to wait for a full socket, and over a unix socket the
/// [reconnect timeout](Self::reconnect_timeout).
#[must_use]
pub struct ConnectionBuilder {
    address: Address,
    options: Options,
    clock: Option<Box<dyn Clock>>,
    #[cfg(feature = "tls")]
    tls: Option<Tls>,
}

impl ConnectionBuilder {
    pub(super) fn new(address: Address) -> Self {
        let options = Options {
            framing: None,
            backoff: Backoff::default(),
            connect_timeout: Duration::from_secs(5),
            write_timeout: Duration::from_secs(5),
            reconnect_timeout: None,
        };
        Self {
            address,
            options,
            clock: None,
            #[cfg(feature = "tls")]
            tls: None,
        }
    }

    /// Where a record ends (default: what the format wants, else [`Framing::Lines`]).
    pub fn framing(mut self, framing: Framing) -> Self {
        self.options.framing = Some(framing);
        self
    }

    /// How long the look-up of the host, connecting and the TLS handshake may take together.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.options.connect_timeout = timeout;
        self
    }

    /// The framing, unless one was set.
    pub(crate) fn default_framing(mut self, framing: Framing) -> Self {
        self.options.framing.get_or_insert(framing);
        self
    }

    /// The reconnect timeout, unless one was set; none with [`Backoff::python`].
    pub(crate) fn default_reconnect_timeout(mut self, timeout: Duration) -> Self {
        if !self.options.backoff.drops_silently {
            self.options.reconnect_timeout.get_or_insert(timeout);
        }
        self
    }

    /// The framing that the format wants, unless one was set.
    ///
    /// # Errors
    /// The chosen framing would change the format's records.
    pub(crate) fn framing_of(self, of_format: Option<Framing>) -> Result<Self, Error> {
        let Some(of_format) = of_format else { return Ok(self) };
        match self.options.framing {
            Some(chosen @ (Framing::Lines | Framing::Nul)) if of_format == Framing::None => {
                Err(Error::config(format_args!(
                    "{}: records of this format mark their own end, and {chosen:?} would change bytes in \
                     them: expected Framing::None, or no framing",
                    self.address
                )))
            }
            _ => Ok(self.default_framing(of_format)),
        }
    }

    pub(crate) fn chosen_framing(&self) -> Framing {
        self.options.framing.unwrap_or_default()
    }

    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    /// How long the system may take to accept all bytes of a record. After that the connection is closed.
    pub fn write_timeout(mut self, timeout: Duration) -> Self {
        self.options.write_timeout = timeout;
        self
    }

    /// How long a record may wait for an unavailable peer, while connecting is tried again. For a handler behind a
    /// [queue](crate::Queue), which then holds new records up to its capacity. No effect over UDP, where nobody knows that a
    /// peer is away before a record is lost; for datagrams over a unix socket without a [backoff](Self::backoff), as trying
    /// it costs little.
    pub fn reconnect_timeout(mut self, timeout: Duration) -> Self {
        self.options.reconnect_timeout = Some(timeout);
        self
    }

    /// When an unavailable peer is tried again. [`Backoff::python`] also sets the connect timeout to Python's 1 s.
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        if backoff.drops_silently {
            self.options.connect_timeout = Duration::from_secs(1);
        }
        self.options.backoff = backoff;
        self
    }

    /// The TLS settings, for [`Address::Tls`].
    #[cfg(feature = "tls")]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// The clock of the [backoff](Self::backoff) (default: a monotonic one).
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Some(Box::new(clock));
        self
    }

    /// Checks the settings. The first record opens the connection.
    ///
    /// # Errors
    /// The address is invalid or not that of a stream, or the [`Tls`](super::Tls) settings are.
    pub fn build(self) -> Result<Connection, Error> {
        let Self { address, options, clock, .. } = self;
        let endpoint = Endpoint::new(
            address,
            #[cfg(feature = "tls")]
            self.tls,
        )?;
        Ok(Connection::new(endpoint, options, clock))
    }

    /// A sink for any kind of address.
    pub(crate) fn build_net_sink(self) -> Result<NetSink, Error> {
        self.address.check()?;
        let timeout = self.options.write_timeout;
        #[cfg(unix)]
        let unix = |path: &Path| {
            let reconnect_timeout = self.options.reconnect_timeout.unwrap_or_default();
            Datagrams::new(Peer::Unix(path.to_owned()), timeout).reconnect_timeout(reconnect_timeout)
        };
        match &self.address {
            Address::Udp { host, port } => {
                Ok(NetSink::datagrams(Datagrams::new(Peer::Udp { host: host.clone(), port: *port }, timeout)))
            }
            #[cfg(unix)]
            Address::UnixDatagram(path) => Ok(NetSink::datagrams(unix(path))),
            #[cfg(unix)]
            Address::Unix(path) => {
                let datagrams = unix(path);
                Ok(NetSink::either(datagrams, self.build()?))
            }
            _ => Ok(NetSink::stream(self.build()?)),
        }
    }
}

impl From<Address> for ConnectionBuilder {
    fn from(address: Address) -> Self {
        Connection::builder(address)
    }
}

impl fmt::Debug for ConnectionBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionBuilder")
            .field("address", &self.address)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
