//! Values that are lists and maps.

use std::{collections::BTreeMap, fmt};

use proptest::prelude::*;
use serde::{Serialize, Serializer, ser::SerializeMap as _};
use serde_json::json as tree;
use tracing::{Level, field, info, info_span};
use tracing_strata::{
    Fields, Globals, Logger, Record, Severity, Value,
    format::{Buffer, Format, Gelf, Json, Pickle, SyslogFormat, Template, Text},
    json,
    prelude::*,
    record::JsonText,
};
use tracing_subscriber::prelude::*;

use crate::support::{MemoryBuffer, record, with_layer};

const TAGS: [&str; 2] = ["a", "b"];
const TAGS_TEXT: &str = r#"["a","b"]"#;

#[derive(Serialize)]
struct Order {
    id: u64,
    paid: Option<bool>,
    rows: Vec<(f64, &'static str)>,
}

fn order() -> Order {
    Order { id: 7, paid: None, rows: vec![(0.5, "x\n")] }
}

fn made(text: &str) -> Value<'_> {
    Value::Json(JsonText::new(text).unwrap())
}

/// The line of JSON, read back.
fn line(record: &Record) -> serde_json::Value {
    let mut out = Buffer::new();
    Json::new().format(record, &mut out).unwrap();
    serde_json::from_slice(out.as_bytes()).unwrap_or_else(|error| panic!("{error}: {out}"))
}

