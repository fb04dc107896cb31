//! What connections have in common of ours: who is trusted, how long is waited, when it is tried again.

use std::sync::Arc;

use super::Making;
use crate::sink::net::{Address, Backoff, Connection, ConnectionBuilder, Framing};

/// A connection to a host and port, encrypted if `tls` says so.
pub(super) fn stream_to(making: &Making<'_, '_>, host: &str, port: u16) -> Address {
    let is_on = match making.ours.node("tls").map(|node| (node.as_bool(), node.as_map().is_some())) {
        None => false,
        Some((Some(on), _)) => on,
        Some((None, is_mapping)) => is_mapping,
    };
    if is_on { Address::tls(host, port) } else { Address::tcp(host, port) }
}

/// `tls`, `retry`, `framing`, `connect_timeout`, `write_timeout`, `reconnect_timeout`, and the clock of all.
pub(super) fn options(making: &Making<'_, '_>, address: Address) -> ConnectionBuilder {
    let ours = making.ours;
    match &address {
        Address::Udp { .. } => {
            let why = "it travels in datagrams (`socktype: ext://socket.SOCK_STREAM` is for a stream)";
            ours.idle(&["framing", "tls", "retry", "connect_deadline", "patience"], why);
        }
        Address::UnixDatagram(_) => ours.idle(&["framing", "tls"], "it travels in datagrams"),
        Address::Unix(_) | Address::UnixStream(_) => ours.idle(&["tls"], "it stays on this machine"),
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
    if let Some(framing) = ours.choice("framing", &framings) {
        builder = builder.framing(framing);
    }
    let retry = ours.inside("retry", |retry| {
        let mut schedule = Backoff::default();
        if let Some(first) = retry.seconds("first") {
            schedule = schedule.initial(first);
        }
        if let Some(factor) = retry.number("factor") {
            schedule = schedule.factor(factor);
        }
        if let Some(most) = retry.seconds("most") {
            schedule = schedule.max(most);
        }
        if let Some(part) = retry.number("jitter") {
            schedule = schedule.jitter(part);
        }
        schedule
    });
    if let Some(retry) = retry {
        builder = builder.backoff(retry);
    }
    if let Some(deadline) = ours.seconds("connect_deadline") {
        builder = builder.connect_timeout(deadline);
    }
    if let Some(deadline) = ours.seconds("write_deadline") {
        builder = builder.write_timeout(deadline);
    }
    if let Some(patience) = ours.seconds("patience") {
        builder = builder.reconnect_timeout(patience);
    }
    if let Some(clock) = &making.setup.clock {
        builder = builder.clock(Arc::clone(clock));
    }
    if making.queued && !making.has_fallback {
        builder = builder.default_patience(crate::output::RECONNECT_TIMEOUT);
    }
    #[cfg(feature = "tls")]
    if is_tls && ours.node("tls").is_some_and(|node| node.as_bool().is_none()) {
        builder = match ours.inside("tls", tls) {
            Some(tls) => builder.tls(tls),
            None => builder,
        };
    }
    builder
}

#[cfg(feature = "tls")]
fn tls(keywords: &crate::config::keywords::HandlerArgs<'_>) -> crate::sink::net::Tls {
    let mut tls = crate::sink::net::Tls::new();
    if let Some(path) = keywords.str("ca_file") {
        tls = tls.ca_file(path);
    }
    match (keywords.str("certificate"), keywords.str("key")) {
        (Some(certificate), Some(key)) => tls = tls.identity(certificate, key),
        (None, None) => {}
        (Some(_), None) => keywords.require("key"),
        (None, Some(_)) => keywords.require("certificate"),
    }
    if let Some(name) = keywords.str("server_name") {
        tls = tls.server_name(name);
    }
    tls
}
