//! Warnings: what is valid, but probably not meant.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    path::PathBuf,
};

use super::{
    build::{TOP_LEVEL_KEYS, refers_to, with_named_args},
    classes::filters,
    document::Config,
    error::ConfigError,
    handler_args,
    node::{Data, Map, Node, Position, quoted_key},
    registry::{ClassRegistry, HandlerMaker},
};
use crate::Severity;

struct Logger<'c> {
    name: String,
    path: String,
    at: Option<Position>,
    level: Option<Severity>,
    propagate: bool,
    handlers: Vec<&'c str>,
}

pub(super) fn warnings(config: &Config, registry: &ClassRegistry) -> Vec<ConfigError> {
    let root = &config.root;
    let declared: Vec<(&str, Node)> =
        entries(root, "handlers").map(|(name, node)| (name, with_named_args(node, registry))).collect();
    let handlers: Vec<(&str, &Node)> = declared.iter().map(|(name, node)| (*name, node)).collect();
    let loggers = loggers(root);
    let mut found = config.strict_errors.clone();
    let tree = Tree::new(&loggers, &mut found);
    files(&handlers, &mut found);
    duplicates(&tree, &mut found);
    unreachable(&handlers, &tree, &mut found);
    unused(root, &handlers, &loggers, registry, &mut found);
    without_targets(&handlers, registry, &mut found);
    unknown_keys(root, &mut found);
    socket_paths(&handlers, registry, &mut found);
    truthy_values(root, &handlers, &mut found);
    secrets(root, "", &mut found);
    found.sort_by_key(|problem| problem.at);
    found
}

fn entries<'c>(root: &'c Node, section: &str) -> impl Iterator<Item = (&'c str, &'c Node)> + use<'c> {
    root.section(section).map(|(key, node)| (&*key.text, node))
}

fn names(node: Option<&Node>) -> Vec<&str> {
    match node.map(|node| &node.data) {
        Some(Data::Str(name)) => vec![name],
        Some(Data::List(list)) => list.iter().filter_map(Node::as_str).collect(),
        _ => Vec::new(),
    }
}

fn loggers<'c>(root: &'c Node) -> Vec<Logger<'c>> {
    let named = entries(root, "loggers").map(|(name, node)| (name, format!("loggers.{}", quoted_key(name)), node));
    let root_entry = root.get("root").map(|node| ("", "root".to_owned(), node));
    let logger = |(name, path, node): (&str, String, &'c Node)| Logger {
        name: if name == "root" { String::new() } else { name.replace("::", ".") },
        path,
        at: node.at,
        level: node.get("level").and_then(|level| handler_args::level(level, false, "").ok()),
        propagate: node.get("propagate").is_none_or(Node::is_true),
        handlers: names(node.get("handlers")),
    };
    named.chain(root_entry).map(logger).collect()
}

fn class(node: &Node) -> &str {
    node.class_name().unwrap_or_default()
}

fn path_of(name: &str) -> String {
    format!("handlers.{}", quoted_key(name))
}

fn files(handlers: &[(&str, &Node)], found: &mut Vec<ConfigError>) {
    let mut by_file: BTreeMap<PathBuf, &str> = BTreeMap::new();
    for (name, node) in handlers {
        let Some(file) = node.get("filename") else { continue };
        let Some(path) = file.as_str().and_then(|path| std::path::absolute(path).ok()) else { continue };
        match by_file.get(&path) {
            Some(other) => {
                let message = format!(
                    "the handler {other:?} writes to this file, too: their lines mix, and only one can rotate it"
                );
                found.push(ConfigError::new(format!("{}.filename", path_of(name)), file.at, message));
            }
            None => drop(by_file.insert(path, name)),
        }
        let grows_without_limit = match class(node).rsplit('.').next().unwrap_or_default() {
            "FileHandler" | "file" => true,
            "RotatingFileHandler" | "rotating" => {
                let zero = |key: &str| node.get(key).is_none_or(|node| !node.is_true());
                zero("maxBytes") || zero("backupCount")
            }
            _ => false,
        };
        if grows_without_limit {
            let message = "the file grows without end: nothing rotates it (RotatingFileHandler, TimedRotatingFileHandler, or logrotate with WatchedFileHandler)";
            found.push(ConfigError::new(path_of(name), node.at, message));
        }
    }
}

/// The loggers by name, for fast access to those above.
struct Tree<'l, 'c> {
    all: &'l [Logger<'c>],
    /// Of two entries with the same name, the later one counts.
    by_name: HashMap<&'l str, &'l Logger<'c>>,
}

