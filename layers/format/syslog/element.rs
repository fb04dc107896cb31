//! Structured data (RFC 5424, 6.3).

use super::{SyslogFormat, names::PARAMETER, write::escape};
use crate::{
    Record, Value,
    format::{
        callsite_cache::Callsite,
        json::value::hex,
        key_cache::KeyCache,
        line::{Fragment, Line, hex_digits},
    },
    record::{Entry, FormatCache, SpanView, Tag, TraceParent, mark_truncated},
    text::next_special,
};

/// ` name="`, with a valid name.
pub(super) fn parameter(name: &'static str) -> Fragment {
    Fragment::of(false, |line| put_name(name, line))
}

static PARAMETERS: KeyCache = KeyCache::new(parameter);

/// Writes the parameters of one element, up to a limit.
pub(super) struct Element<'l, 'a> {
    line: &'l mut Line<'a>,
    /// No parameter may end after it.
    limit: usize,
    /// Whether control characters are escaped.
    one_line: bool,
    /// How many parameters were cut or left out.
    cut: u32,
}

/// The parameter with the number of those that were cut.
const CUT: &str = "cut_fields";
/// Its length with a number of ten digits.
const CUT_ROOM: usize = CUT.len() + 14;
/// Shorter parts of a value are left out, in bytes.
const MIN_CUT_VALUE: usize = 64;

/// Names that the format itself uses in some records: if MSGID is not the target, with a trace, with options.
const TARGET: [&str; 1] = ["target"];
const TRACE: [&str; 3] = ["trace_id", "span_id", "trace_flags"];
const SOURCE: [&str; 3] = ["file", "line", "module_path"];
const THREAD: [&str; 2] = ["thread_name", "thread_id"];

const fn bits(names: &[&str]) -> u64 {
    let (mut bits, mut index) = (0, 0);
    while index < names.len() {
        bits |= Tag::of(names[index]).bit();
        index += 1;
    }
    bits
}

impl SyslogFormat {
    /// Writes the structured data, or `-`.
    pub(super) fn structured_data(&self, record: &Record, limit: usize, has_target: bool, line: &mut Line<'_>) {
        let start = line.len();
        if self.elements.len() < limit.saturating_sub(start) {
            line.raw_bytes(&self.elements);
        }
        if self.sd_id.is_some() {
            line.fragment(&self.precomputed.element);
            let bare = line.len();
            let limit = if limit == usize::MAX { limit } else { limit.saturating_sub(1) };
            let mut element = Element::new(line, limit, self.one_line);
            if has_target {
                element.put("target", Value::Str(record.target()));
            }
            self.parameters(record, &[], has_target, &mut element);
            element.push_cut_count();
            self.end(bare, line);
        }
        if line.len() == start {
            line.byte(b'-');
        }
    }

    /// The fields after the cached part of the call site, and the end of the structured data.
    #[inline]
    pub(super) fn cached_element(&self, callsite: &Callsite, record: &Record, line: &mut Line<'_>) {
        let bare = line.len();
        let has_target = callsite.text.text().last() == Some(&b'"');
        let mut element = Element::new(line, usize::MAX, self.one_line);
        self.parameters(record, &callsite.names, has_target, &mut element);
        if has_target {
            return line.byte(b']');
        }
        self.end(bare, line);
        if line.len() < bare && self.elements.is_empty() {
            line.byte(b'-');
        }
    }

    /// Closes the element, or removes it if it has no parameters.
    #[inline]
    fn end(&self, bare: usize, line: &mut Line<'_>) {
        if line.len() > bare {
            return line.byte(b']');
        }
        let out = line.bytes();
        out.truncate(bare - self.precomputed.element.text().len());
    }

