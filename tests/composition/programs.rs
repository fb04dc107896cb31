//! Programs by name: compositions that once lost records without a word, and bad handlers.

use std::{
    cell::RefCell,
    fs,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use fork::{Fork, fork, waitpid_nohang};
use tracing::info;
use tracing_strata::{
    Delivery, Error, Flush, Handler, HandlerExt as _, NamedHandler, Outcome, Queue, Record, Severity, Tee, flush_all,
    format::Text,
    handler::OwnedDelivery,
    ledger::{ErrorHandler, Receipt},
    output::{LogFile, RotatingFile, Stream},
    shutdown,
};
use tracing_subscriber::prelude::*;

use crate::{play::until, trees::in_order};

const DEADLINE: Duration = Duration::from_secs(10);

/// Fails at each record.
struct Bad;

impl Handler for Bad {
    fn handle(&self, _: Delivery<'_>) -> Result<Outcome, Error> {
        Err(Error::new("scripted"))
    }
}

/// Takes each record, and counts them.
#[derive(Clone, Default)]
struct Count(Arc<AtomicUsize>);

impl Count {
    fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Handler for Count {
    fn handle(&self, _: Delivery<'_>) -> Result<Outcome, Error> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(Outcome::Written)
    }
}

/// Keeps what it is given, in the open.
#[derive(Clone, Default)]
struct Keep(Arc<Mutex<Vec<OwnedDelivery>>>);

impl Keep {
    fn take(&self) -> Vec<OwnedDelivery> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Handler for Keep {
    fn handle(&self, delivery: Delivery<'_>) -> Result<Outcome, Error> {
        self.0.lock().unwrap().push(delivery.take());
        Ok(Outcome::Queued)
    }
}

fn record() -> Record {
    Record::new(Severity::INFO, "app", "hello")
}

fn named(name: &str, handler: impl Handler) -> NamedHandler {
    NamedHandler::with_error_handler(name, handler, ErrorHandler::silent())
}

fn deliver(to: &NamedHandler, count: usize) {
    (0..count).for_each(|_| to.emit(&record()));
}

/// Nothing of another test is left to be told.
fn begin() -> std::sync::MutexGuard<'static, ()> {
    let order = in_order();
    drop(flush_all());
    order
}

fn said(result: Result<(), Error>) -> String {
    result.err().map(|error| error.to_string()).unwrap_or_default()
}

fn full() -> impl Handler {
    LogFile::builder("/dev/full").build().unwrap()
}

// --- cases/README.md: Composition

#[test]
fn t80_a_fallback_of_a_shared_handler_gets_what_that_fails_at() {
    let _order = begin();
    let (c, bad) = (Count::default(), named("a", Bad));
    let both = named("both", bad.clone().fallback(named("c", c.clone())).notices(false));
    deliver(&both, 10);
    assert_eq!(c.get(), 10);
    assert_eq!((both.stats().written, both.stats().fallback_written, bad.stats().failed), (10, 10, 10));
    flush_all().unwrap();
}

#[test]
fn t80_a_fallback_of_a_tee_gets_what_that_fails_at() {
    let _order = begin();
    let (c, good) = (Count::default(), Count::default());
    let tee = Tee::new().with_named(named("bad", Bad));
    let both = named("both", tee.fallback(named("c", c.clone())).notices(false));
    deliver(&both, 10);
    assert_eq!((c.get(), both.stats().written, both.stats().fallback_written), (10, 10, 10));
    let tee = Tee::new().with_named(named("good", good.clone())).with_named(named("bad", Bad));
    let both = named("both", tee.fallback(named("c", c.clone())).notices(false));
    deliver(&both, 10);
    assert_eq!((good.get(), c.get(), both.stats().written, both.stats().fallback_written), (10, 20, 10, 10));
    flush_all().unwrap();
}

#[test]
fn t80_a_queue_over_a_tee_over_a_full_disk_says_what_is_lost() {
    let _order = begin();
    let (queue, guard) = Queue::builder().build_with_guard(Tee::new().with_named(named("full", full()))).unwrap();
    let top = named("top", queue);
    deliver(&top, 10);
    let shutdown = said(guard.shutdown(DEADLINE));
    let flushed = said(flush_all());
    assert!(shutdown.contains("10 records") || flushed.contains("10 records"), "{shutdown:?}, {flushed:?}");
    assert_eq!((top.stats().failed, top.stats().queued), (10, 0));
    flush_all().unwrap();
}

#[test]
fn t80_so_does_one_with_a_second_handler_and_without_a_guard() {
    let _order = begin();
    let c = Count::default();
    let tee = Tee::new().with_named(named("full", full())).with_named(named("c", c.clone()));
    let top = named("top", Queue::builder().build(tee).unwrap());
    deliver(&top, 10);
    let flushed = said(flush_all());
    assert!(flushed.contains("10 records"), "{flushed:?}");
    assert_eq!((c.get(), top.stats().failed), (10, 10));
    flush_all().unwrap();
}

#[test]
fn t80_a_fallback_gets_what_fails_behind_a_queue_in_order_and_once() {
    let _order = begin();
    let lines = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&lines);
    let keep = move |record: &mut Record| seen.lock().unwrap().push(record.message().to_owned());
    let fallback = named("c", Count::default().transform(keep));
    let queue = Queue::builder().build(Tee::new().with_named(named("full", full()))).unwrap();
    let top = named("top", queue.fallback(fallback).notices(false));
    for number in 0..100 {
        top.emit(&Record::new(Severity::INFO, "app", &number.to_string()));
    }
    flush_all().unwrap();
    let expected: Vec<String> = (0..100).map(|number| number.to_string()).collect();
    assert_eq!(*lines.lock().unwrap(), expected);
    assert_eq!((top.stats().written, top.stats().fallback_written), (100, 100));
}

// --- cases/README.md: Rollover

#[test]
fn t81_a_rollover_comes_after_all_that_was_given_before() {
    let _order = begin();
    let dir = std::env::temp_dir().join(format!("strata-composition-rollover-{}", std::process::id()));
    fs::remove_dir_all(&dir).unwrap_or_default();
    fs::create_dir_all(&dir).unwrap();
    let path = dir.join("log");
    let file = RotatingFile::builder(&path).max_bytes(100 << 20).backups(9).format(Text::new()).build().unwrap();
    let handle = file.as_sink().clone();
    let queue = Queue::builder().build(file).unwrap();
    let subscriber = tracing_subscriber::registry().with(queue.into_layer());
    tracing::subscriber::with_default(subscriber, || {
        for round in 0..4 {
            (0..500).for_each(|number| info!("round {round} number {number}."));
            handle.rollover();
        }
    });
    for round in 0..4 {
        let text = fs::read_to_string(dir.join(format!("log.{}", 4 - round))).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 500, "of round {round}");
        for (number, line) in lines.iter().enumerate() {
            assert!(line.contains(&format!("round {round} number {number}.")), "{line}");
        }
    }
    assert_eq!(fs::read_to_string(&path).unwrap_or_default(), "");
    fs::remove_dir_all(dir).unwrap();
}

