//! The traps of losing records, on wires. T12, that all are on the account, is asserted by every test of `net::each_wire`;
//! T20 and T56 stand with their wires.

use std::{
    env, fs,
    io::Read as _,
    net::{TcpListener, UdpSocket},
    time::Duration,
};

use tracing_strata::{
    HandlerExt as _, NamedHandler, Queue, Record, Severity,
    format::SyslogFormat as Form,
    handler::queue::Overflow,
    ledger::ErrorHandler,
    output::{Socket, Syslog},
    sink::net::{Address, Backoff, Connection},
};
use tracing_subscriber::prelude::*;

use super::{LONG, all_of, bare, eager, in_time, listen, record, to, whole};
use crate::{
    places::{Bare, Dir, again, if_child, in_a_child, remembering},
    support::MemoryBuffer,
};

/// Where the parent listens, for a child.
const PEER: &str = "STRATA_TEST_PEER";

fn peer_of_the_child() -> Address {
    Address::tcp("127.0.0.1", env::var(PEER).unwrap().parse().unwrap())
}

/// What was lost while the daemon was away is told to it in a message of its own protocol.
#[test]
fn t13_an_overflow_is_told_in_band_as_a_syslog_message() {
    let (listener, address) = listen();
    let at = listener.local_addr().unwrap();
    drop(listener);
    let queue = Queue::builder().name("daemon").capacity(8).overflow(Overflow::DropNewest);
    let (queue, guard) =
        Syslog::builder(eager(address).reconnect_timeout(LONG)).queue(queue).build_with_guard().unwrap();
    let handler = queue.named("syslog");
    (0..100).for_each(|number| handler.emit(&record(&format!("number {number}"))));
    let listener = TcpListener::bind(at).unwrap();
    let reader = std::thread::spawn(move || all_of(listener.accept().unwrap().0));
    in_time(|| guard.shutdown(LONG)).unwrap();
    let stats = handler.stats();
    drop((handler, guard));
    let stream = reader.join().unwrap();
    let (records, rest) = whole(&stream);
    assert!(rest.is_empty() && stats.dropped > 0, "{stats}");
    let notices: Vec<_> = records.iter().filter(|record| record.contains(" lost")).collect();
    assert_eq!(notices.len(), 1, "{records:?}");
    let notice = crate::syslog::parser::parse(notices[0].as_bytes());
    assert_eq!(
        (notice.text.as_str(), notice.get("queue")),
        (&*format!("{} records lost", stats.dropped), Some("daemon"))
    );
    assert_eq!(records.len() as u64, stats.written + u64::from(stats.accepted() == 100), "{stats}");
}

/// The panic's record and what was queued before it have left when the process is aborted.
#[test]
fn t14_a_panic_that_aborts_is_with_the_daemon() {
    const NAME: &str = "net::traps::t14_a_panic_that_aborts_is_with_the_daemon";
    extern "C" fn no_way_out() {
        panic!("cannot unwind from here");
    }
    if_child(|_| {
        tracing_strata::shutdown::panic_hook();
        let syslog = Syslog::builder(peer_of_the_child()).format(Form::rfc5424()).build().unwrap();
        tracing_subscriber::registry().with(syslog.into_layer()).init();
        tracing::info!("queued before");
        no_way_out();
    });
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let reader = std::thread::spawn(move || all_of(listener.accept().unwrap().0));
    let dir = Dir::new();
    let output = again(NAME, &dir.path("report")).env(PEER, port.to_string()).output().unwrap();
    assert_eq!(output.status.code(), None, "killed by SIGABRT: {output:?}");
    let stream = reader.join().unwrap();
    let (records, _) = whole(&stream);
    assert!(records[0].ends_with("] queued before") || records[0].ends_with(" queued before"), "{records:?}");
    assert!(records[1].starts_with("<10>1 ") && records[1].contains("cannot unwind from here"), "{records:?}");
}

/// A child does not write into its parent's stream: it has a connection of its own, and so has a daemon that leaves its
/// parents behind.
#[test]
fn t15_t16_parent_child_and_daemon_have_connections_of_their_own() {
    const NAME: &str = "net::traps::t15_t16_parent_child_and_daemon_have_connections_of_their_own";
    const RECORDS: usize = 200;
    let logged = |report: &std::path::Path| {
        use fork::{Fork, fork, setsid, waitpid};
        let socket = bare(to(peer_of_the_child())).build_sync().unwrap();
        tracing_subscriber::registry().with(socket.into_layer()).init();
        let log = |who: &str| (0..RECORDS).for_each(|number| tracing::info!("{who} {number}"));
        tracing::info!("before");
        match fork().unwrap() {
            Fork::Child => {
                log("child");
                setsid().unwrap();
                match fork().unwrap() {
                    Fork::Child => log("daemon"),
                    Fork::Parent(pid) => drop(waitpid(pid).unwrap()),
                }
            }
            Fork::Parent(pid) => {
                log("parent");
                waitpid(pid).unwrap();
                fs::write(report, "done").unwrap();
            }
        }
    };
    if_child(logged);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let reader = std::thread::spawn(move || {
        let streams = (0..3).map(|_| listener.accept().unwrap().0);
        let readers: Vec<_> = streams.map(|stream| std::thread::spawn(|| all_of(stream))).collect();
        readers.into_iter().map(|reader| reader.join().unwrap()).collect::<Vec<_>>()
    });
    let prepare = |command: &mut std::process::Command| {
        command.env(PEER, port.to_string());
    };
    assert_eq!(in_a_child(NAME, prepare, logged), "done");
    let streams = reader.join().unwrap();
    let mut all: Vec<Vec<String>> = streams
        .iter()
        .map(|stream| {
            let (records, rest) = whole(stream);
            assert!(rest.is_empty());
            records
        })
        .collect();
    all.sort_by_key(|records| records[1].clone());
    for (records, who) in all.iter().zip(["child", "daemon", "parent"]) {
        let records: Vec<_> = records.iter().filter(|record| *record != "before").collect();
        let expected: Vec<_> = (0..RECORDS).map(|number| format!("{who} {number}")).collect();
        assert!(records.iter().copied().eq(&expected), "{who}: {} records", records.len());
    }
    assert_eq!(all.iter().flatten().filter(|record| *record == "before").count(), 1);
}

