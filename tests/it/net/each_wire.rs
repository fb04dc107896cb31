//! Each fault on each wire, as a table: `net::each_wire::<wire>::<fault>`.
//!
//! Everywhere: nobody waits beyond the deadline, every record is on the account, a stream never has a part of a record
//! before another, and nothing arrives twice. What only TLS can have is in `net::tls`.

use std::{
    collections::HashSet,
    io::{self, Read},
    net::{SocketAddr, TcpListener, UdpSocket},
    os::unix::net::{UnixDatagram, UnixListener},
    path::PathBuf,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::Duration,
};

use tracing_strata::{
    Handler, HandlerExt as _, NamedHandler, Queue,
    format::SyslogFormat as Form,
    handler::queue::Overflow,
    ledger::ErrorHandler,
    output::{Journald, Syslog},
    sink::net::{Address, ConnectionBuilder, Framing},
};

#[cfg(feature = "tls")]
use super::tls::{Ends, ends};
use super::{LONG, bare, eager, in_time, nobody, record, to, whole};
use crate::places::Dir;

const SHORT: Duration = Duration::from_millis(50);
/// What it takes to fill the buffers of both sides.
const LOTS: usize = 20 << 20;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    SyslogUdp,
    SyslogUnix,
    SyslogTcp,
    Journald,
    SocketTcp,
    SocketUnix,
    #[cfg(feature = "tls")]
    SocketTls,
}

/// One wire, and the place at its end, where nobody is yet.
struct Wire {
    kind: Kind,
    dir: Dir,
    at: SocketAddr,
    #[cfg(feature = "tls")]
    ends: Option<Ends>,
}

/// Somebody at the end.
enum Peer {
    Udp(UdpSocket),
    Unix(UnixDatagram, PathBuf),
    Tcp(TcpListener),
    UnixStream(UnixListener, PathBuf),
}

impl Wire {
    fn new(kind: Kind) -> Self {
        let Address::Tcp { host, port } = nobody() else { unreachable!() };
        let at = SocketAddr::new(host.parse().unwrap(), port);
        Self {
            kind,
            dir: Dir::new(),
            at,
            #[cfg(feature = "tls")]
            ends: (kind == Kind::SocketTls).then(ends),
        }
    }

    fn is_stream(&self) -> bool {
        !matches!(self.kind, Kind::SyslogUdp | Kind::SyslogUnix | Kind::Journald)
    }

    fn path(&self) -> PathBuf {
        self.dir.path("peer")
    }

    fn address(&self) -> Address {
        let (host, port) = (self.at.ip().to_string(), self.at.port());
        match self.kind {
            Kind::SyslogUdp => Address::udp(host, port),
            Kind::SyslogUnix | Kind::Journald => Address::UnixDatagram(self.path()),
            Kind::SyslogTcp | Kind::SocketTcp => Address::tcp(host, port),
            Kind::SocketUnix => Address::UnixStream(self.path()),
            #[cfg(feature = "tls")]
            Kind::SocketTls => Address::tls("localhost", port),
        }
    }

    /// With the client's half of TLS where the wire has it.
    fn secured(&self, to: ConnectionBuilder) -> ConnectionBuilder {
        #[cfg(feature = "tls")]
        if let Some(ends) = &self.ends {
            return to.tls(ends.client.clone());
        }
        to
    }

    /// Tries again at once.
    fn eager(&self) -> ConnectionBuilder {
        self.secured(eager(self.address()))
    }

    fn form() -> Form {
        Form::python().append_nul(false)
    }

    /// The handler, on the thread that logs.
    fn direct(&self, to: ConnectionBuilder) -> Box<dyn Handler> {
        match self.kind {
            Kind::SyslogUdp | Kind::SyslogUnix | Kind::SyslogTcp => {
                Syslog::builder(to).format(Self::form()).build_sync().unwrap().boxed()
            }
            Kind::Journald => {
                let journal = Journald::builder().socket(self.path()).open_lazily(true).timeout(SHORT);
                journal.build_sync().unwrap().boxed()
            }
            _ => bare(to).build_sync().unwrap().boxed(),
        }
    }

    fn open(&self) -> Peer {
        match self.kind {
            Kind::SyslogUdp => Peer::Udp((0..10_000).find_map(|_| UdpSocket::bind(self.at).ok()).unwrap()),
            Kind::SyslogUnix | Kind::Journald => Peer::Unix(UnixDatagram::bind(self.path()).unwrap(), self.path()),
            Kind::SocketUnix => Peer::UnixStream(UnixListener::bind(self.path()).unwrap(), self.path()),
            _ => Peer::Tcp((0..10_000).find_map(|_| TcpListener::bind(self.at).ok()).unwrap()),
        }
    }