// --- bad handlers

/// Panics where it is told to.
struct Panics {
    in_handle: bool,
    in_flush: bool,
    in_drop: bool,
}

impl Handler for Panics {
    fn handle(&self, _: Delivery<'_>) -> Result<Outcome, Error> {
        assert!(!self.in_handle, "scripted: handle");
        Ok(Outcome::Written)
    }

    fn flush(&self, _: &Flush) -> Result<(), Error> {
        assert!(!self.in_flush, "scripted: flush");
        Ok(())
    }
}

impl Drop for Panics {
    fn drop(&mut self) {
        assert!(!self.in_drop, "scripted: drop");
    }
}

/// What a handler tells.
fn telling() -> (ErrorHandler, Arc<Mutex<Vec<String>>>) {
    let told = Arc::new(Mutex::new(Vec::new()));
    let list = Arc::clone(&told);
    let error_handler = ErrorHandler::new(move |failure| {
        list.lock().unwrap().push(format!("{}: {}", failure.handler(), failure.error()));
    });
    (error_handler, told)
}

#[test]
fn a_panic_in_handle_is_counted_told_and_lost() {
    let _order = begin();
    let (error_handler, told) = telling();
    let (queue, guard) =
        Queue::builder().build_with_guard(Panics { in_handle: true, in_flush: false, in_drop: false }).unwrap();
    let top = NamedHandler::with_error_handler("panics", queue, error_handler);
    deliver(&top, 3);
    let shutdown = said(guard.shutdown(DEADLINE));
    assert!(shutdown.contains("3 records failed"), "{shutdown:?}");
    assert_eq!((top.stats().failed, top.stats().queued), (3, 0));
    assert_eq!(told.lock().unwrap().len(), 3, "{told:?}");
    let flushed = said(flush_all());
    assert!(flushed.contains("\"panics\": 3 records"), "{flushed:?}");
}

