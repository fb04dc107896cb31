//! One line per record, for people; and [`Text::pretty`], which takes more.

mod backtrace;
mod color;
mod layout;
mod pair;
mod parts;
mod pretty;
mod quote;
mod spans;

pub use self::{color::Color, layout::Layout};
use self::{
    color::{Colors, Paint},
    pair::{name, write_value},
    parts::CONTINUED,
    quote::{Bare, is_bare_message, quoted, word},
};
use super::{Buffer, Format, Time, json::value::hex, line::Line};
use crate::{
    Error, Record, Severity, Value,
    record::{Entry, ErrorChain, TraceParent},
};

/// One line per record, for people.
///
/// ```
/// use tracing_strata::{Record, Severity, format::{Buffer, Format, Text, Time}};
///
/// let mut record = Record::new(Severity::INFO, "shop::db", "slow query");
/// record.set("rows", 3);
/// record.set("sql", "select 1");
/// record.push_span("request", [("id", "7f3a"), ("method", "GET")].into_iter().collect());
/// record.push_span("query", [("table", "users")].into_iter().collect());
///
/// let mut out = Buffer::new();
/// Text::plain().time(Time::none()).format(&record, &mut out).unwrap();
/// assert_eq!(
///     out,
///     r#"INFO  shop::db: slow query rows=3 sql="select 1" request{id=7f3a method=GET}:query{table=users}"#
/// );
/// ```
///
/// # The parts of a line
///
/// | part | shown | setter |
/// |---|---|---|
/// | time | [`Time::utc`] | [`time`](Self::time) |
/// | level | yes, padded to five characters | [`level`](Self::level) |
/// | `[thread id]` | no | [`thread`](Self::thread) |
/// | target | yes | [`target`](Self::target) |
/// | `file:line` | no | [`source`](Self::source) |
/// | message | always | [`multi_line`](Self::multi_line) |
/// | `key=value` of the event; an error with its causes, `"top: cause: cause"` | always | |
/// | `key=value` of the global fields | no | [`globals`](Self::globals) |
/// | `trace_id`, `span_id`, `trace_flags` of records that have them | no | [`trace_ids`](Self::trace_ids) |
/// | spans from the outside in, each with its fields, joined by `:`; of a field `traceparent`, the `trace_id` | yes | [`spans`](Self::spans) |
///
/// # Escaping
///
/// A record is always one line, cannot forge another, and can be read back. In every part, line breaks, ESC and all other
/// control characters, C1, U+2028/2029, the bidirectional controls and U+FEFF are written as `\n`, `\t`, `\r` or `\u{1b}`,
/// and a backslash as `\\`. All colour is this format's own.
///
/// Names and values are bare if they are not empty and have no white space, quote, backslash, `=`, `{` or `}` (names of
/// spans: no `:` either); else they are quoted, with `\"` for a quote. A message is quoted only if it has a `=`, or a `{`
/// directly after another character, begins with a quote, or begins or ends with white space: it could be taken for more
/// than a message. Text that `Debug` has quoted is not quoted again.
///
/// Python: `logging.Formatter` with a format string; there, a line break in a message forges a line.
#[derive(Clone, Debug)]
pub struct Text {
    time: Time,
    colors: Colors,
    level: bool,
    target: bool,
    /// From which severity on the source is shown.
    source: Option<Severity>,
    thread: bool,
    spans: bool,
    globals: bool,
    trace_ids: bool,
    multi_line: bool,
    is_pretty: bool,
    layout: Option<Box<Layout>>,
}

impl Text {
    /// Coloured on terminals, as [`Color::Auto`].
    pub fn new() -> Self {
        Self {
            time: Time::utc(),
            colors: Colors::new(Color::Auto),
            level: true,
            target: true,
            source: None,
            thread: false,
            spans: true,
            globals: false,
            trace_ids: false,
            multi_line: false,
            is_pretty: false,
            layout: None,
        }
    }

