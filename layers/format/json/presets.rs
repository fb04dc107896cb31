//! Shapes that tools expect, each made from a table.

use super::{
    Json, Key,
    preset_tables::{BUNYAN, DATADOG, ECS, GCP, HOST, LOGSTASH, NAME, OTEL, PYTHON},
};
use crate::format::Time;

/// # Shapes that tools expect
///
/// Each is just a [table](super::Member): all setters work as with the default shape, and [`Json::table`] takes a table of
/// your own. Common to all:
///
/// - The service's name, version and environment and the host come from [`Globals`](crate::Globals) (`service`, `version`,
///   `env` or `environment`, `host`), else from `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES`, read once when the format
///   is made. They are left out if neither has them.
/// - The event's first error is the shape's error: its type, if known, its message, and as *stack* one text of type, message,
///   causes and the field `error.backtrace`, each on its own line. Other errors are [fields](Self#values).
/// - All other fields are written beside the schema's keys. A field with the name of such a key gets `_` appended.
/// - "with" names the setter that turns a row on. Rows without one are written if the record has the value.
///
/// ```
/// use tracing_strata::{Globals, format::Json, output::Stream, prelude::*};
///
/// let globals = Globals::new().service("shop").version(env!("CARGO_PKG_VERSION")).field("env", "production").host();
/// let layer = Stream::stdout().format(Json::ecs().source(true)).into_layer().globals(globals);
/// # drop(layer);
/// ```
impl Json {
    /// Elastic Common Schema, for Elasticsearch and its tools.
    ///
    /// ```
    /// use std::time::UNIX_EPOCH;
    /// use tracing_strata::{Record, Severity, format::{Buffer, Format, Json}};
    ///
    /// let mut record = Record::new(Severity::WARN, "shop::pay", "refused");
    /// record.set_time(UNIX_EPOCH);
    /// record.set("http.request.method", "POST");
    /// record.set_globals([("service", "shop")].into_iter().collect());
    /// let mut out = Buffer::new();
    /// Json::ecs().format(&record, &mut out).unwrap();
    /// assert_eq!(
    ///     out,
    ///     r#"{"@timestamp":"1970-01-01T00:00:00.000000Z","log.level":"warn","message":"refused","ecs.version":"8.17.0","#
    ///         .to_owned()
    ///         + r#""log.logger":"shop::pay","service.name":"shop","http.request.method":"POST"}"#
    /// );
    /// ```
    ///
    /// | key | what |
    /// |---|---|
    /// | `@timestamp`, `log.level` (lower case), `message`, `ecs.version`, `log.logger` | time, level, message, `8.17.0`, target |
    /// | `trace.id`, `span.id` | of records in a trace |
    /// | `event.action` | the event's name |
    /// | `log.origin.file.name`, `log.origin.file.line`, `log.origin.function` | the call site, with [`source`](Self::source) |
    /// | `process.thread.name`, `process.thread.id` | with [`thread`](Self::thread) |
    /// | `process.name`, `process.pid` | with [`process`](Self::process) |
    /// | `error.type`, `error.message`, `error.stack_trace` | the first error |
    /// | `service.name`, `service.version`, `service.environment`, `host.name` | of the application |
    /// | all other fields | at the top, under their names: `http.request.method` is ECS already |
    ///
    /// Keys are dotted, which Elasticsearch reads as nested. A field named like one of the objects (`error`, `service`, `host`,
    /// `log`, `process` …) gets `_` appended, because Elasticsearch refuses a text in place of an object.
    /// [`nest_fields("labels")`](Self::nest_fields) puts all of the event's fields into one object.
    ///
    /// Source: [ECS field reference](https://www.elastic.co/docs/reference/ecs/ecs-field-reference), 8.17 (the same in 9), and
    /// the [ECS logging specification](https://github.com/elastic/ecs-logging/tree/main/spec), version 1.
    pub fn ecs() -> Self {
        Self::of(ECS).lower_case_levels(true).bare()
    }

