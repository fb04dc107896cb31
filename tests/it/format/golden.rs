//! A file for each format with a few records in it: when a shape changes, so does its file, and review sees it.
//!
//! `STRATA_GOLDEN=write cargo test --test it golden` writes them anew.

use std::{fs, num::NonZeroU16, path::Path};

use tracing_strata::{
    Error, Fields, Format, Record, Severity, Value,
    format::{Buffer, Color, Gelf, Json, Logfmt, SyslogFormat, Template, Text, Time},
    record::JsonText,
};

use super::line;
use crate::hostile::{Chain, TIME, TRACEPARENT};

/// A plain event, one in a trace with lists and maps, one with errors, and an enemy's.
fn records() -> Vec<Record> {
    let record = |severity, message| {
        let mut record = Record::new(severity, "shop::pay", message);
        record.set_time(std::time::UNIX_EPOCH + TIME);
        record.set_source("src/pay.rs", 42);
        record.set_module_path("shop::pay");
        record.set_thread("worker", 12);
        let globals = [("service", "shop"), ("version", "1.2.0"), ("env", "test"), ("host", "web-1"), ("zone", "eu-1")];
        record.set_globals(globals.into_iter().collect());
        record
    };
    let fields = |pairs: &[(&'static str, Value<'static>)]| pairs.iter().copied().collect::<Fields>();
    let mut paid = record(Severity::INFO, "card charged");
    paid.set("user", 7);
    paid.set("amount", 12.5);
    paid.set("ok", true);
    paid.set("http.request.method", "POST");

    let mut inside = record(Severity::new(25), "order placed");
    inside.set_name("order.placed");
    inside.set_function("place");
    inside.set("wide", u128::MAX);
    inside.set("raw", &b"\x00\xff"[..]);
    inside.set("tags", Value::Json(JsonText::new(r#"["new",null,{"a.b":1.5}]"#).unwrap()));
    inside.push_span("request", fields(&[("traceparent", TRACEPARENT.into()), ("id", "7f3a".into())]));
    inside.push_span("query", fields(&[("table", "orders".into()), ("rows", 3.into())]));

    let mut failed = record(Severity::ERROR, "charge refused");
    failed.fields_mut().set_error("error", &Chain::new(&["no answer".into(), "timed out".into()]));
    failed.set("error.backtrace", "0: pay\n1: main");
    failed.fields_mut().set_error("second", &"x".parse::<i32>().unwrap_err());
    failed.set_stack("main");

    let mut hostile = record(Severity::CRITICAL, "a\nb\u{1b}[31m\u{2028} \"q\" \\ =");
    hostile.set_target("shop \"x\"");
    for name in ["message", "msg", "level", "error", "service", "trace.id", "", "two words", "k=v", "\u{202e}", "it's"]
    {
        hostile.set(name, "mine");
    }
    hostile.set("nan", f64::NAN);
    hostile.set("empty", "");
    vec![paid, inside, failed, hostile]
}

/// On a terminal of so many columns.
struct OnTerminal(Text, u16);

impl Format for OnTerminal {
    fn format(&self, record: &Record, out: &mut Buffer) -> Result<(), Error> {
        out.set_terminal(true);
        out.set_columns(NonZeroU16::new(self.1));
        self.0.format(record, out)
    }
}

fn check(name: &str, format: impl Format) {
    let lines: Vec<_> = records().iter().map(|record| line(&format, record)).collect();
    // What is another in each run.
    let of_run = |line: &String| {
        let record = Record::default();
        let id = record.process_id();
        let line = line.replace(&format!("\"pid\":{id},"), "\"pid\":PID,");
        line.replace(&format!("\"{}\"", record.process_name()), "\"PROCESS\"")
    };
    let now: String = lines.iter().map(of_run).map(|line| line + "\n").collect();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/format/golden").join(name);
    if std::env::var_os("STRATA_GOLDEN").is_some_and(|word| word == "write") {
        fs::write(&path, &now).unwrap();
    }
    let golden = fs::read_to_string(&path).unwrap();
    assert_eq!(now, golden, "the shape of {name} has changed");
}

#[test]
fn golden_json() {
    check("flat.jsonl", Json::new());
    check("tracing_subscriber.jsonl", Json::tracing_subscriber().source(true).thread(true));
    let shapes = [
        ("ecs.jsonl", Json::ecs()),
        ("gcp.jsonl", Json::gcp().trace_prefix("projects/p/traces/")),
        ("datadog.jsonl", Json::datadog()),
        ("logstash.jsonl", Json::logstash()),
        ("bunyan.jsonl", Json::bunyan()),
        ("otel.jsonl", Json::otel()),
        ("python.jsonl", Json::python().time(Time::utc())),
    ];
    for (name, json) in shapes {
        check(name, json.source(true).thread(true).schema_version("2"));
    }
}

#[test]
fn golden_text() {
    check("logfmt.txt", Logfmt::new().source(true).thread(true).field("schema_version", "2"));
    check("text.txt", Text::plain().source(true).globals(true).trace_ids(true));
    check("text_multi_line.txt", Text::plain().multi_line(true));
    let pretty = Text::pretty().color(Color::Never).time(Time::utc().millis().date(false));
    check("text_pretty.txt", pretty.clone());
    check("text_pretty_60_columns.txt", OnTerminal(pretty.clone(), 60));
    check("text_pretty_coloured.txt", OnTerminal(pretty.color(Color::Always), 100));
    let template =
        Template::builder("%(asctime)s %(levelname)s [%(threadName)s] %(name)s %(message)s").zone(Time::utc());
    check("template.txt", template.build().unwrap());
    check("syslog.txt", SyslogFormat::rfc5424().host("h").app("shop").process_id("1"));
    check("syslog_3164.txt", SyslogFormat::rfc3164().host("h").app("shop").process_id("1").zone(Time::utc()));
    check("gelf.jsonl", Gelf::new().host("h"));
}
