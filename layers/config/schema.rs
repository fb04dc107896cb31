//! The JSON Schema of configurations, for editors: made from what the classes read.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use super::{
    build::{COMMON_KEYS, STRATA_KEYS},
    classes::{filters, formatters},
    handler_args::{HandlerArgs, Kind},
    node,
    registry::{ClassRegistry, HandlerMaker},
    setup::Setup,
};
use crate::ledger::ErrorHandler;

impl ClassRegistry {
    /// A [JSON Schema](https://json-schema.org/draft-07/schema) of configurations in JSON, YAML and TOML with these classes, for
    /// editors: completion, and marks at misspelt keys and values of a wrong type. What the schema refuses, a build refuses;
    /// a build sees more, such as names that lead nowhere. Of classes of your own, it takes any keys.
    ///
    /// That of [`ClassRegistry::new`] is in the repository as `logging.schema.json`. In YAML, name it in the first line:
    ///
    /// ```yaml
    /// # yaml-language-server: $schema=logging.schema.json
    /// version: 1
    /// ```
    pub fn json_schema(&self) -> String {
        let setup = Setup {
            registry: self.clone().into(),
            clock: None,
            error_handler: ErrorHandler::silent(),
            as_python: false,
        };
        format!("{}\n", schema(&setup))
    }
}

fn schema(setup: &Setup) -> Json {
    let mapping =
        |entry: &str| or_reference(json!({"type": ["object", "null"], "additionalProperties": reference_to(entry)}));
    let mut schema = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Logging configuration: Python's dictConfig, version 1, and tracing-strata's extensions",
        "type": "object",
        "properties": {
            "version": {"enum": [1, true], "description": "Always 1."},
            "include": {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
                "description": "Files that this configuration is put over."},
            "disable_existing_loggers": {"description": "Whether loggers that are not named here are switched off (default: false)."},
            "incremental": {"description": "Whether it only changes levels and propagation of what is there."},
            "formatters": mapping("formatter"),
            "filters": mapping("filter"),
            "handlers": mapping("handler"),
            "loggers": mapping("logger"),
            "root": reference_to("logger"),
        },
        "definitions": {
            "reference": {"type": "string", "pattern": r"^(cfg|ext)://|\$\{"},
            "level": {"type": ["string", "integer", "boolean", "number", "null"],
                "examples": ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]},
            "logger": or_reference(json!({
                "type": ["object", "null"],
                "properties": {
                    "level": reference_to("level"),
                    "handlers": reference_to("texts"),
                    "filters": reference_to("texts"),
                    "propagate": {"description": "Whether the handlers above get its records, too (default: true)."},
                },
                "additionalProperties": false,
            })),
            "formatter": formatter(setup),
            "filter": filter(setup),
            "handler": handler(setup),
            "strata": {"type": ["object", "null"], "description": "What goes beyond Python.",
                "properties": keys(STRATA_KEYS), "additionalProperties": false},
        },
    });
    types().into_iter().for_each(|(name, kind)| schema["definitions"][name] = kind);
    schema
}

fn reference_to(definition: &str) -> Json {
    json!({"$ref": format!("#/definitions/{definition}")})
}

/// A reference may stand anywhere.
fn or_reference(plain: Json) -> Json {
    json!({"anyOf": [plain, reference_to("reference")]})
}

fn formatter(setup: &Setup) -> Json {
    let class = |(name, is_complete)| {
        let read = read(setup, name, |args| formatters::read(name, setup, args));
        (name, entry(read, &["()", "class", "."], is_complete))
    };
    by_class(formatters::known_classes().map(class), "template")
}

fn filter(setup: &Setup) -> Json {
    let class = |(name, make): (&'static str, filters::Make)| {
        let read = read(setup, name, |args| drop(make(args, setup)));
        (name, entry(read, &["()", "class", "."], true))
    };
    by_class(filters::known_classes().map(class), "logging.Filter")
}

fn handler(setup: &Setup) -> Json {
    let classes = setup.registry.handler_names().filter_map(|name| {
        let Some(HandlerMaker::Class(class)) = setup.registry.find_handler(name) else { return None };
        let mut properties = keys(class.keys);
        for key in COMMON_KEYS {
            properties.entry(*key).or_insert(json!(true));
        }
        properties.insert("level".into(), reference_to("level"));
        properties.insert("strata".into(), or_reference(reference_to("strata")));
        let attributes = keys(class.attributes);
        properties.insert(".".into(), json!({"type": ["object", "null"], "properties": attributes}));
        let mut entry = json!({"properties": properties, "additionalProperties": false});
        // The journal takes fields of one's own, in capitals.
        entry["patternProperties"] = json!({"^[A-Z_]+$": true});
        Some((name, entry))
    });
    by_class(classes, "")
}

