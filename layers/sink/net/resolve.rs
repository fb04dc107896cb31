//! Resolves host names, with a timeout.

use std::{
    io,
    net::{IpAddr, SocketAddr, ToSocketAddrs as _},
    sync::mpsc,
    thread,
    time::Duration,
};

/// The addresses of a host. An address (`127.0.0.1`, `::1`, `[::1]`) needs no look-up. The system looks up a name on a
/// thread of its own, because a look-up cannot be cancelled.
pub(crate) fn resolve(host: &str, port: u16, timeout: Duration) -> io::Result<Vec<SocketAddr>> {
    if let Some(address) = literal(host) {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let found = look_up(host, port)?.recv_timeout(timeout).unwrap_or_else(|_| {
        let error = format!("the look-up of the host name took longer than {timeout:?}");
        Err(io::Error::new(io::ErrorKind::TimedOut, error))
    })?;
    if found.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "the host name has no address"));
    }
    Ok(found)
}

/// Starts a look-up of a name by the system. The receiver gets the result.
pub(crate) fn look_up(host: &str, port: u16) -> io::Result<mpsc::Receiver<io::Result<Vec<SocketAddr>>>> {
    let (answer, answered) = mpsc::sync_channel(1);
    let name = host.to_owned();
    thread::Builder::new().name("strata-resolve".into()).spawn(move || {
        let found = (name.as_str(), port).to_socket_addrs().map(Vec::from_iter);
        // After a timeout, nobody receives it.
        answer.send(found).unwrap_or_default();
    })?;
    Ok(answered)
}

/// Parses an address.
pub(crate) fn literal(host: &str) -> Option<IpAddr> {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    bare.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_take_no_look_up_and_names_have_a_deadline() {
        let none = Duration::ZERO;
        assert_eq!(resolve("127.0.0.1", 7, none).unwrap(), ["127.0.0.1:7".parse().unwrap()]);
        assert_eq!(resolve("[::1]", 7, none).unwrap(), ["[::1]:7".parse().unwrap()]);
        assert_eq!(resolve("::1", 7, none).unwrap(), ["[::1]:7".parse().unwrap()]);
        let late = resolve("host.invalid", 7, none).unwrap_err();
        assert!(late.to_string().contains("longer than 0ns"), "{late}");
        assert!(resolve("localhost", 7, Duration::from_secs(60)).unwrap().iter().all(|found| found.ip().is_loopback()));
    }
}
