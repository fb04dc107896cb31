//! One pleasant line per record, for people.

mod color;
mod line;

pub use self::color::Color;
use self::line::Line;
use super::{Format, Time, outermost_first};
use crate::{
    Error, Record, Value,
    record::{SpanView, TraceParent},
};

/// One line per record, for people:
///
/// ```text
/// 2026-11-20T15:17:16.123456Z INFO  shop::db: query done rows=3 took=1.5 request{id=7f3a method=GET}:query{table=users}
/// ```
///
/// Time, level, target, message, the event's fields, then the spans from the outside in with theirs. Text that is not
/// one plain word stands in quotes, with `"` and `\` escaped. An error is its message and its causes, joined by `: `. A
/// span's `traceparent` is shown as its `trace_id`.
///
/// | setter | default | shows |
/// |---|---|---|
/// | [`time`](Self::time) | [`Time::utc`] | the time |
/// | [`target`](Self::target) | yes | the target |
/// | [`spans`](Self::spans) | yes | the spans with their fields |
/// | [`source`](Self::source) | no | `src/db.rs:17` |
/// | [`thread`](Self::thread) | no | the thread's name, or its id |
/// | [`globals`](Self::globals) | no | the [fields of the application](crate::Globals) |
/// | [`color`](Self::color) | [`Color::Auto`] | levels in colour, the rest dimmed or not |
/// | [`multi_line`](Self::multi_line) | no | line breaks of the message, and causes on lines of their own |
///
/// # One record, one line
/// Line breaks and all other control characters, the ANSI escape, the C1 controls, U+2028, U+2029, bidirectional controls
/// and the byte order mark are written as `\n`, `\r`, `\t` or `\u{1b}`, in every part of the record, so that no value can
/// forge a line or paint the terminal. A backslash in a message stays as it is. With [`multi_line`](Self::multi_line) only
/// line breaks are kept, and what follows one begins with `    | `.
///
/// Python: `logging.Formatter`.
///
/// ```
/// use tracing_strata::{Format, Record, Severity, format::{Text, Time}};
///
/// let mut record = Record::new(Severity::WARN, "shop", "two\nlines");
/// record.set("user", "Ada Lovelace");
/// record.push_span("request", [("id", 7)].into_iter().collect());
/// let mut out = String::new();
/// Text::plain().time(Time::none()).format(&record, &mut out).unwrap();
/// assert_eq!(out, r#"WARN  shop: two\nlines user="Ada Lovelace" request{id=7}"#);
/// ```
#[derive(Clone, Debug)]
pub struct Text {
    time: Time,
    color: Color,
    is_colored: bool,
    target: bool,
    spans: bool,
    source: bool,
    thread: bool,
    globals: bool,
    multi_line: bool,
}

impl Text {
    /// The default line; coloured on terminals.
    pub fn new() -> Self {
        Self {
            time: Time::utc(),
            color: Color::Auto,
            is_colored: false,
            target: true,
            spans: true,
            source: false,
            thread: false,
            globals: false,
            multi_line: false,
        }
    }

    /// The default line; coloured on terminals. The same as [`new`](Self::new), said aloud.
    pub fn colored() -> Self {
        Self::new().color(Color::Auto)
    }

    /// The default line, never coloured.
    pub fn plain() -> Self {
        Self::new().color(Color::Never)
    }

    /// When to use colour. [`Color::Auto`] is decided when the format meets its sink.
    pub fn color(mut self, color: Color) -> Self {
        self.color = color;
        self.is_colored = color == Color::Always;
        self
    }

    /// How the time is written; [`Time::none`] leaves it out.
    pub fn time(mut self, time: Time) -> Self {
        self.time = time;
        self
    }

    /// Whether the target is shown.
    pub fn target(mut self, on: bool) -> Self {
        self.target = on;
        self
    }

    /// Whether the spans are shown.
    pub fn spans(mut self, on: bool) -> Self {
        self.spans = on;
        self
    }

    /// Whether the source place is shown.
    pub fn source(mut self, on: bool) -> Self {
        self.source = on;
        self
    }

    /// Whether the thread is shown.
    pub fn thread(mut self, on: bool) -> Self {
        self.thread = on;
        self
    }

    /// Whether the fields of the application are shown.
    pub fn globals(mut self, on: bool) -> Self {
        self.globals = on;
        self
    }

    /// Whether a record may take several lines.
    pub fn multi_line(mut self, on: bool) -> Self {
        self.multi_line = on;
        self
    }

    fn head(&self, record: &Record, line: &mut Line<'_>) {
        if !self.time.is_none() {
            line.dim(|out| self.time.write(record.time(), out));
            line.raw(" ");
        }
        line.level(record.severity());
        if self.thread {
            line.raw(" ");
            match record.thread_name() {
                Some(name) => line.escaped(name),
                None => line.number(record.thread_id()),
            }
        }
        if self.target && !record.target().is_empty() {
            line.raw(" ");
            line.begin_dim();
            line.escaped(record.target());
            line.raw(":");
            line.end();
        }
        if self.source
            && let Some(file) = record.file()
        {
            line.raw(" ");
            line.begin_dim();
            line.escaped(file);
            if let Some(number) = record.line() {
                line.raw(":");
                line.number(number.into());
            }
            line.raw(":");
            line.end();
        }
    }

    /// What stands on lines of its own where that is allowed: errors with their causes, and text of several lines.
    fn stands_apart(&self, value: &Value<'_>) -> bool {
        self.multi_line && (value.as_error().is_some() || value.as_str().is_some_and(|text| text.contains('\n')))
    }

    fn span(line: &mut Line<'_>, span: SpanView<'_>) {
        line.begin_bold();
        line.escaped(span.name());
        line.end();
        if !span.fields().is_empty() {
            line.raw("{");
            for (index, (name, value)) in span.fields().iter().enumerate() {
                if index > 0 {
                    line.raw(" ");
                }
                match span.trace() {
                    Some(trace) if name == TraceParent::FIELD => line.trace_id(trace.trace_id()),
                    _ => line.pair(name, value),
                }
            }
            line.raw("}");
        }
    }
}

impl Default for Text {
    fn default() -> Self {
        Self::new()
    }
}

impl Format for Text {
    fn format(&self, record: &Record, out: &mut String) -> Result<(), Error> {
        let mut line = Line::new(out, self.is_colored);
        self.head(record, &mut line);
        if !record.message().is_empty() {
            line.raw(" ");
            if self.multi_line {
                line.escaped_lines(record.message(), "    | ");
            } else {
                line.escaped(record.message());
            }
        }
        let mut pairs = |pairs: &crate::Fields| {
            for (name, value) in pairs.iter().filter(|(_, value)| !self.stands_apart(value)) {
                line.raw(" ");
                line.pair(name, value);
            }
        };
        pairs(record.fields());
        if self.globals
            && let Some(globals) = record.globals()
        {
            pairs(globals);
        }
        if self.spans {
            for (index, span) in outermost_first(record).enumerate() {
                line.raw(if index == 0 { " " } else { ":" });
                Self::span(&mut line, span);
            }
        }
        for (name, value) in record.fields().iter().filter(|(_, value)| self.stands_apart(value)) {
            line.apart(name, value);
        }
        Ok(())
    }

    fn adapt(&mut self, terminal: bool) {
        self.is_colored = self.color.is_on(terminal);
    }
}
