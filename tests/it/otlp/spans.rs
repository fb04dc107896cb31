//! Each row of the table of spans, on what arrived.

use std::{sync::Arc, thread, time::Duration};

use opentelemetry_proto::tonic::{
    common::v1::any_value::Value as Any,
    trace::v1::{Span, span::SpanKind, status::StatusCode},
};
use tracing::{Instrument as _, debug_span, error, info, info_span};
use tracing_strata::{
    current_traceparent,
    otlp::{Otlp, Sampler},
};
use tracing_subscriber::prelude::*;

use super::receiver::{LONG, Receiver, attribute, body, exported, text};

fn sent(run: impl FnOnce()) -> Receiver {
    sent_by(|otlp| otlp, run)
}

fn sent_by(change: impl FnOnce(Otlp) -> Otlp, run: impl FnOnce()) -> Receiver {
    let receiver = Receiver::start();
    drop(exported(change(receiver.otlp()), run));
    receiver
}

fn id(bytes: &[u8]) -> u64 {
    u64::from_be_bytes(bytes.try_into().unwrap())
}

fn trace_id(span: &Span) -> u128 {
    u128::from_be_bytes(span.trace_id.as_slice().try_into().unwrap())
}

#[test]
fn a_tree_with_its_log_records() {
    let mut outgoing = None;
    let receiver = sent(|| {
        let _request = info_span!("request").entered();
        info!("in the request");
        info_span!("query").in_scope(|| {
            info!("in the query");
            outgoing = current_traceparent();
        });
    });
    let (request, query) = (receiver.span("request"), receiver.span("query"));
    assert!(request.parent_span_id.is_empty());
    assert_eq!(query.parent_span_id, request.span_id);
    assert_eq!(query.trace_id, request.trace_id);
    // Sampled, and the parent is known not to be remote.
    assert_eq!((request.flags, query.flags), (0x101, 0x101));
    let outgoing = outgoing.unwrap();
    assert_eq!((outgoing.trace_id(), outgoing.span_id()), (trace_id(&query), id(&query.span_id)));
    let logs = receiver.take_logs();
    let ids: Vec<_> = logs.iter().map(|(_, record)| (body(record), record.span_id.clone())).collect();
    assert_eq!(ids, [("in the request", request.span_id), ("in the query", query.span_id)]);
}

#[test]
fn a_span_with_a_header_is_the_callers_child() {
    let receiver = sent(|| {
        let header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let _job = info_span!("job").entered();
        info_span!("request", traceparent = header, tracestate = "congo=1, rojo=2").in_scope(|| {
            info_span!("query").in_scope(|| ());
        });
    });
    let (request, query) = (receiver.span("request"), receiver.span("query"));
    assert_eq!(trace_id(&request), 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736);
    assert_eq!((id(&request.parent_span_id), request.flags), (0x00f0_67aa_0ba9_02b7, 0x301));
    assert_eq!(request.trace_state, "congo=1,rojo=2");
    assert_eq!(attribute(&request.attributes, "traceparent"), None);
    assert_eq!((query.parent_span_id, query.flags), (request.span_id, 0x101));
    assert_ne!(receiver.span("job").trace_id, request.trace_id);
}

#[test]
fn names_kinds_and_attributes() {
    let receiver = sent(|| {
        let span = info_span!(
            target: "shop::db",
            "query",
            otel.name = "SELECT prices",
            otel.kind = "Client",
            rows = tracing::field::Empty,
            table = "prices",
            part = 0.5,
        );
        span.record("rows", 3);
        span.record("table", "orders");
        info_span!("plain").in_scope(|| ());
    });
    let query = receiver.span("SELECT prices");
    assert_eq!(query.kind(), SpanKind::Client);
    assert_eq!(attribute(&query.attributes, "rows"), Some(&Any::IntValue(3)));
    assert_eq!(text(&query.attributes, "table"), Some("orders"));
    assert_eq!(attribute(&query.attributes, "part"), Some(&Any::DoubleValue(0.5)));
    assert!(query.attributes.iter().all(|attribute| !attribute.key.starts_with("otel.")));
    assert_eq!(text(&query.attributes, "code.file.path"), Some(file!()));
    assert_eq!(text(&query.attributes, "code.module.name"), Some(module_path!()));
    assert!(attribute(&query.attributes, "code.line.number").is_some());
    assert_eq!(text(&query.attributes, "thread.name"), thread::current().name());
    assert!(attribute(&query.attributes, "thread.id").is_some());
    assert_eq!(receiver.span("plain").kind(), SpanKind::Internal);
    let scopes: Vec<_> = receiver.take_spans().into_iter().map(|(scope, span)| (scope, span.name)).collect();
    assert!(scopes.contains(&("shop::db".into(), "SELECT prices".into())), "{scopes:?}");
    assert!(scopes.contains(&(module_path!().into(), "plain".into())), "{scopes:?}");
}

