//! Receivers that die, hang, and lie.

use std::{collections::HashMap, net::TcpListener, time::Duration};

use tracing_strata::{output::FluentForward, sink::net::Address};

use super::{
    LONG, eager, emit, ends, named,
    receiver::{Receiver, Reply},
};

/// No answer, another one, or something else: it is sent again, with the same chunk.
#[test]
fn t99_what_is_not_acknowledged_is_sent_again() {
    let nested = vec![0x91; 5_000];
    for (reply, why) in [
        (Reply::Close, "the peer has closed the connection"),
        (Reply::WrongAck, "the receiver acknowledged something else"),
        (Reply::Bytes(b"\x81\xa3ac".to_vec()), "the peer has closed the connection"),
        (Reply::Bytes(b"\xc1".to_vec()), "the receiver said something else"),
        (Reply::Bytes(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()), "the receiver said something else"),
        (Reply::Bytes(b"\xc0".to_vec()), "the receiver said something else"),
        (Reply::Bytes(b"\x81\xa3ack\x01".to_vec()), "the receiver said something else"),
        (Reply::Bytes(b"\x92\xa4HELO\x80".to_vec()), "the receiver asks for a shared key"),
        (Reply::Bytes(b"\xdd\xff\xff\xff\xff\xc0".to_vec()), "the peer has closed the connection"),
        (Reply::Bytes(nested), "the receiver said something else"),
        // A text, and a list, of 4 GiB.
        (Reply::Endless(b"\xdb\xff\xff\xff\xff"), "the receiver said something else"),
        (Reply::Endless(b"\xdd\xff\xff\xff\xff"), "the receiver said something else"),
        (Reply::Endless(b"\xc0"), "the receiver said something else"),
    ] {
        let receiver = Receiver::start();
        receiver.script([reply.clone()]);
        let (fluent, told) = named(eager(&receiver));
        emit(&fluent, "t", &["a", "b"]);
        fluent.flush().unwrap();
        let got = receiver.got();
        assert_eq!(receiver.texts(), vec![("t".to_owned(), vec!["a".to_owned(), "b".into()]); 2], "{reply:?}");
        assert_eq!((&got[0].chunk, got[1].connection), (&got[1].chunk, 1));
        assert_eq!(ends(&fluent), (2, 0, 0));
        let told = told.lock().unwrap();
        assert!(
            told.len() == 1 && told[0].starts_with("fluent: tcp://127.0.0.1:") && told[0].contains(why),
            "{told:?}"
        );
    }
}

/// Several in one read, and not in order.
#[test]
fn t98_acknowledgements_come_in_any_order() {
    let receiver = Receiver::start();
    receiver.script([Reply::LateAck, Reply::Ack, Reply::LateAck, Reply::LateAck, Reply::Ack]);
    let (fluent, told) = named(eager(&receiver));
    ["a", "b", "c", "d", "e"].iter().for_each(|tag| emit(&fluent, tag, &["x"]));
    fluent.flush().unwrap();
    assert_eq!((receiver.got().len(), ends(&fluent), told.lock().unwrap().len()), (5, (5, 0, 0), 0));
    // The first of three never comes: all three come again.
    receiver.script([Reply::Bytes(Vec::new())]);
    ["a", "b", "c"].iter().for_each(|tag| emit(&fluent, tag, &["y"]));
    fluent.flush().unwrap();
    let chunks: Vec<_> = receiver.got().into_iter().map(|got| got.chunk.unwrap()).collect();
    assert_eq!((ends(&fluent), &chunks[5], told.lock().unwrap().len()), ((8, 0, 0), &chunks[6], 1));
}

#[test]
fn a_slow_acknowledgement_is_one() {
    let receiver = Receiver::start();
    receiver.script([Reply::SlowAck]);
    let (fluent, told) = named(eager(&receiver));
    emit(&fluent, "t", &["a"]);
    fluent.flush().unwrap();
    assert_eq!((receiver.got().len(), ends(&fluent), told.lock().unwrap().len()), (1, (1, 0, 0), 0));
}

#[test]
fn a_receiver_that_is_silent_is_left_in_time() {
    let receiver = Receiver::start();
    receiver.script([Reply::Silence]);
    let (fluent, told) = named(eager(&receiver).timeout(Duration::from_secs(2)));
    emit(&fluent, "t", &["a"]);
    fluent.flush().unwrap();
    assert_eq!((receiver.got().len(), ends(&fluent)), (2, (1, 0, 0)));
    assert!(told.lock().unwrap()[0].ends_with("expected an acknowledgement, nothing came in time"), "{told:?}");
}

/// It accepts connections and reads nothing.
#[test]
fn a_receiver_that_reads_nothing_is_left_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = Address::tcp("127.0.0.1", listener.local_addr().unwrap().port());
    let builder = FluentForward::builder(address).schedule_delay(LONG).flush_timeout(LONG);
    let builder = builder.max_batch_bytes(64 << 20).timeout(Duration::from_millis(100)).retry_for(Duration::ZERO);
    let (fluent, told) = named(builder);
    let huge = "x".repeat(20 << 20);
    emit(&fluent, "t", &[&huge]);
    fluent.flush().unwrap();
    assert_eq!(ends(&fluent), (0, 1, 0));
    let told = told.lock().unwrap();
    assert!(told[0].contains("the receiver took nothing in time"), "{told:?}");
}

