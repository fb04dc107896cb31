//! JSON, read by serde_json. It has no positions, so those come from the YAML parser: JSON is a subset of YAML 1.2.

use std::collections::HashMap;

use super::{MAX_DEPTH, Parsed, yaml};
use crate::config::{
    error::ConfigError,
    node::{Data, Node, Position},
};

pub(super) fn parse(text: &str) -> Result<Parsed, ConfigError> {
    let value: serde_json::Value = serde_json::from_str(text).map_err(|error| {
        let at = Position::new(error.line().max(1), error.column().max(1));
        let message = error.to_string();
        let message = message.rsplit_once(" at line ").map_or(&*message, |(message, _)| message);
        ConfigError::new("", Some(at), format!("not JSON: {message}"))
    })?;
    let mut node = Node::from(value);
    check_depth(&node, 0)?;
    // Fails where JSON is not YAML (surrogate pairs, tabs): then there are no positions.
    let (positions, strict_errors) = yaml::parse(text).unwrap_or_default();
    copy_positions(&positions, &mut node);
    Ok((node, strict_errors))
}

fn check_depth(node: &Node, depth: usize) -> Result<(), ConfigError> {
    if depth > MAX_DEPTH {
        return Err(ConfigError::new("", None, format!("expected at most {MAX_DEPTH} levels, got more")));
    }
    match &node.data {
        Data::List(list) => list.iter().try_for_each(|node| check_depth(node, depth + 1)),
        Data::Map(map) => map.iter().try_for_each(|(_, node)| check_depth(node, depth + 1)),
        _ => Ok(()),
    }
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