#[test]
fn status_from_errors() {
    let receiver = sent(|| {
        info_span!("fine").in_scope(|| info!("m"));
        let outer = info_span!("outer").entered();
        info_span!("failed").in_scope(|| {
            let error = "x".parse::<u8>().unwrap_err();
            error!(error = &error as &dyn std::error::Error, "first");
            error!("second");
        });
        drop(outer);
        info_span!("told", otel.status_code = "ERROR", otel.status_description = "by hand").in_scope(|| ());
        info_span!("recovered", otel.status_code = "ok").in_scope(|| error!("but"));
        info_span!("by message").in_scope(|| error!("no {}", "disk"));
    });
    let status = |name: &str| receiver.span(name).status.map(|status| (status.code(), status.message));
    assert_eq!(status("fine"), None);
    assert_eq!(status("outer"), None);
    assert_eq!(status("failed"), Some((StatusCode::Error, "invalid digit found in string".into())));
    assert_eq!(status("told"), Some((StatusCode::Error, "by hand".into())));
    assert_eq!(status("recovered"), Some((StatusCode::Ok, String::new())));
    assert_eq!(status("by message"), Some((StatusCode::Error, "no disk".into())));
}

#[test]
fn links_of_what_it_follows_from() {
    let receiver = sent(|| {
        let cause = info_span!("cause");
        let effect = info_span!(parent: None, "effect");
        effect.follows_from(&cause);
        let many = info_span!("many");
        (0..130).for_each(|_| {
            many.follows_from(&cause);
        });
    });
    let (cause, effect, many) = (receiver.span("cause"), receiver.span("effect"), receiver.span("many"));
    assert_ne!(effect.trace_id, cause.trace_id);
    let links: Vec<_> = effect.links.iter().map(|link| (&link.trace_id, &link.span_id)).collect();
    assert_eq!(links, [(&cause.trace_id, &cause.span_id)]);
    assert_eq!((many.links.len(), many.dropped_links_count), (128, 2));
}

#[test]
fn events_are_attached_where_logs_are_not_exported() {
    let run = || {
        info_span!("s").in_scope(|| {
            info!(user = 7, "paid");
            (0..128).for_each(|_| info!("more"));
        });
    };
    let receiver = sent(run);
    assert!(receiver.span("s").events.is_empty());
    let receiver = sent_by(|otlp| otlp.logs(false), run);
    let span = receiver.span("s");
    assert_eq!((span.events.len(), span.dropped_events_count), (128, 1));
    assert_eq!(span.events[0].name, "paid");
    assert_eq!(attribute(&span.events[0].attributes, "user"), Some(&Any::IntValue(7)));
    assert_eq!(text(&span.events[0].attributes, "level"), Some("INFO"));
    assert!(span.events[0].time_unix_nano >= span.start_time_unix_nano);
    assert!(receiver.take_logs().is_empty());
}

#[test]
fn a_span_ends_when_it_is_left_last() {
    let receiver = sent(|| {
        let outer = info_span!("outer");
        let inner = outer.in_scope(|| info_span!("inner"));
        drop(outer);
        // The registry closes the outer one only after the inner one, but it has ended before.
        let inside = inner.entered();
        thread::sleep(Duration::from_millis(2));
        drop(inside);
        drop(info_span!("never entered"));
    });
    let (outer, inner) = (receiver.span("outer"), receiver.span("inner"));
    assert!(outer.start_time_unix_nano <= outer.end_time_unix_nano);
    assert!(outer.end_time_unix_nano < inner.end_time_unix_nano - 1_000_000);
    let never = receiver.span("never entered");
    assert!(never.start_time_unix_nano > 0 && never.start_time_unix_nano <= never.end_time_unix_nano);
}

