//! `output::Datagram`: UDP and unix sockets, peers that are away, records that are too long.

mod gelf;

use std::{
    io,
    net::UdpSocket,
    os::unix::net::UnixDatagram,
    sync::{Arc, Mutex},
    time::Duration,
};

use proptest::prelude::*;
use tracing_strata::{
    NamedHandler, Outcome, Queue, Record, Severity,
    format::{Buffer, Json},
    handler::queue::Overflow,
    ledger::ErrorHandler,
    output::{Datagram, Oversize},
    prelude::*,
};

use crate::{
    places::{Bare, Dir, remembering},
    support::Give as _,
};

/// So that a test that waits for what never comes ends.
const PATIENCE: Duration = Duration::from_secs(60);

fn server() -> (UdpSocket, u16) {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    // What a message of 128 chunks needs; the system gives less where it does not allow so much.
    rustix::net::sockopt::set_socket_recv_buffer_size(&server, 1 << 20).unwrap();
    let port = server.local_addr().unwrap().port();
    (server, port)
}

fn next(server: &UdpSocket) -> Vec<u8> {
    let mut bytes = vec![0; 70_000];
    let length = server.recv(&mut bytes).unwrap();
    bytes.truncate(length);
    bytes
}

fn text(message: &str) -> Record {
    Record::new(Severity::INFO, "a", message)
}

fn unix(path: &std::path::Path) -> UnixDatagram {
    let server = UnixDatagram::bind(path).unwrap();
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    server
}

fn next_unix(server: &UnixDatagram) -> String {
    let mut bytes = vec![0; 300_000];
    let length = server.recv(&mut bytes).unwrap();
    String::from_utf8(bytes[..length].to_vec()).unwrap()
}

#[test]
fn a_record_is_a_datagram_over_ipv4_ipv6_and_by_name() {
    for (bind, host) in
        [("127.0.0.1:0", "127.0.0.1"), ("[::1]:0", "::1"), ("[::1]:0", "[::1]"), ("127.0.0.1:0", "localhost")]
    {
        // Not every machine has IPv6, and a name may mean either.
        let Ok(server) = UdpSocket::bind(bind) else { continue };
        server.set_read_timeout(Some(PATIENCE)).unwrap();
        let handler = Datagram::udp(host, server.local_addr().unwrap().port()).format(Bare).build_sync().unwrap();
        if host == "localhost" && "localhost:1".parse::<std::net::SocketAddr>().is_err() {
            use std::net::ToSocketAddrs as _;
            if ("localhost", 1).to_socket_addrs().unwrap().next().unwrap().is_ipv6() {
                continue;
            }
        }
        for message in ["one", "", "two\nlines"] {
            assert_eq!(handler.give(&text(message)).unwrap(), Outcome::Written);
            assert_eq!(next(&server), message.as_bytes());
        }
    }
}

/// 18.3
#[test]
fn rule_18_3_a_path_is_a_unix_socket() {
    let dir = Dir::new();
    let server = unix(&dir.path("log"));
    let handler = Datagram::unix(dir.path("log")).format(Bare).build_sync().unwrap();
    handler.give(&text("hello")).unwrap();
    assert_eq!(next_unix(&server), "hello");
    assert_eq!(handler.describe().name, dir.path("log").to_str().unwrap());
}

/// Nobody listens: the datagram that was lost is counted as failed when the system tells, not the one after it.
#[test]
fn a_refused_datagram_is_counted_as_failed_and_the_next_one_is_sent() {
    let (server, port) = server();
    drop(server);
    let (error_handler, told) = remembering();
    let handler = Datagram::udp("127.0.0.1", port).format(Bare).build_sync().unwrap();
    let shared = NamedHandler::with_error_handler("udp", handler, error_handler);
    shared.emit(&text("lost"));
    assert_eq!((shared.stats().written, shared.stats().failed), (1, 0), "the system took it");
    // It fails, so that whoever stands behind gets it, and does not count as written for a while.
    shared.emit(&text("lost, too"));
    assert_eq!((shared.stats().written, shared.stats().failed), (0, 2));
    shared.flush().unwrap();
    let stats = shared.stats();
    assert_eq!((stats.accepted(), stats.written, stats.failed, stats.other_errors), (2, 0, 2, 1));
    let told = std::mem::take(&mut *told.lock().unwrap());
    assert_eq!(told.len(), 2);
    assert!(told[0].contains(&format!("udp 127.0.0.1:{port}")) && told[0].contains("refused"), "{told:?}");

    // The server comes: what is sent now arrives, although the last one was refused.
    shared.emit(&text("lost again"));
    let server = UdpSocket::bind(("127.0.0.1", port)).unwrap();
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    shared.emit(&text("arrives"));
    assert_eq!(next(&server), b"arrives");
    let stats = shared.stats();
    assert_eq!((stats.accepted(), stats.written, stats.failed), (4, 1, 3));
}