    /// For people at a terminal: the message directly behind time and level, so that messages stand below each other, then
    /// fields, target and spans.
    ///
    /// ```
    /// use tracing_strata::{Record, Severity, format::{Buffer, Format, Text, Time}};
    ///
    /// let mut record = Record::new(Severity::ERROR, "shop::pay::card::gateway", "payment failed");
    /// record.set("user", 7);
    /// record.fields_mut().set_error("error", &std::io::Error::other("no answer"));
    /// record.set("backtrace", "   0: std::panicking::panic\n   1: shop::pay\n             at ./src/pay.rs:4:9");
    /// record.push_span("request", [("id", "7f3a")].into_iter().collect());
    ///
    /// let mut out = Buffer::new();
    /// Text::pretty().time(Time::none()).format(&record, &mut out).unwrap();
    /// let expected = "\
    /// ERROR    payment failed  user=7 error=\"no answer\"  shop::…::gateway  request{id=7f3a}
    ///     | backtrace:
    ///     |   … 1 frame of std
    ///     |   shop::pay  src/pay.rs:4:9";
    /// assert_eq!(out, expected);
    /// ```
    ///
    /// | differs from [`new`](Self::new) | setter |
    /// |---|---|
    /// | the time is [`Time::time_of_day`] | [`time`](Self::time) |
    /// | `file:line` from ERROR on | [`source`](Self::source) |
    /// | from CRITICAL on, the thread, unless it is `main` | [`thread`](Self::thread) |
    /// | several lines; an error with causes, and what has lines of its own, stand below | [`multi_line`](Self::multi_line) |
    /// | in a backtrace, frames of std and of runtimes such as tokio are only counted, those of the application are bright | |
    /// | paths inside the workspace (the folder of the nearest `Cargo.lock` above the executable, else above the current folder) are relative to it | |
    /// | a target of more than two names is shortened | |
    /// | messages are never quoted | |
    /// | where a terminal is [known](Buffer::columns) to have 40 columns or more, lines are broken between parts and words | |
    ///
    /// What comes from outside is escaped as in every text, and every line but a record's first begins with `    | `: no
    /// record can forge another. It cannot be read back by a program; for files, take [`plain`](Self::plain) or
    /// [`Json`](super::Json).
    ///
    /// Python: `loguru`, `rich.logging.RichHandler`.
    pub fn pretty() -> Self {
        Self {
            time: Time::time_of_day(),
            source: Some(Severity::ERROR),
            multi_line: true,
            is_pretty: true,
            ..Self::new()
        }
    }

    /// Coloured on terminals; another name for [`new`](Self::new).
    pub fn colored() -> Self {
        Self::new()
    }

    /// Never coloured.
    pub fn plain() -> Self {
        Self::new().color(Color::Never)
    }

    /// When to colour (default: [`Color::Auto`]).
    pub fn color(self, color: Color) -> Self {
        Self { colors: Colors::new(color), ..self }
    }

    /// How the time is written (default: [`Time::utc`]). [`Time::time_of_day`] suits consoles.
    pub fn time(self, time: Time) -> Self {
        Self { time, ..self }
    }

    /// Whether the level is shown (default: yes). Turn it off where the output adds it.
    pub fn level(self, on: bool) -> Self {
        Self { level: on, ..self }
    }

    /// Whether the target is shown (default: yes).
    pub fn target(self, on: bool) -> Self {
        Self { target: on, ..self }
    }

    /// Whether file and line of the call site are shown, if known (default: no; [`pretty`](Self::pretty): from ERROR on).
    pub fn source(self, on: bool) -> Self {
        Self { source: on.then_some(Severity::ALL), ..self }
    }

    /// Whether the thread's name and id are shown (default: no).
    pub fn thread(self, on: bool) -> Self {
        Self { thread: on, ..self }
    }

    /// Whether the spans are shown (default: yes).
    pub fn spans(self, on: bool) -> Self {
        Self { spans: on, ..self }
    }

    /// Whether the [global fields](crate::Globals) are shown (default: no).
    pub fn globals(self, on: bool) -> Self {
        Self { globals: on, ..self }
    }

    /// Whether the record's [trace ids](Record::trace) are shown (default: only the `trace_id` of a span field
    /// `traceparent`).
    pub fn trace_ids(self, on: bool) -> Self {
        Self { trace_ids: on, ..self }
    }