    /// The next connection, after its handshake.
    fn accept(&self, peer: &Peer) -> io::Result<Box<dyn Read + Send>> {
        match peer {
            Peer::Tcp(listener) => {
                let stream = listener.accept()?.0;
                stream.set_nonblocking(false)?;
                #[cfg(feature = "tls")]
                if let Some(ends) = &self.ends {
                    return Ok(Box::new(ends.greet(stream)));
                }
                Ok(Box::new(stream))
            }
            Peer::UnixStream(listener, _) => {
                let stream = listener.accept()?.0;
                stream.set_nonblocking(false)?;
                Ok(Box::new(stream))
            }
            Peer::Udp(_) | Peer::Unix(..) => unreachable!("no stream"),
        }
    }
}

impl Peer {
    fn set_nonblocking(&self) {
        match self {
            Self::Udp(socket) => socket.set_nonblocking(true),
            Self::Unix(socket, _) => socket.set_nonblocking(true),
            Self::Tcp(listener) => listener.set_nonblocking(true),
            Self::UnixStream(listener, _) => listener.set_nonblocking(true),
        }
        .unwrap();
    }

    fn receive(&self) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; 1 << 16];
        let length = match self {
            Self::Udp(socket) => socket.recv(&mut bytes)?,
            Self::Unix(socket, _) => socket.recv(&mut bytes)?,
            Self::Tcp(_) | Self::UnixStream(..) => unreachable!("no datagrams"),
        };
        bytes.truncate(length);
        Ok(bytes)
    }
}

/// Gone, with its socket; another process that a test is starting may hold a copy for a moment.
impl Drop for Peer {
    fn drop(&mut self) {
        match self {
            Self::Unix(socket, path) => {
                std::fs::remove_file(path).unwrap();
                socket.shutdown(std::net::Shutdown::Both).unwrap();
            }
            Self::UnixStream(_, path) => std::fs::remove_file(path).unwrap(),
            Self::Udp(_) | Self::Tcp(_) => {}
        }
    }
}

/// All until the end, which a connection that was reset has, too.
fn rest_of(mut stream: Box<dyn Read + Send>) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap_or_default();
    bytes
}

/// What a record says, without what its wire puts before it.
fn message(record: &str) -> String {
    match record.lines().find_map(|line| line.strip_prefix("MESSAGE=")) {
        Some(message) => message.to_owned(),
        None => record.strip_prefix("<14>").unwrap_or(record).to_owned(),
    }
}

/// The whole records of connections or datagrams.
fn messages(wire: &Wire, got: &[Vec<u8>]) -> Vec<String> {
    let records = got.iter().flat_map(|bytes| match wire.is_stream() {
        true => whole(bytes).0,
        false => vec![String::from_utf8(bytes.clone()).unwrap()],
    });
    records.map(|record| message(&record)).collect()
}

/// Reads everything of a peer that is there until `is_over`.
fn read_all(wire: &Wire, peer: &Peer, is_over: &AtomicBool) -> Vec<Vec<u8>> {
    peer.set_nonblocking();
    let mut got = Vec::new();
    thread::scope(|scope| {
        let mut streams = Vec::new();
        loop {
            let was_over = is_over.load(Ordering::Acquire);
            let came = match wire.is_stream() {
                true => wire.accept(peer).map(|stream| streams.push(scope.spawn(|| rest_of(stream)))),
                false => peer.receive().map(|bytes| got.push(bytes)),
            };
            match came {
                Ok(()) => {}
                Err(_) if was_over => break,
                Err(_) => thread::yield_now(),
            }
        }
        got.extend(streams.into_iter().map(|stream| stream.join().unwrap()));
    });
    got
}

fn absent_at_start_refused_then_there(kind: Kind) {
    let wire = Wire::new(kind);
    let handler = NamedHandler::with_error_handler("wire", wire.direct(wire.eager()), ErrorHandler::silent());
    in_time(|| (0..3).for_each(|number| handler.emit(&record(&format!("absent {number}")))));
    let peer = wire.open();
    let is_over = AtomicBool::new(false);
    let ledger = handler.ledger();
    let got = thread::scope(|scope| {
        let reader = scope.spawn(|| read_all(&wire, &peer, &is_over));
        in_time(|| (0..3).for_each(|number| handler.emit(&record(&format!("there {number}")))));
        handler.flush().unwrap();
        drop(handler);
        is_over.store(true, Ordering::Release);
        reader.join().unwrap()
    });
    assert_eq!(messages(&wire, &got), ["there 0", "there 1", "there 2"]);
    let stats = ledger.stats();
    assert_eq!((stats.accepted(), stats.written + stats.failed), (6, 6), "{stats}");
    // Of UDP the system tells later, and not of each.
    assert!(stats.failed == 3 || kind == Kind::SyslogUdp && stats.failed > 0, "{stats}");
}

