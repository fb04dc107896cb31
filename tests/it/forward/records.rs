//! What is sent, and over what.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rmpv::Value;
use tracing_strata::{
    Error, Record, Severity,
    format::{Buffer, Format, Json, Time as FormatTime},
    json,
    output::{FluentForward, ForwardMode},
    sink::net::{Address, Tls},
};

use super::{
    LONG, eager, emit, ends, named,
    receiver::{Receiver, Time},
};
use crate::{
    hostile,
    net::tls::{Authority, config},
    places::Dir,
    strict::{J, strict},
};

const MODES: [(ForwardMode, &str); 3] = [
    (ForwardMode::Forward, "Forward"),
    (ForwardMode::PackedForward, "PackedForward"),
    (ForwardMode::CompressedPackedForward, "CompressedPackedForward"),
];

/// As JSON says it.
fn shown(value: &Value) -> J {
    match value {
        Value::Nil => J::Null,
        Value::Boolean(value) => J::Bool(*value),
        Value::Integer(number) => number.as_u64().map_or_else(|| J::I64(number.as_i64().unwrap()), J::U64),
        Value::F64(number) if number.is_nan() => J::Str("NaN".into()),
        Value::F64(f64::INFINITY) => J::Str("Infinity".into()),
        Value::F64(f64::NEG_INFINITY) => J::Str("-Infinity".into()),
        Value::F64(number) => J::F64(*number),
        Value::String(text) => J::Str(text.as_str().unwrap().to_owned()),
        Value::Binary(bytes) => J::Str(bytes.iter().map(|byte| format!("{byte:02x}")).collect()),
        Value::Array(items) => J::List(items.iter().map(shown).collect()),
        Value::Map(pairs) => {
            J::Object(pairs.iter().map(|(key, value)| (key.as_str().unwrap().into(), shown(value))).collect())
        }
        other => panic!("{other:?}"),
    }
}

/// Hostile records of all kinds: the names, their order and the values are those of `Json::new()`, typed.
#[test]
fn t50_records_are_those_of_json() {
    let json = Json::new().time(FormatTime::none());
    let mut rng = fastrand::Rng::with_seed(19);
    let records = (0..1_500).map(|_| hostile::Spec::random(&mut rng).record(&mut rng));
    // Others are below the level of every handler.
    let records: Vec<_> = records.filter(|record| record.severity().number() >= 0).collect();
    let receiver = Receiver::start();
    let (fluent, _) = named(eager(&receiver).tag("all").max_batch(400));
    records.iter().for_each(|record| fluent.emit(record));
    fluent.flush().unwrap();
    assert_eq!(ends(&fluent), (records.len() as u64, 0, 0));
    let got: Vec<_> = receiver.got().into_iter().flat_map(|got| got.entries).collect();
    assert_eq!(got.len(), records.len());
    for (record, (time, map)) in records.iter().zip(got) {
        let mut line = Buffer::new();
        json.format(record, &mut line).unwrap();
        let map = map.iter().map(|(name, value)| (name.clone(), shown(value))).collect();
        assert_eq!(J::Object(map), strict(line.to_str().unwrap()), "{line}");
        let since = record.time().duration_since(UNIX_EPOCH).unwrap();
        assert_eq!(time, Time::Nanos(since.as_secs() as u32, since.subsec_nanos()));
    }
}

