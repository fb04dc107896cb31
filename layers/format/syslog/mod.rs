//! Syslog messages: RFC 5424, RFC 3164, and those of Python's `SysLogHandler`.

mod element;
mod facility;
mod names;
mod write;

use std::{fmt, sync::Arc};

pub use self::facility::{Facility, Priority};
use self::{
    names::{APP, HOST, NameRule, PARAMETER, PROCESS, SHORT_HOST, TAG},
    write::Precomputed,
};
use super::{Buffer, Format, Text, Time};
use crate::{Error, Record, Severity, sink::net::Framing};

/// One syslog message per record.
///
/// ```
/// use std::time::UNIX_EPOCH;
/// use tracing_strata::{Record, Severity, format::{Buffer, Facility, Format, SyslogFormat}};
///
/// let mut record = Record::new(Severity::WARN, "shop::pay", "card refused");
/// record.set_time(UNIX_EPOCH);
/// record.set("amount", 12.5);
/// record.push_span("request", [("id", "7f]3a")].into_iter().collect());
///
/// let format = SyslogFormat::rfc5424().facility(Facility::Local0).host("web1").app("shop").process_id("42").sd_id("shop@32473");
/// let mut out = Buffer::new();
/// format.format(&record, &mut out).unwrap();
/// assert_eq!(
///     out,
///     r#"<132>1 1970-01-01T00:00:00.000000Z web1 shop 42 shop::pay [shop@32473 amount="12.5" id="7f\]3a"] card refused"#
/// );
/// ```
///
/// # The four forms
///
/// | constructor | message | for |
/// |---|---|---|
/// | [`rfc5424`](Self::rfc5424) | `<PRI>1 TIME HOST APP PROCID MSGID [SD] MSG` | UDP, TCP, TLS (RFC 5424) |
/// | [`rfc3164`](Self::rfc3164) | `<PRI>Nov 20 16:17:16 HOST APP[PROCID]: MSG` | older receivers (RFC 3164) |
/// | [`local`](Self::local) | `<PRI>Nov 20 16:17:16 APP[PROCID]: MSG` | `/dev/log`, as the C library's syslog(3) writes it |
/// | [`python`](Self::python) | `<PRI>IDENT MSG NUL` | receivers of Python's `SysLogHandler` |
///
/// # What is sent
///
/// | part | content | setter |
/// |---|---|---|
/// | PRI | facility × 8 + [`Severity::syslog`], or the priority chosen for the level | [`facility`](Self::facility), [`priority`](Self::priority), [`priority_of`](Self::priority_of) |
/// | TIME | 5424: UTC, microseconds; 3164: local time, seconds | [`zone`](Self::zone) |
/// | HOST | the machine's name; in 3164 without its domain | [`host`](Self::host) |
/// | APP | the name of the executable | [`app`](Self::app) |
/// | PROCID | the process id | [`process_id`](Self::process_id) |
/// | MSGID | the event's name if it was given one, else the target | |
/// | SD | one element with the fields of the event, its spans (the innermost wins) and the application; `trace_id`, `span_id`, `trace_flags`; `target` unless MSGID is the whole target | [`sd_id`](Self::sd_id), [`no_structured_data`](Self::no_structured_data), [`source`](Self::source), [`thread`](Self::thread), [`element`](Self::element) |
/// | MSG | the message; without structured data, [`Text`] with the fields; python: the message alone | [`body`](Self::body) |
///
/// # Names
///
/// The protocol allows printable ASCII without spaces: 255 bytes for a host, 48 for an application, 128 for a process, 32
/// for MSGID, SD-ID and names of parameters, these without `=`, `]` and `"`; in 3164, 32 for an application without `[`,
/// `]` and `:`. Forbidden bytes, `%` and `~` become `%` and two hexadecimal digits. A name that is too long is cut and ends
/// with `~` and a hash of 16 digits. The empty name becomes `%`. So two names become one only if their 64-bit hashes are
/// equal. A field named like a parameter of the format gets `_` appended, as often as needed.
///
/// # Text
///
/// - UTF-8. In 5424, a message that is not ASCII begins with the byte order mark that the RFC requires
///   ([`bom`](Self::bom)).
/// - Control characters in the message are escaped as in [`Text`], unless [`multi_line`](Self::multi_line) keeps line
///   breaks. A [`body`](Self::body) of your own does its own escaping.
/// - Values of parameters are unchanged but for `\` before `"`, `\` and `]`, so that they read back equal. Values with
///   control characters are escaped like the message where such a character could end it (framing by lines or NUL), and with
///   [`escape_values`](Self::escape_values).
/// - python: the body is sent as it is, line breaks too, as Python does; but a NUL inside becomes a space.
///
/// # Length
///
/// A message longer than [`max_bytes`](Self::max_bytes) is cut on a character boundary: first values, with the mark
/// `…[N bytes cut]` or entirely (`cut_fields` says how many), then the message, with the same mark.
///
/// Python: the formatting half of `logging.handlers.SysLogHandler`.
#[derive(Clone)]
#[must_use]
pub struct SyslogFormat {
    form: Form,
    facility: Facility,
    host: String,
    app: String,
    /// None: the id of the running process.
    process_id: Option<String>,
    ident: String,
    append_nul: bool,
    zone: Time,
    sd_id: Option<String>,
    /// The other elements, encoded.
    elements: Vec<u8>,
    token: Vec<u8>,
    body: Option<Arc<dyn Format>>,
    text: Text,
    by_name: Vec<(String, Priority)>,
    by_severity: Vec<(Severity, Priority)>,
    bom: bool,
    one_line: bool,
    multi_line: bool,
    source: bool,
    thread: bool,
    max_bytes: Option<usize>,
    precomputed: Precomputed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Rfc5424,
    Rfc3164,
    Local,
    Python,
}

