//! Handlers that panic, also in ways nobody reckons with; and a listener that dies.

use std::{
    panic::resume_unwind,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use tracing::{error, info};
use tracing_strata::{
    Delivery, Error, Flush, Handler, HandlerExt as _, HandlerLayer, Outcome, Queue, Severity,
    handler::queue::WorkerGuard, ledger::Ledger,
};

use super::support::{Gate, LONG, dispatch, within};
use crate::places::remembering;

/// What a handler may panic with: it panics in its turn when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        if !thread::panicking() {
            resume_unwind(Box::new("in the drop"));
        }
    }
}

/// Panics in one way or another.
#[derive(Clone, Default)]
struct Explosive(Gate);

impl Handler for Explosive {
    fn handle(&self, record: Delivery<'_>) -> Result<Outcome, Error> {
        if record.message() == "bomb" {
            resume_unwind(Box::new(Bomb));
        }
        self.0.handle(record)
    }

    fn flush(&self, _: &Flush) -> Result<(), Error> {
        resume_unwind(Box::new(Bomb))
    }
}

/// Also when it is dropped.
struct ToTheEnd(Explosive);

impl Handler for ToTheEnd {
    fn handle(&self, record: Delivery<'_>) -> Result<Outcome, Error> {
        self.0.handle(record)
    }

    fn flush(&self, how: &Flush) -> Result<(), Error> {
        self.0.flush(how)
    }
}

impl Drop for ToTheEnd {
    fn drop(&mut self) {
        if !thread::panicking() {
            resume_unwind(Box::new(Bomb));
        }
    }
}

#[test]
fn a_panic_whose_payload_panics_costs_its_record_only() {
    let gate = Gate::default();
    let (queue, guard) = Queue::builder().build_with_guard(ToTheEnd(Explosive(gate.clone()))).unwrap();
    let (error_handler, told) = remembering();
    let layer = queue.into_layer().error_handler(error_handler);
    let ledger = layer.ledger();
    within(&dispatch(layer), || {
        info!("1");
        info!("bomb");
        info!("2");
        assert!(guard.flush(LONG).unwrap_err().to_string().contains("panicked in flush()"));
        info!("bomb");
        info!("3");
        assert!(guard.shutdown(LONG).unwrap_err().to_string().contains("panicked in finish()"));
    });
    assert_eq!(gate.messages(), ["1", "2", "3"]);
    let stats = ledger.stats();
    assert_eq!((stats.written, stats.failed, stats.queued, guard.stats().depth), (3, 2, 0, 0));
    let told = told.lock().unwrap();
    assert!(told.iter().all(|told| told.contains("panicked in ")), "{told:?}");
}

/// The same without a queue, where it would come out of the call that logs.
#[test]
fn a_panic_whose_payload_panics_does_not_reach_the_caller() {
    let gate = Gate::default();
    let (error_handler, told) = remembering();
    let layer = Explosive(gate.clone()).into_layer().error_handler(error_handler);
    let ledger = layer.ledger();
    within(&dispatch(layer), || {
        info!("bomb");
        info!("after");
    });
    assert_eq!((gate.messages(), ledger.stats().failed), (vec!["after".to_owned()], 1));
    assert!(!told.lock().unwrap().is_empty());
}

/// Breaks the listener itself: where an error is dropped that was told, nobody reckons with a panic.
struct Fatal {
    gate: Gate,
    is_fatal: Arc<AtomicBool>,
}

/// The cause of an error.
#[derive(Debug)]
struct Cause;

impl std::error::Error for Cause {}

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("scripted")
    }
}

impl Drop for Cause {
    fn drop(&mut self) {
        if !thread::panicking() {
            resume_unwind(Box::new("what nobody reckons with"));
        }
    }
}

impl Handler for Fatal {
    fn handle(&self, record: Delivery<'_>) -> Result<Outcome, Error> {
        // It is written, whatever comes after it.
        record.take().pass_on(&self.gate);
        if self.is_fatal.load(Ordering::SeqCst) {
            return Err(Error::with_source("of no record", Cause));
        }
        Ok(Outcome::Queued)
    }

    fn flush(&self, how: &Flush) -> Result<(), Error> {
        if how.is_last() { self.gate.flush(how) } else { Ok(()) }
    }
}

struct Dead {
    gate: Gate,
    is_fatal: Arc<AtomicBool>,
    guard: WorkerGuard,
    ledger: Arc<Ledger>,
    told: Arc<std::sync::Mutex<Vec<String>>>,
    layer: HandlerLayer<Queue>,
}