#[test]
fn a_panic_in_flush_is_told_and_an_error_of_whoever_flushes() {
    let _order = begin();
    let (error_handler, told) = telling();
    let (queue, guard) =
        Queue::builder().build_with_guard(Panics { in_handle: false, in_flush: true, in_drop: false }).unwrap();
    let top = NamedHandler::with_error_handler("panics", queue, error_handler);
    deliver(&top, 3);
    for result in [flush_all(), top.flush(), guard.flush(DEADLINE), guard.shutdown(DEADLINE)] {
        let said = said(result);
        assert!(said.contains("panicked") && said.contains("scripted: flush"), "{said:?}");
    }
    assert_eq!((top.stats().written, top.stats().queued), (3, 0));
    assert!(told.lock().unwrap().iter().all(|told| told.starts_with("panics: ")), "{told:?}");
}

#[test]
fn a_panic_in_drop_is_told_and_holds_up_nobody() {
    let _order = begin();
    let (error_handler, told) = telling();
    let (queue, guard) =
        Queue::builder().build_with_guard(Panics { in_handle: false, in_flush: false, in_drop: true }).unwrap();
    let top = NamedHandler::with_error_handler("panics", queue, error_handler);
    deliver(&top, 3);
    guard.shutdown(DEADLINE).unwrap();
    until("the drop", || !told.lock().unwrap().is_empty()).unwrap();
    assert!(told.lock().unwrap()[0].contains("scripted: drop"), "{told:?}");
    assert_eq!((top.stats().written, top.stats().queued), (3, 0));
}

/// What a handler keeps for ever is queued, and named where the process ends.
#[test]
fn what_is_kept_for_ever_is_named_and_no_shutdown_hangs() {
    let _order = begin();
    let keep = Keep::default();
    let (queue, guard) = Queue::builder().build_with_guard(named("keeper", keep.clone())).unwrap();
    let top = named("top", queue);
    deliver(&top, 4);
    let began = Instant::now();
    let shutdown = said(guard.shutdown(Duration::from_secs(2)));
    assert!(began.elapsed() < Duration::from_secs(5));
    assert_eq!((top.stats().queued, top.stats().accepted()), (4, 4));
    let flushed = said(flush_all());
    assert!(
        [&shutdown, &flushed].iter().any(|said| said.contains("4 records")),
        "4 records are kept: shutdown says {shutdown:?}, flush_all {flushed:?}"
    );
    let named = if shutdown.is_empty() { flushed } else { shutdown };
    assert!(named.contains("top") || named.contains("keeper"), "{named}");
    drop(keep.take());
    assert_eq!((top.stats().queued, top.stats().dropped), (0, 4));
}

