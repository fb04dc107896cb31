//! Where records go: [`Handler`], its wrappers, and the layer that connects it to `tracing`.
//!
//! Python: `logging.Handler`.

mod context;
mod current;
mod delivery;
pub(crate) mod exit;
mod ext;
mod fallback;
mod flush;
pub(crate) mod flush_all;
mod layer;
mod memory;
mod named;
#[cfg(feature = "opentelemetry")]
mod otel_ids;
pub mod queue;
mod reentrancy;
mod registration;
mod scope;
mod span_store;
mod split;
mod tee;
#[cfg(feature = "testing")]
mod witness;
pub(crate) mod worker;
mod wrap;

use std::{any::type_name, sync::Arc};

#[cfg(feature = "otlp")]
pub(crate) use self::span_store::{SpanStore, span_data};
#[cfg(feature = "testing")]
pub(crate) use self::witness::Witness;
pub use self::{
    context::SpanContextLayer,
    current::{current_trace_context, current_traceparent},
    delivery::{Delivery, OwnedDelivery},
    ext::HandlerExt,
    fallback::Fallback,
    flush::Flush,
    flush_all::flush_all,
    layer::HandlerLayer,
    memory::{FlightRecorder, MemoryBuffer, OutsideSpan, RecorderStats},
    named::NamedHandler,
    queue::Queue,
    split::Split,
    tee::Tee,
    wrap::{Transformed, WithFilter, WithLevel},
};
pub(crate) use self::{
    reentrancy::is_handling,
    tee::{flush_each, to_all},
};
use crate::{Error, Severity};

/// Takes records, from many threads at once. A thread never calls it from within itself: a record emitted inside a
/// handler goes to the other handlers, and this one counts it as dropped.
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use tracing_strata::{Delivery, Error, Outcome, Severity, prelude::*};
/// use tracing_subscriber::prelude::*;
///
/// #[derive(Default)]
/// struct ErrorCount(AtomicU64);
///
/// impl Handler for ErrorCount {
///     fn handle(&self, _: Delivery<'_>) -> Result<Outcome, Error> {
///         self.0.fetch_add(1, Ordering::Relaxed);
///         Ok(Outcome::Written)
///     }
/// }
///
/// let layer = ErrorCount::default().min_level(Severity::ERROR).into_layer().named("errors");
/// let ledger = layer.ledger();
/// tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
///     tracing::error!("counted");
///     tracing::info!("filtered");
/// });
/// assert_eq!((ledger.stats().written, ledger.stats().filtered), (1, 1));
/// ```
pub trait Handler: Send + Sync + 'static {
    /// Takes a record and returns its outcome. An error or a panic is counted, and the
    /// [`ErrorHandler`](crate::ledger::ErrorHandler) gets it; the application never sees it.
    ///
    /// A handler that is done with the record returns the outcome. One that keeps it [takes](Delivery::take) it and
    /// returns [`Outcome::Queued`].
    ///
    /// | the handler | returns | the record |
    /// |---|---|---|
    /// | took nothing | an outcome | has that outcome |
    /// | took nothing | an error, or panics | failed; the error handler gets the error |
    /// | took nothing | `Queued` | dropped; [`flush_all`] reports it |
    /// | took it | anything | ends with its [`Receipt`](crate::ledger::Receipt); an error or panic counts as [another error](crate::ledger::Stats::other_errors) |
    ///
    /// # Errors
    /// The record is lost, or, if it was taken, something else failed.
    fn handle(&self, delivery: Delivery<'_>) -> Result<Outcome, Error>;

    /// Writes what is buffered, or what else the [`Flush`] asks for. More records may follow.
    ///
    /// # Errors
    /// Some of it is still buffered. The handler's [`ErrorHandler`](crate::ledger::ErrorHandler) gets the error.
    fn flush(&self, how: &Flush) -> Result<(), Error> {
        let _ = how;
        Ok(())
    }

    /// Its default name and the lowest severity it takes: for people, not for decisions.
    fn describe(&self) -> Description {
        Description::new(short_type_name::<Self>())
    }
}

/// A handler's [description](Handler::describe) of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Description {
    /// Its name if nobody gives it one.
    pub name: String,
    /// The lowest severity that its own level lets through ([`Severity::ALL`] by default).
    pub min_level: Severity,
}

impl Description {
    /// The description of a handler that takes every severity.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), min_level: Severity::ALL }
    }

    /// Sets the lowest severity it takes.
    #[must_use]
    pub fn min_level(mut self, severity: impl Into<Severity>) -> Self {
        self.min_level = severity.into();
        self
    }
}

/// The outcome of a record. The greatest is the worst.
// As wide as an error, so that a result is returned in registers.
#[repr(usize)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Outcome {
    /// It is written.
    Written,
    /// The handler's level or filters refused it.
    Filtered,
    /// It was dropped on purpose.
    Dropped,
    /// It is buffered: it was [taken](Delivery::take), and its receipt ends it later.
    Queued,
}

macro_rules! forward {
    ($($pointer:ty),*) => {$(
        impl<H: Handler + ?Sized> Handler for $pointer {
            #[inline]
            fn handle(&self, delivery: Delivery<'_>) -> Result<Outcome, Error> { (**self).handle(delivery) }
            fn flush(&self, how: &Flush) -> Result<(), Error> { (**self).flush(how) }
            fn describe(&self) -> Description { (**self).describe() }
        }
    )*};
}

forward!(Box<H>, Arc<H>);

/// `Stream<Text>` from `tracing_strata::output::Stream<tracing_strata::format::Text>`.
fn short_type_name<T: ?Sized>() -> String {
    let mut short = String::new();
    let mut word = String::new();
    for c in type_name::<T>().chars() {
        match c {
            ':' => word.clear(),
            c if c.is_alphanumeric() || c == '_' => word.push(c),
            c => {
                short.push_str(&word);
                word.clear();
                short.push(c);
            }
        }
    }
    short + &word
}
