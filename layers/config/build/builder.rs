//! Checks the sections of a configuration and makes their parts.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, OnceLock},
};

use super::{InstalledHandler, PendingUpdate};
use crate::{
    Record, Severity,
    config::{
        classes::{filters, formatters},
        config_filter::ConfigFilter,
        document::Config,
        error::{ConfigError, nearest},
        formatting::Formatter,
        node::{Data, Map, Node, quoted_key},
        references::{resolved, with_objects},
        setup::Setup,
    },
    ledger::ErrorHandler,
    sink::Creations,
    text::python_repr,
};

/// All parts of a configuration, ready to be installed.
pub(in crate::config) struct Prepared {
    pub(in crate::config) formatters: BTreeMap<String, Formatter>,
    pub(in crate::config) filters: BTreeMap<String, (Node, ConfigFilter)>,
    /// In the order they were made.
    pub(in crate::config) handlers: Vec<(String, InstalledHandler)>,
    pub(in crate::config) updates: Vec<PendingUpdate>,
    /// The names of handlers that stay as they are.
    pub(in crate::config) reused: BTreeSet<String>,
    /// What [`open`](Self::open) has made. The last one, as it is removed when the handlers have closed it.
    pub(in crate::config) creations: Creations,
}

impl Prepared {
    /// Gives a record to each handler that is new, and returns why it was not written.
    pub(in crate::config) fn try_handlers(&self, error_handler: &ErrorHandler) -> Vec<ConfigError> {
        let trial = Record::new(Severity::INFO, "tracing_strata", "a new configuration is tried");
        let new = self.handlers.iter().filter(|(name, _)| !self.reused.contains(name));
        let failed = |(name, InstalledHandler { named, declaration, .. }): &(String, InstalledHandler)| {
            let told = Arc::new(OnceLock::new());
            let tell = Arc::clone(&told);
            named.set_error_handler(ErrorHandler::new(move |failure| {
                tell.get_or_init(|| failure.error().to_string());
            }));
            named.emit(&trial);
            let flushed = named.flush();
            named.set_error_handler(error_handler.clone());
            let stats = named.stats();
            let why = match (told.get(), flushed) {
                (Some(why), _) => why.clone(),
                (None, Err(error)) => error.to_string(),
                (None, Ok(())) if stats.dropped > 0 => "it was dropped".to_owned(),
                (None, Ok(())) => return None,
            };
            let path = format!("handlers.{}", quoted_key(name));
            Some(ConfigError::new(path, declaration.at, format!("it did not write the record of the trial: {why}")))
        };
        new.filter_map(failed).collect()
    }

    /// Opens files and sockets; once all are open, starts threads. If it fails, the drop removes what it has made.
    pub(in crate::config) fn open(&mut self) -> Result<(), ConfigError> {
        let updates = &mut self.updates;
        let (opened, creations) = Creations::noted(|| updates.iter_mut().try_for_each(PendingUpdate::open));
        self.creations = creations;
        opened?;
        self.updates.iter_mut().try_for_each(PendingUpdate::start)
    }
}

/// The current filters and handlers, reused where the declaration is the same.
pub(in crate::config) struct Previous<'b> {
    pub(in crate::config) filters: &'b BTreeMap<String, (Node, ConfigFilter)>,
    pub(in crate::config) handlers: &'b BTreeMap<String, InstalledHandler>,
}

/// Makes all parts of a configuration and collects all mistakes.
pub(in crate::config) struct Builder<'b> {
    pub(in crate::config) setup: &'b Setup,
    pub(super) config: &'b Config,
    pub(super) previous: Previous<'b>,
    pub(in crate::config) problems: Vec<ConfigError>,
    pub(super) formatters: BTreeMap<String, Formatter>,
    pub(super) filters: BTreeMap<String, (Node, ConfigFilter)>,
    pub(super) handlers: Vec<(String, InstalledHandler)>,
    pub(super) updates: Vec<PendingUpdate>,
    pub(super) reused: BTreeSet<String>,
}

pub(in crate::config) const TOP_LEVEL_KEYS: &[&str] =
    &["version", "formatters", "filters", "handlers", "loggers", "root", "incremental", "disable_existing_loggers"];

impl<'b> Builder<'b> {
    pub(in crate::config) fn new(setup: &'b Setup, config: &'b Config, previous: Previous<'b>) -> Self {
        Self {
            setup,
            config,
            previous,
            problems: Vec::new(),
            formatters: BTreeMap::new(),
            filters: BTreeMap::new(),
            handlers: Vec::new(),
            updates: Vec::new(),
            reused: BTreeSet::new(),
        }
    }

