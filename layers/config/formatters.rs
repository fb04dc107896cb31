//! `formatters`: what a configuration says about formats.

use std::sync::Arc;

use super::{
    keywords::Keywords,
    node::{Map, Node},
    problem::Problem,
    registry::Registry,
};
use crate::{
    Error, Format, Record,
    format::{Json, Style, Template, Text, Time},
    text::python_repr,
};

/// A format that handlers of several kinds can wear.
#[derive(Clone)]
pub(super) enum Formatter {
    Template(Template),
    Text(Text),
    Json(Arc<dyn Format>),
    Own(Arc<dyn Format>),
}

impl Formatter {
    /// For a place that is a terminal, or not.
    pub(super) fn format(&self, terminal: bool) -> Arc<dyn Format> {
        match self {
            Self::Template(template) => Arc::new(template.clone()),
            Self::Text(text) => {
                let mut text = text.clone();
                text.adapt(terminal);
                Arc::new(text)
            }
            Self::Json(format) | Self::Own(format) => Arc::clone(format),
        }
    }

    /// On its own.
    pub(super) fn boxed(&self) -> Box<dyn Format> {
        struct Held(Arc<dyn Format>);

        impl Format for Held {
            fn format(&self, record: &Record, out: &mut String) -> Result<(), Error> {
                self.0.format(record, out)
            }
        }

        Box::new(Held(self.format(false)))
    }

