//! Small configurations of the kinds that Python services have, each with what CPython 3.13 makes of it, or why ours is refused.

use std::error::Error as StdError;

use proptest::prelude::*;
use tracing_strata::{
    Severity,
    clock::ManualClock,
    config::{Config, ConfigErrors, Logging},
};

use super::{Dir, problems, refused, with};

fn build(yaml: &str) -> Logging {
    Logging::builder().build(&Config::from_yaml(yaml).unwrap()).unwrap()
}

/// An INI file with one handler, whose section goes on as it is said.
fn ini(dir: &Dir, handler: &str) -> String {
    format!(
        "[loggers]\nkeys=root\n[handlers]\nkeys=f\n[formatters]\nkeys=\n[logger_root]\nlevel=INFO\nhandlers=f\n[handler_f]\n{}\n",
        handler.replace("DIR", dir.0.to_str().unwrap())
    )
}

#[test]
fn truth_values_are_those_of_yaml_1_1() {
    // 01
    let logging = build(
        "version: 1
handlers:
  console: {class: logging.StreamHandler}
loggers:
  my_module:
    level: ERROR
    handlers: [console]
    propagate: no
root: {level: INFO, handlers: [console]}
",
    );
    assert!(!logging.loggers().propagate("my_module"));
    // 18
    let dir = Dir::new();
    let yaml = "version: 1
disable_existing_loggers: no
handlers:
  out: {class: logging.FileHandler, filename: PATH, delay: yes}
root: {level: DEBUG, handlers: [out]}
";
    build(&yaml.replace("PATH", &dir.path("y3.log")));
    assert!(!dir.0.join("y3.log").exists());
}

#[test]
fn a_text_is_true_unless_it_is_empty_and_check_says_so() {
    // 02
    let json = r#"{"version": 1,
 "handlers": {"console": {"class": "logging.StreamHandler"}},
 "loggers": {"my_module": {"level": "ERROR", "handlers": ["console"], "propagate": "no"}},
 "root": {"level": "INFO", "handlers": ["console"]}}"#;
    let config = Config::from_json(json).unwrap();
    let logging = Logging::builder().build(&config).unwrap();
    assert!(logging.loggers().propagate("my_module"));
    let doubts: Vec<_> = logging.check(&config).unwrap().iter().map(ToString::to_string).collect();
    let told = "loggers.my_module.propagate (line 3, column 84): a text that is not empty is true, as in Python: \"no\" is, too";
    assert!(doubts.contains(&told.to_owned()), "{doubts:?}");
    // With all of them, Python's default among them.
    for (value, disables) in [
        ("'no'", true),
        ("''", false),
        ("0", false),
        ("2", true),
        ("~", false),
        ("off", false),
        ("'${OFF:-no}'", true),
        ("'${OFF:-false}'", false),
    ] {
        let logging = build("{version: 1, loggers: {before: {level: INFO}}}");
        let yaml = format!("{{version: 1, disable_existing_loggers: {value}}}");
        let config = Config::from_yaml(&yaml).unwrap().expand(|_| None).unwrap();
        assert_eq!(!logging.reload(&config).unwrap().disabled().is_empty(), disables, "{value}");
    }
    // Ours are strict.
    let strict =
        "{version: 1, handlers: {f: {class: file, filename: /nowhere/x, delay: maybe, strata: {create_dirs: 'no'}}}}";
    assert_eq!(
        refused(&Logging::new(), strict),
        ["handlers.f.strata.create_dirs (line 1, column 100): expected true or false, got \"no\""]
    );
}

