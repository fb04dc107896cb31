//! Where records go: [`Handler`], what wraps one, and the one bridge from `tracing` to it.
//!
//! Python: `logging.Handler`.

mod context;
mod current;
mod delivery;
pub(crate) mod end;
mod ext;
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

pub(crate) use self::shared::{flush_each, to_all};
#[cfg(feature = "otlp")]
pub(crate) use self::spans::{SpanKeeper, held};
pub use self::{
    context::SpanContextLayer,
    current::{current_trace_context, current_traceparent},
    delivery::{Delivery, OwnedDelivery, Split},
    ext::HandlerExt,
    flush::Flush,
    layer::HandlerLayer,
    memory::{FlightRecorder, MemoryBuffer, OutsideSpan, RecorderStats},
    or_else::Fallback,
    place::flush_all,
    queue::Queue,
    shared::{NamedHandler, Tee},
    wrap::{Transformed, WithFilter, WithLevel},
};
use crate::{Error, Severity, unwind::panicked};

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
/// let layer = ErrorCount::default().min_level(Severity::ERROR).into_layer().named("errors");
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

    /// What to call it where nobody gave it a name, and the lowest severity it takes: for people, not for decisions.
    fn describe(&self) -> Description {
        Description::new(short_type_name::<Self>())
    }
}

/// What a handler [says of itself](Handler::describe).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Description {
    /// What to call it where nobody gave it a name.
    pub name: String,
    /// The lowest severity it takes, as far as its own level says ([`Severity::ALL`] by default).
    pub min_level: Severity,
}

impl Description {
    /// A handler that takes every severity.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), min_level: Severity::ALL }
    }

    /// The lowest severity it takes.
    #[must_use]
    pub fn min_level(mut self, severity: impl Into<Severity>) -> Self {
        self.min_level = severity.into();
        self
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
            fn describe(&self) -> Description { (**self).describe() }
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