#[test]
fn values_keep_their_types() {
    let receiver = Receiver::start();
    let (fluent, _) = named(eager(&receiver));
    let mut record = Record::new(Severity::WARN, "shop::db", "paid");
    record.set("nan", f64::NAN);
    record.set("one", 1.0);
    record.set("min", i64::MIN);
    record.set("max", u64::MAX);
    record.set("bytes", &b"\x00\xff"[..]);
    record.set("tree", &json(&serde_json::json!({"a": [1, -1.5, null, true, "q\"\n"], "": {"e": []}})));
    record.set("wide", u128::MAX);
    for number in [-32_769_i64, -32_768, -129, -128, -33, -32, -1, 0, 127, 128, 255, 256, 65_535, 65_536, 1 << 32] {
        record.set(number.to_string(), number);
    }
    for length in [31, 32, 255, 256, 65_535, 65_536] {
        record.set(format!("text {length}"), "x".repeat(length).as_str());
        record.set(format!("bytes {length}"), vec![7; length].as_slice());
    }
    fluent.emit(&record);
    fluent.flush().unwrap();
    let got = receiver.got();
    let map = &got[0].entries[0].1;
    let of = |name: &str| &map.iter().find(|(known, _)| known == name).unwrap().1;
    assert_eq!(got[0].tag, "shop.db");
    assert!(matches!(of("nan"), Value::F64(number) if number.is_nan()));
    assert_eq!((of("one"), of("min"), of("max")), (&1.0.into(), &i64::MIN.into(), &u64::MAX.into()));
    assert_eq!((of("bytes"), of("wide")), (&Value::Binary(vec![0, 255]), &u128::MAX.to_string().into()));
    let array = Value::Array(vec![1.into(), (-1.5).into(), Value::Nil, true.into(), "q\"\n".into()]);
    let inner = Value::Map(vec![("e".into(), Value::Array(Vec::new()))]);
    assert_eq!(of("tree"), &Value::Map(vec![("".into(), inner), ("a".into(), array)]));
    for (name, value) in map.iter().filter(|(name, _)| name.parse::<i64>().is_ok()) {
        assert_eq!(value.as_i64().unwrap().to_string(), *name);
    }
    for (name, value) in map {
        match name.split_once(' ') {
            Some(("text", length)) => assert_eq!(value.as_str().unwrap().len().to_string(), length),
            Some((_, length)) => assert_eq!(value.as_slice().unwrap().len().to_string(), length),
            None => {}
        }
    }
}

/// A message a run, so that the order is kept.
#[test]
fn all_modes_and_tags() {
    for (mode, name) in MODES {
        let receiver = Receiver::start();
        let (fluent, _) = named(eager(&receiver).mode(mode).tag_prefix("web"));
        emit(&fluent, "shop::db", &["1", "2"]);
        emit(&fluent, "shop", &["3"]);
        emit(&fluent, "", &["4"]);
        emit(&fluent, "shop::db", &["5"]);
        fluent.flush().unwrap();
        let of = |tag: &str, messages: &[&str]| (tag.to_owned(), messages.iter().map(ToString::to_string).collect());
        let expected =
            [of("web.shop.db", &["1", "2"]), of("web.shop", &["3"]), of("web", &["4"]), of("web.shop.db", &["5"])];
        assert_eq!((receiver.texts(), ends(&fluent)), (expected.to_vec(), (5, 0, 0)));
        let got = receiver.got();
        assert!(got.iter().all(|got| got.mode == name && got.chunk.is_some() && got.connection == 0), "{got:?}");
        let mut chunks: Vec<_> = got.iter().map(|got| &got.chunk).collect();
        chunks.sort();
        chunks.dedup();
        assert_eq!(chunks.len(), 4);
    }
    let receiver = Receiver::start();
    let (fluent, _) = named(eager(&receiver).require_ack(false).nanoseconds(false));
    emit(&fluent, "", &["1"]);
    fluent.flush().unwrap();
    let (other, _) = named(eager(&receiver).tag("app"));
    emit(&other, "a", &["2"]);
    emit(&other, "b", &["3"]);
    other.flush().unwrap();
    while receiver.got().len() < 2 {
        std::thread::yield_now();
    }
    let mut got = receiver.got();
    got.sort_by_key(|got| std::cmp::Reverse(got.tag.clone()));
    assert_eq!((&*got[0].tag, &got[0].chunk, got[0].messages()), ("root", &None, vec!["1".to_owned()]));
    assert!(matches!(got[0].entries[0].0, Time::Seconds(1_700_000_000..)), "{got:?}");
    assert_eq!((&*got[1].tag, got[1].messages()), ("app", vec!["2".to_owned(), "3".into()]));
}

