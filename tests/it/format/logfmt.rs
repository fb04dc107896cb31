//! `format::Logfmt`: golden pairs, and hostile records read back by a strict reader.

use std::collections::BTreeMap;

use tracing_strata::{
    Record, Severity, Value,
    format::{Logfmt, Time},
    record::JsonText,
};

use super::{in_halves, line, records};
use crate::{
    hostile::{self, Spec, V, is_control},
    json_model::{context, has_trace},
    strict::{J, strict},
};

/// Pairs in their order. As strict as both of Go's readers together: no `'` either, and no broken UTF-8.
fn pairs(line: &str) -> Vec<(String, String)> {
    assert!(!line.chars().any(is_control), "{line:?}");
    let mut rest = line;
    let mut pairs: Vec<(String, String)> = Vec::new();
    while !rest.is_empty() {
        let (key, behind) = rest.split_once('=').unwrap_or_else(|| panic!("no = in {rest:?}: {line}"));
        let is_of_key = |c: char| c > ' ' && !matches!(c, '"' | '\'' | '\u{fffd}') && !c.is_whitespace();
        assert!(!key.is_empty() && key.chars().all(is_of_key), "{key:?}: {line}");
        let length = match behind.strip_prefix('"') {
            Some(inner) => {
                let mut is_escaped = false;
                let end = inner.bytes().position(|byte| {
                    let ends = byte == b'"' && !is_escaped;
                    is_escaped = byte == b'\\' && !is_escaped;
                    ends
                });
                end.unwrap_or_else(|| panic!("no end: {line}")) + 2
            }
            None => behind.find(' ').unwrap_or(behind.len()),
        };
        let (value, next) = behind.split_at(length);
        let value = if value.starts_with('"') {
            serde_json::from_str(value).unwrap_or_else(|error| panic!("{error}: {value}"))
        } else {
            let is_of_word = |c: char| is_of_key(c) && c != '=';
            assert!(!value.is_empty() && value.chars().all(is_of_word), "{value:?}: {line}");
            value.to_owned()
        };
        assert!(pairs.iter().all(|(known, _)| known != key), "{key} twice: {line}");
        pairs.push((key.to_owned(), value));
        rest = next.strip_prefix(' ').unwrap_or_else(|| {
            assert_eq!(next, "", "{line}");
            ""
        });
    }
    pairs
}

const OWN: &[&str] = &[
    "time",
    "level",
    "target",
    "msg",
    "trace_id",
    "span_id",
    "trace_flags",
    "event_name",
    "file",
    "line",
    "thread_name",
    "thread_id",
];

fn is_own(name: &str) -> bool {
    OWN.contains(&name.trim_end_matches('_'))
}

fn encoded(name: &str) -> String {
    let encoded = |c: char| {
        let must = c <= ' ' || matches!(c, '=' | '"' | '\'' | '%' | '\u{fffd}') || c.is_whitespace() || is_control(c);
        match must {
            true => c.to_string().bytes().map(|byte| format!("%{byte:02X}")).collect(),
            false => c.to_string(),
        }
    };
    name.chars().map(encoded).collect()
}

/// The rule of the documentation, the slow way.
fn key(name: &str) -> String {
    match name {
        "" => "%".to_owned(),
        name if is_own(name) => encoded(name) + "_",
        name => encoded(name),
    }
}

/// What a pair must say.
enum Expected {
    Text(String),
    Float(f64),
    /// What is in a list or map, and is no text.
    Json(J),
}

fn expected(value: &V) -> Expected {
    Expected::Text(match value {
        V::Bool(value) => value.to_string(),
        V::I64(number) => number.to_string(),
        V::U64(number) => number.to_string(),
        V::I128(number) => number.to_string(),
        V::U128(number) => number.to_string(),
        V::F64(number) if number.is_nan() => "NaN".to_owned(),
        V::F64(number) => return Expected::Float(*number),
        V::Str(text) | V::Rendered(text) | V::Json(text) => text.clone(),
        V::Bytes(bytes) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        V::Error(chain) => chain.join(": "),
        V::Number(error) => error.to_string(),
    })
}

