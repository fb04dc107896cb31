//! Bodies, secrets, certificates, proxies; and what is refused when it is built.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use tracing_strata::{
    Error,
    format::Json,
    output::{Http, HttpBody, HttpBuilder},
    sink::{
        Compression,
        http::{Auth, Credential},
        net::Tls,
    },
};

use super::{
    LONG, eager, emit, ends, named,
    receiver::{Receiver, status},
};
use crate::{
    net::tls::{Authority, config},
    places::Dir,
};

#[test]
fn bodies_in_all_shapes() {
    let sent = |body: HttpBody| {
        let receiver = Receiver::start();
        let (http, _) = named(eager(&receiver).body(body));
        emit(&http, &["1", "2"]);
        http.flush().unwrap();
        assert_eq!(ends(&http), (2, 0, 0));
        receiver.requests().into_iter().map(|got| (got.headers["content-type"].clone(), got.body)).collect::<Vec<_>>()
    };
    let of = |content_type: &str, body: &str| (content_type.to_owned(), body.to_owned());
    assert_eq!(sent(HttpBody::lines()), [of("application/x-ndjson", "1\n2\n")]);
    assert_eq!(sent(HttpBody::array()), [of("application/json", "[1,2]")]);
    let around = HttpBody::around("{\"logs\":[", ",", "]}").content_type("text/x");
    assert_eq!(sent(around), [of("text/x", "{\"logs\":[1,2]}")]);
    assert_eq!(sent(HttpBody::single()), [of("application/json", "1"), of("application/json", "2")]);
    assert_eq!(sent(HttpBody::lines().max_record_bytes(1)), [of("application/x-ndjson", "1\n2\n")]);
}

#[test]
fn a_record_that_is_too_large_fails_alone() {
    let receiver = Receiver::start();
    let (http, told) = named(eager(&receiver).body(HttpBody::array().max_record_bytes(3)));
    emit(&http, &["123", "1234", "12"]);
    http.flush().unwrap();
    assert_eq!((receiver.bodies().concat(), ends(&http)), ("[123][12]".into(), (2, 1, 0)));
    assert_eq!(*told.lock().unwrap(), ["a record of 4 bytes: expected 3 at most"]);
}

#[test]
fn compressed_bodies() {
    for compression in [Compression::gzip(), Compression::zstd()] {
        let receiver = Receiver::start();
        let (http, _) = named(eager(&receiver).compression(compression));
        emit(&http, &["a", "b"]);
        http.flush().unwrap();
        let request = &receiver.requests()[0];
        assert!(["gzip", "zstd"].contains(&&*request.headers["content-encoding"]));
        assert_eq!(request.body, "a\nb\n");
    }
}

/// From the URL, a file, a function that renews it.
#[test]
fn secrets_may_change() {
    let dir = Dir::new();
    let path = dir.path("token");
    fs::write(&path, "one\r\n").unwrap();
    let receiver = Receiver::start();
    let (http, _) = named(eager(&receiver).auth(Auth::header("X-Api-Key", Credential::file(&path))));
    emit(&http, &["a"]);
    http.flush().unwrap();
    fs::write(&path, "two").unwrap();
    emit(&http, &["b"]);
    http.flush().unwrap();
    let keys: Vec<_> = receiver.requests().iter().map(|got| got.headers["x-api-key"].clone()).collect();
    assert_eq!(keys, ["one", "two"]);

    // It is renewed when it is refused.
    let receiver = Receiver::start();
    receiver.judge(|got| (got.headers["authorization"] != "Bearer 3").then_some(status(401)));
    let calls = Arc::new(AtomicU32::new(0));
    let renewed = Credential::from_fn(move || match calls.fetch_add(1, Ordering::Relaxed) {
        1 => Err(Error::new("nobody to ask")),
        n => Ok(n.to_string()),
    });
    let (http, _) = named(eager(&receiver).auth(Auth::bearer(renewed)));
    emit(&http, &["a"]);
    http.flush().unwrap();
    assert_eq!((receiver.bodies().len(), ends(&http)), (2, (1, 0, 0)));

    let receiver = Receiver::start();
    let with_password = format!("http://us%40er:p%C3%A4:ss@{}/base?x=1", receiver.host());
    let (http, told) = named(Http::builder(with_password).schedule_delay(LONG));
    receiver.script([status(404)]);
    emit(&http, &["a"]);
    http.flush().unwrap();
    let request = &receiver.requests()[0];
    assert_eq!(
        (request.path.as_str(), request.headers["authorization"].as_str()),
        ("/base?x=1", "Basic dXNAZXI6cMOkOnNz")
    );
    assert!(!told.lock().unwrap()[0].contains("ss@"), "{told:?}");
}

#[test]
fn certificates_of_both_sides() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let receiver = Receiver::encrypted(config(&authority.server(), Some(&clients)));
    let (certificate, key) = clients.client();
    let trusting = || Tls::new().ca_pem(authority.pem.as_str());
    let (http, _) = named(eager(&receiver).tls(trusting().identity_pem(certificate, key)));
    emit(&http, &["secret"]);
    http.flush().unwrap();
    assert_eq!((receiver.bodies(), ends(&http)), (vec!["secret\n".to_owned()], (1, 0, 0)));

    // We are nobody; it is somebody else.
    for tls in [trusting(), Tls::new().ca_pem(clients.pem.as_str())] {
        let (http, told) = named(eager(&receiver).tls(tls).retry_for(std::time::Duration::ZERO));
        emit(&http, &["never"]);
        http.flush().unwrap();
        assert_eq!((receiver.bodies().len(), ends(&http)), (1, (0, 1, 0)));
        assert!(told.lock().unwrap()[0].contains("did not answer"), "{told:?}");
    }
}

