//! `formatters`: what a configuration says about formats.

use std::sync::Arc;

use super::{
    keywords::{HandlerArgs, Switch},
    node::{Map, Node},
    problem::ConfigError,
    registry::ClassRegistry,
};
use crate::{
    Format,
    format::{Color, Gelf, Json, Key, Logfmt, Style, Template, Text, Time},
    text::python_repr,
};

/// One entry of `formatters`, shared by the handlers that name it.
pub(super) type Formatter = Arc<dyn Format>;

/// The format of a handler that names none: the message alone.
pub(super) fn bare(as_python: bool) -> Formatter {
    // The default format is right in every style.
    Arc::new(Template::builder("").as_python(as_python).build().unwrap_or_default())
}

const TEMPLATE_KEYS: &[&str] = &[
    "format",
    "datefmt",
    "style",
    "validate",
    "defaults",
    "default_time_format",
    "default_msec_format",
    "utc",
    "zone",
];

/// Fields that are made by formatters of others, and what makes them.
const MADE: &[(&str, &str)] = &[
    ("levelprefix", "uvicorn.logging.DefaultFormatter"),
    ("log_color", "colorlog.ColoredFormatter"),
    ("message_log_color", "colorlog.ColoredFormatter"),
];

/// Names of classes that are templates.
const TEMPLATES: &[&str] = &["logging.Formatter", "Formatter", "template"];

/// Names of classes that are other formats.
const OWN: &[&str] = &["text", "json", "logfmt", "gelf"];

/// One entry of `formatters`.
pub(super) fn make(
    path: &str,
    node: &Node,
    registry: &ClassRegistry,
    as_python: bool,
) -> Result<Formatter, Vec<ConfigError>> {
    let Some(map) = node.as_map() else {
        return Err(vec![ConfigError::new(path, node.at, format!("expected a mapping, got {node}"))]);
    };
    let (key, class) = match map.get("()") {
        Some(class) => ("()", Some(class)),
        None => ("class", map.get("class").filter(|class| !class.is_null())),
    };
    let Some(class) = class else { return template(path, node, map, registry, as_python, false) };
    let Some(name) = class.as_str() else {
        return Err(vec![ConfigError::new(format!("{path}.{key}"), class.at, format!("expected a name, got {class}"))]);
    };
    let name = name.strip_prefix("ext://").unwrap_or(name);
    let keywords = || HandlerArgs::new(path, node.at, name, map, registry, as_python);
    match name {
        _ if registry.has_formatter(name) => {
            let keywords = keywords();
            let made = registry.make_formatter(name, &keywords);
            let problems = keywords.finish(TEMPLATE_KEYS, &["()", "class", "."]);
            match made {
                _ if !problems.is_empty() => Err(problems),
                Some(Ok(formatter)) => Ok(formatter),
                Some(Err(error)) => {
                    Err(vec![ConfigError::new(path, node.at, error.to_string()).python(error.to_string())])
                }
                None => Err(unknown(path, key, class, name, registry)),
            }
        }
        _ if TEMPLATES.contains(&name) => template(path, node, map, registry, as_python, key == "()"),
        name if OWN.contains(&name) => {
            let keywords = keywords();
            let formatter = own(name, &keywords);
            let problems = keywords.finish(&[], &["()", "class"]);
            if problems.is_empty() { Ok(formatter) } else { Err(problems) }
        }
        _ => Err(unknown(path, key, class, name, registry)),
    }
}

fn unknown(path: &str, key: &str, class: &Node, name: &str, registry: &ClassRegistry) -> Vec<ConfigError> {
    let known = registry.formatter_names().chain(TEMPLATES.iter().copied()).chain(OWN.iter().copied());
    let problem =
        ConfigError::new(format!("{path}.{key}"), class.at, format!("no formatter is registered as {name:?}"));
    vec![problem.python(cannot_resolve(name)).nearest_dotted(name, known)]
}

/// As Python says it of a name that leads nowhere.
pub(super) fn cannot_resolve(name: &str) -> String {
    let first = name.split('.').next().unwrap_or(name);
    let module = if first == "logging" { name } else { first };
    format!("Cannot resolve {}: No module named {}", python_repr(name), python_repr(module))
}

/// One of [`OWN`].
fn own(name: &str, keywords: &HandlerArgs<'_>) -> Formatter {
    match name {
        "json" => Arc::new(json(keywords)),
        "logfmt" => Arc::new(logfmt(keywords)),
        "gelf" => Arc::new(gelf(keywords)),
        _ => Arc::new(text(keywords)),
    }
}

