//! The forward protocol: to an OpenTelemetry Collector; and the clients of others before the receiver of `tests/it`, so that
//! it is judged, too.

use std::{
    fs,
    time::{Duration, UNIX_EPOCH},
};

use serde_json::Value as Json;
use tracing_strata::{
    NamedHandler, Record,
    ledger::ErrorHandler,
    output::{FluentForward, FluentForwardBuilder, ForwardMode},
    sink::net::Address,
};

use self::receiver::{Access, Receiver, Time};
use crate::{
    hostile,
    servers::{Server, run_script},
};

#[path = "../it/forward/receiver.rs"]
#[allow(dead_code, reason = "what only tests/it scripts")]
mod receiver;

const LONG: Duration = Duration::from_secs(60);

fn named(builder: FluentForwardBuilder) -> NamedHandler {
    let built = builder.flush_timeout(LONG).timeout(Duration::from_secs(30)).schedule_delay(LONG).build().unwrap();
    NamedHandler::with_error_handler("fluent", built, ErrorHandler::stderr())
}

/// In runs of targets.
fn records(count: usize) -> Vec<Record> {
    let record = |number: usize| {
        let hostile = hostile::record(number);
        let target = ["shop::cart", "shop::db", ""][number / 3 % 3];
        let mut record = Record::new(hostile.severity(), target, hostile.message());
        record.set_time(UNIX_EPOCH + Duration::from_nanos(1_764_000_000_000_000_000 + number as u64 * 1_000_001));
        record.set("number", number);
        record.set("text", hostile.message());
        record.set("ratio", 0.5 + number as f64);
        record.set("min", i64::MIN);
        record.set("yes", true);
        record.set("bytes", &b"\x00\xff"[..]);
        record.set("list", &tracing_strata::json(&serde_json::json!([1, "a", {"b": null}])));
        record.push_span("request", [("user", "ann")].into_iter().collect());
        record
    };
    (0..count).map(record).collect()
}

/// What the collector's pipeline got, in order.
fn arrived(server: &Server) -> Vec<Json> {
    // Bytes are texts there, of any bytes.
    let text = fs::read(server.dir().join("out.jsonl")).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let requests = text.lines().map(|line| serde_json::from_str::<Json>(line).unwrap());
    let list = |value: &Json, key: &str| value[key].as_array().cloned().unwrap_or_default();
    requests
        .flat_map(|request| list(&request, "resourceLogs"))
        .flat_map(|resource| list(&resource, "scopeLogs"))
        .flat_map(|scope| list(&scope, "logRecords"))
        .collect()
}

fn attribute(record: &Json, key: &str) -> Json {
    let attributes = record["attributes"].as_array().unwrap();
    attributes.iter().find(|attribute| attribute["key"] == key).map_or(Json::Null, |found| found["value"].clone())
}

fn check(records: &[Record], arrived: &[Json]) {
    assert_eq!(arrived.len(), records.len());
    for (record, arrived) in records.iter().zip(arrived) {
        let text = |of: &Json| of["stringValue"].as_str().unwrap_or_default().to_owned();
        let since = record.time().duration_since(UNIX_EPOCH).unwrap();
        assert_eq!(arrived["timeUnixNano"], since.as_nanos().to_string(), "{arrived}");
        assert_eq!(text(&arrived["body"]), record.message(), "{arrived}");
        let of = |key| attribute(arrived, key);
        let tag = ["shop.cart", "shop.db", "root"]
            [of("number")["intValue"].as_str().unwrap().parse::<usize>().unwrap() / 3 % 3];
        assert_eq!((text(&of("fluent.tag")), text(&of("target"))), (tag.to_owned(), record.target().to_owned()));
        assert_eq!((text(&of("text")), text(&of("user"))), (record.message().to_owned(), "ann".to_owned()));
        assert_eq!(text(&of("level")), record.severity().to_string());
        assert_eq!(of("number")["intValue"].as_str().map(str::to_owned), record.get("number").map(|n| n.to_string()));
        assert_eq!(of("ratio")["doubleValue"].as_f64(), record.get("ratio").and_then(|ratio| ratio.as_f64()));
        assert_eq!((&of("min")["intValue"], &of("yes")["boolValue"]), (&i64::MIN.to_string().into(), &true.into()));
        assert_eq!(text(&of("bytes")), "\0\u{fffd}");
        assert_eq!(of("list")["arrayValue"]["values"].as_array().map(Vec::len), Some(3), "{arrived}");
    }
}

#[test]
fn the_collector_gets_all_in_order_in_all_modes() {
    let server = Server::start("otelcol-forward");
    let unix = Address::unix(server.dir().join("fluent.sock"));
    let records = records(200);
    let mut before = 0;
    for mode in [ForwardMode::Forward, ForwardMode::PackedForward, ForwardMode::CompressedPackedForward] {
        for address in [Address::tcp("127.0.0.1", 29_224), unix.clone()] {
            let fluent = named(FluentForward::builder(address).mode(mode).max_batch(70));
            records.iter().for_each(|record| fluent.emit(record));
            fluent.flush().unwrap();
            let stats = fluent.stats();
            assert_eq!((stats.written, stats.accepted(), stats.other_errors), (200, 200, 0), "{stats}");
            check(&records, &arrived(&server)[before..]);
            before += 200;
        }
    }
}

