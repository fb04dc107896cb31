//! T17: no runtime is needed, and none harmed.

use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use tracing::instrument::WithSubscriber as _;
use tracing_strata::{Queue, ledger::ErrorHandler, prelude::*};

use super::support::{Gate, LONG, dispatch, within};

fn runtimes() -> [Runtime; 2] {
    [Builder::new_current_thread().build().unwrap(), Builder::new_multi_thread().worker_threads(1).build().unwrap()]
}

#[test]
fn t17_flush_and_shutdown_inside_block_on() {
    for runtime in runtimes() {
        let gate = Gate::default();
        let (queue, guard) = Queue::builder().build_with_guard(gate.clone()).unwrap();
        let dispatch = dispatch(queue.into_layer());
        runtime.block_on(
            async {
                tracing::info!("one");
                guard.flush(LONG).unwrap();
                assert_eq!(gate.messages(), ["one"]);
                tracing::info!("two");
                drop(guard);
                assert_eq!(gate.messages(), ["one", "two"]);
            }
            .with_subscriber(dispatch),
        );
    }
}

#[test]
fn t17_a_guard_dropped_on_the_only_worker_of_a_runtime_keeps_its_deadline() {
    const DRAIN: Duration = Duration::from_millis(100);
    for runtime in runtimes() {
        let gate = Gate::closed();
        let (queue, guard) = Queue::builder().flush_timeout(DRAIN).build_with_guard(gate.clone()).unwrap();
        let layer = queue.into_layer().error_handler(ErrorHandler::silent());
        let ledger = layer.ledger();
        let dispatch = dispatch(layer);
        let work = async move {
            tracing::info!("in hand");
            tracing::info!("waits");
            let began = Instant::now();
            drop(guard);
            began.elapsed()
        };
        assert_eq!(runtime.metrics().num_workers(), 1);
        // A task: on the worker, also where `block_on` is not.
        let waited = runtime.block_on(runtime.spawn(work.with_subscriber(dispatch))).unwrap();
        assert!((DRAIN..60 * DRAIN).contains(&waited), "{waited:?}");
        assert_eq!((ledger.stats().accepted(), ledger.stats().written), (2, 0));
        gate.open();
    }
}

#[test]
fn t17_a_collector_that_does_not_answer_holds_up_nobody() {
    let gate = Gate::closed();
    let (queue, guard) = Queue::builder().build_with_guard(gate.clone()).unwrap();
    let layer = queue.into_layer().error_handler(ErrorHandler::silent());
    within(&dispatch(layer), || {
        tracing::info!("never answered");
        assert!(guard.flush(Duration::ZERO).is_err());
        assert!(guard.shutdown(Duration::ZERO).is_err());
        assert!(guard.flush(LONG).is_err(), "it was given up, and is not waited for");
    });
    gate.open();
}
