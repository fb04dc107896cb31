//! Names of a template that are no attributes of records: those that formatters of other packages add.

// Only the classes of configurations have such names.
#![cfg_attr(not(feature = "config"), allow(dead_code))]

use std::fmt;

use super::{
    argument::Argument,
    attribute::{Attribute, missing},
    compiled::{Compiled, push_escaped},
};
use crate::{Record, Value};

/// Names that a template has beside the attributes of a record, or in place of its message and fields.
pub(crate) trait OwnNames: fmt::Debug + Send + Sync {
    /// Whether the name is one of them.
    fn has(&self, name: &str) -> bool;

    /// Writes one of them. It escapes what comes from the record: [`Line::push`] does.
    fn write(&self, name: &str, line: &Line<'_>, out: &mut String);

    /// # Errors
    /// The record has not what the name needs.
    fn check(&self, name: &str, record: &Record) -> Result<(), String> {
        let _ = (name, record);
        Ok(())
    }

    /// Called behind the line, before exception text and stack.
    fn end_line(&self, line: &mut String) {
        let _ = line;
    }
}

/// A record while its line is written.
pub(crate) struct Line<'r> {
    pub(super) compiled: &'r Compiled,
    pub(super) record: &'r Record,
}

impl<'r> Line<'r> {
    pub(crate) fn record(&self) -> &'r Record {
        self.record
    }

    /// Whether values stand as they are.
    pub(crate) fn is_as_python(&self) -> bool {
        self.compiled.as_python
    }

    /// Text of the record, escaped unless everything is as in Python.
    pub(crate) fn push(&self, text: &str, out: &mut String) {
        if self.compiled.as_python { out.push_str(text) } else { push_escaped(text, out) }
    }

    /// A value as Python's `str()` has it, escaped likewise.
    pub(crate) fn push_value(&self, value: Value<'_>, out: &mut String) {
        match value {
            Value::Str(text) | Value::Rendered(text) => self.push(text, out),
            value => {
                let mut text = String::new();
                Argument::from(value).push(self.compiled, self.record, &mut text);
                self.push(&text, out);
            }
        }
    }

    pub(crate) fn push_level_name(&self, out: &mut String) {
        if let Ok(name) = Attribute::LevelName.of(self.record, self.compiled) {
            name.push(self.compiled, self.record, out);
        }
    }

    pub(crate) fn push_asctime(&self, out: &mut String) {
        self.compiled.push_asctime(self.record.time(), out);
    }
}

/// Python's message about a name that a record has not.
pub(crate) fn not_found(name: &str) -> String {
    missing(name)
}
