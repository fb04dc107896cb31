//! Call sites follow the loggers, at once and at no cost; context survives; threads do not hurt each other.

use std::{
    sync::{
        Arc, Barrier, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use tracing::{
    Dispatch, Event, Metadata, debug, debug_span, error, error_span, info, info_span,
    level_filters::LevelFilter,
    subscriber::{Interest, with_default},
    trace, trace_span, warn,
};
use tracing_strata::{Error, Handler, Logger, Loggers, Outcome, Record, Severity, critical};
use tracing_subscriber::{
    Layer, Registry,
    layer::{Context, Filter},
    prelude::*,
    registry,
};

use super::{Messages, alone, with};
use crate::support::{Memory, spans};

fn everything(messages: &Messages) -> Loggers {
    let loggers = Loggers::parse("all").unwrap();
    loggers.add_handler("", messages.handler("")).unwrap();
    loggers
}

/// As `tracing-log` sends it.
fn log_event(target: &str, level: log::Level, message: &str) {
    let mut record = log::Record::builder();
    tracing_log::format_trace(&record.target(target).level(level).args(format_args!("{message}")).build()).unwrap();
}

#[test]
fn t62_a_record_at_error_has_the_fields_of_spans_at_debug() {
    let memory = Memory::default();
    let loggers = Loggers::parse("error").unwrap();
    let subscriber = registry().with(memory.clone().into_layer().with_filter(loggers.clone()));
    with_default(subscriber, || {
        let _request = debug_span!("request", id = 7).entered();
        let _query = trace_span!(target: "elsewhere", "query", table = "users").entered();
        warn!("not this one");
        error!("context");
        assert_eq!(spans(&memory.only()), ["query{table=users}", "request{id=7}"]);

        // Only the spans' own level hides them.
        loggers.set_span_level(Severity::DEBUG);
        let _hidden = trace_span!("hidden").entered();
        let _shown = debug_span!("shown").entered();
        error!("less context");
        assert_eq!(spans(&memory.only()), ["shown{}", "query{table=users}", "request{id=7}"]);
    });
}

#[test]
fn t63_a_level_raised_at_run_time_wakes_call_sites() {
    let messages = Messages::default();
    let loggers = Loggers::parse("warn").unwrap();
    loggers.add_handler("", messages.handler("")).unwrap();
    let log = |round: usize| {
        trace!(target: "t63::a", "trace {round}");
        debug!(target: "t63::a", "debug {round}");
        info!(target: "t63::b", "info {round}");
        critical!(target: "t63::b", "critical {round}");
    };
    with(&loggers, || {
        log(1);
        assert_eq!(messages.take(), ["critical 1"]);
        loggers.set_level("t63.a", Severity::DEBUG).unwrap();
        log(2);
        assert_eq!(messages.take(), ["debug 2", "critical 2"]);
        loggers.apply("off,t63=trace").unwrap();
        log(3);
        assert_eq!(messages.take(), ["trace 3", "debug 3", "info 3", "critical 3"]);
        loggers.disable(Severity::INFO);
        log(4);
        assert_eq!(messages.take(), ["critical 4"]);
        loggers.enable();
        loggers.set_disabled("t63.a", true).unwrap();
        log(5);
        assert_eq!(messages.take(), ["info 5", "critical 5"]);
        loggers.remove("t63.a");
        log(6);
        assert_eq!(messages.take().len(), 4);
        loggers.clear_level("t63");
        log(7);
        assert_eq!(messages.take(), [""; 0]);
        loggers.copy_from(&everything(&messages));
        log(8);
        assert_eq!(messages.take().len(), 4);
    });
}

#[test]
fn t63_a_thread_without_a_subscriber_can_change_the_only_one() {
    const TEST: &str = "loggers::live::t63_a_thread_without_a_subscriber_can_change_the_only_one";
    if alone(TEST, &[]).is_some() {
        return;
    }
    let messages = Messages::default();
    let loggers = everything(&messages);
    let log = || {
        info!("one");
        debug!("two");
    };
    with(&loggers, || {
        log();
        for (directives, expected) in [("info", &["one"][..]), ("off", &[]), ("debug", &["one", "two"])] {
            let other = loggers.clone();
            messages.take();
            thread::spawn(move || other.apply(directives).unwrap()).join().unwrap();
            log();
            assert_eq!(messages.take(), expected, "{directives}");
        }
    });
}

#[test]
fn t63_the_maximum_level_follows_and_nobody_elses_is_lowered() {
    const TEST: &str = "loggers::live::t63_the_maximum_level_follows_and_nobody_elses_is_lowered";
    if alone(TEST, &[]).is_some() {
        return;
    }
    let loggers = Loggers::parse("warn").unwrap();
    with(&loggers, || {
        assert_eq!(LevelFilter::current(), LevelFilter::TRACE, "all spans pass");
        loggers.set_span_level(Severity::OFF);
        assert_eq!(LevelFilter::current(), LevelFilter::WARN);
        loggers.set_level("a.b", Severity::new(15)).unwrap();
        assert_eq!(LevelFilter::current(), LevelFilter::DEBUG);
        loggers.apply("critical").unwrap();
        assert_eq!(LevelFilter::current(), LevelFilter::ERROR);
        loggers.set_span_level(Severity::new(25));
        assert_eq!(LevelFilter::current(), LevelFilter::WARN);
        loggers.set_span_level(Severity::CRITICAL);
        assert_eq!(LevelFilter::current(), LevelFilter::ERROR);
        loggers.apply("off").unwrap();
        assert_eq!(LevelFilter::current(), LevelFilter::OFF);
        loggers.clear_level("");
        assert_eq!(LevelFilter::current(), LevelFilter::TRACE);
        loggers.disable(Severity::INFO);
        assert_eq!(LevelFilter::current(), LevelFilter::INFO, "numbers from 21 on travel at INFO");
        loggers.disable(Severity::OFF);
        assert_eq!(LevelFilter::current(), LevelFilter::OFF);
    });
    let other = Memory::default();
    let subscriber = registry()
        .with(Memory::default().into_layer().with_filter(loggers.clone()))
        .with(other.clone().into_layer().with_filter(LevelFilter::DEBUG));
    with_default(subscriber, || {
        loggers.apply("off").unwrap();
        assert_eq!(LevelFilter::current(), LevelFilter::DEBUG);
        debug!("for the other");
        assert_eq!(other.only().message(), "for the other");
    });
}

/// Stops once in the middle of answering for the target `doubt`.
struct Slow {
    loggers: Loggers,
    armed: AtomicBool,
    answering: mpsc::SyncSender<()>,
    go_on: Mutex<mpsc::Receiver<()>>,
}

impl Filter<Registry> for Slow {
    fn enabled(&self, metadata: &Metadata<'_>, context: &Context<'_, Registry>) -> bool {
        self.loggers.enabled(metadata, context)
    }
    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        let answer = Filter::<Registry>::callsite_enabled(&self.loggers, metadata);
        if metadata.target() == "doubt" && self.armed.swap(false, Ordering::SeqCst) {
            self.answering.send(()).unwrap();
            self.go_on.lock().unwrap().recv().unwrap();
        }
        answer
    }
}

#[test]
fn t63_of_two_changes_at_a_time_the_last_one_counts() {
    const TEST: &str = "loggers::live::t63_of_two_changes_at_a_time_the_last_one_counts";
    if alone(TEST, &[]).is_some() {
        return;
    }
    let loggers = Loggers::parse("warn").unwrap();
    let (answering, is_answering) = mpsc::sync_channel(1);
    let (go, go_on) = mpsc::channel();
    let slow = Slow { loggers: loggers.clone(), armed: false.into(), answering, go_on: Mutex::new(go_on) };
    let slow = Arc::new(slow);
    let memory = Memory::default();
    let filter: Arc<dyn Filter<Registry> + Send + Sync> = slow.clone();
    let dispatch = Dispatch::new(registry().with(memory.clone().into_layer().with_filter(filter)));
    let log = || info!(target: "doubt", "m");
    tracing::dispatcher::with_default(&dispatch, || {
        log();
        slow.armed.store(true, Ordering::SeqCst);
        thread::scope(|scope| {
            // Asks while `doubt` is at INFO, and tells the call site when it is off again.
            let late = scope.spawn(|| {
                tracing::dispatcher::with_default(&dispatch, || loggers.set_level("doubt", Severity::INFO).unwrap());
            });
            is_answering.recv().unwrap();
            loggers.set_level("doubt", Severity::OFF).unwrap();
            go.send(()).unwrap();
            late.join().unwrap();
        });
        log();
        assert_eq!(memory.take().len(), 0);
    });
}

#[test]
fn t64_off_is_off_whatever_the_event_or_its_spans_say() {
    let messages = Messages::default();
    let loggers = everything(&messages);
    loggers.apply("trace,sensitive=off").unwrap();
    loggers.set_level("other.loud", Severity::ALL).unwrap();
    with(&loggers, || {
        let _span = error_span!(target: "other::loud", "request", debug = true).entered();
        let _inner = error_span!(target: "sensitive", "sensitive").entered();
        error!(target: "sensitive", "1");
        critical!(target: "sensitive::card", "2");
        for number in [5, 50, i32::MAX - 1, i32::MAX] {
            Logger::new("sensitive").log(Severity::new(number), "3");
        }
        log_event("sensitive::log", log::Level::Error, "4");
        log_event("insensitive", log::Level::Error, "4");
        info!(target: "other::loud", "5");
    });
    assert_eq!(messages.take(), ["4", "5"]);
}

#[test]
fn thresholds_between_the_levels_of_tracing() {
    let messages = Messages::default();
    let loggers = everything(&messages);
    let (log, error) = (Logger::new("between"), || error!(target: "between", "error"));
    with(&loggers, || {
        for (threshold, expected) in [
            (25, &["25", "29", "30", "39", "error", "50", "60"][..]),
            (26, &["29", "30", "39", "error", "50", "60"]),
            (35, &["39", "error", "50", "60"]),
            (41, &["50", "60"]),
            (50, &["50", "60"]),
            (51, &["60"]),
            (3, &["3", "20", "25", "29", "30", "39", "error", "50", "60"]),
        ] {
            loggers.set_level("between", Severity::new(threshold)).unwrap();
            for number in [2, 3, 20, 25, 29, 30, 39] {
                log.log(Severity::new(number), number);
            }
            error();
            critical!(target: "between", "50");
            log.log(Severity::new(60), 60);
            assert_eq!(messages.take(), expected, "at {threshold}");
        }
    });
}

#[test]
fn events_of_tracing_log_are_judged_by_their_own_target() {
    let messages = Messages::default();
    let loggers = everything(&messages);
    loggers.apply("warn,legacy=info,legacy.noisy=error,log=trace").unwrap();
    let log = |target: &str, level: log::Level| log_event(target, level, &format!("{target} {level}"));
    with(&loggers, || {
        for target in ["legacy::db", "legacy::noisy", "lib"] {
            for level in [log::Level::Debug, log::Level::Info, log::Level::Warn, log::Level::Error] {
                log(target, level);
            }
        }
        let expected =
            ["legacy::db INFO", "legacy::db WARN", "legacy::db ERROR", "legacy::noisy ERROR", "lib WARN", "lib ERROR"];
        assert_eq!(messages.take(), expected);
        loggers.set_level("lib", Severity::DEBUG).unwrap();
        log("lib", log::Level::Debug);
        log("log", log::Level::Trace);
        assert_eq!(messages.take(), ["lib DEBUG", "log TRACE"]);
    });
}

#[test]
fn targets_that_found_no_room_for_a_call_site_are_judged_all_the_same() {
    const TEST: &str = "loggers::live::targets_that_found_no_room_for_a_call_site_are_judged_all_the_same";
    if alone(TEST, &[]).is_some() {
        return;
    }
    let messages = Messages::default();
    let loggers = everything(&messages);
    loggers.apply("off,user=info,user.7000=off,user.7001=debug,user.7002=critical").unwrap();
    with(&loggers, || {
        for number in 0..7_000 {
            Logger::new(format!("user.{number}")).info("m");
            Logger::new(format!("none.{number}")).info("m");
        }
        assert_eq!(messages.take().len(), 7_000);
        for number in 7_000..7_004 {
            let log = Logger::new(format!("user.{number}"));
            log.debug(format_args!("{number} debug"));
            log.info(format_args!("{number} info"));
            log.critical(format_args!("{number} critical"));
        }
        let expected = ["7001 debug", "7001 info", "7001 critical", "7002 critical", "7003 info", "7003 critical"];
        assert_eq!(messages.take(), expected);
    });
    assert_eq!(loggers.names().len(), 5, "asking makes no loggers");
}

/// Counts what `tracing` asks.
struct Counting(Loggers, Arc<AtomicUsize>);

impl Filter<Registry> for Counting {
    fn enabled(&self, metadata: &Metadata<'_>, context: &Context<'_, Registry>) -> bool {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.enabled(metadata, context)
    }
    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        Filter::<Registry>::callsite_enabled(&self.0, metadata)
    }
    fn event_enabled(&self, event: &Event<'_>, context: &Context<'_, Registry>) -> bool {
        self.0.event_enabled(event, context)
    }
    fn max_level_hint(&self) -> Option<LevelFilter> {
        Filter::<Registry>::max_level_hint(&self.0)
    }
}

