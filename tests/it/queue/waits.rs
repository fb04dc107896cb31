//! Callers that wait for room: how long, and in which order.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use tracing_strata::{
    Delivery, Error, Handler, HandlerExt as _, Outcome, Queue,
    handler::queue::{Overflow, WorkerGuard},
};

use super::support::{Gate, LONG, dispatch, within};
use crate::places::remembering;

/// Until so many have had to wait.
fn wait_for_waits(guard: &WorkerGuard, waits: u64) {
    let began = Instant::now();
    while guard.stats().blocked_sends < waits {
        assert!(began.elapsed() < LONG, "{}", guard.stats());
        thread::yield_now();
    }
}

/// The longest of the deadlines here that come true, and far more than that.
const DEADLINE: Duration = Duration::from_millis(100);
const FAR_MORE: Duration = Duration::from_secs(8);

#[test]
fn a_caller_waits_for_its_deadline_and_not_much_longer() {
    let gate = Gate::closed();
    let queue = Queue::builder().capacity(2).overflow(Overflow::block_for(DEADLINE));
    let (queue, guard) = queue.build_with_guard(gate.clone()).unwrap();
    within(&dispatch(queue.into_layer()), || {
        tracing::info!("in hand");
        gate.wait_for_one();
        tracing::info!("waits in the queue");
        assert_eq!(guard.stats().blocked_sends, 0);
        let began = Instant::now();
        tracing::info!("finds no room");
        let waited = began.elapsed();
        assert!((DEADLINE..FAR_MORE).contains(&waited), "{waited:?}");
        let health = guard.stats();
        assert_eq!((health.blocked_sends, health.lost.total()), (1, 1));
        gate.open();
        guard.shutdown(LONG).unwrap();
    });
    assert_eq!(gate.messages(), ["in hand", "waits in the queue", "1 record lost"]);
}

#[test]
fn a_caller_takes_room_that_comes_in_time() {
    for overflow in [Overflow::BLOCK, Overflow::block_for(LONG)] {
        let gate = Gate::closed();
        let (queue, guard) = Queue::builder().capacity(2).overflow(overflow).build_with_guard(gate.clone()).unwrap();
        let dispatch = dispatch(queue.into_layer());
        within(&dispatch, || tracing::info!("in hand"));
        gate.wait_for_one();
        thread::scope(|scope| {
            let _opens = gate.opens();
            scope.spawn(|| within(&dispatch, || (0..10).for_each(|number| tracing::info!("{number}"))));
            wait_for_waits(&guard, 1);
            gate.open();
        });
        guard.shutdown(LONG).unwrap();
        let expected: Vec<_> = (0..10).map(|number| number.to_string()).collect();
        assert_eq!(gate.messages()[1..], expected);
        assert_eq!(guard.stats().lost.total(), 0);
    }
}

#[test]
fn who_came_first_gets_room_first() {
    let gate = Gate::closed();
    let (queue, guard) = Queue::builder().max_bytes(64 << 10).build_with_guard(gate.clone()).unwrap();
    let dispatch = dispatch(queue.into_layer());
    let large = "x".repeat(40 << 10);
    within(&dispatch, || tracing::info!(large, "in hand"));
    gate.wait_for_one();
    thread::scope(|scope| {
        let _opens = gate.opens();
        scope.spawn(|| within(&dispatch, || tracing::info!(large, "large")));
        wait_for_waits(&guard, 1);
        // There would be room for it, but not before its turn.
        let small = scope.spawn(|| within(&dispatch, || tracing::info!("small")));
        let began = Instant::now();
        while guard.stats().blocked_sends < 2 && !small.is_finished() {
            assert!(began.elapsed() < LONG);
            thread::yield_now();
        }
        let waits = guard.stats().blocked_sends;
        gate.open();
        assert_eq!(waits, 2, "it waits behind the large one");
    });
    guard.shutdown(LONG).unwrap();
    // (Which of them the listener finds first is another question.)
    assert_eq!((gate.messages().len(), guard.stats().lost.total()), (3, 0));
}

