//! A handler, a format, a sink and a filter of one's own: twenty lines each, and everything else comes with them.
//!
//! `cargo run --example own_parts`

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
};

use tracing::{info, warn};
use tracing_strata::{
    Delivery, Error, Handler, HandlerExt as _, Outcome, Record, Severity, Sink,
    filter::Filter,
    format::{Buffer, Format},
    ledger::ErrorHandler,
    output::Stream,
    sink::Lines,
};
use tracing_subscriber::prelude::*;

/// A handler: counts records by target.
#[derive(Clone, Default)]
pub(crate) struct Count(pub(crate) Arc<Mutex<BTreeMap<String, u64>>>);

impl Handler for Count {
    fn handle(&self, record: Delivery<'_>) -> Result<Outcome, Error> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(record.target().to_owned()).or_default() += 1;
        Ok(Outcome::Written)
    }
}

/// A format: severity's first letter and the message, then the fields.
pub(crate) struct Terse;

impl Format for Terse {
    fn format(&self, record: &Record, out: &mut Buffer) -> Result<(), Error> {
        write!(out, "{:.1}|{}", record.severity(), record.message().escape_debug())?;
        for (name, value) in record.fields().iter() {
            write!(out, "|{name}={value:?}")?;
        }
        Ok(())
    }
}

/// A sink: a bounded buffer of lines. When it is full it fails, and the ledger says so.
#[derive(Clone, Default)]
pub(crate) struct LineBuffer(pub(crate) Arc<Mutex<Vec<String>>>);

impl Sink for LineBuffer {
    fn write(&self, lines: &mut Lines<'_>) -> io::Result<()> {
        lines.write_each(|line| {
            let mut buffer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if buffer.len() == 2 {
                return Err(io::Error::new(io::ErrorKind::StorageFull, "two lines are enough"));
            }
            buffer.push(String::from_utf8_lossy(line).into_owned());
            Ok(())
        })
    }
}

/// A filter: every second record.
#[derive(Default)]
pub(crate) struct EverySecond(Mutex<bool>);

impl Filter for EverySecond {
    fn passes(&self, _: &Record) -> bool {
        let mut odd = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *odd = !*odd;
        *odd
    }
}

fn main() {
    let (count, lines) = (Count::default(), LineBuffer::default());
    let (error_handler, failures) = ErrorHandler::counting();
    let kept = Stream::sink(lines.clone()).format(Terse).filter(EverySecond::default()).min_level(Severity::INFO);
    let kept = kept.into_layer().named("kept").error_handler(error_handler);
    let ledger = kept.ledger();
    tracing_subscriber::registry().with(count.clone().into_layer()).with(kept).init();

    for number in 0..6 {
        info!(number, "hello");
    }
    warn!(target: "elsewhere", "seventh");

    let (counts, lines) = (
        count.0.lock().unwrap_or_else(PoisonError::into_inner),
        lines.0.lock().unwrap_or_else(PoisonError::into_inner),
    );
    let stats = ledger.stats();
    println!("counted: {counts:?}");
    println!("kept:    {lines:?}");
    println!("ledger:  {stats}");
    println!("trap:    {failures:?} failures");
    assert_eq!(*counts, BTreeMap::from([("elsewhere".into(), 1), ("own_parts".into(), 6)]));
    assert_eq!(*lines, ["I|hello|number=I64(0)\n", "I|hello|number=I64(2)\n"]);
    assert_eq!((stats.written, stats.filtered, stats.failed, failures.load(Ordering::Relaxed)), (2, 3, 2, 2));
}
