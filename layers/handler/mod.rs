//! Where records go: [`Handler`], what wraps one, and the one bridge from `tracing` to it.
//!
//! Python: `logging.Handler`.

mod context;
mod current;
mod delivery;
pub(crate) mod end;
mod flush;
#[cfg(feature = "opentelemetry")]
mod foreign;
mod layer;
mod memory;
mod or_else;
mod place;
pub mod queue;
mod shared;
mod spans;
pub(crate) mod worker;
mod wrap;

use std::{
    any::type_name,
    cell::{Cell, RefCell},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

#[cfg(feature = "otlp")]
pub(crate) use self::spans::{SpanKeeper, held};
pub use self::{
    context::SpanContextLayer,
    current::{current_trace_context, current_traceparent},
    delivery::{Delivery, OwnedDelivery, Split},
    flush::Flush,
    layer::HandlerLayer,
    memory::{FlightRecorder, MemoryBuffer, OutsideSpan, RecorderStats},
    or_else::Fallback,
    place::flush_all,
    queue::Queue,
    shared::{NamedHandler, Tee},
    wrap::{WithFilter, WithLevel, Transformed},
};
pub(crate) use self::{
    place::panicked,
    shared::{flush_each, to_all},
};
use crate::{
    Error, Severity,
    filter::{Filter, Transform},
};

/// Takes records. Called from many threads at once; never called again while it works on the same thread (a record that
/// is born inside a handler goes to the other handlers, and is counted as dropped by this one).
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
/// let layer = ErrorCount::default().level(Severity::ERROR).into_layer().named("errors");
/// let ledger = layer.ledger();
/// tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
///     tracing::error!("counted");
///     tracing::info!("filtered");
/// });
/// assert_eq!((ledger.stats().written, ledger.stats().filtered), (1, 1));
/// ```
pub trait Handler: Send + Sync + 'static {
    /// Takes a record and says what became of it. An error or a panic is counted and told to the
    /// [`ErrorHandler`](crate::ledger::ErrorHandler); the application does not see it.
    ///
    /// A handler that is done with the record returns the outcome. One that goes on with it [takes](Delivery::take) it, and
    /// returns [`Outcome::Queued`].
    ///
    /// | it | and returns | the record |
    /// |---|---|---|
    /// | took nothing | an outcome | ends so |
    /// | took nothing | an error, or panics | failed, and the trap is told |
    /// | took nothing | `Queued` | dropped; [`flush_all`] tells of it |
    /// | took it | anything | ends as its [`Receipt`](crate::ledger::Receipt) says; an error or panic is told as a [trouble](crate::ledger::Stats::other_errors) |
    ///
    /// # Errors
    /// The record is lost; or, where it was taken, something else went wrong, which is told.
    fn handle(&self, delivery: Delivery<'_>) -> Result<Outcome, Error>;

    /// Brings what is held back to its place, or does what else is [asked for](Flush). Records may come after it.
    ///
    /// # Errors
    /// Some of it is still held back; the handler's [`ErrorHandler`](crate::ledger::ErrorHandler) is told.
    fn flush(&self, how: &Flush) -> Result<(), Error> {
        let _ = how;
        Ok(())
    }

    /// The least severity it takes, as far as its own level says: for explanations, not for decisions.
    fn least(&self) -> Severity {
        Severity::ALL
    }

    /// What to call the handler where nobody gave it a name.
    fn default_name(&self) -> String {
        short_type_name::<Self>()
    }

    /// Refuses records below a severity. The handler's level is apart from the levels of loggers.
    fn min_level(self, least: impl Into<Severity>) -> WithLevel<Self>
    where
        Self: Sized,
    {
        WithLevel::new(self, least.into())
    }

    /// Refuses records that the filter does not pass.
    fn filter<F: Filter>(self, filter: F) -> WithFilter<Self, F>
    where
        Self: Sized,
    {
        WithFilter::new(self, filter)
    }

    /// Changes a copy of each record before this handler gets it; other handlers see the original.
    fn transform<R: Transform>(self, rewrite: R) -> Transformed<Self, R>
    where
        Self: Sized,
    {
        Transformed::new(self, rewrite)
    }

    /// Gives records that this handler cannot take to another one. See [`Fallback`].
    fn fallback<F: Handler>(self, fallback: F) -> Fallback<Self>
    where
        Self: Sized,
    {
        Fallback::new(self, fallback)
    }

    /// Forgets the type, for collections of handlers.
    fn boxed(self) -> Box<dyn Handler>
    where
        Self: Sized,
    {
        Box::new(self)
    }

    /// Makes it a `tracing_subscriber` layer.
    fn into_layer(self) -> HandlerLayer<Self>
    where
        Self: Sized,
    {
        HandlerLayer::new(self)
    }

    /// Makes it clonable, named and adjustable at run time.
    fn named(self, name: impl Into<String>) -> NamedHandler
    where
        Self: Sized,
    {
        NamedHandler::new(name, self)
    }
}

/// What became of a record. The greater is the worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Outcome {
    /// It is at its place.
    Written,
    /// The handler's level or filters refused it.
    Filtered,
    /// It was given up on purpose.
    Dropped,
    /// It is held back: it was [taken](Delivery::take) with its receipt, which says later what became of it.
    Queued,
}

macro_rules! forward {
    ($($pointer:ty),*) => {$(
        impl<H: Handler + ?Sized> Handler for $pointer {
            #[inline]
            fn handle(&self, delivery: Delivery<'_>) -> Result<Outcome, Error> { (**self).handle(delivery) }
            fn flush(&self, how: &Flush) -> Result<(), Error> { (**self).flush(how) }
            fn least(&self) -> Severity { (**self).least() }
            fn default_name(&self) -> String { (**self).default_name() }
        }
    )*};
}

forward!(Box<H>, Arc<H>);

/// `Stream<Text>` of `tracing_strata::output::Stream<tracing_strata::format::Text>`.
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

// --- delivering a record

thread_local! {
    /// The handler that is at work on this thread, by number; 0 if none is.
    static AT_WORK: Cell<u64> = const { Cell::new(0) };
    /// Those that wait for it: a tee for its handlers, a handler for the record it gave birth to.
    static WAITING: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

/// At work until it is dropped.
struct Working {
    before: u64,
}

impl Working {
    /// `None` if this handler is at work on this thread already.
    #[inline]
    fn enter(number: u64) -> Option<Self> {
        let before = AT_WORK.get();
        if before != 0 && !Self::wait(before, number) {
            return None;
        }
        AT_WORK.set(number);
        Some(Self { before })
    }

    /// Puts the one at work among those that wait; false if the number is one of them.
    fn wait(before: u64, number: u64) -> bool {
        let is_new = |waiting: &RefCell<Vec<u64>>| {
            let mut waiting = waiting.borrow_mut();
            let is_new = before != number && !waiting.contains(&number);
            if is_new {
                waiting.push(before);
            }
            is_new
        };
        // Where the thread is ending there is no list: not to recurse is safer.
        WAITING.try_with(is_new).unwrap_or(false)
    }
}

impl Drop for Working {
    #[inline]
    fn drop(&mut self) {
        AT_WORK.set(self.before);
        if self.before != 0 {
            // Those that began later have ended. Where the list is gone, so is the entry.
            WAITING.try_with(|waiting| waiting.borrow_mut().pop()).unwrap_or_default();
        }
    }
}

/// Whether a handler is at work on this thread.
pub(crate) fn is_at_work() -> bool {
    AT_WORK.get() != 0
}

/// A number for a new handler.
fn next_number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
