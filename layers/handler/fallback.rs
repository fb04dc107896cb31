//! A handler with a fallback.

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
    ledger::{Counters, End, FallbackPath, Receipt, Resolution},
    record::OwnedRecord,
};

/// A handler with a fallback. Made by [`HandlerExt::fallback`](crate::HandlerExt::fallback).
///
/// A record that the first handler drops or fails to handle (an error, a panic) goes to the fallback. Every record is
/// tried with the first handler; one over a network fails at once while its peer is away, and notices by itself when
/// the peer is back.
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
/// // Two records, and that the other one is outage and back.
/// assert_eq!((fallback.name(), fallback.stats().written), ("Remote: fallback", 4));
/// ```
///
/// # Where each record went
///
/// | | ledger of both | ledger of the [fallback](Self::secondary) |
/// |---|---|---|
/// | the first one wrote it | written | |
/// | the fallback wrote it | written, and [by the fallback](crate::ledger::Stats::fallback_written) | written |
/// | the fallback buffers it (a buffer, a queue) | queued until it ends there, then as there | queued |
/// | both failed | failed, with the first one's error | failed |
/// | the first one dropped it, the fallback failed | failed | failed |
/// | the fallback filtered or dropped it | filtered, dropped | filtered, dropped |
///
/// # Notices
///
/// When the first handler fails, the error handler gets the error, once, and the fallback gets a notice before the
/// first record (WARN, target `tracing_strata`, with the `error`). When the first handler writes a record again, the
/// fallback gets another notice (INFO, with the number of `records` and `seconds`). [`notices(false)`](Self::notices)
/// turns these records off.
///
/// # With a queue
///
/// A record that fails behind a [`Queue`](crate::Queue), in a buffer or at the shutdown goes to the fallback as well,
/// in the order in which the records end. With a fallback in front of the queue or behind it, a file writes its records
/// one by one, so that each is known to be written or goes to the fallback. Only files without a fallback write many
/// records at once.
pub struct Fallback<H> {
    handler: H,
    state: Arc<FallbackState>,
    /// The same, for records that end later.
    path: Arc<dyn FallbackPath>,
}

/// The fallback, and whether it is in use.
struct FallbackState {
    fallback: NamedHandler,
    notices: AtomicBool,
    failed_over: AtomicBool,
    outage: ForkMutex<Outage>,
    default_name: String,
}

#[derive(Default)]
struct Outage {
    since: Option<Instant>,
    records: u64,
    /// The handler that fails.
    name: String,
}

/// The target of the notices.
const TARGET: &str = "tracing_strata";

impl<H: Handler> Fallback<H> {
    pub(super) fn new(handler: H, fallback: impl Handler) -> Self {
        // A handler with a name keeps it, and its ledger.
        let fallback = match (&fallback as &dyn Any).downcast_ref::<NamedHandler>() {
            Some(shared) => shared.clone(),
            None => NamedHandler::new(format!("{}: fallback", handler.describe().name), fallback),
        };
        let state = Arc::new(FallbackState {
            fallback,
            notices: AtomicBool::new(true),
            failed_over: AtomicBool::new(false),
            outage: ForkMutex::default(),
            default_name: handler.describe().name,
        });
        let path = Arc::<FallbackState>::clone(&state);
        Self { handler, state, path }
    }

    /// Whether the fallback gets notices when the first handler fails and recovers (default: true).
    pub fn notices(self, on: bool) -> Self {
        self.state.notices.store(on, Ordering::Relaxed);
        self
    }

    /// The fallback, with its ledger.
    pub fn secondary(&self) -> &NamedHandler {
        &self.state.fallback
    }

    /// Whether the first handler has failed at or dropped a record, and written none since.
    pub fn is_failed_over(&self) -> bool {
        self.state.failed_over.load(Ordering::Relaxed)
    }
}

