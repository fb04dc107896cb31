//! Changes while records come.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use tracing_strata::{
    Error, HandlerExt as _, Record, Severity,
    config::{ClassRegistry, Config, ConfigFilter, Logging},
    format::Buffer,
};
use tracing_subscriber::prelude::*;

use super::{Calls, Dir, OwnedRecord, with};
use crate::places::apart;

fn yaml(text: &str) -> Config {
    Config::from_yaml(text).unwrap()
}

#[test]
fn t74_the_same_configuration_twice_changes_nothing() {
    let dir = Dir::new();
    let config = yaml(&format!(
        "{{version: 1, formatters: {{m: {{format: '%(message)s'}}}}, handlers: {{f: {{class: file, filename: {}, formatter: m}}}}, \
         loggers: {{shop: {{level: DEBUG}}}}, root: {{level: INFO, handlers: [f]}}}}",
        dir.path("a.log")
    ));
    let logging = Logging::new();
    assert_eq!(logging.reload(&config).unwrap().added(), ["f"]);
    let (before, tree) = (logging.handler("f").unwrap().handler().clone(), format!("{:?}", logging.loggers()));
    for _ in 0..3 {
        let changes = logging.reload(&config).unwrap();
        assert_eq!((changes.kept(), changes.added().len(), changes.replaced().len()), (&["f".to_owned()][..], 0, 0));
    }
    assert!(before.is_same(logging.handler("f").unwrap().handler()));
    assert_eq!(format!("{:?}", logging.loggers()), tree);
    with(&logging, || tracing::info!("once"));
    assert_eq!(dir.read("a.log"), "once\n");
}

#[test]
fn level_filters_and_format_change_on_a_handler_that_keeps_its_file_and_ledger() {
    let dir = Dir::new();
    let config = |format: &str, level: &str, filters: &str| {
        yaml(&format!(
            "{{version: 1, formatters: {{m: {{format: '{format}'}}}}, filters: {{only: {{name: shop}}}}, \
             handlers: {{f: {{class: file, filename: {}, mode: w, formatter: m, level: {level}, filters: {filters}}}}}, \
             root: {{level: DEBUG, handlers: [f]}}}}",
            dir.path("a.log")
        ))
    };
    let logging = Logging::new();
    logging.reload(&config("1 %(message)s", "INFO", "[]")).unwrap();
    with(&logging, || {
        tracing::info!("a");
        tracing::debug!("no");
        let changes = logging.reload(&config("2 %(message)s", "DEBUG", "[only]")).unwrap();
        assert_eq!(changes.to_string(), "kept f");
        tracing::debug!(target: "shop::db", "b");
        tracing::info!(target: "other", "no");
    });
    assert_eq!(dir.read("a.log"), "1 a\n2 b\n");
    let stats = logging.handler("f").unwrap().handler().stats();
    assert_eq!((stats.written, stats.filtered), (2, 2));
}

#[test]
fn a_file_changes_hands_between_kinds_of_handlers() {
    let dir = Dir::new();
    let path = dir.path("a.log");
    let config = |handler: &str| {
        yaml(&format!(
            "{{version: 1, formatters: {{m: {{format: '%(message)s'}}}}, \
             handlers: {{f: {{filename: {path}, formatter: m, {handler}}}}}, root: {{level: INFO, handlers: [f]}}}}"
        ))
    };
    let logging = Logging::new();
    logging.reload(&config("class: file")).unwrap();
    with(&logging, || {
        tracing::info!("one");
        for (handler, message) in [
            ("class: rotating, maxBytes: 1000, backupCount: 2", "two"),
            ("class: rotating, maxBytes: 2000, backupCount: 2", "three"),
            ("class: timed, when: midnight", "four"),
            ("class: watched", "five"),
            ("class: file, mode: w", "six"),
        ] {
            logging.reload(&config(handler)).unwrap();
            tracing::info!("{message}");
        }
        // Two that rotate one file differently are refused as ever.
        let two = format!(
            "{{version: 1, handlers: {{a: {{class: rotating, filename: {path}, maxBytes: 1, backupCount: 1}}, \
             b: {{class: rotating, filename: {path}, maxBytes: 2, backupCount: 1}}}}, root: {{handlers: [a, b]}}}}"
        );
        assert!(Logging::new().reload(&yaml(&two)).is_err());
    });
    assert_eq!(dir.read("a.log"), "six\n");
}

