//! MessagePack: the few types that records need, and what a receiver answers.
//!
//! Source: [MessagePack specification](https://github.com/msgpack/msgpack/blob/master/spec.md).

mod read;

use std::time::SystemTime;

pub(crate) use self::read::{NoValue, Read, read};
use super::time::since_epoch;
use crate::{
    Record, Severity, Value,
    record::{ErrorChain, JsonText, items, pair},
};

/// Names that [`push_record`] gives itself. A field that has one gets `_` appended.
const OWN: [&str; 3] = ["level", "target", "message"];
const OF_TRACE: [&str; 3] = ["trace_id", "span_id", "trace_flags"];

/// A record as a map, with the names of [`Json::new`](super::Json::new) but for the timestamp.
pub(crate) fn push_record(record: &Record, out: &mut Vec<u8>) {
    // The number of pairs is known at the end.
    let start = out.len();
    out.extend_from_slice(&[0xdf, 0, 0, 0, 0]);
    let mut count = 0;
    let mut key = |name: &str, out: &mut Vec<u8>| {
        count += 1_u32;
        push_str(name, out);
    };
    key("level", out);
    push_level(record.severity(), out);
    key("target", out);
    push_str(record.target(), out);
    key("message", out);
    push_str(record.message(), out);
    let trace = record.trace();
    if let Some(trace) = trace {
        key("trace_id", out);
        push_str(&format!("{:032x}", trace.trace_id()), out);
        key("span_id", out);
        push_str(&format!("{:016x}", trace.span_id()), out);
        key("trace_flags", out);
        push_str(&format!("{:02x}", trace.flags()), out);
    }
    for entry in record.visible() {
        let (name, value) = entry.pair();
        let is_taken = OWN.contains(&name) || trace.is_some() && OF_TRACE.contains(&name);
        let renamed = is_taken.then(|| record.name_of_part(name, "_"));
        let name = renamed.as_deref().unwrap_or(name);
        key(name, out);
        push_value(value, out);
        if let Value::Error(chain) = value {
            if chain.causes().len() > 0 {
                key(&record.name_of_part(name, ".causes"), out);
                push_causes(chain, out);
            }
            if let Some(type_name) = chain.type_name() {
                key(&record.name_of_part(name, ".type"), out);
                push_str(type_name, out);
            }
        }
    }
    out[start + 1..start + 5].copy_from_slice(&count.to_be_bytes());
}

/// A record as a format wrote it: a JSON object as a map; any other text as its `message`.
pub(crate) fn push_formatted(text: &str, out: &mut Vec<u8>) {
    if text.starts_with('{') && JsonText::new(text).is_some() {
        return push_json(text, out);
    }
    push_map(1, out);
    push_str("message", out);
    push_str(text, out);
}

fn push_level(severity: Severity, out: &mut Vec<u8>) {
    match severity.name() {
        Some(name) => push_str(name, out),
        None => push_str(&format!("Level {}", severity.number()), out),
    }
}

fn push_causes(chain: ErrorChain<'_>, out: &mut Vec<u8>) {
    push_array(chain.causes().len(), out);
    chain.causes().for_each(|cause| push_str(cause, out));
}

fn push_value(value: Value<'_>, out: &mut Vec<u8>) {
    match value {
        Value::Bool(value) => push_bool(value, out),
        Value::F64(number) => push_float(number, out),
        Value::Bytes(bytes) => push_bin(bytes, out),
        Value::Str(text) | Value::Rendered(text) => push_str(text, out),
        Value::Error(chain) => push_str(chain.message(), out),
        Value::Json(json) => push_json(json.as_str(), out),
        integer => match (integer.as_u64(), integer.as_i64()) {
            (Some(number), _) => push_unsigned(number, out),
            (None, Some(number)) => push_signed(number, out),
            (None, None) => push_str(&integer.to_string(), out),
        },
    }
}

/// Compact JSON, which a [`JsonText`](crate::record::JsonText) is. It is nested 64 levels at most.
fn push_json(json: &str, out: &mut Vec<u8>) {
    match json.as_bytes().first() {
        Some(b'"') => match serde_json::from_str::<String>(json) {
            Ok(text) => push_str(&text, out),
            Err(_) => push_str(json, out),
        },
        Some(b'[') => {
            push_array(items(json).count(), out);
            items(json).for_each(|item| push_json(item, out));
        }
        Some(b'{') => {
            push_map(items(json).count(), out);
            for (key, value) in items(json).map(pair) {
                push_json(key, out);
                push_json(value, out);
            }
        }
        Some(b't' | b'f') => push_bool(json == "true", out),
        Some(b'n') | None => out.push(0xc0),
        Some(_) => match (json.parse::<u64>(), json.parse::<i64>(), json.parse::<f64>()) {
            (Ok(number), _, _) => push_unsigned(number, out),
            (_, Ok(number), _) => push_signed(number, out),
            (_, _, Ok(number)) if json.contains(['.', 'e', 'E']) && number.is_finite() => push_float(number, out),
            // A number beyond 64 bits.
            _ => push_str(json, out),
        },
    }
}