    /// Google Cloud's structured logs, which its agents read from the standard streams.
    ///
    /// ```
    /// use std::time::UNIX_EPOCH;
    /// use tracing_strata::{Record, Severity, format::{Buffer, Format, Json}};
    ///
    /// let mut record = Record::new(Severity::WARN, "shop::pay", "refused");
    /// record.set_time(UNIX_EPOCH);
    /// record.set_source("src/pay.rs", 42);
    /// let mut out = Buffer::new();
    /// Json::gcp().source(true).format(&record, &mut out).unwrap();
    /// assert_eq!(
    ///     out,
    ///     r#"{"time":"1970-01-01T00:00:00.000000Z","severity":"WARNING","logger":"shop::pay","message":"refused","#
    ///         .to_owned()
    ///         + r#""logging.googleapis.com/sourceLocation":{"file":"src/pay.rs","line":"42"}}"#
    /// );
    /// ```
    ///
    /// | key | what |
    /// |---|---|
    /// | `time`, `severity`, `logger`, `message` | time; `DEBUG`, `INFO`, `NOTICE` (25), `WARNING`, `ERROR`, `CRITICAL`, `ALERT` (60), `EMERGENCY` (70); target, message |
    /// | `logging.googleapis.com/trace`, `…/spanId`, `…/trace_sampled` | of records in a trace; [`trace_prefix`](Self::trace_prefix) names the project |
    /// | `logging.googleapis.com/sourceLocation` `{file, line, function}` | the call site, with [`source`](Self::source) |
    /// | `event_name` | the event's name |
    /// | `thread_name`, `thread_id` | with [`thread`](Self::thread) |
    /// | `process_name`, `process_id` | with [`process`](Self::process) |
    /// | `stack_trace` | the first error, for Error Reporting |
    /// | `serviceContext` `{service, version}` | of the application |
    /// | all other fields | in the payload. `httpRequest`, `logging.googleapis.com/labels`, `…/operation` and `…/insertId` have their meaning: give the first three as maps, by `record::json` (feature `serde`) or [`JsonText`](crate::record::JsonText): `info!(httpRequest = %json(&request), "served")` |
    ///
    /// Source: [Structured logging, special fields](https://cloud.google.com/logging/docs/structured-logging#special-payload-fields)
    /// and [LogEntry](https://cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry), API v2.
    pub fn gcp() -> Self {
        Self::of(GCP).bare()
    }

    /// Datadog's reserved and standard attributes.
    ///
    /// ```
    /// use std::time::UNIX_EPOCH;
    /// use tracing_strata::{Record, Severity, format::{Buffer, Format, Json}};
    ///
    /// let mut record = Record::new(Severity::WARN, "shop::pay", "refused");
    /// record.set_time(UNIX_EPOCH);
    /// let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    /// record.push_span("request", [("traceparent", trace)].into_iter().collect());
    /// let mut out = Buffer::new();
    /// Json::datadog().format(&record, &mut out).unwrap();
    /// assert_eq!(
    ///     out,
    ///     r#"{"timestamp":"1970-01-01T00:00:00.000000Z","status":"warning","logger.name":"shop::pay","#.to_owned()
    ///         + r#""message":"refused","dd.trace_id":"11803532876627986230","dd.span_id":"67667974448284343"}"#
    /// );
    /// ```
    ///
    /// | key | what |
    /// |---|---|
    /// | `timestamp`, `status`, `logger.name`, `message` | time; `trace`, `debug`, `info`, `notice` (25), `warning`, `error`, `critical`, `alert` (60), `emergency` (70); target, message |
    /// | `dd.trace_id`, `dd.span_id` | of records in a trace: decimal, of the trace id the lower 64 bits, as Datadog's tracers have it |
    /// | `event_name` | the event's name |
    /// | `logger.file_name`, `logger.line`, `logger.method_name` | the call site, with [`source`](Self::source) |
    /// | `logger.thread_name`, `logger.thread_id` | with [`thread`](Self::thread) |
    /// | `process.name`, `process.id` | with [`process`](Self::process) |
    /// | `error.kind`, `error.message`, `error.stack` | the first error |
    /// | `service`, `dd.env`, `dd.version`, `host` | of the application |
    /// | all other fields | at the top. Those called `source`, `ddsource`, `trace_id`, `span_id`, `logger`, `dd`, `process`, `error` get `_` appended |
    ///
    /// Source: [attributes and aliasing](https://docs.datadoghq.com/logs/log_configuration/attributes_naming_convention/) and
    /// [correlating logs and traces](https://docs.datadoghq.com/tracing/other_telemetry/connect_logs_and_traces/opentelemetry/),
    /// as of 2026.
    pub fn datadog() -> Self {
        Self::of(DATADOG).bare()
    }

