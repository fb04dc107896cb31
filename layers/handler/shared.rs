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
    Handler, Outcome,
    place::{self, Place},
};
use crate::{
    Error, Record, Severity,
    trap::{Ledger, Trap},
};

/// A handler with a name, a ledger, and a level that can be changed at run time. Cheap to clone; clones are the same
/// handler, so it can hang on several [loggers](crate::Loggers), in a [`Tee`], and be watched from outside.
///
/// ```
/// use tracing_strata::{prelude::*, Severity, output::Stream};
///
/// let console = Stream::stderr().shared("console");
/// console.set_level(Severity::WARN);
/// assert_eq!(console.name(), "console");
/// assert_eq!(console.stats().accepted(), 0);
/// ```
#[derive(Clone)]
pub struct Shared(Arc<Inner>);

struct Inner {
    place: Arc<Place<Box<dyn Handler>>>,
    least: AtomicI32,
}

impl Shared {
    /// A shared handler; [`Handler::shared`] does the same.
    pub fn new(name: impl Into<String>, handler: impl Handler) -> Self {
        Self::with_trap(name, handler, Trap::default())
    }

    /// A shared handler whose failures go to `trap`.
    pub fn with_trap(name: impl Into<String>, handler: impl Handler, trap: Trap) -> Self {
        let place = Place::new(name.into(), handler.boxed());
        place.set_trap(trap);
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
        self.0.place.post().name()
    }

    /// Changes its level ([`Severity::ALL`] at first); records from now on are judged by it. A level that the handler was
    /// given with [`Handler::level`] stays beside it. [`least`](Handler::least) tells what comes of both.
    pub fn set_level(&self, least: impl Into<Severity>) {
        self.0.least.store(least.into().number(), Ordering::Relaxed);
    }

    /// Changes where its failures go.
    pub fn set_trap(&self, trap: Trap) {
        self.0.place.set_trap(trap);
    }

    /// The account of its records.
    pub fn ledger(&self) -> Arc<Ledger> {
        Arc::clone(self.0.place.post().ledger())
    }

    /// A reading of the account.
    pub fn stats(&self) -> crate::trap::Stats {
        self.0.place.post().ledger().stats()
    }

    /// Brings what is held back to its place.
    ///
    /// # Errors
    /// What the handler could not do; the trap was told, too.
    pub fn flush(&self) -> Result<(), Error> {
        self.0.place.flush()
    }

    /// Gives it a record.
    #[inline]
    pub fn deliver(&self, record: &Record) {
        let inner = &*self.0;
        if record.severity().number() < inner.least.load(Ordering::Relaxed) {
            return inner.place.post().ledger().count_filtered();
        }
        inner.place.deliver(record);
    }

    /// The same, whatever level it was [set](Self::set_level) to.
    #[inline]
    pub(crate) fn deliver_past_level(&self, record: &Record) {
        self.0.place.deliver(record);
    }

    /// The handler itself if it is a shared one, else a shared one around it.
    pub(crate) fn around(handler: impl Handler) -> Self {
        match (&handler as &dyn Any).downcast_ref::<Self>() {
            Some(shared) => shared.clone(),
            None => Self::new(handler.default_name(), handler),
        }
    }

    /// Gives it a record, and says what became of it; `None` if it failed.
    pub(super) fn take(&self, record: &Record) -> Option<Outcome> {
        let inner = &*self.0;
        if record.severity().number() < inner.least.load(Ordering::Relaxed) {
            inner.place.post().ledger().count_filtered();
            return Some(Outcome::Filtered);
        }
        inner.place.take(record)
    }

    /// Whether two are clones of one.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Handler for Shared {
    #[inline]
    fn handle(&self, record: &Record) -> Result<Outcome, Error> {
        self.deliver(record);
        Ok(Outcome::Written)
    }

    fn flush(&self) -> Result<(), Error> {
        Shared::flush(self)
    }

    fn finish(&self) -> Result<(), Error> {
        self.0.place.finish()
    }

    #[inline]
    fn keeps(&self) -> bool {
        self.0.place.handler().keeps()
    }

    fn least(&self) -> Severity {
        Severity::new(self.0.least.load(Ordering::Relaxed)).max(self.0.place.handler().least())
    }

    /// Of the layer that hands records to it, which has a ledger of its own.
    fn default_name(&self) -> String {
        format!("to {}", self.name())
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("name", &self.name()).field("least", &self.least()).finish_non_exhaustive()
    }
}

/// One record, many handlers: captured once, each formats for itself and has its own ledger. Its own ledger counts what
/// was handed on.
///
/// ```
/// use tracing_strata::{prelude::*, Severity, Tee, format::Json, output::Stream};
/// use tracing_subscriber::prelude::*;
///
/// let both = Tee::new()
///     .with("console", Stream::stderr().level(Severity::WARN))
///     .with("json", Stream::stdout().format(Json::new()));
/// let subscriber = tracing_subscriber::registry().with(both.into_layer());
/// # drop(subscriber);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Tee {
    handlers: Vec<Shared>,
}

impl Tee {
    /// No handlers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a handler under a name.
    pub fn with(self, name: impl Into<String>, handler: impl Handler) -> Self {
        self.with_shared(Shared::new(name, handler))
    }

    /// Adds a handler that is shared with others.
    pub fn with_shared(mut self, handler: Shared) -> Self {
        self.handlers.push(handler);
        self
    }

    /// The handlers, in order.
    pub fn handlers(&self) -> &[Shared] {
        &self.handlers
    }
}

impl Handler for Tee {
    #[inline]
    fn handle(&self, record: &Record) -> Result<Outcome, Error> {
        self.handlers.iter().for_each(|handler| handler.deliver(record));
        Ok(Outcome::Written)
    }

    /// Flushes all; the first error is returned, all are told.
    fn flush(&self) -> Result<(), Error> {
        let mut first = Ok(());
        for handler in &self.handlers {
            // All are flushed, whatever became of the ones before.
            first = first.and(handler.flush());
        }
        first
    }

    fn finish(&self) -> Result<(), Error> {
        let mut first = Ok(());
        for handler in &self.handlers {
            first = first.and(handler.finish());
        }
        first
    }

    fn keeps(&self) -> bool {
        self.handlers.iter().any(Handler::keeps)
    }

    fn default_name(&self) -> String {
        "tee".into()
    }
}

impl FromIterator<Shared> for Tee {
    fn from_iter<I: IntoIterator<Item = Shared>>(handlers: I) -> Self {
        Self { handlers: handlers.into_iter().collect() }
    }
}