/// The pairs of a list or map.
fn flattened(path: String, of: J, pairs: &mut BTreeMap<String, Expected>) {
    let mut inside = |part: &str, of| flattened(format!("{path}.{}", encoded(part).replace('.', "%2E")), of, pairs);
    match of {
        J::List(list) if !list.is_empty() => {
            list.into_iter().enumerate().for_each(|(index, of)| inside(&index.to_string(), of));
        }
        J::Object(members) if !members.is_empty() => members.into_iter().for_each(|(name, of)| inside(&name, of)),
        J::Str(text) => drop(pairs.insert(path, Expected::Text(text))),
        other => drop(pairs.insert(path, Expected::Json(other))),
    }
}

/// The pairs of fields of these names, each of which is there once.
fn all_expected(fields: &[(&str, &V)]) -> BTreeMap<String, Expected> {
    let begins =
        |name: &str, other: &str| other.starts_with(&format!("{name}{}.", if is_own(name) { "_" } else { "" }));
    let mut pairs = BTreeMap::new();
    for (name, value) in fields {
        let is_alone = |(other, of): &(&str, &V)| {
            name == other || !(begins(name, other) || matches!(of, V::Json(_)) && begins(other, name))
        };
        match value {
            V::Json(text) if fields.iter().all(is_alone) => flattened(key(name), strict(text), &mut pairs),
            value => drop(pairs.insert(key(name), expected(value))),
        }
    }
    pairs
}

/// Hostile records: one line each, no key twice, every field as it was.
#[test]
fn hostile_records_are_read_back() {
    let format = Logfmt::new().thread(true);
    in_halves(records(50_000), |seed| {
        let mut rng = fastrand::Rng::with_seed(seed);
        let spec = Spec::random(&mut rng);
        let line = line(&format, &spec.record(&mut rng));
        let mut got = pairs(&line).into_iter();
        let severity = Severity::new(spec.severity);
        let level = severity.name().map_or_else(|| spec.severity.to_string(), str::to_lowercase);
        let mut own = vec![("time", "2026-11-20T15:17:16.123456Z".to_owned()), ("level", level)];
        own.extend([("target", spec.target.clone()), ("msg", spec.message.clone())]);
        if has_trace(&spec) {
            own.push(("trace_id", "4bf92f3577b34da6a3ce929d0e0e4736".to_owned()));
            own.extend([("span_id", "00f067aa0ba902b7".to_owned()), ("trace_flags", "01".to_owned())]);
        }
        own.extend(Some(("thread_name", spec.thread.clone())).filter(|_| !spec.thread.is_empty()));
        own.push(("thread_id", "7".to_owned()));
        for (key, value) in own {
            assert_eq!(got.next(), Some((key.to_owned(), value)), "seed {seed}: {line}");
        }
        let mut fields: Vec<(&str, &V)> = Vec::new();
        let settled = hostile::settled(&spec.fields);
        let spans = context(&spec, true);
        let globals = spec.globals.as_ref().map(hostile::settled).unwrap_or_default();
        let globals = globals.iter().filter(|(name, _)| !has_trace(&spec) || name != "traceparent");
        for (name, value) in settled.iter().chain(spans.iter().flatten()).chain(globals) {
            if fields.iter().all(|(known, _)| known != name) {
                fields.push((name, value));
            }
        }
        let mut expected = all_expected(&fields);
        for (key, value) in got {
            match expected.remove(&key).unwrap_or_else(|| panic!("seed {seed}: {key}: {line}")) {
                Expected::Text(text) => assert_eq!(value, text, "seed {seed}: {line}"),
                Expected::Float(number) => assert_eq!(value.parse::<f64>().unwrap().to_bits(), number.to_bits()),
                Expected::Json(of) => assert_eq!(strict(&value), of, "seed {seed}: {line}"),
            }
        }
        assert!(expected.is_empty(), "seed {seed}: {:?}: {line}", expected.into_keys());
    });
}

