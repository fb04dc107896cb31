//! `${VAR:-default}` in a configuration, while it is loaded.

use crate::config::{
    node::{Data, Node},
    problem::ConfigError,
};

/// Fills in the variables of all texts outside of `formatters`, whose `${name}` are attributes of records.
pub(in crate::config) fn expand(
    node: &mut Node,
    look: &dyn Fn(&str) -> Option<String>,
    problems: &mut Vec<ConfigError>,
) {
    let Some(map) = node.as_map_mut() else { return };
    for (key, node) in &mut map.0 {
        if key.text != "formatters" {
            walk(node, &key.text, look, problems);
        }
    }
}

fn walk(node: &mut Node, path: &str, look: &dyn Fn(&str) -> Option<String>, problems: &mut Vec<ConfigError>) {
    match &mut node.data {
        Data::Str(text) if text.contains("${") => match filled(text, look) {
            // A value that is a variable as a whole may be a number or a truth value.
            Ok(filled) if text.starts_with("${") && text.find('}') == Some(text.len() - 1) => node.data = typed(filled),
            Ok(filled) => *text = filled,
            Err(message) => problems.push(ConfigError::new(path, node.at, message)),
        },
        Data::List(list) => {
            for (index, node) in list.iter_mut().enumerate() {
                walk(node, &format!("{path}[{index}]"), look, problems);
            }
        }
        Data::Map(map) => {
            for (key, node) in &mut map.0 {
                walk(node, &format!("{path}.{}", key.text), look, problems);
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

/// What a variable stands for is never looked into again. `$${` is `${`.
fn filled(text: &str, look: &dyn Fn(&str) -> Option<String>) -> Result<String, String> {
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
        match (look(name).filter(|value| !value.is_empty() || default.is_none()), default) {
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
