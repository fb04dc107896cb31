//! Record → text.
//!
//! Python: `logging.Formatter`.
//!
//! | format | for | one record is |
//! |---|---|---|
//! | [`Json`] | machines | one JSON object on one line; [`ecs`](Json::ecs), [`gcp`](Json::gcp), [`datadog`](Json::datadog), [`logstash`](Json::logstash), [`bunyan`](Json::bunyan), [`otel`](Json::otel), [`python`](Json::python) are shapes that tools expect |
//! | [`Logfmt`] | machines and people | `key=value` pairs on one line |
//! | [`SyslogFormat`] | syslog daemons | one message of RFC 5424 or RFC 3164 |
//! | [`Text`] | people | one line, or several where asked for |
//! | [`Template`] | whoever reads it now | what Python's `logging.Formatter` makes of the same format |
//! | [`Gelf`] | Graylog and others that take GELF 1.1 | one JSON object without line breaks or NULs |
//! | [`Pickle`] | receivers of Python's `SocketHandler` and `DatagramHandler` | a length and a pickle: bytes, no text |
//!
//! A format of one's own is an implementation of [`Format`]; [`Time`] writes the time for it.

mod digits;
mod gelf;
mod heads;
mod json;
mod line;
mod logfmt;
mod names;
mod pickle;
mod strftime;
mod syslog;
mod template;
mod text;
mod time;

pub use self::{
    gelf::Gelf,
    json::{Json, Key, Member},
    logfmt::Logfmt,
    pickle::Pickle,
    syslog::{Facility, Priority, SyslogFormat},
    template::{BufferingFormatter, Style, Template, TemplateBuilder},
    text::{Color, Text},
    time::Time,
};
use std::cell::Cell;

use crate::{Error, Record, record::SpanView, sink::net::Framing};

/// Renders a record into a reused buffer.
///
/// Python: `logging.Formatter`.
///
/// ```
/// use std::fmt::Write as _;
/// use tracing_strata::{Error, Record, Severity, format::Format};
///
/// struct Short;
///
/// impl Format for Short {
///     fn format(&self, record: &Record, out: &mut String) -> Result<(), Error> {
///         write!(out, "{:.1} {}", record.severity(), record.message())?;
///         Ok(())
///     }
/// }
///
/// let mut out = String::new();
/// Short.format(&Record::new(Severity::WARN, "app", "low on paper"), &mut out).unwrap();
/// assert_eq!(out, "W low on paper");
/// ```
pub trait Format: Send + Sync + 'static {
    /// Appends the record to `out`, without a line end.
    fn format(&self, record: &Record, out: &mut String) -> Result<(), Error>;

    /// The same into bytes, which is what outputs want: they call this. Provided; a format that makes bytes itself
    /// saves a copy and a check. They must be UTF-8, unless the format is made for outputs of bytes, as
    /// [`Pickle`] is.
    fn format_bytes(&self, record: &Record, out: &mut Vec<u8>) -> Result<(), Error> {
        with_scratch(|memory| {
            memory.clear();
            let mut text = String::from_utf8(std::mem::take(memory)).unwrap_or_default();
            let result = self.format(record, &mut text);
            out.extend_from_slice(text.as_bytes());
            *memory = text.into_bytes();
            result
        })
    }

    /// How its records are to be told apart in a stream where nobody has chosen (default: `None`, as the output does).
    /// [`Framing::None`] says that a record tells by itself where it ends: then nothing in it may be replaced, and outputs
    /// refuse a framing that would.
    fn framing(&self) -> Option<Framing> {
        None
    }

    /// Called once, when the format meets its sink: whether that is a terminal.
    fn adapt(&mut self, terminal: bool) {
        let _ = terminal;
    }
}

impl<F: Format + ?Sized> Format for Box<F> {
    fn format(&self, record: &Record, out: &mut String) -> Result<(), Error> {
        (**self).format(record, out)
    }

    fn format_bytes(&self, record: &Record, out: &mut Vec<u8>) -> Result<(), Error> {
        (**self).format_bytes(record, out)
    }

    fn framing(&self) -> Option<Framing> {
        (**self).framing()
    }

    fn adapt(&mut self, terminal: bool) {
        (**self).adapt(terminal);
    }
}

/// A record's spans from the outside in. They are linked the other way, and mostly few: only of deep chains a list is
/// made.
pub(crate) fn outermost_first(record: &Record) -> impl Iterator<Item = SpanView<'_>> {
    const FEW: usize = 16;
    let count = record.spans().count();
    let all: Vec<_> = if count > FEW { record.spans().collect() } else { Vec::new() };
    (0..count).rev().filter_map(move |depth| all.get(depth).copied().or_else(|| record.spans().nth(depth)))
}

/// [`Format::format`] for those that make bytes: of text.
fn format_bytes_as_text(format: &impl Format, record: &Record, out: &mut String) -> Result<(), Error> {
    with_scratch(|memory| {
        memory.clear();
        format.format_bytes(record, memory)?;
        out.push_str(std::str::from_utf8(memory).map_err(Error::new)?);
        Ok(())
    })
}

/// Memory that a thread uses again, with whatever is in it.
#[inline]
fn with_scratch<R>(use_it: impl FnOnce(&mut Vec<u8>) -> R) -> R {
    thread_local! {
        static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    }
    // Taken out while it is used: a format may use another one, and a thread may be ending.
    let mut memory = SCRATCH.try_with(Cell::take).unwrap_or_default();
    let result = use_it(&mut memory);
    if memory.len() > KEEP_BYTES {
        memory.truncate(KEEP_BYTES);
        memory.shrink_to_fit();
    }
    // Nothing is lost where it cannot be put back.
    SCRATCH.try_with(|cell| cell.set(memory)).unwrap_or_default();
    result
}

/// Above this the memory is given back, so that one huge record does not stay for ever.
const KEEP_BYTES: usize = 64 * 1024;
