//! Streams: TLS fronts of every kind, and Python's own receiver.

use std::{
    fs,
    io::Read as _,
    net::TcpListener,
    time::{Duration, Instant},
};

use serde_json::Value;
use tracing_strata::{
    Outcome, Record, Severity,
    format::Pickle,
    output::Socket,
    sink::net::{Address, Backoff, Connection, Framing, Tls},
};

use crate::give::Give as _;
use crate::servers::Server;

#[test]
fn stunnel_good_mutual_and_three_that_are_not_who_they_should_be() {
    let back = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = Server::start_with("stunnel", &[("BACK", &back.local_addr().unwrap().port().to_string())]);
    let run = server.dir().join("run");
    let trust = || Tls::new().ca_file(run.join("ca.pem"));
    let me = || trust().identity(run.join("client.pem"), run.join("client.key"));
    let socket = |port, tls| {
        Socket::builder(Connection::builder(Address::tls("localhost", port)).tls(tls)).build_sync().unwrap()
    };
    let record = Record::new(Severity::INFO, "shop", "through the tunnel");

    for (port, tls) in [(22443, trust()), (22444, me())] {
        let handler = socket(port, tls);
        handler.give(&record).unwrap();
        drop(handler);
        let mut line = String::new();
        back.accept().unwrap().0.read_to_string(&mut line).unwrap();
        assert!(line.contains("\"message\":\"through the tunnel\"") && line.ends_with('\n'), "{line}");
    }
    for (port, tls, why) in [
        (22444, trust(), "peer"),
        (22445, trust(), "not valid for name"),
        (22446, trust(), "UnknownIssuer"),
        (22447, trust(), "expired"),
    ] {
        let handler = socket(port, tls);
        let start = Instant::now();
        // What TLS 1.3 refuses late may have taken a record.
        let error = loop {
            match handler.give(&record) {
                Err(error) => break error.to_string(),
                Ok(_) => assert!(start.elapsed() < Duration::from_secs(30)),
            }
        };
        assert!(error.contains(why), "{port}: {error}");
    }
    back.set_nonblocking(true).unwrap();
    while let Ok((mut stream, _)) = back.accept() {
        stream.set_nonblocking(false).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        assert_eq!(text, "");
    }
}

#[test]
fn python_reads_what_we_pickle() {
    let server = Server::start("stdlib");
    let to = Connection::builder(Address::tcp("127.0.0.1", 19020)).framing(Framing::None).backoff(Backoff::python());
    let handler = Socket::builder(to).format(Pickle::new()).build_sync().unwrap();
    for number in 0..100_i64 {
        let mut record = Record::new(Severity::WARN, "shop::pay", &format!("größe {number}\n\0"));
        record.set("number", number);
        record.set("user", "Ada");
        assert_eq!(handler.give(&record).unwrap(), Outcome::Written);
    }
    drop(handler);
    let start = Instant::now();
    let all: Vec<Value> = loop {
        let text = fs::read_to_string(server.dir().join("out.jsonl")).unwrap();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let came = whole.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let came: Vec<_> = came.filter(|line| line["via"] != "ready").collect();
        if came.len() >= 100 {
            break came;
        }
        assert!(start.elapsed() < Duration::from_secs(60), "{text}");
        std::thread::sleep(Duration::from_millis(50));
    };
    for (number, line) in all.iter().enumerate() {
        let record = &line["record"];
        assert_eq!((&line["via"], &record["msg"]), (&"tcp".into(), &format!("größe {number}\n\0").into()), "{line}");
        assert_eq!(record["number"], serde_json::json!({"int": number.to_string()}), "{line}");
        assert_eq!([&record["user"], &record["levelname"]], ["Ada", "WARNING"], "{line}");
    }
}
