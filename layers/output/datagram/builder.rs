//! How a handler of datagrams is set up.

use std::time::Duration;

use super::{Datagram, Oversize};
use crate::{
    Error, Format,
    format::Json,
    output::behind::{QueuedOutput, behind_a_queue},
    sink::{
        LedgerLink,
        net::{Datagrams, Peer},
    },
};

const DEADLINE: Duration = Duration::from_secs(1);
/// What UDP takes over IPv4: 65,535 without the headers of IP and UDP.
const UDP_LIMIT: usize = 65_507;
/// Shorter ones are no use to anybody.
const LEAST_LIMIT: usize = 64;

impl Datagram {
    /// To a host, by name or address, and a port, over UDP.
    ///
    /// | option | default |
    /// |---|---|
    /// | [`format`](DatagramBuilder::format) | [`Json`] |
    /// | [`limit`](DatagramBuilder::limit) | 65,507 bytes |
    /// | [`oversize`](DatagramBuilder::oversize) | [`Oversize::Shorten`] |
    /// | [`timeout`](DatagramBuilder::timeout) | 1 s |
    /// | [`queue`](DatagramBuilder::queue) | [`Queue::builder`](crate::Queue::builder)'s defaults, but for `Overflow::DropNewest`: nobody waits |
    /// | [`fallback`](DatagramBuilder::fallback) | no fallback |
    pub fn udp(host: impl Into<String>, port: u16) -> DatagramBuilder {
        DatagramBuilder::new(Peer::Udp { host: host.into(), port }, UDP_LIMIT)
    }

    /// To a unix datagram socket. The limit is what the system takes.
    #[cfg(unix)]
    pub fn unix(path: impl Into<std::path::PathBuf>) -> DatagramBuilder {
        DatagramBuilder::new(Peer::Unix(path.into()), usize::MAX)
    }
}

/// How datagrams are made and sent. Made by [`Datagram::udp`] and [`Datagram::unix`].
#[derive(Clone, Debug)]
#[must_use]
pub struct DatagramBuilder<F = Json> {
    peer: Peer,
    format: F,
    limit: usize,
    oversize: Oversize,
    deadline: Duration,
    behind: QueuedOutput,
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
            deadline: DEADLINE,
            behind: QueuedOutput::default(),
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
            deadline: self.deadline,
            behind: self.behind,
            #[cfg(feature = "gelf")]
            chunks: self.chunks,
        }
    }

    /// The longest datagram, in bytes.
    pub fn limit(mut self, bytes: usize) -> Self {
        self.limit = bytes;
        self
    }

    /// What becomes of a record that is too long.
    pub fn oversize(mut self, oversize: Oversize) -> Self {
        self.oversize = oversize;
        self
    }

    /// How long one record may wait for a socket that is full, and for the look-up of a host name.
    pub fn timeout(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    behind_a_queue!(
        Datagram<F>,
        "datagrams",
        "Of a unix socket without a reader the system tells at once. Over UDP it tells one datagram later: the first that \
         was lost is counted as failed and not rescued, the next ones go to the fallback until somebody listens again; see \
         [failures](Datagram#failures)."
    );

    fn queued(self) -> Self {
        self
    }

    /// Whether the peer is there, nobody asks: it may come later.
    fn connect(self) -> Result<Datagram<F>, Error> {
        #[cfg(feature = "gelf")]
        let packer = self.chunks.map(super::gelf::Packer::new).transpose()?;
        let Self { peer, mut format, limit, oversize, deadline, .. } = self;
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
        if limit < LEAST_LIMIT {
            return Err(Error::config(format_args!(
                "datagrams to {peer}: expected a limit of at least {LEAST_LIMIT} bytes, got {limit}"
            )));
        }
        format.adapt(false);
        let datagrams = Datagrams::new(peer, deadline);
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
