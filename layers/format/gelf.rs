//! GELF 1.1, the format of Graylog.

use std::borrow::Cow;

use super::{
    Buffer, Format, Time,
    key_cache::KeyCache,
    line::{Fragment, Line, hex_digits},
};
use crate::{Error, Fields, Record, Value, framing::Framing, record::Entry};

/// One GELF 1.1 message per record: a JSON object for Graylog, Logstash, Fluentd, Vector and others that take the format.
///
/// ```
/// use std::time::{Duration, UNIX_EPOCH};
/// use tracing_strata::{Record, Severity, format::{Buffer, Format, Gelf}};
///
/// let mut record = Record::new(Severity::WARN, "shop::pay", "refused\nby the bank");
/// record.set_time(UNIX_EPOCH + Duration::from_millis(1_500));
/// record.set("amount", 12.5);
/// record.set("id", "7f3a");
/// record.set_thread("", 0);
///
/// let mut out = Buffer::new();
/// Gelf::new().host("web-1").format(&record, &mut out).unwrap();
/// assert_eq!(
///     out,
///     r#"{"version":"1.1","host":"web-1","short_message":"refused","full_message":"refused\nby the bank","#.to_owned()
///         + r#""timestamp":1.500000,"level":4,"_level_name":"WARN","_target":"shop::pay","_amount":12.5,"_id_":"7f3a"}"#
/// );
/// ```
///
/// A message has no line break and no NUL, so that either can frame it. Over UDP, the datagram is the frame (long messages
/// are split into chunks: [`Datagram`](crate::output::Datagram)); over TCP, a NUL ends each message.
///
/// # What is sent
///
/// | member | content |
/// |---|---|
/// | `version` | `1.1` |
/// | `host` | [`host`](Self::host): this machine's name |
/// | `short_message` | the first line of the message that is not blank; else the event's name, else the target, else `-` |
/// | `full_message` | the message, if it has several lines |
/// | `timestamp` | seconds since 1970 with six decimals |
/// | `level` | 7 to 0, [by the severity's number](crate::Severity::syslog) |
/// | `_level_name` | the severity's name |
/// | `_target` | the target |
/// | `_event_name` | the event's name, if it was given one |
/// | `_file`, `_line`, `_module_path` | the call site, if known |
/// | `_thread_name` | the thread's name, if it has one |
/// | `_trace_id`, `_span_id`, `_trace_flags` | hexadecimal, in records that have [trace ids](Record::trace) |
/// | `_…` | the fields: the event's, the spans', the global ones, those [of the format](Self::field), each name once: the event wins over spans, an inner span over an outer one, and so on |
///
/// # Names of fields
///
/// GELF takes letters, digits, `_`, `-` and `.`, forbids `_id`, and Graylog takes a field whose name without its `_` is
/// a member of the message for that member. So:
///
/// | field | member | rule |
/// |---|---|---|
/// | `user_id`, `http.method` | `_user_id`, `_http.method` | `_` in front |
/// | `id`, `message`, `target` … | `_id_`, `_message_`, `_target_` | names of the table above, `id`, `message`, `source`, `facility`, `streams` get `_` appended; those that have one already (`id_`) get one more |
/// | `a b`, `é`, `a--b` | `_a--20-b`, `_--C3A9-`, `_a--2D2D-b` | all other bytes: `--`, hexadecimal digits, `-` |
///
/// No two names become one, and no field can pass for a member of the table above.
///
/// # Values
///
/// GELF has texts and numbers. Truth values are `"true"` and `"false"`; integers beyond 64 bits (signed), NaN and the
/// infinities are texts, bytes hexadecimal ones; an error is its message, with its causes in `_NAME.causes` and its type in
/// `_NAME.type`.
///
/// Source: [GELF payload specification](https://go2docs.graylog.org/current/getting_in_log_data/gelf.html), version 1.1.
#[derive(Clone, Debug)]
pub struct Gelf {
    /// `{"version":"1.1","host":"…","short_message":"`
    head: Fragment,
    fixed: Fields,
    source: bool,
    thread: bool,
}

/// Members of the format and of the server, without their `_`. Sorted.
const RESERVED: &[&str] = &[
    "event_name",
    "facility",
    "file",
    "full_message",
    "host",
    "id",
    "level",
    "level_name",
    "line",
    "message",
    "module_path",
    "short_message",
    "source",
    "span_id",
    "streams",
    "target",
    "thread_name",
    "timestamp",
    "trace_flags",
    "trace_id",
    "version",
];

impl Gelf {
    /// The format, with the machine's current name as host.
    pub fn new() -> Self {
        let host = crate::record::host_name().unwrap_or_default();
        Self { head: head(&host), fixed: Fields::new(), source: true, thread: true }
    }

