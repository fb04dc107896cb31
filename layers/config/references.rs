//! `cfg://path`, a part of the configuration itself; and `ext://name`, where that is a number.

use super::{
    error::ConfigError,
    node::{Data, Node},
    objects::Objects,
};
use crate::text::python_repr;

/// How many references may follow each other.
const MAX_HOPS: usize = 16;

/// Replaces every `cfg://` in a value, except under `.`.
pub(super) fn resolved(node: &Node, root: &Node, path: &str, hops: usize) -> Result<Node, ConfigError> {
    let data = match &node.data {
        Data::Str(text) if text.starts_with("cfg://") => {
            let reference = &text["cfg://".len()..];
            if hops >= MAX_HOPS {
                return Err(ConfigError::new(path, node.at, format!("{text:?} leads back to itself")));
            }
            let found = find(root, reference).map_err(|python| {
                let message = format!("{text:?} names no value of the configuration");
                let keys = root.as_map().into_iter().flat_map(|map| map.iter()).map(|(key, _)| &*key.text);
                let first = reference.split(['.', '[']).next().unwrap_or_default();
                ConfigError::new(path, node.at, message).python(python).nearest(first, keys)
            })?;
            let found = resolved(found, root, path, hops + 1)?;
            return Ok(Node { data: found.data, at: node.at });
        }
        Data::List(list) => {
            let list = list.iter().enumerate();
            let list = list.map(|(index, node)| resolved(node, root, &format!("{path}[{index}]"), hops));
            Data::List(list.collect::<Result<_, _>>()?)
        }
        Data::Map(map) => {
            let mut map = map.clone();
            for (key, node) in &mut map.0 {
                if key.text != "." {
                    *node = resolved(node, root, &format!("{path}.{}", key.text), hops)?;
                }
            }
            Data::Map(map)
        }
        data => data.clone(),
    };
    Ok(Node { data, at: node.at })
}

/// Replaces every `ext://` that names a number, except under `.`. [`HandlerArgs`](super::HandlerArgs) looks up the other
/// objects.
pub(super) fn with_objects(node: Node, objects: &Objects) -> Node {
    let data = match node.data {
        Data::Str(text) => match text.strip_prefix("ext://").and_then(|name| objects.find(name)) {
            Some(object) => object.downcast_ref().map_or(Data::Str(text), |number| Data::Int(*number)),
            None => Data::Str(text),
        },
        Data::List(list) => Data::List(list.into_iter().map(|node| with_objects(node, objects)).collect()),
        Data::Map(mut map) => {
            for (key, node) in &mut map.0 {
                if key.text != "." {
                    *node = with_objects(std::mem::take(node), objects);
                }
            }
            Data::Map(map)
        }
        data => data,
    };
    Node { data, at: node.at }
}

/// Follows `word`, then `.name`, `[name]` and `[digits]`. Errors are Python's messages.
fn find<'r>(root: &'r Node, path: &str) -> Result<&'r Node, String> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let cannot = || format!("Unable to convert {}", python_repr(path));
    let end = path.find(|c: char| !is_word(c)).unwrap_or(path.len());
    let (first, mut rest) = path.split_at(end);
    if first.is_empty() {
        return Err(cannot());
    }
    let mut node = root.get(first).ok_or_else(|| first.to_owned())?;
    while !rest.is_empty() {
        let cannot_at = || format!("{} at {}", cannot(), python_repr(rest));
        let (key, after) = if let Some(name) = rest.strip_prefix('.') {
            let end = name.find(|c: char| !is_word(c)).unwrap_or(name.len());
            name.split_at(end)
        } else if let Some(inside) = rest.strip_prefix('[') {
            inside.split_once(']').ok_or_else(cannot_at)?
        } else {
            return Err(cannot_at());
        };
        if key.is_empty() {
            return Err(cannot_at());
        }
        let by_index = || node.as_list()?.get(key.parse::<usize>().ok()?);
        node = by_index().or_else(|| node.get(key)).ok_or_else(|| key.to_owned())?;
        rest = after;
    }
    Ok(node)
}
