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

use super::{Delivery, Flush, Handler, NamedHandler, Outcome, OwnedDelivery};
use crate::{
    Description, Error, Record, Severity,
    fork::ForkMutex,
    ledger::{Account, End, Fate, Receipt, Rescuer},
    record::OwnedRecord,
};

/// A handler with another one in reserve. Made by [`HandlerExt::fallback`](crate::HandlerExt::fallback).
///
/// A record that the first one fails at (an error, a panic) or drops goes to the fallback. Each record is offered to the
/// first one; those over a network refuse at once while their peer is away, and find by themselves that it is back.
///
/// ```
/// use std::sync::atomic::{AtomicBool, Ordering};
/// use tracing_strata::{Delivery, Error, Outcome, Record, Severity, output::Null, prelude::*};
///
/// static IS_AWAY: AtomicBool = AtomicBool::new(false);
/// struct Remote;
///
/// impl Handler for Remote {
///     fn handle(&self, _: Delivery<'_>) -> Result<Outcome, Error> {
///         if IS_AWAY.load(Ordering::Relaxed) { Err(Error::new("nobody there")) } else { Ok(Outcome::Written) }
///     }
/// }
///
/// let handler = Remote.fallback(Null);
/// let fallback = handler.secondary().clone();
/// let handler = handler.named("remote");
/// let record = Record::new(Severity::INFO, "app", "hello");
/// handler.emit(&record);
/// IS_AWAY.store(true, Ordering::Relaxed);
/// handler.emit(&record);
/// handler.emit(&record);
/// IS_AWAY.store(false, Ordering::Relaxed);
/// handler.emit(&record);
///
/// let stats = handler.stats();
/// assert_eq!((stats.written, stats.fallback_written, stats.failed), (4, 2, 0));
/// // Two records, and that the other one is away and back.
/// assert_eq!((fallback.name(), fallback.stats().written), ("Remote: fallback", 4));
/// ```
///
/// # Where each record went
///
/// | | ledger of the whole | ledger of the [fallback](Self::secondary) |
/// |---|---|---|
/// | the first one took it | written | |
/// | the fallback took it | written, and [rescued](crate::ledger::Stats::fallback_written) | written |
/// | the fallback holds it back (a buffer, a queue) | queued until it is settled there, then as there | queued |
/// | both failed | failed, with the first one's error | failed |
/// | the first one dropped it, the fallback failed | failed | failed |
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
/// A record that fails behind a [`Queue`](crate::Queue), in a buffer or at the shutdown goes to the fallback as well, in the
/// order in which the records end. Behind the fallback, or before it, a file gets its records one by one, so that each is
/// known to be there or goes on: many records in one write are for files without a fallback.
pub struct Fallback<H> {
    handler: H,
    reserve: Arc<Reserve>,
    /// The same, for those whose end comes later.
    rescuer: Arc<dyn Rescuer>,
}

/// The fallback, and whether it is in use.
struct Reserve {
    fallback: NamedHandler,
    notices: AtomicBool,
    is_away: AtomicBool,
    away: ForkMutex<Away>,
    default_name: String,
}

#[derive(Default)]
struct Away {
    since: Option<Instant>,
    records: u64,
    /// Of the handler that is away.
    name: String,
}

/// The target of our own records.
const TARGET: &str = "tracing_strata";

impl<H: Handler> Fallback<H> {
    pub(super) fn new(handler: H, fallback: impl Handler) -> Self {
        // One that is shared already keeps its name and its account.
        let fallback = match (&fallback as &dyn Any).downcast_ref::<NamedHandler>() {
            Some(shared) => shared.clone(),
            None => NamedHandler::new(format!("{}: fallback", handler.describe().name), fallback),
        };
        let reserve = Arc::new(Reserve {
            fallback,
            notices: AtomicBool::new(true),
            is_away: AtomicBool::new(false),
            away: ForkMutex::default(),
            default_name: handler.describe().name,
        });
        let rescuer = Arc::<Reserve>::clone(&reserve);
        Self { handler, reserve, rescuer }
    }

    /// Whether the fallback is told, in records of ours, when the first one goes and comes; yes by default.
    pub fn notices(self, on: bool) -> Self {
        self.reserve.notices.store(on, Ordering::Relaxed);
        self
    }

    /// The fallback, with its ledger.
    pub fn secondary(&self) -> &NamedHandler {
        &self.reserve.fallback
    }

