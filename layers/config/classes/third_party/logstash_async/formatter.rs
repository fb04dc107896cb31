//! The formatters.

use super::super::{
    Call,
    attributes::{ATTRIBUTES, exception, extras, function, last_part, level_name, logger_name, utc_millis},
    dumps::Dumps,
    logstash::host,
    value::{Dict, Py},
};
use crate::{Error, Format, Record, config::node::Node, format::Buffer};

struct LogstashFormatter {
    names: Names,
    message_type: Py<'static>,
    tags: Py<'static>,
    metadata: Py<'static>,
    extra: Dict<'static>,
    /// Empty: beside the other names.
    extra_prefix: String,
    host: String,
    program: String,
    interpreter: String,
    dumps: Dumps,
}

/// How the members are called.
struct Names {
    top: [&'static str; 6],
    inner: [&'static str; 8],
    is_ecs: bool,
}

const PLAIN: Names = Names {
    top: ["host", "level", "logsource", "pid", "program", "type"],
    inner: ["func_name", "line", "logger_name", "path", "process_name", "thread_name", "error_type", "stack_trace"],
    is_ecs: false,
};

const ECS: Names = Names {
    top: ["host.hostname", "log.level", "log.syslog.hostname", "process.pid", "process.executable", "event.module"],
    inner: [
        "log.origin.function",
        "log.origin.file.line",
        "log.logger",
        "log.origin.file.name",
        "process.name",
        "process.thread.name",
        "error.type",
        "error.stack_trace",
    ],
    is_ecs: true,
};

impl LogstashFormatter {
    fn new(names: Names) -> Self {
        let path = |path: Option<std::ffi::OsString>| path.unwrap_or_default().to_string_lossy().into_owned();
        Self {
            names,
            message_type: "python-logstash".into(),
            tags: Py::None,
            metadata: Py::None,
            extra: Dict::default(),
            extra_prefix: "extra".to_owned(),
            host: host(),
            program: path(std::env::args_os().next()),
            interpreter: path(std::env::current_exe().ok().map(Into::into)),
            dumps: Dumps::new(),
        }
    }

    fn line<'r>(&'r self, record: &'r Record) -> Result<Dict<'r>, Error> {
        let names = &self.names;
        let mut line = Dict::default();
        let [host, level, source, pid, program, kind] = names.top;
        line.set("@timestamp", utc_millis(record));
        line.set("@version", "1");
        line.set(host, self.host.as_str());
        line.set(level, Py::Str(level_name(record)));
        line.set(source, self.host.as_str());
        line.set("message", record.message());
        line.set(pid, Py::Int(record.process_id().into()));
        line.set(program, self.program.as_str());
        line.set(kind, self.message_type.clone());
        for (name, value) in [("@metadata", &self.metadata), ("tags", &self.tags)] {
            if *value != Py::None {
                line.set(name, value.clone());
            }
        }
        let is_top = |name: &str| {
            matches!(name, "@timestamp" | "@version" | "@metadata" | "message" | "tags") || names.top.contains(&name)
        };
        let mut inner = Dict::default();
        for (name, value) in extras(record).filter(|(name, _)| *name != "id") {
            match name {
                name if is_top(name) => line.set(name, value),
                name if name == self.extra_prefix => match Py::from(value) {
                    Py::Dict(dict) => dict.0.into_iter().for_each(|(name, value)| inner.set(name, value)),
                    _ => return Err(Error::format(format_args!("the field {name:?} is no map"))),
                },
                name if ATTRIBUTES.contains(&name) => inner.set_default(name, value),
                name => inner.set(name, value),
            }
        }
        let mut known = self.known(record);
        if names.is_ecs {
            // What ECS knows stands beside the extras.
            known.0.drain(..).for_each(|(name, value)| match name.contains('.') {
                true => line.set(name, value),
                false => inner.set(name, value),
            });
        }
        known.0.into_iter().for_each(|(name, value)| inner.set(name, value));
        for (name, value) in &self.extra.0 {
            inner.set(name.clone(), value.clone());
        }
        let of_error = if names.is_ecs { &mut line } else { &mut inner };
        if let Some((error, text)) = record.error().zip(exception(record)) {
            if let Some(class) = error.type_name() {
                of_error.set(names.inner[6], last_part(class));
            }
            of_error.set(names.inner[7], text + "\n");
        }
        match self.extra_prefix.as_str() {
            "" => inner.0.into_iter().for_each(|(name, value)| line.set(name, value)),
            prefix => line.set(prefix, Py::Dict(inner)),
        }
        if names.is_ecs { nested(line) } else { Ok(line) }
    }

    fn known<'r>(&'r self, record: &'r Record) -> Dict<'r> {
        let [function_name, line, logger, path, process, thread, ..] = self.names.inner;
        let mut known = Dict::default();
        if self.names.is_ecs {
            known.set("ecs.version", "8.11.0");
        }
        known.set(function_name, function(record));
        known.set("interpreter", self.interpreter.as_str());
        known.set(line, Py::Int(record.line().unwrap_or_default().into()));
        known.set(logger, logger_name(record));
        known.set(path, record.file().unwrap_or_default());
        known.set(process, record.process_name());
        known.set(thread, record.thread_name().unwrap_or_default());
        known
    }
}

/// Dotted names as nested maps, behind the others.
fn nested(line: Dict<'_>) -> Result<Dict<'_>, Error> {
    let (dotted, mut nested): (Vec<_>, Vec<_>) = line.0.into_iter().partition(|(name, _)| name.contains('.'));
    let mut nested = Dict(std::mem::take(&mut nested));
    for (name, value) in dotted {
        let mut inner = &mut nested;
        let mut parts = name.split('.');
        let last = parts.next_back().unwrap_or_default();
        for part in parts {
            let conflict = || Error::format(format_args!("{name:?}: {part:?} is no map"));
            inner = inner.child(part.to_owned()).ok_or_else(conflict)?;
        }
        inner.set(last.to_owned(), value);
    }
    Ok(nested)
}

impl Format for LogstashFormatter {
    fn format(&self, record: &Record, out: &mut Buffer) -> Result<(), Error> {
        let line = self.line(record)?;
        out.append_text(|out| self.dumps.push_dict(&line, out));
        Ok(())
    }
}

pub(in super::super) fn make(call: &Call<'_, '_>) -> Option<Box<dyn Format>> {
    Some(formatter(call, PLAIN))
}

pub(in super::super) fn make_ecs(call: &Call<'_, '_>) -> Option<Box<dyn Format>> {
    Some(formatter(call, ECS))
}

fn formatter(call: &Call<'_, '_>, names: Names) -> Box<dyn Format> {
    let args = call.args;
    let mut made = LogstashFormatter::new(names);
    let value = |key: &str| args.node(key).map_or(Py::None, Py::from);
    let [kind, tags, fqdn] = [call.key("message_type", 0), call.key("tags", 1), call.key("fqdn", 2)];
    if args.is_given(kind) || !call.by_name {
        made.message_type = value(kind);
    }
    let is_true = |key: &str| args.node(key).is_some_and(Node::is_true);
    if is_true(tags) {
        made.tags = value(tags);
    }
    args.accept(&[fqdn]);
    if call.by_name && args.is_given("extra_prefix") {
        made.extra_prefix = args.str("extra_prefix").unwrap_or_default();
    }
    if is_true("metadata") {
        made.metadata = value("metadata");
    }
    if let Py::Dict(extra) = value("extra") {
        made.extra = extra;
    }
    made.dumps.ensure_ascii = args.node("ensure_ascii").is_none_or(Node::is_true);
    Box::new(made)
}

/// The format of a handler without a formatter.
pub(super) fn own_format() -> Box<dyn Format> {
    Box::new(LogstashFormatter::new(PLAIN))
}
