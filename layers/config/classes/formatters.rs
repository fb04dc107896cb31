//! The section `formatters`.

use std::sync::Arc;

use super::third_party;
use crate::{
    Severity,
    config::{
        error::{ConfigError, cannot_resolve},
        formatting::Formatter,
        handler_args::{HandlerArgs, SetIfSome as _, Switch},
        node::{Map, Node},
        registry::ClassRegistry,
        setup::Setup,
        unknown_class,
    },
    format::{Color, FormatExt as _, Gelf, Json, Key, Layout, Logfmt, Style, Template, TemplateBuilder, Text, Time},
};

/// Fields that only foreign formatters add to records.
const FOREIGN_FIELDS: &[(&str, &str)] = &[
    ("levelprefix", "uvicorn.logging.DefaultFormatter"),
    ("log_color", "colorlog.ColoredFormatter"),
    ("message_log_color", "colorlog.ColoredFormatter"),
];

/// Names of classes that are templates.
const TEMPLATES: &[&str] = &["logging.Formatter", "Formatter", "template"];

/// Names of the other formats of this crate.
const FORMATS: &[&str] = &["text", "pretty", "json", "logfmt", "gelf", CONDITIONAL];

/// The class that chooses among other formatters.
const CONDITIONAL: &str = "conditional";

pub(in crate::config) fn is_conditional(node: &Node) -> bool {
    node.class_name() == Some(CONDITIONAL)
}

/// Whether no registry is needed to know the class.
pub(in crate::config) fn is_standard(class: &str) -> bool {
    TEMPLATES.contains(&class) || FORMATS.contains(&class) || is_third_party(class)
}

/// Whether it is a class of another package that is built as ours.
pub(in crate::config) fn is_third_party(class: &str) -> bool {
    third_party::has_formatter(class)
}

/// The keys of such a class that Python does not pass on.
pub(in crate::config) fn ignored_keys(node: &Node) -> Vec<&str> {
    let by_name = node.get("()").is_some();
    let keys = node.as_map().into_iter().flat_map(Map::iter).map(|(key, _)| &*key.text);
    keys.filter(|key| !third_party::is_passed(key, by_name)).collect()
}

/// The names of all classes, ours first, and whether every key of theirs is known.
pub(in crate::config) fn known_classes() -> impl Iterator<Item = (&'static str, bool)> {
    let ours = TEMPLATES.iter().chain(FORMATS).map(|name| (*name, true));
    ours.chain(third_party::formatter_names().map(|name| (name, false)))
}

/// Makes a formatter that names no others.
pub(in crate::config) fn make(setup: &Setup, path: &str, node: &Node) -> Result<Formatter, Vec<ConfigError>> {
    make_with(setup, path, node, &|_| None)
}

/// Finds a formatter by its name.
type Find<'f> = &'f dyn Fn(&str) -> Option<Formatter>;

/// Makes a formatter from an entry of `formatters`.
pub(in crate::config) fn make_with(
    setup: &Setup,
    path: &str,
    node: &Node,
    find: Find<'_>,
) -> Result<Formatter, Vec<ConfigError>> {
    let Some(map) = node.as_map() else {
        return Err(vec![ConfigError::new(path, node.at, format!("expected a mapping, got {node}"))]);
    };
    let (key, class) = match map.get("()") {
        Some(class) => ("()", Some(class)),
        None => ("class", map.get("class").filter(|class| !class.is_null())),
    };
    let Some(class) = class else { return template(setup, path, node, map, false) };
    let Some(name) = class.as_str() else {
        return Err(vec![ConfigError::new(format!("{path}.{key}"), class.at, format!("expected a name, got {class}"))]);
    };
    let name = name.strip_prefix("ext://").unwrap_or(name);
    let registry = &setup.registry;
    let args = || setup.args(path, node.at, name, map);
    match name {
        _ if registry.has_formatter(name) => {
            let args = args();
            let made = registry.make_formatter(name, &args);
            let problems = args.finish(&[], &["()", "class", "."]);
            match made {
                _ if !problems.is_empty() => Err(problems),
                Some(Ok(format)) => Ok(format.into()),
                Some(Err(error)) => {
                    Err(vec![ConfigError::new(path, node.at, error.to_string()).python(error.to_string())])
                }
                None => Err(unknown(path, key, class, name, registry)),
            }
        }
        _ if TEMPLATES.contains(&name) => template(setup, path, node, map, key == "()"),
        _ if third_party::has_formatter(name) => third_party::make(setup, path, node, map, name, key == "()"),
        name if FORMATS.contains(&name) => {
            let args = args();
            let formatter = standard(name, &args, find);
            let problems = args.finish(&[], &["()", "class"]);
            if problems.is_empty() { Ok(formatter) } else { Err(problems) }
        }
        _ => Err(unknown(path, key, class, name, registry)),
    }
}

