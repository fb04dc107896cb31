//! Lines as Python's `logging.Formatter` makes them.

mod attribute;
mod brace;
mod buffering;
mod dollar;
mod number;
mod percent;
mod shown;

use std::{cell::Cell, str::FromStr, sync::Arc, time::SystemTime};

pub use self::buffering::BufferingFormatter;
use self::{
    attribute::Attribute,
    percent::{Percent, Two},
    shown::Shown,
};
use super::{Buffer, Format, Time, buffer::KEEP_BYTES, strftime::Strftime};
use crate::{
    Error, Fields, Record, Value,
    record::Tag,
    text::{next_special, push_python_repr},
};

/// A line by a template: Python's `logging.Formatter`, with its three styles.
///
/// | style | a field | a literal sign |
/// |---|---|---|
/// | [`Percent`](Style::Percent) | `%(levelname)-8s` | `%%` |
/// | [`Brace`](Style::Brace) | `{levelname:<8}`, `{message!r}` | `{{`, `}}` |
/// | [`Dollar`](Style::Dollar) | `$levelname`, `${levelname}` | `$$` |
///
/// Compiled once; to format a record allocates nothing.
///
/// ```
/// use tracing_strata::{Record, Severity, format::{Buffer, Format, Template}};
///
/// let template = Template::brace("{levelname:<8}|{name}|{user:>5}|{message}")?;
/// let mut record = Record::new(Severity::WARN, "shop.db", "slow");
/// record.set("user", 7);
/// let mut out = Buffer::new();
/// template.format(&record, &mut out)?;
/// assert_eq!(out, "WARNING |shop.db|    7|slow");
/// # Ok::<(), tracing_strata::Error>(())
/// ```
///
/// # Attributes
/// | name | is |
/// |---|---|
/// | `name` | the target; `root` if it is empty |
/// | `message`, `msg` | the message |
/// | `levelno`, `levelname` | the severity's number and name (`WARNING` for 30) |
/// | `pathname`, `filename`, `module`, `lineno`, `funcName` | the place; `funcName` is the innermost span's name where no [function](Record::function) was given |
/// | `created`, `msecs`, `relativeCreated` | seconds since 1970, milliseconds within the second, milliseconds since the start of logging |
/// | `asctime` | the time by `datefmt`, or by `default_time_format` and `default_msec_format` |
/// | `thread`, `threadName`, `process`, `processName` | who |
/// | `exc_text`, `stack_info` | the first error with its causes, the call stack; `None` if there is none |
/// | `exc_info` | class and message of the first error, as Python shows its triple, without frames; `None` if there is none |
/// | `args`, `taskName` | `()`, `None` |
/// | `trace_id`, `span_id`, `spans` | of the trace, in hexadecimal; the spans' names from the outside in, with `:` between. A field of that name comes first |
/// | any other name | the event's field, else the innermost span's that has it, else a global one, else a [default](TemplateBuilder::defaults) |
///
/// A name that the record does not have is an error, and the record counts as failed; give such names a default. After the
/// line come the exception text and the stack of the record, each on lines of its own.
///
/// # Differences from Python
/// - What could break a line (line breaks, controls) is escaped in every value, and the lines of an exception or a stack
///   begin with `    | `: nobody can forge a record. [`as_python`](TemplateBuilder::as_python) writes everything as it is.
/// - Severity 5 is `TRACE`; as in Python, it is `Level 5`, unless it was given a name.
/// - Exception text is the error with its causes, the last one first, as Python prints a chain; there are no frames.
/// - A format that could never be filled in (`%(message)s 100%`) is refused when it is made; with `as_python` only what
///   Python's own check refuses.
/// - `{user.name}` is the field `user.name`.
#[derive(Clone, Debug)]
pub struct Template(Arc<Compiled>);

#[derive(Debug)]
struct Compiled {
    format: Box<str>,
    style: Style,
    body: Body,
    asctime: Asctime,
    defaults: Fields,
    as_python: bool,
    ends: bool,
}

