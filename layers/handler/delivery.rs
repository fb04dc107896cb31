//! A record on its way through handlers, and the receipt it comes with.

use std::{cell::Cell, fmt, ops::Deref, rc::Rc, sync::Arc};

use super::{Handler, Outcome, Split, scope::Scope, worker::deferred::DeferredWrites};
use crate::{
    Error, Record, fork,
    ledger::{Counters, End, FallbackPath, Ledger, Receipt, Receipts, Resolution, Total},
    record::OwnedRecord,
    unwind::{catch, panicked},
};

/// A record given to a handler; it derefs to the [`Record`]. It cannot leave its thread: [take](Self::take) the record
/// to send it to another.
///
/// Most handlers look at it and [return](Handler::handle) an outcome. A wrapper passes it on. A handler that keeps the
/// record [takes](Self::take) it with its [`Receipt`], and ends that later:
///
/// ```
/// use std::{mem, sync::Mutex};
/// use tracing_strata::{Delivery, Error, Outcome, Record, Severity, handler::{Flush, OwnedDelivery}, prelude::*};
///
/// /// Buffers records until it is flushed.
/// #[derive(Default)]
/// struct Buffer(Mutex<Vec<OwnedDelivery>>);
///
/// impl Handler for Buffer {
///     fn handle(&self, delivery: Delivery<'_>) -> Result<Outcome, Error> {
///         self.0.lock().unwrap().push(delivery.take());
///         Ok(Outcome::Queued)
///     }
///
///     fn flush(&self, _: &Flush) -> Result<(), Error> {
///         let buffered = mem::take(&mut *self.0.lock().unwrap());
///         buffered.into_iter().for_each(OwnedDelivery::written);
///         Ok(())
///     }
/// }
///
/// let buffer = Buffer::default().named("buffer");
/// buffer.emit(&Record::new(Severity::INFO, "app", "hello"));
/// assert_eq!(buffer.stats().queued, 1);
/// buffer.flush()?;
/// assert_eq!((buffer.stats().queued, buffer.stats().written), (0, 1));
/// # Ok::<(), Error>(())
/// ```
// Two words, so that it is passed in registers: all else is in the scope.
pub struct Delivery<'a> {
    pub(super) record: &'a mut OwnedRecord,
    pub(super) scope: Option<&'a Scope<'a>>,
}

impl<'a> Delivery<'a> {
    /// A delivery that nobody counts yet.
    #[inline]
    pub(super) fn new(record: &'a mut OwnedRecord) -> Self {
        Self { record, scope: None }
    }

    /// Takes the record and its receipt. Return [`Outcome::Queued`] after that.
    #[inline]
    pub fn take(self) -> OwnedDelivery {
        let receipt = Scope::take_receipt(self.scope, self.record);
        let record = if Scope::is_shared(self.scope) { self.record.share() } else { self.record.take() };
        OwnedDelivery { record, receipt }
    }

    /// Takes the receipt without the record, for handlers that keep something else of it. Return [`Outcome::Queued`]
    /// after that.
    #[inline]
    pub fn receipt(self) -> Receipt {
        Scope::take_receipt(self.scope, self.record)
    }

    /// Adds the receipt to those of other records.
    #[inline]
    pub(crate) fn receipt_to(self, receipts: &mut Receipts) {
        match self.scope.and_then(Scope::take_on_counters) {
            Some(counters) => receipts.push_on(counters),
            None => receipts.push(self.receipt()),
        }
    }

    /// A copy of the record to keep, without the receipt: return the outcome at once.
    pub fn keep(&mut self) -> OwnedRecord {
        self.record.share()
    }

