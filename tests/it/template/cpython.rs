//! Four thousand formats and records at random, and what CPython 3.11's `logging.Formatter` makes of them
//! (`make_expected.py`): lines and error messages, byte for byte.

use std::time::{Duration, UNIX_EPOCH};

use serde_json::Value as Json;
use tracing_strata::{
    Fields, Record, Severity, Value,
    format::{Buffer, Format as _, Style, Template, Time},
};

#[test]
fn lines_and_errors_are_those_of_cpython() {
    let mut wrong = Vec::new();
    let mut played = 0;
    for line in include_str!("expected.jsonl").lines() {
        let case: Json = serde_json::from_str(line).unwrap();
        let expected =
            case["line"].as_str().map(str::to_owned).ok_or_else(|| case["error"].as_str().unwrap().to_owned());
        let got = play(&case);
        played += 1;
        if got != expected {
            wrong.push(format!(
                "{:.300}",
                format!("{} {:?}: expected {expected:?}, got {got:?}", case["style"], case["format"])
            ));
        }
    }
    assert_eq!(played, 4_000);
    assert!(wrong.is_empty(), "{} of {played} differ:\n{}", wrong.len(), wrong[..wrong.len().min(40)].join("\n"));
}

fn play(case: &Json) -> Result<String, String> {
    let mut builder = Template::builder(case["format"].as_str().unwrap())
        .style(case["style"].as_str().unwrap().parse::<Style>().unwrap())
        .zone(Time::zone("America/New_York").unwrap())
        .as_python(true)
        .validate(case["validate"] != false);
    if let Some(datefmt) = case["datefmt"].as_str() {
        builder = builder.datefmt(datefmt);
    }
    if let Some(format) = case["default_time_format"].as_str() {
        builder = builder.default_time_format(format);
    }
    if let Some(format) = case.get("default_msec_format") {
        builder = builder.default_msec_format(format.as_str());
    }
    let mut defaults = Fields::new();
    for (name, value) in case["defaults"].as_object().into_iter().flatten() {
        match value {
            Json::String(text) => defaults.set(name.clone(), text),
            Json::Bool(value) => defaults.set(name.clone(), *value),
            Json::Number(number) if number.is_i64() => defaults.set(name.clone(), number.as_i64().unwrap()),
            number => defaults.set(name.clone(), number.as_f64().unwrap()),
        }
    }
    let template = builder.defaults(defaults).build().map_err(|error| error.to_string())?;
    let record = record(&case["record"]);
    let mut out = Buffer::from(b"before ".to_vec());
    let result = template.format(&record, &mut out);
    let mut alone = Buffer::new();
    assert_eq!(template.format(&record, &mut alone).is_ok(), result.is_ok());
    assert_eq!(out.to_str().unwrap().strip_prefix("before "), alone.to_str().ok());
    match result {
        Ok(()) => Ok(alone.to_string()),
        Err(error) => {
            assert!(error.is_format() && alone.is_empty());
            Err(error.to_string())
        }
    }
}

fn record(given: &Json) -> Record {
    let text = |name: &str| given[name].as_str().unwrap_or_default().to_owned();
    let name = text("name");
    let mut record = Record::new(
        Severity::new(given["level"].as_i64().unwrap() as i32),
        if name == "root" { "" } else { &name },
        &text("msg"),
    );
    record.set_time(UNIX_EPOCH + Duration::from_secs_f64(given["created"].as_f64().unwrap()));
    record.set_source(&text("path"), given["line"].as_u64().unwrap() as u32);
    record.set_function(&text("func"));
    record.set_stack(&text("stack"));
    record.set_thread("T", 1);
    for (name, value) in given["extra"].as_object().unwrap() {
        let shown = value[1].as_str().unwrap_or_default();
        let value = match value[0].as_str().unwrap() {
            "str" => Value::Str(shown),
            "bool" => Value::Bool(value[1].as_bool().unwrap()),
            "int" => shown.parse().map(Value::I64).or_else(|_| shown.parse().map(Value::I128)).unwrap(),
            _ => Value::F64(shown.parse().unwrap()),
        };
        record.set(name.clone(), value);
    }
    record
}
