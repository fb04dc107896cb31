//! A parsed configuration: values with their positions in the source.

use std::fmt;

use serde::Serialize;

use crate::{Error, text::head};

/// Line and column in the source, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    /// The file, where it is not the configuration itself but one that it includes. A thin pointer: errors stay small.
    pub(super) file: Option<&'static String>,
    pub(super) line: u32,
    pub(super) column: u32,
}

impl Position {
    pub(super) const START: Self = Self { file: None, line: 1, column: 1 };

    pub(super) fn new(line: usize, column: usize) -> Self {
        let small = |number| u32::try_from(number).unwrap_or(u32::MAX);
        Self { file: None, line: small(line), column: small(column) }
    }

    /// The position of a byte in a text.
    pub(super) fn of(text: &str, index: usize) -> Self {
        let before = head(text, index);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Self::new(before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Node {
    pub(super) data: Data,
    pub(super) at: Option<Position>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum Data {
    #[default]
    Null,
    Bool(bool),
    /// YAML's `OFF`: false, as Python reads it; the level `OFF` where a level is expected.
    Off,
    Int(i64),
    Float(f64),
    Str(String),
    List(Vec<Node>),
    Map(Map),
}

/// Entries in the order of the source. Equality ignores the order.
#[derive(Clone, Debug, Default)]
pub(super) struct Map(pub(super) Vec<(Key, Node)>);

#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) text: String,
    pub(super) at: Option<Position>,
}

/// Equality ignores positions.
impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        self.data == other.data
    }
}

impl PartialEq for Map {
    fn eq(&self, other: &Self) -> bool {
        self.0.len() == other.0.len() && self.0.iter().all(|(key, node)| other.get(&key.text) == Some(node))
    }
}

impl Map {
    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        self.0.iter().find(|(known, _)| known.text == key).map(|(_, node)| node)
    }

    pub(super) fn get_mut(&mut self, key: &str) -> Option<&mut Node> {
        self.0.iter_mut().find(|(known, _)| known.text == key).map(|(_, node)| node)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Key, &Node)> {
        self.0.iter().map(|(key, node)| (key, node))
    }

    /// The mapping at a key; created if there is none, in place of any other value.
    pub(super) fn child(&mut self, key: &str) -> &mut Self {
        if self.get(key).is_none_or(|node| node.as_map().is_none()) {
            self.set(key, Node::map([]));
        }
        match self.get_mut(key).map(|node| &mut node.data) {
            Some(Data::Map(map)) => map,
            _ => unreachable!("set above"),
        }
    }

    pub(super) fn set(&mut self, key: &str, node: Node) {
        match self.get_mut(key) {
            Some(known) => *known = node,
            None => self.0.push((Key { text: key.to_owned(), at: None }, node)),
        }
    }
}

