//! `MemoryBuffer`, rule by rule of CPython's `MemoryHandler` (BEHAVIOURS 22), and its bounds.

use std::{
    sync::{
        Arc, Barrier, Mutex, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use tracing::{debug, error, info, warn};
use tracing_strata::{
    Delivery, Error, Flush, Handler, HandlerExt as _, MemoryBuffer, NamedHandler, Outcome, Record, Severity, Tee,
    Value,
    clock::ManualClock,
    ledger::{ErrorHandler, Stats},
};
use tracing_subscriber::{Layer as _, filter::LevelFilter};

use super::Messages;
use crate::{
    places::remembering,
    support::{MemoryBuffer as Records, with_layer},
};

fn in_layer(memory: &Arc<MemoryBuffer>, run: impl FnOnce()) -> Stats {
    let layer = memory.clone().into_layer();
    let ledger = layer.ledger();
    with_layer(layer, run);
    ledger.stats()
}

/// Runs inside a layer that stays until the end of the closure, which gets the ledger.
fn watched(memory: &Arc<MemoryBuffer>, run: impl FnOnce(&dyn Fn() -> Stats)) {
    let layer = memory.clone().into_layer();
    let ledger = layer.ledger();
    with_layer(layer, || run(&|| ledger.stats()));
}

#[test]
fn rule_22_1_a_full_memory_hands_on() {
    let to = Messages::default();
    let memory = Arc::new(MemoryBuffer::new(3).target(to.clone()));
    watched(&memory, |stats| {
        info!("1");
        info!("2");
        assert_eq!((to.take().len(), memory.len(), stats().queued), (0, 2, 2));
        info!("3");
        assert_eq!((to.take(), memory.len()), (vec!["1".into(), "2".into(), "3".into()], 0));
        info!("4");
        assert_eq!((to.take().len(), memory.len()), (0, 1));
        assert_eq!((stats().written, stats().queued, stats().accepted()), (3, 1, 4));
    });
}

#[test]
fn rule_22_1_a_severe_record_hands_on_and_is_part_of_it() {
    let to = Messages::default();
    let memory = Arc::new(MemoryBuffer::new(100).target(to.clone()));
    watched(&memory, |_| {
        info!("1");
        warn!("2");
        assert!(to.take().is_empty());
        error!("3");
        assert_eq!(to.take(), ["1", "2", "3"]);
    });
    let memory = Arc::new(MemoryBuffer::new(100).flush_at(Severity::WARN).target(to.clone()));
    watched(&memory, |_| {
        info!("1");
        warn!("2");
        assert_eq!(to.take(), ["1", "2"]);
    });
    let memory = Arc::new(MemoryBuffer::new(100).flush_at(Severity::OFF).target(to.clone()));
    watched(&memory, |_| {
        tracing_strata::critical!("1");
        assert!(to.take().is_empty());
    });
}

#[test]
fn rule_22_2_a_flush_hands_on_in_order_and_empties() {
    let to = Messages::default();
    let memory = Arc::new(MemoryBuffer::new(100).target(to.clone()));
    watched(&memory, |stats| {
        (0..5).for_each(|number| info!("{number}"));
        memory.flush(&Flush::PLAIN).unwrap();
        assert_eq!(to.take(), ["0", "1", "2", "3", "4"]);
        memory.flush(&Flush::PLAIN).unwrap();
        assert!(to.take().is_empty() && memory.is_empty());
        assert_eq!((stats().written, stats().queued), (5, 0));
    });
}

#[test]
fn rule_22_3_the_targets_filters_count_and_its_level_does_not() {
    let to = Messages::default();
    let target = to.clone().filter(|record: &Record| record.message() != "filtered").named("target");
    target.set_level(Severity::CRITICAL);
    let memory = Arc::new(MemoryBuffer::new(1).target(target.clone()));
    watched(&memory, |stats| {
        info!("below the level that was set");
        info!("filtered");
        // Both were handed on; what became of them is on its account as on the target's own.
        assert_eq!((stats().written, stats().filtered), (1, 1));
    });
    assert_eq!(to.take(), ["below the level that was set"]);
    assert_eq!((target.stats().written, target.stats().filtered), (1, 1));
    // A level that the handler was made with is a filter of its own.
    let memory = Arc::new(MemoryBuffer::new(1).target(to.clone().min_level(Severity::WARN)));
    watched(&memory, |_| info!("below the level it was made with"));
    assert!(to.take().is_empty());
}

#[test]
fn rule_22_4_it_hands_on_when_it_ends() {
    let to = Messages::default();
    let memory = Arc::new(MemoryBuffer::new(100).target(to.clone()));
    assert_eq!(in_layer(&memory, || info!("1")).written, 1);
    assert_eq!(to.take(), ["1"]);

    // Without a layer around it.
    let layer = MemoryBuffer::new(100).target(to.clone()).named("memory");
    let ledger = layer.ledger();
    with_layer(layer.clone().into_layer(), || info!("2"));
    drop(layer);
    assert_eq!((to.take().len(), ledger.stats().written), (1, 1));
}

#[test]
fn rule_22_4_unless_it_is_not_to() {
    let to = Messages::default();
    let memory = MemoryBuffer::new(100).target(to.clone()).flush_on_close(false).named("memory");
    let tee = Tee::new().with_named(memory.clone());
    let ledger = memory.ledger();
    with_layer(tee.into_layer(), || {
        info!("1");
        // What `flush_all` asks of each handler.
        Handler::flush(&memory, &Flush::LAST).unwrap();
        assert_eq!(ledger.stats().queued, 1);
    });
    assert_eq!((to.take().len(), ledger.stats().queued), (0, 1));
    drop(memory);
    assert_eq!((ledger.stats().queued, ledger.stats().dropped, ledger.stats().accepted()), (0, 1, 1));
    assert!(to.take().is_empty());

    // A plain flush is another thing.
    let memory = Arc::new(MemoryBuffer::new(100).target(to.clone()).flush_on_close(false));
    watched(&memory, |_| {
        info!("2");
        memory.flush(&Flush::PLAIN).unwrap();
    });
    assert_eq!(to.take(), ["2"]);
}

#[test]
fn rule_22_5_without_a_target_it_grows_past_its_capacity() {
    let memory = Arc::new(MemoryBuffer::new(2));
    watched(&memory, |stats| {
        (0..9).for_each(|number| error!("{number}"));
        memory.flush(&Flush::PLAIN).unwrap();
        assert_eq!((memory.len(), stats().queued), (9, 9));
        // Rule 22.6: a target at any time.
        let to = Messages::default();
        memory.set_target(to.clone());
        assert_eq!(to.take().len(), 0);
        info!("the next one finds it full");
        assert_eq!((to.take().len(), memory.len()), (10, 0));
    });
}

#[test]
fn rule_22_6_the_target_changes_at_any_time() {
    let (first, second) = (Messages::default(), Messages::default());
    let memory = Arc::new(MemoryBuffer::new(100).target(first.clone()));
    watched(&memory, |_| {
        info!("1");
        memory.set_target(second.clone().named("second"));
        memory.flush(&Flush::PLAIN).unwrap();
        memory.clear_target();
        info!("2");
        memory.flush(&Flush::PLAIN).unwrap();
        assert_eq!((first.take().len(), second.take(), memory.len()), (0, vec!["1".to_owned()], 1));
        memory.set_target(first.clone());
    });
    assert_eq!(first.take(), ["2"]);
}

#[test]
fn rule_22_7_a_capacity_of_zero_or_one_hands_on_each() {
    for capacity in [0, 1] {
        let to = Messages::default();
        let memory = Arc::new(MemoryBuffer::new(capacity).target(to.clone()));
        watched(&memory, |_| {
            debug!("1");
            assert_eq!(to.take(), ["1"]);
        });
    }
}

#[test]
fn rule_22_8_the_flush_level_may_be_a_name() {
    let to = Messages::default();
    let named: Severity = "WARNING".parse().unwrap();
    let memory = Arc::new(MemoryBuffer::new(100).flush_at(named).target(to.clone()));
    watched(&memory, |_| {
        warn!("1");
        assert_eq!(to.take(), ["1"]);
    });
}

#[test]
fn rule_22_9_records_keep_their_own_time_and_context() {
    let (clock, to) = (ManualClock::at(1_000), Records::default());
    let memory = Arc::new(MemoryBuffer::new(100).target(to.clone()));
    with_layer(memory.clone().into_layer().clock(clock.clone()), || {
        tracing::info_span!("request", id = 7).in_scope(|| info!("early"));
        clock.advance(Duration::from_secs(60));
        error!("late");
    });
    let records = to.take();
    assert_eq!(records[1].time().duration_since(records[0].time()).unwrap(), Duration::from_secs(60));
    assert_eq!(records[0].get("id"), Some(Value::I64(7)));
}

#[test]
fn t70_a_memory_is_bounded_in_bytes() {
    let to = Records::default();
    let memory = Arc::new(MemoryBuffer::new(usize::MAX).max_bytes(100_000));
    let text = "x".repeat(10_000);
    watched(&memory, |stats| {
        for _ in 0..1_000 {
            info!(text, "big");
            assert!(memory.bytes() <= 100_000);
        }
        let (held, dropped) = (stats().queued, stats().dropped);
        assert_eq!((held + dropped, memory.len() as u64), (1_000, held));
        assert!((5..10).contains(&held), "{held}");
        // With a target it hands on instead, and tells first what it lost.
        memory.set_target(to.clone());
        info!("after");
        memory.flush(&Flush::PLAIN).unwrap();
        let records = to.take();
        assert_eq!(records.len() as u64, held + 2);
        assert_eq!(records[0].get("lost").and_then(|lost| lost.as_u64()), Some(dropped));
        assert_eq!(records[0].severity(), Severity::WARN);
        for _ in 0..100 {
            info!(text, "big");
        }
        memory.flush(&Flush::PLAIN).unwrap();
        assert_eq!((to.take().len(), stats().dropped), (100, dropped));
    });
}

#[test]
fn a_record_larger_than_all_goes_to_the_target_or_is_lost() {
    let to = Records::default();
    let memory = Arc::new(MemoryBuffer::new(10).max_bytes(1_000));
    let text = "x".repeat(10_000);
    watched(&memory, |stats| {
        info!(text, "no target");
        assert_eq!((memory.len(), stats().dropped), (0, 1));
        memory.set_target(to.clone());
        info!(text, "target");
        assert_eq!(to.take().len(), 2);
    });
}

#[test]
fn a_failing_target_is_told_in_its_own_name() {
    let (error_handler, told) = remembering();
    struct Failing;
    impl Handler for Failing {
        fn handle(&self, _: Delivery<'_>) -> Result<Outcome, Error> {
            Err(Error::new("scripted"))
        }
        fn flush(&self, _: &Flush) -> Result<(), Error> {
            Err(Error::new("cannot flush"))
        }
    }
    let target = NamedHandler::with_error_handler("target", Failing, error_handler);
    let memory = Arc::new(MemoryBuffer::new(2).target(target.clone()));
    let layer = memory.clone().into_layer().error_handler(ErrorHandler::silent());
    let ledger = layer.ledger();
    let stats = || ledger.stats();
    with_layer(layer, || {
        info!("1");
        info!("2");
        assert_eq!((stats().written, stats().failed, target.stats().failed), (0, 2, 2));
        assert_eq!(memory.flush(&Flush::PLAIN).unwrap_err().to_string(), "cannot flush");
    });
    assert_eq!(told.lock().unwrap()[..2], ["scripted", "scripted"]);
}

/// Waits in its first record until it is let go.
struct Gate {
    to: Messages,
    entered: mpsc::SyncSender<()>,
    go: Mutex<mpsc::Receiver<()>>,
    first: AtomicBool,
}

impl Gate {
    fn new(to: &Messages) -> (Self, mpsc::Receiver<()>, mpsc::SyncSender<()>) {
        let (entered, is_entered) = mpsc::sync_channel(1);
        let (go, goes) = mpsc::sync_channel(1);
        (Self { to: to.clone(), entered, go: Mutex::new(goes), first: AtomicBool::new(true) }, is_entered, go)
    }
}

impl Handler for Gate {
    fn handle(&self, record: Delivery<'_>) -> Result<Outcome, Error> {
        if self.first.swap(false, Ordering::SeqCst) {
            self.entered.send(()).unwrap();
            self.go.lock().unwrap().recv().unwrap();
        }
        self.to.handle(record)
    }
}

/// The thread that hands on stands still; `meanwhile` runs on another.
fn while_it_hands_on(
    memory: MemoryBuffer,
    meanwhile: impl FnOnce(&MemoryBuffer, &dyn Fn() -> Stats),
) -> (Vec<String>, Stats) {
    let to = Messages::default();
    let (gate, entered, go) = Gate::new(&to);
    let memory = Arc::new(memory.target(gate));
    let layer = memory.clone().into_layer();
    let ledger = layer.ledger();
    let dispatch = tracing::Dispatch::new(tracing_subscriber::layer::SubscriberExt::with(
        tracing_subscriber::registry(),
        layer.with_filter(LevelFilter::TRACE),
    ));
    thread::scope(|scope| {
        let first = scope.spawn(|| tracing::dispatcher::with_default(&dispatch, || error!("first")));
        entered.recv().unwrap();
        tracing::dispatcher::with_default(&dispatch, || meanwhile(&memory, &|| ledger.stats()));
        go.send(()).unwrap();
        first.join().unwrap();
    });
    drop(dispatch);
    crate::support::let_go();
    (to.take(), ledger.stats())
}

#[test]
fn others_go_on_while_one_hands_on_and_the_order_is_kept() {
    let (messages, stats) = while_it_hands_on(MemoryBuffer::new(100), |memory, stats| {
        info!("second");
        error!("third");
        info!("fourth");
        assert_eq!((memory.len(), stats().accepted()), (3, 4));
    });
    assert_eq!(messages, ["first", "second", "third", "fourth"]);
    assert_eq!((stats.written, stats.queued), (4, 0));
}

#[test]
fn waiting_for_one_that_hands_on_has_a_deadline() {
    let short = MemoryBuffer::new(100).max_bytes(4_000).timeout(Duration::from_millis(1));
    let (messages, stats) = while_it_hands_on(short, |memory, stats| {
        assert!(memory.flush(&Flush::PLAIN).unwrap_err().to_string().contains("still handing on"));
        (0..100).for_each(|number| info!("{number}"));
        assert!(memory.bytes() <= 4_000 && stats().dropped > 0);
        assert_eq!(stats().accepted(), 101);
    });
    // The first, those that had room, and the notice before them.
    assert_eq!((messages.len() as u64, stats.queued), (stats.written + 1, 0));
    assert_eq!(messages.last().unwrap(), "99");
    assert!(messages[1].ends_with("no room") && messages[1].starts_with(&stats.dropped.to_string()), "{}", messages[1]);
}

#[test]
fn the_deadline_of_waiting_is_kept_to() {
    const PATIENCE: Duration = Duration::from_millis(200);
    /// Hanging is a defect, and being slow is none.
    const FAR_TOO_LONG: Duration = Duration::from_secs(10);
    let memory = MemoryBuffer::new(100).max_bytes(4_000).timeout(PATIENCE);
    let mut waits = Vec::new();
    while_it_hands_on(memory, |memory, stats| {
        let began = Instant::now();
        waits.push((memory.flush(&Flush::PLAIN).is_err(), began.elapsed()));
        let mut began = Instant::now();
        while stats().dropped == 0 {
            began = Instant::now();
            info!("needs room");
        }
        waits.push((true, began.elapsed()));
    });
    // Not before: a panic in there would leave the other thread waiting.
    assert_eq!(waits.len(), 2);
    assert!(waits.iter().all(|(failed, lasted)| *failed && (PATIENCE..FAR_TOO_LONG).contains(lasted)), "{waits:?}");
}

#[test]
fn a_target_may_log_flush_and_change_the_target() {
    struct Nosy(OnceLock<Arc<MemoryBuffer>>, AtomicU64);
    impl Handler for Nosy {
        fn handle(&self, _: Delivery<'_>) -> Result<Outcome, Error> {
            self.1.fetch_add(1, Ordering::Relaxed);
            let memory = self.0.get().unwrap();
            info!("born in the target");
            memory.flush(&Flush::PLAIN)?;
            memory.set_target(tracing_strata::output::Null);
            Ok(Outcome::Written)
        }
    }
    let nosy = Arc::new(Nosy(OnceLock::new(), AtomicU64::new(0)));
    let memory = Arc::new(MemoryBuffer::new(2).target(nosy.clone()));
    nosy.0.set(memory.clone()).ok();
    watched(&memory, |stats| {
        info!("1");
        info!("2");
        assert_eq!(nosy.1.load(Ordering::Relaxed), 2);
        // What the target logs is not seen at all under a scoped default, and dropped by this handler under a global one.
        assert_eq!((stats().written, stats().queued), (2, 0));
    });
}

#[test]
fn one_memory_in_two_layers_loses_nothing() {
    let to = Messages::default();
    let (error_handler, failures) = ErrorHandler::counting();
    let memory = Arc::new(MemoryBuffer::new(4).target(to.clone()));
    let (one, two) = (
        memory.clone().into_layer().error_handler(error_handler.clone()),
        memory.clone().into_layer().error_handler(error_handler),
    );
    let ledgers = [one.ledger(), two.ledger()];
    use tracing_subscriber::layer::SubscriberExt as _;
    tracing::subscriber::with_default(tracing_subscriber::registry().with(one).with(two), || {
        (0..8).for_each(|_| info!("m"));
    });
    assert_eq!((to.take().len(), failures.load(Ordering::Relaxed)), (16, 0));
    // Whose a record is cannot be told while it is held: it counts as written.
    assert!(ledgers.iter().all(|ledger| (ledger.stats().written, ledger.stats().queued) == (8, 0)));
}

#[test]
fn threads_keep_their_own_order() {
    let to = Messages::default();
    let memory = Arc::new(MemoryBuffer::new(7).target(to.clone()));
    let layer = memory.clone().into_layer();
    let ledger = layer.ledger();
    use tracing_subscriber::layer::SubscriberExt as _;
    let dispatch = tracing::Dispatch::new(tracing_subscriber::registry().with(layer));
    let start = Barrier::new(3);
    thread::scope(|scope| {
        for thread in 0..3 {
            let (dispatch, start) = (&dispatch, &start);
            scope.spawn(move || {
                tracing::dispatcher::with_default(dispatch, || {
                    start.wait();
                    (0..2_000).for_each(|number| info!("{thread} {number}"));
                });
            });
        }
    });
    drop(dispatch);
    crate::support::let_go();
    let messages = to.take();
    assert_eq!((messages.len(), ledger.stats().written, ledger.stats().queued), (6_000, 6_000, 0));
    for thread in 0..3 {
        let own = messages.iter().filter_map(|message| message.strip_prefix(&format!("{thread} ")));
        assert!(own.enumerate().all(|(index, number)| number == index.to_string()));
    }
}

#[test]
fn a_target_that_leads_back_to_it_is_told_and_ends() {
    let (error_handler, told) = remembering();
    let memory = Arc::new(MemoryBuffer::new(1));
    let back = NamedHandler::new("back", Arc::clone(&memory));
    back.set_error_handler(error_handler);
    memory.set_target(back.clone());
    watched(&memory, |stats| {
        info!("round and round");
        assert_eq!((stats().failed, stats().accepted()), (1, 1));
    });
    assert_eq!(back.stats().failed, 1);
    assert_eq!(*told.lock().unwrap(), ["memory: its target leads back to it"]);
    assert!(memory.is_empty());
    memory.clear_target();
}
