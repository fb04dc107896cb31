//! The tables of the shapes that tools expect.

use super::{
    Key::*,
    Member::{
        self, Attributes, Decimal, Global, Key, LevelName, LevelNumber, List, Nanos, Number, Object, Quoted, Reserved,
        Rest, RestOfGlobals, RestOfRecord, Text,
    },
};

type Table = &'static [(&'static str, Member)];

pub(super) const NAME: &[&str] = &["service", "service.name"];
const VERSION: &[&str] = &["version", "service.version"];
const ENVIRONMENT: &[&str] = &["env", "environment", "deployment.environment.name", "deployment.environment"];
pub(super) const HOST: &[&str] = &["host", "host.name"];

pub(super) const ECS: Table = &[
    ("@timestamp", Key(Timestamp)),
    ("log.level", Key(Level)),
    ("message", Key(Message)),
    ("ecs.version", Text("8.17.0")),
    ("log.logger", Key(Target)),
    ("trace.id", Key(TraceId)),
    ("span.id", Key(SpanId)),
    ("event.action", Key(EventName)),
    ("log.origin.file.name", Key(File)),
    ("log.origin.file.line", Key(Line)),
    ("log.origin.function", Key(Function)),
    ("process.thread.name", Key(ThreadName)),
    ("process.thread.id", Key(ThreadId)),
    ("process.name", Key(ProcessName)),
    ("process.pid", Key(ProcessId)),
    ("error.type", Key(ErrorType)),
    ("error.message", Key(ErrorMessage)),
    ("error.stack_trace", Key(ErrorStack)),
    ("service.name", Global(NAME)),
    ("service.version", Global(VERSION)),
    ("service.environment", Global(ENVIRONMENT)),
    ("host.name", Global(HOST)),
    // In Elasticsearch these are objects: a text or a number of that name would be refused.
    ("log", Reserved),
    ("log.origin", Reserved),
    ("log.origin.file", Reserved),
    ("ecs", Reserved),
    ("trace", Reserved),
    ("span", Reserved),
    ("event", Reserved),
    ("process", Reserved),
    ("process.thread", Reserved),
    ("error", Reserved),
    ("service", Reserved),
    ("host", Reserved),
    ("", Rest),
];

pub(super) const GCP: Table = &[
    ("time", Key(Timestamp)),
    ("severity", LevelName(GCP_LEVELS)),
    ("logger", Key(Target)),
    ("message", Key(Message)),
    ("logging.googleapis.com/trace", Key(TraceId)),
    ("logging.googleapis.com/spanId", Key(SpanId)),
    ("logging.googleapis.com/trace_sampled", Key(TraceSampled)),
    (
        "logging.googleapis.com/sourceLocation",
        Object(&[("file", Key(File)), ("line", Quoted(Line)), ("function", Key(Function))]),
    ),
    ("event_name", Key(EventName)),
    ("thread_name", Key(ThreadName)),
    ("thread_id", Key(ThreadId)),
    ("process_name", Key(ProcessName)),
    ("process_id", Key(ProcessId)),
    ("stack_trace", Key(ErrorStack)),
    ("serviceContext", Object(&[("service", Global(&["service.name"])), ("version", Global(&["service.version"]))])),
    ("", Rest),
];

const GCP_LEVELS: &[(i32, &str)] = &[
    (i32::MIN, "DEBUG"),
    (20, "INFO"),
    (25, "NOTICE"),
    (30, "WARNING"),
    (40, "ERROR"),
    (50, "CRITICAL"),
    (60, "ALERT"),
    (70, "EMERGENCY"),
];

pub(super) const DATADOG: Table = &[
    ("timestamp", Key(Timestamp)),
    ("status", LevelName(DATADOG_LEVELS)),
    ("logger.name", Key(Target)),
    ("message", Key(Message)),
    ("dd.trace_id", Decimal(TraceId)),
    ("dd.span_id", Decimal(SpanId)),
    ("event_name", Key(EventName)),
    ("logger.file_name", Key(File)),
    ("logger.line", Key(Line)),
    ("logger.method_name", Key(Function)),
    ("logger.thread_name", Key(ThreadName)),
    ("logger.thread_id", Key(ThreadId)),
    ("process.name", Key(ProcessName)),
    ("process.id", Key(ProcessId)),
    ("error.kind", Key(ErrorType)),
    ("error.message", Key(ErrorMessage)),
    ("error.stack", Key(ErrorStack)),
    ("service", Global(&["service.name"])),
    ("dd.env", Global(ENVIRONMENT)),
    ("dd.version", Global(VERSION)),
    ("host", Global(&["host.name"])),
    // Datadog takes these for its own.
    ("source", Reserved),
    ("ddsource", Reserved),
    ("trace_id", Reserved),
    ("span_id", Reserved),
    // Objects.
    ("logger", Reserved),
    ("dd", Reserved),
    ("process", Reserved),
    ("error", Reserved),
    ("", Rest),
];

const DATADOG_LEVELS: &[(i32, &str)] = &[
    (i32::MIN, "trace"),
    (10, "debug"),
    (20, "info"),
    (25, "notice"),
    (30, "warning"),
    (40, "error"),
    (50, "critical"),
    (60, "alert"),
    (70, "emergency"),
];

