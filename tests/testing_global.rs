//! Captures beside a subscriber that the application sets for the whole process.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::{
    env,
    process::Command,
    sync::{Mutex, Once},
    thread,
};

use tracing::{debug, info, info_span, warn};
use tracing_strata::{
    Delivery, Error, Handler, Loggers, Outcome,
    prelude::*,
    testing::{Capture, at_least, message},
};
use tracing_subscriber::prelude::*;

static WRITTEN: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Written;

impl Handler for Written {
    fn handle(&self, delivery: Delivery<'_>) -> Result<Outcome, Error> {
        let spans: Vec<_> = delivery.spans().map(|span| span.name()).collect();
        WRITTEN.lock().unwrap().push(format!("{} {}", delivery.message(), spans.join("<")));
        Ok(Outcome::Written)
    }
}

fn written(text: &str) -> usize {
    WRITTEN.lock().unwrap().iter().filter(|line| *line == text).count()
}

/// As an application does it: once.
fn init() {
    static INIT: Once = Once::new();
    INIT.call_once(|| {
        let loggers = Loggers::parse("info").unwrap();
        tracing_subscriber::registry().with(Written.into_layer().with_filter(loggers)).init();
    });
}

/// What a test of the application does; several run beside each other.
fn test(name: &'static str) {
    init();
    let logs = Capture::start();
    let request = info_span!("request");
    request.in_scope(|| info!("{name} logs"));
    debug!("{name} is not enabled by the application");
    thread::spawn(move || request.in_scope(|| warn!("{name} in a thread"))).join().unwrap();
    thread::spawn(move || info!("{name} elsewhere")).join().unwrap();
    logs.assert_order([
        message(format!("{name} logs")).span("request"),
        message(format!("{name} is not enabled by the application")),
        message(format!("{name} in a thread")).span("request"),
    ]);
    assert_eq!(logs.records().len(), 3);
    logs.assert_none(at_least(tracing::Level::ERROR));
    logs.assert_nothing_lost();
    assert_eq!(written(&format!("{name} logs request")), 1);
    assert_eq!(written(&format!("{name} in a thread request")), 1);
    assert_eq!(written(&format!("{name} elsewhere ")), 1);
    assert_eq!(written(&format!("{name} is not enabled by the application ")), 0);
}

#[test]
fn one() {
    test("one");
}

#[test]
fn two() {
    test("two");
}

#[test]
fn three() {
    test("three");
}

/// In a process of its own, as `cargo nextest` runs every test: the application sets its subscriber while a capture, and a
/// span in it, are there.
#[test]
fn a_subscriber_for_the_process_may_come_later() {
    const VARIABLE: &str = "STRATA_TEST_LATER";
    if env::var_os(VARIABLE).is_none() {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["--exact", "a_subscriber_for_the_process_may_come_later"]).env(VARIABLE, "1");
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        return;
    }
    let logs = Capture::start();
    let early = info_span!("early").entered();
    info!("nobody else");
    init();
    info!("to both");
    info_span!("late").in_scope(|| info!("inside"));
    info!(parent: &early, "explicit");
    drop(early);
    assert_eq!(logs.records().len(), 4);
    logs.assert_contains(message("to both").span("early"));
    // The application has never seen the span that was there before it.
    assert_eq!(*WRITTEN.lock().unwrap(), ["to both ", "inside late", "explicit "]);
    drop(logs);
    info!("after the capture");
    assert_eq!(written("after the capture "), 1);
}

/// Each in a process of its own, one after another.
#[test]
fn as_nextest_runs_them() {
    for name in ["one", "two"] {
        let mut command = Command::new(env::current_exe().unwrap());
        let output = command.args(["--exact", name, "--nocapture"]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}
