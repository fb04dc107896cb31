//! A format for some records, another for the rest.

use tracing_strata::{
    Record, Severity,
    config::{Config, ConfigErrors, Logging},
    format::{Json, Logfmt, Template, Text},
    prelude::*,
};
use tracing_subscriber::prelude::*;

use super::{in_halves, line, records};
use crate::hostile::Spec;

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

/// Hostile records: each is the line of the format that is chosen, which other tests read back.
#[test]
fn each_record_is_as_the_chosen_format_writes_it() {
    let (rest, failed, db, odd) = (Json::ecs(), Logfmt::new(), Json::otel(), Text::plain());
    let format = rest
        .clone()
        .for_level(Severity::ERROR, failed.clone())
        .for_logger("shop", db.clone())
        .for_records(|record| record.message().len() % 2 == 1, odd.clone());
    in_halves(records(5_000), |seed| {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut spec = Spec::random(&mut rng);
        if rng.u8(..4) == 0 {
            spec.target = "shop::".to_owned() + &spec.target;
        }
        let record = spec.record(&mut rng);
        let expected = match &spec {
            Spec { message, .. } if message.len() % 2 == 1 => line(&odd, &record),
            Spec { target, .. } if target.starts_with("shop::") => line(&db, &record),
            Spec { severity: 40.., .. } => line(&failed, &record),
            _ => line(&rest, &record),
        };
        assert_eq!(line(&format, &record), expected, "seed {seed}");
    });
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
