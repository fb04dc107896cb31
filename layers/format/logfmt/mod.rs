//! `key=value key="a value"`.

mod name;
mod word;

use std::borrow::Cow;

use self::{
    name::{Path, RESERVED, is_reserved, key},
    word::{is_word, message, word},
};
use super::{
    Buffer, Format, Time,
    callsite_cache::{Callsite, CallsiteCache},
    json::value::hex,
    key_cache::KeyCache,
    line::{Fragment, Line},
};
use crate::{
    Error, Fields, Record, Severity, Value,
    record::{Entry, FormatCache, SpanView, TraceParent, items, pair},
};

/// One line of `key=value` pairs per record, for Grafana Loki, hl, lnav, Heroku's tools and others that read logfmt.
///
/// ```
/// use std::time::UNIX_EPOCH;
/// use tracing_strata::{Record, Severity, format::{Buffer, Format, Logfmt}};
///
/// let mut record = Record::new(Severity::INFO, "shop::pay", "card charged");
/// record.set_time(UNIX_EPOCH);
/// record.set("amount", 12.5);
/// record.set("note", "say \"hi\"");
/// record.push_span("request", [("id", "7f3a")].into_iter().collect());
///
/// let mut out = Buffer::new();
/// Logfmt::new().format(&record, &mut out).unwrap();
/// assert_eq!(
///     out,
///     r#"time=1970-01-01T00:00:00.000000Z level=info target=shop::pay msg="card charged" amount=12.5 note="say \"hi\"" id=7f3a"#
/// );
/// ```
///
/// # Pairs, in this order
///
/// | key | content |
/// |---|---|
/// | `time` | [`Time`]: RFC 3339, UTC, microseconds; [`time`](Self::time) |
/// | `level`, `target`, `msg` | the severity's name in lower case, target, message |
/// | `trace_id`, `span_id`, `trace_flags` | hexadecimal, in records that have [trace ids](Record::trace) |
/// | `event_name` | the event's name, if it was given one |
/// | `file`, `line` | the call site; [`source`](Self::source) |
/// | `thread_name`, `thread_id` | [`thread`](Self::thread) |
/// | … | the fields: the event's, the spans', the global ones, those [of the format](Self::field), each name once: the event wins over spans, an inner span over an outer one, and so on |
///
/// # Names
///
/// | field | key | rule |
/// |---|---|---|
/// | `user_id`, `http.method`, `größe` | as they are | |
/// | `level`, `msg`, `msg_` | `level_`, `msg_`, `msg__` | names of the table above get `_` appended; those that have one already get one more |
/// | `a b`, `k=v`, `50%`, `"` | `a%20b`, `k%3Dv`, `50%25`, `%22` | white space, `=`, quotes, `%`, control characters and U+FFFD are percent-encoded UTF-8 |
/// | the empty name | `%` | |
///
/// No two names become one, and no field can pass for a pair of the table above.
///
/// # Values
///
/// Numbers, truth values and words are bare. Text is quoted if it is empty or has white space, `=`, a quote, a backslash, a
/// control character or U+FFFD; quoted text has the escapes of JSON, so that a record is one line. Bytes are hexadecimal.
/// An error is its message with its causes, `top: cause: cause`. Lists and maps are flattened: `tags.0=new order.id=7`; a
/// point in a name inside them is `%2E`. They stay JSON text if their names could clash with other fields of the record.
/// (A name that a map itself has twice is written twice.)
///
/// Go's [kr/logfmt](https://pkg.go.dev/github.com/kr/logfmt) and [go-logfmt](https://pkg.go.dev/github.com/go-logfmt/logfmt)
/// and Python's [logfmtkv](https://pypi.org/project/logfmtkv/) read it back. lnav takes it as its own; its version 0.11 sees
/// levels only behind a time in quotes: `Time::utc().strftime("%Y-%m-%dT%H:%M:%S%.6fZ")`.
#[derive(Clone, Debug)]
pub struct Logfmt {
    time: Time,
    source: bool,
    thread: bool,
    fixed: Fields,
    callsites: CallsiteCache,
}

impl Logfmt {
    /// With time, level, target and message, and all fields.
    pub fn new() -> Self {
        Self {
            time: Time::utc(),
            source: false,
            thread: false,
            fixed: Fields::new(),
            callsites: CallsiteCache::default(),
        }
    }

    /// How the time is written; [`Time::none`] leaves it out.
    pub fn time(self, time: Time) -> Self {
        Self { time, ..self }
    }

    /// Whether file and line of the call site are written, if known (default: no).
    pub fn source(self, on: bool) -> Self {
        Self { source: on, ..self }
    }

    /// Whether the thread's name (if it has one) and id are written (default: no).
    pub fn thread(self, on: bool) -> Self {
        Self { thread: on, ..self }
    }

