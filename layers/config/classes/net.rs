//! `logging.handlers.SocketHandler`, `DatagramHandler`; the systemd journal.

use std::sync::Arc;

use super::{Class, Making, PLAIN, connection, file::nothing};
use crate::{
    Error, Format,
    config::slot::{Control, Output},
    format::Pickle,
    output::{Datagram, Formatted, Oversize},
    sink::net::{Address, Backoff, Connection, Framing},
};

pub(super) const SOCKET: Class = Class {
    names: &["logging.handlers.SocketHandler", "handlers.SocketHandler", "socket"],
    keys: &["host", "port"],
    attributes: &["terminator", "retryStart", "retryMax", "retryFactor"],
    make: make_socket,
    ..PLAIN
};

pub(super) const DATAGRAM: Class = Class {
    names: &["logging.handlers.DatagramHandler", "handlers.DatagramHandler", "datagram"],
    keys: &["host", "port"],
    make: make_datagram,
    ..PLAIN
};

/// Host and port; without a port the host is the path of a socket.
fn peer(making: &Making<'_, '_>) -> Option<(String, Option<u16>)> {
    let keywords = making.keywords;
    let host = keywords.required("host");
    if making.setup.as_python && !keywords.is_given("port") {
        // Python wants the argument; `None` is for the path of a socket.
        keywords.require("port");
    }
    let port = match keywords.integer("port") {
        None => None,
        Some(port) => match u16::try_from(port) {
            Ok(port) => Some(port),
            Err(_) => keywords.node("port").and_then(|node| keywords.expected("port", node, "a port of 16 bits")),
        },
    };
    (!host.is_empty()).then_some((host, port))
}

/// Text by the handler's formatter, where `strata` asks for it, or Python's frames.
fn is_text(making: &Making<'_, '_>) -> bool {
    let formats = [("pickle", false), ("text", true), ("json", true)];
    let is_text = making.ours.choice("format", &formats).unwrap_or(false);
    if is_text {
        making.ours.idle(&["process_name"], "it is for pickles");
    }
    is_text
}

fn pickle(making: &Making<'_, '_>) -> Pickle {
    match making.ours.str("process_name") {
        Some(name) => Pickle::new().process_name(name),
        None => Pickle::new(),
    }
}

fn make_socket(making: &Making<'_, '_>) -> Result<Output, Error> {
    let Some((host, port)) = peer(making) else { return Ok(nothing()) };
    let address = match port {
        Some(port) => connection::stream_to(making, &host, port),
        None => Address::UnixStream(host.into()),
    };
    let mut builder = connection::options(making, address);
    if !making.ours.has("retry") {
        builder = builder.backoff(retry(making));
    }
    let is_text = is_text(making);
    // Pickles bring their lengths, and lines their own ends unless they are to be framed.
    let is_framed = making.ours.has("framing");
    if !is_framed {
        builder = builder.framing(Framing::None);
    }
    let format: Box<dyn Format> = match (is_text, is_framed) {
        (false, _) => Box::new(pickle(making)),
        (true, true) => making.dress.texts(),
        (true, false) => making.dress.lines(),
    };
    let connection = Arc::new(builder.framing_of(&format)?.build()?);
    let handler = Formatted::new(format, Arc::clone(&connection)).name(connection.address().to_string()).terminator("");
    Ok(Output::new(handler, OpenConnection(connection)))
}

/// Python's attributes of the handler.
fn retry(making: &Making<'_, '_>) -> Backoff {
    let attributes = making.attributes;
    let mut retry = Backoff::python();
    if let Some(first) = attributes.seconds("retryStart") {
        retry = retry.initial(first);
    }
    if let Some(most) = attributes.seconds("retryMax") {
        retry = retry.max(most);
    }
    if let Some(factor) = attributes.number("retryFactor") {
        retry = retry.factor(factor);
    }
    retry
}

struct OpenConnection(Arc<Connection>);

