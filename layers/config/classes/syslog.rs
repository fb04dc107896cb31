//! `logging.handlers.SysLogHandler`.

use super::connection;
use crate::{
    Error,
    config::{
        class::{BuildContext, Class, DEFAULTS, placeholder},
        configured_handler::Output,
        handler_args::{HandlerArgs, SetIfSome as _, Switch},
        node::{Data, Node},
    },
    format::{Facility, Priority, SyslogFormat, Time},
    output::Syslog,
    sink::net::{Address, Framing},
};

pub(super) const SYSLOG: Class = Class {
    names: &["logging.handlers.SysLogHandler", "handlers.SysLogHandler", "syslog"],
    keys: &["address", "facility", "socktype", "timeout"],
    attributes: &["ident", "append_nul", "priority_map"],
    queued: true,
    make,
    ..DEFAULTS
};

/// Python's socket.SOCK_STREAM and SOCK_DGRAM.
const STREAM: i64 = 1;

fn make(context: &BuildContext<'_, '_>) -> Result<Output, Error> {
    let args = context.args;
    let socktype = args.integer("socktype");
    let is_stream = socktype == Some(STREAM);
    let address = match args.node("address") {
        None => Some(inet(context, "localhost", 514, is_stream)),
        Some(Node { data: Data::Str(_), .. }) => args.str("address").map(|path| match (is_stream, socktype) {
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
                    .map(|port| inet(context, host, port, is_stream))
                    .or_else(|| args.expected("address", port, "a port of 16 bits"))
            }
            _ => args.expected("address", node, "a host and a port, or the path of a socket"),
        },
    };
    let facility = facility(context);
    let strata = context.strata;
    let forms = [
        ("python", SyslogFormat::python()),
        ("rfc5424", SyslogFormat::rfc5424()),
        ("rfc3164", SyslogFormat::rfc3164()),
        ("local", SyslogFormat::local()),
    ];
    let form = strata.choice("form", &forms);
    let name = strata.str("form").unwrap_or_else(|| "python".into());
    let is_python = name == "python";
    let why = format!("the form {name:?} does not have it");
    match &*name {
        "python" => {
            strata.reject_unused(&[STRUCTURED, &["host", "app", "process_id", "zone", "multi_line"]].concat(), &why)
        }
        "local" => strata.reject_unused(&[STRUCTURED, &["host"]].concat(), &why),
        "rfc3164" => strata.reject_unused(STRUCTURED, &why),
        _ => {}
    }
    let mut format = form.unwrap_or_else(SyslogFormat::python).facility(facility).body(context.formatting.texts());
    format = details(strata, format)?;
    format = format
        .set_if_some(context.attributes.str("ident"), SyslogFormat::ident)
        .set_if_some(context.attributes.bool("append_nul"), SyslogFormat::append_nul);
    if let Some(names) = context.attributes.pairs("priority_map") {
        for (level, priority) in names {
            match priority.parse::<Priority>() {
                Ok(priority) => format = format.priority(level, priority),
                Err(error) => {
                    context.attributes.report(context.attributes.wrong("priority_map", error.to_string()));
                }
            }
        }
    }
    let Some(address) = address else { return Ok(placeholder()) };
    let mut connection = connection::options(context, address);
    if let Some(timeout) = args.seconds("timeout") {
        connection = connection.connect_timeout(timeout).write_timeout(timeout);
    }
    if is_python && !strata.has("framing") {
        connection = connection.framing(Framing::None);
    }
    Ok(Output::plain(Syslog::builder(connection).format(format).build_sync()?))
}

/// The options of the RFC forms.
fn details(strata: &HandlerArgs<'_>, mut format: SyslogFormat) -> Result<SyslogFormat, Error> {
    format = format
        .set_if_some(strata.str("host"), SyslogFormat::host)
        .set_if_some(strata.str("app"), SyslogFormat::app)
        .set_if_some(strata.str("process_id"), SyslogFormat::process_id)
        .set_if_some(strata.str("sd_id"), SyslogFormat::sd_id);
    if strata.bool("structured_data") == Some(false) {
        format = format.no_structured_data();
    }
    let elements = strata.inside("elements", |elements| {
        let ids: Vec<_> = elements.names().map(str::to_owned).collect();
        ids.into_iter().filter_map(|id| Some((elements.pairs(&id)?, id))).collect::<Vec<_>>()
    });
    for (parameters, id) in elements.unwrap_or_default() {
        format = format.element(id, parameters);
    }
    if let Some(token) = strata.str("token") {
        format = format.token(&token)?;
    }
    format = format
        .set_if_some(strata.converted("zone", Time::zone), SyslogFormat::zone)
        .set_if_some(strata.size("max_bytes"), SyslogFormat::max_bytes);
    Ok(strata.apply_switches(format, SWITCHES))
}

/// Keys of RFC 5424 alone.
const STRUCTURED: &[&str] = &["sd_id", "structured_data", "elements", "bom", "escape_values", "source", "thread"];

const SWITCHES: &[Switch<SyslogFormat>] = &[
    ("bom", SyslogFormat::bom),
    ("escape_values", SyslogFormat::escape_values),
    ("multi_line", SyslogFormat::multi_line),
    ("source", SyslogFormat::source),
    ("thread", SyslogFormat::thread),
];

fn inet(context: &BuildContext<'_, '_>, host: &str, port: u16, is_stream: bool) -> Address {
    if is_stream { connection::stream_to(context, host, port) } else { Address::udp(host, port) }
}

fn facility(context: &BuildContext<'_, '_>) -> Facility {
    let args = context.args;
    let found = match args.node("facility") {
        None => return Facility::User,
        Some(Node { data: Data::Str(name), .. }) if !name.starts_with("ext://") => name.parse().ok(),
        Some(_) => match args.integer("facility") {
            Some(code) => u8::try_from(code).ok().and_then(Facility::from_code),
            // Reported already.
            None => return Facility::User,
        },
    };
    found.unwrap_or_else(|| {
        if let Some(node) = args.node("facility") {
            let problem = args.wrong("facility", format!("expected a facility's name or 0 to 23, got {node}"));
            let names = [
                "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp",
                "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
            ];
            // Python also has names such as `LOG_USER`.
            let written = node.as_str().unwrap_or_default().to_lowercase();
            let bare = written.strip_prefix("log_").unwrap_or(&written);
            let mut problem = problem.nearest(bare, names);
            if let Some(meant) = names.iter().find(|name| **name == bare) {
                problem.suggestion = Some((*meant).to_owned());
            }
            args.report(problem);
        }
        Facility::User
    })
}
