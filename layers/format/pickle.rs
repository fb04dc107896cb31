//! Python's pickled records, for receivers of `SocketHandler` and `DatagramHandler`.

use std::borrow::Cow;

use super::{Buffer, Format};
use crate::{
    Error, Record, Severity, Value,
    format::time::since_epoch,
    record::{Entry, ErrorChain},
    sink::net::Framing,
};

/// A record as Python's `SocketHandler` and `DatagramHandler` send it: four bytes of length (big-endian), then the
/// attributes of a `LogRecord` as a pickle, which `logging.makeLogRecord(pickle.loads(…))` takes on the other side.
///
/// The pickle is plain data: dictionaries, texts, numbers, bytes, `True`, `False` and `None`. No opcode names or calls
/// anything, so that a receiver may refuse all globals (`Unpickler.find_class`), as every receiver should.
///
/// ```
/// use tracing_strata::{Record, Severity, format::{Buffer, Format, Pickle}};
///
/// let mut frame = Buffer::new();
/// Pickle::new().format(&Record::new(Severity::INFO, "shop::db", "paid"), &mut frame).unwrap();
/// let (length, pickle) = frame.as_bytes().split_first_chunk::<4>().unwrap();
/// assert_eq!(u32::from_be_bytes(*length) as usize, pickle.len());
/// assert!(pickle.starts_with(b"}(") && pickle.ends_with(b"u."));
/// ```
///
/// The frame is binary: use it with outputs of bytes ([`Socket`](crate::output::Socket),
/// [`Datagram`](crate::output::Datagram)), not of lines.
///
/// # What is sent
///
/// | attribute | content |
/// |---|---|
/// | `name` | the target, with `.` for `::`; `root` for the empty one |
/// | `msg` | the message; `args` is `None` |
/// | `levelno`, `levelname` | the severity; `WARNING` for 30, `NOTSET` for 0, else [its name](Severity::name) or `Level 35` |
/// | `pathname`, `filename`, `module`, `lineno` | the call site; `(unknown file)` and 0 if unknown |
/// | `funcName` | a text field `funcName` of the event, else [its function](Record::function), else the innermost span's name, else `(unknown function)` |
/// | `exc_text` | the event's first error: its causes, the innermost first, then itself, as Python prints a chain; `exc_info` is `None` |
/// | `stack_info` | a text field `stack_info` of the event, else [its stack](Record::stack), else `None` |
/// | `created`, `msecs`, `relativeCreated` | as in Python; `msecs` is truncated to whole ones |
/// | `thread`, `threadName` | the operating system's id; the name, or `Thread-` and the id |
/// | `process`, `processName` | the id; [`process_name`](Self::process_name) |
/// | `trace_id`, `span_id`, `trace_flags` | hexadecimal texts, in records that have [trace ids](Record::trace) |
/// | all other fields | as `extra`: the event's, the spans', the global ones, each name once: the event wins over spans, an inner span over an outer one, spans over global fields |
///
/// A text field `exc_text` of the event wins over its error. Another field with the name of an attribute, or named `message`
/// or `asctime`, which the receiver's formatter would overwrite, gets `_` appended until the name is free. (In Python such
/// an `extra` is a `KeyError`.)
///
/// # Values
///
/// | value | Python |
/// |---|---|
/// | truth values, integers of any width, floats (also NaN) | `bool`, `int`, `float` |
/// | text, output of `Debug` or `Display` | `str` |
/// | bytes | `bytes` (Python 3 only) |
/// | a second error | `str` with its causes |
///
/// # Differences from Python
/// The dictionary is that of `makePickle`; the bytes differ, because there are no references to earlier values (pickle
/// protocol 1, with protocol 3's opcode for bytes).
#[derive(Clone, Debug, Default)]
pub struct Pickle {
    process_name: Option<Cow<'static, str>>,
}

impl Pickle {
    /// The format.
    pub fn new() -> Self {
        Self::default()
    }

    /// `processName` (default: the name of the executable; Python's is `MainProcess`).
    pub fn process_name(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.process_name = Some(name.into());
        self
    }
}

