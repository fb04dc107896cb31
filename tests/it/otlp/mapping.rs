//! Each row of the table of log records, on what arrived.

use std::{
    collections::BTreeSet,
    time::{Duration, UNIX_EPOCH},
};

use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList, any_value::Value as Any},
    logs::v1::LogRecord,
};
use serde_json::json as tree;
use tracing::{Level, error, event, info, info_span, warn};
use tracing_strata::{
    Globals, Severity, critical, exception, json,
    otlp::{ContextFields, Otlp, OtlpCompression, Protocol},
};
use tracing_subscriber::prelude::*;

use super::receiver::{LONG, Receiver, attribute, body, exported, text};
use crate::{hostile, support::MemoryBuffer};
use tracing_strata::prelude::*;

fn sent(run: impl FnOnce()) -> Vec<(String, LogRecord)> {
    let receiver = Receiver::start();
    drop(exported(receiver.otlp().spans(false), run));
    receiver.take_logs()
}

fn only(run: impl FnOnce()) -> LogRecord {
    let mut records = sent(run);
    assert_eq!(records.len(), 1, "{records:?}");
    records.remove(0).1
}

#[test]
fn times_are_those_of_the_record() {
    let receiver = Receiver::start();
    let (otlp, guard) = receiver.otlp().spans(false).build_with_guard().unwrap();
    let memory = MemoryBuffer::default();
    tracing::subscriber::with_default(
        tracing_subscriber::registry().with(otlp).with(memory.clone().into_layer()),
        || {
            let before = std::time::SystemTime::now();
            info!("m");
            guard.flush(LONG).unwrap();
            let (_, record) = receiver.take_logs().remove(0);
            let nanos = |time: std::time::SystemTime| time.duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
            assert!((nanos(before)..=nanos(std::time::SystemTime::now())).contains(&record.time_unix_nano));
            assert_eq!(record.observed_time_unix_nano, record.time_unix_nano);
        },
    );
}

#[test]
fn severities_by_number_and_name() {
    let records = sent(|| {
        tracing::trace!("m");
        tracing::debug!("m");
        info!("m");
        warn!("m");
        error!("m");
        critical!("m");
        event!(Level::INFO, strata.severity = 26, "m");
        event!(Level::ERROR, strata.severity = 75, "m");
    });
    let levels: Vec<_> =
        records.iter().map(|(_, record)| (record.severity_number, record.severity_text.as_str())).collect();
    let number = |number: i32| i32::from(Severity::new(number).otel());
    let expected = [
        (1, "TRACE"),
        (5, "DEBUG"),
        (9, "INFO"),
        (13, "WARN"),
        (17, "ERROR"),
        (21, "CRITICAL"),
        (number(26), "Level 26"),
        (24, "Level 75"),
    ];
    assert_eq!(levels, expected);
    assert!((9..13).contains(&number(26)));
    // The severity is told by its own field.
    assert!(records.iter().all(|(_, record)| attribute(&record.attributes, "strata.severity").is_none()));
}

#[test]
fn bodies_names_and_scopes() {
    let records = sent(|| {
        info!(target: "shop::db", "slow query");
        info!(name: "order.paid", target: "shop", total = 1);
        info!(target: "shop::db", "a line\nand \u{1b}[31manother");
    });
    let of =
        |scope: &str| records.iter().filter(|(name, _)| name == scope).map(|(_, record)| record).collect::<Vec<_>>();
    assert_eq!(
        of("shop::db").iter().map(|record| body(record)).collect::<Vec<_>>(),
        ["slow query", "a line\nand \u{1b}[31manother"]
    );
    assert_eq!(of("shop").len(), 1);
    assert_eq!((of("shop")[0].event_name.as_str(), &of("shop")[0].body), ("order.paid", &None));
    assert_eq!(of("shop::db")[0].event_name, "");
}

