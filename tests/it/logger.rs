//! Events with target, severity and fields chosen at run time, as every layer sees them.

use std::sync::{Arc, Mutex};

use tracing_strata::{HandlerExt as _, Logger, Record, Severity, Value, critical};
use tracing_subscriber::{filter::Targets, prelude::*, registry};

use crate::support::{MemoryBuffer, record, records, spans};

#[test]
fn target_severity_and_fields_at_run_time() {
    let target = format!("plugin.{}", 7);
    let made = records(|| {
        let log = Logger::new(target.as_str()).bind("tenant", "acme").bind("attempt", 1);
        let _span = tracing::info_span!("request", id = 1).entered();
        log.at(Severity::new(25)).field("rows", 3).field("attempt", 2).display("took", &"12ms").log("query done");
        log.child("pool").warn("low");
        log.critical(format_args!("gone: {}", "all"));
        let error = std::io::Error::other("why");
        log.at(Severity::ERROR).error(&error).field(format!("f{}", 1), true).log("failed");
    });
    let first = &made[0];
    assert_eq!((first.target(), first.severity(), first.message()), ("plugin.7", Severity::new(25), "query done"));
    let fields: Vec<_> = first.fields().iter().collect();
    let expected = [
        ("tenant", Value::Str("acme")),
        ("rows", Value::I64(3)),
        ("attempt", Value::I64(2)),
        ("took", Value::Rendered("12ms")),
    ];
    assert_eq!(fields, expected);
    assert_eq!(spans(first), ["request{id=1}"]);
    assert_eq!((first.file_name(), first.line().is_some()), (Some("logger.rs"), true));
    assert_eq!((made[1].target(), made[1].severity()), ("plugin.7.pool", Severity::WARN));
    assert_eq!((made[2].severity(), made[2].message()), (Severity::CRITICAL, "gone: all"));
    assert_eq!((made[3].error().unwrap().message(), made[3].get("f1")), ("why", Some(Value::Bool(true))));
}

#[test]
fn other_layers_see_the_same_events() {
    #[derive(Clone, Default)]
    struct Seen(Arc<Mutex<Vec<String>>>);
    impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Seen {
        fn on_event(&self, event: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
            let names: Vec<_> = event.metadata().fields().iter().map(|field| field.name()).collect();
            let metadata = event.metadata();
            let line = format!("{} {} {}", metadata.level(), metadata.target(), names.join(","));
            self.0.lock().unwrap().push(line);
        }
    }
    let seen = Seen::default();
    let memory = MemoryBuffer::default();
    let targets: Targets = "off,chosen=info".parse().unwrap();
    let subscriber = registry().with(seen.clone()).with(memory.clone().into_layer().with_filter(targets));
    tracing::subscriber::with_default(subscriber, || {
        Logger::new("chosen").info("a");
        Logger::new("chosen").debug("b");
        Logger::new("other").at(Severity::new(45)).field("x", 1).log("c");
        critical!(target: "chosen", "d");
        assert!(Logger::new("chosen").is_enabled(Severity::INFO));
    });
    let seen = seen.0.lock().unwrap();
    let expected = [
        "INFO chosen message",
        "DEBUG chosen message",
        "ERROR other message,strata.severity,x",
        "ERROR chosen message,strata.severity",
    ];
    // `critical!` may name its message first or last; what counts is what is there.
    let sorted = |line: &String| {
        let (head, names) = line.rsplit_once(' ').unwrap();
        let mut names: Vec<_> = names.split(',').collect();
        names.sort_unstable();
        format!("{head} {}", names.join(","))
    };
    assert_eq!(seen.iter().map(sorted).collect::<Vec<_>>(), expected);
    let messages: Vec<_> = memory.take().iter().map(|record| record.message().to_owned()).collect();
    assert_eq!(messages, ["a", "d"]);
}

#[test]
fn what_a_filter_refuses_does_not_arrive() {
    let memory = MemoryBuffer::default();
    let targets: Targets = "off,some=warn".parse().unwrap();
    tracing::subscriber::with_default(registry().with(memory.clone().into_layer().with_filter(targets)), || {
        let log = Logger::new("some");
        assert!(log.is_enabled(Severity::ERROR));
        log.info("no");
        Logger::new("none").error("no");
        log.warn("yes");
    });
    assert_eq!(memory.only().message(), "yes");
}

#[test]
fn many_fields_and_hostile_names() {
    let made = records(|| {
        let log = Logger::new("many");
        let mut entry = log.at(Severity::INFO);
        for number in 0..70 {
            entry = entry.field(format!("f{number}"), number);
        }
        entry.log("m");
        Logger::new("").at(Severity::INFO).field("", 1).field("message", "fake").field("a b\n", 2).log("root");
    });
    assert_eq!(made[0].fields().len(), 58);
    assert_eq!(made[0].get("strata.dropped_fields"), Some(Value::U64(13)));
    assert_eq!((made[1].target(), made[1].get("a b\n")), ("", Some(Value::I64(2))));
}

#[test]
fn asking_whether_it_is_enabled_hides_no_event() {
    let memory = MemoryBuffer::default();
    let targets: Targets = "off,some=warn".parse().unwrap();
    // The unfiltered layer makes the answer "perhaps", so that filters would have to be asked.
    let subscriber =
        registry().with(MemoryBuffer::default().into_layer()).with(memory.clone().into_layer().with_filter(targets));
    tracing::subscriber::with_default(subscriber, || {
        for _ in 0..10 {
            let _may = Logger::new("other").is_enabled(Severity::INFO);
            tracing::warn!(target: "some", "seen");
        }
    });
    assert_eq!(memory.take().len(), 10);
}

#[test]
fn values_named_as_the_message_or_the_severity_do_not_replace_them() {
    let record = crate::support::record(|| {
        let log = Logger::new("x").bind("message", "bound");
        log.at(Severity::new(45)).field("strata.severity", 3).log("the real message");
    });
    assert_eq!((record.message(), record.severity()), ("the real message", Severity::new(45)));
    assert_eq!(record.get("message_"), Some(Value::Str("bound")));
}

#[test]
fn an_entry_brings_its_place_function_and_stack() {
    let record = record(|| {
        let log = Logger::new("bridge");
        log.at(Severity::INFO).source("app.lua", 7).function("main").stack("  at app.lua:7").field("x", 1).log("m");
    });
    assert_eq!((record.file(), record.line()), (Some("app.lua"), Some(7)));
    assert_eq!((record.function(), record.stack()), (Some("main"), Some("  at app.lua:7")));
    assert_eq!(record.fields().iter().map(|(name, _)| name).collect::<Vec<_>>(), ["x"]);
    assert_eq!(Record::new(Severity::INFO, "a", "b").function(), None);
}

#[test]
fn rule_1_7_python_names_are_exact() {
    assert_eq!(Severity::from_python("WARNING").unwrap(), Severity::WARN);
    assert_eq!(Severity::from_python("FATAL").unwrap(), Severity::CRITICAL);
    for name in ["LOUD", "warning", "30", "it's"] {
        let error = Severity::from_python(name).unwrap_err();
        let quote = if name.contains('\'') { '"' } else { '\'' };
        assert_eq!(error.to_string(), format!("Unknown level: {quote}{name}{quote}"));
    }
    assert_eq!((Severity::WARN.python_name(), Severity::new(35).python_name()), (Some("WARNING"), None));
}
