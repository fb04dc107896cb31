//! One open stream.

#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::{
    io::{self, Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

#[cfg(feature = "tls")]
use super::tls::{ClientTls, TlsStream};
use super::{address::Address, resolve::resolve};
use crate::Error;

/// A point in time by which something must be done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(Instant);

impl Deadline {
    pub(crate) fn after(time: Duration) -> Self {
        let now = Instant::now();
        // A time that does not fit counts as infinite.
        Self(now.checked_add(time).unwrap_or(now + Duration::from_secs(1 << 30)))
    }

    /// The remaining time. Never zero, which sockets treat as infinite.
    pub(super) fn remaining(self) -> io::Result<Duration> {
        let left = self.0.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
    }

    pub(super) fn earlier(self, other: Self) -> Self {
        Self(self.0.min(other.0))
    }
}

/// What is needed to connect to a peer.
#[derive(Debug)]
pub(super) struct Endpoint {
    pub(super) address: Address,
    #[cfg(feature = "tls")]
    pub(super) tls: Option<ClientTls>,
}

impl Endpoint {
    /// Checks the settings.
    pub(super) fn new(address: Address, #[cfg(feature = "tls")] tls: Option<super::Tls>) -> Result<Self, Error> {
        address.check()?;
        if matches!(address, Address::Udp { .. } | Address::UnixDatagram(_)) {
            return Err(Error::config(format_args!(
                "{address}: expected the address of a stream (tcp, tls, unix-stream)"
            )));
        }
        #[cfg(not(feature = "tls"))]
        if matches!(address, Address::Tls { .. }) {
            return Err(Error::config(format_args!("{address}: TLS needs the feature \"tls\" of tracing-strata")));
        }
        #[cfg(feature = "tls")]
        let tls = match &address {
            Address::Tls { host, .. } => Some(tls.unwrap_or_default().load(host)?),
            _ => None,
        };
        Ok(Self {
            address,
            #[cfg(feature = "tls")]
            tls,
        })
    }
}

#[derive(Debug)]
pub(super) enum NetStream {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
    #[cfg(feature = "tls")]
    Tls(Box<TlsStream>),
}

impl NetStream {
    pub(super) fn open(endpoint: &Endpoint, deadline: Deadline) -> io::Result<Self> {
        match &endpoint.address {
            Address::Tcp { host, port } => tcp(host, *port, deadline).map(Self::Tcp),
            #[cfg(feature = "tls")]
            Address::Tls { host, port } => {
                let tls = endpoint.tls.as_ref().ok_or(io::ErrorKind::Unsupported)?;
                TlsStream::open(tcp(host, *port, deadline)?, tls, deadline).map(|stream| Self::Tls(Box::new(stream)))
            }
            #[cfg(unix)]
            Address::Unix(path) | Address::UnixStream(path) => unix::connect(path, deadline).map(Self::Unix),
            _ => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Whether the peer has not closed the connection, as far as known. Discards what it has sent: no answer is
    /// expected, and closing a socket with unread bytes resets the connection and loses what is on its way.
    pub(super) fn is_alive(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => drain(|buffer| receive(&*stream, buffer)),
            #[cfg(unix)]
            Self::Unix(stream) => drain(|buffer| receive(&*stream, buffer)),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.is_alive(),
        }
    }

    pub(super) fn write_all(&mut self, bytes: &[u8], deadline: Deadline) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => write_all(&*stream, bytes, deadline, |left| stream.set_write_timeout(Some(left))),
            #[cfg(unix)]
            Self::Unix(stream) => write_all(&*stream, bytes, deadline, |left| stream.set_write_timeout(Some(left))),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.write_all(bytes, deadline),
        }
    }

    /// Waits for something to arrive. 0 if the peer has closed the connection.
    #[cfg(feature = "forward")]
    pub(super) fn read(&mut self, buffer: &mut [u8], deadline: Deadline) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => read(&*stream, buffer, deadline, |left| stream.set_read_timeout(Some(left))),
            #[cfg(unix)]
            Self::Unix(stream) => read(&*stream, buffer, deadline, |left| stream.set_read_timeout(Some(left))),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.read(buffer, deadline),
        }
    }

    /// Closes with the protocol's closing message, if it has one. Not for a connection that failed or belongs to
    /// another process.
    pub(super) fn close(self) {
        #[cfg(feature = "tls")]
        if let Self::Tls(stream) = self {
            stream.close();
        }
    }
}

