//! A format, taken apart, and how a record fills it.

use std::{sync::Arc, time::SystemTime};

use super::{
    Style, argument,
    attribute::Attribute,
    brace::BraceField,
    own_names::OwnNames,
    percent::{MsecFormat, Percent},
    tail::replace_tail,
};
use crate::{
    Fields, Record, Value,
    format::{Time, strftime::Strftime},
    record::Tag,
    text::next_special,
};

/// What a [`Template`](super::Template) shares with its clones.
#[derive(Debug)]
pub(super) struct Compiled {
    pub(super) format: Box<str>,
    pub(super) style: Style,
    pub(super) body: Body,
    pub(super) asctime: Asctime,
    pub(super) defaults: Fields,
    pub(super) as_python: bool,
    pub(super) exceptions: bool,
    pub(super) own_names: Option<Arc<dyn OwnNames>>,
}

/// A format, taken apart.
#[derive(Debug, Default)]
pub(super) struct Body {
    pub(super) segments: Vec<Segment>,
    /// The error of every record, in Python's words: what follows the segments is invalid.
    pub(super) error: Option<String>,
}

#[derive(Clone, Debug)]
pub(super) struct Asctime {
    pub(super) zone: Time,
    pub(super) time: Strftime,
    /// How the milliseconds are appended, if they are.
    pub(super) milliseconds: Option<MsecFormat>,
}

#[derive(Debug)]
pub(super) enum Segment {
    Literal(Box<str>),
    Field(Field),
}

#[derive(Debug)]
pub(super) struct Field {
    pub(super) attribute: Attribute,
    pub(super) spec: Spec,
}

#[derive(Debug)]
pub(super) enum Spec {
    /// As Python's `str()`.
    Plain,
    Percent(Percent),
    Brace(BraceField),
    /// The error of every record, in Python's words.
    Invalid(String),
}

impl Compiled {
    /// The record's line, into an empty text.
    pub(super) fn line(&self, record: &Record, out: &mut String) -> Result<(), String> {
        if self.own_names.is_some() {
            return self.escaped_line(record, out);
        }
        self.body.write(self, record, out)?;
        // One check of the whole line is cheaper than one of each value.
        if !self.as_python && next_special(out, 0, false).is_some() {
            out.clear();
            return self.escaped_line(record, out);
        }
        Ok(())
    }

    /// The line with its values escaped, and only those. Own names escape for themselves.
    #[cold]
    fn escaped_line(&self, record: &Record, out: &mut String) -> Result<(), String> {
        for segment in &self.body.segments {
            match segment {
                Segment::Literal(text) => out.push_str(text),
                Segment::Field(field) => {
                    let from = out.len();
                    field.write(self, record, out)?;
                    let is_escaped = self.as_python || matches!(field.attribute, Attribute::Own(_));
                    if !is_escaped && next_special(out, from, false).is_some() {
                        replace_tail(out, from, push_escaped);
                    }
                }
            }
        }
        self.body.error.clone().map_or(Ok(()), Err)
    }

    /// Exception text and stack, each on lines of its own.
    pub(super) fn push_exceptions(&self, record: &Record, out: &mut String) {
        if record.error().is_some() {
            begin_line(out);
            let from = out.len();
            argument::push_exception(record, out);
            self.mark_continued(from, out);
        }
        if let Some(stack) = record.stack() {
            begin_line(out);
            let from = out.len();
            out.push_str(stack);
            self.mark_continued(from, out);
        }
    }

    /// Marks lines as continuations of the record, and escapes their text.
    fn mark_continued(&self, from: usize, out: &mut String) {
        if self.as_python {
            return;
        }
        replace_tail(out, from, |text, out| {
            for (index, line) in text.lines().enumerate() {
                if index > 0 {
                    out.push('\n');
                }
                out.push_str(CONTINUED);
                push_escaped(line, out);
            }
        });
    }

    pub(super) fn push_asctime(&self, time: SystemTime, out: &mut String) {
        let asctime = &self.asctime;
        match &asctime.milliseconds {
            None => asctime.time.write(time, &asctime.zone, out),
            Some(format) => {
                let (_, _, nanos) = asctime.zone.local_seconds(time);
                format.write(|out| asctime.time.write(time, &asctime.zone, out), nanos / 1_000_000, out);
            }
        }
    }

    pub(super) fn default(&self, name: &str, tag: Tag) -> Option<Value<'_>> {
        self.defaults.get_tagged(name, tag)
    }
}

/// What the lines of an exception or a stack begin with, so that a line that does not is a record's first.
const CONTINUED: &str = "    | ";

impl Field {
    #[inline]
    pub(super) fn write(&self, compiled: &Compiled, record: &Record, out: &mut String) -> Result<(), String> {
        let argument = self.attribute.of(record, compiled)?;
        match &self.spec {
            Spec::Plain => {
                argument.push(compiled, record, out);
                Ok(())
            }
            Spec::Percent(spec) => spec.write(argument, compiled, record, out),
            Spec::Brace(spec) => spec.write(argument, compiled, record, out),
            Spec::Invalid(error) => Err(error.clone()),
        }
    }
}

fn begin_line(out: &mut String) {
    if !out.ends_with('\n') {
        out.push('\n');
    }
}

pub(super) fn push_escaped(text: &str, out: &mut String) {
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

impl Body {
    /// The segments that `compile` makes of a format, up to its error.
    pub(super) fn compile(compile: impl FnOnce(&mut Vec<Segment>) -> Result<(), String>) -> Self {
        let mut segments = Vec::new();
        let error = compile(&mut segments).err();
        Self { segments, error }
    }

    /// Leaves the names that `own` has to it.
    pub(super) fn claim(&mut self, own: &dyn OwnNames) {
        for segment in &mut self.segments {
            if let Segment::Field(field) = segment {
                if let Some(name) = field.attribute.own_name().filter(|name| own.has(name)) {
                    field.attribute = Attribute::Own(name.into());
                }
            }
        }
    }

    #[inline]
    fn write(&self, compiled: &Compiled, record: &Record, out: &mut String) -> Result<(), String> {
        for segment in &self.segments {
            match segment {
                Segment::Literal(text) => out.push_str(text),
                Segment::Field(field) => field.write(compiled, record, out)?,
            }
        }
        self.error.clone().map_or(Ok(()), Err)
    }

    pub(super) fn to_text(&self, compiled: &Compiled, record: &Record) -> Result<String, String> {
        let mut text = String::new();
        self.write(compiled, record, &mut text).map(|()| text)
    }
}

/// Appends a literal, joined to one before it.
pub(super) fn push_literal(segments: &mut Vec<Segment>, text: &str) {
    match segments.last_mut() {
        _ if text.is_empty() => {}
        Some(Segment::Literal(before)) => *before = format!("{before}{text}").into(),
        _ => segments.push(Segment::Literal(text.into())),
    }
}
