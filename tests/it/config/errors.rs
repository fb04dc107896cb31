//! What is wrong is told at once, with its place, and changes nothing.

use tracing_strata::{
    Severity,
    config::{Config, ConfigErrors, Logging},
};

use super::{Dir, OwnedRecord, refused, with};

#[test]
fn t65_everything_that_is_wrong_is_told_with_its_place_and_a_suggestion() {
    let wrong = "\
version: 1
formaters: {}
formatters:
  line: {format: '{message}'}
  brace: {format: '{mesage', style: '{'}
handlers:
  file: {class: logging.FileHandlr, filename: x.log}
  out: {class: logging.StreamHandler, steam: ext://sys.stdout, level: INOF, formatter: lin}
  nofile: {class: logging.FileHandler, filname: x.log}
  big: {class: logging.handlers.RotatingFileHandler, filename: /no/such/dir/x.log, maxBytes: 10MB}
  mem: {class: memory, capacity: 3, target: oot}
loggers:
  shop: {level: 7, handlers: [fiel], propagte: false, filters: [x]}
root: {level: LOUD, handlers: [out, nope]}
";
    let told = refused(&Logging::new(), wrong);
    let expected = [
        "formaters (line 2, column 1): there is no such key, and no cfg:// leads to it; did you mean \"formatters\"?",
        "formatters.line.format (line 4, column 18): Invalid format '{message}' for '%' style",
        "formatters.brace.format (line 5, column 19): invalid format: expected '}' before end of string",
        "handlers.big.maxBytes (line 10, column 94): expected an integer, got \"10MB\"",
        "handlers.file.class (line 7, column 17): no handler is registered as \"logging.FileHandlr\"; did you mean \"logging.FileHandler\"?",
        "handlers.nofile (line 9, column 3): expected the key \"filename\", which FileHandler needs, got \"filname\"",
        "handlers.nofile.filname (line 9, column 40): FileHandler has no such key; did you mean \"filename\"?",
        "handlers.out.formatter (line 8, column 88): there is no formatter \"lin\"; did you mean \"line\"?",
        "handlers.out.level (line 8, column 71): unknown level \"INOF\": expected CRITICAL, ERROR, WARNING, INFO, DEBUG, TRACE, NOTSET or a number; did you mean \"INFO\"?",
        "handlers.out.steam (line 8, column 39): StreamHandler has no such key; did you mean \"stream\"?",
        "handlers.mem.target (line 11, column 45): there is no handler \"oot\"; did you mean \"out\"?",
        "loggers.shop.handlers[0] (line 13, column 31): there is no handler \"fiel\"; did you mean \"file\"?",
        "loggers.shop.filters[0] (line 13, column 65): there is no filter \"x\"",
        "loggers.shop.propagte (line 13, column 38): a logger has no such key; did you mean \"propagate\"?",
        "root.level (line 14, column 15): unknown level \"LOUD\": expected CRITICAL, ERROR, WARNING, INFO, DEBUG, TRACE, NOTSET or a number",
        "root.handlers[1] (line 14, column 37): there is no handler \"nope\"",
    ];
    for line in expected {
        assert!(told.iter().any(|told| told.starts_with(line)), "{line}\nis not in\n{}", told.join("\n"));
    }
    assert_eq!(told.len(), expected.len(), "{}", told.join("\n"));
}

#[test]
fn t65_nothing_is_half_applied() {
    let dir = Dir::new();
    let kept = OwnedRecord::default();
    let logging = Logging::builder().registry(kept.registry()).empty();
    let good = "{version: 1, handlers: {k: {class: test.Kept, tag: old}}, root: {level: INFO, handlers: [k]}}";
    logging.reload(&Config::from_yaml(good).unwrap()).unwrap();
    let path = dir.path("kept.log");
    std::fs::write(&path, "precious\n").unwrap();
    with(&logging, || {
        let before = format!("{:?}", logging.loggers());
        for bad in [
            format!(
                "{{version: 1, handlers: {{k: {{class: test.Kept, tag: new}}, f: {{class: file, filename: {path}, mode: w}}}}, root: {{level: DEBUG, handlers: [k, nope]}}}}"
            ),
            "{version: 2}".to_owned(),
            "[1, 2]".to_owned(),
            "{version: 1, handlers: {f: {class: file, filename: /no/such/dir/x}}, root: {level: ERROR}}".to_owned(),
            "{version: 1, incremental: true, handlers: {nope: {level: INFO}}, loggers: {a: {level: INFO}}}".to_owned(),
        ] {
            let error = logging.reload(&Config::from_yaml(&bad).unwrap()).unwrap_err();
            assert!(error.is_config() && ConfigErrors::of(&error).is_some(), "{error}");
            tracing::info!("still");
            assert_eq!(kept.take(), ["old still"], "{bad}");
            assert_eq!(format!("{:?}", logging.loggers()), before);
        }
    });
    assert_eq!(dir.read("kept.log"), "precious\n");
}

#[test]
fn rule_27_20_the_messages_are_pythons_where_it_has_some() {
    let logging = Logging::builder().python_defaults().empty();
    let chain = |yaml: &str| {
        let error = logging.reload(&Config::from_yaml(yaml).unwrap()).unwrap_err();
        ConfigErrors::of(&error).unwrap().iter().next().unwrap().python_messages().to_vec()
    };
    let chains = [
        ("{}", vec!["dictionary doesn't specify a version"]),
        (
            "{version: 1, handlers: {h: {class: logging.StreamHandler, level: info}}}",
            vec!["Unable to configure handler 'h'", "Unknown level: 'info'"],
        ),
        (
            "{version: 1, handlers: {m: {class: logging.handlers.MemoryHandler, capacity: 1, target: nope}}}",
            vec!["Unable to configure handler 'm'", "Unable to set target handler 'nope'", "nope"],
        ),
        (
            "{version: 1, filters: {f: {(): no.Such}}}",
            vec!["Unable to configure filter 'f'", "Cannot resolve 'no.Such': No module named 'no'"],
        ),
        (
            "{version: 1, handlers: {h: {class: logging.FileHandler, filename: 'cfg://a.b'}}, a: 1}",
            vec!["Unable to configure handler 'h'", "b"],
        ),
        (
            "{version: 1, handlers: {h: {class: logging.FileHandler, filename: 'cfg://a-b'}}, a: 1}",
            vec!["Unable to configure handler 'h'", "Unable to convert 'a-b' at '-b'"],
        ),
        (
            "{version: 1, handlers: {s: {class: logging.handlers.SocketHandler, host: localhost}}}",
            vec![
                "Unable to configure handler 's'",
                "SocketHandler.__init__() missing 1 required positional argument: 'port'",
            ],
        ),
    ];
    for (yaml, expected) in chains {
        assert_eq!(chain(yaml), expected, "{yaml}");
    }
    // None is an argument, too: the host is the path of a socket then.
    let unix =
        "{version: 1, handlers: {s: {class: logging.handlers.SocketHandler, host: /tmp/no.such.sock, port: null}}}";
    logging.reload(&Config::from_yaml(unix).unwrap()).unwrap();
}

#[test]
fn handlers_that_lead_back_to_themselves_are_refused() {
    let told = refused(
        &Logging::new(),
        "{version: 1, handlers: {a: {class: memory, capacity: 1, target: b}, b: {class: memory, capacity: 1, target: a}}}",
    );
    assert_eq!(told.len(), 2);
    assert!(told[0].contains("handlers.a") && told[0].contains("lead back"), "{told:?}");
}

#[test]
fn what_is_doubtful_is_told_by_check() {
    let dir = Dir::new();
    let yaml = "\
version: 1
formatters:
  unused: {format: '%(message)s'}
handlers:
  a: {class: logging.FileHandler, filename: A}
  b: {class: logging.FileHandler, filename: A}
  idle: {class: 'null'}
  low: {class: 'null', level: DEBUG}
loggers:
  shop: {level: INFO, handlers: [a]}
  mute: {propagate: false}
root: {level: WARNING, handlers: [a, b, low]}
x-proxy: https://user:hunter2@example.com/
"
    .replace("filename: A", &format!("filename: {}", dir.path("a.log")));
    let warnings = Logging::new().check(&Config::from_yaml(&yaml).unwrap()).unwrap();
    let told: Vec<_> = warnings.iter().map(ToString::to_string).collect();
    for part in [
        "formatters.unused (line 3, column 11): no handler uses it",
        "handlers.b.filename (line 6,",
        "handlers.a (line 5, column 6): the file grows without end",
        "handlers.idle (line 7, column 9): no logger",
        "handlers.low.level (line 8, column 31): nothing below INFO arrives here",
        "loggers.shop.handlers (line 10, column 9): records reach \"a\" twice: it is also a handler of root",
        "loggers.mute (line 11, column 9): it has no handlers",
        "x-proxy (line 13, column 10): the address contains a password",
    ] {
        assert!(told.iter().any(|told| told.starts_with(part)), "{part}\n{}", told.join("\n"));
    }
    assert!(!told.iter().any(|told| told.contains("hunter2")));
}

#[test]
fn t75_loggers_are_never_switched_off_silently() {
    let logging = Logging::new();
    logging.loggers().set_level("old", Severity::DEBUG).unwrap();
    let plain = Config::from_yaml("{version: 1, root: {level: INFO}}").unwrap();
    assert!(logging.reload(&plain).unwrap().disabled().is_empty());
    assert!(logging.loggers().is_enabled_for("old", Severity::INFO));

    logging.loggers().set_level("old.child", Severity::DEBUG).unwrap();
    let disabling = plain.clone().disable_existing_loggers(true);
    let warnings = logging.check(&disabling).unwrap();
    assert!(warnings.iter().any(|problem| problem.message().contains("old.child")), "{warnings:?}");
    assert_eq!(logging.reload(&disabling).unwrap().disabled(), ["old.child"]);
    assert!(logging.loggers().disabled("old.child"));
    assert!(logging.explain("old.child", Severity::ERROR).to_string().contains("disabled"));
}

#[test]
fn a_migration_report_says_what_becomes_of_each_part() {
    let yaml = "\
version: 1
formatters:
  plain: {format: '%(message)s'}
  own: {(): myapp.Formatter}
filters:
  here: {name: shop}
  own: {(): myapp.Filter}
handlers:
  q: {class: logging.handlers.QueueHandler, handlers: [out]}
  out: {class: logging.StreamHandler, formatter: plain}
  mail: {class: logging.handlers.SMTPHandlerOfMine, mailhost: x}
  obj: {class: logging.StreamHandler, stream: ext://myapp.stream}
root: {level: INFO, handlers: [q]}
";
    let config = Config::from_yaml(yaml).unwrap();
    let report = Logging::new().migration_report(&config);
    let shown = report.to_string();
    for part in [
        "changed        disable_existing_loggers",
        "changed        formatters.plain (line 3): line breaks",
        "not supported  formatters.own (line 4)",
        "taken          filters.here",
        "not supported  filters.own",
        "changed        handlers.q (line 9): its listener starts by itself",
        "taken          handlers.out",
        "not supported  handlers.mail (line 11)",
        "not supported  handlers.obj",
        "taken          root",
    ] {
        assert!(shown.contains(part), "{part}\n{shown}");
    }
    assert!(!report.is_complete());
    let python = Logging::builder().python_defaults().empty().migration_report(&config).to_string();
    assert!(python.contains("taken          formatters.plain"), "{python}");
}

/// One configuration for each kind of warning: what is told, and the like of it that is not.
#[test]
fn each_kind_of_warning() {
    let null = |more: &str| format!("{{class: 'null'{more}}}");
    let cases: &[(&str, String, &str)] = &[
        ("handlers.r", "handlers: {r: {class: rotating, filename: A, delay: true, maxBytes: 9}}, root: {handlers: [r]}".into(), "grows without end"),
        ("handlers.r", "handlers: {r: {class: rotating, filename: A, delay: true, backupCount: 9}}, root: {handlers: [r]}".into(), "grows without end"),
        ("", "handlers: {r: {class: rotating, filename: A, delay: true, maxBytes: 9, backupCount: 9}}, root: {handlers: [r]}".into(), ""),
        ("", "handlers: {w: {class: watched, filename: A, delay: true}, t: {class: timed, filename: B, delay: true}}, root: {handlers: [w, t]}".into(), ""),
        ("handlers.b.filename", "handlers: {a: {class: watched, filename: A, delay: true}, b: {class: watched, filename: ./A, delay: true}}, root: {handlers: [a, b]}".into(), "writes to this file, too"),
        ("handlers.m", format!("handlers: {{m: {{class: memory, capacity: 1, target: n}}, n: {}}}", null("")), "no logger and no other handler"),
        ("", format!("handlers: {{m: {{class: memory, capacity: 1, target: n}}, n: {}}}, root: {{handlers: [m]}}", null("")), ""),
        ("", format!("handlers: {{m: {}, n: {}}}, root: {{handlers: [m]}}", null(", strata: {fallback: n}"), null("")), ""),
        ("filters.f", "filters: {f: {name: a}}".into(), "no handler and no logger uses it"),
        ("", "filters: {f: {name: a}}, root: {filters: [f]}".into(), ""),
        ("formatters.f", "formatters: {f: {}}".into(), "no handler uses it"),
        ("loggers.a.handlers", format!("handlers: {{h: {}}}, loggers: {{a.b: {{}}, a: {{handlers: [h]}}}}, root: {{handlers: [h]}}", null("")), "twice"),
        ("", format!("handlers: {{h: {}}}, loggers: {{a: {{handlers: [h], propagate: false}}}}, root: {{handlers: [h]}}", null("")), ""),
        ("handlers.h.level", format!("handlers: {{h: {}}}, root: {{level: ERROR, handlers: [h]}}", null(", level: DEBUG")), "nothing below ERROR arrives here"),
        ("", format!("handlers: {{h: {}}}, loggers: {{a: {{level: DEBUG}}}}, root: {{level: ERROR, handlers: [h]}}", null(", level: DEBUG")), ""),
        ("loggers.a", "loggers: {a: {propagate: false}}".into(), "go to the last resort"),
        ("x-a.list[1]", "x-a: {list: [a, 'amqp://u:p@h/']}".into(), "the address contains a password"),
        ("", "x-a: {list: [a, 'amqp://u@h/p:q@r', 'http://h:80/', 'u:p@h', 'http://${USER}@h']}".into(), ""),
    ];
    let dir = Dir::new();
    for (path, yaml, part) in cases {
        let yaml = format!("{{version: 1, {}}}", yaml.replace("filename: A", &format!("filename: {}", dir.path("A"))))
            .replace("filename: ./A", &format!("filename: {}", dir.path("./A")))
            .replace("filename: B", &format!("filename: {}", dir.path("B")));
        let warnings = Logging::new().check(&Config::from_yaml(&yaml).unwrap()).unwrap();
        let told: Vec<_> = warnings.iter().map(ToString::to_string).collect();
        match *path {
            "" => assert!(told.is_empty(), "{yaml}\n{told:?}"),
            path => {
                assert_eq!(warnings.len(), 1, "{yaml}\n{told:?}");
                assert!(warnings[0].path() == path && warnings[0].message().contains(part), "{yaml}\n{told:?}");
                assert_eq!(warnings[0].line(), Some(1));
            }
        }
    }
    // In an INI file the keys are in `args`.
    let ini = format!(
        "[loggers]\nkeys=root\n[handlers]\nkeys=a,b\n[formatters]\nkeys=\n[logger_root]\nhandlers=a,b\n\
         [handler_a]\nclass=handlers.RotatingFileHandler\nargs=({0:?}, 'a', 100, 2)\n[handler_b]\nclass=handlers.RotatingFileHandler\nargs=({0:?}, 'a', 100)\n",
        dir.path("i.log")
    );
    let error = Logging::new().check(&Config::from_ini(&ini).unwrap()).unwrap_err().to_string();
    assert!(error.contains("i.log"), "two that rotate one file differently are refused: {error}");
    let ini = ini.replace("'a', 100, 2", "'a', 100");
    let warnings = Logging::new().check(&Config::from_ini(&ini).unwrap()).unwrap();
    let paths: Vec<_> = warnings.iter().map(|warning| warning.path()).collect();
    assert_eq!(paths, ["handlers.a", "handlers.b", "handlers.b.filename"], "{warnings:?}");
}

#[test]
fn each_verdict_of_a_migration() {
    // The part, what it is for us, what is said of it, and with Python's defaults.
    let cases = [
        (
            "handlers.q",
            "{class: logging.handlers.QueueHandler, handlers: [n]}",
            "changed",
            "levels of its handlers count",
            "taken",
        ),
        (
            "handlers.q",
            "{class: logging.handlers.QueueHandler, handlers: [n], respect_handler_level: true}",
            "changed",
            "starts by itself",
            "taken",
        ),
        (
            "handlers.t",
            "{class: logging.handlers.TimedRotatingFileHandler, filename: x}",
            "changed",
            "intervals are those of the clock",
            "taken",
        ),
        (
            "handlers.r",
            "{class: logging.handlers.RotatingFileHandler, filename: x}",
            "changed",
            "counted in bytes",
            "changed",
        ),
        ("handlers.s", "{class: logging.handlers.SysLogHandler}", "changed", "wait in a queue", "taken"),
        (
            "handlers.s",
            "{class: logging.handlers.SocketHandler, host: h, port: 1}",
            "changed",
            "the pickle has",
            "changed",
        ),
        (
            "handlers.d",
            "{class: logging.handlers.DatagramHandler, host: h, port: 1}",
            "changed",
            "the pickle has",
            "changed",
        ),
        (
            "handlers.m",
            "{class: logging.handlers.MemoryHandler, capacity: 1}",
            "changed",
            "a bound in bytes",
            "changed",
        ),
        (
            "handlers.f",
            "{class: logging.FileHandler, filename: x, mode: w}",
            "changed",
            "appends further records",
            "taken",
        ),
        ("handlers.f", "{class: logging.FileHandler, filename: x}", "taken", "", "taken"),
        (
            "handlers.f",
            "{class: logging.FileHandler, filename: x, encoding: klingon}",
            "not supported",
            "got \"klingon\"",
            "not supported",
        ),
        ("handlers.w", "{class: logging.NullHandler}", "taken", "", "taken"),
        ("handlers.h", "{class: myapp.Handler}", "not supported", "implement `Handler`", "not supported"),
        (
            "handlers.o",
            "{class: logging.StreamHandler, stream: ext://myapp.out}",
            "not supported",
            "ClassRegistry::object",
            "not supported",
        ),
        ("handlers.v", "{class: otlp}", "taken", "", "taken"),
        ("filters.f", "{name: a}", "taken", "", "taken"),
        ("filters.f", "{class: rate_limit, most: 1, per: 1}", "taken", "", "taken"),
        ("filters.f", "{(): myapp.Filter}", "not supported", "ClassRegistry::filter", "not supported"),
        ("formatters.f", "{format: '%(message)s'}", "changed", "escaped", "taken"),
        ("formatters.f", "{class: json}", "changed", "", "taken"),
        ("formatters.f", "{(): myapp.Formatter}", "not supported", "ClassRegistry::formatter", "not supported"),
        ("loggers.\"a::b\"", "{level: INFO}", "changed", "split at `::`", "changed"),
        ("loggers.a", "{level: INFO}", "taken", "", "taken"),
        ("root", "{level: INFO}", "taken", "", "taken"),
    ];
    for (path, entry, ours, note, python) in cases {
        let yaml = match path.split_once('.') {
            // One of them names `n`.
            Some(("handlers", name)) => format!("{{version: 1, handlers: {{{name}: {entry}, n: {{class: 'null'}}}}}}"),
            Some((section, name)) => format!("{{version: 1, {section}: {{{name}: {entry}}}}}"),
            None => format!("{{version: 1, {path}: {entry}}}"),
        };
        let config = Config::from_yaml(&yaml).unwrap();
        for (logging, expected) in [(Logging::new(), ours), (Logging::builder().python_defaults().empty(), python)] {
            let report = logging.migration_report(&config);
            let found = report
                .entries()
                .iter()
                .find(|found| found.path() == path)
                .unwrap_or_else(|| panic!("{yaml}\n{report}"));
            assert_eq!(found.verdict().to_string(), expected, "{yaml}\n{report}");
            assert_eq!(report.is_complete(), expected != "not supported", "{yaml}");
            assert!(found.notes().is_empty() == (expected == "taken"), "what is different is said: {report}");
            if expected == ours {
                assert!(found.notes().join("; ").contains(note), "{report}");
            }
        }
    }
    // What is not there: the root, and `disable_existing_loggers`.
    let empty = Config::from_yaml("{version: 1}").unwrap();
    let report = Logging::new().migration_report(&empty).to_string();
    assert!(
        report.contains("changed        disable_existing_loggers")
            && report.contains("changed        root (line 1): the root is at WARN"),
        "{report}"
    );
    assert_eq!(Logging::builder().python_defaults().empty().migration_report(&empty).to_string(), "");
    let said = Config::from_yaml("{version: 1, disable_existing_loggers: true, root: {}}").unwrap();
    assert_eq!(Logging::new().migration_report(&said).to_string(), "taken          root (line 1)");
}

#[test]
fn suggestions_are_of_what_there_is() {
    for (yaml, expected) in [
        (
            "{class: handlers.NTEventLogHandler}",
            "h.class (line 1, column 36): no handler is registered as \"handlers.NTEventLogHandler\"",
        ),
        (
            "{class: watchtower.CloudWatchLogHandler, log_group: app}",
            "no handler is registered as \"watchtower.CloudWatchLogHandler\"; there is no output for CloudWatch Logs: write `class: json` to \
             a file or the standard output, which its agent reads, or take `class: otlp` to a collector",
        ),
        ("{class: logging.handlers.HTPHandler}", "did you mean \"logging.handlers.HTTPHandler\"?"),
        ("{class: logging.RotatingFileHandler}", "did you mean \"handlers.RotatingFileHandler\"?"),
        (
            "{class: logging.handlers.TimedRotatngFileHandler}",
            "did you mean \"logging.handlers.TimedRotatingFileHandler\"?",
        ),
        ("{class: steam}", "did you mean \"stream\"?"),
        ("{clas: stream}", "expected the key \"class\" (or \"()\"), got \"clas\""),
        ("{class: file}", "expected the key \"filename\", which FileHandler needs"),
        (
            "{class: syslog, socktype: ext://socket.SOCK_STREM}",
            "h.socktype (line 1, column 54): expected an integer; nothing is registered as \"socket.SOCK_STREM\"; did you mean \"socket.SOCK_STREAM\"?",
        ),
        (
            "{class: syslog, facility: ext://handlers.SysLogHandler.LOG_USR}",
            "nothing is registered as \"handlers.SysLogHandler.LOG_USR\"; did you mean \"logging.handlers.SysLogHandler.LOG_USER\"?",
        ),
        (
            "{class: syslog, address: [localhost, ext://no.PORT]}",
            "expected a port of 16 bits; nothing is registered as \"no.PORT\"",
        ),
        ("{class: syslog, facility: 99}", "expected a facility's name or 0 to 23, got 99"),
    ] {
        let told = refused(&Logging::new(), &format!("{{version: 1, handlers: {{h: {yaml}}}}}"));
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].ends_with(expected), "{expected}\n{told:?}");
    }
}

