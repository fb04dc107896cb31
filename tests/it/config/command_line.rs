//! `CliArgs` for clap.

use clap::Parser;
use tracing_strata::{Severity, config::CliArgs};

use super::{Dir, with};
use crate::places::in_a_child;

#[derive(Parser)]
struct Options {
    #[command(flatten)]
    log: CliArgs,
}

fn args(words: &[&str]) -> CliArgs {
    Options::try_parse_from(["shop"].iter().chain(words)).map(|options| options.log).unwrap()
}

#[test]
fn levels() {
    for (words, expected) in [
        (&[][..], "info"),
        (&["-v"], "debug"),
        (&["-vv"], "trace"),
        (&["-q"], "warn"),
        (&["-qq"], "error"),
        (&["-qqq"], "off"),
        (&["-v", "--log", "warn,shop::db=trace"], "warn,shop.db=trace"),
        (&["-v", "--log", "shop=error"], "debug,shop=error"),
    ] {
        assert_eq!(args(words).build().unwrap().loggers().to_string(), expected, "{words:?}");
    }
    assert!(Options::try_parse_from(["shop", "-v", "-q"]).is_err());
    let error = args(&["--log", "shop=lowd"]).build().unwrap_err().to_string();
    assert!(error.contains("--log") && error.contains("lowd"), "{error}");
}

#[test]
fn file_format_and_configuration() {
    let dir = Dir::new();
    let path = dir.path("a.log");
    let logging = args(&["--log-file", &path, "--log-format", "{levelname}:{message}"]).build().unwrap();
    with(&logging, || tracing::info!("m"));
    assert_eq!(dir.read("a.log"), "INFO:m\n");

    let config = dir.path("c.yaml");
    std::fs::write(&config, "{version: 1, handlers: {n: {class: 'null'}}, root: {level: ERROR, handlers: [n]}, loggers: {shop: {level: INFO}}}").unwrap();
    let logging = args(&["--log-config", &config, "-vv"]).build().unwrap();
    assert_eq!(logging.loggers().level("root"), Some(Severity::TRACE));
    assert_eq!(logging.handler_names(), ["n"]);
    let logging =
        args(&["--log-config", &config, "--log-file", &dir.path("b.log"), "--log-format", "json"]).build().unwrap();
    with(&logging, || tracing::info!(target: "shop", "m"));
    assert!(dir.read("b.log").contains("\"message\":\"m\""));
    assert!(args(&["--log-config", "/no/such.yaml"]).build().unwrap_err().is_io());
}

#[test]
fn the_command_line_wins_over_the_environment_that_over_the_file_and_that_over_defaults() {
    let told = in_a_child(
        "config::command_line::the_command_line_wins_over_the_environment_that_over_the_file_and_that_over_defaults",
        |command| {
            command.env("STRATA_LOG", "trace,shop=error").env("STRATA__HANDLERS__N__LEVEL", "ERROR");
        },
        |report| {
            let dir = Dir::new();
            let config = dir.path("c.yaml");
            let yaml = "{version: 1, handlers: {n: {class: 'null', level: INFO}}, root: {level: ERROR, handlers: [n]}}";
            std::fs::write(&config, yaml).unwrap();
            let file = ["--log-config", &config];
            let mut told = String::new();
            for (words, has_file) in [
                (&[][..], false),
                (&["-q"], false),
                (&["-q", "--log", "error"], false),
                (&[], true),
                (&["-q"], true),
                (&["--log", "info,shop=debug"], true),
            ] {
                let words: Vec<_> = words.iter().copied().chain(file.into_iter().filter(|_| has_file)).collect();
                let logging = args(&words).build().unwrap();
                told += &format!("{}\n", logging.loggers());
                if has_file {
                    assert_eq!(logging.handler("n").unwrap().level(), Severity::ERROR);
                }
            }
            std::fs::write(report, told).unwrap();
        },
    );
    let expected =
        "trace,shop=error\nwarn,shop=error\nerror,shop=error\ntrace,shop=error\nwarn,shop=error\ninfo,shop=debug\n";
    assert_eq!(told, expected);
}

#[test]
fn mistakes_are_told_in_the_words_of_the_command_line() {
    let told = |words: &[&str]| {
        let error = args(words).build().unwrap_err();
        super::problems(&error).join("\n")
    };
    let expected = "expected text, pretty, json or a format such as \"{levelname} {message}\"";
    assert_eq!(
        told(&["--log-format", "jsn"]),
        format!("--log-format: {expected}, got \"jsn\"; did you mean \"json\"?")
    );
    assert_eq!(told(&["--log-format", "nonsense"]), format!("--log-format: {expected}, got \"nonsense\""));
    assert!(told(&["--log-format", "{mesage"]).starts_with("--log-format: invalid format"));
    let missing = told(&["--log-file", "/no/such/directory/x.log"]);
    assert!(missing.starts_with("--log-file: ") && missing.contains("/no/such/directory"), "{missing}");
    assert!(!missing.contains("create_dirs") && !missing.contains("command line"), "{missing}");
}
