//! `Args` for clap.

use clap::Parser;
use tracing_strata::{Severity, config::Args};

use super::{Dir, with};

#[derive(Parser)]
struct Options {
    #[command(flatten)]
    log: Args,
}

fn args(words: &[&str]) -> Args {
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