impl Format for Pickle {
    fn format(&self, record: &Record, out: &mut Buffer) -> Result<(), Error> {
        let out = out.bytes_mut();
        let start = out.len();
        out.extend_from_slice(&[0; 4]);
        self.dictionary(record, &mut Writer { out });
        let length = u32::try_from(out.len() - start - 4)
            .map_err(|_| Error::new("a pickle of 4 GiB or more cannot be framed"))?;
        out[start..start + 4].copy_from_slice(&length.to_be_bytes());
        Ok(())
    }

    /// [`Framing::None`]: a pickle may have any byte, and its length is in front.
    fn framing(&self) -> Option<Framing> {
        Some(Framing::None)
    }
}

/// Attributes of a `LogRecord`, and those that formatters set. Sorted.
const ATTRIBUTES: &[&str] = &[
    "args",
    "asctime",
    "created",
    "exc_info",
    "exc_text",
    "filename",
    "funcName",
    "levelname",
    "levelno",
    "lineno",
    "message",
    "module",
    "msecs",
    "msg",
    "name",
    "pathname",
    "process",
    "processName",
    "relativeCreated",
    "stack_info",
    "taskName",
    "thread",
    "threadName",
];

/// Those that a text field of the event can set. Sorted.
const SETTABLE: &[&str] = &["exc_text", "funcName", "stack_info", "taskName"];

const TRACE: &[&str] = &["span_id", "trace_flags", "trace_id"];

/// Python's text between the errors of a chain.
const CAUSE: &str = "\n\nThe above exception was the direct cause of the following exception:\n\n";

impl Pickle {
    fn dictionary(&self, record: &Record, to: &mut Writer<'_>) {
        to.open();
        to.key("name");
        to.text_of(|text| push_name(record.target(), text));
        to.key("msg");
        to.text(record.message());
        to.key("args");
        to.none();
        to.key("levelname");
        to.text_of(|text| push_level(record.severity(), text));
        to.key("levelno");
        to.integer(record.severity().number().into());
        call_site(record, to);
        to.key("exc_info");
        to.none();
        to.key("exc_text");
        match (event_text(record, "exc_text"), record.error()) {
            (Some(text), _) => to.text(text),
            (None, Some(chain)) => to.text_of(|text| push_chain(chain, text)),
            (None, None) => to.none(),
        }
        to.key("stack_info");
        match event_text(record, "stack_info").or(record.stack()) {
            Some(text) => to.text(text),
            None => to.none(),
        }
        time(record, to);
        self.thread_and_process(record, to);
        if let Some(task) = event_text(record, "taskName") {
            to.key("taskName");
            to.text(task);
        }
        trace(record, to);
        extra(record, to);
        to.close();
    }

    fn thread_and_process(&self, record: &Record, to: &mut Writer<'_>) {
        to.key("thread");
        to.integer(record.thread_id().into());
        to.key("threadName");
        match record.thread_name() {
            Some(name) => to.text(name),
            None => to.text_of(|text| {
                text.extend_from_slice(b"Thread-");
                text.extend_from_slice(itoa::Buffer::new().format(record.thread_id()).as_bytes());
            }),
        }
        to.key("processName");
        to.text(self.process_name.as_deref().unwrap_or(record.process_name()));
        to.key("process");
        to.integer(record.process_id().into());
    }
}

fn call_site(record: &Record, to: &mut Writer<'_>) {
    const UNKNOWN: &str = "(unknown file)";
    to.key("pathname");
    to.text(record.file().unwrap_or(UNKNOWN));
    to.key("filename");
    to.text(record.file_name().unwrap_or(UNKNOWN));
    to.key("module");
    to.text(record.module().unwrap_or(UNKNOWN));
    to.key("lineno");
    to.integer(record.line().unwrap_or(0).into());
    to.key("funcName");
    let span = || record.spans().next().map(|span| span.name());
    to.text(event_text(record, "funcName").or(record.function()).or_else(span).unwrap_or("(unknown function)"));
}

fn time(record: &Record, to: &mut Writer<'_>) {
    let (seconds, nanos) = since_epoch(record.time());
    to.key("created");
    to.float(seconds as f64 + f64::from(nanos) / 1e9);
    to.key("msecs");
    to.float(f64::from(nanos / 1_000_000));
    to.key("relativeCreated");
    to.float(record.uptime().as_secs_f64() * 1e3);
}

