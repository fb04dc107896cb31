//! `format::Pickle`, read by a machine that knows only the opcodes of plain data.

use std::time::{Duration, UNIX_EPOCH};

use proptest::prelude::*;
use tracing_strata::{
    Fields, Record, Severity, Value as Field,
    format::{Buffer, Format, Pickle},
    output::Datagram,
};

use crate::support::Give as _;

/// What an unpickler makes of plain data.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    None,
    Bool(bool),
    /// In decimal, as Python's integers have no limit.
    Int(String),
    Float(f64),
    Text(String),
    Bytes(Vec<u8>),
}

pub(crate) type Dict = Vec<(String, Value)>;

/// The dictionaries of frames that follow each other. Panics at whatever Python would not take for plain data.
pub(crate) fn read_all(mut bytes: &[u8]) -> Vec<Dict> {
    let mut all = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<4>() {
        let (pickle, rest) = rest.split_at(u32::from_be_bytes(*length) as usize);
        all.push(unpickle(pickle));
        bytes = rest;
    }
    assert!(bytes.is_empty(), "{bytes:?}");
    all
}

/// After `pickletools` of CPython: an opcode that is not here names, calls or refers to something, or is not needed.
fn unpickle(pickle: &[u8]) -> Dict {
    let mut rest = pickle.strip_prefix(b"}(").expect("a dictionary and a mark");
    let mut values = Vec::new();
    loop {
        let (opcode, argument) = rest.split_first().expect("an opcode");
        rest = argument;
        values.push(match opcode {
            b'N' => Value::None,
            b'I' => match line(&mut rest) {
                "00" => Value::Bool(false),
                "01" => Value::Bool(true),
                other => panic!("{other}"),
            },
            b'K' => Value::Int(take(&mut rest, 1)[0].to_string()),
            b'J' => Value::Int(i32::from_le_bytes(take(&mut rest, 4).try_into().unwrap()).to_string()),
            b'L' => Value::Int(line(&mut rest).strip_suffix('L').expect("an L").to_owned()),
            b'G' => Value::Float(f64::from_be_bytes(take(&mut rest, 8).try_into().unwrap())),
            b'X' => {
                let length = u32::from_le_bytes(take(&mut rest, 4).try_into().unwrap());
                Value::Text(String::from_utf8(take(&mut rest, length as usize).to_vec()).expect("UTF-8"))
            }
            b'C' => {
                let length = take(&mut rest, 1)[0];
                Value::Bytes(take(&mut rest, length.into()).to_vec())
            }
            b'B' => {
                let length = u32::from_le_bytes(take(&mut rest, 4).try_into().unwrap());
                Value::Bytes(take(&mut rest, length as usize).to_vec())
            }
            b'u' => break,
            other => panic!("opcode {:?}", char::from(*other)),
        });
    }
    assert_eq!(rest, b".", "nothing follows the end");
    assert!(values.len().is_multiple_of(2));
    let pairs = values.chunks_exact(2).map(|pair| match pair {
        [Value::Text(key), value] => (key.clone(), value.clone()),
        other => panic!("{other:?}"),
    });
    let dict: Dict = pairs.collect();
    let mut keys: Vec<_> = dict.iter().map(|(key, _)| key).collect();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), dict.len(), "no key stands twice");
    dict
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> &'a [u8] {
    let (taken, left) = rest.split_at(count);
    *rest = left;
    taken
}

fn line<'a>(rest: &mut &'a [u8]) -> &'a str {
    let end = rest.iter().position(|byte| *byte == b'\n').expect("a line break");
    let line = std::str::from_utf8(take(rest, end)).unwrap();
    *rest = &rest[1..];
    line
}

fn dict(record: &Record) -> Dict {
    let mut frame = Buffer::new();
    Pickle::new().process_name("MainProcess").format(record, &mut frame).unwrap();
    let mut all = read_all(frame.as_bytes());
    assert_eq!(all.len(), 1);
    all.remove(0)
}

fn get<'d>(dict: &'d Dict, key: &str) -> Option<&'d Value> {
    dict.iter().find(|(other, _)| other == key).map(|(_, value)| value)
}

fn text(of: &str) -> Value {
    Value::Text(of.to_owned())
}

fn int(of: impl ToString) -> Value {
    Value::Int(of.to_string())
}

