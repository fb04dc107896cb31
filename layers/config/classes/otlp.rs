//! Log records to an OpenTelemetry collector.

use crate::{
    Error,
    config::{
        class::{BuildContext, Class, DEFAULTS},
        configured_handler::Output,
    },
};

pub(super) const OTLP: Class = Class {
    names: &["opentelemetry.sdk._logs.LoggingHandler", "otlp"],
    keys: &[
        "service",
        "attributes",
        "endpoint",
        "failover",
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
        "schedule_delay",
        "retry_for",
        "flush_timeout",
        "spool",
        "environment",
    ],
    make,
    ..DEFAULTS
};

#[cfg(not(feature = "otlp"))]
fn make(context: &BuildContext<'_, '_>) -> Result<Output, Error> {
    // The keys are valid: only the feature is missing.
    context.args.accept(OTLP.keys);
    Err(Error::config("the class \"otlp\" needs the feature \"otlp\" of tracing-strata"))
}

#[cfg(feature = "otlp")]
fn make(context: &BuildContext<'_, '_>) -> Result<Output, Error> {
    use crate::{
        config::handler_args::SetIfSome as _,
        otlp::{ContextFields, Otlp, OtlpCompression, Protocol},
    };

    let args = context.args;
    let mut otlp = if args.bool("environment").unwrap_or(true) { Otlp::from_env() } else { Otlp::builder() };
    otlp = otlp.set_if_some(args.str("service"), Otlp::service);
    for (name, value) in args.fields("attributes").unwrap_or_default().iter() {
        otlp = otlp.attribute(name.to_owned(), value);
    }
    otlp = otlp.set_if_some(args.str("endpoint"), Otlp::endpoint);
    for url in args.texts("failover").unwrap_or_default() {
        otlp = otlp.failover(url);
    }
    let protocols =
        [("http/protobuf", Protocol::HttpProtobuf), ("http/json", Protocol::HttpJson), ("grpc", Protocol::Grpc)];
    otlp = otlp.set_if_some(args.choice("protocol", &protocols), Otlp::protocol);
    for (name, value) in args.pairs("headers").unwrap_or_default() {
        otlp = otlp.header(name, value);
    }
    otlp = otlp.set_if_some(args.seconds("timeout"), Otlp::timeout);
    let compressions = [("none", OtlpCompression::None), ("gzip", OtlpCompression::Gzip)];
    otlp = otlp
        .set_if_some(args.choice("compression", &compressions), Otlp::compression)
        .set_if_some(args.str("ca_certificate"), Otlp::ca_certificate);
    match (args.str("client_certificate"), args.str("client_key")) {
        (Some(certificate), Some(key)) => otlp = otlp.client_certificate(certificate, key),
        (None, None) => {}
        (Some(_), None) => args.require("client_key"),
        (None, Some(_)) => args.require("client_certificate"),
    }
    let context = match args.node("context") {
        Some(node) if node.as_list().is_some() => args.texts("context").map(ContextFields::only),
        _ => args.choice("context", &[("all", ContextFields::All), ("none", ContextFields::None)]),
    };
    otlp = otlp
        .set_if_some(context, Otlp::context)
        .set_if_some(args.size("capacity"), Otlp::capacity)
        .set_if_some(args.size("max_bytes"), Otlp::max_bytes)
        .set_if_some(args.size("max_batch"), Otlp::max_batch)
        .set_if_some(args.seconds("schedule_delay"), Otlp::schedule_delay)
        .set_if_some(args.seconds("retry_for"), Otlp::retry_for)
        .set_if_some(args.seconds("flush_timeout"), Otlp::flush_timeout);
    otlp = otlp.set_if_some(super::http::spool(args), Otlp::configured_spool);
    Ok(match otlp.own_logs()? {
        Some(logs) => {
            let logs = std::sync::Arc::new(logs);
            Output::plain(std::sync::Arc::clone(&logs)).started_by(move || logs.start())
        }
        // Disabled by `OTEL_SDK_DISABLED` or `OTEL_LOGS_EXPORTER`.
        None => Output::plain(crate::output::Null),
    })
}
