//! Several handlers as one.

use super::{Delivery, Flush, Handler, NamedHandler, Outcome, Split};
use crate::{Description, Error};

/// One record, many handlers: it is captured once, and each handler has its own format and ledger. The ledger of the
/// tee counts the worst outcome: failed, dropped, filtered, written.
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
    /// A tee without handlers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a handler under a name.
    pub fn with(self, name: impl Into<String>, handler: impl Handler) -> Self {
        self.with_named(NamedHandler::new(name, handler))
    }

    /// Adds a handler that has a name already.
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

    /// Flushes all; returns the first error. Each error handler gets its own.
    fn flush(&self, how: &Flush) -> Result<(), Error> {
        flush_each(&self.handlers, how)
    }

    fn describe(&self) -> Description {
        Description::new("tee")
    }
}

/// Gives a record to each. The worst outcome counts; without handlers it is dropped.
#[inline]
pub(crate) fn to_all(handlers: &[NamedHandler], delivery: Delivery<'_>) -> Result<Outcome, Error> {
    let Some((last, others)) = handlers.split_last() else { return Ok(Outcome::Dropped) };
    if others.is_empty() {
        return last.handle(delivery);
    }
    let severity = delivery.severity();
    let mut split = Split::new(delivery);
    others.iter().for_each(|handler| split.give_named(severity, true, handler));
    split.give_named(severity, false, last);
    split.end()
}

/// Flushes each; returns the first error.
pub(crate) fn flush_each<'a>(handlers: impl IntoIterator<Item = &'a NamedHandler>, how: &Flush) -> Result<(), Error> {
    // Also after an error.
    handlers.into_iter().map(|handler| Handler::flush(handler, how)).fold(Ok(()), Result::and)
}

impl FromIterator<NamedHandler> for Tee {
    fn from_iter<I: IntoIterator<Item = NamedHandler>>(handlers: I) -> Self {
        Self { handlers: handlers.into_iter().collect() }
    }
}
