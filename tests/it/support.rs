//! A handler that remembers, and short ways to use handlers.

use std::{
    fmt, io,
    sync::{Arc, Mutex, PoisonError},
};

use tracing_strata::{Delivery, Error, Handler, Outcome, OwnedDelivery, Record, Severity, Shared, trap::Trap};
use tracing_subscriber::{Layer, Registry, layer::SubscriberExt as _};

/// Remembers copies of all records. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct Memory(Arc<Mutex<Vec<Record>>>);

impl Memory {
    pub(crate) fn take(&self) -> Vec<Record> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn only(&self) -> Record {
        let mut records = self.take();
        assert_eq!(records.len(), 1, "{records:?}");
        records.remove(0)
    }
}

impl Handler for Memory {
    fn handle(&self, record: Delivery<'_>) -> Result<Outcome, Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(record.clone());
        Ok(Outcome::Written)
    }
}

/// What a handler says of one record that it is given without a name of its own.
pub(crate) trait Give: Handler {
    fn give(&self, record: &Record) -> Result<Outcome, Told> {
        self.give_and_hear(record).0
    }

    /// Also what it tells last.
    fn give_and_hear(&self, record: &Record) -> (Result<Outcome, Told>, Option<Told>) {
        let (hands, told) = (Hands::default(), Arc::new(Mutex::new(None)));
        let trap = {
            let told = Arc::clone(&told);
            Trap::new(move |failure| *told.lock().unwrap() = Some(Told::of(failure.error())))
        };
        let desk = Shared::with_trap("desk", hands.clone(), trap);
        // Whatever its severity.
        desk.set_level(Severity::new(i32::MIN));
        desk.deliver(record);
        let delivery = hands.0.lock().unwrap().take().unwrap();
        delivery.pass_on(self);
        let stats = desk.stats();
        assert_eq!(stats.accepted(), 1, "{stats}");
        let told = told.lock().unwrap().take();
        let result = match [stats.written, stats.filtered, stats.dropped, stats.queued] {
            [1, ..] => Ok(Outcome::Written),
            [_, 1, ..] => Ok(Outcome::Filtered),
            [_, _, 1, _] => Ok(Outcome::Dropped),
            [.., 1] => Ok(Outcome::Queued),
            _ => Err(told.clone().unwrap()),
        };
        (result, told)
    }
}

impl<H: Handler + ?Sized> Give for H {}

/// An error as the trap was told of it.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    text: String,
    is_io: bool,
    io_kind: Option<io::ErrorKind>,
}

impl Told {
    fn of(error: &Error) -> Self {
        Self { text: error.to_string(), is_io: error.is_io(), io_kind: error.io_kind() }
    }

    pub(crate) fn is_io(&self) -> bool {
        self.is_io
    }

    pub(crate) fn io_kind(&self) -> Option<io::ErrorKind> {
        self.io_kind
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Takes one delivery, for whoever asks.
#[derive(Clone, Default)]
struct Hands(Arc<Mutex<Option<OwnedDelivery>>>);

impl Handler for Hands {
    fn handle(&self, record: Delivery<'_>) -> Result<Outcome, Error> {
        *self.0.lock().unwrap() = Some(record.take());
        Ok(Outcome::Queued)
    }
}

/// Runs with one unfiltered layer and gives the records.
pub(crate) fn records(run: impl FnOnce()) -> Vec<Record> {
    let memory = Memory::default();
    with_layer(memory.clone().into_layer(), run);
    memory.take()
}

/// As [`records`], for exactly one.
pub(crate) fn record(run: impl FnOnce()) -> Record {
    let mut records = records(run);
    assert_eq!(records.len(), 1, "{records:?}");
    records.remove(0)
}

pub(crate) fn with_layer(layer: impl Layer<Registry> + Send + Sync + 'static, run: impl FnOnce()) {
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), run);
    let_go();
}

/// Waits until a subscriber that was dropped is gone: a thread of another test that registers a call site at that moment
/// holds every subscriber of the process, under the lock that a new one has to wait for.
pub(crate) fn let_go() {
    drop(tracing::Dispatch::new(tracing_subscriber::registry()));
}

/// `name{field=value}` of each span, innermost first.
pub(crate) fn spans(record: &Record) -> Vec<String> {
    record
        .spans()
        .map(|span| {
            let fields: Vec<_> = span.fields().iter().map(|(name, value)| format!("{name}={value}")).collect();
            format!("{}{{{}}}", span.name(), fields.join(" "))
        })
        .collect()
}
