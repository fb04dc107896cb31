//! Handlers that hang in several places, and several handlers in one place.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI32, Ordering},
    },
};

use super::{Handler, Outcome, deliver, flush, next_bit};
use crate::{
    Error, Record, Severity,
    trap::{Ledger, Post, Trap},
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
    handler: Box<dyn Handler>,
    post: Post,
    bit: u64,
    least: AtomicI32,
}

impl Shared {
    /// A shared handler; [`Handler::shared`] does the same.
    pub fn new(name: impl Into<String>, handler: impl Handler) -> Self {
        Self::with_trap(name, handler, Trap::default())
    }

    /// A shared handler whose failures go to `trap`.
    pub fn with_trap(name: impl Into<String>, handler: impl Handler, trap: Trap) -> Self {
        let mut post = Post::new(name.into());
        post.set_trap(trap);
        handler.attach(post.ledger());
        let least = AtomicI32::new(Severity::ALL.number());
        Self(Arc::new(Inner { handler: Box::new(handler), post, bit: next_bit(), least }))
    }

    /// The handler's name.
    pub fn name(&self) -> &str {
        self.0.post.name()
    }

    /// The least severity it takes; [`Severity::ALL`] at first.
    pub fn level(&self) -> Severity {
        Severity::new(self.0.least.load(Ordering::Relaxed))
    }

    /// Changes the level; records from now on are judged by it.
    pub fn set_level(&self, least: Severity) {
        self.0.least.store(least.number(), Ordering::Relaxed);
    }

    /// The account of its records.
    pub fn ledger(&self) -> Arc<Ledger> {
        Arc::clone(self.0.post.ledger())
    }

    /// A reading of the account.
    pub fn stats(&self) -> crate::trap::Stats {
        self.0.post.ledger().stats()
    }

    /// Brings what is held back to its place.
    ///
    /// # Errors
    /// What the handler could not do; the trap was told, too.
    pub fn flush(&self) -> Result<(), Error> {
        flush(&self.0.post, self.0.bit, &*self.0.handler)
    }

    /// Gives it a record.
    #[inline]
    pub fn deliver(&self, record: &Record) {
        let inner = &*self.0;
        if record.severity().number() < inner.least.load(Ordering::Relaxed) {
            return inner.post.ledger().count_filtered();
        }
        deliver(&inner.post, inner.bit, &*inner.handler, record);
    }

    /// Whether two are clones of one.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// What is held back is brought to its place; what goes wrong is told to the trap.
impl Drop for Inner {
    fn drop(&mut self) {
        // Told already, and there is nobody to return it to.
        flush(&self.post, self.bit, &*self.handler).unwrap_or_default();
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

    #[inline]
    fn keeps(&self) -> bool {
        self.0.handler.keeps()
    }

    fn default_name(&self) -> String {
        self.name().to_owned()
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("name", &self.name()).field("level", &self.level()).finish_non_exhaustive()
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
