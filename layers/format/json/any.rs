//! Values as the JSON of OTLP writes them: `{"key":"user","value":{"intValue":"7"}}`.

use super::value::float;
use crate::{
    Value,
    format::line::{Fragment, Line},
    record::{items, pair},
    text::base64,
};

/// `,{"key":"name","value":{`
pub(super) fn key_fragment(name: &str) -> Fragment {
    Fragment::of(false, |line| key(line, [name]))
}

/// The same, for a name in parts.
pub(super) fn key<'p>(line: &mut Line<'_>, parts: impl IntoIterator<Item = &'p str>) {
    line.comma();
    line.raw("{\"key\":\"");
    parts.into_iter().for_each(|part| line.escaped(part));
    line.raw("\",\"value\":{");
}

/// A value and the end of its pair.
#[inline(always)]
pub(super) fn any_and_end(line: &mut Line<'_>, value: Value<'_>) {
    any(line, value);
    line.array(b"}}");
}

/// The member that holds a value. Integers beyond 64 bits (signed) are texts.
#[inline(always)]
fn any(line: &mut Line<'_>, value: Value<'_>) {
    match value {
        Value::Str(text) | Value::Rendered(text) => string(line, text),
        Value::I64(number) => narrow(line, number),
        Value::U64(number) => match i64::try_from(number) {
            Ok(number) => narrow(line, number),
            Err(_) => string(line, itoa::Buffer::new().format(number)),
        },
        Value::F64(number) => {
            line.array(b"\"doubleValue\":");
            float(line, number);
        }
        Value::Bool(value) => {
            line.array(b"\"boolValue\":");
            line.raw(if value { "true" } else { "false" });
        }
        Value::I128(number) => integer(line, number),
        Value::U128(number) => match i128::try_from(number) {
            Ok(number) => integer(line, number),
            Err(_) => string(line, itoa::Buffer::new().format(number)),
        },
        Value::Bytes(bytes) => {
            line.raw("\"bytesValue\":\"");
            bytes.chunks(3).flat_map(base64).for_each(|digit| line.byte(digit));
            line.byte(b'"');
        }
        Value::Json(json) => of_json(line, json.as_str(), 0),
        Value::Error(chain) => string(line, chain.message()),
    }
}

#[inline]
fn string(line: &mut Line<'_>, text: &str) {
    line.array(b"\"stringValue\":");
    line.string(text);
}

#[inline]
fn narrow(line: &mut Line<'_>, number: i64) {
    line.array(b"\"intValue\":\"");
    line.raw(itoa::Buffer::new().format(number));
    line.byte(b'"');
}

#[cold]
fn integer(line: &mut Line<'_>, number: i128) {
    match i64::try_from(number) {
        Ok(number) => narrow(line, number),
        Err(_) => string(line, itoa::Buffer::new().format(number)),
    }
}

/// Readers of protobuf refuse deep nesting: deeper values stay text, as in OTLP's binary form.
const MAX_DEPTH: u32 = 24;

#[cold]
fn of_json(line: &mut Line<'_>, json: &str, depth: u32) {
    match json.as_bytes().first() {
        Some(b'"') => {
            line.raw("\"stringValue\":");
            line.raw(json);
        }
        Some(b'{' | b'[') if depth == MAX_DEPTH => string(line, json),
        Some(b'[') => {
            line.raw("\"arrayValue\":{\"values\":");
            line.open_list();
            for item in items(json) {
                line.comma();
                line.byte(b'{');
                of_json(line, item, depth + 1);
                line.byte(b'}');
            }
            line.close_list();
            line.byte(b'}');
        }
        Some(b'{') => {
            line.raw("\"kvlistValue\":{\"values\":");
            line.open_list();
            for (key, value) in items(json).map(pair) {
                line.comma();
                line.raw("{\"key\":");
                line.raw(key);
                line.raw(",\"value\":{");
                of_json(line, value, depth + 1);
                line.raw("}}");
            }
            line.close_list();
            line.byte(b'}');
        }
        Some(b't' | b'f') => {
            line.raw("\"boolValue\":");
            line.raw(json);
        }
        Some(b'n') | None => {}
        Some(_) if json.contains(['.', 'e', 'E']) => {
            line.raw("\"doubleValue\":");
            line.raw(json);
        }
        Some(_) => match json.parse() {
            Ok(number) => integer(line, number),
            Err(_) => string(line, json),
        },
    }
}