    /// The name of the sender. An empty one is sent as `-`, because GELF requires a name.
    pub fn host(mut self, host: impl AsRef<str>) -> Self {
        self.head = head(host.as_ref());
        self
    }

    /// Adds a constant field (service, environment …). A record's field of that name wins.
    pub fn field<'v>(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Value<'v>>) -> Self {
        self.fixed.set(name, value);
        self
    }

    /// Whether file, line and module path of the call site are sent (default: yes).
    pub fn source(mut self, on: bool) -> Self {
        self.source = on;
        self
    }

    /// Whether the thread's name is sent (default: yes).
    pub fn thread(mut self, on: bool) -> Self {
        self.thread = on;
        self
    }

    fn write(&self, record: &Record, out: &mut Vec<u8>) {
        let mut line = Line::new(out, true);
        line.fragment(&self.head);
        message(record, &mut line);
        line.raw(",\"timestamp\":");
        Time::unix_seconds().micros().write(record.time(), &mut line);
        line.raw(",\"level\":");
        line.byte(b'0' + record.severity().syslog());
        line.raw(",\"_level_name\":\"");
        match record.severity().name() {
            Some(name) => line.raw(name),
            None => line.raw(itoa::Buffer::new().format(record.severity().number())),
        }
        line.raw("\",\"_target\":");
        line.string(record.target());
        self.about(record, &mut line);
        for entry in record.visible() {
            field(record, entry, &mut line);
        }
        for entry in self.fixed.entries().filter(|entry| !record.sees(entry.text())) {
            field(record, entry, &mut line);
        }
        line.byte(b'}');
        line.finish();
    }

    fn about(&self, record: &Record, line: &mut Line<'_>) {
        let text = |line: &mut Line<'_>, key: &str, of: Option<&str>| {
            if let Some(of) = of {
                line.raw(key);
                line.string(of);
            }
        };
        text(line, ",\"_event_name\":", record.name());
        if self.source {
            text(line, ",\"_file\":", record.file());
            if let Some(number) = record.line() {
                line.raw(",\"_line\":");
                line.raw(itoa::Buffer::new().format(number));
            }
            text(line, ",\"_module_path\":", record.module_path());
        }
        if self.thread {
            text(line, ",\"_thread_name\":", record.thread_name());
        }
        if let Some(trace) = record.trace() {
            let words = |number: u128| [96, 64, 32, 0].map(|shift| hex_digits((number >> shift) as u32));
            line.raw(",\"_trace_id\":");
            line.hex(&words(trace.trace_id()), 32);
            line.raw(",\"_span_id\":");
            line.hex(&words(trace.span_id().into())[2..], 16);
            line.raw(",\"_trace_flags\":\"");
            let [.., high, low] = hex_digits(trace.flags().into());
            line.byte(high);
            line.byte(low);
            line.byte(b'"');
        }
    }
}

impl Default for Gelf {
    fn default() -> Self {
        Self::new()
    }
}

impl Format for Gelf {
    #[inline]
    fn format(&self, record: &Record, out: &mut Buffer) -> Result<(), Error> {
        self.write(record, out.bytes_mut());
        Ok(())
    }

    /// [`Framing::Nul`], as in GELF over TCP.
    fn framing(&self) -> Option<Framing> {
        Some(Framing::Nul)
    }
}

fn head(host: &str) -> Fragment {
    let host = if host.is_empty() { "-" } else { host };
    Fragment::of(true, |line| {
        line.raw("{\"version\":\"1.1\",\"host\":");
        line.string(host);
        line.raw(",\"short_message\":");
    })
}

/// The short message, and the full one if it is longer.
fn message(record: &Record, line: &mut Line<'_>) {
    let message = record.message();
    let first = message.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    line.string(match first {
        "" => record.name().filter(|name| !name.is_empty()).unwrap_or(match record.target() {
            "" => "-",
            target => target,
        }),
        first => first,
    });
    if first.len() < message.len() {
        line.raw(",\"full_message\":");
        line.string(message);
    }
}

#[inline]
fn field(record: &Record, entry: Entry<'_>, line: &mut Line<'_>) {
    let (name, of) = entry.pair();
    match entry.name().ok().and_then(|name| KEYS.get(name)) {
        Some(fragment) => line.fragment(fragment),
        None => key(name, line),
    }
    match of {
        Value::Str(text) | Value::Rendered(text) => line.string(text),
        // GELF has strings and numbers only.
        Value::Json(json) => line.string(json.as_str()),
        Value::I64(number) => line.raw(itoa::Buffer::new().format(number)),
        Value::U64(number) => integer(number.into(), line),
        Value::I128(number) => integer(number, line),
        Value::U128(number) => match i128::try_from(number) {
            Ok(number) => integer(number, line),
            Err(_) => line.string(itoa::Buffer::new().format(number)),
        },
        Value::Bool(true) => line.raw("\"true\""),
        Value::Bool(false) => line.raw("\"false\""),
        Value::F64(_) | Value::Bytes(_) => super::json::value::value(line, of),
        Value::Error(chain) => {
            line.string(chain.message());
            if chain.causes().len() > 0 {
                key(&record.name_of_part(name, ".causes"), line);
                line.byte(b'"');
                for (index, cause) in chain.causes().enumerate() {
                    if index > 0 {
                        line.raw(": ");
                    }
                    line.escaped(cause);
                }
                line.byte(b'"');
            }
            if let Some(type_name) = chain.type_name() {
                key(&record.name_of_part(name, ".type"), line);
                line.string(type_name);
            }
        }
    }
}