/// It closes the connection of what it cannot deliver: nothing counts as written before it is.
#[test]
fn what_the_collector_refuses_is_sent_again() {
    let server = Server::start("otelcol-forward");
    let refuse = server.dir().join("refuse");
    fs::write(&refuse, "").unwrap();
    let builder = FluentForward::builder(Address::tcp("127.0.0.1", 29_224)).retry_for(LONG);
    let built = builder.flush_timeout(Duration::from_millis(500)).schedule_delay(LONG).build().unwrap();
    let fluent = NamedHandler::with_error_handler("fluent", built, ErrorHandler::silent());
    let records = records(30);
    records.iter().for_each(|record| fluent.emit(record));
    fluent.flush().unwrap_err();
    assert_eq!((fluent.stats().written, arrived(&server).len()), (0, 0));
    fs::remove_file(&refuse).unwrap();
    while fluent.stats().written < 30 {
        std::thread::sleep(Duration::from_millis(10));
    }
    check(&records, &arrived(&server));
}

#[test]
fn python_sends_to_our_receiver() {
    let receiver = Receiver::start();
    run_script("fluent", "python.sh", &[("PORT", &receiver.port().to_string())]);
    let got = receiver.got();
    assert_eq!(got.len(), 2);
    assert!(matches!((got[0].entries[0].0, got[1].entries[0].0), (Time::Seconds(_), Time::Nanos(..))));
    for got in got {
        assert_eq!((&*got.tag, got.mode, got.messages()), ("app.py", "Message", vec!["paid 7".to_owned()]));
    }
}

#[test]
fn node_sends_to_our_receiver() {
    let with_key = Access { key: "key-4711", user: Some(("ann", "pass")), ..Access::default() };
    for (receiver, key) in [(Receiver::start(), ""), (Receiver::with_access(with_key), "key-4711")] {
        run_script("fluent", "node.sh", &[("PORT", &receiver.port().to_string()), ("KEY", key)]);
        let mut of_modes = std::collections::BTreeMap::<_, Vec<_>>::new();
        for got in receiver.got() {
            assert!(got.tag == "app.node" && got.chunk.is_some(), "{got:?}");
            of_modes.entry(got.mode).or_default().extend(got.messages());
        }
        assert_eq!(of_modes.len(), 4, "{of_modes:?}");
        for (mode, messages) in of_modes {
            assert_eq!(messages, [1, 2, 3].map(|n| format!("{mode} {n}")));
        }
    }
}

#[test]
fn go_sends_to_our_receiver() {
    let receiver = Receiver::start();
    run_script("fluent", "go.sh", &[("PORT", &receiver.port().to_string())]);
    let got = receiver.got();
    assert_eq!(
        got.iter().flat_map(|got| got.messages()).collect::<Vec<_>>(),
        [1, 2, 3].map(|n| format!("Message {n}"))
    );
    assert!(got.iter().all(|got| got.tag == "app.go" && got.chunk.is_some()), "{got:?}");
    assert!(got.iter().all(|got| matches!(got.entries[0].0, Time::Nanos(..))), "{got:?}");
}

/// A server that is not ours asks for the key and the user.
#[test]
fn the_server_of_node_knows_us() {
    let server = Server::start("fluent");
    let to = || FluentForward::builder(Address::tcp("127.0.0.1", 29_225)).host("web-1");
    let records: Vec<_> = records(60);
    for mode in [ForwardMode::Forward, ForwardMode::PackedForward, ForwardMode::CompressedPackedForward] {
        let fluent = named(to().mode(mode).shared_key("key-4711").login("ann", "pass").max_batch(25));
        records.iter().for_each(|record| fluent.emit(record));
        fluent.flush().unwrap();
        let stats = fluent.stats();
        assert_eq!((stats.written, stats.accepted(), stats.other_errors), (60, 60, 0), "{stats}");
    }
    for (key, password) in [("key-4712", "pass"), ("key-4711", "word")] {
        let builder = to().shared_key(key).login("ann", password).retry_for(Duration::ZERO).flush_timeout(LONG);
        let built = builder.build().unwrap();
        let fluent = NamedHandler::with_error_handler("fluent", built, ErrorHandler::silent());
        fluent.emit(&records[0]);
        fluent.flush().unwrap();
        assert_eq!((fluent.stats().failed, fluent.stats().written), (1, 0));
    }
    let text = fs::read_to_string(server.dir().join("out.jsonl")).unwrap();
    let arrived: Vec<Json> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(arrived.len(), 180);
    for (number, arrived) in arrived.iter().enumerate() {
        let record = &records[number % 60];
        let tag = ["shop.cart", "shop.db", "root"][number % 60 / 3 % 3];
        let since = record.time().duration_since(UNIX_EPOCH).unwrap();
        assert_eq!((&arrived[0], &arrived[1]), (&tag.into(), &since.as_secs().into()));
        assert_eq!((&arrived[2], &arrived[3]["message"]), (&since.subsec_nanos().into(), &record.message().into()));
        assert_eq!((&arrived[3]["number"], &arrived[3]["user"]), (&(number % 60).into(), &"ann".into()));
    }
}
