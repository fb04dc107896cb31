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
pub(super) struct Node {
    pub(super) level: Option<Severity>,
    pub(super) propagate: bool,
    pub(super) disabled: bool,
    pub(super) handlers: Vec<NamedHandler>,
    pub(super) filters: Vec<Arc<dyn Filter>>,
}

impl Default for Node {
    fn default() -> Self {
        Self { level: None, propagate: true, disabled: false, handlers: Vec::new(), filters: Vec::new() }
    }
}

impl Node {
    /// Whether anything but a level is set.
    fn has_more_than_a_level(&self) -> bool {
        !self.propagate || self.disabled || !self.handlers.is_empty() || !self.filters.is_empty()
    }
}

/// All loggers. The root, under the empty name, always exists.
pub(super) struct Tree {
    loggers: BTreeMap<Box<str>, Node>,
    /// Records up to this severity are refused everywhere.
    pub(super) disabled_up_to: Severity,
    pub(super) last_resort: LastResort,
    /// Routes that were used since the last change.
    routes: Routes,
}

/// Routes by the name of the logger they start at. Threads spread over several maps, so that they do not contend for the
/// reference count of one route.
pub(super) type Routes = [ForkMutex<HashMap<Box<str>, Arc<Route>>>; STRIPES];

pub(super) const STRIPES: usize = 8;

/// What the loggers say about a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Threshold {
    /// The lowest severity number that passes; above all numbers if none does.
    pub(super) floor: i64,
    /// The target is the name of a logger, not just below one.
    pub(super) exact: bool,
}

/// The handlers for the records of a logger.
pub(super) struct Route {
    /// The logger's own switch and filters: they concern only records of that very name.
    pub(super) disabled: bool,
    pub(super) filters: Vec<Arc<dyn Filter>>,
    /// The handlers on the way up, or the last resort if there are none.
    pub(super) handlers: Vec<NamedHandler>,
}

pub(super) const NEVER: i64 = i64::MAX;

impl Default for Tree {
    fn default() -> Self {
        Self::new()
    }
}

impl Tree {
    pub(super) fn new() -> Self {
        let root = Node { level: Some(Severity::WARN), ..Node::default() };
        Self {
            loggers: BTreeMap::from([("".into(), root)]),
            disabled_up_to: Severity::ALL,
            last_resort: LastResort::Stderr,
            routes: Routes::default(),
        }
    }

    // --- reading

    pub(super) fn get(&self, name: &str) -> Option<&Node> {
        self.loggers.get(name)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Node)> {
        self.loggers.iter().map(|(name, node)| (&**name, node))
    }

    /// The existing loggers from a name upwards, itself included; the root comes last.
    pub(super) fn upwards(&self, name: &str) -> impl Iterator<Item = (&str, &Node)> {
        name::with_ancestors(name)
            .filter_map(|name| self.loggers.get_key_value(name))
            .map(|(name, node)| (&**name, node))
    }

    /// The loggers directly below this one, whose names have one part more.
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

    /// The level that counts, and its logger; with no level anywhere, all records pass.
    pub(super) fn effective(&self, name: &str) -> (Severity, Option<&str>) {
        let set = self.upwards(name).find_map(|(name, node)| Some((node.level?, Some(name))));
        set.unwrap_or((Severity::ALL, None))
    }

    pub(super) fn threshold(&self, target: &str) -> Threshold {
        name::with_canonical(target, |name, whole| {
            let exact = whole.then(|| self.get(name)).flatten();
            let floor = match exact {
                Some(node) if node.disabled => NEVER,
                _ => floor(self.effective(name).0, self.disabled_up_to),
            };
            Threshold { floor, exact: exact.is_some() }
        })
    }

    /// The lowest floor of all targets.
    pub(super) fn lowest_floor(&self) -> i64 {
        let no_level = self.get("").is_none_or(|root| root.level.is_none());
        let lowest = self.loggers.values().filter_map(|node| node.level).chain(no_level.then_some(Severity::ALL)).min();
        floor(lowest.unwrap_or(Severity::ALL), self.disabled_up_to)
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
        let mut handlers = Vec::new();
        for (_, node) in self.upwards(start) {
            handlers.extend(node.handlers.iter().cloned());
            if !node.propagate {
                break;
            }
        }
        if handlers.is_empty() {
            handlers.extend(self.last_resort.handler());
        }
        let (disabled, filters) =
            self.get(start).map_or((false, Vec::new()), |node| (node.disabled, node.filters.clone()));
        Route { disabled, filters, handlers }
    }

    // --- writing

    pub(super) fn get_mut(&mut self, name: &str) -> Option<&mut Node> {
        self.loggers.get_mut(name)
    }

    /// The logger, created if need be.
    pub(super) fn get_or_create(&mut self, name: &str) -> Result<&mut Node, Error> {
        let full = self.loggers.len() >= MAX_LOGGERS;
        if full && !self.loggers.contains_key(name) {
            return Err(too_many());
        }
        Ok(self.loggers.entry(name.into()).or_default())
    }

    pub(super) fn remove(&mut self, name: &str) -> Option<Node> {
        self.loggers.remove(name)
    }

    #[cfg(feature = "config")]
    pub(super) fn nodes_mut(&mut self) -> impl Iterator<Item = &mut Node> {
        self.loggers.values_mut()
    }

    #[cfg(feature = "config")]
    pub(super) fn check_count(count: usize) -> Result<(), Error> {
        if count > MAX_LOGGERS { Err(too_many()) } else { Ok(()) }
    }

    /// Replaces all loggers and returns the old ones, or changes nothing.
    #[cfg(feature = "config")]
    pub(super) fn replace(&mut self, nodes: Vec<(String, Node)>) -> Result<BTreeMap<Box<str>, Node>, Error> {
        Self::check_count(nodes.len())?;
        let mut new: BTreeMap<Box<str>, Node> = nodes.into_iter().map(|(name, node)| (name.into(), node)).collect();
        new.entry("".into()).or_insert_with(|| Node { level: Some(Severity::WARN), ..Node::default() });
        Ok(std::mem::replace(&mut self.loggers, new))
    }

    /// Replaces all levels, or changes nothing. Loggers without any other setting are removed.
    pub(super) fn set_levels(&mut self, levels: &BTreeMap<String, Severity>) -> Result<(), Error> {
        let stays = |name: &str, node: &Node| name.is_empty() || node.has_more_than_a_level();
        let others = self.iter().filter(|(name, node)| stays(name, node) && !levels.contains_key(*name)).count();
        if others + levels.len() > MAX_LOGGERS {
            return Err(too_many());
        }
        self.loggers.retain(|name, node| {
            node.level = if name.is_empty() { Some(Severity::WARN) } else { None };
            stays(name, node)
        });
        for (name, level) in levels {
            self.loggers.entry(name.as_str().into()).or_default().level = Some(*level);
        }
        Ok(())
    }

    /// The routes, which a change makes stale. To be dropped with no lock held: they may be the last to hold a handler.
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

/// The lowest number that passes. As in Python, severities up to 0 never do, even when nothing is disabled.
fn floor(level: Severity, disabled_up_to: Severity) -> i64 {
    if level == Severity::OFF {
        return NEVER;
    }
    i64::from(level.number()).max(i64::from(disabled_up_to.number()) + 1)
}

pub(super) fn too_many() -> Error {
    Error::config(format_args!(
        "too many loggers: expected at most {MAX_LOGGERS}; names made from data belong into fields"
    ))
}
