//! Defects of other bridges, which this one must not have.

use std::time::Duration;

use tracing::{Dispatch, debug_span, error, info, info_span};
use tracing_strata::{
    Severity, critical,
    ledger::ErrorHandler,
    otlp::{ContextFields, Otlp, Protocol},
    prelude::*,
};
use tracing_subscriber::{filter::LevelFilter, prelude::*, registry};

use super::receiver::{LONG, Receiver, body, text};
use crate::support::{MemoryBuffer, with_layer};

#[test]
fn the_same_layer_twice() {
    let receivers = [Receiver::start(), Receiver::start()];
    let [(one, guard_one), (two, guard_two)] =
        receivers.each_ref().map(|receiver| receiver.otlp().build_with_guard().unwrap());
    tracing::subscriber::with_default(registry().with(one).with(two), || {
        let span = info_span!("s", late = tracing::field::Empty).entered();
        span.record("late", 1);
        span.record("late", 2);
        info!("m");
    });
    guard_one.flush(LONG).unwrap();
    guard_two.flush(LONG).unwrap();
    let spans = receivers.each_ref().map(|receiver| receiver.span("s"));
    assert_eq!(spans[0], spans[1]);
    let logs = receivers.each_ref().map(|receiver| receiver.take_logs().remove(0).1);
    assert_eq!((logs[0].span_id.clone(), &logs[0].trace_id), (spans[0].span_id.clone(), &spans[0].trace_id));
    let late = spans[0].attributes.iter().filter(|attribute| attribute.key == "late").count();
    assert_eq!(late, 1);
}

#[test]
fn t03_what_the_export_logs_is_not_exported() {
    // In a process of its own: the sending threads have only the global default. HTTP/2 logs each frame at TRACE, and what is
    // logged by `log` (ureq) comes through the bridge; were that exported, it would never end.
    let test = "otlp::bridge::t03_what_the_export_logs_is_not_exported";
    let report = crate::places::in_a_child(
        test,
        |_| {},
        |report| {
            let receiver = Receiver::start();
            tracing_strata::log::install().unwrap();
            let (http, http_guard) = receiver.otlp().build_with_guard().unwrap();
            let (grpc, grpc_guard) = receiver
                .otlp()
                .protocol(Protocol::Grpc)
                .retry_for(Duration::ZERO)
                .logs(true)
                .build_with_guard()
                .unwrap();
            let grpc = grpc.error_handler(ErrorHandler::silent());
            let ledgers = [http.logs_ledger().unwrap(), grpc.logs_ledger().unwrap(), http.spans_ledger().unwrap()];
            let memory = MemoryBuffer::default();
            registry().with(http).with(grpc).with(memory.clone().into_layer()).init();
            for round in 0..3 {
                info_span!("s").in_scope(|| info!(round, "mine"));
                http_guard.flush(LONG).unwrap();
                grpc_guard.flush(LONG).unwrap();
            }
            let of_ours = memory.take().iter().filter(|record| record.message() == "mine").count();
            let mut lines = vec![format!("{of_ours} seen by others")];
            let sent = receiver.take_logs();
            lines.push(format!(
                "{} sent, {} of them mine",
                sent.len(),
                sent.iter().filter(|(_, record)| record.body.is_some() && body(record) == "mine").count()
            ));
            lines.push(format!("{} spans", receiver.take_spans().len()));
            let [http, grpc, spans] = ledgers.map(|ledger| ledger.stats());
            lines.push(format!("{} written, {} failed, {} spans written", http.written, grpc.failed, spans.written));
            // What was suppressed is counted.
            lines.push(format!("suppressed: {}", http.dropped > 0 && grpc.dropped > 0));
            std::fs::write(report, lines.join("\n")).unwrap();
        },
    );
    let expected =
        "3 seen by others\n3 sent, 3 of them mine\n3 spans\n3 written, 3 failed, 3 spans written\nsuppressed: true";
    assert_eq!(report, expected);
}

#[test]
fn recursion_at_the_shutdown() {
    // A trap and a span that end while it is shut down, and log.
    let receiver = Receiver::start();
    receiver.reply(super::receiver::Reply::Status(400, None));
    let (layer, guard) = receiver.otlp().build_with_guard().unwrap();
    let ledger = layer.logs_ledger().unwrap();
    let layer = layer.error_handler(ErrorHandler::new(|failure| error!("{}", failure.error())));
    let dispatch: Dispatch = registry().with(layer).into();
    tracing::dispatcher::with_default(&dispatch, || {
        let _span = info_span!("s").entered();
        info!("m");
        guard.shutdown(LONG).unwrap();
        error!("after");
    });
    drop(dispatch);
    assert_eq!((ledger.stats().failed, ledger.stats().dropped, ledger.stats().accepted()), (1, 1, 2));
}