/// A format, taken apart.
#[derive(Debug, Default)]
struct Body {
    pieces: Vec<Piece>,
    /// What stands in the way of any line behind the pieces, as Python would say it when it formats.
    broken: Option<String>,
}

#[derive(Clone, Debug)]
struct Asctime {
    zone: Time,
    time: Strftime,
    /// How the milliseconds are put behind, if they are.
    milliseconds: Option<Two>,
}

#[derive(Debug)]
enum Piece {
    Literal(Box<str>),
    Field(Field),
}

#[derive(Debug)]
struct Field {
    attribute: Attribute,
    spec: Spec,
}

#[derive(Debug)]
enum Spec {
    /// As `str()` has it.
    Plain,
    Percent(Percent),
    Brace(brace::Brace),
    /// What Python says about it when it formats.
    Wrong(String),
}

/// How a template is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Style {
    /// `%(name)s`
    #[default]
    Percent,
    /// `{name}`
    Brace,
    /// `$name`
    Dollar,
}

/// `%`, `{` or `$`.
impl FromStr for Style {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "%" => Ok(Self::Percent),
            "{" => Ok(Self::Brace),
            "$" => Ok(Self::Dollar),
            _ => Err(Error::config("Style must be one of: %,{,$")),
        }
    }
}

impl Template {
    /// The names that are attributes of every record: Python refuses to overwrite them by `extra`, and here they win over
    /// fields of the same name.
    pub const ATTRIBUTES: &[&str] = attribute::NAMES;

    /// The message alone.
    pub fn new() -> Self {
        let message = Piece::Field(Field { attribute: Attribute::Message, spec: Spec::Plain });
        Self(Arc::new(Compiled {
            format: Style::Percent.default_format().into(),
            style: Style::Percent,
            body: Body { pieces: vec![message], broken: None },
            asctime: Asctime {
                zone: Time::local(),
                time: Strftime::new(TIME),
                milliseconds: Two::new(MILLISECONDS).ok(),
            },
            defaults: Fields::new(),
            as_python: false,
            ends: true,
        }))
    }

    /// A template in `%` style.
    ///
    /// # Errors
    /// As for [`TemplateBuilder::build`].
    pub fn percent(format: &str) -> Result<Self, Error> {
        Self::builder(format).build()
    }

    /// A template in `{` style.
    ///
    /// # Errors
    /// As for [`TemplateBuilder::build`].
    pub fn brace(format: &str) -> Result<Self, Error> {
        Self::builder(format).style(Style::Brace).build()
    }

    /// A template in `$` style.
    ///
    /// # Errors
    /// As for [`TemplateBuilder::build`].
    pub fn dollar(format: &str) -> Result<Self, Error> {
        Self::builder(format).style(Style::Dollar).build()
    }

    /// A template with options. An empty format is the message alone.
    ///
    /// | option | default |
    /// |---|---|
    /// | [`style`](TemplateBuilder::style) | `%` |
    /// | [`datefmt`](TemplateBuilder::datefmt) | none: the two below |
    /// | [`default_time_format`](TemplateBuilder::default_time_format) | `%Y-%m-%d %H:%M:%S` |
    /// | [`default_msec_format`](TemplateBuilder::default_msec_format) | `%s,%03d` |
    /// | [`zone`](TemplateBuilder::zone) | [`Time::local`] |
    /// | [`defaults`](TemplateBuilder::defaults) | none |
    /// | [`validate`](TemplateBuilder::validate) | true |
    /// | [`as_python`](TemplateBuilder::as_python) | false |
    /// | [`exceptions`](TemplateBuilder::exceptions) | true |
    pub fn builder(format: impl Into<String>) -> TemplateBuilder {
        TemplateBuilder {
            format: format.into(),
            style: Style::Percent,
            datefmt: None,
            time_format: TIME.into(),
            msec_format: Some(MILLISECONDS.into()),
            zone: None,
            defaults: Fields::new(),
            validate: true,
            as_python: false,
            ends: true,
        }
    }