fn doomed() -> Dead {
    let (gate, is_fatal) = (Gate::closed(), Arc::new(AtomicBool::new(false)));
    let handler = Fatal { gate: gate.clone(), is_fatal: Arc::clone(&is_fatal) };
    let (queue, guard) = Queue::builder().capacity(6).name("doomed").build_with_guard(handler).unwrap();
    let (error_handler, told) = remembering();
    let layer = queue.into_layer().error_handler(error_handler);
    let ledger = layer.ledger();
    Dead { gate, is_fatal, guard, ledger, told, layer }
}

fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < LONG, "{what}");
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn the_death_of_a_listener_is_told_at_once() {
    let Dead { gate, is_fatal, guard, ledger, told, layer } = doomed();
    let dispatch = dispatch(layer);
    within(&dispatch, || {
        info!("in hand");
        gate.wait_for_one();
        (0..3).for_each(|_| info!("waits"));
        error!("waits");
        is_fatal.store(true, Ordering::SeqCst);
        gate.open();
        eventually("the trap is told", || told.lock().unwrap().len() > 1);
        let told = || told.lock().unwrap().clone();
        assert_eq!((told().len(), &*told()[0]), (2, "of no record: scripted"), "{:?}", told());
        let text = &told()[1];
        assert!(text.contains("queue \"doomed\"") && text.contains("what nobody reckons with"), "{text}");
        assert!(text.contains("4 records"), "{text}");
        // All that waited and all that comes is lost, and said to be.
        let lost = guard.stats().lost;
        assert_eq!((lost.total(), guard.stats().depth, guard.stats().bytes), (4, 0, 0), "{lost:?}");
        assert_eq!(lost.at(Severity::ERROR), 1);
        info!("after");
        let stats = ledger.stats();
        assert_eq!((stats.accepted(), stats.written, stats.dropped, stats.queued), (6, 1, 5, 0));
        for result in [guard.flush(LONG), guard.shutdown(LONG), guard.flush(LONG), guard.shutdown(LONG)] {
            let error = result.unwrap_err().to_string();
            assert!(error.contains("queue \"doomed\"") && error.contains("what nobody reckons with"), "{error}");
        }
    });
    assert_eq!(gate.messages(), ["in hand"]);
    eventually("what the handler has is brought to its place", || gate.flushes() == 1);
}

#[test]
fn those_who_wait_for_a_listener_learn_of_its_death() {
    let Dead { gate, is_fatal, guard, layer, .. } = doomed();
    let dispatch = dispatch(layer);
    within(&dispatch, || {
        info!("in hand");
        gate.wait_for_one();
        (0..5).for_each(|_| info!("waits"));
        thread::scope(|scope| {
            let flush = scope.spawn(|| guard.flush(LONG));
            let shutdown = scope.spawn(|| {
                // Before anything is closed: the caller is to be waiting.
                eventually("a caller waits", || guard.stats().blocked_sends > 0);
                guard.shutdown(LONG)
            });
            let caller = scope.spawn(|| within(&dispatch, || info!("no room")));
            eventually("a caller waits", || guard.stats().blocked_sends > 0);
            thread::sleep(Duration::from_millis(20));
            is_fatal.store(true, Ordering::SeqCst);
            gate.open();
            caller.join().unwrap();
            assert!(flush.join().unwrap().is_err());
            assert!(shutdown.join().unwrap().is_err());
        });
        assert_eq!(guard.stats().lost.total(), 6);
    });
}

#[test]
fn what_a_dead_queue_has_lost_is_said_where_logging_ends() {
    use crate::places::in_a_child;
    const NAME: &str = "queue::deaths::what_a_dead_queue_has_lost_is_said_where_logging_ends";
    let report = in_a_child(
        NAME,
        |_| {},
        |report| {
            let Dead { gate, is_fatal, told, layer, guard, .. } = doomed();
            let dispatch = dispatch(layer);
            within(&dispatch, || {
                info!("in hand");
                gate.wait_for_one();
                info!("waits");
                is_fatal.store(true, Ordering::SeqCst);
                gate.open();
                eventually("the trap is told", || told.lock().unwrap().len() > 1);
            });
            let error = tracing_strata::flush_all().unwrap_err().to_string();
            std::fs::write(report, error).unwrap();
            drop(guard);
        },
    );
    assert!(report.contains("queue \"doomed\"") && report.contains("what nobody reckons with"), "{report}");
}
