//! A handler with a name, a ledger and a level of its own.

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
    registration::{self, Registration},
};
use crate::{
    Description, Error, HandlerExt as _, Record, Severity, fork,
    ledger::{End, ErrorHandler, Ledger},
    record::Pooled,
};

/// A handler with a name, a ledger, and a level that can be changed at run time. Cheap to clone; clones are the same
/// handler, so it can be on several [loggers](crate::Loggers), in a [`Tee`](crate::Tee), and be watched from outside.
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
    registration: Arc<Registration<Box<dyn Handler>>>,
    min_level: AtomicI32,
}

impl NamedHandler {
    /// The same as [`HandlerExt::named`](crate::HandlerExt::named).
    pub fn new(name: impl Into<String>, handler: impl Handler) -> Self {
        Self::with_error_handler(name, handler, ErrorHandler::default())
    }

    /// With an error handler.
    pub fn with_error_handler(name: impl Into<String>, handler: impl Handler, error_handler: ErrorHandler) -> Self {
        let registration = Registration::new(name.into(), handler.boxed());
        registration.ledger().set_error_handler(error_handler);
        Self::at(registration)
    }

    /// A second path to a handler that already has a name, with the same ledger and error handler.
    #[cfg(feature = "config")]
    pub(crate) fn sharing_ledger(ledger: Arc<Ledger>, handler: impl Handler) -> Self {
        Self::at(Registration::sharing_ledger(ledger, handler.boxed()))
    }

    fn at(registration: Registration<Box<dyn Handler>>) -> Self {
        let registration = Arc::new(registration);
        registration::register(&registration);
        Self(Arc::new(Inner { registration, min_level: AtomicI32::new(Severity::ALL.number()) }))
    }

    /// The handler's name.
    pub fn name(&self) -> &str {
        self.0.registration.name()
    }

    /// Changes its level for later records ([`Severity::ALL`] at first). A level set with
    /// [`HandlerExt::min_level`](crate::HandlerExt::min_level) still applies; [`Description::min_level`] is the higher
    /// one.
    pub fn set_level(&self, min_level: impl Into<Severity>) {
        self.0.min_level.store(min_level.into().number(), Ordering::Relaxed);
    }

    /// Changes its error handler.
    pub fn set_error_handler(&self, error_handler: ErrorHandler) {
        self.0.registration.ledger().set_error_handler(error_handler);
    }

    /// The ledger of its records.
    pub fn ledger(&self) -> Arc<Ledger> {
        Arc::clone(self.0.registration.ledger())
    }

    /// A reading of the ledger.
    pub fn stats(&self) -> crate::ledger::Stats {
        self.0.registration.ledger().stats()
    }

    /// Writes what is buffered.
    ///
    /// # Errors
    /// The error of the handler. The error handler gets it, too.
    pub fn flush(&self) -> Result<(), Error> {
        self.0.registration.flush(&Flush::PLAIN)
    }

    /// Handles a copy of a record.
    #[inline]
    pub fn emit(&self, record: &Record) {
        fork::poll(None);
        if self.filters(record.severity()) {
            return;
        }
        let mut copy = Pooled::create();
        copy.clone_from(record);
        self.0.registration.emit(copy.into_owned());
    }

    /// Whether its own level refuses a record; then the ledger has counted that.
    #[inline]
    pub(super) fn filters(&self, severity: Severity) -> bool {
        let filters = severity.number() < self.0.min_level.load(Ordering::Relaxed);
        if filters {
            self.0.registration.ledger().counters().count_end(End::Filtered);
        }
        filters
    }

    /// The handler without the level of [`set_level`](Self::set_level).
    #[inline]
    pub(crate) fn ignoring_level(&self) -> &impl Handler {
        &*self.0.registration
    }

    /// The handler itself if it has a name, else one with its default name around it.
    pub(crate) fn named_or_wrapped(handler: impl Handler) -> Self {
        match (&handler as &dyn Any).downcast_ref::<Self>() {
            Some(shared) => shared.clone(),
            None => Self::new(handler.describe().name, handler),
        }
    }

    /// Whether both are clones of the same handler.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Handler for NamedHandler {
    #[inline]
    fn handle(&self, delivery: Delivery<'_>) -> Result<Outcome, Error> {
        if self.filters(delivery.severity()) {
            return Ok(Outcome::Filtered);
        }
        self.0.registration.handle(delivery)
    }

    fn flush(&self, how: &Flush) -> Result<(), Error> {
        self.0.registration.flush(how)
    }

    fn describe(&self) -> Description {
        Description::new(format!("to {}", self.name())).min_level(
            Severity::new(self.0.min_level.load(Ordering::Relaxed)).max(self.0.registration.describe().min_level),
        )
    }
}

impl fmt::Debug for NamedHandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NamedHandler")
            .field("name", &self.name())
            .field("min_level", &self.describe().min_level)
            .finish_non_exhaustive()
    }
}
