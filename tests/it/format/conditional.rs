//! A format for some records, another for the rest.

use tracing_strata::{
    Record, Severity,
    config::{Config, ConfigErrors, Logging},
    format::Template,
    prelude::*,
};
use tracing_subscriber::prelude::*;

use super::line;

fn named(name: &str) -> impl Format + use<> {
    Template::builder(format!("{name} %(message)s")).build().unwrap()
}

#[test]
fn what_is_added_last_is_asked_first() {
    let format = named("rest")
        .for_level(Severity::WARN, named("warn"))
        .for_level(Severity::ERROR, named("error"))
        .for_logger("shop.db", named("db"))
        .for_records(|record| record.message() == "odd", named("odd"));
    let of = |severity, target: &'static str, message| line(&format, &Record::new(severity, target, message));
    assert_eq!(of(Severity::INFO, "shop", "m"), "rest m");
    assert_eq!(of(Severity::WARN, "shop", "m"), "warn m");
    assert_eq!(of(Severity::CRITICAL, "shop::dbx", "m"), "error m");
    assert_eq!(of(Severity::CRITICAL, "shop::db::pool", "m"), "db m");
    assert_eq!(of(Severity::INFO, "shop::db", "odd"), "odd odd");
}

#[test]
fn a_configuration_chooses_by_level_and_logger() {
    let path = std::env::temp_dir().join(format!("strata-conditional-{}.log", std::process::id()));
    let yaml = format!(
        "version: 1
formatters:
  both: {{class: conditional, default: a, levels: {{ERROR: c, WARNING: b}}, loggers: {{shop: d, shop.db: a}}}}
  a: {{format: 'a %(message)s'}}
  b: {{format: 'b %(message)s'}}
  c: {{format: 'c %(message)s'}}
  d: {{format: 'd %(message)s'}}
handlers: {{file: {{class: file, filename: {}, formatter: both}}}}
root: {{level: DEBUG, handlers: [file]}}
",
        path.display()
    );
    let logging = Logging::builder().build(&Config::from_yaml(&yaml).unwrap()).unwrap();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(logging.layer()), || {
        tracing::info!(target: "other", "1");
        tracing::warn!(target: "other", "2");
        tracing::error!(target: "other", "3");
        tracing::error!(target: "shop::cart", "4");
        tracing::error!(target: "shop::db", "5");
    });
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "a 1\nb 2\nc 3\nd 4\na 5\n");
    std::fs::remove_file(path).unwrap();

    let refused = |entry: &str| {
        let yaml = format!("version: 1\nformatters: {{f: {{class: conditional, {entry}}}, a: {{class: text}}}}\n");
        let error = Logging::new().reload(&Config::from_yaml(&yaml).unwrap()).unwrap_err();
        ConfigErrors::of(&error).unwrap().iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    assert!(
        refused("default: b").contains("formatters.f.default (line 2, column 47): there is no formatter \"b\""),
        "{}",
        refused("default: b")
    );
    assert!(refused("levels: {INFO: a}").contains("expected the key \"default\""));
    assert!(refused("default: a, levels: {LOUD: a}").contains("formatters.f.levels"));
    assert!(refused("default: a, loggers: {shop: f}").contains("formatters.f.loggers.shop"));
}
