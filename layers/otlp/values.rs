//! Typed values as OTLP has them.

use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value as Any};

use crate::{Fields, Value};

/// Attributes with different keys, in order; the first of a key stays.
#[derive(Debug, Default)]
pub(super) struct Attributes(Vec<KeyValue>);

impl Attributes {
    pub(super) fn with_capacity(capacity: usize) -> Self {
        Self(Vec::with_capacity(capacity))
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.0.iter().any(|known| known.key == key)
    }

    pub(super) fn add(&mut self, key: &str, value: Any) {
        if !self.has(key) {
            self.0.push(pair(key, value));
        }
    }

    pub(super) fn add_text(&mut self, key: &str, text: &str) {
        if !self.has(key) {
            self.0.push(pair(key, Any::StringValue(text.into())));
        }
    }

    pub(super) fn add_all(&mut self, fields: &Fields, takes: impl Fn(&str) -> bool) {
        for (name, value) in fields.iter() {
            if takes(name) && !self.has(name) {
                self.0.push(pair(name, any(value)));
            }
        }
    }

    pub(super) fn into_vec(self) -> Vec<KeyValue> {
        self.0
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
