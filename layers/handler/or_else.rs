//! A handler with another one in reserve.

use std::{
    any::Any,
    fmt,
    sync::{
        Arc, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use super::{Handler, Outcome, Shared, panicked, queue::batch};
use crate::{
    Error, Record, Severity,
    caught::catch,
    fork::Heirloom,
    trap::{Ledger, Loan},
};

/// A handler with another one in reserve. Made by [`Handler::or_else`].
///
/// A record that the first one fails at (an error, a panic) or drops goes to the fallback. Each record is offered to the
/// first one; those over a network refuse at once while their peer is away, and find by themselves that it is back.
///
/// ```
/// use std::sync::atomic::{AtomicBool, Ordering};
/// use tracing_strata::{Error, Outcome, Record, Severity, output::Null, prelude::*};
///
/// static IS_AWAY: AtomicBool = AtomicBool::new(false);
/// struct Remote;
///
/// impl Handler for Remote {
///     fn handle(&self, _: &Record) -> Result<Outcome, Error> {
///         if IS_AWAY.load(Ordering::Relaxed) { Err(Error::new("nobody there")) } else { Ok(Outcome::Written) }
///     }
/// }
///
/// let handler = Remote.or_else(Null);
/// let fallback = handler.fallback().clone();
/// let handler = handler.shared("remote");
/// let record = Record::new(Severity::INFO, "app", "hello");
/// handler.deliver(&record);
/// IS_AWAY.store(true, Ordering::Relaxed);
/// handler.deliver(&record);
/// handler.deliver(&record);
/// IS_AWAY.store(false, Ordering::Relaxed);
/// handler.deliver(&record);
///
/// let stats = handler.stats();
/// assert_eq!((stats.written, stats.rescued, stats.failed), (4, 2, 0));
/// // Two records, and that the other one is away and back.
/// assert_eq!((fallback.name(), fallback.stats().written), ("Remote: fallback", 4));
/// ```
///
/// # Where each record went
///
/// | | ledger of the whole | ledger of the [fallback](Self::fallback) |
/// |---|---|---|
/// | the first one took it | written | |
/// | the fallback took it | written, and [rescued](crate::trap::Stats::rescued) | written |
/// | the fallback holds it back (a buffer, a queue) | queued until it is settled there, then as there | queued |
/// | both failed | failed, with the first one's error | failed |
/// | the fallback filtered or dropped it | filtered, dropped | filtered, dropped |
///
/// # What is told
///
/// When the first one goes away, the trap hears why, once, and the fallback gets a record of ours before the first it has to
/// take (WARN, target `tracing_strata`, with the `error`); when a record gets through again, one more (INFO, with the number
/// of `records` and `seconds`). [`notices(false)`](Self::notices) leaves the records out.
///
/// # With a queue
///
/// A handler behind a [`Queue`](crate::Queue) says "queued" at once, and what fails later is out of reach here: put the
/// queue before both. The builders of outputs over a network have an `or_else` that does so. Behind it, a file on either
/// side gets its records one by one, so that each is known to be there or goes on: many records in one write are for files
/// without a fallback. (A file with a buffer of its own says "queued", too.)
pub struct OrElse<H> {
    handler: H,
    fallback: Shared,
    notices: bool,
    is_away: AtomicBool,
    away: Heirloom<Away>,
    /// Has the ledger of the whole.
    loan: Arc<Loan>,
}

#[derive(Default)]
struct Away {
    since: Option<Instant>,
    records: u64,
}

/// The target of our own records.
const TARGET: &str = "tracing_strata";

impl<H: Handler> OrElse<H> {
    pub(super) fn new(handler: H, fallback: impl Handler) -> Self {
        // One that is shared already keeps its name and its account.
        let fallback = match (&fallback as &dyn Any).downcast_ref::<Shared>() {
            Some(shared) => shared.clone(),
            None => Shared::new(format!("{}: fallback", handler.default_name()), fallback),
        };
        let loan = Arc::<Loan>::default();
        fallback.ledger().lent_by(&loan);
        Self { handler, fallback, notices: true, is_away: AtomicBool::new(false), away: Heirloom::default(), loan }
    }

    /// Whether the fallback is told, in records of ours, when the first one goes and comes; yes by default.
    pub fn notices(mut self, on: bool) -> Self {
        self.notices = on;
        self
    }

    /// The fallback, with its ledger.
    pub fn fallback(&self) -> &Shared {
        &self.fallback
    }

    /// Whether the first one failed at the last record.
    pub fn is_away(&self) -> bool {
        self.is_away.load(Ordering::Relaxed)
    }

    fn away(&self) -> MutexGuard<'_, Away> {
        // Records of before a fork are the parent's to count.
        self.away.lock(|away| away.records = 0, Away::default)
    }

    fn ledger(&self) -> Option<Arc<Ledger>> {
        self.loan.lender()
    }

    #[cold]
    fn rescue(&self, record: &Record, error: Option<Error>) -> Result<Outcome, Error> {
        if !self.is_away.swap(true, Ordering::AcqRel) {
            *self.away() = Away { since: Some(Instant::now()), records: 0 };
            if let (Some(ledger), Some(error)) = (self.ledger(), &error) {
                ledger.tell(error);
            }
            self.notify(Severity::WARN, "is away; its records come here", |notice| {
                if let Some(error) = &error {
                    // With its causes.
                    notice.fields_mut().set_display("error", error);
                }
            });
        }
        self.loan.lend();
        let outcome = self.fallback.take(record);
        if matches!(outcome, Some(Outcome::Written | Outcome::Queued)) {
            self.away().records += 1;
        }
        // What is queued there is settled there, and here with it.
        if outcome == Some(Outcome::Queued) || !self.loan.take_back() {
            return Ok(Outcome::Queued);
        }
        let ledger = self.ledger();
        match (outcome, error) {
            (Some(outcome), _) => {
                // At once: the place of the whole may count it later.
                if let (Some(ledger), Outcome::Written) = (&ledger, outcome) {
                    ledger.settle_written(1);
                    ledger.count_rescued(1);
                    return Ok(Outcome::Queued);
                }
                ledger.inspect(|ledger| ledger.take_back_queued());
                Ok(outcome)
            }
            (None, error) => {
                ledger.inspect(|ledger| ledger.take_back_queued());
                error.map_or(Ok(Outcome::Dropped), Err)
            }
        }
    }

    #[cold]
    fn is_back(&self) {
        if self.is_away.swap(false, Ordering::AcqRel) {
            let Away { since, records } = std::mem::take(&mut *self.away());
            let seconds = since.map(|since| since.elapsed().as_secs_f64()).unwrap_or_default();
            self.notify(Severity::INFO, "is back", |notice| {
                notice.set("records", records);
                notice.set("seconds", (seconds * 1e3).round() / 1e3);
            });
        }
    }

    fn handle_directly(&self, record: &Record) -> Result<Outcome, Error> {
        let result = catch(|| self.handler.handle(record)).unwrap_or_else(|panic| Err(panicked("handle", &panic)));
        match result {
            Ok(Outcome::Dropped) => self.rescue(record, None),
            Ok(Outcome::Filtered) => Ok(Outcome::Filtered),
            Ok(outcome) => {
                if self.is_away.load(Ordering::Relaxed) {
                    self.is_back();
                }
                Ok(outcome)
            }
            Err(error) if error.record_is_held() => Err(error),
            Err(error) => self.rescue(record, Some(error)),
        }
    }

    fn notify(&self, severity: Severity, what: &str, fill: impl FnOnce(&mut Record)) {
        if self.notices {
            let name = self.ledger().map_or_else(|| self.handler.default_name(), |ledger| ledger.name());
            let mut notice = Record::new(severity, TARGET, &format!("handler {name:?} {what}"));
            fill(&mut notice);
            self.loan.lend_own();
            if self.fallback.take(&notice) != Some(Outcome::Queued) {
                self.loan.take_back_own();
            }
        }
    }
}

impl<H: Handler> Handler for OrElse<H> {
    fn handle(&self, record: &Record) -> Result<Outcome, Error> {
        batch::directly(|| self.handle_directly(record))
    }

    /// Flushes both; the first error is returned.
    fn flush(&self) -> Result<(), Error> {
        let first = self.handler.flush();
        first.and(self.fallback.flush())
    }

    fn finish(&self) -> Result<(), Error> {
        let first = self.handler.finish();
        first.and(self.fallback.finish())
    }

    fn attach(&self, ledger: &Arc<Ledger>) {
        self.handler.attach(ledger);
        self.loan.set_lender(ledger);
    }

    fn least(&self) -> Severity {
        self.handler.least().min(self.fallback.least())
    }

    fn keeps(&self) -> bool {
        self.handler.keeps()
    }

    fn default_name(&self) -> String {
        self.handler.default_name()
    }
}

impl<H: fmt::Debug> fmt::Debug for OrElse<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OrElse")
            .field("handler", &self.handler)
            .field("fallback", &self.fallback)
            .finish_non_exhaustive()
    }
}
