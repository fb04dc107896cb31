//! A record in journald's native protocol: `NAME=value` and a line break for each field. If the value has a line break or
//! a NUL: `NAME`, a line break, the length as 64 bits (little-endian), the value, a line break.
//!
//! Source: [Native Journal Protocol](https://systemd.io/JOURNAL_NATIVE_PROTOCOL/).

use std::{cell::Cell, fmt::Write as _};

use super::names;
use crate::{Record, Severity, Value, format::Time, record::Entry};

/// journald discards entries with more than 1024 fields.
const MAX_FIELDS: usize = 1_000;

/// What is the same for all records.
#[derive(Clone, Debug)]
pub(super) struct Extra {
    /// `SYSLOG_IDENTIFIER` and the fields of the builder, encoded.
    pub(super) constant: Vec<u8>,
    pub(super) time: Time,
}

/// Appends the record.
pub(super) fn write(record: &Record, extra: &Extra, out: &mut Vec<u8>) {
    field(out, "MESSAGE", record.message().as_bytes());
    out.extend_from_slice(b"PRIORITY=");
    out.extend_from_slice(&[b'0' + record.severity().syslog(), b'\n']);
    out.extend_from_slice(&extra.constant);
    level(out, record.severity());
    field(out, "TARGET", record.target().as_bytes());
    call_site(out, record);
    if let Some(name) = record.name() {
        field(out, "EVENT_NAME", name.as_bytes());
    }
    if let Some(name) = record.thread_name() {
        field(out, "THREAD_NAME", name.as_bytes());
    }
    number(out, "TID", record.thread_id());
    if !extra.time.is_none() {
        with_text(|text| {
            extra.time.write(record.time(), text);
            field(out, "TIMESTAMP", text.as_bytes());
        });
    }
    if let Some(trace) = record.trace() {
        with_text(|text| {
            // A String never fails.
            write!(text, "TRACE_ID={:032x}\nSPAN_ID={:016x}\n", trace.trace_id(), trace.span_id()).unwrap_or_default();
            writeln!(text, "TRACE_FLAGS={:02x}", trace.flags()).unwrap_or_default();
            out.extend_from_slice(text.as_bytes());
        });
    }
    span_names(out, record);
    fields(out, record);
}

fn level(out: &mut Vec<u8>, severity: Severity) {
    match severity.name() {
        Some(name) => field(out, "LEVEL", name.as_bytes()),
        None => number(out, "LEVEL", severity.number()),
    }
}

fn call_site(out: &mut Vec<u8>, record: &Record) {
    if let Some(file) = record.file() {
        field(out, "CODE_FILE", file.as_bytes());
    }
    if let Some(line) = record.line() {
        number(out, "CODE_LINE", line);
    }
    if let Some(path) = record.module_path() {
        field(out, "CODE_FUNC", path.as_bytes());
    }
}

/// The journal keeps repeated fields.
fn span_names(out: &mut Vec<u8>, record: &Record) {
    for span in crate::format::outermost_first(record) {
        field(out, "SPAN_NAME", span.name().as_bytes());
    }
}

fn fields(out: &mut Vec<u8>, record: &Record) {
    let mut left_out = 0_u64;
    for (count, entry) in record.visible().enumerate() {
        if count < MAX_FIELDS { field_of_record(out, record, entry) } else { left_out += 1 }
    }
    if left_out > 0 {
        number(out, "FIELDS_LEFT_OUT", left_out);
    }
}

#[inline]
fn field_of_record(out: &mut Vec<u8>, record: &Record, entry: Entry<'_>) {
    let (name, of) = entry.pair();
    names::write(name, out);
    match of {
        Value::Str(text) | Value::Rendered(text) => value(out, text.as_bytes()),
        Value::Json(json) => value(out, json.as_str().as_bytes()),
        Value::U64(number) => simple(out, itoa::Buffer::new().format(number)),
        Value::I64(number) => simple(out, itoa::Buffer::new().format(number)),
        Value::U128(number) => simple(out, itoa::Buffer::new().format(number)),
        Value::I128(number) => simple(out, itoa::Buffer::new().format(number)),
        Value::F64(number) if number.is_finite() => simple(out, zmij::Buffer::new().format_finite(number)),
        Value::F64(f64::INFINITY) => simple(out, "Infinity"),
        Value::F64(f64::NEG_INFINITY) => simple(out, "-Infinity"),
        Value::F64(_) => simple(out, "NaN"),
        Value::Bool(true) => simple(out, "true"),
        Value::Bool(false) => simple(out, "false"),
        Value::Bytes(bytes) => value(out, bytes),
        Value::Error(chain) => {
            value(out, chain.message().as_bytes());
            if chain.causes().len() > 0 {
                let causes = record.name_of_part(name, ".causes");
                for cause in chain.causes() {
                    names::write(&causes, out);
                    value(out, cause.as_bytes());
                }
            }
            if let Some(type_name) = chain.type_name() {
                names::write(&record.name_of_part(name, ".type"), out);
                value(out, type_name.as_bytes());
            }
        }
    }
}

/// The name must be valid.
#[inline]
pub(super) fn field(out: &mut Vec<u8>, name: &str, of: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    value(out, of);
}

fn number(out: &mut Vec<u8>, name: &str, of: impl itoa::Integer) {
    out.extend_from_slice(name.as_bytes());
    simple(out, itoa::Buffer::new().format(of));
}

/// Appends what follows the name.
#[inline]
fn value(out: &mut Vec<u8>, of: &[u8]) {
    // No early exit, so that it is vectorized: mostly there is nothing to find.
    if of.iter().fold(false, |found, byte| found | matches!(byte, b'\n' | 0)) {
        return binary(out, of);
    }
    out.push(b'=');
    out.extend_from_slice(of);
    out.push(b'\n');
}

#[cold]
fn binary(out: &mut Vec<u8>, of: &[u8]) {
    out.push(b'\n');
    out.extend_from_slice(&(of.len() as u64).to_le_bytes());
    out.extend_from_slice(of);
    out.push(b'\n');
}

/// The text must have neither line break nor NUL.
#[inline]
fn simple(out: &mut Vec<u8>, of: &str) {
    out.push(b'=');
    out.extend_from_slice(of.as_bytes());
    out.push(b'\n');
}

/// A reused buffer for a short text.
fn with_text(write: impl FnOnce(&mut String)) {
    thread_local! {
        static TEXT: Cell<String> = const { Cell::new(String::new()) };
    }
    // A thread that is ending has no buffer any more.
    let mut text = TEXT.try_with(Cell::take).unwrap_or_default();
    text.clear();
    write(&mut text);
    TEXT.try_with(|slot| slot.set(text)).unwrap_or_default();
}
