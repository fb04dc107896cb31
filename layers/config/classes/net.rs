//! `logging.handlers.SocketHandler`, `DatagramHandler`; the systemd journal.

use std::sync::Arc;

use super::{Class, Making, file::nothing};
use crate::{
    Error, Format,
    config::slot::{Control, Output},
    format::Pickle,
    output::{Datagram, Formatted},
    sink::net::{Address, Connection, Framing, Retry},
};

pub(super) const SOCKET: Class = Class {
    names: &["logging.handlers.SocketHandler", "handlers.SocketHandler", "socket"],
    keys: &["host", "port"],
    attributes: &["terminator"],
    refers: None,
    make: make_socket,
};

pub(super) const DATAGRAM: Class = Class {
    names: &["logging.handlers.DatagramHandler", "handlers.DatagramHandler", "datagram"],
    keys: &["host", "port"],
    attributes: &[],
    refers: None,
    make: make_datagram,
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
    match making.ours.text("format").as_deref() {
        None | Some("pickle") => false,
        Some("text" | "json") => true,
        Some(other) => {
            let problem = making.ours.wrong("format", format!("expected pickle or text, got {other:?}"));
            making.ours.note(problem.nearest(other, ["pickle", "text"]));
            false
        }
    }
}

fn make_socket(making: &Making<'_, '_>) -> Result<Output, Error> {
    let Some((host, port)) = peer(making) else { return Ok(nothing()) };
    let address = match port {
        Some(port) => Address::tcp(host, port),
        None => Address::UnixStream(host.into()),
    };
    // Lines bring their own ends, pickles their lengths.
    let mut connection = Connection::builder(address).framing(Framing::None).retry(Retry::python());
    if let Some(clock) = &making.setup.clock {
        connection = connection.clock(Arc::clone(clock));
    }
    let connection = Arc::new(connection.build()?);
    let format: Box<dyn Format> = if is_text(making) { making.dress.lines() } else { Box::new(Pickle::new()) };
    let handler =
        Formatted::new(format, Arc::clone(&connection)).place(connection.address().to_string()).terminator("");
    Ok(Output::new(handler, Kept(connection)))
}

struct Kept(Arc<Connection>);

impl Control for Kept {
    fn close(&self) -> Result<bool, Error> {
        self.0.close();
        Ok(true)
    }
}

fn make_datagram(making: &Making<'_, '_>) -> Result<Output, Error> {
    let Some((host, port)) = peer(making) else { return Ok(nothing()) };
    let builder = match port {
        Some(port) => Datagram::udp(host, port),
        None => Datagram::unix(host),
    };
    let format: Box<dyn Format> = if is_text(making) { making.dress.texts() } else { Box::new(Pickle::new()) };
    Ok(Output::plain(builder.format(format).build_direct()?))
}

#[cfg(unix)]
pub(super) const JOURNAL: Class = Class {
    names: &["systemd.journal.JournalHandler", "systemd.journal.JournaldLogHandler", "journald"],
    keys: &["SYSLOG_IDENTIFIER"],
    attributes: &[],
    refers: None,
    make: |making| {
        let mut builder = crate::output::Journald::builder();
        if let Some(identifier) = making.keywords.text("SYSLOG_IDENTIFIER") {
            builder = builder.identifier(identifier);
        }
        if let Some(path) = making.ours.text("socket") {
            builder = builder.socket(path);
        }
        Ok(Output::plain(builder.build_direct()?))
    },
};
