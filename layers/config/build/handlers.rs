//! Handlers: made in the order in which they name each other, or kept.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    Builder, Hung, Wear, make_output,
    output::{Order, with_names},
    quoted_key,
};
use crate::{
    NamedHandler, Severity,
    config::{
        classes::Class,
        encoding::Encoding,
        formatters::Formatter,
        keywords,
        node::{At, Data, Map, Node},
        problem::ConfigError,
        registry::{ClassRegistry, HandlerMaker},
        slot::{Dress, Slot},
    },
    text::python_repr,
};

impl Builder<'_> {
    pub(in crate::config) fn handlers(&mut self) {
        let mut waiting: Vec<_> = self.section("handlers", "Unable to configure handler");
        waiting.sort_by(|a, b| a.0.cmp(&b.0));
        // Handlers that others name come first; each round makes those whose targets are there.
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

    fn class_of(&self, node: &Node) -> Option<&'static Class> {
        class_of(&self.setup.registry, node)
    }

    fn targets(&self, node: &Node) -> Vec<Named> {
        targets(&self.setup.registry, node)
    }

    fn unknown_targets(&self, path: &str, targets: &[Named], names: &BTreeSet<String>) -> Vec<ConfigError> {
        let is_there = |target: &str| names.contains(target) || self.handlers.iter().any(|(known, _)| known == target);
        let unknown = targets.iter().filter(|target| !is_there(&target.name));
        unknown.map(|target| target.unknown(path, names.iter().map(String::as_str))).collect()
    }

    /// Whether the filter that a handler has inside is still the same.
    fn asks_the_same(&self, node: &Node) -> bool {
        let name = self.class_of(node).and_then(|class| node.get(class.asks?)?.as_str());
        name.is_none_or(|name| match (self.before.filters.get(name), self.filters.get(name)) {
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
        if let Some((hung, wear)) = made {
            self.handlers.retain(|(known, _)| known != name);
            // One that is wrong in a detail is still there for those that name it.
            self.handlers.push((name.to_owned(), hung));
            if !failed {
                self.wear.push(wear);
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
    ) -> Option<(Hung, Wear)> {
        let Some(map) = node.as_map() else {
            problems.push(ConfigError::new(path, node.at, format!("expected a mapping, got {node}")));
            return None;
        };
        // In the order in which Python looks at them.
        let formatter = self.formatter_of(path, map, problems);
        let level = self.level_of(path, map, problems);
        let sieves = self.sieves_of(path, map, problems);
        let targets = self.targets(node);
        problems.extend(self.unknown_targets(path, &targets, names));
        let core = core_of(map);
        let has_formatter = map.get("formatter").is_some_and(|node| !node.is_null());
        let bare = Formatter::bare(self.setup.as_python);
        let worn = formatter.clone().unwrap_or(bare);
        let kept = self.before.handlers.get(name).filter(|before| {
            let same_targets = targets.iter().all(|target| self.kept.contains(&target.name));
            // Whether a queue has a formatter is built into it.
            let had_formatter = before.whole.get("formatter").is_some_and(|node| !node.is_null());
            let is_queue = self.class_of(node).is_some_and(|class| class.refers.is_some());
            let same_dress = !is_queue || had_formatter == has_formatter;
            let stays = before.core == core && same_targets && self.asks_the_same(node);
            !self.setup.as_python && stays && same_dress
        });
        let (hung, begins) = match kept {
            Some(before) => {
                self.kept.insert(name.to_owned());
                (Hung { whole: node.clone(), ..before.clone() }, false)
            }
            None => (self.new_handler(name, path, node, map, core, worn.clone(), has_formatter, problems)?, true),
        };
        let wear = Wear { slot: Arc::clone(&hung.slot), level, sieves, formatter: worn, begins };
        Some((hung, wear))
    }

    #[expect(clippy::too_many_arguments)]
    fn new_handler(
        &self,
        name: &str,
        path: &str,
        node: &Node,
        map: &Map,
        core: Node,
        formatter: Formatter,
        has_formatter: bool,
        problems: &mut Vec<ConfigError>,
    ) -> Option<Hung> {
        let dress = Dress::new(formatter, "\n", Encoding::default());
        let finished =
            |name: &str| self.handlers.iter().find(|(known, _)| known == name).map(|(_, hung)| Arc::clone(&hung.slot));
        let order = Order {
            name,
            path,
            node,
            map,
            is_ini: self.config.is_ini,
            has_formatter,
            filters: &self.filters,
            goes_on: false,
        };
        let make = || {
            let mut problems = Vec::new();
            let output = make_output(self.setup, &order, &dress, &finished, &mut problems);
            (output, problems)
        };
        // A file that a handler has which will be gone then.
        let succeeds = self.takes_over(map);
        let (output, told) = if succeeds { crate::sink::succeeding(make) } else { make() };
        problems.extend(told);
        let output = output?;
        let slot = Slot::new(name, output, dress, self.setup.as_python);
        let onward = self.targets(node).into_iter().filter_map(|target| finished(&target.name));
        slot.onward.set(onward.map(|target| Arc::clone(&target.onward)).collect());
        let shared = NamedHandler::sharing_ledger(slot.ledger(), Arc::clone(&slot));
        shared.set_error_handler(self.setup.error_handler.clone());
        Some(Hung { slot, shared, core, whole: node.clone() })
    }

    /// Whether the file is that of a handler that is not declared as it was.
    fn takes_over(&self, map: &Map) -> bool {
        // In an INI file it is the first of the arguments.
        let first = |map: &Map| {
            map.get("args").and_then(Node::as_list).and_then(|args| args.first()?.as_str().map(str::to_owned))
        };
        let file = |map: &Map| {
            let path = map.get("filename").and_then(Node::as_str).map(str::to_owned).or_else(|| first(map));
            path.map(std::path::absolute)
        };
        let Some(Ok(path)) = file(map) else { return false };
        self.before.handlers.iter().any(|(name, before)| {
            let same = before.whole.as_map().and_then(file).is_some_and(|other| other.is_ok_and(|other| other == path));
            let stays = || {
                let declared = self.config.root.get("handlers").and_then(|all| all.get(name)).and_then(Node::as_map);
                declared.is_some_and(|map| core_of(map) == before.core)
            };
            same && (self.setup.as_python || !stays())
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
        // One that is declared and wrong was told already.
        if found.is_none() && !is_declared() {
            let declared = self.config.root.get("formatters").and_then(Node::as_map);
            let known = declared.into_iter().flat_map(Map::iter).map(|(key, _)| &*key.text);
            let known = known.chain(self.formatters.keys().map(String::as_str));
            let problem =
                ConfigError::new(format!("{path}.formatter"), node.at, format!("there is no formatter {name:?}"));
            let problem = problem.python(format!("Unable to set formatter {}", python_repr(name))).python(name);
            problems.push(problem.nearest(name, known));
        }
        found
    }

    fn level_of(&self, path: &str, map: &Map, problems: &mut Vec<ConfigError>) -> Severity {
        let Some(node) = map.get("level").filter(|node| !node.is_null()) else { return Severity::ALL };
        keywords::level_in(&self.setup.registry, node, self.setup.as_python).unwrap_or_else(|mut problem| {
            problem.path = format!("{path}.level");
            problems.push(problem);
            Severity::ALL
        })
    }
}

/// What cannot be changed in place.
fn core_of(map: &Map) -> Node {
    let core = map.0.iter().filter(|(key, _)| !matches!(&*key.text, "level" | "formatter" | "filters"));
    Node::new(Data::Map(Map(core.cloned().collect())))
}

/// A handler that another one names.
pub(in crate::config) struct Named {
    pub(in crate::config) name: String,
    /// Where, within the one that names it.
    key: String,
    at: Option<At>,
}

impl Named {
    pub(in crate::config) fn unknown<'k>(&self, path: &str, known: impl IntoIterator<Item = &'k str>) -> ConfigError {
        let Self { name, key, at } = self;
        let problem = ConfigError::new(format!("{path}.{key}"), *at, format!("there is no handler {name:?}"));
        problem.python(target_message(key, name)).python(name.clone()).nearest(name, known)
    }

    /// Records would go round in circles.
    pub(in crate::config) fn leads_back(&self, path: &str) -> ConfigError {
        let Self { name, key, at } = self;
        ConfigError::new(format!("{path}.{key}"), *at, format!("{name:?} leads back to it"))
    }
}

fn class_of(registry: &ClassRegistry, node: &Node) -> Option<&'static Class> {
    let map = node.as_map()?;
    let class = map.get("()").or_else(|| map.get("class")).and_then(Node::as_str).unwrap_or_default();
    match registry.find_handler(class)? {
        HandlerMaker::Class(class) => Some(class),
        HandlerMaker::Own(_) => None,
    }
}

/// A handler of an INI file, its `args` by their names.
pub(in crate::config) fn named(node: &Node, registry: &ClassRegistry) -> Node {
    let named = || {
        let map = node.as_map().filter(|map| map.get("args").is_some())?;
        // What is wrong with them is told when the handler is made.
        with_names(map, class_of(registry, node)?.keys, "", &mut Vec::new())
    };
    named().map_or_else(|| node.clone(), |map| Node { data: Data::Map(map), at: node.at })
}

/// The handlers that a handler names.
pub(in crate::config) fn targets(registry: &ClassRegistry, node: &Node) -> Vec<Named> {
    let node = &named(node, registry);
    let mut all = Vec::new();
    if let Some(key) = class_of(registry, node).and_then(|class| class.refers)
        && let Some(node) = node.get(key)
    {
        match &node.data {
            Data::Str(name) => all.push(Named { name: name.clone(), key: key.to_owned(), at: node.at }),
            Data::List(list) => all.extend(list.iter().enumerate().filter_map(|(index, node)| {
                Some(Named { name: node.as_str()?.to_owned(), key: format!("{key}[{index}]"), at: node.at })
            })),
            _ => {}
        }
    }
    if let Some(node) = node.get("strata").and_then(|ours| ours.get("or_else"))
        && let Some(name) = node.as_str()
    {
        all.push(Named { name: name.to_owned(), key: "strata.or_else".into(), at: node.at });
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