    /// Starts with the current parts, which can be named and are not made again.
    pub(in crate::config) fn preload(
        &mut self,
        formatters: &BTreeMap<String, Formatter>,
        filters: &BTreeMap<String, (Node, ConfigFilter)>,
        handlers: &BTreeMap<String, InstalledHandler>,
    ) {
        self.formatters.clone_from(formatters);
        self.filters.clone_from(filters);
        self.handlers = handlers.iter().map(|(name, installed)| (name.clone(), installed.clone())).collect();
    }

    /// Checks the version and the top-level keys. Python stops at a wrong version.
    pub(in crate::config) fn check_top(&mut self) {
        let root = &self.config.root;
        let Some(map) = root.as_map() else {
            self.problems.push(ConfigError::new("", root.at, format!("expected a mapping, got {root}")));
            return;
        };
        match map.get("version") {
            None => {
                let mut message = "expected the key \"version\", which is 1".to_owned();
                if let Some(path) = find_nested(root, 3) {
                    message += &format!("; there is a configuration under {path:?}");
                }
                let problem = ConfigError::new("", root.at, message);
                let keys = map.iter().map(|(key, _)| &*key.text);
                self.problems.push(problem.python("dictionary doesn't specify a version").instead("version", keys));
            }
            Some(Node { data: Data::Int(1) | Data::Bool(true), .. }) => {}
            Some(Node { data: Data::Float(number), .. }) if *number == 1.0 => {}
            Some(other) => {
                let problem = ConfigError::new("version", other.at, format!("expected 1, got {other}"));
                self.problems.push(problem.python(format!("Unsupported version: {}", other.python_str())));
            }
        }
        if self.setup.as_python {
            return;
        }
        self.problems.extend(self.config.strict_errors.iter().cloned());
        for (key, _) in map.iter() {
            if TOP_LEVEL_KEYS.contains(&&*key.text) || refers_to(root, &key.text) {
                continue;
            }
            // Other keys may be targets of `cfg://`: only what looks misspelt is refused.
            if let Some(meant) = nearest(&key.text, TOP_LEVEL_KEYS.iter().copied()) {
                let mut problem =
                    ConfigError::new(&key.text, key.at, "there is no such key, and no cfg:// leads to it");
                problem.suggestion = Some(meant);
                self.problems.push(problem);
            }
        }
        if let Some(node) = map.get("disable_existing_loggers").filter(|node| node.as_bool().is_none()) {
            let message = format!("expected true or false, got {node}");
            self.problems.push(ConfigError::new("disable_existing_loggers", node.at, message));
        }
    }

    /// The entries of a section, with their references resolved.
    pub(super) fn section(&mut self, name: &str, outer: &str) -> Vec<(String, Node)> {
        let Some(section) = self.config.root.get(name) else { return Vec::new() };
        if section.is_null() {
            return Vec::new();
        }
        let section = match resolved_top(section, &self.config.root, name) {
            Ok(section) => section,
            Err(problem) => {
                self.problems.push(problem);
                return Vec::new();
            }
        };
        let Some(map) = section.as_map() else {
            self.problems.push(ConfigError::new(name, section.at, format!("expected a mapping, got {section}")));
            return Vec::new();
        };
        let mut entries = Vec::new();
        for (key, node) in map.iter() {
            let path = format!("{name}.{}", quoted_key(&key.text));
            match resolved(node, &self.config.root, &path, 0) {
                Ok(mut node) => {
                    node.at = key.at.or(node.at);
                    entries.push((key.text.clone(), with_objects(node, self.setup.objects())));
                }
                Err(problem) => {
                    let outer = format!("{outer} {}", python_repr(&key.text));
                    self.problems.push(problem.within(&outer));
                }
            }
        }
        entries
    }

    pub(in crate::config) fn formatters(&mut self) {
        let entries = self.section("formatters", "Unable to configure formatter");
        // A conditional one names others.
        let (conditional, others): (Vec<_>, Vec<_>) =
            entries.into_iter().partition(|(_, node)| formatters::is_conditional(node));
        for (name, node) in others.into_iter().chain(conditional) {
            let path = format!("formatters.{}", quoted_key(&name));
            match formatters::make_with(self.setup, &path, &node, &|name| self.formatters.get(name).cloned()) {
                Ok(formatter) => {
                    self.formatters.insert(name, formatter);
                }
                Err(problems) => {
                    let outer = format!("Unable to configure formatter {}", python_repr(&name));
                    self.problems.extend(problems.into_iter().map(|problem| problem.within(&outer)));
                }
            }
        }
    }

