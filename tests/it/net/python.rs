//! BEHAVIOURS 17, as far as it concerns the connection.

use std::time::Duration;

use tracing_strata::{
    HandlerExt as _, Outcome, Record, Severity,
    clock::ManualClock,
    sink::net::{Backoff, Connection, Framing},
};

use super::{all_of, bare, listen, record};
use crate::support::Give as _;

#[test]
fn rule_17_1_one_connection_opened_at_the_first_record_and_kept() {
    let (listener, address) = listen();
    listener.set_nonblocking(true).unwrap();
    let to = Connection::builder(address).framing(Framing::None).backoff(Backoff::python());
    let handler = bare(to).build_sync().unwrap();
    assert!(listener.accept().is_err());
    (0..10).for_each(|_| assert_eq!(handler.give(&record("x")).unwrap(), Outcome::Written));
    let (stream, _) = listener.accept().unwrap();
    assert!(listener.accept().is_err());
    drop(handler);
    stream.set_nonblocking(false).unwrap();
    assert_eq!(all_of(stream), b"xxxxxxxxxx");
}

/// Also 17.4: dropped, without an error; between the tries nobody tries.
#[test]
fn rule_17_5_the_schedule_of_tries() {
    let (listener, address) = listen();
    let port = listener.local_addr().unwrap();
    drop(listener);
    let clock = ManualClock::at(1_000);
    let to = Connection::builder(address).framing(Framing::None).backoff(Backoff::python()).clock(clock.clone());
    let handler = bare(to).build_sync().unwrap().named("python");
    let mut listener = None;
    let sent = |at: u64| {
        clock.set(std::time::UNIX_EPOCH + Duration::from_secs(at));
        handler.emit(&record(&format!("{at};")));
        handler.stats().written
    };
    // Failures at 1000, 1001, 1003, 1007: waits of 1, 2, 4, 8 seconds.
    for at in [1_000, 1_001, 1_002, 1_003, 1_006, 1_007] {
        assert_eq!(sent(at), 0, "{at}");
    }
    listener.replace(std::net::TcpListener::bind(port).unwrap());
    assert_eq!(sent(1_014), 0);
    assert_eq!(sent(1_015), 1);
    assert_eq!(sent(1_015), 2);
    let (stream, _) = listener.take().unwrap().accept().unwrap();
    // The success has begun the schedule anew: away again, it is tried once, and then after one second.
    drop(stream);
    assert_eq!(sent(1_020), 2);
    let listener = std::net::TcpListener::bind(port).unwrap();
    assert_eq!(sent(1_020), 2);
    assert_eq!(sent(1_021), 3);
    let stats = handler.stats();
    assert_eq!((stats.accepted(), stats.dropped, stats.failed, stats.other_errors), (12, 9, 0, 0));
    drop(handler);
    assert_eq!(all_of(listener.accept().unwrap().0), b"1021;");
}

/// 17.3, that no format is used for what is sent, is a scenario of the conformance set (`socket_frames`).
#[test]
fn rule_17_6_levels_filters_and_changes_count() {
    let (listener, address) = listen();
    let to = Connection::builder(address).framing(Framing::None).backoff(Backoff::python());
    let handler = bare(to).build_sync().unwrap();
    let handler = handler.transform(|record: &mut Record| record.set_message("changed;"));
    let handler = handler.filter(|record: &Record| record.message() != "refused").min_level(Severity::INFO);
    for (severity, message, outcome) in [
        (Severity::INFO, "passes", Outcome::Written),
        (Severity::INFO, "refused", Outcome::Filtered),
        (Severity::DEBUG, "low", Outcome::Filtered),
        (Severity::ERROR, "passes", Outcome::Written),
    ] {
        assert_eq!(handler.give(&Record::new(severity, "shop", message)).unwrap(), outcome, "{message}");
    }
    drop(handler);
    assert_eq!(all_of(listener.accept().unwrap().0), b"changed;changed;");
}

/// 17.7 is `net::connection::a_unix_stream`. 17.8: after a connection that broke, the next record connects again; ours does
/// not lose the one in hand, as the peer's end is noticed before.
#[test]
fn rule_17_8_a_broken_connection_is_opened_again_by_the_next_record() {
    let (listener, address) = listen();
    let to = Connection::builder(address).framing(Framing::None).backoff(Backoff::python());
    let handler = bare(to).build_sync().unwrap();
    for message in ["1", "2", "3"] {
        assert_eq!(handler.give(&record(message)).unwrap(), Outcome::Written);
        drop(listener.accept().unwrap());
    }
}

#[test]
fn rule_17_9_connecting_may_take_one_second() {
    let (_, address) = listen();
    let to = Connection::builder(address).backoff(Backoff::python());
    assert!(format!("{to:?}").contains("connect_timeout: 1s"), "{to:?}");
}
