//! `format::Json`: golden lines and options.

use std::{
    sync::{Arc, Mutex},
    time::UNIX_EPOCH,
};

use tracing_strata::{
    Delivery, Fields, Record, Severity, Value,
    format::{Buffer, Format, Json, Key, Time},
    prelude::*,
};
use tracing_subscriber::prelude::*;

use crate::{
    hostile::{self, TRACEPARENT},
    strict::{J, strict},
};

/// The line, which is the same behind other bytes.
pub(crate) fn line(json: &Json, record: &Record) -> String {
    let mut out = Buffer::new();
    json.format(record, &mut out).unwrap();
    let mut behind = Buffer::from(b"before ".to_vec());
    json.format(record, &mut behind).unwrap();
    assert_eq!(behind.to_str().unwrap().strip_prefix("before "), out.to_str().ok());
    out.to_str().unwrap().to_owned()
}

// --- golden lines

fn at(nanos: u64) -> std::time::SystemTime {
    UNIX_EPOCH + std::time::Duration::from_nanos(nanos)
}

fn fields<const N: usize>(pairs: [(&'static str, Value<'static>); N]) -> Fields {
    pairs.into_iter().collect()
}

/// `paid` by user 7 inside two spans.
fn paid() -> Record {
    let mut record = Record::new(Severity::INFO, "shop::pay", "paid");
    record.set_time(at(1_795_187_836_123_456_789));
    record.set_source("src/pay.rs", 42);
    record.set_module_path("shop::pay");
    record.set_name("order.paid");
    record.set_thread("worker", 12);
    record.set("user", 7);
    record.set("amount", 12.0);
    record.push_span("request", fields([("id", "7f3a".into()), ("method", "GET".into())]));
    record.push_span("query", fields([("table", "users".into()), ("id", 9.into())]));
    record.set_globals(fields([("service", "shop".into()), ("table", "none".into())]));
    record
}

const HEAD: &str = r#"{"timestamp":"2026-11-20T15:17:16.123456Z","level":"INFO","target":"shop::pay","message":"paid""#;

#[test]
fn flat_by_default() {
    let rest = r#","user":7,"amount":12.0,"table":"users","id":9,"method":"GET","service":"shop"}"#;
    assert_eq!(line(&Json::new(), &paid()), format!("{HEAD}{rest}"));
}

