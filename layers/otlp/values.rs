//! Typed values as OTLP has them.

use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList, any_value::Value as Any};
use serde_json::Value as Json;

use crate::{Fields, Value};

/// How many attributes there may be, and how long their values.
#[derive(Clone, Copy, Debug)]
pub(super) struct AttributeLimits {
    pub(super) count: usize,
    /// In characters of a text, and in bytes of bytes.
    pub(super) length: usize,
}

impl AttributeLimits {
    pub(super) const NONE: Self = Self { count: usize::MAX, length: usize::MAX };
}

/// Attributes with different keys, in order; the first of a key stays.
#[derive(Debug)]
pub(super) struct Attributes {
    pairs: Vec<KeyValue>,
    limits: AttributeLimits,
    dropped: u32,
}

impl Attributes {
    pub(super) fn new(limits: AttributeLimits, likely: usize) -> Self {
        Self { pairs: Vec::with_capacity(likely.min(limits.count)), limits, dropped: 0 }
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
            self.pairs.push(pair(key, value.into().map(|value| cut(value, self.limits.length))));
        }
    }

    pub(super) fn add_all(&mut self, fields: &Fields, takes: impl Fn(&str) -> bool) {
        for (name, value) in fields.iter() {
            if takes(name) && !self.has(name) {
                self.push(name, any(value));
            }
        }
    }

    pub(super) fn into_vec(self) -> Vec<KeyValue> {
        self.pairs
    }

    /// And how many found no room.
    pub(super) fn into_parts(self) -> (Vec<KeyValue>, u32) {
        (self.pairs, self.dropped)
    }
}

/// "Truncated, so that its length is at most equal to the limit"; of lists and maps, "for each value within".
fn cut(value: Any, length: usize) -> Any {
    match value {
        Any::StringValue(mut text) => {
            // Most are shorter, and that is seen without counting.
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
            values: list.values.into_iter().map(|value| cut_any(value, length)).collect(),
        }),
        Any::KvlistValue(map) => {
            let cut = |pair: KeyValue| KeyValue { value: pair.value.map(|value| cut_any(value, length)), ..pair };
            Any::KvlistValue(KeyValueList { values: map.values.into_iter().map(cut).collect() })
        }
        other => other,
    }
}

fn cut_any(value: AnyValue, length: usize) -> AnyValue {
    AnyValue { value: value.value.map(|value| cut(value, length)) }
}

pub(super) fn pair(key: &str, value: impl Into<Option<Any>>) -> KeyValue {
    KeyValue { key: key.into(), value: Some(AnyValue { value: value.into() }), key_strindex: 0 }
}

pub(super) fn text(text: &str) -> AnyValue {
    AnyValue { value: Some(Any::StringValue(text.into())) }
}

/// Integers that are wider than 64 signed bits become decimal text, as the specification says. `None` for JSON's `null`: a
/// value without a type.
pub(super) fn any(value: Value<'_>) -> Option<Any> {
    Some(match value {
        Value::Bool(value) => Any::BoolValue(value),
        Value::F64(number) => Any::DoubleValue(number),
        Value::Bytes(bytes) => Any::BytesValue(bytes.into()),
        Value::Str(text) | Value::Rendered(text) => Any::StringValue(text.into()),
        Value::Json(json) => match serde_json::from_str(json.as_str()) {
            Ok(json) => return of_json(json, 0),
            // A number that no reader here can hold.
            Err(_) => Any::StringValue(json.as_str().into()),
        },
        Value::Error(chain) => Any::StringValue(chain.to_string()),
        number => match number.as_i64() {
            Some(number) => Any::IntValue(number),
            None => Any::StringValue(number.to_string()),
        },
    })
}

/// Readers of protobuf refuse what is nested too deeply, with all that came in the same request; most at 100 messages. A level
/// of JSON is up to three (four of the JSON of OTLP, read to 128), so that not all that [`JsonText`](crate::record::JsonText)
/// may have can be sent: what is deeper stays text.
const MAX_DEPTH: u32 = 24;

fn of_json(json: Json, depth: u32) -> Option<Any> {
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
            let values = list.into_iter().map(|json| AnyValue { value: of_json(json, depth + 1) }).collect();
            Any::ArrayValue(ArrayValue { values })
        }
        Json::Object(map) => {
            let pairs = map.into_iter().map(|(key, json)| pair(&key, of_json(json, depth + 1))).collect();
            Any::KvlistValue(KeyValueList { values: pairs })
        }
    })
}
