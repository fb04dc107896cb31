//! `logging.handlers.SocketHandler` and `DatagramHandler`; the systemd journal.

use std::sync::Arc;

use super::connection;
use crate::{
    Error, Format, Record,
    config::{
        class::{BuildContext, Class, DEFAULTS, placeholder},
        configured_handler::{Control, Output},
        handler_args::SetIfSome as _,
    },
    format::{Buffer, Pickle},
    output::{Datagram, DatagramBuilder, Formatted, Oversize},
    sink::net::{Address, Backoff, Connection, ConnectionBuilder, Framing},
};

pub(super) const SOCKET: Class = Class {
    names: &["logging.handlers.SocketHandler", "handlers.SocketHandler", "socket"],
    keys: &["host", "port"],
    attributes: &["terminator", "retryStart", "retryMax", "retryFactor"],
    make: make_socket,
    ..DEFAULTS
};

pub(super) const DATAGRAM: Class = Class {
    names: &["logging.handlers.DatagramHandler", "handlers.DatagramHandler", "datagram"],
    keys: &["host", "port"],
    make: make_datagram,
    ..DEFAULTS
};

/// The host and port; without a port the host is the path of a socket.
fn peer(context: &BuildContext<'_, '_>) -> Option<(String, Option<u16>)> {
    let args = context.args;
    let host = args.required("host");
    if context.as_python && !args.is_given("port") {
        // Python requires the argument; `None` means the path of a socket.
        args.require("port");
    }
    let port = match args.integer("port") {
        None => None,
        Some(port) => match u16::try_from(port) {
            Ok(port) => Some(port),
            Err(_) => args.node("port").and_then(|node| args.expected("port", node, "a port of 16 bits")),
        },
    };
    (!host.is_empty()).then_some((host, port))
}

/// Whether the handler's formatter is used in place of pickles.
fn is_text(context: &BuildContext<'_, '_>) -> bool {
    let formats = [("pickle", false), ("text", true), ("json", true)];
    let is_text = context.strata.choice("format", &formats).unwrap_or(false);
    if is_text {
        context.strata.reject_unused(&["process_name"], "it is for pickles");
    }
    is_text
}

fn pickle(context: &BuildContext<'_, '_>) -> Pickle {
    match context.strata.str("process_name") {
        Some(name) => Pickle::new().process_name(name),
        None => Pickle::new(),
    }
}

fn make_socket(context: &BuildContext<'_, '_>) -> Result<Output, Error> {
    let Some((host, port)) = peer(context) else { return Ok(placeholder()) };
    let address = match port {
        Some(port) => connection::stream_to(context, &host, port),
        None => Address::UnixStream(host.into()),
    };
    let mut builder = connection::options(context, address);
    if !context.strata.has("backoff") {
        builder = builder.backoff(retry(context));
    }
    let is_text = is_text(context);
    // Pickles contain their length, lines end themselves: no framing by default.
    let is_framed = context.strata.has("framing");
    if !is_framed {
        builder = builder.framing(Framing::None);
    }
    let format: Box<dyn Format> = match (is_text, is_framed) {
        (false, _) => Box::new(pickle(context)),
        (true, true) => context.formatting.texts(),
        (true, false) => context.formatting.lines(),
    };
    connected(builder, format, "")
}

fn connected(builder: ConnectionBuilder, format: Box<dyn Format>, end: &'static str) -> Result<Output, Error> {
    let connection = Arc::new(builder.framing_of(format.framing())?.build()?);
    let handler =
        Formatted::new(format, Arc::clone(&connection)).name(connection.address().to_string()).terminator(end);
    Ok(Output::new(handler, ConnectionControl(connection)))
}

/// A connection for records that end with a text of their own.
pub(super) fn stream(
    context: &BuildContext<'_, '_>,
    format: Box<dyn Format>,
    end: &'static str,
    address: Address,
    backoff: Backoff,
) -> Result<Output, Error> {
    let builder = connection::options(context, address).framing(Framing::None);
    connected(if context.strata.has("backoff") { builder } else { builder.backoff(backoff) }, format, end)
}

/// The same, encrypted.
#[cfg(feature = "tls")]
pub(super) fn tls_stream(
    context: &BuildContext<'_, '_>,
    format: Box<dyn Format>,
    end: &'static str,
    address: Address,
    tls: crate::sink::net::Tls,
) -> Result<Output, Error> {
    connected(connection::options(context, address).framing(Framing::None).tls(tls), format, end)
}

/// A format with a text behind each record.
pub(super) struct WithEnd {
    pub(super) format: Box<dyn Format>,
    pub(super) end: &'static str,
}

impl Format for WithEnd {
    fn format(&self, record: &Record, out: &mut Buffer) -> Result<(), Error> {
        self.format.format(record, out)?;
        out.push_str(self.end);
        Ok(())
    }
}

