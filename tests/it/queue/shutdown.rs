//! The end: flush, shutdown, drop, and what comes after.

use std::{
    cell::RefCell,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use tracing_strata::{
    Delivery, Error, Flush, Handler, HandlerExt as _, Outcome, Queue, Severity,
    handler::queue::{Overflow, WorkerGuard},
    ledger::ErrorHandler,
};

use tracing_subscriber::layer::SubscriberExt as _;

use super::support::{Gate, LONG, dispatch, within};
use crate::places::remembering;

#[test]
fn what_is_logged_comes_in_order_and_shutdown_waits_for_it() {
    let gate = Gate::default();
    let (queue, guard) = Queue::builder().build_with_guard(gate.clone()).unwrap();
    let layer = queue.into_layer().named("queue");
    let ledger = layer.ledger();
    within(&dispatch(layer), || {
        for number in 0..1_000 {
            tracing::info!("{number}");
        }
        guard.flush(LONG).unwrap();
        assert_eq!((gate.messages().len(), gate.flushes()), (1_000, 1));
        tracing::info!("last");
        guard.shutdown(LONG).unwrap();
        guard.shutdown(LONG).unwrap();
        assert_eq!((ledger.stats().written, ledger.stats().accepted()), (1_001, 1_001));
    });
    assert!(gate.messages().iter().take(1_000).enumerate().all(|(number, message)| *message == number.to_string()));
}

#[test]
fn t18_records_after_the_shutdown_are_counted() {
    let gate = Gate::default();
    let (queue, guard) = Queue::builder().build_with_guard(gate.clone()).unwrap();
    let (error_handler, told) = remembering();
    let layer = queue.into_layer().named("app").error_handler(error_handler);
    let ledger = layer.ledger();
    let dispatch = dispatch(layer);
    within(&dispatch, || {
        tracing::info!("before");
        guard.shutdown(LONG).unwrap();
        tracing::info!("after");
        std::thread::scope(|scope| {
            let dispatch = tracing::dispatcher::get_default(Clone::clone);
            scope.spawn(move || within(&dispatch, || tracing::error!("after, from a thread that is new")));
        });
        assert_eq!(guard.flush(LONG).unwrap_err().to_string(), "queue \"app\": flush: 2 records lost");
        guard.flush(LONG).unwrap();
    });
    assert_eq!(gate.messages(), ["before"]);
    assert_eq!((ledger.stats().written, ledger.stats().dropped, ledger.stats().queued), (1, 2, 0));
    let lost = guard.stats().lost;
    assert_eq!((lost.at(Severity::INFO), lost.at(Severity::ERROR), lost.total()), (1, 1, 2));
    {
        let told = told.lock().unwrap();
        assert_eq!(told.len(), 1, "once: {told:?}");
        assert!(told[0].starts_with("queue \"app\": a record came after the shutdown and is lost"), "{told:?}");
    }
    drop(dispatch);
    assert_eq!(told.lock().unwrap()[1..], ["queue \"app\": 2 records were lost, of which its own log does not tell"]);
}

/// What is behind it is finished and dropped when the shutdown is over, although guard and queue are still there.
#[test]
fn a_shutdown_drops_the_handler() {
    struct Open(Arc<Mutex<Vec<&'static str>>>);

    impl Handler for Open {
        fn handle(&self, _: Delivery<'_>) -> Result<Outcome, Error> {
            Ok(Outcome::Written)
        }

        fn flush(&self, how: &Flush) -> Result<(), Error> {
            if how.is_last() {
                self.0.lock().unwrap().push("finished");
            }
            Ok(())
        }
    }

    impl Drop for Open {
        fn drop(&mut self) {
            self.0.lock().unwrap().push("closed");
        }
    }

    let seen = Arc::<Mutex<Vec<_>>>::default();
    let (queue, guard) = Queue::builder().build_with_guard(Open(Arc::clone(&seen))).unwrap();
    let dispatched = dispatch(queue.into_layer());
    within(&dispatched, || tracing::info!("one"));
    guard.shutdown(LONG).unwrap();
    assert_eq!(*seen.lock().unwrap(), ["finished", "closed"]);
    // All that is asked of a queue is answered without one.
    guard.shutdown(LONG).unwrap();
    guard.flush(LONG).unwrap();
    within(&dispatched, || tracing::info!("late"));
    assert_eq!(guard.stats().lost.total(), 1);
    drop((guard, dispatched));
    assert_eq!(seen.lock().unwrap().len(), 2);
}

#[test]
fn t13_losses_that_are_not_told_in_band_are_told_to_the_trap() {
    // The handler hangs: with the shutdown.
    let gate = Gate::closed();
    let queue = Queue::builder().capacity(2).overflow(Overflow::DropNewest);
    let (queue, guard) = queue.build_with_guard(gate.clone()).unwrap();
    let (error_handler, told) = remembering();
    let dispatched = dispatch(queue.into_layer().named("hangs").error_handler(error_handler));
    within(&dispatched, || {
        tracing::info!("in hand");
        gate.wait_for_one();
        (0..10).for_each(|_| tracing::info!("no room but for one"));
    });
    let error = guard.shutdown(Duration::from_millis(1)).unwrap_err().to_string();
    assert_eq!(error, "queue \"hangs\": shutdown: 2 records not written within 1ms, 9 lost before");
    assert_eq!(*told.lock().unwrap(), [error]);
    gate.open();
    guard.shutdown(LONG).unwrap();
    assert_eq!(gate.messages(), ["in hand", "10 records lost"]);
    drop((guard, dispatched));
    assert_eq!(told.lock().unwrap().len(), 1, "the log tells of them by now");

    // The handler takes no notice: when the queue ends.
    let gate = Gate::closed();
    let queue = Queue::builder().capacity(2).overflow(Overflow::DropNewest).priority_level(Severity::CRITICAL);
    let (queue, guard) = queue.build_with_guard(gate.clone().min_level(Severity::ERROR)).unwrap();
    let (error_handler, told) = remembering();
    within(&dispatch(queue.into_layer().named("severe").error_handler(error_handler)), || {
        tracing::error!("in hand");
        gate.wait_for_one();
        (0..10).for_each(|_| tracing::info!("no room but for one"));
        gate.open();
        let error = guard.shutdown(LONG).unwrap_err().to_string();
        assert_eq!(error, "queue \"severe\": shutdown: 9 records lost");
    });
    assert_eq!(gate.messages(), ["in hand"]);
    assert_eq!(*told.lock().unwrap(), ["queue \"severe\": 9 records were lost, of which its own log does not tell"]);
}

#[test]
fn the_high_water_mark_never_falls_and_is_never_below_the_depth() {
    for looks in [true, false] {
        let gate = Gate::closed();
        let (queue, guard) = Queue::builder().capacity(100_000).build_with_guard(gate.clone()).unwrap();
        within(&dispatch(queue.into_layer()), || {
            tracing::info!("in hand");
            gate.wait_for_one();
            (0..9).for_each(|_| tracing::info!("waits"));
            if looks {
                let health = guard.stats();
                assert_eq!((health.depth, health.high_water), (10, 10));
            }
            gate.open();
            guard.flush(LONG).unwrap();
        });
        let health = guard.stats();
        assert_eq!((health.depth, health.high_water), (0, 10));
        assert!(health.bytes_high_water > 0);
    }
}

/// Also what waited only until the listener looked: it was busy with a flush, and nobody asked.
#[test]
fn the_high_water_mark_is_what_the_listener_finds() {
    /// Flushes when it may.
    struct Flushes(Mutex<std::sync::mpsc::Receiver<()>>, std::sync::mpsc::Sender<()>);
    impl Handler for Flushes {
        fn handle(&self, _: Delivery<'_>) -> Result<Outcome, Error> {
            Ok(Outcome::Written)
        }

        fn flush(&self, _: &Flush) -> Result<(), Error> {
            self.1.send(()).map_err(Error::new)?;
            // Nobody is there any more: at the end.
            self.0.lock().unwrap().recv().ok();
            Ok(())
        }
    }
    let (go_on, goes_on) = std::sync::mpsc::channel();
    let (flushes, is_flushing) = std::sync::mpsc::channel();
    let (queue, guard) =
        Queue::builder().capacity(100_000).build_with_guard(Flushes(Mutex::new(goes_on), flushes)).unwrap();
    within(&dispatch(queue.into_layer()), || {
        // Its batches grow.
        for _ in 0..40 {
            tracing::info!("one");
            go_on.send(()).unwrap();
            guard.flush(LONG).unwrap();
            is_flushing.recv().unwrap();
        }
        std::thread::scope(|scope| {
            let flush = scope.spawn(|| guard.flush(LONG));
            is_flushing.recv().unwrap();
            (0..1_000).for_each(|_| tracing::info!("waits"));
            go_on.send(()).unwrap();
            flush.join().unwrap().unwrap();
        });
        drop(go_on);
        guard.flush(LONG).unwrap();
    });
    assert_eq!(guard.stats().high_water, 1_000);
    guard.shutdown(LONG).unwrap();
}

#[test]
fn a_queue_is_called_what_its_place_is_called_unless_it_has_a_name() {
    let call = |builder: tracing_strata::handler::queue::QueueBuilder| {
        let gate = Gate::closed();
        let (queue, guard) = builder.overflow(Overflow::DropNewest).capacity(1).build_with_guard(gate.clone()).unwrap();
        within(&dispatch(queue.into_layer().error_handler(ErrorHandler::silent()).named("app")), || {
            tracing::info!("in hand");
            gate.wait_for_one();
            tracing::info!("no room");
            let error = guard.flush(Duration::from_millis(1)).unwrap_err().to_string();
            gate.open();
            guard.shutdown(LONG).unwrap();
            (error, gate.records()[1].get("queue").unwrap().to_string())
        })
    };
    let (error, notice) = call(Queue::builder());
    assert_eq!((&*error, &*notice), ("queue \"app\": flush: 1 record not written within 1ms", "app"));
    let (error, notice) = call(Queue::builder().name("own"));
    assert_eq!((&*error, &*notice), ("queue \"own\": flush: 1 record not written within 1ms", "own"));
}

#[test]
fn t11_a_shutdown_says_how_many_records_were_left() {
    let gate = Gate::closed();
    let queue = Queue::builder().name("stuck").overflow(Overflow::DropNewest);
    let (queue, guard) = queue.build_with_guard(gate.clone()).unwrap();
    let (error_handler, told) = remembering();
    let layer = queue.into_layer().error_handler(error_handler);
    let ledger = layer.ledger();
    let dispatch = dispatch(layer);
    within(&dispatch, || {
        tracing::info!("in hand");
        gate.wait_for_one();
        (0..10).for_each(|_| tracing::info!("waits"));
    });
    let error = guard.flush(Duration::from_millis(1)).unwrap_err().to_string();
    assert_eq!(error, "queue \"stuck\": flush: 11 records not written within 1ms");
    assert_eq!(ledger.stats().queued, 11, "a flush gives nothing up");
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
    let layer = Queue::builder().build(gate.clone()).unwrap().into_layer().error_handler(ErrorHandler::silent());
    within(&dispatch(layer), || tracing::info!("kept"));
    assert_eq!(gate.messages(), ["kept"]);
}

#[test]
fn a_dropped_guard_drains_and_gives_up_at_its_deadline() {
    let gate = Gate::default();
    let (queue, guard) = Queue::builder().build_with_guard(gate.clone()).unwrap();
    within(&dispatch(queue.into_layer()), || {
        (0..100).for_each(|_| tracing::info!("written"));
        drop(guard);
    });
    assert_eq!(gate.messages().len(), 100);

    let gate = Gate::closed();
    let drain = Duration::from_millis(100);
    let (queue, guard) = Queue::builder().flush_timeout(drain).build_with_guard(gate.clone()).unwrap();
    let layer = queue.into_layer().error_handler(ErrorHandler::silent());
    let ledger = layer.ledger();
    within(&dispatch(layer), || {
        (0..100).for_each(|_| tracing::info!("stuck"));
        let began = Instant::now();
        drop(guard);
        let waited = began.elapsed();
        assert!((drain..60 * drain).contains(&waited), "{waited:?}");
    });
    assert_eq!(ledger.stats().accepted(), 100);
    gate.open();
}

#[test]
fn a_failing_and_panicking_handler_is_counted_told_and_gone_on_with() {
    struct Moody;
    impl Handler for Moody {
        fn handle(&self, record: Delivery<'_>) -> Result<Outcome, Error> {
            match record.message() {
                "fail" => Err(Error::new("scripted")),
                "panic" => std::panic::resume_unwind(Box::new("scripted")),
                "drop" => Ok(Outcome::Dropped),
                "filter" => Ok(Outcome::Filtered),
                _ => Ok(Outcome::Written),
            }
        }

        fn flush(&self, _: &Flush) -> Result<(), Error> {
            std::panic::resume_unwind(Box::new("flush"))
        }
    }
    let (queue, guard) = Queue::builder().build_with_guard(Moody).unwrap();
    let (error_handler, told) = remembering();
    let layer = queue.into_layer().error_handler(error_handler);
    let ledger = layer.ledger();
    within(&dispatch(layer), || {
        for message in ["fail", "panic", "drop", "filter", "write"] {
            tracing::info!("{message}");
        }
        assert_eq!(guard.flush(LONG).unwrap_err().to_string(), "panicked in flush(): flush");
        assert_eq!(
            ledger.stats().to_string(),
            "5 accepted: 1 written, 1 filtered, 1 dropped, 2 failed, 0 queued (1 other errors)"
        );
        assert_eq!(
            told.lock().unwrap()[..3],
            ["scripted", "panicked in handle(): scripted", "panicked in flush(): flush"]
        );
    });
}

/// Logs and flushes when its thread ends.
struct AtTheEnd(RefCell<Option<(tracing::Dispatch, Arc<WorkerGuard>)>>);

thread_local! {
    static AT_THE_END: AtTheEnd = const { AtTheEnd(RefCell::new(None)) };
}

impl Drop for AtTheEnd {
    fn drop(&mut self) {
        if let Some((dispatch, guard)) = self.0.take() {
            within(&dispatch, || tracing::info!("at the end"));
            guard.flush(LONG).unwrap();
        }
    }
}

#[test]
fn t06_a_thread_local_logs_and_flushes_when_its_thread_ends() {
    for logs_first in [false, true] {
        let gate = Gate::default();
        let (queue, guard) = Queue::builder().build_with_guard(gate.clone()).unwrap();
        let guard = Arc::new(guard);
        let layer = queue.into_layer();
        let ledger = layer.ledger();
        let dispatch = dispatch(layer);
        let kept = (dispatch.clone(), Arc::clone(&guard));
        std::thread::spawn(move || {
            // Whichever thread-local is made first, one of the two runs finds the other gone.
            if logs_first {
                within(&kept.0, || tracing::info!("before"));
            }
            AT_THE_END.with(|end| *end.0.borrow_mut() = Some(kept));
            if !logs_first {
                AT_THE_END.with(|end| within(&end.0.borrow().as_ref().unwrap().0, || tracing::info!("before")));
            }
        })
        .join()
        .unwrap();
        guard.shutdown(LONG).unwrap();
        // `tracing` itself may be gone by then: what arrived was counted, and nothing hangs or panics.
        assert_eq!(ledger.stats().written as usize, gate.messages().len());
        assert_eq!(gate.messages()[0], "before");
    }
}

/// Under the global default, it is logged however late its thread-local goes.
#[test]
fn t06_the_last_record_of_a_thread_comes_last() {
    struct Last;

    impl Drop for Last {
        fn drop(&mut self) {
            tracing::info!("last");
            tracing::info!("very last");
        }
    }

    thread_local! { static LAST: RefCell<Option<Last>> = const { RefCell::new(None) } }

    crate::places::apart("queue::shutdown::t06_the_last_record_of_a_thread_comes_last", || {
        let gate = Gate::closed();
        let (queue, guard) = Queue::builder().build_with_guard(gate.clone()).unwrap();
        tracing::subscriber::set_global_default(tracing_subscriber::registry().with(queue.into_layer())).unwrap();
        tracing::info!("in hand");
        gate.wait_for_one();
        let work = || {
            // Made before its place at the queue: it goes after that.
            LAST.set(Some(Last));
            (0..2_000).for_each(|number| tracing::info!("{number}"));
        };
        std::thread::spawn(work).join().unwrap();
        gate.open();
        guard.shutdown(LONG).unwrap();
        let messages = gate.messages();
        assert_eq!(messages[messages.len() - 3..], ["1999", "last", "very last"], "{} records", messages.len());
    });
}

#[test]
fn t02_a_handler_that_logs_on_the_listener_does_not_feed_itself() {
    struct Chatty;
    impl Handler for Chatty {
        fn handle(&self, _: Delivery<'_>) -> Result<Outcome, Error> {
            tracing::info!("born on the listener");
            Ok(Outcome::Written)
        }
    }
    let (queue, guard) = Queue::builder().build_with_guard(Chatty).unwrap();
    let layer = queue.into_layer();
    let ledger = layer.ledger();
    let dispatch = dispatch(layer);
    within(&dispatch, || tracing::info!("outer"));
    guard.shutdown(LONG).unwrap();
    // (With a global default it is dropped and counted: the next test.)
    assert_eq!((ledger.stats().written, ledger.stats().queued), (1, 0));
}

/// Under the global default each record of its own would come back to it: no loop, nothing that hangs, all on the account.
#[test]
fn t02_under_the_global_default_what_a_handler_logs_on_the_listener_is_dropped_and_counted() {
    #[derive(Clone, Default)]
    struct Chatty(Arc<Mutex<Vec<String>>>);

    impl Handler for Chatty {
        fn handle(&self, record: Delivery<'_>) -> Result<Outcome, Error> {
            tracing::info!("born on the listener, of {}", record.message());
            self.0.lock().unwrap().push(record.message().to_owned());
            Ok(Outcome::Written)
        }
    }

    let test = "t02_under_the_global_default_what_a_handler_logs_on_the_listener_is_dropped_and_counted";
    crate::places::apart(&format!("queue::shutdown::{test}"), || {
        let (chatty, beside) = (Chatty::default(), Gate::default());
        let (queue, guard) = Queue::builder().build_with_guard(chatty.clone()).unwrap();
        let layer = queue.into_layer();
        let ledger = layer.ledger();
        let subscriber = tracing_subscriber::registry().with(layer).with(beside.clone().into_layer());
        tracing::subscriber::set_global_default(subscriber).unwrap();
        (0..100).for_each(|number| tracing::info!("{number}"));
        guard.shutdown(LONG).unwrap();
        let expected: Vec<_> = (0..100).map(|number| number.to_string()).collect();
        assert_eq!(*chatty.0.lock().unwrap(), expected);
        assert_eq!(beside.messages(), expected, "nothing of the listener's own, anywhere");
        let stats = ledger.stats();
        assert_eq!((stats.written, stats.dropped, stats.queued), (100, 100, 0), "{stats}");
    });
}

#[test]
fn a_handler_that_flushes_its_own_queue_does_not_wait_for_itself() {
    struct Own(Arc<std::sync::OnceLock<WorkerGuard>>);
    impl Handler for Own {
        fn handle(&self, _: Delivery<'_>) -> Result<Outcome, Error> {
            let own = "called on the queue's own thread";
            assert!(self.0.get().unwrap().flush(Duration::MAX).unwrap_err().to_string().contains(own));
            assert!(self.0.get().unwrap().shutdown(Duration::MAX).unwrap_err().to_string().contains(own));
            Ok(Outcome::Written)
        }
    }
    let cell = Arc::new(std::sync::OnceLock::new());
    let (queue, guard) = Queue::builder().build_with_guard(Own(Arc::clone(&cell))).unwrap();
    assert!(cell.set(guard).is_ok());
    let layer = queue.into_layer();
    let ledger = layer.ledger();
    within(&dispatch(layer), || {
        tracing::info!("once");
        cell.get().unwrap().shutdown(LONG).unwrap();
    });
    assert_eq!(ledger.stats().written, 1);
}
