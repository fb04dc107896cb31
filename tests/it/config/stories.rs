//! `fileConfig`, `basicConfig`, `listen`, and Python's rules for what a configuration leaves alone.

use std::{io::Write as _, net::TcpStream};

use tracing_strata::{
    Severity,
    config::{BasicConfig, Config, Logging},
};

use super::{Dir, problems, with};

fn ini(dir: &Dir) -> String {
    format!(
        "[loggers]\nkeys = root, shop\n\n[handlers]\nkeys=file\n[formatters]\nkeys=line\n\n[logger_root]\nlevel=WARNING\nhandlers=file\n\
         [logger_shop]\nlevel=DEBUG\nhandlers=\nqualname=shop.core\npropagate=1\n\
         [handler_file]\nclass=FileHandler\nformatter=line\nargs=('%(dir)s/a.log', 'a')\nkwargs={{'delay': True}}\n\
         [formatter_line]\nformat=%(levelname)s %(name)s\n  %(message)s\n[DEFAULT]\ndir = {}\n",
        dir.0.display()
    )
}

#[test]
fn rule_28_a_python_ini_file_is_taken() {
    let dir = Dir::new();
    let logging = Logging::builder().python_defaults().build(&Config::from_ini(&ini(&dir)).unwrap()).unwrap();
    assert!(!dir.0.join("a.log").exists());
    with(&logging, || {
        tracing::debug!(target: "shop::core", "one");
        tracing::info!("no");
    });
    assert_eq!(dir.read("a.log"), "DEBUG shop::core\none\n");
}

#[test]
fn mistakes_in_an_ini_file_are_told_at_once() {
    let text = "[loggers]\nkeys=root,shop\n[handlers]\nkeys=file,gone\n[formatters]\nkeys=\n[logger_root]\nlevle=INFO\nhandlers=file\n\
                [logger_shop]\nhandlers=\n[handler_file]\nclass=FileHandler\nargs=(open('x'),)\nkwargs=[1]\n";
    let told = problems(&Config::from_ini(text).unwrap_err());
    for part in [
        "handlers.keys (line 4, column 1): there is no section `[handler_gone]`; did you mean \"handler_file\"?",
        "logger_root.levle (line 8, column 1): there is no such option here; did you mean \"level\"?",
        "logger_shop (line 10, column 1): expected `qualname=`",
        "handler_file.args (line 14, column 1): expected a literal, got a call of \"open\"",
        "handler_file.kwargs (line 15, column 1): expected a dict",
    ] {
        let part = part.split("; did").next().unwrap();
        assert!(told.iter().any(|told| told.contains(part)), "{part}\n{}", told.join("\n"));
    }
    let dir = Dir::new();
    let missing = Config::from_ini_file(dir.0.join("no.ini"), []).unwrap_err();
    assert!(problems(&missing)[0].contains("no such file"));
}

