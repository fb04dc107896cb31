//! A record on its way, with the duty to say what becomes of it.

use std::{fmt, ops::Deref, rc::Rc, sync::Arc};

use super::{Handler, NamedHandler, Outcome, panicked, worker::batch::Batch};
use crate::{
    Error, Record, fork,
    ledger::{Account, End, Fate, Ledger, Node, Receipt, Receipts, Rescue, Rescuer},
    record::OwnedRecord,
    unwind::catch,
};

/// A record that a handler is given. It derefs to the [`Record`]. It stays on its thread: for another one, [take](Self::take)
/// it.
///
/// Most handlers look at it and [say](Handler::handle) what became of it. A wrapper passes it on. A handler that keeps
/// the record [takes](Self::take) it with its [`Receipt`], and ends that later:
///
/// ```
/// use std::{mem, sync::Mutex};
/// use tracing_strata::{Delivery, Error, Outcome, Record, Severity, handler::{Flush, OwnedDelivery}, prelude::*};
///
/// /// Holds records until it is flushed.
/// #[derive(Default)]
/// struct Hold(Mutex<Vec<OwnedDelivery>>);
///
/// impl Handler for Hold {
///     fn handle(&self, delivery: Delivery<'_>) -> Result<Outcome, Error> {
///         self.0.lock().unwrap().push(delivery.take());
///         Ok(Outcome::Queued)
///     }
///
///     fn flush(&self, _: &Flush) -> Result<(), Error> {
///         let held = mem::take(&mut *self.0.lock().unwrap());
///         held.into_iter().for_each(OwnedDelivery::written);
///         Ok(())
///     }
/// }
///
/// let hold = Hold::default().named("hold");
/// hold.emit(&Record::new(Severity::INFO, "app", "hello"));
/// assert_eq!(hold.stats().queued, 1);
/// hold.flush()?;
/// assert_eq!((hold.stats().queued, hold.stats().written), (0, 1));
/// # Ok::<(), Error>(())
/// ```
pub struct Delivery<'a> {
    record: &'a mut OwnedRecord,
    duty: Option<&'a mut (dyn Duty + 'a)>,
    /// Others see the record after this handler.
    is_shared: bool,
    /// A fallback takes the record where it fails.
    is_covered: bool,
    /// Where outputs may hold what they are given: on the thread of a worker.
    batch: Option<&'a Rc<Batch>>,
}

/// Who says what became of the record, unless somebody within takes it over. Each wrapper that counts or waits for the end
/// is one; they stand in one another.
trait Duty {
    /// It is taken over, with what a fallback may want of the record.
    fn take_over(&mut self, record: &mut OwnedRecord) -> Receipt;
    /// The same, where many wait.
    fn hold(&mut self, record: &mut OwnedRecord, receipts: &mut Receipts) {
        receipts.push(self.take_over(record));
    }
    /// The record is about to be changed for those within.
    fn save(&mut self, record: &mut OwnedRecord);
    /// Of the innermost handler with a name.
    fn account(&self) -> Option<&'static Account>;
}

type Outer<'a> = Option<&'a mut (dyn Duty + 'a)>;

impl Duty for Outer<'_> {
    fn take_over(&mut self, record: &mut OwnedRecord) -> Receipt {
        self.as_mut().map_or_else(|| Receipt::on(None), |duty| duty.take_over(record))
    }

    fn save(&mut self, record: &mut OwnedRecord) {
        if let Some(duty) = self {
            duty.save(record);
        }
    }

    fn account(&self) -> Option<&'static Account> {
        self.as_ref()?.account()
    }
}

impl<'a> Delivery<'a> {
    /// One that nobody counts, yet.
    #[inline]
    pub(super) fn new(record: &'a mut OwnedRecord) -> Self {
        Self { record, duty: None, is_shared: false, is_covered: false, batch: None }
    }

    /// The record and the duty to say what becomes of it. Return [`Outcome::Queued`] after that.
    #[inline]
    pub fn take(mut self) -> OwnedDelivery {
        let receipt = self.duty.take_over(self.record);
        let record = if self.is_shared { self.record.share() } else { self.record.take() };
        OwnedDelivery { record, receipt }
    }

    /// The duty without the record, for those that keep something else of it. Return [`Outcome::Queued`] after that.
    #[inline]
    pub fn receipt(mut self) -> Receipt {
        self.duty.take_over(self.record)
    }

    /// The duty, to those of other records.
    #[inline]
    pub(crate) fn hold(self, receipts: &mut Receipts) {
        match self.duty {
            Some(duty) => duty.hold(self.record, receipts),
            None => receipts.push(Receipt::on(None)),
        }
    }

