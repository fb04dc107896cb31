//! JSON, YAML, TOML, INI, `serde` values, variables: the same configuration, and their mistakes with places.

use proptest::prelude::*;
use tracing_strata::{
    Severity,
    config::{Config, ConfigErrors, Logging},
};

use super::{Dir, problems};

const YAML: &str = "\
# A comment
version: 1
base: &base {class: logging.StreamHandler, level: INFO}
formatters:
  line:
    format: \"%(levelname)s %(message)s\"
handlers:
  out:
    <<: *base
    stream: ext://sys.stdout
    formatter: line
loggers:
  shop.db: {level: 10, propagate: false}
root: {level: WARNING, handlers: [out]}
";

#[test]
fn four_syntaxes_say_the_same() {
    let json = r#"{"version": 1, "base": {"class": "logging.StreamHandler", "level": "INFO"},
        "formatters": {"line": {"format": "%(levelname)s %(message)s"}},
        "handlers": {"out": {"class": "logging.StreamHandler", "level": "INFO", "stream": "ext://sys.stdout", "formatter": "line"}},
        "loggers": {"shop.db": {"level": 10, "propagate": false}}, "root": {"level": "WARNING", "handlers": ["out"]}}"#;
    let toml = r#"
version = 1
base = {class = "logging.StreamHandler", level = "INFO"}
formatters.line.format = "%(levelname)s %(message)s"
[handlers.out]
class = "logging.StreamHandler"
level = "INFO"
stream = "ext://sys.stdout"
formatter = "line"
[loggers."shop.db"]
level = 10
propagate = false
[root]
level = "WARNING"
handlers = ["out"]
"#;
    let yaml = Config::from_yaml(YAML).unwrap();
    assert_eq!(yaml, Config::from_json(json).unwrap());
    assert_eq!(yaml, Config::from_toml(toml).unwrap());
    let value: serde_json::Value = serde_json::from_str(json).unwrap();
    assert_eq!(yaml, Config::from_value(&value).unwrap());
    assert_eq!(Config::from_json(&yaml.to_json()).unwrap(), yaml);
    let logging = Logging::builder().build(&yaml).unwrap();
    assert_eq!(logging.loggers().level("shop::db"), Some(Severity::DEBUG));
    assert!(!logging.loggers().propagate("shop.db"));
}

#[test]
fn mistakes_of_the_syntax_have_their_place() {
    let cases = [
        (Config::from_json("{\"version\": 1,\n  \"root\": }"), "(line 2, column 11): not JSON"),
        (Config::from_yaml("version: 1\nroot: [a\n"), "not YAML"),
        (Config::from_yaml("a: !!python/object:os.system x"), "(line 1, column 4): expected no tag"),
        (Config::from_yaml("a: 1\n---\nb: 2\n"), "expected one document"),
        (Config::from_toml("version = 1\nroot = = 2"), "(line 2, column 8): not TOML"),
        (Config::from_ini("key=1\n"), "(line 1, column 1): expected a section"),
    ];
    for (result, part) in cases {
        let error = result.unwrap_err();
        assert!(error.is_config() && error.to_string().contains(part), "{error}\n{part}");
        assert!(ConfigErrors::of(&error).is_some());
    }
    // Python takes the last of two keys; so it is for whoever applies it to refuse them.
    for (config, part) in [
        (
            Config::from_json("{\"version\": 1,\n \"version\": 1}"),
            "version (line 2, column 2): duplicate key \"version\"; the first is at line 1, column 2",
        ),
        (
            Config::from_yaml("version: 1\nversion: 1\n"),
            "version (line 2, column 1): duplicate key \"version\"; the first is at line 1, column 1",
        ),
    ] {
        let config = config.unwrap();
        assert_eq!(problems(&Logging::builder().build(&config).unwrap_err()), [part]);
        assert_eq!(problems(&Logging::new().check(&config).unwrap_err()), [part]);
        let python = Logging::builder().python_defaults().build(&config).unwrap();
        assert_eq!(python.check(&config).unwrap().iter().map(ToString::to_string).collect::<Vec<_>>(), [part]);
    }
    let bomb = format!(
        "a: &a [x, x, x, x, x, x, x, x, x, x]\n{}",
        (0..8)
            .map(|n| {
                let (name, before) = (b'b' + n, b'a' + n);
                let item = format!("*{}", before as char);
                format!("{}: &{} [{}]\n", name as char, name as char, vec![item; 10].join(", "))
            })
            .collect::<String>()
    );
    assert!(Config::from_yaml(&bomb).unwrap_err().to_string().contains("references"));
    let bomb: String = (0..8).map(|n| format!("x{n}={}\n", format!("%(x{})s", n + 1).repeat(10))).collect();
    let bomb = format!(
        "[loggers]\nkeys=root\n[handlers]\nkeys=\n[formatters]\nkeys=\n[logger_root]\nhandlers=%(x0)s\n{bomb}x8=\n"
    );
    assert!(Config::from_ini(&bomb).unwrap_err().to_string().contains("with its interpolations"));
    let deep = "[".repeat(1_000) + &"]".repeat(1_000);
    assert!(Config::from_yaml(&deep).is_err());
    assert!(Config::from_json(&format!("{{\"a\": {deep}}}")).is_err());
}

