//! The section `filters`.

use std::sync::Arc;

use super::third_party;
use crate::{
    Error,
    config::{
        config_filter::ConfigFilter,
        error::{ConfigError, cannot_resolve},
        handler_args::{HandlerArgs, SetIfSome as _},
        node::Node,
        setup::Setup,
    },
    filter::{RateLimit, Sample},
};

/// Makes a filter from an entry of `filters`.
pub(in crate::config) fn make(setup: &Setup, path: &str, node: &Node) -> Result<ConfigFilter, Vec<ConfigError>> {
    let Some(map) = node.as_map() else {
        return Err(vec![ConfigError::new(path, node.at, format!("expected a mapping, got {node}"))]);
    };
    let key = if map.get("()").is_some() { "()" } else { "class" };
    let Some(class) = map.get(key).filter(|class| !class.is_null()) else {
        let args = setup.args(path, node.at, "Filter", map);
        let name = args.str("name").unwrap_or_default();
        let problems = if setup.as_python { Vec::new() } else { args.finish(&[], &[]) };
        return if problems.is_empty() { Ok(name_filter(&name)) } else { Err(problems) };
    };
    let name = class.as_str().map(|name| name.strip_prefix("ext://").unwrap_or(name));
    let Some(name) = name else {
        return Err(vec![ConfigError::new(format!("{path}.{key}"), class.at, format!("expected a name, got {class}"))]);
    };
    let args = setup.args(path, node.at, name, map);
    let made = match FILTERS.iter().find(|(names, _)| names.contains(&name)) {
        Some((_, make)) => Some(make(&args, setup)),
        None => {
            let registered = setup.registry.make_filter(name, &args);
            registered.or_else(|| third_party::make_filter(name, setup, &args).map(Ok))
        }
    };
    let problems = args.finish(&[], &["()", "class", "."]);
    match made {
        None => {
            let message = format!("no filter is registered as {name:?}");
            let standard = FILTERS.iter().flat_map(|(names, _)| names.iter().copied());
            let standard = standard.chain(third_party::filter_names());
            let known = setup.registry.filter_names().chain(standard);
            let problem = ConfigError::new(format!("{path}.{key}"), class.at, message).python(cannot_resolve(name));
            Err(vec![problem.nearest(name, known)])
        }
        Some(_) if !problems.is_empty() => Err(problems),
        Some(Ok(filter)) => Ok(filter),
        Some(Err(error)) => Err(vec![ConfigError::new(path, node.at, error.to_string()).python(error.to_string())]),
    }
}