    /// The record, to be kept, without the duty: say at once what became of it.
    pub fn keep(&mut self) -> OwnedRecord {
        self.record.share()
    }

    /// For several handlers. The worst of what becomes of the record counts: failed, dropped, filtered, written.
    pub fn split(self) -> Split<'a> {
        Split(Some(self.parts()))
    }

    /// Gives a changed record to a handler; whoever comes after it sees the one before.
    ///
    /// # Errors
    /// Those of the handler.
    pub fn with_record(self, record: Record, handler: &(impl Handler + ?Sized)) -> Result<Outcome, Error> {
        self.with_kept(OwnedRecord::new(record), |delivery| handler.handle(delivery))
    }

    pub(crate) fn with_kept(
        self,
        mut record: OwnedRecord,
        handle: impl FnOnce(Delivery<'_>) -> Result<Outcome, Error>,
    ) -> Result<Outcome, Error> {
        let Delivery { record: before, mut duty, is_covered, batch, .. } = self;
        if is_covered {
            duty.save(before);
        }
        #[allow(clippy::needless_match, reason = "each arm lends it for a shorter time")]
        let duty: Outer<'_> = match duty {
            Some(duty) => Some(duty),
            None => None,
        };
        handle(Delivery { record: &mut record, duty, is_shared: false, is_covered, batch })
    }

    /// A delivery on the same account, of a record that is born here.
    pub(crate) fn one_more(&self, record: Record) -> OwnedDelivery {
        OwnedDelivery { record: OwnedRecord::new(record), receipt: Receipt::on(self.account()) }
    }

    /// Whether a fallback takes the record where it fails.
    pub(crate) fn is_covered(&self) -> bool {
        self.is_covered
    }

    /// That of the innermost handler with a name.
    pub(crate) fn account(&self) -> Option<&'static Account> {
        self.duty.account()
    }

    pub(crate) fn ledger(&self) -> Option<Arc<Ledger>> {
        self.account()?.ledger()
    }

    #[inline]
    pub(crate) fn batch(&self) -> Option<&'a Rc<Batch>> {
        self.batch
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
    fn of(outcome: Outcome) -> Option<Self> {
        match outcome {
            Outcome::Written => Some(Self::Written),
            Outcome::Filtered => Some(Self::Filtered),
            Outcome::Dropped => Some(Self::Dropped),
            Outcome::Queued => None,
        }
    }
}

/// An error that came after the record was taken is not the record's.
#[cold]
fn tell_other(error: Error, account: Option<&Account>, record: &Record) {
    if let Some(account) = account.filter(|_| !error.is_reported()) {
        account.tell(&error, Some(record), true);
    }
}

// --- a handler with a name

struct Named<'a> {
    outer: Outer<'a>,
    account: &'static Account,
    is_taken: bool,
}

impl Duty for Named<'_> {
    fn take_over(&mut self, record: &mut OwnedRecord) -> Receipt {
        self.is_taken = true;
        match &mut self.outer {
            Some(outer) => outer.take_over(record).within(self.account),
            None => Receipt::on(Some(self.account)),
        }
    }

    fn hold(&mut self, record: &mut OwnedRecord, receipts: &mut Receipts) {
        if self.outer.is_none() {
            self.is_taken = true;
            return receipts.push_on(self.account);
        }
        receipts.push(self.take_over(record));
    }

    fn save(&mut self, record: &mut OwnedRecord) {
        self.outer.save(record);
    }

    fn account(&self) -> Option<&'static Account> {
        Some(self.account)
    }
}

impl Delivery<'_> {
    /// To a handler that has a name: it counts what becomes of the record, and tells what fails.
    #[inline]
    pub(super) fn pass_to_named(
        self,
        account: &'static Account,
        handler: &(impl Handler + ?Sized),
    ) -> Result<Outcome, Error> {
        let Delivery { record, duty, is_shared, is_covered, batch } = self;
        let mut named = Named { outer: duty, account, is_taken: false };
        let inner = Delivery { record: &mut *record, duty: Some(&mut named), is_shared, is_covered, batch };
        let result = caught(handler, inner);
        match result {
            result if named.is_taken => {
                if let Err(error) = result {
                    tell_other(error, Some(account), record);
                }
                Ok(Outcome::Queued)
            }
            Ok(outcome) if let Some(end) = End::of(outcome) => {
                account.end_at_once(end);
                Ok(outcome)
            }
            result => lost(account, result, is_covered, record),
        }
    }
}