#[test]
fn static_call_sites_are_decided_once() {
    const TEST: &str = "loggers::live::static_call_sites_are_decided_once";
    if alone(TEST, &[]).is_some() {
        return;
    }
    let (memory, asked) = (Memory::default(), Arc::new(AtomicUsize::new(0)));
    let loggers = Loggers::parse("warn,app=info").unwrap();
    let filter = Counting(loggers.clone(), Arc::clone(&asked));
    with_default(registry().with(memory.clone().into_layer().with_filter(filter)), || {
        let rounds = |expected: usize| {
            for _ in 0..100 {
                let _span = info_span!("span").entered();
                trace!("never");
                info!(target: "app::db", "info");
                debug!(target: "app::db", "debug");
                Logger::new("app").error("error");
            }
            assert_eq!(memory.take().len(), expected);
        };
        rounds(200);
        loggers.set_level("app.db", Severity::DEBUG).unwrap();
        rounds(300);
        loggers.apply("error").unwrap();
        rounds(100);
        loggers.set_span_level(Severity::OFF);
        loggers.apply("off").unwrap();
        rounds(0);
        assert_eq!(asked.load(Ordering::Relaxed), 0, "`enabled` is for what has no call site of its own");

        // Events that tell their number are asked about, unless no number could pass.
        let numbers = || {
            critical!(target: "app", "critical");
            Logger::new("app").log(Severity::new(25), "25");
        };
        for (directives, questions) in [("off", 0), ("error", 1), ("info", 2)] {
            loggers.apply(directives).unwrap();
            numbers();
            assert_eq!(asked.swap(0, Ordering::Relaxed), questions, "{directives}");
        }
    });
}

