//! One pleasant line per record.

use super::Format;
use crate::{Error, Record};

/// One line per record, for people. (Replaced by the real one in this branch's next step.)
#[derive(Clone, Debug, Default)]
pub struct Text;

impl Text {
    /// The default line.
    pub fn new() -> Self {
        Self
    }
    /// Never coloured.
    pub fn plain() -> Self {
        Self
    }
    /// Coloured on terminals.
    pub fn colored() -> Self {
        Self
    }
}

impl Format for Text {
    fn format(&self, record: &Record, out: &mut String) -> Result<(), Error> {
        use std::fmt::Write as _;
        write!(out, "{} {}: {:?}", record.severity(), record.target(), record.message())?;
        Ok(())
    }
}
