//! One handler from its spec.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    HandlerExt as _, Queue,
    config::{
        class::{BuildContext, as_target},
        classes,
        config_filter::ConfigFilter,
        configured_handler::{ConfiguredHandler, Output},
        error::{ConfigError, cannot_resolve},
        formatting::Formatting,
        handler_args::HandlerArgs,
        node::{Data, Map, Node},
        registry::HandlerMaker,
        setup::Setup,
        unknown_class,
    },
    handler::queue::{Overflow, QueueBuilder},
};

/// The keys of every handler.
pub(in crate::config) const COMMON_KEYS: &[&str] = &["class", "()", "level", "formatter", "filters", ".", "strata"];

/// The keys under `strata`, for suggestions.
pub(in crate::config) const STRATA_KEYS: &[&str] = &[
    "queue",
    "fallback",
    "direct",
    "create_dirs",
    "permissions",
    "buffer",
    "flush_on",
    "sync_on",
    "sync_every",
    "sync_interval",
    "watch_interval",
    "max_age_days",
    "max_total_bytes",
    "compression",
    "compression_level",
    "latest",
    "locking",
    "alignment",
    "zone",
    "form",
    "host",
    "app",
    "process_id",
    "sd_id",
    "structured_data",
    "elements",
    "token",
    "max_bytes",
    "bom",
    "escape_values",
    "multi_line",
    "source",
    "thread",
    "format",
    "process_name",
    "framing",
    "tls",
    "backoff",
    "connect_timeout",
    "write_timeout",
    "reconnect_timeout",
    "limit",
    "oversize",
    "gelf",
    "socket",
    "timestamp",
    "delay",
    "or_journal",
    "capacity",
    "overflow",
    "block_for",
    "priority_level",
    "flush_timeout",
    "report_every",
    "timeout",
    "proxy",
    "retry_for",
    "check_answer",
    "spool",
];

/// The declaration of one handler with its surroundings.
pub(in crate::config) struct HandlerSpec<'o> {
    pub(in crate::config) name: &'o str,
    pub(in crate::config) path: &'o str,
    pub(in crate::config) node: &'o Node,
    pub(in crate::config) is_ini: bool,
    pub(in crate::config) filters: &'o BTreeMap<String, (Node, ConfigFilter)>,
    pub(in crate::config) turn: Turn,
}

/// Why an output is made.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::config) enum Turn {
    /// To check it: the application's own classes are left out.
    Check,
    Make,
    /// A detail of a running handler has changed.
    Replace,
}