    /// For several handlers. The worst of their outcomes counts: failed, dropped, filtered, written.
    pub fn split(self) -> Split<'a> {
        Split::new(self)
    }

    /// Gives a changed record to a handler; handlers after it see the original.
    ///
    /// # Errors
    /// Those of the handler.
    pub fn with_record(self, record: Record, handler: &(impl Handler + ?Sized)) -> Result<Outcome, Error> {
        self.with_owned(OwnedRecord::new(record), |delivery| handler.handle(delivery))
    }

    pub(crate) fn with_owned(
        self,
        mut record: OwnedRecord,
        handle: impl FnOnce(Delivery<'_>) -> Result<Outcome, Error>,
    ) -> Result<Outcome, Error> {
        Scope::save_record(self.scope, self.record);
        let scope = Scope::changed(self.scope);
        handle(Delivery { record: &mut record, scope: Some(&scope) })
    }

    /// A delivery of a record made here, counted by the same handler.
    pub(crate) fn internal(&self, record: Record) -> OwnedDelivery {
        OwnedDelivery { record: OwnedRecord::new(record), receipt: Receipt::on(self.counters()) }
    }

    /// Whether a fallback gets the record if it fails.
    pub(crate) fn has_fallback(&self) -> bool {
        Scope::has_fallback(self.scope)
    }

    /// The counters of the innermost handler with a name.
    pub(crate) fn counters(&self) -> Option<&'static Counters> {
        Scope::counters(self.scope)
    }

    pub(crate) fn ledger(&self) -> Option<Arc<Ledger>> {
        self.counters()?.ledger()
    }

    #[inline]
    pub(crate) fn deferred(&self) -> Option<&'a Rc<DeferredWrites>> {
        Scope::deferred(self.scope)
    }

    // --- passing it on

    /// Passes it to a handler with a name; counts the end of the record and reports errors there.
    #[inline]
    pub(super) fn pass_to_named(
        self,
        counters: &'static Counters,
        handler: &(impl Handler + ?Sized),
    ) -> Result<Outcome, Error> {
        let Delivery { record, scope: outer } = self;
        let scope = Scope::named(outer, counters);
        let result = catch_handle(handler, Delivery { record: &mut *record, scope: Some(&scope) });
        if scope.is_taken() {
            if let Err(error) = result {
                report_other_error(error, Some(counters), record);
            }
            return Ok(Outcome::Queued);
        }
        match result.as_ref().ok().and_then(|outcome| End::of(*outcome)) {
            Some(end) => {
                counters.count_end(end);
                result
            }
            None => count_lost(counters, result, outer, record),
        }
    }

    /// Passes it to a handler with a fallback, which gets the record if the handler fails or drops it, now or later.
    ///
    /// A fallback must know how each single record ends, so no writes are deferred.
    pub(super) fn pass_with_fallback(
        self,
        path: &Arc<dyn FallbackPath>,
        handler: &(impl Handler + ?Sized),
        written: impl FnOnce(),
        take_over: impl FnOnce(Delivery<'_>, Option<Error>) -> Result<Outcome, Error>,
    ) -> Result<Outcome, Error> {
        let Delivery { record, scope: outer } = self;
        let saved = Cell::new(None);
        let scope = Scope::with_fallback(outer, path, &saved);
        let result = catch_handle(handler, Delivery { record: &mut *record, scope: Some(&scope) });
        let why = match result {
            result if scope.is_taken() => return result.map(|_| Outcome::Queued),
            Ok(Outcome::Written) => {
                written();
                return Ok(Outcome::Written);
            }
            Ok(Outcome::Filtered) => return Ok(Outcome::Filtered),
            Ok(Outcome::Dropped | Outcome::Queued) => None,
            Err(error) => Some(error),
        };
        take_over(Delivery { record, scope: outer }, why)
    }

    /// Passes it to the fallback.
    pub(super) fn pass_to_fallback(self, handler: &(impl Handler + ?Sized)) -> Result<Outcome, Error> {
        let scope = Scope::fallback(self.scope);
        let counters = self.counters();
        let result = handler.handle(Delivery { record: self.record, scope: Some(&scope) });
        if scope.is_taken() {
            return result.map(|_| Outcome::Queued);
        }
        if let (Ok(Outcome::Written), Some(counters)) = (&result, counters) {
            counters.count(Total::FallbackWritten, 1);
        }
        result
    }
}

impl Deref for Delivery<'_> {
    type Target = Record;

    #[inline]
    fn deref(&self) -> &Record {
        self.record
    }
}

impl fmt::Debug for Delivery<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Delivery").field(&**self).finish()
    }
}

impl End {
    #[inline]
    fn of(outcome: Outcome) -> Option<Self> {
        match outcome {
            Outcome::Written => Some(Self::Written),
            Outcome::Filtered => Some(Self::Filtered),
            Outcome::Dropped => Some(Self::Dropped),
            Outcome::Queued => None,
        }
    }
}

impl From<Result<Outcome, Error>> for Resolution {
    /// From the result of a handler that took no receipt.
    fn from(result: Result<Outcome, Error>) -> Self {
        match result {
            Ok(outcome) => End::of(outcome).map_or(Self::UNFINISHED, Self::from),
            Err(error) => Self::from(error),
        }
    }
}

#[inline]
pub(super) fn catch_handle(handler: &(impl Handler + ?Sized), delivery: Delivery<'_>) -> Result<Outcome, Error> {
    catch(|| handler.handle(delivery)).unwrap_or_else(|panic| Err(panicked("handle", &panic)))
}

