//! A handler that can be stopped.

use std::sync::{Arc, Condvar, Mutex};

use tracing_strata::{Error, Handler, Outcome, Record};

/// Remembers messages; stops before each one while it is closed.
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
    /// Let through although it is closed.
    passes: usize,
    waiting: usize,
    messages: Vec<String>,
    flushes: usize,
}

impl Gate {
    pub(super) fn closed() -> Self {
        let gate = Self::default();
        gate.0.state.lock().unwrap().is_closed = true;
        gate
    }

    pub(super) fn open(&self) {
        self.0.state.lock().unwrap().is_closed = false;
        self.0.changed.notify_all();
    }

    /// Waits until the listener stands before the gate with a record.
    pub(super) fn wait_for_one(&self) {
        let state = self.0.state.lock().unwrap();
        drop(self.0.changed.wait_while(state, |state| state.waiting == 0).unwrap());
    }

    pub(super) fn messages(&self) -> Vec<String> {
        self.0.state.lock().unwrap().messages.clone()
    }

    pub(super) fn flushes(&self) -> usize {
        self.0.state.lock().unwrap().flushes
    }
}

impl Handler for Gate {
    fn handle(&self, record: &Record) -> Result<Outcome, Error> {
        let mut state = self.0.state.lock().unwrap();
        state.waiting += 1;
        self.0.changed.notify_all();
        state = self.0.changed.wait_while(state, |state| state.is_closed && state.passes == 0).unwrap();
        state.passes = state.passes.saturating_sub(1);
        state.waiting -= 1;
        state.messages.push(record.message().to_owned());
        Ok(Outcome::Written)
    }

    fn flush(&self) -> Result<(), Error> {
        self.0.state.lock().unwrap().flushes += 1;
        Ok(())
    }
}