#[test]
fn what_was_written_is_told_as_it_was_written() {
    let load = |yaml: &str| Config::from_yaml(yaml).unwrap_err().to_string();
    assert!(refused(&Logging::new(), "{version: 2.0}")[0].ends_with("expected 1, got 2.0"));
    let level = &refused(&Logging::new(), "{version: 1, root: {level: 99999999999999999999}}")[0];
    assert!(level.ends_with("got 1e20"), "{level}");
    assert!(load("version: 1\n\troot: x\n").contains("line 2, column 1"), "{}", load("version: 1\n\troot: x\n"));
    let inside = "version: 1\nroot:\n  level: INFO\n  \thandlers: []\n";
    assert!(load(inside).contains("line 4, column 3"), "{}", load(inside));
    let style = |format: &str, style: &str| {
        let yaml = format!("{{version: 1, formatters: {{f: {{format: '{format}', style: '{style}'}}}}}}");
        refused(&Logging::new(), &yaml).remove(0)
    };
    for (format, written, meant) in [("%(message)s", "{", "%"), ("{message}", "$", "{"), ("${message}", "%", "$")] {
        let told = style(format, written);
        assert!(told.contains(&format!("(in the style {written:?}; it looks like the style {meant:?})")), "{told}");
    }
    assert!(style("nothing", "{").ends_with("(in the style \"{\")"));
}

