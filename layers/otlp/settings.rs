//! The settings of each signal, from the code and the `OTEL_*` variables.

use std::{fs, path::PathBuf, time::Duration};

use super::{endpoint::Endpoint, env::Vars, values::AttributeLimits};
use crate::{Error, handler::worker::batching::SpoolOptions};

/// The protocol of the export.
///
/// Source: [OTLP 1.x](https://opentelemetry.io/docs/specs/otlp/). Variable: `OTEL_EXPORTER_OTLP_PROTOCOL`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Protocol {
    /// `http/protobuf` (the default): port 4318.
    #[default]
    HttpProtobuf,
    /// `http/json`: port 4318.
    HttpJson,
    /// `grpc`: port 4317.
    Grpc,
}

/// The compression of requests. Variable: `OTEL_EXPORTER_OTLP_COMPRESSION`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OtlpCompression {
    /// None (the default).
    #[default]
    None,
    /// `gzip`
    Gzip,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    Logs,
    Spans,
}

impl Signal {
    /// Part of the names of variables.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Logs => "LOGS",
            Self::Spans => "TRACES",
        }
    }

    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Logs => "/v1/logs",
            Self::Spans => "/v1/traces",
        }
    }

    /// Of its spool.
    fn folder(self) -> &'static str {
        match self {
            Self::Logs => "logs",
            Self::Spans => "spans",
        }
    }

    pub(super) fn thread_name(self) -> &'static str {
        match self {
            Self::Logs => "strata-otlp-log",
            Self::Spans => "strata-otlp-spn",
        }
    }
}

/// The options of the code, which win over the variables.
#[derive(Clone, Debug, Default)]
pub(super) struct Chosen {
    pub(super) endpoint: Option<String>,
    pub(super) failover: Vec<String>,
    pub(super) protocol: Option<Protocol>,
    pub(super) headers: Vec<(String, String)>,
    pub(super) timeout: Option<Duration>,
    pub(super) compression: Option<OtlpCompression>,
    pub(super) ca: Option<PathBuf>,
    pub(super) client: Option<(PathBuf, PathBuf)>,
    pub(super) capacity: Option<usize>,
    pub(super) max_bytes: Option<usize>,
    pub(super) max_batch: Option<usize>,
    pub(super) delay: Option<Duration>,
    pub(super) retry_for: Option<Duration>,
    pub(super) max_attributes: Option<usize>,
    pub(super) max_value_length: Option<usize>,
    pub(super) spool: Option<SpoolOptions>,
}

/// The settings of one signal.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) signal: Signal,
    /// With the path, for HTTP; scheme and authority for gRPC.
    pub(super) endpoint: String,
    pub(super) protocol: Protocol,
    pub(super) headers: Vec<(String, String)>,
    pub(super) timeout: Duration,
    pub(super) compression: OtlpCompression,
    pub(super) tls: Tls,
    pub(super) limits: Limits,
    pub(super) spool: Option<SpoolOptions>,
    /// Other receivers.
    pub(super) failover: Vec<Settings>,
}

/// Certificates, as PEM.
#[derive(Clone, Debug, Default)]
pub(super) struct Tls {
    pub(super) ca: Option<Vec<u8>>,
    pub(super) client: Option<(Vec<u8>, Vec<u8>)>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) capacity: usize,
    pub(super) max_bytes: usize,
    pub(super) max_batch: usize,
    pub(super) delay: Duration,
    pub(super) retry_for: Duration,
}

/// The specification's limits of spans.
#[derive(Clone, Copy, Debug)]
pub(super) struct SpanLimits {
    pub(super) of_spans: AttributeLimits,
    pub(super) of_events: AttributeLimits,
    pub(super) events: usize,
    pub(super) links: usize,
}

/// The default of "AttributeCountLimit", "EventCountLimit" and "LinkCountLimit".
const COUNT: usize = 128;

impl SpanLimits {
    pub(super) fn new(chosen: &Chosen, vars: &Vars) -> Result<Self, Error> {
        let of_spans = AttributeLimits::new("SPAN_", chosen, vars)?;
        let of_events = vars.get("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", super::env::count)?;
        Ok(Self {
            of_spans,
            of_events: AttributeLimits { count: chosen.max_attributes.or(of_events).unwrap_or(COUNT), ..of_spans },
            events: vars.get("OTEL_SPAN_EVENT_COUNT_LIMIT", super::env::count)?.unwrap_or(COUNT),
            links: vars.get("OTEL_SPAN_LINK_COUNT_LIMIT", super::env::count)?.unwrap_or(COUNT),
        })
    }
}

impl AttributeLimits {
    /// The variable of `what` wins over the general one.
    pub(super) fn new(what: &str, chosen: &Chosen, vars: &Vars) -> Result<Self, Error> {
        let limit = |kind: &str| -> Result<Option<usize>, Error> {
            let own = vars.get(&format!("OTEL_{what}ATTRIBUTE_{kind}_LIMIT"), super::env::count)?;
            let general = vars.get(&format!("OTEL_ATTRIBUTE_{kind}_LIMIT"), super::env::count)?;
            Ok(own.or(general))
        };
        let (count, length) = (limit("COUNT")?, limit("VALUE_LENGTH")?);
        Ok(Self {
            count: chosen.max_attributes.or(count).unwrap_or(COUNT),
            length: chosen.max_value_length.or(length).unwrap_or(usize::MAX),
        })
    }
}

/// How long one attempt may take ("OTEL_EXPORTER_OTLP_TIMEOUT", 10 s).
const TIMEOUT: Duration = Duration::from_secs(10);
const RETRY_FOR: Duration = Duration::from_secs(60);
const MAX_BYTES: usize = 64 << 20;

