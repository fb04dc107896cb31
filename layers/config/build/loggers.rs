//! What is said about loggers.

use super::{Builder, quoted_key};
use crate::{
    NamedHandler, Severity,
    config::{
        keywords,
        node::{Map, Node},
        problem::ConfigError,
        references::{resolved, with_objects},
        sieve::ConfigFilter,
    },
    text::python_repr,
};

impl Builder<'_> {
    /// What a logger's entry names.
    pub(in crate::config) fn logger(&mut self, path: &str, outer: &str, node: &Node) -> LoggerSays {
        let mut says = LoggerSays::default();
        let mut problems = Vec::new();
        let empty = Map::default();
        let node = match resolved(node, &self.config.root, path, 0) {
            Ok(node) => with_objects(node, &self.setup.registry),
            Err(problem) => {
                self.problems.push(problem.within(outer));
                return says;
            }
        };
        if node.as_map().is_none() && !node.is_null() {
            problems.push(ConfigError::new(path, node.at, format!("expected a mapping, got {node}")));
        }
        let map = node.as_map().unwrap_or(&empty);
        if let Some(level) = map.get("level").filter(|level| !level.is_null()) {
            match keywords::level_in(&self.setup.registry, level, self.setup.as_python) {
                Ok(level) => says.level = Some(level),
                Err(mut problem) => {
                    problem.path = format!("{path}.level");
                    problems.push(problem);
                }
            }
        }
        if let Some(propagate) = map.get("propagate").filter(|propagate| !propagate.is_null()) {
            // A text that is not empty is true, as in Python, whatever it says; `check` doubts it.
            says.propagate = Some(propagate.is_true());
        }
        for (index, node) in self.list_of(path, "handlers", map, &mut problems) {
            let path = format!("{path}.handlers[{index}]");
            let Some(name) = node.as_str() else {
                problems.push(ConfigError::new(path, node.at, format!("expected a handler's name, got {node}")));
                continue;
            };
            let is_declared = || self.config.root.get("handlers").is_some_and(|all| all.get(name).is_some());
            match self.handlers.iter().find(|(known, _)| known == name) {
                Some((_, hung)) if says.handlers.iter().any(|known| known.is_same(&hung.shared)) => {}
                Some((_, hung)) => says.handlers.push(hung.shared.clone()),
                None if is_declared() => {}
                None => {
                    let known = self.config.root.get("handlers").and_then(Node::as_map);
                    let known = known.into_iter().flat_map(Map::iter).map(|(key, _)| &*key.text);
                    let problem = ConfigError::new(path, node.at, format!("there is no handler {name:?}"));
                    let problem = problem.python(format!("Unable to add handler {}", python_repr(name))).python(name);
                    problems.push(problem.nearest(name, known));
                }
            }
        }
        says.sieves = self.sieves_of(path, map, &mut problems);
        if !self.setup.as_python {
            for (key, _) in map.iter() {
                const KNOWN: &[&str] = &["level", "propagate", "handlers", "filters"];
                if !KNOWN.contains(&&*key.text) {
                    let problem = ConfigError::new(format!("{path}.{}", key.text), key.at, "a logger has no such key");
                    problems.push(problem.nearest(&key.text, KNOWN.iter().copied()));
                }
            }
        }
        self.problems.extend(problems.into_iter().map(|problem| problem.within(outer)));
        says
    }

    /// The loggers' entries.
    pub(in crate::config) fn loggers(&mut self) -> Vec<(String, LoggerSays)> {
        let mut all = Vec::new();
        for (name, node) in self.section("loggers", "Unable to configure logger") {
            let outer = format!("Unable to configure logger {}", python_repr(&name));
            let says = self.logger(&format!("loggers.{}", quoted_key(&name)), &outer, &node);
            all.push((name, says));
        }
        all
    }

    /// The root's entry, if there is one that says anything.
    pub(in crate::config) fn root(&mut self) -> Option<LoggerSays> {
        let node = self.config.root.get("root").filter(|node| node.is_true())?.clone();
        Some(self.logger("root", "Unable to configure root logger", &node))
    }
}

/// What an entry says about a logger.
#[derive(Default)]
pub(in crate::config) struct LoggerSays {
    pub(in crate::config) level: Option<Severity>,
    pub(in crate::config) propagate: Option<bool>,
    pub(in crate::config) handlers: Vec<NamedHandler>,
    pub(in crate::config) sieves: Vec<ConfigFilter>,
}
