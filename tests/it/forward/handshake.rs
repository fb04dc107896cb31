//! The shared key, users, and receivers that lie about them.

use std::time::Duration;

use tracing_strata::sink::Credential;

use super::{
    LONG, eager, emit, ends, named,
    receiver::{Access, Receiver},
};

fn with_key() -> Access {
    Access { key: "key-4711", ..Access::default() }
}

#[test]
fn each_proves_the_key_to_the_other() {
    for access in [with_key(), Access { user: Some(("ann", "pass-4712")), ..with_key() }] {
        let receiver = Receiver::with_access(access.clone());
        let builder = eager(&receiver).shared_key("key-4711").login("ann", "pass-4712").host("web-1");
        let (fluent, told) = named(builder);
        for message in ["1", "2"] {
            emit(&fluent, "t", &[message]);
            fluent.flush().unwrap();
        }
        assert_eq!((ends(&fluent), receiver.clients()), ((2, 0, 0), vec!["web-1".to_owned()]), "{told:?}");
    }
}

/// Told without a secret.
#[test]
fn who_is_refused_is_told_why() {
    let (user, key) = (Access { user: Some(("ann", "pass-4712")), ..with_key() }, with_key());
    let lies = Access { lies: true, ..with_key() };
    let own_name = "same hostname between input and output: invalid configuration";
    for (access, builder, why) in [
        (key.clone(), ("key-4713", "pass-4712", "web-1"), "the receiver refuses us: \"shared_key mismatch\""),
        (key, ("key-4711", "pass-4712", "receiver"), own_name),
        (user, ("key-4711", "pass-4714", "web-1"), "the receiver refuses us: \"username/password mismatch\""),
        (lies, ("key-4711", "pass-4712", "web-1"), "the receiver does not know the shared key"),
    ] {
        let receiver = Receiver::with_access(access);
        let (key, password, host) = builder;
        let builder = eager(&receiver).shared_key(key).login("ann", password).host(host);
        let (fluent, told) = named(builder.retry_for(Duration::ZERO));
        emit(&fluent, "t", &["1", "2"]);
        fluent.flush().unwrap();
        assert_eq!((ends(&fluent), receiver.got().len()), ((0, 2, 0), 0));
        let told = told.lock().unwrap();
        assert!(told[0].contains("given up") && told[0].contains(why), "{told:?}");
        assert_eq!(told[0].matches(why).count(), 1, "{told:?}");
        assert!(!told.iter().any(|told| told.contains("-47")), "{told:?}");
    }
    let receiver = Receiver::with_access(Access { user: Some(("ann", "pass-4712")), ..with_key() });
    let (fluent, told) = named(eager(&receiver).shared_key("key-4711").retry_for(Duration::ZERO));
    emit(&fluent, "t", &["1"]);
    fluent.flush().unwrap();
    assert!(told.lock().unwrap()[0].contains("the receiver asks for a user and a password"), "{told:?}");
}

/// A key that is renewed counts for the next attempt.
#[test]
fn a_key_is_read_for_each_connection() {
    let receiver = Receiver::with_access(with_key());
    let calls = std::sync::atomic::AtomicUsize::new(0);
    let key = Credential::from_fn(move || {
        // Built, then the first connection.
        Ok(if calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed) < 2 { "old" } else { "key-4711" }.into())
    });
    let (fluent, told) = named(eager(&receiver).shared_key(key));
    emit(&fluent, "t", &["1"]);
    fluent.flush().unwrap();
    assert_eq!((ends(&fluent), told.lock().unwrap().len()), ((1, 0, 0), 1));
}

#[test]
fn who_is_asked_for_a_key_and_has_none_says_so() {
    let receiver = Receiver::with_access(with_key());
    let (fluent, told) = named(eager(&receiver).retry_for(Duration::ZERO));
    emit(&fluent, "t", &["1"]);
    fluent.flush().unwrap();
    assert_eq!(ends(&fluent), (0, 1, 0));
    assert!(told.lock().unwrap()[0].contains("the receiver asks for a shared key"), "{told:?}");
}

#[test]
fn a_receiver_may_want_a_connection_for_each_batch() {
    for (keepalive, connections) in [(None, [0, 0]), (Some(true), [0, 0]), (Some(false), [0, 1])] {
        let receiver = Receiver::with_access(Access { keepalive, ..with_key() });
        let (fluent, _) = named(eager(&receiver).shared_key("key-4711"));
        for message in ["1", "2"] {
            emit(&fluent, "t", &[message]);
            fluent.flush().unwrap();
        }
        let of: Vec<_> = receiver.got().iter().map(|got| got.connection).collect();
        assert_eq!((of, ends(&fluent)), (connections.to_vec(), (2, 0, 0)));
    }
}

#[test]
fn garbage_in_place_of_a_handshake_is_no_handshake() {
    for (helo, why) in [
        (vec![], "expected HELO, nothing came in time"),
        (b"\xc1".to_vec(), "expected HELO, the receiver said something else"),
        (b"\x92\xa4PONG\x80".to_vec(), "expected HELO, the receiver said something else"),
        (vec![0x91; 9_000], "expected HELO, the receiver said something else"),
        (b"\xdb\xff\xff\xff\xff".repeat(2_000), "expected HELO, the receiver said something else"),
        // No options, and then no PONG.
        (b"\x91\xa4HELO".to_vec(), "expected PONG, nothing came in time"),
        (b"\x91\xa4HELO\x95\xa4PONG\xc2\xa3\x1b\xff\n\xa0\xa0".to_vec(), "refuses us: \"\\u{1b}\u{fffd}\\n\""),
        (b"\x91\xa4HELO\x91\xa4PONG".to_vec(), "the receiver refuses us: \"\""),
        (b"\x91\xa4HELO\x92\xa4PONG\xc3".to_vec(), "the receiver does not know the shared key"),
    ] {
        let receiver = Receiver::with_access(Access { helo: Some(helo), ..with_key() });
        let timeout = if why.ends_with("in time") { Duration::from_millis(200) } else { LONG };
        let builder = eager(&receiver).shared_key("key-4711").connect_timeout(timeout);
        let (fluent, told) = named(builder.retry_for(Duration::ZERO));
        emit(&fluent, "t", &["1"]);
        fluent.flush().unwrap();
        assert_eq!(ends(&fluent), (0, 1, 0));
        assert!(told.lock().unwrap()[0].ends_with(why), "{told:?} {why}");
    }
}
