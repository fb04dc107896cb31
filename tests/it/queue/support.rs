//! A handler that can be stopped, and what the tests share.

use std::{
    sync::{Arc, Condvar, Mutex, PoisonError},
    time::Duration,
};

use tracing::Dispatch;
use tracing_strata::{Delivery, Error, Flush, Handler, HandlerLayer, Outcome, Record};
use tracing_subscriber::layer::SubscriberExt as _;

/// Far more than anything here takes.
pub(super) const LONG: Duration = Duration::from_secs(60);

/// Remembers records; while it is closed, it stops before each one.
#[derive(Clone, Default)]
pub(super) struct Gate(Arc<Inner>);

#[derive(Default)]
struct Inner {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    is_closed: bool,
    waiting: usize,
    records: Vec<Record>,
    flushes: usize,
}

impl Gate {
    pub(super) fn closed() -> Self {
        let gate = Self::default();
        gate.0.state.lock().unwrap().is_closed = true;
        gate
    }

    pub(super) fn open(&self) {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner).is_closed = false;
        self.0.changed.notify_all();
    }

    /// Opens it at the end of a scope, also of one that fails: whoever waits for room behind it goes on.
    pub(super) fn opens(&self) -> Opens {
        Opens(self.clone())
    }

    /// Waits until the listener stands before the gate with a record.
    pub(super) fn wait_for_one(&self) {
        let state = self.0.state.lock().unwrap();
        drop(self.0.changed.wait_while(state, |state| state.waiting == 0).unwrap());
    }

    /// Waits until so many records have come.
    pub(super) fn wait_for(&self, records: usize) {
        let state = self.0.state.lock().unwrap();
        let (state, late) =
            self.0.changed.wait_timeout_while(state, LONG, |state| state.records.len() < records).unwrap();
        assert!(!late.timed_out(), "{} of {records} records", state.records.len());
    }

    pub(super) fn records(&self) -> Vec<Record> {
        self.0.state.lock().unwrap().records.clone()
    }

    pub(super) fn messages(&self) -> Vec<String> {
        self.0.state.lock().unwrap().records.iter().map(|record| record.message().to_owned()).collect()
    }

    pub(super) fn flushes(&self) -> usize {
        self.0.state.lock().unwrap().flushes
    }
}

pub(super) struct Opens(Gate);

impl Drop for Opens {
    fn drop(&mut self) {
        self.0.open();
    }
}

impl Handler for Gate {
    fn handle(&self, record: Delivery<'_>) -> Result<Outcome, Error> {
        let mut state = self.0.state.lock().unwrap();
        state.waiting += 1;
        self.0.changed.notify_all();
        state = self.0.changed.wait_while(state, |state| state.is_closed).unwrap();
        state.waiting -= 1;
        state.records.push(record.clone());
        self.0.changed.notify_all();
        Ok(Outcome::Written)
    }

    fn flush(&self, _: &Flush) -> Result<(), Error> {
        self.0.state.lock().unwrap().flushes += 1;
        Ok(())
    }
}

/// A subscriber that stays when a scope is left.
pub(super) fn dispatch(layer: HandlerLayer<impl Handler>) -> Dispatch {
    Dispatch::new(tracing_subscriber::registry().with(layer))
}

pub(super) fn within<R>(dispatch: &Dispatch, work: impl FnOnce() -> R) -> R {
    tracing::dispatcher::with_default(dispatch, work)
}