/// As the scenarios of the conformance kit have it.
fn record(message: &str) -> Record {
    let mut record = Record::new(Severity::INFO, "a.b", message);
    record.set_time(UNIX_EPOCH + Duration::new(1_709_640_000, 999_999_999));
    record.set_source("/srv/app/src/app.rs", 10);
    record.set_thread("MainThread", 4_711);
    record.set("funcName", "run");
    record
}

/// The dictionary of `socket_frames` in the conformance kit, which CPython 3.11 has made.
#[test]
fn rule_6_1_and_17_2_all_attributes_of_a_log_record() {
    let expected = [
        ("name", text("a.b")),
        ("msg", text("one")),
        ("args", Value::None),
        ("levelname", text("INFO")),
        ("levelno", int(20)),
        ("pathname", text("/srv/app/src/app.rs")),
        ("filename", text("app.rs")),
        ("module", text("app")),
        ("lineno", int(10)),
        ("funcName", text("run")),
        ("exc_info", Value::None),
        ("exc_text", Value::None),
        ("stack_info", Value::None),
        ("created", Value::Float(1_709_640_000.999_999_999)),
        ("msecs", Value::Float(999.0)),
        ("thread", int(4_711)),
        ("threadName", text("MainThread")),
        ("processName", text("MainProcess")),
        ("process", int(std::process::id())),
    ];
    let of_record = record("one");
    let mut dict = dict(&of_record);
    let relative = dict.iter().position(|(key, _)| key == "relativeCreated").unwrap();
    assert_eq!(dict.remove(relative).1, Value::Float(of_record.uptime().as_secs_f64() * 1e3));
    for (key, value) in &expected {
        assert_eq!(get(&dict, key), Some(value), "{key}");
    }
    assert_eq!(dict.len(), expected.len());
}

#[test]
fn rule_6_2_filename_and_module() {
    for (path, filename, module) in [
        ("src/db.pool.rs", "db.pool.rs", "db.pool"),
        (".hidden", ".hidden", ".hidden"),
        ("", "", ""),
        ("a\\b.rs", "b.rs", "b"),
    ] {
        let mut record = record("m");
        record.set_source(path, 1);
        let dict = dict(&record);
        assert_eq!((get(&dict, "filename"), get(&dict, "module")), (Some(&text(filename)), Some(&text(module))));
    }
    let bare = dict(&Record::new(Severity::INFO, "a", "b"));
    assert_eq!(get(&bare, "pathname"), Some(&text("(unknown file)")));
    assert_eq!(get(&bare, "lineno"), Some(&int(0)));
    assert_eq!(get(&bare, "funcName"), Some(&text("(unknown function)")));
}

#[test]
fn names_and_levels_are_pythons() {
    for (target, name) in [("", "root"), ("a", "a"), ("shop::db::pool", "shop.db.pool"), ("a.b", "a.b")] {
        assert_eq!(get(&dict(&Record::new(Severity::INFO, target, "")), "name"), Some(&text(name)));
    }
    for (number, name) in [
        (0, "NOTSET"),
        (10, "DEBUG"),
        (20, "INFO"),
        (30, "WARNING"),
        (40, "ERROR"),
        (50, "CRITICAL"),
        (37, "Level 37"),
        (-3, "Level -3"),
    ] {
        let dict = dict(&Record::new(Severity::new(number), "a", ""));
        assert_eq!((get(&dict, "levelname"), get(&dict, "levelno")), (Some(&text(name)), Some(&int(number))));
    }
}

