//! Log records to an OpenTelemetry collector.

use super::{Class, PLAIN};

pub(super) const OTLP: Class = Class {
    names: &["opentelemetry.sdk._logs.LoggingHandler", "otlp"],
    keys: &[
        "service",
        "attributes",
        "endpoint",
        "protocol",
        "headers",
        "timeout",
        "compression",
        "ca_certificate",
        "client_certificate",
        "client_key",
        "context",
        "capacity",
        "max_bytes",
        "max_batch",
        "delay",
        "retry_for",
        "drain",
        "environment",
    ],
    make,
    ..PLAIN
};

#[cfg(not(feature = "otlp"))]
fn make(making: &super::Making<'_, '_>) -> Result<crate::config::slot::Output, crate::Error> {
    // Its keys are right; they have no meaning here.
    for key in OTLP.keys {
        let _ = making.keywords.has(key);
    }
    Err(crate::Error::config("the class \"otlp\" needs the feature \"otlp\" of tracing-strata"))
}

#[cfg(feature = "otlp")]
fn make(making: &super::Making<'_, '_>) -> Result<crate::config::slot::Output, crate::Error> {
    use crate::{
        config::slot::Output,
        otlp::{ContextFields, Otlp, OtlpCompression, Protocol},
    };

    let keywords = making.keywords;
    let mut otlp = if keywords.bool("environment").unwrap_or(true) { Otlp::from_env() } else { Otlp::builder() };
    if let Some(name) = keywords.str("service") {
        otlp = otlp.service(name);
    }
    for (name, value) in keywords.fields("attributes").unwrap_or_default().iter() {
        otlp = otlp.attribute(name.to_owned(), value);
    }
    if let Some(url) = keywords.str("endpoint") {
        otlp = otlp.endpoint(url);
    }
    let protocols =
        [("http/protobuf", Protocol::HttpProtobuf), ("http/json", Protocol::HttpJson), ("grpc", Protocol::Grpc)];
    if let Some(protocol) = keywords.choice("protocol", &protocols) {
        otlp = otlp.protocol(protocol);
    }
    for (name, value) in keywords.pairs("headers").unwrap_or_default() {
        otlp = otlp.header(name, value);
    }
    if let Some(timeout) = keywords.seconds("timeout") {
        otlp = otlp.timeout(timeout);
    }
    if let Some(compression) =
        keywords.choice("compression", &[("none", OtlpCompression::None), ("gzip", OtlpCompression::Gzip)])
    {
        otlp = otlp.compression(compression);
    }
    if let Some(path) = keywords.str("ca_certificate") {
        otlp = otlp.ca_certificate(path);
    }
    match (keywords.str("client_certificate"), keywords.str("client_key")) {
        (Some(certificate), Some(key)) => otlp = otlp.client_certificate(certificate, key),
        (None, None) => {}
        (Some(_), None) => keywords.require("client_key"),
        (None, Some(_)) => keywords.require("client_certificate"),
    }
    let context = match keywords.node("context") {
        Some(node) if node.as_list().is_some() => keywords.texts("context").map(ContextFields::only),
        _ => keywords.choice("context", &[("all", ContextFields::All), ("none", ContextFields::None)]),
    };
    if let Some(context) = context {
        otlp = otlp.context(context);
    }
    if let Some(items) = keywords.size("capacity") {
        otlp = otlp.capacity(items);
    }
    if let Some(bytes) = keywords.size("max_bytes") {
        otlp = otlp.max_bytes(bytes);
    }
    if let Some(items) = keywords.size("max_batch") {
        otlp = otlp.max_batch(items);
    }
    if let Some(delay) = keywords.seconds("delay") {
        otlp = otlp.schedule_delay(delay);
    }
    if let Some(time) = keywords.seconds("retry_for") {
        otlp = otlp.retry_for(time);
    }
    if let Some(deadline) = keywords.seconds("drain") {
        otlp = otlp.flush_timeout(deadline);
    }
    Ok(match otlp.own_logs()? {
        Some(logs) => Output::plain(logs),
        // `OTEL_SDK_DISABLED` or `OTEL_LOGS_EXPORTER` says so.
        None => super::file::nothing(),
    })
}