    /// The format as it was given.
    pub fn text(&self) -> &str {
        &self.0.format
    }

    /// Whether the line has the time in it (Python's `usesTime`).
    pub fn uses_time(&self) -> bool {
        let compiled = &*self.0;
        match compiled.style {
            Style::Percent => compiled.format.contains("%(asctime)"),
            Style::Brace => compiled.format.contains("{asctime"),
            Style::Dollar => compiled.format.contains("$asctime") || compiled.format.contains("${asctime}"),
        }
    }
}

impl Default for Template {
    fn default() -> Self {
        Self::new()
    }
}

const TIME: &str = "%Y-%m-%d %H:%M:%S";
const MILLISECONDS: &str = "%s,%03d";

impl Style {
    /// What an empty format stands for.
    fn default_format(self) -> &'static str {
        match self {
            Self::Percent => "%(message)s",
            Self::Brace => "{message}",
            Self::Dollar => "${message}",
        }
    }
}

/// A template that is being made. Made by [`Template::builder`].
#[derive(Debug)]
#[must_use]
pub struct TemplateBuilder {
    format: String,
    style: Style,
    datefmt: Option<String>,
    time_format: String,
    msec_format: Option<String>,
    zone: Option<Time>,
    defaults: Fields,
    validate: bool,
    as_python: bool,
    ends: bool,
}

impl TemplateBuilder {
    /// How the format is written.
    pub fn style(mut self, style: Style) -> Self {
        self.style = style;
        self
    }

    /// How `asctime` is written: conversions of `strftime` in the C locale. Nothing is put behind. An empty one is none.
    pub fn datefmt(mut self, format: impl Into<String>) -> Self {
        self.datefmt = Some(format.into()).filter(|format| !format.is_empty());
        self
    }

    /// How `asctime` is written where there is no `datefmt`.
    pub fn default_time_format(mut self, format: impl Into<String>) -> Self {
        self.time_format = format.into();
        self
    }

    /// How the milliseconds are put behind that: a `%` format of the time's text and the milliseconds. `None`: not at all.
    pub fn default_msec_format(mut self, format: Option<&str>) -> Self {
        self.msec_format = format.map(str::to_owned);
        self
    }

    /// In which zone `asctime` is; only the zone of the [`Time`] counts. `Time::utc()` is what Python's
    /// `converter = time.gmtime` does.
    pub fn zone(mut self, zone: Time) -> Self {
        self.zone = Some(zone);
        self
    }

    /// Values for names that a record does not have.
    pub fn defaults(mut self, defaults: Fields) -> Self {
        self.defaults = defaults;
        self
    }

    /// Whether the format is checked when it is made. If not, what is wrong shows with every record.
    pub fn validate(mut self, validate: bool) -> Self {
        self.validate = validate;
        self
    }

    /// Whether everything is as CPython has it: values stand as they are, whatever is in them, and severity 5 is
    /// `Level 5`. Then a message with a line break is two lines, and whoever sends the second can forge a record.
    pub fn as_python(mut self, as_python: bool) -> Self {
        self.as_python = as_python;
        self
    }

    /// Whether exception text and stack follow the line.
    pub fn exceptions(mut self, exceptions: bool) -> Self {
        self.ends = exceptions;
        self
    }

