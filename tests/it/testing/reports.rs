//! What people report about other ways to test logs: each report, tried here.

use std::{
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use tracing::{
    Dispatch, Level, Span, debug, dispatcher, enabled, info, info_span, instrument::WithSubscriber as _,
    subscriber::with_default,
};
use tracing_strata::{
    Severity,
    testing::{Capture, message, message_contains, target},
};
use tracing_subscriber::{filter::LevelFilter, fmt, prelude::*, registry};

use super::messages;

/// dbrgn/tracing-test#23, torrust/torrust-tracker#1148: nothing from `std::thread::spawn` and `spawn_blocking`.
#[tokio::test]
async fn threads_and_blocking_calls() {
    let logs = Capture::start();
    thread::spawn(logs.in_thread(|| info!("thread"))).join().unwrap();
    tokio::task::spawn_blocking(logs.in_thread(|| info!("blocking"))).await.unwrap();
    let server = info_span!("server");
    thread::spawn(move || server.in_scope(|| info!("a server started by the test"))).join().unwrap();
    assert_eq!(messages(&logs), ["thread", "blocking", "a server started by the test"]);
}

/// microsoft/oxidizer#500, PierreZ/moonpool#112: a test without a subscriber gets to a call site first, and `tracing`
/// disables it for all tests.
#[test]
fn a_call_site_that_another_thread_met_first() {
    fn log() {
        info!("met first by a thread without a subscriber");
    }
    let logs = Capture::start();
    thread::spawn(log).join().unwrap();
    log();
    logs.assert_count(message_contains("met first"), 1);
}

/// rustfs/rustfs#5439: for the same reason a span is `Span::none()`, and records stand in the span around it.
#[test]
fn a_span_that_another_thread_met_first() {
    fn monitor() -> Span {
        info_span!("recovery-monitor")
    }
    let logs = Capture::start();
    thread::spawn(|| drop(monitor())).join().unwrap();
    let _request = info_span!("request").entered();
    monitor().in_scope(|| info!("probing"));
    logs.assert_contains(message("probing").span("recovery-monitor").span("request"));
}

/// zakura-core/zakura#332: two registries in one process break spans when tasks cross threads ("tried to drop a ref to
/// Id(…), but no such span exists"), as their ids are the same.
#[test]
fn a_span_that_is_closed_under_another_subscriber() {
    let behind = Dispatch::new(registry().with(fmt::layer().with_writer(std::io::sink)));
    let other = Dispatch::new(registry().with(fmt::layer().with_writer(std::io::sink)));
    dispatcher::with_default(&behind, || {
        let logs = Capture::start();
        for n in 0..100 {
            let span = info_span!("task", n);
            let other = other.clone();
            let work = move || {
                let _own = info_span!("own");
                span.in_scope(|| info!("in it"));
                drop(span);
            };
            thread::spawn(move || dispatcher::with_default(&other, work)).join().unwrap();
        }
        logs.assert_count(message("in it"), 100);
    });
}

/// dbrgn/tracing-test#6, #22: only the test's own crate is captured, or everything from everywhere.
#[test]
fn records_of_other_crates_with_a_level_for_each() {
    let logs = Capture::start();
    let _levels = (logs.at_level("", Severity::WARN), logs.at_level("shop", Severity::DEBUG));
    debug!(target: "shop::db", "ours");
    debug!(target: "h2::codec", "theirs");
    tracing::warn!(target: "h2::codec", "their warning");
    assert_eq!(messages(&logs), ["ours", "their warning"]);
}

/// dbrgn/tracing-test#50: records are found by the name of the test in the line, which other settings change.
#[test]
fn records_belong_to_a_test_by_no_text() {
    let logs = Capture::start();
    info!(parent: None, "outside of all spans");
    logs.assert_contains(message("outside of all spans"));
}

/// dbrgn/tracing-test#4: there is no way to test for spans.
#[test]
fn spans_without_a_record() {
    let logs = Capture::start();
    drop(info_span!("actor", id = 1, name = "creator"));
    logs.assert_span("actor").has_field("id", 1).has_field("name", "creator");
}

/// tokio-rs/tracing#2913: libraries spawn with `with_current_subscriber`, and the records are lost.
#[test]
fn libraries_that_spawn_with_the_current_subscriber() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let logs = Capture::start();
    let driver = runtime.spawn(async { info!("driver") }.with_current_subscriber());
    runtime.block_on(driver).unwrap();
    logs.assert_contains(message("driver"));
}

/// block/buzz#3929: `enabled!` under a filter of the test's own says yes, as another test has a subscriber that wants all.
#[test]
fn a_filter_set_inside_says_no() {
    let logs = Capture::start();
    with_default(registry().with(LevelFilter::OFF), || assert!(!enabled!(Level::ERROR)));
    let _errors = logs.at_level("", Severity::ERROR);
    assert!(enabled!(Level::ERROR) && !enabled!(Level::INFO));
}

/// milocaetano/quantick#41, Pushkinist/rMLX#526: with two tests that each have a subscriber of their own, one loses what
/// is logged while the other changes its subscriber.
#[test]
fn while_other_threads_set_and_drop_subscribers() {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    with_default(registry().with(LevelFilter::OFF), || info!("nowhere"));
                }
            });
        }
        for round in 0..200 {
            let logs = Capture::start();
            (0..20).for_each(|n| info!(round, n, "counted"));
            logs.assert_count(message("counted"), 20);
        }
        stop.store(true, Ordering::Relaxed);
    });
}

/// The output of a failing test has its records, that of a passing one has not; and with `should_panic`, neither.
/// (dbrgn/tracing-test#51: the output is for assertions, or for people who look for an error.)
#[test]
fn a_failing_test_prints_its_records_and_only_then() {
    const NAME: &str = "testing::reports::a_failing_test_prints_its_records_and_only_then";
    const VARIABLE: &str = "STRATA_TEST_FAILS";
    if let Ok(how) = std::env::var(VARIABLE) {
        let logs = Capture::start();
        (0..102).for_each(|n| info!(target: "shop", n, "a record"));
        logs.assert_count(target("shop"), if how == "yes" { 1 } else { 102 });
        return;
    }
    let run = |how: &str, all: &str| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", NAME, "--nocapture"]).env(VARIABLE, how).env("STRATA_CAPTURE", all);
        let output = command.output().unwrap();
        (output.status.success(), String::from_utf8(output.stderr).unwrap())
    };
    let (passes, text) = run("no", "");
    assert!(passes && !text.contains("a record"), "{text}");
    let (passes, text) = run("yes", "");
    assert!(!passes);
    let (_, printed) =
        text.split_once("--- captured: 102 records, the last 100 (all with STRATA_CAPTURE=all)\n").unwrap();
    assert_eq!(
        printed.split("---").next().unwrap().lines().filter(|line| line.contains("a record")).count(),
        100,
        "{text}"
    );
    let (_, text) = run("yes", "all");
    let (_, printed) = text.split_once("--- captured: 102 records\n").unwrap();
    assert_eq!(printed.split("---").next().unwrap().lines().count(), 102, "{text}");
}
