//! Random configurations, whole and with one fault: no panic, nothing half-applied, and they round-trip.

use proptest::prelude::*;
use serde_json::{Value as Json, json};
use tracing_strata::config::{Config, ConfigErrors, Logging};

use super::OwnedRecord;
use crate::places::apart;

fn name() -> impl Strategy<Value = String> {
    prop_oneof!["[a-c]", "[a-c]\\.[a-c]", "[a-z]{1,6}", Just("odd name".to_owned()), Just("ünï".to_owned())]
}

fn level() -> impl Strategy<Value = Json> {
    prop_oneof![
        prop::sample::select(vec!["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL", "NOTSET", "FATAL"])
            .prop_map(|name| json!(name)),
        (0..60_i32).prop_map(|number| json!(number)),
    ]
}

/// A configuration in which everything that is named is there.
fn valid() -> impl Strategy<Value = Json> {
    let formatters = prop::collection::btree_map(
        name(),
        prop::sample::select(vec![
            json!({"format": "%(levelname)s %(message)s"}),
            json!({"format": "{message}", "style": "{", "datefmt": "%H:%M"}),
            json!({"format": "$message", "style": "$", "validate": true}),
            json!({"class": "json"}),
            json!({}),
        ]),
        0..4,
    );
    let filters = prop::collection::btree_map(name(), name().prop_map(|name| json!({"name": name})), 0..3);
    let handlers = prop::collection::btree_map(name(), (level(), 0..4_u8, any::<[prop::sample::Index; 3]>()), 1..5);
    let loggers =
        prop::collection::btree_map(name(), (level(), any::<bool>(), any::<[prop::sample::Index; 2]>()), 0..5);
    (formatters, filters, handlers, loggers, level(), any::<bool>()).prop_map(
        |(formatters, filters, handlers, loggers, root_level, disable)| {
            let names: Vec<String> = handlers.keys().cloned().collect();
            let pick =
                |index: prop::sample::Index, from: &[String]| (!from.is_empty()).then(|| index.get(from).clone());
            let formats: Vec<String> = formatters.keys().cloned().collect();
            let sieves: Vec<String> = filters.keys().cloned().collect();
            let made: serde_json::Map<_, _> = (handlers.iter())
                .map(|(name, (level, kind, indexes))| {
                    let mut handler = match kind {
                        0 => json!({"class": "logging.NullHandler"}),
                        1 => json!({"class": "test.Kept", "tag": name}),
                        2 => json!({"()": "test.Kept", "tag": name, "strata": {"queue": {"capacity": 10}}}),
                        _ => json!({"class": "null"}),
                    };
                    handler["level"] = level.clone();
                    if let Some(format) = pick(indexes[0], &formats) {
                        handler["formatter"] = json!(format);
                    }
                    handler["filters"] = json!(pick(indexes[1], &sieves).into_iter().collect::<Vec<_>>());
                    (name.clone(), handler)
                })
                .collect();
            let loggers: serde_json::Map<_, _> = (loggers.iter())
                .map(|(name, (level, propagate, indexes))| {
                    let handlers: Vec<_> = indexes.iter().filter_map(|index| pick(*index, &names)).collect();
                    (name.clone(), json!({"level": level, "propagate": propagate, "handlers": handlers}))
                })
                .collect();
            json!({
                "version": 1, "disable_existing_loggers": disable, "formatters": formatters, "filters": filters,
                "handlers": made, "loggers": loggers, "root": {"level": root_level, "handlers": names},
            })
        },
    )
}

/// Breaks one thing, and says how.
fn broken(mut config: Json, fault: u8) -> (Json, &'static str) {
    let first = config["handlers"].as_object().and_then(|handlers| handlers.keys().next().cloned()).unwrap();
    let handler = &mut config["handlers"][&first];
    let what = match fault {
        0 => {
            handler["class"] = json!("logging.NoSuchHandler");
            handler.as_object_mut().unwrap().remove("()");
            "class"
        }
        1 => {
            handler["level"] = json!("LOUD");
            "level"
        }
        2 => {
            handler["formatter"] = json!("no such formatter");
            "formatter"
        }
        3 => {
            handler["filters"] = json!(["no such filter"]);
            "filter"
        }
        4 => {
            handler["no_such_key"] = json!(1);
            "key"
        }
        5 => {
            config["root"]["handlers"] = json!(["no such handler"]);
            "root handler"
        }
        6 => {
            config["version"] = json!(3);
            "version"
        }
        7 => {
            config["formatters"]["broken"] = json!({"format": "no fields"});
            "format"
        }
        8 => {
            config["loggers"]["broken"] = json!({"level": [1]});
            "logger level"
        }
        9 => {
            config["handlers"][&first] = json!([1, 2]);
            "handler"
        }
        10 => {
            config["filters"] = json!("text");
            "filters"
        }
        _ => {
            config["loggers"]["broken"] = json!({"filters": ["no such filter"]});
            "logger filter"
        }
    };
    (config, what)
}

