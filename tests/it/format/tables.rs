//! Tables of one's own, and what is refused.

use std::{
    process::Command,
    sync::{Arc, Mutex},
};

use tracing_strata::{
    Delivery, Error, Format, Outcome, Record, Severity,
    format::{Buffer, Json, Key, Member, Time},
    prelude::*,
};
use tracing_subscriber::layer::SubscriberExt;

use super::line;
use crate::{hostile::TRACEPARENT, places::in_a_child, strict::strict};

fn refused(json: Result<Json, tracing_strata::Error>) -> String {
    let error = json.unwrap_err();
    assert!(error.is_config());
    error.to_string()
}

#[test]
fn two_that_ask_for_one_key_are_refused_and_named() {
    for (json, said) in [
        (Json::new().checked().map(|_| ()), ""),
        (
            Json::new().rename(Key::Level, "message").checked().map(|_| ()),
            "\"message\" is asked for by `message` and by `level`",
        ),
        (
            Json::ecs().field("log.level", 1).checked().map(|_| ()),
            "\"log.level\" is asked for by `level` and by the field \"log.level\"",
        ),
        (
            Json::gcp().nest_fields("time").checked().map(|_| ()),
            "\"time\" is asked for by `timestamp` and by the event's fields",
        ),
        (
            Json::gcp().nest_context("x").field("x", 1).checked().map(|_| ()),
            "\"x\" is asked for by the spans' fields and by the field \"x\"",
        ),
        (
            Json::ecs().rename(Key::Message, "log").checked().map(|_| ()),
            "\"log\" is asked for by `Reserved` and by `message`",
        ),
        (
            Json::logstash().rename(Key::Message, "@version").checked().map(|_| ()),
            "\"@version\" is asked for by `Text(\"1\")` and by `message`",
        ),
        // Those that are off ask for nothing.
        (Json::ecs().rename(Key::File, "message").checked().map(|_| ()), ""),
        (Json::ecs().omit(Key::Message).rename(Key::Target, "message").checked().map(|_| ()), ""),
        (Json::tracing_subscriber().rename(Key::Target, "message").checked().map(|_| ()), ""),
    ] {
        match json {
            Ok(()) => assert_eq!(said, ""),
            Err(error) => assert!(error.to_string().contains(said) && !said.is_empty(), "{error}"),
        }
    }
    let shapes =
        [Json::ecs(), Json::gcp(), Json::datadog(), Json::logstash(), Json::bunyan(), Json::otel(), Json::python()];
    for shape in shapes {
        shape.source(true).thread(true).process(true).level_number(true).checked().unwrap();
    }
    static TWICE: &[(&str, Member)] = &[("a", Member::Object(&[("b", Member::Text("x")), ("b", Member::Number(1))]))];
    assert!(refused(Json::table(TWICE)).contains("\"b\" is asked for by `Text(\"x\")` and by `Number(1)`"));
    static REST: &[(&str, Member)] = &[("", Member::Rest), ("", Member::RestOfGlobals)];
    assert!(refused(Json::table(REST)).contains("the same fields are asked for by `Rest` and by `RestOfGlobals`"));
    static NO_ATTRIBUTE: &[(&str, Member)] = &[("a", Member::Attributes(&[("b", Member::Key(Key::Timestamp))]))];
    assert!(refused(Json::table(NO_ATTRIBUTE)).contains("\"b\" cannot be `Key(Timestamp)`"));
    static NO_NUMBER: &[(&str, Member)] = &[("a", Member::Decimal(Key::Line)), ("m", Member::Quoted(Key::TraceId))];
    assert!(refused(Json::table(NO_NUMBER)).contains("\"a\" cannot be `Decimal(Line)`"));
}

