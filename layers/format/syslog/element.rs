//! Structured data (RFC 5424, 6.3).

use super::{
    Syslog,
    names::{MESSAGE_ID, PARAMETER},
};
use crate::{Record, Value, record::mark_cut};

/// Writes the parameters of one element, up to a limit.
pub(super) struct Element<'a> {
    out: &'a mut Vec<u8>,
    /// No parameter may end behind it.
    limit: usize,
    /// Whether controls are escaped.
    one_line: bool,
    cut: u32,
}

/// What is said of parameters that had no room.
const CUT: &str = "cut_fields";
/// Room for it, with a number of ten digits.
const CUT_ROOM: usize = CUT.len() + 14;
/// Below this a part of a value is not worth it.
const WORTH: usize = 64;

impl Syslog {
    /// Writes ` ` and the structured data, or `-`.
    pub(super) fn structured_data(&self, record: &Record, limit: usize, out: &mut Vec<u8>) {
        let start = out.len();
        if self.elements.len() < limit.saturating_sub(start) {
            out.extend_from_slice(&self.elements);
        }
        if let Some(id) = &self.sd_id {
            self.own_element(id, record, limit, out);
        }
        if out.len() == start {
            out.push(b'-');
        }
    }

    fn own_element(&self, id: &str, record: &Record, limit: usize, out: &mut Vec<u8>) {
        let start = out.len();
        out.push(b'[');
        out.extend_from_slice(id.as_bytes());
        let bare = out.len();
        let limit = limit.saturating_sub(1);
        let mut element = Element { out, limit, one_line: self.one_line, cut: 0 };
        self.own_parameters(record, &mut element);
        for entry in record.visible() {
            let (name, value) = entry.pair();
            if self.is_reserved(name, record) {
                element.put(&record.name_of_part(name, "_"), value);
            } else {
                element.put(name, value);
            }
            if let Value::Error(chain) = value
                && let Some(kind) = chain.type_name()
            {
                element.put(&record.name_of_part(name, ".type"), Value::Str(kind));
            }
        }
        element.tell_cut();
        match out.len() == bare {
            true => out.truncate(start),
            false => out.push(b']'),
        }
    }

    fn own_parameters(&self, record: &Record, element: &mut Element<'_>) {
        if self.names_target(record) {
            element.put("target", Value::Str(record.target()));
        }
        if let Some(trace) = record.trace() {
            let mut ids = [0; 50];
            let mut rest = &mut ids[..];
            // 32, 16 and 2 digits fill it.
            if std::io::Write::write_fmt(
                &mut rest,
                format_args!("{:032x}{:016x}{:02x}", trace.trace_id(), trace.span_id(), trace.flags()),
            )
            .is_ok()
                && let Ok(ids) = std::str::from_utf8(&ids)
            {
                element.put("trace_id", Value::Str(&ids[..32]));
                element.put("span_id", Value::Str(&ids[32..48]));
                element.put("trace_flags", Value::Str(&ids[48..]));
            }
        }
        if self.source {
            if let Some(file) = record.file() {
                element.put("file", Value::Str(file));
            }
            if let Some(line) = record.line() {
                element.put("line", Value::U64(line.into()));
            }
            if let Some(path) = record.module_path() {
                element.put("module_path", Value::Str(path));
            }
        }
        if self.thread {
            if let Some(name) = record.thread_name() {
                element.put("thread_name", Value::Str(name));
            }
            element.put("thread_id", Value::U64(record.thread_id()));
        }
    }

    /// Whether MSGID does not say it.
    fn names_target(&self, record: &Record) -> bool {
        let target = record.target();
        !target.is_empty() && (record.name().is_some() || !MESSAGE_ID.is_valid(target))
    }

    fn is_reserved(&self, name: &str, record: &Record) -> bool {
        match name {
            "target" => self.names_target(record),
            "trace_id" | "span_id" | "trace_flags" => record.trace().is_some(),
            "file" | "line" | "module_path" => self.source,
            "thread_name" | "thread_id" => self.thread,
            CUT => true,
            _ => false,
        }
    }
}

