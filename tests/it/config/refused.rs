//! T85: a configuration that is refused has changed nothing.

use std::{
    env, fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use serde_json::json;
use tracing_strata::{
    Error, HandlerExt as _,
    config::{ClassRegistry, Config, Logging, LoggingBuilder},
    output::Null,
};

use super::{
    Dir,
    trace::{Trace, cases, parse},
    with,
};
use crate::places::apart;

fn builder(as_python: bool) -> LoggingBuilder {
    if as_python { Logging::builder().python_defaults() } else { Logging::builder() }
}

/// One part of a configuration that cannot be, whatever else there is.
fn faults(config: &Config) -> Vec<Config> {
    let whole: serde_json::Value = serde_json::from_str(&config.to_json()).unwrap();
    let mut faulty = Vec::new();
    for (path, fault) in [
        ("/version", json!(7)),
        ("/formatters/~1", json!({"()": "nowhere.Formatter"})),
        ("/filters/~1", json!({"()": "nowhere.Filter"})),
        ("/handlers/~1", json!({"class": "nowhere.Handler"})),
        ("/handlers/~1", json!({"class": "logging.FileHandler", "filename": "no/such/dir/x.log"})),
        ("/loggers/~1", json!({"level": "LOUD"})),
        ("/loggers/~1", json!({"handlers": ["nobody"]})),
        ("/root", json!({"filters": ["nothing"]})),
    ] {
        let mut config = whole.clone();
        let (section, key) = path[1..].split_once('/').unwrap_or(("", &path[1..]));
        let parent = if section.is_empty() { &mut config } else { &mut config[section] };
        if parent.is_null() {
            *parent = json!({});
        }
        // The last one, in the order of names as well.
        parent[key.replace("~1", "~zz")] = fault;
        faulty.push(Config::from_value(&config).unwrap());
    }
    faulty
}

#[test]
fn t85_no_refused_case_leaves_a_trace() {
    apart("config::refused::t85_no_refused_case_leaves_a_trace", || {
        let dir = Dir::new();
        env::set_current_dir(&dir.0).unwrap();
        let here = Path::new(".");
        let running =
            "{version: 1, handlers: {f: {class: file, filename: running.log}}, root: {level: INFO, handlers: [f]}}";
        let mut refused = 0;
        for (name, text) in cases() {
            let Ok(config) = parse(&name, &text) else { continue };
            for as_python in [false, true] {
                let all = std::iter::once(config.clone()).chain(faults(&config));
                for (number, config) in all.enumerate() {
                    let before = Trace::of(here);
                    let built = builder(as_python).build(&config).map(drop);
                    if built.is_ok() {
                        assert_eq!(number, 0, "{name}, {as_python}: a fault is taken: {config}");
                        fs::read_dir(here).unwrap().for_each(|entry| fs::remove_file(entry.unwrap().path()).unwrap());
                        continue;
                    }
                    refused += 1;
                    assert_eq!(before.news(here), [""; 0], "{name}, {as_python}: {config}\n{built:?}");

                    // What runs goes on, and nothing else begins.
                    let logging = builder(as_python).build(&Config::from_yaml(running).unwrap()).unwrap();
                    with(&logging, || {
                        tracing::info!("before");
                        let before = Trace::of(here);
                        logging.reload(&config).unwrap_err();
                        assert_eq!(before.news(here), [""; 0], "{name}, {as_python}: {config}");
                        logging.check(&config).unwrap_err();
                        assert_eq!(before.news(here), [""; 0], "{name}, {as_python}: {config}");
                        tracing::info!("after");
                    });
                    drop(logging);
                    assert_eq!(fs::read_to_string("running.log").unwrap(), "before\nafter\n");
                    fs::remove_file("running.log").unwrap();
                }
            }
        }
        assert!(refused > 350, "{refused}");
    });
}

/// What only opening shows comes when other files are open: they are closed again, and what was made for them is removed.
#[test]
fn t85_a_file_that_cannot_be_opened_takes_the_others_back() {
    apart("config::refused::t85_a_file_that_cannot_be_opened_takes_the_others_back", || {
        let dir = Dir::new();
        let there = fs::File::create(dir.path("locked.log.lock")).unwrap();
        there.lock().unwrap();
        fs::write(dir.path("empty.log"), "").unwrap();
        fs::write(dir.path("full.log"), "precious\n").unwrap();
        fs::write(dir.path("left.log.rotating"), "of an earlier run\n").unwrap();
        let file = |name: &str| dir.path(name);
        let new = json!({"version": 1, "handlers": {
            "a": {"class": "file", "filename": file("deep/er/a.log"), "strata": {"create_dirs": true, "queue": true, "sync_interval": 60}},
            "b": {"class": "rotating", "filename": file("b.log"), "maxBytes": 9, "backupCount": 1, "strata": {"locking": "shared", "create_dirs": true}},
            "c": {"class": "file", "filename": file("empty.log"), "mode": "w"},
            "d": {"class": "file", "filename": file("full.log"), "mode": "w"},
            "e": {"class": "rotating", "filename": file("left.log"), "maxBytes": 9, "backupCount": 1, "strata": {"latest": file("link")}},
            "f": {"class": "timed", "filename": file("late.log"), "delay": true},
            "g": {"class": "queue", "handlers": ["a", "b"]},
            "h": {"class": "memory", "capacity": 9, "target": "g"},
            "i": {"class": "file", "filename": file("made.log"), "mode": "x"},
            "z": {"class": "rotating", "filename": file("locked.log"), "maxBytes": 9, "backupCount": 1, "strata": {"locking": "exclusive"}},
        }, "root": {"level": "INFO", "handlers": ["h", "c", "d", "e", "f", "i", "z"]}});
        let config = Config::from_value(&new).unwrap();
        let before = Trace::of(&dir.0);
        let refused = |error: Error| {
            let told = super::problems(&error);
            assert_eq!(told.len(), 1, "{told:?}");
            assert!(told[0].starts_with("handlers.z: ") && told[0].contains("another process rotates it"), "{told:?}");
        };
        refused(Logging::builder().build(&config).unwrap_err());
        assert_eq!(before.news(&dir.0), [""; 0]);

        // The same files are in use.
        let mut running = new.clone();
        running["handlers"].as_object_mut().unwrap().remove("z");
        running["root"]["handlers"] = json!(["d"]);
        running["handlers"]["d"]["mode"] = json!("a");
        running["handlers"]["f"]["when"] = json!("midnight");
        let logging = Logging::builder().build(&Config::from_value(&running).unwrap()).unwrap();
        with(&logging, || tracing::info!("written"));
        assert_eq!((dir.read("left.log.1"), dir.0.join("late.log").exists()), ("of an earlier run\n".into(), false));
        let before = Trace::of(&dir.0);
        refused(logging.reload(&config).unwrap_err());
        assert_eq!(before.news(&dir.0), [""; 0]);
        // It may be opened now.
        there.unlock().unwrap();
        with(&logging, || {
            logging.reload(&config).unwrap();
            tracing::info!("again");
        });
        drop(logging);
        assert_eq!((dir.read("full.log"), dir.read("locked.log")), ("again\n".into(), "again\n".into()));
    });
}

#[test]
fn t85_neither_handlers_by_name_nor_the_basic_ones_leave_a_trace() {
    apart("config::refused::t85_neither_handlers_by_name_nor_the_basic_ones_leave_a_trace", || {
        use tracing_strata::config::BasicConfig;

        let dir = Dir::new();
        let logging = Logging::new();
        let lazily = json!({"class": "file", "filename": dir.path("lazy.log"), "delay": true});
        let handler = logging.set_handler("lazy", &lazily).unwrap();
        let before = Trace::of(&dir.0);
        handler.set("encoding", &"klingon").unwrap_err();
        let now = json!({"class": "file", "filename": dir.path("no/x.log")});
        logging.set_handler("other", &now).unwrap_err();
        logging
            .set_handler("other", &json!({"class": "file", "filename": dir.path("other.log"), "levle": 1}))
            .unwrap_err();
        let basic = BasicConfig::from_value(&json!({"handlers": [
            {"class": "file", "filename": dir.path("first.log")},
            {"class": "file", "filename": dir.path("no/second.log")},
        ]}));
        logging.basic_config(basic.unwrap()).unwrap_err();
        assert_eq!(before.news(&dir.0), [""; 0]);
    });
}

/// They may open anything, so all else is checked before.
#[test]
fn the_applications_own_classes_are_made_last() {
    let dir = Dir::new();
    let calls = Arc::<AtomicUsize>::default();
    let (counted, path) = (Arc::clone(&calls), dir.path("own.log"));
    let registry = ClassRegistry::new().handler("own.Handler", move |arguments, _| {
        counted.fetch_add(1, Ordering::Relaxed);
        fs::write(&path, "").unwrap();
        arguments.bool("fails").map_or(Ok(Null.boxed()), |_| Err(Error::new("it fails")))
    });
    let build = |yaml: &str| {
        let yaml = yaml.replace("DIR", dir.0.to_str().unwrap());
        Logging::builder().registry(registry.clone()).build(&Config::from_yaml(&yaml).unwrap())
    };
    build("{version: 1, handlers: {a: {class: own.Handler}, z: {class: file, filename: DIR/no/x.log}}}").unwrap_err();
    build("{version: 1, handlers: {a: {class: own.Handler, strata: {queu: true}}}}").unwrap_err();
    build("{version: 1, handlers: {a: {class: own.Handler}}, root: {level: LOUD}}").unwrap_err();
    assert_eq!((calls.load(Ordering::Relaxed), fs::read_dir(&dir.0).unwrap().count()), (0, 0));
    let fails = "{version: 1, handlers: {a: {class: own.Handler, fails: true}, b: {class: file, filename: DIR/b.log}}}";
    let told = super::problems(&build(fails).unwrap_err());
    assert_eq!(told, ["handlers.a (line 1, column 25): it fails"]);
    let told = super::problems(&build(&fails.replace("fails: true", "fail: true")).unwrap_err());
    assert!(told[0].contains("did you mean \"fails\"?"), "{told:?}");
    assert!(!dir.0.join("b.log").exists());
    build("{version: 1, handlers: {a: {class: own.Handler}, b: {class: memory, capacity: 1, target: a}}}").unwrap();
    assert_eq!(calls.load(Ordering::Relaxed), 3);
}