/// A peer that never answers holds up the end for as long as was said, and what it costs is told.
#[cfg(target_os = "linux")]
#[test]
fn t17_the_end_keeps_its_deadline_while_the_peer_is_a_black_hole() {
    let (_listener, address, _waiting) = super::black_hole();
    let hole = Connection::builder(address).connect_timeout(LONG).reconnect_timeout(LONG);
    let (queue, guard) = Socket::builder(hole).format(Bare).build_with_guard().unwrap();
    let handler = NamedHandler::with_error_handler("hole", queue, ErrorHandler::silent());
    (0..10).for_each(|_| handler.emit(&record("never there")));
    let start = std::time::Instant::now();
    let error = guard.shutdown(Duration::from_millis(200)).unwrap_err();
    assert!(start.elapsed() < LONG / 2, "{:?}", start.elapsed());
    assert!(error.to_string().contains("10"), "{error}");
    let stats = handler.stats();
    assert_eq!((stats.accepted(), stats.written), (10, 0), "{stats}");
}

#[test]
fn t18_records_after_the_shutdown_are_counted() {
    let (listener, address) = listen();
    let (queue, guard) = bare(to(address)).build_with_guard().unwrap();
    let handler = NamedHandler::with_error_handler("socket", queue, ErrorHandler::silent());
    handler.emit(&record("before"));
    guard.shutdown(LONG).unwrap();
    (0..10).for_each(|_| handler.emit(&record("after")));
    let stats = handler.stats();
    assert_eq!((stats.accepted(), stats.written, stats.dropped), (11, 1, 10), "{stats}");
    drop((handler, guard));
    assert_eq!(all_of(listener.accept().unwrap().0), b"6 before");
}

/// No signal, no panic, and one word about it, not one for each record.
#[test]
fn t19_a_peer_that_is_gone_stops_nobody_and_is_told() {
    let (listener, address) = listen();
    let slow = to(address).backoff(Backoff::default().initial(LONG));
    let (error_handler, told) = remembering();
    let fallback = MemoryBuffer::default();
    let handler = bare(slow).build_sync().unwrap().fallback(fallback.clone());
    let handler = NamedHandler::with_error_handler("gone", handler, error_handler);
    handler.emit(&record("there"));
    let mut stream = listener.accept().unwrap().0;
    stream.read_exact(&mut [0; 7]).unwrap();
    drop((stream, listener));
    in_time(|| (0..1_000).for_each(|_| handler.emit(&record("gone"))));
    let stats = handler.stats();
    assert_eq!((stats.accepted(), stats.written, stats.fallback_written), (1_001, 1_001, 1_000), "{stats}");
    assert_eq!(told.lock().unwrap().len(), 1, "{told:?}");
}

/// The library that encrypts, and ours, say nothing that would come back here.
#[cfg(feature = "tls")]
#[test]
fn t03_a_wire_with_tls_sends_nothing_about_itself() {
    let ends = super::tls::ends();
    let (listener, address) = listen();
    let Address::Tcp { port, .. } = address else { unreachable!() };
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut bytes = Vec::new();
            ends.greet(listener.accept().unwrap().0).read_to_end(&mut bytes).unwrap();
            bytes
        });
        let socket = bare(to(Address::tls("localhost", port)).tls(ends.client.clone())).build_sync().unwrap();
        let layer = socket.into_layer();
        let ledger = layer.ledger();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            tracing::trace!("one");
            tracing::error!("two");
        });
        crate::support::let_go();
        assert_eq!((ledger.stats().accepted(), ledger.stats().written), (2, 2));
        assert_eq!(reader.join().unwrap(), b"3 one3 two");
    });
}

/// A secret of a wire is in no text about it.
#[test]
fn no_token_is_in_an_error_or_in_debug() {
    const TOKEN: &str = "s3cret-t0ken";
    let daemon = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = daemon.local_addr().unwrap().port();
    drop(daemon);
    let format = Form::rfc5424().token(TOKEN).unwrap().element("TOKEN@41058", [("key", TOKEN)]);
    for address in [Address::tcp("127.0.0.1", port), Address::udp("127.0.0.1", port)] {
        let builder = Syslog::builder(eager(address)).format(format.clone());
        let mut shown = format!("{builder:?} {format:?}");
        let (error_handler, told) = remembering();
        let direct = builder.build_sync().unwrap();
        shown += &format!("{direct:?}");
        let handler = NamedHandler::with_error_handler("syslog", direct, error_handler);
        (0..20).for_each(|_| handler.emit(&Record::new(Severity::INFO, "app", "lost")));
        handler.flush().unwrap();
        shown += &format!("{handler:?} {told:?}");
        assert!(!told.lock().unwrap().is_empty() && !shown.contains(TOKEN), "{shown}");
    }
    let error = Form::rfc5424().token("s3cret t0ken").unwrap_err();
    assert!(!format!("{error} {error:?}").contains("s3cret"), "{error:?}");
}
