//! Record → text.
//!
//! Python: `logging.Formatter`.
//!
//! | format | for | one record is |
//! |---|---|---|
//! | [`Json`] | machines | one JSON object on one line |
//! | [`Text`] | people | one line, or several where asked for |
//!
//! A format of one's own is an implementation of [`Format`]; [`Time`] writes the time for it.

mod json;
mod text;
mod time;

pub use self::{
    json::{Json, Key},
    text::{Color, Text},
    time::Time,
};
use crate::{Error, Record, record::SpanView};

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

    /// Called once, when the format meets its sink: whether that is a terminal.
    fn adapt(&mut self, terminal: bool) {
        let _ = terminal;
    }
}

impl<F: Format + ?Sized> Format for Box<F> {
    fn format(&self, record: &Record, out: &mut String) -> Result<(), Error> {
        (**self).format(record, out)
    }

    fn adapt(&mut self, terminal: bool) {
        (**self).adapt(terminal);
    }
}

/// A record's spans from the outside in. They are linked the other way, and few.
fn outermost_first(record: &Record) -> impl Iterator<Item = SpanView<'_>> {
    let count = record.spans().count();
    (0..count).rev().filter_map(|depth| record.spans().nth(depth))
}