/// The forward protocol's time: seconds and nanoseconds, in 32 bits each. Earlier and later times are cut.
pub(crate) fn push_event_time(time: SystemTime, out: &mut Vec<u8>) {
    let (seconds, nanos) = clamped(time);
    out.extend_from_slice(&[0xd7, 0]);
    out.extend_from_slice(&seconds.to_be_bytes());
    out.extend_from_slice(&nanos.to_be_bytes());
}

/// Whole seconds.
pub(crate) fn push_seconds(time: SystemTime, out: &mut Vec<u8>) {
    push_unsigned(clamped(time).0.into(), out);
}

fn clamped(time: SystemTime) -> (u32, u32) {
    let (seconds, nanos) = since_epoch(time);
    match u32::try_from(seconds) {
        Ok(seconds) => (seconds, nanos),
        Err(_) if seconds < 0 => (0, 0),
        Err(_) => (u32::MAX, 999_999_999),
    }
}

pub(crate) fn push_bool(value: bool, out: &mut Vec<u8>) {
    out.push(0xc2 + u8::from(value));
}

fn push_float(number: f64, out: &mut Vec<u8>) {
    out.push(0xcb);
    out.extend_from_slice(&number.to_be_bytes());
}

pub(crate) fn push_unsigned(number: u64, out: &mut Vec<u8>) {
    match number {
        0..=0x7f => out.push(number as u8),
        0x80..=0xff => out.extend_from_slice(&[0xcc, number as u8]),
        0x100..=0xffff => push_marked(0xcd, &(number as u16).to_be_bytes(), out),
        0x1_0000..=0xffff_ffff => push_marked(0xce, &(number as u32).to_be_bytes(), out),
        _ => push_marked(0xcf, &number.to_be_bytes(), out),
    }
}

fn push_signed(number: i64, out: &mut Vec<u8>) {
    match number {
        0.. => push_unsigned(number.unsigned_abs(), out),
        -0x20..0 => out.push(number as u8),
        -0x80..-0x20 => out.extend_from_slice(&[0xd0, number as u8]),
        -0x8000..-0x80 => push_marked(0xd1, &(number as i16).to_be_bytes(), out),
        -0x8000_0000..-0x8000 => push_marked(0xd2, &(number as i32).to_be_bytes(), out),
        _ => push_marked(0xd3, &number.to_be_bytes(), out),
    }
}

/// A text of 4 GiB does not fit; [`fits`] finds it.
pub(crate) fn push_str(text: &str, out: &mut Vec<u8>) {
    match text.len() {
        length @ 0..=31 => out.push(0xa0 | length as u8),
        length @ 32..=0xff => out.extend_from_slice(&[0xd9, length as u8]),
        length @ 0x100..=0xffff => push_marked(0xda, &(length as u16).to_be_bytes(), out),
        length => push_marked(0xdb, &(length as u32).to_be_bytes(), out),
    }
    out.extend_from_slice(text.as_bytes());
}

pub(crate) fn push_bin(bytes: &[u8], out: &mut Vec<u8>) {
    match bytes.len() {
        length @ 0..=0xff => out.extend_from_slice(&[0xc4, length as u8]),
        length @ 0x100..=0xffff => push_marked(0xc5, &(length as u16).to_be_bytes(), out),
        length => push_marked(0xc6, &(length as u32).to_be_bytes(), out),
    }
    out.extend_from_slice(bytes);
}

pub(crate) fn push_array(length: usize, out: &mut Vec<u8>) {
    match length {
        0..=15 => out.push(0x90 | length as u8),
        16..=0xffff => push_marked(0xdc, &(length as u16).to_be_bytes(), out),
        _ => push_marked(0xdd, &(length as u32).to_be_bytes(), out),
    }
}

pub(crate) fn push_map(length: usize, out: &mut Vec<u8>) {
    match length {
        0..=15 => out.push(0x80 | length as u8),
        16..=0xffff => push_marked(0xde, &(length as u16).to_be_bytes(), out),
        _ => push_marked(0xdf, &(length as u32).to_be_bytes(), out),
    }
}

fn push_marked(marker: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(marker);
    out.extend_from_slice(bytes);
}

/// Whether everything in so many bytes has a length that can be written.
pub(crate) fn fits(bytes: usize) -> bool {
    u32::try_from(bytes).is_ok()
}