    /// The template.
    ///
    /// # Errors
    /// Python's own messages: `Invalid format '…' for '%' style`, `invalid format: …`. Without Python's check the format
    /// is taken as it is.
    pub fn build(self) -> Result<Template, Error> {
        let format = if self.format.is_empty() { self.style.default_format().to_owned() } else { self.format };
        let wrong = |error: String| Error::config(error);
        if self.validate {
            match self.style {
                Style::Percent => percent::validate(&format),
                Style::Brace => brace::validate(&format),
                Style::Dollar => dollar::validate(&format),
            }
            .map_err(wrong)?;
        }
        let body = match self.style {
            Style::Percent => Body::make(|pieces| percent::compile(&format, pieces)),
            Style::Brace => Body::make(|pieces| brace::compile(&format, pieces)),
            Style::Dollar => Body::make(|pieces| dollar::compile(&format, pieces)),
        };
        if self.validate
            && !self.as_python
            && let Some(error) = &body.broken
        {
            return Err(Error::config(format_args!("invalid format {format:?}: {error}")));
        }
        let milliseconds = match self.msec_format.filter(|_| self.datefmt.is_none()) {
            Some(format) => Some(
                Two::new(&format)
                    .map_err(|error| Error::config(format_args!("default_msec_format {format:?}: {error}")))?,
            ),
            None => None,
        };
        let asctime = Asctime {
            zone: self.zone.unwrap_or_else(Time::local),
            time: Strftime::new(self.datefmt.as_deref().unwrap_or(&self.time_format)),
            milliseconds,
        };
        Ok(Template(Arc::new(Compiled {
            format: format.into(),
            style: self.style,
            body,
            asctime,
            defaults: self.defaults,
            as_python: self.as_python,
            ends: self.ends,
        })))
    }
}

impl Format for Template {
    /// # Errors
    /// The record lacks a name, or a value is not of the kind its conversion asks for; with Python's message. Nothing was
    /// appended then.
    fn format(&self, record: &Record, out: &mut Buffer) -> Result<(), Error> {
        let compiled = &*self.0;
        out.append_text(|text| {
            if let Err(error) = compiled.line(record, text) {
                text.clear();
                return Err(Error::format(error));
            }
            if compiled.ends {
                compiled.end(record, text);
            }
            Ok(())
        })
    }
}

impl Compiled {
    fn line(&self, record: &Record, out: &mut String) -> Result<(), String> {
        let start = out.len();
        for piece in &self.body.pieces {
            match piece {
                Piece::Literal(text) => out.push_str(text),
                Piece::Field(field) => field.write(self, record, out)?,
            }
        }
        if let Some(error) = &self.body.broken {
            return Err(error.clone());
        }
        // One look at the whole line is cheaper than one at each value.
        if !self.as_python && next_special(out, start, false).is_some() {
            out.truncate(start);
            return self.escaped_line(record, out);
        }
        Ok(())
    }

    /// The same with the values, and only those, escaped.
    #[cold]
    fn escaped_line(&self, record: &Record, out: &mut String) -> Result<(), String> {
        for piece in &self.body.pieces {
            match piece {
                Piece::Literal(text) => out.push_str(text),
                Piece::Field(field) => {
                    let from = out.len();
                    field.write(self, record, out)?;
                    if next_special(out, from, false).is_some() {
                        with_tail(out, from, push_escaped);
                    }
                }
            }
        }
        Ok(())
    }

    /// Exception text and stack, each on lines of its own.
    fn end(&self, record: &Record, out: &mut String) {
        if record.error().is_some() {
            begin_line(out);
            let from = out.len();
            shown::push_exception(record, out);
            self.mark(from, out);
        }
        if let Some(stack) = record.stack() {
            begin_line(out);
            let from = out.len();
            out.push_str(stack);
            self.mark(from, out);
        }
    }

    /// Marks lines as going on, and escapes what is in them.
    fn mark(&self, from: usize, out: &mut String) {
        if self.as_python {
            return;
        }
        with_tail(out, from, |text, out| {
            for (index, line) in text.lines().enumerate() {
                if index > 0 {
                    out.push('\n');
                }
                out.push_str(CONTINUED);
                push_escaped(line, out);
            }
        });
    }

    fn push_asctime(&self, time: SystemTime, out: &mut String) {
        let asctime = &self.asctime;
        match &asctime.milliseconds {
            None => asctime.time.write(time, &asctime.zone, out),
            Some(two) => {
                let (_, _, nanos) = asctime.zone.local_seconds(time);
                two.write(|out| asctime.time.write(time, &asctime.zone, out), nanos / 1_000_000, out);
            }
        }
    }