impl Node {
    pub(super) fn new(data: Data) -> Self {
        Self { data, at: None }
    }

    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::new(Data::Str(text.into()))
    }

    pub(super) fn map<'k>(entries: impl IntoIterator<Item = (&'k str, Node)>) -> Self {
        let entries = entries.into_iter().map(|(key, node)| (Key { text: key.to_owned(), at: None }, node));
        Self::new(Data::Map(Map(entries.collect())))
    }

    pub(super) fn as_map(&self) -> Option<&Map> {
        match &self.data {
            Data::Map(map) => Some(map),
            _ => None,
        }
    }

    pub(super) fn as_map_mut(&mut self) -> Option<&mut Map> {
        match &mut self.data {
            Data::Map(map) => Some(map),
            _ => None,
        }
    }

    pub(super) fn as_str(&self) -> Option<&str> {
        match &self.data {
            Data::Str(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn as_bool(&self) -> Option<bool> {
        match self.data {
            Data::Bool(value) => Some(value),
            Data::Off => Some(false),
            _ => None,
        }
    }

    pub(super) fn as_list(&self) -> Option<&[Node]> {
        match &self.data {
            Data::List(list) => Some(list),
            _ => None,
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        self.as_map()?.get(key)
    }

    /// The entries of a section; none if it is missing or not a mapping.
    pub(super) fn section<'n>(&'n self, name: &str) -> impl Iterator<Item = (&'n Key, &'n Self)> + use<'n> {
        self.get(name).and_then(Self::as_map).into_iter().flat_map(Map::iter)
    }

    /// The class or factory that an entry names.
    pub(super) fn class_name(&self) -> Option<&str> {
        self.get("()").or_else(|| self.get("class")).and_then(Self::as_str)
    }

    pub(super) fn has_formatter(&self) -> bool {
        self.get("formatter").is_some_and(|node| !node.is_null())
    }

    pub(super) fn is_null(&self) -> bool {
        self.data == Data::Null
    }

    /// As Python's `str()` prints it.
    pub(super) fn python_str(&self) -> String {
        match &self.data {
            Data::Null => "None".into(),
            Data::Bool(true) => "True".into(),
            Data::Bool(false) | Data::Off => "False".into(),
            Data::Str(text) => text.clone(),
            _ => self.to_string(),
        }
    }

    /// Truthiness, as Python's `bool()` defines it.
    pub(super) fn is_true(&self) -> bool {
        match &self.data {
            Data::Null | Data::Off => false,
            Data::Bool(value) => *value,
            Data::Int(number) => *number != 0,
            Data::Float(number) => *number != 0.0,
            Data::Str(text) => !text.is_empty(),
            Data::List(list) => !list.is_empty(),
            Data::Map(map) => !map.0.is_empty(),
        }
    }
}

/// As "got …" in error messages.
impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.data {
            Data::Null => f.write_str("null"),
            Data::Bool(value) => value.fmt(f),
            Data::Off => f.write_str("OFF"),
            Data::Int(number) => number.fmt(f),
            // Debug keeps `1.0` apart from `1`, and prints `1e20` short.
            Data::Float(number) => write!(f, "{number:?}"),
            Data::Str(text) => {
                let short: String = text.chars().take(80).collect();
                write!(f, "{short:?}{}", if short.len() < text.len() { "…" } else { "" })
            }
            Data::List(_) => f.write_str("a list"),
            Data::Map(_) => f.write_str("a mapping"),
        }
    }
}

impl Node {
    /// From anything that `serde` can serialize; `what` names it in the error.
    pub(super) fn from_serialize(value: &impl Serialize, what: &str) -> Result<Self, Error> {
        let value = serde_json::to_value(value);
        let value = value.map_err(|error| Error::config(format_args!("the {what} cannot be serialized: {error}")))?;
        Ok(value.into())
    }
}

impl From<serde_json::Value> for Node {
    fn from(value: serde_json::Value) -> Self {
        use serde_json::Value as Json;
        Self::new(match value {
            Json::Null => Data::Null,
            Json::Bool(value) => Data::Bool(value),
            Json::Number(number) => {
                number.as_i64().map_or_else(|| Data::Float(number.as_f64().unwrap_or(f64::NAN)), Data::Int)
            }
            Json::String(text) => Data::Str(text),
            Json::Array(list) => Data::List(list.into_iter().map(Self::from).collect()),
            Json::Object(map) => Data::Map(Map(map
                .into_iter()
                .map(|(text, value)| (Key { text, at: None }, Self::from(value)))
                .collect())),
        })
    }
}

impl From<&Node> for serde_json::Value {
    fn from(node: &Node) -> Self {
        match &node.data {
            Data::Null => Self::Null,
            Data::Bool(value) => Self::Bool(*value),
            Data::Off => Self::Bool(false),
            Data::Int(number) => Self::from(*number),
            Data::Float(number) => Self::from(*number),
            Data::Str(text) => Self::String(text.clone()),
            Data::List(list) => Self::Array(list.iter().map(Self::from).collect()),
            Data::Map(map) => {
                Self::Object(map.iter().map(|(key, node)| (key.text.clone(), Self::from(node))).collect())
            }
        }
    }
}

/// A key within a path, quoted where it could be mistaken for several.
pub(super) fn quoted_key(key: &str) -> String {
    let plain = !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'));
    if plain { key.to_owned() } else { format!("{key:?}") }
}