#[test]
fn args_of_an_ini_file_are_constant_expressions() {
    let dir = Dir::new();
    for (number, handler) in [
        // 03, 19, 20, 21, and more of the kind.
        "class=logging.handlers.RotatingFileHandler\nargs=(\"DIR/0.log\", \"a\", 10485760, 10)  # name, mode, size, how many",
        "class=handlers.RotatingFileHandler\nargs=('DIR/1.log', 'a', 10*1024*1024, 5)",
        "class=handlers.RotatingFileHandler\nargs=('DIR/' + '2.log', 'a', 1000, 5)",
        "class=handlers.RotatingFileHandler\nargs=(r'DIR/3.log', 'a', 1000, 5)",
        "class=handlers.RotatingFileHandler\nargs=(u'DIR/' '4' b'.log', 'a')",
        "class=FileHandler # the plain one\nargs=('DIR/5.log', \n # all of it\n 'a',\n )",
        "class=FileHandler\nkwargs={'filename': '''DIR/6.log''', 'delay': 1 - 1}",
        "class=handlers.RotatingFileHandler\nargs=[b'DIR/7.log', 'a', 1 << 20, 2 ** 3 // 3]",
        "class=handlers.MemoryHandler\nargs=(10 * 10, ERROR - 10)",
        "class=handlers.SysLogHandler\nargs=(('localhost', handlers.SYSLOG_UDP_PORT + 0), handlers.SysLogHandler.LOG_LOCAL0 | 1)",
    ]
    .into_iter()
    .enumerate()
    {
        let config = Config::from_ini(&ini(&dir, handler));
        if number == 4 {
            let told = problems(&config.unwrap_err());
            assert!(told[0].starts_with("handler_f.args (line 12, column 1): expected something else between a text and bytes"), "{told:?}");
            continue;
        }
        Logging::builder().build(&config.unwrap()).unwrap();
        assert_eq!(dir.0.join(format!("{number}.log")).exists(), number < 8, "{handler}");
    }
}

#[test]
fn an_option_that_looks_misspelt_is_left_alone_by_pythons_rules_only() {
    // 04
    let text = "[loggers]\nkeys=root\n[handlers]\nkeys=out\n[formatters]\nkeys=f\n[logger_root]\nlevel=INFO\nhandlers=out\n\
                [handler_out]\nclass=StreamHandler\nargs=(sys.stderr,)\nformatter=f\n[formatter_f]\nformet=%(name)s:%(levelname)s: %(message)s\n";
    let config = Config::from_ini(text).unwrap();
    let told = "formatter_f.formet (line 15, column 1): there is no such option here; did you mean \"format\"?";
    assert_eq!(problems(&Logging::new().reload(&config).unwrap_err()), [told]);
    let python = Logging::builder().python_defaults().build(&config).unwrap();
    assert_eq!(python.check(&config).unwrap()[0].to_string(), told);
}

#[test]
fn a_version_is_one_and_a_level_false_is_notset() {
    // 05, 06
    build(
        "version: 1.0\nhandlers:\n  console: {class: logging.StreamHandler}\nroot: {level: INFO, handlers: [console]}\n",
    );
    let yaml = "version: 1
handlers:
  console: {class: logging.StreamHandler}
loggers:
  app.config: {level: False, handlers: [console]}
root: {level: INFO, handlers: [console]}
";
    for level in ["False", "no", "off", "Off", "0"] {
        let logging = build(&yaml.replace("False", level));
        assert_eq!(logging.loggers().effective_level("app.config"), Severity::INFO, "{level}");
    }
    // Ours is the level of that name; Python's rules have it for false.
    let off = Config::from_yaml(&yaml.replace("False", "OFF")).unwrap();
    let level = |logging: Logging| logging.loggers().effective_level("app.config");
    assert_eq!(level(Logging::builder().build(&off).unwrap()), Severity::OFF);
    assert_eq!(level(Logging::builder().python_defaults().build(&off).unwrap()), Severity::INFO);
    let doubts = |level: &str| {
        let config = Config::from_yaml(&yaml.replace("False", level)).unwrap();
        let doubts = Logging::new().check(&config).unwrap();
        doubts.iter().map(ToString::to_string).find(|doubt| doubt.starts_with("loggers.\"app.config\".level"))
    };
    assert!(
        doubts("OFF")
            .unwrap()
            .ends_with("it lets nothing pass; in Python it is false, which is NOTSET: put it in quotes")
    );
    assert!(doubts("off").unwrap().ends_with("false is the number 0: 0 is NOTSET, and \"OFF\" lets nothing pass"));
    assert_eq!(doubts("'OFF'"), None);
}