#[test]
fn handlers_filters_and_formats_by_name() {
    let kept = OwnedRecord::default();
    let logging = Logging::builder().registry(kept.registry()).empty();
    logging
        .reload(&yaml("{version: 1, handlers: {a: {class: test.Kept, tag: a}}, root: {level: INFO, handlers: [a]}}"))
        .unwrap();
    with(&logging, || {
        let b =
            logging.set_handler("b", &serde_json::json!({"class": "test.Kept", "tag": "b", "level": "ERROR"})).unwrap();
        logging.loggers().add_handler("shop", b.handler().clone()).unwrap();
        tracing::error!(target: "shop", "1");
        assert_eq!(kept.take(), ["b 1", "a 1"]);

        // Another one in its place, on every logger.
        logging
            .set_handler(
                "b",
                &serde_json::json!({"class": "test.Kept", "tag": "c", "formatter": {"format": "<%(message)s>"}}),
            )
            .unwrap();
        tracing::info!(target: "shop", "2");
        assert_eq!(kept.take(), ["c <2>", "a 2"]);
        logging.handler("b").unwrap().set_formatter(&serde_json::json!({"format": "$message!", "style": "$"})).unwrap();
        tracing::info!(target: "shop", "3");
        assert_eq!(kept.take(), ["c 3!", "a 3"]);

        let odd = ConfigFilter::decides(|record: &Record| record.message() != "4");
        logging.handler("a").unwrap().add_filter(&odd);
        logging.handler("a").unwrap().add_filter(&odd);
        assert_eq!(logging.handler("a").unwrap().filters().len(), 1);
        tracing::info!(target: "shop", "4");
        assert_eq!(kept.take(), ["c 4!"]);
        assert!(logging.handler("a").unwrap().remove_filter(&odd));
        assert!(!logging.handler("a").unwrap().remove_filter(&odd));

        assert!(logging.set_handler("b", &serde_json::json!({"class": "nope"})).is_err());
        assert!(logging.remove_handler("b") && !logging.remove_handler("b"));
        tracing::info!(target: "shop", "5");
        assert_eq!(kept.take(), ["a 5"]);
        assert_eq!(logging.handler_names(), ["a"]);
    });
}

#[test]
fn a_change_of_a_filter_is_the_handlers_own_unless_python_is_asked_for() {
    for (python, expected) in [(false, ["1 m", "2 changed", "3 m"]), (true, ["1 m", "2 changed", "3 changed"])] {
        let kept = OwnedRecord::default();
        let registry = kept.registry().filter("test.Change", |_| {
            Ok(ConfigFilter::changes(|record| {
                record.set_message("changed");
                true
            }))
        });
        let mut builder = Logging::builder().registry(registry);
        if python {
            builder = builder.python_defaults();
        }
        let logging = builder
            .build(&yaml(
                "{version: 1, filters: {c: {(): test.Change}}, handlers: {a: {(): test.Kept, tag: '1'}, \
                 b: {(): test.Kept, tag: '2', filters: [c]}, c: {(): test.Kept, tag: '3'}}, root: {level: INFO, handlers: [a, b, c]}}",
            ))
            .unwrap();
        with(&logging, || tracing::info!("m"));
        assert_eq!(kept.take(), expected);
    }
}

#[test]
fn rule_5_11_a_record_that_replaces_another_is_seen_by_its_handler_alone() {
    let kept = OwnedRecord::default();
    let registry = kept.registry().filter("test.Replace", |_| {
        Ok(ConfigFilter::replaces(|record| {
            record.set_message("another");
            true
        }))
    });
    let logging = Logging::builder()
        .registry(registry)
        .python_defaults()
        .build(&yaml(
            "{version: 1, filters: {r: {(): test.Replace}}, handlers: {a: {(): test.Kept, tag: '1', filters: [r]}, \
             b: {(): test.Kept, tag: '2'}}, loggers: {shop: {filters: [r]}}, root: {level: INFO, handlers: [a, b]}}",
        ))
        .unwrap();
    with(&logging, || {
        tracing::info!(target: "x", "m");
        // Rule 5.12: on a logger, it is what all handlers get.
        tracing::info!(target: "shop", "m");
    });
    assert_eq!(kept.take(), ["1 another", "2 m", "1 another", "2 another"]);
}

/// Counts what comes in, and asks for a logger meanwhile, as T05 has it.
fn counting(counter: &Arc<AtomicU64>, logging: &Arc<std::sync::OnceLock<Logging>>) -> ClassRegistry {
    let (counter, logging) = (Arc::clone(counter), Arc::clone(logging));
    ClassRegistry::new().handler("test.Count", move |arguments, _| {
        let _ = arguments.integer("turn");
        let (counter, logging) = (Arc::clone(&counter), Arc::clone(&logging));
        let handler = move |_: &Record| {
            if let Some(logging) = logging.get() {
                logging.loggers().add("asked.for").unwrap();
                assert!(logging.loggers().has_handlers("worker"));
            }
            counter.fetch_add(1, Ordering::Relaxed);
            Ok::<(), Error>(())
        };
        Ok(Calls(handler).boxed())
    })
}