/// It failed, or is said to be queued and was not taken.
#[cold]
fn lost(
    account: &Account,
    result: Result<Outcome, Error>,
    is_covered: bool,
    record: &Record,
) -> Result<Outcome, Error> {
    let Err(mut error) = result else {
        account.end_at_once(End::Dropped);
        account.count_lost(u64::from(!is_covered));
        return Ok(Outcome::Dropped);
    };
    account.end_at_once(End::Failed);
    if !is_covered && !error.is_counted() {
        account.count_lost(1);
        error.set_counted();
    }
    if !error.is_reported() {
        account.tell(&error, Some(record), false);
        error.set_reported();
    }
    Err(error)
}

// --- several handlers

/// A record for several handlers, one after the other. Made by [`Delivery::split`].
///
/// ```
/// use tracing_strata::{Delivery, Error, Outcome, handler::Flush, prelude::*};
///
/// struct Both<A, B>(A, B);
///
/// impl<A: Handler, B: Handler> Handler for Both<A, B> {
///     fn handle(&self, delivery: Delivery<'_>) -> Result<Outcome, Error> {
///         let mut split = delivery.split();
///         split.to(&self.0);
///         split.last(&self.1)
///     }
///
///     fn flush(&self, how: &Flush) -> Result<(), Error> {
///         self.0.flush(how).and(self.1.flush(how))
///     }
/// }
/// ```
#[must_use = "the duty is still there"]
pub struct Split<'a>(Option<Parts<'a>>);

struct Parts<'a> {
    delivery: Delivery<'a>,
    /// The share of those who are done at once, where somebody has taken one.
    own: Option<Receipt>,
    node: Option<Arc<Node>>,
    /// Of those who are done at once.
    worst: Option<Result<Outcome, Error>>,
}

/// The duty of one of several.
struct Share<'a> {
    outer: &'a mut (dyn Duty + 'a),
    node: &'a mut Option<Arc<Node>>,
    own: &'a mut Option<Receipt>,
    is_taken: bool,
}

impl Duty for Share<'_> {
    fn take_over(&mut self, record: &mut OwnedRecord) -> Receipt {
        self.is_taken = true;
        if self.node.is_none() {
            let node = Node::new(self.outer.take_over(record), None);
            *self.own = Some(Receipt::of(Arc::clone(&node)));
            *self.node = Some(node);
        }
        match self.node {
            Some(node) => node.share(),
            None => Receipt::on(None),
        }
    }

    fn save(&mut self, record: &mut OwnedRecord) {
        self.outer.save(record);
    }

    fn account(&self) -> Option<&'static Account> {
        self.outer.account()
    }
}

impl Split<'_> {
    /// To one of them, others follow. One that panics is no reason for others not to get the record.
    #[inline]
    pub fn to(&mut self, handler: &(impl Handler + ?Sized)) {
        if let Some(parts) = &mut self.0 {
            parts.give(true, |delivery| caught(handler, delivery));
        }
    }

    /// To the last of them.
    ///
    /// # Errors
    /// The first of the handlers' errors.
    #[inline]
    pub fn last(mut self, handler: &(impl Handler + ?Sized)) -> Result<Outcome, Error> {
        if let Some(parts) = &mut self.0 {
            parts.give(false, |delivery| caught(handler, delivery));
        }
        self.end()
    }

    /// There are no more: what becomes of the record. Where there was none, it is dropped.
    ///
    /// # Errors
    /// The first of the handlers' errors.
    pub fn end(mut self) -> Result<Outcome, Error> {
        self.0.take().map_or(Ok(Outcome::Dropped), Parts::end)
    }
}

/// Nobody said that it is the end: the record is dropped, whatever the handler says.
impl Drop for Split<'_> {
    fn drop(&mut self) {
        if let Some(mut parts) = self.0.take()
            && parts.own.is_none()
        {
            drop(parts.delivery.duty.take_over(parts.delivery.record));
        }
    }
}

impl<'a> Delivery<'a> {
    fn parts(self) -> Parts<'a> {
        Parts { delivery: self, own: None, node: None, worst: None }
    }

    /// To all of those that have names, and so catch by themselves what panics.
    #[inline]
    pub(super) fn pass_to_all(self, others: &[NamedHandler], last: &NamedHandler) -> Result<Outcome, Error> {
        let mut parts = self.parts();
        for handler in others {
            parts.give(true, |delivery| handler.handle(delivery));
        }
        parts.give(false, |delivery| last.handle(delivery));
        parts.end()
    }
}