fn reset_in_the_middle_of_a_record(kind: Kind) {
    let wire = Wire::new(kind);
    let peer = wire.open();
    let handler = NamedHandler::with_error_handler("wire", wire.direct(wire.eager()), ErrorHandler::silent());
    let ledger = handler.ledger();
    let (first, second) = thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut stream = wire.accept(&peer).unwrap();
            let mut some = vec![0; 1 << 16];
            stream.read_exact(&mut some).unwrap();
            drop(stream);
            (some, rest_of(wire.accept(&peer).unwrap()))
        });
        // One that breaks with its first record is a peer that is away.
        handler.emit(&record("before"));
        in_time(|| handler.emit(&record(&"y".repeat(LOTS))));
        drop(handler);
        reader.join().unwrap()
    });
    assert_eq!(messages(&wire, &[first]), ["before"]);
    let (records, rest) = whole(&second);
    assert!(records.len() == 1 && message(&records[0]) == "y".repeat(LOTS) && rest.is_empty());
    assert_eq!((ledger.stats().accepted(), ledger.stats().written), (2, 2));
}

fn a_slow_reader(kind: Kind) {
    let wire = Wire::new(kind);
    let peer = wire.open();
    let handler = NamedHandler::with_error_handler(
        "wire",
        wire.direct(wire.eager().write_timeout(SHORT)),
        ErrorHandler::silent(),
    );
    if !wire.is_stream() {
        // It reads nothing at all.
        in_time(|| (0..3_000).for_each(|_| handler.emit(&record("into a full queue"))));
        let stats = handler.stats();
        assert_eq!((stats.accepted(), stats.written + stats.failed), (3_000, 3_000), "{stats}");
        assert!(stats.failed > 0 || kind == Kind::SyslogUdp, "{stats}");
        return;
    }
    let ledger = handler.ledger();
    let (first, second) = thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let first = wire.accept(&peer).unwrap();
            // It reads nothing of the first until the second is at its end.
            let second = rest_of(wire.accept(&peer).unwrap());
            (rest_of(first), second)
        });
        in_time(|| handler.emit(&record("before")));
        in_time(|| handler.emit(&record(&"x".repeat(LOTS))));
        in_time(|| handler.emit(&record("after")));
        drop(handler);
        reader.join().unwrap()
    });
    let (records, rest) = whole(&first);
    // What was cut off may take with it what was not read before.
    assert!(records.iter().all(|record| message(record) == "before") && rest.len() < LOTS, "{}", records.len());
    assert_eq!(messages(&wire, &[second]), ["after"]);
    let stats = ledger.stats();
    assert_eq!((stats.accepted(), stats.written, stats.failed), (3, 2, 1), "{stats}");
}

fn a_black_hole(kind: Kind) {
    let wire = Wire::new(kind);
    let mut held: Vec<Box<dyn std::any::Any>> = Vec::new();
    let address = match kind {
        Kind::SocketUnix => {
            let listener = UnixListener::bind(wire.path()).unwrap();
            rustix::net::listen(&listener, 0).unwrap();
            held.push(Box::new(std::os::unix::net::UnixStream::connect(wire.path()).unwrap()));
            held.push(Box::new(listener));
            wire.address()
        }
        _ => {
            let (listener, address, waiting) = super::black_hole();
            let Address::Tcp { port, .. } = address else { unreachable!() };
            held.push(Box::new((listener, waiting)));
            match wire.address() {
                Address::Tls { .. } => Address::tls("localhost", port),
                _ => address,
            }
        }
    };
    let handler = wire.direct(wire.secured(to(address)).connect_timeout(SHORT));
    let handler = NamedHandler::with_error_handler("hole", handler, ErrorHandler::silent());
    in_time(|| (0..1_000).for_each(|_| handler.emit(&record("lost"))));
    assert_eq!((handler.stats().accepted(), handler.stats().failed), (1_000, 1_000));
}