/// One whose worker never comes back.
#[test]
fn a_handler_that_hangs_holds_up_a_shutdown_for_its_deadline_only() {
    let _order = begin();
    struct Hangs(Mutex<mpsc::Receiver<()>>);
    impl Handler for Hangs {
        fn handle(&self, _: Delivery<'_>) -> Result<Outcome, Error> {
            self.0.lock().unwrap().recv().unwrap_or_default();
            Ok(Outcome::Written)
        }
    }
    let (go, gone) = mpsc::channel();
    let (queue, guard) = Queue::builder().build_with_guard(Hangs(Mutex::new(gone))).unwrap();
    let top = named("hangs", queue);
    deliver(&top, 5);
    let began = Instant::now();
    let shutdown = said(guard.shutdown(Duration::from_millis(50)));
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert!(shutdown.contains("5 records not written") && shutdown.contains("hangs"), "{shutdown:?}");
    assert_eq!((top.stats().dropped, top.stats().queued), (4, 1));
    drop(go);
    // And the word that four were lost.
    until("the end of what hung", || top.stats().written == 2).unwrap();
    assert_eq!((top.stats().dropped, top.stats().queued), (4, 0));
}

// --- receipts that live long

#[test]
fn a_receipt_that_outlives_its_handler_counts_on_its_account() {
    let _order = begin();
    let (keep, c) = (Keep::default(), Count::default());
    let fallback = named("c", c.clone());
    let top = named("gone", keep.clone().fallback(fallback.clone()).notices(false));
    let ledger = top.ledger();
    deliver(&top, 4);
    drop(top);
    assert_eq!(ledger.stats().queued, 4);
    let mut kept = keep.take().into_iter();
    kept.next().unwrap().written();
    kept.next().unwrap().failed(Error::new("scripted"));
    drop(kept.next());
    assert_eq!((ledger.stats().queued, ledger.stats().written, ledger.stats().fallback_written), (1, 3, 2));
    assert_eq!((c.get(), fallback.stats().written), (2, 2));
    // Also when nobody looks any more: an account that is used again is not disturbed.
    drop(ledger);
    let other = named("other", Count::default());
    deliver(&other, 1);
    drop(kept);
    assert_eq!(other.stats().accepted(), 1, "{:?}", other.stats());
    flush_all().unwrap();
}

#[test]
fn an_account_is_not_used_again_while_a_receipt_of_it_lives() {
    let _order = begin();
    let keep = Keep::default();
    let top = named("gone", keep.clone());
    deliver(&top, 3);
    drop(top);
    let others: Vec<NamedHandler> = (0..20).map(|number| named(&format!("other {number}"), Count::default())).collect();
    drop(keep.take());
    for other in &others {
        assert_eq!(other.stats().accepted(), 0, "{:?}", other.ledger());
    }
    // What is lost after its handler is nobody's to tell.
    flush_all().unwrap();
}

