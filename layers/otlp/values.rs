//! Maps typed values to those of OTLP.

use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList, any_value::Value as Any};
use serde_json::Value as Json;

use crate::{Fields, Value};

/// The most attributes, and their longest values.
#[derive(Clone, Copy, Debug)]
pub(super) struct AttributeLimits {
    pub(super) count: usize,
    /// In characters of text, in bytes of bytes.
    pub(super) length: usize,
}

impl AttributeLimits {
    pub(super) const NONE: Self = Self { count: usize::MAX, length: usize::MAX };
}

/// Attributes in order, each key once; the first of a key wins.
#[derive(Debug)]
pub(super) struct Attributes {
    pairs: Vec<KeyValue>,
    limits: AttributeLimits,
    dropped: u32,
}

impl Attributes {
    pub(super) fn new(limits: AttributeLimits, capacity: usize) -> Self {
        Self { pairs: Vec::with_capacity(capacity.min(limits.count)), limits, dropped: 0 }
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.pairs.iter().any(|known| known.key == key)
    }

    pub(super) fn add(&mut self, key: &str, value: impl Into<Option<Any>>) {
        if !self.has(key) {
            self.push(key, value);
        }
    }

    pub(super) fn add_text(&mut self, key: &str, text: &str) {
        if !self.has(key) {
            self.push(key, Any::StringValue(text.into()));
        }
    }

    fn push(&mut self, key: &str, value: impl Into<Option<Any>>) {
        if self.pairs.len() >= self.limits.count {
            self.dropped += 1;
        } else {
            self.pairs.push(pair(key, value.into().map(|value| truncate(value, self.limits.length))));
        }
    }

    pub(super) fn add_all(&mut self, fields: &Fields, includes: impl Fn(&str) -> bool) {
        for (name, value) in fields.iter() {
            if includes(name) && !self.has(name) {
                self.push(name, any(value));
            }
        }
    }

    pub(super) fn into_vec(self) -> Vec<KeyValue> {
        self.pairs
    }

    /// The attributes, and how many exceeded the limit.
    pub(super) fn into_parts(self) -> (Vec<KeyValue>, u32) {
        (self.pairs, self.dropped)
    }
}

/// "Truncated, so that its length is at most equal to the limit"; in lists and maps, each value.
fn truncate(value: Any, length: usize) -> Any {
    match value {
        Any::StringValue(mut text) => {
            // Most are shorter: counts the characters of the others only.
            if text.len() > length
                && let Some((end, _)) = text.char_indices().nth(length)
            {
                text.truncate(end);
            }
            Any::StringValue(text)
        }
        Any::BytesValue(mut bytes) => {
            bytes.truncate(length);
            Any::BytesValue(bytes)
        }
        Any::ArrayValue(list) => Any::ArrayValue(ArrayValue {
            values: list.values.into_iter().map(|value| truncate_any(value, length)).collect(),
        }),
        Any::KvlistValue(map) => {
            let truncate =
                |pair: KeyValue| KeyValue { value: pair.value.map(|value| truncate_any(value, length)), ..pair };
            Any::KvlistValue(KeyValueList { values: map.values.into_iter().map(truncate).collect() })
        }
        other => other,
    }
}

fn truncate_any(value: AnyValue, length: usize) -> AnyValue {
    AnyValue { value: value.value.map(|value| truncate(value, length)) }
}

pub(super) fn pair(key: &str, value: impl Into<Option<Any>>) -> KeyValue {
    KeyValue { key: key.into(), value: Some(AnyValue { value: value.into() }), key_strindex: 0 }
}

pub(super) fn text(text: &str) -> AnyValue {
    AnyValue { value: Some(Any::StringValue(text.into())) }
}

/// Integers wider than 64 signed bits become decimal text, as the specification says. JSON's `null` is `None`: a value
/// without a type.
pub(super) fn any(value: Value<'_>) -> Option<Any> {
    Some(match value {
        Value::Bool(value) => Any::BoolValue(value),
        Value::F64(number) => Any::DoubleValue(number),
        Value::Bytes(bytes) => Any::BytesValue(bytes.into()),
        Value::Str(text) | Value::Rendered(text) => Any::StringValue(text.into()),
        Value::Json(json) => match serde_json::from_str(json.as_str()) {
            Ok(json) => return from_json(json, 0),
            // A number outside the range of every type.
            Err(_) => Any::StringValue(json.as_str().into()),
        },
        Value::Error(chain) => Any::StringValue(chain.to_string()),
        number => match number.as_i64() {
            Some(number) => Any::IntValue(number),
            None => Any::StringValue(number.to_string()),
        },
    })
}

/// Readers of protobuf refuse a whole request that is nested too deeply, most at 100 messages. A level of JSON takes up to
/// three of them (in OTLP's JSON four of 128), so not all levels of a [`JsonText`](crate::record::JsonText) can be sent:
/// deeper ones stay text.
const MAX_DEPTH: u32 = 24;

fn from_json(json: Json, depth: u32) -> Option<Any> {
    Some(match json {
        Json::Null => return None,
        Json::Bool(value) => Any::BoolValue(value),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(number), _) => Any::IntValue(number),
            (None, Some(float)) if !number.is_u64() => Any::DoubleValue(float),
            _ => Any::StringValue(number.to_string()),
        },
        Json::String(text) => Any::StringValue(text),
        nested @ (Json::Array(_) | Json::Object(_)) if depth == MAX_DEPTH => Any::StringValue(nested.to_string()),
        Json::Array(list) => {
            let values = list.into_iter().map(|json| AnyValue { value: from_json(json, depth + 1) }).collect();
            Any::ArrayValue(ArrayValue { values })
        }
        Json::Object(map) => {
            let pairs = map.into_iter().map(|(key, json)| pair(&key, from_json(json, depth + 1))).collect();
            Any::KvlistValue(KeyValueList { values: pairs })
        }
    })
}
