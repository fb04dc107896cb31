//! Into the providers of an SDK that the application already has.

use opentelemetry::logs::AnyValue;
use opentelemetry_sdk::{
    logs::{InMemoryLogExporter, SdkLoggerProvider},
    trace::{InMemorySpanExporter, SdkTracerProvider},
};
use tracing::{info, info_span, warn};
use tracing_strata::{critical, current_traceparent, json, otlp, prelude::*};
use tracing_subscriber::{prelude::*, registry};

use crate::support::MemoryBuffer;

#[test]
fn logs_and_spans_with_the_providers_ids() {
    let (logs, spans) = (InMemoryLogExporter::default(), InMemorySpanExporter::default());
    let logger_provider = SdkLoggerProvider::builder().with_simple_exporter(logs.clone()).build();
    let tracer_provider = SdkTracerProvider::builder().with_simple_exporter(spans.clone()).build();
    let memory = MemoryBuffer::default();
    let stack = registry().with(memory.clone().into_layer()).with(otlp::bridge(&logger_provider, &tracer_provider));
    let mut outgoing = None;
    tracing::subscriber::with_default(stack, || {
        let header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let _job = info_span!("job").entered();
        let _request = info_span!("request", traceparent = header, tracestate = "congo=1", user = 7).entered();
        critical!(name: "order.lost", target: "shop", n = 1, bytes = b"\x01".as_slice(), yes = true, list = ?json(&(1, (), "x")), map = ?json(&serde_json::json!({"k": [0.5]})), "m");
        outgoing = current_traceparent();
        info_span!("query").in_scope(|| warn!("in the query"));
    });
    let spans = spans.get_finished_spans().unwrap();
    let span = |name: &str| spans.iter().find(|span| span.name == name).unwrap();
    let (request, query) = (span("request"), span("query"));
    assert_eq!(request.span_context.trace_id().to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(request.parent_span_id.to_string(), "00f067aa0ba902b7");
    assert_eq!(request.span_context.trace_state().get("congo"), Some("1"));
    assert_eq!(query.parent_span_id, request.span_context.span_id());
    assert_ne!(span("job").span_context.trace_id(), request.span_context.trace_id());
    let outgoing = outgoing.unwrap();
    assert_eq!(outgoing.span_id().to_be_bytes(), request.span_context.span_id().to_bytes());

    let emitted = logs.get_emitted_logs().unwrap();
    let record = &emitted[0].record;
    assert_eq!(record.trace_context().unwrap().span_id, request.span_context.span_id());
    assert_eq!(record.trace_context().unwrap().trace_id, request.span_context.trace_id());
    assert_eq!(emitted[1].record.trace_context().unwrap().span_id, query.span_context.span_id());
    assert_eq!((record.target().unwrap().as_ref(), record.event_name()), ("shop", Some("order.lost")));
    assert_eq!(
        (record.severity_number().map(|number| number as i32), record.severity_text()),
        (Some(21), Some("CRITICAL"))
    );
    assert_eq!(record.body(), Some(&AnyValue::from("m")));
    let value =
        |key: &str| record.attributes_iter().find(|(name, _)| name.as_str() == key).map(|(_, value)| value.clone());
    assert_eq!((value("n"), value("yes"), value("user")), (Some(1.into()), Some(true.into()), Some(7.into())));
    assert_eq!(value("bytes"), Some(AnyValue::Bytes(Box::new(vec![1]))));
    assert_eq!(value("list"), Some(AnyValue::ListAny(Box::new(vec![1.into(), "null".into(), "x".into()]))));
    let map = [("k".into(), AnyValue::ListAny(Box::new(vec![0.5.into()])))];
    assert_eq!(value("map"), Some(AnyValue::Map(Box::new(map.into_iter().collect()))));
    assert!(value("traceparent").is_none() && value("code.line.number").is_some());
    // Others' records have the same ids.
    let ids: Vec<_> = memory.take().iter().map(|record| record.trace().unwrap().span_id().to_be_bytes()).collect();
    assert_eq!(ids, [request.span_context.span_id().to_bytes(), query.span_context.span_id().to_bytes()]);
}

#[test]
fn a_filter_in_the_provider_counts() {
    let provider = SdkLoggerProvider::builder().build();
    provider.shutdown().unwrap();
    let layer = otlp::ProviderLogs::new(&provider).into_layer();
    let ledger = layer.ledger();
    tracing::subscriber::with_default(registry().with(layer), || info!("m"));
    // A provider that was shut down, or has no processor, takes nothing.
    assert_eq!((ledger.stats().filtered, ledger.stats().accepted()), (1, 1));
}
