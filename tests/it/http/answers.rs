//! What becomes of records by the status of an answer.

use super::{
    LONG, eager, emit, ends, named,
    receiver::{Receiver, Reply, status},
};

const AT_ONCE: &[(&str, &str)] = &[("retry-after", "0")];

#[test]
fn a_batch_is_one_request_over_one_connection() {
    let receiver = Receiver::start();
    let (http, told) = named(eager(&receiver));
    emit(&http, &["a", "b\nc"]);
    http.flush().unwrap();
    emit(&http, &["d"]);
    http.flush().unwrap();
    assert_eq!(receiver.bodies(), ["a\nb c\n", "d\n"]);
    let requests = receiver.requests();
    assert_eq!((requests[0].method.as_str(), requests[0].path.as_str()), ("POST", "/in"));
    assert_eq!(requests[0].headers["content-type"], "application/x-ndjson");
    assert_eq!(requests[0].connection, requests[1].connection);
    assert_eq!(ends(&http), (3, 0, 0));
    assert!(told.lock().unwrap().is_empty());
}

/// Halves are sent until the one to blame is alone; it failed with what the receiver said.
#[test]
fn t91_one_record_to_blame_is_found() {
    for code in [400, 422] {
        let receiver = Receiver::start();
        receiver.judge(move |got| {
            got.body.lines().any(|line| line == "bad").then_some(Reply::Status(code, &[], "bad one"))
        });
        let (http, told) = named(eager(&receiver));
        emit(&http, &["a", "b", "c", "bad", "d", "e"]);
        http.flush().unwrap();
        let taken: Vec<_> = receiver.bodies().into_iter().filter(|body| !body.contains("bad")).collect();
        assert_eq!(taken.concat(), "a\nb\nc\nd\ne\n");
        assert_eq!(ends(&http), (5, 1, 0));
        let told = told.lock().unwrap();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].ends_with(&format!("/in answered {code}: \"bad one\"")), "{told:?}");
    }
}

#[test]
fn a_batch_that_is_too_large_is_halved() {
    let receiver = Receiver::start();
    receiver.judge(|got| (got.body.len() > 5).then_some(status(413)));
    let (http, told) = named(eager(&receiver));
    emit(&http, &["1", "2", "3", "4", "5", "much too large"]);
    http.flush().unwrap();
    let taken: Vec<_> = receiver.bodies().into_iter().filter(|body| body.len() <= 5).collect();
    assert_eq!(taken.concat(), "1\n2\n3\n4\n5\n");
    assert_eq!(ends(&http), (5, 1, 0));
    assert!(told.lock().unwrap()[0].contains("answered 413"));
}

/// Whatever may pass is tried again, and told once.
#[test]
fn what_may_pass_is_sent_again() {
    for code in [401, 403, 408, 425, 429, 500, 502, 503, 504, 520] {
        let receiver = Receiver::start();
        receiver.script([Reply::Status(code, AT_ONCE, "later"), Reply::Status(code, AT_ONCE, "later")]);
        let (http, told) = named(eager(&receiver));
        emit(&http, &["a", "b"]);
        http.flush().unwrap();
        assert_eq!(receiver.bodies(), ["a\nb\n"; 3], "{code}");
        assert_eq!(ends(&http), (2, 0, 0));
        let told = told.lock().unwrap();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].ends_with(&format!("answered {code}: \"later\"")), "{told:?}");
    }
}

#[test]
fn what_will_not_pass_fails_at_once() {
    for code in [302, 404, 405, 415, 501, 505] {
        let receiver = Receiver::start();
        receiver.judge(move |_| Some(Reply::Status(code, &[("location", "/elsewhere")], "no")));
        let (http, _) = named(eager(&receiver));
        emit(&http, &["a", "b"]);
        http.flush().unwrap();
        assert_eq!((receiver.bodies().len(), ends(&http)), (1, (0, 2, 0)), "{code}");
    }
}

