//! The loggers, and what they decide for a target.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Bound,
    sync::Arc,
};

use super::{last_resort::LastResort, name};
use crate::{Error, NamedHandler, Severity, filter::Filter, fork::ForkMutex};

/// A bound on memory: names may come from data (a logger for each user …).
pub(super) const MAX_LOGGERS: usize = 65_536;

/// The settings of one logger.
#[derive(Clone)]
pub(crate) struct LoggerState {
    pub(crate) level: Option<Severity>,
    pub(crate) propagate: bool,
    pub(crate) disabled: bool,
    pub(crate) handlers: Vec<NamedHandler>,
    pub(crate) filters: Vec<Arc<dyn Filter>>,
}

impl Default for LoggerState {
    fn default() -> Self {
        Self { level: None, propagate: true, disabled: false, handlers: Vec::new(), filters: Vec::new() }
    }
}

impl LoggerState {
    /// A root without settings: at WARN, as in Python.
    pub(crate) fn root() -> Self {
        Self { level: Some(Severity::WARN), ..Self::default() }
    }

    /// Adds a filter unless it is there already.
    pub(crate) fn add_filter(&mut self, filter: Arc<dyn Filter>) {
        if self.position(&filter).is_none() {
            self.filters.push(filter);
        }
    }

    pub(super) fn position(&self, filter: &Arc<dyn Filter>) -> Option<usize> {
        self.filters.iter().position(|known| std::ptr::addr_eq(Arc::as_ptr(known), Arc::as_ptr(filter)))
    }

    /// Whether anything but a level is set.
    fn has_more_than_a_level(&self) -> bool {
        !self.propagate || self.disabled || !self.handlers.is_empty() || !self.filters.is_empty()
    }
}

/// All loggers. The root, under the empty name, always exists.
pub(super) struct Tree {
    pub(super) loggers: BTreeMap<String, LoggerState>,
    /// All records up to this severity are refused.
    pub(super) disabled_up_to: Severity,
    pub(super) last_resort: LastResort,
    /// The routes used since the last change.
    routes: Routes,
}

/// Routes by the name of the logger they start at. Threads are spread over several maps, so that they do not contend for
/// the reference count of one route.
pub(super) type Routes = [ForkMutex<HashMap<Box<str>, Arc<Route>>>; STRIPES];

pub(super) const STRIPES: usize = 8;

/// What the loggers decide about a target by its level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Threshold {
    /// The lowest severity number that passes, or [`NEVER`].
    pub(super) minimum: i64,
    /// The target is the name of a logger, not just below one.
    pub(super) exact: bool,
}

/// The handlers for the records of a logger.
pub(super) struct Route {
    /// The logger is disabled. This and its filters concern only records of exactly its name.
    pub(super) disabled: bool,
    pub(super) filters: Vec<Arc<dyn Filter>>,
    /// The handlers on the way up, or the last resort if there are none.
    pub(super) handlers: Vec<NamedHandler>,
}

/// Above all severity numbers.
pub(super) const NEVER: i64 = i64::MAX;

impl Default for Tree {
    fn default() -> Self {
        Self {
            loggers: BTreeMap::from([(String::new(), LoggerState::root())]),
            disabled_up_to: Severity::ALL,
            last_resort: LastResort::Stderr,
            routes: Routes::default(),
        }
    }
}

impl Tree {
    /// The existing loggers from a name upwards, its own first, the root last.
    pub(super) fn upwards(&self, name: &str) -> impl Iterator<Item = (&str, &LoggerState)> {
        name::with_ancestors(name)
            .filter_map(|name| self.loggers.get_key_value(name))
            .map(|(name, logger)| (&**name, logger))
    }

    /// The loggers that a record reaches from a name upwards, up to one that does not propagate.
    pub(super) fn propagation(&self, name: &str) -> impl Iterator<Item = &LoggerState> {
        let mut propagates = true;
        let loggers = self.upwards(name).map(|(_, logger)| logger);
        loggers.take_while(move |logger| std::mem::replace(&mut propagates, logger.propagate))
    }

    /// The existing loggers whose names have one part more.
    pub(super) fn children(&self, name: &str) -> Vec<&str> {
        let (start, dots) = match name {
            "" => (String::new(), 0),
            _ => (format!("{name}."), 1 + name.matches('.').count()),
        };
        self.loggers
            .range::<str, _>((Bound::Included(&*start), Bound::Unbounded))
            .map(|(name, _)| &**name)
            .take_while(|name| name.starts_with(&start))
            .filter(|name| !name.is_empty() && name.matches('.').count() == dots)
            .collect()
    }

