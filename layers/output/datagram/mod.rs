//! Sends records as datagrams: UDP, or a unix socket.
//!
//! Python: `logging.handlers.DatagramHandler`.
//!
//! See [`Datagram`].

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
        Teller,
        net::{Datagrams, is_too_long},
    },
};

/// Sends each record as one datagram, over UDP or to a unix socket.
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
/// What the [format](crate::Format) makes of the record, without a line end; the datagram is the frame.
///
/// # When a record is too long
/// | [`Oversize`] | |
/// |---|---|
/// | `Shorten` (default) | the longest texts of a copy are cut, on a character's boundary and with a mark, and it is formatted again until it fits: JSON stays JSON, a pickle a pickle. Such a record is counted as [marked](crate::ledger::Stats::marked) |
/// | `Refuse` | the record fails |
///
/// Too long is what exceeds the [`limit`](DatagramBuilder::limit), or what the system calls so (EMSGSIZE): UDP takes
/// 65,507 bytes over IPv4, and a network loses what is longer than its packets (some 1,400 bytes) sooner than what is not.
///
/// # When it blocks
/// Behind its [queue](DatagramBuilder::build) never: what finds no room there is dropped and counted. Of the thread that
/// sends: a unix socket whose reader is slow, or an interface that is full, is waited for up to
/// [`deadline`](DatagramBuilder::timeout); then the record fails, and so do further ones, without waiting, until one was
/// taken. A host *name* is looked up with the first record, and again after failures, within the same deadline each time; while
/// all is well it is looked up once a minute by a thread of its own, and followed where it leads elsewhere.
///
/// # Failures
/// There is no connection: that a datagram left this machine does not mean that it arrived. What is known is counted:
/// - Nobody listens at the port (ECONNREFUSED): the system tells it after the datagram has left, with the next record or
///   a flush. The one that was lost is moved from `written` to `failed` in the ledger and the trap is told; it is out of a
///   fallback's reach. From then on each record is sent and fails, so that a [fallback](DatagramBuilder::fallback) gets it,
///   until one is not refused. On this machine (loopback) that is known at once. Another machine is believed to listen
///   when 3 s have passed without a refusal: until then its records fail, although they may arrive.
/// - A unix socket without a reader: the record fails. One that a restarted server has made anew is found again
///   with the next record, which is not lost.
/// - A host name that is not found: records fail; it is looked up again after 1 s, 2 s … 30 s.
///
/// # Differences from Python
/// - The format is what is asked for, JSON at first; Python always sends pickles.
/// - A long record is shortened; in Python it is an error.
/// - Refused datagrams are noticed.
pub struct Datagram<F = Json> {
    format: F,
    datagrams: Datagrams,
    limit: usize,
    oversize: Oversize,
    #[cfg(feature = "gelf")]
    packer: Option<gelf::Packer>,
    /// For what becomes known later.
    teller: Teller,
}

/// What becomes of a record that is too long for a datagram.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Oversize {
    /// Its longest texts are cut until it fits; if it never does, it fails.
    #[default]
    Shorten,
    /// It fails.
    Refuse,
}

/// Why one datagram was not sent.
enum Unsent {
    /// How long it was, in bytes.
    TooLong(usize),
    Failed(Error),
}

/// Texts are not cut shorter than this to make room, in bytes.
const SHORTEST: usize = 16;

impl<F: Format> Datagram<F> {
    fn try_send(&self, record: &Record) -> Result<(), Unsent> {
        with_line(|line| {
            self.format.format_bytes(record, line).map_err(Unsent::Failed)?;
            #[cfg(feature = "gelf")]
            if let Some(packer) = &self.packer {
                return packer.send(line, self.limit, |datagram| self.post(datagram));
            }
            if line.len() > self.limit { Err(Unsent::TooLong(line.len())) } else { self.post(line) }
        })
    }

    fn post(&self, datagram: &[u8]) -> Result<(), Unsent> {
        self.datagrams.send(datagram).map_err(|error| match is_too_long(&error) {
            true => Unsent::TooLong(datagram.len()),
            false => Unsent::Failed(self.refused(error)),
        })
    }

    /// Sends copies with shorter and shorter texts until one is short enough.
    #[cold]
    fn shorten(&self, record: &Delivery<'_>, length: usize) -> Result<(), Unsent> {
        let mut most = length.min(self.limit) / 2;
        while most >= SHORTEST {
            if let Some(copy) = record.shortened(most) {
                match self.try_send(&copy) {
                    Err(Unsent::TooLong(_)) => {}
                    Ok(()) => {
                        if record.marked_values() == 0
                            && let Some(account) = record.counters()
                        {
                            account.count(crate::ledger::Total::Marked, 1);
                        }
                        return Ok(());
                    }
                    failed => return failed,
                }
            }
            most /= 2;
        }
        Err(Unsent::TooLong(length))
    }

    fn refused(&self, error: io::Error) -> Error {
        Error::io_at(Path::new(&self.datagrams.peer().to_string()), "send to", error)
    }

    /// Settles datagrams of which the system told later that they were lost. What there is to be told of them.
    fn settle(&self, refused: u64) -> Result<(), Error> {
        if refused == 0 {
            return Ok(());
        }
        if let Some(ledger) = self.teller.ledger() {
            // One that another thread has sent may not be counted as written yet; its turn comes later.
            self.datagrams.put_back(refused - ledger.reclassify_failed(refused));
        }
        let many = if refused == 1 { "an earlier datagram was" } else { "earlier datagrams were" };
        let error = io::Error::new(io::ErrorKind::ConnectionRefused, format!("{many} refused: nobody listened"));
        Err(self.refused(error))
    }
}

impl<F: Format> Handler for Datagram<F> {
    fn handle(&self, delivery: Delivery<'_>) -> Result<Outcome, Error> {
        self.teller.notice(|| delivery.ledger());
        let sent = match self.try_send(&delivery) {
            Err(Unsent::TooLong(length)) if self.oversize == Oversize::Shorten => self.shorten(&delivery, length),
            sent => sent,
        };
        if let Err(error) = self.settle(self.datagrams.take_heard())
            && let Some(ledger) = self.teller.ledger()
        {
            ledger.report_error(&error);
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

    /// Asks whether the last datagram was refused: that is an error.
    fn flush(&self, how: &Flush) -> Result<(), Error> {
        if how.is_barrier() { Ok(()) } else { self.settle(self.datagrams.take_refused()) }
    }

    fn describe(&self) -> Description {
        Description::new(self.datagrams.peer().to_string())
    }
}

/// Where it sends, and how.
impl<F> fmt::Debug for Datagram<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Datagram")
            .field("datagrams", &self.datagrams)
            .field("limit", &self.limit)
            .field("oversize", &self.oversize)
            .finish_non_exhaustive()
    }
}