#[test]
fn t55_variables_are_filled_in_once_and_only_where_they_are_allowed() {
    let look = |name: &str| match name {
        "LEVEL" => Some("ERROR".to_owned()),
        "EMPTY" => Some(String::new()),
        "NESTED" => Some("${LEVEL}".to_owned()),
        "SIZE" => Some("17".to_owned()),
        _ => None,
    };
    let text = "\
version: 1
formatters: {f: {format: '${message} ${LEVEL}', style: $}}
handlers:
  a: {class: test.X, level: '${LEVEL}', tag: 'x${NONE:-y}${EMPTY:-z}', nested: '${NESTED}', literal: '$${LEVEL}', size: '${SIZE}', on: '${NONE:-true}'}
";
    let config = Config::from_yaml(text).unwrap();
    assert!(config.to_json().contains("${LEVEL}"));
    let filled = config.clone().expand(look).unwrap();
    let value: serde_json::Value = serde_json::from_str(&filled.to_json()).unwrap();
    let handler = &value["handlers"]["a"];
    assert_eq!(handler["level"], "ERROR");
    assert_eq!(handler["tag"], "xyz");
    assert_eq!(handler["nested"], "${LEVEL}");
    assert_eq!(handler["literal"], "${LEVEL}");
    assert_eq!((&handler["size"], &handler["on"]), (&17.into(), &true.into()));
    assert_eq!(value["formatters"]["f"]["format"], "${message} ${LEVEL}");

    let wrong = Config::from_yaml("handlers: {a: {x: '${NONE}', y: ['${1}', '${open']}}").unwrap();
    let told = problems(&wrong.expand(look).unwrap_err());
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(told[0].starts_with("handlers.a.x (line 1, column 19): the variable NONE is not set"), "{told:?}");
}

#[test]
fn rule_27_references_and_attributes() {
    let dir = Dir::new();
    let yaml = "\
version: 1
handlers:
  f: {class: logging.FileHandler, filename: 'cfg://where.files[1]', formatter: m, level: 'ext://logging.WARNING', .: {terminator: '|'}}
formatters: {m: {format: '%(message)s'}}
where: {files: [x, PATH]}
root: {level: 'ext://logging.INFO', handlers: 'cfg://hung'}
hung: [f]
";
    let yaml = yaml.replace("PATH", &dir.path("a.log"));
    let logging = Logging::builder().build(&Config::from_yaml(&yaml).unwrap()).unwrap();
    assert_eq!(logging.loggers().level("root"), Some(Severity::INFO));
    super::with(&logging, || {
        tracing::info!("below");
        tracing::warn!("a");
        tracing::error!("b");
    });
    assert_eq!(dir.read("a.log"), "a|b|");
    for circle in ["a: 'cfg://b', b: 'cfg://a', handlers: {h: {class: 'cfg://a'}}", "handlers: {h: 'cfg://handlers.h'}"]
    {
        let error =
            Logging::new().reload(&Config::from_yaml(&format!("{{version: 1, {circle}}}")).unwrap()).unwrap_err();
        assert!(error.to_string().contains("leads back to itself"), "{error}");
    }
}

#[test]
fn defaults_fill_in_an_ini_file() {
    let dir = Dir::new();
    let text = "[loggers]\nkeys=root\n[handlers]\nkeys=h\n[formatters]\nkeys=\n[logger_root]\nlevel=%(lvl)s\nhandlers=h\n\
                [handler_h]\nclass=FileHandler\nargs=('%(dir)s/%(name)s.log',)\nname=own\n[DEFAULT]\nlvl=ERROR\n";
    let config =
        Config::from_ini_with(text, [("dir", dir.0.to_str().unwrap()), ("lvl", "INFO"), ("name", "given")]).unwrap();
    let logging = Logging::builder().build(&config).unwrap();
    // The file's own defaults and options win.
    assert_eq!(logging.loggers().level("root"), Some(Severity::ERROR));
    assert_eq!(dir.read("own.log"), "");
    let error = Config::from_ini(text).unwrap_err();
    assert!(problems(&error)[0].contains("dir"), "{error}");
}

