//! `metrics`: what the text for Prometheus says, and who is healthy.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use tracing_strata::{
    Delivery, Error, Handler, NamedHandler, Outcome, Queue, Record, Severity,
    handler::queue::Overflow,
    ledger::ErrorHandler,
    metrics::{self, HandlerHealth, State},
    output::Null,
};

/// The samples of one handler or queue: name, other labels, value.
fn samples(text: &str, of: &str) -> BTreeMap<String, f64> {
    let label = |kind| format!("{kind}=\"{of}\"");
    let lines = text.lines().filter(|line| line.contains(&label("handler")) || line.contains(&label("queue")));
    let sample = |line: &str| {
        let (name, value) = line.rsplit_once(' ').unwrap();
        let name =
            name.replace(&label("handler"), "").replace(&label("queue"), "").replace("{}", "").replace("{,", "{");
        (name, value.parse().unwrap())
    };
    lines.map(sample).collect()
}

fn health_of(name: &str) -> HandlerHealth {
    metrics::health().handlers.into_iter().find(|handler| handler.name == name).unwrap()
}

fn info(text: &str) -> Record {
    Record::new(Severity::INFO, "t", text)
}

/// Fails while it is away.
#[derive(Clone, Default)]
struct Remote(Arc<AtomicBool>);

impl Handler for Remote {
    fn handle(&self, _: Delivery<'_>) -> Result<Outcome, Error> {
        if self.0.load(Ordering::Relaxed) { Err(Error::new("nobody\nthere")) } else { Ok(Outcome::Written) }
    }
}

#[test]
fn a_handler_is_failing_until_it_writes_again() {
    let remote = Remote::default();
    let handler = NamedHandler::with_error_handler("metrics: remote", remote.clone(), ErrorHandler::silent());
    let record = info("x");
    handler.emit(&record);
    assert_eq!(health_of("metrics: remote").state, State::Ok);

    remote.0.store(true, Ordering::Relaxed);
    let began = SystemTime::now();
    handler.emit(&record);
    let first = health_of("metrics: remote");
    handler.emit(&record);
    let second = health_of("metrics: remote");
    assert_eq!((first.state, first.reason.as_deref()), (State::Failing, Some("nobody\nthere")));
    assert!(first.since.unwrap() >= began);
    assert_eq!(second, first, "since the first error");
    assert!(metrics::health().state() == State::Failing);
    assert!(metrics::health().to_string().lines().any(|line| line == r"metrics: remote: failing: nobody\nthere"));
    let text = metrics::prometheus();
    let numbers = samples(&text, "metrics: remote");
    assert_eq!(numbers["strata_handler_up"], 0.0);
    assert_eq!(numbers[r#"strata_records_total{outcome="written"}"#], 1.0);
    assert_eq!(numbers[r#"strata_records_total{outcome="failed"}"#], 2.0);

    remote.0.store(false, Ordering::Relaxed);
    handler.emit(&record);
    // The error was less than a minute ago, unless this machine slept.
    assert_ne!(health_of("metrics: remote").state, State::Failing);
    assert_eq!(samples(&metrics::prometheus(), "metrics: remote")["strata_handler_up"], 1.0);

    let ledger = handler.ledger();
    drop(handler);
    drop(ledger);
    assert!(!metrics::prometheus().contains("metrics: remote"), "it is gone");
    let again = NamedHandler::new("metrics: remote", Null);
    assert_eq!(health_of("metrics: remote").reason, None, "another handler may have its counters");
    drop(again);
}

/// Holds up the worker until it may go on.
struct Gate(Arc<AtomicBool>);

impl Handler for Gate {
    fn handle(&self, _: Delivery<'_>) -> Result<Outcome, Error> {
        while !self.0.load(Ordering::Acquire) {
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(Outcome::Written)
    }
}

#[test]
fn a_queue_tells_what_waits_and_what_was_lost() {
    let gate = Arc::new(AtomicBool::new(false));
    let (queue, guard) = Queue::builder()
        .name("metrics: queue")
        .capacity(4)
        .overflow(Overflow::DropNewest)
        .build_with_guard(Gate(Arc::clone(&gate)))
        .unwrap();
    let handler = NamedHandler::with_error_handler("metrics: queued", queue, ErrorHandler::silent());
    for _ in 0..10 {
        handler.emit(&info("x"));
    }
    let text = metrics::prometheus();
    let queue = samples(&text, "metrics: queue");
    assert_eq!(queue["strata_queue_records"], 4.0);
    assert!(queue["strata_queue_bytes"] > 0.0);
    assert_eq!(queue[r#"strata_queue_lost_records_total{level="INFO"}"#], 6.0);
    assert_eq!(samples(&text, "metrics: queued")["strata_records_queued"], 4.0);
    gate.store(true, Ordering::Release);
    drop(handler);
    guard.shutdown(Duration::from_secs(60)).unwrap_or_default();
}

#[test]
fn names_are_escaped_and_equal_names_count_together() {
    let name = "metrics: a\\b\"c\nd\r\u{1b}é";
    let one = NamedHandler::new(name, Null);
    let two = NamedHandler::new(name, Null);
    one.emit(&info("x"));
    two.emit(&info("x"));
    let text = metrics::prometheus();
    let wanted = "strata_records_total{handler=\"metrics: a\\\\b\\\"c\\nd\r\u{1b}é\",outcome=\"written\"} 2\n";
    assert_eq!(text.matches(wanted).count(), 1, "{text}");
}

#[test]
fn the_two_formats_differ_in_names_and_the_end() {
    let handler = NamedHandler::new("metrics: formats", Null);
    let (old, open) = (metrics::prometheus(), metrics::openmetrics());
    assert!(old.contains("# TYPE strata_records_total counter\n"), "{old}");
    assert!(open.contains("# TYPE strata_records counter\n"), "{open}");
    assert!(!old.contains("# EOF") && open.ends_with("\n# EOF\n"));
    // Each family once, with its samples behind it.
    for text in [old, open] {
        let families: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
        let mut unique = families.clone();
        unique.sort_unstable();
        unique.dedup();
        assert_eq!(unique.len(), families.len(), "{families:?}");
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            assert!(line.rsplit_once(' ').unwrap().1.parse::<f64>().is_ok(), "{line}");
        }
    }
    drop(handler);
}
