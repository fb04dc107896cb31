//! Python's `logging.Formatter`.

mod argument;
mod attribute;
mod brace;
mod buffering;
mod builder;
mod compiled;
mod dollar;
mod number;
mod own_names;
mod percent;
mod tail;

use std::{str::FromStr, sync::Arc};

use self::compiled::Compiled;
pub(crate) use self::number::push_repr;
#[cfg(feature = "config")]
pub(crate) use self::{
    argument::push_exception,
    own_names::{Line, OwnNames, not_found},
};
pub use self::{buffering::BufferingFormatter, builder::TemplateBuilder};
use super::{Buffer, Format};
use crate::{Error, Record};

/// Fills a record into a template, as Python's `logging.Formatter` does, in its three styles.
///
/// | style | field | literal sign |
/// |---|---|---|
/// | [`Percent`](Style::Percent) | `%(levelname)-8s` | `%%` |
/// | [`Brace`](Style::Brace) | `{levelname:<8}`, `{message!r}` | `{{`, `}}` |
/// | [`Dollar`](Style::Dollar) | `$levelname`, `${levelname}` | `$$` |
///
/// A template is compiled once. Formatting a record allocates nothing.
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
/// | name | value |
/// |---|---|
/// | `name` | the target; `root` if it is empty |
/// | `message`, `msg` | the message |
/// | `levelno`, `levelname` | the severity's number and name (`WARNING` for 30) |
/// | `pathname`, `filename`, `module`, `lineno`, `funcName` | the call site; `funcName` is the innermost span's name if no [function](Record::function) was given |
/// | `created`, `msecs`, `relativeCreated` | seconds since 1970, milliseconds within the second, milliseconds since the start of logging |
/// | `asctime` | the time in `datefmt`, or in `default_time_format` and `default_msec_format` |
/// | `thread`, `threadName`, `process`, `processName` | ids and names |
/// | `exc_text`, `stack_info` | the first error with its causes, the call stack; `None` if there is none |
/// | `exc_info` | class and message of the first error, as Python prints its tuple, without frames; `None` if there is none |
/// | `args`, `taskName` | `()`, `None` |
/// | `trace_id`, `span_id`, `spans` | the trace's ids in hexadecimal; the spans' names from the outside in, joined by `:`. A field of that name comes first |
/// | any other name | the field of the event, else of the innermost span that has it, else the global field, else a [default](TemplateBuilder::defaults) |
///
/// If the record lacks a name, it fails; give such names a default. Exception text and stack follow the line, each on lines
/// of its own.
///
/// # Differences from Python
/// - Line breaks and control characters are escaped in every value, and the lines of an exception or a stack begin with
///   `    | `: nobody can forge a record. [`as_python`](TemplateBuilder::as_python) escapes nothing.
/// - Severity 5 is `TRACE`; with `as_python` it is `Level 5`, unless it was given a name.
/// - Exception text is the error with its causes, the last one first, as Python prints a chain; there are no frames.
/// - `build` refuses a format that could never be filled in (`%(message)s 100%`); with `as_python` it refuses only what
///   Python's own check does.
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
    /// The names of attributes that every record has. They win over fields of the same name (in Python, such an `extra` is
    /// an error).
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

    /// A template with options. An empty format means the message alone.
    ///
    /// | option | default |
    /// |---|---|
    /// | [`style`](TemplateBuilder::style) | `%` |
    /// | [`datefmt`](TemplateBuilder::datefmt) | none: the next two |
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

    /// The format string.
    pub fn text(&self) -> &str {
        &self.0.format
    }

    /// Whether the format has `asctime` (Python's `usesTime`).
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
    /// The format that an empty one stands for.
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
    /// The record lacks a name, or a value has the wrong type for its conversion; the message is Python's. Nothing was
    /// appended then.
    fn format(&self, record: &Record, out: &mut Buffer) -> Result<(), Error> {
        let compiled = &*self.0;
        out.append_text(|text| {
            if let Err(error) = compiled.line(record, text) {
                text.clear();
                return Err(Error::format(error));
            }
            if let Some(own) = &compiled.own_names {
                own.end_line(text);
            }
            if compiled.exceptions {
                compiled.push_exceptions(record, text);
            }
            Ok(())
        })
    }
}
