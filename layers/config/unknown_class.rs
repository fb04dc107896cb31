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

/// Packages whose classes are not built, by the beginning of their names, and what to take instead.
const ABSENT: &[(&str, &str)] = &[
    (
        "watchtower.",
        "there is no output for CloudWatch Logs: write `class: json` to a file or the standard output, which its agent reads, \
         or take `class: otlp` to a collector",
    ),
    (
        "fluent.handler.FluentRecordFormatter",
        "fields are members without a formatter; `class: json` chooses and renames them",
    ),
];

/// What to take instead of a class that is known and not built.
pub(super) fn instead_of(class: &str) -> Option<&'static str> {
    ABSENT.iter().find(|(known, _)| class.starts_with(known)).map(|(_, instead)| *instead)
}

/// What is said where it is used.
pub(super) fn problem(what: &str, class: &str) -> String {
    let instead = instead_of(class).map(|instead| format!("; {instead}")).unwrap_or_default();
    format!("no {what} is registered as {class:?}{instead}")
}

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
    if let Some(instead) = instead_of(class) {
        notes.push(instead.to_owned());
    } else if let Some((_, nearest)) = nearest.iter().find(|(parts, _)| parts.iter().any(|part| name.contains(part))) {
        notes.push(format!("the nearest of ours is `{nearest}`"));
    }
    notes.push(format!("`let registry = ClassRegistry::new().{method}({class:?}, {make});`"));
    notes.push("`let logging = Logging::builder().registry(registry).build(&config)?;`".to_owned());
    notes
}
