//! From what is declared to what can be hung up. Nothing that runs is touched here.

mod handlers;
mod loggers;
mod output;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

pub(super) use self::{
    handlers::{named, targets},
    loggers::LoggerSays,
    output::{Order, make_output},
};
use super::{
    Setup,
    document::Config,
    filters,
    formatters::{self, Formatter},
    node::{Data, Map, Node},
    problem::{ConfigError, nearest},
    references::{resolved, with_objects},
    sieve::ConfigFilter,
    slot::{Displaced, Slot},
};
use crate::{NamedHandler, Severity, text::python_repr};

/// A handler that hangs or could hang somewhere.
#[derive(Clone)]
pub(super) struct Hung {
    pub(super) slot: Arc<Slot>,
    pub(super) shared: NamedHandler,
    /// Its declaration without what can be changed in place.
    pub(super) core: Node,
    /// What it was made from, all of it.
    pub(super) whole: Node,
}

/// What a configuration comes to.
pub(super) struct Prepared {
    pub(super) formatters: BTreeMap<String, Formatter>,
    pub(super) filters: BTreeMap<String, (Node, ConfigFilter)>,
    /// In the order they were made.
    pub(super) handlers: Vec<(String, Hung)>,
    /// What is to be set on handlers once the configuration counts.
    pub(super) wear: Vec<Wear>,
    /// The names of handlers that go on as they were.
    pub(super) kept: BTreeSet<String>,
}

pub(super) struct Wear {
    slot: Arc<Slot>,
    level: Severity,
    sieves: Vec<ConfigFilter>,
    formatter: Formatter,
    /// The output is new.
    begins: bool,
}

impl Wear {
    /// What has to be done before the first record, and can still go wrong: emptying a file that was opened a moment ago.
    pub(super) fn begin(&self) -> Result<(), crate::Error> {
        if self.begins { self.slot.output().control.begin() } else { Ok(()) }
    }

    pub(super) fn put_on(self) -> Displaced {
        self.slot.set_level(self.level);
        let sieves = self.slot.set_sieves(self.sieves);
        sieves.and(self.slot.set_formatter(&self.formatter))
    }
}

/// What was there before, for what stays the same.
pub(super) struct Before<'b> {
    pub(super) filters: &'b BTreeMap<String, (Node, ConfigFilter)>,
    pub(super) handlers: &'b BTreeMap<String, Hung>,
}

pub(super) struct Builder<'b> {
    pub(super) setup: &'b Setup,
    config: &'b Config,
    before: Before<'b>,
    pub(super) problems: Vec<ConfigError>,
    formatters: BTreeMap<String, Formatter>,
    filters: BTreeMap<String, (Node, ConfigFilter)>,
    handlers: Vec<(String, Hung)>,
    wear: Vec<Wear>,
    kept: BTreeSet<String>,
}

pub(super) const TOP: &[&str] =
    &["version", "formatters", "filters", "handlers", "loggers", "root", "incremental", "disable_existing_loggers"];

impl<'b> Builder<'b> {
    pub(super) fn new(setup: &'b Setup, config: &'b Config, before: Before<'b>) -> Self {
        Self {
            setup,
            config,
            before,
            problems: Vec::new(),
            formatters: BTreeMap::new(),
            filters: BTreeMap::new(),
            handlers: Vec::new(),
            wear: Vec::new(),
            kept: BTreeSet::new(),
        }
    }

    /// What is there already can be named, and is not made again.
    pub(super) fn lend(
        &mut self,
        formatters: &BTreeMap<String, Formatter>,
        filters: &BTreeMap<String, (Node, ConfigFilter)>,
        handlers: &BTreeMap<String, Hung>,
    ) {
        self.formatters.clone_from(formatters);
        self.filters.clone_from(filters);
        self.handlers = handlers.iter().map(|(name, hung)| (name.clone(), hung.clone())).collect();
    }