#[test]
fn a_receipt_is_ended_on_another_thread() {
    let _order = begin();
    let keep = Keep::default();
    let top = named("keeper", keep.clone());
    deliver(&top, 90);
    let kept = Arc::new(Mutex::new(keep.take()));
    let threads: Vec<_> = (0..3)
        .map(|number| {
            let kept = Arc::clone(&kept);
            thread::spawn(move || {
                for _ in 0..30 {
                    let delivery = kept.lock().unwrap().pop().unwrap();
                    match number {
                        0 => delivery.written(),
                        1 => delivery.failed(Error::new("scripted")),
                        _ => drop(delivery),
                    }
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    let stats = top.stats();
    assert_eq!((stats.written, stats.failed, stats.dropped, stats.queued), (30, 30, 30, 0));
    let flushed = said(flush_all());
    assert!(flushed.contains("60 records"), "{flushed:?}");
    flush_all().unwrap();
}

/// Ended, in part, by the destructor of a thread-local.
struct Moments {
    receipts: Vec<Receipt>,
}

impl Drop for Moments {
    fn drop(&mut self) {
        for (number, receipt) in self.receipts.drain(..).enumerate() {
            if number % 2 == 0 { receipt.written() } else { drop(receipt) }
        }
    }
}

thread_local! {
    static MOMENTS: RefCell<Option<Moments>> = const { RefCell::new(None) };
}

struct ToThread;

impl Handler for ToThread {
    fn handle(&self, delivery: Delivery<'_>) -> Result<Outcome, Error> {
        let receipt = delivery.receipt();
        MOMENTS.with_borrow_mut(|moments| {
            moments.get_or_insert_with(|| Moments { receipts: Vec::new() }).receipts.push(receipt);
        });
        Ok(Outcome::Queued)
    }
}

#[test]
fn receipts_end_in_a_threads_last_moments() {
    let _order = begin();
    let (top, c) = (named("moments", ToThread), Count::default());
    let covered = named("covered", ToThread.fallback(named("c", c.clone())).notices(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..10 {
                deliver(&top, 1);
                deliver(&covered, 1);
            }
            assert_eq!((top.stats().queued, covered.stats().queued), (10, 10));
        });
    });
    until("the thread's end", || top.stats().queued + covered.stats().queued == 0).unwrap();
    let (top, covered) = (top.stats(), covered.stats());
    assert_eq!(top.written + top.dropped, 10, "{top}");
    assert_eq!((covered.written, covered.fallback_written), (10, c.get() as u64), "{covered}");
    assert_eq!(top.dropped as usize + c.get(), 10);
    let flushed = said(flush_all());
    assert!(top.dropped == 0 || flushed.contains("\"moments\""), "{flushed:?}");
    flush_all().unwrap();
}

#[test]
fn receipts_of_before_a_fork_say_nothing_in_the_child() {
    let _order = begin();
    let report = std::env::temp_dir().join(format!("strata-composition-receipts-{}", std::process::id()));
    fs::remove_file(&report).unwrap_or_default();
    let (keep, c) = (Keep::default(), Count::default());
    let fallback = named("c", c.clone());
    let (plain, covered) =
        (named("plain", keep.clone()), named("covered", keep.clone().fallback(fallback.clone()).notices(false)));
    deliver(&plain, 4);
    deliver(&covered, 4);
    let end_all = || {
        for (number, delivery) in keep.take().into_iter().enumerate() {
            match number % 4 {
                0 => delivery.written(),
                1 => delivery.failed(Error::new("scripted")),
                2 => delivery.dropped(),
                _ => drop(delivery),
            }
        }
    };
    match fork().unwrap() {
        Fork::Child => {
            shutdown::set_exit_timeout(Duration::ZERO);
            let before = (plain.stats().queued, plain.stats().dropped, covered.stats().dropped);
            end_all();
            let after = (plain.stats().accepted(), plain.stats().dropped, covered.stats().dropped, c.get());
            deliver(&plain, 1);
            keep.take().into_iter().for_each(OwnedDelivery::written);
            let new = (plain.stats().written, plain.stats().queued, said(flush_all()));
            fs::write(&report, format!("{before:?} {after:?} {new:?}")).unwrap();
            std::process::exit(0);
        }
        Fork::Parent(pid) => until("the child", || !matches!(waitpid_nohang(pid), Ok(None))).unwrap(),
    }
    let said_there = fs::read_to_string(&report).unwrap_or_default();
    fs::remove_file(&report).unwrap_or_default();
    assert_eq!(said_there, "(0, 4, 4) (4, 4, 4, 0) (1, 0, \"\")");
    // The parent's are what they were.
    end_all();
    assert_eq!((plain.stats().written, plain.stats().failed, plain.stats().dropped), (1, 1, 2));
    assert_eq!((covered.stats().written, covered.stats().fallback_written, c.get()), (4, 3, 3));
    let flushed = said(flush_all());
    assert!(flushed.contains("\"plain\": 2 records"), "{flushed:?}");
}

/// However records come and are ended meanwhile.
#[test]
fn a_reading_never_goes_back() {
    let _order = begin();
    let keep = Keep::default();
    let top = named("keeper", keep.clone());
    let (given, is_over) = (AtomicU64::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..20_000 {
                    given.fetch_add(1, Ordering::SeqCst);
                    top.emit(&record());
                    keep.take().into_iter().for_each(OwnedDelivery::written);
                }
                is_over.store(true, Ordering::SeqCst);
            });
        }
        let mut last = 0;
        while !is_over.load(Ordering::SeqCst) {
            let accepted = top.stats().accepted();
            let most = given.load(Ordering::SeqCst);
            assert!(last <= accepted && accepted <= most, "{last} {accepted} {most}");
            last = accepted;
        }
    });
    keep.take().into_iter().for_each(OwnedDelivery::written);
    assert_eq!((top.stats().written, top.stats().queued), (40_000, 0));
}

