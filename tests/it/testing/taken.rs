//! Which records a capture takes, and when.

use std::{sync::mpsc, thread, time::Duration};

use tokio::runtime;
use tracing::{Instrument as _, Level, debug, enabled, error, info, info_span, instrument::WithSubscriber as _, trace};
use tracing_strata::{
    Severity,
    testing::{Capture, message},
};

use super::{failure, messages};

const LONG: Duration = Duration::from_secs(60);

#[test]
fn all_levels_and_names_from_the_start_on() {
    info!("before");
    let logs = Capture::start();
    trace!(target: "a::b", "1");
    error!(target: "c", "2");
    tracing_strata::critical!("3");
    assert_eq!(messages(&logs), ["1", "2", "3"]);
    assert_eq!(logs.records()[2].severity(), Severity::CRITICAL);
    logs.clear();
    assert!(logs.records().is_empty());
    info!("4");
    assert_eq!(messages(&logs), ["4"]);
    assert!(enabled!(Level::TRACE));
    drop(logs);
    assert!(!enabled!(Level::ERROR));
}

#[test]
fn a_record_stays_as_it_was_after_the_capture() {
    let logs = Capture::start();
    info!(rows = 3, "kept");
    let records = logs.records();
    logs.clear();
    drop(logs);
    assert_eq!((records[0].message(), records[0].get("rows").unwrap().as_i64()), ("kept", Some(3)));
}

#[test]
fn another_thread_only_where_the_test_says_so() {
    let logs = Capture::start();
    thread::spawn(|| info!("not this one")).join().unwrap();
    thread::spawn(logs.in_thread(|| info!("by a closure"))).join().unwrap();
    let span = info_span!("job", id = 7);
    thread::spawn(move || {
        span.in_scope(|| info!("by a span"));
        info!("after the span");
    })
    .join()
    .unwrap();
    thread::scope(|scope| {
        scope.spawn(|| logs.in_thread(|| info!("scoped"))());
    });
    assert_eq!(messages(&logs), ["by a closure", "by a span", "scoped"]);
    logs.assert_contains(message("by a span").span("job").field("id", 7));
}

#[test]
fn a_span_on_another_thread_brings_what_is_opened_and_started_inside() {
    let logs = Capture::start();
    let job = info_span!("job");
    thread::spawn(move || {
        let job = job.entered();
        let step = info_span!("step").entered();
        info!("inner");
        // Out of order: the thread stays in the capture until it has left both.
        drop(job);
        info!("still in a step");
        drop(step);
        info!("outside");
    })
    .join()
    .unwrap();
    assert_eq!(messages(&logs), ["inner", "still in a step"]);
    logs.assert_contains(message("inner").span("step").span("job"));
}

#[test]
fn tasks_of_a_current_thread_runtime() {
    let runtime = runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let logs = Capture::start();
        let task = tokio::spawn(async { info!("task") });
        let blocking = tokio::task::spawn_blocking(logs.in_thread(|| info!("blocking")));
        task.await.unwrap();
        blocking.await.unwrap();
        tokio::time::timeout(LONG, logs.until(message("blocking"))).await.unwrap();
        logs.assert_count(message("task").or(message("blocking")), 2);
    });
}

#[test]
fn tasks_of_a_runtime_with_several_threads() {
    let runtime = runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    runtime.block_on(async {
        let logs = Capture::start();
        let nested = || async {
            tokio::spawn(async { info!("nested, by its subscriber") }.with_current_subscriber()).await.unwrap();
        };
        tokio::spawn(async { info!("not this one") }).await.unwrap();
        tokio::spawn(logs.in_task(async { info!("task") })).await.unwrap();
        tokio::spawn(logs.in_task(nested())).await.unwrap();
        tokio::spawn(async { info!("by a span") }.instrument(info_span!("job"))).await.unwrap();
        assert_eq!(messages(&logs), ["task", "nested, by its subscriber", "by a span"]);
    });
}

#[test]
fn levels_are_those_of_the_test_and_come_back() {
    let logs = Capture::start();
    let all = logs.at_level("", Severity::INFO);
    let database = logs.at_level("shop.db", Severity::DEBUG);
    let log = || {
        debug!(target: "shop", "shop");
        debug!(target: "shop::db::pool", "pool");
        trace!(target: "shop::db::pool", "too low");
    };
    log();
    assert_eq!(messages(&logs), ["pool"]);
    drop(database);
    log();
    assert_eq!(messages(&logs), ["pool"]);
    drop(all);
    log();
    assert_eq!(messages(&logs), ["pool", "shop", "pool", "too low"]);
}

#[test]
fn a_level_inside_another_comes_back_to_that() {
    let logs = Capture::start();
    let _errors = logs.at_level("a", Severity::ERROR);
    {
        let _debug = logs.at_level("a", Severity::DEBUG);
        debug!(target: "a", "1");
    }
    debug!(target: "a", "2");
    error!(target: "a", "3");
    assert_eq!(messages(&logs), ["1", "3"]);
}

#[test]
fn waiting_ends_with_the_record() {
    let logs = Capture::start();
    let (go, wait) = mpsc::channel();
    let work = logs.in_thread(move || {
        wait.recv().unwrap();
        info!("noise");
        info!(n = 7, "ready");
    });
    let worker = thread::spawn(work);
    go.send(()).unwrap();
    assert_eq!(logs.wait_for(message("ready"), LONG).get("n").unwrap().as_i64(), Some(7));
    // One that is there already.
    logs.wait_for(message("noise"), Duration::ZERO);
    worker.join().unwrap();
    let text = failure(|| drop(logs.wait_for(message("never"), Duration::from_millis(1))));
    assert!(text.starts_with("no record within 1ms is message \"never\"\nnearest of 2 records:\n"), "{text}");
}

#[test]
fn values_that_log_are_taken_in_order_and_do_not_deadlock() {
    struct Logs;
    impl std::fmt::Debug for Logs {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            // `tracing` itself drops what is logged while a subscriber is called.
            info!("inner");
            f.write_str("logs")
        }
    }
    let logs = Capture::start();
    info!(value = ?Logs, "outer");
    logs.assert_contains(message("outer").field("value", "logs"));
    struct Panics;
    impl std::fmt::Debug for Panics {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            panic!("no");
        }
    }
    info!(value = ?Panics, "a value panics");
    logs.assert_contains(message("a value panics").field("value", "<panicked: no>"));
}

#[test]
fn a_logger_made_at_run_time() {
    let logs = Capture::start();
    tracing_strata::Logger::new("shop.pay").info("by name");
    logs.assert_contains(message("by name").target("shop.pay").level(Severity::INFO));
}