fn time(keywords: &HandlerArgs<'_>) -> Option<Time> {
    Some(match &*keywords.str("time")? {
        "utc" => Time::utc(),
        "local" => Time::local(),
        "none" => Time::none(),
        "time_of_day" => Time::time_of_day(),
        "unix_seconds" => Time::unix_seconds(),
        "unix_millis" => Time::unix_millis(),
        "unix_nanos" => Time::unix_nanos(),
        zone => match Time::zone(zone) {
            Ok(time) => time,
            Err(error) => {
                let words = "utc, local, none, time_of_day, unix_seconds, unix_millis, unix_nanos or a zone";
                keywords.note(keywords.wrong("time", format!("expected {words}: {error}")));
                return None;
            }
        },
    })
}

fn json(keywords: &HandlerArgs<'_>) -> Json {
    let shapes: [(_, fn() -> Json); _] = [
        ("flat", Json::new),
        ("tracing_subscriber", Json::tracing_subscriber),
        ("ecs", Json::ecs),
        ("gcp", Json::gcp),
        ("datadog", Json::datadog),
        ("logstash", Json::logstash),
        ("bunyan", Json::bunyan),
        ("otel", Json::otel),
        ("python", Json::python),
    ];
    let mut json = keywords.choice("shape", &shapes).unwrap_or(Json::new)();
    if let Some(time) = time(keywords) {
        json = json.time(time);
    }
    let keys: Vec<_> = Key::ALL.iter().map(|key| (key.default_name(), *key)).collect();
    let names = keywords.inside("rename", |renamed| {
        let named = keys.iter().filter_map(|(name, key)| Some((*key, renamed.str(name)?)));
        named.collect::<Vec<_>>()
    });
    for (key, name) in names.unwrap_or_default() {
        json = json.rename(key, name);
    }
    for name in keywords.texts("omit").unwrap_or_default() {
        match keys.iter().find(|(known, _)| *known == name) {
            Some((_, key)) => json = json.omit(*key),
            None => {
                let problem = keywords.wrong("omit", format!("there is no member {name:?}"));
                keywords.note(problem.nearest(&name, keys.iter().map(|(known, _)| *known)));
            }
        }
    }
    if let Some(name) = keywords.str("nest_fields") {
        json = json.nest_fields(name);
    }
    if let Some(name) = keywords.str("nest_context") {
        json = json.nest_context(name);
    }
    for (name, value) in keywords.fields("fields").unwrap_or_default().iter() {
        json = json.field(name.to_owned(), value);
    }
    if let Some(prefix) = keywords.str("trace_prefix") {
        json = json.trace_prefix(prefix);
    }
    if let Some(version) = keywords.str("schema_version") {
        json = json.schema_version(version.as_str());
    }
    json = keywords.switched(json, JSON_SWITCHES);
    if let Err(error) = json.clone().checked() {
        let of = if keywords.has("rename") { "rename" } else { "fields" };
        keywords.note(keywords.wrong(of, error.to_string()));
    }
    json
}

const JSON_SWITCHES: &[Switch<Json>] = &[
    ("span_list", Json::span_list),
    ("current_span", Json::current_span),
    ("source", Json::source),
    ("thread", Json::thread),
    ("process", Json::process),
    ("level_number", Json::level_number),
    ("event_name", Json::event_name),
    ("lower_case_levels", Json::lower_case_levels),
];

fn logfmt(keywords: &HandlerArgs<'_>) -> Logfmt {
    let mut logfmt = Logfmt::new();
    if let Some(time) = time(keywords) {
        logfmt = logfmt.time(time);
    }
    for (name, value) in keywords.fields("fields").unwrap_or_default().iter() {
        logfmt = logfmt.field(name.to_owned(), value);
    }
    keywords.switched(logfmt, &[("source", Logfmt::source), ("thread", Logfmt::thread)])
}

fn gelf(keywords: &HandlerArgs<'_>) -> Gelf {
    let mut gelf = Gelf::new();
    if let Some(host) = keywords.str("host") {
        gelf = gelf.host(host);
    }
    for (name, value) in keywords.fields("fields").unwrap_or_default().iter() {
        gelf = gelf.field(name.to_owned(), value);
    }
    if let Some(on) = keywords.bool("source") {
        gelf = gelf.source(on);
    }
    if let Some(on) = keywords.bool("thread") {
        gelf = gelf.thread(on);
    }
    gelf
}

