//! Host names, with a deadline.

use std::{
    io,
    net::{IpAddr, SocketAddr, ToSocketAddrs as _},
    sync::mpsc,
    thread,
    time::Duration,
};

/// The addresses of a host. One that is an address already (`127.0.0.1`, `::1`, `[::1]`) takes no look-up; a name is
/// looked up by the system, on a thread of its own, as nothing else can put an end to that.
pub(crate) fn resolve(host: &str, port: u16, deadline: Duration) -> io::Result<Vec<SocketAddr>> {
    if let Some(address) = literal(host) {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let found = look_up(host, port)?.recv_timeout(deadline).unwrap_or_else(|_| {
        let error = format!("the look-up of the host name took longer than {deadline:?}");
        Err(io::Error::new(io::ErrorKind::TimedOut, error))
    })?;
    if found.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "the host name has no address"));
    }
    Ok(found)
}

/// Has the system look up a name, and answers when it has.
pub(crate) fn look_up(host: &str, port: u16) -> io::Result<mpsc::Receiver<io::Result<Vec<SocketAddr>>>> {
    let (answer, answered) = mpsc::sync_channel(1);
    let name = host.to_owned();
    thread::Builder::new().name("strata-resolve".into()).spawn(move || {
        let found = (name.as_str(), port).to_socket_addrs().map(Vec::from_iter);
        // Nobody waits any more where it took too long.
        answer.send(found).unwrap_or_default();
    })?;
    Ok(answered)
}

/// The address that a text is.
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