#[test]
fn names_that_were_meant_are_said() {
    // 08
    let facility = "version: 1\nhandlers:\n  syslog: {class: logging.handlers.SysLogHandler, address: [\"127.0.0.1\", 5140], facility: LOG_USER}\n";
    assert_eq!(
        refused(&Logging::new(), facility),
        [
            "handlers.syslog.facility (line 3, column 91): expected a facility's name or 0 to 23, got \"LOG_USER\"; did you mean \"user\"?"
        ]
    );
    // 09
    let dir = Dir::new();
    let unresolved = "version: 1\nhandlers:\n  file: {class: logging.FileHandler, filename: \"ext://myapp.LOG_FILE\", delay: true}\n";
    assert_eq!(
        refused(&Logging::new(), unresolved),
        ["handlers.file.filename (line 3, column 48): expected a text; nothing is registered as \"myapp.LOG_FILE\""]
    );
    drop(dir);
    // 13
    let under = "LOGGING:\n  version: 1\n  handlers:\n    console: {class: logging.StreamHandler}\n  root: {level: INFO, handlers: [console]}\n";
    assert_eq!(
        refused(&Logging::new(), under),
        ["(line 1, column 1): expected the key \"version\", which is 1; there is a configuration under \"LOGGING\""]
    );
    let deeper = "app: {debug: true, logging: {version: 1, root: {}}}";
    assert!(refused(&Logging::new(), deeper)[0].ends_with("there is a configuration under \"app.logging\""));
    // 14
    let misspelt = "version: 1\nloggers:\n  \"<module>\": {level: INFO, propogate: true}\n";
    assert_eq!(
        refused(&Logging::new(), misspelt),
        ["loggers.\"<module>\".propogate (line 3, column 29): a logger has no such key; did you mean \"propagate\"?"]
    );
    Logging::builder().python_defaults().build(&Config::from_yaml(misspelt).unwrap()).unwrap();
}

#[test]
fn two_handlers_of_one_file_with_the_same_settings_are_fine() {
    // 07, with the system's clock and with another.
    let dir = Dir::new();
    let yaml = "version: 1
handlers:
  a: {class: logging.handlers.RotatingFileHandler, filename: PATH, maxBytes: 8388608}
  b: {class: logging.handlers.RotatingFileHandler, filename: PATH, maxBytes: 8388608}
loggers:
  x: {level: INFO, handlers: [a]}
  y: {level: INFO, handlers: [b]}
";
    let logging = build(&yaml.replace("PATH", &dir.path("b.log")));
    with(&logging, || {
        tracing::info!(target: "x", "one");
        tracing::info!(target: "y", "two");
    });
    assert_eq!(dir.read("b.log"), "one\ntwo\n");
    drop(logging);
    let config = Config::from_yaml(&yaml.replace("PATH", &dir.path("c.log"))).unwrap();
    let logging = Logging::builder().clock(ManualClock::at(0)).build(&config).unwrap();
    with(&logging, || {
        tracing::info!(target: "x", "one");
        tracing::info!(target: "y", "two");
    });
    assert_eq!(dir.read("c.log"), "one\ntwo\n");
}

/// By handle, behind a queue: what was logged before looks as it did then.
#[test]
fn t81_a_new_format_is_for_what_comes_after() {
    let dir = Dir::new();
    let yaml = "version: 1
formatters:
  a: {format: 'A %(message)s'}
  b: {format: 'B %(message)s'}
handlers:
  f: {class: logging.FileHandler, filename: PATH, formatter: a}
  q: {class: queue, handlers: [f]}
root: {level: INFO, handlers: [q]}
";
    let logging = build(&yaml.replace("PATH", &dir.path("f.log")));
    with(&logging, || {
        for turn in 0..4 {
            (0..500).for_each(|_| tracing::info!("m"));
            logging.handler("f").unwrap().set_formatter(&if turn % 2 == 0 { "b" } else { "a" }).unwrap();
        }
        logging.handler("f").unwrap().flush().unwrap();
    });
    let text = dir.read("f.log");
    let starts: Vec<_> = text.lines().map(|line| &line[..1]).collect();
    let expected: Vec<_> = ["A", "B", "A", "B"].into_iter().flat_map(|letter| [letter; 500]).collect();
    assert!(starts == expected);
}

