//! What the application's own subscriber gets while a capture stands in front of it: the same as without.

use std::{io, thread};

use tracing::{
    Dispatch, Instrument as _, debug, debug_span, dispatcher, error, field::Empty, info, info_span,
    subscriber::set_default, trace, warn,
};
use tracing_strata::{
    Delivery, Error, Handler, Loggers, Outcome, Record, current_traceparent,
    ledger::ErrorHandler,
    prelude::*,
    testing::{Capture, message},
};
use tracing_subscriber::{Layer as _, filter::LevelFilter, prelude::*, registry};

use super::{failure, messages};
use crate::support::{MemoryBuffer, spans};

/// All that spans and events can be.
fn program() {
    info!(n = 1, "alone");
    let other = info_span!("other", n = 1, late = Empty);
    let child = debug_span!(parent: &other, "child", n = 2);
    let hidden = tracing::trace_span!("hidden");
    {
        let _current = info_span!("current", id = "r-1").entered();
        let why = io::Error::other(Wrapped);
        info!(parent: &child, rows = 3, "{}", "explicit");
        error!(
            parent: &other, flag = true, big = u128::MAX, ratio = 0.5, bytes = &b"ab"[..], text = "t", debug = ?Some(1),
            error = &why as &(dyn std::error::Error + 'static), "many"
        );
        info!(parent: &child, n = 7);
        info!(parent: None, "root");
        warn!(target: "shop::db", "contextual");
        warn!(parent: &hidden, "in one that is hidden");
        hidden.in_scope(|| info_span!("below hidden").in_scope(|| info!("deep")));
        info_span!(parent: None, "orphan").in_scope(|| info!("in orphan"));
        other.record("late", 9);
        other.follows_from(child.id());
        other.in_scope(|| other.in_scope(|| trace!("again")));
        debug!("contextual again");
    }
    let clone = other.clone();
    thread::scope(|scope| {
        let default = dispatcher::get_default(Dispatch::clone);
        scope.spawn(move || dispatcher::with_default(&default, || clone.in_scope(|| info!("on another thread"))));
    });
    let current = tracing::Span::current();
    assert!(current.is_none());
    other.in_scope(|| assert_eq!(tracing::Span::current().id(), other.id()));
    let task = async { info!("in a task") }.instrument(child);
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(task);
}

#[derive(Debug)]
struct Wrapped;

impl std::fmt::Display for Wrapped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("wrapped")
    }
}

impl std::error::Error for Wrapped {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        static CAUSE: std::fmt::Error = std::fmt::Error;
        Some(&CAUSE)
    }
}

fn seen(records: &[Record]) -> Vec<String> {
    let line = |record: &Record| {
        let fields: Vec<_> = record.fields().iter().map(|(name, value)| format!("{name}={value:?}")).collect();
        let (severity, target) = (record.severity(), record.target());
        format!("{severity} {target} {} {} {}", record.message(), fields.join(" "), spans(record).join("<"))
    };
    records.iter().map(line).collect()
}

/// Two layers: one takes what a filter of `tracing_subscriber` lets pass, the other what our loggers do.
fn application() -> ([MemoryBuffer; 2], Dispatch) {
    let all = [MemoryBuffer::default(), MemoryBuffer::default()];
    let loggers = Loggers::parse("debug,shop=error").unwrap();
    let subscriber = registry()
        .with(all[0].clone().into_layer().with_filter(LevelFilter::DEBUG))
        .with(all[1].clone().into_layer().with_filter(loggers));
    (all, Dispatch::new(subscriber))
}

/// A filter for all layers: some spans are made nowhere.
fn application_of_warnings() -> ([MemoryBuffer; 2], Dispatch) {
    let all = [MemoryBuffer::default(), MemoryBuffer::default()];
    let layers = all.clone().map(|buffer| buffer.into_layer());
    (all, Dispatch::new(registry().with(LevelFilter::INFO).with(Vec::from(layers))))
}

#[test]
fn the_application_gets_the_same_as_without_a_capture() {
    for (make, counts) in [(application as fn() -> _, [12, 11]), (application_of_warnings, [11, 11])] {
        let (expected, alone): ([MemoryBuffer; 2], Dispatch) = make();
        dispatcher::with_default(&alone, program);
        let expected = expected.map(|buffer| seen(&buffer.take()));
        assert_eq!(expected.each_ref().map(Vec::len), counts, "{expected:#?}");
        let (actual, behind) = make();
        let _behind = dispatcher::set_default(&behind);
        let _logs = Capture::start();
        program();
        assert_eq!(actual.map(|buffer| seen(&buffer.take())), expected);
        // And one inside another.
        let (actual, behind) = make();
        let _behind = dispatcher::set_default(&behind);
        let (_outer, _inner) = (Capture::start(), Capture::start());
        program();
        assert_eq!(actual.map(|buffer| seen(&buffer.take())), expected);
    }
}

