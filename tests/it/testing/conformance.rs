//! The suite for users' handlers, formats and sinks, on the crate's own and on ones that are wrong.

use std::{
    io,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use tracing_strata::{
    Delivery, Error, FlightRecorder, Flush, MemoryBuffer, NamedHandler, Outcome, Queue, Record, Severity, Tee,
    filter::RateLimit,
    format::{Buffer, Gelf, Json, Logfmt, SyslogFormat, Template, Text},
    handler::OwnedDelivery,
    ledger::ErrorHandler,
    output::{LogFile, Null, Stream},
    prelude::*,
    sink::{Lines, Sink},
    testing::{
        conformance,
        fault::{Act, Fault, FaultyHandler, FaultySink},
    },
};

use super::failure;

fn stream() -> Stream<Text, FaultySink> {
    Stream::sink(FaultySink::default()).format(Text::plain())
}

fn quiet(name: &str, handler: Box<dyn Handler>) -> NamedHandler {
    NamedHandler::with_error_handler(name, handler, ErrorHandler::silent())
}

fn failing() -> Stream<Text, FaultySink> {
    let faults = [Fault::Take(3), Fault::Full, Fault::Interrupted, Fault::Io, Fault::Zero, Fault::WouldBlock];
    Stream::sink(FaultySink::new(faults.repeat(20))).format(Text::plain())
}

#[test]
fn own_handlers() {
    conformance::handler(|| Null);
    conformance::handler(stream);
    conformance::handler(|| stream().min_level(Severity::ERROR));
    conformance::handler(|| stream().filter(RateLimit::new(10, Duration::from_secs(3_600))));
    conformance::handler(|| Queue::builder().build(stream()).unwrap());
    conformance::handler(|| MemoryBuffer::new(50).target(stream()));
    conformance::handler(|| FlightRecorder::new(stream()));
    conformance::handler(|| stream().transform(|record: &mut Record| record.set("more", 1)));
}

#[test]
fn own_handlers_over_a_place_that_fails() {
    let quiet =
        |name: &str, handler: Box<dyn Handler>| NamedHandler::with_error_handler(name, handler, ErrorHandler::silent());
    conformance::handler(failing);
    conformance::handler(|| failing().fallback(stream()));
    conformance::handler(|| {
        Tee::new().with_named(quiet("a", failing().boxed())).with_named(quiet("b", stream().boxed()))
    });
    conformance::handler(|| Queue::builder().build(failing()).unwrap());
    conformance::handler(|| Stream::sink(FaultySink::with_room(500)).format(Json::new()));
}

/// The account balances whatever a handler behind ours does.
#[test]
fn own_wrappers_over_a_handler_that_fails() {
    let acts = [Act::Fail, Act::Drop, Act::Filter, Act::Write, Act::Keep, Act::KeepAndFail];
    let behind = || FaultyHandler::new(acts.repeat(20));
    conformance::handler(behind);
    conformance::handler(|| quiet("a", behind().boxed()).fallback(FaultyHandler::default()));
    conformance::handler(|| behind().min_level(Severity::ERROR));
    conformance::handler(|| Tee::new().with_named(quiet("a", behind().boxed())).with("b", FaultyHandler::default()));
    conformance::handler(|| Queue::builder().build(behind()).unwrap());
    conformance::handler(|| MemoryBuffer::new(7).target(quiet("a", behind().boxed())));
    for (act, text) in [(Act::Panic, "panicked in handle(): scripted"), (Act::Forget, "neither ended nor kept")] {
        let found = failure(|| conformance::handler(|| FaultyHandler::new([act; 100])));
        assert!(found.contains(text), "{found}");
    }
}

#[test]
fn own_formats() {
    conformance::line_format(&Text::plain());
    conformance::line_format(&Json::new());
    conformance::line_format(&Json::ecs());
    conformance::line_format(&Json::gcp());
    conformance::line_format(&Logfmt::new());
    conformance::line_format(&SyslogFormat::rfc5424().escape_values(true));
    // An error has lines of its own.
    conformance::format(&Template::new());
    conformance::format(&Text::pretty());
    conformance::format(&Gelf::new());
}

#[test]
fn own_sinks() {
    conformance::sink(FaultySink::default);
    conformance::sink(|| FaultySink::new([Fault::Take(3), Fault::Full, Fault::Interrupted, Fault::Zero]));
    conformance::sink(|| FaultySink::with_room(100));
    let path =
        std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("conformance-{}.log", std::process::id()));
    conformance::sink(|| LogFile::builder(&path).build_sink().unwrap());
    std::fs::remove_file(path).unwrap();
}

/// A handler of a user's, with one mistake.
struct Wrong<F>(F);

