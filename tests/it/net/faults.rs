//! What can go wrong on a wire. Everywhere: nobody waits beyond the deadline, every record is on the account, a stream never
//! has a part of a record before another, and nothing arrives twice.

use std::{
    collections::HashSet,
    io::Read as _,
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tracing_strata::{
    NamedHandler, Queue,
    handler::queue::Overflow,
    ledger::ErrorHandler,
    sink::net::Backoff,
    testing::fault::{FaultyPeer, Meeting},
};

use super::{all_of, bare, eager, in_time, listen, nobody, record, to, whole};
use crate::{places::remembering, support::Give as _};

const SHORT: Duration = Duration::from_millis(50);

fn of_peer(peer: &FaultyPeer) -> tracing_strata::sink::net::Address {
    super::address_of(peer.address())
}

#[test]
fn absent_at_start_and_refused() {
    let peer = FaultyPeer::bind([]).unwrap();
    peer.go_away();
    let (error_handler, told) = remembering();
    let socket = bare(eager(of_peer(&peer))).build_sync().unwrap();
    let handler = NamedHandler::with_error_handler("socket", socket, error_handler);
    in_time(|| (0..3).for_each(|_| handler.emit(&record("lost"))));
    peer.come_back().unwrap();
    handler.emit(&record("found"));
    let stats = handler.stats();
    assert_eq!((stats.accepted(), stats.failed, stats.written), (4, 3, 1));
    assert!(told.lock().unwrap().iter().all(|text| text.contains("refused")), "{told:?}");
    drop(handler);
    peer.wait_for(|received| received == [b"5 found"]);
}

#[test]
fn a_peer_that_is_away_is_tried_only_when_it_is_due() {
    let peer = FaultyPeer::bind([]).unwrap();
    peer.go_away();
    let handler = bare(to(of_peer(&peer)).backoff(Backoff::default().initial(super::LONG))).build_sync().unwrap();
    assert!(handler.give(&record("1")).is_err());
    peer.come_back().unwrap();
    assert!((0..100).all(|_| handler.give(&record("2")).is_err()));
    assert!(peer.received().is_empty());
}

#[test]
fn a_peer_that_takes_connections_and_closes_them_is_away() {
    let peer = FaultyPeer::bind(vec![Meeting::CloseAfter(0); 9]).unwrap();
    let slow = Backoff::default().initial(super::LONG);
    let handler = bare(to(of_peer(&peer)).backoff(slow)).build_sync().unwrap();
    let start = std::time::Instant::now();
    // Until it has heard that the connection is closed, the system takes records.
    while handler.give(&record("into the void")).is_ok() {
        assert!(start.elapsed() < super::LONG);
    }
    assert!(handler.give(&record("away")).unwrap_err().to_string().contains("the next attempt is due"));
}

#[cfg(target_os = "linux")]
#[test]
fn a_black_hole_takes_the_connect_deadline_once() {
    let (_listener, address, _waiting) = super::black_hole();
    let handler = bare(to(address).connect_timeout(SHORT)).build_sync().unwrap();
    let handler = NamedHandler::with_error_handler("hole", handler, ErrorHandler::silent());
    in_time(|| (0..1_000).for_each(|_| handler.emit(&record("lost"))));
    assert_eq!((handler.stats().accepted(), handler.stats().failed), (1_000, 1_000));
}

#[cfg(target_os = "linux")]
#[test]
fn a_unix_socket_with_a_full_queue_takes_the_connect_deadline() {
    let dir = crate::places::Dir::new();
    let listener = std::os::unix::net::UnixListener::bind(dir.path("full")).unwrap();
    rustix::net::listen(&listener, 0).unwrap();
    let address = tracing_strata::sink::net::Address::UnixStream(dir.path("full"));
    let first = bare(to(address.clone())).build_sync().unwrap();
    first.give(&record("in the queue")).unwrap();
    let second = bare(to(address).connect_timeout(SHORT)).build_sync().unwrap();
    let error = in_time(|| second.give(&record("no room"))).unwrap_err();
    assert!(error.to_string().contains("no connection within"), "{error}");
}

#[test]
fn a_name_that_is_none_is_told() {
    let address = tracing_strata::sink::net::Address::tcp("no-such-host.invalid", 9);
    let handler = bare(to(address).connect_timeout(Duration::from_secs(5))).build_sync().unwrap();
    let error = in_time(|| handler.give(&record("lost"))).unwrap_err();
    assert!(error.is_io() && error.to_string().contains("no-such-host.invalid"), "{error}");
}

/// What it takes to fill the buffers of both sides.
const LOTS: usize = 20 << 20;

#[test]
fn a_slow_reader_takes_the_write_deadline_and_never_sees_half_a_record_before_another() {
    let (listener, address) = listen();
    let handler = bare(eager(address).write_timeout(SHORT)).build_sync().unwrap();
    let handler = NamedHandler::with_error_handler("slow", handler, ErrorHandler::silent());
    handler.emit(&record("before"));
    let (mut slow, _) = listener.accept().unwrap();
    // It reads nothing: the record is cut in the middle.
    in_time(|| handler.emit(&record(&"x".repeat(LOTS))));
    assert_eq!((handler.stats().written, handler.stats().failed), (1, 1));
    handler.emit(&record("after"));
    drop(handler);
    let (next, _) = listener.accept().unwrap();
    let mut first = Vec::new();
    slow.read_to_end(&mut first).unwrap_or_default();
    let (records, rest) = whole(&first);
    assert_eq!(records, ["before"]);
    assert!(rest.starts_with(format!("{LOTS} xxx").as_bytes()) && rest.len() < LOTS);
    assert_eq!(all_of(next), b"5 after");
}

/// Connecting succeeds each time, and says nothing: the waits grow all the same, and those in doubt wait for less.
#[test]
fn a_peer_that_hangs_is_tried_less_and_less_until_it_is_trusted_again() {
    let (_listener, address) = listen();
    let clock = tracing_strata::clock::ManualClock::at(1_000);
    let retry = Backoff::default().jitter(0.0);
    let to = to(address).write_timeout(Duration::from_millis(200)).backoff(retry).clock(clock.clone());
    let handler = bare(to).build_sync().unwrap();
    let big = record(&"x".repeat(LOTS));
    let refused = |record: &tracing_strata::Record| handler.give(record).unwrap_err().to_string();
    let hangs = |took: &str, due: &str| {
        let error = in_time(|| refused(&big));
        assert!(error.contains(&format!("took nothing for {took}")), "{error}");
        // No connection is tried until then.
        for _ in 0..3 {
            let error = refused(&record("away"));
            assert!(error.contains("is unavailable") && error.contains(&format!("due in {due} s")), "{error}");
        }
    };
    let goes_on = |seconds: f64| {
        clock.advance(Duration::from_secs_f64(seconds));
        assert_eq!(handler.give(&record("taken by the system")).unwrap(), tracing_strata::Outcome::Written);
    };
    goes_on(0.0);
    hangs("200ms", "0.1");
    for (wait, next) in [(0.1, "0.2"), (0.2, "0.4"), (0.4, "0.8")] {
        goes_on(wait);
        hangs("100ms", next);
    }
    // A connection that lasts.
    goes_on(0.8);
    goes_on(29.0);
    goes_on(1.0);
    hangs("200ms", "0.1");
}

#[test]
fn many_threads_and_a_stuck_peer_all_come_back() {
    let (listener, address) = listen();
    let handler = bare(eager(address).write_timeout(SHORT).connect_timeout(SHORT)).build_sync().unwrap();
    let handler = NamedHandler::with_error_handler("stuck", handler, ErrorHandler::silent());
    let big = "x".repeat(LOTS);
    in_time(|| {
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| handler.emit(&record(&big)));
            }
        });
    });
    assert_eq!((handler.stats().accepted(), handler.stats().failed), (8, 8));
    drop(listener);
}