fn trace(record: &Record, to: &mut Writer<'_>) {
    let Some(trace) = record.trace() else { return };
    to.key("trace_id");
    to.hex(trace.trace_id(), 32);
    to.key("span_id");
    to.hex(trace.span_id().into(), 16);
    to.key("trace_flags");
    to.hex(trace.flags().into(), 2);
}

/// The event's text field for an attribute.
fn event_text<'a>(record: &'a Record, name: &str) -> Option<&'a str> {
    match record.fields().get(name)? {
        Value::Str(text) | Value::Rendered(text) => Some(text),
        _ => None,
    }
}

fn extra(record: &Record, to: &mut Writer<'_>) {
    let has_trace = record.trace().is_some();
    // The first error is `exc_text`.
    let mut first_error = true;
    let of_event = record.fields().len();
    for (index, entry) in record.visible().enumerate() {
        let (name, value) = entry.pair();
        let is_of_event = index < of_event;
        match value {
            Value::Error(_) if is_of_event && std::mem::take(&mut first_error) => continue,
            Value::Str(_) | Value::Rendered(_) if is_of_event && SETTABLE.binary_search(&name).is_ok() => continue,
            _ => {}
        }
        if ATTRIBUTES.binary_search(&name).is_ok() || has_trace && TRACE.contains(&name) {
            to.key(&record.name_of_part(name, "_"));
        } else {
            to.key(name);
        }
        to.value(entry);
    }
}

fn push_name(target: &str, text: &mut Vec<u8>) {
    if target.is_empty() {
        return text.extend_from_slice(b"root");
    }
    let mut parts = target.split("::");
    text.extend_from_slice(parts.next().unwrap_or_default().as_bytes());
    for part in parts {
        text.push(b'.');
        text.extend_from_slice(part.as_bytes());
    }
}

fn push_level(severity: Severity, text: &mut Vec<u8>) {
    match (severity.number(), severity.name()) {
        (30, Some("WARN")) => text.extend_from_slice(b"WARNING"),
        (0, Some("ALL")) => text.extend_from_slice(b"NOTSET"),
        (_, Some(name)) => text.extend_from_slice(name.as_bytes()),
        (number, None) => {
            text.extend_from_slice(b"Level ");
            text.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
        }
    }
}

/// As `traceback` prints it, without frames.
fn push_chain(chain: ErrorChain<'_>, text: &mut Vec<u8>) {
    let count = chain.causes().len();
    // A chain can only be walked from the outside in; there are few causes.
    for index in (0..count).rev() {
        text.extend_from_slice(chain.causes().nth(index).unwrap_or_default().as_bytes());
        text.extend_from_slice(CAUSE.as_bytes());
    }
    if let Some(type_name) = chain.type_name() {
        text.extend_from_slice(type_name.as_bytes());
        if !chain.message().is_empty() {
            text.extend_from_slice(b": ");
        }
    }
    text.extend_from_slice(chain.message().as_bytes());
}

/// Writes opcodes. None of them names or calls anything.
struct Writer<'a> {
    out: &'a mut Vec<u8>,
}