fn unknown(path: &str, key: &str, class: &Node, name: &str, registry: &ClassRegistry) -> Vec<ConfigError> {
    let known = registry.formatter_names().chain(known_classes().map(|(name, _)| name));
    let problem = ConfigError::new(format!("{path}.{key}"), class.at, unknown_class::problem("formatter", name));
    vec![problem.python(cannot_resolve(name)).nearest_dotted(name, known)]
}

/// One of [`FORMATS`].
fn standard(name: &str, args: &HandlerArgs<'_>, find: Find<'_>) -> Formatter {
    match name {
        CONDITIONAL => conditional(args, find),
        "json" => Arc::new(json(args)),
        "logfmt" => Arc::new(logfmt(args)),
        "gelf" => Arc::new(gelf(args)),
        "pretty" => Arc::new(text(Text::pretty(), args)),
        _ => Arc::new(text(Text::new(), args)),
    }
}

/// A formatter for each level and logger: the highest level, the longest name and loggers before levels are asked first.
fn conditional(args: &HandlerArgs<'_>, find: Find<'_>) -> Formatter {
    let found = |args: &HandlerArgs<'_>, key: &str| {
        let name = args.str(key)?;
        let formatter = find(&name);
        if formatter.is_none() {
            args.report(args.wrong(key, format!("there is no formatter {name:?} to choose")));
        }
        formatter
    };
    args.require("default");
    let mut formatter = found(args, "default").unwrap_or_else(|| Arc::new(Text::new()));
    let rules = |key: &str| {
        let all = |inner: &HandlerArgs<'_>| {
            let names = inner.names().map(str::to_owned);
            names.filter_map(|name| Some((found(inner, &name)?, name))).collect::<Vec<_>>()
        };
        args.inside(key, all).unwrap_or_default()
    };
    let level = |(other, name): (_, String)| match name.parse::<Severity>() {
        Ok(level) => Some((level, other)),
        Err(error) => {
            args.report(args.wrong("levels", error.to_string()));
            None
        }
    };
    let mut levels: Vec<_> = rules("levels").into_iter().filter_map(level).collect();
    levels.sort_by_key(|(level, _)| *level);
    for (level, other) in levels {
        formatter = Arc::new(formatter.for_level(level, other));
    }
    let mut loggers = rules("loggers");
    loggers.sort_by_key(|(_, name)| name.len());
    for (other, name) in loggers {
        formatter = Arc::new(formatter.for_logger(name, other));
    }
    formatter
}

fn time(args: &HandlerArgs<'_>) -> Option<Time> {
    Some(match &*args.str("time")? {
        "utc" => Time::utc(),
        "local" => Time::local(),
        "none" => Time::none(),
        "time_of_day" => Time::time_of_day(),
        "unix_seconds" => Time::unix_seconds(),
        "unix_millis" => Time::unix_millis(),
        "unix_micros" => Time::unix_micros(),
        "unix_nanos" => Time::unix_nanos(),
        "since_start" => Time::since_start(),
        zone => match Time::zone(zone) {
            Ok(time) => time,
            Err(error) => {
                let words = "utc, local, none, time_of_day, unix_seconds, unix_millis, unix_micros, unix_nanos, since_start or a zone";
                args.report(args.wrong("time", format!("expected {words}: {error}")));
                return None;
            }
        },
    })
}