    /// Adds a constant field. A record's field of that name wins.
    pub fn field<'v>(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Value<'v>>) -> Self {
        self.fixed.set(name, value);
        self
    }

    /// The same format, if no [constant field](Self::field) has the name of one of the
    /// [format's keys](Self#pairs-in-this-order). Otherwise such a field is written with `_` appended.
    ///
    /// # Errors
    /// A constant field is named like a key of the format. The error names it.
    ///
    /// ```
    /// use tracing_strata::format::Logfmt;
    ///
    /// assert!(Logfmt::new().field("service", "shop").checked().is_ok());
    /// let error = Logfmt::new().field("level", "high").checked().unwrap_err();
    /// assert_eq!(error.to_string(), "the key \"level\" is asked for by `level` and by the field \"level\"");
    /// ```
    pub fn checked(self) -> Result<Self, Error> {
        if let Some((name, _)) = self.fixed.iter().find(|(name, _)| RESERVED.binary_search(name).is_ok()) {
            return Err(Error::config(format_args!(
                "the key {name:?} is asked for by `{name}` and by the field {name:?}"
            )));
        }
        Ok(self)
    }

    #[inline(always)]
    fn write(&self, record: &Record, line: &mut Line<'_>) {
        if self.time.is_calendar() {
            line.array(b"time=");
            line.digits(|digits| self.time.put(record.time(), digits));
            line.byte(b' ');
        } else if !self.time.is_none() {
            line.raw("time=");
            let quote = if self.time.is_number() { "" } else { "\"" };
            line.raw(quote);
            self.time.write(record.time(), line);
            line.raw(quote);
            line.byte(b' ');
        }
        let callsite = self.callsites.of(record, |site| {
            let text = Fragment::of(false, |line| begin(line, Severity::from(site.level()), site.target()));
            Callsite::new(site, text, |name| Fragment::of(false, |line| key(name, line)))
        });
        match callsite {
            Some(callsite) => line.raw_bytes(callsite.text.text()),
            None => begin(line, record.severity(), record.target()),
        }
        message(line, record.message());
        if let Some(trace) = record.trace() {
            ids(line, trace);
        }
        let is_unnamed = callsite.is_some_and(|callsite| !callsite.is_named) && !record.has_own_name();
        if self.source || self.thread || !is_unnamed {
            self.about(record, line);
        }
        let mut expected = callsite.map_or(&[][..], |callsite| &callsite.names).iter();
        for source in record.sources() {
            // A span's text is the same for every record, unless other names clash with its names.
            if let Some(span) = source.span_apart_from(0) {
                if let Some(text) = span.cached(FormatCache::Logfmt, || span_text(span)) {
                    line.raw_bytes(text);
                    continue;
                }
            }
            for entry in source.entries() {
                self.pair(record, entry, expected.next(), line);
            }
        }
        if !self.fixed.is_empty() {
            self.fixed(record, line);
        }
    }

    #[inline(never)]
    fn fixed(&self, record: &Record, line: &mut Line<'_>) {
        for entry in self.fixed.entries().filter(|entry| !record.sees(entry.text())) {
            self.pair(record, entry, None, line);
        }
    }

    #[inline(never)]
    fn about(&self, record: &Record, line: &mut Line<'_>) {
        let text = |line: &mut Line<'_>, key: &str, of: Option<&str>| {
            if let Some(of) = of {
                line.raw(key);
                word(line, of);
            }
        };
        text(line, " event_name=", record.name());
        if self.source {
            text(line, " file=", record.file());
            if let Some(number) = record.line() {
                line.raw(" line=");
                line.raw(itoa::Buffer::new().format(number));
            }
        }
        if self.thread {
            text(line, " thread_name=", record.thread_name());
            line.raw(" thread_id=");
            line.raw(itoa::Buffer::new().format(record.thread_id()));
        }
    }

    /// A field. `expected` is a rendered key that is probably its.
    #[inline(always)]
    fn pair(
        &self,
        record: &Record,
        entry: Entry<'_>,
        expected: Option<&(&'static str, Fragment)>,
        line: &mut Line<'_>,
    ) {
        let of = entry.value();
        if let Value::Json(json) = of {
            if self.has_no_clash(record, entry.text()) {
                return nested(json.as_str(), &Path { outer: None, part: entry.text() }, line);
            }
        }
        match (entry.name(), expected) {
            (Ok(name), Some((expected, fragment))) if std::ptr::eq(*expected, name) => line.fragment(fragment),
            (name, _) => known_key(name, line),
        }
        value(of, line);
    }

    /// Whether no name inside a list or map can clash with another field.
    #[cold]
    fn has_no_clash(&self, record: &Record, name: &str) -> bool {
        // Whether the other begins like the names inside this one.
        let begins = |name: &str, other: &str| {
            let rest = other.strip_prefix(name);
            let rest = if is_reserved(name) { rest.and_then(|rest| rest.strip_prefix('_')) } else { rest };
            rest.is_some_and(|rest| rest.starts_with('.'))
        };
        let others = || record.visible().chain(self.fixed.entries()).filter(|other| other.text() != name);
        others().all(|other| {
            let is_inside = matches!(other.value(), Value::Json(_)) && begins(other.text(), name);
            !is_inside && !begins(name, other.text())
        })
    }
}

