//! The `OTEL_*` variables: each means what the specification says, and a bad one is named.

use std::time::Duration;

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use tracing::{info, info_span};
use tracing_strata::otlp::{Otlp, OtlpGuard, OtlpLayer, Protocol};

use tracing_strata::prelude::*;
use tracing_subscriber::{prelude::*, registry};

use super::receiver::{Receiver, attribute, body, exported, text};
use crate::support::MemoryBuffer;

fn spawn(vars: &[(&str, &str)]) -> Result<(OtlpLayer, OtlpGuard), String> {
    let vars = vars.iter().copied();
    Otlp::from_vars(vars).flush_timeout(Duration::ZERO).build_with_guard().map_err(|error| {
        assert!(error.is_config(), "{error}");
        error.to_string()
    })
}

#[test]
fn bad_variables_are_named() {
    for (name, value, expected) in [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318", "a URL like"),
        ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "ftp://collector", "a URL like"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "/v1/traces", "a URL like"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http", "\"grpc\", \"http/protobuf\" or \"http/json\""),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "thrift", "\"grpc\""),
        ("OTEL_EXPORTER_OTLP_HEADERS", "no value", "pairs \"key=value\""),
        ("OTEL_EXPORTER_OTLP_LOGS_HEADERS", "a=%zz", "percent-encoded"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s", "a number of milliseconds"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "zip", "\"gzip\" or \"none\""),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/nowhere.pem", "the path of a PEM file"),
        ("OTEL_EXPORTER_OTLP_CLIENT_KEY", "/nowhere.pem", "the path of a PEM file"),
        ("OTEL_BLRP_MAX_QUEUE_SIZE", "0", "a number of at least 1"),
        ("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", "-1", "a number of at least 1"),
        ("OTEL_BLRP_SCHEDULE_DELAY", "soon", "a number of milliseconds"),
        ("OTEL_BLRP_EXPORT_TIMEOUT", "-1", "a number of milliseconds"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "many", "a number of at least 1"),
        ("OTEL_BSP_SCHEDULE_DELAY", "1.5", "a number of milliseconds"),
        ("OTEL_SDK_DISABLED", "yes", "\"true\" or \"false\""),
        ("OTEL_LOGS_EXPORTER", "console", "\"otlp\" or \"none\""),
        ("OTEL_TRACES_EXPORTER", "zipkin", "\"otlp\" or \"none\""),
        ("OTEL_TRACES_SAMPLER", "sometimes", "parentbased_traceidratio"),
        ("OTEL_EXPORTER_OTLP_INSECURE", "1", "\"true\" or \"false\""),
        ("OTEL_EXPORTER_OTLP_TRACES_INSECURE", "no", "\"true\" or \"false\""),
        ("OTEL_ATTRIBUTE_COUNT_LIMIT", "-1", "a number of at least 0"),
        ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "1k", "a number of at least 0"),
        ("OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT", "all", "a number of at least 0"),
        ("OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT", "1.5", "a number of at least 0"),
        ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "many", "a number of at least 0"),
        ("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "-2", "a number of at least 0"),
        ("OTEL_SPAN_EVENT_COUNT_LIMIT", "many", "a number of at least 0"),
        ("OTEL_SPAN_LINK_COUNT_LIMIT", "many", "a number of at least 0"),
        ("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", "many", "a number of at least 0"),
        ("OTEL_RESOURCE_ATTRIBUTES", "a", "pairs \"key=value\""),
    ] {
        let error = spawn(&[(name, value)]).map(drop).unwrap_err();
        assert!(error.starts_with(name) && error.contains(expected), "{error}");
        // Headers are tokens, which go into no log.
        assert_eq!(error.contains(value), !name.ends_with("HEADERS"), "{error}");
    }
    let error = spawn(&[("OTEL_EXPORTER_OTLP_HEADERS", "api-key=secret123%zz,tenant=blue")]).map(drop).unwrap_err();
    assert!(error.contains("\"api-key=…,tenant=…\""), "{error}");
    let vars = [("OTEL_TRACES_SAMPLER", "traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", "2")];
    assert!(spawn(&vars).map(drop).unwrap_err().starts_with("OTEL_TRACES_SAMPLER_ARG: expected a ratio"));
    let error = Otlp::builder().endpoint("nowhere").build_with_guard().map(drop).unwrap_err();
    assert!(error.to_string().contains("otlp: endpoint \"nowhere\""), "{error}");
    let error = Otlp::builder().header("a name", "v").build_with_guard().map(drop).unwrap_err();
    assert!(error.to_string().contains("header \"a name\""), "{error}");
    let error = Otlp::builder().ca_certificate("/nowhere.pem").build_with_guard().map(drop).unwrap_err();
    assert!(error.to_string().contains("/nowhere.pem"), "{error}");
}