#[test]
fn the_environment_overrides_values_and_levels() {
    let config = Config::from_yaml("{version: 1, handlers: {f: {class: 'null', level: INFO}}, loggers: {'shop::db': {level: INFO}}, root: {handlers: [f]}}").unwrap();
    let set = |pairs: &[(&str, &str)]| {
        config.clone().override_with(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    };
    let changed = set(&[
        ("STRATA__HANDLERS__F__LEVEL", "ERROR"),
        ("STRATA__ROOT__LEVEL", "15"),
        ("STRATA_LOG", "shop.db=trace,web=warn"),
        ("OTHER", "x"),
    ])
    .unwrap();
    let logging = Logging::builder().build(&changed).unwrap();
    assert_eq!(logging.handler("f").unwrap().level(), Severity::ERROR);
    assert_eq!(logging.loggers().to_string(), "+15,shop.db=trace,web=warn");
    let error = set(&[("STRATA__HANDLRS__F__LEVEL", "ERROR"), ("STRATA_LOG", "shop=lowd")]).unwrap_err().to_string();
    assert!(
        error.contains("STRATA__HANDLRS__F__LEVEL: there is no key \"HANDLRS\"; did you mean \"handlers\"?"),
        "{error}"
    );
    assert!(error.contains("STRATA_LOG: ") && error.contains("lowd"), "{error}");
}

#[test]
fn files_are_read_by_what_their_names_end_in() {
    let dir = Dir::new();
    std::fs::write(dir.0.join("a.yml"), YAML).unwrap();
    let config = Config::from_path(dir.0.join("a.yml")).unwrap();
    assert!(config.origin().unwrap().ends_with("a.yml"));
    assert!(Logging::from_path(dir.0.join("a.yml")).is_ok());
    std::fs::write(dir.0.join("a.toml"), "version = ").unwrap();
    let error = Config::from_path(dir.0.join("a.toml")).unwrap_err();
    assert!(error.to_string().contains("a.toml") && error.to_string().contains("line 1"), "{error}");
    assert!(Config::from_path(dir.0.join("none.json")).unwrap_err().is_io());
    for name in ["a.yaml", "a.ini"] {
        std::fs::write(dir.0.join(name), b"version: 1\n# \xe9t\xe9").unwrap();
        let error = Config::from_path(dir.0.join(name)).unwrap_err().to_string();
        assert!(
            error.contains(name) && error.ends_with("(line 2, column 3): expected UTF-8, got the byte 0xe9"),
            "{error}"
        );
    }
    std::fs::write(dir.0.join("a.txt"), "").unwrap();
    assert!(Config::from_path(dir.0.join("a.txt")).unwrap_err().to_string().contains(".yaml"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_text_is_read_or_refused(text in "[ -~\\n]{0,80}|[\\[\\]{}:,\"'#&*!|>%@`\\n a-c0-9.-]{0,60}|\\PC{0,40}") {
        for config in [Config::from_json(&text), Config::from_yaml(&text), Config::from_toml(&text), Config::from_ini(&text)].into_iter().flatten() {
            // What was read can be written and read again.
            prop_assert_eq!(Config::from_json(&config.to_json()).map(|again| again.to_json()).ok(), Some(config.to_json()));
        }
        // A section with the text as literal: nothing is evaluated, nothing panics.
        let ini = format!("[loggers]\nkeys=root\n[handlers]\nkeys=h\n[formatters]\nkeys=\n[logger_root]\nhandlers=h\n[handler_h]\nclass=NullHandler\nargs={}\n", text.replace('\n', " "));
        if let Ok(config) = Config::from_ini(&ini) {
            let _ = Logging::new().migration_report(&config).to_string();
        }
    }

    #[test]
    fn literals_read_back(number in any::<i64>(), float in -1e9..1e9, text in "\\PC{0,20}", on in any::<bool>()) {
        let quoted = text.replace('\\', "\\\\").replace('\'', "\\'").replace('%', "%%");
        let on_text = if on { "True" } else { "False" };
        let ini = format!(
            "[loggers]\nkeys=root\n[handlers]\nkeys=h\n[formatters]\nkeys=\n[logger_root]\nhandlers=\n[handler_h]\nclass=x\nargs=({number}, {float:?}, '{quoted}', {on_text}, None, [1, (2,)], {{'a': 'b'}},)\n"
        );
        let config = Config::from_ini(&ini).unwrap();
        let value: serde_json::Value = serde_json::from_str(&config.to_json()).unwrap();
        let args = &value["handlers"]["h"]["args"];
        prop_assert_eq!(&args[0], &serde_json::json!(number));
        prop_assert_eq!(&args[1], &serde_json::json!(float));
        prop_assert_eq!(&args[2], &serde_json::json!(text));
        prop_assert_eq!(&args[3], &serde_json::json!(on));
        prop_assert_eq!(&args[5], &serde_json::json!([1, [2]]));
    }
}