impl Element<'_> {
    #[inline]
    fn put(&mut self, name: &str, value: Value<'_>) {
        let start = self.out.len();
        if self.cut > 0 {
            self.cut += 1;
            return;
        }
        self.out.push(b' ');
        PARAMETER.put(name, self.out);
        self.out.extend_from_slice(b"=\"");
        let text = self.out.len();
        put_value(value, self.one_line, self.out);
        self.out.push(b'"');
        if self.out.len() > self.limit.saturating_sub(CUT_ROOM) {
            self.give_way(start, text);
        }
    }

    /// A value that has no room is cut, or left out with those behind it.
    #[cold]
    fn give_way(&mut self, start: usize, text: usize) {
        self.cut += 1;
        let room = self.limit.saturating_sub(CUT_ROOM + 1);
        if room < text + WORTH {
            return self.out.truncate(start);
        }
        let end = self.out.len() - 1;
        let mut mark = String::new();
        mark_cut(&mut mark, Some(end - text));
        let mut kept = room - mark.len();
        while kept > text && self.out[kept] & 0xc0 == 0x80 {
            kept -= 1;
        }
        // Not within an escape either.
        let backslashes = self.out[text..kept].iter().rev().take_while(|byte| **byte == b'\\').count();
        kept -= backslashes % 2;
        mark.clear();
        mark_cut(&mut mark, Some(end - kept));
        self.out.truncate(kept);
        self.out.extend_from_slice(mark.replace(']', "\\]").as_bytes());
        self.out.push(b'"');
    }

    fn tell_cut(&mut self) {
        if self.cut > 0 {
            self.out.push(b' ');
            self.out.extend_from_slice(CUT.as_bytes());
            self.out.extend_from_slice(b"=\"");
            self.out.extend_from_slice(itoa::Buffer::new().format(self.cut).as_bytes());
            self.out.push(b'"');
        }
    }
}

/// The text of a value: numbers as JSON writes them, bytes in hexadecimal, an error as `message: cause: cause`.
#[inline]
fn put_value(value: Value<'_>, one_line: bool, out: &mut Vec<u8>) {
    match value {
        Value::Str(text) | Value::Rendered(text) => put_text(text, one_line, out),
        Value::Bool(value) => out.extend_from_slice(if value { b"true" } else { b"false" }),
        Value::I64(number) => out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes()),
        Value::U64(number) => out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes()),
        Value::I128(number) => out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes()),
        Value::U128(number) => out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes()),
        Value::F64(number) => out.extend_from_slice(match number {
            f64::INFINITY => b"Infinity",
            f64::NEG_INFINITY => b"-Infinity",
            number if number.is_nan() => b"NaN",
            number => return out.extend_from_slice(zmij::Buffer::new().format_finite(number).as_bytes()),
        }),
        Value::Bytes(bytes) => {
            const DIGITS: &[u8; 16] = b"0123456789abcdef";
            out.extend(bytes.iter().flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]));
        }
        Value::Error(chain) => {
            put_text(chain.message(), one_line, out);
            for cause in chain.causes() {
                out.extend_from_slice(b": ");
                put_text(cause, one_line, out);
            }
        }
    }
}

/// RFC 5424, 6.3.3: `"`, `\` and `]` get a backslash.
#[inline]
pub(super) fn put_text(text: &str, one_line: bool, out: &mut Vec<u8>) {
    if one_line && crate::text::next_special(text, 0, false).is_some() {
        return put_one_line(text, out);
    }
    put_bytes(text.as_bytes(), out);
}

#[inline]
fn put_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    let mut from = 0;
    for (index, byte) in bytes.iter().enumerate() {
        if NEEDS_BACKSLASH[usize::from(*byte)] {
            out.extend_from_slice(&bytes[from..index]);
            out.push(b'\\');
            from = index;
        }
    }
    out.extend_from_slice(&bytes[from..]);
}

/// With controls written as `\n` or `\u{1b}`, and backslashes twice; all of them escaped once more, as the protocol asks.
#[cold]
fn put_one_line(text: &str, out: &mut Vec<u8>) {
    let mut shown = Vec::with_capacity(text.len() + 16);
    super::escape(text, false, &mut shown);
    put_bytes(&shown, out);
}

const NEEDS_BACKSLASH: [bool; 256] = {
    let mut table = [false; 256];
    table[b'"' as usize] = true;
    table[b'\\' as usize] = true;
    table[b']' as usize] = true;
    table
};
