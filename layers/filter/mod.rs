//! What may go on, and in which shape: decisions ([`Filter`]) and changes to a copy ([`Transform`]).
//!
//! Python: `logging.Filter`. There one filter may do both, and a change is seen by the handlers after it; here a
//! rewrite changes a copy that only its own handler sees.

mod groups;
mod limit;
mod sample;

pub use self::{groups::SimilarStats, limit::RateLimit, sample::Sample};
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

    /// Tells of what it refused, in records of its own that pass: for filters that owe a count of it. Called after each
    /// record it was asked about, before that one goes on, and with `all` where the handler is flushed or ends. `tell`
    /// runs a handler: hold no lock.
    fn drain_summaries(&self, all: bool, tell: &mut dyn FnMut(&Record)) {
        (_, _) = (all, tell);
    }
}

impl<F: Fn(&Record) -> bool + Send + Sync + 'static> Filter for F {
    fn passes(&self, record: &Record) -> bool {
        self(record)
    }
}

/// Changes a handler's own copy of a record. Closures `|record: &mut Record| …` are rewrites.
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
}

impl<F: Fn(&mut Record) + Send + Sync + 'static> Transform for F {
    fn transform(&self, record: &mut Record) {
        self(record);
    }
}

/// Passes the records of a logger and of those below it: `shop.db` passes `shop.db` and `shop::db::pool`, not
/// `shop.dbx`. The empty name passes all.
///
/// Python: `logging.Filter(name)`.
#[derive(Clone, Debug)]
pub struct TargetPrefix(String);

impl TargetPrefix {
    /// The records of `name` and below.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }
}

impl Filter for TargetPrefix {
    fn passes(&self, record: &Record) -> bool {
        is_below(record.target(), &self.0)
    }
}
