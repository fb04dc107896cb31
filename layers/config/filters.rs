//! `filters`: what a configuration says about filters.

use super::{Setup, formatters::cannot_resolve, keywords::Keywords, node::Node, problem::Problem, sieve::Sieve};

/// One entry of `filters`.
pub(super) fn make(setup: &Setup, path: &str, node: &Node) -> Result<Sieve, Vec<Problem>> {
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
