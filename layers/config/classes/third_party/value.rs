//! Values as Python has them: read from a record or a configuration, written by `repr()`.

use std::{borrow::Cow, fmt};

use serde::de;

use crate::{
    Value,
    config::node::{Data, Map, Node},
    format::push_repr,
    text::push_python_repr,
};

/// A value of Python.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Py<'a> {
    None,
    Bool(bool),
    Int(i128),
    Float(f64),
    Str(Cow<'a, str>),
    List(Vec<Self>),
    Tuple(Vec<Self>),
    Dict(Dict<'a>),
    /// An object by its `repr()`.
    Object(String),
}

/// A `dict`: a key that is set again keeps its position.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Dict<'a>(pub(super) Vec<(Cow<'a, str>, Py<'a>)>);

impl<'a> Dict<'a> {
    pub(super) fn get(&self, name: &str) -> Option<&Py<'a>> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    pub(super) fn get_mut(&mut self, name: &str) -> Option<&mut Py<'a>> {
        self.0.iter_mut().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    pub(super) fn set(&mut self, name: impl Into<Cow<'a, str>>, value: impl Into<Py<'a>>) {
        let (name, value) = (name.into(), value.into());
        match self.get_mut(&name) {
            Some(known) => *known = value,
            None => self.0.push((name, value)),
        }
    }

    /// Sets what is not there yet.
    pub(super) fn set_default(&mut self, name: impl Into<Cow<'a, str>>, value: impl Into<Py<'a>>) {
        let name = name.into();
        if self.get(&name).is_none() {
            self.0.push((name, value.into()));
        }
    }

    pub(super) fn remove(&mut self, name: &str) -> Option<Py<'a>> {
        let at = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.remove(at).1)
    }

    /// The mapping at a name, made where there is none. `None` if something else is there.
    pub(super) fn child(&mut self, name: impl Into<Cow<'a, str>>) -> Option<&mut Self> {
        let name = name.into();
        let at = self.0.iter().position(|(known, _)| *known == name).unwrap_or_else(|| {
            self.0.push((name, Py::Dict(Self::default())));
            self.0.len() - 1
        });
        match &mut self.0[at].1 {
            Py::Dict(dict) => Some(dict),
            _ => None,
        }
    }

    pub(super) fn from_map(map: &Map) -> Dict<'static> {
        Dict(map.iter().map(|(key, node)| (key.text.clone().into(), Py::from(node))).collect())
    }
}

impl<'a> Py<'a> {
    pub(super) fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(text) => Some(text),
            _ => None,
        }
    }

    /// As `str()` has it.
    pub(super) fn push_str(&self, out: &mut String) {
        match self {
            Self::Str(text) => out.push_str(text),
            _ => self.push_repr(out),
        }
    }

    pub(super) fn push_repr(&self, out: &mut String) {
        match self {
            Self::None => out.push_str("None"),
            Self::Bool(true) => out.push_str("True"),
            Self::Bool(false) => out.push_str("False"),
            Self::Int(number) => out.push_str(itoa::Buffer::new().format(*number)),
            Self::Float(number) => push_repr(*number, out),
            Self::Str(text) => push_python_repr(text, false, out),
            Self::Object(text) => out.push_str(text),
            Self::List(list) => push_all("[", list, "]", out),
            Self::Tuple(list) => push_all("(", list, if list.len() == 1 { ",)" } else { ")" }, out),
            Self::Dict(dict) => dict.push_repr(out),
        }
    }
}

impl Dict<'_> {
    pub(super) fn push_repr(&self, out: &mut String) {
        out.push('{');
        for (index, (key, value)) in self.0.iter().enumerate() {
            out.push_str(if index > 0 { ", " } else { "" });
            push_python_repr(key, false, out);
            out.push_str(": ");
            value.push_repr(out);
        }
        out.push('}');
    }
}

fn push_all(open: &str, list: &[Py<'_>], close: &str, out: &mut String) {
    out.push_str(open);
    for (index, value) in list.iter().enumerate() {
        out.push_str(if index > 0 { ", " } else { "" });
        value.push_repr(out);
    }
    out.push_str(close);
}

impl<'a> From<&'a str> for Py<'a> {
    fn from(text: &'a str) -> Self {
        Self::Str(text.into())
    }
}

impl From<String> for Py<'_> {
    fn from(text: String) -> Self {
        Self::Str(text.into())
    }
}

impl<'a> From<Value<'a>> for Py<'a> {
    fn from(value: Value<'a>) -> Self {
        let big = |number: u128| i128::try_from(number).map_or_else(|_| Self::Object(number.to_string()), Self::Int);
        match value {
            Value::Bool(value) => Self::Bool(value),
            Value::I64(number) => Self::Int(number.into()),
            Value::U64(number) => Self::Int(number.into()),
            Value::I128(number) => Self::Int(number),
            Value::U128(number) => big(number),
            Value::F64(number) => Self::Float(number),
            Value::Str(text) | Value::Rendered(text) => text.into(),
            Value::Bytes(bytes) => bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into(),
            Value::Error(chain) => chain.to_string().into(),
            Value::Json(json) => serde_json::from_str(json.as_str()).unwrap_or_else(|_| json.as_str().into()),
        }
    }
}

impl From<&Node> for Py<'static> {
    fn from(node: &Node) -> Self {
        match &node.data {
            Data::Null => Self::None,
            Data::Bool(value) => Self::Bool(*value),
            Data::Off => Self::Bool(false),
            Data::Int(number) => Self::Int((*number).into()),
            Data::Float(number) => Self::Float(*number),
            Data::Str(text) => text.clone().into(),
            Data::List(list) => Self::List(list.iter().map(Self::from).collect()),
            Data::Map(map) => Self::Dict(Dict::from_map(map)),
        }
    }
}

/// From JSON, with the keys in their order.
impl<'de> de::Deserialize<'de> for Py<'_> {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader).map(Py::into_owned)
    }
}

impl Py<'static> {
    /// The reader makes values that borrow nothing.
    fn into_owned<'a>(self) -> Py<'a> {
        self
    }
}

struct Reader;

impl<'de> de::Visitor<'de> for Reader {
    type Value = Py<'static>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Py::None)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Py::Bool(value))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Py::Int(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Py::Int(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Py::Float(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(text.to_owned().into())
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element()? {
            values.push(value);
        }
        Ok(Py::List(values))
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut dict = Dict::default();
        while let Some((key, value)) = map.next_entry::<String, Py<'static>>()? {
            dict.set(key, value);
        }
        Ok(Py::Dict(dict))
    }
}