/// In seconds, as a date, as the reset of a limit; without any of them after a back-off.
#[test]
fn a_receiver_says_when_to_try_again() {
    let past = &[("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT")];
    let reset = &[("x-ratelimit-reset", "0")];
    for headers in [AT_ONCE, past, reset, &[]] {
        let receiver = Receiver::start();
        receiver.script([Reply::Status(429, headers, "")]);
        let (http, _) = named(eager(&receiver));
        emit(&http, &["a"]);
        http.flush().unwrap();
        assert_eq!((receiver.bodies().len(), ends(&http)), (2, (1, 0, 0)), "{headers:?}");
    }
}

/// More than the batch may take: it is given up at once.
#[test]
fn a_receiver_that_asks_for_too_much_is_not_waited_for() {
    // Each form of asking: who does not understand one backs off, and sends again.
    let asked: [(u16, &'static [(&'static str, &'static str)]); 4] = [
        (503, &[("retry-after", "3600")]),
        (429, &[("retry-after", "Fri, 31 Dec 2100 23:59:59 GMT")]),
        (429, &[("x-ratelimit-reset", "3600")]),
        (429, &[("ratelimit-reset", "4133980799")]),
    ];
    for (status, headers) in asked {
        let receiver = Receiver::start();
        receiver.judge(move |_| Some(Reply::Status(status, headers, "")));
        let (http, told) = named(eager(&receiver).retry_for(LONG));
        emit(&http, &["a", "b"]);
        http.flush().unwrap();
        assert_eq!((receiver.bodies().len(), ends(&http)), (1, (0, 2, 0)), "{headers:?}");
        assert!(told.lock().unwrap()[0].starts_with("http: 2 records given up after "), "{told:?}");
    }
}

/// A storm of errors; every record arrives once, in order.
#[test]
fn a_storm_passes() {
    let receiver = Receiver::start();
    let storm = [status(200), Reply::Status(500, AT_ONCE, ""), Reply::Status(503, AT_ONCE, "")];
    receiver.script(storm.into_iter().cycle().take(30));
    let (http, _) = named(eager(&receiver).max_batch(3));
    let messages: Vec<String> = (0..40).map(|n| n.to_string()).collect();
    messages.iter().for_each(|message| emit(&http, &[message]));
    http.flush().unwrap();
    // Each batch was sent until it was accepted.
    let mut bodies = receiver.bodies();
    bodies.dedup();
    assert_eq!(bodies.concat(), messages.join("\n") + "\n");
    assert_eq!(ends(&http), (40, 0, 0));
}

#[test]
fn a_redirect_is_followed_where_that_is_allowed() {
    use tracing_strata::sink::http::{Auth, Redirects};

    let (receiver, other) = (Receiver::start(), Receiver::start());
    let there: &'static str = other.url("/there").leak();
    let location: &'static [(&str, &str)] = vec![("location", there)].leak();
    let here: &[(&str, &str)] = &[("location", "/here")];
    receiver.script([Reply::Status(307, here, ""), Reply::Status(308, location, "")]);
    let (http, _) = named(eager(&receiver).redirects(Redirects::Follow(2)).auth(Auth::bearer("secret")));
    emit(&http, &["a"]);
    http.flush().unwrap();
    assert_eq!(ends(&http), (1, 0, 0));
    let requests = receiver.requests();
    assert_eq!((requests[1].path.as_str(), requests[1].body.as_str()), ("/here", "a\n"));
    assert_eq!(requests[1].headers["authorization"], "Bearer secret");
    // The secret is for the first one only.
    let elsewhere = other.requests();
    assert_eq!((elsewhere[0].path.as_str(), elsewhere[0].body.as_str()), ("/there", "a\n"));
    assert_eq!(elsewhere[0].headers.get("authorization"), None);

    // One too many.
    receiver.script([Reply::Status(307, here, ""), Reply::Status(307, here, ""), Reply::Status(307, here, "")]);
    emit(&http, &["b"]);
    http.flush().unwrap();
    assert_eq!(ends(&http), (1, 1, 0));
}
