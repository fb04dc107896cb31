//! A handler where it hangs: with its name, ledger and trap, and within reach of [`flush_all`].

use std::sync::{
    Arc, Weak,
    atomic::{AtomicU64, Ordering},
};

use super::{
    Handler, Outcome, Working, next_number,
    queue::{self, Ending},
};
use crate::{
    Error, Record,
    caught::{Caught, catch},
    fork::{self, Common},
    record::{Kept, Pooled},
    trap::{Ledger, Post, Trap},
};

pub(super) struct Place<H: Handler> {
    post: Post,
    number: u64,
    /// How many failed records whoever flushes everything knows of.
    admitted: AtomicU64,
    handler: H,
    /// From the drop until the handler is dropped.
    ending: Option<Ending>,
}

impl<H: Handler> Place<H> {
    pub(super) fn new(name: String, handler: H) -> Self {
        let post = Post::new(name);
        handler.attach(post.ledger());
        Self { post, number: next_number(), admitted: AtomicU64::new(0), handler, ending: None }
    }

    /// Another way into a handler that hangs already: what comes by it is on the same account, and goes to the same trap.
    #[cfg(feature = "config")]
    pub(super) fn beside(ledger: Arc<Ledger>, handler: H) -> Self {
        Self { post: Post::on(ledger), number: next_number(), admitted: AtomicU64::new(0), handler, ending: None }
    }

    pub(super) fn set_trap(&self, trap: Trap) {
        self.post.set_trap(trap);
    }

    pub(super) fn rename(&mut self, name: String) {
        self.post.rename(name);
    }

    #[inline]
    pub(super) fn post(&self) -> &Post {
        &self.post
    }

    pub(super) fn handler(&self) -> &H {
        &self.handler
    }

    /// Gives a record to the handler and keeps the account.
    #[inline]
    pub(super) fn deliver(&self, record: &Record) {
        self.take(record);
    }

    /// The same for one that nobody else has seen.
    #[inline]
    pub(super) fn deliver_new(&self, record: Pooled) {
        if self.handler.keeps() {
            self.offer(record.into_kept());
        } else {
            record.show(false, |record| self.deliver(record));
        }
    }

    /// The handler may take over the record.
    #[inline]
    fn offer(&self, record: Kept) {
        let Some(_working) = self.enter() else { return };
        self.note_marks(&record);
        match catch(|| self.handler.take_over(record)) {
            Ok(Ok(outcome)) => self.count(outcome),
            Ok(Err(record)) => {
                record.show(|record| self.take_in(record));
            }
            Err(panic) => {
                self.post.ledger().count_failed();
                self.tell(&panicked("take_over", &panic), None);
            }
        }
    }

    /// The same, and says what became of it; `None` if it failed.
    #[inline]
    pub(super) fn take(&self, record: &Record) -> Option<Outcome> {
        let Some(_working) = self.enter() else { return Some(Outcome::Dropped) };
        self.note_marks(record);
        self.take_in(record)
    }

    #[inline]
    fn enter(&self) -> Option<Working> {
        let working = Working::enter(self.number);
        if working.is_none() {
            self.post.ledger().count_dropped();
        }
        working
    }

    #[inline]
    fn note_marks(&self, record: &Record) {
        if record.marked_values() > 0 {
            self.post.ledger().count_marked();
        }
    }

    #[inline]
    fn take_in(&self, record: &Record) -> Option<Outcome> {
        let outcome = match catch(|| self.handler.handle(record)) {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(error)) => {
                self.failed(&error, record);
                return error.record_is_held().then_some(Outcome::Queued);
            }
            Err(panic) => {
                self.failed(&panicked("handle", &panic), record);
                return None;
            }
        };
        self.count(outcome);
        Some(outcome)
    }

    #[inline]
    fn count(&self, outcome: Outcome) {
        let ledger = self.post.ledger();
        match outcome {
            Outcome::Written => ledger.count_written(),
            Outcome::Filtered => ledger.count_filtered(),
            Outcome::Dropped => ledger.count_dropped(),
            Outcome::Queued => {}
        }
    }

    #[cold]
    fn failed(&self, error: &Error, record: &Record) {
        if !error.record_is_held() {
            self.post.ledger().count_failed();
        }
        self.tell(error, Some(record));
    }

    fn tell(&self, error: &Error, record: Option<&Record>) {
        self.post.tell(error, record);
    }

    /// Flushes the handler; what goes wrong is told and returned.
    pub(super) fn flush(&self) -> Result<(), Error> {
        self.bring("flush", H::flush)
    }

    /// The same where logging ends.
    pub(super) fn finish(&self) -> Result<(), Error> {
        self.bring("finish", H::finish)
    }

    fn bring(&self, doing: &str, how: fn(&H) -> Result<(), Error>) -> Result<(), Error> {
        fork::check();
        super::end::after_fork();
        let Some(_working) = Working::enter(self.number) else { return Ok(()) };
        let result = catch(|| how(&self.handler));
        let result = result.unwrap_or_else(|panic| Err(panicked(doing, &panic)));
        if let Err(error) = &result {
            self.tell(error, None);
        }
        result
    }
}

