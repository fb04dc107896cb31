//! Python's `logging.BufferingFormatter`.

use super::Template;
use crate::{
    Error, Record,
    format::{Buffer, Format},
};

/// Formats several records into one text: a header, the records with nothing between them, a footer.
///
/// Python: `logging.BufferingFormatter`.
///
/// ```
/// use tracing_strata::{Record, Severity, format::{BufferingFormatter, Template}};
///
/// let records = ["one", "two"].map(|text| Record::new(Severity::INFO, "app", text));
/// let list = BufferingFormatter::new(Template::percent("<%(message)s>")?).header("[").footer("]");
/// assert_eq!(list.format(&records)?, "[<one><two>]");
/// assert_eq!(list.format([])?, "");
/// # Ok::<(), tracing_strata::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct BufferingFormatter<F = Template> {
    line: F,
    header: String,
    footer: String,
}

impl<F: Format> BufferingFormatter<F> {
    /// Formats each record with `line`; no header, no footer.
    pub fn new(line: F) -> Self {
        Self { line, header: String::new(), footer: String::new() }
    }

    /// Text before the records.
    pub fn header(mut self, header: impl Into<String>) -> Self {
        self.header = header.into();
        self
    }

    /// Text after the records.
    pub fn footer(mut self, footer: impl Into<String>) -> Self {
        self.footer = footer.into();
        self
    }

    /// Formats all records. Without any, the text is empty.
    ///
    /// # Errors
    /// The first error of the line format, or it wrote bytes that are not UTF-8.
    pub fn format<'r>(&self, records: impl IntoIterator<Item = &'r Record>) -> Result<String, Error> {
        let mut records = records.into_iter().peekable();
        if records.peek().is_none() {
            return Ok(String::new());
        }
        let mut out = Buffer::from(self.header.clone().into_bytes());
        records.try_for_each(|record| self.line.format(record, &mut out))?;
        out.push_str(&self.footer);
        String::from_utf8(out.into_bytes()).map_err(Error::new)
    }
}
