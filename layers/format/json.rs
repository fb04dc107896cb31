//! One JSON object per record.

use super::Format;
use crate::{Error, Record};

/// One JSON object per record. (Replaced by the real one in this branch's next step.)
#[derive(Clone, Debug, Default)]
pub struct Json;

impl Json {
    /// The default shape.
    pub fn new() -> Self {
        Self
    }
}

impl Format for Json {
    fn format(&self, record: &Record, out: &mut String) -> Result<(), Error> {
        use std::fmt::Write as _;
        write!(out, "{{\"level\":\"{}\",\"message\":{:?}}}", record.severity(), record.message())?;
        Ok(())
    }
}