#[test]
fn layers_with_loggers_of_their_own_do_not_disturb_each_other() {
    let (console, file, all) = (Memory::default(), Memory::default(), Memory::default());
    let (loud, quiet) = (Loggers::parse("debug").unwrap(), Loggers::parse("error").unwrap());
    let subscriber = registry()
        .with(console.clone().into_layer().with_filter(quiet.clone()))
        .with(file.clone().into_layer().with_filter(loud.clone()))
        .with(all.clone().into_layer());
    let taken = || (console.take().len(), file.take().len(), all.take().len());
    with_default(subscriber, || {
        let log = || {
            trace!("trace");
            info!("info");
            critical!("critical");
            Logger::new("x").log(Severity::new(25), "25");
        };
        log();
        assert_eq!(taken(), (1, 3, 4));
        quiet.set_level("", Severity::new(21)).unwrap();
        loud.set_level("", Severity::new(45)).unwrap();
        log();
        assert_eq!(taken(), (2, 1, 4));
        quiet.disable(Severity::OFF);
        loud.disable(Severity::OFF);
        log();
        assert_eq!(taken(), (0, 0, 4));
    });
}

#[test]
fn one_tree_may_stand_in_front_of_several_layers() {
    let (first, second) = (Memory::default(), Memory::default());
    let loggers = Loggers::parse("warn").unwrap();
    let layers: Vec<Box<dyn Layer<Registry> + Send + Sync>> = vec![
        Box::new(first.clone().into_layer().with_filter(loggers.clone())),
        Box::new(Some(second.clone().into_layer()).with_filter(loggers.clone())),
        Box::new(loggers.clone().into_layer()),
        Box::new(loggers.clone().into_layer()),
    ];
    let messages = Messages::default();
    loggers.add_handler("", messages.handler("")).unwrap();
    with_default(registry().with(layers), || {
        info!("no");
        warn!("yes");
        loggers.set_level("", Severity::INFO).unwrap();
        info!("now");
    });
    assert_eq!((first.take().len(), second.take().len()), (2, 2));
    assert_eq!(messages.take(), ["yes", "yes", "now", "now"]);
}

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
    fn handle(&self, _: &Record) -> Result<Outcome, Error> {
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
            let new = || LogsAtTheEnd(loggers.clone(), Arc::clone(&drops)).shared("at the end");
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
        fn handle(&self, record: &Record) -> Result<Outcome, Error> {
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
    loggers.add_handler("t05", Asks(loggers.clone(), messages.clone()).shared("asks")).unwrap();
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
        fn handle(&self, _: &Record) -> Result<Outcome, Error> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Ok(Outcome::Written)
        }
    }
    let [steady, above, flickering]: [Arc<AtomicUsize>; 3] = Default::default();
    let loggers = Loggers::parse("warn,busy=info,busy.steady=debug").unwrap();
    loggers.add_handler("busy.steady", Count(Arc::clone(&steady)).shared("steady")).unwrap();
    loggers.add_handler("busy", Count(Arc::clone(&above)).shared("above")).unwrap();
    loggers.set_propagate("busy", false).unwrap();
    let flicker = Count(Arc::clone(&flickering)).shared("flicker");
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
        fn handle(&self, _: &Record) -> Result<Outcome, Error> {
            Ok(Outcome::Written)
        }
    }
    impl Drop for Tells {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let handler = Tells(Arc::clone(&drops)).shared("tells");
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
    let (loggers, memory) = (Loggers::parse("info").unwrap(), Memory::default());
    loggers.add_handler("", memory.clone().shared("all")).unwrap();
    let router = loggers.router();
    let long = "x".repeat(100_000);
    for number in 0..20_000 {
        let target = format!("user.{number}");
        assert!(loggers.is_enabled_for(&target, Severity::INFO) && !loggers.is_enabled_for(&target, Severity::DEBUG));
        if number % 100 == 0 {
            router.handle(&Record::new(Severity::INFO, &target, "m")).unwrap();
            router.handle(&Record::new(Severity::INFO, &long, "m")).unwrap();
        }
    }
    assert_eq!(loggers.names(), ["root"]);
    assert_eq!(memory.take().len(), 400);
}