    /// Logstash's event, version 1, with the names of `logstash-logback-encoder`.
    ///
    /// ```
    /// use std::time::UNIX_EPOCH;
    /// use tracing_strata::{Record, Severity, format::{Buffer, Format, Json}};
    ///
    /// let mut record = Record::new(Severity::WARN, "shop::pay", "refused");
    /// record.set_time(UNIX_EPOCH);
    /// record.set_thread("main", 1);
    /// let mut out = Buffer::new();
    /// Json::logstash().format(&record, &mut out).unwrap();
    /// assert_eq!(
    ///     out,
    ///     r#"{"@timestamp":"1970-01-01T00:00:00.000000Z","level":"WARN","level_value":30000,"logger_name":"shop::pay","#
    ///         .to_owned()
    ///         + r#""message":"refused","@version":"1","thread_name":"main"}"#
    /// );
    /// ```
    ///
    /// | key | what |
    /// |---|---|
    /// | `@timestamp`, `level`, `level_value`, `logger_name`, `message`, `@version` | time, level and its number (5000 to 50000), target, message, `1` |
    /// | `trace_id`, `span_id`, `trace_flags` | of records in a trace |
    /// | `event_name` | the event's name |
    /// | `caller_file_name`, `caller_line_number`, `caller_class_name` (module path), `caller_method_name` | with [`source`](Self::source) |
    /// | `thread_name` | always, if it has one; `thread_id` is [brought back](Self::rename) by its name |
    /// | `process_name`, `process_id` | with [`process`](Self::process) |
    /// | `stack_trace` | the first error |
    /// | all other fields | at the top; `tags` is Logstash's own and gets `_` appended |
    ///
    /// Source: [standard fields](https://github.com/logfellow/logstash-logback-encoder#standard-fields) of
    /// logstash-logback-encoder 8, and Logstash's event, `@version` 1.
    pub fn logstash() -> Self {
        Self::of(LOGSTASH).bare().thread(true).omit(Key::ThreadId)
    }

    /// Bunyan's core fields, version 0; pino's tools read them, too.
    ///
    /// ```
    /// use std::time::UNIX_EPOCH;
    /// use tracing_strata::{Record, Severity, format::{Buffer, Format, Json}};
    ///
    /// let mut record = Record::new(Severity::WARN, "shop::pay", "refused");
    /// record.set_time(UNIX_EPOCH);
    /// record.set_globals([("service", "shop"), ("host", "web-1")].into_iter().collect());
    /// let mut out = Buffer::new();
    /// Json::bunyan().format(&record, &mut out).unwrap();
    /// assert_eq!(
    ///     out,
    ///     r#"{"time":"1970-01-01T00:00:00.000Z","level":40,"target":"shop::pay","msg":"refused","v":0,"#.to_owned()
    ///         + &format!(r#""name":"shop","hostname":"web-1","pid":{}}}"#, record.process_id())
    /// );
    /// ```
    ///
    /// | key | what |
    /// |---|---|
    /// | `time`, `level`, `target`, `msg`, `v` | time with milliseconds; 10 (trace) to 60 (fatal: CRITICAL); target, message, 0 |
    /// | `name` | the service's name, else the process's as it is when the format is made |
    /// | `hostname` | the host, else this machine's name as it is when the format is made |
    /// | `pid` | the process's id |
    /// | `trace_id`, `span_id`, `trace_flags` | of records in a trace |
    /// | `event_name` | the event's name |
    /// | `src` `{file, line, func}` | the call site, with [`source`](Self::source) |
    /// | `thread_name`, `thread_id` | with [`thread`](Self::thread) |
    /// | `err` `{name, message, stack}` | the first error |
    /// | all other fields | at the top |
    ///
    /// Source: [bunyan's core fields](https://github.com/trentm/node-bunyan#core-fields), `v` 0 (bunyan 2).
    pub fn bunyan() -> Self {
        let json = Self::of(BUNYAN).bare().time(Time::utc().millis());
        json.with(|options| {
            options.process = true;
            let host = crate::record::host_name().unwrap_or_default();
            let process = crate::record::process_name_by_now();
            for (name, names, text) in [("hostname", HOST, &host), ("name", NAME, &process)] {
                if !names.iter().any(|name| options.resource.contains(name)) {
                    options.resource.set(name, if text.is_empty() { "-" } else { text });
                }
            }
        })
    }

