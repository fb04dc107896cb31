//! Call sites follow the loggers, at once and at no cost; context survives; threads do not hurt each other.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    thread,
};

use tracing::{
    Dispatch, Event, Metadata, debug, debug_span, error, error_span, info, info_span,
    level_filters::LevelFilter,
    subscriber::{Interest, with_default},
    trace, trace_span, warn,
};
use tracing_strata::{HandlerExt as _, Logger, Loggers, Severity, critical};
use tracing_subscriber::{
    Layer, Registry,
    layer::{Context, Filter},
    prelude::*,
    registry,
};

use super::{Messages, alone, with};
use crate::support::{MemoryBuffer, spans};

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
    let memory = MemoryBuffer::default();
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
    let other = MemoryBuffer::default();
    let subscriber = registry()
        .with(MemoryBuffer::default().into_layer().with_filter(loggers.clone()))
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
    let memory = MemoryBuffer::default();
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
    let (memory, asked) = (MemoryBuffer::default(), Arc::new(AtomicUsize::new(0)));
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
    let (console, file, all) = (MemoryBuffer::default(), MemoryBuffer::default(), MemoryBuffer::default());
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
    let (first, second) = (MemoryBuffer::default(), MemoryBuffer::default());
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