#[test]
fn rule_6_4_and_17_2_every_extra_is_in_it_typed() {
    let mut record = record("m");
    record.set("user", "ann");
    record.set("n", 3);
    record.set("low", i64::MIN);
    record.set("high", u64::MAX);
    record.set("wide", u128::MAX);
    record.set("wider", i128::MIN);
    record.set("ratio", -0.5);
    record.set("infinite", f64::INFINITY);
    record.set("yes", true);
    record.set("no", false);
    record.set("raw", &[0_u8, 255][..]);
    record.set("much", &[7_u8; 300][..]);
    record.fields_mut().set_display("shown", 7);
    record.push_span("request", [("user", "bob"), ("zone", "eu")].into_iter().collect());
    record.set_globals([("zone", "us"), ("host", "h")].into_iter().collect());
    let dict = dict(&record);
    for (key, value) in [
        ("user", text("ann")),
        ("n", int(3)),
        ("low", int(i64::MIN)),
        ("high", int(u64::MAX)),
        ("wide", int(u128::MAX)),
        ("wider", int(i128::MIN)),
        ("ratio", Value::Float(-0.5)),
        ("infinite", Value::Float(f64::INFINITY)),
        ("yes", Value::Bool(true)),
        ("no", Value::Bool(false)),
        ("raw", Value::Bytes(vec![0, 255])),
        ("much", Value::Bytes(vec![7; 300])),
        ("shown", text("7")),
        ("zone", text("eu")),
        ("host", text("h")),
    ] {
        assert_eq!(get(&dict, key), Some(&value), "{key}");
    }
    assert_eq!(dict.len(), 20 + 15);
    let mut nan = Record::new(Severity::INFO, "a", "");
    nan.set("nan", f64::NAN);
    let mut frame = Buffer::new();
    Pickle::new().format(&nan, &mut frame).unwrap();
    let dict = read_all(frame.as_bytes()).remove(0);
    assert!(matches!(get(&dict, "nan"), Some(Value::Float(number)) if number.is_nan()));
}

/// 6.5, decided differently: nothing is lost, the extra gets another name.
#[test]
fn rule_6_5_an_extra_with_an_attributes_name_gets_another() {
    let mut record = record("the message");
    for (name, value) in
        [("msg", "1"), ("message", "2"), ("asctime", "3"), ("args", "4"), ("msg_", "5"), ("trace_id", "6")]
    {
        record.set(name, value);
    }
    record.set("stack_info", 7);
    let of_record = dict(&record);
    for (key, value) in [
        ("msg", "the message"),
        ("msg__", "1"),
        ("message_", "2"),
        ("asctime_", "3"),
        ("args_", "4"),
        ("msg_", "5"),
        ("trace_id", "6"),
    ] {
        assert_eq!(get(&of_record, key), Some(&text(value)), "{key}");
    }
    assert_eq!((get(&of_record, "args"), get(&of_record, "stack_info")), (Some(&Value::None), Some(&Value::None)));
    assert_eq!(get(&of_record, "stack_info_"), Some(&int(7)), "no text");
    assert!(get(&of_record, "message").is_none() && get(&of_record, "asctime").is_none());

    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    record.push_span("s", [("traceparent", trace)].into_iter().collect());
    let dict = dict(&record);
    for (key, value) in [
        ("trace_id", "4bf92f3577b34da6a3ce929d0e0e4736"),
        ("span_id", "00f067aa0ba902b7"),
        ("trace_flags", "01"),
        ("trace_id_", "6"),
    ] {
        assert_eq!(get(&dict, key), Some(&text(value)), "{key}");
    }
}

#[derive(Debug)]
struct Outer(std::fmt::Error);

impl std::fmt::Display for Outer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("outer")
    }
}

