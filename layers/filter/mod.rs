//! What reaches a handler: a [`Filter`] decides, a [`Transform`] changes a copy.
//!
//! Python: `logging.Filter`. There, one filter may do both, and later handlers see its changes. Here, only a transform
//! changes records, and only its own handler sees the changes.

#[cfg(feature = "fluent")]
mod fluent;
mod groups;
mod localize;
mod rate_limit;
#[cfg(feature = "redact")]
mod redact;
mod sample;

#[cfg(feature = "fluent")]
pub use self::fluent::Fluent;
#[cfg(feature = "redact")]
pub use self::redact::{Action, Pattern, Redact};
pub use self::{
    groups::SimilarStats,
    localize::{Catalog, Localize},
    rate_limit::RateLimit,
    sample::Sample,
};
use crate::{Record, record::is_below};

/// Decides whether a record passes. Closures `|record: &Record| …` are filters.
///
/// ```
/// use tracing_strata::{prelude::*, Record, output::Stream};
///
/// let quiet = Stream::stderr().filter(|record: &Record| record.get("health_check").is_none());
/// # drop(quiet);
/// ```
pub trait Filter: Send + Sync + 'static {
    /// Whether the record passes.
    fn passes(&self, record: &Record) -> bool;

    /// Emits summaries of refused records, if the filter counts them: those that are due, or all. Called after each
    /// decision, before the record itself goes on, and with `all` when the handler is flushed or dropped. `emit` runs a
    /// handler: hold no lock.
    ///
    /// Default: does nothing.
    fn drain_summaries(&self, all: bool, emit: &mut dyn FnMut(&Record)) {
        (_, _) = (all, emit);
    }
}

impl<F: Fn(&Record) -> bool + Send + Sync + 'static> Filter for F {
    fn passes(&self, record: &Record) -> bool {
        self(record)
    }
}

/// Changes a handler's own copy of a record. Closures `|record: &mut Record| …` are transforms.
///
/// ```
/// use tracing_strata::{prelude::*, Record, output::Stream};
///
/// let masked = Stream::stderr().transform(|record: &mut Record| {
///     if record.fields().contains("password") {
///         record.set("password", "***");
///     }
/// });
/// # drop(masked);
/// ```
pub trait Transform: Send + Sync + 'static {
    /// Changes the record.
    fn transform(&self, record: &mut Record);

    /// Whether it would change this record. If not, the handler gets the original, and nothing is copied.
    ///
    /// Default: `true`.
    fn applies(&self, record: &Record) -> bool {
        _ = record;
        true
    }
}

impl<F: Fn(&mut Record) + Send + Sync + 'static> Transform for F {
    fn transform(&self, record: &mut Record) {
        self(record);
    }
}

/// Passes the records of a logger and of those below it. Python: `logging.Filter(name)`.
///
/// ```
/// use tracing_strata::{Record, Severity, filter::{Filter, TargetPrefix}};
///
/// let passes = |target| TargetPrefix::new("shop.db").passes(&Record::new(Severity::INFO, target, ""));
/// assert!(passes("shop.db") && passes("shop::db::pool") && !passes("shop.dbx"));
/// ```
#[derive(Clone, Debug)]
pub struct TargetPrefix(String);

impl TargetPrefix {
    /// The records of `name` and below. The empty name passes all.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }
}

impl Filter for TargetPrefix {
    fn passes(&self, record: &Record) -> bool {
        is_below(record.target(), &self.0)
    }
}
