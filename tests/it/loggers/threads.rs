//! Threads, and handlers with a will of their own, do not hurt each other.

use std::{
    sync::{
        Arc, Barrier,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use tracing::{Dispatch, debug, info, warn};
use tracing_strata::{Delivery, Error, Handler, HandlerExt as _, Logger, Loggers, Outcome, Record, Severity};
use tracing_subscriber::{prelude::*, registry};

use super::{Messages, with};
use crate::support::{Give as _, MemoryBuffer};

/// Runs threads that must all end.
fn all_end<const N: usize>(threads: [Box<dyn FnOnce() + Send>; N]) {
    let (ended, wait) = mpsc::channel();
    for run in threads {
        let ended = ended.clone();
        thread::spawn(move || {
            run();
            ended.send(()).unwrap();
        });
    }
    drop(ended);
    for _ in 0..N {
        // Never a matter of speed: a thread that hangs, hangs for ever.
        wait.recv_timeout(Duration::from_secs(120)).expect("a thread hangs or panicked");
    }
}

/// Logs when it is dropped, and asks its loggers.
struct LogsAtTheEnd(Loggers, Arc<AtomicUsize>);

impl Handler for LogsAtTheEnd {
    fn handle(&self, _: Delivery<'_>) -> Result<Outcome, Error> {
        Ok(Outcome::Written)
    }
}

impl Drop for LogsAtTheEnd {
    fn drop(&mut self) {
        self.1.fetch_add(1, Ordering::Relaxed);
        warn!(target: "t04::end", "closing");
        Logger::new("t04.end").log(Severity::new(33), "closed");
        self.0.set_level("t04.end", Severity::INFO).unwrap();
    }
}

#[test]
fn t04_a_handler_that_logs_when_it_is_dropped_hangs_nothing() {
    const ROUNDS: usize = 100;
    let (loggers, messages, drops) = (Loggers::parse("debug").unwrap(), Messages::default(), Arc::default());
    let end = messages.handler("end");
    loggers.add_handler("t04.end", end.clone()).unwrap();
    let dispatch = Dispatch::new(registry().with(loggers.clone().into_layer()));
    let changes = |logger: &'static str| -> Box<dyn FnOnce() + Send> {
        let (loggers, dispatch, drops, end) = (loggers.clone(), dispatch.clone(), Arc::clone(&drops), end.clone());
        Box::new(move || {
            let new = || LogsAtTheEnd(loggers.clone(), Arc::clone(&drops)).named("at the end");
            tracing::dispatcher::with_default(&dispatch, || {
                for round in 0..ROUNDS {
                    let handler = new();
                    loggers.add_handler(logger, handler.clone()).unwrap();
                    info!(target: "t04::a::b", "remembered by this thread");
                    match round % 4 {
                        // Unless the other thread was first.
                        0 => drop(loggers.remove_handler(logger, &handler)),
                        1 => {
                            drop(handler);
                            loggers.remove("t04.a");
                        }
                        2 => {
                            loggers.set_last_resort(Some(handler));
                            loggers.set_last_resort(None);
                        }
                        _ => {
                            let empty = Loggers::parse("debug").unwrap();
                            empty.add_handler("t04.end", end.clone()).unwrap();
                            drop(handler);
                            loggers.copy_from(&empty);
                        }
                    }
                    loggers.set_level("t04", Severity::new(round as i32)).unwrap();
                }
            });
        })
    };
    all_end([changes("t04.a"), changes("t04.a.b")]);
    loggers.copy_from(&Loggers::new());
    assert_eq!(drops.load(Ordering::Relaxed), 2 * ROUNDS, "nothing holds on to a handler that hangs nowhere");
    assert!(messages.take().len() >= ROUNDS);
}

#[test]
fn t05_a_handler_may_ask_and_change_its_own_loggers() {
    struct Asks(Loggers, Messages);
    impl Handler for Asks {
        fn handle(&self, record: Delivery<'_>) -> Result<Outcome, Error> {
            let enabled = self.0.is_enabled_for(record.target(), record.severity());
            let directives = self.0.to_string();
            self.0.set_level("t05.more", Severity::DEBUG)?;
            self.0.add_handler("t05.more", self.1.handler("more"))?;
            debug!(target: "t05::more", "a record born in here");
            self.1.0.lock().unwrap().push(format!("{} {enabled} {directives}", record.message()));
            Ok(Outcome::Written)
        }
    }
    let (loggers, messages) = (Loggers::parse("info").unwrap(), Messages::default());
    loggers.add_handler("t05", Asks(loggers.clone(), messages.clone()).named("asks")).unwrap();
    let run = loggers.clone();
    all_end([Box::new(move || {
        with(&run, || {
            debug!(target: "t05::more", "not yet");
            info!(target: "t05", "1");
            debug!(target: "t05::more", "2");
        });
    })]);
    let expected = ["1 true info", "more: 2", "2 true info,t05.more=debug"];
    assert_eq!(messages.take()[..2], expected[..2]);
}

#[test]
fn changes_while_four_threads_log() {
    const RECORDS: usize = 3_000;
    struct Count(Arc<AtomicUsize>);
    impl Handler for Count {
        fn handle(&self, _: Delivery<'_>) -> Result<Outcome, Error> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Ok(Outcome::Written)
        }
    }
    let [steady, above, flickering]: [Arc<AtomicUsize>; 3] = Default::default();
    let loggers = Loggers::parse("warn,busy=info,busy.steady=debug").unwrap();
    loggers.add_handler("busy.steady", Count(Arc::clone(&steady)).named("steady")).unwrap();
    loggers.add_handler("busy", Count(Arc::clone(&above)).named("above")).unwrap();
    loggers.set_propagate("busy", false).unwrap();
    let flicker = Count(Arc::clone(&flickering)).named("flicker");
    let dispatch = Dispatch::new(registry().with(loggers.clone().into_layer()));
    let log = || debug!(target: "busy::steady::x", "always enabled");
    let toggled = || info!(target: "busy::toggled", "sometimes enabled");
    tracing::dispatcher::with_default(&dispatch, || {
        log();
        toggled();
    });

    let done = AtomicBool::new(false);
    let begin = Barrier::new(6);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                tracing::dispatcher::with_default(&dispatch, || {
                    begin.wait();
                    for _ in 0..RECORDS {
                        log();
                        toggled();
                    }
                });
            });
        }
        let changer = scope.spawn(|| {
            begin.wait();
            let mut round = 0;
            while !done.load(Ordering::Acquire) {
                loggers
                    .set_level("busy.toggled", if round % 2 == 0 { Severity::ERROR } else { Severity::INFO })
                    .unwrap();
                loggers.add_handler("busy.steady.x", flicker.clone()).unwrap();
                loggers.set_level("", if round % 3 == 0 { Severity::OFF } else { Severity::ALL }).unwrap();
                loggers.remove_handler("busy.steady.x", &flicker);
                round += 1;
            }
        });
        let other = scope.spawn(|| {
            begin.wait();
            let mut round = 0_u64;
            while !done.load(Ordering::Acquire) {
                loggers.set_span_level(if round.is_multiple_of(2) { Severity::OFF } else { Severity::ALL });
                loggers.set_disabled("busy.other", round.is_multiple_of(2)).unwrap();
                round += 1;
                thread::yield_now();
            }
        });
        // The loggers end by themselves; then the changers are told.
        while steady.load(Ordering::Relaxed) < 4 * RECORDS + 1 && !changer.is_finished() && !other.is_finished() {
            thread::sleep(Duration::from_millis(1));
        }
        done.store(true, Ordering::Release);
    });
    assert_eq!(steady.load(Ordering::Relaxed), 4 * RECORDS + 1, "no record is lost or handled twice");
    let seen_above = above.load(Ordering::Relaxed);
    assert!((4 * RECORDS + 2..=8 * RECORDS + 2).contains(&seen_above), "{seen_above}");
    assert!(flickering.load(Ordering::Relaxed) <= 4 * RECORDS);

    // When all is quiet, what was set last is so for every call site.
    for (level, expected) in [(Severity::ERROR, 0), (Severity::INFO, 1)] {
        loggers.set_level("busy.toggled", level).unwrap();
        let before = above.load(Ordering::Relaxed);
        tracing::dispatcher::with_default(&dispatch, toggled);
        assert_eq!(above.load(Ordering::Relaxed) - before, expected);
    }
}