impl std::error::Error for Outer {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

#[test]
fn rule_17_2_exc_text_is_the_chain_of_errors() {
    let chain = |type_name: &str| {
        format!(
            "{}\n\nThe above exception was the direct cause of the following exception:\n\n{type_name}outer",
            std::fmt::Error
        )
    };
    let mut record = record("three");
    record.fields_mut().set_error("error", &Outer(std::fmt::Error));
    record.fields_mut().set_error("second", &Outer(std::fmt::Error));
    let of_record = dict(&record);
    assert_eq!(get(&of_record, "exc_text"), Some(&text(&chain(""))));
    assert_eq!(get(&of_record, "exc_info"), Some(&Value::None));
    assert!(get(&of_record, "error").is_none());
    assert_eq!(get(&of_record, "second"), Some(&text(&format!("outer: {}", std::fmt::Error))));

    let mut typed = Record::new(Severity::ERROR, "a", "");
    typed.fields_mut().set_error("error", &std::fmt::Error);
    assert_eq!(get(&dict(&typed), "exc_text"), Some(&text(&format!("std::fmt::Error: {}", std::fmt::Error))));
    typed.set("exc_text", "mine");
    typed.set("stack_info", "Stack (most recent call last):\n  x");
    typed.set("taskName", "Task-1");
    let dict = dict(&typed);
    assert_eq!(get(&dict, "exc_text"), Some(&text("mine")));
    assert_eq!(get(&dict, "stack_info"), Some(&text("Stack (most recent call last):\n  x")));
    assert_eq!(get(&dict, "taskName"), Some(&text("Task-1")));
    assert_eq!(dict.len(), 21);
}

#[test]
fn func_name_is_the_innermost_span_where_nothing_better_is_known() {
    let mut record = Record::new(Severity::INFO, "a", "");
    record.push_span("outer", Fields::new());
    record.push_span("inner", Fields::new());
    assert_eq!(get(&dict(&record), "funcName"), Some(&text("inner")));
}

#[test]
fn rule_6_8_msecs_are_cut_off_and_times_before_1970_are_good() {
    for (time, created, msecs) in [
        (UNIX_EPOCH + Duration::new(5, 999_999_999), 5.999_999_999, 999.0),
        (UNIX_EPOCH + Duration::from_millis(1_500), 1.5, 500.0),
        (UNIX_EPOCH - Duration::from_millis(1_250), -1.25, 750.0),
    ] {
        let mut record = record("");
        record.set_time(time);
        let dict = dict(&record);
        assert_eq!(get(&dict, "created"), Some(&Value::Float(created)));
        assert_eq!(get(&dict, "msecs"), Some(&Value::Float(msecs)));
    }
}

/// 18.1: the same frame, one datagram for each record.
#[test]
fn rule_18_1_a_frame_is_a_datagram() {
    let server = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    server.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let handler =
        Datagram::udp("127.0.0.1", server.local_addr().unwrap().port()).format(Pickle::new()).build_sync().unwrap();
    for message in ["one", "two", &"long ".repeat(30_000)] {
        handler.give(&record(message)).unwrap();
        let mut bytes = vec![0; 70_000];
        let length = server.recv(&mut bytes).unwrap();
        let all = read_all(&bytes[..length]);
        let Some(Value::Text(came)) = get(&all[0], "msg") else { panic!("{all:?}") };
        assert_eq!(all.len(), 1);
        assert!(came == message || came.ends_with(" bytes cut]"));
    }
}

#[test]
fn it_is_no_text() {
    let mut record = record("");
    record.set("raw", &b"\xff"[..]);
    let mut frame = Buffer::new();
    Pickle::new().format(&record, &mut frame).unwrap();
    assert!(frame.to_str().is_err());
}

proptest! {
    /// T56: whatever stands in whichever part, it is one frame with the dictionary it should be, and plain data.
    #[test]
    fn t56_nothing_forges_an_opcode_a_key_or_a_frame(
        message in hostile(), target in hostile(), thread in hostile(), file in hostile(),
        fields in proptest::collection::btree_map(hostile(), hostile(), 0..6),
    ) {
        let mut record = Record::new(Severity::INFO, &target, &message);
        record.set_thread(&thread, 7);
        record.set_source(&file, 8);
        for (name, value) in &fields {
            record.set(name.clone(), value.as_str());
        }
        let mut frames = Buffer::new();
        Pickle::new().format(&record, &mut frames).unwrap();
        Pickle::new().format(&record, &mut frames).unwrap();
        let all = read_all(frames.as_bytes());
        prop_assert_eq!(all.len(), 2);
        let dict = &all[0];
        prop_assert_eq!(dict, &all[1]);
        prop_assert_eq!(get(dict, "msg"), Some(&text(&message)));
        prop_assert_eq!(get(dict, "args"), Some(&Value::None));
        prop_assert_eq!(get(dict, "pathname"), Some(&text(&file)));
        prop_assert!(get(dict, "message").is_none());
        let sent: Vec<_> = dict.iter().skip(20).map(|(_, value)| value.clone()).collect();
        let given: Vec<_> = record
            .fields()
            .iter()
            .filter(|(name, _)| !["exc_text", "funcName", "stack_info", "taskName"].contains(name))
            .map(|(_, value)| match value { Field::Str(of) => text(of), other => panic!("{other:?}") })
            .collect();
        prop_assert!(sent.ends_with(&given), "{:?} {:?}", sent, given);
    }
}

/// Texts made of what pickles are made of.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("cos\nsystem\n".to_owned()),
        Just("(S'true'\ntR.".to_owned()),
        Just("u.".to_owned()),
        Just("\0\0\0\x05".to_owned()),
        Just("message".to_owned()),
        Just("msg".to_owned()),
        Just("msg_".to_owned()),
        Just("args".to_owned()),
        Just("exc_text".to_owned()),
        Just("\n".to_owned()),
        any::<String>(),
    ];
    proptest::collection::vec(piece, 0..3).prop_map(|pieces| pieces.concat())
}
