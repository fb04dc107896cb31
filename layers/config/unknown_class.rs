//! What the migration report says of a class that nobody knows: the nearest of ours, and how to add one's own.

/// What an unknown class is for.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Formatter,
    Handler,
    Filter,
}

/// Parts of a name in lower case, and the class of ours that is nearest.
type Nearest = (&'static [&'static str], &'static str);

const FORMATTERS: &[Nearest] = &[
    (&["logstash"], "class: json, shape: logstash"),
    (&["ecs", "elastic"], "class: json, shape: ecs"),
    (&["gelf", "graylog"], "class: gelf"),
    (&["stackdriver", "gcp", "googlecloud"], "class: json, shape: gcp"),
    (&["datadog"], "class: json, shape: datadog"),
    (&["json"], "class: json"),
    (&["logfmt", "keyvalue"], "class: logfmt"),
    (&["rich", "loguru", "console", "pretty"], "class: pretty"),
    (&["color", "colour"], "class: text"),
    (&[""], "class: logging.Formatter"),
];

const HANDLERS: &[Nearest] = &[
    (&["loki"], "class: loki"),
    (&["splunk"], "class: splunk_hec"),
    (&["elastic", "opensearch"], "class: elasticsearch"),
    (&["datadog"], "class: datadog"),
    (&["logtail", "betterstack"], "class: better_stack"),
    (&["sematext", "logsene"], "class: sematext"),
    (&["slack", "discord", "webhook"], "class: webhook"),
    (&["fluent"], "class: fluent_forward"),
    (&["http"], "class: logging.handlers.HTTPHandler"),
    (&["timed"], "class: logging.handlers.TimedRotatingFileHandler"),
    (&["rotat", "rolling"], "class: logging.handlers.RotatingFileHandler"),
    (&["file"], "class: logging.FileHandler"),
    (&["syslog", "papertrail"], "class: logging.handlers.SysLogHandler"),
    (&["journal"], "class: journald"),
    (&["otel", "otlp", "opentelemetry"], "class: otlp"),
    (&["udp", "datagram"], "class: logging.handlers.DatagramHandler"),
    (&["tcp", "socket"], "class: logging.handlers.SocketHandler"),
    (&["queue"], "class: logging.handlers.QueueHandler"),
    (&["memory", "buffer"], "class: logging.handlers.MemoryHandler"),
    (&["stream", "console", "rich", "tqdm", "color", "colour"], "class: logging.StreamHandler"),
];

const FILTERS: &[Nearest] =
    &[(&["rate", "throttl", "limit", "duplicate", "burst"], "class: rate_limit"), (&["sampl"], "class: sample")];

/// The notes of the report.
pub(super) fn notes(kind: Kind, class: &str) -> Vec<String> {
    let (nearest, what, method, make) = match kind {
        Kind::Formatter => {
            (FORMATTERS, "implement `Format`", "formatter", "|args| Ok(Box::new(Mine::new(args.str(\"format\"))))")
        }
        Kind::Handler => (
            HANDLERS,
            "implement `Handler`",
            "handler",
            "|args, format| Ok(Mine::new(args.str(\"host\"), format).boxed())",
        ),
        Kind::Filter => {
            (FILTERS, "write a closure", "filter", "|args| Ok(ConfigFilter::decides(|record: &Record| passes(record)))")
        }
    };
    let mut notes =
        vec![format!("nothing is registered as {class:?}: {what}, and add it with `ClassRegistry::{method}`")];
    let name = class.rsplit('.').next().unwrap_or(class).to_lowercase();
    if let Some((_, nearest)) = nearest.iter().find(|(parts, _)| parts.iter().any(|part| name.contains(part))) {
        notes.push(format!("the nearest of ours is `{nearest}`"));
    }
    notes.push(format!("`let registry = ClassRegistry::new().{method}({class:?}, {make});`"));
    notes.push("`let logging = Logging::builder().registry(registry).build(&config)?;`".to_owned());
    notes
}