/// RFC 5424, 6.1: every receiver accepts this much.
const MIN_BYTES: usize = 480;
/// RFC 5612: the enterprise number for examples; none is right for everybody.
const SD_ID: &str = "strata@32473";

impl SyslogFormat {
    fn new(form: Form) -> Self {
        Self {
            form,
            facility: Facility::default(),
            host: String::new(),
            app: String::new(),
            process_id: None,
            ident: String::new(),
            append_nul: true,
            zone: if form == Form::Rfc5424 { Time::utc() } else { Time::local().seconds() },
            sd_id: (form == Form::Rfc5424).then(|| SD_ID.to_owned()),
            elements: Vec::new(),
            token: Vec::new(),
            body: None,
            text: Text::plain().time(Time::none()).level(false),
            by_name: Vec::new(),
            by_severity: Vec::new(),
            bom: true,
            one_line: false,
            multi_line: false,
            source: false,
            thread: false,
            max_bytes: None,
            precomputed: Precomputed::default(),
        }
        .host(crate::record::host_name().unwrap_or_default())
        .app(Record::default().process_name())
    }

    /// RFC 5424, with structured data.
    pub fn rfc5424() -> Self {
        Self::new(Form::Rfc5424)
    }

    /// RFC 3164 for networks.
    pub fn rfc3164() -> Self {
        Self::new(Form::Rfc3164)
    }

    /// RFC 3164 without a host, for the daemon of this machine.
    pub fn local() -> Self {
        Self::new(Form::Local)
    }

    /// Byte for byte what Python's `SysLogHandler` sends: the priority from the level's name (DEBUG 7, INFO 6, WARN 4,
    /// ERROR 3, CRITICAL 2, any other 4), no time, no host; the [`ident`](Self::ident), the text, a NUL.
    pub fn python() -> Self {
        Self::new(Form::Python)
    }

    /// The facility (default: [`Facility::User`]).
    pub fn facility(mut self, facility: Facility) -> Self {
        self.facility = facility;
        self.precompute()
    }