impl Parts<'_> {
    fn end(self) -> Result<Outcome, Error> {
        let Some(mut own) = self.own else { return self.worst.unwrap_or(Ok(Outcome::Dropped)) };
        own.end(
            match self.worst {
                None => Fate::from(End::Written),
                Some(Ok(outcome)) => End::of(outcome).map_or(Fate::FORGOTTEN, Fate::from),
                Some(Err(error)) => Fate::from(error),
            },
            None,
        );
        Ok(Outcome::Queued)
    }

    #[inline]
    fn give(&mut self, is_shared: bool, handle: impl FnOnce(Delivery<'_>) -> Result<Outcome, Error>) {
        let Self { delivery, own, node, worst } = self;
        let Delivery { record, duty, is_shared: is_outer, is_covered, batch } = delivery;
        let mut share = Share { outer: duty, node, own, is_taken: false };
        let inner = Delivery {
            record,
            duty: Some(&mut share),
            is_shared: is_shared || *is_outer,
            is_covered: *is_covered,
            batch: *batch,
        };
        let result = handle(inner);
        if share.is_taken {
            // It says later what became of it.
            return result.err().into_iter().for_each(|error| tell_other(error, share.outer.account(), record));
        }
        match (&worst, &result) {
            (Some(Err(_)), _) => {}
            (Some(Ok(worse)), Ok(better)) if *worse >= *better => {}
            _ => *worst = Some(result),
        }
    }
}

#[inline]
fn caught(handler: &(impl Handler + ?Sized), delivery: Delivery<'_>) -> Result<Outcome, Error> {
    catch(|| handler.handle(delivery)).unwrap_or_else(|panic| Err(panicked("handle", &panic)))
}

impl fmt::Debug for Split<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Split").field(&self.0.as_ref().map(|parts| &parts.delivery)).finish()
    }
}

// --- fallbacks

struct Covered<'a, 'r> {
    outer: Outer<'a>,
    rescuer: &'r Arc<dyn Rescuer>,
    saved: Option<OwnedRecord>,
    is_taken: bool,
}

impl Duty for Covered<'_, '_> {
    fn take_over(&mut self, record: &mut OwnedRecord) -> Receipt {
        self.is_taken = true;
        let receipt = self.outer.take_over(record);
        let record = self.saved.take().unwrap_or_else(|| record.share());
        Receipt::of(Node::new(receipt, Some(Rescue { record, rescuer: Arc::clone(self.rescuer) })))
    }

    fn save(&mut self, record: &mut OwnedRecord) {
        self.outer.save(record);
        self.saved.get_or_insert_with(|| record.share());
    }

    fn account(&self) -> Option<&'static Account> {
        self.outer.account()
    }
}

/// The fallback of another handler.
struct Instead<'a> {
    outer: Outer<'a>,
    is_taken: bool,
}

impl Duty for Instead<'_> {
    fn take_over(&mut self, record: &mut OwnedRecord) -> Receipt {
        self.is_taken = true;
        Receipt::of(Node::of_a_fallback(self.outer.take_over(record)))
    }

    fn save(&mut self, record: &mut OwnedRecord) {
        self.outer.save(record);
    }

    fn account(&self) -> Option<&'static Account> {
        self.outer.account()
    }
}

impl Delivery<'_> {
    /// To a handler with a fallback, which gets the record where the first one fails or drops it, now or later.
    ///
    /// Whoever has a fallback wants to know what becomes of each record: nothing is held for the sake of one write.
    pub(super) fn pass_to_covered(
        self,
        rescuer: &Arc<dyn Rescuer>,
        handler: &(impl Handler + ?Sized),
        written: impl FnOnce(),
        rescue: impl FnOnce(Delivery<'_>, Option<Error>) -> Result<Outcome, Error>,
    ) -> Result<Outcome, Error> {
        let Delivery { record, duty, is_shared, is_covered, .. } = self;
        let mut covered = Covered { outer: duty, rescuer, saved: None, is_taken: false };
        let inner =
            Delivery { record: &mut *record, duty: Some(&mut covered), is_shared, is_covered: true, batch: None };
        let result = caught(handler, inner);
        let why = match result {
            result if covered.is_taken => return result.map(|_| Outcome::Queued),
            Ok(Outcome::Written) => {
                written();
                return Ok(Outcome::Written);
            }
            Ok(Outcome::Filtered) => return Ok(Outcome::Filtered),
            Ok(Outcome::Dropped | Outcome::Queued) => None,
            Err(error) => Some(error),
        };
        rescue(Delivery { record, duty: covered.outer, is_shared, is_covered, batch: None }, why)
    }

    /// To the fallback.
    pub(super) fn pass_to_fallback(self, handler: &(impl Handler + ?Sized)) -> Result<Outcome, Error> {
        let mut instead = Instead { outer: self.duty, is_taken: false };
        let result = handler.handle(Delivery { duty: Some(&mut instead), batch: None, ..self });
        if instead.is_taken {
            return result.map(|_| Outcome::Queued);
        }
        if let (Ok(Outcome::Written), Some(account)) = (&result, instead.account()) {
            account.count_rescued();
        }
        result
    }
}

