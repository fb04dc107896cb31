//! One format for some records, another for the rest.

use std::fmt;

use super::{Buffer, Format};
use crate::{Error, Record, Severity, framing::Framing, record::is_below};

/// Chooses formats by record. Every [`Format`] has these methods; the [`prelude`](crate::prelude) brings them into scope.
/// What is added last is asked first.
///
/// ```
/// use tracing_strata::{Record, Severity, format::{Buffer, Logfmt, Text, Time}, prelude::*};
///
/// let format = Text::new().time(Time::none())
///     .for_level(Severity::ERROR, Text::new().time(Time::none()).source(true))
///     .for_logger("audit", Logfmt::new().time(Time::none()));
/// let line = |severity, target| {
///     let mut out = Buffer::new();
///     let mut record = Record::new(severity, target, "hello");
///     record.set_source("main.rs", 7);
///     format.format(&record, &mut out).unwrap();
///     out.to_str().unwrap().to_owned()
/// };
/// assert_eq!(line(Severity::INFO, "shop"), "INFO  shop: hello");
/// assert_eq!(line(Severity::ERROR, "shop"), "ERROR shop main.rs:7: hello");
/// assert_eq!(line(Severity::ERROR, "audit::login"), "level=error target=audit::login msg=hello");
/// ```
pub trait FormatExt: Format + Sized {
    /// Uses another format for records at or above a severity.
    fn for_level(self, min_level: impl Into<Severity>, format: impl Format) -> Conditional<Self> {
        Conditional::new(self, Condition::Level(min_level.into()), Box::new(format))
    }

    /// Uses another format for records of a logger, and of those below it.
    fn for_logger(self, name: impl Into<String>, format: impl Format) -> Conditional<Self> {
        Conditional::new(self, Condition::Logger(name.into()), Box::new(format))
    }

    /// Uses another format for the records that `matches` picks.
    fn for_records(
        self,
        matches: impl Fn(&Record) -> bool + Send + Sync + 'static,
        format: impl Format,
    ) -> Conditional<Self> {
        Conditional::new(self, Condition::Records(Box::new(matches)), Box::new(format))
    }
}

impl<F: Format> FormatExt for F {}

/// Two formats, and which records get the second. Made by [`FormatExt`].
///
/// A stream separates records as the first format wants ([`Format::framing`]).
pub struct Conditional<F> {
    format: F,
    condition: Condition,
    other: Box<dyn Format>,
}

enum Condition {
    Level(Severity),
    Logger(String),
    Records(Box<dyn Fn(&Record) -> bool + Send + Sync>),
}

impl<F> Conditional<F> {
    fn new(format: F, condition: Condition, other: Box<dyn Format>) -> Self {
        Self { format, condition, other }
    }
}

impl<F: Format> Format for Conditional<F> {
    fn format(&self, record: &Record, out: &mut Buffer) -> Result<(), Error> {
        let is_other = match &self.condition {
            Condition::Level(min_level) => record.severity() >= *min_level,
            Condition::Logger(name) => is_below(record.target(), name),
            Condition::Records(matches) => matches(record),
        };
        if is_other { self.other.format(record, out) } else { self.format.format(record, out) }
    }

    fn framing(&self) -> Option<Framing> {
        self.format.framing()
    }
}

impl<F: fmt::Debug> fmt::Debug for Conditional<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let condition = match &self.condition {
            Condition::Level(min_level) => format!("level {min_level}"),
            Condition::Logger(name) => format!("logger {name:?}"),
            Condition::Records(_) => "records".to_owned(),
        };
        f.debug_struct("Conditional").field("format", &self.format).field("except", &condition).finish_non_exhaustive()
    }
}