impl FallbackState {
    fn outage(&self) -> MutexGuard<'_, Outage> {
        // Records from before a fork are the parent's.
        self.outage.lock(|outage| outage.records = 0, Outage::default)
    }

    /// A record that the first handler failed at (`why`) or dropped.
    #[cold]
    fn take_over(&self, delivery: Delivery<'_>, why: Option<Error>) -> Result<Outcome, Error> {
        if !self.failed_over.swap(true, Ordering::AcqRel) {
            self.fail_over(delivery.counters(), why.as_ref());
        }
        let result = delivery.pass_to_fallback(&self.fallback);
        if let Ok(Outcome::Written | Outcome::Queued) = result {
            self.outage().records += 1;
        }
        // If both failed, the first error is the reason.
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

    fn fail_over(&self, counters: Option<&Counters>, why: Option<&Error>) {
        let name = counters.map_or_else(|| self.default_name.clone(), Counters::name);
        *self.outage() = Outage { since: Some(Instant::now()), records: 0, name: name.clone() };
        if let (Some(counters), Some(error)) = (counters, why) {
            if !error.is_reported() {
                counters.report(error, None, true);
            }
        }
        self.notify(Severity::WARN, &name, "is away; its records come here", |notice| {
            if let Some(error) = why {
                // With its causes.
                notice.fields_mut().set_display("error", error);
            }
        });
    }

    fn note_success(&self) {
        if self.failed_over.load(Ordering::Relaxed) {
            self.recover();
        }
    }

    #[cold]
    fn recover(&self) {
        if self.failed_over.swap(false, Ordering::AcqRel) {
            let Outage { since, records, name } = std::mem::take(&mut *self.outage());
            let seconds = since.map(|since| since.elapsed().as_secs_f64()).unwrap_or_default();
            self.notify(Severity::INFO, &name, "is back", |notice| {
                notice.set("records", records);
                notice.set("seconds", (seconds * 1e3).round() / 1e3);
            });
        }
    }

    /// Sends a notice, which the ledger of the fallback counts.
    fn notify(&self, severity: Severity, name: &str, what: &str, fill: impl FnOnce(&mut Record)) {
        if self.notices.load(Ordering::Relaxed) {
            let mut notice = Record::new(severity, TARGET, &format!("handler {name:?} {what}"));
            fill(&mut notice);
            OwnedDelivery::internal(notice, None).pass_on(&self.fallback);
        }
    }
}

/// For records that the first handler took and ended later.
impl FallbackPath for FallbackState {
    fn ended(&self, fate: Resolution, record: OwnedRecord, mut receipt: Receipt) {
        match fate.end {
            End::Written | End::Filtered => {
                if fate.end == End::Written {
                    self.note_success();
                }
                receipt.end(fate, None);
            }
            End::Dropped | End::Failed => {
                let mut error = Some(fate.error);
                let take_over = |delivery: Delivery<'_>| self.take_over(delivery, error.take().flatten());
                OwnedDelivery::new(record, receipt).run(None, take_over);
            }
        }
    }
}

impl<H: Handler> Handler for Fallback<H> {
    fn handle(&self, delivery: Delivery<'_>) -> Result<Outcome, Error> {
        let state = &*self.state;
        let take_over = |delivery: Delivery<'_>, why| state.take_over(delivery, why);
        delivery.pass_with_fallback(&self.path, &self.handler, || state.note_success(), take_over)
    }

    /// Flushes both; returns the first error.
    fn flush(&self, how: &Flush) -> Result<(), Error> {
        let first = self.handler.flush(how);
        first.and(Handler::flush(&self.state.fallback, how))
    }

    fn describe(&self) -> Description {
        Description::new(self.state.default_name.clone())
            .min_level(self.handler.describe().min_level.min(self.state.fallback.describe().min_level))
    }
}

impl<H: fmt::Debug> fmt::Debug for Fallback<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fallback")
            .field("handler", &self.handler)
            .field("fallback", &self.state.fallback)
            .finish_non_exhaustive()
    }
}
