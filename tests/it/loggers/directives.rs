//! Directives: what people write, mistakes, and the way back.

use std::collections::BTreeMap;

use proptest::prelude::*;
use tracing_strata::{Loggers, Severity};

use super::alone;
use crate::places::apart;

#[test]
fn forms_of_rust_log() {
    for (directives, shown) in [
        ("", "warn"),
        ("info", "info"),
        ("app", "warn,app=trace"),
        ("INFO, app::db = Debug ,, other=off,", "info,app.db=debug,other=off"),
        ("3,app=5", "info,app=trace"),
        ("app=25,lib=critical,WARNING", "warn,app=+25,lib=critical"),
    ] {
        assert_eq!(directives.parse::<Loggers>().unwrap().to_string(), shown, "{directives}");
    }
    assert_eq!(format!("{:?}", Loggers::new()), "Loggers(warn)");
}

#[test]
fn t65_a_wrong_directive_is_named_and_nothing_is_applied() {
    let loggers = Loggers::parse("info,app=debug").unwrap();
    for (directives, parts) in [
        ("trace,app=lowd", ["directive 2 (column 7) \"app=lowd\"", "unknown level \"lowd\"", "expected off"]),
        ("trace,inof", ["directive 2", "did you mean info?", "inof=trace"]),
        ("trace,app[request]=debug", ["directive 2", "app[request]=debug", "expected `name=level`"]),
        ("trace,[{id=1,x=2}]=debug", ["directive 2", "[{id=1,x=2}]=debug", "field"]),
        ("trace,app=debug/again", ["directive 2", "app=debug/again", "not supported"]),
        ("trace,=debug", ["directive 2", "=debug", "before '='"]),
    ] {
        let error = loggers.apply(directives).unwrap_err();
        assert!(error.is_config());
        let error = error.to_string();
        assert!(parts.iter().all(|part| error.contains(part)), "{error}");
        assert_eq!(loggers.to_string(), "info,app=debug");
        assert!(!loggers.is_enabled_for("lib", Severity::DEBUG));
    }
}

#[test]
fn names_of_added_levels_are_levels() {
    Severity::add_name(27, "LOGGERS_TEST").unwrap();
    let loggers = Loggers::parse("loggers_test,app=Loggers_Test").unwrap();
    assert_eq!(loggers.effective_level(""), Severity::new(27));
    assert_eq!(loggers.to_string(), "loggers_test,app=loggers_test");
}

#[test]
fn the_environment_is_read() {
    const TEST: &str = "loggers::directives::the_environment_is_read";
    let variables = [("RUST_LOG", "info,app=debug"), ("STRATA_BAD", "warn,app=lowd"), ("STRATA_EMPTY", " ")];
    if alone(TEST, &variables).is_some() {
        return;
    }
    assert_eq!(Loggers::from_env().unwrap().to_string(), "info,app=debug");
    assert_eq!(Loggers::from_env_or("STRATA_ABSENT", "error").unwrap().to_string(), "error");
    assert_eq!(Loggers::from_env_or("STRATA_EMPTY", "error").unwrap().to_string(), "error");
    let error = Loggers::from_env_or("STRATA_BAD", "error").unwrap_err().to_string();
    assert!(error.contains("STRATA_BAD") && error.contains("\"app=lowd\""), "{error}");
    assert!(Loggers::from_env_or("STRATA_ABSENT", "lowd=lowd").is_err());
}

/// Pieces that directives are made of, and what does not belong there.
fn piece() -> impl Strategy<Value = String> {
    let words = [
        "info",
        "WARN",
        "off",
        "0",
        "5",
        "6",
        "-1",
        "app",
        "root",
        "a::b",
        "a.b",
        ":",
        "::",
        ".",
        "=",
        ",",
        ",",
        "\"",
        "\\",
        "\\u{41}",
        "\\u{d800}",
        "\\u{",
        "[",
        "]",
        "{",
        "}",
        "/",
        " ",
        "\t",
        "\n",
        "\u{202e}",
        "ä",
        "inof",
        "é\u{301}",
        "*",
    ];
    prop_oneof![8 => prop::sample::select(words.to_vec()).prop_map(str::to_owned), 1 => any::<String>()]
}

#[test]
fn hostile_directives_parse_or_are_refused_and_never_panic() {
    apart("loggers::directives::hostile_directives_parse_or_are_refused_and_never_panic", || {
        proptest!(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() }, |(pieces in prop::collection::vec(piece(), 0..12))| {
        let directives = pieces.concat();
        match Loggers::parse(&directives) {
            Ok(loggers) => {
                let shown = loggers.to_string();
                prop_assert!(!shown.contains(char::is_control), "{shown:?}");
                prop_assert_eq!(Loggers::parse(&shown).unwrap().to_string(), shown);
            }
            Err(error) => {
                let text = error.to_string();
                prop_assert!(error.is_config() && text.starts_with("directive ") && !text.contains(char::is_control), "{text:?}");
            }
        }
        });
    });
}

#[test]
fn what_is_shown_parses_to_the_same_levels() {
    apart("loggers::directives::what_is_shown_parses_to_the_same_levels", || {
        proptest!(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() }, |(root in prop_oneof![-2..12, any::<i32>()], levels in prop::collection::btree_map(any::<String>(), prop_oneof![-2..12, any::<i32>()], 0..8))| {
        let loggers = Loggers::new();
        loggers.set_level("", Severity::new(root)).unwrap();
        let mut set = BTreeMap::new();
        for (name, level) in &levels {
            // Two spellings of one name: the last counts.
            if loggers.set_level(name, Severity::new(*level)).is_ok() {
                set.insert(name.replace("::", "."), *level);
            }
        }
        let again = Loggers::parse(&loggers.to_string()).unwrap();
        for (name, level) in set.iter().filter(|(name, _)| !name.is_empty() && *name != "root") {
            prop_assert_eq!(again.level(name), Some(Severity::new(*level)), "{}", loggers);
        }
        prop_assert_eq!(again.level(""), loggers.level(""));
        prop_assert_eq!(again.to_string(), loggers.to_string());
        prop_assert_eq!(again.names(), loggers.names());
        });
    });
}