pub(super) fn write_all(
    mut stream: impl Write,
    bytes: &[u8],
    deadline: Deadline,
    set_timeout: impl Fn(Duration) -> io::Result<()>,
) -> io::Result<()> {
    let mut written = 0;
    while written < bytes.len() {
        let result = deadline.remaining().and_then(&set_timeout).and_then(|()| stream.write(&bytes[written..]));
        match result {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => written += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(timed_out(error)),
        }
    }
    Ok(())
}

#[cfg(feature = "forward")]
fn read(
    mut stream: impl Read,
    buffer: &mut [u8],
    deadline: Deadline,
    set_timeout: impl Fn(Duration) -> io::Result<()>,
) -> io::Result<usize> {
    loop {
        match deadline.remaining().and_then(&set_timeout).and_then(|()| stream.read(buffer)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result.map_err(timed_out),
        }
    }
}

/// A socket that timed out returns "would block".
pub(super) fn timed_out(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::WouldBlock { io::ErrorKind::TimedOut.into() } else { error }
}

/// Reads what has arrived, up to a limit, so that a peer that never stops sending does not block.
fn drain(mut receive: impl FnMut(&mut [u8]) -> io::Result<usize>) -> io::Result<()> {
    let mut buffer = [0; 512];
    for _ in 0..64 {
        match receive(&mut buffer) {
            Ok(0) => {
                return Err(io::Error::new(io::ErrorKind::ConnectionAborted, "the peer has closed the connection"));
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Reads without waiting.
#[cfg(unix)]
pub(super) fn receive(stream: impl std::os::fd::AsFd, buffer: &mut [u8]) -> io::Result<usize> {
    let (count, _) = rustix::net::recv(stream, buffer, rustix::net::RecvFlags::DONTWAIT)?;
    Ok(count)
}

/// Reads without waiting.
#[cfg(not(unix))]
pub(super) fn receive(mut stream: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    stream.set_nonblocking(true)?;
    let result = stream.read(buffer);
    stream.set_nonblocking(false)?;
    result
}

fn tcp(host: &str, port: u16, deadline: Deadline) -> io::Result<TcpStream> {
    let addresses = resolve(host, port, deadline.remaining()?)?;
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for (index, address) in addresses.iter().enumerate() {
        let left = deadline.remaining().map_err(|_| io::Error::new(io::ErrorKind::TimedOut, last.to_string()))?;
        // An address that does not answer leaves time for the others.
        let share = if index + 1 < addresses.len() { left / 2 } else { left };
        match TcpStream::connect_timeout(address, share.max(Duration::from_millis(1))) {
            Ok(stream) => {
                // Records are small and complete; there is no point in waiting for more.
                stream.set_nodelay(true)?;
                #[cfg(target_os = "linux")]
                detect_dead_peer(&stream)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Detects a peer that vanished without closing: the connection ends if the peer does not acknowledge data or keepalive
/// probes in time. Otherwise the system would accept records for a quarter of an hour.
#[cfg(target_os = "linux")]
fn detect_dead_peer(stream: &TcpStream) -> io::Result<()> {
    use rustix::net::sockopt;
    sockopt::set_tcp_user_timeout(stream, 30_000)?;
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, Duration::from_secs(60))?;
    sockopt::set_tcp_keepintvl(stream, Duration::from_secs(10))?;
    Ok(())
}

#[cfg(unix)]
mod unix {
    use std::path::Path;

    use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect as connect_to, socket_with};

    use super::*;

    /// std's connect waits without limit if the peer's queue is full.
    pub(super) fn connect(path: &Path, deadline: Deadline) -> io::Result<UnixStream> {
        const PAUSE: Duration = Duration::from_millis(5);
        let address = SocketAddrUnix::new(path)?;
        let flags =
            if cfg!(target_os = "linux") { SocketFlags::NONBLOCK | SocketFlags::CLOEXEC } else { SocketFlags::empty() };
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        rustix::io::ioctl_fionbio(&socket, true)?;
        loop {
            match connect_to(&socket, &address).map_err(io::Error::from) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    // The system does not signal when there is room again.
                    std::thread::sleep(deadline.remaining()?.min(PAUSE));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
                Ok(()) => break,
            }
        }
        let stream = UnixStream::from(socket);
        stream.set_nonblocking(false)?;
        Ok(stream)
    }
}

/// Reads what has arrived, without waiting.
#[cfg_attr(not(feature = "tls"), expect(dead_code, reason = "only TLS reads"))]
pub(super) struct NonBlocking<'a>(pub(super) &'a TcpStream);

impl Read for NonBlocking<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        receive(self.0, buffer)
    }
}