/// A record that a stream has taken is not lost, whatever becomes of its neighbours in one write.
#[test]
fn one_refused_line_of_a_batch_is_one_lost_record() {
    let _order = begin();
    use tracing_strata::sink::{Lines, SinkProperties};
    #[derive(Clone, Default)]
    struct Picky(Arc<AtomicUsize>);
    impl tracing_strata::Sink for Picky {
        fn write(&self, lines: &mut Lines<'_>) -> std::io::Result<()> {
            lines.write_each(|line| {
                if line.ends_with(b"7\n") {
                    return Err(std::io::Error::other("scripted"));
                }
                self.0.fetch_add(1, Ordering::SeqCst);
                Ok(())
            })
        }

        fn properties(&self) -> SinkProperties {
            SinkProperties { supports_batching: true, ..SinkProperties::default() }
        }
    }
    let picky = Picky::default();
    let top = named("picky", Queue::builder().build(Stream::sink(picky.clone())).unwrap());
    for number in 0..100 {
        top.emit(&Record::new(Severity::INFO, "app", &number.to_string()));
    }
    let flushed = said(flush_all());
    assert!(flushed.contains("10 records"), "{flushed:?}");
    assert_eq!((top.stats().written, top.stats().failed, picky.0.load(Ordering::SeqCst)), (90, 10, 90));
    flush_all().unwrap();
}

/// What its trap logs on a thread of the handler's own does not come back to it for ever.
#[test]
fn a_trap_that_logs_where_a_receipt_ends_is_not_fed() {
    let _order = begin();
    let keep = Keep::default();
    let layer = keep
        .clone()
        .into_layer()
        .named("logs")
        .error_handler(ErrorHandler::new(|failure| info!("{}", failure.error())));
    let ledger = layer.ledger();
    let dispatch = tracing::Dispatch::new(tracing_subscriber::registry().with(layer));
    tracing::dispatcher::with_default(&dispatch, || {
        info!("one");
        keep.take().into_iter().for_each(|delivery| delivery.failed(Error::new("scripted")));
    });
    let stats = ledger.stats();
    assert_eq!((stats.failed, stats.dropped, stats.queued), (1, 1, 0), "{stats}");
    drop(flush_all());
}

/// Nobody flushes it any more: the trap is told.
#[test]
fn a_receipt_that_is_dropped_after_its_handler_is_told_to_the_trap() {
    let _order = begin();
    let told = Arc::new(Mutex::new(Vec::new()));
    let remember = Arc::clone(&told);
    let error_handler = ErrorHandler::new(move |failure| remember.lock().unwrap().push(failure.error().to_string()));
    let keep = Keep::default();
    let handler = NamedHandler::with_error_handler("gone", keep.clone(), error_handler);
    deliver(&handler, 3);
    // Whoever kept the ledger has kept the trap.
    let ledger = handler.ledger();
    drop(handler);
    assert_eq!(ledger.stats().queued, 3);
    assert!(told.lock().unwrap().is_empty());
    drop(keep.take());
    let told = told.lock().unwrap();
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(told.iter().all(|text| text == "1 record was lost: nobody said what became of them"), "{told:?}");
}