/// What a flush finds out is its error.
#[test]
fn a_flush_that_finds_a_refused_datagram_is_an_error() {
    let (server, port) = server();
    drop(server);
    let handler = Datagram::udp("127.0.0.1", port).format(Bare).build_sync().unwrap();
    let shared = NamedHandler::with_error_handler("udp", handler, ErrorHandler::silent());
    shared.emit(&text("lost"));
    let error = shared.flush().unwrap_err().to_string();
    assert!(error.contains(&format!("udp 127.0.0.1:{port}")) && error.contains("nobody listened"), "{error}");
    assert_eq!((shared.stats().written, shared.stats().failed, shared.stats().other_errors), (0, 1, 1));
    shared.flush().unwrap();
}

/// 18.2: no wait after a failure; each record tries.
#[test]
fn rule_18_2_no_back_off_a_unix_server_that_comes_late_and_is_restarted_ten_times() {
    let dir = Dir::new();
    let path = dir.path("log");
    let (error_handler, told) = remembering();
    let shared = NamedHandler::with_error_handler(
        "unix",
        Datagram::unix(&path).format(Bare).build_sync().unwrap(),
        error_handler,
    );
    shared.emit(&text("nobody is there"));
    assert_eq!(shared.stats().failed, 1);
    assert!(told.lock().unwrap()[0].starts_with(&format!("cannot send to {}: ", path.display())));
    for round in 0..10 {
        let server = unix(&path);
        for number in 0..5 {
            shared.emit(&text(&format!("{round}.{number}")));
        }
        for number in 0..5 {
            assert_eq!(next_unix(&server), format!("{round}.{number}"));
        }
        // A process that another test is starting may hold a copy of the socket for a moment.
        server.shutdown(std::net::Shutdown::Both).unwrap();
        drop(server);
        std::fs::remove_file(&path).unwrap();
        shared.emit(&text("between"));
    }
    let stats = shared.stats();
    assert_eq!((stats.accepted(), stats.written, stats.failed), (61, 50, 11));
}

/// The same over UDP: what was sent while nobody listened is counted as failed, each once, and nothing else.
#[test]
fn rule_18_2_a_udp_server_that_is_restarted_ten_times() {
    let (server, port) = server();
    drop(server);
    let handler = Datagram::udp("127.0.0.1", port).format(Bare).build_sync().unwrap();
    let shared = NamedHandler::with_error_handler("udp", handler, ErrorHandler::silent());
    for round in 0..10 {
        (0..3).for_each(|_| shared.emit(&text("between")));
        let server = UdpSocket::bind(("127.0.0.1", port)).unwrap();
        server.set_read_timeout(Some(PATIENCE)).unwrap();
        (0..5).for_each(|number| shared.emit(&text(&format!("{round}.{number}"))));
        for number in 0..5 {
            assert_eq!(next(&server), format!("{round}.{number}").as_bytes());
        }
    }
    shared.flush().unwrap();
    let stats = shared.stats();
    assert_eq!((stats.accepted(), stats.written, stats.failed), (80, 50, 30), "{stats}");
}