fn json(args: &HandlerArgs<'_>) -> Json {
    let shapes: [(_, fn() -> Json); 9] = [
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
    let mut json = args.choice("shape", &shapes).unwrap_or(Json::new)();
    json = json.set_if_some(time(args), Json::time);
    let keys: Vec<_> = Key::ALL.iter().map(|key| (key.default_name(), *key)).collect();
    let names = args.inside("rename", |renamed| {
        let named = keys.iter().filter_map(|(name, key)| Some((*key, renamed.str(name)?)));
        named.collect::<Vec<_>>()
    });
    for (key, name) in names.unwrap_or_default() {
        json = json.rename(key, name);
    }
    for name in args.texts("omit").unwrap_or_default() {
        match keys.iter().find(|(known, _)| *known == name) {
            Some((_, key)) => json = json.omit(*key),
            None => {
                let problem = args.wrong("omit", format!("there is no member {name:?}"));
                args.report(problem.nearest(&name, keys.iter().map(|(known, _)| *known)));
            }
        }
    }
    json = json
        .set_if_some(args.str("nest_fields"), Json::nest_fields)
        .set_if_some(args.str("nest_context"), Json::nest_context);
    for (name, value) in args.fields("fields").unwrap_or_default().iter() {
        json = json.field(name.to_owned(), value);
    }
    json = json.set_if_some(args.str("trace_prefix"), Json::trace_prefix);
    if let Some(version) = args.str("schema_version") {
        json = json.schema_version(version.as_str());
    }
    json = args.apply_switches(json, JSON_SWITCHES);
    if let Err(error) = json.clone().checked() {
        let of = if args.has("rename") { "rename" } else { "fields" };
        args.report(args.wrong(of, error.to_string()));
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

fn logfmt(args: &HandlerArgs<'_>) -> Logfmt {
    let mut logfmt = Logfmt::new();
    logfmt = logfmt.set_if_some(time(args), Logfmt::time);
    for (name, value) in args.fields("fields").unwrap_or_default().iter() {
        logfmt = logfmt.field(name.to_owned(), value);
    }
    args.apply_switches(logfmt, &[("source", Logfmt::source), ("thread", Logfmt::thread)])
}

fn gelf(args: &HandlerArgs<'_>) -> Gelf {
    let mut gelf = Gelf::new();
    gelf = gelf.set_if_some(args.str("host"), Gelf::host);
    for (name, value) in args.fields("fields").unwrap_or_default().iter() {
        gelf = gelf.field(name.to_owned(), value);
    }
    args.apply_switches(gelf, &[("source", Gelf::source), ("thread", Gelf::thread)])
}

fn text(text: Text, args: &HandlerArgs<'_>) -> Text {
    let mut text = text.set_if_some(time(args), Text::time);
    text = args.apply_switches(text, TEXT_SWITCHES);
    text = text.set_if_some(args.inside("layout", layout), Text::layout);
    let color = match args.node("color").map(Node::as_bool) {
        Some(Some(on)) => Some(if on { Color::Auto } else { Color::Never }),
        _ => args.choice("color", &[("auto", Color::Auto), ("always", Color::Always), ("never", Color::Never)]),
    };
    match color {
        Some(color) => text.color(color),
        None => text,
    }
}

fn layout(args: &HandlerArgs<'_>) -> Layout {
    let mut layout = Layout::new();
    if args.has("first") && args.has("only") {
        args.report(args.wrong("first", "expected \"first\" or \"only\", got both"));
    }
    layout = layout
        .set_if_some(args.texts("first"), Layout::first)
        .set_if_some(args.texts("only"), Layout::only)
        .set_if_some(args.texts("omit"), Layout::omit)
        .set_if_some(args.size("max_width"), Layout::max_width)
        .set_if_some(args.bool("durations"), Layout::durations)
        .set_if_some(args.size("target_names"), Layout::target_names);
    for (name, shown) in args.pairs("rename").unwrap_or_default() {
        layout = layout.rename(name, shown);
    }
    for (target, alias) in args.pairs("target_aliases").unwrap_or_default() {
        layout = layout.target_alias(target, alias);
    }
    let widths = args.inside("pad", |inner| {
        let names: Vec<_> = inner.names().map(str::to_owned).collect();
        names.into_iter().filter_map(|name| Some((inner.size(&name)?, name))).collect::<Vec<_>>()
    });
    for (width, name) in widths.unwrap_or_default() {
        layout = layout.pad(name, width);
    }
    layout
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
    setup: &Setup,
    path: &str,
    node: &Node,
    map: &Map,
    is_factory: bool,
) -> Result<Formatter, Vec<ConfigError>> {
    let as_python = setup.as_python;
    let args = setup.args(path, node.at, "Formatter", map);
    let made = template_of(as_python, map, &args);
    let mut problems = args.finish(&[], &["()", "class", "default_msec_format", "."]);
    if as_python && !is_factory {
        // Python ignores keys that it does not know.
        problems.retain(|problem| !problem.message.ends_with("has no such key"));
    }
    match made {
        _ if !problems.is_empty() => Err(problems),
        Ok(template) => Ok(Arc::new(template)),
        Err(problem) => Err(vec![problem]),
    }
}

fn template_of(as_python: bool, map: &Map, args: &HandlerArgs<'_>) -> Result<Template, ConfigError> {
    let format = args.str("format").or_else(|| args.str("fmt"));
    let format = format.unwrap_or_default();
    let mut builder = Template::builder(format.clone()).as_python(as_python);
    match args.str("style").map(|style| style.parse::<Style>()) {
        None => {}
        Some(Ok(style)) => builder = builder.style(style),
        Some(Err(error)) => {
            args.report(args.wrong("style", "expected \"%\", \"{\" or \"$\"").python(error.to_string()));
        }
    }
    builder = builder
        .set_if_some(args.str("datefmt"), TemplateBuilder::datefmt)
        .set_if_some(args.bool("validate"), TemplateBuilder::validate)
        .set_if_some(args.fields("defaults"), TemplateBuilder::defaults)
        .set_if_some(args.str("default_time_format"), TemplateBuilder::default_time_format);
    match map.get("default_msec_format") {
        Some(node) if node.is_null() => builder = builder.default_msec_format(None),
        _ => {
            if let Some(format) = args.str("default_msec_format") {
                builder = builder.default_msec_format(Some(&format));
            }
        }
    }
    if args.bool("utc") == Some(true) {
        builder = builder.zone(Time::utc());
    }
    builder = builder.set_if_some(args.converted("zone", Time::zone), TemplateBuilder::zone);
    let written = if map.get("fmt").is_some() { "fmt" } else { "format" };
    let defaults = |name: &str| map.get("defaults").is_some_and(|defaults| defaults.get(name).is_some());
    for (name, class) in FOREIGN_FIELDS.iter().filter(|(name, _)| !as_python && !defaults(name)) {
        if [format!("%({name})"), format!("{{{name}"), format!("${name}")].iter().any(|field| format.contains(field)) {
            let message =
                format!("no record has the field {name:?}, which {class} makes: leave it out, or give it a default");
            args.report(args.wrong(written, message));
        }
    }
    builder.build().map_err(|error| {
        let message = match args.str("style") {
            Some(style) => format!("{error} (in the style {style:?}{})", style_hint(&format, &style)),
            None => error.to_string(),
        };
        args.wrong(written, message).python(error.to_string())
    })
}

/// What a class reads from its entry.
pub(in crate::config) fn read(name: &str, setup: &Setup, args: &HandlerArgs<'_>) {
    if TEMPLATES.contains(&name) {
        template_of(false, &Map::default(), args).map(drop).unwrap_or_default();
    } else if FORMATS.contains(&name) {
        drop(standard(name, args, &|_| None));
    } else {
        third_party::read(name, setup, args);
    }
}

/// A hint that a format is in another style than declared.
fn style_hint(format: &str, style: &str) -> &'static str {
    match style {
        _ if format.contains("%(") && style != "%" => "; it looks like the style \"%\"",
        _ if format.contains("${") && style != "$" => "; it looks like the style \"$\"",
        _ if format.contains('{') && style != "{" => "; it looks like the style \"{\"",
        _ => "",
    }
}