#[test]
fn every_member_that_can_be_turned_on() {
    let json = Json::new()
        .level_number(true)
        .event_name(true)
        .source(true)
        .thread(true)
        .process(true)
        .lower_case_levels(true)
        .nest_fields("fields")
        .current_span(true)
        .span_list(true)
        .nest_context("context")
        .field("host", "h1")
        .field("shard", 3);
    let record = paid();
    let expected = [
        r#"{"timestamp":"2026-11-20T15:17:16.123456Z","level":"info","level_number":20,"target":"shop::pay","message":"paid""#,
        r#","event_name":"order.paid","file":"src/pay.rs","line":42,"module_path":"shop::pay""#,
        r#","thread_name":"worker","thread_id":12"#,
        &format!(r#","process_name":"{}","process_id":{}"#, record.process_name(), record.process_id()),
        r#","fields":{"user":7,"amount":12.0}"#,
        r#","span":{"name":"query","table":"users","id":9}"#,
        r#","spans":[{"name":"request","id":"7f3a","method":"GET"},{"name":"query","table":"users","id":9}]"#,
        r#","context":{"table":"users","id":9,"method":"GET"}"#,
        r#","service":"shop","table":"none","host":"h1","shard":3}"#,
    ];
    assert_eq!(line(&json, &record), expected.concat());
}

#[test]
fn members_are_renamed_left_out_and_brought_back() {
    let json = Json::new()
        .rename(Key::Timestamp, "@timestamp")
        .rename(Key::Message, "msg")
        .omit(Key::Target)
        .omit(Key::Level)
        .rename(Key::Level, "severity");
    let mut record = paid();
    record.set("msg", "taken");
    record.set("message", "free");
    let expected = [
        r#"{"@timestamp":"2026-11-20T15:17:16.123456Z","severity":"INFO","msg":"paid""#,
        r#","user":7,"amount":12.0,"msg_":"taken","message":"free","table":"users","id":9,"method":"GET","service":"shop"}"#,
    ];
    assert_eq!(line(&json, &record), expected.concat());
    let all = Key::ALL.iter().fold(Json::new(), |json, key| json.omit(*key));
    assert_eq!(line(&all, &Record::new(Severity::INFO, "a", "b")), "{}");
    let mut one = Record::new(Severity::INFO, "a", "b");
    one.set("a", 1);
    assert_eq!(line(&all, &one), r#"{"a":1}"#);
    assert_eq!(line(&all.clone().field("x", true), &one), r#"{"a":1,"x":true}"#);
    let late = all.field("x", true).thread(true).source(true).rename(Key::ThreadId, "id").rename(Key::File, "file");
    one.set_thread("", 3);
    assert_eq!(line(&late, &one), r#"{"id":3,"a":1,"x":true}"#);
    one.set_source("f.rs", 1);
    assert_eq!(line(&late, &one), r#"{"file":"f.rs","id":3,"a":1,"x":true}"#);
}

#[test]
fn of_two_options_that_ask_for_one_key_the_last_has_it() {
    let bare = Json::new().omit(Key::Target).time(Time::none());
    let record = Record::new(Severity::INFO, "t", "m");
    let both = |json: Json| line(&json, &record);
    assert_eq!(both(bare.clone().rename(Key::Level, "x").rename(Key::Message, "x")), r#"{"x_":"INFO","x":"m"}"#);
    assert_eq!(both(bare.clone().rename(Key::Message, "x").rename(Key::Level, "x")), r#"{"x":"INFO","x_":"m"}"#);
    assert_eq!(both(bare.clone().rename(Key::Level, "message")), r#"{"message":"INFO","message_":"m"}"#);
    assert_eq!(both(bare.clone().field("level", 1)), r#"{"level_":"INFO","message":"m","level":1}"#);
    assert_eq!(both(bare.clone().field("a", 1).field("a", 2)), r#"{"level":"INFO","message":"m","a":2}"#);
    assert_eq!(both(bare.clone().nest_fields("level")), r#"{"level_":"INFO","message":"m","level":{}}"#);
    let three = bare.rename(Key::Level, "x").rename(Key::Message, "x_").field("x", 0);
    assert_eq!(both(three), r#"{"x__":"INFO","x_":"m","x":0}"#);
}

#[test]
fn t53_names_that_differ_in_their_underscores_only() {
    let mut record = Record::new(Severity::INFO, "t", "m");
    record.set("level", 1);
    record.set("level_", 2);
    record.set("span", 3);
    record.set("span_", 4);
    let mut apart = Record::new(Severity::INFO, "t", "m");
    apart.set("level", 1);
    apart.push_span("outer", [("level_", 2), ("level__", 3)].into_iter().collect());
    let formats = [
        Json::new().field("level_", "s"),
        Json::new().field("level_", "s").field("level__", "s"),
        Json::new().rename(Key::Target, "level_"),
        Json::new().current_span(true).nest_context("span"),
        Json::new().current_span(true).nest_context("span").field("span_", 1),
        Json::new(),
    ];
    for format in formats {
        for record in [&record, &apart] {
            strict(&line(&format, record));
        }
    }
    let renamed = line(&Json::new().time(Time::none()).omit(Key::Target).field("level_", "s"), &record);
    assert!(renamed.contains(r#""level__":1,"level___":2"#), "{renamed}");
}

#[test]
fn times() {
    let mut record = Record::new(Severity::INFO, "t", "m");
    record.set_time(at(1_795_187_836_123_456_789));
    let shown = |time: Time| line(&Json::new().time(time).omit(Key::Target).omit(Key::Level), &record);
    assert_eq!(shown(Time::utc().nanos()), r#"{"timestamp":"2026-11-20T15:17:16.123456789Z","message":"m"}"#);
    assert_eq!(shown(Time::unix_millis()), r#"{"timestamp":1795187836123,"message":"m"}"#);
    assert_eq!(shown(Time::unix_seconds().micros()), r#"{"timestamp":1795187836.123456,"message":"m"}"#);
    let berlin = Time::zone("Europe/Berlin").unwrap();
    assert_eq!(shown(berlin.clone().seconds()), r#"{"timestamp":"2026-11-20T16:17:16+01:00","message":"m"}"#);
    assert_eq!(shown(berlin.clone().millis().date(false)), r#"{"timestamp":"16:17:16.123","message":"m"}"#);
    let quoted = berlin.strftime("\"%H\"%n\\%%").unwrap();
    assert_eq!(shown(quoted), r#"{"timestamp":"\"16\"\n\\%","message":"m"}"#);
    assert_eq!(shown(Time::none()), r#"{"message":"m"}"#);
}

#[test]
fn trace_ids_stand_in_for_the_header() {
    let mut record = Record::new(Severity::INFO, "t", "m");
    record.push_span("request", fields([("traceparent", TRACEPARENT.into()), ("id", 1.into())]));
    record.push_span("inner", fields([("traceparent", "not one".into())]));
    let json = Json::new().time(Time::none());
    let head = r#"{"level":"INFO","target":"t","message":"m""#;
    let ids = r#","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00f067aa0ba902b7","trace_flags":"01""#;
    // What cannot be read as a header is a field like any other.
    assert_eq!(line(&json, &record), format!(r#"{head}{ids},"traceparent":"not one","id":1}}"#));
    let listed = r#","spans":[{"name":"request","id":1},{"name":"inner","traceparent":"not one"}]}"#;
    assert_eq!(line(&json.clone().span_list(true), &record), format!("{head}{ids}{listed}"));
    // Without the ids, the header stays.
    let without = json.clone().omit(Key::TraceId);
    let ids = r#","span_id":"00f067aa0ba902b7","trace_flags":"01","traceparent":"not one","id":1}"#;
    assert_eq!(line(&without, &record), format!("{head}{ids}"));
    // The application's own `trace_id` keeps its name as long as the record has no other.
    let mut own = Record::new(Severity::INFO, "t", "m");
    own.set("trace_id", "mine");
    assert_eq!(line(&json, &own), format!(r#"{head},"trace_id":"mine"}}"#));
    own.push_span("request", fields([("traceparent", TRACEPARENT.into())]));
    assert!(line(&json, &own).ends_with(r#","trace_flags":"01","trace_id_":"mine"}"#));
}

#[test]
fn errors_with_causes_and_types() {
    let json = Json::new().time(Time::none()).omit(Key::Level).omit(Key::Target);
    let mut record = Record::new(Severity::ERROR, "t", "m");
    let chain = hostile::Chain::new(&["top".into(), "middle".into(), "root".into()]);
    record.fields_mut().set_error("error", &chain);
    assert_eq!(line(&json, &record), r#"{"message":"m","error":"top","error.causes":["middle","root"]}"#);
    record.fields_mut().set_error("error", &"x".parse::<i32>().unwrap_err());
    let number = r#""error":"invalid digit found in string","error.type":"std::num::ParseIntError""#;
    assert_eq!(line(&json, &record), format!(r#"{{"message":"m",{number}}}"#));
    // What the error adds gives way to fields, also to those of spans.
    record.push_span("s", fields([("error.type", "mine".into())]));
    let expected = format!(r#"{{"message":"m",{},"error.type":"mine"}}"#, number.replace(".type", ".type_"));
    assert_eq!(line(&json, &record), expected);
}

#[test]
fn long_and_not_ascii_texts() {
    let json = Json::new().time(Time::none()).omit(Key::Level);
    for length in [0, 1, 383, 384, 385, 10_000] {
        for unit in ["x", "ü", "🦀"] {
            let text = unit.repeat(length);
            let mut record = Record::new(Severity::INFO, &text, &text);
            record.set(text.clone(), &text);
            let expected = format!(r#"{{"target":"{text}","message":"{text}","{text}":"{text}"}}"#);
            assert_eq!(line(&json, &record), expected);
        }
    }
}

// --- through tracing

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    fn take(&self) -> Vec<String> {
        let bytes = std::mem::take(&mut *self.0.lock().unwrap());
        String::from_utf8(bytes).unwrap().lines().map(str::to_owned).collect()
    }
}

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

struct Into<F>(F, Lines);

impl<F: Format> Handler for Into<F> {
    fn handle(&self, record: Delivery<'_>) -> Result<tracing_strata::Outcome, tracing_strata::Error> {
        let mut out = Buffer::new();
        self.0.format(&record, &mut out)?;
        out.push_str("\n");
        self.1.0.lock().unwrap().extend_from_slice(out.as_bytes());
        Ok(tracing_strata::Outcome::Written)
    }
}

#[test]
fn the_shape_of_tracing_subscriber() {
    let (ours, theirs) = (Lines::default(), Lines::default());
    let writer = theirs.clone();
    let stack = tracing_subscriber::registry()
        .with(Into(Json::tracing_subscriber(), ours.clone()).into_layer())
        .with(tracing_subscriber::fmt::layer().json().with_writer(move || writer.clone()));
    tracing::subscriber::with_default(stack, || {
        tracing::info!("outside");
        tracing::warn!(user = 7, name = "Ada", ok = true, ratio = 0.5, ip = %"10.0.0.1", list = ?[1, 2], "quoted \"{}\"", 1);
        tracing::debug!(target: "shop::db", user = -7);
        let outer =
            tracing::info_span!("request", id = "7f3a", traceparent = TRACEPARENT, late = tracing::field::Empty);
        let _outer = outer.enter();
        tracing::error!("inside");
        let _inner = tracing::info_span!("query", table = "users", rows = 3).entered();
        outer.record("late", 1);
        tracing::info!(rows = 4, "deeper");
    });
    let values = |lines: Lines| -> Vec<serde_json::Value> {
        lines.take().iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let (ours, theirs) = (values(ours), values(theirs));
    assert_eq!((ours.len(), theirs.len()), (5, 5));
    for (mut ours, mut theirs) in ours.into_iter().zip(theirs) {
        let time =
            |value: &mut serde_json::Value| value["timestamp"].take().as_str().unwrap().parse::<jiff::Timestamp>();
        let (our_time, their_time) = (time(&mut ours).unwrap(), time(&mut theirs).unwrap());
        assert!((our_time - their_time).get_seconds().abs() < 60);
        assert_eq!(ours, theirs);
    }
}

/// What a call site's records have in common is made once; what differs must still be seen.
#[test]
fn one_call_site_in_many_guises() {
    let (lines, changed) = (Lines::default(), Lines::default());
    let json = || Json::new().time(Time::none()).omit(Key::TraceId);
    let timed = || Json::new().time(Time::utc().date(false).seconds());
    let rewrite = |record: &mut Record| {
        record.set_target("other");
        record.set_severity(Severity::CRITICAL);
        record.fields_mut().remove("a");
        record.set("extra", 1);
    };
    let stack = tracing_subscriber::registry()
        .with(Into(timed(), lines.clone()).into_layer())
        .with(Into(timed(), changed.clone()).transform(rewrite).into_layer())
        .with(Into(json(), Lines::default()).into_layer());
    tracing::subscriber::with_default(stack, || {
        for turn in 0..6_u64 {
            let (a, b) = ((turn % 2 == 0).then_some(turn), (turn % 3 == 0).then_some("x"));
            tracing::info!(target: "t\"", a, b, level = turn, "quote\"d" = true, "m");
        }
    });
    let rests = |lines: &Lines| -> Vec<String> {
        lines.take().iter().map(|line| line.split_once(',').unwrap().1.to_owned()).collect()
    };
    let head = r#""level":"INFO","target":"t\"","message":"m""#;
    let fields = ["\"a\":0,\"b\":\"x\",", "", "\"a\":2,", "\"b\":\"x\",", "\"a\":4,", ""];
    let wanted = |(turn, fields): (usize, &&str)| format!(r#"{head},{fields}"level_":{turn},"quote\"d":true}}"#);
    assert_eq!(rests(&lines), fields.iter().enumerate().map(wanted).collect::<Vec<_>>());
    let head = r#""level":"CRITICAL","target":"other","message":"m""#;
    let fields = ["\"b\":\"x\",", "", "", "\"b\":\"x\",", "", ""];
    let wanted =
        |(turn, fields): (usize, &&str)| format!(r#"{head},{fields}"level_":{turn},"quote\"d":true,"extra":1}}"#);
    assert_eq!(rests(&changed), fields.iter().enumerate().map(wanted).collect::<Vec<_>>());
}

/// Each formats the same record; what one does to a value or a name, no other sees.
#[test]
fn t52_formats_of_one_event_do_not_meet() {
    use tracing_strata::format::{Color, Text};
    let hot = || Text::new().color(Color::Always);
    let collect = |order: [usize; 3]| {
        let lines: [Lines; 3] = Default::default();
        let layers: Vec<_> = order
            .iter()
            .map(|kind| match kind {
                0 => Into(Json::new(), lines[0].clone()).boxed().into_layer(),
                1 => Into(hot(), lines[1].clone()).boxed().into_layer(),
                _ => Into(Text::plain(), lines[2].clone()).boxed().into_layer(),
            })
            .collect();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layers), || {
            let _span = tracing::info_span!("request", id = "a b").entered();
            tracing::error!(error = ?"x", "failed");
        });
        lines.map(|lines| lines.take().concat())
    };
    for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2], [1, 2, 0]] {
        let [json, hot, plain] = collect(order);
        assert!(!json.contains('\x1b') && !plain.contains('\x1b'), "{json} {plain}");
        assert!(hot.contains("\x1b[31m"), "{hot:?}");
        strict(&json);
    }
}

#[test]
fn t43_bytes_that_are_no_text() {
    let lines = Lines::default();
    let stack = tracing_subscriber::registry().with(Into(Json::new(), lines.clone()).into_layer());
    tracing::subscriber::with_default(stack, || {
        #[cfg(unix)]
        let path = std::path::Path::new(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"a\xff\0b"));
        #[cfg(not(unix))]
        let path = std::path::Path::new("a\0b");
        tracing::info!(debug = ?path, display = %path.display(), bytes = &b"\xff\xfe\0"[..], "nul \0");
    });
    let lines = lines.take();
    let J::Object(members) = strict(&lines[0]) else { panic!("{lines:?}") };
    assert_eq!(members.iter().find(|(key, _)| key == "bytes").unwrap().1, J::Str("fffe00".into()));
    assert_eq!(members.iter().find(|(key, _)| key == "message").unwrap().1, J::Str("nul \0".into()));
}

#[test]
fn t50_one_line_whatever_is_in_it() {
    let evil = "a\nb\r\n\u{b}\u{c}\u{85}\u{2028}\u{2029}c";
    let mut record = Record::new(Severity::INFO, evil, evil);
    record.set_thread(evil, 1);
    record.set_name(evil);
    record.set_source(evil, 1);
    record.set(evil, evil);
    record.set("shown", Value::Rendered(evil));
    record.fields_mut().set_error("error", &hostile::Chain::new(&[evil.into(), evil.into()]));
    record.push_span("a\nb", fields([("x", "y\nz".into())]));
    for json in [Json::new().source(true).thread(true).event_name(true).span_list(true), Json::tracing_subscriber()] {
        strict(&line(&json, &record));
    }
}

#[test]
fn keys_by_name() {
    for key in Key::ALL {
        assert_eq!(key.default_name().parse::<Key>().unwrap(), *key);
    }
    let error = "severity".parse::<Key>().unwrap_err();
    assert!(error.is_config() && error.to_string().contains("\"severity\"") && error.to_string().contains("trace_id"));
}
