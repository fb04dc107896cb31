//! JSON. serde_json reads it; it knows no places of values, so those come from the YAML reader: JSON is a part of YAML 1.2.

use std::collections::HashMap;

use super::{MAX_DEPTH, Read, yaml};
use crate::config::{
    node::{At, Data, Node},
    problem::ConfigError,
};

pub(super) fn parse(text: &str) -> Result<Read, ConfigError> {
    let value: serde_json::Value = serde_json::from_str(text).map_err(|error| {
        let at = At { line: error.line().max(1), column: error.column().max(1) };
        let told = error.to_string();
        let told = told.rsplit_once(" at line ").map_or(&*told, |(told, _)| told);
        ConfigError::new("", Some(at), format!("not JSON: {told}"))
    })?;
    let mut node = Node::from(value);
    check_depth(&node, 0)?;
    // What only JSON can say (surrogate pairs, tabs) has no places.
    let (places, doubts) = yaml::parse(text).unwrap_or_default();
    copy_places(&places, &mut node);
    Ok((node, doubts))
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

fn copy_places(from: &Node, to: &mut Node) {
    to.at = from.at;
    match (&from.data, &mut to.data) {
        (Data::List(from), Data::List(to)) => from.iter().zip(to).for_each(|(from, to)| copy_places(from, to)),
        (Data::Map(from), Data::Map(to)) => {
            let places: HashMap<&str, _> = from.iter().map(|(key, node)| (&*key.text, (key, node))).collect();
            for (key, node) in &mut to.0 {
                if let Some((placed, from)) = places.get(&*key.text) {
                    key.at = placed.at;
                    copy_places(from, node);
                }
            }
            // serde_json sorts; people read their errors from the top.
            to.0.sort_by_key(|(key, _)| key.at.map(|at| (at.line, at.column)));
        }
        _ => {}
    }
}