    /// Version and top-level keys. Python stops at a wrong version.
    pub(super) fn check_top(&mut self) {
        let root = &self.config.root;
        let Some(map) = root.as_map() else {
            self.problems.push(ConfigError::new("", root.at, format!("expected a mapping, got {root}")));
            return;
        };
        match map.get("version") {
            None => {
                let mut message = "expected the key \"version\", which is 1".to_owned();
                if let Some(path) = seen_at(root, 3) {
                    message += &format!("; a configuration stands under {path:?}");
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
        self.problems.extend(self.config.doubts.iter().cloned());
        for (key, _) in map.iter() {
            if TOP.contains(&&*key.text) || refers_to(root, &key.text) {
                continue;
            }
            // Anything may be there for `cfg://`; what looks like a misspelt key is one.
            if let Some(meant) = nearest(&key.text, TOP.iter().copied()) {
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

    /// The entries of a section, with `cfg://` looked up.
    fn section(&mut self, name: &str, outer: &str) -> Vec<(String, Node)> {
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
                    entries.push((key.text.clone(), with_objects(node, &self.setup.registry)));
                }
                Err(problem) => {
                    let outer = format!("{outer} {}", python_repr(&key.text));
                    self.problems.push(problem.within(&outer));
                }
            }
        }
        entries
    }

    pub(super) fn formatters(&mut self) {
        let as_python = self.setup.as_python;
        for (name, node) in self.section("formatters", "Unable to configure formatter") {
            let path = format!("formatters.{}", quoted_key(&name));
            match formatters::make(&path, &node, &self.setup.registry, as_python) {
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

    pub(super) fn filters(&mut self) {
        for (name, node) in self.section("filters", "Unable to configure filter") {
            let path = format!("filters.{}", quoted_key(&name));
            let known = self.before.filters.get(&name).filter(|(known, _)| *known == node && !self.setup.as_python);
            let made = match known {
                // One that counts goes on counting.
                Some((_, sieve)) => Ok(sieve.clone()),
                None => filters::make(self.setup, &path, &node),
            };
            match made {
                Ok(sieve) => {
                    self.filters.insert(name, (node, sieve));
                }
                Err(problems) => {
                    let outer = format!("Unable to configure filter {}", python_repr(&name));
                    self.problems.extend(problems.into_iter().map(|problem| problem.within(&outer)));
                }
            }
        }
    }

    fn sieves_of(&self, path: &str, map: &Map, problems: &mut Vec<ConfigError>) -> Vec<ConfigFilter> {
        let mut sieves: Vec<ConfigFilter> = Vec::new();
        for (index, node) in self.list_of(path, "filters", map, problems) {
            let path = format!("{path}.filters[{index}]");
            let Some(name) = node.as_str() else {
                problems.push(ConfigError::new(path, node.at, format!("expected a filter's name, got {node}")));
                continue;
            };
            let is_declared = || self.config.root.get("filters").is_some_and(|all| all.get(name).is_some());
            match self.filters.get(name) {
                Some((_, sieve)) if sieves.iter().any(|known| known.is_same(sieve)) => {}
                Some((_, sieve)) => sieves.push(sieve.clone()),
                None if is_declared() => {}
                None => {
                    let known = self.filters.keys().map(String::as_str);
                    let problem = ConfigError::new(path, node.at, format!("there is no filter {name:?}"));
                    let problem = problem.python(format!("Unable to add filter {}", python_repr(name))).python(name);
                    problems.push(problem.nearest(name, known));
                }
            }
        }
        sieves
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

    pub(super) fn finish(self) -> Result<Prepared, Vec<ConfigError>> {
        if !self.problems.is_empty() {
            return Err(self.problems);
        }
        let Self { formatters, filters, handlers, wear, kept, .. } = self;
        Ok(Prepared { formatters, filters, handlers, wear, kept })
    }
}

fn resolved_top(section: &Node, root: &Node, path: &str) -> Result<Node, ConfigError> {
    match section.as_str() {
        Some(text) if text.starts_with("cfg://") => resolved(section, root, path, 0),
        _ => Ok(section.clone()),
    }
}

/// Where a configuration stands inside of something else, so many levels down at most.
fn seen_at(node: &Node, depth: usize) -> Option<String> {
    let inner = node.as_map()?.iter().filter(|(_, node)| depth > 0 && node.as_map().is_some());
    let mut found = inner.filter_map(|(key, node)| {
        let parts = ["handlers", "loggers", "root", "formatters"];
        if node.get("version").is_some() && parts.iter().any(|part| node.get(part).is_some()) {
            return Some(quoted_key(&key.text));
        }
        seen_at(node, depth - 1).map(|path| format!("{}.{path}", quoted_key(&key.text)))
    });
    found.next()
}

/// Whether some `cfg://` leads to a key.
pub(super) fn refers_to(root: &Node, key: &str) -> bool {
    match &root.data {
        Data::Str(text) => text.strip_prefix("cfg://").is_some_and(|path| {
            path.strip_prefix(key).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        }),
        Data::List(list) => list.iter().any(|node| refers_to(node, key)),
        Data::Map(map) => map.iter().any(|(_, node)| refers_to(node, key)),
        _ => false,
    }
}

/// A key within a path: in quotes if it could be taken for several.
pub(super) fn quoted_key(key: &str) -> String {
    let plain = !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'));
    if plain { key.to_owned() } else { format!("{key:?}") }
}
