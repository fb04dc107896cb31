//! Typed values as OTLP has them.

use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value as Any};

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

    pub(super) fn add(&mut self, key: &str, value: Any) {
        if !self.has(key) {
            self.push(key, value);
        }
    }

    pub(super) fn add_text(&mut self, key: &str, text: &str) {
        if !self.has(key) {
            self.push(key, Any::StringValue(text.into()));
        }
    }

    fn push(&mut self, key: &str, value: Any) {
        if self.pairs.len() >= self.limits.count {
            self.dropped += 1;
        } else {
            self.pairs.push(pair(key, cut(value, self.limits.length)));
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

/// "Truncated, so that its length is at most equal to the limit."
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
        other => other,
    }
}

pub(super) fn pair(key: &str, value: Any) -> KeyValue {
    KeyValue { key: key.into(), value: Some(AnyValue { value: Some(value) }), key_strindex: 0 }
}

pub(super) fn text(text: &str) -> AnyValue {
    AnyValue { value: Some(Any::StringValue(text.into())) }
}

/// Integers that are wider than 64 signed bits become decimal text, as the specification says.
pub(super) fn any(value: Value<'_>) -> Any {
    match value {
        Value::Bool(value) => Any::BoolValue(value),
        Value::F64(number) => Any::DoubleValue(number),
        Value::Bytes(bytes) => Any::BytesValue(bytes.into()),
        Value::Str(text) | Value::Rendered(text) => Any::StringValue(text.into()),
        Value::Error(chain) => Any::StringValue(chain.to_string()),
        number => match number.as_i64() {
            Some(number) => Any::IntValue(number),
            None => Any::StringValue(number.to_string()),
        },
    }
}
