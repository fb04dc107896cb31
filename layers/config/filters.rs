//! `filters`: what a configuration says about filters.

use std::sync::Arc;

use super::{
    Setup, formatters::cannot_resolve, keywords::HandlerArgs, node::Node, problem::ConfigError, sieve::ConfigFilter,
};
use crate::{
    Error,
    filter::{RateLimit, Sample},
};

/// One entry of `filters`.
pub(super) fn make(setup: &Setup, path: &str, node: &Node) -> Result<ConfigFilter, Vec<ConfigError>> {
    let Some(map) = node.as_map() else {
        return Err(vec![ConfigError::new(path, node.at, format!("expected a mapping, got {node}"))]);
    };
    let key = if map.get("()").is_some() { "()" } else { "class" };
    let Some(class) = map.get(key).filter(|class| !class.is_null()) else {
        let keywords = HandlerArgs::new(path, node.at, "Filter", map, &setup.registry, setup.as_python);
        let name = keywords.str("name").unwrap_or_default();
        let problems = if setup.as_python { Vec::new() } else { keywords.finish(&[], &[]) };
        return if problems.is_empty() { Ok(below(&name)) } else { Err(problems) };
    };
    let name = class.as_str().map(|name| name.strip_prefix("ext://").unwrap_or(name));
    let Some(name) = name else {
        return Err(vec![ConfigError::new(format!("{path}.{key}"), class.at, format!("expected a name, got {class}"))]);
    };
    let keywords = HandlerArgs::new(path, node.at, name, map, &setup.registry, setup.as_python);
    let made = match OWN.iter().find(|(names, _)| names.contains(&name)) {
        Some((_, make)) => Some(make(&keywords, setup)),
        None => setup.registry.make_filter(name, &keywords),
    };
    let problems = keywords.finish(&[], &["()", "class", "."]);
    match made {
        None => {
            let message = format!("no filter is registered as {name:?}");
            let ours = OWN.iter().flat_map(|(names, _)| names.iter().copied());
            let known = setup.registry.filter_names().chain(ours);
            let problem = ConfigError::new(format!("{path}.{key}"), class.at, message).python(cannot_resolve(name));
            Err(vec![problem.nearest(name, known)])
        }
        Some(_) if !problems.is_empty() => Err(problems),
        Some(Ok(sieve)) => Ok(sieve),
        Some(Err(error)) => Err(vec![ConfigError::new(path, node.at, error.to_string()).python(error.to_string())]),
    }
}

type Make = fn(&HandlerArgs<'_>, &Setup) -> Result<ConfigFilter, Error>;

/// Those that need no registry.
const OWN: &[(&[&str], Make)] = &[
    (&["logging.Filter", "Filter"], |keywords, _| Ok(below(&keywords.str("name").unwrap_or_default()))),
    (&["rate_limit", "tracing_strata.filter.RateLimit"], |keywords, setup| Ok(rate_limit(keywords, setup))),
    (&["sample", "tracing_strata.filter.Sample"], |keywords, setup| Ok(sample(keywords, setup))),
];

pub(super) fn is_own(name: &str) -> bool {
    OWN.iter().any(|(names, _)| names.contains(&name))
}

/// Whether it counts the records it is asked about, so that two that ask it are counted together.
pub(super) fn counts(name: &str) -> bool {
    is_own(name) && !name.ends_with("Filter")
}

fn rate_limit(keywords: &HandlerArgs<'_>, setup: &Setup) -> ConfigFilter {
    keywords.require("most");
    keywords.require("per");
    let mut limit = RateLimit::new(small(keywords, "most"), keywords.seconds("per").unwrap_or_default());
    for field in keywords.texts("by").unwrap_or_default() {
        limit = limit.by(field);
    }
    if let Some(least) = keywords.level("exempt") {
        limit = limit.always_pass_from(least);
    }
    if let Some(keys) = keywords.size("max_keys") {
        limit = limit.max_keys(keys);
    }
    if let Some(clock) = &setup.clock {
        limit = limit.clock(Arc::clone(clock));
    }
    ConfigFilter::decides(limit)
}

fn sample(keywords: &HandlerArgs<'_>, setup: &Setup) -> ConfigFilter {
    keywords.require("one_in");
    let one_in = small(keywords, "one_in");
    let is_by_trace = keywords.bool("traces") == Some(true);
    let mut sample = if is_by_trace { Sample::traces(one_in) } else { Sample::one_in(one_in) };
    for field in keywords.texts("by").unwrap_or_default() {
        sample = sample.by(field);
    }
    if let Some(least) = keywords.level("exempt") {
        sample = sample.always_pass_from(least);
    }
    if let Some(time) = keywords.seconds("tell_after") {
        sample = sample.summary_interval(time);
    }
    if let Some(keys) = keywords.size("max_keys") {
        sample = sample.max_keys(keys);
    }
    if let Some(clock) = &setup.clock {
        sample = sample.clock(Arc::clone(clock));
    }
    ConfigFilter::decides(sample)
}

fn small(keywords: &HandlerArgs<'_>, name: &str) -> u32 {
    match keywords.integer(name).map(u32::try_from) {
        None => 1,
        Some(Ok(number)) if number > 0 => number,
        Some(_) => {
            let node = keywords.node(name);
            node.and_then(|node| keywords.expected(name, node, "1 or more, of 32 bits")).unwrap_or(1)
        }
    }
}

/// `logging.Filter(name)`: the root's records are called `root`.
fn below(name: &str) -> ConfigFilter {
    let name = name.to_owned();
    ConfigFilter::decides(move |record: &crate::Record| {
        let target = if record.target().is_empty() { "root" } else { record.target() };
        name.is_empty() || crate::record::is_below(target, &name)
    })
}
