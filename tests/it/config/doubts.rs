//! What `check` doubts beyond what `errors` has: names, keys and addresses; and many of them.

use tracing_strata::config::{Config, Logging};

#[test]
fn names_keys_and_addresses_that_say_something_else_are_doubted() {
    let doubts = |yaml: &str| {
        let doubts = Logging::new().check(&Config::from_yaml(yaml).unwrap()).unwrap();
        doubts.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    for (yaml, expected) in [
        (
            "{version: 1, loggers: {a.b: {level: INFO}, 'a::b': {level: DEBUG}}}",
            "loggers.\"a::b\" (line 1, column 52): it is the same logger as loggers.\"a.b\": this entry replaces that one",
        ),
        (
            "{version: 1, loggers: {root: {level: INFO}}, root: {level: DEBUG}}",
            "root (line 1, column 52): it is the same logger as loggers.root: this entry replaces that one",
        ),
        (
            "{version: 1, strata: {queue: 1}}",
            "strata (line 1, column 14): it has no effect here: `strata` is a key of handlers",
        ),
        ("{version: 1, extra: 1}", "extra (line 1, column 14): it has no effect here: there is no such key"),
        (
            "{version: 1, handlers: {s: {class: syslog, address: '127.0.0.1:514'}}, root: {handlers: [s]}}",
            "handlers.s.address (line 1, column 53): a text is the path of a socket: a host and a port are [\"127.0.0.1\", 514]",
        ),
    ] {
        let told = doubts(yaml);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with(expected), "{told:?}");
    }
    for fine in [
        "{version: 1, x-common: {a: 1}, _own: 2, .anchors: 3, used: 4, handlers: {n: {class: 'null', level: 'cfg://used'}}, root: {handlers: [n]}}",
        "{version: 1, handlers: {s: {class: syslog, address: /dev/log}, t: {class: syslog, address: [localhost, 514]}}, root: {handlers: [s, t]}}",
        "{version: 1, loggers: {a.b: {}, a.c: {}, 'a::d': {}}, root: {}}",
    ] {
        assert_eq!(doubts(fine), Vec::<String>::new());
    }
}

/// A look from each logger at all others would take minutes.
#[test]
fn ten_thousand_loggers_are_checked() {
    let mut yaml = String::from(
        "version: 1\nhandlers:\n  n: {class: 'null', level: INFO}\n  low: {class: 'null', level: DEBUG}\nroot: {level: INFO, handlers: [n]}\nloggers:\n",
    );
    for number in 0..10_000 {
        yaml += &format!("  app.m{}.x{number}: {{level: WARNING, handlers: [low]}}\n", number % 100);
    }
    yaml += "  app.m7: {handlers: [n], propagate: false}\n  app.m7.x7.deep: {handlers: [n, low]}\n";
    let doubts = Logging::new().check(&Config::from_yaml(&yaml).unwrap()).unwrap();
    let told: Vec<_> = doubts.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(told[0].contains("handlers.low.level") && told[0].contains("nothing below WARN arrives"), "{told:?}");
    assert!(told[1].contains("records reach \"low\" twice: it is also a handler of loggers.\"app.m7.x7\""), "{told:?}");
    assert!(told[2].contains("records reach \"n\" twice: it is also a handler of loggers.\"app.m7\""), "{told:?}");
}