#[test]
fn words_and_what_is_quoted() {
    let shown = |text: &str| {
        let mut record = Record::new(Severity::INFO, "t", "m");
        record.set("x", text);
        line(&Logfmt::new().time(Time::none()), &record)
            .strip_prefix("level=info target=t msg=m x=")
            .unwrap()
            .to_owned()
    };
    for (text, expected) in [
        ("word", "word"),
        ("/orders/7?a", "/orders/7?a"),
        ("größe-中文", "größe-中文"),
        ("", r#""""#),
        ("two words", r#""two words""#),
        ("a=b", r#""a=b""#),
        ("a longer one=b", r#""a longer one=b""#),
        ("it's", r#""it's""#),
        ("say \"no\"", r#""say \"no\"""#),
        (r"C:\dir", r#""C:\\dir""#),
        ("a\nb", r#""a\nb""#),
        ("\u{a0}", "\"\u{a0}\""),
        ("\u{fffd}", "\"\u{fffd}\""),
        ("\u{2028}\u{1b}", r#""\u2028\u001b""#),
    ] {
        assert_eq!(shown(text), expected, "{text:?}");
    }
    // Wherever it stands.
    for (before, after) in (0..20).flat_map(|before| (0..20).map(move |after| (before, after))) {
        for special in [" ", "=", "\"", "'", "\\", "\u{7f}", "\t", "~", "!", "é"] {
            let text = format!("{}{special}{}", "a".repeat(before), "z".repeat(after));
            assert_eq!(shown(&text).starts_with('"'), !["~", "!", "é"].contains(&special), "{text:?}");
        }
    }
}

#[test]
fn lists_and_maps_are_flattened_where_no_name_can_meet_another() {
    let json = |text| Value::Json(JsonText::new(text).unwrap());
    let shown = |record: &Record| {
        let line = line(&Logfmt::new().time(Time::none()).field("fixed.x", 1), record);
        pairs(&line);
        line.strip_prefix("level=info target=t msg=m ").unwrap().to_owned()
    };
    let mut record = Record::new(Severity::INFO, "t", "m");
    record.set("k", json(r#"{"a":{"b":[1,"x","two words",null,[],{}]},"a.b":true,"":"it's \"q\"","%":0}"#));
    let expected = r#"k.a.b.0=1 k.a.b.1=x k.a.b.2="two words" k.a.b.3=null k.a.b.4=[] k.a.b.5={} k.a%2Eb=true k.="it's \"q\"" k.%25=0"#;
    assert_eq!(shown(&record), format!("{expected} fixed.x=1"));
    let both = |one: &'static str, other: &'static str, value: Value<'_>| {
        let mut record = Record::new(Severity::INFO, "t", "m");
        record.set(one, json(r#"{"x":1}"#));
        record.set(other, value);
        shown(&record)
    };
    let whole = r#""{\"x\":1}""#;
    assert_eq!(both("a", "a.x", 2.into()), format!("a={whole} a.x=2 fixed.x=1"));
    assert_eq!(both("a", "a.b", json(r#"{"x":2}"#)), format!(r#"a={whole} a.b="{{\"x\":2}}" fixed.x=1"#));
    assert_eq!(both("fixed", "z", 2.into()), format!("fixed={whole} z=2 fixed.x=1"));
    assert_eq!(both("a", "ab", 2.into()), "a.x=1 ab=2 fixed.x=1");
    assert_eq!(both("msg", "msg_.x", 2.into()), format!("msg_={whole} msg_.x=2 fixed.x=1"));
    assert_eq!(both("msg", "msg.x", 2.into()), "msg_.x=1 msg.x=2 fixed.x=1");
}

#[test]
fn times_and_parts_that_can_be_turned_on() {
    let mut record = Record::new(Severity::new(25), "", "");
    record.set_time(std::time::UNIX_EPOCH + hostile::TIME);
    record.set_source("my file.rs", 7);
    record.set_name("paid");
    record.set_thread("worker 1", 12);
    let shown = |format: Logfmt| line(&format, &record);
    let rest = r#"level=25 target="" msg="" event_name=paid"#;
    assert_eq!(shown(Logfmt::new().time(Time::unix_millis())), format!("time=1795187836123 {rest}"));
    let custom = Time::utc().strftime("%d %B \"%H\"").unwrap();
    assert_eq!(shown(Logfmt::new().time(custom)), format!(r#"time="20 November \"15\"" {rest}"#));
    let all = Logfmt::new().time(Time::none()).source(true).thread(true).field("a b", "c d");
    assert_eq!(
        shown(all),
        format!(r#"{rest} file="my file.rs" line=7 thread_name="worker 1" thread_id=12 a%20b="c d""#)
    );
}
