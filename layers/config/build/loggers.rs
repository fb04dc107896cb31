//! The sections `loggers` and `root`.

use super::Builder;
use crate::{
    NamedHandler, Severity,
    config::{
        config_filter::ConfigFilter,
        error::ConfigError,
        handler_args::level_in,
        node::{Map, Node, Position, quoted_key},
        references::{resolved, with_objects},
    },
    text::python_repr,
};

impl Builder<'_> {
    /// Reads a logger's entry.
    pub(in crate::config) fn logger(&mut self, path: &str, outer: &str, node: &Node) -> LoggerSpec {
        let mut spec = LoggerSpec { at: node.at, ..LoggerSpec::default() };
        let mut problems = Vec::new();
        let empty = Map::default();
        let node = match resolved(node, &self.config.root, path, 0) {
            Ok(node) => with_objects(node, self.setup.objects()),
            Err(problem) => {
                self.problems.push(problem.within(outer));
                return spec;
            }
        };
        if node.as_map().is_none() && !node.is_null() {
            problems.push(ConfigError::new(path, node.at, format!("expected a mapping, got {node}")));
        }
        let map = node.as_map().unwrap_or(&empty);
        if let Some(level) = map.get("level").filter(|level| !level.is_null()) {
            match level_in(self.setup.objects(), level, self.setup.as_python, &format!("{path}.level")) {
                Ok(level) => spec.level = Some(level),
                Err(problem) => problems.push(problem),
            }
        }
        if let Some(propagate) = map.get("propagate").filter(|propagate| !propagate.is_null()) {
            // A non-empty string is true, as in Python; `check` warns about it.
            spec.propagate = Some(propagate.is_true());
        }
        for (index, node) in self.list_of(path, "handlers", map, &mut problems) {
            let path = format!("{path}.handlers[{index}]");
            let Some(name) = node.as_str() else {
                problems.push(ConfigError::new(path, node.at, format!("expected a handler's name, got {node}")));
                continue;
            };
            let is_declared = || self.config.root.get("handlers").is_some_and(|all| all.get(name).is_some());
            match self.handlers.iter().find(|(known, _)| known == name) {
                Some((_, installed)) if spec.handlers.iter().any(|known| known.is_same(&installed.named)) => {}
                Some((_, installed)) => spec.handlers.push(installed.named.clone()),
                None if is_declared() => {}
                None => {
                    let known = self.config.root.section("handlers").map(|(key, _)| &*key.text);
                    let problem = ConfigError::new(path, node.at, format!("there is no handler {name:?}"));
                    let problem = problem.python(format!("Unable to add handler {}", python_repr(name))).python(name);
                    problems.push(problem.nearest(name, known));
                }
            }
        }
        spec.filters = self.filters_of(path, map, &mut problems);
        if !self.setup.as_python {
            problems.extend(unknown_logger_keys(path, map));
        }
        self.problems.extend(problems.into_iter().map(|problem| problem.within(outer)));
        spec
    }

    /// Reads the section `loggers`.
    pub(in crate::config) fn loggers(&mut self) -> Vec<(String, LoggerSpec)> {
        let mut all = Vec::new();
        for (name, node) in self.section("loggers", "Unable to configure logger") {
            let outer = format!("Unable to configure logger {}", python_repr(&name));
            let spec = self.logger(&format!("loggers.{}", quoted_key(&name)), &outer, &node);
            all.push((name, spec));
        }
        all
    }

    /// Reads the entry of the root, unless it is missing or empty.
    pub(in crate::config) fn root(&mut self) -> Option<LoggerSpec> {
        let node = self.config.root.get("root").filter(|node| node.is_true())?.clone();
        Some(self.logger("root", "Unable to configure root logger", &node))
    }
}

pub(in crate::config) fn unknown_logger_keys(path: &str, map: &Map) -> impl Iterator<Item = ConfigError> {
    const KNOWN: &[&str] = &["level", "propagate", "handlers", "filters"];
    map.iter().filter(|(key, _)| !KNOWN.contains(&&*key.text)).map(move |(key, _)| {
        let problem = ConfigError::new(format!("{path}.{}", key.text), key.at, "a logger has no such key");
        problem.nearest(&key.text, KNOWN.iter().copied())
    })
}

/// What an entry declares about a logger.
#[derive(Default)]
pub(in crate::config) struct LoggerSpec {
    pub(in crate::config) at: Option<Position>,
    pub(in crate::config) level: Option<Severity>,
    pub(in crate::config) propagate: Option<bool>,
    pub(in crate::config) handlers: Vec<NamedHandler>,
    pub(in crate::config) filters: Vec<ConfigFilter>,
}
