//! The JSON Schema of configurations: what it refuses, a build refuses, too; and it sees misspelt keys and wrong types.

use std::{fs, path::Path};

use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::{Value as Json, json};
use tracing_strata::config::{ClassRegistry, Config, Logging};

struct Judge(Schemas, SchemaIndex);

impl Judge {
    fn new() -> Self {
        let schema: Json = serde_json::from_str(&ClassRegistry::new().json_schema()).unwrap();
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.add_resource("file:///logging.schema.json", schema).unwrap();
        let index = compiler.compile("file:///logging.schema.json", &mut schemas).unwrap();
        Self(schemas, index)
    }

    /// What an editor would mark.
    fn marks(&self, config: &Json) -> Option<String> {
        self.0.validate(config, self.1).err().map(|error| format!("{error:#}"))
    }
}

/// The configurations that CPython played: those of the scenarios, and those of other packages' classes.
fn corpus() -> Vec<Json> {
    fn find(value: &Json, found: &mut Vec<Json>) {
        let parts = ["handlers", "loggers", "root", "formatters"];
        if value.get("version").is_some() && parts.iter().any(|part| value.get(part).is_some()) {
            found.push(value.clone());
        }
        match value {
            Json::Object(map) => map.values().for_each(|value| find(value, found)),
            Json::Array(list) => list.iter().for_each(|value| find(value, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    for file in fs::read_dir(tests.join("conformance/scenarios/shared")).unwrap() {
        let text = fs::read_to_string(file.unwrap().path()).unwrap();
        find(&serde_json::from_str(&text).unwrap_or_default(), &mut found);
    }
    for row in fs::read_to_string(tests.join("it/config/python/third_party.jsonl")).unwrap().lines() {
        let row: Json = serde_json::from_str(row).unwrap();
        for (section, key) in [("formatters", "formatter"), ("handlers", "handler")] {
            if row[key].is_object() {
                found.push(json!({"version": 1, section: {"x": row[key]}}));
            }
        }
    }
    assert!(found.len() > 500, "{}", found.len());
    found
}

fn builds(config: &Json) -> bool {
    let parsed = Config::from_value(config).unwrap();
    let logging = Logging::new();
    logging.migration_report(&parsed).is_complete() && (config["incremental"] != true || logging.check(&parsed).is_ok())
}

/// Every key of a configuration, misspelt in turn, and every number as a text.
fn mutations(config: &Json) -> Vec<Json> {
    fn paths(value: &Json, at: &str, out: &mut Vec<String>) {
        match value {
            Json::Object(map) => map.iter().for_each(|(key, value)| {
                let at = format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"));
                out.push(at.clone());
                paths(value, &at, out);
            }),
            Json::Array(list) => {
                list.iter().enumerate().for_each(|(index, value)| paths(value, &format!("{at}/{index}"), out))
            }
            _ => {}
        }
    }
    let mut all = Vec::new();
    paths(config, "", &mut all);
    let mutated = |path: &String| {
        let (parent, key) = path.rsplit_once('/').unwrap();
        let key = key.replace("~1", "/").replace("~0", "~");
        let mut misspelt = config.clone();
        let mut is_key = false;
        if let Some(map) = misspelt.pointer_mut(parent).unwrap().as_object_mut() {
            let value = map.remove(&key).unwrap();
            map.insert(format!("{key}x"), value);
            is_key = true;
        }
        let mut retyped = config.clone();
        let value = retyped.pointer_mut(path).unwrap();
        let is_number = value.is_number();
        *value = json!("many");
        let (misspelt, retyped) = (is_key.then_some(misspelt), is_number.then_some(retyped));
        misspelt.into_iter().chain(retyped)
    };
    all.iter().flat_map(mutated).collect()
}

#[test]
fn what_the_schema_refuses_a_build_refuses() {
    let judge = Judge::new();
    let (mut valid, mut refused, mut seen) = (0, 0, 0);
    for config in corpus() {
        let is_valid = builds(&config);
        valid += usize::from(is_valid);
        if let Some(marks) = judge.marks(&config) {
            assert!(!is_valid, "{config}\n{marks}");
        }
        for mutated in mutations(&config) {
            let marks = judge.marks(&mutated);
            if builds(&mutated) {
                assert_eq!(marks, None, "{mutated}");
            } else if is_valid {
                refused += 1;
                seen += usize::from(marks.is_some());
            }
        }
    }
    assert!(valid > 350, "{valid}");
    // The rest are names that lead nowhere, and keys of other packages' classes.
    assert!(seen * 3 > refused, "the schema sees {seen} of {refused} mistakes");
}

#[test]
fn mistakes_are_marked_where_they_are() {
    let judge = Judge::new();
    let marks = |config: Json| judge.marks(&config).unwrap_or_default();
    let handler = |entry: Json| json!({"version": 1, "handlers": {"h": entry}});
    assert_eq!(
        marks(handler(json!({"class": "logging.handlers.RotatingFileHandler", "filename": "a", "maxBytes": 5}))),
        ""
    );
    assert_eq!(marks(handler(json!({"class": "rotating", "filename": "a", "maxBytes": "cfg://size"}))), "");
    assert_eq!(marks(handler(json!({"class": "rotating", "filename": "${FILE}", "maxBytes": "${MAX:-7}"}))), "");
    assert!(marks(handler(json!({"class": "rotating", "filename": "a", "maxBytes": "5"}))).contains("maxBytes"));
    assert!(marks(handler(json!({"class": "rotating", "filname": "a"}))).contains("filname"));
    assert!(marks(handler(json!({"class": "stream", "strata": {"quue": true}}))).contains("quue"));
    assert_eq!(marks(handler(json!({"class": "shop.Own", "anything": 1}))), "");
    let formatter = |entry: Json| json!({"version": 1, "formatters": {"f": entry}});
    assert!(marks(formatter(json!({"class": "json", "shape": "ecss"}))).contains("shape"));
    assert!(marks(formatter(json!({"fromat": "%(message)s"}))).contains("fromat"));
    assert!(marks(json!({"version": 2})).contains("version"));
    assert!(marks(json!({"version": 1, "root": {"levle": "INFO"}})).contains("levle"));
}

/// `STRATA_GOLDEN=write` writes it.
#[test]
fn the_shipped_schema_is_that_of_the_registry() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("logging.schema.json");
    let now = ClassRegistry::new().json_schema();
    if std::env::var_os("STRATA_GOLDEN").is_some_and(|word| word == "write") {
        fs::write(&path, &now).unwrap();
    }
    let shipped = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        now == shipped,
        "logging.schema.json is not that of the registry: `STRATA_GOLDEN=write cargo test --all-features --test it schema`"
    );
}
