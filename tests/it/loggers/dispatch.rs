//! Dispatch and filters: rules 4.x and 5.x of the behaviours.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tracing::{debug, error, info, warn};
use tracing_strata::{
    Delivery, Error, Flush, Handler, HandlerExt as _, Logger, Loggers, Outcome, Record, Severity, critical,
    filter::TargetPrefix,
};
use tracing_subscriber::prelude::*;

use super::{Messages, alone, with};

type DynFilter = Arc<dyn tracing_strata::filter::Filter>;

#[test]
fn rule_4_1_and_4_2_records_go_up_until_a_logger_does_not_propagate() {
    let (loggers, messages) = (Loggers::parse("debug").unwrap(), Messages::default());
    for (name, handler) in [("", "root"), ("a", "a1"), ("a", "a2"), ("a.b", "b")] {
        loggers.add_handler(name, messages.handler(handler)).unwrap();
    }
    with(&loggers, || {
        info!(target: "a::b::c", "1");
        assert_eq!(messages.take(), ["b: 1", "a1: 1", "a2: 1", "root: 1"]);
        loggers.set_propagate("a", false).unwrap();
        info!(target: "a::b::c", "2");
        assert_eq!(messages.take(), ["b: 2", "a1: 2", "a2: 2"]);
        loggers.set_propagate("a.b", false).unwrap();
        info!(target: "a::b::c", "3");
        info!(target: "other", "3");
        assert_eq!(messages.take(), ["b: 3", "root: 3"]);
        loggers.set_propagate("a", true).unwrap();
        loggers.set_propagate("a.b", true).unwrap();
        info!(target: "a.b", "4");
        assert_eq!(messages.take(), ["b: 4", "a1: 4", "a2: 4", "root: 4"]);
    });
}

#[test]
fn rule_4_3_and_4_4_what_is_set_above_concerns_only_what_is_logged_there() {
    let (loggers, messages) = (Loggers::parse("error,a=critical,a.b=debug").unwrap(), Messages::default());
    loggers.add_handler("", messages.handler("root")).unwrap();
    loggers.add_handler("a", messages.handler("a")).unwrap();
    loggers.set_disabled("a", true).unwrap();
    let nothing: DynFilter = Arc::new(|_: &Record| false);
    loggers.add_filter("a", Arc::clone(&nothing)).unwrap();
    loggers.add_filter("", nothing).unwrap();
    with(&loggers, || {
        debug!(target: "a::b", "below");
        critical!(target: "a", "there");
        assert_eq!(messages.take(), ["a: below", "root: below"]);
        loggers.set_disabled("a", false).unwrap();
        critical!(target: "a", "filtered");
        error!(target: "root", "filtered");
        assert_eq!(messages.take(), [""; 0]);
    });
}

#[test]
fn rule_4_5_handlers_have_levels_of_their_own() {
    let (loggers, messages) = (Loggers::parse("all").unwrap(), Messages::default());
    let handler = messages.handler("h");
    loggers.add_handler("", handler.clone()).unwrap();
    handler.set_level(Severity::new(25));
    with(&loggers, || {
        let log = Logger::new("rule_4_5");
        for number in [20, 24, 25, 26, 30] {
            log.log(Severity::new(number), number);
        }
        assert_eq!(messages.take(), ["h: 25", "h: 26", "h: 30"]);
        handler.set_level(Severity::CRITICAL);
        error!("no");
        critical!("yes");
        assert_eq!(messages.take(), ["h: yes"]);
    });
    assert_eq!((handler.stats().written, handler.stats().filtered), (4, 3));
}

#[test]
fn rule_4_7_and_4_8_twice_on_the_way_is_twice_and_twice_on_one_logger_is_once() {
    let (loggers, messages) = (Loggers::parse("debug").unwrap(), Messages::default());
    let handler = messages.handler("h");
    for name in ["", "a", "a"] {
        loggers.add_handler(name, handler.clone()).unwrap();
    }
    with(&loggers, || {
        info!(target: "a", "1");
        assert_eq!(messages.take(), ["h: 1", "h: 1"]);
        assert!(loggers.remove_handler("a", &handler) && !loggers.remove_handler("a", &handler));
        info!(target: "a", "2");
        assert_eq!(messages.take(), ["h: 2"]);
    });
    assert_eq!(loggers.handlers("").len(), 1);
}

