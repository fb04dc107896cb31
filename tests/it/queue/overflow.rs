//! A full queue: who waits, what is lost, and that it is told.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use tracing_strata::{
    Delivery, Error, Handler, HandlerExt as _, Outcome, Queue, Severity, handler::queue::Overflow, ledger::ErrorHandler,
};

use super::support::{Gate, LONG, dispatch, within};

/// One record in the listener's hands, and `capacity - 1` places behind it.
fn full(overflow: Overflow, capacity: usize, log: impl FnOnce()) -> (Vec<String>, tracing_strata::ledger::Stats) {
    let gate = Gate::closed();
    let (queue, guard) = Queue::builder().capacity(capacity).overflow(overflow).build_with_guard(gate.clone()).unwrap();
    let layer = queue.into_layer().error_handler(ErrorHandler::silent());
    let ledger = layer.ledger();
    within(&dispatch(layer), || {
        tracing::info!("in hand");
        gate.wait_for_one();
        log();
        gate.open();
        guard.shutdown(LONG).unwrap();
    });
    assert_eq!(guard.stats().high_water, capacity);
    assert_eq!(guard.stats().lost.total(), ledger.stats().dropped);
    (gate.messages(), ledger.stats())
}

#[test]
fn t13_overflow_is_told_in_band() {
    let gate = Gate::closed();
    let (queue, guard) = Queue::builder()
        .name("tight")
        .capacity(4)
        .overflow(Overflow::DropNewest)
        .build_with_guard(gate.clone())
        .unwrap();
    let layer = queue.into_layer();
    let ledger = layer.ledger();
    within(&dispatch(layer), || {
        tracing::info!("in hand");
        gate.wait_for_one();
        for number in 0..8 {
            tracing::info!("{number}");
        }
        tracing::debug!("lost, too");
        gate.open();
        guard.flush(LONG).unwrap();
        tracing::info!("there is room again");
        guard.shutdown(LONG).unwrap();
    });
    assert_eq!(gate.messages(), ["in hand", "0", "1", "2", "6 records lost", "there is room again"]);
    let notice = &gate.records()[4];
    assert_eq!((notice.severity(), notice.target()), (Severity::WARN, "tracing_strata::queue"));
    let get = |name| notice.get(name).unwrap().to_string();
    assert_eq!([get("queue"), get("lost"), get("lost.info"), get("lost.debug")], ["tight", "6", "5", "1"]);
    assert!(get("from") <= get("to") && get("from").starts_with("20"), "{} {}", get("from"), get("to"));
    // The notice is a record of the handler, too.
    assert_eq!((ledger.stats().accepted(), ledger.stats().written, ledger.stats().dropped), (12, 6, 6));
}

#[test]
fn the_newest_or_the_oldest_is_dropped() {
    let log = || (0..6).for_each(|number| tracing::info!("{number}"));
    let (messages, stats) = full(Overflow::DropNewest, 3, log);
    assert_eq!(messages, ["in hand", "0", "1", "4 records lost"]);
    assert_eq!((stats.written, stats.dropped), (4, 4));
    let (messages, stats) = full(Overflow::DropOldest, 3, log);
    assert_eq!(messages, ["in hand", "4 records lost", "4", "5"], "where they would have been");
    assert_eq!((stats.written, stats.dropped), (4, 4));
}

/// Whichever lane it is in.
#[test]
fn the_oldest_of_all_threads_is_dropped() {
    let gate = Gate::closed();
    let (queue, guard) =
        Queue::builder().capacity(5).overflow(Overflow::DropOldest).build_with_guard(gate.clone()).unwrap();
    let dispatch = dispatch(queue.into_layer());
    let log = |message: &str| within(&dispatch, || tracing::info!("{message}"));
    log("in hand");
    gate.wait_for_one();
    let (other, turns) = std::sync::mpsc::sync_channel::<&str>(0);
    let (done, is_done) = std::sync::mpsc::sync_channel(0);
    thread::scope(|scope| {
        scope.spawn(move || {
            for message in turns {
                log(message);
                done.send(()).unwrap();
            }
        });
        let beside = |message| {
            other.send(message).unwrap();
            is_done.recv().unwrap();
        };
        // The oldest is now in one lane, now in the other.
        log("a0");
        beside("b1");
        beside("b2");
        log("a3");
        log("for a0");
        beside("for b1");
        assert_eq!(guard.stats().lost.total(), 2);
        gate.open();
        drop(other);
    });
    guard.shutdown(LONG).unwrap();
    // Between threads, the order is that of batches.
    let mut messages: Vec<_> = gate.messages().into_iter().filter(|message| !message.ends_with("lost")).collect();
    messages.sort();
    assert_eq!(messages, ["a3", "b2", "for a0", "for b1", "in hand"]);
}