#[test]
fn a_handler_taken_off_is_dropped_though_other_threads_remember_its_route() {
    let (loggers, drops) = (Loggers::parse("debug").unwrap(), Arc::new(AtomicUsize::new(0)));
    let dispatch = Dispatch::new(registry().with(loggers.clone().into_layer()));
    struct Tells(Arc<AtomicUsize>);
    impl Handler for Tells {
        fn handle(&self, _: Delivery<'_>) -> Result<Outcome, Error> {
            Ok(Outcome::Written)
        }
    }
    impl Drop for Tells {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let handler = Tells(Arc::clone(&drops)).named("tells");
    loggers.add_handler("a", handler.clone()).unwrap();
    let (logged, wait) = mpsc::channel();
    let (end, idle) = mpsc::channel::<()>();
    let thread = thread::spawn(move || {
        tracing::dispatcher::with_default(&dispatch, || info!(target: "a::b", "remembered"));
        logged.send(()).unwrap();
        idle.recv().unwrap_err();
    });
    wait.recv().unwrap();
    assert_eq!(handler.stats().written, 1);
    assert!(loggers.remove_handler("a", &handler));
    drop(handler);
    assert_eq!(drops.load(Ordering::Relaxed), 1);
    drop(end);
    thread.join().unwrap();
}

#[test]
fn t70_targets_made_from_data_make_no_loggers() {
    let (loggers, memory) = (Loggers::parse("info").unwrap(), MemoryBuffer::default());
    loggers.add_handler("", memory.clone().named("all")).unwrap();
    let router = loggers.router();
    let long = "x".repeat(100_000);
    for number in 0..20_000 {
        let target = format!("user.{number}");
        assert!(loggers.is_enabled_for(&target, Severity::INFO) && !loggers.is_enabled_for(&target, Severity::DEBUG));
        if number % 100 == 0 {
            router.give(&Record::new(Severity::INFO, &target, "m")).unwrap();
            router.give(&Record::new(Severity::INFO, &long, "m")).unwrap();
        }
    }
    assert_eq!(loggers.names(), ["root"]);
    assert_eq!(memory.take().len(), 400);
}
