//! From a record to the handlers that hang on its logger and above.

use std::sync::{Arc, LazyLock, atomic::Ordering};

use tracing_core::Subscriber;
use tracing_subscriber::{Layer as _, filter::Filtered, registry::LookupSpan};

use super::{Loggers, cache, tree::Route};
use crate::{
    Delivery, Description, Error, Flush, Handler, HandlerExt as _, HandlerLayer, NamedHandler, Outcome, Record,
    Severity,
    handler::{flush_each, to_all},
    sink,
    text::is_control,
};

/// Gives each record to the handlers of its logger, then to those of the loggers above, up to one that does not
/// [propagate](Loggers::set_propagate). Made by [`Loggers::router`]; [`Loggers::into_layer`] puts the levels in front.
///
/// Levels of loggers are not looked at here, as in Python's `Logger.handle`; a logger that is
/// [disabled](Loggers::set_disabled) and the [filters](Loggers::add_filter) of a logger refuse what was logged with that
/// very name. In its ledger the worst that became of a record at its handlers counts, as for a [`Tee`](crate::Tee); each
/// handler has a ledger of its own.
#[derive(Clone, Debug)]
pub struct Router {
    loggers: Loggers,
}

impl Handler for Router {
    #[inline]
    fn handle(&self, delivery: Delivery<'_>) -> Result<Outcome, Error> {
        let (threshold, route) = cache::route(&self.loggers.0, delivery.target());
        if threshold.exact && (route.disabled || !passes(&route, &delivery)) {
            return Ok(Outcome::Filtered);
        }
        to_all(&route.handlers, delivery)
    }

    /// Flushes every handler of every logger, after the filters of loggers have told what they refused; the first error
    /// is returned, all are told.
    fn flush(&self, how: &Flush) -> Result<(), Error> {
        self.each(how)
    }

    fn describe(&self) -> Description {
        Description::new("loggers")
    }
}

/// Asks the filters of a logger. What they have to tell of records they refused goes where the logger's records go.
fn passes(route: &Route, record: &Record) -> bool {
    let passes = route.filters.iter().all(|filter| filter.passes(record));
    route.report(false);
    passes
}

impl Route {
    fn report(&self, all: bool) {
        let tell = |summary: &Record| self.handlers.iter().for_each(|handler| handler.emit(summary));
        self.filters.iter().for_each(|filter| filter.drain_summaries(all, &mut { tell }));
    }
}

impl Router {
    fn each(&self, how: &Flush) -> Result<(), Error> {
        let routes: Vec<Arc<Route>> = {
            let tree = self.loggers.0.read();
            tree.iter().filter(|(_, node)| !node.filters.is_empty()).map(|(name, _)| tree.route(name, 0)).collect()
        };
        if !how.is_barrier() {
            routes.iter().for_each(|route| route.report(true));
        }
        let mut all: Vec<NamedHandler> = Vec::new();
        for (_, node) in self.loggers.0.read().iter() {
            let new: Vec<_> = node.handlers.iter().filter(|new| !all.iter().any(|known| known.is_same(new))).collect();
            all.extend(new.into_iter().cloned());
        }
        flush_each(&all, how)
    }
}

impl Loggers {
    /// The handler that gives records to the handlers of these loggers.
    pub fn router(&self) -> Router {
        self.0.routed.store(true, Ordering::Relaxed);
        Router { loggers: self.clone() }
    }

    /// A layer with these levels and these handlers: an event is captured once for all of them.
    ///
    /// For a clock, global fields or a trap, put it together yourself:
    /// `loggers.router().into_layer().globals(…).with_filter(loggers)`.
    ///
    /// ```
    /// use tracing_strata::{Delivery, Error, Loggers, Outcome, prelude::*};
    /// use tracing_subscriber::prelude::*;
    ///
    /// struct Count(std::sync::atomic::AtomicUsize);
    /// impl Handler for Count {
    ///     fn handle(&self, _: Delivery<'_>) -> Result<Outcome, Error> {
    ///         self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    ///         Ok(Outcome::Written)
    ///     }
    /// }
    ///
    /// # fn main() -> Result<(), Error> {
    /// let loggers = Loggers::parse("info,noisy=error")?;
    /// let all = Count(0.into()).named("all");
    /// let orders = Count(0.into()).named("orders");
    /// loggers.add_handler("root", all.clone())?;
    /// loggers.add_handler("shop.orders", orders.clone())?;
    /// let subscriber = tracing_subscriber::registry().with(loggers.clone().into_layer());
    /// tracing::subscriber::with_default(subscriber, || {
    ///     tracing::info!(target: "shop::orders::paid", "to both");
    ///     tracing::info!(target: "noisy", "to none");
    /// });
    /// assert_eq!((all.stats().written, orders.stats().written), (1, 1));
    /// # Ok(())
    /// # }
    /// ```
    pub fn into_layer<S>(self) -> Filtered<HandlerLayer<Router>, Self, S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        self.router().into_layer().with_filter(self)
    }
}

/// The handler for records that no handler was found for: the bare message, and the error if there is one, as a line on
/// stderr.
///
/// Python: `logging.lastResort`.
struct LastResort;

impl Handler for LastResort {
    fn handle(&self, delivery: Delivery<'_>) -> Result<Outcome, Error> {
        sink::stderr_line(&bare_line(&delivery));
        Ok(Outcome::Written)
    }
}

fn bare_line(record: &Record) -> String {
    let mut line = String::new();
    let mut add = |text: &str| {
        for c in text.chars() {
            if is_control(c) {
                line.extend(c.escape_default());
            } else {
                line.push(c);
            }
        }
    };
    add(record.message());
    if let Some(error) = record.error() {
        add(": ");
        add(&error.to_string());
    }
    line
}

/// One for the whole process.
pub(super) fn stderr() -> NamedHandler {
    static STDERR: LazyLock<NamedHandler> = LazyLock::new(|| {
        let handler = LastResort.named("last resort");
        handler.set_level(Severity::WARN);
        handler
    });
    STDERR.clone()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Value;

    #[test]
    fn the_bare_line_is_one_line() {
        let mut record = Record::new(Severity::ERROR, "a", "one\r\ntwo\u{1b}[31m\u{2028}\u{202e}ä");
        assert_eq!(bare_line(&record), "one\\r\\ntwo\\u{1b}[31m\\u{2028}\\u{202e}ä");
        record.set("error", Value::from("text, not an error"));
        assert!(bare_line(&record).ends_with('ä'));
    }
}