#[test]
fn an_expired_certificate_is_told_and_waited_for() {
    let authority = Authority::new();
    let receiver = Receiver::encrypted(config(&authority.expired(), None));
    let http = eager(&receiver).tls(Tls::new().ca_pem(authority.pem.as_str()));
    let (http, told) = named(http.retry_for(std::time::Duration::ZERO));
    emit(&http, &["never"]);
    http.flush().unwrap();
    assert_eq!((receiver.bodies().len(), ends(&http)), (0, (0, 1, 0)));
    let told = told.lock().unwrap();
    assert!(told[0].contains("did not answer") && told[0].to_lowercase().contains("expired"), "{told:?}");
}

#[test]
fn a_name_that_is_gone_is_told_and_waited_for() {
    let http = Http::builder("http://no-such-host.invalid/").schedule_delay(LONG).flush_timeout(LONG);
    let (http, told) = named(http.proxy("").retry_for(std::time::Duration::ZERO));
    emit(&http, &["never"]);
    http.flush().unwrap();
    assert_eq!(ends(&http), (0, 1, 0));
    assert!(told.lock().unwrap()[0].contains("http://no-such-host.invalid/ did not answer"), "{told:?}");
}

#[test]
fn a_proxy_is_asked_in_place_of_the_server() {
    let proxy = Receiver::start();
    let http = Http::builder("http://logs.example:81/in").proxy(proxy.url("")).schedule_delay(LONG).flush_timeout(LONG);
    proxy.script([status(200)]);
    let (http, _) = named(http.retry_for(std::time::Duration::ZERO));
    emit(&http, &["a"]);
    http.flush().unwrap();
    let request = &proxy.requests()[0];
    assert!(
        request.method == "CONNECT" && request.path == "logs.example:81" || request.path == "http://logs.example:81/in",
        "{request:?}"
    );
}

#[test]
fn t86_what_is_wrong_is_named_without_its_secret() {
    let url = "http://127.0.0.1:9/";
    let with = |change: fn(HttpBuilder) -> HttpBuilder| change(Http::builder(url)).name("logs").build().unwrap_err();
    for (error, expected) in [
        (Http::builder("ftp://h").build().unwrap_err(), "http: URL \"ftp://h\": expected one like"),
        (Http::builder("http://u:hunter2@h:x").build().unwrap_err(), "http: URL \"h:x\": expected one like"),
        (with(|http| http.header("a b", "c")), "logs: header \"a b\": expected a name and a value that HTTP allows"),
        (with(|http| http.header("a", "c\r\nhunter2")), "logs: header \"a\": expected a name and a value"),
        (with(|http| http.auth(Auth::bearer("hunter2\n"))), "logs: the secret that was given: expected characters"),
        (with(|http| http.auth(Auth::bearer(""))), "logs: the secret that was given: expected a secret, got nothing"),
        (with(|http| http.auth(Auth::bearer(Credential::file("/none")))), "logs: cannot read the secret in /none"),
        (
            with(|http| http.auth(Auth::bearer(Credential::env("NONE_SUCH")))),
            "logs: the secret in $NONE_SUCH: expected it",
        ),
        (with(|http| http.auth(Auth::header("a b", "hunter2"))), "logs: header \"a b\": expected a name"),
        (with(|http| http.proxy("hunter2://x")), "logs: proxy: expected a URL like"),
        (with(|http| http.tls(Tls::new())), "logs: TLS has no effect on http://127.0.0.1:9/: expected https:"),
        (with(|http| http.capacity(0)), "logs: capacity: expected at least 1, got 0"),
        (
            Http::builder("https://h/").tls(Tls::new().ca_pem("hunter2")).build().unwrap_err(),
            "the PEM that was given has no certificate",
        ),
        (
            Http::builder("https://h/").tls(Tls::new().server_name("x")).build().unwrap_err(),
            "TLS: a server name has no effect over HTTP",
        ),
    ] {
        let text = error.to_string();
        assert!(text.starts_with(expected), "{text:?}, expected {expected:?}");
        assert!(!text.contains("hunter2"), "{text}");
    }
    let shown = format!("{:?}", Http::builder("http://u:hunter2@h/").auth(Auth::bearer("hunter2")));
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn a_format_makes_json_of_records() {
    let receiver = Receiver::start();
    let http = Http::builder(receiver.url("/")).body(HttpBody::array()).format(Json::new().field("service", "shop"));
    let (http, _) = named(http.schedule_delay(LONG));
    emit(&http, &["a"]);
    http.flush().unwrap();
    let body: serde_json::Value = serde_json::from_str(&receiver.bodies()[0]).unwrap();
    assert_eq!((&body[0]["message"], &body[0]["service"]), (&"a".into(), &"shop".into()));
}
