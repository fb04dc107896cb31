//! `logging.handlers.SysLogHandler`.

use super::{Class, Making};
use crate::{
    Error, Handler as _,
    config::{
        node::{Data, Node},
        slot::Output,
    },
    format::{self, Facility},
    output::Syslog,
    sink::net::{Address, Connection, Framing},
};

pub(super) const SYSLOG: Class = Class {
    names: &["logging.handlers.SysLogHandler", "handlers.SysLogHandler", "syslog"],
    keys: &["address", "facility", "socktype", "timeout"],
    attributes: &["ident", "append_nul"],
    refers: None,
    make,
};

/// Python's socket.SOCK_STREAM and SOCK_DGRAM.
const STREAM: i64 = 1;

fn make(making: &Making<'_, '_>) -> Result<Output, Error> {
    let keywords = making.keywords;
    let socktype = keywords.integer("socktype");
    let is_stream = socktype == Some(STREAM);
    let address = match keywords.node("address") {
        None => Some(inet("localhost", 514, is_stream)),
        Some(Node { data: Data::Str(path), .. }) => Some(match (is_stream, socktype) {
            (true, _) => Address::UnixStream(path.into()),
            (false, Some(_)) => Address::UnixDatagram(path.into()),
            (false, None) => Address::unix(path),
        }),
        Some(node) => match node.as_list() {
            Some([Node { data: Data::Str(host), .. }, Node { data: Data::Int(port), .. }]) => {
                let port = u16::try_from(*port);
                port.ok()
                    .map(|port| inet(host, port, is_stream))
                    .or_else(|| keywords.expected("address", node, "a port of 16 bits"))
            }
            _ => keywords.expected("address", node, "a host and a port, or the path of a socket"),
        },
    };
    let facility = facility(making);
    let mut format = match making.ours.text("form").as_deref() {
        None | Some("python") => format::Syslog::python(),
        Some("rfc5424") => format::Syslog::rfc5424(),
        Some("rfc3164") => format::Syslog::rfc3164(),
        Some(other) => {
            let problem = making.ours.wrong("form", format!("expected python, rfc5424 or rfc3164, got {other:?}"));
            making.ours.note(problem.nearest(other, ["python", "rfc5424", "rfc3164"]));
            format::Syslog::python()
        }
    };
    format = format.facility(facility).body(making.dress.texts());
    if let Some(ident) = making.attributes.text("ident") {
        format = format.ident(ident);
    }
    if let Some(on) = making.attributes.truth("append_nul") {
        format = format.append_nul(on);
    }
    let direct = making.ours.truth("direct").unwrap_or(making.setup.as_python);
    let Some(address) = address else { return Ok(super::file::nothing()) };
    let is_python = making.ours.text("form").is_none_or(|form| form == "python");
    let mut connection = Connection::builder(address);
    if is_python {
        connection = connection.framing(Framing::None);
    }
    if let Some(clock) = &making.setup.clock {
        connection = connection.clock(std::sync::Arc::clone(clock));
    }
    let builder = Syslog::builder(connection).format(format);
    Ok(if direct { Output::plain(builder.build_direct()?) } else { Output::plain(builder.build()?.boxed()) })
}

fn inet(host: &str, port: u16, is_stream: bool) -> Address {
    if is_stream { Address::tcp(host, port) } else { Address::udp(host, port) }
}

fn facility(making: &Making<'_, '_>) -> Facility {
    let keywords = making.keywords;
    let found = match keywords.node("facility") {
        None => return Facility::User,
        Some(Node { data: Data::Str(name), .. }) if !name.starts_with("ext://") => name.parse().ok(),
        Some(_) => keywords.integer("facility").and_then(|code| Facility::from_code(u8::try_from(code).ok()?)),
    };
    found.unwrap_or_else(|| {
        if let Some(node) = keywords.node("facility") {
            let problem = keywords.wrong("facility", format!("expected a facility's name or 0 to 23, got {node}"));
            let names = [
                "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp",
                "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
            ];
            keywords.note(problem.nearest(node.as_str().unwrap_or_default(), names));
        }
        Facility::User
    })
}
