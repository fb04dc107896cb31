//! One record for several handlers.

use std::{fmt, mem};

use super::{
    Delivery, Handler, NamedHandler, Outcome,
    delivery::{catch_handle, report_other_error},
    scope::{Scope, Shares},
};
use crate::{Error, Severity, ledger::Resolution};

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
#[must_use = "a split that is dropped drops the record"]
pub struct Split<'a> {
    delivery: Delivery<'a>,
    shares: Shares,
    /// The worst outcome of the handlers that were done at once.
    worst: Option<Outcome>,
    /// Their first error, which is worse.
    error: Option<Error>,
    is_ended: bool,
}

impl<'a> Split<'a> {
    #[inline]
    pub(super) fn new(delivery: Delivery<'a>) -> Self {
        Self { delivery, shares: Shares::default(), worst: None, error: None, is_ended: false }
    }

    /// Gives the record to one handler; others follow, even if this one panics.
    #[inline]
    pub fn to(&mut self, handler: &(impl Handler + ?Sized)) {
        self.give(true, |delivery| catch_handle(handler, delivery));
    }

    /// Gives the record to the last handler and ends the split.
    ///
    /// # Errors
    /// The first of the handlers' errors.
    #[inline]
    pub fn last(mut self, handler: &(impl Handler + ?Sized)) -> Result<Outcome, Error> {
        self.give(false, |delivery| catch_handle(handler, delivery));
        self.end()
    }

    /// Ends the split: there are no more handlers. If there was none, the record is dropped.
    ///
    /// # Errors
    /// The first of the handlers' errors.
    #[inline]
    pub fn end(mut self) -> Result<Outcome, Error> {
        self.is_ended = true;
        let mut worst = |none| self.error.take().map_or(Ok(self.worst.unwrap_or(none)), Err);
        let Some(mut own) = self.shares.own.take() else { return worst(Outcome::Dropped) };
        // Those that were done at once have one share together; all others have taken theirs.
        own.end(Resolution::from(worst(Outcome::Written)), None);
        Ok(Outcome::Queued)
    }

    /// To one that catches panics itself.
    #[inline]
    pub(super) fn give_named(&mut self, severity: Severity, is_shared: bool, handler: &NamedHandler) {
        if handler.filters(severity) {
            return self.add(Ok(Outcome::Filtered));
        }
        self.give(is_shared, |delivery| handler.ignoring_level().handle(delivery));
    }

    #[inline]
    fn give(&mut self, is_shared: bool, handle: impl FnOnce(Delivery<'_>) -> Result<Outcome, Error>) {
        let Self { delivery, shares, .. } = self;
        let Delivery { record, scope: outer } = delivery;
        let scope = Scope::share(*outer, shares, is_shared);
        let result = handle(Delivery { record, scope: Some(&scope) });
        if scope.is_taken() {
            return result
                .err()
                .into_iter()
                .for_each(|error| report_other_error(error, Scope::counters(*outer), record));
        }
        self.add(result);
    }

    #[inline]
    fn add(&mut self, result: Result<Outcome, Error>) {
        match result {
            Ok(outcome) => self.worst = self.worst.max(Some(outcome)),
            Err(error) => drop(self.error.get_or_insert(error)),
        }
    }
}

/// Without an [`end`](Split::end) the record is dropped, whatever the handler returns.
impl Drop for Split<'_> {
    fn drop(&mut self) {
        if !mem::replace(&mut self.is_ended, true) && self.shares.own.take().is_none() {
            drop(Scope::take_receipt(self.delivery.scope, self.delivery.record));
        }
    }
}

impl fmt::Debug for Split<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Split").field(&self.delivery).finish()
    }
}
