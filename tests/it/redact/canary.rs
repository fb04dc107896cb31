//! T57: one secret through every path, and every byte that comes out.

use std::{fs, time::Duration};

use tracing::{error, info, info_span};
use tracing_strata::{
    FlightRecorder, Logger, Queue, Severity, Tee, Value,
    filter::Redact,
    format::{Json, Text},
    json,
    ledger::ErrorHandler,
    otlp::Otlp,
    output::{RotatingFile, Stream},
    prelude::*,
};
use tracing_subscriber::prelude::*;

use super::Written;
use crate::{
    otlp::receiver::Receiver,
    places::{Dir, apart, in_a_child},
    support::with_layer,
};

const CANARY: &str = "C4naryInTheMine";

#[derive(Debug)]
struct Failed(&'static str, Option<Box<Failed>>);

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "cannot log in with password={}", self.0)
    }
}

impl std::error::Error for Failed {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.1.as_deref().map(|cause| cause as _)
    }
}

struct Panics;

impl std::fmt::Debug for Panics {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        panic!("token={CANARY}")
    }
}

/// The canary on each path into a record.
fn sing() {
    let url = format!("postgres://shop:{CANARY}@db/orders");
    let span = info_span!("login", user = "ada", password = CANARY, late.secret = tracing::field::Empty, url).entered();
    span.record("late.secret", CANARY);
    let inner = info_span!("inner", body = ?json(&serde_json::json!({"deep": [{"Api-Key": CANARY}]})));
    let _inner = inner.enter();
    let error = Failed(CANARY, Some(Box::new(Failed(CANARY, None))));
    info!(token = CANARY, baggage = format!("token={CANARY}"), "the password={CANARY} is wrong");
    error!(error = &error as &dyn std::error::Error, user = ?Some(("password", 1)), "failed: {error}");
    info!(value = ?Panics, wide = ?json(&[("a", format!("Bearer {CANARY}0123456789"))]), "half");
    let logger = Logger::new("shop").bind("api_key", CANARY);
    logger.at(Severity::WARN).field("client-secret", CANARY).log("by a logger");
    tracing::error!(strata.stack = format!("0: main\n   password=\"{CANARY}\""), "panicked");
}

#[test]
fn it_is_in_no_output_of_a_layer() {
    // Everything of the process is flushed.
    apart("redact::canary::it_is_in_no_output_of_a_layer", look_at_all_outputs);
}

fn look_at_all_outputs() {
    let (dir, written) = (Dir::new(), Written::default());
    let told = Written::default();
    let tell = told.clone();
    let file = dir.path("log.jsonl");
    let broken = Broken.named("broken");
    broken.set_error_handler(ErrorHandler::new(move |failure| {
        let line = format!("{} {:?}\n", failure.error(), failure.record());
        tell.0.lock().unwrap().extend_from_slice(line.as_bytes());
    }));
    let all = Tee::new()
        .with("json", Stream::sink(written.clone()).format(Json::new()))
        .with("pretty", Stream::sink(written.clone()).format(Text::pretty()))
        .with("recorder", FlightRecorder::new(Stream::sink(written.clone())))
        .with(
            "queue",
            Queue::builder().build(RotatingFile::builder(&file).format(Json::new()).build().unwrap()).unwrap(),
        )
        .with_named(broken);
    let layer = all
        .into_layer()
        .globals([("service.token", Value::Str(CANARY))].into_iter().collect::<tracing_strata::Fields>())
        .redact(Redact::secrets());
    with_layer(layer, sing);
    tracing_strata::flush_all().unwrap();
    let (text, file, told) = (written.text(), fs::read_to_string(file).unwrap(), told.text());
    assert!(text.contains("by a logger"), "{text}");
    for (name, text) in [("streams", text), ("the file", file), ("the error handler", told)] {
        assert!(text.contains("[redacted]"), "{name}: {text}");
        assert!(!text.contains(CANARY), "{name}: {text}");
    }
}

/// Fails with each record.
struct Broken;

impl Handler for Broken {
    fn handle(&self, _: tracing_strata::Delivery<'_>) -> Result<tracing_strata::Outcome, tracing_strata::Error> {
        Err(tracing_strata::Error::new("broken"))
    }
}

#[test]
fn it_is_in_nothing_that_a_collector_gets() {
    let receiver = Receiver::start();
    let (layer, guard) =
        receiver.otlp().span_events(true).flush_timeout(Duration::from_secs(60)).build_with_guard().unwrap();
    with_layer(layer.redact(Redact::secrets()), sing);
    drop(guard);
    let (logs, spans) = (format!("{:?}", receiver.take_logs()), format!("{:?}", receiver.take_spans()));
    for (name, text) in [("logs", logs), ("spans", spans)] {
        assert!(text.contains("[redacted]"), "{name}: {text}");
        assert!(!text.contains(CANARY), "{name}: {text}");
    }
}

#[test]
fn it_is_not_in_what_waits_on_disk() {
    let dir = Dir::new();
    let (layer, guard) = Otlp::builder()
        .endpoint("http://127.0.0.1:9")
        .span_events(true)
        .flush_timeout(Duration::from_secs(60))
        .spool(dir.path("spool"), 8 << 20)
        .build_with_guard()
        .unwrap();
    with_layer(layer.redact(Redact::secrets()).error_handler(ErrorHandler::silent()), sing);
    drop(guard);
    let mut bytes = Vec::new();
    read_all(&dir.path("spool"), &mut bytes);
    let has = |text: &str| bytes.windows(text.len()).any(|part| part == text.as_bytes());
    assert_eq!((has("[redacted]"), has(CANARY)), (true, false));
}

fn read_all(path: &std::path::Path, bytes: &mut Vec<u8>) {
    if path.is_dir() {
        fs::read_dir(path).unwrap().for_each(|entry| read_all(&entry.unwrap().path(), bytes));
    } else {
        bytes.extend(fs::read(path).unwrap());
    }
}

#[test]
fn it_is_not_in_what_setup_writes() {
    let (written, dir) = (Written::default(), Dir::new());
    let file = dir.path("log.jsonl");
    let (layer, guard) = tracing_strata::setup()
        .no_console()
        .handler(Stream::sink(written.clone()).format(Json::new()))
        .file(RotatingFile::builder(&file))
        .redact(Redact::secrets())
        .layer()
        .unwrap();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), sing);
    drop(guard);
    crate::support::let_go();
    for text in [written.text(), fs::read_to_string(file).unwrap()] {
        assert!(text.contains("[redacted]") && !text.contains(CANARY), "{text}");
    }
}

#[test]
fn it_does_not_come_by_the_log_crate() {
    let text = in_a_child(
        "redact::canary::it_does_not_come_by_the_log_crate",
        |_| {},
        |report| {
            let (written, report) = (Written::default(), report.to_owned());
            let layer = Stream::sink(written.clone()).format(Json::new()).into_layer().redact(Redact::secrets());
            tracing_subscriber::registry().with(layer).init();
            tracing_strata::log::install().unwrap();
            log::warn!(target: "shop", token = CANARY, user = 7; "by the bridge: secret={CANARY}");
            fs::write(report, written.text()).unwrap();
        },
    );
    assert!(text.contains("by the bridge: secret=[redacted]") && text.contains(r#""user":7"#), "{text}");
    assert!(!text.contains(CANARY), "{text}");
}