#[test]
fn every_member_of_a_table() {
    static TABLE: &[(&str, Member)] = &[
        ("first", Member::Key(Key::EventName)),
        ("optional", Member::Object(&[("f", Member::Key(Key::File)), ("n", Member::Quoted(Key::LevelNumber))])),
        ("static", Member::List(&[("t", Member::Key(Key::Target)), ("error", Member::Key(Key::ErrorMessage))])),
        ("id", Member::Key(Key::TraceId)),
        ("low", Member::Decimal(Key::TraceId)),
        ("flags", Member::Decimal(Key::TraceFlags)),
        ("sampled", Member::Key(Key::TraceSampled)),
        ("time", Member::Nanos),
        ("level", Member::LevelName(&[(20, "calm"), (30, "loud")])),
        ("service", Member::Global(&["app"])),
        ("event", Member::Fields),
        ("attributes", Member::Attributes(&[("line", Member::Key(Key::Line)), ("", Member::RestOfGlobals)])),
        ("inner", Member::Object(&[("m", Member::Key(Key::Message)), ("", Member::RestOfRecord)])),
    ];
    let json = Json::table(TABLE).unwrap().field("fixed", 1);
    let mut record = Record::new(Severity::WARN, "t", "m");
    record.set_time(std::time::UNIX_EPOCH);
    record.set_thread("", 1);
    let bare = r#"{"optional":{"n":"30"},"static":[{"t":"t"}],"time":"0","level":"loud","event":{},"#.to_owned()
        + r#""attributes":[{"key":"fixed","value":{"intValue":"1"}}],"inner":{"m":"m"}}"#;
    assert_eq!(line(&json, &record), bare);
    record.set_severity(Severity::DEBUG);
    record.set_name("e");
    record.set_source("f.rs", 7);
    record.set("a", 1);
    record.fields_mut().set_error("error", &std::fmt::Error);
    record.push_span("s", [("traceparent", TRACEPARENT), ("m", "mine"), ("id", "x")].into_iter().collect());
    record.set_globals([("app", "shop"), ("zone", "eu"), ("line", "mine")].into_iter().collect());
    let message = std::fmt::Error.to_string();
    let full = [
        r#"{"first":"e","optional":{"f":"f.rs","n":"10"},"#,
        &format!(r#""static":[{{"t":"t","error":"{message}"}}],"#),
        r#""id":"4bf92f3577b34da6a3ce929d0e0e4736","low":"11803532876627986230","flags":1,"sampled":true,"time":"0","level":"","#,
        r#""service":"shop","event":{"a":1,"#,
    ];
    let got = line(&json, &record);
    assert!(got.starts_with(&full.concat()), "{got}\n{}", full.concat());
    let rest = [
        r#""attributes":[{"key":"line","value":{"intValue":"7"}},{"key":"zone","value":{"stringValue":"eu"}},"#,
        r#"{"key":"line_","value":{"stringValue":"mine"}},{"key":"fixed","value":{"intValue":"1"}}],"#,
        // The span's id has no place in the table, so the header stays.
        r#""inner":{"m":"m","traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01","m_":"mine","id":"x"}}"#,
    ];
    assert!(got.ends_with(&rest.concat()), "{got}\n{}", rest.concat());
    strict(&got);
}

#[test]
fn an_object_with_nothing_in_it_is_left_out() {
    static TABLE: &[(&str, Member)] = &[
        (
            "src",
            Member::Object(&[
                ("f", Member::Key(Key::File)),
                ("deep", Member::Object(&[("n", Member::Key(Key::Line))])),
            ]),
        ),
        ("", Member::Rest),
    ];
    let json = Json::table(TABLE).unwrap();
    let mut record = Record::new(Severity::INFO, "t", "m");
    assert_eq!(line(&json, &record), "{}");
    record.set("src", 1);
    assert_eq!(line(&json, &record), r#"{"src_":1}"#);
    record.set_source("f", 2);
    assert_eq!(line(&json, &record), r#"{"src":{"f":"f","deep":{"n":2}},"src_":1}"#);
}

/// Keeps what it is given as lines.
struct Lines(Json, Arc<Mutex<Buffer>>);

impl Handler for Lines {
    fn handle(&self, delivery: Delivery<'_>) -> Result<Outcome, Error> {
        self.0.format(&delivery, &mut self.1.lock().unwrap()).map(|()| Outcome::Written)
    }
}

#[test]
fn names_of_a_call_site_give_way_to_keys_beside_them() {
    static TABLE: &[(&str, Member)] = &[
        ("of_all", Member::Object(&[("", Member::RestOfGlobals)])),
        ("own", Member::Object(&[("text", Member::Key(Key::Message)), ("", Member::RestOfRecord)])),
    ];
    let lines = Arc::new(Mutex::new(Buffer::new()));
    let layer = Lines(Json::table(TABLE).unwrap(), Arc::clone(&lines)).into_layer();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        tracing::info!(text = 1, other = 2, "hi");
    });
    assert_eq!(*lines.lock().unwrap(), r#"{"own":{"text":"hi","text_":1,"other":2}}"#);
}

#[test]
fn setters_change_a_shape_as_they_do_the_default_one() {
    let mut record = Record::new(Severity::INFO, "t", "m");
    record.set("user", 7);
    record.push_span("request", [("id", 1)].into_iter().collect());
    let json = Json::ecs()
        .time(Time::none())
        .rename(Key::Target, "logger")
        .omit(Key::Message)
        .nest_fields("labels")
        .nest_context("context")
        .span_list(true)
        .current_span(true)
        .schema_version(2);
    let expected = r#"{"log.level":"info","ecs.version":"8.17.0","logger":"t","labels":{"user":7},"#.to_owned()
        + r#""span":{"name":"request","id":1},"spans":[{"name":"request","id":1}],"context":{"id":1},"schema_version":2}"#;
    assert_eq!(line(&json, &record), expected);
}

#[test]
fn what_the_environment_says() {
    let prepare = |command: &mut Command| {
        command.env("OTEL_SERVICE_NAME", "shop").env(
            "OTEL_RESOURCE_ATTRIBUTES",
            "service.name=other,service.version=1%2C2,deployment.environment.name=test,host.name=h,zone=eu",
        );
    };
    let told = in_a_child("format::tables::what_the_environment_says", prepare, |report| {
        let mut record = Record::new(Severity::INFO, "t", "m");
        record.set_time(std::time::UNIX_EPOCH);
        let shapes = [Json::ecs(), Json::gcp(), Json::datadog(), Json::otel(), Json::bunyan().omit(Key::ProcessId)];
        let lines: Vec<_> = shapes.iter().map(|shape| line(shape, &record)).collect();
        record.set_globals([("service", "mine")].into_iter().collect());
        let more = shapes.iter().map(|shape| line(shape, &record));
        std::fs::write(report, lines.into_iter().chain(more).collect::<Vec<_>>().join("\n")).unwrap();
    });
    let lines: Vec<_> = told.lines().collect();
    let attribute = |name: &str, of: &str| format!(r#"{{"key":"{name}","value":{{"stringValue":"{of}"}}}}"#);
    let otel = |service: &str| {
        [
            attribute("service.name", service),
            attribute("service.version", "1,2"),
            attribute("deployment.environment.name", "test"),
            attribute("host.name", "h"),
            attribute("zone", "eu"),
        ]
        .join(",")
    };
    for (place, service) in [(0, "shop"), (5, "mine")] {
        let expected = [
            format!(
                r#""service.name":"{service}","service.version":"1,2","service.environment":"test","host.name":"h"}}"#
            ),
            format!(r#""serviceContext":{{"service":"{service}","version":"1,2"}}}}"#),
            format!(r#""service":"{service}","dd.env":"test","dd.version":"1,2","host":"h"}}"#),
            format!("\"resource\":{{\"attributes\":[{}]}}", otel(service)),
            format!(r#""v":0,"name":"{service}","hostname":"h"}}"#),
        ];
        for (line, expected) in lines[place..].iter().zip(expected) {
            assert!(line.contains(&expected), "{line}\n{expected}");
        }
    }
}
