//! Formats: record → bytes.
//!
//! Python: `logging.Formatter`.
//!
//! | format | for | a record is |
//! |---|---|---|
//! | [`Json`] | machines | one JSON object on one line; [`ecs`](Json::ecs), [`gcp`](Json::gcp), [`datadog`](Json::datadog), [`logstash`](Json::logstash), [`bunyan`](Json::bunyan), [`otel`](Json::otel), [`python`](Json::python) are shapes that tools expect |
//! | [`Logfmt`] | machines and people | `key=value` pairs on one line |
//! | [`SyslogFormat`] | syslog daemons | one message of RFC 5424 or RFC 3164 |
//! | [`Text`] | people | one line, or several where asked for; [`Text::pretty`](Text::pretty) at a terminal |
//! | [`Template`] | readers of Python's logs | the same as from Python's `logging.Formatter` |
//! | [`Gelf`] | Graylog and other receivers of GELF 1.1 | one JSON object without line breaks or NULs |
//! | [`Form`] | receivers of Python's `HTTPHandler` | `name=value&…`, URL-encoded |
//! | [`Pickle`] | receivers of Python's `SocketHandler` and `DatagramHandler` | a length and a pickle: bytes, not text |
//!
//! [`Encoding`] is for files in something other than UTF-8. [`FormatExt`] chooses a format by level, by logger or by record. For your own format, implement [`Format`]; [`Time`] writes the time for it.

mod buffer;
mod callsite_cache;
mod conditional;
mod digits;
mod encoding;
mod form;
mod gelf;
mod json;
mod key_cache;
mod line;
#[cfg(feature = "locales")]
mod locale;
mod log_record;
mod logfmt;
#[cfg(feature = "forward")]
pub(crate) mod msgpack;
mod offsets;
mod pickle;
mod strftime;
mod syslog;
mod template;
mod text;
mod time;

#[cfg(feature = "config")]
pub(crate) use self::template::{Line, OwnNames, not_found, push_exception, push_repr};
pub use self::{
    buffer::Buffer,
    conditional::{Conditional, FormatExt},
    encoding::{Encoding, EncodingErrors},
    form::Form,
    gelf::Gelf,
    json::{Json, Key, Member},
    logfmt::Logfmt,
    pickle::Pickle,
    syslog::{Facility, Priority, SyslogFormat},
    template::{BufferingFormatter, Style, Template, TemplateBuilder},
    text::{Color, Layout, Text},
    time::Time,
};
use std::sync::Arc;

use crate::{Error, Record, framing::Framing, record::SpanView};

/// Renders a record into a reused buffer.
///
/// Python: `logging.Formatter`.
///
/// ```
/// use tracing_strata::{Error, Record, Severity, format::{Buffer, Format}};
///
/// struct Short;
///
/// impl Format for Short {
///     fn format(&self, record: &Record, out: &mut Buffer) -> Result<(), Error> {
///         Ok(write!(out, "{:.1} {}", record.severity(), record.message())?)
///     }
/// }
///
/// let mut out = Buffer::new();
/// Short.format(&Record::new(Severity::WARN, "app", "low on paper"), &mut out).unwrap();
/// assert_eq!(out, "W low on paper");
/// ```
pub trait Format: Send + Sync + 'static {
    /// Appends the record to `out`, without a line end.
    fn format(&self, record: &Record, out: &mut Buffer) -> Result<(), Error>;

    /// How a stream separates the records of this format where the user chose no framing. Default: `None`, the output
    /// decides. [`Framing::None`] means that each record delimits itself: outputs then refuse a framing that would replace
    /// bytes in it.
    fn framing(&self) -> Option<Framing> {
        None
    }
}

macro_rules! forwarding_formats {
    ($($pointer:ident)*) => {$(
        impl<F: Format + ?Sized> Format for $pointer<F> {
            #[inline]
            fn format(&self, record: &Record, out: &mut Buffer) -> Result<(), Error> {
                (**self).format(record, out)
            }

            fn framing(&self) -> Option<Framing> {
                (**self).framing()
            }
        }
    )*};
}

forwarding_formats!(Box Arc);

/// A record's spans from the outside in. They are linked the other way; only deep paths are collected first.
pub(crate) fn outermost_first(record: &Record) -> impl Iterator<Item = SpanView<'_>> {
    const FEW: usize = 16;
    let count = record.spans().count();
    let all: Vec<_> = if count > FEW { record.spans().collect() } else { Vec::new() };
    (0..count).rev().filter_map(move |depth| all.get(depth).copied().or_else(|| record.spans().nth(depth)))
}