/// Before each batch, and before each record of it, more are lost.
#[test]
fn losses_are_told_once_a_second_while_there_are_always_more() {
    use std::sync::{Mutex, mpsc};
    /// Has the caller log on with each record, and does not go on before.
    struct Insatiable(mpsc::SyncSender<()>, Mutex<mpsc::Receiver<()>>, Gate);
    impl Handler for Insatiable {
        fn handle(&self, record: Delivery<'_>) -> Result<Outcome, Error> {
            if record.message() == "too many" && self.0.send(()).is_ok() {
                self.1.lock().unwrap().recv().ok();
            }
            self.2.handle(record)
        }
    }
    let (more, wants_more) = mpsc::sync_channel(0);
    let (logged, has_logged) = mpsc::sync_channel(0);
    let gate = Gate::default();
    let insatiable = Insatiable(more, Mutex::new(has_logged), gate.clone());
    let (queue, guard) =
        Queue::builder().capacity(8).overflow(Overflow::DropNewest).build_with_guard(insatiable).unwrap();
    let began = Instant::now();
    within(&dispatch(queue.into_layer()), || {
        tracing::info!("too many");
        for _ in 0..500 {
            wants_more.recv().unwrap();
            (0..20).for_each(|_| tracing::info!("too many"));
            logged.send(()).unwrap();
        }
        drop((wants_more, logged));
        guard.shutdown(LONG).unwrap();
    });
    let told: Vec<_> = gate.records().into_iter().filter(|record| record.message().ends_with(" lost")).collect();
    let lost: u64 = told.iter().map(|record| record.get("lost").unwrap().as_u64().unwrap()).sum();
    assert_eq!(lost, guard.stats().lost.total());
    assert!(lost > 5_000, "{lost}");
    // Those of the last second, at the end.
    assert!(told.len() as u64 <= began.elapsed().as_secs() + 2, "{} notices", told.len());
}

/// Wherever the sink is in its work, callers go on.
#[test]
fn a_slow_sink_never_holds_up_a_caller_that_drops() {
    struct Slow(std::sync::mpsc::SyncSender<()>, std::sync::Mutex<std::sync::mpsc::Receiver<()>>);
    impl Handler for Slow {
        fn handle(&self, _: Delivery<'_>) -> Result<Outcome, Error> {
            // In hand; then as long as it takes callers to do their work.
            self.0.send(()).ok();
            self.1.lock().unwrap().recv().ok();
            Ok(Outcome::Written)
        }
    }
    for overflow in [Overflow::DropNewest, Overflow::DropOldest] {
        let (in_hand, is_in_hand) = std::sync::mpsc::sync_channel(0);
        let (go_on, goes_on) = std::sync::mpsc::sync_channel(0);
        let slow = Slow(in_hand, std::sync::Mutex::new(goes_on));
        let (queue, guard) = Queue::builder().capacity(16).overflow(overflow).build_with_guard(slow).unwrap();
        let dispatch = dispatch(queue.into_layer());
        within(&dispatch, || tracing::info!("first"));
        for _ in 0..40 {
            is_in_hand.recv().unwrap();
            // Would one of them wait for the record in hand, nothing would ever go on.
            thread::scope(|scope| {
                for _ in 0..2 {
                    scope.spawn(|| {
                        within(&dispatch, || {
                            (0..50).for_each(|_| tracing::info!("on and on"));
                            tracing::error!("severe");
                        });
                    });
                }
            });
            go_on.send(()).unwrap();
        }
        assert!(guard.stats().lost.total() > 2_000, "{}", guard.stats());
        drop((is_in_hand, go_on));
        guard.shutdown(LONG).unwrap();
    }
}