pub(in crate::config) type Make = fn(&HandlerArgs<'_>, &Setup) -> Result<ConfigFilter, Error>;

/// The filters of this crate.
const FILTERS: &[(&[&str], Make)] = &[
    (&["logging.Filter", "Filter"], |args, _| Ok(name_filter(&args.str("name").unwrap_or_default()))),
    (&["rate_limit", "tracing_strata.filter.RateLimit"], |args, setup| Ok(rate_limit(args, setup))),
    (&["sample", "tracing_strata.filter.Sample"], |args, setup| Ok(sample(args, setup))),
    #[cfg(feature = "redact")]
    (&["redact", "tracing_strata.filter.Redact"], |args, _| Ok(redact(args))),
];

/// The filters of this crate with what makes them.
pub(in crate::config) fn known_classes() -> impl Iterator<Item = (&'static str, Make)> {
    FILTERS.iter().flat_map(|(names, make)| names.iter().map(|name| (*name, *make)))
}

/// Whether no registry is needed to know the class.
pub(in crate::config) fn is_standard(name: &str) -> bool {
    FILTERS.iter().any(|(names, _)| names.contains(&name)) || third_party::has_filter(name)
}

/// Whether the filter counts records, so that its users share one count.
pub(in crate::config) fn counts(name: &str) -> bool {
    FILTERS.iter().any(|(names, _)| names.contains(&name)) && !name.ends_with("Filter")
}

fn rate_limit(args: &HandlerArgs<'_>, setup: &Setup) -> ConfigFilter {
    args.require("most");
    args.require("per");
    let mut limit = RateLimit::new(small(args, "most"), args.seconds("per").unwrap_or_default());
    for field in args.texts("by").unwrap_or_default() {
        limit = limit.by(field);
    }
    limit = limit
        .set_if_some(args.level("always_pass_from"), RateLimit::always_pass_from)
        .set_if_some(args.size("max_keys"), RateLimit::max_keys);
    if let Some(clock) = &setup.clock {
        limit = limit.clock(Arc::clone(clock));
    }
    ConfigFilter::decides(limit)
}

fn sample(args: &HandlerArgs<'_>, setup: &Setup) -> ConfigFilter {
    args.require("one_in");
    let one_in = small(args, "one_in");
    let is_by_trace = args.bool("traces") == Some(true);
    let mut sample = if is_by_trace { Sample::traces(one_in) } else { Sample::one_in(one_in) };
    for field in args.texts("by").unwrap_or_default() {
        sample = sample.by(field);
    }
    sample = sample
        .set_if_some(args.level("always_pass_from"), Sample::always_pass_from)
        .set_if_some(args.seconds("summary_interval"), Sample::summary_interval)
        .set_if_some(args.size("max_keys"), Sample::max_keys);
    if let Some(clock) = &setup.clock {
        sample = sample.clock(Arc::clone(clock));
    }
    ConfigFilter::decides(sample)
}

#[cfg(feature = "redact")]
fn redact(args: &HandlerArgs<'_>) -> ConfigFilter {
    use crate::filter::{Action, Pattern, Redact, Transform as _};

    let mut redact = if args.bool("defaults") == Some(false) { Redact::new() } else { Redact::secrets() };
    redact = redact.keys(args.texts("keys").unwrap_or_default());
    for name in args.texts("patterns").unwrap_or_default() {
        match Pattern::ALL.into_iter().find(|pattern| pattern.name() == name) {
            Some(pattern) => redact = redact.patterns([pattern]),
            None => {
                let problem = args.wrong("patterns", format!("there is no pattern {name:?}"));
                args.report(problem.nearest(&name, Pattern::ALL.map(Pattern::name)));
            }
        }
    }
    for (name, expression) in args.pairs("own_patterns").unwrap_or_default() {
        match redact.clone().own_pattern(name, &expression) {
            Ok(more) => redact = more,
            Err(error) => args.report(args.wrong("own_patterns", error.to_string())),
        }
    }
    let actions = [("label", Action::Label), ("remove", Action::Remove), ("hash", Action::Hash)];
    redact = redact.set_if_some(args.choice("action", &actions), Redact::action);
    if let Some(keep) = args.integer("keep_last") {
        match u8::try_from(keep) {
            Ok(keep) if !args.has("action") => redact = redact.action(Action::Mask(keep)),
            Ok(_) => args.reject_unused(&["keep_last"], "an action is given"),
            Err(_) => args.report(args.wrong("keep_last", "expected 0 to 255")),
        }
    }
    ConfigFilter::changes(move |record| {
        redact.transform(record);
        true
    })
}

fn small(args: &HandlerArgs<'_>, name: &str) -> u32 {
    match args.integer(name).map(u32::try_from) {
        None => 1,
        Some(Ok(number)) if number > 0 => number,
        Some(_) => {
            let node = args.node(name);
            node.and_then(|node| args.expected(name, node, "1 or more, of 32 bits")).unwrap_or(1)
        }
    }
}

/// `logging.Filter(name)`. The root's records have the name `root`.
fn name_filter(name: &str) -> ConfigFilter {
    let name = name.to_owned();
    ConfigFilter::decides(move |record: &crate::Record| {
        let target = if record.target().is_empty() { "root" } else { record.target() };
        name.is_empty() || crate::record::is_below(target, &name)
    })
}