    /// Whether the first one failed at the last record.
    pub fn is_failed_over(&self) -> bool {
        self.reserve.is_away.load(Ordering::Relaxed)
    }
}

impl Reserve {
    fn away(&self) -> MutexGuard<'_, Away> {
        // Records of before a fork are the parent's to count.
        self.away.lock(|away| away.records = 0, Away::default)
    }

    /// What the first one failed at (why) or dropped.
    #[cold]
    fn rescue(&self, delivery: Delivery<'_>, why: Option<Error>) -> Result<Outcome, Error> {
        if !self.is_away.swap(true, Ordering::AcqRel) {
            self.goes_away(delivery.account(), why.as_ref());
        }
        let result = delivery.pass_to_fallback(&self.fallback);
        if let Ok(Outcome::Written | Outcome::Queued) = result {
            self.away().records += 1;
        }
        // Of two errors the first one says why.
        match (result, why) {
            (Err(second), Some(mut first)) => {
                if second.is_counted() {
                    first.set_counted();
                }
                Err(first)
            }
            (result, _) => result,
        }
    }

    fn goes_away(&self, account: Option<&Account>, why: Option<&Error>) {
        let name = account.map_or_else(|| self.default_name.clone(), Account::name);
        *self.away() = Away { since: Some(Instant::now()), records: 0, name: name.clone() };
        if let (Some(account), Some(error)) = (account, why)
            && !error.is_reported()
        {
            account.tell(error, None, true);
        }
        self.notify(Severity::WARN, &name, "is away; its records come here", |notice| {
            if let Some(error) = why {
                // With its causes.
                notice.fields_mut().set_display("error", error);
            }
        });
    }

    fn got_through(&self) {
        if self.is_away.load(Ordering::Relaxed) {
            self.is_back();
        }
    }

    #[cold]
    fn is_back(&self) {
        if self.is_away.swap(false, Ordering::AcqRel) {
            let Away { since, records, name } = std::mem::take(&mut *self.away());
            let seconds = since.map(|since| since.elapsed().as_secs_f64()).unwrap_or_default();
            self.notify(Severity::INFO, &name, "is back", |notice| {
                notice.set("records", records);
                notice.set("seconds", (seconds * 1e3).round() / 1e3);
            });
        }
    }

    /// On the fallback's own account.
    fn notify(&self, severity: Severity, name: &str, what: &str, fill: impl FnOnce(&mut Record)) {
        if self.notices.load(Ordering::Relaxed) {
            let mut notice = Record::new(severity, TARGET, &format!("handler {name:?} {what}"));
            fill(&mut notice);
            OwnedDelivery::born(notice, None).pass_on(&self.fallback);
        }
    }
}

/// What the first one took, and ended later.
impl Rescuer for Reserve {
    fn ended(&self, fate: Fate, record: OwnedRecord, mut receipt: Receipt) {
        match fate.end {
            End::Written | End::Filtered => {
                if fate.end == End::Written {
                    self.got_through();
                }
                receipt.end(fate, None);
            }
            End::Dropped | End::Failed => {
                let mut error = Some(fate.error);
                let rescue = |delivery: Delivery<'_>| self.rescue(delivery, error.take().flatten());
                OwnedDelivery::new(record, receipt).run(None, rescue);
            }
        }
    }
}

impl<H: Handler> Handler for Fallback<H> {
    fn handle(&self, delivery: Delivery<'_>) -> Result<Outcome, Error> {
        let reserve = &*self.reserve;
        let rescue = |delivery: Delivery<'_>, why| reserve.rescue(delivery, why);
        delivery.pass_to_covered(&self.rescuer, &self.handler, || reserve.got_through(), rescue)
    }

    /// Flushes both; the first error is returned.
    fn flush(&self, how: &Flush) -> Result<(), Error> {
        let first = self.handler.flush(how);
        first.and(Handler::flush(&self.reserve.fallback, how))
    }

    fn describe(&self) -> Description {
        Description::new(self.reserve.default_name.clone())
            .min_level(self.handler.describe().min_level.min(self.reserve.fallback.describe().min_level))
    }
}

impl<H: fmt::Debug> fmt::Debug for Fallback<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fallback")
            .field("handler", &self.handler)
            .field("fallback", &self.reserve.fallback)
            .finish_non_exhaustive()
    }
}