/// Restarted ten times while two threads send: every record is somewhere, and what was read was written.
#[test]
fn a_server_that_is_restarted_under_load() {
    let dir = Dir::new();
    let path = dir.path("log");
    let handler = Datagram::unix(&path).format(Bare).timeout(PATIENCE).build_sync().unwrap();
    let shared = NamedHandler::with_error_handler("unix", handler, ErrorHandler::silent());
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let senders: Vec<_> = (0..2)
        .map(|thread| {
            let (shared, stop) = (shared.clone(), Arc::clone(&stop));
            std::thread::spawn(move || {
                let mut sent = 0_u64;
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    shared.emit(&text(&format!("{thread} {sent}")));
                    let stats = shared.stats();
                    assert!(stats.queued == 0 && stats.accepted() > 0);
                    sent += 1;
                }
                sent
            })
        })
        .collect();
    let seen = Mutex::new(Vec::new());
    for _ in 0..10 {
        let server = unix(&path);
        for _ in 0..50 {
            seen.lock().unwrap().push(next_unix(&server));
        }
        server.shutdown(std::net::Shutdown::Both).unwrap();
        drop(server);
        std::fs::remove_file(&path).unwrap();
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    let sent: u64 = senders.into_iter().map(|sender| sender.join().unwrap()).sum();
    let (stats, seen) = (shared.stats(), seen.into_inner().unwrap());
    assert_eq!(stats.accepted(), sent);
    assert!(stats.written >= 500 && stats.written + stats.failed == sent, "{stats}");
    // In order, whole, and none twice.
    for thread in ["0 ", "1 "] {
        let numbers: Vec<u64> =
            seen.iter().filter_map(|text| text.strip_prefix(thread)).map(|number| number.parse().unwrap()).collect();
        assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
    }
}

/// EAGAIN has a deadline, and who came too late does not make the next one wait.
#[test]
fn a_full_socket_blocks_nobody_for_long() {
    let dir = Dir::new();
    let server = unix(&dir.path("log"));
    let handler = Datagram::unix(dir.path("log")).format(Bare).timeout(Duration::from_millis(20)).build_sync().unwrap();
    let (error_handler, told) = remembering();
    let shared = NamedHandler::with_error_handler("unix", handler, error_handler);
    let big = "x".repeat(50_000);
    (0..200).for_each(|_| shared.emit(&text(&big)));
    let stats = shared.stats();
    assert!(stats.written > 0 && stats.failed > 0 && stats.accepted() == 200, "{stats}");
    assert!(told.lock().unwrap()[0].contains("took nothing for 20ms"));
    for _ in 0..stats.written {
        assert_eq!(next_unix(&server).len(), big.len());
    }
    shared.emit(&text("room"));
    assert_eq!(next_unix(&server), "room");
}

#[test]
fn a_long_record_is_shortened_and_stays_what_it_is() {
    let (server, port) = server();
    let ledger = |limit: usize, message: &str| {
        let handler = Datagram::udp("127.0.0.1", port).limit(limit).format(Json::new()).build_sync().unwrap();
        let shared = NamedHandler::with_error_handler("udp", handler, ErrorHandler::silent());
        let mut record = text(message);
        record.set("number", 7);
        record.set("text", "é".repeat(message.len()).as_str());
        shared.emit(&record);
        shared.stats()
    };
    for (limit, length) in [(65_507, 100_000), (1_400, 3_000), (500, 400)] {
        let stats = ledger(limit, &"m".repeat(length));
        assert_eq!((stats.written, stats.marked), (1, 1), "{limit}");
        let bytes = next(&server);
        assert!(bytes.len() <= limit && bytes.len() > limit / 4, "{} of {limit}", bytes.len());
        let object: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(object["number"], 7);
        let (message, text) = (object["message"].as_str().unwrap(), object["text"].as_str().unwrap());
        assert!(text.ends_with(" bytes cut]"), "{text}");
        assert!(message.starts_with("mmm"));
    }
    let stats = ledger(1_400, "short");
    assert_eq!((stats.written, stats.marked), (1, 0));
    next(&server);
    // Nothing is left to cut.
    let stats = ledger(64, "short");
    assert_eq!((stats.written, stats.failed, stats.marked), (0, 1, 0));
}

#[test]
fn a_long_record_is_refused_where_that_is_asked_for() {
    let (_server, port) = server();
    let handler = Datagram::udp("127.0.0.1", port).oversize(Oversize::Refuse).format(Bare).build_sync().unwrap();
    assert_eq!(handler.give(&text(&"x".repeat(65_507))).unwrap(), Outcome::Written);
    let error = handler.give(&text(&"x".repeat(65_508))).unwrap_err().to_string();
    assert!(error.contains("65508 bytes") && error.contains("at most 65507"), "{error}");
}