fn restarted_ten_times_under_load(kind: Kind) {
    const RESTARTS: u64 = 10;
    let wire = &Wire::new(kind);
    let handler: Box<dyn Handler> = match wire.is_stream() {
        // A record waits for the peer.
        true => {
            let queue = Queue::builder().overflow(Overflow::block_for(LONG));
            queue.build(wire.direct(wire.eager().reconnect_timeout(LONG))).unwrap().boxed()
        }
        false => wire.direct(wire.eager().framing(Framing::None)),
    };
    let handler = NamedHandler::with_error_handler("restarted", handler, ErrorHandler::silent());
    let ledger = handler.ledger();
    let (restarts, given, is_over) = (AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
    let got = thread::scope(|scope| {
        let server = scope.spawn(|| {
            let mut got = Vec::new();
            while restarts.load(Ordering::Acquire) < RESTARTS {
                let peer = wire.open();
                if wire.is_stream() {
                    let mut stream = wire.accept(&peer).unwrap();
                    let mut bytes = vec![0; 1_500];
                    let length = stream.read(&mut bytes).unwrap_or_default();
                    got.push(bytes[..length].to_vec());
                } else {
                    got.extend((0..20).map(|_| peer.receive().unwrap()));
                }
                drop(peer);
                restarts.fetch_add(1, Ordering::Release);
            }
            got.extend(read_all(wire, &wire.open(), &is_over));
            got
        });
        let senders: Vec<_> = (0..2)
            .map(|thread| {
                let (handler, restarts, given) = (handler.clone(), &restarts, &given);
                scope.spawn(move || {
                    // As long as it takes, and some more.
                    let mut more = 100;
                    for number in 0.. {
                        handler.emit(&record(&format!("{thread}:{number} {}", "x".repeat(number % 50))));
                        given.fetch_add(1, Ordering::Relaxed);
                        if restarts.load(Ordering::Acquire) == RESTARTS {
                            more -= 1;
                            if more == 0 {
                                break;
                            }
                        }
                        thread::yield_now();
                    }
                })
            })
            .collect();
        senders.into_iter().for_each(|sender| sender.join().unwrap());
        in_time(|| handler.flush()).unwrap();
        drop(handler);
        is_over.store(true, Ordering::Release);
        server.join().unwrap()
    });
    let stats = ledger.stats();
    assert_eq!(stats.accepted(), given.load(Ordering::Relaxed));
    assert_eq!(stats.accepted(), stats.written + stats.failed, "{stats}");
    assert!(stats.failed == 0 || !wire.is_stream(), "{stats}");
    let mut seen = HashSet::new();
    for message in messages(wire, &got) {
        let number = message.trim_end_matches('x').trim_end().to_owned();
        let expected = number.split_once(':').unwrap().1.parse::<usize>().unwrap() % 50;
        assert_eq!(message.matches('x').count(), expected, "{message}");
        assert!(seen.insert(number), "twice: {message}");
    }
    // What was on its way when a peer died is lost, and nobody can know.
    assert!(seen.len() as u64 <= stats.written && !seen.is_empty(), "{} of {stats}", seen.len());
}

macro_rules! table {
    ($($wire:ident: $kind:ident => $($fault:ident)+;)+) => {
        $(mod $wire {
            $(
                #[test]
                fn $fault() {
                    super::$fault(super::Kind::$kind);
                }
            )+
        })+
    };
}

table! {
    syslog_udp: SyslogUdp => absent_at_start_refused_then_there a_slow_reader restarted_ten_times_under_load;
    syslog_unix: SyslogUnix => absent_at_start_refused_then_there a_slow_reader restarted_ten_times_under_load;
    journald: Journald => absent_at_start_refused_then_there a_slow_reader restarted_ten_times_under_load;
    syslog_tcp: SyslogTcp =>
        absent_at_start_refused_then_there reset_in_the_middle_of_a_record a_slow_reader a_black_hole
        restarted_ten_times_under_load;
    socket_tcp: SocketTcp =>
        absent_at_start_refused_then_there reset_in_the_middle_of_a_record a_slow_reader a_black_hole
        restarted_ten_times_under_load;
    socket_unix: SocketUnix =>
        absent_at_start_refused_then_there reset_in_the_middle_of_a_record a_slow_reader a_black_hole
        restarted_ten_times_under_load;
}

#[cfg(feature = "tls")]
table! {
    socket_tls: SocketTls =>
        absent_at_start_refused_then_there reset_in_the_middle_of_a_record a_slow_reader a_black_hole
        restarted_ten_times_under_load;
}
