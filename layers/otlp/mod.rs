//! Sends logs and spans to OpenTelemetry collectors, correlated (feature `otlp`).
//!
//! Python: `opentelemetry-sdk` with its `LoggingHandler`, `BatchLogRecordProcessor` and OTLP exporters.
//!
//! # Examples
//!
//! ```no_run
//! use std::time::Duration;
//! use tracing_strata::{Loggers, otlp::Otlp};
//! use tracing_subscriber::prelude::*;
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let loggers = Loggers::parse("warn,shop=info")?;
//!     let (otlp, otlp_guard) = Otlp::from_env().service("shop").build_with_guard()?;
//!     tracing_subscriber::registry().with(otlp.with_filter(loggers)).init();
//!     // … work …
//!     otlp_guard.shutdown(Duration::from_secs(5))?;
//!     Ok(())
//! }
//! ```
//!
//! All records of the same registry have the spans' ids, also those that other handlers write to a file:
//! [`Record::trace`](crate::Record::trace), [`current_traceparent`](crate::current_traceparent). An application that already
//! has providers of an SDK uses [`bridge`]. (Beside a layer of `tracing-opentelemetry` that is there for other reasons, spans
//! exported from here keep their own ids.)
//!
//! # What is sent
//!
//! Source: [logs data model](https://opentelemetry.io/docs/specs/otel/logs/data-model/),
//! [trace API](https://opentelemetry.io/docs/specs/otel/trace/api/),
//! [semantic conventions](https://opentelemetry.io/docs/specs/semconv/).
//!
//! | log record | from |
//! |---|---|
//! | `time_unix_nano`, `observed_time_unix_nano` | [`Record::time`](crate::Record::time), nanoseconds |
//! | `severity_number` | [`Severity::otel`](crate::Severity::otel): 1 to 24, also of CRITICAL (21) and custom numbers |
//! | `severity_text` | the severity's name, `Level 35` where it has none |
//! | `body` | the message, as text; none if it is empty |
//! | `attributes` | the event's fields; then those of its spans and the [globals](OtlpLayer::globals), by [`ContextFields`]; each key once, the first one wins |
//! | … values | booleans, 64-bit integers, floats, text and bytes as such; wider integers and what `Debug` or `Display` printed as text; lists and maps ([`Value::Json`](crate::Value::Json)) as `array_value` and `kvlist_value` with typed values, `null` as an empty value (with [`bridge`], text). Levels deeper than 24 are JSON text, as protobuf readers refuse deeply nested requests. A list given with `?` is text, as `tracing`'s visitor has no lists; `json` (feature `serde`) gives one |
//! | … `dropped_attributes_count` | attributes beyond [`Otlp::max_attributes`] |
//! | … `exception.message`, `.type`, `.stacktrace` | the first error: its message, its type where known, its causes and (`error.backtrace`) its backtrace |
//! | … `code.file.path`, `code.line.number`, `code.module.name` | the call site |
//! | … `thread.id`, `thread.name` | the thread that logged |
//! | `event_name` | [`Record::name`](crate::Record::name) |
//! | `trace_id`, `span_id`, `flags` | [`Record::trace`](crate::Record::trace) |
//! | scope | its name is the target |
//!
//! | span | from |
//! |---|---|
//! | `trace_id`, `span_id`, `parent_span_id`, `flags` | made for the span: in the trace of its field `traceparent`, else of its parent span, else in a new trace |
//! | `trace_state` | its field `tracestate`, beside a `traceparent` |
//! | `name` | the field `otel.name`, else the span's name |
//! | `kind` | the field `otel.kind`: `server`, `client`, `producer`, `consumer`; else internal |
//! | `start_time_unix_nano`, `end_time_unix_nano` | when it was created; when it was last exited (closed, if never entered) |
//! | `attributes` | its fields, also those recorded late; `code.*`, `thread.*` as above; an error among them as `exception.*` |
//! | `status` | `otel.status_code` (`OK`, `ERROR`) and `otel.status_description`; else an error if it has an ERROR event, with the first one's error or message |
//! | `events` | its events, with [`Otlp::span_events`] |
//! | `links` | `follows_from` |
//! | `dropped_…_count` | attributes, events and links beyond their limits |
//! | scope | its name is the target |
//!
//! The resource has `service.name`, the attributes of [`Otlp::attribute`] and `OTEL_RESOURCE_ATTRIBUTES`, and
//! `telemetry.sdk.*`.
//!
//! # When it blocks
//!
//! Never: records and spans are handed over without a copy, and two threads of our own (one for each signal) encode and
//! send. They need no runtime of tokio; gRPC has one of its own on its thread. [`OtlpGuard::flush`] and
//! [`OtlpGuard::shutdown`] block until their timeout at most, on any thread.
//!
//! # Failures
//!
//! - A full queue ([`Otlp::capacity`], [`Otlp::max_bytes`]) drops what comes next; the next log records that are sent are
//!   followed by one that says `N records lost`.
//! - A collector that is not there, or answers 429, 502, 503, 504 or a retryable gRPC code, gets the request again with
//!   growing pauses, or those it asks for (`Retry-After`, `RetryInfo`; an hour at most), for [`Otlp::retry_for`]. A request whose answer was
//!   lost may arrive twice.
//! - Any other answer fails its records for good, and so does a partial success for those it rejects.
//! - The error handler gets each failure, and each record and span is in its [ledger](OtlpLayer::logs_ledger) at every moment:
//!   written (the collector has said so), failed, dropped, filtered, or queued.
//! - After a `fork`, the child sends on threads of its own; what was queued at that moment is sent by the parent, and counts as
//!   dropped in the child.
//! - Events of the sending threads (by HTTP, gRPC or TLS libraries) are dropped by all layers of this crate and counted, so
//!   that the export never exports its own telemetry.
//!
//! # Differences from Python
//!
//! - One call for logs and spans. Wrong variables are errors; there, they are logged and ignored.
//! - What was refused, dropped and sent is counted; there, it is a line in a log.
//! - The scope's name is the target (the logger's name), not that of the bridge.
//! - Losses are reported in-band.

mod builder;
mod endpoint;
mod env;
mod export;
mod guard;
mod handler;
mod layer;
mod logs;
mod providers;
mod sampler;
mod settings;
mod spans;
mod values;
mod wire;

pub use self::{
    builder::Otlp,
    guard::OtlpGuard,
    handler::OtlpLogs,
    layer::OtlpLayer,
    logs::ContextFields,
    providers::{ProviderLogs, bridge},
    sampler::Sampler,
    settings::{OtlpCompression, Protocol},
};

/// The semantic conventions of the attributes' names.
const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/1.33.0";