/// Python's attributes of the handler.
pub(super) fn retry(context: &BuildContext<'_, '_>) -> Backoff {
    let attributes = context.attributes;
    let mut retry = Backoff::python();
    retry = retry
        .set_if_some(attributes.seconds("retryStart"), Backoff::initial)
        .set_if_some(attributes.seconds("retryMax"), Backoff::max)
        .set_if_some(attributes.number("retryFactor"), Backoff::factor);
    retry
}

struct ConnectionControl(Arc<Connection>);

impl Control for ConnectionControl {
    fn close(&self) -> Result<bool, Error> {
        self.0.close();
        Ok(true)
    }
}

fn make_datagram(context: &BuildContext<'_, '_>) -> Result<Output, Error> {
    let Some((host, port)) = peer(context) else { return Ok(placeholder()) };
    let strata = context.strata;
    let builder = match port {
        Some(port) => Datagram::udp(host, port),
        #[cfg(unix)]
        None => Datagram::unix(host),
        #[cfg(not(unix))]
        None => return Err(Error::config("there are no unix sockets here: expected a port")),
    };
    let format: Box<dyn Format> = if is_text(context) { context.formatting.texts() } else { Box::new(pickle(context)) };
    let oversizes = [("shorten", Oversize::Shorten), ("refuse", Oversize::Refuse)];
    let builder = builder
        .format(format)
        .set_if_some(strata.size("limit"), DatagramBuilder::limit)
        .set_if_some(strata.choice("oversize", &oversizes), DatagramBuilder::oversize)
        .set_if_some(strata.seconds("write_timeout"), DatagramBuilder::timeout);
    let builder = if context.queued && !context.has_fallback { builder.patient() } else { builder };
    #[cfg(feature = "gelf")]
    let builder = match strata.inside("gelf", gelf) {
        Some(chunks) if strata.has("limit") => builder.chunks(chunks),
        Some(chunks) => builder.chunks(chunks).limit(usize::MAX),
        None => builder,
    };
    #[cfg(not(feature = "gelf"))]
    if strata.has("gelf") {
        strata.report(strata.wrong("gelf", "GELF over UDP needs the feature \"gelf\" of tracing-strata"));
    }
    Ok(Output::plain(builder.build_sync()?))
}

#[cfg(feature = "gelf")]
fn gelf(args: &crate::config::handler_args::HandlerArgs<'_>) -> crate::output::GelfChunks {
    use crate::output::GelfChunks;

    let new = GelfChunks::new;
    let methods = [("gzip", new().gzip()), ("zlib", new().zlib()), ("none", new().plain())];
    let mut chunks = args.choice("compression", &methods).unwrap_or_default();
    chunks = chunks
        .set_if_some(args.size("compress_from"), GelfChunks::compress_from)
        .set_if_some(args.size("chunk_bytes"), GelfChunks::chunk_bytes);
    chunks
}

#[cfg(target_os = "linux")]
pub(super) const JOURNAL: Class = Class {
    names: &["systemd.journal.JournalHandler", "journald"],
    keys: &["SYSLOG_IDENTIFIER"],
    make: make_journal,
    ..DEFAULTS
};

#[cfg(target_os = "linux")]
fn make_journal(context: &BuildContext<'_, '_>) -> Result<Output, Error> {
    use crate::output::JournaldBuilder;

    let args = context.args;
    let mut builder =
        crate::output::Journald::builder().set_if_some(args.str("SYSLOG_IDENTIFIER"), JournaldBuilder::identifier);
    // As in Python, keys in capitals are fields of the journal.
    let is_field = |name: &str| name != "SYSLOG_IDENTIFIER" && name.starts_with(|c: char| c.is_ascii_uppercase());
    let fields: Vec<_> = args.names().filter(|name| is_field(name)).map(str::to_owned).collect();
    for name in fields {
        if let Some(value) = args.str(&name) {
            builder = builder.field(name, value);
        }
    }
    if context.as_python {
        builder = builder.own_fields(super::third_party::journal_fields(context));
    }
    journal(context, builder)
}

/// The journal with our keys.
#[cfg(target_os = "linux")]
pub(super) fn journal(
    context: &BuildContext<'_, '_>,
    builder: crate::output::JournaldBuilder,
) -> Result<Output, Error> {
    use crate::output::JournaldBuilder;

    let strata = context.strata;
    let mut builder = builder
        .set_if_some(strata.str("socket"), JournaldBuilder::socket)
        .set_if_some(strata.seconds("write_timeout"), JournaldBuilder::timeout)
        .open_lazily(true);
    if strata.bool("timestamp") == Some(true) {
        builder = builder.time(crate::format::Time::utc());
    }
    let delay = strata.bool("delay").unwrap_or(false);
    let journal = Arc::new(builder.build_sync()?);
    let output = Output::plain(Arc::clone(&journal));
    if delay {
        return Ok(output);
    }
    journal.check()?;
    Ok(output.opened_by(move || journal.open()))
}
