//! `logging.handlers.SysLogHandler`.

use super::{Class, Making, PLAIN, connection};
use crate::{
    Error,
    config::{
        keywords::{HandlerArgs, Switch},
        node::{Data, Node},
        slot::Output,
    },
    format::{self, Facility, Priority, Time},
    output::Syslog,
    sink::net::{Address, Framing},
};

pub(super) const SYSLOG: Class = Class {
    names: &["logging.handlers.SysLogHandler", "handlers.SysLogHandler", "syslog"],
    keys: &["address", "facility", "socktype", "timeout"],
    attributes: &["ident", "append_nul", "priority_map"],
    queued: true,
    make,
    ..PLAIN
};

/// Python's socket.SOCK_STREAM and SOCK_DGRAM.
const STREAM: i64 = 1;

fn make(making: &Making<'_, '_>) -> Result<Output, Error> {
    let keywords = making.keywords;
    let socktype = keywords.integer("socktype");
    let is_stream = socktype == Some(STREAM);
    let address = match keywords.node("address") {
        None => Some(inet(making, "localhost", 514, is_stream)),
        Some(Node { data: Data::Str(path), .. }) => Some(match (is_stream, socktype) {
            (true, _) => Address::UnixStream(path.into()),
            (false, Some(_)) => Address::UnixDatagram(path.into()),
            (false, None) => Address::unix(path),
        }),
        Some(node) => match node.as_list() {
            Some([Node { data: Data::Str(host), .. }, port]) => {
                let number = match port.data {
                    Data::Int(number) => u16::try_from(number).ok(),
                    _ => None,
                };
                number
                    .map(|port| inet(making, host, port, is_stream))
                    .or_else(|| keywords.expected("address", port, "a port of 16 bits"))
            }
            _ => keywords.expected("address", node, "a host and a port, or the path of a socket"),
        },
    };
    let facility = facility(making);
    let ours = making.ours;
    let forms = [
        ("python", format::SyslogFormat::python()),
        ("rfc5424", format::SyslogFormat::rfc5424()),
        ("rfc3164", format::SyslogFormat::rfc3164()),
        ("local", format::SyslogFormat::local()),
    ];
    let form = ours.choice("form", &forms);
    let name = ours.str("form").unwrap_or_else(|| "python".into());
    let is_python = name == "python";
    let why = format!("the form {name:?} has no place for it");
    match &*name {
        "python" => ours.idle(&[STRUCTURED, &["host", "app", "process_id", "zone", "multi_line"]].concat(), &why),
        "local" => ours.idle(&[STRUCTURED, &["host"]].concat(), &why),
        "rfc3164" => ours.idle(STRUCTURED, &why),
        _ => {}
    }
    let mut format = form.unwrap_or_else(format::SyslogFormat::python).facility(facility).body(making.dress.texts());
    format = details(ours, format)?;
    if let Some(ident) = making.attributes.str("ident") {
        format = format.ident(ident);
    }
    if let Some(on) = making.attributes.bool("append_nul") {
        format = format.append_nul(on);
    }
    if let Some(names) = making.attributes.pairs("priority_map") {
        for (level, priority) in names {
            match priority.parse::<Priority>() {
                Ok(priority) => format = format.priority(level, priority),
                Err(error) => {
                    making.attributes.note(making.attributes.wrong("priority_map", error.to_string()));
                }
            }
        }
    }
    let Some(address) = address else { return Ok(super::file::nothing()) };
    let mut connection = connection::options(making, address);
    if let Some(timeout) = keywords.seconds("timeout") {
        connection = connection.connect_timeout(timeout).write_timeout(timeout);
    }
    if is_python && !ours.has("framing") {
        connection = connection.framing(Framing::None);
    }
    Ok(Output::plain(Syslog::builder(connection).format(format).build_sync()?))
}

/// What an RFC's form has beyond Python's.
fn details(ours: &HandlerArgs<'_>, mut format: format::SyslogFormat) -> Result<format::SyslogFormat, Error> {
    if let Some(host) = ours.str("host") {
        format = format.host(host);
    }
    if let Some(app) = ours.str("app") {
        format = format.app(app);
    }
    if let Some(id) = ours.str("process_id") {
        format = format.process_id(id);
    }
    if let Some(id) = ours.str("sd_id") {
        format = format.sd_id(id);
    }
    if ours.bool("structured_data") == Some(false) {
        format = format.no_structured_data();
    }
    let elements = ours.inside("elements", |elements| {
        let ids: Vec<_> = elements.names().map(str::to_owned).collect();
        ids.into_iter().filter_map(|id| Some((elements.pairs(&id)?, id))).collect::<Vec<_>>()
    });
    for (parameters, id) in elements.unwrap_or_default() {
        format = format.element(id, parameters);
    }
    if let Some(token) = ours.str("token") {
        format = format.token(&token)?;
    }
    if let Some(zone) = ours.str("zone") {
        match Time::zone(&zone) {
            Ok(zone) => format = format.zone(zone),
            Err(error) => ours.note(ours.wrong("zone", error.to_string())),
        }
    }
    if let Some(bytes) = ours.size("max_bytes") {
        format = format.max_bytes(bytes);
    }
    Ok(ours.switched(format, SWITCHES))
}

/// What only RFC 5424 has a place for.
const STRUCTURED: &[&str] = &["sd_id", "structured_data", "elements", "bom", "escape_values", "source", "thread"];

const SWITCHES: &[Switch<format::SyslogFormat>] = &[
    ("bom", format::SyslogFormat::bom),
    ("escape_values", format::SyslogFormat::escape_values),
    ("multi_line", format::SyslogFormat::multi_line),
    ("source", format::SyslogFormat::source),
    ("thread", format::SyslogFormat::thread),
];

fn inet(making: &Making<'_, '_>, host: &str, port: u16, is_stream: bool) -> Address {
    if is_stream { connection::stream_to(making, host, port) } else { Address::udp(host, port) }
}

fn facility(making: &Making<'_, '_>) -> Facility {
    let keywords = making.keywords;
    let found = match keywords.node("facility") {
        None => return Facility::User,
        Some(Node { data: Data::Str(name), .. }) if !name.starts_with("ext://") => name.parse().ok(),
        Some(_) => match keywords.integer("facility") {
            Some(code) => u8::try_from(code).ok().and_then(Facility::from_code),
            // Told already.
            None => return Facility::User,
        },
    };
    found.unwrap_or_else(|| {
        if let Some(node) = keywords.node("facility") {
            let problem = keywords.wrong("facility", format!("expected a facility's name or 0 to 23, got {node}"));
            let names = [
                "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp",
                "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
            ];
            // `LOG_USER` is Python's name of the number.
            let written = node.as_str().unwrap_or_default().to_lowercase();
            let bare = written.strip_prefix("log_").unwrap_or(&written);
            let mut problem = problem.nearest(bare, names);
            if let Some(meant) = names.iter().find(|name| **name == bare) {
                problem.suggestion = Some((*meant).to_owned());
            }
            keywords.note(problem);
        }
        Facility::User
    })
}