impl Default for Logfmt {
    fn default() -> Self {
        Self::new()
    }
}

impl Format for Logfmt {
    #[inline]
    fn format(&self, record: &Record, out: &mut Buffer) -> Result<(), Error> {
        let mut line = Line::new(out.bytes_mut(), false);
        self.write(record, &mut line);
        line.finish();
        Ok(())
    }
}

/// `level=info target=shop msg=`
fn begin(line: &mut Line<'_>, severity: Severity, target: &str) {
    line.raw("level=");
    match severity.name() {
        Some(name) => line.lower_case(|line| word(line, name)),
        None => line.raw(itoa::Buffer::new().format(severity.number())),
    }
    line.raw(" target=");
    word(line, target);
    line.raw(" msg=");
}

#[inline]
fn ids(line: &mut Line<'_>, trace: TraceParent) {
    line.raw(" trace_id=");
    hex(line, &trace.trace_id().to_be_bytes());
    line.raw(" span_id=");
    hex(line, &trace.span_id().to_be_bytes());
    line.raw(" trace_flags=");
    hex(line, &[trace.flags()]);
}

#[inline(always)]
fn value(of: Value<'_>, line: &mut Line<'_>) {
    match of {
        Value::Str(text) | Value::Rendered(text) => word(line, text),
        Value::U64(number) => line.raw(itoa::Buffer::new().format(number)),
        Value::I64(number) => line.raw(itoa::Buffer::new().format(number)),
        Value::F64(number) => line.raw(zmij::Buffer::new().format(number)),
        Value::Bool(value) => line.raw(if value { "true" } else { "false" }),
        Value::I128(number) => line.raw(itoa::Buffer::new().format(number)),
        Value::U128(number) => line.raw(itoa::Buffer::new().format(number)),
        Value::Json(json) => word(line, json.as_str()),
        Value::Bytes([]) => line.raw("\"\""),
        Value::Bytes(bytes) => hex(line, bytes),
        Value::Error(chain) if chain.causes().len() == 0 => word(line, chain.message()),
        Value::Error(chain) => {
            line.byte(b'"');
            line.escaped(chain.message());
            for cause in chain.causes() {
                line.raw(": ");
                line.escaped(cause);
            }
            line.byte(b'"');
        }
    }
}

/// ` name=`
static KEYS: KeyCache = KeyCache::new(|name| Fragment::of(false, |line| key(name, line)));

#[inline]
fn known_key(name: Result<&'static str, &str>, line: &mut Line<'_>) {
    match name.map(|name| KEYS.get(name).ok_or(name)) {
        Ok(Ok(fragment)) => line.fragment(fragment),
        Ok(Err(name)) | Err(name) => key(name, line),
    }
}

/// Longest cached text of a span, in bytes.
const MAX_CACHED: usize = 1_024;

/// A span's fields. `None` if they are long or depend on other names.
#[cold]
fn span_text(span: SpanView<'_>) -> Option<Box<[u8]>> {
    let fields = span.fields();
    if fields.iter().any(|(_, value)| value.as_json().is_some()) {
        return None;
    }
    let text = Fragment::of(false, |line| {
        for entry in fields.entries() {
            known_key(entry.name(), line);
            value(entry.value(), line);
        }
    });
    (text.text().len() <= MAX_CACHED).then(|| text.text().into())
}

/// A pair for each value in compact JSON.
#[cold]
fn nested(json: &str, path: &Path<'_>, line: &mut Line<'_>) {
    match json.as_bytes().first() {
        Some(b'[') if json != "[]" => {
            for (index, item) in items(json).enumerate() {
                let mut digits = itoa::Buffer::new();
                let part = digits.format(index);
                nested(item, &Path { outer: Some(path), part }, line);
            }
        }
        Some(b'{') if json != "{}" => {
            for (name, value) in items(json).map(pair) {
                let part = name.get(1..name.len() - 1).unwrap_or_default();
                nested(value, &Path { outer: Some(path), part }, line);
            }
        }
        _ => {
            line.byte(b' ');
            path.write(line);
            line.byte(b'=');
            match json.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
                Some(text) if is_word(text) => line.raw(text),
                // The escapes of JSON are in it already.
                _ => line.raw(json),
            }
        }
    }
}
