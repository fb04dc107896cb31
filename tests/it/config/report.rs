//! T84: the migration report and the build are one thing.

use std::{env, fs, path::Path};

use serde_json::Value as Json;
use tracing_strata::config::{Config, Logging, LoggingBuilder, MigrationReport, MigrationVerdict};

use super::{
    Dir,
    mutations::{Dice, mutated},
    trace::{Trace, cases, parse},
};
use crate::places::apart;

/// Every class, and most of their keys.
const EVERY_CLASS: &str = "
version: 1
disable_existing_loggers: false
formatters:
  f: {format: '%(message)s', datefmt: '%H', style: '%', validate: true}
  j: {class: json, shape: ecs, time: utc}
  t: {class: text, color: never, time: none}
filters: {n: {name: shop}, r: {(): rate_limit, most: 1, per: 2}, s: {(): sample, one_in: 2}}
handlers:
  c: {class: logging.StreamHandler, stream: ext://sys.stdout, formatter: f, level: INFO, filters: [n]}
  f: {class: logging.FileHandler, filename: a.log, mode: w, encoding: ascii, errors: replace, delay: false, strata: {buffer: 100, flush_on: ERROR, permissions: '0640'}}
  w: {class: logging.handlers.WatchedFileHandler, filename: deep/w.log, strata: {create_dirs: true, watch_interval: 1}}
  r: {class: logging.handlers.RotatingFileHandler, filename: b.log, maxBytes: 1000, backupCount: 3, strata: {locking: shared, max_age_days: 3, latest: link}}
  t: {class: logging.handlers.TimedRotatingFileHandler, filename: c.log, when: midnight, utc: true, atTime: '01:00', backupCount: 2, formatter: t}
  m: {class: logging.handlers.MemoryHandler, capacity: 10, flushLevel: ERROR, target: c, flushOnClose: false, strata: {max_bytes: 100, timeout: 1}}
  q: {class: logging.handlers.QueueHandler, handlers: [m, f], respect_handler_level: true, strata: {capacity: 10, overflow: drop_oldest}}
  s: {class: logging.handlers.SysLogHandler, address: [localhost, 514], facility: user, strata: {form: rfc5424, app: shop, direct: true, fallback: c}}
  k: {class: logging.handlers.SocketHandler, host: 127.0.0.1, port: 9, strata: {format: text, framing: lines, backoff: {initial: 1, max: 9}}, formatter: j}
  d: {class: logging.handlers.DatagramHandler, host: 127.0.0.1, port: 9, strata: {limit: 1000, oversize: refuse}}
  h: {class: logging.handlers.HTTPHandler, host: '127.0.0.1:9', url: /x, method: POST, credentials: [u, p], strata: {timeout: 1, capacity: 9}}
  l: {class: loki, url: 'http://127.0.0.1:9', schedule_delay: 1, headers: {a: b}}
  o: {class: otlp, endpoint: 'http://127.0.0.1:9', headers: {a: b}, flush_timeout: 0, environment: false}
  x: {class: flight_recorder, target: c, buffer_below: WARNING, release_at: ERROR, trigger: n, max_trees: 9, outside: pass}
  y: {class: tee, handlers: [c, f]}
  z: {class: 'null', strata: {queue: {capacity: 5, block_for: 1}}}
loggers:
  shop: {level: INFO, handlers: [m, f], propagate: false}
  shop.db: {level: WARNING, filters: [r]}
root: {level: INFO, handlers: [c, r, t, q, x, y, z]}
";

fn builder(as_python: bool) -> LoggingBuilder {
    if as_python { Logging::builder().python_defaults() } else { Logging::builder() }
}

fn clear(directory: &Path) {
    for entry in fs::read_dir(directory).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
    }
}

/// Every part that is refused has a place, and JSON has what the report has.
fn is_well_made(report: &MigrationReport, shown: &str) {
    let json: Json = serde_json::from_str(&report.to_json()).unwrap();
    assert_eq!(json.as_array().unwrap().len(), report.entries().len());
    for (entry, json) in report.entries().iter().zip(json.as_array().unwrap()) {
        assert!(entry.line().is_some() && entry.column().is_some(), "{entry:?}\n{shown}");
        assert_eq!(
            (json["line"].as_u64(), json["column"].as_u64()),
            (entry.line().map(|line| line as u64), entry.column().map(|column| column as u64))
        );
        assert_eq!((&json["path"], &json["verdict"]), (&entry.path().into(), &entry.verdict().to_string().into()));
        assert_eq!(json["notes"].as_array().unwrap().len(), entry.notes().len());
        assert_eq!(entry.notes().is_empty(), entry.verdict() == MigrationVerdict::Taken, "{entry:?}\n{shown}");
    }
}