    fn default(&self, name: &str, tag: Tag) -> Option<Value<'_>> {
        self.defaults.get_tagged(name, tag)
    }
}

/// What the lines of an exception or a stack begin with, so that a line that does not is a record's first.
const CONTINUED: &str = "    | ";

impl Field {
    #[inline]
    fn write(&self, compiled: &Compiled, record: &Record, out: &mut String) -> Result<(), String> {
        let shown = self.attribute.of(record, compiled)?;
        match &self.spec {
            Spec::Plain => {
                shown.push(compiled, record, out);
                Ok(())
            }
            Spec::Percent(spec) => spec.write(shown, compiled, record, out),
            Spec::Brace(spec) => spec.write(shown, compiled, record, out),
            Spec::Wrong(error) => Err(error.clone()),
        }
    }
}

fn begin_line(out: &mut String) {
    if !out.ends_with('\n') {
        out.push('\n');
    }
}

fn push_escaped(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if crate::text::is_control(c) => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
}

/// Takes the text from a place on away, for something else to be put there.
fn with_tail(out: &mut String, from: usize, replace: impl FnOnce(&str, &mut String)) {
    thread_local! {
        static TAIL: Cell<String> = const { Cell::new(String::new()) };
    }
    // Where the thread is ending, there is no buffer any more.
    let mut tail = TAIL.try_with(Cell::take).unwrap_or_default();
    tail.clear();
    tail.push_str(&out[from..]);
    out.truncate(from);
    replace(&tail, out);
    tail.clear();
    tail.shrink_to(KEEP_BYTES);
    TAIL.try_with(|kept| kept.set(tail)).unwrap_or_default();
}

impl Body {
    /// What `fill` makes of a format, as far as it comes.
    fn make(fill: impl FnOnce(&mut Vec<Piece>) -> Result<(), String>) -> Self {
        let mut pieces = Vec::new();
        let broken = fill(&mut pieces).err();
        Self { pieces, broken }
    }
}

/// Adds to the pieces, joining literals.
fn push_literal(pieces: &mut Vec<Piece>, text: &str) {
    match pieces.last_mut() {
        _ if text.is_empty() => {}
        Some(Piece::Literal(before)) => *before = format!("{before}{text}").into(),
        _ => pieces.push(Piece::Literal(text.into())),
    }
}

/// Fills up with a character to a width, counted in characters.
fn pad(out: &mut String, from: usize, width: usize, fill: char, side: Side) {
    let width = width.min(MAX_WIDTH);
    let written = out[from..].chars().count();
    let Some(missing) = width.checked_sub(written).filter(|missing| *missing > 0) else { return };
    let (before, after) = match side {
        Side::Left => (0, missing),
        Side::Right => (missing, 0),
        Side::Center => (missing / 2, missing - missing / 2),
    };
    insert_fill(out, from, fill, before);
    out.extend(std::iter::repeat_n(fill, after));
}

fn insert_fill(out: &mut String, at: usize, fill: char, count: usize) {
    let mut bytes = [0; 4];
    let fill = fill.encode_utf8(&mut bytes);
    // One by one from a small block: nothing is allocated beyond the text itself.
    for _ in 0..count {
        out.insert_str(at, fill);
    }
}

/// Where the text stands within its width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Left,
    Right,
    Center,
}

/// The widest field, and the most digits, in characters: a mistaken format must not eat the memory.
const MAX_WIDTH: usize = 4_096;

/// Keeps so many characters from a place on.
fn cut(out: &mut String, from: usize, characters: usize) {
    if let Some((at, _)) = out[from..].char_indices().nth(characters) {
        out.truncate(from + at);
    }
}

/// Replaces the text from a place on by its `repr()` or `ascii()`.
fn quote(out: &mut String, from: usize, ascii: bool) {
    with_tail(out, from, |text, out| push_python_repr(text, ascii, out));
}