impl Writer<'_> {
    /// EMPTY_DICT, MARK: keys and values follow.
    fn open(&mut self) {
        self.out.extend_from_slice(b"}(");
    }

    /// SETITEMS, STOP.
    fn close(&mut self) {
        self.out.extend_from_slice(b"u.");
    }

    #[inline]
    fn key(&mut self, name: &str) {
        self.text(name);
    }

    /// BINUNICODE: the length, little-endian, and UTF-8.
    #[inline]
    fn text(&mut self, text: &str) {
        self.out.push(b'X');
        // A text of 4 GiB does not fit into a frame; its record fails.
        self.out.extend_from_slice(&(text.len() as u32).to_le_bytes());
        self.out.extend_from_slice(text.as_bytes());
    }

    /// The same for text that `make` appends in place.
    fn text_of(&mut self, make: impl FnOnce(&mut Vec<u8>)) {
        self.out.extend_from_slice(b"X\0\0\0\0");
        let start = self.out.len();
        make(self.out);
        let length = (self.out.len() - start) as u32;
        self.out[start - 4..start].copy_from_slice(&length.to_le_bytes());
    }

    /// NONE.
    fn none(&mut self) {
        self.out.push(b'N');
    }

    /// BININT1, BININT; LONG, in decimal, where it has more than 32 bits.
    #[inline]
    fn integer(&mut self, number: i128) {
        if let Ok(byte) = u8::try_from(number) {
            self.out.extend_from_slice(&[b'K', byte]);
        } else if let Ok(short) = i32::try_from(number) {
            self.out.push(b'J');
            self.out.extend_from_slice(&short.to_le_bytes());
        } else {
            self.long(itoa::Buffer::new().format(number));
        }
    }

    fn long(&mut self, digits: &str) {
        self.out.push(b'L');
        self.out.extend_from_slice(digits.as_bytes());
        self.out.extend_from_slice(b"L\n");
    }

    /// BINFLOAT, big-endian.
    fn float(&mut self, number: f64) {
        self.out.push(b'G');
        self.out.extend_from_slice(&number.to_be_bytes());
    }

    fn hex(&mut self, number: u128, digits: usize) {
        self.text_of(|text| {
            for index in (0..digits).rev() {
                text.push(b"0123456789abcdef"[(number >> (4 * index) & 15) as usize]);
            }
        });
    }

    /// SHORT_BINBYTES, BINBYTES.
    fn bytes(&mut self, bytes: &[u8]) {
        match u8::try_from(bytes.len()) {
            Ok(length) => self.out.extend_from_slice(&[b'C', length]),
            Err(_) => {
                self.out.push(b'B');
                self.out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
            }
        }
        self.out.extend_from_slice(bytes);
    }

    #[inline]
    fn value(&mut self, entry: Entry<'_>) {
        match entry.value() {
            Value::Str(text) | Value::Rendered(text) => self.text(text),
            Value::Json(json) => self.text(json.as_str()),
            Value::I64(number) => self.integer(number.into()),
            Value::U64(number) => self.integer(number.into()),
            Value::I128(number) => self.integer(number),
            Value::U128(number) => match i128::try_from(number) {
                Ok(number) => self.integer(number),
                Err(_) => self.long(itoa::Buffer::new().format(number)),
            },
            Value::F64(number) => self.float(number),
            // INT: protocol 1 has no opcode for truth values.
            Value::Bool(true) => self.out.extend_from_slice(b"I01\n"),
            Value::Bool(false) => self.out.extend_from_slice(b"I00\n"),
            Value::Bytes(bytes) => self.bytes(bytes),
            Value::Error(chain) => self.text_of(|text| {
                text.extend_from_slice(chain.message().as_bytes());
                for cause in chain.causes() {
                    text.extend_from_slice(b": ");
                    text.extend_from_slice(cause.as_bytes());
                }
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_sorted_and_one_is_in_the_other() {
        assert!(ATTRIBUTES.is_sorted() && SETTABLE.is_sorted());
        assert!(SETTABLE.iter().all(|name| ATTRIBUTES.contains(name)));
    }

    #[test]
    fn opcodes() {
        let written = |write: &dyn Fn(&mut Writer<'_>)| {
            let mut out = Vec::new();
            write(&mut Writer { out: &mut out });
            out
        };
        assert_eq!(written(&|to| to.integer(255)), b"K\xff");
        assert_eq!(written(&|to| to.integer(-1)), b"J\xff\xff\xff\xff");
        assert_eq!(written(&|to| to.integer(256)), b"J\x00\x01\x00\x00");
        assert_eq!(written(&|to| to.integer(1 << 31)), b"L2147483648L\n");
        assert_eq!(written(&|to| to.float(1.5)), b"G\x3f\xf8\0\0\0\0\0\0");
        assert_eq!(written(&|to| to.text("é")), b"X\x02\0\0\0\xc3\xa9");
        assert_eq!(written(&|to| to.bytes(b"\x00")), b"C\x01\x00");
        assert_eq!(written(&|to| to.bytes(&[7; 256]))[..5], *b"B\0\x01\0\0");
        assert_eq!(written(&|to| to.hex(0xab, 4)), b"X\x04\0\0\x0000ab");
    }
}
