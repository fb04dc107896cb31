//! The section `handlers`: each handler is made after those it names, or reused.

use std::{collections::BTreeSet, sync::Arc};

use super::{Builder, HandlerSpec, InstalledHandler, PendingUpdate, Turn, make_output, output::name_args};
use crate::{
    NamedHandler, Severity,
    config::{
        class::Class,
        configured_handler::{ConfiguredHandler, Output, Steps},
        error::ConfigError,
        formatting::{self, Formatter, Formatting},
        handler_args::level_in,
        node::{Data, Map, Node, Position, quoted_key},
        registry::{ClassRegistry, HandlerMaker},
    },
    text::python_repr,
};

impl Builder<'_> {
    pub(in crate::config) fn handlers(&mut self) {
        let mut waiting: Vec<_> = self.section("handlers", "Unable to configure handler");
        waiting.sort_by(|a, b| a.0.cmp(&b.0));
        // Each round makes the handlers whose targets are made.
        let names: BTreeSet<String> = waiting.iter().map(|(name, _)| name.clone()).collect();
        while !waiting.is_empty() {
            let pending: BTreeSet<String> = waiting.iter().map(|(name, _)| name.clone()).collect();
            let (ready, rest): (Vec<_>, Vec<_>) = waiting
                .into_iter()
                .partition(|(_, node)| self.targets(node).iter().all(|target| !pending.contains(&target.name)));
            if ready.is_empty() {
                for (name, node) in rest {
                    let path = format!("handlers.{}", quoted_key(&name));
                    let mut problems = self.unknown_targets(&path, &self.targets(&node), &names);
                    problems.push(ConfigError::new(path, node.at, "it names handlers that lead back to it"));
                    let outer = format!("Unable to configure handler {}", python_repr(&name));
                    self.problems.extend(problems.into_iter().map(|problem| problem.within(&outer)));
                }
                break;
            }
            waiting = rest;
            for (name, node) in ready {
                self.handler(&name, node, &names);
            }
        }
    }

    fn made(&self, name: &str) -> Option<&InstalledHandler> {
        self.handlers.iter().find(|(known, _)| known == name).map(|(_, installed)| installed)
    }

    fn class_of(&self, node: &Node) -> Option<&'static Class> {
        class_of(&self.setup.registry, node)
    }

    fn targets(&self, node: &Node) -> Vec<TargetRef> {
        targets(&self.setup.registry, node)
    }

    fn unknown_targets(&self, path: &str, targets: &[TargetRef], names: &BTreeSet<String>) -> Vec<ConfigError> {
        let is_there = |target: &str| names.contains(target) || self.made(target).is_some();
        let unknown = targets.iter().filter(|target| !is_there(&target.name));
        unknown.map(|target| target.unknown(path, names.iter().map(String::as_str))).collect()
    }

    /// Whether the filter that the handler names under its class's `filter_key`, if any, is the same as before.
    fn has_same_filter(&self, node: &Node) -> bool {
        let name = self.class_of(node).and_then(|class| node.get(class.filter_key?)?.as_str());
        name.is_none_or(|name| match (self.previous.filters.get(name), self.filters.get(name)) {
            (Some((_, before)), Some((_, now))) => before.is_same(now),
            _ => false,
        })
    }

    fn handler(&mut self, name: &str, node: Node, names: &BTreeSet<String>) {
        let path = format!("handlers.{}", quoted_key(name));
        let outer = format!("Unable to configure handler {}", python_repr(name));
        let mut problems = Vec::new();
        let made = self.make_handler(name, &path, &node, names, &mut problems);
        let failed = !problems.is_empty();
        self.problems.extend(problems.into_iter().map(|problem| problem.within(&outer)));
        if let Some((installed, update)) = made {
            self.handlers.retain(|(known, _)| known != name);
            // Others may name a handler with a mistake: that is no second error.
            self.handlers.push((name.to_owned(), installed));
            if !failed {
                self.updates.push(update);
            }
        }
    }

    fn make_handler(
        &mut self,
        name: &str,
        path: &str,
        node: &Node,
        names: &BTreeSet<String>,
        problems: &mut Vec<ConfigError>,
    ) -> Option<(InstalledHandler, PendingUpdate)> {
        let Some(map) = node.as_map() else {
            problems.push(ConfigError::new(path, node.at, format!("expected a mapping, got {node}")));
            return None;
        };
        // In Python's order.
        let formatter = self.formatter_of(path, map, problems);
        let level = self.level_of(path, map, problems);
        let filters = self.filters_of(path, map, problems);
        let targets = self.targets(node);
        problems.extend(self.unknown_targets(path, &targets, names));
        let fixed = fixed_part(node);
        let effective = formatter.unwrap_or_else(|| formatting::bare(self.setup.as_python));
        let reused = self.previous.handlers.get(name).filter(|before| {
            let same_targets = targets.iter().all(|target| self.reused.contains(&target.name));
            // These are built with or without a formatter.
            let asks = |class: &Class| class.targets_key.is_some() || class.has_own_format;
            let same_format =
                !self.class_of(node).is_some_and(asks) || before.declaration.has_formatter() == node.has_formatter();
            let is_same = before.fixed == fixed && same_targets && self.has_same_filter(node);
            !self.setup.as_python && is_same && same_format
        });
        let is_new = reused.is_none();
        let (installed, steps) = match reused {
            Some(before) => {
                self.reused.insert(name.to_owned());
                (InstalledHandler { declaration: node.clone(), ..before.clone() }, Steps::default())
            }
            None => self.new_handler(name, path, node, effective.clone(), problems)?,
        };
        let update = PendingUpdate {
            configured: Arc::clone(&installed.configured),
            level,
            filters,
            formatter: effective,
            is_new,
            steps,
            at: node.at,
        };
        Some((installed, update))
    }

    fn new_handler(
        &self,
        name: &str,
        path: &str,
        node: &Node,
        formatter: Formatter,
        problems: &mut Vec<ConfigError>,
    ) -> Option<(InstalledHandler, Steps)> {
        let formatting = Formatting::new(formatter, "\n");
        if let Some(datefmt) = self.datefmt_of(node) {
            formatting.set_datefmt(datefmt);
        }
        let spec =
            HandlerSpec { name, path, node, is_ini: self.config.is_ini, filters: &self.filters, turn: Turn::Check };
        let mut output = self.output(&spec, &formatting, problems)?;
        let steps = std::mem::take(&mut output.steps);
        let configured = ConfiguredHandler::new(name, output, formatting, self.setup.as_python);
        let targets = self.targets(node);
        let forwards = targets.iter().filter_map(|target| self.made(&target.name));
        configured.forwards.set_targets(forwards.map(|target| Arc::clone(&target.configured.forwards)).collect());
        let named = NamedHandler::sharing_ledger(configured.ledger(), Arc::clone(&configured));
        named.set_error_handler(self.setup.error_handler.clone());
        Some((InstalledHandler { configured, named, fixed: fixed_part(node), declaration: node.clone() }, steps))
    }

    fn output(
        &self,
        spec: &HandlerSpec<'_>,
        formatting: &Arc<Formatting>,
        problems: &mut Vec<ConfigError>,
    ) -> Option<Output> {
        let find_handler = |name: &str| self.made(name).map(|installed| Arc::clone(&installed.configured));
        let make = || {
            let mut problems = Vec::new();
            let output = make_output(self.setup, spec, formatting, &find_handler, &mut problems);
            (output, problems)
        };
        // The new handler replaces the current one of the same file.
        let (output, more) = if self.takes_over_file(spec.node) { crate::sink::allow_takeover(make) } else { make() };
        problems.extend(more);
        output
    }

    /// Makes the handlers of the application's own classes, if all else is right: they may open anything.
    pub(in crate::config) fn own_handlers(&mut self) {
        if !self.problems.is_empty() {
            return;
        }
        let mut updates = std::mem::take(&mut self.updates);
        for update in updates.iter_mut().filter(|update| update.is_new) {
            let configured = Arc::clone(&update.configured);
            let name = &*configured.name;
            let Some(installed) = self.made(name) else { continue };
            let node = &installed.declaration;
            if self.class_of(node).is_some() {
                continue;
            }
            let (path, is_ini) = (format!("handlers.{}", quoted_key(name)), self.config.is_ini);
            let spec = HandlerSpec { name, path: &path, node, is_ini, filters: &self.filters, turn: Turn::Make };
            let mut problems = Vec::new();
            if let Some(mut output) = self.output(&spec, &configured.formatting, &mut problems) {
                update.steps = std::mem::take(&mut output.steps);
                drop(configured.set_output(output));
            }
            let outer = format!("Unable to configure handler {}", python_repr(name));
            self.problems.extend(problems.into_iter().map(|problem| problem.within(&outer)));
        }
        self.updates = updates;
    }

    /// Whether the file belongs to a current handler that is going to be replaced.
    fn takes_over_file(&self, node: &Node) -> bool {
        let file = |node: &Node| {
            // In an INI file it is the first positional argument.
            let first = || node.get("args")?.as_list()?.first();
            std::path::absolute(node.get("filename").or_else(first)?.as_str()?).ok()
        };
        let Some(path) = file(node) else { return false };
        self.previous.handlers.iter().any(|(name, before)| {
            let declared = || self.config.root.get("handlers").and_then(|all| all.get(name));
            let stays = || declared().is_some_and(|node| fixed_part(node) == before.fixed);
            file(&before.declaration).is_some_and(|other| other == path) && (self.setup.as_python || !stays())
        })
    }

    fn formatter_of(&self, path: &str, map: &Map, problems: &mut Vec<ConfigError>) -> Option<Formatter> {
        let node = map.get("formatter").filter(|node| !node.is_null() && node.as_str() != Some(""))?;
        let Some(name) = node.as_str() else {
            problems.push(ConfigError::new(
                format!("{path}.formatter"),
                node.at,
                format!("expected a formatter's name, got {node}"),
            ));
            return None;
        };
        let found = self.formatters.get(name).cloned();
        let is_declared = || self.config.root.get("formatters").is_some_and(|all| all.get(name).is_some());
        // A declared one that is wrong was reported already.
        if found.is_none() && !is_declared() {
            let known = self.config.root.section("formatters").map(|(key, _)| &*key.text);
            let known = known.chain(self.formatters.keys().map(String::as_str));
            let problem =
                ConfigError::new(format!("{path}.formatter"), node.at, format!("there is no formatter {name:?}"));
            let problem = problem.python(format!("Unable to set formatter {}", python_repr(name))).python(name);
            problems.push(problem.nearest(name, known));
        }
        found
    }

    /// The date format of the handler's formatter.
    fn datefmt_of(&self, node: &Node) -> Option<&str> {
        let name = node.get("formatter")?.as_str()?;
        let datefmt = self.config.root.get("formatters")?.get(name)?.get("datefmt")?.as_str()?;
        (!datefmt.is_empty()).then_some(datefmt)
    }

    fn level_of(&self, path: &str, map: &Map, problems: &mut Vec<ConfigError>) -> Severity {
        let Some(node) = map.get("level").filter(|node| !node.is_null()) else { return Severity::ALL };
        let level = level_in(self.setup.objects(), node, self.setup.as_python, &format!("{path}.level"));
        level.unwrap_or_else(|problem| {
            problems.push(problem);
            Severity::ALL
        })
    }
}

