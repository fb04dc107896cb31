//! Several records in one text.

use super::Template;
use crate::{
    Error, Record,
    format::{Buffer, Format},
};

/// Several records in one text: a header, each record by a line format with nothing between, a footer.
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
    /// By a line format, without header and footer.
    pub fn new(line: F) -> Self {
        Self { line, header: String::new(), footer: String::new() }
    }

    /// What comes before the records.
    pub fn header(mut self, header: impl Into<String>) -> Self {
        self.header = header.into();
        self
    }

    /// What comes after them.
    pub fn footer(mut self, footer: impl Into<String>) -> Self {
        self.footer = footer.into();
        self
    }

    /// All of them; nothing at all where there is none.
    ///
    /// # Errors
    /// The first of the line format's; a format of bytes that are no text.
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
