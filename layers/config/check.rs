//! What is no mistake, and probably not meant.

use std::{collections::BTreeMap, path::PathBuf};

use super::{
    build::{quoted_key, with_names},
    document::Config,
    filters, keywords,
    node::{At, Data, Map, Node},
    problem::Problem,
    registry::{HandlerMaker, Registry},
};
use crate::{Severity, loggers::is_below};

struct Logger<'c> {
    name: String,
    path: String,
    at: Option<At>,
    level: Option<Severity>,
    propagate: bool,
    handlers: Vec<&'c str>,
}

pub(super) fn warnings(config: &Config, registry: &Registry) -> Vec<Problem> {
    let root = &config.root;
    let declared: Vec<(&str, Node)> =
        entries(root, "handlers").map(|(name, node)| (name, named(node, registry))).collect();
    let handlers: Vec<(&str, &Node)> = declared.iter().map(|(name, node)| (*name, node)).collect();
    let loggers = loggers(root);
    let mut found = Vec::new();
    files(&handlers, &mut found);
    twice(&loggers, &mut found);
    unreachable(&handlers, &loggers, &mut found);
    unused(root, &handlers, &loggers, registry, &mut found);
    nowhere(&handlers, registry, &mut found);
    secrets(root, "", &mut found);
    found.sort_by_key(|problem| problem.at.map(|at| (at.line, at.column)));
    found
}

/// A handler of an INI file, its `args` by their names.
fn named(node: &Node, registry: &Registry) -> Node {
    let named = || {
        let map = node.as_map().filter(|map| map.get("args").is_some())?;
        let HandlerMaker::Class(class) = registry.find_handler(class(node))? else { return None };
        // What is wrong with them was told when the handlers were made.
        with_names(map, class.keys, "", &mut Vec::new())
    };
    named().map_or_else(|| node.clone(), |map| Node { data: Data::Map(map), at: node.at })
}

fn entries<'c>(root: &'c Node, section: &str) -> impl Iterator<Item = (&'c str, &'c Node)> + use<'c> {
    let map = root.get(section).and_then(Node::as_map);
    map.into_iter().flat_map(Map::iter).map(|(key, node)| (&*key.text, node))
}

fn names(node: Option<&Node>) -> Vec<&str> {
    match node.map(|node| &node.data) {
        Some(Data::Str(name)) => vec![name],
        Some(Data::List(list)) => list.iter().filter_map(Node::as_str).collect(),
        _ => Vec::new(),
    }
}

fn loggers(root: &Node) -> Vec<Logger<'_>> {
    let named = entries(root, "loggers").map(|(name, node)| (name, format!("loggers.{}", quoted_key(name)), node));
    let root_entry = root.get("root").map(|node| ("", "root".to_owned(), node));
    let logger = |(name, path, node): (&str, String, &'_ Node)| -> (String, String, Option<At>) {
        (if name == "root" { String::new() } else { name.replace("::", ".") }, path, node.at)
    };
    named
        .chain(root_entry)
        .map(|entry| {
            let node = entry.2;
            let (name, path, at) = logger(entry);
            let level = node.get("level").and_then(|level| keywords::level(level, false).ok());
            let propagate = node.get("propagate").is_none_or(Node::is_true);
            Logger { name, path, at, level, propagate, handlers: names(node.get("handlers")) }
        })
        .collect()
}

fn class(node: &Node) -> &str {
    node.get("()").or_else(|| node.get("class")).and_then(Node::as_str).unwrap_or_default()
}

fn path_of(name: &str) -> String {
    format!("handlers.{}", quoted_key(name))
}

fn files(handlers: &[(&str, &Node)], found: &mut Vec<Problem>) {
    let mut by_file: BTreeMap<PathBuf, &str> = BTreeMap::new();
    for (name, node) in handlers {
        let Some(file) = node.get("filename") else { continue };
        let Some(path) = file.as_str().and_then(|path| std::path::absolute(path).ok()) else { continue };
        match by_file.get(&path) {
            Some(other) => {
                let message = format!(
                    "the handler {other:?} writes to this file, too: their lines mix, and only one can rotate it"
                );
                found.push(Problem::new(format!("{}.filename", path_of(name)), file.at, message));
            }
            None => drop(by_file.insert(path, name)),
        }
        let endless = match class(node).rsplit('.').next().unwrap_or_default() {
            "FileHandler" | "file" => true,
            "RotatingFileHandler" | "rotating" => {
                let zero = |key: &str| node.get(key).is_none_or(|node| !node.is_true());
                zero("maxBytes") || zero("backupCount")
            }
            _ => false,
        };
        if endless {
            let message = "the file grows without end: nothing rotates it (RotatingFileHandler, TimedRotatingFileHandler, or logrotate with WatchedFileHandler)";
            found.push(Problem::new(path_of(name), node.at, message));
        }
    }
}

/// The logger itself, then those above that its records go to.
fn upwards<'l, 'c>(loggers: &'l [Logger<'c>], start: &'l Logger<'c>) -> Vec<&'l Logger<'c>> {
    let mut way = vec![start];
    let mut above: Vec<_> = loggers
        .iter()
        .filter(|other| other.name != start.name && (other.name.is_empty() || is_below(&start.name, &other.name)))
        .collect();
    above.sort_by_key(|logger| std::cmp::Reverse(logger.name.len()));
    let mut goes_on = start.propagate;
    for logger in above {
        if !goes_on {
            break;
        }
        way.push(logger);
        goes_on = logger.propagate;
    }
    way
}

