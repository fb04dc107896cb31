//! Handlers that remember: `MemoryBuffer`, `FlightRecorder`.

mod buffer;
mod bytes;
mod recorder;
mod soak;

use std::sync::{Arc, Mutex, PoisonError};

use tracing_strata::{Delivery, Error, Handler, Outcome};

/// Remembers the messages it is handed, in order.
#[derive(Clone, Default)]
pub(super) struct Messages(Arc<Mutex<Vec<String>>>);

impl Messages {
    pub(super) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Handler for Messages {
    fn handle(&self, record: Delivery<'_>) -> Result<Outcome, Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(record.message().to_owned());
        Ok(Outcome::Written)
    }
}