#[test]
fn an_increment_to_nothing_says_that_there_is_nothing() {
    let yaml = "{version: 1, incremental: true, handlers: {x: {level: INFO}}}";
    let error = Logging::new().check(&Config::from_yaml(yaml).unwrap()).unwrap_err();
    assert_eq!(super::problems(&error), ["handlers.x (line 1, column 44): there is no handler \"x\""]);
    let logging = Logging::new();
    logging.reload(&Config::from_yaml("{version: 1, handlers: {x: {class: 'null'}}}").unwrap()).unwrap();
    assert!(logging.check(&Config::from_yaml(yaml).unwrap()).unwrap().is_empty());
    assert_eq!(logging.handler("x").unwrap().level(), Severity::ALL, "a check changes nothing");
}

#[test]
fn json_has_places_where_it_is_no_yaml() {
    let json = "{\t\"version\": 1,\n\t\"x-\\ud83d\\ude00\": \"a\\tb\\\\ud83d\",\n\t\"root\": {\"levle\":\t7, \"a\\\"b\": \"\\u0041\"}}";
    let error = Logging::new().reload(&Config::from_json(json).unwrap()).unwrap_err();
    let told = super::problems(&error);
    assert!(told[0].starts_with("root.levle (line 3, column 11): "), "{told:?}");
    assert!(told[1].starts_with("root.a\"b (line 3, column 23): "), "{told:?}");
    let deep = format!("{{\"version\": 1,\n\"x\": {}1{}}}", "[".repeat(70), "]".repeat(70));
    let error = Config::from_json(&deep).unwrap_err().to_string();
    assert!(error.contains("line 2, column") && error.contains("at most 64 levels"), "{error}");
}
