//! ecs-logging: `ecs_logging.StdlibFormatter`.

use super::{
    Call,
    attributes::{ATTRIBUTES, backtrace, exception, extras, function, last_part, level_name, logger_name, utc_millis},
    dumps::Dumps,
    value::{Dict, Py},
};
use crate::{
    Error, Format, Record,
    config::node::{Data, Node},
    format::Buffer,
};

pub(super) const NAMES: &[&str] = &["ecs_logging.StdlibFormatter"];

struct StdlibFormatter {
    extra: Dict<'static>,
    excluded: Vec<String>,
    /// How many frames of a trace are written.
    frames: usize,
    dumps: Dumps,
}

pub(super) fn make(call: &Call<'_, '_>) -> Option<Box<dyn Format>> {
    let args = call.args;
    // They are validated, and have no effect.
    let (key, style) = (call.key("fmt", 0), call.style(2)?);
    let _ = args.str(call.key("datefmt", 1));
    let validate = if args.is_given("validate") { args.bool("validate").unwrap_or(true) } else { true };
    if let Some(format) = args.str(key) {
        call.validate(key, &format, style, validate)?;
    }
    let limit = match args.node("stack_trace_limit") {
        None => None,
        Some(Node { data: Data::Int(limit), .. }) if *limit >= 0 => Some(*limit),
        Some(Node { data: Data::Bool(limit), .. }) => Some(i64::from(*limit)),
        Some(node) => args.expected("stack_trace_limit", node, "an integer, 0 or more"),
    };
    let extra = args.node("extra").and_then(|node| node.as_map().or_else(|| args.expected("extra", node, "a mapping")));
    let ensure_ascii = args.node("ensure_ascii").is_none_or(Node::is_true);
    Some(Box::new(StdlibFormatter {
        extra: extra.map(Dict::from_map).unwrap_or_default(),
        excluded: args.texts("exclude_fields").unwrap_or_default(),
        frames: limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX)),
        dumps: Dumps { sort_keys: true, ensure_ascii, ..Dumps::compact() },
    }))
}

impl StdlibFormatter {
    /// Whether a dotted name, or what it is part of, is excluded.
    fn is_excluded(&self, name: &str) -> bool {
        let is_within = |outer: &String| {
            name.strip_prefix(outer.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        self.excluded.iter().any(is_within)
    }

    fn line<'r>(&'r self, record: &'r Record) -> Result<Dict<'r>, Error> {
        let mut line = Dict::default();
        for (name, value) in own(record, self.frames) {
            if !self.is_excluded(name) && value != Py::None {
                merge(&mut line, name, value)?;
            }
        }
        for (name, value) in self.extras(record)? {
            if !self.is_excluded(&name) {
                merge(&mut line, name, value)?;
            }
        }
        Ok(line)
    }

    /// The fields of the record and of the section, with dotted names.
    fn extras<'r>(&'r self, record: &'r Record) -> Result<Vec<(String, Py<'r>)>, Error> {
        let frames = backtrace(record).map(|(name, _)| name);
        let is_own = |name: &str| Some(name) == frames || name == "message" || ATTRIBUTES.contains(&name);
        let mut names = Vec::new();
        for (name, value) in extras(record).filter(|(name, _)| !is_own(name) && !name.starts_with("elasticapm_")) {
            flatten(name, value.into(), &mut names)?;
        }
        for (name, value) in &self.extra.0 {
            if *value != Py::None || name.contains('.') {
                names.push((name.clone().into_owned(), value.clone()));
            }
        }
        for (theirs, name) in ELASTIC_APM {
            let value = extras(record).find(|(known, _)| known == theirs).map(|(_, value)| value);
            if let Some(value) = value.filter(|_| !names.iter().any(|(known, _)| known == name)) {
                names.push(((*name).to_owned(), value.into()));
            }
        }
        Ok(names)
    }
}

/// What Elastic APM's agent adds to records, and its name in ECS. Its labels are left out.
const ELASTIC_APM: &[(&str, &str)] = &[
    ("elasticapm_trace_id", "trace.id"),
    ("elasticapm_transaction_id", "transaction.id"),
    ("elasticapm_span_id", "span.id"),
    ("elasticapm_service_name", "service.name"),
    ("elasticapm_service_environment", "service.environment"),
];

fn own(record: &Record, limit: usize) -> [(&'static str, Py<'_>); 14] {
    let error = record.error();
    // Without frames, a trace is the errors behind the first one, else the stack.
    let frames = || backtrace(record).map(|(_, frames)| first_frames(frames, limit).to_owned());
    let causes = || exception(record).filter(|_| error.is_some_and(|chain| chain.causes().len() > 0));
    let trace = (limit > 0).then(|| frames().or_else(causes)).flatten();
    let trace = trace.map(|text| Py::from(text + "\n")).or_else(|| Some(record.stack()?.into()));
    [
        ("@timestamp", utc_millis(record).into()),
        ("log.level", level_name(record).to_lowercase().into()),
        ("log.origin.function", known(Some(function(record)).filter(|name| !name.is_empty()))),
        ("log.origin.file.line", record.line().map_or(Py::None, |line| Py::Int(line.into()))),
        ("log.origin.file.name", known(record.file_name())),
        ("log.original", record.message().into()),
        ("log.logger", logger_name(record).into()),
        ("process.pid", Py::Int(record.process_id().into())),
        ("process.name", record.process_name().into()),
        ("process.thread.id", Py::Int(record.thread_id().into())),
        ("process.thread.name", known(record.thread_name())),
        ("error.type", known(error.and_then(|error| error.type_name()).map(last_part))),
        ("error.message", known(error.map(|error| error.message()))),
        ("error.stack_trace", trace.unwrap_or(Py::None)),
    ]
}

/// The first frames of a backtrace: each begins with its number.
fn first_frames(text: &str, limit: usize) -> &str {
    let begins = |line: &str| {
        let rest = line.trim_start().trim_start_matches(|c: char| c.is_ascii_digit());
        rest.len() < line.trim_start().len() && rest.starts_with(": ")
    };
    let mut at = 0;
    let mut starts = text.split_inclusive('\n').filter_map(|line| {
        at += line.len();
        begins(line).then_some(at - line.len())
    });
    starts.nth(limit).map_or(text, |end| text[..end].trim_end())
}

/// What is not known is left out.
fn known(text: Option<&str>) -> Py<'_> {
    text.map_or(Py::None, Py::from)
}