    /// What a handler wears that is given none: the message alone.
    pub(super) fn bare(as_python: bool) -> Self {
        let bare = Template::builder("").as_python(as_python).build();
        // The default format is right in every style.
        Self::Template(bare.unwrap_or_default())
    }
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

/// Names of classes that are templates.
const TEMPLATES: &[&str] = &["logging.Formatter", "Formatter", "template"];

/// One entry of `formatters`.
pub(super) fn make(path: &str, node: &Node, registry: &Registry, as_python: bool) -> Result<Formatter, Vec<Problem>> {
    let Some(map) = node.as_map() else {
        return Err(vec![Problem::new(path, node.at, format!("expected a mapping, got {node}"))]);
    };
    let (key, class) = match map.get("()") {
        Some(class) => ("()", Some(class)),
        None => ("class", map.get("class").filter(|class| !class.is_null())),
    };
    let Some(class) = class else { return template(path, node, map, registry, as_python, false) };
    let Some(name) = class.as_str() else {
        return Err(vec![Problem::new(format!("{path}.{key}"), class.at, format!("expected a name, got {class}"))]);
    };
    let name = name.strip_prefix("ext://").unwrap_or(name);
    let keywords = || Keywords::new(path, node.at, name, map, registry, as_python);
    match name {
        _ if registry.has_formatter(name) => {
            let keywords = keywords();
            let made = registry.make_formatter(name, &keywords);
            let problems = keywords.finish(TEMPLATE_KEYS, &["()", "class", "."]);
            match made {
                _ if !problems.is_empty() => Err(problems),
                Some(Ok(formatter)) => Ok(formatter),
                Some(Err(error)) => Err(vec![Problem::new(path, node.at, error.to_string()).python(error.to_string())]),
                None => Err(unknown(path, key, class, name, registry)),
            }
        }
        _ if TEMPLATES.contains(&name) => template(path, node, map, registry, as_python, key == "()"),
        "text" | "json" => {
            let keywords = keywords();
            let formatter = own(name, &keywords);
            let problems = keywords.finish(&[], &["()", "class"]);
            if problems.is_empty() { Ok(formatter) } else { Err(problems) }
        }
        _ => Err(unknown(path, key, class, name, registry)),
    }
}

fn unknown(path: &str, key: &str, class: &Node, name: &str, registry: &Registry) -> Vec<Problem> {
    let known = registry.formatter_names().chain(TEMPLATES.iter().copied()).chain(["text", "json"]);
    let problem = Problem::new(format!("{path}.{key}"), class.at, format!("no formatter is registered as {name:?}"));
    vec![problem.python(cannot_resolve(name)).nearest(name, known)]
}

/// As Python says it of a name that leads nowhere.
pub(super) fn cannot_resolve(name: &str) -> String {
    let first = name.split('.').next().unwrap_or(name);
    let module = if first == "logging" { name } else { first };
    format!("Cannot resolve {}: No module named {}", python_repr(name), python_repr(module))
}

fn own(name: &str, keywords: &Keywords<'_>) -> Formatter {
    let time =
        match keywords.text("time").as_deref() {
            None => None,
            Some("utc") => Some(Time::utc()),
            Some("local") => Some(Time::local()),
            Some("none") => Some(Time::none()),
            Some("unix_seconds") => Some(Time::unix_seconds()),
            Some("unix_millis") => Some(Time::unix_millis()),
            Some(zone) => match Time::zone(zone) {
                Ok(time) => Some(time),
                Err(error) => {
                    keywords.note(keywords.wrong(
                        "time",
                        format!("expected utc, local, none, unix_seconds, unix_millis or a zone: {error}"),
                    ));
                    None
                }
            },
        };
    if name == "json" {
        let mut json = Json::new();
        if let Some(time) = time {
            json = json.time(time);
        }
        return Formatter::Json(Arc::new(json));
    }
    let mut text = Text::new();
    if let Some(time) = time {
        text = text.time(time);
    }
    for (key, set) in TEXT_SWITCHES {
        if let Some(on) = keywords.truth(key) {
            text = set(text, on);
        }
    }
    if keywords.truth("color") == Some(false) {
        text = text.color(crate::format::Color::Never);
    }
    Formatter::Text(text)
}

type Switch = fn(Text, bool) -> Text;

const TEXT_SWITCHES: &[(&str, Switch)] = &[
    ("target", Text::target),
    ("source", Text::source),
    ("thread", Text::thread),
    ("spans", Text::spans),
    ("globals", Text::globals),
    ("multi_line", Text::multi_line),
];

fn template(
    path: &str,
    node: &Node,
    map: &Map,
    registry: &Registry,
    as_python: bool,
    is_factory: bool,
) -> Result<Formatter, Vec<Problem>> {
    let keywords = Keywords::new(path, node.at, "Formatter", map, registry, as_python);
    let format = keywords.text("format").or_else(|| keywords.text("fmt"));
    let mut builder = Template::builder(format.unwrap_or_default()).as_python(as_python);
    match keywords.text("style").map(|style| style.parse::<Style>()) {
        None => {}
        Some(Ok(style)) => builder = builder.style(style),
        Some(Err(error)) => {
            keywords.note(keywords.wrong("style", "expected \"%\", \"{\" or \"$\"").python(error.to_string()));
        }
    }
    if let Some(format) = keywords.text("datefmt") {
        builder = builder.datefmt(format);
    }
    if let Some(validate) = keywords.truth("validate") {
        builder = builder.validate(validate);
    }
    if let Some(defaults) = keywords.fields("defaults") {
        builder = builder.defaults(defaults);
    }
    if let Some(format) = keywords.text("default_time_format") {
        builder = builder.default_time_format(format);
    }
    match map.get("default_msec_format") {
        Some(node) if node.is_null() => builder = builder.default_msec_format(None),
        _ => {
            if let Some(format) = keywords.text("default_msec_format") {
                builder = builder.default_msec_format(Some(&format));
            }
        }
    }
    if keywords.truth("utc") == Some(true) {
        builder = builder.zone(Time::utc());
    }
    if let Some(zone) = keywords.text("zone") {
        match Time::zone(&zone) {
            Ok(time) => builder = builder.zone(time),
            Err(error) => keywords.note(keywords.wrong("zone", error.to_string())),
        }
    }
    let written = if map.get("fmt").is_some() { "fmt" } else { "format" };
    let made = builder.build();
    let made = made.map_err(|error| keywords.wrong(written, error.to_string()).python(error.to_string()));
    let mut problems = keywords.finish(TEMPLATE_KEYS, &["()", "class", "default_msec_format", "."]);
    if as_python && !is_factory {
        // Python looks at the keys it knows, and at nothing else.
        problems.retain(|problem| !problem.message.ends_with("has no such key"));
    }
    match made {
        _ if !problems.is_empty() => Err(problems),
        Ok(template) => Ok(Formatter::Template(template)),
        Err(problem) => Err(vec![problem]),
    }
}
