//! Handlers that hang in several places, and several handlers in one place.

use std::{
    any::Any,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI32, Ordering},
    },
};

use super::{
    Delivery, Flush, Handler, Outcome,
    place::{self, Place},
};
use crate::{
    Description, Error, HandlerExt as _, Record, Severity, fork,
    ledger::{ErrorHandler, Ledger},
    record::Pooled,
};

/// A handler with a name, a ledger, and a level that can be changed at run time. Cheap to clone; clones are the same
/// handler, so it can hang on several [loggers](crate::Loggers), in a [`Tee`], and be watched from outside.
///
/// ```
/// use tracing_strata::{prelude::*, Severity, output::Stream};
///
/// let console = Stream::stderr().named("console");
/// console.set_level(Severity::WARN);
/// assert_eq!(console.name(), "console");
/// assert_eq!(console.stats().accepted(), 0);
/// ```
#[derive(Clone)]
pub struct NamedHandler(Arc<Inner>);

struct Inner {
    place: Arc<Place<Box<dyn Handler>>>,
    least: AtomicI32,
}

impl NamedHandler {
    /// A shared handler; [`HandlerExt::named`](crate::HandlerExt::named) does the same.
    pub fn new(name: impl Into<String>, handler: impl Handler) -> Self {
        Self::with_error_handler(name, handler, ErrorHandler::default())
    }

    /// A shared handler whose failures go to `error_handler`.
    pub fn with_error_handler(name: impl Into<String>, handler: impl Handler, error_handler: ErrorHandler) -> Self {
        let place = Place::new(name.into(), handler.boxed());
        place.ledger().set_error_handler(error_handler);
        Self::at(place)
    }

    /// Another way into a handler that hangs already, with the account and the trap of that one.
    #[cfg(feature = "config")]
    pub(crate) fn beside(ledger: Arc<Ledger>, handler: impl Handler) -> Self {
        Self::at(Place::beside(ledger, handler.boxed()))
    }

    fn at(place: Place<Box<dyn Handler>>) -> Self {
        let place = Arc::new(place);
        place::register(&place);
        Self(Arc::new(Inner { place, least: AtomicI32::new(Severity::ALL.number()) }))
    }

    /// The handler's name.
    pub fn name(&self) -> &str {
        self.0.place.name()
    }

    /// Changes its level ([`Severity::ALL`] at first); records from now on are judged by it. A level that the handler was
    /// given with [`HandlerExt::min_level`](crate::HandlerExt::min_level) stays beside it. [`Description::min_level`] tells what comes of both.
    pub fn set_level(&self, least: impl Into<Severity>) {
        self.0.least.store(least.into().number(), Ordering::Relaxed);
    }

    /// Changes where its failures go.
    pub fn set_error_handler(&self, error_handler: ErrorHandler) {
        self.0.place.ledger().set_error_handler(error_handler);
    }

    /// The account of its records.
    pub fn ledger(&self) -> Arc<Ledger> {
        Arc::clone(self.0.place.ledger())
    }

    /// A reading of the account.
    pub fn stats(&self) -> crate::ledger::Stats {
        self.0.place.ledger().stats()
    }

    /// Brings what is held back to its place.
    ///
    /// # Errors
    /// What the handler could not do; the trap was told, too.
    pub fn flush(&self) -> Result<(), Error> {
        self.0.place.flush(&Flush::PLAIN)
    }

    /// Gives it a copy of a record.
    #[inline]
    pub fn emit(&self, record: &Record) {
        fork::poll(None);
        let inner = &*self.0;
        if record.severity().number() < inner.least.load(Ordering::Relaxed) {
            // It is counted.
            return drop(inner.place.refuse());
        }
        let mut copy = Pooled::create();
        copy.clone_from(record);
        inner.place.deliver(copy.into_owned());
    }

    /// The handler, whatever level it was [set](Self::set_level) to.
    #[inline]
    pub(crate) fn past_level(&self) -> &impl Handler {
        &*self.0.place
    }