    /// The machine's name; empty means unknown.
    pub fn host(mut self, host: impl Into<String>) -> Self {
        let host = host.into();
        self.host = match host.as_str() {
            "" => "-".to_owned(),
            // RFC 3164, 4.1.2: without the domain.
            host if self.is_short() && host.parse::<std::net::IpAddr>().is_err() => {
                SHORT_HOST.text(host.split('.').next().unwrap_or(host))
            }
            host => HOST.text(host),
        };
        self.precompute()
    }

    /// The application's name: APP-NAME, or the tag.
    pub fn app(mut self, app: impl Into<String>) -> Self {
        self.app = self.name(&app.into(), &APP);
        self.precompute()
    }

    /// Replaces the process id.
    pub fn process_id(mut self, id: impl Into<String>) -> Self {
        self.process_id = Some(self.name(&id.into(), &PROCESS));
        self.precompute()
    }

    /// The text before the message in the [`python`](Self::python) form (Python: `SysLogHandler.ident`).
    pub fn ident(mut self, ident: impl Into<String>) -> Self {
        self.ident = ident.into();
        self
    }

    /// Whether a NUL ends the message in the [`python`](Self::python) form; yes by default (Python:
    /// `SysLogHandler.append_nul`). Without it, nothing marks the end of a message in a stream.
    pub fn append_nul(mut self, on: bool) -> Self {
        self.append_nul = on;
        self
    }

    /// The time zone in 3164 forms (default: [`Time::local`]). Only its zone counts.
    pub fn zone(mut self, zone: Time) -> Self {
        self.zone = if self.form == Form::Rfc5424 { zone.micros() } else { zone.seconds() };
        self.zone = std::mem::take(&mut self.zone).calendar_with_date();
        self
    }

    /// The SD-ID of the element with the fields (default: `strata@32473`, reserved for examples): a name, `@` and your
    /// [enterprise number](https://www.iana.org/assignments/enterprise-numbers/).
    pub fn sd_id(mut self, id: impl AsRef<str>) -> Self {
        self.sd_id = Some(PARAMETER.text(id.as_ref()));
        self.precompute()
    }

    /// Writes the fields into the message instead of an element.
    pub fn no_structured_data(mut self) -> Self {
        self.sd_id = None;
        self.precompute()
    }

    /// Adds a constant element before the one with the fields: `origin`, `meta`, or the token of a hosted receiver
    /// (`element("TOKEN@41058", [("tag", "shop")])`). `Debug` does not show it.
    pub fn element<N: AsRef<str>, V: AsRef<str>>(
        mut self,
        id: impl AsRef<str>,
        parameters: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        self.elements.push(b'[');
        self.elements.extend_from_slice(PARAMETER.text(id.as_ref()).as_bytes());
        for (name, value) in parameters {
            self.elements.push(b' ');
            self.elements.extend_from_slice(PARAMETER.text(name.as_ref()).as_bytes());
            self.elements.extend_from_slice(b"=\"");
            element::put_text(value.as_ref(), true, &mut self.elements);
            self.elements.push(b'"');
        }
        self.elements.push(b']');
        self.precompute()
    }