    pub(in crate::config) fn filters(&mut self) {
        for (name, node) in self.section("filters", "Unable to configure filter") {
            let path = format!("filters.{}", quoted_key(&name));
            let known = self.previous.filters.get(&name).filter(|(known, _)| *known == node && !self.setup.as_python);
            let made = match known {
                // It keeps its counts.
                Some((_, filter)) => Ok(filter.clone()),
                None => filters::make(self.setup, &path, &node),
            };
            match made {
                Ok(filter) => {
                    self.filters.insert(name, (node, filter));
                }
                Err(problems) => {
                    let outer = format!("Unable to configure filter {}", python_repr(&name));
                    self.problems.extend(problems.into_iter().map(|problem| problem.within(&outer)));
                }
            }
        }
    }

    pub(super) fn filters_of(&self, path: &str, map: &Map, problems: &mut Vec<ConfigError>) -> Vec<ConfigFilter> {
        let mut filters: Vec<ConfigFilter> = Vec::new();
        for (index, node) in self.list_of(path, "filters", map, problems) {
            let path = format!("{path}.filters[{index}]");
            let Some(name) = node.as_str() else {
                problems.push(ConfigError::new(path, node.at, format!("expected a filter's name, got {node}")));
                continue;
            };
            let is_declared = || self.config.root.get("filters").is_some_and(|all| all.get(name).is_some());
            match self.filters.get(name) {
                Some((_, filter)) if filters.iter().any(|known| known.is_same(filter)) => {}
                Some((_, filter)) => filters.push(filter.clone()),
                None if is_declared() => {}
                None => {
                    let known = self.filters.keys().map(String::as_str);
                    let problem = ConfigError::new(path, node.at, format!("there is no filter {name:?}"));
                    let problem = problem.python(format!("Unable to add filter {}", python_repr(name))).python(name);
                    problems.push(problem.nearest(name, known));
                }
            }
        }
        filters
    }

    pub(super) fn list_of<'n>(
        &self,
        path: &str,
        key: &str,
        map: &'n Map,
        problems: &mut Vec<ConfigError>,
    ) -> Vec<(usize, &'n Node)> {
        let Some(node) = map.get(key).filter(|node| !node.is_null()) else { return Vec::new() };
        match node.as_list() {
            Some(list) => list.iter().enumerate().collect(),
            None => {
                problems.push(ConfigError::new(
                    format!("{path}.{key}"),
                    node.at,
                    format!("expected a list of names, got {node}"),
                ));
                Vec::new()
            }
        }
    }

    pub(in crate::config) fn finish(self) -> Result<Prepared, Vec<ConfigError>> {
        if !self.problems.is_empty() {
            return Err(self.problems);
        }
        let Self { formatters, filters, handlers, updates, reused, .. } = self;
        Ok(Prepared { formatters, filters, handlers, updates, reused, creations: Creations::default() })
    }
}

fn resolved_top(section: &Node, root: &Node, path: &str) -> Result<Node, ConfigError> {
    match section.as_str() {
        Some(text) if text.starts_with("cfg://") => resolved(section, root, path, 0),
        _ => Ok(section.clone()),
    }
}

/// The path of a configuration that is nested in another document, at most `depth` levels down.
fn find_nested(node: &Node, depth: usize) -> Option<String> {
    let inner = node.as_map()?.iter().filter(|(_, node)| depth > 0 && node.as_map().is_some());
    let mut found = inner.filter_map(|(key, node)| {
        let parts = ["handlers", "loggers", "root", "formatters"];
        if node.get("version").is_some() && parts.iter().any(|part| node.get(part).is_some()) {
            return Some(quoted_key(&key.text));
        }
        find_nested(node, depth - 1).map(|path| format!("{}.{path}", quoted_key(&key.text)))
    });
    found.next()
}

/// Whether some `cfg://` leads to a key.
pub(in crate::config) fn refers_to(root: &Node, key: &str) -> bool {
    match &root.data {
        Data::Str(text) => text.strip_prefix("cfg://").is_some_and(|path| {
            path.strip_prefix(key).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        }),
        Data::List(list) => list.iter().any(|node| refers_to(node, key)),
        Data::Map(map) => map.iter().any(|(_, node)| refers_to(node, key)),
        _ => false,
    }
}
