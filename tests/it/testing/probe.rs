//! What a configuration would do, judged by what it does.

use std::{
    fs,
    path::{Path, PathBuf},
};

use tracing_strata::{
    Record, Severity,
    config::{ClassRegistry, Config, Logging},
    prelude::*,
};

use super::failure;

const SERVICE: &str = "
version: 1
filters:
  shop: {name: shop}
formatters:
  short: {format: '%(levelname)s %(name)s: %(message)s'}
  json: {class: json}
handlers:
  all: {class: logging.FileHandler, filename: DIR/all.log, formatter: short}
  shop: {class: logging.FileHandler, filename: DIR/shop.jsonl, formatter: json, filters: [shop], level: INFO}
  buffered: {class: logging.FileHandler, filename: DIR/buffered.log, level: CRITICAL}
  memory: {class: logging.handlers.MemoryHandler, capacity: 10, flushLevel: ERROR, target: buffered}
  queued: {class: logging.FileHandler, filename: DIR/queued.log, formatter: short, '.': {terminator: '|'}}
  queue: {class: logging.handlers.QueueHandler, handlers: [queued], level: WARNING}
  spare: {class: logging.FileHandler, filename: DIR/spare.log}
  away: {class: logging.handlers.SocketHandler, host: 127.0.0.1, port: 9, level: CRITICAL, strata: {fallback: spare}}
  idle: {class: logging.handlers.RotatingFileHandler, filename: DIR/idle.log, maxBytes: 1000}
loggers:
  shop: {level: DEBUG, handlers: [shop, memory]}
  shop.db: {handlers: [queue], propagate: no}
  hyper: {level: OFF}
root: {level: WARNING, handlers: [all, away]}
";

const FILES: [(&str, &str); 4] =
    [("all", "all.log"), ("shop", "shop.jsonl"), ("buffered", "buffered.log"), ("queued", "queued.log")];

/// A folder that does not exist yet.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("probe-{name}-{}", std::process::id()));
    fs::remove_dir_all(&folder).unwrap_or_default();
    folder
}

fn service(folder: &Path) -> Config {
    Config::from_yaml(&SERVICE.replace("DIR", folder.to_str().unwrap())).unwrap()
}

fn record(name: &str, severity: Severity) -> Record {
    let mut record = Record::new(severity, name, "paid");
    record.set("order", 7);
    record
}

#[test]
fn each_handler_writes_what_the_probe_says() {
    let folder = folder("same");
    let probe = service(&folder).probe().unwrap();
    let names = ["shop", "shop.pay", "shop.db", "shop.db.pool", "hyper", "hyper.proto", "other", "root"];
    let severities = [Severity::DEBUG, Severity::INFO, Severity::WARN, Severity::ERROR, Severity::CRITICAL];
    let questions: Vec<_> = names.iter().flat_map(|name| severities.map(|severity| record(name, severity))).collect();
    let answers: Vec<_> = questions.iter().map(|question| probe.ask_about(question)).collect();
    assert!(!folder.exists(), "the probe has made something");

    fs::create_dir_all(&folder).unwrap();
    let mut compared = 0;
    for (question, answer) in questions.iter().zip(&answers) {
        let logging = Logging::builder().build(&service(&folder)).unwrap();
        let handlers = logging.handler_names();
        if logging.explain(question.target(), question.severity()).is_enabled() {
            logging.loggers().router().named("test").emit(question);
        }
        logging.shutdown().unwrap();
        drop(logging);
        for (handler, file) in FILES {
            assert!(handlers.iter().any(|known| known == handler));
            let written = fs::read_to_string(folder.join(file)).unwrap_or_default();
            let context = format!("{handler}: {} at {}", question.target(), question.severity());
            assert_eq!(answer.text(handler).unwrap_or_default(), written, "{context}");
            compared += usize::from(!written.is_empty());
        }
        fs::read_dir(&folder).unwrap().for_each(|entry| fs::remove_file(entry.unwrap().path()).unwrap());
    }
    assert_eq!(compared, 40, "records that the real handlers wrote");
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn silent_loggers_and_unreached_handlers() {
    let probe = service(&folder("lists")).probe().unwrap();
    assert_eq!(probe.silent_loggers(), ["hyper"]);
    // A fallback, and what stands behind a queue or a buffer, is not unreached.
    assert_eq!(probe.unreached_handlers(), ["idle"]);
    assert_eq!(
        probe.to_string(),
        "\
root (warn): all from WARN, away from CRITICAL
hyper (off): nobody
shop (debug): all from DEBUG, buffered from DEBUG, shop from INFO, away from CRITICAL
shop.db (debug): queued from WARN
nobody reaches: idle
"
    );
}

#[test]
fn an_answer_explains_itself() {
    let probe = service(&folder("why")).probe().unwrap();
    let answer = probe.ask("app.db", Severity::CRITICAL);
    assert_eq!(answer.handlers(), ["all", "away"]);
    assert_eq!(answer.bytes("all"), Some(&b"CRITICAL app.db: message\n"[..]));
    assert_eq!((answer.text("shop"), answer.explanation().level_of()), (None, Some("root")));
    assert!(answer.to_string().starts_with("app.db at CRITICAL passes: level warn of root\n"), "{answer}");
    assert!(probe.ask("hyper", Severity::CRITICAL).handlers().is_empty());
}

#[test]
fn the_difference_of_two_configurations() {
    let old = service(&folder("diff"));
    let text = SERVICE
        .replace("DIR", folder("diff").to_str().unwrap())
        .replace("root: {level: WARNING", "root: {level: ERROR")
        .replace("handlers: [queued], level: WARNING", "handlers: [queued], level: CRITICAL")
        .replace("formatter: short, '.'", "'.'");
    let new = Config::from_yaml(&text).unwrap();
    let (old, new) = (old.probe().unwrap(), new.probe().unwrap());
    assert_eq!(
        old.diff(&new),
        [
            "root at WARN: all no longer gets it",
            "shop.db at WARN: queued no longer gets it",
            "shop.db at ERROR: queued no longer gets it",
            "shop.db at CRITICAL: queued writes \"message|\", not \"CRITICAL shop.db: message|\"",
        ]
    );
    assert!(old.diff(&old).is_empty());
}

#[test]
fn own_classes_are_not_called_and_mistakes_are_all_told() {
    let config = Config::from_yaml(
        "{version: 1, handlers: {own: {class: app.Pager, number: 4711}}, root: {level: INFO, handlers: [own]}}",
    )
    .unwrap();
    let registry = ClassRegistry::new().handler("app.Pager", |_, _| panic!("it opens a connection"));
    let probe = Logging::builder().registry(registry).probe(&config).unwrap();
    assert_eq!(probe.ask("a", Severity::INFO).text("own"), Some("message\n"));
    let error = config.probe().unwrap_err().to_string();
    assert!(error.contains("no handler is registered as \"app.Pager\""), "{error}");
    let incremental = Config::from_yaml("{version: 1, incremental: true, root: {level: INFO}}").unwrap();
    assert!(failure(|| drop(incremental.probe().map_err(|error| panic!("{error}")))).contains("expected a whole"));
}