fn text(keywords: &HandlerArgs<'_>) -> Text {
    let mut text = Text::new();
    if let Some(time) = time(keywords) {
        text = text.time(time);
    }
    text = keywords.switched(text, TEXT_SWITCHES);
    let color = match keywords.node("color").map(Node::as_bool) {
        Some(Some(on)) => Some(if on { Color::Auto } else { Color::Never }),
        _ => keywords.choice("color", &[("auto", Color::Auto), ("always", Color::Always), ("never", Color::Never)]),
    };
    match color {
        Some(color) => text.color(color),
        None => text,
    }
}

const TEXT_SWITCHES: &[Switch<Text>] = &[
    ("level", Text::level),
    ("target", Text::target),
    ("source", Text::source),
    ("thread", Text::thread),
    ("spans", Text::spans),
    ("globals", Text::globals),
    ("trace_ids", Text::trace_ids),
    ("multi_line", Text::multi_line),
];

fn template(
    path: &str,
    node: &Node,
    map: &Map,
    registry: &ClassRegistry,
    as_python: bool,
    is_factory: bool,
) -> Result<Formatter, Vec<ConfigError>> {
    let keywords = HandlerArgs::new(path, node.at, "Formatter", map, registry, as_python);
    let format = keywords.str("format").or_else(|| keywords.str("fmt"));
    let format = format.unwrap_or_default();
    let mut builder = Template::builder(format.clone()).as_python(as_python);
    match keywords.str("style").map(|style| style.parse::<Style>()) {
        None => {}
        Some(Ok(style)) => builder = builder.style(style),
        Some(Err(error)) => {
            keywords.note(keywords.wrong("style", "expected \"%\", \"{\" or \"$\"").python(error.to_string()));
        }
    }
    if let Some(format) = keywords.str("datefmt") {
        builder = builder.datefmt(format);
    }
    if let Some(validate) = keywords.bool("validate") {
        builder = builder.validate(validate);
    }
    if let Some(defaults) = keywords.fields("defaults") {
        builder = builder.defaults(defaults);
    }
    if let Some(format) = keywords.str("default_time_format") {
        builder = builder.default_time_format(format);
    }
    match map.get("default_msec_format") {
        Some(node) if node.is_null() => builder = builder.default_msec_format(None),
        _ => {
            if let Some(format) = keywords.str("default_msec_format") {
                builder = builder.default_msec_format(Some(&format));
            }
        }
    }
    if keywords.bool("utc") == Some(true) {
        builder = builder.zone(Time::utc());
    }
    if let Some(zone) = keywords.str("zone") {
        match Time::zone(&zone) {
            Ok(time) => builder = builder.zone(time),
            Err(error) => keywords.note(keywords.wrong("zone", error.to_string())),
        }
    }
    let written = if map.get("fmt").is_some() { "fmt" } else { "format" };
    let defaults = |name: &str| map.get("defaults").is_some_and(|defaults| defaults.get(name).is_some());
    for (name, class) in MADE.iter().filter(|(name, _)| !as_python && !defaults(name)) {
        if [format!("%({name})"), format!("{{{name}"), format!("${name}")].iter().any(|field| format.contains(field)) {
            let message =
                format!("no record has the field {name:?}, which {class} makes: leave it out, or give it a default");
            keywords.note(keywords.wrong(written, message));
        }
    }
    let made = builder.build();
    let made = made.map_err(|error| {
        let message = match keywords.str("style") {
            Some(style) => format!("{error} (in the style {style:?}{})", meant(&format, &style)),
            None => error.to_string(),
        };
        keywords.wrong(written, message).python(error.to_string())
    });
    let mut problems = keywords.finish(TEMPLATE_KEYS, &["()", "class", "default_msec_format", "."]);
    if as_python && !is_factory {
        // Python looks at the keys it knows, and at nothing else.
        problems.retain(|problem| !problem.message.ends_with("has no such key"));
    }
    match made {
        _ if !problems.is_empty() => Err(problems),
        Ok(template) => Ok(Arc::new(template)),
        Err(problem) => Err(vec![problem]),
    }
}

/// That a format is in another style than it is said to be.
fn meant(format: &str, style: &str) -> &'static str {
    match style {
        _ if format.contains("%(") && style != "%" => "; it looks like the style \"%\"",
        _ if format.contains("${") && style != "$" => "; it looks like the style \"$\"",
        _ if format.contains('{') && style != "{" => "; it looks like the style \"{\"",
        _ => "",
    }
}
