//! A handler in use: its name and its ledger, which counts its records; [`flush_all`](super::flush_all) flushes it.

use std::sync::{Arc, Weak};

use super::{
    Delivery, Flush, Handler, Outcome, exit, queue,
    reentrancy::{ReentrancyGuard, next_handler_id},
};
use crate::{
    Description, Error, fork,
    ledger::{Counters, End, Ledger, Total},
    record::OwnedRecord,
    unwind::{catch, panicked},
    weak_list::WeakList,
};

pub(super) struct Registration<H: Handler> {
    name: String,
    id: u64,
    // Dropped before the ledger, which counts the records that it still has.
    handler: H,
    _gone: HandlerGone,
    ledger: Arc<Ledger>,
}

/// Dropped after the handler: from now on the error handler gets losses that no flush will report. None where another
/// registration has the same ledger.
struct HandlerGone(Option<&'static Counters>);

impl Drop for HandlerGone {
    fn drop(&mut self) {
        if let Some(counters) = self.0 {
            counters.handler_is_gone();
        }
    }
}

impl<H: Handler> Registration<H> {
    pub(super) fn new(name: String, handler: H) -> Self {
        let ledger = Ledger::registered(&name);
        let _gone = HandlerGone(Some(ledger.counters()));
        Self { name, id: next_handler_id(), handler, _gone, ledger }
    }

    /// A second path to a handler that is already registered, with the same ledger and error handler.
    #[cfg(feature = "config")]
    pub(super) fn sharing_ledger(ledger: Arc<Ledger>, handler: H) -> Self {
        Self { name: ledger.name(), id: next_handler_id(), handler, _gone: HandlerGone(None), ledger }
    }

    pub(super) fn rename(&mut self, name: String) {
        self.ledger.rename(&name);
        self.name = name;
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    #[inline]
    pub(super) fn ledger(&self) -> &Arc<Ledger> {
        &self.ledger
    }

    pub(super) fn handler(&self) -> &H {
        &self.handler
    }

    /// Handles a record that nobody else has.
    #[inline]
    pub(super) fn emit(&self, mut record: OwnedRecord) {
        // An error is counted and reported already.
        drop(self.handle(Delivery::new(&mut record)));
    }
}

impl<H: Handler> Handler for Registration<H> {
    #[inline]
    fn handle(&self, delivery: Delivery<'_>) -> Result<Outcome, Error> {
        let counters = self.ledger.counters();
        let Some(_guard) = ReentrancyGuard::enter(self.id) else {
            counters.count_end(End::Dropped);
            return Ok(Outcome::Dropped);
        };
        #[cfg(feature = "testing")]
        super::witness::note(&self.ledger);
        if delivery.marked_values() > 0 {
            counters.count(Total::Marked, 1);
        }
        delivery.pass_to_named(counters, &self.handler)
    }

    fn flush(&self, how: &Flush) -> Result<(), Error> {
        fork::check();
        fork::restart();
        let Some(_guard) = ReentrancyGuard::enter(self.id) else { return Ok(()) };
        let result = catch(|| self.handler.flush(how)).unwrap_or_else(|panic| Err(panicked(how.verb(), &panic)));
        result.inspect_err(|error| self.ledger.report_error(error))
    }

    fn describe(&self) -> Description {
        self.handler.describe()
    }
}

impl<H: Handler> Drop for Registration<H> {
    fn drop(&mut self) {
        // The error handler got the error.
        self.flush(&Flush::END).unwrap_or_default();
        self.ledger.report_suppressed();
    }
}

// --- all registered handlers

/// What `flush_all` needs from a handler.
pub(super) trait Flushable: Send + Sync {
    fn final_flush(&self, how: &Flush) -> Result<(), Error>;

    /// Losses since the last call that the handler's own log does not mention, as an error.
    fn check_losses(&self) -> Result<(), Error>;
}

impl<H: Handler> Flushable for Registration<H> {
    fn final_flush(&self, how: &Flush) -> Result<(), Error> {
        let result = self.flush(how);
        self.ledger.report_suppressed();
        result
    }

    fn check_losses(&self) -> Result<(), Error> {
        let new = self.ledger.counters().take_unreported_losses() + queue::take_unreported_losses(&self.ledger);
        if new == 0 {
            return Ok(());
        }
        let records = if new == 1 { "record was" } else { "records were" };
        Err(Error::new(format_args!("handler {:?}: {new} {records} lost", self.name)))
    }
}

static ALL: WeakList<dyn Flushable> = WeakList::new();

pub(super) fn register<H: Handler>(registration: &Arc<Registration<H>>) {
    exit::install_exit_hook();
    let registration: Weak<dyn Flushable> = Arc::downgrade(registration) as _;
    ALL.add(registration);
}

/// All registered handlers, the newest first.
pub(super) fn registered() -> Vec<Arc<dyn Flushable>> {
    let mut all = ALL.all();
    all.reverse();
    all
}