/// Gives maps dotted names. The same name twice is an error.
fn flatten<'r>(name: &str, value: Py<'r>, out: &mut Vec<(String, Py<'r>)>) -> Result<(), Error> {
    match value {
        Py::Dict(dict) => dict.0.into_iter().try_for_each(|(key, value)| {
            let inner = format!("{name}.{key}");
            flatten(&inner, value, out)
        }),
        value if out.iter().any(|(known, _)| known == name) => {
            Err(Error::format(format_args!("Duplicate entry for {name:?} with different nesting: {value:?}")))
        }
        value => {
            if value != Py::None {
                out.push((name.to_owned(), value));
            }
            Ok(())
        }
    }
}

/// Puts a value under a dotted name into nested maps.
fn merge<'r>(line: &mut Dict<'r>, name: impl Into<String>, value: Py<'r>) -> Result<(), Error> {
    let name = name.into();
    let conflict = || Error::format(format_args!("Type mismatch at key {name:?}: it has a value already"));
    let (outer, last) = match name.rsplit_once('.') {
        Some((outer, last)) => (outer.split('.').collect(), last),
        None => (Vec::new(), name.as_str()),
    };
    let mut inner = line;
    for part in outer {
        inner = inner.child(part.to_owned()).ok_or_else(conflict)?;
    }
    match (value, inner.get_mut(last)) {
        (Py::Dict(dict), Some(Py::Dict(_)) | None) => {
            let child = inner.child(last.to_owned()).ok_or_else(conflict)?;
            dict.0.into_iter().try_for_each(|(key, value)| merge(child, key, value))
        }
        (_, Some(_)) => Err(conflict()),
        (value, None) => {
            inner.set(last.to_owned(), value);
            Ok(())
        }
    }
}

impl Format for StdlibFormatter {
    fn format(&self, record: &Record, out: &mut Buffer) -> Result<(), Error> {
        let mut line = self.line(record)?;
        let mut first = Dict::default();
        if let Some(time) = line.remove("@timestamp") {
            first.set("@timestamp", time);
        }
        if let Some(Py::Dict(log)) = line.get_mut("log") {
            if let Some(level) = log.remove("level") {
                first.set("log.level", level);
            }
            if log.0.is_empty() {
                line.remove("log");
            }
        }
        if !self.is_excluded("message") {
            line.remove("message");
            first.set("message", record.message());
        }
        if !self.is_excluded("ecs.version") {
            line.set("ecs.version", "1.6.0");
        }
        // The first ones stand in their own order.
        let mut text = String::new();
        Dumps { sort_keys: false, ..self.dumps.clone() }.push_dict(&first, &mut text);
        if !line.0.is_empty() {
            text.pop();
            if text.len() > 1 {
                text.push(',');
            }
            let at = text.len();
            self.dumps.push_dict(&line, &mut text);
            text.remove(at);
        }
        out.push_str(&text);
        Ok(())
    }
}