/// Entries by the class that they name, or one without.
fn by_class<'n>(classes: impl Iterator<Item = (&'n str, Json)>, without: &str) -> Json {
    let mut names = Vec::new();
    let mut rules: Vec<Json> = Vec::new();
    for (name, entry) in classes {
        names.push(json!(name));
        if name == without {
            let has_none = json!({"not": {"anyOf": [{"required": ["class"]}, {"required": ["()"]}]}});
            rules.push(json!({"if": has_none, "then": entry}));
        }
        // Several names of one class are one rule.
        match rules.iter_mut().find(|rule| rule["then"] == entry && rule["if"].get("anyOf").is_some()) {
            Some(rule) => {
                for key in 0..2 {
                    let property = if key == 0 { "class" } else { "()" };
                    let names = &mut rule["if"]["anyOf"][key]["properties"][property]["enum"];
                    names.as_array_mut().into_iter().for_each(|names| names.push(json!(name)));
                }
            }
            None => {
                let names_it = |key: &str| json!({"properties": {key: {"enum": [name]}}, "required": [key]});
                rules.push(json!({"if": {"anyOf": [names_it("class"), names_it("()")]}, "then": entry}));
            }
        }
    }
    let class = json!({"anyOf": [{"enum": names}, {"type": ["string", "null"]}], "description": "The class, by Python's name or a short one."});
    or_reference(json!({"type": "object", "properties": {"class": class, "()": class}, "allOf": rules}))
}

fn entry(read: BTreeMap<String, Kind>, also: &[&str], is_complete: bool) -> Json {
    let mut properties: Map<String, Json> = read.iter().map(|(key, kind)| (key.clone(), type_of(kind))).collect();
    also.iter().for_each(|key| drop(properties.insert((*key).into(), json!(true))));
    json!({"properties": properties, "additionalProperties": !is_complete})
}

/// What a class asks of an empty entry.
fn read(setup: &Setup, class: &str, read: impl FnOnce(&HandlerArgs<'_>)) -> BTreeMap<String, Kind> {
    let empty = node::Map::default();
    let args = setup.args("", None, class, &empty);
    read(&args);
    args.asked()
}

/// By reference, where it is one of [`types`].
fn type_of(kind: &Kind) -> Json {
    let name = match kind {
        Kind::Any => return json!(true),
        Kind::Choice(words) => {
            let words: Vec<_> = words.iter().map(|word| json!(word)).chain([Json::Null]).collect();
            return or_reference(json!({ "enum": words }));
        }
        Kind::Level => "level",
        Kind::Text => "text",
        Kind::Bool => "bool",
        Kind::Integer => "integer",
        Kind::Number => "number",
        Kind::Texts => "texts",
        Kind::Mapping => "mapping",
    };
    reference_to(name)
}

fn types() -> [(&'static str, Json); 6] {
    let plain = |types: &[&str]| or_reference(json!({ "type": types }));
    [
        ("text", plain(&["string", "null"])),
        ("bool", plain(&["boolean", "integer", "null"])),
        ("integer", plain(&["integer", "number", "boolean", "null"])),
        ("number", plain(&["number", "null"])),
        ("texts", or_reference(json!({"type": ["array", "null"], "items": {"type": "string"}}))),
        ("mapping", plain(&["object", "null"])),
    ]
}

/// Keys of handlers. Most speak for themselves; those whose type is the same everywhere have one.
fn keys(names: &[&str]) -> Map<String, Json> {
    let kind = |name: &str| match name {
        "filename" | "errors" | "when" | "mode" => Kind::Text,
        "maxBytes" | "backupCount" | "interval" | "capacity" | "max_total_bytes" | "tree_records" | "max_trees" => {
            Kind::Integer
        }
        "flushLevel" | "buffer_below" | "release_at" | "flush_on" | "sync_on" => Kind::Level,
        "max_age_days" | "sync_interval" | "watch_interval" | "connect_timeout" | "write_timeout"
        | "reconnect_timeout" | "timeout" => Kind::Number,
        "attributes" | "headers" | "backoff" | "gelf" | "elements" | "structured_data" => Kind::Mapping,
        "fallback" | "zone" | "latest" | "locking" | "alignment" | "form" | "framing" | "oversize" => Kind::Text,
        _ => Kind::Any,
    };
    names.iter().map(|name| ((*name).to_owned(), type_of(&kind(name)))).collect()
}