    /// OTLP/JSON, one log record on each line, as the OpenTelemetry Collector's file exporter writes it and its `otlpjsonfile`
    /// receiver reads it.
    ///
    /// ```
    /// use std::time::UNIX_EPOCH;
    /// use tracing_strata::{Record, Severity, format::{Buffer, Format, Json}};
    ///
    /// let mut record = Record::new(Severity::WARN, "shop::pay", "refused");
    /// record.set_time(UNIX_EPOCH);
    /// record.set("user", 7);
    /// record.set_globals([("service", "shop")].into_iter().collect());
    /// let mut out = Buffer::new();
    /// Json::otel().format(&record, &mut out).unwrap();
    /// assert_eq!(
    ///     out,
    ///     r#"{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]},"#.to_owned()
    ///         + r#""scopeLogs":[{"scope":{"name":"shop::pay"},"logRecords":[{"timeUnixNano":"0","severityNumber":13,"#
    ///         + r#""severityText":"WARN","body":{"stringValue":"refused"},"#
    ///         + r#""attributes":[{"key":"user","value":{"intValue":"7"}}]}]}]}]}"#
    /// );
    /// ```
    ///
    /// | place | what |
    /// |---|---|
    /// | attributes of the resource | `service.name`, `service.version`, `deployment.environment.name`, `host.name`, `process.pid` (`pid`) of the application; all other global fields and those [of the format](Self::field); all resource attributes of the environment |
    /// | name of the scope | target |
    /// | `timeUnixNano` | time, whatever [`time`](Self::time) says |
    /// | `severityNumber`, `severityText` | [`Severity::otel`](crate::Severity::otel), name of the severity |
    /// | `body` | message |
    /// | `traceId`, `spanId`, `flags` | of records in a trace |
    /// | `eventName` | the event's name |
    /// | attributes `exception.type`, `exception.message`, `exception.stacktrace` | the first error |
    /// | attributes `code.file.path`, `code.line.number`, `code.module.name`, `code.function.name` | with [`source`](Self::source) |
    /// | attributes `thread.name`, `thread.id` | with [`thread`](Self::thread) |
    /// | other attributes | the event's and the spans' fields |
    ///
    /// Integers beyond 64 bits are texts, bytes are base64, lists and maps are arrays and key-value lists (deeper than 24
    /// levels: JSON text).
    ///
    /// Source: [OTLP/JSON](https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding), OTLP 1.11, semantic conventions
    /// 1.37. The feature `otlp` sends records to collectors directly.
    pub fn otel() -> Self {
        Self::of(OTEL).bare().level_number(true)
    }

    /// The shape of python-json-logger with `%(asctime)s %(levelname)s %(name)s %(message)s` and `extra=`.
    ///
    /// ```
    /// use tracing_strata::{Record, Severity, format::{Buffer, Format, Json, Time}};
    ///
    /// let mut record = Record::new(Severity::WARN, "shop.pay", "refused");
    /// record.set("user", 7);
    /// let mut out = Buffer::new();
    /// Json::python().time(Time::none()).format(&record, &mut out).unwrap();
    /// assert_eq!(out, r#"{"levelname":"WARNING","name":"shop.pay","message":"refused","user":7}"#);
    /// ```
    ///
    /// | key | what |
    /// |---|---|
    /// | `asctime`, `levelname`, `name`, `message` | local time as `2026-11-20 16:17:16,123`; `WARNING` for WARN; target, message |
    /// | `trace_id`, `span_id`, `trace_flags` | of records in a trace |
    /// | `event_name` | the event's name |
    /// | `pathname`, `lineno`, `funcName` | with [`source`](Self::source) |
    /// | `threadName`, `thread` | with [`thread`](Self::thread) |
    /// | `processName`, `process` | with [`process`](Self::process) |
    /// | `exc_info`, `stack_info` | the first error; the call stack |
    /// | all other fields | at the top |
    ///
    /// Without a format string, python-json-logger writes only the message and `extra=`: [omit](Self::omit) the others.
    ///
    /// Source: [python-json-logger](https://nhairs.github.io/python-json-logger/latest/), version 4.
    pub fn python() -> Self {
        Self::of(PYTHON).bare().time(Time::asctime())
    }

    /// Without the members that setters turn on.
    fn bare(self) -> Self {
        self.source(false).thread(false).process(false)
    }
}
