//! Who counts the end of a delivery: the handlers and wrappers it passed through on its way in.

use std::{
    cell::{Cell, OnceCell},
    rc::Rc,
    sync::Arc,
};

use super::worker::deferred::DeferredWrites;
use crate::{
    ledger::{Completion, Counters, FallbackPath, FallbackRecord, Receipt},
    record::OwnedRecord,
};

/// One of those handlers and wrappers, on the stack of the thread that delivers. Each counts the end of the record
/// itself when the call returns, unless somebody further in has taken the receipt. Nothing of it has a destructor: what it
/// keeps, it keeps in cells of its caller.
pub(super) struct Scope<'a> {
    outer: Option<&'a Scope<'a>>,
    kind: Kind<'a>,
    is_taken: Cell<bool>,
}

enum Kind<'a> {
    /// A handler with a name.
    Named(&'static Counters),
    /// One of several handlers, and whether others see the record after it.
    Share(&'a Shares, bool),
    /// What is further in gets a record of its own.
    Changed,
    /// A handler with a fallback, which may need the record as it was on the way in.
    WithFallback(&'a Arc<dyn FallbackPath>, &'a Cell<Option<OwnedRecord>>),
    /// The fallback of another handler.
    Fallback,
    /// A receipt that was taken before.
    Taken {
        receipt: &'a Cell<Option<Receipt>>,
        counters: Option<&'static Counters>,
        has_fallback: bool,
        /// On the thread of a worker: outputs may defer their writes.
        deferred: Option<&'a Rc<DeferredWrites>>,
    },
}

/// What the handlers of one record share once one of them has taken a receipt.
#[derive(Default)]
pub(super) struct Shares {
    completion: OnceCell<Arc<Completion>>,
    /// The share of all handlers that are done at once.
    pub(super) own: Cell<Option<Receipt>>,
}

impl<'a> Scope<'a> {
    fn new(outer: Option<&'a Self>, kind: Kind<'a>) -> Self {
        Self { outer, kind, is_taken: Cell::new(false) }
    }

    #[inline]
    pub(super) fn named(outer: Option<&'a Self>, counters: &'static Counters) -> Self {
        Self::new(outer, Kind::Named(counters))
    }

    #[inline]
    pub(super) fn share(outer: Option<&'a Self>, shares: &'a Shares, is_shared: bool) -> Self {
        Self::new(outer, Kind::Share(shares, is_shared))
    }

    pub(super) fn changed(outer: Option<&'a Self>) -> Self {
        Self::new(outer, Kind::Changed)
    }

    pub(super) fn with_fallback(
        outer: Option<&'a Self>,
        path: &'a Arc<dyn FallbackPath>,
        saved: &'a Cell<Option<OwnedRecord>>,
    ) -> Self {
        Self::new(outer, Kind::WithFallback(path, saved))
    }

    pub(super) fn fallback(outer: Option<&'a Self>) -> Self {
        Self::new(outer, Kind::Fallback)
    }

    #[inline]
    pub(super) fn taken(
        receipt: &'a Cell<Option<Receipt>>,
        counters: Option<&'static Counters>,
        has_fallback: bool,
        deferred: Option<&'a Rc<DeferredWrites>>,
    ) -> Self {
        Self::new(None, Kind::Taken { receipt, counters, has_fallback, deferred })
    }

    /// Whether somebody further in has the receipt.
    #[inline]
    pub(super) fn is_taken(&self) -> bool {
        self.is_taken.get()
    }

    /// The receipt of a record, for everybody in this scope.
    pub(super) fn take_receipt(scope: Option<&Self>, record: &mut OwnedRecord) -> Receipt {
        let Some(scope) = scope else { return Receipt::on(None) };
        scope.is_taken.set(true);
        let mut outer = || Self::take_receipt(scope.outer, record);
        match &scope.kind {
            Kind::Named(counters) if scope.outer.is_none() => Receipt::on(Some(counters)),
            Kind::Named(counters) => outer().nested_in(counters),
            Kind::Share(shares, _) => shares
                .completion
                .get_or_init(|| {
                    let completion = Completion::new(outer(), None);
                    shares.own.set(Some(Receipt::of(Arc::clone(&completion))));
                    completion
                })
                .share(),
            Kind::WithFallback(path, saved) => {
                let receipt = outer();
                let record = saved.take().unwrap_or_else(|| record.share());
                Receipt::of(Completion::new(receipt, Some(FallbackRecord { record, path: Arc::clone(path) })))
            }
            Kind::Changed => outer(),
            Kind::Fallback => Receipt::of(Completion::of_fallback(outer())),
            Kind::Taken { receipt, .. } => receipt.take().unwrap_or_else(|| Receipt::on(None)),
        }
    }

    /// Whether other handlers see the record later.
    pub(super) fn is_shared(scope: Option<&Self>) -> bool {
        Scope::all(scope)
            .take_while(|scope| !matches!(scope.kind, Kind::Changed))
            .any(|scope| matches!(scope.kind, Kind::Share(_, true)))
    }

    /// Where outputs may defer their writes. A fallback must know how each single record ends, so there nothing is deferred.
    #[inline]
    pub(super) fn deferred(mut scope: Option<&Self>) -> Option<&'a Rc<DeferredWrites>> {
        while let Some(Scope { outer, kind, .. }) = scope {
            match kind {
                Kind::Taken { deferred, .. } => return *deferred,
                Kind::WithFallback(..) | Kind::Fallback => return None,
                Kind::Named(_) | Kind::Share(..) | Kind::Changed => scope = *outer,
            }
        }
        None
    }

    /// Takes the receipt as bare counters: if this is a handler with a name and nothing is around it.
    #[inline]
    pub(super) fn take_on_counters(&self) -> Option<&'static Counters> {
        let Kind::Named(counters) = self.kind else { return None };
        self.outer.is_none().then(|| {
            self.is_taken.set(true);
            counters
        })
    }

    /// From the innermost to the outermost.
    fn all(scope: Option<&'a Self>) -> impl Iterator<Item = &'a Self> {
        std::iter::successors(scope, |scope| scope.outer)
    }

    /// Keeps the record for fallbacks: it is about to be changed for the handlers further in.
    pub(super) fn save_record(scope: Option<&Self>, record: &mut OwnedRecord) {
        for scope in Scope::all(scope) {
            if let Kind::WithFallback(_, saved) = &scope.kind {
                saved.set(saved.take().or_else(|| Some(record.share())));
            }
        }
    }

    /// The counters of the innermost handler with a name.
    pub(super) fn counters(scope: Option<&Self>) -> Option<&'static Counters> {
        Scope::all(scope).find_map(|scope| match scope.kind {
            Kind::Named(counters) => Some(counters),
            Kind::Taken { counters, .. } => counters,
            _ => None,
        })
    }

    /// Whether a fallback gets the record if it fails.
    pub(super) fn has_fallback(scope: Option<&Self>) -> bool {
        Scope::all(scope)
            .any(|scope| matches!(scope.kind, Kind::WithFallback(..) | Kind::Taken { has_fallback: true, .. }))
    }
}
