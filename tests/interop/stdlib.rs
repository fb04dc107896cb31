//! `format::Pickle` before receivers made of Python's own `logging`.

use std::{
    fs,
    time::{Duration, Instant},
};

use serde_json::{Value as Json, json};
use tracing_strata::{
    Outcome, Record, Severity,
    format::Pickle,
    output::{Datagram, Stream},
    sink::net::{Address, Connection, Framing},
};

use crate::give::Give as _;
use crate::{hostile, servers::Server};

const TCP: u16 = 19_020;
const UDP: u16 = 19_021;

/// What came, once it is so much.
fn received(server: &Server, count: usize) -> Vec<Json> {
    let began = Instant::now();
    loop {
        let text = fs::read_to_string(server.dir().join("out.jsonl")).unwrap();
        // The last line may not be whole yet.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let lines: Vec<Json> = whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let came: Vec<_> = lines.into_iter().filter(|line| line["via"] != "ready").collect();
        if came.len() >= count || began.elapsed() > Duration::from_secs(60) {
            assert_eq!(came.len(), count, "{:?}", came.iter().find(|line| line.get("error").is_some()));
            return came;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn rich() -> Record {
    let mut record = Record::new(Severity::WARN, "shop::db", "slow\nquery é");
    record.set_source("src/db.rs", 7);
    record.set_thread("worker-1", 4_711);
    record.set("n", 3);
    record.set("wide", u128::MAX);
    record.set("low", i64::MIN);
    record.set("ratio", 0.1);
    record.set("nan", f64::NAN);
    record.set("yes", true);
    record.set("raw", &b"\x00\xff"[..]);
    record.set("msg", "mine");
    record.fields_mut().set_error("error", &std::fmt::Error);
    record.push_span("request", [("user", "ann")].into_iter().collect());
    record
}

fn check_rich(line: &Json) {
    assert_eq!(line.get("error"), None, "{line}");
    let first = line["text"].as_str().unwrap();
    assert!(first.starts_with("shop.db WARNING worker-1 request:7 slow\nquery é\nstd::fmt::Error: "), "{first}");
    let record = &line["record"];
    for (key, value) in [
        ("levelno", json!({"int": "30"})),
        ("n", json!({"int": "3"})),
        ("wide", json!({"int": u128::MAX.to_string()})),
        ("low", json!({"int": i64::MIN.to_string()})),
        ("ratio", json!(0.1)),
        ("nan", json!({"float": "nan"})),
        ("yes", json!(true)),
        ("raw", json!({"bytes": "00ff"})),
        ("msg", json!("slow\nquery é")),
        ("msg_", json!("mine")),
        ("user", json!("ann")),
        ("args", json!(null)),
        ("exc_info", json!(null)),
        ("stack_info", json!(null)),
        ("filename", json!("db.rs")),
        ("module", json!("db")),
        ("process", json!({"int": std::process::id().to_string()})),
    ] {
        assert_eq!(record[key], value, "{key}");
    }
}

fn check_hostile(record: &Record, line: &Json) {
    assert_eq!(line.get("error"), None, "{line}\n{record:?}");
    let attributes = line["record"].as_object().unwrap();
    assert_eq!(attributes["msg"], record.message());
    assert_eq!(attributes["pathname"], record.file().unwrap());
    let mut sent: Vec<_> = record.fields().iter().map(|(_, value)| value.as_str().unwrap().to_owned()).collect();
    // The 20 attributes of every record come first.
    let mut came: Vec<_> = attributes
        .iter()
        .filter(|(key, _)| !OWN.contains(&key.as_str()))
        .map(|(_, value)| value.as_str().unwrap().to_owned())
        .collect();
    sent.sort();
    came.sort();
    assert_eq!(came, sent);
}

const OWN: &[&str] = &[
    "name",
    "msg",
    "args",
    "levelname",
    "levelno",
    "pathname",
    "filename",
    "module",
    "lineno",
    "funcName",
    "exc_info",
    "exc_text",
    "stack_info",
    "created",
    "msecs",
    "relativeCreated",
    "thread",
    "threadName",
    "processName",
    "process",
];

/// 18.1, 17.2
#[test]
fn datagrams() {
    let server = Server::start("stdlib");
    let handler = Datagram::udp("127.0.0.1", UDP).format(Pickle::new()).build_sync().unwrap();
    handler.give(&rich()).unwrap();
    check_rich(&received(&server, 1)[0]);
    let records: Vec<_> = (0..2_000).map(hostile::record).collect();
    for (number, record) in records.iter().enumerate() {
        handler.give(record).unwrap();
        // UDP would lose what the receiver is too slow for.
        if number % 50 == 49 {
            received(&server, number + 2);
        }
    }
    let came = received(&server, 2_001);
    records.iter().zip(&came[1..]).for_each(|(record, line)| check_hostile(record, line));
}

/// 17.1, 17.2: the frames of a connection that is kept.
#[test]
fn a_stream() {
    let server = Server::start("stdlib");
    let connection = Connection::builder(Address::tcp("127.0.0.1", TCP)).framing(Framing::None).build().unwrap();
    // A pickle has its length in front: nothing is to follow it.
    let handler = Stream::sink(connection).format(Pickle::new()).terminator("");
    handler.give(&rich()).unwrap();
    let records: Vec<_> = (0..2_000).map(hostile::record).collect();
    records.iter().for_each(|record| assert_eq!(handler.give(record).unwrap(), Outcome::Written));
    let came = received(&server, 2_001);
    check_rich(&came[0]);
    records.iter().zip(&came[1..]).for_each(|(record, line)| check_hostile(record, line));
}