/// Reports an error that came after the receipt was taken: it is not the record's.
#[cold]
pub(super) fn report_other_error(error: Error, counters: Option<&Counters>, record: &Record) {
    if let Some(counters) = counters.filter(|_| !error.is_reported()) {
        counters.report(&error, Some(record), true);
    }
}

/// Counts a record that failed, or whose handler returned `Queued` without taking the receipt.
#[cold]
fn count_lost(
    counters: &Counters,
    result: Result<Outcome, Error>,
    outer: Option<&Scope<'_>>,
    record: &Record,
) -> Result<Outcome, Error> {
    let has_fallback = Scope::has_fallback(outer);
    let Err(mut error) = result else {
        counters.count_end(End::Dropped);
        counters.count(Total::Lost, u64::from(!has_fallback));
        return Ok(Outcome::Dropped);
    };
    counters.count_end(End::Failed);
    if !has_fallback && !error.is_counted() {
        counters.count(Total::Lost, 1);
        error.set_counted();
    }
    if !error.is_reported() {
        counters.report(&error, Some(record), false);
        error.set_reported();
    }
    Err(error)
}

/// A record that was [taken](Delivery::take), with its receipt. It can be sent to another thread and ended there. It
/// derefs to the [`Record`].
#[derive(Debug)]
#[must_use = "dropping it counts its record as dropped"]
pub struct OwnedDelivery {
    pub(super) record: OwnedRecord,
    receipt: Receipt,
}

impl OwnedDelivery {
    pub(crate) fn new(record: OwnedRecord, receipt: Receipt) -> Self {
        Self { record, receipt }
    }

    /// A record that a handler made itself, on its ledger.
    pub(crate) fn internal(record: Record, ledger: Option<&Arc<Ledger>>) -> Self {
        Self { record: OwnedRecord::new(record), receipt: Receipt::on(ledger.map(|ledger| ledger.counters())) }
    }

    /// Ends the record as written.
    pub fn written(self) {
        self.receipt.written();
    }

    /// Ends it as filtered: a level or filter refused it.
    pub fn filtered(self) {
        self.receipt.filtered();
    }

    /// Ends it as dropped on purpose.
    pub fn dropped(self) {
        self.receipt.dropped();
    }

    /// Ends it as failed. The handler's [`ErrorHandler`](crate::ledger::ErrorHandler) gets the error and the record.
    pub fn failed(mut self, error: Error) {
        fork::check();
        self.receipt.end(Resolution::from(error), Some(&self.record));
    }

    /// The record and the receipt.
    pub fn split(self) -> (OwnedRecord, Receipt) {
        let Self { record, receipt } = self;
        (record, receipt)
    }

    /// Gives it to a handler, which ends it now or later.
    pub fn pass_on(self, handler: &(impl Handler + ?Sized)) {
        self.pass_on_deferred(None, handler);
    }

    /// Like [`pass_on`](Self::pass_on), on a worker's thread. Returns the outcome (none if it failed) and what is left
    /// of the record.
    #[inline]
    pub(crate) fn pass_on_deferred(
        self,
        deferred: Option<&Rc<DeferredWrites>>,
        handler: &(impl Handler + ?Sized),
    ) -> (Option<Outcome>, OwnedRecord) {
        self.run(deferred, |delivery| handler.handle(delivery))
    }

    #[inline]
    pub(super) fn run(
        self,
        deferred: Option<&Rc<DeferredWrites>>,
        handle: impl FnOnce(Delivery<'_>) -> Result<Outcome, Error>,
    ) -> (Option<Outcome>, OwnedRecord) {
        let Self { mut record, receipt } = self;
        let (counters, has_fallback) = (receipt.counters(), receipt.has_fallback());
        let receipt = Cell::new(Some(receipt));
        let scope = Scope::taken(&receipt, counters, has_fallback, deferred);
        let delivery = Delivery { record: &mut record, scope: Some(&scope) };
        let result = catch(|| handle(delivery)).unwrap_or_else(|panic| Err(panicked("handle", &panic)));
        let Some(mut receipt) = receipt.take() else {
            // A handler further in has it.
            if let Err(error) = result {
                report_other_error(error, counters, &record);
            }
            return (Some(Outcome::Queued), record);
        };
        let outcome = result.as_ref().ok().copied();
        receipt.end(Resolution::from(result), Some(&record));
        (outcome, record)
    }
}

impl Deref for OwnedDelivery {
    type Target = Record;

    #[inline]
    fn deref(&self) -> &Record {
        &self.record
    }
}
