//! Ourselves.

use std::{
    cell::RefCell,
    fs::File,
    hint::black_box,
    io::{self, BufWriter, Write as _},
    path::Path,
    sync::{Mutex, PoisonError},
};

use tracing_strata::{
    Error, Loggers, Outcome, Record, Tee,
    format::{Format, Json, Text},
    prelude::*,
    sink::Written,
};
use tracing_subscriber::{Layer, layer::SubscriberExt, registry, util::SubscriberInitExt};

use super::{Failure, Peer, install_layer};
use crate::support::{
    cases::Case,
    place::{self, BUFFER, Null, Place},
    work::{Facade, Work},
};

pub(super) fn install(peer: Peer, case: &Case, path: &Path) -> Result<Facade, Failure> {
    match peer {
        Peer::Strata if case.work == Work::DisabledByName => {
            let by_name = Loggers::parse("info,noisy=off")?;
            registry().with(null().into_layer().with_filter(by_name)).try_init()?;
            Ok(Facade::Tracing)
        }
        Peer::Strata => output(Json::new(), case, path),
        Peer::StrataText => output(Text::plain(), case, path),
        Peer::StrataTee => install_layer(Tee::new().with("one", null()).with("two", null()).into_layer(), case.work),
        Peer::StrataLoggers => {
            let loggers = Loggers::parse("info,noisy=off")?;
            loggers.add_handler("", null().shared("one"))?;
            registry().with(loggers.into_layer()).try_init()?;
            Ok(Facade::Tracing)
        }
        Peer::StrataLayers => {
            registry().with(null().into_layer()).with(null().into_layer()).try_init()?;
            Ok(Facade::Tracing)
        }
        Peer::Capture => install_layer(Capture.into_layer(), case.work),
        other => unreachable!("{other:?} is not us"),
    }
}

fn output(format: impl Format, case: &Case, path: &Path) -> Result<Facade, Failure> {
    match case.place {
        Place::Null => install_layer(Formatted(format, Null).into_layer(), case.work),
        Place::Lines => install_layer(Formatted(format, Lines(place::open(path)?)).into_layer(), case.work),
        Place::Buffer => {
            let file = Mutex::new(BufWriter::with_capacity(BUFFER, place::open(path)?));
            install_layer(Formatted(format, Buffered(file)).into_layer(), case.work)
        }
    }
}

fn null() -> impl Handler {
    Formatted(Json::new(), Null)
}

/// Looks at the record and no more: what remains is the capture.
struct Capture;

impl Handler for Capture {
    #[inline]
    fn handle(&self, record: &Record) -> Result<Outcome, Error> {
        black_box(record);
        Ok(Outcome::Written)
    }
}

// --- in the stead of `output::{Stream, LogFile}`, until they are there

struct Formatted<F, S>(F, S);

thread_local! {
    static LINE: RefCell<String> = const { RefCell::new(String::new()) };
}

impl<F: Format, S: Sink> Handler for Formatted<F, S> {
    fn handle(&self, record: &Record) -> Result<Outcome, Error> {
        LINE.with_borrow_mut(|line| {
            line.clear();
            self.0.format(record, line)?;
            line.push('\n');
            self.1.write(line.as_bytes())?;
            Ok(Outcome::Written)
        })
    }
}

struct Lines(File);

impl Sink for Lines {
    fn write(&self, bytes: &[u8]) -> io::Result<Written> {
        (&self.0).write_all(bytes)?;
        Ok(Written::Through)
    }
}

struct Buffered(Mutex<BufWriter<File>>);

impl Sink for Buffered {
    fn write(&self, bytes: &[u8]) -> io::Result<Written> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write_all(bytes)?;
        Ok(Written::Through)
    }
}
