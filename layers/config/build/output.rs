//! One handler from its declaration.

use std::{cell::RefCell, collections::BTreeMap, sync::Arc};

use crate::{
    HandlerExt as _, NamedHandler, Queue,
    config::{
        Setup, classes,
        classes::Making,
        formatters::cannot_resolve,
        keywords::HandlerArgs,
        node::{Data, Map, Node},
        problem::ConfigError,
        registry::HandlerMaker,
        sieve::ConfigFilter,
        slot::{Dress, Output, Slot, Target},
    },
    handler::queue::{Overflow, QueueBuilder},
};

/// The keys that every handler has.
const COMMON: &[&str] = &["class", "()", "level", "formatter", "filters", ".", "strata"];
/// What is ours, under `strata`, for suggestions.
const OURS: &[&str] = &[
    "queue",
    "or_else",
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
    "sharing",
    "grid",
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
    "retry",
    "connect_deadline",
    "write_deadline",
    "patience",
    "limit",
    "oversize",
    "gelf",
    "socket",
    "timestamp",
    "delay",
    "deadline",
    "or_journal",
];

/// One handler to be made.
pub(in crate::config) struct Order<'o> {
    pub(in crate::config) name: &'o str,
    pub(in crate::config) path: &'o str,
    pub(in crate::config) node: &'o Node,
    pub(in crate::config) map: &'o Map,
    pub(in crate::config) is_ini: bool,
    pub(in crate::config) has_formatter: bool,
    pub(in crate::config) filters: &'o BTreeMap<String, (Node, ConfigFilter)>,
    pub(in crate::config) goes_on: bool,
}

/// The output of a handler; `None` where problems stand in the way.
pub(in crate::config) fn make_output(
    setup: &Setup,
    order: &Order<'_>,
    dress: &Arc<Dress>,
    finished: &dyn Fn(&str) -> Option<Arc<Slot>>,
    problems: &mut Vec<ConfigError>,
) -> Option<Output> {
    let Order { name, path, node, map, .. } = *order;
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
        let problem =
            ConfigError::new(format!("{path}.{key}"), class.at, format!("no handler is registered as {class_name:?}"));
        problems.push(problem.python(cannot_resolve(class_name)).nearest_dotted(class_name, known));
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
    let keywords = HandlerArgs::new(path, node.at, python_name, map, &setup.registry, setup.as_python);
    let empty = Map::default();
    let under = |key: &str| map.get(key).and_then(Node::as_map).unwrap_or(&empty);
    let dot_path = format!("{path}..");
    let attributes =
        HandlerArgs::new(dot_path.clone(), node.at, python_name, under("."), &setup.registry, setup.as_python);
    let ours = HandlerArgs::new(
        format!("{path}.strata"),
        node.at,
        "strata",
        under("strata"),
        &setup.registry,
        setup.as_python,
    );
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
        dress.set_terminator(&terminator);
    }
    let fallback = ours.str("or_else").and_then(|name| finished(&name));
    let is_queued = matches!(&maker, HandlerMaker::Class(class) if class.queued);
    let queued = queue_in_front(&ours, map, setup, is_queued);
    let making = Making {
        name,
        keywords: &keywords,
        attributes: &attributes,
        ours: &ours,
        dress,
        has_formatter: order.has_formatter,
        setup,
        finished,
        filters: order.filters,
        queued: queued.is_some(),
        has_fallback: fallback.is_some(),
        goes_on: order.goes_on,
    };
    let made = match &maker {
        HandlerMaker::Class(class) => (class.make)(&making),
        HandlerMaker::Own(make) => HandlerMaker::own(&**make, &keywords, dress.lines()),
    };
    let (keys, known_attributes): (&[&str], &[&str]) = match &maker {
        HandlerMaker::Class(class) => (class.keys, class.attributes),
        HandlerMaker::Own(_) => (&[], &["terminator"]),
    };
    let made = made.map(|output| match &fallback {
        None => output,
        Some(slot) => {
            let Output { handler, control } = output;
            // On its own account, as whatever else comes to it.
            let fallback =
                NamedHandler::sharing_ledger(slot.ledger(), Target { slot: Arc::clone(slot), with_level: true });
            Output { handler: handler.fallback(fallback).boxed(), control }
        }
    });
    let made = made.and_then(|output| match queued {
        None => Ok(output),
        Some((builder, limits)) => {
            let builder = classes::limits(builder, &limits);
            problems.extend(limits.finish(classes::LIMITS, &[]));
            let Output { handler, control } = output;
            let queue: Queue = builder.build(handler)?;
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
                problems.push(ConfigError::new(path, node.at, error.to_string()).python(error.to_string()));
            }
            None
        }
    }
}

/// `strata.queue` of a handler, and `direct`; `is_usual` if such a handler has a queue where nothing is said.
fn queue_in_front<'m>(
    ours: &HandlerArgs<'m>,
    map: &'m Map,
    setup: &'m Setup,
    is_usual: bool,
) -> Option<(QueueBuilder, HandlerArgs<'m>)> {
    static NONE: Map = Map(Vec::new());
    let is_direct = is_usual && ours.bool("direct").unwrap_or(setup.as_python);
    let node = map.get("strata").and_then(|ours| ours.get("queue"));
    let limits = match node.map(|node| &node.data) {
        None | Some(Data::Null) if is_usual && !is_direct => &NONE,
        Some(Data::Bool(true)) => &NONE,
        Some(Data::Map(limits)) => limits,
        None | Some(Data::Bool(false) | Data::Null) => return None,
        Some(_) => {
            ours.note(ours.wrong("queue", format!("expected true or a mapping, got {}", node?)));
            return None;
        }
    };
    let path = format!("{}.queue", ours.path());
    // Nobody waits for a peer that may go away.
    let builder = if is_usual { Queue::builder().overflow(Overflow::DropNewest) } else { Queue::builder() };
    let at = node.and_then(|node| node.at);
    Some((builder, HandlerArgs::new(path, at, "queue", limits, &setup.registry, setup.as_python)))
}

/// `args` by their names.
pub(super) fn with_names(map: &Map, keys: &[&str], path: &str, problems: &mut Vec<ConfigError>) -> Option<Map> {
    let args = map.get("args")?.as_list()?;
    let mut named = Map(map.0.iter().filter(|(key, _)| key.text != "args").cloned().collect());
    let found = RefCell::new(0);
    for (index, value) in args.iter().enumerate() {
        match keys.get(index) {
            Some(key) if named.get(key).is_none() => named.set(key, value.clone()),
            Some(key) => {
                problems.push(ConfigError::new(format!("{path}.args"), value.at, format!("{key:?} is given twice")));
            }
            None => *found.borrow_mut() += 1,
        }
    }
    if found.into_inner() > 0 {
        let message = format!("expected at most {} arguments, got {}", keys.len(), args.len());
        problems.push(ConfigError::new(format!("{path}.args"), map.get("args").and_then(|node| node.at), message));
    }
    Some(named)
}
