//! Expands `${VAR:-default}` while a configuration is loaded.

use crate::config::{
    error::ConfigError,
    node::{Data, Node},
};

/// Expands all strings outside of `formatters`, where `${name}` is an attribute of records.
pub(in crate::config) fn expand(
    node: &mut Node,
    lookup: &dyn Fn(&str) -> Option<String>,
    problems: &mut Vec<ConfigError>,
) {
    let Some(map) = node.as_map_mut() else { return };
    for (key, node) in &mut map.0 {
        if key.text != "formatters" {
            walk(node, &key.text, lookup, problems);
        }
    }
}

fn walk(node: &mut Node, path: &str, lookup: &dyn Fn(&str) -> Option<String>, problems: &mut Vec<ConfigError>) {
    match &mut node.data {
        Data::Str(text) if text.contains("${") => match expanded(text, lookup) {
            // A value that is one variable may be a number or a bool.
            Ok(expanded) if text.starts_with("${") && text.find('}') == Some(text.len() - 1) => {
                node.data = typed(expanded)
            }
            Ok(expanded) => *text = expanded,
            Err(message) => problems.push(ConfigError::new(path, node.at, message)),
        },
        Data::List(list) => {
            for (index, node) in list.iter_mut().enumerate() {
                walk(node, &format!("{path}[{index}]"), lookup, problems);
            }
        }
        Data::Map(map) => {
            for (key, node) in &mut map.0 {
                walk(node, &format!("{path}.{}", key.text), lookup, problems);
            }
        }
        _ => {}
    }
}

fn typed(text: String) -> Data {
    match &*text {
        "true" => Data::Bool(true),
        "false" => Data::Bool(false),
        "" => Data::Str(text),
        digits => digits.parse().map_or(Data::Str(text), Data::Int),
    }
}

/// Values are not expanded again. `$${` becomes `${`.
fn expanded(text: &str, lookup: &dyn Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        if rest[..at].ends_with('$') {
            out.push_str(&rest[..at - 1]);
            out.push_str("${");
            rest = &rest[at + 2..];
            continue;
        }
        out.push_str(&rest[..at]);
        let inside = &rest[at + 2..];
        let end = inside.find('}').ok_or("expected '}' after '${'")?;
        let (name, default) = match inside[..end].split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (&inside[..end], None),
        };
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty() || !name.chars().all(is_name) || name.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(format!(
                "expected a variable as in `${{NAME}}` or `${{NAME:-default}}`, got `${{{}}}`",
                &inside[..end]
            ));
        }
        match (lookup(name).filter(|value| !value.is_empty() || default.is_none()), default) {
            (Some(value), _) => out.push_str(&value),
            (None, Some(default)) => out.push_str(default),
            (None, None) => {
                return Err(format!("the variable {name} is not set, and has no default (`${{{name}:-…}}`)"));
            }
        }
        rest = &inside[end + 1..];
    }
    out.push_str(rest);
    Ok(out)
}