    /// Whether a record may take several lines (default: no; [`pretty`](Self::pretty): yes): messages and the event's values keep their line breaks, and
    /// each cause of an error gets a line. Every line but a record's first begins with `    | `. All other control
    /// characters, and line breaks elsewhere, are still escaped.
    pub fn multi_line(self, on: bool) -> Self {
        Self { multi_line: on, ..self }
    }

    /// Which fields are shown, in which order, and how; and how targets are named (default: all as they are).
    pub fn layout(self, layout: Layout) -> Self {
        Self { layout: Some(Box::new(layout)), ..self }
    }

    fn time_of(&self, record: &Record, paint: Paint, out: &mut Line<'_>) {
        if !self.time.is_none() {
            paint.dim(out, |out| self.time.write(record.time(), &mut Bare(out)));
            out.byte(b' ');
        }
    }

    fn level_of(&self, record: &Record, width: usize, paint: Paint, out: &mut Line<'_>) {
        if self.level {
            let start = out.len();
            paint.level(out, record.severity(), |out| write_level(record, out));
            let shown = out.len() - start - paint.level_width(record.severity());
            (shown..width).for_each(|_| out.byte(b' '));
            out.byte(b' ');
        }
    }

    fn thread_of(&self, record: &Record, out: &mut Line<'_>) {
        if self.thread {
            out.byte(b'[');
            if let Some(name) = record.thread_name() {
                word(out, name, "]");
                out.byte(b' ');
            }
            out.raw(itoa::Buffer::new().format(record.thread_id()));
            out.raw("] ");
        }
    }

    fn shows_source(&self, record: &Record) -> bool {
        self.source.is_some_and(|from| record.severity() >= from)
    }

    /// The global fields to be shown: fields of the event and of spans win.
    fn globals_of<'r>(&self, record: &'r Record) -> impl Iterator<Item = Entry<'r>> + use<'r> {
        let has =
            |name: &str| record.fields().contains(name) || record.spans().any(|span| span.fields().contains(name));
        let globals = record.globals().filter(|_| self.globals);
        globals.into_iter().flat_map(|globals| globals.entries()).filter(move |entry| !has(entry.text()))
    }

    fn message(&self, message: &str, out: &mut Line<'_>) {
        let shown = if self.multi_line { message.lines().next().unwrap_or_default() } else { message };
        if is_bare_message(shown) {
            Bare(out).push(shown);
        } else {
            quoted(out, [shown]);
        }
    }

    /// The fields, each after a space. With `below`, causes and values of several lines are left to
    /// [`more_lines`](Self::more_lines).
    #[inline]
    fn fields<'f>(fields: impl Iterator<Item = Entry<'f>>, below: bool, paint: Paint, out: &mut Line<'_>) {
        // Only what is before the first field may end with a space: an empty message does, a value does not.
        let mut is_first = true;
        for entry in fields {
            let value = entry.value();
            if below && has_lines(value) {
                continue;
            }
            if std::mem::take(&mut is_first) {
                space(out);
            } else {
                out.byte(b' ');
            }
            paint.dim(out, |out| name(entry, out));
            match value {
                Value::Error(chain) if below => paint.red(out, |out| word(out, chain.message(), "")),
                Value::Error(_) => paint.red(out, |out| write_value(value, out)),
                value => write_value(value, out),
            }
        }
    }

    /// The fields as a layout says.
    #[inline(never)]
    fn laid_out(&self, layout: &Layout, record: &Record, is_terminal: bool, paint: Paint, out: &mut Line<'_>) {
        let below = |entry: &Entry<'_>| self.multi_line && has_lines(entry.value());
        let own = layout.entries(record.fields()).filter(|entry| !below(entry));
        let globals = self.globals_of(record).filter(|entry| layout.shows(entry.text()));
        for (index, entry) in own.chain(globals).enumerate() {
            match index {
                0 => space(out),
                // A padded value ends with a space of its own.
                _ => out.byte(b' '),
            }
            layout.field(entry, is_terminal, paint, out);
        }
    }

    /// Whether a field is shown at all.
    fn shows(&self, name: &str) -> bool {
        self.layout.as_ref().is_none_or(|layout| layout.shows(name))
    }

    fn ids(trace: TraceParent, paint: Paint, out: &mut Line<'_>) {
        space(out);
        paint.dim(out, |out| {
            out.raw("trace_id=");
            hex(out, &trace.trace_id().to_be_bytes());
            out.raw(" span_id=");
            hex(out, &trace.span_id().to_be_bytes());
            out.raw(" trace_flags=");
            hex(out, &[trace.flags()]);
        });
    }

    fn more_lines(&self, record: &Record, paint: Paint, out: &mut Line<'_>) {
        for line in record.message().lines().skip(1) {
            out.raw(CONTINUED);
            Bare(out).push(line);
        }
        for (name, value) in record.fields().iter().filter(|(name, _)| self.shows(name)) {
            if let Some(text) = value.as_str().filter(|_| has_lines(value)) {
                out.raw(CONTINUED);
                paint.dim(out, |out| {
                    word(out, name, "");
                    out.byte(b':');
                });
                for line in text.lines() {
                    out.raw(CONTINUED);
                    out.raw("  ");
                    Bare(out).push(line);
                }
            }
            for cause in value.as_error().into_iter().flat_map(ErrorChain::causes) {
                out.raw(CONTINUED);
                paint.dim(out, |out| {
                    word(out, name, "");
                    out.raw(" caused by: ");
                });
                paint.red(out, |out| Bare(out).push(cause));
            }
        }
    }
}

