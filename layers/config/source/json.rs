//! JSON, read by serde_json. It has no positions, so those come from the YAML parser: JSON is a subset of YAML 1.2.

use std::{borrow::Cow, collections::HashMap};

use super::{MAX_DEPTH, Parsed, yaml};
use crate::{
    config::{
        error::ConfigError,
        node::{Data, Node, Position},
    },
    text::head,
};

pub(super) fn parse(text: &str) -> Result<Parsed, ConfigError> {
    let value: serde_json::Value = serde_json::from_str(text).map_err(|error| {
        let at = Position::new(error.line().max(1), error.column().max(1));
        let message = error.to_string();
        let message = message.rsplit_once(" at line ").map_or(&*message, |(message, _)| message);
        ConfigError::new("", Some(at), format!("not JSON: {message}"))
    })?;
    let mut node = Node::from(value);
    // Fails where a key is too long for YAML, or the whole too large: then there are no positions.
    let positions = yaml::parse(&as_yaml(text));
    if is_too_deep(&node, 0) {
        let message = format!("expected at most {MAX_DEPTH} levels, got more");
        return Err(positions.err().unwrap_or_else(|| ConfigError::new("", Some(Position::START), message)));
    }
    let (positions, strict_errors) = positions.unwrap_or_default();
    copy_positions(&positions, &mut node);
    node.at.get_or_insert(Position::START);
    Ok((node, strict_errors))
}

fn is_too_deep(node: &Node, depth: usize) -> bool {
    depth > MAX_DEPTH
        || match &node.data {
            Data::List(list) => list.iter().any(|node| is_too_deep(node, depth + 1)),
            Data::Map(map) => map.iter().any(|(_, node)| is_too_deep(node, depth + 1)),
            _ => false,
        }
}

/// JSON without what YAML does not have, with all else at its place: tabs, and halves of surrogate pairs.
fn as_yaml(text: &str) -> Cow<'_, str> {
    if !text.contains(['\t', '\\']) {
        return text.into();
    }
    let mut yaml = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['\t', '\\']) {
        yaml.push_str(&rest[..at]);
        rest = &rest[at..];
        let is_surrogate = |escape: &str| {
            escape.get(2..4).is_some_and(|hex| {
                hex.starts_with(['d', 'D']) && matches!(hex.as_bytes()[1], b'8'..=b'9' | b'a'..=b'f' | b'A'..=b'F')
            })
        };
        let (escape, replacement) = match rest.as_bytes() {
            [b'\t', ..] => (1, " "),
            [b'\\', b'u', ..] if is_surrogate(rest) => (6, "\\ufffd"),
            _ => (2, ""),
        };
        let (escape, after) = rest.split_at(head(rest, escape).len());
        yaml.push_str(if replacement.is_empty() { escape } else { replacement });
        rest = after;
    }
    yaml.push_str(rest);
    yaml.into()
}

fn copy_positions(from: &Node, to: &mut Node) {
    to.at = from.at;
    match (&from.data, &mut to.data) {
        (Data::List(from), Data::List(to)) => from.iter().zip(to).for_each(|(from, to)| copy_positions(from, to)),
        (Data::Map(from), Data::Map(to)) => {
            let positions: HashMap<&str, _> = from.iter().map(|(key, node)| (&*key.text, (key, node))).collect();
            for (key, node) in &mut to.0 {
                if let Some((source, from)) = positions.get(&*key.text) {
                    key.at = source.at;
                    copy_positions(from, node);
                }
            }
            // serde_json sorts by key; errors come in the order of the source.
            to.0.sort_by_key(|(key, _)| key.at);
        }
        _ => {}
    }
}
