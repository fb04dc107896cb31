//! The end: flush, shutdown, drop, and what comes after.

use std::time::Duration;

use tracing_strata::{Queue, Severity, handler::queue::Overflow, prelude::*, trap::Trap};
use tracing_subscriber::layer::SubscriberExt as _;

use super::support::Gate;

const LONG: Duration = Duration::from_secs(60);

#[test]
fn what_is_logged_comes_in_order_and_shutdown_waits_for_it() {
    let gate = Gate::default();
    let (queue, guard) = Queue::builder().spawn(gate.clone()).unwrap();
    let layer = queue.into_layer().named("queue");
    let ledger = layer.ledger();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        for number in 0..1_000 {
            tracing::info!("{number}");
        }
        guard.flush(LONG).unwrap();
        assert_eq!((gate.messages().len(), gate.flushes()), (1_000, 1));
        tracing::info!("last");
        guard.shutdown(LONG).unwrap();
        guard.shutdown(LONG).unwrap();
        assert_eq!((ledger.stats().written, ledger.stats().accepted()), (1_001, 1_001));
        tracing::info!("t18: after the shutdown");
    });
    assert!(gate.messages().iter().take(1_000).enumerate().all(|(number, message)| *message == number.to_string()));
    assert_eq!((gate.messages().len(), ledger.stats().dropped), (1_001, 1));
    assert_eq!(guard.health().lost.at(Severity::INFO), 1);
}

#[test]
fn t11_a_shutdown_says_how_many_records_were_left() {
    let gate = Gate::closed();
    let queue = Queue::builder().named("stuck").overflow(Overflow::DropNewest);
    let (queue, guard) = queue.spawn(gate.clone()).unwrap();
    let (trap, told) = crate::places::remembering();
    let layer = queue.into_layer().trap(trap);
    let ledger = layer.ledger();
    let dispatch = tracing::Dispatch::new(tracing_subscriber::registry().with(layer));
    tracing::dispatcher::with_default(&dispatch, || {
        tracing::info!("in hand");
        gate.wait_for_one();
        (0..10).for_each(|_| tracing::info!("waits"));
    });
    let error = guard.flush(Duration::from_millis(1)).unwrap_err().to_string();
    assert_eq!(error, "queue \"stuck\": flush: 11 records not written within 1ms");
    let error = guard.shutdown(Duration::from_millis(1)).unwrap_err().to_string();
    assert_eq!(error, "queue \"stuck\": shutdown: 11 records not written within 1ms");
    assert_eq!(*told.lock().unwrap(), [error]);
    assert_eq!((ledger.stats().dropped, ledger.stats().queued), (10, 1));
    gate.open();
    guard.shutdown(LONG).unwrap();
    assert_eq!((ledger.stats().written, ledger.stats().queued), (2, 0), "the one in hand and the notice");
    assert_eq!(gate.messages(), ["in hand", "10 records lost"]);
}

#[test]
fn a_queue_without_a_guard_drains_when_it_is_dropped() {
    let gate = Gate::default();
    let layer = Queue::builder().own(gate.clone()).unwrap().into_layer().trap(Trap::silent());
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || tracing::info!("kept"));
    assert_eq!(gate.messages(), ["kept"]);
}