#[test]
fn errors_are_not_dropped_while_others_can_be() {
    let log = || {
        tracing::info!("i0");
        tracing::error!("e0");
        tracing::info!("i1");
        // Full from here on.
        tracing::error!("e1");
        tracing::info!("i2");
        tracing::error!("e2");
        // Errors alone.
        tracing::info!("i3");
        tracing::error!("e3");
    };
    let (messages, _) = full(Overflow::DropNewest, 4, log);
    assert_eq!(messages, ["in hand", "5 records lost", "e0", "e1", "e2"]);
    let (messages, _) = full(Overflow::DropOldest, 4, log);
    assert_eq!(messages, ["in hand", "5 records lost", "e1", "e2", "e3"]);
}

/// A large record in the listener's hands and fifty small ones behind it, in 100 KB; then one of so many bytes comes.
fn behind_a_large_one(overflow: Overflow, bytes: usize, is_severe: bool) -> (Vec<String>, u64) {
    let gate = Gate::closed();
    let (queue, guard) = Queue::builder().max_bytes(100_000).overflow(overflow).build_with_guard(gate.clone()).unwrap();
    within(&dispatch(queue.into_layer()), || {
        let text = "x".repeat(60_000);
        tracing::info!(text, "in hand");
        gate.wait_for_one();
        (0..50).for_each(|number| tracing::info!("{number}"));
        let text = "x".repeat(bytes);
        if is_severe {
            tracing::error!(text, "large")
        } else {
            tracing::info!(text, "large")
        }
        gate.open();
        guard.shutdown(LONG).unwrap();
    });
    (gate.messages(), guard.stats().lost.total())
}

#[test]
fn nothing_is_given_up_for_a_record_that_does_not_fit_even_so() {
    let patient = Overflow::block_for(Duration::from_millis(1));
    for (overflow, is_severe) in [(Overflow::DropOldest, false), (Overflow::DropNewest, true), (patient, true)] {
        let (messages, lost) = behind_a_large_one(overflow, 50_000, is_severe);
        assert_eq!(lost, 1, "{overflow:?}: {messages:?}");
        let small: Vec<_> = messages.iter().filter(|message| message.parse::<u8>().is_ok()).collect();
        assert_eq!(small.len(), 50, "{overflow:?}: {messages:?}");
        // Where it helps, as many as it takes.
        let (messages, lost) = behind_a_large_one(overflow, 30_000, is_severe);
        assert!((1..50).contains(&lost), "{overflow:?}: {messages:?}");
        assert!(messages.contains(&"large".to_owned()), "{overflow:?}: {messages:?}");
    }
}

/// What a severe one may take the place of, and what not.
#[test]
fn only_what_may_be_given_up_counts_as_room() {
    for (overflow, is_given_up) in [(Overflow::DropNewest, false), (Overflow::DropOldest, true)] {
        let gate = Gate::closed();
        let (queue, guard) =
            Queue::builder().max_bytes(100_000).overflow(overflow).build_with_guard(gate.clone()).unwrap();
        within(&dispatch(queue.into_layer()), || {
            let text = "x".repeat(45_000);
            tracing::info!("in hand");
            gate.wait_for_one();
            tracing::info!("plain");
            tracing::error!(text, "severe");
            tracing::error!(text, "severe, too");
            let text = "x".repeat(15_000);
            tracing::error!(text, "last");
            gate.open();
            guard.shutdown(LONG).unwrap();
        });
        let expected = if is_given_up { ["severe, too", "last"] } else { ["plain", "severe"] };
        assert!(
            expected.iter().all(|message| gate.messages().iter().any(|other| other == message)),
            "{:?}",
            gate.messages()
        );
        assert_eq!(guard.stats().lost.total(), if is_given_up { 2 } else { 1 }, "{overflow:?}");
    }
}