/// A JSON object is a map, any other text a member of one; a record whose format fails ends alone.
#[test]
fn members_by_a_format() {
    struct Text;
    impl Format for Text {
        fn format(&self, record: &Record, out: &mut Buffer) -> Result<(), Error> {
            match record.message() {
                "no" => Err(Error::new("cannot")),
                text => Ok(write!(out, "{text}")?),
            }
        }
    }
    let receiver = Receiver::start();
    let (fluent, told) = named(eager(&receiver).format(Text));
    let deep = format!("{{\"a\":{}1{}}}", "[".repeat(60_000), "]".repeat(60_000));
    let texts = [r#"{"a":[1e3,-7,"\u00e9"],"b":1e999}"#, "no", "{ }", "{\"a\":", "plain", "", "[1]", &deep];
    emit(&fluent, "t", &texts);
    fluent.flush().unwrap();
    assert_eq!(ends(&fluent), (7, 1, 0));
    assert_eq!(*told.lock().unwrap(), ["cannot"]);
    let got: Vec<_> = receiver.got().into_iter().flat_map(|got| got.entries).map(|(_, map)| map).collect();
    let member = |name: &str, value: Value| (name.to_owned(), value);
    let list = Value::Array(vec![1e3.into(), (-7).into(), "é".into()]);
    assert_eq!(got[0], [member("a", list), member("b", "1e999".into())]);
    for (text, got) in texts[2..].iter().zip(&got[1..]) {
        assert_eq!(*got, [member("message", (*text).into())]);
    }
}

#[test]
fn times_that_do_not_fit_are_cut() {
    let receiver = Receiver::start();
    let (fluent, _) = named(eager(&receiver));
    let emit_at = |time: SystemTime| {
        let mut record = Record::new(Severity::INFO, "t", "m");
        record.set_time(time);
        fluent.emit(&record);
    };
    emit_at(UNIX_EPOCH - Duration::from_nanos(1));
    emit_at(UNIX_EPOCH + Duration::new(u32::MAX.into(), 7));
    emit_at(UNIX_EPOCH + Duration::new(1 << 32, 7));
    fluent.flush().unwrap();
    let times: Vec<_> = receiver.got()[0].entries.iter().map(|(time, _)| *time).collect();
    let nanos = Time::Nanos;
    assert_eq!(times, [nanos(0, 0), nanos(u32::MAX, 7), nanos(u32::MAX, 999_999_999)]);
}

#[test]
fn over_tls_and_a_unix_socket() {
    let authority = Authority::new();
    let receiver = Receiver::encrypted(config(&authority.server(), None), None);
    let (fluent, _) = named(eager(&receiver).tls(Tls::new().ca_pem(authority.pem.as_str())));
    for message in ["1", "2"] {
        emit(&fluent, "t", &[message]);
        fluent.flush().unwrap();
    }
    assert_eq!(ends(&fluent), (2, 0, 0));
    assert!(receiver.got().iter().all(|got| got.connection == 0));

    #[cfg(unix)]
    {
        let dir = Dir::new();
        let path = dir.path("fluent.sock");
        let receiver = Receiver::unix(&path);
        let builder = FluentForward::builder(Address::unix(&path)).schedule_delay(LONG).flush_timeout(LONG);
        let (fluent, _) = named(builder);
        emit(&fluent, "t", &["1"]);
        fluent.flush().unwrap();
        assert_eq!((receiver.got().len(), ends(&fluent)), (1, (1, 0, 0)));
    }
}

/// Many tags: acknowledgements and messages are on their way at once, and neither side blocks the other.
#[test]
fn ten_thousand_runs_in_one_batch() {
    let receiver = Receiver::start();
    let builder = eager(&receiver).capacity(20_000).max_batch(20_000).max_batch_bytes(64 << 20);
    let (fluent, _) = named(builder);
    let numbers: Vec<_> = (0..10_000).map(|number| number.to_string()).collect();
    numbers.iter().for_each(|number| emit(&fluent, if number.ends_with('0') { "a" } else { number }, &[number]));
    fluent.flush().unwrap();
    assert_eq!(ends(&fluent), (10_000, 0, 0));
    assert_eq!(receiver.got().iter().flat_map(|got| got.messages()).collect::<Vec<_>>(), numbers);
}

#[test]
fn what_is_wrong_is_refused_when_it_is_built() {
    let refused = |builder: tracing_strata::output::FluentForwardBuilder| builder.build().unwrap_err().to_string();
    let to = || FluentForward::builder(Address::tcp("h", 1));
    assert_eq!(refused(to().tag("")), "fluent: tag: expected a text, got an empty one");
    assert_eq!(
        refused(to().login("u", "p-4711")),
        "fluent: login: expected a shared_key, too: there is no handshake without one"
    );
    assert_eq!(refused(to().shared_key("")), "the secret that was given: expected a secret, got nothing");
    let datagrams = FluentForward::builder(Address::udp("h", 1));
    assert_eq!(refused(datagrams), "udp://h:1: expected the address of a stream (tcp, tls, unix-stream)");
    assert_eq!(refused(to().max_batch(0)), "fluent: max_batch: expected at least 1, got 0");
    let debug = format!("{:?}", to().shared_key("key-4711").login("u", "p-4711"));
    assert!(!debug.contains("4711"), "{debug}");
}
