//! The handlers.

use super::{
    super::{attributes::last_part, logstash::peer},
    formatter::own_format,
};
use crate::{
    Error, Format,
    config::{
        class::{BuildContext, Class, DEFAULTS, placeholder},
        classes::net,
        configured_handler::Output,
        node::Node,
    },
    output::Datagram,
    sink::net::{Address, Backoff},
};

pub(in crate::config::classes) const HANDLERS: &[&Class] = &[&ASYNCHRONOUS, &SYNCHRONOUS];

const KEYS: &[&str] = &[
    "host",
    "port",
    "database_path",
    "transport",
    "ssl_enable",
    "ssl_verify",
    "ssl_verify_flags",
    "keyfile",
    "certfile",
    "ca_certs",
    "enable",
    "event_ttl",
    "encoding",
];

const ASYNCHRONOUS: Class = Class {
    names: &["logstash_async.handler.AsynchronousLogstashHandler"],
    keys: KEYS,
    has_own_format: true,
    queued: true,
    make: |context| {
        if !context.args.is_given("database_path") {
            context.args.require("database_path");
        }
        make_handler(context)
    },
    ..DEFAULTS
};

const SYNCHRONOUS: Class = Class {
    names: &["logstash_async.handler.SynchronousLogstashHandler"],
    keys: KEYS,
    has_own_format: true,
    make: make_handler,
    ..DEFAULTS
};

fn make_handler(context: &BuildContext<'_, '_>) -> Result<Output, Error> {
    let args = context.args;
    let format: Box<dyn Format> = match context.has_formatter {
        true => context.formatting.texts(),
        false => own_format(),
    };
    // They say how long unsent events are kept and where; here they are in the handler's queue.
    args.accept(&["database_path", "event_ttl", "encoding", "ssl_verify_flags"]);
    let enabled = args.node("enable").is_none_or(Node::is_true);
    let transport = args.str("transport");
    let transport = transport.as_deref().unwrap_or("TcpTransport");
    let encrypted = args.node("ssl_enable").is_some_and(Node::is_true);
    let Some((host, port)) = peer(args) else { return Ok(placeholder()) };
    match last_part(transport) {
        _ if !enabled => Ok(Output::plain(crate::output::Null)),
        "UdpTransport" => {
            let format = net::WithEnd { format, end: "\n" };
            Ok(Output::plain(Datagram::udp(host, port).format(format).build_sync()?))
        }
        "TcpTransport" if encrypted => tls(context, format, &host, port),
        "TcpTransport" => {
            args.accept(&["ssl_verify", "keyfile", "certfile", "ca_certs"]);
            net::stream(context, format, "\n", Address::tcp(host, port), Backoff::default())
        }
        _ => {
            let expected = "expected logstash_async.transport.TcpTransport or UdpTransport";
            args.report(args.wrong("transport", format!("{expected}, got {transport:?}")));
            Ok(placeholder())
        }
    }
}

#[cfg(feature = "tls")]
fn tls(context: &BuildContext<'_, '_>, format: Box<dyn Format>, host: &str, port: u16) -> Result<Output, Error> {
    use crate::{config::handler_args::SetIfSome as _, sink::net::Tls};

    let args = context.args;
    if args.node("ssl_verify").is_some_and(|node| !node.is_true()) {
        args.report(args.wrong("ssl_verify", "expected true: certificates are always verified here"));
    }
    let mut tls = Tls::new().set_if_some(args.str("ca_certs"), Tls::ca_file);
    match (args.str("certfile"), args.str("keyfile")) {
        (Some(certificate), Some(key)) => tls = tls.identity(certificate, key),
        (None, None) => {}
        (Some(_), None) => args.require("keyfile"),
        (None, Some(_)) => args.require("certfile"),
    }
    net::tls_stream(context, format, "\n", Address::tls(host, port), tls)
}

#[cfg(not(feature = "tls"))]
fn tls(context: &BuildContext<'_, '_>, _: Box<dyn Format>, _: &str, _: u16) -> Result<Output, Error> {
    let args = context.args;
    args.accept(&["ssl_verify", "keyfile", "certfile", "ca_certs"]);
    args.report(args.wrong("ssl_enable", "TLS needs the feature \"tls\" of tracing-strata"));
    Ok(placeholder())
}