#[test]
fn what_does_not_count() {
    // Empty ones are not set; what belongs to a sampler without argument is not looked at.
    let vars = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", ""),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", " "),
        ("OTEL_TRACES_SAMPLER", "always_on"),
        ("OTEL_TRACES_SAMPLER_ARG", "?"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", " 7 "),
    ];
    drop(spawn(&vars).unwrap());
    // The builder does not look at variables, and the code wins over them.
    let receiver = Receiver::start();
    let otlp = Otlp::from_vars([
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
    ]);
    drop(exported(otlp.endpoint(receiver.url()).protocol(Protocol::HttpJson), || info!("m")));
    assert_eq!(receiver.take_logs().len(), 1);
}

#[test]
fn endpoints_and_headers_of_each_signal() {
    let (one, two) = (Receiver::start(), Receiver::start());
    let traces = format!("{}/own/v1/traces", two.url());
    let otlp = Otlp::from_vars([
        ("OTEL_EXPORTER_OTLP_ENDPOINT", format!("{}/base/", one.url())),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", traces),
        ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20general, x-a = 1".into()),
        ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "authorization=own".into()),
        ("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "gzip".into()),
        ("OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", "http/json".into()),
    ]);
    drop(exported(otlp.header("X-A", "code"), || info_span!("s").in_scope(|| info!("m"))));
    let (logs, traces) = (one.requests().remove(0), two.requests().remove(0));
    assert_eq!((logs[":path"].as_str(), logs["authorization"].as_str()), ("/base/v1/logs", "Bearer general"));
    assert_eq!((traces[":path"].as_str(), traces["authorization"].as_str()), ("/own/v1/traces", "own"));
    assert_eq!((logs["x-a"].as_str(), traces["x-a"].as_str()), ("code", "code"));
    assert_eq!(
        (logs["content-type"].as_str(), traces["content-type"].as_str()),
        ("application/json", "application/x-protobuf")
    );
    assert_eq!((logs.get("content-encoding"), traces["content-encoding"].as_str()), (None, "gzip"));
    assert!(logs["user-agent"].starts_with("tracing-strata/"));
}

#[test]
fn limits_of_spans() {
    let receiver = Receiver::start();
    let run = || {
        let cause = info_span!("cause");
        let span = info_span!("s", text = "äöüß", short = "abc", bytes = &b"12345"[..], number = 123_456);
        (0..3).for_each(|_| {
            span.follows_from(&cause);
        });
        span.in_scope(|| (0..4).for_each(|n| info!(n, note = "äöüß", "m")));
    };
    let vars = [
        ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "4"),
        ("OTEL_ATTRIBUTE_COUNT_LIMIT", "1"),
        ("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "3"),
        ("OTEL_SPAN_EVENT_COUNT_LIMIT", "3"),
        ("OTEL_SPAN_LINK_COUNT_LIMIT", "2"),
        ("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", "2"),
    ];
    let of_vars = || Otlp::from_vars(vars).endpoint(receiver.url()).logs(false);
    drop(exported(of_vars(), run));
    let span = receiver.span("s");
    assert_eq!((text(&span.attributes, "text"), text(&span.attributes, "short")), (Some("äöü"), Some("abc")));
    assert_eq!(attribute(&span.attributes, "bytes"), Some(&Any::BytesValue(b"123".into())));
    assert_eq!(attribute(&span.attributes, "number"), Some(&Any::IntValue(123_456)));
    // code.file.path, code.line.number, code.module.name, thread.id and thread.name.
    assert_eq!((span.attributes.len(), span.dropped_attributes_count), (4, 5));
    assert_eq!((span.events.len(), span.dropped_events_count), (3, 1));
    assert_eq!((span.links.len(), span.dropped_links_count), (2, 1));
    let event = &span.events[0];
    // Level and target.
    assert_eq!((event.attributes.len(), event.dropped_attributes_count), (2, 2));
    assert_eq!(text(&event.attributes, "note"), Some("äöü"));
    receiver.take_spans();
    // The code wins.
    drop(exported(of_vars().max_attributes(0).max_value_length(1), run));
    let span = receiver.span("s");
    assert_eq!((span.attributes.len(), span.dropped_attributes_count), (0, 9));
    assert_eq!((span.events[0].attributes.len(), span.events[0].dropped_attributes_count), (0, 4));
}