impl<'l, 'c> Tree<'l, 'c> {
    fn new(all: &'l [Logger<'c>], found: &mut Vec<ConfigError>) -> Self {
        let mut by_name: HashMap<&str, &Logger<'_>> = HashMap::new();
        for logger in all {
            if let Some(same) = by_name.insert(&logger.name, logger) {
                let message = format!("it is the same logger as {}: this entry replaces that one", same.path);
                found.push(ConfigError::new(&logger.path, logger.at, message));
            }
        }
        Self { all, by_name }
    }

    /// All loggers above, the nearest first.
    fn ancestors(&self, logger: &'l Logger<'c>) -> impl Iterator<Item = &'l Logger<'c>> {
        let name = logger.name.as_str();
        let parents = name.rmatch_indices('.').map(|(at, _)| &name[..at]);
        let root = (!name.is_empty()).then_some("");
        parents.chain(root).filter_map(|name| self.by_name.get(name).copied())
    }

    /// The logger itself, then those above that its records reach.
    fn route(&self, start: &'l Logger<'c>) -> Vec<&'l Logger<'c>> {
        let mut route = vec![start];
        for logger in self.ancestors(start) {
            if !route.last().is_some_and(|below| below.propagate) {
                break;
            }
            route.push(logger);
        }
        route
    }

    /// The effective level of a logger.
    fn effective(&self, logger: &'l Logger<'c>) -> Severity {
        let levels = std::iter::once(logger).chain(self.ancestors(logger));
        levels.filter_map(|logger| logger.level).next().unwrap_or(Severity::WARN)
    }
}

fn duplicates(loggers: &Tree<'_, '_>, found: &mut Vec<ConfigError>) {
    for logger in loggers.all {
        for above in loggers.route(logger).into_iter().skip(1) {
            for name in logger.handlers.iter().filter(|name| above.handlers.contains(name)) {
                let message =
                    format!("records reach {name:?} twice: it is also a handler of {}, and they propagate", above.path);
                found.push(ConfigError::new(format!("{}.handlers", logger.path), logger.at, message));
            }
        }
        if logger.handlers.is_empty() && !logger.propagate && !logger.name.is_empty() {
            let message = "it has no handlers, and does not propagate: its records go to the last resort";
            found.push(ConfigError::new(&logger.path, logger.at, message));
        }
    }
}

fn unreachable(handlers: &[(&str, &Node)], loggers: &Tree<'_, '_>, found: &mut Vec<ConfigError>) {
    // The lowest level of the loggers that lead to a handler.
    let mut lowest: HashMap<&str, Severity> = HashMap::new();
    for logger in loggers.all {
        let level = loggers.effective(logger);
        for name in loggers.route(logger).iter().flat_map(|above| &above.handlers) {
            lowest.entry(name).and_modify(|min_level| *min_level = level.min(*min_level)).or_insert(level);
        }
    }
    for (name, node) in handlers {
        let Some(at_level) = node.get("level") else { continue };
        let Ok(level) = handler_args::level(at_level, false, "") else { continue };
        let Some(min_level) = lowest.get(name) else { continue };
        if level < *min_level && level != Severity::ALL {
            let message =
                format!("nothing below {min_level} arrives here: that is the lowest level of the loggers that use it");
            found.push(ConfigError::new(format!("{}.level", path_of(name)), at_level.at, message));
        }
    }
}