#[test]
fn rule_4_9_the_last_resort_gets_what_no_handler_was_found_for() {
    let (loggers, messages) = (Loggers::parse("debug,nobody=debug").unwrap(), Messages::default());
    let last = messages.handler("last");
    last.set_level(Severity::WARN);
    loggers.set_last_resort(Some(last.clone()));
    assert!(loggers.last_resort().unwrap().is_same(&last));
    let layer = loggers.router().into_layer();
    let ledger = layer.ledger();
    crate::support::with_layer(layer.with_filter(loggers.clone()), || {
        info!(target: "nobody", "below its level");
        warn!(target: "nobody", "bare");
        assert_eq!(messages.take(), ["last: bare"]);
        // A handler that was found and refuses counts as found.
        let deaf = messages.handler("deaf");
        deaf.set_level(Severity::OFF);
        loggers.add_handler("nobody", deaf.clone()).unwrap();
        warn!(target: "nobody", "refused");
        assert_eq!(messages.take(), [""; 0]);
        // One that is not reached does not.
        loggers.add_handler("", deaf.clone()).unwrap();
        loggers.remove_handler("nobody", &deaf);
        loggers.set_propagate("nobody", false).unwrap();
        warn!(target: "nobody", "not reached");
        assert_eq!(messages.take(), ["last: not reached"]);
        assert!(loggers.has_handlers("other") && !loggers.has_handlers("nobody"));
        loggers.set_last_resort(None);
        warn!(target: "nobody", "gone");
        assert_eq!(messages.take(), [""; 0]);
    });
    assert_eq!((ledger.stats().written, ledger.stats().filtered, ledger.stats().dropped), (2, 2, 1));
}

#[test]
fn rule_4_10_the_default_last_resort_is_a_bare_line_on_stderr() {
    const TEST: &str = "loggers::dispatch::rule_4_10_the_default_last_resort_is_a_bare_line_on_stderr";
    if let Some(output) = alone(TEST, &[]) {
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(stderr, "bare warning\nforged\\nline \\u{1b}[31m\nwith error: bad: why\n");
        return;
    }
    #[derive(Debug)]
    struct Bad(std::io::Error);
    impl std::fmt::Display for Bad {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("bad")
        }
    }
    impl std::error::Error for Bad {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(&self.0)
        }
    }
    let loggers = Loggers::parse("debug").unwrap();
    with(&loggers, || {
        info!("not this one");
        warn!(field = 1, "bare warning");
        error!("forged\nline \u{1b}[31m");
        let error = Bad(std::io::Error::other("why"));
        error!(error = &error as &dyn std::error::Error, "with error");
        loggers.set_last_resort(None);
        error!("nor this");
    });
}

#[test]
fn rule_5_filters_are_asked_in_order_and_the_first_refusal_counts() {
    let (loggers, messages) = (Loggers::parse("debug").unwrap(), Messages::default());
    loggers.add_handler("", messages.handler("h")).unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let not_secret: DynFilter = Arc::new(|record: &Record| !record.message().contains("secret"));
    let counting: DynFilter = Arc::new(move |_: &Record| count.fetch_add(1, Ordering::Relaxed) < usize::MAX);
    for filter in [&not_secret, &counting, &counting] {
        loggers.add_filter("a", Arc::clone(filter)).unwrap();
    }
    assert_eq!(loggers.filters("a").len(), 2, "5.10: the same one is added once");
    assert_eq!(loggers.explain("a", Severity::INFO).filters(), 2);
    let filtered = loggers.router().into_layer();
    let ledger = filtered.ledger();
    crate::support::with_layer(filtered.with_filter(loggers.clone()), || {
        info!(target: "a", "plain");
        info!(target: "a", "secret");
        info!(target: "a::b", "secret of a child");
        assert_eq!(messages.take(), ["h: plain", "h: secret of a child"]);
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        assert!(loggers.remove_filter("a", &not_secret) && !loggers.remove_filter("a", &not_secret));
        info!(target: "a", "secret");
        assert_eq!(messages.take(), ["h: secret"]);
    });
    assert_eq!((ledger.stats().written, ledger.stats().filtered), (3, 1));
}

