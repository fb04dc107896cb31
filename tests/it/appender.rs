//! `tracing-appender`'s writers: what they lose is counted for the right record, and told.

use std::{
    io,
    sync::{Arc, Barrier, atomic::Ordering, mpsc},
};

use tracing_appender::{non_blocking::NonBlockingBuilder, rolling::RollingFileAppender};
use tracing_strata::{
    NamedHandler, Queue, Record, Severity,
    format::{Text, Time},
    ledger::ErrorHandler,
    output::Stream,
    prelude::*,
    sink::appender::NonBlockingSink,
};

use crate::places::Dir;

/// Waits with each line until it is let through.
struct Gate(mpsc::Receiver<()>, Arc<std::sync::Mutex<Vec<u8>>>, Option<Arc<Barrier>>);

impl io::Write for Gate {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(begun) = self.2.take() {
            begun.wait();
        }
        self.0.recv().map_err(io::Error::other)?;
        self.1.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn text() -> Text {
    Text::plain().time(Time::none()).level(false).target(false)
}

fn emit(handler: &NamedHandler, numbers: std::ops::Range<u32>) {
    numbers.for_each(|number| handler.emit(&Record::new(Severity::INFO, "app", &format!("line {number}"))));
}

#[test]
fn what_non_blocking_drops_is_dropped_in_the_ledger_and_told() {
    let (let_through, gate) = mpsc::channel();
    let (written, begun) = (Arc::default(), Arc::new(Barrier::new(2)));
    let gate = Gate(gate, Arc::clone(&written), Some(Arc::clone(&begun)));
    let (non_blocking, guard) = NonBlockingBuilder::default().buffered_lines_limit(2).finish(gate);
    let counter = non_blocking.error_counter();
    let (error_handler, told) = ErrorHandler::counting();
    let output = Stream::sink(NonBlockingSink::new(non_blocking)).format(text());
    let handler = NamedHandler::with_error_handler("app.log", output, error_handler);

    emit(&handler, 0..1);
    begun.wait();
    // One is being written, two fit into the buffer.
    emit(&handler, 1..6);
    assert_eq!((handler.stats().written, handler.stats().dropped), (3, 3));
    assert_eq!(counter.dropped_lines(), 3);
    assert!(told.load(Ordering::Relaxed) > 0);
    (0..3).for_each(|_| let_through.send(()).unwrap());
    drop(guard);
    assert_eq!(String::from_utf8(written.lock().unwrap().clone()).unwrap(), "line 0\nline 1\nline 2\n");
    // Nobody is there any more.
    emit(&handler, 6..8);
    let stats = handler.stats();
    assert_eq!((stats.accepted(), stats.written, stats.dropped, stats.failed, stats.queued), (8, 3, 5, 0, 0));
}

#[test]
fn one_that_waits_loses_nothing_until_its_guard_is_gone() {
    let written = Arc::default();
    let (let_through, gate) = mpsc::channel();
    let gate = Gate(gate, Arc::clone(&written), None);
    let (non_blocking, guard) = NonBlockingBuilder::default().buffered_lines_limit(1).lossy(false).finish(gate);
    (0..100).for_each(|_| let_through.send(()).unwrap());
    let (error_handler, told) = ErrorHandler::counting();
    let (queue, worker) =
        Queue::builder().build_with_guard(Stream::sink(NonBlockingSink::new(non_blocking)).format(text())).unwrap();
    let handler = NamedHandler::with_error_handler("app.log", queue, error_handler);
    emit(&handler, 0..100);
    worker.shutdown(std::time::Duration::from_secs(60)).unwrap();
    drop(guard);
    assert_eq!((handler.stats().written, handler.stats().dropped), (100, 0));
    assert_eq!(told.load(Ordering::Relaxed), 0);
    let text = String::from_utf8(written.lock().unwrap().clone()).unwrap();
    assert!((0..100).eq(text.lines().map(|line| line[5..].parse::<u32>().unwrap())));
}

#[test]
fn a_rolling_file_is_a_make_writer() {
    let dir = Dir::new();
    let rolling = RollingFileAppender::builder().filename_prefix("app.log").build(dir.path("")).unwrap();
    let handler = Stream::make_writer(rolling).format(text()).named("app.log");
    emit(&handler, 0..2);
    assert_eq!(handler.stats().written, 2);
    assert_eq!(std::fs::read_to_string(dir.path("app.log")).unwrap(), "line 0\nline 1\n");
}
