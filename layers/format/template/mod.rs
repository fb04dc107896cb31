//! Lines as Python's `logging.Formatter` makes them.

mod argument;
mod attribute;
mod brace;
mod buffering;
mod builder;
mod compiled;
mod dollar;
mod number;
mod percent;
mod tail;

use std::{str::FromStr, sync::Arc};

use self::compiled::Compiled;
pub use self::{buffering::BufferingFormatter, builder::TemplateBuilder};
use super::{Buffer, Format};
use crate::{Error, Record};

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
        TemplateBuilder::new(String::new()).build_default()
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
    /// | [`zone`](TemplateBuilder::zone) | [`Time::local`](crate::format::Time::local) |
    /// | [`defaults`](TemplateBuilder::defaults) | none |
    /// | [`validate`](TemplateBuilder::validate) | true |
    /// | [`as_python`](TemplateBuilder::as_python) | false |
    /// | [`exceptions`](TemplateBuilder::exceptions) | true |
    pub fn builder(format: impl Into<String>) -> TemplateBuilder {
        TemplateBuilder::new(format.into())
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
            if compiled.exceptions {
                compiled.push_exceptions(record, text);
            }
            Ok(())
        })
    }
}