/// As in CPython, where `close()` flushes only if `flushOnClose` says so.
#[test]
fn a_memory_that_is_not_flushed_on_close_is_not_when_it_is_closed_by_name() {
    for (flush, written) in [("no", ""), ("yes", "remembered\n")] {
        let dir = Dir::new();
        let yaml = "version: 1
handlers:
  f: {class: logging.FileHandler, filename: PATH}
  m: {class: logging.handlers.MemoryHandler, capacity: 10, target: f, flushOnClose: FLUSH}
root: {level: INFO, handlers: [m]}
";
        let logging = build(&yaml.replace("PATH", &dir.path("m.log")).replace("FLUSH", flush));
        with(&logging, || tracing::info!("remembered"));
        logging.handler("m").unwrap().close().unwrap();
        assert_eq!(dir.read("m.log"), written, "flushOnClose: {flush}");
    }
}

#[derive(Debug)]
struct Full;

impl std::fmt::Display for Full {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("it's full")
    }
}

impl StdError for Full {}

#[test]
fn exc_info_is_the_triple() {
    // 10
    let dir = Dir::new();
    let json = r#"{"version": 1,
 "formatters": {"s": {"format": "%(message)s exception=[%(exc_info)s]"}},
 "handlers": {"file": {"class": "logging.FileHandler", "filename": "PATH", "formatter": "s"}},
 "root": {"level": "INFO", "handlers": ["file"]}}"#;
    let logging =
        Logging::builder().build(&Config::from_json(&json.replace("PATH", &dir.path("a.log"))).unwrap()).unwrap();
    with(&logging, || {
        tracing::info!("none");
        tracing::error!(error = &Full as &dyn StdError, "one");
    });
    let lines = dir.read("a.log");
    let mut lines = lines.lines();
    assert_eq!(lines.next(), Some("none exception=[None]"));
    assert_eq!(lines.next(), Some("one exception=[(<class 'Exception'>, Exception(\"it's full\"), None)]"));
}

#[test]
fn of_two_keys_the_last_one_counts_by_pythons_rules_only() {
    // 16
    let yaml = "version: 1
handlers:
  console: {class: logging.NullHandler}
  console: {class: logging.StreamHandler, level: ERROR}
root: {level: INFO, handlers: [console]}
";
    let told = "handlers.console (line 4, column 3): duplicate key \"console\"; the first is at line 3, column 3";
    assert_eq!(refused(&Logging::new(), yaml), [told]);
    let config = Config::from_yaml(yaml).unwrap();
    let python = Logging::builder().python_defaults().build(&config).unwrap();
    assert_eq!(python.handler("console").unwrap().level(), Severity::ERROR);
    assert_eq!(python.check(&config).unwrap().iter().filter(|doubt| doubt.to_string() == told).count(), 1);
}

#[test]
fn numbers_are_those_of_yaml_1_1() {
    // 17
    let dir = Dir::new();
    let yaml = "version: 1
handlers:
  out: {class: logging.handlers.RotatingFileHandler, filename: PATH, maxBytes: 10_000_000, backupCount: 0x0A}
root: {level: DEBUG, handlers: [out]}
";
    let yaml = yaml.replace("PATH", &dir.path("y4.log"));
    build(&yaml);
    for number in ["017", "0b11", "1:30", "1_0.0", "yes"] {
        build(&yaml.replace("0x0A", number));
    }
    for text in ["0o17", "1e3", "10k"] {
        let told = refused(&Logging::new(), &yaml.replace("0x0A", text));
        assert!(told[0].ends_with(&format!("expected an integer, got {text:?}")), "{told:?}");
    }
}