#[test]
fn t13_a_thousand_records_of_a_megabyte_stay_under_the_cap() {
    let gate = Gate::closed();
    let (queue, guard) =
        Queue::builder().max_bytes(16 << 20).overflow(Overflow::DropOldest).build_with_guard(gate.clone()).unwrap();
    let layer = queue.into_layer().value_limit(2 << 20);
    let ledger = layer.ledger();
    let text = "x".repeat(1 << 20);
    within(&dispatch(layer), || {
        for _ in 0..1_000 {
            tracing::info!(text);
        }
        let health = guard.stats();
        assert!(health.bytes_high_water <= 16 << 20 && health.bytes > 14 << 20, "{health:?}");
        assert!(health.depth <= 15 && health.lost.total() >= 985, "{health}");
        gate.open();
        guard.shutdown(LONG).unwrap();
    });
    // Two, if the listener came so late that there were losses before its first record.
    let notices = gate.messages().iter().filter(|message| message.ends_with(" lost")).count() as u64;
    assert!((1..=2).contains(&notices), "{notices}");
    assert_eq!(ledger.stats().accepted(), 1_000 + notices);
}

#[test]
fn a_record_that_is_larger_than_the_queue_is_lost_whatever_the_policy() {
    for overflow in [Overflow::BLOCK, Overflow::DropNewest, Overflow::DropOldest] {
        let gate = Gate::default();
        let (queue, guard) =
            Queue::builder().max_bytes(8 << 10).overflow(overflow).build_with_guard(gate.clone()).unwrap();
        within(&dispatch(queue.into_layer()), || {
            tracing::info!("{}", "x".repeat(9 << 10));
            tracing::info!("small");
            guard.shutdown(LONG).unwrap();
        });
        assert!(gate.messages().contains(&"1 record lost".to_owned()) && gate.messages().contains(&"small".to_owned()));
    }
}

#[test]
fn a_caller_that_blocks_waits_for_its_deadline_and_no_longer() {
    let log = || {
        tracing::info!("0");
        tracing::info!("lost");
        tracing::error!("comes in the place of another");
    };
    let (messages, stats) = full(Overflow::block_for(Duration::from_millis(2)), 2, log);
    assert_eq!(messages, ["in hand", "2 records lost", "comes in the place of another"]);
    assert_eq!(stats.dropped, 2);
}

#[test]
fn nothing_is_lost_where_callers_wait_and_each_threads_order_is_kept() {
    const EACH: u64 = 5_000;
    for capacity in [1, 2, 7, 8_192] {
        let gate = Gate::default();
        let (queue, guard) = Queue::builder().capacity(capacity).build_with_guard(gate.clone()).unwrap();
        let layer = queue.into_layer();
        let ledger = layer.ledger();
        let dispatch = dispatch(layer);
        thread::scope(|scope| {
            for thread in 0..4_u64 {
                let dispatch = dispatch.clone();
                scope.spawn(move || {
                    within(&dispatch, || (0..EACH).for_each(|number| tracing::info!(thread, number, "n")));
                });
            }
        });
        guard.shutdown(LONG).unwrap();
        let mut next = [0; 4];
        for record in gate.records() {
            let number = |name| record.get(name).unwrap().as_u64().unwrap();
            let expected = &mut next[number("thread") as usize];
            assert_eq!(number("number"), *expected);
            *expected += 1;
        }
        assert_eq!((next, ledger.stats().written), ([EACH; 4], 4 * EACH));
        let health = guard.stats();
        assert!(health.high_water <= capacity && health.depth == 0 && health.bytes == 0, "{health}");
    }
}

#[test]
fn a_sink_that_stands_still_never_delays_a_caller_that_drops() {
    for overflow in [Overflow::DropNewest, Overflow::DropOldest] {
        let gate = Gate::closed();
        let (queue, guard) = Queue::builder().capacity(64).overflow(overflow).build_with_guard(gate.clone()).unwrap();
        let guard = Arc::new(guard);
        let layer = queue.into_layer();
        let ledger = layer.ledger();
        let dispatch = dispatch(layer);
        within(&dispatch, || tracing::info!("in hand"));
        gate.wait_for_one();
        // It would never end.
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| within(&dispatch, || (0..10_000).for_each(|_| tracing::info!("on and on"))));
            }
        });
        let stats = ledger.stats();
        assert_eq!((stats.accepted(), stats.queued), (30_001, 64));
        assert_eq!(guard.stats().depth, 64);
        assert!(guard.stats().oldest_age.is_some());
        gate.open();
        guard.shutdown(LONG).unwrap();
        assert_eq!((ledger.stats().accepted(), ledger.stats().written), (30_002, 65));
    }
}