impl Settings {
    pub(super) fn new(signal: Signal, chosen: &Chosen, vars: &Vars) -> Result<Self, Error> {
        let protocol = match chosen.protocol {
            Some(protocol) => protocol,
            None => vars.of_signal(signal.word(), "PROTOCOL", protocol)?.unwrap_or_default(),
        };
        let mut headers = vars.of_signal(signal.word(), "HEADERS", super::env::pairs)?.unwrap_or_default();
        for (name, value) in &chosen.headers {
            headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
            headers.push((name.clone(), value.clone()));
        }
        let endpoint = Endpoint::new(signal, protocol, chosen, vars)?;
        if let Some(authorization) = endpoint.authorization
            && !headers.iter().any(|(known, _)| known.eq_ignore_ascii_case("authorization"))
        {
            headers.push(("authorization".to_owned(), authorization));
        }
        let timeout = vars.of_signal(signal.word(), "TIMEOUT", super::env::millis)?;
        let compression = vars.of_signal(signal.word(), "COMPRESSION", compression)?;
        let of_signal =
            |spool: &SpoolOptions| SpoolOptions { directory: spool.directory.join(signal.folder()), ..*spool };
        let other = |url: &String| {
            let chosen = Chosen { endpoint: Some(url.clone()), failover: Vec::new(), ..chosen.clone() };
            Self::new(signal, &chosen, vars)
        };
        let settings = Self {
            signal,
            failover: chosen.failover.iter().map(other).collect::<Result<_, _>>()?,
            endpoint: endpoint.url,
            protocol,
            headers,
            timeout: chosen.timeout.or(timeout).unwrap_or(TIMEOUT),
            compression: chosen.compression.or(compression).unwrap_or_default(),
            tls: tls(signal, chosen, vars)?,
            limits: limits(signal, chosen, vars)?,
            spool: chosen.spool.as_ref().map(of_signal),
        };
        settings.batch_config("").check_spool()?;
        Ok(settings)
    }
}

fn protocol(text: &str) -> Result<Protocol, &'static str> {
    match text {
        "http/protobuf" => Ok(Protocol::HttpProtobuf),
        "http/json" => Ok(Protocol::HttpJson),
        "grpc" => Ok(Protocol::Grpc),
        _ => Err("\"grpc\", \"http/protobuf\" or \"http/json\""),
    }
}

fn compression(text: &str) -> Result<OtlpCompression, &'static str> {
    match text {
        "gzip" => Ok(OtlpCompression::Gzip),
        "none" => Ok(OtlpCompression::None),
        _ => Err("\"gzip\" or \"none\""),
    }
}

fn tls(signal: Signal, chosen: &Chosen, vars: &Vars) -> Result<Tls, Error> {
    let from_var = |what: &str| -> Result<Option<Vec<u8>>, Error> {
        let Some((name, path)) = vars.of_signal_named(signal.word(), what) else { return Ok(None) };
        fs::read(path).map(Some).map_err(|error| {
            Error::config(format_args!("{name}: expected the path of a PEM file, got {path:?}: {error}"))
        })
    };
    let read = |path: &PathBuf| fs::read(path).map_err(|error| Error::io_at(path, "read", error));
    let ca = match &chosen.ca {
        Some(path) => Some(read(path)?),
        None => from_var("CERTIFICATE")?,
    };
    let client = match &chosen.client {
        Some((certificate, key)) => Some((read(certificate)?, read(key)?)),
        None => match (from_var("CLIENT_CERTIFICATE")?, from_var("CLIENT_KEY")?) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            (Some(_), None) => {
                return Err(Error::config(
                    "OTEL_EXPORTER_OTLP_CLIENT_KEY: expected beside OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE, got nothing",
                ));
            }
            (None, Some(_)) => {
                return Err(Error::config(
                    "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: expected beside OTEL_EXPORTER_OTLP_CLIENT_KEY, got nothing",
                ));
            }
        },
    };
    Ok(Tls { ca, client })
}

/// The limits of the specification's batch processors.
fn limits(signal: Signal, chosen: &Chosen, vars: &Vars) -> Result<Limits, Error> {
    let (prefix, delay) = match signal {
        Signal::Logs => ("OTEL_BLRP_", Duration::from_secs(1)),
        Signal::Spans => ("OTEL_BSP_", Duration::from_secs(5)),
    };
    let name = |what: &str| format!("{prefix}{what}");
    let capacity = vars.get(&name("MAX_QUEUE_SIZE"), super::env::positive)?;
    let max_batch = vars.get(&name("MAX_EXPORT_BATCH_SIZE"), super::env::positive)?;
    let export_timeout = vars.get(&name("EXPORT_TIMEOUT"), super::env::millis)?;
    let asked_delay = vars.get(&name("SCHEDULE_DELAY"), super::env::millis)?;
    let capacity = chosen.capacity.or(capacity).unwrap_or(2_048);
    let max_batch = chosen.max_batch.or(max_batch).unwrap_or(512);
    if capacity == 0 || max_batch == 0 {
        return Err(Error::config("otlp: capacity and max_batch: expected at least 1, got 0"));
    }
    Ok(Limits {
        capacity,
        max_bytes: chosen.max_bytes.unwrap_or(MAX_BYTES),
        max_batch: max_batch.min(capacity),
        delay: chosen.delay.or(asked_delay).unwrap_or(delay),
        retry_for: chosen.retry_for.or(export_timeout).unwrap_or(RETRY_FOR),
    })
}