#[test]
fn across_threads_and_tasks() {
    let receiver = Receiver::start();
    let (otlp, guard) = receiver.otlp().build_with_guard().unwrap();
    let dispatch = tracing::Dispatch::new(tracing_subscriber::registry().with(otlp));
    tracing::dispatcher::with_default(&dispatch, || {
        let root = info_span!("root");
        let (of_thread, with) = (root.clone(), dispatch.clone());
        thread::spawn(move || {
            tracing::dispatcher::with_default(&with, || {
                let _entered = of_thread.entered();
                info_span!("on a thread").in_scope(|| info!("there"));
            });
        })
        .join()
        .unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let task = |name: &'static str| async move {
            for _ in 0..3 {
                tokio::task::yield_now().await;
                info!("{name}");
            }
        };
        runtime.block_on(
            async {
                let one = task("one").instrument(info_span!("task one"));
                let two = task("two").instrument(info_span!("task two"));
                tokio::join!(one, two);
            }
            .instrument(root),
        );
    });
    guard.flush(LONG).unwrap();
    let root = receiver.span("root");
    for name in ["on a thread", "task one", "task two"] {
        let span = receiver.span(name);
        assert_eq!((span.parent_span_id, span.trace_id), (root.span_id.clone(), root.trace_id.clone()), "{name}");
        assert!(span.end_time_unix_nano <= root.end_time_unix_nano);
    }
    let (one, two) = (receiver.span("task one").span_id, receiver.span("task two").span_id);
    let logs = receiver.take_logs();
    let of = |id: &[u8]| {
        logs.iter().filter(|(_, record)| record.span_id == id).map(|(_, record)| body(record)).collect::<Vec<_>>()
    };
    assert_eq!((of(&one), of(&two)), (vec!["one"; 3], vec!["two"; 3]));
}

#[test]
fn sampled_by_the_parent() {
    let unsampled = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
    let receiver = Receiver::start();
    let guard = exported(receiver.otlp(), || {
        let _request = info_span!("request", traceparent = unsampled).entered();
        debug_span!("child").in_scope(|| info!("m"));
    });
    assert!(receiver.take_spans().is_empty());
    assert_eq!((guard.spans().filtered, guard.spans().accepted()), (2, 2));
    // Its log records are sent, and say so.
    assert_eq!(receiver.take_logs()[0].1.flags, 0);
    let receiver = sent_by(
        |otlp| otlp.sampler(Sampler::Always),
        || {
            info_span!("request", traceparent = unsampled).in_scope(|| ());
        },
    );
    assert_eq!(receiver.span("request").flags, 0x301);
    let receiver = Receiver::start();
    let guard = exported(receiver.otlp().sampler(Sampler::Ratio(0.5)).capacity(10_000), || {
        (0..1_000).for_each(|_| info_span!("root").in_scope(|| info_span!("child").in_scope(|| ())));
    });
    let stats = guard.spans();
    assert_eq!(stats.written + stats.filtered, 2_000);
    assert!(stats.written % 2 == 0 && (600..1_400).contains(&stats.written), "{stats}");
}

#[test]
fn ids_are_equal_on_the_line_the_log_record_and_the_span() {
    use tracing_strata::{format::Json, output::LogFile, prelude::*};
    let dir = crate::places::Dir::new();
    let receiver = Receiver::start();
    let (otlp, guard) = receiver.otlp().capacity(10_000).build_with_guard().unwrap();
    let file = LogFile::builder(dir.path("log")).format(Json::new()).build().unwrap();
    let dispatch: tracing::Dispatch = tracing_subscriber::registry().with(file.into_layer()).with(otlp).into();
    let dispatch = Arc::new(dispatch);
    let threads: Vec<_> = (0..4)
        .map(|thread| {
            let dispatch = Arc::clone(&dispatch);
            thread::spawn(move || {
                tracing::dispatcher::with_default(&dispatch, || {
                    (0..250).for_each(|n| {
                        let _request = info_span!("request", request = format!("{thread}-{n}")).entered();
                        info!("m");
                    });
                });
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    guard.flush(LONG).unwrap();
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let mut of_lines = std::collections::HashMap::new();
    for line in std::fs::read_to_string(dir.path("log")).unwrap().lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let ids = [&line["trace_id"], &line["span_id"]].map(|id| id.as_str().unwrap().to_owned());
        assert_eq!(of_lines.insert(line["request"].as_str().unwrap().to_owned(), ids), None);
    }
    assert_eq!(of_lines.len(), 1_000);
    let (logs, spans) = (receiver.take_logs(), receiver.take_spans());
    assert_eq!((logs.len(), spans.len()), (1_000, 1_000));
    for (_, record) in logs {
        let ids = &of_lines[text(&record.attributes, "request").unwrap()];
        assert_eq!(*ids, [hex(&record.trace_id), hex(&record.span_id)]);
    }
    for (_, span) in spans {
        let ids = &of_lines[text(&span.attributes, "request").unwrap()];
        assert_eq!(*ids, [hex(&span.trace_id), hex(&span.span_id)]);
    }
}