impl<F: Fn(Delivery<'_>) -> Result<Outcome, Error> + Send + Sync + 'static> Handler for Wrong<F> {
    fn handle(&self, delivery: Delivery<'_>) -> Result<Outcome, Error> {
        self.0(delivery)
    }
}

#[test]
fn wrong_handlers_are_found() {
    let text = failure(|| {
        conformance::handler(|| {
            Wrong(|delivery: Delivery<'_>| {
                assert!(delivery.message().is_ascii(), "it knows ASCII");
                Ok(Outcome::Written)
            })
        });
    });
    assert!(text.starts_with("line breaks in the message: panicked in handle(): it knows ASCII"), "{text}");
    let text = failure(|| conformance::handler(|| Wrong(|_: Delivery<'_>| Ok(Outcome::Queued))));
    assert!(text.starts_with("the account: 100 records were neither ended nor kept"), "{text}");
    let text = failure(|| {
        conformance::handler(|| {
            Wrong(|delivery: Delivery<'_>| {
                drop(delivery.take());
                Ok(Outcome::Queued)
            })
        });
    });
    assert!(text.starts_with("the account: 100 records were neither ended nor kept"), "{text}");

    /// Says a level, and does not keep to it.
    struct Level;
    impl Handler for Level {
        fn handle(&self, _: Delivery<'_>) -> Result<Outcome, Error> {
            Ok(Outcome::Written)
        }
        fn describe(&self) -> tracing_strata::Description {
            tracing_strata::Description::new("level").min_level(Severity::WARN)
        }
    }
    let text = failure(|| conformance::handler(|| Level));
    assert_eq!(text, "its level: `describe` says WARN, and a record below that was written");

    /// Keeps records, and forgets them.
    #[derive(Default)]
    struct Keeps(std::sync::Mutex<Vec<OwnedDelivery>>);
    impl Handler for Keeps {
        fn handle(&self, delivery: Delivery<'_>) -> Result<Outcome, Error> {
            self.0.lock().unwrap().push(delivery.take());
            Ok(Outcome::Queued)
        }
        fn flush(&self, _: &Flush) -> Result<(), Error> {
            Ok(())
        }
    }
    let text = failure(|| conformance::handler(Keeps::default));
    assert!(text.starts_with("an ordinary record: after a flush, 1 records have no end: "), "{text}");
}

#[test]
fn wrong_formats_are_found() {
    struct Wrong<F>(F);
    impl<F: Fn(&Record, &mut Buffer) + Send + Sync + 'static> Format for Wrong<F> {
        fn format(&self, record: &Record, out: &mut Buffer) -> Result<(), Error> {
            self.0(record, out);
            Ok(())
        }
    }
    let clears = Wrong(|record: &Record, out: &mut Buffer| {
        out.clear();
        out.push_str(record.message());
    });
    assert_eq!(failure(|| conformance::format(&clears)), "an ordinary record: it changes what is in the buffer");
    let breaks = Wrong(|record: &Record, out: &mut Buffer| out.push_str(record.message()));
    conformance::format(&breaks);
    let text = failure(|| conformance::line_format(&breaks));
    assert!(text.starts_with("line breaks in the message: there is '\\r' in "), "{text}");
    let count = AtomicU64::new(0);
    let counts = Wrong(move |_: &Record, out: &mut Buffer| {
        out.push_str(if count.fetch_add(1, Ordering::Relaxed) == 0 { "first" } else { "later" });
    });
    assert_eq!(failure(|| conformance::format(&counts)), "an ordinary record: it makes \"first\", then \"later\"");
}

#[test]
fn wrong_sinks_are_found() {
    struct Wrong<F>(F);
    impl<F: Fn(&mut Lines<'_>) -> io::Result<()> + Send + Sync + 'static> Sink for Wrong<F> {
        fn write(&self, lines: &mut Lines<'_>) -> io::Result<()> {
            self.0(lines)
        }
    }
    let forgets = || Wrong(|_: &mut Lines<'_>| Ok(()));
    assert_eq!(failure(|| conformance::sink(forgets)), "1 lines: it returns Ok, and 1 of 1 lines have no mark");
    let marks = || {
        Wrong(|lines: &mut Lines<'_>| {
            lines.written(lines.len());
            Err(io::ErrorKind::StorageFull.into())
        })
    };
    let text = failure(|| conformance::sink(marks));
    assert!(text.contains("returns an error (") && text.contains("all lines are marked"), "{text}");
}

#[test]
fn a_sink_that_blocks_lets_go_when_told() {
    let sink = FaultySink::default();
    sink.block();
    let handler = Queue::builder().build(Stream::sink(sink.clone()).format(Text::plain())).unwrap().named("queue");
    handler.emit(&Record::new(Severity::INFO, "shop", "first"));
    sink.wait_for_writer();
    assert_eq!((handler.stats().queued, sink.text().len()), (1, 0));
    sink.release();
    handler.flush().unwrap();
    assert!(sink.text().contains("first"));
    sink.then([Fault::Full]);
    sink.heal();
    assert_eq!(sink.left(), 0);
}