#[test]
fn t83_keys_without_effect_are_refused_by_name() {
    // 22
    let handler = |handler: &str| refused(&Logging::new(), &format!("{{version: 1, handlers: {{h: {handler}}}}}"));
    let syslog = |rest: &str| format!("{{class: logging.handlers.SysLogHandler, address: [127.0.0.1, 514], {rest}}}");
    let told = handler(&syslog(
        "strata: {reconnect_timeout: 5, framing: lines, connect_timeout: 1, backoff: {initial: 1}, tls: true}",
    ));
    let keys: Vec<_> = told.iter().map(|told| told.split(' ').next().unwrap().rsplit('.').next().unwrap()).collect();
    assert_eq!(keys, ["reconnect_timeout", "framing", "connect_timeout", "backoff", "tls"], "{told:?}");
    let expected = "handlers.h.strata.reconnect_timeout (line 1, column 123): it has no effect here: it travels in datagrams \
                    (`socktype: ext://socket.SOCK_STREAM` is for a stream)";
    assert_eq!(told[0], expected);
    for (declared, key) in [
        (syslog("strata: {host: web1}"), "host"),
        (syslog("strata: {form: rfc3164, elements: {a@1: {b: c}}}"), "elements"),
        (syslog("strata: {form: local, host: web1}"), "host"),
        ("{class: syslog, address: /dev/log, strata: {tls: true}}".to_owned(), "tls"),
        ("{class: socket, host: h, port: 1, strata: {format: text, process_name: x}}".to_owned(), "process_name"),
        (
            "{class: rotating, filename: /nowhere/x, delay: true, strata: {compression_level: 3}}".to_owned(),
            "compression_level",
        ),
    ] {
        let told = handler(&declared);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(
            told[0].contains(&format!("handlers.h.strata.{key} ")) && told[0].contains("it has no effect here"),
            "{told:?}"
        );
    }
    build(&format!(
        "{{version: 1, handlers: {{h: {}}}}}",
        syslog("socktype: ext://socket.SOCK_STREAM, strata: {reconnect_timeout: 5, framing: lines}")
    ));
}

#[test]
fn t89_fields_that_other_formatters_make_are_refused() {
    let formatter = |format: &str| format!("{{version: 1, formatters: {{f: {{{format}}}}}}}");
    for (format, field, class) in [
        (
            "class: logging.Formatter, format: '%(levelprefix)s %(message)s'",
            "levelprefix",
            "uvicorn.logging.DefaultFormatter",
        ),
        ("format: '{log_color}{message}', style: '{'", "log_color", "colorlog.ColoredFormatter"),
        ("format: '${log_color}$message', style: $", "log_color", "colorlog.ColoredFormatter"),
    ] {
        let told = refused(&Logging::new(), &formatter(format));
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains(&format!("no record has the field {field:?}, which {class} makes")), "{told:?}");
    }
    build(&formatter("format: '%(levelprefix)s', defaults: {levelprefix: ''}"));
    build(&formatter("format: '%(levelprefix_of_ours)s'"));
}

/// 11. CPython leaves `{'a.log': '', 'a.log.1970-01-01': '1 one\n'}`.
#[test]
fn a_record_that_cannot_be_formatted_has_rolled_the_file_over() {
    let case = include_str!("cases/11_timed_rollover_unformattable.yaml").replace("midnight", "midnight, utc: true");
    let queued = case
        .replace("root:", "  q: {class: queue, handlers: [file]}\nroot:")
        .replace("INFO, handlers: [file]", "INFO, handlers: [q]");
    for (yaml, first) in [(case, "file"), (queued, "q")] {
        let dir = Dir::new();
        let config = Config::from_yaml(&yaml.replace("a.log", &dir.path("a.log"))).unwrap();
        let clock = ManualClock::at(86_390);
        let (error_handler, told) = crate::places::remembering();
        let builder = Logging::builder().python_defaults().clock(clock.clone()).error_handler(error_handler);
        let logging = builder.build(&config).unwrap();
        let first = logging.handler(first).unwrap();
        if first.is_running() == Some(false) {
            first.listen(true).unwrap();
        }
        with(&logging, || {
            tracing::info!(x_request_id = 1, "one");
            first.flush().unwrap();
            clock.advance(std::time::Duration::from_secs(20));
            tracing::info!("two");
            first.flush().unwrap();
            assert_eq!((dir.read("a.log"), dir.read("a.log.1970-01-01")), (String::new(), "1 one\n".into()));
            tracing::info!(x_request_id = 3, "three");
            first.flush().unwrap();
        });
        assert_eq!(dir.read("a.log"), "3 three\n");
        assert!(told.lock().unwrap().iter().all(|told| told.contains("x_request_id")), "{told:?}");
        assert_eq!((told.lock().unwrap().len(), std::fs::read_dir(&dir.0).unwrap().count()), (1, 2));
    }
}

