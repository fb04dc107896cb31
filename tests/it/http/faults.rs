//! Servers that die, hang, and lie.

use std::{net::TcpListener, time::Duration};

use tracing_strata::output::Http;

use super::{
    LONG, eager, emit, ends, named,
    receiver::{Receiver, Reply},
};
use crate::places::Bare;

/// Half an answer, none, or something else: nobody knows, so it is sent again.
#[test]
fn t99_an_answer_that_does_not_come_is_no_answer() {
    for reply in [
        Reply::Close,
        Reply::Reset,
        Reply::Bytes(b"HTTP/1.1 2"),
        Reply::Bytes(b"HTTP/1.1 200 OK\r\ncontent-le"),
        Reply::Bytes(b"\x00\x01 not http\r\n\r\n"),
        Reply::Bytes(b"HTTP/1.1 999999999999 OK\r\n\r\n"),
        Reply::Bytes(b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n"),
        Reply::Endless(b"HTTP/1.1 200 OK\r\n", b"x-more: more and more and more\r\n"),
    ] {
        let receiver = Receiver::start();
        receiver.script([reply.clone()]);
        let (http, told) = named(eager(&receiver));
        emit(&http, &["a", "b"]);
        http.flush().unwrap();
        assert_eq!(receiver.bodies(), ["a\nb\n"; 2], "{reply:?}");
        assert_eq!(ends(&http), (2, 0, 0));
        assert!(told.lock().unwrap()[0].contains("/in did not answer"), "{told:?}");
    }
}

/// The status says that it was accepted; the rest of the answer does not matter.
#[test]
fn the_body_of_a_success_may_be_broken_or_endless() {
    for reply in [
        Reply::Bytes(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf"),
        Reply::Bytes(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"),
        Reply::Endless(b"HTTP/1.1 200 OK\r\n\r\n", &[b'x'; 65_536]),
    ] {
        let receiver = Receiver::start();
        receiver.script([reply.clone()]);
        let (http, _) = named(eager(&receiver));
        emit(&http, &["a"]);
        http.flush().unwrap();
        emit(&http, &["b"]);
        http.flush().unwrap();
        assert_eq!((receiver.bodies().len(), ends(&http)), (2, (2, 0, 0)), "{reply:?}");
    }
}

/// Closed between requests: the next one goes over a new connection, once.
#[test]
fn a_connection_that_was_closed_meanwhile_is_replaced() {
    let receiver = Receiver::start();
    receiver.script([Reply::OkAndClose, Reply::OkAndClose]);
    let (http, _) = named(eager(&receiver));
    for message in ["a", "b", "c"] {
        emit(&http, &[message]);
        http.flush().unwrap();
    }
    let mut bodies = receiver.bodies();
    bodies.dedup();
    assert_eq!(bodies, ["a\n", "b\n", "c\n"]);
    assert_eq!(ends(&http), (3, 0, 0));
}

#[test]
fn a_server_that_is_silent_or_slow_is_left_in_time() {
    for reply in [Reply::Silence, Reply::SlowBody(503)] {
        let receiver = Receiver::start();
        receiver.script([reply.clone()]);
        let (http, told) = named(eager(&receiver).timeout(Duration::from_secs(2)));
        emit(&http, &["a"]);
        http.flush().unwrap();
        assert_eq!((receiver.bodies().len(), ends(&http)), (2, (1, 0, 0)), "{reply:?}");
        assert_eq!(told.lock().unwrap().len(), 1, "{told:?}");
    }
}

/// Nobody is there at first.
#[test]
fn records_wait_for_a_server_that_is_away() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let http = Http::builder(format!("http://127.0.0.1:{port}/")).format(Bare).schedule_delay(LONG);
    let (http, told) = named(http.flush_timeout(Duration::from_millis(1)).retry_for(LONG));
    emit(&http, &["a", "b"]);
    let error = http.flush().unwrap_err().to_string();
    assert!(error.starts_with("http: flush: 2 records not sent within 1ms"), "{error}");
    let stats = http.stats();
    assert_eq!((stats.accepted(), stats.queued), (2, 2));
    // The deadline of the end comes before an answer.
    let ledger = http.ledger();
    drop(http);
    while ledger.stats().queued > 0 {
        std::thread::yield_now();
    }
    assert_eq!((ledger.stats().dropped, ledger.stats().written), (2, 0));
    assert!(told.lock().unwrap().iter().any(|told| told.starts_with("http: shutdown: 2 records not sent")), "{told:?}");
}

/// The first one is away, then the second: each batch arrives at once, at the one that answers.
#[test]
fn another_server_takes_over() {
    let (one, two) = (Receiver::start(), Receiver::start());
    let away = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let http = Http::builder(format!("http://{away}/")).failover(one.url("/in")).failover(two.url("/in"));
    let (http, told) = named(http.format(Bare).schedule_delay(LONG).flush_timeout(LONG));
    let send = |message: &str| {
        emit(&http, &[message]);
        http.flush().unwrap();
    };
    send("a");
    one.script([Reply::Status(503, &[], ""), Reply::Close]);
    send("b");
    send("c");
    two.script([Reply::Close]);
    send("d");
    send("e");
    // Nobody answers the first "d": only then there is a pause.
    assert_eq!(one.bodies(), ["a\n", "b\n", "d\n"]);
    assert_eq!(two.bodies(), ["b\n", "c\n", "d\n", "d\n", "e\n"]);
    assert_eq!(ends(&http), (5, 0, 0));
    assert_eq!(told.lock().unwrap().len(), 1, "{told:?}");
}

#[test]
fn a_batch_is_given_up_in_time() {
    let receiver = Receiver::start();
    receiver.judge(|_| Some(Reply::Status(503, &[("retry-after", "0")], "busy")));
    let (http, told) = named(eager(&receiver).retry_for(Duration::from_millis(20)));
    emit(&http, &["a", "b"]);
    http.flush().unwrap();
    assert_eq!(ends(&http), (0, 2, 0));
    let told = told.lock().unwrap();
    let last = told.last().unwrap();
    assert!(last.contains("2 records given up after") && last.contains("answered 503: \"busy\""), "{told:?}");
}

/// A storm of all kinds: the account is right at every step.
#[test]
fn t12_the_account_is_right_at_every_step() {
    const AT_ONCE: &[(&str, &str)] = &[("retry-after", "0")];
    for seed in 0..20 {
        let mut dice = fastrand::Rng::with_seed(seed);
        let receiver = Receiver::start();
        let reply = |_| match dice.u32(0..9) {
            0 => Reply::Close,
            1 => Reply::Status(503, AT_ONCE, ""),
            2 => Reply::Status(400, &[], "bad"),
            3 => Reply::Status(413, &[], ""),
            4 => Reply::Status(404, &[], ""),
            5 => Reply::OkAndClose,
            _ => Reply::Status(204, &[], ""),
        };
        receiver.script((0..30).map(reply).collect::<Vec<_>>());
        let (http, _) = named(eager(&receiver).max_batch(7).schedule_delay(Duration::from_millis(1)));
        for n in 0..50 {
            emit(&http, &[&n.to_string()]);
            let stats = http.stats();
            assert_eq!(stats.accepted(), n + 1, "{stats}");
        }
        http.flush().unwrap();
        let (written, failed, dropped) = ends(&http);
        assert_eq!((written + failed, dropped), (50, 0), "seed {seed}");
    }
}
