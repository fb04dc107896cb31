//! From what is declared to what can be hung up. Nothing that runs is touched here.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, atomic::Ordering},
};

use super::{
    Setup,
    classes::Making,
    document::Config,
    encoding::Encoding,
    formatters::{self, Formatter, cannot_resolve},
    keywords::{self, Keywords},
    node::{Data, Map, Node},
    problem::{Problem, nearest},
    references::resolved,
    registry::HandlerMaker,
    sieve::Sieve,
    slot::{Dress, Output, Slot},
};
use crate::{Queue, Severity, Shared, text::python_repr};

/// A handler that hangs or could hang somewhere.
#[derive(Clone)]
pub(super) struct Hung {
    pub(super) slot: Arc<Slot>,
    pub(super) shared: Shared,
    /// Its declaration without what can be changed in place.
    pub(super) core: Node,
    /// What it was made from, all of it.
    pub(super) whole: Node,
}

/// What a configuration comes to.
pub(super) struct Prepared {
    pub(super) formatters: BTreeMap<String, Formatter>,
    pub(super) filters: BTreeMap<String, (Node, Sieve)>,
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
    sieves: Vec<Sieve>,
    formatter: Formatter,
    /// The output is new.
    begins: bool,
}

impl Wear {
    pub(super) fn put_on(self) -> Result<(), crate::Error> {
        self.slot.set_level(self.level);
        self.slot.set_sieves(self.sieves);
        self.slot.dress.set_formatter(&self.formatter);
        if self.begins { self.slot.output().control.begin() } else { Ok(()) }
    }
}

/// What was there before, for what stays the same.
pub(super) struct Before<'b> {
    pub(super) filters: &'b BTreeMap<String, (Node, Sieve)>,
    pub(super) handlers: &'b BTreeMap<String, Hung>,
}

pub(super) struct Builder<'b> {
    pub(super) setup: &'b Setup,
    config: &'b Config,
    before: Before<'b>,
    pub(super) problems: Vec<Problem>,
    formatters: BTreeMap<String, Formatter>,
    filters: BTreeMap<String, (Node, Sieve)>,
    handlers: Vec<(String, Hung)>,
    wear: Vec<Wear>,
    kept: BTreeSet<String>,
}

