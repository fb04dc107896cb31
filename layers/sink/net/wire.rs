//! Whatever an address leads to.

use std::{
    io,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use super::{
    connection::Connection,
    dgram::{Datagrams, is_too_long},
};
use crate::{
    Error,
    sink::{Lines, Sink, Teller, Written},
};

/// A sink to whatever an address leads to: datagrams, a stream, or, over a unix socket, either.
#[derive(Debug)]
pub(crate) struct Wire {
    kind: Kind,
    teller: Teller,
}

#[derive(Debug)]
enum Kind {
    Datagrams(Datagrams),
    Stream(Connection),
    /// A unix socket of which only connecting tells what it takes.
    Either {
        datagrams: Box<Datagrams>,
        stream: Connection,
        is_stream: AtomicBool,
    },
}

impl Wire {
    pub(super) fn datagrams(datagrams: Datagrams) -> Self {
        Self { kind: Kind::Datagrams(datagrams), teller: Teller::default() }
    }

    pub(super) fn stream(stream: Connection) -> Self {
        Self { kind: Kind::Stream(stream), teller: Teller::default() }
    }

    pub(super) fn either(datagrams: Datagrams, stream: Connection) -> Self {
        Self {
            kind: Kind::Either { datagrams: Box::new(datagrams), stream, is_stream: AtomicBool::new(false) },
            teller: Teller::default(),
        }
    }

    /// One datagram. What the system tells of earlier ones goes to the ledger.
    fn send(&self, datagrams: &Datagrams, bytes: &[u8]) -> io::Result<Written> {
        let result = datagrams.send(bytes);
        if let Err(error) = self.settle(datagrams, datagrams.take_heard())
            && let Some(ledger) = self.teller.ledger()
        {
            ledger.report_error(&Error::io_at(Path::new(&datagrams.peer().to_string()), "send to", error));
        }
        match result {
            Ok(()) => Ok(Written::Through),
            Err(error) if is_too_long(&error) => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("a datagram of {} bytes is more than the socket takes", bytes.len()),
            )),
            Err(error) => Err(error),
        }
    }
}

impl Wire {
    /// Datagrams that were sent, and of which the system told later that nobody took them. What there is to be told.
    fn settle(&self, datagrams: &Datagrams, refused: u64) -> io::Result<()> {
        if refused == 0 {
            return Ok(());
        }
        if let Some(ledger) = self.teller.ledger() {
            // One that another thread has sent may not be counted as written yet; its turn comes later.
            datagrams.put_back(refused - ledger.reclassify_failed(refused));
        }
        Err(io::Error::new(io::ErrorKind::ConnectionRefused, format!("{refused} sent before: nobody listened")))
    }
}

impl Sink for Wire {
    fn write(&self, bytes: &[u8]) -> io::Result<Written> {
        match &self.kind {
            Kind::Datagrams(datagrams) => self.send(datagrams, bytes),
            Kind::Stream(stream) => stream.write(bytes),
            Kind::Either { datagrams, stream, is_stream } => {
                let first_is_stream = is_stream.load(Ordering::Relaxed);
                let by = |as_stream| if as_stream { stream.write(bytes) } else { self.send(datagrams, bytes) };
                match by(first_is_stream) {
                    Err(error) if is_other_kind(&error) => {
                        let result = by(!first_is_stream);
                        if result.is_ok() {
                            is_stream.store(!first_is_stream, Ordering::Relaxed);
                        }
                        result
                    }
                    result => result,
                }
            }
        }
    }

    fn write_lines(&self, lines: &mut Lines<'_>) -> io::Result<()> {
        self.teller.notice(|| lines.ledger());
        lines.write_each(|line| self.write(line))
    }

    fn flush(&self) -> io::Result<()> {
        let datagrams = match &self.kind {
            Kind::Datagrams(datagrams) => datagrams,
            Kind::Either { datagrams, .. } => datagrams,
            Kind::Stream(_) => return Ok(()),
        };
        self.settle(datagrams, datagrams.take_refused())
    }
}

/// Whether a unix socket takes the other kind of connection.
fn is_other_kind(error: &io::Error) -> bool {
    #[cfg(unix)]
    return error.raw_os_error() == Some(rustix::io::Errno::PROTOTYPE.raw_os_error());
    #[cfg(not(unix))]
    return false;
}