#[test]
fn t12_the_account_is_right_at_every_moment() {
    let gate = Gate::default();
    let (queue, guard) = Queue::builder().capacity(16).build_with_guard(gate).unwrap();
    let layer = queue.into_layer();
    let ledger = layer.ledger();
    within(&dispatch(layer), || {
        for logged in 1..=2_000 {
            tracing::info!("counted");
            assert_eq!(ledger.stats().accepted(), logged);
        }
        guard.shutdown(LONG).unwrap();
        assert_eq!((ledger.stats().written, ledger.stats().queued), (2_000, 0));
    });
}

/// Looked at from elsewhere, while records are put, lost, failed and written.
#[test]
fn t12_the_account_is_right_whenever_anybody_looks() {
    #[derive(Clone, Default)]
    struct Moody {
        records: Arc<AtomicU64>,
        notices: Arc<AtomicU64>,
    }
    impl Handler for Moody {
        fn handle(&self, record: Delivery<'_>) -> Result<Outcome, Error> {
            if record.target() == "tracing_strata::queue" {
                self.notices.fetch_add(1, Ordering::SeqCst);
            }
            match self.records.fetch_add(1, Ordering::Relaxed) % 5 {
                0 => Err(Error::new("scripted")),
                1 => Ok(Outcome::Dropped),
                2 => Ok(Outcome::Filtered),
                _ => Ok(Outcome::Written),
            }
        }
    }
    for overflow in [Overflow::BLOCK, Overflow::DropOldest, Overflow::DropNewest] {
        let moody = Moody::default();
        let (queue, guard) = Queue::builder().capacity(600).overflow(overflow).build_with_guard(moody.clone()).unwrap();
        let layer = queue.into_layer().error_handler(ErrorHandler::silent());
        let ledger = layer.ledger();
        let dispatch = dispatch(layer);
        let (begun, done) = (AtomicU64::new(0), AtomicU64::new(0));
        let mut looks = 0;
        thread::scope(|scope| {
            let callers = [(); 2].map(|()| {
                scope.spawn(|| {
                    within(&dispatch, || {
                        for _ in 0..20_000 {
                            begun.fetch_add(1, Ordering::SeqCst);
                            tracing::info!("counted");
                            done.fetch_add(1, Ordering::SeqCst);
                        }
                    });
                })
            });
            let mut before = 0;
            while !callers.iter().all(|caller| caller.is_finished()) {
                let least = done.load(Ordering::SeqCst);
                let stats = ledger.stats();
                // Notices of losses are on the account, too; the next one may be just before the handler.
                let most = begun.load(Ordering::SeqCst) + moody.notices.load(Ordering::SeqCst) + 1;
                let accepted = stats.written + stats.filtered + stats.dropped + stats.failed + stats.queued;
                assert_eq!(accepted, stats.accepted());
                assert!((least..=most).contains(&accepted), "{least}..={most}: {stats}");
                assert!(accepted >= before, "{before}: {stats}");
                before = accepted;
                looks += 1;
            }
        });
        assert!(looks > 0);
        guard.shutdown(LONG).unwrap_or_default();
        assert_eq!((ledger.stats().queued, guard.stats().depth), (0, 0));
    }
}

#[test]
fn limits_of_nothing_are_refused() {
    let error = |builder: tracing_strata::handler::queue::QueueBuilder| {
        let error = builder.name("q").build(tracing_strata::output::Null).unwrap_err();
        assert!(error.is_config());
        error.to_string()
    };
    assert_eq!(error(Queue::builder().capacity(0)), "queue \"q\": capacity: expected 1 or more, got 0");
    assert_eq!(error(Queue::builder().max_bytes(0)), "queue \"q\": max_bytes: expected 1 or more, got 0");
    let every = Queue::builder().report_every(Duration::ZERO);
    assert_eq!(error(every), "queue \"q\": report_every: expected some time, got 0");
}