/// EMSGSIZE of the system itself: a unix datagram has no limit but the socket's buffer.
#[test]
fn t56_what_the_system_calls_too_long_is_shortened_too() {
    let dir = Dir::new();
    let server = unix(&dir.path("log"));
    let handler = Datagram::unix(dir.path("log")).format(Bare).build_sync().unwrap();
    handler.give(&text(&"x".repeat(2_000_000))).unwrap();
    let came = next_unix(&server);
    assert!(came.len() > 20_000 && came.ends_with(" bytes cut]"), "{}", came.len());
    let handler = Datagram::unix(dir.path("log")).format(Bare).oversize(Oversize::Refuse).build_sync().unwrap();
    let error = handler.give(&text(&"x".repeat(2_000_000))).unwrap_err().to_string();
    assert!(error.contains("2000000 bytes"), "{error}");
}

/// A record that is too long costs the account of the ones before it nothing.
#[test]
fn a_refusal_is_heard_although_the_next_record_is_too_long() {
    let (server, port) = server();
    drop(server);
    let handler =
        Datagram::udp("127.0.0.1", port).limit(1 << 20).oversize(Oversize::Refuse).format(Bare).build_sync().unwrap();
    let shared = NamedHandler::with_error_handler("udp", handler, ErrorHandler::silent());
    shared.emit(&text("lost"));
    shared.emit(&text(&"x".repeat(100_000)));
    assert!(shared.flush().unwrap_err().to_string().contains("nobody listened"));
    let stats = shared.stats();
    assert_eq!((stats.accepted(), stats.written, stats.failed), (2, 0, 2), "{stats}");
}

#[test]
fn t20_what_cannot_be_is_refused_at_once() {
    for (builder, expected) in [
        (Datagram::udp("", 7), "host"),
        (Datagram::udp("localhost", 0), "port"),
        (Datagram::udp("localhost", 7).limit(10), "limit"),
        (Datagram::unix(""), "path"),
    ] {
        let error = builder.build_sync().unwrap_err();
        assert!(error.is_config() && error.to_string().contains(expected), "{error}");
    }
}

/// The peer is absent at start: a name that does not exist (yet).
#[test]
fn a_host_name_that_is_not_found_fails_records_and_does_not_make_each_of_them_wait() {
    let handler = Datagram::udp("no-such-host.invalid", 7).timeout(Duration::from_millis(500)).build_sync().unwrap();
    let shared = NamedHandler::with_error_handler("udp", handler, ErrorHandler::silent());
    (0..1_000).for_each(|_| shared.emit(&text("x")));
    assert_eq!((shared.stats().failed, shared.stats().accepted()), (1_000, 1_000));
    let io_kind =
        Datagram::udp("no-such-host.invalid", 7).build_sync().unwrap().give(&text("x")).unwrap_err().io_kind();
    assert!(io_kind.is_some_and(|kind| kind != io::ErrorKind::NotConnected));
}

#[test]
fn behind_its_queue_a_refused_datagram_is_counted_on_the_queues_account() {
    let (server, port) = server();
    drop(server);
    let (error_handler, told) = remembering();
    let (queue, guard) = Datagram::udp("127.0.0.1", port).format(Bare).build_with_guard().unwrap();
    let shared = NamedHandler::with_error_handler("udp", queue, error_handler);
    (0..10).for_each(|_| shared.emit(&text("lost")));
    // The last may have been settled after the question was asked.
    let said: Vec<_> = (0..2).filter_map(|_| guard.flush(PATIENCE).err()).map(|error| error.to_string()).collect();
    assert!(!said.is_empty() && said.iter().all(|said| said.ends_with(" failed")), "{said:?}");
    let stats = shared.stats();
    assert_eq!((stats.accepted(), stats.written, stats.failed, stats.queued), (10, 0, 10, 0), "{stats}");
    assert!(!told.lock().unwrap().is_empty());
    guard.shutdown(PATIENCE).unwrap();
}

/// T12, T19: a reader that takes nothing. The caller is not waited for, and the account is right at every moment.
#[test]
fn t19_behind_its_queue_a_full_socket_stops_nobody() {
    let dir = Dir::new();
    let server = unix(&dir.path("log"));
    let queue = Queue::builder().capacity(16).overflow(Overflow::DropNewest).flush_timeout(PATIENCE);
    let datagram = Datagram::unix(dir.path("log")).format(Bare).timeout(Duration::from_millis(50)).queue(queue);
    let shared = NamedHandler::with_error_handler("unix", datagram.build().unwrap(), ErrorHandler::silent());
    for number in 1..=2_000 {
        shared.emit(&text(&"x".repeat(10_000)));
        // The queue's own notices of what was lost are on the account, too.
        assert!(shared.stats().accepted() >= number);
    }
    let stats = shared.stats();
    assert!(stats.dropped > 0 && stats.written < 2_000, "{stats}");
    shared.flush().unwrap();
    let stats = shared.stats();
    assert_eq!(stats.queued, 0, "{stats}");
    server.set_nonblocking(true).unwrap();
    let mut bytes = [0; 20_000];
    let came = std::iter::from_fn(|| server.recv(&mut bytes).ok()).count() as u64;
    assert_eq!(came, stats.written);
}

