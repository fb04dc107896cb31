//! Sends events whose parts are known only at run time.

use std::{error::Error as StdError, fmt};

use tracing_core::{
    LevelFilter,
    field::{self, DisplayValue},
};

use super::callsite::{DynamicCallsite, EventMeta, MAX_FIELDS, Quota, callsite_for};
use crate::{
    Severity, Value,
    record::{ErrorChain, JsonText, SEVERITY_FIELD},
};

/// A value, in a form that `tracing` takes.
#[derive(Clone)]
pub(crate) enum EventValue<'a> {
    Bool(bool),
    I64(i64),
    U64(u64),
    I128(i128),
    U128(u128),
    F64(f64),
    Str(&'a str),
    Bytes(&'a [u8]),
    Display(DisplayValue<&'a dyn fmt::Display>),
    Rendered(DisplayValue<&'a str>),
    Json(DisplayValue<JsonText<'a>>),
    Chain(DisplayValue<ErrorChain<'a>>),
    Error(&'a (dyn StdError + 'static)),
}

impl<'a> From<Value<'a>> for EventValue<'a> {
    fn from(value: Value<'a>) -> Self {
        match value {
            Value::Bool(value) => Self::Bool(value),
            Value::I64(number) => Self::I64(number),
            Value::U64(number) => Self::U64(number),
            Value::I128(number) => Self::I128(number),
            Value::U128(number) => Self::U128(number),
            Value::F64(number) => Self::F64(number),
            Value::Str(text) => Self::Str(text),
            Value::Bytes(bytes) => Self::Bytes(bytes),
            Value::Rendered(text) => Self::Rendered(field::display(text)),
            Value::Json(json) => Self::Json(field::display(json)),
            Value::Error(chain) => Self::Chain(field::display(chain)),
        }
    }
}

impl EventValue<'_> {
    fn as_value(&self) -> &dyn field::Value {
        match self {
            Self::Bool(value) => value,
            Self::I64(number) => number,
            Self::U64(number) => number,
            Self::I128(number) => number,
            Self::U128(number) => number,
            Self::F64(number) => number,
            Self::Str(text) => text,
            Self::Bytes(bytes) => bytes,
            Self::Display(value) => value,
            Self::Rendered(value) => value,
            Self::Json(value) => value,
            Self::Chain(value) => value,
            Self::Error(error) => error,
        }
    }
}

/// Whether any layer may want such an event.
pub(crate) fn is_enabled(meta: EventMeta<'_>) -> bool {
    let callsite = || callsite_for(meta, &["message"], Quota::Exact);
    meta.level <= LevelFilter::current() && callsite().is_none_or(DynamicCallsite::may_be_enabled)
}

/// Sends an event made at run time to the layers. The names of `values` are distinct.
pub(crate) fn send(
    meta: EventMeta<'_>,
    severity: Severity,
    message: &dyn fmt::Debug,
    values: &[(&str, EventValue<'_>)],
) {
    let message = field::debug(message);
    let number = i64::from(severity.number());
    let line = meta.line.map(u64::from);
    // The others are the message, the severity, up to four fields of the source, and the number of dropped fields.
    let sent = values.len().min(MAX_FIELDS - 7);
    let dropped = (values.len() - sent) as u64;

    let mut names: Vec<&str> = Vec::with_capacity(sent + 7);
    let mut all: Vec<&dyn field::Value> = Vec::with_capacity(sent + 7);
    let mut put = |name, value| {
        names.push(name);
        all.push(value);
    };
    put("message", &message);
    if severity != Severity::from(meta.level) {
        put(SEVERITY_FIELD, &number);
    }
    for (name, value) in &values[..sent] {
        match *name {
            // A value of that name must not replace the message or the severity.
            "message" => put("message_", value.as_value()),
            SEVERITY_FIELD => {}
            name => put(name, value.as_value()),
        }
    }
    if dropped > 0 {
        put("strata.dropped_fields", &dropped);
    }
    if let Some(callsite) = callsite_for(meta, &names, Quota::Exact) {
        return callsite.dispatch(&all);
    }

    // No more targets and locations: send them as `tracing-log` does.
    let mut put = |name, value| {
        names.push(name);
        all.push(value);
    };
    put("log.target", &meta.target);
    if let Some(path) = &meta.module_path {
        put("log.module_path", path);
    }
    if let (Some(file), Some(line)) = (&meta.file, &line) {
        put("log.file", file);
        put("log.line", line);
    }
    let log_event = EventMeta { target: "log", module_path: None, file: None, line: None, ..meta };
    if let Some(callsite) = callsite_for(log_event, &names, Quota::LevelAndNames) {
        return callsite.dispatch(&all);
    }
    // No more field names either, which come from data: send all fields as one text.
    let text = Joined(&values[..sent]);
    let text = field::display(&text);
    let names = ["message", SEVERITY_FIELD, "log.target", "fields"];
    if let Some(callsite) = callsite_for(log_event, &names, Quota::Level) {
        callsite.dispatch(&[&message, &number, &meta.target, &text]);
    }
}

/// `name=value, name=value`
struct Joined<'a>(&'a [(&'a str, EventValue<'a>)]);

impl fmt::Display for Joined<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, value)) in self.0.iter().enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            match value {
                EventValue::Bool(value) => write!(f, "{comma}{name}={value}")?,
                EventValue::I64(value) => write!(f, "{comma}{name}={value}")?,
                EventValue::U64(value) => write!(f, "{comma}{name}={value}")?,
                EventValue::I128(value) => write!(f, "{comma}{name}={value}")?,
                EventValue::U128(value) => write!(f, "{comma}{name}={value}")?,
                EventValue::F64(value) => write!(f, "{comma}{name}={value}")?,
                EventValue::Str(value) => write!(f, "{comma}{name}={value:?}")?,
                EventValue::Bytes(value) => write!(f, "{comma}{name}={value:02x?}")?,
                EventValue::Display(value) => write!(f, "{comma}{name}={value}")?,
                EventValue::Rendered(value) => write!(f, "{comma}{name}={value}")?,
                EventValue::Json(value) => write!(f, "{comma}{name}={value}")?,
                EventValue::Chain(value) => write!(f, "{comma}{name}={value}")?,
                EventValue::Error(value) => write!(f, "{comma}{name}={value}")?,
            }
        }
        Ok(())
    }
}
