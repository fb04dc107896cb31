//! Logs and spans wait on disk while the collector is away.

use std::{fs, time::Duration};

use opentelemetry_proto::tonic::{
    common::v1::KeyValue,
    logs::v1::LogRecord,
    trace::v1::{Span, span::Event},
};
use tracing::{error, info, info_span, warn};
use tracing_strata::{ledger::ErrorHandler, otlp::Otlp};

use super::receiver::{LONG, Receiver, body, exported};
use crate::{places::Dir, support::with_layer};

fn work() {
    let header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let request =
        info_span!(target: "shop::http", "request", id = 7, traceparent = header, late = tracing::field::Empty);
    let _request = request.enter();
    request.record("late", "yes");
    let query = info_span!("query", otel.kind = "client", wide = u128::MAX, failed = f64::NAN).entered();
    query.follows_from(&request);
    info!(rows = 3, tags = ?["a", "b"], "read");
    let not_found = std::io::Error::new(std::io::ErrorKind::NotFound, "no\nsuch file");
    error!(error = &not_found as &dyn std::error::Error, "failed");
    drop(query);
    warn!(name: "order.late", "late");
}

/// Without what differs from run to run.
fn comparable(logs: Vec<(String, LogRecord)>, spans: Vec<(String, Span)>) -> Vec<String> {
    let settle = |attributes: &mut Vec<KeyValue>| attributes.retain(|pair| pair.key != "thread.id");
    let logs = logs.into_iter().map(|(scope, mut log)| {
        assert!(log.time_unix_nano > 0 && !log.span_id.is_empty());
        (log.time_unix_nano, log.observed_time_unix_nano) = (0, 0);
        log.span_id.clear();
        settle(&mut log.attributes);
        format!("{scope} {log:?}")
    });
    let spans = spans.into_iter().map(|(scope, mut span)| {
        assert!(span.start_time_unix_nano > 0 && span.end_time_unix_nano >= span.start_time_unix_nano);
        assert!(!span.span_id.is_empty() && !span.parent_span_id.is_empty());
        (span.start_time_unix_nano, span.end_time_unix_nano) = (0, 0);
        span.span_id.clear();
        span.parent_span_id.clear();
        span.links.iter_mut().for_each(|link| link.span_id.clear());
        span.events.iter_mut().for_each(|event: &mut Event| event.time_unix_nano = 0);
        settle(&mut span.attributes);
        format!("{scope} {span:?}")
    });
    logs.chain(spans).collect()
}

#[test]
fn logs_and_spans_survive_a_restart_as_they_were() {
    let dir = Dir::new();
    let with_events = |otlp: Otlp| otlp.span_events(true).flush_timeout(LONG);
    let direct = Receiver::start();
    drop(exported(with_events(direct.otlp()), work));
    let expected = comparable(direct.take_logs(), direct.take_spans());
    assert_eq!(expected.len(), 5);

    // Nobody listens there any more.
    let away = with_events(Receiver::start().otlp()).spool(dir.path(""), 8 << 20);
    let (layer, guard) = away.build_with_guard().unwrap();
    with_layer(layer.error_handler(ErrorHandler::silent()), work);
    guard.shutdown(LONG).unwrap();
    assert_eq!((guard.logs().written, guard.spans().written), (3, 2));
    drop(guard);
    for signal in ["logs", "spans"] {
        assert_eq!(fs::read_dir(dir.path(signal)).unwrap().count(), 2);
    }

    let receiver = Receiver::start();
    let (layer, guard) = with_events(receiver.otlp()).spool(dir.path(""), 8 << 20).build_with_guard().unwrap();
    with_layer(layer, || info!("new"));
    guard.shutdown(LONG).unwrap();
    let mut logs = receiver.take_logs();
    assert_eq!(logs.pop().map(|(_, log)| body(&log).to_owned()), Some("new".to_owned()));
    assert_eq!(comparable(logs, receiver.take_spans()), expected);
    for signal in ["logs", "spans"] {
        assert_eq!(fs::read_dir(dir.path(signal)).unwrap().count(), 1, "the lock");
    }
}

#[test]
fn a_spool_that_is_used_or_too_small_is_an_error() {
    let dir = Dir::new();
    let otlp = || Otlp::builder().endpoint("http://127.0.0.1:9").flush_timeout(Duration::from_millis(50));
    let (_layer, _guard) = otlp().logs(false).spool(dir.path(""), 8 << 20).build_with_guard().unwrap();
    let error = otlp().spool(dir.path(""), 8 << 20).build_with_guard().unwrap_err();
    let lock = dir.path("spans").join("lock").display().to_string();
    assert!(error.to_string().contains("otlp: spool: cannot use") && error.to_string().ends_with(&lock), "{error}");
    let error = otlp().spool(dir.path(""), 1 << 20).build_with_guard().unwrap_err();
    assert!(error.to_string().contains("spool: expected at least 6291456 bytes"), "{error}");
    // The logs, which could be, have ended.
    drop(otlp().spans(false).spool(dir.path(""), 8 << 20).build_with_guard().unwrap());
}