#[test]
fn rule_26_basic_config() {
    let dir = Dir::new();
    let logging = Logging::new();
    logging
        .basic_config(
            BasicConfig::new().file(dir.path("a.log")).level(Severity::INFO).datefmt("%Y").format("%(message)s"),
        )
        .unwrap();
    with(&logging, || tracing::info!("one"));
    let error = logging.basic_config(BasicConfig::new()).unwrap_err();
    assert!(error.to_string().contains("configured already"), "{error}");
    logging.basic_config(BasicConfig::new().file(dir.path("b.log")).force(true).style("{")).unwrap();
    with(&logging, || tracing::warn!(target: "shop", "two"));
    assert_eq!((dir.read("a.log"), dir.read("b.log")), ("one\n".into(), "WARNING:shop:two\n".into()));

    // Python says nothing, and does nothing.
    let python = Logging::builder().python_defaults().empty();
    let argument =
        |text: &str| BasicConfig::from_value(&serde_json::from_str::<serde_json::Value>(text).unwrap()).unwrap();
    for (wrong, message) in [
        (
            r#"{"stream": "ext://sys.stdout", "filename": "x"}"#,
            "'stream' and 'filename' should not be specified together",
        ),
        (
            r#"{"handlers": [], "filename": "x"}"#,
            "'stream' or 'filename' should not be specified together with 'handlers'",
        ),
        (r#"{"colour": 1, "x": 2}"#, "Unrecognised argument(s): colour, x"),
        (r#"{"level": "LOUD"}"#, "unknown level \"LOUD\""),
    ] {
        let error = python.basic_config(argument(wrong)).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
    let handlers = format!(
        r#"{{"handlers": [{{"class": "logging.FileHandler", "filename": {:?}, "name": "n", "formatter": {{"format": "own %(message)s"}}}},
            {{"class": "logging.FileHandler", "filename": {:?}}}], "format": "given %(message)s", "level": 10}}"#,
        dir.path("c.log"),
        dir.path("d.log")
    );
    python.basic_config(argument(&handlers)).unwrap();
    python.basic_config(argument(r#"{"level": "ERROR"}"#)).unwrap();
    with(&python, || tracing::debug!("m"));
    assert_eq!((dir.read("c.log"), dir.read("d.log")), ("own m\n".into(), "given m\n".into()));
    assert_eq!(python.handler_names(), ["n"]);
}

#[test]
fn rule_29_configurations_over_a_socket() {
    let logging = Logging::new();
    let listener =
        logging.listen("127.0.0.1:0", |bytes: Vec<u8>| (bytes.first() != Some(&b'!')).then_some(bytes)).unwrap();
    let send = |text: &str| {
        let mut stream = TcpStream::connect(listener.address()).unwrap();
        stream.write_all(&(text.len() as u32).to_be_bytes()).unwrap();
        stream.write_all(text.as_bytes()).unwrap();
        // The listener hangs up when it is done.
        std::io::copy(&mut stream, &mut std::io::sink()).unwrap();
    };
    send(r#"{"version": 1, "root": {"level": "ERROR"}}"#);
    assert_eq!(logging.loggers().level("root"), Some(Severity::ERROR));
    send("!refused");
    send("[loggers]\nkeys=root\n[handlers]\nkeys=\n[formatters]\nkeys=\n[logger_root]\nlevel=DEBUG\nhandlers=\n");
    assert_eq!(logging.loggers().level("root"), Some(Severity::DEBUG));
    // Somebody who says less than he promised.
    drop(TcpStream::connect(listener.address()).unwrap());
    send(r#"{"version": 1, "root": {"level": "INFO"}}"#);
    assert_eq!(logging.loggers().level("root"), Some(Severity::INFO));
}

#[test]
fn rules_27_15_to_17_what_python_leaves_alone() {
    let dir = Dir::new();
    let logging = Logging::builder().python_defaults().empty();
    let config = |text: &str| Config::from_yaml(&text.replace("DIR", &dir.0.display().to_string())).unwrap();
    logging
        .reload(&config("{version: 1, handlers: {f: {class: logging.FileHandler, filename: DIR/a.log}}, loggers: {kept: {level: INFO}}, root: {level: INFO, handlers: [f]}}"))
        .unwrap();
    // No root: it keeps its level and its closed handler, which opens again.
    logging
        .reload(&config("{version: 1, disable_existing_loggers: false, loggers: {kept: {propagate: true}}}"))
        .unwrap();
    assert!(logging.handler("f").is_none());
    assert_eq!(logging.loggers().level("kept"), Some(Severity::INFO));
    with(&logging, || tracing::info!(target: "kept", "again"));
    assert_eq!(dir.read("a.log"), "again\n");
    // A root that says something loses them.
    logging.reload(&config("{version: 1, root: {level: DEBUG}}")).unwrap();
    assert!(!logging.loggers().has_handlers("root"));
    assert!(logging.loggers().disabled("kept"));
    // Incremental: named loggers are on again.
    logging.reload(&config("{version: 1, incremental: true, loggers: {kept: {level: ERROR}}}")).unwrap();
    assert_eq!((logging.loggers().disabled("kept"), logging.loggers().level("kept")), (false, Some(Severity::ERROR)));
}

#[test]
fn the_handler_of_basic_has_a_name_and_its_end_is_told() {
    let dir = Dir::new();
    let logging = Logging::new();
    logging.basic_config(BasicConfig::new().file(dir.path("a.log"))).unwrap();
    assert_eq!(logging.handler_names(), ["basic"]);
    logging.basic_config(BasicConfig::new().file(dir.path("b.log")).force(true)).unwrap();
    assert_eq!(logging.handler_names(), ["basic"]);
    with(&logging, || tracing::warn!("to the second"));
    assert_eq!(
        (dir.read("a.log"), dir.read("b.log")),
        (String::new(), "WARNING:it::config::stories:to the second\n".into())
    );
    let changes = logging.reload(&Config::from_yaml("{version: 1, root: {level: INFO}}").unwrap()).unwrap();
    assert_eq!(changes.to_string(), "removed basic");
    // A name that is taken stays with whom it belongs to.
    logging.set_handler("basic", &serde_json::json!({"class": "null"})).unwrap();
    let mine = logging.handler("basic").unwrap().handler().clone();
    logging.basic_config(BasicConfig::new().file(dir.path("c.log"))).unwrap();
    assert!(logging.handler("basic").unwrap().handler().is_same(&mine));
    // In Python it has none.
    let python = Logging::builder().python_defaults().empty();
    python.basic_config(BasicConfig::new().file(dir.path("d.log"))).unwrap();
    assert!(python.handler_names().is_empty());
}