/// A number if the servers' storage can hold it, else a text.
fn integer(number: i128, line: &mut Line<'_>) {
    let mut digits = itoa::Buffer::new();
    match i64::try_from(number) {
        Ok(number) => line.raw(digits.format(number)),
        Err(_) => line.string(digits.format(number)),
    }
}

/// `,"_name":`
static KEYS: KeyCache = KeyCache::new(|name| Fragment::of(false, |line| key(name, line)));

/// `,"_name":`
fn key(name: &str, line: &mut Line<'_>) {
    line.raw(",\"_");
    if name.is_empty() {
        line.raw("---");
    } else if name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.')) {
        line.raw(name);
        if is_reserved(name) {
            line.byte(b'_');
        }
    } else {
        escape(name.as_bytes(), line);
    }
    line.raw("\":");
}

fn is_reserved(name: &str) -> bool {
    RESERVED.binary_search(&name.trim_end_matches('_')).is_ok()
}

/// Writes runs of forbidden bytes as `--`, two hexadecimal digits for each byte, `-`. A `-` is kept if neither another `-`
/// nor such a run is next to it.
#[cold]
fn escape(name: &[u8], line: &mut Line<'_>) {
    let is_plain =
        |index: usize| name.get(index).is_none_or(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.'));
    let stands = |index: usize| {
        is_plain(index) || name[index] == b'-' && (index == 0 || is_plain(index - 1)) && is_plain(index + 1)
    };
    let mut index = 0;
    while index < name.len() {
        if stands(index) {
            line.byte(name[index]);
            index += 1;
            continue;
        }
        line.raw("--");
        while index < name.len() && !stands(index) {
            let [.., high, low] = hex_digits(name[index].into());
            line.byte(high.to_ascii_uppercase());
            line.byte(low.to_ascii_uppercase());
            index += 1;
        }
        line.byte(b'-');
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    fn mapped(name: &str) -> String {
        let mut out = Vec::new();
        let mut line = Line::new(&mut out, false);
        key(name, &mut line);
        line.finish();
        let out = String::from_utf8(out).unwrap();
        out.strip_prefix(",\"_").unwrap().strip_suffix("\":").unwrap().to_owned()
    }

    fn is_valid(name: &str) -> bool {
        name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'))
    }

    #[test]
    fn the_table_of_the_docs() {
        for (name, member) in [
            ("user_id", "user_id"),
            ("http.method", "http.method"),
            ("user-id", "user-id"),
            ("id", "id_"),
            ("id_", "id__"),
            ("_id", "_id"),
            ("message", "message_"),
            ("a b", "a--20-b"),
            ("é", "--C3A9-"),
            ("a--b", "a--2D2D-b"),
            ("a- ", "a--2D20-"),
            ("", "---"),
            ("\"", "--22-"),
        ] {
            assert_eq!(mapped(name), member, "{name:?}");
        }
        assert!(RESERVED.is_sorted());
    }

    /// All names of up to five characters of an alphabet that has one of each kind.
    #[test]
    fn no_two_names_become_one() {
        let mut seen = HashMap::new();
        let alphabet = ["a", "id", "2", "D", "_", ".", "-", "é"];
        let mut names = vec![String::new()];
        for _ in 0..5 {
            let longer = names.iter().flat_map(|name| alphabet.iter().map(move |next| format!("{name}{next}")));
            names = longer.collect();
            names.sort();
            names.dedup();
            for name in &names {
                let member = mapped(name);
                assert!(is_valid(&member) && member != "id", "{name:?}: {member}");
                if let Some(other) = seen.insert(member, name.clone()).filter(|other| other != name) {
                    panic!("{name:?} and {other:?} are both {}", mapped(name));
                }
            }
        }
    }

    proptest! {
        #[test]
        fn any_name_becomes_valid_and_none_of_ours(name in any::<String>()) {
            let member = mapped(&name);
            prop_assert!(is_valid(&member) && RESERVED.binary_search(&member.as_str()).is_err(), "{}", member);
        }
    }
}
