//! A handler that fails by script.

use std::{
    collections::VecDeque,
    fmt, mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{Delivery, Error, Flush, Handler, Outcome, OwnedDelivery, record::OwnedRecord};

/// What a handler does with one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Act {
    /// Writes it.
    Write,
    /// Fails.
    Fail,
    /// Drops it on purpose.
    Drop,
    /// Filters it out.
    Filter,
    /// Panics.
    Panic,
    /// Keeps it, and writes it with the next flush.
    Keep,
    /// Keeps it, and fails to write it with the next flush.
    KeepAndFail,
    /// Takes it, and forgets it.
    Forget,
}

/// A handler in memory that follows a script, record by record; after the last act it writes. Clones are the same handler.
///
/// ```
/// use tracing_strata::{Record, Severity, ledger::ErrorHandler, prelude::*, testing::fault::{Act, FaultyHandler}};
///
/// let scripted = FaultyHandler::new([Act::Fail, Act::Keep]);
/// let handler = scripted.clone().named("scripted");
/// handler.set_error_handler(ErrorHandler::silent());
/// ["a", "b", "c"].map(|text| handler.emit(&Record::new(Severity::INFO, "shop", text)));
/// assert_eq!((handler.stats().failed, handler.stats().queued, handler.stats().written), (1, 1, 1));
/// handler.flush().unwrap();
/// assert_eq!(scripted.messages(), ["c", "b"]);
/// ```
#[derive(Clone, Default)]
pub struct FaultyHandler(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    acts: VecDeque<Act>,
    kept: Vec<(OwnedDelivery, Act)>,
    written: Vec<OwnedRecord>,
}

impl FaultyHandler {
    /// One that follows a script.
    pub fn new(acts: impl IntoIterator<Item = Act>) -> Self {
        let handler = Self::default();
        handler.then(acts);
        handler
    }

    /// Adds acts to the script.
    pub fn then(&self, acts: impl IntoIterator<Item = Act>) {
        self.inner().acts.extend(acts);
    }

    /// What it has written.
    pub fn records(&self) -> Vec<OwnedRecord> {
        self.inner().written.clone()
    }

    /// The messages of what it has written.
    pub fn messages(&self) -> Vec<String> {
        self.inner().written.iter().map(|record| record.message().to_owned()).collect()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Handler for FaultyHandler {
    fn handle(&self, mut delivery: Delivery<'_>) -> Result<Outcome, Error> {
        let act = self.inner().acts.pop_front().unwrap_or(Act::Write);
        match act {
            Act::Write => {
                let record = delivery.keep();
                self.inner().written.push(record);
                Ok(Outcome::Written)
            }
            Act::Fail => Err(Error::new("scripted")),
            Act::Drop => Ok(Outcome::Dropped),
            Act::Filter => Ok(Outcome::Filtered),
            Act::Panic => panic!("scripted"),
            Act::Keep | Act::KeepAndFail => {
                let delivery = delivery.take();
                self.inner().kept.push((delivery, act));
                Ok(Outcome::Queued)
            }
            Act::Forget => {
                drop(delivery.take());
                Ok(Outcome::Queued)
            }
        }
    }

    fn flush(&self, _: &Flush) -> Result<(), Error> {
        let kept = mem::take(&mut self.inner().kept);
        // With no lock held: a fallback may take over.
        for (delivery, act) in kept {
            if act == Act::KeepAndFail {
                delivery.failed(Error::new("scripted"));
                continue;
            }
            let record = delivery.keep();
            self.inner().written.push(record);
            delivery.written();
        }
        Ok(())
    }
}

impl fmt::Debug for FaultyHandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = self.inner();
        f.debug_struct("FaultyHandler").field("left", &inner.acts).field("written", &inner.written.len()).finish()
    }
}