/// What the report says, and what `build` and `reload` do. Whether they did.
fn agree(config: &Config, as_python: bool, shown: &str) -> bool {
    let here = Path::new(".");
    let before = Trace::of(here);
    let report = builder(as_python).empty().migration_report(config);
    assert_eq!(before.news(here), [""; 0], "{shown}");
    let built = builder(as_python).build(config).map(drop);
    assert_eq!(report.is_complete(), built.is_ok(), "{as_python}: {shown}\n{report}\n{built:?}");
    is_well_made(&report, shown);
    clear(here);
    built.is_ok()
}

#[test]
fn t84_the_report_is_complete_where_build_succeeds() {
    apart("config::report::t84_the_report_is_complete_where_build_succeeds", || {
        let dir = Dir::new();
        env::set_current_dir(&dir.0).unwrap();
        let (mut taken, mut refused) = (0, 0);
        let every = [("every_class.yaml".to_owned(), EVERY_CLASS.to_owned())];
        for (name, text) in cases().into_iter().chain(every) {
            let Ok(config) = parse(&name, &text) else { continue };
            // INI has `args`, which this keeps.
            let whole: Json = serde_json::from_str(&config.to_json()).unwrap();
            let mut dice = Dice(7);
            let many = if name.starts_with("every") { 100 } else { 12 };
            for as_python in [false, true] {
                for number in 0..=many {
                    let (config, shown) = match number {
                        0 => (config.clone(), name.clone()),
                        _ => {
                            let text = mutated(&whole, &mut dice).to_string();
                            (Config::from_json(&text).unwrap(), format!("{name}: {text}"))
                        }
                    };
                    let counter = if agree(&config, as_python, &shown) { &mut taken } else { &mut refused };
                    *counter += 1;
                }
            }
        }
        assert!(taken > 100 && refused > 400, "{taken} {refused}");
    });
}

/// With a system that runs, the report says what its `reload` would do: the files may be its own.
#[test]
fn t84_the_report_of_a_running_system_is_complete_where_reload_succeeds() {
    apart("config::report::t84_the_report_of_a_running_system_is_complete_where_reload_succeeds", || {
        let dir = Dir::new();
        env::set_current_dir(&dir.0).unwrap();
        let here = Path::new(".");
        let running = Config::from_yaml(EVERY_CLASS).unwrap();
        let logging = Logging::builder().build(&running).unwrap();
        assert!(logging.migration_report(&running).is_complete(), "{}", logging.migration_report(&running));
        let whole: Json = serde_json::from_str(&running.to_json()).unwrap();
        let mut dice = Dice(8);
        let mut taken = 0;
        for _ in 0..300 {
            let text = mutated(&whole, &mut dice).to_string();
            let config = Config::from_json(&text).unwrap();
            let before = Trace::of(here);
            let report = logging.migration_report(&config);
            assert_eq!(before.news(here), [""; 0], "{text}");
            let reloaded = logging.reload(&config);
            assert_eq!(report.is_complete(), reloaded.is_ok(), "{text}\n{report}\n{reloaded:?}");
            if reloaded.is_ok() {
                taken += 1;
                logging.reload(&running).unwrap();
            } else {
                assert_eq!(before.news(here), [""; 0], "{text}");
            }
        }
        assert!(taken > 30, "{taken}");
        for (increment, is_complete) in [("{q: {level: INFO}}", true), ("{nobody: {level: INFO}}", false)] {
            let yaml = format!("{{version: 1, incremental: true, handlers: {increment}}}");
            let config = Config::from_yaml(&yaml).unwrap();
            let report = logging.migration_report(&config);
            assert_eq!((report.is_complete(), logging.reload(&config).is_ok()), (is_complete, is_complete), "{report}");
        }
    });
}

/// A mistake in one key is told alone: nobody is told that the others are unknown.
#[test]
fn a_handler_with_a_mistake_has_its_other_keys() {
    let whole: Json = serde_json::from_str(&Config::from_yaml(EVERY_CLASS).unwrap().to_json()).unwrap();
    for (name, handler) in whole["handlers"].as_object().unwrap() {
        for key in handler.as_object().unwrap().keys().filter(|key| *key != "class") {
            for value in [None, Some(Json::from(7)), Some(Json::from(vec![1])), Some("ext://no.thing".into())] {
                let mut config = whole.clone();
                let handler = config["handlers"][name].as_object_mut().unwrap();
                match &value {
                    None => drop(handler.remove(key)),
                    Some(value) => drop(handler.insert(key.clone(), value.clone())),
                }
                let report = Logging::new().migration_report(&Config::from_value(&config).unwrap()).to_string();
                assert!(!report.contains("has no such key"), "{name}.{key}: {value:?}\n{report}");
            }
        }
    }
    let yaml =
        "{version: 1, handlers: {x: {class: flight_recorder, buffer_below: INFO, max_tres: 3, strata: {qeue: true}}}}";
    let told = super::refused(&Logging::new(), yaml);
    let expected = ["needs", "did you mean \"max_trees\"", "did you mean \"queue\""];
    assert!(told.len() == 3 && expected.iter().all(|part| told.iter().any(|told| told.contains(part))), "{told:?}");
}