/// The part of a declaration that cannot be changed in place.
fn fixed_part(node: &Node) -> Node {
    let entries = node.as_map().into_iter().flat_map(|map| &map.0);
    let fixed = entries.filter(|(key, _)| !matches!(&*key.text, "level" | "formatter" | "filters"));
    Node::new(Data::Map(Map(fixed.cloned().collect())))
}

/// A reference from a handler to another one.
pub(in crate::config) struct TargetRef {
    pub(in crate::config) name: String,
    /// The key that names it.
    key: String,
    at: Option<Position>,
}

impl TargetRef {
    pub(in crate::config) fn unknown<'k>(&self, path: &str, known: impl IntoIterator<Item = &'k str>) -> ConfigError {
        let Self { name, key, at } = self;
        let problem = ConfigError::new(format!("{path}.{key}"), *at, format!("there is no handler {name:?}"));
        problem.python(target_message(key, name)).python(name.clone()).nearest(name, known)
    }

    /// The error that records would go in circles.
    pub(in crate::config) fn cycle(&self, path: &str) -> ConfigError {
        let Self { name, key, at } = self;
        ConfigError::new(format!("{path}.{key}"), *at, format!("{name:?} leads back to it"))
    }
}

pub(super) fn class_of(registry: &ClassRegistry, node: &Node) -> Option<&'static Class> {
    match registry.find_handler(node.class_name()?)? {
        HandlerMaker::Class(class) => Some(class),
        HandlerMaker::Custom(_) => None,
    }
}

