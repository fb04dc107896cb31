//! Tests that run beside each other.

use std::{sync::Barrier, thread};

use tracing::{Instrument as _, debug, info, info_span, warn};
use tracing_strata::testing::Capture;

const TESTS: usize = 64;
const ROUNDS: usize = 100;

/// What a test does; each uses the same call sites as all others.
fn work(logs: &Capture, test: usize, round: usize) {
    info!(test, round, "direct");
    let job = info_span!("job", test, round);
    thread::scope(|scope| {
        scope.spawn(logs.in_thread(|| debug!(test, round, "by a closure")));
        scope.spawn(|| job.in_scope(|| warn!(test, round, "by a span")));
        // As a test without a capture.
        scope.spawn(|| info!(test, round, "stray"));
    });
}

#[test]
fn no_test_sees_a_record_of_another_or_misses_its_own() {
    let barrier = Barrier::new(TESTS);
    let test = |test: usize| {
        for round in 0..ROUNDS {
            barrier.wait();
            let logs = Capture::start();
            work(&logs, test, round);
            let mut found: Vec<_> = logs
                .records()
                .iter()
                .map(|record| {
                    let number = |name| record.get(name).unwrap().as_u64().unwrap() as usize;
                    assert_eq!((number("test"), number("round")), (test, round), "{record:?}");
                    record.message().to_owned()
                })
                .collect();
            found.sort_unstable();
            assert_eq!(found, ["by a closure", "by a span", "direct"], "test {test}, round {round}");
        }
    };
    thread::scope(|scope| {
        let tests: Vec<_> = (0..TESTS).map(|number| scope.spawn(move || test(number))).collect();
        tests.into_iter().for_each(|test| test.join().unwrap());
    });
}

#[test]
fn tasks_of_one_runtime_shared_by_tests() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let test = |test: usize| {
        let logs = Capture::start();
        let handles: Vec<_> = (0..20)
            .map(|n| {
                let steps = async move {
                    for step in 0..5 {
                        info!(test, n, step, "step");
                        tokio::task::yield_now().await;
                    }
                };
                match n % 2 {
                    0 => runtime.spawn(logs.in_task(steps)),
                    _ => runtime.spawn(steps.instrument(info_span!("task", n))),
                }
            })
            .collect();
        runtime.block_on(async {
            for handle in handles {
                handle.await.unwrap();
            }
        });
        let records = logs.records();
        assert_eq!(records.len(), 100);
        assert!(records.iter().all(|record| record.get("test").unwrap().as_u64() == Some(test as u64)));
    };
    thread::scope(|scope| {
        for number in 0..8 {
            let test = &test;
            scope.spawn(move || test(number));
        }
    });
}