    fn parameters(
        &self,
        record: &Record,
        expected: &[(&'static str, Fragment)],
        has_target: bool,
        element: &mut Element<'_, '_>,
    ) {
        // Bits of the names that the format uses in this record.
        let mut reserved = const { bits(&[CUT]) };
        if has_target {
            reserved |= const { bits(&TARGET) };
        }
        if let Some(trace) = record.trace() {
            reserved |= const { bits(&TRACE) };
            element.trace(trace);
        }
        if self.source || self.thread {
            reserved |= const { bits(&SOURCE) | bits(&THREAD) };
            self.call_site(record, element);
        }
        let mut expected = expected.iter();
        let is_limited = element.limit < usize::MAX;
        for source in record.sources() {
            if !is_limited {
                if let Some(span) = source.span_apart_from(reserved) {
                    if let Some(text) = span.cached(FormatCache::Syslog, || span_text(span)) {
                        element.line.raw_bytes(text);
                        continue;
                    }
                }
            }
            for entry in source.entries() {
                let expected = expected.next();
                let value = entry.value();
                if is_limited || entry.tag().bit() & reserved != 0 || value.as_error().is_some() {
                    self.parameter(entry, record, has_target, element);
                } else {
                    put(entry.name(), expected, value, self.one_line, element.line);
                }
            }
        }
    }

    /// A parameter whose name may be reserved, or that is an error, or may be cut.
    #[inline(never)]
    fn parameter(&self, entry: Entry<'_>, record: &Record, has_target: bool, element: &mut Element<'_, '_>) {
        let (name, value) = entry.pair();
        if self.is_reserved(name, record, has_target) {
            element.put(&record.name_of_part(name, "_"), value);
        } else {
            element.put(name, value);
        }
        if let Value::Error(chain) = value {
            if let Some(kind) = chain.type_name() {
                element.put(&record.name_of_part(name, ".type"), Value::Str(kind));
            }
        }
    }

    #[inline(never)]
    fn call_site(&self, record: &Record, element: &mut Element<'_, '_>) {
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

    fn is_reserved(&self, name: &str, record: &Record, has_target: bool) -> bool {
        name == CUT
            || has_target && TARGET.contains(&name)
            || self.source && SOURCE.contains(&name)
            || self.thread && THREAD.contains(&name)
            || TRACE.contains(&name) && record.trace().is_some()
    }
}

/// Longest cached text of a span, in bytes.
const MAX_CACHED: usize = 1_024;

/// A span's parameters. `None` if they are long or depend on more than the span: on other names, or on whether controls are
/// escaped.
#[cold]
fn span_text(span: SpanView<'_>) -> Option<Box<[u8]>> {
    let depends = |value: Value<'_>| match value {
        Value::Str(text) | Value::Rendered(text) => next_special(text, 0, false).is_some(),
        value => value.as_error().is_some(),
    };
    if span.fields().iter().any(|(_, value)| depends(value)) {
        return None;
    }
    let text = Fragment::of(false, |line| {
        span.fields().entries().for_each(|entry| put(entry.name(), None, entry.value(), false, line));
    });
    (text.text().len() <= MAX_CACHED).then(|| text.text().into())
}

impl<'l, 'a> Element<'l, 'a> {
    #[inline]
    pub(super) fn new(line: &'l mut Line<'a>, limit: usize, one_line: bool) -> Self {
        Self { line, limit, one_line, cut: 0 }
    }

    pub(super) fn put(&mut self, name: &str, value: Value<'_>) {
        if self.cut > 0 {
            self.cut += 1;
            return;
        }
        let start = self.line.len();
        put_name(name, self.line);
        let text = self.line.len();
        put_value(value, self.one_line, self.line);
        if self.line.len() > self.limit.saturating_sub(CUT_ROOM) {
            self.shorten_last(start, text);
        }
    }

    #[inline(never)]
    fn trace(&mut self, trace: TraceParent) {
        let quads = |number: u64| [hex_digits((number >> 32) as u32), hex_digits(number as u32)];
        fn text(digits: &[u8]) -> Value<'_> {
            Value::Str(std::str::from_utf8(digits).unwrap_or_default())
        }
        let ids = [(trace.trace_id() >> 64) as u64, trace.trace_id() as u64, trace.span_id()].map(quads);
        let ids = ids.as_flattened().as_flattened();
        self.put("trace_id", text(&ids[..32]));
        self.put("span_id", text(&ids[32..]));
        self.put("trace_flags", text(&hex_digits(trace.flags().into())[6..]));
    }

    /// Cuts the last value, or leaves it out with those after it.
    #[cold]
    fn shorten_last(&mut self, start: usize, text: usize) {
        self.cut += 1;
        let room = self.limit.saturating_sub(CUT_ROOM + 1);
        let out = self.line.bytes();
        if room < text + MIN_CUT_VALUE {
            return out.truncate(start);
        }
        let end = out.len() - 1;
        let mut mark = String::new();
        mark_truncated(&mut mark, Some(end - text));
        let mut cut_at = room - mark.len();
        while cut_at > text && out[cut_at] & 0xc0 == 0x80 {
            cut_at -= 1;
        }
        // Nor within an escape.
        let backslashes = out[text..cut_at].iter().rev().take_while(|byte| **byte == b'\\').count();
        cut_at -= backslashes % 2;
        mark.clear();
        mark_truncated(&mut mark, Some(end - cut_at));
        out.truncate(cut_at);
        out.extend_from_slice(mark.replace(']', "\\]").as_bytes());
        out.push(b'"');
    }

    fn push_cut_count(&mut self) {
        if self.cut > 0 {
            self.line.byte(b' ');
            self.line.raw(CUT);
            self.line.raw("=\"");
            self.line.raw(itoa::Buffer::new().format(self.cut));
            self.line.byte(b'"');
        }
    }
}

/// ` name="value"`. A `'static` name may be cached.
#[inline(always)]
fn put(
    name: Result<&'static str, &str>,
    expected: Option<&(&'static str, Fragment)>,
    value: Value<'_>,
    one_line: bool,
    line: &mut Line<'_>,
) {
    let cached = |name: &'static str| match expected {
        Some((expected, fragment)) if std::ptr::eq(*expected, name) => Ok(fragment),
        _ => PARAMETERS.get(name).ok_or(name),
    };
    match name.map(cached) {
        Ok(Ok(fragment)) => line.fragment(fragment),
        Ok(Err(name)) | Err(name) => put_name(name, line),
    }
    put_value(value, one_line, line);
}

/// ` name="`
fn put_name(name: &str, line: &mut Line<'_>) {
    line.byte(b' ');
    PARAMETER.put(name, line);
    line.array(b"=\"");
}

/// A value and its closing quote: numbers as in JSON, bytes in hexadecimal, an error as `message: cause: cause`.
#[inline(always)]
fn put_value(value: Value<'_>, one_line: bool, line: &mut Line<'_>) {
    match value {
        Value::Str(text) | Value::Rendered(text) => {
            if line.push_if_plain_then::<true>(text, b'"') {
                return;
            }
            put_text(text, one_line, line.bytes());
        }
        Value::Json(json) => put_text(json.as_str(), one_line, line.bytes()),
        Value::Bool(value) => line.raw(if value { "true" } else { "false" }),
        Value::I64(number) => line.raw(itoa::Buffer::new().format(number)),
        Value::U64(number) => line.raw(itoa::Buffer::new().format(number)),
        Value::I128(number) => line.raw(itoa::Buffer::new().format(number)),
        Value::U128(number) => line.raw(itoa::Buffer::new().format(number)),
        Value::F64(number) if number.is_finite() => line.raw(zmij::Buffer::new().format_finite(number)),
        Value::F64(f64::INFINITY) => line.raw("Infinity"),
        Value::F64(f64::NEG_INFINITY) => line.raw("-Infinity"),
        Value::F64(_) => line.raw("NaN"),
        Value::Bytes(bytes) => hex(line, bytes),
        Value::Error(chain) => {
            put_text(chain.message(), one_line, line.bytes());
            for cause in chain.causes() {
                line.array(b": ");
                put_text(cause, one_line, line.bytes());
            }
        }
    }
    line.byte(b'"');
}

/// RFC 5424, 6.3.3: `"`, `\` and `]` get a backslash.
pub(super) fn put_text(text: &str, one_line: bool, out: &mut Vec<u8>) {
    if one_line && next_special(text, 0, false).is_some() {
        return put_one_line(text, out);
    }
    put_bytes(text.as_bytes(), out);
}

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

/// Controls become `\n` or `\u{1b}` and backslashes are doubled; then all are escaped once more, as the protocol requires.
#[cold]
fn put_one_line(text: &str, out: &mut Vec<u8>) {
    let mut shown = Vec::with_capacity(text.len() + 16);
    escape(text, false, &mut shown);
    put_bytes(&shown, out);
}

const NEEDS_BACKSLASH: [bool; 256] = {
    let mut table = [false; 256];
    table[b'"' as usize] = true;
    table[b'\\' as usize] = true;
    table[b']' as usize] = true;
    table
};