#[test]
fn valid_ones_apply_twice_and_round_trip() {
    apart("config::random::valid_ones_apply_twice_and_round_trip", || {
        proptest!(ProptestConfig::with_cases(60), |(json in valid())| {
        let kept = OwnedRecord::default();
        let logging = Logging::builder().registry(kept.registry()).empty();
        let config = Config::from_value(&json).unwrap();
        logging.check(&config).unwrap();
        logging.reload(&config).unwrap();
        let tree = format!("{:?}", logging.loggers());
        let changes = logging.reload(&Config::from_yaml(&config.to_json()).unwrap()).unwrap();
        prop_assert_eq!(changes.kept().len(), json["handlers"].as_object().unwrap().len());
        prop_assert_eq!(format!("{:?}", logging.loggers()), tree);
        prop_assert_eq!(Config::from_json(&config.to_json()).unwrap(), config.clone());
        prop_assert_eq!(logging.config().unwrap(), config.clone());
        prop_assert!(logging.migration_report(&config).is_complete());
        // Python's rules take it, too.
        Logging::builder().registry(kept.registry()).python_defaults().build(&config).unwrap();
        });
    });
}

#[test]
fn one_fault_is_refused_and_changes_nothing() {
    apart("config::random::one_fault_is_refused_and_changes_nothing", || {
        proptest!(ProptestConfig::with_cases(60), |(json in valid(), fault in 0..12_u8)| {
        let kept = OwnedRecord::default();
        let logging = Logging::builder().registry(kept.registry()).empty();
        logging.reload(&Config::from_value(&json!({"version": 1, "handlers": {"old": {"class": "test.Kept"}}, "loggers": {"x": {"level": 7}}, "root": {"level": 33, "handlers": ["old"]}})).unwrap()).unwrap();
        let before = (format!("{:?}", logging.loggers()), logging.handler_names());
        let (json, what) = broken(json, fault);
        let error = logging.reload(&Config::from_value(&json).unwrap()).unwrap_err();
        prop_assert!(ConfigErrors::of(&error).unwrap().iter().len() >= 1, "{}", what);
        prop_assert_eq!((format!("{:?}", logging.loggers()), logging.handler_names()), before, "{}", what);
        });
    });
}

/// A random INI file with everything that it names, and one of its lines broken if `fault` says so.
fn ini() -> impl Strategy<Value = (Vec<(String, u8, i32)>, i32)> {
    (prop::collection::vec(("[a-z]{1,5}", 0..4_u8, 0..60_i32), 1..4), 0..60_i32).prop_map(|(mut handlers, level)| {
        handlers.sort();
        handlers.dedup_by(|a, b| a.0 == b.0);
        (handlers, level)
    })
}

fn ini_text(handlers: &[(String, u8, i32)], root: i32) -> String {
    let names: Vec<&str> = handlers.iter().map(|(name, ..)| &**name).collect();
    let mut text = format!(
        "[loggers]\nkeys=root,shop\n[handlers]\nkeys={0}\n[formatters]\nkeys=f\n[formatter_f]\nformat=%(message)s\n\
         [logger_root]\nlevel={root}\nhandlers={0}\n[logger_shop]\nlevel=INFO\nhandlers=\nqualname=shop\n",
        names.join(",")
    );
    for (name, kind, level) in handlers {
        let class = match kind {
            0 => "class=NullHandler",
            1 => "class=test.Kept\nkwargs={'tag': 'k'}",
            2 => "class=handlers.MemoryHandler\nargs=(10, ERROR)",
            _ => "class=StreamHandler\nargs=(sys.stdout,)",
        };
        text += &format!("[handler_{name}]\n{class}\nlevel={level}\nformatter=f\n");
    }
    text
}

#[test]
fn ini_files_apply_twice_and_with_one_fault_change_nothing() {
    apart("config::random::ini_files_apply_twice_and_with_one_fault_change_nothing", || {
        proptest!(ProptestConfig::with_cases(60), |((handlers, root) in ini(), fault in 0..9_usize)| {
            let kept = OwnedRecord::default();
            let logging = Logging::builder().registry(kept.registry()).empty();
            let text = ini_text(&handlers, root);
            let config = Config::from_ini(&text).unwrap();
            logging.reload(&config).unwrap();
            let state = || (format!("{:?}", logging.loggers()), logging.handler_names(), logging.config().unwrap());
            let before = state();
            prop_assert_eq!(logging.reload(&config).unwrap().kept().len(), handlers.len());
            prop_assert_eq!(&state(), &before);

            let (from, to) = [
                ("[formatters]", "[fromatters]"), ("formatter=f", "formatter=g"), ("[logger_root]\nlevel=", "[logger_root]\nlevel=LOUD"),
                ("qualname=shop\n", "\n"), ("keys=root,shop", "keys=root,shop,web"), ("format=%(message)s", "format=plain"),
                ("\nclass=", "\nclass=x."), ("[loggers]", "loggers]"), ("[logger_shop]\nlevel=INFO\nhandlers=", "[logger_shop]\nlevel=INFO\nhandlers=nobody"),
            ][fault];
            prop_assert!(text.contains(from));
            let broken = text.replacen(from, to, 1);
            let error = Config::from_ini(&broken).and_then(|config| logging.reload(&config)).unwrap_err();
            prop_assert!(ConfigErrors::of(&error).unwrap().iter().all(|problem| problem.line().is_some() || !problem.path().is_empty()), "{}", error);
            prop_assert_eq!(&state(), &before, "{}", error);
        });
    });
}
