//! The attributes of a `LogRecord`, and its extras.

use std::{borrow::Cow, time::SystemTime};

use super::{text_of, value::Py};
use crate::{
    Error, Record, Value,
    config::handler_args::{HandlerArgs, SetIfSome as _},
    format::{Template, TemplateBuilder, Time, push_exception},
    record::Entry,
    text::python_repr,
};

/// The attributes that every `LogRecord` of CPython 3.13 has, in its order.
pub(super) const ATTRIBUTES: &[&str] = &[
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
];

/// Writes `asctime`.
pub(super) struct AscTime(Template);

impl AscTime {
    /// With the date format of a section.
    pub(super) fn new(datefmt: Option<String>, zone: Option<Time>, as_python: bool) -> Result<Self, Error> {
        let builder = Template::builder("%(asctime)s").as_python(as_python).exceptions(false);
        let builder = builder.set_if_some(datefmt.filter(|format| !format.is_empty()), TemplateBuilder::datefmt);
        Ok(Self(builder.set_if_some(zone, TemplateBuilder::zone).build()?))
    }

    fn text(&self, record: &Record) -> String {
        // The format was tried when it was read.
        text_of(&self.0, record).unwrap_or_default()
    }
}

/// An attribute by its name; `None` for a name that Python's records do not have.
pub(super) fn attribute<'r>(name: &str, record: &'r Record, asctime: &AscTime) -> Option<Py<'r>> {
    Some(match name {
        "name" => logger_name(record).into(),
        "message" | "msg" => record.message().into(),
        "args" => Py::List(Vec::new()),
        "levelname" => Py::Str(level_name(record)),
        "levelno" => Py::Int(record.severity().number().into()),
        "pathname" => record.file().unwrap_or_default().into(),
        "filename" => record.file_name().unwrap_or_default().into(),
        "module" => record.module().unwrap_or_default().into(),
        "lineno" => Py::Int(record.line().unwrap_or_default().into()),
        "funcName" => function(record).into(),
        "created" => Py::Float(created(record)),
        "msecs" => Py::Float(f64::from(nanos(record) / 1_000_000)),
        "relativeCreated" => Py::Float(record.uptime().as_nanos() as f64 / 1e6),
        "asctime" => asctime.text(record).into(),
        "thread" => Py::Int(record.thread_id().into()),
        "threadName" => record.thread_name().unwrap_or_default().into(),
        "process" => Py::Int(record.process_id().into()),
        "processName" => record.process_name().into(),
        "stack_info" => record.stack().map_or(Py::None, Py::from),
        "exc_info" => exception_info(record).unwrap_or(Py::None),
        "exc_text" => exception(record).map_or(Py::None, Py::from),
        "taskName" => Py::None,
        _ => return None,
    })
}

pub(super) fn logger_name(record: &Record) -> &str {
    if record.target().is_empty() { "root" } else { record.target() }
}

/// `INFO`, or `Level 25`.
pub(super) fn level_name(record: &Record) -> Cow<'static, str> {
    let severity = record.severity();
    match severity.python_name() {
        Some(name) => name.into(),
        None => format!("Level {}", severity.number()).into(),
    }
}

pub(super) fn function(record: &Record) -> &str {
    record.function().or_else(|| record.spans().next().map(|span| span.name())).unwrap_or_default()
}

pub(super) fn created(record: &Record) -> f64 {
    match record.time().duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => after.as_secs_f64(),
        Err(before) => -before.duration().as_secs_f64(),
    }
}

fn nanos(record: &Record) -> u32 {
    match record.time().duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => after.subsec_nanos(),
        Err(before) => (1_000_000_000 - before.duration().subsec_nanos()) % 1_000_000_000,
    }
}

/// The first error with its causes, as `Formatter.formatException` writes it, without frames.
pub(super) fn exception(record: &Record) -> Option<String> {
    record.error()?;
    let mut out = String::new();
    push_exception(record, &mut out);
    Some(out)
}

/// `(<class 'ValueError'>, ValueError('no'), None)`: there is no traceback.
pub(super) fn exception_info(record: &Record) -> Option<Py<'_>> {
    let chain = record.error()?;
    let class = chain.type_name().unwrap_or("Exception");
    let message = if chain.message().is_empty() { String::new() } else { python_repr(chain.message()) };
    let class_text = Py::Object(format!("<class '{class}'>"));
    Some(Py::Tuple(vec![class_text, Py::Object(format!("{}({message})", last_part(class))), Py::None]))
}

/// The name of a class without its module.
pub(super) fn last_part(class: &str) -> &str {
    class.rsplit(['.', ':']).next().unwrap_or(class)
}

/// The backtrace beside that error (`error.backtrace`), and the field's name.
pub(super) fn backtrace(record: &Record) -> Option<(&str, &str)> {
    let (error, _) = record.visible().map(Entry::pair).find(|(_, value)| matches!(value, Value::Error(_)))?;
    let is_its = |name: &str| name.strip_prefix(error) == Some(".backtrace");
    let (name, value) = record.visible().map(Entry::pair).find(|(name, _)| is_its(name))?;
    Some((name, value.as_str()?))
}

/// The fields that a reader sees, but for the error that is `exc_info`.
pub(super) fn extras(record: &Record) -> impl Iterator<Item = (&str, Value<'_>)> {
    let mut is_first = true;
    record.visible().map(Entry::pair).filter(move |(_, value)| {
        let is_exception = is_first && matches!(value, Value::Error(_));
        is_first &= !is_exception;
        !is_exception
    })
}

/// `datetime.isoformat()` of the time as a zone counts it, without the zone: six digits, or none if they are 0.
pub(super) fn iso_time(record: &Record, zone: Time) -> String {
    let mut out = String::new();
    let time = if nanos(record) / 1_000 == 0 { zone.seconds() } else { zone.micros() };
    time.write(record.time(), &mut out);
    let end = out.find('.').map_or(19, |at| at + 7);
    out.truncate(end);
    out
}

/// `2023-11-14T22:13:20.250Z`
pub(super) fn utc_millis(record: &Record) -> String {
    let mut out = String::new();
    Time::utc().millis().write(record.time(), &mut out);
    out
}

/// The zone of local times: our key beside Python's.
pub(super) fn zone(args: &HandlerArgs<'_>) -> Option<Time> {
    match Time::zone(&args.str("zone")?) {
        Ok(zone) => Some(zone),
        Err(error) => {
            args.report(args.wrong("zone", error.to_string()));
            None
        }
    }
}