#[test]
fn values_keep_their_types() {
    let record = only(|| {
        let bytes: &[u8] = b"\x00\xff";
        info!(
            yes = true,
            small = -7,
            big = i64::MAX,
            bigger = u64::MAX,
            biggest = u128::MAX,
            fits = 7u128,
            float = 1.5,
            nan = f64::NAN,
            text = "t",
            bytes,
            shown = %std::net::Ipv4Addr::LOCALHOST,
            debug = ?Some(1),
            "m"
        );
    });
    let value = |key: &str| attribute(&record.attributes, key).unwrap().clone();
    assert_eq!(value("yes"), Any::BoolValue(true));
    assert_eq!((value("small"), value("big")), (Any::IntValue(-7), Any::IntValue(i64::MAX)));
    assert_eq!(value("bigger"), Any::StringValue(u64::MAX.to_string()));
    assert_eq!(value("biggest"), Any::StringValue(u128::MAX.to_string()));
    assert_eq!(value("fits"), Any::IntValue(7));
    assert_eq!(value("float"), Any::DoubleValue(1.5));
    assert!(matches!(value("nan"), Any::DoubleValue(number) if number.is_nan()));
    assert_eq!(value("text"), Any::StringValue("t".into()));
    assert_eq!(value("bytes"), Any::BytesValue(vec![0, 255]));
    assert_eq!(value("shown"), Any::StringValue("127.0.0.1".into()));
    assert_eq!(value("debug"), Any::StringValue("Some(1)".into()));
}

fn list(values: impl IntoIterator<Item = Option<Any>>) -> Any {
    Any::ArrayValue(ArrayValue { values: values.into_iter().map(|value| AnyValue { value }).collect() })
}

fn map<const N: usize>(pairs: [(&str, Option<Any>); N]) -> Any {
    let pair = |(key, value): (&str, _)| KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value }),
        ..KeyValue::default()
    };
    Any::KvlistValue(KeyValueList { values: pairs.map(pair).into() })
}

fn string(text: &str) -> Any {
    Any::StringValue(text.into())
}

#[test]
fn lists_and_maps_are_that_as_protobuf_and_json() {
    for protocol in [Protocol::HttpProtobuf, Protocol::HttpJson] {
        let receiver = Receiver::start();
        let otlp = receiver.otlp().protocol(protocol);
        drop(exported(otlp, || {
            let tree = tree!({"a": [1, -2.5, true, null, "é\n"], "b": {"c": u64::MAX}, "d": [], "e": {}});
            let _span = info_span!("request", tags = ?json(&["x", "y"]), late = tracing::field::Empty).entered();
            tracing::Span::current().record("late", tracing::field::debug(json(&[[1]])));
            info!(tree = ?json(&tree), null = ?json(&()), number = ?json(&0.1), part = ?Some(json(&[1])), "m");
        }));
        let (_, record) = receiver.take_logs().remove(0);
        let value = |key: &str| attribute(&record.attributes, key).cloned();
        let a = list([
            Some(Any::IntValue(1)),
            Some(Any::DoubleValue(-2.5)),
            Some(Any::BoolValue(true)),
            None,
            Some(string("é\n")),
        ]);
        let b = map([("c", Some(string("18446744073709551615")))]);
        let tree = map([("a", Some(a)), ("b", Some(b)), ("d", Some(list([]))), ("e", Some(map([])))]);
        assert_eq!(value("tree"), Some(tree), "{protocol:?}");
        assert_eq!(value("number"), Some(Any::DoubleValue(0.1)));
        assert_eq!(value("part"), Some(string("Some([1])")));
        let null = record.attributes.iter().find(|pair| pair.key == "null").unwrap();
        assert_eq!(null.value.as_ref().and_then(|value| value.value.as_ref()), None);
        let (_, span) = receiver.take_spans().remove(0);
        for attributes in [&record.attributes, &span.attributes] {
            assert_eq!(attribute(attributes, "tags"), Some(&list([Some(string("x")), Some(string("y"))])));
            assert_eq!(attribute(attributes, "late"), Some(&list([Some(list([Some(Any::IntValue(1))]))])));
        }
    }
}

#[test]
fn what_is_nested_too_deeply_for_readers_is_text_in_there() {
    let nested = |depth: usize| (0..depth).fold(tree!("end"), |inner, _| tree!({"k": inner}));
    for protocol in [Protocol::HttpProtobuf, Protocol::HttpJson] {
        let receiver = Receiver::start();
        // In events of spans, which are a level deeper than log records.
        let otlp = receiver.otlp().protocol(protocol).span_events(true);
        drop(exported(otlp, || {
            let _span = info_span!("s").entered();
            info!(deep = ?json(&nested(64)), fits = ?json(&nested(24)), "m");
        }));
        let (_, record) = receiver.take_logs().remove(0);
        let (_, span) = receiver.take_spans().remove(0);
        for attributes in [&record.attributes, &span.events[0].attributes] {
            for (name, innermost) in [("fits", "end".to_owned()), ("deep", nested(40).to_string())] {
                let mut value = attribute(attributes, name).unwrap();
                for _ in 0..24 {
                    let Any::KvlistValue(map) = value else { panic!("{value:?}") };
                    value = map.values[0].value.as_ref().unwrap().value.as_ref().unwrap();
                }
                assert_eq!(*value, string(&innermost));
            }
        }
    }
}