fn unused(
    root: &Node,
    handlers: &[(&str, &Node)],
    loggers: &[Logger<'_>],
    registry: &ClassRegistry,
    found: &mut Vec<ConfigError>,
) {
    let mut used: HashSet<&str> = loggers.iter().flat_map(|logger| logger.handlers.iter().copied()).collect();
    for (_, node) in handlers {
        used.extend(names(node.get("strata").and_then(|strata| strata.get("fallback"))));
        if registry.find_handler(class(node)).is_some() {
            used.extend(["target", "handlers"].into_iter().flat_map(|key| names(node.get(key))));
        }
    }
    for (name, node) in handlers.iter().filter(|(name, _)| !used.contains(name)) {
        found.push(ConfigError::new(path_of(name), node.at, "no logger and no other handler uses it"));
    }
    let used: HashSet<&str> = handlers.iter().flat_map(|(_, node)| names(node.get("formatter"))).collect();
    for (name, node) in entries(root, "formatters").filter(|(name, _)| !used.contains(name)) {
        found.push(ConfigError::new(format!("formatters.{}", quoted_key(name)), node.at, "no handler uses it"));
    }
    let users = handlers.iter().map(|(_, node)| *node).chain(entries(root, "loggers").map(|(_, node)| node));
    let mut uses: HashMap<&str, usize> = HashMap::new();
    for user in users.chain(root.get("root")) {
        let names: HashSet<&str> = names(user.get("filters")).into_iter().collect();
        names.into_iter().for_each(|name| *uses.entry(name).or_default() += 1);
    }
    for (name, node) in entries(root, "filters") {
        let uses = uses.get(name).copied().unwrap_or_default();
        let path = format!("filters.{}", quoted_key(name));
        let is_trigger = handlers.iter().any(|(_, handler)| names(handler.get("trigger")).contains(&name));
        if uses == 0 && !is_trigger {
            found.push(ConfigError::new(path, node.at, "no handler and no logger uses it"));
        } else if uses > 1 && filters::counts(class(node)) {
            let message = "its users share one count: declare one filter for each";
            found.push(ConfigError::new(path, node.at, message));
        }
    }
}

/// Top-level keys that nothing uses. `x-…` and names that begin with no letter are for anchors.
fn unknown_keys(root: &Node, found: &mut Vec<ConfigError>) {
    for (key, _) in root.as_map().into_iter().flat_map(Map::iter) {
        let name = &*key.text;
        let is_set_apart = name.starts_with("x-") || !name.starts_with(char::is_alphabetic);
        if TOP_LEVEL_KEYS.contains(&name) || is_set_apart || refers_to(root, name) {
            continue;
        }
        let message = match name {
            "strata" => "it has no effect here: `strata` is a key of handlers",
            _ => "it has no effect here: there is no such key, and no cfg:// leads to it",
        };
        found.push(ConfigError::new(quoted_key(name), key.at, message));
    }
}

/// Strings and bools that mean something else in Python than they seem to.
fn truthy_values(root: &Node, handlers: &[(&str, &Node)], found: &mut Vec<ConfigError>) {
    let loggers = entries(root, "loggers").map(|(name, node)| (format!("loggers.{}", quoted_key(name)), node));
    let handlers = handlers.iter().map(|(name, node)| (path_of(name), *node));
    for (path, node) in loggers.chain(root.get("root").map(|node| ("root".to_owned(), node))).chain(handlers) {
        for key in handler_args::TRUTHY_KEYS.iter().chain(&["propagate"]) {
            if let Some(value @ Node { data: Data::Str(text), .. }) = node.get(key).filter(|node| node.is_true()) {
                let message = format!("a text that is not empty is true, as in Python: {text:?} is, too");
                found.push(ConfigError::new(format!("{path}.{key}"), value.at, message));
            }
        }
        let level = node.get("level").map(|level| (level.at, &level.data));
        let message = match level {
            Some((_, Data::Bool(on))) => {
                format!("{on} is the number {}: 0 is NOTSET, and \"OFF\" lets nothing pass", u8::from(*on))
            }
            Some((_, Data::Off)) => {
                "it lets nothing pass; in Python it is false, which is NOTSET: put it in quotes".to_owned()
            }
            _ => continue,
        };
        found.push(ConfigError::new(format!("{path}.level"), level.and_then(|(at, _)| at), message));
    }
}

/// Addresses such as `127.0.0.1:514`, which are paths of sockets.
fn socket_paths(handlers: &[(&str, &Node)], registry: &ClassRegistry, found: &mut Vec<ConfigError>) {
    for (name, node) in handlers {
        let Some(HandlerMaker::Class(class)) = registry.find_handler(class(node)) else { continue };
        let Some(address) = node.get("address").filter(|_| class.names[0].ends_with("SysLogHandler")) else { continue };
        let parts = address.as_str().and_then(|text| text.rsplit_once(':'));
        let Some((host, port)) = parts.filter(|(host, port)| !host.contains('/') && port.parse::<u16>().is_ok()) else {
            continue;
        };
        let message = format!("a text is the path of a socket: a host and a port are [{host:?}, {port}]");
        found.push(ConfigError::new(format!("{}.address", path_of(name)), address.at, message));
    }
}

/// Forwarding handlers without targets.
fn without_targets(handlers: &[(&str, &Node)], registry: &ClassRegistry, found: &mut Vec<ConfigError>) {
    for (name, node) in handlers {
        let Some(HandlerMaker::Class(class)) = registry.find_handler(class(node)) else { continue };
        let Some(key) = class.targets_key.filter(|key| names(node.get(key)).is_empty()) else { continue };
        let message = match key {
            "target" => "it has no target: unless one is set at run time, its records are not written",
            _ => "it has no handlers: what it gets is dropped",
        };
        found.push(ConfigError::new(path_of(name), node.at, message));
    }
}

/// Addresses such as `https://user:password@host`.
fn secrets(node: &Node, path: &str, found: &mut Vec<ConfigError>) {
    match &node.data {
        Data::Str(text) => {
            let authority =
                text.split_once("://").map(|(_, rest)| rest.split(['/', '?', '#']).next().unwrap_or_default());
            let user = authority.and_then(|authority| authority.rsplit_once('@')).map(|(user, _)| user);
            if user.is_some_and(|user| user.split_once(':').is_some_and(|(_, secret)| !secret.is_empty())) {
                // Without the address: warnings are printed.
                let message = "the address contains a password; `${NAME}` of the environment keeps it out of the file";
                found.push(ConfigError::new(path, node.at, message));
            }
        }
        Data::List(list) => {
            for (index, node) in list.iter().enumerate() {
                secrets(node, &format!("{path}[{index}]"), found);
            }
        }
        Data::Map(map) => {
            for (key, node) in map.iter() {
                let dot = if path.is_empty() { "" } else { "." };
                secrets(node, &format!("{path}{dot}{}", quoted_key(&key.text)), found);
            }
        }
        _ => {}
    }
}
