//! python-logstash: formatters and handlers.

use super::{
    Call,
    attributes::{ATTRIBUTES, exception, extras, level_name, logger_name, utc_millis},
    dumps::Dumps,
    value::{Dict, Py},
};
use crate::{
    Error, Format, Record,
    config::{
        class::{BuildContext, Class, DEFAULTS, placeholder},
        classes::net,
        configured_handler::Output,
        handler_args::HandlerArgs,
        node::Node,
    },
    format::Buffer,
    output::Datagram,
};

pub(super) const VERSION_0: &[&str] =
    &["logstash.LogstashFormatterVersion0", "logstash.formatter.LogstashFormatterVersion0"];

pub(super) const VERSION_1: &[&str] =
    &["logstash.LogstashFormatterVersion1", "logstash.formatter.LogstashFormatterVersion1"];

struct LogstashFormatter {
    is_version_1: bool,
    message_type: Py<'static>,
    tags: Py<'static>,
    host: String,
    dumps: Dumps,
}

impl LogstashFormatter {
    fn new(
        args: &HandlerArgs<'_>,
        message_type: &str,
        tags: &str,
        fqdn: &str,
        is_version_1: bool,
        default_type: &str,
    ) -> Self {
        let message_type = args.node(message_type).map_or(Py::Str(default_type.to_owned().into()), Py::from);
        let tags = args.node(tags).filter(|node| node.is_true()).map_or(Py::List(Vec::new()), Py::from);
        // The system's name of the host is what there is, full or not.
        args.accept(&[fqdn]);
        Self { is_version_1, message_type, tags, host: host(), dumps: Dumps::new() }
    }

    fn version_1<'r>(&'r self, record: &'r Record) -> Dict<'r> {
        let mut line = Dict::default();
        line.set("@timestamp", utc_millis(record));
        line.set("@version", "1");
        line.set("message", record.message());
        line.set("host", self.host.as_str());
        line.set("path", record.file().unwrap_or_default());
        line.set("tags", self.tags.clone());
        line.set("type", self.message_type.clone());
        line.set("level", Py::Str(level_name(record)));
        line.set("logger_name", logger_name(record));
        push_rest(record, &mut line);
        line
    }

    fn version_0<'r>(&'r self, record: &'r Record) -> Dict<'r> {
        let path = record.file().unwrap_or_default();
        let mut kind = String::new();
        self.message_type.push_str(&mut kind);
        let mut fields = Dict::default();
        fields.set("levelname", Py::Str(level_name(record)));
        fields.set("logger", logger_name(record));
        push_rest(record, &mut fields);
        let mut line = Dict::default();
        line.set("@timestamp", utc_millis(record));
        line.set("@message", record.message());
        line.set("@source", format!("{kind}://{}/{path}", self.host));
        line.set("@source_host", self.host.as_str());
        line.set("@source_path", path);
        line.set("@tags", self.tags.clone());
        line.set("@type", self.message_type.clone());
        line.set("@fields", Py::Dict(fields));
        line
    }
}

/// The extras, and what is known of an exception.
fn push_rest<'r>(record: &'r Record, line: &mut Dict<'r>) {
    const HIDDEN: &[&str] = &["id", "extra", "auth_token", "password", "stack_info"];
    line.set("taskName", Py::None);
    for (name, value) in extras(record).filter(|(name, _)| !HIDDEN.contains(name)) {
        match ATTRIBUTES.contains(&name) {
            // Python refuses such an extra.
            true => line.set_default(name, value),
            false => line.set(name, value),
        }
    }
    if let Some(text) = exception(record) {
        line.set("stack_trace", text + "\n");
        line.set("lineno", Py::Int(record.line().unwrap_or_default().into()));
        line.set("process", Py::Int(record.process_id().into()));
        line.set("thread_name", record.thread_name().unwrap_or_default());
    }
}

pub(super) fn host() -> String {
    crate::record::host_name().unwrap_or_else(|| "localhost".to_owned())
}

impl Format for LogstashFormatter {
    fn format(&self, record: &Record, out: &mut Buffer) -> Result<(), Error> {
        let line = if self.is_version_1 { self.version_1(record) } else { self.version_0(record) };
        out.append_text(|out| self.dumps.push_dict(&line, out));
        Ok(())
    }
}

pub(super) fn make_version_0(call: &Call<'_, '_>) -> Option<Box<dyn Format>> {
    Some(formatter(call, false))
}

pub(super) fn make_version_1(call: &Call<'_, '_>) -> Option<Box<dyn Format>> {
    Some(formatter(call, true))
}

fn formatter(call: &Call<'_, '_>, is_version_1: bool) -> Box<dyn Format> {
    let keys = [call.key("message_type", 0), call.key("tags", 1), call.key("fqdn", 2)];
    let args = call.args;
    // By position, the missing type is passed as `None`.
    let default = if call.by_name { "Logstash" } else { "" };
    let mut made = LogstashFormatter::new(args, keys[0], keys[1], keys[2], is_version_1, default);
    if !call.by_name && !args.has(keys[0]) {
        made.message_type = Py::None;
    }
    Box::new(made)
}

pub(in crate::config::classes) const HANDLERS: &[&Class] = &[&TCP, &UDP];

const KEYS: &[&str] = &["host", "port", "message_type", "tags", "fqdn", "version"];

const TCP: Class = Class {
    names: &["logstash.TCPLogstashHandler", "logstash.handler_tcp.TCPLogstashHandler"],
    keys: KEYS,
    attributes: &["retryStart", "retryMax", "retryFactor"],
    has_own_format: true,
    make: make_tcp,
    ..DEFAULTS
};

const UDP: Class = Class {
    names: &[
        "logstash.UDPLogstashHandler",
        "logstash.LogstashHandler",
        "logstash.handler_udp.UDPLogstashHandler",
        "logstash.handler_udp.LogstashHandler",
    ],
    keys: KEYS,
    has_own_format: true,
    make: make_udp,
    ..DEFAULTS
};

/// The formatter that was named, else the handler's own.
fn format(context: &BuildContext<'_, '_>) -> Box<dyn Format> {
    let args = context.args;
    // Version 1 is asked for by the number alone.
    let version = args.node("version").is_some_and(|node| *node == Node::new(crate::config::node::Data::Int(1)));
    let own = LogstashFormatter::new(args, "message_type", "tags", "fqdn", version, "logstash");
    if context.has_formatter { context.formatting.texts() } else { Box::new(own) }
}

/// The host and the port, 5959 by default.
pub(super) fn peer(args: &HandlerArgs<'_>) -> Option<(String, u16)> {
    let host = args.required("host");
    let port = match args.integer("port") {
        None => Some(5959),
        Some(port) => {
            u16::try_from(port).ok().or_else(|| args.expected("port", args.node("port")?, "a port of 16 bits"))
        }
    };
    port.filter(|_| !host.is_empty()).map(|port| (host, port))
}

fn make_tcp(context: &BuildContext<'_, '_>) -> Result<Output, Error> {
    let format = format(context);
    let Some((host, port)) = peer(context.args) else { return Ok(placeholder()) };
    net::stream(context, format, "\n", super::super::connection::stream_to(context, &host, port), net::retry(context))
}

fn make_udp(context: &BuildContext<'_, '_>) -> Result<Output, Error> {
    let format = format(context);
    let Some((host, port)) = peer(context.args) else { return Ok(placeholder()) };
    Ok(Output::plain(Datagram::udp(host, port).format(format).build_sync()?))
}