fn twice(loggers: &[Logger<'_>], found: &mut Vec<Problem>) {
    for logger in loggers {
        for above in upwards(loggers, logger).into_iter().skip(1) {
            for name in logger.handlers.iter().filter(|name| above.handlers.contains(name)) {
                let message =
                    format!("records come to {name:?} twice: it hangs on {}, too, and they propagate", above.path);
                found.push(Problem::new(format!("{}.handlers", logger.path), logger.at, message));
            }
        }
        if logger.handlers.is_empty() && !logger.propagate && !logger.name.is_empty() {
            let message = "it has no handlers, and does not propagate: its records go to the last resort";
            found.push(Problem::new(&logger.path, logger.at, message));
        }
    }
}

/// The level that counts for a logger.
fn effective(loggers: &[Logger<'_>], logger: &Logger<'_>) -> Severity {
    let mut way: Vec<_> = (loggers.iter())
        .filter(|other| other.name == logger.name || other.name.is_empty() || is_below(&logger.name, &other.name))
        .collect();
    way.sort_by_key(|logger| std::cmp::Reverse(logger.name.len()));
    way.into_iter().find_map(|logger| logger.level).unwrap_or(Severity::WARN)
}

fn unreachable(handlers: &[(&str, &Node)], loggers: &[Logger<'_>], found: &mut Vec<Problem>) {
    for (name, node) in handlers {
        let Some(at_level) = node.get("level") else { continue };
        let Ok(level) = keywords::level(at_level, false) else { continue };
        let reaching =
            loggers.iter().filter(|logger| upwards(loggers, logger).iter().any(|above| above.handlers.contains(name)));
        let Some(least) = reaching.map(|logger| effective(loggers, logger)).min() else { continue };
        if level < least && level != Severity::ALL {
            let message =
                format!("nothing below {least} comes here: that is the lowest level of the loggers that lead to it");
            found.push(Problem::new(format!("{}.level", path_of(name)), at_level.at, message));
        }
    }
}

fn unused(
    root: &Node,
    handlers: &[(&str, &Node)],
    loggers: &[Logger<'_>],
    registry: &Registry,
    found: &mut Vec<Problem>,
) {
    let refers = |node: &Node, wanted: &str| {
        let keys = ["target", "handlers"];
        let falls_back = names(node.get("strata").and_then(|ours| ours.get("or_else"))).contains(&wanted);
        let names_it = || keys.iter().any(|key| names(node.get(key)).contains(&wanted));
        falls_back || (registry.find_handler(class(node)).is_some() && names_it())
    };
    for (name, node) in handlers {
        let hangs = loggers.iter().any(|logger| logger.handlers.contains(name));
        if !hangs && !handlers.iter().any(|(_, other)| refers(other, name)) {
            found.push(Problem::new(path_of(name), node.at, "no logger and no other handler uses it"));
        }
    }
    for (name, node) in entries(root, "formatters") {
        if !handlers.iter().any(|(_, handler)| names(handler.get("formatter")).contains(&name)) {
            found.push(Problem::new(format!("formatters.{}", quoted_key(name)), node.at, "no handler uses it"));
        }
    }
    for (name, node) in entries(root, "filters") {
        let users = handlers
            .iter()
            .map(|(_, node)| *node)
            .chain(entries(root, "loggers").map(|(_, node)| node))
            .chain(root.get("root"));
        let asks = |user: &&Node| names(user.get("filters")).contains(&name);
        let asking = users.filter(asks).count();
        let path = format!("filters.{}", quoted_key(name));
        let picks = handlers.iter().any(|(_, handler)| names(handler.get("pick")).contains(&name));
        if asking == 0 && !picks {
            found.push(Problem::new(path, node.at, "no handler and no logger uses it"));
        } else if asking > 1 && filters::counts(class(node)) {
            let message = "it counts for all that ask it, and more than one does: declare one for each";
            found.push(Problem::new(path, node.at, message));
        }
    }
}

/// Handlers that hand on, with nobody to hand on to.
fn nowhere(handlers: &[(&str, &Node)], registry: &Registry, found: &mut Vec<Problem>) {
    for (name, node) in handlers {
        let Some(HandlerMaker::Class(class)) = registry.find_handler(class(node)) else { continue };
        let Some(key) = class.refers.filter(|key| names(node.get(key)).is_empty()) else { continue };
        let message = match key {
            "target" => "it has no target: unless it is given one while it runs, what it holds goes nowhere",
            _ => "it has no handlers: what it gets is dropped",
        };
        found.push(Problem::new(path_of(name), node.at, message));
    }
}

/// `https://user:password@host`
fn secrets(node: &Node, path: &str, found: &mut Vec<Problem>) {
    match &node.data {
        Data::Str(text) => {
            let authority =
                text.split_once("://").map(|(_, rest)| rest.split(['/', '?', '#']).next().unwrap_or_default());
            let user = authority.and_then(|authority| authority.rsplit_once('@')).map(|(user, _)| user);
            if user.is_some_and(|user| user.split_once(':').is_some_and(|(_, secret)| !secret.is_empty())) {
                // Without the text: this is going to be printed.
                let message =
                    "a password stands in this address; `${NAME}` of the environment keeps it out of the file";
                found.push(Problem::new(path, node.at, message));
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
