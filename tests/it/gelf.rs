//! `format::Gelf`.

use std::time::{Duration, UNIX_EPOCH};

use proptest::prelude::*;
use serde_json::{Value as Json, json};
use tracing_strata::{
    Record, Severity,
    format::{Buffer, Format, Gelf},
};

use crate::{strict::strict, support::Give as _};

fn bytes(record: &Record) -> Vec<u8> {
    let mut out = Buffer::new();
    Gelf::new().host("h").format(record, &mut out).unwrap();
    let out = out.into_bytes();
    assert!(!out.contains(&0) && !out.contains(&b'\n'));
    out
}

fn object(record: &Record) -> Json {
    parse(std::str::from_utf8(&bytes(record)).unwrap())
}

/// No key stands twice.
fn parse(text: &str) -> Json {
    strict(text);
    serde_json::from_str(text).unwrap()
}

fn record(message: &str) -> Record {
    let mut record = Record::new(Severity::INFO, "shop", message);
    record.set_time(UNIX_EPOCH + Duration::new(1_709_640_000, 123_456_789));
    record.set_thread("main", 1);
    record
}

#[test]
fn golden() {
    let mut of_record = record("paid");
    of_record.set_source("src/pay.rs", 7);
    of_record.set_module_path("shop::pay");
    of_record.set_name("order.paid");
    of_record.set("amount", 12.5);
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    of_record.push_span("request", [("user", "ann"), ("traceparent", trace)].into_iter().collect());
    let expected = concat!(
        r#"{"version":"1.1","host":"h","short_message":"paid","timestamp":1709640000.123456,"level":6,"_level_name":"INFO","#,
        r#""_target":"shop","_event_name":"order.paid","_file":"src/pay.rs","_line":7,"_module_path":"shop::pay","#,
        r#""_thread_name":"main","_trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","_span_id":"00f067aa0ba902b7","#,
        r#""_trace_flags":"01","_amount":12.5,"_user":"ann"}"#
    );
    assert_eq!(String::from_utf8(bytes(&of_record)).unwrap(), expected);
    let mut text = Buffer::from(b"before ".to_vec());
    Gelf::new()
        .host("h")
        .source(false)
        .thread(false)
        .field("user", "nobody")
        .field("env", "test")
        .format(&record("x"), &mut text)
        .unwrap();
    assert_eq!(
        text,
        r#"before {"version":"1.1","host":"h","short_message":"x","timestamp":1709640000.123456,"level":6,"_level_name":"INFO","_target":"shop","_user":"nobody","_env":"test"}"#
    );
}

#[test]
fn a_records_own_field_wins_over_the_formats() {
    let mut of_record = record("x");
    of_record.set("env", "mine");
    let mut out = Buffer::new();
    Gelf::new().field("env", "test").format(&of_record, &mut out).unwrap();
    assert_eq!(parse(out.to_str().unwrap())["_env"], "mine");
}

#[test]
fn short_and_full_messages() {
    for (message, short, full) in [
        ("one", "one", None),
        ("one\ntwo", "one", Some("one\ntwo")),
        ("one\r\n", "one", Some("one\r\n")),
        ("\n \ntwo", "two", Some("\n \ntwo")),
        ("", "shop", None),
        ("\n", "shop", Some("\n")),
    ] {
        let object = object(&record(message));
        assert_eq!(object["short_message"], short);
        assert_eq!(object.get("full_message").and_then(Json::as_str), full);
    }
    let mut named = record("");
    named.set_name("order.paid");
    assert_eq!(object(&named)["short_message"], "order.paid");
    assert_eq!(object(&Record::new(Severity::INFO, "", ""))["short_message"], "-");
    let mut out = Buffer::new();
    Gelf::new().host("").format(&record(""), &mut out).unwrap();
    assert_eq!(parse(out.to_str().unwrap())["host"], "-");
}

#[test]
fn values_are_texts_and_numbers() {
    let mut of_record = record("x");
    of_record.set("i", i64::MIN);
    of_record.set("u", u64::MAX);
    of_record.set("small", 7_u64);
    of_record.set("wide", u128::MAX);
    of_record.set("fits", 8_i128);
    of_record.set("f", 0.1);
    of_record.set("nan", f64::NAN);
    of_record.set("yes", true);
    of_record.set("no", false);
    of_record.set("raw", &[0_u8, 255][..]);
    of_record.set("error.type", "mine");
    of_record.fields_mut().set_error("error", &std::io::Error::other("gone"));
    let object = object(&of_record);
    for (key, value) in [
        ("_i", json!(i64::MIN)),
        ("_u", json!("18446744073709551615")),
        ("_small", json!(7)),
        ("_wide", json!("340282366920938463463374607431768211455")),
        ("_fits", json!(8)),
        ("_f", json!(0.1)),
        ("_nan", json!("NaN")),
        ("_yes", json!("true")),
        ("_no", json!("false")),
        ("_raw", json!("00ff")),
        ("_error", json!("gone")),
        ("_error.type", json!("mine")),
        ("_error.type_", json!("std::io::Error")),
    ] {
        assert_eq!(object[key], value, "{key}");
    }
}