// --- taken

/// A record that was [taken](Delivery::take), with the duty to say what became of it: it can be sent to another thread and
/// ended there. It derefs to the [`Record`].
#[derive(Debug)]
#[must_use = "a delivery that is dropped says that its record was dropped"]
pub struct OwnedDelivery {
    pub(super) record: OwnedRecord,
    receipt: Receipt,
}

impl OwnedDelivery {
    pub(crate) fn new(record: OwnedRecord, receipt: Receipt) -> Self {
        Self { record, receipt }
    }

    /// A record that is born within a handler, on its account.
    pub(crate) fn born(record: Record, ledger: Option<&Arc<Ledger>>) -> Self {
        Self { record: OwnedRecord::new(record), receipt: Receipt::on(ledger.map(|ledger| ledger.account())) }
    }

    /// The record is at its place.
    pub fn written(self) {
        self.receipt.written();
    }

    /// It was refused by a level or filter.
    pub fn filtered(self) {
        self.receipt.filtered();
    }

    /// It was given up on purpose.
    pub fn dropped(self) {
        self.receipt.dropped();
    }

    /// It is lost to an error, which is told to the handler's [`ErrorHandler`](crate::ledger::ErrorHandler) with the record.
    pub fn failed(mut self, error: Error) {
        fork::check();
        self.receipt.end(Fate::from(error), Some(&self.record));
    }

    /// The record and the duty, apart.
    pub fn split(self) -> (OwnedRecord, Receipt) {
        let Self { record, receipt } = self;
        (record, receipt)
    }

    /// Gives it to a handler, which ends it now or later.
    pub fn pass_on(self, handler: &(impl Handler + ?Sized)) {
        self.pass_on_in(None, handler);
    }

    /// The same on the thread of a worker. Says what became of it, unless it failed, and gives back what is left of it.
    #[inline]
    pub(crate) fn pass_on_in(
        self,
        batch: Option<&Rc<Batch>>,
        handler: &(impl Handler + ?Sized),
    ) -> (Option<Outcome>, OwnedRecord) {
        self.run(batch, |delivery| handler.handle(delivery))
    }

    #[inline]
    pub(super) fn run(
        self,
        batch: Option<&Rc<Batch>>,
        handle: impl FnOnce(Delivery<'_>) -> Result<Outcome, Error>,
    ) -> (Option<Outcome>, OwnedRecord) {
        let Self { mut record, receipt } = self;
        let mut taken = Taken { account: receipt.account(), receipt: Some(receipt) };
        let is_covered = taken.receipt.as_ref().is_some_and(Receipt::is_covered);
        let delivery = Delivery { record: &mut record, duty: Some(&mut taken), is_shared: false, is_covered, batch };
        let result = catch(|| handle(delivery)).unwrap_or_else(|panic| Err(panicked("handle", &panic)));
        let Some(mut receipt) = taken.receipt else {
            // Somebody within has it.
            if let Err(error) = result {
                tell_other(error, taken.account, &record);
            }
            return (Some(Outcome::Queued), record);
        };
        let outcome = result.as_ref().ok().copied();
        let fate = match result {
            Ok(outcome) => End::of(outcome).map_or(Fate::FORGOTTEN, Fate::from),
            Err(error) => Fate::from(error),
        };
        receipt.end(fate, Some(&record));
        (outcome, record)
    }
}

/// A receipt that was taken before.
struct Taken {
    account: Option<&'static Account>,
    receipt: Option<Receipt>,
}

impl Duty for Taken {
    fn take_over(&mut self, _: &mut OwnedRecord) -> Receipt {
        self.receipt.take().unwrap_or_else(|| Receipt::on(None))
    }

    /// Fallbacks around have it already.
    fn save(&mut self, _: &mut OwnedRecord) {}

    fn account(&self) -> Option<&'static Account> {
        self.account
    }
}

impl Deref for OwnedDelivery {
    type Target = Record;

    #[inline]
    fn deref(&self) -> &Record {
        &self.record
    }
}
