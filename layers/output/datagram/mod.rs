//! Sends each record as one datagram, over UDP or to a unix socket.

mod builder;
#[cfg(feature = "gelf")]
mod gelf;

use std::{fmt, io, path::Path};

pub use self::builder::DatagramBuilder;
#[cfg(feature = "gelf")]
pub use self::gelf::GelfChunks;
use super::formatted::with_line;
use crate::{
    Delivery, Description, Error, Format, Handler, Outcome, Record,
    format::Json,
    handler::Flush,
    sink::{
        LedgerLink,
        net::{Datagrams, is_too_long},
    },
};

/// Sends each record as one datagram, over UDP or to a unix socket.
///
/// Python: `logging.handlers.DatagramHandler`.
///
/// # Examples
/// ```
/// use tracing_strata::{prelude::*, Record, Severity, format::Json, output::Datagram};
///
/// let server = std::net::UdpSocket::bind("127.0.0.1:0")?;
/// let collector = Datagram::udp("127.0.0.1", server.local_addr()?.port()).format(Json::new()).build()?;
/// collector.named("collector").emit(&Record::new(Severity::INFO, "shop", "sold"));
///
/// let mut line = [0; 512];
/// let length = server.recv(&mut line)?;
/// assert!(line[..length].starts_with(b"{\"timestamp\":"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # What is sent
/// What the [format](crate::Format) makes of the record, without a line end: the datagram is the frame. A record is too
/// long if it exceeds the [`limit`](DatagramBuilder::limit) or what the system accepts (EMSGSIZE). UDP takes 65,507 bytes
/// over IPv4, but networks lose datagrams that are longer than a packet (some 1,400 bytes) sooner than others.
///
/// | [`Oversize`] | a record that is too long |
/// |---|---|
/// | `Shorten` (default) | the longest texts of a copy are cut at a character and marked, and the copy is formatted again until it fits: JSON stays JSON, a pickle a pickle. It counts as [truncated](crate::ledger::Stats::marked) |
/// | `Refuse` | fails |
///
/// # When it blocks
/// Never: the thread of its [queue](DatagramBuilder::queue) sends; what finds the queue full is dropped and counted. That
/// thread waits for a slow reader of a unix socket, or for a busy network interface, up to
/// [`timeout`](DatagramBuilder::timeout). Then the record fails, and further records fail without waiting until one is
/// sent. A host *name* is looked up with the first record, and again after failures, within the same timeout; otherwise
/// once a minute on a thread of its own, and a new address is used at once.
///
/// # Failures
/// There is no connection: a datagram that left this machine may not have arrived. What is known is counted:
/// - Nobody listens at the port (ECONNREFUSED): the system reports it after the datagram has left, with the next record or
///   a flush. The lost one moves from `written` to `failed` in the ledger, and the error handler gets the error; a
///   fallback does not get that record. From then on each record is sent and fails, so that a
///   [fallback](DatagramBuilder::fallback) gets it, until one is not refused. On this machine (loopback) that is known at
///   once. A remote peer counts as listening after 3 s without a refusal: until then its records fail, although they may
///   arrive.
/// - A unix socket without a reader: behind its queue and without a fallback the record waits for one, up to 5 s, and the ones
///   after it in the queue; else it fails at once. A socket that a restarted server has created anew is found with the next
///   record, which is not lost.
/// - A host name that is not found: records fail; it is looked up again after 1 s, 2 s … 30 s.
///
/// # Differences from Python
/// - Any format, JSON by default; Python always sends pickles.
/// - A long record is shortened; in Python it is an error.
/// - Refused datagrams are noticed.
pub struct Datagram<F = Json> {
    format: F,
    datagrams: Datagrams,
    limit: usize,
    oversize: Oversize,
    #[cfg(feature = "gelf")]
    packer: Option<gelf::Packer>,
    /// Reports refusals that become known later.
    ledger_link: LedgerLink,
}

/// What happens to a record that is too long for a datagram.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Oversize {
    /// Cuts its longest texts until it fits; if it never does, it fails.
    #[default]
    Shorten,
    /// It fails.
    Refuse,
}

/// Why one datagram was not sent.
enum Unsent {
    /// Its length in bytes.
    TooLong(usize),
    Failed(Error),
}

