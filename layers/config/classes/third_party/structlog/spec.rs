//! How a file names a processor: a name, a call, or a map.

use crate::config::{
    node::{Data, Key, Map, Node},
    source::literal,
};

/// A class or function, and its arguments by name.
pub(super) struct Spec {
    pub(super) name: String,
    pub(super) args: Map,
}

impl Spec {
    /// `structlog.processors.JSONRenderer`, the same after `ext://` or with `(sort_keys=True)` behind it,
    /// `{(): structlog.processors.TimeStamper, fmt: iso}` or `{TimeStamper: {fmt: iso}}`.
    pub(super) fn read(node: &Node) -> Option<Self> {
        match &node.data {
            Data::Str(text) => Self::from_text(text.strip_prefix("ext://").unwrap_or(text).trim()),
            Data::Map(map) if map.get("()").is_some() => {
                let name = map.get("()")?.as_str()?;
                Some(Self { name: name.strip_prefix("ext://").unwrap_or(name).to_owned(), args: map.clone() })
            }
            Data::Map(Map(entries)) => match &entries[..] {
                [(key, Node { data: Data::Map(args), .. })] => {
                    Some(Self { name: key.text.clone(), args: args.clone() })
                }
                _ => None,
            },
            _ => None,
        }
    }

    fn from_text(text: &str) -> Option<Self> {
        let Some((name, rest)) = text.split_once('(') else {
            return Some(Self { name: text.to_owned(), args: Map::default() });
        };
        let mut args = Map::default();
        for argument in arguments(rest.strip_suffix(')')?) {
            let (key, value) = argument.split_once('=')?;
            let value = literal(value.trim()).ok()?;
            args.0.push((Key { text: key.trim().to_owned(), at: None }, value));
        }
        Some(Self { name: name.to_owned(), args })
    }

    /// Without its module.
    pub(super) fn short_name(&self) -> &str {
        self.name.rsplit('.').next().unwrap_or(&self.name)
    }
}

/// The arguments of a call, separated by commas outside of brackets and texts.
fn arguments(text: &str) -> Vec<&str> {
    let (mut found, mut depth, mut quote, mut from) = (Vec::new(), 0, None, 0);
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), _) if open == c => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')' | ']' | '}') => depth -= 1,
            (None, ',') if depth == 0 => {
                found.push(&text[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    found.push(&text[from..]);
    found.retain(|argument| !argument.trim().is_empty());
    found
}