#[test]
fn reset_in_the_middle_of_a_record_sends_it_once_more_and_whole() {
    let (listener, address) = listen();
    let handler = bare(eager(address)).build_sync().unwrap();
    let big = &"y".repeat(LOTS);
    std::thread::scope(|scope| {
        handler.give(&record("before")).unwrap();
        let sending = scope.spawn(move || handler.give(&record(big)));
        let (mut stream, _) = listener.accept().unwrap();
        let mut some = [0; 1 << 16];
        stream.read_exact(&mut some).unwrap();
        // With bytes unread, closing it resets the connection.
        drop(stream);
        let (stream, _) = listener.accept().unwrap();
        let reading = scope.spawn(|| all_of(stream));
        in_time(|| sending.join()).unwrap().unwrap();
        let stream = reading.join().unwrap();
        let (records, rest) = whole(&stream);
        assert!(records.len() == 1 && records[0] == *big && rest.is_empty());
    });
}

#[test]
fn a_server_that_is_restarted_ten_times_under_load() {
    const THREADS: u64 = 4;
    const RESTARTS: u64 = 10;
    let (listener, address) = listen();
    let port = listener.local_addr().unwrap();
    let queue = Queue::builder().overflow(Overflow::block_for(super::LONG));
    let (queue, guard) = bare(eager(address).reconnect_timeout(super::LONG)).queue(queue).build_with_guard().unwrap();
    let handler = NamedHandler::with_error_handler("restarted", queue, ErrorHandler::silent());
    let (restarts, given) = (AtomicU64::new(0), AtomicU64::new(0));
    let (streams, last) = std::thread::scope(|scope| {
        // Takes some bytes of each connection and is gone, with its listener; in the end it stays.
        let server = scope.spawn(|| {
            let (mut listener, mut streams) = (Some(listener), Vec::new());
            while restarts.load(Ordering::Acquire) < RESTARTS {
                let (mut stream, _) = listener.take().unwrap().accept().unwrap();
                let mut bytes = vec![0; 1_500];
                let length = stream.read(&mut bytes).unwrap();
                bytes.truncate(length);
                streams.push(bytes);
                drop(stream);
                listener = Some((0..10_000).find_map(|_| TcpListener::bind(port).ok()).unwrap());
                restarts.fetch_add(1, Ordering::Release);
            }
            (streams, listener.unwrap())
        });
        for thread in 0..THREADS {
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
                    std::thread::yield_now();
                }
            });
        }
        server.join().unwrap()
    });
    let is_over = Arc::new(AtomicBool::new(false));
    let over = Arc::clone(&is_over);
    let reader = std::thread::spawn(move || {
        let mut streams = streams;
        last.set_nonblocking(true).unwrap();
        loop {
            let was_over = over.load(Ordering::Acquire);
            match last.accept() {
                Ok((stream, _)) => {
                    stream.set_nonblocking(false).unwrap();
                    streams.push(all_of(stream));
                }
                Err(_) if was_over => return streams,
                Err(_) => std::thread::yield_now(),
            }
        }
    });
    in_time(|| guard.shutdown(super::LONG)).unwrap();
    let stats = handler.stats();
    assert_eq!((stats.accepted(), stats.written), (given.load(Ordering::Relaxed), stats.accepted()), "{stats}");
    drop((handler, guard));
    is_over.store(true, Ordering::Release);
    let streams = reader.join().unwrap();
    let mut seen = HashSet::new();
    for stream in &streams {
        let (records, _) = whole(stream);
        records.into_iter().for_each(|record| assert!(seen.insert(record), "twice"));
    }
    // What was on its way when the server died is lost, and nobody can know.
    assert!(seen.len() as u64 <= stats.written && !seen.is_empty());
    assert!(streams.len() as u64 >= RESTARTS, "{}", streams.len());
}

#[test]
fn udp_to_nobody_is_counted_when_the_system_tells() {
    let tracing_strata::sink::net::Address::Tcp { host, port } = nobody() else { unreachable!() };
    let address = tracing_strata::sink::net::Address::udp(host, port);
    let handler = tracing_strata::output::Syslog::builder(address).build_sync().unwrap();
    let (error_handler, told) = remembering();
    let handler = NamedHandler::with_error_handler("udp", handler, error_handler);
    for _ in 0..20 {
        handler.emit(&record("lost"));
    }
    handler.flush().unwrap();
    let stats = handler.stats();
    assert_eq!(stats.accepted(), 20);
    assert!(stats.failed > 0, "{stats}");
    assert!(told.lock().unwrap().iter().all(|text| text.contains("nobody listened")), "{told:?}");
}