/// A handler with the `args` of an INI file moved to their names.
pub(in crate::config) fn with_named_args(node: &Node, registry: &ClassRegistry) -> Node {
    let named = || {
        let map = node.as_map().filter(|map| map.get("args").is_some())?;
        // Mistakes are reported when the handler is made.
        name_args(map, class_of(registry, node)?.keys, "", &mut Vec::new())
    };
    named().map_or_else(|| node.clone(), |map| Node { data: Data::Map(map), at: node.at })
}

/// The handlers that a handler names.
pub(in crate::config) fn targets(registry: &ClassRegistry, node: &Node) -> Vec<TargetRef> {
    let node = &with_named_args(node, registry);
    let mut all = Vec::new();
    if let Some(key) = class_of(registry, node).and_then(|class| class.targets_key) {
        if let Some(node) = node.get(key) {
            match &node.data {
                Data::Str(name) => all.push(TargetRef { name: name.clone(), key: key.to_owned(), at: node.at }),
                Data::List(list) => all.extend(list.iter().enumerate().filter_map(|(index, node)| {
                    Some(TargetRef { name: node.as_str()?.to_owned(), key: format!("{key}[{index}]"), at: node.at })
                })),
                _ => {}
            }
        }
    }
    if let Some(node) = node.get("strata").and_then(|strata| strata.get("fallback")) {
        if let Some(name) = node.as_str() {
            all.push(TargetRef { name: name.to_owned(), key: "strata.or_else".into(), at: node.at });
        }
    }
    all
}

fn target_message(key: &str, target: &str) -> String {
    if key.starts_with("handlers") {
        format!("Required handler {} is not configured yet", python_repr(target))
    } else {
        format!("Unable to set target handler {}", python_repr(target))
    }
}