impl Control for OpenConnection {
    fn close(&self) -> Result<bool, Error> {
        self.0.close();
        Ok(true)
    }
}

fn make_datagram(making: &Making<'_, '_>) -> Result<Output, Error> {
    let Some((host, port)) = peer(making) else { return Ok(nothing()) };
    let ours = making.ours;
    let builder = match port {
        Some(port) => Datagram::udp(host, port),
        #[cfg(unix)]
        None => Datagram::unix(host),
        #[cfg(not(unix))]
        None => return Err(Error::config("there are no unix sockets here: expected a port")),
    };
    let format: Box<dyn Format> = if is_text(making) { making.dress.texts() } else { Box::new(pickle(making)) };
    let mut builder = builder.format(format);
    if let Some(bytes) = ours.size("limit") {
        builder = builder.limit(bytes);
    }
    if let Some(oversize) = ours.choice("oversize", &[("shorten", Oversize::Shorten), ("refuse", Oversize::Refuse)]) {
        builder = builder.oversize(oversize);
    }
    if let Some(deadline) = ours.seconds("write_deadline") {
        builder = builder.timeout(deadline);
    }
    #[cfg(feature = "gelf")]
    if let Some(chunks) = ours.inside("gelf", gelf) {
        builder = builder.chunks(chunks);
        if !ours.has("limit") {
            builder = builder.limit(usize::MAX);
        }
    }
    #[cfg(not(feature = "gelf"))]
    if ours.has("gelf") {
        ours.note(ours.wrong("gelf", "GELF over UDP needs the feature \"gelf\" of tracing-strata"));
    }
    Ok(Output::plain(builder.build_sync()?))
}

/// Compression and chunks.
#[cfg(feature = "gelf")]
fn gelf(keywords: &crate::config::keywords::HandlerArgs<'_>) -> crate::output::GelfChunks {
    use crate::output::GelfChunks;

    let new = GelfChunks::new;
    let methods = [("gzip", new().gzip()), ("zlib", new().zlib()), ("none", new().plain())];
    let mut chunks = keywords.choice("compression", &methods).unwrap_or_default();
    if let Some(bytes) = keywords.size("compress_from") {
        chunks = chunks.compress_from(bytes);
    }
    if let Some(bytes) = keywords.size("chunk_bytes") {
        chunks = chunks.chunk_bytes(bytes);
    }
    chunks
}

#[cfg(target_os = "linux")]
pub(super) const JOURNAL: Class = Class {
    names: &["systemd.journal.JournalHandler", "systemd.journal.JournaldLogHandler", "journald"],
    keys: &["SYSLOG_IDENTIFIER"],
    make: make_journal,
    ..PLAIN
};

#[cfg(target_os = "linux")]
fn make_journal(making: &Making<'_, '_>) -> Result<Output, Error> {
    let (keywords, ours) = (making.keywords, making.ours);
    let mut builder = crate::output::Journald::builder();
    if let Some(identifier) = keywords.str("SYSLOG_IDENTIFIER") {
        builder = builder.identifier(identifier);
    }
    // Python's handler takes fields of the journal as keywords.
    let is_field = |name: &str| name != "SYSLOG_IDENTIFIER" && name.starts_with(|c: char| c.is_ascii_uppercase());
    let fields: Vec<_> = keywords.names().filter(|name| is_field(name)).map(str::to_owned).collect();
    for name in fields {
        if let Some(value) = keywords.str(&name) {
            builder = builder.field(name, value);
        }
    }
    if let Some(path) = ours.str("socket") {
        builder = builder.socket(path);
    }
    if ours.bool("timestamp") == Some(true) {
        builder = builder.time(crate::format::Time::utc());
    }
    if let Some(deadline) = ours.seconds("write_deadline") {
        builder = builder.timeout(deadline);
    }
    if let Some(delay) = ours.bool("delay") {
        builder = builder.open_lazily(delay);
    }
    Ok(Output::plain(builder.build_sync()?))
}