/// T18
#[test]
fn t18_records_after_the_shutdown_are_counted() {
    let (server, port) = server();
    let (queue, guard) = Datagram::udp("127.0.0.1", port).format(Bare).build_with_guard().unwrap();
    let shared = NamedHandler::with_error_handler("udp", queue, ErrorHandler::silent());
    shared.emit(&text("before"));
    guard.shutdown(PATIENCE).unwrap();
    (0..10).for_each(|_| shared.emit(&text("after")));
    assert_eq!(next(&server), b"before");
    let stats = shared.stats();
    assert_eq!((stats.accepted(), stats.written, stats.queued), (11, 1, 0), "{stats}");
}

/// T54: the explicit parent's chain, whatever is current, and none where there is none.
#[test]
fn t54_the_explicit_parent_in_every_format() {
    let fields = |format: &dyn Fn(&Record) -> String| {
        let records = crate::support::records(|| {
            let (here, there) =
                (tracing::info_span!("here", place = "here"), tracing::info_span!("there", place = "there"));
            let _here = here.entered();
            tracing::info!(parent: &there, "explicit");
            tracing::info!(parent: None, "none");
            tracing::info!("contextual");
        });
        records.iter().map(format).collect::<Vec<_>>()
    };
    let gelf = fields(&|record| {
        let mut out = Buffer::new();
        tracing_strata::format::Gelf::new().format(record, &mut out).unwrap();
        let object: serde_json::Value = serde_json::from_slice(out.as_bytes()).unwrap();
        object.get("_place").map(|place| place.as_str().unwrap().to_owned()).unwrap_or_default()
    });
    assert_eq!(gelf, ["there", "", "here"]);
    let pickle = fields(&|record| {
        let mut out = Buffer::new();
        tracing_strata::format::Pickle::new().format(record, &mut out).unwrap();
        let place = crate::pickle::read_all(out.as_bytes()).remove(0).into_iter().find(|(key, _)| key == "place");
        place.map(|(_, value)| format!("{value:?}")).unwrap_or_default()
    });
    assert_eq!(pickle, ["Text(\"there\")", "", "Text(\"here\")"]);
}

#[test]
fn behind_its_queue_a_marked_record_is_counted_and_dropping_it_sends_what_waits() {
    let (server, port) = server();
    let shared = Datagram::udp("127.0.0.1", port).limit(200).format(Bare).build().unwrap().named("udp");
    shared.emit(&text(&"x".repeat(1_000)));
    shared.flush().unwrap();
    assert_eq!((shared.stats().written, shared.stats().marked), (1, 1));
    shared.emit(&text("waits"));
    drop(shared);
    assert!(next(&server).ends_with(b" bytes cut]"));
    assert_eq!(next(&server), b"waits");
}

proptest! {
    /// T56: whatever stands in whichever part, it is one datagram, which holds one JSON object.
    #[test]
    fn t56_a_record_is_one_datagram_and_one_object(
        message in any::<String>(), target in any::<String>(),
        fields in proptest::collection::btree_map(any::<String>(), any::<String>(), 0..4),
    ) {
        let (server, port) = server();
        let handler = Datagram::udp("127.0.0.1", port).build_sync().unwrap();
        let mut record = Record::new(Severity::INFO, &target, &message);
        for (name, value) in &fields {
            record.set(name.clone(), value.as_str());
        }
        handler.give(&record).unwrap();
        handler.give(&text("the end")).unwrap();
        let object: serde_json::Value = serde_json::from_slice(&next(&server)).unwrap();
        prop_assert_eq!(object["message"].as_str(), Some(message.as_str()));
        prop_assert_eq!(object["target"].as_str(), Some(target.as_str()));
        let last: serde_json::Value = serde_json::from_slice(&next(&server)).unwrap();
        prop_assert_eq!(&last["message"], "the end");
    }
}
