//! What is done to the map of an event before it is rendered.

use super::super::{
    attributes::{ATTRIBUTES, created, exception, extras, function, iso_time, level_name, logger_name},
    value::{Dict, Py},
};
use crate::{
    Error, Record,
    config::{handler_args::HandlerArgs, node::Node},
    format::Time,
};

/// One step.
pub(super) enum Processor {
    Level,
    LevelNumber,
    LoggerName,
    Extras(Option<Vec<String>>),
    Time { style: TimeStyle, key: String },
    Exception,
    Stack,
    Callsite(Vec<Parameter>),
    Rename { to: String, replace_by: Option<String> },
    WithoutMeta,
    Nothing,
}

pub(super) enum TimeStyle {
    Seconds,
    Iso { zone: Time, is_utc: bool },
    Strftime(Time),
}

type Parameter = (&'static str, for<'r> fn(&'r Record) -> Py<'r>);

/// In the order of structlog's enumeration.
const PARAMETERS: &[Parameter] = &[
    ("pathname", |record| record.file().unwrap_or_default().into()),
    ("filename", |record| record.file_name().unwrap_or_default().into()),
    ("module", |record| record.module().unwrap_or_default().into()),
    ("func_name", |record| function(record).into()),
    ("lineno", |record| Py::Int(record.line().unwrap_or_default().into())),
    ("thread", |record| Py::Int(record.thread_id().into())),
    ("thread_name", |record| record.thread_name().unwrap_or_default().into()),
    ("process", |record| Py::Int(record.process_id().into())),
    ("process_name", |record| record.process_name().into()),
];

impl Processor {
    pub(super) fn named(name: &str, args: &HandlerArgs<'_>, zone: Option<&Time>) -> Option<Self> {
        Some(match name {
            "add_log_level" => Self::Level,
            "add_log_level_number" => Self::LevelNumber,
            "add_logger_name" => Self::LoggerName,
            "ExtraAdder" => Self::Extras(args.texts("allow")),
            "TimeStamper" => Self::time(args, zone)?,
            "format_exc_info" | "ExceptionRenderer" => Self::Exception,
            "StackInfoRenderer" => {
                args.accept(&["additional_ignores"]);
                Self::Stack
            }
            "CallsiteParameterAdder" => {
                args.accept(&["additional_ignores"]);
                Self::callsite(args)
            }
            "EventRenamer" => Self::Rename { to: args.required("to"), replace_by: args.str("replace_by") },
            "remove_processors_meta" => Self::WithoutMeta,
            "PositionalArgumentsFormatter" => {
                args.accept(&["remove_positional_args"]);
                Self::Nothing
            }
            "UnicodeDecoder" | "merge_contextvars" | "filter_by_level" => Self::Nothing,
            _ => return None,
        })
    }

    fn time(args: &HandlerArgs<'_>, zone: Option<&Time>) -> Option<Self> {
        let is_utc = args.node("utc").is_none_or(Node::is_true);
        let zone = match zone {
            _ if is_utc => Time::utc(),
            Some(zone) => zone.clone(),
            None => Time::local(),
        };
        let style = match args.str("fmt") {
            None => TimeStyle::Seconds,
            Some(format) if format.eq_ignore_ascii_case("iso") => TimeStyle::Iso { zone, is_utc },
            Some(format) => match zone.strftime(&with_six_digits(&format)) {
                Ok(time) => TimeStyle::Strftime(time),
                Err(error) => {
                    args.report(args.wrong("fmt", error.to_string()));
                    return None;
                }
            },
        };
        Some(Self::Time { style, key: args.str("key").unwrap_or_else(|| "timestamp".to_owned()) })
    }

    /// `FUNC_NAME`, `func_name`, or either with its enumeration before it.
    fn callsite(args: &HandlerArgs<'_>) -> Self {
        let Some(names) = args.texts("parameters") else { return Self::Callsite(PARAMETERS.to_vec()) };
        let find = |name: &String| {
            let short = name.rsplit('.').next().unwrap_or(name).to_lowercase();
            let found = PARAMETERS.iter().find(|(known, _)| *known == short);
            if found.is_none() {
                let problem = args.wrong("parameters", format!("there is no parameter {name:?}"));
                args.report(problem.nearest(&short, PARAMETERS.iter().map(|(known, _)| *known)));
            }
            found.copied()
        };
        Self::Callsite(names.iter().filter_map(find).collect())
    }

    pub(super) fn run<'r>(&'r self, record: &'r Record, event: &mut Dict<'r>) -> Result<(), Error> {
        match self {
            Self::Level => event.set("level", level_name(record).to_lowercase()),
            Self::LevelNumber => {
                let severity = record.severity();
                if severity.python_name().is_none() {
                    return Err(Error::format(format_args!("the level {} has no name", severity.number())));
                }
                event.set("level_number", Py::Int(severity.number().into()));
            }
            Self::LoggerName => event.set("logger", logger_name(record)),
            Self::Extras(None) => {
                for (name, value) in extras(record) {
                    match ATTRIBUTES.contains(&name) {
                        // Python refuses such an extra.
                        true => event.set_default(name, value),
                        false => event.set(name, value),
                    }
                }
            }
            Self::Extras(Some(allowed)) => {
                for name in allowed {
                    if let Some((name, value)) = extras(record).find(|(known, _)| known == name) {
                        event.set(name, value);
                    }
                }
            }
            Self::Time { style, key } => event.set(key.as_str(), style.value(record)),
            Self::Exception => {
                if event.remove("exc_info").is_some() {
                    if let Some(text) = exception(record) {
                        event.set("exception", text);
                    }
                }
            }
            Self::Stack => {
                if let Some(stack) = event.remove("stack_info") {
                    event.set("stack", stack);
                }
            }
            Self::Callsite(parameters) => parameters.iter().for_each(|(name, value)| event.set(*name, value(record))),
            Self::Rename { to, replace_by } => {
                if let Some(message) = event.remove("event") {
                    event.set(to.as_str(), message);
                }
                if let Some(value) = replace_by.as_deref().and_then(|name| event.remove(name)) {
                    event.set("event", value);
                }
            }
            Self::WithoutMeta | Self::Nothing => {}
        }
        Ok(())
    }
}

/// `%f` of Python has always six digits.
fn with_six_digits(format: &str) -> String {
    let mut out = String::new();
    let mut characters = format.chars();
    while let Some(c) = characters.next() {
        out.push(c);
        if c == '%' {
            match characters.next() {
                Some('f') => out.push_str("6f"),
                after => out.extend(after),
            }
        }
    }
    out
}

impl TimeStyle {
    fn value(&self, record: &Record) -> Py<'static> {
        match self {
            Self::Seconds => Py::Float(created(record)),
            Self::Iso { zone, is_utc } => (iso_time(record, zone.clone()) + if *is_utc { "Z" } else { "" }).into(),
            Self::Strftime(time) => {
                let mut out = String::new();
                time.write(record.time(), &mut out);
                out.into()
            }
        }
    }
}