/// Texts are not cut shorter than this, in bytes.
const MIN_TEXT: usize = 16;

impl<F: Format> Datagram<F> {
    fn try_send(&self, record: &Record) -> Result<(), Unsent> {
        with_line(|line| {
            self.format.format(record, line).map_err(Unsent::Failed)?;
            let line = line.as_bytes();
            #[cfg(feature = "gelf")]
            if let Some(packer) = &self.packer {
                return packer.send(line, self.limit, |datagram| self.send(datagram));
            }
            if line.len() > self.limit { Err(Unsent::TooLong(line.len())) } else { self.send(line) }
        })
    }

    fn send(&self, datagram: &[u8]) -> Result<(), Unsent> {
        self.datagrams.send(datagram).map_err(|error| match is_too_long(&error) {
            true => Unsent::TooLong(datagram.len()),
            false => Unsent::Failed(self.send_error(error)),
        })
    }

    /// Sends a copy with shorter texts.
    #[cold]
    fn shorten(&self, record: &Delivery<'_>, length: usize) -> Result<(), Unsent> {
        let mut max_text = length.min(self.limit) / 2;
        while max_text >= MIN_TEXT {
            if let Some(copy) = record.shortened(max_text) {
                match self.try_send(&copy) {
                    Err(Unsent::TooLong(_)) => {}
                    Ok(()) => {
                        if record.marked_values() == 0 {
                            if let Some(account) = record.counters() {
                                account.count(crate::ledger::Total::Marked, 1);
                            }
                        }
                        return Ok(());
                    }
                    failed => return failed,
                }
            }
            max_text /= 2;
        }
        Err(Unsent::TooLong(length))
    }

    fn send_error(&self, error: io::Error) -> Error {
        Error::io_at(Path::new(&self.datagrams.peer().to_string()), "send to", error)
    }

    /// Moves datagrams that the system reported as lost from `written` to `failed`. The error says how many.
    fn count_refused(&self, refused: u64) -> Result<(), Error> {
        if refused == 0 {
            return Ok(());
        }
        if let Some(ledger) = self.ledger_link.ledger() {
            // One of another thread may not be counted as written yet; it is tried again later.
            self.datagrams.restore_refused(refused - ledger.reclassify_failed(refused));
        }
        let many = if refused == 1 { "an earlier datagram was" } else { "earlier datagrams were" };
        let error = io::Error::new(io::ErrorKind::ConnectionRefused, format!("{many} refused: nobody listened"));
        Err(self.send_error(error))
    }
}

impl<F: Format> Handler for Datagram<F> {
    fn handle(&self, delivery: Delivery<'_>) -> Result<Outcome, Error> {
        self.ledger_link.set(|| delivery.ledger());
        let sent = match self.try_send(&delivery) {
            Err(Unsent::TooLong(length)) if self.oversize == Oversize::Shorten => self.shorten(&delivery, length),
            sent => sent,
        };
        if let Err(error) = self.count_refused(self.datagrams.take_known_refused()) {
            if let Some(ledger) = self.ledger_link.ledger() {
                ledger.report_error(&error);
            }
        }
        match sent {
            Ok(()) => Ok(Outcome::Written),
            Err(Unsent::Failed(error)) => Err(error),
            Err(Unsent::TooLong(length)) => Err(Error::new(format_args!(
                "cannot send to {}: the record takes {length} bytes, and a datagram {}",
                self.datagrams.peer(),
                match self.limit {
                    usize::MAX => "must be shorter".to_owned(),
                    limit => format!("at most {limit}"),
                }
            ))),
        }
    }

    /// Fails if the last datagram was refused.
    fn flush(&self, how: &Flush) -> Result<(), Error> {
        if how.is_barrier() { Ok(()) } else { self.count_refused(self.datagrams.take_refused()) }
    }

    fn describe(&self) -> Description {
        Description::new(self.datagrams.peer().to_string())
    }
}

impl<F> fmt::Debug for Datagram<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Datagram")
            .field("datagrams", &self.datagrams)
            .field("limit", &self.limit)
            .field("oversize", &self.oversize)
            .finish_non_exhaustive()
    }
}
