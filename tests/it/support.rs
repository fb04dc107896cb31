//! A handler that remembers, and short ways to use handlers.

use std::sync::{Arc, Mutex, PoisonError};

pub(crate) use crate::give::Give;
use tracing_strata::{Delivery, Error, Handler, HandlerExt as _, Outcome, Record};
use tracing_subscriber::{Layer, Registry, layer::SubscriberExt as _};

/// Remembers copies of all records. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct MemoryBuffer(Arc<Mutex<Vec<Record>>>);

impl MemoryBuffer {
    pub(crate) fn take(&self) -> Vec<Record> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn only(&self) -> Record {
        let mut records = self.take();
        assert_eq!(records.len(), 1, "{records:?}");
        records.remove(0)
    }
}

impl Handler for MemoryBuffer {
    fn handle(&self, record: Delivery<'_>) -> Result<Outcome, Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(record.clone());
        Ok(Outcome::Written)
    }
}

/// Runs with one unfiltered layer and gives the records.
pub(crate) fn records(run: impl FnOnce()) -> Vec<Record> {
    let memory = MemoryBuffer::default();
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
