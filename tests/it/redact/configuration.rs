//! The class `redact` of the section `filters`.

use std::fs;

use tracing_strata::config::{Config, Logging};

use crate::{places::Dir, support::with_layer};

fn written(filter: &str) -> String {
    let dir = Dir::new();
    let file = dir.path("log.jsonl");
    let text = format!(
        r#"{{"version": 1,
            "formatters": {{"json": {{"class": "json"}}}},
            "filters": {{"clean": {filter}}},
            "handlers": {{"file": {{"class": "logging.FileHandler", "filename": {:?}, "formatter": "json", "filters": ["clean"]}}}},
            "root": {{"level": "INFO", "handlers": ["file"]}}}}"#,
        file.to_str().unwrap()
    );
    let logging = Logging::builder().build(&Config::from_json(&text).unwrap()).unwrap();
    with_layer(logging.layer(), || {
        tracing::info!(password = "hunter2", badge = "B-1234", card = "4111111111111111", "of ada@example.com");
    });
    drop(logging);
    fs::read_to_string(file).unwrap()
}

#[test]
fn a_filter_redacts() {
    let text = written(r#"{"class": "redact", "keys": ["badge"]}"#);
    let all = r#""password":"[redacted]","badge":"[redacted]","card":"[redacted:card]""#;
    assert!(text.contains(all) && text.contains("of [redacted:email]"), "{text}");
    let text = written(
        r#"{"class": "redact", "defaults": false, "patterns": ["card"], "own_patterns": {"badge": "B-(\\d+)"}, "keep_last": 4}"#,
    );
    assert!(text.contains(r#""password":"hunter2","badge":"B-***","card":"***1111""#), "{text}");
}

#[test]
fn what_is_wrong_is_named() {
    let error = |filter: &str| {
        let text = format!(r#"{{"version": 1, "filters": {{"clean": {filter}}}}}"#);
        Logging::builder().build(&Config::from_json(&text).unwrap()).unwrap_err().to_string()
    };
    for (filter, parts) in [
        (r#"{"class": "redact", "patterns": ["cards"]}"#, ["filters.clean.patterns", "\"cards\"", "\"card\""]),
        (r#"{"class": "redact", "own_patterns": {"odd": "a(b"}}"#, ["filters.clean.own_patterns", "\"odd\"", "a(b"]),
        (r#"{"class": "redact", "action": "burn"}"#, ["filters.clean.action", "\"burn\"", "remove"]),
        (r#"{"class": "redact", "keep_last": 900}"#, ["filters.clean.keep_last", "255", ""]),
        (r#"{"class": "redact", "key": ["x"]}"#, ["filters.clean.key", "keys", ""]),
    ] {
        let error = error(filter);
        assert!(parts.iter().all(|part| error.contains(part)), "{filter}: {error}");
    }
}