/// Makes the output of a handler; `None` after reporting why not.
pub(in crate::config) fn make_output(
    setup: &Setup,
    spec: &HandlerSpec<'_>,
    formatting: &Arc<Formatting>,
    find_handler: &dyn Fn(&str) -> Option<Arc<ConfiguredHandler>>,
    problems: &mut Vec<ConfigError>,
) -> Option<Output> {
    let HandlerSpec { name, path, node, .. } = *spec;
    let map = node.as_map()?;
    let (key, class) = match map.get("()") {
        Some(class) => ("()", Some(class)),
        None => ("class", map.get("class")),
    };
    let Some(class) = class.filter(|class| !class.is_null()) else {
        let keys = map.iter().map(|(key, _)| &*key.text);
        let problem = ConfigError::new(path, node.at, "expected the key \"class\" (or \"()\")").python("class");
        problems.push(problem.instead("class", keys));
        return None;
    };
    let Some(class_name) = class.as_str() else {
        problems.push(ConfigError::new(format!("{path}.{key}"), class.at, format!("expected a name, got {class}")));
        return None;
    };
    let class_name = class_name.strip_prefix("ext://").unwrap_or(class_name);
    let Some(maker) = setup.registry.find_handler(class_name).cloned() else {
        let known = setup.registry.handler_names();
        let message = unknown_class::problem("handler", class_name);
        let problem = ConfigError::new(format!("{path}.{key}"), class.at, message);
        problems.push(problem.python(cannot_resolve(class_name)).nearest_dotted(class_name, known));
        return None;
    };
    let positional = match &maker {
        HandlerMaker::Class(class) if spec.is_ini => name_args(map, class.keys, path, problems),
        HandlerMaker::Custom(_) if spec.is_ini && has_no_args(map) => name_args(map, &[], path, problems),
        _ => None,
    };
    let map = positional.as_ref().unwrap_or(map);
    let python_name = match &maker {
        // Messages use Python's name, whatever the configuration uses.
        HandlerMaker::Class(class) => class.names[0],
        HandlerMaker::Custom(_) => class_name,
    };
    let args = setup.args(path, node.at, python_name, map);
    let empty = Map::default();
    let under = |key: &str| map.get(key).and_then(Node::as_map).unwrap_or(&empty);
    let attributes = setup.args(format!("{path}.."), node.at, python_name, under("."));
    let strata = setup.args(format!("{path}.strata"), node.at, "strata", under("strata"));
    for key in [".", "strata"] {
        if let Some(node) = map.get(key).filter(|node| !node.is_null() && node.as_map().is_none()) {
            problems.push(ConfigError::new(
                format!("{path}.{key}"),
                node.at,
                format!("expected a mapping, got {node}"),
            ));
        }
    }
    if let Some(terminator) = attributes.str("terminator") {
        formatting.set_terminator(&terminator);
    }
    let fallback = strata.str("fallback").and_then(|name| find_handler(&name));
    let queued_by_default = matches!(&maker, HandlerMaker::Class(class) if class.queued);
    let queued = queue_in_front(&strata, map, setup, queued_by_default);
    let context = BuildContext {
        name,
        args: &args,
        attributes: &attributes,
        strata: &strata,
        formatting,
        has_formatter: node.has_formatter(),
        as_python: setup.as_python,
        clock: setup.clock.as_ref(),
        find_handler,
        filters: spec.filters,
        queued: queued.is_some(),
        has_fallback: fallback.is_some(),
        is_replacement: spec.turn == Turn::Replace,
    };
    let (keys, known_attributes): (&[&str], &[&str]) = match &maker {
        HandlerMaker::Class(class) => (class.keys, class.attributes),
        HandlerMaker::Custom(_) => (&[], &["terminator"]),
    };
    let is_left_out = spec.turn == Turn::Check && matches!(maker, HandlerMaker::Custom(_));
    let made = match &maker {
        HandlerMaker::Class(class) => (class.make)(&context),
        HandlerMaker::Custom(_) if is_left_out => Ok(Output::plain(crate::output::Null)),
        HandlerMaker::Custom(make) => make(&args, formatting.lines()).map(Output::plain),
    };
    if made.as_ref().map_or(true, |output| output.is_placeholder) {
        // Not all was read.
        args.accept(keys);
        attributes.accept(known_attributes);
        strata.accept(STRATA_KEYS);
    }
    let made = made.map(|output| match &fallback {
        None => output,
        Some(configured) => {
            let fallback = as_target(Arc::clone(configured), true);
            Output { handler: output.handler.fallback(fallback).boxed(), ..output }
        }
    });
    let made = made.and_then(|output| match queued {
        None => Ok(output),
        Some((builder, limits)) => {
            let builder = classes::set_limits(builder, &limits);
            problems.extend(limits.finish(&[], &[]));
            let queue = Arc::new(builder.build_stopped(output.handler)?);
            let output = Output { handler: Box::new(Arc::clone(&queue)), ..output };
            Ok(output.started_by(move || queue.start()))
        }
    });
    if !is_left_out {
        problems.extend(args.finish(keys, COMMON_KEYS));
    }
    problems.extend(attributes.finish(known_attributes, &[]));
    if !setup.as_python || map.get("strata").is_some() {
        problems.extend(strata.finish(STRATA_KEYS, &["queue"]));
    }
    match made {
        Ok(output) => problems.is_empty().then_some(output),
        Err(error) => {
            if problems.is_empty() {
                problems.push(ConfigError::new(path, node.at, error.to_string()).python(error.to_string()));
            }
            None
        }
    }
}

/// The queue in front of a handler, by `strata.queue` and `direct`.
fn queue_in_front<'m>(
    strata: &HandlerArgs<'m>,
    map: &'m Map,
    setup: &'m Setup,
    by_default: bool,
) -> Option<(QueueBuilder, HandlerArgs<'m>)> {
    static NONE: Map = Map(Vec::new());
    let is_direct = by_default && strata.bool("direct").unwrap_or(setup.as_python);
    let node = map.get("strata").and_then(|strata| strata.get("queue"));
    let limits = match node.map(|node| &node.data) {
        None | Some(Data::Null) if by_default && !is_direct => &NONE,
        Some(Data::Bool(true)) => &NONE,
        Some(Data::Map(limits)) => limits,
        None | Some(Data::Bool(false) | Data::Null) => return None,
        Some(_) => {
            strata.report(strata.wrong("queue", format!("expected true or a mapping, got {}", node?)));
            return None;
        }
    };
    let path = format!("{}.queue", strata.path());
    // Callers must not wait for a peer that may be gone.
    let builder = if by_default { Queue::builder().overflow(Overflow::DropNewest) } else { Queue::builder() };
    let at = node.and_then(|node| node.at);
    Some((builder, setup.args(path, at, "queue", limits)))
}

/// Whether `args` is `()`.
fn has_no_args(map: &Map) -> bool {
    map.get("args").and_then(Node::as_list).is_some_and(<[Node]>::is_empty)
}

/// Moves the positional `args` to their names.
pub(super) fn name_args(map: &Map, keys: &[&str], path: &str, problems: &mut Vec<ConfigError>) -> Option<Map> {
    let args = map.get("args")?.as_list()?;
    let mut named = Map(map.0.iter().filter(|(key, _)| key.text != "args").cloned().collect());
    let mut extra = 0;
    for (index, value) in args.iter().enumerate() {
        match keys.get(index) {
            Some(key) if named.get(key).is_none() => named.set(key, value.clone()),
            Some(key) => {
                problems.push(ConfigError::new(format!("{path}.args"), value.at, format!("{key:?} is given twice")));
            }
            None => extra += 1,
        }
    }
    if extra > 0 {
        let message = format!("expected at most {} arguments, got {}", keys.len(), args.len());
        problems.push(ConfigError::new(format!("{path}.args"), map.get("args").and_then(|node| node.at), message));
    }
    Some(named)
}