#[test]
fn whatever_the_application_filters_the_capture_has_it_all() {
    let (_, behind) = application_of_warnings();
    let _behind = dispatcher::set_default(&behind);
    let logs = Capture::start();
    program();
    drop(behind);
    let unfiltered = MemoryBuffer::default();
    tracing::subscriber::with_default(registry().with(unfiltered.clone().into_layer()), program);
    let taken: Vec<_> = logs.records().iter().map(|record| (**record).clone()).collect();
    assert_eq!(seen(&taken), seen(&unfiltered.take()));
}

#[test]
fn without_a_subscriber_behind_it_the_capture_has_the_same() {
    let unfiltered = MemoryBuffer::default();
    tracing::subscriber::with_default(registry().with(unfiltered.clone().into_layer()), program);
    let logs = Capture::start();
    program();
    let taken: Vec<_> = logs.records().iter().map(|record| (**record).clone()).collect();
    assert_eq!(seen(&taken), seen(&unfiltered.take()));
}

#[test]
fn spans_from_before_the_capture() {
    let ([buffer, _], behind) = application();
    let _behind = dispatcher::set_default(&behind);
    let before = info_span!("before", id = 1);
    let entered = before.enter();
    let logs = Capture::start();
    info!("around it");
    info!(parent: &before, "explicit");
    info_span!("inside").in_scope(|| info!("inner"));
    assert_eq!(tracing::Span::current().id(), before.id());
    drop(entered);
    info!("left");
    let taken: Vec<_> = logs.records().iter().map(|record| spans(record)).collect();
    assert_eq!(taken[0], ["before{id=1}"]);
    assert_eq!(taken[2], ["inside{}", "before{id=1}"]);
    let written: Vec<_> = buffer.take().iter().map(spans).collect();
    let expected = [vec!["before{id=1}"], vec!["before{id=1}"], vec!["inside{}", "before{id=1}"], vec![]];
    assert_eq!(written, expected);
}

#[test]
fn a_span_that_outlives_the_capture_goes_on_in_the_application() {
    let ([buffer, _], behind) = application();
    let _behind = dispatcher::set_default(&behind);
    let logs = Capture::start();
    let span = info_span!("long", n = 1);
    let messages = || {
        buffer
            .take()
            .iter()
            .map(|record| format!("{} {}", record.message(), spans(record).join("<")))
            .collect::<Vec<_>>()
    };
    drop(logs);
    span.in_scope(|| info!("here"));
    thread::spawn(move || dispatcher::with_default(&behind, || span.in_scope(|| info!("there")))).join().unwrap();
    assert_eq!(messages(), ["here long{n=1}", "there long{n=1}"]);
}

#[test]
fn silence_keeps_it_from_the_application_too() {
    let ([buffer, _], behind) = application();
    let _behind = dispatcher::set_default(&behind);
    let logs = Capture::start();
    let quiet = logs.silence("hyper");
    error!(target: "hyper::proto", "1");
    error!(target: "shop", "2");
    drop(quiet);
    error!(target: "hyper::proto", "3");
    let _all = logs.silence("");
    error!(target: "shop", "4");
    assert_eq!(messages(&logs), ["2", "3"]);
    assert_eq!(buffer.take().iter().map(|record| record.message().to_owned()).collect::<Vec<_>>(), ["2", "3"]);
}

#[test]
fn trace_ids_are_those_of_the_application() {
    let buffer = MemoryBuffer::default();
    let _behind = set_default(registry().with(buffer.clone().into_layer().trace_ids()));
    let _logs = Capture::start();
    let _request = info_span!("request").entered();
    info!("m");
    assert_eq!(buffer.only().trace(), current_traceparent());
    assert!(current_traceparent().is_some());
}

#[test]
fn what_a_handler_loses_is_told() {
    struct Fails;
    impl Handler for Fails {
        fn handle(&self, delivery: Delivery<'_>) -> Result<Outcome, Error> {
            if delivery.message() == "bad" { Err(Error::new("disk full")) } else { Ok(Outcome::Written) }
        }
    }
    let layer = Fails.into_layer().named("disk").error_handler(ErrorHandler::silent());
    let _behind = set_default(registry().with(layer));
    error!("bad");
    let outer = Capture::start();
    let logs = Capture::start();
    info!("good");
    logs.assert_nothing_lost();
    error!("bad");
    let text = failure(|| logs.assert_nothing_lost());
    assert!(text.starts_with("handler \"disk\" dropped 0 and failed to write 1: 3 accepted"), "{text}");
    drop(logs);
    assert_eq!(failure(|| outer.assert_nothing_lost()), text);
    outer.assert_contains(message("good"));
}
