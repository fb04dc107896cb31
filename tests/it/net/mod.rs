//! Streams to peers that come, go, and misbehave.

mod connection;
#[cfg(target_os = "linux")]
mod each_wire;
mod faults;
mod or_else;
mod python;
#[cfg(unix)]
mod restart;
#[cfg(feature = "tls")]
pub(crate) mod tls;
#[cfg(target_os = "linux")]
mod traps;

use std::{
    io::Read as _,
    net::{SocketAddr, TcpListener, TcpStream},
    time::{Duration, Instant},
};

use tracing_strata::{
    Record, Severity,
    output::{Socket, SocketBuilder},
    sink::net::{Address, Backoff, Connection, ConnectionBuilder, Framing},
};

use crate::places::Bare;

/// More than anything here takes.
const LONG: Duration = Duration::from_secs(30);

fn listen() -> (TcpListener, Address) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = address_of(listener.local_addr().unwrap());
    (listener, address)
}

fn address_of(address: SocketAddr) -> Address {
    Address::tcp(address.ip().to_string(), address.port())
}

/// A port where nobody listens.
fn nobody() -> Address {
    listen().1
}

fn to(address: Address) -> ConnectionBuilder {
    Connection::builder(address).framing(Framing::OctetCounting)
}

/// One that tries again at once.
fn eager(address: Address) -> ConnectionBuilder {
    to(address).backoff(Backoff::default().initial(Duration::ZERO).max(Duration::ZERO))
}

fn bare(to: ConnectionBuilder) -> SocketBuilder<Bare> {
    Socket::builder(to).format(Bare)
}

fn record(message: &str) -> Record {
    Record::new(Severity::INFO, "app", message)
}

/// Everything until the end.
fn all_of(mut stream: TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    // A connection that was reset has an end, too.
    stream.read_to_end(&mut bytes).unwrap_or_default();
    bytes
}

/// The whole records of a stream with octet counting, and what follows the last of them.
fn whole(stream: &[u8]) -> (Vec<String>, &[u8]) {
    let (mut all, mut rest) = (Vec::new(), stream);
    while let Some(space) = rest.iter().position(|byte| *byte == b' ') {
        let length: usize = std::str::from_utf8(&rest[..space]).unwrap().parse().unwrap();
        let Some(record) = rest.get(space + 1..space + 1 + length) else { break };
        all.push(String::from_utf8(record.to_vec()).unwrap());
        rest = &rest[space + 1 + length..];
    }
    (all, rest)
}

/// Runs it, and says that it did not hang.
fn in_time<T>(run: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = run();
    assert!(start.elapsed() < LONG, "{:?}", start.elapsed());
    result
}

/// A listener that takes no connection: those that come hang.
#[cfg(target_os = "linux")]
fn black_hole() -> (TcpListener, Address, Vec<TcpStream>) {
    let (listener, address) = listen();
    rustix::net::listen(&listener, 0).unwrap();
    let to = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&to, Duration::from_millis(200)) {
        waiting.push(stream);
    }
    (listener, address, waiting)
}