/// It did not come too late, and the trap does not say that it did.
#[test]
fn a_caller_that_waits_when_the_queue_is_shut_down_is_told_of_so() {
    let gate = Gate::closed();
    let (queue, guard) = Queue::builder().capacity(2).flush_timeout(DEADLINE).build_with_guard(gate.clone()).unwrap();
    let (error_handler, told) = remembering();
    let layer = queue.into_layer().named("app").error_handler(error_handler);
    let ledger = layer.ledger();
    let dispatch = dispatch(layer);
    within(&dispatch, || (0..2).for_each(|_| tracing::info!("in time")));
    gate.wait_for_one();
    thread::scope(|scope| {
        scope.spawn(|| within(&dispatch, || tracing::info!("waits")));
        wait_for_waits(&guard, 1);
        drop(guard);
    });
    let waited = "queue \"app\": a record that waited for room when the queue was shut down is lost";
    let told = || told.lock().unwrap().clone();
    assert_eq!(told().iter().filter(|told| told.starts_with(waited)).count(), 1, "{:?}", told());
    assert!(!told().iter().any(|told| told.contains("came after")), "{:?}", told());
    within(&dispatch, || tracing::info!("late"));
    assert_eq!(told().iter().filter(|told| told.contains("came after the shutdown")).count(), 1, "{:?}", told());
    assert_eq!(ledger.stats().accepted(), 4);
    gate.open();
}

/// Whoever waits behind one that gives up is not forgotten.
#[test]
fn a_large_one_that_gives_up_makes_way() {
    let gate = Gate::closed();
    let queue = Queue::builder().max_bytes(64 << 10).overflow(Overflow::block_for(DEADLINE));
    let (queue, guard) = queue.build_with_guard(gate.clone()).unwrap();
    let dispatch = dispatch(queue.into_layer());
    let large = "x".repeat(40 << 10);
    within(&dispatch, || tracing::info!(large, "in hand"));
    gate.wait_for_one();
    thread::scope(|scope| {
        scope.spawn(|| within(&dispatch, || tracing::info!(large, "large")));
        wait_for_waits(&guard, 1);
        within(&dispatch, || tracing::info!("small"));
    });
    assert_eq!(guard.stats().lost.total(), 1);
    gate.open();
    guard.shutdown(LONG).unwrap();
    assert!(gate.messages().contains(&"small".to_owned()), "{:?}", gate.messages());
}

#[test]
fn a_large_record_gets_room_while_small_ones_keep_coming() {
    struct Slow;
    impl Handler for Slow {
        fn handle(&self, _: Delivery<'_>) -> Result<Outcome, Error> {
            thread::sleep(Duration::from_micros(200));
            Ok(Outcome::Written)
        }
    }
    let (queue, guard) = Queue::builder().max_bytes(64 << 10).build_with_guard(Slow).unwrap();
    let dispatch = dispatch(queue.into_layer());
    let (has_come, is_over) = (AtomicBool::new(false), AtomicBool::new(false));
    thread::scope(|scope| {
        let small = || {
            within(&dispatch, || {
                while !is_over.load(Ordering::Relaxed) {
                    tracing::info!("small")
                }
            })
        };
        (0..4).for_each(|_| drop(scope.spawn(small)));
        wait_for_waits(&guard, 10);
        scope.spawn(|| {
            let text = "x".repeat(40 << 10);
            within(&dispatch, || tracing::info!(text, "large"));
            has_come.store(true, Ordering::Relaxed);
        });
        let began = Instant::now();
        while !has_come.load(Ordering::Relaxed) && began.elapsed() < FAR_MORE {
            thread::sleep(Duration::from_millis(1));
        }
        let has_come = has_come.load(Ordering::Relaxed);
        is_over.store(true, Ordering::Relaxed);
        assert!(has_come, "{}", guard.stats());
    });
    guard.shutdown(LONG).unwrap();
}
