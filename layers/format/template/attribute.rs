//! The names in a template.

use std::time::UNIX_EPOCH;

use super::{argument::Argument, compiled::Compiled};
use crate::{Record, record::Tag, text::python_repr};

pub(super) const NAMES: &[&str] = &[
    "name",
    "msg",
    "args",
    "levelname",
    "levelno",
    "pathname",
    "filename",
    "module",
    "exc_info",
    "exc_text",
    "stack_info",
    "lineno",
    "funcName",
    "created",
    "msecs",
    "relativeCreated",
    "thread",
    "threadName",
    "processName",
    "process",
    "taskName",
    "message",
    "asctime",
];

#[derive(Debug)]
pub(super) enum Attribute {
    Name,
    Message,
    LevelName,
    LevelNumber,
    Path,
    File,
    Module,
    Line,
    Function,
    Created,
    Milliseconds,
    Relative,
    Time,
    Thread,
    ThreadName,
    Process,
    ProcessName,
    ExceptionText,
    ExceptionInfo,
    Stack,
    Arguments,
    None,
    TraceId(Tag),
    SpanId(Tag),
    Spans(Tag),
    Other(Box<str>, Tag),
    /// A name of [`OwnNames`](super::own_names::OwnNames).
    Own(Box<str>),
}

impl Attribute {
    /// The name, of those that [`OwnNames`](super::own_names::OwnNames) may have.
    pub(super) fn own_name(&self) -> Option<&str> {
        match self {
            Self::Message => Some("message"),
            Self::Other(name, _) => Some(name),
            _ => None,
        }
    }

    pub(super) fn by_name(name: &str) -> Self {
        let tag = Tag::of(name);
        match name {
            "name" => Self::Name,
            "message" | "msg" => Self::Message,
            "levelname" => Self::LevelName,
            "levelno" => Self::LevelNumber,
            "pathname" => Self::Path,
            "filename" => Self::File,
            "module" => Self::Module,
            "lineno" => Self::Line,
            "funcName" => Self::Function,
            "created" => Self::Created,
            "msecs" => Self::Milliseconds,
            "relativeCreated" => Self::Relative,
            "asctime" => Self::Time,
            "thread" => Self::Thread,
            "threadName" => Self::ThreadName,
            "process" => Self::Process,
            "processName" => Self::ProcessName,
            "exc_text" => Self::ExceptionText,
            "stack_info" => Self::Stack,
            "args" => Self::Arguments,
            "exc_info" => Self::ExceptionInfo,
            "taskName" => Self::None,
            "trace_id" => Self::TraceId(tag),
            "span_id" => Self::SpanId(tag),
            "spans" => Self::Spans(tag),
            name => Self::Other(name.into(), tag),
        }
    }

    /// The attribute's value.
    ///
    /// # Errors
    /// The record lacks it, and there is no default.
    // Always: as a call, it passes the large result through memory, which takes a field 10 ns more.
    #[inline(always)]
    pub(super) fn of<'r>(&'r self, record: &'r Record, compiled: &'r Compiled) -> Result<Argument<'r>, String> {
        Ok(match self {
            Self::Name => Argument::Str(match record.target() {
                "" => "root",
                target => target,
            }),
            Self::Message => Argument::Str(record.message()),
            Self::LevelName => {
                let severity = record.severity();
                let own = || severity.name().filter(|_| !compiled.as_python);
                severity.python_name().or_else(own).map_or(Argument::Level(severity.number()), Argument::Str)
            }
            Self::LevelNumber => Argument::Int(record.severity().number().into()),
            Self::Path => Argument::Str(record.file().unwrap_or_default()),
            Self::File => Argument::Str(record.file_name().unwrap_or_default()),
            Self::Module => Argument::Str(record.module().unwrap_or_default()),
            Self::Line => Argument::Int(record.line().unwrap_or_default().into()),
            Self::Function => {
                let span = || record.spans().next().map(|span| span.name());
                Argument::Str(record.function().or_else(span).unwrap_or_default())
            }
            Self::Created => Argument::Float(match record.time().duration_since(UNIX_EPOCH) {
                Ok(after) => after.as_secs_f64(),
                Err(before) => -before.duration().as_secs_f64(),
            }),
            Self::Milliseconds => {
                let (_, _, nanos) = compiled.asctime.zone.local_seconds(record.time());
                Argument::Float(f64::from(nanos / 1_000_000))
            }
            Self::Relative => Argument::Float(record.uptime().as_nanos() as f64 / 1e6),
            Self::Time => Argument::Time,
            Self::Thread => Argument::Int(record.thread_id().into()),
            Self::ThreadName => Argument::Str(record.thread_name().unwrap_or_default()),
            Self::Process => Argument::Int(record.process_id().into()),
            Self::ProcessName => Argument::Str(record.process_name()),
            Self::ExceptionText => record.error().map_or(Argument::None, |_| Argument::Exception),
            Self::ExceptionInfo => record.error().map_or(Argument::None, |_| Argument::ExcInfo),
            Self::Stack => record.stack().map_or(Argument::None, Argument::Str),
            Self::Arguments => Argument::Args,
            Self::None => Argument::None,
            Self::TraceId(tag) => {
                return special("trace_id", *tag, record, compiled, |record| {
                    record.trace().map(|trace| Argument::Hex(trace.trace_id(), 32))
                });
            }
            Self::SpanId(tag) => {
                return special("span_id", *tag, record, compiled, |record| {
                    record.trace().map(|trace| Argument::Hex(trace.span_id().into(), 16))
                });
            }
            Self::Spans(tag) => return special("spans", *tag, record, compiled, |_| Some(Argument::Spans)),
            Self::Own(name) => {
                if let Some(own) = &compiled.own_names {
                    own.check(name, record)?;
                }
                Argument::Own(name)
            }
            Self::Other(name, tag) => {
                let found = record.get_tagged(name, *tag).or_else(|| compiled.default(name, *tag));
                return found.map(Argument::from).ok_or_else(|| missing(name));
            }
        })
    }
}

/// A name of this crate, not Python's: a field of that name comes first.
fn special<'r>(
    name: &str,
    tag: Tag,
    record: &'r Record,
    compiled: &'r Compiled,
    own: impl FnOnce(&'r Record) -> Option<Argument<'r>>,
) -> Result<Argument<'r>, String> {
    let field = record.get_tagged(name, tag).map(Argument::from);
    let default = || compiled.default(name, tag).map(Argument::from);
    field.or_else(|| own(record)).or_else(default).ok_or_else(|| missing(name))
}

#[cold]
pub(super) fn missing(name: &str) -> String {
    format!("Formatting field not found in record: {}", python_repr(name))
}