impl Default for Text {
    fn default() -> Self {
        Self::new()
    }
}

impl Format for Text {
    #[inline]
    fn format(&self, record: &Record, out: &mut Buffer) -> Result<(), Error> {
        let is_terminal = out.is_terminal();
        let paint = self.colors.paint(is_terminal);
        let columns = out.columns();
        let mut line = Line::new(out.bytes_mut(), false);
        match self.is_pretty {
            true => self.pretty_record(record, paint, is_terminal, columns, &mut line),
            false => self.line(record, paint, is_terminal, &mut line),
        }
        line.finish();
        Ok(())
    }
}

impl Text {
    /// Appends the record, never coloured.
    pub(super) fn plain_line(&self, record: &Record, out: &mut Line<'_>) {
        self.line(record, Paint::default(), false, out);
    }

    fn line(&self, record: &Record, paint: Paint, is_terminal: bool, out: &mut Line<'_>) {
        self.time_of(record, paint, out);
        self.level_of(record, 5, paint, out);
        self.thread_of(record, out);
        let target = Some(record.target()).filter(|target| self.target && !target.is_empty());
        let file = record.file().filter(|_| self.shows_source(record));
        if target.is_some() || file.is_some() {
            paint.dim(out, |out| {
                match (target, &self.layout) {
                    (Some(target), None) => word(out, target, ""),
                    (Some(target), layout) => Layout::target(layout.as_deref(), None, target, out),
                    (None, _) => {}
                }
                if let Some(file) = file {
                    if target.is_some() {
                        out.byte(b' ');
                    }
                    word(out, file, "");
                    if let Some(line) = record.line() {
                        out.byte(b':');
                        out.raw(itoa::Buffer::new().format(line));
                    }
                }
                out.byte(b':');
            });
            out.byte(b' ');
        }
        self.message(record.message(), out);
        if let Some(layout) = &self.layout {
            self.laid_out(layout, record, is_terminal, paint, out);
        } else {
            Self::fields(record.fields().entries(), self.multi_line, paint, out);
            Self::fields(self.globals_of(record), false, paint, out);
        }
        if let Some(trace) = if self.trace_ids { record.trace() } else { None } {
            Self::ids(trace, paint, out);
        }
        if self.spans {
            self.path(record, paint, out);
        }
        if self.multi_line {
            self.more_lines(record, paint, out);
        }
    }
}

/// Whether a value takes several lines where that is allowed.
fn has_lines(value: Value<'_>) -> bool {
    matches!(value, Value::Str(text) | Value::Rendered(text) if text.contains('\n'))
}

/// The space between two parts; after an empty message there is one already.
fn space(out: &mut Line<'_>) {
    if out.last() != Some(b' ') {
        out.byte(b' ');
    }
}

fn write_level(record: &Record, out: &mut Line<'_>) {
    match record.severity().name() {
        Some(name) => Bare(out).push(name),
        None => {
            out.raw("Level ");
            out.raw(itoa::Buffer::new().format(record.severity().number()));
        }
    }
}