pub(super) const LOGSTASH: Table = &[
    ("@timestamp", Key(Timestamp)),
    ("level", Key(Level)),
    (
        "level_value",
        LevelNumber(&[(i32::MIN, 5_000), (10, 10_000), (20, 20_000), (30, 30_000), (40, 40_000), (50, 50_000)]),
    ),
    ("logger_name", Key(Target)),
    ("message", Key(Message)),
    ("@version", Text("1")),
    ("trace_id", Key(TraceId)),
    ("span_id", Key(SpanId)),
    ("trace_flags", Key(TraceFlags)),
    ("event_name", Key(EventName)),
    ("caller_file_name", Key(File)),
    ("caller_line_number", Key(Line)),
    ("caller_class_name", Key(ModulePath)),
    ("caller_method_name", Key(Function)),
    ("thread_name", Key(ThreadName)),
    ("thread_id", Key(ThreadId)),
    ("process_name", Key(ProcessName)),
    ("process_id", Key(ProcessId)),
    ("stack_trace", Key(ErrorStack)),
    // Logstash's own.
    ("tags", Reserved),
    ("", Rest),
];

pub(super) const BUNYAN: Table = &[
    ("time", Key(Timestamp)),
    ("level", LevelNumber(&[(i32::MIN, 10), (10, 20), (20, 30), (30, 40), (40, 50), (50, 60)])),
    ("target", Key(Target)),
    ("msg", Key(Message)),
    ("v", Number(0)),
    ("name", Global(NAME)),
    ("hostname", Global(HOST)),
    ("pid", Key(ProcessId)),
    ("trace_id", Key(TraceId)),
    ("span_id", Key(SpanId)),
    ("trace_flags", Key(TraceFlags)),
    ("event_name", Key(EventName)),
    ("src", Object(&[("file", Key(File)), ("line", Key(Line)), ("func", Key(Function))])),
    ("thread_name", Key(ThreadName)),
    ("thread_id", Key(ThreadId)),
    ("err", Object(&[("name", Key(ErrorType)), ("message", Key(ErrorMessage)), ("stack", Key(ErrorStack))])),
    ("", Rest),
];

pub(super) const OTEL: Table = &[(
    "resourceLogs",
    List(&[
        (
            "resource",
            Object(&[(
                "attributes",
                Attributes(&[
                    ("service.name", Global(NAME)),
                    ("service.version", Global(VERSION)),
                    ("deployment.environment.name", Global(ENVIRONMENT)),
                    ("host.name", Global(HOST)),
                    ("process.pid", Global(&["pid"])),
                    ("", RestOfGlobals),
                ]),
            )]),
        ),
        (
            "scopeLogs",
            List(&[
                ("scope", Object(&[("name", Key(Target))])),
                (
                    "logRecords",
                    List(&[
                        ("timeUnixNano", Nanos),
                        ("severityNumber", LevelNumber(OTEL_LEVELS)),
                        ("severityText", Key(Level)),
                        ("body", Object(&[("stringValue", Key(Message))])),
                        ("traceId", Key(TraceId)),
                        ("spanId", Key(SpanId)),
                        ("flags", Decimal(TraceFlags)),
                        ("eventName", Key(EventName)),
                        (
                            "attributes",
                            Attributes(&[
                                ("exception.type", Key(ErrorType)),
                                ("exception.message", Key(ErrorMessage)),
                                ("exception.stacktrace", Key(ErrorStack)),
                                ("code.file.path", Key(File)),
                                ("code.line.number", Key(Line)),
                                ("code.module.name", Key(ModulePath)),
                                ("code.function.name", Key(Function)),
                                ("thread.name", Key(ThreadName)),
                                ("thread.id", Key(ThreadId)),
                                ("", RestOfRecord),
                            ]),
                        ),
                    ]),
                ),
            ]),
        ),
    ]),
)];

/// The same as [`crate::Severity::otel`].
const OTEL_LEVELS: &[(i32, i32)] = &[
    (i32::MIN, 1),
    (7, 2),
    (8, 3),
    (9, 4),
    (10, 5),
    (13, 6),
    (15, 7),
    (18, 8),
    (20, 9),
    (23, 10),
    (25, 11),
    (28, 12),
    (30, 13),
    (33, 14),
    (35, 15),
    (38, 16),
    (40, 17),
    (43, 18),
    (45, 19),
    (48, 20),
    (50, 21),
    (53, 22),
    (55, 23),
    (58, 24),
];

pub(super) const PYTHON: Table = &[
    ("asctime", Key(Timestamp)),
    ("levelname", LevelName(PYTHON_LEVELS)),
    ("name", Key(Target)),
    ("message", Key(Message)),
    ("trace_id", Key(TraceId)),
    ("span_id", Key(SpanId)),
    ("trace_flags", Key(TraceFlags)),
    ("event_name", Key(EventName)),
    ("pathname", Key(File)),
    ("lineno", Key(Line)),
    ("funcName", Key(Function)),
    ("threadName", Key(ThreadName)),
    ("thread", Key(ThreadId)),
    ("processName", Key(ProcessName)),
    ("process", Key(ProcessId)),
    ("exc_info", Key(ErrorStack)),
    ("stack_info", Key(Stack)),
    ("", Rest),
];

const PYTHON_LEVELS: &[(i32, &str)] =
    &[(i32::MIN, "TRACE"), (10, "DEBUG"), (20, "INFO"), (30, "WARNING"), (40, "ERROR"), (50, "CRITICAL")];
