//! Configurations made of several: `include`, one over another, one under a key.

use std::fs;

use tracing_strata::{
    Severity,
    config::{Config, ConfigErrors, Logging},
    output::Null,
    prelude::*,
};

use super::Dir;

/// Writes files, and reads the first with what it includes.
fn read(dir: &Dir, files: &[(&str, &str)]) -> Result<Config, tracing_strata::Error> {
    for (name, text) in files {
        let path = dir.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    Config::from_path(dir.0.join(files[0].0))?.expand_includes()
}

fn yaml(text: &str) -> Config {
    Config::from_yaml(text).unwrap()
}

const BASE: &str = "version: 1
handlers:
  out: {class: 'null', level: INFO}
  debug: {class: file, filename: debug.log, delay: true}
loggers: {shop: {level: DEBUG, handlers: [out, debug]}}
root: {level: INFO, handlers: [out]}
";

#[test]
fn an_environment_is_put_over_its_base() {
    let dir = Dir::new();
    let production = "include: common/base.yaml
handlers: {out: {level: WARNING}, debug: null}
loggers: {shop: {handlers: [out]}}
";
    let config = read(&dir, &[("production.yaml", production), ("common/base.yaml", BASE)]).unwrap();
    let expected = "version: 1
handlers: {out: {class: 'null', level: WARNING}}
loggers: {shop: {level: DEBUG, handlers: [out]}}
root: {level: INFO, handlers: [out]}
";
    assert_eq!(config, yaml(expected));
    // `from_path` alone leaves the key as it is, for Python knows none of that name.
    assert!(Config::from_path(dir.0.join("production.yaml")).unwrap().to_string().contains("include"));
    let logging = Logging::from_path(dir.0.join("production.yaml")).unwrap();
    assert_eq!(logging.handler_names(), ["out"]);
}

#[test]
fn of_several_files_the_later_ones_win_in_any_syntax() {
    let dir = Dir::new();
    let files = [
        ("all.json", r#"{"include": ["one.toml", "two.yaml"], "version": 1}"#),
        ("one.toml", "[root]\nlevel = \"INFO\"\n[loggers.a]\nlevel = \"INFO\"\n"),
        ("two.yaml", "include: three.yaml\nroot: {level: ERROR}\n"),
        ("three.yaml", "root: {level: DEBUG}\nloggers: {b: {level: DEBUG}}\n"),
    ];
    let expected = "{version: 1, root: {level: ERROR}, loggers: {a: {level: INFO}, b: {level: DEBUG}}}";
    assert_eq!(read(&dir, &files).unwrap(), yaml(expected));
}

#[test]
fn an_entry_with_another_class_replaces_the_one_below() {
    let over = "handlers: {debug: {class: stream, stream: ext://sys.stdout}}";
    let merged = yaml(BASE).overlaid_with(yaml(over)).unwrap();
    let debug = merged.under("handlers").unwrap().under("debug").unwrap();
    assert_eq!(debug, yaml("{class: stream, stream: 'ext://sys.stdout'}"));
}

#[test]
fn what_removes_a_key_leaves_nothing_where_there_is_none() {
    let over = || yaml("handlers: {debug: null, out: {class: stream, level: null}}");
    for base in
        ["version: 1", "{version: 1, handlers: null}", "{version: 1, handlers: {out: {class: 'null', level: INFO}}}"]
    {
        let merged = yaml(base).overlaid_with(over()).unwrap();
        assert_eq!(merged, yaml("{version: 1, handlers: {out: {class: stream}}}"), "{base}");
    }
}

#[test]
fn files_include_each_other_sixteen_deep_at_most() {
    let chain = |depth: usize| {
        let dir = Dir::new();
        let names: Vec<_> = (0..=depth).map(|n| format!("{n}.yaml")).collect();
        let texts: Vec<_> = (0..=depth)
            .map(|n| if n < depth { format!("include: {}.yaml", n + 1) } else { "version: 1".to_owned() })
            .collect();
        let files: Vec<_> = names.iter().zip(&texts).map(|(name, text)| (&**name, &**text)).collect();
        read(&dir, &files).map_err(|error| error.to_string())
    };
    assert_eq!(chain(15).unwrap(), yaml("version: 1"));
    let error = chain(17).unwrap_err();
    assert!(error.contains("at most 16 files"), "{error}");
}

#[test]
fn a_mistake_in_an_included_file_names_it() {
    let dir = Dir::new();
    let base = BASE.replace("level: INFO}", "levle: INFO}");
    let config = read(&dir, &[("top.yaml", "include: base.yaml\nroot: {levl: INFO}\n"), ("base.yaml", &base)]).unwrap();
    let error = Logging::new().reload(&config).unwrap_err();
    let problems: Vec<_> = ConfigErrors::of(&error).unwrap().iter().collect();
    let base = dir.path("base.yaml");
    let places: Vec<_> = problems.iter().map(|problem| (problem.path(), problem.file(), problem.line())).collect();
    assert_eq!(places, [("root.levl", None, Some(2)), ("handlers.out.levle", Some(&*base), Some(3))]);
    assert!(error.to_string().contains(&format!("handlers.out.levle ({base}, line 3, column")), "{error}");
}

#[test]
fn includes_that_cannot_be_are_refused_by_name() {
    let dir = Dir::new();
    let refused = |files: &[(&str, &str)]| read(&dir, files).unwrap_err().to_string();
    let missing = refused(&[("a.yaml", "include: nowhere.yaml")]);
    assert!(missing.contains("nowhere.yaml"), "{missing}");
    let circle = refused(&[("a.yaml", "include: b.yaml"), ("b.yaml", "include: a.yaml")]);
    assert!(circle.contains("b.yaml, line 1, column 10): ") && circle.contains("a.yaml includes itself"), "{circle}");
    let itself = refused(&[("a.yaml", "include: ./a.yaml")]);
    assert!(itself.contains("a.yaml includes itself"), "{itself}");
    let number = refused(&[("a.yaml", "include: 7")]);
    assert_eq!(number, "include (line 1, column 10): expected a path or a list of paths, got 7");
    let number = refused(&[("a.yaml", "include: [7]")]);
    assert_eq!(number, "include (line 1, column 11): expected a path or a list of paths, got 7");
    let broken = refused(&[("a.yaml", "include: b.yaml"), ("b.yaml", "root: [")]);
    assert!(broken.contains("b.yaml") && broken.contains("line"), "{broken}");
    let ini = refused(&[
        ("a.yaml", "include: b.ini"),
        ("b.ini", "[loggers]\nkeys=root\n[handlers]\nkeys=\n[formatters]\nkeys=\n[logger_root]\nhandlers=\n"),
    ]);
    assert!(ini.contains("INI"), "{ini}");
}

#[test]
fn a_configuration_under_a_key_is_found_by_its_name() {
    let settings = yaml("port: 1\napp: {logging: {version: 1, root: {level: ERROR, levle: 1}}}\n");
    let config = settings.clone().under("app.logging").unwrap();
    let error = Logging::new().reload(&config).unwrap_err().to_string();
    assert!(error.starts_with("root.levle (line 2, column"), "{error}");
    let refused = |key: &str| settings.clone().under(key).unwrap_err().to_string();
    assert_eq!(
        refused("app.loging"),
        "app.loging (line 2, column 6): expected the key \"loging\"; did you mean \"logging\"?"
    );
    assert_eq!(refused("port"), "port (line 1, column 7): expected a mapping, got 1");
    assert!(refused("port.x").starts_with("port "), "{}", refused("port.x"));
    for document in ["", "[1]", "7"] {
        let error = yaml(document).under("logging").unwrap_err().to_string();
        assert!(error.contains("expected a mapping with the key \"logging\""), "{error}");
    }
    // A key that stands twice is a mistake of the section it stands in.
    let twice =
        yaml("port: 1\nport: 2\nlogging: {version: 1, root: {level: INFO, level: INFO}}\n").under("logging").unwrap();
    let error = Logging::new().reload(&twice).unwrap_err().to_string();
    assert!(error.starts_with("root.level (line 3") && !error.contains("port"), "{error}");
}

#[test]
fn a_reload_tells_what_was_set_by_hand() {
    let logging = Logging::builder().build(&yaml("version: 1\nloggers: {shop: {level: INFO}}\n")).unwrap();
    let config = yaml("version: 1\n");
    assert!(logging.reload(&config).unwrap().overridden().is_empty());
    logging.loggers().set_level("shop", Severity::DEBUG).unwrap();
    logging.loggers().add_handler("shop.db", Null.named("mine")).unwrap();
    let changes = logging.reload(&config).unwrap();
    let by_hand = ["level DEBUG of the logger \"shop\"", "handler \"mine\" of the logger \"shop.db\""];
    assert_eq!(changes.overridden(), by_hand);
    assert!(changes.to_string().ends_with("handler \"mine\" of the logger \"shop.db\""), "{changes}");
    assert!(logging.reload(&config).unwrap().overridden().is_empty());
}