#[test]
fn severities() {
    for (number, level, name) in [(5, 7, "TRACE"), (25, 5, "25"), (30, 4, "WARN"), (50, 2, "CRITICAL"), (70, 0, "70")] {
        let object = object(&Record::new(Severity::new(number), "a", "b"));
        assert_eq!((&object["level"], &object["_level_name"]), (&json!(level), &json!(name)));
    }
}

#[test]
fn the_members_that_gelf_and_graylog_have_are_nobodys() {
    let mut of_record = record("the message");
    for name in ["id", "message", "source", "level", "timestamp", "target", "file", "id_"] {
        of_record.set(name, format!("mine: {name}").as_str());
    }
    let object = object(&of_record);
    for name in ["id", "message", "source", "level", "timestamp", "target", "file", "id_"] {
        assert_eq!(object[format!("_{name}_")], format!("mine: {name}"), "{object}");
    }
    assert!(object.get("_id").is_none());
    assert_eq!((&object["short_message"], &object["_target"]), (&json!("the message"), &json!("shop")));
}

proptest! {
    /// T56: whatever stands in whichever part, it is one object with the members it should have.
    #[test]
    fn t56_nothing_forges_a_member_or_a_message(
        message in any::<String>(), target in any::<String>(), thread in any::<String>(), host in any::<String>(),
        fields in proptest::collection::btree_map(prop_oneof![any::<String>(), "[a-z_.\\-é\0\"]{0,6}"], any::<String>(), 0..6),
    ) {
        let mut of_record = Record::new(Severity::INFO, &target, &message);
        of_record.set_thread(&thread, 7);
        for (name, value) in &fields {
            of_record.set(name.clone(), value.as_str());
        }
        let mut out = Buffer::new();
        Gelf::new().host(&host).format(&of_record, &mut out).unwrap();
        let out = out.into_bytes();
        prop_assert!(out.iter().all(|byte| *byte >= b' '));
        let object = parse(std::str::from_utf8(&out).unwrap());
        let object = object.as_object().unwrap();
        let full = object.get("full_message").unwrap_or(&object["short_message"]).as_str().unwrap();
        prop_assert!(message.is_empty() || message.trim().is_empty() || full == message, "{}", full);
        prop_assert_eq!(&object["_target"], &json!(target));
        let own = ["version", "host", "short_message", "full_message", "timestamp", "level", "_level_name", "_target", "_thread_name"];
        let others: Vec<_> = object.iter().filter(|(name, _)| !own.contains(&name.as_str())).collect();
        prop_assert_eq!(others.len(), fields.len());
        for (name, _) in &others {
            prop_assert!(name.starts_with('_') && *name != "_id");
            prop_assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte)), "{}", name);
        }
        let mut sent: Vec<_> = others.iter().map(|(_, value)| value.as_str().unwrap()).collect();
        let mut given: Vec<_> = fields.values().map(String::as_str).collect();
        sent.sort_unstable();
        given.sort_unstable();
        prop_assert_eq!(sent, given);
    }
}

/// Over a stream a NUL ends each message, and none can be forged within one.
#[test]
fn over_tcp_with_a_nul_behind_each() {
    use std::io::Read as _;

    use tracing_strata::{
        output::Socket,
        sink::net::{Address, Connection, Framing},
    };

    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let to = Connection::builder(Address::tcp("127.0.0.1", server.local_addr().unwrap().port())).framing(Framing::Nul);
    let handler = Socket::builder(to).format(Gelf::new().host("h")).build_sync().unwrap();
    let hostile = "a\0{\"version\":\"1.1\",\"host\":\"forged\",\"short_message\":\"x\"}\0\n\r\u{2028}";
    let long = "é".repeat(100_000);
    for message in ["plain", hostile, "", &long] {
        let mut of_message = record(message);
        of_message.set("field\0\n", hostile);
        handler.give(&of_message).unwrap();
    }
    drop(handler);
    let mut stream = Vec::new();
    server.accept().unwrap().0.read_to_end(&mut stream).unwrap();
    let messages = stream.strip_suffix(&[0]).unwrap().split(|byte| *byte == 0);
    let objects: Vec<Json> = messages.map(|bytes| parse(std::str::from_utf8(bytes).unwrap())).collect();
    assert_eq!(objects.len(), 4);
    assert!(objects.iter().all(|object| object["host"] == "h" && object["_field--000A-"] == hostile));
    assert_eq!(objects[0]["short_message"], "plain");
    assert_eq!(objects[1]["full_message"], hostile);
    assert_eq!((&objects[2]["short_message"], &objects[3]["short_message"]), (&json!("shop"), &json!(long)));
}
