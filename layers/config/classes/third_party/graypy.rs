//! `graypy`: GELF by UDP and TCP.

use super::{
    attributes::{created, exception, extras, function, level_name, logger_name},
    dumps::Dumps,
    logstash::host,
    text_of,
    value::{Dict, Py},
};
use crate::{
    Error, Format, Record,
    config::{
        class::{BuildContext, Class, DEFAULTS, placeholder},
        classes::{connection, net},
        configured_handler::Output,
        node::Node,
    },
    format::Buffer,
    output::Datagram,
};

pub(in crate::config::classes) const HANDLERS: &[&Class] = &[&UDP, &TCP];

const UDP: Class = Class {
    names: &[
        "graypy.GELFUDPHandler",
        "graypy.handler.GELFUDPHandler",
        // Before 1.0.
        "graypy.GELFHandler",
        "graypy.handler.GELFHandler",
    ],
    keys: &[
        "host",
        "port",
        "gelf_chunker",
        "debugging_fields",
        "extra_fields",
        "fqdn",
        "localname",
        "facility",
        "level_names",
        "compress",
    ],
    has_own_format: true,
    make: make_udp,
    ..DEFAULTS
};

const TCP: Class = Class {
    names: &["graypy.GELFTCPHandler", "graypy.handler.GELFTCPHandler"],
    keys: &["host", "port", "debugging_fields", "extra_fields", "fqdn", "localname", "facility", "level_names"],
    attributes: &["retryStart", "retryMax", "retryFactor"],
    has_own_format: true,
    make: make_tcp,
    ..DEFAULTS
};

/// The host and the port.
fn peer(context: &BuildContext<'_, '_>, default: u16) -> Option<(String, u16)> {
    let args = context.args;
    let host = args.required("host");
    let port = match args.integer("port").map(u16::try_from) {
        None => Some(default),
        Some(Ok(port)) => Some(port),
        Some(Err(_)) => args.expected("port", args.node("port")?, "a port of 16 bits"),
    };
    port.filter(|_| !host.is_empty()).map(|port| (host, port))
}

fn make_udp(context: &BuildContext<'_, '_>) -> Result<Output, Error> {
    let format = GrayPy::new(context);
    let is_compressed = context.args.node("compress").is_none_or(Node::is_true);
    let Some((host, port)) = peer(context, 12202) else { return Ok(placeholder()) };
    let builder = Datagram::udp(host, port).format(format);
    #[cfg(feature = "gelf")]
    {
        use crate::output::GelfChunks;

        let chunks = if is_compressed { GelfChunks::new().zlib().compress_from(0) } else { GelfChunks::new().plain() };
        // They count without the head of a chunk.
        Ok(Output::plain(builder.limit(usize::MAX).chunks(chunks.chunk_bytes(1_432)).build_sync()?))
    }
    #[cfg(not(feature = "gelf"))]
    {
        if is_compressed {
            let message = "GELF over UDP needs the feature \"gelf\" of tracing-strata";
            context.args.report(context.args.wrong("compress", message));
        }
        Ok(Output::plain(builder.build_sync()?))
    }
}

fn make_tcp(context: &BuildContext<'_, '_>) -> Result<Output, Error> {
    let format = GrayPy::new(context);
    let Some((host, port)) = peer(context, 12201) else { return Ok(placeholder()) };
    let address = connection::stream_to(context, &host, port);
    net::stream(context, Box::new(format), "\0", address, net::retry(context))
}

struct GrayPy {
    /// The text of a formatter that was named.
    message: Option<Box<dyn Format>>,
    host: String,
    facility: Option<String>,
    has_debugging_fields: bool,
    has_extra_fields: bool,
    has_level_names: bool,
    dumps: Dumps,
}

impl GrayPy {
    fn new(context: &BuildContext<'_, '_>) -> Self {
        let args = context.args;
        let flag = |name: &str, default| args.node(name).map_or(default, Node::is_true);
        let own_name = args.str("localname");
        let is_full = flag("fqdn", false);
        if is_full && own_name.as_ref().is_some_and(|name| !name.is_empty()) {
            let python = "cannot specify 'fqdn' and 'localname' arguments together";
            args.report(args.wrong("fqdn", "it has no effect beside \"localname\"").python(python));
        }
        Self {
            message: context.has_formatter.then(|| context.formatting.texts()),
            // The system's name of the host is what there is, full or not.
            host: own_name.unwrap_or_else(host),
            facility: args.str("facility"),
            has_debugging_fields: flag("debugging_fields", true),
            has_extra_fields: flag("extra_fields", true),
            has_level_names: flag("level_names", false),
            dumps: Dumps::compact(),
        }
    }
}

impl Format for GrayPy {
    fn format(&self, record: &Record, out: &mut Buffer) -> Result<(), Error> {
        let message = match &self.message {
            Some(format) => text_of(format, record)?,
            None => record.message().to_owned(),
        };
        let mut line = Dict::default();
        line.set("version", "1.0");
        line.set("host", self.host.as_str());
        line.set("short_message", message);
        line.set("timestamp", Py::Float(created(record)));
        line.set("level", Py::Int(level(record).into()));
        line.set("facility", self.facility.as_deref().unwrap_or_else(|| logger_name(record)));
        if let Some(text) = exception(record) {
            // Until a formatter has run.
            line.set("full_message", if self.message.is_some() { text } else { entries(&text) });
        }
        if self.has_level_names {
            line.set("level_name", Py::Str(level_name(record)));
        }
        if self.facility.is_some() {
            line.set("_logger", logger_name(record));
        }
        if self.has_debugging_fields {
            line.set("file", record.file().unwrap_or_default());
            line.set("line", Py::Int(record.line().unwrap_or_default().into()));
            line.set("_function", function(record));
            line.set("_pid", Py::Int(record.process_id().into()));
            line.set("_thread_name", record.thread_name().unwrap_or_default());
            line.set("_process_name", record.process_name());
        }
        if self.has_extra_fields {
            line.set("_stack_info", record.stack().map_or(Py::None, Py::from));
            line.set("_taskName", Py::None);
            for (name, value) in extras(record).filter(|(name, _)| *name != "id" && !name.starts_with('_')) {
                line.set(format!("_{name}"), value);
            }
        }
        out.append_text(|out| self.dumps.push_dict(&line, out));
        Ok(())
    }
}

/// What Python makes of an exception's parts, which end in a line feed, by joining them with one.
pub(super) fn entries(text: &str) -> String {
    text.replace("\n\nThe above", "\n\n\nThe above").replace(":\n\n", ":\n\n\n") + "\n"
}

/// Of syslog for Python's own levels; others keep their number.
fn level(record: &Record) -> i32 {
    match record.severity().number() {
        50 => 2,
        40 => 3,
        30 => 4,
        20 => 6,
        10 => 7,
        other => other,
    }
}
