//! Keys that all connections share: TLS, timeouts and retries.

use std::sync::Arc;

#[cfg(any(feature = "forward", feature = "http"))]
use crate::{config::handler_args::HandlerArgs, sink::Credential};
use crate::{
    config::{class::BuildContext, handler_args::SetIfSome as _},
    sink::net::{Address, Backoff, Connection, ConnectionBuilder, Framing},
};

/// A connection to a host and port, encrypted if `tls` says so.
pub(super) fn stream_to(context: &BuildContext<'_, '_>, host: &str, port: u16) -> Address {
    let is_on = match context.strata.node("tls").map(|node| (node.as_bool(), node.as_map().is_some())) {
        None => false,
        Some((Some(on), _)) => on,
        Some((None, is_mapping)) => is_mapping,
    };
    if is_on { Address::tls(host, port) } else { Address::tcp(host, port) }
}

/// `tls`, `backoff`, `framing`, `connect_timeout`, `write_timeout`, `reconnect_timeout`, and the clock.
pub(super) fn options(context: &BuildContext<'_, '_>, address: Address) -> ConnectionBuilder {
    let strata = context.strata;
    match &address {
        Address::Udp { .. } => {
            let why = "it travels in datagrams (`socktype: ext://socket.SOCK_STREAM` is for a stream)";
            strata.reject_unused(&["framing", "tls", "backoff", "connect_timeout", "reconnect_timeout"], why);
        }
        Address::UnixDatagram(_) => {
            strata.reject_unused(&["framing", "tls", "backoff", "connect_timeout"], "it travels in datagrams");
        }
        Address::Unix(_) | Address::UnixStream(_) => strata.reject_unused(&["tls"], "it stays on this machine"),
        Address::Tcp { .. } | Address::Tls { .. } => {}
    }
    #[cfg(feature = "tls")]
    let is_tls = matches!(address, Address::Tls { .. });
    let mut builder = Connection::builder(address);
    let framings = [
        ("lines", Framing::Lines),
        ("nul", Framing::Nul),
        ("length", Framing::Length),
        ("octet_counting", Framing::OctetCounting),
        ("none", Framing::None),
    ];
    builder = builder.set_if_some(strata.choice("framing", &framings), ConnectionBuilder::framing);
    let backoff = strata.inside("backoff", |backoff| {
        Backoff::default()
            .set_if_some(backoff.seconds("initial"), Backoff::initial)
            .set_if_some(backoff.number("factor"), Backoff::factor)
            .set_if_some(backoff.seconds("max"), Backoff::max)
            .set_if_some(backoff.number("jitter"), Backoff::jitter)
    });
    builder = builder
        .set_if_some(backoff, ConnectionBuilder::backoff)
        .set_if_some(strata.seconds("connect_timeout"), ConnectionBuilder::connect_timeout)
        .set_if_some(strata.seconds("write_timeout"), ConnectionBuilder::write_timeout)
        .set_if_some(strata.seconds("reconnect_timeout"), ConnectionBuilder::reconnect_timeout);
    if let Some(clock) = context.clock {
        builder = builder.clock(Arc::clone(clock));
    }
    if context.queued && !context.has_fallback {
        builder = builder.default_reconnect_timeout(crate::output::RECONNECT_TIMEOUT);
    }
    #[cfg(feature = "tls")]
    if let Some(tls) = given_tls(context).filter(|_| is_tls) {
        builder = builder.tls(tls);
    }
    builder
}

/// `tls`, where it is a mapping.
#[cfg(feature = "tls")]
fn given_tls(context: &BuildContext<'_, '_>) -> Option<crate::sink::net::Tls> {
    context.strata.node("tls").filter(|node| node.as_bool().is_none())?;
    tls_in(context.strata)
}

/// A mapping `tls`.
#[cfg(feature = "tls")]
pub(super) fn tls_in(args: &crate::config::handler_args::HandlerArgs<'_>) -> Option<crate::sink::net::Tls> {
    args.inside("tls", tls)
}

/// The same for HTTP.
#[cfg(feature = "http")]
pub(super) fn http_tls(context: &BuildContext<'_, '_>, is_encrypted: bool) -> Option<crate::sink::net::Tls> {
    if !is_encrypted {
        context.strata.reject_unused(&["tls"], "the connection is not encrypted");
        return None;
    }
    given_tls(context)
}

#[cfg(feature = "tls")]
fn tls(args: &crate::config::handler_args::HandlerArgs<'_>) -> crate::sink::net::Tls {
    let mut tls = crate::sink::net::Tls::new();
    tls = tls.set_if_some(args.str("ca_file"), crate::sink::net::Tls::ca_file);
    match (args.str("certificate"), args.str("key")) {
        (Some(certificate), Some(key)) => tls = tls.identity(certificate, key),
        (None, None) => {}
        (Some(_), None) => args.require("key"),
        (None, Some(_)) => args.require("certificate"),
    }
    tls = tls.set_if_some(args.str("server_name"), crate::sink::net::Tls::server_name);
    tls
}

/// A secret that may be absent: a text, `{env: NAME}` or `{file: PATH}`.
#[cfg(any(feature = "forward", feature = "http"))]
pub(super) fn secret(args: &HandlerArgs<'_>, name: &str) -> Option<Credential> {
    let node = args.node(name)?;
    if node.as_map().is_none() {
        return args.str(name).map(Credential::new);
    }
    args.inside(name, |from| match (from.str("env"), from.str("file")) {
        (Some(name), None) => Credential::env(name),
        (None, Some(path)) => Credential::file(path),
        _ => {
            from.report(from.missing("env", "expected a text, {env: NAME} or {file: PATH}"));
            Credential::new("")
        }
    })
}

/// One that must be there.
#[cfg(any(feature = "forward", feature = "http"))]
pub(super) fn required_secret(args: &HandlerArgs<'_>, name: &str) -> Credential {
    if args.node(name).is_none() {
        args.require(name);
    }
    secret(args, name).unwrap_or_else(|| Credential::new(""))
}