#[test]
fn span_fields_are_on_log_records() {
    let receiver = Receiver::start();
    let (layer, guard) = receiver.otlp().spans(false).build_with_guard().unwrap();
    with_layer(layer, || {
        let _request = info_span!("request", request_id = "r-1", user = tracing::field::Empty).entered();
        tracing::Span::current().record("user", "ada");
        debug_span!("step", n = 1).in_scope(|| info!("m"));
    });
    guard.flush(LONG).unwrap();
    let (_, record) = receiver.take_logs().remove(0);
    assert_eq!((text(&record.attributes, "request_id"), text(&record.attributes, "user")), (Some("r-1"), Some("ada")));
}

#[test]
fn t54_the_explicit_parents_chain() {
    let receiver = Receiver::start();
    let (layer, guard) = receiver.otlp().context(ContextFields::All).build_with_guard().unwrap();
    with_layer(layer, || {
        let other = info_span!("other", of = "other");
        let _current = info_span!("current", of = "current").entered();
        info!(parent: &other, "of the other");
        info!(parent: None, "of none");
        info_span!(parent: &other, "child of the other").in_scope(|| ());
        info_span!(parent: None, "a root").in_scope(|| ());
    });
    guard.flush(LONG).unwrap();
    let other = receiver.span("other");
    let logs = receiver.take_logs();
    assert_eq!((text(&logs[0].1.attributes, "of"), &logs[0].1.span_id), (Some("other"), &other.span_id));
    assert_eq!((text(&logs[1].1.attributes, "of"), logs[1].1.span_id.len()), (None, 0));
    assert_eq!(receiver.span("child of the other").parent_span_id, other.span_id);
    assert!(receiver.span("a root").parent_span_id.is_empty());
}

#[test]
fn t62_a_level_strips_no_context() {
    let receiver = Receiver::start();
    let (layer, guard) = receiver.otlp().min_level(Severity::ERROR).build_with_guard().unwrap();
    with_layer(layer, || {
        debug_span!("request", id = 7).in_scope(|| {
            info!("filtered");
            error!("m");
            critical!("n");
        });
    });
    guard.flush(LONG).unwrap();
    let logs = receiver.take_logs();
    assert_eq!(logs.iter().map(|(_, record)| body(record)).collect::<Vec<_>>(), ["m", "n"]);
    let request = receiver.span("request");
    assert!(
        logs.iter()
            .all(|(_, record)| record.span_id == request.span_id && record.attributes.iter().any(|a| a.key == "id"))
    );
    assert_eq!((guard.logs().filtered, guard.logs().written), (1, 2));
    // Behind a filter that hides the span, with a `SpanContextLayer` layer beside: its fields are there all the same.
    let receiver = Receiver::start();
    let (layer, guard) = receiver.otlp().spans(false).build_with_guard().unwrap();
    let stack = registry()
        .with(tracing_strata::SpanContextLayer::new().trace_ids())
        .with(layer.with_filter(LevelFilter::ERROR));
    tracing::subscriber::with_default(stack, || debug_span!("request", id = 7).in_scope(|| error!("m")));
    guard.flush(LONG).unwrap();
    let (_, record) = receiver.take_logs().remove(0);
    assert!(record.attributes.iter().any(|attribute| attribute.key == "id") && record.span_id.len() == 8);
}

#[test]
fn behind_a_filter_a_span_that_is_hidden_is_not_exported() {
    let receiver = Receiver::start();
    let (layer, guard) = receiver.otlp().build_with_guard().unwrap();
    let memory = MemoryBuffer::default();
    let stack = registry().with(memory.clone().into_layer()).with(layer.with_filter(LevelFilter::INFO));
    tracing::subscriber::with_default(stack, || {
        let _seen = info_span!("seen").entered();
        let _hidden = debug_span!("hidden").entered();
        info_span!("inner").in_scope(|| info!("m"));
    });
    guard.flush(LONG).unwrap();
    assert_eq!(receiver.span("inner").parent_span_id, receiver.span("seen").span_id);
    assert_eq!(receiver.take_spans().len(), 2);
    assert_eq!(memory.only().trace().unwrap().span_id().to_be_bytes().to_vec(), receiver.take_logs()[0].1.span_id);
}

#[test]
fn only_what_is_asked_for() {
    assert!(Otlp::builder().logs(false).spans(false).build_with_guard().is_ok());
}

#[test]
fn beside_a_layer_of_an_sdk_the_ids_are_those_that_are_exported() {
    let receiver = Receiver::start();
    let (layer, guard) = receiver.otlp().build_with_guard().unwrap();
    let memory = MemoryBuffer::default();
    let provider = opentelemetry_sdk::trace::SdkTracerProvider::builder().build();
    let tracer = opentelemetry::trace::TracerProvider::tracer(&provider, "t");
    let stack = registry()
        .with(tracing_opentelemetry::layer().with_tracer(tracer))
        .with(memory.clone().into_layer())
        .with(layer);
    tracing::subscriber::with_default(stack, || {
        let _outer = info_span!("outer").entered();
        info_span!("inner").in_scope(|| info!("m"));
    });
    guard.flush(LONG).unwrap();
    let inner = receiver.span("inner");
    assert_eq!(receiver.take_logs()[0].1.span_id, inner.span_id);
    assert_eq!(memory.only().trace().unwrap().span_id().to_be_bytes().to_vec(), inner.span_id);
}
