//! Whatever an address leads to.

use std::{
    io,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{
    connection::Connection,
    dgram::{Datagrams, is_too_long},
};
use crate::{
    sink::{Sink, Written},
    trap::Ledger,
};

/// A sink to whatever an address leads to: datagrams, a stream, or, over a unix socket, either.
#[derive(Debug)]
pub(crate) struct Wire {
    kind: Kind,
    ledger: OnceLock<Arc<Ledger>>,
}

#[derive(Debug)]
enum Kind {
    Datagrams(Datagrams),
    Stream(Connection),
    /// A unix socket of which only connecting tells what it takes.
    Either {
        datagrams: Datagrams,
        stream: Connection,
        is_stream: AtomicBool,
    },
}

impl Wire {
    pub(super) fn datagrams(datagrams: Datagrams) -> Self {
        Self { kind: Kind::Datagrams(datagrams), ledger: OnceLock::new() }
    }

    pub(super) fn stream(stream: Connection) -> Self {
        Self { kind: Kind::Stream(stream), ledger: OnceLock::new() }
    }

    pub(super) fn either(datagrams: Datagrams, stream: Connection) -> Self {
        Self { kind: Kind::Either { datagrams, stream, is_stream: AtomicBool::new(false) }, ledger: OnceLock::new() }
    }

    /// One datagram. What the system tells of earlier ones goes to the ledger.
    fn send(&self, datagrams: &Datagrams, bytes: &[u8]) -> io::Result<Written> {
        let result = datagrams.send(bytes);
        let lost = datagrams.take_heard();
        if lost > 0
            && let Some(ledger) = self.ledger.get()
        {
            let _ = (lost, ledger); // TODO(merge): ledger.lose(lost);
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

    fn attach(&self, ledger: &Arc<Ledger>) {
        // Hung in two places, the first one hears of what was lost.
        self.ledger.get_or_init(|| Arc::clone(ledger));
    }
}

/// Whether a unix socket takes the other kind of connection.
fn is_other_kind(error: &io::Error) -> bool {
    #[cfg(unix)]
    return error.raw_os_error() == Some(rustix::io::Errno::PROTOTYPE.raw_os_error());
    #[cfg(not(unix))]
    return false;
}