/// The keys that every handler has.
const COMMON: &[&str] = &["class", "()", "level", "formatter", "filters", ".", "strata"];
/// What is ours, under `strata`, for suggestions.
const OURS: &[&str] = &[
    "queue",
    "create_dirs",
    "permissions",
    "buffer",
    "flush_on",
    "max_age_days",
    "max_total_bytes",
    "compression",
    "latest",
    "sharing",
    "grid",
    "zone",
    "form",
    "direct",
    "format",
];
const TOP: &[&str] =
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
        filters: &BTreeMap<String, (Node, Sieve)>,
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
            self.problems.push(Problem::new("", root.at, format!("expected a mapping, got {root}")));
            return;
        };
        match map.get("version") {
            None => {
                let problem = Problem::new("", root.at, "expected the key \"version\", which is 1");
                let keys = map.iter().map(|(key, _)| &*key.text);
                self.problems.push(problem.python("dictionary doesn't specify a version").nearest("version", keys));
            }
            Some(Node { data: Data::Int(1), .. }) => {}
            Some(other) => {
                let problem = Problem::new("version", other.at, format!("expected 1, got {other}"));
                self.problems.push(problem.python(format!("Unsupported version: {}", python_value(other))));
            }
        }
        if self.setup.as_python {
            return;
        }
        for (key, _) in map.iter() {
            if TOP.contains(&&*key.text) || refers_to(root, &key.text) {
                continue;
            }
            // Anything may be there for `cfg://`; what looks like a misspelt key is one.
            if let Some(meant) = nearest(&key.text, TOP.iter().copied()) {
                let mut problem = Problem::new(&key.text, key.at, "there is no such key, and no cfg:// leads to it");
                problem.suggestion = Some(meant);
                self.problems.push(problem);
            }
        }
        for key in ["incremental", "disable_existing_loggers"] {
            if let Some(node) = map.get(key).filter(|node| node.as_bool().is_none()) {
                self.problems.push(Problem::new(key, node.at, format!("expected true or false, got {node}")));
            }
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
            self.problems.push(Problem::new(name, section.at, format!("expected a mapping, got {section}")));
            return Vec::new();
        };
        let mut entries = Vec::new();
        for (key, node) in map.iter() {
            let path = format!("{name}.{}", quoted_key(&key.text));
            match resolved(node, &self.config.root, &path, 0) {
                Ok(mut node) => {
                    node.at = key.at.or(node.at);
                    entries.push((key.text.clone(), node));
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
                None => make_filter(self.setup, &path, &node),
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

    pub(super) fn handlers(&mut self) {
        let mut waiting: Vec<_> = self.section("handlers", "Unable to configure handler");
        waiting.sort_by(|a, b| a.0.cmp(&b.0));
        // Handlers that others name come first; each round makes those whose targets are there.
        let names: BTreeSet<String> = waiting.iter().map(|(name, _)| name.clone()).collect();
        while !waiting.is_empty() {
            let pending: BTreeSet<String> = waiting.iter().map(|(name, _)| name.clone()).collect();
            let (ready, rest): (Vec<_>, Vec<_>) = waiting
                .into_iter()
                .partition(|(_, node)| self.targets(node).iter().all(|(target, _)| !pending.contains(target)));
            if ready.is_empty() {
                for (name, node) in rest {
                    let message = "it names handlers that lead back to it";
                    let problem = Problem::new(format!("handlers.{}", quoted_key(&name)), node.at, message);
                    self.problems.push(problem.within(&format!("Unable to configure handler {}", python_repr(&name))));
                }
                break;
            }
            waiting = rest;
            for (name, node) in ready {
                self.handler(&name, node, &names);
            }
        }
    }

    /// The handlers that a handler names, with where.
    fn targets(&self, node: &Node) -> Vec<(String, Node)> {
        let Some(map) = node.as_map() else { return Vec::new() };
        let class = map.get("()").or_else(|| map.get("class")).and_then(Node::as_str).unwrap_or_default();
        let Some(HandlerMaker::Class(class)) = self.setup.registry.find_handler(class) else { return Vec::new() };
        let Some(node) = class.refers.and_then(|key| map.get(key)) else { return Vec::new() };
        match &node.data {
            Data::Str(name) => vec![(name.clone(), node.clone())],
            Data::List(list) => {
                list.iter().filter_map(|node| Some((node.as_str()?.to_owned(), node.clone()))).collect()
            }
            _ => Vec::new(),
        }
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
        problems: &mut Vec<Problem>,
    ) -> Option<(Hung, Wear)> {
        let Some(map) = node.as_map() else {
            problems.push(Problem::new(path, node.at, format!("expected a mapping, got {node}")));
            return None;
        };
        // In the order in which Python looks at them.
        let formatter = self.formatter_of(path, map, problems);
        let level = self.level_of(path, map, problems);
        let sieves = self.sieves_of(path, map, problems);
        for (target, at) in self.targets(node) {
            let is_there = self.handlers.iter().any(|(known, _)| *known == target);
            if !names.contains(&target) && !is_there {
                let known = names.iter().map(String::as_str);
                let problem =
                    Problem::new(path_of_target(path, &at, map), at.at, format!("there is no handler {target:?}"));
                let problem = problem.python(target_message(map, &target)).python(target.clone());
                problems.push(problem.nearest(&target, known));
            }
        }
        let core = core_of(map);
        let has_formatter = map.get("formatter").is_some_and(|node| !node.is_null());
        let bare = Formatter::bare(self.setup.as_python);
        let worn = formatter.clone().unwrap_or(bare);
        let kept = self.before.handlers.get(name).filter(|before| {
            let targets = self.targets(node);
            let same_targets = targets.iter().all(|(target, _)| self.kept.contains(target));
            let is_queue = !targets.is_empty() && has_formatter;
            !self.setup.as_python && before.core == core && same_targets && !is_queue
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
        problems: &mut Vec<Problem>,
    ) -> Option<Hung> {
        let dress = Dress::new(formatter, "\n", Encoding::default());
        let finished =
            |name: &str| self.handlers.iter().find(|(known, _)| known == name).map(|(_, hung)| Arc::clone(&hung.slot));
        let order = Order { name, path, node, map, is_ini: self.config.is_ini, has_formatter, goes_on: false };
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
        for (target, _) in self.targets(node) {
            if let Some(target) = finished(&target) {
                target.fed_by.fetch_add(1, Ordering::Relaxed);
            }
        }
        let shared = Shared::with_trap(name, Arc::clone(&slot), self.setup.trap.clone());
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

    fn formatter_of(&self, path: &str, map: &Map, problems: &mut Vec<Problem>) -> Option<Formatter> {
        let node = map.get("formatter").filter(|node| !node.is_null() && node.as_str() != Some(""))?;
        let Some(name) = node.as_str() else {
            problems.push(Problem::new(
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
            let problem = Problem::new(format!("{path}.formatter"), node.at, format!("there is no formatter {name:?}"));
            let problem = problem.python(format!("Unable to set formatter {}", python_repr(name))).python(name);
            problems.push(problem.nearest(name, known));
        }
        found
    }

    fn level_of(&self, path: &str, map: &Map, problems: &mut Vec<Problem>) -> Severity {
        let Some(node) = map.get("level").filter(|node| !node.is_null()) else { return Severity::ALL };
        keywords::level(node, self.setup.as_python).unwrap_or_else(|mut problem| {
            problem.path = format!("{path}.level");
            problems.push(problem);
            Severity::ALL
        })
    }

    fn sieves_of(&self, path: &str, map: &Map, problems: &mut Vec<Problem>) -> Vec<Sieve> {
        let mut sieves: Vec<Sieve> = Vec::new();
        for (index, node) in self.list_of(path, "filters", map, problems) {
            let path = format!("{path}.filters[{index}]");
            let Some(name) = node.as_str() else {
                problems.push(Problem::new(path, node.at, format!("expected a filter's name, got {node}")));
                continue;
            };
            let is_declared = || self.config.root.get("filters").is_some_and(|all| all.get(name).is_some());
            match self.filters.get(name) {
                Some((_, sieve)) if sieves.iter().any(|known| known.is_same(sieve)) => {}
                Some((_, sieve)) => sieves.push(sieve.clone()),
                None if is_declared() => {}
                None => {
                    let known = self.filters.keys().map(String::as_str);
                    let problem = Problem::new(path, node.at, format!("there is no filter {name:?}"));
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
        problems: &mut Vec<Problem>,
    ) -> Vec<(usize, &'n Node)> {
        let Some(node) = map.get(key).filter(|node| !node.is_null()) else { return Vec::new() };
        match node.as_list() {
            Some(list) => list.iter().enumerate().collect(),
            None => {
                problems.push(Problem::new(
                    format!("{path}.{key}"),
                    node.at,
                    format!("expected a list of names, got {node}"),
                ));
                Vec::new()
            }
        }
    }

    /// What a logger's entry names.
    pub(super) fn logger(&mut self, path: &str, outer: &str, node: &Node) -> LoggerSays {
        let mut says = LoggerSays::default();
        let mut problems = Vec::new();
        let empty = Map::default();
        let node = match resolved(node, &self.config.root, path, 0) {
            Ok(node) => node,
            Err(problem) => {
                self.problems.push(problem.within(outer));
                return says;
            }
        };
        if node.as_map().is_none() && !node.is_null() {
            problems.push(Problem::new(path, node.at, format!("expected a mapping, got {node}")));
        }
        let map = node.as_map().unwrap_or(&empty);
        if let Some(level) = map.get("level").filter(|level| !level.is_null()) {
            match keywords::level(level, self.setup.as_python) {
                Ok(level) => says.level = Some(level),
                Err(mut problem) => {
                    problem.path = format!("{path}.level");
                    problems.push(problem);
                }
            }
        }
        if let Some(propagate) = map.get("propagate").filter(|propagate| !propagate.is_null()) {
            match &propagate.data {
                Data::Bool(_) | Data::Int(_) => says.propagate = Some(propagate.is_true()),
                _ => {
                    let message = format!("expected true or false, got {propagate}");
                    problems.push(Problem::new(format!("{path}.propagate"), propagate.at, message));
                }
            }
        }
        for (index, node) in self.list_of(path, "handlers", map, &mut problems) {
            let path = format!("{path}.handlers[{index}]");
            let Some(name) = node.as_str() else {
                problems.push(Problem::new(path, node.at, format!("expected a handler's name, got {node}")));
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
                    let problem = Problem::new(path, node.at, format!("there is no handler {name:?}"));
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
                    let problem = Problem::new(format!("{path}.{}", key.text), key.at, "a logger has no such key");
                    problems.push(problem.nearest(&key.text, KNOWN.iter().copied()));
                }
            }
        }
        self.problems.extend(problems.into_iter().map(|problem| problem.within(outer)));
        says
    }

    /// The loggers' entries.
    pub(super) fn loggers(&mut self) -> Vec<(String, LoggerSays)> {
        let mut all = Vec::new();
        for (name, node) in self.section("loggers", "Unable to configure logger") {
            let outer = format!("Unable to configure logger {}", python_repr(&name));
            let says = self.logger(&format!("loggers.{}", quoted_key(&name)), &outer, &node);
            all.push((name, says));
        }
        all
    }

    /// The root's entry, if there is one that says anything.
    pub(super) fn root(&mut self) -> Option<LoggerSays> {
        let node = self.config.root.get("root").filter(|node| node.is_true())?.clone();
        Some(self.logger("root", "Unable to configure root logger", &node))
    }

    pub(super) fn finish(self) -> Result<Prepared, Vec<Problem>> {
        if !self.problems.is_empty() {
            return Err(self.problems);
        }
        let Self { formatters, filters, handlers, wear, kept, .. } = self;
        Ok(Prepared { formatters, filters, handlers, wear, kept })
    }
}

/// What an entry says about a logger.
#[derive(Default)]
pub(super) struct LoggerSays {
    pub(super) level: Option<Severity>,
    pub(super) propagate: Option<bool>,
    pub(super) handlers: Vec<Shared>,
    pub(super) sieves: Vec<Sieve>,
}

/// One entry of `filters`.
pub(super) fn make_filter(setup: &Setup, path: &str, node: &Node) -> Result<Sieve, Vec<Problem>> {
    let Some(map) = node.as_map() else {
        return Err(vec![Problem::new(path, node.at, format!("expected a mapping, got {node}"))]);
    };
    let key = if map.get("()").is_some() { "()" } else { "class" };
    let Some(class) = map.get(key).filter(|class| !class.is_null()) else {
        let keywords = Keywords::new(path, node.at, "Filter", map, &setup.registry, setup.as_python);
        let name = keywords.text("name").unwrap_or_default();
        let problems = if setup.as_python { Vec::new() } else { keywords.finish(&[], &[]) };
        return if problems.is_empty() { Ok(below(&name)) } else { Err(problems) };
    };
    let name = class.as_str().map(|name| name.strip_prefix("ext://").unwrap_or(name));
    let Some(name) = name else {
        return Err(vec![Problem::new(format!("{path}.{key}"), class.at, format!("expected a name, got {class}"))]);
    };
    let keywords = Keywords::new(path, node.at, name, map, &setup.registry, setup.as_python);
    if matches!(name, "logging.Filter" | "Filter") {
        let name = keywords.text("name").unwrap_or_default();
        let problems = keywords.finish(&[], &["()", "class", "."]);
        return if problems.is_empty() { Ok(below(&name)) } else { Err(problems) };
    }
    let made = setup.registry.make_filter(name, &keywords);
    let problems = keywords.finish(&[], &["()", "class", "."]);
    match made {
        None => {
            let message = format!("no filter is registered as {name:?}");
            let known = setup.registry.filter_names().chain(["logging.Filter"]);
            let problem = Problem::new(format!("{path}.{key}"), class.at, message).python(cannot_resolve(name));
            Err(vec![problem.nearest(name, known)])
        }
        Some(_) if !problems.is_empty() => Err(problems),
        Some(Ok(sieve)) => Ok(sieve),
        Some(Err(error)) => Err(vec![Problem::new(path, node.at, error.to_string()).python(error.to_string())]),
    }
}

/// `logging.Filter(name)`: the root's records are called `root`.
fn below(name: &str) -> Sieve {
    let name = name.to_owned();
    Sieve::decides(move |record: &crate::Record| {
        let target = if record.target().is_empty() { "root" } else { record.target() };
        name.is_empty() || crate::loggers::is_below(target, &name)
    })
}

/// One handler to be made.
pub(super) struct Order<'o> {
    pub(super) name: &'o str,
    pub(super) path: &'o str,
    pub(super) node: &'o Node,
    pub(super) map: &'o Map,
    pub(super) is_ini: bool,
    pub(super) has_formatter: bool,
    pub(super) goes_on: bool,
}

/// The output of a handler; `None` where problems stand in the way.
pub(super) fn make_output(
    setup: &Setup,
    order: &Order<'_>,
    dress: &Arc<Dress>,
    finished: &dyn Fn(&str) -> Option<Arc<Slot>>,
    problems: &mut Vec<Problem>,
) -> Option<Output> {
    let Order { name, path, node, map, .. } = *order;
    let (key, class) = match map.get("()") {
        Some(class) => ("()", Some(class)),
        None => ("class", map.get("class")),
    };
    let Some(class) = class.filter(|class| !class.is_null()) else {
        let keys = map.iter().map(|(key, _)| &*key.text);
        let problem = Problem::new(path, node.at, "expected the key \"class\" (or \"()\")").python("class");
        problems.push(problem.nearest("class", keys));
        return None;
    };
    let Some(class_name) = class.as_str() else {
        problems.push(Problem::new(format!("{path}.{key}"), class.at, format!("expected a name, got {class}")));
        return None;
    };
    let class_name = class_name.strip_prefix("ext://").unwrap_or(class_name);
    let Some(maker) = setup.registry.find_handler(class_name).cloned() else {
        let known = setup.registry.handler_names();
        let problem =
            Problem::new(format!("{path}.{key}"), class.at, format!("no handler is registered as {class_name:?}"));
        problems.push(problem.python(cannot_resolve(class_name)).nearest(class_name, known));
        return None;
    };
    let positional = match &maker {
        HandlerMaker::Class(class) if order.is_ini => with_names(map, class.keys, path, problems),
        _ => None,
    };
    let map = positional.as_ref().unwrap_or(map);
    let python_name = match &maker {
        // Python's name of it, where the configuration uses ours.
        HandlerMaker::Class(class) => class.names[0],
        HandlerMaker::Own(_) => class_name,
    };
    let keywords = Keywords::new(path, node.at, python_name, map, &setup.registry, setup.as_python);
    let empty = Map::default();
    let under = |key: &str| map.get(key).and_then(Node::as_map).unwrap_or(&empty);
    let dot_path = format!("{path}..");
    let attributes =
        Keywords::new(dot_path.clone(), node.at, python_name, under("."), &setup.registry, setup.as_python);
    let ours =
        Keywords::new(format!("{path}.strata"), node.at, "strata", under("strata"), &setup.registry, setup.as_python);
    for key in [".", "strata"] {
        if let Some(node) = map.get(key).filter(|node| !node.is_null() && node.as_map().is_none()) {
            problems.push(Problem::new(format!("{path}.{key}"), node.at, format!("expected a mapping, got {node}")));
        }
    }
    if let Some(terminator) = attributes.text("terminator") {
        dress.set_terminator(&terminator);
    }
    let making = Making {
        name,
        keywords: &keywords,
        attributes: &attributes,
        ours: &ours,
        dress,
        has_formatter: order.has_formatter,
        setup,
        finished,
        goes_on: order.goes_on,
    };
    let queued = queue_in_front(&ours, map, setup);
    let made = match &maker {
        HandlerMaker::Class(class) => (class.make)(&making),
        HandlerMaker::Own(make) => HandlerMaker::own(&**make, &keywords, dress.lines()),
    };
    let (keys, known_attributes): (&[&str], &[&str]) = match &maker {
        HandlerMaker::Class(class) => (class.keys, class.attributes),
        HandlerMaker::Own(_) => (&[], &["terminator"]),
    };
    let made = made.and_then(|output| match queued {
        None => Ok(output),
        Some((builder, limits)) => {
            let builder = super::classes::limits(builder, &limits);
            problems.extend(limits.finish(&["capacity", "max_bytes", "overflow", "protect", "drain"], &[]));
            let Output { handler, control } = output;
            let queue: Queue = builder.own(handler)?;
            Ok(Output { handler: Box::new(queue), control })
        }
    });
    problems.extend(keywords.finish(keys, COMMON));
    problems.extend(attributes.finish(known_attributes, &[]));
    if !setup.as_python || map.get("strata").is_some() {
        problems.extend(ours.finish(OURS, &["queue"]));
    }
    match made {
        Ok(output) => problems.is_empty().then_some(output),
        Err(error) => {
            if problems.is_empty() {
                problems.push(Problem::new(path, node.at, error.to_string()).python(error.to_string()));
            }
            None
        }
    }
}

/// `strata.queue` of a handler.
fn queue_in_front<'m>(
    ours: &Keywords<'m>,
    map: &'m Map,
    setup: &'m Setup,
) -> Option<(crate::handler::queue::QueueBuilder, Keywords<'m>)> {
    static NONE: Map = Map(Vec::new());
    let node = map.get("strata")?.get("queue")?;
    let limits = match &node.data {
        Data::Bool(true) => &NONE,
        Data::Map(limits) => limits,
        Data::Bool(false) | Data::Null => return None,
        _ => {
            ours.note(ours.wrong("queue", format!("expected true or a mapping, got {node}")));
            return None;
        }
    };
    let path = format!("{}.queue", ours.path());
    Some((Queue::builder(), Keywords::new(path, node.at, "queue", limits, &setup.registry, setup.as_python)))
}

/// `args` by their names.
fn with_names(map: &Map, keys: &[&str], path: &str, problems: &mut Vec<Problem>) -> Option<Map> {
    let args = map.get("args")?.as_list()?;
    let mut named = Map(map.0.iter().filter(|(key, _)| key.text != "args").cloned().collect());
    let found = RefCell::new(0);
    for (index, value) in args.iter().enumerate() {
        match keys.get(index) {
            Some(key) if named.get(key).is_none() => named.set(key, value.clone()),
            Some(key) => {
                problems.push(Problem::new(format!("{path}.args"), value.at, format!("{key:?} is given twice")));
            }
            None => *found.borrow_mut() += 1,
        }
    }
    if found.into_inner() > 0 {
        let message = format!("expected at most {} arguments, got {}", keys.len(), args.len());
        problems.push(Problem::new(format!("{path}.args"), map.get("args").and_then(|node| node.at), message));
    }
    Some(named)
}

/// What cannot be changed in place.
fn core_of(map: &Map) -> Node {
    let core = map.0.iter().filter(|(key, _)| !matches!(&*key.text, "level" | "formatter" | "filters"));
    Node::new(Data::Map(Map(core.cloned().collect())))
}

fn resolved_top(section: &Node, root: &Node, path: &str) -> Result<Node, Problem> {
    match section.as_str() {
        Some(text) if text.starts_with("cfg://") => resolved(section, root, path, 0),
        _ => Ok(section.clone()),
    }
}

fn refers_to(root: &Node, key: &str) -> bool {
    match &root.data {
        Data::Str(text) => text.strip_prefix("cfg://").is_some_and(|path| {
            path.strip_prefix(key).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        }),
        Data::List(list) => list.iter().any(|node| refers_to(node, key)),
        Data::Map(map) => map.iter().any(|(_, node)| refers_to(node, key)),
        _ => false,
    }
}

fn path_of_target(path: &str, target: &Node, map: &Map) -> String {
    match map.get("handlers").and_then(Node::as_list) {
        Some(list) => {
            let index = list.iter().position(|node| node == target).unwrap_or_default();
            format!("{path}.handlers[{index}]")
        }
        None => format!("{path}.target"),
    }
}

fn target_message(map: &Map, target: &str) -> String {
    if map.get("handlers").is_some() {
        format!("Required handler {} is not configured yet", python_repr(target))
    } else {
        format!("Unable to set target handler {}", python_repr(target))
    }
}

/// A key within a path: in quotes if it could be taken for several.
pub(super) fn quoted_key(key: &str) -> String {
    let plain = !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'));
    if plain { key.to_owned() } else { format!("{key:?}") }
}

fn python_value(node: &Node) -> String {
    match &node.data {
        Data::Null => "None".into(),
        Data::Bool(value) => if *value { "True" } else { "False" }.into(),
        Data::Str(text) => text.clone(),
        other => Node::new(other.clone()).to_string(),
    }
}