#[test]
fn in_events_spans_late_and_globals() {
    let memory = MemoryBuffer::default();
    let layer = memory.clone().into_layer().globals(Globals::new().field("zones", &json(&["eu"])));
    with_layer(layer, || {
        let span = info_span!("request", order = ?json(&order()), late = field::Empty, none = %json(&())).entered();
        span.record("late", field::debug(json(&BTreeMap::from([("k", [1, -2])]))));
        info!(tags = ?json(&TAGS), shown = %json(&TAGS), plain = ?TAGS, same = %TAGS_TEXT, n = ?json(&7), "m");
        info!(first = ?json(&TAGS), second = %TAGS_TEXT, "{}", json(&TAGS));
    });
    let records = memory.take();
    let event = &records[0];
    assert_eq!((event.get("tags"), event.get("shown")), (Some(made(TAGS_TEXT)), Some(made(TAGS_TEXT))));
    assert_eq!(event.get("plain"), Some(Value::Rendered(r#"["a", "b"]"#)));
    // What only looks like it is text, also after one that is.
    assert_eq!(event.get("same"), Some(Value::Rendered(TAGS_TEXT)));
    assert_eq!(records[1].get("second"), Some(Value::Rendered(TAGS_TEXT)));
    assert_eq!(records[1].message(), TAGS_TEXT);
    assert_eq!(event.get("n"), Some(made("7")));
    assert_eq!(event.get("order"), Some(made(r#"{"id":7,"paid":null,"rows":[[0.5,"x\n"]]}"#)));
    assert_eq!((event.get("late"), event.get("none")), (Some(made(r#"{"k":[1,-2]}"#)), Some(made("null"))));
    assert_eq!(event.get("zones"), Some(made(r#"["eu"]"#)));
    let value = event.get("tags").unwrap();
    assert_eq!((value.as_str(), value.as_json().map(JsonText::as_str)), (Some(TAGS_TEXT), Some(TAGS_TEXT)));
    assert_eq!((value.to_string(), format!("{value:?}")), (TAGS_TEXT.into(), format!("Json({TAGS_TEXT})")));
    assert_eq!((value.as_i64(), value.as_bool(), value.as_bytes()), (None, None, None));
    assert_eq!(records[0].clone().get("tags"), Some(made(TAGS_TEXT)));
}

#[test]
fn by_hand_and_by_loggers() {
    let mut by_hand = Record::new(Severity::INFO, "t", "m");
    by_hand.set("tags", &json(&TAGS));
    by_hand.set(String::from("text"), JsonText::new("[1]").unwrap());
    by_hand.fields_mut().set_display("shown", json(&TAGS));
    let mut copy = Fields::new();
    copy.extend(by_hand.fields());
    for fields in [by_hand.fields(), &copy] {
        assert_eq!((fields.get("tags"), fields.get("text")), (Some(made(TAGS_TEXT)), Some(made("[1]"))));
        assert_eq!(fields.get("shown"), Some(made(TAGS_TEXT)));
    }
    let event = record(|| {
        let order = order();
        let (own, shown) = (json(&order.rows), json(&TAGS));
        let logger = Logger::new("t").bind("tags", &json(&TAGS));
        logger.at(Severity::INFO).field("own", &own).display("shown", &shown).log("m");
    });
    assert_eq!((event.get("tags"), event.get("own")), (Some(made(TAGS_TEXT)), Some(made(r#"[[0.5,"x\n"]]"#))));
    assert_eq!(event.get("shown"), Some(made(TAGS_TEXT)));
}

#[test]
fn a_part_of_a_text_is_text() {
    struct Blackened;
    impl fmt::Debug for Blackened {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(&json(&TAGS).to_string().replace('"', "\n"))
        }
    }
    struct Transparent<T>(T);
    impl<T: fmt::Debug> fmt::Debug for Transparent<T> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.fmt(f)
        }
    }
    /// As long as the JSON that it made on its way.
    struct Aside;
    impl fmt::Debug for Aside {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("<1, 2, 3>")?;
            assert_eq!(json(&TAGS).to_string().len(), 9);
            Ok(())
        }
    }
    let memory = MemoryBuffer::default();
    with_layer(memory.clone().into_layer(), || {
        info!(
            some = ?Some(json(&TAGS)),
            two = %format_args!("{}{}", json(&1), json(&2)),
            after = %format_args!(" {}", json(&TAGS)),
            before = %format_args!("{} ", json(&TAGS)),
            black = ?Blackened,
            aside = ?Aside,
            transparent = ?Transparent(json(&TAGS)),
            "m"
        );
    });
    let event = &memory.only();
    for (name, text) in [
        ("some", r#"Some(["a","b"])"#),
        ("two", "12"),
        ("after", r#" ["a","b"]"#),
        ("before", r#"["a","b"] "#),
        ("black", "[\na\n,\nb\n]"),
        ("aside", "<1, 2, 3>"),
    ] {
        assert_eq!(event.get(name), Some(Value::Rendered(text)), "{name}");
    }
    assert_eq!(event.get("transparent"), Some(made(TAGS_TEXT)));
    assert_eq!(line(event)["black"], tree!("[\na\n,\nb\n]"));
}

#[test]
fn cut_failing_panicking_and_broken_ones_are_text_that_says_so() {
    struct Panics;
    impl Serialize for Panics {
        fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            panic!("went wrong")
        }
    }
    struct Fails;
    impl Serialize for Fails {
        fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("no key"))
        }
    }
    /// Not JSON, though nobody says so: `{"key"}`.
    struct Forgets;
    impl Serialize for Forgets {
        fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
            let mut map = to.serialize_map(None)?;
            map.serialize_key("key")?;
            map.end()
        }
    }
    let memory = MemoryBuffer::default();
    let layer = memory.clone().into_layer().value_limit(20);
    let ledger = layer.ledger();
    with_layer(layer, || {
        info!(
            cut = ?json(&["0123456789", "0123456789"]),
            fits = ?json(&["0123456789", "abc"]),
            panics = ?json(&(1, Panics)),
            fails = ?json(&(1, Fails)),
            "m"
        );
        info!(forgets = ?json(&Forgets), "m");
    });
    let records = memory.take();
    for (name, text) in [
        ("cut", r#"["0123456789","01234…[cut]"#),
        ("panics", "[1,<panicked: went wrong>"),
        ("fails", "[1,<error: no key>"),
    ] {
        assert_eq!(records[0].get(name), Some(Value::Rendered(text)));
        assert_eq!(line(&records[0])[name], tree!(text));
    }
    assert_eq!(records[0].get("fits"), Some(made(r#"["0123456789","abc"]"#)));
    assert_eq!(records[1].get("forgets"), Some(Value::Rendered(r#"{"key"}"#)));
    assert_eq!(ledger.stats().marked, 1, "records with a mark");
    let mut by_hand = Record::new(Severity::INFO, "t", "m");
    by_hand.set("fails", &json(&[Fails]));
    by_hand.set("panics", &json(&[Panics]));
    assert_eq!(by_hand.get("fails"), Some(Value::Rendered("[<error: no key>")));
    assert_eq!(by_hand.get("panics"), Some(Value::Rendered("[<panicked: went wrong>")));
}

#[test]
fn deeper_than_a_line_should_be_is_text() {
    let nested = |depth: usize| (1..depth).fold(tree!([]), |inner, _| tree!([inner]));
    let event = record(|| info!(fits = ?json(&nested(64)), deep = ?json(&nested(66)), "m"));
    assert!(event.get("fits").unwrap().as_json().is_some());
    assert_eq!(event.get("deep"), Some(Value::Rendered(&nested(66).to_string())));
    assert_eq!(line(&event)["fits"], nested(64));
}

#[test]
fn json_that_was_text_before_loses_its_white_space() {
    let text = "{ \"a b\" : [ 1 ,\n\t\"\\\" \\\\\" ] , \"\u{2028}\" : null }";
    let raw: Box<serde_json::value::RawValue> = serde_json::from_str(text).unwrap();
    let event = record(|| info!(body = ?json(&raw), list = ?json(&[&raw]), "m"));
    let compact = r#"{"a b":[1,"\" \\"],"\u2028":null}"#;
    assert_eq!(event.get("body"), Some(made(compact)));
    assert_eq!(event.get("list"), Some(made(&format!("[{compact}]"))));
}

#[test]
fn layers_of_others_get_json_text() {
    let (spoken, writer) = {
        let shared = std::sync::Arc::new(std::sync::Mutex::new(Vec::<u8>::new()));
        (shared.clone(), shared)
    };
    struct NamedHandler(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);
    impl std::io::Write for NamedHandler {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let memory = MemoryBuffer::default();
    let fmt = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(move || NamedHandler(writer.clone()));
    let stack = tracing_subscriber::registry().with(fmt).with(memory.clone().into_layer());
    tracing::subscriber::with_default(stack, || info!(tags = ?json(&TAGS), "m"));
    let text = String::from_utf8(spoken.lock().unwrap().clone()).unwrap();
    assert!(text.contains(r#"m tags=["a","b"]"#), "{text}");
    assert_eq!(memory.only().get("tags"), Some(made(TAGS_TEXT)));
}

#[test]
fn every_format() {
    let mut record = Record::new(Severity::INFO, "t", "m");
    record.set("tags", &json(&["a", "]\u{7f}\n"]));
    let text = r#"["a","]\u007f\n"]"#;
    let by = |format: &dyn Format| {
        let mut out = Buffer::new();
        format.format(&record, &mut out).unwrap();
        out.to_str().unwrap().to_owned()
    };
    assert!(by(&Json::new()).contains(&format!(r#""tags":{text}"#)), "{}", by(&Json::new()));
    let quoted = serde_json::to_string(text).unwrap();
    assert!(by(&Text::plain()).contains(&format!("tags={quoted}")), "{}", by(&Text::plain()));
    assert!(by(&Gelf::new()).contains(&format!(r#""_tags":{quoted}"#)), "{}", by(&Gelf::new()));
    assert_eq!(by(&Template::brace("{tags}").unwrap()), text);
    let parameter = text.replace('\\', "\\\\").replace('"', "\\\"").replace(']', "\\]");
    let syslog = by(&SyslogFormat::rfc5424());
    assert!(syslog.contains(&format!(r#"tags="{parameter}""#)), "{syslog}");
    let mut out = Buffer::new();
    Pickle::new().format(&record, &mut out).unwrap();
    let pickled = crate::pickle::read_all(out.as_bytes()).remove(0);
    assert!(pickled.contains(&("tags".to_owned(), crate::pickle::Value::Text(text.into()))), "{pickled:?}");
}

fn any_tree() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<u64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        any::<String>().prop_map(Into::into),
        "[\u{0}-\u{20}\"\\\\\u{7f}-\u{9f}\u{2028}-\u{202e}\u{feff}]{0,8}".prop_map(Into::into),
    ];
    leaf.prop_recursive(6, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(serde_json::Value::from),
            prop::collection::vec((any::<String>(), inner), 0..6)
                .prop_map(|pairs| serde_json::Value::Object(pairs.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_tree_survives_in_a_line(tree in any_tree()) {
        let mut record = Record::new(Severity::INFO, "t", "m");
        record.set("tree", &json(&tree));
        let kept = record.get("tree").unwrap().as_json().unwrap().as_str();
        prop_assert!(!kept.chars().any(crate::hostile::is_control), "{kept:?}");
        prop_assert!(JsonText::new(kept).is_some());
        prop_assert_eq!(&line(&record)["tree"], &tree);
    }
}

#[test]
fn nothing_is_serialised_where_nobody_listens() {
    struct Counts<'a>(&'a std::cell::Cell<u32>);
    impl Serialize for Counts<'_> {
        fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
            self.0.set(self.0.get() + 1);
            to.serialize_unit()
        }
    }
    let count = std::cell::Cell::new(0);
    let memory = MemoryBuffer::default();
    with_layer(memory.clone().into_layer().with_filter(tracing::level_filters::LevelFilter::INFO), || {
        tracing::event!(Level::DEBUG, value = ?json(&Counts(&count)), "m");
        assert_eq!(count.get(), 0);
        tracing::event!(Level::INFO, value = ?json(&Counts(&count)), "m");
    });
    assert_eq!((count.get(), memory.take().len()), (1, 1));
}