    /// Puts a token and a space before every message, for hosted receivers that identify customers by it. `Debug` does not
    /// show it.
    ///
    /// # Errors
    /// It is empty or has a space or a control character.
    pub fn token(mut self, token: &str) -> Result<Self, Error> {
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            // The token is a secret.
            return Err(Error::config("the token of a syslog format: expected printable ASCII without spaces"));
        }
        self.token = [token.as_bytes(), b" "].concat();
        Ok(self.precompute())
    }

    /// The format of the message (default: see [the table](Self#what-is-sent)).
    pub fn body(mut self, format: impl Format) -> Self {
        self.body = Some(Arc::new(format));
        self
    }

    /// The priority of levels with this name, whatever their number. Takes precedence over [`priority_of`](Self::priority_of).
    ///
    /// Python: `SysLogHandler.priority_map`.
    pub fn priority(mut self, level_name: impl Into<String>, priority: Priority) -> Self {
        self.by_name.push((level_name.into(), priority));
        self
    }

    /// The priority of a severity (default: [`Severity::syslog`]).
    pub fn priority_of(mut self, severity: impl Into<Severity>, priority: Priority) -> Self {
        self.by_severity.push((severity.into(), priority));
        self
    }

    /// Whether a 5424 message that is not ASCII begins with a byte order mark, as the RFC requires (default: yes). Some
    /// receivers display it.
    pub fn bom(mut self, on: bool) -> Self {
        self.bom = on;
        self
    }

    /// Whether control characters in values of parameters are escaped (default: only where they could end a message).
    pub fn escape_values(mut self, on: bool) -> Self {
        self.one_line |= on;
        self.precompute()
    }

    /// Whether the message keeps line breaks and tabs (default: no). Only datagrams and octet counting can carry them.
    pub fn multi_line(mut self, on: bool) -> Self {
        self.multi_line = on;
        self
    }

    /// Whether structured data has `file`, `line` and `module_path` of the call site (default: no).
    pub fn source(mut self, on: bool) -> Self {
        self.source = on;
        self
    }

    /// Whether structured data has `thread_name` and `thread_id` (default: no).
    pub fn thread(mut self, on: bool) -> Self {
        self.thread = on;
        self
    }

    /// The longest message, in bytes, at least 480 (default: no limit; [`output::Syslog`](crate::output::Syslog) sets one).
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = Some(bytes.max(MIN_BYTES));
        self
    }

    // --- for the output

    pub(crate) fn default_max_bytes(mut self, in_5424: usize, else_: usize) -> Self {
        if self.form != Form::Python {
            self.max_bytes.get_or_insert(if self.form == Form::Rfc5424 { in_5424 } else { else_ });
        }
        self
    }

    /// For a framing in which a control character can end a message.
    pub(crate) fn only_lines(mut self) -> Self {
        self.one_line = true;
        self.multi_line = false;
        self.precompute()
    }

    /// Whether messages end with a NUL of their own.
    pub(crate) fn is_python(&self) -> bool {
        self.form == Form::Python
    }

    fn is_short(&self) -> bool {
        matches!(self.form, Form::Rfc3164 | Form::Local)
    }

    /// A name of the header; `-` means unknown.
    fn name(&self, name: &str, rule: &NameRule) -> String {
        let rule = if self.is_short() { &TAG } else { rule };
        if name.is_empty() { "-".to_owned() } else { rule.text(name) }
    }
}

impl Default for SyslogFormat {
    fn default() -> Self {
        Self::rfc5424()
    }
}

/// The bytes are UTF-8, unless a [`body`](SyslogFormat::body) writes others.
impl Format for SyslogFormat {
    fn format(&self, record: &Record, out: &mut Buffer) -> Result<(), Error> {
        let out = out.bytes_mut();
        let limit = self.max_bytes.map_or(usize::MAX, |most| most.saturating_add(out.len()));
        let start = out.len();
        let written = self.write(record, usize::MAX, out);
        if out.len() > limit {
            // Again, within the limit.
            out.truncate(start);
            return self.write(record, limit, out);
        }
        written
    }

    /// [`Framing::OctetCounting`] (RFC 6587, 3.4.1); none for Python's form, whose messages end with a NUL.
    fn framing(&self) -> Option<Framing> {
        Some(if self.is_python() { Framing::None } else { Framing::OctetCounting })
    }
}

/// Without token and elements, which may be secrets.
impl fmt::Debug for SyslogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Syslog")
            .field("form", &self.form)
            .field("facility", &self.facility)
            .field("host", &self.host)
            .field("app", &self.app)
            .field("sd_id", &self.sd_id)
            .field("max_bytes", &self.max_bytes)
            .finish_non_exhaustive()
    }
}
