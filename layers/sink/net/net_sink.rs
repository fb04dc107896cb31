//! A sink for any kind of address.

use std::{
    io,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use super::{
    connection::Connection,
    datagrams::{Datagrams, is_too_long},
};
use crate::{
    Error,
    sink::{FlushTo, LedgerLink, Lines, Sink},
};

/// A sink for any kind of address: datagrams, a stream, or, over a unix socket, either.
#[derive(Debug)]
pub(crate) struct NetSink {
    kind: Kind,
    ledger_link: LedgerLink,
}

#[derive(Debug)]
enum Kind {
    Datagrams(Datagrams),
    Stream(Connection),
    /// A unix socket. Only connecting shows which kind it is.
    Either {
        datagrams: Box<Datagrams>,
        stream: Connection,
        is_stream: AtomicBool,
    },
}

impl NetSink {
    pub(super) fn datagrams(datagrams: Datagrams) -> Self {
        Self { kind: Kind::Datagrams(datagrams), ledger_link: LedgerLink::default() }
    }

    pub(super) fn stream(stream: Connection) -> Self {
        Self { kind: Kind::Stream(stream), ledger_link: LedgerLink::default() }
    }

    pub(super) fn either(datagrams: Datagrams, stream: Connection) -> Self {
        Self {
            kind: Kind::Either { datagrams: Box::new(datagrams), stream, is_stream: AtomicBool::new(false) },
            ledger_link: LedgerLink::default(),
        }
    }

    /// Sends one datagram. Refusals of earlier ones, as far as the system reports them, go to the ledger.
    fn send(&self, datagrams: &Datagrams, bytes: &[u8]) -> io::Result<()> {
        let result = datagrams.send(bytes);
        if let Err(error) = self.count_refused(datagrams, datagrams.take_known_refused()) {
            if let Some(ledger) = self.ledger_link.ledger() {
                ledger.report_error(&Error::io_at(Path::new(&datagrams.peer().to_string()), "send to", error));
            }
        }
        match result {
            Err(error) if is_too_long(&error) => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("a datagram of {} bytes is more than the socket takes", bytes.len()),
            )),
            result => result,
        }
    }

    /// Counts datagrams as failed that were sent and refused later. Returns the error to report.
    fn count_refused(&self, datagrams: &Datagrams, refused: u64) -> io::Result<()> {
        if refused == 0 {
            return Ok(());
        }
        if let Some(ledger) = self.ledger_link.ledger() {
            // A datagram of another thread may not be counted as written yet; it is counted next time.
            datagrams.restore_refused(refused - ledger.reclassify_failed(refused));
        }
        Err(io::Error::new(io::ErrorKind::ConnectionRefused, format!("{refused} sent before: nobody listened")))
    }
}

impl Sink for NetSink {
    fn write(&self, lines: &mut Lines<'_>) -> io::Result<()> {
        self.ledger_link.set(|| lines.ledger());
        match &self.kind {
            Kind::Datagrams(datagrams) => lines.write_each(|line| self.send(datagrams, line)),
            Kind::Stream(stream) => stream.write(lines),
            Kind::Either { datagrams, stream, is_stream } => {
                let first_is_stream = is_stream.load(Ordering::Relaxed);
                let mut write = |as_stream| match as_stream {
                    true => stream.write(lines),
                    false => lines.write_each(|line| self.send(datagrams, line)),
                };
                match write(first_is_stream) {
                    Err(error) if is_other_kind(&error) => {
                        let result = write(!first_is_stream);
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

    fn flush(&self, _: FlushTo) -> io::Result<()> {
        let datagrams = match &self.kind {
            Kind::Datagrams(datagrams) => datagrams,
            Kind::Either { datagrams, .. } => datagrams,
            Kind::Stream(_) => return Ok(()),
        };
        self.count_refused(datagrams, datagrams.take_refused())
    }
}

/// Whether a unix socket is of the other kind.
pub(super) fn is_other_kind(error: &io::Error) -> bool {
    #[cfg(unix)]
    return error.raw_os_error() == Some(rustix::io::Errno::PROTOTYPE.raw_os_error());
    #[cfg(not(unix))]
    return false;
}