/// Eight threads log to `worker` while `change` runs; how many records they made.
fn under_load(logging: &Logging, change: impl FnOnce()) -> u64 {
    let (stop, sent) = (AtomicBool::new(false), AtomicU64::new(0));
    let dispatch = tracing::Dispatch::new(tracing_subscriber::registry().with(logging.layer()));
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                tracing::dispatcher::with_default(&dispatch, || {
                    while !stop.load(Ordering::Relaxed) {
                        tracing::info!(target: "worker", "record");
                        sent.fetch_add(1, Ordering::Relaxed);
                        // Processors are few, and the changes are the point.
                        thread::sleep(Duration::from_micros(100));
                    }
                });
            });
        }
        // The threads end, whatever becomes of the changes.
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(change));
        stop.store(true, Ordering::Relaxed);
        result.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
    let sent = sent.load(Ordering::Relaxed);
    assert!(sent > 0);
    sent
}

#[test]
fn t05_t60_ten_thousand_reloads_under_load_lose_and_double_nothing() {
    apart("config::reload::t05_t60_ten_thousand_reloads_under_load_lose_and_double_nothing", || {
        const RELOADS: u64 = 10_000;
        let counter = Arc::new(AtomicU64::new(0));
        let cell = Arc::new(std::sync::OnceLock::new());
        let logging = Logging::builder().registry(counting(&counter, &cell)).empty();
        let config = |turn: u64| {
            // Kept, replaced, with another filter, on another logger.
            yaml(&format!(
                "{{version: 1, filters: {{all: {{name: ''}}}}, handlers: {{h: {{class: test.Count, turn: {}, filters: {}, level: {}}}}}, \
             loggers: {{worker: {{level: INFO, handlers: {}}}}}, root: {{level: WARNING, handlers: {}}}}}",
                turn % 3,
                if turn.is_multiple_of(2) { "[all]" } else { "[]" },
                if turn.is_multiple_of(5) { "DEBUG" } else { "INFO" },
                if turn.is_multiple_of(4) { "[h]" } else { "[]" },
                if turn.is_multiple_of(4) { "[]" } else { "[h]" },
            ))
        };
        let configs: Vec<_> = (0..60).map(config).collect();
        logging.reload(&configs[0]).unwrap();
        cell.set(logging.clone()).unwrap();
        let sent = under_load(&logging, || {
            for turn in 0..RELOADS {
                logging.reload(&configs[(turn % 60) as usize]).unwrap();
            }
        });
        assert_eq!(counter.load(Ordering::Relaxed), sent);
    });
}

#[test]
fn t60_ten_thousand_changes_by_name_from_two_threads_lose_and_double_nothing() {
    apart("config::reload::t60_ten_thousand_changes_by_name_from_two_threads_lose_and_double_nothing", || {
        const CHANGES: u32 = 5_000;
        let (counter, others) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let cell = Arc::new(std::sync::OnceLock::new());
        let more = Arc::clone(&others);
        let registry = counting(&counter, &cell).handler("test.Other", move |_, format| {
            let others = Arc::clone(&more);
            let handler = move |record: &Record| {
                format.format(record, &mut Buffer::new())?;
                others.fetch_add(1, Ordering::Relaxed);
                Ok(())
            };
            Ok(Calls(handler).boxed())
        });
        let start = "{version: 1, formatters: {f: {format: '%(message)s'}}, handlers: {h: {class: test.Count, turn: 0}}, \
                     loggers: {worker: {level: INFO, handlers: [h]}}}";
        let logging = Logging::builder().registry(registry).build(&yaml(start)).unwrap();
        cell.set(logging.clone()).unwrap();
        let all = ConfigFilter::decides(|_: &Record| true);
        let sent = under_load(&logging, || {
            thread::scope(|scope| {
                scope.spawn(|| {
                    for turn in 0..CHANGES {
                        let handler = || logging.handler("h").unwrap();
                        match turn % 5 {
                            0 => drop(
                                logging
                                    .set_handler("h", &serde_json::json!({"class": "test.Count", "turn": turn}))
                                    .unwrap(),
                            ),
                            1 => handler().add_filter(&all),
                            2 => handler().set_formatter(&"f").unwrap(),
                            3 => handler().set_level(Severity::new((turn % 20) as i32)),
                            _ => drop(handler().remove_filter(&all)),
                        }
                    }
                });
                // Another one comes and goes beside it.
                for turn in 0..CHANGES {
                    match turn % 5 {
                        0 => {
                            let declaration =
                                serde_json::json!({"class": "test.Other", "formatter": {"format": "%(message)s"}});
                            let other = logging.set_handler("o", &declaration).unwrap();
                            logging.loggers().add_handler("worker", other.handler().clone()).unwrap();
                        }
                        1 => logging.add_filter("worker", &all).unwrap(),
                        2 => {
                            logging.handler("o").unwrap().set_formatter(&serde_json::json!({"class": "json"})).unwrap()
                        }
                        3 => assert!(logging.remove_filter("worker", &all)),
                        _ => assert!(logging.remove_handler("o")),
                    }
                }
            });
        });
        assert_eq!(counter.load(Ordering::Relaxed), sent);
        assert!(others.load(Ordering::Relaxed) <= sent);
        assert_eq!(logging.handler_names(), ["h"]);
    });
}

