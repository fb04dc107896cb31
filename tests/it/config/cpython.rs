//! What CPython 3.13 and PyYAML 6.0.3 make of scalars, documents, expressions and keys (`python/make_expected.py`): the same,
//! value for value, and refused where they refuse.

use serde_json::Value as Json;
use tracing_strata::{
    Severity,
    config::{Config, Logging},
};

use super::Dir;

/// What Python takes, and we refuse: what no configuration has a use for, and what is more than a constant.
const NOT_OURS: &[&str] = &[
    "x: !!binary aGk=",
    "x: !!omap [a: 1]",
    "f'{1}'",
    "'\\N{BULLET}'",
    "{1:2}",
    "not(True)",
    "not True",
    "True and False",
    "1 or 2",
    "1if(True)else(2)",
    "1 if True else 2",
    "1<2",
    "1 < 2",
    "1==1",
    "[1][0]",
    "'a'[0]",
    "('%s' % 'a',)",
    "'a'%1",
    "dict(a=1)",
    "('a').upper()",
];

/// Plays each line, with our own value or `None` where it is refused; all that differ are told.
fn play(expected: &str, least: usize, ours: impl Fn(&str) -> Result<Json, String>) {
    let mut wrong = Vec::new();
    let mut played = 0;
    for line in expected.lines() {
        let case: Json = serde_json::from_str(line).unwrap();
        let text = case["text"].as_str().unwrap();
        let got = ours(text);
        let is_right = match (case.get("value"), &got) {
            (Some(expected), Ok(got)) => expected == got,
            (None, Err(_)) => true,
            // It is refused when the configuration is applied, unless something is registered.
            (None, Ok(got)) => {
                (case["error"] == "NameError" || case["error"] == "AttributeError")
                    && got.as_str().is_some_and(|name| name.starts_with("ext://"))
            }
            (Some(_), Err(_)) => NOT_OURS.contains(&text),
        };
        if !is_right {
            wrong.push(format!("{line}\n   {got:?}"));
        }
        played += 1;
    }
    assert!(wrong.is_empty(), "{} of {played}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(played >= least, "{played}");
}

#[test]
fn yaml_is_read_as_pyyaml_reads_it() {
    play(include_str!("python/yaml.jsonl"), 2200, |text| {
        let config = Config::from_yaml(text).map_err(|error| error.to_string())?;
        Ok(serde_json::from_str(&config.to_json()).unwrap())
    });
}

// With `os.sep` and its like of Linux.
#[cfg(unix)]
#[test]
fn args_are_what_python_evaluates() {
    play(include_str!("python/args.jsonl"), 1000, |text| {
        // `defaults` is one, too, and may be anything. A value goes on in lines that are indented.
        let ini = format!(
            "[loggers]\nkeys=root\n[handlers]\nkeys=\n[formatters]\nkeys=f\n[logger_root]\nhandlers=\n[formatter_f]\ndefaults={}\n",
            text.replace('\n', "\n ")
        );
        let config = Config::from_ini(&ini).map_err(|error| error.to_string())?;
        let read: Json = serde_json::from_str(&config.to_json()).unwrap();
        Ok(read["formatters"]["f"]["defaults"].clone())
    });
}

#[test]
fn what_is_true_a_level_and_a_version() {
    let dir = Dir::new();
    play(include_str!("python/truths.jsonl"), 200, |text| {
        let (key, value) = text.split_once(": ").unwrap();
        let path = dir.path("x");
        let yaml = match key {
            "propagate" | "level" => format!("{{version: 1, loggers: {{l: {{{key}: {value}}}}}}}"),
            "handler_level" => format!("{{version: 1, handlers: {{h: {{class: 'null', level: {value}}}}}}}"),
            "delay" => format!("{{version: 1, handlers: {{h: {{class: file, filename: {path}, delay: {value}}}}}}}"),
            "validate" => format!("{{version: 1, formatters: {{f: {{format: no field, validate: {value}}}}}}}"),
            "incremental" => format!("{{version: 1, incremental: {value}, handlers: {{nobody: {{class: 'null'}}}}}}"),
            _ => format!("{{version: {value}}}"),
        };
        let logging = Logging::builder()
            .python_defaults()
            .build(&Config::from_yaml(&yaml).unwrap())
            .map_err(|error| error.to_string())?;
        Ok(match key {
            "propagate" => logging.loggers().propagate("l").into(),
            "level" => logging.loggers().level("l").map_or(0, Severity::number).into(),
            "handler_level" => logging.handler("h").unwrap().level().number().into(),
            "delay" => std::fs::remove_file(path).is_err().into(),
            _ => true.into(),
        })
    });
}
