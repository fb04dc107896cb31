//! The handler that passes a record to the handlers of its logger and of those above.

use std::sync::{Arc, atomic::Ordering};

use tracing_core::Subscriber;
use tracing_subscriber::{Layer as _, filter::Filtered, registry::LookupSpan};

use super::{Loggers, cache, tree::Route};
use crate::{
    Delivery, Description, Error, Flush, Handler, HandlerExt as _, HandlerLayer, NamedHandler, Outcome, Record,
    handler::{flush_each, to_all},
};

/// Passes each record to the handlers of its logger, then to those of the loggers above, up to one that does not
/// [propagate](Loggers::set_propagate). Made by [`Loggers::router`]; [`Loggers::into_layer`] puts the levels in front.
///
/// Like Python's `Logger.handle`, it does not check the levels of loggers. A [disabled](Loggers::set_disabled) logger and a
/// logger's [filters](Loggers::add_filter) refuse records of exactly that name. The router's ledger counts the worst
/// outcome of a record among the handlers, like that of a [`Tee`](crate::Tee). Each handler has its own ledger.
#[derive(Clone, Debug)]
pub struct Router {
    loggers: Loggers,
}

impl Handler for Router {
    #[inline]
    fn handle(&self, delivery: Delivery<'_>) -> Result<Outcome, Error> {
        let (threshold, route) = cache::route(&self.loggers.0, delivery.target());
        if threshold.exact && (route.disabled || !route.passes(&delivery)) {
            return Ok(Outcome::Filtered);
        }
        to_all(&route.handlers, delivery)
    }

    /// Flushes every handler of every logger, after the loggers' filters have emitted their summaries. Returns the first
    /// error; every error goes to its handler's error handler.
    fn flush(&self, how: &Flush) -> Result<(), Error> {
        if !how.is_barrier() {
            let routes: Vec<Arc<Route>> = {
                let tree = self.loggers.0.read();
                let filtered = tree.loggers.iter().filter(|(_, logger)| !logger.filters.is_empty());
                filtered.map(|(name, _)| tree.route(name, 0)).collect()
            };
            routes.iter().for_each(|route| route.emit_summaries(true));
        }
        let mut all: Vec<NamedHandler> = Vec::new();
        for handler in self.loggers.0.read().loggers.values().flat_map(|logger| &logger.handlers) {
            if !all.iter().any(|known| known.is_same(handler)) {
                all.push(handler.clone());
            }
        }
        flush_each(&all, how)
    }

    fn describe(&self) -> Description {
        Description::new("loggers")
    }
}

impl Route {
    /// Asks the filters of the logger.
    fn passes(&self, record: &Record) -> bool {
        let passes = self.filters.iter().all(|filter| filter.passes(record));
        self.emit_summaries(false);
        passes
    }

    /// Summaries go where the records of the logger go.
    fn emit_summaries(&self, all: bool) {
        let emit = |summary: &Record| self.handlers.iter().for_each(|handler| handler.emit(summary));
        self.filters.iter().for_each(|filter| filter.drain_summaries(all, &mut { emit }));
    }
}

impl Loggers {
    /// A handler that passes records to the handlers of these loggers.
    pub fn router(&self) -> Router {
        self.0.routed.store(true, Ordering::Relaxed);
        Router { loggers: self.clone() }
    }

    /// A layer with these levels and these handlers. An event is captured once for all handlers.
    ///
    /// To add a clock, global fields or an error handler, build it yourself:
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