#[test]
fn the_limit_of_values_is_that_of_each_text_in_them() {
    let receiver = Receiver::start();
    let otlp = receiver.otlp().spans(false).max_value_length(3);
    drop(exported(otlp, || info!(tree = ?json(&tree!([["ääää", 12345], {"a key": "abcd"}])), "m")));
    let (_, record) = receiver.take_logs().remove(0);
    let first = list([Some(string("äää")), Some(Any::IntValue(12345))]);
    let second = map([("a key", Some(string("abc")))]);
    assert_eq!(attribute(&record.attributes, "tree"), Some(&list([Some(first), Some(second)])));
}

#[test]
fn the_call_site_and_the_thread() {
    let record = std::thread::Builder::new()
        .name("a thread".into())
        .spawn(|| {
            let line = line!() + 1;
            (line, only(|| info!("m")))
        })
        .unwrap()
        .join();
    let (line, record) = record.unwrap();
    assert_eq!(text(&record.attributes, "code.file.path"), Some(file!()));
    assert_eq!(text(&record.attributes, "code.module.name"), Some(module_path!()));
    assert_eq!(attribute(&record.attributes, "code.line.number"), Some(&Any::IntValue(line.into())));
    assert_eq!(text(&record.attributes, "thread.name"), Some("a thread"));
    assert!(matches!(attribute(&record.attributes, "thread.id"), Some(Any::IntValue(id)) if *id > 0));
}

#[test]
fn errors_are_exceptions() {
    let record = only(|| {
        let chain = hostile::Chain::new(&["top".into(), "middle".into(), "root".into()]);
        error!(error = &chain as &dyn std::error::Error, other = &chain as &dyn std::error::Error, "failed");
    });
    assert_eq!(text(&record.attributes, "exception.message"), Some("top"));
    assert_eq!(text(&record.attributes, "exception.stacktrace"), Some("top\nCaused by: middle\nCaused by: root"));
    assert_eq!(attribute(&record.attributes, "error"), None);
    assert_eq!(text(&record.attributes, "other"), Some("top: middle: root"));
    let record = only(|| drop(exception!("x".parse::<u16>(), input = "x")));
    assert_eq!(text(&record.attributes, "exception.type"), Some("std::num::ParseIntError"));
    assert_eq!(text(&record.attributes, "exception.message"), Some("invalid digit found in string"));
    assert_eq!(text(&record.attributes, "input"), Some("x"));
    let record = only(|| {
        let error = "x".parse::<u16>().unwrap_err();
        error!(error = &error as &dyn std::error::Error, error.backtrace = "0: main\n1: start", "m");
    });
    let stack = "invalid digit found in string\n0: main\n1: start";
    assert_eq!(text(&record.attributes, "exception.stacktrace"), Some(stack));
    assert_eq!(attribute(&record.attributes, "error.backtrace"), None);
}

#[test]
fn context_by_the_rule() {
    let run = || {
        let _outer = info_span!(
            "request",
            id = "outer",
            user = 7,
            traceparent = "no header",
            baggage = "a=1",
            otel.kind = "server"
        )
        .entered();
        let inner = info_span!("query", id = "inner", late = tracing::field::Empty).entered();
        inner.record("late", "told");
        info!(id = "own", "m");
        info!("n");
    };
    let with = |context: ContextFields| {
        let receiver = Receiver::start();
        let (layer, guard) = receiver.otlp().spans(false).context(context).build_with_guard().unwrap();
        let layer = layer.globals(Globals::new().service("shop").field("id", "global"));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), run);
        guard.flush(LONG).unwrap();
        let names = ["id", "user", "late", "service", "traceparent", "baggage", "otel.kind"];
        let shown = |record: &LogRecord| {
            let known = |name: &&str| attribute(&record.attributes, name).map(|value| format!("{name}={value:?}"));
            names.iter().filter_map(known).collect::<Vec<_>>().join(" ")
        };
        receiver.take_logs().iter().map(|(_, record)| shown(record)).collect::<Vec<_>>()
    };
    let id = |id: &str| format!("id=StringValue({id:?})");
    let rest = r#"user=IntValue(7) late=StringValue("told") service=StringValue("shop")"#;
    assert_eq!(with(ContextFields::All), [format!("{} {rest}", id("own")), format!("{} {rest}", id("inner"))]);
    assert_eq!(with(ContextFields::None), [id("own"), String::new()]);
    let only = ContextFields::only(["user", "service"]);
    assert_eq!(only, ContextFields::Only(BTreeSet::from(["user".into(), "service".into()])));
    let some = r#"user=IntValue(7) service=StringValue("shop")"#;
    assert_eq!(with(only), [format!("{} {some}", id("own")), some.to_owned()]);
}