/// `report` and `build` agree, and the report opens nothing.
fn agree(logging: &Logging, config: &Config, what: &str) -> Result<(), String> {
    let report = logging.migration_report(config);
    match (report.is_complete(), logging.check(config)) {
        (true, Ok(_)) | (false, Err(_)) => Ok(()),
        (_, checked) => Err(format!("{what}\n{report}\n{checked:?}")),
    }
}

#[test]
fn the_report_knows_what_build_refuses() {
    // 23
    let root = "version: 1
handlers:
  a: {class: logging.StreamHandler, stream: ext://sys.stdout}
loggers:
  '': {level: INFO, handlers: [a]}
  app: {level: DEBUG}
";
    let config = Config::from_yaml(root).unwrap();
    let report = Logging::new().migration_report(&config);
    assert!(report.is_complete() && report.entries().iter().all(|entry| entry.path() != "root"), "{report}");
    // 24
    let dir = Dir::new();
    let taken = "version: 1
handlers:
  f: {class: logging.FileHandler, filename: PATH, delay: maybe, nonsense: 1, level: LOUD}
  g: {class: logging.FileHandler, filename: PATH}
root: {level: INFO, handlers: [f, nobody]}
";
    let config = Config::from_yaml(&taken.replace("PATH", &dir.path("x.log"))).unwrap();
    let report = Logging::new().migration_report(&config);
    assert!(!report.is_complete());
    let entry = |path: &str| report.entries().iter().find(|entry| entry.path() == path).unwrap();
    let notes = entry("handlers.f").notes().join("\n");
    assert!(notes.contains("nonsense") && notes.contains("LOUD"), "{notes}");
    assert!(entry("root").notes()[0].contains("there is no handler \"nobody\""), "{report}");
    assert_eq!((entry("root").line(), entry("root").column()), (Some(5), Some(7)));
    let json: serde_json::Value = serde_json::from_str(&report.to_json()).unwrap();
    let handler = json.as_array().unwrap().iter().find(|entry| entry["path"] == "handlers.f").unwrap();
    assert_eq!((&handler["verdict"], &handler["line"]), (&"not supported".into(), &3.into()));
    assert_eq!(std::fs::read_dir(&dir.0).unwrap().count(), 0, "nothing was opened");
    for yaml in [
        "{version: 2}",
        "{version: 1, version: 1}",
        "[1]",
        "{version: 1, handlers: {f: {class: file, filename: /no/such/dir/x}}}",
        "{version: 1, handlers: {f: {class: file, filename: /no/such/dir/x, delay: true}}}",
        "{version: 1, handlers: {m: {class: memory, capacity: 1, target: m}}}",
        "{version: 1, handlers: {h: 'cfg://h', x: 1}, h: {class: 'null'}}",
        "{version: 1, handlers: 'cfg://x', x: {h: {class: 'null'}}}",
        "{version: 1, formatters: {f: {format: plain}}}",
        "{version: 1, incremental: true}",
        "{version: 1, filters: {f: {(): rate_limit, most: 1}}}",
    ] {
        agree(&Logging::new(), &Config::from_yaml(yaml).unwrap(), yaml).unwrap();
    }
    for handler in [
        "class=FileHandler\nargs=('DIR/a.log', 'a', None, 0)",
        "class=FileHandler\nargs=('DIR/a.log', 'a', None, False, None, 7)",
        "class=FileHandler\nkwargs={'filename': 'DIR/none/a.log'}",
    ] {
        let config = Config::from_ini(&ini(&dir, handler)).unwrap();
        Logging::new().migration_report(&config);
        assert_eq!(std::fs::read_dir(&dir.0).unwrap().count(), 0, "nothing was opened");
        agree(&Logging::new(), &config, handler).unwrap();
        let _ = std::fs::remove_file(dir.0.join("a.log"));
    }
    // What runs has the same files with the same settings.
    let running = build(&format!(
        "{{version: 1, handlers: {{r: {{class: rotating, filename: {}, maxBytes: 9}}}}}}",
        dir.path("r.log")
    ));
    let config = running.config().unwrap();
    assert!(running.migration_report(&config).is_complete(), "{}", running.migration_report(&config));
}

/// Whole, every part of it in use.
const WHOLE: &str = "version: 1
disable_existing_loggers: no
formatters: {f: {format: '%(message)s', datefmt: '%H', style: '%', validate: yes}}
filters: {n: {name: shop}, r: {(): rate_limit, most: 1, per: 2}}
handlers:
  c: {class: logging.StreamHandler, stream: ext://sys.stdout, formatter: f, level: INFO, filters: [n]}
  f: {class: logging.FileHandler, filename: /nowhere/a.log, mode: a, encoding: utf-8, delay: true}
  r: {class: logging.handlers.RotatingFileHandler, filename: /nowhere/b.log, maxBytes: 1_000, backupCount: 3, delay: yes}
  t: {class: logging.handlers.TimedRotatingFileHandler, filename: /nowhere/c.log, when: midnight, utc: on, delay: yes}
  m: {class: logging.handlers.MemoryHandler, capacity: 10, flushLevel: ERROR, target: c, flushOnClose: no}
  s: {class: logging.handlers.SysLogHandler, address: [localhost, 514], facility: user, strata: {direct: true}}
loggers:
  shop: {level: 0x0A, handlers: [m, f], propagate: off}
  shop.db: {level: WARNING, filters: [r]}
root: {level: INFO, handlers: [c, r, t, s]}
";

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn with_a_letter_changed_the_report_and_build_agree_too(at in any::<prop::sample::Index>(), letter in "[a-z0-9:,\\[\\]{}' ~-]?") {
        let mut text = WHOLE.to_owned();
        let at = at.index(text.len());
        text.replace_range(at..=at, &letter);
        match Config::from_yaml(&text) {
            Ok(config) => {
                let agreed = agree(&Logging::new(), &config, &text);
                prop_assert!(agreed.is_ok(), "{}", agreed.unwrap_err());
            }
            Err(error) => prop_assert!(ConfigErrors::of(&error).unwrap().iter().all(|problem| problem.line().is_some()), "{}", error),
        }
    }
}

/// What would take minutes if it took the square of the time.
#[test]
fn big_files_are_read_or_refused_in_a_moment() {
    const BYTES: usize = 1_000_000;
    let many = |line: &dyn Fn(usize) -> String| {
        let mut text = String::new();
        for number in 0.. {
            text += &line(number);
            if text.len() > BYTES {
                break;
            }
        }
        text
    };
    let head = "[loggers]\nkeys=root\n[handlers]\nkeys=h\n[formatters]\nkeys=\n[logger_root]\nhandlers=\n[handler_h]\nclass=NullHandler\n";
    for tail in [
        many(&|number| format!("o{number}=\n")),
        many(&|number| format!("[s{number}]\n")),
        "args=(".to_owned() + &many(&|number| format!("{number},")) + ")",
        "args=".to_owned() + &"(".repeat(BYTES),
        "args=".to_owned() + &"-".repeat(BYTES),
        "args='a'".to_owned() + &"*1024+'a'".repeat(BYTES / 9),
        "kwargs={".to_owned() + &many(&|number| format!("'{number}':1,")) + "}",
        "level=".to_owned() + &"%(class)s".repeat(BYTES / 9),
    ] {
        let _ = Config::from_ini(&(head.to_owned() + &tail));
    }
    for text in [
        many(&|number| format!("k{number}: |\n  x\n")).trim_end().to_owned(),
        many(&|_| "k: 1\n".to_owned()),
        "[".repeat(BYTES),
        many(&|_| "- 1_".to_owned()),
        "x: ".to_owned() + &"9".repeat(BYTES),
        "x: 1".to_owned() + &":1".repeat(BYTES / 2),
        "x: 0x".to_owned() + &"f".repeat(BYTES),
    ] {
        let _ = Config::from_yaml(&text);
    }
}