/// Splits over nobody, over one that panics, and for ever.
#[test]
fn a_split_says_what_became_of_the_record() {
    struct Split<F>(F);
    impl<F: Fn(Delivery<'_>) -> Result<Outcome, Error> + Send + Sync + 'static> Handler for Split<F> {
        fn handle(&self, delivery: Delivery<'_>) -> Result<Outcome, Error> {
            (self.0)(delivery)
        }
    }
    struct Panics;
    impl Handler for Panics {
        fn handle(&self, _: Delivery<'_>) -> Result<Outcome, Error> {
            std::panic::resume_unwind(Box::new("scripted"))
        }
    }
    let _order = begin();
    let count = Count::default();
    let nobody = Split(|delivery: Delivery<'_>| delivery.split().end()).fallback(count.clone()).named("nobody");
    deliver(&nobody, 5);
    assert_eq!((count.get(), nobody.stats().fallback_written), (6, 5), "and that the first one is away");

    let count = Count::default();
    let counts = count.clone();
    let panics = Split(move |delivery: Delivery<'_>| {
        let mut split = delivery.split();
        split.to(&Panics);
        split.last(&counts)
    });
    let panics = NamedHandler::with_error_handler("panics", panics, ErrorHandler::silent());
    deliver(&panics, 5);
    assert_eq!((count.get(), panics.stats().failed), (5, 5));
    assert!(said(flush_all()).contains("5 records were lost"));

    let forgets = Split(|delivery: Delivery<'_>| {
        delivery.split().to(&Count::default());
        Ok(Outcome::Written)
    });
    let forgets = forgets.named("forgets");
    deliver(&forgets, 5);
    assert_eq!(forgets.stats().dropped, 5);
    assert!(said(flush_all()).contains("\"forgets\": 5 records were lost"));
}

/// What comes after the shutdown of a queue and goes to a fallback is not lost.
#[test]
fn what_a_fallback_takes_from_a_queue_that_is_shut_is_not_lost() {
    let _order = begin();
    let (queue, guard) = Queue::builder().build_with_guard(Count::default()).unwrap();
    let rescued = Count::default();
    let top = queue.fallback(rescued.clone()).notices(false).named("shut");
    guard.shutdown(DEADLINE).unwrap();
    deliver(&top, 5);
    assert_eq!((rescued.get(), top.stats().fallback_written), (5, 5));
    flush_all().unwrap();
}

/// A flush hands on to a handler that was made later, and so was flushed before.
#[test]
fn a_flush_that_hands_on_to_one_that_was_flushed_before_is_gone_after() {
    struct Hands(Keep, Arc<Mutex<Option<NamedHandler>>>);
    impl Handler for Hands {
        fn handle(&self, delivery: Delivery<'_>) -> Result<Outcome, Error> {
            self.0.handle(delivery)
        }
        fn flush(&self, _: &Flush) -> Result<(), Error> {
            let target = self.1.lock().unwrap().clone().unwrap();
            self.0.take().into_iter().for_each(|delivery| delivery.pass_on(&target));
            Ok(())
        }
    }
    struct Slow(Count);
    impl Handler for Slow {
        fn handle(&self, delivery: Delivery<'_>) -> Result<Outcome, Error> {
            thread::sleep(Duration::from_micros(200));
            self.0.handle(delivery)
        }
    }
    let _order = begin();
    let target = Arc::new(Mutex::new(None));
    let first = Hands(Keep::default(), Arc::clone(&target)).named("first");
    let count = Count::default();
    *target.lock().unwrap() = Some(Queue::builder().build(Slow(count.clone())).unwrap().named("later"));
    deliver(&first, 100);
    flush_all().unwrap();
    assert_eq!((count.get(), first.stats().written), (100, 100));
}