    /// The handler itself if it is a shared one, else a shared one around it.
    pub(crate) fn around(handler: impl Handler) -> Self {
        match (&handler as &dyn Any).downcast_ref::<Self>() {
            Some(shared) => shared.clone(),
            None => Self::new(handler.describe().name, handler),
        }
    }

    /// Whether two are clones of one.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Handler for NamedHandler {
    #[inline]
    fn handle(&self, delivery: Delivery<'_>) -> Result<Outcome, Error> {
        let inner = &*self.0;
        if delivery.severity().number() < inner.least.load(Ordering::Relaxed) {
            return inner.place.refuse();
        }
        inner.place.handle(delivery)
    }

    fn flush(&self, how: &Flush) -> Result<(), Error> {
        self.0.place.flush(how)
    }

    fn describe(&self) -> Description {
        Description::new(format!("to {}", self.name()))
            .min_level(Severity::new(self.0.least.load(Ordering::Relaxed)).max(self.0.place.describe().min_level))
    }
}

impl fmt::Debug for NamedHandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NamedHandler")
            .field("name", &self.name())
            .field("least", &self.describe().min_level)
            .finish_non_exhaustive()
    }
}

/// One record, many handlers: captured once, each formats for itself and has its own ledger. In the ledger of the whole the
/// worst that became of a record counts: failed, dropped, filtered, written.
///
/// ```
/// use tracing_strata::{prelude::*, Severity, Tee, format::Json, output::Stream};
/// use tracing_subscriber::prelude::*;
///
/// let both = Tee::new()
///     .with("console", Stream::stderr().min_level(Severity::WARN))
///     .with("json", Stream::stdout().format(Json::new()));
/// let subscriber = tracing_subscriber::registry().with(both.into_layer());
/// # drop(subscriber);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Tee {
    handlers: Vec<NamedHandler>,
}

impl Tee {
    /// No handlers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a handler under a name.
    pub fn with(self, name: impl Into<String>, handler: impl Handler) -> Self {
        self.with_named(NamedHandler::new(name, handler))
    }

    /// Adds a handler that is shared with others.
    pub fn with_named(mut self, handler: NamedHandler) -> Self {
        self.handlers.push(handler);
        self
    }

    /// The handlers, in order.
    pub fn handlers(&self) -> &[NamedHandler] {
        &self.handlers
    }
}

impl Handler for Tee {
    #[inline]
    fn handle(&self, delivery: Delivery<'_>) -> Result<Outcome, Error> {
        to_all(&self.handlers, delivery)
    }

    /// Flushes all; the first error is returned, all are told.
    fn flush(&self, how: &Flush) -> Result<(), Error> {
        flush_each(&self.handlers, how)
    }

    fn describe(&self) -> Description {
        Description::new("tee")
    }
}

/// Gives a record to each. The worst of what becomes of it counts; without handlers it is dropped.
#[inline]
pub(crate) fn to_all(handlers: &[NamedHandler], delivery: Delivery<'_>) -> Result<Outcome, Error> {
    let Some((last, others)) = handlers.split_last() else { return Ok(Outcome::Dropped) };
    if others.is_empty() {
        return last.handle(delivery);
    }
    delivery.pass_to_all(others, last)
}

/// Flushes each; the first error is returned, all are told.
pub(crate) fn flush_each<'a>(handlers: impl IntoIterator<Item = &'a NamedHandler>, how: &Flush) -> Result<(), Error> {
    // All are flushed, whatever became of the ones before.
    let mut first = Ok(());
    for handler in handlers {
        first = first.and(Handler::flush(handler, how));
    }
    first
}

impl FromIterator<NamedHandler> for Tee {
    fn from_iter<I: IntoIterator<Item = NamedHandler>>(handlers: I) -> Self {
        Self { handlers: handlers.into_iter().collect() }
    }
}
