//! BEHAVIOURS 21: what Python's `HTTPHandler` sends.

use std::collections::HashMap;

use tracing_strata::{
    Record, Severity,
    format::{Buffer, Form, Format},
    output::{Http, HttpBody},
    sink::http::Auth,
};

use super::{
    LONG, emit, ends, named,
    receiver::{Receiver, status},
};

/// `urllib.parse.parse_qsl`
fn parsed(form: &str) -> Vec<(String, String)> {
    let plain = |text: &str| {
        let mut bytes = Vec::new();
        let mut rest = text.as_bytes();
        while let Some((&byte, after)) = rest.split_first() {
            rest = after;
            bytes.push(match byte {
                b'+' => b' ',
                b'%' => {
                    let digits = std::str::from_utf8(&rest[..2]).unwrap();
                    rest = &rest[2..];
                    u8::from_str_radix(digits, 16).unwrap()
                }
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.' | b'-' | b'~' => byte,
                byte => panic!("{:?} must be escaped", char::from(byte)),
            });
        }
        String::from_utf8(bytes).unwrap()
    };
    form.split('&').map(|pair| pair.split_once('=').unwrap()).map(|(name, value)| (plain(name), plain(value))).collect()
}

fn form(record: &Record) -> Vec<(String, String)> {
    let mut out = Buffer::new();
    Form::new().process_name("MainProcess").format(record, &mut out).unwrap();
    parsed(out.to_str().unwrap())
}

#[test]
fn rule_21_1_and_21_3_get_and_post() {
    let sent = |path: &str, body: HttpBody| {
        let receiver = Receiver::start();
        let (http, _) = named(Http::builder(receiver.url(path)).body(body).flush_timeout(LONG));
        emit(&http, &["a & b = é+%", "second"]);
        http.flush().unwrap();
        assert_eq!((receiver.requests().len(), ends(&http)), (2, (2, 0, 0)));
        receiver.requests().remove(0)
    };
    let post = sent("/in?key=1", HttpBody::form());
    assert_eq!((post.method.as_str(), post.path.as_str()), ("POST", "/in?key=1"));
    assert_eq!(post.headers["content-type"], "application/x-www-form-urlencoded");
    assert!(post.body.starts_with("name=t&msg=a+%26+b+%3D+%C3%A9%2B%25&args=%28%29&levelname=INFO&levelno=20&"));
    for (path, expected) in [("/log", "/log?name=t&"), ("/log?key=1", "/log?key=1&name=t&")] {
        let get = sent(path, HttpBody::query());
        assert_eq!((get.method.as_str(), get.body.as_str()), ("GET", ""));
        assert_eq!(get.headers.get("content-type"), None);
        assert!(get.path.starts_with(expected), "{}", get.path);
    }
}

/// The attributes in the order of a `LogRecord`, each by `str()`; what `extra` gives comes last.
#[test]
fn rule_21_2_attributes_as_text() {
    let mut record = Record::new(Severity::ERROR, "a::b", "x");
    record.set_source("/srv/app.rs", 10);
    record.set("user", "ann");
    record.set("n", -3);
    record.set("ratio", 1e22);
    record.set("yes", true);
    record.set("raw", &b"a'\n\x00\xff"[..]);
    record.set("msg", "mine");
    let pairs = form(&record);
    let names: Vec<_> = pairs.iter().map(|(name, _)| name.as_str()).collect();
    let attributes = "name msg args levelname levelno pathname filename module exc_info exc_text stack_info lineno \
                      funcName created msecs relativeCreated thread threadName processName process";
    assert_eq!(names.join(" "), format!("{attributes} user n ratio yes raw msg_"));
    let of: HashMap<_, _> = pairs.into_iter().collect();
    for (name, value) in [
        ("name", "a.b"),
        ("args", "()"),
        ("levelname", "ERROR"),
        ("levelno", "40"),
        ("filename", "app.rs"),
        ("module", "app"),
        ("lineno", "10"),
        ("exc_info", "None"),
        ("exc_text", "None"),
        ("processName", "MainProcess"),
        ("n", "-3"),
        ("ratio", "1e+22"),
        ("yes", "True"),
        ("raw", r#"b"a'\n\x00\xff""#),
        ("msg_", "mine"),
    ] {
        assert_eq!(of[name], value, "{name}");
    }
    assert!(of["msecs"].ends_with(".0") && of["created"].contains('.'));
}

#[test]
fn rule_21_4_credentials() {
    let receiver = Receiver::start();
    let http = Http::builder(receiver.url("/x")).body(HttpBody::query()).auth(Auth::basic("user", "pä:ss"));
    let (http, _) = named(http);
    emit(&http, &["hello"]);
    http.flush().unwrap();
    assert_eq!(receiver.requests()[0].headers["authorization"], "Basic dXNlcjpww6Q6c3M=");
}

#[test]
fn rule_21_5_any_answer_is_fine() {
    let receiver = Receiver::start();
    receiver.judge(|_| Some(status(500)));
    let (http, told) = named(Http::builder(receiver.url("/x")).body(HttpBody::query()).any_answer(true));
    emit(&http, &["hello"]);
    http.flush().unwrap();
    assert_eq!((receiver.requests().len(), ends(&http)), (1, (1, 0, 0)));
    assert!(told.lock().unwrap().is_empty());
}

/// A URL has its limit: such a record fails, and the next one is sent.
#[test]
fn a_message_that_no_url_can_hold_fails_alone() {
    let receiver = Receiver::start();
    let (http, told) = named(Http::builder(receiver.url("/x")).body(HttpBody::query()));
    emit(&http, &[&"x".repeat(70_000), "short"]);
    http.flush().unwrap();
    assert_eq!((receiver.requests().len(), ends(&http)), (1, (1, 1, 0)));
    assert!(told.lock().unwrap()[0].contains("expected 60000 at most"), "{told:?}");
}