#[test]
fn t61_a_handler_added_later_shows_the_fields_of_spans_opened_earlier() {
    let kept = OwnedRecord::default();
    let logging = Logging::builder().registry(kept.registry()).empty();
    logging.reload(&yaml("{version: 1, handlers: {n: {class: 'null'}}, root: {level: INFO, handlers: [n]}}")).unwrap();
    with(&logging, || {
        let _span = tracing::info_span!("request", id = 7).entered();
        logging
            .reload(&yaml(
                "{version: 1, formatters: {f: {format: '%(id)d %(message)s'}}, handlers: {k: {class: test.Kept, formatter: f}}, \
                 root: {level: INFO, handlers: [k]}}",
            ))
            .unwrap();
        tracing::info!("late");
    });
    assert_eq!(kept.take(), [" 7 late"]);
}

#[test]
fn t63_a_level_that_is_raised_reaches_call_sites_that_were_off() {
    let kept = OwnedRecord::default();
    let logging = Logging::builder().registry(kept.registry()).empty();
    let config = |level: &str| {
        yaml(&format!("{{version: 1, handlers: {{k: {{class: test.Kept}}}}, root: {{level: {level}, handlers: [k]}}}}"))
    };
    with(&logging, || {
        for (level, expected) in [("ERROR", 0), ("DEBUG", 1), ("WARNING", 0), ("TRACE", 1)] {
            logging.reload(&config(level)).unwrap();
            tracing::debug!("one call site");
            assert_eq!(kept.take().len(), expected, "{level}");
        }
    });
}

#[test]
fn t64_off_stays_off() {
    let kept = OwnedRecord::default();
    let registry = kept.registry().filter("test.Everything", |_| Ok(ConfigFilter::changes(|_| true)));
    let logging = Logging::builder().registry(registry).empty();
    logging
        .reload(&yaml(
            "{version: 1, filters: {all: {(): test.Everything}}, handlers: {k: {class: test.Kept, level: TRACE, filters: [all]}}, \
             loggers: {sensitive: {level: OFF, filters: [all]}}, root: {level: TRACE, handlers: [k]}}",
        ))
        .unwrap();
    with(&logging, || {
        let _span = tracing::error_span!("sensitive", debug = true).entered();
        tracing::error!(target: "sensitive", "never");
        tracing::error!(target: "sensitive::deep", "never");
        tracing::trace!(target: "sensitively", "seen");
    });
    assert_eq!(kept.take(), [" seen"]);
    assert!(!logging.explain("sensitive", Severity::CRITICAL).is_enabled());
}

#[test]
fn t70_configured_names_are_bounded() {
    apart("config::reload::t70_configured_names_are_bounded", || {
        let loggers: String = (0..66_000).map(|number| format!("l{number}: {{level: INFO}}\n  ")).collect();
        let text = format!("version: 1\nloggers:\n  {loggers}\n");
        let logging = Logging::new();
        let error = logging.reload(&Config::from_yaml(&text).unwrap()).unwrap_err();
        assert!(error.to_string().contains("too many loggers"), "{:.200}", error.to_string());
        assert_eq!(logging.loggers().names(), ["root"]);
    });
}

#[test]
fn a_queue_in_front_of_any_handler_and_pythons_queue_handler() {
    let kept = OwnedRecord::default();
    let logging = Logging::builder()
        .registry(kept.registry())
        .build(&yaml(
            "{version: 1, handlers: {k: {class: test.Kept, tag: k, strata: {queue: {capacity: 16, overflow: block}}}, \
             q: {class: logging.handlers.QueueHandler, handlers: [a, b]}, a: {class: test.Kept, tag: a}, \
             b: {class: test.Kept, tag: b, level: ERROR}}, root: {level: INFO, handlers: [k, q]}}",
        ))
        .unwrap();
    with(&logging, || (0..100).for_each(|number| tracing::info!("{number}")));
    logging.handler("k").unwrap().flush().unwrap();
    logging.handler("q").unwrap().flush().unwrap();
    let lines = kept.take();
    for tag in ["k", "a"] {
        let own: Vec<_> = lines.iter().filter_map(|line| line.strip_prefix(tag)).map(str::trim).collect();
        assert_eq!(own, (0..100).map(|number| number.to_string()).collect::<Vec<_>>());
    }
    // Levels of a queue's handlers count.
    assert_eq!(lines.len(), 200);
}
