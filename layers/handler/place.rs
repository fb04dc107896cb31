//! A handler where it hangs: with its name, ledger and trap, and within reach of [`flush_all`].

use std::sync::{Arc, Weak};

use super::{Delivery, Flush, Handler, Outcome, Working, next_number, queue};
use crate::{
    Description, Error,
    fork::{self, ForkRwLock},
    ledger::{Account, End, Ledger, ledgers},
    record::OwnedRecord,
    unwind::{catch, panicked},
};

pub(super) struct Place<H: Handler> {
    name: String,
    number: u64,
    // Dropped before the ledger, which hears what becomes of records that it holds.
    handler: H,
    _farewell: Farewell,
    ledger: Arc<Ledger>,
}

/// Dropped after the handler: from now on the trap is told of records that nobody ends. Not where others hang there, too.
struct Farewell(Option<&'static Account>);

impl Drop for Farewell {
    fn drop(&mut self) {
        if let Some(account) = self.0 {
            account.handler_is_gone();
        }
    }
}

impl<H: Handler> Place<H> {
    pub(super) fn new(name: String, handler: H) -> Self {
        let ledger = Ledger::registered(&name);
        let _farewell = Farewell(Some(ledger.account()));
        Self { name, number: next_number(), handler, _farewell, ledger }
    }

    /// Another way into a handler that hangs already: what comes by it is on the same account, and goes to the same trap.
    #[cfg(feature = "config")]
    pub(super) fn beside(ledger: Arc<Ledger>, handler: H) -> Self {
        Self { name: ledger.name(), number: next_number(), handler, _farewell: Farewell(None), ledger }
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

    /// The handler's own level has refused a record.
    #[cold]
    pub(super) fn refuse(&self) -> Result<Outcome, Error> {
        self.ledger.account().end_at_once(End::Filtered);
        Ok(Outcome::Filtered)
    }

    /// Gives it a record that nobody else has.
    #[inline]
    pub(super) fn deliver(&self, mut record: OwnedRecord) {
        // It is counted, and was told.
        drop(self.handle(Delivery::new(&mut record)));
    }
}

/// It keeps the account, and tells what fails.
impl<H: Handler> Handler for Place<H> {
    #[inline]
    fn handle(&self, delivery: Delivery<'_>) -> Result<Outcome, Error> {
        let account = self.ledger.account();
        let Some(_working) = Working::enter(self.number) else {
            account.end_at_once(End::Dropped);
            return Ok(Outcome::Dropped);
        };
        if delivery.marked_values() > 0 {
            account.count_marked();
        }
        delivery.pass_to_named(account, &self.handler)
    }

    fn flush(&self, how: &Flush) -> Result<(), Error> {
        fork::check();
        fork::restart();
        let Some(_working) = Working::enter(self.number) else { return Ok(()) };
        let result = catch(|| self.handler.flush(how)).unwrap_or_else(|panic| Err(panicked(how.verb(), &panic)));
        result.inspect_err(|error| self.ledger.report_error(error))
    }

    fn describe(&self) -> Description {
        self.handler.describe()
    }
}

/// What is held back is brought to its place; what goes wrong is told to the trap.
impl<H: Handler> Drop for Place<H> {
    fn drop(&mut self) {
        // Told already, and there is nobody to return it to.
        self.flush(&Flush::END).unwrap_or_default();
        self.ledger.tell_the_rest();
    }
}

// --- all of them

/// Something that can be flushed where logging ends.
pub(super) trait Reach: Send + Sync {
    fn finish(&self, how: &Flush) -> Result<(), Error>;

    /// What was lost since this was asked last, without a word of it in the handler's own log.
    fn admit(&self) -> Result<(), Error>;
}

impl<H: Handler> Reach for Place<H> {
    fn finish(&self, how: &Flush) -> Result<(), Error> {
        let result = self.flush(how);
        self.ledger.tell_the_rest();
        result
    }

    fn admit(&self) -> Result<(), Error> {
        let new = self.ledger.account().take_lost() + queue::report_owed(&self.ledger);
        if new == 0 {
            return Ok(());
        }
        let records = if new == 1 { "record was" } else { "records were" };
        Err(Error::new(format_args!("handler {:?}: {new} {records} lost", self.name)))
    }
}

static ALL: ForkRwLock<Vec<Weak<dyn Reach>>> = ForkRwLock::first(Vec::new());

/// Puts a handler within reach of [`flush_all`].
pub(super) fn register<H: Handler>(place: &Arc<Place<H>>) {
    super::end::expect();
    let place: Weak<dyn Reach> = Arc::downgrade(place) as _;
    let mut all = ALL.write();
    all.retain(|other| other.strong_count() > 0);
    if !all.iter().any(|other| Weak::ptr_eq(other, &place)) {
        all.push(place);
    }
}

pub(super) fn is_any_listed() -> bool {
    ALL.read().iter().any(|place| place.strong_count() > 0)
}

/// Flushes every handler that hangs somewhere: in a registry, also the global one, in a [`Tee`](super::Tee), on a logger,
/// or as a [`NamedHandler`](super::NamedHandler). The latest first, so that one that writes to another comes before it.
///
/// Call it at the end of `main`, to learn what went wrong; should nobody call it, the exit of the process does
/// ([`set_exit_timeout`](crate::shutdown::set_exit_timeout)), as a global subscriber is never dropped. Failures that the default trap
/// has counted but not told are told.
///
/// Python: what `logging.shutdown` does at exit.
///
/// ```
/// # fn work() {}
/// fn main() {
///     // … the subscriber is set up …
///     work();
///     if let Err(error) = tracing_strata::flush_all() {
///         eprintln!("the log is not complete: {error}");
///     }
/// }
/// ```
///
/// # Errors
/// The first of the handlers' errors; all are flushed, and all traps were told. If there is none, but records failed since
/// the last call, or were lost without a word in the handler's own log, how many. What an overflow policy gave up and the log
/// tells of is no error.
///
/// A handler of one's own that [took](crate::Delivery::take) records and says `Ok` to the [flush](Handler::flush) while it
/// still has them is believed: they are `queued` in its [`Stats`](crate::ledger::Stats), and named at the exit.
pub fn flush_all() -> Result<(), Error> {
    let places = listed();
    let mut results: Vec<_> = places.iter().map(|place| place.finish(&Flush::LAST)).collect();
    if ledgers().iter().any(|ledger| ledger.stats().queued > 0) {
        // One may have handed on to another that was flushed before. What failed was told; to try it again would tell it again.
        for (place, result) in places.iter().zip(&mut results).filter(|(_, result)| result.is_ok()) {
            *result = place.finish(&Flush::LAST);
        }
    }
    results.into_iter().fold(Ok(()), Result::and).and_then(|()| admit_all(&places))
}

/// What was lost of which nobody was told who flushed everything.
pub(super) fn admit_all(places: &[Arc<dyn Reach>]) -> Result<(), Error> {
    places.iter().map(|place| place.admit()).fold(Ok(()), Result::and)
}

/// All that hang somewhere, the latest first.
pub(super) fn listed() -> Vec<Arc<dyn Reach>> {
    ALL.read().iter().rev().filter_map(Weak::upgrade).collect()
}
