//! The attributes of Python's `LogRecord`, for formats that send them to Python's receivers.

use super::time::since_epoch;
use crate::{
    Record, Severity, Value,
    record::{Entry, ErrorChain},
};

/// Writes names and values. A value follows each name.
pub(super) trait Writer {
    fn key(&mut self, name: &str);
    fn text(&mut self, text: &str);
    /// Text that `make` appends.
    fn text_of(&mut self, make: impl FnOnce(&mut Vec<u8>));
    fn none(&mut self);
    /// Of `args`: there are none, as the message is merged.
    fn no_args(&mut self);
    fn integer(&mut self, number: i128);
    fn float(&mut self, number: f64);
    fn value(&mut self, entry: Entry<'_>);

    fn hex(&mut self, number: u128, digits: usize) {
        self.text_of(|text| {
            for index in (0..digits).rev() {
                text.push(b"0123456789abcdef"[(number >> (4 * index) & 15) as usize]);
            }
        });
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

/// In the order in which a `LogRecord` gets them.
pub(super) fn write(record: &Record, process_name: Option<&str>, to: &mut impl Writer) {
    const UNKNOWN: &str = "(unknown file)";
    to.key("name");
    to.text_of(|text| push_name(record.target(), text));
    to.key("msg");
    to.text(record.message());
    to.key("args");
    to.no_args();
    to.key("levelname");
    to.text_of(|text| push_level(record.severity(), text));
    to.key("levelno");
    to.integer(record.severity().number().into());
    to.key("pathname");
    to.text(record.file().unwrap_or(UNKNOWN));
    to.key("filename");
    to.text(record.file_name().unwrap_or(UNKNOWN));
    to.key("module");
    to.text(record.module().unwrap_or(UNKNOWN));
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
    to.key("lineno");
    to.integer(record.line().unwrap_or(0).into());
    to.key("funcName");
    let span = || record.spans().next().map(|span| span.name());
    to.text(event_text(record, "funcName").or(record.function()).or_else(span).unwrap_or("(unknown function)"));
    time(record, to);
    thread_and_process(record, process_name, to);
    if let Some(task) = event_text(record, "taskName") {
        to.key("taskName");
        to.text(task);
    }
    trace(record, to);
    extra(record, to);
}

fn thread_and_process(record: &Record, process_name: Option<&str>, to: &mut impl Writer) {
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
    to.text(process_name.unwrap_or(record.process_name()));
    to.key("process");
    to.integer(record.process_id().into());
}

fn time(record: &Record, to: &mut impl Writer) {
    let (seconds, nanos) = since_epoch(record.time());
    to.key("created");
    to.float(seconds as f64 + f64::from(nanos) / 1e9);
    to.key("msecs");
    to.float(f64::from(nanos / 1_000_000));
    to.key("relativeCreated");
    to.float(record.uptime().as_secs_f64() * 1e3);
}

fn trace(record: &Record, to: &mut impl Writer) {
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

fn extra(record: &Record, to: &mut impl Writer) {
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

/// An error beside the first one: its causes behind it.
pub(super) fn push_error(chain: ErrorChain<'_>, text: &mut Vec<u8>) {
    text.extend_from_slice(chain.message().as_bytes());
    for cause in chain.causes() {
        text.extend_from_slice(b": ");
        text.extend_from_slice(cause.as_bytes());
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
}