/// What is held back is brought to its place; what goes wrong is told to the trap.
impl<H: Handler> Drop for Place<H> {
    fn drop(&mut self) {
        self.ending = Some(Ending::begin());
        // Told already, and there is nobody to return it to.
        self.finish().unwrap_or_default();
        self.post.tell_the_rest();
    }
}

/// Gives a handler a record that nobody gave to the wrapper in front of it, and keeps the account.
pub(crate) fn deliver_more(handler: &dyn Handler, ledger: Option<&Arc<Ledger>>, record: &Record) {
    if let Some(ledger) = ledger {
        ledger.expect_more();
    }
    let settle = |how: fn(&Ledger, u64)| {
        if let Some(ledger) = ledger {
            ledger.queue(1);
            how(ledger, 1);
        }
    };
    let result = catch(|| handler.handle(record));
    let error = match result.unwrap_or_else(|panic| Err(panicked("handle", &panic))) {
        Ok(Outcome::Written) => return settle(Ledger::settle_written),
        Ok(Outcome::Filtered) => return settle(Ledger::settle_filtered),
        Ok(Outcome::Dropped) => return settle(Ledger::settle_dropped),
        Ok(Outcome::Queued) => return,
        Err(error) => error,
    };
    if !error.record_is_held() {
        settle(Ledger::settle_failed);
    }
    if let Some(ledger) = ledger {
        ledger.tell_of(&error, Some(record));
    }
}

pub(crate) fn panicked(doing: &str, panic: &Caught) -> Error {
    Error::panicked(format_args!("panicked in {doing}(): {}", panic.message()))
}

// --- all of them

/// Something that can be flushed where logging ends.
pub(super) trait Reach: Send + Sync {
    fn finish(&self) -> Result<(), Error>;

    /// What was lost since this was asked last, without a word of it in the handler's own log.
    fn admit(&self) -> Result<(), Error>;
}

impl<H: Handler> Reach for Place<H> {
    fn finish(&self) -> Result<(), Error> {
        let result = Place::finish(self);
        self.post.tell_the_rest();
        result
    }

    fn admit(&self) -> Result<(), Error> {
        let ledger = self.post.ledger();
        let failed = ledger.stats().failed;
        let failed = failed.saturating_sub(self.admitted.swap(failed, Ordering::Relaxed));
        let new = failed + queue::report_owed(ledger);
        if new == 0 {
            return Ok(());
        }
        let records = if new == 1 { "record was" } else { "records were" };
        Err(Error::new(format_args!("handler {:?}: {new} {records} lost", self.post.name())))
    }
}

static ALL: Common<Vec<Weak<dyn Reach>>> = Common::first(Vec::new());

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
/// or as a [`Shared`](super::Shared). The latest first, so that one that writes to another comes before it.
///
/// Call it at the end of `main`, to learn what went wrong; should nobody call it, the exit of the process does
/// ([`wait_at_exit`](crate::exit::wait_at_exit)), as a global subscriber is never dropped. Failures that the default trap
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
pub fn flush_all() -> Result<(), Error> {
    let places = listed();
    let mut first = Ok(());
    for place in &places {
        first = first.and(place.finish());
    }
    first.and_then(|()| admit_all(&places))
}

/// What was lost of which nobody was told who flushed everything.
pub(super) fn admit_all(places: &[Arc<dyn Reach>]) -> Result<(), Error> {
    places.iter().map(|place| place.admit()).fold(Ok(()), Result::and)
}

/// All that hang somewhere, the latest first.
pub(super) fn listed() -> Vec<Arc<dyn Reach>> {
    ALL.read().iter().rev().filter_map(Weak::upgrade).collect()
}