#[test]
fn limits_of_log_records() {
    let receiver = Receiver::start();
    let vars = [("OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT", "2"), ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "2")];
    let run = || info!(one = "äöü", two = 22_222, three = 3, "a message is no attribute");
    drop(exported(Otlp::from_vars(vars).endpoint(receiver.url()), run));
    let (_, record) = receiver.take_logs().remove(0);
    assert_eq!(body(&record), "a message is no attribute");
    assert_eq!(text(&record.attributes, "one"), Some("äö"));
    assert_eq!(attribute(&record.attributes, "two"), Some(&Any::IntValue(22_222)));
    assert_eq!((record.attributes.len(), record.dropped_attributes_count), (2, 6));
}

#[test]
fn disabled() {
    let (layer, guard) =
        spawn(&[("OTEL_SDK_DISABLED", "TRUE"), ("OTEL_EXPORTER_OTLP_ENDPOINT", "not looked at")]).unwrap();
    assert!(layer.logs_ledger().is_none() && layer.spans_ledger().is_none());
    // Others go on.
    let memory = MemoryBuffer::default();
    tracing::subscriber::with_default(registry().with(memory.clone().into_layer()).with(layer), || {
        info_span!("s").in_scope(|| info!("m"));
    });
    assert_eq!(memory.only().spans().count(), 1);
    guard.shutdown(Duration::ZERO).unwrap();
    let (layer, _guard) = spawn(&[("OTEL_LOGS_EXPORTER", "none")]).unwrap();
    assert!(layer.logs_ledger().is_none() && layer.spans_ledger().is_some());
    let (layer, _guard) = spawn(&[("OTEL_TRACES_EXPORTER", "none")]).unwrap();
    assert!(layer.logs_ledger().is_some() && layer.spans_ledger().is_none());
}

#[test]
fn queues_and_batches() {
    let receiver = Receiver::start();
    let url = receiver.url();
    let otlp = Otlp::from_vars([
        ("OTEL_EXPORTER_OTLP_ENDPOINT", url.as_str()),
        ("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", "10"),
        ("OTEL_BLRP_MAX_QUEUE_SIZE", "100"),
        ("OTEL_BLRP_SCHEDULE_DELAY", "3600000"),
        ("OTEL_TRACES_EXPORTER", "none"),
    ]);
    let guard = exported(otlp, || (0..95).for_each(|n| info!(n, "m")));
    assert_eq!(guard.logs().written, 95);
    // Full batches at once, and the rest when it was asked for: never more than ten.
    assert!(receiver.requests().len() >= 10);
}

#[test]
fn t86_the_collector_sees_path_query_and_credentials() {
    let receiver = Receiver::start();
    let port = receiver.url().rsplit_once(':').unwrap().1.to_owned();
    let see = |endpoint: &str| {
        drop(exported(Otlp::builder().endpoint(endpoint), || info!("m")));
        receiver.requests().pop().unwrap()
    };
    for (endpoint, path) in [
        ("http://127.0.0.1:PORT", "/v1/logs"),
        ("http://127.0.0.1:PORT/", "/v1/logs"),
        ("http://127.0.0.1:PORT/x?y=1", "/x/v1/logs?y=1"),
        ("http://127.0.0.1:PORT/a/b/?y=1&z=%20", "/a/b/v1/logs?y=1&z=%20"),
        ("http://127.0.0.1:PORT?y=1", "/v1/logs?y=1"),
        ("HTTP://127.0.0.1:PORT/x", "/x/v1/logs"),
        ("http://LOCALHOST:PORT/x", "/x/v1/logs"),
        ("http://user:p%40ss@127.0.0.1:PORT/x?y=1", "/x/v1/logs?y=1"),
    ] {
        let request = see(&endpoint.replace("PORT", &port));
        assert_eq!(request[":path"], path, "{endpoint}");
        let authorization = request.get("authorization").map(String::as_str);
        assert_eq!(authorization, endpoint.contains('@').then_some("Basic dXNlcjpwQHNz"), "{endpoint}");
        assert!(!request["host"].contains('@'), "{request:?}");
    }
    // What is set wins.
    let otlp =
        Otlp::builder().endpoint(format!("http://user:pass@127.0.0.1:{port}")).header("Authorization", "Bearer t");
    drop(exported(otlp, || info!("m")));
    assert_eq!(receiver.requests().pop().unwrap()["authorization"], "Bearer t");
    // A machine may have no IPv6.
    if let Ok(receiver) = Receiver::at("[::1]:0") {
        drop(exported(Otlp::builder().endpoint(format!("{}/x?y=1", receiver.url())), || info!("m")));
        assert_eq!(receiver.requests()[0][":path"], "/x/v1/logs?y=1");
    }
}