    /// The effective level, and the logger it comes from. With no level anywhere, all records pass.
    pub(super) fn effective(&self, name: &str) -> (Severity, Option<&str>) {
        let set = self.upwards(name).find_map(|(name, logger)| Some((logger.level?, Some(name))));
        set.unwrap_or((Severity::ALL, None))
    }

    pub(super) fn threshold(&self, target: &str) -> Threshold {
        name::with_canonical(target, |name, whole| {
            let exact = whole.then(|| self.loggers.get(name)).flatten();
            let minimum = match exact {
                Some(logger) if logger.disabled => NEVER,
                _ => minimum(self.effective(name).0, self.disabled_up_to),
            };
            Threshold { minimum, exact: exact.is_some() }
        })
    }

    /// The minimum of the most permissive target.
    pub(super) fn lowest_minimum(&self) -> i64 {
        let no_level = self.loggers.get("").is_none_or(|root| root.level.is_none());
        let lowest =
            self.loggers.values().filter_map(|logger| logger.level).chain(no_level.then_some(Severity::ALL)).min();
        minimum(lowest.unwrap_or(Severity::ALL), self.disabled_up_to)
    }

    /// The handlers for the records of a target.
    pub(super) fn route(&self, target: &str, stripe: usize) -> Arc<Route> {
        name::with_canonical(target, |name, _| {
            let start = self.upwards(name).next().map_or("", |(name, _)| name);
            let mut routes = self.routes[stripe % STRIPES].get();
            if let Some(route) = routes.get(start) {
                return Arc::clone(route);
            }
            let route = Arc::new(self.find_route(start));
            routes.insert(start.into(), Arc::clone(&route));
            route
        })
    }

    fn find_route(&self, start: &str) -> Route {
        let mut handlers: Vec<_> = self.propagation(start).flat_map(|logger| logger.handlers.iter().cloned()).collect();
        if handlers.is_empty() {
            handlers.extend(self.last_resort.handler());
        }
        let (disabled, filters) =
            self.loggers.get(start).map_or((false, Vec::new()), |logger| (logger.disabled, logger.filters.clone()));
        Route { disabled, filters, handlers }
    }

    /// The logger of that name, a new one if there is none.
    pub(super) fn get_or_create(&mut self, name: &str) -> Result<&mut LoggerState, Error> {
        let full = self.loggers.len() >= MAX_LOGGERS;
        if full && !self.loggers.contains_key(name) {
            return Err(too_many());
        }
        Ok(self.loggers.entry(name.into()).or_default())
    }

    /// Replaces all levels, or changes nothing. Loggers without any other setting are removed.
    pub(super) fn set_levels(&mut self, levels: &BTreeMap<String, Severity>) -> Result<(), Error> {
        let stays = |name: &str, logger: &LoggerState| name.is_empty() || logger.has_more_than_a_level();
        let others =
            self.loggers.iter().filter(|(name, logger)| stays(name, logger) && !levels.contains_key(*name)).count();
        if others + levels.len() > MAX_LOGGERS {
            return Err(too_many());
        }
        self.loggers.retain(|name, logger| {
            logger.level = if name.is_empty() { Some(Severity::WARN) } else { None };
            stays(name, logger)
        });
        for (name, level) in levels {
            self.loggers.entry(name.clone()).or_default().level = Some(*level);
        }
        Ok(())
    }

    /// Takes out the routes, which a change makes stale. Drop them with no lock held: they may own the last reference to a
    /// handler.
    pub(super) fn take_routes(&mut self) -> Routes {
        std::mem::take(&mut self.routes)
    }
}

impl Clone for Tree {
    fn clone(&self) -> Self {
        Self {
            loggers: self.loggers.clone(),
            disabled_up_to: self.disabled_up_to,
            last_resort: self.last_resort.clone(),
            routes: Routes::default(),
        }
    }
}

/// The lowest severity number that passes. As in Python, numbers up to 0 never do, even when nothing is disabled.
fn minimum(level: Severity, disabled_up_to: Severity) -> i64 {
    if level == Severity::OFF {
        return NEVER;
    }
    i64::from(level.number()).max(i64::from(disabled_up_to.number()) + 1)
}

pub(super) fn too_many() -> Error {
    Error::config(format_args!(
        "too many loggers: expected at most {MAX_LOGGERS}; names made from data belong in fields"
    ))
}