#[test]
fn rule_5_1_below_passes_whole_parts() {
    let (loggers, messages) = (Loggers::parse("debug").unwrap(), Messages::default());
    let handler = |name, below| {
        let sink = messages.clone();
        let write = move |record: &Record| {
            sink.0.lock().unwrap().push(format!("{name}: {}", record.target()));
            Ok(Outcome::Written)
        };
        Closure(write).filter(TargetPrefix::new(below)).named(name)
    };
    loggers.add_handler("", handler("a.b", "a.b")).unwrap();
    loggers.add_handler("", handler("root", "root")).unwrap();
    with(&loggers, || {
        info!(target: "a", "");
        info!(target: "a::b", "");
        info!(target: "a.b::c", "");
        info!(target: "a.bb", "");
        info!(target: "root", "");
    });
    assert_eq!(messages.take(), ["a.b: a::b", "a.b: a.b::c", "root: root"]);
}

struct Closure<F>(F);

impl<F: Fn(&Record) -> Result<Outcome, Error> + Send + Sync + 'static> Handler for Closure<F> {
    fn handle(&self, record: Delivery<'_>) -> Result<Outcome, Error> {
        (self.0)(&record)
    }
}

#[test]
fn a_handler_or_filter_that_panics_hurts_nobody_else() {
    let (loggers, messages) = (Loggers::parse("debug").unwrap(), Messages::default());
    let panicking = tracing_strata::NamedHandler::with_error_handler(
        "panics",
        Closure(|_: &Record| -> Result<Outcome, Error> { std::panic::resume_unwind(Box::new("handler")) }),
        tracing_strata::ledger::ErrorHandler::silent(),
    );
    loggers.add_handler("a", panicking.clone()).unwrap();
    loggers.add_handler("", messages.handler("h")).unwrap();
    let bad: DynFilter = Arc::new(|_: &Record| -> bool { std::panic::resume_unwind(Box::new("filter")) });
    loggers.add_filter("b", bad).unwrap();
    let layer = loggers.router().into_layer().error_handler(tracing_strata::ledger::ErrorHandler::silent());
    let ledger = layer.ledger();
    crate::support::with_layer(layer.with_filter(loggers.clone()), || {
        info!(target: "a", "1");
        info!(target: "b", "2");
        info!(target: "c", "3");
    });
    assert_eq!(messages.take(), ["h: 1", "h: 3"]);
    assert_eq!((panicking.stats().failed, ledger.stats().failed, ledger.stats().written), (1, 2, 1));
}

#[test]
fn all_handlers_are_flushed_once() {
    struct Flushes(Arc<AtomicUsize>);
    impl Handler for Flushes {
        fn handle(&self, _: Delivery<'_>) -> Result<Outcome, Error> {
            Ok(Outcome::Written)
        }
        fn flush(&self, _: &Flush) -> Result<(), Error> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Err(Error::new("full"))
        }
    }
    let flushes = Arc::new(AtomicUsize::new(0));
    let loggers = Loggers::new();
    let new = || {
        let error_handler = tracing_strata::ledger::ErrorHandler::silent();
        tracing_strata::NamedHandler::with_error_handler("f", Flushes(Arc::clone(&flushes)), error_handler)
    };
    let both = new();
    loggers.add_handler("a", both.clone()).unwrap();
    loggers.add_handler("b", both).unwrap();
    loggers.add_handler("b.c", new()).unwrap();
    assert_eq!(loggers.router().flush(&Flush::PLAIN).unwrap_err().to_string(), "full");
    assert_eq!(flushes.load(Ordering::Relaxed), 2);
}
