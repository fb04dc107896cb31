//! The options of a [`Datagram`] handler.

use std::time::Duration;

use super::{Datagram, Oversize};
use crate::{
    Error, Format,
    format::Json,
    output::queued::{QueuedOutput, RECONNECT_TIMEOUT, queued_output_builder},
    sink::{
        LedgerLink,
        net::{Datagrams, Peer},
    },
};

const TIMEOUT: Duration = Duration::from_secs(1);
/// The longest over IPv4: 65,535 minus the headers of IP and UDP.
const UDP_LIMIT: usize = 65_507;
const MIN_LIMIT: usize = 64;

impl Datagram {
    /// To a host, by name or address, and a port, over UDP. No I/O.
    ///
    /// | option | default |
    /// |---|---|
    /// | [`format`](DatagramBuilder::format) | [`Json`] |
    /// | [`limit`](DatagramBuilder::limit) | 65,507 bytes |
    /// | [`oversize`](DatagramBuilder::oversize) | [`Oversize::Shorten`] |
    /// | [`timeout`](DatagramBuilder::timeout) | 1 s |
    /// | [`queue`](DatagramBuilder::queue) | [`Queue::builder`](crate::Queue::builder)'s limits, [`Overflow::DropNewest`](crate::handler::queue::Overflow::DropNewest) |
    /// | [`fallback`](DatagramBuilder::fallback) | no fallback |
    pub fn udp(host: impl Into<String>, port: u16) -> DatagramBuilder {
        DatagramBuilder::new(Peer::Udp { host: host.into(), port }, UDP_LIMIT)
    }

    /// To a unix datagram socket. The limit is the system's. No I/O.
    #[cfg(unix)]
    pub fn unix(path: impl Into<std::path::PathBuf>) -> DatagramBuilder {
        DatagramBuilder::new(Peer::Unix(path.into()), usize::MAX)
    }
}

/// How records are sent as datagrams. Made by [`Datagram::udp`] and [`Datagram::unix`].
#[derive(Clone, Debug)]
#[must_use]
pub struct DatagramBuilder<F = Json> {
    peer: Peer,
    format: F,
    limit: usize,
    oversize: Oversize,
    timeout: Duration,
    reconnect_timeout: Duration,
    queued: QueuedOutput,
    #[cfg(feature = "gelf")]
    pub(super) chunks: Option<super::GelfChunks>,
}

impl DatagramBuilder {
    fn new(peer: Peer, limit: usize) -> Self {
        Self {
            peer,
            format: Json::new(),
            limit,
            oversize: Oversize::default(),
            timeout: TIMEOUT,
            reconnect_timeout: Duration::ZERO,
            queued: QueuedOutput::default(),
            #[cfg(feature = "gelf")]
            chunks: None,
        }
    }
}

impl<F: Format> DatagramBuilder<F> {
    /// The format.
    pub fn format<G: Format>(self, format: G) -> DatagramBuilder<G> {
        DatagramBuilder {
            peer: self.peer,
            format,
            limit: self.limit,
            oversize: self.oversize,
            timeout: self.timeout,
            reconnect_timeout: self.reconnect_timeout,
            queued: self.queued,
            #[cfg(feature = "gelf")]
            chunks: self.chunks,
        }
    }

    /// The longest datagram, in bytes.
    pub fn limit(mut self, bytes: usize) -> Self {
        self.limit = bytes;
        self
    }

    /// What happens to a record that is too long.
    pub fn oversize(mut self, oversize: Oversize) -> Self {
        self.oversize = oversize;
        self
    }

    /// How long one record may wait for a full socket, and for the lookup of a host name.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    queued_output_builder!(
        Datagram<F>,
        "datagrams",
        "A missing reader of a unix socket is known at once. Over UDP it is known one datagram later: the first lost one \
         counts as failed and does not reach the fallback; the next ones do, until somebody listens again. See \
         [failures](Datagram#failures)."
    );

    fn queue_defaults(self) -> Self {
        if self.queued.fallback.is_some() { self } else { self.patient() }
    }

    /// A record to a unix socket may wait for its reader: behind a queue, without a fallback.
    pub(crate) fn patient(mut self) -> Self {
        self.reconnect_timeout = RECONNECT_TIMEOUT;
        self
    }

    /// Checks the options only: the peer may start later.
    fn connect(self) -> Result<Datagram<F>, Error> {
        #[cfg(feature = "gelf")]
        let packer = self.chunks.map(super::gelf::Packer::new).transpose()?;
        let Self { peer, format, limit, oversize, timeout, reconnect_timeout, .. } = self;
        match &peer {
            Peer::Udp { host, .. } if host.trim().is_empty() => {
                return Err(Error::config("datagrams: expected a host name or address, got an empty text"));
            }
            Peer::Udp { port: 0, host } => {
                return Err(Error::config(format_args!("datagrams to {host}: expected a port from 1 to 65535, got 0")));
            }
            #[cfg(unix)]
            Peer::Unix(path) if path.as_os_str().is_empty() => {
                return Err(Error::config("datagrams: expected the path of a unix socket, got an empty one"));
            }
            _ => {}
        }
        if limit < MIN_LIMIT {
            return Err(Error::config(format_args!(
                "datagrams to {peer}: expected a limit of at least {MIN_LIMIT} bytes, got {limit}"
            )));
        }
        let datagrams = Datagrams::new(peer, timeout);
        #[cfg(unix)]
        let datagrams = datagrams.reconnect_timeout(reconnect_timeout);
        #[cfg(not(unix))]
        let _ = reconnect_timeout;
        Ok(Datagram {
            format,
            datagrams,
            limit,
            oversize,
            #[cfg(feature = "gelf")]
            packer,
            ledger_link: LedgerLink::default(),
        })
    }
}
