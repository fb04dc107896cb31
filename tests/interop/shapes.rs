//! The shapes that other tools expect before those tools: each reads our lines, or makes the same of the same record.

use std::{
    env,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::{Value as Json, json};
use tracing_strata::{
    Format, Record, Severity, Value,
    format::{Buffer, Json as Shape, Key, Logfmt, Time},
    record::JsonText,
};

fn cache() -> PathBuf {
    env::temp_dir().join("strata-interop-shapes")
}

/// What a program says to these lines; it must be as many.
fn said(command: &mut Command, lines: &[String]) -> Vec<String> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let text = lines.join("\n") + "\n";
    let writer = std::thread::spawn(move || stdin.write_all(text.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success(), "{command:?}");
    let said: Vec<_> = String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect();
    assert_eq!(said.len(), lines.len(), "{command:?}");
    said
}

/// The packages of Python.
fn peers() -> Command {
    let mut python = Command::new(cache().join("venv/bin/python"));
    python.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/servers/shapes/peers.py"));
    python
}

pub(crate) fn parsed(lines: &[String]) -> Vec<Json> {
    lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

const HOSTILE: &[&str] = &[
    "plain",
    "two words",
    "",
    "a\nb\r\t",
    "\u{1b}[31m\u{0}\u{7f}\u{85}",
    "\u{2028}\u{202e}\u{feff}\u{fffd}",
    "\"q\" 'a' \\ \\n",
    "k=v a.b=c",
    "größe 中文 🦀",
    "{\"level\":\"x\"}",
    "%20",
];

/// Texts that break lines, quotes and parsers as message, name and value, and a value of each type.
pub(crate) fn records() -> Vec<Record> {
    let mut records = Vec::new();
    for (place, text) in HOSTILE.iter().enumerate() {
        let level = [5, 10, 20, 30, 40, 50, 25][place % 7];
        let mut record = Record::new(Severity::new(level), text, text);
        record.set_time(std::time::UNIX_EPOCH + std::time::Duration::from_nanos(1_795_187_836_123_456_789));
        record.set((*text).to_owned(), *text);
        record.set("msg", "mine");
        record.set("number", -7);
        record.set("big", u64::MAX);
        record.set("float", 0.1);
        record.set("nan", f64::NAN);
        record.set("yes", true);
        record.set("raw", &b"\x00\xff\x10\x20"[..]);
        record.set("tags", Value::Json(JsonText::new(r#"["new",null,{"a.b":1.5,"c":[true]}]"#).unwrap()));
        if place % 2 == 0 {
            record.fields_mut().set_error("error", &"x".parse::<i32>().unwrap_err());
            let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
            record.push_span("request", [("traceparent", trace), ("id", text)].into_iter().collect());
        }
        record.set_globals([("service", "shop"), ("host", "web-1")].into_iter().collect());
        records.push(record);
    }
    records
}

pub(crate) fn lines(format: &impl Format) -> Vec<String> {
    lines_of(format, &records())
}

pub(crate) fn lines_of(format: &impl Format, records: &[Record]) -> Vec<String> {
    let line = |record: &Record| {
        let mut out = Buffer::new();
        format.format(record, &mut out).unwrap();
        out.to_string()
    };
    records.iter().map(line).collect()
}

#[test]
fn jq_reads_every_shape() {
    for shape in [
        Shape::ecs(),
        Shape::gcp(),
        Shape::datadog(),
        Shape::logstash(),
        Shape::bunyan(),
        Shape::otel(),
        Shape::python(),
    ] {
        let lines = lines(&shape.source(true).thread(true));
        // Big numbers are jq's own affair.
        let filter = "del(.. | .big?) | tojson";
        assert_eq!(said(Command::new("jq").args(["-c", filter]), &lines).len(), HOSTILE.len());
    }
}

#[test]
fn readers_of_go_and_python_read_logfmt() {
    let lines = lines(&Logfmt::new().thread(true));
    let by_go = parsed(&said(Command::new(cache().join("go/readers")).arg("logfmt"), &lines));
    let by_python = parsed(&said(peers().arg("logfmt"), &lines));
    for ((record, by_go), by_python) in records().iter().zip(by_go).zip(by_python) {
        let pairs = |of: &Json| -> Vec<(String, String)> { serde_json::from_value(of.clone()).unwrap() };
        let (strict, kr) = (pairs(&by_go[0]), pairs(&by_go[1]));
        assert_eq!(strict, kr);
        assert_eq!(strict, pairs(&by_python));
        let get = |key: &str| {
            let mut of_key = strict.iter().filter(|(name, _)| name == key);
            let found = of_key.next().map(|(_, value)| value.as_str());
            assert!(of_key.next().is_none(), "{key} twice: {strict:?}");
            found
        };
        assert_eq!((get("msg"), get("target")), (Some(record.message()), Some(record.target())));
        assert_eq!((get("msg_"), get("number"), get("float")), (Some("mine"), Some("-7"), Some("0.1")));
        assert_eq!((get("tags.2.a%2Eb"), get("tags.2.c.0"), get("tags.1")), (Some("1.5"), Some("true"), Some("null")));
        assert_eq!((get("raw"), get("nan"), get("service")), (Some("00ff1020"), Some("NaN"), Some("shop")));
        let hostile = strict.iter().filter(|(_, value)| value == record.message()).count();
        assert!(hostile >= 3, "{strict:?}");
    }
}

#[test]
fn the_collector_s_own_reader_reads_otlp() {
    let ours = lines(&Shape::otel().source(true).thread(true));
    let theirs = said(Command::new(cache().join("go/readers")).arg("otlp"), &ours);
    for (record, (ours, theirs)) in records().iter().zip(parsed(&ours).into_iter().zip(parsed(&theirs))) {
        let log = |of: &Json| of["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0].clone();
        let (our_log, mut their_log) = (log(&ours), log(&theirs));
        for attribute in their_log["attributes"].as_array_mut().unwrap() {
            // It leaves out what is empty.
            attribute.as_object_mut().unwrap().entry("key").or_insert_with(|| "".into());
        }
        assert_eq!(ours["resourceLogs"][0]["resource"], theirs["resourceLogs"][0]["resource"]);
        for key in ["timeUnixNano", "severityNumber", "severityText", "attributes", "flags"] {
            assert_eq!(our_log[key], their_log[key], "{key}");
        }
        assert_eq!(their_log["body"]["stringValue"], record.message());
        assert_eq!(
            theirs["resourceLogs"][0]["scopeLogs"][0]["scope"].get("name").and_then(Json::as_str).unwrap_or(""),
            record.target()
        );
        let id = |key: &str| their_log.get(key).and_then(Json::as_str).unwrap_or("").to_owned();
        let trace =
            record.trace().map(|trace| (format!("{:032x}", trace.trace_id()), format!("{:016x}", trace.span_id())));
        assert_eq!((id("traceId"), id("spanId")), trace.unwrap_or_default());
    }
}

#[test]
fn bunyan_and_pino_pretty_read_bunyan_s_shape() {
    let lines = lines(&Shape::bunyan().source(true));
    let bin = cache().join("node_modules/.bin");
    let mut bunyan = Command::new(bin.join("bunyan"));
    let read = parsed(&said(bunyan.args(["--strict", "--no-color", "--no-pager", "-o", "json-0"]), &lines));
    for (ours, theirs) in parsed(&lines).into_iter().zip(read) {
        for key in ["v", "name", "hostname", "pid", "level", "msg", "msg_", "time", "src", "err"] {
            assert_eq!(ours.get(key), theirs.get(key), "{key}");
        }
    }
    let mut pretty = Command::new(bin.join("pino-pretty"));
    let said = said(pretty.args(["--hideObject"]), &one_line_messages(&lines));
    for (record, said) in records().iter().zip(said) {
        let level = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"][match record.severity().number() {
            ..10 => 0,
            10..20 => 1,
            20..30 => 2,
            30..40 => 3,
            40..50 => 4,
            _ => 5,
        }];
        assert!(said.contains(&format!("{level} (shop/")), "{said}");
    }
}

/// pino-pretty prints messages and stacks as they are: those with line breaks would be several lines.
fn one_line_messages(lines: &[String]) -> Vec<String> {
    let one_line = |mut line: Json| {
        line["msg"] = "m".into();
        line.as_object_mut().unwrap().remove("err");
        line.to_string()
    };
    parsed(lines).into_iter().map(one_line).collect()
}

/// The same records as Python's own loggers have them.
#[test]
fn python_json_logger_and_ecs_logging_make_the_same() {
    let specs: Vec<_> = HOSTILE
        .iter()
        .zip([10, 20, 30, 40, 50].into_iter().cycle())
        .map(|(text, level)| json!({"name": "shop.pay", "levelno": level, "message": text, "extra": {"user": 7, "ratio": 0.5, "text": text, "nested": {"a": [1, null]}}}))
        .collect();
    let asked: Vec<_> = specs.iter().map(Json::to_string).collect();
    let shapes = [("python", Shape::python().omit(Key::Timestamp)), ("ecs", Shape::ecs().time(Time::none()))];
    for (name, shape) in shapes {
        let theirs = parsed(&said(peers().arg(name), &asked));
        for (spec, mut theirs) in specs.iter().zip(theirs) {
            let level = i32::try_from(spec["levelno"].as_i64().unwrap()).unwrap();
            let mut record = Record::new(Severity::new(level), "shop.pay", spec["message"].as_str().unwrap());
            record.set("user", 7);
            record.set("ratio", 0.5);
            record.set("text", spec["message"].as_str().unwrap());
            record.set("nested", Value::Json(JsonText::new(r#"{"a":[1,null]}"#).unwrap()));
            let mut ours = Buffer::new();
            shape.format(&record, &mut ours).unwrap();
            let mut ours: Json = serde_json::from_slice(ours.as_bytes()).unwrap();
            let (of_ours, of_theirs) = (ours.as_object_mut().unwrap(), theirs.as_object_mut().unwrap());
            // Times differ, and so do the versions of the schema; ecs-logging nests what has a point, and says "warning".
            for key in ["asctime", "@timestamp", "ecs.version"] {
                of_ours.remove(key);
                of_theirs.remove(key);
            }
            if let Some(logger) = of_ours.remove("log.logger") {
                of_ours.insert("log".into(), json!({"logger": logger}));
            }
            if of_theirs.get("log.level").is_some_and(|level| level == "warning") {
                of_theirs.insert("log.level".into(), "warn".into());
            }
            assert_eq!(ours, theirs, "{name}");
        }
    }
}

/// With the names of its time, level and message, `fblog` shows every shape.
#[test]
fn fblog_reads_every_shape() {
    let shapes = [
        (Shape::new(), ["timestamp", "level", "message"]),
        (Shape::ecs(), ["@timestamp", "log.level", "message"]),
        (Shape::gcp(), ["timestamp", "severity", "message"]),
        (Shape::datadog(), ["timestamp", "status", "message"]),
        (Shape::logstash(), ["@timestamp", "level", "message"]),
        (Shape::bunyan(), ["time", "level", "msg"]),
        (Shape::python().time(Time::utc()).rename(Key::Timestamp, "asctime"), ["asctime", "levelname", "message"]),
    ];
    for (shape, [time, level, message]) in shapes {
        let mut record = Record::new(Severity::WARN, "shop", "order placed");
        record.set_time(std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_795_187_836));
        let mut out = Buffer::new();
        shape.format(&record, &mut out).unwrap();
        let mut fblog = Command::new(cache().join("cargo/bin/fblog"));
        fblog.env("NO_COLOR", "1").args(["-t", time, "-l", level, "-m", message]);
        let said = said(&mut fblog, &[out.to_string()]).join("\n");
        assert!(said.contains("2026-11-20T15:17:16") && said.ends_with("order placed"), "{out:?}: {said}");
    }
}