#[test]
fn trace_ids_of_a_header_without_spans_exported() {
    let record = only(|| {
        let header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        info_span!("request", traceparent = header).in_scope(|| info!("m"));
    });
    assert_eq!(u128::from_be_bytes(record.trace_id.try_into().unwrap()), 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736);
    assert_eq!(u64::from_be_bytes(record.span_id.try_into().unwrap()), 0x00f0_67aa_0ba9_02b7);
    assert_eq!(record.flags, 1);
    let record = only(|| info!("outside"));
    assert!(record.trace_id.is_empty() && record.span_id.is_empty() && record.flags == 0);
}

#[test]
fn the_resource() {
    let receiver = Receiver::start();
    let otlp = Otlp::from_vars([
        ("OTEL_RESOURCE_ATTRIBUTES", "service.name=lower,zone=eu%2C1,deployment.environment.name=test"),
        ("OTEL_SERVICE_NAME", "from the variable"),
    ]);
    let otlp =
        otlp.endpoint(receiver.url()).attribute("zone", "code").attribute("cores", 2).schedule_delay(Duration::ZERO);
    drop(exported(otlp, || info!("m")));
    let resource = receiver.resource();
    assert_eq!(text(&resource, "service.name"), Some("from the variable"));
    assert_eq!(text(&resource, "zone"), Some("code"));
    assert_eq!(attribute(&resource, "cores"), Some(&Any::IntValue(2)));
    assert_eq!(text(&resource, "deployment.environment.name"), Some("test"));
    assert_eq!(text(&resource, "telemetry.sdk.language"), Some("rust"));
    // Nobody said a name.
    let receiver = Receiver::start();
    drop(exported(Otlp::builder().endpoint(receiver.url()), || info!("m")));
    assert!(text(&receiver.resource(), "service.name").unwrap().starts_with("unknown_service:it"));
}

#[test]
fn the_same_by_all_ways_over_http() {
    let mut arrived = Vec::new();
    for (protocol, compression) in [
        (Protocol::HttpProtobuf, OtlpCompression::None),
        (Protocol::HttpProtobuf, OtlpCompression::Gzip),
        (Protocol::HttpJson, OtlpCompression::None),
        (Protocol::HttpJson, OtlpCompression::Gzip),
    ] {
        let receiver = Receiver::start();
        let otlp = receiver.otlp().protocol(protocol).compression(compression).header("x-key", "secret");
        drop(exported(otlp, || {
            let header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
            let _span = info_span!("request", traceparent = header, n = 7, bytes = b"\x01\x02".as_slice()).entered();
            warn!(f = 0.5, text = "é\"\u{1}", "m");
        }));
        let request = receiver.requests().remove(0);
        assert_eq!(request["x-key"], "secret");
        assert_eq!(
            request.get("content-encoding").map(String::as_str),
            (compression == OtlpCompression::Gzip).then_some("gzip")
        );
        let (_, mut record) = receiver.take_logs().remove(0);
        let (_, mut span) = receiver.take_spans().remove(0);
        assert_eq!(record.span_id, span.span_id);
        assert_eq!(span.trace_id.len(), 16);
        (record.time_unix_nano, record.observed_time_unix_nano, record.span_id) = (0, 0, vec![]);
        (span.start_time_unix_nano, span.end_time_unix_nano, span.span_id) = (0, 0, vec![]);
        arrived.push((record, span));
    }
    assert!(arrived.iter().all(|one| *one == arrived[0]), "{arrived:?}");
}
