//! Streams whose peer answers.

use std::io;

pub(crate) use super::stream::Deadline;
use super::{
    address::Address,
    stream::{Endpoint, NetStream},
};
use crate::Error;

/// A peer that answers.
#[derive(Debug)]
pub(crate) struct DialogPeer(Endpoint);

impl DialogPeer {
    /// Checks the settings. No connection is opened.
    pub(crate) fn new(address: Address, #[cfg(feature = "tls")] tls: Option<super::Tls>) -> Result<Self, Error> {
        Endpoint::new(
            address,
            #[cfg(feature = "tls")]
            tls,
        )
        .map(Self)
    }

    pub(crate) fn address(&self) -> &Address {
        &self.0.address
    }

    pub(crate) fn connect(&self, deadline: Deadline) -> io::Result<Dialog> {
        let stream = NetStream::open(&self.0, deadline)?;
        Ok(Dialog { stream, process: crate::fork::process_id() })
    }
}

/// An open connection to it.
#[derive(Debug)]
pub(crate) struct Dialog {
    stream: NetStream,
    /// The process that opened it: after fork(2) both have it.
    process: u32,
}

impl Dialog {
    /// Whether it is this process's, and the peer has not closed it. What has arrived unasked is thrown away.
    pub(crate) fn is_alive(&mut self) -> bool {
        self.process == crate::fork::process_id() && self.stream.is_alive().is_ok()
    }

    pub(crate) fn write_all(&mut self, bytes: &[u8], deadline: Deadline) -> io::Result<()> {
        self.stream.write_all(bytes, deadline)
    }

    /// Waits for something to arrive.
    ///
    /// # Errors
    /// Nothing came in time, or the peer has closed the connection.
    pub(crate) fn read(&mut self, buffer: &mut [u8], deadline: Deadline) -> io::Result<usize> {
        match self.stream.read(buffer, deadline)? {
            0 => Err(io::Error::new(io::ErrorKind::ConnectionAborted, "the peer has closed the connection")),
            count => Ok(count),
        }
    }

    /// Not for a connection that failed.
    pub(crate) fn close(self) {
        if self.process == crate::fork::process_id() {
            self.stream.close();
        }
    }
}
