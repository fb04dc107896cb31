//! The address of a peer.

use std::{fmt, path::PathBuf, str::FromStr};

use crate::Error;

/// The address of a peer.
///
/// ```
/// use tracing_strata::sink::net::Address;
///
/// let address: Address = "tcp://logs.example.com:6514".parse().unwrap();
/// assert_eq!(address, Address::tcp("logs.example.com", 6514));
/// assert_eq!(Address::udp("::1", 514).to_string(), "udp://[::1]:514");
/// assert!("tcp://logs.example.com".parse::<Address>().unwrap_err().to_string().contains("tcp://HOST:PORT"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Address {
    /// Datagrams to a host. `udp://HOST:PORT`
    Udp {
        /// A name or an address; IPv6 addresses without brackets.
        host: String,
        /// The port.
        port: u16,
    },
    /// A stream to a host. `tcp://HOST:PORT`
    Tcp {
        /// A name or an address.
        host: String,
        /// The port.
        port: u16,
    },
    /// An encrypted stream to a host (feature `tls`). `tls://HOST:PORT`
    Tls {
        /// A name or an address, which must be in the peer's certificate.
        host: String,
        /// The port.
        port: u16,
    },
    /// A socket of this machine: datagrams if it accepts them, else a stream. `unix:///PATH`
    Unix(PathBuf),
    /// A datagram socket of this machine. `unix-datagram:///PATH`
    UnixDatagram(PathBuf),
    /// A stream socket of this machine. `unix-stream:///PATH`
    UnixStream(PathBuf),
}

impl Address {
    /// Datagrams to a host.
    pub fn udp(host: impl Into<String>, port: u16) -> Self {
        Self::Udp { host: host.into(), port }
    }

    /// A stream to a host.
    pub fn tcp(host: impl Into<String>, port: u16) -> Self {
        Self::Tcp { host: host.into(), port }
    }

    /// An encrypted stream to a host.
    pub fn tls(host: impl Into<String>, port: u16) -> Self {
        Self::Tls { host: host.into(), port }
    }

    /// A socket of this machine: datagrams if it accepts them, else a stream.
    pub fn unix(path: impl Into<PathBuf>) -> Self {
        Self::Unix(path.into())
    }

    /// Whether records are sent as datagrams, as far as known before connecting.
    pub fn is_datagram(&self) -> bool {
        matches!(self, Self::Udp { .. } | Self::Unix(_) | Self::UnixDatagram(_))
    }

    /// Checks that it is valid.
    pub(crate) fn check(&self) -> Result<(), Error> {
        match self {
            Self::Udp { host, port } | Self::Tcp { host, port } | Self::Tls { host, port } => {
                if host.is_empty() || host.contains(|c: char| c.is_whitespace() || c.is_control() || c == '/') {
                    return Err(Error::config(format_args!("host {host:?}: expected a name or an address")));
                }
                if *port == 0 {
                    return Err(Error::config(format_args!("port 0 of {self}: expected 1 to 65535")));
                }
                Ok(())
            }
            Self::Unix(path) | Self::UnixDatagram(path) | Self::UnixStream(path) => {
                if path.as_os_str().is_empty() {
                    return Err(Error::config("the path of a unix socket is empty"));
                }
                if cfg!(not(unix)) {
                    return Err(Error::config(format_args!("{self}: there are no unix sockets here")));
                }
                Ok(())
            }
        }
    }
}

/// In the form that is parsed.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, host, port) = match self {
            Self::Udp { host, port } => ("udp", host, port),
            Self::Tcp { host, port } => ("tcp", host, port),
            Self::Tls { host, port } => ("tls", host, port),
            Self::Unix(path) => return write!(f, "unix://{}", path.display()),
            Self::UnixDatagram(path) => return write!(f, "unix-datagram://{}", path.display()),
            Self::UnixStream(path) => return write!(f, "unix-stream://{}", path.display()),
        };
        if host.contains(':') { write!(f, "{scheme}://[{host}]:{port}") } else { write!(f, "{scheme}://{host}:{port}") }
    }
}

/// `udp://HOST:PORT`, `tcp://HOST:PORT`, `tls://HOST:PORT`, `unix:///PATH`, `unix-datagram:///PATH`,
/// `unix-stream:///PATH`; a bare path (`/dev/log`) is a unix socket.
impl FromStr for Address {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let refuse = |expected: &str| Error::config(format_args!("address {text:?}: expected {expected}"));
        if text.starts_with('/') {
            return Ok(Self::unix(text));
        }
        let (scheme, rest) = text.split_once("://").ok_or_else(|| {
            refuse("udp://HOST:PORT, tcp://HOST:PORT, tls://HOST:PORT, unix:///PATH or a path that begins with /")
        })?;
        let address = match scheme {
            "unix" => Self::Unix(rest.into()),
            "unix-datagram" => Self::UnixDatagram(rest.into()),
            "unix-stream" => Self::UnixStream(rest.into()),
            "udp" | "tcp" | "tls" => {
                let wanted = || refuse(&format!("{scheme}://HOST:PORT with a port from 1 to 65535"));
                let (host, port) = rest.rsplit_once(':').ok_or_else(wanted)?;
                let port = port.parse().map_err(|_| wanted())?;
                let host = match host.strip_prefix('[') {
                    Some(number) => number.strip_suffix(']').ok_or_else(wanted)?,
                    None if host.contains(':') => return Err(refuse(&format!("{scheme}://[IPV6]:PORT"))),
                    None => host,
                };
                match scheme {
                    "udp" => Self::udp(host, port),
                    "tcp" => Self::tcp(host, port),
                    _ => Self::tls(host, port),
                }
            }
            _ => return Err(refuse("one of the schemes udp, tcp, tls, unix, unix-datagram, unix-stream")),
        };
        address.check()?;
        Ok(address)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn addresses_read_back() {
        for text in
            ["udp://localhost:514", "tcp://10.0.0.1:1", "tls://[::1]:65535", "unix:///dev/log", "unix-stream:///a b"]
        {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
        assert_eq!("/dev/log".parse::<Address>().unwrap(), Address::unix("/dev/log"));
    }

    #[test]
    fn wrong_ones_say_what_was_expected() {
        for text in [
            "",
            "localhost",
            "tcp://h",
            "tcp://h:0",
            "tcp://h:70000",
            "tcp://:1",
            "tcp://::1:5",
            "ftp://h:1",
            "unix://",
        ] {
            let error = text.parse::<Address>().unwrap_err();
            assert!(error.is_config() && !error.to_string().is_empty(), "{text}: {error}");
        }
    }
}