/// What was acknowledged is not sent again, the rest is, in order.
#[test]
fn a_batch_ends_in_parts() {
    let receiver = Receiver::start();
    receiver.script([Reply::Ack, Reply::Ack, Reply::Close, Reply::Ack, Reply::WrongAck]);
    let (fluent, told) = named(eager(&receiver));
    for target in ["a", "b", "c", "d", "e"] {
        emit(&fluent, target, &["1", "2"]);
    }
    fluent.flush().unwrap();
    let tags: Vec<_> = receiver.got().into_iter().map(|got| (got.tag, got.connection)).collect();
    let of = |tag: &str, connection| (tag.to_owned(), connection);
    // "d" and "e" were on their way when the connections ended.
    let acknowledged: Vec<_> = tags.iter().filter(|(tag, _)| tag == "a" || tag == "b").cloned().collect();
    assert_eq!(acknowledged, [of("a", 0), of("b", 0)], "{tags:?}");
    assert_eq!(tags[2..4], [of("c", 0), of("c", 1)]);
    let last: Vec<_> = tags.iter().filter(|(_, connection)| *connection == 2).cloned().collect();
    assert_eq!(last, [of("d", 2), of("e", 2)]);
    assert_eq!(ends(&fluent), (10, 0, 0));
    assert_eq!(told.lock().unwrap().len(), 1, "once for a batch");
}

/// A receiver that drops what it knows has each record once; what is equal is not the same.
#[test]
fn the_chunk_tells_duplicates_from_equals() {
    let receiver = Receiver::start();
    receiver.script([Reply::Close, Reply::WrongAck]);
    let (fluent, _) = named(eager(&receiver).nanoseconds(false));
    for _ in 0..3 {
        emit(&fluent, "t", &["same"]);
        fluent.flush().unwrap();
    }
    let mut known: HashMap<_, usize> = HashMap::new();
    receiver.got().into_iter().for_each(|got| *known.entry(got.chunk.unwrap()).or_default() += 1);
    let mut counts: Vec<_> = known.into_values().collect();
    counts.sort_unstable();
    assert_eq!(counts, [1, 1, 3]);
}

/// Closed between batches: the next one goes over a new connection, at once and once.
#[test]
fn a_connection_that_was_closed_meanwhile_is_replaced() {
    let receiver = Receiver::start();
    receiver.script([Reply::AckAndClose, Reply::AckAndClose]);
    let (fluent, _) = named(eager(&receiver));
    for message in ["a", "b", "c"] {
        emit(&fluent, "t", &[message]);
        fluent.flush().unwrap();
    }
    let mut texts: Vec<_> = receiver.got().iter().flat_map(|got| got.messages()).collect();
    // Where the news of the end came after the next message had been sent.
    texts.dedup();
    assert_eq!((texts, ends(&fluent)), (vec!["a".to_owned(), "b".into(), "c".into()], (3, 0, 0)));
}

/// Nobody is there: given up in time.
#[test]
fn records_for_nobody_fail() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let builder = FluentForward::builder(Address::tcp("127.0.0.1", port)).schedule_delay(LONG).flush_timeout(LONG);
    let (fluent, told) = named(builder.retry_for(Duration::ZERO));
    emit(&fluent, "t", &["a"]);
    fluent.flush().unwrap();
    assert_eq!(ends(&fluent), (0, 1, 0));
    let told = told.lock().unwrap();
    assert!(told[0].contains("given up") && told[0].contains("cannot connect"), "{told:?}");
    assert_eq!(told[0].matches("refused").count(), 1, "{told:?}");
}

/// A storm of all kinds: the account is right at every step, the order is kept, and nothing is lost.
#[test]
fn t12_the_account_is_right_at_every_step() {
    for seed in 0..10 {
        let mut dice = fastrand::Rng::with_seed(seed);
        let receiver = Receiver::start();
        let reply = |_| match dice.u32(0..8) {
            0 => Reply::Close,
            1 => Reply::WrongAck,
            2 => Reply::Bytes(b"\xc1".to_vec()),
            3 => Reply::AckAndClose,
            _ => Reply::Ack,
        };
        receiver.script((0..12).map(reply).collect::<Vec<_>>());
        let (fluent, _) = named(eager(&receiver).max_batch(7).schedule_delay(Duration::from_millis(1)));
        for n in 0..50_u64 {
            emit(&fluent, ["a", "b", "c"][dice.usize(0..3)], &[&n.to_string()]);
            let stats = fluent.stats();
            assert_eq!(stats.accepted(), n + 1, "{stats}");
        }
        fluent.flush().unwrap();
        assert_eq!(ends(&fluent), (50, 0, 0), "seed {seed}");
        let mut known = Vec::new();
        for got in receiver.got() {
            if !known.iter().any(|(chunk, _)| *chunk == got.chunk) {
                known.push((got.chunk.clone(), got.messages()));
            }
        }
        let texts: Vec<_> = known.into_iter().flat_map(|(_, messages)| messages).collect();
        assert_eq!(texts, (0..50).map(|n| n.to_string()).collect::<Vec<_>>(), "seed {seed}");
    }
}
